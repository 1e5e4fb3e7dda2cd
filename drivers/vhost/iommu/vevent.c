// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that a physical IOMMU has for a guest whose tables it walks: iommufd queues
 * them for the vIOMMU object, and gives a file to read them from. The worker reads, as
 * it is the VMM's memory that they are read into (uarg.c).
 *
 * What is read may have been changed by the VMM, which can report any fault to its
 * guest anyway.
 */
#include <kunit/static_stub.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <uapi/linux/iommufd.h>

#include "iommufd.h"
#include "nest.h"
#include "stage2.h"
#include "vevent.h"
#include "vhost_iommu.h"

/* How many iommufd keeps, and how much is read at once. */
#define QUEUE_DEPTH	VHOST_IOMMU_FAULTS_MAX
#define READ_MAX	512U
/* What iommufd calls the file. */
#define QUEUE_NAME	"[iommufd-viommu-event]"

/**
 * struct vhost_iommu_vevents - the events of one vIOMMU object
 * @nest: whose it is; constant
 * @id: number of the queue in the iommufd; constant
 * @file: the queue; constant
 * @wait: in @head
 * @head: woken when there is an event; constant
 * @poll: sets up the two above
 * @data: what was read last; the instance's lock
 */
struct vhost_iommu_vevents {
	struct vhost_iommu_nest	*nest;
	u32			id;
	struct file		*file;
	wait_queue_entry_t	wait;
	wait_queue_head_t	*head;
	poll_table		poll;
	u8			data[READ_MAX] __aligned(8);
};

static int woken(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct vhost_iommu_vevents *events =
		container_of(wait, struct vhost_iommu_vevents, wait);

	/* The key does not say why. */
	vhost_iommu_wake(events->nest->vi, VHOST_IOMMU_WORK_VEVENT);
	return 0;
}

static void set_up_wait(struct file *file, wait_queue_head_t *head,
			poll_table *poll)
{
	struct vhost_iommu_vevents *events =
		container_of(poll, struct vhost_iommu_vevents, poll);

	events->head = head;
	add_wait_queue(head, &events->wait);
}

/*
 * The descriptor is in the VMM's table for a moment, in which it can become that of any
 * file, which might block, or wait for more than one thing. No user can name an
 * anonymous inode.
 */
static bool is_queue(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, QUEUE_NAME);
}

static struct file *take_file(int fd)
{
	struct file *file = fget(fd);

	close_fd(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (is_queue(file))
		return file;
	fput(file);
	return ERR_PTR(-EINVAL);
}

static int open_queue(struct vhost_iommu_vevents *events, u32 type)
{
	struct vhost_iommu_nest *nest = events->nest;
	struct iommu_veventq_alloc arg = {
		.size = sizeof(arg),
		.viommu_id = nest->viommu,
		.type = type,
		.veventq_depth = QUEUE_DEPTH,
	};
	int ret;

	ret = vhost_iommu_iommufd_ioctl(nest->s2, IOMMU_VEVENTQ_ALLOC, &arg,
					sizeof(arg));
	if (ret)
		return ret;
	events->id = arg.out_veventq_id;
	events->file = take_file(arg.out_veventq_fd);
	if (!IS_ERR(events->file))
		return 0;
	vhost_iommu_iommufd_destroy(nest->s2, events->id);
	return PTR_ERR(events->file);
}

/**
 * vhost_iommu_vevents_create() - have events come to the guest
 * @nest: has a vIOMMU object
 * @type: of the events, IOMMU_VEVENTQ_TYPE_*
 *
 * Context: an ioctl of the VMM's: iommufd makes a file descriptor.
 *
 * Return: the events or an ERR_PTR.
 */
struct vhost_iommu_vevents *
vhost_iommu_vevents_create(struct vhost_iommu_nest *nest, u32 type)
{
	struct vhost_iommu_vevents *events;
	int ret;

	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_vevents_create, nest, type);
	events = kzalloc(sizeof(*events), GFP_KERNEL_ACCOUNT);
	if (!events)
		return ERR_PTR(-ENOMEM);
	events->nest = nest;
	ret = open_queue(events, type);
	if (ret) {
		kfree(events);
		return ERR_PTR(ret);
	}
	init_waitqueue_func_entry(&events->wait, woken);
	init_poll_funcptr(&events->poll, set_up_wait);
	if (vfs_poll(events->file, &events->poll) & EPOLLIN)
		vhost_iommu_wake(nest->vi, VHOST_IOMMU_WORK_VEVENT);
	return events;
}

/**
 * vhost_iommu_vevents_destroy() - the opposite
 * @events: as created
 */
void vhost_iommu_vevents_destroy(struct vhost_iommu_vevents *events)
{
	KUNIT_STATIC_STUB_REDIRECT(vhost_iommu_vevents_destroy, events);
	if (events->head)
		remove_wait_queue(events->head, &events->wait);
	/* As long as it is open, iommufd destroys neither the queue nor the vIOMMU. */
	__fput_sync(events->file);
	vhost_iommu_iommufd_destroy(events->nest->s2, events->id);
	kfree(events);
}

/* Return: bytes of @data that were used. */
static size_t report(struct vhost_iommu_vevents *events, const void *data,
		     size_t size)
{
	const struct vhost_iommu_nest *nest = events->nest;
	const struct iommufd_vevent_header *header = data;

	if (header->flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS) {
		vhost_iommu_drop_fault(nest->vi);
		return sizeof(*header);
	}
	if (size < sizeof(*header) + nest->format->event_size)
		return size;
	nest->format->report(nest, data + sizeof(*header));
	return sizeof(*header) + nest->format->event_size;
}

static void read_events(struct vhost_iommu_vevents *events)
{
	void __user *page =
		u64_to_user_ptr(vhost_iommu_iommufd_arg(events->nest->s2));
	ssize_t size, done = 0;
	loff_t pos = 0;

	/* It does not block. */
	size = events->file->f_op->read(events->file, page, READ_MAX, &pos);
	if (size <= 0 || size > READ_MAX ||
	    copy_from_user(events->data, page, size))
		return;
	while (size - done >= (ssize_t)sizeof(struct iommufd_vevent_header))
		done += report(events, events->data + done, size - done);
	/* There may be more, for the next turn. */
	vhost_iommu_wake(events->nest->vi, VHOST_IOMMU_WORK_VEVENT);
}

/**
 * vhost_iommu_read_vevents() - report the events that wait
 * @vi: the instance, locked
 *
 * Context: the worker.
 */
void vhost_iommu_read_vevents(struct vhost_iommu *vi)
{
	struct vhost_iommu_class *class;

	lockdep_assert_held(&vi->lock);

	if (!vi->s2)
		return;
	down_read(&vi->s2->lock);
	list_for_each_entry(class, &vi->s2->classes, list)
		if (class->nest && class->nest->vevents)
			read_events(class->nest->vevents);
	up_read(&vi->s2->lock);
}
