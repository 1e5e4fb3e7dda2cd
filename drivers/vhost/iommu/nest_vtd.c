// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nesting on VT-d: its first stage walks tables of x86-64 as they are. An input
 * address has to be canonical, so a table of four levels maps 47 bits: the upper half
 * is that of negative addresses. See "First-Stage Translation" in the VT-d
 * specification.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <uapi/linux/iommufd.h>

#include "nest.h"
#include "stage2.h"

#define CAP_FIRST_STAGE_1G	BIT_ULL(56)
#define ECAP_NESTING		BIT_ULL(26)
#define INPUT_BITS		48
#define OUTPUT_BITS		52

static int init(struct vhost_iommu_nest *nest, const void *hw_info, u32 dev_id)
{
	const struct iommu_hw_info_vtd *vtd = hw_info;

	if (!(vtd->ecap_reg & ECAP_NESTING))
		return -EOPNOTSUPP;
	nest->sizes = SZ_4K | SZ_2M;
	if (vtd->cap_reg & CAP_FIRST_STAGE_1G)
		nest->sizes |= SZ_1G;
	nest->last = BIT_ULL(INPUT_BITS - 1) - 1;
	nest->output_bits = OUTPUT_BITS;
	return 0;
}

static u32 table(const struct vhost_iommu_nest *nest,
		 const struct vhost_iommu_domain *domain, u32 *type, void *data)
{
	struct iommu_hwpt_vtd_s1 *vtd = data;

	static_assert(sizeof(*vtd) <= VHOST_IOMMU_NEST_DATA_MAX);
	*type = IOMMU_HWPT_DATA_VTD_S1;
	vtd->pgtbl_addr = domain->root;
	vtd->addr_width = INPUT_BITS;
	return sizeof(*vtd);
}

static void invalidate(struct vhost_iommu_hwdom *hw,
		       const struct vhost_iommu_change *change)
{
	u64 last = min(change->last, hw->class->nest->last);
	struct iommu_hwpt_vtd_s1_invalidate *entry;

	if (change->start > last)
		return;
	hw->batch->head.hwpt_id = hw->pt;
	hw->batch->head.data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1;
	hw->batch->head.entry_len = sizeof(*entry);
	entry = vhost_iommu_nest_next(hw);
	if (change->leaf)
		entry->flags = IOMMU_VTD_INV_FLAGS_LEAF;
	if (!change->start && last == hw->class->nest->last) {
		entry->npages = U64_MAX;
		return;
	}
	entry->addr = ALIGN_DOWN(change->start, SZ_4K);
	entry->npages = (last - entry->addr) / SZ_4K + 1;
}

const struct vhost_iommu_nest_format vhost_iommu_nest_vtd = {
	.hw_type	= IOMMU_HW_INFO_TYPE_INTEL_VTD,
	.hw_info_size	= sizeof(struct iommu_hw_info_vtd),
	.init		= init,
	.table		= table,
	.invalidate	= invalidate,
};
