// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of a guest that an SMMUv3 walks, through /dev/vhost-iommu: ATTACH_TABLE of
 * context descriptors, INVALIDATE, PROBE and faults, see "Formats of Arm" in
 * Documentation/virtio/page-tables.rst. The edu device EDU tells by DMA what comes of it.
 */
#include "../vhost_iommu/tables.h"
#include "../vhost_iommu/state.h"
#include "../vhost_iommu/inject.h"
#include "smmuv3.h"

#define TABLES		0x200000UL
#define TABLES_SIZE	0x100000UL
#define OTHER_GPA	0x102000UL
#define DOMAIN		1
#define ASID		1
#define OTHER_ASID	2
#define EVENTS		0x300000UL
/* Registers of the edu device */
#define EDU_IRQ_RAISE	0x60
#define EDU_IRQ_ACK	0x64

FIXTURE(nested)
{
	struct vm vm;
	struct edu edu;
	struct smmu_memory memory;
	char *src, *dst, *other;
	__u64 cd, root;		/* lead to the source, and by DST_IOVA to the destination */
};

/* A context descriptor with a page table of its own. */
static __u64 make_cd(struct smmu_memory *memory, __u64 *root, __u16 asid,
		     __u64 dst_gpa)
{
	__u64 cd = smmu_page(memory);

	*root = smmu_page(memory);
	smmu_write_cd(memory, cd, *root, asid);
	lpae_set(memory, *root, SRC_IOVA, SRC_GPA, LPAE_PAGE);
	lpae_set(memory, *root, DST_IOVA, dst_gpa, LPAE_PAGE);
	return cd;
}

FIXTURE_SETUP(nested)
{
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	self->memory = (struct smmu_memory) {
		.base = self->vm.ram + TABLES, .gpa = TABLES,
		.size = TABLES_SIZE,
	};
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
	self->other = self->vm.ram + OTHER_GPA;
	self->cd = make_cd(&self->memory, &self->root, ASID, DST_GPA);
	ASSERT_NE(0, self->root);
}

FIXTURE_TEARDOWN(nested)
{
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

static unsigned int attach_cd(struct vm *vm, __u32 domain, __u32 endpoint, __u64 cd)
{
	return request_of(vm, attach_pst_arm,
			  .head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
			  .domain = domain, .endpoint = endpoint,
			  .format = VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3,
			  .s1contextptr = cd);
}

/* A range of an address space; @flags without those that it always has. */
static unsigned int forget(struct vm *vm, __u32 domain, __u16 asid, __u64 start,
			   __u64 pages, __u16 flags)
{
	struct virtio_iommu_req_invalidate req = range(domain, start, pages);

	req.flags = VIRTIO_IOMMU_INVAL_F_PASID | VIRTIO_IOMMU_INVAL_F_ARCHID |
		    flags;
	req.archid = asid;
	return send(vm, req);
}

static unsigned int forget_cd(struct vm *vm, __u32 domain, __u16 asid)
{
	struct virtio_iommu_req_invalidate req = range(domain, 0, 0);

	req.inv_gran = VIRTIO_IOMMU_INVAL_G_PASID;
	req.inv_type = VIRTIO_IOMMU_INV_T_PASID | VIRTIO_IOMMU_INV_T_IOTLB;
	req.flags = VIRTIO_IOMMU_INVAL_F_PASID | VIRTIO_IOMMU_INVAL_F_ARCHID;
	req.archid = asid;
	return send(vm, req);
}

/* Does a DMA to @iova arrive in the page @ram? */
#define writes(iova, ram)						\
	edu_writes(&self->edu, SRC_IOVA, self->src, iova, ram)
/* As without an IOMMU. */
#define bypasses()							\
	edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst)

/* Find a property of the endpoint, of a format or a subtype. */
static const void *probe(struct vm *vm, char *reply, __u16 type, __u16 format)
{
	struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	const struct virtio_iommu_probe_property *p;
	unsigned int i = 0;

	if (request_raw(vm, &req, sizeof(req), reply, PROBE_SIZE +
			sizeof(struct virtio_iommu_req_tail)) < PROBE_SIZE)
		return NULL;
	while (i < PROBE_SIZE) {
		p = (const void *)(reply + i);
		if (!p->type)
			break;
		if (p->type == type && *(__u16 *)(p + 1) == format)
			return p;
		i += sizeof(*p) + p->length;
	}
	return NULL;
}

