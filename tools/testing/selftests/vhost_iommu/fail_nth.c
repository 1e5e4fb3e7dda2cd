// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation that an operation makes fails in turn. Requests are handled by the
 * thread that notifies, so theirs are this process's as well. The operation fails then
 * and leaves everything as it was, or it can do without; and when none fails, it works.
 * Needs CONFIG_FAULT_INJECTION_DEBUG_FS and debugfs in /sys/kernel/debug.
 */
#include "inject.h"
#include "tables.h"

static bool has(struct vm *vm, __u64 endpoints, __u64 domains, __u64 mappings)
{
	struct vhost_iommu_stats stats = get_stats(vm);

	return stats.endpoints == endpoints && stats.domains == domains &&
	       stats.mappings == mappings;
}

FIXTURE(fail)
{
	struct vm vm;
	int me;
};

FIXTURE_SETUP(fail)
{
	if (!can_inject())
		SKIP(return, "the kernel cannot have allocations fail");
	self->me = fail_nth_of(getpid());
	ASSERT_LE(0, self->me);
	ASSERT_EQ(0, vm_create(&self->vm));
}

FIXTURE_TEARDOWN(fail)
{
	if (self->me <= 0)
		return;
	vm_destroy(&self->vm);
	close(self->me);
}

/*
 * IOMMUFD_TEST counts looking an object up as something that can fail, which it cannot
 * otherwise. It is what IOMMU_IOAS_UNMAP does first.
 */
static unsigned int first_allocation(void)
{
	return in_iommufd() ? 2 : 1;
}

static void nothing(void)
{
}

static int open_device(void)
{
	int fd = open("/dev/vhost-iommu", O_RDWR);
	int ret;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, VHOST_SET_OWNER);
	close(fd);
	return ret;
}

static int add_with_regions(struct vm *vm)
{
	struct vhost_iommu_region regions[3] = {
		{ 0x1000, 0x1fff }, { 0x3000, 0x3fff }, { 0, 0x7fff },
	};
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = EP, .group_fd = -1,
		.regions = (uintptr_t)regions, .nr_regions = 3,
	};

	return ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, &ep);
}

TEST_F(fail, ioctls)
{
	struct vm *vm = &self->vm;

	FAIL_EACH(self->me, open_device(), nothing(), true);
	FAIL_EACH(self->me, vm_set_memory(vm), nothing(), true);
	FAIL_EACH(self->me, add_with_regions(vm), remove_endpoint(vm, EP),
		  has(vm, 0, 0, 0));
	FAIL_EACH(self->me, vm_run(vm, 1), vm_run(vm, 0), true);
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_EQ(0, add_emulated(vm, EP));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
}

TEST_F(fail, state)
{
	struct vhost_iommu_record records[] = {
		{ .type = VHOST_IOMMU_RECORD_HEADER, .header = { 1, 1 } },
		{ .type = VHOST_IOMMU_RECORD_ENDPOINT, .endpoint = { EP, 1 } },
		{ .type = VHOST_IOMMU_RECORD_MAPPING,
		  .mapping = { 1, RW, 0x1000, 0x1fff } },
		{ .type = VHOST_IOMMU_RECORD_END },
	};
	struct vhost_iommu_state arg = {
		.size = sizeof(arg), .nr = ARRAY_SIZE(records),
		.records = (uintptr_t)records,
	};
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP));
	FAIL_EACH(self->me, ioctl(vm->fd, VHOST_IOMMU_SET_STATE, &arg),
		  ioctl(vm->fd, VHOST_IOMMU_RESET), has(vm, 1, 0, 0));
}

static unsigned int probe(struct vm *vm)
{
	const struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	char reply[PROBE_SIZE + sizeof(struct virtio_iommu_req_tail)];

	if (request_raw(vm, &req, sizeof(req), reply, sizeof(reply)) !=
	    sizeof(reply))
		return NO_STATUS;
	return (unsigned char)reply[PROBE_SIZE];
}

TEST_F(fail, requests)
{
	struct vm *vm = &self->vm;
	int me = self->me;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_TRUE(worker_becomes('S'));
	FAIL_EACH(me, attach(vm, 1, EP, 0), detach(vm, 1, EP),
		  has(vm, 1, 0, 0));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	FAIL_EACH(me, map(vm, 1, 0x1000, 0x1000, 0, RW),
		  unmap(vm, 1, 0x1000, 0x1000), has(vm, 1, 1, 0));
	FAIL_EACH(me, probe(vm), nothing(), true);
}

/*
 * With an assigned device: stage 2, hardware domains and their page tables. VFIO goes
 * on to type1 when it cannot have us; an extension tells them apart.
 */
