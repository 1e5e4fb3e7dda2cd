// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-iommu from a process that is VMM and guest at once. The tests of the
 * fixture "edu" need an edu device bound to vfio-pci, its address in the environment
 * as EDU=0000:00:05.0, and check every mapping by a DMA.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test.h"

TEST(owner)
{
	__u64 features;
	int fd, status;
	pid_t child;

	fd = open("/dev/vhost-iommu", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EPERM, ioctl(fd, VHOST_GET_FEATURES, &features));
	ASSERT_EQ(0, ioctl(fd, VHOST_SET_OWNER));
	EXPECT_ERRNO(EBUSY, ioctl(fd, VHOST_SET_OWNER));
	EXPECT_EQ(0, ioctl(fd, VHOST_GET_FEATURES, &features));
	EXPECT_ERRNO(EFAULT, ioctl(fd, VHOST_GET_FEATURES, NULL));
	EXPECT_ERRNO(ENOTTY, ioctl(fd, VHOST_RESET_OWNER));
	EXPECT_ERRNO(ENOTTY, ioctl(fd, _IO(VHOST_IOMMU_TYPE, 0xbf)));

	/* Another process cannot use it. */
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(ioctl(fd, VHOST_GET_FEATURES, &features) == -1 &&
		      errno == EPERM ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
}

/* Every structure that starts with its size, with an argument that is accepted. */
TEST_F(vm, sizes)
{
	union {
		__u32			size;
		struct vhost_iommu_config	config;
		struct vhost_iommu_endpoint	ep;
		struct vhost_iommu_endpoint_id	id;
		struct vhost_iommu_translate	tr;
		struct vhost_iommu_fault	fault;
		struct vhost_iommu_stats	stats;
		struct vhost_iommu_invalidations	inv;
		struct vhost_iommu_state	state;
		struct vhost_iommu_notify	notify;
		char				bytes[512];
	} arg;
	const struct {
		unsigned int	cmd;
		__u32	size;
		bool		out;	/* only filled, so any tail is fine */
	} cases[] = {
		{ VHOST_IOMMU_GET_CONFIG, sizeof(arg.config), true },
		{ VHOST_IOMMU_SET_CONFIG, sizeof(arg.config) },
		{ VHOST_IOMMU_ADD_ENDPOINT, sizeof(arg.ep) },
		{ VHOST_IOMMU_TRANSLATE, sizeof(arg.tr) },
		{ VHOST_IOMMU_REPORT_FAULT, sizeof(arg.fault) },
		{ VHOST_IOMMU_SET_NOTIFY, sizeof(arg.notify) },
		{ VHOST_IOMMU_REMOVE_ENDPOINT, sizeof(arg.id) },
		{ VHOST_IOMMU_GET_STATS, sizeof(arg.stats), true },
		{ VHOST_IOMMU_GET_INVALIDATIONS, sizeof(arg.inv) },
		{ VHOST_IOMMU_GET_STATE, sizeof(arg.state) },
		{ VHOST_IOMMU_SET_STATE, sizeof(arg.state) },
	};
	struct vhost_iommu_config config = { .size = sizeof(config) };
	unsigned int i;

	ASSERT_EQ(0, ioctl(self->vm.fd, VHOST_IOMMU_GET_CONFIG, &config));
	EXPECT_EQ(sizeof(config), config.size);

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		__u32 size = cases[i].size;

		memset(&arg, 0, sizeof(arg));
		if (cases[i].cmd == VHOST_IOMMU_SET_CONFIG)
			arg.config = config;
		if (cases[i].cmd == VHOST_IOMMU_ADD_ENDPOINT)
			arg.ep.group_fd = -1;

		arg.size = 0;
		EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, cases[i].cmd, &arg));
		arg.size = size - 1;
		EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, cases[i].cmd, &arg));
		arg.size = -1;
		EXPECT_ERRNO(E2BIG, ioctl(self->vm.fd, cases[i].cmd, &arg));
		EXPECT_ERRNO(EFAULT, ioctl(self->vm.fd, cases[i].cmd, NULL));
		if (!cases[i].out) {
			arg.size = size + 8;
			arg.bytes[size] = 1;
			EXPECT_ERRNO(E2BIG,
				     ioctl(self->vm.fd, cases[i].cmd, &arg));
			arg.bytes[size] = 0;
		}
		arg.size = size + 8;
		EXPECT_EQ(0, ioctl(self->vm.fd, cases[i].cmd, &arg))
			TH_LOG("ioctl %#x: %s", cases[i].cmd, strerror(errno));
	}
}

