# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The type of the disk's group changes while the machine runs. To one with other
# translations only when no driver has the disk.
#
# shellcheck disable=SC2154

set_type()
{
	echo "$1" > "/sys/bus/pci/devices/$nvme/iommu_group/type" &&
		[ "$(group_type "$nvme")" = "$1" ]
}

typed_disk()
{
	check "nvme becomes $1" "$(group_type "$nvme")" set_type "$1"
	[ -n "$(driver_of "$nvme")" ] || bind "$nvme" nvme
	check "$1: nvme appears" "see the console" eventually has_disk "$nvme"
	check "$1: nvme reads as it was made" "the data differ" \
		disk_reads "$nvme"
	check "$1: nvme reads what it has written" "the data differ" \
		disk_copies "$nvme"
}

typed_disk DMA-FQ
for type in identity DMA; do
	check "nvme is let go of" "$(driver_of "$nvme")" unbind "$nvme"
	typed_disk $type
done
