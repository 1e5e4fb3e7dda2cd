// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end of iommufd, a client of its uAPI and of that of VFIO's character devices:
 * everything is done with ioctls on the files that the VMM gave us (uarg.c).
 *
 * Stage 2 is an IOAS of the VMM, in which guest memory is mapped by guest-physical
 * address. We do not see what is in it: the VMM tells which ranges have memory, after
 * it has mapped and before it unmaps them, and the mappings of guests are composed
 * with these ranges. A hardware domain is an IOAS of ours, a piece of memory a copy
 * from stage 2. A copy holds the pages: a VMM that unmaps memory without telling leaves
 * it to the guest, pinned and accounted as before, and to nobody else.
 *
 * A group is blocked by detaching its devices: that needs no memory and does not fail. All
 * devices of the group that are attached have to be endpoints for that, or else the
 * rest of them keeps the group where it is. To attach replaces what was attached
 * before, without a gap.
 *
 * Nothing can be done in the place of a VMM that is no more, nor when another process
 * closes the device last. What is attached and mapped then is left to the VMM's files,
 * of which we let go.
 */
#include <kunit/static_stub.h>
#include <linux/bits.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <uapi/linux/iommufd.h>

#include "backend.h"
#include "dirty.h"
#include "domain.h"
#include "endpoint.h"
#include "iommufd.h"
#include "nest.h"
#include "stage2.h"
#include "uarg.h"
#include "vhost_iommu.h"

/* As many as VFIO containers have. */
#define MEMORY_MAX	U16_MAX

/**
 * struct iommufd_s2 - stage 2 of an instance
 * @s2: what all back ends have
 * @file: the iommufd; constant
 * @ioas: number of the IOAS; constant
 * @uarg: for arguments; the instance's lock
 * @restoring: memory is brought back to guests' domains, of which a part may not be there
 *	when that fails; the instance's lock
 */
struct iommufd_s2 {
	struct vhost_iommu_s2	s2;
	struct file		*file;
	u32			ioas;
	struct vhost_iommu_uarg	uarg;
	bool			restoring;
};

static const struct vhost_iommu_backend iommufd_backend;

static struct iommufd_s2 *to_iommufd(struct vhost_iommu_s2 *s2)
{
	return container_of(s2, struct iommufd_s2, s2);
}

static int iommufd_call(struct iommufd_s2 *fd, unsigned int cmd, void *arg,
			size_t size)
{
	return vhost_iommu_uarg_ioctl(&fd->uarg, fd->file, cmd, arg, size);
}

/**
 * vhost_iommu_iommufd_ioctl() - an ioctl of the iommufd
 * @s2: stage 2, of iommufd; the instance is locked
 * @cmd: the ioctl
 * @arg: its argument, overwritten with what is there afterwards
 * @size: bytes of @arg and of what follows it, a multiple of 4, at most a page
 *
 * Return: as vhost_iommu_uarg_ioctl().
 */
int vhost_iommu_iommufd_ioctl(struct vhost_iommu_s2 *s2, unsigned int cmd,
			      void *arg, size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_iommufd_ioctl, s2, cmd, arg, size);
	return iommufd_call(to_iommufd(s2), cmd, arg, size);
}

/**
 * vhost_iommu_iommufd_may() - may the VMM issue an ioctl of the iommufd?
 * @s2: stage 2, of iommufd; the instance is locked
 * @cmd: the ioctl
 *
 * Return: as vhost_iommu_uarg_may().
 */
int vhost_iommu_iommufd_may(struct vhost_iommu_s2 *s2, unsigned int cmd)
{
	struct iommufd_s2 *fd = to_iommufd(s2);

	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_iommufd_may, s2, cmd);
	return vhost_iommu_uarg_may(&fd->uarg, fd->file, cmd);
}

