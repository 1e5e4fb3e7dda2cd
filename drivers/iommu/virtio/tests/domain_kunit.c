// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <trace/events/kmem.h>

#include "fake_device.h"

#define FIRST_DOMAIN	0x90000000U
#define IOVA		0x10000UL
#define PHYS		0x800000UL
#define RW		(IOMMU_READ | IOMMU_WRITE)

struct domain_test {
	struct fake_device *fake;
	struct viommu_domain vdomain;
};

static void domain_unbind(void *data)
{
	struct domain_test *t = data;

	while (t->vdomain.nr_endpoints) {
		mutex_lock(&t->fake->viommu->attach_lock);
		viommu_domain_leave(&t->vdomain);
		mutex_unlock(&t->fake->viommu->attach_lock);
	}
	viommu_domain_unbind(&t->vdomain);
}

static int domain_init(struct kunit *test)
{
	struct domain_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 8);
	t->fake->viommu->limits.first_domain = FIRST_DOMAIN;
	viommu_domain_init(&t->vdomain);
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->vdomain,
						    t->fake->viommu));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, domain_unbind,
							   t));
	return 0;
}

static int enter(struct domain_test *t)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_domain_enter(&t->vdomain);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

static void leave(struct domain_test *t)
{
	mutex_lock(&t->fake->viommu->attach_lock);
	viommu_domain_leave(&t->vdomain);
	mutex_unlock(&t->fake->viommu->attach_lock);
}

static int map_pages(struct domain_test *t, unsigned long iova, size_t pages,
		     int prot)
{
	size_t mapped = 0;

	return viommu_paging_ops.map_pages(&t->vdomain.domain, iova, PHYS + iova,
					   PAGE_SIZE, pages, prot, GFP_KERNEL,
					   &mapped);
}

static int sync_map(struct domain_test *t, unsigned long iova, size_t pages)
{
	return viommu_paging_ops.iotlb_sync_map(&t->vdomain.domain, iova,
						pages * PAGE_SIZE);
}

static int map(struct domain_test *t, unsigned long iova, size_t pages)
{
	return map_pages(t, iova, pages, RW) ?: sync_map(t, iova, pages);
}

static size_t unmap_pages(struct domain_test *t, unsigned long iova,
			  size_t pages)
{
	return viommu_paging_ops.unmap_pages(&t->vdomain.domain, iova, PAGE_SIZE,
					     pages, NULL) / PAGE_SIZE;
}

static size_t unmap(struct domain_test *t, unsigned long iova, size_t pages)
{
	size_t unmapped = unmap_pages(t, iova, pages);

	viommu_paging_ops.iotlb_sync(&t->vdomain.domain, NULL);
	return unmapped;
}

static phys_addr_t to_phys(struct domain_test *t, unsigned long iova)
{
	return viommu_paging_ops.iova_to_phys(&t->vdomain.domain, iova);
}

static void expect_request(struct kunit *test, int nr, u8 type,
			   unsigned long start, size_t pages)
{
	struct domain_test *t = test->priv;
	struct fake_request *log = &t->fake->log[nr];

	KUNIT_EXPECT_EQ(test, log->type, type);
	KUNIT_EXPECT_EQ(test, log->domain, FIRST_DOMAIN);
	KUNIT_EXPECT_EQ(test, log->start, start);
	KUNIT_EXPECT_EQ(test, log->last, start + pages * PAGE_SIZE - 1);
}

static void domain_map_unmap(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA, 4, RW));
	KUNIT_EXPECT_EQ(test, 0, t->fake->notified);
	KUNIT_EXPECT_EQ(test, 0, sync_map(t, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 1, t->fake->notified);
	expect_request(test, 0, VIRTIO_IOMMU_T_MAP, IOVA, 4);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].phys, PHYS + IOVA);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].flags, 3);
	KUNIT_EXPECT_EQ(test, to_phys(t, IOVA + 0x1234), PHYS + IOVA + 0x1234);

	KUNIT_EXPECT_EQ(test, 4, unmap_pages(t, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 1, t->fake->notified);
	KUNIT_EXPECT_EQ(test, to_phys(t, IOVA), 0);
	viommu_paging_ops.iotlb_sync(&t->vdomain.domain, NULL);
	KUNIT_EXPECT_EQ(test, 2, t->fake->notified);
	expect_request(test, 1, VIRTIO_IOMMU_T_UNMAP, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 0, unmap(t, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
}

/* The status of a MAP reaches the caller, and the mapping leaves no trace. */
static void domain_map_fails(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, 1));
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA + PAGE_SIZE, 2, RW));
	KUNIT_EXPECT_EQ(test, -ENOMEM, sync_map(t, IOVA + PAGE_SIZE, 2));
	KUNIT_EXPECT_EQ(test, 0, to_phys(t, IOVA + PAGE_SIZE));
	/* It is nothing to those who wait for other mappings. */
	KUNIT_EXPECT_EQ(test, 0, sync_map(t, IOVA, 1));

	/* The core takes back all it asked for. */
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 2, unmap(t, IOVA + PAGE_SIZE, 2));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);

	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_OK;
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + PAGE_SIZE, 2));
}

