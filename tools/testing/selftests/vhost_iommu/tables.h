/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of page tables and PASID tables share: tables in guest memory, and
 * the requests about them.
 */
#ifndef TABLES_H
#define TABLES_H

#include <linux/vhost_iommu.h>
#include <linux/virtio_iommu_tables.h>
#include <stdio.h>

/* Each test is a process of its own. */
static __u32 config_flags = VHOST_IOMMU_CONFIG_PAGE_TABLES;

#define CONFIG_FLAGS	config_flags
#include "test.h"

#define P		VIRTIO_IOMMU_X86_64_PRESENT
#define W		VIRTIO_IOMMU_X86_64_WRITE
#define LEAF		VIRTIO_IOMMU_X86_64_LEAF
#define BIT_TABLES	(1ULL << VIRTIO_IOMMU_F_ATTACH_TABLE)

#define ASSERT_STATUS(status, expr) ASSERT_EQ(VIRTIO_IOMMU_S_##status, expr)

/*
 * Tables in guest memory: ROOT and what follows are a way to the 512 pages from BASE
 * on.
 */
#define ROOT		0x200000UL
#define L3		0x201000UL
#define L2		0x202000UL
#define L1		0x203000UL
#define SPARE		0x204000UL
#define BASE		0x4000000000UL
/*
 * PASID tables, and another page table: FIRST and OTHER are where the two page tables
 * have the same two pages. An edu device reaches 256 MiB, unless told otherwise.
 */
#define PASIDS		0x20c000UL
#define PASIDS2		0x20d000UL
#define ROOT2		0x208000UL
#define L3_2		0x209000UL
#define L2_2		0x20a000UL
#define FIRST		0x2000000UL
#define OTHER		0x3000000UL
#define VALID		VIRTIO_IOMMU_PASIDTF_VALID
#define IOVA(n)		(BASE + (n) * 0x1000UL)
#define HUGE(n)		(BASE + (n) * 0x200000UL)

static inline void set(struct vm *vm, __u64 table, unsigned int index,
		       __u64 entry)
{
	__u64 *e = (__u64 *)(vm->ram + table) + index;

	__atomic_store_n(e, entry, __ATOMIC_RELEASE);
}

static inline void fill(struct vm *vm, __u64 table, __u64 entry)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		set(vm, table, i, entry);
}

/* BASE is 256 GiB: the first entry of the topmost table, and 256 of the next. */
static inline void make_tables(struct vm *vm)
{
	memset(vm->ram + ROOT, 0, 0x10000);
	set(vm, ROOT, 0, L3 | P | W);
	set(vm, L3, BASE >> 30, L2 | P | W);
	set(vm, L2, 0, L1 | P | W);
}

/* The first two pages are SRC_GPA, to be read, and DST_GPA, to be written. */
static inline void make_good(struct vm *vm)
{
	make_tables(vm);
	set(vm, L1, 0, SRC_GPA | P);
	set(vm, L1, 1, DST_GPA | P | W);
}

/* The same at FIRST, and by another table at OTHER; each is in a PASID table. */
static inline void make_pasids(struct vm *vm)
{
	make_good(vm);
	set(vm, L3, BASE >> 30, 0);
	set(vm, L2, 0, 0);
	set(vm, L3, 0, L2 | P | W);
	set(vm, L2, FIRST >> 21, L1 | P | W);
	set(vm, ROOT2, 0, L3_2 | P | W);
	set(vm, L3_2, 0, L2_2 | P | W);
	set(vm, L2_2, OTHER >> 21, L1 | P | W);
	set(vm, PASIDS, 0, ROOT | VALID);
	set(vm, PASIDS2, 0, ROOT2 | VALID);
}

static inline unsigned int attach_table(struct vm *vm, __u32 domain,
					__u32 endpoint, __u64 root)
{
	return request_of(vm, attach_pgt_x86_64,
			  .head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
			  .domain = domain, .endpoint = endpoint,
			  .format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64, .pgd = root);
}

static inline unsigned int attach_pasids(struct vm *vm, __u32 domain,
					 __u32 endpoint, __u64 table)
{
	return request_of(vm, attach_pasid_table,
			  .head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
			  .domain = domain, .endpoint = endpoint,
			  .format = VIRTIO_IOMMU_FORMAT_PASIDTF, .table = table);
}

static inline struct virtio_iommu_req_invalidate range(__u32 domain, __u64 start,
						       __u64 pages)
{
	return (struct virtio_iommu_req_invalidate) {
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.inv_gran = VIRTIO_IOMMU_INVAL_G_VA,
		.inv_type = VIRTIO_IOMMU_INV_T_IOTLB,
		.domain = domain, .virt_start = start, .nr_pages = pages,
		.granule = 12,
	};
}

static inline unsigned int send(struct vm *vm,
				struct virtio_iommu_req_invalidate req)
{
	return request(vm, &req, offsetof(typeof(req), tail));
}

static inline unsigned int invalidate(struct vm *vm, __u32 domain, __u64 start,
				      __u64 pages)
{
	return send(vm, range(domain, start, pages));
}

static inline unsigned int invalidate_all(struct vm *vm, __u32 domain)
{
	struct virtio_iommu_req_invalidate req = range(domain, 0, 0);

	req.inv_gran = VIRTIO_IOMMU_INVAL_G_DOMAIN;
	return send(vm, req);
}

/* Entry 0 of a PASID table has changed. */
static inline unsigned int invalidate_pasid(struct vm *vm, __u32 domain)
{
	struct virtio_iommu_req_invalidate req = range(domain, 0, 0);

	req.inv_gran = VIRTIO_IOMMU_INVAL_G_PASID;
	req.inv_type = VIRTIO_IOMMU_INV_T_PASID;
	req.flags = VIRTIO_IOMMU_INVAL_F_PASID;
	return send(vm, req);
}

static inline struct vhost_iommu_translate look(struct vm *vm, __u32 endpoint,
						__u64 iova)
{
	struct vhost_iommu_translate tr = {
		.size = sizeof(tr), .endpoint = endpoint, .iova = iova,
	};

	if (ioctl(vm->fd, VHOST_IOMMU_TRANSLATE, &tr))
		abort();
	return tr;
}

/* Send a request that the worker handles: another process notifies. */
static inline void request_leave(struct vm *vm, const void *req, __u32 out)
{
	request_put(vm, req, out, sizeof(struct virtio_iommu_req_tail));
	ring_kick_worker(&vm->request);
}

/* A limit that hostile tables reach soon; returns what it was. */
static inline unsigned long set_limit(unsigned long limit)
{
	FILE *f = fopen("/sys/module/vhost_iommu/parameters/max_mappings", "r+");
	unsigned long old;

	if (!f || fscanf(f, "%lu", &old) != 1)
		abort();
	rewind(f);
	if (fprintf(f, "%lu", limit) < 0 || fclose(f))
		abort();
	return old;
}

/* Does a device reach the two pages, by the first table, by the other? */
static inline bool reaches(struct vm *vm, struct edu *edu, __u64 iova)
{
	return edu_writes(edu, iova, vm->ram + SRC_GPA, iova + 0x1000,
			  vm->ram + DST_GPA);
}

static inline bool only_first(struct vm *vm, struct edu *edu)
{
	return reaches(vm, edu, FIRST) && !reaches(vm, edu, OTHER);
}

static inline bool only_other(struct vm *vm, struct edu *edu)
{
	return reaches(vm, edu, OTHER) && !reaches(vm, edu, FIRST);
}

#endif /* TABLES_H */
