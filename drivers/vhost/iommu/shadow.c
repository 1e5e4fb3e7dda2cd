// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains whose page table is the guest's own, see
 * Documentation/virtio/page-tables.rst: what of it is in the hardware.
 *
 * The hardware that we program knows nothing of the guest's table. So in a domain
 * with an assigned endpoint the leaves of the table are mappings, like those of MAP
 * requests: the hardware domains follow from the mappings and stage 2 as ever, and
 * leaves are limited in number. The mappings are what the table had when its domain
 * got the first assigned endpoint, or when an INVALIDATE named the address last.
 *
 * Leaves of one size that go on from each other, found together, are one mapping. In
 * the hardware none is part of a larger page (hwdom.c), so that each can be replaced
 * without a moment in which a neighbour is not there.
 *
 * In a domain of emulated endpoints there are no mappings: the table is looked at
 * when the VMM asks for a translation. Those of a domain whose last assigned
 * endpoint VFIO has taken away, without the instance's lock, stay until the domain
 * goes or gets another one; nothing follows from them meanwhile.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/sched/signal.h>

#include "domain.h"
#include "endpoint.h"
#include "memtable.h"
#include "pasid.h"
#include "shadow.h"
#include "stage2.h"
#include "table.h"
#include "vhost_iommu.h"

/* Does the device not have to act as if one of the leaves were not present? */
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

/* Take leaves out of a mapping: those that are in the range, each as a whole. */
static void cut(struct vhost_iommu_domain *domain, struct vhost_iommu_mapping *m,
		u64 start, u64 last)
{
	u64 size = BIT_ULL(m->shift);

	start = max_t(u64, ALIGN_DOWN(start, size), m->node.start);
	last = min_t(u64, last | (size - 1), m->node.last);
	vhost_iommu_domain_cut(domain, m, start, last);
}

static void forget(struct vhost_iommu_domain *domain, u64 start, u64 last)
{
	struct vhost_iommu_mapping *m;

	while ((m = vhost_iommu_mapping_find(&domain->mappings, start, last))) {
		cut(domain, m, start, last);
		cond_resched();
	}
}

/* Is a mapping, where it overlaps the leaves of a span, just what they are? */
static bool agrees(const struct vhost_iommu_mapping *m,
		   const struct vhost_iommu_table_span *span)
{
	return m->shift == span->shift && m->flags == span->flags &&
	       m->gpa - m->node.start == span->gpa - span->start;
}

static void forget_others(struct vhost_iommu_domain *domain,
			  const struct vhost_iommu_table_span *span)
{
	struct vhost_iommu_mapping *m;
	u64 start = span->start;

	while (start <= span->last) {
		m = vhost_iommu_mapping_find(&domain->mappings, start,
					     span->last);
		if (!m)
			break;
		if (agrees(m, span))
			start = m->node.last + 1;
		else
			cut(domain, m, start, span->last);
		cond_resched();
	}
}

/* Map the leaves of a span in [start, last]. */
static int add(struct vhost_iommu_domain *domain,
	       const struct vhost_iommu_table_span *span, u64 start, u64 last)
{
	u64 nr = (last - start + 1) >> span->shift;
	struct vhost_iommu *vi = domain->vi;
	struct vhost_iommu_mapping *m;
	int ret;

	if (vi->nr_mappings + nr > vhost_iommu_mappings_limit())
		return -ENOSPC;
	m = vhost_iommu_mapping_add(&domain->mappings, start, last,
				    span->gpa + (start - span->start),
				    span->flags);
	if (!m)
		return -ENOMEM;
	m->shift = span->shift;
	ret = vhost_iommu_domain_map(domain, m);
	if (ret < 0) {
		vhost_iommu_mapping_del(&domain->mappings, m);
		return ret;
	}
	/* One without memory stays as well: stage 2 may bring it. */
	vi->nr_mappings += nr;
	return 0;
}

static int add_missing(struct vhost_iommu_domain *domain,
		       const struct vhost_iommu_table_span *span)
{
	u64 start = span->start, end;
	struct vhost_iommu_mapping *m;
	int ret = 0;

	while (!ret && start <= span->last) {
		m = vhost_iommu_mapping_find(&domain->mappings, start,
					     span->last);
		end = m ? m->node.start : span->last + 1;
		if (start < end)
			ret = add(domain, span, start, end - 1);
		if (!m)
			break;
		start = m->node.last + 1;
		cond_resched();
	}
	return ret;
}

/* Have the mappings be what the table has in a span. */
static int follow(struct vhost_iommu_domain *domain,
		  const struct vhost_iommu_table_span *span)
{
	if (!span->flags) {
		forget(domain, span->start, span->last);
		return 0;
	}
	forget_others(domain, span);
	return add_missing(domain, span);
}

