// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the hardware: a DMA that the IOMMU has stopped is in the guest's event
 * queue, with the endpoint, the address and what was tried. Only the driver of an AMD
 * IOMMU tells of them.
 */
#include "test.h"

#define PAGE	0x1000UL
#define WORD	4U	/* one access, one fault */
#define EVENTS	(BUF + 0x2000)
#define READ	(VIRTIO_IOMMU_FAULT_F_READ | VIRTIO_IOMMU_FAULT_F_ADDRESS)
#define WRITE	(VIRTIO_IOMMU_FAULT_F_WRITE | VIRTIO_IOMMU_FAULT_F_ADDRESS)

FIXTURE(faults)
{
	struct vm vm;
	struct edu edu;
};

static bool reported(void)
{
	const char *hardware = getenv("HARDWARE");

	return hardware && !strcmp(hardware, "amd");
}

FIXTURE_SETUP(faults)
{
	if (!reported())
		SKIP(return, "VT-d's driver does not report faults");
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
}

FIXTURE_TEARDOWN(faults)
{
	if (!reported())
		return;
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

static void offer(struct vm *vm, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		ring_desc(&vm->event, i, EVENTS + i * 64,
			  sizeof(struct virtio_iommu_fault), VRING_DESC_F_WRITE, 0);
		ring_add(&vm->event, i);
	}
}

/* A word from the device's buffer to @iova, or the other way. */
static void try(struct edu *edu, __u64 iova, bool write)
{
	if (write)
		edu_copy(edu, EDU_BUFFER, iova, WORD, EDU_DMA_TO_RAM);
	else
		edu_copy(edu, iova, EDU_BUFFER, WORD, 0);
}

/* The next event is of this endpoint, about this word. */
static bool told(struct vm *vm, __u32 endpoint, __u64 iova, bool write)
{
	struct ring *r = &vm->event;
	struct virtio_iommu_fault fault;

	if (ring_wait(r) != sizeof(fault))
		return false;
	memcpy(&fault, vm->ram + EVENTS +
	       64 * r->vring.used->ring[(r->used - 1) % RING_NUM].id, sizeof(fault));
	if (fault.reason == VIRTIO_IOMMU_FAULT_R_MAPPING &&
	    fault.endpoint == endpoint && fault.address == iova &&
	    fault.flags == (write ? WRITE : READ))
		return true;
	fprintf(stderr, "# reason %u, endpoint %#x, address %#llx, flags %#x\n",
		fault.reason, fault.endpoint, (unsigned long long)fault.address,
		fault.flags);
	return false;
}

/* Outside of all mappings, and for what a mapping does not allow. */
TEST_F(faults, of_a_domain)
{
	static const struct {
		__u64	iova;
		bool	write;
	} stopped[] = {
		{ DST_IOVA, true },
		{ DST_IOVA, false },
		{ SRC_IOVA - WORD, true },
		{ SRC_IOVA + PAGE, false },
		{ SRC_IOVA + 2 * PAGE + 8, true },	/* may be read */
		{ SRC_IOVA + 4 * PAGE + 12, false },	/* may be written */
		{ SRC_GPA, false },
		{ 0, true },
	};
	const unsigned int nr = ARRAY_SIZE(stopped);
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;
	unsigned int i;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA + 2 * PAGE, PAGE, SRC_GPA,
			      VIRTIO_IOMMU_MAP_F_READ));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA + 4 * PAGE, PAGE, SRC_GPA,
			      VIRTIO_IOMMU_MAP_F_WRITE));
	offer(vm, nr);
	for (i = 0; i < nr; i++) {
		/* What is allowed is no fault, neither before nor after. */
		try(edu, SRC_IOVA, true);
		try(edu, SRC_IOVA + 2 * PAGE, false);
		try(edu, SRC_IOVA + 4 * PAGE, true);
		try(edu, stopped[i].iova, stopped[i].write);
		EXPECT_TRUE(told(vm, EP, stopped[i].iova, stopped[i].write))
			TH_LOG("%u", i);
	}
	EXPECT_EQ(nr, get_stats(vm).faults);
	EXPECT_EQ(0, get_stats(vm).faults_dropped);
}

/* By guest-physical addresses, where there is no memory. */
TEST_F(faults, in_bypass)
{
	struct vm *vm = &self->vm;

	offer(vm, 2);
	try(&self->edu, RAM_SIZE, true);
	EXPECT_TRUE(told(vm, EP, RAM_SIZE, true));
	EXPECT_STATUS(OK, attach(vm, 1, EP, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	try(&self->edu, RAM_SIZE + PAGE, false);
	EXPECT_TRUE(told(vm, EP, RAM_SIZE + PAGE, false));
}

/* What worked before. */
TEST_F(faults, after_unmap)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, RW));
	offer(vm, 2);
	try(&self->edu, SRC_IOVA, true);
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, PAGE));
	try(&self->edu, SRC_IOVA, true);
	EXPECT_TRUE(told(vm, EP, SRC_IOVA, true));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, RW));
	try(&self->edu, SRC_IOVA, true);
	try(&self->edu, SRC_IOVA + PAGE, false);
	EXPECT_TRUE(told(vm, EP, SRC_IOVA + PAGE, false));
}

/* Each fault has the number of its own endpoint. */
TEST_F(faults, of_two_endpoints)
{
	struct vm *vm = &self->vm;
	struct edu edu2;

	ASSERT_NE(NULL, getenv("EDU2"));
	ASSERT_EQ(0, edu_join(&edu2, &self->edu, "EDU2"));
	ASSERT_EQ(0, edu_add_endpoint(&edu2, vm, EP + 8));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, attach(vm, 1, EP + 8, 0));
	offer(vm, 2);
	try(&edu2, DST_IOVA, true);
	EXPECT_TRUE(told(vm, EP + 8, DST_IOVA, true));
	try(&self->edu, DST_IOVA, true);
	EXPECT_TRUE(told(vm, EP, DST_IOVA, true));
	edu_close_device(&edu2);
	close(edu2.group);
}

/* A guest that offers no buffer loses the event and nothing else. */
TEST_F(faults, without_a_buffer)
{
	struct vm *vm = &self->vm;
	unsigned int i;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	try(&self->edu, DST_IOVA, true);
	for (i = 0; i < 1000 && !get_stats(vm).faults_dropped; i++)
		usleep(10000);
	EXPECT_EQ(1, get_stats(vm).faults_dropped);
	offer(vm, 1);
	try(&self->edu, DST_IOVA, false);
	EXPECT_TRUE(told(vm, EP, DST_IOVA, false));
}

TEST_HARNESS_MAIN
