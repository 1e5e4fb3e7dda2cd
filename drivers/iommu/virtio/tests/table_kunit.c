// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables against a walk of our own and a model of what is mapped.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "../table.h"

#define IOVA	0x7f0000000000ULL
#define PHYS	0x100000000ULL
#define RW	(IOMMU_READ | IOMMU_WRITE)

struct table_test {
	struct viommu_table table;
};

static void destroy(void *data)
{
	struct table_test *t = data;

	viommu_table_destroy(&t->table);
}

static int table_init(struct kunit *test)
{
	struct table_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	KUNIT_ASSERT_EQ(test, 0, viommu_table_init(&t->table, 46));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy, t));
	return 0;
}

static int map(struct table_test *t, u64 iova, u64 phys, size_t pgsize,
	       size_t pgcount, int prot)
{
	size_t mapped;
	int err;

	err = viommu_table_map(&t->table, iova, phys, pgsize, pgcount, prot,
			       GFP_KERNEL, &mapped);
	return err ?: mapped == pgsize * pgcount ? 0 : -EIO;
}

static size_t unmap(struct table_test *t, u64 iova, size_t size)
{
	return viommu_table_unmap(&t->table, iova, size);
}

/* How a device would read it: the leaf at an address, and how much it maps. */
static u64 walk(struct table_test *t, u64 iova, u64 *size)
{
	u64 *entries = t->table.root;
	u64 entry;
	int shift;

	for (shift = 39; shift >= 12; shift -= 9) {
		entry = entries[(iova >> shift) & 0x1ff];
		if (!(entry & 1))
			return 0;
		if (shift == 12 || (entry & 0x80))
			break;
		/* Write, user and accessed on the way, so that the leaf decides. */
		if ((entry & 0x26) != 0x26)
			return 0;
		entries = phys_to_virt(entry & GENMASK_ULL(51, 12));
	}
	*size = 1ULL << shift;
	return entry;
}

static void table_leaves(struct kunit *test)
{
	struct table_test *t = test->priv;
	u64 size;

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 3, RW));
	KUNIT_EXPECT_EQ(test, walk(t, IOVA + 0x1000, &size), (PHYS + 0x1000) | 0x67);
	KUNIT_EXPECT_EQ(test, size, SZ_4K);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + SZ_2M, PHYS, SZ_2M, 2, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, walk(t, IOVA + SZ_4M - 1, &size), PHYS | 0xa5);
	KUNIT_EXPECT_EQ(test, size, SZ_2M);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + SZ_1G, 0x40000000, SZ_1G, 1, IOMMU_WRITE));
	KUNIT_EXPECT_EQ(test, walk(t, IOVA + SZ_1G, &size), 0x400000e7ULL);
	KUNIT_EXPECT_EQ(test, size, SZ_1G);
	KUNIT_EXPECT_EQ(test, walk(t, IOVA + 0x3000, &size), 0);
	KUNIT_EXPECT_EQ(test, viommu_table_phys(&t->table, IOVA + SZ_1G + 0x1234567),
			0x41234567);
	KUNIT_EXPECT_EQ(test, viommu_table_phys(&t->table, IOVA + SZ_4M + 5),
			PHYS + SZ_2M + 5);
	KUNIT_EXPECT_EQ(test, viommu_table_phys(&t->table, IOVA + 0x3000), 0);
	KUNIT_EXPECT_EQ(test, viommu_table_phys(&t->table, U64_MAX), 0);
}

static void table_refuses(struct kunit *test)
{
	struct table_test *t = test->priv;
	size_t mapped;

	KUNIT_EXPECT_EQ(test, -ERANGE, map(t, VIOMMU_TABLE_LAST - 0xfff, PHYS,
					   SZ_4K, 2, RW));
	KUNIT_EXPECT_EQ(test, -ERANGE, map(t, IOVA, 1ULL << 46, SZ_4K, 1, RW));
	KUNIT_EXPECT_EQ(test, -ERANGE, map(t, IOVA, (1ULL << 46) - SZ_4K, SZ_4K, 2,
					   RW));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(t, IOVA, PHYS, SZ_4K, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, map(t, VIOMMU_TABLE_LAST - 0xfff, PHYS, SZ_4K, 1,
				     RW));

	/* What is mapped stays, and what was mapped until then is told. */
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + 0x2000, PHYS, SZ_4K, 1, RW));
	KUNIT_EXPECT_EQ(test, -EEXIST,
			viommu_table_map(&t->table, IOVA, PHYS, SZ_4K, 4, RW,
					 GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, mapped, 0x2000);
	KUNIT_EXPECT_EQ(test, -EEXIST, map(t, IOVA, PHYS, SZ_2M, 1, RW));
	KUNIT_EXPECT_EQ(test, -EEXIST, map(t, IOVA, 0, SZ_1G, 1, RW));
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + SZ_2M, 0, SZ_2M, 1, RW));
	KUNIT_EXPECT_EQ(test, -EEXIST, map(t, IOVA + SZ_2M + SZ_4K, PHYS, SZ_4K,
					   1, RW));
}

