// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains whose page table is the guest's own, see
 * Documentation/virtio/page-tables.rst.
 *
 * The hardware that we program knows nothing of the guest's table. So in a domain
 * with an assigned endpoint each leaf of the table is a mapping, like one of a MAP
 * request: the hardware domains follow from the mappings and stage 2 as ever, and
 * mappings are limited in number. The mappings are what the table had when its
 * domain got the first assigned endpoint, or when an INVALIDATE named the address
 * last. Each is exactly one leaf, so that it can be replaced without a moment
 * in which a neighbour is not there.
 *
 * In a domain of emulated endpoints there are no mappings: the table is looked at
 * when the VMM asks for a translation. Those of a domain whose last assigned
 * endpoint VFIO has taken away, without the instance's lock, stay until the domain
 * goes or gets another one; nothing follows from them meanwhile.
 */
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/virtio_iommu_tables.h>

#include "domain.h"
#include "endpoint.h"
#include "memtable.h"
#include "shadow.h"
#include "stage2.h"
#include "table.h"
#include "vhost_iommu.h"

static u64 leaf_sizes(const struct vhost_iommu_config *config)
{
	return config->page_size_mask & (SZ_4K | SZ_2M | SZ_1G);
}

static u64 input_last(const struct vhost_iommu_config *config)
{
	return min(config->input_end, VHOST_IOMMU_TABLE_LAST);
}

/* Does the device have to act as if a leaf were not present? */
static bool usable(const struct vhost_iommu_domain *domain,
		   const struct vhost_iommu_ep *joining,
		   const struct vhost_iommu_table_span *span)
{
	const struct vhost_iommu_config *config = &domain->vi->config;

	return span->flags && span->start >= config->input_start &&
	       span->last <= config->input_end &&
	       !vhost_iommu_domain_reserved(domain, span->start, span->last) &&
	       !(joining && vhost_iommu_regions_find(&joining->resv, span->start,
						     span->last));
}

static void forget(struct vhost_iommu_domain *domain, u64 start, u64 last)
{
	struct vhost_iommu_mapping *m;

	while ((m = vhost_iommu_mapping_find(&domain->mappings, start, last))) {
		vhost_iommu_domain_unmap(domain, m);
		cond_resched();
	}
}

static bool is_mapped(struct vhost_iommu_domain *domain,
		      const struct vhost_iommu_table_span *span)
{
	const struct vhost_iommu_mapping *m;

	m = vhost_iommu_mapping_find(&domain->mappings, span->start, span->last);
	return m && m->node.start == span->start && m->node.last == span->last &&
	       m->gpa == span->gpa && m->flags == span->flags;
}

/* Have the mappings be what the table has in a span. */
static int follow(struct vhost_iommu_domain *domain,
		  const struct vhost_iommu_ep *joining,
		  const struct vhost_iommu_table_span *span)
{
	struct vhost_iommu_mapping *m;
	int ret;

	if (!usable(domain, joining, span)) {
		forget(domain, span->start, span->last);
		return 0;
	}
	if (is_mapped(domain, span))
		return 0;
	forget(domain, span->start, span->last);

	if (domain->vi->nr_mappings >= vhost_iommu_mappings_limit())
		return -ENOSPC;
	m = vhost_iommu_mapping_add(&domain->mappings, span->start, span->last,
				    span->gpa, span->flags);
	if (!m)
		return -ENOMEM;
	ret = vhost_iommu_domain_map(domain, m);
	if (ret < 0) {
		vhost_iommu_mapping_del(&domain->mappings, m);
		return ret;
	}
	/* One without memory stays as well: stage 2 may bring it. */
	domain->vi->nr_mappings++;
	return 0;
}

/* A leaf that is mapped is looked at as a whole. */
static void widen(struct vhost_iommu_domain *domain, u64 *start, u64 *last)
{
	const struct vhost_iommu_mapping *m;

	m = vhost_iommu_mapping_find(&domain->mappings, *start, *start);
	if (m)
		*start = m->node.start;
	m = vhost_iommu_mapping_find(&domain->mappings, *last, *last);
	if (m)
		*last = m->node.last;
}

