// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building page tables, see table.h.
 */
#include <linux/align.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_iommu_tables.h>

#include "table.h"

#define INDEX_BITS	9
#define NR_ENTRIES	BIT(INDEX_BITS)
#define PAGE_BITS	12

#define ENTRY_TABLE	(VIRTIO_IOMMU_X86_64_PRESENT |			\
			 VIRTIO_IOMMU_X86_64_WRITE |			\
			 VIRTIO_IOMMU_X86_64_USER |			\
			 VIRTIO_IOMMU_X86_64_ACCESSED)
#define ENTRY_LEAF	(VIRTIO_IOMMU_X86_64_PRESENT |			\
			 VIRTIO_IOMMU_X86_64_USER |			\
			 VIRTIO_IOMMU_X86_64_ACCESSED)

/**
 * struct viommu_parked - a table that is to be freed
 * @node: in viommu_table.parked
 * @entries: the table
 * @start: first address that it translated
 * @last: last one
 */
struct viommu_parked {
	struct list_head node;
	u64 *entries;
	u64 start;
	u64 last;
};

/* log2 of the bytes that an entry translates; level 0 is the last. */
static unsigned int viommu_entry_shift(unsigned int level)
{
	return PAGE_BITS + INDEX_BITS * level;
}

static u64 viommu_entry_size(unsigned int level)
{
	return BIT_ULL(viommu_entry_shift(level));
}

static unsigned int viommu_entry_index(u64 iova, unsigned int level)
{
	return (iova >> viommu_entry_shift(level)) % NR_ENTRIES;
}

static bool viommu_entry_is_leaf(u64 entry, unsigned int level)
{
	return !level || (entry & VIRTIO_IOMMU_X86_64_LEAF);
}

static u64 *viommu_entry_table(u64 entry)
{
	return phys_to_virt(entry & VIRTIO_IOMMU_X86_64_ADDR_MASK);
}

static u64 viommu_entry_leaf(u64 phys, unsigned int level, int prot)
{
	u64 entry = phys | ENTRY_LEAF;

	/* There is no write without read. */
	if (prot & IOMMU_WRITE)
		entry |= VIRTIO_IOMMU_X86_64_WRITE | VIRTIO_IOMMU_X86_64_DIRTY;
	if (level)
		entry |= VIRTIO_IOMMU_X86_64_LEAF;
	return entry;
}

static u64 *viommu_entries_alloc(gfp_t gfp)
{
	return (u64 *)get_zeroed_page(gfp);
}

static void viommu_entries_free(u64 *entries)
{
	free_page((unsigned long)entries);
}

/* Free a table of a level, and those below it. */
static void viommu_entries_free_all(u64 *entries, unsigned int level)
{
	unsigned int i;

	for (i = 0; level && i < NR_ENTRIES; i++)
		if (entries[i] && !viommu_entry_is_leaf(entries[i], level))
			viommu_entries_free_all(viommu_entry_table(entries[i]),
						level - 1);
	viommu_entries_free(entries);
}

/* Are there tables below a table, but no leaf? */
static bool viommu_entries_empty(u64 *entries, unsigned int level)
{
	unsigned int i;

	for (i = 0; i < NR_ENTRIES; i++) {
		u64 entry = READ_ONCE(entries[i]);

		if (!entry)
			continue;
		if (viommu_entry_is_leaf(entry, level) ||
		    !viommu_entries_empty(viommu_entry_table(entry), level - 1))
			return false;
	}
	return true;
}

static void viommu_park(struct viommu_table *table, struct viommu_parked *parked,
			u64 *entries, u64 start, u64 size)
{
	unsigned long flags;

	parked->entries = entries;
	parked->start = start;
	parked->last = start + size - 1;
	spin_lock_irqsave(&table->lock, flags);
	list_add_tail(&parked->node, &table->parked);
	spin_unlock_irqrestore(&table->lock, flags);
}

/*
 * Take a table without leaves out of an entry of @level, for a leaf to take its
 * place. Tables below it go first.
 */
static int viommu_clear_entry(struct viommu_table *table, u64 *entry, u64 iova,
			      unsigned int level, gfp_t gfp)
{
	u64 *entries = viommu_entry_table(*entry);
	struct viommu_parked *parked;
	unsigned int i;
	int err;

	for (i = 0; level > 1 && i < NR_ENTRIES; i++) {
		if (!entries[i])
			continue;
		err = viommu_clear_entry(table, &entries[i],
					 iova + i * viommu_entry_size(level - 1),
					 level - 1, gfp);
		if (err)
			return err;
	}

	parked = kmalloc(sizeof(*parked), gfp);
	if (!parked)
		return -ENOMEM;
	WRITE_ONCE(*entry, 0);
	viommu_park(table, parked, entries, iova, viommu_entry_size(level));
	return 0;
}

