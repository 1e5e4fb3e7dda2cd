/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_VEVENT_H
#define _VHOST_IOMMU_VEVENT_H

#include <linux/types.h>

struct vhost_iommu;
struct vhost_iommu_nest;
struct vhost_iommu_vevents;

struct vhost_iommu_vevents *
vhost_iommu_vevents_create(struct vhost_iommu_nest *nest, u32 type);
void vhost_iommu_vevents_destroy(struct vhost_iommu_vevents *events);

#ifdef COMPAT_IOMMUFD_VIOMMU
void vhost_iommu_read_vevents(struct vhost_iommu *vi);
#else
static inline void vhost_iommu_read_vevents(struct vhost_iommu *vi)
{
}
#endif

#endif /* _VHOST_IOMMU_VEVENT_H */
