// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-iommu: open, close and the ioctls. See the uAPI header, which is the
 * manual. Every ioctl holds the lock of the instance.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"

#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <linux/virtio_iommu_tables.h>

#include "dirty.h"
#include "domain.h"
#include "endpoint.h"
#include "iommufd.h"
#include "stage2.h"
#include "table_request.h"
#include "vhost_iommu.h"

#define PROBE_SIZE_DEFAULT	512
#define PROBE_SIZE_MAX		4096

/* Sizes of the first version of the structures that are arguments. */
#define CONFIG_SIZE_VER0	offsetofend(struct vhost_iommu_config, reserved)
#define ENDPOINT_SIZE_VER0	offsetofend(struct vhost_iommu_endpoint, parent_id)
#define ENDPOINT_ID_SIZE_VER0	offsetofend(struct vhost_iommu_endpoint_id, id)
#define TRANSLATE_SIZE_VER0	offsetofend(struct vhost_iommu_translate, reserved)
#define FAULT_SIZE_VER0		offsetofend(struct vhost_iommu_fault, address)
#define STATS_SIZE_VER0		offsetofend(struct vhost_iommu_stats, invalidate)
#define STATE_SIZE_VER0		offsetofend(struct vhost_iommu_state, after)
#define NOTIFY_SIZE_VER0	offsetofend(struct vhost_iommu_notify, reserved)
#define INVALIDATIONS_SIZE_VER0	offsetofend(struct vhost_iommu_invalidations, acked)
#define IOMMUFD_SIZE_VER0	offsetofend(struct vhost_iommu_iommufd, ioas)
#define MEMORY_SIZE_VER0	offsetofend(struct vhost_iommu_memory, last)
#define DIRTY_TRACKING_SIZE_VER0	offsetofend(struct vhost_iommu_dirty_tracking, flags)
#define DIRTY_BITMAP_SIZE_VER0	offsetofend(struct vhost_iommu_dirty_bitmap, reserved)

#define VHOST_IOMMU_FEATURES (BIT_ULL(VIRTIO_F_VERSION_1) |		\
			      BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |	\
			      BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |	\
			      BIT_ULL(VIRTIO_IOMMU_F_INPUT_RANGE) |	\
			      BIT_ULL(VIRTIO_IOMMU_F_DOMAIN_RANGE) |	\
			      BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP) |	\
			      BIT_ULL(VIRTIO_IOMMU_F_PROBE) |		\
			      BIT_ULL(VIRTIO_IOMMU_F_MMIO) |		\
			      BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG))

static u64 offered_features(const struct vhost_iommu *vi)
{
	u64 features = VHOST_IOMMU_FEATURES;

	if (!vi->config.probe_size)
		features &= ~BIT_ULL(VIRTIO_IOMMU_F_PROBE);
	if (vi->config.flags & VHOST_IOMMU_CONFIG_PAGE_TABLES)
		features |= BIT_ULL(VIRTIO_IOMMU_F_ATTACH_TABLE);
	return features;
}

static void request_kick(struct vhost_iommu_vring *vr)
{
	vhost_iommu_kick(container_of(vr, struct vhost_iommu,
				      vqs[VHOST_IOMMU_VQ_REQUEST]));
}

/* The guest has put a buffer back; the next fault will find it. */
static void event_kick(struct vhost_iommu_vring *vr)
{
}

static int vhost_iommu_open(struct inode *inode, struct file *file)
{
	struct vhost_iommu *vi;

	vi = kzalloc(sizeof(*vi), GFP_KERNEL_ACCOUNT);
	if (!vi)
		return -ENOMEM;
	mutex_init(&vi->lock);
	spin_lock_init(&vi->fault_lock);
	INIT_LIST_HEAD(&vi->dirty);
	xa_init(&vi->endpoints);
	xa_init(&vi->domains);
	init_waitqueue_head(&vi->invalidations.wait);
	vi->poll_us = vhost_iommu_default_poll_us();
	vhost_iommu_vring_init(&vi->vqs[VHOST_IOMMU_VQ_REQUEST], request_kick);
	vhost_iommu_vring_init(&vi->vqs[VHOST_IOMMU_VQ_EVENT], event_kick);
	vi->config = (struct vhost_iommu_config) {
		.size = sizeof(vi->config),
		.page_size_mask = PAGE_MASK,
		.input_end = U64_MAX,
		.domain_end = U32_MAX,
		.probe_size = PROBE_SIZE_DEFAULT,
		.bypass = 1,
	};
	vhost_iommu_kick_init(vi, file);
	file->private_data = vi;
	return 0;
}

