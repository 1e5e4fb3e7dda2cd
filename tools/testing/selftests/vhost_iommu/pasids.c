// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID tables, see Documentation/virtio/page-tables.rst: set, replaced and unset, of
 * one device and of several, and hostile ones. No endpoint has PASIDs, so that entry 0
 * is all of a table. By DMA, with EDU in the environment, and EDU2 for two devices.
 */
#include <pthread.h>

#include "sys.h"
#include "tables.h"
#include "two.h"

FIXTURE(pasid)
{
	struct vm vm;
};

FIXTURE_SETUP(pasid)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	make_pasids(&self->vm);
	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, add_emulated(&self->vm, EP + 1));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
}

FIXTURE_TEARDOWN(pasid)
{
	vm_destroy(&self->vm);
}

TEST_F(pasid, attach_statuses)
{
	struct virtio_iommu_req_attach_pasid_table req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = 1, .endpoint = EP, .table = PASIDS,
		.format = VIRTIO_IOMMU_FORMAT_PASIDTF,
	};
	const __u32 out = offsetof(typeof(req), tail);
	struct vm *vm = &self->vm;

	req.bits = 1;
	EXPECT_STATUS(UNSUPP, request(vm, &req, out));
	req.bits = 255;
	EXPECT_STATUS(UNSUPP, request(vm, &req, out));
	req.bits = 0;
	req.reserved = 1;
	EXPECT_STATUS(INVAL, request(vm, &req, out));
	req.reserved = 0;
	req.reserved2[51] = 1;
	EXPECT_STATUS(INVAL, request(vm, &req, out));
	req.reserved2[51] = 0;
	EXPECT_STATUS(INVAL, request(vm, &req, out - 1));
	EXPECT_STATUS(RANGE, attach_pasids(vm, 1, EP, PASIDS + 8));
	EXPECT_STATUS(RANGE, attach_pasids(vm, 1, EP, PASIDS | 1ULL << 52));
	EXPECT_STATUS(FAULT, attach_pasids(vm, 1, EP, RAM_SIZE));
	EXPECT_STATUS(NOENT, attach_pasids(vm, 1, EP + 9, PASIDS));
	EXPECT_EQ(0, get_stats(vm).domains);

	EXPECT_STATUS(OK, request(vm, &req, out));
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));

	/* A domain keeps its kind, and its table if who asks is not in it. */
	EXPECT_STATUS(INVAL, attach(vm, 1, EP, 0));
	EXPECT_STATUS(INVAL, attach_table(vm, 1, EP, ROOT));
	EXPECT_STATUS(INVAL, map(vm, 1, 0x1000, 0x1000, SRC_GPA, RW));
	EXPECT_STATUS(INVAL, unmap(vm, 1, 0x1000, 0x1000));
	EXPECT_STATUS(INVAL, attach_pasids(vm, 1, EP + 1, PASIDS2));
	EXPECT_STATUS(OK, attach_table(vm, 2, EP + 1, ROOT));
	EXPECT_STATUS(INVAL, attach_pasids(vm, 2, EP + 1, PASIDS));
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP + 1, PASIDS));
	EXPECT_EQ(1, get_stats(vm).domains);
}

#define INVALIDATE_BUT(change) ({ \
	struct virtio_iommu_req_invalidate r = range(1, 0, 0);		\
	r.inv_gran = VIRTIO_IOMMU_INVAL_G_PASID;			\
	r.inv_type = VIRTIO_IOMMU_INV_T_PASID;				\
	r.flags = VIRTIO_IOMMU_INVAL_F_PASID;				\
	change; send(&self->vm, r); })

