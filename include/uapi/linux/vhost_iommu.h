/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * A virtio-iommu device whose requests are served by the host kernel.
 *
 * A VMM opens /dev/vhost-iommu once per virtual IOMMU and sets it up; from then
 * on the guest's request queue (queue 0) and event queue (queue 1) belong to the
 * kernel. "The specification" below is virtio 1.4, section "IOMMU device".
 *
 * The order is:
 *
 *  1. VHOST_SET_OWNER, VHOST_GET_FEATURES;
 *  2. VHOST_IOMMU_SET_CONFIG, if the defaults do not fit;
 *  3. VHOST_IOMMU_CLAIM_CONTAINERS, before the first VFIO container of the
 *     process does VFIO_SET_IOMMU: that container is then ours, and what the VMM
 *     maps into it with VFIO_IOMMU_MAP_DMA is stage 2, guest-physical to host. Or
 *     VHOST_IOMMU_SET_IOMMUFD, and VHOST_IOMMU_ADD_MEMORY for what the VMM has
 *     mapped;
 *  4. VHOST_IOMMU_ADD_ENDPOINT for each device behind the IOMMU, at any time;
 *  5. VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE and the VHOST_SET_VRING_* ioctls
 *     when the guest's driver is ready, then VHOST_IOMMU_SET_RUNNING;
 *  6. VHOST_IOMMU_GET_INVALIDATIONS whenever poll() says so, if a device that the
 *     VMM emulates keeps what VHOST_IOMMU_TRANSLATE told it.
 *
 * Of the generic ioctls of <linux/vhost.h> these are known: GET_FEATURES,
 * SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR,
 * SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR,
 * SET_VRING_BUSYLOOP_TIMEOUT and GET_VRING_BUSYLOOP_TIMEOUT (queue 0; at most a
 * second), GET_BACKEND_FEATURES and SET_BACKEND_FEATURES.
 *
 * Structures begin with their size and grow at the end. A kernel that is older
 * than its caller refuses a tail that is not zero (E2BIG); one that is newer
 * takes what is missing as zero. Reserved fields and unknown flags have to be
 * zero (EOPNOTSUPP). Every ioctl but VHOST_SET_OWNER fails with EPERM before
 * VHOST_SET_OWNER and in a process other than the owner. Other errors that all
 * of them share: EFAULT (bad user address), ENOTTY (unknown ioctl), EINVAL (a
 * size smaller than the first version of the structure).
 */
#ifndef _UAPI_LINUX_VHOST_IOMMU_H
#define _UAPI_LINUX_VHOST_IOMMU_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vhost_types.h>

/* The ioctl type of <linux/vhost.h>; numbers 0xa0 to 0xbf are ours. */
#define VHOST_IOMMU_TYPE	0xaf

/*
 * Offer page tables of the guest's own: feature bit 7, ATTACH_TABLE. Experimental,
 * see Documentation/virtio/page-tables.rst.
 */
#define VHOST_IOMMU_CONFIG_PAGE_TABLES	(1 << 0)

/**
 * struct vhost_iommu_config - the device's configuration
 * @size: sizeof(struct vhost_iommu_config)
 * @flags: 0 or VHOST_IOMMU_CONFIG_PAGE_TABLES, which needs pages of 4 KiB, an
 *	input range that begins below 2^48, and PROBE
 * @page_size_mask: page sizes, a bit each; the lowest is the granule of MAP. No
 *	smaller than the host's page
 * @input_start: first I/O virtual address that can be mapped
 * @input_end: last I/O virtual address that can be mapped
 * @domain_start: first domain number
 * @domain_end: last domain number
 * @probe_size: bytes of properties in a PROBE request; 0 to 4096, a multiple of 8
 * @bypass: 1 if endpoints without a domain reach all guest-physical memory, 0 if
 *	they reach nothing
 * @reserved: must be 0
 *
 * The fields of struct virtio_iommu_config in host byte order. See the
 * specification, "Device configuration layout".
 */
struct vhost_iommu_config {
	__u32 size;
	__u32 flags;
	__aligned_u64 page_size_mask;
	__aligned_u64 input_start;
	__aligned_u64 input_end;
	__u32 domain_start;
	__u32 domain_end;
	__u32 probe_size;
	__u8 bypass;
	__u8 reserved[3];
};

