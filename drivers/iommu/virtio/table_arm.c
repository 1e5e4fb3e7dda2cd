// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains with tables in Arm's format, see table_arm.h. An SMMU caches nothing of what
 * is not valid, so the device hears of what has gone only.
 */
#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/gfp.h>
#include <linux/idr.h>
#include <linux/io-pgtable.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/virtio_iommu_tables.h>

#include <compat/iommu.h>

#include "table_arm.h"

#define INPUT_BITS	48
/* What is mapped for doorbells at the most, whatever the device says: Linux' has 1 MiB. */
#define DOORBELLS_MAX	SZ_16M

/* An ASID is of an address space of all instances together. */
static DEFINE_IDA(viommu_asids);

/**
 * viommu_arm_caps_usable() - can endpoints use a table that we build?
 * @caps: what they can do
 */
bool viommu_arm_caps_usable(const struct viommu_table_caps *caps)
{
	return caps->arm_format && caps->arm_cd_format && caps->asid_bits >= 8 &&
	       (caps->sizes & SZ_4K) && PAGE_SIZE == SZ_4K &&
	       caps->start < caps->last && caps->output_bits >= 32;
}

/* The widest output of those that a descriptor can name. */
static unsigned int viommu_arm_output_bits(unsigned int bits)
{
	static const unsigned int widths[] = { 48, 44, 42, 40, 36, 32 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(widths) - 1; i++)
		if (widths[i] <= bits)
			break;
	return widths[i];
}

/* Have the device forget a range, and wait until it has. */
static int viommu_arm_invalidate(struct viommu_domain *vdomain, u64 start,
				 u64 last, bool leaf)
{
	struct viommu_invalidation inv = {
		.domain = vdomain->id, .asid = vdomain->arm->asid,
		.start = start, .last = last, .leaf = leaf,
	};

	/* Someone who comes to use it now reads the table after we have written. */
	smp_mb();
	if (!READ_ONCE(vdomain->table_used))
		return 0;
	return viommu_invalidate(&vdomain->viommu->queue, &inv);
}

static void viommu_arm_sync(struct viommu_domain *vdomain, u64 start, u64 last)
{
	int err = viommu_arm_invalidate(vdomain, start, last, true);

	/* A device that is about to be reset will know nothing. */
	if (err && err != -ENODEV)
		dev_err_ratelimited(vdomain->viommu->dev,
				    "domain %u may still map 0x%llx to 0x%llx: invalidation failed (%d)\n",
				    vdomain->id, start, last, err);
}

static void viommu_arm_free_pages(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru)
		__free_page(page);
}

/* A table goes: io-pgtable frees it when this returns. */
static void viommu_arm_flush_walk(unsigned long iova, size_t size,
				  size_t granule, void *cookie)
{
	struct viommu_arm_table *arm = cookie;
	unsigned int failures = READ_ONCE(arm->failures);
	u64 start = iova, last = start + size - 1;
	unsigned long flags;
	LIST_HEAD(pages);
	int err;

	/* What has failed is made up for. */
	if (failures) {
		start = 0;
		last = U64_MAX;
	}
	err = viommu_arm_invalidate(arm->vdomain, start, last, false);
	spin_lock_irqsave(&arm->lock, flags);
	if (err) {
		arm->failures++;
	} else if (failures && arm->failures == failures) {
		arm->failures = 0;
		list_splice_init(&arm->kept, &pages);
	}
	spin_unlock_irqrestore(&arm->lock, flags);
	viommu_arm_free_pages(&pages);
}

static void viommu_arm_add_page(struct iommu_iotlb_gather *gather,
				unsigned long iova, size_t granule, void *cookie)
{
	iommu_iotlb_gather_add_range(gather, iova, granule);
}

/* Called before the whole table is freed: no endpoint is in the domain any more. */
static void viommu_arm_flush_all(void *cookie)
{
}

