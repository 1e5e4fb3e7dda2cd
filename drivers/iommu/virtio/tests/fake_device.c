// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fake device, see fake_device.h. It reads the split ring as a device does,
 * descriptor by descriptor.
 */
#include <kunit/device.h>
#include <kunit/resource.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "fake_device.h"

#define FAKE_RING_ALIGN	64

static void fake_read_request(struct fake_request *log, void *out)
{
	struct virtio_iommu_req_head *head = out;

	log->type = head->type;
	switch (head->type) {
	case VIRTIO_IOMMU_T_ATTACH: {
		struct virtio_iommu_req_attach *attach = out;

		log->domain = le32_to_cpu(attach->domain);
		log->endpoint = le32_to_cpu(attach->endpoint);
		log->flags = le32_to_cpu(attach->flags);
		break;
	}
	case VIRTIO_IOMMU_T_DETACH: {
		struct virtio_iommu_req_detach *detach = out;

		log->domain = le32_to_cpu(detach->domain);
		log->endpoint = le32_to_cpu(detach->endpoint);
		break;
	}
	case VIRTIO_IOMMU_T_MAP: {
		struct virtio_iommu_req_map *map = out;

		log->domain = le32_to_cpu(map->domain);
		log->start = le64_to_cpu(map->virt_start);
		log->last = le64_to_cpu(map->virt_end);
		log->phys = le64_to_cpu(map->phys_start);
		log->flags = le32_to_cpu(map->flags);
		break;
	}
	case VIRTIO_IOMMU_T_UNMAP: {
		struct virtio_iommu_req_unmap *unmap = out;

		log->domain = le32_to_cpu(unmap->domain);
		log->start = le64_to_cpu(unmap->virt_start);
		log->last = le64_to_cpu(unmap->virt_end);
		break;
	}
	case VIRTIO_IOMMU_T_ATTACH_TABLE: {
		struct virtio_iommu_req_attach_pgt_x86_64 *attach = out;

		log->domain = le32_to_cpu(attach->domain);
		log->endpoint = le32_to_cpu(attach->endpoint);
		log->phys = le64_to_cpu(attach->pgd);
		break;
	}
	case VIRTIO_IOMMU_T_INVALIDATE: {
		struct virtio_iommu_req_invalidate *inval = out;

		log->domain = le32_to_cpu(inval->domain);
		log->flags = le16_to_cpu(inval->flags);
		log->start = le64_to_cpu(inval->virt_start);
		log->last = log->start - 1 + (le64_to_cpu(inval->nr_pages) <<
					      inval->granule);
		if (inval->inv_gran == cpu_to_le16(VIRTIO_IOMMU_INVAL_G_DOMAIN))
			log->last = U64_MAX;
		break;
	}
	}
}

static u8 fake_status(struct fake_device *fake, struct fake_request *request)
{
	if (request->type == VIRTIO_IOMMU_T_ATTACH &&
	    fake->refuse_endpoint &&
	    request->endpoint == fake->refuse_endpoint)
		return VIRTIO_IOMMU_S_UNSUPP;
	if (fake->unknown_endpoint &&
	    request->endpoint == fake->unknown_endpoint)
		return VIRTIO_IOMMU_S_NOENT;
	return fake->status[request->type];
}

static void fake_answer(struct fake_device *fake, const struct vring *vring,
			u16 slot)
{
	u16 id = le16_to_cpu((__force __le16)vring->avail->ring[slot % vring->num]);
	struct vring_desc *out = &vring->desc[id];
	struct vring_desc *in = &vring->desc[le16_to_cpu((__force __le16)out->next)];
	u32 in_len = le32_to_cpu((__force __le32)in->len);
	u16 used = le16_to_cpu((__force __le16)vring->used->idx);
	struct vring_used_elem *elem = &vring->used->ring[used % vring->num];
	struct virtio_iommu_req_tail *tail;
	struct fake_request request = {};

	fake_read_request(&request,
			  phys_to_virt(le64_to_cpu((__force __le64)out->addr)));
	if (fake->nr < FAKE_LOG_SIZE)
		fake->log[fake->nr] = request;
	fake->nr++;

	tail = phys_to_virt(le64_to_cpu((__force __le64)in->addr)) + in_len -
	       sizeof(*tail);
	if (!fake->no_status)
		tail->status = fake_status(fake, &request);

	elem->id = (__force __virtio32)cpu_to_le32(fake->bad_id ? vring->num : id);
	elem->len = (__force __virtio32)cpu_to_le32(fake->short_used ? 0 : in_len);
	vring->used->idx = (__force __virtio16)cpu_to_le16(used + 1);
}

