// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nesting on hardware that no test machine has, and errors of iommufd: what is asked of
 * it is answered, and written down, here.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include "../backend.h"
#include "../endpoint.h"
#include "../iommufd.h"
#include "../nest.h"
#include "../stage2.h"
#include "../table_request.h"
#include "../vhost_iommu.h"

#define PT		7U		/* the VMM's page table */
#define DEV_ID		3U
#define DOMAIN		1U
#define ARG_ADDR	0x7000000000ULL
#define ROOT		0x123456000ULL
#define ECAP_NEST	BIT_ULL(26)
#define CAP_1G		BIT_ULL(56)
#define RECORDS		(2 * VHOST_IOMMU_NEST_BATCH)

struct nest_test {
	struct vhost_iommu		vi;
	struct vhost_iommu_s2		s2;
	struct vhost_iommu_backend	backend;
	struct vhost_iommu_class	class;
	struct vhost_iommu_group	group, other;
	struct vhost_iommu_device	device;
	struct vfio_device		vdev;
	struct device			dev;
	struct dev_iommu		dev_iommu;
	struct iommu_device		iommu;
	struct vhost_iommu_domain	domain;
	struct vhost_iommu_hwdom	hw;

	/* What the IOMMU is */
	u32				hw_type;
	u32				hw_len;
	struct iommu_hw_info_vtd	vtd;
	/* An ioctl that fails, and with what */
	unsigned int			fail_cmd;
	int				error;

	struct iommu_hwpt_alloc		alloc;
	struct iommu_hwpt_vtd_s1	table;
	u32				objects, next_id;
	u32				calls;		/* of INVALIDATE */
	u32				nr;		/* of what follows */
	struct iommu_hwpt_vtd_s1_invalidate	inv[RECORDS];
};

static struct nest_test *current_nest(void)
{
	return kunit_get_current_test()->priv;
}

static u64 fake_arg(struct vhost_iommu_s2 *s2)
{
	return ARG_ADDR;
}

static void fake_hw_info(struct nest_test *t, struct iommu_hw_info *arg)
{
	KUNIT_EXPECT_EQ(kunit_get_current_test(), DEV_ID, arg->dev_id);
	arg->out_data_type = t->hw_type;
	memcpy((void *)arg + (arg->data_uptr - ARG_ADDR), &t->vtd, sizeof(t->vtd));
	arg->data_len = t->hw_len;
}

static void fake_alloc(struct nest_test *t, struct iommu_hwpt_alloc *arg)
{
	t->alloc = *arg;
	memcpy(&t->table, (void *)arg + (arg->data_uptr - ARG_ADDR),
	       min_t(size_t, arg->data_len, sizeof(t->table)));
	t->objects++;
	arg->out_hwpt_id = ++t->next_id;
}

static int fake_may(struct vhost_iommu_s2 *s2, unsigned int cmd)
{
	struct nest_test *t = current_nest();

	return cmd == t->fail_cmd ? t->error : 0;
}

static int fake_command(struct vhost_iommu_s2 *s2, unsigned int cmd, const void *data,
			size_t size)
{
	const struct iommu_hwpt_invalidate *arg = data;
	struct kunit *test = kunit_get_current_test();
	struct nest_test *t = current_nest();

	if (cmd == t->fail_cmd)
		return t->error;
	t->calls++;
	KUNIT_EXPECT_EQ(test, cmd, IOMMU_HWPT_INVALIDATE);
	KUNIT_EXPECT_EQ(test, t->hw.pt, arg->hwpt_id);
	KUNIT_EXPECT_EQ(test, ARG_ADDR + sizeof(*arg), arg->data_uptr);
	KUNIT_ASSERT_EQ(test, sizeof(t->inv[0]), arg->entry_len);
	KUNIT_ASSERT_EQ(test, size,
			sizeof(*arg) + arg->entry_num * arg->entry_len);
	KUNIT_ASSERT_LE(test, t->nr + arg->entry_num, RECORDS);
	memcpy(&t->inv[t->nr], arg + 1, arg->entry_num * arg->entry_len);
	t->nr += arg->entry_num;
	return 0;
}

