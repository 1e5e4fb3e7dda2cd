/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of our own, in the format of x86-64 with 4 levels: see "The format
 * PGTF_X86_64" in Documentation/virtio/page-tables.rst.
 *
 * Ranges that are mapped or unmapped at the same time do not overlap: that is what
 * callers of the IOMMU API guarantee, and the only thing that keeps an entry from
 * being changed by two. Entries that lead to tables are shared, and come about by
 * compare and exchange.
 *
 * A table that is not needed any more is parked: the device may still be looking
 * at it. It is freed after an invalidation of all its addresses.
 */
#ifndef _VIOMMU_TABLE_H
#define _VIOMMU_TABLE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define VIOMMU_TABLE_LEVELS	4
#define VIOMMU_TABLE_LAST	((1ULL << 48) - 1)

/**
 * struct viommu_table - a page table
 * @root: the topmost table
 * @output_last: the highest physical address that an entry may have
 * @lock: of @parked
 * @parked: struct viommu_parked: tables that are not used any more
 */
struct viommu_table {
	u64 *root;
	u64 output_last;
	spinlock_t lock;	/* see above */
	struct list_head parked;
};

int viommu_table_init(struct viommu_table *table, unsigned int output_bits);
void viommu_table_destroy(struct viommu_table *table);
int viommu_table_map(struct viommu_table *table, u64 iova, u64 phys,
		     size_t pgsize, size_t pgcount, int prot, gfp_t gfp,
		     size_t *mapped);
size_t viommu_table_unmap(struct viommu_table *table, u64 iova, u64 size);
u64 viommu_table_phys(struct viommu_table *table, u64 iova);

void viommu_table_take_parked(struct viommu_table *table, u64 start, u64 last,
			      struct list_head *taken);
void viommu_table_return_parked(struct viommu_table *table,
				struct list_head *taken);
void viommu_table_free_parked(struct list_head *taken);

#endif /* _VIOMMU_TABLE_H */
