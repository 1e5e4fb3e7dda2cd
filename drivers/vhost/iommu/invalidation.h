/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_INVALIDATION_H
#define _VHOST_IOMMU_INVALIDATION_H

#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/vhost_iommu.h>

struct vhost_iommu;
struct vhost_iommu_ep;

#define VHOST_IOMMU_INVALIDATIONS_MAX	128U

/**
 * struct vhost_iommu_invalidation_queue - what the VMM has to forget
 * @records: a ring of records that were not handed out yet
 * @head: the oldest of them
 * @count: how many there are; read without the lock by poll()
 * @queued: sequence of the newest record
 * @taken: sequence of the newest one that was handed out
 * @acked: the VMM has handled the records up to this sequence
 * @wait: for poll()
 *
 * The instance's lock protects all of it.
 */
struct vhost_iommu_invalidation_queue {
	struct vhost_iommu_invalidation	records[VHOST_IOMMU_INVALIDATIONS_MAX];
	unsigned int			head;
	unsigned int			count;
	u64				queued;
	u64				taken;
	u64				acked;
	wait_queue_head_t		wait;
};

void vhost_iommu_invalidate(struct vhost_iommu_ep *ep, u64 start, u64 last);
bool vhost_iommu_invalidated(struct vhost_iommu *vi);
int vhost_iommu_get_invalidations(struct vhost_iommu *vi,
				  struct vhost_iommu_invalidations *arg);
void vhost_iommu_took_invalidations(struct vhost_iommu *vi, u32 nr);

#endif /* _VHOST_IOMMU_INVALIDATION_H */
