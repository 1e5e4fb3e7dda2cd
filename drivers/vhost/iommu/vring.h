/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VHOST_IOMMU_VRING_H
#define _VHOST_IOMMU_VRING_H

#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/virtio_ring.h>

struct eventfd_ctx;
struct file;
struct vhost_iommu_memtable;
struct vhost_iommu_vring;

#define VHOST_IOMMU_VRING_MAX	32768U
/* How much of the rings is read and written at once; a power of two. */
#define VHOST_IOMMU_VRING_BATCH	64U

typedef void (*vhost_iommu_kick_fn)(struct vhost_iommu_vring *vr);

/* A part of a descriptor chain. */
struct vhost_iommu_seg {
	u64	gpa;
	u32	len;
};

/**
 * struct vhost_iommu_chain - a descriptor chain taken from the ring
 * @head: what identifies it in the used ring
 * @nr_out: device-readable segments, the first ones in vhost_iommu_vring.segs
 * @nr_in: device-writable segments, following those
 * @out_len: bytes in all readable segments
 * @in_len: bytes in all writable segments
 *
 * Valid until the next chain is taken.
 */
struct vhost_iommu_chain {
	u16		head;
	unsigned int	nr_out;
	unsigned int	nr_in;
	u64		out_len;
	u64		in_len;
};

/**
 * struct vhost_iommu_used - a chain that goes back to the guest
 * @head: of the chain
 * @len: bytes written into it
 * @tail: where @status goes, an address that access_ok() has seen; NULL for nowhere
 * @status: the first byte of a tail
 */
struct vhost_iommu_used {
	u16		head;
	u8		status;
	u32		len;
	u8 __user	*tail;
};

/**
 * struct vhost_iommu_vring - a split virtqueue, seen from the device
 * @num: ring size, a power of two; 0 if not set
 * @desc: descriptor table
 * @avail: available ring
 * @used: used ring
 * @has_addr: the three above are set
 * @last_avail: next entry of the available ring to take
 * @avail_idx: entries of the available ring before this one are in @heads
 * @used_idx: the index that the guest sees
 * @nr_unpublished: entries of @unpublished
 * @nr_settled: those of them whose status is written
 * @signalled: value of @used_idx at the last decision to interrupt
 * @signalled_valid: @signalled means something
 * @broken: the ring makes no sense; nothing is done until it is set up again
 * @started: between vhost_iommu_vring_start() and vhost_iommu_vring_stop()
 * @event_idx: VIRTIO_RING_F_EVENT_IDX is in use
 * @indirect: VIRTIO_RING_F_INDIRECT_DESC is in use
 * @kick_disabled: without event index, the guest was told not to notify
 * @heads: entries of the available ring from @last_avail to @avail_idx, by index
 * @unpublished: chains that the guest does not see yet
 * @segs: @num segments, those of the current chain
 * @kick_file: eventfd by which the guest notifies
 * @call: eventfd that interrupts the guest, or NULL
 * @err: eventfd that tells the VMM that the ring is broken, or NULL
 * @kick: called from the eventfd's waker, in any context
 * @wait: entry in the wait queue of @kick_file
 * @wqh: that wait queue, NULL when not waiting
 *
 * The caller serialises everything, and runs in the VMM's address space.
 */
struct vhost_iommu_vring {
	unsigned int			num;
	struct vring_desc __user	*desc;
	struct vring_avail __user	*avail;
	struct vring_used __user	*used;
	bool				has_addr;

	u16				last_avail;
	u16				avail_idx;
	u16				used_idx;
	u16				nr_unpublished;
	u16				nr_settled;
	u16				signalled;
	bool				signalled_valid;

	bool				broken;
	bool				started;
	bool				event_idx;
	bool				indirect;
	bool				kick_disabled;
	u16				heads[VHOST_IOMMU_VRING_BATCH];
	struct vhost_iommu_used		unpublished[VHOST_IOMMU_VRING_BATCH];
	struct vhost_iommu_seg		*segs;

	struct file			*kick_file;
	struct eventfd_ctx		*call;
	struct eventfd_ctx		*err;
	vhost_iommu_kick_fn		kick;
	wait_queue_entry_t		wait;
	wait_queue_head_t		*wqh;
};

void vhost_iommu_vring_init(struct vhost_iommu_vring *vr,
			    vhost_iommu_kick_fn kick);
void vhost_iommu_vring_destroy(struct vhost_iommu_vring *vr);
long vhost_iommu_vring_ioctl(struct vhost_iommu_vring *vr, unsigned int cmd,
			     void __user *argp);
void vhost_iommu_vring_forget(struct vhost_iommu_vring *vr);
int vhost_iommu_vring_start(struct vhost_iommu_vring *vr, u64 features);
void vhost_iommu_vring_stop(struct vhost_iommu_vring *vr);

int vhost_iommu_vring_pop(struct vhost_iommu_vring *vr,
			  const struct vhost_iommu_memtable *mem,
			  struct vhost_iommu_chain *chain);
int vhost_iommu_vring_read(struct vhost_iommu_vring *vr,
			   const struct vhost_iommu_memtable *mem,
			   const struct vhost_iommu_chain *chain,
			   void *buf, size_t len);
int vhost_iommu_vring_write(struct vhost_iommu_vring *vr,
			    const struct vhost_iommu_memtable *mem,
			    const struct vhost_iommu_chain *chain,
			    u64 offset, const void *buf, size_t len);
u8 __user *vhost_iommu_vring_read_request(struct vhost_iommu_vring *vr,
					  const struct vhost_iommu_memtable *mem,
					  const struct vhost_iommu_chain *chain,
					  void *buf, size_t len,
					  unsigned long types, u32 tail);
int vhost_iommu_vring_push(struct vhost_iommu_vring *vr, u16 head, u32 len);
int vhost_iommu_vring_push_status(struct vhost_iommu_vring *vr, u16 head, u32 len,
				  u8 __user *tail, u8 status);
void vhost_iommu_vring_settle(struct vhost_iommu_vring *vr);
bool vhost_iommu_vring_publish(struct vhost_iommu_vring *vr);
bool vhost_iommu_vring_pending(struct vhost_iommu_vring *vr);
bool vhost_iommu_vring_watch(struct vhost_iommu_vring *vr);
bool vhost_iommu_vring_enable_kick(struct vhost_iommu_vring *vr);
void vhost_iommu_vring_disable_kick(struct vhost_iommu_vring *vr);

#endif /* _VHOST_IOMMU_VRING_H */
