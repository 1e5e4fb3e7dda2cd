// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's domains and the requests on them: ATTACH, DETACH, MAP and UNMAP as
 * virtio 1.4 has them ("Device operations" of the IOMMU device). A domain exists as
 * long as an endpoint is attached to it. A request that fails leaves everything as
 * it was.
 *
 * All of it needs the lock of the instance and, once there is a stage 2, its lock:
 * for writing in ATTACH and DETACH, for reading in MAP and UNMAP.
 */
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "domain.h"
#include "endpoint.h"
#include "nest.h"
#include "shadow.h"
#include "stage2.h"
#include "vhost_iommu.h"

static unsigned long max_mappings = 1UL << 20;
module_param(max_mappings, ulong, 0644);
MODULE_PARM_DESC(max_mappings,
		 "Maximum number of mappings a virtual IOMMU can have (1048576)");

static unsigned long max_domains = 64UL << 10;
module_param(max_domains, ulong, 0644);
MODULE_PARM_DESC(max_domains,
		 "Maximum number of domains a virtual IOMMU can have (65536)");

/**
 * vhost_iommu_status() - what the guest learns of an errno of the kernel
 * @err: 0 or a negative errno
 *
 * Return: VIRTIO_IOMMU_S_*.
 */
u8 vhost_iommu_status(int err)
{
	switch (err) {
	case 0:
		return VIRTIO_IOMMU_S_OK;
	case -ENOMEM:
	case -ENOSPC:
		return VIRTIO_IOMMU_S_NOMEM;
	case -EINVAL:
	case -EBUSY:
	case -EOPNOTSUPP:
		return VIRTIO_IOMMU_S_UNSUPP;
	default:
		return VIRTIO_IOMMU_S_DEVERR;
	}
}

/**
 * vhost_iommu_mappings_limit() - how many mappings a virtual IOMMU can have
 */
unsigned long vhost_iommu_mappings_limit(void)
{
	return READ_ONCE(max_mappings);
}

static struct vhost_iommu_domain *
domain_create(struct vhost_iommu *vi, u32 id, const struct vhost_iommu_kind *kind)
{
	struct vhost_iommu_domain *domain;
	int ret;

	if (vi->nr_domains >= READ_ONCE(max_domains))
		return ERR_PTR(-ENOSPC);
	domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->vi = vi;
	domain->id = id;
	domain->bypass = kind->bypass;
	domain->arm = kind->arm;
	domain->root = kind->root;
	domain->pasids = kind->pasids;
	domain->mappings = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&domain->endpoints);
	INIT_LIST_HEAD(&domain->hwdoms);
	INIT_LIST_HEAD(&domain->nests);

	ret = xa_insert(&vi->domains, id, domain, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(domain);
		return ERR_PTR(ret);
	}
	vi->nr_domains++;
	return domain;
}

/* Free a domain without endpoints, hence without hardware domains. */
static void domain_destroy(struct vhost_iommu_domain *domain)
{
	struct vhost_iommu *vi = domain->vi;
	struct vhost_iommu_mapping *m;

	WARN_ON_ONCE(!list_empty(&domain->hwdoms) ||
		     !list_empty(&domain->nests));
	xa_erase(&vi->domains, domain->id);
	vi->nr_domains--;
	while ((m = vhost_iommu_mapping_find(&domain->mappings, 0, U64_MAX))) {
		vi->nr_mappings -= vhost_iommu_mapping_count(m);
		vhost_iommu_mapping_del(&domain->mappings, m);
		cond_resched();
	}
	kfree(domain);
}

static void domain_put(struct vhost_iommu_domain *domain)
{
	if (domain && list_empty(&domain->endpoints))
		domain_destroy(domain);
}

/*
 * The devices of a group share a domain, whichever it is. A guest that moves a group
 * has to move one device after the other: when all of them are in one domain, the
 * first may go to another one, and the rest to either of the two. The group reaches
 * nothing until they agree again.
 */
static bool group_allows(const struct vhost_iommu_ep *ep,
			 const struct vhost_iommu_domain *domain)
{
	bool elsewhere = false, joins = false, moving = false;
	const struct vhost_iommu_ep *other;

	/* A state may have been saved half way. */
	if (!ep->group || ep->vi->restore)
		return true;
	list_for_each_entry(other, &ep->group->endpoints, group_list) {
		if (other == ep || !other->domain)
			continue;
		if (other->domain == domain)
			joins = true;
		else
			elsewhere = true;
		if (other->domain != ep->domain)
			moving = true;
	}
	return !elsewhere || joins || !moving;
}