static int set_config(int fd, struct vhost_iommu_config config)
{
	return ioctl(fd, VHOST_IOMMU_SET_CONFIG, &config);
}

static int add_endpoint(int fd, struct vhost_iommu_endpoint ep)
{
	return ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep);
}

TEST_F(vm, config)
{
	struct vhost_iommu_config good = { .size = sizeof(good) };
	int fd = self->vm.fd;

	ASSERT_EQ(0, ioctl(fd, VHOST_IOMMU_GET_CONFIG, &good));
	EXPECT_EQ(PROBE_SIZE, good.probe_size);
	EXPECT_EQ(1, good.bypass);
	EXPECT_EQ(~4095ULL, good.page_size_mask);

	EXPECT_ERRNO(EOPNOTSUPP, set_config(fd, BUT(good, c.flags = 2)));
	EXPECT_ERRNO(EOPNOTSUPP, set_config(fd, BUT(good, c.reserved[1] = 1)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.page_size_mask = 0)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.page_size_mask = 0x1800)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.input_start = 2;
					     c.input_end = 1)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.domain_start = 2;
					     c.domain_end = 1)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.probe_size = 4)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.probe_size = 1 << 20)));
	EXPECT_ERRNO(EINVAL, set_config(fd, BUT(good, c.bypass = 2)));

	EXPECT_EQ(0, set_config(fd, BUT(good, c.input_end = 0xffffffff)));
	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	EXPECT_ERRNO(EBUSY, set_config(fd, good));
	EXPECT_EQ(0, set_bypass(&self->vm, 0));
}

TEST_F(vm, features)
{
	__u64 features, f;

	ASSERT_EQ(0, ioctl(self->vm.fd, VHOST_GET_FEATURES, &features));
	f = 1ULL << 63;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->vm.fd, VHOST_SET_FEATURES, &f));
	f = features & ~(1ULL << VIRTIO_F_VERSION_1);
	EXPECT_EQ(0, ioctl(self->vm.fd, VHOST_SET_FEATURES, &f));
	EXPECT_ERRNO(EINVAL, vm_run(&self->vm, 1));
	EXPECT_EQ(0, ioctl(self->vm.fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(0, vm_run(&self->vm, 1));
	EXPECT_ERRNO(EBUSY, ioctl(self->vm.fd, VHOST_SET_FEATURES, &f));
	EXPECT_ERRNO(EINVAL, vm_run(&self->vm, 2));
}

TEST_F(vm, rings)
{
	struct vhost_vring_state s = { 0, 3 };
	struct vhost_vring_addr a = { .index = 0, .desc_user_addr = 8 };
	struct vhost_vring_file f = { 0, -1 };
	int fd = self->vm.fd;

	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_NUM, &s));
	s.num = 1 << 16;
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_NUM, &s));
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_BASE, &s));
	s.index = 2;
	EXPECT_ERRNO(ENOBUFS, ioctl(fd, VHOST_SET_VRING_NUM, &s));
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_ADDR, &a));
	f.fd = fd;
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_KICK, &f));
	f.fd = 9999;
	EXPECT_ERRNO(EBADF, ioctl(fd, VHOST_SET_VRING_CALL, &f));

	/* Without a kick it does not start; started, it does not change. */
	f.fd = -1;
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_VRING_KICK, &f));
	EXPECT_ERRNO(EINVAL, vm_run(&self->vm, 1));
	f.fd = self->vm.request.kick;
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_VRING_KICK, &f));
	EXPECT_EQ(0, vm_run(&self->vm, 1));
	EXPECT_ERRNO(EBUSY, ioctl(fd, VHOST_SET_VRING_KICK, &f));
	s = (struct vhost_vring_state) { 0, 8 };
	EXPECT_ERRNO(EBUSY, ioctl(fd, VHOST_SET_VRING_NUM, &s));
	EXPECT_ERRNO(EBUSY, ioctl(fd, VHOST_GET_VRING_BASE, &s));
	EXPECT_ERRNO(EBUSY, ioctl(fd, VHOST_IOMMU_RESET));
	EXPECT_EQ(0, vm_run(&self->vm, 0));
	EXPECT_EQ(0, ioctl(fd, VHOST_GET_VRING_BASE, &s));
	EXPECT_EQ(0, s.num);
}

