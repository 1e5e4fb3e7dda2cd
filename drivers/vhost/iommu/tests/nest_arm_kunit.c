// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nesting on an SMMUv3: what is asked of iommufd for it, which commands the SMMU gets, and
 * what becomes of its events. iommufd is here.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include "../endpoint.h"
#include "../iommufd.h"
#include "../nest.h"
#include "../stage2.h"
#include "../table.h"
#include "../vevent.h"
#include "../vhost_iommu.h"

#define PARENT		7U		/* a page table of the VMM's */
#define DEV_ID		3U
#define EP_ID		0x28U
#define ARG_ADDR	0x7000000000ULL
#define DESCRIPTORS	0x123456000ULL
#define COHERENT	BIT(4)
#define ASID16		BIT(12)
#define NO_STALL_MODEL	BIT(24)
#define GRANULE_4K	BIT(4)
#define OUTPUT_44	4
#define COMMANDS	VHOST_IOMMU_NEST_BATCH

struct command {
	u64	word[2];
};

struct arm_test {
	struct vhost_iommu		vi;
	struct vhost_iommu_s2		s2;
	struct vhost_iommu_class	class;
	struct vhost_iommu_device	device;
	struct vfio_device		vdev;
	struct device			dev;
	struct dev_iommu		dev_iommu;
	struct iommu_device		iommu;
	struct vhost_iommu_domain	domain;
	struct vhost_iommu_hwdom	hw, other_hw;
	struct vhost_iommu_ep		ep, other_ep;

	/* What the SMMU is */
	struct iommu_hw_info_arm_smmuv3	smmu;
	/* An ioctl that fails, and with what; whether there are no events */
	unsigned int			fail_cmd;
	int				error;
	int				no_events;

	struct iommu_viommu_alloc	viommu;
	struct iommu_vdevice_alloc	vdevice;
	struct iommu_hwpt_alloc		alloc;
	struct iommu_hwpt_arm_smmuv3	table;
	u32				objects, next_id;
	u32				events_type;
	bool				has_events;
	struct command			command[COMMANDS];
	u32				nr;
};

static struct arm_test *current_arm(void)
{
	return kunit_get_current_test()->priv;
}

static u64 fake_arg(struct vhost_iommu_s2 *s2)
{
	return ARG_ADDR;
}

static u32 new_object(struct arm_test *t)
{
	t->objects++;
	return ++t->next_id;
}

static void fake_alloc(struct arm_test *t, struct iommu_hwpt_alloc *arg)
{
	t->alloc = *arg;
	memcpy(&t->table, (void *)arg + (arg->data_uptr - ARG_ADDR),
	       min_t(size_t, arg->data_len, sizeof(t->table)));
	arg->out_hwpt_id = new_object(t);
}

static void fake_hw_info(struct arm_test *t, struct iommu_hw_info *arg)
{
	arg->out_data_type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3;
	memcpy((void *)arg + (arg->data_uptr - ARG_ADDR), &t->smmu,
	       sizeof(t->smmu));
	arg->data_len = sizeof(t->smmu);
}

static int fake_may(struct vhost_iommu_s2 *s2, unsigned int cmd)
{
	struct arm_test *t = current_arm();

	return cmd == t->fail_cmd ? t->error : 0;
}

static int fake_command(struct vhost_iommu_s2 *s2, unsigned int cmd, const void *data,
			size_t size)
{
	const struct iommu_hwpt_invalidate *arg = data;
	struct kunit *test = kunit_get_current_test();
	const __le64 *word = (void *)(arg + 1);
	struct arm_test *t = current_arm();
	u32 i;

	KUNIT_EXPECT_EQ(test, cmd, IOMMU_HWPT_INVALIDATE);
	KUNIT_EXPECT_EQ(test, t->class.nest->viommu, arg->hwpt_id);
	KUNIT_EXPECT_EQ(test, IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
			arg->data_type);
	KUNIT_ASSERT_LE(test, t->nr + arg->entry_num, COMMANDS);
	for (i = 0; i < 2 * arg->entry_num; i++)
		t->command[t->nr + i / 2].word[i % 2] = le64_to_cpu(word[i]);
	t->nr += arg->entry_num;
	return 0;
}

