// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking on hardware that can tell what was written: iommufd is played here, with
 * the rule that it is asked for what is mapped without a hole.
 */
#include <kunit/static_stub.h>
#include <linux/iommu.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/virtio_iommu.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "guest.h"
#include "../dirty.h"
#include "../domain.h"
#include "../iommufd.h"
#include "../stage2.h"
#include "../vhost_iommu.h"

#define ARG_ADDR	0x7000000000ULL
#define HWPT		9U
#define LOW_SIZE	SZ_1M
#define HIGH		SZ_1G
#define HIGH_SIZE	(256ULL * SZ_1M)
#define R		VIRTIO_IOMMU_MAP_F_READ
#define W		VIRTIO_IOMMU_MAP_F_WRITE
/* What is asked for at once at most */
#define RUN		(16384ULL * PAGE_SIZE)

struct dirty_test {
	struct test_guest		*g;
	struct vhost_iommu		vi;
	struct vhost_iommu_s2		s2;
	struct vhost_iommu_s2_range	low, high;
	struct vhost_iommu_class	class;
	struct vhost_iommu_domain	domain;
	struct vhost_iommu_hwdom	hw;
	struct xarray			written;	/* by page of the IOVA */
	unsigned int			calls;		/* of GET_DIRTY_BITMAP */
	unsigned int			enabled;
	unsigned int			fail_cmd;
	struct rnd_state		rnd;
};

static struct dirty_test *current_dirty(void)
{
	return kunit_get_current_test()->priv;
}

static u64 fake_arg(struct vhost_iommu_s2 *s2)
{
	return ARG_ADDR;
}

static bool fake_has_iommufd(const struct vhost_iommu *vi)
{
	return true;
}

/* Is all of it mapped for writing, and is the memory there? */
static bool is_mapped(struct dirty_test *t, u64 iova, u64 last)
{
	struct vhost_iommu_mapping *m;

	for (; iova <= last; iova += PAGE_SIZE) {
		m = vhost_iommu_mapping_find(&t->domain.mappings, iova, iova);
		if (!m || !(m->flags & W))
			return false;
		if (!vhost_iommu_s2_first(&t->s2,
					  vhost_iommu_mapping_gpa(m, iova),
					  vhost_iommu_mapping_gpa(m, iova)))
			return false;
	}
	return true;
}

static void fake_get(struct dirty_test *t, struct iommu_hwpt_get_dirty_bitmap *arg,
		     size_t size)
{
	unsigned long *bits = (void *)arg + (arg->data - ARG_ADDR);
	struct kunit *test = kunit_get_current_test();
	unsigned long i;

	t->calls++;
	KUNIT_EXPECT_EQ(test, HWPT, arg->hwpt_id);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, arg->page_size);
	KUNIT_EXPECT_EQ(test, 0, arg->flags);
	KUNIT_EXPECT_LE(test, size, PAGE_SIZE);
	KUNIT_ASSERT_LE(test, arg->data - ARG_ADDR + arg->length / PAGE_SIZE / 8,
			size);
	KUNIT_ASSERT_TRUE(test, is_mapped(t, arg->iova,
					  arg->iova + arg->length - 1));
	for (i = 0; i < arg->length / PAGE_SIZE; i++)
		if (xa_erase(&t->written, arg->iova / PAGE_SIZE + i))
			__set_bit(i, bits);
}

static int fake_ioctl(struct vhost_iommu_s2 *s2, unsigned int cmd, void *arg,
		      size_t size)
{
	struct dirty_test *t = current_dirty();

	if (cmd == t->fail_cmd)
		return -ENOENT;
	switch (cmd) {
	case IOMMU_HWPT_SET_DIRTY_TRACKING:
		t->enabled = ((struct iommu_hwpt_set_dirty_tracking *)arg)->flags;
		return 0;
	case IOMMU_HWPT_GET_DIRTY_BITMAP:
		fake_get(t, arg, size);
		return 0;
	default:
		return -ENOTTY;
	}
}

