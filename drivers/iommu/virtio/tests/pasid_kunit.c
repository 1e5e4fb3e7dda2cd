// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID tables: what is in them, and what the device is told.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/sizes.h>

#include "../pasid.h"
#include "../table.h"
#include "fake_device.h"

#define ID	0x100
#define BITS	8
#define PASID	5
#define IOVA	0x40000000UL
#define PHYS	0x800000UL
#define RW	(IOMMU_READ | IOMMU_WRITE)

/* An endpoint with PASIDs in the first of two domains with tables; one without */
struct pasid_test {
	struct fake_device *fake;
	struct viommu_endpoint *ep;
	struct viommu_domain *first, *second;
	struct viommu_domain mapped;
};

static void pasid_clean(void *data)
{
	struct pasid_test *t = data;

	if (t->ep)
		fake_endpoint_destroy(t->ep);
	t->first->domain.ops->free(&t->first->domain);
	t->second->domain.ops->free(&t->second->domain);
	viommu_domain_unbind(&t->mapped);
}

static int pasid_init(struct kunit *test)
{
	struct pasid_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 8);
	t->ep = fake_endpoint_create(test, t->fake, 1, ID);
	fake_endpoint_set_tables(t->ep);
	t->ep->table_caps.pasid_format = true;
	t->ep->table_caps.pasid_bits = BITS;
	t->first = fake_table_create(test, t->ep);
	t->second = fake_table_create(test, t->ep);
	viommu_domain_init(&t->mapped);
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->mapped, t->fake->viommu));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pasid_clean, t));
	KUNIT_ASSERT_EQ(test, 0, viommu_attach_table(&t->first->domain,
						     t->ep->dev));
	fake_device_forget(t->fake);
	return 0;
}

static int attach(struct pasid_test *t, u32 pasid, struct viommu_domain *to)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_attach_pasid(t->ep, pasid, to);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

static void detach(struct pasid_test *t, u32 pasid)
{
	mutex_lock(&t->fake->viommu->attach_lock);
	viommu_detach_pasid(t->ep, pasid);
	mutex_unlock(&t->fake->viommu->attach_lock);
}

static int move(struct pasid_test *t, struct viommu_domain *to)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_move_endpoint(t->ep, to);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

static int block(struct pasid_test *t)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_block_endpoint(t->ep);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

/* What an entry has is what the driver thinks that it has. */
static void expect_entry(struct kunit *test, u32 pasid, struct viommu_domain *to)
{
	struct pasid_test *t = test->priv;
	u64 entry = le64_to_cpu(t->ep->pasids->entries[pasid]);

	KUNIT_EXPECT_EQ(test, entry, to ? virt_to_phys(to->table->root) | 1 : 0);
	KUNIT_EXPECT_PTR_EQ(test, xa_load(&t->ep->pasids->users, pasid), to);
}

static void expect_invalidate(struct kunit *test, int nr, u32 pasid, u64 start,
			      u64 last, bool entry)
{
	struct pasid_test *t = test->priv;
	struct fake_request *log = &t->fake->log[nr];

	KUNIT_EXPECT_EQ(test, log->type, VIRTIO_IOMMU_T_INVALIDATE);
	KUNIT_EXPECT_EQ(test, log->domain, t->ep->pasids->domain.id);
	KUNIT_EXPECT_TRUE(test, log->flags & VIRTIO_IOMMU_INVAL_F_PASID);
	KUNIT_EXPECT_EQ(test, log->pasid, pasid);
	KUNIT_EXPECT_EQ(test, log->start, start);
	KUNIT_EXPECT_EQ(test, log->last, last);
	KUNIT_EXPECT_EQ(test, entry, !!(log->inv_type & VIRTIO_IOMMU_INV_T_PASID));
}