/**
 * vhost_iommu_iommufd_command() - an ioctl of the iommufd that answers by what it returns
 * @s2: stage 2, of iommufd; the instance is locked
 * @cmd: the ioctl, for which vhost_iommu_iommufd_may() was asked
 * @arg: its argument
 * @size: bytes of @arg and of what follows it, a multiple of 4, at most a page
 *
 * Return: as vhost_iommu_uarg_command().
 */
int vhost_iommu_iommufd_command(struct vhost_iommu_s2 *s2, unsigned int cmd,
				const void *arg, size_t size)
{
	struct iommufd_s2 *fd = to_iommufd(s2);

	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_iommufd_command, s2, cmd, arg, size);
	return vhost_iommu_uarg_command(&fd->uarg, fd->file, cmd, arg, size);
}

/**
 * vhost_iommu_iommufd_destroy() - destroy an object of ours
 * @s2: stage 2, of iommufd; the instance is locked
 * @id: the object's number
 */
void vhost_iommu_iommufd_destroy(struct vhost_iommu_s2 *s2, u32 id)
{
	struct iommu_destroy arg = { .size = sizeof(arg), .id = id };

	vhost_iommu_iommufd_ioctl(s2, IOMMU_DESTROY, &arg, sizeof(arg));
}

/**
 * vhost_iommu_iommufd_arg() - where arguments are
 * @s2: stage 2, of iommufd
 *
 * Return: an address of the VMM's, where @arg of vhost_iommu_iommufd_ioctl() and
 * vhost_iommu_iommufd_command() will be.
 */
u64 vhost_iommu_iommufd_arg(struct vhost_iommu_s2 *s2)
{
	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_iommufd_arg, s2);
	return to_iommufd(s2)->uarg.addr;
}

/**
 * vhost_iommu_iommufd_attach() - attach a device in the place of what it is attached to
 * @s2: stage 2, of iommufd; the instance is locked
 * @device: its character device
 * @pt: number of a page table or an IOAS
 *
 * Return: as vhost_iommu_uarg_ioctl().
 */
int vhost_iommu_iommufd_attach(struct vhost_iommu_s2 *s2, struct file *device,
			       u32 pt)
{
	struct vfio_device_attach_iommufd_pt arg = {
		.argsz = sizeof(arg), .pt_id = pt,
	};

	return vhost_iommu_uarg_ioctl(&to_iommufd(s2)->uarg, device,
				      VFIO_DEVICE_ATTACH_IOMMUFD_PT, &arg,
				      sizeof(arg));
}

/**
 * vhost_iommu_iommufd_detach() - leave a device nothing to reach
 * @s2: stage 2, of iommufd; the instance is locked
 * @device: its character device
 */
void vhost_iommu_iommufd_detach(struct vhost_iommu_s2 *s2, struct file *device)
{
	struct vfio_device_detach_iommufd_pt arg = { .argsz = sizeof(arg) };

	vhost_iommu_uarg_ioctl(&to_iommufd(s2)->uarg, device,
			       VFIO_DEVICE_DETACH_IOMMUFD_PT, &arg, sizeof(arg));
}

static void iommufd_release(struct vhost_iommu_s2 *s2)
{
	struct iommufd_s2 *fd = to_iommufd(s2);
	struct vhost_iommu_s2_range *range;

	while ((range = vhost_iommu_s2_first(s2, 0, U64_MAX))) {
		interval_tree_remove(&range->node, &s2->ranges);
		vhost_iommu_dirty_free(range);
		kfree(range);
	}
	vhost_iommu_uarg_end(&fd->uarg);
	fput(fd->file);
	kfree(fd);
}

/* The first device of a group moves all that are attached, the others follow. */
static int attach_group(struct vhost_iommu_group *group, u32 pt)
{
	struct vhost_iommu_s2 *s2 = group->class->s2;
	struct vhost_iommu_device *dev;
	int ret = 0;

	list_for_each_entry(dev, &s2->devices, list) {
		if (dev->group != group)
			continue;
		ret = vhost_iommu_iommufd_attach(s2, dev->file, pt);
		if (ret)
			break;
	}
	return ret;
}

