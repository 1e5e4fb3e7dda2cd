// SPDX-License-Identifier: GPL-2.0-only
/*
 * The request queue, see request.h.
 *
 * Callers may be atomic (dma_map_*() in an interrupt handler), so waiting is
 * polling, in short steps that each take and drop the lock. The time that counts
 * against the device is the time spent polling: a virtual machine that was
 * stopped for a while does not give up on its device when it goes on.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/scatterlist.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_ring.h>

#include "request.h"

/* A request is two descriptors: one that the device reads, one that it writes */
#define VIOMMU_REQUEST_DESCS	2
#define VIOMMU_MAX_REQUESTS	128

#define VIOMMU_TIMEOUT_NS	(10LL * NSEC_PER_SEC)
#define VIOMMU_MAX_STEP_NS	((s64)NSEC_PER_MSEC)

/*
 * How often to poll between two looks at the clock, and two pauses of the processor.
 * In a virtual machine the clock may be a device, served by the thread that has to
 * serve our requests, and a pause may be a reason to exit.
 */
#define VIOMMU_POLLS_PER_STEP	256

/* How long one waiter has been waiting for the oldest request to complete */
struct viommu_patience {
	u64 oldest;
	unsigned int polls;
	ktime_t checked;
	s64 spent_ns;
};

/* The serial number of the oldest request in flight, or 0 */
static u64 viommu_queue_oldest(struct viommu_queue *queue)
{
	struct viommu_request *req;

	req = list_first_entry_or_null(&queue->inflight, struct viommu_request,
				       queued);
	return req ? req->serial : 0;
}

/*
 * Only the oldest counts: a device that completes what others submit, and not what we
 * wait for, would have us wait without end.
 */
static void viommu_patience_renew(struct viommu_patience *patience, u64 oldest)
{
	if (patience->oldest == oldest)
		return;

	patience->oldest = oldest;
	patience->polls = 0;
}

static bool viommu_patience_ended(struct viommu_patience *patience,
				  s64 timeout_ns)
{
	ktime_t now;

	if (++patience->polls % VIOMMU_POLLS_PER_STEP)
		return false;

	now = ktime_get();
	if (patience->polls == VIOMMU_POLLS_PER_STEP)
		patience->spent_ns = 0;
	else
		patience->spent_ns += min(ktime_to_ns(now - patience->checked),
					  VIOMMU_MAX_STEP_NS);
	patience->checked = now;
	return patience->spent_ns > timeout_ns;
}

static void viommu_request_complete(struct viommu_request *req, int err)
{
	struct viommu_stream *stream = req->stream;

	list_del_init(&req->node);
	list_del_init(&req->queued);
	req->stream = NULL;
	stream->done(stream, req, err);
}

/*
 * Give the device up. Its requests are not used again: it may still write into
 * them, until it is reset.
 */
static void viommu_queue_fail(struct viommu_queue *queue, int err,
			      const char *why)
{
	struct viommu_request *req, *next;

	lockdep_assert_held(&queue->lock);

	if (queue->dead)
		return;

	queue->dead = err;
	if (why)
		dev_err(queue->dev, "giving up on the device: %s\n", why);

	list_for_each_entry_safe(req, next, &queue->inflight, queued)
		viommu_request_complete(req, err);
}

static int viommu_request_result(struct viommu_request *req, unsigned int len)
{
	struct virtio_iommu_req_tail *tail;

	if (len < req->in_len)
		return -EIO;

	tail = req->in + req->in_len - sizeof(*tail);
	return viommu_status_to_errno(READ_ONCE(tail->status));
}

/* Complete what the device has finished. Returns whether there was anything. */
static bool viommu_queue_reap(struct viommu_queue *queue)
{
	struct viommu_request *req;
	bool progress = false;
	unsigned int len;

	lockdep_assert_held(&queue->lock);

	if (queue->dead)
		return false;

	while ((req = virtqueue_get_buf(queue->vq, &len))) {
		queue->reaped++;
		viommu_request_complete(req, viommu_request_result(req, len));
		list_add(&req->node, &queue->free);
		progress = true;
	}

	if (virtqueue_is_broken(queue->vq))
		viommu_queue_fail(queue, -EIO, "its queue is broken");
	return progress;
}

