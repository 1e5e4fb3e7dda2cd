// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving endpoints between domains.
 *
 * One ATTACH for each id takes an endpoint from where it is to where it shall be,
 * unless the id is there: a device may take that as a reason to forget the mappings.
 * An endpoint that should reach nothing is moved to a domain without mappings: on its
 * own, outside any domain, the device may let it bypass translation.
 *
 * A move that fails leaves the endpoint blocked. The core then puts it back where
 * it was, if it was anywhere.
 */
#include <linux/io.h>

#include "pasid.h"
#include "table.h"
#include "table_arm.h"
#include "viommu.h"

/* Ids on their way */
struct viommu_move {
	struct viommu_stream stream;
	struct viommu_dev *viommu;
};

/* All requests that move one have it in the same place. */
static_assert(offsetof(struct virtio_iommu_req_attach, endpoint) ==
	      offsetof(struct virtio_iommu_req_detach, endpoint));
static_assert(offsetof(struct virtio_iommu_req_attach, endpoint) ==
	      offsetof(struct virtio_iommu_req_attach_pgt_x86_64, endpoint));
static_assert(offsetof(struct virtio_iommu_req_attach, endpoint) ==
	      offsetof(struct virtio_iommu_req_attach_pasid_table, endpoint));
static_assert(offsetof(struct virtio_iommu_req_attach, endpoint) ==
	      offsetof(struct virtio_iommu_req_attach_pst_arm, endpoint));

static void viommu_move_done(struct viommu_stream *stream,
			     struct viommu_request *req, int err)
{
	struct viommu_move *move = container_of(stream, struct viommu_move,
						stream);
	struct viommu_id *id;

	id = xa_load(&move->viommu->ids,
		     le32_to_cpu(req->out.attach.endpoint));
	id->err = err;
}

static void viommu_move_init(struct viommu_move *move, struct viommu_dev *viommu)
{
	viommu_stream_init(&move->stream, viommu_move_done);
	move->viommu = viommu;
}

static void viommu_encode_move(struct viommu_request *req, struct viommu_id *id,
			       struct viommu_domain *to)
{
	if (!to)
		viommu_encode_detach(req, id->domain->id, id->nr);
	else if (to->table)
		viommu_encode_attach_table(req, to->id, id->nr,
					   virt_to_phys(to->table->root));
	else if (to->arm)
		viommu_encode_attach_cd(req, to->id, id->nr,
					virt_to_phys(to->arm->cd));
	else if (to->pasids)
		viommu_encode_attach_pasids(req, to->id, id->nr,
					    virt_to_phys(to->pasids->entries),
					    to->pasids->bits);
	else
		viommu_encode_attach(req, to->id, id->nr, to->bypass ?
				     VIRTIO_IOMMU_ATTACH_F_BYPASS : 0);
}

/* The device is asked to move an id: it may do so long before we know. */
static void viommu_begin_leaving(struct viommu_id *id)
{
	id->leaving = true;
	id->domain->nr_leaving++;
}

static void viommu_end_leaving(struct viommu_dev *viommu, struct viommu_id *id,
			       struct viommu_domain *from)
{
	unsigned long flags;

	if (!id->leaving)
		return;

	id->leaving = false;
	spin_lock_irqsave(&viommu->queue.lock, flags);
	from->nr_leaving--;
	spin_unlock_irqrestore(&viommu->queue.lock, flags);
}