TEST_F(pasid, invalidate_statuses)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_STATUS(OK, INVALIDATE_BUT());
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.inv_type = 1));
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.inv_type = 7));
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.inv_gran = 1; r.flags = 0));
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.inv_gran = 4; r.inv_type = 1;
					 r.nr_pages = 1));
	EXPECT_STATUS(UNSUPP, INVALIDATE_BUT(r.pasid = 1));
	EXPECT_STATUS(UNSUPP, INVALIDATE_BUT(r.pasid = ~0U));
	EXPECT_STATUS(UNSUPP, INVALIDATE_BUT(r.flags = 3));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.flags = 0));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_gran = 4; r.nr_pages = 1));
	EXPECT_STATUS(INVAL, invalidate(vm, 1, FIRST, 1));
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_STATUS(NOENT, INVALIDATE_BUT(r.domain = 2));
}

/* An emulated endpoint has the entry as it is at the time of the access. */
TEST_F(pasid, emulated)
{
	struct vm *vm = &self->vm;
	unsigned int bit;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_EQ(DST_GPA + 5, look(vm, EP, FIRST + 0x1005).gpa);
	EXPECT_EQ(0, look(vm, EP, OTHER + 0x1000).perm);
	set(vm, PASIDS, 0, ROOT2 | VALID);
	EXPECT_EQ(DST_GPA, look(vm, EP, OTHER + 0x1000).gpa);
	EXPECT_EQ(0, look(vm, EP, FIRST + 0x1000).perm);
	set(vm, PASIDS, 0, ROOT);
	EXPECT_EQ(0, look(vm, EP, FIRST + 0x1000).perm);
	set(vm, PASIDS, 0, RAM_SIZE | VALID);
	EXPECT_EQ(0, look(vm, EP, FIRST + 0x1000).perm);

	/* Bits that are not of the address and not of the entry make it invalid. */
	for (bit = 1; bit < 64; bit = bit == 11 ? 52 : bit + 1) {
		set(vm, PASIDS, 0, ROOT | VALID | 1ULL << bit);
		EXPECT_EQ(0, look(vm, EP, FIRST + 0x1000).perm);
	}
	set(vm, PASIDS, 0, ROOT | VALID);
	EXPECT_EQ(RW, look(vm, EP, FIRST + 0x1000).perm);

	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_EQ(DST_GPA, look(vm, EP, OTHER + 0x1000).gpa);
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(FIRST, look(vm, EP, FIRST).gpa);
}

/* A VMM that keeps translations is told of every change. */
TEST_F(pasid, notified)
{
	struct virtio_iommu_req_invalidate req = range(1, 0, 0);
	struct vhost_iommu_invalidation record;
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_SET_NOTIFY,
			   &(struct vhost_iommu_notify) {
			.size = sizeof(struct vhost_iommu_notify), .id = EP,
			.notify = 1 }));
	req.inv_gran = VIRTIO_IOMMU_INVAL_G_PASID;
	req.inv_type = VIRTIO_IOMMU_INV_T_PASID;
	req.flags = VIRTIO_IOMMU_INVAL_F_PASID;
	request_send(vm, &req, offsetof(typeof(req), tail), 4);
	ASSERT_TRUE(invalidation(vm, &record));
	EXPECT_EQ(0, record.start);
	EXPECT_EQ(~0ULL, record.last);
	EXPECT_EQ(0, invalidations(vm, record.sequence, NULL, 0));
	EXPECT_EQ(4, ring_wait(&vm->request));

	request_send(vm, &(struct virtio_iommu_req_attach_pasid_table) {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE, .domain = 1,
		.endpoint = EP, .format = VIRTIO_IOMMU_FORMAT_PASIDTF,
		.table = PASIDS2,
	}, offsetof(struct virtio_iommu_req_attach_pasid_table, tail), 4);
	ASSERT_TRUE(invalidation(vm, &record));
	EXPECT_EQ(EP, record.endpoint);
	EXPECT_EQ(0, invalidations(vm, record.sequence, NULL, 0));
	EXPECT_EQ(4, ring_wait(&vm->request));
}

FIXTURE(edu_pasid)
{
	struct vm vm;
	struct edu edu;
	char *src, *dst;
};

