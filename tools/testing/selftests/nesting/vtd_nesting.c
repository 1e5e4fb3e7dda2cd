// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested translation by VT-d, through iommufd: this program is VMM and guest at once.
 * As the guest it has tables in its memory, as the VMM it puts that memory into stage 2
 * and forwards the guest's invalidations. The edu device that the environment names in
 * EDU tells by DMA what the two stages make of it.
 *
 * A hostile guest is one whose tables or pages are at addresses that it was not given.
 * They are physical addresses of pages that this program does have, so that an access
 * that goes past stage 2 finds what it looks for.
 */
#include "kselftest_harness.h"

/* Seconds for a test that hangs: the machine is emulated, and may be busy. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#include "hostile.h"
#include "vtd.h"

/* Guest-physical addresses, where the machine itself has no memory. */
#define RAM_GPA		0x200000000ULL
#define RAM_SIZE	0x400000UL
#define SRC_GPA		RAM_GPA
#define DST_GPA		(RAM_GPA + 0x1000)
#define OTHER_GPA	(RAM_GPA + 0x2000)
#define TABLES_GPA	(RAM_GPA + 0x10000)
#define LARGE_SIZE	0x200000ULL

/* Addresses of the guest's stage 1 */
#define SRC_IOVA	0x40000000ULL
#define DST_IOVA	0x40001000ULL
#define UNMAPPED_IOVA	0x40002000ULL
#define LARGE_IOVA	0x80000000ULL

#define EXPECT_ERRNO(err, expr)						\
	do {								\
		errno = 0;						\
		EXPECT_EQ(-1, expr);					\
		EXPECT_EQ(err, errno);					\
	} while (0)

FIXTURE(vtd)
{
	struct edu edu;
	struct iommufd iommufd;
	struct vtd_memory memory;
	char *ram, *src, *dst, *other;
	int parent, hwpt;
	__u64 root;		/* what every test begins with */
};

/* A domain of a guest's tables, or -1. */
static int stage1_alloc(struct iommufd *iommufd, __u32 parent, __u64 root)
{
	struct iommu_hwpt_vtd_s1 data = {
		.pgtbl_addr = root, .addr_width = VTD_WIDTH,
	};

	return hwpt_alloc(iommufd, parent, 0, IOMMU_HWPT_DATA_VTD_S1, &data,
			  sizeof(data));
}

/* Move the device to the tables at @root. Returns the domain, or -1. */
static int attach_stage1(struct edu *edu, struct iommufd *iommufd, __u32 parent,
			 __u64 root)
{
	int hwpt = stage1_alloc(iommufd, parent, root);

	return hwpt < 0 || edu_attach(edu, hwpt) ? -1 : hwpt;
}

#define attach(root)							\
	(self->hwpt = attach_stage1(&self->edu, &self->iommufd,		\
				    self->parent, root))

static int invalidate(struct iommufd *iommufd, __u32 hwpt,
		      struct iommu_hwpt_vtd_s1_invalidate *ranges, __u32 *nr)
{
	return viommu_invalidate(iommufd, hwpt,
				 IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, ranges,
				 sizeof(*ranges), nr);
}

/* One range. */
#define flush(...)							\
({									\
	struct iommu_hwpt_vtd_s1_invalidate range = { __VA_ARGS__ };	\
	__u32 nr = 1;							\
									\
	invalidate(&self->iommufd, self->hwpt, &range, &nr);		\
})

#define flush_pages(iova, n)	flush(.addr = (iova), .npages = (n))
#define flush_all()		flush(.npages = ~0ULL)

/* Does a DMA to @iova arrive in the page @ram? */
#define writes(iova, ram)						\
	edu_writes(&self->edu, SRC_IOVA, self->src, iova, ram)

/* Tables by which the device reaches the source and the destination. */
static void map_both(struct vtd_memory *memory, __u64 root, __u64 dst_gpa)
{
	vtd_set(memory, root, SRC_IOVA, SRC_GPA, VTD_PAGE);
	vtd_set(memory, root, DST_IOVA, dst_gpa, VTD_PAGE);
}

