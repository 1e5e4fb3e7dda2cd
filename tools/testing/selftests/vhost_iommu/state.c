// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of an instance, read out and put into another one; and what is no state
 * refused. The tests of "edu" need that device, see test.h.
 */
#include <stdio.h>

#include "sys.h"
#include "test.h"
#include "state.h"

#define PAGE		0x1000UL

static void report(struct vm *vm, __u32 endpoint, __u64 address)
{
	struct vhost_iommu_fault fault = {
		.size = sizeof(fault), .endpoint = endpoint,
		.reason = VIRTIO_IOMMU_FAULT_R_MAPPING,
		.flags = VIRTIO_IOMMU_FAULT_F_ADDRESS, .address = address,
	};

	if (ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &fault))
		abort();
}

static int add_endpoints(struct vm *vm)
{
	return add_emulated(vm, EP) || add_emulated(vm, EP + 1) ||
	       add_emulated(vm, EP + 2) || add_emulated(vm, ~0U);
}

/* Two guests of the same shape; the first has a state, and is stopped. */
FIXTURE(state)
{
	struct vm from, to;
	struct vhost_iommu_record records[MAX_RECORDS];
	int nr;
};

FIXTURE_SETUP(state)
{
	struct vm *vm = &self->from;

	ASSERT_EQ(0, vm_create(vm));
	ASSERT_EQ(0, vm_create(&self->to));
	ASSERT_EQ(0, add_endpoints(vm));
	ASSERT_EQ(0, add_endpoints(&self->to));
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(vm, 7, EP, 0));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(vm, ~0U, EP + 1, 0));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK,
		  attach(vm, 9, ~0U, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, map(vm, 7, 0, PAGE, 5 * PAGE, RW));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK,
		  map(vm, 7, PAGE, PAGE, 9 * PAGE, VIRTIO_IOMMU_MAP_F_READ));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK,
		  map(vm, 7, -2 * PAGE, 2 * PAGE, 0,
		      RW | VIRTIO_IOMMU_MAP_F_MMIO));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, map(vm, ~0U, -PAGE, PAGE, 0, RW));
	ASSERT_EQ(0, set_bypass(vm, 0));
	ASSERT_EQ(0, vm_run(vm, 0));
	report(vm, EP, 0x1234);
	report(vm, EP + 1, 0x5678);

	/* A header, 3 endpoints, 4 mappings, 2 faults, an end. */
	self->nr = get_state(vm, self->records, MAX_RECORDS, 16);
	ASSERT_EQ(11, self->nr);
}

FIXTURE_TEARDOWN(state)
{
	vm_destroy(&self->from);
	vm_destroy(&self->to);
}

TEST_F(state, read_in_parts)
{
	struct vhost_iommu_record records[MAX_RECORDS];
	__u32 chunk;

	for (chunk = 1; chunk < 12; chunk++) {
		ASSERT_EQ(self->nr, get_state(&self->from, records, MAX_RECORDS,
					      chunk));
		EXPECT_EQ(0, memcmp(records, self->records,
				    self->nr * RECORD_SIZE));
	}
	EXPECT_EQ(VHOST_IOMMU_RECORD_HEADER, records[0].type);
	EXPECT_EQ(0, records[0].header.bypass);
	EXPECT_EQ(VHOST_IOMMU_RECORD_END, records[10].type);
}

