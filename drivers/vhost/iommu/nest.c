// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains whose tables the physical IOMMU walks itself: a map of the guest costs the
 * host nothing then, an unmap an invalidation. It takes iommufd, and a page table of the
 * VMM's that was made for that, the parent.
 *
 * Whatever the tables say, every address in them goes through stage 2. So nothing in
 * them has to be checked, and nothing of them is kept here: such a hardware domain has
 * no part in what is mapped, and stage 2 can change without regard to it. It is in
 * vhost_iommu_domain.nests, where what composes mappings with stage 2 does not look.
 *
 * Which classes can is found out when they are made, by having iommufd allocate a
 * table, so that PROBE says what ATTACH_TABLE does afterwards.
 *
 * Invalidations wait for vhost_iommu_flush(), as those of UNMAP do, and are passed down
 * together. If iommufd refuses them, which takes a VMM that plays with what is ours,
 * the groups are left with nothing: what the guest wants to be gone is gone.
 */
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "iommufd.h"
#include "nest.h"
#include "stage2.h"
#include "vhost_iommu.h"

static const struct vhost_iommu_nest_format *const formats[] = {
	&vhost_iommu_nest_vtd,
#ifdef COMPAT_IOMMUFD_VIOMMU
	&vhost_iommu_nest_arm,
#endif
};

/* Room for what any of them tells of itself. */
struct hw_info {
	struct iommu_hw_info	head;
	u8			data[64] __aligned(8);
};

/* IOMMU_HWPT_ALLOC with what describes the table. */
struct table_alloc {
	struct iommu_hwpt_alloc	head;
	u8			data[VHOST_IOMMU_NEST_DATA_MAX] __aligned(8);
};

static const struct vhost_iommu_nest_format *
find_format(struct vhost_iommu_s2 *s2, u32 dev_id, struct hw_info *info)
{
	unsigned int i;
	int ret;

	*info = (struct hw_info) {
		.head.size = sizeof(info->head),
		.head.dev_id = dev_id,
		.head.data_len = sizeof(info->data),
		.head.data_uptr = vhost_iommu_iommufd_arg(s2) +
				  offsetof(struct hw_info, data),
	};
	ret = vhost_iommu_iommufd_ioctl(s2, IOMMU_GET_HW_INFO, info,
					sizeof(*info));
	if (ret)
		return ERR_PTR(ret);
	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (info->head.out_data_type == formats[i]->hw_type &&
		    info->head.data_len >= formats[i]->hw_info_size)
			return formats[i];
	return ERR_PTR(-EOPNOTSUPP);
}

static int alloc_table(struct vhost_iommu_nest *nest,
		       const struct vhost_iommu_domain *domain, u32 dev_id,
		       u32 *pt)
{
	struct table_alloc arg = {
		.head.size = sizeof(arg.head),
		.head.dev_id = dev_id,
		.head.pt_id = nest->viommu ?: nest->parent,
		.head.data_uptr = vhost_iommu_iommufd_arg(nest->s2) +
				  offsetof(struct table_alloc, data),
	};
	int ret;

	arg.head.data_len = nest->format->table(nest, domain,
						&arg.head.data_type, arg.data);
	ret = vhost_iommu_iommufd_ioctl(nest->s2, IOMMU_HWPT_ALLOC, &arg,
					sizeof(arg));
	*pt = arg.head.out_hwpt_id;
	return ret;
}

/* Does it work? A table that nobody uses is not looked at. */
static int try_table(struct vhost_iommu_nest *nest, u32 dev_id)
{
	const struct vhost_iommu_domain none = { .arm = nest->format->arm };
	u32 pt;
	int ret;

	ret = alloc_table(nest, &none, dev_id, &pt);
	if (!ret)
		vhost_iommu_iommufd_destroy(nest->s2, pt);
	return ret;
}

