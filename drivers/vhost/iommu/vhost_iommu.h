/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance: one open /dev/vhost-iommu, one virtual IOMMU.
 *
 * Objects and who owns them
 *
 *	vhost_iommu		an instance, owned by the open file
 *	  vhost_iommu_vring	its two queues (vring.h)
 *	  vhost_iommu_ep	a device behind it (endpoint.h)
 *	  vhost_iommu_domain	what the guest calls a domain (domain.h)
 *	    vhost_iommu_mapping	made by one MAP request
 *	    vhost_iommu_hwdom	the IOMMU domain derived from the mappings and stage
 *				2, one for each class of groups in the domain
 *	vhost_iommu_s2		stage 2 of a VM, owned by a VFIO container, or by the
 *				instance if it is an IOAS (stage2.h)
 *	  vhost_iommu_s2_range	one VFIO_IOMMU_MAP_DMA, or VHOST_IOMMU_ADD_MEMORY
 *	  vhost_iommu_class	groups that can share an IOMMU domain
 *	    vhost_iommu_group	an IOMMU group in it
 *
 * Lock order, outermost first
 *
 *	VFIO's locks of groups, containers and the devices in them
 *	vhost_iommu.lock	everything in an instance
 *	vhost_iommu_s2.lock	Held for writing: stage 2, its classes and groups, and
 *				all that hangs on them: what a group is attached to,
 *				which hardware domains exist. Held for reading,
 *				together with the instance's lock: the mappings of
 *				the instance's domains. So a writer, who may come
 *				from another instance or from VFIO, sees them still.
 *				A stage 2 in iommufd is of one instance, whose lock
 *				is enough to block a group.
 *	vhost_iommu_registry	which instances and stage 2s exist
 *	VFIO's locks of devices in iommufd, and those of iommufd
 *	mmap_lock		taken to pin memory of a container, without s2.lock, and
 *				by accesses to guest memory; by iommufd
 *	watch_lock		a spinlock; which device is which endpoint, for faults
 *	vhost_iommu.fault_lock	a spinlock; faults on their way to the event queue
 */
#ifndef _VHOST_IOMMU_H
#define _VHOST_IOMMU_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/virtio_iommu.h>
#include <linux/xarray.h>
#include <uapi/linux/vhost_iommu.h>

#include "invalidation.h"
#include "memtable.h"
#include "vring.h"

struct dentry;
struct file;
struct mm_struct;
struct vhost_iommu_restore;
struct vhost_iommu_s2;
struct vhost_task;

#define VHOST_IOMMU_FAULTS_MAX	64U
#define VHOST_IOMMU_POLL_US_MAX	1000000U
/* How many notifications that a poll would have saved it takes to poll again at once. */
#define VHOST_IOMMU_KICK_STREAK	8U
/* How often the worker has to find requests without a long wait for it to be a run. */
#define VHOST_IOMMU_POLL_RUN	64U

enum vhost_iommu_queue {
	VHOST_IOMMU_VQ_REQUEST,
	VHOST_IOMMU_VQ_EVENT,
	VHOST_IOMMU_NR_VQS,
};

/* Reasons to wake the worker: bit numbers in vhost_iommu.work. */
enum vhost_iommu_work {
	VHOST_IOMMU_WORK_REQUEST,
	VHOST_IOMMU_WORK_FAULT,
	VHOST_IOMMU_WORK_VEVENT,
};

/**
 * struct vhost_iommu - an instance
 * @lock: see above; held by every ioctl, and by who handles requests for a batch
 * @list: entry in the registry; vhost_iommu_registry
 * @mm: the owner's address space, NULL before VHOST_SET_OWNER; @lock
 * @claims: VHOST_IOMMU_CLAIM_CONTAINERS was called; vhost_iommu_registry
 * @features: virtio features that the guest accepted; @lock
 * @config: device configuration; @lock
 * @mem: guest-physical to user addresses; @lock
 * @vqs: the queues; @lock
 * @running: the worker may touch the queues; @lock
 * @task: the worker, created by the first start; @lock
 * @work: reasons to wake the worker; atomic
 * @poll_us: how long the worker looks for a next request, in microseconds, and longer
 *	in a run; @lock
 * @poll_skip: notifications until it does so again; @lock
 * @poll_backoff: what @poll_skip was set to: doubled and more when the worker has
 *	looked in vain, halved whenever it has found a request; @lock
 * @poll_since: since when it has found nothing, by local_clock(), or 0; only the worker
 * @poll_run: how often in a row it has found requests within @poll_us, up to
 *	VHOST_IOMMU_POLL_RUN; only the worker
 * @kick_last: when who brought the last notification was done, by local_clock(); @lock
 * @kick_streak: notifications in a row that a poll would have saved; @lock
 * @file: the open file. @kick_work has a reference while it is queued
 * @kick_work: handles requests in a thread that notifies
 * @kick_queued: bit 0: @kick_work is queued; atomic
 * @s2: stage 2, NULL before the first assigned endpoint; @lock
 * @endpoints: by number; @lock
 * @domains: by number; @lock
 * @nr_endpoints: entries of @endpoints; @lock
 * @nr_domains: entries of @domains; @lock
 * @nr_mappings: mappings of all domains; @lock
 * @dirty: hardware domains with IOTLB entries to flush; @lock and s2.lock
 * @restore: a state that is being put back, or NULL; @lock
 * @invalidations: what the VMM has to forget; @lock
 * @stats: counters but for those that are derived when read; @lock
 * @kicks: atomic, counted where no mutex can be taken
 * @fault_lock: protects the five below
 * @faults: a ring of faults to be written to the event queue
 * @fault_head: next to write to the event queue
 * @fault_count: how many wait
 * @nr_faults_dropped: no room here or no buffer in the event queue
 * @debugfs: the instance's directory
 */