FIXTURE_SETUP(edu_pasid)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	make_pasids(&self->vm);
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
}

FIXTURE_TEARDOWN(edu_pasid)
{
	if (!getenv("EDU"))
		return;
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

#define first_only()	only_first(&self->vm, &self->edu)
#define other_only()	only_other(&self->vm, &self->edu)
#define neither()	(!reaches(&self->vm, &self->edu, FIRST) &&	\
			 !reaches(&self->vm, &self->edu, OTHER))

TEST_F(edu_pasid, set_replace_unset)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_TRUE(first_only());
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_TRUE(other_only());
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_TRUE(bypass_works());
	EXPECT_EQ(0, get_stats(vm).mappings);

	/* By another domain, of another kind too. */
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_STATUS(OK, attach_pasids(vm, 2, EP, PASIDS2));
	EXPECT_TRUE(other_only());
	EXPECT_STATUS(OK, attach_table(vm, 3, EP, ROOT));
	EXPECT_TRUE(first_only());
	EXPECT_STATUS(OK, attach_pasids(vm, 2, EP, PASIDS2));
	EXPECT_TRUE(other_only());
	EXPECT_STATUS(OK, attach(vm, 3, EP, 0));
	EXPECT_TRUE(neither());
	EXPECT_EQ(1, get_stats(vm).domains);
}

/* Entry 0 changes: what it had holds until the INVALIDATE. */
TEST_F(edu_pasid, entry)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	set(vm, PASIDS, 0, ROOT2 | VALID);
	EXPECT_TRUE(first_only());
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(other_only());
	set(vm, PASIDS, 0, 0);
	EXPECT_TRUE(other_only());
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(neither());
	EXPECT_FALSE(bypass_works());
	EXPECT_EQ(0, get_stats(vm).mappings);
	set(vm, PASIDS, 0, ROOT | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(first_only());

	/* One that was never valid, of a table that is set, of one in its place. */
	set(vm, PASIDS2, 0, ROOT2);
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_TRUE(neither());
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_TRUE(neither());
	set(vm, PASIDS2, 0, ROOT2 | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(other_only());

	/* Leaves, as ever. */
	set(vm, L1, 1, 0);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_TRUE(neither());
}

/* Stage 2 comes and goes below a table that was replaced. */
TEST_F(edu_pasid, stage2_changes)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_TRUE(neither());
	EXPECT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_TRUE(other_only());
}

/* An emulated endpoint in the same domain, and the other one leaves and comes. */
TEST_F(edu_pasid, shared)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP + 1, PASIDS));
	EXPECT_EQ(0, get_stats(vm).mappings);
	set(vm, PASIDS, 0, ROOT2 | VALID);
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_TRUE(other_only());
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, get_stats(vm).mappings);
	set(vm, PASIDS, 0, ROOT | VALID);
	EXPECT_EQ(DST_GPA, look(vm, EP + 1, FIRST + 0x1000).gpa);
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_TRUE(first_only());

	/* Who is in the domain can replace the table for all. */
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP + 1, PASIDS2));
	EXPECT_TRUE(other_only());
	EXPECT_EQ(DST_GPA, look(vm, EP + 1, OTHER + 0x1000).gpa);
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(1, get_stats(vm).domains);
}

/* The limits do not allow it: the endpoint keeps what it has. */
TEST_F(edu_pasid, limits)
{
	unsigned long limit, n;
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	limit = set_limit(2);
	for (n = 2; n < 4; n++) {
		set_limit(n);
		EXPECT_STATUS(NOMEM, attach_pasids(vm, 1, EP, PASIDS2));
		EXPECT_TRUE(first_only());
		EXPECT_STATUS(NOMEM, attach_pasids(vm, 2, EP, PASIDS2));
		EXPECT_TRUE(first_only());
		set(vm, PASIDS, 0, ROOT2 | VALID);
		EXPECT_STATUS(NOMEM, invalidate_pasid(vm, 1));
		set(vm, PASIDS, 0, ROOT | VALID);
		EXPECT_TRUE(first_only());
		EXPECT_EQ(2, get_stats(vm).mappings);
		EXPECT_EQ(1, get_stats(vm).domains);
	}
	/* To take away always works. */
	set_limit(0);
	set(vm, PASIDS, 0, 0);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(neither());
	set(vm, PASIDS, 0, ROOT | VALID);
	EXPECT_STATUS(NOMEM, invalidate_pasid(vm, 1));
	EXPECT_TRUE(neither());
	set_limit(limit);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(first_only());
}

