# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The driver, and the device, while devices behind it are in use.
#
# shellcheck disable=SC2154

# shellcheck source=tools/testing/guest/monitor.sh
. /lib/monitor.sh

refused()
{
	! "$@"
}

check "the driver does not unload while it is in use" "it does" \
	refused rmmod virtio_iommu
check "nobody can unbind it" "there is a file for that" \
	[ ! -e /sys/bus/virtio/drivers/virtio_iommu/unbind ]
monitor "device_del iommu"
check "QEMU does not unplug its virtio-iommu" "$(tail -n 5 "$monitor_log")" \
	eventually answered "not support hotplug"
check "the disk is as it was" "the data differ" disk_reads "$nvme"

# That goes past QEMU, and past the driver's wish not to be unbound.
echo 1 > "/sys/bus/pci/devices/$viommu/remove"
check "the device can be taken away" "it is still there" \
	[ ! -e "/sys/bus/pci/devices/$viommu" ]
for address in $blk $nvme $net $e1000e; do
	check "then $address has no driver" "$(driver_of "$address")" \
		[ ! -e "/sys/bus/pci/devices/$address/driver" ]
	check "nor a group" "$(group_of "$address")" \
		[ ! -e "/sys/bus/pci/devices/$address/iommu_group" ]
done
check "the driver unloads then" "see the console" rmmod virtio_iommu
