// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker: a thread of the VMM in the kernel. It runs with the VMM's address
 * space, credentials, cgroup and limits, so what a guest costs is the VM's cost. It
 * exists from the first start on until the device is closed; what it may touch is
 * decided by vhost_iommu.running, under the lock of the instance.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/vhost_task.h>

#include "vevent.h"
#include "vhost_iommu.h"

/* How often to look for requests until others get a chance. */
#define LOOKS		16
/* How many notifications to let pass, at the most, until polling is tried again. */
#define POLL_BACKOFF_MAX	255U
/* How many times poll_us to look for the next request of a guest that is in a run. */
#define POLL_RUN_FACTOR		5

static unsigned int poll_us = 200;
module_param(poll_us, uint, 0644);
MODULE_PARM_DESC(poll_us,
		 "Microseconds to look for a next request before sleeping, five times as long in a run of requests, unless the VMM sets it; 0 for not at all (200)");

/**
 * vhost_iommu_default_poll_us() - how long to poll if the VMM does not say
 *
 * Return: microseconds.
 */
unsigned int vhost_iommu_default_poll_us(void)
{
	return min(READ_ONCE(poll_us), VHOST_IOMMU_POLL_US_MAX);
}

/**
 * vhost_iommu_wake() - give the worker something to do
 * @vi: the instance
 * @work: what
 *
 * Context: any.
 */
void vhost_iommu_wake(struct vhost_iommu *vi, enum vhost_iommu_work work)
{
	struct vhost_task *task;

	set_bit(work, &vi->work);
	/* Pairs with the release in create_worker(). */
	task = smp_load_acquire(&vi->task);
	if (task)
		vhost_task_wake(task);
}

/*
 * How many microseconds to look for the next request. A guest that has sent one right
 * after the other, and stops, was interrupted, as a rule. It goes on when it is back, and
 * would have to notify then. Of another, a request that does not come soon does not come.
 */
static unsigned int poll_limit(const struct vhost_iommu *vi)
{
	if (vi->poll_run < VHOST_IOMMU_POLL_RUN)
		return vi->poll_us;
	return min(vi->poll_us * POLL_RUN_FACTOR, VHOST_IOMMU_POLL_US_MAX);
}

/* Nothing came while we polled: let the next notifications pass before we try again. */
static void poll_failed(struct vhost_iommu *vi)
{
	vi->poll_backoff = min(2 * vi->poll_backoff + 1, POLL_BACKOFF_MAX);
	vi->poll_skip = vi->poll_backoff;
	vi->poll_run = 0;
}

/**
 * vhost_iommu_poll_worked() - the worker has found a request
 * @vi: the instance, locked
 *
 * One that came late ends a run, even if the worker was ready to look for longer: a guest
 * whose every request comes late is not worth it.
 *
 * Context: the worker.
 */
void vhost_iommu_poll_worked(struct vhost_iommu *vi)
{
	lockdep_assert_held(&vi->lock);

	if (vi->poll_since && local_clock() > vi->poll_since + vi->poll_us * NSEC_PER_USEC)
		vi->poll_run = 0;
	else if (vi->poll_run < VHOST_IOMMU_POLL_RUN)
		vi->poll_run++;
	vi->poll_backoff /= 2;
	vi->poll_since = 0;
}

/**
 * vhost_iommu_poll_over() - has the worker looked for the next request for long enough?
 * @vi: the instance, locked, in whose ring there was nothing
 *
 * The first call since a request was found starts the time.
 *
 * Context: the worker.
 * Return: true if it has, which is noted as a poll that was in vain.
 */
bool vhost_iommu_poll_over(struct vhost_iommu *vi)
{
	u64 now = local_clock();

	lockdep_assert_held(&vi->lock);

	if (!vi->poll_since)
		vi->poll_since = now;
	if (now <= vi->poll_since + poll_limit(vi) * NSEC_PER_USEC)
		return false;
	poll_failed(vi);
	return true;
}

static bool polled_enough(struct vhost_iommu *vi)
{
	return need_resched() || !vi->poll_us || vhost_iommu_poll_over(vi);
}

/**
 * vhost_iommu_poll_pays() - is the worker to look for the next request?
 * @vi: the instance, locked, whose guest has just notified, and was served
 *
 * A poll may have been in vain because the guest was interrupted, or because it is one
 * that waits longer between its requests. Of the latter, every other request at least
 * comes too late for a poll.
 *
 * Return: whether whoever handles the notification is to wake the worker for it.
 */
bool vhost_iommu_poll_pays(struct vhost_iommu *vi)
{
	u64 now;

	lockdep_assert_held(&vi->lock);

	if (!vi->poll_us)
		return false;
	now = local_clock();
	if (now <= vi->kick_last + vi->poll_us * NSEC_PER_USEC)
		vi->kick_streak++;
	else
		vi->kick_streak = 0;
	vi->kick_last = now;
	if (!vi->poll_skip || vi->kick_streak >= VHOST_IOMMU_KICK_STREAK) {
		vi->poll_skip = 0;
		vi->kick_streak = 0;
		return true;
	}
	vi->poll_skip--;
	return false;
}

