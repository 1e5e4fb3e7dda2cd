# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# QEMU's own test of a virtio-iommu; then devices that QEMU emulates, beside an
# assigned disk behind the same virtio-iommu: virtio-blk, virtio-net, and virtio-net
# with vhost, which keeps translations. Then a device of either kind is plugged into
# the running guest, and taken out again. In the end the assigned disk is taken out
# as well, and the guest is saved, goes on in another QEMU, and there goes back to a
# snapshot. It says when: "step NAME".
#
# With page tables of the guest's own, an endpoint that keeps translations is in bypass
# for a while as well.
#
# Settings: MIB (size of what is transferred), TABLES (not empty: page tables).

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh
# shellcheck source=tools/testing/vm/guest/leaks.sh
. /lib/leaks.sh

VIRTIO=iommu_platform=on,disable-legacy=on

sum_of()
{
	local sum

	sum=$(sha256sum "$1")
	echo "${sum%% *}"
}

random_file()
{
	dd if=/dev/urandom of="$1" bs=1M count="$MIB" 2>/dev/null
}

# QEMU's own test of a virtio-iommu, whose driver sets up no event queue. Without
# map_unmap, which maps single bytes: a device may refuse less than a page.
qtest()
{
	local path=/x86_64/pc/i440FX-pcihost/pci-bus-pc/pci-bus name

	mkdir /run/qtest
	cat > /run/qtest/qemu-system-x86_64 <<-'SH'
	#!/bin/sh
	exec /bin/qemu-system-x86_64 -nodefaults -L /firmware -bios qboot.rom \
		-global virtio-iommu-device.vhost=on \
		-trace vhost_iommu_start -D /run/qtest/trace "$@"
	SH
	chmod 755 /run/qtest/qemu-system-x86_64
	path=$path/virtio-iommu-pci/virtio-iommu/virtio-iommu-tests
	for name in config attach_detach map_unmap_pages; do
		: > /run/qtest/trace
		check "qtest: $name" "see the console" \
			env QTEST_QEMU_BINARY=/run/qtest/qemu-system-x86_64 \
			qos-test -p $path/$name
		check "qtest: the kernel serves $name" \
			"$(cat /run/qtest/trace)" \
			grep -q '^vhost_iommu_start .* ret=0$' /run/qtest/trace
	done
}

# net NUMBER VHOST: a network of this machine and the guest alone.
net()
{
	tunctl -t "tap$1" > /dev/null &&
		ip addr add "10.0.$1.1/24" dev "tap$1" &&
		ip link set "tap$1" up
	guest_extra="$guest_extra
		-netdev tap,id=net$1,ifname=tap$1,script=no,downscript=no,vhost=$2
		-device virtio-net-pci,netdev=net$1,mac=52:54:00:00:00:0$1,romfile=,$VIRTIO"
}

prepare()
{
	local name

	for name in disk hotdisk download; do
		random_file /run/$name
	done
	cp /run/disk /run/disk.before
	guest_extra="
		-drive id=disk,if=none,format=raw,file=/run/disk
		-device virtio-blk-pci,drive=disk,serial=disk,$VIRTIO
		-drive id=hotdisk,if=none,format=raw,file=/run/hotdisk"
	net 1 off
	net 2 on
	monitor_prepare
	guest_machine=pc
	GUEST_APPEND="$GUEST_APPEND disk=$(sum_of /run/disk) hotdisk=$(sum_of /run/hotdisk)"
	GUEST_APPEND="$GUEST_APPEND download=$(sum_of /run/download)"
}

serve()
{
	: > /run/answer
	nc -ll -p 5002 -e cat /run/answer &
	nc -ll -p 5000 -e cat /run/download &
	tail -f /dev/null | nc -l -p 5001 > /run/upload &
}

