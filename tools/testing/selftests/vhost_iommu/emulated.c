// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that the VMM emulates: translations, and invalidations of those that it
 * keeps. The last tests need an edu device, see test.h.
 */
#include <signal.h>
#include <sys/wait.h>

#include "test.h"

#define IOVA	0x4000000UL
#define GPA	0x100000UL
#define PAGE	0x1000UL

static bool covers(struct vhost_iommu_invalidation r, __u32 endpoint,
		   __u64 start, __u64 last)
{
	return r.endpoint == endpoint && !r.flags && r.start == start &&
	       r.last == last;
}

static struct vhost_iommu_translate translate(struct vm *vm, __u32 endpoint,
					      __u64 iova)
{
	struct vhost_iommu_translate tr = {
		.size = sizeof(tr), .endpoint = endpoint, .iova = iova,
	};

	if (ioctl(vm->fd, VHOST_IOMMU_TRANSLATE, &tr))
		tr.perm = -1;
	return tr;
}

static void send_unmap(struct vm *vm, __u32 domain, __u64 start, __u64 size)
{
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP, .domain = domain,
		.virt_start = start, .virt_end = start + size - 1,
	};

	request_send(vm, &req, offsetof(typeof(req), tail), 4);
}

static void send_attach(struct vm *vm, __u32 domain, __u32 endpoint)
{
	const struct virtio_iommu_req_attach req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH, .domain = domain,
		.endpoint = endpoint,
	};

	request_send(vm, &req, offsetof(typeof(req), tail), 4);
}

static void send_detach(struct vm *vm, __u32 domain, __u32 endpoint)
{
	const struct virtio_iommu_req_detach req = {
		.head.type = VIRTIO_IOMMU_T_DETACH, .domain = domain,
		.endpoint = endpoint,
	};

	request_send(vm, &req, offsetof(typeof(req), tail), 4);
}

/* The status of the last request, once it is completed. */
static unsigned int finish(struct vm *vm)
{
	if (ring_wait(&vm->request) != 4)
		return NO_REPLY;
	return *(unsigned char *)(vm->ram + BUF + 0x1000);
}

/* Is there nothing to read? */
static bool no_records(struct vm *vm)
{
	struct pollfd p = { .fd = vm->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

TEST_F(vm, translate)
{
	struct vhost_iommu_region region = { 0x8000, 0x8fff };
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = EP, .group_fd = -1,
		.regions = (uintptr_t)&region, .nr_regions = 1,
	};
	struct vhost_iommu_translate tr;
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	ASSERT_EQ(0, vm_run(vm, 1));

	/* Bypass, around what is reserved. */
	tr = translate(vm, EP, 0x9123);
	EXPECT_EQ(RW, tr.perm);
	EXPECT_EQ(0x9123, tr.gpa);
	EXPECT_EQ(0x9000, tr.start);
	EXPECT_EQ(~0ULL, tr.last);
	tr = translate(vm, EP, 0x8800);
	EXPECT_EQ(0, tr.perm);
	EXPECT_EQ(0x8000, tr.start);
	EXPECT_EQ(0x8fff, tr.last);

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, 0x3000, 0x2000, GPA,
			      VIRTIO_IOMMU_MAP_F_READ));
	tr = translate(vm, EP, 0x4010);
	EXPECT_EQ(VIRTIO_IOMMU_MAP_F_READ, tr.perm);
	EXPECT_EQ(GPA + 0x1010, tr.gpa);
	EXPECT_EQ(0x3000, tr.start);
	EXPECT_EQ(0x4fff, tr.last);
	tr = translate(vm, EP, 0x1000);
	EXPECT_EQ(0, tr.perm);
	EXPECT_EQ(0x2fff, tr.last);
	tr = translate(vm, EP, 0x5000);
	EXPECT_EQ(0, tr.perm);
	EXPECT_EQ(0x7fff, tr.last);
	EXPECT_EQ(-1, translate(vm, EP + 1, 0).perm);
}

/* Requests and ioctls about an endpoint of which nothing is kept are not told. */
TEST_F(vm, nothing_kept)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, PAGE, GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, IOVA, PAGE));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, set_bypass(vm, 0));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_TRUE(no_records(vm));
	EXPECT_EQ(0, get_stats(vm).invalidations);
}

FIXTURE(notified)
{
	struct vm vm;
};

