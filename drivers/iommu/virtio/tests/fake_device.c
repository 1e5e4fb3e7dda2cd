// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fake device, see fake_device.h. It reads the split ring as a device does,
 * descriptor by descriptor.
 */
#include <kunit/device.h>
#include <kunit/resource.h>
#include <linux/fwnode.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "../table.h"
#include "fake_device.h"

#define FAKE_RING_ALIGN	64

/* It may outlive the test: device links are taken down when there is time. */
struct fake_vdev {
	struct virtio_device vdev;
	struct fake_device *fake;
};

static struct fake_device *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_vdev, vdev)->fake;
}

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
		log->format = le16_to_cpu(attach->format);
		log->bits = attach->reserved[0];
		log->phys = le64_to_cpu(attach->pgd);
		break;
	}
	case VIRTIO_IOMMU_T_INVALIDATE: {
		struct virtio_iommu_req_invalidate *inval = out;

		log->domain = le32_to_cpu(inval->domain);
		log->flags = le16_to_cpu(inval->flags);
		log->inv_type = le16_to_cpu(inval->inv_type);
		log->pasid = le32_to_cpu(inval->pasid);
		log->archid = le64_to_cpu(inval->archid);
		log->start = le64_to_cpu(inval->virt_start);
		log->last = log->start - 1 + (le64_to_cpu(inval->nr_pages) <<
					      inval->granule);
		if (inval->inv_gran != cpu_to_le16(VIRTIO_IOMMU_INVAL_G_VA))
			log->last = U64_MAX;
		break;
	}
	case VIRTIO_IOMMU_T_PROBE: {
		struct virtio_iommu_req_probe *probe = out;

		log->endpoint = le32_to_cpu(probe->endpoint);
		break;
	}
	}
}

static u8 fake_status(struct fake_device *fake, struct fake_request *request)
{
	if (request->endpoint && request->endpoint == fake->unknown_endpoint)
		return VIRTIO_IOMMU_S_NOENT;
	if (request->type == VIRTIO_IOMMU_T_ATTACH &&
	    fake->refuse_endpoint &&
	    request->endpoint == fake->refuse_endpoint)
		return VIRTIO_IOMMU_S_UNSUPP;
	return fake->status[request->type];
}

static void *fake_buffer(const struct vring_desc *desc)
{
	return phys_to_virt(le64_to_cpu((__force __le64)desc->addr));
}

/* The descriptor at the head of entry @slot of the available ring */
static u16 fake_avail(const struct vring *vring, u16 slot)
{
	return le16_to_cpu((__force __le16)vring->avail->ring[slot % vring->num]);
}

static u16 fake_avail_idx(const struct vring *vring)
{
	/* Entries and descriptors are read after it. */
	return le16_to_cpu((__force __le16)smp_load_acquire(&vring->avail->idx));
}

static void fake_use(const struct vring *vring, u32 id, u32 len)
{
	u16 used = le16_to_cpu((__force __le16)vring->used->idx);
	struct vring_used_elem *elem = &vring->used->ring[used % vring->num];

	elem->id = (__force __virtio32)cpu_to_le32(id);
	elem->len = (__force __virtio32)cpu_to_le32(len);
	/* The entry, and what the device has written, come first. */
	smp_store_release(&vring->used->idx,
			  (__force __virtio16)cpu_to_le16(used + 1));
}

static void fake_answer(struct fake_device *fake, const struct vring *vring,
			u16 slot)
{
	u16 id = fake_avail(vring, slot);
	struct vring_desc *out = &vring->desc[id];
	struct vring_desc *in = &vring->desc[le16_to_cpu((__force __le16)out->next)];
	u32 in_len = le32_to_cpu((__force __le32)in->len);
	struct virtio_iommu_req_tail *tail;
	struct fake_request request = {};

	fake_read_request(&request, fake_buffer(out));
	if (request.endpoint && request.endpoint == fake->withhold_endpoint)
		return;
	if (fake->nr < FAKE_LOG_SIZE)
		fake->log[fake->nr] = request;
	fake->nr++;

	tail = fake_buffer(in) + in_len - sizeof(*tail);
	if (!fake->no_status)
		tail->status = fake_status(fake, &request);
	memset(tail->reserved, 0xff, sizeof(tail->reserved));
	if (request.type == VIRTIO_IOMMU_T_PROBE)
		memcpy(fake_buffer(in), fake->properties,
		       in_len - sizeof(*tail));

	fake_use(vring, fake->bad_id ? vring->num : id,
		 fake->short_used ? 0 : in_len);
}

/**
 * fake_device_serve() - answer requests
 * @fake: the device
 * @max: how many, at most
 */