/* Have a table in an entry; another CPU may want the same. */
static int viommu_install(u64 *entry, gfp_t gfp)
{
	u64 *entries = viommu_entries_alloc(gfp);

	if (!entries)
		return -ENOMEM;
	if (cmpxchg64(entry, 0, virt_to_phys(entries) | ENTRY_TABLE))
		viommu_entries_free(entries);
	return 0;
}

/* The table of @level that @iova is in, and those above it. */
static int viommu_walk(struct viommu_table *table, u64 iova, unsigned int level,
		       gfp_t gfp, u64 **entries)
{
	unsigned int l;
	u64 *entry;
	int err;

	*entries = table->root;
	for (l = VIOMMU_TABLE_LEVELS - 1; l > level; l--) {
		entry = &(*entries)[viommu_entry_index(iova, l)];
		if (!READ_ONCE(*entry)) {
			err = viommu_install(entry, gfp);
			if (err)
				return err;
		}
		if (viommu_entry_is_leaf(READ_ONCE(*entry), l))
			return -EEXIST;
		*entries = viommu_entry_table(READ_ONCE(*entry));
	}
	return 0;
}

static int viommu_map_one(struct viommu_table *table, u64 *entry, u64 iova,
			  u64 leaf, unsigned int level, gfp_t gfp)
{
	u64 old = READ_ONCE(*entry);
	int err;

	if (old) {
		if (viommu_entry_is_leaf(old, level) ||
		    !viommu_entries_empty(viommu_entry_table(old), level - 1))
			return -EEXIST;
		err = viommu_clear_entry(table, entry, iova, level, gfp);
		if (err)
			return err;
	}
	WRITE_ONCE(*entry, leaf);
	return 0;
}

/**
 * viommu_table_map() - map pages
 * @table: the table
 * @iova: first address, a multiple of @pgsize
 * @phys: physical address, a multiple of @pgsize
 * @pgsize: 4 KiB, 2 MiB or 1 GiB
 * @pgcount: how many pages
 * @prot: IOMMU_READ and IOMMU_WRITE, which includes the former
 * @gfp: for tables
 * @mapped: set to how many bytes were mapped, also on failure
 *
 * The device may use what it maps at once, see viommu_table_take_parked().
 *
 * Return: 0; -ENOMEM; -EEXIST if something is mapped there; -ERANGE for addresses
 * that a table cannot have.
 */
int viommu_table_map(struct viommu_table *table, u64 iova, u64 phys,
		     size_t pgsize, size_t pgcount, int prot, gfp_t gfp,
		     size_t *mapped)
{
	unsigned int level = (ilog2(pgsize) - PAGE_BITS) / INDEX_BITS;
	u64 size = (u64)pgsize * pgcount, *entries;
	unsigned int i;
	int err;

	*mapped = 0;
	if (iova + size - 1 > VIOMMU_TABLE_LAST ||
	    phys + size - 1 > table->output_last)
		return -ERANGE;
	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;

	while (*mapped < size) {
		err = viommu_walk(table, iova + *mapped, level, gfp, &entries);
		if (err)
			return err;
		for (i = viommu_entry_index(iova + *mapped, level);
		     i < NR_ENTRIES && *mapped < size; i++) {
			u64 leaf = viommu_entry_leaf(phys + *mapped, level, prot);

			err = viommu_map_one(table, &entries[i], iova + *mapped,
					     leaf, level, gfp);
			if (err)
				return err;
			*mapped += pgsize;
		}
	}
	return 0;
}

/*
 * Clear the leaves of a table from @iova on, up to @last, or to a hole: then it returns
 * false. @iova moves behind what was cleared. A leaf goes as a whole, and a table
 * of which all addresses were cleared goes as well, if there is memory to park it.
 */
static bool viommu_clear(struct viommu_table *table, u64 *entries,
			 unsigned int level, u64 *iova, u64 last)
{
	u64 size = viommu_entry_size(level);

	do {
		u64 *entry = &entries[viommu_entry_index(*iova, level)];
		u64 old = READ_ONCE(*entry), start = *iova;
		bool cleared;

		if (!old)
			return false;
		if (viommu_entry_is_leaf(old, level)) {
			/* It cannot be split, like a mapping of the device's. */
			if (!IS_ALIGNED(*iova, size))
				return false;
			WRITE_ONCE(*entry, 0);
			*iova += size;
			continue;
		}
		cleared = viommu_clear(table, viommu_entry_table(old), level - 1,
				       iova, last);
		if (IS_ALIGNED(start, size) && *iova == start + size)
			viommu_clear_entry(table, entry, start, level,
					   GFP_ATOMIC);
		if (!cleared)
			return false;
	} while (*iova <= last && viommu_entry_index(*iova, level));
	return true;
}

