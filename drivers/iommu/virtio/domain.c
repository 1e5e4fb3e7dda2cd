// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: mapping and unmapping.
 *
 * The device has the mappings of a domain only while an endpoint is in it: the
 * domain is online. Offline, mappings are recorded, and sent in one batch when the first
 * endpoint comes.
 *
 * map and unmap submit a request and return. The core waits in iotlb_sync_map()
 * and iotlb_sync(), or lets unmaps gather for flush_iotlb_all():
 *
 * - the status of a MAP is kept in its mapping, and iotlb_sync_map() returns it. The core
 *   then unmaps what it asked to map, which takes failed mappings away as well;
 * - a mapping is forgotten when its UNMAP has worked. One that the device refused to
 *   unmap stays, so that its addresses are not mapped again unnoticed.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include <compat/iommu.h>

#include "viommu.h"

/*
 * The device forgets a domain, and answers that there is none, before we count its last
 * endpoint out. Then nothing is wrong with a mapping.
 */
static bool viommu_is_forgotten(const struct viommu_domain *vdomain, int err)
{
	return !vdomain->nr_endpoints ||
	       (err == -ENOENT && vdomain->nr_leaving >= vdomain->nr_endpoints);
}

static void viommu_map_done(struct viommu_domain *vdomain,
			    struct viommu_mapping *mapping, int err)
{
	if (viommu_is_forgotten(vdomain, err)) {
		mapping->state = VIOMMU_MAPPING_OFFLINE;
	} else if (err) {
		mapping->state = VIOMMU_MAPPING_FAILED;
		mapping->err = err;
		WRITE_ONCE(vdomain->map_failed, true);
	} else {
		mapping->state = VIOMMU_MAPPING_ONLINE;
	}
}

/*
 * Mappings being removed, from @mapping up to the last address of an UNMAP: forget
 * them, or put them back.
 */
static void viommu_unmap_done(struct viommu_domain *vdomain,
			      struct viommu_mapping *mapping,
			      unsigned long last, int err)
{
	struct viommu_mapping *next;

	/* What the device does not have is gone, whatever the reason. */
	if (!vdomain->nr_endpoints || err == -ENOENT)
		err = 0;
	if (err)
		dev_err_ratelimited(vdomain->viommu->dev,
				    "domain %u still maps 0x%lx to 0x%lx: unmap failed (%d)\n",
				    vdomain->id, mapping->range.start, last, err);

	for (; mapping; mapping = next) {
		next = viommu_mapping_next(mapping, mapping->range.start, last);
		if (mapping->state != VIOMMU_MAPPING_REMOVING)
			continue;
		if (err)
			mapping->state = VIOMMU_MAPPING_ONLINE;
		else
			viommu_mapping_erase(&vdomain->mappings, mapping);
	}
}

static void viommu_domain_done(struct viommu_stream *stream,
			       struct viommu_request *req, int err)
{
	struct viommu_domain *vdomain = container_of(stream, struct viommu_domain,
						     requests);

	if (req->mapping->state == VIOMMU_MAPPING_ADDING)
		viommu_map_done(vdomain, req->mapping, err);
	else
		viommu_unmap_done(vdomain, req->mapping, req->last, err);
}

/* Ask for a mapping that is in the tree. */
static int viommu_submit_map(struct viommu_domain *vdomain,
			     struct viommu_request *req,
			     struct viommu_mapping *mapping)
{
	viommu_encode_map(req, vdomain->id, mapping);
	mapping->state = VIOMMU_MAPPING_ADDING;
	return viommu_request_submit(&vdomain->viommu->queue,
				     &vdomain->requests, req);
}

static u32 viommu_map_flags(struct viommu_domain *vdomain, int prot)
{
	u32 flags = 0;

	if (prot & IOMMU_READ)
		flags |= VIRTIO_IOMMU_MAP_F_READ;
	if (prot & IOMMU_WRITE)
		flags |= VIRTIO_IOMMU_MAP_F_WRITE;
	if (prot & IOMMU_MMIO)
		flags |= VIRTIO_IOMMU_MAP_F_MMIO;

	/* Without the feature, MMIO is mapped like memory. */
	return flags & vdomain->viommu->map_flags;
}

