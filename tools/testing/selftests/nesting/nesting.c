// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested translation by an SMMUv3, through iommufd: this program is VMM and guest at
 * once. As the guest it has a context descriptor and tables in its memory, as the VMM
 * it puts that memory into stage 2 and forwards the guest's commands. The edu device
 * that the environment names in EDU tells by DMA what the two stages make of it.
 *
 * What QEMU 10.0 emulates has one descriptor in a table, since it knows no PASIDs, and no
 * ATS. A fault of stage 2 while it walks stage 1 is reported as one of stage 1, so
 * Linux gives it to the guest; other faults of stage 2 remain with the host.
 *
 * A hostile guest is one whose descriptor, tables or pages are at addresses that it
 * was not given. They are physical addresses of pages that this program does have, so
 * that an access that goes past stage 2 finds what it looks for.
 */
#include "kselftest_harness.h"

/* Seconds for a test that hangs: the machine is emulated, and may be busy. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#include "hostile.h"
#include "smmuv3.h"

/* Guest-physical addresses, where the machine itself has no memory. */
#define RAM_GPA		0x200000000ULL
#define RAM_SIZE	0x100000UL
#define SRC_GPA		RAM_GPA
#define DST_GPA		(RAM_GPA + 0x1000)
#define OTHER_GPA	(RAM_GPA + 0x2000)
#define TABLES_GPA	(RAM_GPA + 0x10000)

/* Addresses of the guest's stage 1 */
#define SRC_IOVA	0x40000000ULL
#define DST_IOVA	0x40001000ULL
#define UNMAPPED_IOVA	0x40002000ULL

#define VSID		0x1234
#define ASID		1
#define OTHER_ASID	2

#define EXPECT_ERRNO(err, expr)						\
	do {								\
		errno = 0;						\
		EXPECT_EQ(-1, expr);					\
		EXPECT_EQ(err, errno);					\
	} while (0)

FIXTURE(nesting)
{
	struct edu edu;
	struct iommufd iommufd;
	struct smmu_memory memory;
	char *ram, *src, *dst, *other;
	int parent, viommu, events;
	__u64 cd, root;		/* what every test begins with */
};

/* A domain with the guest's stream table entry, or -1. */
static int ste_alloc(struct iommufd *iommufd, __u32 viommu, __u64 word0,
		     __u64 word1)
{
	struct iommu_hwpt_arm_smmuv3 data = { .ste = { word0, word1 } };

	return hwpt_alloc(iommufd, viommu, 0, IOMMU_HWPT_DATA_ARM_SMMUV3, &data,
			  sizeof(data));
}

/* Move the device to a new domain with a guest's stream table entry. */
static int attach_ste(struct edu *edu, struct iommufd *iommufd, __u32 viommu,
		      __u64 word0)
{
	int hwpt = ste_alloc(iommufd, viommu, word0, STE_CACHED);

	if (hwpt < 0)
		return -1;
	return edu_attach(edu, hwpt);
}

static int invalidate(struct iommufd *iommufd, __u32 viommu,
		      struct smmu_command *commands, __u32 *nr)
{
	return viommu_invalidate(iommufd, viommu,
				 IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
				 commands, sizeof(*commands), nr);
}

/* One command. */
#define command(...)							\
({									\
	struct smmu_command c = __VA_ARGS__;				\
	__u32 nr = 1;							\
									\
	invalidate(&self->iommufd, self->viommu, &c, &nr);		\
})

#define attach_stage1(cd)						\
	attach_ste(&self->edu, &self->iommufd, self->viommu,		\
		   STE_VALID | STE_STAGE1 | (cd))

/* Does a DMA to @iova arrive in the page @ram? */
#define writes(iova, ram)						\
	edu_writes(&self->edu, SRC_IOVA, self->src, iova, ram)

/* Tables by which the device reaches the source and the destination. */
static void map_both(struct smmu_memory *memory, __u64 root, __u64 dst_gpa)
{
	lpae_set(memory, root, SRC_IOVA, SRC_GPA, LPAE_PAGE);
	lpae_set(memory, root, DST_IOVA, dst_gpa, LPAE_PAGE);
}

