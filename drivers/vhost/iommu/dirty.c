// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which memory devices have written to by way of guests' domains, for a VMM that copies
 * it to another host meanwhile. With iommufd: what devices write in bypass, or by tables
 * of the guest's that the hardware walks, goes through the VMM's own page tables, of which
 * the VMM can ask iommufd.
 *
 * While the VMM wants to know, each range of stage 2 has a bit for each of its pages. A
 * page that was mapped for writing counts as written when the mapping goes: there is no
 * moment then in which a write could be missed, and such a mapping was made to be
 * written to. Of what is mapped at the time of the question the hardware tells, if it
 * keeps track, or else all of it counts as written.
 *
 * All of it is protected by the lock of the instance, which stage 2 belongs to, and
 * s2.lock, for reading at the least.
 */
#include <linux/bitmap.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_iommu.h>
#include <uapi/linux/iommufd.h>

#include "dirty.h"
#include "domain.h"
#include "endpoint.h"
#include "iommufd.h"
#include "stage2.h"
#include "vhost_iommu.h"

/* What the hardware is asked for at once, and the answer: they go through a page. */
#define RUN_WORDS	256U
#define RUN_PAGES	(RUN_WORDS * BITS_PER_LONG)
#define RUN_SIZE	((u64)RUN_PAGES * PAGE_SIZE)

struct run {
	struct iommu_hwpt_get_dirty_bitmap	head;
	unsigned long				bits[RUN_WORDS];
};

/**
 * struct query - one VHOST_IOMMU_GET_DIRTY_BITMAP
 * @start: first guest-physical address
 * @last: last one
 * @hw: the hardware domain that is looked at
 * @iova: where a run of pages begins that the hardware is to be asked for
 * @size: of the run, in bytes
 * @run: room for it
 * @coarse: some hardware did not tell
 */
struct query {
	u64			start;
	u64			last;
	struct vhost_iommu_hwdom *hw;
	u64			iova;
	u64			size;
	struct run		*run;
	bool			coarse;
};

/* Pages of a mapping that are consecutive in a range of stage 2. */
struct piece {
	struct vhost_iommu_s2_range	*range;
	u64				iova;
	u64				gpa;
	u64				gpa_last;
};

static unsigned long range_pages(const struct vhost_iommu_s2_range *range)
{
	return (range->node.last - range->node.start + 1) >> PAGE_SHIFT;
}

/* The number of a page's bit. */
static unsigned long page_of(const struct vhost_iommu_s2_range *range, u64 gpa)
{
	return (gpa - range->node.start) >> PAGE_SHIFT;
}

static void set_pages(struct vhost_iommu_s2_range *range, u64 gpa, u64 gpa_last)
{
	unsigned long first = page_of(range, gpa);

	bitmap_set(range->dirty, first, page_of(range, gpa_last) - first + 1);
}

static bool is_written(const struct vhost_iommu_mapping *m,
		       const struct vhost_iommu_s2_range *range)
{
	return range->dirty && (m->flags & VIRTIO_IOMMU_MAP_F_WRITE) &&
	       (range->prot & IOMMU_WRITE);
}

/**
 * vhost_iommu_dirty_unmap() - a part of a mapping goes from the hardware
 * @m: the mapping
 * @range: where its memory is
 * @gpa_start: first guest-physical address, in @range
 * @gpa_last: last one, in @range
 */
void vhost_iommu_dirty_unmap(const struct vhost_iommu_mapping *m,
			     struct vhost_iommu_s2_range *range, u64 gpa_start,
			     u64 gpa_last)
{
	if (is_written(m, range))
		set_pages(range, gpa_start, gpa_last);
}

/* Call @fn for what @q is about of a mapping, from @iova_start to @iova_last. */
static int walk_mapping(struct query *q, const struct vhost_iommu_mapping *m,
			u64 iova_start, u64 iova_last,
			int (*fn)(struct query *q, const struct piece *piece))
{
	struct vhost_iommu_s2 *s2 = q->hw->class->s2;
	struct vhost_iommu_s2_range *range;
	u64 start, last;
	int ret = 0;

	iova_start = max_t(u64, iova_start, m->node.start);
	iova_last = min_t(u64, iova_last, m->node.last);
	start = max(vhost_iommu_mapping_gpa(m, iova_start), q->start);
	last = min(vhost_iommu_mapping_gpa(m, iova_last), q->last);
	if (start > last)
		return 0;
	for (range = vhost_iommu_s2_first(s2, start, last); range && !ret;
	     range = vhost_iommu_s2_next(range, start, last)) {
		struct piece piece = {
			.range = range,
			.gpa = max_t(u64, start, range->node.start),
			.gpa_last = min_t(u64, last, range->node.last),
		};

		piece.iova = m->node.start + (piece.gpa - m->gpa);
		if (is_written(m, range))
			ret = fn(q, &piece);
	}
	return ret;
}

