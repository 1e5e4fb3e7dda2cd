// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains with page tables of our own: a device that offers them
 * (VIRTIO_IOMMU_F_ATTACH_TABLE, see Documentation/virtio/page-tables.rst) reads what
 * we map out of memory. It is told of what is not there any more, before the memory
 * is used for something else, and also of what is new if an endpoint of the domain
 * has its table cached whole.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/virtio_config.h>
#include <linux/virtio_iommu_tables.h>

#include <compat/iommu.h>

#include "pasid.h"
#include "table.h"
#include "table_arm.h"
#include "viommu.h"

bool viommu_tables;
module_param_named(tables, viommu_tables, bool, 0644);
MODULE_PARM_DESC(tables,
		 "Use page tables where the device offers them, in domains made from now on (N, experimental)");

/**
 * viommu_parse_table_caps() - what a property says of tables, if it is long enough
 * @type: of the property
 * @property: the property, with its head
 * @size: bytes of it
 * @caps: changed
 */
void viommu_parse_table_caps(u16 type, const void *property, size_t size,
			     struct viommu_table_caps *caps)
{
	const struct virtio_iommu_probe_page_size_mask *sizes = property;
	const struct virtio_iommu_probe_input_range *input = property;
	const struct virtio_iommu_probe_output_size *output = property;
	const struct virtio_iommu_probe_pgtf_x86_64 *format = property;
	const struct virtio_iommu_probe_pgtf_arm *arm_format = property;
	const struct virtio_iommu_probe_pasid_size *pasid = property;
	const struct virtio_iommu_probe_pasidtf *pasid_format = property;

	switch (type) {
	case VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK:
		if (size >= sizeof(*sizes))
			caps->sizes = get_unaligned_le64(&sizes->mask) &
				      (SZ_4K | SZ_2M | SZ_1G);
		break;
	case VIRTIO_IOMMU_PROBE_T_INPUT_RANGE:
		if (size < sizeof(*input))
			break;
		caps->start = get_unaligned_le64(&input->start);
		caps->last = min(get_unaligned_le64(&input->end),
				 VIOMMU_TABLE_LAST);
		break;
	case VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE:
		if (size >= sizeof(*output))
			caps->output_bits = output->bits;
		break;
	case VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT:
		if (size < sizeof(*format))
			break;
		switch (get_unaligned_le16(&format->format)) {
		case VIRTIO_IOMMU_FORMAT_PGTF_X86_64:
			caps->format = true;
			caps->negative = !(get_unaligned_le64(&format->flags) &
					   VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE);
			break;
		case VIRTIO_IOMMU_FORMAT_PGTF_ARM_LPAE:
			caps->arm_format = true;
			caps->asid_bits = arm_format->asid_bits;
			break;
		}
		break;
	case VIRTIO_IOMMU_PROBE_T_PASID_SIZE:
		if (size >= sizeof(*pasid))
			caps->pasid_bits = pasid->bits;
		break;
	case VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT:
		if (size < sizeof(*pasid_format))
			break;
		switch (get_unaligned_le16(&pasid_format->format)) {
		case VIRTIO_IOMMU_FORMAT_PASIDTF:
			caps->pasid_format = true;
			break;
		case VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3:
			caps->arm_cd_format = true;
			break;
		}
		break;
	}
}

/**
 * viommu_merge_table_caps() - what two ids of an endpoint have in common
 * @caps: of the one; changed
 * @other: of the other
 */
void viommu_merge_table_caps(struct viommu_table_caps *caps,
			     const struct viommu_table_caps *other)
{
	caps->format &= other->format;
	caps->negative |= other->negative;
	caps->sizes &= other->sizes;
	caps->start = max(caps->start, other->start);
	caps->last = min(caps->last, other->last);
	caps->output_bits = min(caps->output_bits, other->output_bits);
	caps->pasid_format &= other->pasid_format;
	caps->pasid_bits = min(caps->pasid_bits, other->pasid_bits);
	caps->arm_format &= other->arm_format;
	caps->arm_cd_format &= other->arm_cd_format;
	caps->asid_bits = min(caps->asid_bits, other->asid_bits);
}