static const struct iommu_flush_ops viommu_arm_flush_ops = {
	.tlb_flush_all	= viommu_arm_flush_all,
	.tlb_flush_walk	= viommu_arm_flush_walk,
	.tlb_add_page	= viommu_arm_add_page,
};

/* No table is larger than a page. */
static void *viommu_arm_page_alloc(void *cookie, size_t size, gfp_t gfp)
{
	return size > PAGE_SIZE ? NULL : (void *)get_zeroed_page(gfp);
}

static void viommu_arm_page_free(void *cookie, void *page, size_t size)
{
	struct viommu_arm_table *arm = cookie;
	unsigned long flags;
	bool keep;

	spin_lock_irqsave(&arm->lock, flags);
	keep = arm->failures;
	if (keep)
		list_add(&virt_to_page(page)->lru, &arm->kept);
	spin_unlock_irqrestore(&arm->lock, flags);
	if (!keep)
		free_page((unsigned long)page);
}

static void viommu_arm_write_cd(struct viommu_arm_table *arm)
{
	const struct io_pgtable *pgtable = io_pgtable_ops_to_pgtable(arm->ops);
	const struct io_pgtable_cfg *cfg = &pgtable->cfg;
	u64 word = VIRTIO_IOMMU_ARM_CD_V | VIRTIO_IOMMU_ARM_CD_AA64 |
		   VIRTIO_IOMMU_ARM_CD_EPD1 | VIRTIO_IOMMU_ARM_CD_R |
		   VIRTIO_IOMMU_ARM_CD_A | VIRTIO_IOMMU_ARM_CD_ASET;

	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_T0SZ, cfg->arm_lpae_s1_cfg.tcr.tsz);
	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_TG0, cfg->arm_lpae_s1_cfg.tcr.tg);
	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_IR0, cfg->arm_lpae_s1_cfg.tcr.irgn);
	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_OR0, cfg->arm_lpae_s1_cfg.tcr.orgn);
	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_SH0, cfg->arm_lpae_s1_cfg.tcr.sh);
	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_IPS, cfg->arm_lpae_s1_cfg.tcr.ips);
	word |= FIELD_PREP(VIRTIO_IOMMU_ARM_CD_ASID, arm->asid);

	arm->cd[0] = cpu_to_le64(word);
	arm->cd[1] = cpu_to_le64(cfg->arm_lpae_s1_cfg.ttbr);
	arm->cd[3] = cpu_to_le64(cfg->arm_lpae_s1_cfg.mair);
}

static int viommu_arm_map_pages(struct iommu_domain *domain, unsigned long iova,
				phys_addr_t phys, size_t pgsize, size_t pgcount,
				int prot, gfp_t gfp, size_t *mapped)
{
	struct viommu_arm_table *arm = to_viommu_domain(domain)->arm;
	size_t size = pgsize * pgcount;

	*mapped = 0;
	if (!viommu_in_aperture(domain, iova, size) ||
	    phys + size - 1 > arm->output_last)
		return -ERANGE;
	return arm->ops->map_pages(arm->ops, iova, phys, pgsize, pgcount, prot,
				   gfp, mapped);
}

static int viommu_arm_sync_map(struct iommu_domain *domain, unsigned long iova,
			       size_t size)
{
	/* Entries come before what the driver tells its device about them. */
	mb();
	return 0;
}

static size_t viommu_arm_unmap_pages(struct iommu_domain *domain,
				     unsigned long iova, size_t pgsize,
				     size_t pgcount,
				     struct iommu_iotlb_gather *gather)
{
	struct viommu_arm_table *arm = to_viommu_domain(domain)->arm;

	return arm->ops->unmap_pages(arm->ops, iova, pgsize, pgcount, gather);
}

static phys_addr_t viommu_arm_iova_to_phys(struct iommu_domain *domain,
					   dma_addr_t iova)
{
	struct viommu_arm_table *arm = to_viommu_domain(domain)->arm;

	return arm->ops->iova_to_phys(arm->ops, iova);
}

