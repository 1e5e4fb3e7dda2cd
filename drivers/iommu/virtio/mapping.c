// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of a domain's mappings, see mapping.h.
 */
#include <linux/slab.h>

#include "mapping.h"

static struct kmem_cache *viommu_mapping_cache;

/**
 * viommu_mapping_cache_init() - before the first mapping
 *
 * Return: 0 or -ENOMEM.
 */
int viommu_mapping_cache_init(void)
{
	viommu_mapping_cache = KMEM_CACHE(viommu_mapping, 0);
	return viommu_mapping_cache ? 0 : -ENOMEM;
}

/**
 * viommu_mapping_cache_destroy() - after the last mapping is freed
 */
void viommu_mapping_cache_destroy(void)
{
	kmem_cache_destroy(viommu_mapping_cache);
}

/**
 * viommu_mapping_alloc() - a new mapping that is in no tree
 * @gfp: how to allocate it
 *
 * Return: the mapping, zeroed, or NULL.
 */
struct viommu_mapping *viommu_mapping_alloc(gfp_t gfp)
{
	return kmem_cache_zalloc(viommu_mapping_cache, gfp);
}

/**
 * viommu_mapping_free() - free a mapping that is in no tree
 * @mapping: which
 */
void viommu_mapping_free(struct viommu_mapping *mapping)
{
	kmem_cache_free(viommu_mapping_cache, mapping);
}

static struct viommu_mapping *to_mapping(struct interval_tree_node *range)
{
	return range ? container_of(range, struct viommu_mapping, range) : NULL;
}

/**
 * viommu_mapping_first() - the lowest mapping that touches a range
 * @mappings: where to look
 * @start: the first address
 * @last: the last address
 *
 * Return: the mapping, or NULL.
 */
struct viommu_mapping *viommu_mapping_first(struct viommu_mappings *mappings,
					    unsigned long start,
					    unsigned long last)
{
	return to_mapping(interval_tree_iter_first(&mappings->root, start, last));
}

/**
 * viommu_mapping_next() - the mapping after another that touches a range
 * @mapping: the other
 * @start: the first address
 * @last: the last address
 *
 * Return: the mapping, or NULL.
 */
struct viommu_mapping *viommu_mapping_next(struct viommu_mapping *mapping,
					   unsigned long start,
					   unsigned long last)
{
	/* Most are all there is in their range. */
	if (mapping->range.last >= last)
		return NULL;
	return to_mapping(interval_tree_iter_next(&mapping->range, start, last));
}

/**
 * viommu_mapping_insert() - add a mapping
 * @mappings: where to
 * @mapping: with its range filled in
 *
 * Return: 0, or -EEXIST if it overlaps another.
 */
int viommu_mapping_insert(struct viommu_mappings *mappings,
			  struct viommu_mapping *mapping)
{
	if (viommu_mapping_first(mappings, mapping->range.start,
				 mapping->range.last))
		return -EEXIST;

	interval_tree_insert(&mapping->range, &mappings->root);
	return 0;
}

/**
 * viommu_mapping_erase() - take a mapping out and free it
 * @mappings: where from
 * @mapping: which
 */
void viommu_mapping_erase(struct viommu_mappings *mappings,
			  struct viommu_mapping *mapping)
{
	interval_tree_remove(&mapping->range, &mappings->root);
	viommu_mapping_free(mapping);
}

/**
 * viommu_mapping_run() - what an unmap of a range would take away
 * @mappings: where to look
 * @start: the first address, where a mapping has to begin
 * @last: the last address that is wanted
 * @run_last: the last address of the mappings that follow each other without a
 *	hole from @start on and begin at or before @last. May be beyond @last,
 *	since mappings cannot be split
 *
 * A mapping that is being removed counts as a hole.
 *
 * Return: the first of them, or NULL if no mapping begins at @start.
 */
struct viommu_mapping *viommu_mapping_run(struct viommu_mappings *mappings,
					  unsigned long start,
					  unsigned long last,
					  unsigned long *run_last)
{
	struct viommu_mapping *first, *mapping;
	unsigned long next = start;

	first = viommu_mapping_first(mappings, start, last);
	for (mapping = first; mapping;
	     mapping = viommu_mapping_next(mapping, start, last)) {
		if (mapping->range.start != next ||
		    mapping->state == VIOMMU_MAPPING_REMOVING)
			break;
		*run_last = mapping->range.last;
		next = *run_last + 1;
	}
	return mapping == first ? NULL : first;
}

/**
 * viommu_mapping_phys() - translate an address
 * @mappings: where to look
 * @iova: the address
 *
 * Return: the physical address, or 0 if it is not mapped.
 */
phys_addr_t viommu_mapping_phys(struct viommu_mappings *mappings,
				unsigned long iova)
{
	struct viommu_mapping *mapping;

	mapping = viommu_mapping_first(mappings, iova, iova);
	if (!mapping || mapping->state == VIOMMU_MAPPING_REMOVING ||
	    mapping->state == VIOMMU_MAPPING_FAILED)
		return 0;

	return mapping->phys + (iova - mapping->range.start);
}
