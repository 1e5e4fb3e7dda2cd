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
static int pfnmap_lookup(struct vhost_iommu_pinner *p, unsigned long uaddr,
			 unsigned long *pfn)
{
	struct follow_pfnmap_args args = { .address = uaddr };
	bool faulted = false;
	int ret;

	for (;;) {
		bool unlocked = false;

		args.vma = vma_lookup(p->mm, uaddr);
		if (!args.vma || !(args.vma->vm_flags & VM_PFNMAP))
			return -EFAULT;
		if (!follow_pfnmap_start(&args))
			break;
		if (faulted)
			return -EFAULT;
		ret = fixup_user_fault(p->mm, uaddr,
				       p->write ? FAULT_FLAG_WRITE : 0,
				       &unlocked);
		if (ret)
			return ret;
		faulted = !unlocked;
		if (fatal_signal_pending(current))
			return -EINTR;
	}

	ret = (p->write && !args.writable) || !is_device_pfn(args.pfn) ?
	      -EFAULT : 0;
	*pfn = args.pfn;
	follow_pfnmap_end(&args);
	return ret;
}

static int pfnmap_run(struct vhost_iommu_pinner *p, unsigned long uaddr,
		      unsigned long npages, struct vhost_iommu_run *run)
{
	unsigned long pfn, next;
	int ret;

	ret = pfnmap_lookup(p, uaddr, &pfn);
	if (ret)
		return ret;

	run->phys = PFN_PHYS(pfn);
	run->pinned = false;
	for (run->npages = 1; run->npages < min(npages, PIN_BATCH); run->npages++) {
		uaddr += PAGE_SIZE;
		if (pfnmap_lookup(p, uaddr, &next) || next != pfn + run->npages)
			break;
	}
	return 0;
}

/* Return: 0 if @p has pages now, 1 if @run was filled instead, or an error. */
static int refill(struct vhost_iommu_pinner *p, unsigned long uaddr,
		  unsigned long npages, struct vhost_iommu_run *run)
{
	unsigned int flags = FOLL_LONGTERM | (p->write ? FOLL_WRITE : 0);
	long ret;

	mmap_read_lock(p->mm);
	ret = pin_user_pages_remote(p->mm, uaddr, min(npages, PIN_BATCH), flags,
				    p->pages, NULL);
	if (ret > 0) {
		p->first = 0;
		p->nr = ret;
		ret = 0;
	} else if (!pfnmap_run(p, uaddr, npages, run)) {
		ret = 1;
	} else if (!ret) {
		ret = -EFAULT;
	}
	mmap_read_unlock(p->mm);
	return ret;
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
		ret = refill(p, uaddr, npages, run);
		if (ret < 0)
			return ret;
		if (ret)
			return 0;
	}

	pfn = page_to_pfn(p->pages[p->first]);
	run->phys = PFN_PHYS(pfn);
	run->pinned = true;
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
