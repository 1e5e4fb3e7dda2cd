// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio_iommu, the driver of the virtio IOMMU device (virtio 1.4, section 5.13).
 *
 * This file binds to the device and registers it with the IOMMU core.
 */
#include <linux/dma-map-ops.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <uapi/linux/virtio_ring.h>

#include <compat/iommu.h>

#include "viommu.h"

static LIST_HEAD(viommu_list);
static DEFINE_MUTEX(viommu_list_lock);

/**
 * viommu_get() - take a reference
 * @viommu: the instance
 *
 * Return: the instance.
 */
struct viommu_dev *viommu_get(struct viommu_dev *viommu)
{
	kref_get(&viommu->ref);
	return viommu;
}

static void viommu_free(struct kref *ref)
{
	struct viommu_dev *viommu = container_of(ref, struct viommu_dev, ref);

	kfree(viommu->probe_buffer);
	xa_destroy(&viommu->ids);
	ida_destroy(&viommu->domain_ids);
	put_device(viommu->dev);
	kfree(viommu);
}

/**
 * viommu_put() - drop a reference
 * @viommu: the instance
 */
void viommu_put(struct viommu_dev *viommu)
{
	kref_put(&viommu->ref, viommu_free);
}

/**
 * viommu_find() - the instance that firmware has put before an endpoint
 * @fwnode: the firmware node of the instance
 *
 * Return: the instance, with a reference, or NULL.
 */
struct viommu_dev *viommu_find(const struct fwnode_handle *fwnode)
{
	struct viommu_dev *viommu, *found = NULL;

	mutex_lock(&viommu_list_lock);
	list_for_each_entry(viommu, &viommu_list, node)
		if (device_match_fwnode(viommu->dev->parent, fwnode))
			found = viommu_get(viommu);
	mutex_unlock(&viommu_list_lock);
	return found;
}

static void viommu_list_add(struct viommu_dev *viommu)
{
	mutex_lock(&viommu_list_lock);
	list_add_tail(&viommu->node, &viommu_list);
	mutex_unlock(&viommu_list_lock);
}

static void viommu_list_del(struct viommu_dev *viommu)
{
	mutex_lock(&viommu_list_lock);
	list_del(&viommu->node);
	mutex_unlock(&viommu_list_lock);
}

static bool viommu_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return dev_is_dma_coherent(dev);
	case IOMMU_CAP_DEFERRED_FLUSH:
		return true;
	default:
		return false;
	}
}

COMPAT_ALLOC_IDENTITY(viommu_domain_alloc_identity)

static const struct iommu_ops viommu_ops = {
	.owner			= THIS_MODULE,
	.capable		= viommu_capable,
	.probe_device		= viommu_probe_device,
	.release_device		= viommu_release_device,
	.device_group		= viommu_device_group,
	.get_resv_regions	= viommu_get_resv_regions,
	.of_xlate		= viommu_of_xlate,
	.domain_alloc_paging	= viommu_domain_alloc_paging,
	.COMPAT_ALLOC_IDENTITY_OP = compat_viommu_domain_alloc_identity,
	.blocked_domain		= &viommu_blocked_domain,
	COMPAT_REMOVE_PASID_OP
};

static struct viommu_dev *viommu_new(struct virtio_device *vdev)
{
	struct viommu_dev *viommu;

	viommu = kzalloc(sizeof(*viommu), GFP_KERNEL);
	if (!viommu)
		return NULL;

	kref_init(&viommu->ref);
	viommu->vdev = vdev;
	viommu->dev = get_device(&vdev->dev);
	ida_init(&viommu->domain_ids);
	mutex_init(&viommu->probe_lock);
	mutex_init(&viommu->attach_lock);
	viommu_domain_init(&viommu->blocking);
	xa_init_flags(&viommu->ids, XA_FLAGS_LOCK_IRQ);
	INIT_LIST_HEAD(&viommu->endpoints);
	viommu_queue_init(&viommu->queue, viommu->dev);
	viommu_config_init(viommu);
	viommu_events_prepare(viommu);
	return viommu;
}

/**
 * viommu_init_queues() - the request queue and the event queue, and the buffers of both
 * @viommu: the instance, without them. The device was reset
 *
 * Return: 0 or an errno.
 */
int viommu_init_queues(struct viommu_dev *viommu)
{
	struct virtqueue_info info[] = {
		{ "request" },
		{ "event", viommu_event_ready },
	};
	struct virtqueue *vqs[ARRAY_SIZE(info)];
	int err;

	err = virtio_find_vqs(viommu->vdev, ARRAY_SIZE(info), vqs, info, NULL);
	if (err)
		return err;

	viommu->event_vq = vqs[1];
	err = viommu_events_start(viommu);
	if (err)
		goto err_del_vqs;

	err = viommu_queue_start(&viommu->queue, vqs[0]);
	if (err)
		goto err_stop_events;
	return 0;

err_stop_events:
	viommu_events_stop(viommu);
err_del_vqs:
	viommu->vdev->config->del_vqs(viommu->vdev);
	return err;
}

/**
 * viommu_destroy_queues() - reset the device
 * @viommu: the instance. Its requests fail until it has queues again. May be without
 *	queues already, if restoring them has failed
 */
