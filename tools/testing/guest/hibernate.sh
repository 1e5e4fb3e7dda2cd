# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The machine is off for a while, with a device assigned. It is in resume() that it
# comes back, with another QEMU.
#
# shellcheck disable=SC2154

hibernate()
{
	check "hibernate: there is a disk for memory" "see the console" \
		eventually has_disk "$swap" || return
	mkswap "$(disk_of "$swap")" && swapon "$(disk_of "$swap")" || return
	# Nothing has to be swapped out for the image.
	echo 500000000 > /sys/power/image_size
	echo shutdown > /sys/power/disk
	bind "$edu" vfio-pci
	selftest suspend -v disk
	unbind "$edu"
	devices_after hibernate
}

hibernate
