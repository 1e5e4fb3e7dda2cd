// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's side of a split virtqueue (virtio 1.4, "Split Virtqueues") with
 * indirect descriptors and event index.
 *
 * Guest and VMM may write to the ring at any time, so every word is read once and
 * checked before it is used. A ring that makes no sense (an index, a chain or a
 * table that cannot be) is broken for good: there is no telling which buffers are
 * lost. The VMM learns that by the error eventfd. A chain that is well formed but
 * points outside of memory harms its sender alone.
 *
 * Used entries, and the statuses that go with them, are collected and published
 * together: what has to happen before the guest may see any of them, such as an
 * IOTLB flush, comes before vhost_iommu_vring_publish().
 *
 * To open and close user memory costs more than to read a word of it, so the rings are
 * accessed in as few sections as there can be.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "memtable.h"
#include "vring.h"

/* How often vhost_iommu_vring_watch() looks. */
#define VRING_WATCH	64

struct vring_poll {
	poll_table			table;
	struct vhost_iommu_vring	*vr;
};

static int vring_break(struct vhost_iommu_vring *vr, int err)
{
	vr->broken = true;
	if (vr->err)
		eventfd_signal(vr->err);
	return err;
}

static int get_le16(u16 *val, const __virtio16 __user *p)
{
	__le16 v;

	if (get_user(v, (const __le16 __user *)p))
		return -EFAULT;
	*val = le16_to_cpu(v);
	return 0;
}

static int put_le16(u16 val, __virtio16 __user *p)
{
	return put_user(cpu_to_le16(val), (__le16 __user *)p);
}

/* The used_event field: behind the last entry of the available ring. */
static __virtio16 __user *used_event(const struct vhost_iommu_vring *vr)
{
	return &vr->avail->ring[vr->num];
}

/* The avail_event field: behind the last entry of the used ring. */
static __virtio16 __user *avail_event(const struct vhost_iommu_vring *vr)
{
	return (__virtio16 __user *)&vr->used->ring[vr->num];
}

static int vring_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync,
			void *key)
{
	struct vhost_iommu_vring *vr =
		container_of(wait, struct vhost_iommu_vring, wait);

	if (key_to_poll(key) & EPOLLIN)
		vr->kick(vr);
	return 0;
}

static void vring_queue_proc(struct file *file, wait_queue_head_t *wqh,
			     poll_table *table)
{
	struct vring_poll *poll = container_of(table, struct vring_poll, table);

	poll->vr->wqh = wqh;
	add_wait_queue(wqh, &poll->vr->wait);
}

/**
 * vhost_iommu_vring_init() - prepare a queue that is not set up
 * @vr: zeroed memory
 * @kick: called when the guest notifies; must not sleep
 */
void vhost_iommu_vring_init(struct vhost_iommu_vring *vr,
			    vhost_iommu_kick_fn kick)
{
	vr->kick = kick;
	init_waitqueue_func_entry(&vr->wait, vring_wakeup);
}

/**
 * vhost_iommu_vring_destroy() - let go of all that a queue holds
 * @vr: a queue that is stopped
 */
void vhost_iommu_vring_destroy(struct vhost_iommu_vring *vr)
{
	if (vr->kick_file)
		fput(vr->kick_file);
	if (vr->call)
		eventfd_ctx_put(vr->call);
	if (vr->err)
		eventfd_ctx_put(vr->err);
}

static long vring_set_num(struct vhost_iommu_vring *vr, unsigned int num)
{
	if (vr->started)
		return -EBUSY;
	if (!is_power_of_2(num) || num > VHOST_IOMMU_VRING_MAX)
		return -EINVAL;
	vr->num = num;
	return 0;
}

static long vring_set_base(struct vhost_iommu_vring *vr, unsigned int base)
{
	if (vr->started)
		return -EBUSY;
	if (base > U16_MAX)
		return -EINVAL;
	vr->last_avail = base;
	return 0;
}

