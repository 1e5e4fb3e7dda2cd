# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What a guest has to give back, however it ends.
#
# Settings: VHOST.

# Pages that are pinned now. The counts are of each processor until they are
# refreshed, and have to be read at one time: a busy guest pins all the while.
pinned()
{
	echo 1 > /proc/sys/vm/stat_refresh
	awk '$1 == "nr_foll_pin_acquired" { n += $2 }
	     $1 == "nr_foll_pin_released" { n -= $2 }
	     END { print n }' /proc/vmstat
}

meminfo()
{
	sed -n "s/^$1: *\([0-9]*\).*/\1/p" /proc/meminfo
}

# leaks_before: to be called before the first guest.
leaks_before()
{
	pinned_before=$(pinned)
}

no_pins()
{
	[ "$(pinned)" = "$pinned_before" ]
}

no_hugepages()
{
	[ "$(meminfo HugePages_Free)" = "$(meminfo HugePages_Total)" ]
}

# The group's file opens for one user at a time.
group_free()
{
	(exec 3<> "/dev/vfio/$1") 2>/dev/null
}

refcount_zero()
{
	[ "$(cat /sys/module/vhost_iommu/refcnt)" = 0 ]
}

# A process that waits for the kernel and cannot be killed.
nobody_stuck()
{
	! cat /proc/[0-9]*/status 2>/dev/null | grep -q '^State:.D'
}

no_worker()
{
	! cat /proc/[0-9]*/task/*/comm 2>/dev/null | grep -q '^viommu-'
}

no_instance()
{
	[ -z "$(ls /sys/kernel/debug/vhost_iommu)" ]
}

# leaks_check WHEN GROUP...: what is given back may take a while.
leaks_check()
{
	local when=$1 group

	shift
	eventually no_pins
	check "$when: every pinned page is given back" \
		"$(pinned) pages, $pinned_before before" no_pins
	eventually no_hugepages
	check "$when: every huge page is free" \
		"$(meminfo HugePages_Free) of $(meminfo HugePages_Total)" \
		no_hugepages
	for group; do
		check "$when: VFIO group $group opens again" "busy" \
			eventually group_free "$group"
	done
	check "$when: no process is stuck" "see the console" \
		eventually nobody_stuck
	[ "$VHOST" = on ] || return 0
	eventually refcount_zero
	check "$when: nobody uses vhost_iommu" \
		"$(cat /sys/module/vhost_iommu/refcnt) users" refcount_zero
	check "$when: no instance is left" \
		"$(ls /sys/kernel/debug/vhost_iommu)" no_instance
	check "$when: no worker is left" "see the console" no_worker
}

# leaks_unload: when there are no more guests.
leaks_unload()
{
	[ "$VHOST" = on ] || return 0
	check "vhost_iommu unloads" "see the console" rmmod vhost_iommu
}
