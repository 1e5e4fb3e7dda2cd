# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# A disk and several edu devices, assigned. Two of these share a slot, as they share
# a group of the host; two are behind ports and are taken out. In the middle, memory
# comes and goes. Then the guest resets itself, and looks once more.

disk=/dev/nvme0n1

block()
{
	dd if=$disk bs=4k count=1 iflag=direct 2>/dev/null
}

# Reads the disk into all the memory that there is.
read_all()
{
	dd if=$disk of=/dev/null bs=8M iflag=direct 2>/dev/null
}

# All edu devices, by address.
edus()
{
	local device

	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/device" 2>/dev/null)" != 0x11e8 ] ||
			echo "${device##*/}"
	done
}

edus_left()
{
	[ "$(edus | wc -l)" = "$1" ]
}

# The devices as edu-domains wants them, a word for each group.
by_group()
{
	local device group

	for device in $(edus); do
		group=$(readlink "/sys/bus/pci/devices/$device/iommu_group")
		echo "${group##*/} $device"
	done | awk '{ all[$1] = all[$1] (all[$1] ? "," : "") $2 }
		    END { for (group in all) print all[group] }'
}

# domains_test GROUPS: so many of them
domains_test()
{
	local device line groups

	for device in $(edus); do
		echo vfio-pci > "/sys/bus/pci/devices/$device/driver_override"
		echo "$device" > /sys/bus/pci/drivers_probe
	done
	groups=$(by_group)
	check "guest: its edu devices are in $1 groups" "$groups" \
		[ "$(echo "$groups" | wc -l)" = "$1" ]
	# shellcheck disable=SC2086
	edu-domains $groups > /run/edu.lines ||
		fail "guest: edu-domains runs" "see the console"
	while read -r line; do
		case $line in
		ok\ *|not\ ok\ *)	reported=$((reported + 1)) ;;
		esac
		say "$line"
	done < /run/edu.lines
	for device in $(edus); do
		echo "$device" > /sys/bus/pci/drivers/vfio-pci/unbind
	done
}

memory()
{
	sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo
}

# In KiB.
memory_above()
{
	[ "$(memory)" -gt "$1" ]
}

memory_below()
{
	[ "$(memory)" -lt "$1" ]
}

memory_test()
{
	local before

	before=$(memory)
	say step plug-memory
	check "guest: memory is plugged in" "$(memory) KiB" \
		eventually memory_above $((before + 100000))
	check "guest: the disk is read with more memory" "see the console" read_all
	say step unplug-memory
	check "guest: the memory is taken out" "it stays" \
		eventually memory_below $((before + 100000))
	say step without-memory
}

first_time()
{
	{ echo "$NONCE"; cat /dev/zero; } | head -c 4096 > /tmp/block
	dd if=/tmp/block of=$disk bs=4k oflag=direct conv=fsync,notrunc
	domains_test 5
	say step assigned
	memory_test
	say step unplug
	check "guest: a device behind a port is taken out" "it stays" \
		eventually edus_left 5
	say step unbind
	check "guest: one that the host wants back, too" "it stays" \
		eventually edus_left 4
	say step without
	read_all &
	usleep 200000
	reboot -f
	sleep 100
}

note "guest is up"
check "guest: there is a disk" "no $disk" eventually [ -e $disk ]
[ "$(block | head -c 16)" = "$NONCE" ] || first_time
domains_test 3
check "guest: after a reset, the disk is read" "see the console" read_all
report_end
sleep 100
