// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID tables, see pasid.h. An entry that is changed is invalidated, whether it was
 * valid or not; if the device refuses, it goes on with what the entry had, and so
 * does the entry.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/pci-ats.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/virtio_iommu_tables.h>

#include "pasid.h"
#include "table.h"
#include "viommu.h"

/**
 * viommu_max_pasids() - how many PASIDs an endpoint can use
 * @ep: the endpoint
 *
 * Return: the first that it cannot, 0 if it can use none.
 */
u32 viommu_max_pasids(const struct viommu_endpoint *ep)
{
	unsigned int bits = min(ep->table_caps.pasid_bits, VIOMMU_PASID_BITS);

	return IS_ENABLED(CONFIG_64BIT) && ep->table_caps.pasid_format && bits ?
	       1U << bits : 0;
}

static __le64 viommu_pasid_entry(const struct viommu_domain *vdomain)
{
	if (!vdomain)
		return 0;
	return cpu_to_le64(virt_to_phys(vdomain->table->root) |
			   VIRTIO_IOMMU_PASIDTF_VALID);
}

/* Have the device read an entry, and wait until it has. */
static int viommu_invalidate_pasid(struct viommu_pasids *pasids, u32 pasid)
{
	struct viommu_request message;
	int err;

	viommu_encode_invalidate_pasid(&message, pasids->domain.id, pasid);
	err = viommu_request_send(&pasids->domain.viommu->queue, &message);
	/* The endpoint is elsewhere, or the device is about to be reset. */
	return err == -ENOENT || err == -ENODEV ? 0 : err;
}

/* Note what an entry will lead to. */
static int viommu_pasid_note(struct viommu_pasids *pasids, u32 pasid,
			     struct viommu_domain *to)
{
	unsigned long user = viommu_pasid_user(pasids->domain.id, pasid);
	int err;

	if (!to)
		return 0;
	err = xa_err(xa_store(&to->pasid_users, user, xa_mk_value(0),
			      GFP_KERNEL));
	if (err)
		return err;
	err = xa_err(xa_store(&pasids->users, pasid, to, GFP_KERNEL));
	if (err)
		xa_erase(&to->pasid_users, user);
	return err;
}

/* The entry does not lead there any more. To store in the place of a note is easy. */
static void viommu_pasid_forget(struct viommu_pasids *pasids, u32 pasid,
				struct viommu_domain *gone,
				struct viommu_domain *now)
{
	if (gone)
		xa_erase(&gone->pasid_users,
			 viommu_pasid_user(pasids->domain.id, pasid));
	if (now)
		xa_store(&pasids->users, pasid, now, GFP_KERNEL);
	else
		xa_erase(&pasids->users, pasid);
}

/* Have an entry lead to a domain, or nowhere, which only a dead device refuses. */
static int viommu_pasid_set(struct viommu_pasids *pasids, u32 pasid,
			    struct viommu_domain *to)
{
	struct viommu_domain *from = xa_load(&pasids->users, pasid);
	int err;

	lockdep_assert_held(&pasids->domain.viommu->attach_lock);

	if (from == to)
		return 0;
	/* Who changes the table from now on tells the device. */
	err = viommu_pasid_note(pasids, pasid, to);
	if (err)
		return err;
	WRITE_ONCE(pasids->entries[pasid], viommu_pasid_entry(to));
	dma_wmb();
	err = viommu_invalidate_pasid(pasids, pasid);
	if (err && to) {
		WRITE_ONCE(pasids->entries[pasid], viommu_pasid_entry(from));
		viommu_pasid_forget(pasids, pasid, to, from);
		return err;
	}
	/* Its table is not freed: the device may read it. */
	if (err)
		from->stuck = true;
	viommu_pasid_forget(pasids, pasid, from, to);
	return err;
}

static struct viommu_pasids *viommu_pasids_alloc(struct viommu_endpoint *ep)
{
	struct viommu_pasids *pasids;
	int err = -ENOMEM;

	pasids = kzalloc(sizeof(*pasids), GFP_KERNEL);
	if (!pasids)
		return ERR_PTR(-ENOMEM);

	xa_init(&pasids->users);
	pasids->bits = ilog2(viommu_max_pasids(ep));
	pasids->entries = (__le64 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
				get_order(sizeof(__le64) << pasids->bits));
	if (!pasids->entries)
		goto err_free_pasids;

	viommu_domain_init(&pasids->domain);
	pasids->domain.pasids = pasids;
	err = viommu_domain_bind(&pasids->domain, ep->viommu);
	if (err)
		goto err_free_entries;
	return pasids;

err_free_entries:
	free_pages((unsigned long)pasids->entries,
		   get_order(sizeof(__le64) << pasids->bits));
err_free_pasids:
	kfree(pasids);
	return ERR_PTR(err);
}

/* Free a table that no endpoint has; if one is stuck in it, keep what it reads. */
static void viommu_pasids_free(struct viommu_pasids *pasids)
{
	bool stuck = pasids->domain.stuck;
	struct viommu_domain *user;
	unsigned long pasid;

	xa_for_each(&pasids->users, pasid, user) {
		user->stuck |= stuck;
		viommu_pasid_forget(pasids, pasid, user, NULL);
	}
	xa_destroy(&pasids->users);
	viommu_domain_unbind(&pasids->domain);
	if (!stuck)
		free_pages((unsigned long)pasids->entries,
			   get_order(sizeof(__le64) << pasids->bits));
	kfree(pasids);
}

