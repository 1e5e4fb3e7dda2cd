/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PASID tables, see "PASID tables" in Documentation/virtio/page-tables.rst.
 *
 * An endpoint gets one when a domain is attached to one of its PASIDs for the first
 * time, and keeps it. Entry 0 is then where its requests without a PASID go, unless
 * they go to a domain that has no table: no PASID has a domain meanwhile.
 *
 * A domain with a table knows by which entries the device reaches it, for the
 * invalidations, see viommu_domain.pasid_users.
 */
#ifndef _VIOMMU_PASID_H
#define _VIOMMU_PASID_H

#include <linux/types.h>
#include <linux/xarray.h>

#include "viommu.h"

/* Of what an endpoint has, no more are used: the table is allocated at once. */
#define VIOMMU_PASID_BITS	12U

/**
 * struct viommu_pasids - a PASID table
 * @domain: what the device knows it as. It has no mappings
 * @bits: log2 of how many entries
 * @entries: what the device reads; changes under attach_lock
 * @users: PASID -> struct viommu_domain: what the entries lead to; under attach_lock
 */
struct viommu_pasids {
	struct viommu_domain domain;
	unsigned int bits;
	__le64 *entries;
	struct xarray users;
};

u32 viommu_max_pasids(const struct viommu_endpoint *ep);
int viommu_attach_pasid(struct viommu_endpoint *ep, u32 pasid,
			struct viommu_domain *to);
void viommu_detach_pasid(struct viommu_endpoint *ep, u32 pasid);
bool viommu_pasids_busy(const struct viommu_endpoint *ep);
int viommu_pasids_enter(struct viommu_endpoint *ep, struct viommu_domain *to);
void viommu_pasids_destroy(struct viommu_endpoint *ep);

/* How a domain notes an entry that leads to it, and what the note says. */
static inline unsigned long viommu_pasid_user(u32 domain, u32 pasid)
{
	return (u64)domain << 32 | pasid;
}

static inline u32 viommu_pasid_user_domain(unsigned long user)
{
	return (u64)user >> 32;
}

static inline u32 viommu_pasid_user_pasid(unsigned long user)
{
	return lower_32_bits(user);
}

#endif /* _VIOMMU_PASID_H */
