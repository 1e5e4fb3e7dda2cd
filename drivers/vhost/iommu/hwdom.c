// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware domains: the mappings of a guest's domain composed with stage 2, in the
 * page tables of the physical IOMMU.
 *
 * What is in the hardware follows from the two: a page of a mapping is there if
 * stage 2 has its guest-physical address, with the permissions that both allow. A
 * run never crosses a range of stage 2, so it can be taken away and brought back
 * with the range. Nor is a page of the hardware's table larger than a leaf of the
 * guest's: any leaf can go while its neighbours are in use.
 *
 * UNMAP requests leave their IOTLB entries to vhost_iommu_flush(), once for all
 * requests of a batch. It has to come before the lock of stage 2 is dropped, and
 * before any of the requests is marked used.
 */
#include <linux/iommu.h>
#include <linux/slab.h>

#include "backend.h"
#include "dirty.h"
#include "domain.h"
#include "nest.h"
#include "stage2.h"
#include "vhost_iommu.h"

static const struct vhost_iommu_backend *
backend(const struct vhost_iommu_hwdom *hw)
{
	return hw->class->s2->backend;
}

static int hw_prot(const struct vhost_iommu_mapping *m,
		   const struct vhost_iommu_s2_range *range)
{
	int prot = 0;

	if (m->flags & VIRTIO_IOMMU_MAP_F_READ)
		prot |= range->prot & IOMMU_READ;
	if (m->flags & VIRTIO_IOMMU_MAP_F_WRITE)
		prot |= range->prot & IOMMU_WRITE;
	if (!prot)
		return 0;
	if (m->flags & VIRTIO_IOMMU_MAP_F_MMIO)
		prot |= IOMMU_MMIO;
	return prot | IOMMU_CACHE;
}

/* The part of a mapping that a range of stage 2 and [gpa_start, gpa_last] have. */
static bool clip(const struct vhost_iommu_mapping *m,
		 const struct vhost_iommu_s2_range *range, u64 *gpa_start,
		 u64 *gpa_last)
{
	*gpa_start = max3(m->gpa, (u64)range->node.start, *gpa_start);
	*gpa_last = min3(vhost_iommu_mapping_gpa_last(m),
			 (u64)range->node.last, *gpa_last);
	return *gpa_start <= *gpa_last && hw_prot(m, range);
}

/* A flush has to follow. */
static void unmap_pieces(struct vhost_iommu_hwdom *hw,
			 const struct vhost_iommu_mapping *m, u64 gpa_start,
			 u64 gpa_last)
{
	struct vhost_iommu_s2_range *range;

	gpa_start = max(gpa_start, m->gpa);
	gpa_last = min(gpa_last, vhost_iommu_mapping_gpa_last(m));

	for (range = vhost_iommu_s2_first(hw->class->s2, gpa_start, gpa_last);
	     range; range = vhost_iommu_s2_next(range, gpa_start, gpa_last)) {
		u64 start = gpa_start, last = gpa_last;

		if (!clip(m, range, &start, &last))
			continue;
		vhost_iommu_dirty_unmap(m, range, start, last);
		backend(hw)->unmap(hw, m->node.start + (start - m->gpa),
				   last - start + 1);
	}
}

/**
 * vhost_iommu_hwdom_map() - put a mapping into the hardware
 * @hw: hardware domain
 * @m: mapping of its owner
 * @gpa_start: only the part of the mapping from this guest-physical address
 * @gpa_last: up to this one
 *
 * Return: how many ranges of stage 2 the part has memory in, or -ENOMEM or an error
 * of the IOMMU driver: nothing was mapped then.
 */
