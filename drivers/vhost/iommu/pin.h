/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_PIN_H
#define _VHOST_IOMMU_PIN_H

#include <linux/list.h>
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
 */
struct vhost_iommu_run {
	phys_addr_t	phys;
	unsigned long	npages;
};

/**
 * struct vhost_iommu_runs - what is behind a range of user addresses
 * @chunks: struct vhost_iommu_run_chunk; in the order of the addresses, and runs that
 *	meet are one
 */
struct vhost_iommu_runs {
	struct list_head	chunks;
};

/**
 * struct vhost_iommu_run_chunk - a page of runs
 * @list: entry in vhost_iommu_runs.chunks
 * @nr: how many there are
 * @runs: the runs
 */
struct vhost_iommu_run_chunk {
	struct list_head	list;
	unsigned int		nr;
	struct vhost_iommu_run	runs[];
};

int vhost_iommu_runs_add(struct vhost_iommu_runs *all,
			 const struct vhost_iommu_run *run);
void vhost_iommu_runs_free(struct vhost_iommu_runs *all);
int vhost_iommu_pinner_init(struct vhost_iommu_pinner *p, struct mm_struct *mm,
			    bool write);
void vhost_iommu_pinner_end(struct vhost_iommu_pinner *p);
int vhost_iommu_pin_run(struct vhost_iommu_pinner *p, unsigned long uaddr,
			unsigned long npages, struct vhost_iommu_run *run);
int vhost_iommu_find_bar(struct mm_struct *mm, unsigned long uaddr,
			 unsigned long npages, bool write,
			 struct vhost_iommu_run *run);
void vhost_iommu_unpin(phys_addr_t phys, unsigned long npages, bool dirty);

#endif /* _VHOST_IOMMU_PIN_H */
