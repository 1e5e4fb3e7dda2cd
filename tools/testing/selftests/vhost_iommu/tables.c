// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of the guest's own, see Documentation/virtio/page-tables.rst: what the
 * device makes of good ones and of hostile ones. Those of the fixture "edu_table"
 * need EDU in the environment, as those of vhost_iommu.c, and check by DMA.
 */
#include <pthread.h>

#include "sys.h"
#include "tables.h"

FIXTURE(table)
{
	struct vm vm;
};

FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	make_tables(&self->vm);
	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, add_emulated(&self->vm, EP + 1));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
}

FIXTURE_TEARDOWN(table)
{
	vm_destroy(&self->vm);
}

/* A VMM that does not ask, and a driver that does not accept, notice nothing. */
TEST(not_offered)
{
	struct vhost_iommu_config config = { .size = sizeof(config) };
	struct vm vm = {};
	__u64 features;

	config_flags = 0;
	ASSERT_EQ(0, vm_create(&vm));
	ASSERT_EQ(0, ioctl(vm.fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(0, features & BIT_TABLES);
	features |= BIT_TABLES;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(vm.fd, VHOST_SET_FEATURES, &features));

	/* It needs pages of 4 KiB, an input range in reach, and PROBE. */
	ASSERT_EQ(0, ioctl(vm.fd, VHOST_IOMMU_GET_CONFIG, &config));
	config.flags = VHOST_IOMMU_CONFIG_PAGE_TABLES;
	config.page_size_mask = ~0xffffULL;
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, VHOST_IOMMU_SET_CONFIG, &config));
	config.page_size_mask = ~0xfffULL;
	config.input_start = 1ULL << 48;
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, VHOST_IOMMU_SET_CONFIG, &config));
	config.input_start = 0;
	config.probe_size = 0;
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, VHOST_IOMMU_SET_CONFIG, &config));
	config.probe_size = PROBE_SIZE;
	EXPECT_EQ(0, ioctl(vm.fd, VHOST_IOMMU_SET_CONFIG, &config));
	ASSERT_EQ(0, ioctl(vm.fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(BIT_TABLES, features & BIT_TABLES);

	ASSERT_EQ(0, add_emulated(&vm, EP));
	ASSERT_EQ(0, vm_run(&vm, 1));
	EXPECT_EQ(NO_STATUS, attach_table(&vm, 1, EP, ROOT));
	EXPECT_EQ(NO_STATUS, invalidate_all(&vm, 1));
	vm_destroy(&vm);
}

/* The value of a property of EP, or NULL. */
static const void *property(struct vm *vm, __u32 type)
{
	const struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	static char reply[PROBE_SIZE + sizeof(struct virtio_iommu_req_tail)];
	const struct virtio_iommu_probe_property *p = (void *)reply;

	if (request_raw(vm, &req, sizeof(req), reply, sizeof(reply)) !=
	    sizeof(reply) || reply[PROBE_SIZE])
		return NULL;
	while ((char *)p < reply + PROBE_SIZE && p->type && p->type != type)
		p = (void *)((char *)(p + 1) + p->length);
	return p->type == type ? p : NULL;
}

static __u64 table_flags(struct vm *vm)
{
	const struct virtio_iommu_probe_pgtf_x86_64 *p =
		property(vm, VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT);

	if (!p || p->format != VIRTIO_IOMMU_FORMAT_PGTF_X86_64)
		return ~0ULL;
	return p->flags;
}

TEST_F(table, properties)
{
	const struct virtio_iommu_probe_page_size_mask *sizes;
	const struct virtio_iommu_probe_input_range *input;
	const struct virtio_iommu_probe_output_size *output;
	const struct virtio_iommu_probe_pasid_size *pasid;
	const struct virtio_iommu_probe_pasidtf *pasids;

	sizes = property(&self->vm, VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK);
	ASSERT_NE(NULL, sizes);
	EXPECT_EQ(0x40201000, sizes->mask);
	input = property(&self->vm, VIRTIO_IOMMU_PROBE_T_INPUT_RANGE);
	ASSERT_NE(NULL, input);
	EXPECT_EQ(0, input->start);
	EXPECT_EQ((1ULL << 48) - 1, input->end);
	output = property(&self->vm, VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE);
	ASSERT_NE(NULL, output);
	EXPECT_EQ(52, output->bits);
	pasid = property(&self->vm, VIRTIO_IOMMU_PROBE_T_PASID_SIZE);
	ASSERT_NE(NULL, pasid);
	EXPECT_EQ(0, pasid->bits);
	EXPECT_EQ(VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE, table_flags(&self->vm));
	pasids = property(&self->vm, VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT);
	ASSERT_NE(NULL, pasids);
	EXPECT_EQ(VIRTIO_IOMMU_FORMAT_PASIDTF, pasids->format);
	EXPECT_EQ(VIRTIO_IOMMU_PASIDTF_F_NO_NEGATIVE, pasids->flags);
}

TEST_F(table, attach_statuses)
{
	struct virtio_iommu_req_attach_pgt_x86_64 req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = 1, .endpoint = EP, .pgd = ROOT,
		.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64,
	};
	const __u32 out = offsetof(typeof(req), tail);
	struct vm *vm = &self->vm;

	req.format = 1;
	EXPECT_STATUS(UNSUPP, request(vm, &req, out));
	req.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64;
	req.reserved[1] = 1;
	EXPECT_STATUS(INVAL, request(vm, &req, out));
	req.reserved[1] = 0;
	req.reserved2[51] = 1;
	EXPECT_STATUS(INVAL, request(vm, &req, out));
	req.reserved2[51] = 0;
	EXPECT_STATUS(INVAL, request(vm, &req, out - 1));
	EXPECT_STATUS(RANGE, attach_table(vm, 1, EP, ROOT + 8));
	EXPECT_STATUS(RANGE, attach_table(vm, 1, EP, ROOT | 1ULL << 52));
	EXPECT_STATUS(FAULT, attach_table(vm, 1, EP, RAM_SIZE));
	EXPECT_STATUS(NOENT, attach_table(vm, 1, EP + 9, ROOT));
	EXPECT_EQ(0, get_stats(vm).domains);

	EXPECT_STATUS(OK, request(vm, &req, out));
	EXPECT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_STATUS(OK, attach_table(vm, 1, EP + 1, ROOT));
	EXPECT_STATUS(INVAL, attach_table(vm, 1, EP + 1, SPARE));

	/* A domain keeps its kind. */
	EXPECT_STATUS(INVAL, attach(vm, 1, EP, 0));
	EXPECT_STATUS(INVAL, attach(vm, 1, EP, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_STATUS(INVAL, map(vm, 1, 0x1000, 0x1000, SRC_GPA, RW));
	EXPECT_STATUS(INVAL, unmap(vm, 1, 0x1000, 0x1000));
	EXPECT_STATUS(OK, attach(vm, 2, EP + 1, 0));
	EXPECT_STATUS(INVAL, attach_table(vm, 2, EP, ROOT));
	EXPECT_STATUS(INVAL, invalidate(vm, 2, 0x1000, 1));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_STATUS(NOENT, invalidate(vm, 1, 0x1000, 1));
	EXPECT_EQ(1, get_stats(vm).domains);
}

#define INVALIDATE_BUT(change) ({ \
	struct virtio_iommu_req_invalidate r = range(1, IOVA(0), 1);	\
	change; send(&self->vm, r); })