/* The same for all mappings of the owner's. */
static int walk_all(struct query *q, u64 iova_start, u64 iova_last,
		    int (*fn)(struct query *q, const struct piece *piece))
{
	struct interval_tree_node *node;
	int ret;

	for (node = interval_tree_iter_first(&q->hw->owner->mappings, iova_start,
					     iova_last);
	     node; node = interval_tree_iter_next(node, iova_start, iova_last)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = walk_mapping(q, to_mapping(node), iova_start, iova_last,
				   fn);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static int set_piece(struct query *q, const struct piece *piece)
{
	set_pages(piece->range, piece->gpa, piece->gpa_last);
	return 0;
}

/* Set the bits that the hardware has told for the run. */
static int take_bits(struct query *q, const struct piece *piece)
{
	unsigned long bit = (piece->iova - q->iova) >> PAGE_SHIFT;
	unsigned long page = page_of(piece->range, piece->gpa);
	unsigned long end = bit + page_of(piece->range, piece->gpa_last) - page + 1;
	unsigned long first = bit;

	for_each_set_bit_from(bit, q->run->bits, end)
		__set_bit(page + (bit - first), piece->range->dirty);
	return 0;
}

/* Ask the hardware. One that does not tell may have written everywhere. */
static int read_run(struct query *q)
{
	struct vhost_iommu_s2 *s2 = q->hw->class->s2;
	u64 size = q->size;
	int ret;

	if (!size)
		return 0;
	*q->run = (struct run) {
		.head.size = sizeof(q->run->head),
		.head.hwpt_id = q->hw->pt,
		.head.iova = q->iova,
		.head.length = size,
		.head.page_size = PAGE_SIZE,
		.head.data = vhost_iommu_iommufd_arg(s2) +
			     offsetof(struct run, bits),
	};
	ret = vhost_iommu_iommufd_ioctl(s2, IOMMU_HWPT_GET_DIRTY_BITMAP, q->run,
					sizeof(*q->run));
	q->size = 0;
	q->coarse |= ret;
	return walk_all(q, q->iova, q->iova + size - 1,
			ret ? set_piece : take_bits);
}

/* iommufd takes what is mapped without a hole: have runs be as long as that. */
static int extend_run(struct query *q, const struct piece *piece)
{
	u64 iova = piece->iova, left = piece->gpa_last - piece->gpa + 1, size;
	int ret;

	while (left) {
		if (iova != q->iova + q->size || q->size == RUN_SIZE) {
			ret = read_run(q);
			if (ret)
				return ret;
			q->iova = iova;
		}
		size = min(left, RUN_SIZE - q->size);
		q->size += size;
		iova += size;
		left -= size;
	}
	return 0;
}

static int query_hwdom(struct query *q)
{
	if (!q->hw->tracks)
		return walk_all(q, 0, U64_MAX, set_piece);
	q->size = 0;
	return walk_all(q, 0, U64_MAX, extend_run) ?: read_run(q);
}

/**
 * vhost_iommu_dirty_hwdom() - a hardware domain goes, with all that is mapped in it
 * @hw: the hardware domain
 */
void vhost_iommu_dirty_hwdom(struct vhost_iommu_hwdom *hw)
{
	struct query q = { .last = U64_MAX, .hw = hw };
	struct interval_tree_node *node;

	if (!hw->class->s2->tracks_dirty || hw->batch)
		return;
	for (node = interval_tree_iter_first(&hw->owner->mappings, 0, U64_MAX);
	     node; node = interval_tree_iter_next(node, 0, U64_MAX)) {
		walk_mapping(&q, to_mapping(node), 0, U64_MAX, set_piece);
		cond_resched();
	}
}

static int set_hardware(struct vhost_iommu_hwdom *hw, bool on)
{
	struct iommu_hwpt_set_dirty_tracking arg = {
		.size = sizeof(arg),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = hw->pt,
	};

	if (!hw->tracks)
		return 0;
	return vhost_iommu_iommufd_ioctl(hw->class->s2,
					 IOMMU_HWPT_SET_DIRTY_TRACKING, &arg,
					 sizeof(arg));
}

/**
 * vhost_iommu_dirty_alloc() - have a new hardware domain keep track, if it can
 * @hw: the hardware domain; its @ioas is there
 * @dev_id: number of a device that is to be attached to it
 *
 * Sets @pt: what a group is attached to.
 *
 * Return: 0 or an error of iommufd.
 */
int vhost_iommu_dirty_alloc(struct vhost_iommu_hwdom *hw, u32 dev_id)
{
	struct vhost_iommu_s2 *s2 = hw->class->s2;
	struct iommu_hwpt_alloc arg = {
		.size = sizeof(arg),
		.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		.dev_id = dev_id,
		.pt_id = hw->ioas,
	};
	int ret;

	hw->pt = hw->ioas;
	if (!hw->class->tracks_dirty || !dev_id)
		return 0;
	ret = vhost_iommu_iommufd_ioctl(s2, IOMMU_HWPT_ALLOC, &arg, sizeof(arg));
	if (ret)
		return ret;
	hw->pt = arg.out_hwpt_id;
	hw->tracks = true;
	ret = s2->tracks_dirty ? set_hardware(hw, true) : 0;
	if (ret)
		vhost_iommu_iommufd_destroy(s2, hw->pt);
	return ret;
}

/**
 * vhost_iommu_dirty_add_range() - memory comes to stage 2
 * @s2: stage 2
 * @range: is not there yet
 *
 * Return: 0 or -ENOMEM.
 */
int vhost_iommu_dirty_add_range(struct vhost_iommu_s2 *s2,
				struct vhost_iommu_s2_range *range)
{
	if (!s2->tracks_dirty)
		return 0;
	range->dirty = kvcalloc(BITS_TO_LONGS(range_pages(range)),
				sizeof(*range->dirty), GFP_KERNEL_ACCOUNT);
	return range->dirty ? 0 : -ENOMEM;
}

/**
 * vhost_iommu_dirty_free() - memory goes from stage 2
 * @range: as added
 */
void vhost_iommu_dirty_free(struct vhost_iommu_s2_range *range)
{
	kvfree(range->dirty);
	range->dirty = NULL;
}

static void stop(struct vhost_iommu_s2 *s2)
{
	struct vhost_iommu_s2_range *range;
	struct vhost_iommu_class *class;
	struct vhost_iommu_hwdom *hw;

	list_for_each_entry(class, &s2->classes, list)
		list_for_each_entry(hw, &class->hwdoms, class_list)
			set_hardware(hw, false);
	for (range = vhost_iommu_s2_first(s2, 0, U64_MAX); range;
	     range = vhost_iommu_s2_next(range, 0, U64_MAX))
		vhost_iommu_dirty_free(range);
	s2->tracks_dirty = false;
}

static int start(struct vhost_iommu_s2 *s2)
{
	struct vhost_iommu_s2_range *range;
	struct vhost_iommu_class *class;
	struct vhost_iommu_hwdom *hw;
	int ret = 0;

	s2->tracks_dirty = true;
	for (range = vhost_iommu_s2_first(s2, 0, U64_MAX); range && !ret;
	     range = vhost_iommu_s2_next(range, 0, U64_MAX))
		ret = vhost_iommu_dirty_add_range(s2, range);
	list_for_each_entry(class, &s2->classes, list)
		list_for_each_entry(hw, &class->hwdoms, class_list)
			ret = ret ?: set_hardware(hw, true);
	if (ret)
		stop(s2);
	return ret;
}

/**
 * vhost_iommu_set_dirty_tracking() - VHOST_IOMMU_SET_DIRTY_TRACKING
 * @vi: the instance, locked
 * @arg: argument of the ioctl
 *
 * Return: see the ioctl.
 */
int vhost_iommu_set_dirty_tracking(struct vhost_iommu *vi,
				   const struct vhost_iommu_dirty_tracking *arg)
{
	bool on = arg->flags & VHOST_IOMMU_DIRTY_TRACKING_ENABLE;
	int ret = 0;

	lockdep_assert_held(&vi->lock);

	if (arg->flags & ~VHOST_IOMMU_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	if (!vhost_iommu_has_iommufd(vi))
		return -ENOENT;
	vhost_iommu_lock_s2(vi);
	if (on && !vi->s2->tracks_dirty)
		ret = start(vi->s2);
	else if (!on && vi->s2->tracks_dirty)
		stop(vi->s2);
	vhost_iommu_unlock_s2(vi);
	return ret;
}

static int check_query(struct vhost_iommu *vi,
		       const struct vhost_iommu_dirty_bitmap *arg)
{
	if (arg->flags || arg->reserved)
		return -EOPNOTSUPP;
	if (!is_power_of_2(arg->page_size) || arg->page_size < PAGE_SIZE ||
	    arg->last < arg->start || !arg->bitmap ||
	    !IS_ALIGNED(arg->start | (arg->last + 1), arg->page_size) ||
	    !IS_ALIGNED(arg->bitmap, sizeof(u64)))
		return -EINVAL;
	if (!vhost_iommu_has_iommufd(vi) || !vi->s2->tracks_dirty)
		return -ENOENT;
	return 0;
}

/* Bring the bits up to date. */
static int update(struct vhost_iommu_s2 *s2, struct query *q)
{
	struct vhost_iommu_class *class;
	int ret;

	list_for_each_entry(class, &s2->classes, list) {
		list_for_each_entry(q->hw, &class->hwdoms, class_list) {
			q->coarse |= !q->hw->tracks;
			ret = query_hwdom(q);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* Report and forget the pages [page, end) of a range that are in one bit of the VMM's. */
static int report(const struct vhost_iommu_dirty_bitmap *arg,
		  struct vhost_iommu_s2_range *range, unsigned long page,
		  unsigned long end)
{
	u64 gpa = range->node.start + ((u64)page << PAGE_SHIFT);
	u64 bit = (gpa - arg->start) >> ilog2(arg->page_size);
	u64 __user *word = u64_to_user_ptr(arg->bitmap);
	u64 val;

	word += bit / 64;
	if (get_user(val, word) || put_user(val | BIT_ULL(bit % 64), word))
		return -EFAULT;
	bitmap_clear(range->dirty, page, end - page);
	return 0;
}

static int report_range(const struct vhost_iommu_dirty_bitmap *arg,
			struct vhost_iommu_s2_range *range)
{
	u64 start = max_t(u64, arg->start, range->node.start);
	u64 last = min_t(u64, arg->last, range->node.last);
	unsigned long page = page_of(range, start);
	unsigned long nr = page_of(range, last) + 1, end;
	u64 gpa;
	int ret;

	for_each_set_bit_from(page, range->dirty, nr) {
		/* The pages that have the same bit */
		gpa = range->node.start + ((u64)page << PAGE_SHIFT);
		end = min_t(u64, nr, page +
			    ((arg->page_size - (gpa & (arg->page_size - 1))) >>
			     PAGE_SHIFT));
		ret = report(arg, range, page, end);
		if (ret)
			return ret;
		page = end - 1;
		if (need_resched())
			cond_resched();
	}
	return 0;
}

static int report_all(struct vhost_iommu_s2 *s2,
		      const struct vhost_iommu_dirty_bitmap *arg)
{
	struct vhost_iommu_s2_range *range;
	int ret = 0;

	for (range = vhost_iommu_s2_first(s2, arg->start, arg->last);
	     range && !ret;
	     range = vhost_iommu_s2_next(range, arg->start, arg->last))
		ret = report_range(arg, range);
	return ret;
}

/**
 * vhost_iommu_get_dirty_bitmap() - VHOST_IOMMU_GET_DIRTY_BITMAP
 * @vi: the instance, locked
 * @arg: argument of the ioctl; the answer
 *
 * Return: see the ioctl.
 */
int vhost_iommu_get_dirty_bitmap(struct vhost_iommu *vi,
				 struct vhost_iommu_dirty_bitmap *arg)
{
	struct query q = { .start = arg->start, .last = arg->last };
	int ret;

	lockdep_assert_held(&vi->lock);

	ret = check_query(vi, arg);
	if (ret)
		return ret;
	q.run = kmalloc(sizeof(*q.run), GFP_KERNEL_ACCOUNT);
	if (!q.run)
		return -ENOMEM;
	vhost_iommu_lock_s2(vi);
	ret = update(vi->s2, &q) ?: report_all(vi->s2, arg);
	vhost_iommu_unlock_s2(vi);
	kfree(q.run);
	arg->coarse = q.coarse;
	return ret;
}
