// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of an instance whose guest has tables of its own: what of it is read out,
 * is put into another one with the guest's memory. By translation, and by DMA with
 * EDU in the environment.
 */
#include "sys.h"
#include "tables.h"
#include "state.h"

/* Two guests of the same shape; the first has three endpoints in two tables. */
FIXTURE(table_state)
{
	struct vm from, to;
	struct vhost_iommu_record records[MAX_RECORDS];
	int nr;
};

static int add_endpoints(struct vm *vm)
{
	return add_emulated(vm, EP) || add_emulated(vm, EP + 1) ||
	       add_emulated(vm, EP + 2);
}

FIXTURE_SETUP(table_state)
{
	struct vm *vm = &self->from;

	ASSERT_EQ(0, vm_create(vm));
	ASSERT_EQ(0, vm_create(&self->to));
	ASSERT_EQ(0, add_endpoints(vm));
	ASSERT_EQ(0, add_endpoints(&self->to));
	make_pasids(vm);
	memcpy(self->to.ram + ROOT, vm->ram + ROOT, 0x10000);
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	ASSERT_STATUS(OK, attach_pasids(vm, 2, EP + 1, PASIDS2));
	ASSERT_STATUS(OK, attach_pasids(vm, 2, EP + 2, PASIDS2));
	ASSERT_EQ(0, vm_run(vm, 0));

	/* A header, 3 endpoints, an end. */
	self->nr = get_state(vm, self->records, MAX_RECORDS, 2);
	ASSERT_EQ(5, self->nr);
}

FIXTURE_TEARDOWN(table_state)
{
	vm_destroy(&self->from);
	vm_destroy(&self->to);
}

TEST_F(table_state, records)
{
	struct vhost_iommu_record *r = self->records;

	EXPECT_EQ(VHOST_IOMMU_STATE_VERSION, r[0].header.version);
	EXPECT_EQ(VHOST_IOMMU_RECORD_ENDPOINT, r[1].type);
	EXPECT_EQ(VIRTIO_IOMMU_FORMAT_PGTF_X86_64, r[1].endpoint.format);
	EXPECT_EQ(ROOT, r[1].endpoint.table);
	EXPECT_EQ(0, r[1].endpoint.entry);
	EXPECT_EQ(EP + 2, r[3].endpoint.id);
	EXPECT_EQ(2, r[3].endpoint.domain);
	EXPECT_EQ(VIRTIO_IOMMU_FORMAT_PASIDTF, r[3].endpoint.format);
	EXPECT_EQ(PASIDS2, r[3].endpoint.table);
	EXPECT_EQ(ROOT2 | VALID, r[3].endpoint.entry);
	EXPECT_EQ(VHOST_IOMMU_RECORD_END, r[4].type);
}

TEST_F(table_state, round_trip)
{
	struct vhost_iommu_record records[MAX_RECORDS];
	struct vm *to = &self->to;

	ASSERT_EQ(0, set_state(to, self->records, self->nr, 2));
	ASSERT_EQ(self->nr, get_state(to, records, MAX_RECORDS, 16));
	EXPECT_EQ(0, memcmp(records, self->records, self->nr * RECORD_SIZE));
	EXPECT_EQ(DST_GPA, look(to, EP, FIRST + 0x1000).gpa);
	EXPECT_EQ(0, look(to, EP, OTHER + 0x1000).perm);
	EXPECT_EQ(DST_GPA, look(to, EP + 1, OTHER + 0x1000).gpa);
	EXPECT_EQ(DST_GPA, look(to, EP + 2, OTHER + 0x1000).gpa);

	/* The guest goes on: its domains are of their kinds. */
	ASSERT_EQ(0, vm_run(to, 1));
	EXPECT_STATUS(INVAL, map(to, 1, 0x1000, 0x1000, 0, RW));
	EXPECT_STATUS(INVAL, attach_table(to, 2, EP, ROOT));
	EXPECT_STATUS(OK, invalidate_all(to, 1));
	EXPECT_STATUS(OK, invalidate_pasid(to, 2));
	EXPECT_STATUS(OK, attach_pasids(to, 2, EP + 1, PASIDS));
	EXPECT_EQ(DST_GPA, look(to, EP + 2, FIRST + 0x1000).gpa);
	EXPECT_STATUS(OK, detach(to, 1, EP));
	EXPECT_STATUS(OK, detach(to, 2, EP + 1));
	EXPECT_STATUS(OK, detach(to, 2, EP + 2));
	EXPECT_EQ(0, get_stats(to).domains);
}

