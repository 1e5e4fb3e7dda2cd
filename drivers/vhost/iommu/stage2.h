/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_STAGE2_H
#define _VHOST_IOMMU_STAGE2_H

#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/types.h>

struct device;
struct file;
struct iommu_domain;
struct iommu_group;
struct mm_struct;
struct vfio_device;
struct vhost_iommu;
struct vhost_iommu_backend;
struct vhost_iommu_config;
struct vhost_iommu_ep;
struct vhost_iommu_nest;
struct vhost_iommu_regions;

/**
 * struct vhost_iommu_s2_range - a piece of stage 2, from one MAP_DMA or ADD_MEMORY
 * @node: guest-physical addresses; on a host whose long has 64 bits
 * @prot: IOMMU_READ and IOMMU_WRITE
 * @uaddr: of a container: where it starts in the VMM
 * @dirty: of iommufd: a bit for each page that was written, while the VMM has it kept track
 *	of (dirty.c); or NULL
 * @npinned: of a container: pages that count against RLIMIT_MEMLOCK
 * @whole: of a container: a bit for each block of VHOST_IOMMU_BLOCK bytes of
 *	guest-physical addresses from the one of @node.start on: it lies in the range and
 *	is consecutive in physical memory
 */
struct vhost_iommu_s2_range {
	struct interval_tree_node	node;
	int				prot;
	unsigned long			uaddr;
	unsigned long			npinned;
	unsigned long			*whole;
	unsigned long			*dirty;
};

#define VHOST_IOMMU_BLOCK	SZ_2M

/**
 * struct vhost_iommu_s2 - stage 2 of a VM: a VFIO container that we serve, or an IOAS
 * @kref: every instance that uses it has one reference, and the container
 * @list: of a container: entry in the registry; vhost_iommu_registry
 * @number: of a container: what VFIO knows it by, never used again; constant
 * @mm: of the VMM; constant
 * @backend: whose it is; constant
 * @pinned: pages that are pinned; written under the mmap_lock
 * @lock: see vhost_iommu.h; protects all that follows
 * @ranges: struct vhost_iommu_s2_range by guest-physical address
 * @avail: how many more ranges there may be
 * @classes: struct vhost_iommu_class
 * @devices: struct vhost_iommu_device: open VFIO devices
 * @tracks_dirty: of iommufd: the VMM has writes kept track of
 *
 * The domains of all classes map the same. In a container the first one is the record
 * of which page is where: nothing else holds it.
 */
struct vhost_iommu_s2 {
	struct kref		kref;
	struct list_head	list;
	unsigned long		number;
	struct mm_struct	*mm;
	const struct vhost_iommu_backend *backend;
	unsigned long		pinned;

	struct rw_semaphore	lock;
	struct rb_root_cached	ranges;
	unsigned int		avail;
	struct list_head	classes;
	struct list_head	devices;
	bool			tracks_dirty;
};

/**
 * struct vhost_iommu_class - groups that can be in one IOMMU domain
 * @list: entry in vhost_iommu_s2.classes
 * @s2: the stage 2 it belongs to; constant
 * @domain: of a container: stage 2 for these groups; constant
 * @pt: of iommufd: number of the page table that is stage 2 for them; constant
 * @parent: of iommufd: number of one for tables of guests on top of it, if the VMM
 *	has told; constant
 * @first: of iommufd: first address that the hardware can translate; constant
 * @last: of iommufd: last one; constant
 * @coherent: its domains enforce cache coherency; constant
 * @tracks_dirty: of iommufd: the hardware can tell what is written; constant
 * @nest: of iommufd: its hardware walks tables of guests; or NULL; constant
 * @groups: struct vhost_iommu_group
 * @hwdoms: struct vhost_iommu_hwdom: what guests' domains are here
 */
struct vhost_iommu_class {
	struct list_head	list;
	struct vhost_iommu_s2	*s2;
	union {
		struct iommu_domain	*domain;
		struct {
			u32		pt;
			u32		parent;
			u64		first;
			u64		last;
		};
	};
	bool			coherent;
	bool			tracks_dirty;
	struct vhost_iommu_nest	*nest;
	struct list_head	groups;
	struct list_head	hwdoms;
};

/**
 * struct vhost_iommu_group - an IOMMU group in the container, or of devices in iommufd
 * @list: entry in vhost_iommu_class.groups
 * @class: its class; constant
 * @iommu_group: the group; VFIO keeps it while it is in the container
 * @attached: of a container: the domain that it is attached to; NULL if it reaches
 *	nothing
 * @attached_pt: of iommufd: the number of what it is attached to, or 0
 * @resv: reserved regions, struct iommu_resv_region; constant
 * @msi_base: of a container: address of the software MSI window; constant
 * @has_msi_base: of a container: there is one; constant
 * @owner: the instance whose endpoints are in the group; NULL if there is none
 * @endpoints: struct vhost_iommu_ep
 */
