// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many mappings and large ones, what may be done with a part of one, what is refused,
 * and what is left when all of them go at once.
 */
#include <pthread.h>
#include <signal.h>

#include "test.h"

#define PAGES		64

/* VFIO maps page by page what is not contiguous, and the driver has to keep up. */
TEST_F(edu, neighbours)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, map(&self->t, IOVA + i * PAGE, self->t.memory + i * PAGE, 1));
	EXPECT_EQ(1, unmap(&self->t, IOVA + PAGE, 1));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_FALSE(writes(&self->t, IOVA + PAGE, self->t.memory + PAGE));
	EXPECT_TRUE(writes(&self->t, IOVA + 2 * PAGE, self->t.memory + 2 * PAGE));
}

TEST_F(edu, overlap)
{
	char *other = self->t.memory + 4 * PAGE;

	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 2));
	EXPECT_ERRNO(EEXIST, map(&self->t, IOVA, other, 2));
	EXPECT_ERRNO(EEXIST, map(&self->t, IOVA + PAGE, other, 2));
	EXPECT_ERRNO(EEXIST, map(&self->t, IOVA - PAGE, other, 4));
	EXPECT_FALSE(writes(&self->t, IOVA + PAGE, other));
	EXPECT_TRUE(writes(&self->t, IOVA + PAGE, self->t.memory + PAGE));
	/* What was in part refused has left nothing next to it. */
	EXPECT_FALSE(writes(&self->t, IOVA + 2 * PAGE, other + PAGE));
}

TEST_F(edu, unmap_a_part)
{
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 4));
	EXPECT_ERRNO(EINVAL, unmap(&self->t, IOVA, 1));
	EXPECT_ERRNO(EINVAL, unmap(&self->t, IOVA + PAGE, 1));
	EXPECT_ERRNO(EINVAL, unmap(&self->t, IOVA + 2 * PAGE, 2));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_TRUE(writes(&self->t, IOVA + 3 * PAGE, self->t.memory + 3 * PAGE));
	EXPECT_EQ(4, unmap(&self->t, IOVA, 4));
}

/* Three mappings and a gap, a mapping on either side. */
TEST_F(edu, unmap_several)
{
	unsigned int i;

	for (i = 0; i < 6; i++)
		if (i != 2)
			ASSERT_EQ(0, map(&self->t, IOVA + i * PAGE,
					 self->t.memory + i * PAGE, 1));
	EXPECT_EQ(3, unmap(&self->t, IOVA + PAGE, 4));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_FALSE(writes(&self->t, IOVA + PAGE, self->t.memory + PAGE));
	EXPECT_FALSE(writes(&self->t, IOVA + 4 * PAGE, self->t.memory + 4 * PAGE));
	EXPECT_TRUE(writes(&self->t, IOVA + 5 * PAGE, self->t.memory + 5 * PAGE));
	EXPECT_EQ(0, unmap(&self->t, IOVA + PAGE, 4));
}

TEST_F(edu, unmap_all)
{
	struct vfio_iommu_type1_dma_unmap all = {
		.argsz = sizeof(all), .flags = VFIO_DMA_UNMAP_FLAG_ALL,
	};
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, map(&self->t, IOVA + 2 * i * PAGE,
				 self->t.memory + i * PAGE, 1));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	ASSERT_EQ(0, ioctl(self->t.edu.container, VFIO_IOMMU_UNMAP_DMA, &all));
	EXPECT_EQ((PAGES + 1) * PAGE, all.size);
	EXPECT_FALSE(writes(&self->t, IOVA, self->t.memory));
	/* All of that can be had again. */
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, map(&self->t, IOVA + 2 * i * PAGE,
				 self->t.memory + (PAGES - 1 - i) * PAGE, 1));
	EXPECT_TRUE(writes(&self->t, IOVA + 2 * (PAGES - 1) * PAGE, self->t.memory));
}

