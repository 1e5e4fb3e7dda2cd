// SPDX-License-Identifier: GPL-2.0-only
/*
 * What requests cost in the host, without a guest: this process is VMM and guest at
 * once, and drives the request queue itself. Prints a "NAME VALUE" a line.
 *
 *	host-bench ring		MAP and UNMAP of a page, in batches
 *	host-bench parts	the same without hardware, and PROBE-like requests that
 *				do nothing: what the queue takes, and the domain
 *	host-bench type1	the same by the ioctls of vfio_iommu_type1
 *	host-bench live		MAP and UNMAP with few and with many live mappings,
 *				and the memory that these take
 *	host-bench tables	INVALIDATE of 1, 512 and 262144 pages of a table that
 *				is shadowed: all new, unchanged, all gone
 *	host-bench walked	INVALIDATE of a page of a table that the IOMMU walks, in
 *				batches and alone: what unmapping it takes. IOMMUFD has
 *				to be in the environment
 *	host-bench idle		processor time of instances that have nothing to do
 *
 * An edu device has to be bound to vfio-pci, its address in the environment as
 * EDU=0000:00:05.0.
 */
#include <linux/vhost_iommu.h>
#include <linux/virtio_iommu_tables.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static __u32 config_flags;

#define CONFIG_FLAGS	config_flags
#define RING_NUM	256
#include "edu_vm.h"

#define EP		0x28
#define DOMAIN		1
#define BATCH		64
#define PAGE		0x1000UL
#define IOVA		0x100000000UL
#define RW		(VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)
#define DMA_RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define SLOT		0x80	/* bytes of a request and its tail */
#define TAIL		0x40
#define SECONDS		1

/* Live mappings come in blocks, with a hole for a batch behind each of them. */
#define BLOCK		1000
#define BLOCK_SIZE	((BLOCK + BATCH) * PAGE)
#define FEW		1
#define MANY		1000
#define IDLE_SECONDS	30

/* Page tables of a gibibyte from IOVA on: 512 of the last level. */
#define ROOT		0x180000UL
#define L3		0x181000UL
#define L2		0x182000UL
#define L1		0x200000UL

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Descriptors never change: request i is 2 * i and 2 * i + 1. */
static void prepare(struct vm *vm)
{
	struct ring *r = &vm->request;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		ring_desc(r, 2 * i, BUF + i * SLOT, 0, VRING_DESC_F_NEXT,
			  2 * i + 1);
		ring_desc(r, 2 * i + 1, BUF + i * SLOT + TAIL,
			  sizeof(struct virtio_iommu_req_tail),
			  VRING_DESC_F_WRITE, 0);
	}
}

static void put_request(struct vm *vm, unsigned int i, const void *req,
			__u32 size)
{
	struct ring *r = &vm->request;

	memcpy(vm->ram + BUF + i * SLOT, req, size);
	vm->ram[BUF + i * SLOT + TAIL] = 0xee;
	r->vring.desc[2 * i].len = size;
	r->vring.avail->ring[(__u16)(r->avail + i) % RING_NUM] = 2 * i;
}

static void run_batch(struct vm *vm, unsigned int nr, unsigned char status)
{
	struct ring *r = &vm->request;
	__u16 old = r->avail;
	unsigned int i;

	/* One interrupt, for the last of them: a spinning waiter slows the worker. */
	r->avail += nr;
	vring_used_event(&r->vring) = r->avail - 1;
	__atomic_store_n(&r->vring.avail->idx, r->avail, __ATOMIC_RELEASE);
	if (vring_need_event(ring_event(r), r->avail, old))
		ring_kick(r);
	r->used = r->avail;
	while (__atomic_load_n(&r->vring.used->idx, __ATOMIC_ACQUIRE) != r->used)
		fired(r->call);
	for (i = 0; i < nr; i++) {
		if (vm->ram[BUF + i * SLOT + TAIL] != status) {
			fprintf(stderr, "a request failed\n");
			exit(1);
		}
	}
}