void fake_device_serve(struct fake_device *fake, unsigned int max)
{
	const struct vring *vring = virtqueue_get_vring(fake->vqs[0]);
	u16 first = fake->seen, i, idx = fake_avail_idx(vring);

	if ((u16)(idx - first) > max)
		idx = first + max;
	fake->seen = idx;
	if (fake->reverse)
		for (i = idx; i != first; i--)
			fake_answer(fake, vring, i - 1);
	else
		for (i = first; i != idx; i++)
			fake_answer(fake, vring, i);
}

static bool fake_notify(struct virtqueue *vq)
{
	struct fake_device *fake = to_fake(vq->vdev);

	if (vq->index) {
		fake->replenished++;
		return true;
	}

	fake->notified++;
	fake->disturbed |= !irqs_disabled();
	if (spin_trylock(&fake->viommu->queue.lock))
		spin_unlock(&fake->viommu->queue.lock);
	else
		fake->disturbed = true;
	if (!fake->mute)
		fake_device_serve(fake, UINT_MAX);
	if (fake->interlude) {
		void (*interlude)(void *) = fake->interlude;

		fake->interlude = NULL;
		interlude(fake->data);
	}
	return true;
}

static void fake_get(struct virtio_device *vdev, unsigned int offset, void *buf,
		     unsigned int len)
{
	memcpy(buf, (void *)&to_fake(vdev)->config + offset, len);
}

static void fake_set(struct virtio_device *vdev, unsigned int offset,
		     const void *buf, unsigned int len)
{
	memcpy((void *)&to_fake(vdev)->config + offset, buf, len);
	to_fake(vdev)->config_writes++;
}

static u8 fake_get_status(struct virtio_device *vdev)
{
	return to_fake(vdev)->device_status;
}

static void fake_reset(struct virtio_device *vdev)
{
	struct fake_device *fake = to_fake(vdev);

	/* The driver has the instance as long as it has queues. */
	if (fake->vqs[0] && mutex_trylock(&fake->viommu->attach_lock)) {
		mutex_unlock(&fake->viommu->attach_lock);
		fake->reset_unlocked = true;
	}
	fake->device_status = 0;
	fake->seen = 0;
	fake->events = 0;
	fake->resets++;
}

static u64 fake_get_features(struct virtio_device *vdev)
{
	return to_fake(vdev)->features;
}

static int fake_finalize_features(struct virtio_device *vdev)
{
	vring_transport_features(vdev);
	return 0;
}

static const char *fake_bus_name(struct virtio_device *vdev)
{
	return dev_name(vdev->dev.parent);
}

static void fake_del_vqs(struct virtio_device *vdev)
{
	struct fake_device *fake = to_fake(vdev);
	int i;

	for (i = 0; i < ARRAY_SIZE(fake->vqs); i++) {
		if (fake->vqs[i])
			vring_del_virtqueue(fake->vqs[i]);
		fake->vqs[i] = NULL;
	}
}

static int fake_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			 struct virtqueue *vqs[], struct virtqueue_info info[],
			 struct irq_affinity *desc)
{
	struct fake_device *fake = to_fake(vdev);
	int i;

	if (fake->no_queues || nvqs != ARRAY_SIZE(fake->vqs))
		return -EIO;

	/* Before it probes any endpoint */
	fake->viommu = vdev->priv;
	for (i = 0; i < nvqs; i++) {
		memset(fake->rings[i], 0, PAGE_SIZE);
		vqs[i] = vring_new_virtqueue(i, fake->ring_size, FAKE_RING_ALIGN,
					     vdev, true, false, fake->rings[i],
					     fake_notify, info[i].callback,
					     info[i].name);
		if (!vqs[i]) {
			fake_del_vqs(vdev);
			return -ENOMEM;
		}
		fake->vqs[i] = vqs[i];
	}
	return 0;
}

static void fake_set_status(struct virtio_device *vdev, u8 status)
{
	const struct virtio_iommu_fault fault = {};
	struct fake_device *fake = to_fake(vdev);

	fake->device_status = status;
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		for (; fake->early_faults; fake->early_faults--)
			fake_device_fault(fake, &fault, sizeof(fault));
}

static const struct fwnode_operations fake_fwnode_ops;

static const struct virtio_config_ops fake_config_ops = {
	.get = fake_get,
	.set = fake_set,
	.get_status = fake_get_status,
	.set_status = fake_set_status,
	.reset = fake_reset,
	.find_vqs = fake_find_vqs,
	.del_vqs = fake_del_vqs,
	.get_features = fake_get_features,
	.finalize_features = fake_finalize_features,
	.bus_name = fake_bus_name,
};