FIXTURE_SETUP(nesting)
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
	self->memory = (struct smmu_memory){
		.base = self->ram + (TABLES_GPA - RAM_GPA), .gpa = TABLES_GPA,
		.size = RAM_SIZE - (TABLES_GPA - RAM_GPA),
	};

	ASSERT_EQ(0, vmm_open(iommufd, &self->edu));
	ASSERT_EQ(0, ioas_map(iommufd, self->ram, RAM_GPA, RAM_SIZE));
	self->parent = hwpt_alloc(iommufd, iommufd->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  IOMMU_HWPT_DATA_NONE, NULL, 0);
	ASSERT_LT(0, self->parent);
	self->viommu = viommu_alloc(iommufd, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				    self->parent);
	ASSERT_LT(0, self->viommu);
	ASSERT_LT(0, vdevice_alloc(iommufd, self->viommu, VSID));
	self->events = veventq_alloc(iommufd, self->viommu,
				     IOMMU_VEVENTQ_TYPE_ARM_SMMUV3);
	ASSERT_LT(0, self->events);

	self->cd = smmu_page(&self->memory);
	self->root = smmu_page(&self->memory);
	map_both(&self->memory, self->root, DST_GPA);
	smmu_write_cd(&self->memory, self->cd, self->root, ASID);
}

FIXTURE_TEARDOWN(nesting)
{
	if (!getenv("EDU"))
		return;
	close(self->events);
	iommufd_close(&self->iommufd, &self->edu);
	munmap(self->ram, RAM_SIZE);
}

/* The next event of the guest's, or false if there is none within a second. */
static bool read_event(int events, struct smmu_event *event)
{
	struct {
		struct iommufd_vevent_header header;
		struct smmu_event event;
	} record;
	struct pollfd poll_fd = { .fd = events, .events = POLLIN };
	ssize_t len;

	do {
		if (poll(&poll_fd, 1, 1000) != 1)
			return false;
		len = read(events, &record, sizeof(record));
		/* A header alone says that some are lost. */
	} while (len == sizeof(record.header));
	*event = record.event;
	return len == sizeof(record);
}

/* The first of what a DMA has caused, which are several, a few bytes each. */
static bool read_first_event(int events, struct smmu_event *event)
{
	struct smmu_event more;
	bool any = read_event(events, event);

	while (any && read_event(events, &more))
		;
	return any;
}

/* A fault of the device's is the guest's, with its number for the device. */
#define expect_event(type, address, is_read)				\
	do {								\
		struct smmu_event event;				\
									\
		ASSERT_TRUE(read_first_event(self->events, &event));	\
		EXPECT_EQ(type, smmu_event_type(&event));		\
		EXPECT_EQ(VSID, smmu_event_sid(&event));		\
		EXPECT_EQ(address, smmu_event_address(&event));		\
		EXPECT_EQ(is_read, smmu_event_is_read(&event));		\
	} while (0)

#define expect_no_event()						\
	do {								\
		struct smmu_event event;				\
									\
		EXPECT_FALSE(read_event(self->events, &event));		\
	} while (0)

/* Stage 2 alone: the parent itself, and a guest that does not translate. */
TEST_F(nesting, stage2)
{
	ASSERT_EQ(0, edu_attach(&self->edu, self->parent));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_GPA, self->src, DST_IOVA, self->dst));
	ASSERT_EQ(0, attach_ste(&self->edu, &self->iommufd, self->viommu,
				STE_VALID | STE_BYPASS));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_GPA, self->src, DST_IOVA, self->dst));
}

TEST_F(nesting, abort)
{
	ASSERT_EQ(0, attach_ste(&self->edu, &self->iommufd, self->viommu,
				STE_VALID | STE_ABORT));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
	/* An entry that is not valid. */
	ASSERT_EQ(0, attach_ste(&self->edu, &self->iommufd, self->viommu, 0));
	EXPECT_FALSE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
}

TEST_F(nesting, both_stages)
{
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_FALSE(writes(DST_GPA, self->dst));
	expect_event(EVT_F_TRANSLATION, DST_GPA, false);
}

