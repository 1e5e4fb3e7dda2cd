/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_UARG_H
#define _VHOST_IOMMU_UARG_H

#include <linux/types.h>

struct file;
struct mm_struct;

/**
 * struct vhost_iommu_uarg - a page of user memory for the arguments of ioctls
 * @mm: the address space, which may be gone; only compared
 * @addr: of the page
 */
struct vhost_iommu_uarg {
	struct mm_struct	*mm;
	unsigned long		addr;
};

int vhost_iommu_uarg_init(struct vhost_iommu_uarg *uarg);
void vhost_iommu_uarg_end(struct vhost_iommu_uarg *uarg);
int vhost_iommu_uarg_may(const struct vhost_iommu_uarg *uarg, struct file *file,
			 unsigned int cmd);
int vhost_iommu_uarg_command(const struct vhost_iommu_uarg *uarg, struct file *file,
			     unsigned int cmd, const void *arg, size_t size);
int vhost_iommu_uarg_ioctl(const struct vhost_iommu_uarg *uarg, struct file *file,
			   unsigned int cmd, void *arg, size_t size);

#endif /* _VHOST_IOMMU_UARG_H */
