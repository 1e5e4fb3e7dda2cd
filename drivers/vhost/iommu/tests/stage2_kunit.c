// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stage 2 makes of hardware that a test machine does not have: classes that
 * differ in page sizes, apertures, reserved regions and cache coherency, and an
 * IOMMU driver that fails. The domains are an array of pages.
 */
#include <linux/iommu.h>
#include <linux/sched/mm.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include "guest.h"
#include "../backend.h"
#include "../domain.h"
#include "../region.h"
#include "../stage2.h"
#include "../vhost_iommu.h"

#define GPA		0x40000000UL
#define APERTURE_LAST	((1ULL << 40) - 1)

struct fake_domain {
	struct iommu_domain	domain;
	struct xarray		pages;		/* by page of the input address */
	unsigned int		nr_pages;
	unsigned int		fail_at;	/* this call of map_pages; 0 for none */
	bool			coherent;
};

static struct fake_domain *to_fake(struct iommu_domain *domain)
{
	return container_of(domain, struct fake_domain, domain);
}

static int fake_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t phys, size_t pgsize, size_t pgcount, int prot,
		    gfp_t gfp, size_t *mapped)
{
	struct fake_domain *fake = to_fake(domain);

	if (fake->fail_at && !--fake->fail_at)
		return -ENOMEM;
	for (; *mapped < pgsize * pgcount; *mapped += PAGE_SIZE) {
		unsigned long page = (iova + *mapped) >> PAGE_SHIFT;

		if (xa_err(xa_store(&fake->pages, page,
				    xa_mk_value((phys + *mapped) >> PAGE_SHIFT),
				    GFP_KERNEL)))
			return -ENOMEM;
		fake->nr_pages++;
	}
	return 0;
}

static size_t fake_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t pgsize, size_t pgcount,
			 struct iommu_iotlb_gather *gather)
{
	struct fake_domain *fake = to_fake(domain);
	size_t done = 0;

	for (; done < pgsize * pgcount; done += PAGE_SIZE) {
		if (!xa_erase(&fake->pages, (iova + done) >> PAGE_SHIFT))
			break;
		fake->nr_pages--;
	}
	return done;
}

static phys_addr_t fake_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	void *entry = xa_load(&to_fake(domain)->pages, iova >> PAGE_SHIFT);

	return entry ? xa_to_value(entry) << PAGE_SHIFT | offset_in_page(iova) : 0;
}

static bool fake_enforce(struct iommu_domain *domain)
{
	return to_fake(domain)->coherent;
}

static const struct iommu_domain_ops fake_ops = {
	.map_pages			= fake_map,
	.unmap_pages			= fake_unmap,
	.iova_to_phys			= fake_iova_to_phys,
	.enforce_cache_coherency	= fake_enforce,
};

static const struct iommu_domain_ops fake_ops_incoherent = {
	.map_pages	= fake_map,
	.unmap_pages	= fake_unmap,
	.iova_to_phys	= fake_iova_to_phys,
};

static void fake_init(struct fake_domain *fake)
{
	xa_init(&fake->pages);
	fake->domain.type = IOMMU_DOMAIN_UNMANAGED;
	fake->domain.ops = &fake_ops;
	fake->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M;
	fake->domain.geometry.aperture_end = APERTURE_LAST;
	fake->domain.geometry.force_aperture = true;
}

/* A class with one group, which has one reserved region. */
struct fake_class {
	struct fake_domain		fake;
	struct vhost_iommu_class	class;
	struct vhost_iommu_group	group;
	struct iommu_resv_region	resv;
};

struct stage2_test {
	struct test_guest	*g;
	struct vhost_iommu_s2	s2;
	struct fake_class	a, b;
};

static void class_init(struct vhost_iommu_s2 *s2, struct fake_class *c, u64 resv)
{
	fake_init(&c->fake);
	c->class.s2 = s2;
	c->class.domain = &c->fake.domain;
	c->class.coherent = true;
	INIT_LIST_HEAD(&c->class.groups);
	INIT_LIST_HEAD(&c->class.hwdoms);
	c->group.class = &c->class;
	INIT_LIST_HEAD(&c->group.resv);
	c->resv.start = resv;
	c->resv.length = SZ_1M;
	c->resv.type = IOMMU_RESV_MSI;
	list_add(&c->resv.list, &c->group.resv);
	list_add(&c->group.list, &c->class.groups);
}

