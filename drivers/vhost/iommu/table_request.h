/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_TABLE_REQUEST_H
#define _VHOST_IOMMU_TABLE_REQUEST_H

#include <linux/types.h>
#include <linux/virtio_iommu_tables.h>

struct vhost_iommu;
struct vhost_iommu_config;
struct vhost_iommu_ep;

/* ATTACH_TABLE, by format. All have the same size. */
union vhost_iommu_attach_table {
	struct virtio_iommu_req_attach_table		any;
	struct virtio_iommu_req_attach_pgt_x86_64	x86_64;
	struct virtio_iommu_req_attach_pasid_table	pasids;
	struct virtio_iommu_req_attach_pst_arm		arm;
};

u8 vhost_iommu_attach_table(struct vhost_iommu *vi,
			    const union vhost_iommu_attach_table *req);
u8 vhost_iommu_invalidate_table(struct vhost_iommu *vi,
				const struct virtio_iommu_req_invalidate *req,
				bool *wide);

bool vhost_iommu_tables_possible(const struct vhost_iommu_config *config);
size_t vhost_iommu_tables_size(const struct vhost_iommu *vi);
void vhost_iommu_tables_encode(const struct vhost_iommu_ep *ep, void *buf);

/* Is it about entries of a PASID table? */
static inline bool
vhost_iommu_invalidates_pasids(const struct virtio_iommu_req_invalidate *req)
{
	return le16_to_cpu(req->inv_type) & VIRTIO_IOMMU_INV_T_PASID;
}

#endif /* _VHOST_IOMMU_TABLE_REQUEST_H */