static bool viommu_table_caps_usable(const struct viommu_table_caps *caps)
{
	return caps->format && (caps->sizes & SZ_4K) && PAGE_SIZE == SZ_4K &&
	       caps->start < caps->last && caps->output_bits > PAGE_SHIFT;
}

/**
 * viommu_group_table_caps() - what all endpoints of a group can do with a table
 * @ep: one of them
 *
 * A group has one domain. If one of its endpoints cannot do with a table, none has one.
 *
 * Return: what they have in common.
 */
struct viommu_table_caps viommu_group_table_caps(struct viommu_endpoint *ep)
{
	struct viommu_table_caps caps = ep->table_caps;
	struct viommu_dev *viommu = ep->viommu;
	struct viommu_endpoint *other;

	mutex_lock(&viommu->attach_lock);
	list_for_each_entry(other, &viommu->endpoints, node)
		if (viommu_same_group(ep, other))
			viommu_merge_table_caps(&caps, &other->table_caps);
	mutex_unlock(&viommu->attach_lock);
	return caps;
}

/**
 * viommu_tables_wanted() - whether a new domain shall have a table
 * @viommu: the instance
 * @caps: what the endpoints that will be in it can do
 *
 * Return: true if it was asked for, and the device can.
 */
bool viommu_tables_wanted(struct viommu_dev *viommu,
			  const struct viommu_table_caps *caps)
{
	const struct iommu_domain_geometry *geometry = &viommu->limits.geometry;
	struct virtio_device *vdev = viommu->vdev;

	/* The device has to know memory by the addresses that we know it by. */
	return READ_ONCE(viommu_tables) &&
	       virtio_has_feature(vdev, VIRTIO_IOMMU_F_ATTACH_TABLE) &&
	       virtio_has_dma_quirk(vdev) &&
	       (viommu_arm_caps_usable(caps) || viommu_table_caps_usable(caps)) &&
	       max_t(u64, caps->start, geometry->aperture_start) <
	       min_t(u64, caps->last, geometry->aperture_end);
}

/**
 * viommu_invalidate() - have the device forget something, and wait until it has
 * @queue: the instance's
 * @inv: what
 *
 * Return: 0 or an errno.
 */
int viommu_invalidate(struct viommu_queue *queue,
		      const struct viommu_invalidation *inv)
{
	struct viommu_request message;
	int err;

	viommu_encode_invalidate(&message, inv);
	err = viommu_request_send(queue, &message);
	/* No endpoint is in the domain any more, or yet: nothing is cached. */
	return err == -ENOENT ? 0 : err;
}

/* The same, wherever the device may use the domain's table. */
static int viommu_send_invalidate(struct viommu_domain *vdomain, u64 start,
				  u64 last, bool leaf)
{
	struct viommu_queue *queue = &vdomain->viommu->queue;
	struct viommu_invalidation inv = {
		.domain = vdomain->id, .pasid = IOMMU_PASID_INVALID,
		.start = start, .last = last, .leaf = leaf,
	};
	unsigned long user;
	void *note;
	int err = 0;

	/* Someone who comes to use it now reads the table after we have written. */
	smp_mb();
	if (READ_ONCE(vdomain->table_used))
		err = viommu_invalidate(queue, &inv);
	xa_for_each(&vdomain->pasid_users, user, note) {
		if (err)
			break;
		inv.domain = viommu_pasid_user_domain(user);
		inv.pasid = viommu_pasid_user_pasid(user);
		err = viommu_invalidate(queue, &inv);
	}
	return err;
}

/*
 * Invalidate a range, if it is @needed or if tables wait to be freed, which can be done
 * afterwards. @leaf: apart from those, nothing but leaves has changed.
 *
 * A device that is about to be reset does not answer, and will know nothing. It may
 * read the table until then.
 */
