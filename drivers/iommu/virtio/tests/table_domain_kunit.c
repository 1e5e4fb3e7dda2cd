// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains with tables: what the device is told, and when.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/sizes.h>

#include "../table.h"
#include "fake_device.h"

#define ID	0x100
#define IOVA	0x40000000UL
#define PHYS	0x800000UL
#define RW	(IOMMU_READ | IOMMU_WRITE)

struct table_domain_test {
	struct fake_device *fake;
	struct viommu_endpoint *ep;
	struct viommu_domain *vdomain;
	struct iommu_domain *domain;
};

static void table_domain_clean(void *data)
{
	struct table_domain_test *t = data;

	if (t->ep)
		fake_endpoint_destroy(t->ep);
	t->domain->ops->free(t->domain);
}

static int table_domain_init(struct kunit *test)
{
	struct table_domain_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 8);
	t->ep = fake_endpoint_create(test, t->fake, 1, ID);
	fake_endpoint_set_tables(t->ep);
	t->vdomain = fake_table_create(test, t->ep);
	t->domain = &t->vdomain->domain;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   table_domain_clean,
							   t));
	return 0;
}

static void attach(struct kunit *test, bool negative)
{
	struct table_domain_test *t = test->priv;

	t->ep->table_caps.negative = negative;
	KUNIT_ASSERT_EQ(test, 0, viommu_attach_table(t->domain, t->ep->dev));
	fake_device_forget(t->fake);
}

static int map(struct table_domain_test *t, unsigned long iova, size_t pages)
{
	size_t mapped;

	return t->domain->ops->map_pages(t->domain, iova, PHYS, SZ_4K, pages, RW,
					 GFP_KERNEL, &mapped) ?:
	       t->domain->ops->iotlb_sync_map(t->domain, iova, pages * SZ_4K);
}

static size_t unmap(struct table_domain_test *t, unsigned long iova, size_t pages,
		    struct iommu_iotlb_gather *gather)
{
	return t->domain->ops->unmap_pages(t->domain, iova, SZ_4K, pages, gather) /
	       SZ_4K;
}

static void expect_invalidate(struct kunit *test, int nr, u64 start, u64 last,
			      bool leaf)
{
	struct table_domain_test *t = test->priv;
	struct fake_request *log = &t->fake->log[nr];

	KUNIT_EXPECT_EQ(test, log->type, VIRTIO_IOMMU_T_INVALIDATE);
	KUNIT_EXPECT_EQ(test, log->domain, t->vdomain->id);
	KUNIT_EXPECT_EQ(test, log->start, start);
	KUNIT_EXPECT_EQ(test, log->last, last);
	KUNIT_EXPECT_EQ(test, log->flags, leaf ? VIRTIO_IOMMU_INVAL_F_LEAF : 0);
}

static void table_domain_attach(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct fake_request *log = t->fake->log;

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_ASSERT_EQ(test, 0, viommu_attach_table(t->domain, t->ep->dev));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	KUNIT_EXPECT_EQ(test, log->type, VIRTIO_IOMMU_T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, log->domain, t->vdomain->id);
	KUNIT_EXPECT_EQ(test, log->endpoint, ID);
	KUNIT_EXPECT_EQ(test, log->phys, virt_to_phys(t->vdomain->table->root));
}

/* One that can do less than the domain's table has */
static void table_domain_attach_refused(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct viommu_table_caps *caps = &t->ep->table_caps;

	caps->sizes = SZ_4K;
	KUNIT_EXPECT_EQ(test, -EINVAL, viommu_attach_table(t->domain, t->ep->dev));
	caps->sizes = t->domain->pgsize_bitmap;
	caps->last--;
	KUNIT_EXPECT_EQ(test, -EINVAL, viommu_attach_table(t->domain, t->ep->dev));
	caps->last++;
	caps->output_bits = 40;
	KUNIT_EXPECT_EQ(test, -EINVAL, viommu_attach_table(t->domain, t->ep->dev));
	caps->output_bits = 52;
	caps->format = false;
	KUNIT_EXPECT_EQ(test, -EINVAL, viommu_attach_table(t->domain, t->ep->dev));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
}

