// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests and statuses as the device sees them.
 */
#include <linux/align.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "mapping.h"
#include "request.h"

static void viommu_encode(struct viommu_request *req, u8 type, size_t out_len)
{
	memset(&req->out, 0, sizeof(req->out));
	req->out.head.type = type;
	req->out_len = out_len;
	req->in = &req->tail;
	req->in_len = sizeof(req->tail);
}

/**
 * viommu_encode_attach() - move an endpoint into a domain
 * @req: filled in
 * @domain: the domain's number
 * @endpoint: the endpoint's id
 * @flags: VIRTIO_IOMMU_ATTACH_F_*
 */
void viommu_encode_attach(struct viommu_request *req, u32 domain, u32 endpoint,
			  u32 flags)
{
	viommu_encode(req, VIRTIO_IOMMU_T_ATTACH,
		      offsetof(struct virtio_iommu_req_attach, tail));
	req->out.attach.domain = cpu_to_le32(domain);
	req->out.attach.endpoint = cpu_to_le32(endpoint);
	req->out.attach.flags = cpu_to_le32(flags);
}

/**
 * viommu_encode_detach() - take an endpoint out of its domain
 * @req: filled in
 * @domain: the domain's number
 * @endpoint: the endpoint's id
 */
void viommu_encode_detach(struct viommu_request *req, u32 domain, u32 endpoint)
{
	viommu_encode(req, VIRTIO_IOMMU_T_DETACH,
		      offsetof(struct virtio_iommu_req_detach, tail));
	req->out.detach.domain = cpu_to_le32(domain);
	req->out.detach.endpoint = cpu_to_le32(endpoint);
}

/**
 * viommu_encode_map() - add a mapping to a domain
 * @req: filled in; remembers @mapping
 * @domain: the domain's number
 * @mapping: what to map
 */
void viommu_encode_map(struct viommu_request *req, u32 domain,
		       struct viommu_mapping *mapping)
{
	viommu_encode(req, VIRTIO_IOMMU_T_MAP,
		      offsetof(struct virtio_iommu_req_map, tail));
	req->out.map.domain = cpu_to_le32(domain);
	req->out.map.virt_start = cpu_to_le64(mapping->range.start);
	req->out.map.virt_end = cpu_to_le64(mapping->range.last);
	req->out.map.phys_start = cpu_to_le64(mapping->phys);
	req->out.map.flags = cpu_to_le32(mapping->flags);
	req->mapping = mapping;
}

/**
 * viommu_encode_unmap() - take the mappings of a range out of a domain
 * @req: filled in; remembers @first and @last
 * @domain: the domain's number
 * @first: the first of the mappings
 * @start: the first address
 * @last: the last address
 */
void viommu_encode_unmap(struct viommu_request *req, u32 domain,
			 struct viommu_mapping *first, u64 start, u64 last)
{
	viommu_encode(req, VIRTIO_IOMMU_T_UNMAP,
		      offsetof(struct virtio_iommu_req_unmap, tail));
	req->out.unmap.domain = cpu_to_le32(domain);
	req->out.unmap.virt_start = cpu_to_le64(start);
	req->out.unmap.virt_end = cpu_to_le64(last);
	req->mapping = first;
	req->last = last;
}

/**
 * viommu_encode_probe() - ask for the properties of an endpoint
 * @req: filled in
 * @endpoint: the endpoint's id
 * @in: where the device writes the properties and a tail
 * @in_len: the size of @in
 */
void viommu_encode_probe(struct viommu_request *req, u32 endpoint, void *in,
			 size_t in_len)
{
	viommu_encode(req, VIRTIO_IOMMU_T_PROBE,
		      offsetof(struct virtio_iommu_req_probe, properties));
	req->out.probe.endpoint = cpu_to_le32(endpoint);
	req->in = in;
	req->in_len = in_len;
}

/**
 * viommu_encode_attach_table() - move an endpoint into a domain with a table
 * @req: filled in
 * @domain: the domain's number
 * @endpoint: the endpoint's id
 * @root: physical address of the table
 */
void viommu_encode_attach_table(struct viommu_request *req, u32 domain,
				u32 endpoint, u64 root)
{
	viommu_encode(req, VIRTIO_IOMMU_T_ATTACH_TABLE,
		      offsetof(struct virtio_iommu_req_attach_pgt_x86_64, tail));
	req->out.attach_table.domain = cpu_to_le32(domain);
	req->out.attach_table.endpoint = cpu_to_le32(endpoint);
	req->out.attach_table.format =
		cpu_to_le16(VIRTIO_IOMMU_FORMAT_PGTF_X86_64);
	req->out.attach_table.pgd = cpu_to_le64(root);
}

/**
 * viommu_encode_attach_cd() - move an endpoint into a domain with a context descriptor
 * @req: filled in
 * @domain: the domain's number
 * @endpoint: the endpoint's id
 * @cd: physical address of the descriptor, the only one of its table
 */
