// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains with tables in Arm's format: what they are made of, and what the device is
 * told.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/sizes.h>

#include "../table.h"
#include "../table_arm.h"
#include "fake_device.h"

#define ID	0x100
#define IOVA	0x40000000UL
#define PHYS	0x800000UL
#define RW	(IOMMU_READ | IOMMU_WRITE)

#define LPAE_VALID	BIT_ULL(0)
#define LPAE_TABLE	BIT_ULL(1)
#define LPAE_RDONLY	BIT_ULL(7)
#define LPAE_AF		BIT_ULL(10)
#define LPAE_ADDR	GENMASK_ULL(47, 12)

struct table_arm_test {
	struct fake_device *fake;
	struct viommu_endpoint *ep;
	struct viommu_domain *vdomain;
	struct iommu_domain *domain;
};

static const struct viommu_table_caps arm_caps = {
	.arm_format = true, .arm_cd_format = true, .asid_bits = 16,
	.sizes = SZ_4K | SZ_2M | SZ_1G, .last = VIOMMU_TABLE_LAST,
	.output_bits = 44,
};

static void table_arm_clean(void *data)
{
	struct table_arm_test *t = data;

	if (t->ep)
		fake_endpoint_destroy(t->ep);
	t->domain->ops->free(t->domain);
}

static int table_arm_init(struct kunit *test)
{
	struct table_arm_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 8);
	t->ep = fake_endpoint_create(test, t->fake, 1, ID);
	t->ep->table_caps = arm_caps;
	t->domain = viommu_domain_alloc_table(t->ep->viommu, &arm_caps);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->domain);
	t->vdomain = to_viommu_domain(t->domain);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, table_arm_clean,
							   t));
	KUNIT_ASSERT_NOT_NULL(test, t->vdomain->arm);
	return 0;
}

static int attach(struct table_arm_test *t)
{
	return viommu_attach_arm(t->domain, t->ep->dev);
}

static int map(struct table_arm_test *t, unsigned long iova, u64 phys,
	       size_t pgsize, size_t pages, int prot)
{
	size_t mapped;

	return t->domain->ops->map_pages(t->domain, iova, phys, pgsize, pages,
					 prot, GFP_KERNEL, &mapped) ?:
	       t->domain->ops->iotlb_sync_map(t->domain, iova, pages * pgsize);
}

static size_t unmap(struct table_arm_test *t, unsigned long iova, size_t pgsize,
		    size_t pages)
{
	struct iommu_iotlb_gather gather;
	size_t size;

	iommu_iotlb_gather_init(&gather);
	size = t->domain->ops->unmap_pages(t->domain, iova, pgsize, pages,
					   &gather);
	t->domain->ops->iotlb_sync(t->domain, &gather);
	return size;
}

/* The entry of the last level that an SMMU finds, beginning with the descriptor. */
static u64 walk(struct table_arm_test *t, u64 iova)
{
	__le64 *table = phys_to_virt(le64_to_cpu(t->vdomain->arm->cd[1]));
	unsigned int level;
	u64 entry;

	for (level = 0;; level++) {
		entry = le64_to_cpu(table[(iova >> (39 - 9 * level)) % 512]);
		if (level == 3 || !(entry & LPAE_VALID) || !(entry & LPAE_TABLE))
			return entry;
		table = phys_to_virt(entry & LPAE_ADDR);
	}
}

static void expect_invalidate(struct kunit *test, int nr, u64 start, u64 last,
			      bool leaf)
{
	struct table_arm_test *t = test->priv;
	struct fake_request *log = &t->fake->log[nr];

	KUNIT_EXPECT_EQ(test, log->type, VIRTIO_IOMMU_T_INVALIDATE);
	KUNIT_EXPECT_EQ(test, log->domain, t->vdomain->id);
	KUNIT_EXPECT_EQ(test, log->start, start);
	KUNIT_EXPECT_EQ(test, log->last, last);
	KUNIT_EXPECT_EQ(test, log->pasid, 0);
	KUNIT_EXPECT_EQ(test, log->archid, t->vdomain->arm->asid);
	KUNIT_EXPECT_EQ(test, log->flags, VIRTIO_IOMMU_INVAL_F_PASID |
			VIRTIO_IOMMU_INVAL_F_ARCHID |
			(leaf ? VIRTIO_IOMMU_INVAL_F_LEAF : 0));
}