static void table_unmap(struct kunit *test)
{
	struct table_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 4, RW));
	/* Up to a hole */
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA + 0x1000, SZ_4K), SZ_4K);
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, 4 * SZ_4K), SZ_4K);
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA + 0x2000, SZ_1G), 2 * SZ_4K);
	/* A leaf as a whole, across tables of all levels */
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 0, SZ_2M, 1, RW));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA + 0x3000, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, SZ_4K), SZ_2M);
	KUNIT_EXPECT_EQ(test, unmap(t, (1ULL << 48) + IOVA, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA - SZ_4K, PHYS, SZ_4K, 514, RW));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA - SZ_4K, 514 * SZ_4K), 514 * SZ_4K);
	KUNIT_EXPECT_EQ(test, viommu_table_phys(&t->table, IOVA), 0);
}

static unsigned int take(struct table_test *t, u64 start, u64 last)
{
	LIST_HEAD(taken);
	unsigned int n;

	viommu_table_take_parked(&t->table, start, last, &taken);
	n = list_count_nodes(&taken);
	viommu_table_free_parked(&taken);
	return n;
}

/* Tables are parked when their addresses were all unmapped, and freed by range. */
static void table_parks(struct kunit *test)
{
	struct table_test *t = test->priv;
	LIST_HEAD(taken);
	u64 size;

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 512, RW));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, SZ_1M), SZ_1M);
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA + SZ_1M, SZ_1M), SZ_1M);
	KUNIT_EXPECT_EQ(test, 0, take(t, 0, U64_MAX));

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 1024, RW));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, SZ_4M), SZ_4M);
	KUNIT_EXPECT_EQ(test, 1, take(t, IOVA + 1, U64_MAX));
	KUNIT_EXPECT_EQ(test, 0, take(t, IOVA, IOVA + SZ_2M - 2));
	viommu_table_take_parked(&t->table, 0, U64_MAX, &taken);
	KUNIT_EXPECT_FALSE(test, list_empty(&taken));
	viommu_table_return_parked(&t->table, &taken);
	KUNIT_EXPECT_EQ(test, 1, take(t, IOVA, IOVA + SZ_2M - 1));

	/* A leaf in the place of an empty table, of 2 MiB and of 1 GiB */
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, PHYS, SZ_4K, 1, RW));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, SZ_4K), SZ_4K);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 0, SZ_2M, 1, RW));
	walk(t, IOVA, &size);
	KUNIT_EXPECT_EQ(test, size, SZ_2M);
	KUNIT_EXPECT_EQ(test, 1, take(t, 0, U64_MAX));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA, SZ_2M), SZ_2M);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + SZ_4M, PHYS, SZ_4K, 1, RW));
	KUNIT_EXPECT_EQ(test, unmap(t, IOVA + SZ_4M, SZ_4K), SZ_4K);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 0, SZ_1G, 1, RW));
	walk(t, IOVA + SZ_1M, &size);
	KUNIT_EXPECT_EQ(test, size, SZ_1G);
	KUNIT_EXPECT_EQ(test, 2, take(t, 0, U64_MAX));
}

#define SLOTS	64	/* of 512 KiB, in 32 MiB */
#define SLOT	SZ_512K

/* Random ranges: what is mapped is what a model says, page by page. */
static void table_random(struct kunit *test)
{
	struct table_test *t = test->priv;
	u64 phys[SLOTS] = {}, size;
	unsigned int round, i, j;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 3);
	for (round = 0; round < 600; round++) {
		i = prandom_u32_state(&rnd) % SLOTS;
		j = i % 4 || prandom_u32_state(&rnd) % 2 ? 1 : 4;
		if (!phys[i]) {
			/* As a page of 2 MiB, if the slots are free; else small. */
			bool big = j == 4 && !phys[i + 1] && !phys[i + 2] &&
				   !phys[i + 3];
			u64 p = SZ_2M * (1 + prandom_u32_state(&rnd) % 1000);

			KUNIT_ASSERT_EQ(test, 0, big ?
					map(t, IOVA + i * SLOT, p, SZ_2M, 1, RW) :
					map(t, IOVA + i * SLOT, p, SZ_4K,
					    SLOT / SZ_4K, RW));
			for (j = 0; j < (big ? 4 : 1); j++)
				phys[i + j] = p + j * SLOT;
		} else {
			walk(t, IOVA + i * SLOT, &size);
			if (size == SZ_2M)
				i = ALIGN_DOWN(i, 4);
			KUNIT_ASSERT_EQ(test, max_t(u64, size, SLOT),
					unmap(t, IOVA + i * SLOT, SLOT));
			for (j = 0; j < max_t(u64, size, SLOT) / SLOT; j++)
				phys[i + j] = 0;
		}
		for (i = 0; i < SLOTS; i++) {
			u64 at = IOVA + i * SLOT + prandom_u32_state(&rnd) % SLOT;
			u64 want = phys[i] ? phys[i] + at % SLOT : 0;

			KUNIT_ASSERT_EQ(test, want,
					viommu_table_phys(&t->table, at));
			KUNIT_ASSERT_EQ(test, !!want, !!walk(t, at, &size));
		}
		if (prandom_u32_state(&rnd) % 8 == 0)
			take(t, 0, U64_MAX);
	}
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(table_leaves),
	KUNIT_CASE(table_refuses),
	KUNIT_CASE(table_unmap),
	KUNIT_CASE(table_parks),
	KUNIT_CASE(table_random),
	{}
};

static struct kunit_suite table_suite = {
	.name = "virtio_iommu_table",
	.init = table_init,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