static int vhost_iommu_release(struct inode *inode, struct file *file)
{
	struct vhost_iommu *vi = file->private_data;
	unsigned int i;

	if (vi->mm) {
		vhost_iommu_debugfs_remove(vi);
		vhost_iommu_unregister(vi);
	}
	mutex_lock(&vi->lock);
	vhost_iommu_stop(vi);
	vhost_iommu_give_up_state(vi);
	vhost_iommu_ep_remove_all(vi);
	mutex_unlock(&vi->lock);
	/* Without endpoints there are no faults, which wake the worker. */
	vhost_iommu_stop_worker(vi);

	if (vi->s2)
		vhost_iommu_s2_put(vi->s2);
	for (i = 0; i < VHOST_IOMMU_NR_VQS; i++)
		vhost_iommu_vring_destroy(&vi->vqs[i]);
	vhost_iommu_memtable_free(vi->mem);
	xa_destroy(&vi->endpoints);
	xa_destroy(&vi->domains);
	if (vi->mm)
		mmdrop(vi->mm);
	mutex_destroy(&vi->lock);
	kfree(vi);
	return 0;
}

/* Read the size that a structure begins with. A page bounds what is to be zero. */
static int get_size(const void __user *uarg, size_t min_size, u32 *usize)
{
	if (get_user(*usize, (const u32 __user *)uarg))
		return -EFAULT;
	if (*usize < min_size)
		return -EINVAL;
	return *usize > PAGE_SIZE ? -E2BIG : 0;
}

/* Copy a structure that begins with its size. */
static int copy_arg(void *arg, size_t size, size_t min_size,
		    const void __user *uarg)
{
	u32 usize;

	return get_size(uarg, min_size, &usize) ?:
	       copy_struct_from_user(arg, size, uarg, usize);
}

/* Copy a structure back, as much of it as the caller knows, but for its size. */
static int return_arg(void *arg, size_t size, size_t min_size,
		      void __user *uarg)
{
	u32 usize;
	int ret;

	ret = get_size(uarg, min_size, &usize);
	if (ret)
		return ret;
	*(u32 *)arg = size;
	if (copy_to_user(uarg, arg, min_t(size_t, usize, size)))
		return -EFAULT;
	if (usize > size && clear_user(uarg + size, usize - size))
		return -EFAULT;
	return 0;
}

static long set_owner(struct vhost_iommu *vi, void __user *argp)
{
	if (vi->mm)
		return -EBUSY;
	vi->mm = current->mm;
	mmgrab(vi->mm);
	vhost_iommu_register(vi);
	vhost_iommu_debugfs_add(vi);
	return 0;
}

static long get_features(struct vhost_iommu *vi, void __user *argp)
{
	return put_user(offered_features(vi), (u64 __user *)argp);
}

static long set_features(struct vhost_iommu *vi, void __user *argp)
{
	u64 features;

	if (get_user(features, (const u64 __user *)argp))
		return -EFAULT;
	if (features & ~offered_features(vi))
		return -EOPNOTSUPP;
	if (vi->running)
		return features == vi->features ? 0 : -EBUSY;
	vi->features = features;
	return 0;
}

/* There are none, but the VMM may ask. */
static long get_backend_features(struct vhost_iommu *vi, void __user *argp)
{
	return put_user((u64)0, (u64 __user *)argp);
}

static long set_backend_features(struct vhost_iommu *vi, void __user *argp)
{
	u64 features;

	if (get_user(features, (const u64 __user *)argp))
		return -EFAULT;
	return features ? -EOPNOTSUPP : 0;
}

static long set_mem_table(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_memtable *mem = vhost_iommu_memtable_create(argp);

	if (IS_ERR(mem))
		return PTR_ERR(mem);
	vhost_iommu_memtable_free(vi->mem);
	vi->mem = mem;
	return 0;
}

static long get_config(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_config config = vi->config;

	return return_arg(&config, sizeof(config), CONFIG_SIZE_VER0, argp);
}