static int stage2_test_init(struct kunit *test)
{
	struct stage2_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct vhost_iommu_s2 *s2;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->g = guest_create(test);
	s2 = &t->s2;
	kref_init(&s2->kref);
	init_rwsem(&s2->lock);
	s2->backend = &vhost_iommu_container;
	/* The thread of a case, and its user memory, end before the cleaning up. */
	s2->mm = current->mm;
	mmgrab(s2->mm);
	s2->ranges = RB_ROOT_CACHED;
	s2->avail = 10;
	INIT_LIST_HEAD(&s2->classes);
	INIT_LIST_HEAD(&s2->devices);
	class_init(s2, &t->a, 0xfee00000);
	class_init(s2, &t->b, 0xfeb00000);
	list_add_tail(&t->a.class.list, &s2->classes);
	list_add_tail(&t->b.class.list, &s2->classes);
	return vhost_iommu_register_s2(s2);
}

static void stage2_test_exit(struct kunit *test)
{
	struct stage2_test *t = test->priv;

	vhost_iommu_unregister_s2(&t->s2);
	down_write(&t->s2.lock);
	vhost_iommu_s2_unmap_all(&t->s2);
	up_write(&t->s2.lock);
	KUNIT_EXPECT_EQ(test, t->s2.avail, 10);
	KUNIT_EXPECT_EQ(test, t->a.fake.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, t->b.fake.nr_pages, 0);
	xa_destroy(&t->a.fake.pages);
	xa_destroy(&t->b.fake.pages);
	mmdrop(t->s2.mm);
}

/* Map the guest's memory. */
static int map_at(struct stage2_test *t, u64 gpa)
{
	return vhost_iommu_s2_map(&t->s2, gpa, t->g->base, GUEST_SIZE,
				  IOMMU_READ | IOMMU_WRITE);
}

static u64 unmap_at(struct stage2_test *t, u64 gpa)
{
	u64 unmapped = 0;

	down_write(&t->s2.lock);
	vhost_iommu_s2_unmap(&t->s2, gpa, gpa + GUEST_SIZE - 1, &unmapped);
	up_write(&t->s2.lock);
	return unmapped;
}

static void stage2_page_sizes(struct kunit *test)
{
	struct stage2_test *t = test->priv;

	down_write(&t->s2.lock);
	t->b.fake.domain.pgsize_bitmap = SZ_64K | SZ_2M;
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_pgsizes(&t->s2), SZ_2M);
	t->b.fake.domain.pgsize_bitmap = SZ_1K | SZ_2M;
	t->a.fake.domain.pgsize_bitmap = SZ_1K | SZ_2M;
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_pgsizes(&t->s2), SZ_2M | PAGE_SIZE);
	up_write(&t->s2.lock);

	/* What is not a multiple of the smallest one cannot be mapped. */
	t->a.fake.domain.pgsize_bitmap = SZ_2M;
	KUNIT_EXPECT_EQ(test, map_at(t, GPA), -EINVAL);
}

/* Memory is where every group can have it. */
static void stage2_addresses(struct kunit *test)
{
	struct stage2_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, map_at(t, 0xfee00000), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_at(t, 0xfeb00000 + SZ_1M - PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, map_at(t, APERTURE_LAST + 1), -EINVAL);
	t->b.fake.domain.geometry.aperture_start = GPA + PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, map_at(t, GPA), -EINVAL);
	t->b.fake.domain.geometry.aperture_start = 0;
	/* What the firmware wants to have mapped may move once the driver is gone. */
	t->b.resv.type = IOMMU_RESV_DIRECT_RELAXABLE;
	KUNIT_EXPECT_EQ(test, map_at(t, 0xfeb00000), 0);
	KUNIT_EXPECT_EQ(test, unmap_at(t, 0xfeb00000), GUEST_SIZE);
	KUNIT_EXPECT_EQ(test, map_at(t, GPA), 0);
	KUNIT_EXPECT_EQ(test, map_at(t, GPA), -EEXIST);
	t->s2.avail = 0;
	KUNIT_EXPECT_EQ(test, map_at(t, 2 * GPA), -ENOSPC);
	t->s2.avail = 9;
}

