/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of our own in Arm's format, which io-pgtable builds, below a context
 * descriptor, which is what the device gets: see "Formats of Arm" in
 * Documentation/virtio/page-tables.rst.
 */
#ifndef _VIOMMU_TABLE_ARM_H
#define _VIOMMU_TABLE_ARM_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "viommu.h"

struct io_pgtable_ops;

/**
 * struct viommu_arm_table - a context descriptor and the table that it leads to
 * @vdomain: the domain that has them
 * @ops: the table
 * @cd: a page that begins with the descriptor
 * @asid: what the device tells its tables apart by, of all instances
 * @output_last: the highest physical address that an entry may have
 * @lock: of the following
 * @failures: how often the device did not invalidate, since it last did with all of it
 * @kept: pages that it may still look at for that reason
 */
struct viommu_arm_table {
	struct viommu_domain *vdomain;
	struct io_pgtable_ops *ops;
	__le64 *cd;
	u16 asid;
	u64 output_last;
	spinlock_t lock;	/* see above */
	unsigned int failures;
	struct list_head kept;
};

#if IS_ENABLED(CONFIG_IOMMU_IO_PGTABLE_LPAE)
bool viommu_arm_caps_usable(const struct viommu_table_caps *caps);
struct iommu_domain *viommu_domain_alloc_arm(struct viommu_dev *viommu,
					     const struct viommu_table_caps *caps);
int viommu_attach_arm(struct iommu_domain *domain, struct device *dev);
#else
static inline bool viommu_arm_caps_usable(const struct viommu_table_caps *caps)
{
	return false;
}

static inline struct iommu_domain *
viommu_domain_alloc_arm(struct viommu_dev *viommu,
			const struct viommu_table_caps *caps)
{
	return ERR_PTR(-EOPNOTSUPP);
}
#endif

#endif /* _VIOMMU_TABLE_ARM_H */
