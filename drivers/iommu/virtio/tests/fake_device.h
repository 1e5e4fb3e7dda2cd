/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that the tests drive the driver with: a virtio device that the driver binds
 * to, real virtqueues, and another end of them that answers within the notification, or
 * misbehaves.
 */
#ifndef _VIOMMU_FAKE_DEVICE_H
#define _VIOMMU_FAKE_DEVICE_H

#include <kunit/test.h>
#include <linux/fwnode.h>

#include "../viommu.h"

struct platform_device;

#define FAKE_LOG_SIZE	64
#define FAKE_TYPES	(VIRTIO_IOMMU_T_INVALIDATE + 1)
#define FAKE_PROBE_SIZE	128

/* What a request said */
struct fake_request {
	u8 type;
	u32 domain;
	u32 endpoint;
	u32 flags;
	u64 start;
	u64 last;
	u64 phys;
	u16 format;
	u8 bits;
	u16 inv_type;
	u32 pasid;
	u64 archid;
};

/**
 * struct fake_device - the device
 * @viommu: the instance of the driver that uses it
 * @vdev: the virtio device
 * @parent: what firmware would name
 * @fwnode: of @parent
 * @features: what it offers
 * @config: its configuration
 * @device_status: as in virtio
 * @ring_size: descriptors of each queue; a request takes two
 * @rings: memory of the request queue and of the event queue
 * @vqs: these queues, NULL without a driver
 * @seen: requests taken from the ring
 * @events: buffers taken from the event ring
 * @early_faults: how many faults it reports as soon as it may
 * @resets: how often it was reset
 * @status: what each type of request is answered with
 * @refuse_endpoint: ATTACH of this id is answered with S_UNSUPP, if not 0
 * @unknown_endpoint: what names this id is answered with S_NOENT, if not 0
 * @withhold_endpoint: what names this id is never answered, if not 0
 * @interlude: called once, after the next answers and before the driver sees them
 * @data: for @interlude
 * @properties: what PROBE returns
 * @no_queues: it cannot have its queues set up
 * @mute: answer nothing
 * @reverse: answer the last one first
 * @no_status: answer without writing a status
 * @short_used: answer that nothing was written
 * @bad_id: answer a request that does not exist
 * @notified: how often the driver has notified about requests
 * @replenished: how often it has notified about buffers for events
 * @config_writes: how often it has written to the configuration
 * @reset_unlocked: endpoints could be moved during the last reset
 * @disturbed: it could have been interrupted, or kept others from the queue
 * @nr: how many requests were seen
 * @log: the first of them
 */
struct fake_device {
	struct viommu_dev *viommu;
	struct virtio_device *vdev;
	struct device *parent;
	struct fwnode_handle fwnode;
	u64 features;
	struct virtio_iommu_config config;
	u8 device_status;
	unsigned int ring_size;
	void *rings[2];
	struct virtqueue *vqs[2];
	u16 seen;
	u16 events;
	unsigned int early_faults;
	unsigned int resets;

	u8 status[FAKE_TYPES];
	u32 refuse_endpoint;
	u32 unknown_endpoint;
	u32 withhold_endpoint;
	void (*interlude)(void *data);
	void *data;
	u8 properties[FAKE_PROBE_SIZE] __aligned(8);
	bool no_queues;
	bool mute;
	bool reverse;
	bool no_status;
	bool short_used;
	bool bad_id;

	unsigned int notified;
	unsigned int replenished;
	unsigned int config_writes;
	bool reset_unlocked;
	bool disturbed;
	unsigned int nr;
	struct fake_request log[FAKE_LOG_SIZE];
};

struct fake_device *fake_device_alloc(struct kunit *test,
				      unsigned int ring_size);
int fake_device_register(struct kunit *test, struct fake_device *fake);
void fake_device_unregister(struct kunit *test, struct fake_device *fake);
struct fake_device *fake_device_create(struct kunit *test,
				       unsigned int ring_size);
void fake_device_forget(struct fake_device *fake);
void fake_device_serve(struct fake_device *fake, unsigned int max);
void fake_device_put_event(struct fake_device *fake,
			   const struct virtio_iommu_fault *fault, u32 len);
void fake_device_fault(struct fake_device *fake,
		       const struct virtio_iommu_fault *fault, u32 len);

struct viommu_endpoint *fake_endpoint_create(struct kunit *test,
					     struct fake_device *fake, int nr_ids,
					     u32 first_id);
void fake_endpoint_destroy(struct viommu_endpoint *ep);
void fake_endpoint_set_tables(struct viommu_endpoint *ep);
struct viommu_domain *fake_table_create(struct kunit *test,
					struct viommu_endpoint *ep);
struct platform_device *fake_endpoint_add(struct kunit *test,
					  struct fake_device *fake, int nr_ids,
					  u32 first_id);
void fake_endpoint_unplug(struct kunit *test, struct platform_device *pdev);

#endif /* _VIOMMU_FAKE_DEVICE_H */