/* A guest with a device in domain 1, and two pages mapped. */
FIXTURE_SETUP(notified)
{
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, vm_create(vm));
	ASSERT_EQ(0, add_notified(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	send_attach(vm, 1, EP);
	ASSERT_TRUE(invalidation(vm, &r));
	ASSERT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, finish(vm));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, map(vm, 1, IOVA, PAGE, GPA, RW));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, map(vm, 1, IOVA + PAGE, PAGE, GPA, RW));
}

FIXTURE_TEARDOWN(notified)
{
	vm_destroy(&self->vm);
}

TEST_F(notified, unmap_waits)
{
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;

	EXPECT_TRUE(no_records(vm));
	send_unmap(vm, 1, 0, 1UL << 32);
	ASSERT_TRUE(invalidation(vm, &r));
	/* Only what was mapped. */
	EXPECT_TRUE(covers(r, EP, IOVA, IOVA + 2 * PAGE - 1));
	EXPECT_TRUE(ring_quiet(&vm->request));

	/* Everything else works meanwhile. */
	EXPECT_EQ(0, translate(vm, EP, IOVA).perm);
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(0, add_notified(vm, EP + 1));
	EXPECT_EQ(0, remove_endpoint(vm, EP + 1));
	EXPECT_FALSE(ring_has_used(&vm->request));

	/* The removal is one more thing to acknowledge. */
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_TRUE(ring_quiet(&vm->request));
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP + 1, 0, ~0ULL));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));

	/* Nothing was mapped: nothing to forget. */
	EXPECT_STATUS(OK, unmap(vm, 1, 0, 1UL << 32));
	EXPECT_TRUE(no_records(vm));
}

TEST_F(notified, requests)
{
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;

	/* No new domain, no change, nothing to forget. */
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(RANGE, map(vm, 1, 1, PAGE, GPA, RW));
	EXPECT_STATUS(INVAL, detach(vm, 2, EP));
	EXPECT_TRUE(no_records(vm));

	send_attach(vm, 2, EP);
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP, 0, ~0ULL));
	EXPECT_TRUE(ring_quiet(&vm->request));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));

	send_detach(vm, 2, EP);
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP, 0, ~0ULL));
	EXPECT_TRUE(ring_quiet(&vm->request));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));
	EXPECT_EQ(3, get_stats(vm).invalidations);
}

/* All requests of a batch share a wait. */
TEST_F(notified, batch)
{
	struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP, .domain = 1,
	};
	struct vhost_iommu_invalidation r[4];
	struct vm *vm = &self->vm;
	struct ring *ring = &vm->request;
	unsigned int i;

	ASSERT_EQ(VIRTIO_IOMMU_S_OK, map(vm, 1, 2 * IOVA, PAGE, GPA, RW));
	ASSERT_EQ(0, vm_run(vm, 0));
	for (i = 0; i < 3; i++) {
		__u64 buf = BUF + i * 64;

		req.virt_start = i < 2 ? IOVA + i * PAGE : 2 * IOVA;
		req.virt_end = req.virt_start + PAGE - 1;
		memcpy(vm->ram + buf, &req, sizeof(req));
		ring_desc(ring, 2 * i, buf, 28, VRING_DESC_F_NEXT, 2 * i + 1);
		ring_desc(ring, 2 * i + 1, buf + 48, 4, VRING_DESC_F_WRITE, 0);
		ring_add(ring, 2 * i);
	}
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_TRUE(ring_quiet(ring));
	/* Those that touch are told together. */
	ASSERT_EQ(2, invalidations(vm, 0, r, 4));
	EXPECT_TRUE(covers(r[0], EP, IOVA, IOVA + 2 * PAGE - 1));
	EXPECT_TRUE(covers(r[1], EP, 2 * IOVA, 2 * IOVA + PAGE - 1));
	EXPECT_EQ(r[0].sequence + 1, r[1].sequence);
	EXPECT_EQ(0, invalidations(vm, r[0].sequence, NULL, 0));
	EXPECT_TRUE(ring_quiet(ring));
	EXPECT_EQ(0, invalidations(vm, r[1].sequence, NULL, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(4, ring_wait(ring));
}

/* What the VMM asks for itself does not wait for it. */
TEST_F(notified, ioctls)
{
	struct vhost_iommu_invalidation r[4];
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_notified(vm, EP + 1));
	EXPECT_EQ(0, set_bypass(vm, 0));
	ASSERT_EQ(1, invalidations(vm, 0, r, 4));
	EXPECT_TRUE(covers(r[0], EP + 1, 0, ~0ULL));
	ASSERT_EQ(0, vm_run(vm, 0));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	ASSERT_EQ(1, invalidations(vm, r[0].sequence, r, 4));
	EXPECT_TRUE(covers(r[0], EP, 0, ~0ULL));
	EXPECT_EQ(0, remove_endpoint(vm, EP + 1));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	ASSERT_EQ(2, invalidations(vm, r[0].sequence, r, 4));
	EXPECT_TRUE(covers(r[0], EP + 1, 0, ~0ULL));
	EXPECT_TRUE(covers(r[1], EP, 0, ~0ULL));
	EXPECT_TRUE(no_records(vm));
}

