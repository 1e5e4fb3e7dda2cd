/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest writes into its memory for a VT-d that walks its tables: first-stage
 * tables of four levels, with pages of 4 KiB and 2 MiB. See the chapter "First-Stage
 * Translation" of Intel's "Virtualization Technology for Directed I/O".
 */
#ifndef VTD_H
#define VTD_H

#include <linux/types.h>
#include <string.h>

#define VTD_PRESENT	(1ULL << 0)
#define VTD_WRITE	(1ULL << 1)
#define VTD_USER	(1ULL << 2)
#define VTD_ACCESSED	(1ULL << 5)
#define VTD_DIRTY	(1ULL << 6)
#define VTD_LARGE	(1ULL << 7)
#define VTD_ADDR	0x0000fffffffff000ULL
#define VTD_TABLE	(VTD_PRESENT | VTD_WRITE | VTD_USER)
#define VTD_PAGE	VTD_TABLE
#define VTD_RDONLY	(VTD_PRESENT | VTD_USER)
#define VTD_SIZE	4096UL
#define VTD_ENTRIES	512
#define VTD_WIDTH	48	/* bits that four levels translate */
#define VTD_LEAF	3	/* the level of 4 KiB pages, from 0 */

/* Memory for tables. What the tables say of addresses in it is @gpa + offset. */
struct vtd_memory {
	char	*base;
	__u64	gpa;
	__u64	used, size;
};

/* A page of zeros, as its address in the guest; 0 if there is none left. */
static inline __u64 vtd_page(struct vtd_memory *memory)
{
	__u64 offset = memory->used;

	if (offset + VTD_SIZE > memory->size)
		return 0;
	memory->used += VTD_SIZE;
	memset(memory->base + offset, 0, VTD_SIZE);
	return memory->gpa + offset;
}

static inline unsigned int vtd_index(__u64 iova, unsigned int level)
{
	return (iova >> (39 - 9 * level)) % VTD_ENTRIES;
}

/* The entry of @level for @iova; tables on the way are made. */
static inline __u64 *vtd_entry(struct vtd_memory *memory, __u64 root,
			       __u64 iova, unsigned int level)
{
	unsigned int l;
	__u64 *entry;

	for (l = 0;; l++) {
		entry = (__u64 *)(memory->base + (root - memory->gpa)) +
			vtd_index(iova, l);
		if (l == level)
			return entry;
		if (!*entry)
			*entry = vtd_page(memory) | VTD_TABLE;
		root = *entry & VTD_ADDR;
	}
}

/* Have @iova lead to @gpa, or with @flags 0 nowhere. */
static inline void vtd_set(struct vtd_memory *memory, __u64 root, __u64 iova,
			   __u64 gpa, __u64 flags)
{
	__atomic_store_n(vtd_entry(memory, root, iova, VTD_LEAF),
			 flags ? gpa | flags : 0, __ATOMIC_RELEASE);
}

#endif /* VTD_H */
