// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM whose memory does not come: it has said that it would bring a page itself
 * (userfaultfd), and does not. It waits where it needs the page; nobody else does, and
 * it can be killed.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sys.h"
#include "test.h"

#define PAGE		0x1000UL
#define HOLE_PAGES	4UL
#define HOLE_SIZE	(HOLE_PAGES * PAGE)
#define HOLE_GPA	RAM_SIZE
#define OTHER_IOVA	0x5000000UL

/* Memory that is not there until bring(). */
struct hole {
	char	*addr;
	int	uffd;
};

static int make_hole(struct hole *h)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	h->addr = mmap(NULL, HOLE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	h->uffd = syscall(SYS_userfaultfd, O_NONBLOCK);
	reg.range.start = (uintptr_t)h->addr;
	reg.range.len = HOLE_SIZE;
	return h->addr == MAP_FAILED || ioctl(h->uffd, UFFDIO_API, &api) ||
	       ioctl(h->uffd, UFFDIO_REGISTER, &reg);
}

/* Does somebody wait for a page? */
static bool somebody_waits(struct hole *h)
{
	struct pollfd p = { .fd = h->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&p, 1, 10000) == 1 &&
	       read(h->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

static bool bring(struct hole *h)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)h->addr, .len = HOLE_SIZE },
	};

	return !ioctl(h->uffd, UFFDIO_ZEROPAGE, &zero);
}

/* A thread that gives the hole to the guest, and what came of it. */
struct mapper {
	struct edu	*edu;
	struct hole	hole;
	pthread_t	thread;
	int		ret, err;
};

static void *map_hole(void *arg)
{
	struct mapper *m = arg;

	m->ret = s2_map(m->edu, m->hole.addr, HOLE_GPA, HOLE_SIZE, DMA_RW);
	m->err = errno;
	return NULL;
}

static bool mapper_waits(struct mapper *m, struct edu *edu)
{
	m->edu = edu;
	return !make_hole(&m->hole) &&
	       !pthread_create(&m->thread, NULL, map_hole, m) &&
	       somebody_waits(&m->hole);
}

