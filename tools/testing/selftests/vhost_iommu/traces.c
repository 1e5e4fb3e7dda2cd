// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace events: each request has one with its arguments and one with its status,
 * and so has what is no request, and each fault.
 */
#include <sys/mount.h>

#include "tables.h"
#include "sys.h"

#define TRACING	"/sys/kernel/tracing/"
#define EVENTS	TRACING "events/vhost_iommu/enable"
#define GPA	0x100000UL
#define PAGE	0x1000UL

FIXTURE(traces)
{
	struct vm vm;
};

FIXTURE_SETUP(traces)
{
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	ASSERT_TRUE(write_file(EVENTS, "1"));
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_run(&self->vm, 1));
}

FIXTURE_TEARDOWN(traces)
{
	write_file(EVENTS, "0");
	vm_destroy(&self->vm);
}

static bool clear_trace(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC);

	return fd >= 0 && !close(fd);
}

/* How many events of this name have these arguments? */
static unsigned int traced(const char *name, const char *arguments)
{
	FILE *f = fopen(TRACING "trace", "r");
	char wanted[64], line[512];
	unsigned int nr = 0;

	snprintf(wanted, sizeof(wanted), " vhost_iommu_%s: ", name);
	while (f && fgets(line, sizeof(line), f)) {
		char *end = strchr(line, '\n');

		if (end)
			*end = 0;
		end = strstr(line, wanted);
		if (end && strlen(end) > strlen(arguments) &&
		    !strcmp(end + strlen(end) - strlen(arguments), arguments))
			nr++;
	}
	if (f)
		fclose(f);
	return nr;
}

#define EXPECT_TRACED(name, arguments) EXPECT_EQ(1, traced(name, " " arguments))

/* A request with its arguments, and then its status. */
#define EXPECT_REQUEST(type, status, name, arguments, request) do {	\
	ASSERT_TRUE(clear_trace());					\
	EXPECT_EQ(status, request);					\
	EXPECT_TRACED(name, arguments);					\
	EXPECT_TRACED("request", "type=" type " status=" #status);	\
} while (0)

static unsigned int probe(struct vm *vm, __u32 size)
{
	const struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE, .endpoint = EP,
	};
	char reply[PROBE_SIZE + sizeof(struct virtio_iommu_req_tail)];

	size += sizeof(struct virtio_iommu_req_tail);
	if (request_raw(vm, &req, sizeof(req), reply, size) != size)
		return NO_STATUS;
	return reply[size - sizeof(struct virtio_iommu_req_tail)];
}

TEST_F(traces, requests)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, add_emulated(vm, EP + 1));
	EXPECT_REQUEST("1", 0, "attach", "domain=7 endpoint=0x28 flags=0x0",
		       attach(vm, 7, EP, 0));
	EXPECT_REQUEST("1", 6, "attach", "domain=7 endpoint=0x99 flags=0x0",
		       attach(vm, 7, 0x99, 0));
	EXPECT_REQUEST("3", 0, "map",
		       "domain=7 iova=0x1000-0x1fff gpa=0x100000 flags=0x3",
		       map(vm, 7, PAGE, PAGE, GPA, RW));
	EXPECT_REQUEST("4", 0, "unmap", "domain=7 iova=0x0-0x1fff",
		       unmap(vm, 7, 0, 2 * PAGE));
	EXPECT_REQUEST("5", 0, "probe", "endpoint=0x28", probe(vm, PROBE_SIZE));
	EXPECT_REQUEST("5", 4, "probe", "endpoint=0x28", probe(vm, 8));
	EXPECT_REQUEST("6", 0, "attach_table",
		       "domain=8 endpoint=0x29 format=0xff00 root=0x200000",
		       attach_table(vm, 8, EP + 1, ROOT));
	EXPECT_REQUEST("7", 0, "invalidate_table",
		       "domain=8 granularity=1 flags=0x0 iova=0x0 pages=0 granule=12",
		       invalidate_all(vm, 8));
	EXPECT_REQUEST("2", 0, "detach", "domain=7 endpoint=0x28",
		       detach(vm, 7, EP));
}

TEST_F(traces, of_the_rest)
{
	struct vhost_iommu_invalidation record;
	struct vm *vm = &self->vm;
	struct vhost_iommu_fault fault = {
		.size = sizeof(fault), .endpoint = EP, .address = 0x123000,
		.reason = VIRTIO_IOMMU_FAULT_R_MAPPING,
		.flags = VIRTIO_IOMMU_FAULT_F_READ | VIRTIO_IOMMU_FAULT_F_ADDRESS,
	};
	char none[8] = {};

	ASSERT_EQ(0, add_emulated(vm, EP));
	ASSERT_EQ(0, add_notified(vm, EP + 1));
	ASSERT_TRUE(clear_trace());
	EXPECT_EQ(0, request_raw(vm, none, 1, none, 1));
	EXPECT_TRACED("malformed", "out=1 in=1");
	EXPECT_EQ(0, ioctl(vm->fd, VHOST_IOMMU_REPORT_FAULT, &fault));
	EXPECT_TRACED("fault", "reason=2 flags=0x101 endpoint=0x28 address=0x123000");
	EXPECT_EQ(0, remove_endpoint(vm, EP + 1));
	EXPECT_TRACED("invalidate", "endpoint=0x29 iova=0x0-0xffffffffffffffff");
	ASSERT_TRUE(invalidation(vm, &record));
	EXPECT_EQ(0, invalidations(vm, record.sequence, NULL, 0));
	/* A descriptor that is none; the worker may look as well. */
	ring_add(&vm->request, RING_NUM);
	ring_kick(&vm->request);
	EXPECT_TRUE(fired(vm->request.err));
	EXPECT_LE(1, traced("broken", " queue=0 err=-71"));
}

TEST_HARNESS_MAIN
