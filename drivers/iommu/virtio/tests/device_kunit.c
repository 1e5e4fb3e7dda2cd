// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices from their probe to their removal, and endpoints that the IOMMU core brings.
 */
#include <kunit/test.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/platform_device.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_ring.h>

#include <compat/iommu.h>

#include "../pasid.h"
#include "fake_device.h"

#define ID		0x100
#define IOVA		0x10000UL
#define PHYS		0x800000UL
#define SW_MSI_START	0x8000000

static void feature(struct fake_device *fake, unsigned int bit)
{
	fake->features |= BIT_ULL(bit);
}

/* What PROBE returns is one region, at @offset of the list. */
static void put_region(struct fake_device *fake, size_t offset, u8 subtype,
		       u64 start, u64 last)
{
	struct virtio_iommu_probe_resv_mem *mem =
		(void *)fake->properties + offset;

	mem->head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_RESV_MEM);
	mem->head.length = cpu_to_le16(sizeof(*mem) - sizeof(mem->head));
	mem->subtype = subtype;
	mem->start = cpu_to_le64(start);
	mem->end = cpu_to_le64(last);
}

/* How many requests of a type the device has seen, of those that it has logged */
static unsigned int seen(struct fake_device *fake, u8 type)
{
	unsigned int i, nr = 0;

	for (i = 0; i < min(fake->nr, FAKE_LOG_SIZE); i++)
		nr += fake->log[i].type == type;
	return nr;
}

/* The core attaches identity domains only as default domains. */
static int attach(struct iommu_domain *domain, struct device *dev)
{
	return compat_attach_dev(domain, dev);
}

/* Registers a device that the driver should refuse. */
static void expect_refused(struct kunit *test, struct fake_device *fake)
{
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_device_register(test, fake));
	fake_device_unregister(test, fake);
}

static void device_refused(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	const struct virtio_iommu_config good = fake->config;

	feature(fake, VIRTIO_IOMMU_F_INPUT_RANGE);
	feature(fake, VIRTIO_IOMMU_F_DOMAIN_RANGE);
	feature(fake, VIRTIO_IOMMU_F_PROBE);

	/* no room for a page */
	fake->config.input_range.start = cpu_to_le64(0x1000);
	fake->config.input_range.end = cpu_to_le64(0x1fff);
	expect_refused(test, fake);
	fake->config.input_range.end = cpu_to_le64(0x800);
	expect_refused(test, fake);
	fake->config = good;
	fake->config.input_range.end = cpu_to_le64(U64_MAX);

	/* no page size, or none that fits ours */
	fake->config.page_size_mask = 0;
	expect_refused(test, fake);
	fake->config.page_size_mask = cpu_to_le64(PAGE_SIZE << 1);
	expect_refused(test, fake);
	fake->config.page_size_mask = good.page_size_mask;

	fake->config.domain_range.start = cpu_to_le32(2);
	fake->config.domain_range.end = cpu_to_le32(1);
	expect_refused(test, fake);
	fake->config.domain_range.end = cpu_to_le32(9);

	fake->config.probe_size = cpu_to_le32(SZ_64K + 1);
	expect_refused(test, fake);
	fake->config.probe_size = good.probe_size;

	fake->no_queues = true;
	expect_refused(test, fake);
	fake->no_queues = false;

	/* no room for a request */
	fake->ring_size = 1;
	expect_refused(test, fake);
	fake->ring_size = 8;

	fake->features &= ~BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP);
	expect_refused(test, fake);
	feature(fake, VIRTIO_IOMMU_F_MAP_UNMAP);
	KUNIT_EXPECT_EQ(test, 0, fake_device_register(test, fake));
	KUNIT_EXPECT_EQ(test, fake->viommu->limits.first_domain, 2);
	KUNIT_EXPECT_EQ(test, fake->viommu->limits.last_domain, 9);
}