TEST_F(notified, errors)
{
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = EP + 1, .group_fd = 0,
		.flags = VHOST_IOMMU_ENDPOINT_VFIO | VHOST_IOMMU_ENDPOINT_NOTIFY,
	};
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;

	EXPECT_ERRNO(EINVAL, ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	EXPECT_ERRNO(EINVAL, invalidations(vm, 2, NULL, 0));

	send_unmap(vm, 1, IOVA, PAGE);
	EXPECT_TRUE(ring_quiet(&vm->request));
	/* What was not handed out cannot be acknowledged, nor does it get lost. */
	EXPECT_ERRNO(EINVAL, invalidations(vm, 2, NULL, 0));
	EXPECT_ERRNO(EFAULT, invalidations(vm, 1, NULL, 1));
	EXPECT_EQ(0, invalidations(vm, 1, NULL, 0));
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_EQ(2, r.sequence);
	/* An old one changes nothing. */
	EXPECT_EQ(0, invalidations(vm, 1, NULL, 0));
	EXPECT_TRUE(ring_quiet(&vm->request));
	EXPECT_EQ(0, invalidations(vm, 2, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));
}

/* The VMM keeps translations only from some time on, and up to another. */
TEST_F(notified, set_notify)
{
	struct vhost_iommu_notify arg = { .size = sizeof(arg), .id = EP };
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;
	int fd = vm->fd;

	EXPECT_EQ(0, ioctl(fd, VHOST_IOMMU_SET_NOTIFY, &arg));
	EXPECT_STATUS(OK, unmap(vm, 1, IOVA, PAGE));
	EXPECT_TRUE(no_records(vm));
	arg.notify = 1;
	EXPECT_EQ(0, ioctl(fd, VHOST_IOMMU_SET_NOTIFY, &arg));
	send_unmap(vm, 1, IOVA + PAGE, PAGE);
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP, IOVA + PAGE, IOVA + 2 * PAGE - 1));

	/* What is queued has still to be acknowledged. */
	arg.notify = 0;
	EXPECT_EQ(0, ioctl(fd, VHOST_IOMMU_SET_NOTIFY, &arg));
	EXPECT_TRUE(ring_quiet(&vm->request));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));

	arg.notify = 2;
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_IOMMU_SET_NOTIFY, &arg));
	arg.notify = 1;
	arg.id = EP + 1;
	EXPECT_ERRNO(ENOENT, ioctl(fd, VHOST_IOMMU_SET_NOTIFY, &arg));
	arg.reserved = 1;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(fd, VHOST_IOMMU_SET_NOTIFY, &arg));
}

