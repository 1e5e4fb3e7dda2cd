// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/device.h>
#include <kunit/test.h>

#include "../viommu.h"

#define RESV	VIRTIO_IOMMU_RESV_MEM_T_RESERVED
#define MSI	VIRTIO_IOMMU_RESV_MEM_T_MSI

/* A list of properties that is being written, and what it was read as */
struct property_test {
	struct device *dev;
	u8 buf[256] __aligned(8);
	size_t size;
	struct list_head regions;
	struct viommu_table_caps caps;
};

static int property_init(struct kunit *test)
{
	struct property_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	INIT_LIST_HEAD(&t->regions);
	t->dev = kunit_device_register(test, "endpoint");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dev);
	return 0;
}

static void property_exit(struct kunit *test)
{
	struct property_test *t = test->priv;

	iommu_put_resv_regions(t->dev, &t->regions);
}

/* Write the head of a property, and go on after @length bytes of value. */
static void put(struct property_test *t, u16 type, u16 length)
{
	struct virtio_iommu_probe_property *head = (void *)t->buf + t->size;

	head->type = cpu_to_le16(type);
	head->length = cpu_to_le16(length);
	t->size += sizeof(*head) + length;
}

static void put_region(struct property_test *t, u8 subtype, u64 start, u64 last)
{
	struct virtio_iommu_probe_resv_mem *mem = (void *)t->buf + t->size;

	put(t, VIRTIO_IOMMU_PROBE_T_RESV_MEM, sizeof(*mem) - sizeof(mem->head));
	mem->subtype = subtype;
	/* Whatever that will mean one day */
	memset(mem->reserved, 0xff, sizeof(mem->reserved));
	mem->start = cpu_to_le64(start);
	mem->end = cpu_to_le64(last);
}

static int parse(struct property_test *t, size_t size)
{
	return viommu_parse_properties(t->dev, t->buf, size, &t->regions,
				       &t->caps);
}

static void expect_region(struct kunit *test, int nr, phys_addr_t start,
			  size_t length, enum iommu_resv_type type)
{
	struct property_test *t = test->priv;
	struct iommu_resv_region *region;

	list_for_each_entry(region, &t->regions, list) {
		if (nr--)
			continue;
		KUNIT_EXPECT_EQ(test, region->start, start);
		KUNIT_EXPECT_EQ(test, region->length, length);
		KUNIT_EXPECT_EQ(test, region->type, type);
		return;
	}
	KUNIT_FAIL(test, "region at 0x%llx is missing", (u64)start);
}

static size_t nr_regions(struct property_test *t)
{
	return list_count_nodes(&t->regions);
}

static void property_nothing(struct kunit *test)
{
	struct property_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, parse(t, 0));
	KUNIT_EXPECT_EQ(test, 0, parse(t, sizeof(t->buf)));
	KUNIT_EXPECT_EQ(test, 0, nr_regions(t));
}

static void property_sorted(struct kunit *test)
{
	struct property_test *t = test->priv;

	put_region(t, MSI, 0xfee00000, 0xfeefffff);
	put_region(t, RESV, 0x1000, 0x1fff);
	put_region(t, 0x77, 0x8000, 0x8fff);
	KUNIT_EXPECT_EQ(test, 0, parse(t, sizeof(t->buf)));
	KUNIT_EXPECT_EQ(test, 3, nr_regions(t));
	expect_region(test, 0, 0x1000, 0x1000, IOMMU_RESV_RESERVED);
	expect_region(test, 1, 0x8000, 0x1000, IOMMU_RESV_RESERVED);
	expect_region(test, 2, 0xfee00000, 0x100000, IOMMU_RESV_MSI);
}

/* Each id of an endpoint reports its regions. */
static void property_twice(struct kunit *test)
{
	struct property_test *t = test->priv;

	put_region(t, RESV, 0x1000, 0x1fff);
	put_region(t, RESV, 0x1000, 0x1fff);
	put_region(t, RESV, 0x1000, 0x2fff);
	KUNIT_EXPECT_EQ(test, 0, parse(t, t->size));
	KUNIT_EXPECT_EQ(test, 0, parse(t, t->size));
	KUNIT_EXPECT_EQ(test, 2, nr_regions(t));
}

