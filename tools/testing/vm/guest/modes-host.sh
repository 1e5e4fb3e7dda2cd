# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# One guest after the other with the same devices, told to use its IOMMU differently.
#
# Settings: SEED (of what is on the disks), BLOCKS (64 KiB each, of half a disk).
#
# shellcheck disable=SC2034,SC2154

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh

VIRTIO=iommu_platform=on,disable-legacy=on

# As tools/testing/vm/modes does.
half()
{
	seq 200000 | sed "s/^/$SEED /" | head -c $((BLOCKS * 65536))
}

# net NUMBER: a network of this machine and the guest alone. At port 7 everything is
# sent back.
net()
{
	tunctl -t "tap$1" > /dev/null &&
		ip addr add "10.0.$1.7/24" dev "tap$1" &&
		ip link set "tap$1" up
}

# The addresses are those of tools/testing/guest/devices.sh.
prepare()
{
	half > /run/half
	net 2
	net 3
	nc -ll -p 7 -e cat &
	GUEST_IOMMU="$GUEST_IOMMU,addr=1"
	guest_extra="
		-drive id=disk,if=none,format=raw,file=/run/disk
		-device virtio-blk-pci,addr=2,drive=disk,$VIRTIO
		-netdev tap,id=net2,ifname=tap2,script=no,downscript=no,vhost=on
		-device virtio-net-pci,addr=4,netdev=net2,romfile=,$VIRTIO
		-netdev tap,id=net3,ifname=tap3,script=no,downscript=no
		-device e1000e,addr=5,netdev=net3,romfile="
}

# The second half of the disk is what the guest copies the first to.
make_disk()
{
	cp /run/half /run/disk
	dd if=/dev/zero bs=64k count="$BLOCKS" >> /run/disk 2>/dev/null
}

copied()
{
	tail -c +$((BLOCKS * 65536 + 1)) /run/disk | cmp -s - /run/half
}

qemu_requests()
{
	local name n=0

	for name in attach detach map unmap probe; do
		n=$((n + $(guest_requests $name)))
	done
	echo $n
}

# mode NAME APPEND
mode()
{
	guest_prefix="$1: "
	GUEST_APPEND=$2
	make_disk
	guest_start "$nvme,addr=3" "$edu,addr=6"
	if ! guest_reaches "$1: the guest comes to its end" 180; then
		guest_kill
		return
	fi
	check "$1: QEMU ends by itself" "it runs, or has failed" guest_ended 60
	[ "$VHOST" = off ] ||
		check "$1: QEMU handled no request of the guest" \
			"$(qemu_requests)" [ "$(qemu_requests)" = 0 ]
	check "$1: what was written to virtio-blk is in its file" \
		"the data differ" copied
	leaks_check "$1" "$(pci_group "$nvme")" "$(pci_group "$edu")"
	note "$1 is through"
}

modes()
{
	note "host is up"
	nvme=$(pci_find 1b36 0010)
	edu=$(pci_find 1234 11e8)
	for address in $nvme $edu; do
		check "vfio-pci takes $address" "not bound" pci_to_vfio "$address"
	done
	leaks_before
	prepare
	mode strict iommu.strict=1
	mode lazy iommu.strict=0
	mode passthrough iommu.passthrough=1
	leaks_unload
}

modes
report_end
