// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU groups in a container, the classes that they form, and what each group is
 * attached to. A group is attached to the hardware domain of its endpoints, to
 * stage 2 (bypass), or to nothing: then the IOMMU core keeps it in a blocking
 * domain, as VFIO owns its DMA.
 *
 * Everything here needs s2.lock for writing.
 */
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "backend.h"
#include "domain.h"
#include "endpoint.h"
#include "nest.h"
#include "stage2.h"
#include "vhost_iommu.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Assign devices on platforms without isolated MSI: a guest can then raise any interrupt of the host");

/* Callback of iommu_group_for_each_dev(); the first device answers for all. */
static int alloc_domain_for_dev(struct device *dev, void *data)
{
	struct iommu_domain **domain = data;

	*domain = iommu_paging_domain_alloc(dev);
	return 1;
}

/**
 * vhost_iommu_group_alloc_domain() - allocate a domain that a group can attach to
 * @group: the group
 *
 * Return: an empty domain, or an ERR_PTR.
 */
struct iommu_domain *
vhost_iommu_group_alloc_domain(struct vhost_iommu_group *group)
{
	struct iommu_domain *domain = ERR_PTR(-ENODEV);
	int ret;

	iommu_group_for_each_dev(group->iommu_group, &domain,
				 alloc_domain_for_dev);
	if (IS_ERR(domain))
		return domain;
	if (!group->has_msi_base) {
		vhost_iommu_handle_hw_faults(domain);
		return domain;
	}

	/* A domain has room for a software MSI window or a fault handler. */
	ret = iommu_get_msi_cookie(domain, group->msi_base);
	if (ret) {
		iommu_domain_free(domain);
		return ERR_PTR(ret);
	}
	return domain;
}

/**
 * vhost_iommu_enforce_coherency() - have a domain ignore no-snoop
 * @domain: an empty domain
 *
 * Return: whether the hardware does.
 */
bool vhost_iommu_enforce_coherency(struct iommu_domain *domain)
{
	return domain->ops->enforce_cache_coherency &&
	       domain->ops->enforce_cache_coherency(domain);
}

/**
 * vhost_iommu_group_find_msi() - where the group's interrupts go, by its regions
 * @group: the group; its @msi_base and @has_msi_base are set
 */
void vhost_iommu_group_find_msi(struct vhost_iommu_group *group)
{
	struct iommu_resv_region *r;

	list_for_each_entry(r, &group->resv, list) {
		/* A hardware window wins over a software one, as in VFIO. */
		if (r->type == IOMMU_RESV_MSI) {
			group->has_msi_base = false;
			return;
		}
		if (r->type == IOMMU_RESV_SW_MSI) {
			group->has_msi_base = true;
			group->msi_base = r->start;
		}
	}
}

/*
 * A software window is the host's: the guest can have nothing there. In a table that the
 * hardware walks it has to have the window itself, for interrupts to get through.
 */
static u32 resv_type(const struct vhost_iommu_group *group,
		     const struct iommu_resv_region *r)
{
	const struct vhost_iommu_nest *nest = group->class->nest;
	bool msi = r->type == IOMMU_RESV_MSI ||
		   (r->type == IOMMU_RESV_SW_MSI && nest && nest->format->arm);

	return msi ? VIRTIO_IOMMU_RESV_MEM_T_MSI :
		     VIRTIO_IOMMU_RESV_MEM_T_RESERVED;
}

/**
 * vhost_iommu_group_add_regions() - add the reserved regions of one type
 * @group: the group
 * @type: VIRTIO_IOMMU_RESV_MEM_T_*
 * @regions: what a guest is told
 *
 * Return: 0 or -ENOMEM.
 */
int vhost_iommu_group_add_regions(const struct vhost_iommu_group *group, u32 type,
				  struct vhost_iommu_regions *regions)
{
	struct iommu_resv_region *r;
	int ret;