static void table_arm_attach(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	struct fake_request *log = t->fake->log;

	KUNIT_ASSERT_EQ(test, 0, attach(t));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	KUNIT_EXPECT_EQ(test, log->type, VIRTIO_IOMMU_T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, log->domain, t->vdomain->id);
	KUNIT_EXPECT_EQ(test, log->endpoint, ID);
	KUNIT_EXPECT_EQ(test, log->format, VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3);
	KUNIT_EXPECT_EQ(test, log->phys, virt_to_phys(t->vdomain->arm->cd));
}

/* Writes that signal interrupts go through the table, wherever the device has them. */
static void table_arm_doorbells(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	struct iommu_resv_region *msi, *other;

	msi = iommu_alloc_resv_region(0x8000000, 0x3000,
				      IOMMU_WRITE | IOMMU_MMIO, IOMMU_RESV_MSI,
				      GFP_KERNEL);
	other = iommu_alloc_resv_region(0x9000000, 0x1000, 0, IOMMU_RESV_RESERVED,
					GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msi);
	KUNIT_ASSERT_NOT_NULL(test, other);
	list_add(&msi->list, &t->ep->regions);
	list_add(&other->list, &t->ep->regions);

	KUNIT_EXPECT_FALSE(test, walk(t, 0x8000000) & LPAE_VALID);
	KUNIT_ASSERT_EQ(test, 0, attach(t));
	KUNIT_EXPECT_EQ(test, walk(t, 0x8000000) & LPAE_ADDR, 0x8000000);
	KUNIT_EXPECT_EQ(test, walk(t, 0x8002000) & LPAE_ADDR, 0x8002000);
	KUNIT_EXPECT_FALSE(test, walk(t, 0x8000000) & LPAE_RDONLY);
	KUNIT_EXPECT_FALSE(test, walk(t, 0x7fff000) & LPAE_VALID);
	KUNIT_EXPECT_FALSE(test, walk(t, 0x8003000) & LPAE_VALID);
	KUNIT_EXPECT_FALSE(test, walk(t, 0x9000000) & LPAE_VALID);
	/* There already */
	KUNIT_EXPECT_EQ(test, 0, attach(t));

	/* Where no entry can lead */
	msi->start = 1ULL << 44;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	/* More than there is memory for tables */
	msi->start = 0;
	msi->length = 1ULL << 40;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	list_del(&msi->list);
	list_del(&other->list);
	kfree(msi);
	kfree(other);
}

static void table_arm_descriptor(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	u64 cd = le64_to_cpu(t->vdomain->arm->cd[0]);

	KUNIT_EXPECT_TRUE(test, cd & VIRTIO_IOMMU_ARM_CD_V);
	KUNIT_EXPECT_TRUE(test, cd & VIRTIO_IOMMU_ARM_CD_AA64);
	KUNIT_EXPECT_TRUE(test, cd & VIRTIO_IOMMU_ARM_CD_EPD1);
	KUNIT_EXPECT_TRUE(test, cd & VIRTIO_IOMMU_ARM_CD_A);
	KUNIT_EXPECT_TRUE(test, cd & VIRTIO_IOMMU_ARM_CD_R);
	KUNIT_EXPECT_EQ(test, 16, FIELD_GET(VIRTIO_IOMMU_ARM_CD_T0SZ, cd));
	KUNIT_EXPECT_EQ(test, 0, FIELD_GET(VIRTIO_IOMMU_ARM_CD_TG0, cd));
	/* 44 bits */
	KUNIT_EXPECT_EQ(test, 4, FIELD_GET(VIRTIO_IOMMU_ARM_CD_IPS, cd));
	KUNIT_EXPECT_EQ(test, t->vdomain->arm->asid,
			FIELD_GET(VIRTIO_IOMMU_ARM_CD_ASID, cd));
	KUNIT_EXPECT_NE(test, 0, t->vdomain->arm->asid);
}

