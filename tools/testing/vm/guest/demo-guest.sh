# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The demo, guest side: reads and writes the disk, lets the edu device try what
# it may and what it may not reach, and goes on reading until it is killed.
#
# Settings: DRIVER (ours or intree), DISK_SUM (SHA-256), PATTERN, WRITE_AT and
# WRITE_COUNT (128 KiB blocks), FAULTS (if the guest is told of DMA that is stopped).

# The pattern that is looked for outside: WRITE_COUNT blocks of 128 KiB.
pattern()
{
	yes "$PATTERN" | dd bs=128k count="$WRITE_COUNT" iflag=fullblock 2>/dev/null
}

iommu_test()
{
	local device=/sys/class/nvme/nvme0/device iommu group type taint=''

	[ "$DRIVER" != ours ] || taint=O
	check "guest: the driver of virtio-iommu is $DRIVER" \
		"taint $(cat /sys/module/virtio_iommu/taint)" \
		[ "$(tr -d -c O < /sys/module/virtio_iommu/taint)" = "$taint" ]
	iommu=$(readlink $device/iommu)
	check "guest: the disk is behind virtio-iommu" "$iommu" \
		[ "${iommu#*/virtio[0-9]*/iommu/}" != "$iommu" ]
	group=$device/iommu_group
	type=$(cat $group/type)
	check "guest: its DMA is translated" "the domain is $type" \
		[ "${type%%-*}" = DMA ]
	check "guest: the host's MSI range is reserved" \
		"$(tr '\n' ',' < $group/reserved_regions)" \
		grep -q '^0x0*fee00000 0x0*feefffff ' $group/reserved_regions
}

disk_test()
{
	local sum

	sum=$(dd if="$disk" bs=128k iflag=direct 2>/dev/null | sha256sum)
	check "guest: the disk reads as it was made" "sum ${sum%% *}" \
		[ "${sum%% *}" = "$DISK_SUM" ]
	pattern > /tmp/pattern
	check "guest: the disk is written and flushed" "see the console" \
		dd if=/tmp/pattern of="$disk" bs=128k seek="$WRITE_AT" \
		oflag=direct conv=fsync,notrunc
}

# fault_named ADDRESS ACCESS IOVA: whether the log has it, with the device
fault_named()
{
	dmesg | grep -q " $1: fault: endpoint .* $2 address 0x$3, no mapping"
}

edu_test()
{
	local edu line access iova

	for edu in /sys/bus/pci/devices/*; do
		[ "$(cat "$edu/device")" = 0x11e8 ] && break
	done
	echo vfio-pci > "$edu/driver_override"
	echo "${edu##*/}" > /sys/bus/pci/drivers_probe
	edu-dma "${edu##*/}" > /run/edu.lines ||
		fail "guest: edu-dma runs" "see the console"
	while read -r line; do
		case $line in
		ok\ *|not\ ok\ *)	reported=$((reported + 1)) ;;
		esac
		say "$line"
	done < /run/edu.lines
	[ -n "${FAULTS-}" ] || return
	read -r _ access iova <<-LINE
	$(grep -m 1 '^expect ' /run/edu.lines)
	LINE
	check "guest: its log names the device of a stopped $access" \
		"see the console" \
		eventually fault_named "${edu##*/}" "$access" "$iova"
}

disk=/dev/nvme0n1
note "guest is up"
if eventually [ -e $disk ]; then
	iommu_test
	disk_test
else
	fail "guest: there is a disk" "no $disk"
fi
note "guest has used the disk"
edu_test
note "guest is through"
report_end
note "disk busy"
while :; do
	dd if=$disk of=/dev/null bs=128k iflag=direct 2>/dev/null || break
done
sleep 100
