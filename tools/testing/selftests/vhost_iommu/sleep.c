// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host sleeps, with instances at work. Whoever starts this has seen to it that it
 * wakes up after a while.
 */
#include "sys.h"
#include "test.h"

#define PAGE	0x1000UL

static bool sleep_and_wake(void)
{
	long nights = read_number("/sys/power/suspend_stats/success");

	/* The write returns when the host is awake again. */
	return write_file("/sys/power/state", "mem") &&
	       read_number("/sys/power/suspend_stats/success") == nights + 1;
}

/*
 * A device that lost its state, as it does in S3, has it back from the kernel as far as
 * PCI goes, which is all that edu needs.
 */
TEST_F_TIMEOUT(edu, sleeps, 240)
{
	struct vm *vm = &self->vm;
	long locked = locked_pages();
	struct vhost_iommu_stats before;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA + 4 * PAGE, PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA + 4 * PAGE, PAGE));
	EXPECT_TRUE(mapping_works());
	before = get_stats(vm);

	ASSERT_TRUE(sleep_and_wake());
	EXPECT_TRUE(mapping_works());
	EXPECT_FALSE(edu_writes(&self->edu, SRC_IOVA, self->src,
				SRC_IOVA + 4 * PAGE, self->dst));
	EXPECT_EQ(before.mappings, get_stats(vm).mappings);
	EXPECT_EQ(locked, locked_pages());

	/* Requests are handled as before: by who notifies, and by the worker. */
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 2 * PAGE));
	EXPECT_FALSE(mapping_works());
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_TRUE(bypass_works());
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_FALSE(bypass_works());
}

TEST_HARNESS_MAIN
