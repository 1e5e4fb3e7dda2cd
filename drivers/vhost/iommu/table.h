/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_TABLE_H
#define _VHOST_IOMMU_TABLE_H

#include <linux/types.h>

struct vhost_iommu_memtable;

#define VHOST_IOMMU_TABLE_LEVELS	4
/* A table maps I/O virtual addresses up to this one. */
#define VHOST_IOMMU_TABLE_LAST		((1ULL << 48) - 1)
/* Entries that are read together */
#define VHOST_IOMMU_TABLE_CHUNK		32U

/**
 * struct vhost_iommu_table_walk - a look at a table in guest memory
 * @mem: guest memory
 * @root: guest-physical address of the topmost table
 * @sizes: page sizes that a leaf can have, a bit each
 * @last: last I/O virtual address of interest
 * @reads: how often guest memory may still be read
 * @chunks: what was read last, of each level
 */
struct vhost_iommu_table_walk {
	const struct vhost_iommu_memtable	*mem;
	u64					root;
	u64					sizes;
	u64					last;
	unsigned long				reads;
	struct {
		u64	start;	/* I/O virtual addresses that it translates; */
		u64	last;	/* 0 if there is none */
		__le64	entries[VHOST_IOMMU_TABLE_CHUNK];
	} chunks[VHOST_IOMMU_TABLE_LEVELS];
};

/**
 * struct vhost_iommu_table_span - I/O virtual addresses of leaves, or of none
 * @start: first address; of a leaf, not of what was asked for
 * @last: last address
 * @gpa: guest-physical address of @start; those of the leaves are consecutive
 * @flags: VIRTIO_IOMMU_MAP_F_READ and _WRITE; 0 if nothing is mapped here
 * @shift: log2 of the size of each leaf
 */
struct vhost_iommu_table_span {
	u64		start;
	u64		last;
	u64		gpa;
	u32		flags;
	unsigned int	shift;
};

void vhost_iommu_table_walk_init(struct vhost_iommu_table_walk *w,
				 const struct vhost_iommu_memtable *mem, u64 root,
				 u64 sizes, u64 last, unsigned long reads);
int vhost_iommu_table_step(struct vhost_iommu_table_walk *w, u64 iova,
			   struct vhost_iommu_table_span *span);

#endif /* _VHOST_IOMMU_TABLE_H */
