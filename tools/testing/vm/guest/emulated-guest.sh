# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Uses an assigned disk, an emulated one and two networks, first each by itself,
# then all at once; then what is plugged in; and all that is left, in another
# QEMU.
#
# On the command line: sums of what is on the disks and in the download.

# translated WHAT DEVICE: DEVICE is a directory in sysfs, of PCI or of virtio.
translated()
{
	local device type

	device=$(readlink -f "$2")
	case $device in
	*/virtio[0-9]*)	device=${device%/*} ;;
	esac
	eventually [ -e "$device/iommu_group" ]
	type=$(cat "$device/iommu_group/type")
	check "guest: the DMA of $1 is translated" "the domain is $type" \
		[ "${type%%-*}" = DMA ]
}

# disk_sum DEVICE [COUNT]: of the first blocks of 128 KiB.
disk_sum()
{
	local sum

	sum=$(dd if="$1" bs=128k iflag=direct ${2:+count=$2} 2>/dev/null |
		sha256sum)
	echo "${sum%% *}"
}

reads_as()
{
	[ "$(disk_sum "$1")" = "$2" ]
}

# Fill the first MiB, differently each time, and look.
writes()
{
	local sum

	dd if=/dev/urandom of=/tmp/blocks bs=128k count=8 2>/dev/null
	sum=$(sha256sum /tmp/blocks)
	dd if=/tmp/blocks of="$1" bs=128k oflag=direct conv=fsync,notrunc \
		2>/dev/null
	[ "$(disk_sum "$1" 8)" = "${sum%% *}" ]
}

# The interface of network NUMBER, in sysfs.
net()
{
	local name

	name=$(grep -l "^52:54:00:00:00:0$1\$" /sys/class/net/*/address) || return
	echo "${name%/address}"
}

net_configure()
{
	local name

	name=$(net "$1")
	ip addr add "10.0.$1.2/24" dev "${name##*/}" &&
		ip link set "${name##*/}" up
}

# net_up NUMBER: the interface with this address.
net_up()
{
	translated "network $1" "$(net "$1")/device"
	net_configure "$1"
}

# net_retype NUMBER TYPE: its device gets a domain of another type, while it has no
# driver.
net_retype()
{
	local device

	device=$(readlink -f "$(net "$1")/device")
	device=${device%/virtio[0-9]*}
	echo "${device##*/}" > /sys/bus/pci/drivers/virtio-pci/unbind
	check "guest: network $1 gets a domain of type $2" \
		"it has $(cat "$device/iommu_group/type")" \
		store "$2" "$device/iommu_group/type"
	echo "${device##*/}" > /sys/bus/pci/drivers_probe
	eventually net "$1" > /dev/null
}

# store WORD FILE
store()
{
	echo "$1" > "$2"
}

# Network 1 has little to do: after some 760 packets QEMU 10.0 reads an empty ring
# for it, with vhost=off as well ("Guest moved used index from 762 to 0").
pings()
{
	ping -c 5 -W 20 -s 1400 "10.0.$1.1" | grep -q ' 5 packets received'
}

downloads()
{
	local sum

	sum=$(nc "10.0.$1.1" 5000 < /dev/null | sha256sum)
	[ "${sum%% *}" = "$(argument download)" ]
}

uploads()
{
	nc "10.0.$1.1" 5000 < /dev/null > /tmp/download &&
		nc "10.0.$1.1" 5001 < /tmp/download > /dev/null
}

at_once()
{
	local job jobs=''

	writes /dev/nvme0n1 & jobs=$!
	disk_sum /dev/vda > /dev/null & jobs="$jobs $!"
	pings 1 & jobs="$jobs $!"
	downloads 2 & jobs="$jobs $!"
	for job in $jobs; do
		wait "$job" || return
	done
}

edu_present()
{
	local device

	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/device" 2>/dev/null)" = 0x11e8 ] || continue
		edu=${device##*/}
		return
	done
	return 1
}

edu_absent()
{
	! edu_present
}

edu_test()
{
	local line

	echo vfio-pci > "/sys/bus/pci/devices/$edu/driver_override"
	echo "$edu" > /sys/bus/pci/drivers_probe
	translated "the plugged device" "/sys/bus/pci/devices/$edu"
	edu-dma "$edu" > /run/edu.lines ||
		fail "guest: edu-dma runs" "see the console"
	while read -r line; do
		case $line in
		ok\ *|not\ ok\ *)
			reported=$((reported + 1))
			say "$line" ;;
		esac
	done < /run/edu.lines
}

