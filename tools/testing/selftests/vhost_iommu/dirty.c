// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which memory devices have written to, with iommufd: VHOST_IOMMU_SET_DIRTY_TRACKING and
 * VHOST_IOMMU_GET_DIRTY_BITMAP. The IOMMU of the machine cannot tell, so what is mapped
 * for writing counts as written; one that can is in mock.c. All of it needs EDU.
 */
#include "test.h"

#define PAGE	0x1000UL
#define PAGES	(RAM_SIZE / PAGE)
#define WORDS	(PAGES / 64)
#define R	VIRTIO_IOMMU_MAP_F_READ
#define W	VIRTIO_IOMMU_MAP_F_WRITE

FIXTURE(dirty)
{
	struct vm vm;
	struct edu edu;
	char *src, *dst;
	__u64 bitmap[WORDS];
};

FIXTURE_SETUP(dirty)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	setenv("IOMMUFD", "1", 1);
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
}

FIXTURE_TEARDOWN(dirty)
{
	if (!getenv("EDU"))
		return;
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

static int track(struct vm *vm, __u32 flags)
{
	struct vhost_iommu_dirty_tracking arg = {
		.size = sizeof(arg), .flags = flags,
	};

	return ioctl(vm->fd, VHOST_IOMMU_SET_DIRTY_TRACKING, &arg);
}

static int begin(struct vm *vm)
{
	return track(vm, VHOST_IOMMU_DIRTY_TRACKING_ENABLE);
}

static int get(struct vm *vm, struct vhost_iommu_dirty_bitmap arg)
{
	return ioctl(vm->fd, VHOST_IOMMU_GET_DIRTY_BITMAP, &arg);
}

/* All of memory, by pages. */
#define ALL()								\
	((struct vhost_iommu_dirty_bitmap) {				\
		.size = sizeof(struct vhost_iommu_dirty_bitmap),	\
		.last = RAM_SIZE - 1, .page_size = PAGE,		\
		.bitmap = (uintptr_t)self->bitmap })

/* How many pages were written, and is this one of them? */
#define look()	({							\
	memset(self->bitmap, 0, sizeof(self->bitmap));			\
	EXPECT_EQ(0, get(&self->vm, ALL()));				\
	count(self->bitmap); })
#define has(gpa)	is_set(self->bitmap, gpa)

static bool is_set(const __u64 *bitmap, __u64 gpa)
{
	return bitmap[gpa / PAGE / 64] >> (gpa / PAGE % 64) & 1;
}

static unsigned int count(const __u64 *bitmap)
{
	unsigned int i, nr = 0;

	for (i = 0; i < WORDS; i++)
		nr += __builtin_popcountll(bitmap[i]);
	return nr;
}

TEST_F(dirty, errors)
{
	struct vm *vm = &self->vm;
	struct vm other;

	EXPECT_ERRNO(ENOENT, get(vm, ALL()));
	EXPECT_ERRNO(EOPNOTSUPP, track(vm, 2));
	EXPECT_EQ(0, track(vm, 0));
	EXPECT_EQ(0, begin(vm));
	EXPECT_EQ(0, begin(vm));
	EXPECT_ERRNO(EOPNOTSUPP, get(vm, BUT(ALL(), c.flags = 1)));
	EXPECT_ERRNO(EOPNOTSUPP, get(vm, BUT(ALL(), c.reserved = 1)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.page_size = 0)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.page_size = PAGE / 2)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.page_size = 3 * PAGE)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.start = 1)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.last--)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.start = c.last + 1)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.bitmap = 0)));
	EXPECT_ERRNO(EINVAL, get(vm, BUT(ALL(), c.bitmap++)));
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.last = ~0ULL; c.page_size = 1 << 30)));
	EXPECT_EQ(0, track(vm, 0));
	EXPECT_ERRNO(ENOENT, get(vm, ALL()));

	ASSERT_EQ(0, vm_create(&other));
	EXPECT_ERRNO(ENOENT, begin(&other));
	EXPECT_ERRNO(ENOENT, get(&other, ALL()));
	vm_destroy(&other);
}

/* What is mapped for writing, as long as it is, and once more afterwards. */
TEST_F(dirty, mapped)
{
	struct vhost_iommu_dirty_bitmap arg = ALL();
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, R));
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, PAGE, DST_GPA, W));
	EXPECT_EQ(0, begin(vm));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_GET_DIRTY_BITMAP, &arg));
	EXPECT_EQ(1, arg.coarse);
	EXPECT_TRUE(has(DST_GPA));
	EXPECT_EQ(1, count(self->bitmap));
	EXPECT_EQ(1, look());

	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, PAGE));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, PAGE));
	EXPECT_EQ(1, look());
	EXPECT_TRUE(has(DST_GPA));
	EXPECT_EQ(0, look());

	/* Between two questions */
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, 4 * PAGE, DST_GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, 4 * PAGE));
	EXPECT_EQ(4, look());
	EXPECT_EQ(0, look());
}