/* Endpoints that differ, in one group: it gets what both of them can use. */
static void table_domain_group(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct viommu_dev *viommu = t->fake->viommu;
	struct viommu_endpoint *other, *stranger;
	struct viommu_table_caps caps;
	struct iommu_domain *domain;

	other = fake_endpoint_create(test, t->fake, 1, ID + 1);
	stranger = fake_endpoint_create(test, t->fake, 1, ID + 2);
	other->table_caps = t->ep->table_caps;
	other->table_caps.sizes = SZ_4K;
	other->table_caps.output_bits = 40;
	t->ep->dev->iommu_group = test->priv;
	other->dev->iommu_group = test->priv;

	caps = viommu_group_table_caps(t->ep);
	domain = viommu_domain_alloc_table(viommu, &caps);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, 0, viommu_attach_table(domain, t->ep->dev));
	KUNIT_EXPECT_EQ(test, 0, viommu_attach_table(domain, other->dev));
	KUNIT_EXPECT_EQ(test, -EINVAL, viommu_attach_table(domain,
							   stranger->dev));
	KUNIT_EXPECT_EQ(test, 0, viommu_attach_table(t->domain, t->ep->dev));

	/* None, if one of them cannot use any */
	other->table_caps = (struct viommu_table_caps){};
	KUNIT_EXPECT_FALSE(test, viommu_group_table_caps(t->ep).format);

	fake_endpoint_destroy(stranger);
	fake_endpoint_destroy(other);
	domain->ops->free(domain);
}

/* No request to map, one to unmap. */
static void table_domain_map(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct iommu_iotlb_gather gather;

	attach(test, false);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 16));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_EXPECT_EQ(test, t->domain->ops->iova_to_phys(t->domain, IOVA + 0x1234),
			PHYS + 0x1234);

	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 4, unmap(t, IOVA, 4, &gather));
	KUNIT_EXPECT_EQ(test, 4, unmap(t, IOVA + 0x4000, 4, &gather));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	t->domain->ops->iotlb_sync(t->domain, &gather);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, IOVA, IOVA + 0x7fff, true);

	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 0, unmap(t, IOVA, 4, &gather));
	t->domain->ops->iotlb_sync(t->domain, &gather);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
}

/* An endpoint that has to be told what is new, and may refuse */
static void table_domain_negative(struct kunit *test)
{
	struct table_domain_test *t = test->priv;

	t->ep->table_caps.negative = true;
	KUNIT_ASSERT_EQ(test, 0, viommu_attach_table(t->domain, t->ep->dev));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_invalidate(test, 1, 0, U64_MAX, false);
	fake_device_forget(t->fake);

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 16));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, IOVA, IOVA + 0xffff, false);
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, map(t, IOVA + 0x100000, 1));
	/* The last endpoint is on its way out, and the domain is forgotten. */
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_NOENT;
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + 0x200000, 1));
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;
	KUNIT_EXPECT_EQ(test, -ERANGE, map(t, 1UL << 48, 1));
}

/* The whole of a table is invalidated after an endpoint came, or it is blocked. */
static void table_domain_attach_fails(struct kunit *test)
{
	struct table_domain_test *t = test->priv;

	t->ep->table_caps.negative = true;
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, viommu_attach_table(t->domain, t->ep->dev));
	KUNIT_EXPECT_EQ(test, 0, t->vdomain->nr_endpoints);
	KUNIT_EXPECT_EQ(test, 1, t->fake->viommu->blocking.nr_endpoints);
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;
}

/* A table is freed when the device has forgotten it, and not if it could not. */
static void table_domain_parks(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct iommu_iotlb_gather gather;

	attach(test, false);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 512));
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 512, unmap(t, IOVA, 512, &gather));
	KUNIT_EXPECT_FALSE(test, list_empty(&t->vdomain->table->parked));

	/* Somebody else's invalidation is none of it. */
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + SZ_2M, 1));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_DEVERR;
	t->domain->ops->iotlb_sync(t->domain, &gather);
	expect_invalidate(test, 0, IOVA, IOVA + SZ_2M - 1, false);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->vdomain->table->parked));
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;
	t->domain->ops->iotlb_sync(t->domain, &gather);
	expect_invalidate(test, 1, IOVA, IOVA + SZ_2M - 1, false);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vdomain->table->parked));

	/* A page in the place of a table: the device is told before it is used. */
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 1, unmap(t, IOVA, 1, &gather));
	t->domain->ops->iotlb_sync(t->domain, &gather);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 0, viommu_table_map(t->vdomain->table, IOVA, 0, SZ_2M,
						  1, RW, GFP_KERNEL,
						  &(size_t){ 0 }));
	KUNIT_EXPECT_EQ(test, 0, t->domain->ops->iotlb_sync_map(t->domain, IOVA,
								SZ_2M));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_invalidate(test, 1, IOVA, IOVA + SZ_2M - 1, false);
}

/* Lazy: unmaps are gathered elsewhere, and flushed together. */
static void table_domain_flush(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct iommu_iotlb_gather gather;

	attach(test, false);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 512));
	iommu_iotlb_gather_init(&gather);
	gather.queued = true;
	KUNIT_EXPECT_EQ(test, 512, unmap(t, IOVA, 512, &gather));
	t->domain->ops->iotlb_sync(t->domain, &gather);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	t->domain->ops->flush_iotlb_all(t->domain);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, 0, U64_MAX, false);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vdomain->table->parked));
}

