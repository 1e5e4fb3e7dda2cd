// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of a guest's table against a model of it, and tables as a hostile guest
 * makes them. The tables are pages of guest memory.
 */
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/virtio_iommu_tables.h>

#include "guest.h"
#include "../table.h"

#define ROOT		0x1000ULL
#define NR_TABLES	(GUEST_SIZE / SZ_4K)
#define SIZES		(SZ_4K | SZ_2M | SZ_1G)
#define RW		(VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)
#define P		VIRTIO_IOMMU_X86_64_PRESENT
#define W		VIRTIO_IOMMU_X86_64_WRITE
#define LEAF		VIRTIO_IOMMU_X86_64_LEAF

struct table_test {
	struct test_guest		*g;
	struct vhost_iommu_table_walk	w;
};

static int table_test_init(struct kunit *test)
{
	struct table_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->g = guest_create(test);
	return 0;
}

static void set_entry(struct kunit *test, u64 table, unsigned int index, u64 entry)
{
	struct table_test *t = test->priv;
	__le64 e = cpu_to_le64(entry);

	guest_write(t->g, table + index * sizeof(e), &e, sizeof(e));
}

static void begin(struct kunit *test, u64 last)
{
	struct table_test *t = test->priv;

	vhost_iommu_table_walk_init(&t->w, t->g->mem, ROOT, SIZES, last,
				    ULONG_MAX);
}

/* The span at an address, from a walk that looks at this address alone. */
static struct vhost_iommu_table_span look(struct kunit *test, u64 iova)
{
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;

	begin(test, iova);
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_table_step(&t->w, iova, &span));
	return span;
}

static void expect_leaf(struct kunit *test, u64 iova, u64 start, u64 size,
			u64 gpa, u32 flags)
{
	struct vhost_iommu_table_span span = look(test, iova);

	KUNIT_EXPECT_EQ(test, span.start, start);
	KUNIT_EXPECT_EQ(test, span.last, start + size - 1);
	KUNIT_EXPECT_EQ(test, span.gpa, gpa);
	KUNIT_EXPECT_EQ(test, span.flags, flags);
}

static void expect_hole(struct kunit *test, u64 iova)
{
	struct vhost_iommu_table_span span = look(test, iova);

	KUNIT_EXPECT_EQ(test, span.flags, 0);
	KUNIT_EXPECT_EQ(test, span.start, iova);
	KUNIT_EXPECT_GE(test, span.last, iova);
}

static void table_leaves(struct kunit *test)
{
	const u64 base = 3ULL << 39;

	set_entry(test, ROOT, 3, 0x2000 | P | W);
	set_entry(test, 0x2000, 1, 0x40000000 | P | W | LEAF);
	set_entry(test, 0x2000, 2, 0x3000 | P | W);
	set_entry(test, 0x3000, 4, 0x600000 | P | LEAF);
	set_entry(test, 0x3000, 5, 0x4000 | P);
	/* Bit 7 means nothing in the last level; nor do those that are ignored. */
	set_entry(test, 0x4000, 6, 0xabcd000 | P | W | LEAF | BIT_ULL(63));
	set_entry(test, 0x4000, 7, 0x1000 | P | BIT_ULL(9));

	expect_leaf(test, base + SZ_1G + 0x1234567, base + SZ_1G, SZ_1G,
		    0x40000000, RW);
	expect_leaf(test, base + 2ULL * SZ_1G + 4 * SZ_2M + 0x10,
		    base + 2ULL * SZ_1G + 4 * SZ_2M, SZ_2M, 0x600000,
		    VIRTIO_IOMMU_MAP_F_READ);
	/* A write needs all levels. */
	expect_leaf(test, base + 2ULL * SZ_1G + 5 * SZ_2M + 0x6fff,
		    base + 2ULL * SZ_1G + 5 * SZ_2M + 0x6000, SZ_4K, 0xabcd000,
		    VIRTIO_IOMMU_MAP_F_READ);
	expect_leaf(test, base + 2ULL * SZ_1G + 5 * SZ_2M + 0x7000,
		    base + 2ULL * SZ_1G + 5 * SZ_2M + 0x7000, SZ_4K, 0x1000,
		    VIRTIO_IOMMU_MAP_F_READ);
	expect_hole(test, base + 2ULL * SZ_1G + 5 * SZ_2M + 0x8000);
	expect_hole(test, base);
	expect_hole(test, 0);
	expect_hole(test, VHOST_IOMMU_TABLE_LAST);
}

