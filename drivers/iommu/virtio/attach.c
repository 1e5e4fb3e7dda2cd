// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving endpoints between domains.
 *
 * One ATTACH takes an endpoint from where it is to where it shall be. An endpoint
 * that should reach nothing is moved to a domain without mappings: on its own,
 * outside any domain, the device may let it bypass translation.
 *
 * A move that fails leaves the endpoint blocked. The core then puts it back where
 * it was, if it was anywhere.
 */
#include <linux/io.h>
#include <linux/virtio_config.h>

#include "table.h"
#include "viommu.h"

static void viommu_set_domain(struct viommu_endpoint *ep,
			      struct viommu_domain *vdomain)
{
	unsigned long flags;

	lockdep_assert_held(&ep->viommu->attach_lock);

	xa_lock_irqsave(&ep->viommu->endpoints, flags);
	ep->domain = vdomain;
	xa_unlock_irqrestore(&ep->viommu->endpoints, flags);
}

static void viommu_encode_move(struct viommu_request *req,
			       struct viommu_domain *vdomain, u32 id, bool attach)
{
	u32 flags = vdomain->bypass ? VIRTIO_IOMMU_ATTACH_F_BYPASS : 0;

	if (!attach)
		viommu_encode_detach(req, vdomain->id, id);
	else if (vdomain->table)
		viommu_encode_attach_table(req, vdomain->id, id,
					   virt_to_phys(vdomain->table->root));
	else
		viommu_encode_attach(req, vdomain->id, id, flags);
}

/*
 * Attach all ids of an endpoint to a domain, or detach them from it. Behind a PCI
 * bridge that puts its own id on what it passes on, the device may know nothing but
 * that id.
 */
static int viommu_send_each_id(struct viommu_endpoint *ep,
			       struct viommu_domain *vdomain, bool attach)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(ep->dev);
	struct viommu_queue *queue = &ep->viommu->queue;
	struct viommu_batch batch;
	struct viommu_request *req;
	unsigned long flags;
	int i, wait_err, err = 0;

	viommu_batch_init(&batch);

	spin_lock_irqsave(&queue->lock, flags);
	for (i = 0; i < fwspec->num_ids && !err; i++) {
		req = viommu_request_get(queue, &flags);
		if (IS_ERR(req)) {
			err = PTR_ERR(req);
			break;
		}
		viommu_encode_move(req, vdomain, fwspec->ids[i], attach);
		err = viommu_request_submit(queue, &batch.stream, req);
	}
	spin_unlock_irqrestore(&queue->lock, flags);

	wait_err = viommu_batch_wait(queue, &batch);
	if (wait_err == -ENOENT && batch.nr_done)
		wait_err = 0;
	return err ?: wait_err;
}

/* On failure the endpoint may be half way, and still counts as where it was. */
static int viommu_try_move(struct viommu_endpoint *ep, struct viommu_domain *to)
{
	struct viommu_domain *from = ep->domain;
	int err;

	if (from == to)
		return 0;

	err = viommu_send_each_id(ep, to, true);
	if (err)
		return err;

	viommu_set_domain(ep, to);
	if (from)
		viommu_domain_leave(from);
	return viommu_domain_enter(to);
}

/* Whether the device lets endpoints through that are in no domain. */
static bool viommu_bypasses(struct viommu_dev *viommu)
{
	u8 bypass = 0;

	if (viommu->bypass_config)
		virtio_cread_le(viommu->vdev, struct virtio_iommu_config,
				bypass, &bypass);
	return bypass;
}

/**
 * viommu_forget_endpoint() - note that the device has an endpoint in no domain
 * @ep: the endpoint
 */
void viommu_forget_endpoint(struct viommu_endpoint *ep)
{
	struct viommu_domain *from = ep->domain;

	viommu_set_domain(ep, NULL);
	if (from)
		viommu_domain_leave(from);
}

/**
 * viommu_detach_endpoint() - take an endpoint out of its domain
 * @ep: the endpoint
 *
 * Return: 0 or an errno; then it is still there.
 */
int viommu_detach_endpoint(struct viommu_endpoint *ep)
{
	struct viommu_domain *from = ep->domain;
	int err;

	lockdep_assert_held(&ep->viommu->attach_lock);

	if (!from)
		return 0;

	err = viommu_send_each_id(ep, from, false);
	if (!err)
		viommu_forget_endpoint(ep);
	return err;
}

/**
 * viommu_block_endpoint() - have an endpoint reach nothing
 * @ep: the endpoint
 *
 * Return: 0 or an errno; then nobody knows what it can reach.
 */
int viommu_block_endpoint(struct viommu_endpoint *ep)
{
	struct viommu_dev *viommu = ep->viommu;
	int err = 0;

	lockdep_assert_held(&viommu->attach_lock);

	if (!viommu->blocking.viommu)
		err = viommu_domain_bind(&viommu->blocking, viommu);
	if (!err)
		err = viommu_try_move(ep, &viommu->blocking);

	/* The device may be out of domains, or refuse to share this one. */
	if (err && !viommu_bypasses(viommu))
		err = viommu_detach_endpoint(ep);
	if (err && err != -ENODEV)
		dev_err(ep->dev, "cannot be blocked (%d)\n", err);
	return err;
}

/**
 * viommu_move_endpoint() - move an endpoint to another domain
 * @ep: the endpoint
 * @to: the domain
 *
 * Return: 0, or an errno; then the endpoint is blocked. -EINVAL means that it
 * and the domain do not go together.
 */
int viommu_move_endpoint(struct viommu_endpoint *ep, struct viommu_domain *to)
{
	int err;

	lockdep_assert_held(&ep->viommu->attach_lock);

	err = viommu_try_move(ep, to);
	if (!err)
		return 0;

	dev_dbg(ep->dev, "cannot be moved to domain %u (%d)\n", to->id, err);
	viommu_block_endpoint(ep);
	return err == -EOPNOTSUPP ? -EINVAL : err;
}
