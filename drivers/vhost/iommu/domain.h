/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_DOMAIN_H
#define _VHOST_IOMMU_DOMAIN_H

#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/types.h>

struct vhost_iommu;
struct vhost_iommu_class;
struct vhost_iommu_ep;
struct vhost_iommu_group;
struct vhost_iommu_nest_batch;

/**
 * struct vhost_iommu_mapping - what one MAP request made, or leaves of a table
 * @node: I/O virtual addresses
 * @gpa: the guest-physical address of the first one
 * @flags: VIRTIO_IOMMU_MAP_F_*
 * @shift: log2 of the size of each leaf; 0 if a MAP request made it
 */
struct vhost_iommu_mapping {
	struct interval_tree_node	node;
	u64				gpa;
	u32				flags;
	unsigned int			shift;
};

/**
 * struct vhost_iommu_kind - what an ATTACH or ATTACH_TABLE says of a domain
 * @bypass: ATTACH with VIRTIO_IOMMU_ATTACH_F_BYPASS
 * @arm: @pasids is a table of context descriptors of Arm's, or else of our own format
 * @root: guest-physical address of a page table, or VHOST_IOMMU_NO_TABLE. With a PASID
 *	table of our own, what entry 0 has
 * @pasids: guest-physical address of a PASID table, or VHOST_IOMMU_NO_TABLE
 */
struct vhost_iommu_kind {
	bool	bypass;
	bool	arm;
	u64	root;
	u64	pasids;
};

/**
 * struct vhost_iommu_domain - a domain of the guest
 * @vi: the instance; constant
 * @id: number; constant
 * @bypass: made by ATTACH with VIRTIO_IOMMU_ATTACH_F_BYPASS; constant
 * @arm: the PASID table is one of Arm's; constant
 * @root: guest-physical address of the guest's page table, or VHOST_IOMMU_NO_TABLE;
 *	constant, unless there is a PASID table: then it is what entry 0 had when it was
 *	read, and changes under the instance's lock and s2.lock for writing
 * @pasids: guest-physical address of the guest's PASID table, or VHOST_IOMMU_NO_TABLE;
 *	locks as for @root
 * @mappings: struct vhost_iommu_mapping, without overlaps; the instance's lock and
 *	s2.lock, see vhost_iommu.h. Of a table, see shadow.c
 * @endpoints: struct vhost_iommu_ep; there is always one; the instance's lock
 * @hwdoms: struct vhost_iommu_hwdom that have the mappings; s2.lock
 * @nests: those that have the guest's table (nest.c); s2.lock
 */
struct vhost_iommu_domain {
	struct vhost_iommu	*vi;
	u32			id;
	bool			bypass;
	bool			arm;
	u64			root;
	u64			pasids;
	struct rb_root_cached	mappings;
	struct list_head	endpoints;
	struct list_head	hwdoms;
	struct list_head	nests;
};

/* Tables are aligned. */
#define VHOST_IOMMU_NO_TABLE	U64_MAX

/**
 * struct vhost_iommu_hwdom - a guest's domain in the hardware of one class
 * @owner_list: entry in vhost_iommu_domain.hwdoms or .nests
 * @class_list: entry in vhost_iommu_class.hwdoms, or empty
 * @dirty_list: entry in vhost_iommu.dirty, empty if there is nothing to flush
 * @owner: the guest's domain; constant
 * @class: the class; constant
 * @domain: of a container: maps the mappings of @owner composed with stage 2; constant
 * @ioas: of iommufd: number of the IOAS that does; constant
 * @pt: of iommufd: number of what groups are attached to: @ioas, or a page table of it if
 *	it @tracks; constant. Or of a table of the guest's, 0 if there is none; the
 *	instance's lock and s2.lock for writing
 * @tracks: of iommufd: the hardware keeps track of what is written; constant
 * @batch: invalidations of a table of the guest's; or else NULL, constant; what is in it:
 *	the instance's lock
 * @users: assigned endpoints of @class in @owner
 * @gather: of a container: ranges to flush from the IOTLB; @lock of the instance and s2.lock
 */
struct vhost_iommu_hwdom {
	struct list_head		owner_list;
	struct list_head		class_list;
	struct list_head		dirty_list;
	struct vhost_iommu_domain	*owner;
	struct vhost_iommu_class	*class;
	union {
		struct iommu_domain	*domain;
		struct {
			u32		ioas;
			u32		pt;
			bool		tracks;
		};
	};
	struct vhost_iommu_nest_batch	*batch;
	unsigned int			users;
	struct iommu_iotlb_gather	gather;
};

/* mapping.c */
int vhost_iommu_mapping_cache_init(void);
void vhost_iommu_mapping_cache_exit(void);
struct vhost_iommu_mapping *
vhost_iommu_mapping_find(struct rb_root_cached *mappings, u64 start, u64 last);
struct vhost_iommu_mapping *
vhost_iommu_mapping_add(struct rb_root_cached *mappings, u64 start, u64 last,
			u64 gpa, u32 flags);
void vhost_iommu_mapping_del(struct rb_root_cached *mappings,
			     struct vhost_iommu_mapping *m);
