// SPDX-License-Identifier: GPL-2.0-only
/*
 * The request queue: buffers in, requests decoded, statuses out.
 *
 * A buffer in which no status can be found, or whose type is unknown, goes back
 * with a used length of 0 (virtio 1.4, "Device operations"). Requests are handled in
 * batches: used entries are published once, after the IOTLB was flushed for all the
 * UNMAPs among them and before the lock of stage 2 is dropped, or later, when the
 * VMM has acknowledged what it had to forget (invalidation.c).
 */
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/virtio_iommu_tables.h>

#include "domain.h"
#include "endpoint.h"
#include "stage2.h"
#include "table_request.h"
#include "trace.h"
#include "vhost_iommu.h"

/* How many requests until others get a chance: stop, ioctls, the scheduler. */
#define REQUEST_BATCH	VHOST_IOMMU_VRING_BATCH

enum batch_lock { BATCH_UNLOCKED, BATCH_READ, BATCH_WRITE };

/**
 * struct batch - requests that are published together
 * @vi: the instance
 * @vr: its request queue
 * @types: a bit for each type of request that the guest may send and whose writable
 *	part is a tail only
 * @lock: how s2.lock is held; also set if there is no stage 2
 * @full: no further request: one of them may have taken as long as a batch
 */
struct batch {
	struct vhost_iommu		*vi;
	struct vhost_iommu_vring	*vr;
	unsigned long			types;
	enum batch_lock			lock;
	bool				full;
};

/* The device-readable part of any request. */
union request {
	struct virtio_iommu_req_head	head;
	struct virtio_iommu_req_attach	attach;
	struct virtio_iommu_req_detach	detach;
	struct virtio_iommu_req_map	map;
	struct virtio_iommu_req_unmap	unmap;
	struct virtio_iommu_req_probe	probe;
	union vhost_iommu_attach_table	attach_table;
	struct virtio_iommu_req_invalidate	invalidate;
};

/**
 * vhost_iommu_publish_requests() - let the guest see which requests are done
 * @vi: the instance, locked and running
 *
 * Context: in the VMM's address space.
 */
void vhost_iommu_publish_requests(struct vhost_iommu *vi)
{
	if (vhost_iommu_vring_publish(&vi->vqs[VHOST_IOMMU_VQ_REQUEST]))
		vi->stats.signals++;
}

/**
 * vhost_iommu_complete_requests() - the same, once the VMM has let go
 * @vi: the instance, locked and running
 *
 * Return: false if there are invalidations that the VMM did not acknowledge. It
 * wakes the worker when it has.
 */
bool vhost_iommu_complete_requests(struct vhost_iommu *vi)
{
	if (!vhost_iommu_invalidated(vi))
		return false;
	vhost_iommu_publish_requests(vi);
	return true;
}

static void batch_end(struct batch *b)
{
	struct vhost_iommu_s2 *s2 = b->vi->s2;

	vhost_iommu_flush(b->vi);
	if (!vhost_iommu_complete_requests(b->vi))
		vhost_iommu_vring_settle(b->vr);

	if (s2 && b->lock == BATCH_READ)
		up_read(&s2->lock);
	else if (s2 && b->lock == BATCH_WRITE)
		up_write(&s2->lock);
	b->lock = BATCH_UNLOCKED;
}

/* Hold the lock of stage 2 for @lock, which ends the batch if it was another. */
static void batch_lock(struct batch *b, enum batch_lock lock)
{
	struct vhost_iommu_s2 *s2 = b->vi->s2;

	if (b->lock == lock)
		return;
	if (b->lock != BATCH_UNLOCKED)
		batch_end(b);
	if (s2 && lock == BATCH_READ)
		down_read(&s2->lock);
	else if (s2)
		down_write(&s2->lock);
	b->lock = lock;
}

