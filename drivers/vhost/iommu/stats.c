// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an instance is doing, for programs (VHOST_IOMMU_GET_STATS) and for people
 * (debugfs: vhost_iommu/<pid>-<n>/). A VMM can keep its worker, and the lock, waiting
 * for its memory, so people can interrupt their reading.
 */
#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "domain.h"
#include "endpoint.h"
#include "stage2.h"
#include "vhost_iommu.h"

static struct dentry *debugfs_root;

/**
 * vhost_iommu_read_stats() - read the counters
 * @vi: the instance, locked
 * @stats: filled, but for the size
 */
void vhost_iommu_read_stats(struct vhost_iommu *vi,
			    struct vhost_iommu_stats *stats)
{
	lockdep_assert_held(&vi->lock);

	*stats = vi->stats;
	stats->kicks = atomic64_read(&vi->kicks);
	stats->endpoints = vi->nr_endpoints;
	stats->domains = vi->nr_domains;
	stats->mappings = vi->nr_mappings;
	stats->pinned = vi->s2 ? READ_ONCE(vi->s2->pinned) : 0;

	spin_lock_irq(&vi->fault_lock);
	stats->faults_dropped = vi->nr_faults_dropped;
	spin_unlock_irq(&vi->fault_lock);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct vhost_iommu *vi = m->private;
	struct vhost_iommu_stats s;

	if (mutex_lock_interruptible(&vi->lock))
		return -EINTR;
	vhost_iommu_read_stats(vi, &s);
	mutex_unlock(&vi->lock);