FIXTURE_SETUP(vtd)
{
	struct iommufd *iommufd = &self->iommufd;

	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	self->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ram);
	self->src = self->ram + (SRC_GPA - RAM_GPA);
	self->dst = self->ram + (DST_GPA - RAM_GPA);
	self->other = self->ram + (OTHER_GPA - RAM_GPA);
	self->memory = (struct vtd_memory){
		.base = self->ram + (TABLES_GPA - RAM_GPA), .gpa = TABLES_GPA,
		.size = LARGE_SIZE - (TABLES_GPA - RAM_GPA),
	};

	ASSERT_EQ(0, vmm_open(iommufd, &self->edu));
	ASSERT_EQ(0, ioas_map(iommufd, self->ram, RAM_GPA, RAM_SIZE));
	self->parent = hwpt_alloc(iommufd, iommufd->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  IOMMU_HWPT_DATA_NONE, NULL, 0);
	ASSERT_LT(0, self->parent);
	self->root = vtd_page(&self->memory);
	map_both(&self->memory, self->root, DST_GPA);
}

FIXTURE_TEARDOWN(vtd)
{
	if (!getenv("EDU"))
		return;
	iommufd_close(&self->iommufd, &self->edu);
	munmap(self->ram, RAM_SIZE);
}

/* Stage 2 alone. */
TEST_F(vtd, stage2)
{
	ASSERT_EQ(0, edu_attach(&self->edu, self->parent));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_GPA, self->src, DST_IOVA, self->dst));
}

TEST_F(vtd, both_stages)
{
	ASSERT_LT(0, attach(self->root));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_FALSE(writes(DST_GPA, self->dst));
	EXPECT_FALSE(writes(UNMAPPED_IOVA, self->dst));
}

TEST_F(vtd, read_only)
{
	vtd_set(&self->memory, self->root, SRC_IOVA, SRC_GPA, VTD_RDONLY);
	vtd_set(&self->memory, self->root, UNMAPPED_IOVA, OTHER_GPA, VTD_RDONLY);
	ASSERT_LT(0, attach(self->root));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_FALSE(writes(UNMAPPED_IOVA, self->other));
}

/* The bits are set in the guest's memory, so by way of stage 2. */
TEST_F(vtd, accessed_dirty)
{
	unsigned int level;

	ASSERT_LT(0, attach(self->root));
	ASSERT_TRUE(writes(DST_IOVA, self->dst));
	for (level = 0; level <= VTD_LEAF; level++)
		EXPECT_TRUE(*vtd_entry(&self->memory, self->root, DST_IOVA,
				       level) & VTD_ACCESSED);
	EXPECT_TRUE(*vtd_entry(&self->memory, self->root, DST_IOVA, VTD_LEAF) &
		    VTD_DIRTY);
	EXPECT_FALSE(*vtd_entry(&self->memory, self->root, SRC_IOVA, VTD_LEAF) &
		     VTD_DIRTY);
}

/* Not valid before, so nothing is cached of it. */
TEST_F(vtd, map)
{
	ASSERT_LT(0, attach(self->root));
	EXPECT_FALSE(writes(UNMAPPED_IOVA, self->other));
	vtd_set(&self->memory, self->root, UNMAPPED_IOVA, OTHER_GPA, VTD_PAGE);
	EXPECT_TRUE(writes(UNMAPPED_IOVA, self->other));
}

/* QEMU's VT-d caches: until an invalidation, the former entry is in use. */
#define changed_entry_is_seen_after(...)				\
	do {								\
		ASSERT_LT(0, attach(self->root));			\
		ASSERT_TRUE(writes(DST_IOVA, self->dst));		\
		vtd_set(&self->memory, self->root, DST_IOVA, OTHER_GPA,	\
			VTD_PAGE);					\
		EXPECT_TRUE(writes(DST_IOVA, self->dst));		\
		ASSERT_EQ(0, __VA_ARGS__);				\
		EXPECT_TRUE(writes(DST_IOVA, self->other));		\
		vtd_set(&self->memory, self->root, DST_IOVA, 0, 0);	\
		ASSERT_EQ(0, __VA_ARGS__);				\
		EXPECT_FALSE(writes(DST_IOVA, self->other));		\
	} while (0)