/* Tables that are no memory where they are put back: nothing is reached. */
TEST_F(table_state, no_memory)
{
	struct vm *to = &self->to;

	self->records[1].endpoint.table = RAM_SIZE;
	self->records[2].endpoint.table = RAM_SIZE;
	self->records[3].endpoint.table = RAM_SIZE;
	ASSERT_EQ(0, set_state(to, self->records, self->nr, 16));
	EXPECT_EQ(0, look(to, EP, FIRST).perm);
	EXPECT_EQ(0, look(to, EP + 1, OTHER).perm);
}

/* One thing wrong at a time; index, what to change, errno. */
#define REFUSED(err, index, change) do {				\
		struct vhost_iommu_record bad[MAX_RECORDS];		\
		struct vhost_iommu_record *r = &bad[index];		\
									\
		memcpy(bad, self->records, sizeof(bad));		\
		change;							\
		EXPECT_ERRNO(err, set_state(to, bad, self->nr, 4));	\
		EXPECT_EQ(0, get_stats(to).domains);			\
	} while (0)

TEST_F(table_state, refused)
{
	__u64 features, without;
	struct vm *to = &self->to;

	REFUSED(EOPNOTSUPP, 1, r->endpoint.format = 1);
	REFUSED(EOPNOTSUPP, 1, r->endpoint.format = 0);
	REFUSED(EOPNOTSUPP, 1, r->endpoint.format |= 1 << 16);
	REFUSED(EOPNOTSUPP, 1, r->endpoint.entry = ROOT | VALID);
	REFUSED(EOPNOTSUPP, 1, r->endpoint.format = 0; r->endpoint.table = 0;
		r->endpoint.entry = VALID);
	REFUSED(EINVAL, 1, r->endpoint.table |= 8);
	REFUSED(EINVAL, 1, r->endpoint.table |= 1ULL << 52);
	REFUSED(EINVAL, 1, r->endpoint.flags = VIRTIO_IOMMU_ATTACH_F_BYPASS);
	REFUSED(EINVAL, 1, r->endpoint.domain = 2);
	REFUSED(EINVAL, 2, r->endpoint.table |= 8);
	REFUSED(EINVAL, 2, r->endpoint.entry = ROOT2);
	REFUSED(EINVAL, 2, r->endpoint.entry |= 2);
	REFUSED(EINVAL, 2, r->endpoint.entry = 0);
	REFUSED(EINVAL, 3, r->endpoint.entry = ROOT | VALID);
	REFUSED(EINVAL, 3, r->endpoint.table = PASIDS);
	/* A mapping of a domain that has a table. */
	REFUSED(EINVAL, 4, r->type = VHOST_IOMMU_RECORD_MAPPING;
		r->mapping.domain = 1; r->mapping.last = 0xfff;
		r->mapping.flags = RW);

	/* A guest that has not accepted tables has none. */
	ASSERT_EQ(0, ioctl(to->fd, VHOST_GET_FEATURES, &features));
	without = features & ~BIT_TABLES;
	ASSERT_EQ(0, ioctl(to->fd, VHOST_SET_FEATURES, &without));
	EXPECT_ERRNO(EINVAL, set_state(to, self->records, self->nr, 4));
	ASSERT_EQ(0, ioctl(to->fd, VHOST_SET_FEATURES, &features));
	EXPECT_EQ(0, set_state(to, self->records, self->nr, 4));
	EXPECT_EQ(2, get_stats(to).domains);
}

