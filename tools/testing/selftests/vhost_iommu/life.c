// SPDX-License-Identifier: GPL-2.0-only
/*
 * How things end: files closed in any order, with DMA on its way; the VMM killed; the
 * device unbound, removed and reset; the module in use. After each test the machine
 * has as many pinned pages, pages of IOMMU tables and IOMMU groups as before.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sys.h"
#include "test.h"

#define PCI		"/sys/bus/pci/"
#define GROUPS		"/sys/kernel/iommu_groups"
#define PAGE		0x1000UL

struct counts {
	long pinned, tables, groups;
};

static struct counts count(void)
{
	struct counts c = {
		.pinned = pinned_pages(), .tables = table_pages(),
	};
	DIR *dir = opendir(GROUPS);

	while (dir && readdir(dir))
		c.groups++;
	if (dir)
		closedir(dir);
	return c;
}

/* An IOMMU group goes after the last who has looked at it. */
static bool back_to(const struct counts *before, struct counts *now)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		*now = count();
		if (!memcmp(before, now, sizeof(*now)))
			return true;
		usleep(100000);
	}
	return false;
}

FIXTURE(life)
{
	struct vm vm;
	struct edu edu;
	struct counts before;
};

static int create(struct edu *edu, struct vm *vm)
{
	return edu_create(edu, vm, EP) || attach(vm, 1, EP, 0) ||
	       map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW);
}

static void destroy(struct edu *edu, struct vm *vm)
{
	edu_close(edu);
	vm_destroy(vm);
}

static bool works(struct edu *edu, struct vm *vm)
{
	return edu_writes(edu, SRC_IOVA, vm->ram + SRC_GPA, DST_IOVA,
			  vm->ram + DST_GPA);
}

FIXTURE_SETUP(life)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	/* What the host keeps of a device that was used once. */
	ASSERT_EQ(0, create(&self->edu, &self->vm));
	EXPECT_TRUE(works(&self->edu, &self->vm));
	destroy(&self->edu, &self->vm);
	self->before = count();
	ASSERT_LE(0, self->before.pinned);
	ASSERT_LT(0, self->before.tables);
	ASSERT_LT(2, self->before.groups);
}

FIXTURE_TEARDOWN(life)
{
	struct counts now;

	if (!getenv("EDU"))
		return;
	EXPECT_TRUE(back_to(&self->before, &now))
		TH_LOG("pinned %ld, then %ld; tables %ld, %ld; groups %ld, %ld",
		       self->before.pinned, now.pinned, self->before.tables,
		       now.tables, self->before.groups, now.groups);
}

/* The counts are of something. */
TEST_F(life, counted)
{
	struct counts now;

	ASSERT_EQ(0, create(&self->edu, &self->vm));
	now = count();
	EXPECT_EQ(self->before.pinned + (long)(RAM_SIZE / PAGE), now.pinned);
	EXPECT_LT(self->before.tables, now.tables);
	destroy(&self->edu, &self->vm);
}

/* All orders of the four files, the BAR unmapped before or after them. */
TEST_F(life, closed_in_any_order)
{
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;
	unsigned int order, i, left;

	for (order = 0; order < 24; order++) {
		int *fds[] = { &vm->fd, &edu->device, &edu->group,
			       &edu->container };
		unsigned int n = order;

		ASSERT_EQ(0, create(edu, vm));
		if (order % 2)
			munmap((void *)edu->bar, EDU_BAR_SIZE);
		for (left = 4; left; left--) {
			i = n % left;
			n /= left;
			EXPECT_EQ(0, close(*fds[i]));
			fds[i] = fds[left - 1];
		}
		if (!(order % 2))
			munmap((void *)edu->bar, EDU_BAR_SIZE);
		vm->fd = -1;
		vm_destroy(vm);
	}
}

static int by_unmap(struct edu *edu, struct vm *vm)
{
	return unmap(vm, 1, SRC_IOVA, 2 * PAGE);
}

