// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VFIO container that we serve: what a VMM sees of it is what type1 shows, and
 * what becomes of guests' domains when memory below them comes and goes. And what the
 * hardware decides: where memory can be, and interrupts. All of it needs EDU, see
 * test.h.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sys.h"
#include "test.h"

#define PAGE	0x1000UL
#define TYPE1	"/sys/module/vfio_iommu_type1/parameters/"

/* The device in a container of ours, or in one of type1's; not open yet. */
static int open_container(struct edu *edu, struct vm *vm, bool ours)
{
	return ioctl(vm->fd, ours ? VHOST_IOMMU_CLAIM_CONTAINERS :
				    VHOST_IOMMU_RELEASE_CONTAINERS) ||
	       edu_open_group(edu) || edu_set_container(edu);
}

static void close_container(struct edu *edu)
{
	close(edu->group);
	close(edu->container);
}

/* This extension is type1's alone. */
static bool is_type1(const struct edu *edu)
{
	return ioctl(edu->container, VFIO_CHECK_EXTENSION, VFIO_UPDATE_VADDR) == 1;
}

/* What VFIO_IOMMU_GET_INFO says, with its capabilities. */
struct info {
	struct vfio_iommu_type1_info	head;
	char				caps[1024];
};

static int get_info(struct edu *edu, struct info *info)
{
	memset(info, 0, sizeof(*info));
	info->head.argsz = sizeof(*info);
	return ioctl(edu->container, VFIO_IOMMU_GET_INFO, info);
}

static void *capability(struct info *info, __u16 id)
{
	__u32 offset = info->head.cap_offset;

	while (offset && offset < sizeof(*info)) {
		struct vfio_info_cap_header *cap = (void *)info + offset;

		if (cap->id == id)
			return cap;
		offset = cap->next;
	}
	return NULL;
}

static long dma_avail(struct edu *edu)
{
	struct vfio_iommu_type1_info_dma_avail *cap;
	struct info info;

	if (get_info(edu, &info))
		return -1;
	cap = capability(&info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	return cap ? cap->avail : -1;
}

FIXTURE(container)
{
	struct vm vm;
	char *rom;
};

FIXTURE_SETUP(container)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, vm_create(&self->vm));
	self->rom = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->rom);
}

FIXTURE_TEARDOWN(container)
{
	if (getenv("EDU"))
		vm_destroy(&self->vm);
}

/**
 * struct step - MAP_DMA or UNMAP_DMA
 * @line: of this file
 * @unmap: which of them
 * @base: what @addr is relative to
 * @addr: address of the memory
 * @gpa: where it is mapped
 * @size: bytes
 * @flags: of the ioctl
 */
struct step {
	int	line;
	bool	unmap;
	enum { RAM, ROM, NOTHING } base;
	__u64	addr, gpa, size;
	__u32	flags;
};

#define MAP_OF(where, at, to, bytes, how)				\
	{ .line = __LINE__, .base = where, .addr = at, .gpa = to,	\
	  .size = bytes, .flags = how }
#define MAP(to, bytes)	MAP_OF(RAM, 0, to, bytes, DMA_RW)
#define UNMAP(from, bytes, how)						\
	{ .line = __LINE__, .unmap = true, .gpa = from, .size = bytes,	\
	  .flags = how }

/* What came of it: errno, @size of UNMAP, and what is pinned, charged and left. */
struct outcome {
	int	err;
	__u64	size;
	long	pinned, locked, avail;
};

static char *address(const struct step *s, struct vm *vm, char *rom)
{
	switch (s->base) {
	case RAM:
		return vm->ram + s->addr;
	case ROM:
		return rom + s->addr;
	default:
		return (char *)s->addr;
	}
}