/*
 * Tell the device about new requests. That may take it a while, in which other
 * CPUs can use the queue, but not an interrupt on this one: its requests would wait for
 * the notification that it has interrupted.
 */
static void viommu_queue_kick(struct viommu_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	if (queue->dead || !virtqueue_kick_prepare(queue->vq))
		return;

	queue->users++;
	spin_unlock(&queue->lock);
	virtqueue_notify(queue->vq);
	spin_lock(&queue->lock);
	queue->users--;
}

/* Whether the device has returned more than @reaped requests. */
static bool viommu_queue_has_used(const struct viommu_queue *queue, u16 reaped)
{
	const __virtio16 *idx = queue->used_idx;

	return !idx || le16_to_cpu((__force __le16)READ_ONCE(*idx)) != reaped;
}

/*
 * Look for a while whether the device returns something. Returns whether it has not
 * for too long.
 */
static bool viommu_queue_watch(const struct viommu_queue *queue, u16 reaped,
			       struct viommu_patience *patience)
{
	bool ended;

	do {
		ended = viommu_patience_ended(patience, queue->timeout_ns);
	} while (patience->polls % VIOMMU_POLLS_PER_STEP &&
		 !viommu_queue_has_used(queue, reaped));
	if (!(patience->polls % VIOMMU_POLLS_PER_STEP))
		cpu_relax();
	return ended;
}

/* The same, without the lock. */
static bool viommu_queue_wait(struct viommu_queue *queue, unsigned long *flags,
			      struct viommu_patience *patience)
{
	u16 reaped = queue->reaped;
	bool ended;

	queue->users++;
	spin_unlock_irqrestore(&queue->lock, *flags);
	ended = viommu_queue_watch(queue, reaped, patience);
	spin_lock_irqsave(&queue->lock, *flags);
	queue->users--;
	return ended;
}

/*
 * One step of waiting: look for what the device has finished without the lock, which
 * others need to submit, and complete it.
 */
static void viommu_queue_poll(struct viommu_queue *queue, unsigned long *flags,
			      struct viommu_patience *patience)
{
	bool ended = false;

	lockdep_assert_held(&queue->lock);

	/* A packed ring has to be looked into with the lock held. */
	if (!queue->used_idx && viommu_queue_reap(queue))
		return;

	viommu_patience_renew(patience, viommu_queue_oldest(queue));
	if (!queue->used_idx || !viommu_queue_has_used(queue, queue->reaped))
		ended = viommu_queue_wait(queue, flags, patience);
	viommu_queue_reap(queue);
	if (ended && viommu_queue_oldest(queue) == patience->oldest)
		viommu_queue_fail(queue, -EIO, "it does not answer");
}

/**
 * viommu_stream_init() - prepare a stream
 * @stream: which
 * @done: see struct viommu_stream
 */
void viommu_stream_init(struct viommu_stream *stream,
			void (*done)(struct viommu_stream *stream,
				     struct viommu_request *req, int err))
{
	INIT_LIST_HEAD(&stream->inflight);
	stream->done = done;
}

/**
 * viommu_request_get() - take a request
 * @queue: where from; its lock is held, and dropped while all requests are in
 *	flight
 * @flags: of the lock
 *
 * The request has to be submitted or put before the lock is dropped.
 *
 * Return: the request, or an ERR_PTR if the device was given up.
 */