static int fake_ioctl(struct vhost_iommu_s2 *s2, unsigned int cmd, void *arg,
		      size_t size)
{
	struct nest_test *t = current_nest();

	if (cmd == t->fail_cmd)
		return t->error;
	switch (cmd) {
	case IOMMU_GET_HW_INFO:
		fake_hw_info(t, arg);
		return 0;
	case IOMMU_HWPT_ALLOC:
		fake_alloc(t, arg);
		return 0;
	case IOMMU_DESTROY:
		t->objects--;
		return 0;
	default:
		return -ENOTTY;
	}
}

static void fake_block(struct vhost_iommu_group *group)
{
	group->attached_pt = 0;
}

static void hardware_init(struct nest_test *t)
{
	t->hw_type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	t->hw_len = sizeof(t->vtd);
	t->vtd.ecap_reg = ECAP_NEST;
	t->vtd.cap_reg = CAP_1G;
	t->dev_iommu.iommu_dev = &t->iommu;
	t->dev.iommu = &t->dev_iommu;
	t->vdev.dev = &t->dev;
	t->device.vdev = &t->vdev;
	t->device.id = DEV_ID;
}

static void group_init(struct nest_test *t, struct vhost_iommu_group *group, u32 pt)
{
	group->class = &t->class;
	group->attached_pt = pt;
	list_add(&group->list, &t->class.groups);
}

static int nest_init(struct kunit *test)
{
	struct nest_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	hardware_init(t);
	mutex_init(&t->vi.lock);
	INIT_LIST_HEAD(&t->vi.dirty);
	xa_init(&t->vi.endpoints);
	xa_init(&t->vi.domains);
	spin_lock_init(&t->vi.fault_lock);
	t->vi.s2 = &t->s2;
	init_rwsem(&t->s2.lock);
	t->backend.block = fake_block;
	t->s2.backend = &t->backend;
	t->class.s2 = &t->s2;
	INIT_LIST_HEAD(&t->class.groups);

	t->domain.vi = &t->vi;
	t->domain.root = ROOT;
	t->domain.pasids = VHOST_IOMMU_NO_TABLE;
	INIT_LIST_HEAD(&t->domain.endpoints);
	INIT_LIST_HEAD(&t->domain.nests);
	t->hw.owner = &t->domain;
	t->hw.class = &t->class;
	INIT_LIST_HEAD(&t->hw.dirty_list);
	list_add(&t->hw.owner_list, &t->domain.nests);

	kunit_activate_static_stub(test, vhost_iommu_iommufd_ioctl, fake_ioctl);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_may, fake_may);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_command, fake_command);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_arg, fake_arg);
	return 0;
}

static void nest_exit(struct kunit *test)
{
	struct nest_test *t = test->priv;

	xa_destroy(&t->vi.endpoints);
	xa_destroy(&t->vi.domains);
}

static struct vhost_iommu_nest *create(struct nest_test *t)
{
	struct vhost_iommu_nest *nest;

	mutex_lock(&t->vi.lock);
	down_write(&t->s2.lock);
	nest = vhost_iommu_nest_create(&t->vi, &t->device, PT);
	up_write(&t->s2.lock);
	mutex_unlock(&t->vi.lock);
	return nest;
}

static void vtd_is_found(struct kunit *test)
{
	struct nest_test *t = test->priv;
	struct vhost_iommu_nest *nest = create(t);

	KUNIT_ASSERT_FALSE(test, IS_ERR(nest));
	KUNIT_EXPECT_PTR_EQ(test, &vhost_iommu_nest_vtd, nest->format);
	KUNIT_EXPECT_EQ(test, SZ_4K | SZ_2M | SZ_1G, nest->sizes);
	/* Addresses are canonical. */
	KUNIT_EXPECT_EQ(test, BIT_ULL(47) - 1, nest->last);
	KUNIT_EXPECT_TRUE(test, vhost_iommu_nest_fits(nest, &t->device));
	/* A table was tried. */
	KUNIT_EXPECT_EQ(test, 1, t->next_id);
	KUNIT_EXPECT_EQ(test, 0, t->objects);
	vhost_iommu_nest_destroy(nest);

	t->vtd.cap_reg = 0;
	nest = create(t);
	KUNIT_ASSERT_FALSE(test, IS_ERR(nest));
	KUNIT_EXPECT_EQ(test, SZ_4K | SZ_2M, nest->sizes);
	t->dev_iommu.iommu_dev = NULL;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_nest_fits(nest, &t->device));
	vhost_iommu_nest_destroy(nest);
}

