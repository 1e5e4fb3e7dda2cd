/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test can ask mock_vfio for, with ioctls on the character device of a device.
 */
#ifndef MOCK_VFIO_H
#define MOCK_VFIO_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct mock_vfio_state - where a device is, and how it got there
 * @pt: page table that it is attached to, 0 if it is detached
 * @attached: attachments that worked, replacements among them
 * @failed: attachments that did not
 * @detached: detachments
 */
struct mock_vfio_state {
	__u32 pt;
	__u32 attached;
	__u32 failed;
	__u32 detached;
};

/* Takes the IOAS that the mock device was made with, and which has to stay empty. */
#define MOCK_VFIO_SET_EMPTY	_IOW(';', 0xe0, __u32)
/* Fills a struct mock_vfio_state. */
#define MOCK_VFIO_GET_STATE	_IOR(';', 0xe1, struct mock_vfio_state)
/* Have attachments fail: the next one if bit 0 is set, the one after it if bit 1 is. */
#define MOCK_VFIO_FAIL		_IOW(';', 0xe2, __u32)

#endif /* MOCK_VFIO_H */