/**
 * vhost_iommu_nest_create() - find out whether tables of guests can be walked
 * @vi: the instance, locked, and its stage 2 for writing
 * @dev: a device
 * @parent: number of the parent
 *
 * Context: an ioctl of the VMM's.
 *
 * Return: what a class of such devices has in common; -EOPNOTSUPP or another errno
 * as an ERR_PTR.
 */
struct vhost_iommu_nest *
vhost_iommu_nest_create(struct vhost_iommu *vi,
			const struct vhost_iommu_device *dev, u32 parent)
{
	const struct vhost_iommu_nest_format *format;
	struct vhost_iommu_nest *nest;
	struct hw_info info;
	int ret;

	lockdep_assert_held_write(&vi->s2->lock);

	format = find_format(vi->s2, dev->id, &info);
	if (IS_ERR(format))
		return ERR_CAST(format);
	ret = vhost_iommu_iommufd_may(vi->s2, IOMMU_HWPT_INVALIDATE);
	if (ret)
		return ERR_PTR(ret);
	nest = kzalloc(sizeof(*nest), GFP_KERNEL_ACCOUNT);
	if (!nest)
		return ERR_PTR(-ENOMEM);
	nest->vi = vi;
	nest->s2 = vi->s2;
	nest->format = format;
	nest->iommu = dev->vdev->dev->iommu->iommu_dev;
	nest->parent = parent;
	ret = format->init(nest, info.data, dev->id);
	if (ret)
		goto err_free;
	ret = try_table(nest, dev->id);
	if (ret)
		goto err_exit;
	return nest;

err_exit:
	if (format->exit)
		format->exit(nest);
err_free:
	kfree(nest);
	return ERR_PTR(ret);
}

/**
 * vhost_iommu_nest_destroy() - after the last device has left
 * @nest: as created, or NULL
 */
void vhost_iommu_nest_destroy(struct vhost_iommu_nest *nest)
{
	if (!nest)
		return;
	if (nest->format->exit)
		nest->format->exit(nest);
	kfree(nest);
}

/**
 * vhost_iommu_nest_fits() - is a device behind the same IOMMU?
 * @nest: of a class
 * @dev: the device
 */
bool vhost_iommu_nest_fits(const struct vhost_iommu_nest *nest,
			   const struct vhost_iommu_device *dev)
{
	return nest->iommu == dev->vdev->dev->iommu->iommu_dev;
}

/**
 * vhost_iommu_nest_join() - a further device
 * @nest: of a class that it fits
 * @dev: the device
 * @id: number of its endpoint
 *
 * Return: 0; or an errno: nothing has changed.
 */
int vhost_iommu_nest_join(struct vhost_iommu_nest *nest,
			  struct vhost_iommu_device *dev, u32 id)
{
	return nest->format->join ? nest->format->join(nest, dev, id) : 0;
}

/**
 * vhost_iommu_nest_leave() - undo that; the device is detached
 * @nest: of its class, or NULL
 * @dev: the device
 */
void vhost_iommu_nest_leave(struct vhost_iommu_nest *nest,
			    struct vhost_iommu_device *dev)
{
	if (nest && nest->format->leave)
		nest->format->leave(nest, dev);
}

/**
 * vhost_iommu_nests() - does the hardware of a class walk the tables of a domain?
 * @domain: the domain
 * @class: the class
 */
bool vhost_iommu_nests(const struct vhost_iommu_domain *domain,
		       const struct vhost_iommu_class *class)
{
	return class->nest && vhost_iommu_domain_has_table(domain) &&
	       domain->arm == class->nest->format->arm;
}

/* Without a table there is nothing to walk, and nothing to be attached to. */
static bool has_root(const struct vhost_iommu_domain *domain)
{
	return domain->arm || domain->root != VHOST_IOMMU_NO_TABLE;
}

/**
 * vhost_iommu_nest_alloc() - give a hardware domain the guest's table
 * @hw: a hardware domain of a class that nests the owner's tables
 * @dev_id: number of a device of the class
 *
 * Return: 0, -ENOMEM or an error of iommufd.
 */
