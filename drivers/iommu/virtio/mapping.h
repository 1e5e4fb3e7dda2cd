/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mappings of a domain: what the device was asked to map, and how far it got.
 *
 * Mappings never overlap. Each is one MAP request, and is taken away whole: the
 * device refuses an UNMAP that would split one.
 *
 * Nothing here locks; see viommu_domain.mappings.
 */
#ifndef _VIOMMU_MAPPING_H
#define _VIOMMU_MAPPING_H

#include <linux/interval_tree.h>
#include <linux/types.h>

/**
 * enum viommu_mapping_state - what the device has of a mapping
 * @VIOMMU_MAPPING_OFFLINE: nothing: no endpoint is in the domain
 * @VIOMMU_MAPPING_ADDING: a MAP is in flight
 * @VIOMMU_MAPPING_ONLINE: all of it
 * @VIOMMU_MAPPING_REMOVING: an UNMAP is in flight
 * @VIOMMU_MAPPING_FAILED: nothing: it refused the MAP. Waits to be unmapped
 */
enum viommu_mapping_state {
	VIOMMU_MAPPING_OFFLINE,
	VIOMMU_MAPPING_ADDING,
	VIOMMU_MAPPING_ONLINE,
	VIOMMU_MAPPING_REMOVING,
	VIOMMU_MAPPING_FAILED,
};

/**
 * struct viommu_mapping - one mapping
 * @range: its I/O virtual addresses
 * @phys: the physical address of the first one
 * @flags: of the MAP request
 * @state: what the device has of it
 * @err: why the MAP failed, in VIOMMU_MAPPING_FAILED
 */
struct viommu_mapping {
	struct interval_tree_node range;
	phys_addr_t phys;
	u32 flags;
	enum viommu_mapping_state state;
	int err;
};

struct viommu_mappings {
	struct rb_root_cached root;
};

#define VIOMMU_NO_MAPPINGS	((struct viommu_mappings){ RB_ROOT_CACHED })

struct viommu_mapping *viommu_mapping_alloc(gfp_t gfp);
void viommu_mapping_free(struct viommu_mapping *mapping);

struct viommu_mapping *viommu_mapping_first(struct viommu_mappings *mappings,
					    unsigned long start,
					    unsigned long last);
struct viommu_mapping *viommu_mapping_next(struct viommu_mapping *mapping,
					   unsigned long start,
					   unsigned long last);
int viommu_mapping_insert(struct viommu_mappings *mappings,
			  struct viommu_mapping *mapping);
void viommu_mapping_erase(struct viommu_mappings *mappings,
			  struct viommu_mapping *mapping);
struct viommu_mapping *viommu_mapping_run(struct viommu_mappings *mappings,
					  unsigned long start,
					  unsigned long last,
					  unsigned long *run_last);
phys_addr_t viommu_mapping_phys(struct viommu_mappings *mappings,
				unsigned long iova);

int viommu_mapping_cache_init(void);
void viommu_mapping_cache_destroy(void);

#endif /* _VIOMMU_MAPPING_H */