TEST_F(vtd, invalidate_page)
{
	changed_entry_is_seen_after(flush_pages(DST_IOVA, 1));
}

TEST_F(vtd, invalidate_range)
{
	changed_entry_is_seen_after(flush_pages(SRC_IOVA, 3));
}

TEST_F(vtd, invalidate_all)
{
	changed_entry_is_seen_after(flush_all());
}

/* Invalidations of something else leave an entry where it is. */
TEST_F(vtd, invalidate_other)
{
	int other;

	ASSERT_LT(0, attach(self->root));
	ASSERT_TRUE(writes(DST_IOVA, self->dst));
	vtd_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, VTD_PAGE);
	ASSERT_EQ(0, flush_pages(UNMAPPED_IOVA, 1));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	/* Another domain, which no device is in */
	other = stage1_alloc(&self->iommufd, self->parent, self->root);
	ASSERT_LT(0, other);
	self->hwpt = other;
	ASSERT_EQ(0, flush_all());
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

/* Several at once. After a bad one, the number says how many came before it. */
TEST_F(vtd, invalidate_batch)
{
	struct iommu_hwpt_vtd_s1_invalidate batch[] = {
		{ .addr = UNMAPPED_IOVA, .npages = 1 },
		{ .addr = DST_IOVA, .npages = 1 },
		{ .addr = DST_IOVA + 1, .npages = 1 },
	};
	__u32 nr = 3;

	ASSERT_LT(0, attach(self->root));
	ASSERT_TRUE(writes(DST_IOVA, self->dst));
	vtd_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, VTD_PAGE);
	EXPECT_ERRNO(EINVAL, invalidate(&self->iommufd, self->hwpt, batch, &nr));
	EXPECT_EQ(2, nr);
	EXPECT_TRUE(writes(DST_IOVA, self->other));
}

TEST_F(vtd, invalidate_refused)
{
	ASSERT_LT(0, attach(self->root));
	EXPECT_ERRNO(EINVAL, flush(.addr = DST_IOVA, .npages = ~0ULL));
	EXPECT_ERRNO(EOPNOTSUPP, flush(.addr = DST_IOVA, .npages = 1,
				       .flags = 2));
	EXPECT_ERRNO(EOPNOTSUPP, flush(.addr = DST_IOVA, .npages = 1,
				       .__reserved = 1));
}

/*
 * A large page over small ones is cached in parts, all of which go with it, whichever
 * address of the page the guest names.
 */
TEST_F(vtd, large_page)
{
	__u64 *entry = vtd_entry(&self->memory, self->root, LARGE_IOVA,
				 VTD_LEAF - 1);
	__u64 iova = LARGE_IOVA + (OTHER_GPA - RAM_GPA);

	*entry = RAM_GPA | VTD_PAGE | VTD_LARGE;
	ASSERT_LT(0, attach(self->root));
	ASSERT_TRUE(writes(LARGE_IOVA + (DST_GPA - RAM_GPA), self->dst));
	ASSERT_TRUE(writes(iova, self->other));
	*entry = (RAM_GPA + LARGE_SIZE) | VTD_PAGE | VTD_LARGE;
	EXPECT_TRUE(writes(iova, self->other));
	ASSERT_EQ(0, flush_pages(LARGE_IOVA, 1));
	EXPECT_FALSE(writes(iova, self->other));
	EXPECT_TRUE(writes(iova, self->other + LARGE_SIZE));
}

