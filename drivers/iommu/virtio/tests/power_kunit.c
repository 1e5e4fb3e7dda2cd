// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>

#include "../table.h"
#include "fake_device.h"

#define ID	0x100
#define IOVA	0x10000UL
#define PHYS	0x800000UL

/* Two endpoints, and two domains that they can be in */
struct power_test {
	struct fake_device *fake;
	struct viommu_endpoint *ep, *other;
	struct viommu_domain first, second;
};

static void power_clean(void *data)
{
	struct power_test *t = data;

	fake_endpoint_destroy(t->ep);
	fake_endpoint_destroy(t->other);
	viommu_domain_unbind(&t->first);
	viommu_domain_unbind(&t->second);
}

static int power_init(struct kunit *test)
{
	struct power_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct viommu_dev *viommu;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 32);
	viommu = t->fake->viommu;
	t->ep = fake_endpoint_create(test, t->fake, 1, ID);
	t->other = fake_endpoint_create(test, t->fake, 1, ID + 1);
	viommu_domain_init(&t->first);
	viommu_domain_init(&t->second);
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->first, viommu));
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->second, viommu));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, power_clean, t));
	return 0;
}

static int move(struct power_test *t, struct viommu_endpoint *ep,
		struct viommu_domain *to)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_move_endpoint(ep, to);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

static int map(struct viommu_domain *vdomain, unsigned long iova)
{
	size_t mapped;
	int err;

	err = viommu_paging_ops.map_pages(&vdomain->domain, iova, PHYS + iova,
					  PAGE_SIZE, 1, IOMMU_READ, GFP_KERNEL,
					  &mapped);
	return err ?: viommu_paging_ops.iotlb_sync_map(&vdomain->domain, iova,
						       PAGE_SIZE);
}

static size_t unmap(struct viommu_domain *vdomain, unsigned long iova)
{
	return viommu_paging_ops.unmap_pages(&vdomain->domain, iova, PAGE_SIZE,
					     1, NULL);
}

static void freeze(struct kunit *test)
{
	struct power_test *t = test->priv;

	t->fake->reset_unlocked = false;
	KUNIT_ASSERT_EQ(test, 0, virtio_device_freeze(t->fake->vdev));
	KUNIT_EXPECT_NULL(test, t->fake->vqs[0]);
	/* What the device may still use is not freed. */
	KUNIT_EXPECT_FALSE(test, t->fake->reset_unlocked);
}

static void restore(struct kunit *test, int err)
{
	struct power_test *t = test->priv;

	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, err, virtio_device_restore(t->fake->vdev));
}

static void expect_request(struct kunit *test, int nr, u8 type, u32 domain,
			   u64 what)
{
	struct power_test *t = test->priv;
	struct fake_request *log = &t->fake->log[nr];

	KUNIT_EXPECT_EQ(test, log->type, type);
	KUNIT_EXPECT_EQ(test, log->domain, domain);
	KUNIT_EXPECT_EQ(test, type == VIRTIO_IOMMU_T_ATTACH ? log->endpoint :
							      log->start, what);
}

/* One notification for all ATTACHes, one for the mappings of a domain. */
static void power_comes_back(struct kunit *test)
{
	struct power_test *t = test->priv;
	struct viommu_domain *blocking = &t->fake->viommu->blocking;
	unsigned int resets = t->fake->resets;
	int i;

	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, 0, map(&t->first, IOVA + i * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	mutex_lock(&t->fake->viommu->attach_lock);
	KUNIT_EXPECT_EQ(test, 0, viommu_block_endpoint(t->other));
	mutex_unlock(&t->fake->viommu->attach_lock);

	freeze(test);
	KUNIT_EXPECT_GT(test, t->fake->resets, resets);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	restore(test, 0);
	KUNIT_EXPECT_EQ(test, 12, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 2, t->fake->notified);
	expect_request(test, 0, VIRTIO_IOMMU_T_ATTACH, t->first.id, ID);
	expect_request(test, 1, VIRTIO_IOMMU_T_ATTACH, blocking->id, ID + 1);
	for (i = 0; i < 10; i++)
		expect_request(test, 2 + i, VIRTIO_IOMMU_T_MAP, t->first.id,
			       IOVA + i * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 1, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 1, blocking->nr_endpoints);

	KUNIT_EXPECT_EQ(test, PAGE_SIZE, unmap(&t->first, IOVA));
	viommu_paging_ops.iotlb_sync(&t->first.domain, NULL);
	expect_request(test, 12, VIRTIO_IOMMU_T_UNMAP, t->first.id, IOVA);
}

static void power_bypass_domain(struct kunit *test)
{
	struct power_test *t = test->priv;

	t->first.bypass = true;
	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	freeze(test);
	restore(test, 0);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_ATTACH, t->first.id, ID);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].flags,
			VIRTIO_IOMMU_ATTACH_F_BYPASS);
}

