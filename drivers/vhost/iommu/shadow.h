/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_SHADOW_H
#define _VHOST_IOMMU_SHADOW_H

#include <linux/types.h>

struct vhost_iommu;
struct vhost_iommu_config;
struct vhost_iommu_domain;
struct vhost_iommu_ep;
struct vhost_iommu_translate;
struct virtio_iommu_req_attach_pgt_x86_64;
struct virtio_iommu_req_invalidate;

int vhost_iommu_shadow_begin(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_ep *ep);
void vhost_iommu_shadow_end(struct vhost_iommu_domain *domain);
void vhost_iommu_shadow_translate(struct vhost_iommu_domain *domain,
				  struct vhost_iommu_translate *tr);
u8 vhost_iommu_attach_table(struct vhost_iommu *vi,
			    const struct virtio_iommu_req_attach_pgt_x86_64 *req);
u8 vhost_iommu_invalidate_table(struct vhost_iommu *vi,
				const struct virtio_iommu_req_invalidate *req,
				bool *wide);

bool vhost_iommu_tables_possible(const struct vhost_iommu_config *config);
size_t vhost_iommu_tables_size(const struct vhost_iommu *vi);
void vhost_iommu_tables_encode(const struct vhost_iommu_ep *ep, void *buf);

#endif /* _VHOST_IOMMU_SHADOW_H */