int vhost_iommu_hwdom_map(struct vhost_iommu_hwdom *hw,
			  const struct vhost_iommu_mapping *m, u64 gpa_start,
			  u64 gpa_last)
{
	struct vhost_iommu_s2_range *range;
	int ret, nr = 0;

	lockdep_assert_held(&hw->class->s2->lock);

	gpa_start = max(gpa_start, m->gpa);
	gpa_last = min(gpa_last, vhost_iommu_mapping_gpa_last(m));

	for (range = vhost_iommu_s2_first(hw->class->s2, gpa_start, gpa_last);
	     range; range = vhost_iommu_s2_next(range, gpa_start, gpa_last)) {
		u64 start = gpa_start, last = gpa_last;

		nr++;
		if (!clip(m, range, &start, &last))
			continue;
		ret = backend(hw)->map(hw, range,
				       m->node.start + (start - m->gpa), start,
				       last, hw_prot(m, range), m->shift);
		if (ret) {
			if (start > gpa_start)
				vhost_iommu_hwdom_unmap_now(hw, m, gpa_start,
							    start - 1);
			return ret;
		}
	}
	return nr;
}

/**
 * vhost_iommu_hwdom_unmap_now() - take a mapping out of the hardware and its IOTLB
 * @hw: hardware domain
 * @m: mapping of its owner
 * @gpa_start: only the part of the mapping from this guest-physical address
 * @gpa_last: up to this one
 */
void vhost_iommu_hwdom_unmap_now(struct vhost_iommu_hwdom *hw,
				 const struct vhost_iommu_mapping *m,
				 u64 gpa_start, u64 gpa_last)
{
	lockdep_assert_held(&hw->class->s2->lock);

	unmap_pieces(hw, m, gpa_start, gpa_last);
	backend(hw)->flush(hw);
}

/**
 * vhost_iommu_hwdom_unmap() - take a mapping out of the hardware
 * @hw: hardware domain
 * @m: mapping of its owner
 * @gpa_start: only the part of the mapping from this guest-physical address
 * @gpa_last: up to this one
 *
 * A vhost_iommu_flush() has to follow.
 */
void vhost_iommu_hwdom_unmap(struct vhost_iommu_hwdom *hw,
			     const struct vhost_iommu_mapping *m, u64 gpa_start,
			     u64 gpa_last)
{
	lockdep_assert_held(&hw->class->s2->lock);
	lockdep_assert_held(&hw->owner->vi->lock);

	if (list_empty(&hw->dirty_list))
		list_add(&hw->dirty_list, &hw->owner->vi->dirty);
	unmap_pieces(hw, m, gpa_start, gpa_last);
}

static void flush_one(struct vhost_iommu_hwdom *hw)
{
	backend(hw)->flush(hw);
	list_del_init(&hw->dirty_list);
}

/**
 * vhost_iommu_flush() - flush the IOTLB for all UNMAPs that were made
 * @vi: the instance
 */
void vhost_iommu_flush(struct vhost_iommu *vi)
{
	struct vhost_iommu_hwdom *hw, *next;

	lockdep_assert_held(&vi->lock);

	list_for_each_entry_safe(hw, next, &vi->dirty, dirty_list)
		flush_one(hw);
}

static void hwdom_free(struct vhost_iommu_hwdom *hw)
{
	if (!list_empty(&hw->dirty_list))
		flush_one(hw);
	vhost_iommu_dirty_hwdom(hw);
	backend(hw)->free(hw);
	kfree(hw);
}

static int fill(struct vhost_iommu_hwdom *hw)
{
	struct interval_tree_node *node;
	int ret;

	for (node = interval_tree_iter_first(&hw->owner->mappings, 0, U64_MAX);
	     node; node = interval_tree_iter_next(node, 0, U64_MAX)) {
		ret = vhost_iommu_hwdom_map(hw, to_mapping(node), 0, U64_MAX);
		if (ret < 0)
			return ret;
		cond_resched();
	}
	return 0;
}

static struct list_head *hwdom_list(struct vhost_iommu_domain *owner,
				    const struct vhost_iommu_class *class)
{
	return vhost_iommu_nests(owner, class) ? &owner->nests : &owner->hwdoms;
}

/**
 * vhost_iommu_hwdom_find() - the hardware domain of a class
 * @owner: the guest's domain
 * @class: the class
 *
 * Return: the hardware domain, or NULL if there is none.
 */
struct vhost_iommu_hwdom *
vhost_iommu_hwdom_find(struct vhost_iommu_domain *owner,
		       const struct vhost_iommu_class *class)
{
	struct vhost_iommu_hwdom *hw;

	lockdep_assert_held(&class->s2->lock);

	list_for_each_entry(hw, hwdom_list(owner, class), owner_list)
		if (hw->class == class)
			return hw;
	return NULL;
}