static void property_overlapping(struct kunit *test)
{
	struct property_test *t = test->priv;

	put_region(t, RESV, 0x2000, 0x4fff);
	put_region(t, MSI, 0x1000, 0x2fff);
	KUNIT_EXPECT_EQ(test, 0, parse(t, t->size));
	KUNIT_EXPECT_EQ(test, 2, nr_regions(t));
	expect_region(test, 0, 0x1000, 0x2000, IOMMU_RESV_MSI);
	expect_region(test, 1, 0x2000, 0x3000, IOMMU_RESV_RESERVED);
}

static void property_unknown(struct kunit *test)
{
	struct property_test *t = test->priv;

	put(t, 0x7ff, 12);
	put(t, 0x7fe, 0);
	/* A known type, but with a reserved bit. */
	put(t, BIT(12) | VIRTIO_IOMMU_PROBE_T_RESV_MEM, 20);
	put_region(t, RESV, 0x1000, 0x1fff);
	KUNIT_EXPECT_EQ(test, 0, parse(t, t->size));
	KUNIT_EXPECT_EQ(test, 1, nr_regions(t));
}

static void property_after_none(struct kunit *test)
{
	struct property_test *t = test->priv;

	put(t, VIRTIO_IOMMU_PROBE_T_NONE, 0);
	put_region(t, RESV, 0x1000, 0x1fff);
	KUNIT_EXPECT_EQ(test, 0, parse(t, t->size));
	KUNIT_EXPECT_EQ(test, 0, nr_regions(t));
}

/* At every size that ends within the second region, the list is refused. */
static void property_truncated(struct kunit *test)
{
	struct property_test *t = test->priv;
	size_t size, one;

	put_region(t, RESV, 0x1000, 0x1fff);
	one = t->size;
	put_region(t, RESV, 0x3000, 0x3fff);
	for (size = one + sizeof(struct virtio_iommu_probe_property);
	     size < t->size; size++)
		KUNIT_EXPECT_EQ(test, -EINVAL, parse(t, size));
	/* Too short for a property at all: padding */
	for (size = one; size < one + 4; size++)
		KUNIT_EXPECT_EQ(test, 0, parse(t, size));
}

static void property_too_short(struct kunit *test)
{
	struct property_test *t = test->priv;

	put(t, VIRTIO_IOMMU_PROBE_T_RESV_MEM, 19);
	KUNIT_EXPECT_EQ(test, -EINVAL, parse(t, sizeof(t->buf)));
	KUNIT_EXPECT_EQ(test, 0, nr_regions(t));
}

static void property_too_long(struct kunit *test)
{
	struct property_test *t = test->priv;

	put_region(t, RESV, 0x1000, 0x1fff);
	((struct virtio_iommu_probe_property *)t->buf)->length =
		cpu_to_le16(U16_MAX);
	KUNIT_EXPECT_EQ(test, -EINVAL, parse(t, sizeof(t->buf)));
	KUNIT_EXPECT_EQ(test, 0, nr_regions(t));
}

static void property_bad_range(struct kunit *test)
{
	static const struct {
		u64 start, last;
	} cases[] = {
		{ 0x2000, 0x1fff },
		{ 0, U64_MAX },
		{ U64_MAX, 0 },
	};
	struct property_test *t = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		t->size = 0;
		put_region(t, RESV, cases[i].start, cases[i].last);
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, parse(t, t->size),
				    "case %d", i);
	}
	KUNIT_EXPECT_EQ(test, 0, nr_regions(t));
}

static struct kunit_case property_cases[] = {
	KUNIT_CASE(property_nothing),
	KUNIT_CASE(property_sorted),
	KUNIT_CASE(property_twice),
	KUNIT_CASE(property_overlapping),
	KUNIT_CASE(property_unknown),
	KUNIT_CASE(property_after_none),
	KUNIT_CASE(property_truncated),
	KUNIT_CASE(property_too_short),
	KUNIT_CASE(property_too_long),
	KUNIT_CASE(property_bad_range),
	{ }
};

static struct kunit_suite property_suite = {
	.name = "virtio_iommu_property",
	.init = property_init,
	.exit = property_exit,
	.test_cases = property_cases,
};

kunit_test_suite(property_suite);
