# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The types of the groups change while the machine runs. To one with other translations
# only when no driver has the device.
#
# shellcheck disable=SC2153,SC2154

# set_type ADDRESS TYPE
set_type()
{
	echo "$2" > "/sys/bus/pci/devices/$1/iommu_group/type" &&
		[ "$(group_type "$1")" = "$2" ]
}

# typed NAME ADDRESS TYPE: without a driver it becomes that, then its driver is back.
typed()
{
	local name=$1 address=$2 type=$3 driver

	driver=$(driver_of "$address")
	check "$name is let go of" "$(driver_of "$address")" \
		unbind "$address" || return
	check "$name becomes $type" "$(group_type "$address")" \
		set_type "$address" "$type"
	check "$type: $driver takes $name" "it does not" \
		bind "$address" "$driver"
}

typed_disk()
{
	local name=$1 address=$2 type=$3

	typed "$name" "$address" "$type"
	check "$type: $name appears" "see the console" \
		eventually has_disk "$address"
	check "$type: $name reads as it was made" "the data differ" \
		disk_reads "$address"
	check "$type: $name reads what it has written" "the data differ" \
		disk_copies "$address"
}

typed_net()
{
	local name=$1 address=$2 type=$3 net=$4

	typed "$name" "$address" "$type"
	check "$type: $name appears" "see the console" \
		eventually has_interface "$address"
	check "$type: $name gets back what it has sent" "the data differ" \
		net_echoes "$address" "$net"
}

if [ "$TYPE" = DMA ]; then
	check "nvme becomes DMA-FQ in use" "$(group_type "$nvme")" \
		set_type "$nvme" DMA-FQ
	check "nvme, become DMA-FQ, reads what it has written" \
		"the data differ" disk_copies "$nvme"
fi
for type in DMA-FQ identity DMA; do
	typed_disk virtio-blk "$blk" $type
	typed_disk nvme "$nvme" $type
	typed_net virtio-net "$net" $type 2
	typed_net e1000e "$e1000e" $type 3
done
