/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_MEMTABLE_H
#define _VHOST_IOMMU_MEMTABLE_H

#include <linux/types.h>

struct vhost_memory;

struct vhost_iommu_memregion {
	u64		start;
	u64		last;
	unsigned long	uaddr;
};

/**
 * struct vhost_iommu_memtable - where the guest's memory is in the VMM
 * @nr: entries of @regions
 * @regions: ascending, without overlaps
 */
struct vhost_iommu_memtable {
	unsigned int			nr;
	struct vhost_iommu_memregion	regions[] __counted_by(nr);
};

struct vhost_iommu_memtable *
vhost_iommu_memtable_create(const struct vhost_memory __user *umem);
void vhost_iommu_memtable_free(struct vhost_iommu_memtable *mem);
void __user *vhost_iommu_mem_find(const struct vhost_iommu_memtable *mem, u64 gpa,
				  size_t len);
int vhost_iommu_mem_read(const struct vhost_iommu_memtable *mem, u64 gpa,
			 void *buf, size_t len);
int vhost_iommu_mem_write(const struct vhost_iommu_memtable *mem, u64 gpa,
			  const void *buf, size_t len);

#endif /* _VHOST_IOMMU_MEMTABLE_H */