/* All but the thread that waits for the memory goes on, and so does that in the end. */
TEST_F(edu, map_waits)
{
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;
	long locked = locked_pages(), pinned = pinned_pages();
	struct mapper m = {};

	ASSERT_TRUE(mapper_waits(&m, edu));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, 1, OTHER_IOVA, 2 * PAGE, HOLE_GPA - PAGE, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_EQ(RAM_SIZE, s2_unmap(edu, 0, RAM_SIZE, 0));
	EXPECT_FALSE(mapping_works());
	EXPECT_EQ(0, s2_map(edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_TRUE(mapping_works());

	EXPECT_TRUE(bring(&m.hole));
	pthread_join(m.thread, NULL);
	EXPECT_EQ(0, m.ret);
	EXPECT_EQ(locked + (long)HOLE_PAGES, locked_pages());
	EXPECT_TRUE(edu_writes(edu, SRC_IOVA, self->src, OTHER_IOVA + PAGE,
			       m.hole.addr));
	EXPECT_EQ(HOLE_SIZE, s2_unmap(edu, HOLE_GPA, HOLE_SIZE, 0));
	EXPECT_EQ(locked, locked_pages());
	EXPECT_EQ(pinned, pinned_pages());
}

/* Somebody else has taken the addresses meanwhile. */
TEST_F(edu, map_comes_late)
{
	struct edu *edu = &self->edu;
	long locked = locked_pages(), pinned = pinned_pages();
	struct mapper m = {};

	ASSERT_TRUE(mapper_waits(&m, edu));
	EXPECT_EQ(0, s2_map(edu, self->vm.ram, HOLE_GPA, PAGE, DMA_RW));
	EXPECT_TRUE(bring(&m.hole));
	pthread_join(m.thread, NULL);
	EXPECT_EQ(-1, m.ret);
	EXPECT_EQ(EEXIST, m.err);
	EXPECT_EQ(PAGE, s2_unmap(edu, HOLE_GPA, PAGE, 0));
	EXPECT_EQ(locked, locked_pages());
	EXPECT_EQ(pinned, pinned_pages());
}

/* The group has left the container, and stage 2 is gone. */
TEST_F(edu, map_comes_too_late)
{
	struct edu *edu = &self->edu;
	long pinned = pinned_pages();
	struct mapper m = {};

	ASSERT_TRUE(mapper_waits(&m, edu));
	edu_close_device(edu);
	EXPECT_EQ(0, ioctl(edu->group, VFIO_GROUP_UNSET_CONTAINER));
	EXPECT_EQ(0, locked_pages());
	EXPECT_TRUE(bring(&m.hole));
	pthread_join(m.thread, NULL);
	EXPECT_EQ(-1, m.ret);
	EXPECT_EQ(EINVAL, m.err);
	EXPECT_EQ(0, locked_pages());
	EXPECT_EQ(pinned - (long)(RAM_SIZE / PAGE), pinned_pages());

	/* Another container is as good as the first. */
	EXPECT_EQ(0, edu_set_container(edu));
	EXPECT_EQ(0, edu_open_device(edu));
}

FIXTURE(victim)
{
	struct vm vm;
	struct edu edu;
	long pinned;
};

FIXTURE_VARIANT(victim)
{
	void	(*block)(struct edu *edu, struct vm *vm, struct hole *hole);
	bool	has_lock;	/* of the instance */
};

static void block_in_map(struct edu *edu, struct vm *vm, struct hole *hole)
{
	s2_map(edu, hole->addr, HOLE_GPA, HOLE_SIZE, DMA_RW);
}

/* A request that is to be read from the hole, after one that is not. */
static void put_into_hole(struct vm *vm, struct hole *hole)
{
	struct {
		struct vhost_memory		head;
		struct vhost_memory_region	region[2];
	} mem = {
		.head.nregions = 2,
		.region[0].memory_size = RAM_SIZE,
		.region[0].userspace_addr = (uintptr_t)vm->ram,
		.region[1].guest_phys_addr = HOLE_GPA,
		.region[1].memory_size = HOLE_SIZE,
		.region[1].userspace_addr = (uintptr_t)hole->addr,
	};
	const struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP, .domain = 1, .virt_start = OTHER_IOVA,
		.virt_end = OTHER_IOVA + PAGE - 1, .flags = RW,
	};
	const __u32 len = offsetof(typeof(req), tail);

	if (ioctl(vm->fd, VHOST_SET_MEM_TABLE, &mem))
		_exit(1);
	request_put(vm, &req, len, sizeof(req.tail));
	ring_desc(&vm->request, 2, HOLE_GPA, len, VRING_DESC_F_NEXT, 3);
	ring_desc(&vm->request, 3, BUF + 0x1800, sizeof(req.tail),
		  VRING_DESC_F_WRITE, 0);
	ring_add(&vm->request, 2);
}

static void block_in_kick(struct edu *edu, struct vm *vm, struct hole *hole)
{
	put_into_hole(vm, hole);
	ring_kick(&vm->request);
}

static void block_in_worker(struct edu *edu, struct vm *vm, struct hole *hole)
{
	put_into_hole(vm, hole);
	ring_kick_worker(&vm->request);
}

static void block_in_ioctl(struct edu *edu, struct vm *vm, struct hole *hole)
{
	ioctl(vm->fd, VHOST_IOMMU_GET_CONFIG, hole->addr);
}

FIXTURE_VARIANT_ADD(victim, pins)	{ .block = block_in_map };
FIXTURE_VARIANT_ADD(victim, notifies)	{ .block = block_in_kick, .has_lock = true };
FIXTURE_VARIANT_ADD(victim, worker)	{ .block = block_in_worker, .has_lock = true };
FIXTURE_VARIANT_ADD(victim, asks)	{ .block = block_in_ioctl, .has_lock = true };

FIXTURE_SETUP(victim)
{
	if (!getenv("EDU2"))
		SKIP(return, "EDU2 is not set");
	self->pinned = pinned_pages();
}

FIXTURE_TEARDOWN(victim)
{
}

/* In a process of its own: a guest at work, and then the VMM waits. */
static void be_victim(struct edu *edu, struct vm *vm, int told,
		      void (*block)(struct edu *, struct vm *, struct hole *))
{
	struct hole hole;
	pid_t waiter;

	if (edu_create(edu, vm, EP) || vm_set_poll(vm, 0) ||
	    attach(vm, 1, EP, 0) || make_hole(&hole))
		_exit(1);
	/* A userfaultfd tells who is not of the process as well. */
	waiter = fork();
	if (!waiter)
		_exit(!somebody_waits(&hole) || write(told, "x", 1) != 1);
	if (waiter > 0)
		block(edu, vm, &hole);
	for (;;)
		pause();
}

/* A process of somebody else's, with a device of its own. */
static bool other_works(void)
{
	struct edu edu;
	struct vm vm;
	bool works;

	setenv("EDU", getenv("EDU2"), 1);
	works = !edu_create(&edu, &vm, EP) && !attach(&vm, 1, EP, 0) &&
		!map(&vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW) &&
		edu_writes(&edu, SRC_IOVA, vm.ram + SRC_GPA, DST_IOVA,
			   vm.ram + DST_GPA) &&
		!unmap(&vm, 1, SRC_IOVA, 2 * PAGE);
	edu_close(&edu);
	vm_destroy(&vm);
	return works;
}

/* Ends within some seconds? */
static bool ends(pid_t child, int *status)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (waitpid(child, status, WNOHANG) == child)
			return true;
		usleep(100000);
	}
	return false;
}

/* An administrator looks: at once, or in vain until he has enough of it. */
static bool look(pid_t victim, bool in_vain)
{
	pid_t child = fork();
	char command[128];
	int status;

	snprintf(command, sizeof(command),
		 "cat /sys/kernel/debug/vhost_iommu/%d-*/stats > /dev/null", victim);
	if (!child) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(1);
	}
	usleep(1000000);
	if (!in_vain)
		return ends(child, &status) && !status;
	if (waitpid(child, &status, WNOHANG))
		return false;
	/* The shell may have become cat, or wait for it. */
	snprintf(command, sizeof(command), "/proc/%d/task/%d/children", child, child);
	kill(read_number(command) > 0 ? read_number(command) : child, SIGINT);
	return ends(child, &status);
}

static bool group_is_busy(void)
{
	struct edu edu;

	return edu_open_group(&edu) < 0 && errno == EBUSY && !close(edu.container);
}

TEST_F(victim, killed)
{
	int told[2], status;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(told));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		be_victim(&self->edu, &self->vm, told[1], variant->block);
	ASSERT_EQ(1, read(told[0], &c, 1));

	EXPECT_TRUE(group_is_busy());
	EXPECT_TRUE(look(child, variant->has_lock));
	EXPECT_TRUE(other_works());
	kill(child, SIGKILL);
	ASSERT_TRUE(ends(child, &status));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(self->pinned, pinned_pages());
}

TEST_HARNESS_MAIN
