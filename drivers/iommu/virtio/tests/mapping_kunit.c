// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>
#include <linux/limits.h>

#include "../mapping.h"

/* Mappings of every test: a gap before b, none between b and c */
#define A_START	0x1000UL
#define A_LAST	0x1fffUL
#define B_START	0x4000UL
#define B_LAST	0x7fffUL
#define C_START	0x8000UL
#define C_LAST	0x8fffUL

struct mapping_test {
	struct viommu_mappings mappings;
	struct viommu_mapping *a, *b, *c;
};

static struct viommu_mapping *add(struct kunit *test, unsigned long start,
				  unsigned long last)
{
	struct mapping_test *t = test->priv;
	struct viommu_mapping *mapping = viommu_mapping_alloc(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mapping);
	mapping->range.start = start;
	mapping->range.last = last;
	mapping->phys = 0x100000 + start;
	KUNIT_ASSERT_EQ(test, 0, viommu_mapping_insert(&t->mappings, mapping));
	return mapping;
}

static int mapping_init(struct kunit *test)
{
	struct mapping_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->mappings = VIOMMU_NO_MAPPINGS;
	t->a = add(test, A_START, A_LAST);
	t->c = add(test, C_START, C_LAST);
	t->b = add(test, B_START, B_LAST);
	return 0;
}

static void mapping_exit(struct kunit *test)
{
	struct mapping_test *t = test->priv;
	struct viommu_mapping *mapping;

	while ((mapping = viommu_mapping_first(&t->mappings, 0, ULONG_MAX)))
		viommu_mapping_erase(&t->mappings, mapping);
}

static void mapping_order(struct kunit *test)
{
	struct mapping_test *t = test->priv;
	struct viommu_mapping *mapping;

	mapping = viommu_mapping_first(&t->mappings, 0, ULONG_MAX);
	KUNIT_EXPECT_PTR_EQ(test, mapping, t->a);
	mapping = viommu_mapping_next(mapping, 0, ULONG_MAX);
	KUNIT_EXPECT_PTR_EQ(test, mapping, t->b);
	mapping = viommu_mapping_next(mapping, 0, ULONG_MAX);
	KUNIT_EXPECT_PTR_EQ(test, mapping, t->c);
	KUNIT_EXPECT_NULL(test, viommu_mapping_next(mapping, 0, ULONG_MAX));
	KUNIT_EXPECT_NULL(test, viommu_mapping_first(&t->mappings, A_LAST + 1,
						     B_START - 1));
}

static void mapping_overlap(struct kunit *test)
{
	static const struct {
		unsigned long start, last;
		int err;
	} cases[] = {
		{ B_START, B_LAST, -EEXIST },
		{ B_START + 0x1000, B_START + 0x1fff, -EEXIST },
		{ A_LAST, A_LAST + 0x1000, -EEXIST },
		{ 0x3000, B_START, -EEXIST },
		{ 0, ULONG_MAX, -EEXIST },
		{ 0, A_START - 1, 0 },
		{ A_LAST + 1, B_START - 1, 0 },
		{ C_LAST + 1, ULONG_MAX, 0 },
	};
	struct mapping_test *t = test->priv;
	struct viommu_mapping *mapping;
	int i, err;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		mapping = viommu_mapping_alloc(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, mapping);
		mapping->range.start = cases[i].start;
		mapping->range.last = cases[i].last;
		err = viommu_mapping_insert(&t->mappings, mapping);
		KUNIT_EXPECT_EQ_MSG(test, err, cases[i].err, "case %d", i);
		if (err)
			viommu_mapping_free(mapping);
		else
			viommu_mapping_erase(&t->mappings, mapping);
	}
}

static void mapping_run(struct kunit *test)
{
	struct mapping_test *t = test->priv;
	const struct {
		unsigned long start, last;
		struct viommu_mapping *first;
		unsigned long run_last;
	} cases[] = {
		{ A_START, A_LAST, t->a, A_LAST },
		/* not beyond a hole */
		{ A_START, C_LAST, t->a, A_LAST },
		/* all that follow each other */
		{ B_START, C_LAST, t->b, C_LAST },
		/* not split at the end */
		{ B_START, B_START + 0xfff, t->b, B_LAST },
		{ B_START, C_START, t->b, C_LAST },
		/* nor at the beginning */
		{ B_START + 0x1000, B_LAST, NULL },
		/* a hole first */
		{ 0, A_LAST, NULL },
		{ 0x2000, 0x3fff, NULL },
		{ C_LAST + 1, ULONG_MAX, NULL },
	};
	struct viommu_mapping *first;
	unsigned long run_last;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		run_last = 0;
		first = viommu_mapping_run(&t->mappings, cases[i].start,
					   cases[i].last, &run_last);
		KUNIT_EXPECT_PTR_EQ_MSG(test, first, cases[i].first, "case %d",
					i);
		KUNIT_EXPECT_EQ_MSG(test, run_last, cases[i].run_last,
				    "case %d", i);
	}
}

static void mapping_run_removing(struct kunit *test)
{
	struct mapping_test *t = test->priv;
	unsigned long run_last = 0;

	t->c->state = VIOMMU_MAPPING_REMOVING;
	KUNIT_EXPECT_PTR_EQ(test, t->b,
			    viommu_mapping_run(&t->mappings, B_START, C_LAST,
					       &run_last));
	KUNIT_EXPECT_EQ(test, run_last, B_LAST);
	KUNIT_EXPECT_NULL(test, viommu_mapping_run(&t->mappings, C_START, C_LAST,
						   &run_last));
}

static void mapping_run_everything(struct kunit *test)
{
	struct mapping_test *t = test->priv;
	struct viommu_mapping *all;
	unsigned long run_last = 0;

	mapping_exit(test);
	all = add(test, 0, ULONG_MAX);
	KUNIT_EXPECT_PTR_EQ(test, all,
			    viommu_mapping_run(&t->mappings, 0, ULONG_MAX,
					       &run_last));
	KUNIT_EXPECT_EQ(test, run_last, ULONG_MAX);
}

static void mapping_phys(struct kunit *test)
{
	struct mapping_test *t = test->priv;

	t->b->state = VIOMMU_MAPPING_ONLINE;
	KUNIT_EXPECT_EQ(test, 0x104000, viommu_mapping_phys(&t->mappings, 0x4000));
	KUNIT_EXPECT_EQ(test, 0x107fff, viommu_mapping_phys(&t->mappings, 0x7fff));
	KUNIT_EXPECT_EQ(test, 0, viommu_mapping_phys(&t->mappings, 0x3fff));
	KUNIT_EXPECT_EQ(test, 0x101000, viommu_mapping_phys(&t->mappings, 0x1000));

	t->b->state = VIOMMU_MAPPING_FAILED;
	KUNIT_EXPECT_EQ(test, 0, viommu_mapping_phys(&t->mappings, 0x4000));
	t->b->state = VIOMMU_MAPPING_REMOVING;
	KUNIT_EXPECT_EQ(test, 0, viommu_mapping_phys(&t->mappings, 0x4000));
}

static struct kunit_case mapping_cases[] = {
	KUNIT_CASE(mapping_order),
	KUNIT_CASE(mapping_overlap),
	KUNIT_CASE(mapping_run),
	KUNIT_CASE(mapping_run_removing),
	KUNIT_CASE(mapping_run_everything),
	KUNIT_CASE(mapping_phys),
	{ }
};

static struct kunit_suite mapping_suite = {
	.name = "virtio_iommu_mapping",
	.init = mapping_init,
	.exit = mapping_exit,
	.test_cases = mapping_cases,
};

kunit_test_suite(mapping_suite);