/* Ask for an id to be in a domain, or in none. id->err will be what comes of it. */
static void viommu_submit_move(struct viommu_move *move, struct viommu_id *id,
			       struct viommu_domain *to)
{
	struct viommu_queue *queue = &move->viommu->queue;
	struct viommu_request *req;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	req = viommu_request_get(queue, &flags);
	if (IS_ERR(req)) {
		id->err = PTR_ERR(req);
	} else {
		/* From here on the device may know what is in the table. */
		if (to && (to->table || to->arm))
			WRITE_ONCE(to->table_used, true);
		if (id->domain && id->domain != to)
			viommu_begin_leaving(id);
		viommu_encode_move(req, id, to);
		id->err = viommu_request_submit(queue, &move->stream, req);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* Have the device move those that are somewhere else. */
static void viommu_send_moves(struct viommu_dev *viommu, struct viommu_id **ids,
			      unsigned int nr, struct viommu_domain *to)
{
	struct viommu_move move;
	unsigned int i;

	viommu_move_init(&move, viommu);
	for (i = 0; i < nr; i++) {
		ids[i]->err = 0;
		if (ids[i]->domain != to && !viommu->frozen)
			viommu_submit_move(&move, ids[i], to);
	}
	viommu_queue_sync(&viommu->queue, &move.stream);
}

static void viommu_set_domain(struct viommu_dev *viommu, struct viommu_id *id,
			      struct viommu_domain *vdomain)
{
	lockdep_assert_held(&viommu->attach_lock);

	xa_lock_irq(&viommu->ids);
	id->domain = vdomain;
	xa_unlock_irq(&viommu->ids);
	id->blocked = false;
}

/* Note that the device has moved an id. The errno is of the mappings there. */
static int viommu_id_moved(struct viommu_dev *viommu, struct viommu_id *id,
			   struct viommu_domain *to)
{
	struct viommu_domain *from = id->domain;

	if (from == to)
		return 0;

	viommu_set_domain(viommu, id, to);
	if (viommu->frozen)
		return 0;

	if (from) {
		viommu_domain_leave(from);
		viommu_end_leaving(viommu, id, from);
	}
	return to ? viommu_domain_enter(to) : 0;
}

/**
 * viommu_move_ids() - move ids of an endpoint to another domain
 * @viommu: the instance
 * @ids: the ids. An endpoint may have ids that the device does not know, such as those
 *	that a PCI bridge could replace its own with, but not only such
 * @nr: how many
 * @to: the domain
 *
 * Return: 0, or an errno: some are there then, and the others still count as where
 * they were.
 */
int viommu_move_ids(struct viommu_dev *viommu, struct viommu_id **ids,
		    unsigned int nr, struct viommu_domain *to)
{
	bool known = false;
	unsigned int i;
	int err = 0;

	viommu_send_moves(viommu, ids, nr, to);
	for (i = 0; i < nr; i++) {
		int id_err = ids[i]->err;

		if (id_err == -ENOENT) {
			viommu_id_moved(viommu, ids[i], NULL);
			continue;
		}
		known = true;
		if (!id_err)
			id_err = viommu_id_moved(viommu, ids[i], to);
		else
			viommu_end_leaving(viommu, ids[i], ids[i]->domain);
		if (!err)
			err = id_err;
	}
	return known ? err : -ENOENT;
}

/* Take ids out of their domains. One that cannot be taken out is still there. */
static int viommu_detach_ids(struct viommu_dev *viommu, struct viommu_id **ids,
			     unsigned int nr)
{
	unsigned int i;
	int err = 0;

	viommu_send_moves(viommu, ids, nr, NULL);
	for (i = 0; i < nr; i++) {
		if (ids[i]->err && ids[i]->err != -ENOENT) {
			err = ids[i]->err;
			viommu_end_leaving(viommu, ids[i], ids[i]->domain);
			continue;
		}
		viommu_id_moved(viommu, ids[i], NULL);
		ids[i]->blocked = true;
	}
	return err;
}

static int viommu_block_ids(struct viommu_dev *viommu, struct viommu_id **ids,
			    unsigned int nr)
{
	int err = 0;

	lockdep_assert_held(&viommu->attach_lock);

	if (!viommu->blocking.viommu)
		err = viommu_domain_bind(&viommu->blocking, viommu);
	if (!err)
		err = viommu_move_ids(viommu, ids, nr, &viommu->blocking);

	/* What does not exist reaches nothing. */
	if (err == -ENOENT)
		return 0;
	/* The device may be out of domains, or refuse to share this one. */
	if (err && !viommu->bypass)
		err = viommu_detach_ids(viommu, ids, nr);
	return err;
}

/**
 * viommu_block_endpoint() - have an endpoint reach nothing
 * @ep: the endpoint. Its PASIDs that have a domain go on
 *
 * Return: 0 or an errno; then nobody knows what it can reach.
 */
int viommu_block_endpoint(struct viommu_endpoint *ep)
{
	int err;

	if (ep->pasids && !viommu_pasids_enter(ep, NULL) &&
	    viommu_pasids_busy(ep))
		return 0;
	err = viommu_block_ids(ep->viommu, ep->ids, ep->nr_ids);
	if (err && err != -ENODEV)
		dev_err(ep->dev, "cannot be blocked (%d)\n", err);
	return err;
}

/**
 * viommu_move_endpoint() - move an endpoint to another domain
 * @ep: the endpoint
 * @to: the domain
 *
 * Return: 0, or an errno; then the endpoint is blocked, or where it was. -EINVAL means
 * that it and the domain do not go together, -EBUSY that its PASIDs are in the way.
 */
int viommu_move_endpoint(struct viommu_endpoint *ep, struct viommu_domain *to)
{
	int err;

	lockdep_assert_held(&ep->viommu->attach_lock);

	if (ep->pasids && to->table)
		return viommu_pasids_enter(ep, to);
	if (viommu_pasids_busy(ep))
		return -EBUSY;

	err = viommu_move_ids(ep->viommu, ep->ids, ep->nr_ids, to);
	if (!err && ep->pasids)
		viommu_pasids_enter(ep, NULL);
	if (!err)
		return 0;

	dev_dbg(ep->dev, "cannot be moved to domain %u (%d)\n", to->id, err);
	viommu_block_endpoint(ep);
	return err == -EOPNOTSUPP ? -EINVAL : err;
}

/**
 * viommu_release_endpoint() - have the ids that only one endpoint has reach nothing
 * @ep: the endpoint. Those that it shares stay where they are, for the others
 */
void viommu_release_endpoint(struct viommu_endpoint *ep)
{
	struct viommu_dev *viommu = ep->viommu;
	unsigned int i;

	lockdep_assert_held(&viommu->attach_lock);

	for (i = 0; i < ep->nr_ids; i++) {
		struct viommu_id *id = ep->ids[i];
		int err;

		if (id->users > 1 && !ep->pasids)
			continue;
		if (viommu->bypass)
			err = viommu_block_ids(viommu, &id, 1);
		else
			err = viommu_detach_ids(viommu, &id, 1);
		/* A device that is reset has nobody in any domain. */
		if (err && err != -ENODEV && id->domain)
			id->domain->stuck = true;
		viommu_id_moved(viommu, id, NULL);
	}
	viommu_pasids_destroy(ep);
}

/**
 * viommu_block_strays() - block again what was blocked by being in no domain
 * @viommu: the instance, which now bypasses translation there
 */
void viommu_block_strays(struct viommu_dev *viommu)
{
	struct viommu_id *id;
	unsigned long nr;

	lockdep_assert_held(&viommu->attach_lock);

	xa_for_each(&viommu->ids, nr, id)
		if (id->blocked && viommu_block_ids(viommu, &id, 1))
			dev_err_ratelimited(id->dev ?: viommu->dev,
					    "endpoint 0x%x can reach all memory\n",
					    id->nr);
}

/**
 * viommu_withdraw_ids() - stop using the device because it is about to be reset
 * @viommu: the instance, frozen from here on. Its ids remain noted where they are
 *
 * The device has done all MAPs and UNMAPs when this returns, or was given up.
 */
void viommu_withdraw_ids(struct viommu_dev *viommu)
{
	struct viommu_id *id;
	unsigned long nr;

	lockdep_assert_held(&viommu->attach_lock);

	WRITE_ONCE(viommu->frozen, true);
	xa_for_each(&viommu->ids, nr, id)
		if (id->domain)
			viommu_domain_leave(id->domain);
	xa_for_each(&viommu->ids, nr, id)
		if (id->domain)
			viommu_queue_sync(&viommu->queue, &id->domain->requests);
}

static void viommu_return_id(struct viommu_dev *viommu, struct viommu_id *id)
{
	int err = id->err;

	if (err)
		viommu_set_domain(viommu, id, NULL);
	else
		err = viommu_domain_enter(id->domain);
	if (!err)
		return;

	dev_err(id->dev ?: viommu->dev,
		"endpoint 0x%x has lost its mappings (%d)\n", id->nr, err);
	viommu_block_ids(viommu, &id, 1);
}

/**
 * viommu_return_ids() - give the device all endpoints and mappings after a reset
 * @viommu: the instance, no longer frozen. An endpoint that the device refuses is
 *	blocked
 */
void viommu_return_ids(struct viommu_dev *viommu)
{
	struct viommu_move move;
	struct viommu_id *id;
	unsigned long nr;

	lockdep_assert_held(&viommu->attach_lock);

	WRITE_ONCE(viommu->frozen, false);
	viommu_move_init(&move, viommu);
	xa_for_each(&viommu->ids, nr, id)
		if (id->domain)
			viommu_submit_move(&move, id, id->domain);
	viommu_queue_sync(&viommu->queue, &move.stream);

	xa_for_each(&viommu->ids, nr, id)
		if (id->domain)
			viommu_return_id(viommu, id);
}

/**
 * viommu_forget_domain() - nobody has to know a domain any more
 * @vdomain: the domain. No id is in it, unless the device did not let go of one
 */
void viommu_forget_domain(struct viommu_domain *vdomain)
{
	struct viommu_dev *viommu = vdomain->viommu;
	struct viommu_id *id;
	unsigned long nr;

	mutex_lock(&viommu->attach_lock);
	xa_for_each(&viommu->ids, nr, id) {
		if (id->domain != vdomain)
			continue;
		dev_warn_ratelimited(id->dev ?: viommu->dev,
				     "endpoint 0x%x is left in domain %u\n",
				     id->nr, vdomain->id);
		viommu_id_moved(viommu, id, NULL);
		vdomain->stuck = true;
	}
	mutex_unlock(&viommu->attach_lock);
}