void vhost_iommu_mapping_cut(struct rb_root_cached *mappings,
			     struct vhost_iommu_mapping *m, u64 start, u64 last);
struct vhost_iommu_mapping *
vhost_iommu_mapping_next(struct vhost_iommu_mapping *m, u64 start, u64 last);
bool vhost_iommu_mapping_splits(struct rb_root_cached *mappings,
				const struct vhost_iommu_mapping *first, u64 start,
				u64 last);

/* domain.c */
u8 vhost_iommu_status(int err);
unsigned long vhost_iommu_mappings_limit(void);
bool vhost_iommu_domain_reserved(const struct vhost_iommu_domain *domain,
				 u64 start, u64 last);
int vhost_iommu_domain_map(struct vhost_iommu_domain *domain,
			   const struct vhost_iommu_mapping *m);
void vhost_iommu_domain_unmap(struct vhost_iommu_domain *domain,
			      struct vhost_iommu_mapping *m);
void vhost_iommu_domain_cut(struct vhost_iommu_domain *domain,
			    struct vhost_iommu_mapping *m, u64 start, u64 last);
void vhost_iommu_domain_invalidate(struct vhost_iommu_domain *domain, u64 start,
				   u64 last);
struct vhost_iommu_hwdom *
vhost_iommu_domain_get_hwdom(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_ep *ep);
void vhost_iommu_domain_put_hwdom(struct vhost_iommu_hwdom *hw);
u8 vhost_iommu_domain_attach(struct vhost_iommu *vi, u32 id, u32 endpoint,
			     const struct vhost_iommu_kind *kind);
u8 vhost_iommu_attach(struct vhost_iommu *vi, u32 id, u32 endpoint, u32 flags);
u8 vhost_iommu_detach(struct vhost_iommu *vi, u32 id, u32 endpoint);
u8 vhost_iommu_map(struct vhost_iommu *vi, u32 id, u64 start, u64 last, u64 gpa,
		   u32 flags);
u8 vhost_iommu_map_again(struct vhost_iommu *vi, u32 id, u64 start, u64 last,
			 u64 gpa, u32 flags);
u8 vhost_iommu_unmap(struct vhost_iommu *vi, u32 id, u64 start, u64 last);
void vhost_iommu_detach_ep(struct vhost_iommu_ep *ep);

/* hwdom.c */
struct vhost_iommu_hwdom *
vhost_iommu_hwdom_find(struct vhost_iommu_domain *owner,
		       const struct vhost_iommu_class *class);
struct vhost_iommu_hwdom *
vhost_iommu_hwdom_get(struct vhost_iommu_domain *owner,
		      struct vhost_iommu_group *group);
void vhost_iommu_hwdom_put(struct vhost_iommu_hwdom *hw);
int vhost_iommu_hwdom_map(struct vhost_iommu_hwdom *hw,
			  const struct vhost_iommu_mapping *m, u64 gpa_start,
			  u64 gpa_last);
void vhost_iommu_hwdom_unmap(struct vhost_iommu_hwdom *hw,
			     const struct vhost_iommu_mapping *m, u64 gpa_start,
			     u64 gpa_last);
void vhost_iommu_hwdom_unmap_now(struct vhost_iommu_hwdom *hw,
				 const struct vhost_iommu_mapping *m,
				 u64 gpa_start, u64 gpa_last);
void vhost_iommu_flush(struct vhost_iommu *vi);
int vhost_iommu_class_restore(struct vhost_iommu_class *class, u64 gpa_start,
			      u64 gpa_last);
void vhost_iommu_class_withdraw(struct vhost_iommu_class *class, u64 gpa_start,
				u64 gpa_last);

static inline struct vhost_iommu_mapping *
to_mapping(struct interval_tree_node *node)
{
	return container_of(node, struct vhost_iommu_mapping, node);
}

static inline bool
vhost_iommu_domain_has_pasids(const struct vhost_iommu_domain *domain)
{
	return domain->pasids != VHOST_IOMMU_NO_TABLE;
}

/* Does it have a table of either kind? */
static inline bool
vhost_iommu_domain_has_table(const struct vhost_iommu_domain *domain)
{
	return domain->root != VHOST_IOMMU_NO_TABLE ||
	       vhost_iommu_domain_has_pasids(domain);
}

/* The guest-physical address that a mapping has for @iova. */
static inline u64 vhost_iommu_mapping_gpa(const struct vhost_iommu_mapping *m,
					  u64 iova)
{
	return m->gpa + (iova - m->node.start);
}

/* The guest-physical address of the last byte of a mapping. */
static inline u64 vhost_iommu_mapping_gpa_last(const struct vhost_iommu_mapping *m)
{
	return vhost_iommu_mapping_gpa(m, m->node.last);
}

/* What a mapping counts as when mappings are limited in number. */
static inline u64 vhost_iommu_mapping_count(const struct vhost_iommu_mapping *m)
{
	return m->shift ? (m->node.last - m->node.start + 1) >> m->shift : 1;
}

#endif /* _VHOST_IOMMU_DOMAIN_H */
