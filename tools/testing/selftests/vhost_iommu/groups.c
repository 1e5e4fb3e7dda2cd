// SPDX-License-Identifier: GPL-2.0-only
/*
 * More than one assigned device: in groups of their own (EDU and EDU2), in one group
 * (EDU_A and EDU_B); in one domain and in several, behind one virtual IOMMU and
 * behind two, in one process and in two.
 */
#include <signal.h>
#include <sys/wait.h>

#include "sys.h"
#include "test.h"
#include "two.h"

#define BAR_GPA		0x80000000UL
#define BAR_IOVA	0x6000000UL
#define EDU_LIVENESS	0x4	/* reads as the inverse of what was written */

/* Does a device reach the two pages of memory from @iova on? */
static bool reaches(struct edu *edu, struct vm *vm, __u64 iova)
{
	return edu_writes(edu, iova, vm->ram + SRC_GPA, iova + 0x1000,
			  vm->ram + DST_GPA);
}

TEST_F(two, one_domain)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, edu_add_endpoint(&self->edu2, vm, EP2));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP2, 0));
	EXPECT_TRUE(reaches(&self->edu, vm, SRC_IOVA));
	EXPECT_TRUE(reaches(&self->edu2, vm, SRC_IOVA));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_FALSE(reaches(&self->edu, vm, SRC_IOVA));
	EXPECT_TRUE(reaches(&self->edu2, vm, SRC_IOVA));
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 0x2000));
	EXPECT_FALSE(reaches(&self->edu2, vm, SRC_IOVA));
}

/* Memory is pinned and charged once, however many devices have it mapped. */
TEST_F(two, pinned_once)
{
	const long pages = RAM_SIZE / 0x1000, pinned = pinned_pages();
	struct vm *vm = &self->vm;

	/* In iommufd they are charged to the user. */
	EXPECT_EQ(in_iommufd() ? 0 : pages, locked_pages());
	ASSERT_EQ(0, edu_add_endpoint(&self->edu2, vm, EP2));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, attach(vm, 2, EP2, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, RAM_SIZE, 0, RW));
	EXPECT_STATUS(OK, map(vm, 1, MORE_IOVA, RAM_SIZE, 0, RW));
	EXPECT_STATUS(OK, map(vm, 2, SRC_IOVA, RAM_SIZE, 0, RW));
	EXPECT_EQ(in_iommufd() ? 0 : pages, locked_pages());
	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_EQ(in_iommufd() ? 0 : pages, get_stats(vm).pinned);
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_EQ(0, get_stats(vm).pinned);
}