static void fake_free_vdev(struct device *dev)
{
	kfree(container_of(dev_to_virtio(dev), struct fake_vdev, vdev));
}

static void fake_remove_vdev(void *vdev)
{
	unregister_virtio_device(vdev);
}

/**
 * fake_device_alloc() - a device that the driver does not know yet
 * @test: the test
 * @ring_size: descriptors, two for each request
 *
 * Return: the device, with the features of the simplest one.
 */
struct fake_device *fake_device_alloc(struct kunit *test, unsigned int ring_size)
{
	struct fake_device *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	static atomic_t count = ATOMIC_INIT(0);
	char name[16];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	KUNIT_ASSERT_LE(test, vring_size(ring_size, FAKE_RING_ALIGN), PAGE_SIZE);
	fake->ring_size = ring_size;
	for (i = 0; i < ARRAY_SIZE(fake->rings); i++) {
		fake->rings[i] = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fake->rings[i]);
	}

	fake->features = BIT_ULL(VIRTIO_F_VERSION_1) |
			 BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP);
	fake->config.page_size_mask = cpu_to_le64(PAGE_SIZE);
	fake->config.probe_size = cpu_to_le32(FAKE_PROBE_SIZE);

	fwnode_init(&fake->fwnode, &fake_fwnode_ops);
	snprintf(name, sizeof(name), "viommu%d", atomic_inc_return(&count));
	fake->parent = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake->parent);
	fake->parent->fwnode = &fake->fwnode;
	return fake;
}

/**
 * fake_device_register() - have the driver bind to the device
 * @test: the test
 * @fake: the device
 *
 * Return: 0, or -ENODEV if the driver did not.
 */
int fake_device_register(struct kunit *test, struct fake_device *fake)
{
	struct fake_vdev *fake_vdev = kzalloc(sizeof(*fake_vdev), GFP_KERNEL);
	struct virtio_device *vdev;

	KUNIT_ASSERT_NOT_NULL(test, fake_vdev);
	fake_vdev->fake = fake;
	vdev = &fake_vdev->vdev;
	vdev->id.device = VIRTIO_ID_IOMMU;
	vdev->id.vendor = 0x1af4;
	vdev->config = &fake_config_ops;
	vdev->dev.parent = fake->parent;
	vdev->dev.release = fake_free_vdev;
	KUNIT_ASSERT_EQ(test, 0, register_virtio_device(vdev));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   fake_remove_vdev,
							   vdev));
	fake->vdev = vdev;
	if (!vdev->dev.driver)
		return -ENODEV;
	fake->viommu = vdev->priv;
	return 0;
}

/**
 * fake_device_unregister() - take the device away from the driver
 * @test: the test
 * @fake: the device
 */
void fake_device_unregister(struct kunit *test, struct fake_device *fake)
{
	kunit_release_action(test, fake_remove_vdev, fake->vdev);
}

/**
 * fake_device_create() - a device for the time of a test
 * @test: the test
 * @ring_size: descriptors, two for each request
 *
 * Return: the device, which the driver has bound to.
 */
