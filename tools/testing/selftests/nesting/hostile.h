/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a hostile guest has: tables in pages that are not its memory, and written with
 * the physical addresses of those pages.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "vmm.h"

/* Tables, two pages that they map, and for an SMMU the descriptor that leads to them */
enum { H_L0, H_L1, H_L2, H_L3, H_SRC, H_DST, H_CD, H_PAGES };

struct hostile {
	char *page[H_PAGES];
	__u64 phys[H_PAGES];
};

static inline __u64 physical_address(int pagemap, void *page)
{
	__u64 entry = 0;

	if (pread(pagemap, &entry, sizeof(entry),
		  (uintptr_t)page / 4096 * sizeof(entry)) != sizeof(entry))
		return 0;
	return (entry & ((1ULL << 55) - 1)) * 4096;
}

/* The pages, with nothing in them. */
static inline bool hostile_pages(struct hostile *hostile)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	unsigned int i;
	char *pages;

	pages = mmap(NULL, H_PAGES * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (pages == MAP_FAILED)
		return false;
	for (i = 0; i < H_PAGES; i++) {
		hostile->page[i] = pages + i * 4096;
		hostile->phys[i] = physical_address(pagemap, hostile->page[i]);
		if (!hostile->phys[i])
			return false;
	}
	close(pagemap);
	return true;
}

/* Give the guest some of the pages, at their physical addresses. */
static inline int hostile_give(struct iommufd *iommufd, struct hostile *hostile,
			       unsigned int first, unsigned int last)
{
	unsigned int i;

	for (i = first; i <= last; i++)
		if (ioas_map(iommufd, hostile->page[i], hostile->phys[i], 4096))
			return -1;
	return 0;
}

#endif /* HOSTILE_H */
