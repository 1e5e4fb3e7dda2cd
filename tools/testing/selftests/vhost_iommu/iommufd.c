// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is special about iommufd: memory that is announced, a VMM that forgets to, or that
 * plays with what is ours, and files that are kept. What both back ends do is tested by
 * the other programs with IOMMUFD in the environment. All of it needs EDU.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>

#include "sys.h"
#include "test.h"

#define PAGE	0x1000UL
#define EP2	(EP + 8)

FIXTURE(iommufd)
{
	struct vm vm;
	struct edu edu;
	char *src, *dst;
	long pinned, tables;
};

FIXTURE_SETUP(iommufd)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	setenv("IOMMUFD", "1", 1);
	/* What the host keeps of a device that was used once. */
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	edu_close(&self->edu);
	vm_destroy(&self->vm);
	self->pinned = pinned_pages();
	self->tables = table_pages();
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
}

FIXTURE_TEARDOWN(iommufd)
{
	if (!getenv("EDU"))
		return;
	edu_close(&self->edu);
	vm_destroy(&self->vm);
	EXPECT_EQ(self->pinned, pinned_pages());
	EXPECT_EQ(self->tables, table_pages());
}

#define writes(iova, gpa) \
	edu_writes(&self->edu, SRC_IOVA, self->src, iova, self->vm.ram + (gpa))

/* Memory is pinned, wherever the device is. */
TEST_F(iommufd, pinned)
{
	const long pinned = self->pinned + (long)(RAM_SIZE / PAGE);
	struct vm *vm = &self->vm;

	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_STATUS(OK, detach(vm, 1, EP));
	EXPECT_EQ(0, set_bypass(vm, 0));
	EXPECT_FALSE(bypass_works());
	EXPECT_EQ(pinned, pinned_pages());
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(pinned, pinned_pages());
}

static int set_iommufd(int fd, struct vhost_iommu_iommufd arg)
{
	return ioctl(fd, VHOST_IOMMU_SET_IOMMUFD, &arg);
}

static int add_device(int fd, struct vhost_iommu_endpoint ep)
{
	return ioctl(fd, VHOST_IOMMU_ADD_ENDPOINT, &ep);
}

/* Errors that need an iommufd, or a device in one. */
TEST_F(iommufd, errors)
{
	struct vhost_iommu_iommufd arg = {
		.size = sizeof(arg), .iommufd = self->edu.container,
		.ioas = self->edu.ioas,
	};
	struct vhost_iommu_endpoint ep = {
		.size = sizeof(ep), .flags = VHOST_IOMMU_ENDPOINT_IOMMUFD,
		.id = EP2, .device_fd = self->edu.device,
		.pt_id = self->edu.pt_id,
	};
	int fd = self->vm.fd, cdev;
	struct vm other;

	EXPECT_ERRNO(EBUSY, set_iommufd(fd, arg));
	ASSERT_EQ(0, vm_create(&other));
	EXPECT_ERRNO(ENOENT, set_iommufd(other.fd, BUT(arg, c.ioas = 9999)));
	/* There is such an object, but it is no IOAS. */
	EXPECT_ERRNO(ENOENT, set_iommufd(other.fd,
					 BUT(arg, c.ioas = ep.pt_id)));
	EXPECT_EQ(0, set_iommufd(other.fd, arg));
	vm_destroy(&other);

	EXPECT_ERRNO(EEXIST, add_device(fd, ep));
	EXPECT_ERRNO(EINVAL, add_device(fd, BUT(ep, c.device_fd = fd)));
	EXPECT_ERRNO(EINVAL, add_device(fd, BUT(ep, c.device_fd = arg.iommufd)));
	EXPECT_ERRNO(EBUSY, add_device(fd,
				       BUT(ep, c.flags = VHOST_IOMMU_ENDPOINT_VFIO;
					   c.device = (uintptr_t)self->edu.name;
					   c.pt_id = 0)));
	EXPECT_EQ(1, get_stats(&self->vm).endpoints);

	/* A number that no device has, and a device that is not bound. */
	EXPECT_EQ(0, remove_endpoint(&self->vm, EP));
	EXPECT_ERRNO(ENOENT, add_device(fd, BUT(ep, c.pt_id = 9999)));
	cdev = iommufd_open_cdev(getenv("EDU2"));
	ASSERT_LE(0, cdev);
	EXPECT_ERRNO(EINVAL, add_device(fd, BUT(ep, c.device_fd = cdev)));
	close(cdev);
	EXPECT_EQ(0, get_stats(&self->vm).endpoints);
	EXPECT_EQ(0, add_device(fd, ep));
	EXPECT_TRUE(bypass_works());
}