FIXTURE(edu_state)
{
	struct vm vm, to;
	struct edu edu;
	struct vhost_iommu_record records[MAX_RECORDS];
};

FIXTURE_SETUP(edu_state)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	ASSERT_EQ(0, vm_create(&self->to));
	ASSERT_EQ(0, edu_share(&self->edu, &self->to));
	make_pasids(&self->vm);
}

FIXTURE_TEARDOWN(edu_state)
{
	if (!getenv("EDU"))
		return;
	vm_destroy(&self->to);
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

/* Move the guest, whose memory that devices reach stays where it is. */
static int move(struct vm *vm, struct vm *to, struct edu *edu,
		struct vhost_iommu_record *records)
{
	int nr;

	if (vm_run(vm, 0))
		return -1;
	nr = get_state(vm, records, MAX_RECORDS, 16);
	if (nr < 0 || remove_endpoint(vm, EP) || edu_add_endpoint(edu, to, EP))
		return -1;
	memcpy(to->ram + ROOT, vm->ram + ROOT, 0x10000);
	return set_state(to, records, nr, 16);
}

/* What follows from a table follows from it again. */
TEST_F(edu_state, table)
{
	struct vm *vm = &self->vm, *to = &self->to;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_EQ(2, get_stats(vm).mappings);
	ASSERT_EQ(0, move(vm, to, &self->edu, self->records));
	EXPECT_EQ(VHOST_IOMMU_RECORD_END, self->records[2].type);
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(2, get_stats(to).mappings);
	EXPECT_TRUE(only_first(vm, &self->edu));

	set(to, L1, 1, 0);
	ASSERT_EQ(0, vm_run(to, 1));
	EXPECT_STATUS(OK, invalidate(to, 1, FIRST + 0x1000, 1));
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	EXPECT_EQ(1, get_stats(to).mappings);
}

/* An entry that has changed without an INVALIDATE is in use as it was. */
TEST_F(edu_state, entry)
{
	struct vm *vm = &self->vm, *to = &self->to;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	set(vm, PASIDS, 0, ROOT2 | VALID);
	ASSERT_EQ(0, move(vm, to, &self->edu, self->records));
	EXPECT_EQ(ROOT | VALID, self->records[1].endpoint.entry);
	EXPECT_TRUE(only_first(vm, &self->edu));
	ASSERT_EQ(0, vm_run(to, 1));
	EXPECT_STATUS(OK, invalidate_pasid(to, 1));
	EXPECT_TRUE(only_other(vm, &self->edu));
}

/* One that was not valid. */
TEST_F(edu_state, no_entry)
{
	struct vm *vm = &self->vm, *to = &self->to;

	set(vm, PASIDS, 0, 0);
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	set(vm, PASIDS, 0, ROOT | VALID);
	ASSERT_EQ(0, move(vm, to, &self->edu, self->records));
	EXPECT_EQ(0, self->records[1].endpoint.entry);
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	ASSERT_EQ(0, vm_run(to, 1));
	EXPECT_STATUS(OK, invalidate_pasid(to, 1));
	EXPECT_TRUE(only_first(vm, &self->edu));
}

/* More leaves than there may be: the state is refused, and nothing is left of it. */
TEST_F(edu_state, limits)
{
	struct vm *vm = &self->vm, *to = &self->to;
	unsigned long limit;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	limit = set_limit(1);
	EXPECT_ERRNO(ENOMEM, move(vm, to, &self->edu, self->records));
	EXPECT_EQ(0, get_stats(to).domains);
	EXPECT_EQ(0, get_stats(to).mappings);
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	set_limit(limit);
	EXPECT_EQ(0, set_state(to, self->records, 3, 16));
	EXPECT_TRUE(only_first(vm, &self->edu));
}

TEST_HARNESS_MAIN