static int fake_ioctl(struct vhost_iommu_s2 *s2, unsigned int cmd, void *arg,
		      size_t size)
{
	struct arm_test *t = current_arm();

	if (cmd == t->fail_cmd)
		return t->error;
	switch (cmd) {
	case IOMMU_GET_HW_INFO:
		fake_hw_info(t, arg);
		return 0;
	case IOMMU_HWPT_ALLOC:
		fake_alloc(t, arg);
		return 0;
	case IOMMU_VIOMMU_ALLOC:
		t->viommu = *(struct iommu_viommu_alloc *)arg;
		((struct iommu_viommu_alloc *)arg)->out_viommu_id = new_object(t);
		return 0;
	case IOMMU_VDEVICE_ALLOC:
		t->vdevice = *(struct iommu_vdevice_alloc *)arg;
		((struct iommu_vdevice_alloc *)arg)->out_vdevice_id = new_object(t);
		return 0;
	case IOMMU_DESTROY:
		t->objects--;
		return 0;
	default:
		return -ENOTTY;
	}
}

static struct vhost_iommu_vevents *fake_events(struct vhost_iommu_nest *nest,
					       u32 type)
{
	struct arm_test *t = current_arm();

	if (t->no_events)
		return ERR_PTR(t->no_events);
	t->events_type = type;
	t->has_events = true;
	return (void *)t;
}

static void fake_events_end(struct vhost_iommu_vevents *events)
{
	current_arm()->has_events = false;
}

static void smmu_init(struct arm_test *t)
{
	t->smmu.idr[0] = COHERENT | ASID16 | NO_STALL_MODEL;
	t->smmu.idr[5] = GRANULE_4K | OUTPUT_44;
	t->fail_cmd = 0;
	t->no_events = 0;
}

static void domain_init(struct arm_test *t)
{
	t->domain.vi = &t->vi;
	t->domain.arm = true;
	t->domain.root = VHOST_IOMMU_NO_TABLE;
	t->domain.pasids = DESCRIPTORS;
	INIT_LIST_HEAD(&t->domain.endpoints);
	INIT_LIST_HEAD(&t->domain.nests);
	t->ep.id = EP_ID;
	t->ep.hwdom = &t->hw;
	list_add(&t->ep.domain_list, &t->domain.endpoints);
	/* Of the same domain, behind another SMMU */
	t->other_ep.id = EP_ID + 1;
	t->other_ep.hwdom = &t->other_hw;
	list_add(&t->other_ep.domain_list, &t->domain.endpoints);
	t->hw.owner = &t->domain;
	t->hw.class = &t->class;
	INIT_LIST_HEAD(&t->hw.dirty_list);
	list_add(&t->hw.owner_list, &t->domain.nests);
}

static int arm_init(struct kunit *test)
{
	struct arm_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	smmu_init(t);
	t->dev_iommu.iommu_dev = &t->iommu;
	t->dev.iommu = &t->dev_iommu;
	t->vdev.dev = &t->dev;
	t->device.vdev = &t->vdev;
	t->device.id = DEV_ID;
	mutex_init(&t->vi.lock);
	INIT_LIST_HEAD(&t->vi.dirty);
	xa_init(&t->vi.endpoints);
	spin_lock_init(&t->vi.fault_lock);
	t->vi.s2 = &t->s2;
	init_rwsem(&t->s2.lock);
	t->class.s2 = &t->s2;
	INIT_LIST_HEAD(&t->class.groups);
	domain_init(t);

	kunit_activate_static_stub(test, vhost_iommu_iommufd_ioctl, fake_ioctl);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_may, fake_may);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_command, fake_command);
	kunit_activate_static_stub(test, vhost_iommu_iommufd_arg, fake_arg);
	kunit_activate_static_stub(test, vhost_iommu_vevents_create, fake_events);
	kunit_activate_static_stub(test, vhost_iommu_vevents_destroy,
				   fake_events_end);
	return 0;
}

static void arm_exit(struct kunit *test)
{
	struct arm_test *t = test->priv;

	xa_destroy(&t->vi.endpoints);
}

static struct vhost_iommu_nest *create(struct arm_test *t)
{
	struct vhost_iommu_nest *nest;

	mutex_lock(&t->vi.lock);
	down_write(&t->s2.lock);
	nest = vhost_iommu_nest_create(&t->vi, &t->device, PARENT);
	up_write(&t->s2.lock);
	mutex_unlock(&t->vi.lock);
	return nest;
}

static void destroy(struct kunit *test, struct vhost_iommu_nest *nest)
{
	struct arm_test *t = test->priv;

	vhost_iommu_nest_destroy(nest);
	KUNIT_EXPECT_EQ(test, 0, t->objects);
	KUNIT_EXPECT_FALSE(test, t->has_events);
}