void viommu_destroy_queues(struct viommu_dev *viommu)
{
	viommu_queue_stop(&viommu->queue);
	virtio_reset_device(viommu->vdev);
	viommu_events_stop(viommu);
	viommu_queue_free_requests(&viommu->queue);
	viommu->vdev->config->del_vqs(viommu->vdev);
}

static int viommu_register(struct viommu_dev *viommu)
{
	int err;

	err = iommu_device_sysfs_add(&viommu->iommu, viommu->dev, NULL, "%s",
				     virtio_bus_name(viommu->vdev));
	if (err)
		return err;

	viommu_list_add(viommu);
	err = iommu_device_register(&viommu->iommu, &viommu_ops,
				    viommu->dev->parent);
	if (err)
		goto err_list_del;
	return 0;

err_list_del:
	viommu_list_del(viommu);
	iommu_device_sysfs_remove(&viommu->iommu);
	return err;
}

static void viommu_unregister(struct viommu_dev *viommu)
{
	viommu_list_del(viommu);
	iommu_device_unregister(&viommu->iommu);
	iommu_device_sysfs_remove(&viommu->iommu);
}

/* Drop the driver's reference. Domains that are still in use keep theirs. */
static void viommu_abandon(struct viommu_dev *viommu)
{
	if (viommu->blocking.viommu)
		viommu_domain_unbind(&viommu->blocking);
	viommu_put(viommu);
}

static int viommu_probe(struct virtio_device *vdev)
{
	struct viommu_dev *viommu;
	int err;

	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ||
	    !virtio_has_feature(vdev, VIRTIO_IOMMU_F_MAP_UNMAP))
		return -ENODEV;

	viommu = viommu_new(vdev);
	if (!viommu)
		return -ENOMEM;
	vdev->priv = viommu;

	err = viommu_read_config(viommu);
	if (err)
		goto err_abandon;

	viommu->probe_buffer = kzalloc(viommu->limits.probe_size +
				       sizeof(struct virtio_iommu_req_tail),
				       GFP_KERNEL);
	if (!viommu->probe_buffer) {
		err = -ENOMEM;
		goto err_abandon;
	}

	err = viommu_init_queues(viommu);
	if (err)
		goto err_abandon;

	virtio_device_ready(vdev);

	dev_info(&vdev->dev,
		 "input range 0x%llx to 0x%llx, page sizes 0x%lx, %s outside any domain\n",
		 (u64)viommu->limits.geometry.aperture_start,
		 (u64)viommu->limits.geometry.aperture_end,
		 viommu->limits.page_sizes,
		 viommu->bypass ? "bypass" : "no access");

	err = viommu_register(viommu);
	if (err)
		goto err_destroy_queues;
	return 0;

err_destroy_queues:
	viommu_destroy_queues(viommu);
err_abandon:
	viommu_abandon(viommu);
	return err;
}

static void viommu_remove(struct virtio_device *vdev)
{
	struct viommu_dev *viommu = vdev->priv;

	viommu_unregister(viommu);
	cancel_work_sync(&viommu->config_work);
	viommu_destroy_queues(viommu);
	viommu_abandon(viommu);
}

/*
 * Requests are two descriptors. Indirect, the ring would allocate a table for each of
 * them, in atomic context.
 */
static int viommu_validate(struct virtio_device *vdev)
{
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	return 0;
}

static const unsigned int viommu_features[] = {
	VIRTIO_IOMMU_F_INPUT_RANGE,
	VIRTIO_IOMMU_F_DOMAIN_RANGE,
	VIRTIO_IOMMU_F_MAP_UNMAP,
	VIRTIO_IOMMU_F_PROBE,
	VIRTIO_IOMMU_F_MMIO,
	VIRTIO_IOMMU_F_BYPASS_CONFIG,
	VIRTIO_IOMMU_F_ATTACH_TABLE,
};

static const struct virtio_device_id viommu_ids[] = {
	{ VIRTIO_ID_IOMMU, VIRTIO_DEV_ANY_ID },
	{ }
};
MODULE_DEVICE_TABLE(virtio, viommu_ids);

static struct virtio_driver viommu_driver = {
	.driver = {
		.name = KBUILD_MODNAME,
		/* Devices in use do not survive that. */
		.suppress_bind_attrs = true,
	},
	.id_table = viommu_ids,
	.feature_table = viommu_features,
	.feature_table_size = ARRAY_SIZE(viommu_features),
	.validate = viommu_validate,
	.probe = viommu_probe,
	.remove = viommu_remove,
	.config_changed = viommu_config_changed,
	.freeze = pm_sleep_ptr(viommu_freeze),
	.restore = pm_sleep_ptr(viommu_restore),
};

static int __init viommu_init(void)
{
	int err;

	err = viommu_mapping_cache_init();
	if (err)
		return err;

	err = register_virtio_driver(&viommu_driver);
	if (err)
		viommu_mapping_cache_destroy();
	return err;
}
module_init(viommu_init);

static void __exit viommu_exit(void)
{
	unregister_virtio_driver(&viommu_driver);
	viommu_mapping_cache_destroy();
}
module_exit(viommu_exit);

MODULE_DESCRIPTION("Driver of the virtio IOMMU device");
MODULE_LICENSE("GPL");
