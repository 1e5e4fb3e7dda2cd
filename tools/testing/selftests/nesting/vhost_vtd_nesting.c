// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of a guest that VT-d walks, through /dev/vhost-iommu: the formats of x86-64
 * and of PASID tables, see Documentation/virtio/page-tables.rst. The edu device EDU tells by
 * DMA what comes of it. What is shadowed is in ../vhost_iommu/tables.c and pasids.c.
 */
#include "../vhost_iommu/tables.h"
#include "../vhost_iommu/inject.h"

/* First-stage entries: a device is a user, and finds them accessed and dirty. */
#define U	(VIRTIO_IOMMU_X86_64_USER | VIRTIO_IOMMU_X86_64_ACCESSED | \
		 VIRTIO_IOMMU_X86_64_DIRTY)
#define OTHER_GPA	0x102000UL
#define SRC		FIRST
#define DST		(FIRST + 0x1000)

FIXTURE(nested)
{
	struct vm vm;
	struct edu edu;
	char *src, *dst, *other;
};

/* SRC and DST by ROOT; the same pages at OTHER by ROOT2. */
static void make_walked(struct vm *vm)
{
	memset(vm->ram + ROOT, 0, 0x10000);
	set(vm, ROOT, 0, L3 | P | W | U);
	set(vm, L3, 0, L2 | P | W | U);
	set(vm, L2, FIRST >> 21, L1 | P | W | U);
	set(vm, L1, 0, SRC_GPA | P | U);
	set(vm, L1, 1, DST_GPA | P | W | U);
	set(vm, ROOT2, 0, L3_2 | P | W | U);
	set(vm, L3_2, 0, L2_2 | P | W | U);
	set(vm, L2_2, OTHER >> 21, L1 | P | W | U);
	set(vm, PASIDS, 0, ROOT | VALID);
	set(vm, PASIDS2, 0, ROOT2 | VALID);
}

FIXTURE_SETUP(nested)
{
	setenv("IOMMUFD", "1", 1);
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	make_walked(&self->vm);
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
	self->other = self->vm.ram + OTHER_GPA;
}

FIXTURE_TEARDOWN(nested)
{
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

#define writes(iova, ram)	edu_writes(&self->edu, SRC, self->src, iova, ram)

/* The flags of the format of page tables, or -1. */
static __s64 format_flags(struct vm *vm)
{
	struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	const struct virtio_iommu_probe_pgtf_x86_64 *p;
	char reply[PROBE_SIZE + 8];
	unsigned int i;

	if (request_raw(vm, &req, sizeof(req), reply, PROBE_SIZE +
			sizeof(struct virtio_iommu_req_tail)) < PROBE_SIZE)
		return -1;
	for (i = 0; i < PROBE_SIZE; i += sizeof(p->head) + p->head.length) {
		p = (const void *)(reply + i);
		if (p->head.type == VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT &&
		    p->format == VIRTIO_IOMMU_FORMAT_PGTF_X86_64)
			return p->flags;
		if (!p->head.type)
			break;
	}
	return -1;
}

TEST_F(nested, probe)
{
	EXPECT_EQ(VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE, format_flags(&self->vm));
}

TEST_F(nested, translates)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_FALSE(bypass_works());
	EXPECT_TRUE(writes(DST, self->dst));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_TRUE(bypass_works());
}

/* What becomes present is used without a word; what has changed, after an INVALIDATE. */
TEST_F(nested, invalidate)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_FALSE(writes(DST + 0x1000, self->other));
	set(vm, L1, 2, OTHER_GPA | P | W | U);
	EXPECT_TRUE(writes(DST + 0x1000, self->other));

	set(vm, L1, 2, DST_GPA | P | W | U);
	EXPECT_STATUS(OK, invalidate(vm, 1, DST, 1));
	EXPECT_TRUE(writes(DST + 0x1000, self->other));
	EXPECT_STATUS(OK, invalidate(vm, 1, DST + 0x1000, 1));
	EXPECT_TRUE(writes(DST + 0x1000, self->dst));

	set(vm, L2, FIRST >> 21, 0);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_FALSE(writes(DST, self->dst));
}

/* The entry of a PASID table: another one, none, and again the first. */
TEST_F(nested, pasid_entry)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_TRUE(only_first(vm, &self->edu));
	set(vm, PASIDS, 0, ROOT2 | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(only_other(vm, &self->edu));
	set(vm, PASIDS, 0, 0);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_FALSE(reaches(vm, &self->edu, OTHER));
	set(vm, PASIDS, 0, ROOT | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(only_first(vm, &self->edu));
	/* Another table in the place of this one */
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_TRUE(only_other(vm, &self->edu));
}

/* A table that leads to where the guest has no memory. */
TEST_F(nested, hostile)
{
	__u64 outside = RAM_SIZE + 0x100000;
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	set(vm, L1, 1, outside | P | W | U);
	EXPECT_FALSE(writes(DST, self->dst));
	set(vm, L2, FIRST >> 21, outside | P | W | U);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_FALSE(writes(DST, self->dst));
	make_walked(vm);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_TRUE(writes(DST, self->dst));
}

/* In one domain with an emulated device, whose translations are looked up. */
TEST_F(nested, beside_emulated)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP + 1, ROOT));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes(DST, self->dst));
	EXPECT_EQ(DST_GPA, look(vm, EP + 1, DST).gpa);
	set(vm, L1, 1, OTHER_GPA | P | W | U);
	EXPECT_STATUS(OK, invalidate(vm, 1, DST, 1));
	EXPECT_TRUE(writes(DST, self->other));
	EXPECT_EQ(OTHER_GPA, look(vm, EP + 1, DST).gpa);
}