TEST_F(nested, probe)
{
	const struct virtio_iommu_probe_pgtf_arm *arm;
	char reply[PROBE_SIZE + 8];
	struct vm *vm = &self->vm;

	arm = probe(vm, reply, VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT,
		    VIRTIO_IOMMU_FORMAT_PGTF_ARM_LPAE);
	ASSERT_NE(NULL, arm);
	EXPECT_TRUE(arm->asid_bits == 8 || arm->asid_bits == 16);
	EXPECT_EQ(0, arm->flags);
	EXPECT_NE(NULL, probe(vm, reply, VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT,
			      VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3));
	/* What is shadowed is there as well. */
	EXPECT_NE(NULL, probe(vm, reply, VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT,
			      VIRTIO_IOMMU_FORMAT_PGTF_X86_64));
}

TEST_F(nested, translates)
{
	struct vm *vm = &self->vm;

	EXPECT_TRUE(bypasses());
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_FALSE(bypasses());
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	/* Nothing of it is ours. */
	EXPECT_EQ(0, get_stats(vm).mappings);
	EXPECT_STATUS(OK, detach(vm, DOMAIN, EP));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_TRUE(bypasses());
}

/* What was not there is used as soon as it is; what goes, after an INVALIDATE. */
TEST_F(nested, invalidate)
{
	struct vm *vm = &self->vm;

	lpae_set(&self->memory, self->root, DST_IOVA, 0, 0);
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	lpae_set(&self->memory, self->root, DST_IOVA, DST_GPA, LPAE_PAGE);
	EXPECT_TRUE(writes(DST_IOVA, self->dst));

	lpae_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, LPAE_PAGE);
	EXPECT_STATUS(OK, forget(vm, DOMAIN, ASID, DST_IOVA, 1,
				 VIRTIO_IOMMU_INVAL_F_LEAF));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_TRUE(writes(DST_IOVA, self->other));

	/* By the whole address space, and by the whole domain. */
	lpae_set(&self->memory, self->root, DST_IOVA, DST_GPA, LPAE_PAGE);
	EXPECT_STATUS(OK, forget(vm, DOMAIN, ASID, SRC_IOVA, 512, 0));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	lpae_set(&self->memory, self->root, DST_IOVA, 0, 0);
	EXPECT_STATUS(OK, invalidate_all(vm, DOMAIN));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
}

/* An IOTLB is there: without an INVALIDATE, or with one of something else. */
TEST_F(nested, cached)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	lpae_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, LPAE_PAGE);
	EXPECT_STATUS(OK, forget(vm, DOMAIN, ASID, DST_IOVA + 0x1000, 1, 0));
	EXPECT_STATUS(OK, forget(vm, DOMAIN, OTHER_ASID, DST_IOVA, 1, 0));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_STATUS(OK, forget(vm, DOMAIN, ASID, DST_IOVA, 1, 0));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
}

/* The descriptor leads to another page table. */
TEST_F(nested, another_root)
{
	struct vm *vm = &self->vm;
	__u64 root;

	ASSERT_NE(0, make_cd(&self->memory, &root, OTHER_ASID, OTHER_GPA));
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	smmu_write_cd(&self->memory, self->cd, root, OTHER_ASID);
	EXPECT_STATUS(OK, forget_cd(vm, DOMAIN, ASID));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
}