struct viommu_request *viommu_request_get(struct viommu_queue *queue,
					  unsigned long *flags)
{
	struct viommu_patience patience = {};
	struct viommu_request *req;

	lockdep_assert_held(&queue->lock);

	while (list_empty(&queue->free) && !queue->dead) {
		viommu_queue_kick(queue);
		viommu_queue_poll(queue, flags, &patience);
	}
	if (queue->dead)
		return ERR_PTR(queue->dead);

	req = list_first_entry(&queue->free, struct viommu_request, node);
	list_del_init(&req->node);
	return req;
}

/**
 * viommu_request_put() - give a request back that was not submitted
 * @queue: where to
 * @req: the request
 */
void viommu_request_put(struct viommu_queue *queue, struct viommu_request *req)
{
	lockdep_assert_held(&queue->lock);

	list_add(&req->node, &queue->free);
}

/**
 * viommu_request_submit() - add a request to the queue
 * @queue: where it was taken from
 * @stream: who is told when it completes
 * @req: the request, filled in
 *
 * The device may begin with it at once, but is only told about it by
 * viommu_queue_sync().
 *
 * Return: 0, or an errno; then the request was put and @stream is not told.
 */
int viommu_request_submit(struct viommu_queue *queue,
			  struct viommu_stream *stream,
			  struct viommu_request *req)
{
	struct scatterlist out, in, *sgs[] = { &out, &in };
	struct virtio_iommu_req_tail *tail;
	int err;

	lockdep_assert_held(&queue->lock);

	/* A device that completes it without a status has not succeeded. */
	tail = req->in + req->in_len - sizeof(*tail);
	tail->status = VIRTIO_IOMMU_S_DEVERR;

	sg_init_one(&out, &req->out, req->out_len);
	sg_init_one(&in, req->in, req->in_len);
	err = virtqueue_add_sgs(queue->vq, sgs, 1, 1, req, GFP_ATOMIC);
	if (err) {
		viommu_request_put(queue, req);
		return err;
	}

	req->stream = stream;
	req->serial = ++queue->serial;
	list_add_tail(&req->node, &stream->inflight);
	list_add_tail(&req->queued, &queue->inflight);
	return 0;
}

/* Whether all requests of a stream up to a serial number are complete */
static bool viommu_stream_idle(struct viommu_stream *stream, u64 serial)
{
	struct viommu_request *oldest;

	oldest = list_first_entry_or_null(&stream->inflight,
					  struct viommu_request, node);
	return !oldest || oldest->serial > serial;
}

/* viommu_queue_sync() with the lock held, which is dropped while waiting */
static void viommu_queue_sync_locked(struct viommu_queue *queue,
				     struct viommu_stream *stream,
				     unsigned long *flags)
{
	struct viommu_patience patience = {};
	u64 serial = queue->serial;

	lockdep_assert_held(&queue->lock);

	if (viommu_stream_idle(stream, serial))
		return;
	viommu_queue_kick(queue);
	while (!viommu_stream_idle(stream, serial))
		viommu_queue_poll(queue, flags, &patience);
}

/**
 * viommu_queue_sync() - wait for requests
 * @queue: the queue
 * @stream: whose requests
 *
 * When it returns, every request that was submitted on @stream before the call is
 * complete, and done() was called for it. Can be called in any context that may
 * take a spinlock.
 */
void viommu_queue_sync(struct viommu_queue *queue, struct viommu_stream *stream)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	viommu_queue_sync_locked(queue, stream, &flags);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void viommu_batch_done(struct viommu_stream *stream,
			      struct viommu_request *req, int err)
{
	struct viommu_batch *batch = container_of(stream, struct viommu_batch,
						  stream);

	if (!batch->err)
		batch->err = err;
}

/**
 * viommu_batch_init() - prepare a batch
 * @batch: which; may be on the stack, if viommu_queue_sync() leaves nothing in flight
 */
void viommu_batch_init(struct viommu_batch *batch)
{
	viommu_stream_init(&batch->stream, viommu_batch_done);
	batch->err = 0;
}

/**
 * viommu_request_send() - send one request and wait for it
 * @queue: the queue
 * @message: what to send, filled in; the caller's own, not one of the queue
 *
 * Return: 0 or an errno, from the device's status or the queue's failure.
 */
