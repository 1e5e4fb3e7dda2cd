// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage 2: what the VMM maps with VFIO_IOMMU_MAP_DMA. Guest memory is pinned once,
 * whatever the number of endpoints, and charged to the VMM once.
 *
 * There is no table of pages: the domain of the first class answers where a
 * guest-physical address is, for the domains derived from it and when memory is
 * unpinned. It has to be asked once for each page, or for each block that is known to
 * be consecutive. A mapping of stage 2 disappears from every derived domain, and from
 * their IOTLBs, before its pages are unpinned.
 */
#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "backend.h"
#include "domain.h"
#include "pin.h"
#include "stage2.h"
#include "vhost_iommu.h"

#define UNPIN_BATCH	64
#define RUN_ALIGN	SZ_1G

static struct vhost_iommu_class *first_class(struct vhost_iommu_s2 *s2)
{
	return list_first_entry(&s2->classes, struct vhost_iommu_class, list);
}

static void s2_release(struct kref *kref)
{
	struct vhost_iommu_s2 *s2 = container_of(kref, struct vhost_iommu_s2,
						 kref);

	mmdrop(s2->mm);
	s2->backend->release(s2);
}

/**
 * vhost_iommu_s2_put() - drop a reference
 * @s2: stage 2
 */
void vhost_iommu_s2_put(struct vhost_iommu_s2 *s2)
{
	kref_put(&s2->kref, s2_release);
}

/**
 * vhost_iommu_s2_find_device() - find an open VFIO device
 * @s2: stage 2
 * @group_file: VFIO group of the device
 * @name: name of the device
 *
 * Return: the device, or NULL if it is not open or not in the container.
 */
struct vhost_iommu_device *
vhost_iommu_s2_find_device(struct vhost_iommu_s2 *s2, struct file *group_file,
			   const char *name)
{
	struct vhost_iommu_device *dev;

	lockdep_assert_held(&s2->lock);

	list_for_each_entry(dev, &s2->devices, list)
		if (dev->group && vfio_file_has_dev(group_file, dev->vdev) &&
		    !strcmp(dev_name(dev->vdev->dev), name))
			return dev;
	return NULL;
}

static bool class_iova_valid(struct vhost_iommu_class *class, u64 start,
			     u64 last)
{
	const struct iommu_domain_geometry *geo = &class->domain->geometry;
	struct vhost_iommu_group *group;
	struct iommu_resv_region *r;

	if (geo->force_aperture &&
	    (start < geo->aperture_start || last > geo->aperture_end))
		return false;

	list_for_each_entry(group, &class->groups, list)
		list_for_each_entry(r, &group->resv, list)
			if (r->type != IOMMU_RESV_DIRECT_RELAXABLE &&
			    r->length && start <= r->start + r->length - 1 &&
			    last >= r->start)
				return false;
	return true;
}

/* Can all groups have memory there? */
static bool iova_valid(struct vhost_iommu_s2 *s2, u64 start, u64 last)
{
	struct vhost_iommu_class *class;

	list_for_each_entry(class, &s2->classes, list)
		if (!class_iova_valid(class, start, last))
			return false;
	return true;
}

/**
 * vhost_iommu_s2_pgsizes() - page sizes that all groups have
 * @s2: stage 2
 *
 * Return: a bitmap. Sizes below PAGE_SIZE cannot be pinned: they stand for it.
 */
unsigned long vhost_iommu_s2_pgsizes(struct vhost_iommu_s2 *s2)
{
	struct vhost_iommu_class *class;
	unsigned long sizes = ULONG_MAX;

	lockdep_assert_held(&s2->lock);

	list_for_each_entry(class, &s2->classes, list)
		sizes &= class->domain->pgsize_bitmap;
	if (sizes & ~PAGE_MASK)
		sizes = (sizes & PAGE_MASK) | PAGE_SIZE;
	return sizes;
}

/* Charge pages that are pinned to the VMM's RLIMIT_MEMLOCK. */
static int charge(struct vhost_iommu_s2 *s2, unsigned long npages, bool inc)
{
	int ret;

	if (!npages)
		return 0;
	mmap_write_lock(s2->mm);
	ret = __account_locked_vm(s2->mm, npages, inc, current,
				  inc && capable(CAP_IPC_LOCK));
	if (!ret)
		WRITE_ONCE(s2->pinned, inc ? s2->pinned + npages :
					     s2->pinned - npages);
	mmap_write_unlock(s2->mm);
	return ret;
}