/* Every feature that it knows, and none that it does not. */
static void device_features(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	u64 known;

	fake->config.input_range.end = cpu_to_le64(U64_MAX);
	fake->config.domain_range.end = cpu_to_le32(U32_MAX);
	feature(fake, VIRTIO_IOMMU_F_INPUT_RANGE);
	feature(fake, VIRTIO_IOMMU_F_DOMAIN_RANGE);
	feature(fake, VIRTIO_IOMMU_F_PROBE);
	feature(fake, VIRTIO_IOMMU_F_MMIO);
	feature(fake, VIRTIO_IOMMU_F_BYPASS_CONFIG);
	known = fake->features;
	feature(fake, VIRTIO_IOMMU_F_BYPASS);
	feature(fake, VIRTIO_RING_F_INDIRECT_DESC);
	feature(fake, 23);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	KUNIT_EXPECT_EQ(test, fake->vdev->features, known);
	KUNIT_EXPECT_EQ(test, fake->viommu->map_flags,
			VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE |
			VIRTIO_IOMMU_MAP_F_MMIO);
}

/* A mapping of a single byte is none that the specification allows. */
static void device_page_sizes(struct kunit *test)
{
	static const struct {
		u64 mask;
		unsigned long page_sizes;
	} cases[] = {
		{ 1, PAGE_SIZE },
		{ 1 | SZ_4K, SZ_4K },
		{ 3, 2 },
		{ SZ_4K | SZ_2M, SZ_4K | SZ_2M },
	};
	struct fake_device *fake = fake_device_alloc(test, 8);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fake->config.page_size_mask = cpu_to_le64(cases[i].mask);
		KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
		KUNIT_EXPECT_EQ_MSG(test, fake->viommu->limits.page_sizes,
				    cases[i].page_sizes, "case %d", i);
		fake_device_unregister(test, fake);
	}
}

/* Faults from the moment on that the device may work, before it has an endpoint */
static void device_early_events(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);

	fake->early_faults = 20;
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	KUNIT_EXPECT_EQ(test, 0, fake->early_faults);
	KUNIT_EXPECT_EQ(test, 20, fake->events);
}

static void device_endpoint(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;
	struct iommu_domain *domain;
	int i;

	feature(fake, VIRTIO_IOMMU_F_PROBE);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	pdev = fake_endpoint_add(test, fake, 2, ID);
	KUNIT_ASSERT_NOT_NULL(test, pdev->dev.iommu_group);
	domain = iommu_get_domain_for_dev(&pdev->dev);
	KUNIT_ASSERT_NOT_NULL(test, domain);

	/* PROBE comes first. */
	KUNIT_EXPECT_EQ(test, 4, fake->nr);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, fake->log[i].type,
				i < 2 ? VIRTIO_IOMMU_T_PROBE :
					VIRTIO_IOMMU_T_ATTACH);
		KUNIT_EXPECT_EQ(test, fake->log[i].endpoint, ID + i % 2);
	}

	fake_device_forget(fake);
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, IOVA, PHYS, PAGE_SIZE,
					   IOMMU_READ, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, seen(fake, VIRTIO_IOMMU_T_MAP));
	KUNIT_EXPECT_EQ(test, PHYS + 5, iommu_iova_to_phys(domain, IOVA + 5));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iommu_unmap(domain, IOVA, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 1, seen(fake, VIRTIO_IOMMU_T_UNMAP));

	/* Those of the core's own mappings that do not work leave no trace. */
	fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_map(domain, IOVA, PHYS, PAGE_SIZE, IOMMU_READ,
				  GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, iommu_iova_to_phys(domain, IOVA));

	fake_device_forget(fake);
	fake_endpoint_unplug(test, pdev);
	KUNIT_EXPECT_EQ(test, 2, seen(fake, VIRTIO_IOMMU_T_DETACH));
	KUNIT_EXPECT_TRUE(test, xa_empty(&fake->viommu->ids));
}

