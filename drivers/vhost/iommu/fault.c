// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on their way to the guest's event queue. They come in any context and are
 * written by the worker. What there is no room for is dropped and counted.
 */
#include "trace.h"
#include "vhost_iommu.h"

/**
 * vhost_iommu_report_fault() - report a fault to the guest
 * @vi: the instance
 * @reason: VIRTIO_IOMMU_FAULT_R_*
 * @flags: VIRTIO_IOMMU_FAULT_F_*
 * @endpoint: number of the endpoint
 * @address: I/O virtual address
 *
 * Context: any.
 */
void vhost_iommu_report_fault(struct vhost_iommu *vi, u8 reason, u32 flags,
			      u32 endpoint, u64 address)
{
	unsigned long irqflags;

	trace_vhost_iommu_fault(vi, reason, flags, endpoint, address);

	spin_lock_irqsave(&vi->fault_lock, irqflags);
	if (vi->fault_count == VHOST_IOMMU_FAULTS_MAX) {
		vi->nr_faults_dropped++;
	} else {
		unsigned int i = (vi->fault_head + vi->fault_count) %
				 VHOST_IOMMU_FAULTS_MAX;

		vi->faults[i] = (struct virtio_iommu_fault) {
			.reason = reason,
			.flags = cpu_to_le32(flags),
			.endpoint = cpu_to_le32(endpoint),
			.address = cpu_to_le64(address),
		};
		vi->fault_count++;
	}
	spin_unlock_irqrestore(&vi->fault_lock, irqflags);

	vhost_iommu_wake(vi, VHOST_IOMMU_WORK_FAULT);
}

/**
 * vhost_iommu_check_fault() - can the VMM report this?
 * @vi: the instance, locked
 * @reason: VIRTIO_IOMMU_FAULT_R_*
 * @flags: VIRTIO_IOMMU_FAULT_F_*
 * @endpoint: number of the endpoint
 *
 * Return: 0; -EOPNOTSUPP for an unknown flag, -EINVAL for an unknown reason, -ENOENT.
 */
int vhost_iommu_check_fault(struct vhost_iommu *vi, u32 reason, u32 flags,
			    u32 endpoint)
{
	const u32 known = VIRTIO_IOMMU_FAULT_F_READ | VIRTIO_IOMMU_FAULT_F_WRITE |
			  VIRTIO_IOMMU_FAULT_F_ADDRESS;

	lockdep_assert_held(&vi->lock);

	if (flags & ~known)
		return -EOPNOTSUPP;
	if (reason > VIRTIO_IOMMU_FAULT_R_MAPPING)
		return -EINVAL;
	return xa_load(&vi->endpoints, endpoint) ? 0 : -ENOENT;
}

/**
 * vhost_iommu_peek_fault() - look at a fault that waits
 * @vi: the instance
 * @index: 0 for the oldest
 * @r: its fault is filled
 *
 * Return: false if there are not so many.
 */
bool vhost_iommu_peek_fault(struct vhost_iommu *vi, u32 index,
			    struct vhost_iommu_record *r)
{
	bool found = false;

	spin_lock_irq(&vi->fault_lock);
	if (index < vi->fault_count) {
		const struct virtio_iommu_fault *f =
			&vi->faults[(vi->fault_head + index) %
				    VHOST_IOMMU_FAULTS_MAX];

		r->fault.endpoint = le32_to_cpu(f->endpoint);
		r->fault.reason = f->reason;
		r->fault.flags = le32_to_cpu(f->flags);
		r->fault.index = index;
		r->fault.address = le64_to_cpu(f->address);
		found = true;
	}
	spin_unlock_irq(&vi->fault_lock);
	return found;
}

static bool next_fault(struct vhost_iommu *vi, struct virtio_iommu_fault *fault)
{
	bool found = false;

	spin_lock_irq(&vi->fault_lock);
	if (vi->fault_count) {
		*fault = vi->faults[vi->fault_head];
		vi->fault_head = (vi->fault_head + 1) % VHOST_IOMMU_FAULTS_MAX;
		vi->fault_count--;
		found = true;
	}
	spin_unlock_irq(&vi->fault_lock);
	return found;
}

/**
 * vhost_iommu_drop_fault() - count a fault that the guest does not learn of
 * @vi: the instance
 */
void vhost_iommu_drop_fault(struct vhost_iommu *vi)
{
	spin_lock_irq(&vi->fault_lock);
	vi->nr_faults_dropped++;
	spin_unlock_irq(&vi->fault_lock);
}

/* Write one fault into the next buffer of the guest. */
static bool write_fault(struct vhost_iommu *vi,
			const struct virtio_iommu_fault *fault)
{
	struct vhost_iommu_vring *vr = &vi->vqs[VHOST_IOMMU_VQ_EVENT];
	struct vhost_iommu_chain chain;
	bool written;
	int ret;

	if (!vr->started)
		return false;
	ret = vhost_iommu_vring_pop(vr, vi->mem, &chain);
	if (ret <= 0) {
		if (ret < 0)
			trace_vhost_iommu_broken(vi, VHOST_IOMMU_VQ_EVENT, ret);
		return false;
	}
	written = chain.in_len >= sizeof(*fault) &&
		  !vhost_iommu_vring_write(vr, vi->mem, &chain, 0, fault,
					   sizeof(*fault));
	ret = vhost_iommu_vring_push(vr, chain.head,
				     written ? sizeof(*fault) : 0);
	return written && !ret;
}

/**
 * vhost_iommu_deliver_faults() - write the faults that wait
 * @vi: the instance, locked and running
 *
 * Context: the worker.
 */
void vhost_iommu_deliver_faults(struct vhost_iommu *vi)
{
	struct vhost_iommu_vring *vr = &vi->vqs[VHOST_IOMMU_VQ_EVENT];
	struct virtio_iommu_fault fault;
	unsigned int n;

	lockdep_assert_held(&vi->lock);

	/* No more than a ring's worth at a time: a device may fault all along. */
	for (n = 0; n < VHOST_IOMMU_FAULTS_MAX && next_fault(vi, &fault); n++) {
		if (write_fault(vi, &fault))
			vi->stats.faults++;
		else
			vhost_iommu_drop_fault(vi);
	}
	if (vr->started && vhost_iommu_vring_publish(vr))
		vi->stats.signals++;
}