/**
 * vhost_iommu_hwdom_get() - the hardware domain for a group, made if need be
 * @owner: the guest's domain
 * @group: a group that is to be attached
 *
 * Return: the hardware domain, with one more user, or an ERR_PTR.
 */
struct vhost_iommu_hwdom *
vhost_iommu_hwdom_get(struct vhost_iommu_domain *owner,
		      struct vhost_iommu_group *group)
{
	struct vhost_iommu_class *class = group->class;
	struct vhost_iommu_hwdom *hw;
	int ret;

	lockdep_assert_held_write(&class->s2->lock);

	hw = vhost_iommu_hwdom_find(owner, class);
	if (hw) {
		hw->users++;
		return hw;
	}

	hw = kzalloc(sizeof(*hw), GFP_KERNEL_ACCOUNT);
	if (!hw)
		return ERR_PTR(-ENOMEM);
	hw->owner = owner;
	hw->class = class;
	hw->users = 1;
	INIT_LIST_HEAD(&hw->dirty_list);
	INIT_LIST_HEAD(&hw->class_list);

	ret = backend(hw)->alloc(hw, group);
	if (ret)
		goto err_free_hw;
	list_add_tail(&hw->owner_list, hwdom_list(owner, class));
	if (vhost_iommu_nests(owner, class))
		return hw;
	ret = fill(hw);
	if (ret)
		goto err_free_domain;
	list_add_tail(&hw->class_list, &class->hwdoms);
	return hw;

err_free_domain:
	list_del(&hw->owner_list);
	backend(hw)->free(hw);
err_free_hw:
	kfree(hw);
	return ERR_PTR(ret);
}

/**
 * vhost_iommu_hwdom_put() - one user less
 * @hw: hardware domain; no group that is not a user is attached to it
 */
void vhost_iommu_hwdom_put(struct vhost_iommu_hwdom *hw)
{
	lockdep_assert_held_write(&hw->class->s2->lock);

	if (--hw->users)
		return;
	list_del(&hw->owner_list);
	list_del(&hw->class_list);
	hwdom_free(hw);
}

/**
 * vhost_iommu_class_restore() - stage 2 has got memory: give it to guests' domains
 * @class: the class
 * @gpa_start: first guest-physical address
 * @gpa_last: last guest-physical address
 *
 * Return: 0, or an error after which vhost_iommu_class_withdraw() is due.
 */
int vhost_iommu_class_restore(struct vhost_iommu_class *class, u64 gpa_start,
			      u64 gpa_last)
{
	struct interval_tree_node *node;
	struct vhost_iommu_hwdom *hw;
	int ret;

	lockdep_assert_held_write(&class->s2->lock);

	list_for_each_entry(hw, &class->hwdoms, class_list) {
		for (node = interval_tree_iter_first(&hw->owner->mappings, 0,
						     U64_MAX);
		     node; node = interval_tree_iter_next(node, 0, U64_MAX)) {
			ret = vhost_iommu_hwdom_map(hw, to_mapping(node),
						    gpa_start, gpa_last);
			if (ret < 0)
				return ret;
			cond_resched();
		}
	}
	return 0;
}

/**
 * vhost_iommu_class_withdraw() - stage 2 loses memory: take it from guests' domains
 * @class: the class
 * @gpa_start: first guest-physical address
 * @gpa_last: last guest-physical address
 */
void vhost_iommu_class_withdraw(struct vhost_iommu_class *class, u64 gpa_start,
				u64 gpa_last)
{
	struct interval_tree_node *node;
	struct vhost_iommu_hwdom *hw;

	lockdep_assert_held_write(&class->s2->lock);

	list_for_each_entry(hw, &class->hwdoms, class_list) {
		for (node = interval_tree_iter_first(&hw->owner->mappings, 0,
						     U64_MAX);
		     node; node = interval_tree_iter_next(node, 0, U64_MAX)) {
			unmap_pieces(hw, to_mapping(node), gpa_start, gpa_last);
			cond_resched();
		}
		backend(hw)->flush(hw);
	}
}