/* The DMA API, with the device's errors */
static void device_dma(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	void *buffer = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct platform_device *pdev;
	dma_addr_t dma;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_ASSERT_NOT_NULL(test, pdev->dev.iommu_group);
	fake_device_forget(fake);
	dma = dma_map_single(&pdev->dev, buffer, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_FALSE(test, dma_mapping_error(&pdev->dev, dma));
	KUNIT_EXPECT_EQ(test, 1, fake->nr);
	KUNIT_EXPECT_EQ(test, fake->log[0].type, VIRTIO_IOMMU_T_MAP);
	KUNIT_EXPECT_EQ(test, fake->log[0].start, dma);
	KUNIT_EXPECT_EQ(test, fake->log[0].phys, virt_to_phys(buffer));
	KUNIT_EXPECT_EQ(test, fake->log[0].flags, VIRTIO_IOMMU_MAP_F_READ);
	dma_unmap_single(&pdev->dev, dma, PAGE_SIZE, DMA_TO_DEVICE);

	fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_RANGE;
	dma = dma_map_single(&pdev->dev, buffer, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(&pdev->dev, dma));
}

static void device_input_range(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;
	struct iommu_domain *domain;

	feature(fake, VIRTIO_IOMMU_F_INPUT_RANGE);
	fake->config.input_range.start = cpu_to_le64(2 * PAGE_SIZE);
	fake->config.input_range.end = cpu_to_le64(6 * PAGE_SIZE - 1);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	domain = iommu_paging_domain_alloc(&pdev->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, -ERANGE, iommu_map(domain, PAGE_SIZE, PHYS, PAGE_SIZE,
						 IOMMU_READ, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ERANGE, iommu_map(domain, 6 * PAGE_SIZE, PHYS,
						 PAGE_SIZE, IOMMU_READ,
						 GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ERANGE, iommu_map(domain, 5 * PAGE_SIZE, PHYS,
						 2 * PAGE_SIZE, IOMMU_READ,
						 GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, 2 * PAGE_SIZE, PHYS,
					   4 * PAGE_SIZE, IOMMU_READ,
					   GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 4 * PAGE_SIZE,
			iommu_unmap(domain, 2 * PAGE_SIZE, 4 * PAGE_SIZE));
	iommu_domain_free(domain);
}

/* A list that does not add up, an error, and no answer: none of them is an endpoint. */
static void device_bad_properties(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;

	feature(fake, VIRTIO_IOMMU_F_PROBE);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	put_region(fake, 0, 0, 0x1000, 0x1fff);
	put_region(fake, 24, 0, 0x3000, 0x2fff);
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);
	KUNIT_EXPECT_EQ(test, 0, seen(fake, VIRTIO_IOMMU_T_ATTACH));
	memset(fake->properties, 0, sizeof(fake->properties));

	fake->status[VIRTIO_IOMMU_T_PROBE] = VIRTIO_IOMMU_S_INVAL;
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);
	fake->status[VIRTIO_IOMMU_T_PROBE] = VIRTIO_IOMMU_S_OK;

	fake->short_used = true;
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);
	fake->short_used = false;

	/* no id at all */
	pdev = fake_endpoint_add(test, fake, 0, ID);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);

	/* None of its ids exists, or one does. */
	fake->unknown_endpoint = ID;
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);
	pdev = fake_endpoint_add(test, fake, 2, ID - 1);
	KUNIT_EXPECT_NOT_NULL(test, pdev->dev.iommu_group);
	pdev = fake_endpoint_add(test, fake, 2, ID);
	KUNIT_EXPECT_NOT_NULL(test, pdev->dev.iommu_group);
}

/* PROBE that has nothing to say is not asked. */
static void device_no_properties(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;

	feature(fake, VIRTIO_IOMMU_F_PROBE);
	fake->config.probe_size = 0;
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_EXPECT_NOT_NULL(test, pdev->dev.iommu_group);
	KUNIT_EXPECT_EQ(test, 0, seen(fake, VIRTIO_IOMMU_T_PROBE));
	KUNIT_EXPECT_EQ(test, 1, seen(fake, VIRTIO_IOMMU_T_ATTACH));
}

/* Numbers from the middle of nowhere, for ATTACH and for DETACH */
static void device_domain_range(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;
	int i;

	feature(fake, VIRTIO_IOMMU_F_DOMAIN_RANGE);
	fake->config.domain_range.start = cpu_to_le32(0xfffffff0);
	fake->config.domain_range.end = cpu_to_le32(0xfffffff1);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	fake_endpoint_unplug(test, pdev);
	KUNIT_EXPECT_EQ(test, 1, seen(fake, VIRTIO_IOMMU_T_ATTACH));
	KUNIT_EXPECT_EQ(test, 1, seen(fake, VIRTIO_IOMMU_T_DETACH));
	for (i = 0; i < fake->nr; i++)
		KUNIT_EXPECT_EQ(test, fake->log[i].domain, 0xfffffff0);
}