static void viommu_arm_iotlb_sync(struct iommu_domain *domain,
				  struct iommu_iotlb_gather *gather)
{
	if (gather->start <= gather->end)
		viommu_arm_sync(to_viommu_domain(domain), gather->start,
				gather->end);
}

static void viommu_arm_flush_iotlb_all(struct iommu_domain *domain)
{
	viommu_arm_sync(to_viommu_domain(domain), 0, U64_MAX);
}

/* Does the endpoint know all that the table may have? */
static bool viommu_arm_fits(const struct viommu_domain *vdomain,
			    const struct viommu_table_caps *caps)
{
	const struct iommu_domain *domain = &vdomain->domain;

	return viommu_arm_caps_usable(caps) &&
	       !(domain->pgsize_bitmap & ~caps->sizes) &&
	       domain->geometry.aperture_start >= caps->start &&
	       domain->geometry.aperture_end <= caps->last &&
	       fls64(vdomain->arm->output_last) <= caps->output_bits &&
	       !(vdomain->arm->asid >> min(caps->asid_bits, 16U));
}

/* Map one page to itself, for the writes that signal interrupts. */
static int viommu_arm_map_doorbell(struct viommu_arm_table *arm, u64 page)
{
	size_t mapped;

	if (arm->ops->iova_to_phys(arm->ops, page))
		return 0;
	return arm->ops->map_pages(arm->ops, page, page, SZ_4K, 1,
				   IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO,
				   GFP_KERNEL, &mapped);
}

/*
 * An SMMU translates the writes that signal interrupts as well, and what the host has
 * for them is where the device says: in regions of the endpoint that nobody else maps.
 */
static int viommu_arm_map_doorbells(struct viommu_domain *vdomain,
				    struct viommu_endpoint *ep)
{
	struct iommu_resv_region *region;
	u64 page, last;
	int err = 0;

	list_for_each_entry(region, &ep->regions, list) {
		if (region->type != IOMMU_RESV_MSI)
			continue;
		last = region->start + region->length - 1;
		if (last > vdomain->arm->output_last ||
		    region->length > DOORBELLS_MAX)
			return -EINVAL;
		for (page = ALIGN_DOWN(region->start, SZ_4K); page <= last && !err;
		     page += SZ_4K)
			err = viommu_arm_map_doorbell(vdomain->arm, page);
	}
	return err;
}

/**
 * viommu_attach_arm() - move an endpoint into a domain with a table in Arm's format
 * @domain: the domain
 * @dev: the endpoint's device
 *
 * Return: 0; -EINVAL if the two do not go together; -ENOMEM; another errno, as
 * viommu_move_endpoint() has it.
 */
int viommu_attach_arm(struct iommu_domain *domain, struct device *dev)
{
	struct viommu_endpoint *ep = dev_iommu_priv_get(dev);
	struct viommu_domain *vdomain = to_viommu_domain(domain);
	int err;

	if (vdomain->viommu != ep->viommu ||
	    !viommu_arm_fits(vdomain, &ep->table_caps))
		return -EINVAL;

	mutex_lock(&ep->viommu->attach_lock);
	err = viommu_arm_map_doorbells(vdomain, ep);
	if (!err)
		err = viommu_move_endpoint(ep, vdomain);
	mutex_unlock(&ep->viommu->attach_lock);
	return err;
}

COMPAT_ATTACH_DEV(viommu_attach_arm)

