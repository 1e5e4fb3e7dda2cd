// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of edu devices, each in a VFIO container of its own, and what their DMA
 * reaches.
 *
 *   edu-domains GROUP...
 *
 * GROUP is the address of a device, or of two devices of one group with a comma
 * between them. The same I/O virtual address leads each container to another page;
 * and each has a page at an address that no other one has.
 *
 * Prints "ok NAME" or "not ok NAME # REASON".
 */
#include <errno.h>

#include "../../selftests/vhost_iommu/edu.h"

#define PAGE		4096UL
#define GROUPS_MAX	16
#define DMA_RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* Above all RAM of the guest. */
#define IOVA_SOURCE	0x80000000UL
#define IOVA_SAME	0x80100000UL
#define IOVA_OWN	0x80200000UL

struct group {
	struct edu	edus[2];
	int		nr;
	char		*source, *same, *own;
	uint64_t	own_iova;
};

static struct group groups[GROUPS_MAX];
static int nr_groups;

static void die(const char *what)
{
	fprintf(stderr, "edu-domains: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void verdict(bool held, const char *name, const char *device)
{
	printf("%s guest: %s %s%s\n", held ? "ok" : "not ok", device, name,
	       held ? "" : " # other data");
}

static char *map_page(struct group *g, uint64_t iova)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED || edu_map(&g->edus[0], page, iova, PAGE, DMA_RW))
		die("a mapping");
	return page;
}

static void open_group(struct group *g, char *names)
{
	char *second = strchr(names, ',');

	if (second)
		*second++ = '\0';
	setenv("EDU", names, 1);
	if (edu_open_group(&g->edus[0]) || edu_set_container(&g->edus[0]) ||
	    edu_open_device(&g->edus[0]))
		die(names);
	g->nr = 1;
	if (second) {
		setenv("EDU2", second, 1);
		if (edu_join_group(&g->edus[1], &g->edus[0], "EDU2"))
			die(second);
		g->nr = 2;
	}
	g->own_iova = IOVA_OWN + (g - groups) * PAGE;
	g->source = map_page(g, IOVA_SOURCE);
	g->same = map_page(g, IOVA_SAME);
	g->own = map_page(g, g->own_iova);
}

static bool writes(struct group *g, struct edu *edu, uint64_t iova, char *page)
{
	return edu_writes(edu, IOVA_SOURCE, g->source, iova, page);
}

/* The other groups' pages at the address that all of them have are as they were. */
static bool others_unchanged(struct group *g, struct edu *edu)
{
	int i;

	for (i = 0; i < nr_groups; i++)
		memset(groups[i].same, 0x5a, PAGE);
	writes(g, edu, IOVA_SAME, g->same);
	for (i = 0; i < nr_groups; i++) {
		char *p = groups[i].same;

		if (&groups[i] != g && (*p != 0x5a || memcmp(p, p + 1, PAGE - 1)))
			return false;
	}
	return true;
}

static bool reaches_others(struct group *g, struct edu *edu)
{
	int i;

	for (i = 0; i < nr_groups; i++)
		if (&groups[i] != g &&
		    writes(g, edu, groups[i].own_iova, groups[i].own))
			return true;
	return false;
}

static void test(struct group *g, struct edu *edu)
{
	verdict(writes(g, edu, IOVA_SAME, g->same) &&
		writes(g, edu, g->own_iova, g->own),
		"reaches the memory of its domain", edu->name);
	verdict(others_unchanged(g, edu),
		"does not reach what others have at the same address", edu->name);
	verdict(!reaches_others(g, edu), "reaches no address of another domain",
		edu->name);
}

int main(int argc, char **argv)
{
	int i, j;

	if (argc < 2 || argc > GROUPS_MAX + 1) {
		fprintf(stderr, "usage: edu-domains GROUP...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 1; i < argc; i++)
		open_group(&groups[nr_groups++], argv[i]);
	for (i = 0; i < nr_groups; i++)
		for (j = 0; j < groups[i].nr; j++)
			test(&groups[i], &groups[i].edus[j]);
	return 0;
}
