// SPDX-License-Identifier: GPL-2.0-only
/*
 * The group of the device in sysfs and for VFIO: the addresses it has, its type, and
 * the module, which cannot go while the device is there.
 */
#include <sys/syscall.h>

#include "test.h"

struct region {
	__u64 first, last;
	char type[32];
};

static void group_file(const char *file, char *path)
{
	snprintf(path, PATH_MAX, "/sys/bus/pci/devices/%s/iommu_group/%s",
		 getenv("EDU"), file);
}

static unsigned int read_regions(struct region *regions, unsigned int max)
{
	char path[PATH_MAX];
	unsigned int n = 0;
	FILE *file;

	group_file("reserved_regions", path);
	file = fopen(path, "r");
	while (file && n < max &&
	       fscanf(file, "%lli %lli %31s", &regions[n].first,
		      &regions[n].last, regions[n].type) == 3)
		n++;
	if (file)
		fclose(file);
	return n;
}

/* What VFIO lets be mapped; in a buffer that is never freed. */
static struct vfio_iommu_type1_info_cap_iova_range *iova_ranges(int container)
{
	struct vfio_iommu_type1_info *info = calloc(1, PAGE);
	struct vfio_info_cap_header *cap;
	__u32 offset;

	info->argsz = PAGE;
	if (ioctl(container, VFIO_IOMMU_GET_INFO, info) ||
	    !(info->flags & VFIO_IOMMU_INFO_CAPS))
		return NULL;
	for (offset = info->cap_offset; offset; offset = cap->next) {
		cap = (void *)info + offset;
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			return (void *)cap;
	}
	return NULL;
}

static bool in_ranges(struct vfio_iommu_type1_info_cap_iova_range *ranges,
		      __u64 first, __u64 last)
{
	unsigned int i;

	for (i = 0; i < ranges->nr_iovas; i++)
		if (first <= ranges->iova_ranges[i].end &&
		    last >= ranges->iova_ranges[i].start)
			return true;
	return false;
}

TEST_F(edu, reserved_regions)
{
	struct vfio_iommu_type1_info_cap_iova_range *ranges;
	unsigned int i, n, nr_msi = 0;
	struct region regions[16];

	ranges = iova_ranges(self->t.edu.container);
	ASSERT_NE(NULL, ranges);
	n = read_regions(regions, 16);
	ASSERT_NE(0, n);
	for (i = 0; i < n; i++) {
		__u64 first = regions[i].first, last = regions[i].last;

		nr_msi += !strcmp(regions[i].type, "msi");
		if (!strcmp(regions[i].type, "direct-relaxable"))
			continue;
		EXPECT_FALSE(in_ranges(ranges, first, last));
		EXPECT_ERRNO(EINVAL, map(&self->t, first, self->t.memory, 1));
		EXPECT_ERRNO(EINVAL, map(&self->t, last + 1 - PAGE, self->t.memory, 1));
		EXPECT_ERRNO(EINVAL, map(&self->t, first - PAGE, self->t.memory, 2));
		if (in_ranges(ranges, first - PAGE, first - 1))
			EXPECT_EQ(0, map(&self->t, first - PAGE, self->t.memory, 1));
		if (in_ranges(ranges, last + 1, last + PAGE))
			EXPECT_EQ(0, map(&self->t, last + 1, self->t.memory, 1));
	}
	EXPECT_EQ(1, nr_msi);
}

TEST_F(edu, input_range)
{
	struct vfio_iommu_type1_info_cap_iova_range *ranges;
	__u64 end;

	ranges = iova_ranges(self->t.edu.container);
	ASSERT_NE(NULL, ranges);
	end = ranges->iova_ranges[ranges->nr_iovas - 1].end;
	if (end != UINT64_MAX)
		EXPECT_ERRNO(EINVAL, map(&self->t, end + 1, self->t.memory, 1));
	else
		end -= PAGE;	/* VFIO maps the last one, and never unmaps it */
	EXPECT_EQ(0, map(&self->t, end + 1 - PAGE, self->t.memory, 1));
	EXPECT_EQ(1, unmap(&self->t, end + 1 - PAGE, 1));
}

