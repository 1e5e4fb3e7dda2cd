// SPDX-License-Identifier: GPL-2.0-only
/*
 * With mock devices, whose IOMMU a test can look into: what is mapped in a page table of
 * ours, which page table a device is attached to and how it got there, attachments that
 * fail, and what is dirty as the hardware keeps track of it. Needs mock_vfio, a kernel with
 * IOMMUFD_TEST, and no other IOMMU.
 */
#include <iommufd_test.h>

#include "../mock_vfio/mock_vfio.h"
#include "inject.h"
#include "test.h"

#define PARAMETER	"/sys/module/mock_vfio/parameters/device"
#define BUS		"iommufd_mock"
#define EP2		(EP + 8)

#define PAGE		0x1000UL
#define MOCK_PAGE	(PAGE / 2)
#define R		VIRTIO_IOMMU_MAP_F_READ
#define W		VIRTIO_IOMMU_MAP_F_WRITE

/* Memory is where mock devices reach it. */
#define MEM		0x2000000UL
#define PAGES		(RAM_SIZE / PAGE)
#define IOVA		0x4000000UL

FIXTURE(mock)
{
	struct vm vm;
	struct edu dev, dev2;
	__u32 stdev;
	__u64 bitmap[PAGES / 64];
};

static int mock_op(const struct edu *dev, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(dev->container, IOMMU_TEST_CMD, cmd);
}

/* The device with this number, attached to a page table of its own, which is empty. */
static int mock_open(struct edu *dev, unsigned int number, __u32 flags)
{
	struct iommu_ioas_alloc empty = { .size = sizeof(empty) };
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind), .iommufd = dev->container,
	};
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS };

	if (ioctl(dev->container, IOMMU_IOAS_ALLOC, &empty))
		return -1;
	cmd.id = empty.out_ioas_id;
	cmd.mock_domain_flags.dev_flags = flags;
	if (mock_op(dev, &cmd))
		return -1;
	snprintf(dev->name, sizeof(dev->name), BUS "%u", number);
	if (!write_file(PARAMETER, dev->name))
		return -1;
	dev->device = iommufd_open_cdev_on(BUS, dev->name);
	if (dev->device < 0 ||
	    ioctl(dev->device, VFIO_DEVICE_BIND_IOMMUFD, &bind) ||
	    ioctl(dev->device, MOCK_VFIO_SET_EMPTY, &empty.out_ioas_id))
		return -1;
	dev->dev_id = bind.out_devid;
	return dev->pt_id ? 0 : iommufd_alloc_pt(dev, dev->dev_id);
}

/* One more, in the iommufd of the first. */
static int mock_join(struct edu *dev, const struct edu *first, __u32 flags)
{
	*dev = *first;
	return mock_open(dev, 1, flags);
}

static void mock_close(struct edu *dev)
{
	if (dev->device > 0)
		close(dev->device);
}

FIXTURE_SETUP(mock)
{
	struct vm *vm = &self->vm;

	if (access(PARAMETER, F_OK))
		SKIP(return, "mock_vfio is not loaded");
	setenv("IOMMUFD", "1", 1);
	ASSERT_EQ(0, vm_create(vm));
	ASSERT_EQ(0, iommufd_open(&self->dev));
	ASSERT_EQ(0, edu_set_iommufd(&self->dev, vm));
	ASSERT_EQ(0, mock_open(&self->dev, 0, 0));
	ASSERT_EQ(0, s2_map(&self->dev, vm->ram, MEM, RAM_SIZE, DMA_RW));
	ASSERT_EQ(0, edu_add_endpoint(&self->dev, vm, EP));
	ASSERT_EQ(0, vm_run(vm, 1));
}

FIXTURE_TEARDOWN(mock)
{
	if (!self->dev.container)
		return;
	mock_close(&self->dev2);
	mock_close(&self->dev);
	vm_destroy(&self->vm);
	close(self->dev.container);
}

static struct mock_vfio_state state_of(const struct edu *dev)
{
	struct mock_vfio_state state;

	if (ioctl(dev->device, MOCK_VFIO_GET_STATE, &state))
		abort();
	return state;
}

#define pt_of(dev)	(state_of(dev).pt)