static int viommu_table_sync(struct viommu_domain *vdomain, u64 start, u64 last,
			     bool needed, bool leaf)
{
	struct viommu_table *table = vdomain->table;
	LIST_HEAD(parked);
	int err;

	if (!list_empty_careful(&table->parked))
		viommu_table_take_parked(table, start, last, &parked);
	if (!needed && list_empty(&parked))
		return 0;
	err = viommu_send_invalidate(vdomain, start, last,
				     leaf && list_empty(&parked));
	if (err)
		viommu_table_return_parked(table, &parked);
	else
		viommu_table_free_parked(&parked);
	return err == -ENODEV ? 0 : err;
}

static int viommu_table_map_pages(struct iommu_domain *domain,
				  unsigned long iova, phys_addr_t phys,
				  size_t pgsize, size_t pgcount, int prot,
				  gfp_t gfp, size_t *mapped)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	*mapped = 0;
	if (!viommu_in_aperture(domain, iova, pgsize * pgcount))
		return -ERANGE;
	return viommu_table_map(vdomain->table, iova, phys, pgsize, pgcount,
				prot, gfp, mapped);
}

static int viommu_table_sync_map(struct iommu_domain *domain,
				 unsigned long iova, size_t size)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	/*
	 * Entries come before what the driver tells its device about them, and before
	 * the question whether someone has to hear of them: an endpoint that comes in
	 * at the same time either sees the entries or is seen here. Some may lead to
	 * new tables.
	 */
	mb();
	return viommu_table_sync(vdomain, iova, iova + size - 1,
				 READ_ONCE(vdomain->table_negative), false);
}

static size_t viommu_table_unmap_pages(struct iommu_domain *domain,
				       unsigned long iova, size_t pgsize,
				       size_t pgcount,
				       struct iommu_iotlb_gather *gather)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	size_t size;

	size = viommu_table_unmap(vdomain->table, iova, pgsize * pgcount);
	if (size && !iommu_iotlb_gather_queued(gather))
		iommu_iotlb_gather_add_range(gather, iova, size);
	return size;
}

static void viommu_table_sync_unmap(struct viommu_domain *vdomain, u64 start,
				    u64 last)
{
	int err = viommu_table_sync(vdomain, start, last, true, true);

	if (err)
		dev_err_ratelimited(vdomain->viommu->dev,
				    "domain %u may still map 0x%llx to 0x%llx: invalidation failed (%d)\n",
				    vdomain->id, start, last, err);
}

static void viommu_table_iotlb_sync(struct iommu_domain *domain,
				    struct iommu_iotlb_gather *gather)
{
	if (gather->start <= gather->end)
		viommu_table_sync_unmap(to_viommu_domain(domain), gather->start,
					gather->end);
}

static void viommu_table_flush_all(struct iommu_domain *domain)
{
	viommu_table_sync_unmap(to_viommu_domain(domain), 0, U64_MAX);
}

static phys_addr_t viommu_table_iova_to_phys(struct iommu_domain *domain,
					     dma_addr_t iova)
{
	return viommu_table_phys(to_viommu_domain(domain)->table, iova);
}

/* Does the endpoint know all that the table may have? */
static bool viommu_table_fits(const struct viommu_domain *vdomain,
			      const struct viommu_table_caps *caps)
{
	const struct iommu_domain *domain = &vdomain->domain;

	return viommu_table_caps_usable(caps) &&
	       !(domain->pgsize_bitmap & ~caps->sizes) &&
	       domain->geometry.aperture_start >= caps->start &&
	       domain->geometry.aperture_end <= caps->last &&
	       fls64(vdomain->table->output_last) <= caps->output_bits;
}

/* Use a domain's table for a PASID of an endpoint, or for requests without one. */
static int viommu_use_table(struct iommu_domain *domain, struct device *dev,
			    ioasid_t pasid)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	int err;

	if (vdomain->viommu != ep->viommu ||
	    !viommu_table_fits(vdomain, &ep->table_caps))
		return -EINVAL;

	mutex_lock(&ep->viommu->attach_lock);
	/* The ATTACH comes later: see viommu_table_sync_map(). */
	if (ep->table_caps.negative)
		WRITE_ONCE(vdomain->table_negative, true);
	err = pasid == IOMMU_NO_PASID ? viommu_move_endpoint(ep, vdomain) :
					viommu_attach_pasid(ep, pasid, vdomain);
	/* What was mapped meanwhile by someone who saw no need to tell the device */
	if (!err && ep->table_caps.negative) {
		err = viommu_table_sync(vdomain, 0, U64_MAX, true, false);
		if (err && pasid == IOMMU_NO_PASID)
			viommu_block_endpoint(ep);
		else if (err)
			viommu_detach_pasid(ep, pasid);
	}
	mutex_unlock(&ep->viommu->attach_lock);
	return err;
}

