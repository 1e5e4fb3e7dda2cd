# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What a machine does: data through each device behind the IOMMU, a device that user
# space drives through VFIO, and then what the machine was started for.
#
# Settings: TYPE (of the groups), RESERVED (the range of MSIs, and what it is),
# PARTS (files of guest/ to run after that), and those of devices.sh.
#
# shellcheck disable=SC2154

# shellcheck source=tools/testing/guest/devices.sh
. /lib/devices.sh
# shellcheck source=tools/testing/vm/guest/selftest.sh
. /lib/selftest.sh

start()
{
	mount -t tracefs tracefs /sys/kernel/tracing
	ip link set lo up
	note "up after $(cut -d' ' -f1 /proc/uptime) s"
}

translated()
{
	local name=$1 address=$2 iommu

	iommu=$(readlink "/sys/bus/pci/devices/$address/iommu")
	check "$name is behind virtio-iommu" "$iommu" \
		[ "${iommu#*/virtio[0-9]*/iommu/}" != "$iommu" ]
	check "$name: the group's type is $TYPE" "$(group_type "$address")" \
		[ "$(group_type "$address")" = "$TYPE" ]
	check "$name is alone in its group" "$(group_members "$address")" \
		[ "$(group_members "$address")" = "$address " ]
	check "$name: MSIs have a reserved range" \
		"$(tr '\n' ',' < "/sys/bus/pci/devices/$address/iommu_group/reserved_regions")" \
		grep -q -x "$RESERVED" \
		"/sys/bus/pci/devices/$address/iommu_group/reserved_regions"
}

interrupted()
{
	check "$1 interrupts by $MSI" \
		"$(interrupts "$2"), see /proc/interrupts on the console" \
		[ "$(interrupts "$2")" -gt 0 ]
}

disk_test()
{
	local name=$1 address=$2

	check "$name appears" "see the console" eventually has_disk "$address" ||
		return
	translated "$name" "$address"
	check "$name reads as it was made" "the data differ" \
		disk_reads "$address"
	check "$name reads what it has written" "the data differ" \
		disk_copies "$address"
	interrupted "$name" "$address"
}

net_test()
{
	local name=$1 address=$2 net=$3

	check "$name appears" "see the console" \
		eventually has_interface "$address" || return
	translated "$name" "$address"
	check "$name gets back what it has sent" "the data differ" \
		net_echoes "$address" "$net"
	interrupted "$name" "$address"
}

edu_test()
{
	check "vfio-pci takes edu" "$(driver_of "$edu")" bind "$edu" vfio-pci ||
		return
	translated edu "$edu"
	echo 8 > /proc/sys/vm/nr_hugepages
	# shellcheck disable=SC2086
	selftest dma ${DMA_TESTS-}
	check "vfio-pci lets edu go" "$(driver_of "$edu")" unbind "$edu"
}

# devices_after WHAT: they are as before.
devices_after()
{
	local address

	for address in $blk $nvme; do
		check "$1: $address reads as it was made" "the data differ" \
			disk_reads "$address"
		check "$1: $address reads what it has written" \
			"the data differ" disk_copies "$address"
	done
	check "$1: virtio-net gets back what it has sent" "the data differ" \
		net_echoes "$net" 2
	check "$1: e1000e gets back what it has sent" "the data differ" \
		net_echoes "$e1000e" 3
}

hibernated()
{
	eventually has_disk "$swap" &&
		dd if="$(disk_of "$swap")" bs=4k count=1 iflag=direct |
		tail -c 10 | grep -q S1SUSPEND
}

# resume: does not come back if the machine has hibernated, unless that fails.
resume()
{
	case $PARTS in *hibernate*) ;; *) return ;; esac
	hibernated || return
	note "resumes after $(cut -d' ' -f1 /proc/uptime) s"
	cat "/sys/class/block/$(basename "$(disk_of "$swap")")/dev" \
		> /sys/power/resume
	fail "the machine comes back from hibernation" "see the console"
}

resume
start
check "the driver is ours" "$(cat /sys/module/virtio_iommu/taint)" \
	grep -q O /sys/module/virtio_iommu/taint
disk_test virtio-blk "$blk"
dd if="$(disk_of "$blk")" bs=64k count="$BLOCKS" of=/run/half
disk_test nvme "$nvme"
net_test virtio-net "$net" 2
net_test e1000e "$e1000e" 3
edu_test
for part in $PARTS; do
	# shellcheck source=/dev/null
	. "/lib/$part.sh"
done
# For the console.
cat /proc/interrupts
[ ! -e /run/monitor ] || cat /run/monitor
report_end
