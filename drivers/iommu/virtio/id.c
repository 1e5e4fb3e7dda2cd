// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoint ids, from the first endpoint that has one to the last.
 */
#include <linux/slab.h>

#include "viommu.h"

static struct viommu_id *viommu_get_id(struct viommu_endpoint *ep, u32 nr)
{
	struct xarray *ids = &ep->viommu->ids;
	struct viommu_id *id;
	int err;

	id = xa_load(ids, nr);
	if (!id) {
		id = kzalloc(sizeof(*id), GFP_KERNEL);
		if (!id)
			return ERR_PTR(-ENOMEM);

		id->nr = nr;
		id->dev = ep->dev;
		err = xa_insert_irq(ids, nr, id, GFP_KERNEL);
		if (err) {
			kfree(id);
			return ERR_PTR(err);
		}
	} else if (!id->dev) {
		xa_lock_irq(ids);
		id->dev = ep->dev;
		xa_unlock_irq(ids);
	}

	id->users++;
	return id;
}

static void viommu_put_id(struct viommu_endpoint *ep, struct viommu_id *id)
{
	struct xarray *ids = &ep->viommu->ids;

	/* A fault may be about to name the device. */
	xa_lock_irq(ids);
	if (!--id->users)
		__xa_erase(ids, id->nr);
	else if (id->dev == ep->dev)
		id->dev = NULL;
	xa_unlock_irq(ids);

	if (!id->users)
		kfree(id);
}

static bool viommu_has_id(struct viommu_endpoint *ep, u32 nr)
{
	unsigned int i;

	for (i = 0; i < ep->nr_ids; i++)
		if (ep->ids[i]->nr == nr)
			return true;
	return false;
}

/**
 * viommu_get_ids() - give an endpoint its ids, so that faults find it
 * @ep: the endpoint, with room for the ids
 * @fwspec: where they are listed
 *
 * Return: 0 or an errno.
 */
int viommu_get_ids(struct viommu_endpoint *ep, const struct iommu_fwspec *fwspec)
{
	struct viommu_id *id;
	unsigned int i;

	lockdep_assert_held(&ep->viommu->attach_lock);

	for (i = 0; i < fwspec->num_ids; i++) {
		if (viommu_has_id(ep, fwspec->ids[i]))
			continue;
		id = viommu_get_id(ep, fwspec->ids[i]);
		if (IS_ERR(id)) {
			viommu_put_ids(ep);
			return PTR_ERR(id);
		}
		ep->ids[ep->nr_ids++] = id;
	}
	return 0;
}

/**
 * viommu_put_ids() - take its ids from an endpoint
 * @ep: the endpoint. Those ids that only it has are in no domain
 */
void viommu_put_ids(struct viommu_endpoint *ep)
{
	lockdep_assert_held(&ep->viommu->attach_lock);

	while (ep->nr_ids)
		viommu_put_id(ep, ep->ids[--ep->nr_ids]);
}
