# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What the jobs of the host machine use: its devices and the guest it runs.
#
# Settings: VHOST (on or off), GUEST_MEM (MiB), GUEST_IOMMU (a device of QEMU or
# nothing), GUEST_APPEND (for the guest's kernel), TABLES (not empty: the guest has page
# tables of its own), IOMMU, BACKEND, NONCE.

# shellcheck disable=SC2034,SC2154
GUEST_REPORT=/run/guest.report
GUEST_LINES=/run/guest.lines
GUEST_TRACE=/run/guest.trace
guest_pid=
# A guest that panics is gone, unless a job wants it to come back.
guest_options=-no-reboot
guest_smp=1
# The requests that QEMU is to count, see guest_requests().
guest_traces='attach detach map unmap fill_resv_property'
# An HPET ticks on when the kernel has left it, which wakes QEMU each time.
guest_machine=q35,hpet=off,sata=off,smbus=off,i8042=off
# More devices, after the assigned ones.
guest_extra=
# What the names of the guest's results begin with.
guest_prefix=

# pci_find VENDOR DEVICE: the address of the first such function.
pci_find()
{
	local dev

	for dev in /sys/bus/pci/devices/*; do
		[ "$(cat "$dev/vendor")" = "0x$1" ] || continue
		[ "$(cat "$dev/device")" = "0x$2" ] || continue
		echo "${dev##*/}"
		return
	done
	return 1
}

pci_group()
{
	local group

	group=$(readlink "/sys/bus/pci/devices/$1/iommu_group") || return
	echo "${group##*/}"
}

# pci_to_vfio ADDRESS: binds it to vfio-pci; says so by its exit code.
pci_to_vfio()
{
	echo vfio-pci > "/sys/bus/pci/devices/$1/driver_override"
	echo "$1" > /sys/bus/pci/drivers_probe
	[ -e "/sys/bus/pci/drivers/vfio-pci/$1" ]
}

# disk_interrupts ADDRESS: how many there were so far
disk_interrupts()
{
	awk -v name="($1)" 'index($0, name) { n += $2 + $3 }
			    END { print n + 0 }' /proc/interrupts
}

# disk_busy ADDRESS INTERRUPTS: whether there were more by now
disk_busy()
{
	[ "$(disk_interrupts "$1")" -gt "$2" ]
}

# The device file of the port NAME.
port()
{
	local name

	name=$(grep -lx "$1" /sys/class/virtio-ports/*/name) || return
	name=${name%/name}
	echo "/dev/${name##*/}"
}

# guest_start ADDRESS...: a guest with these devices assigned.
guest_start()
{
	local address name devices='' traces=''

	# The IOMMU comes before what is behind it.
	[ -z "$GUEST_IOMMU" ] || devices="-device $GUEST_IOMMU"
	[ "$BACKEND" = container ] || devices="$devices -object iommufd,id=fd0"
	for address; do
		devices="$devices -device vfio-pci,host=$address"
		[ "$BACKEND" = container ] || devices="$devices,iommufd=fd0"
	done
	for name in $guest_traces; do
		traces="$traces -trace virtio_iommu_$name"
	done
	: > $GUEST_REPORT
	: > $GUEST_LINES
	: > $GUEST_TRACE
	exec 8< $GUEST_REPORT
	# shellcheck disable=SC2086
	qemu-system-x86_64 -nodefaults -no-user-config -display none \
		$guest_options \
		-M $guest_machine -accel kvm -cpu host \
		-smp "$guest_smp" -m "$GUEST_MEM" -mem-path /dev/hugepages -mem-prealloc \
		-L /firmware -bios qboot.rom \
		-kernel /boot/vmlinuz -initrd /boot/guest.img \
		-append "console=ttyS0 earlyprintk=ttyS0 loglevel=5 panic=-1 panic_on_warn=1 oops=panic hugepages=1 no_timer_check $GUEST_APPEND" \
		-serial "file:$(port guest-console)" \
		$devices \
		-device virtio-serial-pci,addr=1e \
		-chardev file,id=report,path=$GUEST_REPORT \
		-device virtserialport,chardev=report,name=report \
		$guest_extra $traces -D $GUEST_TRACE &
	guest_pid=$!
}