static int check_config(const struct vhost_iommu_config *c)
{
	if ((c->flags & ~(u32)VHOST_IOMMU_CONFIG_PAGE_TABLES) ||
	    c->reserved[0] || c->reserved[1] || c->reserved[2])
		return -EOPNOTSUPP;
	if ((c->flags & VHOST_IOMMU_CONFIG_PAGE_TABLES) &&
	    !vhost_iommu_tables_possible(c))
		return -EINVAL;
	if (!c->page_size_mask || (c->page_size_mask & ~PAGE_MASK) ||
	    c->input_start > c->input_end || c->domain_start > c->domain_end ||
	    c->probe_size > PROBE_SIZE_MAX || !IS_ALIGNED(c->probe_size, 8) ||
	    c->bypass > 1)
		return -EINVAL;
	return 0;
}

static long set_config(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_config config, same;
	int ret;

	ret = copy_arg(&config, sizeof(config), CONFIG_SIZE_VER0, argp) ?:
	      check_config(&config);
	if (ret)
		return ret;

	config.size = sizeof(config);
	same = vi->config;
	same.bypass = config.bypass;
	if (memcmp(&config, &same, sizeof(config))) {
		if (vi->nr_endpoints || vi->running)
			return -EBUSY;
		vi->config = config;
		return 0;
	}
	if (config.bypass == vi->config.bypass)
		return 0;
	return vhost_iommu_ep_set_bypass(vi, config.bypass);
}

static long claim_containers(struct vhost_iommu *vi, void __user *argp)
{
	vhost_iommu_claim(vi);
	return 0;
}

static long release_containers(struct vhost_iommu *vi, void __user *argp)
{
	vhost_iommu_unclaim(vi);
	return 0;
}

static long set_running(struct vhost_iommu *vi, void __user *argp)
{
	int run;

	if (get_user(run, (const int __user *)argp))
		return -EFAULT;
	switch (run) {
	case 0:
		/* What waits for an acknowledgment is done. */
		if (vi->running)
			vhost_iommu_publish_requests(vi);
		vhost_iommu_stop(vi);
		return 0;
	case 1:
		/* The configuration, which they follow from, may have changed. */
		if (vi->features & ~offered_features(vi))
			return -EINVAL;
		return vhost_iommu_start(vi);
	default:
		return -EINVAL;
	}
}

static long reset(struct vhost_iommu *vi, void __user *argp)
{
	unsigned int i;

	if (vi->running)
		return -EBUSY;
	for (i = 0; i < VHOST_IOMMU_NR_VQS; i++)
		vhost_iommu_vring_forget(&vi->vqs[i]);
	vhost_iommu_give_up_state(vi);
	vhost_iommu_ep_detach_all(vi);
	return 0;
}

static long add_endpoint(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_endpoint arg;

	return copy_arg(&arg, sizeof(arg), ENDPOINT_SIZE_VER0, argp) ?:
	       vhost_iommu_ep_add(vi, &arg);
}

static long remove_endpoint(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_endpoint_id arg;

	return copy_arg(&arg, sizeof(arg), ENDPOINT_ID_SIZE_VER0, argp) ?:
	       vhost_iommu_ep_remove(vi, arg.id);
}

static long set_notify(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_notify arg;
	int ret;

	ret = copy_arg(&arg, sizeof(arg), NOTIFY_SIZE_VER0, argp);
	if (ret)
		return ret;
	if (arg.reserved)
		return -EOPNOTSUPP;
	if (arg.notify > 1)
		return -EINVAL;
	return vhost_iommu_ep_set_notify(vi, arg.id, arg.notify);
}

static long translate(struct vhost_iommu *vi, void __user *argp)
{
	const u32 rw = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	struct vhost_iommu_translate arg;
	int ret;

	ret = copy_arg(&arg, sizeof(arg), TRANSLATE_SIZE_VER0, argp);
	if (ret)
		return ret;
	if ((arg.flags & ~(u32)VHOST_IOMMU_TRANSLATE_REPORT) ||
	    (arg.access & ~rw) || arg.reserved)
		return -EOPNOTSUPP;
	return vhost_iommu_ep_translate(vi, &arg) ?:
	       return_arg(&arg, sizeof(arg), TRANSLATE_SIZE_VER0, argp);
}

static long report_fault(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_fault arg;
	int ret;

	ret = copy_arg(&arg, sizeof(arg), FAULT_SIZE_VER0, argp) ?:
	      vhost_iommu_check_fault(vi, arg.reason, arg.flags, arg.endpoint);
	if (ret)
		return ret;
	vhost_iommu_report_fault(vi, arg.reason, arg.flags, arg.endpoint,
				 arg.address);
	return 0;
}

