/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Page tables of the guest's own: an extension of the virtio-iommu device, see
 * Documentation/virtio/page-tables.rst. No specification has it yet. The numbers
 * are those of the public drafts as far as they have any; what is ours alone is
 * in the experimental range.
 */
#ifndef _UAPI_LINUX_VIRTIO_IOMMU_TABLES_H
#define _UAPI_LINUX_VIRTIO_IOMMU_TABLES_H

#include <linux/types.h>
#include <linux/virtio_iommu.h>

/* Feature bit: endpoints can be attached to tables. */
#define VIRTIO_IOMMU_F_ATTACH_TABLE		7

/* Request types */
#define VIRTIO_IOMMU_T_ATTACH_TABLE		0x06
#define VIRTIO_IOMMU_T_INVALIDATE		0x07

/* Formats: those of the drafts, and ours */
#define VIRTIO_IOMMU_FORMAT_PGTF_ARM_LPAE	1
#define VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3	2
#define VIRTIO_IOMMU_FORMAT_EXPERIMENTAL	0xff00
#define VIRTIO_IOMMU_FORMAT_PGTF_X86_64		0xff00
#define VIRTIO_IOMMU_FORMAT_PASIDTF		0xff01

/**
 * struct virtio_iommu_req_attach_table - ATTACH_TABLE, of any format
 * @head: type VIRTIO_IOMMU_T_ATTACH_TABLE
 * @domain: domain number
 * @endpoint: endpoint number
 * @format: VIRTIO_IOMMU_FORMAT_*
 * @reserved: depends on the format
 * @tail: status
 */
struct virtio_iommu_req_attach_table {
	struct virtio_iommu_req_head head;
	__le32 domain;
	__le32 endpoint;
	__le16 format;
	__u8 reserved[62];
	struct virtio_iommu_req_tail tail;
};

/**
 * struct virtio_iommu_req_attach_pgt_x86_64 - ATTACH_TABLE, 4-level x86-64 table
 * @head: type VIRTIO_IOMMU_T_ATTACH_TABLE
 * @domain: domain number
 * @endpoint: endpoint number
 * @format: VIRTIO_IOMMU_FORMAT_PGTF_X86_64
 * @reserved: must be 0
 * @pgd: guest-physical address of the topmost table
 * @reserved2: must be 0
 * @tail: status
 */
struct virtio_iommu_req_attach_pgt_x86_64 {
	struct virtio_iommu_req_head head;
	__le32 domain;
	__le32 endpoint;
	__le16 format;
	__u8 reserved[2];
	__le64 pgd;
	__u8 reserved2[52];
	struct virtio_iommu_req_tail tail;
};

/**
 * struct virtio_iommu_req_attach_pasid_table - ATTACH_TABLE, PASID table
 * @head: type VIRTIO_IOMMU_T_ATTACH_TABLE
 * @domain: domain number
 * @endpoint: endpoint number
 * @format: VIRTIO_IOMMU_FORMAT_PASIDTF
 * @bits: log2 of how many entries there are
 * @reserved: must be 0
 * @table: guest-physical address of entry 0
 * @reserved2: must be 0
 * @tail: status
 */
struct virtio_iommu_req_attach_pasid_table {
	struct virtio_iommu_req_head head;
	__le32 domain;
	__le32 endpoint;
	__le16 format;
	__u8 bits;
	__u8 reserved;
	__le64 table;
	__u8 reserved2[52];
	struct virtio_iommu_req_tail tail;
};

/**
 * struct virtio_iommu_req_attach_pst_arm - ATTACH_TABLE, Arm context descriptors
 * @head: type VIRTIO_IOMMU_T_ATTACH_TABLE
 * @domain: domain number
 * @endpoint: endpoint number
 * @format: VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3
 * @s1fmt: levels of the table: 0 for one
 * @s1dss: what requests without a PASID are
 * @s1contextptr: guest-physical address of the table
 * @s1cdmax: log2 of how many descriptors there are
 * @reserved: must be 0
 * @tail: status
 *
 * The fields are those of a stream table entry.
 */
struct virtio_iommu_req_attach_pst_arm {
	struct virtio_iommu_req_head head;
	__le32 domain;
	__le32 endpoint;
	__le16 format;
	__u8 s1fmt;
	__u8 s1dss;
	__le64 s1contextptr;
	__le32 s1cdmax;
	__u8 reserved[48];
	struct virtio_iommu_req_tail tail;
};