TEST_F(table, invalidate_statuses)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_gran = 0));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_gran = 5));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_gran = 2));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_gran = 2; r.flags = 1));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_type = 0));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_type = 8));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.inv_type = 5));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.flags = 8));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.flags = 1));
	EXPECT_STATUS(UNSUPP, INVALIDATE_BUT(r.flags = 2));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.reserved1[0] = 1));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.reserved2[3] = 1));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.reserved3[10] = 1));
	EXPECT_STATUS(INVAL, INVALIDATE_BUT(r.nr_pages = 0));
	EXPECT_STATUS(RANGE, INVALIDATE_BUT(r.granule = 0));
	EXPECT_STATUS(RANGE, INVALIDATE_BUT(r.granule = 13));
	EXPECT_STATUS(RANGE, INVALIDATE_BUT(r.granule = 76));
	EXPECT_STATUS(RANGE, INVALIDATE_BUT(r.virt_start += 8));
	EXPECT_STATUS(RANGE, INVALIDATE_BUT(r.virt_start = ~0xfffULL;
					    r.nr_pages = 2));
	EXPECT_STATUS(RANGE, INVALIDATE_BUT(r.nr_pages = 1ULL << 52));
	EXPECT_STATUS(NOENT, INVALIDATE_BUT(r.domain = 2));

	EXPECT_STATUS(OK, INVALIDATE_BUT());
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.virt_start = ~0xfffULL));
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.flags = VIRTIO_IOMMU_INVAL_F_LEAF));
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.inv_type = 3));
	EXPECT_STATUS(OK, INVALIDATE_BUT(r.granule = 30));
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
}