static long get_stats(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_stats stats;

	vhost_iommu_read_stats(vi, &stats);
	return return_arg(&stats, sizeof(stats), STATS_SIZE_VER0, argp);
}

static long get_invalidations(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_invalidations arg;
	int ret;

	ret = copy_arg(&arg, sizeof(arg), INVALIDATIONS_SIZE_VER0, argp) ?:
	      vhost_iommu_get_invalidations(vi, &arg) ?:
	      return_arg(&arg, sizeof(arg), INVALIDATIONS_SIZE_VER0, argp);
	if (!ret)
		vhost_iommu_took_invalidations(vi, arg.nr);
	return ret;
}

static long get_state(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_state arg;

	return copy_arg(&arg, sizeof(arg), STATE_SIZE_VER0, argp) ?:
	       vhost_iommu_get_state(vi, &arg) ?:
	       return_arg(&arg, sizeof(arg), STATE_SIZE_VER0, argp);
}

static long set_state(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_state arg;

	return copy_arg(&arg, sizeof(arg), STATE_SIZE_VER0, argp) ?:
	       vhost_iommu_set_state(vi, &arg);
}

static long set_iommufd(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_iommufd arg;

	return copy_arg(&arg, sizeof(arg), IOMMUFD_SIZE_VER0, argp) ?:
	       vhost_iommu_set_iommufd(vi, &arg);
}

static long add_guest_memory(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_memory arg;

	return copy_arg(&arg, sizeof(arg), MEMORY_SIZE_VER0, argp) ?:
	       vhost_iommu_add_memory(vi, &arg);
}

static long remove_guest_memory(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_memory arg;

	return copy_arg(&arg, sizeof(arg), MEMORY_SIZE_VER0, argp) ?:
	       vhost_iommu_remove_memory(vi, &arg);
}

static long set_dirty_tracking(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_dirty_tracking arg;

	return copy_arg(&arg, sizeof(arg), DIRTY_TRACKING_SIZE_VER0, argp) ?:
	       vhost_iommu_set_dirty_tracking(vi, &arg);
}

static long get_dirty_bitmap(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_iommu_dirty_bitmap arg;

	return copy_arg(&arg, sizeof(arg), DIRTY_BITMAP_SIZE_VER0, argp) ?:
	       vhost_iommu_get_dirty_bitmap(vi, &arg) ?:
	       return_arg(&arg, sizeof(arg), DIRTY_BITMAP_SIZE_VER0, argp);
}

/* How long to poll is asked for each queue, but faults are not polled for. */
static long set_poll(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (s.index >= VHOST_IOMMU_NR_VQS)
		return -ENOBUFS;
	if (s.num > VHOST_IOMMU_POLL_US_MAX)
		return -EINVAL;
	if (s.index != VHOST_IOMMU_VQ_REQUEST)
		return s.num ? -EOPNOTSUPP : 0;
	vi->poll_us = s.num;
	return 0;
}

static long get_poll(struct vhost_iommu *vi, void __user *argp)
{
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (s.index >= VHOST_IOMMU_NR_VQS)
		return -ENOBUFS;
	s.num = s.index == VHOST_IOMMU_VQ_REQUEST ? vi->poll_us : 0;
	return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
}

/* The ioctls of the queues begin with the index of the queue. */
static long vring_ioctl(struct vhost_iommu *vi, unsigned int cmd,
			void __user *argp)
{
	unsigned int index;

	if (get_user(index, (const unsigned int __user *)argp))
		return -EFAULT;
	if (index >= VHOST_IOMMU_NR_VQS)
		return -ENOBUFS;
	index = array_index_nospec(index, VHOST_IOMMU_NR_VQS);
	return vhost_iommu_vring_ioctl(&vi->vqs[index], cmd, argp);
}