/* A page of each two is somewhere else in memory, so each is a mapping of its own. */
TEST_F(edu, many)
{
	unsigned int i, n = 4096;
	__u64 last = IOVA + 2 * (n - 1) * PAGE;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, map(&self->t, IOVA + 2 * i * PAGE,
				 self->t.memory + i % PAGES * PAGE, 1));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_TRUE(writes(&self->t, last, self->t.memory + (n - 1) % PAGES * PAGE));
	EXPECT_FALSE(writes(&self->t, last + PAGE, self->t.memory + n % PAGES * PAGE));
	EXPECT_EQ(n, unmap(&self->t, IOVA, 2 * n));
	EXPECT_FALSE(writes(&self->t, last, self->t.memory + (n - 1) % PAGES * PAGE));
}

/*
 * 4 GiB of addresses in one map, which are the same huge page again and again: as many
 * mappings in the driver.
 */
TEST_F(edu, million_pages)
{
	__u64 iova = 1ULL << 32, size = 1ULL << 32, offset;
	int fd = memfd_create("huge", MFD_HUGETLB);
	char *range, *last;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, HUGE_PAGE));
	range = mmap(NULL, size + HUGE_PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)range);
	range = (char *)(((uintptr_t)range | (HUGE_PAGE - 1)) + 1);
	for (offset = 0; offset < size; offset += HUGE_PAGE)
		ASSERT_NE(MAP_FAILED, mmap(range + offset, HUGE_PAGE,
					   PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_FIXED, fd, 0));
	last = range + size - PAGE;
	ASSERT_EQ(0, edu_map(&self->t.edu, range, iova, size, DMA_RW));
	EXPECT_TRUE(writes(&self->t, iova, range));
	EXPECT_TRUE(writes(&self->t, iova + size / 2 + PAGE, range + PAGE));
	EXPECT_TRUE(writes(&self->t, iova + size - PAGE, last));
	EXPECT_FALSE(writes(&self->t, iova - PAGE, last));
	EXPECT_FALSE(writes(&self->t, iova + size, range));
	EXPECT_EQ(size, edu_unmap(&self->t.edu, iova, size, 0));
	EXPECT_FALSE(writes(&self->t, iova, range));
	EXPECT_FALSE(writes(&self->t, iova + size - PAGE, last));
}

struct worker {
	struct target *target;
	unsigned int nr;
	int err;
};

static void *map_and_unmap(void *arg)
{
	struct worker *worker = arg;
	__u64 iova = IOVA + (worker->nr + 1) * 0x1000000UL;
	char *page = worker->target->memory + (worker->nr + 1) * PAGE;
	unsigned int i;

	for (i = 0; i < 1000 && !worker->err; i++)
		worker->err = map(worker->target, iova, page, 1) ||
			      unmap(worker->target, iova, 1) != 1;
	return NULL;
}

/* Two threads with mappings of their own, and a device that is busy all the while. */
TEST_F(edu, threads)
{
	struct worker worker[2] = { { &self->t, 0 }, { &self->t, 1 } };
	pthread_t thread[2];
	unsigned int i;

	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 1));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, map_and_unmap,
					    &worker[i]));
	for (i = 0; i < 5; i++)
		EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, worker[i].err);
	}
}

/* The next container has nothing of the last one. */
TEST_F(edu, close_and_open)
{
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 2));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	edu_close(&self->t.edu);
	ASSERT_EQ(0, open_edu(&self->t));
	EXPECT_FALSE(writes(&self->t, IOVA, self->t.memory));
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory + PAGE, 1));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory + PAGE));
	EXPECT_FALSE(writes(&self->t, IOVA + PAGE, self->t.memory + PAGE));
}

/* A process that is killed closes nothing by itself. */
TEST_F(edu, killed)
{
	int ready[2];
	char byte;
	pid_t pid;

	edu_close(&self->t.edu);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (!open_edu(&self->t) && !map(&self->t, IOVA, self->t.memory, PAGES) &&
		    writes(&self->t, IOVA, self->t.memory) &&
		    write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, open_edu(&self->t));
	EXPECT_FALSE(writes(&self->t, IOVA, self->t.memory));
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, PAGES));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
}

TEST_HARNESS_MAIN
