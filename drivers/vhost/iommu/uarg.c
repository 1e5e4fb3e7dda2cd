// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls issued in the place of a VMM: on files that it gave us, in its address space,
 * with its credentials and limits. They take user pointers, so the arguments go
 * through a page of the VMM's that is ours.
 *
 * The VMM can write there at any time, also between us and the kernel's reading it, and
 * take the page away. It can as well issue the ioctl itself, with any argument: the
 * file is its own. So that an ioctl succeeded says nothing but that, and what
 * was read back is not used for anything but further ioctls on the same files; its user
 * has to see to that.
 *
 * The worker has no table of open files: no ioctl from here may take a file
 * descriptor, or make one, unless it is issued in one of the VMM's.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/uaccess.h>

#include "uarg.h"

/**
 * vhost_iommu_uarg_init() - get a page in the current address space
 * @uarg: what is set up
 *
 * A child has a copy of the page, which nobody uses.
 *
 * Return: 0 or an error of mmap().
 */
int vhost_iommu_uarg_init(struct vhost_iommu_uarg *uarg)
{
	uarg->mm = current->mm;
	uarg->addr = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	return IS_ERR_VALUE(uarg->addr) ? (long)uarg->addr : 0;
}

/**
 * vhost_iommu_uarg_end() - give the page back
 * @uarg: what vhost_iommu_uarg_init() has set up
 *
 * In another process, or one that has no memory any more, there is nothing to do.
 */
void vhost_iommu_uarg_end(struct vhost_iommu_uarg *uarg)
{
	if (current->mm == uarg->mm)
		vm_munmap(uarg->addr, PAGE_SIZE);
}

/* In words: for what is short, the checks of copy_to_user() take longer than the copy. */
static int put_arg(u32 __user *to, const u32 *from, size_t size)
{
	const u32 *end = from + size / sizeof(*from);

	if (WARN_ON_ONCE(size > PAGE_SIZE || size % sizeof(*from)))
		return -EINVAL;
	if (!user_write_access_begin(to, size))
		return -EFAULT;
	for (; from != end; from++, to++)
		unsafe_put_user(*from, to, err_end);
	user_write_access_end();
	return 0;

err_end:
	user_write_access_end();
	return -EFAULT;
}

/**
 * vhost_iommu_uarg_may() - may the VMM issue an ioctl?
 * @uarg: the page
 * @file: a file of the VMM's
 * @cmd: the ioctl
 *
 * Return: 0 or an error of a security module.
 */
int vhost_iommu_uarg_may(const struct vhost_iommu_uarg *uarg, struct file *file,
			 unsigned int cmd)
{
	return security_file_ioctl(file, cmd, uarg->addr);
}

/**
 * vhost_iommu_uarg_command() - issue an ioctl that answers by what it returns
 * @uarg: the page; nobody else uses it meanwhile
 * @file: a file that is known to take such ioctls
 * @cmd: the ioctl, which has nothing to do with file descriptors unless the caller is an
 *	ioctl of the VMM's
 * @arg: its argument
 * @size: bytes of @arg, a multiple of 4, at most a page
 *
 * For what a guest asks for all the time: whether the VMM may is to be asked with
 * vhost_iommu_uarg_may() once before.
 *
 * Return: 0, an error of the ioctl, -EFAULT if there is no page, or -ESRCH in another
 * address space.
 */
int vhost_iommu_uarg_command(const struct vhost_iommu_uarg *uarg, struct file *file,
			     unsigned int cmd, const void *arg, size_t size)
{
	int ret;

	if (current->mm != uarg->mm)
		return -ESRCH;
	ret = put_arg((u32 __user *)uarg->addr, arg, size);
	if (ret)
		return ret;
	return file->f_op->unlocked_ioctl(file, cmd, uarg->addr);
}

/**
 * vhost_iommu_uarg_ioctl() - issue an ioctl
 * @uarg: the page; nobody else uses it meanwhile
 * @file: a file that is known to take such ioctls
 * @cmd: as for vhost_iommu_uarg_command()
 * @arg: its argument, overwritten with what is there afterwards
 * @size: bytes of @arg, a multiple of 4, at most a page
 *
 * Return: as vhost_iommu_uarg_may() or vhost_iommu_uarg_command().
 */
int vhost_iommu_uarg_ioctl(const struct vhost_iommu_uarg *uarg, struct file *file,
			   unsigned int cmd, void *arg, size_t size)
{
	int ret, err;

	if (current->mm != uarg->mm)
		return -ESRCH;
	ret = vhost_iommu_uarg_may(uarg, file, cmd);
	if (ret)
		return ret;
	ret = vhost_iommu_uarg_command(uarg, file, cmd, arg, size);
	err = copy_from_user(arg, (void __user *)uarg->addr, size) ? -EFAULT : 0;
	return ret ?: err;
}
