// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the worker is to poll, after a notification.
 */
#include <kunit/test.h>
#include <linux/sched/clock.h>

#include "../vhost_iommu.h"

/* Longer than anything here takes, and shorter than the machine has been up. */
#define POLL_US		100000
#define SKIP		100

static int worker_test_init(struct kunit *test)
{
	struct vhost_iommu *vi = kunit_kzalloc(test, sizeof(*vi), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vi);
	mutex_init(&vi->lock);
	vi->poll_us = POLL_US;
	test->priv = vi;
	return 0;
}

static bool kick(struct vhost_iommu *vi)
{
	bool pays;

	mutex_lock(&vi->lock);
	pays = vhost_iommu_poll_pays(vi);
	mutex_unlock(&vi->lock);
	return pays;
}

/* A notification, so long after the last one that a poll would have been in vain. */
static bool late_kick(struct vhost_iommu *vi)
{
	vi->kick_last = 0;
	return kick(vi);
}

static void poll_first(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, kick(test->priv));
}

static void poll_off(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int i;

	vi->poll_us = 0;
	for (i = 0; i < 2 * VHOST_IOMMU_KICK_STREAK; i++)
		KUNIT_EXPECT_FALSE(test, kick(vi));
}

static void poll_after_skip(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int i;

	vi->poll_skip = SKIP;
	for (i = 0; i < SKIP; i++)
		KUNIT_EXPECT_FALSE(test, late_kick(vi));
	KUNIT_EXPECT_TRUE(test, late_kick(vi));
}

static void poll_after_streak(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int i;

	vi->poll_skip = SKIP;
	KUNIT_EXPECT_FALSE(test, late_kick(vi));
	for (i = 1; i < VHOST_IOMMU_KICK_STREAK; i++)
		KUNIT_EXPECT_FALSE(test, kick(vi));
	KUNIT_EXPECT_TRUE(test, kick(vi));
	KUNIT_EXPECT_EQ(test, vi->poll_skip, 0);
}

/* As of a disk that is read by one, where every other request comes too late. */
static void poll_not_after_pairs(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int i;

	vi->poll_skip = SKIP;
	for (i = 0; i < SKIP / 2; i++) {
		KUNIT_EXPECT_FALSE(test, late_kick(vi));
		KUNIT_EXPECT_FALSE(test, kick(vi));
	}
}

/* A request that was found @us after the worker began to look, or at once. */
static unsigned int limit_after(struct vhost_iommu *vi, unsigned int us)
{
	unsigned int limit;

	mutex_lock(&vi->lock);
	vi->poll_since = us ? local_clock() - us * NSEC_PER_USEC : 0;
	vhost_iommu_poll_worked(vi);
	limit = vhost_iommu_poll_limit(vi);
	mutex_unlock(&vi->lock);
	return limit;
}

static void poll_longer_in_a_run(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int i;

	for (i = 1; i < VHOST_IOMMU_POLL_RUN; i++)
		KUNIT_EXPECT_EQ(test, limit_after(vi, i % 2), POLL_US);
	KUNIT_EXPECT_EQ(test, limit_after(vi, 1), 5 * POLL_US);
	KUNIT_EXPECT_EQ(test, limit_after(vi, 0), 5 * POLL_US);
	KUNIT_EXPECT_EQ(test, limit_after(vi, 2 * POLL_US), POLL_US);
	KUNIT_EXPECT_EQ(test, limit_after(vi, 1), POLL_US);
}

static void poll_a_second_at_the_most(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;

	vi->poll_us = VHOST_IOMMU_POLL_US_MAX;
	vi->poll_run = VHOST_IOMMU_POLL_RUN;
	KUNIT_EXPECT_EQ(test, limit_after(vi, 0), VHOST_IOMMU_POLL_US_MAX);
}

static struct kunit_case worker_test_cases[] = {
	KUNIT_CASE(poll_first),
	KUNIT_CASE(poll_off),
	KUNIT_CASE(poll_after_skip),
	KUNIT_CASE(poll_after_streak),
	KUNIT_CASE(poll_not_after_pairs),
	KUNIT_CASE(poll_longer_in_a_run),
	KUNIT_CASE(poll_a_second_at_the_most),
	{}
};

static struct kunit_suite worker_test_suite = {
	.name = "vhost_iommu_worker",
	.init = worker_test_init,
	.test_cases = worker_test_cases,
};

kunit_test_suite(worker_test_suite);
