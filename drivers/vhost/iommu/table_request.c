// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest that owns its tables asks for, see
 * Documentation/virtio/page-tables.rst: requests decoded and checked, and what PROBE
 * says.
 */
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/virtio_iommu_tables.h>

#include "domain.h"
#include "endpoint.h"
#include "iommufd.h"
#include "memtable.h"
#include "nest.h"
#include "pasid.h"
#include "shadow.h"
#include "stage2.h"
#include "table_request.h"
#include "vhost_iommu.h"

/* Values of S1DSS: terminate, bypass, the first descriptor */
#define ARM_S1DSS_LAST	2

static bool is_zero(const u8 *bytes, size_t size)
{
	return !memchr_inv(bytes, 0, size);
}

static u8 attach_page_table(struct vhost_iommu *vi,
			    const struct virtio_iommu_req_attach_pgt_x86_64 *req)
{
	const struct vhost_iommu_kind kind = {
		.root = le64_to_cpu(req->pgd),
		.pasids = VHOST_IOMMU_NO_TABLE,
	};
	__le64 entry;

	if (!is_zero(req->reserved, sizeof(req->reserved)) ||
	    !is_zero(req->reserved2, sizeof(req->reserved2)))
		return VIRTIO_IOMMU_S_INVAL;
	if (kind.root & ~VIRTIO_IOMMU_X86_64_ADDR_MASK)
		return VIRTIO_IOMMU_S_RANGE;
	if (vhost_iommu_mem_read(vi->mem, kind.root, &entry, sizeof(entry)))
		return VIRTIO_IOMMU_S_FAULT;
	return vhost_iommu_domain_attach(vi, le32_to_cpu(req->domain),
					 le32_to_cpu(req->endpoint), &kind);
}

static u8 attach_pasid_table(struct vhost_iommu *vi,
			     const struct virtio_iommu_req_attach_pasid_table *req)
{
	struct vhost_iommu_kind kind = { .pasids = le64_to_cpu(req->table) };
	__le64 entry;

	if (req->reserved || !is_zero(req->reserved2, sizeof(req->reserved2)))
		return VIRTIO_IOMMU_S_INVAL;
	if (kind.pasids & ~VIRTIO_IOMMU_PASIDTF_ADDR_MASK)
		return VIRTIO_IOMMU_S_RANGE;
	/* No endpoint has a PASID. */
	if (req->bits)
		return VIRTIO_IOMMU_S_UNSUPP;
	if (vhost_iommu_mem_read(vi->mem, kind.pasids, &entry, sizeof(entry)))
		return VIRTIO_IOMMU_S_FAULT;
	kind.root = vhost_iommu_pasid_entry_root(le64_to_cpu(entry));
	return vhost_iommu_pasids_attach(vi, le32_to_cpu(req->domain),
					 le32_to_cpu(req->endpoint), &kind);
}

/* The hardware finds out whether it is memory. */
static u8 attach_arm(struct vhost_iommu *vi,
		     const struct virtio_iommu_req_attach_pst_arm *req)
{
	const struct vhost_iommu_kind kind = {
		.arm = true,
		.root = VHOST_IOMMU_NO_TABLE,
		.pasids = le64_to_cpu(req->s1contextptr),
	};

	if (!is_zero(req->reserved, sizeof(req->reserved)))
		return VIRTIO_IOMMU_S_INVAL;
	if (kind.pasids & ~VIRTIO_IOMMU_ARM_CDS_ADDR_MASK)
		return VIRTIO_IOMMU_S_RANGE;
	/* No endpoint has a PASID: the table is one descriptor. */
	if (req->s1cdmax || req->s1fmt || req->s1dss > ARM_S1DSS_LAST)
		return VIRTIO_IOMMU_S_UNSUPP;
	return vhost_iommu_pasids_attach(vi, le32_to_cpu(req->domain),
					 le32_to_cpu(req->endpoint), &kind);
}

/**
 * vhost_iommu_attach_table() - ATTACH_TABLE request
 * @vi: the instance
 * @req: the request, all of it
 *
 * Return: see "ATTACH_TABLE" in Documentation/virtio/page-tables.rst.
 */
u8 vhost_iommu_attach_table(struct vhost_iommu *vi,
			    const union vhost_iommu_attach_table *req)
{
	lockdep_assert_held(&vi->lock);

	switch (le16_to_cpu(req->any.format)) {
	case VIRTIO_IOMMU_FORMAT_PGTF_X86_64:
		return attach_page_table(vi, &req->x86_64);
	case VIRTIO_IOMMU_FORMAT_PASIDTF:
		return attach_pasid_table(vi, &req->pasids);
	case VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3:
		return attach_arm(vi, &req->arm);
	default:
		return VIRTIO_IOMMU_S_UNSUPP;
	}
}

