// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOMMU driver of the containers that we serve, with the uAPI of type1v2. VFIO
 * asks the driver that registered last first: we turn down every process that has
 * not claimed its containers, and VFIO goes on to vfio_iommu_type1.
 */
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <uapi/linux/vfio.h>
#include <vfio_iommu_driver.h>

#include "backend.h"
#include "endpoint.h"
#include "region.h"
#include "stage2.h"
#include "vhost_iommu.h"

static unsigned int dma_entry_limit __read_mostly = U16_MAX;
module_param(dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit,
		 "Maximum number of stage-2 ranges a VMM can map (65535)");

static void *s2_open(unsigned long arg)
{
	struct vhost_iommu_s2 *s2;
	int ret;

	if (arg != VFIO_TYPE1_IOMMU && arg != VFIO_TYPE1v2_IOMMU)
		return ERR_PTR(-EINVAL);
	if (!vhost_iommu_claimed(current->mm))
		return ERR_PTR(-ENODEV);

	s2 = kzalloc(sizeof(*s2), GFP_KERNEL_ACCOUNT);
	if (!s2)
		return ERR_PTR(-ENOMEM);
	kref_init(&s2->kref);
	s2->backend = &vhost_iommu_container;
	init_rwsem(&s2->lock);
	s2->ranges = RB_ROOT_CACHED;
	s2->avail = dma_entry_limit;
	INIT_LIST_HEAD(&s2->classes);
	INIT_LIST_HEAD(&s2->devices);
	s2->mm = current->mm;
	mmgrab(s2->mm);

	ret = vhost_iommu_register_s2(s2);
	if (ret) {
		vhost_iommu_s2_put(s2);
		return ERR_PTR(ret);
	}
	return (void *)s2->number;
}

/* While VFIO has the container, it is there. */
static struct vhost_iommu_s2 *to_s2(void *data)
{
	return vhost_iommu_find_s2((unsigned long)data);
}

static void s2_close(void *data)
{
	struct vhost_iommu_s2 *s2 = to_s2(data);

	vhost_iommu_unregister_s2(s2);
	vhost_iommu_s2_put(s2);
}

static int s2_attach_group(void *data, struct iommu_group *iommu_group,
			   enum vfio_group_type type)
{
	struct vhost_iommu_s2 *s2 = to_s2(data);
	int ret;

	if (type != VFIO_IOMMU)
		return -EOPNOTSUPP;
	down_write(&s2->lock);
	ret = vhost_iommu_group_add(s2, iommu_group);
	up_write(&s2->lock);
	return ret;
}

static void s2_detach_group(void *data, struct iommu_group *iommu_group)
{
	struct vhost_iommu_s2 *s2 = to_s2(data);

	down_write(&s2->lock);
	vhost_iommu_group_remove(s2, iommu_group);
	up_write(&s2->lock);
}

static void s2_register_device(void *data, struct vfio_device *vdev)
{
	struct vhost_iommu_s2 *s2 = to_s2(data);
	struct vhost_iommu_device *dev;
	struct iommu_group *iommu_group;

	/* VFIO has no way to be told; a device once per open is few and small. */
	dev = kzalloc(sizeof(*dev), GFP_KERNEL | __GFP_NOFAIL);
	dev->vdev = vdev;

	iommu_group = iommu_group_get(vdev->dev);
	down_write(&s2->lock);
	dev->group = vhost_iommu_group_find(s2, iommu_group);
	list_add_tail(&dev->list, &s2->devices);
	up_write(&s2->lock);
	iommu_group_put(iommu_group);
}

static void s2_unregister_device(void *data, struct vfio_device *vdev)
{
	struct vhost_iommu_s2 *s2 = to_s2(data);
	struct vhost_iommu_device *dev;

	down_write(&s2->lock);
	list_for_each_entry(dev, &s2->devices, list) {
		if (dev->vdev != vdev)
			continue;
		vhost_iommu_ep_forget_device(dev);
		vhost_iommu_s2_forget_bars(s2, vdev->dev);
		list_del(&dev->list);
		kfree(dev);
		break;
	}
	up_write(&s2->lock);
}

static bool s2_coherent(struct vhost_iommu_s2 *s2)
{
	struct vhost_iommu_class *class;
	bool coherent = true;

	down_read(&s2->lock);
	list_for_each_entry(class, &s2->classes, list)
		coherent &= class->coherent;
	up_read(&s2->lock);
	return coherent;
}

