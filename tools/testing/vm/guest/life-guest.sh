# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Reads the disk until it is killed, if the kernel's command line says "busy".
# Otherwise it resets itself once, in the middle of reading the disk, and looks then
# whether the disk is what it was. The first block of the disk tells which time it is.

disk=/dev/nvme0n1

block()
{
	dd if=$disk bs=4k count=1 iflag=direct 2>/dev/null
}

read_all()
{
	dd if=$disk of=/dev/null bs=128k iflag=direct 2>/dev/null
}

note "guest is up"
if ! eventually [ -e $disk ]; then
	fail "there is a disk" "no $disk"
	report_end
	sleep 1000
fi
! grep -q -w busy /proc/cmdline || say step busy
while grep -q -w busy /proc/cmdline; do
	read_all
done

if [ "$(block | head -c 16)" != "$NONCE" ]; then
	{ echo "$NONCE"; cat /dev/zero; } | head -c 4096 > /tmp/block
	dd if=/tmp/block of=$disk bs=4k oflag=direct conv=fsync,notrunc
	read_all &
	usleep 200000
	reboot -f
	sleep 100
fi
check "reset: the disk reads to its end" "see the console" read_all
report_end
