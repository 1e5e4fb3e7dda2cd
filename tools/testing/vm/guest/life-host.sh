# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The ends that a guest can come to: QEMU killed at different times, from its
# own start to the guest's use of the disk; the guest reset; the guest off.

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh

# In tenths of a second after the start of QEMU.
KILL_AT=${KILL_AT-3 6 10 20 40 80}

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

# The guest resets itself once, and turns itself off the second time.
reset_and_off()
{
	# shellcheck disable=SC2034
	guest_options=
	guest_start "$nvme"
	if ! guest_follow 300; then
		fail "reset: the guest comes back and to its end" \
			"see the console"
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
	leaks_before
	kill_early
	note "reset"
	reset_and_off
	leaks_unload
}

life
report_end
