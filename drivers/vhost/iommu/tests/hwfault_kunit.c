// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that a host's IOMMU driver reports, with devices and a domain that have no
 * hardware behind them.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/iommu.h>

#include "../endpoint.h"
#include "../stage2.h"
#include "../vhost_iommu.h"

struct hwfault_test {
	struct vhost_iommu	vi;
	struct vhost_iommu_ep	ep[2];
	struct device		*dev[3];	/* the last one is no endpoint */
	struct iommu_domain	domain;
};

static int hwfault_test_init(struct kunit *test)
{
	struct hwfault_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	static const char * const names[] = { "edu-a", "edu-b", "edu-c" };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	mutex_init(&t->vi.lock);
	spin_lock_init(&t->vi.fault_lock);
	for (i = 0; i < ARRAY_SIZE(t->dev); i++) {
		t->dev[i] = kunit_device_register(test, names[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dev[i]);
	}
	for (i = 0; i < ARRAY_SIZE(t->ep); i++) {
		t->ep[i].vi = &t->vi;
		t->ep[i].id = 0x10 + i;
		vhost_iommu_ep_watch(&t->ep[i], t->dev[i]);
	}
	vhost_iommu_handle_hw_faults(&t->domain);
	return 0;
}

static void hwfault_test_exit(struct kunit *test)
{
	struct hwfault_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t->ep); i++)
		vhost_iommu_ep_unwatch(&t->ep[i]);
}

/* Take the fault that waits, the only one. */
static struct virtio_iommu_fault take(struct kunit *test)
{
	struct hwfault_test *t = test->priv;
	struct virtio_iommu_fault fault = t->vi.faults[t->vi.fault_head];

	KUNIT_EXPECT_EQ(test, t->vi.fault_count, 1);
	t->vi.fault_count = 0;
	return fault;
}

static void hwfault_reported(struct kunit *test)
{
	struct hwfault_test *t = test->priv;
	struct virtio_iommu_fault f;

	report_iommu_fault(&t->domain, t->dev[1], 0x123456789000, IOMMU_FAULT_WRITE);
	f = take(test);
	KUNIT_EXPECT_EQ(test, f.reason, VIRTIO_IOMMU_FAULT_R_MAPPING);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(f.endpoint), 0x11);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(f.flags),
			VIRTIO_IOMMU_FAULT_F_WRITE |
			VIRTIO_IOMMU_FAULT_F_ADDRESS);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(f.address), 0x123456789000);

	report_iommu_fault(&t->domain, t->dev[0], 0x1000, IOMMU_FAULT_READ);
	f = take(test);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(f.endpoint), 0x10);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(f.flags),
			VIRTIO_IOMMU_FAULT_F_READ |
			VIRTIO_IOMMU_FAULT_F_ADDRESS);
}

/* A device that is no endpoint, or none any more. */
static void hwfault_not_ours(struct kunit *test)
{
	struct hwfault_test *t = test->priv;
	/* Any value but NULL, which is "no group", will do. */
	struct iommu_group *group = (void *)t;

	t->dev[0]->iommu_group = group;
	t->dev[1]->iommu_group = (void *)test;
	report_iommu_fault(&t->domain, t->dev[2], 0, IOMMU_FAULT_READ);
	KUNIT_EXPECT_EQ(test, t->vi.fault_count, 0);

	/* A bridge of the group of the first. */
	t->dev[2]->iommu_group = group;
	report_iommu_fault(&t->domain, t->dev[2], 0, IOMMU_FAULT_READ);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(take(test).endpoint), 0x10);

	vhost_iommu_ep_unwatch(&t->ep[0]);
	report_iommu_fault(&t->domain, t->dev[0], 0, IOMMU_FAULT_READ);
	KUNIT_EXPECT_EQ(test, t->vi.fault_count, 0);
	t->dev[0]->iommu_group = NULL;
	t->dev[1]->iommu_group = NULL;
	t->dev[2]->iommu_group = NULL;
}

/* A device that faults all along: what there is no room for is counted. */
static void hwfault_flood(struct kunit *test)
{
	struct hwfault_test *t = test->priv;
	unsigned long irqflags;
	unsigned int i;

	local_irq_save(irqflags);
	for (i = 0; i < VHOST_IOMMU_FAULTS_MAX + 100; i++)
		report_iommu_fault(&t->domain, t->dev[0], i, IOMMU_FAULT_WRITE);
	local_irq_restore(irqflags);
	KUNIT_EXPECT_EQ(test, t->vi.fault_count, VHOST_IOMMU_FAULTS_MAX);
	KUNIT_EXPECT_EQ(test, t->vi.nr_faults_dropped, 100);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(t->vi.faults[0].address), 0);
}

static struct kunit_case hwfault_test_cases[] = {
	KUNIT_CASE(hwfault_reported),
	KUNIT_CASE(hwfault_not_ours),
	KUNIT_CASE(hwfault_flood),
	{}
};

static struct kunit_suite hwfault_test_suite = {
	.name = "vhost_iommu_hwfault",
	.init = hwfault_test_init,
	.exit = hwfault_test_exit,
	.test_cases = hwfault_test_cases,
};

kunit_test_suite(hwfault_test_suite);
