// SPDX-License-Identifier: GPL-2.0-only
/*
 * A notification of the guest is handled by the thread that brings it, as a rule a
 * vCPU on its way back into the guest: to wake the worker, on another processor as
 * like as not, costs more than a request does, and the guest waits anyway. The worker
 * goes on from there if there is more than a batch, or if it pays to poll.
 *
 * The eventfd's waker cannot sleep, so what is to be done is left to the thread's task
 * work, which runs before it returns to user space or enters the guest. Until then the
 * work keeps the open file, and with it the instance and this module.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/task_work.h>

#include "vhost_iommu.h"

/* Return: whether there is something left for the worker. */
static bool serve(struct vhost_iommu *vi)
{
	struct vhost_iommu_vring *vr = &vi->vqs[VHOST_IOMMU_VQ_REQUEST];

	lockdep_assert_held(&vi->lock);

	/* The next start, or the VMM's acknowledgment, looks at the ring again. */
	if (!vi->running || !vhost_iommu_complete_requests(vi))
		return false;
	if (vhost_iommu_vring_pending(vr) &&
	    (vhost_iommu_handle_requests(vi) < 0 || !vhost_iommu_invalidated(vi)))
		return false;
	return vhost_iommu_poll_pays(vi) || vhost_iommu_vring_enable_kick(vr);
}

static void handle_kick(struct callback_head *work)
{
	struct vhost_iommu *vi = container_of(work, struct vhost_iommu,
					      kick_work);
	struct file *file = vi->file;
	bool more = true;

	clear_bit(0, &vi->kick_queued);
	/* Of one that was not queued because of us, the ring tells. */
	smp_mb__after_atomic();

	/*
	 * A thread that exits runs what it has left without an address space, or in
	 * somebody else's. Whoever has the lock may have looked at the ring already.
	 */
	if (current->mm == vi->mm && mutex_trylock(&vi->lock)) {
		more = serve(vi);
		mutex_unlock(&vi->lock);
	}
	if (more)
		vhost_iommu_wake(vi, VHOST_IOMMU_WORK_REQUEST);
	fput(file);
}

/* Will the current context return to user space, or to the guest, of the VMM? */
static bool is_vmm_thread(struct vhost_iommu *vi)
{
	return in_task() && current->mm == vi->mm &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING));
}

static bool queue_kick(struct vhost_iommu *vi)
{
	struct file *file;

	/* One thread is on its way, and will see what this one brings. */
	if (test_and_set_bit(0, &vi->kick_queued))
		return true;
	file = get_file_active(&vi->file);
	if (file && !task_work_add(current, &vi->kick_work, TWA_RESUME))
		return true;
	clear_bit(0, &vi->kick_queued);
	if (file)
		fput(file);
	return false;
}

/**
 * vhost_iommu_kick() - the guest has notified the request queue
 * @vi: the instance, running
 *
 * Context: any, with the lock of an eventfd held.
 */
void vhost_iommu_kick(struct vhost_iommu *vi)
{
	atomic64_inc(&vi->kicks);
	if (!is_vmm_thread(vi) || !queue_kick(vi))
		vhost_iommu_wake(vi, VHOST_IOMMU_WORK_REQUEST);
}

/**
 * vhost_iommu_kick_init() - prepare for notifications
 * @vi: the instance, not running
 * @file: its open file
 */
void vhost_iommu_kick_init(struct vhost_iommu *vi, struct file *file)
{
	vi->file = file;
	init_task_work(&vi->kick_work, handle_kick);
}