/* Is anything mapped where the endpoint can have nothing? */
static bool resv_allows(const struct vhost_iommu_ep *ep,
			struct vhost_iommu_domain *domain)
{
	unsigned int i;

	for (i = 0; i < ep->resv.nr; i++)
		if (vhost_iommu_mapping_find(&domain->mappings,
					     ep->resv.r[i].start,
					     ep->resv.r[i].last))
			return false;
	return true;
}

/**
 * vhost_iommu_domain_put_hwdom() - an assigned endpoint has left a domain
 * @hw: the hardware domain that it had
 */
void vhost_iommu_domain_put_hwdom(struct vhost_iommu_hwdom *hw)
{
	struct vhost_iommu_domain *domain = hw->owner;

	vhost_iommu_hwdom_put(hw);
	vhost_iommu_shadow_end(domain);
}

/**
 * vhost_iommu_domain_get_hwdom() - before an assigned endpoint comes into a domain
 * @domain: the domain
 * @ep: the endpoint, with a group
 *
 * Return: the hardware domain for it, filled, or an ERR_PTR.
 */
struct vhost_iommu_hwdom *
vhost_iommu_domain_get_hwdom(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_ep *ep)
{
	struct vhost_iommu_hwdom *hw;
	int ret;

	if (vhost_iommu_nests(domain, ep->group->class))
		return vhost_iommu_hwdom_get(domain, ep->group);
	ret = vhost_iommu_shadow_begin(domain, ep);
	if (ret)
		return ERR_PTR(ret);
	hw = vhost_iommu_hwdom_get(domain, ep->group);
	if (IS_ERR(hw))
		vhost_iommu_shadow_end(domain);
	return hw;
}

/*
 * Move an endpoint to a domain, or to none. On failure it stays where it was. The
 * group moves before the old hardware domain may be freed.
 */
static int ep_move(struct vhost_iommu_ep *ep, struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_hwdom *old_hw = ep->hwdom, *hw = NULL;
	struct vhost_iommu_domain *old = ep->domain;
	int ret;

	if (domain && !domain->bypass && ep->group) {
		hw = vhost_iommu_domain_get_hwdom(domain, ep);
		if (IS_ERR(hw))
			return PTR_ERR(hw);
	}

	ep->domain = domain;
	ep->hwdom = hw;
	ret = ep->group ? vhost_iommu_group_update(ep->group) : 0;
	if (ret) {
		ep->domain = old;
		ep->hwdom = old_hw;
		if (hw)
			vhost_iommu_domain_put_hwdom(hw);
		return ret;
	}

	vhost_iommu_invalidate(ep, 0, U64_MAX);
	if (old_hw)
		vhost_iommu_domain_put_hwdom(old_hw);
	list_del_init(&ep->domain_list);
	if (domain)
		list_add_tail(&ep->domain_list, &domain->endpoints);
	domain_put(old);
	return 0;
}

static void assert_s2_write(struct vhost_iommu *vi)
{
	lockdep_assert_held(&vi->lock);
	if (vi->s2)
		lockdep_assert_held_write(&vi->s2->lock);
}

/* Could a request with this have made the domain? */
static bool is_kind(const struct vhost_iommu_domain *domain,
		    const struct vhost_iommu_kind *kind)
{
	return domain->bypass == kind->bypass && domain->arm == kind->arm &&
	       domain->pasids == kind->pasids &&
	       (vhost_iommu_domain_has_pasids(domain) ||
		domain->root == kind->root);
}

/* Tables of Arm's are for hardware that walks them: we do not. */
static bool ep_knows(const struct vhost_iommu_ep *ep,
		     const struct vhost_iommu_kind *kind)
{
	return !kind->arm || (ep->group && ep->group->class->nest &&
			      ep->group->class->nest->format->arm);
}

/**
 * vhost_iommu_domain_attach() - put an endpoint into a domain
 * @vi: the instance
 * @id: domain, created if it does not exist
 * @endpoint: number of the endpoint
 * @kind: of the domain
 *
 * Return: VIRTIO_IOMMU_S_OK; _INVAL if the domain is of another kind; _RANGE for the
 * domain's number; _NOENT for the endpoint; _UNSUPP if it cannot use such a table, its
 * group is in another domain and not on its way to this one, the domain has mappings
 * in its reserved regions, or its hardware cannot; _NOMEM.
 */