/* Another domain in the place of the one that the device is in, and back. */
TEST_F(vtd, replace)
{
	__u64 root = vtd_page(&self->memory);
	int first;

	map_both(&self->memory, root, OTHER_GPA);
	ASSERT_LT(0, attach(self->root));
	first = self->hwpt;
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	ASSERT_LT(0, attach(root));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
	ASSERT_EQ(0, edu_attach(&self->edu, self->parent));
	EXPECT_FALSE(writes(DST_IOVA, self->other));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
	ASSERT_EQ(0, edu_attach(&self->edu, first));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

TEST_F(vtd, detach)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	ASSERT_LT(0, attach(self->root));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	ASSERT_EQ(0, ioctl(self->edu.device, VFIO_DEVICE_DETACH_IOMMUFD_PT,
			   &detach));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	ASSERT_EQ(0, edu_attach(&self->edu, self->hwpt));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

/* What VT-d cannot do is refused when a device is to use it. */
TEST_F(vtd, refused)
{
	struct iommufd *iommufd = &self->iommufd;
	struct iommu_hwpt_vtd_s1 data = {
		.pgtbl_addr = self->root, .addr_width = VTD_WIDTH + 9,
	};
	int hwpt, plain;

	hwpt = hwpt_alloc(iommufd, self->parent, 0, IOMMU_HWPT_DATA_VTD_S1,
			  &data, sizeof(data));
	ASSERT_LT(0, hwpt);
	EXPECT_ERRNO(EINVAL, edu_attach(&self->edu, hwpt));
	plain = hwpt_alloc(iommufd, iommufd->ioas, 0, IOMMU_HWPT_DATA_NONE,
			   NULL, 0);
	ASSERT_LT(0, plain);
	EXPECT_ERRNO(EINVAL, stage1_alloc(iommufd, plain, self->root));
}

/* The device reaches all of it if addresses are physical. */
static bool hostile_create(struct hostile *hostile)
{
	unsigned int i;

	if (!hostile_pages(hostile))
		return false;
	for (i = H_L0; i < H_L3; i++)
		((__u64 *)hostile->page[i])[vtd_index(SRC_IOVA, i)] =
			hostile->phys[i + 1] | VTD_TABLE;
	((__u64 *)hostile->page[H_L3])[vtd_index(SRC_IOVA, VTD_LEAF)] =
		hostile->phys[H_SRC] | VTD_PAGE;
	((__u64 *)hostile->page[H_L3])[vtd_index(DST_IOVA, VTD_LEAF)] =
		hostile->phys[H_DST] | VTD_PAGE;
	return true;
}

static bool hostile_writes(struct edu *edu, struct hostile *hostile)
{
	return edu_writes(edu, SRC_IOVA, hostile->page[H_SRC], DST_IOVA,
			  hostile->page[H_DST]);
}

/*
 * All that is needed to reach the page is there, but for stage 2. As each part of it
 * becomes the guest's memory, the next one is what stops the device.
 */
TEST_F(vtd, hostile_tables)
{
	struct hostile hostile;
	unsigned int i;

	ASSERT_TRUE(hostile_create(&hostile));
	ASSERT_LT(0, attach(hostile.phys[H_L0]));
	for (i = 0; i <= H_DST; i++) {
		EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
		/* Not even that it was used. */
		EXPECT_FALSE(i <= H_L3 &&
			     ((__u64 *)hostile.page[i])[vtd_index(DST_IOVA, i)] &
			     VTD_ACCESSED);
		ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, i, i));
	}
	EXPECT_TRUE(hostile_writes(&self->edu, &hostile));
}

TEST_F(vtd, hostile_page)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	vtd_set(&self->memory, self->root, DST_IOVA, hostile.phys[H_DST],
		VTD_PAGE);
	ASSERT_LT(0, attach(self->root));
	EXPECT_FALSE(writes(DST_IOVA, hostile.page[H_DST]));
}

/* What leaves stage 2 is out of reach at once, whatever stage 1 has cached. */
TEST_F(vtd, stage2_unmap)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	vtd_set(&self->memory, self->root, DST_IOVA, hostile.phys[H_DST],
		VTD_PAGE);
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_DST, H_DST));
	ASSERT_LT(0, attach(self->root));
	ASSERT_TRUE(writes(DST_IOVA, hostile.page[H_DST]));
	ASSERT_EQ(0, ioas_unmap(&self->iommufd, hostile.phys[H_DST], 4096));
	EXPECT_FALSE(writes(DST_IOVA, hostile.page[H_DST]));
}

/* The same of a table. */
TEST_F(vtd, stage2_unmap_table)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L0, H_DST));
	ASSERT_LT(0, attach(hostile.phys[H_L0]));
	ASSERT_TRUE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, ioas_unmap(&self->iommufd, hostile.phys[H_L1], 4096));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L1, H_L1));
	EXPECT_TRUE(hostile_writes(&self->edu, &hostile));
}

TEST_HARNESS_MAIN
