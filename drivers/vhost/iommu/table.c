// SPDX-License-Identifier: GPL-2.0-only
/*
 * A look at a guest's page table: 4 levels, in the format of x86-64. See "The
 * format PGTF_X86_64" in Documentation/virtio/page-tables.rst.
 *
 * The guest may change the table at any time, and may have made it so that it leads
 * into itself or out of its memory. A step goes down four levels at the most; what it
 * acts on was read once; how often it reads is limited by the caller; and a
 * guest-physical address that comes out of it is worth what stage 2 says of it.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/virtio_iommu_tables.h>

#include <asm/byteorder.h>

#include "memtable.h"
#include "table.h"

#define INDEX_BITS	9
#define NR_ENTRIES	BIT(INDEX_BITS)
#define PAGE_BITS	12

/* log2 of the bytes that an entry translates; level 0 is the last. */
static unsigned int entry_shift(unsigned int level)
{
	return PAGE_BITS + INDEX_BITS * level;
}

/**
 * vhost_iommu_table_walk_init() - begin to look at a table
 * @w: to be used with one table, for one request: it remembers what it read
 * @mem: guest memory
 * @root: guest-physical address of the topmost table, aligned to its size
 * @sizes: page sizes that a leaf can have, a bit each
 * @last: last I/O virtual address of interest: no entry behind it is read
 * @reads: how often guest memory may be read
 */
void vhost_iommu_table_walk_init(struct vhost_iommu_table_walk *w,
				 const struct vhost_iommu_memtable *mem, u64 root,
				 u64 sizes, u64 last, unsigned long reads)
{
	unsigned int i;

	w->mem = mem;
	w->root = root;
	w->sizes = sizes;
	w->last = last;
	w->reads = reads;
	for (i = 0; i < VHOST_IOMMU_TABLE_LEVELS; i++) {
		w->chunks[i].start = 1;
		w->chunks[i].last = 0;
	}
}

/* Have the entry of @iova, in the table at @table, among those that were read. */
static int load_chunk(struct vhost_iommu_table_walk *w, unsigned int level,
		      u64 table, u64 iova)
{
	unsigned int shift = entry_shift(level);
	unsigned int first = (iova >> shift) % NR_ENTRIES;
	u64 wanted = (w->last >> shift) - (iova >> shift) + 1;
	unsigned int nr;

	if (w->chunks[level].start <= iova && iova <= w->chunks[level].last)
		return 0;
	if (!w->reads)
		return -ENOSPC;
	w->reads--;

	/* Up to the next multiple, which the end of a table is as well. */
	nr = VHOST_IOMMU_TABLE_CHUNK - first % VHOST_IOMMU_TABLE_CHUNK;
	nr = min_t(u64, nr, wanted);
	w->chunks[level].start = ALIGN_DOWN(iova, 1ULL << shift);
	w->chunks[level].last = w->chunks[level].start + ((u64)nr << shift) - 1;
	/* Entries that cannot be read are not present. */
	if (vhost_iommu_mem_read(w->mem, table + first * sizeof(__le64),
				 w->chunks[level].entries,
				 nr * sizeof(__le64)))
		memset(w->chunks[level].entries, 0, nr * sizeof(__le64));
	return 0;
}

static u64 get_entry(const struct vhost_iommu_table_walk *w, unsigned int level,
		     u64 iova)
{
	u64 i = (iova - w->chunks[level].start) >> entry_shift(level);

	i = array_index_nospec(i, VHOST_IOMMU_TABLE_CHUNK);
	return le64_to_cpu(w->chunks[level].entries[i]);
}

/* Is the leaf one that the format has? */
static bool leaf_valid(const struct vhost_iommu_table_walk *w,
		       unsigned int level, u64 entry)
{
	u64 size = 1ULL << entry_shift(level);

	return (w->sizes & size) &&
	       IS_ALIGNED(entry & VIRTIO_IOMMU_X86_64_ADDR_MASK, size);
}

/* Nothing at @iova, nor in the entries behind it that are not present either. */
static void set_hole(const struct vhost_iommu_table_walk *w, unsigned int level,
		     u64 iova, struct vhost_iommu_table_span *span)
{
	u64 size = 1ULL << entry_shift(level);
	u64 next = ALIGN_DOWN(iova, size) + size;

	while (next <= w->chunks[level].last &&
	       !(get_entry(w, level, next) & VIRTIO_IOMMU_X86_64_PRESENT))
		next += size;
	*span = (struct vhost_iommu_table_span) {
		.start = iova, .last = next - 1,
	};
}

/*
 * Add the leaves to a span that go on where it ends, among the entries that were read.
 * @entry is the one of the first leaf.
 */
static void add_leaves(const struct vhost_iommu_table_walk *w, unsigned int level,
		       u64 entry, struct vhost_iommu_table_span *span)
{
	u64 kind = VIRTIO_IOMMU_X86_64_PRESENT | VIRTIO_IOMMU_X86_64_WRITE |
		   (level ? VIRTIO_IOMMU_X86_64_LEAF : 0);
	u64 next = span->last + 1;

	for (; next <= w->chunks[level].last; next += 1ULL << span->shift) {
		u64 gpa = span->gpa + (next - span->start);

		if (gpa & ~VIRTIO_IOMMU_X86_64_ADDR_MASK)
			break;
		if ((get_entry(w, level, next) &
		     (kind | VIRTIO_IOMMU_X86_64_ADDR_MASK)) !=
		    ((entry & kind) | gpa))
			break;
	}
	span->last = next - 1;
}

/**
 * vhost_iommu_table_step() - what a table has for an address
 * @w: the walk
 * @iova: not above the last one of interest, which is within the table
 * @span: what it has: the leaf that @iova is in and others that go on from there, or
 *	a hole from @iova on; as much of it as a glance shows
 *
 * Context: process context in the VMM's address space; may sleep.
 * Return: 0, or -ENOSPC if guest memory was read as often as it may be.
 */
int vhost_iommu_table_step(struct vhost_iommu_table_walk *w, u64 iova,
			   struct vhost_iommu_table_span *span)
{
	u32 flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	unsigned int level = VHOST_IOMMU_TABLE_LEVELS - 1;
	u64 table = w->root, entry;

	for (;; level--) {
		int ret = load_chunk(w, level, table, iova);

		if (ret)
			return ret;
		entry = get_entry(w, level, iova);
		if (!(entry & VIRTIO_IOMMU_X86_64_PRESENT))
			goto hole;
		if (!(entry & VIRTIO_IOMMU_X86_64_WRITE))
			flags &= ~(u32)VIRTIO_IOMMU_MAP_F_WRITE;
		if (!level || (entry & VIRTIO_IOMMU_X86_64_LEAF))
			break;
		table = entry & VIRTIO_IOMMU_X86_64_ADDR_MASK;
	}

	if (!leaf_valid(w, level, entry))
		goto hole;
	span->shift = entry_shift(level);
	span->start = ALIGN_DOWN(iova, 1ULL << span->shift);
	span->last = span->start + (1ULL << span->shift) - 1;
	span->gpa = entry & VIRTIO_IOMMU_X86_64_ADDR_MASK;
	span->flags = flags;
	add_leaves(w, level, entry, span);
	return 0;

hole:
	set_hole(w, level, iova, span);
	return 0;
}
