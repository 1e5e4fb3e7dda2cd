/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM and its guest in one process: memory, a request and an event queue, and the
 * requests that a guest's driver sends. Nothing here decides what is right; functions
 * return what the device said.
 */
#ifndef VM_H
#define VM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_iommu.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vhost_iommu.h>

/* VHOST_IOMMU_CONFIG_*, for programs that ask for something */
#ifndef CONFIG_FLAGS
#define CONFIG_FLAGS	0
#endif
#define RAM_SIZE	(4UL << 20)
#ifndef RING_NUM
#define RING_NUM	16
#endif
#define REQUEST_RING	0x0
#define EVENT_RING	0x4000
#define BUF		0x8000
#define PROBE_SIZE	512

/* What request() returns for a used length of 0, and if nothing came back. */
#define NO_STATUS	0x100
#define NO_REPLY	0x101

struct ring {
	__u64		gpa;
	struct vring		vring;
	__u16		avail;
	__u16		used;
	int			kick, call, err;
};

struct vm {
	int			fd;
	char			*ram;
	struct ring		request, event;
};

static inline void ring_init(struct vm *vm, struct ring *r, __u64 gpa)
{
	r->gpa = gpa;
	r->avail = 0;
	r->used = 0;
	memset(vm->ram + gpa, 0, 0x4000);
	vring_init(&r->vring, RING_NUM, vm->ram + gpa, 0x1000);
}

static inline int ring_setup(struct vm *vm, struct ring *r, unsigned int index)
{
	struct vhost_vring_state num = { index, RING_NUM }, base = { index, 0 };
	struct vhost_vring_file kick = { index, r->kick };
	struct vhost_vring_file call = { index, r->call };
	struct vhost_vring_file err = { index, r->err };
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)r->vring.desc,
		.avail_user_addr = (uintptr_t)r->vring.avail,
		.used_user_addr = (uintptr_t)r->vring.used,
	};

	return ioctl(vm->fd, VHOST_SET_VRING_NUM, &num) ||
	       ioctl(vm->fd, VHOST_SET_VRING_BASE, &base) ||
	       ioctl(vm->fd, VHOST_SET_VRING_ADDR, &addr) ||
	       ioctl(vm->fd, VHOST_SET_VRING_KICK, &kick) ||
	       ioctl(vm->fd, VHOST_SET_VRING_CALL, &call) ||
	       ioctl(vm->fd, VHOST_SET_VRING_ERR, &err);
}

static inline int vm_run(struct vm *vm, int run)
{
	return ioctl(vm->fd, VHOST_IOMMU_SET_RUNNING, &run);
}

/* How long the worker polls for requests. Without, whoever notifies handles them. */
static inline int vm_set_poll(struct vm *vm, unsigned int us)
{
	struct vhost_vring_state poll = { 0, us };

	return ioctl(vm->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &poll);
}

/* Guest memory at guest-physical address 0, as the rings and the requests see it. */
static inline int vm_set_memory(struct vm *vm)
{
	struct {
		struct vhost_memory		head;
		struct vhost_memory_region	region;
	} mem = {
		.head.nregions = 1,
		.region.memory_size = RAM_SIZE,
		.region.userspace_addr = (uintptr_t)vm->ram,
	};

	return ioctl(vm->fd, VHOST_SET_MEM_TABLE, &mem);
}

static inline int vm_set_flags(struct vm *vm)
{
	struct vhost_iommu_config config = { .size = sizeof(config) };

	if (ioctl(vm->fd, VHOST_IOMMU_GET_CONFIG, &config))
		return -1;
	config.flags = CONFIG_FLAGS;
	return ioctl(vm->fd, VHOST_IOMMU_SET_CONFIG, &config);
}

static inline int vm_create(struct vm *vm)
{
	__u64 features;

	vm->fd = open("/dev/vhost-iommu", O_RDWR);
	if (vm->fd < 0 || ioctl(vm->fd, VHOST_SET_OWNER))
		return -1;
	vm->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm->ram == MAP_FAILED)
		return -1;
	vm->request.kick = eventfd(0, EFD_NONBLOCK);
	vm->request.call = eventfd(0, EFD_NONBLOCK);
	vm->request.err = eventfd(0, EFD_NONBLOCK);
	vm->event.kick = eventfd(0, EFD_NONBLOCK);
	vm->event.call = eventfd(0, EFD_NONBLOCK);
	vm->event.err = eventfd(0, EFD_NONBLOCK);
	ring_init(vm, &vm->request, REQUEST_RING);
	ring_init(vm, &vm->event, EVENT_RING);

	if (vm_set_flags(vm) ||
	    ioctl(vm->fd, VHOST_GET_FEATURES, &features) ||
	    ioctl(vm->fd, VHOST_SET_FEATURES, &features))
		return -1;
	return vm_set_memory(vm) || ring_setup(vm, &vm->request, 0) ||
	       ring_setup(vm, &vm->event, 1);
}