struct vhost_iommu {
	struct mutex			lock;	/* see above */
	struct list_head		list;
	struct mm_struct		*mm;
	bool				claims;

	u64				features;
	struct vhost_iommu_config	config;
	struct vhost_iommu_memtable	*mem;
	struct vhost_iommu_vring	vqs[VHOST_IOMMU_NR_VQS];
	bool				running;

	struct vhost_task		*task;
	unsigned long			work;
	unsigned int			poll_us;
	unsigned int			poll_skip;
	unsigned int			poll_backoff;
	u64				poll_since;
	unsigned int			poll_run;
	u64				kick_last;
	unsigned int			kick_streak;

	struct file			*file;
	struct callback_head		kick_work;
	unsigned long			kick_queued;

	struct vhost_iommu_s2		*s2;
	struct xarray			endpoints;
	struct xarray			domains;
	u64				nr_endpoints;
	u64				nr_domains;
	u64				nr_mappings;
	struct list_head		dirty;

	struct vhost_iommu_restore	*restore;
	struct vhost_iommu_invalidation_queue	invalidations;

	struct vhost_iommu_stats	stats;
	atomic64_t			kicks;

	spinlock_t			fault_lock;	/* the five below */
	struct virtio_iommu_fault	faults[VHOST_IOMMU_FAULTS_MAX];
	unsigned int			fault_head;
	unsigned int			fault_count;
	u64				nr_faults_dropped;

	struct dentry			*debugfs;
};

/* registry.c */
void vhost_iommu_register(struct vhost_iommu *vi);
void vhost_iommu_unregister(struct vhost_iommu *vi);
void vhost_iommu_claim(struct vhost_iommu *vi);
void vhost_iommu_unclaim(struct vhost_iommu *vi);
bool vhost_iommu_claimed(struct mm_struct *mm);
int vhost_iommu_register_s2(struct vhost_iommu_s2 *s2);
void vhost_iommu_unregister_s2(struct vhost_iommu_s2 *s2);
struct vhost_iommu_s2 *vhost_iommu_find_s2(unsigned long number);
struct vhost_iommu_s2 *vhost_iommu_hold_s2(unsigned long number);
void vhost_iommu_drop_s2(struct vhost_iommu_s2 *s2);
struct vhost_iommu_s2 *vhost_iommu_get_s2(struct mm_struct *mm);

/* worker.c */
int vhost_iommu_start(struct vhost_iommu *vi);
void vhost_iommu_stop(struct vhost_iommu *vi);
void vhost_iommu_stop_worker(struct vhost_iommu *vi);
unsigned int vhost_iommu_default_poll_us(void);
void vhost_iommu_wake(struct vhost_iommu *vi, enum vhost_iommu_work work);
void vhost_iommu_poll_worked(struct vhost_iommu *vi);
bool vhost_iommu_poll_over(struct vhost_iommu *vi);
bool vhost_iommu_poll_pays(struct vhost_iommu *vi);

/* kick.c */
void vhost_iommu_kick_init(struct vhost_iommu *vi, struct file *file);
void vhost_iommu_kick(struct vhost_iommu *vi);

/* request.c */
int vhost_iommu_handle_requests(struct vhost_iommu *vi);
bool vhost_iommu_complete_requests(struct vhost_iommu *vi);
void vhost_iommu_publish_requests(struct vhost_iommu *vi);

/* fault.c */
void vhost_iommu_report_fault(struct vhost_iommu *vi, u8 reason, u32 flags,
			      u32 endpoint, u64 address);
int vhost_iommu_check_fault(struct vhost_iommu *vi, u32 reason, u32 flags,
			    u32 endpoint);
bool vhost_iommu_peek_fault(struct vhost_iommu *vi, u32 index,
			    struct vhost_iommu_record *r);
void vhost_iommu_drop_fault(struct vhost_iommu *vi);
void vhost_iommu_deliver_faults(struct vhost_iommu *vi);

/* state.c */
int vhost_iommu_get_state(struct vhost_iommu *vi, struct vhost_iommu_state *arg);
int vhost_iommu_set_state(struct vhost_iommu *vi,
			  const struct vhost_iommu_state *arg);
void vhost_iommu_give_up_state(struct vhost_iommu *vi);

/* stats.c */
void vhost_iommu_read_stats(struct vhost_iommu *vi,
			    struct vhost_iommu_stats *stats);
void vhost_iommu_debugfs_add(struct vhost_iommu *vi);
void vhost_iommu_debugfs_remove(struct vhost_iommu *vi);
void vhost_iommu_debugfs_init(void);
void vhost_iommu_debugfs_exit(void);

#endif /* _VHOST_IOMMU_H */