work()
{
	check "guest: there is the assigned disk" "no nvme0n1" \
		eventually [ -e /dev/nvme0n1 ]
	check "guest: there is the emulated disk" "no vda" \
		eventually [ -e /dev/vda ]
	translated "the assigned disk" /sys/class/nvme/nvme0/device
	translated "the emulated disk" /sys/block/vda/device
	net_up 1
	net_up 2
	check "guest: the emulated disk reads as it was made" "another sum" \
		reads_as /dev/vda "$(argument disk)"
	check "guest: the emulated disk is written" "another sum" writes /dev/vda
	check "guest: the assigned disk is written" "another sum" \
		writes /dev/nvme0n1
	say step work
	check "guest: pings through virtio-net" "lost" pings 1
	check "guest: pings through vhost-net" "lost" pings 2
	check "guest: a download through vhost-net" "another sum" downloads 2
	check "guest: an upload through vhost-net" "failed" uploads 2
	check "guest: all of them at once" "see the console" at_once
	say step worked
}

# Network 2 has a backend that keeps translations. It is in bypass while another device
# is given a table, and then it is given one itself.
tables()
{
	local word

	net_retype 2 identity
	net_configure 2
	check "guest: in bypass, a download through vhost-net" "another sum" \
		downloads 2
	say step bypass
	answer beside
	net_retype 1 identity
	net_retype 1 DMA
	net_up 1
	check "guest: beside it, pings through virtio-net" "lost" pings 1
	check "guest: beside it, the emulated disk is written" "another sum" \
		writes /dev/vda
	say step beside
	answer table
	net_retype 2 DMA
	net_up 2
	check "guest: after bypass, a download through vhost-net" "another sum" \
		downloads 2
	check "guest: after bypass, pings through vhost-net" "lost" pings 2
	say step table
}

plugged()
{
	say step plug-edu
	check "guest: an assigned device is plugged in" "none comes" \
		eventually edu_present
	edu_test
	say step unplug-edu
	check "guest: it is taken out" "it stays" eventually edu_absent
	say step without-edu

	say step plug-disk
	check "guest: an emulated disk is plugged in" "none comes" \
		eventually [ -e /dev/vdb ]
	translated "the plugged disk" /sys/block/vdb/device
	check "guest: it reads as it was made" "another sum" \
		reads_as /dev/vdb "$(argument hotdisk)"
	say step unplug-disk
	check "guest: the disk is taken out" "it stays" \
		eventually [ ! -e /dev/vdb ]
	say step without-disk

	say step unplug-nvme
	check "guest: the assigned disk is taken out" "it stays" \
		eventually [ ! -e /dev/nvme0n1 ]
	say step without-nvme
}

# answer WORD...: wait for the host to say one of them
answer()
{
	while :; do
		word=$(nc -w 5 10.0.2.1 5002 < /dev/null 2>/dev/null)
		case " $* " in
		*" ${word:-none} "*)	return ;;
		esac
		usleep 100000
	done
}

# The network is busy when the guest is saved; the host answers once it is back.
saved()
{
	local sum word

	sum=$(disk_sum /dev/vda)
	say step save
	answer restored
	check "guest: restored, the emulated disk reads as before" \
		"another sum" reads_as /dev/vda "$sum"
	check "guest: restored, it is written" "another sum" writes /dev/vda
	check "guest: restored, it pings through virtio-net" "lost" pings 1
	check "guest: restored, a download through vhost-net" "another sum" \
		downloads 2
}

# What happens after the snapshot, to the disk as well, is undone.
snapshot()
{
	local sum word

	sum=$(disk_sum /dev/vda)
	say step snapshot
	answer change back
	if [ "$word" = change ]; then
		writes /dev/vda
		say step changed
		answer never
	fi
	check "guest: back at the snapshot, the disk reads as then" \
		"another sum" reads_as /dev/vda "$sum"
	check "guest: back at the snapshot, the disk is written" \
		"another sum" writes /dev/vda
	check "guest: back at the snapshot, a download through vhost-net" \
		"another sum" downloads 2
}

note "guest is up"
work
note "guest has used its devices"
[ -z "$TABLES" ] || tables
plugged
saved
snapshot
report_end
sleep 100
