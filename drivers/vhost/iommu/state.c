// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading out what the guest has set up, and putting it back into another instance.
 *
 * The state is a sequence of records, each of which says where to go on: nothing is
 * kept between calls that read. Putting back is done by what handles the guest's
 * requests, so that a state is trusted no more than a guest; what cannot be had
 * back by detaching everything is kept aside until the END.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_iommu_tables.h>

#include "domain.h"
#include "endpoint.h"
#include "pasid.h"
#include "vhost_iommu.h"

/**
 * struct vhost_iommu_restore - a state that is not complete
 * @after: type of the last record
 * @bypass: @bypass of the configuration, to be set
 * @nr_faults: entries of @faults
 * @faults: to be reported
 */
struct vhost_iommu_restore {
	u32				after;
	bool				bypass;
	u32				nr_faults;
	struct vhost_iommu_record	faults[VHOST_IOMMU_FAULTS_MAX];
};

static bool next_fault(struct vhost_iommu *vi, struct vhost_iommu_record *r,
		       u32 index)
{
	*r = (struct vhost_iommu_record) { .type = VHOST_IOMMU_RECORD_END };
	if (vhost_iommu_peek_fault(vi, index, r))
		r->type = VHOST_IOMMU_RECORD_FAULT;
	return true;
}

static bool next_mapping(struct vhost_iommu *vi, struct vhost_iommu_record *r,
			 u32 id, u64 start)
{
	struct vhost_iommu_domain *domain;
	unsigned long i;

	xa_for_each_start(&vi->domains, i, domain, id) {
		struct vhost_iommu_mapping *m;

		/* What follows from a table is found in it again. */
		if (vhost_iommu_domain_has_table(domain))
			continue;
		m = vhost_iommu_mapping_find(&domain->mappings,
					     i == id ? start : 0, U64_MAX);
		if (!m)
			continue;
		*r = (struct vhost_iommu_record) {
			.type = VHOST_IOMMU_RECORD_MAPPING,
			.mapping.domain = domain->id,
			.mapping.flags = m->flags,
			.mapping.start = m->node.start,
			.mapping.last = m->node.last,
			.mapping.gpa = m->gpa,
		};
		return true;
	}
	return next_fault(vi, r, 0);
}

/* What is behind a mapping, in its domain or in those that follow. */
static bool next_after_mapping(struct vhost_iommu *vi,
			       struct vhost_iommu_record *r)
{
	if (r->mapping.last != U64_MAX)
		return next_mapping(vi, r, r->mapping.domain,
				    r->mapping.last + 1);
	if (r->mapping.domain != U32_MAX)
		return next_mapping(vi, r, r->mapping.domain + 1, 0);
	return next_fault(vi, r, 0);
}

static void encode_tables(const struct vhost_iommu_domain *domain,
			  struct vhost_iommu_record *r)
{
	if (!vhost_iommu_domain_has_table(domain))
		return;
	if (!vhost_iommu_domain_has_pasids(domain)) {
		r->endpoint.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64;
		r->endpoint.table = domain->root;
		return;
	}
	r->endpoint.format = domain->arm ? VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3 :
					   VIRTIO_IOMMU_FORMAT_PASIDTF;
	r->endpoint.table = domain->pasids;
	if (domain->root != VHOST_IOMMU_NO_TABLE)
		r->endpoint.entry = domain->root | VIRTIO_IOMMU_PASIDTF_VALID;
}

static bool next_endpoint(struct vhost_iommu *vi, struct vhost_iommu_record *r,
			  unsigned long id)
{
	struct vhost_iommu_ep *ep;

	xa_for_each_start(&vi->endpoints, id, ep, id) {
		if (!ep->domain)
			continue;
		*r = (struct vhost_iommu_record) {
			.type = VHOST_IOMMU_RECORD_ENDPOINT,
			.endpoint.id = ep->id,
			.endpoint.domain = ep->domain->id,
			.endpoint.flags = ep->domain->bypass ?
					  VIRTIO_IOMMU_ATTACH_F_BYPASS : 0,
		};
		encode_tables(ep->domain, r);
		return true;
	}
	return next_mapping(vi, r, 0, 0);
}

/* Turn a record into the next one. The type is one that there is. */
static bool next_record(struct vhost_iommu *vi, struct vhost_iommu_record *r)
{
	switch (r->type) {
	case 0:
		*r = (struct vhost_iommu_record) {
			.type = VHOST_IOMMU_RECORD_HEADER,
			.header.version = VHOST_IOMMU_STATE_VERSION,
			.header.bypass = vi->config.bypass,
		};
		return true;
	case VHOST_IOMMU_RECORD_HEADER:
		return next_endpoint(vi, r, 0);
	case VHOST_IOMMU_RECORD_ENDPOINT:
		return next_endpoint(vi, r, (unsigned long)r->endpoint.id + 1);
	case VHOST_IOMMU_RECORD_MAPPING:
		return next_after_mapping(vi, r);
	case VHOST_IOMMU_RECORD_FAULT:
		return next_fault(vi, r, r->fault.index + 1);
	default:
		return false;
	}
}