static struct viommu_arm_table *
viommu_arm_table_create(struct viommu_domain *vdomain,
			const struct viommu_table_caps *caps)
{
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap	= caps->sizes,
		.ias		= INPUT_BITS,
		.oas		= viommu_arm_output_bits(caps->output_bits),
		.coherent_walk	= true,
		.tlb		= &viommu_arm_flush_ops,
		.alloc		= viommu_arm_page_alloc,
		.free		= viommu_arm_page_free,
		.iommu_dev	= vdomain->viommu->dev,
	};
	struct viommu_arm_table *arm;
	int asid;

	arm = kzalloc(sizeof(*arm), GFP_KERNEL);
	if (!arm)
		return NULL;
	arm->vdomain = vdomain;
	spin_lock_init(&arm->lock);
	INIT_LIST_HEAD(&arm->kept);
	arm->output_last = GENMASK_ULL(cfg.oas - 1, 0);

	arm->cd = (__le64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!arm->cd)
		goto err_free_arm;
	asid = ida_alloc_range(&viommu_asids, 1,
			       GENMASK(min(caps->asid_bits, 16U) - 1, 0),
			       GFP_KERNEL);
	if (asid < 0)
		goto err_free_cd;
	arm->asid = asid;
	arm->ops = alloc_io_pgtable_ops(ARM_64_LPAE_S1, &cfg, arm);
	if (!arm->ops)
		goto err_free_asid;
	viommu_arm_write_cd(arm);
	return arm;

err_free_asid:
	ida_free(&viommu_asids, asid);
err_free_cd:
	free_page((unsigned long)arm->cd);
err_free_arm:
	kfree(arm);
	return NULL;
}

/* @stuck: the device may still read it, and never stop. */
static void viommu_arm_table_destroy(struct viommu_arm_table *arm, bool stuck)
{
	if (stuck)
		return;
	arm->failures = 0;
	viommu_arm_free_pages(&arm->kept);
	free_io_pgtable_ops(arm->ops);
	ida_free(&viommu_asids, arm->asid);
	free_page((unsigned long)arm->cd);
	kfree(arm);
}

static void viommu_arm_free(struct iommu_domain *domain)
{
	struct viommu_domain *vdomain = to_viommu_domain(domain);

	viommu_forget_domain(vdomain);
	viommu_domain_unbind(vdomain);
	viommu_arm_table_destroy(vdomain->arm, vdomain->stuck);
	kfree(vdomain);
}

static const struct iommu_domain_ops viommu_arm_ops = {
	.attach_dev		= compat_viommu_attach_arm,
	.map_pages		= viommu_arm_map_pages,
	.unmap_pages		= viommu_arm_unmap_pages,
	.iova_to_phys		= viommu_arm_iova_to_phys,
	.iotlb_sync_map		= viommu_arm_sync_map,
	.iotlb_sync		= viommu_arm_iotlb_sync,
	.flush_iotlb_all	= viommu_arm_flush_iotlb_all,
	.free			= viommu_arm_free,
};

/**
 * viommu_domain_alloc_arm() - a new domain with an empty table
 * @viommu: the instance that gets it
 * @caps: of the endpoints that will be in it; viommu_arm_caps_usable()
 *
 * Return: the domain or an ERR_PTR.
 */
struct iommu_domain *viommu_domain_alloc_arm(struct viommu_dev *viommu,
					     const struct viommu_table_caps *caps)
{
	struct iommu_domain_geometry *geometry;
	struct viommu_domain *vdomain;
	int err;

	vdomain = kzalloc(sizeof(*vdomain), GFP_KERNEL);
	if (!vdomain)
		return ERR_PTR(-ENOMEM);

	viommu_domain_init(vdomain);
	vdomain->domain.ops = &viommu_arm_ops;
	err = viommu_domain_bind(vdomain, viommu);
	if (err)
		goto err_free_domain;
	vdomain->arm = viommu_arm_table_create(vdomain, caps);
	if (!vdomain->arm) {
		err = -ENOMEM;
		goto err_unbind;
	}

	geometry = &vdomain->domain.geometry;
	vdomain->domain.pgsize_bitmap = caps->sizes;
	geometry->aperture_start = max_t(u64, geometry->aperture_start,
					 caps->start);
	geometry->aperture_end = min_t(u64, geometry->aperture_end, caps->last);
	return &vdomain->domain;

err_unbind:
	viommu_domain_unbind(vdomain);
err_free_domain:
	kfree(vdomain);
	return ERR_PTR(err);
}