static const struct {
	unsigned int	cmd;
	long		(*fn)(struct vhost_iommu *vi, void __user *argp);
} ioctls[] = {
	{ VHOST_GET_FEATURES,			get_features },
	{ VHOST_SET_FEATURES,			set_features },
	{ VHOST_GET_BACKEND_FEATURES,		get_backend_features },
	{ VHOST_SET_BACKEND_FEATURES,		set_backend_features },
	{ VHOST_SET_MEM_TABLE,			set_mem_table },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT,	set_poll },
	{ VHOST_GET_VRING_BUSYLOOP_TIMEOUT,	get_poll },
	{ VHOST_IOMMU_GET_CONFIG,		get_config },
	{ VHOST_IOMMU_SET_CONFIG,		set_config },
	{ VHOST_IOMMU_CLAIM_CONTAINERS,		claim_containers },
	{ VHOST_IOMMU_SET_RUNNING,		set_running },
	{ VHOST_IOMMU_RESET,			reset },
	{ VHOST_IOMMU_ADD_ENDPOINT,		add_endpoint },
	{ VHOST_IOMMU_REMOVE_ENDPOINT,		remove_endpoint },
	{ VHOST_IOMMU_TRANSLATE,		translate },
	{ VHOST_IOMMU_REPORT_FAULT,		report_fault },
	{ VHOST_IOMMU_GET_STATS,		get_stats },
	{ VHOST_IOMMU_GET_INVALIDATIONS,	get_invalidations },
	{ VHOST_IOMMU_RELEASE_CONTAINERS,	release_containers },
	{ VHOST_IOMMU_GET_STATE,		get_state },
	{ VHOST_IOMMU_SET_STATE,		set_state },
	{ VHOST_IOMMU_SET_NOTIFY,		set_notify },
	{ VHOST_IOMMU_SET_IOMMUFD,		set_iommufd },
	{ VHOST_IOMMU_ADD_MEMORY,		add_guest_memory },
	{ VHOST_IOMMU_REMOVE_MEMORY,		remove_guest_memory },
	{ VHOST_IOMMU_SET_DIRTY_TRACKING,	set_dirty_tracking },
	{ VHOST_IOMMU_GET_DIRTY_BITMAP,		get_dirty_bitmap },
};

static long dispatch(struct vhost_iommu *vi, unsigned int cmd, void __user *argp)
{
	unsigned int i;

	if (cmd == VHOST_SET_OWNER)
		return set_owner(vi, argp);
	if (vi->mm != current->mm)
		return -EPERM;

	switch (cmd) {
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return vring_ioctl(vi, cmd, argp);
	}
	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (ioctls[i].cmd == cmd)
			return ioctls[i].fn(vi, argp);
	return -ENOTTY;
}

static long vhost_iommu_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct vhost_iommu *vi = file->private_data;
	long ret;

	if (mutex_lock_killable(&vi->lock))
		return -EINTR;
	ret = dispatch(vi, cmd, (void __user *)arg);
	mutex_unlock(&vi->lock);
	return ret;
}

static __poll_t vhost_iommu_poll(struct file *file, poll_table *table)
{
	struct vhost_iommu *vi = file->private_data;

	poll_wait(file, &vi->invalidations.wait, table);
	return READ_ONCE(vi->invalidations.count) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations vhost_iommu_fops = {
	.owner		= THIS_MODULE,
	.open		= vhost_iommu_open,
	.release	= vhost_iommu_release,
	.unlocked_ioctl	= vhost_iommu_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= vhost_iommu_poll,
	.llseek		= noop_llseek,
};

static struct miscdevice vhost_iommu_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "vhost-iommu",
	.fops	= &vhost_iommu_fops,
};

static int __init vhost_iommu_init(void)
{
	int ret;

	ret = vhost_iommu_mapping_cache_init();
	if (ret)
		return ret;
	vhost_iommu_debugfs_init();
	ret = vhost_iommu_vfio_register();
	if (ret)
		goto err_debugfs_exit;
	ret = misc_register(&vhost_iommu_misc);
	if (ret)
		goto err_vfio_unregister;
	return 0;

err_vfio_unregister:
	vhost_iommu_vfio_unregister();
err_debugfs_exit:
	vhost_iommu_debugfs_exit();
	vhost_iommu_mapping_cache_exit();
	return ret;
}

static void __exit vhost_iommu_exit(void)
{
	misc_deregister(&vhost_iommu_misc);
	vhost_iommu_vfio_unregister();
	vhost_iommu_debugfs_exit();
	vhost_iommu_mapping_cache_exit();
}

module_init(vhost_iommu_init);
module_exit(vhost_iommu_exit);

MODULE_DESCRIPTION("In-kernel virtio-iommu device over VFIO");
MODULE_AUTHOR("The virtio-iommu and vhost-iommu developers");
MODULE_LICENSE("GPL");
/*
 * VFIO asks the IOMMU driver that registered last first, and a container that we
 * turn down has to find another one.
 */
MODULE_SOFTDEP("pre: vfio_iommu_type1");