/* How often since the last look? */
static bool moved(const struct edu *dev, struct mock_vfio_state *old, __u32 attached,
		  __u32 failed, __u32 detached)
{
	struct mock_vfio_state before = *old;

	*old = state_of(dev);
	return old->attached - before.attached == attached &&
	       old->failed - before.failed == failed &&
	       old->detached - before.detached == detached;
}

static int have_fail(const struct edu *dev, __u32 mask)
{
	return ioctl(dev->device, MOCK_VFIO_FAIL, &mask);
}

/* Does page table @pt have memory of the guest's at @iova? */
static bool is_mapped(const struct edu *dev, __u32 pt, __u64 iova, __u64 size,
		      const void *ram)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_MAP, .id = pt,
		.check_map = { .iova = iova, .length = size,
			       .uptr = (uintptr_t)ram },
	};

	return !mock_op(dev, &cmd);
}

/* Do @pins hold each page? */
static bool is_pinned(const struct edu *dev, void *ram, __u64 size, __u32 pins)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_REFS,
		.check_refs = { .length = size, .uptr = (uintptr_t)ram,
				.refs = pins },
	};

	return !mock_op(dev, &cmd);
}

/* Let the device write to a page, by what it is attached to. */
static int mock_writes(const struct edu *dev, __u64 iova)
{
	__u64 first = 1;
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DIRTY, .id = pt_of(dev),
		.dirty = { .iova = iova, .length = MOCK_PAGE,
			   .page_size = MOCK_PAGE, .uptr = (uintptr_t)&first },
	};

	if (mock_op(dev, &cmd))
		return -1;
	return cmd.dirty.out_nr_dirty == 1 ? 0 : -1;
}

/* What a guest maps is in the page table, and what it unmaps is not. */
TEST_F(mock, mappings)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	__u32 pt;

	EXPECT_TRUE(is_mapped(dev, dev->pt_id, MEM, RAM_SIZE, vm->ram));
	EXPECT_TRUE(is_pinned(dev, vm->ram, RAM_SIZE, 1));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	pt = pt_of(dev);
	EXPECT_NE(dev->pt_id, pt);
	EXPECT_STATUS(OK, map(vm, 1, IOVA, 2 * PAGE, MEM + 3 * PAGE, RW));
	EXPECT_STATUS(OK, map(vm, 1, IOVA + 2 * PAGE, PAGE, MEM, R));
	EXPECT_TRUE(is_mapped(dev, pt, IOVA, 2 * PAGE, vm->ram + 3 * PAGE));
	EXPECT_TRUE(is_mapped(dev, pt, IOVA + 2 * PAGE, PAGE, vm->ram));
	EXPECT_FALSE(is_mapped(dev, pt, IOVA + 3 * PAGE, PAGE, vm->ram + PAGE));

	/* A copy shares the pin. */
	EXPECT_TRUE(is_pinned(dev, vm->ram, RAM_SIZE, 1));
	EXPECT_STATUS(OK, unmap(vm, 1, IOVA, 2 * PAGE));
	EXPECT_FALSE(is_mapped(dev, pt, IOVA, MOCK_PAGE, vm->ram + 3 * PAGE));
	EXPECT_FALSE(is_mapped(dev, pt, IOVA + PAGE, MOCK_PAGE,
			       vm->ram + 4 * PAGE));
	EXPECT_TRUE(is_mapped(dev, pt, IOVA + 2 * PAGE, PAGE, vm->ram));

	/* Outside of what the IOMMU can map */
	EXPECT_STATUS(INVAL, map(vm, 1, MOCK_APERTURE_LAST + 1UL, PAGE, MEM, RW));
	EXPECT_STATUS(INVAL, map(vm, 1, MOCK_APERTURE_START - PAGE, PAGE, MEM,
				 RW));
}

