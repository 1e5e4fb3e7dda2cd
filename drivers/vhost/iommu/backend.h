/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What serves assigned endpoints: a VFIO container (container.c) or iommufd
 * (iommufd.c). A stage 2 is of one back end, and with it all that hangs on it. What the
 * guest asks for, and what follows from it for the hardware, is the same for both.
 *
 * All of it is called with the locks of the instance and of stage 2 held.
 */
#ifndef _VHOST_IOMMU_BACKEND_H
#define _VHOST_IOMMU_BACKEND_H

#include <linux/types.h>

struct file;
struct vhost_iommu_class;
struct vhost_iommu_endpoint;
struct vhost_iommu_ep;
struct vhost_iommu_group;
struct vhost_iommu_hwdom;
struct vhost_iommu_s2;
struct vhost_iommu_s2_range;

/**
 * struct vhost_iommu_backend - the operations of a back end
 * @release: free a stage 2 that nobody uses any more; without locks
 * @bind: find the VFIO device of an endpoint, set its @device and @group. Return: see
 *	VHOST_IOMMU_ADD_ENDPOINT
 * @unbind: undo that, for an endpoint whose @device is not NULL
 * @aperture: which addresses the hardware can translate
 * @attach: attach a group to a hardware domain, or to stage 2 if that is NULL. Return:
 *	0, or an error: the group is where it was then, or blocked if even that fails
 * @block: leave a group nothing to reach
 * @alloc: make the domain of a hardware domain, empty, for the class of a group
 * @free: free it; no group is attached
 * @map: map a piece of a range of stage 2, all of it or nothing. With a @shift, each 2
 *	to the power of it bytes of @iova can be unmapped by themselves, while the rest is
 *	in use. Return: 0, -ENOMEM, -EINTR or an error of the IOMMU driver
 * @unmap: unmap a piece that was mapped, or is a hole as bringing it back has failed.
 *	The hardware may reach it until there was a @flush
 * @flush: end that
 */
struct vhost_iommu_backend {
	void	(*release)(struct vhost_iommu_s2 *s2);
	int	(*bind)(struct vhost_iommu_ep *ep,
			const struct vhost_iommu_endpoint *arg,
			struct file *file, const char *name);
	void	(*unbind)(struct vhost_iommu_ep *ep);
	void	(*aperture)(const struct vhost_iommu_class *class, u64 *start,
			    u64 *last);
	int	(*attach)(struct vhost_iommu_group *group,
			  const struct vhost_iommu_hwdom *hw);
	void	(*block)(struct vhost_iommu_group *group);
	int	(*alloc)(struct vhost_iommu_hwdom *hw,
			 struct vhost_iommu_group *group);
	void	(*free)(struct vhost_iommu_hwdom *hw);
	int	(*map)(struct vhost_iommu_hwdom *hw,
		       const struct vhost_iommu_s2_range *range, u64 iova,
		       u64 gpa, u64 gpa_last, int prot, unsigned int shift);
	void	(*unmap)(struct vhost_iommu_hwdom *hw, u64 iova, u64 size);
	void	(*flush)(struct vhost_iommu_hwdom *hw);
};

extern const struct vhost_iommu_backend vhost_iommu_container;

#endif /* _VHOST_IOMMU_BACKEND_H */