/* Another table of descriptors takes the place of the first. */
TEST_F(nested, replaced)
{
	struct vm *vm = &self->vm;
	__u64 root, cd;

	cd = make_cd(&self->memory, &root, OTHER_ASID, OTHER_GPA);
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_STATUS(OK, attach_cd(vm, DOMAIN, EP, cd));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
	EXPECT_EQ(1, get_stats(vm).domains);

	/* By another domain, of mappings. */
	EXPECT_STATUS(OK, attach(vm, DOMAIN + 1, EP, 0));
	EXPECT_FALSE(writes(DST_IOVA, self->other));
	EXPECT_STATUS(OK, map(vm, DOMAIN + 1, SRC_IOVA, 0x1000, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, DOMAIN + 1, DST_IOVA, 0x1000, DST_GPA, RW));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

/* Both see what is gone from the address space of their domain. */
TEST_F(nested, two_endpoints)
{
	struct vm *vm = &self->vm;
	struct edu edu2;

	if (!getenv("EDU2"))
		SKIP(return, "EDU2 is not set");
	ASSERT_EQ(0, edu_join(&edu2, &self->edu, "EDU2"));
	ASSERT_EQ(0, edu_add_endpoint(&edu2, vm, EP + 8));
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP + 8, self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_TRUE(edu_writes(&edu2, SRC_IOVA, self->src, DST_IOVA, self->dst));

	lpae_set(&self->memory, self->root, DST_IOVA, OTHER_GPA, LPAE_PAGE);
	EXPECT_STATUS(OK, forget(vm, DOMAIN, ASID, DST_IOVA, 1,
				 VIRTIO_IOMMU_INVAL_F_LEAF));
	EXPECT_TRUE(writes(DST_IOVA, self->other));
	EXPECT_TRUE(edu_writes(&edu2, SRC_IOVA, self->src, DST_IOVA, self->other));

	EXPECT_STATUS(OK, detach(vm, DOMAIN, EP));
	EXPECT_TRUE(bypasses());
	EXPECT_TRUE(edu_writes(&edu2, SRC_IOVA, self->src, DST_IOVA, self->other));
	edu_close_device(&edu2);
	close(edu2.group);
}

/* Each allocation on the way to a table that is walked fails in turn. */
TEST_F(nested, each_step_fails)
{
	struct vm *vm = &self->vm;
	int me = open_injection();
	__u64 root, cd;

	if (me < 0)
		SKIP(return, "the kernel cannot have allocations fail");
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	ASSERT_TRUE(worker_becomes('S'));
	FAIL_EACH(me, attach_cd(vm, DOMAIN, EP, self->cd),
		  { EXPECT_TRUE(writes(DST_IOVA, self->dst));
		    EXPECT_STATUS(OK, detach(vm, DOMAIN, EP)); },
		  bypasses() && !get_stats(vm).domains);
	cd = make_cd(&self->memory, &root, OTHER_ASID, OTHER_GPA);
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	FAIL_EACH(me, attach_cd(vm, DOMAIN + 1, EP, cd),
		  { EXPECT_TRUE(writes(DST_IOVA, self->other));
		    EXPECT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd)); },
		  writes(DST_IOVA, self->dst));

	EXPECT_STATUS(OK, detach(vm, DOMAIN, EP));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	FAIL_EACH(me, edu_add_endpoint(&self->edu, vm, EP),
		  remove_endpoint(vm, EP), !get_stats(vm).endpoints);
	ASSERT_EQ(0, edu_add_endpoint(&self->edu, vm, EP));
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_EQ(0, get_stats(vm).mappings);
	close(me);
}

TEST_F(nested, attach_statuses)
{
	struct virtio_iommu_req_attach_pst_arm req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = DOMAIN, .endpoint = EP, .s1contextptr = self->cd,
		.format = VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3,
	};
	const __u32 out = offsetof(typeof(req), tail);
	struct vm *vm = &self->vm;

#define ATTACH_BUT(change) ({						\
	struct virtio_iommu_req_attach_pst_arm r = req;			\
	change; request(vm, &r, out); })
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.s1fmt = 1));
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.s1dss = 3));
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.s1cdmax = 1));
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.s1cdmax = ~0U));
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.format = 1));
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.format = 3));
	EXPECT_STATUS(INVAL, ATTACH_BUT(r.reserved[47] = 1));
	EXPECT_STATUS(RANGE, ATTACH_BUT(r.s1contextptr |= 32));
	EXPECT_STATUS(RANGE, ATTACH_BUT(r.s1contextptr |= 1ULL << 52));
	EXPECT_STATUS(NOENT, ATTACH_BUT(r.endpoint++));
	EXPECT_STATUS(INVAL, request(vm, &req, out - 1));
	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	EXPECT_STATUS(UNSUPP, ATTACH_BUT(r.endpoint++));
	EXPECT_EQ(0, get_stats(vm).domains);
	EXPECT_TRUE(bypasses());

	EXPECT_STATUS(OK, attach(vm, DOMAIN, EP + 1, 0));
	EXPECT_STATUS(INVAL, ATTACH_BUT());
	EXPECT_STATUS(OK, detach(vm, DOMAIN, EP + 1));
	EXPECT_STATUS(OK, ATTACH_BUT());
	EXPECT_STATUS(OK, ATTACH_BUT());
	EXPECT_STATUS(INVAL, attach(vm, DOMAIN, EP, 0));
	EXPECT_STATUS(INVAL, map(vm, DOMAIN, 0x1000, 0x1000, SRC_GPA, RW));
	EXPECT_STATUS(INVAL, unmap(vm, DOMAIN, 0x1000, 0x1000));
	EXPECT_STATUS(INVAL, attach_table(vm, DOMAIN, EP, ROOT));
	EXPECT_STATUS(INVAL, attach_pasids(vm, DOMAIN, EP, PASIDS));
	EXPECT_STATUS(INVAL, invalidate(vm, DOMAIN, SRC_IOVA, 1));
	EXPECT_STATUS(RANGE, send(vm, BUT(range(DOMAIN, SRC_IOVA, 1),
					  c.flags = 3; c.archid = 1 << 16)));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