static void table_bad_leaves(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;

	/* There are none of 512 GiB, and they are aligned. */
	set_entry(test, ROOT, 0, P | W | LEAF);
	expect_hole(test, 0x1000);
	set_entry(test, ROOT, 0, 0x2000 | P | W);
	set_entry(test, 0x2000, 0, 0x40001000 | P | W | LEAF);
	expect_hole(test, 0x1000);
	set_entry(test, 0x2000, 0, 0x3000 | P | W);
	set_entry(test, 0x3000, 0, 0x101000 | P | W | LEAF);
	expect_hole(test, 0x1000);

	/* Of a size that the device does not have */
	set_entry(test, 0x3000, 0, 0x200000 | P | W | LEAF);
	expect_leaf(test, 0x1000, 0, SZ_2M, 0x200000, RW);
	begin(test, 0x1000);
	t->w.sizes = SZ_4K;
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_table_step(&t->w, 0x1000, &span));
	KUNIT_EXPECT_EQ(test, span.flags, 0);
}

/* Tables that are not memory, at every level, at its end, and wrapping around. */
static void table_outside_memory(struct kunit *test)
{
	static const u64 bad[] = {
		GUEST_SIZE, 0x123456789000, VIRTIO_IOMMU_X86_64_ADDR_MASK,
	};
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		set_entry(test, ROOT, 0, bad[i] | P | W);
		expect_hole(test, 0x1000);
		set_entry(test, ROOT, 0, 0x2000 | P | W);
		set_entry(test, 0x2000, 0, bad[i] | P | W);
		expect_hole(test, 0x1000);
		set_entry(test, 0x2000, 0, 0x3000 | P | W);
		set_entry(test, 0x3000, 0, bad[i] | P | W);
		expect_hole(test, 0x1000);
		vhost_iommu_table_walk_init(&t->w, t->g->mem, bad[i], SIZES,
					    VHOST_IOMMU_TABLE_LAST, 100);
		KUNIT_EXPECT_EQ(test, 0, vhost_iommu_table_step(&t->w, 0, &span));
		KUNIT_EXPECT_EQ(test, span.flags, 0);
	}
	/* Where a leaf leads to is not looked at. */
	set_entry(test, ROOT, 0, 0x2000 | P | W);
	set_entry(test, 0x2000, 0, 0x3000 | P | W);
	set_entry(test, 0x3000, 0, 0x4000 | P | W);
	set_entry(test, 0x4000, 1, VIRTIO_IOMMU_X86_64_ADDR_MASK | P | W);
	expect_leaf(test, 0x1000, 0x1000, SZ_4K, VIRTIO_IOMMU_X86_64_ADDR_MASK,
		    RW);
}

