// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration of the device, and what follows when it changes.
 *
 * Only the bypass field may change. Endpoints that this driver does not know may depend on
 * it, so it is written only when the device cannot be used any more.
 */
#include <linux/sizes.h>
#include <linux/virtio_config.h>

#include "viommu.h"

/* More properties than that are no list of properties. */
#define VIOMMU_MAX_PROBE_SIZE	SZ_64K

/**
 * viommu_read_bypass() - whether endpoints in no domain bypass translation
 * @viommu: the instance
 */
void viommu_read_bypass(struct viommu_dev *viommu)
{
	u8 bypass = 0;

	lockdep_assert_held(&viommu->attach_lock);

	if (viommu->bypass_config)
		virtio_cread_le(viommu->vdev, struct virtio_iommu_config,
				bypass, &bypass);
	/* The other bits may get a meaning one day. */
	viommu->bypass = bypass & 1;
}

/**
 * viommu_end_bypass() - have endpoints that are in no domain reach nothing
 * @viommu: the instance, which cannot put them into one. May be without queues
 */
void viommu_end_bypass(struct viommu_dev *viommu)
{
	u8 bypass = 0;

	if (viommu->bypass_config)
		virtio_cwrite_le(viommu->vdev, struct virtio_iommu_config,
				 bypass, &bypass);
}

static unsigned long viommu_granule(const struct viommu_limits *limits)
{
	return BIT(__ffs(limits->page_sizes));
}

static int viommu_read_input_range(struct viommu_dev *viommu,
				   struct viommu_limits *limits)
{
	struct virtio_device *vdev = viommu->vdev;
	u64 start = 0, last = U64_MAX;

	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_INPUT_RANGE,
				struct virtio_iommu_config, input_range.start,
				&start);
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_INPUT_RANGE,
				struct virtio_iommu_config, input_range.end,
				&last);

	last = min_t(u64, last, ULONG_MAX);

	/* At least a page has to fit in, wherever the range begins. */
	if (start > last || last - start < 2 * viommu_granule(limits) - 1) {
		dev_err(viommu->dev, "bad input range 0x%llx to 0x%llx\n",
			start, last);
		return -EINVAL;
	}

	limits->geometry.aperture_start = start;
	limits->geometry.aperture_end = last;
	limits->geometry.force_aperture = true;
	return 0;
}

static int viommu_read_page_sizes(struct viommu_dev *viommu,
				  struct viommu_limits *limits)
{
	u64 mask;

	virtio_cread_le(viommu->vdev, struct virtio_iommu_config,
			page_size_mask, &mask);
	limits->page_sizes = mask;

	/*
	 * Any address is good enough then, but no mapping may have a single byte. What
	 * else is set are sizes that the device is good at.
	 */
	if (limits->page_sizes & 1)
		limits->page_sizes = limits->page_sizes & ~1UL ?: PAGE_SIZE;

	if (!limits->page_sizes || viommu_granule(limits) > PAGE_SIZE) {
		dev_err(viommu->dev, "no page size that fits %lu in 0x%llx\n",
			PAGE_SIZE, mask);
		return -EINVAL;
	}
	return 0;
}

static int viommu_read_domain_range(struct viommu_dev *viommu,
				    struct viommu_limits *limits)
{
	struct virtio_device *vdev = viommu->vdev;

	limits->last_domain = U32_MAX;
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_DOMAIN_RANGE,
				struct virtio_iommu_config, domain_range.start,
				&limits->first_domain);
	virtio_cread_le_feature(vdev, VIRTIO_IOMMU_F_DOMAIN_RANGE,
				struct virtio_iommu_config, domain_range.end,
				&limits->last_domain);

	if (limits->first_domain > limits->last_domain) {
		dev_err(viommu->dev, "bad domain range %u to %u\n",
			limits->first_domain, limits->last_domain);
		return -EINVAL;
	}
	return 0;
}

static int viommu_read_probe_size(struct viommu_dev *viommu,
				  struct viommu_limits *limits)
{
	virtio_cread_le_feature(viommu->vdev, VIRTIO_IOMMU_F_PROBE,
				struct virtio_iommu_config, probe_size,
				&limits->probe_size);

