// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints: the devices behind a virtual IOMMU. An assigned one is bound to a VFIO
 * device in the container that we serve; it outlives that device, but is worth
 * nothing without it. For an emulated one the VMM asks us to translate.
 */
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "backend.h"
#include "domain.h"
#include "endpoint.h"
#include "iommufd.h"
#include "shadow.h"
#include "stage2.h"
#include "table_request.h"
#include "vhost_iommu.h"

#define ENDPOINT_REGIONS_MAX	64
#define ENDPOINT_NAME_MAX	128
#define ASSIGNED	(VHOST_IOMMU_ENDPOINT_VFIO | VHOST_IOMMU_ENDPOINT_IOMMUFD)

/**
 * vhost_iommu_lock_s2() - lock stage 2 for writing, if there is one
 * @vi: the instance, locked
 */
void vhost_iommu_lock_s2(struct vhost_iommu *vi)
{
	lockdep_assert_held(&vi->lock);
	if (vi->s2)
		down_write(&vi->s2->lock);
}

/**
 * vhost_iommu_unlock_s2() - undo vhost_iommu_lock_s2()
 * @vi: the instance
 */
void vhost_iommu_unlock_s2(struct vhost_iommu *vi)
{
	if (vi->s2)
		up_write(&vi->s2->lock);
}

/* Reserve of one type what the VMM asks for. */
static int add_vmm_regions(struct vhost_iommu_regions *regions,
			   const struct vhost_iommu_region *vmm, u32 nr, u32 type)
{
	u32 i;
	int ret;

	for (i = 0; i < nr; i++) {
		if (vmm[i].type != type)
			continue;
		ret = vhost_iommu_regions_add(regions, vmm[i].start,
					      vmm[i].last, type);
		if (ret)
			return ret;
	}
	return 0;
}

/* RESERVED comes first: an address that is both is not for MSIs. */
static int collect_regions(struct vhost_iommu_ep *ep,
			   const struct vhost_iommu_region *vmm, u32 nr)
{
	static const u32 types[] = {
		VIRTIO_IOMMU_RESV_MEM_T_RESERVED, VIRTIO_IOMMU_RESV_MEM_T_MSI,
	};
	unsigned int i;
	int ret = 0;

	if (ep->group)
		ret = vhost_iommu_group_add_aperture(ep->group, &ep->vi->config,
						     &ep->resv);
	for (i = 0; !ret && i < ARRAY_SIZE(types); i++) {
		ret = add_vmm_regions(&ep->resv, vmm, nr, types[i]);
		if (!ret && ep->group)
			ret = vhost_iommu_group_add_regions(ep->group, types[i],
							    &ep->resv);
	}
	if (!ret && ep->vi->config.probe_size &&
	    vhost_iommu_regions_size(&ep->resv) +
	    vhost_iommu_tables_size(ep->vi) > ep->vi->config.probe_size)
		return -ENOSPC;
	return ret;
}

static struct vhost_iommu_region *
copy_regions(const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_region *vmm;
	u32 i;

	if (arg->nr_regions > ENDPOINT_REGIONS_MAX)
		return ERR_PTR(-E2BIG);
	vmm = memdup_array_user(u64_to_user_ptr(arg->regions), arg->nr_regions,
				sizeof(*vmm));
	if (IS_ERR(vmm))
		return vmm;

	for (i = 0; i < arg->nr_regions; i++) {
		int ret = 0;

		if (vmm[i].reserved)
			ret = -EOPNOTSUPP;
		else if (vmm[i].last < vmm[i].start ||
			 vmm[i].type > VIRTIO_IOMMU_RESV_MEM_T_MSI)
			ret = -EINVAL;
		if (ret) {
			kfree(vmm);
			return ERR_PTR(ret);
		}
	}
	return vmm;
}

/*
 * Use the stage 2 of the process; the one we have may be of a closed container. An IOAS
 * stays.
 */
static int refresh_s2(struct vhost_iommu *vi, bool iommufd)
{
	struct vhost_iommu_s2 *s2;

	if (iommufd)
		return vhost_iommu_has_iommufd(vi) ? 0 : -ENOENT;
	if (vhost_iommu_has_iommufd(vi))
		return -EBUSY;
	s2 = vhost_iommu_get_s2(vi->mm);
	if (!s2)
		return -ENOENT;
	if (vi->s2)
		vhost_iommu_s2_put(vi->s2);
	vi->s2 = s2;
	return 0;
}