u8 vhost_iommu_domain_attach(struct vhost_iommu *vi, u32 id, u32 endpoint,
			     const struct vhost_iommu_kind *kind)
{
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_ep *ep;
	int ret;

	assert_s2_write(vi);

	ep = xa_load(&vi->endpoints, endpoint);
	if (!ep || (ep->assigned && !ep->group))
		return VIRTIO_IOMMU_S_NOENT;
	if (id < vi->config.domain_start || id > vi->config.domain_end)
		return VIRTIO_IOMMU_S_RANGE;
	domain = xa_load(&vi->domains, id);
	if (domain && !is_kind(domain, kind))
		return VIRTIO_IOMMU_S_INVAL;
	if (!ep_knows(ep, kind))
		return VIRTIO_IOMMU_S_UNSUPP;
	/* It is there, unless the hardware has refused to bring it back. */
	if (domain && ep->domain == domain)
		return vhost_iommu_status(ep->group ?
					  vhost_iommu_group_update(ep->group) :
					  0);
	if (!group_allows(ep, domain) || (domain && !resv_allows(ep, domain)))
		return VIRTIO_IOMMU_S_UNSUPP;

	if (!domain)
		domain = domain_create(vi, id, kind);
	if (IS_ERR(domain))
		return vhost_iommu_status(PTR_ERR(domain));
	ret = ep_move(ep, domain);
	if (ret)
		domain_put(domain);
	return vhost_iommu_status(ret);
}

/**
 * vhost_iommu_attach() - ATTACH request
 * @vi: the instance
 * @id: domain, created if it does not exist
 * @endpoint: number of the endpoint
 * @flags: VIRTIO_IOMMU_ATTACH_F_*
 *
 * Return: as vhost_iommu_domain_attach(), and VIRTIO_IOMMU_S_INVAL for an unknown
 * flag.
 */
u8 vhost_iommu_attach(struct vhost_iommu *vi, u32 id, u32 endpoint, u32 flags)
{
	const struct vhost_iommu_kind kind = {
		.bypass = flags & VIRTIO_IOMMU_ATTACH_F_BYPASS,
		.root = VHOST_IOMMU_NO_TABLE,
		.pasids = VHOST_IOMMU_NO_TABLE,
	};

	if (flags & ~(u32)VIRTIO_IOMMU_ATTACH_F_BYPASS ||
	    (kind.bypass && !(vi->features & BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG))))
		return VIRTIO_IOMMU_S_INVAL;
	return vhost_iommu_domain_attach(vi, id, endpoint, &kind);
}

/**
 * vhost_iommu_detach() - DETACH request
 * @vi: the instance
 * @id: domain
 * @endpoint: number of the endpoint
 *
 * Return: VIRTIO_IOMMU_S_OK; _NOENT for the endpoint; _INVAL if it is not attached
 * to the domain; _DEVERR if the hardware refuses what comes after (bypass).
 */
u8 vhost_iommu_detach(struct vhost_iommu *vi, u32 id, u32 endpoint)
{
	struct vhost_iommu_ep *ep;

	assert_s2_write(vi);

	ep = xa_load(&vi->endpoints, endpoint);
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	if (!ep->domain || ep->domain->id != id)
		return VIRTIO_IOMMU_S_INVAL;
	return vhost_iommu_status(ep_move(ep, NULL));
}

/**
 * vhost_iommu_detach_ep() - detach an endpoint whatever happens
 * @ep: the endpoint
 *
 * If the hardware does not take the group into bypass, the group is left blocked.
 */
void vhost_iommu_detach_ep(struct vhost_iommu_ep *ep)
{
	struct vhost_iommu_domain *old = ep->domain;

	assert_s2_write(ep->vi);

	if (!old || !ep_move(ep, NULL))
		return;
	vhost_iommu_group_block(ep->group);
	if (ep->hwdom)
		vhost_iommu_domain_put_hwdom(ep->hwdom);
	ep->hwdom = NULL;
	ep->domain = NULL;
	list_del_init(&ep->domain_list);
	domain_put(old);
}

/* Mappings change under both locks: see vhost_iommu.h. */
static void assert_s2_read(struct vhost_iommu *vi)
{
	lockdep_assert_held(&vi->lock);
	if (vi->s2)
		lockdep_assert_held(&vi->s2->lock);
}

static u8 find_paging(struct vhost_iommu *vi, u32 id,
		      struct vhost_iommu_domain **domain)
{
	*domain = xa_load(&vi->domains, id);
	if (!*domain)
		return VIRTIO_IOMMU_S_NOENT;
	if ((*domain)->bypass || vhost_iommu_domain_has_table(*domain))
		return VIRTIO_IOMMU_S_INVAL;
	return VIRTIO_IOMMU_S_OK;
}