static void iommufd_block(struct vhost_iommu_group *group)
{
	struct vhost_iommu_s2 *s2 = group->class->s2;
	struct vhost_iommu_device *dev;

	list_for_each_entry(dev, &s2->devices, list)
		if (dev->group == group)
			vhost_iommu_iommufd_detach(s2, dev->file);
	group->attached_pt = 0;
}

static int iommufd_attach(struct vhost_iommu_group *group,
			  const struct vhost_iommu_hwdom *hw)
{
	u32 target = hw ? hw->pt : group->class->pt;
	u32 old = group->attached_pt;
	int ret;

	if (target == old)
		return 0;
	/* A table that is not there. */
	if (!target) {
		iommufd_block(group);
		return 0;
	}
	ret = attach_group(group, target);
	if (!ret)
		group->attached_pt = target;
	else if (!old || attach_group(group, old))
		iommufd_block(group);
	return ret;
}

/* The number of a device of a group, as far as the VMM has told. */
static u32 device_id(const struct vhost_iommu_group *group)
{
	const struct vhost_iommu_device *dev;

	list_for_each_entry(dev, &group->class->s2->devices, list)
		if (dev->group == group && dev->id)
			return dev->id;
	return 0;
}

static int iommufd_alloc(struct vhost_iommu_hwdom *hw,
			 struct vhost_iommu_group *group)
{
	struct iommu_ioas_alloc arg = { .size = sizeof(arg) };
	int ret;

	if (vhost_iommu_nests(hw->owner, hw->class))
		return vhost_iommu_nest_alloc(hw, device_id(group));
	ret = vhost_iommu_iommufd_ioctl(hw->class->s2, IOMMU_IOAS_ALLOC, &arg,
					sizeof(arg));
	if (ret)
		return ret;
	hw->ioas = arg.out_ioas_id;
	ret = vhost_iommu_dirty_alloc(hw, device_id(group));
	if (ret)
		vhost_iommu_iommufd_destroy(hw->class->s2, hw->ioas);
	return ret;
}

static void iommufd_free(struct vhost_iommu_hwdom *hw)
{
	if (hw->batch) {
		vhost_iommu_nest_free(hw);
		return;
	}
	if (hw->tracks)
		vhost_iommu_iommufd_destroy(hw->class->s2, hw->pt);
	vhost_iommu_iommufd_destroy(hw->class->s2, hw->ioas);
}

/* A piece may be several mappings of the VMM: those that are consecutive are copied. */
static int copy_piece(struct vhost_iommu_hwdom *hw, u64 iova, u64 gpa, u64 size,
		      int prot)
{
	struct iommufd_s2 *fd = to_iommufd(hw->class->s2);
	struct iommu_ioas_copy arg = {
		.size = sizeof(arg),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = hw->ioas,
		.src_ioas_id = fd->ioas,
		.length = size,
		.dst_iova = iova,
		.src_iova = gpa,
	};

	if (prot & IOMMU_READ)
		arg.flags |= IOMMU_IOAS_MAP_READABLE;
	if (prot & IOMMU_WRITE)
		arg.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return vhost_iommu_iommufd_command(&fd->s2, IOMMU_IOAS_COPY, &arg, sizeof(arg));
}

/**
 * vhost_iommu_iommufd_block() - leave the groups of a hardware domain nothing to reach
 * @hw: of iommufd; the instance is locked, which is all that can move them
 *
 * For what cannot be taken from it.
 */
void vhost_iommu_iommufd_block(struct vhost_iommu_hwdom *hw)
{
	struct vhost_iommu_group *group;

	lockdep_assert_held(&hw->owner->vi->lock);

	list_for_each_entry(group, &hw->class->groups, list)
		if (hw->pt && group->attached_pt == hw->pt)
			hw->class->s2->backend->block(group);
}