static struct outcome play(struct edu *edu, struct vm *vm, char *rom,
			   const struct step *s)
{
	struct outcome o = {};
	__s64 size;

	errno = 0;
	if (s->unmap) {
		size = s2_unmap(edu, s->gpa, s->size, s->flags);
		o.size = size < 0 ? 0 : size;
	} else {
		s2_map(edu, address(s, vm, rom), s->gpa, s->size, s->flags);
	}
	o.err = errno;
	o.pinned = pinned_pages();
	o.locked = locked_pages();
	o.avail = dma_avail(edu);
	return o;
}

static void show(const char *who, const struct outcome *o)
{
	printf("# %s: errno %d, size %llu, pinned %ld, locked %ld, left %ld\n",
	       who, o->err, o->size, o->pinned, o->locked, o->avail);
}

static bool same(const struct outcome *type1, const struct outcome *ours)
{
	if (!memcmp(type1, ours, sizeof(*ours)))
		return true;
	show("type1", type1);
	show("ours", ours);
	return false;
}

static const struct step steps[] = {
	MAP(0, RAM_SIZE),
	MAP(0, PAGE),
	MAP(RAM_SIZE - PAGE, 2 * PAGE),
	MAP(RAM_SIZE, 0),
	MAP(RAM_SIZE + 8, PAGE),
	MAP(RAM_SIZE, PAGE + 8),
	MAP_OF(RAM, 8, RAM_SIZE, PAGE, DMA_RW),
	MAP_OF(RAM, 0, RAM_SIZE, PAGE, 0),
	MAP_OF(RAM, 0, RAM_SIZE, PAGE, 8),
	/* Where no memory can be: for MSIs, for some out of reach, behind the end. */
	MAP(0xfee00000, PAGE),
	MAP(0xfee00000 - PAGE, 2 * PAGE),
	MAP(1UL << 60, PAGE),
	MAP(-PAGE, 2 * PAGE),
	/* Memory that is none, or ends, or is for reading. */
	MAP_OF(NOTHING, 0, RAM_SIZE, PAGE, DMA_RW),
	MAP_OF(NOTHING, -PAGE, RAM_SIZE, PAGE, DMA_RW),
	MAP_OF(NOTHING, -PAGE, RAM_SIZE, 2 * PAGE, DMA_RW),
	MAP_OF(RAM, RAM_SIZE - 2 * PAGE, RAM_SIZE, 1UL << 30, DMA_RW),
	MAP_OF(ROM, 0, RAM_SIZE, PAGE, DMA_RW),
	MAP_OF(ROM, 0, RAM_SIZE, PAGE, VFIO_DMA_MAP_FLAG_READ),
	/* Memory that is mapped twice is charged twice. */
	MAP(1UL << 32, 16 * PAGE),
	/* Ranges go as a whole, several at once, or not at all. */
	UNMAP(0, RAM_SIZE / 2, 0),
	UNMAP(PAGE, RAM_SIZE, 0),
	UNMAP(8, PAGE, 0),
	UNMAP(0, 0, 0),
	UNMAP(-PAGE, 2 * PAGE, 0),
	UNMAP(0, RAM_SIZE, 8),
	UNMAP(1UL << 33, RAM_SIZE, 0),
	UNMAP(0, RAM_SIZE + PAGE, 0),
	MAP(RAM_SIZE, RAM_SIZE),
	UNMAP(PAGE, 0, VFIO_DMA_UNMAP_FLAG_ALL),
	UNMAP(0, PAGE, VFIO_DMA_UNMAP_FLAG_ALL),
	UNMAP(0, 0, VFIO_DMA_UNMAP_FLAG_ALL),
	UNMAP(0, 0, VFIO_DMA_UNMAP_FLAG_ALL),
};