/**
 * viommu_attach_table() - move an endpoint into a domain with a table
 * @domain: the domain
 * @dev: the endpoint's device
 *
 * Return: 0; -EINVAL if the two do not go together; another errno: then the endpoint
 * is blocked, or where it was, or the core blocks it.
 */
int viommu_attach_table(struct iommu_domain *domain, struct device *dev)
{
	return viommu_use_table(domain, dev, IOMMU_NO_PASID);
}

COMPAT_ATTACH_DEV(viommu_attach_table)

static int viommu_set_pasid(struct iommu_domain *domain, struct device *dev,
			    ioasid_t pasid)
{
	return viommu_use_table(domain, dev, pasid);
}

COMPAT_SET_PASID(viommu_set_pasid)

static void viommu_table_free(struct iommu_domain *domain)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	viommu_forget_domain(vdomain);
	viommu_domain_unbind(vdomain);
	/* The device may still read it, and never stop. */
	if (!vdomain->stuck)
		viommu_table_destroy(vdomain->table);
	xa_destroy(&vdomain->pasid_users);
	kfree(vdomain->table);
	kfree(vdomain);
}

static const struct iommu_domain_ops viommu_table_ops = {
	.attach_dev		= compat_viommu_attach_table,
	.set_dev_pasid		= compat_viommu_set_pasid,
	.map_pages		= viommu_table_map_pages,
	.unmap_pages		= viommu_table_unmap_pages,
	.iova_to_phys		= viommu_table_iova_to_phys,
	.iotlb_sync_map		= viommu_table_sync_map,
	.iotlb_sync		= viommu_table_iotlb_sync,
	.flush_iotlb_all	= viommu_table_flush_all,
	.free			= viommu_table_free,
};

/**
 * viommu_domain_alloc_table() - a new domain with an empty table
 * @viommu: the instance that gets it
 * @caps: of the endpoints that will be in it; viommu_tables_wanted() is true for them
 *
 * In Arm's format, if they know that, which their hardware may walk.
 *
 * Return: the domain or an ERR_PTR.
 */
struct iommu_domain *
viommu_domain_alloc_table(struct viommu_dev *viommu,
			  const struct viommu_table_caps *caps)
{
	struct viommu_domain *vdomain;
	struct iommu_domain *domain;
	int err = -ENOMEM;

	if (viommu_arm_caps_usable(caps))
		return viommu_domain_alloc_arm(viommu, caps);

	vdomain = kzalloc(sizeof(*vdomain), GFP_KERNEL);
	if (!vdomain)
		return ERR_PTR(-ENOMEM);
	vdomain->table = kzalloc(sizeof(*vdomain->table), GFP_KERNEL);
	if (!vdomain->table)
		goto err_free_domain;
	err = viommu_table_init(vdomain->table, caps->output_bits);
	if (err)
		goto err_free_table;

	viommu_domain_init(vdomain);
	domain = &vdomain->domain;
	domain->ops = &viommu_table_ops;
	err = viommu_domain_bind(vdomain, viommu);
	if (err)
		goto err_destroy_table;

	domain->pgsize_bitmap = caps->sizes;
	domain->geometry.aperture_start =
		max_t(u64, domain->geometry.aperture_start, caps->start);
	domain->geometry.aperture_end =
		min_t(u64, domain->geometry.aperture_end, caps->last);
	return domain;

err_destroy_table:
	viommu_table_destroy(vdomain->table);
err_free_table:
	kfree(vdomain->table);
err_free_domain:
	kfree(vdomain);
	return ERR_PTR(err);
}
