/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_PASID_H
#define _VHOST_IOMMU_PASID_H

#include <linux/types.h>

struct vhost_iommu;
struct vhost_iommu_domain;
struct vhost_iommu_kind;

u64 vhost_iommu_pasid_entry_root(u64 entry);
u64 vhost_iommu_pasid_root(struct vhost_iommu *vi, u64 pasids);
u8 vhost_iommu_pasids_attach(struct vhost_iommu *vi, u32 id, u32 endpoint,
			     const struct vhost_iommu_kind *kind);
int vhost_iommu_pasids_reread(struct vhost_iommu_domain *domain);

#endif /* _VHOST_IOMMU_PASID_H */
