/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test programs share: the edu device that the environment names in EDU,
 * behind virtio_iommu, in a container of VFIO's. Whether its DMA arrives is seen in
 * memory, every byte; whether it was stopped, by the trace of the faults as well.
 */
#ifndef TEST_H
#define TEST_H

#include "kselftest_harness.h"

#include "edu.h"

#define PAGE		4096UL
#define HUGE_PAGE	(2UL << 20)
/* Of a transfer: edu wrongly takes no whole page in QEMU 7.2. */
#define LEN		(PAGE - sizeof(__u64))
#define WORDS		(LEN / sizeof(__u64))
#define DMA_RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* Above all RAM, so that nothing but a mapping is found there. */
#define IOVA		0x80000000UL
/* What the device has in its buffer is brought here. */
#define SCRATCH_IOVA	0x70000000UL

#define TRACING		"/sys/kernel/tracing/"

#define EXPECT_ERRNO(err, expr)						\
	do {								\
		errno = 0;						\
		EXPECT_EQ(-1, expr);					\
		EXPECT_EQ(err, errno);					\
	} while (0)

/* Pages of one huge page, so that neighbours are neighbours in physical memory. */
struct target {
	struct edu	edu;
	char		*scratch;
	char		*memory;	/* the pages after that one */
	char		held[LEN];	/* what the device has in its buffer */
};

/* Words that are found nowhere else. */
static inline void fill(char *page)
{
	static __u64 x = 1;
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		x = x * 0x5851f42d4c957f2dULL + 0x14057b7ef767814fULL;
		((__u64 *)page)[i] = x ^ x >> 29;
	}
}

/* Have a look at the device's buffer. */
static inline void look(struct target *t)
{
	memset(t->scratch, 0x55, LEN);
	edu_copy(&t->edu, EDU_BUFFER, SCRATCH_IOVA, LEN, EDU_DMA_TO_RAM);
	memcpy(t->held, t->scratch, LEN);
	if (t->held[0] == 0x55 && !memcmp(t->held, t->held + 1, LEN - 1))
		abort();
}

/* Does the device write to @iova, where @page would be? Not at all, or all of it. */
static inline bool writes(struct target *t, __u64 iova, char *page)
{
	char before[LEN];

	fill(page);
	memcpy(before, page, LEN);
	edu_copy(&t->edu, EDU_BUFFER, iova, LEN, EDU_DMA_TO_RAM);
	if (!memcmp(page, t->held, LEN))
		return true;
	if (memcmp(page, before, LEN))
		abort();
	return false;
}

/* Does the device read from @iova, where @page would be? No word, or all of it. */
static inline bool reads(struct target *t, __u64 iova, char *page)
{
	__u64 wanted[WORDS];
	unsigned int i;

	fill(page);
	memcpy(wanted, page, LEN);
	edu_copy(&t->edu, iova, EDU_BUFFER, LEN, 0);
	look(t);
	if (!memcmp(wanted, t->held, LEN))
		return true;
	for (i = 0; i < WORDS; i++)
		if (wanted[i] == ((__u64 *)t->held)[i])
			abort();
	return false;
}

/* Something that is known into the device's buffer. */
static inline int load(struct target *t)
{
	return reads(t, SCRATCH_IOVA, t->scratch) ? 0 : -1;
}

/* The container and the device in it, with nothing mapped but the page to look at. */
static inline int open_edu(struct target *t)
{
	return edu_open_group(&t->edu) || edu_set_container(&t->edu) ||
	       edu_open_device(&t->edu) ||
	       edu_map(&t->edu, t->scratch, SCRATCH_IOVA, PAGE, DMA_RW) ||
	       load(t);
}

static inline int set_up(struct target *t)
{
	t->scratch = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			  MAP_POPULATE, -1, 0);
	if (t->scratch == MAP_FAILED)
		return -1;
	t->memory = t->scratch + PAGE;
	return open_edu(t);
}

FIXTURE(edu)
{
	struct target t;
};

FIXTURE_SETUP(edu)
{
	ASSERT_EQ(0, set_up(&self->t));
}

FIXTURE_TEARDOWN(edu)
{
	edu_close(&self->t.edu);
}

/* Maps @pages of memory, from @page on. */
static inline int map(struct target *t, __u64 iova, char *page,
		      unsigned int pages)
{
	return edu_map(&t->edu, page, iova, pages * PAGE, DMA_RW);
}

/* Returns how many pages are not mapped any more, or -1. */
static inline int unmap(struct target *t, __u64 iova, unsigned int pages)
{
	__s64 size = edu_unmap(&t->edu, iova, pages * PAGE, 0);

	return size < 0 ? -1 : size / PAGE;
}

static inline int write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_TRUNC);
	int ret = fd < 0 || write(fd, text, len) != len ? -1 : 0;
	int err = errno;

	close(fd);
	errno = err;
	return ret;
}

/* Whether there is a line in the file with the text, after half a minute at most. */
static inline bool eventually_in(const char *path, const char *text)
{
	unsigned int tries = 300;
	char line[512];
	bool found = false;
	FILE *file;

	while (!found && tries--) {
		file = fopen(path, "r");
		if (!file)
			return false;
		while (!found && fgets(line, sizeof(line), file))
			found = strstr(line, text);
		fclose(file);
		if (!found)
			usleep(100000);
	}
	return found;
}

static inline int forget_faults(void)
{
	return write_file(TRACING "events/iommu/io_page_fault/enable", "1") ?:
	       write_file(TRACING "trace", "");
}

/* The driver knows whose fault it was, and where. */
static inline bool fault_traced(struct target *t, __u64 iova)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "io_page_fault: IOMMU:vfio-pci %s iova=0x%016llx flags=",
		 t->edu.name, iova);
	return eventually_in(TRACING "trace", text);
}

/* The device is translated by VT-d: its driver tells nobody about faults. */
static inline bool behind_vtd(void)
{
	return getenv("BEHIND_VTD");
}

#define EXPECT_FAULT(t, iova)	EXPECT_TRUE(behind_vtd() || fault_traced(t, iova))

#endif /* TEST_H */