static long s2_check_extension(struct vhost_iommu_s2 *s2, unsigned long arg)
{
	/* Asked before VFIO_SET_IOMMU, by any process: do not answer for type1. */
	if (!s2 && !vhost_iommu_claimed(current->mm))
		return 0;

	switch (arg) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return s2 && s2_coherent(s2);
	default:
		return 0;
	}
}

/* All that the groups cannot map, as sorted regions. */
static int collect_holes(struct vhost_iommu_s2 *s2,
			 struct vhost_iommu_regions *holes)
{
	struct vhost_iommu_class *class;
	struct vhost_iommu_group *group;
	struct iommu_resv_region *r;
	int ret = 0;

	list_for_each_entry(class, &s2->classes, list) {
		const struct iommu_domain_geometry *geo = &class->domain->geometry;

		if (geo->force_aperture && geo->aperture_start)
			ret = ret ?: vhost_iommu_regions_add(holes, 0,
						geo->aperture_start - 1, 0);
		if (geo->force_aperture && geo->aperture_end != U64_MAX)
			ret = ret ?: vhost_iommu_regions_add(holes,
						geo->aperture_end + 1, U64_MAX, 0);
		list_for_each_entry(group, &class->groups, list)
			list_for_each_entry(r, &group->resv, list)
				if (r->type != IOMMU_RESV_DIRECT_RELAXABLE &&
				    r->length)
					ret = ret ?: vhost_iommu_regions_add(holes,
						r->start,
						r->start + r->length - 1, 0);
	}
	return ret;
}

static int add_iova_ranges(struct vhost_iommu_s2 *s2, struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vhost_iommu_regions holes = {};
	u64 start = 0;
	unsigned int i;
	size_t size;
	int ret;

	ret = collect_holes(s2, &holes);
	if (ret)
		goto out_free_holes;

	size = struct_size(cap, iova_ranges, holes.nr + 1);
	cap = kzalloc(size, GFP_KERNEL);
	if (!cap) {
		ret = -ENOMEM;
		goto out_free_holes;
	}
	cap->header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	cap->header.version = 1;

	for (i = 0; i <= holes.nr; i++) {
		struct vfio_iova_range *range = &cap->iova_ranges[cap->nr_iovas];

		if (i == holes.nr || holes.r[i].start > start) {
			range->start = start;
			range->end = i == holes.nr ? U64_MAX :
						     holes.r[i].start - 1;
			cap->nr_iovas++;
		}
		if (i == holes.nr || holes.r[i].last == U64_MAX)
			break;
		start = holes.r[i].last + 1;
	}

	ret = vfio_info_add_capability(caps, &cap->header,
				       struct_size(cap, iova_ranges,
						   cap->nr_iovas));
	kfree(cap);
out_free_holes:
	vhost_iommu_regions_free(&holes);
	return ret;
}

static int add_dma_avail(struct vhost_iommu_s2 *s2, struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_dma_avail cap = {
		.header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
		.header.version = 1,
		.avail = s2->avail,
	};

	return vfio_info_add_capability(caps, &cap.header, sizeof(cap));
}

static int copy_caps(struct vfio_iommu_type1_info *info,
		     struct vfio_info_cap *caps, void __user *argp)
{
	if (info->argsz < sizeof(*info) + caps->size) {
		info->argsz = sizeof(*info) + caps->size;
		return 0;
	}
	vfio_info_cap_shift(caps, sizeof(*info));
	info->cap_offset = sizeof(*info);
	return copy_to_user(argp + sizeof(*info), caps->buf, caps->size) ?
	       -EFAULT : 0;
}