/* Page tables are in memory all the time, and change there. */
static void power_table_domain(struct kunit *test)
{
	struct power_test *t = test->priv;
	struct iommu_domain *domain;
	size_t mapped;

	fake_endpoint_set_tables(t->ep);
	domain = &fake_table_create(test, t->ep)->domain;
	KUNIT_EXPECT_EQ(test, 0, viommu_attach_table(domain, t->ep->dev));
	freeze(test);
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, domain->ops->map_pages(domain, IOVA, PHYS, SZ_4K,
							1, IOMMU_READ,
							GFP_KERNEL, &mapped));
	domain->ops->flush_iotlb_all(domain);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	restore(test, 0);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].type, VIRTIO_IOMMU_T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].endpoint, ID);
	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	domain->ops->free(domain);
}

/* What is mapped, unmapped and moved in between is what comes back. */
static void power_changes_while_frozen(struct kunit *test)
{
	struct power_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	KUNIT_EXPECT_EQ(test, 0, move(t, t->other, &t->first));
	KUNIT_EXPECT_EQ(test, 0, map(&t->first, IOVA));

	freeze(test);
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, unmap(&t->first, IOVA));
	viommu_paging_ops.iotlb_sync(&t->first.domain, NULL);
	viommu_paging_ops.flush_iotlb_all(&t->first.domain);
	KUNIT_EXPECT_EQ(test, 0, map(&t->first, IOVA + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map(&t->second, IOVA));
	KUNIT_EXPECT_EQ(test, PHYS + IOVA + PAGE_SIZE,
			viommu_paging_ops.iova_to_phys(&t->first.domain,
						       IOVA + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, move(t, t->other, &t->second));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);

	restore(test, 0);
	KUNIT_EXPECT_EQ(test, 4, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_ATTACH, t->first.id, ID);
	expect_request(test, 1, VIRTIO_IOMMU_T_ATTACH, t->second.id, ID + 1);
	expect_request(test, 2, VIRTIO_IOMMU_T_MAP, t->first.id,
		       IOVA + PAGE_SIZE);
	expect_request(test, 3, VIRTIO_IOMMU_T_MAP, t->second.id, IOVA);
}

/* Unmaps that nobody has waited for reach the device before it is reset. */
static void power_finishes(struct kunit *test)
{
	struct power_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	KUNIT_EXPECT_EQ(test, 0, map(&t->first, IOVA));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, unmap(&t->first, IOVA));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	freeze(test);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_UNMAP, t->first.id, IOVA);
	restore(test, 0);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
}

/* An endpoint that does not come back is blocked; the others do come back. */
static void power_refused(struct kunit *test)
{
	struct power_test *t = test->priv;
	struct viommu_domain *blocking = &t->fake->viommu->blocking;

	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	KUNIT_EXPECT_EQ(test, 0, move(t, t->other, &t->second));
	KUNIT_EXPECT_EQ(test, 0, map(&t->second, IOVA));
	freeze(test);
	t->fake->refuse_endpoint = ID;
	restore(test, 0);
	KUNIT_EXPECT_NULL(test, t->ep->ids[0]->domain);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 1, t->second.nr_endpoints);

	freeze(test);
	t->fake->refuse_endpoint = 0;
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_NOMEM;
	restore(test, 0);
	KUNIT_EXPECT_PTR_EQ(test, t->other->ids[0]->domain, blocking);
	KUNIT_EXPECT_EQ(test, 0, t->second.nr_endpoints);
}