TEST_F(nesting, fault)
{
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_FALSE(writes(UNMAPPED_IOVA, self->dst));
	expect_event(EVT_F_TRANSLATION, UNMAPPED_IOVA, false);
	edu_dma(&self->edu, UNMAPPED_IOVA, EDU_BUFFER, 0);
	expect_event(EVT_F_TRANSLATION, UNMAPPED_IOVA, true);
}

TEST_F(nesting, read_only)
{
	lpae_set(&self->memory, self->root, DST_IOVA, DST_GPA,
		 LPAE_PAGE | LPAE_RDONLY);
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	expect_event(EVT_F_PERMISSION, DST_IOVA, false);
}

/* Not valid before, so nothing is cached of it. */
TEST_F(nesting, map)
{
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_FALSE(writes(UNMAPPED_IOVA, self->other));
	lpae_set(&self->memory, self->root, UNMAPPED_IOVA, OTHER_GPA, LPAE_PAGE);
	EXPECT_TRUE(writes(UNMAPPED_IOVA, self->other));
}

/* QEMU's SMMU caches: until an invalidation, the former entry is in use. */
#define changed_entry_is_seen_after(...)				\
	do {								\
		ASSERT_EQ(0, attach_stage1(self->cd));			\
		ASSERT_TRUE(writes(DST_IOVA, self->dst));		\
		lpae_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, \
			 LPAE_PAGE);					\
		EXPECT_TRUE(writes(DST_IOVA, self->dst));		\
		ASSERT_EQ(0, command(__VA_ARGS__));			\
		EXPECT_TRUE(writes(DST_IOVA, self->other));		\
		lpae_set(&self->memory, self->root, DST_IOVA, 0, 0);	\
		ASSERT_EQ(0, command(__VA_ARGS__));			\
		EXPECT_FALSE(writes(DST_IOVA, self->other));		\
	} while (0)

TEST_F(nesting, invalidate_va)
{
	changed_entry_is_seen_after(CMD_TLBI_NH_VA(ASID, DST_IOVA));
}

TEST_F(nesting, invalidate_vaa)
{
	changed_entry_is_seen_after(CMD_TLBI_NH_VAA(DST_IOVA));
}

TEST_F(nesting, invalidate_asid)
{
	changed_entry_is_seen_after(CMD_TLBI_NH_ASID(ASID));
}

TEST_F(nesting, invalidate_all)
{
	changed_entry_is_seen_after(CMD_TLBI_NH_ALL);
}

TEST_F(nesting, invalidate_everything)
{
	changed_entry_is_seen_after(CMD_TLBI_NSNH_ALL);
}

/* Invalidations of something else leave an entry where it is. */
TEST_F(nesting, invalidate_other)
{
	ASSERT_EQ(0, attach_stage1(self->cd));
	ASSERT_TRUE(writes(DST_IOVA, self->dst));
	lpae_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, LPAE_PAGE);
	ASSERT_EQ(0, command(CMD_TLBI_NH_ASID(OTHER_ASID)));
	ASSERT_EQ(0, command(CMD_TLBI_NH_VA(ASID, UNMAPPED_IOVA)));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

/*
 * Several at once. After a bad one, the number says how many came before it, of which
 * Linux 7.3 may have done none: they have to be sent again.
 */
TEST_F(nesting, invalidate_batch)
{
	struct smmu_command good = CMD_TLBI_NH_VA(ASID, DST_IOVA);
	struct smmu_command bad = {{ 0x02 }};
	struct smmu_command batch[] = { good, good, bad, good };
	__u32 nr = 2;

	ASSERT_EQ(0, attach_stage1(self->cd));
	ASSERT_TRUE(writes(DST_IOVA, self->dst));
	lpae_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, LPAE_PAGE);
	EXPECT_EQ(0, invalidate(&self->iommufd, self->viommu, batch, &nr));
	EXPECT_EQ(2, nr);
	EXPECT_TRUE(writes(DST_IOVA, self->other));

	lpae_set(&self->memory, self->root, DST_IOVA, DST_GPA, LPAE_PAGE);
	nr = 4;
	EXPECT_ERRNO(EIO, invalidate(&self->iommufd, self->viommu, batch, &nr));
	EXPECT_EQ(2, nr);
	EXPECT_EQ(0, invalidate(&self->iommufd, self->viommu, batch, &nr));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

