/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The edu device behind a virtual IOMMU of ours: VFIO's map is its stage 2.
 */
#ifndef EDU_VM_H
#define EDU_VM_H

#include "edu.h"
#include "vm.h"

static inline int edu_add_endpoint(struct edu *edu, struct vm *vm, __u32 id)
{
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep),
		.flags = VHOST_IOMMU_ENDPOINT_VFIO,
		.id = id,
		.group_fd = edu->group,
		.device = (uintptr_t)edu->name,
	};

	return ioctl(vm->fd, VHOST_IOMMU_ADD_ENDPOINT, &ep);
}

static inline int s2_map(struct edu *edu, void *addr, __u64 gpa, __u64 size,
			 __u32 flags)
{
	return edu_map(edu, addr, gpa, size, flags);
}

static inline __s64 s2_unmap(struct edu *edu, __u64 gpa, __u64 size,
			     __u32 flags)
{
	return edu_unmap(edu, gpa, size, flags);
}

/* All of it: a guest with memory, and the device behind its virtual IOMMU. */
static inline int edu_create(struct edu *edu, struct vm *vm, __u32 id)
{
	return vm_create(vm) || ioctl(vm->fd, VHOST_IOMMU_CLAIM_CONTAINERS) ||
	       edu_open_group(edu) || edu_set_container(edu) ||
	       s2_map(edu, vm->ram, 0, RAM_SIZE,
		      VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE) ||
	       edu_open_device(edu) || edu_add_endpoint(edu, vm, id) ||
	       vm_run(vm, 1);
}

#endif /* EDU_VM_H */