/**
 * vhost_iommu_ep_forget_device() - a VFIO device is closed, or its endpoint removed
 * @dev: the device
 */
void vhost_iommu_ep_forget_device(struct vhost_iommu_device *dev)
{
	struct vhost_iommu_ep *ep = dev->endpoint;

	if (!ep)
		return;
	vhost_iommu_ep_unwatch(ep);
	ep->device = NULL;
	dev->endpoint = NULL;
}

/* Find the VFIO device, and be one of the endpoints of its group. */
static int bind_device(struct vhost_iommu_ep *ep,
		       const struct vhost_iommu_endpoint *arg,
		       struct file *file, const char *name)
{
	int ret;

	ret = ep->vi->s2->backend->bind(ep, arg, file, name);
	if (ret)
		return ret;
	ep->group->owner = ep->vi;
	list_add_tail(&ep->group_list, &ep->group->endpoints);
	return 0;
}

/* Undo bind_device(), but that the device is kept. */
static void leave_group(struct vhost_iommu_ep *ep)
{
	list_del_init(&ep->group_list);
	if (list_empty(&ep->group->endpoints))
		ep->group->owner = NULL;
}

static void unbind_device(struct vhost_iommu_ep *ep)
{
	if (ep->device)
		ep->vi->s2->backend->unbind(ep);
	ep->group = NULL;
}

static int add_assigned(struct vhost_iommu_ep *ep,
			const struct vhost_iommu_endpoint *arg,
			const struct vhost_iommu_region *vmm,
			struct file *file, const char *name)
{
	struct vhost_iommu *vi = ep->vi;
	int ret;

	ret = refresh_s2(vi, arg->flags & VHOST_IOMMU_ENDPOINT_IOMMUFD);
	if (ret)
		return ret;

	vhost_iommu_lock_s2(vi);
	ret = bind_device(ep, arg, file, name);
	if (ret)
		goto out_unlock_s2;
	ret = collect_regions(ep, vmm, arg->nr_regions) ?:
	      vhost_iommu_group_update(ep->group);
	if (ret) {
		leave_group(ep);
		unbind_device(ep);
	}
out_unlock_s2:
	vhost_iommu_unlock_s2(vi);
	return ret;
}

static int add_vfio(struct vhost_iommu_ep *ep,
		    const struct vhost_iommu_endpoint *arg,
		    const struct vhost_iommu_region *vmm)
{
	struct file *file;
	char *name = NULL;
	int ret;

	if (arg->flags & VHOST_IOMMU_ENDPOINT_VFIO)
		name = strndup_user(u64_to_user_ptr(arg->device),
				    ENDPOINT_NAME_MAX);
	if (IS_ERR(name))
		return PTR_ERR(name);
	file = fget(arg->group_fd);
	if (file) {
		ret = add_assigned(ep, arg, vmm, file, name);
		fput(file);
	} else {
		ret = -EBADF;
	}
	kfree(name);
	return ret;
}

static void ep_free(struct vhost_iommu_ep *ep)
{
	vhost_iommu_regions_free(&ep->resv);
	kfree(ep);
}

static void ep_remove(struct vhost_iommu_ep *ep)
{
	struct vhost_iommu *vi = ep->vi;

	vhost_iommu_detach_ep(ep);
	if (ep->group) {
		leave_group(ep);
		/* It was behind the virtual IOMMU, and does not fall back to bypass. */
		if (!ep->group->owner)
			vhost_iommu_group_block(ep->group);
	}
	unbind_device(ep);
	vhost_iommu_invalidate(ep, 0, U64_MAX);
	xa_erase(&vi->endpoints, ep->id);
	vi->nr_endpoints--;
	ep_free(ep);
}

static int check_endpoint(const struct vhost_iommu_endpoint *arg)
{
	const u32 known = VHOST_IOMMU_ENDPOINT_VFIO | VHOST_IOMMU_ENDPOINT_NOTIFY |
			  VHOST_IOMMU_ENDPOINT_IOMMUFD;

	if (arg->flags & ~known)
		return -EOPNOTSUPP;
	if (hweight32(arg->flags) > 1)
		return -EINVAL;
	if (arg->device && !(arg->flags & VHOST_IOMMU_ENDPOINT_VFIO))
		return -EINVAL;
	if (!arg->pt_id != !(arg->flags & VHOST_IOMMU_ENDPOINT_IOMMUFD))
		return -EINVAL;
	if (arg->dev_id && !(arg->flags & VHOST_IOMMU_ENDPOINT_IOMMUFD))
		return -EINVAL;
	if (arg->parent_id && !arg->dev_id)
		return -EINVAL;
	if (arg->group_fd != -1 && !(arg->flags & ASSIGNED))
		return -EINVAL;
	return 0;
}

