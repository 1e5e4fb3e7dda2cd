// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mappings of one domain: an interval tree of what MAP requests made, or of the
 * leaves of a table, by I/O virtual address, without overlaps. Adjacent mappings stay
 * apart, as an UNMAP may name one of them; leaves that were found together are one, of
 * which any can be cut out. The caller locks.
 */
#include <linux/slab.h>

#include "domain.h"

static struct kmem_cache *mapping_cache;

static_assert(sizeof(unsigned long) == sizeof(u64),
	      "interval_tree.h holds 64-bit addresses");

int __init vhost_iommu_mapping_cache_init(void)
{
	/* Guests cause the allocations: they are charged to the VM. */
	mapping_cache = KMEM_CACHE(vhost_iommu_mapping, SLAB_ACCOUNT);
	return mapping_cache ? 0 : -ENOMEM;
}

void vhost_iommu_mapping_cache_exit(void)
{
	kmem_cache_destroy(mapping_cache);
}

/**
 * vhost_iommu_mapping_find() - the lowest mapping that overlaps a range
 * @mappings: the tree
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 *
 * Return: the mapping or NULL.
 */
struct vhost_iommu_mapping *
vhost_iommu_mapping_find(struct rb_root_cached *mappings, u64 start, u64 last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(mappings, start, last);
	return node ? to_mapping(node) : NULL;
}

/**
 * vhost_iommu_mapping_add() - add a mapping
 * @mappings: the tree; nothing in it overlaps the range
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 * @gpa: guest-physical address of @start
 * @flags: VIRTIO_IOMMU_MAP_F_*
 *
 * Return: the mapping, or NULL if there is no memory.
 */
struct vhost_iommu_mapping *
vhost_iommu_mapping_add(struct rb_root_cached *mappings, u64 start, u64 last,
			u64 gpa, u32 flags)
{
	struct vhost_iommu_mapping *m;

	m = kmem_cache_alloc(mapping_cache, GFP_KERNEL);
	if (!m)
		return NULL;
	m->node.start = start;
	m->node.last = last;
	m->gpa = gpa;
	m->flags = flags;
	m->shift = 0;
	interval_tree_insert(&m->node, mappings);
	return m;
}

/**
 * vhost_iommu_mapping_del() - remove and free a mapping
 * @mappings: the tree
 * @m: in the tree
 */
void vhost_iommu_mapping_del(struct rb_root_cached *mappings,
			     struct vhost_iommu_mapping *m)
{
	interval_tree_remove(&m->node, mappings);
	kmem_cache_free(mapping_cache, m);
}

/**
 * vhost_iommu_mapping_cut() - remove some leaves of a mapping
 * @mappings: the tree
 * @m: in the tree; freed if all of it is removed
 * @start: first I/O virtual address, of a leaf
 * @last: last I/O virtual address, of a leaf
 *
 * Cannot fail: what a guest takes away is not to be reached any more.
 */
void vhost_iommu_mapping_cut(struct rb_root_cached *mappings,
			     struct vhost_iommu_mapping *m, u64 start, u64 last)
{
	struct vhost_iommu_mapping *behind;

	if (m->node.start == start && m->node.last == last) {
		vhost_iommu_mapping_del(mappings, m);
		return;
	}
	interval_tree_remove(&m->node, mappings);
	if (m->node.start < start && last < m->node.last) {
		behind = kmem_cache_alloc(mapping_cache, GFP_KERNEL | __GFP_NOFAIL);
		*behind = *m;
		behind->gpa = vhost_iommu_mapping_gpa(m, last + 1);
		behind->node.start = last + 1;
		interval_tree_insert(&behind->node, mappings);
	}
	if (m->node.start < start) {
		m->node.last = start - 1;
	} else {
		m->gpa = vhost_iommu_mapping_gpa(m, last + 1);
		m->node.start = last + 1;
	}
	interval_tree_insert(&m->node, mappings);
}

/**
 * vhost_iommu_mapping_next() - the next mapping that overlaps a range
 * @m: the mapping before it
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 *
 * Return: the mapping or NULL.
 */
struct vhost_iommu_mapping *
vhost_iommu_mapping_next(struct vhost_iommu_mapping *m, u64 start, u64 last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_next(&m->node, start, last);
	return node ? to_mapping(node) : NULL;
}

/**
 * vhost_iommu_mapping_splits() - would removing a range cut a mapping in two?
 * @mappings: the tree
 * @first: vhost_iommu_mapping_find() of the range, not NULL
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 *
 * Only the mappings at the two ends of the range can reach out of it.
 */
bool vhost_iommu_mapping_splits(struct rb_root_cached *mappings,
				const struct vhost_iommu_mapping *first, u64 start,
				u64 last)
{
	if (first->node.start < start)
		return true;
	if (first->node.last < last)
		first = vhost_iommu_mapping_find(mappings, last, last);
	return first && first->node.last > last;
}