/**
 * VHOST_IOMMU_GET_CONFIG - read the configuration
 *
 * Fills a struct vhost_iommu_config, of which only @size is read.
 */
#define VHOST_IOMMU_GET_CONFIG		_IO(VHOST_IOMMU_TYPE, 0xa0)

/**
 * VHOST_IOMMU_SET_CONFIG - change the configuration
 *
 * Takes a struct vhost_iommu_config. @bypass may change at any time and takes
 * effect on every endpoint without a domain before the ioctl returns.
 *
 * Errors: EBUSY if another field changes while there are endpoints; EINVAL for a
 * value out of its range; an error of the physical IOMMU if @bypass cannot be
 * applied, in which case everything is as before.
 */
#define VHOST_IOMMU_SET_CONFIG		_IO(VHOST_IOMMU_TYPE, 0xa1)

/**
 * VHOST_IOMMU_CLAIM_CONTAINERS - become the IOMMU driver of this process
 *
 * No argument. The next VFIO container of this process that asks for
 * VFIO_TYPE1_IOMMU or VFIO_TYPE1v2_IOMMU is served by this module, with the uAPI
 * of type1v2. There is one such container a process at a time; a further one
 * is left to vfio_iommu_type1. Instances of one process share it.
 */
#define VHOST_IOMMU_CLAIM_CONTAINERS	_IO(VHOST_IOMMU_TYPE, 0xa2)

/**
 * VHOST_IOMMU_SET_RUNNING - start or stop the queues
 *
 * Takes a pointer to an int: 1 starts, 0 stops. Stopping returns after the last
 * request was completed; domains and mappings stay. It does not wait for an
 * acknowledgment: invalidations that are left have to be handled before the guest
 * goes on. An event queue that has no addresses is left out: faults are dropped
 * and counted.
 *
 * Errors: EINVAL if VIRTIO_F_VERSION_1 was not accepted, a feature was that the
 * configuration, changed since, does not offer any more, or a queue has no ring,
 * size or kick; EBUSY if a VHOST_IOMMU_SET_STATE is not complete; EFAULT if a ring
 * is not accessible; ENOMEM.
 */
#define VHOST_IOMMU_SET_RUNNING		_IOW(VHOST_IOMMU_TYPE, 0xa3, int)

/**
 * VHOST_IOMMU_RESET - detach all endpoints and free all domains
 *
 * No argument. What the specification asks for when the device is reset: the
 * addresses of the queues are forgotten, too; @bypass of the configuration stays.
 * The queues have to be stopped (EBUSY).
 */
#define VHOST_IOMMU_RESET		_IO(VHOST_IOMMU_TYPE, 0xa4)

/**
 * struct vhost_iommu_region - a range of I/O virtual addresses that are reserved
 * @start: first address
 * @last: last address
 * @type: VIRTIO_IOMMU_RESV_MEM_T_RESERVED or VIRTIO_IOMMU_RESV_MEM_T_MSI
 * @reserved: must be 0
 */
struct vhost_iommu_region {
	__aligned_u64 start;
	__aligned_u64 last;
	__u32 type;
	__u32 reserved;
};

/* The endpoint is a VFIO device; without it, one that the VMM emulates. */
#define VHOST_IOMMU_ENDPOINT_VFIO	(1 << 0)
/* The VMM keeps translations for it: VHOST_IOMMU_GET_INVALIDATIONS. */
#define VHOST_IOMMU_ENDPOINT_NOTIFY	(1 << 1)
/* The endpoint is a VFIO device that is bound to an iommufd: VHOST_IOMMU_SET_IOMMUFD. */
#define VHOST_IOMMU_ENDPOINT_IOMMUFD	(1 << 2)