int vhost_iommu_nest_alloc(struct vhost_iommu_hwdom *hw, u32 dev_id)
{
	struct vhost_iommu_nest *nest = hw->class->nest;
	int ret;

	hw->pt = 0;
	hw->batch = kzalloc(sizeof(*hw->batch), GFP_KERNEL_ACCOUNT);
	if (!hw->batch)
		return -ENOMEM;
	if (!has_root(hw->owner))
		return 0;
	ret = alloc_table(nest, hw->owner, dev_id, &hw->pt);
	if (ret)
		kfree(hw->batch);
	return ret;
}

/**
 * vhost_iommu_nest_free() - undo that; no group is attached
 * @hw: the hardware domain
 */
void vhost_iommu_nest_free(struct vhost_iommu_hwdom *hw)
{
	if (hw->pt)
		vhost_iommu_iommufd_destroy(hw->class->s2, hw->pt);
	kfree(hw->batch);
}

/**
 * vhost_iommu_nest_clear() - the table of a domain is not there any more
 * @domain: a domain of a PASID table
 *
 * Its endpoints reach nothing until they are attached to something.
 */
void vhost_iommu_nest_clear(struct vhost_iommu_domain *domain)
{
	struct vhost_iommu_hwdom *hw;

	lockdep_assert_held(&domain->vi->lock);

	list_for_each_entry(hw, &domain->nests, owner_list) {
		vhost_iommu_iommufd_block(hw);
		if (hw->pt)
			vhost_iommu_iommufd_destroy(hw->class->s2, hw->pt);
		hw->pt = 0;
		hw->batch->head.entry_num = 0;
	}
}

/**
 * vhost_iommu_nest_flush() - pass down the invalidations that wait
 * @hw: the hardware domain
 */
void vhost_iommu_nest_flush(struct vhost_iommu_hwdom *hw)
{
	struct vhost_iommu_nest_batch *batch = hw->batch;
	struct iommu_hwpt_invalidate *head = &batch->head;

	lockdep_assert_held(&hw->owner->vi->lock);

	if (!head->entry_num)
		return;
	head->size = sizeof(*head);
	head->data_uptr = vhost_iommu_iommufd_arg(hw->class->s2) + sizeof(*head);
	if (vhost_iommu_iommufd_command(hw->class->s2, IOMMU_HWPT_INVALIDATE, batch,
					sizeof(*head) +
					head->entry_num * head->entry_len))
		vhost_iommu_iommufd_block(hw);
	head->entry_num = 0;
}

/**
 * vhost_iommu_nest_next() - the next entry of a batch
 * @hw: the hardware domain
 *
 * Return: the entry, zeroed.
 */
void *vhost_iommu_nest_next(struct vhost_iommu_hwdom *hw)
{
	struct vhost_iommu_nest_batch *batch = hw->batch;
	void *entry;

	if (batch->head.entry_num == VHOST_IOMMU_NEST_BATCH)
		vhost_iommu_nest_flush(hw);
	entry = (void *)batch->vtd +
		batch->head.entry_num++ * batch->head.entry_len;
	memset(entry, 0, batch->head.entry_len);
	return entry;
}

/**
 * vhost_iommu_nest_invalidate() - the guest has changed its tables
 * @domain: the domain, of any kind
 * @change: what has changed
 *
 * A vhost_iommu_flush() has to follow.
 */
void vhost_iommu_nest_invalidate(struct vhost_iommu_domain *domain,
				 const struct vhost_iommu_change *change)
{
	struct vhost_iommu_hwdom *hw;

	lockdep_assert_held(&domain->vi->lock);

	list_for_each_entry(hw, &domain->nests, owner_list) {
		if (!hw->pt)
			continue;
		if (list_empty(&hw->dirty_list))
			list_add(&hw->dirty_list, &domain->vi->dirty);
		hw->class->nest->format->invalidate(hw, change);
	}
}