/* Errors, sizes, and what is pinned and charged: after each step as with type1. */
TEST_F(container, as_type1)
{
	static struct outcome outcomes[2][ARRAY_SIZE(steps)];
	unsigned int i, ours;
	struct edu edu = {};

	for (ours = 0; ours < 2; ours++) {
		long pinned;

		ASSERT_EQ(0, open_container(&edu, &self->vm, ours));
		ASSERT_EQ(!ours, is_type1(&edu));
		pinned = pinned_pages();
		for (i = 0; i < ARRAY_SIZE(steps); i++) {
			outcomes[ours][i] = play(&edu, &self->vm, self->rom,
						 &steps[i]);
			outcomes[ours][i].pinned -= pinned;
		}
		close_container(&edu);
	}
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		EXPECT_TRUE(same(&outcomes[0][i], &outcomes[1][i]))
			TH_LOG("line %d", steps[i].line);
	}
	/* And it is what it should be. */
	EXPECT_EQ(RAM_SIZE / PAGE, outcomes[1][0].pinned);
	EXPECT_EQ(RAM_SIZE / PAGE, outcomes[1][0].locked);
	EXPECT_EQ(0, outcomes[1][i - 1].pinned);
	EXPECT_EQ(0, outcomes[1][i - 1].locked);
}

/* Two ranges at the most; for a user who may lock 16 pages. */
static const struct step limited[] = {
	MAP(0, 17 * PAGE),
	MAP(0, 15 * PAGE),
	MAP(1UL << 32, 2 * PAGE),
	MAP(1UL << 32, PAGE),
	MAP(1UL << 33, PAGE),
	UNMAP(0, 15 * PAGE, 0),
	MAP(1UL << 33, 15 * PAGE),
	UNMAP(0, 0, VFIO_DMA_UNMAP_FLAG_ALL),
};

TEST_F(container, limits_as_type1)
{
	static struct outcome outcomes[2][ARRAY_SIZE(limited)];
	const struct rlimit limit = { 16 * PAGE, 16 * PAGE };
	unsigned int i, ours;
	struct edu edu = {};

	ASSERT_TRUE(write_file(TYPE1 "dma_entry_limit", "2"));
	ASSERT_TRUE(write_file(PARAMETERS "dma_entry_limit", "2"));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	for (ours = 0; ours < 2; ours++) {
		ASSERT_EQ(0, open_container(&edu, &self->vm, ours));
		ASSERT_EQ(0, seteuid(65534));
		for (i = 0; i < ARRAY_SIZE(limited); i++) {
			outcomes[ours][i] = play(&edu, &self->vm, self->rom,
						 &limited[i]);
			outcomes[ours][i].pinned = 0;
		}
		ASSERT_EQ(0, seteuid(0));
		close_container(&edu);
	}
	EXPECT_TRUE(write_file(TYPE1 "dma_entry_limit", "65535"));
	EXPECT_TRUE(write_file(PARAMETERS "dma_entry_limit", "65535"));

	for (i = 0; i < ARRAY_SIZE(limited); i++) {
		EXPECT_TRUE(same(&outcomes[0][i], &outcomes[1][i]))
			TH_LOG("line %d", limited[i].line);
	}
	EXPECT_EQ(ENOMEM, outcomes[1][0].err);
	EXPECT_EQ(0, outcomes[1][1].err);
	EXPECT_EQ(ENOMEM, outcomes[1][2].err);
	EXPECT_EQ(15, outcomes[1][2].locked);
	EXPECT_EQ(0, outcomes[1][3].err);
	EXPECT_EQ(ENOSPC, outcomes[1][4].err);
	EXPECT_EQ(0, outcomes[1][6].err);
}

/* Arguments that are none, or too short. */
TEST_F(container, arguments_as_type1)
{
	static const unsigned int cmds[] = {
		VFIO_IOMMU_GET_INFO, VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA,
	};
	struct edu edu = {};
	unsigned int i, ours;
	__u32 arg[32] = {};

	for (ours = 0; ours < 2; ours++) {
		ASSERT_EQ(0, open_container(&edu, &self->vm, ours));
		for (i = 0; i < ARRAY_SIZE(cmds); i++) {
			EXPECT_ERRNO(EFAULT, ioctl(edu.container, cmds[i], NULL));
			arg[0] = 0;
			EXPECT_ERRNO(EINVAL, ioctl(edu.container, cmds[i], arg));
			arg[0] = 12;
			EXPECT_ERRNO(EINVAL, ioctl(edu.container, cmds[i], arg));
		}
		EXPECT_ERRNO(ENOTTY, ioctl(edu.container, VFIO_IOMMU_ENABLE));
		EXPECT_EQ(0, ioctl(edu.container, VFIO_CHECK_EXTENSION, -1));
		close_container(&edu);
	}
}

