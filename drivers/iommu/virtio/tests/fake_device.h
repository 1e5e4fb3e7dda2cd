/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that the tests drive the driver with: a real virtqueue, and another end of
 * it that answers within the notification, or misbehaves.
 */
#ifndef _VIOMMU_FAKE_DEVICE_H
#define _VIOMMU_FAKE_DEVICE_H

#include <kunit/test.h>

#include "../viommu.h"

#define FAKE_LOG_SIZE	64
#define FAKE_TYPES	(VIRTIO_IOMMU_T_INVALIDATE + 1)

/* What a request said */
struct fake_request {
	u8 type;
	u32 domain;
	u32 endpoint;
	u32 flags;
	u64 start;
	u64 last;
	u64 phys;
};

/**
 * struct fake_device - the device and the instance of the driver that uses it
 * @viommu: the instance; only its lists, numbers and request queue are set up
 * @vdev: what the virtqueue belongs to
 * @ring: memory of the virtqueue
 * @seen: requests taken from the ring
 * @status: what each type of request is answered with
 * @refuse_endpoint: ATTACH of this id is answered with S_UNSUPP, if not 0
 * @unknown_endpoint: any request for this id is answered with S_NOENT, if not 0
 * @mute: answer nothing
 * @reverse: answer the last one first
 * @no_status: answer without writing a status
 * @short_used: answer that nothing was written
 * @bad_id: answer a request that does not exist
 * @bypass: in the device's configuration
 * @notified: how often the driver has notified
 * @disturbed: it could have been interrupted, or kept others from the queue
 * @nr: how many requests were seen
 * @log: the first of them
 */
struct fake_device {
	struct viommu_dev viommu;
	struct virtio_device vdev;
	void *ring;
	u16 seen;

	u8 status[FAKE_TYPES];
	u32 refuse_endpoint;
	u32 unknown_endpoint;
	bool mute;
	bool reverse;
	bool no_status;
	bool short_used;
	bool bad_id;
	u8 bypass;

	unsigned int notified;
	bool disturbed;
	unsigned int nr;
	struct fake_request log[FAKE_LOG_SIZE];
};

struct fake_device *fake_device_create(struct kunit *test,
				       unsigned int ring_size);
struct viommu_endpoint *fake_endpoint_create(struct kunit *test,
					     struct fake_device *fake, int nr_ids,
					     u32 first_id);
void fake_device_forget(struct fake_device *fake);

#endif /* _VIOMMU_FAKE_DEVICE_H */
