// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/iommu.h>
MODULE_DESCRIPTION("Virtio IOMMU accelerator");
MODULE_LICENSE("GPL");
