/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests use of iommufd and of VFIO's character devices, for headers that are
 * older than they are.
 */
#ifndef UAPI_IOMMUFD_H
#define UAPI_IOMMUFD_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vfio.h>

/* <linux/iommufd.h> may be there or not: a program that needs all of it is first. */
#ifndef IOMMU_DESTROY
struct iommu_destroy {
	__u32		size;
	__u32		id;
};

struct iommu_ioas_alloc {
	__u32		size;
	__u32		flags;
	__u32		out_ioas_id;
};

struct iommu_iova_range {
	__aligned_u64	start;
	__aligned_u64	last;
};

struct iommu_ioas_iova_ranges {
	__u32		size;
	__u32		ioas_id;
	__u32		num_iovas;
	__u32		__reserved;
	__aligned_u64	allowed_iovas;
	__aligned_u64	out_iova_alignment;
};

struct iommu_ioas_map {
	__u32		size;
	__u32		flags;
	__u32		ioas_id;
	__u32		__reserved;
	__aligned_u64	user_va;
	__aligned_u64	length;
	__aligned_u64	iova;
};

struct iommu_ioas_unmap {
	__u32		size;
	__u32		ioas_id;
	__aligned_u64	iova;
	__aligned_u64	length;
};

struct iommu_hwpt_alloc {
	__u32		size;
	__u32		flags;
	__u32		dev_id;
	__u32		pt_id;
	__u32		out_hwpt_id;
	__u32		__reserved;
};

#define IOMMU_HWPT_ALLOC_NEST_PARENT	(1 << 0)

#define IOMMU_IOAS_MAP_FIXED_IOVA	(1 << 0)
#define IOMMU_IOAS_MAP_WRITEABLE	(1 << 1)
#define IOMMU_IOAS_MAP_READABLE		(1 << 2)

#define IOMMU_DESTROY			_IO(';', 0x80)
#define IOMMU_IOAS_ALLOC		_IO(';', 0x81)
#define IOMMU_IOAS_IOVA_RANGES		_IO(';', 0x84)
#define IOMMU_IOAS_MAP			_IO(';', 0x85)
#define IOMMU_IOAS_UNMAP		_IO(';', 0x86)
#define IOMMU_HWPT_ALLOC		_IO(';', 0x89)
#endif

#ifndef VFIO_DEVICE_BIND_IOMMUFD
struct vfio_device_bind_iommufd {
	__u32		argsz;
	__u32		flags;
	__s32		iommufd;
	__u32		out_devid;
};

#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
#endif

#endif /* UAPI_IOMMUFD_H */