static long vring_set_addr(struct vhost_iommu_vring *vr,
			   const struct vhost_vring_addr *a)
{
	if (vr->started)
		return -EBUSY;
	if (a->flags)
		return -EOPNOTSUPP;
	if (a->desc_user_addr != (unsigned long)a->desc_user_addr ||
	    a->avail_user_addr != (unsigned long)a->avail_user_addr ||
	    a->used_user_addr != (unsigned long)a->used_user_addr ||
	    !IS_ALIGNED(a->desc_user_addr, VRING_DESC_ALIGN_SIZE) ||
	    !IS_ALIGNED(a->avail_user_addr, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(a->used_user_addr, VRING_USED_ALIGN_SIZE))
		return -EINVAL;

	vr->desc = (void __user *)(unsigned long)a->desc_user_addr;
	vr->avail = (void __user *)(unsigned long)a->avail_user_addr;
	vr->used = (void __user *)(unsigned long)a->used_user_addr;
	vr->has_addr = true;
	return 0;
}

static long vring_set_kick(struct vhost_iommu_vring *vr, int fd)
{
	struct file *file = NULL;

	if (vr->started)
		return -EBUSY;
	if (fd != VHOST_FILE_UNBIND) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	if (vr->kick_file)
		fput(vr->kick_file);
	vr->kick_file = file;
	return 0;
}

static long vring_set_eventfd(struct eventfd_ctx **ctxp, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	if (*ctxp)
		eventfd_ctx_put(*ctxp);
	*ctxp = ctx;
	return 0;
}

static long vring_ioctl_state(struct vhost_iommu_vring *vr, unsigned int cmd,
			      struct vhost_vring_state __user *argp)
{
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;

	switch (cmd) {
	case VHOST_SET_VRING_NUM:
		return vring_set_num(vr, s.num);
	case VHOST_SET_VRING_BASE:
		return vring_set_base(vr, s.num);
	default:
		if (vr->started)
			return -EBUSY;
		s.num = vr->last_avail;
		return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
	}
}

static long vring_ioctl_file(struct vhost_iommu_vring *vr, unsigned int cmd,
			     const struct vhost_vring_file __user *argp)
{
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;

	switch (cmd) {
	case VHOST_SET_VRING_KICK:
		return vring_set_kick(vr, f.fd);
	case VHOST_SET_VRING_CALL:
		return vring_set_eventfd(&vr->call, f.fd);
	default:
		return vring_set_eventfd(&vr->err, f.fd);
	}
}

/**
 * vhost_iommu_vring_ioctl() - one of the VHOST_*_VRING_* ioctls
 * @vr: the queue that the argument names
 * @cmd: the ioctl
 * @argp: its argument
 *
 * Return: 0; -EBUSY while the queue is started, except for CALL and ERR; -EINVAL;
 * -EBADF; -EFAULT; -EOPNOTSUPP for flags of an address; -ENOTTY.
 */
long vhost_iommu_vring_ioctl(struct vhost_iommu_vring *vr, unsigned int cmd,
			     void __user *argp)
{
	struct vhost_vring_addr a;

	switch (cmd) {
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
		return vring_ioctl_state(vr, cmd, argp);
	case VHOST_SET_VRING_ADDR:
		if (copy_from_user(&a, argp, sizeof(a)))
			return -EFAULT;
		return vring_set_addr(vr, &a);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return vring_ioctl_file(vr, cmd, argp);
	default:
		return -ENOTTY;
	}
}

/**
 * vhost_iommu_vring_forget() - forget where the ring is
 * @vr: a queue that is stopped
 *
 * It cannot be started before it has addresses again.
 */
void vhost_iommu_vring_forget(struct vhost_iommu_vring *vr)
{
	vr->has_addr = false;
}

/**
 * vhost_iommu_vring_start() - begin to use the ring
 * @vr: a queue that is stopped
 * @features: virtio features that were negotiated
 *
 * From now on @kick may be called; it is not called for what is in the ring
 * already.
 *
 * Return: 0; -EINVAL if size, addresses or the kick are missing; -EFAULT if the
 * ring is not accessible; -ENOMEM.
 */
int vhost_iommu_vring_start(struct vhost_iommu_vring *vr, u64 features)
{
	struct vring_poll poll = { .vr = vr };
	u16 used_idx;

	if (!vr->num || !vr->has_addr || !vr->kick_file)
		return -EINVAL;
	if (get_le16(&used_idx, &vr->used->idx) ||
	    get_le16(&vr->avail_idx, &vr->avail->idx))
		return -EFAULT;

	vr->segs = kvmalloc_array(vr->num, sizeof(*vr->segs),
				  GFP_KERNEL_ACCOUNT);
	if (!vr->segs)
		return -ENOMEM;

	vr->event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	vr->indirect = features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	vr->avail_idx = vr->last_avail;
	vr->used_idx = used_idx;
	vr->nr_unpublished = 0;
	vr->nr_settled = 0;
	vr->signalled_valid = false;
	vr->broken = false;
	vr->kick_disabled = false;
	vr->started = true;

	init_poll_funcptr(&poll.table, vring_queue_proc);
	vfs_poll(vr->kick_file, &poll.table);
	return 0;
}

/**
 * vhost_iommu_vring_stop() - leave the ring alone
 * @vr: a queue; nothing happens if it is stopped
 *
 * After this, @kick is not called and does not run.
 */
void vhost_iommu_vring_stop(struct vhost_iommu_vring *vr)
{
	if (!vr->started)
		return;
	if (vr->wqh)
		remove_wait_queue(vr->wqh, &vr->wait);
	vr->wqh = NULL;
	kvfree(vr->segs);
	vr->segs = NULL;
	vr->started = false;
}

static __always_inline int
vring_add_seg(struct vhost_iommu_vring *vr, struct vhost_iommu_chain *chain,
	      const struct vring_desc *desc, u16 flags)
{
	struct vhost_iommu_seg seg = {
		.gpa = le64_to_cpu((__force __le64)desc->addr),
		.len = le32_to_cpu((__force __le32)desc->len),
	};

	/* No chain is longer than the ring, so a longer one has a loop. */
	if (chain->nr_out + chain->nr_in == vr->num)
		return -EPROTO;

	vr->segs[chain->nr_out + chain->nr_in] = seg;
	if (flags & VRING_DESC_F_WRITE) {
		chain->nr_in++;
		chain->in_len += seg.len;
		return 0;
	}
	if (chain->nr_in)
		return -EPROTO;
	chain->nr_out++;
	chain->out_len += seg.len;
	return 0;
}

static int vring_walk_indirect(struct vhost_iommu_vring *vr,
			       const struct vhost_iommu_memtable *mem,
			       struct vhost_iommu_chain *chain,
			       const struct vring_desc *table)
{
	u64 gpa = le64_to_cpu((__force __le64)table->addr);
	u32 len = le32_to_cpu((__force __le32)table->len);
	u32 num = len / sizeof(struct vring_desc);
	u32 i = 0;

	if (!num || len % sizeof(struct vring_desc) || num > vr->num)
		return -EPROTO;

	for (;;) {
		struct vring_desc desc;
		u16 flags;
		int ret;

		if (i >= num ||
		    vhost_iommu_mem_read(mem, gpa + i * sizeof(desc), &desc,
					 sizeof(desc)))
			return -EPROTO;
		flags = le16_to_cpu((__force __le16)desc.flags);
		if (flags & VRING_DESC_F_INDIRECT)
			return -EPROTO;
		ret = vring_add_seg(vr, chain, &desc, flags);
		if (ret)
			return ret;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16_to_cpu((__force __le16)desc.next);
	}
}

/*
 * Add the segments of a chain up to its end, or up to a descriptor of an indirect
 * table, which is left in @desc.
 */
static int vring_walk_direct(struct vhost_iommu_vring *vr,
			     struct vhost_iommu_chain *chain,
			     struct vring_desc *desc)
{
	u16 i = chain->head, flags;
	int ret;

	if (!user_read_access_begin(vr->desc, vr->num * sizeof(*vr->desc)))
		return -EFAULT;
	do {
		struct vring_desc __user *p = &vr->desc[i];

		ret = -EPROTO;
		if (i >= vr->num)
			break;
		unsafe_get_user(desc->addr, &p->addr, err_end);
		unsafe_get_user(desc->len, &p->len, err_end);
		unsafe_get_user(desc->flags, &p->flags, err_end);
		unsafe_get_user(desc->next, &p->next, err_end);
		flags = le16_to_cpu((__force __le16)desc->flags);
		i = le16_to_cpu((__force __le16)desc->next);
		ret = 0;
		if (flags & VRING_DESC_F_INDIRECT)
			break;
		ret = vring_add_seg(vr, chain, desc, flags);
	} while (!ret && (flags & VRING_DESC_F_NEXT));
	user_read_access_end();
	return ret;

err_end:
	user_read_access_end();
	return -EFAULT;
}

static int vring_walk(struct vhost_iommu_vring *vr,
		      const struct vhost_iommu_memtable *mem,
		      struct vhost_iommu_chain *chain)
{
	struct vring_desc desc;
	u16 flags;
	int ret;

	ret = vring_walk_direct(vr, chain, &desc);
	if (ret)
		return ret;
	flags = le16_to_cpu((__force __le16)desc.flags);
	if (!(flags & VRING_DESC_F_INDIRECT))
		return 0;
	if (!vr->indirect || (flags & VRING_DESC_F_NEXT))
		return -EPROTO;
	return vring_walk_indirect(vr, mem, chain, &desc);
}

/*
 * Read the guest's index until it has moved, @looks times at the most, and the entries
 * that it covers then.
 */
static int vring_fetch(struct vhost_iommu_vring *vr, unsigned int looks)
{
	__virtio16 v;
	u16 i, idx;

	if (!user_read_access_begin(vr->avail,
				    struct_size(vr->avail, ring, vr->num)))
		return -EFAULT;
	do {
		unsafe_get_user(v, &vr->avail->idx, err_end);
		idx = le16_to_cpu((__force __le16)v);
	} while (idx == vr->last_avail && --looks);
	if ((u16)(idx - vr->last_avail) > vr->num) {
		user_read_access_end();
		return -EPROTO;
	}
	if ((u16)(idx - vr->last_avail) > VHOST_IOMMU_VRING_BATCH)
		idx = vr->last_avail + VHOST_IOMMU_VRING_BATCH;
	/* The index is read before the entries. */
	smp_rmb();
	for (i = vr->last_avail; i != idx; i++) {
		unsafe_get_user(v, &vr->avail->ring[i & (vr->num - 1)], err_end);
		vr->heads[i % VHOST_IOMMU_VRING_BATCH] =
			le16_to_cpu((__force __le16)v);
	}
	user_read_access_end();
	vr->avail_idx = idx;
	return 0;

err_end:
	user_read_access_end();
	return -EFAULT;
}

/* Has the guest made a buffer available? Reads the ring only when it must. */
static int vring_more(struct vhost_iommu_vring *vr, unsigned int looks)
{
	int ret;

	if (vr->avail_idx != vr->last_avail)
		return 1;
	ret = vring_fetch(vr, looks);
	if (ret)
		return vring_break(vr, ret);
	return vr->avail_idx != vr->last_avail;
}

/**
 * vhost_iommu_vring_pending() - is there something to take from the ring?
 * @vr: a started queue
 *
 * Return: true if there is, or if the ring is broken.
 */
bool vhost_iommu_vring_pending(struct vhost_iommu_vring *vr)
{
	return vr->broken || vring_more(vr, 1);
}

/**
 * vhost_iommu_vring_watch() - will there be something to take from the ring in a moment?
 * @vr: a started queue
 *
 * Context: in the VMM's address space.
 * Return: as vhost_iommu_vring_pending().
 */
bool vhost_iommu_vring_watch(struct vhost_iommu_vring *vr)
{
	return vr->broken || vring_more(vr, VRING_WATCH);
}

/**
 * vhost_iommu_vring_pop() - take a chain from the available ring
 * @vr: a started queue
 * @mem: guest memory, for indirect tables
 * @chain: filled if there is one
 *
 * Return: 1 if @chain was filled, 0 if there is nothing, or a negative errno if
 * the ring is broken.
 */
int vhost_iommu_vring_pop(struct vhost_iommu_vring *vr,
			  const struct vhost_iommu_memtable *mem,
			  struct vhost_iommu_chain *chain)
{
	int ret;

	if (vr->broken)
		return -EPROTO;
	ret = vring_more(vr, 1);
	if (ret <= 0)
		return ret;

	*chain = (struct vhost_iommu_chain){
		.head = vr->heads[vr->last_avail % VHOST_IOMMU_VRING_BATCH],
	};
	ret = vring_walk(vr, mem, chain);
	if (ret)
		return vring_break(vr, ret);

	vr->last_avail++;
	return 1;
}

/**
 * vhost_iommu_vring_read() - copy the start of a chain's readable part
 * @vr: a started queue
 * @mem: guest memory
 * @chain: the current chain
 * @buf: destination
 * @len: bytes; at most @chain->out_len
 *
 * Return: 0, or -EFAULT if it is not in guest memory.
 */
int vhost_iommu_vring_read(struct vhost_iommu_vring *vr,
			   const struct vhost_iommu_memtable *mem,
			   const struct vhost_iommu_chain *chain,
			   void *buf, size_t len)
{
	const struct vhost_iommu_seg *seg = vr->segs;
	const struct vhost_iommu_seg *end = seg + chain->nr_out;

	for (; len && seg != end; seg++) {
		size_t n = min_t(size_t, len, seg->len);

		if (vhost_iommu_mem_read(mem, seg->gpa, buf, n))
			return -EFAULT;
		buf += n;
		len -= n;
	}
	return len ? -EFAULT : 0;
}

/**
 * vhost_iommu_vring_write() - copy into a chain's writable part
 * @vr: a started queue
 * @mem: guest memory
 * @chain: the current chain
 * @offset: where to begin in the writable part
 * @buf: source
 * @len: bytes; @offset + @len is at most @chain->in_len
 *
 * Return: 0, or -EFAULT if it is not in guest memory.
 */
int vhost_iommu_vring_write(struct vhost_iommu_vring *vr,
			    const struct vhost_iommu_memtable *mem,
			    const struct vhost_iommu_chain *chain,
			    u64 offset, const void *buf, size_t len)
{
	const struct vhost_iommu_seg *seg = vr->segs + chain->nr_out;
	const struct vhost_iommu_seg *end = seg + chain->nr_in;

	for (; len && seg != end; seg++) {
		size_t n;

		if (offset >= seg->len) {
			offset -= seg->len;
			continue;
		}
		n = min_t(size_t, len, seg->len - offset);
		if (vhost_iommu_mem_write(mem, seg->gpa + offset, buf, n))
			return -EFAULT;
		offset = 0;
		buf += n;
		len -= n;
	}
	return len ? -EFAULT : 0;
}

/**
 * vhost_iommu_vring_read_request() - read a request, and write its tail for now
 * @vr: a started queue
 * @mem: guest memory
 * @chain: the current chain
 * @buf: destination
 * @len: bytes; at most @chain->out_len
 * @types: a bit for each value of the first byte with which @tail is written
 * @tail: what the writable part begins with until vhost_iommu_vring_settle() or
 *	vhost_iommu_vring_publish()
 *
 * The same as vhost_iommu_vring_read() and _write(), in one section, for requests that
 * are in one piece.
 *
 * Return: where the tail is, for vhost_iommu_vring_push_status(); NULL if it was not
 * written, or not both are in one piece and accessible.
 */
u8 __user *vhost_iommu_vring_read_request(struct vhost_iommu_vring *vr,
					  const struct vhost_iommu_memtable *mem,
					  const struct vhost_iommu_chain *chain,
					  void *buf, size_t len,
					  unsigned long types, u32 tail)
{
	const struct vhost_iommu_seg *out = vr->segs, *in = out + chain->nr_out;
	u32 __user *uout, *uin;
	u32 *word = buf, *end;

	if (!chain->nr_out || out->len < len || !len || len % sizeof(*word) ||
	    !chain->nr_in || in->len < sizeof(tail))
		return NULL;
	uout = vhost_iommu_mem_find(mem, out->gpa, len);
	uin = vhost_iommu_mem_find(mem, in->gpa, sizeof(tail));
	if (!uout || !uin || !access_ok(uin, sizeof(tail)) ||
	    !user_access_begin(uout, len))
		return NULL;

	end = word + len / sizeof(*word);
	for (; word != end; word++, uout++)
		unsafe_get_user(*word, uout, err_end);
	if (*(u8 *)buf >= BITS_PER_LONG || !(types & BIT(*(u8 *)buf)))
		goto err_end;
	unsafe_put_user(tail, uin, err_end);
	user_access_end();
	return (u8 __user *)uin;

err_end:
	user_access_end();
	return NULL;
}

/**
 * vhost_iommu_vring_settle() - write the statuses that were collected
 * @vr: a started queue
 *
 * Has to be called before the addresses may change, that is before the lock of the
 * instance is dropped, unless vhost_iommu_vring_publish() is called instead. A status
 * that cannot be written takes its chain's length away.
 */
void vhost_iommu_vring_settle(struct vhost_iommu_vring *vr)
{
	struct vhost_iommu_used *u = vr->unpublished + vr->nr_settled;
	struct vhost_iommu_used *end = vr->unpublished + vr->nr_unpublished;

	while (u != end) {
		/* access_ok() has seen all of them. */
		if (!user_write_access_begin(vr->used, sizeof(*vr->used)))
			break;
		for (; u != end; u++)
			if (u->tail)
				unsafe_put_user(u->status, u->tail, err_next);
		user_write_access_end();
		break;
err_next:
		user_write_access_end();
		u->len = 0;
		u++;
	}
	vr->nr_settled = vr->nr_unpublished;
}

/* What the guest writes to say which used entries it wants to be interrupted for. */
static const __virtio16 __user *interrupt_word(const struct vhost_iommu_vring *vr)
{
	return vr->event_idx ? used_event(vr) : &vr->avail->flags;
}

/*
 * Write the statuses and used entries that were collected, and the index that shows them,
 * then read the word that says whether the guest is to be interrupted.
 */
static int vring_write_used(struct vhost_iommu_vring *vr, u16 *word)
{
	const __virtio16 __user *uword = interrupt_word(vr);
	const struct vhost_iommu_used *u = vr->unpublished + vr->nr_settled;
	const struct vhost_iommu_used *end = vr->unpublished + vr->nr_unpublished;
	u16 used_idx = vr->used_idx;
	__virtio16 v;

	if (!access_ok(uword, sizeof(*uword)) ||
	    !user_access_begin(vr->used, struct_size(vr->used, ring, vr->num)))
		return -EFAULT;
	for (; u != end; u++)
		if (u->tail)
			unsafe_put_user(u->status, u->tail, err_end);
	for (u = vr->unpublished; u != end; u++, used_idx++) {
		struct vring_used_elem __user *elem =
			&vr->used->ring[used_idx & (vr->num - 1)];

		unsafe_put_user((__force __virtio32)cpu_to_le32(u->head),
				&elem->id, err_end);
		unsafe_put_user((__force __virtio32)cpu_to_le32(u->len),
				&elem->len, err_end);
	}
	/* The entries, and what was written to the buffers, come first. */
	smp_wmb();
	unsafe_put_user((__force __virtio16)cpu_to_le16(used_idx),
			&vr->used->idx, err_end);
	/* From here on the buffers are the guest's, whatever fails. */
	vr->used_idx = used_idx;
	vr->nr_unpublished = 0;
	vr->nr_settled = 0;
	/* The guest writes used_event or the flag, then reads the index. */
	smp_mb();
	unsafe_get_user(v, uword, err_end);
	user_access_end();
	*word = le16_to_cpu((__force __le16)v);
	return 0;

err_end:
	user_access_end();
	return -EFAULT;
}

/**
 * vhost_iommu_vring_push_status() - give a chain back, with a status to be written
 * @vr: a started queue
 * @head: of the chain
 * @len: bytes written into the chain, the status included
 * @tail: from vhost_iommu_vring_read_request(), or NULL if the status is written
 * @status: the status
 *
 * vhost_iommu_vring_settle() or _publish() writes it. The guest looks at it after
 * vhost_iommu_vring_publish(), which has to be called after
 * %VHOST_IOMMU_VRING_BATCH chains at the latest.
 *
 * Return: 0, or -ENOSPC.
 */
int vhost_iommu_vring_push_status(struct vhost_iommu_vring *vr, u16 head, u32 len,
				  u8 __user *tail, u8 status)
{
	if (WARN_ON_ONCE(vr->nr_unpublished == VHOST_IOMMU_VRING_BATCH))
		return -ENOSPC;
	vr->unpublished[vr->nr_unpublished++] = (struct vhost_iommu_used) {
		.head = head,
		.len = len,
		.tail = tail,
		.status = status,
	};
	return 0;
}

/**
 * vhost_iommu_vring_push() - give a chain back, which the guest does not see yet
 * @vr: a started queue
 * @head: of the chain
 * @len: bytes written into the chain
 *
 * Return: see vhost_iommu_vring_push_status().
 */
int vhost_iommu_vring_push(struct vhost_iommu_vring *vr, u16 head, u32 len)
{
	return vhost_iommu_vring_push_status(vr, head, len, NULL, 0);
}

/* @word: see interrupt_word() */
static bool vring_should_signal(struct vhost_iommu_vring *vr, u16 word)
{
	u16 old = vr->signalled;
	bool signal;

	if (!vr->event_idx)
		return !(word & VRING_AVAIL_F_NO_INTERRUPT);

	signal = !vr->signalled_valid ||
		 vring_need_event(word, vr->used_idx, old);
	vr->signalled = vr->used_idx;
	vr->signalled_valid = true;
	return signal;
}

/**
 * vhost_iommu_vring_publish() - let the guest see all used entries, and their statuses
 * @vr: a started queue
 *
 * Return: whether the guest was interrupted.
 */
bool vhost_iommu_vring_publish(struct vhost_iommu_vring *vr)
{
	u16 word;
	int ret;

	if (!vr->nr_unpublished)
		return false;

	ret = vring_write_used(vr, &word);
	if (ret && vr->nr_settled != vr->nr_unpublished) {
		/* If it is a status that cannot be written, the others can. */
		vhost_iommu_vring_settle(vr);
		ret = vring_write_used(vr, &word);
	}
	if (ret) {
		vring_break(vr, ret);
		return false;
	}
	if (!vring_should_signal(vr, word) || !vr->call)
		return false;
	eventfd_signal(vr->call);
	return true;
}

/**
 * vhost_iommu_vring_enable_kick() - ask the guest to notify
 * @vr: a started queue
 *
 * Return: true if there is something in the ring by now, so that the caller has
 * to look again.
 */
bool vhost_iommu_vring_enable_kick(struct vhost_iommu_vring *vr)
{
	int ret;

	if (vr->broken)
		return false;
	if (vr->event_idx)
		ret = put_le16(vr->last_avail, avail_event(vr));
	else
		ret = put_le16(0, &vr->used->flags);
	vr->kick_disabled = false;
	if (ret) {
		vring_break(vr, -EFAULT);
		return false;
	}
	/* The guest writes the index, then reads avail_event or the flag. */
	smp_mb();
	return vring_more(vr, 1) > 0;
}

/**
 * vhost_iommu_vring_disable_kick() - tell the guest that we are looking anyway
 * @vr: a started queue
 *
 * With event index nothing is to be done: the guest notifies once, when it passes
 * avail_event.
 */
void vhost_iommu_vring_disable_kick(struct vhost_iommu_vring *vr)
{
	if (vr->broken || vr->event_idx || vr->kick_disabled)
		return;
	vr->kick_disabled = true;
	if (put_le16(VRING_USED_F_NO_NOTIFY, &vr->used->flags))
		vring_break(vr, -EFAULT);
}