# Where the IOMMU can walk the guest's tables, none of them is shadowed.
check_walked()
{
	local kinds

	[ "$IOMMU,$BACKEND,$TABLES" = nesting,iommufd,yes ] || return 0
	kinds=$(awk 'FNR == NR { kind[$1] = $2; next }
		     $2 == "assigned" { print kind[$4] }' \
		/sys/kernel/debug/vhost_iommu/*/domains \
		/sys/kernel/debug/vhost_iommu/*/endpoints | sort -u)
	check "host: the IOMMU walks the guest's tables" "$kinds" \
		[ "$kinds" = walked ]
}

guest_alive()
{
	kill -0 "$guest_pid" 2>/dev/null
}

# What became of a guest that is not heard of any more. Not in a $(...), whose shell has no
# child to wait for.
guest_state()
{
	local status=0

	if guest_alive; then
		echo "its QEMU runs"
	else
		wait "$guest_pid" || status=$?
		case $status in
		# Waited for already, after guest_kill
		127)	echo "its QEMU is gone" ;;
		*)	echo "its QEMU ended with status $status" ;;
		esac
	fi
}

# guest_ended SECONDS: whether QEMU has come to its end by itself in that time.
guest_ended()
{
	local left=$(($1 * 10))

	while guest_alive; do
		[ $left -gt 0 ] || return 1
		left=$((left - 1))
		usleep 100000
	done
	wait "$guest_pid"
}

# monitor_prepare: the next guest has a monitor. It answers into a pipe, which
# somebody has to read.
monitor_prepare()
{
	mkfifo /run/monitor.in /run/monitor.out
	guest_extra="$guest_extra -chardev pipe,id=monitor,path=/run/monitor
		-mon chardev=monitor"
	monitor_listen
}

# monitor_listen: to be called again for another QEMU.
monitor_listen()
{
	: > /run/monitor.log
	monitor_asked=0
	cat /run/monitor.out >> /run/monitor.log &
}

# QEMU prompts when it begins to listen, and after each answer.
monitor_prompts()
{
	[ "$(grep -o '(qemu)' /run/monitor.log | wc -l)" -gt "$1" ]
}

# monitor COMMAND...: waits for the end of the answer, which is in
# /run/monitor.answer then.
monitor()
{
	local size

	eventually monitor_prompts "$monitor_asked" || return
	size=$(wc -c < /run/monitor.log)
	echo "$*" > /run/monitor.in
	monitor_asked=$((monitor_asked + 1))
	eventually monitor_prompts "$monitor_asked" || return
	tail -c "+$((size + 1))" /run/monitor.log > /run/monitor.answer
}

# said TEXT COMMAND...: whether the monitor's answer to the command has the text.
said()
{
	local text=$1

	shift
	monitor "$@" && grep -q "$text" /run/monitor.answer
}

# guest_follow SECONDS [LINE]: passes on what the guest reports until its "end",
# or the line, which has to come in time. Lines of other kinds are kept in
# $GUEST_LINES.
guest_follow()
{
	local number line alive left=$(($1 * 10)) until=${2-}

	while [ $left -gt 0 ]; do
		alive=yes
		guest_alive || alive=
		while read -r number line <&8; do
			[ "$number" = "$GUEST_NONCE" ] || continue
			case $line in
			end\ *)
				[ -z "$until" ]
				return ;;
			"$until")
				return 0 ;;
			ok\ *|not\ ok\ *)
				reported=$((reported + 1))
				say "${line%%ok *}ok $guest_prefix${line#*ok }" ;;
			note\ *|fact\ *|\#*)
				say "$line" ;;
			*)
				echo "$line" >> $GUEST_LINES ;;
			esac
		done
		[ -n "$alive" ] || return 1
		left=$((left - 1))
		usleep 100000
	done
	return 1
}

# guest_reaches NAME SECONDS [LINE]: guest_follow, whose failure is one of the check NAME, and
# says what became of the guest.
guest_reaches()
{
	local name=$1

	shift
	guest_follow "$@" && return
	guest_state > /run/guest.state
	fail "$name" "$(cat /run/guest.state), see the console"
	return 1
}

guest_gone()
{
	! guest_alive
}

guest_kill()
{
	kill -9 "$guest_pid" 2>/dev/null
	wait "$guest_pid" 2>/dev/null
}

# guest_requests NAME: how often QEMU handled such a request. There is no trace
# of a PROBE itself; each reserved region it answers with leaves one.
guest_requests()
{
	local name=$1

	[ "$name" != probe ] || name=fill_resv_property
	grep -c "^virtio_iommu_$name " $GUEST_TRACE
}