void viommu_encode_attach_cd(struct viommu_request *req, u32 domain,
			     u32 endpoint, u64 cd)
{
	viommu_encode(req, VIRTIO_IOMMU_T_ATTACH_TABLE,
		      offsetof(struct virtio_iommu_req_attach_pst_arm, tail));
	req->out.attach_cd.domain = cpu_to_le32(domain);
	req->out.attach_cd.endpoint = cpu_to_le32(endpoint);
	req->out.attach_cd.format =
		cpu_to_le16(VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3);
	req->out.attach_cd.s1contextptr = cpu_to_le64(cd);
}

/**
 * viommu_encode_attach_pasids() - move an endpoint into a domain with a PASID table
 * @req: filled in
 * @domain: the domain's number
 * @endpoint: the endpoint's id
 * @table: physical address of the table
 * @bits: log2 of how many entries it has
 */
void viommu_encode_attach_pasids(struct viommu_request *req, u32 domain,
				 u32 endpoint, u64 table, u8 bits)
{
	viommu_encode(req, VIRTIO_IOMMU_T_ATTACH_TABLE,
		      offsetof(struct virtio_iommu_req_attach_pasid_table, tail));
	req->out.attach_pasids.domain = cpu_to_le32(domain);
	req->out.attach_pasids.endpoint = cpu_to_le32(endpoint);
	req->out.attach_pasids.format = cpu_to_le16(VIRTIO_IOMMU_FORMAT_PASIDTF);
	req->out.attach_pasids.table = cpu_to_le64(table);
	req->out.attach_pasids.bits = bits;
}

/**
 * viommu_encode_invalidate() - tell the device that a table has changed
 * @req: filled in
 * @inv: of what
 */
void viommu_encode_invalidate(struct viommu_request *req,
			      const struct viommu_invalidation *inv)
{
	struct virtio_iommu_req_invalidate *out = &req->out.invalidate;
	u64 start = ALIGN_DOWN(inv->start, SZ_4K);

	viommu_encode(req, VIRTIO_IOMMU_T_INVALIDATE,
		      offsetof(struct virtio_iommu_req_invalidate, tail));
	out->domain = cpu_to_le32(inv->domain);
	out->inv_type = cpu_to_le16(VIRTIO_IOMMU_INV_T_IOTLB |
				    VIRTIO_IOMMU_INV_T_DEV_IOTLB);
	if (inv->leaf)
		out->flags = cpu_to_le16(VIRTIO_IOMMU_INVAL_F_LEAF);
	if (inv->pasid != IOMMU_PASID_INVALID) {
		out->flags |= cpu_to_le16(VIRTIO_IOMMU_INVAL_F_PASID);
		out->pasid = cpu_to_le32(inv->pasid);
	}
	if (inv->asid) {
		out->flags |= cpu_to_le16(VIRTIO_IOMMU_INVAL_F_ARCHID);
		out->archid = cpu_to_le64(inv->asid);
	}
	if (!start && inv->last == U64_MAX) {
		out->inv_gran = cpu_to_le16(inv->pasid == IOMMU_PASID_INVALID ?
					    VIRTIO_IOMMU_INVAL_G_DOMAIN :
					    VIRTIO_IOMMU_INVAL_G_PASID);
		return;
	}
	out->inv_gran = cpu_to_le16(VIRTIO_IOMMU_INVAL_G_VA);
	out->virt_start = cpu_to_le64(start);
	out->nr_pages = cpu_to_le64((inv->last - start) / SZ_4K + 1);
	out->granule = ilog2(SZ_4K);
}

/**
 * viommu_encode_invalidate_pasid() - tell the device that a PASID has another table
 * @req: filled in
 * @domain: number of the domain of the PASID table
 * @pasid: the PASID
 */
void viommu_encode_invalidate_pasid(struct viommu_request *req, u32 domain,
				    u32 pasid)
{
	struct virtio_iommu_req_invalidate *out = &req->out.invalidate;
	struct viommu_invalidation inv = {
		.domain = domain, .pasid = pasid, .last = U64_MAX,
	};

	viommu_encode_invalidate(req, &inv);
	out->inv_type |= cpu_to_le16(VIRTIO_IOMMU_INV_T_PASID);
}

/**
 * viommu_status_to_errno() - what a request's status means
 * @status: VIRTIO_IOMMU_S_*
 *
 * Return: 0 or an errno; -EIO for a status that the specification does not have.
 */
int viommu_status_to_errno(u8 status)
{
	switch (status) {
	case VIRTIO_IOMMU_S_OK:
		return 0;
	case VIRTIO_IOMMU_S_UNSUPP:
		return -EOPNOTSUPP;
	case VIRTIO_IOMMU_S_INVAL:
		return -EINVAL;
	case VIRTIO_IOMMU_S_RANGE:
		return -ERANGE;
	case VIRTIO_IOMMU_S_NOENT:
		return -ENOENT;
	case VIRTIO_IOMMU_S_FAULT:
		return -EFAULT;
	case VIRTIO_IOMMU_S_NOMEM:
		return -ENOMEM;
	case VIRTIO_IOMMU_S_IOERR:
	case VIRTIO_IOMMU_S_DEVERR:
	default:
		return -EIO;
	}
}