static void smmu_is_found(struct kunit *test)
{
	struct arm_test *t = test->priv;
	struct vhost_iommu_nest *nest = create(t);

	KUNIT_ASSERT_FALSE(test, IS_ERR(nest));
	KUNIT_EXPECT_PTR_EQ(test, &vhost_iommu_nest_arm, nest->format);
	KUNIT_EXPECT_EQ(test, SZ_4K | SZ_2M | SZ_1G, nest->sizes);
	KUNIT_EXPECT_EQ(test, VHOST_IOMMU_TABLE_LAST, nest->last);
	KUNIT_EXPECT_EQ(test, 44, nest->output_bits);
	KUNIT_EXPECT_EQ(test, 16, nest->asid_bits);
	KUNIT_EXPECT_FALSE(test, nest->no_stall);
	KUNIT_EXPECT_EQ(test, IOMMU_VIOMMU_TYPE_ARM_SMMUV3, t->viommu.type);
	KUNIT_EXPECT_EQ(test, DEV_ID, t->viommu.dev_id);
	KUNIT_EXPECT_EQ(test, PARENT, t->viommu.hwpt_id);
	KUNIT_EXPECT_EQ(test, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, t->events_type);
	/* The vIOMMU is there; a table was tried on it, and is gone. */
	KUNIT_EXPECT_EQ(test, nest->viommu, t->alloc.pt_id);
	KUNIT_EXPECT_EQ(test, 1, t->objects);
	destroy(test, nest);

	t->smmu.idr[0] = COHERENT;
	t->smmu.idr[5] = GRANULE_4K | 7;
	nest = create(t);
	KUNIT_ASSERT_FALSE(test, IS_ERR(nest));
	KUNIT_EXPECT_EQ(test, 8, nest->asid_bits);
	KUNIT_EXPECT_EQ(test, 48, nest->output_bits);
	KUNIT_EXPECT_TRUE(test, nest->no_stall);
	destroy(test, nest);
}

static void cannot(struct kunit *test, int err)
{
	struct arm_test *t = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(err), (void *)create(t));
	KUNIT_EXPECT_EQ(test, 0, t->objects);
	KUNIT_EXPECT_FALSE(test, t->has_events);
	smmu_init(t);
}

/* What was made on the way goes. */
static void smmu_is_not_found(struct kunit *test)
{
	struct arm_test *t = test->priv;

	t->smmu.idr[0] = ~COHERENT;
	cannot(test, -EOPNOTSUPP);
	t->smmu.idr[5] = ~GRANULE_4K;
	cannot(test, -EOPNOTSUPP);
	t->fail_cmd = IOMMU_VIOMMU_ALLOC;
	t->error = -EOPNOTSUPP;
	cannot(test, -EOPNOTSUPP);
	t->no_events = -ENOMEM;
	cannot(test, -ENOMEM);
	t->fail_cmd = IOMMU_HWPT_ALLOC;
	t->error = -EIO;
	cannot(test, -EIO);
}

static void devices_join(struct kunit *test)
{
	struct arm_test *t = test->priv;
	struct vhost_iommu_nest *nest = create(t);

	KUNIT_ASSERT_FALSE(test, IS_ERR(nest));
	t->fail_cmd = IOMMU_VDEVICE_ALLOC;
	t->error = -EEXIST;
	KUNIT_EXPECT_EQ(test, -EEXIST,
			vhost_iommu_nest_join(nest, &t->device, EP_ID));
	vhost_iommu_nest_leave(nest, &t->device);
	KUNIT_EXPECT_EQ(test, 1, t->objects);

	t->fail_cmd = 0;
	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_nest_join(nest, &t->device, EP_ID));
	KUNIT_EXPECT_EQ(test, nest->viommu, t->vdevice.viommu_id);
	KUNIT_EXPECT_EQ(test, DEV_ID, t->vdevice.dev_id);
	KUNIT_EXPECT_EQ(test, EP_ID, t->vdevice.virt_id);
	KUNIT_EXPECT_EQ(test, 2, t->objects);
	vhost_iommu_nest_leave(nest, &t->device);
	vhost_iommu_nest_leave(nest, &t->device);
	KUNIT_EXPECT_EQ(test, 1, t->objects);
	destroy(test, nest);
}

