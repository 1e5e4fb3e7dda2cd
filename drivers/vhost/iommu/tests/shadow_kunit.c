// SPDX-License-Identifier: GPL-2.0-only
/*
 * What follows from a guest's table in the hardware, against a model: random changes,
 * each of them invalidated. The hardware is an array of pages, which cannot take a
 * part of a large one away.
 */
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/virtio_iommu_tables.h>
#include <linux/xarray.h>

#include "guest.h"
#include "../backend.h"
#include "../domain.h"
#include "../shadow.h"
#include "../stage2.h"
#include "../vhost_iommu.h"

#define ROOT		0x1000ULL
#define L3		0x2000ULL
#define L2		0x3000ULL
#define L1(n)		(0x4000ULL + (n) * 0x1000)	/* two of them */
#define NR_HUGE		4U			/* entries of L2 in use */
#define NR_PAGES	(NR_HUGE * 512)		/* pages that they translate */
#define S2_SIZE		SZ_16M
#define S2_PHYS		0x100000000ULL
#define P		VIRTIO_IOMMU_X86_64_PRESENT
#define W		VIRTIO_IOMMU_X86_64_WRITE
#define LEAF		VIRTIO_IOMMU_X86_64_LEAF
#define ADDR		VIRTIO_IOMMU_X86_64_ADDR_MASK

/* What a page is translated to: an entry of its leaf, and how large that is. */
struct model_page {
	u64		entry;
	unsigned int	shift;
};

struct shadow_test {
	struct test_guest		*g;
	struct vhost_iommu		vi;
	struct vhost_iommu_s2		s2;
	struct vhost_iommu_s2_range	range;
	unsigned long			whole[BITS_TO_LONGS(S2_SIZE /
							    VHOST_IOMMU_BLOCK)];
	struct vhost_iommu_class	class;
	struct iommu_domain		s2_domain;
	struct vhost_iommu_domain	domain;
	struct vhost_iommu_hwdom	hw;
	struct iommu_domain		hw_domain;
	struct xarray			pages;
	struct rnd_state		rnd;
	u64				l2[NR_HUGE];
	u64				l1[2][512];
	struct model_page		was[NR_PAGES], is[NR_PAGES];
	unsigned int			nr_maps;
};

static phys_addr_t s2_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return S2_PHYS + iova;
}

static const struct iommu_domain_ops s2_ops = {
	.iova_to_phys = s2_iova_to_phys,
};

static struct shadow_test *to_test(struct iommu_domain *domain)
{
	return container_of(domain, struct shadow_test, hw_domain);
}

static bool has_changed(const struct shadow_test *t, unsigned int page)
{
	return page < NR_PAGES && (t->was[page].entry != t->is[page].entry ||
				   t->was[page].shift != t->is[page].shift);
}

/* Of each page of 4 KiB: where it is, is it to be written, how large is it really */
static void *hw_page(phys_addr_t phys, int prot, size_t size)
{
	return xa_mk_value(phys | (prot & IOMMU_WRITE ? BIT(6) : 0) | __ffs(size));
}

static int hw_map(struct iommu_domain *domain, unsigned long iova,
		  phys_addr_t phys, size_t pgsize, size_t pgcount, int prot,
		  gfp_t gfp, size_t *mapped)
{
	struct shadow_test *t = to_test(domain);
	struct kunit *test = t->g->test;

	t->nr_maps++;
	for (; *mapped < pgsize * pgcount; *mapped += SZ_4K) {
		unsigned long page = (iova + *mapped) / SZ_4K;

		KUNIT_EXPECT_NULL(test, xa_load(&t->pages, page));
		KUNIT_EXPECT_TRUE(test, has_changed(t, page));
		xa_store(&t->pages, page,
			 hw_page(phys + *mapped, prot, pgsize), GFP_KERNEL);
	}
	return 0;
}

static size_t hw_unmap(struct iommu_domain *domain, unsigned long iova,
		       size_t pgsize, size_t pgcount,
		       struct iommu_iotlb_gather *gather)
{
	struct shadow_test *t = to_test(domain);
	struct kunit *test = t->g->test;
	unsigned long at = iova, end = iova + pgsize * pgcount;

