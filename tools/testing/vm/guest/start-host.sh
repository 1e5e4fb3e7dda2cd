# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# How long a guest takes from the start of QEMU to its first DMA, with all devices
# assigned, how much memory is pinned then, and how much was at the most.
#
# Settings: ROUNDS.

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh

# In MiB.
pinned_now()
{
	echo $((($(pinned) - pinned_before) * 4 / 1024))
}

watch_pinned()
{
	while :; do
		pinned_now >> /run/pinned
		usleep 200000
	done
}

# start COLUMN: seconds and MiB.
start()
{
	local began watcher

	fact column "start-$1"
	: > /run/pinned
	watch_pinned & watcher=$!
	read -r began _ < /proc/uptime
	# shellcheck disable=SC2086
	guest_start $devices
	if guest_reaches "$1: the guest reads its disk" 300; then
		fact first_dma "$(awk -v began="$began" \
			'{ print $1 - began }' /proc/uptime)"
		fact pinned "$(pinned_now)"
		fact pinned_peak "$(sort -n /run/pinned | tail -n 1)"
		fact memory "$GUEST_MEM"
	fi
	kill "$watcher"
	guest_kill
	eventually no_pins
}

measure()
{
	local round=0 address

	note "host is up"
	# shellcheck disable=SC2034
	guest_traces=
	for address in /sys/bus/pci/devices/*; do
		case $(cat "$address/vendor" "$address/device" | tr '\n' :) in
		0x1234:0x11e8:|0x1b36:0x0010:)
			devices="$devices ${address##*/}"
			pci_to_vfio "${address##*/}" ||
				fail "vfio-pci takes ${address##*/}" "not bound" ;;
		esac
	done
	leaks_before
	BACKEND=container
	while [ $round -lt "$ROUNDS" ]; do
		round=$((round + 1))
		note "start $round of $ROUNDS"
		GUEST_APPEND="iommu.strict=1 ORDER=intree"
		GUEST_IOMMU=virtio-iommu-pci
		start qemu
		# shellcheck disable=SC2034
		GUEST_APPEND="iommu.strict=1 ORDER=order"
		# shellcheck disable=SC2034
		GUEST_IOMMU=virtio-iommu-pci,vhost=on
		start ours
		# shellcheck disable=SC2034
		BACKEND=iommufd
		start iommufd
		BACKEND=container
	done
}

measure
report_end