/* Add a mapping to the tree and, online, ask the device for it. */
static int viommu_add_mapping(struct viommu_domain *vdomain,
			      struct viommu_mapping *mapping)
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	struct viommu_request *req;
	unsigned long flags;
	int err;

	spin_lock_irqsave(&queue->lock, flags);
	if (!vdomain->nr_endpoints) {
		err = viommu_mapping_insert(&vdomain->mappings, mapping);
		goto out_unlock;
	}

	req = viommu_request_get(queue, &flags);
	if (IS_ERR(req)) {
		err = PTR_ERR(req);
		goto out_unlock;
	}

	err = viommu_mapping_insert(&vdomain->mappings, mapping);
	if (err) {
		viommu_request_put(queue, req);
		goto out_unlock;
	}

	err = viommu_submit_map(vdomain, req, mapping);
	if (err)
		interval_tree_remove(&mapping->range, &vdomain->mappings.root);

out_unlock:
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

/**
 * viommu_in_aperture() - whether a domain can have a range, which the core leaves open
 * @domain: the domain
 * @iova: the first address
 * @size: bytes, at least one
 *
 * Return: true if it can.
 */
bool viommu_in_aperture(const struct iommu_domain *domain, unsigned long iova,
			size_t size)
{
	return iova >= domain->geometry.aperture_start &&
	       iova <= domain->geometry.aperture_end &&
	       size - 1 <= domain->geometry.aperture_end - iova;
}

static int viommu_map_pages(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t phys, size_t pgsize, size_t pgcount,
			    int prot, gfp_t gfp, size_t *mapped)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	size_t size = pgsize * pgcount;
	struct viommu_mapping *mapping;
	int err;

	if (!viommu_in_aperture(domain, iova, size))
		return -ERANGE;

	mapping = viommu_mapping_alloc(gfp);
	if (!mapping)
		return -ENOMEM;

	mapping->range.start = iova;
	mapping->range.last = iova + size - 1;
	mapping->phys = phys;
	mapping->flags = viommu_map_flags(vdomain, prot);

	err = viommu_add_mapping(vdomain, mapping);
	if (err) {
		viommu_mapping_free(mapping);
		return err;
	}

	*mapped = size;
	return 0;
}

/* Whether a MAP is in flight, of a mapping from @mapping up to @last. */
static bool viommu_is_adding(struct viommu_mapping *mapping, unsigned long last)
{
	for (; mapping; mapping = viommu_mapping_next(mapping,
						      mapping->range.start,
						      last))
		if (mapping->state == VIOMMU_MAPPING_ADDING)
			return true;
	return false;
}

/*
 * Forget the mappings from @mapping up to @last that the device does not have. Returns
 * the first that it does have, or NULL.
 */
static struct viommu_mapping *viommu_begin_unmap(struct viommu_domain *vdomain,
						 struct viommu_mapping *mapping,
						 unsigned long last)
{
	struct viommu_mapping *online = NULL, *next;

	for (; mapping; mapping = next) {
		next = viommu_mapping_next(mapping, mapping->range.start, last);
		if (mapping->state == VIOMMU_MAPPING_ONLINE) {
			mapping->state = VIOMMU_MAPPING_REMOVING;
			online = online ?: mapping;
		} else {
			viommu_mapping_erase(&vdomain->mappings, mapping);
		}
	}
	return online;
}

/*
 * Ask the device to unmap a range, of which @first is the first mapping that it has. If
 * that cannot even be submitted it has failed like any other UNMAP: to return an error
 * would tell the core that nothing was mapped there.
 */