/* From one page table to the next without a gap. */
TEST_F(mock, moves)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	struct mock_vfio_state old = state_of(dev);
	__u32 first, other;

	EXPECT_EQ(dev->pt_id, old.pt);
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_TRUE(moved(dev, &old, 1, 0, 0));
	first = pt_of(dev);
	EXPECT_STATUS(OK, map(vm, 1, IOVA, PAGE, MEM, RW));
	EXPECT_STATUS(OK, attach(vm, 2, EP, 0));
	EXPECT_TRUE(moved(dev, &old, 1, 0, 0));
	other = pt_of(dev);
	EXPECT_NE(first, other);

	/* The first one had no other device, and is gone. */
	EXPECT_FALSE(is_mapped(dev, first, IOVA, PAGE, vm->ram));
	EXPECT_STATUS(OK, detach(vm, 2, EP));
	EXPECT_TRUE(moved(dev, &old, 1, 0, 0));
	EXPECT_EQ(dev->pt_id, pt_of(dev));

	EXPECT_EQ(0, set_bypass(vm, 0));
	EXPECT_TRUE(moved(dev, &old, 0, 0, 1));
	EXPECT_EQ(0, pt_of(dev));
	EXPECT_STATUS(OK, attach(vm, 1, EP, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_TRUE(moved(dev, &old, 1, 0, 0));
	EXPECT_EQ(dev->pt_id, pt_of(dev));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, pt_of(dev));
}

/* An ATTACH fails: the device is where it was, or if that fails too, nowhere. */
TEST_F(mock, attach_fails)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	struct mock_vfio_state old = state_of(dev);
	__u32 first;

	EXPECT_EQ(0, have_fail(dev, 1));
	EXPECT_STATUS(NOMEM, attach(vm, 1, EP, 0));
	EXPECT_TRUE(moved(dev, &old, 1, 1, 0));
	EXPECT_EQ(dev->pt_id, pt_of(dev));
	EXPECT_EQ(0, get_stats(vm).domains);

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, PAGE, MEM, RW));
	first = pt_of(dev);
	EXPECT_TRUE(moved(dev, &old, 1, 0, 0));
	EXPECT_EQ(0, have_fail(dev, 1));
	EXPECT_STATUS(NOMEM, attach(vm, 2, EP, 0));
	EXPECT_TRUE(moved(dev, &old, 1, 1, 0));
	EXPECT_EQ(first, pt_of(dev));
	EXPECT_TRUE(is_mapped(dev, first, IOVA, PAGE, vm->ram));

	EXPECT_EQ(0, have_fail(dev, 3));
	EXPECT_STATUS(NOMEM, attach(vm, 2, EP, 0));
	EXPECT_TRUE(moved(dev, &old, 0, 2, 1));
	EXPECT_EQ(0, pt_of(dev));

	/* It comes back from there. */
	EXPECT_STATUS(OK, attach(vm, 2, EP, 0));
	EXPECT_STATUS(OK, map(vm, 2, IOVA, PAGE, MEM, RW));
	EXPECT_TRUE(is_mapped(dev, pt_of(dev), IOVA, PAGE, vm->ram));
}

/* So does a DETACH, which ends in bypass. Without bypass it cannot. */
TEST_F(mock, detach_fails)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	__u32 pt;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, PAGE, MEM, RW));
	pt = pt_of(dev);
	EXPECT_EQ(0, have_fail(dev, 1));
	EXPECT_STATUS(NOMEM, detach(vm, 1, EP));
	EXPECT_EQ(pt, pt_of(dev));
	EXPECT_EQ(0, have_fail(dev, 3));
	EXPECT_STATUS(NOMEM, detach(vm, 1, EP));
	EXPECT_EQ(0, pt_of(dev));

	/* It is in the domain still, and an ATTACH brings it back there, or fails. */
	EXPECT_EQ(0, have_fail(dev, 1));
	EXPECT_STATUS(NOMEM, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_EQ(pt, pt_of(dev));
	EXPECT_TRUE(is_mapped(dev, pt, IOVA, PAGE, vm->ram));

	EXPECT_EQ(0, set_bypass(vm, 0));
	EXPECT_EQ(0, have_fail(dev, 3));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, pt_of(dev));
}

/* An endpoint that cannot be attached is none. */
TEST_F(mock, add_fails)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;

	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, have_fail(dev, 1));
	EXPECT_ERRNO(ENOMEM, edu_add_endpoint(dev, vm, EP));
	EXPECT_EQ(0, get_stats(vm).endpoints);
	EXPECT_EQ(0, pt_of(dev));
	EXPECT_EQ(0, edu_add_endpoint(dev, vm, EP));
	EXPECT_EQ(dev->pt_id, pt_of(dev));
}

static int track(struct vm *vm, bool on)
{
	struct vhost_iommu_dirty_tracking arg = {
		.size = sizeof(arg),
		.flags = on ? VHOST_IOMMU_DIRTY_TRACKING_ENABLE : 0,
	};

	return ioctl(vm->fd, VHOST_IOMMU_SET_DIRTY_TRACKING, &arg);
}

