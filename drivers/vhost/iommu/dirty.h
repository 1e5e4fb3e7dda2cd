/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_DIRTY_H
#define _VHOST_IOMMU_DIRTY_H

#include <linux/errno.h>
#include <linux/kconfig.h>
#include <linux/types.h>
#include <uapi/linux/vhost_iommu.h>

struct vhost_iommu;
struct vhost_iommu_hwdom;
struct vhost_iommu_mapping;
struct vhost_iommu_s2;
struct vhost_iommu_s2_range;

#if IS_ENABLED(CONFIG_IOMMUFD) && IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
int vhost_iommu_set_dirty_tracking(struct vhost_iommu *vi,
				   const struct vhost_iommu_dirty_tracking *arg);
int vhost_iommu_get_dirty_bitmap(struct vhost_iommu *vi,
				 struct vhost_iommu_dirty_bitmap *arg);
int vhost_iommu_dirty_add_range(struct vhost_iommu_s2 *s2,
				struct vhost_iommu_s2_range *range);
void vhost_iommu_dirty_free(struct vhost_iommu_s2_range *range);
int vhost_iommu_dirty_alloc(struct vhost_iommu_hwdom *hw, u32 dev_id);
void vhost_iommu_dirty_unmap(const struct vhost_iommu_mapping *m,
			     struct vhost_iommu_s2_range *range, u64 gpa_start,
			     u64 gpa_last);
void vhost_iommu_dirty_hwdom(struct vhost_iommu_hwdom *hw);
#else
static inline int
vhost_iommu_set_dirty_tracking(struct vhost_iommu *vi,
			       const struct vhost_iommu_dirty_tracking *arg)
{
	return -EOPNOTSUPP;
}

static inline int
vhost_iommu_get_dirty_bitmap(struct vhost_iommu *vi,
			     struct vhost_iommu_dirty_bitmap *arg)
{
	return -EOPNOTSUPP;
}

static inline void vhost_iommu_dirty_unmap(const struct vhost_iommu_mapping *m,
					   struct vhost_iommu_s2_range *range,
					   u64 gpa_start, u64 gpa_last)
{
}

static inline void vhost_iommu_dirty_hwdom(struct vhost_iommu_hwdom *hw)
{
}
#endif

#endif /* _VHOST_IOMMU_DIRTY_H */
