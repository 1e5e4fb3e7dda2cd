// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-iommu from a process that is VMM and guest at once. The tests of the
 * fixture "edu" need an edu device bound to vfio-pci, its address in the environment
 * as EDU=0000:00:05.0, and check every mapping by a DMA.
 */
#include <fcntl.h>
#include <stdio.h>

#include "sys.h"
#include "test.h"

TEST_F(vm, regions_that_do_not_fit)
{
	struct vhost_iommu_region regions[64] = {};
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = EP, .group_fd = -1,
		.regions = (uintptr_t)regions, .nr_regions = 64,
	};
	unsigned int i;

	for (i = 0; i < 64; i++) {
		regions[i].start = i * 2;
		regions[i].last = i * 2;
	}
	EXPECT_ERRNO(ENOSPC, ioctl(self->vm.fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	ep.nr_regions = PROBE_SIZE / sizeof(struct virtio_iommu_probe_resv_mem);
	EXPECT_EQ(0, ioctl(self->vm.fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
}

/* Requests by kick and by interrupt, across stop and start. */
TEST_F(vm, requests)
{
	const struct virtio_iommu_req_map late = {
		.head.type = VIRTIO_IOMMU_T_MAP, .domain = 1, .flags = RW,
		.virt_start = 0x2000, .virt_end = 0x2fff,
	};
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_TRUE(fired(vm->request.call));
	EXPECT_STATUS(OK, map(vm, 1, 0x1000, 0x1000, 0x100000, RW));
	ASSERT_EQ(0, vm_run(vm, 0));
	request_send(vm, &late, offsetof(struct virtio_iommu_req_map, tail), 4);
	EXPECT_TRUE(ring_quiet(&vm->request));

	/* What was queued meanwhile is handled by the start. */
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(4, ring_wait(&vm->request));
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_STATUS(OK, unmap(vm, 1, 0x1000, 0x2000));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, get_stats(vm).domains);
}

/* used_event is the entry that the guest wants to be interrupted for. */
TEST_F(vm, interrupt_by_index)
{
	struct vm *vm = &self->vm;
	volatile __u16 *event = &vm->request.vring.avail->ring[RING_NUM];

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_TRUE(fired(vm->request.call));
	*event = vm->request.used + 1;
	EXPECT_STATUS(OK, map(vm, 1, 0x1000, 0x1000, 0x100000, RW));
	EXPECT_TRUE(silent(vm->request.call));
	EXPECT_STATUS(OK, unmap(vm, 1, 0x1000, 0x1000));
	EXPECT_TRUE(fired(vm->request.call));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_TRUE(silent(vm->request.call));
}

/* Without the event index a flag says whether it wants to be at all. */
TEST_F(vm, interrupt_by_flag)
{
	struct vm *vm = &self->vm;
	volatile __u16 *flags = &vm->request.vring.avail->flags;
	__u64 features;

	ASSERT_EQ(0, ioctl(vm->fd, VHOST_GET_FEATURES, &features));
	features &= ~(1ULL << VIRTIO_RING_F_EVENT_IDX);
	ASSERT_EQ(0, ioctl(vm->fd, VHOST_SET_FEATURES, &features));
	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_TRUE(fired(vm->request.call));
	*flags = VRING_AVAIL_F_NO_INTERRUPT;
	EXPECT_STATUS(OK, map(vm, 1, 0x1000, 0x1000, 0x100000, RW));
	EXPECT_TRUE(silent(vm->request.call));
	*flags = 0;
	EXPECT_STATUS(OK, unmap(vm, 1, 0x1000, 0x1000));
	EXPECT_TRUE(fired(vm->request.call));
}

/* Many requests with one kick. */
TEST_F(vm, batch)
{
	struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP, .domain = 1, .flags = RW,
	};
	struct ring *r = &self->vm.request;
	unsigned int i;

	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(&self->vm, 1, EP, 0));
	for (i = 0; i < RING_NUM / 2; i++) {
		__u64 buf = BUF + i * 64;

		req.virt_start = i * 0x1000;
		req.virt_end = i * 0x1000 + 0xfff;
		memcpy(self->vm.ram + buf, &req, sizeof(req));
		ring_desc(r, 2 * i, buf, 36, VRING_DESC_F_NEXT, 2 * i + 1);
		ring_desc(r, 2 * i + 1, buf + 48, 4, VRING_DESC_F_WRITE, 0);
		ring_add(r, 2 * i);
	}
	ring_kick(r);
	for (i = 0; i < RING_NUM / 2; i++)
		EXPECT_EQ(4, ring_wait(r));
	EXPECT_EQ(RING_NUM / 2, get_stats(&self->vm).mappings);
}

