# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# A disk comes and goes behind the IOMMU.
#
# Settings: ROUNDS (how often).
#
# shellcheck disable=SC2154

# shellcheck source=tools/testing/guest/monitor.sh
. /lib/monitor.sh

groups()
{
	echo /sys/kernel/iommu_groups/* | wc -w
}

groups_are()
{
	[ "$(groups)" = "$1" ]
}

new_disk()
{
	hot=$(pci_find 1b36 0010 | grep -v -x "$nvme")
}

# QEMU may not be through with the last one yet, so it is asked again now and then.
plug()
{
	local tries=0

	until new_disk; do
		[ $tries -lt 80 ] || return 1
		[ $((tries % 8)) != 0 ] ||
			monitor "device_add nvme,id=hot,bus=port0,drive=hot,serial=hot"
		tries=$((tries + 1))
		usleep 500000
	done
}

# The guest may have been busy when it was asked first.
unplug()
{
	local tries=0

	while new_disk; do
		[ $tries -lt 80 ] || return 1
		[ $((tries % 16)) != 0 ] || monitor "device_del hot"
		tries=$((tries + 1))
		usleep 500000
	done
}

hotplug()
{
	local round before

	before=$(groups)
	for round in $(seq "$ROUNDS"); do
		check "plug $round: a disk comes" "see the monitor" plug || return
		disk_test "plug $round: nvme" "$hot"
		check "unplug $round: it goes" "see the console" unplug
		check "unplug $round: so does its group" \
			"more than $before groups" \
			eventually groups_are "$before"
	done
	check "the other disk is as it was" "the data differ" disk_reads "$nvme"
}

hotplug