/* A hardware domain as there is one in a domain of context descriptors. */
static void make_hwdom(struct kunit *test)
{
	struct arm_test *t = test->priv;

	t->class.nest = create(t);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t->class.nest));
	KUNIT_ASSERT_TRUE(test, vhost_iommu_nests(&t->domain, &t->class));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_nest_alloc(&t->hw, DEV_ID));
}

static void free_hwdom(struct kunit *test)
{
	struct arm_test *t = test->priv;

	vhost_iommu_nest_free(&t->hw);
	destroy(test, t->class.nest);
}

/* The words of a stream table entry: valid, stage 1, where the descriptors are. */
static void entry_of_the_guest(struct kunit *test)
{
	struct arm_test *t = test->priv;

	make_hwdom(test);
	KUNIT_EXPECT_EQ(test, t->class.nest->viommu, t->alloc.pt_id);
	KUNIT_EXPECT_EQ(test, IOMMU_HWPT_DATA_ARM_SMMUV3, t->alloc.data_type);
	KUNIT_EXPECT_EQ(test, sizeof(t->table), t->alloc.data_len);
	KUNIT_EXPECT_EQ(test, DESCRIPTORS | 0xb, le64_to_cpu(t->table.ste[0]));
	KUNIT_EXPECT_EQ(test, 0xd4, le64_to_cpu(t->table.ste[1]));
	free_hwdom(test);

	/* An SMMU that could have the device stall */
	t->smmu.idr[0] = COHERENT | ASID16;
	make_hwdom(test);
	KUNIT_EXPECT_EQ(test, 0xd4 | BIT(27), le64_to_cpu(t->table.ste[1]));
	free_hwdom(test);
}

static void invalidate(struct arm_test *t, struct vhost_iommu_change change)
{
	t->nr = 0;
	mutex_lock(&t->vi.lock);
	vhost_iommu_nest_invalidate(&t->domain, &change);
	vhost_iommu_nest_flush(&t->hw);
	list_del_init(&t->hw.dirty_list);
	mutex_unlock(&t->vi.lock);
}

#define INVALIDATE(t, ...) \
	invalidate(t, (struct vhost_iommu_change) { __VA_ARGS__ })

static void expect_command(struct kunit *test, unsigned int i, u64 word0, u64 word1)
{
	struct arm_test *t = test->priv;

	KUNIT_ASSERT_LT(test, i, t->nr);
	KUNIT_EXPECT_EQ_MSG(test, word0, t->command[i].word[0], "%u", i);
	KUNIT_EXPECT_EQ_MSG(test, word1, t->command[i].word[1], "%u", i);
}

/* TLBI_NH_VA is 0x12, TLBI_NH_ASID 0x11, TLBI_NH_ALL 0x10; an ASID is in the upper bits. */
static void ranges(struct kunit *test)
{
	const u64 asid = 0xabcdULL << 48, last = VHOST_IOMMU_TABLE_LAST;
	struct arm_test *t = test->priv;

	make_hwdom(test);
	INVALIDATE(t, .start = 0x5000, .last = 0x6fff, .asid = 0xabcd,
		   .has_asid = true);
	KUNIT_EXPECT_EQ(test, 2, t->nr);
	expect_command(test, 0, 0x12 | asid, 0x5000);
	expect_command(test, 1, 0x12 | asid, 0x6000);

	INVALIDATE(t, .start = 0x5800, .last = 0x5fff, .asid = 0xabcd,
		   .has_asid = true, .leaf = true);
	KUNIT_EXPECT_EQ(test, 1, t->nr);
	expect_command(test, 0, 0x12 | asid, 0x5001);

	INVALIDATE(t, .start = 0, .last = 32 * SZ_4K - 1, .asid = 0xabcd,
		   .has_asid = true);
	KUNIT_EXPECT_EQ(test, 32, t->nr);
	expect_command(test, 31, 0x12 | asid, 31 * SZ_4K);

	/* More than that, and above what a table can have */
	INVALIDATE(t, .start = 0, .last = 32 * SZ_4K, .asid = 0xabcd,
		   .has_asid = true);
	KUNIT_EXPECT_EQ(test, 1, t->nr);
	expect_command(test, 0, 0x11 | asid, 0);
	INVALIDATE(t, .start = last - 0xfff, .last = last + SZ_4K, .asid = 0xabcd,
		   .has_asid = true);
	KUNIT_EXPECT_EQ(test, 1, t->nr);
	expect_command(test, 0, 0x12 | asid, last - 0xfff);

	INVALIDATE(t, .start = 0x5000, .last = 0x5fff);
	KUNIT_EXPECT_EQ(test, 1, t->nr);
	expect_command(test, 0, 0x10, 0);
	free_hwdom(test);
}

