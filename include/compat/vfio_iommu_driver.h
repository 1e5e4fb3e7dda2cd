/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between a VFIO container and its IOMMU driver.
 *
 * The symbols are exported but their header, drivers/vfio/vfio.h, is private, and
 * symbol versions do not cover the layout of the structure. `make check` compares
 * the declarations below with the sources of every supported kernel.
 */
#ifndef _COMPAT_VFIO_IOMMU_DRIVER_H
#define _COMPAT_VFIO_IOMMU_DRIVER_H

#include <linux/types.h>

struct iommu_domain;
struct iommu_group;
struct module;
struct page;
struct vfio_device;

enum vfio_group_type {
	VFIO_IOMMU,		/* a physical device behind an IOMMU */
	VFIO_EMULATED_IOMMU,	/* a virtual device, its IOMMU is software */
	VFIO_NO_IOMMU,		/* a physical device without an IOMMU */
};

struct vfio_iommu_driver_ops {
	char		*name;
	struct module	*owner;
	void		*(*open)(unsigned long arg);
	void		(*release)(void *iommu_data);
	long		(*ioctl)(void *iommu_data, unsigned int cmd,
				 unsigned long arg);
	int		(*attach_group)(void *iommu_data,
					struct iommu_group *group,
					enum vfio_group_type);
	void		(*detach_group)(void *iommu_data,
					struct iommu_group *group);
	int		(*pin_pages)(void *iommu_data,
				     struct iommu_group *group,
				     dma_addr_t user_iova,
				     int npage, int prot,
				     struct page **pages);
	void		(*unpin_pages)(void *iommu_data,
				       dma_addr_t user_iova, int npage);
	void		(*register_device)(void *iommu_data,
					   struct vfio_device *vdev);
	void		(*unregister_device)(void *iommu_data,
					     struct vfio_device *vdev);
	int		(*dma_rw)(void *iommu_data, dma_addr_t user_iova,
				  void *data, size_t count, bool write);
	struct iommu_domain *(*group_iommu_domain)(void *iommu_data,
						   struct iommu_group *group);
};

int vfio_register_iommu_driver(const struct vfio_iommu_driver_ops *ops);
void vfio_unregister_iommu_driver(const struct vfio_iommu_driver_ops *ops);

#endif /* _COMPAT_VFIO_IOMMU_DRIVER_H */
