// SPDX-License-Identifier: GPL-2.0-only
/*
 * The properties of an endpoint, as PROBE returns them: a list of type, length and
 * value that ends with the buffer or with the type NONE.
 *
 * Types that are not known are skipped. A list that does not add up is refused as a
 * whole: what cannot be read may have been a reserved region.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/unaligned.h>
#include <linux/virtio_iommu_tables.h>
#include <uapi/linux/virtio_iommu.h>

#include "viommu.h"

/**
 * viommu_add_region() - add a reserved region to a list, or free it if it is there
 * @regions: the list, by address
 * @region: the region
 */
void viommu_add_region(struct list_head *regions,
		       struct iommu_resv_region *region)
{
	struct iommu_resv_region *next;

	list_for_each_entry(next, regions, list) {
		if (next->start == region->start &&
		    next->length == region->length &&
		    next->type == region->type) {
			kfree(region);
			return;
		}
		if (next->start > region->start)
			break;
	}
	list_add_tail(&region->list, &next->list);
}

static int viommu_parse_region(struct device *dev,
			       const struct virtio_iommu_probe_resv_mem *mem,
			       size_t size, struct list_head *regions)
{
	enum iommu_resv_type type = IOMMU_RESV_RESERVED;
	struct iommu_resv_region *region;
	u64 first, last;
	size_t length;
	int prot = 0;

	if (size < sizeof(*mem))
		return -EINVAL;

	first = get_unaligned_le64(&mem->start);
	last = get_unaligned_le64(&mem->end);
	if (last < first || overflows_type(last, phys_addr_t) ||
	    check_add_overflow(last - first, 1, &length))
		return -EINVAL;

	/* What is neither of the two has to be left alone as well. */
	if (mem->subtype == VIRTIO_IOMMU_RESV_MEM_T_MSI) {
		type = IOMMU_RESV_MSI;
		prot = IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO;
	} else if (mem->subtype != VIRTIO_IOMMU_RESV_MEM_T_RESERVED) {
		dev_dbg(dev, "reserved region of unknown type %u\n",
			mem->subtype);
	}

	region = iommu_alloc_resv_region(first, length, prot, type, GFP_KERNEL);
	if (!region)
		return -ENOMEM;

	viommu_add_region(regions, region);
	return 0;
}

static int viommu_parse_property(struct device *dev, u16 type,
				 const void *property, size_t size,
				 struct list_head *regions,
				 struct viommu_table_caps *caps)
{
	switch (type) {
	case VIRTIO_IOMMU_PROBE_T_RESV_MEM:
		return viommu_parse_region(dev, property, size, regions);
	case VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK:
	case VIRTIO_IOMMU_PROBE_T_INPUT_RANGE:
	case VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE:
	case VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT:
	case VIRTIO_IOMMU_PROBE_T_PASID_SIZE:
	case VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT:
		viommu_parse_table_caps(type, property, size, caps);
		return 0;
	default:
		/* Also one of a known type whose reserved bits are set. */
		dev_dbg(dev, "property 0x%x skipped\n", type);
		return 0;
	}
}

/**
 * viommu_parse_properties() - read what PROBE returned
 * @dev: the endpoint's device
 * @properties: the properties, where the device cannot change them any more
 * @size: bytes of them
 * @regions: reserved regions are added here
 * @caps: filled in. What is missing is such that no table can be used
 *
 * Return: 0 or an errno; some regions may have been added in any case.
 */
int viommu_parse_properties(struct device *dev, const void *properties,
			    size_t size, struct list_head *regions,
			    struct viommu_table_caps *caps)
{
	const struct virtio_iommu_probe_property *property;
	size_t property_size;
	u16 type;
	int err;

	*caps = (struct viommu_table_caps){};
	while (size >= sizeof(*property)) {
		property = properties;
		type = get_unaligned_le16(&property->type);
		property_size = sizeof(*property) +
				get_unaligned_le16(&property->length);

		if (type == VIRTIO_IOMMU_PROBE_T_NONE)
			return 0;
		if (property_size > size)
			return -EINVAL;

		err = viommu_parse_property(dev, type, properties, property_size,
					    regions, caps);
		if (err)
			return err;

		properties += property_size;
		size -= property_size;
	}
	return 0;
}
