// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of a guest to an instance whose endpoints are emulated: ring, decoding,
 * domains and statuses, without hardware. The names of the cases say which statement
 * of virtio 1.4, "IOMMU device", they check.
 */
#include <linux/virtio_iommu.h>

#include "guest.h"
#include "../domain.h"
#include "../endpoint.h"
#include "../vhost_iommu.h"

#define EP_A		0x10
#define EP_B		0x20
#define PROBE_SIZE	64
#define RESV_START	0x100000
#define RESV_LAST	0x1fffff
#define RW		(VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)
#define NO_STATUS	0xff	/* used length 0 */

struct request_test {
	struct test_guest	*g;
	struct vhost_iommu	vi;
	unsigned int		nr_used;
};

static void add_reserving(struct kunit *test, u32 id, u64 start, u64 last)
{
	struct request_test *t = test->priv;
	const struct vhost_iommu_region region = {
		.start = start, .last = last,
	};
	struct vhost_iommu_endpoint arg = {
		.size = sizeof(arg), .id = id, .group_fd = -1,
		.regions = t->g->base + GUEST_BUF, .nr_regions = 1,
	};

	guest_write(t->g, GUEST_BUF, &region, sizeof(region));
	mutex_lock(&t->vi.lock);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_ep_add(&t->vi, &arg));
	mutex_unlock(&t->vi.lock);
}

static void add_endpoint(struct kunit *test, u32 id)
{
	add_reserving(test, id, RESV_START, RESV_LAST);
}

static int request_test_init(struct kunit *test)
{
	struct request_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct vhost_iommu *vi = &t->vi;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->g = guest_create(test);
	mutex_init(&vi->lock);
	spin_lock_init(&vi->fault_lock);
	INIT_LIST_HEAD(&vi->dirty);
	xa_init(&vi->endpoints);
	xa_init(&vi->domains);
	init_waitqueue_head(&vi->invalidations.wait);
	guest_ring(t->g, &vi->vqs[VHOST_IOMMU_VQ_REQUEST]);
	vi->mem = t->g->mem;
	vi->features = ~0ULL;
	vi->config = (struct vhost_iommu_config) {
		.page_size_mask = ~0xfffULL,
		.input_start = 0x1000, .input_end = 0xffffffff,
		.domain_start = 1, .domain_end = 100,
		.probe_size = PROBE_SIZE, .bypass = 1,
	};
	add_endpoint(test, EP_A);
	add_endpoint(test, EP_B);
	return 0;
}

static void request_test_exit(struct kunit *test)
{
	struct request_test *t = test->priv;

	mutex_lock(&t->vi.lock);
	vhost_iommu_ep_remove_all(&t->vi);
	mutex_unlock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, t->vi.nr_domains, 0);
	KUNIT_EXPECT_EQ(test, t->vi.nr_mappings, 0);
	KUNIT_EXPECT_EQ(test, t->vi.nr_endpoints, 0);
	xa_destroy(&t->vi.endpoints);
	xa_destroy(&t->vi.domains);
}

/* Queue a buffer with @out readable and @in writable bytes; return the used length. */
static u32 send_raw(struct kunit *test, const void *req, u32 out, u32 in)
{
	struct request_test *t = test->priv;

	guest_write(t->g, GUEST_BUF, req, out);
	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, out, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF + 0x1000, in,
		   VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 0);

	mutex_lock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, 1, vhost_iommu_handle_requests(&t->vi));
	mutex_unlock(&t->vi.lock);
	KUNIT_ASSERT_EQ(test, guest_used_idx(t->g), (u16)(t->nr_used + 1));
	return guest_used_len(t->g, t->nr_used++);
}

/* Send a request and return its status. */
static u8 send(struct kunit *test, const void *req, u32 out)
{
	struct request_test *t = test->priv;
	struct virtio_iommu_req_tail tail;

	memset(&tail, 0xee, sizeof(tail));
	guest_write(t->g, GUEST_BUF + 0x1000, &tail, sizeof(tail));
	if (!send_raw(test, req, out, sizeof(tail)))
		return NO_STATUS;
	guest_read(t->g, GUEST_BUF + 0x1000, &tail, sizeof(tail));
	KUNIT_EXPECT_EQ(test, 0, tail.reserved[0] | tail.reserved[1] |
				 tail.reserved[2]);
	return tail.status;
}