/* How much to invalidate: a domain, an address space of it, a range of addresses */
#define VIRTIO_IOMMU_INVAL_G_DOMAIN		(1 << 0)
#define VIRTIO_IOMMU_INVAL_G_PASID		(1 << 1)
#define VIRTIO_IOMMU_INVAL_G_VA			(1 << 2)

/* What to invalidate */
#define VIRTIO_IOMMU_INV_T_IOTLB		(1 << 0)
#define VIRTIO_IOMMU_INV_T_DEV_IOTLB		(1 << 1)
#define VIRTIO_IOMMU_INV_T_PASID		(1 << 2)

/* @pasid and @archid are valid; only leaf entries have changed */
#define VIRTIO_IOMMU_INVAL_F_PASID		(1 << 0)
#define VIRTIO_IOMMU_INVAL_F_ARCHID		(1 << 1)
#define VIRTIO_IOMMU_INVAL_F_LEAF		(1 << 2)

/**
 * struct virtio_iommu_req_invalidate - INVALIDATE
 * @head: type VIRTIO_IOMMU_T_INVALIDATE
 * @inv_gran: one of VIRTIO_IOMMU_INVAL_G_*
 * @inv_type: VIRTIO_IOMMU_INV_T_*
 * @flags: VIRTIO_IOMMU_INVAL_F_*
 * @reserved1: must be 0
 * @domain: domain number
 * @pasid: address space, with VIRTIO_IOMMU_INVAL_F_PASID
 * @reserved2: must be 0
 * @archid: the architecture's number of the address space
 * @virt_start: first address, with VIRTIO_IOMMU_INVAL_G_VA; a multiple of the page
 * @nr_pages: how many pages, with VIRTIO_IOMMU_INVAL_G_VA
 * @granule: log2 of their size in bytes
 * @reserved3: must be 0
 * @tail: status
 */
struct virtio_iommu_req_invalidate {
	struct virtio_iommu_req_head head;
	__le16 inv_gran;
	__le16 inv_type;
	__le16 flags;
	__u8 reserved1[2];
	__le32 domain;
	__le32 pasid;
	__u8 reserved2[4];
	__le64 archid;
	__le64 virt_start;
	__le64 nr_pages;
	__u8 granule;
	__u8 reserved3[11];
	struct virtio_iommu_req_tail tail;
};

/* Properties of an endpoint */
#define VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK	2
#define VIRTIO_IOMMU_PROBE_T_INPUT_RANGE	3
#define VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE	4
#define VIRTIO_IOMMU_PROBE_T_PASID_SIZE		5
#define VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT	6
#define VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT	7

/**
 * struct virtio_iommu_probe_page_size_mask - sizes that a leaf can have
 * @head: type VIRTIO_IOMMU_PROBE_T_PAGE_SIZE_MASK
 * @reserved: 0
 * @mask: a bit each
 */
struct virtio_iommu_probe_page_size_mask {
	struct virtio_iommu_probe_property head;
	__u8 reserved[4];
	__le64 mask;
};

/**
 * struct virtio_iommu_probe_input_range - addresses that a table can map
 * @head: type VIRTIO_IOMMU_PROBE_T_INPUT_RANGE
 * @reserved: 0
 * @start: first
 * @end: last
 */
struct virtio_iommu_probe_input_range {
	struct virtio_iommu_probe_property head;
	__u8 reserved[4];
	__le64 start;
	__le64 end;
};

/**
 * struct virtio_iommu_probe_output_size - width of what a table maps to
 * @head: type VIRTIO_IOMMU_PROBE_T_OUTPUT_SIZE
 * @bits: of a guest-physical address
 * @reserved: 0
 */
struct virtio_iommu_probe_output_size {
	struct virtio_iommu_probe_property head;
	__u8 bits;
	__u8 reserved[3];
};

/**
 * struct virtio_iommu_probe_pasid_size - width of a PASID
 * @head: type VIRTIO_IOMMU_PROBE_T_PASID_SIZE
 * @bits: 0 if the endpoint has no PASIDs
 * @reserved: 0
 */
struct virtio_iommu_probe_pasid_size {
	struct virtio_iommu_probe_property head;
	__u8 bits;
	__u8 reserved[3];
};

/* The device never caches an entry that is not present. */
#define VIRTIO_IOMMU_PGTF_X86_64_F_NO_NEGATIVE	(1 << 0)

/**
 * struct virtio_iommu_probe_pgtf_x86_64 - the endpoint takes x86-64 tables
 * @head: type VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT
 * @format: VIRTIO_IOMMU_FORMAT_PGTF_X86_64
 * @reserved: 0
 * @flags: VIRTIO_IOMMU_PGTF_X86_64_F_*
 */