static int by_detach(struct edu *edu, struct vm *vm)
{
	return detach(vm, 1, EP);
}

static int by_remove(struct edu *edu, struct vm *vm)
{
	return remove_endpoint(vm, EP);
}

static int by_reset(struct edu *edu, struct vm *vm)
{
	return vm_run(vm, 0) || ioctl(vm->fd, VHOST_IOMMU_RESET);
}

static int by_close(struct edu *edu, struct vm *vm)
{
	int ret = close(vm->fd);

	vm->fd = -1;
	return ret;
}

static int by_stage2(struct edu *edu, struct vm *vm)
{
	return s2_unmap(edu, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL) != RAM_SIZE;
}

static const struct way {
	int	line;
	int	(*stop)(struct edu *edu, struct vm *vm);
} ways[] = {
	{ __LINE__, by_unmap },
	{ __LINE__, by_detach },
	{ __LINE__, by_remove },
	{ __LINE__, by_reset },
	{ __LINE__, by_close },
	{ __LINE__, by_stage2 },
};

#define REGISTER(edu, reg) (*(volatile __u64 *)((edu)->bar + (reg)))

/* The device takes 100 ms for a transfer, at the end of which it accesses memory. */
static void begin_dma(struct edu *edu, struct vm *vm)
{
	char *src = vm->ram + SRC_GPA;

	memset(src, 0x5a, EDU_LEN);
	edu_dma(edu, SRC_IOVA, EDU_BUFFER, 0);
	memset(vm->ram + DST_GPA, 0xa5, EDU_LEN);
	REGISTER(edu, EDU_DMA_SRC) = EDU_BUFFER;
	REGISTER(edu, EDU_DMA_DST) = DST_IOVA;
	REGISTER(edu, EDU_DMA_COUNT) = EDU_LEN;
	REGISTER(edu, EDU_DMA_CMD) = EDU_DMA_TO_RAM | EDU_DMA_RUN;
}

/* When a way out has come to its end, a DMA that was begun before does not arrive. */
TEST_F(life, dma_in_flight)
{
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;
	const struct way *way;

	for (way = ways; way < ways + ARRAY_SIZE(ways); way++) {
		bool in_flight = false;
		unsigned int tries;

		/* On a busy machine it may be there before us. */
		for (tries = 0; !in_flight && tries < 20; tries++) {
			char then[EDU_LEN];

			ASSERT_EQ(0, create(edu, vm));
			begin_dma(edu, vm);
			EXPECT_EQ(0, way->stop(edu, vm)) TH_LOG("line %d", way->line);
			in_flight = REGISTER(edu, EDU_DMA_CMD) & EDU_DMA_RUN;
			memcpy(then, vm->ram + DST_GPA, EDU_LEN);
			while (REGISTER(edu, EDU_DMA_CMD) & EDU_DMA_RUN)
				usleep(1000);
			EXPECT_EQ(0, memcmp(then, vm->ram + DST_GPA, EDU_LEN))
				TH_LOG("line %d", way->line);
			destroy(edu, vm);
		}
		EXPECT_TRUE(in_flight) TH_LOG("line %d", way->line);
	}
}

/* The device is closed with a DMA on its way, and given to somebody else. */
TEST_F(life, dma_and_closed)
{
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;
	char then[EDU_LEN];

	ASSERT_EQ(0, create(edu, vm));
	begin_dma(edu, vm);
	/* The file of a device in iommufd is kept open for its endpoint. */
	if (in_iommufd())
		EXPECT_EQ(0, remove_endpoint(vm, EP));
	edu_close(edu);
	memcpy(then, vm->ram + DST_GPA, EDU_LEN);
	usleep(300000);
	EXPECT_EQ(0, memcmp(then, vm->ram + DST_GPA, EDU_LEN));
	vm_destroy(vm);
	ASSERT_EQ(0, create(edu, vm));
	EXPECT_TRUE(works(edu, vm));
	destroy(edu, vm);
}