/*
 * Handle what there is. A guest that has just sent a request is likely to send
 * another, and to notify costs it more than the request: so look again for a while
 * before asking to be notified. Ioctls, signals and other work wait for LOOKS looks, or
 * a batch, at the most.
 */
static void serve_requests(struct vhost_iommu *vi)
{
	struct vhost_iommu_vring *vr = &vi->vqs[VHOST_IOMMU_VQ_REQUEST];
	unsigned int look;
	int n;

	for (look = 0; look < LOOKS; look++) {
		if (!vhost_iommu_complete_requests(vi))
			return;
		if (vhost_iommu_vring_watch(vr)) {
			vhost_iommu_poll_worked(vi);
			n = vhost_iommu_handle_requests(vi);
			if (n < 0)
				return;
			look += n;
		} else if (!polled_enough(vi)) {
			cpu_relax();
		} else if (!vhost_iommu_vring_enable_kick(vr)) {
			return;
		}
	}
	set_bit(VHOST_IOMMU_WORK_REQUEST, &vi->work);
}

static void run(struct vhost_iommu *vi)
{
	mutex_lock(&vi->lock);
	if (vi->running) {
		if (test_and_clear_bit(VHOST_IOMMU_WORK_VEVENT, &vi->work))
			vhost_iommu_read_vevents(vi);
		if (test_and_clear_bit(VHOST_IOMMU_WORK_FAULT, &vi->work))
			vhost_iommu_deliver_faults(vi);
		if (test_and_clear_bit(VHOST_IOMMU_WORK_REQUEST, &vi->work))
			serve_requests(vi);
	} else {
		/* The next start looks at everything. */
		WRITE_ONCE(vi->work, 0);
	}
	mutex_unlock(&vi->lock);
}

/* vhost_task calls it with the task's state set to sleep, and sleeps on false. */
static bool worker_fn(void *data)
{
	struct vhost_iommu *vi = data;

	if (!READ_ONCE(vi->work)) {
		vi->poll_since = 0;
		vi->poll_run = 0;
		return false;
	}
	__set_current_state(TASK_RUNNING);
	run(vi);
	cond_resched();
	return true;
}

/* The VMM is being killed. Closing the file does the rest. */
static void worker_killed(void *data)
{
}

static int create_worker(struct vhost_iommu *vi)
{
	struct vhost_task *task;
	char name[TASK_COMM_LEN];

	if (vi->task)
		return 0;
	snprintf(name, sizeof(name), "viommu-%d", current->tgid);
	task = vhost_task_create(worker_fn, worker_killed, vi, name);
	if (IS_ERR(task))
		return PTR_ERR(task);
	vhost_task_start(task);
	/* Pairs with the acquire in vhost_iommu_wake(). */
	smp_store_release(&vi->task, task);
	return 0;
}

/* A guest that does not ask for faults may set up no event queue. */
static bool is_left_out(const struct vhost_iommu *vi, unsigned int index)
{
	return index == VHOST_IOMMU_VQ_EVENT && !vi->vqs[index].has_addr;
}

/**
 * vhost_iommu_start() - VHOST_IOMMU_SET_RUNNING with 1
 * @vi: the instance, locked
 *
 * Return: see the ioctl.
 */
int vhost_iommu_start(struct vhost_iommu *vi)
{
	unsigned int i;
	int ret;

	lockdep_assert_held(&vi->lock);

	if (vi->running)
		return 0;
	if (vi->restore)
		return -EBUSY;
	if (!(vi->features & BIT_ULL(VIRTIO_F_VERSION_1)))
		return -EINVAL;
	ret = create_worker(vi);
	if (ret)
		return ret;
	for (i = 0; i < VHOST_IOMMU_NR_VQS; i++) {
		if (is_left_out(vi, i))
			continue;
		ret = vhost_iommu_vring_start(&vi->vqs[i], vi->features);
		if (ret)
			goto err_stop_vrings;
	}

	vi->running = true;
	vhost_iommu_wake(vi, VHOST_IOMMU_WORK_REQUEST);
	vhost_iommu_wake(vi, VHOST_IOMMU_WORK_FAULT);
	vhost_iommu_wake(vi, VHOST_IOMMU_WORK_VEVENT);
	return 0;

err_stop_vrings:
	while (i--)
		vhost_iommu_vring_stop(&vi->vqs[i]);
	return ret;
}

/**
 * vhost_iommu_stop() - VHOST_IOMMU_SET_RUNNING with 0
 * @vi: the instance, locked
 */
void vhost_iommu_stop(struct vhost_iommu *vi)
{
	unsigned int i;

	lockdep_assert_held(&vi->lock);

	vi->running = false;
	for (i = 0; i < VHOST_IOMMU_NR_VQS; i++)
		vhost_iommu_vring_stop(&vi->vqs[i]);
}

/**
 * vhost_iommu_stop_worker() - end the worker for good
 * @vi: the instance, stopped and not locked; nothing wakes the worker any more
 */
void vhost_iommu_stop_worker(struct vhost_iommu *vi)
{
	if (vi->task)
		vhost_task_stop(vi->task);
	vi->task = NULL;
}