/**
 * struct vhost_iommu_endpoint - a device behind the IOMMU
 * @size: sizeof(struct vhost_iommu_endpoint)
 * @flags: 0, VHOST_IOMMU_ENDPOINT_VFIO, _NOTIFY or _IOMMUFD
 * @id: the endpoint's number, as VIOT or the device tree tells it to the guest
 * @group_fd: with _VFIO: the VFIO group of the device; -1 for an emulated one
 * @device_fd: with _IOMMUFD: the device's character device
 * @device: with _VFIO: user pointer to the device's name, as in
 *	VFIO_GROUP_GET_DEVICE_FD; else 0
 * @regions: user pointer to an array of struct vhost_iommu_region, in addition to
 *	those of the host; may be 0 if @nr_regions is
 * @nr_regions: entries of @regions; at most 64
 * @parent_id: with @dev_id: number of a page table on top of which the IOMMU can walk
 *	tables of the guest, made with IOMMU_HWPT_ALLOC_NEST_PARENT, that has guest memory
 *	by guest-physical address; it may be @pt_id. Or 0, then tables are shadowed
 * @pt_id: with _IOMMUFD: number of the page table (or IOAS) that the VMM has attached the
 *	device to; else 0
 * @dev_id: with _IOMMUFD: number of the device, out_devid of VFIO_DEVICE_BIND_IOMMUFD;
 *	or 0, then it is not used for what takes it: nesting and dirty tracking
 *
 * Regions of the host's group (reserved, direct, MSI) are added by the kernel.
 * Regions may overlap here: PROBE reports them sorted and without overlaps, a
 * reserved address before an MSI one.
 */
struct vhost_iommu_endpoint {
	__u32 size;
	__u32 flags;
	__u32 id;
	union {
		__s32 group_fd;
		__s32 device_fd;
	};
	__aligned_u64 device;
	__aligned_u64 regions;
	__u32 nr_regions;
	__u32 parent_id;
	__u32 pt_id;
	__u32 dev_id;
};

/**
 * VHOST_IOMMU_ADD_ENDPOINT - put a device behind the IOMMU
 *
 * Takes a struct vhost_iommu_endpoint. A VFIO device has to be open (its
 * VFIO_GROUP_GET_DEVICE_FD done) and its group in the container that was claimed.
 * The endpoint has no domain yet; what it reaches is decided by @bypass of the
 * configuration.
 *
 * A device with VHOST_IOMMU_ENDPOINT_IOMMUFD has to be bound to the iommufd of
 * VHOST_IOMMU_SET_IOMMUFD. In bypass it is attached to @pt_id, which maps the IOAS
 * named there; with a page table (IOMMU_HWPT_ALLOC) guest memory stays pinned while no
 * device is in bypass. From here to VHOST_IOMMU_REMOVE_ENDPOINT what it is attached
 * to is ours: VFIO_DEVICE_ATTACH_IOMMUFD_PT and _DETACH_ are not for the VMM, and the
 * file is kept open. Devices that share an IOMMU group are all endpoints, or none of
 * them is. If it fails the device may be left detached. If the IOMMU of the device cannot
 * walk tables on top of @parent_id they are shadowed.
 *
 * Errors: EEXIST if @id or the device has been added; ENOENT if the device is not
 * open in a claimed container of this process, or there was no
 * VHOST_IOMMU_SET_IOMMUFD; EBUSY if a device of the group is an endpoint of another
 * instance, and for a container after VHOST_IOMMU_SET_IOMMUFD; EBADF for @group_fd or
 * @device_fd; EINVAL for flags together, for @device_fd if it is not the character device of
 * a VFIO device that is bound, for another @pt_id or @parent_id than the rest of the group
 * has, for @dev_id of an endpoint that is none of iommufd, for @parent_id without @dev_id,
 * for a region that ends before it starts or has an unknown type; ENOSPC if the regions do
 * not fit into probe_size; ERANGE if the physical IOMMU cannot map the granule of the
 * configuration; E2BIG for too many regions; ENOMEM; or another error of iommufd.
 */
#define VHOST_IOMMU_ADD_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0xa5)

/**
 * struct vhost_iommu_endpoint_id - the number of an endpoint
 * @size: sizeof(struct vhost_iommu_endpoint_id)
 * @id: as in struct vhost_iommu_endpoint
 */
struct vhost_iommu_endpoint_id {
	__u32 size;
	__u32 id;
};

/**
 * VHOST_IOMMU_REMOVE_ENDPOINT - take a device from behind the IOMMU
 *
 * Takes a struct vhost_iommu_endpoint_id. The endpoint is detached. The group of
 * a VFIO device reaches no memory any more once its last endpoint is gone. A device in
 * iommufd is left detached, for the VMM to attach or to close.
 *
 * Errors: ENOENT if there is no such endpoint.
 */
#define VHOST_IOMMU_REMOVE_ENDPOINT	_IO(VHOST_IOMMU_TYPE, 0xa6)

