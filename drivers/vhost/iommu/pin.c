// SPDX-License-Identifier: GPL-2.0-only
/*
 * From user addresses of the VMM to physical ones. Memory is pinned for the long
 * term. The BAR of a device (VM_PFNMAP) has no pages to pin: VFIO keeps it in place
 * while the device is open, and faults it in on the first access.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pin.h"

#define PIN_BATCH	((unsigned int)(PAGE_SIZE / sizeof(struct page *)))
#define CHUNK_RUNS	((PAGE_SIZE - sizeof(struct vhost_iommu_run_chunk)) / \
			 sizeof(struct vhost_iommu_run))

static bool runs_meet(const struct vhost_iommu_run *a,
		      const struct vhost_iommu_run *b)
{
	return a->phys + PFN_PHYS(a->npages) == b->phys;
}

/**
 * vhost_iommu_runs_add() - note a run
 * @all: where those before it are
 * @run: what comes next
 *
 * Return: 0 or -ENOMEM.
 */
int vhost_iommu_runs_add(struct vhost_iommu_runs *all,
			 const struct vhost_iommu_run *run)
{
	struct vhost_iommu_run_chunk *chunk = NULL;
	struct vhost_iommu_run *last;

	if (!list_empty(&all->chunks)) {
		chunk = list_last_entry(&all->chunks,
					struct vhost_iommu_run_chunk, list);
		last = &chunk->runs[chunk->nr - 1];
		if (runs_meet(last, run)) {
			last->npages += run->npages;
			return 0;
		}
	}
	if (!chunk || chunk->nr == CHUNK_RUNS) {
		chunk = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
		if (!chunk)
			return -ENOMEM;
		chunk->nr = 0;
		list_add_tail(&chunk->list, &all->chunks);
	}
	chunk->runs[chunk->nr++] = *run;
	return 0;
}

/**
 * vhost_iommu_runs_free() - forget the runs; what is pinned stays it
 * @all: the runs
 */
void vhost_iommu_runs_free(struct vhost_iommu_runs *all)
{
	struct vhost_iommu_run_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &all->chunks, list)
		free_page((unsigned long)chunk);
	INIT_LIST_HEAD(&all->chunks);
}

/**
 * vhost_iommu_pinner_init() - begin to pin
 * @p: what is set up
 * @mm: address space of the current process
 * @write: pages have to be writable
 *
 * Return: 0 or -ENOMEM.
 */
int vhost_iommu_pinner_init(struct vhost_iommu_pinner *p, struct mm_struct *mm,
			    bool write)
{
	*p = (struct vhost_iommu_pinner) { .mm = mm, .write = write };
	p->pages = (struct page **)__get_free_page(GFP_KERNEL);
	return p->pages ? 0 : -ENOMEM;
}

/**
 * vhost_iommu_pinner_end() - let go of what was pinned and not handed out
 * @p: the pinner
 */
void vhost_iommu_pinner_end(struct vhost_iommu_pinner *p)
{
	unpin_user_pages(p->pages + p->first, p->nr);
	free_page((unsigned long)p->pages);
}

/*
 * Is it the address of a device? A driver can have memory of its own in VM_PFNMAP too,
 * and free it: that must not be mapped without being pinned.
 */
static bool is_device_pfn(unsigned long pfn)
{
	return !pfn_valid(pfn) || PageReserved(pfn_to_page(pfn));
}