	while (at < end) {
		void *entry = xa_load(&t->pages, at / SZ_4K);
		unsigned long next;

		if (!entry)
			break;
		next = at + BIT(xa_to_value(entry) & 0x3f);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(at, next - at));
		KUNIT_EXPECT_LE(test, next, end);
		for (; at < next; at += SZ_4K) {
			KUNIT_EXPECT_TRUE(test, has_changed(t, at / SZ_4K));
			xa_erase(&t->pages, at / SZ_4K);
		}
	}
	return at - iova;
}

static const struct iommu_domain_ops hw_ops = {
	.map_pages	= hw_map,
	.unmap_pages	= hw_unmap,
};

static void set_entry(struct shadow_test *t, u64 table, unsigned int index,
		      u64 entry)
{
	__le64 e = cpu_to_le64(entry);

	guest_write(t->g, table + index * sizeof(e), &e, sizeof(e));
}

static void s2_init(struct shadow_test *t)
{
	init_rwsem(&t->s2.lock);
	t->s2.backend = &vhost_iommu_container;
	t->s2.ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&t->s2.classes);
	t->range.node.last = S2_SIZE - 1;
	t->range.prot = IOMMU_READ | IOMMU_WRITE;
	t->range.whole = t->whole;
	bitmap_fill(t->whole, S2_SIZE / VHOST_IOMMU_BLOCK);
	interval_tree_insert(&t->range.node, &t->s2.ranges);

	t->s2_domain.type = IOMMU_DOMAIN_UNMANAGED;
	t->s2_domain.ops = &s2_ops;
	t->class.s2 = &t->s2;
	t->class.domain = &t->s2_domain;
	list_add(&t->class.list, &t->s2.classes);
}

static void domain_init(struct shadow_test *t)
{
	t->domain.vi = &t->vi;
	t->domain.root = ROOT;
	t->domain.pasids = VHOST_IOMMU_NO_TABLE;
	t->domain.mappings = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&t->domain.endpoints);
	INIT_LIST_HEAD(&t->domain.hwdoms);

	xa_init(&t->pages);
	t->hw_domain.type = IOMMU_DOMAIN_UNMANAGED;
	t->hw_domain.ops = &hw_ops;
	t->hw.owner = &t->domain;
	t->hw.class = &t->class;
	t->hw.domain = &t->hw_domain;
	INIT_LIST_HEAD(&t->hw.dirty_list);
	iommu_iotlb_gather_init(&t->hw.gather);
	list_add(&t->hw.owner_list, &t->domain.hwdoms);
}

static int shadow_test_init(struct kunit *test)
{
	struct shadow_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->g = guest_create(test);
	mutex_init(&t->vi.lock);
	INIT_LIST_HEAD(&t->vi.dirty);
	t->vi.mem = t->g->mem;
	t->vi.s2 = &t->s2;
	t->vi.config.page_size_mask = SZ_4K | SZ_2M | SZ_1G;
	t->vi.config.input_end = U64_MAX;
	s2_init(t);
	domain_init(t);
	set_entry(t, ROOT, 0, L3 | P | W);
	set_entry(t, L3, 0, L2 | P | W);
	prandom_seed_state(&t->rnd, 6);
	return 0;
}

static void shadow_test_exit(struct kunit *test)
{
	struct shadow_test *t = test->priv;
	struct vhost_iommu_mapping *m;

	while ((m = vhost_iommu_mapping_find(&t->domain.mappings, 0, U64_MAX)))
		vhost_iommu_mapping_del(&t->domain.mappings, m);
	xa_destroy(&t->pages);
}