static void map_and_unmap(struct kunit *test, struct viommu_domain *vdomain)
{
	struct iommu_domain *domain = &vdomain->domain;
	struct iommu_iotlb_gather gather;
	size_t mapped;

	KUNIT_EXPECT_EQ(test, 0, domain->ops->map_pages(domain, IOVA, PHYS, SZ_4K, 1,
							RW, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 0, domain->ops->iotlb_sync_map(domain, IOVA, SZ_4K));
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, SZ_4K, domain->ops->unmap_pages(domain, IOVA, SZ_4K,
							      1, &gather));
	domain->ops->iotlb_sync(domain, &gather);
}

/* The endpoint gets a table in which it finds what it had. */
static void pasid_attach(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct fake_request *log = t->fake->log;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->second));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	KUNIT_EXPECT_EQ(test, log->type, VIRTIO_IOMMU_T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, log->format, VIRTIO_IOMMU_FORMAT_PASIDTF);
	KUNIT_EXPECT_EQ(test, log->bits, BITS);
	KUNIT_EXPECT_EQ(test, log->endpoint, ID);
	KUNIT_EXPECT_EQ(test, log->domain, t->ep->pasids->domain.id);
	KUNIT_EXPECT_EQ(test, log->phys, virt_to_phys(t->ep->pasids->entries));
	expect_invalidate(test, 1, PASID, 0, U64_MAX, true);
	expect_entry(test, IOMMU_NO_PASID, t->first);
	expect_entry(test, PASID, t->second);

	/* The next one finds the table there. */
	fake_device_forget(t->fake);
	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID + 1, t->first));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, PASID + 1, 0, U64_MAX, true);
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, 1 << BITS, t->first));
}

/* Where a domain's table is used, there it is invalidated. */
static void pasid_invalidate(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->second));
	fake_device_forget(t->fake);
	map_and_unmap(test, t->second);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, PASID, IOVA, IOVA + SZ_4K - 1, false);
	map_and_unmap(test, t->first);
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_invalidate(test, 1, IOMMU_NO_PASID, IOVA, IOVA + SZ_4K - 1, false);

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID + 1, t->second));
	fake_device_forget(t->fake);
	map_and_unmap(test, t->second);
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_invalidate(test, 0, PASID, IOVA, IOVA + SZ_4K - 1, false);
	expect_invalidate(test, 1, PASID + 1, IOVA, IOVA + SZ_4K - 1, false);

	detach(t, PASID);
	detach(t, PASID + 1);
	expect_entry(test, PASID, NULL);
	fake_device_forget(t->fake);
	map_and_unmap(test, t->second);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
}

/* The device refuses: what was there stays, and is not mistaken for the other. */
static void pasid_refused(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	t->fake->status[VIRTIO_IOMMU_T_ATTACH_TABLE] = VIRTIO_IOMMU_S_UNSUPP;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, attach(t, PASID, t->second));
	KUNIT_EXPECT_NULL(test, t->ep->pasids);
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain, t->first);
	t->fake->status[VIRTIO_IOMMU_T_ATTACH_TABLE] = VIRTIO_IOMMU_S_OK;

	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, attach(t, PASID, t->second));
	expect_entry(test, PASID, NULL);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->second->pasid_users));
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->first));
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, attach(t, PASID, t->second));
	expect_entry(test, PASID, t->first);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->second->pasid_users));
	KUNIT_EXPECT_EQ(test, -ENOMEM, move(t, t->second));
	expect_entry(test, IOMMU_NO_PASID, t->first);

	/* To take away what the device does not let go of: it may read it for ever. */
	KUNIT_EXPECT_FALSE(test, t->first->stuck);
	detach(t, PASID);
	expect_entry(test, PASID, NULL);
	KUNIT_EXPECT_TRUE(test, t->first->stuck);
	t->first->stuck = false;
	t->fake->status[VIRTIO_IOMMU_T_INVALIDATE] = VIRTIO_IOMMU_S_OK;
}