static void device_frozen_endpoint(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;

	feature(fake, VIRTIO_IOMMU_F_PROBE);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	KUNIT_ASSERT_EQ(test, 0, virtio_device_freeze(fake->vdev));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);
	KUNIT_EXPECT_EQ(test, 0, virtio_device_restore(fake->vdev));
}

/* The regions that a group reports, and where MSIs are mapped */
static void device_regions(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct iommu_resv_region *region;
	struct platform_device *pdev;
	LIST_HEAD(regions);

	feature(fake, VIRTIO_IOMMU_F_PROBE);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	put_region(fake, 0, VIRTIO_IOMMU_RESV_MEM_T_RESERVED, 0x1000, 0x2fff);
	pdev = fake_endpoint_add(test, fake, 1, ID);
	iommu_get_resv_regions(&pdev->dev, &regions);
	KUNIT_ASSERT_EQ(test, 2, list_count_nodes(&regions));
	region = list_first_entry(&regions, struct iommu_resv_region, list);
	KUNIT_EXPECT_EQ(test, region->start, 0x1000);
	KUNIT_EXPECT_EQ(test, region->length, 0x2000);
	region = list_last_entry(&regions, struct iommu_resv_region, list);
	KUNIT_EXPECT_EQ(test, region->start, SW_MSI_START);
	KUNIT_EXPECT_EQ(test, region->length, SZ_1M);
	KUNIT_EXPECT_EQ(test, region->type, IOMMU_RESV_SW_MSI);
	KUNIT_EXPECT_TRUE(test, region->prot & IOMMU_MMIO);
	iommu_put_resv_regions(&pdev->dev, &regions);

	INIT_LIST_HEAD(&regions);
	put_region(fake, 0, VIRTIO_IOMMU_RESV_MEM_T_MSI, 0xfee00000, 0xfeefffff);
	pdev = fake_endpoint_add(test, fake, 1, ID + 1);
	iommu_get_resv_regions(&pdev->dev, &regions);
	KUNIT_ASSERT_EQ(test, 1, list_count_nodes(&regions));
	region = list_first_entry(&regions, struct iommu_resv_region, list);
	KUNIT_EXPECT_EQ(test, region->start, 0xfee00000);
	KUNIT_EXPECT_EQ(test, region->length, SZ_1M);
	KUNIT_EXPECT_EQ(test, region->type, IOMMU_RESV_MSI);
	KUNIT_EXPECT_TRUE(test, region->prot & IOMMU_MMIO);
	iommu_put_resv_regions(&pdev->dev, &regions);
}

static void device_capabilities(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	struct platform_device *pdev = fake_endpoint_add(test, fake, 1, ID);
	struct device *dev = &pdev->dev;
	enum iommu_cap cap;

	KUNIT_EXPECT_TRUE(test, device_iommu_capable(dev,
						     IOMMU_CAP_DEFERRED_FLUSH));
	KUNIT_EXPECT_EQ(test, dev_is_dma_coherent(dev),
			device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY));
	KUNIT_EXPECT_FALSE(test, device_iommu_capable(dev, IOMMU_CAP_NOEXEC));
	KUNIT_EXPECT_FALSE(test, device_iommu_capable(dev,
						      IOMMU_CAP_DIRTY_TRACKING));
	cap = IOMMU_CAP_ENFORCE_CACHE_COHERENCY;
	KUNIT_EXPECT_FALSE(test, device_iommu_capable(dev, cap));
}