static int set_container(struct edu *edu)
{
	int ret = edu_set_container(edu);

	if (!ret && ioctl(edu->container, VFIO_CHECK_EXTENSION, VFIO_UPDATE_VADDR))
		ret = -1;
	if (ret)
		ioctl(edu->group, VFIO_GROUP_UNSET_CONTAINER);
	return ret;
}

TEST_F(fail, container)
{
	struct vm *vm = &self->vm;
	struct edu edu = {};

	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_CLAIM_CONTAINERS));
	ASSERT_EQ(0, edu_open_group(&edu));
	FAIL_EACH(self->me, set_container(&edu),
		  ioctl(edu.group, VFIO_GROUP_UNSET_CONTAINER), true);
	ASSERT_EQ(0, edu_set_container(&edu));
	FAIL_EACH(self->me, s2_map(&edu, vm->ram, 0, RAM_SIZE, DMA_RW),
		  s2_unmap(&edu, 0, RAM_SIZE, 0),
		  !s2_unmap(&edu, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL));
	ASSERT_EQ(0, s2_map(&edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	ASSERT_EQ(0, edu_open_device(&edu));
	FAIL_EACH(self->me, edu_add_endpoint(&edu, vm, EP),
		  remove_endpoint(vm, EP), has(vm, 0, 0, 0));
	edu_close(&edu);
}

static void attach_and_map(struct vm *vm)
{
	if (attach(vm, 1, EP, 0) || map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW))
		abort();
}

/* What the VMM maps into an iommufd itself is not ours to have fail. */
static int memory_comes(struct edu *edu, struct vm *vm)
{
	if (in_iommufd())
		return add_memory(vm->fd, 0, RAM_SIZE, DMA_RW);
	return s2_map(edu, vm->ram, 0, RAM_SIZE, DMA_RW);
}

static void memory_goes(struct edu *edu, struct vm *vm)
{
	if (in_iommufd())
		remove_memory(vm->fd, 0, RAM_SIZE);
	else
		s2_unmap(edu, 0, RAM_SIZE, 0);
}

TEST_F(edu, hardware)
{
	struct vm *vm = &self->vm;
	int me = open_injection();

	if (me < 0)
		SKIP(return, "the kernel cannot have allocations fail");
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	ASSERT_TRUE(worker_becomes('S'));
	/* Where it was: in bypass. */
	FAIL_EACH(me, attach(vm, 1, EP, 0), detach(vm, 1, EP),
		  has(vm, 1, 0, 0) && bypass_works());
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	FAIL_EACH(me, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW),
		  unmap(vm, 1, SRC_IOVA, 0x2000),
		  has(vm, 1, 1, 0) && !mapping_works());
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());

	/* Stage 2 comes back under a domain. */
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	if (in_iommufd())
		ASSERT_EQ(0, edu_map(&self->edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	FAIL_EACH(me, memory_comes(&self->edu, vm), memory_goes(&self->edu, vm),
		  !mapping_works());
	EXPECT_EQ(0, memory_comes(&self->edu, vm));
	EXPECT_TRUE(mapping_works());
	FAIL_EACH(me, attach(vm, 2, EP, VIRTIO_IOMMU_ATTACH_F_BYPASS),
		  attach_and_map(vm),
		  has(vm, 1, 1, 1) && mapping_works());
	close(me);
}

/*
 * Tables: attached, replaced, invalidated, detached, with an endpoint that reaches the
 * first table before and the other one after, or nothing.
 */
FIXTURE(tables)
{
	struct vm vm;
	struct edu edu, edu2;
	int me;
};

FIXTURE_SETUP(tables)
{
	struct vm *vm = &self->vm;

	self->me = -1;
	if (!getenv("EDU2"))
		SKIP(return, "EDU2 is not set");
	if (!can_inject())
		SKIP(return, "the kernel cannot have allocations fail");
	ASSERT_EQ(0, edu_create(&self->edu, vm, EP));
	ASSERT_EQ(0, edu_join(&self->edu2, &self->edu, "EDU2"));
	ASSERT_EQ(0, edu_add_endpoint(&self->edu2, vm, EP + 8));
	make_pasids(vm);
	self->me = fail_nth_of(getpid());
	ASSERT_LE(0, self->me);
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	ASSERT_TRUE(worker_becomes('S'));
}

FIXTURE_TEARDOWN(tables)
{
	if (self->me < 0)
		return;
	close(self->me);
	edu_close_device(&self->edu2);
	close(self->edu2.group);
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

#define both_first()	(only_first(vm, &self->edu) && only_first(vm, &self->edu2))
#define both_other()	(only_other(vm, &self->edu) && only_other(vm, &self->edu2))
#define first_and_bypass()	(only_first(vm, &self->edu) &&		\
				 bypass_of(vm, &self->edu2))

static bool bypass_of(struct vm *vm, struct edu *edu)
{
	return edu_writes(edu, SRC_GPA, vm->ram + SRC_GPA, DST_GPA,
			  vm->ram + DST_GPA);
}

TEST_F(tables, page_table)
{
	struct vm *vm = &self->vm;

	FAIL_EACH(self->me, attach_table(vm, 1, EP, ROOT), detach(vm, 1, EP),
		  has(vm, 2, 0, 0) && bypass_of(vm, &self->edu));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	/* The second endpoint comes; the first one changes its table. */
	FAIL_EACH(self->me, attach_table(vm, 1, EP + 8, ROOT),
		  detach(vm, 1, EP + 8),
		  has(vm, 2, 1, 2) && first_and_bypass());
	FAIL_EACH(self->me, attach_table(vm, 2, EP, ROOT2),
		  attach_table(vm, 1, EP, ROOT),
		  has(vm, 2, 1, 2) && only_first(vm, &self->edu));

	/* What an INVALIDATE cannot bring in is not there; the rest is. */
	set(vm, L1, 2, DST_GPA | P | W);
	FAIL_EACH(self->me, invalidate(vm, 1, FIRST + 0x2000, 1),
		  (set(vm, L1, 2, 0), invalidate(vm, 1, FIRST + 0x2000, 1),
		   set(vm, L1, 2, DST_GPA | P | W)),
		  has(vm, 2, 1, 2) && only_first(vm, &self->edu));
}

/* To take a leaf away needs no memory; to leave does, for what comes then. */
TEST_F(tables, unmap)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	FAIL_EACH(self->me, detach(vm, 1, EP), attach_table(vm, 1, EP, ROOT),
		  has(vm, 2, 1, 2) && only_first(vm, &self->edu));
	set(vm, L1, 1, 0);
	fail_nth(self->me, first_allocation());
	EXPECT_STATUS(OK, invalidate(vm, 1, FIRST, 2));
	failed(self->me);
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	EXPECT_EQ(1, get_stats(vm).mappings);
}

