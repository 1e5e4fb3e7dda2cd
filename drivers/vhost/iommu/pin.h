/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_PIN_H
#define _VHOST_IOMMU_PIN_H

#include <linux/types.h>

struct mm_struct;
struct page;

/**
 * struct vhost_iommu_pinner - walks over user memory and pins it
 * @mm: of the current process; constant
 * @write: pages have to be writable; constant
 * @pages: a page's worth of pointers
 * @first: index of the next page in @pages
 * @nr: how many are pinned there and not handed out yet
 */
struct vhost_iommu_pinner {
	struct mm_struct	*mm;
	bool			write;
	struct page		**pages;
	unsigned int		first;
	unsigned int		nr;
};

/**
 * struct vhost_iommu_run - consecutive physical pages
 * @phys: address of the first one
 * @npages: how many
 * @pinned: pinned memory, as opposed to the BAR of a device
 */
struct vhost_iommu_run {
	phys_addr_t	phys;
	unsigned long	npages;
	bool		pinned;
};

int vhost_iommu_pinner_init(struct vhost_iommu_pinner *p, struct mm_struct *mm,
			    bool write);
void vhost_iommu_pinner_end(struct vhost_iommu_pinner *p);
int vhost_iommu_pin_run(struct vhost_iommu_pinner *p, unsigned long uaddr,
			unsigned long npages, struct vhost_iommu_run *run);
void vhost_iommu_unpin(phys_addr_t phys, unsigned long npages, bool dirty);

#endif /* _VHOST_IOMMU_PIN_H */
