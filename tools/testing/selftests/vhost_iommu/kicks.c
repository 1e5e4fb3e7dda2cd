// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who notifies: threads of the VMM, at the same time, and one that exits. Whoever it
 * is, the requests are handled.
 */
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "sys.h"
#include "test.h"

#define PAGE		0x1000UL
#define TAIL		(BUF + 0x1000)
#define THREADS		2U
#define REQUESTS	500U	/* of each thread; an even number */

FIXTURE(kicks)
{
	struct vm vm;
};

FIXTURE_VARIANT(kicks)
{
	unsigned int poll_us;
};

FIXTURE_VARIANT_ADD(kicks, handled_at_once)	{ .poll_us = 0 };
FIXTURE_VARIANT_ADD(kicks, polled)		{ .poll_us = 100 };

FIXTURE_SETUP(kicks)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_poll(&self->vm, variant->poll_us));
	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
	ASSERT_EQ(VIRTIO_IOMMU_S_OK, attach(&self->vm, 1, EP, 0));
}

FIXTURE_TEARDOWN(kicks)
{
	vm_destroy(&self->vm);
}

/* A guest's CPU, with a page of its own in its domain and in its memory. */
struct cpu {
	struct vm	*vm;
	pthread_mutex_t	*lock;	/* of the available ring */
	unsigned int	index;
	unsigned int	done;
};

/* The request that the index of @n tells; its buffers are this CPU's. */
static void cpu_put(struct cpu *cpu, unsigned int n)
{
	__u64 gpa = BUF + 0x2000 * cpu->index, iova = cpu->index * PAGE;
	struct virtio_iommu_req_unmap unmap = {
		.head.type = VIRTIO_IOMMU_T_UNMAP, .domain = 1,
		.virt_start = iova, .virt_end = iova + PAGE - 1,
	};
	struct virtio_iommu_req_map map = {
		.head.type = VIRTIO_IOMMU_T_MAP, .domain = 1,
		.virt_start = iova, .virt_end = iova + PAGE - 1, .flags = RW,
	};
	struct ring *r = &cpu->vm->request;
	__u16 head = 2 * cpu->index;
	size_t len = n % 2 ? offsetof(typeof(unmap), tail) :
			     offsetof(typeof(map), tail);

	memcpy(cpu->vm->ram + gpa, n % 2 ? (void *)&unmap : (void *)&map, len);
	cpu->vm->ram[gpa + 0x1000] = 0xee;
	ring_desc(r, head, gpa, len, VRING_DESC_F_NEXT, head + 1);
	ring_desc(r, head + 1, gpa + 0x1000, sizeof(unmap.tail),
		  VRING_DESC_F_WRITE, 0);
	ring_add(r, head);
}

/* A status comes before its used entry, but nobody but this CPU uses the buffers. */
static bool cpu_wait(struct cpu *cpu)
{
	volatile char *status = cpu->vm->ram + TAIL + 0x2000 * cpu->index;
	unsigned int tries;

	for (tries = 0; tries < 1000000; tries++) {
		if (*status == VIRTIO_IOMMU_S_OK)
			return true;
		if (tries > 100)
			usleep(100);
	}
	return false;
}

static void *cpu_run(void *arg)
{
	struct cpu *cpu = arg;

	for (; cpu->done < REQUESTS; cpu->done++) {
		pthread_mutex_lock(cpu->lock);
		cpu_put(cpu, cpu->done);
		pthread_mutex_unlock(cpu->lock);
		ring_kick(&cpu->vm->request);
		if (!cpu_wait(cpu))
			break;
	}
	return NULL;
}

TEST_F(kicks, at_the_same_time)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct vhost_iommu_stats before = get_stats(&self->vm);
	struct cpu cpus[THREADS] = {};
	pthread_t threads[THREADS];
	struct vhost_iommu_stats now;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		cpus[i] = (struct cpu){ .vm = &self->vm, .lock = &lock, .index = i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, cpu_run, &cpus[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(REQUESTS, cpus[i].done);
	}
	for (i = 0; i < THREADS * REQUESTS; i++)
		ASSERT_EQ(sizeof(struct virtio_iommu_req_tail),
			  ring_wait(&self->vm.request));
	now = get_stats(&self->vm);
	EXPECT_EQ(before.map + THREADS * REQUESTS / 2, now.map);
	EXPECT_EQ(before.unmap + THREADS * REQUESTS / 2, now.unmap);
	EXPECT_EQ(before.kicks + THREADS * REQUESTS, now.kicks);
	EXPECT_EQ(before.failed, now.failed);
	EXPECT_EQ(0, now.mappings);
}

struct leaver {
	struct vm	*vm;
	int		ring, other;
	bool		left;
};

/*
 * What a thread waits for by one io_uring on another is cancelled while the thread
 * exits, and an eventfd tells so.
 */
static void *leave(void *arg)
{
	struct io_uring_params params = {}, others = {};
	struct leaver *l = arg;
	struct io_uring_sqe *sqes;
	int kick = l->vm->request.kick;
	char *sq;

	l->ring = syscall(SYS_io_uring_setup, 1, &params);
	l->other = syscall(SYS_io_uring_setup, 1, &others);
	sq = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, l->ring,
		  IORING_OFF_SQ_RING);
	sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, l->ring,
		    IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqes == MAP_FAILED)
		return NULL;
	sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = l->other,
		.poll32_events = POLLIN,
	};
	*(__u32 *)(sq + params.sq_off.array) = 0;
	__atomic_store_n((__u32 *)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	l->left = !syscall(SYS_io_uring_register, l->ring,
			   IORING_REGISTER_EVENTFD, &kick, 1) &&
		  syscall(SYS_io_uring_enter, l->ring, 1, 0, 0, NULL, 0) == 1;
	munmap(sqes, PAGE);
	munmap(sq, PAGE);
	return NULL;
}

TEST_F(kicks, by_a_thread_that_exits)
{
	struct vm *vm = &self->vm;
	struct leaver l = { .vm = vm };
	struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP, .domain = 1,
		.virt_end = PAGE - 1, .flags = RW,
	};
	__u64 kicks = get_stats(vm).kicks;
	pthread_t thread;

	ASSERT_TRUE(worker_becomes('S'));
	request_put(vm, &req, offsetof(typeof(req), tail), sizeof(req.tail));
	ASSERT_EQ(0, pthread_create(&thread, NULL, leave, &l));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(l.left);
	EXPECT_EQ(sizeof(req.tail), ring_wait(&vm->request));
	EXPECT_EQ(kicks + 1, get_stats(vm).kicks);
	EXPECT_STATUS(OK, unmap(vm, 1, 0, PAGE));
	close(l.ring);
	close(l.other);
}

TEST_HARNESS_MAIN