/* Report a fault to the guest if the access is not allowed. */
#define VHOST_IOMMU_TRANSLATE_REPORT	(1 << 0)

/**
 * struct vhost_iommu_translate - one address of one endpoint
 * @size: sizeof(struct vhost_iommu_translate)
 * @flags: 0 or VHOST_IOMMU_TRANSLATE_REPORT
 * @endpoint: number of the endpoint
 * @access: what the endpoint wants to do, VIRTIO_IOMMU_MAP_F_READ and _WRITE
 * @iova: the address to translate
 * @gpa: out: the guest-physical address of @iova
 * @start: out: the answer holds from this I/O virtual address on, with consecutive
 *	guest-physical ones
 * @last: out: it holds up to this one; if nothing is mapped at @iova, nothing is up
 *	to here
 * @perm: out: what is allowed, VIRTIO_IOMMU_MAP_F_READ and _WRITE; 0 if nothing is
 * @reserved: must be 0
 */
struct vhost_iommu_translate {
	__u32 size;
	__u32 flags;
	__u32 endpoint;
	__u32 access;
	__aligned_u64 iova;
	__aligned_u64 gpa;
	__aligned_u64 start;
	__aligned_u64 last;
	__u32 perm;
	__u32 reserved;
};

/**
 * VHOST_IOMMU_TRANSLATE - translate an address for a device the VMM emulates
 *
 * Takes and fills a struct vhost_iommu_translate. An address that is not mapped is
 * no error of the ioctl: @perm is 0 then. A VMM that keeps the answer sets
 * VHOST_IOMMU_ENDPOINT_NOTIFY, and keeps only answers with a @perm: what a MAP adds
 * is not told.
 *
 * Errors: ENOENT if there is no such endpoint.
 */
#define VHOST_IOMMU_TRANSLATE		_IO(VHOST_IOMMU_TYPE, 0xa7)

/**
 * struct vhost_iommu_fault - a fault to report to the guest
 * @size: sizeof(struct vhost_iommu_fault)
 * @endpoint: number of the endpoint
 * @reason: VIRTIO_IOMMU_FAULT_R_*
 * @flags: VIRTIO_IOMMU_FAULT_F_*
 * @address: I/O virtual address, if VIRTIO_IOMMU_FAULT_F_ADDRESS is set
 */
struct vhost_iommu_fault {
	__u32 size;
	__u32 endpoint;
	__u32 reason;
	__u32 flags;
	__aligned_u64 address;
};

/**
 * VHOST_IOMMU_REPORT_FAULT - put a fault into the guest's event queue
 *
 * Takes a struct vhost_iommu_fault. A fault for which the guest has no buffer is
 * dropped and counted, without an error.
 *
 * Errors: ENOENT if there is no such endpoint; EINVAL for an unknown reason.
 */
#define VHOST_IOMMU_REPORT_FAULT	_IO(VHOST_IOMMU_TYPE, 0xa8)

/**
 * struct vhost_iommu_stats - counters since the device was opened
 * @size: sizeof(struct vhost_iommu_stats)
 * @reserved: 0
 * @attach: ATTACH requests
 * @detach: DETACH requests
 * @map: MAP requests
 * @unmap: UNMAP requests
 * @probe: PROBE requests
 * @failed: requests of all types that got a status other than OK
 * @malformed: buffers returned with a used length of 0: too short, or of an unknown
 *	type
 * @kicks: times the guest's notification came
 * @signals: interrupts raised
 * @faults: faults written to the event queue
 * @faults_dropped: faults for which there was no buffer
 * @endpoints: endpoints now
 * @domains: domains now
 * @mappings: mappings now. Each leaf counts of a page table that a VFIO endpoint uses
 * @invalidations: records queued for VHOST_IOMMU_GET_INVALIDATIONS
 * @attach_table: ATTACH_TABLE requests
 * @invalidate: INVALIDATE requests
 * @pinned: host pages that stage 2 has pinned now: those of the container, so the same
 *	for all instances that use it; 0 before the first VFIO endpoint, and with an
 *	iommufd, which has pinned them itself
 */