/* Page sizes, usable addresses, and the extensions that both have. */
TEST_F(container, info_as_type1)
{
	static const int extensions[] = {
		VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_UNMAP_ALL,
		VFIO_DMA_CC_IOMMU, VFIO_SPAPR_TCE_IOMMU, VFIO_EEH,
	};
	struct vfio_iommu_type1_info_cap_iova_range *ranges[2];
	int answers[2][ARRAY_SIZE(extensions)];
	struct edu edu = {};
	struct info info[2];
	unsigned int i, ours;
	__u32 size;

	for (ours = 0; ours < 2; ours++) {
		ASSERT_EQ(0, open_container(&edu, &self->vm, ours));
		ASSERT_EQ(0, get_info(&edu, &info[ours]));
		for (i = 0; i < ARRAY_SIZE(extensions); i++)
			answers[ours][i] = ioctl(edu.container,
						 VFIO_CHECK_EXTENSION,
						 extensions[i]);
		ranges[ours] = capability(&info[ours],
					  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
		ASSERT_NE(NULL, ranges[ours]);
		close_container(&edu);
	}
	EXPECT_EQ(0, memcmp(answers[0], answers[1], sizeof(answers[0])));
	EXPECT_EQ(info[0].head.iova_pgsizes, info[1].head.iova_pgsizes);
	EXPECT_EQ(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
		  info[1].head.flags);
	ASSERT_EQ(ranges[0]->nr_iovas, ranges[1]->nr_iovas);
	ASSERT_LT(1, ranges[0]->nr_iovas);
	size = ranges[0]->nr_iovas * sizeof(struct vfio_iova_range);
	EXPECT_EQ(0, memcmp(ranges[0]->iova_ranges, ranges[1]->iova_ranges, size));
}

/* Where memory can be in the container, or in the IOAS: the number of ranges. */
static unsigned int usable_ranges(struct edu *edu, struct vfio_iova_range *r,
				  unsigned int max)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct iommu_ioas_iova_ranges ioas = {
		.size = sizeof(ioas), .ioas_id = edu->ioas, .num_iovas = max,
		.allowed_iovas = (uintptr_t)r,
	};
	struct info info;

	if (in_iommufd())
		return ioctl(edu->container, IOMMU_IOAS_IOVA_RANGES, &ioas) ? 0 :
		       ioas.num_iovas;
	if (get_info(edu, &info))
		return 0;
	cap = capability(&info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	if (!cap || cap->nr_iovas > max)
		return 0;
	memcpy(r, cap->iova_ranges, cap->nr_iovas * sizeof(*r));
	return cap->nr_iovas;
}

/*
 * Each address is either usable in the container or reserved by a property of PROBE,
 * those that the hardware cannot translate included.
 */
TEST_F(edu, probe_and_ranges)
{
	const struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	char reply[PROBE_SIZE + sizeof(struct virtio_iommu_req_tail)];
	struct virtio_iommu_probe_resv_mem *prop = (void *)reply;
	struct vfio_iova_range ranges[32];
	unsigned int i, nr;
	__u64 next = 0;

	nr = usable_ranges(&self->edu, ranges, ARRAY_SIZE(ranges));
	ASSERT_LT(1, nr);
	ASSERT_EQ(sizeof(reply), request_raw(&self->vm, &req, sizeof(req), reply,
					     sizeof(reply)));
	EXPECT_STATUS(OK, (unsigned char)reply[PROBE_SIZE]);

	for (i = 0; i <= nr; i++) {
		__u64 end = i == nr ? 0 : ranges[i].start;

		/* What is between two ranges, in one property or in several. */
		for (; next != end; prop++) {
			ASSERT_EQ(VIRTIO_IOMMU_PROBE_T_RESV_MEM, prop->head.type);
			ASSERT_EQ(next, prop->start);
			next = prop->end + 1;
		}
		if (i < nr)
			next = ranges[i].end + 1;
	}
	EXPECT_EQ(0, prop->head.type);

	/* Nothing can be mapped there. */
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	for (prop = (void *)reply; prop->head.type; prop++) {
		EXPECT_STATUS(INVAL, map(&self->vm, 1, prop->start, PAGE, SRC_GPA,
					 RW));
		EXPECT_STATUS(INVAL, map(&self->vm, 1, prop->end - PAGE + 1, PAGE,
					 SRC_GPA, RW));
	}
	EXPECT_EQ(0, get_stats(&self->vm).mappings);
}

/* UNSAFE in the environment: the machine does not remap interrupts. */
TEST_F(container, isolated_interrupts)
{
	bool unsafe = getenv("UNSAFE");
	struct edu edu = {};

	ASSERT_TRUE(write_file(PARAMETERS "allow_unsafe_interrupts", "0"));
	ASSERT_TRUE(write_file(TYPE1 "allow_unsafe_interrupts", "0"));
	if (unsafe) {
		EXPECT_NE(0, open_container(&edu, &self->vm, true));
		EXPECT_EQ(EPERM, errno);
	} else {
		EXPECT_EQ(0, open_container(&edu, &self->vm, true));
		EXPECT_FALSE(is_type1(&edu));
	}
	close_container(&edu);
	ASSERT_TRUE(write_file(PARAMETERS "allow_unsafe_interrupts", "1"));
	EXPECT_EQ(0, open_container(&edu, &self->vm, true));
	EXPECT_FALSE(is_type1(&edu));
	close_container(&edu);
	ASSERT_TRUE(write_file(PARAMETERS "allow_unsafe_interrupts",
			       unsafe ? "1" : "0"));
	ASSERT_TRUE(write_file(TYPE1 "allow_unsafe_interrupts",
			       unsafe ? "1" : "0"));
}

/*
 * Half of the memory is unplugged and plugged under mappings that reach over its
 * edge, that lie in it, and that come and go meanwhile.
 */
TEST_F(edu, hotplug)
{
	const __u64 half = RAM_SIZE / 2, edge = half - PAGE;
	struct vm *vm = &self->vm;
	struct edu *edu = &self->edu;

	ASSERT_EQ(RAM_SIZE, s2_unmap(edu, 0, RAM_SIZE, 0));
	ASSERT_EQ(0, s2_map(edu, vm->ram, 0, half, DMA_RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, RW));

#define writes(iova, gpa) \
	edu_writes(edu, SRC_IOVA, self->src, iova, vm->ram + (gpa))
	EXPECT_STATUS(OK, map(vm, 1, MORE_IOVA, 2 * PAGE, edge, RW));
	EXPECT_STATUS(FAULT, map(vm, 1, 3 * SRC_IOVA, PAGE, half, RW));
	EXPECT_TRUE(writes(MORE_IOVA, edge));
	EXPECT_FALSE(writes(MORE_IOVA + PAGE, half));

	ASSERT_EQ(0, s2_map(edu, vm->ram + half, half, half, DMA_RW));
	EXPECT_TRUE(writes(MORE_IOVA + PAGE, half));
	EXPECT_STATUS(OK, map(vm, 1, 3 * SRC_IOVA, PAGE, half, RW));
	EXPECT_STATUS(OK, map(vm, 1, 4 * SRC_IOVA, PAGE, half + PAGE,
			      VIRTIO_IOMMU_MAP_F_READ));
	EXPECT_TRUE(writes(3 * SRC_IOVA, half));

	ASSERT_EQ(half, s2_unmap(edu, half, half, 0));
	EXPECT_TRUE(writes(MORE_IOVA, edge));
	EXPECT_FALSE(writes(MORE_IOVA + PAGE, half));
	EXPECT_FALSE(writes(3 * SRC_IOVA, half));
	EXPECT_EQ(4, get_stats(vm).mappings);
	EXPECT_STATUS(OK, unmap(vm, 1, 3 * SRC_IOVA, PAGE));

	/* It is plugged where other memory of the VMM is behind it. */
	ASSERT_EQ(0, s2_map(edu, vm->ram + half + 8 * PAGE, half, 8 * PAGE, DMA_RW));
	EXPECT_FALSE(writes(MORE_IOVA + PAGE, half));
	EXPECT_TRUE(writes(MORE_IOVA + PAGE, half + 8 * PAGE));
	EXPECT_FALSE(writes(3 * SRC_IOVA, half + 8 * PAGE));
	EXPECT_FALSE(writes(4 * SRC_IOVA, half + 9 * PAGE));
#undef writes
	EXPECT_STATUS(OK, unmap(vm, 1, 0, 0));
	EXPECT_EQ(0, get_stats(vm).mappings);
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

/* The BAR of a device, for peer to peer, is not memory of the VMM. */
TEST_F(edu, bar)
{
	const long locked = locked_pages(), pinned = pinned_pages();
	struct edu *edu = &self->edu;

	EXPECT_EQ(RAM_SIZE / PAGE, locked);
	EXPECT_EQ(0, s2_map(edu, (void *)edu->bar, 0x80000000, EDU_BAR_SIZE,
			    DMA_RW));
	EXPECT_EQ(locked, locked_pages());
	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_EQ(EDU_BAR_SIZE, s2_unmap(edu, 0x80000000, EDU_BAR_SIZE, 0));
	/* A range of memory and a BAR is none, and more than there can be. */
	EXPECT_EQ(-1, s2_map(edu, self->vm.ram, 1UL << 33, 1UL << 46, DMA_RW));
	EXPECT_EQ(locked, locked_pages());
	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_ERRNO(ENOTTY, ioctl(edu->container, VFIO_IOMMU_DIRTY_PAGES, NULL));
}

/* Pages of 2 MiB are used where all addresses allow it; both ways DMA arrives. */
TEST_F(edu, huge_pages)
{
	const __u64 huge = 2UL << 20, gpa = 1UL << 30;
	const __u64 aligned = 2UL << 30, off = (3UL << 30) + PAGE;
	struct vm *vm = &self->vm;
	long tables, small;
	char *ram;

	ASSERT_TRUE(write_file("/proc/sys/vm/nr_hugepages", "2"));
	ram = mmap(NULL, huge, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, ram);
	ASSERT_EQ(0, s2_map(&self->edu, ram, gpa, huge, DMA_RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, RW));

	/* The tables on the way there, the same for both, and two of small pages. */
	tables = table_pages();
	EXPECT_STATUS(OK, map(vm, 1, off, huge, gpa, RW));
	small = table_pages() - tables;
	tables = table_pages();
	EXPECT_STATUS(OK, map(vm, 1, aligned, huge, gpa, RW));
	EXPECT_EQ(small - 2, table_pages() - tables);

	EXPECT_TRUE(edu_writes(&self->edu, SRC_IOVA, self->src,
			       aligned + huge - PAGE, ram + huge - PAGE));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_IOVA, self->src,
			       off + huge - PAGE, ram + huge - PAGE));
	EXPECT_STATUS(RANGE, unmap(vm, 1, aligned, PAGE));
	EXPECT_STATUS(OK, unmap(vm, 1, aligned, huge));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_IOVA, self->src, aligned, ram));
	EXPECT_EQ(huge, s2_unmap(&self->edu, gpa, huge, 0));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_IOVA, self->src, off, ram));
	munmap(ram, huge);
	EXPECT_TRUE(write_file("/proc/sys/vm/nr_hugepages", "0"));
}

/* Another process has no memory here. */
TEST_F(edu, other_process)
{
	int status;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(s2_map(&self->edu, self->vm.ram, RAM_SIZE, PAGE, DMA_RW) == -1 &&
		      errno == EPERM ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
