# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The demo, host side: a guest with a disk and a device that reaches for any
# address, both behind virtio-iommu; what the host saw of it; and what is left
# when the guest's QEMU is killed.

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh

prepare()
{
	nvme=$(pci_find 1b36 0010)
	edu=$(pci_find 1234 11e8)
	groups="$(pci_group "$nvme") $(pci_group "$edu")"

	for address in $nvme $edu; do
		group=$(pci_group "$address")
		set -- "/sys/kernel/iommu_groups/$group/devices"/*
		check "host: ${address} is alone in its group" "$*" [ $# = 1 ]
		check "host: vfio-pci takes ${address}" "not bound" \
			pci_to_vfio "$address"
	done
}

# DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0x4000 [...
# vfio-pci 0000:00:04.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001
#	address=0x4000 flags=0x0020]
fault_logged()
{
	local flags

	case $IOMMU,$2 in
	intel,*|nesting,*)
		dmesg | sed "1,/$1/d" | grep -q -i \
			"DMAR: \[DMA $2 .*device \[${edu#0000:}\] fault addr 0x0*$3 "
		return ;;
	*,write)	flags='[23]' ;;
	*)		flags='[01]' ;;
	esac
	dmesg | sed "1,/$1/d" | grep -q \
		"$edu: AMD-Vi: .*IO_PAGE_FAULT .*address=0x0*$3 flags=0x00${flags}0\]"
}

# The guest lists what was stopped as "expect ACCESS ADDRESS". VT-d's driver logs no
# more than three faults in five seconds, that of AMD's ten, and has one for each word.
# So the first ones are looked for. All of them are compared with what the IOMMU itself
# has seen, outside.
check_faults()
{
	local line access address nr=3

	[ "$IOMMU" != amd ] || nr=1
	head -n $nr "$GUEST_LINES" > /run/faults
	while read -r _ access address; do
		check "host: the kernel logs a stopped $access at $address" \
			"see the console" \
			eventually fault_logged "$1" "$access" "$address"
	done < /run/faults
	grep '^expect ' "$GUEST_LINES" > /run/faults
	while read -r line; do
		say "$line"
	done < /run/faults
}

vhost_stats()
{
	cat /sys/kernel/debug/vhost_iommu/*/stats
}

stat_of()
{
	vhost_stats | sed -n "s/^\(requests_\)\{0,1\}$1 //p"
}

account()
{
	local name kernel qemu all_kernel=0 all_qemu=0

	for name in attach detach map unmap probe attach_table invalidate; do
		qemu=$(guest_requests $name)
		kernel=0
		[ "$VHOST" = off ] || kernel=$(stat_of $name)
		fact "kernel_$name" "${kernel:-0}"
		fact "qemu_$name" "$qemu"
		all_kernel=$((all_kernel + kernel))
		all_qemu=$((all_qemu + qemu))
	done
	if [ "$VHOST" = on ]; then
		for name in endpoints domains mappings failed malformed; do
			fact $name "$(stat_of $name)"
		done
		check "host: the kernel handled the guest's requests" \
			"$all_kernel requests" [ $all_kernel -gt 100 ]
		check "host: QEMU handled none of them" "$all_qemu requests" \
			[ $all_qemu = 0 ]
		if [ -n "$TABLES" ]; then
			check "host: the disk is behind a table of the guest's" \
				"$(stat_of attach_table) requests" \
				[ "$(stat_of attach_table)" -gt 0 ]
			check "host: the guest maps without a request to map" \
				"$(stat_of map) requests" [ "$(stat_of map)" = 0 ]
		fi
		check_walked
	else
		check "host: QEMU handled the guest's requests" \
			"$all_qemu requests" [ $all_qemu -gt 100 ]
	fi
}

kill_test()
{
	# shellcheck disable=SC2154
	check "kill: the guest has memory pinned" "$(pinned) pages" \
		[ "$(pinned)" -gt "$pinned_before" ]
	check "kill: QEMU is busy with the disk" "no interrupt" \
		eventually disk_busy "$nvme" "$(disk_interrupts "$nvme")"
	guest_kill
	# shellcheck disable=SC2086
	leaks_check kill $groups
	leaks_unload
}

demo()
{
	local marker=rig-$NONCE

	note "host is up"
	prepare
	leaks_before
	echo "$marker" > /dev/kmsg
	guest_start "$nvme" "$edu"
	guest_reaches "host: the guest reaches its end" 300 || return
	account
	check_faults "$marker"
	kill_test
}

demo
report_end
