// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/virtio_iommu.h>

#include "../region.h"

#define MODEL_SIZE	64

static void expect_sorted(struct kunit *test, const struct vhost_iommu_regions *r)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++) {
		KUNIT_EXPECT_LE(test, r->r[i].start, r->r[i].last);
		if (i)
			KUNIT_EXPECT_GT(test, r->r[i].start, r->r[i - 1].last);
	}
}

/* One entry an address: its type, or -1. */
struct region_model {
	int	type[MODEL_SIZE];
	bool	has_msi;
};

/* Who comes first keeps an address; the first piece of an MSI region is the only one. */
static void model_add(struct region_model *m, u32 start, u32 last, u32 type)
{
	bool msi = false;
	u32 a;

	for (a = start; a <= last; a++) {
		if (m->type[a] < 0) {
			m->type[a] = m->has_msi ? 0 : type;
			msi = m->type[a];
		} else {
			m->has_msi |= msi;
		}
	}
	m->has_msi |= msi;
}

static void region_model(struct kunit *test)
{
	struct vhost_iommu_regions regions = {};
	struct region_model model;
	struct rnd_state rnd;
	unsigned int round, i, a;

	prandom_seed_state(&rnd, 20170407);
	for (round = 0; round < 200; round++) {
		memset(model.type, 0xff, sizeof(model.type));
		model.has_msi = false;
		for (i = 0; i < 8; i++) {
			u32 x = prandom_u32_state(&rnd) % MODEL_SIZE;
			u32 y = prandom_u32_state(&rnd) % MODEL_SIZE;
			u32 type = i % 2;

			KUNIT_ASSERT_EQ(test, 0,
					vhost_iommu_regions_add(&regions,
								min(x, y),
								max(x, y), type));
			model_add(&model, min(x, y), max(x, y), type);
		}
		expect_sorted(test, &regions);
		for (a = 0; a < MODEL_SIZE; a++) {
			const struct vhost_iommu_region *r =
				vhost_iommu_regions_find(&regions, a, a);

			KUNIT_ASSERT_EQ(test, model.type[a],
					r ? (int)r->type : -1);
		}
		vhost_iommu_regions_free(&regions);
	}
}

static void region_ends(struct kunit *test)
{
	struct vhost_iommu_regions regions = {};

	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 10, 20, 0));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 0, U64_MAX, 1));
	KUNIT_EXPECT_EQ(test, regions.nr, 3);
	expect_sorted(test, &regions);
	KUNIT_EXPECT_EQ(test, regions.r[2].last, U64_MAX);
	KUNIT_EXPECT_PTR_EQ(test, vhost_iommu_regions_find(&regions, 5, 15),
			    &regions.r[0]);
	/* Nothing is left to add. */
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 3, 40, 0));
	KUNIT_EXPECT_EQ(test, regions.nr, 3);
	vhost_iommu_regions_free(&regions);
	KUNIT_EXPECT_NULL(test, vhost_iommu_regions_find(&regions, 0, U64_MAX));
}

static void region_one_msi(struct kunit *test)
{
	const u32 msi = VIRTIO_IOMMU_RESV_MEM_T_MSI;
	struct vhost_iommu_regions regions = {};
	unsigned int i, nr = 0;

	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 15, 16, 0));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 10, 20, msi));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 30, 40, msi));
	KUNIT_EXPECT_EQ(test, regions.nr, 4);
	for (i = 0; i < regions.nr; i++)
		nr += regions.r[i].type == msi;
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, regions.r[0].type, msi);
	vhost_iommu_regions_free(&regions);
}

static void region_encode(struct kunit *test)
{
	static const u8 want[] = {
		1, 0, 20, 0,  0, 0, 0, 0,
		0, 0x10, 0, 0, 0, 0, 0, 0,  0xff, 0x1f, 0, 0, 0, 0, 0, 0,
		1, 0, 20, 0,  1, 0, 0, 0,
		0, 0, 0xe0, 0xfe, 0, 0, 0, 0,  0xff, 0xff, 0xef, 0xfe, 0, 0, 0, 0,
	};
	struct vhost_iommu_regions regions = {};
	u8 buf[sizeof(want)] = {};

	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 0xfee00000,
							 0xfeefffff,
							 VIRTIO_IOMMU_RESV_MEM_T_MSI));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_regions_add(&regions, 0x1000, 0x1fff,
							 VIRTIO_IOMMU_RESV_MEM_T_RESERVED));
	KUNIT_ASSERT_EQ(test, vhost_iommu_regions_size(&regions), sizeof(want));
	vhost_iommu_regions_encode(&regions, buf);
	KUNIT_EXPECT_MEMEQ(test, buf, want, sizeof(want));
	vhost_iommu_regions_free(&regions);
}

static struct kunit_case region_test_cases[] = {
	KUNIT_CASE(region_model),
	KUNIT_CASE(region_ends),
	KUNIT_CASE(region_one_msi),
	KUNIT_CASE(region_encode),
	{}
};

static struct kunit_suite region_test_suite = {
	.name = "vhost_iommu_region",
	.test_cases = region_test_cases,
};

kunit_test_suite(region_test_suite);