struct vhost_iommu_stats {
	__u32 size;
	__u32 reserved;
	__aligned_u64 attach;
	__aligned_u64 detach;
	__aligned_u64 map;
	__aligned_u64 unmap;
	__aligned_u64 probe;
	__aligned_u64 failed;
	__aligned_u64 malformed;
	__aligned_u64 kicks;
	__aligned_u64 signals;
	__aligned_u64 faults;
	__aligned_u64 faults_dropped;
	__aligned_u64 endpoints;
	__aligned_u64 domains;
	__aligned_u64 mappings;
	__aligned_u64 invalidations;
	__aligned_u64 attach_table;
	__aligned_u64 invalidate;
	__aligned_u64 pinned;
};

/**
 * VHOST_IOMMU_GET_STATS - read the counters
 *
 * Fills a struct vhost_iommu_stats, of which only @size is read.
 */
#define VHOST_IOMMU_GET_STATS		_IO(VHOST_IOMMU_TYPE, 0xa9)

/* Of every endpoint: there were more records than the kernel keeps. */
#define VHOST_IOMMU_INVALIDATION_ALL	(1 << 0)

/**
 * struct vhost_iommu_invalidation - translations that hold no longer
 * @endpoint: number of the endpoint; 0 with VHOST_IOMMU_INVALIDATION_ALL
 * @flags: 0 or VHOST_IOMMU_INVALIDATION_ALL
 * @start: first I/O virtual address
 * @last: last I/O virtual address
 * @sequence: what to acknowledge, 1 or more and ascending
 */
struct vhost_iommu_invalidation {
	__u32 endpoint;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 last;
	__aligned_u64 sequence;
};

/**
 * struct vhost_iommu_invalidations - acknowledge invalidations and take the next
 * @size: sizeof(struct vhost_iommu_invalidations)
 * @nr: in: room in @records; out: how many were written
 * @records: user pointer to an array of struct vhost_iommu_invalidation
 * @acked: every record up to this @sequence has been handled; 0 for none
 */
struct vhost_iommu_invalidations {
	__u32 size;
	__u32 nr;
	__aligned_u64 records;
	__aligned_u64 acked;
};

/**
 * VHOST_IOMMU_GET_INVALIDATIONS - what the VMM has to forget
 *
 * Takes and fills a struct vhost_iommu_invalidations; never waits. Each record is
 * handed out once, in order of @sequence, and poll() reports POLLIN while there is
 * one. To handle it is to drop the translations of the range that were kept for
 * the endpoint and to have ended what was begun with them.
 *
 * Records tell of endpoints with VHOST_IOMMU_ENDPOINT_NOTIFY: what an UNMAP took
 * away; and all addresses, when the endpoint was attached, detached, removed, or
 * has no domain and @bypass of the configuration changed. Requests of the guest
 * are completed once every record was acknowledged. The ioctls do not wait for
 * that: a VMM handles the records after VHOST_IOMMU_RESET, _SET_CONFIG,
 * _REMOVE_ENDPOINT and _SET_RUNNING before it tells the guest that they are done.
 *
 * One thread at a time should take and acknowledge. A VMM that does not keeps its
 * guest waiting, and nobody else: all other ioctls work meanwhile.
 *
 * Errors: EINVAL if @acked was not handed out yet.
 */
#define VHOST_IOMMU_GET_INVALIDATIONS	_IO(VHOST_IOMMU_TYPE, 0xaa)

/**
 * VHOST_IOMMU_RELEASE_CONTAINERS - take back VHOST_IOMMU_CLAIM_CONTAINERS
 *
 * No argument. A container that is served stays so; the next one is left to
 * vfio_iommu_type1, unless another instance of the process claims it.
 */
#define VHOST_IOMMU_RELEASE_CONTAINERS	_IO(VHOST_IOMMU_TYPE, 0xab)

/* What a piece of the state is about: vhost_iommu_record.type. */
#define VHOST_IOMMU_RECORD_HEADER	1
#define VHOST_IOMMU_RECORD_ENDPOINT	2
#define VHOST_IOMMU_RECORD_MAPPING	3
#define VHOST_IOMMU_RECORD_FAULT	4
#define VHOST_IOMMU_RECORD_END		5

#define VHOST_IOMMU_STATE_VERSION	1