static u8 attach(struct kunit *test, u32 domain, u32 endpoint, u32 flags)
{
	const struct virtio_iommu_req_attach req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = cpu_to_le32(domain),
		.endpoint = cpu_to_le32(endpoint),
		.flags = cpu_to_le32(flags),
	};

	return send(test, &req, offsetof(typeof(req), tail));
}

static u8 detach(struct kunit *test, u32 domain, u32 endpoint)
{
	const struct virtio_iommu_req_detach req = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = cpu_to_le32(domain),
		.endpoint = cpu_to_le32(endpoint),
		/* "The device MUST ignore reserved." */
		.reserved = { 1, 2, 3, 4, 5, 6, 7, 8 },
	};

	return send(test, &req, offsetof(typeof(req), tail));
}

static u8 map(struct kunit *test, u32 domain, u64 start, u64 last, u64 phys,
	      u32 flags)
{
	const struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = cpu_to_le32(domain),
		.virt_start = cpu_to_le64(start),
		.virt_end = cpu_to_le64(last),
		.phys_start = cpu_to_le64(phys),
		.flags = cpu_to_le32(flags),
	};

	return send(test, &req, offsetof(typeof(req), tail));
}

static u8 unmap(struct kunit *test, u32 domain, u64 start, u64 last)
{
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = cpu_to_le32(domain),
		.virt_start = cpu_to_le64(start),
		.virt_end = cpu_to_le64(last),
	};

	return send(test, &req, offsetof(typeof(req), tail));
}

static u64 nr_mappings(struct kunit *test)
{
	struct request_test *t = test->priv;

	return t->vi.nr_mappings;
}

#define EXPECT_STATUS(test, status, expr) \
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_##status, expr)

static void request_attach(struct kunit *test)
{
	struct request_test *t = test->priv;

	EXPECT_STATUS(test, NOENT, attach(test, 1, 0x99, 0));
	EXPECT_STATUS(test, INVAL, attach(test, 1, EP_A, 2));
	EXPECT_STATUS(test, RANGE, attach(test, 0, EP_A, 0));
	EXPECT_STATUS(test, RANGE, attach(test, 101, EP_A, 0));
	KUNIT_EXPECT_EQ(test, t->vi.nr_domains, 0);

	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, OK, attach(test, 1, EP_B, 0));
	KUNIT_EXPECT_EQ(test, t->vi.nr_domains, 1);
	EXPECT_STATUS(test, INVAL,
		      attach(test, 1, EP_B, VIRTIO_IOMMU_ATTACH_F_BYPASS));

	/* To another domain: it is detached from the first, which lives on. */
	EXPECT_STATUS(test, OK,
		      attach(test, 2, EP_B, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_STATUS(test, INVAL, detach(test, 1, EP_B));
	KUNIT_EXPECT_EQ(test, t->vi.nr_domains, 2);
	EXPECT_STATUS(test, INVAL, attach(test, 2, EP_A, 0));
	EXPECT_STATUS(test, INVAL, map(test, 2, 0x1000, 0x1fff, 0, RW));
	EXPECT_STATUS(test, INVAL, unmap(test, 2, 0x1000, 0x1fff));

	/* The last endpoint takes the domain with it. */
	EXPECT_STATUS(test, OK, attach(test, 2, EP_A,
				       VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_STATUS(test, NOENT, map(test, 1, 0x1000, 0x1fff, 0, RW));
}

static void request_attach_reserved(struct kunit *test)
{
	struct virtio_iommu_req_attach req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = cpu_to_le32(1),
		.endpoint = cpu_to_le32(EP_A),
	};

	req.reserved[3] = 1;
	EXPECT_STATUS(test, INVAL, send(test, &req, offsetof(typeof(req), tail)));
	req.reserved[3] = 0;
	/* "The device MUST ignore field reserved of struct virtio_iommu_req_head" */
	req.head.reserved[1] = 7;
	EXPECT_STATUS(test, OK, send(test, &req, offsetof(typeof(req), tail)));
}

static void request_bypass_not_negotiated(struct kunit *test)
{
	struct request_test *t = test->priv;

	t->vi.features &= ~BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG);
	EXPECT_STATUS(test, INVAL,
		      attach(test, 1, EP_A, VIRTIO_IOMMU_ATTACH_F_BYPASS));
}

static void request_detach(struct kunit *test)
{
	struct request_test *t = test->priv;

	EXPECT_STATUS(test, NOENT, detach(test, 1, 0x99));
	EXPECT_STATUS(test, INVAL, detach(test, 1, EP_A));
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, INVAL, detach(test, 2, EP_A));
	EXPECT_STATUS(test, OK, map(test, 1, 0x1000, 0x1fff, 0, RW));
	EXPECT_STATUS(test, OK, detach(test, 1, EP_A));
	KUNIT_EXPECT_EQ(test, t->vi.nr_domains, 0);

	/* The number is free for another domain, an empty one. */
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 0);
}

