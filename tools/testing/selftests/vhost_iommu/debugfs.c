// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugfs shows of an instance.
 */
#include <glob.h>
#include <linux/vhost_iommu.h>
#include <linux/virtio_iommu_tables.h>

#define CONFIG_FLAGS	VHOST_IOMMU_CONFIG_PAGE_TABLES
#include "test.h"

#define GPA	0x100000UL
#define PAGE	0x1000UL
/* More than a buffer of seq_file holds. */
#define NR	1000U

/* A file of the newest instance of this process. */
static FILE *open_debugfs(const char *file)
{
	char pattern[128];
	FILE *f = NULL;
	glob_t found;

	snprintf(pattern, sizeof(pattern),
		 "/sys/kernel/debug/vhost_iommu/%d-*/%s", getpid(), file);
	if (glob(pattern, 0, NULL, &found))
		return NULL;
	if (found.gl_pathc == 1)
		f = fopen(found.gl_pathv[0], "r");
	globfree(&found);
	return f;
}

TEST_F(vm, domains)
{
	char line[128];
	FILE *f;

	ASSERT_EQ(0, add_emulated(&self->vm, EP));
	ASSERT_EQ(0, add_emulated(&self->vm, EP + 1));
	ASSERT_EQ(0, add_emulated(&self->vm, EP + 2));
	ASSERT_EQ(0, add_emulated(&self->vm, EP + 3));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
	EXPECT_STATUS(OK, attach(&self->vm, 3, EP, 0));
	EXPECT_STATUS(OK, attach(&self->vm, 3, EP + 1, 0));
	EXPECT_STATUS(OK, attach(&self->vm, ~0U, EP + 2,
				 VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_STATUS(OK, request_of(&self->vm, attach_pgt_x86_64,
				     .head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
				     .domain = 4, .endpoint = EP + 3,
				     .format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64));

	f = open_debugfs("domains");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(line, sizeof(line), f));
	EXPECT_STREQ("3 mapped endpoints 2\n", line);
	ASSERT_NE(NULL, fgets(line, sizeof(line), f));
	EXPECT_STREQ("4 table endpoints 1\n", line);
	ASSERT_NE(NULL, fgets(line, sizeof(line), f));
	EXPECT_STREQ("4294967295 bypass endpoints 1\n", line);
	EXPECT_EQ(NULL, fgets(line, sizeof(line), f));
	fclose(f);
}

TEST_F(vm, mappings)
{
	static const __u32 domains[] = { 1, 2, ~0U };
	char line[128], wanted[128];
	unsigned int d, i;
	FILE *f;

	ASSERT_EQ(0, vm_run(&self->vm, 1));
	for (d = 0; d < ARRAY_SIZE(domains); d++) {
		ASSERT_EQ(0, add_emulated(&self->vm, EP + d));
		ASSERT_EQ(VIRTIO_IOMMU_S_OK,
			  attach(&self->vm, domains[d], EP + d, 0));
	}
	/* Nothing is mapped in the second one. */
	for (d = 0; d < ARRAY_SIZE(domains); d += 2)
		for (i = 0; i < NR; i++)
			ASSERT_EQ(VIRTIO_IOMMU_S_OK,
				  map(&self->vm, domains[d], 2 * i * PAGE, PAGE,
				      GPA, i & 1 ? RW : VIRTIO_IOMMU_MAP_F_READ));
	/* The last address there is. */
	ASSERT_EQ(VIRTIO_IOMMU_S_OK,
		  map(&self->vm, 1, -PAGE, PAGE, GPA, VIRTIO_IOMMU_MAP_F_WRITE));

	f = open_debugfs("mappings");
	ASSERT_NE(NULL, f);
	for (d = 0; d < ARRAY_SIZE(domains); d += 2) {
		for (i = 0; i < NR; i++) {
			snprintf(wanted, sizeof(wanted), "%u 0x%lx-0x%lx 0x%lx %s\n",
				 domains[d], 2 * i * PAGE, (2 * i + 1) * PAGE - 1,
				 GPA, i & 1 ? "rw-" : "r--");
			ASSERT_NE(NULL, fgets(line, sizeof(line), f));
			ASSERT_STREQ(wanted, line);
		}
		if (d)
			continue;
		ASSERT_NE(NULL, fgets(line, sizeof(line), f));
		EXPECT_STREQ("1 0xfffffffffffff000-0xffffffffffffffff 0x100000 -w-\n",
			     line);
	}
	EXPECT_EQ(NULL, fgets(line, sizeof(line), f));
	fclose(f);
}

TEST_HARNESS_MAIN