/*
 * It is gone from the IOTLB too. Only a VMM that has touched what is ours can have
 * iommufd refuse: the guest's is its loss.
 */
static void iommufd_unmap(struct vhost_iommu_hwdom *hw, u64 iova, u64 size)
{
	struct iommu_ioas_unmap arg = {
		.size = sizeof(arg), .ioas_id = hw->ioas, .iova = iova,
		.length = size,
	};
	struct iommufd_s2 *fd = to_iommufd(hw->class->s2);
	int ret;

	ret = vhost_iommu_iommufd_command(&fd->s2, IOMMU_IOAS_UNMAP, &arg, sizeof(arg));
	/* A VMM may have put something larger into the place of what we have mapped. */
	if (ret && !(ret == -ENOENT && fd->restoring))
		vhost_iommu_iommufd_block(hw);
}

/* A copy is unmapped as a whole. */
static int iommufd_map(struct vhost_iommu_hwdom *hw,
		       const struct vhost_iommu_s2_range *range, u64 iova, u64 gpa,
		       u64 gpa_last, int prot, unsigned int shift)
{
	u64 left = gpa_last - gpa + 1, size = left, start = iova;
	int ret = 0;

	while (left) {
		if (shift)
			size = min(left, BIT_ULL(shift) -
				   (iova & (BIT_ULL(shift) - 1)));
		ret = fatal_signal_pending(current) ? -EINTR :
		      copy_piece(hw, iova, gpa, size, prot);
		if (ret)
			break;
		iova += size;
		gpa += size;
		left -= size;
		cond_resched();
	}
	if (ret && iova != start)
		iommufd_unmap(hw, start, iova - start);
	return ret;
}

/* An UNMAP has flushed. */
static void iommufd_flush(struct vhost_iommu_hwdom *hw)
{
	if (hw->batch)
		vhost_iommu_nest_flush(hw);
}

static void iommufd_aperture(const struct vhost_iommu_class *class, u64 *start,
			     u64 *last)
{
	*start = class->first;
	*last = class->last;
}

/**
 * vhost_iommu_iommufd_aperture() - ask which addresses can be mapped in stage 2
 * @s2: stage 2, of iommufd; the instance is locked
 * @first: the first one
 * @last: the last one
 *
 * Return: 0, -ENOMEM, or as vhost_iommu_uarg_ioctl().
 */
int vhost_iommu_iommufd_aperture(struct vhost_iommu_s2 *s2, u64 *first, u64 *last)
{
	struct iommufd_s2 *fd = to_iommufd(s2);
	struct {
		struct iommu_ioas_iova_ranges	head;
		struct iommu_iova_range		r[];
	} *arg;
	size_t max = (PAGE_SIZE - sizeof(*arg)) / sizeof(arg->r[0]), nr;
	int ret;

	arg = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!arg)
		return -ENOMEM;
	arg->head.size = sizeof(arg->head);
	arg->head.ioas_id = fd->ioas;
	arg->head.num_iovas = max;
	arg->head.allowed_iovas = fd->uarg.addr + offsetof(typeof(*arg), r);

	ret = iommufd_call(fd, IOMMU_IOAS_IOVA_RANGES, arg, PAGE_SIZE);
	nr = arg->head.num_iovas;
	if (!ret && (!nr || nr > max || arg->r[nr - 1].last < arg->r[0].start))
		ret = -EINVAL;
	*first = arg->r[0].start;
	*last = ret ? 0 : arg->r[nr - 1].last;
	kfree(arg);
	return ret;
}

static const struct vhost_iommu_backend iommufd_backend = {
	.release	= iommufd_release,
	.bind		= vhost_iommu_iommufd_bind,
	.unbind		= vhost_iommu_iommufd_unbind,
	.aperture	= iommufd_aperture,
	.attach		= iommufd_attach,
	.block		= iommufd_block,
	.alloc		= iommufd_alloc,
	.free		= iommufd_free,
	.map		= iommufd_map,
	.unmap		= iommufd_unmap,
	.flush		= iommufd_flush,
};