int viommu_request_send(struct viommu_queue *queue,
			struct viommu_request *message)
{
	struct viommu_batch batch;
	struct viommu_request *req;
	unsigned long flags;
	int err;

	viommu_batch_init(&batch);
	spin_lock_irqsave(&queue->lock, flags);
	req = viommu_request_get(queue, &flags);
	if (IS_ERR(req)) {
		err = PTR_ERR(req);
	} else {
		req->out = message->out;
		req->out_len = message->out_len;
		req->in = message->in == &message->tail ? &req->tail :
							  message->in;
		req->in_len = message->in_len;
		err = viommu_request_submit(queue, &batch.stream, req);
	}
	if (!err) {
		viommu_queue_sync_locked(queue, &batch.stream, &flags);
		err = batch.err;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

/**
 * viommu_queue_init() - prepare a queue
 * @queue: which. It fails all requests until it is started
 * @dev: for messages
 */
void viommu_queue_init(struct viommu_queue *queue, struct device *dev)
{
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->free);
	INIT_LIST_HEAD(&queue->inflight);
	queue->dev = dev;
	queue->timeout_ns = VIOMMU_TIMEOUT_NS;
	queue->dead = -ENODEV;
}

/**
 * viommu_queue_start() - begin to use a device
 * @queue: its queue, new or stopped
 * @vq: the virtqueue
 *
 * Return: 0 or an errno.
 */
int viommu_queue_start(struct viommu_queue *queue, struct virtqueue *vq)
{
	struct viommu_request *requests;
	unsigned long flags;
	unsigned int i, nr;

	nr = min(virtqueue_get_vring_size(vq) / VIOMMU_REQUEST_DESCS,
		 VIOMMU_MAX_REQUESTS);
	if (!nr)
		return -EINVAL;

	requests = alloc_pages_exact(nr * sizeof(*requests),
				     GFP_KERNEL | __GFP_ZERO);
	if (!requests)
		return -ENOMEM;

	spin_lock_irqsave(&queue->lock, flags);
	queue->vq = vq;
	queue->reaped = 0;
	queue->used_idx = virtio_has_feature(vq->vdev, VIRTIO_F_RING_PACKED) ?
			  NULL : &virtqueue_get_vring(vq)->used->idx;
	queue->requests = requests;
	queue->nr_requests = nr;
	INIT_LIST_HEAD(&queue->free);
	for (i = 0; i < nr; i++)
		list_add_tail(&requests[i].node, &queue->free);
	queue->dead = 0;
	spin_unlock_irqrestore(&queue->lock, flags);
	return 0;
}

/**
 * viommu_queue_give_up() - fail all requests, until the queue is started again
 * @queue: the queue
 * @why: for the log
 */
void viommu_queue_give_up(struct viommu_queue *queue, const char *why)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	viommu_queue_fail(queue, -EIO, why);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * viommu_queue_stop() - give the device up because it is about to be reset
 * @queue: its queue. When this returns, nobody uses the virtqueue
 */
void viommu_queue_stop(struct viommu_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	viommu_queue_fail(queue, -ENODEV, NULL);
	queue->dead = -ENODEV;
	while (queue->users) {
		spin_unlock_irqrestore(&queue->lock, flags);
		fsleep(1000);
		spin_lock_irqsave(&queue->lock, flags);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * viommu_queue_free_requests() - what viommu_queue_start() has taken
 * @queue: a stopped queue, if it was ever started. The device was reset, or has never
 *	seen it
 */
void viommu_queue_free_requests(struct viommu_queue *queue)
{
	if (!queue->requests)
		return;

	while (virtqueue_detach_unused_buf(queue->vq))
		;
	free_pages_exact(queue->requests,
			 queue->nr_requests * sizeof(*queue->requests));
	queue->requests = NULL;
	queue->nr_requests = 0;
}
