// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives QEMU's edu device through VFIO and reports which of its DMA reached
 * memory.
 *
 *   edu-dma 0000:00:04.0
 *
 * All memory that is looked at lies in one huge page, so that pages which are
 * neighbours here are neighbours in physical memory. Each address that has to
 * be out of reach is mapped for a moment in the end, and the same transfer has
 * to arrive then: that shows that the mapping alone made the difference.
 *
 * Prints "ok NAME" or "not ok NAME # REASON", "fact NAME VALUE", and "expect
 * read|write ADDRESS" for each transfer that the IOMMU was to stop and report.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096UL
#define HUGE_PAGE	(2UL << 20)
/* Of a transfer: edu wrongly takes no whole page in QEMU 7.2. */
#define WORDS		(PAGE / sizeof(uint64_t) - 1)

#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_CNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_START	1
#define EDU_DMA_TO_RAM	2
#define EDU_BUFFER	0x40000

/* The pages of the huge page, in this order. */
enum page {
	PAGE_BELOW,		/* not mapped */
	PAGE_BUFFER,		/* mapped at IOVA_BUFFER */
	PAGE_BUFFER_2,		/* next to it */
	PAGE_ABOVE,		/* not mapped */
	PAGE_READ_ONLY,		/* mapped for reading only */
	PAGE_PRIVATE,		/* not mapped; tried by its physical address */
};

/* Above all RAM of the guest, so that nothing but a mapping is found there. */
#ifdef __aarch64__
#define IOVA_BUFFER	0x80000000UL
#else
#define IOVA_BUFFER	0x40000000UL
#endif
#define IOVA_READ_ONLY	(IOVA_BUFFER + 0x10000000UL)

static int container, device;
static volatile uint8_t *bar;
static uint8_t *memory;
static int allowed, stopped;

static void die(const char *what)
{
	fprintf(stderr, "edu-dma: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int check_errno(int ret, const char *what)
{
	if (ret < 0)
		die(what);
	return ret;
}

static void verdict(bool held, const char *name, const char *reason)
{
	if (held)
		printf("ok guest: %s\n", name);
	else
		printf("not ok guest: %s # %s\n", name, reason);
}

static uint64_t *page(enum page index)
{
	return (uint64_t *)(memory + index * PAGE);
}

/* Words that are found nowhere else. */
static uint64_t word(uint64_t seed, unsigned int i)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + i * 0xd1b54a32d192ed03ULL;

	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9ULL;
}

static void fill(enum page index, uint64_t seed)
{
	for (unsigned int i = 0; i < WORDS; i++)
		page(index)[i] = word(seed, i);
}

static unsigned int matches(enum page index, uint64_t seed)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		n += page(index)[i] == word(seed, i);
	return n;
}

static bool holds(enum page index, uint64_t seed)
{
	return matches(index, seed) == WORDS;
}

static void edu_set(unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(bar + reg) = value;
}

static void edu_run(uint64_t src, uint64_t dst, uint64_t command)
{
	unsigned int tries = 1000;

	edu_set(EDU_DMA_SRC, src);
	edu_set(EDU_DMA_DST, dst);
	edu_set(EDU_DMA_CNT, WORDS * sizeof(uint64_t));
	edu_set(EDU_DMA_CMD, command | EDU_DMA_START);
	while (*(volatile uint64_t *)(bar + EDU_DMA_CMD) & EDU_DMA_START) {
		if (!tries--) {
			errno = ETIMEDOUT;
			die("a transfer");
		}
		usleep(5000);
	}
}

/* The device reads the page at @iova into its buffer. */
static void edu_read(uint64_t iova)
{
	edu_run(iova, EDU_BUFFER, 0);
}

/* The device writes its buffer to the page at @iova. */
static void edu_write(uint64_t iova)
{
	edu_run(EDU_BUFFER, iova, EDU_DMA_TO_RAM);
}

/* Puts the words of @seed into the device's buffer. */
static void edu_load(uint64_t seed)
{
	fill(PAGE_BUFFER, seed);
	edu_read(IOVA_BUFFER);
}

static void map(uint64_t iova, enum page index, size_t pages, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.vaddr = (uintptr_t)page(index),
		.iova = iova,
		.size = pages * PAGE,
	};

	check_errno(ioctl(container, VFIO_IOMMU_MAP_DMA, &arg), "MAP_DMA");
}

static void unmap(uint64_t iova, size_t pages)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.iova = iova,
		.size = pages * PAGE,
	};

	check_errno(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg), "UNMAP_DMA");
	if (arg.size != pages * PAGE) {
		errno = ERANGE;
		die("UNMAP_DMA");
	}
}

#define MAP_RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static void expect_fault(const char *access, uint64_t iova)
{
	printf("expect %s %lx\n", access, iova);
	stopped++;
}

/* What is mapped can be read and written. */
static void test_inside(void)
{
	edu_load(1);
	fill(PAGE_BUFFER_2, 2);
	edu_write(IOVA_BUFFER + PAGE);
	verdict(holds(PAGE_BUFFER_2, 1) && holds(PAGE_BUFFER, 1),
		"DMA inside the mapping arrives, both ways", "data differ");
	allowed += 2;
}

/* A write to @iova, where @index would be, does not arrive. */
static void test_write_stopped(const char *name, uint64_t iova, enum page index)
{
	fill(index, 3);
	edu_load(4);
	edu_write(iova);
	allowed++;
	verdict(holds(index, 3), name, "the page has changed");
	expect_fault("write", iova);
}