/* The range of an INVALIDATE. */
static u8 decode_range(struct vhost_iommu *vi,
		       const struct virtio_iommu_req_invalidate *req, u64 *start,
		       u64 *last)
{
	u64 nr = le64_to_cpu(req->nr_pages), size;

	if (le16_to_cpu(req->inv_gran) != VIRTIO_IOMMU_INVAL_G_VA) {
		*start = 0;
		*last = U64_MAX;
		return VIRTIO_IOMMU_S_OK;
	}
	if (!nr)
		return VIRTIO_IOMMU_S_INVAL;
	if (req->granule >= 64 ||
	    !(BIT_ULL(req->granule) & vhost_iommu_table_sizes(&vi->config)))
		return VIRTIO_IOMMU_S_RANGE;
	*start = le64_to_cpu(req->virt_start);
	if (!IS_ALIGNED(*start, BIT_ULL(req->granule)) ||
	    check_mul_overflow(nr, BIT_ULL(req->granule), &size) ||
	    check_add_overflow(*start, size - 1, last))
		return VIRTIO_IOMMU_S_RANGE;
	return VIRTIO_IOMMU_S_OK;
}

/* What can be said without the domain. */
static u8 check_invalidate(const struct virtio_iommu_req_invalidate *req)
{
	u16 granularity = le16_to_cpu(req->inv_gran);
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
	switch (granularity) {
	case VIRTIO_IOMMU_INVAL_G_DOMAIN:
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_INVAL_G_PASID:
		return flags & VIRTIO_IOMMU_INVAL_F_PASID ?
		       VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
	case VIRTIO_IOMMU_INVAL_G_VA:
		return type & VIRTIO_IOMMU_INV_T_PASID ?
		       VIRTIO_IOMMU_S_INVAL : VIRTIO_IOMMU_S_OK;
	default:
		return VIRTIO_IOMMU_S_INVAL;
	}
}

/* Has every SMMU that walks the table ASIDs that large? It takes no other in a command. */
static bool asid_fits(const struct vhost_iommu_domain *domain, u64 asid)
{
	const struct vhost_iommu_hwdom *hw;

	list_for_each_entry(hw, &domain->nests, owner_list)
		if (asid >> hw->class->nest->asid_bits)
			return false;
	return asid <= U16_MAX;
}

/* Does the request go with the domain's kind of table? */
static u8 check_pasid(const struct vhost_iommu_domain *domain,
		      const struct virtio_iommu_req_invalidate *req)
{
	bool pasid = le16_to_cpu(req->flags) & VIRTIO_IOMMU_INVAL_F_PASID;
	bool asid = le16_to_cpu(req->flags) & VIRTIO_IOMMU_INVAL_F_ARCHID;

	if (!vhost_iommu_domain_has_table(domain))
		return VIRTIO_IOMMU_S_INVAL;
	if (asid && !domain->arm)
		return VIRTIO_IOMMU_S_UNSUPP;
	if (asid && !asid_fits(domain, le64_to_cpu(req->archid)))
		return VIRTIO_IOMMU_S_RANGE;
	if (!vhost_iommu_domain_has_pasids(domain))
		return pasid || vhost_iommu_invalidates_pasids(req) ?
		       VIRTIO_IOMMU_S_INVAL : VIRTIO_IOMMU_S_OK;
	if (!pasid)
		return le16_to_cpu(req->inv_gran) == VIRTIO_IOMMU_INVAL_G_DOMAIN ?
		       VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_INVAL;
	return req->pasid ? VIRTIO_IOMMU_S_UNSUPP : VIRTIO_IOMMU_S_OK;
}

/* Have the hardware that walks the table forget. */
static void pass_down(struct vhost_iommu_domain *domain,
		      const struct virtio_iommu_req_invalidate *req, u64 start,
		      u64 last)
{
	u16 flags = le16_to_cpu(req->flags);
	const struct vhost_iommu_change change = {
		.start = start,
		.last = last,
		.asid = le64_to_cpu(req->archid),
		.has_asid = flags & VIRTIO_IOMMU_INVAL_F_ARCHID,
		.entries = vhost_iommu_invalidates_pasids(req),
		.leaf = flags & VIRTIO_IOMMU_INVAL_F_LEAF,
	};

	vhost_iommu_nest_invalidate(domain, &change);
}