/* The identity domain of each instance: a bypass domain, or all but its regions */
static void device_identity(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct fake_device *other = fake_device_alloc(test, 8);
	struct viommu_domain *bypass, *mapped;
	struct platform_device *pdev, *other_pdev;
	struct iommu_domain *domain;

	feature(fake, VIRTIO_IOMMU_F_BYPASS_CONFIG);
	feature(other, VIRTIO_IOMMU_F_INPUT_RANGE);
	feature(other, VIRTIO_IOMMU_F_PROBE);
	other->config.input_range.end = cpu_to_le64(SZ_1G - 1);
	put_region(other, 0, 0, 0x5000, 0x5fff);
	put_region(other, 24, 0, SZ_2G, SZ_2G + 0xfff);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, other));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	other_pdev = fake_endpoint_add(test, other, 1, ID);

	domain = viommu_domain_alloc_identity(&pdev->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	bypass = to_viommu_domain(domain);
	KUNIT_EXPECT_TRUE(test, bypass->bypass);
	KUNIT_EXPECT_NULL(test, viommu_mapping_first(&bypass->mappings, 0,
						     ULONG_MAX));

	fake_device_forget(other);
	/* Older kernels say at the attach for which device it is. */
	domain = viommu_domain_alloc_identity(NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	mapped = to_viommu_domain(domain);
	KUNIT_EXPECT_EQ(test, 0, attach(domain, &other_pdev->dev));
	KUNIT_EXPECT_FALSE(test, mapped->bypass);
	KUNIT_EXPECT_EQ(test, 3, other->nr);
	KUNIT_EXPECT_EQ(test, other->log[1].start, 0);
	KUNIT_EXPECT_EQ(test, other->log[1].phys, 0);
	KUNIT_EXPECT_EQ(test, other->log[1].last, 0x4fff);
	KUNIT_EXPECT_EQ(test, other->log[2].start, 0x6000);
	KUNIT_EXPECT_EQ(test, other->log[2].phys, 0x6000);
	KUNIT_EXPECT_EQ(test, other->log[2].last, SZ_1G - 1);

	/* Each is of its instance alone. */
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(domain, &pdev->dev));
	fake_device_forget(fake);
	KUNIT_EXPECT_EQ(test, 0, attach(&bypass->domain, &pdev->dev));
	KUNIT_EXPECT_EQ(test, fake->log[0].flags, VIRTIO_IOMMU_ATTACH_F_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, attach(&viommu_blocked_domain, &pdev->dev));
	KUNIT_EXPECT_EQ(test, 0, attach(&viommu_blocked_domain,
					&other_pdev->dev));
	bypass->domain.ops->free(&bypass->domain);
	domain->ops->free(domain);
}

/* Regions that overlap, are no multiple of a page, or reach beyond the input range */
static void device_identity_regions(struct kunit *test)
{
	static const struct {
		u64 start, last;
	} mapped[] = {
		{ 0x1000, 0x4fff },
		{ 0xa000, 0x1ffff },
		{ 0x21000, SZ_1G - 0x1001 },
	};
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct platform_device *pdev;
	struct iommu_domain *domain;
	int i;

	feature(fake, VIRTIO_IOMMU_F_INPUT_RANGE);
	feature(fake, VIRTIO_IOMMU_F_PROBE);
	fake->config.input_range.end = cpu_to_le64(SZ_1G - 1);
	put_region(fake, 0, 0, SZ_1G - 0x1000, U64_MAX);
	put_region(fake, 24, 0, 0x20010, 0x20020);
	put_region(fake, 48, 0, 0x5000, 0x8fff);
	put_region(fake, 72, 0x77, 0x8000, 0x9fff);
	put_region(fake, 96, 0, 0, 0xfff);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	KUNIT_ASSERT_NOT_NULL(test, pdev->dev.iommu_group);
	domain = viommu_domain_alloc_identity(&pdev->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	fake_device_forget(fake);
	KUNIT_EXPECT_EQ(test, 0, attach(domain, &pdev->dev));
	KUNIT_EXPECT_EQ(test, 3, seen(fake, VIRTIO_IOMMU_T_MAP));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, fake->log[i + 1].start, mapped[i].start);
		KUNIT_EXPECT_EQ(test, fake->log[i + 1].last, mapped[i].last);
		KUNIT_EXPECT_EQ(test, fake->log[i + 1].phys, mapped[i].start);
	}
	KUNIT_EXPECT_EQ(test, 0, attach(&viommu_blocked_domain, &pdev->dev));
	domain->ops->free(domain);
}

static void add_region(struct kunit *test, struct viommu_endpoint *ep, u64 start)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(start, PAGE_SIZE, 0, IOMMU_RESV_RESERVED,
					 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, region);
	list_add(&region->list, &ep->regions);
}