static void map_batch(struct vm *vm, __u64 iova, unsigned int nr)
{
	struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = DOMAIN,
		.flags = RW,
	};
	unsigned int i;

	for (i = 0; i < nr; i++) {
		req.virt_start = iova + i * PAGE;
		req.virt_end = req.virt_start + PAGE - 1;
		req.phys_start = 0x100000 + i * PAGE;
		put_request(vm, i, &req, offsetof(typeof(req), tail));
	}
	run_batch(vm, nr, VIRTIO_IOMMU_S_OK);
}

static void unmap_batch(struct vm *vm, __u64 iova, unsigned int nr)
{
	struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = DOMAIN,
	};
	unsigned int i;

	for (i = 0; i < nr; i++) {
		req.virt_start = iova + i * PAGE;
		req.virt_end = req.virt_start + PAGE - 1;
		put_request(vm, i, &req, offsetof(typeof(req), tail));
	}
	run_batch(vm, nr, VIRTIO_IOMMU_S_OK);
}

/* Microseconds of a pair, in the holes behind @blocks blocks in turn. */
static double time_pairs(struct vm *vm, unsigned int blocks)
{
	double start = now(), end = start + SECONDS, t;
	unsigned long pairs = 0;

	do {
		__u64 hole = IOVA + BLOCK * PAGE +
			     (pairs / BATCH * 7 % blocks) * BLOCK_SIZE;

		map_batch(vm, hole, BATCH);
		unmap_batch(vm, hole, BATCH);
		pairs += BATCH;
		t = now();
	} while (t < end);
	return (t - start) * 1e6 / pairs;
}

static void open_vm(struct vm *vm, struct edu *edu)
{
	if (edu_create(edu, vm, EP))
		die("setup");
	if (attach(vm, DOMAIN, EP, 0))
		die("attach");
	/* The requests so far have used the ring as they liked. */
	prepare(vm);
}

static void bench_ring(void)
{
	struct edu edu;
	struct vm vm;

	open_vm(&vm, &edu);
	printf("ring_pair %.2f\n", time_pairs(&vm, 1));
}

/* Requests of an endpoint that is not there fail before anything is done. */
static void detach_batch(struct vm *vm)
{
	struct virtio_iommu_req_detach req = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = DOMAIN,
		.endpoint = EP + 1,
	};
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		put_request(vm, i, &req, offsetof(typeof(req), tail));
	run_batch(vm, BATCH, VIRTIO_IOMMU_S_NOENT);
}

static void bench_parts(void)
{
	unsigned long nr = 0;
	double start, t;
	struct vm vm;

	if (vm_create(&vm) || add_emulated(&vm, EP) || vm_run(&vm, 1))
		die("setup");
	if (attach(&vm, DOMAIN, EP, 0))
		die("attach");
	prepare(&vm);
	printf("emulated_pair %.2f\n", time_pairs(&vm, 1));
	start = now();
	do {
		detach_batch(&vm);
		nr += BATCH;
		t = now();
	} while (t < start + SECONDS);
	printf("empty_request %.2f\n", (t - start) * 1e6 / nr);
}

static void bench_type1(void)
{
	unsigned long pairs = 0;
	double start, end, t;
	unsigned int i;
	struct edu edu;
	char *page;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || edu_open_group(&edu) ||
	    edu_set_container(&edu) || edu_open_device(&edu))
		die("setup");

	start = now();
	end = start + SECONDS;
	do {
		for (i = 0; i < BATCH; i++)
			if (s2_map(&edu, page, IOVA + i * PAGE, PAGE, DMA_RW))
				die("VFIO_IOMMU_MAP_DMA");
		for (i = 0; i < BATCH; i++)
			if (s2_unmap(&edu, IOVA + i * PAGE, PAGE, 0) != PAGE)
				die("VFIO_IOMMU_UNMAP_DMA");
		pairs += BATCH;
		t = now();
	} while (t < end);
	printf("type1_pair %.2f\n", (t - start) * 1e6 / pairs);
}

static void add_live(struct vm *vm, unsigned int from, unsigned int to)
{
	unsigned int block, i;

	for (block = from; block < to; block++)
		for (i = 0; i < BLOCK; i += BATCH)
			map_batch(vm, IOVA + block * BLOCK_SIZE + i * PAGE,
				  BLOCK - i < BATCH ? BLOCK - i : BATCH);
}