/* Both reach what the table of their domain has, and see at once what it has not. */
TEST_F(nested, two_endpoints)
{
	struct vm *vm = &self->vm;
	struct edu edu2;

	if (!getenv("EDU2"))
		SKIP(return, "EDU2 is not set");
	ASSERT_EQ(0, edu_join(&edu2, &self->edu, "EDU2"));
	ASSERT_EQ(0, edu_add_endpoint(&edu2, vm, EP + 8));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP + 8, ROOT));
	EXPECT_TRUE(only_first(vm, &self->edu));
	EXPECT_TRUE(only_first(vm, &edu2));
	EXPECT_EQ(0, get_stats(vm).mappings);

	set(vm, L1, 1, 0);
	EXPECT_STATUS(OK, invalidate(vm, 1, DST, 1));
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	EXPECT_FALSE(reaches(vm, &edu2, FIRST));
	make_walked(vm);
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_TRUE(bypass_works());
	EXPECT_TRUE(only_first(vm, &edu2));
	edu_close_device(&edu2);
	close(edu2.group);
}

/* Devices of one group are where the first of them is. */
TEST_F(nested, one_group)
{
	struct vm *vm = &self->vm;
	struct edu a, b, other;

	if (!getenv("EDU_A"))
		SKIP(return, "EDU_A is not set");
	ASSERT_EQ(0, edu_join(&a, &self->edu, "EDU_A"));
	ASSERT_EQ(0, edu_add_endpoint(&a, vm, EP + 8));
	ASSERT_EQ(0, edu_join_group(&b, &a, "EDU_B"));
	other = b;
	other.parent_id = 0;
	EXPECT_ERRNO(EINVAL, edu_add_endpoint(&other, vm, EP + 9));
	ASSERT_EQ(0, edu_add_endpoint(&b, vm, EP + 9));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP + 8, ROOT));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP + 9, ROOT));
	EXPECT_TRUE(only_first(vm, &a));
	EXPECT_TRUE(only_first(vm, &b));
	EXPECT_EQ(0, get_stats(vm).mappings);

	set(vm, L1, 1, 0);
	EXPECT_STATUS(OK, invalidate(vm, 1, DST, 1));
	EXPECT_FALSE(reaches(vm, &a, FIRST));
	EXPECT_FALSE(reaches(vm, &b, FIRST));
	make_walked(vm);
	EXPECT_EQ(0, remove_endpoint(vm, EP + 8));
	EXPECT_TRUE(only_first(vm, &b));
	edu_close_device(&a);
	edu_close_device(&b);
	close(a.group);
}

/* How much is shadowed, with these page tables of the VMM's? -1: it does not work */
static int shadowed(struct vm *vm, const struct edu *edu, __u32 pt, __u32 parent)
{
	struct edu other = *edu;
	int nr = -1;

	other.pt_id = pt;
	other.parent_id = parent;
	if (edu_add_endpoint(&other, vm, EP) || attach_table(vm, 1, EP, ROOT))
		return -1;
	if (only_first(vm, &other))
		nr = get_stats(vm).mappings;
	return remove_endpoint(vm, EP) ? -1 : nr;
}

TEST_F(nested, parents)
{
	__u32 pt = self->edu.pt_id, parent = self->edu.parent_id;
	struct vm *vm = &self->vm;

	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(2, shadowed(vm, &self->edu, pt, 0));
	/* It was not made for that. */
	EXPECT_EQ(2, shadowed(vm, &self->edu, pt, pt));
	EXPECT_EQ(2, shadowed(vm, &self->edu, pt, 9999));
	EXPECT_EQ(0, shadowed(vm, &self->edu, pt, parent));
	EXPECT_EQ(0, shadowed(vm, &self->edu, parent, parent));
}

/* Each allocation on the way to a table that is walked fails in turn. */
TEST_F(nested, each_step_fails)
{
	struct vm *vm = &self->vm;
	int me = open_injection();

	if (me < 0)
		SKIP(return, "the kernel cannot have allocations fail");
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	ASSERT_TRUE(worker_becomes('S'));
	FAIL_EACH(me, attach_table(vm, 1, EP, ROOT),
		  { EXPECT_TRUE(only_first(vm, &self->edu));
		    EXPECT_STATUS(OK, detach(vm, 1, EP)); },
		  bypass_works() && !get_stats(vm).domains);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	FAIL_EACH(me, attach_table(vm, 2, EP, ROOT2),
		  { EXPECT_TRUE(only_other(vm, &self->edu));
		    EXPECT_STATUS(OK, attach_table(vm, 1, EP, ROOT)); },
		  only_first(vm, &self->edu));
	EXPECT_TRUE(only_first(vm, &self->edu));

	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	FAIL_EACH(me, edu_add_endpoint(&self->edu, vm, EP),
		  remove_endpoint(vm, EP), !get_stats(vm).endpoints);
	ASSERT_EQ(0, edu_add_endpoint(&self->edu, vm, EP));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(only_first(vm, &self->edu));
	EXPECT_EQ(0, get_stats(vm).mappings);
	close(me);
}

TEST_HARNESS_MAIN