/*
 * Who notifies has the request done on return, unless the worker is at it. Who is not
 * the VMM leaves it to the worker.
 */
TEST_F(vm, kick)
{
	struct ring *r = &self->vm.request;
	unsigned int i, done = 0;

	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, vm_set_poll(&self->vm, 0));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
	ASSERT_TRUE(worker_becomes('S'));
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	for (i = 0; i < 100; i++) {
		ring_add(r, 0);
		ring_kick(r);
		done += ring_has_used(r);
		ASSERT_EQ(4, ring_wait(r));
	}
	EXPECT_LT(50, done);

	ring_add(r, 0);
	ring_kick_worker(r);
	EXPECT_EQ(4, ring_wait(r));
}

/*
 * While the worker looks for itself, no notification is needed. It may stop looking at
 * any time, because another task wants its CPU: then it asks to be notified.
 */
TEST_F(vm, polling)
{
	struct vhost_vring_state poll = { 0, 500000 }, got = { 0 };
	unsigned int i, kicks = 1, silent = 0;
	struct ring *r = &self->vm.request;
	int fd = self->vm.fd;

	ASSERT_EQ(0, ioctl(fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll));
	ASSERT_EQ(0, ioctl(fd, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &got));
	EXPECT_EQ(poll.num, got.num);

	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	for (i = 0; i < 1000 && silent < 10; i++) {
		ring_add(r, 0);
		if (ring_wants_kick(r)) {
			kicks++;
			ring_kick(r);
		} else {
			silent++;
		}
		ASSERT_EQ(4, ring_wait(r));
	}
	EXPECT_EQ(10, silent);
	EXPECT_EQ(kicks, get_stats(&self->vm).kicks);

	/* Not for ever. */
	for (i = 0; i < 1000 && !ring_wants_next(r); i++)
		usleep(10000);
	EXPECT_TRUE(ring_wants_next(r));
	ring_add(r, 0);
	EXPECT_TRUE(ring_quiet(r));
	ring_kick(r);
	EXPECT_EQ(4, ring_wait(r));
	/* And it is stopped at once. */
	EXPECT_EQ(0, vm_run(&self->vm, 0));
}

TEST_F(vm, broken_ring)
{
	const struct virtio_iommu_req_detach late = {
		.head.type = VIRTIO_IOMMU_T_DETACH, .domain = 1, .endpoint = EP,
	};
	struct vm *vm = &self->vm;
	struct ring *r = &vm->request;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));

	ring_desc(r, 0, BUF, 8, VRING_DESC_F_NEXT, 1);
	ring_desc(r, 1, BUF, 8, VRING_DESC_F_NEXT, 0);
	ring_add(r, 0);
	ring_kick(r);
	EXPECT_TRUE(fired(r->err));
	/* It is dead, and what the guest had is as it was. */
	request_send(vm, &late, offsetof(struct virtio_iommu_req_detach, tail), 4);
	EXPECT_TRUE(ring_quiet(r));
	EXPECT_EQ(1, get_stats(vm).domains);

	/* Set up again, it works. */
	ASSERT_EQ(0, vm_run(vm, 0));
	ring_init(vm, r, REQUEST_RING);
	ASSERT_EQ(0, ring_setup(vm, r, 0));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
}

TEST_F(vm, unknown_request)
{
	const char unknown[64] = { 0x77 };
	char reply[4];

	ASSERT_EQ(0, vm_run(&self->vm, 1));
	EXPECT_EQ(0, request_raw(&self->vm, unknown, 64, reply, 4));
	EXPECT_EQ('\xee', reply[0]);
	EXPECT_EQ(1, get_stats(&self->vm).malformed);
}

TEST_F(vm, reset)
{
	struct vhost_iommu_config config = { .size = sizeof(config) };
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, 0x1000, 0x1000, 0x100000, RW));
	ASSERT_EQ(0, vm_run(vm, 0));
	EXPECT_EQ(0, set_bypass(vm, 0));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	EXPECT_EQ(0, get_stats(vm).domains);
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(1, get_stats(vm).endpoints);
	/* Bypass is not the driver's alone: it stays. */
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_GET_CONFIG, &config));
	EXPECT_EQ(0, config.bypass);
}