/* One domain for two endpoints: what is reserved for either is not mapped. */
static void device_identity_group(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	struct viommu_endpoint *ep = fake_endpoint_create(test, fake, 1, ID);
	struct viommu_endpoint *other = fake_endpoint_create(test, fake, 1,
							     ID + 1);
	struct viommu_mapping *mapping;
	struct iommu_domain *domain;
	unsigned long next = 0;
	int i;

	add_region(test, ep, 4 * PAGE_SIZE);
	add_region(test, other, 2 * PAGE_SIZE);
	ep->dev->iommu_group = (void *)fake;
	other->dev->iommu_group = (void *)fake;
	domain = viommu_domain_alloc_identity(ep->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	for (i = 0; i < 3; i++) {
		mapping = viommu_mapping_first(&to_viommu_domain(domain)->mappings,
					       next, ULONG_MAX);
		KUNIT_ASSERT_NOT_NULL(test, mapping);
		KUNIT_EXPECT_EQ(test, mapping->range.start, next);
		next = mapping->range.last + 1 + PAGE_SIZE;
	}
	KUNIT_EXPECT_EQ(test, mapping->range.start, 5 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, mapping->range.last, ULONG_MAX);

	domain->ops->free(domain);
	iommu_put_resv_regions(ep->dev, &ep->regions);
	iommu_put_resv_regions(other->dev, &other->regions);
	fake_endpoint_destroy(ep);
	fake_endpoint_destroy(other);
}

static void device_two_instances(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	struct fake_device *other = fake_device_alloc(test, 8);
	struct platform_device *pdev, *other_pdev;
	struct iommu_domain *domain;

	other->config.page_size_mask = cpu_to_le64(SZ_1K);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, other));
	pdev = fake_endpoint_add(test, fake, 1, ID);
	other_pdev = fake_endpoint_add(test, other, 1, ID);
	KUNIT_EXPECT_EQ(test, 1, seen(fake, VIRTIO_IOMMU_T_ATTACH));
	KUNIT_EXPECT_EQ(test, 1, seen(other, VIRTIO_IOMMU_T_ATTACH));

	domain = iommu_paging_domain_alloc(&pdev->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, domain->pgsize_bitmap);
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_device(domain, &pdev->dev));
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_attach_device(domain,
							   &other_pdev->dev));
	iommu_detach_device(domain, &pdev->dev);
	iommu_domain_free(domain);
}

/* Its endpoints go with it, and what they have mapped is nobody's any more. */
static void device_removed(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	struct platform_device *pdev = fake_endpoint_add(test, fake, 1, ID);
	struct iommu_domain *domain = iommu_paging_domain_alloc(&pdev->dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, IOVA, PHYS, PAGE_SIZE,
					   IOMMU_READ, GFP_KERNEL));
	fake_device_unregister(test, fake);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);

	/* A domain may outlive the device. */
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, 2 * IOVA, PHYS, PAGE_SIZE,
					   IOMMU_READ, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iommu_unmap(domain, IOVA, PAGE_SIZE));
	iommu_domain_free(domain);
}

/* It is gone without a word: nothing waits for it. */
static void device_surprise_removed(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	struct platform_device *pdev = fake_endpoint_add(test, fake, 1, ID);
	struct iommu_domain *domain = iommu_get_domain_for_dev(&pdev->dev);

	KUNIT_ASSERT_NOT_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, IOVA, PHYS, PAGE_SIZE,
					   IOMMU_READ, GFP_KERNEL));
	fake->mute = true;
	virtio_break_device(fake->vdev);
	KUNIT_EXPECT_EQ(test, -EIO, iommu_map(domain, 2 * IOVA, PHYS, PAGE_SIZE,
					      IOMMU_READ, GFP_KERNEL));
	fake_device_unregister(test, fake);
	KUNIT_EXPECT_NULL(test, pdev->dev.iommu_group);
}

static void device_needs_reset(struct kunit *test)
{
	struct fake_device *fake = fake_device_create(test, 8);
	struct platform_device *pdev = fake_endpoint_add(test, fake, 1, ID);
	struct iommu_domain *domain = iommu_get_domain_for_dev(&pdev->dev);

	KUNIT_ASSERT_NOT_NULL(test, domain);
	fake->mute = true;
	fake->device_status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_config_changed(fake->vdev);
	flush_work(&fake->viommu->config_work);
	KUNIT_EXPECT_EQ(test, -EIO, iommu_map(domain, IOVA, PHYS, PAGE_SIZE,
					      IOMMU_READ, GFP_KERNEL));
}

