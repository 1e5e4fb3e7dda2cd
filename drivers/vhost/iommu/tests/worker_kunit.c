// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the worker is to poll, after a notification, and for how long.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/sched/clock.h>

#include "../vhost_iommu.h"

/* Longer than anything here takes. */
#define POLL_US		100000
/* How many times that in a run. */
#define RUN_FACTOR	5
#define SKIP		100

static int worker_test_init(struct kunit *test)
{
	struct vhost_iommu *vi = kunit_kzalloc(test, sizeof(*vi), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vi);
	/* Times in the past are to be times since the machine was started. */
	while (local_clock() < 2ULL * VHOST_IOMMU_POLL_US_MAX * NSEC_PER_USEC)
		msleep(100);
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

/* A request that is found @us after the worker began to look, or at once. */
static void found_after(struct vhost_iommu *vi, unsigned int us)
{
	mutex_lock(&vi->lock);
	vi->poll_since = us ? local_clock() - us * NSEC_PER_USEC : 0;
	vhost_iommu_poll_worked(vi);
	mutex_unlock(&vi->lock);
}

/* Is a poll over @us after the worker began to look? */
static bool over_after(struct vhost_iommu *vi, unsigned int us)
{
	bool over;

	mutex_lock(&vi->lock);
	vi->poll_since = local_clock() - us * NSEC_PER_USEC;
	over = vhost_iommu_poll_over(vi);
	mutex_unlock(&vi->lock);
	return over;
}

static void poll_starts_now(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	u64 before = local_clock();

	mutex_lock(&vi->lock);
	KUNIT_EXPECT_FALSE(test, vhost_iommu_poll_over(vi));
	mutex_unlock(&vi->lock);
	KUNIT_EXPECT_GE(test, vi->poll_since, before);
	KUNIT_EXPECT_LE(test, vi->poll_since, local_clock());
}

static void poll_ends(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;

	KUNIT_EXPECT_FALSE(test, over_after(vi, POLL_US / 2));
	KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
}

/* Each poll in vain keeps out more notifications, and what is found fewer again. */
static void poll_less_when_in_vain(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int skip;

	for (skip = 1; skip <= 255; skip = 2 * skip + 1) {
		KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
		KUNIT_EXPECT_EQ(test, vi->poll_skip, skip);
	}
	KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
	KUNIT_EXPECT_EQ(test, vi->poll_skip, 255);
	found_after(vi, 0);
	found_after(vi, 0);
	KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
	KUNIT_EXPECT_EQ(test, vi->poll_skip, 127);
}

static void start_run(struct vhost_iommu *vi)
{
	unsigned int i;

	for (i = 0; i < VHOST_IOMMU_POLL_RUN; i++)
		found_after(vi, i % 2);
}

static void poll_longer_in_a_run(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;
	unsigned int i;

	for (i = 1; i < VHOST_IOMMU_POLL_RUN; i++)
		found_after(vi, i % 2);
	KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
	start_run(vi);
	KUNIT_EXPECT_FALSE(test, over_after(vi, (RUN_FACTOR - 1) * POLL_US));
	KUNIT_EXPECT_TRUE(test, over_after(vi, RUN_FACTOR * POLL_US + 1));
	/* That it was in vain has ended the run. */
	KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
}

static void poll_run_ends_with_a_late_request(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;

	start_run(vi);
	found_after(vi, POLL_US + 1);
	KUNIT_EXPECT_TRUE(test, over_after(vi, POLL_US + 1));
}

static void poll_a_second_at_the_most(struct kunit *test)
{
	struct vhost_iommu *vi = test->priv;

	vi->poll_us = VHOST_IOMMU_POLL_US_MAX;
	start_run(vi);
	KUNIT_EXPECT_TRUE(test, over_after(vi, VHOST_IOMMU_POLL_US_MAX + 1));
}

static struct kunit_case worker_test_cases[] = {
	KUNIT_CASE(poll_first),
	KUNIT_CASE(poll_off),
	KUNIT_CASE(poll_after_skip),
	KUNIT_CASE(poll_after_streak),
	KUNIT_CASE(poll_not_after_pairs),
	KUNIT_CASE(poll_starts_now),
	KUNIT_CASE(poll_ends),
	KUNIT_CASE(poll_less_when_in_vain),
	KUNIT_CASE(poll_longer_in_a_run),
	KUNIT_CASE(poll_run_ends_with_a_late_request),
	KUNIT_CASE(poll_a_second_at_the_most),
	{}
};

static struct kunit_suite worker_test_suite = {
	.name = "vhost_iommu_worker",
	.init = worker_test_init,
	.test_cases = worker_test_cases,
};

kunit_test_suite(worker_test_suite);