TEST_F(nesting, invalidate_refused)
{
	/* A number that no device has */
	EXPECT_ERRNO(EIO, command(CMD_CFGI_CD(VSID + 1)));
	EXPECT_ERRNO(EIO, command(CMD_CFGI_CD_ALL(0)));
	/* The SMMU has no ATS. */
	EXPECT_ERRNO(EIO, command(CMD_ATC_INV(VSID)));
	/* Of the host: CFGI_STE, CFGI_ALL, TLBI_EL2_ALL, TLBI_S12_VMALL, CMD_SYNC */
	EXPECT_ERRNO(EIO, command({{ 0x03 | (__u64)VSID << 32, 1 }}));
	EXPECT_ERRNO(EIO, command({{ 0x04, 31 }}));
	EXPECT_ERRNO(EIO, command({{ 0x20 }}));
	EXPECT_ERRNO(EIO, command({{ 0x28 }}));
	EXPECT_ERRNO(EIO, command({{ 0x46 }}));
	/* A reserved bit */
	EXPECT_ERRNO(EIO, command({{ 0x10 | SMMU_BIT(10) }}));
}

/* Another descriptor in the place of the one that the device uses. */
TEST_F(nesting, change_cd)
{
	__u64 root = smmu_page(&self->memory);

	map_both(&self->memory, root, OTHER_GPA);
	ASSERT_EQ(0, attach_stage1(self->cd));
	ASSERT_TRUE(writes(DST_IOVA, self->dst));
	smmu_write_cd(&self->memory, self->cd, root, ASID);
	ASSERT_EQ(0, command(CMD_CFGI_CD(VSID)));
	ASSERT_EQ(0, command(CMD_TLBI_NH_ASID(ASID)));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
	/* Unset */
	*smmu_at(&self->memory, self->cd) = 0;
	ASSERT_EQ(0, command(CMD_CFGI_CD_ALL(VSID)));
	EXPECT_FALSE(writes(DST_IOVA, self->other));
	expect_event(EVT_C_BAD_CD, 0, false);
}

/* Another domain in the place of the one that the device is in, and back. */
TEST_F(nesting, replace)
{
	__u64 root = smmu_page(&self->memory);
	__u64 cd = smmu_page(&self->memory);

	map_both(&self->memory, root, OTHER_GPA);
	smmu_write_cd(&self->memory, cd, root, OTHER_ASID);
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	ASSERT_EQ(0, attach_stage1(cd));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
	ASSERT_EQ(0, edu_attach(&self->edu, self->parent));
	EXPECT_FALSE(writes(DST_IOVA, self->other));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

TEST_F(nesting, ste_refused)
{
	struct iommufd *iommufd = &self->iommufd;
	__u64 good = STE_VALID | STE_STAGE1 | self->cd;
	int hwpt;

	hwpt = ste_alloc(iommufd, self->viommu, good, STE_CACHED);
	ASSERT_LT(0, hwpt);
	EXPECT_EQ(0, iommufd_destroy(iommufd, hwpt));
	/* Stage 2 is the host's, and so is a configuration with it. */
	EXPECT_ERRNO(EIO, ste_alloc(iommufd, self->viommu,
				    STE_VALID | 6ULL << 1, 0));
	EXPECT_ERRNO(EIO, ste_alloc(iommufd, self->viommu,
				    STE_VALID | 7ULL << 1 | self->cd, 0));
	EXPECT_ERRNO(EIO, ste_alloc(iommufd, self->viommu,
				    good | SMMU_BIT(52), 0));
	EXPECT_ERRNO(EIO, ste_alloc(iommufd, self->viommu, good, SMMU_BIT(30)));
}

/* The device reaches all of it if addresses are physical. */
static bool hostile_create(struct hostile *hostile)
{
	struct smmu_memory cd;
	unsigned int i;

	if (!hostile_pages(hostile))
		return false;
	for (i = H_L0; i < H_L3; i++)
		((__u64 *)hostile->page[i])[SRC_IOVA >> (39 - 9 * (i - H_L0)) &
					    (LPAE_ENTRIES - 1)] =
			hostile->phys[i + 1] | LPAE_VALID | LPAE_TABLE;
	((__u64 *)hostile->page[H_L3])[SRC_IOVA / 4096 % LPAE_ENTRIES] =
		hostile->phys[H_SRC] | LPAE_PAGE;
	((__u64 *)hostile->page[H_L3])[DST_IOVA / 4096 % LPAE_ENTRIES] =
		hostile->phys[H_DST] | LPAE_PAGE;
	cd = (struct smmu_memory){ .base = hostile->page[H_CD],
				   .gpa = hostile->phys[H_CD] };
	smmu_write_cd(&cd, cd.gpa, hostile->phys[H_L0], ASID);
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
TEST_F(nesting, hostile_cd)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	ASSERT_EQ(0, attach_stage1(hostile.phys[H_CD]));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	/* Not the guest's: the host knows of it. */
	expect_no_event();

	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_CD, H_CD));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L0, H_L0));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L1, H_L2));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L3, H_SRC));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	/* That was all. */
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_DST, H_DST));
	EXPECT_TRUE(hostile_writes(&self->edu, &hostile));
}