TEST_F(vm, endpoints)
{
	struct vhost_iommu_region region = { 0x1000, 0x1fff, 0, 0 };
	struct vhost_iommu_endpoint good = {
		.size = sizeof(good), .id = EP, .group_fd = -1,
		.regions = (uintptr_t)&region, .nr_regions = 1,
	}, vfio = good;
	int fd = self->vm.fd;

	EXPECT_ERRNO(EOPNOTSUPP, add_endpoint(fd, BUT(good, c.flags = 4)));
	EXPECT_ERRNO(EOPNOTSUPP, add_endpoint(fd, BUT(good, c.reserved = 1)));
	EXPECT_ERRNO(EINVAL, add_endpoint(fd, BUT(good, c.group_fd = 0)));
	EXPECT_ERRNO(E2BIG, add_endpoint(fd, BUT(good, c.nr_regions = 65)));

	vfio.flags = VHOST_IOMMU_ENDPOINT_VFIO;
	EXPECT_ERRNO(EFAULT, add_endpoint(fd, vfio));
	vfio.device = (uintptr_t)"0000:00:00.0";
	EXPECT_ERRNO(EBADF, add_endpoint(fd, vfio));
	vfio.group_fd = fd;
	EXPECT_ERRNO(ENOENT, add_endpoint(fd, vfio));

	region.last = 0;
	EXPECT_ERRNO(EINVAL, add_endpoint(fd, good));
	region.last = 0x1fff;
	region.type = 2;
	EXPECT_ERRNO(EINVAL, add_endpoint(fd, good));
	region.type = 1;
	region.reserved = 1;
	EXPECT_ERRNO(EOPNOTSUPP, add_endpoint(fd, good));
	region.reserved = 0;
	EXPECT_EQ(0, get_stats(&self->vm).endpoints);

	EXPECT_EQ(0, add_endpoint(fd, good));
	EXPECT_ERRNO(EEXIST, add_endpoint(fd, good));
	EXPECT_ERRNO(ENOENT, remove_endpoint(&self->vm, EP + 1));
	EXPECT_EQ(1, get_stats(&self->vm).endpoints);
	EXPECT_EQ(0, remove_endpoint(&self->vm, EP));
	EXPECT_EQ(0, get_stats(&self->vm).endpoints);
}

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
	ASSERT_TRUE(vm_settle(&self->vm));
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
	struct vhost_vring_state poll = { 0, 1000001 }, got = { 0 };
	unsigned int i, kicks = 1, silent = 0;
	struct ring *r = &self->vm.request;
	int fd = self->vm.fd;

	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll));
	poll.index = 2;
	EXPECT_ERRNO(ENOBUFS, ioctl(fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll));
	poll.index = 1;
	poll.num = 1;
	EXPECT_ERRNO(EOPNOTSUPP,
		     ioctl(fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll));
	poll.index = 0;
	poll.num = 500000;
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
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, 0x1000, 0x1000, 0x100000, RW));
	ASSERT_EQ(0, vm_run(vm, 0));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	EXPECT_EQ(0, get_stats(vm).domains);
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(1, get_stats(vm).endpoints);
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