/* A read from @iova, where @index would be, brings none of its words. */
static void test_read_stopped(const char *name, uint64_t iova, enum page index)
{
	fill(index, 5);
	edu_load(6);
	edu_read(iova);
	fill(PAGE_BUFFER_2, 7);
	edu_write(IOVA_BUFFER + PAGE);
	allowed += 2;
	verdict(!matches(PAGE_BUFFER_2, 5) && !holds(PAGE_BUFFER_2, 7), name,
		"the device has read the page");
	expect_fault("read", iova);
}

/* Once @index is mapped at @iova, the transfers that were stopped arrive. */
static void test_mapped(const char *name, uint64_t iova, enum page index)
{
	bool written, read;

	map(iova, index, 1, MAP_RW);
	fill(index, 8);
	edu_load(9);
	edu_write(iova);
	written = holds(index, 9);
	fill(index, 10);
	edu_read(iova);
	edu_write(IOVA_BUFFER + PAGE);
	read = holds(PAGE_BUFFER_2, 10);
	unmap(iova, 1);
	allowed += 4;
	verdict(written && read, name,
		written ? "a read does not" : "a write does not");
}

static void test_read_only(void)
{
	map(IOVA_READ_ONLY, PAGE_READ_ONLY, 1, VFIO_DMA_MAP_FLAG_READ);
	test_write_stopped("DMA to a page mapped for reading is stopped",
			   IOVA_READ_ONLY, PAGE_READ_ONLY);
	unmap(IOVA_READ_ONLY, 1);
}

/* The physical address of a page, which is where DMA goes without an IOMMU. */
static uint64_t physical(enum page index)
{
	int fd = check_errno(open("/proc/self/pagemap", O_RDONLY), "pagemap");
	uint64_t entry;

	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)page(index) / PAGE * sizeof(entry)) !=
	    sizeof(entry))
		die("pagemap");
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

static void test_all(void)
{
	uint64_t private_page = physical(PAGE_PRIVATE);

	map(IOVA_BUFFER, PAGE_BUFFER, 2, MAP_RW);
	test_inside();
	test_write_stopped("DMA to the page above the mapping is stopped",
			   IOVA_BUFFER + 2 * PAGE, PAGE_ABOVE);
	test_write_stopped("DMA to the page below the mapping is stopped",
			   IOVA_BUFFER - PAGE, PAGE_BELOW);
	test_read_stopped("DMA from the page above the mapping is stopped",
			  IOVA_BUFFER + 2 * PAGE, PAGE_ABOVE);
	test_write_stopped("DMA to a physical address is stopped",
			   private_page, PAGE_PRIVATE);
	test_read_stopped("DMA from a physical address is stopped",
			  private_page, PAGE_PRIVATE);
	test_read_only();
	test_mapped("the stopped DMA arrives when its page is mapped",
		    IOVA_BUFFER + 2 * PAGE, PAGE_ABOVE);
	test_mapped("it arrives at a mapped physical address, too",
		    private_page, PAGE_PRIVATE);
	test_write_stopped("it is stopped again after the unmap",
			   private_page, PAGE_PRIVATE);

	/* No buffer to load from any more: what it holds has to do. */
	edu_load(11);
	unmap(IOVA_BUFFER, 2);
	fill(PAGE_BUFFER, 12);
	edu_write(IOVA_BUFFER);
	verdict(holds(PAGE_BUFFER, 12), "after the unmap, so is DMA to the buffer",
		"the page has changed");
	allowed++;
	expect_fault("write", IOVA_BUFFER);
}

static int open_group(const char *address)
{
	char path[128], link[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 address);
	n = readlink(path, link, sizeof(link) - 1);
	check_errno(n, "no IOMMU group");
	link[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	return check_errno(open(path, O_RDWR), path);
}

static void open_device(const char *address)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint16_t command;
	int group = open_group(address);

	container = check_errno(open("/dev/vfio/vfio", O_RDWR), "/dev/vfio/vfio");
	check_errno(ioctl(group, VFIO_GROUP_GET_STATUS, &status), "GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errno = EBUSY;
		die("the group is not viable");
	}
	check_errno(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container),
		    "SET_CONTAINER");
	check_errno(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
		    "SET_IOMMU");
	device = check_errno(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address),
			     "GET_DEVICE_FD");

	info.index = VFIO_PCI_CONFIG_REGION_INDEX;
	check_errno(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info),
		    "GET_REGION_INFO");
	command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(device, &command, sizeof(command),
		   info.offset + PCI_COMMAND) != sizeof(command))
		die("bus mastering");

	info.index = VFIO_PCI_BAR0_REGION_INDEX;
	check_errno(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info),
		    "GET_REGION_INFO");
	bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		   info.offset);
	if (bar == MAP_FAILED)
		die("mmap of the registers");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: edu-dma PCI-ADDRESS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	memory = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
		      -1, 0);
	if (memory == MAP_FAILED)
		die("no huge page");
	open_device(argv[1]);
	if ((*(volatile uint32_t *)bar & 0xff) != 0xed) {
		errno = ENODEV;
		die("this is no edu device");
	}
	test_all();
	printf("fact dma_allowed %d\n", allowed);
	printf("fact dma_stopped %d\n", stopped);
	return 0;
}