static int set_type(const char *type)
{
	char path[PATH_MAX];

	group_file("type", path);
	return write_file(path, type);
}

static const char *const types[] = { "DMA", "DMA-FQ", "identity", "none" };

/* One of these; the last is not what a group can have. */
static const char *type_of_group(void)
{
	char path[PATH_MAX], text[32] = "";
	unsigned int i = 0;
	FILE *file;

	group_file("type", path);
	file = fopen(path, "r");
	if (file && fscanf(file, "%31s", text) == 1)
		while (i < 3 && strcmp(text, types[i]))
			i++;
	if (file)
		fclose(file);
	return text[0] ? types[i] : "none";
}

/* Not while the device is assigned, nor to what there is not. */
TEST_F(edu, type_is_kept)
{
	const char *type = type_of_group();

	EXPECT_STRNE("none", type);
	EXPECT_ERRNO(EPERM, set_type("auto"));
	EXPECT_ERRNO(EPERM, set_type("identity"));
	EXPECT_ERRNO(EINVAL, set_type("none"));
	EXPECT_STREQ(type, type_of_group());
}

static int unbind_edu(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 getenv("EDU"));
	return write_file(path, getenv("EDU"));
}

static int bind_edu(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver",
		 getenv("EDU"));
	return write_file("/sys/bus/pci/drivers_probe", getenv("EDU")) ||
	       access(path, F_OK);
}

FIXTURE(type)
{
	const char *original;
};

FIXTURE_VARIANT(type)
{
	const char *type;
};

FIXTURE_VARIANT_ADD(type, strict)	{ .type = "DMA" };
FIXTURE_VARIANT_ADD(type, lazy)		{ .type = "DMA-FQ" };
FIXTURE_VARIANT_ADD(type, passthrough)	{ .type = "identity" };

FIXTURE_SETUP(type)
{
	self->original = type_of_group();
	ASSERT_EQ(0, unbind_edu());
}

FIXTURE_TEARDOWN(type)
{
	EXPECT_EQ(0, set_type(self->original));
	EXPECT_EQ(0, bind_edu());
}

/* Whatever it is without VFIO, with it the device reaches what is mapped. */
TEST_F(type, changes)
{
	struct target t;

	ASSERT_EQ(0, set_type(variant->type));
	EXPECT_STREQ(variant->type, type_of_group());
	ASSERT_EQ(0, bind_edu());
	EXPECT_STREQ(variant->type, type_of_group());
	ASSERT_EQ(0, set_up(&t));
	EXPECT_EQ(0, map(&t, IOVA, t.memory, 1));
	EXPECT_TRUE(writes(&t, IOVA, t.memory));
	EXPECT_FALSE(writes(&t, IOVA + PAGE, t.memory + PAGE));
	edu_close(&t.edu);
	EXPECT_EQ(0, unbind_edu());
}

static int module_users(void)
{
	FILE *file = fopen("/sys/module/virtio_iommu/refcnt", "r");
	int users = -1;

	if (file && fscanf(file, "%d", &users) != 1)
		users = -1;
	if (file)
		fclose(file);
	return users;
}

TEST_F(edu, module)
{
	int users = module_users();

	EXPECT_LT(0, users);
	EXPECT_ERRNO(EAGAIN, syscall(SYS_delete_module, "virtio_iommu",
				     O_NONBLOCK));
	edu_close(&self->t.edu);
	EXPECT_EQ(users, module_users());
	ASSERT_EQ(0, open_edu(&self->t));
	EXPECT_EQ(users, module_users());
	EXPECT_TRUE(reads(&self->t, SCRATCH_IOVA, self->t.scratch));
}

TEST_HARNESS_MAIN