/* A process that claims nothing gets type1, also when it owns an instance. */
TEST_F(vm, containers_not_claimed)
{
	struct edu edu = {};

	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, edu_open_group(&edu));
	ASSERT_EQ(0, edu_set_container(&edu));
	/* This extension is type1's alone. */
	EXPECT_EQ(1, ioctl(edu.container, VFIO_CHECK_EXTENSION,
			   VFIO_UPDATE_VADDR));
	ASSERT_EQ(0, edu_open_device(&edu));
	EXPECT_ERRNO(ENOENT, edu_add_endpoint(&edu, &self->vm, EP));
	edu_close(&edu);

	/* Nor one that has taken its claim back. */
	EXPECT_EQ(0, ioctl(self->vm.fd, VHOST_IOMMU_CLAIM_CONTAINERS));
	EXPECT_EQ(0, ioctl(self->vm.fd, VHOST_IOMMU_RELEASE_CONTAINERS));
	ASSERT_EQ(0, edu_open_group(&edu));
	ASSERT_EQ(0, edu_set_container(&edu));
	EXPECT_EQ(1, ioctl(edu.container, VFIO_CHECK_EXTENSION,
			   VFIO_UPDATE_VADDR));
	close(edu.group);
	close(edu.container);
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

TEST_F(edu, stage2_changes)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());

	/* Ranges go as a whole. */
	EXPECT_ERRNO(EINVAL, s2_unmap(&self->edu, 0, RAM_SIZE / 2, 0));
	EXPECT_TRUE(mapping_works());
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_FALSE(mapping_works());
	EXPECT_EQ(1, get_stats(vm).mappings);

	/* It comes back with the memory, with no more than its permissions. */
	EXPECT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE,
			    VFIO_DMA_MAP_FLAG_READ));
	EXPECT_FALSE(mapping_works());
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, 0,
				     VFIO_DMA_UNMAP_FLAG_ALL));
	EXPECT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_TRUE(mapping_works());
}

TEST_F(edu, memory_that_is_not)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(FAULT, map(vm, 1, SRC_IOVA, 0x1000, RAM_SIZE, RW));
	EXPECT_STATUS(FAULT, map(vm, 1, SRC_IOVA, 0x2000, ~0xfffULL, RW));
	EXPECT_EQ(0, get_stats(vm).mappings);
	/* What there is of it is mapped, and unmapped. */
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * RAM_SIZE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 2 * RAM_SIZE));
	EXPECT_FALSE(mapping_works());
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
		    prop->start == 0xfee00000 && prop->end == 0xfeefffff)
			msi = true;
	EXPECT_TRUE(msi);
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	EXPECT_STATUS(INVAL, map(&self->vm, 1, 0xfee00000, 0x1000, SRC_GPA, RW));
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

	/* VFIO takes the device and the group away. */
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

