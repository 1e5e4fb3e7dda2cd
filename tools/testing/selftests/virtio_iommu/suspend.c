// SPDX-License-Identifier: GPL-2.0-only
/*
 * An assigned device while the machine sleeps: its mappings come back, and no others.
 * Whoever starts this has seen to it that the machine wakes up after a while.
 */
#include "test.h"

FIXTURE(sleep)
{
	struct target t;
};

FIXTURE_VARIANT(sleep)
{
	const char *state;
};

FIXTURE_VARIANT_ADD(sleep, freeze)	{ .state = "freeze" };
FIXTURE_VARIANT_ADD(sleep, mem)		{ .state = "mem" };
FIXTURE_VARIANT_ADD(sleep, disk)	{ .state = "disk" };

FIXTURE_SETUP(sleep)
{
	ASSERT_EQ(0, set_up(&self->t));
}

FIXTURE_TEARDOWN(sleep)
{
	edu_close(&self->t.edu);
}

static int successes(void)
{
	FILE *file = fopen("/sys/power/suspend_stats/success", "r");
	int n = -1;

	if (file && fscanf(file, "%d", &n) != 1)
		n = -1;
	if (file)
		fclose(file);
	return n;
}

/* The write returns when the machine is awake again. */
static int sleep_and_wake(const char *state)
{
	int before = successes();

	if (!strcmp(state, "disk"))
		return write_file("/sys/power/state", state);
	if (write_file("/sys/power/state", state))
		return -1;
	return successes() == before + 1 ? 0 : -1;
}

/* A night takes longer than the harness waits for a test. */
TEST_F_TIMEOUT(sleep, mappings, 240)
{
	struct target *t = &self->t;

	ASSERT_EQ(0, map(t, IOVA, t->memory, 2));
	ASSERT_EQ(0, map(t, IOVA + 4 * PAGE, t->memory + 4 * PAGE, 1));
	EXPECT_EQ(1, unmap(t, IOVA + 4 * PAGE, 1));
	EXPECT_TRUE(writes(t, IOVA, t->memory));

	ASSERT_EQ(0, sleep_and_wake(variant->state));
	EXPECT_EQ(0, load(t));
	EXPECT_TRUE(writes(t, IOVA, t->memory));
	EXPECT_TRUE(reads(t, IOVA + PAGE, t->memory + PAGE));
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(writes(t, IOVA + 4 * PAGE, t->memory + 4 * PAGE));
	EXPECT_FAULT(t, IOVA + 4 * PAGE);

	/* It goes on as before. */
	EXPECT_EQ(2, unmap(t, IOVA, 2));
	EXPECT_FALSE(writes(t, IOVA, t->memory));
	EXPECT_EQ(0, map(t, IOVA + 4 * PAGE, t->memory + 4 * PAGE, 1));
	EXPECT_TRUE(writes(t, IOVA + 4 * PAGE, t->memory + 4 * PAGE));
}

TEST_HARNESS_MAIN
