// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to guest memory by guest-physical address, through the VMM's address
 * space: the caller runs in it. The table is never changed, only replaced, under
 * the lock of the instance.
 */
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vhost_types.h>

#include "memtable.h"

/* As many as QEMU has memory slots. */
#define MEMTABLE_MAX	512

static int cmp_regions(const void *a, const void *b)
{
	const struct vhost_iommu_memregion *ra = a, *rb = b;

	return ra->start < rb->start ? -1 : ra->start > rb->start;
}

static int check_regions(const struct vhost_iommu_memtable *mem)
{
	unsigned int i;

	for (i = 1; i < mem->nr; i++)
		if (mem->regions[i].start <= mem->regions[i - 1].last)
			return -EINVAL;
	return 0;
}

static int copy_region(struct vhost_iommu_memregion *region,
		       const struct vhost_memory_region __user *uregion)
{
	struct vhost_memory_region r;
	unsigned long ulast;

	if (copy_from_user(&r, uregion, sizeof(r)))
		return -EFAULT;
	if (r.flags_padding)
		return -EOPNOTSUPP;
	if (!r.memory_size ||
	    check_add_overflow(r.guest_phys_addr, r.memory_size - 1,
			       &region->last) ||
	    check_add_overflow((unsigned long)r.userspace_addr,
			       (unsigned long)(r.memory_size - 1), &ulast) ||
	    r.userspace_addr != (unsigned long)r.userspace_addr)
		return -EINVAL;

	region->start = r.guest_phys_addr;
	region->uaddr = r.userspace_addr;
	return 0;
}

/**
 * vhost_iommu_memtable_create() - make a table of what VHOST_SET_MEM_TABLE says
 * @umem: argument of the ioctl
 *
 * Return: the table, to be freed with vhost_iommu_memtable_free(), or an ERR_PTR:
 * -EINVAL for regions that are empty, wrap or overlap, -E2BIG for too many.
 */
struct vhost_iommu_memtable *
vhost_iommu_memtable_create(const struct vhost_memory __user *umem)
{
	struct vhost_iommu_memtable *mem;
	struct vhost_memory head;
	unsigned int i;
	int ret;

	if (copy_from_user(&head, umem, sizeof(head)))
		return ERR_PTR(-EFAULT);
	if (head.padding)
		return ERR_PTR(-EOPNOTSUPP);
	if (head.nregions > MEMTABLE_MAX)
		return ERR_PTR(-E2BIG);

	mem = kvzalloc(struct_size(mem, regions, head.nregions),
		       GFP_KERNEL_ACCOUNT);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	mem->nr = head.nregions;

	for (i = 0; i < mem->nr; i++) {
		ret = copy_region(&mem->regions[i], &umem->regions[i]);
		if (ret)
			goto err_free;
	}

	sort(mem->regions, mem->nr, sizeof(mem->regions[0]), cmp_regions, NULL);
	ret = check_regions(mem);
	if (ret)
		goto err_free;
	return mem;

err_free:
	kvfree(mem);
	return ERR_PTR(ret);
}

/**
 * vhost_iommu_memtable_free() - free a table
 * @mem: the table, or NULL
 */
void vhost_iommu_memtable_free(struct vhost_iommu_memtable *mem)
{
	kvfree(mem);
}

/* How much of [gpa, gpa + len) is consecutive in the VMM, and where. */
static size_t find_run(const struct vhost_iommu_memtable *mem, u64 gpa,
		       size_t len, void __user **uaddr)
{
	unsigned int lo = 0, hi = mem ? mem->nr : 0;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;
		const struct vhost_iommu_memregion *r = &mem->regions[mid];

		if (gpa < r->start) {
			hi = mid;
		} else if (gpa > r->last) {
			lo = mid + 1;
		} else {
			*uaddr = (void __user *)(r->uaddr +
						 (unsigned long)(gpa - r->start));
			/* One less, as a region may end at the last address. */
			return min_t(u64, len - 1, r->last - gpa) + 1;
		}
	}
	return 0;
}

/**
 * vhost_iommu_mem_find() - where a piece of guest memory is in the VMM
 * @mem: the table, or NULL
 * @gpa: guest-physical address
 * @len: bytes, at least one
 *
 * Return: the address, not checked in any way, or NULL if the piece is not memory or
 * not in one region.
 */
void __user *vhost_iommu_mem_find(const struct vhost_iommu_memtable *mem, u64 gpa,
				  size_t len)
{
	void __user *uaddr;

	return find_run(mem, gpa, len, &uaddr) == len ? uaddr : NULL;
}

/**
 * vhost_iommu_mem_read() - copy from guest memory
 * @mem: the table, or NULL
 * @gpa: guest-physical address
 * @buf: destination
 * @len: bytes
 *
 * Context: process context in the VMM's address space; may sleep.
 * Return: 0, or -EFAULT if not all of it is memory. @buf may be half written then.
 */
int vhost_iommu_mem_read(const struct vhost_iommu_memtable *mem, u64 gpa,
			 void *buf, size_t len)
{
	while (len) {
		void __user *uaddr;
		size_t n = find_run(mem, gpa, len, &uaddr);

		if (!n || copy_from_user(buf, uaddr, n))
			return -EFAULT;
		buf += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

/**
 * vhost_iommu_mem_write() - copy to guest memory
 * @mem: the table, or NULL
 * @gpa: guest-physical address
 * @buf: source
 * @len: bytes
 *
 * Context: process context in the VMM's address space; may sleep.
 * Return: 0, or -EFAULT if not all of it is memory. It may be half written then.
 */
int vhost_iommu_mem_write(const struct vhost_iommu_memtable *mem, u64 gpa,
			  const void *buf, size_t len)
{
	while (len) {
		void __user *uaddr;
		size_t n = find_run(mem, gpa, len, &uaddr);

		if (!n || copy_to_user(uaddr, buf, n))
			return -EFAULT;
		buf += n;
		gpa += n;
		len -= n;
	}
	return 0;
}
