// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains of a PASID table, see "PASID tables" in
 * Documentation/virtio/page-tables.rst.
 *
 * No endpoint has PASIDs: the hardware is given IOMMU domains, not tables. So a table
 * has one entry, for requests without a PASID, and a domain of a PASID table is one
 * of the page table that this entry had when it was read last (shadow.c), except
 * that it can get another one. All endpoints get that, or none: what they shall have
 * is made beside what they have.
 */
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/virtio_iommu_tables.h>

#include "domain.h"
#include "endpoint.h"
#include "memtable.h"
#include "nest.h"
#include "pasid.h"
#include "shadow.h"
#include "stage2.h"
#include "vhost_iommu.h"

/**
 * vhost_iommu_pasid_entry_root() - the page table that an entry leads to
 * @entry: the entry, in host byte order
 *
 * Return: guest-physical address of the topmost table, or VHOST_IOMMU_NO_TABLE if the
 * entry is not valid.
 */
u64 vhost_iommu_pasid_entry_root(u64 entry)
{
	if (!(entry & VIRTIO_IOMMU_PASIDTF_VALID) ||
	    (entry & ~(VIRTIO_IOMMU_PASIDTF_VALID |
		       VIRTIO_IOMMU_PASIDTF_ADDR_MASK)))
		return VHOST_IOMMU_NO_TABLE;
	return entry & VIRTIO_IOMMU_PASIDTF_ADDR_MASK;
}

/**
 * vhost_iommu_pasid_root() - the page table for requests without a PASID
 * @vi: the instance
 * @pasids: guest-physical address of the PASID table
 *
 * Return: guest-physical address of the topmost table, or VHOST_IOMMU_NO_TABLE if the
 * entry is not valid.
 */
u64 vhost_iommu_pasid_root(struct vhost_iommu *vi, u64 pasids)
{
	__le64 entry;

	if (vhost_iommu_mem_read(vi->mem, pasids, &entry, sizeof(entry)))
		return VHOST_IOMMU_NO_TABLE;
	return vhost_iommu_pasid_entry_root(le64_to_cpu(entry));
}

/* One user less of what is in @side for each of @endpoints, up to @end. */
static void put_hwdoms(struct vhost_iommu_domain *side,
		       struct list_head *endpoints,
		       const struct vhost_iommu_ep *end)
{
	struct vhost_iommu_hwdom *hw;
	struct vhost_iommu_ep *ep;

	list_for_each_entry(ep, endpoints, domain_list) {
		if (ep == end)
			break;
		if (!ep->group)
			continue;
		hw = vhost_iommu_hwdom_find(side, ep->group->class);
		vhost_iommu_domain_put_hwdom(hw);
	}
}

/* Have in a domain what its endpoints need. */
static int get_hwdoms(struct vhost_iommu_domain *side)
{
	struct vhost_iommu_hwdom *hw;
	struct vhost_iommu_ep *ep;

	list_for_each_entry(ep, &side->endpoints, domain_list) {
		if (!ep->group)
			continue;
		hw = vhost_iommu_domain_get_hwdom(side, ep);
		if (IS_ERR(hw)) {
			put_hwdoms(side, &side->endpoints, ep);
			return PTR_ERR(hw);
		}
	}
	return 0;
}

static void set_owner(struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_hwdom *hw;

	list_for_each_entry(hw, &domain->hwdoms, owner_list)
		hw->owner = domain;
	list_for_each_entry(hw, &domain->nests, owner_list)
		hw->owner = domain;
}

static void swap_lists(struct list_head *a, struct list_head *b)
{
	LIST_HEAD(list);

	list_splice_init(a, &list);
	list_splice_init(b, a);
	list_splice_init(&list, b);
}

/* Exchange the page tables of two domains, with all that follows from them. */
static void swap_tables(struct vhost_iommu_domain *a, struct vhost_iommu_domain *b)
{
	swap(a->root, b->root);
	swap(a->pasids, b->pasids);
	swap(a->mappings, b->mappings);
	swap_lists(&a->hwdoms, &b->hwdoms);
	swap_lists(&a->nests, &b->nests);
	set_owner(a);
	set_owner(b);
}

/* Have all groups be where their endpoints are; stops at the first that cannot. */
static int update_groups(struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_ep *ep;
	int ret = 0;

	list_for_each_entry(ep, &domain->endpoints, domain_list)
		if (ep->group)
			ep->hwdom = vhost_iommu_hwdom_find(domain,
							   ep->group->class);
	list_for_each_entry(ep, &domain->endpoints, domain_list) {
		if (ep->group)
			ret = vhost_iommu_group_update(ep->group);
		if (ret)
			break;
	}
	return ret;
}

