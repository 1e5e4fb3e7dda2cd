/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest writes into its memory for an SMMUv3, and its commands: a context
 * descriptor, stage-1 tables of four levels and 4 KiB pages, invalidations. See the
 * chapters "Stream Table and Context Descriptor", "Commands" and "Event records" of
 * Arm IHI 0070, and "VMSAv8-64" in Arm DDI 0487.
 */
#ifndef SMMUV3_H
#define SMMUV3_H

#include <linux/types.h>
#include <stdint.h>
#include <string.h>

#define SMMU_BIT(n)	(1ULL << (n))

/* Stream table entry, of which a guest has the first 16 bytes */
#define STE_VALID	SMMU_BIT(0)
#define STE_ABORT	(0ULL << 1)
#define STE_BYPASS	(4ULL << 1)
#define STE_STAGE1	(5ULL << 1)
#define STE_CACHED	(1ULL << 2 | 1ULL << 4 | 3ULL << 6)	/* second word */

/* Context descriptor, of 64 bytes */
#define CD_T0SZ_48	(64ULL - 48)
#define CD_CACHED	(1ULL << 8 | 1ULL << 10 | 3ULL << 12)
#define CD_NO_TTB1	SMMU_BIT(30)
#define CD_VALID	SMMU_BIT(31)
#define CD_IPS_44	(4ULL << 32)
#define CD_AA64		SMMU_BIT(41)
#define CD_RECORD	SMMU_BIT(45)
#define CD_ABORT	SMMU_BIT(46)
#define CD_ASET		SMMU_BIT(47)
#define CD_ASID(n)	((__u64)(n) << 48)
#define CD_MAIR_WB	0xffULL
#define CD_WORDS	8

/* Descriptors of a table */
#define LPAE_VALID	SMMU_BIT(0)
#define LPAE_TABLE	SMMU_BIT(1)	/* in the last level, a page */
#define LPAE_USER	SMMU_BIT(6)
#define LPAE_RDONLY	SMMU_BIT(7)
#define LPAE_SHARED	(3ULL << 8)
#define LPAE_AF		SMMU_BIT(10)
#define LPAE_NG		SMMU_BIT(11)
#define LPAE_ADDR	0x0000fffffffff000ULL
#define LPAE_PAGE	(LPAE_VALID | LPAE_TABLE | LPAE_USER | LPAE_SHARED | \
			 LPAE_AF | LPAE_NG)
#define LPAE_SIZE	4096UL
#define LPAE_ENTRIES	512

/* Commands, of 16 bytes */
struct smmu_command {
	__u64 word[2];
};

#define CMD_CFGI_CD(sid)	{{ 0x05 | (__u64)(sid) << 32, 1 }}
#define CMD_CFGI_CD_ALL(sid)	{{ 0x06 | (__u64)(sid) << 32, 0 }}
#define CMD_TLBI_NH_ALL		{{ 0x10, 0 }}
#define CMD_TLBI_NH_ASID(asid)	{{ 0x11 | (__u64)(asid) << 48, 0 }}
#define CMD_TLBI_NH_VA(asid, va) \
	{{ 0x12 | (__u64)(asid) << 48, (va) | 1 }}
#define CMD_TLBI_NH_VAA(va)	{{ 0x13, (va) | 1 }}
#define CMD_TLBI_NSNH_ALL	{{ 0x30, 0 }}
#define CMD_ATC_INV(sid)	{{ 0x40 | (__u64)(sid) << 32, 52 }}

/* Events, of 32 bytes */
#define EVT_C_BAD_CD		0x0a
#define EVT_F_TRANSLATION	0x10
#define EVT_F_PERMISSION	0x13

struct smmu_event {
	__u64 word[4];
};

static inline __u8 smmu_event_type(const struct smmu_event *event)
{
	return event->word[0];
}

static inline __u32 smmu_event_sid(const struct smmu_event *event)
{
	return event->word[0] >> 32;
}

static inline bool smmu_event_is_read(const struct smmu_event *event)
{
	return event->word[1] & SMMU_BIT(35);
}

static inline __u64 smmu_event_address(const struct smmu_event *event)
{
	return event->word[2];
}

/*
 * Memory for tables. What the tables say of addresses in it is @gpa + offset.
 */
struct smmu_memory {
	char	*base;
	__u64	gpa;
	__u64	used, size;
};

/* A page of zeros, as its address in the guest; 0 if there is none left. */
static inline __u64 smmu_page(struct smmu_memory *memory)
{
	__u64 offset = memory->used;

	if (offset + LPAE_SIZE > memory->size)
		return 0;
	memory->used += LPAE_SIZE;
	memset(memory->base + offset, 0, LPAE_SIZE);
	return memory->gpa + offset;
}

static inline __u64 *smmu_at(struct smmu_memory *memory, __u64 gpa)
{
	return (__u64 *)(memory->base + (gpa - memory->gpa));
}

/* The descriptor of @level (0 to 3) for @iova; tables on the way are made. */
static inline __u64 *lpae_entry(struct smmu_memory *memory, __u64 root,
				__u64 iova, unsigned int level)
{
	unsigned int l;
	__u64 *entry;

	for (l = 0;; l++) {
		entry = smmu_at(memory, root) +
			(iova >> (39 - 9 * l)) % LPAE_ENTRIES;
		if (l == level)
			return entry;
		if (!*entry)
			*entry = smmu_page(memory) | LPAE_VALID | LPAE_TABLE;
		root = *entry & LPAE_ADDR;
	}
}

/* Have @iova lead to @gpa, or with @flags 0 nowhere. */
static inline void lpae_set(struct smmu_memory *memory, __u64 root, __u64 iova,
			    __u64 gpa, __u64 flags)
{
	__atomic_store_n(lpae_entry(memory, root, iova, 3),
			 flags ? gpa | flags : 0, __ATOMIC_RELEASE);
}

/* Write a context descriptor: the first word last, which makes it valid. */
static inline void smmu_write_cd(struct smmu_memory *memory, __u64 gpa,
				 __u64 root, __u16 asid)
{
	__u64 *cd = smmu_at(memory, gpa);

	__atomic_store_n(&cd[0], 0, __ATOMIC_RELEASE);
	cd[1] = root;
	cd[3] = CD_MAIR_WB;
	__atomic_store_n(&cd[0], CD_T0SZ_48 | CD_CACHED | CD_NO_TTB1 | CD_VALID |
			 CD_IPS_44 | CD_AA64 | CD_RECORD | CD_ABORT | CD_ASET |
			 CD_ASID(asid), __ATOMIC_RELEASE);
}

#endif /* SMMUV3_H */
