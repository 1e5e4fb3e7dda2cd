// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend and hibernation. The device is reset, and forgets everything.
 *
 * A device link has the PM core suspend an instance after its endpoints and resume it
 * before them. In between, the device is without its queues, and no domain has
 * endpoints as far as it is concerned, so mapping and unmapping go on and change what
 * will be sent when it is back. So does moving endpoints.
 */
#include <linux/virtio_config.h>

#include "viommu.h"

/**
 * viommu_freeze() - before suspend, and before and after the image of a hibernation
 * @vdev: the device
 *
 * Return: 0.
 */
int viommu_freeze(struct virtio_device *vdev)
{
	struct viommu_dev *viommu = vdev->priv;

	/* The virtio core lets no new one in. */
	cancel_work_sync(&viommu->config_work);

	/* Nobody frees a page table or a number that the device has until the reset. */
	mutex_lock(&viommu->attach_lock);
	viommu_withdraw_ids(viommu);
	viommu_destroy_queues(viommu);
	mutex_unlock(&viommu->attach_lock);
	return 0;
}

/**
 * viommu_restore() - after a reset, with the features that were negotiated before
 * @vdev: the device
 *
 * Return: 0 or an errno; then the endpoints are in no domain, and reach nothing.
 */
int viommu_restore(struct virtio_device *vdev)
{
	struct viommu_dev *viommu = vdev->priv;
	int err;

	err = viommu_check_config(viommu);
	if (!err)
		err = viommu_init_queues(viommu);
	if (!err) {
		virtio_device_ready(vdev);
	} else {
		dev_err(viommu->dev,
			"devices behind it are cut off until the next boot\n");
		viommu_end_bypass(viommu);
	}

	mutex_lock(&viommu->attach_lock);
	viommu_read_bypass(viommu);
	viommu_return_ids(viommu);
	if (viommu->bypass)
		viommu_block_strays(viommu);
	mutex_unlock(&viommu->attach_lock);
	return err;
}