TEST_F(two, two_domains)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, edu_add_endpoint(&self->edu2, vm, EP2));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, attach(vm, 2, EP2, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(reaches(&self->edu, vm, SRC_IOVA));
	EXPECT_FALSE(reaches(&self->edu2, vm, SRC_IOVA));
	EXPECT_STATUS(OK, map(vm, 2, MORE_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(reaches(&self->edu2, vm, MORE_IOVA));
	EXPECT_FALSE(reaches(&self->edu, vm, MORE_IOVA));
	EXPECT_STATUS(OK, attach(vm, 2, EP, 0));
	EXPECT_TRUE(reaches(&self->edu, vm, MORE_IOVA));
	EXPECT_EQ(1, get_stats(vm).domains);
}

/* One virtual IOMMU each: memory is pinned once, domains are apart. */
TEST_F(two, two_instances)
{
	struct vm *vm = &self->vm, vm2;

	ASSERT_EQ(0, vm_create(&vm2));
	if (in_iommufd())
		ASSERT_EQ(0, edu_share(&self->edu, &vm2));
	ASSERT_EQ(0, edu_add_endpoint(&self->edu2, &vm2, EP));
	ASSERT_EQ(0, vm_run(&vm2, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_STATUS(OK, attach(&vm2, 1, EP, 0));
	EXPECT_TRUE(reaches(&self->edu, vm, SRC_IOVA));
	EXPECT_FALSE(reaches(&self->edu2, vm, SRC_IOVA));
	EXPECT_STATUS(OK, map(&vm2, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(reaches(&self->edu2, vm, SRC_IOVA));

	/* Stage 2 changes below both. */
	if (in_iommufd())
		EXPECT_EQ(0, remove_memory(vm2.fd, 0, RAM_SIZE));
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_FALSE(reaches(&self->edu, vm, SRC_IOVA));
	EXPECT_FALSE(reaches(&self->edu2, vm, SRC_IOVA));
	EXPECT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	if (in_iommufd())
		EXPECT_EQ(0, add_memory(vm2.fd, 0, RAM_SIZE, DMA_RW));
	EXPECT_TRUE(reaches(&self->edu, vm, SRC_IOVA));
	EXPECT_TRUE(reaches(&self->edu2, vm, SRC_IOVA));

	/* One goes, the other stays. */
	vm_destroy(&vm2);
	EXPECT_FALSE(reaches(&self->edu2, vm, SRC_IOVA));
	EXPECT_TRUE(reaches(&self->edu, vm, SRC_IOVA));
}

/* DMA from one device into a register of the other. */
TEST_F(two, peer_to_peer)
{
	volatile __u32 *liveness = (void *)(self->edu2.bar + EDU_LIVENESS);
	struct vm *vm = &self->vm;
	__u32 *src = (void *)(vm->ram + SRC_GPA);

	ASSERT_EQ(0, s2_map(&self->edu, (void *)self->edu2.bar, BAR_GPA,
			    EDU_BAR_SIZE, DMA_RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	*liveness = 0;
	*src = 0x12345678;
	edu_copy(&self->edu, SRC_IOVA, EDU_BUFFER, 4, 0);
	edu_copy(&self->edu, EDU_BUFFER, BAR_IOVA + EDU_LIVENESS, 4, EDU_DMA_TO_RAM);
	EXPECT_EQ(~0U, *liveness);

	EXPECT_STATUS(OK, map(vm, 1, BAR_IOVA, EDU_BAR_SIZE, BAR_GPA,
			      RW | VIRTIO_IOMMU_MAP_F_MMIO));
	edu_copy(&self->edu, EDU_BUFFER, BAR_IOVA + EDU_LIVENESS, 4, EDU_DMA_TO_RAM);
	EXPECT_EQ(~0x12345678U, *liveness);
	/* And back out of it. */
	edu_copy(&self->edu, BAR_IOVA + EDU_LIVENESS, EDU_BUFFER, 4, 0);
	edu_copy(&self->edu, EDU_BUFFER, SRC_IOVA, 4, EDU_DMA_TO_RAM);
	EXPECT_EQ(~0x12345678U, *src);

	/* The BAR goes: nothing of it is left in the domain. */
	EXPECT_EQ(EDU_BAR_SIZE, s2_unmap(&self->edu, BAR_GPA, EDU_BAR_SIZE, 0));
	*liveness = 0;
	edu_copy(&self->edu, EDU_BUFFER, BAR_IOVA + EDU_LIVENESS, 4, EDU_DMA_TO_RAM);
	EXPECT_EQ(~0U, *liveness);
	EXPECT_STATUS(OK, unmap(vm, 1, BAR_IOVA, EDU_BAR_SIZE));
}

/* A device that is closed, and may be somebody else's, is out of reach at once. */
TEST_F(two, closed_peer)
{
	const __u64 register2 = BAR_IOVA + EDU_BAR_SIZE + EDU_LIVENESS;
	struct edu *edu = &self->edu, *edu2 = &self->edu2;
	struct vm *vm = &self->vm;
	volatile __u32 *liveness = (void *)(edu2->bar + EDU_LIVENESS);
	char *bars;

	/* One range, which begins with memory of the device that stays. */
	bars = mmap(NULL, 2 * EDU_BAR_SIZE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, bars);
	ASSERT_EQ(0, edu_map_bar(edu, bars));
	ASSERT_EQ(0, edu_map_bar(edu2, bars + EDU_BAR_SIZE));
	ASSERT_EQ(0, s2_map(edu, bars, BAR_GPA, 2 * EDU_BAR_SIZE, DMA_RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, 1, BAR_IOVA, 2 * EDU_BAR_SIZE, BAR_GPA, RW));
	*(__u32 *)(vm->ram + SRC_GPA) = 0x12345678;
	edu_copy(edu, SRC_IOVA, EDU_BUFFER, 4, 0);
	edu_copy(edu, EDU_BUFFER, register2, 4, EDU_DMA_TO_RAM);
	EXPECT_EQ(~0x12345678U, *liveness);

	munmap(bars, 2 * EDU_BAR_SIZE);
	edu_close_device(edu2);
	EXPECT_EQ(0, s2_unmap(edu, BAR_GPA, 2 * EDU_BAR_SIZE, 0));
	ASSERT_EQ(0, edu_open_device(edu2));
	liveness = (void *)(edu2->bar + EDU_LIVENESS);
	*liveness = 0;
	edu_copy(edu, EDU_BUFFER, register2, 4, EDU_DMA_TO_RAM);
	EXPECT_EQ(~0U, *liveness);
	EXPECT_TRUE(reaches(edu, vm, SRC_IOVA));
}

/* Another VM on the same host, which is killed. */
TEST(two_processes)
{
	struct edu edu = {};
	int ready[2], status;
	struct vm vm = {};
	pid_t child;
	char c;

	if (!getenv("EDU2"))
		SKIP(return, "EDU2 is not set");
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		setenv("EDU", getenv("EDU2"), 1);
		if (edu_create(&edu, &vm, EP) || attach(&vm, 1, EP, 0) ||
		    map(&vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW) ||
		    !reaches(&edu, &vm, SRC_IOVA) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			reaches(&edu, &vm, SRC_IOVA);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, edu_create(&edu, &vm, EP));
	EXPECT_STATUS(OK, attach(&vm, 1, EP, 0));
	EXPECT_FALSE(reaches(&edu, &vm, SRC_IOVA));
	EXPECT_STATUS(OK, map(&vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(reaches(&edu, &vm, SRC_IOVA));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(reaches(&edu, &vm, SRC_IOVA));
	edu_close(&edu);
	vm_destroy(&vm);
}

#define EP_A	0x100
#define EP_B	0x108

/* Two devices of one group; both have pages mapped in domains 1 and 2 in the end. */
FIXTURE(pair)
{
	struct vm vm;
	struct edu a, b;
};

FIXTURE_SETUP(pair)
{
	struct vm *vm = &self->vm;

	if (!getenv("EDU_B"))
		SKIP(return, "EDU_B is not set");
	setenv("EDU", getenv("EDU_A"), 1);
	ASSERT_EQ(0, edu_create(&self->a, vm, EP_A));
	ASSERT_EQ(0, edu_join_group(&self->b, &self->a, "EDU_B"));
	ASSERT_EQ(0, edu_add_endpoint(&self->b, vm, EP_B));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(vm, 1, EP_A, 0));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
}

FIXTURE_TEARDOWN(pair)
{
	if (!getenv("EDU_B"))
		return;
	edu_close_device(&self->b);
	edu_close(&self->a);
	vm_destroy(&self->vm);
}

static bool both(struct edu *a, struct edu *b, struct vm *vm, __u64 iova)
{
	return reaches(a, vm, iova) && reaches(b, vm, iova);
}

static bool one(struct edu *a, struct edu *b, struct vm *vm, __u64 iova)
{
	return reaches(a, vm, iova) || reaches(b, vm, iova);
}

#define both_reach(iova) both(&self->a, &self->b, &self->vm, iova)
#define one_reaches(iova) one(&self->a, &self->b, &self->vm, iova)

/* They are in one domain, or one of them is in none. */
TEST_F(pair, not_in_two_domains)
{
	struct vm *vm = &self->vm, other;

	EXPECT_STATUS(UNSUPP, attach(vm, 2, EP_B, 0));
	EXPECT_EQ(1, get_stats(vm).domains);
	EXPECT_TRUE(both_reach(SRC_IOVA));
	EXPECT_STATUS(OK, attach(vm, 1, EP_B, 0));
	EXPECT_TRUE(both_reach(SRC_IOVA));

	EXPECT_STATUS(OK, detach(vm, 1, EP_A));
	EXPECT_STATUS(UNSUPP, attach(vm, 2, EP_A, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_STATUS(OK, attach(vm, 1, EP_A, 0));
	EXPECT_TRUE(both_reach(SRC_IOVA));

	/* Nor behind two virtual IOMMUs. */
	EXPECT_EQ(0, remove_endpoint(vm, EP_B));
	ASSERT_EQ(0, vm_create(&other));
	ASSERT_EQ(0, edu_share(&self->b, &other));
	EXPECT_ERRNO(EBUSY, edu_add_endpoint(&self->b, &other, EP_B));
	vm_destroy(&other);
	EXPECT_TRUE(reaches(&self->a, vm, SRC_IOVA));
}

/* The group is moved, one device after the other, and back half way. */
TEST_F(pair, moved)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP_B, 0));
	EXPECT_STATUS(OK, attach(vm, 2, EP_A, 0));
	EXPECT_STATUS(OK, map(vm, 2, MORE_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_FALSE(one_reaches(SRC_IOVA));
	EXPECT_FALSE(one_reaches(MORE_IOVA));
	EXPECT_FALSE(one_reaches(SRC_GPA));
	/* There is no third place to go to. */
	EXPECT_STATUS(UNSUPP, attach(vm, 3, EP_A, 0));
	EXPECT_STATUS(UNSUPP, attach(vm, 3, EP_B, 0));
	EXPECT_EQ(2, get_stats(vm).domains);

	EXPECT_STATUS(OK, attach(vm, 2, EP_B, 0));
	EXPECT_TRUE(both_reach(MORE_IOVA));
	EXPECT_FALSE(one_reaches(SRC_IOVA));
	EXPECT_EQ(1, get_stats(vm).domains);

	EXPECT_STATUS(OK, attach(vm, 1, EP_B, 0));
	EXPECT_FALSE(one_reaches(MORE_IOVA));
	EXPECT_STATUS(OK, attach(vm, 2, EP_B, 0));
	EXPECT_TRUE(both_reach(MORE_IOVA));

	/* Into bypass and out of it. */
	EXPECT_STATUS(OK, attach(vm, 3, EP_A, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_FALSE(one_reaches(SRC_GPA));
	EXPECT_STATUS(OK, attach(vm, 3, EP_B, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_TRUE(both_reach(SRC_GPA));
	EXPECT_STATUS(OK, attach(vm, 2, EP_A, 0));
	EXPECT_FALSE(one_reaches(SRC_GPA));
	EXPECT_STATUS(OK, detach(vm, 2, EP_A));
	EXPECT_TRUE(both_reach(SRC_GPA));
	EXPECT_STATUS(OK, detach(vm, 3, EP_B));
	EXPECT_TRUE(both_reach(SRC_GPA));
}

/* What ends a move that is half done. */
TEST_F(pair, move_interrupted)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP_B, 0));
	EXPECT_STATUS(OK, attach(vm, 2, EP_A, 0));
	EXPECT_FALSE(one_reaches(SRC_IOVA));
	EXPECT_STATUS(OK, detach(vm, 2, EP_A));
	EXPECT_TRUE(both_reach(SRC_IOVA));

	EXPECT_STATUS(OK, attach(vm, 1, EP_A, 0));
	EXPECT_STATUS(OK, attach(vm, 2, EP_A, 0));
	EXPECT_EQ(0, remove_endpoint(vm, EP_A));
	EXPECT_TRUE(reaches(&self->b, vm, SRC_IOVA));
	EXPECT_EQ(0, edu_add_endpoint(&self->a, vm, EP_A));

	EXPECT_STATUS(OK, attach(vm, 1, EP_A, 0));
	EXPECT_STATUS(OK, attach(vm, 2, EP_A, 0));
	ASSERT_EQ(0, vm_run(vm, 0));
	EXPECT_FALSE(one_reaches(SRC_GPA));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	EXPECT_TRUE(both_reach(SRC_GPA));
}

TEST_HARNESS_MAIN