static void viommu_submit_unmap(struct viommu_domain *vdomain,
				struct viommu_mapping *first,
				unsigned long start, unsigned long last,
				unsigned long *flags)
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	struct viommu_request *req;
	int err;

	req = viommu_request_get(queue, flags);
	if (IS_ERR(req)) {
		err = PTR_ERR(req);
	} else {
		viommu_encode_unmap(req, vdomain->id, first, start, last);
		err = viommu_request_submit(queue, &vdomain->requests, req);
	}
	if (err)
		viommu_unmap_done(vdomain, first, last, err);
}

static size_t viommu_unmap_pages(struct iommu_domain *domain,
				 unsigned long iova, size_t pgsize,
				 size_t pgcount,
				 struct iommu_iotlb_gather *gather)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	struct viommu_queue *queue = &vdomain->viommu->queue;
	unsigned long last = iova + pgsize * pgcount - 1;
	struct viommu_mapping *first;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	while ((first = viommu_mapping_run(&vdomain->mappings, iova, last,
					   &last)) &&
	       viommu_is_adding(first, last)) {
		/* The core takes back what it has not waited for. */
		spin_unlock_irqrestore(&queue->lock, flags);
		viommu_queue_sync(queue, &vdomain->requests);
		spin_lock_irqsave(&queue->lock, flags);
	}
	if (first) {
		first = viommu_begin_unmap(vdomain, first, last);
		if (first)
			viommu_submit_unmap(vdomain, first, iova, last, &flags);
	} else {
		last = iova - 1;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return last - iova + 1;
}

static phys_addr_t viommu_iova_to_phys(struct iommu_domain *domain,
				       dma_addr_t iova)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	struct viommu_queue *queue = &vdomain->viommu->queue;
	unsigned long flags;
	phys_addr_t phys;

	spin_lock_irqsave(&queue->lock, flags);
	phys = viommu_mapping_phys(&vdomain->mappings, iova);
	spin_unlock_irqrestore(&queue->lock, flags);
	return phys;
}

/* How many mappings to look at with interrupts off */
#define VIOMMU_MAPPINGS_PER_STEP	256

/*
 * Call @fn for the mappings of a range until it returns an errno. The lock is dropped now
 * and then, so some may go and others come meanwhile.
 */
static int viommu_walk_mappings(struct viommu_domain *vdomain,
				unsigned long start, unsigned long last,
				int (*fn)(struct viommu_mapping *mapping))
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	struct viommu_mapping *mapping;
	unsigned int nr = 0;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&queue->lock, flags);
	mapping = viommu_mapping_first(&vdomain->mappings, start, last);
	while (mapping) {
		err = fn(mapping);
		if (err || mapping->range.last >= last)
			break;
		start = mapping->range.last + 1;
		if (++nr % VIOMMU_MAPPINGS_PER_STEP) {
			mapping = viommu_mapping_next(mapping, start, last);
			continue;
		}
		spin_unlock_irqrestore(&queue->lock, flags);
		spin_lock_irqsave(&queue->lock, flags);
		mapping = viommu_mapping_first(&vdomain->mappings, start, last);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

static int viommu_mapping_error(struct viommu_mapping *mapping)
{
	return mapping->state == VIOMMU_MAPPING_FAILED ? mapping->err : 0;
}

/* Wait for the MAPs of a range. Returns the error of one that failed. */
static int viommu_wait_mapped(struct viommu_domain *vdomain,
			      unsigned long start, unsigned long last)
{
	viommu_queue_sync(&vdomain->viommu->queue, &vdomain->requests);
	if (!READ_ONCE(vdomain->map_failed))
		return 0;
	return viommu_walk_mappings(vdomain, start, last, viommu_mapping_error);
}

static int viommu_iotlb_sync_map(struct iommu_domain *domain,
				 unsigned long iova, size_t size)
{
	return viommu_wait_mapped(to_viommu_domain(domain), iova,
				  iova + size - 1);
}

static void viommu_iotlb_sync(struct iommu_domain *domain,
			      struct iommu_iotlb_gather *gather)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	viommu_queue_sync(&vdomain->viommu->queue, &vdomain->requests);
}