/* The guest goes on in the other instance as if nothing had happened. */
TEST_F(state, round_trip)
{
	struct vm *from = &self->from, *to = &self->to;
	struct vhost_iommu_record records[MAX_RECORDS];
	struct virtio_iommu_fault fault;
	struct vhost_vring_state base = { 0 };
	__u32 chunk;

	for (chunk = 1; chunk < 12; chunk++) {
		ASSERT_EQ(0, set_state(to, self->records, self->nr, chunk));
		ASSERT_EQ(self->nr, get_state(to, records, MAX_RECORDS, 16));
		/* The faults are reported once more each time. */
		if (chunk == 11)
			break;
		ASSERT_EQ(0, ioctl(to->fd, VHOST_IOMMU_RESET));
		EXPECT_EQ(0, get_stats(to).mappings);
		vm_destroy(to);
		ASSERT_EQ(0, vm_create(to));
		ASSERT_EQ(0, add_endpoints(to));
	}
	EXPECT_EQ(0, memcmp(records, self->records, self->nr * RECORD_SIZE));

	/* Memory, and the position in the ring. */
	memcpy(to->ram, from->ram, RAM_SIZE);
	ASSERT_EQ(0, ioctl(from->fd, VHOST_GET_VRING_BASE, &base));
	EXPECT_EQ(7, base.num);
	ASSERT_EQ(0, ioctl(to->fd, VHOST_SET_VRING_BASE, &base));
	to->request.avail = from->request.avail;
	to->request.used = from->request.used;
	ring_desc(&to->event, 0, BUF + 0x2000, sizeof(fault),
		  VRING_DESC_F_WRITE, 0);
	ring_add(&to->event, 0);
	ASSERT_EQ(0, vm_run(to, 1));

	EXPECT_EQ(sizeof(fault), ring_wait(&to->event));
	memcpy(&fault, to->ram + BUF + 0x2000, sizeof(fault));
	EXPECT_EQ(0x1234, fault.address);
	EXPECT_STATUS(RANGE, unmap(to, 7, -2 * PAGE, PAGE));
	EXPECT_STATUS(INVAL, map(to, 7, PAGE, PAGE, 0, RW));
	EXPECT_STATUS(INVAL, map(to, 9, PAGE, PAGE, 0, RW));
	EXPECT_STATUS(INVAL, detach(to, 8, EP));
	EXPECT_STATUS(OK, unmap(to, 7, 0, 0));
	EXPECT_STATUS(OK, detach(to, 7, EP));
	EXPECT_STATUS(OK, detach(to, ~0U, EP + 1));
	EXPECT_EQ(1, get_stats(to).domains);
}

/* One thing wrong at a time; index, what to change, errno. */
#define REFUSED(err, index, change) do {				\
		struct vhost_iommu_record bad[MAX_RECORDS];		\
		struct vhost_iommu_record *r = &bad[index];		\
									\
		memcpy(bad, self->records, sizeof(bad));		\
		change;							\
		EXPECT_ERRNO(err, set_state(to, bad, self->nr, 4));	\
		EXPECT_EQ(0, get_stats(to).domains);			\
		EXPECT_EQ(0, get_stats(to).mappings);			\
		EXPECT_EQ(2, get_state(to, bad, MAX_RECORDS, 16));	\
		EXPECT_EQ(1, bad[0].header.bypass);			\
	} while (0)

TEST_F(state, refused)
{
	struct vm *to = &self->to;

	REFUSED(EOPNOTSUPP, 0, r->header.version = 2);
	REFUSED(EOPNOTSUPP, 0, r->reserved = 1);
	REFUSED(EOPNOTSUPP, 0, r->data[31] = 1);
	REFUSED(EINVAL, 0, r->header.bypass = 2);
	REFUSED(EINVAL, 0, *r = r[1]);
	REFUSED(EINVAL, 1, *r = r[-1]);
	REFUSED(EOPNOTSUPP, 1, r->type = 0);
	REFUSED(EOPNOTSUPP, 1, r->type = VHOST_IOMMU_RECORD_END + 1);

	REFUSED(ENOENT, 1, r->endpoint.id = 0x99);
	REFUSED(EINVAL, 1, r->endpoint.flags = 2);
	REFUSED(EINVAL, 2, *r = r[-1]);
	REFUSED(EINVAL, 2, *r = r[-1]; r->endpoint.domain++);
	REFUSED(EINVAL, 2, r->endpoint.domain = 7; r->endpoint.flags = 1);
	REFUSED(EOPNOTSUPP, 2, r->data[12] = 1);

	REFUSED(EINVAL, 4, r->mapping.domain = 8);
	REFUSED(EINVAL, 4, r->mapping.domain = 9);
	REFUSED(EINVAL, 4, r->mapping.start = 1);
	REFUSED(EINVAL, 4, r->mapping.last = PAGE);
	REFUSED(EINVAL, 4, r->mapping.last = 2 * PAGE - 1);
	REFUSED(EINVAL, 4, r->mapping.start = 2 * PAGE);
	REFUSED(EINVAL, 4, r->mapping.gpa = -PAGE; r->mapping.last = -3 * PAGE - 1);
	REFUSED(EINVAL, 4, r->mapping.flags = 8);
	REFUSED(EINVAL, 5, *r = r[-1]);
	REFUSED(EINVAL, 5, *r = r[-4]);

	REFUSED(ENOENT, 8, r->fault.endpoint = 0x99);
	REFUSED(EINVAL, 8, r->fault.reason = 3);
	REFUSED(EOPNOTSUPP, 8, r->fault.flags = 1 << 5);
	REFUSED(EINVAL, 8, r->fault.index = 1);
	REFUSED(EOPNOTSUPP, 10, r->data[0] = 1);

	/* And the right one is taken after all that. */
	EXPECT_EQ(0, set_state(to, self->records, self->nr, 4));
	EXPECT_EQ(3, get_stats(to).domains);
}