/* A driver may set up the queue of requests alone, at first or after another. */
TEST_F(vm, no_event_queue)
{
	struct vhost_iommu_translate tr = {
		.size = sizeof(tr), .flags = VHOST_IOMMU_TRANSLATE_REPORT,
		.endpoint = EP, .access = VIRTIO_IOMMU_MAP_F_READ,
	};
	struct vm *vm = &self->vm;
	unsigned int i;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ring_desc(&vm->event, 0, BUF, sizeof(struct virtio_iommu_fault),
		  VRING_DESC_F_WRITE, 0);
	ring_add(&vm->event, 0);
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_EQ(0, vm_run(vm, 0));
	ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	EXPECT_ERRNO(EINVAL, vm_run(vm, 1));

	ring_init(vm, &vm->request, REQUEST_RING);
	ASSERT_EQ(0, ring_setup(vm, &vm->request, 0));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_TRANSLATE, &tr));
	for (i = 0; i < 1000 && !get_stats(vm).faults_dropped; i++)
		usleep(1000);
	EXPECT_EQ(1, get_stats(vm).faults_dropped);
	EXPECT_FALSE(ring_has_used(&vm->event));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
}

TEST_F(vm, faults)
{
	struct vhost_iommu_translate tr = {
		.size = sizeof(tr), .flags = VHOST_IOMMU_TRANSLATE_REPORT,
		.endpoint = EP, .access = VIRTIO_IOMMU_MAP_F_WRITE,
		.iova = 0x123000,
	};
	struct vhost_iommu_fault report = {
		.size = sizeof(report), .endpoint = EP,
		.reason = VIRTIO_IOMMU_FAULT_R_DOMAIN,
	};
	struct virtio_iommu_fault fault;
	struct vm *vm = &self->vm;
	unsigned int i;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(vm, 1, EP, 0));

	/* No buffer: dropped and counted. */
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_TRANSLATE, &tr));
	EXPECT_EQ(0, tr.perm);
	for (i = 0; i < 1000 && !get_stats(vm).faults_dropped; i++)
		usleep(1000);
	EXPECT_EQ(1, get_stats(vm).faults_dropped);

	/* Two buffers, one of them too small. */
	memset(vm->ram + BUF + 0x2000, 0xee, sizeof(fault));
	ring_desc(&vm->event, 0, BUF + 0x2000, sizeof(fault),
		  VRING_DESC_F_WRITE, 0);
	ring_desc(&vm->event, 1, BUF + 0x3000, 8, VRING_DESC_F_WRITE, 0);
	ring_add(&vm->event, 0);
	ring_add(&vm->event, 1);
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_TRANSLATE, &tr));
	ASSERT_EQ(sizeof(fault), ring_wait(&vm->event));
	EXPECT_TRUE(fired(vm->event.call));
	memcpy(&fault, vm->ram + BUF + 0x2000, sizeof(fault));
	EXPECT_EQ(VIRTIO_IOMMU_FAULT_R_MAPPING, fault.reason);
	EXPECT_EQ(VIRTIO_IOMMU_FAULT_F_WRITE | VIRTIO_IOMMU_FAULT_F_ADDRESS,
		  fault.flags);
	EXPECT_EQ(EP, fault.endpoint);
	EXPECT_EQ(0x123000, fault.address);
	EXPECT_EQ(0, fault.reserved[0] | fault.reserved[1] | fault.reserved[2] |
		     fault.reserved2[0] | fault.reserved2[1] |
		     fault.reserved2[2] | fault.reserved2[3]);

	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &report));
	EXPECT_EQ(0, ring_wait(&vm->event));
	EXPECT_EQ(2, get_stats(vm).faults_dropped);
	EXPECT_EQ(1, get_stats(vm).faults);

	report.reason = 3;
	EXPECT_ERRNO(EINVAL, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &report));
	report.reason = 0;
	report.endpoint = 99;
	EXPECT_ERRNO(ENOENT, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &report));
}

