// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidations for devices that the VMM emulates: it keeps translations (a device
 * IOTLB) and has to forget them before the guest learns that they are gone. No used
 * entries are published, and no further requests taken, while a record is not
 * acknowledged. Nobody holds anything meanwhile: the acknowledgment wakes the worker.
 *
 * Memory is bounded: when the ring of records is full, one record stands for all.
 */
#include <linux/minmax.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "endpoint.h"
#include "invalidation.h"
#include "trace.h"
#include "vhost_iommu.h"

static struct vhost_iommu_invalidation *
record(struct vhost_iommu_invalidation_queue *q, unsigned int i)
{
	return &q->records[(q->head + i) % VHOST_IOMMU_INVALIDATIONS_MAX];
}

/* Have the newest record say it too, if the ranges touch. */
static bool extend(struct vhost_iommu_invalidation_queue *q, u32 endpoint,
		   u64 start, u64 last)
{
	struct vhost_iommu_invalidation *r;

	if (!q->count)
		return false;
	r = record(q, q->count - 1);
	if (r->flags & VHOST_IOMMU_INVALIDATION_ALL)
		return true;
	if (r->endpoint != endpoint || (r->last != U64_MAX && start > r->last + 1) ||
	    (last != U64_MAX && r->start > last + 1))
		return false;
	r->start = min(r->start, start);
	r->last = max(r->last, last);
	return true;
}

static void append(struct vhost_iommu_invalidation_queue *q, u32 endpoint,
		   u64 start, u64 last)
{
	struct vhost_iommu_invalidation *r;
	u32 flags = 0;

	if (q->count == VHOST_IOMMU_INVALIDATIONS_MAX) {
		q->count = 0;
		flags = VHOST_IOMMU_INVALIDATION_ALL;
		endpoint = 0;
		start = 0;
		last = U64_MAX;
	}
	r = record(q, q->count);
	*r = (struct vhost_iommu_invalidation) {
		.endpoint = endpoint,
		.flags = flags,
		.start = start,
		.last = last,
		.sequence = ++q->queued,
	};
	WRITE_ONCE(q->count, q->count + 1);
}

/**
 * vhost_iommu_invalidate() - have the VMM forget translations of an endpoint
 * @ep: the endpoint; nothing happens unless the VMM keeps translations for it
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 */
void vhost_iommu_invalidate(struct vhost_iommu_ep *ep, u64 start, u64 last)
{
	struct vhost_iommu *vi = ep->vi;
	struct vhost_iommu_invalidation_queue *q = &vi->invalidations;

	lockdep_assert_held(&vi->lock);

	if (!ep->notify)
		return;
	trace_vhost_iommu_invalidate(vi, ep->id, start, last);
	if (extend(q, ep->id, start, last))
		return;
	append(q, ep->id, start, last);
	vi->stats.invalidations++;
	wake_up_interruptible_poll(&q->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * vhost_iommu_invalidated() - has the VMM forgotten all that it has to?
 * @vi: the instance
 */
bool vhost_iommu_invalidated(struct vhost_iommu *vi)
{
	lockdep_assert_held(&vi->lock);

	return vi->invalidations.acked == vi->invalidations.queued;
}

/**
 * vhost_iommu_get_invalidations() - VHOST_IOMMU_GET_INVALIDATIONS
 * @vi: the instance
 * @arg: argument of the ioctl; the answer
 *
 * The records stay until vhost_iommu_took_invalidations(), so that none is lost if
 * the answer cannot be written.
 *
 * Return: see the ioctl.
 */
int vhost_iommu_get_invalidations(struct vhost_iommu *vi,
				  struct vhost_iommu_invalidations *arg)
{
	struct vhost_iommu_invalidation_queue *q = &vi->invalidations;
	struct vhost_iommu_invalidation __user *records;
	u32 i;

	lockdep_assert_held(&vi->lock);

	if (arg->acked > q->taken)
		return -EINVAL;
	if (arg->acked > q->acked) {
		q->acked = arg->acked;
		if (vhost_iommu_invalidated(vi))
			vhost_iommu_wake(vi, VHOST_IOMMU_WORK_REQUEST);
	}

	records = u64_to_user_ptr(arg->records);
	arg->nr = min(arg->nr, q->count);
	for (i = 0; i < arg->nr; i++)
		if (copy_to_user(&records[i], record(q, i), sizeof(*records)))
			return -EFAULT;
	return 0;
}

/**
 * vhost_iommu_took_invalidations() - records were handed out
 * @vi: the instance
 * @nr: how many
 */
void vhost_iommu_took_invalidations(struct vhost_iommu *vi, u32 nr)
{
	struct vhost_iommu_invalidation_queue *q = &vi->invalidations;

	lockdep_assert_held(&vi->lock);

	if (!nr)
		return;
	q->taken = record(q, nr - 1)->sequence;
	q->head = (q->head + nr) % VHOST_IOMMU_INVALIDATIONS_MAX;
	WRITE_ONCE(q->count, q->count - nr);
}