static u64 block_of(const struct vhost_iommu_s2_range *range, u64 gpa)
{
	return gpa / VHOST_IOMMU_BLOCK - range->node.start / VHOST_IOMMU_BLOCK;
}

static int blocks_alloc(struct vhost_iommu_s2_range *range)
{
	u64 nr = block_of(range, range->node.last) + 1;

	/* The size is the VMM's choice, and may be more than there is. */
	range->whole = kvcalloc(BITS_TO_LONGS(nr), sizeof(*range->whole),
				GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return range->whole ? 0 : -ENOMEM;
}

/* Note which blocks are in [start, end), consecutive in physical memory. */
static void blocks_set(struct vhost_iommu_s2_range *range, u64 start, u64 end)
{
	u64 block = round_up(start, VHOST_IOMMU_BLOCK);

	for (; block < end && end - block >= VHOST_IOMMU_BLOCK;
	     block += VHOST_IOMMU_BLOCK)
		__set_bit(block_of(range, block), range->whole);
}

/* The last address that is known to be consecutive with @gpa. */
static u64 known_last(const struct vhost_iommu_s2_range *range, u64 gpa)
{
	if (test_bit(block_of(range, gpa), range->whole))
		return gpa | (VHOST_IOMMU_BLOCK - 1);
	return gpa | ~PAGE_MASK;
}

/**
 * vhost_iommu_s2_run() - how much of stage 2 is consecutive in physical memory
 * @domain: the domain of a class
 * @range: the range that @gpa and @last are in
 * @gpa: page-aligned guest-physical address that is mapped
 * @last: last guest-physical address of interest; all up to it is mapped
 * @phys: set to the physical address of @gpa
 *
 * A run ends at a multiple of RUN_ALIGN, which bounds the time that a step takes. As
 * all that is mapped are runs, no page of the IOMMU's table reaches across such an
 * address, and none is cut when runs are unmapped.
 *
 * Return: bytes.
 */
size_t vhost_iommu_s2_run(struct iommu_domain *domain,
			  const struct vhost_iommu_s2_range *range, u64 gpa,
			  u64 last, phys_addr_t *phys)
{
	u64 end;

	last = min(last, gpa | (RUN_ALIGN - 1));
	*phys = iommu_iova_to_phys(domain, gpa);
	end = known_last(range, gpa);
	while (end < last &&
	       iommu_iova_to_phys(domain, end + 1) == *phys + (end + 1 - gpa))
		end = known_last(range, end + 1);
	return min(end, last) - gpa + 1;
}

static void map_run_undo(struct vhost_iommu_s2 *s2, u64 gpa, size_t size,
			 struct vhost_iommu_class *failed)
{
	struct vhost_iommu_class *class;

	list_for_each_entry(class, &s2->classes, list) {
		if (class == failed)
			return;
		iommu_unmap(class->domain, gpa, size);
	}
}

static int map_run(struct vhost_iommu_s2 *s2, u64 gpa, phys_addr_t phys,
		   size_t size, int prot)
{
	struct vhost_iommu_class *class;
	int ret;

	list_for_each_entry(class, &s2->classes, list) {
		ret = iommu_map(class->domain, gpa, phys, size,
				prot | IOMMU_CACHE, GFP_KERNEL_ACCOUNT);
		if (ret) {
			map_run_undo(s2, gpa, size, class);
			return ret;
		}
	}
	return 0;
}

/* Unmap [start, last], which no domain of a guest has; devices in bypass may. */
static void unmap_all_classes(struct vhost_iommu_s2 *s2, u64 start, u64 last)
{
	struct vhost_iommu_class *class;

	list_for_each_entry(class, &s2->classes, list)
		iommu_unmap(class->domain, start, last - start + 1);
}

/* Unmap and unpin [start, last] of a range; all of it is mapped. */
static void clear_range(struct vhost_iommu_s2 *s2,
			struct vhost_iommu_s2_range *range, u64 start, u64 last)
{
	struct { phys_addr_t phys; unsigned long npages; } runs[UNPIN_BATCH];
	struct vhost_iommu_class *first = first_class(s2), *class;

	list_for_each_entry(class, &s2->classes, list)
		if (class != first)
			iommu_unmap(class->domain, start, last - start + 1);

	while (start <= last) {
		struct iommu_iotlb_gather gather;
		unsigned int i, nr;

		iommu_iotlb_gather_init(&gather);
		for (nr = 0; nr < UNPIN_BATCH && start <= last; nr++) {
			size_t size = vhost_iommu_s2_run(first->domain, range,
							 start, last,
							 &runs[nr].phys);

			runs[nr].npages = size >> PAGE_SHIFT;
			WARN_ON_ONCE(iommu_unmap_fast(first->domain, start,
						      size, &gather) != size);
			start += size;
			cond_resched();
		}
		iommu_iotlb_sync(first->domain, &gather);

		for (i = 0; range->npinned && i < nr; i++)
			vhost_iommu_unpin(runs[i].phys, runs[i].npages,
					  range->prot & IOMMU_WRITE);
	}
}

/* Pin a run and note it. */
static int pin_run(struct vhost_iommu_s2 *s2, struct vhost_iommu_s2_range *range,
		   struct vhost_iommu_pinner *pinner, unsigned long uaddr,
		   unsigned long npages, struct vhost_iommu_runs *runs)
{
	struct vhost_iommu_run run;
	int ret;

	ret = vhost_iommu_pin_run(pinner, uaddr, npages, &run);
	if (ret)
		return ret;
	ret = charge(s2, run.npages, true);
	if (ret)
		goto err_unpin;
	ret = vhost_iommu_runs_add(runs, &run);
	if (ret)
		goto err_uncharge;
	range->npinned += run.npages;
	return 0;

err_uncharge:
	charge(s2, run.npages, false);
err_unpin:
	vhost_iommu_unpin(run.phys, run.npages, false);
	return ret;
}

/* Undo pin_range(), also of a part. */
static void unpin_range(struct vhost_iommu_s2 *s2,
			struct vhost_iommu_s2_range *range,
			struct vhost_iommu_runs *runs)
{
	struct vhost_iommu_run_chunk *chunk;
	unsigned int i;

	if (!range->npinned)
		return;
	list_for_each_entry(chunk, &runs->chunks, list) {
		for (i = 0; i < chunk->nr; i++)
			vhost_iommu_unpin(chunk->runs[i].phys,
					  chunk->runs[i].npages,
					  range->prot & IOMMU_WRITE);
		cond_resched();
	}
	charge(s2, range->npinned, false);
	range->npinned = 0;
	vhost_iommu_runs_free(runs);
}

/*
 * Pin the memory of a range. It can take as long as the VMM likes, which may have to
 * bring the memory first: so this is without the lock of stage 2.
 */
static int pin_range(struct vhost_iommu_s2 *s2, struct vhost_iommu_s2_range *range,
		     struct vhost_iommu_runs *runs)
{
	u64 npages = (range->node.last - range->node.start + 1) >> PAGE_SHIFT;
	struct vhost_iommu_pinner pinner;
	int ret;

	ret = vhost_iommu_pinner_init(&pinner, s2->mm,
				      range->prot & IOMMU_WRITE);
	if (ret)
		return ret;
	while (!ret && range->npinned < npages) {
		ret = fatal_signal_pending(current) ? -EINTR :
		      pin_run(s2, range, &pinner,
			      range->uaddr + PFN_PHYS(range->npinned),
			      npages - range->npinned, runs);
		cond_resched();
	}
	vhost_iommu_pinner_end(&pinner);
	if (ret)
		unpin_range(s2, range, runs);
	return ret;
}

/*
 * A BAR is where it is only as long as its device is open, and is not pinned. Under the
 * lock, nobody is told yet that the device is closed: see vhost_iommu_s2_forget_bars().
 */
static int find_bar(struct vhost_iommu_s2 *s2, struct vhost_iommu_s2_range *range,
		    struct vhost_iommu_runs *runs)
{
	u64 npages = (range->node.last - range->node.start + 1) >> PAGE_SHIFT;
	unsigned long uaddr = range->uaddr;
	struct vhost_iommu_run run;
	int ret = 0;

	lockdep_assert_held_write(&s2->lock);

	while (!ret && npages) {
		ret = vhost_iommu_find_bar(s2->mm, uaddr, npages,
					   range->prot & IOMMU_WRITE, &run) ?:
		      vhost_iommu_runs_add(runs, &run);
		if (ret)
			break;
		npages -= run.npages;
		uaddr += PFN_PHYS(run.npages);
		cond_resched();
	}
	return ret;
}

/* Map a run in steps that end at multiples of RUN_ALIGN; see vhost_iommu_s2_run(). */
static int map_steps(struct vhost_iommu_s2 *s2, struct vhost_iommu_s2_range *range,
		     const struct vhost_iommu_run *run, u64 *gpa)
{
	u64 left = PFN_PHYS(run->npages), phys = run->phys;

	blocks_set(range, *gpa, *gpa + left);
	while (left) {
		u64 n = min(left, RUN_ALIGN - (*gpa & (RUN_ALIGN - 1)));
		int ret = fatal_signal_pending(current) ? -EINTR :
			  map_run(s2, *gpa, phys, n, range->prot);

		if (ret)
			return ret;
		*gpa += n;
		phys += n;
		left -= n;
		cond_resched();
	}
	return 0;
}

static int map_runs(struct vhost_iommu_s2 *s2, struct vhost_iommu_s2_range *range,
		    const struct vhost_iommu_runs *runs)
{
	u64 start = range->node.start, gpa = start;
	struct vhost_iommu_run_chunk *chunk;
	unsigned int i;
	int ret = 0;

	list_for_each_entry(chunk, &runs->chunks, list) {
		for (i = 0; i < chunk->nr && !ret; i++)
			ret = map_steps(s2, range, &chunk->runs[i], &gpa);
		if (ret)
			break;
	}
	if (ret && gpa != start)
		unmap_all_classes(s2, start, gpa - 1);
	return ret;
}

/**
 * vhost_iommu_s2_withdraw() - take memory from the guests' domains
 * @s2: stage 2
 * @range: in its tree
 */
void vhost_iommu_s2_withdraw(struct vhost_iommu_s2 *s2,
			     struct vhost_iommu_s2_range *range)
{
	struct vhost_iommu_class *class;

	list_for_each_entry(class, &s2->classes, list)
		vhost_iommu_class_withdraw(class, range->node.start,
					   range->node.last);
}

/**
 * vhost_iommu_s2_restore() - let the guests' domains have memory
 * @s2: stage 2
 * @range: in its tree, and new
 *
 * Return: 0, or an error of vhost_iommu_hwdom_map(): none of them has it then.
 */
int vhost_iommu_s2_restore(struct vhost_iommu_s2 *s2,
			   struct vhost_iommu_s2_range *range)
{
	struct vhost_iommu_class *class;
	int ret = 0;

	list_for_each_entry(class, &s2->classes, list) {
		ret = vhost_iommu_class_restore(class, range->node.start,
						range->node.last);
		if (ret)
			break;
	}
	if (ret)
		vhost_iommu_s2_withdraw(s2, range);
	return ret;
}

static void free_range(struct vhost_iommu_s2_range *range)
{
	kvfree(range->whole);
	kfree(range);
}

static void remove_range(struct vhost_iommu_s2 *s2,
			 struct vhost_iommu_s2_range *range)
{
	vhost_iommu_s2_withdraw(s2, range);
	interval_tree_remove(&range->node, &s2->ranges);
	s2->avail++;
	clear_range(s2, range, range->node.start, range->node.last);
	charge(s2, range->npinned, false);
	free_range(range);
}

/* Is it a range that stage 2 can have now? */
static int check_range(struct vhost_iommu_s2 *s2,
		       const struct vhost_iommu_s2_range *range)
{
	u64 gpa = range->node.start, last = range->node.last;
	unsigned long granule;

	/* Not if the last group has left. */
	if (list_empty(&s2->classes))
		return -EINVAL;
	granule = 1UL << __ffs(vhost_iommu_s2_pgsizes(s2));
	if (!IS_ALIGNED(gpa | range->uaddr | (last + 1), granule))
		return -EINVAL;
	if (vhost_iommu_s2_first(s2, gpa, last))
		return -EEXIST;
	if (!s2->avail)
		return -ENOSPC;
	return iova_valid(s2, gpa, last) ? 0 : -EINVAL;
}

/* Find out before the memory is pinned what can be known then. */
static int check_early(struct vhost_iommu_s2 *s2,
		       const struct vhost_iommu_s2_range *range)
{
	int ret;

	ret = down_read_killable(&s2->lock);
	if (ret)
		return ret;
	ret = check_range(s2, range);
	up_read(&s2->lock);
	return ret;
}

static int publish_range(struct vhost_iommu_s2 *s2,
			 struct vhost_iommu_s2_range *range,
			 const struct vhost_iommu_runs *runs)
{
	int ret;

	/* Much may have happened while it was pinned. */
	ret = check_range(s2, range) ?: map_runs(s2, range, runs);
	if (ret)
		return ret;
	interval_tree_insert(&range->node, &s2->ranges);
	s2->avail--;

	ret = vhost_iommu_s2_restore(s2, range);
	if (ret) {
		interval_tree_remove(&range->node, &s2->ranges);
		s2->avail++;
		unmap_all_classes(s2, range->node.start, range->node.last);
	}
	return ret;
}

/* What is no memory may be a BAR. */
static int pin_and_add(struct vhost_iommu_s2 *s2, struct vhost_iommu_s2_range *range,
		       struct vhost_iommu_runs *runs)
{
	int ret;

	ret = pin_range(s2, range, runs);
	if (ret && ret != -EFAULT)
		return ret;
	if (down_write_killable(&s2->lock)) {
		unpin_range(s2, range, runs);
		return -EINTR;
	}
	if (ret)
		ret = find_bar(s2, range, runs);
	ret = ret ?: publish_range(s2, range, runs);
	up_write(&s2->lock);
	if (ret)
		unpin_range(s2, range, runs);
	return ret;
}

/**
 * vhost_iommu_s2_map() - pin memory of the VMM and map it
 * @s2: stage 2, not locked
 * @gpa: guest-physical address
 * @uaddr: address in the VMM, which is the current process
 * @size: bytes
 * @prot: IOMMU_READ, IOMMU_WRITE or both
 *
 * Return: 0; -EINVAL for what is not aligned, wraps or cannot be mapped by all
 * groups; -EEXIST for an overlap; -ENOSPC for too many ranges; -EFAULT if there is
 * no such memory; -ENOMEM, also over RLIMIT_MEMLOCK; -EINTR.
 */
int vhost_iommu_s2_map(struct vhost_iommu_s2 *s2, u64 gpa, unsigned long uaddr,
		       u64 size, int prot)
{
	struct vhost_iommu_runs runs = { LIST_HEAD_INIT(runs.chunks) };
	struct vhost_iommu_s2_range *range;
	u64 end, ulast;
	int ret;

	if (!size || !prot || check_add_overflow(gpa, size, &end) ||
	    check_add_overflow((u64)uaddr, size - 1, &ulast))
		return -EINVAL;

	range = kzalloc(sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!range)
		return -ENOMEM;
	range->node.start = gpa;
	range->node.last = end - 1;
	range->uaddr = uaddr;
	range->prot = prot;

	ret = check_early(s2, range) ?: blocks_alloc(range) ?:
	      pin_and_add(s2, range, &runs);
	vhost_iommu_runs_free(&runs);
	if (ret)
		free_range(range);
	return ret;
}

/**
 * vhost_iommu_s2_bisects() - is there a range at an address that reaches out of others?
 * @s2: stage 2
 * @addr: the address, the first or the last of the others
 * @start: first address of the others
 * @last: last address of the others
 */
bool vhost_iommu_s2_bisects(struct vhost_iommu_s2 *s2, u64 addr, u64 start,
			    u64 last)
{
	struct vhost_iommu_s2_range *range = vhost_iommu_s2_first(s2, addr, addr);

	return range && (range->node.start < start || range->node.last > last);
}

/**
 * vhost_iommu_s2_unmap() - unmap and unpin whole ranges
 * @s2: stage 2
 * @gpa: first guest-physical address
 * @last: last guest-physical address
 * @unmapped: set to how many bytes were unmapped
 *
 * Return: 0, or -EINVAL if a range would have to be cut.
 */
int vhost_iommu_s2_unmap(struct vhost_iommu_s2 *s2, u64 gpa, u64 last,
			 u64 *unmapped)
{
	struct vhost_iommu_s2_range *range;

	lockdep_assert_held_write(&s2->lock);

	if (vhost_iommu_s2_bisects(s2, gpa, gpa, last) ||
	    vhost_iommu_s2_bisects(s2, last, gpa, last))
		return -EINVAL;

	*unmapped = 0;
	while ((range = vhost_iommu_s2_first(s2, gpa, last))) {
		*unmapped += range->node.last - range->node.start + 1;
		remove_range(s2, range);
	}
	return 0;
}

/**
 * vhost_iommu_s2_unmap_all() - unmap and unpin everything
 * @s2: stage 2
 */
void vhost_iommu_s2_unmap_all(struct vhost_iommu_s2 *s2)
{
	u64 unmapped;

	vhost_iommu_s2_unmap(s2, 0, U64_MAX, &unmapped);
}

static bool has_memory(struct pci_dev *pdev, phys_addr_t start, size_t size)
{
	const struct resource piece = DEFINE_RES_MEM(start, size);
	unsigned int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if ((pci_resource_flags(pdev, i) & IORESOURCE_MEM) &&
		    pci_resource_len(pdev, i) &&
		    resource_overlaps(&pdev->resource[i], &piece))
			return true;
	return false;
}

/* Is there memory of a device in a range of memory that is not pinned? */
static bool range_has(struct vhost_iommu_s2 *s2,
		      const struct vhost_iommu_s2_range *range,
		      struct pci_dev *pdev)
{
	struct iommu_domain *domain = first_class(s2)->domain;
	u64 gpa = range->node.start;
	u64 left = range->node.last - gpa + 1;

	while (left) {
		phys_addr_t phys;
		size_t size = vhost_iommu_s2_run(domain, range, gpa,
						 range->node.last, &phys);

		if (has_memory(pdev, phys, size))
			return true;
		gpa += size;
		left -= size;
		cond_resched();
	}
	return false;
}

/**
 * vhost_iommu_s2_forget_bars() - a device is closed: unmap its BARs
 * @s2: stage 2
 * @dev: the device
 *
 * It may be somebody else's next, while the VM still has others that do DMA.
 */
void vhost_iommu_s2_forget_bars(struct vhost_iommu_s2 *s2, struct device *dev)
{
	struct vhost_iommu_s2_range *range, *next;

	lockdep_assert_held_write(&s2->lock);

	if (!dev_is_pci(dev) || list_empty(&s2->classes))
		return;
	for (range = vhost_iommu_s2_first(s2, 0, U64_MAX); range; range = next) {
		next = vhost_iommu_s2_next(range, 0, U64_MAX);
		if (!range->npinned && range_has(s2, range, to_pci_dev(dev)))
			remove_range(s2, range);
	}
}

static int replay_range(struct vhost_iommu_s2 *s2, struct iommu_domain *domain,
			struct vhost_iommu_s2_range *range)
{
	struct iommu_domain *from = first_class(s2)->domain;
	u64 gpa = range->node.start;
	u64 left = range->node.last - gpa + 1;

	while (left) {
		phys_addr_t phys;
		size_t size = vhost_iommu_s2_run(from, range, gpa,
						 range->node.last, &phys);
		int ret;

		ret = iommu_map(domain, gpa, phys, size,
				range->prot | IOMMU_CACHE, GFP_KERNEL_ACCOUNT);
		if (ret)
			return ret;
		gpa += size;
		left -= size;
		cond_resched();
	}
	return 0;
}

/**
 * vhost_iommu_s2_replay() - fill the domain of a new class
 * @s2: stage 2
 * @class: not in the list of classes yet
 *
 * Return: 0; -EINVAL if the hardware cannot map there; -ENOMEM. What has been mapped
 * goes with the domain.
 */
int vhost_iommu_s2_replay(struct vhost_iommu_s2 *s2,
			  struct vhost_iommu_class *class)
{
	struct vhost_iommu_s2_range *range;
	int ret;

	lockdep_assert_held_write(&s2->lock);

	for (range = vhost_iommu_s2_first(s2, 0, U64_MAX); range;
	     range = vhost_iommu_s2_next(range, 0, U64_MAX)) {
		if (!class_iova_valid(class, range->node.start,
				      range->node.last))
			return -EINVAL;
		ret = replay_range(s2, class->domain, range);
		if (ret)
			return ret;
	}
	return 0;
}
