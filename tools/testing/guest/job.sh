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

tracing=/sys/kernel/tracing

start()
{
	mount -t tracefs tracefs $tracing
	echo 1 > $tracing/events/iommu/io_page_fault/enable
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

# fault_traced ACCESS ADDRESS: the driver knows whose fault it is. QEMU does not say
# which access it was where there is no mapping; flag 1 is a write.
fault_traced()
{
	local flags=0000

	[ "$1" != write ] || flags='000[01]'
	grep -q "io_page_fault: IOMMU:vfio-pci $edu iova=0x0*$2 flags=0x$flags" \
		$tracing/trace
}

fault_logged()
{
	dmesg | grep -q "vfio-pci $edu: fault: .* address 0x$1, no mapping"
}

edu_test()
{
	local line access address first=yes

	check "vfio-pci takes edu" "$(driver_of "$edu")" bind "$edu" vfio-pci ||
		return
	translated edu "$edu"
	echo 1 > /proc/sys/vm/nr_hugepages
	edu-dma "$edu" > /run/edu.lines || fail "edu-dma runs" "see the console"
	while read -r line; do
		case $line in
		ok\ *|not\ ok\ *)
			reported=$((reported + 1))
			say "$line" ;;
		expect\ *)
			access=${line#expect }
			address=${access#* }
			access=${access% *}
			check "the fault of a $access at $address is traced" \
				"it is not" \
				eventually fault_traced "$access" "$address"
			# More than ten in five seconds are not logged.
			[ -n "$first" ] || continue
			first=
			check "its log line has the name of the device" \
				"see the console" \
				fault_logged "$address" ;;
		esac
	done < /run/edu.lines
	check "vfio-pci lets edu go" "$(driver_of "$edu")" unbind "$edu"
}

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
