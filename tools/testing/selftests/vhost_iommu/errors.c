// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every ioctl refuses, and with which error: a table of arguments and states.
 * What a refused one leaves behind is the business of the other programs.
 */
#include <stdio.h>
#include <sys/wait.h>

#include "test.h"

#define NOT_AN_FD	9999

/**
 * struct row - an ioctl with one argument
 * @line: of this file
 * @cmd: the ioctl
 * @len: bytes of the argument, 0 if it takes none
 * @sized: the argument begins with its size
 * @arg: the argument
 * @stopped: errno while the queues are stopped, or 0
 * @running: errno while they run, or 0
 *
 * An ioctl that succeeds changes nothing that the next row depends on.
 */
struct row {
	int		line;
	unsigned int	cmd;
	__u32		len;
	bool		sized;
	const void	*arg;
	int		stopped, running;
};

#define NONE(when_stopped, when_running, ioctl)				\
	{ .line = __LINE__, .cmd = ioctl, .stopped = when_stopped,	\
	  .running = when_running }
#define ARG(when_stopped, when_running, ioctl, type, ...)		\
	{ .line = __LINE__, .cmd = ioctl,		\
	  .len = sizeof(type), .arg = &(const type) { __VA_ARGS__ },	\
	  .stopped = when_stopped, .running = when_running }