static void request_map(struct kunit *test)
{
	const u64 gpa = 0x40000000;

	EXPECT_STATUS(test, NOENT, map(test, 1, 0x1000, 0x1fff, gpa, RW));
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));

	EXPECT_STATUS(test, INVAL, map(test, 1, 0x1000, 0x1fff, gpa, BIT(3)));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x2000, 0x1fff, gpa, RW));
	EXPECT_STATUS(test, RANGE, map(test, 1, 0x1800, 0x27ff, gpa, RW));
	EXPECT_STATUS(test, RANGE, map(test, 1, 0x1000, 0x1ffe, gpa, RW));
	EXPECT_STATUS(test, RANGE, map(test, 1, 0x1000, 0x1fff, gpa + 8, RW));
	EXPECT_STATUS(test, RANGE, map(test, 1, 0, 0xfff, gpa, RW));
	EXPECT_STATUS(test, RANGE, map(test, 1, 0x1000, U64_MAX, gpa, RW));
	EXPECT_STATUS(test, FAULT,
		      map(test, 1, 0x1000, 0x2fff, ~0xfffULL, RW));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 0);

	EXPECT_STATUS(test, OK, map(test, 1, 0x2000, 0x4fff, gpa, RW));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x2000, 0x4fff, gpa, RW));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x1000, 0x2fff, gpa, RW));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x4000, 0x5fff, gpa, RW));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x3000, 0x3fff, gpa, RW));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x1000, 0x9fff, gpa, RW));
	EXPECT_STATUS(test, OK, map(test, 1, 0x5000, 0x5fff, gpa, 0));
	EXPECT_STATUS(test, OK, map(test, 1, 0xfffff000, 0xffffffff, gpa,
				    RW | VIRTIO_IOMMU_MAP_F_MMIO));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 3);
}

static void request_map_mmio_not_negotiated(struct kunit *test)
{
	struct request_test *t = test->priv;

	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	t->vi.features &= ~BIT_ULL(VIRTIO_IOMMU_F_MMIO);
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x1000, 0x1fff, 0,
				       RW | VIRTIO_IOMMU_MAP_F_MMIO));
}

static void request_map_reserved_region(struct kunit *test)
{
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, INVAL, map(test, 1, RESV_START - 0x1000,
				       RESV_START + 0xfff, 0, RW));
	EXPECT_STATUS(test, INVAL, map(test, 1, RESV_LAST - 0xfff, RESV_LAST + 0x1000,
				       0, RW));
	EXPECT_STATUS(test, OK, map(test, 1, RESV_LAST + 1, RESV_LAST + 0x1000,
				    0, RW));
}

/* Nor can an endpoint come to mappings that are in its reserved regions. */
static void request_attach_to_reserved(struct kunit *test)
{
	add_reserving(test, 0x30, 0x300000, 0x3fffff);
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, OK, map(test, 1, 0x3ff000, 0x400fff, 0, RW));
	EXPECT_STATUS(test, UNSUPP, attach(test, 1, 0x30, 0));
	EXPECT_STATUS(test, OK, attach(test, 2, 0x30, 0));
	EXPECT_STATUS(test, UNSUPP, attach(test, 1, 0x30, 0));
	EXPECT_STATUS(test, OK, map(test, 2, 0x1000, 0x1fff, 0, RW));
	EXPECT_STATUS(test, OK, unmap(test, 1, 0x3ff000, 0x400fff));
	EXPECT_STATUS(test, OK, attach(test, 1, 0x30, 0));
	EXPECT_STATUS(test, INVAL, map(test, 1, 0x3ff000, 0x400fff, 0, RW));
}

