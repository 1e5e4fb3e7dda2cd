// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end of VFIO containers: hardware domains are domains of the IOMMU API, and
 * stage 2 is one for each class of groups. What is in the container, and where its
 * memory is, are the business of vfio.c, group.c and stage2.c.
 */
#include <linux/bits.h>
#include <linux/iommu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "backend.h"
#include "domain.h"
#include "endpoint.h"
#include "stage2.h"
#include "vhost_iommu.h"

static void container_release(struct vhost_iommu_s2 *s2)
{
	kfree(s2);
}

static int container_bind(struct vhost_iommu_ep *ep,
			  const struct vhost_iommu_endpoint *arg,
			  struct file *file, const char *name)
{
	unsigned long granule = ep->vi->config.page_size_mask &
				-ep->vi->config.page_size_mask;
	struct vhost_iommu_device *dev;

	dev = vhost_iommu_s2_find_device(ep->vi->s2, file, name);
	if (!dev)
		return -ENOENT;
	if (dev->endpoint)
		return -EEXIST;
	if (dev->group->owner && dev->group->owner != ep->vi)
		return -EBUSY;
	if (!vhost_iommu_class_maps(dev->group->class, granule))
		return -ERANGE;

	ep->group = dev->group;
	ep->device = dev;
	dev->endpoint = ep;
	vhost_iommu_ep_watch(ep, dev->vdev->dev);
	return 0;
}

/* The device is VFIO's. */
static void container_unbind(struct vhost_iommu_ep *ep)
{
	vhost_iommu_ep_forget_device(ep->device);
}

static void container_aperture(const struct vhost_iommu_class *class, u64 *start,
			       u64 *last)
{
	const struct iommu_domain_geometry *geo = &class->domain->geometry;

	*start = geo->force_aperture ? geo->aperture_start : 0;
	*last = geo->force_aperture ? geo->aperture_end : U64_MAX;
}

static void container_block(struct vhost_iommu_group *group)
{
	if (group->attached)
		iommu_detach_group(group->attached, group->iommu_group);
	group->attached = NULL;
}

/* IOMMU domains are not replaced atomically: the group is blocked in between. */
static int container_attach(struct vhost_iommu_group *group,
			    const struct vhost_iommu_hwdom *hw)
{
	struct iommu_domain *target = hw ? hw->domain : group->class->domain;
	struct iommu_domain *old = group->attached;
	int ret;

	if (target == old)
		return 0;
	container_block(group);
	ret = iommu_attach_group(target, group->iommu_group);
	if (!ret)
		group->attached = target;
	else if (old && !iommu_attach_group(old, group->iommu_group))
		group->attached = old;
	return ret;
}

static int container_alloc(struct vhost_iommu_hwdom *hw,
			   struct vhost_iommu_group *group)
{
	struct iommu_domain *domain = vhost_iommu_group_alloc_domain(group);

	if (IS_ERR(domain))
		return PTR_ERR(domain);
	/* KVM was told about stage 2; it has to hold here as well. */
	if (hw->class->coherent && !vhost_iommu_enforce_coherency(domain)) {
		iommu_domain_free(domain);
		return -EINVAL;
	}
	hw->domain = domain;
	iommu_iotlb_gather_init(&hw->gather);
	return 0;
}

static void container_free(struct vhost_iommu_hwdom *hw)
{
	iommu_domain_free(hw->domain);
}

/*
 * How much can be mapped at once from @iova on: @size, or less, so that no whole page
 * is in it that is larger than what can be unmapped by itself.
 */
static size_t map_size(const struct vhost_iommu_hwdom *hw, u64 iova, size_t size,
		       unsigned int shift)
{
	u64 leaf = BIT_ULL(shift), page, before;

	page = hw->domain->pgsize_bitmap & ~(leaf | (leaf - 1));
	page &= -page;
	before = -iova & (page - 1);
	if (!shift || !page || size < page || before > size - page)
		return size;
	return before + leaf;
}

/* Map consecutive memory at @iova, which goes on by what was mapped. */
static int map_run(struct vhost_iommu_hwdom *hw, u64 *iova, phys_addr_t phys,
		   size_t size, int prot, unsigned int shift)
{
	while (size) {
		size_t n = map_size(hw, *iova, size, shift);
		int ret;

		ret = fatal_signal_pending(current) ? -EINTR :
		      iommu_map(hw->domain, *iova, phys, n, prot,
				GFP_KERNEL_ACCOUNT);
		if (ret)
			return ret;
		*iova += n;
		phys += n;
		size -= n;
		cond_resched();
	}
	return 0;
}

static int container_map(struct vhost_iommu_hwdom *hw,
			 const struct vhost_iommu_s2_range *range, u64 iova,
			 u64 gpa, u64 gpa_last, int prot, unsigned int shift)
{
	struct iommu_domain *s2 = hw->class->domain;
	u64 start = iova;
	int ret;

	while (gpa <= gpa_last) {
		phys_addr_t phys;
		size_t size = vhost_iommu_s2_run(s2, range, gpa, gpa_last,
						 &phys);

		ret = map_run(hw, &iova, phys, size, prot, shift);
		if (ret)
			goto err_unmap;
		gpa += size;
	}
	return 0;

err_unmap:
	if (iova != start)
		iommu_unmap(hw->domain, start, iova - start);
	return ret;
}

static void container_unmap(struct vhost_iommu_hwdom *hw, u64 iova, u64 size)
{
	while (size) {
		size_t n = iommu_unmap_fast(hw->domain, iova, size, &hw->gather);

		/* A hole. */
		if (!n)
			n = PAGE_SIZE;
		n = min_t(u64, n, size);
		iova += n;
		size -= n;
		cond_resched();
	}
}

static void container_flush(struct vhost_iommu_hwdom *hw)
{
	iommu_iotlb_sync(hw->domain, &hw->gather);
}

const struct vhost_iommu_backend vhost_iommu_container = {
	.release	= container_release,
	.bind		= container_bind,
	.unbind		= container_unbind,
	.aperture	= container_aperture,
	.attach		= container_attach,
	.block		= container_block,
	.alloc		= container_alloc,
	.free		= container_free,
	.map		= container_map,
	.unmap		= container_unmap,
	.flush		= container_flush,
};