static int viommu_pasids_enable(struct device *dev)
{
	return dev_is_pci(dev) ? pci_enable_pasid(to_pci_dev(dev), 0) : 0;
}

static void viommu_pasids_disable(struct device *dev)
{
	if (dev_is_pci(dev))
		pci_disable_pasid(to_pci_dev(dev));
}

/* Give an endpoint a table, whose entry 0 leads to where the endpoint is. */
static int viommu_pasids_create(struct viommu_endpoint *ep)
{
	struct viommu_dev *viommu = ep->viommu;
	struct viommu_domain *from = ep->ids[0]->domain;
	struct viommu_pasids *pasids;
	int err;

	/* What has PASIDs has one id, and that for itself. */
	if (!viommu_max_pasids(ep) || ep->nr_ids != 1 || ep->ids[0]->users != 1)
		return -EOPNOTSUPP;
	if (from == &viommu->blocking)
		from = NULL;
	else if (!from || !from->table)
		return -EOPNOTSUPP;

	pasids = viommu_pasids_alloc(ep);
	if (IS_ERR(pasids))
		return PTR_ERR(pasids);
	err = viommu_pasid_note(pasids, IOMMU_NO_PASID, from);
	if (err)
		goto err_free;
	pasids->entries[IOMMU_NO_PASID] = viommu_pasid_entry(from);
	err = viommu_pasids_enable(ep->dev);
	if (err)
		goto err_free;
	err = viommu_move_ids(viommu, ep->ids, ep->nr_ids, &pasids->domain);
	if (err)
		goto err_disable;
	ep->pasids = pasids;
	return 0;

err_disable:
	viommu_pasids_disable(ep->dev);
err_free:
	viommu_pasids_free(pasids);
	return err;
}

/**
 * viommu_pasids_destroy() - take its table from an endpoint
 * @ep: the endpoint, which is in no domain any more
 */
void viommu_pasids_destroy(struct viommu_endpoint *ep)
{
	lockdep_assert_held(&ep->viommu->attach_lock);

	if (!ep->pasids)
		return;
	viommu_pasids_disable(ep->dev);
	viommu_pasids_free(ep->pasids);
	ep->pasids = NULL;
}

/**
 * viommu_pasids_busy() - has a PASID of an endpoint a domain?
 * @ep: the endpoint
 */
bool viommu_pasids_busy(const struct viommu_endpoint *ep)
{
	unsigned long pasid = IOMMU_NO_PASID;

	return ep->pasids && xa_find_after(&ep->pasids->users, &pasid, ULONG_MAX,
					   XA_PRESENT);
}

/**
 * viommu_pasids_enter() - attach a domain to the requests without a PASID
 * @ep: an endpoint with a PASID table
 * @to: a domain with a table, or NULL for none
 *
 * Return: 0, or an errno: the endpoint is where it was.
 */
int viommu_pasids_enter(struct viommu_endpoint *ep, struct viommu_domain *to)
{
	struct viommu_pasids *pasids = ep->pasids;
	int err;

	err = viommu_pasid_set(pasids, IOMMU_NO_PASID, to);
	if (err || !to)
		return err;
	/* It is not there if it was blocked, or in a domain without a table. */
	err = viommu_move_ids(ep->viommu, ep->ids, ep->nr_ids, &pasids->domain);
	if (err)
		viommu_pasid_set(pasids, IOMMU_NO_PASID, NULL);
	return err;
}

/**
 * viommu_attach_pasid() - attach a domain to a PASID
 * @ep: the endpoint
 * @pasid: one that it can use
 * @to: a domain with a table that fits
 *
 * Return: 0; -EOPNOTSUPP if the endpoint has no PASIDs, or is in a domain that has no
 * table; another errno. The PASID has the domain that it had then.
 */
int viommu_attach_pasid(struct viommu_endpoint *ep, u32 pasid,
			struct viommu_domain *to)
{
	int err = 0;

	lockdep_assert_held(&ep->viommu->attach_lock);

	if (!ep->pasids)
		err = viommu_pasids_create(ep);
	else if (ep->ids[0]->domain != &ep->pasids->domain)
		err = ep->ids[0]->domain == &ep->viommu->blocking ?
		      viommu_move_ids(ep->viommu, ep->ids, ep->nr_ids,
				      &ep->pasids->domain) : -EOPNOTSUPP;
	if (err)
		return err;
	if (pasid >> ep->pasids->bits)
		return -EINVAL;
	return viommu_pasid_set(ep->pasids, pasid, to);
}

/**
 * viommu_detach_pasid() - take its domain from a PASID
 * @ep: the endpoint
 * @pasid: the PASID
 */
void viommu_detach_pasid(struct viommu_endpoint *ep, u32 pasid)
{
	int err;

	lockdep_assert_held(&ep->viommu->attach_lock);

	if (!ep->pasids)
		return;
	err = viommu_pasid_set(ep->pasids, pasid, NULL);
	if (err)
		dev_err(ep->dev, "PASID %u cannot be blocked (%d)\n", pasid, err);
}