/*
 * Have the mappings of a range be what the table has there. On failure there is
 * nothing in the range: what has changed must not be reached any more. Mappings of
 * leaves that have not changed are not touched.
 */
static int sync_range(struct vhost_iommu_domain *domain,
		      const struct vhost_iommu_ep *joining, u64 start, u64 last)
{
	struct vhost_iommu *vi = domain->vi;
	struct vhost_iommu_table_span span;
	struct vhost_iommu_table_walk w;
	u64 iova;
	int ret;

	start = max(start, vi->config.input_start);
	last = min(last, input_last(&vi->config));
	if (start > last)
		return 0;
	widen(domain, &start, &last);
	vhost_iommu_table_walk_init(&w, vi->mem, domain->root,
				    leaf_sizes(&vi->config), last,
				    vhost_iommu_mappings_limit());

	for (iova = start;; iova = span.last + 1) {
		ret = fatal_signal_pending(current) ? -EINTR :
		      vhost_iommu_table_step(&w, iova, &span);
		if (ret)
			break;
		/* A hole may be larger than the range, a leaf counts as a whole. */
		if (!span.flags)
			span.last = min(span.last, last);
		ret = follow(domain, joining, &span);
		if (ret || span.last >= last)
			break;
		cond_resched();
	}
	if (ret)
		forget(domain, start, last);
	return ret;
}

/**
 * vhost_iommu_shadow_begin() - before an assigned endpoint comes into a domain
 * @domain: the domain, of any kind
 * @ep: the endpoint
 *
 * Gives a domain with a table its mappings, if the endpoint is the first one that
 * needs them.
 *
 * Return: 0; -ENOMEM; -ENOSPC if the limits do not allow it; -EINTR. The domain is as
 * it was then.
 */
int vhost_iommu_shadow_begin(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_ep *ep)
{
	lockdep_assert_held(&domain->vi->lock);
	lockdep_assert_held_write(&domain->vi->s2->lock);

	if (!vhost_iommu_domain_has_table(domain) ||
	    !list_empty(&domain->hwdoms))
		return 0;
	return sync_range(domain, ep, 0, U64_MAX);
}

/**
 * vhost_iommu_shadow_end() - after an assigned endpoint may have left a domain
 * @domain: the domain, of any kind
 *
 * Takes the mappings from a domain with a table if nobody needs them any more.
 */
void vhost_iommu_shadow_end(struct vhost_iommu_domain *domain)
{
	lockdep_assert_held(&domain->vi->lock);

	if (vhost_iommu_domain_has_table(domain) &&
	    list_empty(&domain->hwdoms))
		forget(domain, 0, U64_MAX);
}

/**
 * vhost_iommu_shadow_translate() - look an address up for an emulated endpoint
 * @domain: a domain with a table
 * @tr: argument of the ioctl; the answer, as in vhost_iommu_ep_translate()
 */
void vhost_iommu_shadow_translate(struct vhost_iommu_domain *domain,
				  struct vhost_iommu_translate *tr)
{
	const struct vhost_iommu_config *config = &domain->vi->config;
	struct vhost_iommu_table_span span;
	struct vhost_iommu_table_walk w;

	lockdep_assert_held(&domain->vi->lock);

	if (tr->iova > input_last(config)) {
		tr->start = tr->iova;
		return;
	}
	vhost_iommu_table_walk_init(&w, domain->vi->mem, domain->root,
				    leaf_sizes(config), tr->iova,
				    VHOST_IOMMU_TABLE_LEVELS);
	vhost_iommu_table_step(&w, tr->iova, &span);
	tr->start = max(tr->start, span.start);
	tr->last = min(tr->last, span.last);
	if (!usable(domain, NULL, &span))
		return;
	tr->gpa = span.gpa + (tr->iova - span.start);
	tr->perm = span.flags;
}

static bool is_zero(const u8 *bytes, size_t size)
{
	return !memchr_inv(bytes, 0, size);
}

