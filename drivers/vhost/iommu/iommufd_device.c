// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices in an iommufd, the groups they are of, and classes of groups.
 *
 * A class is a page table of the VMM's for stage 2 and the groups that the VMM has
 * attached to it. In bypass a group is attached there, so that the VMM can attach further
 * devices of a group before it adds them. The page table is there for as long as the VMM
 * has it, whether a group is in bypass or not, so memory is pinned once and stays so.
 *
 * Where the IOMMU can walk tables of guests, on top of another page table of the VMM's,
 * the groups behind it have a class of their own (nest.c).
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include "endpoint.h"
#include "iommufd.h"
#include "nest.h"
#include "stage2.h"
#include "vhost_iommu.h"

/*
 * All groups, by their numbers: one is of one instance. iommufd moves a group as a whole,
 * so a VMM with two instances could have them move each other's devices.
 */
static DEFINE_XARRAY(groups);

static bool is_coherent(const struct vhost_iommu_device *dev)
{
	return device_iommu_capable(dev->vdev->dev,
				    IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}

/* An IOMMU that does not need not take a page table that does. */
static bool tracks_dirty(const struct vhost_iommu_device *dev)
{
	return device_iommu_capable(dev->vdev->dev, IOMMU_CAP_DIRTY_TRACKING);
}

static struct vhost_iommu_class *
create_class(struct vhost_iommu_s2 *s2, const struct vhost_iommu_device *dev,
	     const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_class *class;
	int ret;

	class = kzalloc(sizeof(*class), GFP_KERNEL_ACCOUNT);
	if (!class)
		return ERR_PTR(-ENOMEM);
	class->s2 = s2;
	class->pt = arg->pt_id;
	class->parent = arg->parent_id;
	class->coherent = is_coherent(dev);
	class->tracks_dirty = tracks_dirty(dev);
	INIT_LIST_HEAD(&class->groups);
	INIT_LIST_HEAD(&class->hwdoms);

	ret = vhost_iommu_iommufd_aperture(s2, &class->first, &class->last);
	if (ret) {
		kfree(class);
		return ERR_PTR(ret);
	}
	list_add_tail(&class->list, &s2->classes);
	return class;
}

/* Without its last group, it goes. */
static void put_class(struct vhost_iommu_class *class)
{
	if (!list_empty(&class->groups))
		return;
	list_del(&class->list);
	vhost_iommu_nest_destroy(class->nest);
	kfree(class);
}

/* Are the page tables of a class those that the VMM has told? */
static bool is_told(const struct vhost_iommu_class *class,
		    const struct vhost_iommu_endpoint *arg)
{
	return class->pt == arg->pt_id && class->parent == arg->parent_id;
}

static struct vhost_iommu_class *
find_class(struct vhost_iommu_s2 *s2, const struct vhost_iommu_device *dev,
	   const struct vhost_iommu_endpoint *arg, bool nests)
{
	struct vhost_iommu_class *class;

	list_for_each_entry(class, &s2->classes, list) {
		if (!is_told(class, arg) || class->coherent != is_coherent(dev) ||
		    class->tracks_dirty != tracks_dirty(dev) ||
		    !class->nest != !nests)
			continue;
		if (!nests || vhost_iommu_nest_fits(class->nest, dev))
			return class;
	}
	return NULL;
}

static struct vhost_iommu_class *
create_nesting_class(struct vhost_iommu *vi, const struct vhost_iommu_device *dev,
		     const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_class *class;
	struct vhost_iommu_nest *nest;

	nest = vhost_iommu_nest_create(vi, dev, arg->parent_id);
	if (IS_ERR(nest))
		return ERR_CAST(nest);
	class = create_class(vi->s2, dev, arg);
	if (IS_ERR(class))
		vhost_iommu_nest_destroy(nest);
	else
		class->nest = nest;
	return class;
}

/* A class whose hardware walks the tables of guests, joined by the device. */
static struct vhost_iommu_class *
join_nesting_class(struct vhost_iommu *vi, struct vhost_iommu_device *dev,
		   const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_class *class = find_class(vi->s2, dev, arg, true);
	int ret;

	if (!class)
		class = create_nesting_class(vi, dev, arg);
	if (IS_ERR(class))
		return class;
	ret = vhost_iommu_nest_join(class->nest, dev, arg->id);
	if (!ret)
		return class;
	put_class(class);
	return ERR_PTR(ret);
}

static struct vhost_iommu_class *
get_class(struct vhost_iommu *vi, struct vhost_iommu_device *dev,
	  const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_class *class;

	if (arg->parent_id) {
		class = join_nesting_class(vi, dev, arg);
		if (!IS_ERR(class) || class == ERR_PTR(-ENOMEM) ||
		    class == ERR_PTR(-EINTR))
			return class;
		/* The hardware cannot, or not on top of this. */
	}
	class = find_class(vi->s2, dev, arg, false);
	return class ?: create_class(vi->s2, dev, arg);
}

/* The group of the first device of it, which is attached to stage 2. */
static struct vhost_iommu_group *
create_group(struct vhost_iommu *vi, struct vhost_iommu_device *dev,
	     const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_group *group;
	int ret;

	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&group->endpoints);
	INIT_LIST_HEAD(&group->resv);
	group->iommu_group = iommu_group_get(dev->vdev->dev);

	ret = group->iommu_group ?
	      iommu_get_group_resv_regions(group->iommu_group, &group->resv) :
	      -ENODEV;
	if (ret)
		goto err_free;
	ret = xa_insert(&groups, iommu_group_id(group->iommu_group), group,
			GFP_KERNEL_ACCOUNT);
	if (ret)
		goto err_free;
	group->class = get_class(vi, dev, arg);
	if (IS_ERR(group->class)) {
		ret = PTR_ERR(group->class);
		goto err_erase;
	}
	ret = vhost_iommu_iommufd_attach(vi->s2, dev->file, arg->pt_id);
	if (ret)
		goto err_put_class;
	group->attached_pt = arg->pt_id;
	list_add_tail(&group->list, &group->class->groups);
	return group;

err_put_class:
	vhost_iommu_nest_leave(group->class->nest, dev);
	put_class(group->class);
err_erase:
	xa_erase(&groups, iommu_group_id(group->iommu_group));
err_free:
	iommu_group_put(group->iommu_group);
	vhost_iommu_group_free(group);
	return ERR_PTR(ret);
}