static long s2_get_info(struct vhost_iommu_s2 *s2, void __user *argp)
{
	unsigned long minsz = offsetofend(struct vfio_iommu_type1_info,
					  iova_pgsizes);
	struct vfio_iommu_type1_info info = {};
	struct vfio_info_cap caps = {};
	int ret;

	if (copy_from_user(&info, argp, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	minsz = min_t(size_t, info.argsz, sizeof(info));

	down_read(&s2->lock);
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = vhost_iommu_s2_pgsizes(s2);
	ret = add_dma_avail(s2, &caps) ?: add_iova_ranges(s2, &caps);
	up_read(&s2->lock);

	ret = ret ?: copy_caps(&info, &caps, argp);
	kfree(caps.buf);
	if (ret)
		return ret;
	return copy_to_user(argp, &info, minsz) ? -EFAULT : 0;
}

static long s2_map_dma(struct vhost_iommu_s2 *s2, void __user *argp)
{
	const u32 known = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	unsigned long minsz = offsetofend(struct vfio_iommu_type1_dma_map, size);
	struct vfio_iommu_type1_dma_map map;
	int prot = 0;

	if (copy_from_user(&map, argp, minsz))
		return -EFAULT;
	if (map.argsz < minsz || (map.flags & ~known) ||
	    map.vaddr != (unsigned long)map.vaddr)
		return -EINVAL;
	/* Memory is pinned in, and charged to, the VMM alone. */
	if (current->mm != s2->mm)
		return -EPERM;

	if (map.flags & VFIO_DMA_MAP_FLAG_READ)
		prot |= IOMMU_READ;
	if (map.flags & VFIO_DMA_MAP_FLAG_WRITE)
		prot |= IOMMU_WRITE;

	return vhost_iommu_s2_map(s2, map.iova, map.vaddr, map.size, prot);
}

static long s2_unmap_dma(struct vhost_iommu_s2 *s2, void __user *argp)
{
	unsigned long minsz = offsetofend(struct vfio_iommu_type1_dma_unmap, size);
	struct vfio_iommu_type1_dma_unmap unmap;
	u64 end, last;
	int ret;

	if (copy_from_user(&unmap, argp, minsz))
		return -EFAULT;
	if (unmap.argsz < minsz || (unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL))
		return -EINVAL;

	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		if (unmap.iova || unmap.size)
			return -EINVAL;
		last = U64_MAX;
	} else {
		if (!unmap.size || !PAGE_ALIGNED(unmap.iova | unmap.size) ||
		    check_add_overflow(unmap.iova, unmap.size - 1, &end))
			return -EINVAL;
		last = end;
	}

	down_write(&s2->lock);
	ret = vhost_iommu_s2_unmap(s2, unmap.iova, last, &unmap.size);
	up_write(&s2->lock);
	if (ret)
		return ret;
	return copy_to_user(argp, &unmap, minsz) ? -EFAULT : 0;
}

static long s2_ioctl(struct vhost_iommu_s2 *s2, unsigned int cmd,
		     unsigned long arg)
{
	switch (cmd) {
	case VFIO_CHECK_EXTENSION:
		return s2_check_extension(s2, arg);
	case VFIO_IOMMU_GET_INFO:
		return s2_get_info(s2, (void __user *)arg);
	case VFIO_IOMMU_MAP_DMA:
		return s2_map_dma(s2, (void __user *)arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return s2_unmap_dma(s2, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

/**
 * vhost_iommu_s2_ioctl() - an ioctl of a container
 * @data: number of stage 2; 0 for VFIO_CHECK_EXTENSION before VFIO_SET_IOMMU
 * @cmd: the ioctl
 * @arg: its argument
 *
 * VFIO holds no lock, so the last group may leave the container, and VFIO release
 * stage 2, while one waits for memory or before it is looked up here: an address might
 * be that of another VM's by then.
 *
 * Return: as vfio_iommu_type1 does; -EINVAL if there is no stage 2 any more.
 */
long vhost_iommu_s2_ioctl(void *data, unsigned int cmd, unsigned long arg)
{
	struct vhost_iommu_s2 *s2;
	long ret;

	if (!data)
		return s2_ioctl(NULL, cmd, arg);
	s2 = vhost_iommu_hold_s2((unsigned long)data);
	if (!s2)
		return -EINVAL;
	ret = s2_ioctl(s2, cmd, arg);
	vhost_iommu_drop_s2(s2);
	return ret;
}

static struct iommu_domain *s2_group_domain(void *data,
					    struct iommu_group *iommu_group)
{
	struct iommu_domain *domain = ERR_PTR(-ENODEV);
	struct vhost_iommu_s2 *s2 = to_s2(data);
	struct vhost_iommu_group *group;

	down_read(&s2->lock);
	group = vhost_iommu_group_find(s2, iommu_group);
	if (group && group->attached)
		domain = group->attached;
	up_read(&s2->lock);
	return domain;
}

static const struct vfio_iommu_driver_ops s2_driver_ops = {
	.name			= "vhost-iommu",
	.owner			= THIS_MODULE,
	.open			= s2_open,
	.release		= s2_close,
	.ioctl			= vhost_iommu_s2_ioctl,
	.attach_group		= s2_attach_group,
	.detach_group		= s2_detach_group,
	.register_device	= s2_register_device,
	.unregister_device	= s2_unregister_device,
	.group_iommu_domain	= s2_group_domain,
};

int __init vhost_iommu_vfio_register(void)
{
	return vfio_register_iommu_driver(&s2_driver_ops);
}

void vhost_iommu_vfio_unregister(void)
{
	vfio_unregister_iommu_driver(&s2_driver_ops);
}