/* Ask, and tell whether the hardware knew; -1 for an error. */
static int get(struct vm *vm, __u64 *bitmap)
{
	struct vhost_iommu_dirty_bitmap arg = {
		.size = sizeof(arg), .start = MEM, .last = MEM + RAM_SIZE - 1,
		.page_size = PAGE, .bitmap = (uintptr_t)bitmap,
	};

	memset(bitmap, 0, PAGES / 8);
	if (ioctl(vm->fd, VHOST_IOMMU_GET_DIRTY_BITMAP, &arg))
		return -1;
	return !arg.coarse;
}

static bool is_dirty(const __u64 *bitmap, unsigned int page)
{
	return bitmap[page / 64] >> (page % 64) & 1;
}

static unsigned int count(const __u64 *bitmap)
{
	unsigned int i, nr = 0;

	for (i = 0; i < PAGES / 64; i++)
		nr += __builtin_popcountll(bitmap[i]);
	return nr;
}

/* Is that page dirty, and no other one, as the hardware knows? */
#define only(page)	(get(vm, self->bitmap) == 1 &&			\
			 is_dirty(self->bitmap, page) && count(self->bitmap) == 1)
#define none()		(get(vm, self->bitmap) == 1 && !count(self->bitmap))

/* Of what is mapped, what was written to. */
TEST_F(mock, dirty)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, 16 * PAGE, MEM + 60 * PAGE, RW));
	EXPECT_EQ(-1, mock_writes(dev, IOVA));
	EXPECT_EQ(0, track(vm, true));
	EXPECT_TRUE(none());
	EXPECT_EQ(0, mock_writes(dev, IOVA));
	EXPECT_TRUE(only(60));
	EXPECT_TRUE(none());
	EXPECT_EQ(0, mock_writes(dev, IOVA + 15 * PAGE));
	EXPECT_TRUE(only(75));

	/* Mapped meanwhile, with a hole before it */
	EXPECT_STATUS(OK, map(vm, 1, IOVA + 32 * PAGE, 4 * PAGE, MEM, W));
	EXPECT_EQ(0, mock_writes(dev, IOVA + 33 * PAGE + MOCK_PAGE));
	EXPECT_TRUE(only(1));

	/* What goes counts as a whole: nothing has to be read before. */
	EXPECT_STATUS(OK, unmap(vm, 1, IOVA, 16 * PAGE));
	EXPECT_EQ(1, get(vm, self->bitmap));
	EXPECT_EQ(16, count(self->bitmap));
	EXPECT_TRUE(is_dirty(self->bitmap, 60));
	EXPECT_TRUE(is_dirty(self->bitmap, 75));

	/* The hardware is off as well. */
	EXPECT_EQ(0, mock_writes(dev, IOVA + 32 * PAGE));
	EXPECT_EQ(0, track(vm, false));
	EXPECT_EQ(-1, mock_writes(dev, IOVA + 32 * PAGE));
}

/* A domain that begins and ends meanwhile. */
TEST_F(mock, dirty_domain)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;

	EXPECT_EQ(0, track(vm, true));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, 2 * PAGE, MEM, RW));
	EXPECT_STATUS(OK, map(vm, 1, IOVA + 2 * PAGE, PAGE, MEM + 2 * PAGE, R));
	EXPECT_EQ(0, mock_writes(dev, IOVA + PAGE));
	EXPECT_TRUE(only(1));
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(1, get(vm, self->bitmap));
	EXPECT_EQ(2, count(self->bitmap));
	EXPECT_FALSE(is_dirty(self->bitmap, 2));
	EXPECT_TRUE(none());
}

/* The same memory twice, and more pages than the hardware is asked for at once. */
TEST_F(mock, dirty_runs)
{
	const __u64 size = RAM_SIZE;
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	unsigned int i;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	for (i = 0; i < 20; i++)
		EXPECT_STATUS(OK, map(vm, 1, IOVA + i * size, size, MEM, RW));
	EXPECT_EQ(0, track(vm, true));
	EXPECT_EQ(0, mock_writes(dev, IOVA + 20 * size - PAGE));
	EXPECT_TRUE(only(PAGES - 1));
	EXPECT_EQ(0, mock_writes(dev, IOVA + 16 * size));
	EXPECT_TRUE(only(0));
	EXPECT_EQ(0, mock_writes(dev, IOVA + 16 * size - PAGE));
	EXPECT_EQ(0, mock_writes(dev, IOVA + 3 * size + 7 * PAGE));
	EXPECT_EQ(1, get(vm, self->bitmap));
	EXPECT_EQ(2, count(self->bitmap));
	EXPECT_TRUE(is_dirty(self->bitmap, 7));
	EXPECT_TRUE(is_dirty(self->bitmap, PAGES - 1));
}

