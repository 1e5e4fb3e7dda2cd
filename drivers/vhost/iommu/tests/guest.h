/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest for the tests: user memory of the test's thread that is guest memory from
 * address 0 on, with a split ring in it.
 */
#ifndef _VHOST_IOMMU_TEST_GUEST_H
#define _VHOST_IOMMU_TEST_GUEST_H

#include <kunit/test.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../memtable.h"
#include "../vring.h"

#define GUEST_SIZE	SZ_64K
#define GUEST_NUM	8		/* ring size */
#define GUEST_DESC	0x0
#define GUEST_AVAIL	0x1000
#define GUEST_USED	0x2000
#define GUEST_INDIRECT	0x3000
#define GUEST_BUF	0x4000

struct test_guest {
	struct kunit			*test;
	unsigned long			base;
	struct vhost_iommu_memtable	*mem;
	u16				avail_idx;
};

static inline void guest_write(struct test_guest *g, u64 gpa, const void *buf,
			       size_t len)
{
	KUNIT_ASSERT_EQ(g->test, 0,
			copy_to_user((void __user *)(g->base + gpa), buf, len));
}

static inline void guest_read(struct test_guest *g, u64 gpa, void *buf, size_t len)
{
	KUNIT_ASSERT_EQ(g->test, 0,
			copy_from_user(buf, (void __user *)(g->base + gpa), len));
}

static inline void guest_put16(struct test_guest *g, u64 gpa, u16 val)
{
	__le16 v = cpu_to_le16(val);

	guest_write(g, gpa, &v, sizeof(v));
}

static inline u16 guest_get16(struct test_guest *g, u64 gpa)
{
	__le16 v;

	guest_read(g, gpa, &v, sizeof(v));
	return le16_to_cpu(v);
}

/* Write descriptor @i of the table at @table. */
static inline void guest_desc(struct test_guest *g, u64 table, unsigned int i,
			      u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc d = {
		.addr = (__force __virtio64)cpu_to_le64(addr),
		.len = (__force __virtio32)cpu_to_le32(len),
		.flags = (__force __virtio16)cpu_to_le16(flags),
		.next = (__force __virtio16)cpu_to_le16(next),
	};

	guest_write(g, table + i * sizeof(d), &d, sizeof(d));
}

static inline void guest_avail(struct test_guest *g, u16 head)
{
	guest_put16(g, GUEST_AVAIL + 4 + 2 * (g->avail_idx % GUEST_NUM), head);
	guest_put16(g, GUEST_AVAIL + 2, ++g->avail_idx);
}

static inline u16 guest_used_idx(struct test_guest *g)
{
	return guest_get16(g, GUEST_USED + 2);
}

/* The used length of entry @i of the used ring. */
static inline u32 guest_used_len(struct test_guest *g, unsigned int i)
{
	struct vring_used_elem e;

	guest_read(g, GUEST_USED + 4 + sizeof(e) * (i % GUEST_NUM), &e, sizeof(e));
	return le32_to_cpu((__force __le32)e.len);
}

static inline struct test_guest *guest_create(struct kunit *test)
{
	struct test_guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->test = test;
	g->base = kunit_vm_mmap(test, NULL, 0, GUEST_SIZE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, g->base, 0UL);
	KUNIT_ASSERT_LT(test, g->base, (unsigned long)TASK_SIZE);

	g->mem = kunit_kzalloc(test, struct_size(g->mem, regions, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g->mem);
	g->mem->nr = 1;
	g->mem->regions[0].last = GUEST_SIZE - 1;
	g->mem->regions[0].uaddr = g->base;
	return g;
}

/* Make @vr the device's side of the guest's ring, as if it had been started. */
static inline void guest_ring(struct test_guest *g, struct vhost_iommu_vring *vr)
{
	vr->num = GUEST_NUM;
	vr->desc = (void __user *)(g->base + GUEST_DESC);
	vr->avail = (void __user *)(g->base + GUEST_AVAIL);
	vr->used = (void __user *)(g->base + GUEST_USED);
	vr->segs = kunit_kcalloc(g->test, GUEST_NUM, sizeof(*vr->segs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, vr->segs);
	vr->indirect = true;
	vr->started = true;
}

#endif /* _VHOST_IOMMU_TEST_GUEST_H */