/**
 * vhost_iommu_has_iommufd() - is stage 2 an IOAS of the VMM?
 * @vi: the instance, locked
 */
bool vhost_iommu_has_iommufd(const struct vhost_iommu *vi)
{
	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_has_iommufd, vi);
	return vi->s2 && vi->s2->backend == &iommufd_backend;
}

/*
 * Another file could have an ioctl of the same number, and no idea of being used by a
 * thread like the worker.
 */
static bool is_iommufd(struct file *file)
{
	struct iommufd_ctx *ctx = iommufd_ctx_from_file(file);

	if (IS_ERR(ctx))
		return false;
	iommufd_ctx_put(ctx);
	return true;
}

/* Takes over @file, unless it fails. */
static struct iommufd_s2 *create_s2(struct file *file, u32 ioas)
{
	u64 first, last;
	struct iommufd_s2 *fd;
	int ret;

	fd = kzalloc(sizeof(*fd), GFP_KERNEL_ACCOUNT);
	if (!fd)
		return ERR_PTR(-ENOMEM);
	kref_init(&fd->s2.kref);
	fd->s2.backend = &iommufd_backend;
	init_rwsem(&fd->s2.lock);
	fd->s2.ranges = RB_ROOT_CACHED;
	fd->s2.avail = MEMORY_MAX;
	INIT_LIST_HEAD(&fd->s2.classes);
	INIT_LIST_HEAD(&fd->s2.devices);
	fd->file = file;
	fd->ioas = ioas;

	ret = vhost_iommu_uarg_init(&fd->uarg);
	if (ret)
		goto err_free;
	ret = vhost_iommu_iommufd_may(&fd->s2, IOMMU_IOAS_COPY) ?:
	      vhost_iommu_iommufd_may(&fd->s2, IOMMU_IOAS_UNMAP) ?:
	      vhost_iommu_iommufd_aperture(&fd->s2, &first, &last);
	if (ret)
		goto err_uarg_end;
	fd->s2.mm = current->mm;
	mmgrab(fd->s2.mm);
	return fd;

err_uarg_end:
	vhost_iommu_uarg_end(&fd->uarg);
err_free:
	kfree(fd);
	return ERR_PTR(ret);
}

/* A VMM whose last device is gone may begin anew with another IOAS. */
static bool is_unused(const struct vhost_iommu *vi)
{
	return vhost_iommu_has_iommufd(vi) && list_empty(&vi->s2->devices);
}

/**
 * vhost_iommu_set_iommufd() - VHOST_IOMMU_SET_IOMMUFD
 * @vi: the instance, locked
 * @arg: argument of the ioctl
 *
 * Return: see the ioctl.
 */
int vhost_iommu_set_iommufd(struct vhost_iommu *vi,
			    const struct vhost_iommu_iommufd *arg)
{
	struct iommufd_s2 *fd;
	struct file *file;

	lockdep_assert_held(&vi->lock);

	if (arg->flags)
		return -EOPNOTSUPP;
	file = fget(arg->iommufd);
	if (!file)
		return -EBADF;
	if (vi->s2 && !is_unused(vi))
		fd = ERR_PTR(-EBUSY);
	else if (!is_iommufd(file))
		fd = ERR_PTR(-EINVAL);
	else
		fd = create_s2(file, arg->ioas);
	if (IS_ERR(fd)) {
		fput(file);
		return PTR_ERR(fd);
	}
	if (vi->s2)
		vhost_iommu_s2_put(vi->s2);
	vi->s2 = &fd->s2;
	return 0;
}

static int check_memory(struct vhost_iommu *vi,
			const struct vhost_iommu_memory *arg)
{
	if (!vhost_iommu_has_iommufd(vi))
		return -ENOENT;
	if (arg->last < arg->start || !PAGE_ALIGNED(arg->start | (arg->last + 1)))
		return -EINVAL;
	return 0;
}