/* A domain that goes, and a device in bypass, which is not our business. */
TEST_F(dirty, detached)
{
	struct vm *vm = &self->vm;

	EXPECT_EQ(0, begin(vm));
	EXPECT_TRUE(bypass_works());
	EXPECT_EQ(0, look());
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(2, look());
	EXPECT_TRUE(has(SRC_GPA));
	EXPECT_TRUE(has(DST_GPA));
	EXPECT_EQ(0, look());

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, PAGE, DST_GPA, RW));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(1, look());
}

/* Before it began, and after it ended. */
TEST_F(dirty, only_meanwhile)
{
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, PAGE, DST_GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, PAGE));
	EXPECT_EQ(0, begin(vm));
	EXPECT_EQ(0, look());
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, PAGE, DST_GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, PAGE));
	EXPECT_EQ(0, track(vm, 0));
	EXPECT_EQ(0, begin(vm));
	EXPECT_EQ(0, look());
}

/* A part of memory, larger pages, and bits that are set already. */
TEST_F(dirty, answers)
{
	const __u64 large = 16 * PAGE;
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, 3 * PAGE, SRC_GPA + 15 * PAGE, RW));
	EXPECT_EQ(0, begin(vm));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, 3 * PAGE));

	/* The last page before it, and the one behind */
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.last = SRC_GPA + 15 * PAGE - 1)));
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.start = SRC_GPA + 18 * PAGE)));
	EXPECT_EQ(0, count(self->bitmap));

	/* One page of the three, as bit 0 */
	self->bitmap[0] = 1ULL << 63;
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.start = SRC_GPA + 16 * PAGE;
				 c.last = c.start + PAGE - 1)));
	EXPECT_EQ(1ULL << 63 | 1, self->bitmap[0]);
	EXPECT_EQ(2, count(self->bitmap));

	/* The other two are in two large pages. */
	memset(self->bitmap, 0, sizeof(self->bitmap));
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.page_size = large)));
	EXPECT_EQ(2, count(self->bitmap));
	EXPECT_EQ(3, self->bitmap[SRC_GPA / large / 64] >> (SRC_GPA / large % 64));
	EXPECT_EQ(0, look());
}

/* An answer that does not arrive is not lost. */
TEST_F(dirty, bad_address)
{
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	struct vm *vm = &self->vm;

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_EQ(0, begin(vm));
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, PAGE, DST_GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, PAGE));
	EXPECT_ERRNO(EFAULT, get(vm, BUT(ALL(), c.bitmap = (uintptr_t)page)));
	EXPECT_ERRNO(EFAULT, get(vm, BUT(ALL(), c.bitmap = PAGE)));
	EXPECT_EQ(1, look());
	EXPECT_TRUE(has(DST_GPA));
	munmap(page, PAGE);
}

/* Memory that comes and goes meanwhile. */
TEST_F(dirty, memory_changes)
{
	const __u64 gpa = RAM_SIZE;
	struct vm *vm = &self->vm;
	__u64 bit = 0;
	char *more = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, more);
	EXPECT_EQ(0, begin(vm));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_EQ(0, s2_map(&self->edu, more, gpa, PAGE, DMA_RW));
	EXPECT_STATUS(OK, map(vm, 1, DST_IOVA, PAGE, gpa, RW));
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.start = gpa; c.last = gpa + PAGE - 1;
				 c.bitmap = (uintptr_t)&bit)));
	EXPECT_EQ(1, bit);
	EXPECT_EQ((__s64)PAGE, s2_unmap(&self->edu, gpa, PAGE, 0));
	EXPECT_STATUS(OK, unmap(vm, 1, DST_IOVA, PAGE));
	EXPECT_EQ(0, look());

	/* The same address begins without. */
	EXPECT_EQ(0, s2_map(&self->edu, more, gpa, PAGE, DMA_RW));
	bit = 0;
	EXPECT_EQ(0, get(vm, BUT(ALL(), c.start = gpa; c.last = gpa + PAGE - 1;
				 c.bitmap = (uintptr_t)&bit)));
	EXPECT_EQ(0, bit);
	munmap(more, PAGE);
}

TEST_HARNESS_MAIN