/* A leaf that is mapped is looked at as a whole. */
static void widen(struct vhost_iommu_domain *domain, u64 *start, u64 *last)
{
	const struct vhost_iommu_mapping *m;

	m = vhost_iommu_mapping_find(&domain->mappings, *start, *start);
	if (m)
		*start = ALIGN_DOWN(*start, BIT_ULL(m->shift));
	m = vhost_iommu_mapping_find(&domain->mappings, *last, *last);
	if (m)
		*last |= BIT_ULL(m->shift) - 1;
}

/* What the device acts on of a span: as much of it as is all usable, or a hole. */
static void trim(const struct vhost_iommu_domain *domain,
		 const struct vhost_iommu_ep *joining, u64 last,
		 struct vhost_iommu_table_span *span)
{
	/* A hole may be larger than the range, a leaf counts as a whole. */
	if (!span->flags) {
		span->last = min(span->last, last);
		return;
	}
	if (usable(domain, joining, span))
		return;
	span->last = span->start + BIT_ULL(span->shift) - 1;
	if (!usable(domain, joining, span))
		span->flags = 0;
}

/* Have @next be a part of @span, if it goes on from there. */
static bool join(struct vhost_iommu_table_span *span,
		 const struct vhost_iommu_table_span *next)
{
	if (next->start != span->last + 1 || next->flags != span->flags)
		return false;
	if (next->flags &&
	    (next->shift != span->shift ||
	     next->gpa - next->start != span->gpa - span->start))
		return false;
	span->last = next->last;
	return true;
}

/* Follow a table from @start to @last. */
static int follow_range(struct vhost_iommu_domain *domain,
			const struct vhost_iommu_ep *joining, u64 start, u64 last)
{
	struct vhost_iommu_table_span span, next;
	struct vhost_iommu_table_walk w;
	u64 iova = start;
	int ret;

	vhost_iommu_table_walk_init(&w, domain->vi->mem, domain->root,
				    vhost_iommu_table_sizes(&domain->vi->config),
				    last, vhost_iommu_mappings_limit());
	do {
		ret = fatal_signal_pending(current) ? -EINTR :
		      vhost_iommu_table_step(&w, iova, &next);
		if (ret)
			return ret;
		trim(domain, joining, last, &next);
		if (iova == start) {
			span = next;
		} else if (!join(&span, &next)) {
			ret = follow(domain, &span);
			span = next;
		}
		iova = next.last + 1;
		cond_resched();
	} while (!ret && next.last < last);

	return ret ?: follow(domain, &span);
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
	int ret;

	start = max(start, vi->config.input_start);
	last = min(last, vhost_iommu_table_last(&vi->config));
	if (start > last)
		return 0;
	if (domain->root == VHOST_IOMMU_NO_TABLE) {
		forget(domain, start, last);
		return 0;
	}
	widen(domain, &start, &last);
	ret = follow_range(domain, joining, start, last);
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
 * vhost_iommu_shadow_sync() - the table of a domain has changed
 * @domain: a domain with a table
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 *
 * The caller has to call vhost_iommu_flush() before the guest learns of it.
 *
 * Return: 0; -ENOMEM; -ENOSPC if the limits do not allow it; -EINTR; or an error of
 * the IOMMU driver. Nothing is mapped in the range then.
 */
int vhost_iommu_shadow_sync(struct vhost_iommu_domain *domain, u64 start, u64 last)
{
	lockdep_assert_held(&domain->vi->lock);

	if (list_empty(&domain->hwdoms))
		return 0;
	return sync_range(domain, NULL, start, last);
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
	u64 root = domain->root;

	lockdep_assert_held(&domain->vi->lock);

	if (vhost_iommu_domain_has_pasids(domain))
		root = vhost_iommu_pasid_root(domain->vi, domain->pasids);
	if (tr->iova > vhost_iommu_table_last(config) || root == VHOST_IOMMU_NO_TABLE) {
		tr->start = tr->iova;
		return;
	}
	vhost_iommu_table_walk_init(&w, domain->vi->mem, root,
				    vhost_iommu_table_sizes(config), tr->iova,
				    VHOST_IOMMU_TABLE_LEVELS);
	vhost_iommu_table_step(&w, tr->iova, &span);
	tr->start = max(tr->start, span.start);
	tr->last = min(tr->last, span.last);
	if (!usable(domain, NULL, &span))
		return;
	tr->gpa = span.gpa + (tr->iova - span.start);
	tr->perm = span.flags;
}