static void table_arm_map(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	u64 entry;

	KUNIT_ASSERT_EQ(test, 0, attach(t));
	fake_device_forget(t->fake);
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 3, RW));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA + SZ_2M, PHYS, SZ_2M, 1, IOMMU_READ));
	/* It caches nothing of what is not there. */
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);

	entry = walk(t, IOVA + 2 * SZ_4K);
	KUNIT_EXPECT_EQ(test, entry & LPAE_ADDR, PHYS + 2 * SZ_4K);
	KUNIT_EXPECT_TRUE(test, entry & LPAE_AF);
	KUNIT_EXPECT_FALSE(test, entry & LPAE_RDONLY);
	KUNIT_EXPECT_EQ(test, 0, walk(t, IOVA + 3 * SZ_4K));
	entry = walk(t, IOVA + SZ_2M);
	KUNIT_EXPECT_EQ(test, entry & LPAE_ADDR, PHYS);
	KUNIT_EXPECT_FALSE(test, entry & LPAE_TABLE);
	KUNIT_EXPECT_TRUE(test, entry & LPAE_RDONLY);
	KUNIT_EXPECT_EQ(test, PHYS + SZ_4K + 8,
			t->domain->ops->iova_to_phys(t->domain,
						     IOVA + SZ_4K + 8));
}

static void table_arm_unmap(struct kunit *test)
{
	struct table_arm_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 4, RW));
	/* Nobody is there who could know it. */
	KUNIT_EXPECT_EQ(test, SZ_4K, unmap(t, IOVA + 3 * SZ_4K, SZ_4K, 1));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_ASSERT_EQ(test, 0, attach(t));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 2 * SZ_4K, unmap(t, IOVA + SZ_4K, SZ_4K, 2));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, IOVA + SZ_4K, IOVA + 3 * SZ_4K - 1, true);
	KUNIT_EXPECT_EQ(test, 0, walk(t, IOVA + SZ_4K));
	KUNIT_EXPECT_NE(test, 0, walk(t, IOVA));
	t->domain->ops->flush_iotlb_all(t->domain);
	expect_invalidate(test, 1, 0, U64_MAX, true);
}

/* A table goes when all that it maps does, after the device has let go of it. */
static void table_arm_unmap_table(struct kunit *test)
{
	struct table_arm_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 512, RW));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, SZ_2M, unmap(t, IOVA, SZ_2M, 1));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_invalidate(test, 0, IOVA, IOVA + SZ_2M - 1, false);
	expect_invalidate(test, 1, IOVA, IOVA + SZ_2M - 1, true);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vdomain->arm->kept));
}

/* If it does not, the table stays in memory until the device has let go of all. */
static void table_arm_unmap_table_refused(struct kunit *test)
{
	struct table_arm_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 512, RW));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA + SZ_2M, PHYS, SZ_4K, 512, RW));
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_DEVERR;
	KUNIT_EXPECT_EQ(test, SZ_2M, unmap(t, IOVA, SZ_2M, 1));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&t->vdomain->arm->kept));
	KUNIT_EXPECT_EQ(test, 0, walk(t, IOVA));

	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, SZ_2M, unmap(t, IOVA + SZ_2M, SZ_2M, 1));
	expect_invalidate(test, 0, 0, U64_MAX, false);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vdomain->arm->kept));
}

static void table_arm_range(struct kunit *test)
{
	struct table_arm_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, -ERANGE, map(t, 1UL << 48, PHYS, SZ_4K, 1, RW));
	KUNIT_EXPECT_EQ(test, -ERANGE, map(t, IOVA, 1ULL << 44, SZ_4K, 1, RW));
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, (1ULL << 44) - SZ_4K, SZ_4K, 1, RW));
}

