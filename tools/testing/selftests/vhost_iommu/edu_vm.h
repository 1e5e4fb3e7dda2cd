/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The edu device behind a virtual IOMMU of ours: VFIO's map is its stage 2.
 */
#ifndef EDU_VM_H
#define EDU_VM_H

#include "edu.h"
#include "vm.h"

/* Once for each virtual IOMMU: what its stage 2 is. */
static inline int edu_set_iommufd(struct edu *edu, struct vm *vm)
{
	struct vhost_iommu_iommufd arg = {
		.size = sizeof(arg), .iommufd = edu->container, .ioas = edu->ioas,
	};

	edu->vm = vm->fd;
	return ioctl(vm->fd, VHOST_IOMMU_SET_IOMMUFD, &arg);
}

static inline int edu_add_endpoint(struct edu *edu, struct vm *vm, __u32 id)
{
	struct vhost_iommu_endpoint cdev = {
		.size = sizeof(cdev),
		.flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		.id = id,
		.device_fd = edu->device,
		.pt_id = edu->pt_id,
		.dev_id = edu->dev_id,
		.parent_id = edu->parent_id,
	};
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep),
		.flags = VHOST_IOMMU_ENDPOINT_VFIO,
		.id = id,
		.group_fd = edu->group,
		.device = (uintptr_t)edu->name,
	};

	return ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, in_iommufd() ? &cdev : &ep);
}

/* Tell a virtual IOMMU of memory in its iommufd. */
static inline int add_memory(int fd, __u64 gpa, __u64 size, __u32 flags)
{
	struct vhost_iommu_memory arg = {
		.size = sizeof(arg), .start = gpa, .last = gpa + size - 1,
	};

	if (flags & VFIO_DMA_MAP_FLAG_READ)
		arg.flags |= VHOST_IOMMU_MEMORY_READ;
	if (flags & VFIO_DMA_MAP_FLAG_WRITE)
		arg.flags |= VHOST_IOMMU_MEMORY_WRITE;
	return ioctl(fd, VHOST_IOMMU_ADD_MEMORY, &arg);
}

static inline int remove_memory(int fd, __u64 gpa, __u64 size)
{
	struct vhost_iommu_memory arg = {
		.size = sizeof(arg), .start = gpa, .last = gpa + size - 1,
	};

	return ioctl(fd, VHOST_IOMMU_REMOVE_MEMORY, &arg);
}

/* One more virtual IOMMU with the guest memory of @first, which is mapped. */
static inline int edu_share(const struct edu *first, struct vm *vm)
{
	struct edu edu = *first;

	if (!in_iommufd())
		return 0;
	return edu_set_iommufd(&edu, vm) ||
	       add_memory(vm->fd, 0, RAM_SIZE, VFIO_DMA_MAP_FLAG_READ |
			  VFIO_DMA_MAP_FLAG_WRITE);
}

static inline int s2_map(struct edu *edu, void *addr, __u64 gpa, __u64 size,
			 __u32 flags)
{
	int ret = edu_map(edu, addr, gpa, size, flags);

	if (ret || !in_iommufd() || !add_memory(edu->vm, gpa, size, flags))
		return ret;
	ret = errno;
	edu_unmap(edu, gpa, size, 0);
	errno = ret;
	return -1;
}

static inline __s64 s2_unmap(struct edu *edu, __u64 gpa, __u64 size,
			     __u32 flags)
{
	__u64 all = flags & VFIO_DMA_UNMAP_FLAG_ALL ? 0 : size;

	/* Nothing there is no error in a container. */
	if (in_iommufd() && remove_memory(edu->vm, gpa, all))
		return errno == ENOENT ? 0 : -1;
	return edu_unmap(edu, gpa, size, flags);
}

/* What is needed before memory and devices: a container of ours, or an iommufd. */
static inline int edu_claim(struct edu *edu, struct vm *vm)
{
	if (in_iommufd())
		return edu_open_group(edu) || edu_set_iommufd(edu, vm);
	return ioctl(vm->fd, VHOST_IOMMU_CLAIM_CONTAINERS) ||
	       edu_open_group(edu) || edu_set_container(edu);
}

/* All of it: a guest with memory, and the device behind its virtual IOMMU. */
static inline int edu_create(struct edu *edu, struct vm *vm, __u32 id)
{
	return vm_create(vm) || edu_claim(edu, vm) ||
	       s2_map(edu, vm->ram, 0, RAM_SIZE,
		      VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE) ||
	       edu_open_device(edu) || edu_add_endpoint(edu, vm, id) ||
	       vm_run(vm, 1);
}

#endif /* EDU_VM_H */
