# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Disks that the IOMMU cannot tell apart, or that can reach each other before it is
# asked: behind a bridge to conventional PCI, whose requester ID they share, and two
# functions of a device without ACS.

shared()
{
	local name=$1 first=$2 second=$3 disk

	for disk in $first $second; do
		check "$name: a disk appears" "see the console" \
			eventually has_disk "$disk"
	done
	check "$name: the disks are in one group" \
		"$first: $(group_members "$first"), $second: $(group_members "$second")" \
		[ -n "$(group_of "$first")" -a \
		"$(group_of "$first")" = "$(group_of "$second")" ]
	for disk in $first $second; do
		check "$name: a disk's group is of type $TYPE" \
			"$(group_type "$disk")" \
			[ "$(group_type "$disk")" = "$TYPE" ]
		check "$name: a disk reads as it was made" "the data differ" \
			disk_reads "$disk"
		check "$name: a disk reads what it has written" \
			"the data differ" disk_copies "$disk"
	done
}

for bus in "functions 0000:00:09.0" "conventional 0000:00:0a.0"; do
	# shellcheck disable=SC2046
	shared "${bus% *}" $(behind "${bus#* }")
done