/* One device whose IOMMU keeps track, one whose does not, in a domain. */
TEST_F(mock, dirty_mixed)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, mock_join(&self->dev2, &self->dev,
			       MOCK_FLAGS_DEVICE_NO_DIRTY));
	ASSERT_EQ(0, edu_add_endpoint(&self->dev2, vm, EP2));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, 2 * PAGE, MEM, RW));
	EXPECT_EQ(0, track(vm, true));
	EXPECT_TRUE(none());
	EXPECT_STATUS(OK, attach(vm, 1, EP2, 0));
	EXPECT_NE(pt_of(&self->dev), pt_of(&self->dev2));
	EXPECT_TRUE(is_mapped(&self->dev2, pt_of(&self->dev2), IOVA, 2 * PAGE,
			      vm->ram));
	EXPECT_EQ(0, get(vm, self->bitmap));
	EXPECT_EQ(2, count(self->bitmap));

	/* What it may have written to is told once it is gone. */
	EXPECT_STATUS(OK, detach(vm, 1, EP2));
	EXPECT_EQ(1, get(vm, self->bitmap));
	EXPECT_EQ(2, count(self->bitmap));
	EXPECT_EQ(0, mock_writes(&self->dev, IOVA + PAGE));
	EXPECT_TRUE(only(1));
}

/* Every step of what the hardware is told fails in turn. */
TEST_F(mock, each_step_fails)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	int me = open_injection();

	if (me < 0)
		SKIP(return, "the kernel cannot have allocations fail");
	ASSERT_EQ(0, vm_set_poll(vm, 0));
	ASSERT_TRUE(worker_becomes('S'));
	FAIL_EACH(me, attach(vm, 1, EP, 0), detach(vm, 1, EP),
		  pt_of(dev) == dev->pt_id && !get_stats(vm).domains);
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	FAIL_EACH(me, map(vm, 1, IOVA, 4 * PAGE, MEM, RW),
		  unmap(vm, 1, IOVA, 4 * PAGE),
		  !is_mapped(dev, pt_of(dev), IOVA, MOCK_PAGE, vm->ram) &&
		  !get_stats(vm).mappings);
	EXPECT_STATUS(OK, map(vm, 1, IOVA, 4 * PAGE, MEM, RW));
	FAIL_EACH(me, track(vm, true), track(vm, false),
		  mock_writes(dev, IOVA) == -1 && get(vm, self->bitmap) == -1);
	close(me);
}

/* A page that was written to is told, if not this time then the next. */
TEST_F(mock, dirty_is_not_lost)
{
	struct vm *vm = &self->vm;
	struct edu *dev = &self->dev;
	int me = open_injection(), ret;
	unsigned int nth = 0;
	bool injected;

	if (me < 0)
		SKIP(return, "the kernel cannot have allocations fail");
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, IOVA, 4 * PAGE, MEM, RW));
	EXPECT_STATUS(OK, map(vm, 1, IOVA + 8 * PAGE, 4 * PAGE, MEM + 8 * PAGE,
			      RW));
	ASSERT_EQ(0, track(vm, true));
	do {
		EXPECT_EQ(0, mock_writes(dev, IOVA + 9 * PAGE));
		fail_nth(me, ++nth);
		ret = get(vm, self->bitmap);
		injected = failed(me);
		if (ret < 0) {
			EXPECT_TRUE(injected);
			EXPECT_EQ(1, get(vm, self->bitmap));
		}
		EXPECT_TRUE(is_dirty(self->bitmap, 9));
		/* One that is not sure says so. */
		EXPECT_EQ(ret == 0, count(self->bitmap) > 1);
	} while (injected && nth < MAX_NTH);
	EXPECT_LT(1, nth);
	EXPECT_EQ(1, count(self->bitmap));
	EXPECT_EQ(1, ret);
	close(me);
}

TEST_HARNESS_MAIN