/* A table in which all ways lead to itself, and end after four levels. */
static void table_of_itself(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;
	unsigned int i;
	u64 iova = 0;
	int ret;

	for (i = 0; i < 512; i++)
		set_entry(test, ROOT, i, ROOT | P | W);
	expect_leaf(test, 0x123456789abc, 0x123456789000, SZ_4K, ROOT, RW);

	/* To walk all of it would take 2^36 steps. The limit is on reads. */
	vhost_iommu_table_walk_init(&t->w, t->g->mem, ROOT, SIZES,
				    VHOST_IOMMU_TABLE_LAST, 100);
	for (i = 0;; i++) {
		ret = vhost_iommu_table_step(&t->w, iova, &span);
		if (ret)
			break;
		iova = span.last + 1;
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	/* Four for the first chunk, 15 more for the rest of its table, ... */
	KUNIT_EXPECT_GT(test, i, 90 * VHOST_IOMMU_TABLE_CHUNK);
	KUNIT_EXPECT_LE(test, i, 100 * VHOST_IOMMU_TABLE_CHUNK);
}

/* The same, and no way has a leaf. */
static void table_of_nothing(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;
	unsigned int i;
	u64 iova = 0;
	int ret;

	for (i = 0; i < 512; i++) {
		set_entry(test, ROOT, i, 0x2000 | P | W);
		set_entry(test, 0x2000, i, 0x3000 | P | W);
		set_entry(test, 0x3000, i, 0x4000 | P | W);
	}
	vhost_iommu_table_walk_init(&t->w, t->g->mem, ROOT, SIZES,
				    VHOST_IOMMU_TABLE_LAST, 5000);
	for (i = 0;; i++) {
		ret = vhost_iommu_table_step(&t->w, iova, &span);
		if (ret)
			break;
		KUNIT_EXPECT_EQ(test, span.flags, 0);
		iova = span.last + 1;
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_LE(test, i, 5000);
}

/* What was read is not read again, and nothing is read that was not asked for. */
static void table_reads_once(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;

	set_entry(test, ROOT, 0, 0x2000 | P | W);
	set_entry(test, 0x2000, 0, 0x3000 | P | W);
	set_entry(test, 0x3000, 0, 0x4000 | P | W);
	set_entry(test, 0x4000, 0, 0x1000 | P | W);
	set_entry(test, 0x4000, 1, 0x2000 | P | W);
	set_entry(test, 0x4000, 2, 0x3000 | P | W);

	begin(test, 0x1fff);
	t->w.reads = 4;
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_table_step(&t->w, 0x0fff, &span));
	set_entry(test, 0x4000, 1, 0x5000 | P | W);
	set_entry(test, 0x3000, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_table_step(&t->w, 0x1000, &span));
	KUNIT_EXPECT_EQ(test, span.gpa, 0x2000);
	KUNIT_EXPECT_EQ(test, t->w.reads, 0);
	KUNIT_EXPECT_EQ(test, t->w.chunks[0].last, 0x1fff);
}

/* How many leaves from the first one of the last level are in one span. */
static u64 leaves_at_0(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct vhost_iommu_table_span span;

	begin(test, VHOST_IOMMU_TABLE_LAST);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_table_step(&t->w, 0, &span));
	KUNIT_ASSERT_EQ(test, span.start, 0);
	KUNIT_ASSERT_NE(test, span.flags, 0);
	return (span.last + 1) >> span.shift;
}

/* Leaves that go on from each other are looked at together, as far as was read. */
static void table_together(struct kunit *test)
{
	unsigned int i;

	set_entry(test, ROOT, 0, 0x2000 | P | W);
	set_entry(test, 0x2000, 0, 0x3000 | P | W);
	set_entry(test, 0x3000, 0, 0x4000 | P | W);
	for (i = 0; i < 512; i++)
		set_entry(test, 0x4000, i, i * SZ_4K | P | W);
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), VHOST_IOMMU_TABLE_CHUNK);
	/* Bits that mean nothing */
	set_entry(test, 0x4000, 5, 5 * SZ_4K | P | W | LEAF | BIT_ULL(63) | BIT(5));
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), VHOST_IOMMU_TABLE_CHUNK);
	set_entry(test, 0x4000, 5, 5 * SZ_4K | P);
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), 5);
	set_entry(test, 0x4000, 4, 5 * SZ_4K | P | W);
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), 4);
	set_entry(test, 0x4000, 3, 3 * SZ_4K | W);
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), 3);
	/* No address is behind the last one. */
	set_entry(test, 0x4000, 0, VIRTIO_IOMMU_X86_64_ADDR_MASK | P | W);
	set_entry(test, 0x4000, 1, P | W);
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), 1);
	/* Of another level, a table is none. */
	set_entry(test, 0x3000, 0, P | W | LEAF);
	set_entry(test, 0x3000, 1, SZ_2M | P | W | LEAF);
	set_entry(test, 0x3000, 2, SZ_4M | P | W);
	KUNIT_EXPECT_EQ(test, leaves_at_0(test), 2);
}

/* What the model says of an address: an independent walk, entry by entry. */
static void model(struct kunit *test, u64 iova, u64 *gpa, u64 *size, u32 *flags)
{
	struct table_test *t = test->priv;
	unsigned int level;
	u64 table = ROOT;
	__le64 raw;
	u64 e;

	*flags = RW;
	for (level = 4; level > 0; level--) {
		unsigned int shift = 3 + 9 * level;

		*size = BIT_ULL(shift);
		if (vhost_iommu_mem_read(t->g->mem,
					 table + 8 * ((iova >> shift) & 511),
					 &raw, sizeof(raw)))
			break;
		e = le64_to_cpu(raw);
		if (!(e & 1))
			break;
		if (!(e & 2))
			*flags = VIRTIO_IOMMU_MAP_F_READ;
		table = e & GENMASK_ULL(51, 12);
		if (level > 1 && !(e & 0x80))
			continue;
		if (level == 4 || (table & (*size - 1)))
			break;
		*gpa = table;
		return;
	}
	*flags = 0;
}