	list_for_each_entry(r, &group->resv, list) {
		if (resv_type(group, r) != type || !r->length ||
		    r->type == IOMMU_RESV_DIRECT_RELAXABLE)
			continue;
		ret = vhost_iommu_regions_add(regions, r->start,
					      r->start + r->length - 1, type);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * vhost_iommu_group_add_aperture() - reserve what the hardware cannot translate
 * @group: the group
 * @config: what the guest believes can be translated
 * @regions: what a guest is told
 *
 * Return: 0 or -ENOMEM.
 */
int vhost_iommu_group_add_aperture(const struct vhost_iommu_group *group,
				   const struct vhost_iommu_config *config,
				   struct vhost_iommu_regions *regions)
{
	const struct vhost_iommu_class *class = group->class;
	u64 start, last;
	int ret = 0;

	class->s2->backend->aperture(class, &start, &last);
	if (start > config->input_start)
		ret = vhost_iommu_regions_add(regions, config->input_start,
					      min(start - 1, config->input_end),
					      VIRTIO_IOMMU_RESV_MEM_T_RESERVED);
	if (!ret && last < config->input_end)
		ret = vhost_iommu_regions_add(regions,
					      max(last + 1, config->input_start),
					      config->input_end,
					      VIRTIO_IOMMU_RESV_MEM_T_RESERVED);
	return ret;
}

/**
 * vhost_iommu_group_free() - free a group and its reserved regions
 * @group: the group, in no list
 */
void vhost_iommu_group_free(struct vhost_iommu_group *group)
{
	struct iommu_resv_region *r, *next;

	list_for_each_entry_safe(r, next, &group->resv, list)
		kfree(r);
	kfree(group);
}

static struct vhost_iommu_class *
make_class(struct vhost_iommu_s2 *s2, struct iommu_domain *domain,
	   bool coherent)
{
	struct vhost_iommu_class *class;
	int ret;

	class = kzalloc(sizeof(*class), GFP_KERNEL_ACCOUNT);
	if (!class)
		return ERR_PTR(-ENOMEM);
	class->s2 = s2;
	class->domain = domain;
	class->coherent = coherent;
	INIT_LIST_HEAD(&class->groups);
	INIT_LIST_HEAD(&class->hwdoms);

	ret = vhost_iommu_s2_replay(s2, class);
	if (ret) {
		kfree(class);
		return ERR_PTR(ret);
	}
	list_add_tail(&class->list, &s2->classes);
	return class;
}

static void free_class(struct vhost_iommu_s2 *s2,
		       struct vhost_iommu_class *class)
{
	/* The first class is the record of what is pinned. */
	if (list_is_singular(&s2->classes))
		vhost_iommu_s2_unmap_all(s2);
	list_del(&class->list);
	iommu_domain_free(class->domain);
	kfree(class);
}

/**
 * vhost_iommu_class_fits() - can a group be in a class?
 * @class: the class
 * @domain: what would be the group's own domain
 * @coherent: it enforces cache coherency
 *
 * Return: whether it is worth trying; the IOMMU driver may refuse.
 */
bool vhost_iommu_class_fits(const struct vhost_iommu_class *class,
			    const struct iommu_domain *domain, bool coherent)
{
	return class->domain->ops == domain->ops && class->coherent == coherent;
}

/**
 * vhost_iommu_class_maps() - has the hardware pages as small as a guest's?
 * @class: the class
 * @granule: the smallest page of the guest's virtual IOMMU
 */
bool vhost_iommu_class_maps(const struct vhost_iommu_class *class, u64 granule)
{
	return granule >= 1UL << __ffs(class->domain->pgsize_bitmap);
}

/*
 * Find the class of a group that is attached to @domain, a new one. If there is
 * such a class the group moves to its domain. On failure the group is attached to
 * @domain or blocked.
 */
static struct vhost_iommu_class *
find_class(struct vhost_iommu_s2 *s2, struct iommu_group *iommu_group,
	   struct iommu_domain *domain, bool coherent)
{
	struct vhost_iommu_class *class;

	list_for_each_entry(class, &s2->classes, list) {
		if (!vhost_iommu_class_fits(class, domain, coherent))
			continue;
		iommu_detach_group(domain, iommu_group);
		if (!iommu_attach_group(class->domain, iommu_group))
			return class;
		if (iommu_attach_group(domain, iommu_group))
			return ERR_PTR(-EIO);
	}
	return NULL;
}

/* Attach a new group to stage 2. Sets @group->class and @group->attached. */
static int join_class(struct vhost_iommu_s2 *s2, struct vhost_iommu_group *group)
{
	struct vhost_iommu_class *class;
	struct iommu_domain *domain;
	bool coherent;
	int ret;

	domain = vhost_iommu_group_alloc_domain(group);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	ret = iommu_attach_group(domain, group->iommu_group);
	if (ret)
		goto err_free_domain;

	coherent = vhost_iommu_enforce_coherency(domain);
	class = find_class(s2, group->iommu_group, domain, coherent);
	if (!class) {
		class = make_class(s2, domain, coherent);
		domain = IS_ERR(class) ? domain : NULL;
	}
	if (IS_ERR(class)) {
		ret = PTR_ERR(class);
		goto err_detach_group;
	}
	if (domain)
		iommu_domain_free(domain);

	group->class = class;
	group->attached = class->domain;
	list_add_tail(&group->list, &class->groups);
	return 0;

err_detach_group:
	iommu_detach_group(domain, group->iommu_group);
err_free_domain:
	iommu_domain_free(domain);
	return ret;
}

/* Is guest memory mapped where the group can have none? */
static bool resv_conflict(struct vhost_iommu_s2 *s2,
			  struct vhost_iommu_group *group)
{
	struct iommu_resv_region *r;

	list_for_each_entry(r, &group->resv, list)
		if (r->type != IOMMU_RESV_DIRECT_RELAXABLE && r->length &&
		    vhost_iommu_s2_first(s2, r->start,
					 r->start + r->length - 1))
			return true;
	return false;
}

/**
 * vhost_iommu_group_find() - find a group of a container
 * @s2: stage 2
 * @iommu_group: what to look for
 *
 * Return: the group or NULL.
 */
struct vhost_iommu_group *
vhost_iommu_group_find(struct vhost_iommu_s2 *s2,
		       const struct iommu_group *iommu_group)
{
	struct vhost_iommu_class *class;
	struct vhost_iommu_group *group;

	lockdep_assert_held(&s2->lock);

	list_for_each_entry(class, &s2->classes, list)
		list_for_each_entry(group, &class->groups, list)
			if (group->iommu_group == iommu_group)
				return group;
	return NULL;
}

/**
 * vhost_iommu_group_add() - take a group into the container
 * @s2: stage 2
 * @iommu_group: the group; VFIO owns its DMA
 *
 * It is attached to stage 2, as a device that is not behind the virtual IOMMU is.
 *
 * Return: 0; -EPERM without isolated MSI; -EINVAL if the group is there already or
 * guest memory is in its reserved regions; or an error of the IOMMU driver.
 */
int vhost_iommu_group_add(struct vhost_iommu_s2 *s2,
			  struct iommu_group *iommu_group)
{
	struct vhost_iommu_group *group;
	int ret;

	lockdep_assert_held_write(&s2->lock);

	if (vhost_iommu_group_find(s2, iommu_group))
		return -EINVAL;
	if (!allow_unsafe_interrupts &&
	    !iommu_group_has_isolated_msi(iommu_group)) {
		pr_warn_ratelimited("vhost_iommu: group %d has no isolated MSI; enable interrupt remapping, or load with allow_unsafe_interrupts=1\n",
				    iommu_group_id(iommu_group));
		return -EPERM;
	}

	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return -ENOMEM;
	group->iommu_group = iommu_group;
	INIT_LIST_HEAD(&group->endpoints);
	INIT_LIST_HEAD(&group->resv);

	ret = iommu_get_group_resv_regions(iommu_group, &group->resv);
	if (ret)
		goto err_free_group;
	vhost_iommu_group_find_msi(group);
	if (resv_conflict(s2, group)) {
		ret = -EINVAL;
		goto err_free_group;
	}
	ret = join_class(s2, group);
	if (ret)
		goto err_free_group;
	return 0;

err_free_group:
	vhost_iommu_group_free(group);
	return ret;
}

/**
 * vhost_iommu_group_remove() - take a group out of the container
 * @s2: stage 2
 * @iommu_group: the group
 *
 * Its endpoints stay, without a device. With the last group of a class the domains
 * of the class go, with the last class what is pinned.
 */
void vhost_iommu_group_remove(struct vhost_iommu_s2 *s2,
			      struct iommu_group *iommu_group)
{
	struct vhost_iommu_class *class;
	struct vhost_iommu_device *dev;
	struct vhost_iommu_ep *ep, *next;
	struct vhost_iommu_group *group;

	lockdep_assert_held_write(&s2->lock);

	group = vhost_iommu_group_find(s2, iommu_group);
	if (!group)
		return;
	class = group->class;

	if (group->attached)
		iommu_detach_group(group->attached, group->iommu_group);
	list_for_each_entry_safe(ep, next, &group->endpoints, group_list) {
		list_del_init(&ep->group_list);
		ep->group = NULL;
		if (ep->hwdom)
			vhost_iommu_hwdom_put(ep->hwdom);
		ep->hwdom = NULL;
	}
	list_for_each_entry(dev, &s2->devices, list)
		if (dev->group == group)
			dev->group = NULL;

	list_del(&group->list);
	vhost_iommu_group_free(group);
	if (list_empty(&class->groups))
		free_class(s2, class);
}

/*
 * Where a group belongs: nowhere, also while it is moved (domain.c); or to a hardware
 * domain, or stage 2 if that is NULL.
 */
static bool group_reaches(struct vhost_iommu_group *group,
			  const struct vhost_iommu_hwdom **hw)
{
	struct vhost_iommu_ep *ep, *first = NULL;

	*hw = NULL;
	list_for_each_entry(ep, &group->endpoints, group_list) {
		if (!ep->domain)
			continue;
		if (first && ep->domain != first->domain)
			return false;
		first = ep;
	}
	if (first) {
		*hw = first->hwdom;
		return true;
	}
	return group->owner && group->owner->config.bypass;
}

/**
 * vhost_iommu_group_update() - attach a group to where its endpoints are
 * @group: the group
 *
 * Called when the domain of an endpoint or the configuration has changed, under the
 * lock of the instance too.
 *
 * Return: 0, or an error of the IOMMU driver: the group is where it was then, or
 * blocked if even that fails.
 */
int vhost_iommu_group_update(struct vhost_iommu_group *group)
{
	const struct vhost_iommu_backend *backend = group->class->s2->backend;
	const struct vhost_iommu_hwdom *hw;

	lockdep_assert_held_write(&group->class->s2->lock);

	if (group_reaches(group, &hw))
		return backend->attach(group, hw);
	backend->block(group);
	return 0;
}

/**
 * vhost_iommu_group_block() - leave a group nothing to reach
 * @group: the group
 */
void vhost_iommu_group_block(struct vhost_iommu_group *group)
{
	lockdep_assert_held_write(&group->class->s2->lock);

	group->class->s2->backend->block(group);
}