/* More than the kernel keeps. */
TEST_F(notified, overflow)
{
	struct vhost_iommu_invalidation r[256];
	struct vm *vm = &self->vm;
	unsigned int i;

	ASSERT_EQ(0, add_notified(vm, EP + 1));
	ASSERT_EQ(0, add_notified(vm, EP + 2));
	for (i = 0; i < 500; i++)
		ASSERT_EQ(0, set_bypass(vm, i & 1));
	ASSERT_EQ(1, invalidations(vm, 0, r, 256));
	EXPECT_EQ(VHOST_IOMMU_INVALIDATION_ALL, r[0].flags);
	EXPECT_EQ(0, r[0].start);
	EXPECT_EQ(~0ULL, r[0].last);

	/* Then each is told again; requests wait for it. */
	send_unmap(vm, 1, IOVA, PAGE);
	EXPECT_TRUE(ring_quiet(&vm->request));
	EXPECT_EQ(0, set_bypass(vm, 0));
	ASSERT_EQ(2, invalidations(vm, r[0].sequence, r, 256));
	EXPECT_TRUE(covers(r[0], EP + 1, 0, ~0ULL));
	EXPECT_TRUE(covers(r[1], EP + 2, 0, ~0ULL));
	EXPECT_EQ(0, invalidations(vm, r[1].sequence, NULL, 0));
	ASSERT_TRUE(invalidation(vm, &r[0]));
	EXPECT_TRUE(covers(r[0], EP, IOVA, IOVA + PAGE - 1));
	EXPECT_EQ(0, invalidations(vm, r[0].sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));
}

/* Stopping does not wait, and loses no completion. */
TEST_F(notified, stop)
{
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;

	send_unmap(vm, 1, IOVA, PAGE);
	EXPECT_TRUE(ring_quiet(&vm->request));
	ASSERT_EQ(0, vm_run(vm, 0));
	EXPECT_STATUS(OK, finish(vm));
	EXPECT_TRUE(fired(vm->request.call));

	/* After a start, requests wait for the same record still. */
	ASSERT_EQ(0, vm_run(vm, 1));
	send_unmap(vm, 1, IOVA + PAGE, PAGE);
	EXPECT_TRUE(ring_quiet(&vm->request));
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP, IOVA, IOVA + PAGE - 1));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP, IOVA + PAGE, IOVA + 2 * PAGE - 1));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));
}

/* A VMM that does not acknowledge: its guest waits, nobody else does. */
TEST_F(notified, never)
{
	struct virtio_iommu_fault fault;
	struct vhost_iommu_fault report = {
		.size = sizeof(report), .endpoint = EP,
	};
	struct vm *vm = &self->vm;
	struct vm other;

	send_unmap(vm, 1, IOVA, PAGE);
	EXPECT_TRUE(ring_quiet(&vm->request));
	ring_kick(&vm->request);

	ASSERT_EQ(0, vm_create(&other));
	ASSERT_EQ(0, add_emulated(&other, EP));
	ASSERT_EQ(0, vm_run(&other, 1));
	EXPECT_STATUS(OK, attach(&other, 1, EP, 0));
	vm_destroy(&other);

	/* Faults are reported all the same. */
	ring_desc(&vm->event, 0, BUF + 0x2000, sizeof(fault),
		  VRING_DESC_F_WRITE, 0);
	ring_add(&vm->event, 0);
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &report));
	EXPECT_EQ(sizeof(fault), ring_wait(&vm->event));
	EXPECT_FALSE(ring_has_used(&vm->request));
	/* And the device is closed by the fixture. */
}

TEST(killed_while_waiting)
{
	struct vhost_iommu_invalidation r;
	int ready[2], status;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct vm vm;

		if (vm_create(&vm) || add_notified(&vm, EP) || vm_run(&vm, 1))
			_exit(1);
		send_attach(&vm, 1, EP);
		if (!invalidation(&vm, &r) || write(ready[1], "x", 1) != 1)
			_exit(2);
		pause();
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* In one domain with an assigned device: its IOTLB does not wait for the VMM. */
TEST_F(edu, beside_assigned)
{
	struct vhost_iommu_invalidation r;
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_notified(vm, EP + 1));
	send_attach(vm, 1, EP + 1);
	ASSERT_TRUE(invalidation(vm, &r));
	ASSERT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, finish(vm));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_EQ(DST_GPA, translate(vm, EP + 1, DST_IOVA).gpa);

	send_unmap(vm, 1, SRC_IOVA, 0x2000);
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_TRUE(covers(r, EP + 1, SRC_IOVA, SRC_IOVA + 0x1fff));
	EXPECT_FALSE(mapping_works());
	EXPECT_FALSE(ring_has_used(&vm->request));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));

	/* Stage 2 changes and the device goes while a request waits. */
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	send_unmap(vm, 1, SRC_IOVA, 0x2000);
	ASSERT_TRUE(invalidation(vm, &r));
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, invalidations(vm, r.sequence, NULL, 0));
	EXPECT_STATUS(OK, finish(vm));
}

TEST_HARNESS_MAIN