/* All classes have a page, or none has. */
static void stage2_one_fails(struct kunit *test)
{
	const unsigned int nr = GUEST_SIZE / PAGE_SIZE;
	struct stage2_test *t = test->priv;
	unsigned long locked = t->s2.mm->locked_vm;
	unsigned int i;

	for (i = 1; i <= 100; i++) {
		t->b.fake.fail_at = i;
		if (!map_at(t, GPA))
			break;
		KUNIT_ASSERT_EQ(test, t->a.fake.nr_pages, 0);
		KUNIT_ASSERT_EQ(test, t->b.fake.nr_pages, 0);
		KUNIT_ASSERT_EQ(test, t->s2.mm->locked_vm, locked);
	}
	/* It has been asked at least once. */
	KUNIT_EXPECT_GT(test, i, 1);
	t->b.fake.fail_at = 0;
	KUNIT_EXPECT_EQ(test, t->a.fake.nr_pages, nr);
	KUNIT_EXPECT_EQ(test, t->b.fake.nr_pages, nr);
	KUNIT_EXPECT_EQ(test, t->s2.mm->locked_vm, locked + nr);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, fake_iova_to_phys(t->a.class.domain,
							GPA + i * PAGE_SIZE),
				fake_iova_to_phys(t->b.class.domain,
						  GPA + i * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, unmap_at(t, GPA), GUEST_SIZE);
	KUNIT_EXPECT_EQ(test, t->s2.mm->locked_vm, locked);
}

/* A class that comes later gets what the first one has. */
static void stage2_replayed(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct fake_class late = {};

	class_init(&t->s2, &late, 0xfec00000);
	KUNIT_ASSERT_EQ(test, map_at(t, GPA), 0);
	down_write(&t->s2.lock);
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_replay(&t->s2, &late.class), 0);
	KUNIT_EXPECT_EQ(test, late.fake.nr_pages, t->a.fake.nr_pages);
	KUNIT_EXPECT_EQ(test, fake_iova_to_phys(late.class.domain, GPA),
			fake_iova_to_phys(t->a.class.domain, GPA));
	xa_destroy(&late.fake.pages);

	late.fake.fail_at = 1;
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_replay(&t->s2, &late.class), -ENOMEM);
	late.resv.start = GPA;
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_replay(&t->s2, &late.class), -EINVAL);
	late.resv.start = 0xfec00000;
	late.fake.domain.geometry.aperture_end = GPA;
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_replay(&t->s2, &late.class), -EINVAL);
	up_write(&t->s2.lock);
	xa_destroy(&late.fake.pages);
}

/* A guest's domain in the hardware of a class. */
struct fake_hwdom {
	struct fake_domain		fake;
	struct vhost_iommu_hwdom	hw;
};

static void hwdom_init(struct fake_hwdom *h, struct vhost_iommu_domain *owner,
		       struct fake_class *c)
{
	fake_init(&h->fake);
	h->hw.owner = owner;
	h->hw.class = &c->class;
	h->hw.domain = &h->fake.domain;
	INIT_LIST_HEAD(&h->hw.dirty_list);
	iommu_iotlb_gather_init(&h->hw.gather);
	list_add_tail(&h->hw.owner_list, &owner->hwdoms);
	list_add_tail(&h->hw.class_list, &c->class.hwdoms);
}

static void expect_pages(struct kunit *test, struct fake_hwdom *h,
			 unsigned int nr)
{
	KUNIT_EXPECT_EQ(test, h[0].fake.nr_pages, nr);
	KUNIT_EXPECT_EQ(test, h[1].fake.nr_pages, nr);
}

/*
 * A domain with two mappings of four pages each, in the hardware of both classes. What
 * fails half way leaves nothing.
 */