/* An emulated endpoint sees the table as it is: no request for a map or an unmap. */
TEST_F(table, emulated)
{
	struct vhost_iommu_translate tr;
	struct vm *vm = &self->vm;
	__u64 requests;

	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	requests = get_stats(vm).attach_table + get_stats(vm).invalidate;
	EXPECT_EQ(0, look(vm, EP, IOVA(3)).perm);
	set(vm, L1, 3, SRC_GPA | P);
	tr = look(vm, EP, IOVA(3) + 0x123);
	EXPECT_EQ(VIRTIO_IOMMU_MAP_F_READ, tr.perm);
	EXPECT_EQ(SRC_GPA + 0x123, tr.gpa);
	EXPECT_EQ(IOVA(3) + 0xfff, tr.last);
	set(vm, L1, 3, 0);
	EXPECT_EQ(0, look(vm, EP, IOVA(3)).perm);
	set(vm, L2, 1, 0x40000000 | P | W | LEAF);
	tr = look(vm, EP, HUGE(1) + 0x12345);
	EXPECT_EQ(RW, tr.perm);
	EXPECT_EQ(0x40012345, tr.gpa);
	EXPECT_EQ(HUGE(2) - 1, tr.last);
	EXPECT_EQ(0, look(vm, EP, 1ULL << 48).perm);
	EXPECT_EQ(0, look(vm, EP, ~0ULL).perm);
	/* The other one is where it was: in bypass. */
	EXPECT_EQ(IOVA(3), look(vm, EP + 1, IOVA(3)).gpa);
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(requests,
		  get_stats(vm).attach_table + get_stats(vm).invalidate);
}

/* A VMM that keeps translations is told to forget them before the guest goes on. */
TEST_F(table, notified)
{
	const struct virtio_iommu_req_invalidate req = range(1, IOVA(3), 2);
	struct vhost_iommu_invalidation record;
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_notified(vm, EP + 2));
	set(vm, L1, 3, SRC_GPA | P);
	request_send(vm, &(struct virtio_iommu_req_attach_pgt_x86_64) {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE, .domain = 1,
		.endpoint = EP + 2, .pgd = ROOT,
		.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64,
	}, offsetof(struct virtio_iommu_req_attach_pgt_x86_64, tail), 4);
	ASSERT_TRUE(invalidation(vm, &record));
	EXPECT_EQ(0, invalidations(vm, record.sequence, NULL, 0));
	ASSERT_EQ(4, ring_wait(&vm->request));
	EXPECT_EQ(IOVA(3), look(vm, EP + 2, IOVA(3)).start);

	set(vm, L1, 3, 0);
	request_send(vm, &req, offsetof(typeof(req), tail), 4);
	ASSERT_TRUE(invalidation(vm, &record));
	EXPECT_EQ(EP + 2, record.endpoint);
	EXPECT_EQ(IOVA(3), record.start);
	EXPECT_EQ(IOVA(5) - 1, record.last);
	EXPECT_TRUE(ring_quiet(&vm->request));
	EXPECT_EQ(0, invalidations(vm, record.sequence, NULL, 0));
	EXPECT_EQ(4, ring_wait(&vm->request));
}

FIXTURE(edu_table)
{
	struct vm vm;
	struct edu edu;
	char *src, *dst;
};

FIXTURE_SETUP(edu_table)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	make_tables(&self->vm);
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
}

