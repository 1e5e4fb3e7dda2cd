// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/resource.h>
#include <kunit/test.h>

#include "fake_device.h"

#define ID	0x100
#define ADDRESS	0x123456789000ULL

/*
 * An endpoint in a domain, and what the domain's fault handler was told.
 * Each time it is, the device reports another fault, @more times.
 */
struct event_test {
	struct fake_device *fake;
	struct viommu_endpoint *ep;
	struct viommu_domain vdomain;
	unsigned int nr;
	unsigned int more;
	struct device *dev;
	unsigned long iova;
	int flags;
};

static struct virtio_iommu_fault fault(u8 reason, u32 flags, u32 endpoint)
{
	return (struct virtio_iommu_fault) {
		.reason = reason,
		.flags = cpu_to_le32(flags),
		.endpoint = cpu_to_le32(endpoint),
		.address = cpu_to_le64(ADDRESS),
	};
}

static int event_handler(struct iommu_domain *domain, struct device *dev,
			 unsigned long iova, int flags, void *token)
{
	struct event_test *t = token;

	t->nr++;
	t->dev = dev;
	t->iova = iova;
	t->flags = flags;
	if (t->more) {
		struct virtio_iommu_fault event =
			fault(0, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);

		t->more--;
		fake_device_put_event(t->fake, &event, sizeof(event));
	}
	return 0;
}

static void event_clean(void *data)
{
	struct event_test *t = data;

	fake_endpoint_destroy(t->ep);
	viommu_domain_unbind(&t->vdomain);
}

static int move(struct event_test *t)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_move_endpoint(t->ep, &t->vdomain);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

static int event_init(struct kunit *test)
{
	struct event_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 8);
	t->ep = fake_endpoint_create(test, t->fake, 1, ID);
	viommu_domain_init(&t->vdomain);
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->vdomain,
						    t->fake->viommu));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, event_clean, t));
	iommu_set_fault_handler(&t->vdomain.domain, event_handler, t);
	return 0;
}

static void report(struct event_test *t, u8 reason, u32 flags, u32 endpoint)
{
	struct virtio_iommu_fault event = fault(reason, flags, endpoint);

	fake_device_fault(t->fake, &event, sizeof(event));
}

static void event_reported(struct kunit *test)
{
	struct event_test *t = test->priv;
	const u32 write = VIRTIO_IOMMU_FAULT_F_WRITE |
			  VIRTIO_IOMMU_FAULT_F_ADDRESS;

	KUNIT_ASSERT_EQ(test, 0, move(t));
	report(t, VIRTIO_IOMMU_FAULT_R_MAPPING, write, ID);
	KUNIT_EXPECT_EQ(test, 1, t->nr);
	KUNIT_EXPECT_PTR_EQ(test, t->dev, t->ep->dev);
	KUNIT_EXPECT_EQ(test, t->iova, ADDRESS);
	KUNIT_EXPECT_EQ(test, t->flags, IOMMU_FAULT_WRITE);

	report(t, VIRTIO_IOMMU_FAULT_R_DOMAIN, VIRTIO_IOMMU_FAULT_F_READ |
	       VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);
	KUNIT_EXPECT_EQ(test, 2, t->nr);
	KUNIT_EXPECT_EQ(test, t->flags, IOMMU_FAULT_READ);
}

/* Reasons and flags that do not exist yet take nothing away from what is known. */
static void event_unknown_fields(struct kunit *test)
{
	struct event_test *t = test->priv;
	struct virtio_iommu_fault event = fault(0x77, 0xffffffff, ID);

	KUNIT_ASSERT_EQ(test, 0, move(t));
	memset(event.reserved2, 0xff, sizeof(event.reserved2));
	fake_device_fault(t->fake, &event, sizeof(event));
	KUNIT_EXPECT_EQ(test, 1, t->nr);
	KUNIT_EXPECT_EQ(test, t->iova, ADDRESS);

	/* A report of another kind altogether */
	event.reserved[2] = 1;
	fake_device_fault(t->fake, &event, sizeof(event));
	KUNIT_EXPECT_EQ(test, 1, t->nr);
}

static void event_short(struct kunit *test)
{
	struct event_test *t = test->priv;
	struct virtio_iommu_fault event =
		fault(0, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);

	KUNIT_ASSERT_EQ(test, 0, move(t));
	fake_device_fault(t->fake, &event, sizeof(event) - 1);
	KUNIT_EXPECT_EQ(test, 0, t->nr);
	fake_device_fault(t->fake, &event, sizeof(event));
	KUNIT_EXPECT_EQ(test, 1, t->nr);
}

/* Logged, but there is nobody to hand them to. */
static void event_nobody(struct kunit *test)
{
	struct event_test *t = test->priv;

	/* no domain yet */
	report(t, 1, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);
	KUNIT_ASSERT_EQ(test, 0, move(t));
	/* no address */
	report(t, 2, VIRTIO_IOMMU_FAULT_F_READ, ID);
	/* no such endpoint */
	report(t, 2, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID + 1);
	KUNIT_EXPECT_EQ(test, 0, t->nr);
}

/* The device gets its buffers back: more events than the ring has entries. */
static void event_many(struct kunit *test)
{
	struct event_test *t = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, 0, move(t));
	for (i = 0; i < 20; i++)
		report(t, 2, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);
	KUNIT_EXPECT_EQ(test, 20, t->nr);
}

/* A device that reports faults faster than they are handled does not keep the CPU. */
static void event_storm(struct kunit *test)
{
	struct event_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, move(t));
	t->more = 99;
	report(t, 2, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);
	KUNIT_EXPECT_EQ(test, 100, t->nr);
	KUNIT_EXPECT_GE(test, t->fake->replenished, 100 / t->fake->ring_size);
}

/* One of two endpoints with the id is gone: the fault is the domain's all the same. */
static void event_shared_id(struct kunit *test)
{
	struct event_test *t = test->priv;
	struct viommu_endpoint *other;

	KUNIT_ASSERT_EQ(test, 0, move(t));
	other = fake_endpoint_create(test, t->fake, 1, ID);
	report(t, 2, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);
	KUNIT_EXPECT_PTR_EQ(test, t->dev, t->ep->dev);
	t->ep->ids[0]->dev = other->dev;
	fake_endpoint_destroy(other);
	report(t, 2, VIRTIO_IOMMU_FAULT_F_ADDRESS, ID);
	KUNIT_EXPECT_EQ(test, 2, t->nr);
	KUNIT_EXPECT_PTR_EQ(test, t->dev, t->fake->viommu->dev);
}

static struct kunit_case event_cases[] = {
	KUNIT_CASE(event_reported),
	KUNIT_CASE(event_unknown_fields),
	KUNIT_CASE(event_short),
	KUNIT_CASE(event_nobody),
	KUNIT_CASE(event_many),
	KUNIT_CASE(event_storm),
	KUNIT_CASE(event_shared_id),
	{ }
};

static struct kunit_suite event_suite = {
	.name = "virtio_iommu_event",
	.init = event_init,
	.test_cases = event_cases,
};

kunit_test_suite(event_suite);