static void stage2_domain(struct kunit *test)
{
	const u32 rw = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
	struct stage2_test *t = test->priv;
	struct vhost_iommu_domain domain = { .mappings = RB_ROOT_CACHED };
	struct vhost_iommu_mapping *m[2];
	struct fake_hwdom *h;
	unsigned int i;

	h = kunit_kcalloc(test, 2, sizeof(*h), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, h);
	INIT_LIST_HEAD(&domain.hwdoms);
	INIT_LIST_HEAD(&domain.endpoints);
	hwdom_init(&h[0], &domain, &t->a);
	hwdom_init(&h[1], &domain, &t->b);
	for (i = 0; i < 2; i++) {
		m[i] = vhost_iommu_mapping_add(&domain.mappings, i * SZ_64K,
					       i * SZ_64K + SZ_16K - 1,
					       GPA + i * SZ_32K,
					       i ? VIRTIO_IOMMU_MAP_F_READ : rw);
		KUNIT_ASSERT_NOT_NULL(test, m[i]);
	}

	/* No memory yet. */
	down_write(&t->s2.lock);
	KUNIT_EXPECT_EQ(test, vhost_iommu_domain_map(&domain, m[0]), 0);
	up_write(&t->s2.lock);
	expect_pages(test, h, 0);

	/* It comes, and the domain of the second class cannot have it. */
	for (i = 1; i <= 100; i++) {
		h[1].fake.fail_at = i;
		if (!map_at(t, GPA))
			break;
		expect_pages(test, h, 0);
		KUNIT_EXPECT_EQ(test, t->a.fake.nr_pages, 0);
	}
	KUNIT_EXPECT_GT(test, i, 1);
	h[1].fake.fail_at = 0;
	expect_pages(test, h, 8);
	KUNIT_EXPECT_EQ(test, fake_iova_to_phys(h[1].hw.domain, SZ_64K),
			fake_iova_to_phys(t->a.class.domain, GPA + SZ_32K));

	/* One mapping goes and cannot come back, then it does. */
	down_write(&t->s2.lock);
	for (i = 0; i < 2; i++)
		vhost_iommu_hwdom_unmap_now(&h[i].hw, m[0], 0, U64_MAX);
	expect_pages(test, h, 4);
	h[1].fake.fail_at = 1;
	KUNIT_EXPECT_EQ(test, vhost_iommu_domain_map(&domain, m[0]), -ENOMEM);
	expect_pages(test, h, 4);
	h[1].fake.fail_at = 0;
	KUNIT_EXPECT_EQ(test, vhost_iommu_domain_map(&domain, m[0]), 1);
	expect_pages(test, h, 8);
	up_write(&t->s2.lock);

	KUNIT_EXPECT_EQ(test, unmap_at(t, GPA), GUEST_SIZE);
	expect_pages(test, h, 0);
	for (i = 0; i < 2; i++) {
		vhost_iommu_mapping_del(&domain.mappings, m[i]);
		list_del(&h[i].hw.class_list);
		xa_destroy(&h[i].fake.pages);
	}
}

static long check(struct stage2_test *t, unsigned long extension)
{
	return vhost_iommu_s2_ioctl((void *)t->s2.number, VFIO_CHECK_EXTENSION,
				    extension);
}

/* What VFIO still knows of a container that is gone is no other one, wherever that is. */
static void stage2_number(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	unsigned long old = t->s2.number;

	KUNIT_EXPECT_EQ(test, check(t, VFIO_TYPE1v2_IOMMU), 1);
	vhost_iommu_unregister_s2(&t->s2);
	KUNIT_EXPECT_EQ(test, check(t, VFIO_TYPE1v2_IOMMU), -EINVAL);
	KUNIT_ASSERT_EQ(test, vhost_iommu_register_s2(&t->s2), 0);
	KUNIT_EXPECT_EQ(test, check(t, VFIO_TYPE1v2_IOMMU), 1);
	KUNIT_EXPECT_EQ(test, vhost_iommu_s2_ioctl((void *)old,
						   VFIO_CHECK_EXTENSION,
						   VFIO_TYPE1v2_IOMMU), -EINVAL);
}

/* KVM is told that DMA is coherent if it is that of all groups. */
static void stage2_coherency(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct iommu_domain *domain = &t->a.fake.domain;

	KUNIT_EXPECT_FALSE(test, vhost_iommu_enforce_coherency(domain));
	t->a.fake.coherent = true;
	KUNIT_EXPECT_TRUE(test, vhost_iommu_enforce_coherency(domain));
	domain->ops = &fake_ops_incoherent;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_enforce_coherency(domain));

	KUNIT_EXPECT_EQ(test, check(t, VFIO_DMA_CC_IOMMU), 1);
	t->b.class.coherent = false;
	KUNIT_EXPECT_EQ(test, check(t, VFIO_DMA_CC_IOMMU), 0);
	KUNIT_EXPECT_EQ(test, check(t, VFIO_UNMAP_ALL), 1);
	KUNIT_EXPECT_EQ(test, check(t, VFIO_UPDATE_VADDR), 0);
}

/* Groups share a class if their domains are of one kind and coherent alike. */
static void stage2_class_fits(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct vhost_iommu_class *class = &t->a.class;
	struct iommu_domain *domain = &t->b.fake.domain;

	KUNIT_EXPECT_TRUE(test, vhost_iommu_class_fits(class, domain, true));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_class_fits(class, domain, false));
	domain->ops = &fake_ops_incoherent;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_class_fits(class, domain, true));
	KUNIT_EXPECT_FALSE(test, vhost_iommu_class_fits(class, domain, false));
}