TEST_F(state, not_complete)
{
	struct vhost_iommu_state arg = {};
	struct vm *to = &self->to;
	struct vhost_iommu_record r;

	EXPECT_EQ(0, set_state(to, self->records, self->nr - 1, 16));
	EXPECT_ERRNO(EBUSY, vm_run(to, 1));
	EXPECT_ERRNO(EBUSY, get_state(to, &r, 1, 1));
	EXPECT_EQ(0, ioctl(to->fd, VHOST_IOMMU_RESET));
	EXPECT_EQ(0, get_stats(to).domains);
	EXPECT_ERRNO(EINVAL, set_state(to, self->records + self->nr - 1, 1, 1));
	EXPECT_EQ(0, ring_setup(to, &to->request, 0));
	EXPECT_EQ(0, vm_run(to, 1));
	EXPECT_ERRNO(EBUSY, set_state(to, self->records, self->nr, 16));
	EXPECT_ERRNO(EBUSY, get_state(to, &r, 1, 1));
	EXPECT_STATUS(OK, attach(to, 1, EP, 0));
	EXPECT_EQ(0, vm_run(to, 0));
	EXPECT_ERRNO(EBUSY, set_state(to, self->records, self->nr, 16));
	EXPECT_EQ(1, get_stats(to).domains);

	EXPECT_ERRNO(EFAULT, state_ioctl(to, VHOST_IOMMU_GET_STATE, &arg, NULL, 1));
	arg.after.type = VHOST_IOMMU_RECORD_END + 1;
	EXPECT_ERRNO(EINVAL, state_ioctl(to, VHOST_IOMMU_GET_STATE, &arg, &r, 1));
	EXPECT_ERRNO(EOPNOTSUPP,
		     state_ioctl(to, VHOST_IOMMU_SET_STATE, &arg, &r, 1));
	/* Half of it, then memory that is not. */
	EXPECT_EQ(0, ioctl(to->fd, VHOST_IOMMU_RESET));
	EXPECT_EQ(0, set_state(to, self->records, 5, 16));
	memset(&arg, 0, sizeof(arg));
	EXPECT_ERRNO(EFAULT, state_ioctl(to, VHOST_IOMMU_SET_STATE, &arg, NULL, 1));
	EXPECT_EQ(0, get_stats(to).domains);
	/* And one that is incomplete when the device is closed. */
	EXPECT_EQ(0, set_state(to, self->records, self->nr - 1, 16));
}