/* A mapping is forgotten only when its UNMAP has worked. */
static void domain_unmap_fails(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, 2));
	t->fake->status[VIRTIO_IOMMU_T_UNMAP] = VIRTIO_IOMMU_S_IOERR;
	KUNIT_EXPECT_EQ(test, 2, unmap(t, IOVA, 2));
	KUNIT_EXPECT_EQ(test, to_phys(t, IOVA), PHYS + IOVA);
	KUNIT_EXPECT_EQ(test, -EEXIST, map(t, IOVA, 1));

	t->fake->status[VIRTIO_IOMMU_T_UNMAP] = VIRTIO_IOMMU_S_OK;
	KUNIT_EXPECT_EQ(test, 2, unmap(t, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, to_phys(t, IOVA));
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
}

/* The last endpoint is on its way out, and the device has forgotten the domain. */
static void domain_unmap_leaving(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, 2));
	t->fake->status[VIRTIO_IOMMU_T_UNMAP] = VIRTIO_IOMMU_S_NOENT;
	KUNIT_EXPECT_EQ(test, 2, unmap(t, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, to_phys(t, IOVA));
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
}

static void domain_unmap_partial(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, 4));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, unmap(t, IOVA + PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 4, unmap(t, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_UNMAP, IOVA, 4);
}

/* One request for mappings that follow each other */
static void domain_unmap_several(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, 1));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA + PAGE_SIZE, 2));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA + 4 * PAGE_SIZE, 1));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 3, unmap(t, IOVA, 5));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_UNMAP, IOVA, 3);
	KUNIT_EXPECT_NE(test, 0, to_phys(t, IOVA + 4 * PAGE_SIZE));
}

/* The core takes back mappings it has not waited for. */
static void domain_unmap_unsynced(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA, 1, RW));
	KUNIT_EXPECT_EQ(test, 1, unmap(t, IOVA, 1));
	expect_request(test, 0, VIRTIO_IOMMU_T_MAP, IOVA, 1);
	expect_request(test, 1, VIRTIO_IOMMU_T_UNMAP, IOVA, 1);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
}

/* Unmaps gather until the core wants them done: more than fit into the ring. */
static void domain_unmap_lazy(struct kunit *test)
{
	struct domain_test *t = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_EQ(test, 0, map(t, IOVA + i * PAGE_SIZE, 1));
	fake_device_forget(t->fake);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, 1, unmap_pages(t, IOVA + i * PAGE_SIZE, 1));
	viommu_paging_ops.flush_iotlb_all(&t->vdomain.domain);
	KUNIT_EXPECT_EQ(test, 10, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 3, t->fake->notified);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 10));
}

static void domain_offline(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, to_phys(t, IOVA), PHYS + IOVA);
	KUNIT_EXPECT_EQ(test, 1, unmap(t, IOVA + PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA + 2 * PAGE_SIZE, 2));

	/* One notification for the first endpoint, nothing for the second */
	KUNIT_EXPECT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 1, t->fake->notified);
	expect_request(test, 0, VIRTIO_IOMMU_T_MAP, IOVA, 1);
	expect_request(test, 1, VIRTIO_IOMMU_T_MAP, IOVA + 2 * PAGE_SIZE, 2);

	/* The device forgets with the last one. */
	leave(t);
	leave(t);
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 1, unmap(t, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_MAP, IOVA + 2 * PAGE_SIZE, 2);
}

/* More mappings than are looked at with interrupts off */
static void domain_many(struct kunit *test)
{
	struct domain_test *t = test->priv;
	const int nr = 600;
	int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, 0, map(t, IOVA + i * PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, nr, t->fake->nr);

	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA + nr * PAGE_SIZE, 1, RW));
	KUNIT_EXPECT_EQ(test, -ENOMEM, sync_map(t, IOVA, nr + 1));
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_OK;

	leave(t);
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, nr + 1, t->fake->nr);
}

static void domain_replay_fails(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, map(t, IOVA, 1));
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_RANGE;
	KUNIT_EXPECT_EQ(test, -ERANGE, enter(t));

	/* The next attempt gets them all again. */
	leave(t);
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_OK;
	KUNIT_EXPECT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	KUNIT_EXPECT_EQ(test, to_phys(t, IOVA), PHYS + IOVA);
}

static void domain_dead(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_ASSERT_EQ(test, 0, map(t, IOVA, 1));
	t->fake->bad_id = true;
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA + PAGE_SIZE, 1, RW));
	KUNIT_EXPECT_EQ(test, -EIO, sync_map(t, IOVA + PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, 1, unmap(t, IOVA + PAGE_SIZE, 1));
	KUNIT_EXPECT_EQ(test, -EIO, map_pages(t, IOVA + PAGE_SIZE, 1, RW));

	/* Nobody can tell whether this one is still there. */
	KUNIT_EXPECT_EQ(test, 1, unmap(t, IOVA, 1));
	KUNIT_EXPECT_EQ(test, to_phys(t, IOVA), PHYS + IOVA);
}