/* Nor does one from the middle of those that are mapped together. */
TEST_F(tables, cut)
{
	struct vm *vm = &self->vm;
	unsigned int i;

	for (i = 0; i < 3; i++)
		set(vm, L1, 4 + i, (SRC_GPA + i * 0x1000) | P | W);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_EQ(5, get_stats(vm).mappings);
	set(vm, L1, 5, 0);
	fail_nth(self->me, first_allocation());
	EXPECT_STATUS(OK, invalidate(vm, 1, FIRST + 0x5000, 1));
	failed(self->me);
	EXPECT_EQ(4, get_stats(vm).mappings);
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST + 0x4000));
	EXPECT_TRUE(edu_writes(&self->edu, FIRST + 0x4000, vm->ram + SRC_GPA,
			       FIRST + 0x6000, vm->ram + SRC_GPA + 0x2000));
}

TEST_F(tables, pasid_table)
{
	struct vm *vm = &self->vm;

	FAIL_EACH(self->me, attach_pasids(vm, 1, EP, PASIDS),
		  detach(vm, 1, EP),
		  has(vm, 2, 0, 0) && bypass_of(vm, &self->edu));
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	FAIL_EACH(self->me, attach_pasids(vm, 1, EP + 8, PASIDS),
		  detach(vm, 1, EP + 8),
		  has(vm, 2, 1, 2) && first_and_bypass());
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP + 8, PASIDS));

	/* Both get another table, or both have what they had. */
	FAIL_EACH(self->me, attach_pasids(vm, 1, EP, PASIDS2),
		  attach_pasids(vm, 1, EP, PASIDS),
		  has(vm, 2, 1, 2) && both_first());
	set(vm, PASIDS, 0, ROOT2 | VALID);
	FAIL_EACH(self->me, invalidate_pasid(vm, 1),
		  (set(vm, PASIDS, 0, ROOT | VALID), invalidate_pasid(vm, 1),
		   set(vm, PASIDS, 0, ROOT2 | VALID)),
		  has(vm, 2, 1, 2) && both_first());
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(both_other());

	/* Unset: nothing fails. Set again: they have nothing, or the table. */
	set(vm, PASIDS, 0, 0);
	fail_nth(self->me, first_allocation());
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	failed(self->me);
	EXPECT_TRUE(has(vm, 2, 1, 0));
	EXPECT_FALSE(reaches(vm, &self->edu, OTHER));
	set(vm, PASIDS, 0, ROOT | VALID);
	FAIL_EACH(self->me, invalidate_pasid(vm, 1),
		  (set(vm, PASIDS, 0, 0), invalidate_pasid(vm, 1),
		   set(vm, PASIDS, 0, ROOT | VALID)),
		  has(vm, 2, 1, 0) && !reaches(vm, &self->edu, FIRST) &&
		  !reaches(vm, &self->edu2, FIRST));
}

TEST_HARNESS_MAIN
