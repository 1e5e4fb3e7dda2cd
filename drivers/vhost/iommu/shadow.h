/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_SHADOW_H
#define _VHOST_IOMMU_SHADOW_H

#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <uapi/linux/vhost_iommu.h>

#include "table.h"

struct vhost_iommu_domain;
struct vhost_iommu_ep;

int vhost_iommu_shadow_begin(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_ep *ep);
void vhost_iommu_shadow_end(struct vhost_iommu_domain *domain);
int vhost_iommu_shadow_sync(struct vhost_iommu_domain *domain, u64 start, u64 last);
void vhost_iommu_shadow_translate(struct vhost_iommu_domain *domain,
				  struct vhost_iommu_translate *tr);

/* Page sizes that a leaf can have, a bit each. */
static inline u64 vhost_iommu_table_sizes(const struct vhost_iommu_config *config)
{
	return config->page_size_mask & (SZ_4K | SZ_2M | SZ_1G);
}

/* The last I/O virtual address that a table can map. */
static inline u64 vhost_iommu_table_last(const struct vhost_iommu_config *config)
{
	return min(config->input_end, VHOST_IOMMU_TABLE_LAST);
}

#endif /* _VHOST_IOMMU_SHADOW_H */