/**
 * vhost_iommu_ep_add() - VHOST_IOMMU_ADD_ENDPOINT
 * @vi: the instance, locked
 * @arg: argument of the ioctl
 *
 * Return: see the ioctl.
 */
int vhost_iommu_ep_add(struct vhost_iommu *vi,
		       const struct vhost_iommu_endpoint *arg)
{
	struct vhost_iommu_region *vmm;
	struct vhost_iommu_ep *ep;
	int ret;

	lockdep_assert_held(&vi->lock);

	ret = check_endpoint(arg);
	if (ret)
		return ret;
	vmm = copy_regions(arg);
	if (IS_ERR(vmm))
		return PTR_ERR(vmm);
	ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	if (!ep) {
		ret = -ENOMEM;
		goto out_free_vmm;
	}
	ep->vi = vi;
	ep->id = arg->id;
	ep->assigned = arg->flags & ASSIGNED;
	ep->notify = arg->flags & VHOST_IOMMU_ENDPOINT_NOTIFY;
	INIT_LIST_HEAD(&ep->domain_list);
	INIT_LIST_HEAD(&ep->group_list);
	INIT_LIST_HEAD(&ep->watch_list);

	/* The number is taken first: after the device is bound nothing fails. */
	ret = xa_insert(&vi->endpoints, ep->id, ep, GFP_KERNEL_ACCOUNT);
	if (ret) {
		ret = ret == -EBUSY ? -EEXIST : ret;
		goto err_free_ep;
	}
	ret = ep->assigned ? add_vfio(ep, arg, vmm) :
			     collect_regions(ep, vmm, arg->nr_regions);
	if (ret)
		goto err_erase;
	vi->nr_endpoints++;
	goto out_free_vmm;

err_erase:
	xa_erase(&vi->endpoints, ep->id);
err_free_ep:
	ep_free(ep);
out_free_vmm:
	kfree(vmm);
	return ret;
}

/**
 * vhost_iommu_ep_remove() - VHOST_IOMMU_REMOVE_ENDPOINT
 * @vi: the instance, locked
 * @id: number of the endpoint
 *
 * Return: 0 or -ENOENT.
 */
int vhost_iommu_ep_remove(struct vhost_iommu *vi, u32 id)
{
	struct vhost_iommu_ep *ep = xa_load(&vi->endpoints, id);

	if (!ep)
		return -ENOENT;
	vhost_iommu_lock_s2(vi);
	ep_remove(ep);
	vhost_iommu_unlock_s2(vi);
	return 0;
}

/**
 * vhost_iommu_ep_set_notify() - VHOST_IOMMU_SET_NOTIFY
 * @vi: the instance, locked
 * @id: number of the endpoint
 * @notify: whether the VMM keeps translations of it
 *
 * Return: see the ioctl.
 */
int vhost_iommu_ep_set_notify(struct vhost_iommu *vi, u32 id, bool notify)
{
	struct vhost_iommu_ep *ep = xa_load(&vi->endpoints, id);

	lockdep_assert_held(&vi->lock);

	if (!ep)
		return -ENOENT;
	if (ep->assigned)
		return -EINVAL;
	ep->notify = notify;
	return 0;
}

/**
 * vhost_iommu_ep_remove_all() - remove every endpoint, and thereby every domain
 * @vi: the instance, locked
 */
void vhost_iommu_ep_remove_all(struct vhost_iommu *vi)
{
	struct vhost_iommu_ep *ep;
	unsigned long id;

	vhost_iommu_lock_s2(vi);
	xa_for_each(&vi->endpoints, id, ep)
		ep_remove(ep);
	vhost_iommu_unlock_s2(vi);
}

/**
 * vhost_iommu_ep_detach_all() - detach every endpoint, for a reset of the device
 * @vi: the instance, locked
 */
void vhost_iommu_ep_detach_all(struct vhost_iommu *vi)
{
	struct vhost_iommu_ep *ep;
	unsigned long id;

	vhost_iommu_lock_s2(vi);
	xa_for_each(&vi->endpoints, id, ep)
		vhost_iommu_detach_ep(ep);
	vhost_iommu_unlock_s2(vi);
}

