/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Have every allocation that an operation makes fail in turn. Needs
 * CONFIG_FAULT_INJECTION_DEBUG_FS and debugfs in /sys/kernel/debug.
 */
#ifndef INJECT_H
#define INJECT_H

#include "sys.h"

#define DEBUG	"/sys/kernel/debug/"
#define MAX_NTH	1000

/* Allocations that may sleep fail too, and quietly. */
static inline bool can_inject(void)
{
	return write_file(DEBUG "failslab/ignore-gfp-wait", "N") &&
	       write_file(DEBUG "failslab/verbose", "0") &&
	       write_file(DEBUG "fail_page_alloc/ignore-gfp-wait", "N") &&
	       write_file(DEBUG "fail_page_alloc/min-order", "0") &&
	       write_file(DEBUG "fail_page_alloc/verbose", "0");
}

static inline int fail_nth_of(int tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", tid);
	return open(path, O_RDWR);
}

/* For a program of one thread; -1 if the kernel cannot have allocations fail. */
static inline int open_injection(void)
{
	return can_inject() ? fail_nth_of(getpid()) : -1;
}

static inline void fail_nth(int fd, unsigned int nth)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", nth);

	if (pwrite(fd, buf, len, 0) != len)
		abort();
}

/* Did it fail? None fails from now on. */
static inline bool failed(int fd)
{
	char buf[16] = {};

	if (pread(fd, buf, sizeof(buf) - 1, 0) <= 0)
		abort();
	fail_nth(fd, 0);
	return atoi(buf) == 0;
}

/*
 * Do @op until no allocation of it failed; it returns 0 if it worked, which @undo
 * takes back. @check holds whenever it did not work. At least one has to fail.
 */
#define FAIL_EACH(fd, op, undo, check) do {				\
		unsigned int nth, did_fail = 0;				\
		int ret, nth_fd = fd;					\
		bool injected = true;					\
									\
		for (nth = 1; injected && nth < MAX_NTH; nth++) {	\
			fail_nth(nth_fd, nth);				\
			ret = op;					\
			injected = failed(nth_fd);			\
			if (!ret) {					\
				undo;					\
				continue;				\
			}						\
			ASSERT_TRUE(injected)				\
				TH_LOG("failed by itself: %d, errno %d", \
				       ret, errno);			\
			did_fail++;					\
			EXPECT_TRUE(check);				\
		}							\
		EXPECT_LT(nth, MAX_NTH);				\
		EXPECT_LT(0, did_fail);					\
	} while (0)

#endif /* INJECT_H */