static u64 random(struct shadow_test *t, u64 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* Where an entry of a table of the third level leads to: 0 for L1(0), 1, or not */
static int l1_of(const struct shadow_test *t, unsigned int huge)
{
	unsigned int n;

	for (n = 0; n < 2; n++)
		if ((t->l2[huge] & ~W) == (L1(n) | P))
			return n;
	return -1;
}

/* What the model says of a page by the table as it is now. */
static struct model_page translate(const struct shadow_test *t, unsigned int page)
{
	u64 entry = t->l2[page / 512];
	int n = l1_of(t, page / 512);

	if (n >= 0) {
		u64 small = t->l1[n][page % 512];

		if (!(small & P))
			return (struct model_page) {};
		return (struct model_page) {
			small & (entry | ~W) & (ADDR | P | W), 12,
		};
	}
	if (!(entry & P))
		return (struct model_page) {};
	return (struct model_page) {
		(entry & (ADDR | P | W)) + page % 512 * SZ_4K, 21,
	};
}

/* The hardware has what the model says, and no large page in the place of small ones. */
static void expect_model(struct kunit *test)
{
	struct shadow_test *t = test->priv;
	unsigned int i, leaves = 0;

	for (i = 0; i < NR_PAGES; i++) {
		struct model_page *m = &t->is[i];
		void *entry = xa_load(&t->pages, i);
		u64 value = entry ? xa_to_value(entry) : 0;

		if (!m->entry) {
			KUNIT_ASSERT_NULL(test, entry);
			continue;
		}
		leaves += m->shift == 12 ? 512 : 1;
		KUNIT_ASSERT_NOT_NULL(test, entry);
		KUNIT_ASSERT_EQ(test, value & ADDR,
				S2_PHYS + (m->entry & ADDR));
		KUNIT_ASSERT_EQ(test, !!(value & BIT(6)), !!(m->entry & W));
		KUNIT_ASSERT_LE(test, value & 0x3f, m->shift);
	}
	KUNIT_ASSERT_EQ(test, t->vi.nr_mappings, leaves / 512);
}

static void sync(struct kunit *test, u64 start, u64 last)
{
	struct shadow_test *t = test->priv;

	mutex_lock(&t->vi.lock);
	down_read(&t->s2.lock);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_shadow_sync(&t->domain, start, last));
	vhost_iommu_flush(&t->vi);
	up_read(&t->s2.lock);
	mutex_unlock(&t->vi.lock);
}

/* Have the model say what it says of the table as it is. */
static void update_model(struct shadow_test *t)
{
	unsigned int i;

	memcpy(t->was, t->is, sizeof(t->was));
	for (i = 0; i < NR_PAGES; i++)
		t->is[i] = translate(t, i);
}

static void set_huge(struct shadow_test *t, unsigned int huge, u64 entry)
{
	t->l2[huge] = entry;
	set_entry(t, L2, huge, entry);
}

static void set_small(struct shadow_test *t, unsigned int n, unsigned int index,
		      u64 entry)
{
	t->l1[n][index] = entry;
	set_entry(t, L1(n), index, entry);
}

/* A leaf, a table, or none, in the place of one of 2 MiB. */
static void change_huge(struct kunit *test)
{
	struct shadow_test *t = test->priv;
	unsigned int huge = random(t, NR_HUGE);
	u64 entry = random(t, 2) ? P | W : P, start = huge * SZ_2M;

	switch (random(t, 4)) {
	case 0:
		entry = 0;
		break;
	case 1:
		entry |= LEAF | random(t, S2_SIZE / SZ_2M) * SZ_2M;
		break;
	default:
		entry |= L1(random(t, 2));
		break;
	}
	set_huge(t, huge, entry);
	update_model(t);
	/* A page of it stands for all of a leaf, not of a table. */
	if (random(t, 2) && l1_of(t, huge) < 0 && t->was[start / SZ_4K].shift == 21)
		sync(test, start + SZ_8K, start + SZ_8K + SZ_4K - 1);
	else
		sync(test, start, start + SZ_2M - 1);
}