/* A device that was given up has a new life after the reset. */
static void power_revives(struct kunit *test)
{
	struct power_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	t->fake->mute = true;
	t->fake->viommu->queue.timeout_ns = 10 * NSEC_PER_MSEC;
	KUNIT_EXPECT_EQ(test, -EIO, map(&t->first, IOVA));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, unmap(&t->first, IOVA));
	freeze(test);
	t->fake->mute = false;
	restore(test, 0);
	KUNIT_EXPECT_EQ(test, 1, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 0, map(&t->first, IOVA));
}

/* Without queues all that is left to do is to remove the device. */
static void power_no_queues(struct kunit *test)
{
	struct power_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	freeze(test);
	t->fake->no_queues = true;
	restore(test, -EIO);
	KUNIT_EXPECT_TRUE(test, t->fake->device_status & VIRTIO_CONFIG_S_FAILED);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, -ENODEV, move(t, t->ep, &t->second));
	KUNIT_EXPECT_EQ(test, 0, t->fake->config_writes);
}

static void set_config(struct fake_device *fake, u64 start, u64 end, u64 mask,
		       u32 first_domain, u32 last_domain, u32 probe_size)
{
	fake->config = (struct virtio_iommu_config) {
		.page_size_mask = cpu_to_le64(mask),
		.input_range.start = cpu_to_le64(start),
		.input_range.end = cpu_to_le64(end),
		.domain_range.start = cpu_to_le32(first_domain),
		.domain_range.end = cpu_to_le32(last_domain),
		.probe_size = cpu_to_le32(probe_size),
		.bypass = 1,
	};
}

/*
 * The machine was hibernated and comes back with another device. One that can do less
 * is not used, and what is behind it does not get past it either.
 */
static void power_other_device(struct kunit *test)
{
	static const struct {
		u64 start, end, mask;
		u32 first_domain, last_domain, probe_size;
		int err;
	} cases[] = {
		{ 0x1000, SZ_1G, SZ_4K, 5, 9, FAKE_PROBE_SIZE, 0 },
		{ 0x2000, SZ_1G, SZ_4K, 5, 9, FAKE_PROBE_SIZE, -EINVAL },
		{ 0x1000, SZ_1G - 1, SZ_4K, 5, 9, FAKE_PROBE_SIZE, -EINVAL },
		{ 0x1000, SZ_1G, SZ_2M, 5, 9, FAKE_PROBE_SIZE, -EINVAL },
		{ 0x1000, SZ_1G, SZ_4K, 6, 9, FAKE_PROBE_SIZE, -EINVAL },
		{ 0x1000, SZ_1G, SZ_4K, 5, 8, FAKE_PROBE_SIZE, -EINVAL },
		{ 0x1000, SZ_1G, SZ_4K, 5, 9, FAKE_PROBE_SIZE * 2, -EINVAL },
		{ 0, 0, 0, 0, 0, 0, -EINVAL },
		{ 0, SZ_2G, SZ_1K | SZ_4K, 0, 99, FAKE_PROBE_SIZE, 0 },
	};
	struct power_test *t = test->priv;
	struct fake_device *fake = fake_device_alloc(test, 32), *other = t->fake;
	struct viommu_domain vdomain = {};
	struct viommu_endpoint *ep;
	int i;

	fake->features |= BIT_ULL(VIRTIO_IOMMU_F_INPUT_RANGE) |
			  BIT_ULL(VIRTIO_IOMMU_F_DOMAIN_RANGE) |
			  BIT_ULL(VIRTIO_IOMMU_F_PROBE) |
			  BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG);
	set_config(fake, 0x1000, SZ_1G, SZ_4K, 5, 9, FAKE_PROBE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, fake_device_register(test, fake));
	t->fake = fake;
	ep = fake_endpoint_create(test, fake, 1, ID);
	viommu_domain_init(&vdomain);
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&vdomain, fake->viommu));
	KUNIT_EXPECT_EQ(test, 0, map(&vdomain, IOVA));

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool lost = cases[i].err;

		KUNIT_EXPECT_EQ(test, 0, move(t, ep, &vdomain));
		freeze(test);
		set_config(fake, cases[i].start, cases[i].end, cases[i].mask,
			   cases[i].first_domain, cases[i].last_domain,
			   cases[i].probe_size);
		restore(test, cases[i].err);
		KUNIT_EXPECT_EQ_MSG(test, lost ? 0 : 2, fake->nr, "case %d", i);
		KUNIT_EXPECT_EQ(test, !lost, fake->config.bypass);
		KUNIT_EXPECT_PTR_EQ(test, ep->ids[0]->domain,
				    lost ? NULL : &vdomain);
		KUNIT_EXPECT_EQ(test, lost ? -ENODEV : 0,
				move(t, ep, &vdomain));

		/* Back where it was */
		freeze(test);
		set_config(fake, 0x1000, SZ_1G, SZ_4K, 5, 9, FAKE_PROBE_SIZE);
		restore(test, 0);
	}

	fake_endpoint_destroy(ep);
	viommu_domain_unbind(&vdomain);
	t->fake = other;
}

