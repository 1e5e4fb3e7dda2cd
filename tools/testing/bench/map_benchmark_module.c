// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/dma/map_benchmark.c as a module, which its source is no more than two lines
 * short of. The build puts it next to this file.
 */
#include <linux/kthread.h>
#include <linux/module.h>

#undef pr_fmt
/* Not exported. */
#define kthread_bind_mask	set_cpus_allowed_ptr
#include "map_benchmark.c"

MODULE_DESCRIPTION("Benchmark of dma_map and dma_unmap");
MODULE_LICENSE("GPL");