/* With nobody in the domain there is nobody to be told. */
static void table_domain_offline(struct kunit *test)
{
	struct table_domain_test *t = test->priv;
	struct iommu_iotlb_gather gather;

	attach(test, true);
	fake_endpoint_destroy(t->ep);
	t->ep = NULL;
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 512));
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 512, unmap(t, IOVA, 512, &gather));
	t->domain->ops->iotlb_sync(t->domain, &gather);
	t->domain->ops->flush_iotlb_all(t->domain);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vdomain->table->parked));
}

struct table_properties {
	struct virtio_iommu_probe_page_size_mask sizes;
	struct virtio_iommu_probe_pgtf_x86_64 other;
	struct virtio_iommu_probe_pgtf_x86_64 format;
	struct virtio_iommu_probe_output_size output;
	struct virtio_iommu_probe_input_range input;
};

#define HEAD(number, bytes) {						\
	.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_##number),		\
	.length = cpu_to_le16(bytes) }

static const struct table_properties properties = {
	.sizes.head = HEAD(PAGE_SIZE_MASK, 12),
	.sizes.mask = cpu_to_le64(SZ_4K | SZ_64K | SZ_1G),
	.other.head = HEAD(PAGE_TABLE_FMT, 12),
	.other.format = cpu_to_le16(1),
	.format.head = HEAD(PAGE_TABLE_FMT, 12),
	.format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_X86_64),
	.format.flags = cpu_to_le64(~0ULL),
	.output.head = HEAD(OUTPUT_SIZE, 4),
	.output.bits = 46,
	.input.head = HEAD(INPUT_RANGE, 20),
	.input.start = cpu_to_le64(0x1000),
	.input.end = cpu_to_le64(U64_MAX),
};

static int parse(struct kunit *test, const void *p, size_t size,
		 struct viommu_table_caps *caps)
{
	struct table_domain_test *t = test->priv;

	return viommu_parse_properties(t->ep->dev, p, size, &t->ep->regions, caps);
}

static void table_domain_caps(struct kunit *test)
{
	struct table_properties p = properties;
	struct viommu_table_caps caps, other;

	parse(test, &p, sizeof(p), &caps);
	KUNIT_EXPECT_TRUE(test, caps.format);
	KUNIT_EXPECT_FALSE(test, caps.negative);
	KUNIT_EXPECT_EQ(test, caps.sizes, SZ_4K | SZ_1G);
	KUNIT_EXPECT_EQ(test, caps.start, 0x1000);
	KUNIT_EXPECT_EQ(test, caps.last, VIOMMU_TABLE_LAST);
	KUNIT_EXPECT_EQ(test, caps.output_bits, 46);

	/* Too short, missing, and of a format that is not ours */
	p.format.head.length = cpu_to_le16(4);
	parse(test, &p, sizeof(p), &other);
	KUNIT_EXPECT_FALSE(test, other.format);
	p = properties;
	p.format.format = cpu_to_le16(2);
	parse(test, &p, sizeof(p), &other);
	KUNIT_EXPECT_FALSE(test, other.format);
	parse(test, &p, 0, &other);
	KUNIT_EXPECT_FALSE(test, other.format);
	KUNIT_EXPECT_EQ(test, other.sizes, 0);

	/* Of two ids, what both can */
	p = properties;
	p.format.flags = 0;
	p.sizes.mask = cpu_to_le64(SZ_4K | SZ_2M);
	p.input.start = 0;
	p.input.end = cpu_to_le64(0xffffffff);
	p.output.bits = 40;
	parse(test, &p, sizeof(p), &other);
	viommu_merge_table_caps(&caps, &other);
	other = VIOMMU_ALL_TABLE_CAPS;
	viommu_merge_table_caps(&caps, &other);
	KUNIT_EXPECT_TRUE(test, caps.format);
	KUNIT_EXPECT_TRUE(test, caps.negative);
	KUNIT_EXPECT_EQ(test, caps.sizes, SZ_4K);
	KUNIT_EXPECT_EQ(test, caps.start, 0x1000);
	KUNIT_EXPECT_EQ(test, caps.last, 0xffffffff);
	KUNIT_EXPECT_EQ(test, caps.output_bits, 40);
}

static struct kunit_case table_domain_cases[] = {
	KUNIT_CASE(table_domain_attach),
	KUNIT_CASE(table_domain_attach_refused),
	KUNIT_CASE(table_domain_group),
	KUNIT_CASE(table_domain_map),
	KUNIT_CASE(table_domain_negative),
	KUNIT_CASE(table_domain_attach_fails),
	KUNIT_CASE(table_domain_parks),
	KUNIT_CASE(table_domain_flush),
	KUNIT_CASE(table_domain_offline),
	KUNIT_CASE(table_domain_caps),
	{}
};

static struct kunit_suite table_domain_suite = {
	.name = "virtio_iommu_table_domain",
	.init = table_domain_init,
	.test_cases = table_domain_cases,
};

kunit_test_suite(table_domain_suite);