TEST_F(edu, domain)
{
	struct vm *vm = &self->vm;

	EXPECT_TRUE(bypass_works());
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_FALSE(bypass_works());
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x1000, SRC_GPA, RW));
	EXPECT_FALSE(mapping_works());
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, 0x1000, DST_GPA, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, 0x1000));
	EXPECT_FALSE(mapping_works());

	/* Read-only: the device may read it, not write. */
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, 0x1000, DST_GPA,
			      VIRTIO_IOMMU_MAP_F_READ));
	EXPECT_FALSE(mapping_works());
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 0x2000));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());

	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_FALSE(mapping_works());
	EXPECT_TRUE(bypass_works());
}

TEST_F(edu, bypass)
{
	struct vm *vm = &self->vm;

	EXPECT_EQ(0, set_bypass(vm, 0));
	EXPECT_FALSE(bypass_works());
	EXPECT_STATUS(OK, attach(vm, 1, EP, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_TRUE(bypass_works());
	EXPECT_STATUS(OK, attach(vm, 2, EP, 0));
	EXPECT_FALSE(bypass_works());
	EXPECT_EQ(0, set_bypass(vm, 1));
	EXPECT_FALSE(bypass_works());
	EXPECT_STATUS(OK, detach(vm, 2, EP));
	EXPECT_TRUE(bypass_works());
}

/* Mappings that were there before the hardware was. */
TEST_F(edu, attach_to_mappings)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP + 1, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(1, get_stats(vm).mappings);
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_TRUE(mapping_works());
}

TEST_F(edu, probe)
{
	const struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	char reply[PROBE_SIZE + sizeof(struct virtio_iommu_req_tail)];
	struct virtio_iommu_probe_resv_mem *prop = (void *)reply;
	bool msi = false;

	ASSERT_EQ(sizeof(reply), request_raw(&self->vm, &req, sizeof(req), reply,
					     sizeof(reply)));
	EXPECT_STATUS(OK, (unsigned char)reply[PROBE_SIZE]);
	for (; prop->head.type == VIRTIO_IOMMU_PROBE_T_RESV_MEM; prop++)
		if (prop->subtype == VIRTIO_IOMMU_RESV_MEM_T_MSI &&
		    prop->start == DOORBELLS && prop->end == DOORBELLS + 0xfffff)
			msi = true;
	EXPECT_TRUE(msi);
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	EXPECT_STATUS(INVAL, map(&self->vm, 1, DOORBELLS, 0x1000, SRC_GPA, RW));
}

TEST_F(edu, add_and_remove)
{
	struct vm *vm = &self->vm;

	EXPECT_ERRNO(EEXIST, edu_add_endpoint(&self->edu, vm, EP));
	EXPECT_ERRNO(EEXIST, edu_add_endpoint(&self->edu, vm, EP + 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, get_stats(vm).domains);
	EXPECT_FALSE(bypass_works());
	EXPECT_STATUS(NOENT, attach(vm, 1, EP, 0));
	EXPECT_EQ(0, edu_add_endpoint(&self->edu, vm, EP));
	EXPECT_TRUE(bypass_works());
}

/* VFIO takes the device and the group away. */
TEST_F(edu, group_taken)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	munmap((void *)self->edu.bar, EDU_BAR_SIZE);
	close(self->edu.device);
	EXPECT_EQ(0, ioctl(self->edu.group, VFIO_GROUP_UNSET_CONTAINER));
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 0x2000));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_STATUS(NOENT, attach(vm, 1, EP, 0));

	/* And brings it back. */
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	ASSERT_EQ(0, edu_set_container(&self->edu));
	ASSERT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	ASSERT_EQ(0, edu_open_device(&self->edu));
	ASSERT_EQ(0, edu_add_endpoint(&self->edu, vm, EP));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
}

/* Did the device use a buffer, or find the ring to be broken? */
static bool touched(struct ring *r)
{
	__u64 count;

	return ring_has_used(r) || read(r->err, &count, sizeof(count)) > 0;
}

/*
 * A ring of garbage, with enough sense in it to get past the first checks. What the
 * device makes of it is its business, as long as it goes on with a sane ring.
 */