#define SIZED(when_stopped, when_running, ioctl, type, ...)		\
	{ .line = __LINE__, .cmd = ioctl,		\
	  .len = sizeof(type), .sized = true,				\
	  .arg = &(const type) { .size = sizeof(type), ##__VA_ARGS__ },	\
	  .stopped = when_stopped, .running = when_running }

/* The ioctls of a queue, with each of the structures that they take. */
#define STATE(s, r, ioctl, ...) \
	ARG(s, r, ioctl, struct vhost_vring_state, __VA_ARGS__)
#define FILE_OF(s, r, ioctl, ...) \
	ARG(s, r, ioctl, struct vhost_vring_file, __VA_ARGS__)
#define ADDR(s, r, ...) \
	ARG(s, r, VHOST_SET_VRING_ADDR, struct vhost_vring_addr, __VA_ARGS__)

struct memory {
	struct vhost_memory		head;
	struct vhost_memory_region	r[2];
};

#define MEMORY(s, r, ...) \
	ARG(s, r, VHOST_SET_MEM_TABLE, struct memory, __VA_ARGS__)
#define CONFIG(s, r, ...)						\
	SIZED(s, r, VHOST_IOMMU_SET_CONFIG, struct vhost_iommu_config,	\
	      .page_size_mask = ~0xfffULL, .input_end = ~0ULL,		\
	      .domain_end = ~0U, .probe_size = 512, .bypass = 1,	\
	      ##__VA_ARGS__)
#define ENDPOINT(s, r, ...) \
	SIZED(s, r, VHOST_IOMMU_ADD_ENDPOINT, struct vhost_iommu_endpoint, \
	      .id = EP + 1, .group_fd = -1, ##__VA_ARGS__)
#define TRANSLATE(s, r, ...) \
	SIZED(s, r, VHOST_IOMMU_TRANSLATE, struct vhost_iommu_translate, \
	      .endpoint = EP, ##__VA_ARGS__)
#define FAULT(s, r, ...) \
	SIZED(s, r, VHOST_IOMMU_REPORT_FAULT, struct vhost_iommu_fault,	\
	      .endpoint = EP, ##__VA_ARGS__)
#define NOTIFY(s, r, ...) \
	SIZED(s, r, VHOST_IOMMU_SET_NOTIFY, struct vhost_iommu_notify,	\
	      .id = EP, ##__VA_ARGS__)

#define IOMMUFD(s, r, ...) \
	SIZED(s, r, VHOST_IOMMU_SET_IOMMUFD, struct vhost_iommu_iommufd, \
	      ##__VA_ARGS__)
#define MEM(s, r, op, ...)						\
	SIZED(s, r, VHOST_IOMMU_##op##_MEMORY, struct vhost_iommu_memory, \
	      .last = 0xfff, ##__VA_ARGS__)

#define DIRTY(s, r, ...)						\
	SIZED(s, r, VHOST_IOMMU_GET_DIRTY_BITMAP,			\
	      struct vhost_iommu_dirty_bitmap, .last = 0xfff,		\
	      .page_size = 0x1000, .bitmap = 8, ##__VA_ARGS__)
#define TRACKING(s, r, ...)						\
	SIZED(s, r, VHOST_IOMMU_SET_DIRTY_TRACKING,			\
	      struct vhost_iommu_dirty_tracking, ##__VA_ARGS__)

/* Of two initializers of a field the later one counts. */
static const struct row table[] = {
	NONE(EBUSY, EBUSY, VHOST_SET_OWNER),
	NONE(ENOTTY, ENOTTY, VHOST_RESET_OWNER),
	NONE(ENOTTY, ENOTTY, _IO(VHOST_IOMMU_TYPE, 0xbf)),
	NONE(ENOTTY, ENOTTY, VFIO_GET_API_VERSION),

	ARG(0, 0, VHOST_GET_FEATURES, __u64, 0),
	ARG(EOPNOTSUPP, EOPNOTSUPP, VHOST_SET_FEATURES, __u64, 1ULL << 63),
	ARG(EOPNOTSUPP, EOPNOTSUPP, VHOST_SET_FEATURES, __u64,
	    1 << VIRTIO_IOMMU_F_BYPASS),
	ARG(0, 0, VHOST_GET_BACKEND_FEATURES, __u64, 0),
	ARG(0, 0, VHOST_SET_BACKEND_FEATURES, __u64, 0),
	ARG(EOPNOTSUPP, EOPNOTSUPP, VHOST_SET_BACKEND_FEATURES, __u64, 1),

	MEMORY(EOPNOTSUPP, EOPNOTSUPP, { .nregions = 0, .padding = 1 }),
	MEMORY(E2BIG, E2BIG, { .nregions = 1 << 16 }),
	MEMORY(EINVAL, EINVAL, { .nregions = 1 }),
	MEMORY(EOPNOTSUPP, EOPNOTSUPP, { .nregions = 1 },
	       { { .memory_size = 1, .flags_padding = 1 } }),
	MEMORY(EINVAL, EINVAL, { .nregions = 1 },
	       { { .memory_size = 2, .guest_phys_addr = ~0ULL } }),
	MEMORY(EINVAL, EINVAL, { .nregions = 1 },
	       { { .memory_size = 2, .userspace_addr = ~0ULL } }),
	MEMORY(EINVAL, EINVAL, { .nregions = 2 },
	       { { .memory_size = 4096 },
		 { .memory_size = 4096, .guest_phys_addr = 4095 } }),

	STATE(0, EBUSY, VHOST_SET_VRING_NUM, 0, RING_NUM),
	STATE(EINVAL, EBUSY, VHOST_SET_VRING_NUM, 0, 0),
	STATE(EINVAL, EBUSY, VHOST_SET_VRING_NUM, 0, 3),
	STATE(EINVAL, EBUSY, VHOST_SET_VRING_NUM, 1, 1 << 16),
	STATE(ENOBUFS, ENOBUFS, VHOST_SET_VRING_NUM, 2, RING_NUM),
	STATE(0, EBUSY, VHOST_SET_VRING_BASE, 0, 0),
	STATE(EINVAL, EBUSY, VHOST_SET_VRING_BASE, 1, 1 << 16),
	STATE(ENOBUFS, ENOBUFS, VHOST_SET_VRING_BASE, ~0U, 0),
	STATE(0, EBUSY, VHOST_GET_VRING_BASE, 1, 0),
	STATE(ENOBUFS, ENOBUFS, VHOST_GET_VRING_BASE, 2, 0),
	ADDR(ENOBUFS, ENOBUFS, .index = 2),
	ADDR(EOPNOTSUPP, EBUSY, .flags = 1 << VHOST_VRING_F_LOG),
	ADDR(EINVAL, EBUSY, .desc_user_addr = 8),
	ADDR(EINVAL, EBUSY, .avail_user_addr = 1),
	ADDR(EINVAL, EBUSY, .index = 1, .used_user_addr = 2),
	FILE_OF(EBADF, EBUSY, VHOST_SET_VRING_KICK, 0, NOT_AN_FD),
	FILE_OF(ENOBUFS, ENOBUFS, VHOST_SET_VRING_KICK, 2, -1),
	FILE_OF(EBADF, EBADF, VHOST_SET_VRING_CALL, 0, NOT_AN_FD),
	FILE_OF(0, 0, VHOST_SET_VRING_CALL, 1, -1),
	FILE_OF(ENOBUFS, ENOBUFS, VHOST_SET_VRING_CALL, 2, -1),
	FILE_OF(EBADF, EBADF, VHOST_SET_VRING_ERR, 1, NOT_AN_FD),
	FILE_OF(0, 0, VHOST_SET_VRING_ERR, 1, -1),
	FILE_OF(ENOBUFS, ENOBUFS, VHOST_SET_VRING_ERR, 2, -1),
	STATE(0, 0, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, 100),
	STATE(0, 0, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 1, 0),
	STATE(EINVAL, EINVAL, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, 1000001),
	STATE(EOPNOTSUPP, EOPNOTSUPP, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 1, 1),
	STATE(ENOBUFS, ENOBUFS, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 2, 0),
	STATE(0, 0, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 1, 0),
	STATE(ENOBUFS, ENOBUFS, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 2, 0),

	SIZED(0, 0, VHOST_IOMMU_GET_CONFIG, struct vhost_iommu_config),
	CONFIG(0, 0),
	CONFIG(0, 0, .bypass = 0),
	CONFIG(0, 0, .bypass = 1),
	CONFIG(EBUSY, EBUSY, .input_end = 0xffffffff),
	CONFIG(EBUSY, EBUSY, .flags = VHOST_IOMMU_CONFIG_PAGE_TABLES),
	CONFIG(EOPNOTSUPP, EOPNOTSUPP, .flags = 2),
	CONFIG(EOPNOTSUPP, EOPNOTSUPP, .reserved = { 0, 0, 1 }),
	CONFIG(EINVAL, EINVAL, .page_size_mask = 0),
	CONFIG(EINVAL, EINVAL, .page_size_mask = 0x1800),
	CONFIG(EINVAL, EINVAL, .input_start = 2, .input_end = 1),
	CONFIG(EINVAL, EINVAL, .domain_start = 2, .domain_end = 1),
	CONFIG(EINVAL, EINVAL, .probe_size = 4),
	CONFIG(EINVAL, EINVAL, .probe_size = 4104),
	CONFIG(EINVAL, EINVAL, .bypass = 2),

	NONE(0, 0, VHOST_IOMMU_CLAIM_CONTAINERS),
	NONE(0, 0, VHOST_IOMMU_RELEASE_CONTAINERS),
	ARG(EINVAL, EINVAL, VHOST_IOMMU_SET_RUNNING, int, 2),
	ARG(EINVAL, EINVAL, VHOST_IOMMU_SET_RUNNING, int, -1),
	NONE(0, EBUSY, VHOST_IOMMU_RESET),

	ENDPOINT(EEXIST, EEXIST, .id = EP),
	ENDPOINT(EOPNOTSUPP, EOPNOTSUPP, .flags = 8),
	ENDPOINT(EINVAL, EINVAL, .dev_id = 1),
	ENDPOINT(EINVAL, EINVAL, .parent_id = 1),
	ENDPOINT(EINVAL, EINVAL, .flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		 .pt_id = 1, .parent_id = 1),
	ENDPOINT(EINVAL, EINVAL, .flags = 3),
	ENDPOINT(EINVAL, EINVAL, .flags = 5),
	ENDPOINT(EINVAL, EINVAL, .flags = 6),
	ENDPOINT(EINVAL, EINVAL, .pt_id = 1),
	ENDPOINT(EINVAL, EINVAL, .flags = VHOST_IOMMU_ENDPOINT_VFIO,
		 .pt_id = 1),
	ENDPOINT(EINVAL, EINVAL, .flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		 .device_fd = 0),
	ENDPOINT(EINVAL, EINVAL, .flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		 .pt_id = 1, .device = 1),
	ENDPOINT(EBADF, EBADF, .flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		 .pt_id = 1, .device_fd = NOT_AN_FD),
	ENDPOINT(ENOENT, ENOENT, .flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		 .pt_id = 1, .device_fd = 0),
	ENDPOINT(EINVAL, EINVAL, .group_fd = 0),
	ENDPOINT(EINVAL, EINVAL, .device = 1),
	ENDPOINT(E2BIG, E2BIG, .nr_regions = 65),
	ENDPOINT(EFAULT, EFAULT, .nr_regions = 1),
	ENDPOINT(EFAULT, EFAULT, .flags = VHOST_IOMMU_ENDPOINT_VFIO),
	ENDPOINT(EBADF, EBADF, .flags = VHOST_IOMMU_ENDPOINT_VFIO,
		 .device = (uintptr_t)"0000:00:00.0", .group_fd = NOT_AN_FD),
	SIZED(ENOENT, ENOENT, VHOST_IOMMU_REMOVE_ENDPOINT,
	      struct vhost_iommu_endpoint_id, .id = EP + 1),

	TRANSLATE(0, 0),
	TRANSLATE(ENOENT, ENOENT, .endpoint = EP + 1),
	TRANSLATE(EOPNOTSUPP, EOPNOTSUPP, .flags = 2),
	TRANSLATE(EOPNOTSUPP, EOPNOTSUPP, .access = VIRTIO_IOMMU_MAP_F_MMIO),
	TRANSLATE(EOPNOTSUPP, EOPNOTSUPP, .reserved = 1),
	FAULT(0, 0),
	FAULT(ENOENT, ENOENT, .endpoint = EP + 1),
	FAULT(EINVAL, EINVAL, .reason = 3),
	FAULT(EINVAL, EINVAL, .reason = 256),
	FAULT(EOPNOTSUPP, EOPNOTSUPP, .flags = 4),
	NOTIFY(0, 0, .notify = 1),
	NOTIFY(0, 0, .notify = 0),
	NOTIFY(ENOENT, ENOENT, .id = EP + 1),
	NOTIFY(EINVAL, EINVAL, .notify = 2),
	NOTIFY(EOPNOTSUPP, EOPNOTSUPP, .reserved = 1),

	/* With an iommufd: iommufd.c. */
	IOMMUFD(EOPNOTSUPP, EOPNOTSUPP, .flags = 1),
	IOMMUFD(EBADF, EBADF, .iommufd = NOT_AN_FD),
	IOMMUFD(EINVAL, EINVAL, .iommufd = 0),
	MEM(EOPNOTSUPP, EOPNOTSUPP, ADD, .flags = 4),
	MEM(ENOENT, ENOENT, ADD, .flags = 1),
	MEM(EOPNOTSUPP, EOPNOTSUPP, REMOVE, .flags = 1),
	MEM(ENOENT, ENOENT, REMOVE),
	TRACKING(EOPNOTSUPP, EOPNOTSUPP, .flags = 2),
	TRACKING(ENOENT, ENOENT, .flags = 1),
	TRACKING(ENOENT, ENOENT),
	DIRTY(EOPNOTSUPP, EOPNOTSUPP, .flags = 1),
	DIRTY(EOPNOTSUPP, EOPNOTSUPP, .reserved = 1),
	DIRTY(EINVAL, EINVAL, .page_size = 0x800),
	DIRTY(EINVAL, EINVAL, .start = 0x1000),
	DIRTY(EINVAL, EINVAL, .bitmap = 0),
	DIRTY(ENOENT, ENOENT),

	SIZED(0, 0, VHOST_IOMMU_GET_STATS, struct vhost_iommu_stats),
	SIZED(0, 0, VHOST_IOMMU_GET_INVALIDATIONS,
	      struct vhost_iommu_invalidations),
	SIZED(EINVAL, EINVAL, VHOST_IOMMU_GET_INVALIDATIONS,
	      struct vhost_iommu_invalidations, .acked = ~0ULL),
	SIZED(0, EBUSY, VHOST_IOMMU_GET_STATE, struct vhost_iommu_state),
	SIZED(EFAULT, EBUSY, VHOST_IOMMU_GET_STATE, struct vhost_iommu_state,
	      .nr = 1),
	SIZED(EINVAL, EBUSY, VHOST_IOMMU_GET_STATE, struct vhost_iommu_state,
	      .after.type = VHOST_IOMMU_RECORD_END + 1),
	SIZED(0, EBUSY, VHOST_IOMMU_SET_STATE, struct vhost_iommu_state),
	SIZED(EFAULT, EBUSY, VHOST_IOMMU_SET_STATE, struct vhost_iommu_state,
	      .nr = 1),
	SIZED(EOPNOTSUPP, EOPNOTSUPP, VHOST_IOMMU_SET_STATE,
	      struct vhost_iommu_state, .after.type = 1),
};

/* These only fill what they are given: any tail will do. */
static bool only_fills(const struct row *row)
{
	return row->cmd == VHOST_IOMMU_GET_CONFIG ||
	       row->cmd == VHOST_IOMMU_GET_STATS;
}

/* The size that an argument had in its first version. */
static __u32 first_size(const struct row *row)
{
	if (row->cmd == VHOST_IOMMU_GET_STATS)
		return offsetof(struct vhost_iommu_stats, pinned);
	return row->len;
}

/* Two pages, of which the second cannot be accessed. */
#define PAGE	0x1000

FIXTURE(errors)
{
	struct vm vm;
	char *page;
};

FIXTURE_SETUP(errors)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	self->page = mmap(NULL, 2 * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ | PROT_WRITE));
}

FIXTURE_TEARDOWN(errors)
{
	vm_destroy(&self->vm);
}

/* Errno of an ioctl with an argument of a row, or 0. */
static int call(int fd, const struct row *row)
{
	char arg[1024];

	memcpy(arg, row->arg, row->len);
	return ioctl(fd, row->cmd, row->len ? arg : NULL) ? errno : 0;
}

static const struct row *const end = table + ARRAY_SIZE(table);

TEST_F(errors, stopped)
{
	const struct row *row;

	for (row = table; row != end; row++) {
		EXPECT_EQ(row->stopped, call(self->vm.fd, row))
			TH_LOG("line %d", row->line);
	}
	/* The reset among them has the device forget where the rings are. */
	EXPECT_ERRNO(EINVAL, vm_run(&self->vm, 1));
	EXPECT_EQ(0, ring_setup(&self->vm, &self->vm.request, 0));
	EXPECT_EQ(0, vm_run(&self->vm, 1));
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
}

TEST_F(errors, running)
{
	const struct row *row;

	ASSERT_EQ(0, vm_run(&self->vm, 1));
	for (row = table; row != end; row++) {
		EXPECT_EQ(row->running, call(self->vm.fd, row))
			TH_LOG("line %d", row->line);
	}
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
}

/* Without an owner, and for a process that is not the owner, there is one answer. */
TEST_F(errors, not_owner)
{
	int fd = open("/dev/vhost-iommu", O_RDWR), status;
	const struct row *row;
	pid_t child;

	ASSERT_LE(0, fd);
	for (row = table; row != end; row++) {
		if (row->cmd == VHOST_SET_OWNER)
			continue;
		EXPECT_EQ(EPERM, call(fd, row)) TH_LOG("line %d", row->line);
	}
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_OWNER));
	close(fd);

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		int bad = 0;

		for (row = table; row != end; row++)
			bad += call(self->vm.fd, row) !=
			       (row->cmd == VHOST_SET_OWNER ? EBUSY : EPERM);
		_exit(bad);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* An argument that is not there, or of which only the first word is. */
TEST_F(errors, addresses)
{
	char *last = self->page + PAGE - 4;
	int fd = self->vm.fd;
	const struct row *row;

	for (row = table; row != end; row++) {
		if (!row->len)
			continue;
		EXPECT_ERRNO(EFAULT, ioctl(fd, row->cmd, NULL));
		EXPECT_ERRNO(EFAULT, ioctl(fd, row->cmd, self->page + PAGE));
		EXPECT_ERRNO(EFAULT, ioctl(fd, row->cmd, -8UL));
		if (row->len <= 4 || row->stopped)
			continue;
		memcpy(last, row->arg, 4);
		EXPECT_EQ(-1, ioctl(fd, row->cmd, last)) TH_LOG("line %d", row->line);
		EXPECT_EQ(EFAULT, errno);
	}
}

/* Sizes that are no size, too small, and larger with and without something in it. */
TEST_F(errors, sizes)
{
	union {
		__u32	size;
		char	bytes[2 * PAGE];
	} arg;
	int fd = self->vm.fd;
	const struct row *row;

	for (row = table; row != end; row++) {
		if (!row->sized || row->stopped)
			continue;
		memset(&arg, 0, sizeof(arg));
		memcpy(&arg, row->arg, row->len);
		arg.size = 0;
		EXPECT_ERRNO(EINVAL, ioctl(fd, row->cmd, &arg));
		arg.size = first_size(row) - 1;
		EXPECT_ERRNO(EINVAL, ioctl(fd, row->cmd, &arg));
		arg.size = -1;
		EXPECT_ERRNO(E2BIG, ioctl(fd, row->cmd, &arg));
		arg.size = PAGE + 1;
		EXPECT_ERRNO(E2BIG, ioctl(fd, row->cmd, &arg));
		arg.size = PAGE;
		arg.bytes[PAGE - 1] = 1;
		EXPECT_EQ(only_fills(row) ? 0 : -1, ioctl(fd, row->cmd, &arg));
		if (!only_fills(row))
			EXPECT_EQ(E2BIG, errno);
		arg.size = PAGE;
		arg.bytes[PAGE - 1] = 0;
		EXPECT_EQ(0, ioctl(fd, row->cmd, &arg))
			TH_LOG("line %d: %s", row->line, strerror(errno));
	}
}

/* Memory that an argument points to. */
TEST_F(errors, endpoints)
{
	struct vhost_iommu_region *r = (void *)(self->page + PAGE - sizeof(*r));
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .id = EP + 1, .group_fd = -1,
		.regions = (uintptr_t)r, .nr_regions = 1,
	};
	struct vhost_iommu_region good = { 0x1000, 0x1fff };
	int fd = self->vm.fd;

	*r = BUT(good, c.last = 0);
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	*r = BUT(good, c.type = 2);
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	*r = BUT(good, c.reserved = 1);
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	*r = good;
	ep.nr_regions = 2;
	EXPECT_ERRNO(EFAULT, ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	EXPECT_EQ(1, get_stats(&self->vm).endpoints);
	ep.nr_regions = 1;
	EXPECT_EQ(0, ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	EXPECT_EQ(2, get_stats(&self->vm).endpoints);

	/* A file that is no VFIO group. */
	ep = (struct vhost_iommu_endpoint) {
		.size = sizeof(ep), .id = EP + 2, .group_fd = fd,
		.flags = VHOST_IOMMU_ENDPOINT_VFIO,
		.device = (uintptr_t)"0000:00:00.0",
	};
	EXPECT_ERRNO(ENOENT, ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep));
	EXPECT_EQ(2, get_stats(&self->vm).endpoints);
}

/* What has to be there before the queues can be started. */
TEST_F(errors, start)
{
	struct vhost_vring_file kick = { 1, -1 };
	struct vhost_iommu_config config = { .size = sizeof(config) };
	__u64 features, some;
	struct vm *vm = &self->vm;
	int fd = vm->fd;

	ASSERT_EQ(0, ioctl(fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(1 << VIRTIO_IOMMU_F_MAP_UNMAP,
		  features & (1 << VIRTIO_IOMMU_F_MAP_UNMAP |
			      1 << VIRTIO_IOMMU_F_BYPASS));
	some = features & ~(1ULL << VIRTIO_F_VERSION_1);
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_FEATURES, &some));
	EXPECT_ERRNO(EINVAL, vm_run(vm, 1));
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_FEATURES, &features));

	/* A feature that was offered before the configuration changed. */
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	ASSERT_EQ(0, ioctl(fd, VHOST_IOMMU_GET_CONFIG, &config));
	config.probe_size = 0;
	EXPECT_EQ(0, ioctl(fd, VHOST_IOMMU_SET_CONFIG, &config));
	EXPECT_ERRNO(EINVAL, vm_run(vm, 1));
	some = features & ~(1ULL << VIRTIO_IOMMU_F_PROBE);
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_FEATURES, &some));

	EXPECT_EQ(0, ioctl(fd, VHOST_SET_VRING_KICK, &kick));
	EXPECT_ERRNO(EINVAL, vm_run(vm, 1));
	kick.fd = fd;
	EXPECT_ERRNO(EINVAL, ioctl(fd, VHOST_SET_VRING_KICK, &kick));
	kick.fd = vm->event.kick;
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_VRING_KICK, &kick));
	EXPECT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(0, ioctl(fd, VHOST_SET_FEATURES, &some));
	some = features & ~(1ULL << VIRTIO_IOMMU_F_MMIO);
	some &= ~(1ULL << VIRTIO_IOMMU_F_PROBE);
	EXPECT_ERRNO(EBUSY, ioctl(fd, VHOST_SET_FEATURES, &some));
	EXPECT_EQ(0, vm_run(vm, 0));
	EXPECT_EQ(0, vm_run(vm, 0));
}

/* A ring where there is no memory. */
TEST_F(errors, ring_memory)
{
	struct vhost_vring_addr addr = {
		.desc_user_addr = (uintptr_t)self->page,
		.avail_user_addr = (uintptr_t)self->page + PAGE,
		.used_user_addr = (uintptr_t)self->page,
	};
	int fd = self->vm.fd;

	ASSERT_EQ(0, ioctl(fd, VHOST_SET_VRING_ADDR, &addr));
	EXPECT_ERRNO(EFAULT, vm_run(&self->vm, 1));
	addr.avail_user_addr = (uintptr_t)self->page;
	addr.used_user_addr = -8UL;
	ASSERT_EQ(0, ioctl(fd, VHOST_SET_VRING_ADDR, &addr));
	EXPECT_ERRNO(EFAULT, vm_run(&self->vm, 1));
}

TEST_HARNESS_MAIN