/* The last leaf of a span goes on from the first one. */
static void expect_last(struct kunit *test,
			const struct vhost_iommu_table_span *span)
{
	u64 gpa = 0, size;
	u32 flags;

	model(test, span->last, &gpa, &size, &flags);
	KUNIT_ASSERT_EQ(test, flags, span->flags);
	KUNIT_ASSERT_EQ(test, size, BIT_ULL(span->shift));
	KUNIT_ASSERT_EQ(test, gpa + size, span->gpa + (span->last + 1 - span->start));
}

static u64 random_entry(struct rnd_state *rnd)
{
	u64 e = prandom_u32_state(rnd) % (NR_TABLES + 1) * SZ_4K;

	if (prandom_u32_state(rnd) % 4)
		e |= P;
	if (prandom_u32_state(rnd) % 4)
		e |= W;
	if (prandom_u32_state(rnd) % 8 == 0)
		e |= LEAF | ((u64)(prandom_u32_state(rnd) & 0xff) << 30);
	return e;
}

/* One, or some that go on from each other if they are leaves. */
static void set_entries(struct kunit *test, struct rnd_state *rnd)
{
	u64 table = SZ_4K * (prandom_u32_state(rnd) % NR_TABLES);
	unsigned int i = prandom_u32_state(rnd) % 512;
	u64 entry = random_entry(rnd);

	do {
		set_entry(test, table, i, entry);
		entry += SZ_4K;
	} while (prandom_u32_state(rnd) % 4 && ++i < 512);
}

/* Walks of random tables: every address is in a span, which is the model's. */
static void table_random(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct rnd_state rnd;
	unsigned int round, i, leaves = 0, together = 0, holes = 0;

	prandom_seed_state(&rnd, 20);
	for (round = 0; round < 40; round++) {
		u64 iova, last;

		for (i = 0; i < 2000; i++)
			set_entries(test, &rnd);

		iova = ((u64)prandom_u32_state(&rnd) << 16 |
			prandom_u32_state(&rnd) % SZ_64K) & VHOST_IOMMU_TABLE_LAST;
		last = min(iova + ((u64)prandom_u32_state(&rnd) << 8),
			   VHOST_IOMMU_TABLE_LAST);
		begin(test, last);
		for (i = 0; i < 400 && iova <= last; i++) {
			struct vhost_iommu_table_span span;
			u64 gpa = 0, size, at = iova;
			u32 flags;

			KUNIT_ASSERT_EQ(test, 0,
					vhost_iommu_table_step(&t->w, iova,
							       &span));
			KUNIT_ASSERT_LE(test, span.start, iova);
			KUNIT_ASSERT_GE(test, span.last, iova);
			model(test, at, &gpa, &size, &flags);
			KUNIT_ASSERT_EQ(test, span.flags, flags);
			if (flags) {
				leaves++;
				together += span.last - span.start >= size;
				KUNIT_ASSERT_EQ(test, span.gpa, gpa);
				KUNIT_ASSERT_EQ(test, span.start,
						iova & ~(size - 1));
				KUNIT_ASSERT_EQ(test, BIT_ULL(span.shift),
						size);
				expect_last(test, &span);
			} else {
				holes++;
				model(test, min(span.last, last), &gpa, &size,
				      &flags);
				KUNIT_ASSERT_EQ(test, 0, flags);
			}
			iova = span.last + 1;
		}
	}
	KUNIT_EXPECT_GT(test, leaves, 1000);
	KUNIT_EXPECT_GT(test, together, 100);
	KUNIT_EXPECT_GT(test, holes, 100);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(table_leaves),
	KUNIT_CASE(table_bad_leaves),
	KUNIT_CASE(table_outside_memory),
	KUNIT_CASE(table_of_itself),
	KUNIT_CASE(table_of_nothing),
	KUNIT_CASE(table_reads_once),
	KUNIT_CASE(table_together),
	KUNIT_CASE(table_random),
	{}
};

static struct kunit_suite table_suite = {
	.name = "vhost_iommu_table",
	.init = table_test_init,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
