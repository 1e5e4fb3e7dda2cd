// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints: the devices behind the IOMMU, from their probe to their release.
 *
 * Which device is behind which instance, with which ids, is in its fwspec: from ACPI
 * VIOT or the device tree.
 */
#include <linux/device.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include <compat/iommu.h>

#include "pasid.h"
#include "viommu.h"

/* Where MSI doorbells are mapped if the device has no region for them */
#define VIOMMU_SW_MSI_BASE	0x8000000
#define VIOMMU_SW_MSI_SIZE	0x100000

/* Ask for the properties of one endpoint id. */
static int viommu_query_id(struct viommu_endpoint *ep, u32 id)
{
	struct viommu_dev *viommu = ep->viommu;
	struct viommu_table_caps caps;
	struct viommu_request message;
	void *properties;
	int err;

	lockdep_assert_held(&viommu->probe_lock);

	viommu_encode_probe(&message, id, viommu->probe_buffer,
			    viommu->limits.probe_size + sizeof(message.tail));
	err = viommu_request_send(&viommu->queue, &message);
	if (err)
		return err;

	/* The device may write to its buffer at any time. */
	properties = kmemdup(viommu->probe_buffer, viommu->limits.probe_size,
			     GFP_KERNEL);
	if (!properties)
		return -ENOMEM;

	err = viommu_parse_properties(ep->dev, properties,
				      viommu->limits.probe_size, &ep->regions,
				      &caps);
	if (!err)
		viommu_merge_table_caps(&ep->table_caps, &caps);
	kfree(properties);
	return err;
}

/* At least one id has to be known, see viommu_move_ids(). */
static int viommu_query(struct viommu_endpoint *ep)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(ep->dev);
	struct viommu_dev *viommu = ep->viommu;
	int i, err = 0, unknown = 0;

	if (!viommu->limits.probe_size)
		return 0;

	ep->table_caps = VIOMMU_ALL_TABLE_CAPS;
	mutex_lock(&viommu->probe_lock);
	for (i = 0; i < fwspec->num_ids && !err; i++) {
		err = viommu_query_id(ep, fwspec->ids[i]);
		if (err == -ENOENT && ++unknown < fwspec->num_ids)
			err = 0;
	}
	mutex_unlock(&viommu->probe_lock);

	if (err)
		dev_err(ep->dev, "no properties from the IOMMU (%d)\n", err);
	/* A queue that is stopped, as the instance was found: it will be back. */
	return err == -ENODEV || (err && READ_ONCE(viommu->frozen)) ?
	       -EPROBE_DEFER : err;
}

/**
 * viommu_probe_device() - take a device in as an endpoint
 * @dev: the device
 *
 * Return: its instance or an ERR_PTR.
 */
struct iommu_device *viommu_probe_device(struct device *dev)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);
	struct viommu_endpoint *ep;
	struct viommu_dev *viommu;
	int err;

	if (!fwspec->num_ids)
		return ERR_PTR(-EINVAL);

	viommu = viommu_find(fwspec->iommu_fwnode);
	if (!viommu)
		return ERR_PTR(-ENODEV);

	ep = kzalloc(struct_size(ep, ids, fwspec->num_ids), GFP_KERNEL);
	if (!ep) {
		err = -ENOMEM;
		goto err_put_viommu;
	}

	ep->dev = dev;
	ep->viommu = viommu;
	INIT_LIST_HEAD(&ep->regions);

	err = viommu_query(ep);
	if (err)
		goto err_free_regions;

	mutex_lock(&viommu->attach_lock);
	err = viommu_get_ids(ep, fwspec);
	if (!err)
		list_add_tail(&ep->node, &viommu->endpoints);
	mutex_unlock(&viommu->attach_lock);
	if (err)
		goto err_free_regions;

	/*
	 * The endpoint does DMA until its driver has let go of it, so that comes
	 * before this device is suspended, shut down or unbound. Without the link
	 * devices are taken in the order of their age, and this one is the
	 * youngest. Whichever of the two goes first takes the link along;
	 * DL_FLAG_AUTOREMOVE_SUPPLIER would, too, but the driver core still uses a
	 * link after it has removed it for that.
	 */
	if (!device_link_add(dev, viommu->dev, 0))
		dev_warn(dev, "may lose its mappings at suspend and shutdown\n");

	/* The core asks for it next; the endpoint may have fewer. */
	if (viommu_tables_wanted(viommu, &ep->table_caps))
		viommu->iommu.max_pasids = max(viommu->iommu.max_pasids,
					       viommu_max_pasids(ep));
	dev_iommu_priv_set(dev, ep);
	return &viommu->iommu;

err_free_regions:
	iommu_put_resv_regions(dev, &ep->regions);
	kfree(ep);
err_put_viommu:
	viommu_put(viommu);
	return ERR_PTR(err);
}

/**
 * viommu_release_device() - let an endpoint go
 * @dev: its device, which no driver uses any more
 */
void viommu_release_device(struct device *dev)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	struct viommu_dev *viommu = ep->viommu;

	mutex_lock(&viommu->attach_lock);
	viommu_release_endpoint(ep);
	viommu_put_ids(ep);
	list_del(&ep->node);
	mutex_unlock(&viommu->attach_lock);

	iommu_put_resv_regions(dev, &ep->regions);
	kfree(ep);
	viommu_put(viommu);
}

/**
 * viommu_device_group() - the group of an endpoint
 * @dev: its device
 *
 * Return: the group or an ERR_PTR.
 */
struct iommu_group *viommu_device_group(struct device *dev)
{
	return dev_is_pci(dev) ? pci_device_group(dev) :
				 generic_device_group(dev);
}

/**
 * viommu_get_resv_regions() - what an endpoint must not have mapped
 * @dev: its device
 * @head: regions are added here
 */
void viommu_get_resv_regions(struct device *dev, struct list_head *head)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	struct iommu_resv_region *region, *copy;
	bool msi = false;

	list_for_each_entry(region, &ep->regions, list) {
		copy = iommu_alloc_resv_region(region->start, region->length,
					       region->prot, region->type,
					       GFP_KERNEL);
		if (!copy)
			return;
		list_add_tail(&copy->list, head);
		msi |= region->type == IOMMU_RESV_MSI;
	}

	if (!msi) {
		copy = iommu_alloc_resv_region(VIOMMU_SW_MSI_BASE,
					       VIOMMU_SW_MSI_SIZE,
					       IOMMU_WRITE | IOMMU_NOEXEC |
					       IOMMU_MMIO,
					       IOMMU_RESV_SW_MSI, GFP_KERNEL);
		if (!copy)
			return;
		list_add_tail(&copy->list, head);
	}

	iommu_dma_get_resv_regions(dev, head);
}

/**
 * viommu_of_xlate() - read an id from the device tree
 * @dev: the endpoint's device
 * @args: what the iommus or iommu-map property has for it
 *
 * Return: 0 or an errno.
 */
int viommu_of_xlate(struct device *dev, const struct of_phandle_args *args)
{
	if (args->args_count != 1)
		return -EINVAL;

	return iommu_fwspec_add_ids(dev, args->args, 1);
}