/* After the last device of a group. */
static void remove_group(struct vhost_iommu_group *group)
{
	struct vhost_iommu_class *class = group->class;

	list_del(&group->list);
	xa_erase(&groups, iommu_group_id(group->iommu_group));
	iommu_group_put(group->iommu_group);
	vhost_iommu_group_free(group);
	put_class(class);
}

static bool group_has_device(const struct vhost_iommu_group *group)
{
	const struct vhost_iommu_device *dev;

	list_for_each_entry(dev, &group->class->s2->devices, list)
		if (dev->group == group)
			return true;
	return false;
}

static struct vhost_iommu_group *find_group(struct vhost_iommu_s2 *s2,
					    struct device *dev)
{
	struct iommu_group *iommu_group = iommu_group_get(dev);
	struct vhost_iommu_group *group;

	group = vhost_iommu_group_find(s2, iommu_group);
	iommu_group_put(iommu_group);
	return group;
}

/* The device whose character device @file is. It stays while the file is open. */
static struct vfio_device *find_vdev(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!vfio_file_is_valid(file) || vfio_file_is_group(file) ||
	    !S_ISCHR(inode->i_mode))
		return NULL;
	return container_of(inode->i_cdev, struct vfio_device, cdev);
}

static struct vhost_iommu_device *create_device(struct vhost_iommu_s2 *s2,
						struct file *file, u32 id)
{
	struct vfio_device *vdev = find_vdev(file);
	struct vhost_iommu_device *dev;

	if (!vdev)
		return ERR_PTR(-EINVAL);
	list_for_each_entry(dev, &s2->devices, list)
		if (dev->vdev == vdev)
			return ERR_PTR(-EEXIST);
	dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->vdev = vdev;
	dev->file = get_file(file);
	dev->id = id;
	return dev;
}

static void free_device(struct vhost_iommu_device *dev)
{
	fput(dev->file);
	kfree(dev);
}

/* Attach a further device to where its group is. What the VMM had it attached to goes. */
static int follow_group(struct vhost_iommu_device *dev,
			const struct vhost_iommu_group *group, u32 id)
{
	struct vhost_iommu_nest *nest = group->class->nest;
	struct vhost_iommu_s2 *s2 = group->class->s2;
	int ret;

	ret = nest ? vhost_iommu_nest_join(nest, dev, id) : 0;
	if (ret)
		return ret;
	if (!group->attached_pt) {
		vhost_iommu_iommufd_detach(s2, dev->file);
		return 0;
	}
	ret = vhost_iommu_iommufd_attach(s2, dev->file, group->attached_pt);
	if (ret)
		vhost_iommu_nest_leave(nest, dev);
	return ret;
}

/**
 * vhost_iommu_iommufd_bind() - find the device of an endpoint
 * @ep: the endpoint
 * @arg: argument of VHOST_IOMMU_ADD_ENDPOINT
 * @file: the device's character device
 * @name: not used
 *
 * Context: an ioctl of the VMM's, with stage 2 locked for writing.
 *
 * Return: see the ioctl.
 */
int vhost_iommu_iommufd_bind(struct vhost_iommu_ep *ep,
			     const struct vhost_iommu_endpoint *arg,
			     struct file *file, const char *name)
{
	struct vhost_iommu_s2 *s2 = ep->vi->s2;
	struct vhost_iommu_device *dev;
	struct vhost_iommu_group *group;
	int ret = 0;

	dev = create_device(s2, file, arg->dev_id);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	group = find_group(s2, dev->vdev->dev);
	if (group && !is_told(group->class, arg))
		ret = -EINVAL;
	else if (group)
		ret = follow_group(dev, group, ep->id);
	else
		group = create_group(ep->vi, dev, arg);
	if (IS_ERR(group))
		ret = PTR_ERR(group);
	if (ret) {
		free_device(dev);
		return ret;
	}

	dev->group = group;
	dev->endpoint = ep;
	list_add_tail(&dev->list, &s2->devices);
	ep->group = group;
	ep->device = dev;
	return 0;
}

/**
 * vhost_iommu_iommufd_unbind() - undo that
 * @ep: the endpoint, with a device
 */
void vhost_iommu_iommufd_unbind(struct vhost_iommu_ep *ep)
{
	struct vhost_iommu_device *dev = ep->device;
	struct vhost_iommu_group *group = dev->group;

	vhost_iommu_ep_forget_device(dev);
	vhost_iommu_iommufd_detach(group->class->s2, dev->file);
	vhost_iommu_nest_leave(group->class->nest, dev);
	list_del(&dev->list);
	free_device(dev);
	if (!group_has_device(group))
		remove_group(group);
}