/**
 * vhost_iommu_attach_table() - ATTACH_TABLE request
 * @vi: the instance
 * @req: the request, all of it
 *
 * Return: see "ATTACH_TABLE" in Documentation/virtio/page-tables.rst.
 */
u8 vhost_iommu_attach_table(struct vhost_iommu *vi,
			    const struct virtio_iommu_req_attach_pgt_x86_64 *req)
{
	u64 root = le64_to_cpu(req->pgd);
	__le64 entry;

	lockdep_assert_held(&vi->lock);

	if (le16_to_cpu(req->format) != VIRTIO_IOMMU_FORMAT_PGTF_X86_64)
		return VIRTIO_IOMMU_S_UNSUPP;
	if (!is_zero(req->reserved, sizeof(req->reserved)) ||
	    !is_zero(req->reserved2, sizeof(req->reserved2)))
		return VIRTIO_IOMMU_S_INVAL;
	if (root & ~VIRTIO_IOMMU_X86_64_ADDR_MASK)
		return VIRTIO_IOMMU_S_RANGE;
	if (vhost_iommu_mem_read(vi->mem, root, &entry, sizeof(entry)))
		return VIRTIO_IOMMU_S_FAULT;
	return vhost_iommu_domain_attach(vi, le32_to_cpu(req->domain),
					 le32_to_cpu(req->endpoint), false, root);
}

/* The range of an INVALIDATE. */
static u8 decode_range(struct vhost_iommu *vi,
		       const struct virtio_iommu_req_invalidate *req, u64 *start,
		       u64 *last)
{
	u64 nr = le64_to_cpu(req->nr_pages), size;

	if (le16_to_cpu(req->inv_gran) == VIRTIO_IOMMU_INVAL_G_DOMAIN) {
		*start = 0;
		*last = U64_MAX;
		return VIRTIO_IOMMU_S_OK;
	}
	if (!nr)
		return VIRTIO_IOMMU_S_INVAL;
	if (req->granule >= 64 ||
	    !(BIT_ULL(req->granule) & leaf_sizes(&vi->config)))
		return VIRTIO_IOMMU_S_RANGE;
	*start = le64_to_cpu(req->virt_start);
	if (!IS_ALIGNED(*start, BIT_ULL(req->granule)) ||
	    check_mul_overflow(nr, BIT_ULL(req->granule), &size) ||
	    check_add_overflow(*start, size - 1, last))
		return VIRTIO_IOMMU_S_RANGE;
	return VIRTIO_IOMMU_S_OK;
}

static u8 check_invalidate(const struct virtio_iommu_req_invalidate *req)
{
	u16 type = le16_to_cpu(req->inv_type);
	u16 flags = le16_to_cpu(req->flags);

	if (!is_zero(req->reserved1, sizeof(req->reserved1)) ||
	    !is_zero(req->reserved2, sizeof(req->reserved2)) ||
	    !is_zero(req->reserved3, sizeof(req->reserved3)))
		return VIRTIO_IOMMU_S_INVAL;
	if (!type || (type & ~(VIRTIO_IOMMU_INV_T_IOTLB |
			       VIRTIO_IOMMU_INV_T_DEV_IOTLB |
			       VIRTIO_IOMMU_INV_T_PASID)) ||
	    (flags & ~(VIRTIO_IOMMU_INVAL_F_PASID |
		       VIRTIO_IOMMU_INVAL_F_ARCHID |
		       VIRTIO_IOMMU_INVAL_F_LEAF)))
		return VIRTIO_IOMMU_S_INVAL;
	if ((type & VIRTIO_IOMMU_INV_T_PASID) ||
	    (flags & ~VIRTIO_IOMMU_INVAL_F_LEAF))
		return VIRTIO_IOMMU_S_UNSUPP;

	switch (le16_to_cpu(req->inv_gran)) {
	case VIRTIO_IOMMU_INVAL_G_DOMAIN:
	case VIRTIO_IOMMU_INVAL_G_VA:
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_INVAL_G_PASID:
		return VIRTIO_IOMMU_S_UNSUPP;
	default:
		return VIRTIO_IOMMU_S_INVAL;
	}
}