/**
 * vhost_iommu_get_state() - VHOST_IOMMU_GET_STATE
 * @vi: the instance, locked
 * @arg: argument of the ioctl; the answer
 *
 * Return: see the ioctl.
 */
int vhost_iommu_get_state(struct vhost_iommu *vi, struct vhost_iommu_state *arg)
{
	struct vhost_iommu_record __user *records = u64_to_user_ptr(arg->records);
	struct vhost_iommu_record r = arg->after;
	u32 n;

	lockdep_assert_held(&vi->lock);

	if (vi->running || vi->restore)
		return -EBUSY;
	if (r.type > VHOST_IOMMU_RECORD_END)
		return -EINVAL;

	for (n = 0; n < arg->nr && next_record(vi, &r); n++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_to_user(&records[n], &r, sizeof(r)))
			return -EFAULT;
		arg->after = r;
		cond_resched();
	}
	arg->nr = n;
	return 0;
}

/* What a status of a request means to the VMM. */
static int to_errno(u8 status)
{
	switch (status) {
	case VIRTIO_IOMMU_S_OK:
		return 0;
	case VIRTIO_IOMMU_S_NOENT:
		return -ENOENT;
	case VIRTIO_IOMMU_S_NOMEM:
		return -ENOMEM;
	case VIRTIO_IOMMU_S_DEVERR:
		return -EIO;
	default:
		return -EINVAL;
	}
}

static int set_header(struct vhost_iommu *vi, const struct vhost_iommu_record *r)
{
	if (r->header.version != VHOST_IOMMU_STATE_VERSION)
		return -EOPNOTSUPP;
	if (r->header.bypass > 1)
		return -EINVAL;
	if (!xa_empty(&vi->domains))
		return -EBUSY;
	vi->restore = kzalloc(sizeof(*vi->restore), GFP_KERNEL_ACCOUNT);
	if (!vi->restore)
		return -ENOMEM;
	vi->restore->bypass = r->header.bypass;
	return 0;
}

/* The table, or the two, of a record of an endpoint that has one. */
static int decode_tables(struct vhost_iommu *vi,
			 const struct vhost_iommu_record *r,
			 struct vhost_iommu_kind *kind)
{
	u64 table = r->endpoint.table, entry = r->endpoint.entry;
	u64 mask = VIRTIO_IOMMU_X86_64_ADDR_MASK;

	*kind = (struct vhost_iommu_kind) {
		.root = VHOST_IOMMU_NO_TABLE, .pasids = VHOST_IOMMU_NO_TABLE,
	};
	switch (r->endpoint.format) {
	case VIRTIO_IOMMU_FORMAT_PGTF_X86_64:
		if (entry)
			return -EOPNOTSUPP;
		kind->root = table;
		break;
	case VIRTIO_IOMMU_FORMAT_PASIDTF:
		kind->pasids = table;
		kind->root = vhost_iommu_pasid_entry_root(entry);
		if (entry && kind->root == VHOST_IOMMU_NO_TABLE)
			return -EINVAL;
		break;
	case VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3:
		if (entry)
			return -EOPNOTSUPP;
		kind->arm = true;
		kind->pasids = table;
		mask = VIRTIO_IOMMU_ARM_CDS_ADDR_MASK;
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!(vi->features & BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE)) ||
	    r->endpoint.flags || (table & ~mask))
		return -EINVAL;
	return 0;
}

/* Return: VIRTIO_IOMMU_S_*. */
static u8 attach_table(struct vhost_iommu *vi, const struct vhost_iommu_record *r,
		       const struct vhost_iommu_kind *kind)
{
	struct vhost_iommu_domain *domain = xa_load(&vi->domains,
						    r->endpoint.domain);

	/* A PASID table has one entry in use. */
	if (domain && domain->root != kind->root)
		return VIRTIO_IOMMU_S_INVAL;
	return vhost_iommu_domain_attach(vi, r->endpoint.domain, r->endpoint.id,
					 kind);
}

static int set_endpoint(struct vhost_iommu *vi,
			const struct vhost_iommu_record *r)
{
	struct vhost_iommu_ep *ep = xa_load(&vi->endpoints, r->endpoint.id);
	struct vhost_iommu_kind kind;
	int ret = 0;
	u8 status;

	if (ep && ep->domain)
		return -EINVAL;
	if (r->endpoint.format)
		ret = decode_tables(vi, r, &kind);
	else if (r->endpoint.table || r->endpoint.entry)
		ret = -EOPNOTSUPP;
	if (ret)
		return ret;

	vhost_iommu_lock_s2(vi);
	if (r->endpoint.format)
		status = attach_table(vi, r, &kind);
	else
		status = vhost_iommu_attach(vi, r->endpoint.domain,
					    r->endpoint.id, r->endpoint.flags);
	vhost_iommu_unlock_s2(vi);
	return to_errno(status);
}