static void cannot(struct kunit *test, struct nest_test *t, int err)
{
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(err), (void *)create(t));
	KUNIT_EXPECT_EQ(test, 0, t->objects);
	hardware_init(t);
	t->fail_cmd = 0;
}

static void vtd_is_not_found(struct kunit *test)
{
	struct nest_test *t = test->priv;

	t->vtd.ecap_reg = ~ECAP_NEST;
	cannot(test, t, -EOPNOTSUPP);
	t->hw_type = IOMMU_HW_INFO_TYPE_NONE;
	cannot(test, t, -EOPNOTSUPP);
	t->hw_type = ~0U;
	cannot(test, t, -EOPNOTSUPP);
	t->hw_len--;
	cannot(test, t, -EOPNOTSUPP);
	t->fail_cmd = IOMMU_GET_HW_INFO;
	t->error = -ENOENT;
	cannot(test, t, -ENOENT);
	/* A page table that is no nesting parent */
	t->fail_cmd = IOMMU_HWPT_ALLOC;
	t->error = -EINVAL;
	cannot(test, t, -EINVAL);
	/* What a security module does not let the VMM do */
	t->fail_cmd = IOMMU_HWPT_INVALIDATE;
	t->error = -EACCES;
	cannot(test, t, -EACCES);
}

/* A hardware domain as there is one in a domain with a table. */
static void make_hwdom(struct kunit *test)
{
	struct nest_test *t = test->priv;

	t->class.nest = create(t);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t->class.nest));
	KUNIT_ASSERT_TRUE(test, vhost_iommu_nests(&t->domain, &t->class));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_nest_alloc(&t->hw, DEV_ID));
	group_init(t, &t->group, t->hw.pt);
	group_init(t, &t->other, PT);
}

static void free_hwdom(struct kunit *test)
{
	struct nest_test *t = test->priv;

	vhost_iommu_nest_free(&t->hw);
	vhost_iommu_nest_destroy(t->class.nest);
	KUNIT_EXPECT_EQ(test, 0, t->objects);
}

static void vtd_table(struct kunit *test)
{
	struct nest_test *t = test->priv;

	make_hwdom(test);
	KUNIT_EXPECT_EQ(test, DEV_ID, t->alloc.dev_id);
	KUNIT_EXPECT_EQ(test, PT, t->alloc.pt_id);
	KUNIT_EXPECT_EQ(test, IOMMU_HWPT_DATA_VTD_S1, t->alloc.data_type);
	KUNIT_EXPECT_EQ(test, sizeof(t->table), t->alloc.data_len);
	KUNIT_EXPECT_EQ(test, ROOT, t->table.pgtbl_addr);
	KUNIT_EXPECT_EQ(test, 48, t->table.addr_width);
	KUNIT_EXPECT_EQ(test, 0, t->table.flags);
	KUNIT_EXPECT_EQ(test, t->next_id, t->hw.pt);
	free_hwdom(test);
}

/* What domains the hardware has no part in. */
static void nested_domains(struct kunit *test)
{
	struct nest_test *t = test->priv;

	KUNIT_EXPECT_FALSE(test, vhost_iommu_nests(&t->domain, &t->class));
	make_hwdom(test);
	t->domain.arm = true;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_nests(&t->domain, &t->class));
	t->domain.arm = false;
	t->domain.root = VHOST_IOMMU_NO_TABLE;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_nests(&t->domain, &t->class));
	t->domain.pasids = ROOT;
	KUNIT_EXPECT_TRUE(test, vhost_iommu_nests(&t->domain, &t->class));
	free_hwdom(test);
}

static void invalidate(struct nest_test *t, u64 start, u64 last, bool leaf)
{
	const struct vhost_iommu_change change = {
		.start = start, .last = last, .leaf = leaf,
	};

	mutex_lock(&t->vi.lock);
	vhost_iommu_nest_invalidate(&t->domain, &change);
	mutex_unlock(&t->vi.lock);
}

