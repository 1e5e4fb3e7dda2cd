// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is mapped is reached, and nothing else; each transfer that was stopped is a
 * fault that the driver reports. Each address that was out of reach is mapped in the
 * end: that shows that the mapping alone made the difference.
 */
#include <sys/klog.h>

#include "test.h"

/* The physical address of a page, which is where DMA goes without an IOMMU. */
static __u64 physical(char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry = 0;

	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)page / PAGE * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

TEST_F(edu, inside)
{
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 2));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_TRUE(writes(&self->t, IOVA + PAGE, self->t.memory + PAGE));
	EXPECT_TRUE(reads(&self->t, IOVA, self->t.memory));
	EXPECT_TRUE(writes(&self->t, IOVA + PAGE, self->t.memory + PAGE));
}

TEST_F(edu, above)
{
	char *above = self->t.memory + PAGE;

	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 1));
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(writes(&self->t, IOVA + PAGE, above));
	EXPECT_FAULT(&self->t, IOVA + PAGE);
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(reads(&self->t, IOVA + PAGE, above));
	EXPECT_FAULT(&self->t, IOVA + PAGE);

	ASSERT_EQ(0, map(&self->t, IOVA + PAGE, above, 1));
	EXPECT_TRUE(writes(&self->t, IOVA + PAGE, above));
	EXPECT_TRUE(reads(&self->t, IOVA + PAGE, above));
}

TEST_F(edu, below)
{
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory + PAGE, 1));
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(writes(&self->t, IOVA - PAGE, self->t.memory));
	EXPECT_FAULT(&self->t, IOVA - PAGE);
}

TEST_F(edu, physical)
{
	__u64 address = physical(self->t.memory);

	ASSERT_NE(0, address);
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(writes(&self->t, address, self->t.memory));
	EXPECT_FAULT(&self->t, address);
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(reads(&self->t, address, self->t.memory));
	EXPECT_FAULT(&self->t, address);

	ASSERT_EQ(0, map(&self->t, address, self->t.memory, 1));
	EXPECT_TRUE(writes(&self->t, address, self->t.memory));
	EXPECT_TRUE(reads(&self->t, address, self->t.memory));
	EXPECT_EQ(1, unmap(&self->t, address, 1));
	EXPECT_FALSE(writes(&self->t, address, self->t.memory));
}

TEST_F(edu, read_only)
{
	ASSERT_EQ(0, edu_map(&self->t.edu, self->t.memory, IOVA, PAGE,
			     VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, forget_faults());
	EXPECT_TRUE(reads(&self->t, IOVA, self->t.memory));
	EXPECT_FALSE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_FAULT(&self->t, IOVA);
}

TEST_F(edu, write_only)
{
	if (behind_vtd())
		SKIP(return, "Linux's driver of VT-d adds the right to read");
	ASSERT_EQ(0, edu_map(&self->t.edu, self->t.memory, IOVA, PAGE,
			     VFIO_DMA_MAP_FLAG_WRITE));
	ASSERT_EQ(0, forget_faults());
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_FALSE(reads(&self->t, IOVA, self->t.memory));
	EXPECT_FAULT(&self->t, IOVA);
}

TEST_F(edu, after_unmap)
{
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory, 1));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_EQ(1, unmap(&self->t, IOVA, 1));
	ASSERT_EQ(0, forget_faults());
	EXPECT_FALSE(writes(&self->t, IOVA, self->t.memory));
	EXPECT_FAULT(&self->t, IOVA);

	/* Something else at the same address. */
	ASSERT_EQ(0, map(&self->t, IOVA, self->t.memory + PAGE, 1));
	EXPECT_TRUE(writes(&self->t, IOVA, self->t.memory + PAGE));
	EXPECT_FALSE(writes(&self->t, IOVA, self->t.memory));
}

static bool logged(const char *text)
{
	static char log[1 << 20];
	int len = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);

	if (len < 0)
		return false;
	log[len] = 0;
	return strstr(log, text);
}

/* Ten in five seconds are logged, so one of these is. */
TEST_F(edu, fault_log)
{
	unsigned int tries = 100;
	char text[128];

	if (behind_vtd())
		SKIP(return, "no faults are reported behind VT-d");
	/* An address that no other test has had. */
	snprintf(text, sizeof(text), "address 0x%lx, no mapping", IOVA + 0x1234000);
	while (!logged(text) && tries--)
		EXPECT_FALSE(writes(&self->t, IOVA + 0x1234000, self->t.memory));
	EXPECT_TRUE(logged(text));
	snprintf(text, sizeof(text), "vfio-pci %s: fault: endpoint 0x",
		 self->t.edu.name);
	EXPECT_TRUE(logged(text));
}

TEST_HARNESS_MAIN
