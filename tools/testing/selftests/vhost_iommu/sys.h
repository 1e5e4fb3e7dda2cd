/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of the kernel: parameters, counters, and what is known of the worker.
 */
#ifndef SYS_H
#define SYS_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARAMETERS	"/sys/module/vhost_iommu/parameters/"

static inline bool write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = write(fd, value, strlen(value));

	close(fd);
	return len == (ssize_t)strlen(value);
}

/* The number behind @name, at the begin of a line of a file; -1 if there is none. */
static inline long read_field(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(name);
	long value = -1;
	char line[256];

	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) &&
		    (!len || line[len] == ' ' || line[len] == ':'))
			value = strtol(line + len + !!len, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* The number that a file begins with, or -1. */
static inline long read_number(const char *path)
{
	return read_field(path, "");
}

/* Pages of this process that count against RLIMIT_MEMLOCK. */
static inline long locked_pages(void)
{
	return read_field("/proc/self/status", "VmLck") / 4;
}

/* Pages of the whole machine that are pinned. */
static inline long pinned_pages(void)
{
	/* Each CPU has counts of its own, for a while. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	return read_field("/proc/vmstat", "nr_foll_pin_acquired") -
	       read_field("/proc/vmstat", "nr_foll_pin_released");
}

/* Pages of the tables of all IOMMUs. */
static inline long table_pages(void)
{
	write_file("/proc/sys/vm/stat_refresh", "1");
	return read_field("/proc/vmstat", "nr_iommu_pages");
}

/* The thread of the worker, or -1. */
static inline int worker_tid(void)
{
	char path[PATH_MAX], name[32], comm[32];
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int tid = -1;
	FILE *f;

	snprintf(name, sizeof(name), "viommu-%d\n", getpid());
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) && !strcmp(comm, name))
			tid = atoi(entry->d_name);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return tid;
}

/* R if the worker runs, or would if it had a CPU; S if it has nothing to do. */
static inline char worker_state(void)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", worker_tid());
	f = fopen(path, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state;
}

/* Wait for the worker to be in a state. */
static inline bool worker_becomes(char state)
{
	unsigned int tries;

	for (tries = 0; tries < 10000; tries++) {
		if (worker_state() == state)
			return true;
		usleep(100);
	}
	return false;
}

#endif /* SYS_H */