/**
 * vhost_iommu_domain_reserved() - has an endpoint a reserved region in a range?
 * @domain: the domain of the endpoints
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 */
bool vhost_iommu_domain_reserved(const struct vhost_iommu_domain *domain,
				 u64 start, u64 last)
{
	const struct vhost_iommu_ep *ep;

	list_for_each_entry(ep, &domain->endpoints, domain_list)
		if (vhost_iommu_regions_find(&ep->resv, start, last))
			return true;
	return false;
}

static u8 check_map(struct vhost_iommu_domain *domain, u64 start, u64 last,
		    u64 gpa)
{
	struct vhost_iommu *vi = domain->vi;
	u64 granule = vi->config.page_size_mask & -vi->config.page_size_mask;
	u64 gpa_last;

	if (last <= start)
		return VIRTIO_IOMMU_S_INVAL;
	if ((start | (last + 1) | gpa) & (granule - 1))
		return VIRTIO_IOMMU_S_RANGE;
	if (start < vi->config.input_start || last > vi->config.input_end)
		return VIRTIO_IOMMU_S_RANGE;
	if (check_add_overflow(gpa, last - start, &gpa_last))
		return VIRTIO_IOMMU_S_FAULT;
	if (vhost_iommu_mapping_find(&domain->mappings, start, last) ||
	    vhost_iommu_domain_reserved(domain, start, last))
		return VIRTIO_IOMMU_S_INVAL;
	if (vi->nr_mappings >= vhost_iommu_mappings_limit())
		return VIRTIO_IOMMU_S_NOMEM;
	return VIRTIO_IOMMU_S_OK;
}

/**
 * vhost_iommu_domain_map() - put a mapping into all hardware domains, or into none
 * @domain: the domain
 * @m: in its tree
 *
 * Return: whether a part of it is memory, always with no hardware domain; or an
 * errno of vhost_iommu_hwdom_map().
 */
int vhost_iommu_domain_map(struct vhost_iommu_domain *domain,
			   const struct vhost_iommu_mapping *m)
{
	struct vhost_iommu_hwdom *hw;
	int ret = 1;

	list_for_each_entry(hw, &domain->hwdoms, owner_list) {
		ret = vhost_iommu_hwdom_map(hw, m, 0, U64_MAX);
		/* All classes have the same stage 2: 0 can only be the first. */
		if (ret <= 0)
			break;
	}
	if (ret >= 0)
		return ret > 0;
	list_for_each_entry_continue_reverse(hw, &domain->hwdoms, owner_list)
		vhost_iommu_hwdom_unmap_now(hw, m, 0, U64_MAX);
	return ret;
}

/**
 * vhost_iommu_domain_unmap() - take a mapping from a domain
 * @domain: the domain
 * @m: in its tree; freed
 *
 * A vhost_iommu_flush() has to follow.
 */
void vhost_iommu_domain_unmap(struct vhost_iommu_domain *domain,
			      struct vhost_iommu_mapping *m)
{
	struct vhost_iommu_hwdom *hw;

	list_for_each_entry(hw, &domain->hwdoms, owner_list)
		vhost_iommu_hwdom_unmap(hw, m, 0, U64_MAX);
	vhost_iommu_mapping_del(&domain->mappings, m);
	domain->vi->nr_mappings--;
}

/**
 * vhost_iommu_domain_cut() - take leaves from a domain
 * @domain: the domain
 * @m: in its tree; freed if nothing is left of it
 * @start: first I/O virtual address, of a leaf of @m
 * @last: last I/O virtual address, of a leaf of @m
 *
 * A vhost_iommu_flush() has to follow.
 */
void vhost_iommu_domain_cut(struct vhost_iommu_domain *domain,
			    struct vhost_iommu_mapping *m, u64 start, u64 last)
{
	struct vhost_iommu_hwdom *hw;

	list_for_each_entry(hw, &domain->hwdoms, owner_list)
		vhost_iommu_hwdom_unmap(hw, m,
					vhost_iommu_mapping_gpa(m, start),
					vhost_iommu_mapping_gpa(m, last));
	domain->vi->nr_mappings -= (last - start + 1) >> m->shift;
	vhost_iommu_mapping_cut(&domain->mappings, m, start, last);
}