static void forget_range(struct vhost_iommu_s2 *s2,
			 struct vhost_iommu_s2_range *range)
{
	interval_tree_remove(&range->node, &s2->ranges);
	s2->avail++;
	vhost_iommu_dirty_free(range);
	kfree(range);
}

static int insert_range(struct vhost_iommu_s2 *s2,
			const struct vhost_iommu_memory *arg)
{
	struct iommufd_s2 *fd = to_iommufd(s2);
	struct vhost_iommu_s2_range *range;
	int ret;

	if (vhost_iommu_s2_first(s2, arg->start, arg->last))
		return -EEXIST;
	if (!s2->avail)
		return -ENOSPC;
	range = kzalloc(sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!range)
		return -ENOMEM;
	range->node.start = arg->start;
	range->node.last = arg->last;
	if (arg->flags & VHOST_IOMMU_MEMORY_READ)
		range->prot |= IOMMU_READ;
	if (arg->flags & VHOST_IOMMU_MEMORY_WRITE)
		range->prot |= IOMMU_WRITE;
	ret = vhost_iommu_dirty_add_range(s2, range);
	if (ret) {
		kfree(range);
		return ret;
	}

	interval_tree_insert(&range->node, &s2->ranges);
	s2->avail--;
	fd->restoring = true;
	ret = vhost_iommu_s2_restore(s2, range);
	fd->restoring = false;
	if (ret)
		forget_range(s2, range);
	return ret;
}

/**
 * vhost_iommu_add_memory() - VHOST_IOMMU_ADD_MEMORY
 * @vi: the instance, locked
 * @arg: argument of the ioctl
 *
 * Return: see the ioctl.
 */
int vhost_iommu_add_memory(struct vhost_iommu *vi,
			   const struct vhost_iommu_memory *arg)
{
	const u32 known = VHOST_IOMMU_MEMORY_READ | VHOST_IOMMU_MEMORY_WRITE;
	int ret;

	lockdep_assert_held(&vi->lock);

	if (arg->flags & ~known)
		return -EOPNOTSUPP;
	ret = check_memory(vi, arg);
	if (ret)
		return ret;
	if (!arg->flags)
		return -EINVAL;
	vhost_iommu_lock_s2(vi);
	ret = insert_range(vi->s2, arg);
	vhost_iommu_unlock_s2(vi);
	return ret;
}

static int remove_ranges(struct vhost_iommu_s2 *s2, u64 start, u64 last)
{
	struct vhost_iommu_s2_range *range;

	if (!vhost_iommu_s2_first(s2, start, last))
		return -ENOENT;
	if (vhost_iommu_s2_bisects(s2, start, start, last) ||
	    vhost_iommu_s2_bisects(s2, last, start, last))
		return -EINVAL;
	while ((range = vhost_iommu_s2_first(s2, start, last))) {
		vhost_iommu_s2_withdraw(s2, range);
		forget_range(s2, range);
		cond_resched();
	}
	return 0;
}

/**
 * vhost_iommu_remove_memory() - VHOST_IOMMU_REMOVE_MEMORY
 * @vi: the instance, locked
 * @arg: argument of the ioctl
 *
 * Return: see the ioctl.
 */
int vhost_iommu_remove_memory(struct vhost_iommu *vi,
			      const struct vhost_iommu_memory *arg)
{
	int ret;

	lockdep_assert_held(&vi->lock);

	if (arg->flags)
		return -EOPNOTSUPP;
	ret = check_memory(vi, arg);
	if (ret)
		return ret;
	vhost_iommu_lock_s2(vi);
	ret = remove_ranges(vi->s2, arg->start, arg->last);
	vhost_iommu_unlock_s2(vi);
	return ret;
}

/* Of iommufd_ctx_from_file(). MODULE_IMPORT_NS() takes a token, or a string. */
MODULE_INFO(import_ns, "IOMMUFD");