/* A guest's own descriptor whose table, or whose page, is not its memory. */
TEST_F(nesting, hostile_table)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	smmu_write_cd(&self->memory, self->cd, hostile.phys[H_L0], ASID);
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
}

TEST_F(nesting, hostile_page)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	lpae_set(&self->memory, self->root, DST_IOVA, hostile.phys[H_DST],
		 LPAE_PAGE);
	ASSERT_EQ(0, attach_stage1(self->cd));
	EXPECT_FALSE(writes(DST_IOVA, hostile.page[H_DST]));
}

/* What leaves stage 2 is out of reach at once, whatever stage 1 has cached. */
TEST_F(nesting, stage2_unmap)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	lpae_set(&self->memory, self->root, DST_IOVA, hostile.phys[H_DST],
		 LPAE_PAGE);
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_DST, H_DST));
	ASSERT_EQ(0, attach_stage1(self->cd));
	ASSERT_TRUE(writes(DST_IOVA, hostile.page[H_DST]));
	ASSERT_EQ(0, ioas_unmap(&self->iommufd, hostile.phys[H_DST], 4096));
	EXPECT_FALSE(writes(DST_IOVA, hostile.page[H_DST]));
}

/*
 * The same of a descriptor and of a table. QEMU's SMMU keeps what it knows of a
 * descriptor, the address of the table included, until it is told by name.
 */
TEST_F(nesting, stage2_unmap_tables)
{
	struct hostile hostile;

	ASSERT_TRUE(hostile_create(&hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L0, H_CD));
	ASSERT_EQ(0, attach_stage1(hostile.phys[H_CD]));
	ASSERT_TRUE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, ioas_unmap(&self->iommufd, hostile.phys[H_L0], 4096));
	ASSERT_EQ(0, command(CMD_CFGI_CD_ALL(VSID)));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, hostile_give(&self->iommufd, &hostile, H_L0, H_L0));
	EXPECT_TRUE(hostile_writes(&self->edu, &hostile));
	ASSERT_EQ(0, ioas_unmap(&self->iommufd, hostile.phys[H_CD], 4096));
	ASSERT_EQ(0, command(CMD_CFGI_CD_ALL(VSID)));
	EXPECT_FALSE(hostile_writes(&self->edu, &hostile));
}

/* A device has one number. Without one, nothing of the guest's translates for it. */
TEST_F(nesting, vdevice)
{
	struct iommufd *iommufd = &self->iommufd;
	int viommu;

	EXPECT_ERRNO(EEXIST, vdevice_alloc(iommufd, self->viommu, VSID + 1));
	viommu = viommu_alloc(iommufd, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
			      self->parent);
	ASSERT_LT(0, viommu);
	EXPECT_EQ(0, attach_ste(&self->edu, iommufd, viommu,
				STE_VALID | STE_BYPASS));
	EXPECT_ERRNO(ENOENT, attach_ste(&self->edu, iommufd, viommu,
					STE_VALID | STE_STAGE1 | self->cd));
	EXPECT_TRUE(edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst));
}

TEST_HARNESS_MAIN