static u8 do_attach(struct batch *b, const union request *req)
{
	static const u8 zero[sizeof(req->attach.reserved)];

	b->vi->stats.attach++;
	trace_vhost_iommu_attach(b->vi, le32_to_cpu(req->attach.domain),
				 le32_to_cpu(req->attach.endpoint),
				 le32_to_cpu(req->attach.flags));
	if (memcmp(req->attach.reserved, zero, sizeof(zero)))
		return VIRTIO_IOMMU_S_INVAL;
	batch_lock(b, BATCH_WRITE);
	return vhost_iommu_attach(b->vi, le32_to_cpu(req->attach.domain),
				  le32_to_cpu(req->attach.endpoint),
				  le32_to_cpu(req->attach.flags));
}

static u8 do_detach(struct batch *b, const union request *req)
{
	b->vi->stats.detach++;
	trace_vhost_iommu_detach(b->vi, le32_to_cpu(req->detach.domain),
				 le32_to_cpu(req->detach.endpoint));
	batch_lock(b, BATCH_WRITE);
	return vhost_iommu_detach(b->vi, le32_to_cpu(req->detach.domain),
				  le32_to_cpu(req->detach.endpoint));
}

static u8 do_map(struct batch *b, const union request *req)
{
	u32 domain = le32_to_cpu(req->map.domain);
	u64 start = le64_to_cpu(req->map.virt_start);
	u64 last = le64_to_cpu(req->map.virt_end);
	u64 gpa = le64_to_cpu(req->map.phys_start);
	u32 flags = le32_to_cpu(req->map.flags);

	b->vi->stats.map++;
	trace_vhost_iommu_map(b->vi, domain, start, last, gpa, flags);
	batch_lock(b, BATCH_READ);
	return vhost_iommu_map(b->vi, domain, start, last, gpa, flags);
}

static u8 do_unmap(struct batch *b, const union request *req)
{
	static const u8 zero[sizeof(req->unmap.reserved)];
	u32 domain = le32_to_cpu(req->unmap.domain);
	u64 start = le64_to_cpu(req->unmap.virt_start);
	u64 last = le64_to_cpu(req->unmap.virt_end);

	b->vi->stats.unmap++;
	trace_vhost_iommu_unmap(b->vi, domain, start, last);
	if (memcmp(req->unmap.reserved, zero, sizeof(zero)))
		return VIRTIO_IOMMU_S_INVAL;
	batch_lock(b, BATCH_READ);
	return vhost_iommu_unmap(b->vi, domain, start, last);
}

static u8 do_attach_table(struct batch *b, const union request *req)
{
	b->vi->stats.attach_table++;
	trace_vhost_iommu_attach_table(b->vi,
				       le32_to_cpu(req->attach_table.any.domain),
				       le32_to_cpu(req->attach_table.any.endpoint),
				       le16_to_cpu(req->attach_table.any.format),
				       le64_to_cpu(req->attach_table.x86_64.pgd));
	batch_lock(b, BATCH_WRITE);
	b->full = true;
	return vhost_iommu_attach_table(b->vi, &req->attach_table);
}

static u8 do_invalidate(struct batch *b, const union request *req)
{
	b->vi->stats.invalidate++;
	trace_vhost_iommu_invalidate_table(b->vi,
					   le32_to_cpu(req->invalidate.domain),
					   le16_to_cpu(req->invalidate.inv_gran),
					   le16_to_cpu(req->invalidate.flags),
					   le64_to_cpu(req->invalidate.virt_start),
					   le64_to_cpu(req->invalidate.nr_pages),
					   req->invalidate.granule);
	batch_lock(b, vhost_iommu_invalidates_pasids(&req->invalidate) ?
		      BATCH_WRITE : BATCH_READ);
	return vhost_iommu_invalidate_table(b->vi, &req->invalidate, &b->full);
}

/**
 * struct request_type - a request whose writable part is a tail only
 * @size: of the device-readable part
 * @feature: the feature bit it needs, or 0
 * @handle: does it
 */
struct request_type {
	size_t	size;
	u64	feature;
	u8	(*handle)(struct batch *b, const union request *req);
};