/* What the kernel has in slabs and in page tables of any kind. */
static unsigned long kernel_kib(void)
{
	unsigned long kib, sum = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %lu", &kib) == 1 ||
		    sscanf(line, "PageTables: %lu", &kib) == 1 ||
		    sscanf(line, "SecPageTables: %lu", &kib) == 1)
			sum += kib;
	if (f)
		fclose(f);
	return sum;
}

static void bench_live(void)
{
	unsigned long before, after;
	struct edu edu;
	struct vm vm;

	open_vm(&vm, &edu);
	add_live(&vm, 0, FEW);
	printf("live_few %.2f\n", time_pairs(&vm, FEW));
	before = kernel_kib();
	add_live(&vm, FEW, MANY);
	after = kernel_kib();
	printf("live_many %.2f\n", time_pairs(&vm, MANY));
	printf("live_bytes %.1f\n", (after - before) * 1024.0 /
	       ((MANY - FEW) * BLOCK));
}

static void set(struct vm *vm, __u64 table, unsigned int index, __u64 entry)
{
	((volatile __u64 *)(vm->ram + table))[index] = entry;
}

static void make_tables(struct vm *vm)
{
	const __u64 rw = VIRTIO_IOMMU_X86_64_PRESENT | VIRTIO_IOMMU_X86_64_WRITE;
	unsigned int i;

	set(vm, ROOT, 0, L3 | rw);
	set(vm, L3, IOVA >> 30, L2 | rw);
	for (i = 0; i < 512; i++)
		set(vm, L2, i, (L1 + i * PAGE) | rw);
}

/* The tables of the last level are consecutive. */
static void set_leaves(struct vm *vm, unsigned int nr, __u64 flags)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		set(vm, L1, i, flags ? (0x100000 + i % 128 * PAGE) | flags : 0);
}

/* Microseconds of an INVALIDATE of @nr pages. */
static double time_invalidate(struct vm *vm, unsigned int nr)
{
	const struct virtio_iommu_req_invalidate req = {
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.inv_gran = VIRTIO_IOMMU_INVAL_G_VA,
		.inv_type = VIRTIO_IOMMU_INV_T_IOTLB,
		.domain = DOMAIN, .virt_start = IOVA, .nr_pages = nr,
		.granule = 12,
	};
	double start;

	put_request(vm, 0, &req, offsetof(typeof(req), tail));
	start = now();
	run_batch(vm, 1, VIRTIO_IOMMU_S_OK);
	return (now() - start) * 1e6;
}

static void bench_invalidate(struct vm *vm, unsigned int nr)
{
	double added = 0, same = 0, gone = 0, end = now() + SECONDS;
	unsigned int n = 0;

	do {
		set_leaves(vm, nr, VIRTIO_IOMMU_X86_64_PRESENT |
				   VIRTIO_IOMMU_X86_64_WRITE);
		added += time_invalidate(vm, nr);
		same += time_invalidate(vm, nr);
		set_leaves(vm, nr, 0);
		gone += time_invalidate(vm, nr);
		n++;
	} while (now() < end);
	printf("added_%u %.1f\nsame_%u %.1f\ngone_%u %.1f\n", nr, added / n, nr,
	       same / n, nr, gone / n);
}

static void bench_tables(void)
{
	struct virtio_iommu_req_attach_pgt_x86_64 req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = DOMAIN, .endpoint = EP, .pgd = ROOT,
		.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64,
	};
	struct edu edu;
	struct vm vm;

	config_flags = VHOST_IOMMU_CONFIG_PAGE_TABLES;
	if (edu_create(&edu, &vm, EP))
		die("setup");
	make_tables(&vm);
	if (request(&vm, &req, offsetof(typeof(req), tail)))
		die("attach");
	prepare(&vm);
	bench_invalidate(&vm, 1);
	bench_invalidate(&vm, 512);
	bench_invalidate(&vm, 262144);
}

/* The format that the IOMMU walks, and how its address spaces are named. */
#ifdef __aarch64__
#define WALKED_FLAGS	(VIRTIO_IOMMU_INVAL_F_PASID | VIRTIO_IOMMU_INVAL_F_ARCHID)
#define WALKED_ARCHID	1