static void range_init(struct dirty_test *t, struct vhost_iommu_s2_range *range,
		       u64 gpa, u64 size)
{
	range->node.start = gpa;
	range->node.last = gpa + size - 1;
	range->prot = IOMMU_READ | IOMMU_WRITE;
	interval_tree_insert(&range->node, &t->s2.ranges);
}

static int track(struct dirty_test *t, bool on)
{
	const struct vhost_iommu_dirty_tracking arg = {
		.flags = on ? VHOST_IOMMU_DIRTY_TRACKING_ENABLE : 0,
	};
	int ret;

	mutex_lock(&t->vi.lock);
	ret = vhost_iommu_set_dirty_tracking(&t->vi, &arg);
	mutex_unlock(&t->vi.lock);
	return ret;
}

static int dirty_init(struct kunit *test)
{
	struct dirty_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->g = guest_create(test);
	xa_init(&t->written);
	prandom_seed_state(&t->rnd, 7);
	mutex_init(&t->vi.lock);
	t->vi.s2 = &t->s2;
	init_rwsem(&t->s2.lock);
	t->s2.ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&t->s2.classes);
	range_init(t, &t->low, 0, LOW_SIZE);
	range_init(t, &t->high, HIGH, HIGH_SIZE);

	t->class.s2 = &t->s2;
	INIT_LIST_HEAD(&t->class.hwdoms);
	list_add(&t->class.list, &t->s2.classes);
	t->domain.vi = &t->vi;
	t->domain.mappings = RB_ROOT_CACHED;
	t->hw.owner = &t->domain;
	t->hw.class = &t->class;
	t->hw.pt = HWPT;
	t->hw.tracks = true;
	list_add(&t->hw.class_list, &t->class.hwdoms);

	kunit_activate_static_stub(test, vhost_iommu_iommufd_ioctl, fake_ioctl);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_arg, fake_arg);
	kunit_activate_static_stub(test, vhost_iommu_has_iommufd,
				   fake_has_iommufd);
	return 0;
}

static void dirty_exit(struct kunit *test)
{
	struct dirty_test *t = test->priv;
	struct vhost_iommu_mapping *m;

	while ((m = vhost_iommu_mapping_find(&t->domain.mappings, 0, U64_MAX)))
		vhost_iommu_mapping_del(&t->domain.mappings, m);
	vhost_iommu_dirty_free(&t->low);
	vhost_iommu_dirty_free(&t->high);
	xa_destroy(&t->written);
}

static void add(struct kunit *test, u64 iova, u64 size, u64 gpa, u32 flags)
{
	struct dirty_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, vhost_iommu_mapping_add(&t->domain.mappings,
							    iova,
							    iova + size - 1, gpa,
							    flags));
}

/* A device writes, by an address that is mapped or is not. */
static void write_to(struct kunit *test, u64 iova)
{
	struct dirty_test *t = test->priv;

	KUNIT_ASSERT_FALSE(test, xa_err(xa_store(&t->written, iova / PAGE_SIZE,
						 xa_mk_value(1), GFP_KERNEL)));
}

/* What is reported in the VMM's bitmap: 64 pages from @gpa on. Clears it before. */
static u64 look(struct kunit *test, u64 gpa, u32 *coarse)
{
	struct dirty_test *t = test->priv;
	struct vhost_iommu_dirty_bitmap arg = {
		.start = gpa, .last = gpa + 64 * PAGE_SIZE - 1,
		.page_size = PAGE_SIZE, .bitmap = t->g->base,
	};
	u64 bits = 0;

	guest_write(t->g, 0, &bits, sizeof(bits));
	mutex_lock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_get_dirty_bitmap(&t->vi, &arg));
	mutex_unlock(&t->vi.lock);
	if (coarse)
		*coarse = arg.coarse;
	guest_read(t->g, 0, &bits, sizeof(bits));
	return bits;
}