/* The one bit of the field that has a meaning is followed. */
static void device_bypass_changes(struct kunit *test)
{
	struct fake_device *fake = fake_device_alloc(test, 8);
	struct viommu_dev *viommu;
	int i;

	feature(fake, VIRTIO_IOMMU_F_BYPASS_CONFIG);
	fake->config.bypass = 1;
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	viommu = fake->viommu;
	KUNIT_EXPECT_TRUE(test, viommu->bypass);
	for (i = 0; i < 4; i++) {
		fake->config.bypass = 0xfe | (i & 1);
		virtio_config_changed(fake->vdev);
		flush_work(&viommu->config_work);
		KUNIT_EXPECT_EQ(test, i & 1, viommu->bypass);
	}

	/* Without the feature there is no such field. */
	fake_device_unregister(test, fake);
	fake->features &= ~BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	KUNIT_EXPECT_FALSE(test, fake->viommu->bypass);
}

static void device_set_tables(void *wanted)
{
	WRITE_ONCE(viommu_tables, !!wanted);
}

static struct virtio_iommu_probe_property property_head(u16 type, size_t size)
{
	return (struct virtio_iommu_probe_property) {
		.type = cpu_to_le16(type),
		.length = cpu_to_le16(size -
				sizeof(struct virtio_iommu_probe_property)),
	};
}

/* What PROBE returns for an endpoint with tables, and with PASIDs if it has bits. */
static void put_tables(struct fake_device *fake, u8 pasid_bits)
{
	struct {
		struct virtio_iommu_probe_page_size_mask sizes;
		struct virtio_iommu_probe_input_range input;
		struct virtio_iommu_probe_output_size output;
		struct virtio_iommu_probe_pasid_size pasid;
		struct virtio_iommu_probe_pgtf_x86_64 format;
		struct virtio_iommu_probe_pasidtf pasid_format;
	} *p = (void *)fake->properties;

	static_assert(sizeof(*p) <= FAKE_PROBE_SIZE);
	p->sizes.head = property_head(VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK,
				      sizeof(p->sizes));
	p->input.head = property_head(VIRTIO_IOMMU_PROBE_T_INPUT_RANGE,
				      sizeof(p->input));
	p->output.head = property_head(VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE,
				       sizeof(p->output));
	p->pasid.head = property_head(VIRTIO_IOMMU_PROBE_T_PASID_SIZE,
				      sizeof(p->pasid));
	p->format.head = property_head(VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT,
				       sizeof(p->format));
	p->pasid_format.head = property_head(VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT,
					     sizeof(p->pasid_format));
	p->sizes.mask = cpu_to_le64(SZ_4K | SZ_2M);
	p->input.end = cpu_to_le64(BIT_ULL(48) - 1);
	p->output.bits = 52;
	p->pasid.bits = pasid_bits;
	p->format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_X86_64);
	p->format.flags = cpu_to_le64(VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE);
	p->pasid_format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PASIDTF);
}

/* A device whose endpoints get domains with tables. */
static struct fake_device *device_with_tables(struct kunit *test, u8 pasid_bits)
{
	struct fake_device *fake = fake_device_alloc(test, 8);

	feature(fake, VIRTIO_IOMMU_F_PROBE);
	feature(fake, VIRTIO_IOMMU_F_ATTACH_TABLE);
	put_tables(fake, pasid_bits);
	device_set_tables(fake);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, device_set_tables,
							   NULL));
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	return fake;
}