static void no_table(struct kunit *test)
{
	struct nest_test *t = test->priv;

	t->domain.root = VHOST_IOMMU_NO_TABLE;
	t->domain.pasids = ROOT;
	make_hwdom(test);
	KUNIT_EXPECT_EQ(test, 0, t->hw.pt);
	KUNIT_EXPECT_EQ(test, 0, t->objects);
	invalidate(t, 0, U64_MAX, false);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vi.dirty));
	free_hwdom(test);
}

static void alloc_fails(struct kunit *test)
{
	struct nest_test *t = test->priv;

	make_hwdom(test);
	vhost_iommu_nest_free(&t->hw);
	t->fail_cmd = IOMMU_HWPT_ALLOC;
	t->error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, vhost_iommu_nest_alloc(&t->hw, DEV_ID));
	vhost_iommu_nest_destroy(t->class.nest);
	KUNIT_EXPECT_EQ(test, 0, t->objects);
}

static void flush(struct nest_test *t)
{
	mutex_lock(&t->vi.lock);
	vhost_iommu_nest_flush(&t->hw);
	mutex_unlock(&t->vi.lock);
}

static void expect_inv(struct kunit *test, unsigned int i, u64 addr, u64 npages,
		       u32 flags)
{
	struct nest_test *t = test->priv;

	KUNIT_ASSERT_LT(test, i, t->nr);
	KUNIT_EXPECT_EQ_MSG(test, addr, t->inv[i].addr, "%u", i);
	KUNIT_EXPECT_EQ_MSG(test, npages, t->inv[i].npages, "%u", i);
	KUNIT_EXPECT_EQ_MSG(test, flags, t->inv[i].flags, "%u", i);
}

static void vtd_invalidate(struct kunit *test)
{
	struct nest_test *t = test->priv;
	u64 last = BIT_ULL(47) - 1;

	make_hwdom(test);
	invalidate(t, 0x5000, 0x5fff, true);
	invalidate(t, 0x5000, 0x8fff, false);
	invalidate(t, 0x5001, 0x6000, false);
	invalidate(t, last - 0xfff, U64_MAX, false);
	invalidate(t, 0, U64_MAX, true);
	invalidate(t, 0, last - 0x1000, false);
	invalidate(t, last + 1, U64_MAX, false);
	KUNIT_EXPECT_EQ(test, 0, t->calls);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->vi.dirty));

	flush(t);
	KUNIT_EXPECT_EQ(test, 1, t->calls);
	KUNIT_ASSERT_EQ(test, 6, t->nr);
	expect_inv(test, 0, 0x5000, 1, IOMMU_VTD_INV_FLAGS_LEAF);
	expect_inv(test, 1, 0x5000, 4, 0);
	expect_inv(test, 2, 0x5000, 2, 0);
	expect_inv(test, 3, last - 0xfff, 1, 0);
	expect_inv(test, 4, 0, U64_MAX, IOMMU_VTD_INV_FLAGS_LEAF);
	expect_inv(test, 5, 0, (last - 0xfff) >> 12, 0);

	flush(t);
	KUNIT_EXPECT_EQ(test, 1, t->calls);
	free_hwdom(test);
}

/* A batch that is full goes, and nothing of it is left in the next. */
static void full_batch(struct kunit *test)
{
	struct nest_test *t = test->priv;
	unsigned int i;

	make_hwdom(test);
	for (i = 0; i < VHOST_IOMMU_NEST_BATCH; i++)
		invalidate(t, i * SZ_4K, (i + 1) * SZ_4K - 1, true);
	invalidate(t, i * SZ_4K, (i + 1) * SZ_4K - 1, false);
	KUNIT_EXPECT_EQ(test, 1, t->calls);
	KUNIT_EXPECT_EQ(test, VHOST_IOMMU_NEST_BATCH, t->nr);
	flush(t);
	KUNIT_EXPECT_EQ(test, 2, t->calls);
	KUNIT_ASSERT_EQ(test, VHOST_IOMMU_NEST_BATCH + 1, t->nr);
	for (i = 0; i < VHOST_IOMMU_NEST_BATCH; i++)
		expect_inv(test, i, i * SZ_4K, 1, IOMMU_VTD_INV_FLAGS_LEAF);
	expect_inv(test, i, i * SZ_4K, 1, 0);
	free_hwdom(test);
}

