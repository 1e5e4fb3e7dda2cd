// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/resource.h>
#include <kunit/test.h>

#include "fake_device.h"

#define ID	0x100

struct attach_test {
	struct fake_device *fake;
	struct viommu_endpoint *ep;
	struct viommu_domain first;
	struct viommu_domain second;
};

static void attach_clean(void *data)
{
	struct attach_test *t = data;

	if (t->ep)
		fake_endpoint_destroy(t->ep);
	viommu_domain_unbind(&t->first);
	viommu_domain_unbind(&t->second);
}

/* An endpoint with two ids, and two domains that it can be in */
static int attach_init(struct kunit *test)
{
	struct attach_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct viommu_dev *viommu;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->fake = fake_device_create(test, 8);
	t->ep = fake_endpoint_create(test, t->fake, 2, ID);
	viommu = t->fake->viommu;
	viommu_domain_init(&t->first);
	viommu_domain_init(&t->second);
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->first, viommu));
	KUNIT_ASSERT_EQ(test, 0, viommu_domain_bind(&t->second, viommu));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, attach_clean,
							   t));
	return 0;
}

static int move(struct attach_test *t, struct viommu_domain *to)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_move_endpoint(t->ep, to);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

static int block(struct attach_test *t)
{
	int err;

	mutex_lock(&t->fake->viommu->attach_lock);
	err = viommu_block_endpoint(t->ep);
	mutex_unlock(&t->fake->viommu->attach_lock);
	return err;
}

/* Where the driver notes that the device has the endpoint's ids */
static void expect_at(struct kunit *test, struct viommu_domain *vdomain)
{
	struct attach_test *t = test->priv;
	int i;

	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[i]->domain, vdomain);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_leaving);
	KUNIT_EXPECT_EQ(test, 0, t->second.nr_leaving);
}

static void expect_request(struct kunit *test, int nr, u8 type,
			   struct viommu_domain *vdomain, u32 endpoint)
{
	struct attach_test *t = test->priv;
	struct fake_request *log = &t->fake->log[nr];

	KUNIT_EXPECT_EQ(test, log->type, type);
	KUNIT_EXPECT_EQ(test, log->domain, vdomain->id);
	KUNIT_EXPECT_EQ(test, log->endpoint, endpoint);
}

/* Requests @nr and the next are of @type, one for each id, and name @vdomain. */
static void expect_each_id(struct kunit *test, int nr, u8 type,
			   struct viommu_domain *vdomain, u32 flags)
{
	struct attach_test *t = test->priv;
	int i;

	for (i = 0; i < 2; i++) {
		expect_request(test, nr + i, type, vdomain, ID + i);
		KUNIT_EXPECT_EQ(test, t->fake->log[nr + i].flags, flags);
	}
}

static void attach_moves(struct kunit *test)
{
	struct attach_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	KUNIT_EXPECT_EQ(test, 1, t->fake->notified);
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_each_id(test, 0, VIRTIO_IOMMU_T_ATTACH, &t->first, 0);
	KUNIT_EXPECT_EQ(test, 2, t->first.nr_endpoints);

	/* A device may take it out and forget the mappings in between. */
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 2, t->first.nr_endpoints);

	t->second.bypass = true;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->second));
	KUNIT_EXPECT_EQ(test, 4, t->fake->nr);
	expect_each_id(test, 2, VIRTIO_IOMMU_T_ATTACH, &t->second,
		       VIRTIO_IOMMU_ATTACH_F_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 2, t->second.nr_endpoints);
	expect_at(test, &t->second);
}

/* Not by DETACH: outside any domain it may bypass. */
static void attach_blocks(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_domain *blocking = &t->fake->viommu->blocking;

	t->fake->viommu->bypass = true;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, block(t));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_each_id(test, 0, VIRTIO_IOMMU_T_ATTACH, blocking, 0);
	KUNIT_EXPECT_NE(test, blocking->id, t->first.id);
	KUNIT_EXPECT_NE(test, blocking->id, t->second.id);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
}