/* Tables that lead out of the guest's memory, to pages that this program has. */
TEST_F(nested, hostile)
{
	__u64 outside = RAM_SIZE + 0x100000;
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	lpae_set(&self->memory, self->root, DST_IOVA, outside, LPAE_PAGE);
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	smmu_write_cd(&self->memory, self->cd, outside, ASID);
	EXPECT_STATUS(OK, forget_cd(vm, DOMAIN, ASID));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_STATUS(OK, attach_cd(vm, DOMAIN, EP, outside));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_STATUS(OK, attach_cd(vm, DOMAIN, EP, (1ULL << 52) - 64));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));

	smmu_write_cd(&self->memory, self->cd, self->root, ASID);
	lpae_set(&self->memory, self->root, DST_IOVA, DST_GPA, LPAE_PAGE);
	EXPECT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_STATUS(OK, invalidate_all(vm, DOMAIN));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
}

/* Memory that goes from stage 2 is not reached by the guest's table either. */
TEST_F(nested, stage2_changes)
{
	__u64 gpa = RAM_SIZE;
	char *more = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vm *vm = &self->vm;

	ASSERT_NE(MAP_FAILED, more);
	lpae_set(&self->memory, self->root, DST_IOVA, gpa, LPAE_PAGE);
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_FALSE(writes(DST_IOVA, more));
	EXPECT_EQ(0, s2_map(&self->edu, more, gpa, 0x1000, DMA_RW));
	EXPECT_TRUE(writes(DST_IOVA, more));
	EXPECT_EQ(0x1000, s2_unmap(&self->edu, gpa, 0x1000, 0));
	EXPECT_FALSE(writes(DST_IOVA, more));
	munmap(more, 0x1000);
}

/* The next event is about a write of the endpoint's to @iova. */
static bool told(struct vm *vm, __u64 iova)
{
	const struct virtio_iommu_fault *fault = (void *)(vm->ram + EVENTS);

	if (ring_wait(&vm->event) != sizeof(*fault))
		return false;
	if (fault->reason == VIRTIO_IOMMU_FAULT_R_MAPPING &&
	    fault->endpoint == EP && fault->address == iova &&
	    fault->flags == (VIRTIO_IOMMU_FAULT_F_WRITE |
			     VIRTIO_IOMMU_FAULT_F_ADDRESS))
		return true;
	fprintf(stderr, "# reason %u, endpoint %#x, address %#llx, flags %#x\n",
		fault->reason, fault->endpoint,
		(unsigned long long)fault->address, fault->flags);
	return false;
}

TEST_F(nested, faults)
{
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	ring_desc(&vm->event, 0, EVENTS, sizeof(struct virtio_iommu_fault),
		  VRING_DESC_F_WRITE, 0);
	ring_add(&vm->event, 0);
	ring_kick(&vm->event);
	EXPECT_FALSE(writes(DST_IOVA + 0x1000, self->dst));
	EXPECT_TRUE(told(vm, DST_IOVA + 0x1000));
	lpae_set(&self->memory, self->root, DST_IOVA, DST_GPA,
		 LPAE_PAGE | LPAE_RDONLY);
	ring_add(&vm->event, 0);
	ring_kick(&vm->event);
	EXPECT_STATUS(OK, forget(vm, DOMAIN, ASID, DST_IOVA, 1, 0));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	EXPECT_TRUE(told(vm, DST_IOVA));
}