/**
 * struct vhost_iommu_record - a piece of the state
 * @type: VHOST_IOMMU_RECORD_*
 * @reserved: 0
 * @header: the first record
 * @header.version: VHOST_IOMMU_STATE_VERSION
 * @header.bypass: @bypass of the configuration
 * @endpoint: an endpoint that has a domain
 * @endpoint.id: its number
 * @endpoint.domain: the number of the domain
 * @endpoint.flags: VIRTIO_IOMMU_ATTACH_F_*
 * @endpoint.format: 0, or what kind of table the domain has: VIRTIO_IOMMU_FORMAT_*
 * @endpoint.table: guest-physical address of that table
 * @endpoint.entry: of a PASID table, entry 0 as it is in use; 0 if it is not valid
 * @mapping: a mapping of a domain
 * @mapping.domain: the number of the domain
 * @mapping.flags: VIRTIO_IOMMU_MAP_F_*
 * @mapping.start: first I/O virtual address
 * @mapping.last: last I/O virtual address
 * @mapping.gpa: guest-physical address of @mapping.start
 * @fault: a fault that was not written to the event queue yet
 * @fault.endpoint: number of the endpoint
 * @fault.reason: VIRTIO_IOMMU_FAULT_R_*
 * @fault.flags: VIRTIO_IOMMU_FAULT_F_*
 * @fault.index: 0 for the oldest, 1 for the next
 * @fault.address: I/O virtual address
 * @data: all of it; what is behind the fields of a type is 0
 */
struct vhost_iommu_record {
	__u32 type;
	__u32 reserved;
	union {
		struct {
			__u32 version;
			__u32 bypass;
		} header;
		struct {
			__u32 id;
			__u32 domain;
			__u32 flags;
			__u32 format;
			__aligned_u64 table;
			__aligned_u64 entry;
		} endpoint;
		struct {
			__u32 domain;
			__u32 flags;
			__aligned_u64 start;
			__aligned_u64 last;
			__aligned_u64 gpa;
		} mapping;
		struct {
			__u32 endpoint;
			__u32 reason;
			__u32 flags;
			__u32 index;
			__aligned_u64 address;
		} fault;
		__u8 data[32];
	};
};

/**
 * struct vhost_iommu_state - a part of the state
 * @size: sizeof(struct vhost_iommu_state)
 * @nr: records in @records; GET_STATE: in: room for, out: how many were written, 0
 *	after the last one
 * @records: user pointer to an array of struct vhost_iommu_record
 * @after: GET_STATE: in: all 0 for the beginning, out: the last record written, from
 *	where the next call goes on; SET_STATE: all 0
 */
struct vhost_iommu_state {
	__u32 size;
	__u32 nr;
	__aligned_u64 records;
	struct vhost_iommu_record after;
};

/**
 * VHOST_IOMMU_GET_STATE - read the state, to save it or to move it elsewhere
 *
 * Takes and fills a struct vhost_iommu_state. Called again and again it hands out a
 * HEADER, the endpoints, the mappings, the faults and an END. Nothing changes.
 *
 * The positions in the rings are those of VHOST_GET_VRING_BASE; the used index, and
 * what page tables of the guest's own map, are in guest memory. Features and
 * configuration are the VMM's to keep.
 *
 * Errors: EBUSY if the queues run or a SET_STATE is not complete; EINVAL if @after
 * has an unknown type.
 */
#define VHOST_IOMMU_GET_STATE		_IO(VHOST_IOMMU_TYPE, 0xac)

/**
 * VHOST_IOMMU_SET_STATE - put back what GET_STATE has read
 *
 * Takes a struct vhost_iommu_state: records in the order in which they were read,
 * in as many calls as one likes. Features, configuration and endpoints have to be
 * there before, and guest memory with its contents (VHOST_SET_MEM_TABLE) if a VFIO
 * endpoint has a table, which is read anew; memory of stage 2 may come later. Each
 * record is checked as a request of the guest is, except that a table need not be
 * memory any more. With END the state is in effect; before that the queues
 * cannot be started, and VHOST_IOMMU_RESET gives it up. If a call fails, all of
 * the state is given up and everything is as before the HEADER.
 *
 * Errors: EBUSY if the queues run, or for a HEADER if there are domains; EINVAL for
 * a record that is out of order or that no device could have; ENOENT for an unknown
 * endpoint; EOPNOTSUPP for an unknown version, type or format, or if something is
 * not 0 that has to be; ENOMEM, also for too many mappings; EIO or another error of the
 * physical IOMMU.
 */
