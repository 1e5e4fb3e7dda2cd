# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What can happen to a guest, and the ends that it can come to: its memory does not
# come; the host sleeps; QEMU killed at different times, from its own start to the
# guest's use of the disk; the host suspended; the module unloaded in use, and loaded
# again; QEMU killed for lack of memory; the guest reset; the guest off.

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh
# shellcheck source=tools/testing/vm/guest/selftest.sh
. /lib/selftest.sh

# In tenths of a second after the start of QEMU.
KILL_AT=${KILL_AT-3 6 10 20 40 80}

# wake_after SECONDS: by the clock
wake_after()
{
	local alarm=/sys/class/rtc/rtc0/wakealarm

	echo 0 > $alarm && echo "+$1" > $alarm
}

# Two edu devices, without a guest: the selftests are VMM and guest.
selftests()
{
	local device

	edu=
	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/device")" = 0x11e8 ] || continue
		pci_to_vfio "${device##*/}"
		export EDU2=$edu
		edu=${device##*/}
	done
	check "there are two edu devices" "$edu $EDU2" [ -n "$EDU2" ]
	selftest blocked
	selftest traces
	check "the clock can wake the host" "see the console" wake_after 5
	selftest sleep
}

kill_early()
{
	local tenths GUEST_APPEND=busy

	for tenths in $KILL_AT; do
		guest_start "$nvme"
		usleep $((tenths * 100000))
		check "killed after $tenths/10 s: QEMU was running" \
			"it was gone" guest_alive
		guest_kill
		leaks_check "killed after $tenths/10 s" "$group"
	done
}

# busy_guest: one that reads its disk all the time.
busy_guest()
{
	local GUEST_APPEND=busy

	guest_start "$nvme"
	guest_reaches "$1: the guest uses its disk" 90 "step busy" &&
		pass "$1: the guest uses its disk"
}

reads_on()
{
	check "$1: the guest reads on" "no interrupt of its disk" \
		eventually disk_busy "$nvme" "$(disk_interrupts "$nvme")"
}

# suspend LEVEL: tasks and devices go to sleep and come back; with "core" so do all
# processors but one, and the IOMMU. What the firmware does is left out.
suspend()
{
	echo 1 > /sys/module/suspend/parameters/pm_test_delay
	echo "$1" > /sys/power/pm_test && echo mem > /sys/power/state
}

# The module is in use all the time, so it stays.
suspend_and_unload()
{
	local level

	for level in devices core; do
		check "suspend of $level: the host comes back" \
			"see the console" suspend $level
		reads_on "suspend of $level"
		check "unload after $level: not while there is a guest" "it is gone" \
			refused rmmod vhost_iommu
		reads_on "unload after $level"
	done
}

refused()
{
	! "$@" 2>/dev/null
}

reload()
{
	rmmod vhost_iommu && insmod /modules/vhost_iommu.ko
}

# The kernel picks QEMU, which is made the one to give up first.
out_of_memory()
{
	echo 1000 > "/proc/$guest_pid/oom_score_adj"
	echo f > /proc/sysrq-trigger
	check "out of memory: QEMU is killed" "it lives" eventually guest_gone
	wait "$guest_pid" 2>/dev/null
}

while_busy()
{
	busy_guest suspend
	suspend_and_unload
	guest_kill
	leaks_check "killed after a suspend" "$group"
	check "unload: the module goes and comes without a guest" \
		"see the console" reload
	busy_guest reload
	out_of_memory
	leaks_check "out of memory" "$group"
}

# The guest resets itself once, and turns itself off the second time.
reset_and_off()
{
	# shellcheck disable=SC2034
	guest_options=
	guest_start "$nvme"
	if ! guest_reaches "reset: the guest comes back and to its end" 300; then
		guest_kill
		return
	fi
	check "off: QEMU ends by itself" "it runs, or has failed" guest_ended 60
	leaks_check off "$group"
}

life()
{
	note "host is up"
	nvme=$(pci_find 1b36 0010)
	group=$(pci_group "$nvme")
	pci_to_vfio "$nvme" || fail "vfio-pci takes the disk" "not bound"
	selftests
	leaks_before
	kill_early
	note "busy"
	while_busy
	note "reset"
	reset_and_off
	leaks_unload
}

life
report_end
# Once it has slept, the emulated machine does not turn itself off any more.
reboot -f
sleep 100