/* Saved and put back, the hardware walks the same table again. */
TEST_F(nested, state)
{
	struct vhost_iommu_record r[MAX_RECORDS];
	struct vm *vm = &self->vm;
	int nr;

	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	ASSERT_EQ(0, vm_run(vm, 0));
	nr = get_state(vm, r, MAX_RECORDS, 4);
	ASSERT_EQ(3, nr);
	EXPECT_EQ(VHOST_IOMMU_RECORD_ENDPOINT, r[1].type);
	EXPECT_EQ(VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3, r[1].endpoint.format);
	EXPECT_EQ(self->cd, r[1].endpoint.table);
	EXPECT_EQ(0, r[1].endpoint.entry);

	ASSERT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_RESET));
	EXPECT_FALSE(writes(DST_IOVA, self->dst));
	r[1].endpoint.entry = 1;
	EXPECT_ERRNO(EOPNOTSUPP, set_state(vm, r, nr, nr));
	r[1].endpoint.entry = 0;
	r[1].endpoint.table |= 32;
	EXPECT_ERRNO(EINVAL, set_state(vm, r, nr, nr));
	r[1].endpoint.table = self->cd;
	ASSERT_EQ(0, set_state(vm, r, nr, nr));
	EXPECT_TRUE(writes(DST_IOVA, self->dst));
	EXPECT_FALSE(bypasses());
}

/* What is left of an endpoint does not keep what is the VMM's. */
TEST_F(nested, released)
{
	struct iommu_destroy arg = {
		.size = sizeof(arg), .id = self->edu.parent_id,
	};
	struct vm *vm = &self->vm;

	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_EQ(-1, ioctl(self->edu.container, IOMMU_DESTROY, &arg));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, ioctl(self->edu.container, IOMMU_DESTROY, &arg));
	arg.id = self->edu.pt_id;
	EXPECT_EQ(0, ioctl(self->edu.container, IOMMU_DESTROY, &arg));
	EXPECT_EQ((__s64)RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	arg.id = self->edu.ioas;
	EXPECT_EQ(0, ioctl(self->edu.container, IOMMU_DESTROY, &arg));
}

/* An eventfd that the device's interrupt triggers, or -1. */
static int open_interrupt(struct edu *edu)
{
	struct {
		struct vfio_irq_set	head;
		__s32			fd;
	} arg = {
		.head = {
			.argsz = sizeof(arg), .count = 1,
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSI_IRQ_INDEX,
		},
		.fd = eventfd(0, EFD_NONBLOCK),
	};

	return ioctl(edu->device, VFIO_DEVICE_SET_IRQS, &arg) ? -1 : arg.fd;
}

/* Does an interrupt of the device arrive? */
static bool interrupts(struct edu *edu, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	__u64 nr;
	bool ret;

	*(volatile __u32 *)(edu->bar + EDU_IRQ_RAISE) = 1;
	ret = poll(&p, 1, 1000) == 1 && read(fd, &nr, sizeof(nr)) == sizeof(nr);
	*(volatile __u32 *)(edu->bar + EDU_IRQ_ACK) = 1;
	return ret;
}

/* A write that signals an interrupt goes through the guest's table like any other. */
TEST_F(nested, message)
{
	const struct virtio_iommu_probe_resv_mem *msi;
	char reply[PROBE_SIZE + 8];
	struct vm *vm = &self->vm;
	__u64 iova;
	int fd;

	msi = probe(vm, reply, VIRTIO_IOMMU_PROBE_T_RESV_MEM,
		    VIRTIO_IOMMU_RESV_MEM_T_MSI);
	ASSERT_NE(NULL, msi);
	fd = open_interrupt(&self->edu);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(interrupts(&self->edu, fd));
	ASSERT_STATUS(OK, attach_cd(vm, DOMAIN, EP, self->cd));
	EXPECT_FALSE(interrupts(&self->edu, fd));
	for (iova = msi->start; iova < msi->end; iova += 0x1000)
		lpae_set(&self->memory, self->root, iova, iova, LPAE_PAGE);
	EXPECT_TRUE(interrupts(&self->edu, fd));
	close(fd);
}

/* A table of x86-64 is shadowed by an SMMU's own. */
TEST_F(nested, shadowed)
{
	struct vm *vm = &self->vm;

	make_good(vm);
	set(vm, L3, BASE >> 30, 0);
	set(vm, L2, 0, 0);
	set(vm, L3, 0, L2 | P | W);
	set(vm, L2, FIRST >> 21, L1 | P | W);
	ASSERT_STATUS(OK, attach_table(vm, DOMAIN, EP, ROOT));
	EXPECT_TRUE(reaches(vm, &self->edu, FIRST));
	EXPECT_EQ(2, get_stats(vm).mappings);
}

TEST_HARNESS_MAIN