FIXTURE_TEARDOWN(edu_table)
{
	if (!getenv("EDU"))
		return;
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

/* A transfer from SRC_GPA at IOVA(0) to DST_GPA at another address. */
#define writes_at(iova)	\
	edu_writes(&self->edu, IOVA(0), self->src, iova, self->dst)

TEST_F(edu_table, table)
{
	struct vm *vm = &self->vm;

	EXPECT_EQ(0, table_flags(vm));
	set(vm, L1, 0, SRC_GPA | P);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_EQ(1, get_stats(vm).mappings);
	EXPECT_FALSE(bypass_works());
	EXPECT_FALSE(writes_at(IOVA(1)));

	set(vm, L1, 1, DST_GPA | P | W);
	EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(1), 1));
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_EQ(DST_GPA, look(vm, EP, IOVA(1)).gpa);

	/* Read only, once it was invalidated. */
	set(vm, L1, 1, DST_GPA | P);
	EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(1), 1));
	EXPECT_FALSE(writes_at(IOVA(1)));
	set(vm, L1, 1, 0);
	set(vm, L1, 511, DST_GPA | P | W);
	EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(0), 512));
	EXPECT_FALSE(writes_at(IOVA(1)));
	EXPECT_TRUE(writes_at(IOVA(511)));
	EXPECT_EQ(2, get_stats(vm).mappings);

	/* A whole branch goes, and comes back. */
	set(vm, L2, 0, 0);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_FALSE(writes_at(IOVA(511)));
	set(vm, L2, 0, L1 | P | W);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_TRUE(writes_at(IOVA(511)));

	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_FALSE(writes_at(IOVA(511)));
	EXPECT_TRUE(bypass_works());
}

/* The page behind DST_GPA, in a larger one that is mapped at @iova. */
#define other_page_writes(iova)						\
	edu_writes(&self->edu, IOVA(0), self->src,			\
		   (iova) + DST_GPA + 0x1000, self->dst + 0x1000)

/* Leaves of all sizes, one in the place of the other. */
TEST_F(edu_table, sizes)
{
	struct vm *vm = &self->vm;

	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L2, 1, 0 | P | W | LEAF);
	set(vm, L3, (BASE >> 30) + 1, 0 | P | W | LEAF);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_EQ(3, get_stats(vm).mappings);
	EXPECT_TRUE(writes_at(HUGE(1) + DST_GPA));
	EXPECT_TRUE(other_page_writes(HUGE(1)));
	EXPECT_TRUE(writes_at(BASE + (1ULL << 30) + DST_GPA));

	/* A table in the place of a leaf: a range of one page names all of it. */
	set(vm, SPARE, DST_GPA >> 12, DST_GPA | P | W);
	set(vm, L2, 1, SPARE | P | W);
	EXPECT_STATUS(OK, invalidate(vm, 1, HUGE(1) + 0x5000, 1));
	EXPECT_EQ(3, get_stats(vm).mappings);
	EXPECT_TRUE(writes_at(HUGE(1) + DST_GPA));
	EXPECT_FALSE(other_page_writes(HUGE(1)));
	/* And back. */
	set(vm, L2, 1, 0 | P | W | LEAF);
	EXPECT_STATUS(OK, invalidate(vm, 1, HUGE(1) + 0x5000, 1));
	EXPECT_EQ(3, get_stats(vm).mappings);
	EXPECT_TRUE(other_page_writes(HUGE(1)));
}

/* An endpoint that is emulated, and one that is not, with one table. */
TEST_F(edu_table, shared)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L1, 1, DST_GPA | P | W);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP + 1, ROOT));
	EXPECT_EQ(0, get_stats(vm).mappings);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(DST_GPA, look(vm, EP + 1, IOVA(1)).gpa);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_EQ(1, get_stats(vm).domains);
}

/* What a leaf leads to comes and goes with stage 2. */
TEST_F(edu_table, stage2_changes)
{
	struct vm *vm = &self->vm;

	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L1, 1, DST_GPA | P | W);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	EXPECT_FALSE(writes_at(IOVA(1)));
	EXPECT_EQ(2, get_stats(vm).mappings);
	/* The table changes meanwhile. */
	set(vm, L1, 2, DST_GPA | P | W);
	set(vm, L1, 1, 0);
	EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(0), 4));
	EXPECT_EQ(0, s2_map(&self->edu, vm->ram, 0, RAM_SIZE,
			    VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE));
	EXPECT_FALSE(writes_at(IOVA(1)));
	EXPECT_TRUE(writes_at(IOVA(2)));
}