	seq_printf(m, "requests_attach %llu\n", s.attach);
	seq_printf(m, "requests_detach %llu\n", s.detach);
	seq_printf(m, "requests_map %llu\n", s.map);
	seq_printf(m, "requests_unmap %llu\n", s.unmap);
	seq_printf(m, "requests_probe %llu\n", s.probe);
	seq_printf(m, "requests_failed %llu\n", s.failed);
	seq_printf(m, "requests_malformed %llu\n", s.malformed);
	seq_printf(m, "kicks %llu\n", s.kicks);
	seq_printf(m, "signals %llu\n", s.signals);
	seq_printf(m, "faults %llu\n", s.faults);
	seq_printf(m, "faults_dropped %llu\n", s.faults_dropped);
	seq_printf(m, "endpoints %llu\n", s.endpoints);
	seq_printf(m, "domains %llu\n", s.domains);
	seq_printf(m, "mappings %llu\n", s.mappings);
	seq_printf(m, "invalidations %llu\n", s.invalidations);
	seq_printf(m, "requests_attach_table %llu\n", s.attach_table);
	seq_printf(m, "requests_invalidate %llu\n", s.invalidate);
	seq_printf(m, "pinned %llu\n", s.pinned);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int endpoints_show(struct seq_file *m, void *unused)
{
	struct vhost_iommu *vi = m->private;
	struct vhost_iommu_ep *ep;
	unsigned long id;

	if (mutex_lock_interruptible(&vi->lock))
		return -EINTR;
	xa_for_each(&vi->endpoints, id, ep) {
		seq_printf(m, "%#06x %s ", ep->id,
			   ep->assigned ? "assigned" : "emulated");
		if (ep->domain)
			seq_printf(m, "domain %u%s\n", ep->domain->id,
				   ep->domain->bypass ? " (bypass)" : "");
		else
			seq_printf(m, "no domain (%s)\n",
				   vi->config.bypass ? "bypass" : "blocked");
	}
	mutex_unlock(&vi->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(endpoints);

static void *domains_find(struct vhost_iommu *vi, loff_t *pos)
{
	struct vhost_iommu_domain *domain;
	unsigned long id = *pos;

	domain = xa_find(&vi->domains, &id, U32_MAX, XA_PRESENT);
	if (domain)
		*pos = id;
	return domain;
}

static void *domains_start(struct seq_file *m, loff_t *pos)
{
	struct vhost_iommu *vi = m->private;

	if (mutex_lock_interruptible(&vi->lock))
		return ERR_PTR(-EINTR);
	return domains_find(vi, pos);
}

static void *domains_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return domains_find(m->private, pos);
}

static void domains_stop(struct seq_file *m, void *v)
{
	struct vhost_iommu *vi = m->private;

	/* The lock is not held if the start has failed. */
	if (!IS_ERR(v))
		mutex_unlock(&vi->lock);
}

/* What is in @nests is of iommufd, with which both lists change under the instance's lock. */
static const char *domain_kind(const struct vhost_iommu_domain *domain)
{
	if (domain->bypass)
		return "bypass";
	if (!vhost_iommu_domain_has_table(domain))
		return "mapped";
	return list_empty(&domain->nests) || !list_empty(&domain->hwdoms) ?
	       "table" : "walked";
}

static int domains_show(struct seq_file *m, void *v)
{
	struct vhost_iommu_domain *domain = v;

	seq_printf(m, "%u %s endpoints %zu\n", domain->id, domain_kind(domain),
		   list_count_nodes(&domain->endpoints));
	return 0;
}

static const struct seq_operations domains_sops = {
	.start	= domains_start,
	.next	= domains_next,
	.stop	= domains_stop,
	.show	= domains_show,
};
DEFINE_SEQ_ATTRIBUTE(domains);

/**
 * struct mapping_cursor - where a reader of all mappings is
 * @vi: the instance
 * @domain: number of a domain, or of none before the next one
 * @start: first address that was not shown
 *
 * A reader holds the instance's lock for a buffer and not from one to the next, so
 * that there can be any number of mappings.
 */
struct mapping_cursor {
	struct vhost_iommu	*vi;
	unsigned long		domain;
	u64			start;
};

/* The first mapping from the cursor on, which moves there. */
static void *mappings_find(struct mapping_cursor *c)
{
	struct vhost_iommu_domain *domain;
	unsigned long id = c->domain;

	xa_for_each_start(&c->vi->domains, id, domain, c->domain) {
		struct vhost_iommu_mapping *mapping;

		if (id != c->domain)
			c->start = 0;
		c->domain = id;
		mapping = vhost_iommu_mapping_find(&domain->mappings, c->start,
						   U64_MAX);
		if (mapping)
			return mapping;
	}
	return NULL;
}

static void *mappings_start(struct seq_file *m, loff_t *pos)
{
	struct mapping_cursor *c = m->private;

	if (!*pos) {
		c->domain = 0;
		c->start = 0;
	}
	if (mutex_lock_interruptible(&c->vi->lock))
		return ERR_PTR(-EINTR);
	return mappings_find(c);
}

static void *mappings_next(struct seq_file *m, void *v, loff_t *pos)
{
	const struct vhost_iommu_mapping *mapping = v;
	struct mapping_cursor *c = m->private;

	++*pos;
	c->start = mapping->node.last + 1;
	/* It was the last address there is. */
	if (!c->start)
		c->domain++;
	return mappings_find(c);
}

static void mappings_stop(struct seq_file *m, void *v)
{
	struct mapping_cursor *c = m->private;

	if (!IS_ERR(v))
		mutex_unlock(&c->vi->lock);
}

static int mappings_show(struct seq_file *m, void *v)
{
	const struct vhost_iommu_mapping *mapping = v;
	const struct mapping_cursor *c = m->private;

	seq_printf(m, "%lu %#lx-%#lx %#llx %c%c%c\n", c->domain,
		   mapping->node.start, mapping->node.last, mapping->gpa,
		   mapping->flags & VIRTIO_IOMMU_MAP_F_READ ? 'r' : '-',
		   mapping->flags & VIRTIO_IOMMU_MAP_F_WRITE ? 'w' : '-',
		   mapping->flags & VIRTIO_IOMMU_MAP_F_MMIO ? 'm' : '-');
	return 0;
}

static const struct seq_operations mappings_sops = {
	.start	= mappings_start,
	.next	= mappings_next,
	.stop	= mappings_stop,
	.show	= mappings_show,
};

static int mappings_open(struct inode *inode, struct file *file)
{
	struct mapping_cursor *c;

	c = __seq_open_private(file, &mappings_sops, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->vi = inode->i_private;
	return 0;
}

static const struct file_operations mappings_fops = {
	.owner		= THIS_MODULE,
	.open		= mappings_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

/**
 * vhost_iommu_debugfs_add() - show an instance that has an owner
 * @vi: the instance
 */
void vhost_iommu_debugfs_add(struct vhost_iommu *vi)
{
	static atomic_t serial = ATOMIC_INIT(0);
	char name[32];

	snprintf(name, sizeof(name), "%d-%d", current->tgid,
		 atomic_inc_return(&serial));
	vi->debugfs = debugfs_create_dir(name, debugfs_root);
	debugfs_create_file("stats", 0400, vi->debugfs, vi, &stats_fops);
	debugfs_create_file("endpoints", 0400, vi->debugfs, vi,
			    &endpoints_fops);
	debugfs_create_file("domains", 0400, vi->debugfs, vi, &domains_fops);
	debugfs_create_file("mappings", 0400, vi->debugfs, vi, &mappings_fops);
}

/**
 * vhost_iommu_debugfs_remove() - do not show an instance any more
 * @vi: the instance, not locked
 */
void vhost_iommu_debugfs_remove(struct vhost_iommu *vi)
{
	debugfs_remove_recursive(vi->debugfs);
}

void __init vhost_iommu_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("vhost_iommu", NULL);
}

void vhost_iommu_debugfs_exit(void)
{
	debugfs_remove_recursive(debugfs_root);
}
