// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nesting on an SMMUv3 (Arm IHI 0070): the guest has the table of context descriptors,
 * and what it leads to. A vIOMMU object stands for the SMMU: caches are tagged by the
 * VM's number there, which is the object's, and the guest's ASIDs; so a guest that gives
 * two page tables one ASID mixes up nobody's but its own. Devices have the numbers of
 * their endpoints in it.
 *
 * ATS stays off for the tables of guests, so devices keep no translations of them.
 */
#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/sizes.h>
#include <uapi/linux/iommufd.h>

#include "endpoint.h"
#include "iommufd.h"
#include "nest.h"
#include "stage2.h"
#include "table.h"
#include "vevent.h"
#include "vhost_iommu.h"

/* Stream table entry: the words that a guest has */
#define STE0_VALID		BIT_ULL(0)
#define STE0_STAGE1		(5ULL << 1)
#define STE1_CACHED		(BIT_ULL(2) | BIT_ULL(4) | GENMASK_ULL(7, 6))
#define STE1_NO_STALL		BIT_ULL(27)

/* Commands */
#define CMD_CFGI_CD		0x05
#define CMD_CFGI_CD_ALL		0x06
#define CMD_TLBI_NH_ALL		0x10
#define CMD_TLBI_NH_ASID	0x11
#define CMD_TLBI_NH_VA		0x12
#define CMD_SID			GENMASK_ULL(63, 32)
#define CMD_ASID		GENMASK_ULL(63, 48)
#define CMD_LEAF		BIT_ULL(0)
/* More pages than this are not worth a command each. */
#define TLBI_PAGES_MAX		32U

/* Events */
#define EVT_F_TRANSLATION	0x10
#define EVT_F_ADDR_SIZE		0x11
#define EVT_F_ACCESS		0x12
#define EVT_F_PERMISSION	0x13
#define EVT_TYPE		GENMASK_ULL(7, 0)
#define EVT_SID			GENMASK_ULL(63, 32)
#define EVT_READ		BIT_ULL(35)

/* Identification registers */
#define IDR0_COHERENT		BIT(4)
#define IDR0_ASID16		BIT(12)
#define IDR0_STALL_MODEL	GENMASK(25, 24)
#define IDR5_OUTPUT		GENMASK(2, 0)
#define IDR5_4K			BIT(4)

static u8 output_bits(u32 idr5)
{
	static const u8 widths[] = { 32, 36, 40, 42, 44, 48 };

	return widths[min(FIELD_GET(IDR5_OUTPUT, idr5), ARRAY_SIZE(widths) - 1)];
}

static int alloc_viommu(struct vhost_iommu_nest *nest, u32 dev_id)
{
	struct iommu_viommu_alloc arg = {
		.size = sizeof(arg),
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.dev_id = dev_id,
		.hwpt_id = nest->parent,
	};
	int ret;

	ret = vhost_iommu_iommufd_ioctl(nest->s2, IOMMU_VIOMMU_ALLOC, &arg,
					sizeof(arg));
	nest->viommu = arg.out_viommu_id;
	return ret;
}

static int init(struct vhost_iommu_nest *nest, const void *hw_info, u32 dev_id)
{
	const struct iommu_hw_info_arm_smmuv3 *smmu = hw_info;
	int ret;

	if (!(smmu->idr[0] & IDR0_COHERENT) || !(smmu->idr[5] & IDR5_4K))
		return -EOPNOTSUPP;
	nest->sizes = SZ_4K | SZ_2M | SZ_1G;
	nest->last = VHOST_IOMMU_TABLE_LAST;
	nest->output_bits = output_bits(smmu->idr[5]);
	nest->asid_bits = smmu->idr[0] & IDR0_ASID16 ? 16 : 8;
	nest->no_stall = !FIELD_GET(IDR0_STALL_MODEL, smmu->idr[0]);

	ret = alloc_viommu(nest, dev_id);
	if (ret)
		return ret;
	nest->vevents = vhost_iommu_vevents_create(nest,
						   IOMMU_VEVENTQ_TYPE_ARM_SMMUV3);
	if (!IS_ERR(nest->vevents))
		return 0;
	vhost_iommu_iommufd_destroy(nest->s2, nest->viommu);
	return PTR_ERR(nest->vevents);
}

static void exit_(struct vhost_iommu_nest *nest)
{
	vhost_iommu_vevents_destroy(nest->vevents);
	vhost_iommu_iommufd_destroy(nest->s2, nest->viommu);
}

static int join(struct vhost_iommu_nest *nest, struct vhost_iommu_device *dev,
		u32 id)
{
	struct iommu_vdevice_alloc arg = {
		.size = sizeof(arg),
		.viommu_id = nest->viommu,
		.dev_id = dev->id,
		.virt_id = id,
	};
	int ret;

	ret = vhost_iommu_iommufd_ioctl(nest->s2, IOMMU_VDEVICE_ALLOC, &arg,
					sizeof(arg));
	dev->vdevice = ret ? 0 : arg.out_vdevice_id;
	return ret;
}

