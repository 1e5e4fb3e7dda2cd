// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an instance is doing, for programs (VHOST_IOMMU_GET_STATS) and for people
 * (debugfs: vhost_iommu/<pid>-<n>/).
 */
#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "domain.h"
#include "endpoint.h"
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

	spin_lock_irq(&vi->fault_lock);
	stats->faults_dropped = vi->nr_faults_dropped;
	spin_unlock_irq(&vi->fault_lock);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct vhost_iommu *vi = m->private;
	struct vhost_iommu_stats s;

	mutex_lock(&vi->lock);
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
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int endpoints_show(struct seq_file *m, void *unused)
{
	struct vhost_iommu *vi = m->private;
	struct vhost_iommu_ep *ep;
	unsigned long id;

	mutex_lock(&vi->lock);
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
