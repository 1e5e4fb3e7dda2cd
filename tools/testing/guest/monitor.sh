# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The monitor of the machine's own QEMU, at a port.

monitor_log=/run/monitor

monitor_open()
{
	local name

	[ ! -e $monitor_log ] || return 0
	name=$(grep -lx monitor /sys/class/virtio-ports/*/name) || return
	name=${name%/name}
	exec 7<> "/dev/${name##*/}"
	# What tells that it is open, before the next command asks.
	: > $monitor_log
	cat <&7 > $monitor_log &
}

# monitor COMMAND: what it answers turns up in the log.
monitor()
{
	monitor_open && echo "$1" >&7
}

# answered PATTERN
answered()
{
	grep -q "$1" $monitor_log
}