struct vhost_iommu_group {
	struct list_head		list;
	struct vhost_iommu_class	*class;
	struct iommu_group		*iommu_group;
	union {
		struct iommu_domain	*attached;
		u32			attached_pt;
	};
	struct list_head		resv;
	phys_addr_t			msi_base;
	bool				has_msi_base;
	struct vhost_iommu		*owner;
	struct list_head		endpoints;
};

/**
 * struct vhost_iommu_device - a VFIO device that is open
 * @list: entry in vhost_iommu_s2.devices
 * @vdev: the device
 * @file: of iommufd: its character device
 * @id: of iommufd: its number there; 0 if the VMM has not said
 * @vdevice: of iommufd: number of what stands for it in a vIOMMU object, or 0
 * @group: its group
 * @endpoint: what it is behind the virtual IOMMU; NULL if nothing
 */
struct vhost_iommu_device {
	struct list_head		list;
	struct vfio_device		*vdev;
	struct file			*file;
	u32				id;
	u32				vdevice;
	struct vhost_iommu_group	*group;
	struct vhost_iommu_ep	*endpoint;
};

/* stage2.c */
void vhost_iommu_s2_put(struct vhost_iommu_s2 *s2);
struct vhost_iommu_device *
vhost_iommu_s2_find_device(struct vhost_iommu_s2 *s2, struct file *group_file,
			   const char *name);
unsigned long vhost_iommu_s2_pgsizes(struct vhost_iommu_s2 *s2);
size_t vhost_iommu_s2_run(struct iommu_domain *domain,
			  const struct vhost_iommu_s2_range *range, u64 gpa,
			  u64 last, phys_addr_t *phys);
int vhost_iommu_s2_map(struct vhost_iommu_s2 *s2, u64 gpa, unsigned long uaddr,
		       u64 size, int prot);
int vhost_iommu_s2_unmap(struct vhost_iommu_s2 *s2, u64 gpa, u64 last,
			 u64 *unmapped);
int vhost_iommu_s2_restore(struct vhost_iommu_s2 *s2,
			   struct vhost_iommu_s2_range *range);
void vhost_iommu_s2_withdraw(struct vhost_iommu_s2 *s2,
			     struct vhost_iommu_s2_range *range);
bool vhost_iommu_s2_bisects(struct vhost_iommu_s2 *s2, u64 addr, u64 start,
			    u64 last);
void vhost_iommu_s2_unmap_all(struct vhost_iommu_s2 *s2);
void vhost_iommu_s2_forget_bars(struct vhost_iommu_s2 *s2, struct device *dev);
int vhost_iommu_s2_replay(struct vhost_iommu_s2 *s2,
			  struct vhost_iommu_class *class);

/* group.c */
struct vhost_iommu_group *
vhost_iommu_group_find(struct vhost_iommu_s2 *s2,
		       const struct iommu_group *iommu_group);
int vhost_iommu_group_add(struct vhost_iommu_s2 *s2,
			  struct iommu_group *iommu_group);
void vhost_iommu_group_free(struct vhost_iommu_group *group);
void vhost_iommu_group_remove(struct vhost_iommu_s2 *s2,
			      struct iommu_group *iommu_group);
bool vhost_iommu_class_fits(const struct vhost_iommu_class *class,
			    const struct iommu_domain *domain, bool coherent);
bool vhost_iommu_class_maps(const struct vhost_iommu_class *class, u64 granule);
void vhost_iommu_group_find_msi(struct vhost_iommu_group *group);
int vhost_iommu_group_add_regions(const struct vhost_iommu_group *group, u32 type,
				  struct vhost_iommu_regions *regions);
int vhost_iommu_group_add_aperture(const struct vhost_iommu_group *group,
				   const struct vhost_iommu_config *config,
				   struct vhost_iommu_regions *regions);
bool vhost_iommu_enforce_coherency(struct iommu_domain *domain);
struct iommu_domain *
vhost_iommu_group_alloc_domain(struct vhost_iommu_group *group);
int vhost_iommu_group_update(struct vhost_iommu_group *group);
void vhost_iommu_group_block(struct vhost_iommu_group *group);

/* hwfault.c */
void vhost_iommu_handle_hw_faults(struct iommu_domain *domain);

/* vfio.c */
long vhost_iommu_s2_ioctl(void *data, unsigned int cmd, unsigned long arg);
int vhost_iommu_vfio_register(void);
void vhost_iommu_vfio_unregister(void);

static inline struct vhost_iommu_s2_range *
to_s2_range(struct interval_tree_node *node)
{
	return container_of(node, struct vhost_iommu_s2_range, node);
}

/* The lowest range that overlaps [start, last], or NULL. */
static inline struct vhost_iommu_s2_range *
vhost_iommu_s2_first(struct vhost_iommu_s2 *s2, u64 start, u64 last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(&s2->ranges, start, last);
	return node ? to_s2_range(node) : NULL;
}

/* The next one behind @range. */
static inline struct vhost_iommu_s2_range *
vhost_iommu_s2_next(struct vhost_iommu_s2_range *range, u64 start, u64 last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_next(&range->node, start, last);
	return node ? to_s2_range(node) : NULL;
}

#endif /* _VHOST_IOMMU_STAGE2_H */
