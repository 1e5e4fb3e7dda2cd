// SPDX-License-Identifier: GPL-2.0-only
/*
 * The domains that are not for mapping: identity and blocked.
 *
 * An identity domain bypasses translation on devices that can. On others it maps
 * every address to itself, except for the reserved regions of the group's endpoints.
 */
#include <linux/slab.h>

#include <compat/iommu.h>

#include "pasid.h"
#include "viommu.h"

static int viommu_map_identity_range(struct viommu_domain *vdomain, u64 start,
				     u64 last)
{
	struct viommu_mapping *mapping;
	int err;

	mapping = viommu_mapping_alloc(GFP_KERNEL);
	if (!mapping)
		return -ENOMEM;

	mapping->range.start = start;
	mapping->range.last = last;
	mapping->phys = start;
	mapping->flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;

	/* No endpoint is in the domain yet, so nobody else knows its mappings. */
	err = viommu_mapping_insert(&vdomain->mappings, mapping);
	if (err)
		viommu_mapping_free(mapping);
	return err;
}

/* Collect the reserved regions of all endpoints of a group. */
static int viommu_group_regions(struct viommu_endpoint *ep,
				struct list_head *regions)
{
	struct iommu_resv_region *region, *copy;
	struct viommu_endpoint *other;

	lockdep_assert_held(&ep->viommu->attach_lock);

	list_for_each_entry(other, &ep->viommu->endpoints, node) {
		if (!viommu_same_group(ep, other))
			continue;
		list_for_each_entry(region, &other->regions, list) {
			copy = iommu_alloc_resv_region(region->start,
						       region->length,
						       region->prot, region->type,
						       GFP_KERNEL);
			if (!copy)
				return -ENOMEM;
			viommu_add_region(regions, copy);
		}
	}
	return 0;
}

/* Map all that is not in @regions. */
static int viommu_map_identity(struct viommu_domain *vdomain,
			       const struct viommu_limits *limits,
			       const struct list_head *regions)
{
	u64 granule = 1ULL << __ffs(limits->page_sizes);
	u64 start = round_up(limits->geometry.aperture_start, granule);
	u64 last = round_down(limits->geometry.aperture_end - granule + 1,
			      granule) + granule - 1;
	struct iommu_resv_region *region;
	int err;

	list_for_each_entry(region, regions, list) {
		u64 resv_start = round_down(region->start, granule);
		u64 resv_last = round_up(region->start + region->length,
					 granule) - 1;

		if (resv_last < start || resv_start > last)
			continue;
		if (resv_start > start) {
			err = viommu_map_identity_range(vdomain, start,
							resv_start - 1);
			if (err)
				return err;
		}
		if (resv_last >= last)
			return 0;
		start = resv_last + 1;
	}
	return viommu_map_identity_range(vdomain, start, last);
}

static int viommu_bind_identity(struct viommu_domain *vdomain,
				struct viommu_endpoint *ep)
{
	LIST_HEAD(regions);
	int err;

	err = viommu_domain_bind(vdomain, ep->viommu);
	if (err)
		return err;

	vdomain->bypass = ep->viommu->bypass_config;
	if (vdomain->bypass)
		return 0;

	err = viommu_group_regions(ep, &regions);
	if (!err)
		err = viommu_map_identity(vdomain, &ep->viommu->limits, &regions);
	iommu_put_resv_regions(ep->dev, &regions);
	if (err)
		viommu_domain_unbind(vdomain);
	return err;
}

static int viommu_attach_identity(struct iommu_domain *domain,
				  struct device *dev)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	int err = 0;

	mutex_lock(&ep->viommu->attach_lock);
	if (!vdomain->viommu)
		err = viommu_bind_identity(vdomain, ep);
	else if (vdomain->viommu != ep->viommu)
		err = -EINVAL;
	if (!err)
		err = viommu_move_endpoint(ep, vdomain);
	mutex_unlock(&ep->viommu->attach_lock);
	return err;
}

static void viommu_free_identity(struct iommu_domain *domain)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	if (vdomain->viommu) {
		viommu_forget_domain(vdomain);
		viommu_domain_unbind(vdomain);
	}
	kfree(vdomain);
}

COMPAT_ATTACH_DEV(viommu_attach_identity)

static const struct iommu_domain_ops viommu_identity_ops = {
	.attach_dev	= compat_viommu_attach_identity,
	.free		= viommu_free_identity,
};

/**
 * viommu_domain_alloc_identity() - a new identity domain
 * @dev: an endpoint of the instance that gets it, or NULL: then it is the one of
 *	the first endpoint that is attached
 *
 * Return: the domain or an ERR_PTR.
 */
struct iommu_domain *viommu_domain_alloc_identity(struct device *dev)
{
	struct viommu_domain *vdomain;
	struct viommu_endpoint *ep;
	int err;

	vdomain = kzalloc(sizeof(*vdomain), GFP_KERNEL);
	if (!vdomain)
		return ERR_PTR(-ENOMEM);

	viommu_domain_init(vdomain);
	vdomain->domain.ops = &viommu_identity_ops;
	if (!dev)
		return &vdomain->domain;

	ep = dev_iommu_priv_get(dev);
	mutex_lock(&ep->viommu->attach_lock);
	err = viommu_bind_identity(vdomain, ep);
	mutex_unlock(&ep->viommu->attach_lock);
	if (err) {
		kfree(vdomain);
		return ERR_PTR(err);
	}
	return &vdomain->domain;
}

static int viommu_attach_blocked(struct iommu_domain *domain,
				 struct device *dev)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	int err;

	mutex_lock(&ep->viommu->attach_lock);
	err = viommu_block_endpoint(ep);
	mutex_unlock(&ep->viommu->attach_lock);
	return err;
}

static int viommu_block_pasid(struct iommu_domain *domain, struct device *dev,
			      ioasid_t pasid)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);

	mutex_lock(&ep->viommu->attach_lock);
	viommu_detach_pasid(ep, pasid);
	mutex_unlock(&ep->viommu->attach_lock);
	return 0;
}

COMPAT_ATTACH_DEV(viommu_attach_blocked)
COMPAT_SET_PASID(viommu_block_pasid)

struct iommu_domain viommu_blocked_domain = {
	.type	= IOMMU_DOMAIN_BLOCKED,
	.ops	= &(const struct iommu_domain_ops) {
		.attach_dev = compat_viommu_attach_blocked,
		.set_dev_pasid = compat_viommu_block_pasid,
	},
};