/* The seven examples of the specification, in pages, from IOVA 0x10000 on. */
static void request_unmap_examples(struct kunit *test)
{
	const u64 p = 0x10000;

	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	/* 1 */
	EXPECT_STATUS(test, OK, unmap(test, 1, p, p + 0x4fff));
	/* 2 */
	EXPECT_STATUS(test, OK, map(test, 1, p, p + 0x9fff, 0, RW));
	EXPECT_STATUS(test, OK, unmap(test, 1, p, p + 0x9fff));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 0);
	/* 3 */
	EXPECT_STATUS(test, OK, map(test, 1, p, p + 0x4fff, 0, RW));
	EXPECT_STATUS(test, OK, map(test, 1, p + 0x5000, p + 0x9fff, 0, RW));
	EXPECT_STATUS(test, OK, unmap(test, 1, p, p + 0x9fff));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 0);
	/* 4 */
	EXPECT_STATUS(test, OK, map(test, 1, p, p + 0x9fff, 0, RW));
	EXPECT_STATUS(test, RANGE, unmap(test, 1, p, p + 0x4fff));
	EXPECT_STATUS(test, RANGE, unmap(test, 1, p + 0x5000, p + 0xffff));
	EXPECT_STATUS(test, RANGE, unmap(test, 1, p + 0x5000, p + 0x5fff));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 1);
	EXPECT_STATUS(test, OK, unmap(test, 1, 0, U64_MAX));
	/* 5 */
	EXPECT_STATUS(test, OK, map(test, 1, p, p + 0x4fff, 0, RW));
	EXPECT_STATUS(test, OK, map(test, 1, p + 0x5000, p + 0x9fff, 0, RW));
	EXPECT_STATUS(test, OK, unmap(test, 1, p, p + 0x4fff));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 1);
	EXPECT_STATUS(test, OK, unmap(test, 1, 0, U64_MAX));
	/* 6 */
	EXPECT_STATUS(test, OK, map(test, 1, p, p + 0x4fff, 0, RW));
	EXPECT_STATUS(test, OK, unmap(test, 1, p, p + 0x9fff));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 0);
	/* 7 */
	EXPECT_STATUS(test, OK, map(test, 1, p, p + 0x4fff, 0, RW));
	EXPECT_STATUS(test, OK, map(test, 1, p + 0xa000, p + 0xefff, 0, RW));
	EXPECT_STATUS(test, OK, unmap(test, 1, p, p + 0xefff));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 0);
}

static void request_unmap_errors(struct kunit *test)
{
	struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = cpu_to_le32(1),
		.virt_end = cpu_to_le64(U64_MAX),
	};

	EXPECT_STATUS(test, NOENT, unmap(test, 1, 0x1000, 0x1fff));
	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, OK, map(test, 1, 0x1000, 0x1fff, 0, RW));
	EXPECT_STATUS(test, INVAL, unmap(test, 1, 0x2000, 0x1fff));
	req.reserved[0] = 1;
	EXPECT_STATUS(test, INVAL, send(test, &req, offsetof(typeof(req), tail)));
	KUNIT_EXPECT_EQ(test, nr_mappings(test), 1);
}

static void request_probe(struct kunit *test)
{
	struct request_test *t = test->priv;
	struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE,
		.endpoint = cpu_to_le32(EP_A),
		/* "The device MUST ignore field reserved of a PROBE request." */
		.reserved = { 1 },
	};
	struct virtio_iommu_probe_resv_mem prop;
	u8 reply[PROBE_SIZE + 4], zero[PROBE_SIZE] = {};

	memset(reply, 0xee, sizeof(reply));
	guest_write(t->g, GUEST_BUF + 0x1000, reply, sizeof(reply));
	KUNIT_EXPECT_EQ(test, sizeof(reply),
			send_raw(test, &req, sizeof(req), sizeof(reply)));
	guest_read(t->g, GUEST_BUF + 0x1000, reply, sizeof(reply));
	memcpy(&prop, reply, sizeof(prop));
	KUNIT_EXPECT_EQ(test, le16_to_cpu(prop.head.type),
			VIRTIO_IOMMU_PROBE_T_RESV_MEM);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(prop.start), RESV_START);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(prop.end), RESV_LAST);
	KUNIT_EXPECT_MEMEQ(test, reply + sizeof(prop), zero,
			   PROBE_SIZE - sizeof(prop));
	EXPECT_STATUS(test, OK, reply[PROBE_SIZE]);

	/* "If the properties list is smaller than probe_size" */
	KUNIT_EXPECT_EQ(test, 32, send_raw(test, &req, sizeof(req), 32));
	guest_read(t->g, GUEST_BUF + 0x1000, reply, 32);
	EXPECT_STATUS(test, INVAL, reply[28]);

	req.endpoint = cpu_to_le32(0x99);
	KUNIT_EXPECT_EQ(test, sizeof(reply),
			send_raw(test, &req, sizeof(req), sizeof(reply)));
	guest_read(t->g, GUEST_BUF + 0x1000, reply, sizeof(reply));
	EXPECT_STATUS(test, NOENT, reply[PROBE_SIZE]);

	/* "If the device does not offer the VIRTIO_IOMMU_F_PROBE feature" */
	t->vi.features &= ~BIT_ULL(VIRTIO_IOMMU_F_PROBE);
	KUNIT_EXPECT_EQ(test, 0,
			send_raw(test, &req, sizeof(req), sizeof(reply)));
}