/**
 * vhost_iommu_ep_set_bypass() - change what endpoints without a domain reach
 * @vi: the instance, locked
 * @bypass: all guest memory, or nothing
 *
 * Return: 0, or an error of the IOMMU driver: everything is as it was then, except
 * that a group is blocked if it cannot even be put back.
 */
int vhost_iommu_ep_set_bypass(struct vhost_iommu *vi, bool bypass)
{
	struct vhost_iommu_ep *ep;
	unsigned long id;
	int ret = 0;

	vhost_iommu_lock_s2(vi);
	vi->config.bypass = bypass;
	xa_for_each(&vi->endpoints, id, ep) {
		if (!ep->domain)
			vhost_iommu_invalidate(ep, 0, U64_MAX);
		if (ep->group)
			ret = vhost_iommu_group_update(ep->group);
		if (ret)
			break;
	}
	if (ret) {
		vi->config.bypass = !bypass;
		xa_for_each(&vi->endpoints, id, ep)
			if (ep->group)
				vhost_iommu_group_update(ep->group);
	}
	vhost_iommu_unlock_s2(vi);
	return ret;
}

/*
 * How far the answer can reach: a reserved region, which is returned, or the
 * addresses between two.
 */
static const struct vhost_iommu_region *
translate_bounds(const struct vhost_iommu_regions *resv,
		 struct vhost_iommu_translate *tr)
{
	unsigned int i;

	tr->start = 0;
	tr->last = U64_MAX;
	for (i = 0; i < resv->nr; i++) {
		const struct vhost_iommu_region *r = &resv->r[i];

		if (r->start > tr->iova) {
			tr->last = r->start - 1;
			return NULL;
		}
		if (r->last >= tr->iova) {
			tr->start = r->start;
			tr->last = r->last;
			return r;
		}
		tr->start = r->last + 1;
	}
	return NULL;
}

static void translate_identity(struct vhost_iommu_translate *tr, u32 perm)
{
	tr->gpa = tr->iova;
	tr->perm = perm;
}

/* Translate by the mappings of a domain. */
static void translate_mapped(struct vhost_iommu_domain *domain,
			     struct vhost_iommu_translate *tr)
{
	struct vhost_iommu_mapping *m;

	m = vhost_iommu_mapping_find(&domain->mappings, tr->iova, tr->last);
	if (!m || m->node.start > tr->iova) {
		tr->start = tr->iova;
		if (m)
			tr->last = m->node.start - 1;
		return;
	}
	tr->start = max_t(u64, tr->start, m->node.start);
	tr->last = min_t(u64, tr->last, m->node.last);
	tr->gpa = m->gpa + (tr->iova - m->node.start);
	tr->perm = m->flags & (VIRTIO_IOMMU_MAP_F_READ |
			       VIRTIO_IOMMU_MAP_F_WRITE);
}

/**
 * vhost_iommu_ep_translate() - VHOST_IOMMU_TRANSLATE
 * @vi: the instance, locked
 * @tr: argument of the ioctl; the answer
 *
 * Return: 0 or -ENOENT.
 */
int vhost_iommu_ep_translate(struct vhost_iommu *vi,
			     struct vhost_iommu_translate *tr)
{
	const u32 rw = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	struct vhost_iommu_ep *ep = xa_load(&vi->endpoints, tr->endpoint);
	const struct vhost_iommu_region *r;
	u8 reason = VIRTIO_IOMMU_FAULT_R_MAPPING;

	if (!ep)
		return -ENOENT;
	tr->gpa = 0;
	tr->perm = 0;

	r = translate_bounds(&ep->resv, tr);
	if (r) {
		if (r->type == VIRTIO_IOMMU_RESV_MEM_T_MSI)
			translate_identity(tr, VIRTIO_IOMMU_MAP_F_WRITE);
	} else if (ep->domain ? ep->domain->bypass : vi->config.bypass) {
		translate_identity(tr, rw);
	} else if (ep->domain && vhost_iommu_domain_has_table(ep->domain)) {
		vhost_iommu_shadow_translate(ep->domain, tr);
	} else if (ep->domain) {
		translate_mapped(ep->domain, tr);
	} else {
		reason = VIRTIO_IOMMU_FAULT_R_DOMAIN;
	}

	if ((tr->flags & VHOST_IOMMU_TRANSLATE_REPORT) &&
	    (tr->access & rw & ~tr->perm))
		vhost_iommu_report_fault(vi, reason,
					 (tr->access & rw) |
					 VIRTIO_IOMMU_FAULT_F_ADDRESS,
					 ep->id, tr->iova);
	return 0;
}
