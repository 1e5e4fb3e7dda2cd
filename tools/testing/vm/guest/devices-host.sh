# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# A guest with several assigned devices: a disk, edu devices of their own groups, at
# the root or behind a port, and two of one group. What it has pinned is its memory,
# once; memory is plugged in and taken out; so are devices, by QEMU and because the
# host takes them back. It says when: "step NAME".
#
# Settings: GUEST_MEM.

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh

# MiB, of the memory that is plugged in.
DIMM=128

# name_edu ADDRESS: single ones, and those of the group of two
name_edu()
{
	case $(find "/sys/bus/pci/devices/$1/iommu_group/devices/" -type l | wc -l) in
	1)	edus="$edus $1" ;;
	*)	pair="$pair $1" ;;
	esac
}

prepare()
{
	local device

	nvme=$(pci_find 1b36 0010)
	edus='' pair=''
	for device in /sys/bus/pci/devices/*; do
		case $(cat "$device/vendor" "$device/device" | tr '\n' :) in
		0x1234:0x11e8:)	name_edu "${device##*/}" ;;
		esac
	done
	groups=
	for device in $nvme $edus $pair; do
		check "host: vfio-pci takes $device" "not bound" \
			pci_to_vfio "$device"
		groups="$groups $(pci_group "$device")"
	done
	# shellcheck disable=SC2086
	set -- $pair
	check "host: two devices are in one group" "$groups" \
		[ "$(pci_group "$1")" = "$(pci_group "$2")" ]
	groups=$(echo "$groups" | tr ' ' '\n' | sort -u | tr '\n' ' ')
}

# Two edu devices are at the root, two behind ports, two in one slot.
start()
{
	local memory=$GUEST_MEM

	GUEST_IOMMU="$GUEST_IOMMU -device pcie-root-port,id=port1,chassis=1
		-device pcie-root-port,id=port2,chassis=2"
	GUEST_MEM=$memory,slots=1,maxmem=$((memory + 1024))M
	GUEST_APPEND="$GUEST_APPEND memhp_default_state=online_movable"
	guest_options=
	monitor_prepare
	# shellcheck disable=SC2086
	set -- $edus $pair
	taken=$4
	guest_start "$nvme" "$1,addr=10.0" "$2,addr=11.0" \
		"$3,bus=port1,id=behind1" "$4,bus=port2,id=behind2" \
		"$5,addr=12.0,multifunction=on" "$6,addr=12.1"
	GUEST_MEM=$memory
}

# step NAME: waits for the guest to come so far.
step()
{
	guest_reaches "host: the guest comes to step $1" 180 "step $1"
}

# In MiB: of all processes, and what counts against the limit of QEMU.
pinned_now()
{
	echo $((($(pinned) - pinned_before) * 4 / 1024))
}

locked_now()
{
	local field=VmLck

	[ "$BACKEND" = container ] || field=VmPin
	awk -v field=$field: '$1 == field { print int($2 / 1024) }' \
		"/proc/$guest_pid/status"
}

# about MEASURED MEMORY: ROM and tables come on top.
about()
{
	[ "$1" -ge "$2" ] && [ "$1" -le $(($2 + $2 / 20)) ]
}

pins()
{
	about "$(pinned_now)" "$1"
}

# check_pins WHEN MEMORY
check_pins()
{
	eventually pins "$2"
	check "$1: the guest's $2 MiB are pinned once" "$(pinned_now) MiB" \
		pins "$2"
	check "$1: and count once" "$(locked_now) MiB" about "$(locked_now)" "$2"
}

assigned_endpoints()
{
	grep -h " assigned " /sys/kernel/debug/vhost_iommu/*/endpoints
}

check_domains()
{
	check "host: the kernel has seven assigned endpoints" \
		"$(assigned_endpoints | wc -l)" \
		[ "$(assigned_endpoints | wc -l)" = 7 ]
	check "host: the guest has given a domain to each group" \
		"$(assigned_endpoints | tr '\n' ,)" \
		[ "$(assigned_endpoints | awk '{ print $4 }' | sort -u | wc -l)" = 6 ]
}

# The disk's memory is mapped anew when the guest has more of it.
plug_memory()
{
	step plug-memory || return
	monitor object_add "memory-backend-ram,id=dimm-memory,size=${DIMM}M"
	monitor device_add pc-dimm,id=dimm,memdev=dimm-memory
	step unplug-memory || return
	check_pins "more memory" $((GUEST_MEM + DIMM))
	monitor device_del dimm
	step without-memory || return
	check_pins "less memory" "$GUEST_MEM"
}

vfio_has()
{
	[ -e "/sys/bus/pci/drivers/vfio-pci/$1" ]
}

vfio_lacks()
{
	! vfio_has "$1"
}

# The host takes a device back: VFIO asks QEMU, and QEMU the guest, to give it up.
unbind()
{
	echo "$taken" > /sys/bus/pci/drivers/vfio-pci/unbind &
	step without || return
	check "unbind: the host has its device" "VFIO keeps it" \
		eventually vfio_lacks "$taken"
	check "unbind: the kernel has two endpoints less" \
		"$(assigned_endpoints | wc -l)" \
		[ "$(assigned_endpoints | wc -l)" = 5 ]
	check_pins "two devices less" "$GUEST_MEM"
	pci_to_vfio "$taken"
}

run_guest()
{
	step assigned || return
	check_domains
	check_walked
	check_pins "seven devices" "$GUEST_MEM"
	plug_memory || return
	step unplug || return
	monitor device_del behind1
	step unbind || return
	unbind || return
	guest_reaches "host: the guest reaches its end" 120
	check_pins "after a reset" "$GUEST_MEM"
}

devices()
{
	note "host is up"
	prepare
	leaks_before
	start
	run_guest
	guest_kill
	# shellcheck disable=SC2086
	leaks_check kill $groups
	leaks_unload
}

devices
report_end