/* Addresses that are not memory, or not the guest's to map. */
TEST_F(edu_table, bad_leaves)
{
	struct vm *vm = &self->vm;

	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L1, 1, DST_GPA | P | W);
	set(vm, L1, 2, RAM_SIZE | P | W);
	set(vm, L1, 3, VIRTIO_IOMMU_X86_64_ADDR_MASK | P | W);
	/* The MSI window of the host, in a leaf of 4 KiB and in one of 1 GiB. */
	set(vm, L3, DOORBELLS >> 30, 0 | P | W | LEAF);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_FALSE(writes_at(IOVA(2)));
	EXPECT_FALSE(writes_at(IOVA(3)));
	EXPECT_FALSE(writes_at((DOORBELLS >> 30 << 30) + DST_GPA));
	/* Four: the one of 1 GiB is as if it were not present. */
	EXPECT_EQ(4, get_stats(vm).mappings);
	set(vm, L3, DOORBELLS >> 30, L2 | P | W);
	set(vm, L2, (DOORBELLS >> 21) % 512, L1 | P | W);
	fill(vm, L1, DST_GPA | P | W);
	set(vm, L1, 0, SRC_GPA | P);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	/* L1 four times, but for the window. */
	EXPECT_EQ(4 * 512 - 256, get_stats(vm).mappings);
	EXPECT_EQ(DOORBELLS, look(vm, EP, DOORBELLS).gpa);
	EXPECT_TRUE(writes_at(IOVA(7)));
}

/* Tables that are not memory, at each level. */
TEST_F(edu_table, tables_outside_memory)
{
	static const __u64 bad[] = {
		RAM_SIZE, 0x123456789000, VIRTIO_IOMMU_X86_64_ADDR_MASK,
	};
	struct vm *vm = &self->vm;
	unsigned int i;

	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L1, 1, DST_GPA | P | W);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	for (i = 0; i < 3; i++) {
		set(vm, L2, 0, bad[i] | P | W);
		EXPECT_STATUS(OK, invalidate_all(vm, 1));
		EXPECT_FALSE(writes_at(IOVA(1)));
		set(vm, L3, BASE >> 30, bad[i] | P | W);
		EXPECT_STATUS(OK, invalidate_all(vm, 1));
		set(vm, ROOT, 0, bad[i] | P | W);
		EXPECT_STATUS(OK, invalidate_all(vm, 1));
		EXPECT_EQ(0, get_stats(vm).mappings);
		set(vm, ROOT, 0, L3 | P | W);
		set(vm, L3, BASE >> 30, L2 | P | W);
		set(vm, L2, 0, L1 | P | W);
		EXPECT_STATUS(OK, invalidate_all(vm, 1));
		EXPECT_TRUE(writes_at(IOVA(1)));
	}
}

/* Another table is another domain; one that fails leaves the endpoint as it was. */
TEST_F(edu_table, replace)
{
	struct vm *vm = &self->vm;
	unsigned long limit, n = 2;

	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L1, 1, DST_GPA | P | W);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));

	/* The same pages elsewhere, by a table that shares the lower levels. */
	set(vm, SPARE, 1, L3 | P | W);
	EXPECT_STATUS(OK, attach_table(vm, 2, EP, SPARE));
	EXPECT_FALSE(writes_at(IOVA(1)));
	EXPECT_TRUE(edu_writes(&self->edu, (1ULL << 39) + IOVA(0), self->src,
			       (1ULL << 39) + IOVA(1), self->dst));
	EXPECT_EQ(1, get_stats(vm).domains);
	EXPECT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));

	/* It fails further and further on its way, and then it does not. */
	limit = set_limit(n);
	while (attach_table(vm, 2, EP, SPARE) == VIRTIO_IOMMU_S_NOMEM && n < 200) {
		EXPECT_TRUE(writes_at(IOVA(1)));
		EXPECT_EQ(2, get_stats(vm).mappings);
		EXPECT_EQ(1, get_stats(vm).domains);
		n += 7;
		set_limit(n);
	}
	EXPECT_LT(30, n);
	EXPECT_FALSE(writes_at(IOVA(1)));
	set_limit(limit);

	/* Of all other kinds, and back. */
	EXPECT_STATUS(INVAL, attach(vm, 2, EP, 0));
	EXPECT_STATUS(OK, attach(vm, 3, EP, 0));
	EXPECT_FALSE(writes_at(IOVA(1)));
	EXPECT_STATUS(OK, attach(vm, 4, EP, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_TRUE(bypass_works());
	EXPECT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_FALSE(bypass_works());
}

/* Is the page reached that a leaf of the 64 below leads to? */
static bool reaches_page(struct vm *vm, struct edu *edu, unsigned int i)
{
	return edu_writes(edu, IOVA(0), vm->ram + SRC_GPA, IOVA(1 + i),
			  vm->ram + DST_GPA + i * 0x1000);
}

/* Leaves that are mapped together go and come back one by one, at either end as well. */
TEST_F(edu_table, together)
{
	static const unsigned int order[] = { 30, 31, 0, 63, 1, 32 };
	struct vm *vm = &self->vm;
	struct edu *edu = &self->edu;
	unsigned int i, n;

	set(vm, L1, 0, SRC_GPA | P);
	for (i = 0; i < 64; i++)
		set(vm, L1, 1 + i, (DST_GPA + i * 0x1000) | P | W);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	for (n = 0; n < ARRAY_SIZE(order); n++) {
		i = order[n];
		EXPECT_TRUE(reaches_page(vm, edu, i));
		set(vm, L1, 1 + i, 0);
		EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(1 + i), 1));
		EXPECT_EQ(64 - n, get_stats(vm).mappings);
		EXPECT_FALSE(reaches_page(vm, edu, i));
		EXPECT_TRUE(reaches_page(vm, edu, 2));
		EXPECT_TRUE(reaches_page(vm, edu, 33));
	}
	for (n = 0; n < ARRAY_SIZE(order); n++)
		set(vm, L1, 1 + order[n],
		    (DST_GPA + order[n] * 0x1000) | P | W);
	EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(0), 512));
	EXPECT_EQ(65, get_stats(vm).mappings);
	for (n = 0; n < ARRAY_SIZE(order); n++)
		EXPECT_TRUE(reaches_page(vm, edu, order[n]));
}