TEST_F(edu, garbage)
{
	__u32 state = 23, round, i, restarts = 0;
	struct vm *vm = &self->vm;
	struct ring *r = &vm->request;

	for (round = 0; round < 3000; round++) {
		for (i = 0; i < RING_NUM; i++) {
			__u64 gpa = rnd(&state, 8) ? BUF + rnd(&state, 0x4000) :
						     (__u64)state << 20;

			ring_desc(r, i, gpa,
				  rnd(&state, 8) ? rnd(&state, 80) : state,
				  rnd(&state, 8), rnd(&state, RING_NUM + 2));
		}
		for (i = 0; i < 0x4000; i++)
			vm->ram[BUF + i] = rnd(&state, 3) ? 0 : rnd(&state, 8);
		for (i = 0; i < 4; i++)
			ring_add(r, rnd(&state, RING_NUM + 1));
		ring_kick(r);
		if (rnd(&state, 4))
			continue;
		/* Something of it has been looked at. */
		for (i = 0; i < 100000 && !touched(r); i++)
			usleep(100);
		if (vm_run(vm, 0))
			break;
		ring_init(vm, r, REQUEST_RING);
		if (ring_setup(vm, r, 0) || vm_run(vm, 1))
			break;
		restarts++;
	}
	EXPECT_EQ(3000, round);
	EXPECT_LT(100, restarts);
	EXPECT_LT(100, get_stats(vm).malformed);

	ASSERT_EQ(0, vm_run(vm, 0));
	ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	ring_init(vm, r, REQUEST_RING);
	ASSERT_EQ(0, ring_setup(vm, r, 0));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_FALSE(bypass_works());
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
}

/* What a domain should be: for each page, the first page of its mapping. */
#define MODEL_PAGES	32

struct model {
	int	start[MODEL_PAGES];	/* -1 if it is not mapped */
	int	nr;
};

static unsigned int model_map(struct model *m, int start, int pages)
{
	int i;

	for (i = start; i < start + pages; i++)
		if (m->start[i] >= 0)
			return VIRTIO_IOMMU_S_INVAL;
	for (i = start; i < start + pages; i++)
		m->start[i] = start;
	m->nr++;
	return VIRTIO_IOMMU_S_OK;
}

static unsigned int model_unmap(struct model *m, int start, int pages)
{
	int end = start + pages, i;

	if (m->start[start] >= 0 && m->start[start] < start)
		return VIRTIO_IOMMU_S_RANGE;
	if (end < MODEL_PAGES && m->start[end] >= 0 && m->start[end] < end)
		return VIRTIO_IOMMU_S_RANGE;
	for (i = start; i < end; i++) {
		m->nr -= m->start[i] == i;
		m->start[i] = -1;
	}
	return VIRTIO_IOMMU_S_OK;
}

/* Random MAPs and UNMAPs: statuses, count and translations are the model's. */
TEST_F(edu, model)
{
	struct vm *vm = &self->vm;
	__u32 state = 42, round;
	struct model m = {};
	int i;

	memset(m.start, 0xff, sizeof(m.start));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(vm, 1, EP, 0));
	for (round = 0; round < 2000; round++) {
		int start = rnd(&state, MODEL_PAGES);
		int pages = 1 + rnd(&state, MODEL_PAGES - start);
		__u64 iova = SRC_IOVA + start * 0x1000UL;

		if (rnd(&state, 2)) {
			ASSERT_EQ(model_map(&m, start, pages),
				  map(vm, 1, iova, pages * 0x1000UL,
				      SRC_GPA + start * 0x1000UL, RW));
		} else {
			ASSERT_EQ(model_unmap(&m, start, pages),
				  unmap(vm, 1, iova, pages * 0x1000UL));
		}
		ASSERT_EQ(m.nr, get_stats(vm).mappings);

		for (i = 0; i < MODEL_PAGES; i++) {
			struct vhost_iommu_translate tr = {
				.size = sizeof(tr), .endpoint = EP,
				.iova = SRC_IOVA + i * 0x1000UL + 0x10,
			};

			ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_TRANSLATE, &tr));
			ASSERT_EQ(m.start[i] < 0 ? 0 : RW, tr.perm);
			if (m.start[i] >= 0)
				ASSERT_EQ(SRC_GPA + i * 0x1000UL + 0x10, tr.gpa);
		}
	}
	/* And the hardware's, where it ends. */
	if (m.start[0] < 0)
		ASSERT_EQ(model_map(&m, 0, 1),
			  map(vm, 1, SRC_IOVA, 0x1000, SRC_GPA, RW));
	for (i = 1; i < MODEL_PAGES; i += 5)
		EXPECT_EQ(m.start[i] >= 0,
			  edu_writes(&self->edu, SRC_IOVA, self->src,
				     SRC_IOVA + i * 0x1000UL,
				     self->src + i * 0x1000UL));
}

TEST_HARNESS_MAIN
