/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_IOMMUFD_H
#define _VHOST_IOMMU_IOMMUFD_H

#include <linux/errno.h>
#include <linux/kconfig.h>
#include <linux/types.h>
#include <uapi/linux/vhost_iommu.h>

struct file;
struct vhost_iommu;
struct vhost_iommu_ep;
struct vhost_iommu_hwdom;
struct vhost_iommu_s2;

#if IS_ENABLED(CONFIG_IOMMUFD) && IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
int vhost_iommu_set_iommufd(struct vhost_iommu *vi,
			    const struct vhost_iommu_iommufd *arg);
int vhost_iommu_add_memory(struct vhost_iommu *vi,
			   const struct vhost_iommu_memory *arg);
int vhost_iommu_remove_memory(struct vhost_iommu *vi,
			      const struct vhost_iommu_memory *arg);
bool vhost_iommu_has_iommufd(const struct vhost_iommu *vi);

/* iommufd.c, for the rest of the back end */
int vhost_iommu_iommufd_ioctl(struct vhost_iommu_s2 *s2, unsigned int cmd,
			      void *arg, size_t size);
int vhost_iommu_iommufd_may(struct vhost_iommu_s2 *s2, unsigned int cmd);
int vhost_iommu_iommufd_command(struct vhost_iommu_s2 *s2, unsigned int cmd,
				const void *arg, size_t size);
void vhost_iommu_iommufd_destroy(struct vhost_iommu_s2 *s2, u32 id);
u64 vhost_iommu_iommufd_arg(struct vhost_iommu_s2 *s2);
void vhost_iommu_iommufd_block(struct vhost_iommu_hwdom *hw);
int vhost_iommu_iommufd_attach(struct vhost_iommu_s2 *s2, struct file *device,
			       u32 pt);
void vhost_iommu_iommufd_detach(struct vhost_iommu_s2 *s2, struct file *device);
int vhost_iommu_iommufd_aperture(struct vhost_iommu_s2 *s2, u64 *first, u64 *last);

/* iommufd_device.c */
int vhost_iommu_iommufd_bind(struct vhost_iommu_ep *ep,
			     const struct vhost_iommu_endpoint *arg,
			     struct file *file, const char *name);
void vhost_iommu_iommufd_unbind(struct vhost_iommu_ep *ep);
#else
static inline int vhost_iommu_set_iommufd(struct vhost_iommu *vi,
					  const struct vhost_iommu_iommufd *arg)
{
	return -EOPNOTSUPP;
}

static inline int vhost_iommu_add_memory(struct vhost_iommu *vi,
					 const struct vhost_iommu_memory *arg)
{
	return -EOPNOTSUPP;
}

static inline int vhost_iommu_remove_memory(struct vhost_iommu *vi,
					    const struct vhost_iommu_memory *arg)
{
	return -EOPNOTSUPP;
}

static inline bool vhost_iommu_has_iommufd(const struct vhost_iommu *vi)
{
	return false;
}
#endif

#endif /* _VHOST_IOMMU_IOMMUFD_H */