/**
 * viommu_table_unmap() - unmap pages
 * @table: the table
 * @iova: first address
 * @size: bytes
 *
 * The device may go on with what it knows, see viommu_table_take_parked().
 *
 * Return: bytes from @iova on that were unmapped: up to the first hole, and more
 * than @size if a larger page was mapped; 0 if @iova is in the middle of one.
 */
size_t viommu_table_unmap(struct viommu_table *table, u64 iova, u64 size)
{
	u64 end = iova;

	if (iova > VIOMMU_TABLE_LAST)
		return 0;
	viommu_clear(table, table->root, VIOMMU_TABLE_LEVELS - 1, &end,
		     iova + size - 1);
	return end - iova;
}

/**
 * viommu_table_phys() - translate an address
 * @table: the table
 * @iova: the address
 *
 * Return: the physical address, or 0 if it is not mapped.
 */
u64 viommu_table_phys(struct viommu_table *table, u64 iova)
{
	unsigned int level = VIOMMU_TABLE_LEVELS - 1;
	u64 *entries = table->root;
	u64 entry, offset;

	if (iova > VIOMMU_TABLE_LAST)
		return 0;
	for (;; level--) {
		entry = READ_ONCE(entries[viommu_entry_index(iova, level)]);
		if (!entry)
			return 0;
		if (viommu_entry_is_leaf(entry, level))
			break;
		entries = viommu_entry_table(entry);
	}
	offset = iova & (viommu_entry_size(level) - 1);
	return (entry & VIRTIO_IOMMU_X86_64_ADDR_MASK) + offset;
}

/**
 * viommu_table_take_parked() - before an invalidation
 * @table: the table
 * @start: first address that will be invalidated
 * @last: last one
 * @taken: tables of the range that are not used any more are moved here
 *
 * If there are any, the device has to be told that not only leaves have changed.
 * When it has invalidated, they go to viommu_table_free_parked(), and if it could
 * not, to viommu_table_return_parked().
 */
void viommu_table_take_parked(struct viommu_table *table, u64 start, u64 last,
			      struct list_head *taken)
{
	struct viommu_parked *parked, *next;
	unsigned long flags;

	spin_lock_irqsave(&table->lock, flags);
	list_for_each_entry_safe(parked, next, &table->parked, node)
		if (parked->start >= start && parked->last <= last)
			list_move_tail(&parked->node, taken);
	spin_unlock_irqrestore(&table->lock, flags);
}

/**
 * viommu_table_return_parked() - after an invalidation that failed
 * @table: the table
 * @taken: what was taken
 */
void viommu_table_return_parked(struct viommu_table *table,
				struct list_head *taken)
{
	unsigned long flags;

	spin_lock_irqsave(&table->lock, flags);
	list_splice_tail_init(taken, &table->parked);
	spin_unlock_irqrestore(&table->lock, flags);
}

/**
 * viommu_table_free_parked() - after an invalidation
 * @taken: what was taken; freed
 */
void viommu_table_free_parked(struct list_head *taken)
{
	struct viommu_parked *parked, *next;

	list_for_each_entry_safe(parked, next, taken, node) {
		viommu_entries_free(parked->entries);
		kfree(parked);
	}
}

/**
 * viommu_table_init() - make an empty table
 * @table: filled in
 * @output_bits: of a physical address that the device knows
 *
 * Return: 0 or -ENOMEM.
 */
int viommu_table_init(struct viommu_table *table, unsigned int output_bits)
{
	spin_lock_init(&table->lock);
	INIT_LIST_HEAD(&table->parked);
	table->output_last = min(GENMASK_ULL(min(output_bits, 64U) - 1, 0),
				 VIRTIO_IOMMU_X86_64_ADDR_MASK | ~PAGE_MASK);
	table->root = viommu_entries_alloc(GFP_KERNEL_ACCOUNT);
	return table->root ? 0 : -ENOMEM;
}

/**
 * viommu_table_destroy() - free a table and all it has
 * @table: the table, which no endpoint uses
 */
void viommu_table_destroy(struct viommu_table *table)
{
	viommu_table_free_parked(&table->parked);
	viommu_entries_free_all(table->root, VIOMMU_TABLE_LEVELS - 1);
}