/* A device without a domain to spare, and nothing that bypasses */
static void attach_blocks_by_detach(struct kunit *test)
{
	struct attach_test *t = test->priv;

	t->fake->viommu->limits.last_domain = 1;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->second));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, block(t));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_each_id(test, 0, VIRTIO_IOMMU_T_DETACH, &t->second, 0);
	expect_at(test, NULL);
	KUNIT_EXPECT_EQ(test, 0, t->second.nr_endpoints);
}

static void attach_cannot_block(struct kunit *test)
{
	struct attach_test *t = test->priv;

	t->fake->viommu->bypass = true;
	t->fake->viommu->limits.last_domain = 1;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	KUNIT_EXPECT_EQ(test, -ENOSPC, block(t));
	expect_at(test, &t->first);
}

/* One of two ids is refused: neither stays where it must not be. */
static void attach_half_way(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_domain *blocking = &t->fake->viommu->blocking;

	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	fake_device_forget(t->fake);
	t->fake->viommu->limits.last_domain = 2;
	t->fake->refuse_endpoint = ID + 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, move(t, &t->second));
	expect_each_id(test, 0, VIRTIO_IOMMU_T_ATTACH, &t->second, 0);
	expect_each_id(test, 2, VIRTIO_IOMMU_T_ATTACH, blocking, 0);
	/* The fake refuses that as well, so what is left is DETACH, of both. */
	expect_request(test, 4, VIRTIO_IOMMU_T_DETACH, blocking, ID);
	expect_request(test, 5, VIRTIO_IOMMU_T_DETACH, &t->first, ID + 1);
	KUNIT_EXPECT_EQ(test, 6, t->fake->nr);
	expect_at(test, NULL);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 0, t->second.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 0, blocking->nr_endpoints);

	/* The core puts it back. */
	t->fake->refuse_endpoint = 0;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	expect_at(test, &t->first);
}

/* The mappings of the new domain do not work: the endpoint is blocked. */
static void attach_replay_fails(struct kunit *test)
{
	struct attach_test *t = test->priv;
	size_t mapped;

	KUNIT_ASSERT_EQ(test, 0,
			viommu_paging_ops.map_pages(&t->second.domain, 0x1000,
						    0x2000, PAGE_SIZE, 1,
						    IOMMU_READ, GFP_KERNEL,
						    &mapped));
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_NOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, move(t, &t->second));
	expect_at(test, &t->fake->viommu->blocking);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 0, t->second.nr_endpoints);
}

static int map(struct attach_test *t, u8 status)
{
	struct iommu_domain *domain = &t->first.domain;
	size_t mapped;
	int err;

	t->fake->status[VIRTIO_IOMMU_T_MAP] = status;
	err = viommu_paging_ops.map_pages(domain, 0x1000, 0x2000, PAGE_SIZE, 1,
					  IOMMU_READ, GFP_ATOMIC, &mapped) ?:
	      viommu_paging_ops.iotlb_sync_map(domain, 0x1000, PAGE_SIZE);
	if (err)
		viommu_paging_ops.unmap_pages(domain, 0x1000, PAGE_SIZE, 1, NULL);
	t->fake->status[VIRTIO_IOMMU_T_MAP] = VIRTIO_IOMMU_S_OK;
	return err;
}

static void map_meanwhile(void *data)
{
	struct kunit *test = data;

	KUNIT_EXPECT_EQ(test, 0, map(test->priv, VIRTIO_IOMMU_S_NOENT));
}