/* Whatever the bytes are: it is a state or it is not, and then nothing is left. */
TEST_F(state, garbage)
{
	struct vm *to = &self->to;
	unsigned int i, taken = 0;
	struct vhost_iommu_record bad[MAX_RECORDS];

	srand(1);
	for (i = 0; i < 500; i++) {
		unsigned int n = 1 + rand() % 3;

		memcpy(bad, self->records, sizeof(bad));
		while (n--)
			((char *)bad)[rand() % (self->nr * RECORD_SIZE)] =
				1 << rand() % 8;
		if (!set_state(to, bad, self->nr, 4)) {
			taken++;
			ASSERT_EQ(0, ioctl(to->fd, VHOST_IOMMU_RESET));
		}
		ASSERT_EQ(0, get_stats(to).domains);
		ASSERT_EQ(0, get_stats(to).mappings);
	}
	/* A flipped address is an address. */
	EXPECT_LT(0, taken);
	EXPECT_LT(taken, 500);
}

#define MANY	5000

/* More than fits into one call, and more than is allowed. */
TEST_F(vm, many)
{
	struct vhost_iommu_record *records = calloc(MANY + 16, RECORD_SIZE);
	struct vhost_iommu_record *copy = calloc(MANY + 4096, RECORD_SIZE);
	struct vm *vm = &self->vm;
	unsigned int i;

	ASSERT_NE(NULL, records);
	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, add_emulated(vm, EP));
	records[0].type = VHOST_IOMMU_RECORD_HEADER;
	records[0].header.version = VHOST_IOMMU_STATE_VERSION;
	records[1].type = VHOST_IOMMU_RECORD_ENDPOINT;
	records[1].endpoint.id = EP;
	for (i = 0; i < MANY; i++) {
		struct vhost_iommu_record *r = &records[2 + i];

		r->type = VHOST_IOMMU_RECORD_MAPPING;
		r->mapping.flags = RW;
		r->mapping.start = 2 * PAGE * i;
		r->mapping.last = 2 * PAGE * i + PAGE - 1;
	}
	records[2 + MANY].type = VHOST_IOMMU_RECORD_END;

	EXPECT_TRUE(write_file(PARAMETERS "max_mappings", "4999"));
	EXPECT_ERRNO(ENOMEM, set_state(vm, records, MANY + 3, 1000));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_TRUE(write_file(PARAMETERS "max_mappings", "1048576"));
	EXPECT_EQ(0, set_state(vm, records, MANY + 3, 1000));
	EXPECT_EQ(MANY, get_stats(vm).mappings);
	EXPECT_EQ(MANY + 3, get_state(vm, copy, MANY + 4096, 1024));
	EXPECT_EQ(0, memcmp(records, copy, (MANY + 3) * RECORD_SIZE));
	free(records);
	free(copy);
}

/* A device that DMAs through the mappings that were put back. */
TEST_F(edu, restored)
{
	struct vhost_iommu_record records[MAX_RECORDS];
	struct vm *vm = &self->vm;
	struct vm to;
	int nr;

	EXPECT_STATUS(OK, attach(vm, 3, EP, 0));
	EXPECT_STATUS(OK, map(vm, 3, SRC_IOVA, 0x2000, SRC_GPA, RW));
	ASSERT_EQ(0, vm_run(vm, 0));
	nr = get_state(vm, records, MAX_RECORDS, 16);
	ASSERT_EQ(4, nr);
	EXPECT_TRUE(mapping_works());

	ASSERT_EQ(0, remove_endpoint(vm, EP));
	ASSERT_EQ(0, vm_create(&to));
	ASSERT_EQ(0, edu_share(&self->edu, &to));
	EXPECT_ERRNO(ENOENT, set_state(&to, records, nr, 16));
	ASSERT_EQ(0, edu_add_endpoint(&self->edu, &to, EP));
	EXPECT_TRUE(bypass_works());
	ASSERT_EQ(0, set_state(&to, records, nr, 16));
	EXPECT_TRUE(mapping_works());
	EXPECT_FALSE(bypass_works());

	/* Memory may come later. */
	self->edu.vm = to.fd;
	EXPECT_EQ(0, ioctl(to.fd, VHOST_IOMMU_RESET));
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	ASSERT_EQ(0, set_state(&to, records, nr, 16));
	EXPECT_FALSE(mapping_works());
	EXPECT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_TRUE(mapping_works());
	vm_destroy(&to);
	EXPECT_FALSE(mapping_works());
}

TEST_HARNESS_MAIN