enum hostile { ITSELF, MAZE, MILLION };

/*
 * Tables that have far more ways than entries: one that leads to itself, one of which
 * no way has a leaf, one in which every way has.
 */
static void make_hostile(struct vm *vm, enum hostile how)
{
	if (how == ITSELF) {
		fill(vm, ROOT, ROOT | P | W);
		return;
	}
	fill(vm, SPARE + 0x2000, how == MAZE ? 0 : DST_GPA | P | W);
	fill(vm, SPARE + 0x1000, (SPARE + 0x2000) | P | W);
	fill(vm, SPARE, (SPARE + 0x1000) | P | W);
	fill(vm, ROOT, SPARE | P | W);
}

/* A request about them ends, with a status, and leaves nothing behind. */
TEST_F(edu_table, hostile)
{
	unsigned long limit = set_limit(2000);
	struct vm *vm = &self->vm;
	enum hostile how;

	for (how = ITSELF; how <= MILLION; how++) {
		make_good(vm);
		EXPECT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
		EXPECT_TRUE(writes_at(IOVA(1)));
		make_hostile(vm, how);
		EXPECT_STATUS(NOMEM, invalidate_all(vm, 1));
		EXPECT_EQ(0, get_stats(vm).mappings);
		EXPECT_FALSE(writes_at(IOVA(1)));
		/* Of a part, as much as there is. */
		EXPECT_STATUS(OK, invalidate(vm, 1, IOVA(1), 1));
		EXPECT_EQ(how != MAZE, get_stats(vm).mappings);
		make_good(vm);
		EXPECT_STATUS(OK, invalidate_all(vm, 1));
		EXPECT_TRUE(writes_at(IOVA(1)));

		EXPECT_STATUS(OK, detach(vm, 1, EP));
		make_hostile(vm, how);
		EXPECT_STATUS(NOMEM, attach_table(vm, 1, EP, ROOT));
		EXPECT_EQ(0, get_stats(vm).mappings);
		EXPECT_EQ(0, get_stats(vm).domains);
		EXPECT_TRUE(bypass_works());
	}
	set_limit(limit);
}

/* Stopped while it is at one, the worker stops, and the request has its end. */
TEST_F(edu_table, stopped)
{
	const struct virtio_iommu_req_attach_pgt_x86_64 req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = 1, .endpoint = EP, .pgd = ROOT,
		.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64,
	};
	unsigned long limit = set_limit(30000);
	struct vm *vm = &self->vm;

	make_hostile(vm, MAZE);
	request_leave(vm, &req, offsetof(typeof(req), tail));
	EXPECT_TRUE(worker_becomes('R'));
	EXPECT_EQ(0, vm_run(vm, 0));
	EXPECT_EQ(0, get_stats(vm).mappings);
	set_limit(limit);
	make_good(vm);
	EXPECT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(4, ring_wait(&vm->request));
	EXPECT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	EXPECT_TRUE(writes_at(IOVA(1)));
}