/**
 * vhost_iommu_invalidate_table() - INVALIDATE request
 * @vi: the instance
 * @req: the request, all of it
 * @wide: set if it may have taken a while
 *
 * The caller has to call vhost_iommu_flush() before the guest learns of it.
 *
 * Return: see "INVALIDATE" in Documentation/virtio/page-tables.rst.
 */
u8 vhost_iommu_invalidate_table(struct vhost_iommu *vi,
				const struct virtio_iommu_req_invalidate *req,
				bool *wide)
{
	struct vhost_iommu_domain *domain;
	u64 start, last;
	u8 status;

	lockdep_assert_held(&vi->lock);
	if (vi->s2)
		lockdep_assert_held(&vi->s2->lock);

	status = check_invalidate(req);
	if (status)
		return status;
	status = decode_range(vi, req, &start, &last);
	if (status)
		return status;
	domain = xa_load(&vi->domains, le32_to_cpu(req->domain));
	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	if (!vhost_iommu_domain_has_table(domain))
		return VIRTIO_IOMMU_S_INVAL;
	vhost_iommu_domain_invalidate(domain, start, last);
	if (list_empty(&domain->hwdoms))
		return VIRTIO_IOMMU_S_OK;
	*wide = last - start >= SZ_2M;
	return vhost_iommu_status(sync_range(domain, NULL, start, last));
}

/**
 * vhost_iommu_tables_possible() - can a configuration go with tables?
 * @config: the configuration
 */
bool vhost_iommu_tables_possible(const struct vhost_iommu_config *config)
{
	return (config->page_size_mask & SZ_4K) &&
	       config->input_start <= VHOST_IOMMU_TABLE_LAST &&
	       config->probe_size;
}

/* What PROBE says of tables. */
struct tables_properties {
	struct virtio_iommu_probe_page_size_mask	sizes;
	struct virtio_iommu_probe_input_range		input;
	struct virtio_iommu_probe_output_size		output;
	struct virtio_iommu_probe_pasid_size		pasid;
	struct virtio_iommu_probe_pgtf_x86_64		format;
};

/**
 * vhost_iommu_tables_size() - bytes of the properties that are about tables
 * @vi: the instance
 */
size_t vhost_iommu_tables_size(const struct vhost_iommu *vi)
{
	return vi->config.flags & VHOST_IOMMU_CONFIG_PAGE_TABLES ?
	       sizeof(struct tables_properties) : 0;
}

static struct virtio_iommu_probe_property head(u16 type, size_t size)
{
	return (struct virtio_iommu_probe_property) {
		.type = cpu_to_le16(type),
		.length = cpu_to_le16(size -
				sizeof(struct virtio_iommu_probe_property)),
	};
}

/**
 * vhost_iommu_tables_encode() - write the properties that are about tables
 * @ep: the endpoint; if its guest has not accepted tables, it has none
 * @buf: zeroed, vhost_iommu_tables_size() bytes
 */
void vhost_iommu_tables_encode(const struct vhost_iommu_ep *ep, void *buf)
{
	const struct vhost_iommu_config *config = &ep->vi->config;
	struct tables_properties *p = buf;

	if (!vhost_iommu_tables_size(ep->vi) ||
	    !(ep->vi->features & BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE)))
		return;
	p->sizes.head = head(VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK,
			     sizeof(p->sizes));
	p->sizes.mask = cpu_to_le64(leaf_sizes(config));
	p->input.head = head(VIRTIO_IOMMU_PROBE_T_INPUT_RANGE,
			     sizeof(p->input));
	p->input.start = cpu_to_le64(config->input_start);
	p->input.end = cpu_to_le64(input_last(config));
	p->output.head = head(VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE,
			      sizeof(p->output));
	p->output.bits = fls64(VIRTIO_IOMMU_X86_64_ADDR_MASK);
	p->pasid.head = head(VIRTIO_IOMMU_PROBE_T_PASID_SIZE,
			     sizeof(p->pasid));
	p->format.head = head(VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT,
			      sizeof(p->format));
	p->format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_X86_64);
	if (!ep->assigned)
		p->format.flags =
			cpu_to_le64(VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE);
}