static int power_fault(struct iommu_domain *domain, struct device *dev,
		       unsigned long iova, int flags, void *nr)
{
	++*(int *)nr;
	return 0;
}

/* The event queue has buffers again. */
static void power_events(struct kunit *test)
{
	struct virtio_iommu_fault event = {
		.flags = cpu_to_le32(VIRTIO_IOMMU_FAULT_F_ADDRESS),
		.endpoint = cpu_to_le32(ID),
	};
	struct power_test *t = test->priv;
	int i, nr = 0;

	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	iommu_set_fault_handler(&t->first.domain, power_fault, &nr);
	freeze(test);
	restore(test, 0);
	for (i = 0; i < 40; i++)
		fake_device_fault(t->fake, &event, sizeof(event));
	KUNIT_EXPECT_EQ(test, 40, nr);
}

/* Bypass is on after the reset: what was blocked by being nowhere has to go elsewhere. */
static void power_bypass_on(struct kunit *test)
{
	struct power_test *t = test->priv;
	struct viommu_dev *viommu = t->fake->viommu;

	viommu->bypass_config = true;
	viommu->limits.last_domain = 1;
	KUNIT_EXPECT_EQ(test, 0, move(t, t->ep, &t->first));
	mutex_lock(&viommu->attach_lock);
	KUNIT_EXPECT_EQ(test, 0, viommu_block_endpoint(t->ep));
	mutex_unlock(&viommu->attach_lock);
	KUNIT_EXPECT_NULL(test, t->ep->ids[0]->domain);

	freeze(test);
	viommu->limits.last_domain = 2;
	t->fake->config.bypass = 1;
	restore(test, 0);
	KUNIT_EXPECT_TRUE(test, viommu->bypass);
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain, &viommu->blocking);
}

static struct kunit_case power_cases[] = {
	KUNIT_CASE(power_comes_back),
	KUNIT_CASE(power_bypass_domain),
	KUNIT_CASE(power_table_domain),
	KUNIT_CASE(power_changes_while_frozen),
	KUNIT_CASE(power_finishes),
	KUNIT_CASE(power_refused),
	KUNIT_CASE(power_revives),
	KUNIT_CASE(power_no_queues),
	KUNIT_CASE(power_other_device),
	KUNIT_CASE(power_events),
	KUNIT_CASE(power_bypass_on),
	{ }
};

static struct kunit_suite power_suite = {
	.name = "virtio_iommu_power",
	.init = power_init,
	.test_cases = power_cases,
};

kunit_test_suite(power_suite);
