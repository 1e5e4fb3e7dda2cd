/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's edu device behind VFIO: a device that copies between its buffer and any
 * address it is told. See "EDU device" in QEMU's documentation.
 */
#ifndef EDU_H
#define EDU_H

#include <fcntl.h>
#include <limits.h>
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

#define EDU_BAR_SIZE	0x100000
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_RUN	0x1
#define EDU_DMA_TO_RAM	0x2
#define EDU_BUFFER	0x40000
#define EDU_LEN		64	/* bytes of every transfer here */

struct edu {
	char			name[32];
	int			container, group, device;
	volatile char		*bar;
	off_t			bar_offset;	/* in the file of the device */
	/* Of iommufd; @parent_id: for tables that the IOMMU walks, or 0 */
	__u32			ioas, pt_id, parent_id, dev_id;
	int			vm;			/* a virtual IOMMU, or 0 */
};

#include "edu_iommufd.h"

/* The group of the device that the environment names in @variable. */
static inline int edu_open_group_of(struct edu *edu, const char *variable)
{
	char path[PATH_MAX], group[PATH_MAX];
	const char *name = getenv(variable);
	ssize_t len;

	if (!name)
		return -1;
	snprintf(edu->name, sizeof(edu->name), "%s", name);
	if (in_iommufd()) {
		/* There is none, but a file that can be closed. */
		edu->group = open("/dev/null", O_RDWR);
		return edu->group < 0 ? -1 : 0;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", name);
	len = readlink(path, group, sizeof(group) - 1);
	if (len < 0)
		return -1;
	group[len] = 0;
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(group, '/'));
	edu->group = open(path, O_RDWR);
	return edu->group < 0 ? -1 : 0;
}

static inline int edu_open_group(struct edu *edu)
{
	if (in_iommufd())
		return iommufd_open(edu) ? -1 : edu_open_group_of(edu, "EDU");
	edu->container = open("/dev/vfio/vfio", O_RDWR);
	return edu->container < 0 ? -1 : edu_open_group_of(edu, "EDU");
}

/* The group to a container, and the container to an IOMMU driver. */
static inline int edu_set_container(struct edu *edu)
{
	if (in_iommufd())
		return 0;
	return ioctl(edu->group, VFIO_GROUP_SET_CONTAINER, &edu->container) ||
	       ioctl(edu->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
}

/* Let the device, which is open, access memory, and map its BAR. */
static inline int edu_prepare(struct edu *edu)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command;

	if (ioctl(edu->device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(edu->device, VFIO_DEVICE_GET_REGION_INFO, &config))
		return -1;
	if (pread(edu->device, &command, 2, config.offset + PCI_COMMAND) != 2)
		return -1;
	command |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	if (pwrite(edu->device, &command, 2, config.offset + PCI_COMMAND) != 2)
		return -1;
	edu->bar_offset = bar.offset;
	edu->bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			edu->device, bar.offset);
	return edu->bar == MAP_FAILED ? -1 : 0;
}

static inline int edu_open_device(struct edu *edu)
{
	if (!in_iommufd())
		edu->device = ioctl(edu->group, VFIO_GROUP_GET_DEVICE_FD,
				    edu->name);
	else if (iommufd_open_device(edu))
		return -1;
	return edu->device < 0 ? -1 : edu_prepare(edu);
}

/* The BAR once more, at an address that is free to take. */
static inline int edu_map_bar(struct edu *edu, void *addr)
{
	void *bar = mmap(addr, EDU_BAR_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, edu->device, edu->bar_offset);

	return bar == addr ? 0 : -1;
}

static inline int edu_map(struct edu *edu, void *addr, __u64 iova, __u64 size,
			  __u32 flags)
{
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma), .flags = flags, .vaddr = (uintptr_t)addr,
		.iova = iova, .size = size,
	};

	if (in_iommufd())
		return iommufd_map(edu, addr, iova, size, flags);
	return ioctl(edu->container, VFIO_IOMMU_MAP_DMA, &dma);
}

/* Returns how many bytes were unmapped, or -1. */
static inline __s64 edu_unmap(struct edu *edu, __u64 iova, __u64 size,
			      __u32 flags)
{
	struct vfio_iommu_type1_dma_unmap dma = {
		.argsz = sizeof(dma), .flags = flags, .iova = iova, .size = size,
	};

	if (in_iommufd())
		return iommufd_unmap(edu, iova, flags & VFIO_DMA_UNMAP_FLAG_ALL ?
					  ~0ULL : size);
	if (ioctl(edu->container, VFIO_IOMMU_UNMAP_DMA, &dma))
		return -1;
	return dma.size;
}

/* One more device in the container of @first: of another group, or of the same. */
static inline int edu_join(struct edu *edu, struct edu *first,
			   const char *variable)
{
	edu->container = first->container;
	edu->ioas = first->ioas;
	edu->pt_id = first->pt_id;
	edu->parent_id = first->parent_id;
	if (edu_open_group_of(edu, variable))
		return -1;
	if (!in_iommufd() &&
	    ioctl(edu->group, VFIO_GROUP_SET_CONTAINER, &edu->container))
		return -1;
	return edu_open_device(edu);
}

static inline int edu_join_group(struct edu *edu, struct edu *first,
				 const char *variable)
{
	edu->container = first->container;
	edu->ioas = first->ioas;
	edu->pt_id = first->pt_id;
	edu->parent_id = first->parent_id;
	edu->group = first->group;
	snprintf(edu->name, sizeof(edu->name), "%s", getenv(variable));
	return edu_open_device(edu);
}

static inline void edu_close_device(struct edu *edu)
{
	munmap((void *)edu->bar, EDU_BAR_SIZE);
	close(edu->device);
}

static inline void edu_close(struct edu *edu)
{
	munmap((void *)edu->bar, EDU_BAR_SIZE);
	close(edu->device);
	close(edu->group);
	close(edu->container);
}

static inline void edu_copy(struct edu *edu, __u64 src, __u64 dst, __u64 len,
			    __u64 cmd)
{
	*(volatile __u64 *)(edu->bar + EDU_DMA_SRC) = src;
	*(volatile __u64 *)(edu->bar + EDU_DMA_DST) = dst;
	*(volatile __u64 *)(edu->bar + EDU_DMA_COUNT) = len;
	*(volatile __u64 *)(edu->bar + EDU_DMA_CMD) = cmd | EDU_DMA_RUN;
	while (*(volatile __u64 *)(edu->bar + EDU_DMA_CMD) & EDU_DMA_RUN)
		usleep(1000);
}

static inline void edu_dma(struct edu *edu, __u64 src, __u64 dst, __u64 cmd)
{
	edu_copy(edu, src, dst, EDU_LEN, cmd);
}

/*
 * Have the device write a pattern of its own to @iova. Its buffer is filled from
 * @source, which the caller has mapped for reading. Returns whether @ram has changed
 * to the pattern; anything between old and new counts as a failure of the test.
 */
static inline bool edu_writes(struct edu *edu, __u64 source_iova, char *source,
			      __u64 iova, char *ram)
{
	static unsigned char seed;
	char before[EDU_LEN];

	memset(source, ++seed, EDU_LEN);
	memset(ram, ~seed, EDU_LEN);
	memcpy(before, ram, EDU_LEN);
	edu_dma(edu, source_iova, EDU_BUFFER, 0);
	edu_dma(edu, EDU_BUFFER, iova, EDU_DMA_TO_RAM);
	if (!memcmp(ram, source, EDU_LEN))
		return true;
	if (memcmp(ram, before, EDU_LEN))
		abort();
	return false;
}

#endif /* EDU_H */
