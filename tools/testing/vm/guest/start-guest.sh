# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Reads a block of the disk, and that is all.

tries=2000
until [ -e /dev/nvme0n1 ] || [ $tries = 0 ]; do
	tries=$((tries - 1))
	usleep 10000
done
check "the disk is read" "see the console" \
	dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 iflag=direct
report_end
# The host looks at what it has for this guest, and ends it.
sleep 100
