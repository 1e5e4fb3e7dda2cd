# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# A disk behind another virtio-iommu than everything else.
#
# shellcheck disable=SC2154

iommu_of()
{
	readlink "/sys/bus/pci/devices/$1/iommu"
}

instances()
{
	local other

	other=$(behind 0000:00:08.0)
	disk_test "other virtio-blk" "$other"
	check "it is behind another instance" \
		"$(iommu_of "$other"), $(iommu_of "$blk")" \
		[ "$(iommu_of "$other")" != "$(iommu_of "$blk")" ]
	check "the first disk is as it was" "the data differ" disk_reads "$blk"
}

instances