/* Have the other device be an endpoint too, and make the tables. */
static int begin_two(struct vm *vm, struct edu *edu2)
{
	make_pasids(vm);
	return edu_add_endpoint(edu2, vm, EP2);
}

/* Groups that share stage 2, each with a table of its own. */
TEST_F(two, apart)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, begin_two(vm, &self->edu2));
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	ASSERT_STATUS(OK, attach_pasids(vm, 2, EP2, PASIDS2));
	EXPECT_TRUE(only_first(vm, &self->edu));
	EXPECT_TRUE(only_other(vm, &self->edu2));
	set(vm, PASIDS, 0, 0);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	EXPECT_TRUE(only_other(vm, &self->edu2));
	EXPECT_STATUS(OK, detach(vm, 2, EP2));
	EXPECT_FALSE(reaches(vm, &self->edu2, OTHER));
}

/* Groups with one table: all of them get another one, or none does. */
TEST_F(two, together)
{
	struct vm *vm = &self->vm;
	unsigned long limit;

	ASSERT_EQ(0, begin_two(vm, &self->edu2));
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP2, PASIDS));
	EXPECT_TRUE(only_first(vm, &self->edu));
	EXPECT_TRUE(only_first(vm, &self->edu2));
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP2, PASIDS2));
	EXPECT_TRUE(only_other(vm, &self->edu));
	EXPECT_TRUE(only_other(vm, &self->edu2));

	limit = set_limit(3);
	EXPECT_STATUS(NOMEM, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_TRUE(only_other(vm, &self->edu));
	EXPECT_TRUE(only_other(vm, &self->edu2));
	set_limit(limit);

	set(vm, PASIDS2, 0, ROOT | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(only_first(vm, &self->edu));
	EXPECT_TRUE(only_first(vm, &self->edu2));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_FALSE(reaches(vm, &self->edu, FIRST));
	EXPECT_TRUE(only_first(vm, &self->edu2));
}

/*
 * Entries that lead outside memory, to the PASID table, and to tables that lead to
 * themselves or to a million leaves. A request about them ends, and leaves nothing
 * behind or what was there before.
 */
TEST_F(edu_pasid, hostile)
{
	unsigned long limit = set_limit(2000);
	struct vm *vm = &self->vm;
	unsigned int million;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	set(vm, PASIDS, 0, RAM_SIZE | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(neither());
	set(vm, PASIDS, 0, VIRTIO_IOMMU_PASIDTF_ADDR_MASK | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(neither());
	/* As a page table, it is the way to itself and to one leaf. */
	set(vm, PASIDS, 0, PASIDS | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(neither());
	EXPECT_EQ(1, get_stats(vm).mappings);
	set(vm, PASIDS, 0, ROOT | VALID);
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_TRUE(first_only());

	fill(vm, SPARE + 0x2000, DST_GPA | P | W);
	fill(vm, SPARE + 0x1000, (SPARE + 0x2000) | P | W);
	for (million = 0; million < 2; million++) {
		fill(vm, SPARE, (million ? SPARE + 0x1000 : SPARE) | P | W);
		set(vm, PASIDS, 0, SPARE | VALID);
		EXPECT_STATUS(NOMEM, invalidate_pasid(vm, 1));
		EXPECT_TRUE(first_only());
		EXPECT_EQ(2, get_stats(vm).mappings);
		set(vm, PASIDS2, 0, SPARE | VALID);
		EXPECT_STATUS(NOMEM, attach_pasids(vm, 1, EP, PASIDS2));
		EXPECT_STATUS(NOMEM, attach_pasids(vm, 2, EP, PASIDS2));
		EXPECT_TRUE(first_only());
		EXPECT_EQ(2, get_stats(vm).mappings);
		EXPECT_EQ(1, get_stats(vm).domains);
		/* From nothing it is nothing. */
		set(vm, PASIDS, 0, 0);
		EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
		set(vm, PASIDS, 0, SPARE | VALID);
		EXPECT_STATUS(NOMEM, invalidate_pasid(vm, 1));
		EXPECT_TRUE(neither());
		EXPECT_EQ(0, get_stats(vm).mappings);
		set(vm, PASIDS, 0, ROOT | VALID);
		EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
		EXPECT_TRUE(first_only());
	}
	set_limit(limit);
}

/* Stopped while it is at a replacement, the worker stops. */
TEST_F(edu_pasid, stopped)
{
	const struct virtio_iommu_req_attach_pasid_table req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = 1, .endpoint = EP, .table = PASIDS2,
		.format = VIRTIO_IOMMU_FORMAT_PASIDTF,
	};
	unsigned long limit = set_limit(30000);
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	fill(vm, SPARE, SPARE | P | W);
	set(vm, PASIDS2, 0, SPARE | VALID);
	request_leave(vm, &req, offsetof(typeof(req), tail));
	EXPECT_TRUE(worker_becomes('R'));
	EXPECT_EQ(0, vm_run(vm, 0));
	EXPECT_TRUE(first_only());
	EXPECT_EQ(2, get_stats(vm).mappings);
	set_limit(limit);
	set(vm, PASIDS2, 0, ROOT2 | VALID);
	EXPECT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(4, ring_wait(&vm->request));
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS2));
	EXPECT_TRUE(other_only());
}

static volatile bool scribbling;

/* Another CPU of the guest that changes the entry and what it leads to. */
static void *scribble(void *arg)
{
	struct vm *vm = arg;
	__u32 state = 7;

	while (scribbling) {
		__u64 entry = ROOT + rnd(&state, 20) * 0x1000UL;

		set(vm, PASIDS, 0, entry | (rnd(&state, 4) ? VALID : 0) |
		    (rnd(&state, 8) ? 0 : 1ULL << rnd(&state, 64)));
		set(vm, ROOT + rnd(&state, 5) * 0x1000, rnd(&state, 512),
		    entry | rnd(&state, 4));
	}
	return NULL;
}

TEST_F(edu_pasid, changed_while_read)
{
	unsigned long limit = set_limit(500);
	unsigned int round, status, ok = 0;
	struct vm *vm = &self->vm;
	__u32 state = 11;
	pthread_t thread;

	ASSERT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	scribbling = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, vm));
	for (round = 0; round < 200; round++) {
		if (rnd(&state, 4))
			status = invalidate_pasid(vm, 1);
		else
			status = attach_pasids(vm, 1, EP, rnd(&state, 2) ?
					       PASIDS : PASIDS2);
		ok += status == VIRTIO_IOMMU_S_OK;
		if (status != VIRTIO_IOMMU_S_OK)
			EXPECT_STATUS(NOMEM, status);
		EXPECT_GE(500, get_stats(vm).mappings);
		look(vm, EP, FIRST + rnd(&state, 512) * 0x1000UL);
	}
	scribbling = false;
	pthread_join(thread, NULL);
	EXPECT_LT(10, ok);

	set_limit(limit);
	make_pasids(vm);
	EXPECT_STATUS(OK, attach_pasids(vm, 1, EP, PASIDS));
	EXPECT_STATUS(OK, invalidate_pasid(vm, 1));
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_TRUE(first_only());
}

TEST_HARNESS_MAIN