/* A guest's pages are not smaller than the hardware's. */
static void stage2_granule(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct vhost_iommu_class *class = &t->a.class;

	KUNIT_EXPECT_TRUE(test, vhost_iommu_class_maps(class, SZ_4K));
	KUNIT_EXPECT_TRUE(test, vhost_iommu_class_maps(class, SZ_64K));
	t->a.fake.domain.pgsize_bitmap = SZ_16K | SZ_32M;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_class_maps(class, SZ_4K));
	KUNIT_EXPECT_TRUE(test, vhost_iommu_class_maps(class, SZ_16K));
}

/* Where interrupts go: a window of the hardware's, of software, or none. */
static void stage2_msi(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct vhost_iommu_group *group = &t->a.group;
	struct iommu_resv_region *r = &t->a.resv;
	struct iommu_resv_region sw = {
		.start = 0x8000000, .length = SZ_1M, .type = IOMMU_RESV_SW_MSI,
	};

	vhost_iommu_group_find_msi(group);
	KUNIT_EXPECT_FALSE(test, group->has_msi_base);
	list_add_tail(&sw.list, &group->resv);
	vhost_iommu_group_find_msi(group);
	KUNIT_EXPECT_FALSE(test, group->has_msi_base);
	r->type = IOMMU_RESV_RESERVED;
	vhost_iommu_group_find_msi(group);
	KUNIT_EXPECT_TRUE(test, group->has_msi_base);
	KUNIT_EXPECT_EQ(test, group->msi_base, 0x8000000);
	list_del(&sw.list);
}

/* The type of the only region that a guest is told of; -1 if there is none. */
static int guest_type(struct kunit *test, struct vhost_iommu_group *group)
{
	struct vhost_iommu_regions regions = {};
	int ret, type;

	ret = vhost_iommu_group_add_regions(group,
					    VIRTIO_IOMMU_RESV_MEM_T_RESERVED,
					    &regions);
	KUNIT_ASSERT_EQ(test, 0, ret);
	ret = vhost_iommu_group_add_regions(group, VIRTIO_IOMMU_RESV_MEM_T_MSI,
					    &regions);
	KUNIT_ASSERT_EQ(test, 0, ret);
	KUNIT_EXPECT_LE(test, regions.nr, 1);
	type = regions.nr ? (int)regions.r[0].type : -1;
	vhost_iommu_regions_free(&regions);
	return type;
}

static void stage2_regions(struct kunit *test)
{
	static const struct {
		enum iommu_resv_type	host;
		int			guest;
	} types[] = {
		{ IOMMU_RESV_DIRECT, VIRTIO_IOMMU_RESV_MEM_T_RESERVED },
		{ IOMMU_RESV_DIRECT_RELAXABLE, -1 },
		{ IOMMU_RESV_RESERVED, VIRTIO_IOMMU_RESV_MEM_T_RESERVED },
		{ IOMMU_RESV_MSI, VIRTIO_IOMMU_RESV_MEM_T_MSI },
		{ IOMMU_RESV_SW_MSI, VIRTIO_IOMMU_RESV_MEM_T_RESERVED },
	};
	struct stage2_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		t->a.resv.type = types[i].host;
		KUNIT_EXPECT_EQ(test, guest_type(test, &t->a.group),
				types[i].guest);
	}
	t->a.resv.length = 0;
	KUNIT_EXPECT_EQ(test, guest_type(test, &t->a.group), -1);
}

static void expect_reserved(struct kunit *test, u64 input_start, u64 input_end,
			    unsigned int nr, u64 start, u64 last)
{
	struct stage2_test *t = test->priv;
	const struct vhost_iommu_config config = {
		.input_start = input_start, .input_end = input_end,
	};
	struct vhost_iommu_regions regions = {};
	int ret;

	ret = vhost_iommu_group_add_aperture(&t->a.group, &config, &regions);
	KUNIT_ASSERT_EQ(test, 0, ret);
	KUNIT_ASSERT_EQ(test, regions.nr, nr);
	if (nr) {
		KUNIT_EXPECT_EQ(test, regions.r[0].start, start);
		KUNIT_EXPECT_EQ(test, regions.r[nr - 1].last, last);
	}
	vhost_iommu_regions_free(&regions);
}