static int set_mapping(struct vhost_iommu *vi,
		       const struct vhost_iommu_record *r)
{
	u8 status;

	vhost_iommu_lock_s2(vi);
	status = vhost_iommu_map_again(vi, r->mapping.domain, r->mapping.start,
				       r->mapping.last, r->mapping.gpa,
				       r->mapping.flags);
	vhost_iommu_unlock_s2(vi);
	/* A domain without an endpoint is none. */
	return status == VIRTIO_IOMMU_S_NOENT ? -EINVAL : to_errno(status);
}

static int set_fault(struct vhost_iommu *vi, const struct vhost_iommu_record *r)
{
	struct vhost_iommu_restore *restore = vi->restore;
	int ret;

	ret = vhost_iommu_check_fault(vi, r->fault.reason, r->fault.flags,
				      r->fault.endpoint);
	if (ret)
		return ret;
	if (r->fault.index != restore->nr_faults ||
	    restore->nr_faults == VHOST_IOMMU_FAULTS_MAX)
		return -EINVAL;
	restore->faults[restore->nr_faults++] = *r;
	return 0;
}

/* To change the configuration is the last that can fail. */
static int set_end(struct vhost_iommu *vi, const struct vhost_iommu_record *r)
{
	struct vhost_iommu_restore *restore = vi->restore;
	unsigned int i;
	int ret;

	if (restore->bypass != vi->config.bypass) {
		ret = vhost_iommu_ep_set_bypass(vi, restore->bypass);
		if (ret)
			return ret;
	}
	for (i = 0; i < restore->nr_faults; i++) {
		r = &restore->faults[i];
		vhost_iommu_report_fault(vi, r->fault.reason, r->fault.flags,
					 r->fault.endpoint, r->fault.address);
	}
	kfree(restore);
	vi->restore = NULL;
	return 0;
}

/* Indexed by type: what a record says, and how many bytes it has to. */
static const struct {
	size_t	size;
	int	(*set)(struct vhost_iommu *vi, const struct vhost_iommu_record *r);
} record_types[] = {
#define RECORD(member, fn)						\
	{ sizeof_field(struct vhost_iommu_record, member), fn }
	[VHOST_IOMMU_RECORD_HEADER]	= RECORD(header, set_header),
	[VHOST_IOMMU_RECORD_ENDPOINT]	= RECORD(endpoint, set_endpoint),
	[VHOST_IOMMU_RECORD_MAPPING]	= RECORD(mapping, set_mapping),
	[VHOST_IOMMU_RECORD_FAULT]	= RECORD(fault, set_fault),
	[VHOST_IOMMU_RECORD_END]	= { 0, set_end },
};

static int set_record(struct vhost_iommu *vi, const struct vhost_iommu_record *r)
{
	u32 after = vi->restore ? vi->restore->after : 0;
	bool header = r->type == VHOST_IOMMU_RECORD_HEADER;
	u32 type = r->type;
	size_t size;
	int ret;

	if (!type || type >= ARRAY_SIZE(record_types) || r->reserved)
		return -EOPNOTSUPP;
	type = array_index_nospec(type, ARRAY_SIZE(record_types));
	size = record_types[type].size;
	if (memchr_inv(r->data + size, 0, sizeof(r->data) - size))
		return -EOPNOTSUPP;
	/* One HEADER, which comes first; the others ascend. */
	if (type < after || header != !vi->restore)
		return -EINVAL;
	ret = record_types[type].set(vi, r);
	if (!ret && vi->restore)
		vi->restore->after = type;
	return ret;
}

/**
 * vhost_iommu_give_up_state() - go back to before the HEADER
 * @vi: the instance, locked; nothing happens if no state is incomplete
 */
void vhost_iommu_give_up_state(struct vhost_iommu *vi)
{
	if (!vi->restore)
		return;
	kfree(vi->restore);
	vi->restore = NULL;
	vhost_iommu_ep_detach_all(vi);
}

/**
 * vhost_iommu_set_state() - VHOST_IOMMU_SET_STATE
 * @vi: the instance, locked
 * @arg: argument of the ioctl
 *
 * Return: see the ioctl.
 */
int vhost_iommu_set_state(struct vhost_iommu *vi,
			  const struct vhost_iommu_state *arg)
{
	const struct vhost_iommu_record __user *records =
		u64_to_user_ptr(arg->records);
	struct vhost_iommu_record r;
	int ret = 0;
	u32 i;

	lockdep_assert_held(&vi->lock);

	if (memchr_inv(&arg->after, 0, sizeof(arg->after)))
		return -EOPNOTSUPP;
	if (vi->running)
		return -EBUSY;
	for (i = 0; !ret && i < arg->nr; i++) {
		if (fatal_signal_pending(current))
			ret = -EINTR;
		else if (copy_from_user(&r, &records[i], sizeof(r)))
			ret = -EFAULT;
		else
			ret = set_record(vi, &r);
		cond_resched();
	}
	if (ret)
		vhost_iommu_give_up_state(vi);
	return ret;
}