#define VHOST_IOMMU_SET_STATE		_IO(VHOST_IOMMU_TYPE, 0xad)

/**
 * struct vhost_iommu_notify - whether the VMM keeps translations of an endpoint
 * @size: sizeof(struct vhost_iommu_notify)
 * @id: as in struct vhost_iommu_endpoint
 * @notify: 1 if it does, 0 if it does not
 * @reserved: must be 0
 */
struct vhost_iommu_notify {
	__u32 size;
	__u32 id;
	__u32 notify;
	__u32 reserved;
};

/**
 * VHOST_IOMMU_SET_NOTIFY - begin or end to keep translations of an endpoint
 *
 * Takes a struct vhost_iommu_notify: VHOST_IOMMU_ENDPOINT_NOTIFY, changed for an
 * endpoint that was added. Answers of VHOST_IOMMU_TRANSLATE can be kept if they were
 * asked for after @notify became 1. Records that are queued when it becomes 0 have
 * to be acknowledged as before.
 *
 * Errors: ENOENT if there is no such endpoint; EINVAL for a VFIO device, or if
 * @notify is neither 0 nor 1.
 */
#define VHOST_IOMMU_SET_NOTIFY		_IO(VHOST_IOMMU_TYPE, 0xae)

/**
 * struct vhost_iommu_iommufd - where guest memory is
 * @size: sizeof(struct vhost_iommu_iommufd)
 * @flags: must be 0
 * @iommufd: an open /dev/iommu
 * @ioas: number of an IOAS there
 */
struct vhost_iommu_iommufd {
	__u32 size;
	__u32 flags;
	__s32 iommufd;
	__u32 ioas;
};

/**
 * VHOST_IOMMU_SET_IOMMUFD - use iommufd instead of a VFIO container
 *
 * Takes a struct vhost_iommu_iommufd, before the first endpoint that is a VFIO device.
 * The VMM maps guest memory into the IOAS by guest-physical address and tells us with
 * VHOST_IOMMU_ADD_MEMORY. We make further objects in the iommufd, for each domain of the
 * guest an IOAS or a page table, which are not the VMM's to touch. The file is kept
 * open. A page of the VMM's address space is used for arguments, until this device is
 * closed.
 *
 * Instances that share an iommufd are told of the memory each. While no VFIO device is
 * an endpoint, another IOAS can be named, of which no memory is known at first.
 *
 * A security module is asked here whether the caller may have IOMMU_IOAS_COPY and
 * IOMMU_IOAS_UNMAP (and for IOMMU_HWPT_INVALIDATE when an endpoint is added whose tables
 * the hardware could walk), and not for each request of the guest.
 *
 * Errors: EBADF for @iommufd; EINVAL if it is none; ENOENT if there is no such IOAS; EBUSY
 * if an endpoint uses the last one, or there was a device in a container before; EACCES or
 * EPERM of a security module; ENOMEM; EOPNOTSUPP without iommufd or character devices of
 * VFIO in the kernel.
 */
#define VHOST_IOMMU_SET_IOMMUFD		_IO(VHOST_IOMMU_TYPE, 0xaf)

/* What devices can do with memory. */
#define VHOST_IOMMU_MEMORY_READ		(1 << 0)
#define VHOST_IOMMU_MEMORY_WRITE	(1 << 1)

/**
 * struct vhost_iommu_memory - a range of guest memory
 * @size: sizeof(struct vhost_iommu_memory)
 * @flags: ADD: VHOST_IOMMU_MEMORY_READ, _WRITE or both; REMOVE: 0
 * @start: first guest-physical address, a multiple of the host's page
 * @last: last guest-physical address, the end of a page
 */