struct fake_device *fake_device_create(struct kunit *test,
				       unsigned int ring_size)
{
	struct fake_device *fake = fake_device_alloc(test, ring_size);

	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	fake_device_forget(fake);
	return fake;
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

/**
 * fake_device_put_event() - have the device write to its event queue
 * @fake: the device
 * @fault: what it writes
 * @len: how much of it the device says that it has written
 */
void fake_device_put_event(struct fake_device *fake,
			   const struct virtio_iommu_fault *fault, u32 len)
{
	const struct vring *vring = virtqueue_get_vring(fake->vqs[1]);
	u16 id = fake_avail(vring, fake->events);

	if (fake->events == fake_avail_idx(vring))
		return;

	fake->events++;
	memcpy(fake_buffer(&vring->desc[id]), fault, sizeof(*fault));
	fake_use(vring, id, len);
}

/**
 * fake_device_fault() - have the device report a fault, and the driver handle it
 * @fake: the device
 * @fault: the report
 * @len: how much of it the device says that it has written
 */
void fake_device_fault(struct fake_device *fake,
		       const struct virtio_iommu_fault *fault, u32 len)
{
	unsigned long flags;

	fake_device_put_event(fake, fault, len);
	local_irq_save(flags);
	vring_interrupt(0, fake->vqs[1]);
	local_irq_restore(flags);
	while (flush_work(&fake->viommu->event_work))
		;
}

/* What firmware would have said about an endpoint */
static void fake_set_fwspec(struct kunit *test, struct device *dev,
			    struct fake_device *fake, int nr_ids, u32 first_id)
{
	struct iommu_fwspec *fwspec;
	int i;

	dev->iommu = kzalloc(sizeof(*dev->iommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev->iommu);
	mutex_init(&dev->iommu->lock);
	fwspec = kzalloc(struct_size(fwspec, ids, nr_ids), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fwspec);
	for (i = 0; i < nr_ids; i++)
		fwspec->ids[i] = first_id + i;
	fwspec->num_ids = nr_ids;
	fwspec->iommu_fwnode = &fake->fwnode;
	dev->iommu->fwspec = fwspec;
}

/**
 * fake_endpoint_create() - an endpoint that only the driver knows
 * @test: the test
 * @fake: the device
 * @nr_ids: how many ids it has
 * @first_id: the first; the others follow
 *
 * Return: the endpoint. It has to be destroyed before the device.
 */
struct viommu_endpoint *fake_endpoint_create(struct kunit *test,
					     struct fake_device *fake, int nr_ids,
					     u32 first_id)
{
	struct viommu_endpoint *ep;
	struct device *dev;

	ep = kunit_kzalloc(test, struct_size(ep, ids, nr_ids), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ep);
	dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->init_name = "endpoint";
	fake_set_fwspec(test, dev, fake, nr_ids, first_id);
	dev->iommu->priv = ep;

	ep->dev = dev;
	ep->viommu = fake->viommu;
	INIT_LIST_HEAD(&ep->regions);
	mutex_lock(&fake->viommu->attach_lock);
	KUNIT_EXPECT_EQ(test, 0, viommu_get_ids(ep, dev->iommu->fwspec));
	list_add_tail(&ep->node, &fake->viommu->endpoints);
	mutex_unlock(&fake->viommu->attach_lock);
	return ep;
}

/**
 * fake_endpoint_destroy() - have the driver forget an endpoint
 * @ep: the endpoint
 */
void fake_endpoint_destroy(struct viommu_endpoint *ep)
{
	struct dev_iommu *dev_iommu = ep->dev->iommu;

	mutex_lock(&ep->viommu->attach_lock);
	viommu_release_endpoint(ep);
	viommu_put_ids(ep);
	list_del(&ep->node);
	mutex_unlock(&ep->viommu->attach_lock);

	kfree(dev_iommu->fwspec);
	kfree(dev_iommu);
}

/**
 * fake_endpoint_set_tables() - have an endpoint be one that can have tables
 * @ep: the endpoint
 */
void fake_endpoint_set_tables(struct viommu_endpoint *ep)
{
	ep->table_caps = (struct viommu_table_caps) {
		.format = true, .sizes = SZ_4K | SZ_2M | SZ_1G,
		.last = VIOMMU_TABLE_LAST, .output_bits = 52,
	};
}

/**
 * fake_table_create() - a domain with a table
 * @test: the test
 * @ep: an endpoint that can be in it
 *
 * Return: the domain, for the test to free.
 */
struct viommu_domain *fake_table_create(struct kunit *test,
					struct viommu_endpoint *ep)
{
	struct iommu_domain *domain =
		viommu_domain_alloc_table(ep->viommu, &ep->table_caps);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	return to_viommu_domain(domain);
}

static void fake_endpoint_remove(void *pdev)
{
	platform_device_unregister(pdev);
}

/**
 * fake_endpoint_add() - an endpoint that the IOMMU core takes to the driver
 * @test: the test
 * @fake: the device
 * @nr_ids: how many ids it has
 * @first_id: the first; the others follow
 *
 * Return: the endpoint's device.
 */
struct platform_device *fake_endpoint_add(struct kunit *test,
					  struct fake_device *fake, int nr_ids,
					  u32 first_id)
{
	/* The core asks the device as well how many it has. */
	static const struct property_entry properties[] = {
		PROPERTY_ENTRY_U32("pasid-num-bits", 20), {}
	};
	struct platform_device *pdev;

	pdev = platform_device_alloc("viommu-endpoint", PLATFORM_DEVID_AUTO);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	KUNIT_ASSERT_EQ(test, 0,
			device_create_managed_software_node(&pdev->dev,
							    properties, NULL));
	fake_set_fwspec(test, &pdev->dev, fake, nr_ids, first_id);
	KUNIT_ASSERT_EQ(test, 0, platform_device_add(pdev));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   fake_endpoint_remove,
							   pdev));
	return pdev;
}

/**
 * fake_endpoint_unplug() - take an endpoint from the IOMMU core
 * @test: the test
 * @pdev: the endpoint's device
 */
void fake_endpoint_unplug(struct kunit *test, struct platform_device *pdev)
{
	kunit_release_action(test, fake_endpoint_remove, pdev);
}