/* The device survives its IOMMU: what it reaches is stage 2's at the most. */
TEST_F(edu, instance_closed_first)
{
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(&self->vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
	close(self->vm.fd);
	EXPECT_FALSE(mapping_works());
	EXPECT_FALSE(bypass_works());
	self->vm.fd = open("/dev/null", O_RDWR);
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

static unsigned long locked_pages(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f;

	f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmLck: %lu", &kib);
	if (f)
		fclose(f);
	return kib / 4;
}

TEST_F(edu, stage2_ioctls)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	unsigned long locked = locked_pages();
	struct edu *edu = &self->edu;
	char *ram = self->vm.ram;

	EXPECT_EQ(RAM_SIZE / 4096, locked);
	EXPECT_EQ(1, ioctl(edu->container, VFIO_CHECK_EXTENSION,
			   VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(1, ioctl(edu->container, VFIO_CHECK_EXTENSION, VFIO_UNMAP_ALL));
	EXPECT_EQ(0, ioctl(edu->container, VFIO_CHECK_EXTENSION,
			   VFIO_UPDATE_VADDR));
	EXPECT_EQ(0, ioctl(edu->container, VFIO_IOMMU_GET_INFO, &info));
	EXPECT_EQ(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS, info.flags);
	EXPECT_TRUE(info.iova_pgsizes & 4096);
	EXPECT_LT(sizeof(info), info.argsz);
	EXPECT_ERRNO(ENOTTY, ioctl(edu->container, VFIO_IOMMU_DIRTY_PAGES, &info));

	EXPECT_ERRNO(EEXIST, s2_map(edu, ram, 0, 0x1000, DMA_RW));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram, RAM_SIZE, 0, DMA_RW));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram, RAM_SIZE, 0x800, DMA_RW));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram + 8, RAM_SIZE, 0x1000, DMA_RW));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram, RAM_SIZE, 0x1000, 0));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram, RAM_SIZE, 0x1000, 8));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram, ~0xfffUL, 0x1000, DMA_RW));
	EXPECT_ERRNO(EINVAL, s2_map(edu, ram, 0xfee00000, 0x1000, DMA_RW));
	EXPECT_ERRNO(EFAULT, s2_map(edu, NULL, RAM_SIZE, 0x1000, DMA_RW));
	/* Memory in the first part, none behind it: all or nothing. */
	EXPECT_EQ(-1, s2_map(edu, ram + RAM_SIZE - 0x2000, RAM_SIZE, 1UL << 30,
			     DMA_RW));
	EXPECT_EQ(-1, s2_map(edu, ram, 1UL << 33, 1UL << 46, DMA_RW));
	EXPECT_EQ(locked, locked_pages());
	EXPECT_EQ(0, s2_unmap(edu, RAM_SIZE, RAM_SIZE, 0));
	EXPECT_ERRNO(EINVAL, s2_unmap(edu, 0, 0, 0));
	EXPECT_ERRNO(EINVAL, s2_unmap(edu, 0x1000, 0,
				      VFIO_DMA_UNMAP_FLAG_ALL));

	/* The BAR of a device, for peer to peer, is not memory of the VMM. */
	EXPECT_EQ(0, s2_map(edu, (void *)edu->bar, 0x80000000, 0x100000, DMA_RW));
	EXPECT_EQ(locked, locked_pages());
	EXPECT_EQ(0x100000, s2_unmap(edu, 0x80000000, 0x100000, 0));
	EXPECT_EQ(RAM_SIZE, s2_unmap(edu, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL));
	EXPECT_EQ(0, locked_pages());
}

TEST_F(edu, memlock_limit)
{
	const struct rlimit limit = { 64 << 10, 64 << 10 };
	struct edu *edu = &self->edu;
	int status;
	pid_t child;

	ASSERT_EQ(RAM_SIZE, s2_unmap(edu, 0, RAM_SIZE, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	/* Root may lock as much as it likes. */
	EXPECT_EQ(0, s2_map(edu, self->vm.ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_EQ(RAM_SIZE, s2_unmap(edu, 0, RAM_SIZE, 0));
	ASSERT_EQ(0, setresuid(65534, 65534, 0));
	EXPECT_ERRNO(ENOMEM, s2_map(edu, self->vm.ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_EQ(0, locked_pages());
	EXPECT_EQ(0, s2_map(edu, self->vm.ram, 0, 64 << 10, DMA_RW));

	/* Another process has no memory here. */
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(s2_map(edu, self->vm.ram, RAM_SIZE, 0x1000, DMA_RW) == -1 &&
		      errno == EPERM ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* Killed while requests are handled: everything can be had again. */
TEST(killed)
{
	int ready[2], status, i;
	struct edu edu = {};
	struct vm vm = {};
	pid_t child;
	char c;

	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, pipe(ready));
	for (i = 0; i < 5; i++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			if (edu_create(&edu, &vm, EP) || attach(&vm, 1, EP, 0) ||
			    write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;) {
				map(&vm, 1, SRC_IOVA, 0x2000, SRC_GPA, RW);
				unmap(&vm, 1, SRC_IOVA, 0x2000);
			}
		}
		ASSERT_EQ(1, read(ready[0], &c, 1));
		usleep(20000 + 7000 * i);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	ASSERT_EQ(0, edu_create(&edu, &vm, EP));
	EXPECT_EQ(0, attach(&vm, 1, EP, 0));
	edu_close(&edu);
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
