/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To read the state of an instance out, and to put one back.
 */
#ifndef STATE_H
#define STATE_H

#include "vm.h"

#define MAX_RECORDS	64
#define RECORD_SIZE	sizeof(struct vhost_iommu_record)

static inline int state_ioctl(struct vm *vm, unsigned int cmd,
			      struct vhost_iommu_state *arg,
			      struct vhost_iommu_record *records, __u32 nr)
{
	arg->size = sizeof(*arg);
	arg->records = (uintptr_t)records;
	arg->nr = nr;
	return ioctl(vm->fd, cmd, arg);
}

/* Read all records, @chunk at a time: how many, or -1. */
static inline int get_state(struct vm *vm, struct vhost_iommu_record *records,
			    __u32 max, __u32 chunk)
{
	struct vhost_iommu_state arg = {};
	__u32 n = 0;

	do {
		if (n + chunk > max ||
		    state_ioctl(vm, VHOST_IOMMU_GET_STATE, &arg, records + n, chunk))
			return -1;
		n += arg.nr;
	} while (arg.nr);
	return n;
}

static inline int set_state(struct vm *vm, struct vhost_iommu_record *records,
			    __u32 nr, __u32 chunk)
{
	struct vhost_iommu_state arg = {};
	__u32 n;

	for (; nr; nr -= n, records += n) {
		n = nr < chunk ? nr : chunk;
		if (state_ioctl(vm, VHOST_IOMMU_SET_STATE, &arg, records, n))
			return -1;
	}
	return 0;
}

#endif /* STATE_H */
