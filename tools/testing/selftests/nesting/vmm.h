/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device behind iommufd, as a VMM has it: memory in an IOAS, a nesting parent over
 * it, a virtual IOMMU with the device in it, and domains nested in the parent.
 * Every function returns 0 or -1 with errno, those that make something its id or -1.
 */
#ifndef VMM_H
#define VMM_H

#include <dirent.h>
#include <linux/iommufd.h>
#include <poll.h>

#include "edu.h"

struct iommufd {
	int	fd;
	__u32	device;		/* the device's id, once it is bound */
	__u32	ioas;
};

/* The VFIO character device of @edu, to which EDU in the environment gives a name. */
static inline int edu_open_cdev(struct edu *edu)
{
	const char *name = getenv("EDU");
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (!name)
		return -1;
	snprintf(edu->name, sizeof(edu->name), "%s", name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", name);
	dir = opendir(path);
	if (!dir)
		return -1;
	edu->device = -1;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4)) {
			snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
				 entry->d_name);
			edu->device = open(path, O_RDWR);
		}
	closedir(dir);
	return edu->device < 0 ? -1 : 0;
}

/* An iommufd with an IOAS, and @edu bound to it. */
static inline int vmm_open(struct iommufd *iommufd, struct edu *edu)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };

	iommufd->fd = open("/dev/iommu", O_RDWR);
	if (iommufd->fd < 0 || ioctl(iommufd->fd, IOMMU_IOAS_ALLOC, &ioas) ||
	    edu_open_cdev(edu))
		return -1;
	bind.iommufd = iommufd->fd;
	if (ioctl(edu->device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return -1;
	iommufd->ioas = ioas.out_ioas_id;
	iommufd->device = bind.out_devid;
	return edu_prepare(edu);
}

static inline void iommufd_close(struct iommufd *iommufd, struct edu *edu)
{
	munmap((void *)edu->bar, EDU_BAR_SIZE);
	close(edu->device);
	close(iommufd->fd);
}

static inline int ioas_map(struct iommufd *iommufd, void *addr, __u64 iova,
			   __u64 len)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = iommufd->ioas,
		.user_va = (uintptr_t)addr,
		.length = len,
		.iova = iova,
	};

	return ioctl(iommufd->fd, IOMMU_IOAS_MAP, &map);
}

static inline int ioas_unmap(struct iommufd *iommufd, __u64 iova, __u64 len)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = iommufd->ioas,
		.iova = iova, .length = len,
	};

	return ioctl(iommufd->fd, IOMMU_IOAS_UNMAP, &unmap);
}

/* A domain over @pt, which is the IOAS for the parent, a virtual IOMMU for others. */
static inline int hwpt_alloc(struct iommufd *iommufd, __u32 pt, __u32 flags,
			     __u32 type, const void *data, __u32 len)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc), .flags = flags,
		.dev_id = iommufd->device, .pt_id = pt,
		.data_type = type, .data_len = len,
		.data_uptr = (uintptr_t)data,
	};

	return ioctl(iommufd->fd, IOMMU_HWPT_ALLOC, &alloc) ? -1 :
	       (int)alloc.out_hwpt_id;
}

static inline int viommu_alloc(struct iommufd *iommufd, __u32 type, __u32 parent)
{
	struct iommu_viommu_alloc alloc = {
		.size = sizeof(alloc), .type = type,
		.dev_id = iommufd->device, .hwpt_id = parent,
	};

	return ioctl(iommufd->fd, IOMMU_VIOMMU_ALLOC, &alloc) ? -1 :
	       (int)alloc.out_viommu_id;
}

static inline int vdevice_alloc(struct iommufd *iommufd, __u32 viommu, __u64 id)
{
	struct iommu_vdevice_alloc alloc = {
		.size = sizeof(alloc), .viommu_id = viommu,
		.dev_id = iommufd->device, .virt_id = id,
	};

	return ioctl(iommufd->fd, IOMMU_VDEVICE_ALLOC, &alloc) ? -1 :
	       (int)alloc.out_vdevice_id;
}

/* Returns a file to read events from. */
static inline int veventq_alloc(struct iommufd *iommufd, __u32 viommu, __u32 type)
{
	struct iommu_veventq_alloc alloc = {
		.size = sizeof(alloc), .viommu_id = viommu, .type = type,
		.veventq_depth = 8,
	};

	return ioctl(iommufd->fd, IOMMU_VEVENTQ_ALLOC, &alloc) ? -1 :
	       (int)alloc.out_veventq_fd;
}

/* @nr becomes how many of the commands were done. */
static inline int viommu_invalidate(struct iommufd *iommufd, __u32 viommu,
				    __u32 type, const void *commands, __u32 len,
				    __u32 *nr)
{
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate), .hwpt_id = viommu,
		.data_uptr = (uintptr_t)commands, .data_type = type,
		.entry_len = len, .entry_num = *nr,
	};
	int ret = ioctl(iommufd->fd, IOMMU_HWPT_INVALIDATE, &invalidate);

	*nr = invalidate.entry_num;
	return ret;
}

static inline int iommufd_destroy(struct iommufd *iommufd, __u32 id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return ioctl(iommufd->fd, IOMMU_DESTROY, &destroy);
}

/* Move the device to a domain. */
static inline int edu_attach(struct edu *edu, __u32 hwpt)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach), .pt_id = hwpt,
	};

	return ioctl(edu->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

#endif /* VMM_H */