static u8 add_mapping(struct vhost_iommu *vi, u32 id, u64 start, u64 last,
		      u64 gpa, u32 flags, bool memory_later)
{
	u32 known = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	struct vhost_iommu_domain *domain;
	struct vhost_iommu_mapping *m;
	u8 status;
	int ret;

	assert_s2_read(vi);

	if (vi->features & BIT_ULL(VIRTIO_IOMMU_F_MMIO))
		known |= VIRTIO_IOMMU_MAP_F_MMIO;
	if (flags & ~known)
		return VIRTIO_IOMMU_S_INVAL;
	status = find_paging(vi, id, &domain);
	if (status)
		return status;
	status = check_map(domain, start, last, gpa);
	if (status)
		return status;

	m = vhost_iommu_mapping_add(&domain->mappings, start, last, gpa, flags);
	if (!m)
		return VIRTIO_IOMMU_S_NOMEM;
	ret = vhost_iommu_domain_map(domain, m);
	if (ret < 0 || (!ret && !memory_later)) {
		vhost_iommu_mapping_del(&domain->mappings, m);
		return ret ? vhost_iommu_status(ret) : VIRTIO_IOMMU_S_FAULT;
	}
	vi->nr_mappings++;
	return VIRTIO_IOMMU_S_OK;
}

/**
 * vhost_iommu_map() - MAP request
 * @vi: the instance
 * @id: domain
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 * @gpa: guest-physical address of @start
 * @flags: VIRTIO_IOMMU_MAP_F_*
 *
 * Where the range has guest-physical addresses without memory, the hardware gets
 * what there is, now and when stage 2 changes.
 *
 * Return: VIRTIO_IOMMU_S_OK; _INVAL for an unknown flag, a bypass domain, a range
 * that is not one, is mapped or is reserved; _NOENT for the domain; _RANGE for what
 * is not aligned or not in the input range; _FAULT if the guest-physical range wraps
 * or, with an assigned endpoint in the domain, has no memory at all; _NOMEM.
 */
u8 vhost_iommu_map(struct vhost_iommu *vi, u32 id, u64 start, u64 last, u64 gpa,
		   u32 flags)
{
	return add_mapping(vi, id, start, last, gpa, flags, false);
}

/**
 * vhost_iommu_map_again() - bring a mapping back from a saved state
 * @vi: the instance
 * @id: domain
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 * @gpa: guest-physical address of @start
 * @flags: VIRTIO_IOMMU_MAP_F_*
 *
 * Return: as vhost_iommu_map(), but that memory may come later.
 */
u8 vhost_iommu_map_again(struct vhost_iommu *vi, u32 id, u64 start, u64 last,
			 u64 gpa, u32 flags)
{
	return add_mapping(vi, id, start, last, gpa, flags, true);
}

/**
 * vhost_iommu_domain_invalidate() - have the VMM forget translations of a domain
 * @domain: the domain
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 *
 * Assigned endpoints have their IOTLB flushed, the VMM is to flush the others'.
 */
void vhost_iommu_domain_invalidate(struct vhost_iommu_domain *domain, u64 start,
				   u64 last)
{
	struct vhost_iommu_ep *ep;

	list_for_each_entry(ep, &domain->endpoints, domain_list)
		vhost_iommu_invalidate(ep, start, last);
}

/**
 * vhost_iommu_unmap() - UNMAP request
 * @vi: the instance
 * @id: domain
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 *
 * The caller has to call vhost_iommu_flush(), and wait for the VMM to acknowledge the
 * invalidations, before the guest learns of it.
 *
 * Return: VIRTIO_IOMMU_S_OK, also if nothing is mapped; _NOENT for the domain;
 * _INVAL for a bypass domain or a range that is not one; _RANGE if a mapping would
 * be split.
 */
u8 vhost_iommu_unmap(struct vhost_iommu *vi, u32 id, u64 start, u64 last)
{
	struct vhost_iommu_mapping *m, *next;
	struct vhost_iommu_domain *domain;
	u64 first, end;
	u8 status;

	assert_s2_read(vi);

	status = find_paging(vi, id, &domain);
	if (status)
		return status;
	if (last < start)
		return VIRTIO_IOMMU_S_INVAL;
	m = vhost_iommu_mapping_find(&domain->mappings, start, last);
	if (!m)
		return VIRTIO_IOMMU_S_OK;
	if (vhost_iommu_mapping_splits(&domain->mappings, m, start, last))
		return VIRTIO_IOMMU_S_RANGE;

	first = m->node.start;
	for (; m; m = next) {
		next = vhost_iommu_mapping_next(m, start, last);
		end = m->node.last;
		vhost_iommu_domain_unmap(domain, m);
		cond_resched();
	}
	vhost_iommu_domain_invalidate(domain, first, end);
	return VIRTIO_IOMMU_S_OK;
}