static void what_was_written(struct kunit *test)
{
	struct dirty_test *t = test->priv;
	u32 coarse;

	add(test, SZ_2M, 4 * PAGE_SIZE, HIGH, R | W);
	KUNIT_ASSERT_EQ(test, 0, track(t, true));
	KUNIT_EXPECT_EQ(test, IOMMU_HWPT_DIRTY_TRACKING_ENABLE, t->enabled);
	KUNIT_EXPECT_EQ(test, 0, look(test, HIGH, &coarse));
	KUNIT_EXPECT_EQ(test, 0, coarse);
	write_to(test, SZ_2M + PAGE_SIZE);
	write_to(test, SZ_2M + 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, BIT(1) | BIT(3), look(test, HIGH, NULL));
	KUNIT_EXPECT_EQ(test, 0, look(test, HIGH, NULL));

	/* A question about other memory leaves it with the hardware. */
	write_to(test, SZ_2M);
	KUNIT_EXPECT_EQ(test, 0, look(test, 0, NULL));
	KUNIT_EXPECT_EQ(test, BIT(0), look(test, HIGH, NULL));
	KUNIT_EXPECT_EQ(test, 0, track(t, false));
	KUNIT_EXPECT_EQ(test, 0, t->enabled);
	KUNIT_EXPECT_PTR_EQ(test, NULL, t->high.dirty);
}

/* Mappings that go on from each other are asked for together, wherever they lead. */
static void runs(struct kunit *test)
{
	struct dirty_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, track(t, true));
	add(test, 0x10000, PAGE_SIZE, HIGH + 5 * PAGE_SIZE, R | W);
	add(test, 0x11000, PAGE_SIZE, HIGH, W);
	add(test, 0x12000, PAGE_SIZE, HIGH + PAGE_SIZE, R);
	add(test, 0x13000, PAGE_SIZE, HIGH + 2 * PAGE_SIZE, R | W);
	add(test, 0x15000, PAGE_SIZE, HIGH + 3 * PAGE_SIZE, R | W);
	/* No memory behind the first page */
	add(test, 0x16000, 2 * PAGE_SIZE, LOW_SIZE - PAGE_SIZE, R | W);
	write_to(test, 0x10000);
	write_to(test, 0x15000);
	KUNIT_EXPECT_EQ(test, BIT(5) | BIT(3), look(test, HIGH, NULL));
	KUNIT_EXPECT_EQ(test, 3, t->calls);
	write_to(test, 0x16000);
	KUNIT_EXPECT_EQ(test, BIT_ULL(63),
			look(test, LOW_SIZE - 64 * PAGE_SIZE, NULL));
	KUNIT_EXPECT_EQ(test, 4, t->calls);
}

/* No more at once than there is room for. */
static void long_run(struct kunit *test)
{
	struct dirty_test *t = test->priv;
	const u64 last = RUN + 3 * PAGE_SIZE;
	struct vhost_iommu_dirty_bitmap arg = {
		.start = HIGH, .last = HIGH + HIGH_SIZE - 1,
		.page_size = HIGH_SIZE / 64, .bitmap = t->g->base,
	};
	u64 bits = 0;

	KUNIT_ASSERT_EQ(test, 0, track(t, true));
	add(test, SZ_1G, last + PAGE_SIZE, HIGH, W);
	write_to(test, SZ_1G);
	write_to(test, SZ_1G + last);
	guest_write(t->g, 0, &bits, sizeof(bits));
	mutex_lock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_get_dirty_bitmap(&t->vi, &arg));
	mutex_unlock(&t->vi.lock);
	guest_read(t->g, 0, &bits, sizeof(bits));
	KUNIT_EXPECT_EQ(test, 2, t->calls);
	KUNIT_EXPECT_EQ(test, BIT(0) | BIT_ULL(last / arg.page_size), bits);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->written));
}

