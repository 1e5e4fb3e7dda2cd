# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The machine sleeps, with all devices in use. The monitor's port is of no use then.
#
# Settings: STATES (of /sys/power/state).
#
# shellcheck disable=SC2154

# shellcheck source=tools/testing/guest/monitor.sh
. /lib/monitor.sh

keyboard=/sys/devices/platform/i8042/serio0

# wake_from STATE: in some seconds. QEMU's clock for x86 does not wake a machine that is
# idle; a key does that is let go then.
wake_from()
{
	local alarm

	if [ "$1" = freeze ] && [ -e $keyboard ]; then
		echo enabled > $keyboard/power/wakeup
		monitor "sendkey a 5000"
		monitor "sendkey b 10000"
		return
	fi
	for alarm in /sys/class/rtc/rtc*/wakealarm; do
		echo 0 > "$alarm"
		echo +5 > "$alarm"
	done
}

for state in $STATES; do
	bind "$edu" vfio-pci
	wake_from "$state"
	selftest suspend -v "$state"
	unbind "$edu"
	devices_after "$state"
done