static bool fake_notify(struct virtqueue *vq)
{
	struct fake_device *fake = container_of(vq->vdev, struct fake_device,
						vdev);
	const struct vring *vring = virtqueue_get_vring(vq);
	u16 i, idx = le16_to_cpu((__force __le16)vring->avail->idx);

	fake->notified++;
	fake->disturbed |= !irqs_disabled();
	if (spin_trylock(&fake->viommu.queue.lock))
		spin_unlock(&fake->viommu.queue.lock);
	else
		fake->disturbed = true;
	if (fake->mute)
		return true;

	if (fake->reverse)
		for (i = idx; i != fake->seen; i--)
			fake_answer(fake, vring, i - 1);
	else
		for (i = fake->seen; i != idx; i++)
			fake_answer(fake, vring, i);
	fake->seen = idx;
	return true;
}

static void fake_get_config(struct virtio_device *vdev, unsigned int offset,
			    void *buf, unsigned int len)
{
	struct fake_device *fake = container_of(vdev, struct fake_device, vdev);
	struct virtio_iommu_config config = { .bypass = fake->bypass };

	memcpy(buf, (void *)&config + offset, len);
}

static const struct virtio_config_ops fake_config_ops = {
	.get = fake_get_config,
};

static void fake_device_destroy(void *data)
{
	struct fake_device *fake = data;

	if (fake->viommu.blocking.viommu)
		viommu_domain_unbind(&fake->viommu.blocking);
	viommu_queue_stop(&fake->viommu.queue);
	vring_del_virtqueue(fake->viommu.queue.vq);
	viommu_queue_destroy(&fake->viommu.queue);
	xa_destroy(&fake->viommu.endpoints);
	ida_destroy(&fake->viommu.domain_ids);
}

/**
 * fake_device_create() - a device for the time of a test
 * @test: the test
 * @ring_size: descriptors, two for each request
 *
 * Return: the device.
 */
struct fake_device *fake_device_create(struct kunit *test,
				       unsigned int ring_size)
{
	struct fake_device *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	struct viommu_dev *viommu;
	struct virtqueue *vq;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->ring = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->ring);
	KUNIT_ASSERT_LE(test, vring_size(ring_size, FAKE_RING_ALIGN), PAGE_SIZE);

	viommu = &fake->viommu;
	kref_init(&viommu->ref);
	viommu->vdev = &fake->vdev;
	viommu->dev = kunit_device_register(test, "viommu");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, viommu->dev);
	ida_init(&viommu->domain_ids);
	mutex_init(&viommu->probe_lock);
	mutex_init(&viommu->attach_lock);
	viommu_domain_init(&viommu->blocking);
	xa_init_flags(&viommu->endpoints, XA_FLAGS_LOCK_IRQ);
	viommu->last_domain = U32_MAX;
	viommu->page_sizes = PAGE_SIZE;
	viommu->map_flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;

	INIT_LIST_HEAD(&fake->vdev.vqs);
	spin_lock_init(&fake->vdev.vqs_list_lock);
	fake->vdev.config = &fake_config_ops;
	__virtio_set_bit(&fake->vdev, VIRTIO_F_VERSION_1);
	vq = vring_new_virtqueue(0, ring_size, FAKE_RING_ALIGN, &fake->vdev,
				 true, false, fake->ring, fake_notify, NULL,
				 "request");
	KUNIT_ASSERT_NOT_NULL(test, vq);
	KUNIT_ASSERT_EQ(test, 0, viommu_queue_init(&viommu->queue, vq,
						   viommu->dev));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   fake_device_destroy,
							   fake));
	return fake;
}

/**
 * fake_endpoint_create() - an endpoint of the fake device
 * @test: the test
 * @fake: the device
 * @nr_ids: how many ids it has
 * @first_id: the first; the others follow
 *
 * Return: the endpoint.
 */
struct viommu_endpoint *fake_endpoint_create(struct kunit *test,
					     struct fake_device *fake, int nr_ids,
					     u32 first_id)
{
	struct viommu_endpoint *ep = kunit_kzalloc(test, sizeof(*ep), GFP_KERNEL);
	struct iommu_fwspec *fwspec;
	struct dev_iommu *dev_iommu;
	struct device *dev;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, ep);
	dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->init_name = "endpoint";
	dev_iommu = kunit_kzalloc(test, sizeof(*dev_iommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev_iommu);
	fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, nr_ids),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fwspec);

	for (i = 0; i < nr_ids; i++)
		fwspec->ids[i] = first_id + i;
	fwspec->num_ids = nr_ids;
	dev_iommu->fwspec = fwspec;
	dev_iommu->priv = ep;
	dev->iommu = dev_iommu;

	ep->dev = dev;
	ep->viommu = &fake->viommu;
	INIT_LIST_HEAD(&ep->regions);
	return ep;
}

/**
 * fake_device_forget() - begin to count and log anew
 * @fake: the device
 */
void fake_device_forget(struct fake_device *fake)
{
	fake->notified = 0;
	fake->nr = 0;
	memset(fake->log, 0, sizeof(fake->log));
}
