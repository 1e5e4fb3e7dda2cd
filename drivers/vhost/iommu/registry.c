// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which instances and which stage 2s exist. An instance and a container find each
 * other by the address space of their VMM. There is at most one stage 2 in it.
 */
#include <linux/module.h>
#include <linux/mutex.h>

#include "stage2.h"
#include "vhost_iommu.h"

static DEFINE_MUTEX(vhost_iommu_registry);
static LIST_HEAD(instances);
static LIST_HEAD(stage2s);
static unsigned long nr_stage2s;	/* that there ever were; vhost_iommu_registry */

/**
 * vhost_iommu_register() - add an instance that has an owner
 * @vi: the instance
 */
void vhost_iommu_register(struct vhost_iommu *vi)
{
	mutex_lock(&vhost_iommu_registry);
	list_add_tail(&vi->list, &instances);
	mutex_unlock(&vhost_iommu_registry);
}

/**
 * vhost_iommu_unregister() - remove an instance
 * @vi: the instance
 */
void vhost_iommu_unregister(struct vhost_iommu *vi)
{
	mutex_lock(&vhost_iommu_registry);
	list_del(&vi->list);
	mutex_unlock(&vhost_iommu_registry);
}

/**
 * vhost_iommu_claim() - claim the containers of the owner
 * @vi: an instance that is registered
 */
void vhost_iommu_claim(struct vhost_iommu *vi)
{
	mutex_lock(&vhost_iommu_registry);
	vi->claims = true;
	mutex_unlock(&vhost_iommu_registry);
}

/**
 * vhost_iommu_unclaim() - leave further containers of the owner to others
 * @vi: an instance that is registered
 */
void vhost_iommu_unclaim(struct vhost_iommu *vi)
{
	mutex_lock(&vhost_iommu_registry);
	vi->claims = false;
	mutex_unlock(&vhost_iommu_registry);
}

/**
 * vhost_iommu_claimed() - does a process want us to serve its containers?
 * @mm: its address space
 */
bool vhost_iommu_claimed(struct mm_struct *mm)
{
	struct vhost_iommu *vi;
	bool claimed = false;

	mutex_lock(&vhost_iommu_registry);
	list_for_each_entry(vi, &instances, list)
		if (vi->mm == mm && vi->claims)
			claimed = true;
	mutex_unlock(&vhost_iommu_registry);
	return claimed;
}

static struct vhost_iommu_s2 *find_s2(struct mm_struct *mm)
{
	struct vhost_iommu_s2 *s2;

	list_for_each_entry(s2, &stage2s, list)
		if (s2->mm == mm)
			return s2;
	return NULL;
}

/**
 * vhost_iommu_register_s2() - add the stage 2 of a container
 * @s2: stage 2
 *
 * Gives it a number that no other one ever has.
 *
 * Return: 0, or -EBUSY if the process has one.
 */
int vhost_iommu_register_s2(struct vhost_iommu_s2 *s2)
{
	int ret = 0;

	mutex_lock(&vhost_iommu_registry);
	if (find_s2(s2->mm)) {
		ret = -EBUSY;
	} else {
		s2->number = ++nr_stage2s;
		list_add_tail(&s2->list, &stage2s);
	}
	mutex_unlock(&vhost_iommu_registry);
	return ret;
}

/**
 * vhost_iommu_unregister_s2() - remove a stage 2 whose container is gone
 * @s2: stage 2
 */
void vhost_iommu_unregister_s2(struct vhost_iommu_s2 *s2)
{
	mutex_lock(&vhost_iommu_registry);
	list_del(&s2->list);
	mutex_unlock(&vhost_iommu_registry);
}

static struct vhost_iommu_s2 *find_number(unsigned long number)
{
	struct vhost_iommu_s2 *s2;

	lockdep_assert_held(&vhost_iommu_registry);

	list_for_each_entry(s2, &stage2s, list)
		if (s2->number == number)
			return s2;
	return NULL;
}

/**
 * vhost_iommu_find_s2() - the stage 2 of a container that is there
 * @number: its number
 *
 * Return: stage 2, without a reference.
 */
struct vhost_iommu_s2 *vhost_iommu_find_s2(unsigned long number)
{
	struct vhost_iommu_s2 *s2;

	mutex_lock(&vhost_iommu_registry);
	s2 = find_number(number);
	mutex_unlock(&vhost_iommu_registry);
	return s2;
}

/**
 * vhost_iommu_hold_s2() - keep a stage 2, and this module, while it is used
 * @number: its number; its container may be gone
 *
 * Return: stage 2 with a reference, for vhost_iommu_drop_s2(); or NULL.
 */
struct vhost_iommu_s2 *vhost_iommu_hold_s2(unsigned long number)
{
	struct vhost_iommu_s2 *s2;

	mutex_lock(&vhost_iommu_registry);
	s2 = find_number(number);
	if (s2) {
		kref_get(&s2->kref);
		__module_get(THIS_MODULE);
	}
	mutex_unlock(&vhost_iommu_registry);
	return s2;
}

/**
 * vhost_iommu_drop_s2() - undo vhost_iommu_hold_s2()
 * @s2: stage 2
 */
void vhost_iommu_drop_s2(struct vhost_iommu_s2 *s2)
{
	vhost_iommu_s2_put(s2);
	module_put(THIS_MODULE);
}

/**
 * vhost_iommu_get_s2() - find the stage 2 of a process
 * @mm: its address space
 *
 * Return: stage 2 with a reference, or NULL.
 */
struct vhost_iommu_s2 *vhost_iommu_get_s2(struct mm_struct *mm)
{
	struct vhost_iommu_s2 *s2;

	mutex_lock(&vhost_iommu_registry);
	s2 = find_s2(mm);
	if (s2)
		kref_get(&s2->kref);
	mutex_unlock(&vhost_iommu_registry);
	return s2;
}