/* Killed in the middle of one that has no limit but the default. */
TEST(killed)
{
	int ready[2], status, how;
	struct edu edu = {};
	struct vm vm = {};
	pid_t child;
	char c;

	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, pipe(ready));
	for (how = ITSELF; how <= MILLION; how++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			if (edu_create(&edu, &vm, EP))
				_exit(1);
			make_hostile(&vm, how);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				attach_table(&vm, 1, EP, ROOT);
		}
		ASSERT_EQ(1, read(ready[0], &c, 1));
		usleep(300000);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	ASSERT_EQ(0, edu_create(&edu, &vm, EP));
	make_good(&vm);
	EXPECT_STATUS(OK, attach_table(&vm, 1, EP, ROOT));
	edu_close(&edu);
	vm_destroy(&vm);
}

static volatile bool scribbling;

/* Another CPU of the guest that changes the tables all the time. */
static void *scribble(void *arg)
{
	struct vm *vm = arg;
	__u32 state = 7;

	while (scribbling) {
		__u64 table = ROOT + rnd(&state, 5) * 0x1000;
		__u64 entry = rnd(&state, RAM_SIZE >> 12) * 0x1000UL;

		/* Mostly such that it leads somewhere. */
		if (rnd(&state, 2))
			entry = ROOT + rnd(&state, 5) * 0x1000;
		entry |= rnd(&state, 4) | (rnd(&state, 16) ? 0 : LEAF);
		set(vm, table, rnd(&state, 4) ? rnd(&state, 4) : rnd(&state, 512),
		    entry);
	}
	return NULL;
}

TEST_F(edu_table, changed_while_read)
{
	unsigned long limit = set_limit(500);
	unsigned int round, status, ok = 0;
	struct vm *vm = &self->vm;
	__u32 state = 11;
	pthread_t thread;

	make_good(vm);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	scribbling = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, vm));
	for (round = 0; round < 100; round++) {
		if (rnd(&state, 10))
			status = invalidate(vm, 1, rnd(&state, 2) * BASE +
					    rnd(&state, 1 << 12) * 0x1000UL,
					    1 + rnd(&state, 1 << 12));
		else
			status = invalidate_all(vm, 1);
		ok += status == VIRTIO_IOMMU_S_OK;
		if (status != VIRTIO_IOMMU_S_OK)
			EXPECT_STATUS(NOMEM, status);
		EXPECT_GE(500, get_stats(vm).mappings);
	}
	scribbling = false;
	pthread_join(thread, NULL);
	EXPECT_LT(10, ok);

	set_limit(limit);
	make_good(vm);
	EXPECT_STATUS(OK, invalidate_all(vm, 1));
	EXPECT_EQ(2, get_stats(vm).mappings);
	EXPECT_TRUE(writes_at(IOVA(1)));
	EXPECT_FALSE(writes_at(IOVA(2)));
}

/*
 * Random leaves in 16 pages of 4 KiB and 4 of 2 MiB, with what has changed
 * invalidated: the shadow is the table, by count and by DMA.
 */
TEST_F(edu_table, model)
{
	struct vm *vm = &self->vm;
	bool small[16] = {}, huge[4] = {};
	__u32 state = 5;
	int round, i, n;

	set(vm, L1, 0, SRC_GPA | P);
	ASSERT_STATUS(OK, attach_table(vm, 1, EP, ROOT));
	for (round = 0; round < 150; round++) {
		i = rnd(&state, 15) + 1;
		small[i] = !small[i];
		set(vm, L1, i, small[i] ? DST_GPA | P | W : 0);
		n = rnd(&state, 4);
		huge[n] = rnd(&state, 2);
		set(vm, L2, 1 + n, huge[n] ? P | W | LEAF : 0);
		ASSERT_STATUS(OK, invalidate(vm, 1, IOVA(i), 1));
		ASSERT_STATUS(OK, invalidate(vm, 1, HUGE(1 + n) + i * 0x1000UL, 1));

		for (i = 1, n = 1; i < 16; i++)
			n += small[i];
		for (i = 0; i < 4; i++)
			n += huge[i];
		ASSERT_EQ(n, get_stats(vm).mappings);
		if (round % 10)
			continue;
		i = rnd(&state, 15) + 1;
		EXPECT_EQ(small[i], writes_at(IOVA(i)));
		i = rnd(&state, 4);
		EXPECT_EQ(huge[i], writes_at(HUGE(1 + i) + DST_GPA));
	}
}

TEST_HARNESS_MAIN