static inline void vm_destroy(struct vm *vm)
{
	close(vm->fd);
	close(vm->request.kick);
	close(vm->request.call);
	close(vm->request.err);
	close(vm->event.kick);
	close(vm->event.call);
	close(vm->event.err);
	munmap(vm->ram, RAM_SIZE);
}

static inline void ring_desc(struct ring *r, unsigned int i, __u64 gpa,
			     __u32 len, __u16 flags, __u16 next)
{
	r->vring.desc[i] = (struct vring_desc) { gpa, len, flags, next };
}

static inline void ring_add(struct ring *r, __u16 head)
{
	r->vring.avail->ring[r->avail % RING_NUM] = head;
	__atomic_store_n(&r->vring.avail->idx, ++r->avail, __ATOMIC_RELEASE);
}

static inline void ring_kick(struct ring *r)
{
	__u64 one = 1;

	if (write(r->kick, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* Notify as one who is not the VMM: what there is to do is the worker's. */
static inline void ring_kick_worker(struct ring *r)
{
	pid_t child = fork();

	if (!child) {
		ring_kick(r);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		abort();
}

/* The entry of which the device wants to be notified. */
static inline __u16 ring_event(const struct ring *r)
{
	/* It lies behind the last entry of the used ring. */
	void *event = &r->vring.used->ring[RING_NUM];

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return *(volatile __u16 *)event;
}

/* Does the device ask to be notified of the entry added last, of the next one? */
static inline bool ring_wants_kick(const struct ring *r)
{
	return ring_event(r) == (__u16)(r->avail - 1);
}

static inline bool ring_wants_next(const struct ring *r)
{
	return ring_event(r) == r->avail;
}

/* Did an eventfd fire? The machine may be emulated, and busy. */
static inline bool fired(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	__u64 count;

	return poll(&p, 1, 10000) == 1 && read(fd, &count, sizeof(count)) > 0;
}

/* Did it not, for a while? */
static inline bool silent(int fd)
{
	__u64 count;

	usleep(200000);
	return read(fd, &count, sizeof(count)) < 0;
}

static inline bool ring_has_used(const struct ring *r)
{
	return __atomic_load_n(&r->vring.used->idx, __ATOMIC_ACQUIRE) != r->used;
}

/* Wait for the next used entry; its length, or -1. */
static inline __s64 ring_wait(struct ring *r)
{
	unsigned int tries;

	for (tries = 0; tries < 100000; tries++) {
		if (ring_has_used(r))
			return r->vring.used->ring[r->used++ % RING_NUM].len;
		usleep(100);
	}
	return -1;
}

/* Whether there is no used entry for a while. */
static inline bool ring_quiet(struct ring *r)
{
	usleep(200000);
	return !ring_has_used(r);
}

/* Put a request with @out readable and @in writable bytes into the ring. */
static inline void request_put(struct vm *vm, const void *req, __u32 out,
			       __u32 in)
{
	struct ring *r = &vm->request;

	memcpy(vm->ram + BUF, req, out);
	memset(vm->ram + BUF + 0x1000, 0xee, in);
	ring_desc(r, 0, BUF, out, VRING_DESC_F_NEXT, 1);
	ring_desc(r, 1, BUF + 0x1000, in, VRING_DESC_F_WRITE, 0);
	ring_add(r, 0);
}

/* Send it. */
static inline void request_send(struct vm *vm, const void *req, __u32 out,
				__u32 in)
{
	request_put(vm, req, out, in);
	ring_kick(&vm->request);
}

/* The same, and wait: the used length, and the reply in @reply. */
static inline __s64 request_raw(struct vm *vm, const void *req, __u32 out,
				void *reply, __u32 in)
{
	__s64 len;

	request_send(vm, req, out, in);
	len = ring_wait(&vm->request);
	memcpy(reply, vm->ram + BUF + 0x1000, in);
	return len;
}

static inline unsigned int request(struct vm *vm, const void *req, __u32 out)
{
	struct virtio_iommu_req_tail tail;

	switch (request_raw(vm, req, out, &tail, sizeof(tail))) {
	case -1:
		return NO_REPLY;
	case sizeof(tail):
		return tail.status;
	default:
		return NO_STATUS;
	}
}

#define request_of(vm, type, ...) ({					\
	const struct virtio_iommu_req_##type __req = { __VA_ARGS__ };	\
	request(vm, &__req, offsetof(struct virtio_iommu_req_##type, tail)); })

static inline unsigned int attach(struct vm *vm, __u32 domain,
				  __u32 endpoint, __u32 flags)
{
	return request_of(vm, attach, .head.type = VIRTIO_IOMMU_T_ATTACH,
			  .domain = domain, .endpoint = endpoint, .flags = flags);
}

static inline unsigned int detach(struct vm *vm, __u32 domain,
				  __u32 endpoint)
{
	return request_of(vm, detach, .head.type = VIRTIO_IOMMU_T_DETACH,
			  .domain = domain, .endpoint = endpoint);
}

static inline unsigned int map(struct vm *vm, __u32 domain, __u64 start,
			       __u64 size, __u64 gpa, __u32 flags)
{
	return request_of(vm, map, .head.type = VIRTIO_IOMMU_T_MAP,
			  .domain = domain, .virt_start = start,
			  .virt_end = start + size - 1, .phys_start = gpa,
			  .flags = flags);
}

static inline unsigned int unmap(struct vm *vm, __u32 domain, __u64 start,
				 __u64 size)
{
	return request_of(vm, unmap, .head.type = VIRTIO_IOMMU_T_UNMAP,
			  .domain = domain, .virt_start = start,
			  .virt_end = start + size - 1);
}

static inline int add_emulated(struct vm *vm, __u32 id)
{
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = id, .group_fd = -1,
	};

	return ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, &ep);
}

/* One whose translations the VMM keeps. */
static inline int add_notified(struct vm *vm, __u32 id)
{
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = id, .group_fd = -1,
		.flags = VHOST_IOMMU_ENDPOINT_NOTIFY,
	};

	return ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, &ep);
}

/* Acknowledge, and take up to @nr records: how many there were, or -1. */
static inline int invalidations(struct vm *vm, __u64 acked,
				struct vhost_iommu_invalidation *records,
				__u32 nr)
{
	struct vhost_iommu_invalidations arg = {
		.size = sizeof(arg), .nr = nr, .records = (uintptr_t)records,
		.acked = acked,
	};

	if (ioctl(vm->fd, VHOST_IOMMU_GET_INVALIDATIONS, &arg))
		return -1;
	return arg.nr;
}

/* Wait for a record and take it; false if there is none. */
static inline bool invalidation(struct vm *vm,
				struct vhost_iommu_invalidation *record)
{
	struct pollfd p = { .fd = vm->fd, .events = POLLIN };

	return poll(&p, 1, 10000) == 1 && p.revents == POLLIN &&
	       invalidations(vm, 0, record, 1) == 1;
}

static inline int remove_endpoint(struct vm *vm, __u32 id)
{
	struct vhost_iommu_endpoint_id ep = { .size = sizeof(ep), .id = id };

	return ioctl(vm->fd, VHOST_IOMMU_REMOVE_ENDPOINT, &ep);
}

static inline int set_bypass(struct vm *vm, __u8 bypass)
{
	struct vhost_iommu_config config = { .size = sizeof(config) };

	if (ioctl(vm->fd, VHOST_IOMMU_GET_CONFIG, &config))
		return -1;
	config.bypass = bypass;
	return ioctl(vm->fd, VHOST_IOMMU_SET_CONFIG, &config);
}

static inline struct vhost_iommu_stats get_stats(struct vm *vm)
{
	struct vhost_iommu_stats stats = { .size = sizeof(stats) };

	if (ioctl(vm->fd, VHOST_IOMMU_GET_STATS, &stats))
		abort();
	return stats;
}

/* A sequence that is the same in every run. */
static inline __u32 rnd(__u32 *state, __u32 below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

#endif /* VM_H */