#define REQUEST(type, feat, fn)						\
	{ .size = offsetof(struct virtio_iommu_req_##type, tail),	\
	  .feature = feat, .handle = fn }

static const struct request_type request_types[] = {
	[VIRTIO_IOMMU_T_ATTACH] = REQUEST(attach, 0, do_attach),
	[VIRTIO_IOMMU_T_DETACH] = REQUEST(detach, 0, do_detach),
	[VIRTIO_IOMMU_T_MAP] =
		REQUEST(map, BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP), do_map),
	[VIRTIO_IOMMU_T_UNMAP] =
		REQUEST(unmap, BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP), do_unmap),
	[VIRTIO_IOMMU_T_ATTACH_TABLE] =
		REQUEST(attach_table, BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE),
			do_attach_table),
	[VIRTIO_IOMMU_T_INVALIDATE] =
		REQUEST(invalidate, BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE),
			do_invalidate),
};

static const struct request_type *find_type(struct vhost_iommu *vi, u8 type)
{
	const struct request_type *t;

	if (type >= ARRAY_SIZE(request_types))
		return NULL;
	t = &request_types[array_index_nospec(type,
					      ARRAY_SIZE(request_types))];
	if (!t->handle || (t->feature & ~vi->features))
		return NULL;
	return t;
}

static unsigned long known_types(struct vhost_iommu *vi)
{
	unsigned long types = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(request_types); i++)
		if (find_type(vi, i))
			types |= BIT(i);
	return types;
}

static int write_tail(struct batch *b, const struct vhost_iommu_chain *chain,
		      u64 offset, u8 status)
{
	struct virtio_iommu_req_tail tail = { .status = status };

	return vhost_iommu_vring_write(b->vr, b->vi->mem, chain, offset, &tail,
				       sizeof(tail));
}

/* Give a buffer back; one that is no request has a @len of 0. */
static int push(struct batch *b, const struct vhost_iommu_chain *chain, u32 len)
{
	if (!len) {
		b->vi->stats.malformed++;
		trace_vhost_iommu_malformed(b->vi, chain->out_len, chain->in_len);
	}
	return vhost_iommu_vring_push(b->vr, chain->head, len);
}

/* @tail: where a status has been written already, or NULL. */
static int handle_simple(struct batch *b, const struct vhost_iommu_chain *chain,
			 const union request *req, u8 __user *tail)
{
	const struct request_type *type = find_type(b->vi, req->head.type);
	u32 len = sizeof(struct virtio_iommu_req_tail);
	u8 status = VIRTIO_IOMMU_S_INVAL;

	if (!type || (!tail && write_tail(b, chain, 0, VIRTIO_IOMMU_S_DEVERR)))
		return push(b, chain, 0);
	if (chain->out_len >= type->size)
		status = type->handle(b, req);
	if (status)
		b->vi->stats.failed++;
	trace_vhost_iommu_request(b->vi, req->head.type, status);
	if (tail)
		return vhost_iommu_vring_push_status(b->vr, chain->head, len,
						     tail, status);
	return push(b, chain, write_tail(b, chain, 0, status) ? 0 : len);
}

/* Fill @buf with the properties of an endpoint and return the status. */
static u8 probe(struct vhost_iommu *vi, const struct vhost_iommu_chain *chain,
		const union request *req, void *buf)
{
	struct vhost_iommu_ep *ep;

	if (chain->out_len < sizeof(req->probe))
		return VIRTIO_IOMMU_S_INVAL;
	ep = xa_load(&vi->endpoints, le32_to_cpu(req->probe.endpoint));
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	vhost_iommu_regions_encode(&ep->resv, buf);
	vhost_iommu_tables_encode(ep, buf + vhost_iommu_regions_size(&ep->resv));
	return VIRTIO_IOMMU_S_OK;
}

static void probe_done(struct batch *b, u8 status)
{
	if (status)
		b->vi->stats.failed++;
	trace_vhost_iommu_request(b->vi, VIRTIO_IOMMU_T_PROBE, status);
}