#ifdef CONFIG_TRACEPOINTS
/* What a task allocates */
struct allocations {
	struct task_struct *task;
	unsigned int nr;
	gfp_t gfp;
};

static void note_kmalloc(void *data, unsigned long call_site, const void *ptr,
			 size_t bytes_req, size_t bytes_alloc, gfp_t gfp, int node)
{
	struct allocations *allocations = data;

	if (current != allocations->task)
		return;
	allocations->nr++;
	allocations->gfp = gfp;
}

/* Others are the checks of the test kernel. */
static void note_cache_alloc(void *data, unsigned long call_site,
			     const void *ptr, struct kmem_cache *cache, gfp_t gfp,
			     int node)
{
	if (within_module(call_site, THIS_MODULE))
		note_kmalloc(data, call_site, ptr, 0, 0, gfp, node);
}

static void begin_noting(struct kunit *test, struct allocations *allocations)
{
	*allocations = (struct allocations){ .task = current };
	KUNIT_ASSERT_EQ(test, 0, register_trace_kmem_cache_alloc(note_cache_alloc,
								 allocations));
	/* The last, since that allocates as well */
	KUNIT_ASSERT_EQ(test, 0, register_trace_kmalloc(note_kmalloc,
							allocations));
}

static void end_noting(struct allocations *allocations)
{
	unregister_trace_kmalloc(note_kmalloc, allocations);
	unregister_trace_kmem_cache_alloc(note_cache_alloc, allocations);
	tracepoint_synchronize_unregister();
}

/* One object for each mapping, as the caller wants it, and none for a request */
static void domain_allocations(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct allocations allocations;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	begin_noting(test, &allocations);
	map(t, IOVA, 1);
	end_noting(&allocations);
	KUNIT_EXPECT_EQ(test, 1, allocations.nr);
	KUNIT_EXPECT_EQ(test, GFP_KERNEL, allocations.gfp & GFP_KERNEL);

	begin_noting(test, &allocations);
	unmap(t, IOVA, 1);
	end_noting(&allocations);
	KUNIT_EXPECT_EQ(test, 0, allocations.nr);
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
}
#endif

static void domain_mmio(struct kunit *test)
{
	struct domain_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, enter(t));
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA, 1, RW | IOMMU_MMIO));
	t->fake->viommu->map_flags |= VIRTIO_IOMMU_MAP_F_MMIO;
	KUNIT_EXPECT_EQ(test, 0, map_pages(t, IOVA + PAGE_SIZE, 1,
					   IOMMU_WRITE | IOMMU_MMIO));
	KUNIT_EXPECT_EQ(test, 0, sync_map(t, IOVA, 2));
	KUNIT_EXPECT_EQ(test, t->fake->log[0].flags,
			VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE);
	KUNIT_EXPECT_EQ(test, t->fake->log[1].flags,
			VIRTIO_IOMMU_MAP_F_WRITE | VIRTIO_IOMMU_MAP_F_MMIO);
}

static void domain_ids(struct kunit *test)
{
	struct domain_test *t = test->priv;
	struct viommu_domain other = {};

	viommu_domain_init(&other);
	t->fake->viommu->limits.last_domain = FIRST_DOMAIN;
	KUNIT_EXPECT_EQ(test, t->vdomain.id, FIRST_DOMAIN);
	KUNIT_EXPECT_EQ(test, -ENOSPC, viommu_domain_bind(&other,
							  t->fake->viommu));
	t->fake->viommu->limits.last_domain = FIRST_DOMAIN + 1;
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&other, t->fake->viommu));
	KUNIT_EXPECT_EQ(test, other.id, FIRST_DOMAIN + 1);
	viommu_domain_unbind(&other);
}

static struct kunit_case domain_cases[] = {
	KUNIT_CASE(domain_map_unmap),
	KUNIT_CASE(domain_map_fails),
	KUNIT_CASE(domain_unmap_fails),
	KUNIT_CASE(domain_unmap_leaving),
	KUNIT_CASE(domain_unmap_partial),
	KUNIT_CASE(domain_unmap_several),
	KUNIT_CASE(domain_unmap_unsynced),
	KUNIT_CASE(domain_unmap_lazy),
	KUNIT_CASE(domain_offline),
	KUNIT_CASE(domain_many),
	KUNIT_CASE(domain_replay_fails),
	KUNIT_CASE(domain_dead),
#ifdef CONFIG_TRACEPOINTS
	KUNIT_CASE(domain_allocations),
#endif
	KUNIT_CASE(domain_mmio),
	KUNIT_CASE(domain_ids),
	{ }
};

static struct kunit_suite domain_suite = {
	.name = "virtio_iommu_domain",
	.init = domain_init,
	.test_cases = domain_cases,
};

kunit_test_suite(domain_suite);