	if (limits->probe_size > VIOMMU_MAX_PROBE_SIZE) {
		dev_err(viommu->dev, "bad probe size %u\n",
			limits->probe_size);
		return -EINVAL;
	}
	return 0;
}

static int viommu_read_limits(struct viommu_dev *viommu,
			      struct viommu_limits *limits)
{
	int err;

	*limits = (struct viommu_limits){};
	err = viommu_read_page_sizes(viommu, limits);
	if (!err)
		err = viommu_read_input_range(viommu, limits);
	if (!err)
		err = viommu_read_domain_range(viommu, limits);
	if (!err)
		err = viommu_read_probe_size(viommu, limits);
	return err;
}

/**
 * viommu_read_config() - the configuration of a new device
 * @viommu: the instance
 *
 * Return: 0 or an errno; then the log has the reason.
 */
int viommu_read_config(struct viommu_dev *viommu)
{
	viommu->map_flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	if (virtio_has_feature(viommu->vdev, VIRTIO_IOMMU_F_MMIO))
		viommu->map_flags |= VIRTIO_IOMMU_MAP_F_MMIO;
	viommu->bypass_config = virtio_has_feature(viommu->vdev,
						   VIRTIO_IOMMU_F_BYPASS_CONFIG);

	mutex_lock(&viommu->attach_lock);
	viommu_read_bypass(viommu);
	mutex_unlock(&viommu->attach_lock);

	return viommu_read_limits(viommu, &viommu->limits);
}

/* Whether all that was possible with one device is possible with another. */
static bool viommu_limits_include(const struct viommu_limits *limits,
				  const struct viommu_limits *others)
{
	return limits->geometry.aperture_start <= others->geometry.aperture_start &&
	       limits->geometry.aperture_end >= others->geometry.aperture_end &&
	       viommu_granule(limits) <= viommu_granule(others) &&
	       limits->first_domain <= others->first_domain &&
	       limits->last_domain >= others->last_domain &&
	       limits->probe_size == others->probe_size;
}

/**
 * viommu_check_config() - whether a device that was reset is what it was
 * @viommu: the instance. It goes on with the limits that it had
 *
 * A machine that was hibernated may come back elsewhere.
 *
 * Return: 0; -EINVAL if it can do less, and the log says so.
 */
int viommu_check_config(struct viommu_dev *viommu)
{
	struct viommu_limits limits;
	int err;

	err = viommu_read_limits(viommu, &limits);
	if (err)
		return err;
	if (viommu_limits_include(&limits, &viommu->limits))
		return 0;

	dev_err(viommu->dev,
		"not the device it was: input range 0x%llx to 0x%llx, page sizes 0x%lx, domains %u to %u, probe size %u\n",
		(u64)limits.geometry.aperture_start,
		(u64)limits.geometry.aperture_end, limits.page_sizes,
		limits.first_domain, limits.last_domain, limits.probe_size);
	return -EINVAL;
}

static void viommu_config_work(struct work_struct *work)
{
	struct viommu_dev *viommu = container_of(work, struct viommu_dev,
						 config_work);
	struct virtio_device *vdev = viommu->vdev;
	bool before;

	if (vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET)
		viommu_queue_give_up(&viommu->queue, "it needs a reset");

	mutex_lock(&viommu->attach_lock);
	before = viommu->bypass;
	viommu_read_bypass(viommu);
	if (viommu->bypass != before)
		dev_info_ratelimited(viommu->dev, "%s outside any domain\n",
				     viommu->bypass ? "bypass" : "no access");
	if (viommu->bypass)
		viommu_block_strays(viommu);
	mutex_unlock(&viommu->attach_lock);
}

/**
 * viommu_config_changed() - the interrupt for changes of the configuration
 * @vdev: the device
 */
void viommu_config_changed(struct virtio_device *vdev)
{
	struct viommu_dev *viommu = vdev->priv;

	schedule_work(&viommu->config_work);
}

/**
 * viommu_config_init() - prepare for changes of the configuration
 * @viommu: the instance
 */
void viommu_config_init(struct viommu_dev *viommu)
{
	INIT_WORK(&viommu->config_work, viommu_config_work);
}