/* No property can be written: only the tail, at @offset. Return: bytes written. */
static u32 refuse_probe(struct batch *b, const struct vhost_iommu_chain *chain,
			u32 offset, u8 status)
{
	probe_done(b, status);
	if (write_tail(b, chain, offset, status))
		return 0;
	return offset + sizeof(struct virtio_iommu_req_tail);
}

/* Return: bytes written, 0 if the buffer is no request. */
static u32 handle_probe(struct batch *b, const struct vhost_iommu_chain *chain,
			const union request *req)
{
	u32 size = b->vi->config.probe_size;
	u32 len = size + sizeof(struct virtio_iommu_req_tail);
	struct virtio_iommu_req_tail *tail;
	void *buf;

	if (!size || !(b->vi->features & BIT_ULL(VIRTIO_IOMMU_F_PROBE)))
		return 0;
	b->vi->stats.probe++;
	trace_vhost_iommu_probe(b->vi, le32_to_cpu(req->probe.endpoint));
	if (chain->in_len < len)
		return refuse_probe(b, chain, chain->in_len - sizeof(*tail),
				    VIRTIO_IOMMU_S_INVAL);

	buf = kzalloc(len, GFP_KERNEL);
	if (!buf)
		return refuse_probe(b, chain, size, VIRTIO_IOMMU_S_NOMEM);
	tail = buf + size;
	tail->status = probe(b->vi, chain, req, buf);
	probe_done(b, tail->status);
	if (vhost_iommu_vring_write(b->vr, b->vi->mem, chain, 0, buf, len))
		len = 0;
	kfree(buf);
	return len;
}

static int handle_one(struct batch *b, const struct vhost_iommu_chain *chain)
{
	const struct virtio_iommu_req_tail not_done = {
		.status = VIRTIO_IOMMU_S_DEVERR,
	};
	size_t len = min(chain->out_len, sizeof(union request));
	union request req = {};
	u8 __user *tail;
	u32 word;

	if (chain->out_len < sizeof(req.head) ||
	    chain->in_len < sizeof(not_done))
		return push(b, chain, 0);

	/* A status that cannot be told is found out before anything is done. */
	static_assert(sizeof(word) == sizeof(not_done));
	memcpy(&word, &not_done, sizeof(word));
	tail = vhost_iommu_vring_read_request(b->vr, b->vi->mem, chain, &req, len,
					      b->types, word);
	if (!tail &&
	    vhost_iommu_vring_read(b->vr, b->vi->mem, chain, &req, len))
		return push(b, chain, 0);
	if (req.head.type == VIRTIO_IOMMU_T_PROBE)
		return push(b, chain, handle_probe(b, chain, &req));
	return handle_simple(b, chain, &req, tail);
}

/**
 * vhost_iommu_handle_requests() - handle a batch of requests
 * @vi: the instance, locked and running
 *
 * The guest need not notify afterwards: vhost_iommu_vring_enable_kick() comes before
 * the worker sleeps.
 *
 * Context: in the VMM's address space.
 * Return: how many there were, or a negative errno if the ring is broken.
 */
int vhost_iommu_handle_requests(struct vhost_iommu *vi)
{
	struct vhost_iommu_vring *vr = &vi->vqs[VHOST_IOMMU_VQ_REQUEST];
	struct batch b = { .vi = vi, .vr = vr, .types = known_types(vi) };
	struct vhost_iommu_chain chain;
	unsigned int n;
	int ret = 0;

	lockdep_assert_held(&vi->lock);

	vhost_iommu_vring_disable_kick(vr);
	for (n = 0; n < REQUEST_BATCH && !b.full; n++) {
		ret = vhost_iommu_vring_pop(vr, vi->mem, &chain);
		if (ret <= 0)
			break;
		ret = handle_one(&b, &chain);
		if (ret)
			break;
		cond_resched();
	}
	batch_end(&b);

	if (ret < 0) {
		trace_vhost_iommu_broken(vi, VHOST_IOMMU_VQ_REQUEST, ret);
		return ret;
	}
	return n;
}
