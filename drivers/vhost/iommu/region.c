// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved I/O virtual addresses: a short sorted array without overlaps, and how
 * PROBE tells it to the guest (virtio 1.4, "Property RESV_MEM").
 */
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/virtio_iommu.h>

#include "region.h"

/* An endpoint has one MSI region: what would be another is reserved. */
static u32 only_msi(const struct vhost_iommu_regions *regions, u32 type)
{
	unsigned int i;

	for (i = 0; i < regions->nr; i++)
		if (regions->r[i].type == VIRTIO_IOMMU_RESV_MEM_T_MSI)
			return VIRTIO_IOMMU_RESV_MEM_T_RESERVED;
	return type;
}

static int insert_at(struct vhost_iommu_regions *regions, unsigned int pos,
		     u64 start, u64 last, u32 type)
{
	struct vhost_iommu_region *r;

	type = only_msi(regions, type);
	r = krealloc_array(regions->r, regions->nr + 1, sizeof(*r),
			   GFP_KERNEL_ACCOUNT);
	if (!r)
		return -ENOMEM;
	memmove(&r[pos + 1], &r[pos], (regions->nr - pos) * sizeof(*r));
	r[pos] = (struct vhost_iommu_region) {
		.start = start, .last = last, .type = type,
	};
	regions->r = r;
	regions->nr++;
	return 0;
}

/**
 * vhost_iommu_regions_add() - reserve what is not reserved yet of a range
 * @regions: the array
 * @start: first address
 * @last: last address, not less than @start
 * @type: VIRTIO_IOMMU_RESV_MEM_T_*, for the addresses that are added. With an MSI
 *	region in the array, what would be a second one is reserved instead
 *
 * Return: 0 or -ENOMEM; a part may have been added then.
 */
int vhost_iommu_regions_add(struct vhost_iommu_regions *regions, u64 start,
			    u64 last, u32 type)
{
	unsigned int i;
	int ret;

	for (i = 0; i < regions->nr; i++) {
		u64 r_start = regions->r[i].start;
		u64 r_last = regions->r[i].last;

		if (r_last < start)
			continue;
		if (r_start > last)
			break;
		if (r_start > start) {
			ret = insert_at(regions, i, start, r_start - 1, type);
			if (ret)
				return ret;
			i++;
		}
		if (r_last >= last)
			return 0;
		start = r_last + 1;
	}
	return insert_at(regions, i, start, last, type);
}

/**
 * vhost_iommu_regions_free() - empty the array
 * @regions: the array
 */
void vhost_iommu_regions_free(struct vhost_iommu_regions *regions)
{
	kfree(regions->r);
	regions->r = NULL;
	regions->nr = 0;
}

/**
 * vhost_iommu_regions_find() - the first region that overlaps a range
 * @regions: the array
 * @start: first address
 * @last: last address
 *
 * Return: the region or NULL.
 */
const struct vhost_iommu_region *
vhost_iommu_regions_find(const struct vhost_iommu_regions *regions, u64 start,
			 u64 last)
{
	unsigned int i;

	for (i = 0; i < regions->nr; i++)
		if (regions->r[i].start <= last && regions->r[i].last >= start)
			return &regions->r[i];
	return NULL;
}

/**
 * vhost_iommu_regions_size() - bytes of the properties of all regions
 * @regions: the array
 */
size_t vhost_iommu_regions_size(const struct vhost_iommu_regions *regions)
{
	return regions->nr * sizeof(struct virtio_iommu_probe_resv_mem);
}

/**
 * vhost_iommu_regions_encode() - write the properties of all regions
 * @regions: the array
 * @buf: zeroed, vhost_iommu_regions_size() bytes
 */
void vhost_iommu_regions_encode(const struct vhost_iommu_regions *regions,
				void *buf)
{
	struct virtio_iommu_probe_resv_mem *prop = buf;
	unsigned int i;

	for (i = 0; i < regions->nr; i++, prop++) {
		const struct vhost_iommu_region *r = &regions->r[i];

		prop->head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_RESV_MEM);
		prop->head.length = cpu_to_le16(sizeof(*prop) -
						sizeof(prop->head));
		prop->subtype = r->type;
		prop->start = cpu_to_le64(r->start);
		prop->end = cpu_to_le64(r->last);
	}
}