/*
 * Give a domain another PASID table, or another page table. An error is one of
 * vhost_iommu_domain_get_hwdom(), or of the IOMMU driver.
 */
static int replace(struct vhost_iommu_domain *domain, u64 pasids, u64 root)
{
	struct vhost_iommu_domain side = {
		.vi = domain->vi, .id = domain->id, .arm = domain->arm,
		.root = root, .pasids = pasids, .mappings = RB_ROOT_CACHED,
		.endpoints = LIST_HEAD_INIT(side.endpoints),
		.hwdoms = LIST_HEAD_INIT(side.hwdoms),
		.nests = LIST_HEAD_INIT(side.nests),
	};
	int ret;

	lockdep_assert_held(&domain->vi->lock);
	if (domain->vi->s2)
		lockdep_assert_held_write(&domain->vi->s2->lock);

	/* Leaves that would be in their reserved regions are none there either. */
	list_splice_init(&domain->endpoints, &side.endpoints);
	ret = get_hwdoms(&side);
	list_splice_init(&side.endpoints, &domain->endpoints);
	if (ret)
		return ret;

	swap_tables(domain, &side);
	ret = update_groups(domain);
	if (ret) {
		swap_tables(domain, &side);
		update_groups(domain);
	}
	put_hwdoms(&side, &domain->endpoints, NULL);
	vhost_iommu_shadow_end(&side);
	vhost_iommu_domain_invalidate(domain, 0, U64_MAX);
	return ret;
}

/**
 * vhost_iommu_pasids_reread() - entries of a PASID table have changed
 * @domain: a domain of a PASID table
 *
 * What they have from now on is looked at as a whole. The caller has to call
 * vhost_iommu_flush() before the guest learns of it.
 *
 * Return: 0; -ENOMEM; -ENOSPC if the limits do not allow it; -EINTR; or an error of
 * the IOMMU driver. All endpoints have what they had then, except that a group is
 * blocked if it cannot even be put back. To have nothing from now on does not fail.
 */
int vhost_iommu_pasids_reread(struct vhost_iommu_domain *domain)
{
	u64 old = domain->root, root;
	int ret;

	/* The hardware reads it itself. */
	if (domain->arm)
		return 0;
	root = vhost_iommu_pasid_root(domain->vi, domain->pasids);
	if (root != old && root != VHOST_IOMMU_NO_TABLE &&
	    (old != VHOST_IOMMU_NO_TABLE || !list_empty(&domain->nests)))
		return replace(domain, domain->pasids, root);

	if (root == VHOST_IOMMU_NO_TABLE)
		vhost_iommu_nest_clear(domain);
	domain->root = root;
	ret = vhost_iommu_shadow_sync(domain, 0, U64_MAX);
	if (ret)
		domain->root = old;
	return ret;
}

/**
 * vhost_iommu_pasids_attach() - put an endpoint into a domain of a PASID table
 * @vi: the instance
 * @id: domain, created if it does not exist
 * @endpoint: number of the endpoint
 * @kind: of the domain: the PASID table takes the place of another one, if the
 *	endpoint is in the domain
 *
 * Return: as vhost_iommu_domain_attach().
 */
u8 vhost_iommu_pasids_attach(struct vhost_iommu *vi, u32 id, u32 endpoint,
			     const struct vhost_iommu_kind *kind)
{
	struct vhost_iommu_domain *domain = xa_load(&vi->domains, id);
	struct vhost_iommu_ep *ep = xa_load(&vi->endpoints, endpoint);

	lockdep_assert_held(&vi->lock);

	if (!domain || !vhost_iommu_domain_has_pasids(domain) ||
	    domain->arm != kind->arm)
		return vhost_iommu_domain_attach(vi, id, endpoint, kind);
	if (ep && ep->domain == domain && domain->pasids != kind->pasids)
		return vhost_iommu_status(replace(domain, kind->pasids,
						  kind->root));
	/* Emulated endpoints have had the entry as it is now. */
	if (domain->pasids == kind->pasids && list_empty(&domain->hwdoms) &&
	    list_empty(&domain->nests))
		domain->root = kind->root;
	return vhost_iommu_domain_attach(vi, id, endpoint, kind);
}
