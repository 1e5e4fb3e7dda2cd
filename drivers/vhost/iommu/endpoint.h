/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_ENDPOINT_H
#define _VHOST_IOMMU_ENDPOINT_H

#include <linux/list.h>
#include <linux/types.h>
#include <uapi/linux/vhost_iommu.h>

#include "region.h"

struct device;
struct vhost_iommu;
struct vhost_iommu_device;
struct vhost_iommu_domain;
struct vhost_iommu_group;
struct vhost_iommu_hwdom;

/**
 * struct vhost_iommu_ep - a device behind the virtual IOMMU
 * @vi: the instance; constant
 * @id: number; constant
 * @assigned: a VFIO device, not an emulated one; constant
 * @notify: the VMM keeps translations for it; the instance's lock
 * @resv: reserved regions; constant
 * @domain_list: entry in vhost_iommu_domain.endpoints; the instance's lock
 * @domain: the domain it is attached to, or NULL; the instance's lock and, if
 *	@assigned, s2.lock
 * @group_list: entry in vhost_iommu_group.endpoints; s2.lock
 * @group: of an assigned endpoint; NULL once VFIO took the group away; s2.lock
 * @device: of an assigned endpoint; NULL once the VFIO device was closed; s2.lock
 * @hwdom: the part of @domain that @group uses; NULL in bypass; s2.lock
 * @watch_list: entry in the list of those whose faults are reported; watch_lock in
 *	hwfault.c
 * @dev: of @device, while in that list; watch_lock
 */
struct vhost_iommu_ep {
	struct vhost_iommu		*vi;
	u32				id;
	bool				assigned;
	bool				notify;
	struct vhost_iommu_regions	resv;

	struct list_head		domain_list;
	struct vhost_iommu_domain	*domain;

	struct list_head		group_list;
	struct vhost_iommu_group	*group;
	struct vhost_iommu_device	*device;
	struct vhost_iommu_hwdom	*hwdom;

	struct list_head		watch_list;
	struct device			*dev;
};

void vhost_iommu_lock_s2(struct vhost_iommu *vi);
void vhost_iommu_unlock_s2(struct vhost_iommu *vi);
int vhost_iommu_ep_add(struct vhost_iommu *vi,
		       const struct vhost_iommu_endpoint *arg);
int vhost_iommu_ep_remove(struct vhost_iommu *vi, u32 id);
int vhost_iommu_ep_set_notify(struct vhost_iommu *vi, u32 id, bool notify);
void vhost_iommu_ep_remove_all(struct vhost_iommu *vi);
void vhost_iommu_ep_forget_device(struct vhost_iommu_device *dev);
void vhost_iommu_ep_detach_all(struct vhost_iommu *vi);
int vhost_iommu_ep_set_bypass(struct vhost_iommu *vi, bool bypass);
int vhost_iommu_ep_translate(struct vhost_iommu *vi,
			     struct vhost_iommu_translate *tr);

/* hwfault.c */
void vhost_iommu_ep_watch(struct vhost_iommu_ep *ep, struct device *dev);
void vhost_iommu_ep_unwatch(struct vhost_iommu_ep *ep);

#endif /* _VHOST_IOMMU_ENDPOINT_H */