/* Find, and if need be fault in, one page of a BAR. */
static int pfnmap_lookup(struct mm_struct *mm, unsigned long uaddr, bool write,
			 unsigned long *pfn)
{
	struct follow_pfnmap_args args = { .address = uaddr };
	bool faulted = false;
	int ret;

	for (;;) {
		bool unlocked = false;

		args.vma = vma_lookup(mm, uaddr);
		if (!args.vma || !(args.vma->vm_flags & VM_PFNMAP))
			return -EFAULT;
		if (!follow_pfnmap_start(&args))
			break;
		if (faulted)
			return -EFAULT;
		ret = fixup_user_fault(mm, uaddr, write ? FAULT_FLAG_WRITE : 0,
				       &unlocked);
		if (ret)
			return ret;
		faulted = !unlocked;
		if (fatal_signal_pending(current))
			return -EINTR;
	}

	ret = (write && !args.writable) || !is_device_pfn(args.pfn) ?
	      -EFAULT : 0;
	*pfn = args.pfn;
	follow_pfnmap_end(&args);
	return ret;
}

/**
 * vhost_iommu_find_bar() - find a run of pages of a device's BAR
 * @mm: address space of the current process
 * @uaddr: page-aligned address
 * @npages: pages that are wanted
 * @write: pages have to be writable
 * @run: filled with at least one page and at most @npages
 *
 * The device is open as long as the BAR is mapped in @mm.
 *
 * Return: 0; -EFAULT if there is no BAR; -EINTR for a fatal signal.
 */
int vhost_iommu_find_bar(struct mm_struct *mm, unsigned long uaddr,
			 unsigned long npages, bool write,
			 struct vhost_iommu_run *run)
{
	unsigned long pfn, next;
	int ret;

	mmap_read_lock(mm);
	ret = pfnmap_lookup(mm, uaddr, write, &pfn);
	if (ret)
		goto out_unlock;

	run->phys = PFN_PHYS(pfn);
	for (run->npages = 1; run->npages < min(npages, PIN_BATCH); run->npages++) {
		uaddr += PAGE_SIZE;
		if (pfnmap_lookup(mm, uaddr, write, &next) ||
		    next != pfn + run->npages)
			break;
	}
out_unlock:
	mmap_read_unlock(mm);
	return ret;
}

static int refill(struct vhost_iommu_pinner *p, unsigned long uaddr,
		  unsigned long npages)
{
	unsigned int flags = FOLL_LONGTERM | (p->write ? FOLL_WRITE : 0);
	int locked = 1;
	long ret;

	if (mmap_read_lock_killable(p->mm))
		return -EINTR;
	/* With @locked, it waits for memory without the lock, and can be killed. */
	ret = pin_user_pages_remote(p->mm, uaddr, min(npages, PIN_BATCH), flags,
				    p->pages, &locked);
	if (locked)
		mmap_read_unlock(p->mm);
	if (ret <= 0)
		return ret ?: -EFAULT;
	p->first = 0;
	p->nr = ret;
	return 0;
}

/**
 * vhost_iommu_pin_run() - pin a run of consecutive physical pages
 * @p: the pinner
 * @uaddr: page-aligned address, where the last run ended
 * @npages: pages that are wanted
 * @run: filled with at least one page and at most @npages
 *
 * Return: 0; -EFAULT or another error of pin_user_pages_remote() if there is no
 * such memory; -EINTR for a fatal signal.
 */
int vhost_iommu_pin_run(struct vhost_iommu_pinner *p, unsigned long uaddr,
			unsigned long npages, struct vhost_iommu_run *run)
{
	unsigned long pfn;
	int ret;

	if (!p->nr) {
		ret = refill(p, uaddr, npages);
		if (ret)
			return ret;
	}

	pfn = page_to_pfn(p->pages[p->first]);
	run->phys = PFN_PHYS(pfn);
	run->npages = 0;
	do {
		run->npages++;
		p->first++;
		p->nr--;
	} while (p->nr && page_to_pfn(p->pages[p->first]) == pfn + run->npages);
	return 0;
}

/**
 * vhost_iommu_unpin() - unpin a run
 * @phys: address of the first page
 * @npages: how many
 * @dirty: a device may have written to them
 */
void vhost_iommu_unpin(phys_addr_t phys, unsigned long npages, bool dirty)
{
	unpin_user_page_range_dirty_lock(pfn_to_page(PHYS_PFN(phys)), npages, dirty);
}
