/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of guests that the physical IOMMU walks itself, on top of stage 2: what
 * iommufd calls nesting.
 */
#ifndef _VHOST_IOMMU_NEST_H
#define _VHOST_IOMMU_NEST_H

#include <linux/kconfig.h>
#include <linux/types.h>
#include <uapi/linux/iommufd.h>

#include "domain.h"

struct iommu_device;
struct vhost_iommu;
struct vhost_iommu_class;
struct vhost_iommu_device;
struct vhost_iommu_nest;
struct vhost_iommu_s2;
struct vhost_iommu_vevents;

/**
 * struct vhost_iommu_change - what an INVALIDATE of the guest is about
 * @start: first I/O virtual address
 * @last: last one; U64_MAX from 0 for all of them
 * @asid: the address space, if @has_asid: the hardware's number of it
 * @has_asid: or else all address spaces
 * @entries: the entry of a PASID table has changed, too
 * @leaf: of page tables, leaves alone have changed
 */
struct vhost_iommu_change {
	u64	start;
	u64	last;
	u16	asid;
	bool	has_asid;
	bool	entries;
	bool	leaf;
};

#define VHOST_IOMMU_NEST_BATCH	64U

/**
 * struct vhost_iommu_nest_batch - invalidations that are passed down together
 * @head: argument of IOMMU_HWPT_INVALIDATE; its entry_num says how many there are
 * @vtd: those of VT-d
 * @arm: those of an SMMUv3
 *
 * They follow the head in memory, so that the whole can be copied at once.
 */
struct vhost_iommu_nest_batch {
	struct iommu_hwpt_invalidate	head;
	union {
		struct iommu_hwpt_vtd_s1_invalidate vtd[VHOST_IOMMU_NEST_BATCH];
		struct {
			__le64	word[2];
		} arm[VHOST_IOMMU_NEST_BATCH];
	};
};

/**
 * struct vhost_iommu_nest_format - tables that an IOMMU can walk
 * @hw_type: what IOMMU_GET_HW_INFO says of such an IOMMU, IOMMU_HW_INFO_TYPE_*
 * @hw_info_size: bytes of what it tells
 * @arm: tables of the guest are those of Arm; else of x86-64
 * @init: look at @hw_info, and make what the class needs. Return: 0, -EOPNOTSUPP or
 *	another error: the class is one without nesting then, but for -ENOMEM and -EINTR
 * @exit: undo that
 * @join: before a device is attached to such tables; may be NULL
 * @leave: undo that
 * @table: fill in the data of IOMMU_HWPT_ALLOC
 * @invalidate: add to the batch of a hardware domain
 * @report: report an event to the guest; with a vIOMMU object
 * @event_size: bytes of an event
 */
struct vhost_iommu_nest_format {
	u32	hw_type;
	u32	hw_info_size;
	bool	arm;
	int	(*init)(struct vhost_iommu_nest *nest, const void *hw_info,
			u32 dev_id);
	void	(*exit)(struct vhost_iommu_nest *nest);
	int	(*join)(struct vhost_iommu_nest *nest,
			struct vhost_iommu_device *dev, u32 id);
	void	(*leave)(struct vhost_iommu_nest *nest,
			 struct vhost_iommu_device *dev);
	u32	(*table)(const struct vhost_iommu_nest *nest,
			 const struct vhost_iommu_domain *domain, u32 *type,
			 void *data);
	void	(*invalidate)(struct vhost_iommu_hwdom *hw,
			      const struct vhost_iommu_change *change);
	void	(*report)(const struct vhost_iommu_nest *nest,
			  const void *event);
	size_t	event_size;
};

#define VHOST_IOMMU_NEST_DATA_MAX	32U	/* bytes that @table fills in */

/**
 * struct vhost_iommu_nest - a physical IOMMU that walks tables of guests
 * @vi: the instance; constant
 * @s2: its stage 2; constant
 * @format: what it can walk; constant
 * @iommu: the IOMMU; only compared; constant
 * @parent: number of the page table that has stage 2; constant
 * @viommu: number of the vIOMMU object; 0 if there is none; constant
 * @vevents: events of the vIOMMU; NULL if there are none
 * @sizes: sizes that a leaf can have, a bit each; constant
 * @last: last I/O virtual address that a table can map; constant
 * @output_bits: of an address in a table; constant
 * @asid_bits: of Arm's; constant
 * @no_stall: of Arm's: devices shall not stall; constant
 */
struct vhost_iommu_nest {
	struct vhost_iommu			*vi;
	struct vhost_iommu_s2			*s2;
	const struct vhost_iommu_nest_format	*format;
	const struct iommu_device		*iommu;
	u32					parent;
	u32					viommu;
	struct vhost_iommu_vevents		*vevents;
	u64					sizes;
	u64					last;
	u8					output_bits;
	u8					asid_bits;
	bool					no_stall;
};

extern const struct vhost_iommu_nest_format vhost_iommu_nest_vtd;
extern const struct vhost_iommu_nest_format vhost_iommu_nest_arm;

/* nest.c, of iommufd */
struct vhost_iommu_nest *
vhost_iommu_nest_create(struct vhost_iommu *vi,
			const struct vhost_iommu_device *dev, u32 parent);
void vhost_iommu_nest_destroy(struct vhost_iommu_nest *nest);
bool vhost_iommu_nest_fits(const struct vhost_iommu_nest *nest,
			   const struct vhost_iommu_device *dev);
int vhost_iommu_nest_join(struct vhost_iommu_nest *nest,
			  struct vhost_iommu_device *dev, u32 id);
void vhost_iommu_nest_leave(struct vhost_iommu_nest *nest,
			    struct vhost_iommu_device *dev);
int vhost_iommu_nest_alloc(struct vhost_iommu_hwdom *hw, u32 dev_id);
void vhost_iommu_nest_free(struct vhost_iommu_hwdom *hw);
void vhost_iommu_nest_flush(struct vhost_iommu_hwdom *hw);
void *vhost_iommu_nest_next(struct vhost_iommu_hwdom *hw);

#if IS_ENABLED(CONFIG_IOMMUFD) && IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
bool vhost_iommu_nests(const struct vhost_iommu_domain *domain,
		       const struct vhost_iommu_class *class);
void vhost_iommu_nest_invalidate(struct vhost_iommu_domain *domain,
				 const struct vhost_iommu_change *change);
void vhost_iommu_nest_clear(struct vhost_iommu_domain *domain);
#else
static inline bool vhost_iommu_nests(const struct vhost_iommu_domain *domain,
				     const struct vhost_iommu_class *class)
{
	return false;
}

static inline void
vhost_iommu_nest_invalidate(struct vhost_iommu_domain *domain,
			    const struct vhost_iommu_change *change)
{
}

static inline void vhost_iommu_nest_clear(struct vhost_iommu_domain *domain)
{
}
#endif

#endif /* _VHOST_IOMMU_NEST_H */
