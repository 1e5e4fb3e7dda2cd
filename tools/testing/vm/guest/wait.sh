# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What the jobs of both machines use.

# eventually COMMAND...: within half a minute, however busy the machine is.
eventually()
{
	local tries=300

	until "$@"; do
		[ $tries -gt 0 ] || return 1
		tries=$((tries - 1))
		usleep 100000
	done
}

# argument NAME: its value on the kernel's command line.
argument()
{
	local word line

	read -r line < /proc/cmdline
	for word in $line; do
		[ "${word%%=*}" != "$1" ] || echo "${word#*=}"
	done
}
