/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test programs share: fixtures for a guest without and with an assigned
 * device, and expectations.
 */
#ifndef TEST_H
#define TEST_H

#include "kselftest_harness.h"

/* Seconds for a test that hangs: the machine is emulated, and may be busy. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#include "edu_vm.h"

#define EP		0x28
#define RW		(VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)
#define DMA_RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

#define EXPECT_ERRNO(err, expr)						\
	do {								\
		errno = 0;						\
		EXPECT_EQ(-1, expr);					\
		EXPECT_EQ(err, errno);					\
	} while (0)

#define EXPECT_STATUS(status, expr) EXPECT_EQ(VIRTIO_IOMMU_S_##status, expr)

/* A copy of a structure with a change. */
#define BUT(orig, change) ({ __typeof__(orig) c = (orig); change; c; })

FIXTURE(vm)
{
	struct vm vm;
};

FIXTURE_SETUP(vm)
{
	ASSERT_EQ(0, vm_create(&self->vm));
}

FIXTURE_TEARDOWN(vm)
{
	vm_destroy(&self->vm);
}

FIXTURE(edu)
{
	struct vm vm;
	struct edu edu;
	char *src, *dst;	/* pages of the guest's memory for DMA */
};

/* Guest-physical addresses, IOVAs of the guest's domain. */
#define SRC_GPA		0x100000UL
#define DST_GPA		0x101000UL
#define SRC_IOVA	0x4000000UL
#define DST_IOVA	0x4001000UL
#define MORE_IOVA	0x6000000UL

/* Where devices find doorbells: 1 MiB, on arm64 what the host has in place of them. */
#ifdef __aarch64__
#define DOORBELLS	0x8000000UL
#else
#define DOORBELLS	0xfee00000UL
#endif

FIXTURE_SETUP(edu)
{
	if (!getenv("EDU"))
		SKIP(return, "EDU is not set");
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	self->src = self->vm.ram + SRC_GPA;
	self->dst = self->vm.ram + DST_GPA;
}

FIXTURE_TEARDOWN(edu)
{
	if (!getenv("EDU"))
		return;
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

/* By guest-physical addresses, by addresses of the guest's domain. */
#define bypass_works() \
	edu_writes(&self->edu, SRC_GPA, self->src, DST_GPA, self->dst)
#define mapping_works() \
	edu_writes(&self->edu, SRC_IOVA, self->src, DST_IOVA, self->dst)

#endif /* TEST_H */