/* What a VMM that is killed was doing, forever. */
static void busy(struct edu *edu, struct vm *vm, int what)
{
	for (;;) {
		if (what == 1)
			begin_dma(edu, vm);
		if (what == 2 && (attach(vm, 2, EP, 0) ||
				  attach(vm, 1, EP, 0) ||
				  map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW)))
			_exit(1);
		if (what == 3 && (s2_unmap(edu, 0, RAM_SIZE, 0) < 0 ||
				  s2_map(edu, vm->ram, 0, RAM_SIZE, DMA_RW)))
			_exit(1);
		if (unmap(vm, 1, SRC_IOVA, 2 * PAGE) ||
		    map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW))
			_exit(1);
	}
}

TEST_F(life, killed)
{
	int ready[2], status, what;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(ready));
	for (what = 0; what < 8; what++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			if (create(&self->edu, &self->vm) ||
			    write(ready[1], "x", 1) != 1)
				_exit(1);
			busy(&self->edu, &self->vm, what % 4);
		}
		ASSERT_EQ(1, read(ready[0], &c, 1));
		usleep(20000 + 7000 * what);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	ASSERT_EQ(0, create(&self->edu, &self->vm));
	EXPECT_TRUE(works(&self->edu, &self->vm));
	destroy(&self->edu, &self->vm);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "vhost_iommu", O_NONBLOCK);
}

/* A container keeps the module, as does an instance. */
TEST_F(life, module_in_use)
{
	struct vm *vm = &self->vm;
	int fd;

	fd = open("/dev/vhost-iommu", O_RDWR);
	EXPECT_ERRNO(EAGAIN, unload());
	close(fd);
	ASSERT_EQ(0, create(&self->edu, vm));
	EXPECT_ERRNO(EAGAIN, unload());
	EXPECT_EQ(0, close(vm->fd));
	/* iommufd does without us. */
	if (!in_iommufd())
		EXPECT_ERRNO(EAGAIN, unload());
	vm->fd = -1;
	destroy(&self->edu, vm);
}

static bool write_device_file(const char *name, const char *file,
			      const char *value)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI "devices/%s/%s", name, file);
	return write_file(path, value);
}

/* From its driver, or from its bus. Returns once the VMM has closed the device. */
static bool take_away(const char *name, bool remove)
{
	return remove ? write_device_file(name, "remove", "1") :
			write_file(PCI "drivers/vfio-pci/unbind", name);
}

static bool bring_back(const char *name, bool removed)
{
	if (removed && !write_file(PCI "rescan", "1"))
		return false;
	return write_device_file(name, "driver_override", "vfio-pci") &&
	       write_file(PCI "drivers_probe", name);
}

/* The host takes the device away: that waits for the VMM, which works meanwhile. */
static void taken_away(struct __test_metadata *_metadata, struct edu *edu,
		       struct vm *vm, bool remove)
{
	const char *name = getenv("EDU");
	int go[2], status;
	pid_t child;
	char c;

	/* A process without our files. */
	ASSERT_EQ(0, pipe(go));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(read(go[0], &c, 1) != 1 || !take_away(name, remove));
	ASSERT_EQ(0, create(edu, vm));
	ASSERT_EQ(1, write(go[1], "x", 1));
	usleep(500000);
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));
	EXPECT_TRUE(works(edu, vm));
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 2 * PAGE));

	if (in_iommufd())
		EXPECT_EQ(0, remove_endpoint(vm, EP));
	edu_close_device(edu);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	if (!in_iommufd()) {
		/* The group has gone with it, and stage 2 with the last group. */
		EXPECT_EQ(0, locked_pages());
		EXPECT_EQ(1, get_stats(vm).endpoints);
		EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
		EXPECT_STATUS(OK, detach(vm, 1, EP));
		EXPECT_STATUS(NOENT, attach(vm, 1, EP, 0));
		EXPECT_EQ(0, remove_endpoint(vm, EP));
	}
	close(edu->group);
	close(edu->container);
	vm_destroy(vm);

	ASSERT_TRUE(bring_back(name, remove));
	ASSERT_EQ(0, create(edu, vm));
	EXPECT_TRUE(works(edu, vm));
	destroy(edu, vm);
}