/* Hardware that cannot tell, or does not answer, may have written everywhere. */
static void unknown(struct kunit *test)
{
	struct dirty_test *t = test->priv;
	u32 coarse;

	KUNIT_ASSERT_EQ(test, 0, track(t, true));
	add(test, 0x10000, 3 * PAGE_SIZE, HIGH, R | W);
	add(test, 0x20000, PAGE_SIZE, HIGH + 8 * PAGE_SIZE, R);
	t->fail_cmd = IOMMU_HWPT_GET_DIRTY_BITMAP;
	KUNIT_EXPECT_EQ(test, GENMASK(2, 0), look(test, HIGH, &coarse));
	KUNIT_EXPECT_EQ(test, 1, coarse);
	t->fail_cmd = 0;
	KUNIT_EXPECT_EQ(test, 0, look(test, HIGH, &coarse));
	KUNIT_EXPECT_EQ(test, 0, coarse);
	t->hw.tracks = false;
	KUNIT_EXPECT_EQ(test, GENMASK(2, 0), look(test, HIGH, &coarse));
	KUNIT_EXPECT_EQ(test, 1, coarse);
	KUNIT_EXPECT_EQ(test, GENMASK(2, 0), look(test, HIGH, NULL));
}

static void begin_fails(struct kunit *test)
{
	struct dirty_test *t = test->priv;

	t->fail_cmd = IOMMU_HWPT_SET_DIRTY_TRACKING;
	KUNIT_EXPECT_EQ(test, -ENOENT, track(t, true));
	KUNIT_EXPECT_FALSE(test, t->s2.tracks_dirty);
	KUNIT_EXPECT_PTR_EQ(test, NULL, t->low.dirty);
	KUNIT_EXPECT_PTR_EQ(test, NULL, t->high.dirty);
	t->fail_cmd = 0;
	KUNIT_EXPECT_EQ(test, 0, track(t, true));
}

/* A hardware domain goes with what is mapped in it. */
static void hwdom_goes(struct kunit *test)
{
	struct dirty_test *t = test->priv;

	add(test, 0x10000, 2 * PAGE_SIZE, HIGH, R | W);
	add(test, 0x20000, PAGE_SIZE, HIGH + 4 * PAGE_SIZE, R);
	vhost_iommu_dirty_hwdom(&t->hw);
	KUNIT_ASSERT_EQ(test, 0, track(t, true));
	KUNIT_EXPECT_EQ(test, 0, look(test, HIGH, NULL));
	vhost_iommu_dirty_hwdom(&t->hw);
	KUNIT_EXPECT_EQ(test, GENMASK(1, 0), look(test, HIGH, NULL));
	KUNIT_EXPECT_EQ(test, 0, look(test, HIGH, NULL));
}

static u32 random(struct dirty_test *t, u32 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* Mappings of one page each, at random; the answer is what a walk over them says. */
static void at_random(struct kunit *test)
{
	struct dirty_test *t = test->priv;
	u64 expected;
	u32 i, gpa;

	KUNIT_ASSERT_EQ(test, 0, track(t, true));
	for (i = 0; i < 200; i++)
		if (random(t, 4))
			add(test, i * PAGE_SIZE, PAGE_SIZE,
			    HIGH + (i * 37 % 64) * PAGE_SIZE,
			    random(t, 4) ? R | W : R);
	for (i = 0; i < 50; i++) {
		struct vhost_iommu_mapping *m;

		expected = 0;
		for (gpa = 0; gpa < 200; gpa++) {
			m = vhost_iommu_mapping_find(&t->domain.mappings,
						     gpa * PAGE_SIZE,
						     gpa * PAGE_SIZE);
			if (!m || !(m->flags & W) || random(t, 8))
				continue;
			write_to(test, gpa * PAGE_SIZE);
			expected |= BIT_ULL((m->gpa - HIGH) / PAGE_SIZE);
		}
		KUNIT_EXPECT_EQ(test, expected, look(test, HIGH, NULL));
		KUNIT_EXPECT_TRUE(test, xa_empty(&t->written));
	}
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE(what_was_written),
	KUNIT_CASE(runs),
	KUNIT_CASE(long_run),
	KUNIT_CASE(unknown),
	KUNIT_CASE(begin_fails),
	KUNIT_CASE(hwdom_goes),
	KUNIT_CASE(at_random),
	{}
};

static struct kunit_suite dirty_suite = {
	.name = "vhost_iommu_dirty",
	.init = dirty_init,
	.exit = dirty_exit,
	.test_cases = dirty_cases,
};

kunit_test_suites(&dirty_suite);