stat_of()
{
	sed -n "s/^$1 //p" /sys/kernel/debug/vhost_iommu/*/stats
}

stat_is()
{
	[ "$(stat_of "$1")" = "$2" ]
}

# stat_above NAME NUMBER
stat_above()
{
	[ "$(stat_of "$1")" -gt "$2" ]
}

# step NAME: waits for the guest to come so far.
step()
{
	guest_reaches "host: the guest comes to step $1" 180 "step $1"
}

# plug NAME DEVICE: and take it out, when the guest says so.
plug()
{
	local before

	step "plug-$1" || return
	before=$(stat_of endpoints)
	monitor "device_add $2,id=hot"
	step "unplug-$1" || return
	check "plug: the kernel has one endpoint more with $1" \
		"$(stat_of endpoints), $before before" \
		stat_is endpoints $((before + 1))
	monitor "device_del hot"
	step "without-$1" || return
	check "unplug: the kernel has the endpoints it had before $1" \
		"$(stat_of endpoints), $before before" \
		eventually stat_is endpoints "$before"
}

vhost_net_used()
{
	[ "$(cat /sys/module/vhost_net/refcnt)" -gt 0 ]
}

differ()
{
	! cmp -s "$1" "$2"
}

# The guest sends no MAP. Tables are attached and change while an endpoint is in
# bypass, whether it is that one or not, and QEMU is told what it has to be told.
tables()
{
	local attached invalidated told

	check "tables: nothing was mapped by a request" \
		"$(stat_of requests_map) MAP" stat_is requests_map 0
	step bypass || return
	attached=$(stat_of requests_attach_table)
	invalidated=$(stat_of requests_invalidate)
	echo beside > /run/answer
	step beside || return
	check "tables: attached while an endpoint is in bypass" \
		"$attached, as before" stat_above requests_attach_table "$attached"
	check "tables: invalidated while an endpoint is in bypass" \
		"$invalidated, as before" \
		stat_above requests_invalidate "$invalidated"
	told=$(stat_of invalidations)
	echo table > /run/answer
	step table || return
	check "tables: QEMU is told what to forget when bypass is over" \
		"$told times, as before" stat_above invalidations "$told"
}

devices()
{
	step work || return
	check "host: the network has a vhost backend" "vhost_net is not used" \
		vhost_net_used
	step worked || return
	check "host: the kernel told QEMU to forget translations" \
		"$(stat_of invalidations) times" stat_above invalidations 0
	check "host: the guest's upload arrived" "$(sum_of /run/upload)" \
		eventually cmp -s /run/download /run/upload
	check "host: the emulated disk was written" "it is as before" \
		differ /run/disk /run/disk.before
	[ -z "$TABLES" ] || tables || return
	plug edu "vfio-pci,host=$edu" || return
	check "unplug: VFIO group $(pci_group "$edu") opens again" busy \
		eventually group_free "$(pci_group "$edu")"
	plug disk "virtio-blk-pci,drive=hotdisk,$VIRTIO"
}

# Those that cannot be saved: a guest that runs, and one with an assigned device.
# The device is still there for QEMU when the guest has just seen it go.
refuse()
{
	check "save: not with an assigned device" "see the console" \
		said "Error: .*VFIO" migrate -d file:/run/refused
	monitor device_del nvme
	step without-nvme || return
	check "unplug: VFIO group $(pci_group "$nvme") opens again" busy \
		eventually group_free "$(pci_group "$nvme")"
	monitor migrate -d file:/run/refused
	check "save: not while the guest runs" "see the console" \
		eventually said "tatus: *failed" info migrate
}

save_and_restore()
{
	local domains mappings

	monitor stop
	monitor migrate -d file:/run/state
	check "save: the state is written" "see the console" \
		eventually said "tatus: *completed" info migrate
	domains=$(stat_of domains)
	mappings=$(stat_of mappings)
	guest_kill
	leaks_check "saved" "$(pci_group "$nvme")"

	guest_options="-no-reboot -incoming file:/run/state"
	monitor_listen
	guest_start
	check "restore: the kernel has the domains" "not $domains" \
		eventually stat_is domains "$domains"
	check "restore: and the mappings" "not $mappings" \
		eventually stat_is mappings "$mappings"
	check "restore: QEMU has loaded the guest" "see the console" \
		eventually said "VM status: paused" info status
	monitor cont
	rm /run/state
	echo restored > /run/answer
	snapshot || return
	guest_reaches "host: the guest reaches its end" 90
}

# The guest goes back to a snapshot, which has its memory and its disk. Every disk
# has to be fit for it.
snapshot()
{
	local domains

	step snapshot || return
	monitor drive_del hotdisk
	monitor snapshot_blkdev disk /run/overlay qcow2
	monitor savevm one
	check "snapshot: it is taken" "$(tr -cd ' -~' < /run/monitor.answer)" \
		said one info snapshots || return
	echo change > /run/answer
	step changed || return
	echo back > /run/answer
	domains=$(stat_of domains)
	monitor loadvm one
	check "snapshot: the kernel has the domains" "not $domains" \
		eventually stat_is domains "$domains"
}

emulated()
{
	note "host is up"
	nvme=$(pci_find 1b36 0010)
	edu=$(pci_find 1234 11e8)
	for address in $nvme $edu; do
		check "host: vfio-pci takes $address" "not bound" \
			pci_to_vfio "$address"
	done
	leaks_before
	qtest
	prepare
	serve
	guest_start "$nvme,id=nvme,addr=10"
	devices && step unplug-nvme && refuse && step save && save_and_restore
	guest_kill
	leaks_check kill "$(pci_group "$nvme")" "$(pci_group "$edu")"
	leaks_unload
}

emulated
report_end