/* Some small leaves that go on from each other, or none, wherever their table is. */
static void change_small(struct kunit *test)
{
	struct shadow_test *t = test->priv;
	unsigned int n = random(t, 2), first = random(t, 512), huge;
	unsigned int nr = 1 + random(t, random(t, 2) ? 512 - first :
					min(8U, 512 - first));
	u64 gpa = random(t, S2_SIZE / SZ_4K - 512) * SZ_4K, entry = 0;
	unsigned int i;

	if (random(t, 3))
		entry = random(t, 4) ? P | W : P;
	/* Often such that they go on from what is before them. */
	if (first && random(t, 2))
		gpa = min((t->l1[n][first - 1] & ADDR) + SZ_4K,
			  (u64)S2_SIZE - SZ_2M);
	for (i = 0; i < nr; i++)
		set_small(t, n, first + i, entry ? entry | (gpa + i * SZ_4K) : 0);
	update_model(t);

	for (huge = 0; huge < NR_HUGE; huge++) {
		u64 start = huge * SZ_2M + first * SZ_4K;

		if (l1_of(t, huge) == n)
			sync(test, start, start + nr * SZ_4K - 1);
	}
}

static void random_changes(struct kunit *test)
{
	struct shadow_test *t = test->priv;
	unsigned int round;

	for (round = 0; round < 150; round++) {
		if (random(t, 4))
			change_small(test);
		else
			change_huge(test);
		expect_model(test);
		/* What has not changed is not touched. */
		memcpy(t->was, t->is, sizeof(t->was));
		if (!random(t, 8))
			sync(test, 0, U64_MAX);
	}
	memset(t->is, 0, sizeof(t->is));
	t->domain.root = VHOST_IOMMU_NO_TABLE;
	sync(test, 0, U64_MAX);
	expect_model(test);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->pages));
	KUNIT_EXPECT_NULL(test, vhost_iommu_mapping_find(&t->domain.mappings, 0,
							 U64_MAX));
}

/* Page sizes as VT-d has them. */
static void shadow_sizes(struct kunit *test)
{
	struct shadow_test *t = test->priv;

	t->hw_domain.pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	random_changes(test);
}

/* All of them, as AMD's. */
static void shadow_all_sizes(struct kunit *test)
{
	struct shadow_test *t = test->priv;

	t->hw_domain.pgsize_bitmap = GENMASK(38, 12);
	random_changes(test);
}

/* Leaves that go on from each other are one mapping, and few calls. */
static void shadow_merges(struct kunit *test)
{
	struct shadow_test *t = test->priv;
	struct vhost_iommu_mapping *m;
	unsigned int i;

	t->hw_domain.pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	for (i = 0; i < 512; i++) {
		set_small(t, 0, i, (SZ_2M + i * SZ_4K) | P | W);
		set_small(t, 1, i, (SZ_4M + i * SZ_4K) | P | W);
	}
	set_huge(t, 0, L1(0) | P | W);
	set_huge(t, 1, L1(1) | P | W);
	set_huge(t, 2, SZ_2M | P | W | LEAF);
	set_huge(t, 3, SZ_4M | P | W | LEAF);
	update_model(t);
	sync(test, 0, U64_MAX);
	expect_model(test);
	m = vhost_iommu_mapping_find(&t->domain.mappings, 0, U64_MAX);
	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_EXPECT_EQ(test, m->node.last, SZ_4M - 1);
	m = vhost_iommu_mapping_find(&t->domain.mappings, SZ_4M, U64_MAX);
	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_EXPECT_EQ(test, m->node.start, SZ_4M);
	KUNIT_EXPECT_EQ(test, m->node.last, SZ_8M - 1);
	KUNIT_EXPECT_LE(test, t->nr_maps, 10);

	/* One goes: the others stay, and are not touched. */
	set_small(t, 0, 7, 0);
	update_model(t);
	sync(test, 7 * SZ_4K, 8 * SZ_4K - 1);
	expect_model(test);
}

static struct kunit_case shadow_cases[] = {
	KUNIT_CASE(shadow_sizes),
	KUNIT_CASE(shadow_all_sizes),
	KUNIT_CASE(shadow_merges),
	{}
};

static struct kunit_suite shadow_suite = {
	.name = "vhost_iommu_shadow",
	.init = shadow_test_init,
	.exit = shadow_test_exit,
	.test_cases = shadow_cases,
};

kunit_test_suite(shadow_suite);