struct virtio_iommu_probe_pgtf_x86_64 {
	struct virtio_iommu_probe_property head;
	__le16 format;
	__u8 reserved[2];
	__le64 flags;
};

/* The device never caches an entry that is not valid. */
#define VIRTIO_IOMMU_PASIDTF_F_NO_NEGATIVE	(1 << 0)

/**
 * struct virtio_iommu_probe_pasidtf - the endpoint takes PASID tables
 * @head: type VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT
 * @format: VIRTIO_IOMMU_FORMAT_PASIDTF
 * @reserved: 0
 * @flags: VIRTIO_IOMMU_PASIDTF_F_*
 */
struct virtio_iommu_probe_pasidtf {
	struct virtio_iommu_probe_property head;
	__le16 format;
	__u8 reserved[2];
	__le64 flags;
};

/**
 * struct virtio_iommu_probe_pgtf_arm - context descriptors can lead to LPAE tables
 * @head: type VIRTIO_IOMMU_PROBE_T_PAGE_TABLE_FMT
 * @format: VIRTIO_IOMMU_FORMAT_PGTF_ARM_LPAE
 * @asid_bits: 8 or 16
 * @reserved: 0
 * @flags: 0
 */
struct virtio_iommu_probe_pgtf_arm {
	struct virtio_iommu_probe_property head;
	__le16 format;
	__u8 asid_bits;
	__u8 reserved;
	__le64 flags;
};

/**
 * struct virtio_iommu_probe_pstf_arm - the endpoint takes Arm context descriptors
 * @head: type VIRTIO_IOMMU_PROBE_T_PASID_TABLE_FMT
 * @format: VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3
 * @reserved: 0
 * @flags: 0
 */
struct virtio_iommu_probe_pstf_arm {
	struct virtio_iommu_probe_property head;
	__le16 format;
	__u8 reserved[2];
	__le64 flags;
};

/* Where a table of context descriptors can be */
#define VIRTIO_IOMMU_ARM_CDS_ADDR_MASK		0x000fffffffffffc0ULL

/* A context descriptor: fields of its first word; the table is in the second */
#define VIRTIO_IOMMU_ARM_CD_T0SZ		0x000000000000003fULL
#define VIRTIO_IOMMU_ARM_CD_TG0			0x00000000000000c0ULL
#define VIRTIO_IOMMU_ARM_CD_IR0			0x0000000000000300ULL
#define VIRTIO_IOMMU_ARM_CD_OR0			0x0000000000000c00ULL
#define VIRTIO_IOMMU_ARM_CD_SH0			0x0000000000003000ULL
#define VIRTIO_IOMMU_ARM_CD_EPD1		(1ULL << 30)
#define VIRTIO_IOMMU_ARM_CD_V			(1ULL << 31)
#define VIRTIO_IOMMU_ARM_CD_IPS			0x0000000700000000ULL
#define VIRTIO_IOMMU_ARM_CD_AA64		(1ULL << 41)
#define VIRTIO_IOMMU_ARM_CD_R			(1ULL << 45)
#define VIRTIO_IOMMU_ARM_CD_A			(1ULL << 46)
#define VIRTIO_IOMMU_ARM_CD_ASET		(1ULL << 47)
#define VIRTIO_IOMMU_ARM_CD_ASID		0xffff000000000000ULL

/* An entry of a PASID table: valid, the address of an x86-64 table; the rest is 0. */
#define VIRTIO_IOMMU_PASIDTF_VALID		(1ULL << 0)
#define VIRTIO_IOMMU_PASIDTF_ADDR_MASK		0x000ffffffffff000ULL

/* Bits of an entry of an x86-64 table; all others but the address are ignored. */
#define VIRTIO_IOMMU_X86_64_PRESENT		(1ULL << 0)
#define VIRTIO_IOMMU_X86_64_WRITE		(1ULL << 1)
#define VIRTIO_IOMMU_X86_64_USER		(1ULL << 2)
#define VIRTIO_IOMMU_X86_64_ACCESSED		(1ULL << 5)
#define VIRTIO_IOMMU_X86_64_DIRTY		(1ULL << 6)
#define VIRTIO_IOMMU_X86_64_LEAF		(1ULL << 7)
#define VIRTIO_IOMMU_X86_64_ADDR_MASK		0x000ffffffffff000ULL

#endif /* _UAPI_LINUX_VIRTIO_IOMMU_TABLES_H */