static void leave(struct vhost_iommu_nest *nest, struct vhost_iommu_device *dev)
{
	if (dev->vdevice)
		vhost_iommu_iommufd_destroy(nest->s2, dev->vdevice);
	dev->vdevice = 0;
}

static u32 table(const struct vhost_iommu_nest *nest,
		 const struct vhost_iommu_domain *domain, u32 *type, void *data)
{
	struct iommu_hwpt_arm_smmuv3 *arm = data;

	static_assert(sizeof(*arm) <= VHOST_IOMMU_NEST_DATA_MAX);
	*type = IOMMU_HWPT_DATA_ARM_SMMUV3;
	arm->ste[0] = cpu_to_le64(STE0_VALID | STE0_STAGE1 | domain->pasids);
	arm->ste[1] = cpu_to_le64(STE1_CACHED |
				  (nest->no_stall ? STE1_NO_STALL : 0));
	return sizeof(*arm);
}

static void add(struct vhost_iommu_hwdom *hw, u64 word0, u64 word1)
{
	__le64 *word = vhost_iommu_nest_next(hw);

	word[0] = cpu_to_le64(word0);
	word[1] = cpu_to_le64(word1);
}

/* A device keeps descriptors by its own number. */
static void forget_descriptors(struct vhost_iommu_hwdom *hw, bool all)
{
	struct vhost_iommu_ep *ep;

	list_for_each_entry(ep, &hw->owner->endpoints, domain_list)
		if (ep->hwdom == hw)
			add(hw, FIELD_PREP(CMD_SID, ep->id) |
			    (all ? CMD_CFGI_CD_ALL : CMD_CFGI_CD),
			    all ? 0 : CMD_LEAF);
}

static void forget_range(struct vhost_iommu_hwdom *hw,
			 const struct vhost_iommu_change *change)
{
	u64 asid = FIELD_PREP(CMD_ASID, change->asid);
	u64 va = ALIGN_DOWN(change->start, SZ_4K);

	if (!change->has_asid) {
		add(hw, CMD_TLBI_NH_ALL, 0);
		return;
	}
	if ((change->last - va) / SZ_4K >= TLBI_PAGES_MAX) {
		add(hw, CMD_TLBI_NH_ASID | asid, 0);
		return;
	}
	/* What is above the input is nothing that a table has mapped. */
	for (; va <= min(change->last, hw->class->nest->last); va += SZ_4K)
		add(hw, CMD_TLBI_NH_VA | asid,
		    va | (change->leaf ? CMD_LEAF : 0));
}

static void invalidate(struct vhost_iommu_hwdom *hw,
		       const struct vhost_iommu_change *change)
{
	hw->batch->head.hwpt_id = hw->class->nest->viommu;
	hw->batch->head.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3;
	hw->batch->head.entry_len = sizeof(hw->batch->arm[0]);
	if (change->entries)
		forget_descriptors(hw, !change->has_asid);
	forget_range(hw, change);
}

static void report(const struct vhost_iommu_nest *nest, const void *event)
{
	const __le64 *word = event;
	u64 head = le64_to_cpu(word[0]);
	u32 sid = FIELD_GET(EVT_SID, head), flags;
	u8 reason;

	if (!xa_load(&nest->vi->endpoints, sid))
		return;
	switch (FIELD_GET(EVT_TYPE, head)) {
	case EVT_F_TRANSLATION:
	case EVT_F_ADDR_SIZE:
	case EVT_F_ACCESS:
	case EVT_F_PERMISSION:
		reason = VIRTIO_IOMMU_FAULT_R_MAPPING;
		flags = VIRTIO_IOMMU_FAULT_F_ADDRESS |
			(le64_to_cpu(word[1]) & EVT_READ ?
			 VIRTIO_IOMMU_FAULT_F_READ :
			 VIRTIO_IOMMU_FAULT_F_WRITE);
		break;
	default:
		reason = VIRTIO_IOMMU_FAULT_R_UNKNOWN;
		flags = 0;
	}
	vhost_iommu_report_fault(nest->vi, reason, flags, sid,
				 flags ? le64_to_cpu(word[2]) : 0);
}

const struct vhost_iommu_nest_format vhost_iommu_nest_arm = {
	.hw_type	= IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
	.hw_info_size	= sizeof(struct iommu_hw_info_arm_smmuv3),
	.arm		= true,
	.init		= init,
	.exit		= exit_,
	.join		= join,
	.leave		= leave,
	.table		= table,
	.invalidate	= invalidate,
	.report		= report,
	.event_size	= sizeof(struct iommu_vevent_arm_smmuv3),
};