/* PASIDs as a driver uses them: by the core's functions. */
static void device_pasids(struct kunit *test)
{
	struct fake_device *fake = device_with_tables(test, 8);
	struct viommu_endpoint *ep;
	struct platform_device *pdev;
	struct iommu_domain *domain;
	struct device *dev;

	pdev = fake_endpoint_add(test, fake, 1, ID);
	dev = &pdev->dev;
	KUNIT_ASSERT_NOT_NULL(test, dev->iommu_group);
	KUNIT_EXPECT_EQ(test, 256, dev->iommu->max_pasids);
	ep = dev_iommu_priv_get(dev);
	domain = iommu_paging_domain_alloc(dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, IOVA, PHYS, PAGE_SIZE,
					   IOMMU_READ, GFP_KERNEL));

	/* Not those that there are not, not the one for requests without one */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_attach_device_pasid(domain, dev, 256, NULL));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_attach_device_pasid(domain, dev, IOMMU_NO_PASID,
						  NULL));
	KUNIT_EXPECT_NULL(test, ep->pasids);

	/* The table comes with the first one, and an entry can be refused. */
	fake_device_forget(fake);
	fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_attach_device_pasid(domain, dev, 5, NULL));
	KUNIT_EXPECT_EQ(test, fake->log[0].type, VIRTIO_IOMMU_T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, fake->log[0].format, VIRTIO_IOMMU_FORMAT_PASIDTF);
	KUNIT_ASSERT_NOT_NULL(test, ep->pasids);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ep->pasids->entries[5]), 0);
	fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;

	fake_device_forget(fake);
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_device_pasid(domain, dev, 5, NULL));
	KUNIT_EXPECT_EQ(test, fake->nr, 1);
	KUNIT_EXPECT_EQ(test, fake->log[0].type, VIRTIO_IOMMU_T_INVALIDATE);
	KUNIT_EXPECT_EQ(test, fake->log[0].pasid, 5);
	KUNIT_EXPECT_NE(test, le64_to_cpu(ep->pasids->entries[5]), 0);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iommu_attach_device_pasid(domain, dev, 5, NULL));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iommu_unmap(domain, IOVA, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, fake->log[1].type, VIRTIO_IOMMU_T_INVALIDATE);
	KUNIT_EXPECT_EQ(test, fake->log[1].pasid, 5);

	iommu_detach_device_pasid(domain, dev, 5);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(ep->pasids->entries[5]), 0);
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_device_pasid(domain, dev, 6, NULL));
	iommu_detach_device_pasid(domain, dev, 6);
	iommu_domain_free(domain);
	fake_endpoint_unplug(test, pdev);
	KUNIT_EXPECT_TRUE(test, xa_empty(&fake->viommu->ids));
}

/*
 * A device that has them, behind an IOMMU that does not. Cores differ in whether they
 * refuse that, but do not come to the driver with it.
 */
static void device_no_pasids(struct kunit *test)
{
	struct fake_device *fake = device_with_tables(test, 0);
	struct platform_device *pdev = fake_endpoint_add(test, fake, 1, ID);
	struct viommu_endpoint *ep;
	struct iommu_domain *domain;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, pdev->dev.iommu_group);
	KUNIT_EXPECT_EQ(test, 0, pdev->dev.iommu->max_pasids);
	ep = dev_iommu_priv_get(&pdev->dev);
	domain = iommu_paging_domain_alloc(&pdev->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	fake_device_forget(fake);
	err = iommu_attach_device_pasid(domain, &pdev->dev, 5, NULL);
	if (!err)
		iommu_detach_device_pasid(domain, &pdev->dev, 5);
	KUNIT_EXPECT_EQ(test, fake->nr, 0);
	KUNIT_EXPECT_NULL(test, ep->pasids);
	iommu_domain_free(domain);
}

static struct kunit_case device_cases[] = {
	KUNIT_CASE(device_refused),
	KUNIT_CASE(device_features),
	KUNIT_CASE(device_page_sizes),
	KUNIT_CASE(device_early_events),
	KUNIT_CASE(device_endpoint),
	KUNIT_CASE(device_dma),
	KUNIT_CASE(device_input_range),
	KUNIT_CASE(device_bad_properties),
	KUNIT_CASE(device_no_properties),
	KUNIT_CASE(device_domain_range),
	KUNIT_CASE(device_frozen_endpoint),
	KUNIT_CASE(device_regions),
	KUNIT_CASE(device_capabilities),
	KUNIT_CASE(device_identity),
	KUNIT_CASE(device_identity_regions),
	KUNIT_CASE(device_identity_group),
	KUNIT_CASE(device_two_instances),
	KUNIT_CASE(device_removed),
	KUNIT_CASE(device_surprise_removed),
	KUNIT_CASE(device_needs_reset),
	KUNIT_CASE(device_bypass_changes),
	KUNIT_CASE(device_pasids),
	KUNIT_CASE(device_no_pasids),
	{ }
};

static struct kunit_suite device_suite = {
	.name = "virtio_iommu_device",
	.test_cases = device_cases,
};

kunit_test_suite(device_suite);
