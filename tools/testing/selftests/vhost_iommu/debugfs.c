// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugfs shows of an instance.
 */
#include <glob.h>

#include "tables.h"

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

/* The next line of a file is this one. */
#define EXPECT_LINE(wanted, f) do {					\
	char got[128] = "";						\
	fgets(got, sizeof(got), f);					\
	EXPECT_STREQ(wanted "\n", got);					\
} while (0)

#define EXPECT_END(f) EXPECT_EQ(EOF, fgetc(f))

/* At least one of everything that is counted. */
static void count_all(struct __test_metadata *_metadata, struct vm *vm)
{
	struct vhost_iommu_invalidation record;
	struct vhost_iommu_fault fault = {
		.size = sizeof(fault), .endpoint = EP,
		.reason = VIRTIO_IOMMU_FAULT_R_MAPPING,
	};
	struct virtio_iommu_req_probe probe = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	char reply[PROBE_SIZE + sizeof(struct virtio_iommu_req_tail)];

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	ASSERT_EQ(0, vm_run(vm, 1));
	ASSERT_EQ(0, add_notified(vm, EP + 2));
	EXPECT_EQ(0, remove_endpoint(vm, EP + 2));
	ASSERT_TRUE(invalidation(vm, &record));
	EXPECT_EQ(0, invalidations(vm, record.sequence, NULL, 0));
	EXPECT_STATUS(OK, attach(vm, 3, EP, 0));
	EXPECT_STATUS(OK, map(vm, 3, 0, PAGE, GPA, RW));
	EXPECT_STATUS(OK, map(vm, 3, PAGE, PAGE, GPA, RW));
	EXPECT_STATUS(NOENT, map(vm, 4, 0, PAGE, GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 3, 0, PAGE));
	EXPECT_STATUS(OK, request_of(vm, attach_pgt_x86_64,
				     .head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
				     .domain = 4, .endpoint = EP + 1,
				     .format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64));
	EXPECT_STATUS(OK, invalidate_all(vm, 4));
	EXPECT_STATUS(OK, detach(vm, 4, EP + 1));
	EXPECT_EQ(sizeof(reply), request_raw(vm, &probe, sizeof(probe), reply,
					     sizeof(reply)));
	/* One fault has a buffer and one has not; a request of one byte is none. */
	ring_desc(&vm->event, 0, BUF + 0x2000, sizeof(struct virtio_iommu_fault),
		  VRING_DESC_F_WRITE, 0);
	ring_add(&vm->event, 0);
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &fault));
	EXPECT_EQ(sizeof(struct virtio_iommu_fault), ring_wait(&vm->event));
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &fault));
	while (!get_stats(vm).faults_dropped)
		usleep(1000);
	EXPECT_EQ(0, request_raw(vm, reply, 1, reply, 1));
}

/* What a program reads, people do too, and every counter counts. */
TEST_F(vm, stats)
{
	struct vm *vm = &self->vm;
	struct vhost_iommu_stats stats;
	unsigned int i, zeros = 0;
	const struct {
		const char	*name;
		__u64		*value;
	} counters[] = {
		{ "requests_attach", &stats.attach },
		{ "requests_detach", &stats.detach },
		{ "requests_map", &stats.map },
		{ "requests_unmap", &stats.unmap },
		{ "requests_probe", &stats.probe },
		{ "requests_failed", &stats.failed },
		{ "requests_malformed", &stats.malformed },
		{ "kicks", &stats.kicks },
		{ "signals", &stats.signals },
		{ "faults", &stats.faults },
		{ "faults_dropped", &stats.faults_dropped },
		{ "endpoints", &stats.endpoints },
		{ "domains", &stats.domains },
		{ "mappings", &stats.mappings },
		{ "invalidations", &stats.invalidations },
		{ "requests_attach_table", &stats.attach_table },
		{ "requests_invalidate", &stats.invalidate },
		{ "pinned", &stats.pinned },
	};
	/* All of the structure but its size; without a container nothing is pinned. */
	ASSERT_EQ(sizeof(stats), (1 + ARRAY_SIZE(counters)) * sizeof(__u64));

	count_all(_metadata, vm);
	stats = get_stats(vm);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		char wanted[64], got[64] = "";
		FILE *f = open_debugfs("stats");
		unsigned int line;

		ASSERT_NE(NULL, f);
		for (line = 0; line <= i; line++)
			ASSERT_NE(NULL, fgets(got, sizeof(got), f));
		fclose(f);
		snprintf(wanted, sizeof(wanted), "%s %llu\n", counters[i].name,
			 (unsigned long long)*counters[i].value);
		EXPECT_STREQ(wanted, got);
		zeros += !*counters[i].value;
	}
	EXPECT_EQ(1, zeros);
}

TEST_F(vm, endpoints)
{
	struct vm *vm = &self->vm;
	FILE *f;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	ASSERT_EQ(0, add_emulated(vm, 0xfffffff0));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_STATUS(OK, attach(vm, 3, EP, 0));
	EXPECT_STATUS(OK, attach(vm, 4, EP + 1, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	f = open_debugfs("endpoints");
	ASSERT_NE(NULL, f);
	EXPECT_LINE("0x0028 emulated domain 3", f);
	EXPECT_LINE("0x0029 emulated domain 4 (bypass)", f);
	EXPECT_LINE("0xfffffff0 emulated no domain (bypass)", f);
	EXPECT_END(f);
	fclose(f);
	ASSERT_EQ(0, set_bypass(vm, 0));
	EXPECT_STATUS(OK, detach(vm, 3, EP));
	f = open_debugfs("endpoints");
	ASSERT_NE(NULL, f);
	EXPECT_LINE("0x0028 emulated no domain (blocked)", f);
	EXPECT_LINE("0x0029 emulated domain 4 (bypass)", f);
	EXPECT_LINE("0xfffffff0 emulated no domain (blocked)", f);
	EXPECT_END(f);
	fclose(f);
}

TEST_F(edu, assigned)
{
	FILE *f;

	EXPECT_STATUS(OK, attach(&self->vm, 7, EP, 0));
	f = open_debugfs("endpoints");
	ASSERT_NE(NULL, f);
	EXPECT_LINE("0x0028 assigned domain 7", f);
	EXPECT_END(f);
	fclose(f);
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