/**
 * vhost_iommu_invalidate_table() - INVALIDATE request
 * @vi: the instance
 * @req: the request, all of it
 * @wide: set if it may have taken a while
 *
 * The lock of stage 2 is held for reading; for writing, if the request
 * vhost_iommu_invalidates_pasids(). The caller has to call vhost_iommu_flush()
 * before the guest learns of it.
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
	int ret;

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
	status = check_pasid(domain, req);
	if (status)
		return status;

	pass_down(domain, req, start, last);
	vhost_iommu_domain_invalidate(domain, start, last);
	*wide = last - start >= SZ_2M && !list_empty(&domain->hwdoms);
	if (vhost_iommu_invalidates_pasids(req))
		ret = vhost_iommu_pasids_reread(domain);
	else
		ret = vhost_iommu_shadow_sync(domain, start, last);
	return vhost_iommu_status(ret);
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

/* What PROBE says of tables. What an endpoint does not have is left out at the end. */
struct tables_properties {
	struct virtio_iommu_probe_page_size_mask	sizes;
	struct virtio_iommu_probe_input_range		input;
	struct virtio_iommu_probe_output_size		output;
	struct virtio_iommu_probe_pasid_size		pasid;
	struct virtio_iommu_probe_pgtf_x86_64		format;
	struct virtio_iommu_probe_pasidtf		pasid_format;
	struct virtio_iommu_probe_pgtf_arm		arm_format;
	struct virtio_iommu_probe_pstf_arm		arm_pasid_format;
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

static void encode_x86_64(struct tables_properties *p, bool no_negative)
{
	p->format.head = head(VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT,
			      sizeof(p->format));
	p->format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_X86_64);
	p->pasid_format.head = head(VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT,
				    sizeof(p->pasid_format));
	p->pasid_format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PASIDTF);
	if (!no_negative)
		return;
	p->format.flags = cpu_to_le64(VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE);
	p->pasid_format.flags = cpu_to_le64(VIRTIO_IOMMU_PASIDTF_F_NO_NEGATIVE);
}

static void encode_arm(struct tables_properties *p, u8 asid_bits)
{
	p->arm_format.head = head(VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT,
				  sizeof(p->arm_format));
	p->arm_format.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_ARM_LPAE);
	p->arm_format.asid_bits = asid_bits;
	p->arm_pasid_format.head = head(VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT,
					sizeof(p->arm_pasid_format));
	p->arm_pasid_format.format =
		cpu_to_le16(VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3);
}

/* Where tables are shadowed, it is the shadow that decides what they can have. */
static void encode_limits(struct tables_properties *p,
			  const struct vhost_iommu_config *config,
			  const struct vhost_iommu_nest *nest)
{
	u64 sizes = vhost_iommu_table_sizes(config);
	u64 last = vhost_iommu_table_last(config);
	u8 bits = fls64(VIRTIO_IOMMU_X86_64_ADDR_MASK);

	if (nest) {
		sizes &= nest->sizes;
		last = min(last, nest->last);
		bits = min(bits, nest->output_bits);
	}
	p->sizes.head = head(VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK,
			     sizeof(p->sizes));
	p->sizes.mask = cpu_to_le64(sizes);
	p->input.head = head(VIRTIO_IOMMU_PROBE_T_INPUT_RANGE,
			     sizeof(p->input));
	p->input.start = cpu_to_le64(config->input_start);
	p->input.end = cpu_to_le64(last);
	p->output.head = head(VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE,
			      sizeof(p->output));
	p->output.bits = bits;
	p->pasid.head = head(VIRTIO_IOMMU_PROBE_T_PASID_SIZE,
			     sizeof(p->pasid));
}

/*
 * NULL, unless the endpoint's hardware walks tables. With iommufd, groups come and go
 * under the instance's lock; those of a container do so without.
 */
static const struct vhost_iommu_nest *ep_nest(const struct vhost_iommu_ep *ep)
{
	lockdep_assert_held(&ep->vi->lock);

	if (!vhost_iommu_has_iommufd(ep->vi) || !ep->group)
		return NULL;
	return ep->group->class->nest;
}

/**
 * vhost_iommu_tables_encode() - write the properties that are about tables
 * @ep: the endpoint; if its guest has not accepted tables, it has none
 * @buf: zeroed, vhost_iommu_tables_size() bytes
 */
void vhost_iommu_tables_encode(const struct vhost_iommu_ep *ep, void *buf)
{
	const struct vhost_iommu_nest *nest = ep_nest(ep);
	struct tables_properties *p = buf;

	if (!vhost_iommu_tables_size(ep->vi) ||
	    !(ep->vi->features & BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE)))
		return;
	encode_limits(p, &ep->vi->config, nest);
	encode_x86_64(p, !ep->assigned || (nest && !nest->format->arm));
	if (nest && nest->format->arm)
		encode_arm(p, nest->asid_bits);
}
