// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that the device reports on the event queue.
 *
 * The interrupt leaves them to a work item, which takes as many at a time as the queue
 * has buffers, and then lets others run: a device can report faults without end.
 *
 * One whose reserved field is set is of a kind that we do not know. Each of the others
 * is logged with the name of the endpoint's device, and handed to
 * report_iommu_fault(): the io_page_fault trace point, and the fault handler of the
 * domain the endpoint is in.
 */
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "viommu.h"

static const char *viommu_fault_reason(u8 reason)
{
	switch (reason) {
	case VIRTIO_IOMMU_FAULT_R_DOMAIN:
		return "no domain";
	case VIRTIO_IOMMU_FAULT_R_MAPPING:
		return "no mapping";
	default:
		return "unknown reason";
	}
}

static void viommu_report_fault(struct viommu_dev *viommu,
				const struct virtio_iommu_fault *fault)
{
	u64 address = le64_to_cpu(fault->address);
	u32 nr = le32_to_cpu(fault->endpoint);
	u32 flags = le32_to_cpu(fault->flags);
	bool addressed = flags & VIRTIO_IOMMU_FAULT_F_ADDRESS;
	struct device *dev = viommu->dev;
	struct viommu_id *id;
	unsigned long irqflags;

	/* Keeps the endpoint and its domain where they are. */
	xa_lock_irqsave(&viommu->ids, irqflags);
	id = xa_load(&viommu->ids, nr);
	if (id && id->dev)
		dev = id->dev;
	dev_err_ratelimited(dev, "fault: endpoint 0x%x,%s%s address 0x%llx%s, %s\n",
			    nr,
			    flags & VIRTIO_IOMMU_FAULT_F_READ ? " read" : "",
			    flags & VIRTIO_IOMMU_FAULT_F_WRITE ? " write" : "",
			    addressed ? address : 0,
			    addressed ? "" : " (not known)",
			    viommu_fault_reason(fault->reason));
	if (id && id->domain && addressed)
		report_iommu_fault(&id->domain->domain, dev, address,
				   flags & VIRTIO_IOMMU_FAULT_F_WRITE ?
				   IOMMU_FAULT_WRITE : IOMMU_FAULT_READ);
	xa_unlock_irqrestore(&viommu->ids, irqflags);
}

static int viommu_event_add(struct viommu_dev *viommu,
			    struct virtio_iommu_fault *event)
{
	struct scatterlist sg;

	sg_init_one(&sg, event, sizeof(*event));
	return virtqueue_add_inbuf(viommu->event_vq, &sg, 1, event, GFP_ATOMIC);
}

static void viommu_event_handle(struct viommu_dev *viommu,
				struct virtio_iommu_fault *event,
				unsigned int len)
{
	struct virtio_iommu_fault fault = *event;

	if (viommu_event_add(viommu, event))
		dev_err_ratelimited(viommu->dev, "event buffer lost\n");

	if (len < sizeof(fault))
		dev_err_ratelimited(viommu->dev, "event of %u bytes ignored\n",
				    len);
	else if (!memchr_inv(fault.reserved, 0, sizeof(fault.reserved)))
		viommu_report_fault(viommu, &fault);
}

static void viommu_event_work(struct work_struct *work)
{
	struct viommu_dev *viommu = container_of(work, struct viommu_dev,
						 event_work);
	struct virtqueue *vq = viommu->event_vq;
	unsigned int len, left = virtqueue_get_vring_size(vq);
	struct virtio_iommu_fault *event = NULL;

	while (left-- && (event = virtqueue_get_buf(vq, &len)))
		viommu_event_handle(viommu, event, len);
	virtqueue_kick(vq);

	if (event)
		schedule_work(work);
}

/**
 * viommu_event_ready() - the interrupt of the event queue
 * @vq: the queue
 */
void viommu_event_ready(struct virtqueue *vq)
{
	struct viommu_dev *viommu = vq->vdev->priv;

	schedule_work(&viommu->event_work);
}

/**
 * viommu_events_prepare() - what viommu_events_start() needs, once
 * @viommu: the instance
 */
void viommu_events_prepare(struct viommu_dev *viommu)
{
	INIT_WORK(&viommu->event_work, viommu_event_work);
	disable_work(&viommu->event_work);
}

/**
 * viommu_events_start() - give the device buffers for its events
 * @viommu: the instance, which has its queues
 *
 * Return: 0 or an errno.
 */
int viommu_events_start(struct viommu_dev *viommu)
{
	unsigned int i, nr = viommu->event_vq->num_free;
	int err;

	viommu->events = kcalloc(nr, sizeof(*viommu->events), GFP_KERNEL);
	if (!viommu->events)
		return -ENOMEM;

	for (i = 0; i < nr; i++) {
		err = viommu_event_add(viommu, &viommu->events[i]);
		if (err)
			goto err_free_events;
	}
	enable_work(&viommu->event_work);
	return 0;

err_free_events:
	kfree(viommu->events);
	viommu->events = NULL;
	return err;
}

/**
 * viommu_events_stop() - take the buffers back
 * @viommu: the instance, which may have none. The device was reset, or has never seen
 *	them
 */
void viommu_events_stop(struct viommu_dev *viommu)
{
	if (!viommu->events)
		return;

	disable_work_sync(&viommu->event_work);
	while (virtqueue_detach_unused_buf(viommu->event_vq))
		;
	kfree(viommu->events);
	viommu->events = NULL;
}
