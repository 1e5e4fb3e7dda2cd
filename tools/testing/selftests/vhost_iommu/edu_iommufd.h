/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The edu device as a client of iommufd. With IOMMUFD in the environment the functions
 * of edu.h use this instead of a container: @container is an iommufd then, with one IOAS,
 * and there is no group.
 */
#ifndef EDU_IOMMUFD_H
#define EDU_IOMMUFD_H

#include <dirent.h>

#include "uapi_iommufd.h"

static inline bool in_iommufd(void)
{
	return getenv("IOMMUFD");
}

static inline int iommufd_open(struct edu *edu)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	edu->container = open("/dev/iommu", O_RDWR);
	if (edu->container < 0 || ioctl(edu->container, IOMMU_IOAS_ALLOC, &alloc))
		return -1;
	edu->ioas = alloc.out_ioas_id;
	edu->pt_id = 0;
	edu->parent_id = 0;
	return 0;
}

/* Open the character device of @name on a bus, which is unbound yet. */
static inline int iommufd_open_cdev_on(const char *bus, const char *name)
{
	char path[PATH_MAX], dev[64] = "";
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/vfio-dev", bus, name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(dev, sizeof(dev), "/dev/vfio/devices/%.32s",
				 entry->d_name);
	if (dir)
		closedir(dir);
	return open(dev, O_RDWR);
}

static inline int iommufd_open_cdev(const char *name)
{
	return iommufd_open_cdev_on("pci", name);
}

/* Page tables for the IOAS, which are those of all devices: not all IOMMUs have a parent. */
static inline int iommufd_alloc_pt(struct edu *edu, __u32 device_id)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc), .dev_id = device_id, .pt_id = edu->ioas,
	};

	if (ioctl(edu->container, IOMMU_HWPT_ALLOC, &alloc))
		return -1;
	edu->pt_id = alloc.out_hwpt_id;
	alloc.flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	if (!ioctl(edu->container, IOMMU_HWPT_ALLOC, &alloc))
		edu->parent_id = alloc.out_hwpt_id;
	return 0;
}

static inline int iommufd_open_device(struct edu *edu)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind), .iommufd = edu->container,
	};

	edu->device = iommufd_open_cdev(edu->name);
	if (edu->device < 0)
		return -1;
	if (ioctl(edu->device, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		close(edu->device);
		return -1;
	}
	edu->dev_id = bind.out_devid;
	if (edu->pt_id || !iommufd_alloc_pt(edu, edu->dev_id))
		return 0;
	close(edu->device);
	return -1;
}

static inline int iommufd_map(struct edu *edu, void *addr, __u64 iova, __u64 size,
			      __u32 flags)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map), .flags = IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = edu->ioas, .user_va = (uintptr_t)addr, .length = size,
		.iova = iova,
	};

	if (flags & VFIO_DMA_MAP_FLAG_READ)
		map.flags |= IOMMU_IOAS_MAP_READABLE;
	if (flags & VFIO_DMA_MAP_FLAG_WRITE)
		map.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return ioctl(edu->container, IOMMU_IOAS_MAP, &map);
}

/* Returns how many bytes were unmapped, or -1. */
static inline __s64 iommufd_unmap(struct edu *edu, __u64 iova, __u64 size)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = edu->ioas, .iova = iova,
		.length = size,
	};

	return ioctl(edu->container, IOMMU_IOAS_UNMAP, &unmap) ? -1 : (__s64)unmap.length;
}

#endif /* EDU_IOMMUFD_H */