/* The device has moved the last endpoint and forgotten its domain, but we do not know. */
static void attach_map_leaving(struct kunit *test)
{
	struct attach_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	/* No such excuse while the endpoint stays */
	KUNIT_EXPECT_EQ(test, -ENOENT, map(t, VIRTIO_IOMMU_S_NOENT));

	t->fake->interlude = map_meanwhile;
	t->fake->data = test;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->second));
	KUNIT_EXPECT_NULL(test, t->fake->interlude);
	expect_at(test, &t->second);

	/* The next that comes gets the mapping. */
	fake_device_forget(t->fake);
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	KUNIT_EXPECT_EQ(test, 3, t->fake->nr);
	KUNIT_EXPECT_EQ(test, t->fake->log[2].type, VIRTIO_IOMMU_T_MAP);
	KUNIT_EXPECT_EQ(test, t->fake->log[2].start, 0x1000);
	expect_at(test, &t->first);
}

/* Of the ids of a device behind a bridge, one may be the bridge's alone to use. */
static void attach_unknown_id(struct kunit *test)
{
	struct attach_test *t = test->priv;

	t->fake->unknown_endpoint = ID;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	KUNIT_EXPECT_NULL(test, t->ep->ids[0]->domain);
	KUNIT_EXPECT_PTR_EQ(test, t->ep->ids[1]->domain, &t->first);
	KUNIT_EXPECT_EQ(test, 1, t->first.nr_endpoints);

	/* No other error is hidden by that one. */
	t->fake->refuse_endpoint = ID + 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, move(t, &t->second));
	t->fake->refuse_endpoint = 0;
	KUNIT_EXPECT_EQ(test, 0, block(t));
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
}

static void attach_all_unknown(struct kunit *test)
{
	struct attach_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	t->fake->status[VIRTIO_IOMMU_T_ATTACH] = VIRTIO_IOMMU_S_NOENT;
	KUNIT_EXPECT_EQ(test, -ENOENT, move(t, &t->second));
	expect_at(test, NULL);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	KUNIT_EXPECT_EQ(test, 0, block(t));
}

/*
 * A second endpoint with one of the ids: the device is not told again, since it may
 * take the only endpoint of the domain out of it first, and the mappings with it.
 */
static void attach_shared_id(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_endpoint *other, *ep = t->ep;

	other = fake_endpoint_create(test, t->fake, 1, ID + 1);
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	fake_device_forget(t->fake);
	t->ep = other;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	KUNIT_EXPECT_EQ(test, 2, t->first.nr_endpoints);
	t->ep = ep;

	/* When one of them goes, the other can still do DMA. */
	fake_endpoint_destroy(other);
	KUNIT_EXPECT_EQ(test, 0, t->fake->nr);
	expect_at(test, &t->first);
}

/* The one that goes first leaves the id that it shares alone, and its own nowhere. */
static void attach_shared_id_goes(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_endpoint *other;

	other = fake_endpoint_create(test, t->fake, 2, ID + 1);
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->first));
	fake_device_forget(t->fake);
	KUNIT_EXPECT_PTR_EQ(test, other->ids[0]->dev, t->ep->dev);
	fake_endpoint_destroy(t->ep);
	t->ep = NULL;
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_DETACH, &t->first, ID);
	KUNIT_EXPECT_PTR_EQ(test, other->ids[0]->domain, &t->first);
	KUNIT_EXPECT_NULL(test, other->ids[0]->dev);
	KUNIT_EXPECT_EQ(test, 1, t->first.nr_endpoints);
	fake_endpoint_destroy(other);
}

/* Where being in no domain is no protection, it is blocked instead. */
static void attach_release_bypass(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_domain *blocking = &t->fake->viommu->blocking;
	struct viommu_endpoint *other;

	other = fake_endpoint_create(test, t->fake, 1, 7);
	t->fake->viommu->bypass = true;
	fake_endpoint_destroy(other);
	KUNIT_EXPECT_EQ(test, 1, t->fake->nr);
	expect_request(test, 0, VIRTIO_IOMMU_T_ATTACH, blocking, 7);
	KUNIT_EXPECT_EQ(test, 0, blocking->nr_endpoints);
}