TEST_F(life, unbound)
{
	taken_away(_metadata, &self->edu, &self->vm, false);
}

TEST_F(life, removed)
{
	taken_away(_metadata, &self->edu, &self->vm, true);
}

static int hot_reset(struct edu *edu)
{
	struct {
		struct vfio_pci_hot_reset	head;
		__s32			fd;
	} arg = {
		.head.argsz = sizeof(arg), .head.count = 1, .fd = edu->group,
	};

	/* Who has the iommufd has all its devices. */
	if (in_iommufd())
		arg.head.count = 0;
	return ioctl(edu->device, VFIO_DEVICE_PCI_HOT_RESET, &arg);
}

/* Those behind a bridge have one. */
static bool has_hot_reset(struct edu *edu)
{
	struct vfio_pci_hot_reset_info info = { .argsz = sizeof(info) };

	return !ioctl(edu->device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info) ||
	       errno == ENOSPC;
}

/*
 * The address of a device's MSIs, which are off: nobody but a reset changes it, and what
 * the kernel saves and restores around a reset is without it.
 */
static int msi_address(const char *name)
{
	unsigned char at = PCI_CAPABILITY_LIST, id = 0;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), PCI "devices/%s/config", name);
	fd = open(path, O_RDWR);
	while (fd >= 0 && id != PCI_CAP_ID_MSI && pread(fd, &at, 1, at) == 1 &&
	       at && pread(fd, &id, 1, at) == 1)
		at += PCI_CAP_LIST_NEXT;
	if (id == PCI_CAP_ID_MSI &&
	    lseek(fd, at - PCI_CAP_LIST_NEXT + PCI_MSI_ADDRESS_LO, SEEK_SET) > 0)
		return fd;
	close(fd);
	return -1;
}

static __u32 get_msi_address(const char *name)
{
	int fd = msi_address(name);
	__u32 value = ~0U;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		value = ~0U;
	close(fd);
	return value;
}

static bool set_msi_address(const char *name, __u32 value)
{
	int fd = msi_address(name);
	bool set = write(fd, &value, sizeof(value)) == sizeof(value);

	close(fd);
	return set && get_msi_address(name) == value;
}

/* The bus of two devices of one group, in a domain. */
TEST_F(life, hot_reset)
{
	struct edu *a = &self->edu, b = {};
	struct vm *vm = &self->vm;

	if (!getenv("EDU_B"))
		SKIP(return, "EDU_B is not set");
	setenv("EDU", getenv("EDU_A"), 1);
	ASSERT_EQ(0, create(a, vm));
	if (!has_hot_reset(a)) {
		destroy(a, vm);
		SKIP(return, "devices of the root bus have no bus reset");
	}
	ASSERT_EQ(0, edu_join_group(&b, a, "EDU_B"));
	ASSERT_EQ(0, edu_add_endpoint(&b, vm, EP + 8));
	EXPECT_STATUS(OK, attach(vm, 1, EP + 8, 0));
	EXPECT_TRUE(works(a, vm));
	EXPECT_TRUE(works(&b, vm));

	EXPECT_TRUE(set_msi_address(a->name, 0xfee01000));
	EXPECT_TRUE(set_msi_address(b.name, 0xfee01000));
	begin_dma(&b, vm);
	EXPECT_EQ(0, hot_reset(a));
	EXPECT_EQ(0, get_msi_address(a->name));
	EXPECT_EQ(0, get_msi_address(b.name));
	EXPECT_TRUE(works(a, vm));
	EXPECT_TRUE(works(&b, vm));
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 2 * PAGE));
	EXPECT_FALSE(works(a, vm));
	EXPECT_FALSE(works(&b, vm));
	edu_close_device(&b);
	destroy(a, vm);
}

TEST_HARNESS_MAIN