/*
 * CFGI_CD is 0x05, CFGI_CD_ALL 0x06; the device is in the upper half. That of another
 * SMMU is not this one's.
 */
static void descriptors(struct kunit *test)
{
	const u64 sid = (u64)EP_ID << 32, asid = 1ULL << 48;
	struct arm_test *t = test->priv;

	make_hwdom(test);
	INVALIDATE(t, .start = 0, .last = U64_MAX, .asid = 1, .has_asid = true,
		   .entries = true);
	KUNIT_EXPECT_EQ(test, 2, t->nr);
	expect_command(test, 0, 0x05 | sid, 1);
	expect_command(test, 1, 0x11 | asid, 0);

	INVALIDATE(t, .start = 0, .last = U64_MAX, .entries = true);
	KUNIT_EXPECT_EQ(test, 2, t->nr);
	expect_command(test, 0, 0x06 | sid, 0);
	expect_command(test, 1, 0x10, 0);
	free_hwdom(test);
}

/* Report an event, and take the fault that comes of it; false: none does. */
static bool report(struct kunit *test, u8 type, u32 sid, u64 flags,
		   struct virtio_iommu_fault *fault)
{
	const __le64 event[4] = {
		cpu_to_le64(type | (u64)sid << 32), cpu_to_le64(flags),
		cpu_to_le64(0x123456789000),
	};
	struct arm_test *t = test->priv;
	bool found;

	t->class.nest->format->report(t->class.nest, event);
	*fault = t->vi.faults[t->vi.fault_head];
	found = t->vi.fault_count;
	KUNIT_EXPECT_GE(test, 1, t->vi.fault_count);
	t->vi.fault_count = 0;
	return found;
}

static void events(struct kunit *test)
{
	static const u8 translation[] = { 0x10, 0x11, 0x12, 0x13 };
	const u64 is_read = BIT_ULL(35);
	struct arm_test *t = test->priv;
	struct virtio_iommu_fault f;
	unsigned int i;

	make_hwdom(test);
	KUNIT_ASSERT_EQ(test, 0, xa_err(xa_store(&t->vi.endpoints, EP_ID, &t->ep,
						 GFP_KERNEL)));
	for (i = 0; i < ARRAY_SIZE(translation); i++) {
		KUNIT_EXPECT_TRUE(test, report(test, translation[i], EP_ID, 0, &f));
		KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_FAULT_R_MAPPING, f.reason);
		KUNIT_EXPECT_EQ(test, EP_ID, le32_to_cpu(f.endpoint));
		KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_FAULT_F_ADDRESS |
				VIRTIO_IOMMU_FAULT_F_WRITE, le32_to_cpu(f.flags));
		KUNIT_EXPECT_EQ(test, 0x123456789000, le64_to_cpu(f.address));
	}
	KUNIT_EXPECT_TRUE(test, report(test, 0x10, EP_ID, is_read, &f));
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_FAULT_F_ADDRESS |
			VIRTIO_IOMMU_FAULT_F_READ, le32_to_cpu(f.flags));

	/* A bad descriptor: there is no address. */
	KUNIT_EXPECT_TRUE(test, report(test, 0x0a, EP_ID, is_read, &f));
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_FAULT_R_UNKNOWN, f.reason);
	KUNIT_EXPECT_EQ(test, 0, le32_to_cpu(f.flags));
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(f.address));

	/* Of a device that is no endpoint */
	KUNIT_EXPECT_FALSE(test, report(test, 0x10, EP_ID + 1, 0, &f));
	free_hwdom(test);
}

static struct kunit_case arm_cases[] = {
	KUNIT_CASE(smmu_is_found),
	KUNIT_CASE(smmu_is_not_found),
	KUNIT_CASE(devices_join),
	KUNIT_CASE(entry_of_the_guest),
	KUNIT_CASE(ranges),
	KUNIT_CASE(descriptors),
	KUNIT_CASE(events),
	{}
};

static struct kunit_suite arm_suite = {
	.name = "vhost_iommu_nest_arm",
	.init = arm_init,
	.exit = arm_exit,
	.test_cases = arm_cases,
};

kunit_test_suites(&arm_suite);