static void request_malformed(struct kunit *test)
{
	struct request_test *t = test->priv;
	struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP,
	};
	const u8 unknown[64] = { 0x55 }, zero[64] = {};

	/* An unknown type, the number 0 too: not written, used length 0. */
	KUNIT_EXPECT_EQ(test, 0, send_raw(test, unknown, 64, 4));
	KUNIT_EXPECT_EQ(test, 0, send_raw(test, zero, 64, 4));
	/* No room for a status, no head. */
	KUNIT_EXPECT_EQ(test, 0, send_raw(test, &req, 36, 3));
	KUNIT_EXPECT_EQ(test, 0, send_raw(test, &req, 3, 4));
	KUNIT_EXPECT_EQ(test, 4, t->vi.stats.malformed);
	/* Too short for its type, but there is a tail. */
	EXPECT_STATUS(test, INVAL, send(test, &req, 35));
	/* The device does not have MAP_UNMAP. */
	t->vi.features &= ~BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP);
	KUNIT_EXPECT_EQ(test, NO_STATUS,
			map(test, 1, 0x1000, 0x1fff, 0, RW));
}

/* A status that cannot be written: nothing is done either. */
static void request_no_status(struct kunit *test)
{
	struct request_test *t = test->priv;
	const struct virtio_iommu_req_attach req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = cpu_to_le32(1),
		.endpoint = cpu_to_le32(EP_A),
	};

	guest_write(t->g, GUEST_BUF, &req, sizeof(req));
	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 20, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_SIZE, 4, VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 0);
	mutex_lock(&t->vi.lock);
	vhost_iommu_handle_requests(&t->vi);
	mutex_unlock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, guest_used_len(t->g, 0), 0);
	KUNIT_EXPECT_EQ(test, t->vi.nr_domains, 0);
}

static void request_limits(struct kunit *test)
{
	struct request_test *t = test->priv;

	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	t->vi.nr_mappings += 1ULL << 40;
	EXPECT_STATUS(test, NOMEM, map(test, 1, 0x1000, 0x1fff, 0, RW));
	t->vi.nr_mappings -= 1ULL << 40;
	t->vi.nr_domains += 1ULL << 40;
	EXPECT_STATUS(test, NOMEM, attach(test, 2, EP_A, 0));
	t->vi.nr_domains -= 1ULL << 40;
	/* It is where it was. */
	EXPECT_STATUS(test, OK, map(test, 1, 0x1000, 0x1fff, 0, RW));
	EXPECT_STATUS(test, OK, detach(test, 1, EP_A));
}

static void expect_translation(struct kunit *test, u64 iova, u64 gpa, u64 start,
			       u64 last, u32 perm)
{
	struct request_test *t = test->priv;
	struct vhost_iommu_translate tr = { .endpoint = EP_A, .iova = iova };

	mutex_lock(&t->vi.lock);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_ep_translate(&t->vi, &tr));
	mutex_unlock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, tr.perm, perm);
	KUNIT_EXPECT_EQ(test, tr.start, start);
	KUNIT_EXPECT_EQ(test, tr.last, last);
	if (perm)
		KUNIT_EXPECT_EQ(test, tr.gpa, gpa);
}

