// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning memory of a process: what is memory, what is a device's, what is neither.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "../pin.h"

#define NR	4U

/* A driver that has four pages of its own mapped, as if they were registers. */
static int fake_mmap(struct file *file, struct vm_area_struct *vma)
{
	return remap_pfn_range(vma, vma->vm_start,
			       page_to_pfn((struct page *)file->private_data),
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static const struct file_operations fake_fops = {
	.mmap = fake_mmap,
};

/* Return: 0 and the first run, or an error. */
static int pin(unsigned long uaddr, unsigned long npages, bool write,
	       struct vhost_iommu_run *run)
{
	struct vhost_iommu_pinner p;
	int ret;

	ret = vhost_iommu_pinner_init(&p, current->mm, write);
	if (ret)
		return ret;
	ret = vhost_iommu_pin_run(&p, uaddr, npages, run);
	vhost_iommu_pinner_end(&p);
	return ret;
}

static int find_bar(unsigned long uaddr, bool write, struct vhost_iommu_run *run)
{
	return vhost_iommu_find_bar(current->mm, uaddr, NR, write, run);
}

static void pin_memory(struct kunit *test)
{
	struct vhost_iommu_run run;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, NR * PAGE_SIZE, PROT_READ,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0UL);
	KUNIT_ASSERT_EQ(test, pin(addr, NR, false, &run), 0);
	KUNIT_EXPECT_GE(test, run.npages, 1);
	KUNIT_EXPECT_LE(test, run.npages, NR);
	vhost_iommu_unpin(run.phys, run.npages, false);

	KUNIT_EXPECT_EQ(test, pin(addr, NR, true, &run), -EFAULT);
	KUNIT_EXPECT_EQ(test, find_bar(addr, false, &run), -EFAULT);
	KUNIT_ASSERT_EQ(test, vm_munmap(addr, NR * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, pin(addr, NR, false, &run), -EFAULT);
	KUNIT_EXPECT_EQ(test, find_bar(addr, false, &run), -EFAULT);
}

/* Runs that meet are one, and there is room for any number. */
static void pin_runs(struct kunit *test)
{
	struct vhost_iommu_runs runs = { LIST_HEAD_INIT(runs.chunks) };
	struct vhost_iommu_run_chunk *chunk;
	unsigned int i, nr = 0;

	for (i = 0; i < 1000; i++) {
		const struct vhost_iommu_run two[] = {
			{ .phys = PFN_PHYS(10 * i), .npages = 2 },
			{ .phys = PFN_PHYS(10 * i + 2), .npages = 3 },
		};

		KUNIT_ASSERT_EQ(test, vhost_iommu_runs_add(&runs, &two[0]), 0);
		KUNIT_ASSERT_EQ(test, vhost_iommu_runs_add(&runs, &two[1]), 0);
	}
	list_for_each_entry(chunk, &runs.chunks, list) {
		for (i = 0; i < chunk->nr; i++, nr++) {
			KUNIT_EXPECT_EQ(test, chunk->runs[i].phys,
					PFN_PHYS(10 * nr));
			KUNIT_EXPECT_EQ(test, chunk->runs[i].npages, 5);
		}
	}
	KUNIT_EXPECT_EQ(test, nr, 1000);
	vhost_iommu_runs_free(&runs);
	KUNIT_EXPECT_TRUE(test, list_empty(&runs.chunks));
}

static void set_reserved(struct page *page, unsigned int nr, bool reserved)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (reserved)
			SetPageReserved(page + i);
		else
			ClearPageReserved(page + i);
	}
}

/* Of pages that are mapped without being counted, those of a device alone will do. */
static void pin_device(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, get_order(NR * PAGE_SIZE));
	struct vhost_iommu_run run;
	unsigned long addr;
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, page);
	file = anon_inode_getfile("[pin_kunit]", &fake_fops, page, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	addr = kunit_vm_mmap(test, file, 0, NR * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	fput(file);
	KUNIT_ASSERT_NE(test, addr, 0UL);

	KUNIT_EXPECT_EQ(test, pin(addr, NR, false, &run), -EFAULT);
	KUNIT_EXPECT_EQ(test, find_bar(addr, true, &run), -EFAULT);
	KUNIT_EXPECT_EQ(test, find_bar(addr, false, &run), -EFAULT);
	set_reserved(page, NR, true);
	KUNIT_EXPECT_EQ(test, pin(addr, NR, true, &run), -EFAULT);
	KUNIT_ASSERT_EQ(test, find_bar(addr, true, &run), 0);
	KUNIT_EXPECT_EQ(test, run.npages, NR);
	KUNIT_EXPECT_EQ(test, run.phys, PFN_PHYS(page_to_pfn(page)));
	/* The run ends where it is not a device's any more. */
	set_reserved(page + 2, NR - 2, false);
	KUNIT_ASSERT_EQ(test, find_bar(addr, true, &run), 0);
	KUNIT_EXPECT_EQ(test, run.npages, 2);

	set_reserved(page, 2, false);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, NR * PAGE_SIZE), 0);
	__free_pages(page, get_order(NR * PAGE_SIZE));
}

static struct kunit_case pin_test_cases[] = {
	KUNIT_CASE(pin_memory),
	KUNIT_CASE(pin_device),
	KUNIT_CASE(pin_runs),
	{}
};

static struct kunit_suite pin_test_suite = {
	.name = "vhost_iommu_pin",
	.test_cases = pin_test_cases,
};

kunit_test_suite(pin_test_suite);
