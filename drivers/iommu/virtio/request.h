/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the device.
 *
 * A queue has a fixed number of requests. One is taken with viommu_request_get(),
 * filled in, and submitted on a stream. Nothing is sent to the device until
 * someone waits in viommu_queue_sync(): one notification and one wait for all
 * that was submitted before. Whoever waits completes requests for everybody, by
 * calling the done() of their streams.
 *
 * A request completes exactly once: by the device, or with an error when the
 * device is given up. The device is given up until it is reset when its queue breaks,
 * when it does not answer in time, when it asks for the reset, or when it is
 * suspended or removed.
 */
#ifndef _VIOMMU_REQUEST_H
#define _VIOMMU_REQUEST_H

#include <linux/cache.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_iommu_tables.h>
#include <uapi/linux/virtio_iommu.h>
#include <uapi/linux/virtio_types.h>

struct viommu_mapping;
struct viommu_request;

/**
 * struct viommu_stream - the requests of one submitter
 * @inflight: submitted and not yet complete, oldest first; under
 *	viommu_queue.lock
 * @done: told of each completion, with viommu_queue.lock held. The errno is from the
 *	device's status or the queue's failure
 */
struct viommu_stream {
	struct list_head inflight;
	void (*done)(struct viommu_stream *stream, struct viommu_request *req,
		     int err);
};

/**
 * struct viommu_batch - a stream that remembers its first error
 * @stream: see there
 * @err: the error, or 0
 */
struct viommu_batch {
	struct viommu_stream stream;
	int err;
};

/* What the device reads must not share a cache line with anything else. */
#ifdef ARCH_DMA_MINALIGN
#define VIOMMU_DMA_ALIGN	MAX(ARCH_DMA_MINALIGN, SMP_CACHE_BYTES)
#else
#define VIOMMU_DMA_ALIGN	SMP_CACHE_BYTES
#endif

/**
 * struct viommu_request - one request
 * @node: in viommu_queue.free or viommu_stream.inflight
 * @queued: in viommu_queue.inflight
 * @stream: who is told, NULL while it is not submitted
 * @serial: counts submissions
 * @mapping: for the submitter of a MAP; of an UNMAP, the first mapping that goes
 * @last: for the submitter of an UNMAP, the last address
 * @out_len: bytes of @out that the device reads
 * @in: what the device writes, @in_len bytes that end in a tail
 * @in_len: see @in
 * @out: what the device reads
 * @tail: what the device writes, unless @in is elsewhere
 */
struct viommu_request {
	struct list_head node;
	struct list_head queued;
	struct viommu_stream *stream;
	u64 serial;
	struct viommu_mapping *mapping;
	u64 last;
	size_t out_len;
	void *in;
	size_t in_len;

	union {
		struct virtio_iommu_req_head head;
		struct virtio_iommu_req_attach attach;
		struct virtio_iommu_req_detach detach;
		struct virtio_iommu_req_map map;
		struct virtio_iommu_req_unmap unmap;
		struct virtio_iommu_req_probe probe;
		struct virtio_iommu_req_attach_pgt_x86_64 attach_table;
		struct virtio_iommu_req_attach_pasid_table attach_pasids;
		struct virtio_iommu_req_attach_pst_arm attach_cd;
		struct virtio_iommu_req_invalidate invalidate;
	} out __aligned(VIOMMU_DMA_ALIGN);
	struct virtio_iommu_req_tail tail __aligned(VIOMMU_DMA_ALIGN);
};

/**
 * struct viommu_invalidation - what the device shall forget of a table
 * @domain: the domain's number
 * @pasid: the PASID that has the table, or IOMMU_PASID_INVALID if the domain has it
 * @asid: of the table in Arm's format, or 0
 * @start: the first address
 * @last: the last address; with 0 and U64_MAX, all of the table
 * @leaf: only entries without a table below have changed
 */
struct viommu_invalidation {
	u32 domain;
	u32 pasid;
	u16 asid;
	u64 start;
	u64 last;
	bool leaf;
};

/**
 * struct viommu_queue - the request queue of an instance
 * @lock: of everything here, and of the mappings of all domains
 * @vq: valid while the device is not given up
 * @dev: for messages
 * @requests: all of them
 * @nr_requests: how many
 * @free: those that are neither taken nor in flight
 * @inflight: those that are, of all streams, oldest first
 * @serial: of the last submission
 * @used_idx: how many requests the device has returned, NULL in a packed ring
 * @reaped: how many of them were completed; both count modulo 65536
 * @users: how many notify the device or read @used_idx without the lock
 * @timeout_ns: how long someone waits for the device to complete the oldest request
 * @dead: why the device was given up, or 0; -ENODEV before it is started
 */
struct viommu_queue {
	spinlock_t lock;		/* see above */
	struct virtqueue *vq;
	struct device *dev;
	struct viommu_request *requests;
	unsigned int nr_requests;
	struct list_head free;
	struct list_head inflight;
	u64 serial;
	const __virtio16 *used_idx;
	u16 reaped;
	unsigned int users;
	s64 timeout_ns;
	int dead;
};

void viommu_queue_init(struct viommu_queue *queue, struct device *dev);
int viommu_queue_start(struct viommu_queue *queue, struct virtqueue *vq);
void viommu_queue_give_up(struct viommu_queue *queue, const char *why);
void viommu_queue_stop(struct viommu_queue *queue);
void viommu_queue_free_requests(struct viommu_queue *queue);

void viommu_stream_init(struct viommu_stream *stream,
			void (*done)(struct viommu_stream *stream,
				     struct viommu_request *req, int err));

struct viommu_request *viommu_request_get(struct viommu_queue *queue,
					  unsigned long *flags);
void viommu_request_put(struct viommu_queue *queue, struct viommu_request *req);
int viommu_request_submit(struct viommu_queue *queue,
			  struct viommu_stream *stream,
			  struct viommu_request *req);
void viommu_queue_sync(struct viommu_queue *queue, struct viommu_stream *stream);

void viommu_batch_init(struct viommu_batch *batch);
int viommu_request_send(struct viommu_queue *queue,
			struct viommu_request *message);

void viommu_encode_attach(struct viommu_request *req, u32 domain, u32 endpoint,
			  u32 flags);
void viommu_encode_detach(struct viommu_request *req, u32 domain, u32 endpoint);
void viommu_encode_map(struct viommu_request *req, u32 domain,
		       struct viommu_mapping *mapping);
void viommu_encode_unmap(struct viommu_request *req, u32 domain,
			 struct viommu_mapping *first, u64 start, u64 last);
void viommu_encode_probe(struct viommu_request *req, u32 endpoint, void *in,
			 size_t in_len);
void viommu_encode_attach_table(struct viommu_request *req, u32 domain,
				u32 endpoint, u64 root);
void viommu_encode_attach_cd(struct viommu_request *req, u32 domain,
			     u32 endpoint, u64 cd);
void viommu_encode_attach_pasids(struct viommu_request *req, u32 domain,
				 u32 endpoint, u64 table, u8 bits);
void viommu_encode_invalidate(struct viommu_request *req,
			      const struct viommu_invalidation *inv);
void viommu_encode_invalidate_pasid(struct viommu_request *req, u32 domain,
				    u32 pasid);
int viommu_status_to_errno(u8 status);

#endif /* _VIOMMU_REQUEST_H */