/* Requests without a PASID go elsewhere. */
static void pasid_move(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->second));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, move(t, t->second));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_invalidate(test, 0, IOMMU_NO_PASID, 0, U64_MAX, true);
	expect_entry(test, IOMMU_NO_PASID, t->second);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->first->pasid_users));

	/* Not to where there are no PASIDs, while there are. */
	KUNIT_EXPECT_EQ(test, -EBUSY, move(t, &t->mapped));
	expect_entry(test, IOMMU_NO_PASID, t->second);
	detach(t, PASID);
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->mapped));
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain, &t->mapped);
	expect_entry(test, IOMMU_NO_PASID, NULL);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, attach(t, PASID, t->second));

	KUNIT_EXPECT_EQ(test, 0, move(t, t->first));
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain, &t->ep->pasids->domain);
	expect_entry(test, IOMMU_NO_PASID, t->first);
}

static void pasid_block(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->second));
	KUNIT_EXPECT_EQ(test, 0, block(t));
	expect_entry(test, IOMMU_NO_PASID, NULL);
	expect_entry(test, PASID, t->second);
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain, &t->ep->pasids->domain);

	/* All of it. */
	detach(t, PASID);
	KUNIT_EXPECT_EQ(test, 0, block(t));
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain,
			    &t->fake->viommu->blocking);
	KUNIT_EXPECT_EQ(test, 0, attach(t, PASID, t->second));
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[0]->domain, &t->ep->pasids->domain);
	expect_entry(test, IOMMU_NO_PASID, NULL);
	expect_entry(test, PASID, t->second);
}

/* Who has none, who shares its id, and who is where there are none. */
static void pasid_none(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 1 << BITS, viommu_max_pasids(t->ep));
	t->ep->table_caps.pasid_bits = 20;
	KUNIT_EXPECT_EQ(test, 1 << VIOMMU_PASID_BITS, viommu_max_pasids(t->ep));
	t->ep->table_caps.pasid_bits = 0;
	KUNIT_EXPECT_EQ(test, 0, viommu_max_pasids(t->ep));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, attach(t, PASID, t->second));
	t->ep->table_caps.pasid_bits = BITS;
	t->ep->table_caps.pasid_format = false;
	KUNIT_EXPECT_EQ(test, 0, viommu_max_pasids(t->ep));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, attach(t, PASID, t->second));
	t->ep->table_caps.pasid_format = true;
	t->ep->ids[0]->users++;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, attach(t, PASID, t->second));
	t->ep->ids[0]->users--;
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_ASSERT_EQ(test, 0, move(t, &t->mapped));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, attach(t, PASID, t->second));
	KUNIT_EXPECT_NULL(test, t->ep->pasids);
}

/* The device forgets, and reads all of it when it is back. */
static void pasid_suspend(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->second));
	KUNIT_ASSERT_EQ(test, 0, virtio_device_freeze(t->fake->vdev));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, attach(t, PASID, t->first));
	map_and_unmap(test, t->first);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_ASSERT_EQ(test, 0, virtio_device_restore(t->fake->vdev));
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].type, VIRTIO_IOMMU_T_ATTACH_TABLE);
	KUNIT_EXPECT_EQ(test, t->fake->log[0].format, VIRTIO_IOMMU_FORMAT_PASIDTF);
	expect_entry(test, PASID, t->first);
}

/* An endpoint that goes takes its table along. */
static void pasid_release(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, attach(t, PASID, t->second));
	fake_endpoint_destroy(t->ep);
	t->ep = NULL;
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->first->pasid_users));
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->second->pasid_users));
	fake_device_forget(t->fake);
	map_and_unmap(test, t->second);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
}

static struct kunit_case pasid_cases[] = {
	KUNIT_CASE(pasid_attach),
	KUNIT_CASE(pasid_invalidate),
	KUNIT_CASE(pasid_refused),
	KUNIT_CASE(pasid_move),
	KUNIT_CASE(pasid_block),
	KUNIT_CASE(pasid_none),
	KUNIT_CASE(pasid_suspend),
	KUNIT_CASE(pasid_release),
	{}
};

static struct kunit_suite pasid_suite = {
	.name = "virtio_iommu_pasid",
	.init = pasid_init,
	.test_cases = pasid_cases,
};

kunit_test_suite(pasid_suite);
