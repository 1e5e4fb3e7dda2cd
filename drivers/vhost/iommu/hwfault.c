// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the physical IOMMU. A host driver that tells of a DMA that it stopped
 * calls report_iommu_fault(), in any context and at any time: also while the domain
 * and the endpoint are taken apart. So the handler looks at nothing but the device,
 * and finds its endpoint in a list with a spinlock of its own. An endpoint is in the
 * list while it has a device.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/spinlock.h>

#include "endpoint.h"
#include "stage2.h"
#include "vhost_iommu.h"

static DEFINE_SPINLOCK(watch_lock);
static LIST_HEAD(watched);	/* struct vhost_iommu_ep; watch_lock */

/*
 * The endpoint of a device; of a bridge that does DMA in the name of the devices
 * behind it, the first one of its group.
 */
static struct vhost_iommu_ep *find_watched(struct device *dev)
{
	struct vhost_iommu_ep *ep, *same_group = NULL;

	lockdep_assert_held(&watch_lock);

	list_for_each_entry(ep, &watched, watch_list) {
		if (ep->dev == dev)
			return ep;
		if (!same_group && dev->iommu_group &&
		    ep->dev->iommu_group == dev->iommu_group)
			same_group = ep;
	}
	return same_group;
}

/* An iommu_fault_handler_t. The host's driver logs the fault as well. */
static int hw_fault(struct iommu_domain *domain, struct device *dev,
		    unsigned long iova, int flags, void *token)
{
	u32 access = flags & IOMMU_FAULT_WRITE ? VIRTIO_IOMMU_FAULT_F_WRITE :
						 VIRTIO_IOMMU_FAULT_F_READ;
	struct vhost_iommu_ep *ep;
	unsigned long irqflags;

	/* Some drivers know the domain only. */
	if (!dev)
		return -ENODEV;
	spin_lock_irqsave(&watch_lock, irqflags);
	ep = find_watched(dev);
	if (ep)
		vhost_iommu_report_fault(ep->vi, VIRTIO_IOMMU_FAULT_R_MAPPING,
					 access | VIRTIO_IOMMU_FAULT_F_ADDRESS,
					 ep->id, iova);
	spin_unlock_irqrestore(&watch_lock, irqflags);
	return -ENODEV;
}

/**
 * vhost_iommu_handle_hw_faults() - have the faults of a domain reported
 * @domain: a new domain, without a software MSI cookie
 */
void vhost_iommu_handle_hw_faults(struct iommu_domain *domain)
{
	iommu_set_fault_handler(domain, hw_fault, NULL);
}

/**
 * vhost_iommu_ep_watch() - report the faults of a device to the guest
 * @ep: its endpoint
 * @dev: the device
 */
void vhost_iommu_ep_watch(struct vhost_iommu_ep *ep, struct device *dev)
{
	spin_lock_irq(&watch_lock);
	ep->dev = dev;
	list_add_tail(&ep->watch_list, &watched);
	spin_unlock_irq(&watch_lock);
}

/**
 * vhost_iommu_ep_unwatch() - no more; none is on its way afterwards
 * @ep: an endpoint
 */
void vhost_iommu_ep_unwatch(struct vhost_iommu_ep *ep)
{
	spin_lock_irq(&watch_lock);
	list_del_init(&ep->watch_list);
	ep->dev = NULL;
	spin_unlock_irq(&watch_lock);
}
