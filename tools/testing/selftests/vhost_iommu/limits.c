// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest can make the host do is bounded, and charged to the VM. The test of
 * the control group needs cgroup2 in /sys/fs/cgroup.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys.h"
#include "test.h"

#define PAGE		0x1000UL
#define GROUP		"/sys/fs/cgroup/vm"

TEST_F(vm, max_mappings)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(1048576, read_number(PARAMETERS "max_mappings"));
	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	ASSERT_TRUE(write_file(PARAMETERS "max_mappings", "2"));
	EXPECT_STATUS(OK, map(vm, 1, 0, PAGE, 0, RW));
	EXPECT_STATUS(OK, map(vm, 1, PAGE, PAGE, 0, RW));
	EXPECT_STATUS(NOMEM, map(vm, 1, 2 * PAGE, PAGE, 0, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, 0, PAGE));
	EXPECT_STATUS(OK, map(vm, 1, 2 * PAGE, PAGE, 0, RW));
	/* Less than there are already: nothing is taken away. */
	ASSERT_TRUE(write_file(PARAMETERS "max_mappings", "1"));
	EXPECT_STATUS(NOMEM, map(vm, 1, 3 * PAGE, PAGE, 0, RW));
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_TRUE(write_file(PARAMETERS "max_mappings", "1048576"));
}

TEST_F(vm, max_domains)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(65536, read_number(PARAMETERS "max_domains"));
	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_TRUE(write_file(PARAMETERS "max_domains", "1"));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(NOMEM, attach(vm, 2, EP + 1, 0));
	EXPECT_STATUS(OK, attach(vm, 1, EP + 1, 0));
	EXPECT_STATUS(NOMEM, attach(vm, 2, EP, 0));
	EXPECT_EQ(1, get_stats(vm).domains);
	EXPECT_TRUE(write_file(PARAMETERS "max_domains", "65536"));
}

struct refill {
	struct ring	*ring;
	bool		stop;
};

/* A guest that makes each buffer available again as soon as it is used. */
static void *refill(void *arg)
{
	struct refill *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		if (!ring_has_used(r->ring))
			continue;
		r->ring->used++;
		ring_add(r->ring, 0);
		ring_kick(r->ring);
	}
	return NULL;
}

/* A ring that is never empty does not keep the device from stopping, nor ioctls. */
TEST_F(vm, full_ring)
{
	struct refill arg = { .ring = &self->vm.request };
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP, .domain = 1,
		.virt_end = PAGE - 1,
	};
	struct vm *vm = &self->vm;
	pthread_t guest;
	unsigned int i;
	__u64 before;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	ASSERT_EQ(0, vm_run(vm, 0));

	memcpy(vm->ram + BUF, &req, sizeof(req));
	ring_desc(&vm->request, 0, BUF, offsetof(typeof(req), tail),
		  VRING_DESC_F_NEXT, 1);
	ring_desc(&vm->request, 1, BUF + PAGE, 4, VRING_DESC_F_WRITE, 0);
	for (i = 0; i < RING_NUM; i++)
		ring_add(&vm->request, 0);
	ASSERT_EQ(0, pthread_create(&guest, NULL, refill, &arg));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, vm_run(vm, 1));
		before = get_stats(vm).unmap;
		while (get_stats(vm).unmap < before + 200)
			usleep(1000);
		ASSERT_EQ(0, add_emulated(vm, EP + 1));
		ASSERT_EQ(0, remove_endpoint(vm, EP + 1));
		ASSERT_EQ(0, vm_run(vm, 0));
	}
	before = get_stats(vm).unmap;
	usleep(200000);
	EXPECT_EQ(before, get_stats(vm).unmap);
	__atomic_store_n(&arg.stop, true, __ATOMIC_RELAXED);
	pthread_join(guest, NULL);
}

/* The worker's control group; "" if there is no worker. */
static void worker_group(char *group, size_t size)
{
	char path[64];
	FILE *f;

	*group = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/cgroup", worker_tid());
	f = fopen(path, "r");
	if (f && !fgets(group, size, f))
		*group = 0;
	if (f)
		fclose(f);
}

/* The group counts in steps of 64 pages for each processor. */
#define MAPPINGS	10000

/* In a control group: 0, or the line of what is wrong. */
static int charged(void)
{
	long before, mapped, after;
	char group[128];
	struct vm vm;
	int i;

	if (!write_file(GROUP "/cgroup.procs", "0") || vm_create(&vm) ||
	    add_emulated(&vm, EP) || vm_run(&vm, 1))
		return __LINE__;
	worker_group(group, sizeof(group));
	if (strcmp(group, "0::/vm\n"))
		return __LINE__;

	if (attach(&vm, 1, EP, 0))
		return __LINE__;
	before = read_number(GROUP "/memory.current");
	for (i = 0; i < MAPPINGS; i++)
		if (map(&vm, 1, 2 * PAGE * i, PAGE, 0, RW))
			return __LINE__;
	mapped = read_number(GROUP "/memory.current");
	if (unmap(&vm, 1, 0, 0))
		return __LINE__;
	vm_destroy(&vm);
	after = read_number(GROUP "/memory.current");
	printf("# %d mappings: %ld bytes of the group before, %ld with, %ld after\n",
	       MAPPINGS, before, mapped, after);
	if (before < 0 || mapped < before + MAPPINGS * 40L || after < 0 ||
	    after > before + (mapped - before) / 2)
		return __LINE__;
	return 0;
}

/* The worker and the memory of mappings are the VM's. */
TEST_F(vm, control_group)
{
	int status;
	pid_t child;

	if (access("/sys/fs/cgroup/cgroup.subtree_control", W_OK))
		SKIP(return, "there is no cgroup2 in /sys/fs/cgroup");
	ASSERT_TRUE(write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		int line = charged();

		if (line)
			printf("# line %d: %s\n", line, strerror(errno));
		fflush(stdout);
		_exit(!!line);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_HARNESS_MAIN
