/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_REGION_H
#define _VHOST_IOMMU_REGION_H

#include <linux/types.h>
#include <uapi/linux/vhost_iommu.h>

/**
 * struct vhost_iommu_regions - reserved I/O virtual addresses of an endpoint
 * @nr: entries of @r
 * @r: ascending, without overlaps
 */
struct vhost_iommu_regions {
	unsigned int			nr;
	struct vhost_iommu_region	*r;
};

int vhost_iommu_regions_add(struct vhost_iommu_regions *regions, u64 start,
			    u64 last, u32 type);
void vhost_iommu_regions_free(struct vhost_iommu_regions *regions);
const struct vhost_iommu_region *
vhost_iommu_regions_find(const struct vhost_iommu_regions *regions, u64 start,
			 u64 last);
size_t vhost_iommu_regions_size(const struct vhost_iommu_regions *regions);
void vhost_iommu_regions_encode(const struct vhost_iommu_regions *regions,
				void *buf);

#endif /* _VHOST_IOMMU_REGION_H */
