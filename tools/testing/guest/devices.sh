# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The devices of the machine: where they are, and whether data that goes through
# one comes out the same. Everything is asked of the device itself, past the page
# cache.
#
# Settings: SUM (SHA-256 of a disk's first half), BLOCKS (64 KiB each, of a half),
# MSI (what /proc/interrupts calls the controller of mapped interrupts), TRIES (of
# what goes over a network, 1 by default).
#
# shellcheck disable=SC2034
# Where the machine has them.
viommu=0000:00:01.0
blk=0000:00:02.0
nvme=0000:00:03.0
net=0000:00:04.0
e1000e=0000:00:05.0
edu=0000:00:06.0
swap=0000:00:0b.0

# pci_find VENDOR DEVICE: the addresses of such functions.
pci_find()
{
	local dev

	for dev in /sys/bus/pci/devices/*; do
		# One that goes away at this moment has no such file.
		[ "$(cat "$dev/vendor" "$dev/device" 2>/dev/null)" = "0x$1
0x$2" ] || continue
		echo "${dev##*/}"
	done
}

# behind PORT: the functions below it, however many bridges there are in between.
behind()
{
	local dev

	for dev in "/sys/bus/pci/devices/$1"/0000:*; do
		[ -e "$dev/vendor" ] || continue
		case $(cat "$dev/class") in
		0x0604*)	behind "${dev##*/}" ;;
		*)		echo "${dev##*/}" ;;
		esac
	done
}

group_of()
{
	local group

	group=$(readlink "/sys/bus/pci/devices/$1/iommu_group") || return
	echo "${group##*/}"
}

group_type()
{
	cat "/sys/bus/pci/devices/$1/iommu_group/type"
}

# group_members ADDRESS: who is in its group, in one line.
group_members()
{
	local member

	for member in "/sys/bus/pci/devices/$1"/iommu_group/devices/*; do
		printf '%s ' "${member##*/}"
	done
}

driver_of()
{
	local driver

	driver=$(readlink "/sys/bus/pci/devices/$1/driver") || return
	echo "${driver##*/}"
}

# bind ADDRESS DRIVER, and unbind ADDRESS: say by their exit codes whether it is.
bind()
{
	echo "$2" > "/sys/bus/pci/devices/$1/driver_override"
	echo "$1" > /sys/bus/pci/drivers_probe
	[ "$(driver_of "$1")" = "$2" ]
}

unbind()
{
	echo "$1" > "/sys/bus/pci/devices/$1/driver/unbind"
	[ ! -e "/sys/bus/pci/devices/$1/driver" ]
}

# disk_of ADDRESS: its block device.
disk_of()
{
	local path

	for path in "/sys/bus/pci/devices/$1"/nvme/nvme*/nvme*n1 \
		"/sys/bus/pci/devices/$1"/virtio*/block/*; do
		[ -b "/dev/${path##*/}" ] || continue
		echo "/dev/${path##*/}"
		return
	done
	return 1
}

has_disk()
{
	disk_of "$1" > /dev/null
}

# disk_reads ADDRESS: the first half is what the machine was started with.
disk_reads()
{
	local sum

	sum=$(dd if="$(disk_of "$1")" bs=64k count="$BLOCKS" iflag=direct |
		sha256sum)
	[ "${sum%% *}" = "$SUM" ]
}

# disk_copies ADDRESS: to the second half, where it is found from outside, too.
disk_copies()
{
	local disk sum

	disk=$(disk_of "$1") || return
	dd if=/dev/zero of="$disk" bs=64k count="$BLOCKS" seek="$BLOCKS" \
		oflag=direct conv=fsync,notrunc || return
	dd if="$disk" of="$disk" bs=64k count="$BLOCKS" seek="$BLOCKS" \
		iflag=direct oflag=direct conv=fsync,notrunc || return
	sum=$(dd if="$disk" bs=64k skip="$BLOCKS" count="$BLOCKS" iflag=direct |
		sha256sum)
	[ "${sum%% *}" = "$SUM" ]
}

# interface_of ADDRESS: its network interface.
interface_of()
{
	local path

	for path in "/sys/bus/pci/devices/$1"/net/* \
		"/sys/bus/pci/devices/$1"/virtio*/net/*; do
		[ -d "$path" ] || continue
		echo "${path##*/}"
		return
	done
	return 1
}

has_interface()
{
	interface_of "$1" > /dev/null
}

carrier_of()
{
	[ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]
}

# echoes_once ADDRESS NET: 1 MiB goes to the server of network 10.0.NET.0 that sends
# everything back.
echoes_once()
{
	local interface sum

	interface=$(interface_of "$1") || return
	ip address flush dev "$interface"
	ip address add "10.0.$2.15/24" dev "$interface" &&
		ip link set "$interface" up &&
		eventually carrier_of "$interface" || return
	head -c 1048576 /run/half > /run/sent
	sum=$(timeout 60 nc "10.0.$2.7" 7 < /run/sent | sha256sum)
	[ "$sum" = "$(sha256sum < /run/sent)" ]
}

# net_echoes ADDRESS NET: as often as the machine's IOMMU deserves.
net_echoes()
{
	local tries=${TRIES-1}

	until echoes_once "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		note "$1 did not get back what it had sent: once more"
	done
}

# interrupts ADDRESS: how many MSIs of this function were handled.
interrupts()
{
	local irqs

	irqs=$(ls "/sys/bus/pci/devices/$1/msi_irqs") || return
	awk -v irqs="$irqs" -v msi="$MSI" '
	BEGIN {
		split(irqs, list)
		for (i in list)
			mine[list[i] ":"] = 1
	}
	FNR == 1 { cpus = NF; next }
	mine[$1] && index($0, msi) {
		for (i = 2; i <= cpus + 1; i++)
			n += $i
	}
	END { print n + 0 }' /proc/interrupts
}