/* Endpoints that can do less than the table has; all of them know x86 tables. */
static void table_arm_attach_refused(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	struct viommu_table_caps *caps = &t->ep->table_caps;

	caps->format = true;
	caps->arm_format = false;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	*caps = arm_caps;
	caps->arm_cd_format = false;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	*caps = arm_caps;
	caps->sizes = SZ_4K;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	*caps = arm_caps;
	caps->output_bits = 42;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	*caps = arm_caps;
	caps->last--;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	*caps = arm_caps;
	KUNIT_EXPECT_EQ(test, 0, attach(t));
}

/* One of 16 bits does not fit into 8. */
static void table_arm_asids(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	struct viommu_table_caps caps = arm_caps;
	struct iommu_domain *other;

	other = viommu_domain_alloc_table(t->ep->viommu, &caps);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_EXPECT_NE(test, t->vdomain->arm->asid,
			to_viommu_domain(other)->arm->asid);
	other->ops->free(other);

	caps.asid_bits = 8;
	t->ep->table_caps = caps;
	t->vdomain->arm->asid |= 0x100;
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t));
	t->vdomain->arm->asid &= 0xff;
	KUNIT_EXPECT_EQ(test, 0, attach(t));
}

/* The format of the architecture is the one that hardware walks. */
static void table_arm_preferred(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	struct viommu_table_caps caps = arm_caps;
	struct iommu_domain *domain;

	caps.format = true;
	domain = viommu_domain_alloc_table(t->ep->viommu, &caps);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_NOT_NULL(test, to_viommu_domain(domain)->arm);
	domain->ops->free(domain);

	caps.arm_cd_format = false;
	domain = viommu_domain_alloc_table(t->ep->viommu, &caps);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_NULL(test, to_viommu_domain(domain)->arm);
	domain->ops->free(domain);
}

static void table_arm_properties(struct kunit *test)
{
	struct table_arm_test *t = test->priv;
	struct {
		struct virtio_iommu_probe_pgtf_arm pages;
		struct virtio_iommu_probe_pstf_arm descriptors;
	} properties = {
		.pages = {
			.head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT),
			.head.length = cpu_to_le16(12),
			.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_ARM_LPAE),
			.asid_bits = 8,
		},
		.descriptors = {
			.head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT),
			.head.length = cpu_to_le16(12),
			.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3),
		},
	};
	struct viommu_table_caps caps;
	LIST_HEAD(regions);

	KUNIT_ASSERT_EQ(test, 0,
			viommu_parse_properties(t->ep->dev, &properties,
						sizeof(properties), &regions,
						&caps));
	KUNIT_EXPECT_TRUE(test, caps.arm_format);
	KUNIT_EXPECT_TRUE(test, caps.arm_cd_format);
	KUNIT_EXPECT_EQ(test, 8, caps.asid_bits);
	KUNIT_EXPECT_FALSE(test, caps.format);
	KUNIT_EXPECT_FALSE(test, caps.pasid_format);
}

static struct kunit_case table_arm_cases[] = {
	KUNIT_CASE(table_arm_attach),
	KUNIT_CASE(table_arm_doorbells),
	KUNIT_CASE(table_arm_descriptor),
	KUNIT_CASE(table_arm_map),
	KUNIT_CASE(table_arm_unmap),
	KUNIT_CASE(table_arm_unmap_table),
	KUNIT_CASE(table_arm_unmap_table_refused),
	KUNIT_CASE(table_arm_range),
	KUNIT_CASE(table_arm_attach_refused),
	KUNIT_CASE(table_arm_asids),
	KUNIT_CASE(table_arm_preferred),
	KUNIT_CASE(table_arm_properties),
	{}
};

static struct kunit_suite table_arm_suite = {
	.name = "virtio_iommu_table_arm",
	.init = table_arm_init,
	.test_cases = table_arm_cases,
};

kunit_test_suite(table_arm_suite);