/* Without a device, another IOAS can be named, or the same; its memory is told anew. */
TEST_F(iommufd, begins_anew)
{
	struct vhost_iommu_iommufd arg = {
		.size = sizeof(arg), .iommufd = self->edu.container,
		.ioas = self->edu.ioas,
	};
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_ERRNO(EBUSY, set_iommufd(vm->fd, arg));
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_EQ(0, set_iommufd(vm->fd, arg));
	EXPECT_EQ(0, edu_add_endpoint(&self->edu, vm, EP));

	EXPECT_STATUS(OK, attach(vm, 2, EP, 0));
	EXPECT_STATUS(FAULT, map(vm, 2, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_EQ(0, add_memory(vm->fd, 0, RAM_SIZE, DMA_RW));
	EXPECT_STATUS(OK, map(vm, 2, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
}

TEST_F(iommufd, memory_errors)
{
	const __u64 far = 1UL << 40;
	int fd = self->vm.fd;

	EXPECT_ERRNO(EEXIST, add_memory(fd, 0, RAM_SIZE, DMA_RW));
	EXPECT_ERRNO(EEXIST, add_memory(fd, RAM_SIZE - PAGE, 2 * PAGE, DMA_RW));
	EXPECT_ERRNO(EINVAL, add_memory(fd, far, PAGE, 0));
	EXPECT_ERRNO(EINVAL, add_memory(fd, far, 0, DMA_RW));
	EXPECT_ERRNO(EINVAL, add_memory(fd, far + 8, PAGE, DMA_RW));
	EXPECT_ERRNO(EINVAL, add_memory(fd, far, PAGE - 1, DMA_RW));
	EXPECT_ERRNO(EINVAL, remove_memory(fd, 0, PAGE));
	EXPECT_ERRNO(EINVAL, remove_memory(fd, PAGE, RAM_SIZE));
	EXPECT_ERRNO(EINVAL, remove_memory(fd, 8, RAM_SIZE));
	EXPECT_ERRNO(ENOENT, remove_memory(fd, far, PAGE));
	/* It was not touched. */
	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(&self->vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
}

/* A MAP over several mappings of the VMM, over several ranges, and over a hole. */
TEST_F(iommufd, pieces)
{
	const __u64 half = RAM_SIZE / 2, iova = MORE_IOVA;
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;

	ASSERT_EQ(RAM_SIZE, s2_unmap(edu, 0, RAM_SIZE, 0));
	ASSERT_EQ(0, edu_map(edu, vm->ram, 0, half, DMA_RW));
	ASSERT_EQ(0, edu_map(edu, vm->ram + half, half, half, DMA_RW));
	ASSERT_EQ(0, add_memory(vm->fd, 0, RAM_SIZE, DMA_RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, 1, iova, 2 * PAGE, half - PAGE, RW));
	EXPECT_TRUE(writes(iova, half - PAGE));
	EXPECT_TRUE(writes(iova + PAGE, half));
	EXPECT_STATUS(OK, unmap(vm, 1, iova, 2 * PAGE));
	EXPECT_FALSE(writes(iova, half - PAGE));
	EXPECT_FALSE(writes(iova + PAGE, half));

	ASSERT_EQ(0, remove_memory(vm->fd, 0, RAM_SIZE));
	ASSERT_EQ(0, add_memory(vm->fd, 0, half, DMA_RW));
	ASSERT_EQ(0, add_memory(vm->fd, half + PAGE, half - PAGE,
				VFIO_DMA_MAP_FLAG_READ));
	EXPECT_STATUS(OK, map(vm, 1, iova, 4 * PAGE, half - PAGE, RW));
	EXPECT_TRUE(writes(iova, half - PAGE));
	EXPECT_FALSE(writes(iova + PAGE, half));
	EXPECT_FALSE(writes(iova + 2 * PAGE, half + PAGE));
	/* The hole is filled; all that is left goes at once. */
	ASSERT_EQ(0, add_memory(vm->fd, half, PAGE, DMA_RW));
	EXPECT_TRUE(writes(iova + PAGE, half));
	ASSERT_EQ(0, remove_memory(vm->fd, 0, 0));
	EXPECT_FALSE(writes(iova + PAGE, half));
	EXPECT_EQ(2, get_stats(vm).mappings);
}

/* What is announced is not there, or may only be read. */
TEST_F(iommufd, liar)
{
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;

	ASSERT_EQ(RAM_SIZE, s2_unmap(edu, 0, RAM_SIZE, 0));
	ASSERT_EQ(0, add_memory(vm->fd, 0, RAM_SIZE, DMA_RW));
	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(DEVERR, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_EQ(0, get_stats(vm).mappings);

	ASSERT_EQ(0, edu_map(edu, vm->ram, 0, RAM_SIZE, VFIO_DMA_MAP_FLAG_READ));
	EXPECT_STATUS(DEVERR, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA,
			      VIRTIO_IOMMU_MAP_F_READ));
	EXPECT_FALSE(mapping_works());
	/* Memory that comes for a mapping, and is none. */
	ASSERT_EQ(0, remove_memory(vm->fd, 0, RAM_SIZE));
	ASSERT_EQ(RAM_SIZE, edu_unmap(edu, 0, RAM_SIZE, 0));
	EXPECT_ERRNO(ENOENT, add_memory(vm->fd, 0, RAM_SIZE, DMA_RW));
	EXPECT_ERRNO(ENOENT, remove_memory(vm->fd, 0, RAM_SIZE));
	ASSERT_EQ(0, s2_map(edu, vm->ram, 0, RAM_SIZE, DMA_RW));
	EXPECT_FALSE(mapping_works());
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 2 * PAGE));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());
}

/* A VMM that unmaps without a word leaves the pages to the guest, pinned. */
TEST_F(iommufd, forgotten)
{
	struct edu *edu = &self->edu;
	struct vm *vm = &self->vm;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	ASSERT_EQ(RAM_SIZE, edu_unmap(edu, 0, RAM_SIZE, 0));
	EXPECT_LE(self->pinned + 2, pinned_pages());
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(DEVERR, map(vm, 1, MORE_IOVA, PAGE, SRC_GPA, RW));
	EXPECT_STATUS(OK, unmap(vm, 1, SRC_IOVA, 2 * PAGE));
	EXPECT_FALSE(mapping_works());
	EXPECT_EQ(self->pinned, pinned_pages());
}

/* The address space after SET_IOMMUFD has one page more: the one for arguments. */
static char *find_page(struct edu *edu, struct vm *vm)
{
	static char before[1 << 16], line[512];
	size_t len;
	FILE *f;

	f = fopen("/proc/self/maps", "r");
	len = f ? fread(before, 1, sizeof(before) - 1, f) : 0;
	before[len] = 0;
	if (f)
		fclose(f);
	if (edu_set_iommufd(edu, vm))
		return NULL;
	f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start, last;

		if (strstr(before, line) ||
		    sscanf(line, "%lx-%lx", &start, &last) != 2)
			continue;
		fclose(f);
		/* It may have become a part of another mapping, at an end of it. */
		snprintf(line, sizeof(line), "%lx-", start);
		return strstr(before, line) ? (char *)last - PAGE : (char *)start;
	}
	if (f)
		fclose(f);
	return NULL;
}

/* The device behind a second virtual IOMMU, of which the page is known. */
static char *second(struct edu *edu, struct vm *vm, struct vm *first)
{
	char *page;

	if (remove_endpoint(first, EP) || vm_create(vm))
		return NULL;
	page = find_page(edu, vm);
	if (!page || add_memory(vm->fd, 0, RAM_SIZE, DMA_RW) ||
	    edu_add_endpoint(edu, vm, EP) || vm_run(vm, 1))
		return NULL;
	return page;
}

TEST_F(iommufd, page_gone)
{
	struct edu *edu = &self->edu;
	struct vm vm;
	char *page;

	page = second(edu, &vm, &self->vm);
	ASSERT_NE(NULL, page);
	/* It is the one. */
	EXPECT_STATUS(OK, attach(&vm, 1, EP, 0));
	EXPECT_NE(0, *(__u32 *)page);

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	EXPECT_STATUS(DEVERR, map(&vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_STATUS(OK, map(&vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	EXPECT_TRUE(mapping_works());

	ASSERT_EQ(page, mmap(page, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			     MAP_FIXED, -1, 0));
	EXPECT_STATUS(DEVERR, map(&vm, 1, MORE_IOVA, PAGE, SRC_GPA, RW));
	EXPECT_STATUS(DEVERR, attach(&vm, 2, EP, 0));
	EXPECT_EQ(1, get_stats(&vm).mappings);
	EXPECT_EQ(1, get_stats(&vm).domains);
	EXPECT_EQ(0, vm_run(&vm, 0));
	vm_destroy(&vm);
}

static volatile bool scribbling;

static void *scribble(void *page)
{
	volatile __u32 *words = page;
	__u32 state = 1;

	while (scribbling)
		words[rnd(&state, 16)] = rnd(&state, 16);
	return NULL;
}

/* The VMM writes to the page at any time: it may break its guest, nothing else. */
TEST_F(iommufd, page_changes)
{
	struct edu *edu = &self->edu;
	unsigned int i;
	pthread_t thread;
	struct vm vm;
	char *page;

	page = second(edu, &vm, &self->vm);
	ASSERT_NE(NULL, page);
	scribbling = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, page));
	for (i = 0; i < 500; i++) {
		EXPECT_GT(NO_STATUS, attach(&vm, i % 3, EP, 0));
		EXPECT_GT(NO_STATUS, map(&vm, i % 3, SRC_IOVA, 2 * PAGE, SRC_GPA,
					 RW));
		EXPECT_GT(NO_STATUS, unmap(&vm, i % 3, SRC_IOVA, 2 * PAGE));
		EXPECT_GT(NO_STATUS, detach(&vm, i % 3, EP));
	}
	remove_endpoint(&vm, EP);
	scribbling = false;
	pthread_join(thread, NULL);
	vm_destroy(&vm);
}

/* Who closes the virtual IOMMU last is another process: all that was made stays. */
TEST_F(iommufd, closed_by_other)
{
	int go[2], status;
	pid_t child;
	char c;

	EXPECT_STATUS(OK, attach(&self->vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(&self->vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	ASSERT_EQ(0, pipe(go));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(self->edu.device);
		close(self->edu.container);
		_exit(read(go[0], &c, 1) != 1);
	}
	close(self->vm.fd);
	self->vm.fd = -1;
	EXPECT_TRUE(mapping_works());
	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	/* Until the VMM closes its own files. */
	EXPECT_TRUE(mapping_works());
}

/* The VMM destroys what is ours. */
TEST_F(iommufd, destroyed)
{
	struct iommu_destroy arg = { .size = sizeof(arg) };
	struct vm *vm = &self->vm;
	unsigned int destroyed = 0;

	EXPECT_STATUS(OK, attach(vm, 1, EP, 0));
	EXPECT_STATUS(OK, map(vm, 1, SRC_IOVA, 2 * PAGE, SRC_GPA, RW));
	/* What is in use cannot be destroyed; the page table of stage 2 can. */
	for (arg.id = 1; arg.id < 32; arg.id++)
		destroyed += !ioctl(self->edu.container, IOMMU_DESTROY, &arg);
	EXPECT_EQ(1, destroyed);
	EXPECT_TRUE(mapping_works());
	EXPECT_STATUS(DEVERR, detach(vm, 1, EP));
	EXPECT_TRUE(mapping_works());
	EXPECT_EQ(0, remove_endpoint(vm, EP));
	EXPECT_FALSE(mapping_works());
	/* The IOAS of the VMM is free again. */
	ASSERT_EQ(RAM_SIZE, s2_unmap(&self->edu, 0, RAM_SIZE, 0));
	arg.id = self->edu.ioas;
	EXPECT_EQ(0, ioctl(self->edu.container, IOMMU_DESTROY, &arg));
}

/* The device is kept open for its endpoint, and for nothing else. */
TEST_F(iommufd, device_kept)
{
	struct edu *edu = &self->edu;

	edu_close_device(edu);
	EXPECT_EQ(-1, edu_open_device(edu));
	EXPECT_EQ(0, remove_endpoint(&self->vm, EP));
	ASSERT_EQ(0, edu_open_device(edu));
	ASSERT_EQ(0, edu_add_endpoint(edu, &self->vm, EP));
	EXPECT_TRUE(bypass_works());
}

TEST_HARNESS_MAIN