struct vhost_iommu_memory {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * VHOST_IOMMU_ADD_MEMORY - memory has been mapped into the IOAS of SET_IOMMUFD
 *
 * Takes a struct vhost_iommu_memory. The range may be one IOMMU_IOAS_MAP, a part of one,
 * or several that are consecutive; it is removed as a whole. What a guest maps there, or
 * has mapped, is copied from the IOAS.
 *
 * Errors: ENOENT if there was no VHOST_IOMMU_SET_IOMMUFD, or the IOAS has no memory where
 * a guest has mapped it; EEXIST if a part of it was added; EINVAL if it is not aligned,
 * ends before it starts, or has no flag; ENOSPC for more than 65535 ranges; ENOMEM; or
 * another error of IOMMU_IOAS_COPY.
 */
#define VHOST_IOMMU_ADD_MEMORY		_IO(VHOST_IOMMU_TYPE, 0xb0)

/**
 * VHOST_IOMMU_REMOVE_MEMORY - memory is about to be unmapped from the IOAS
 *
 * Takes a struct vhost_iommu_memory. All ranges in it are taken from the domains of
 * guests. Until the VMM unmaps them, devices reach them in bypass afterwards, and by tables
 * of the guest's that the hardware walks, but not otherwise. A VMM that unmaps memory from
 * the IOAS before that, or without, leaves it to the devices: copies of an IOAS hold the
 * pages.
 *
 * Errors: ENOENT if there was no VHOST_IOMMU_SET_IOMMUFD, or there is nothing in the
 * range; EINVAL if it is not aligned, ends before it starts, or would cut a range.
 */
#define VHOST_IOMMU_REMOVE_MEMORY	_IO(VHOST_IOMMU_TYPE, 0xb1)

/* Keep track of what devices write to. */
#define VHOST_IOMMU_DIRTY_TRACKING_ENABLE	(1 << 0)

/**
 * struct vhost_iommu_dirty_tracking - whether to keep track of what devices write to
 * @size: sizeof(struct vhost_iommu_dirty_tracking)
 * @flags: 0 or VHOST_IOMMU_DIRTY_TRACKING_ENABLE
 */
struct vhost_iommu_dirty_tracking {
	__u32 size;
	__u32 flags;
};

/**
 * VHOST_IOMMU_SET_DIRTY_TRACKING - begin or end to keep track of what devices write to
 *
 * Takes a struct vhost_iommu_dirty_tracking. It is about the guest's domains, which are
 * copies of memory in page tables of ours. What goes through the VMM's own page tables,
 * @pt_id in bypass and @parent_id by tables of the guest's that the hardware walks, is the
 * VMM's to ask iommufd for: IOMMU_HWPT_SET_DIRTY_TRACKING. Takes a bit for each page of the
 * memory that was added. To ask for what is the case already changes nothing; what was not read is
 * forgotten at the end.
 *
 * Errors: ENOENT if there was no VHOST_IOMMU_SET_IOMMUFD; EOPNOTSUPP without iommufd;
 * ENOMEM; or an error of iommufd. It is off if it cannot begin.
 */
#define VHOST_IOMMU_SET_DIRTY_TRACKING	_IO(VHOST_IOMMU_TYPE, 0xb2)

/**
 * struct vhost_iommu_dirty_bitmap - which memory devices have written to
 * @size: sizeof(struct vhost_iommu_dirty_bitmap)
 * @flags: must be 0
 * @start: first guest-physical address, a multiple of @page_size
 * @last: last guest-physical address, the end of such a page
 * @page_size: bytes for each bit: a power of two, no less than the host's page
 * @bitmap: user pointer to an array of u64, bit n % 64 of entry n / 64 being the page at
 *	@start + n * @page_size. Bits are set, none is cleared
 * @coarse: out: 1 if some hardware cannot tell: what was mapped for writing is in the
 *	answer then, whether it was written to or not
 * @reserved: must be 0
 */
struct vhost_iommu_dirty_bitmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 last;
	__aligned_u64 page_size;
	__aligned_u64 bitmap;
	__u32 coarse;
	__u32 reserved;
};

/**
 * VHOST_IOMMU_GET_DIRTY_BITMAP - read which memory devices have written to
 *
 * Takes and fills a struct vhost_iommu_dirty_bitmap. What is reported is forgotten. Memory
 * that was mapped for writing and is not any more is reported as written. A VMM that
 * removes memory reads this before.
 *
 * Errors: ENOENT if it is not kept track of (VHOST_IOMMU_SET_DIRTY_TRACKING); EINVAL for
 * @page_size, @start or @last; EFAULT for @bitmap: what was not written there is not
 * forgotten; EINTR; ENOMEM.
 */
#define VHOST_IOMMU_GET_DIRTY_BITMAP	_IO(VHOST_IOMMU_TYPE, 0xb3)

#endif /* _UAPI_LINUX_VHOST_IOMMU_H */