/* The device may go on with a domain that it did not take an endpoint out of. */
static void attach_release_stuck(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_dev *viommu = t->fake->viommu;
	struct viommu_endpoint *other;

	other = fake_endpoint_create(test, t->fake, 1, 7);
	mutex_lock(&viommu->attach_lock);
	KUNIT_EXPECT_EQ(test, 0, viommu_move_endpoint(other, &t->first));
	mutex_unlock(&viommu->attach_lock);
	t->fake->status[VIRTIO_IOMMU_T_DETACH] = VIRTIO_IOMMU_S_DEVERR;
	fake_endpoint_destroy(other);
	KUNIT_EXPECT_TRUE(test, t->first.stuck);
	KUNIT_EXPECT_EQ(test, 0, t->first.nr_endpoints);
	t->fake->status[VIRTIO_IOMMU_T_DETACH] = VIRTIO_IOMMU_S_OK;
}

/* The device does not let go: the domain's number is not for the next domain. */
static void attach_stuck(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_dev *viommu = t->fake->viommu;
	u32 id = t->second.id;

	KUNIT_EXPECT_EQ(test, 0, move(t, &t->second));
	t->fake->status[VIRTIO_IOMMU_T_ATTACH] = VIRTIO_IOMMU_S_DEVERR;
	t->fake->status[VIRTIO_IOMMU_T_DETACH] = VIRTIO_IOMMU_S_DEVERR;
	KUNIT_EXPECT_EQ(test, -EIO, move(t, &t->first));
	expect_at(test, &t->second);

	viommu_forget_domain(&t->second);
	viommu_domain_unbind(&t->second);
	expect_at(test, NULL);
	viommu_domain_init(&t->second);
	t->second.stuck = false;
	KUNIT_EXPECT_EQ(test, 0, viommu_domain_bind(&t->second, viommu));
	KUNIT_EXPECT_NE(test, id, t->second.id);
}

/* Bypass is turned on after an endpoint was blocked by being in no domain. */
static void attach_strays(struct kunit *test)
{
	struct attach_test *t = test->priv;
	struct viommu_dev *viommu = t->fake->viommu;

	viommu->limits.last_domain = 1;
	KUNIT_EXPECT_EQ(test, 0, move(t, &t->second));
	KUNIT_EXPECT_EQ(test, 0, block(t));
	expect_at(test, NULL);

	viommu->limits.last_domain = 2;
	viommu->bypass = true;
	fake_device_forget(t->fake);
	mutex_lock(&viommu->attach_lock);
	viommu_block_strays(viommu);
	mutex_unlock(&viommu->attach_lock);
	KUNIT_EXPECT_EQ(test, 2, t->fake->nr);
	expect_each_id(test, 0, VIRTIO_IOMMU_T_ATTACH, &viommu->blocking, 0);
	expect_at(test, &viommu->blocking);
	viommu->bypass = false;
}

static struct kunit_case attach_cases[] = {
	KUNIT_CASE(attach_moves),
	KUNIT_CASE(attach_blocks),
	KUNIT_CASE(attach_blocks_by_detach),
	KUNIT_CASE(attach_cannot_block),
	KUNIT_CASE(attach_half_way),
	KUNIT_CASE(attach_replay_fails),
	KUNIT_CASE(attach_map_leaving),
	KUNIT_CASE(attach_unknown_id),
	KUNIT_CASE(attach_all_unknown),
	KUNIT_CASE(attach_shared_id),
	KUNIT_CASE(attach_shared_id_goes),
	KUNIT_CASE(attach_release_bypass),
	KUNIT_CASE(attach_release_stuck),
	KUNIT_CASE(attach_stuck),
	KUNIT_CASE(attach_strays),
	{ }
};

static struct kunit_suite attach_suite = {
	.name = "virtio_iommu_attach",
	.init = attach_init,
	.test_cases = attach_cases,
};

kunit_test_suite(attach_suite);