static void viommu_flush_iotlb_all(struct iommu_domain *domain)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	viommu_queue_sync(&vdomain->viommu->queue, &vdomain->requests);
}

/*
 * Ask for the first offline mapping at or after @start. Returns -ENOENT if there
 * is none, else where to go on in @next.
 */
static int viommu_replay_one(struct viommu_domain *vdomain, unsigned long start,
			     unsigned long *next)
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	struct viommu_mapping *mapping;
	struct viommu_request *req;
	unsigned long flags;
	int err;

	spin_lock_irqsave(&queue->lock, flags);
	req = viommu_request_get(queue, &flags);
	if (IS_ERR(req)) {
		err = PTR_ERR(req);
		goto out_unlock;
	}

	mapping = viommu_mapping_first(&vdomain->mappings, start, ULONG_MAX);
	while (mapping && mapping->state != VIOMMU_MAPPING_OFFLINE)
		mapping = viommu_mapping_next(mapping, start, ULONG_MAX);
	if (!mapping) {
		viommu_request_put(queue, req);
		err = -ENOENT;
		goto out_unlock;
	}

	*next = mapping->range.last + 1;
	err = viommu_submit_map(vdomain, req, mapping);
	if (err)
		mapping->state = VIOMMU_MAPPING_OFFLINE;

out_unlock:
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

/**
 * viommu_domain_enter() - count an endpoint in, and give the first one its mappings
 * @vdomain: the domain, which the device has put the endpoint into
 *
 * Return: 0 or an errno; the endpoint is counted in any case.
 */
int viommu_domain_enter(struct viommu_domain *vdomain)
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	unsigned long flags, next = 0;
	int err;

	lockdep_assert_held(&vdomain->viommu->attach_lock);

	/* What was in flight when the last endpoint left */
	viommu_queue_sync(queue, &vdomain->requests);

	spin_lock_irqsave(&queue->lock, flags);
	vdomain->nr_endpoints++;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (vdomain->nr_endpoints > 1)
		return 0;

	do {
		err = viommu_replay_one(vdomain, next, &next);
		cond_resched();
	} while (!err && next);
	if (err && err != -ENOENT)
		return err;

	return viommu_wait_mapped(vdomain, 0, ULONG_MAX);
}

/*
 * Those in flight follow when they are done. Those that the device has refused are its
 * choice again when the next endpoint comes, if the core has not taken them back by then.
 */
static int viommu_mapping_offline(struct viommu_mapping *mapping)
{
	if (mapping->state == VIOMMU_MAPPING_ONLINE ||
	    mapping->state == VIOMMU_MAPPING_FAILED)
		mapping->state = VIOMMU_MAPPING_OFFLINE;
	return 0;
}

/**
 * viommu_domain_leave() - count an endpoint out
 * @vdomain: the domain, which the device has taken the endpoint out of
 */
void viommu_domain_leave(struct viommu_domain *vdomain)
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	unsigned long flags;

	lockdep_assert_held(&vdomain->viommu->attach_lock);

	spin_lock_irqsave(&queue->lock, flags);
	vdomain->nr_endpoints--;
	/* Before a reset the device still has it. */
	if (!vdomain->nr_endpoints && !vdomain->viommu->frozen)
		WRITE_ONCE(vdomain->table_used, false);
	spin_unlock_irqrestore(&queue->lock, flags);

	/* An UNMAP of one that is not offline yet finds nothing, which is well. */
	if (!vdomain->nr_endpoints)
		viommu_walk_mappings(vdomain, 0, ULONG_MAX,
				     viommu_mapping_offline);
}

/**
 * viommu_domain_init() - prepare a domain that belongs to no instance yet
 * @vdomain: the domain, zeroed
 */
void viommu_domain_init(struct viommu_domain *vdomain)
{
	viommu_stream_init(&vdomain->requests, viommu_domain_done);
	vdomain->mappings = VIOMMU_NO_MAPPINGS;
	xa_init(&vdomain->pasid_users);
}