static void request_translate(struct kunit *test)
{
	struct request_test *t = test->priv;
	struct vhost_iommu_translate tr = { .endpoint = 0x99 };

	mutex_lock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, -ENOENT, vhost_iommu_ep_translate(&t->vi, &tr));
	mutex_unlock(&t->vi.lock);

	/* Bypass by configuration, by domain; reserved addresses never. */
	expect_translation(test, 0x5123, 0x5123, 0, RESV_START - 1, RW);
	expect_translation(test, RESV_START + 4, 0, RESV_START, RESV_LAST, 0);
	t->vi.config.bypass = 0;
	expect_translation(test, 0x5123, 0, 0, RESV_START - 1, 0);
	EXPECT_STATUS(test, OK,
		      attach(test, 3, EP_A, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	expect_translation(test, RESV_LAST + 3, RESV_LAST + 3, RESV_LAST + 1,
			   U64_MAX, RW);

	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, OK, map(test, 1, 0x5000, 0x6fff, 0x90000,
				    VIRTIO_IOMMU_MAP_F_READ));
	expect_translation(test, 0x5123, 0x90123, 0x5000, 0x6fff,
			   VIRTIO_IOMMU_MAP_F_READ);
	expect_translation(test, 0x4000, 0, 0x4000, 0x4fff, 0);
	expect_translation(test, 0x7000, 0, 0x7000, RESV_START - 1, 0);
}

static unsigned int take_invalidations(struct kunit *test, u64 acked,
				       struct vhost_iommu_invalidation *record)
{
	struct request_test *t = test->priv;
	struct vhost_iommu_invalidations arg = {
		.nr = 1, .records = t->g->base + GUEST_BUF + 0x2000,
		.acked = acked,
	};

	mutex_lock(&t->vi.lock);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_get_invalidations(&t->vi, &arg));
	vhost_iommu_took_invalidations(&t->vi, arg.nr);
	vhost_iommu_complete_requests(&t->vi);
	mutex_unlock(&t->vi.lock);
	if (arg.nr)
		guest_read(t->g, GUEST_BUF + 0x2000, record, sizeof(*record));
	return arg.nr;
}

/* The guest sees no used entry before the VMM has forgotten. */
static void request_invalidation(struct kunit *test)
{
	struct request_test *t = test->priv;
	const struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = cpu_to_le32(1),
		.virt_end = cpu_to_le64(U64_MAX),
	};
	struct vhost_iommu_invalidation r;
	struct vhost_iommu_ep *ep;

	EXPECT_STATUS(test, OK, attach(test, 1, EP_A, 0));
	EXPECT_STATUS(test, OK, map(test, 1, 0x3000, 0x3fff, 0, RW));
	EXPECT_STATUS(test, OK, map(test, 1, 0x8000, 0x8fff, 0, RW));
	ep = xa_load(&t->vi.endpoints, EP_A);
	ep->notify = true;

	guest_write(t->g, GUEST_BUF, &req, sizeof(req));
	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 28, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF + 0x1000, 4,
		   VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 0);
	mutex_lock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, 1, vhost_iommu_handle_requests(&t->vi));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_complete_requests(&t->vi));
	mutex_unlock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), t->nr_used);

	KUNIT_ASSERT_EQ(test, 1, take_invalidations(test, 0, &r));
	KUNIT_EXPECT_EQ(test, r.endpoint, EP_A);
	KUNIT_EXPECT_EQ(test, r.start, 0x3000);
	KUNIT_EXPECT_EQ(test, r.last, 0x8fff);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), t->nr_used);
	KUNIT_EXPECT_EQ(test, 0, take_invalidations(test, r.sequence, &r));
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), ++t->nr_used);
}

static struct kunit_case request_test_cases[] = {
	KUNIT_CASE(request_attach),
	KUNIT_CASE(request_attach_reserved),
	KUNIT_CASE(request_bypass_not_negotiated),
	KUNIT_CASE(request_detach),
	KUNIT_CASE(request_map),
	KUNIT_CASE(request_map_mmio_not_negotiated),
	KUNIT_CASE(request_map_reserved_region),
	KUNIT_CASE(request_attach_to_reserved),
	KUNIT_CASE(request_unmap_examples),
	KUNIT_CASE(request_unmap_errors),
	KUNIT_CASE(request_probe),
	KUNIT_CASE(request_malformed),
	KUNIT_CASE(request_no_status),
	KUNIT_CASE(request_limits),
	KUNIT_CASE(request_translate),
	KUNIT_CASE(request_invalidation),
	{}
};

static struct kunit_suite request_test_suite = {
	.name = "vhost_iommu_request",
	.init = request_test_init,
	.exit = request_test_exit,
	.test_cases = request_test_cases,
};

kunit_test_suite(request_test_suite);
