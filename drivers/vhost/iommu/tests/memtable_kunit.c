// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vhost_types.h>

#include "guest.h"

/* Write a table of the VMM to user memory and make ours of it. */
static struct vhost_iommu_memtable *
create(struct test_guest *g, const struct vhost_memory_region *r, u32 nr)
{
	struct vhost_memory head = { .nregions = nr };

	guest_write(g, 0, &head, sizeof(head));
	guest_write(g, sizeof(head), r, nr * sizeof(*r));
	return vhost_iommu_memtable_create((void __user *)g->base);
}

static void memtable_sorts(struct kunit *test)
{
	struct test_guest *g = guest_create(test);
	const struct vhost_memory_region r[] = {
		{ .guest_phys_addr = 0x3000, .memory_size = 0x1000,
		  .userspace_addr = g->base + 0x7000 },
		{ .guest_phys_addr = 0x1000, .memory_size = 0x1000,
		  .userspace_addr = g->base + 0x5000 },
		{ .guest_phys_addr = 0x2000, .memory_size = 0x1000,
		  .userspace_addr = g->base + 0x9000 },
	};
	struct vhost_iommu_memtable *mem = create(g, r, ARRAY_SIZE(r));
	char buf[16];

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
	KUNIT_EXPECT_EQ(test, mem->nr, 3);

	/* Across the border of two regions that are apart in the VMM. */
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_mem_write(mem, 0x1ff8,
						       "0123456789abcdef", 16));
	guest_read(g, 0x5ff8, buf, 8);
	KUNIT_EXPECT_MEMEQ(test, buf, "01234567", 8);
	guest_read(g, 0x9000, buf, 8);
	KUNIT_EXPECT_MEMEQ(test, buf, "89abcdef", 8);
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_mem_read(mem, 0x1ff8, buf, 16));
	KUNIT_EXPECT_MEMEQ(test, buf, "0123456789abcdef", 16);

	KUNIT_EXPECT_EQ(test, -EFAULT, vhost_iommu_mem_read(mem, 0xff8, buf, 16));
	KUNIT_EXPECT_EQ(test, -EFAULT, vhost_iommu_mem_read(mem, 0x3ff8, buf, 16));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vhost_iommu_mem_read(mem, U64_MAX - 7, buf, 16));
	vhost_iommu_memtable_free(mem);
}

static void memtable_none(struct kunit *test)
{
	char buf[4];

	KUNIT_EXPECT_EQ(test, -EFAULT, vhost_iommu_mem_read(NULL, 0, buf, 4));
	KUNIT_EXPECT_EQ(test, -EFAULT, vhost_iommu_mem_write(NULL, 0, buf, 4));
}

static const struct memtable_case {
	const char			*name;
	struct vhost_memory_region	r[2];
	int				err;
} memtable_cases[] = {
	{ "overlap", { { 0x1000, 0x1001, 0x10000, 0 },
		       { 0x2000, 0x1000, 0x20000, 0 } }, -EINVAL },
	{ "empty", { { 0x1000, 0, 0x10000, 0 },
		     { 0x2000, 0x1000, 0x20000, 0 } }, -EINVAL },
	{ "guest address wraps", { { 0x1000, 0x1000, 0x10000, 0 },
		{ U64_MAX - 0xffe, 0x1000, 0x20000, 0 } }, -EINVAL },
	{ "user address wraps", { { 0x1000, 0x1000, 0x10000, 0 },
		{ 0x2000, 0x1000, U64_MAX - 0xffe, 0 } }, -EINVAL },
	{ "padding", { { 0x1000, 0x1000, 0x10000, 0 },
		       { 0x2000, 0x1000, 0x20000, 1 } }, -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(memtable, memtable_cases, name);

static void memtable_refuses(struct kunit *test)
{
	const struct memtable_case *c = test->param_value;
	struct test_guest *g = guest_create(test);

	KUNIT_EXPECT_EQ(test, c->err, PTR_ERR(create(g, c->r, 2)));
}

static void memtable_too_many(struct kunit *test)
{
	struct vhost_memory head = { .nregions = 100000 };
	struct test_guest *g = guest_create(test);

	guest_write(g, 0, &head, sizeof(head));
	KUNIT_EXPECT_EQ(test, -E2BIG,
			PTR_ERR(vhost_iommu_memtable_create((void __user *)g->base)));
}

static struct kunit_case memtable_test_cases[] = {
	KUNIT_CASE(memtable_sorts),
	KUNIT_CASE(memtable_none),
	KUNIT_CASE_PARAM(memtable_refuses, memtable_gen_params),
	KUNIT_CASE(memtable_too_many),
	{}
};

static struct kunit_suite memtable_test_suite = {
	.name = "vhost_iommu_memtable",
	.test_cases = memtable_test_cases,
};

kunit_test_suite(memtable_test_suite);
