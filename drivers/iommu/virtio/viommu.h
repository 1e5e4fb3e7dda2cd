/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects of the virtio-iommu driver and how they are locked.
 *
 * An instance (struct viommu_dev) is one virtio-iommu device. It has endpoints,
 * the devices behind it, and domains, their address spaces. The device knows an
 * endpoint by its ids, and it is the ids that are in domains: an endpoint may have
 * several, and devices behind a PCI bridge share one. An id is always in one
 * domain, once its endpoint was attached for the first time.
 *
 * Lock order, outermost first:
 *
 *	iommu group mutex (the core's)
 *	  viommu_dev.attach_lock	which endpoint is in which domain
 *	    viommu_queue.lock		requests in flight, mappings
 *	    xa_lock of viommu_dev.ids	keeps those that a fault names
 *
 * viommu_queue.lock is never held while waiting for the device.
 */
#ifndef _VIOMMU_H
#define _VIOMMU_H

#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "mapping.h"
#include "request.h"

/**
 * struct viommu_domain - an address space
 * @domain: what the core sees; unused in viommu_dev.blocking
 * @viommu: the instance, NULL until the domain is bound to one. Holds a reference
 * @id: the domain's number on the device
 * @bypass: no translation; has no mappings
 * @table: our own page table, or NULL; then the device has @mappings, unless there is
 *	@arm
 * @arm: our own page table in Arm's format, or NULL
 * @table_negative: an endpoint that may cache what @table has not was ever here;
 *	written under attach_lock
 * @table_used: the device was asked to use @table or @arm, and may still; written under
 *	viommu_queue.lock
 * @pasid_users: entries of PASID tables that lead to @table, as viommu_pasid_user()
 *	has them; changes under attach_lock
 * @pasids: the PASID table that this domain is for, or NULL
 * @stuck: the device did not let go of an endpoint: nobody else gets the number. Under
 *	attach_lock, until the domain is freed
 * @requests: the MAP and UNMAP requests in flight
 * @mappings: under viommu_queue.lock
 * @map_failed: the device has refused a MAP at some time; written under
 *	viommu_queue.lock
 * @nr_endpoints: how many ids the device has in it. Written under attach_lock and
 *	viommu_queue.lock, read under either. The device has the mappings only
 *	while this is not zero
 * @nr_leaving: how many of those it was asked to move elsewhere, and may have; under
 *	viommu_queue.lock
 */
struct viommu_domain {
	struct iommu_domain domain;
	struct viommu_dev *viommu;
	u32 id;
	bool bypass;
	struct viommu_table *table;
	struct viommu_arm_table *arm;
	bool table_negative;
	bool table_used;
	struct xarray pasid_users;
	struct viommu_pasids *pasids;
	bool stuck;
	struct viommu_stream requests;
	struct viommu_mappings mappings;
	bool map_failed;
	unsigned int nr_endpoints;
	unsigned int nr_leaving;
};

#define to_viommu_domain(d)	container_of(d, struct viommu_domain, domain)

/**
 * struct viommu_limits - what the device says that it can, for as long as it is in use
 * @geometry: of every domain
 * @page_sizes: of every domain
 * @first_domain: the lowest domain number
 * @last_domain: the highest
 * @probe_size: bytes of properties that PROBE returns, or 0
 */
struct viommu_limits {
	struct iommu_domain_geometry geometry;
	unsigned long page_sizes;
	u32 first_domain;
	u32 last_domain;
	u32 probe_size;
};

/**
 * struct viommu_dev - an instance
 * @ref: one for the driver, one for each domain: a domain may outlive the device
 * @vdev: the virtio device
 * @dev: for messages
 * @node: in the list of instances
 * @iommu: what the core sees
 * @queue: requests
 * @event_vq: faults
 * @events: one buffer for each entry of @event_vq, or NULL
 * @event_work: handles them; disabled while there are none
 * @limits: its configuration
 * @domain_ids: domain numbers in use, less the lowest
 * @map_flags: flags that MAP knows on this device
 * @bypass_config: the device has bypass domains
 * @bypass: it lets endpoints through that are in no domain; under @attach_lock
 * @frozen: it is reset, or about to be: endpoints are moved when it is back.
 *	Written under @attach_lock
 * @config_work: reads the configuration again when it has changed
 * @probe_buffer: what PROBE returns, and its tail; under @probe_lock
 * @probe_lock: one PROBE at a time
 * @attach_lock: see the top of this file
 * @blocking: the domain without a mapping. Its number is taken at first use
 * @ids: number -> struct viommu_id; changes under @attach_lock
 * @endpoints: struct viommu_endpoint; under @attach_lock
 */
struct viommu_dev {
	struct kref ref;
	struct virtio_device *vdev;
	struct device *dev;
	struct list_head node;
	struct iommu_device iommu;

	struct viommu_queue queue;
	struct virtqueue *event_vq;
	struct virtio_iommu_fault *events;
	struct work_struct event_work;

	struct viommu_limits limits;
	struct ida domain_ids;
	u32 map_flags;
	bool bypass_config;
	bool bypass;
	bool frozen;
	struct work_struct config_work;

	void *probe_buffer;
	struct mutex probe_lock;	/* see above */

	struct mutex attach_lock;	/* see above */
	struct viommu_domain blocking;

	struct xarray ids;
	struct list_head endpoints;
};

/**
 * struct viommu_id - what the device knows an endpoint by
 * @nr: the number
 * @users: how many endpoints have it; under attach_lock
 * @dev: one that has it, for faults, or NULL if that one is gone. Written under
 *	attach_lock and the xa_lock of viommu_dev.ids, read under either
 * @domain: where it is, NULL for nowhere. Locks as for @dev
 * @leaving: counted in @domain's nr_leaving; under attach_lock
 * @blocked: it is nowhere in order to reach nothing; under attach_lock
 * @err: what has come of moving it; under viommu_queue.lock while a request is
 *	in flight
 */
struct viommu_id {
	u32 nr;
	unsigned int users;
	struct device *dev;
	struct viommu_domain *domain;
	bool leaving;
	bool blocked;
	int err;
};

/**
 * struct viommu_table_caps - what an endpoint can do with a table
 * @format: it knows our format
 * @negative: it may cache that an entry is not present
 * @sizes: of leaves, a bit each
 * @start: the first address
 * @last: the last
 * @output_bits: of a physical address
 * @pasid_format: it knows our format of PASID tables
 * @pasid_bits: of a PASID
 * @arm_format: it knows tables of Arm's format
 * @arm_cd_format: it knows Arm's context descriptors
 * @asid_bits: of an ASID in those
 */
struct viommu_table_caps {
	bool format;
	bool negative;
	u64 sizes;
	u64 start;
	u64 last;
	unsigned int output_bits;
	bool pasid_format;
	unsigned int pasid_bits;
	bool arm_format;
	bool arm_cd_format;
	unsigned int asid_bits;
};

#define VIOMMU_ALL_TABLE_CAPS						\
	((struct viommu_table_caps){ .format = true, .sizes = U64_MAX,	\
				     .last = U64_MAX, .output_bits = 64,	\
				     .pasid_format = true, .pasid_bits = 20,	\
				     .arm_format = true, .arm_cd_format = true,	\
				     .asid_bits = 16 })

/**
 * struct viommu_endpoint - a device behind the IOMMU
 * @dev: the device
 * @viommu: the instance, with a reference
 * @node: in viommu_dev.endpoints
 * @regions: its reserved regions, by address
 * @table_caps: of all its ids
 * @pasids: its PASID table, or NULL; under attach_lock
 * @nr_ids: how many @ids
 * @ids: those of its fwspec
 */
struct viommu_endpoint {
	struct device *dev;
	struct viommu_dev *viommu;
	struct list_head node;
	struct list_head regions;
	struct viommu_table_caps table_caps;
	struct viommu_pasids *pasids;
	unsigned int nr_ids;
	struct viommu_id *ids[] __counted_by(nr_ids);
};

/* Whether two endpoints are always in the same domain */
static inline bool viommu_same_group(const struct viommu_endpoint *ep,
				     const struct viommu_endpoint *other)
{
	return ep == other || (ep->dev->iommu_group &&
			       ep->dev->iommu_group == other->dev->iommu_group);
}

/* main.c */
struct viommu_dev *viommu_find(const struct fwnode_handle *fwnode);
struct viommu_dev *viommu_get(struct viommu_dev *viommu);
void viommu_put(struct viommu_dev *viommu);
int viommu_init_queues(struct viommu_dev *viommu);
void viommu_destroy_queues(struct viommu_dev *viommu);

/* config.c */
int viommu_read_config(struct viommu_dev *viommu);
int viommu_check_config(struct viommu_dev *viommu);
void viommu_read_bypass(struct viommu_dev *viommu);
void viommu_end_bypass(struct viommu_dev *viommu);
void viommu_config_changed(struct virtio_device *vdev);
void viommu_config_init(struct viommu_dev *viommu);

/* power.c */
int viommu_freeze(struct virtio_device *vdev);
int viommu_restore(struct virtio_device *vdev);

/* attach.c */
int viommu_move_ids(struct viommu_dev *viommu, struct viommu_id **ids,
		    unsigned int nr, struct viommu_domain *to);
int viommu_move_endpoint(struct viommu_endpoint *ep, struct viommu_domain *to);
int viommu_block_endpoint(struct viommu_endpoint *ep);
void viommu_release_endpoint(struct viommu_endpoint *ep);
void viommu_block_strays(struct viommu_dev *viommu);
void viommu_withdraw_ids(struct viommu_dev *viommu);
void viommu_return_ids(struct viommu_dev *viommu);
void viommu_forget_domain(struct viommu_domain *vdomain);

/* id.c */
int viommu_get_ids(struct viommu_endpoint *ep, const struct iommu_fwspec *fwspec);
void viommu_put_ids(struct viommu_endpoint *ep);

/* domain.c */
extern const struct iommu_domain_ops viommu_paging_ops;
void viommu_domain_init(struct viommu_domain *vdomain);
int viommu_domain_bind(struct viommu_domain *vdomain, struct viommu_dev *viommu);
void viommu_domain_unbind(struct viommu_domain *vdomain);
int viommu_domain_enter(struct viommu_domain *vdomain);
void viommu_domain_leave(struct viommu_domain *vdomain);
struct iommu_domain *viommu_domain_alloc_paging(struct device *dev);
bool viommu_in_aperture(const struct iommu_domain *domain, unsigned long iova,
			size_t size);

/* table_domain.c */
extern bool viommu_tables;
struct viommu_table_caps viommu_group_table_caps(struct viommu_endpoint *ep);
bool viommu_tables_wanted(struct viommu_dev *viommu,
			  const struct viommu_table_caps *caps);
struct iommu_domain *
viommu_domain_alloc_table(struct viommu_dev *viommu,
			  const struct viommu_table_caps *caps);
int viommu_attach_table(struct iommu_domain *domain, struct device *dev);
int viommu_invalidate(struct viommu_queue *queue,
		      const struct viommu_invalidation *inv);
void viommu_parse_table_caps(u16 type, const void *property, size_t size,
			     struct viommu_table_caps *caps);
void viommu_merge_table_caps(struct viommu_table_caps *caps,
			     const struct viommu_table_caps *other);

/* fixed.c */
extern struct iommu_domain viommu_blocked_domain;
struct iommu_domain *viommu_domain_alloc_identity(struct device *dev);

/* endpoint.c */
struct iommu_device *viommu_probe_device(struct device *dev);
void viommu_release_device(struct device *dev);
struct iommu_group *viommu_device_group(struct device *dev);
void viommu_get_resv_regions(struct device *dev, struct list_head *head);
int viommu_of_xlate(struct device *dev, const struct of_phandle_args *args);

/* property.c */
void viommu_add_region(struct list_head *regions,
		       struct iommu_resv_region *region);
int viommu_parse_properties(struct device *dev, const void *properties,
			    size_t size, struct list_head *regions,
			    struct viommu_table_caps *caps);

/* event.c */
void viommu_event_ready(struct virtqueue *vq);
void viommu_events_prepare(struct viommu_dev *viommu);
int viommu_events_start(struct viommu_dev *viommu);
void viommu_events_stop(struct viommu_dev *viommu);

#endif /* _VIOMMU_H */