/* The input range of a guest, and what the hardware has of it. */
static void stage2_aperture(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct iommu_domain_geometry *geo = &t->a.fake.domain.geometry;

	geo->aperture_start = SZ_1M;
	expect_reserved(test, 0, U64_MAX, 2, 0, U64_MAX);
	expect_reserved(test, SZ_1M, APERTURE_LAST, 0, 0, 0);
	expect_reserved(test, 0, APERTURE_LAST, 1, 0, SZ_1M - 1);
	expect_reserved(test, SZ_2M, U64_MAX, 1, APERTURE_LAST + 1, U64_MAX);
	/* They have nothing in common. */
	expect_reserved(test, 0, SZ_4K - 1, 1, 0, SZ_4K - 1);
	expect_reserved(test, 1ULL << 48, U64_MAX, 1, 1ULL << 48, U64_MAX);
	geo->force_aperture = false;
	expect_reserved(test, 0, U64_MAX, 0, 0, 0);
}

struct info {
	struct vfio_iommu_type1_info			head;
	struct vfio_iommu_type1_info_dma_avail		avail;
	struct vfio_iommu_type1_info_cap_iova_range	ranges;
	struct vfio_iova_range				range[8];
};

static long get_info(struct stage2_test *t, struct info *info, u32 argsz)
{
	long ret;

	*info = (struct info) { .head.argsz = argsz };
	guest_write(t->g, 0, info, sizeof(*info));
	ret = vhost_iommu_s2_ioctl((void *)t->s2.number, VFIO_IOMMU_GET_INFO, t->g->base);
	guest_read(t->g, 0, info, sizeof(*info));
	return ret;
}

static void expect_range(struct kunit *test, const struct vfio_iova_range *r,
			 u64 start, u64 end)
{
	KUNIT_EXPECT_EQ(test, r->start, start);
	KUNIT_EXPECT_EQ(test, r->end, end);
}

static void stage2_info(struct kunit *test)
{
	struct stage2_test *t = test->priv;
	struct info info;

	KUNIT_EXPECT_EQ(test, get_info(t, &info, 8), -EINVAL);
	/* No room for the capabilities: how much there should be. */
	KUNIT_EXPECT_EQ(test, get_info(t, &info, sizeof(info.head)), 0);
	KUNIT_EXPECT_EQ(test, info.head.argsz,
			offsetof(struct info, range) +
			3 * sizeof(struct vfio_iova_range));
	KUNIT_EXPECT_EQ(test, info.head.cap_offset, 0);

	t->b.fake.domain.geometry.aperture_start = SZ_1M;
	t->a.fake.domain.geometry.aperture_end = SZ_8G - 1;
	KUNIT_EXPECT_EQ(test, get_info(t, &info, sizeof(info)), 0);
	KUNIT_EXPECT_EQ(test, info.head.iova_pgsizes, SZ_2M | PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, info.head.cap_offset, sizeof(info.head));
	KUNIT_ASSERT_EQ(test, info.avail.header.id,
			VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	KUNIT_EXPECT_EQ(test, info.avail.avail, 10);
	KUNIT_ASSERT_EQ(test, info.avail.header.next,
			offsetof(struct info, ranges));
	KUNIT_ASSERT_EQ(test, info.ranges.header.id,
			VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	KUNIT_EXPECT_EQ(test, info.ranges.header.next, 0);
	KUNIT_ASSERT_EQ(test, info.ranges.nr_iovas, 3);
	expect_range(test, &info.range[0], SZ_1M, 0xfeb00000 - 1);
	expect_range(test, &info.range[1], 0xfec00000, 0xfee00000 - 1);
	expect_range(test, &info.range[2], 0xfef00000, SZ_8G - 1);
}

static struct kunit_case stage2_test_cases[] = {
	KUNIT_CASE(stage2_page_sizes),
	KUNIT_CASE(stage2_addresses),
	KUNIT_CASE(stage2_one_fails),
	KUNIT_CASE(stage2_replayed),
	KUNIT_CASE(stage2_domain),
	KUNIT_CASE(stage2_number),
	KUNIT_CASE(stage2_coherency),
	KUNIT_CASE(stage2_class_fits),
	KUNIT_CASE(stage2_granule),
	KUNIT_CASE(stage2_msi),
	KUNIT_CASE(stage2_regions),
	KUNIT_CASE(stage2_aperture),
	KUNIT_CASE(stage2_info),
	{}
};

static struct kunit_suite stage2_test_suite = {
	.name = "vhost_iommu_stage2",
	.init = stage2_test_init,
	.exit = stage2_test_exit,
	.test_cases = stage2_test_cases,
};

kunit_test_suite(stage2_test_suite);