/**
 * viommu_domain_bind() - make a domain one of an instance
 * @vdomain: the domain
 * @viommu: the instance
 *
 * Return: 0, or -ENOSPC if the device has no more domains, or another errno.
 */
int viommu_domain_bind(struct viommu_domain *vdomain, struct viommu_dev *viommu)
{
	const struct viommu_limits *limits = &viommu->limits;
	int id;

	id = ida_alloc_max(&viommu->domain_ids,
			   min(limits->last_domain - limits->first_domain,
			       (u32)INT_MAX), GFP_KERNEL);
	if (id < 0)
		return id;

	vdomain->id = limits->first_domain + id;
	vdomain->viommu = viommu_get(viommu);
	vdomain->domain.geometry = limits->geometry;
	vdomain->domain.pgsize_bitmap = limits->page_sizes;
	return 0;
}

/**
 * viommu_domain_unbind() - take a domain from its instance, and its mappings
 * @vdomain: the domain, which no endpoint is in
 */
void viommu_domain_unbind(struct viommu_domain *vdomain)
{
	struct viommu_dev *viommu = vdomain->viommu;
	struct viommu_mapping *mapping;

	viommu_queue_sync(&viommu->queue, &vdomain->requests);

	while ((mapping = viommu_mapping_first(&vdomain->mappings, 0, ULONG_MAX)))
		viommu_mapping_erase(&vdomain->mappings, mapping);

	/* What the device has left in the domain is not for the next one. */
	if (!vdomain->stuck)
		ida_free(&viommu->domain_ids,
			 vdomain->id - viommu->limits.first_domain);
	vdomain->viommu = NULL;
	viommu_put(viommu);
}

static void viommu_domain_free(struct iommu_domain *domain)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	viommu_forget_domain(vdomain);
	viommu_domain_unbind(vdomain);
	kfree(vdomain);
}

static int viommu_attach_paging(struct iommu_domain *domain, struct device *dev)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	int err;

	if (vdomain->viommu != ep->viommu)
		return -EINVAL;

	mutex_lock(&ep->viommu->attach_lock);
	err = viommu_move_endpoint(ep, vdomain);
	mutex_unlock(&ep->viommu->attach_lock);
	return err;
}

COMPAT_ATTACH_DEV(viommu_attach_paging)

const struct iommu_domain_ops viommu_paging_ops = {
	.attach_dev		= compat_viommu_attach_paging,
	.map_pages		= viommu_map_pages,
	.unmap_pages		= viommu_unmap_pages,
	.iova_to_phys		= viommu_iova_to_phys,
	.iotlb_sync_map		= viommu_iotlb_sync_map,
	.iotlb_sync		= viommu_iotlb_sync,
	.flush_iotlb_all	= viommu_flush_iotlb_all,
	.free			= viommu_domain_free,
};

/**
 * viommu_domain_alloc_paging() - a new domain, without mappings
 * @dev: an endpoint of the instance that gets it
 *
 * Return: the domain or an ERR_PTR.
 */
struct iommu_domain *viommu_domain_alloc_paging(struct device *dev)
{
	struct viommu_table_caps caps;
	struct viommu_domain *vdomain;
	struct viommu_endpoint *ep;
	int err;

	/* Callers that do not know the device are gone after 6.12. */
	if (!dev)
		return ERR_PTR(-EOPNOTSUPP);

	ep = dev_iommu_priv_get(dev);
	caps = viommu_group_table_caps(ep);
	if (viommu_tables_wanted(ep->viommu, &caps))
		return viommu_domain_alloc_table(ep->viommu, &caps);

	vdomain = kzalloc(sizeof(*vdomain), GFP_KERNEL);
	if (!vdomain)
		return ERR_PTR(-ENOMEM);

	viommu_domain_init(vdomain);
	vdomain->domain.ops = &viommu_paging_ops;

	err = viommu_domain_bind(vdomain, ep->viommu);
	if (err) {
		kfree(vdomain);
		return ERR_PTR(err);
	}
	return &vdomain->domain;
}