/* What the guest wants to be gone is gone. */
static void invalidation_fails(struct kunit *test)
{
	struct nest_test *t = test->priv;

	make_hwdom(test);
	invalidate(t, 0, SZ_4K - 1, true);
	t->fail_cmd = IOMMU_HWPT_INVALIDATE;
	t->error = -ENOENT;
	flush(t);
	KUNIT_EXPECT_EQ(test, 0, t->group.attached_pt);
	KUNIT_EXPECT_EQ(test, PT, t->other.attached_pt);
	t->fail_cmd = 0;
	flush(t);
	KUNIT_EXPECT_EQ(test, 0, t->calls);
	free_hwdom(test);
}

/* An entry of a PASID table that is not valid any more. */
static void table_goes(struct kunit *test)
{
	struct nest_test *t = test->priv;

	make_hwdom(test);
	invalidate(t, 0, SZ_4K - 1, true);
	mutex_lock(&t->vi.lock);
	vhost_iommu_nest_clear(&t->domain);
	mutex_unlock(&t->vi.lock);
	KUNIT_EXPECT_EQ(test, 0, t->group.attached_pt);
	KUNIT_EXPECT_EQ(test, PT, t->other.attached_pt);
	KUNIT_EXPECT_EQ(test, 0, t->hw.pt);
	KUNIT_EXPECT_EQ(test, 0, t->objects);
	flush(t);
	KUNIT_EXPECT_EQ(test, 0, t->calls);
	free_hwdom(test);
}

/* An INVALIDATE of a page of the address space @asid. */
static u8 invalidate_asid(struct nest_test *t, u64 asid)
{
	const struct virtio_iommu_req_invalidate req = {
		.inv_gran = cpu_to_le16(VIRTIO_IOMMU_INVAL_G_VA),
		.inv_type = cpu_to_le16(VIRTIO_IOMMU_INV_T_IOTLB),
		.flags = cpu_to_le16(VIRTIO_IOMMU_INVAL_F_PASID |
				     VIRTIO_IOMMU_INVAL_F_ARCHID),
		.domain = cpu_to_le32(DOMAIN),
		.archid = cpu_to_le64(asid),
		.nr_pages = cpu_to_le64(1),
		.granule = PAGE_SHIFT,
	};
	bool wide;
	u8 status;

	mutex_lock(&t->vi.lock);
	down_read(&t->s2.lock);
	status = vhost_iommu_invalidate_table(&t->vi, &req, &wide);
	up_read(&t->s2.lock);
	mutex_unlock(&t->vi.lock);
	return status;
}

/* An SMMU stops at a command that it calls illegal, and the host's kernel logs it. */
static void asid_bits(struct kunit *test)
{
	struct nest_test *t = test->priv;
	struct vhost_iommu_nest nest = { .asid_bits = 8 };

	t->vi.config.page_size_mask = SZ_4K;
	t->class.nest = &nest;
	t->domain.arm = true;
	t->domain.pasids = ROOT;
	KUNIT_ASSERT_EQ(test, 0, xa_err(xa_store(&t->vi.domains, DOMAIN,
						 &t->domain, GFP_KERNEL)));
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, invalidate_asid(t, 0xff));
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_RANGE, invalidate_asid(t, 0x100));
	nest.asid_bits = 16;
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, invalidate_asid(t, 0x100));
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_RANGE, invalidate_asid(t, 0x10000));
	list_del(&t->hw.owner_list);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_RANGE, invalidate_asid(t, 0x10000));
}

static struct kunit_case nest_cases[] = {
	KUNIT_CASE(vtd_is_found),
	KUNIT_CASE(vtd_is_not_found),
	KUNIT_CASE(vtd_table),
	KUNIT_CASE(nested_domains),
	KUNIT_CASE(no_table),
	KUNIT_CASE(alloc_fails),
	KUNIT_CASE(vtd_invalidate),
	KUNIT_CASE(full_batch),
	KUNIT_CASE(invalidation_fails),
	KUNIT_CASE(table_goes),
	KUNIT_CASE(asid_bits),
	{}
};

static struct kunit_suite nest_suite = {
	.name = "vhost_iommu_nest",
	.init = nest_init,
	.exit = nest_exit,
	.test_cases = nest_cases,
};

kunit_test_suites(&nest_suite);