static unsigned int attach_walked(struct vm *vm)
{
	struct virtio_iommu_req_attach_pst_arm req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = DOMAIN, .endpoint = EP, .s1contextptr = ROOT,
		.format = VIRTIO_IOMMU_FORMAT_PSTF_ARM_SMMU_V3,
	};

	return request(vm, &req, offsetof(typeof(req), tail));
}
#else
#define WALKED_FLAGS	0
#define WALKED_ARCHID	0

static unsigned int attach_walked(struct vm *vm)
{
	struct virtio_iommu_req_attach_pgt_x86_64 req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH_TABLE,
		.domain = DOMAIN, .endpoint = EP, .pgd = ROOT,
		.format = VIRTIO_IOMMU_FORMAT_PGTF_X86_64,
	};

	return request(vm, &req, offsetof(typeof(req), tail));
}
#endif

/* Microseconds of an INVALIDATE of a page of an address space, in batches of @nr. */
static double time_walked(struct vm *vm, unsigned int nr)
{
	struct virtio_iommu_req_invalidate req = {
		.head.type = VIRTIO_IOMMU_T_INVALIDATE,
		.inv_gran = VIRTIO_IOMMU_INVAL_G_VA,
		.inv_type = VIRTIO_IOMMU_INV_T_IOTLB,
		.flags = WALKED_FLAGS | VIRTIO_IOMMU_INVAL_F_LEAF,
		.archid = WALKED_ARCHID, .domain = DOMAIN, .nr_pages = 1, .granule = 12,
	};
	double start = now(), end = start + SECONDS, t;
	unsigned long done = 0;
	unsigned int i;

	do {
		for (i = 0; i < nr; i++) {
			req.virt_start = IOVA + i * PAGE;
			put_request(vm, i, &req, offsetof(typeof(req), tail));
		}
		run_batch(vm, nr, VIRTIO_IOMMU_S_OK);
		done += nr;
		t = now();
	} while (t < end);
	return (t - start) * 1e6 / done;
}

/*
 * The device does nothing, so that it is enough of a table if shadowing it would make a
 * mapping. Context descriptors are not shadowed.
 */
static void bench_walked(void)
{
	struct edu edu;
	struct vm vm;

	config_flags = VHOST_IOMMU_CONFIG_PAGE_TABLES;
	if (edu_create(&edu, &vm, EP))
		die("setup");
	make_tables(&vm);
	set_leaves(&vm, 1, VIRTIO_IOMMU_X86_64_PRESENT);
	if (attach_walked(&vm))
		die("attach");
	if (get_stats(&vm).mappings) {
		fprintf(stderr, "the table is shadowed\n");
		exit(1);
	}
	prepare(&vm);
	printf("walked_batch %.2f\nwalked_alone %.2f\n",
	       time_walked(&vm, BATCH), time_walked(&vm, 1));
}

static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec * 1e3 + u.ru_utime.tv_usec / 1e3 +
	       u.ru_stime.tv_sec * 1e3 + u.ru_stime.tv_usec / 1e3;
}

/* The workers are threads of this process, which does nothing itself. */
static void bench_idle(void)
{
	static const unsigned int counts[] = { 1, 8, 32 };
	static struct vm vms[32];
	unsigned int i, have = 0;
	double before;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		for (; have < counts[i]; have++)
			if (vm_create(&vms[have]) || vm_run(&vms[have], 1))
				die("setup");
		for (have = 0; have < counts[i]; have++)
			detach(&vms[have], DOMAIN, EP);
		sleep(1);
		before = cpu_ms();
		sleep(IDLE_SECONDS);
		printf("idle_%u %.3f\n", have, cpu_ms() - before);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "ring"))
		bench_ring();
	else if (!strcmp(what, "parts"))
		bench_parts();
	else if (!strcmp(what, "type1"))
		bench_type1();
	else if (!strcmp(what, "live"))
		bench_live();
	else if (!strcmp(what, "tables"))
		bench_tables();
	else if (!strcmp(what, "walked"))
		bench_walked();
	else if (!strcmp(what, "idle"))
		bench_idle();
	else
		return 2;
	return 0;
}
