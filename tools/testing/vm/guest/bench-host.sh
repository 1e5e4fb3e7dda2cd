# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The benchmarks, host side: those without a guest, then guest after guest, a
# different virtual IOMMU in each. A "fact column NAME" says whose figures follow.
#
# Settings: COLUMNS, ROUNDS, GUEST_FIGURES (of every column, in place of those that
# each has), HOST_FIGURES, SECONDS_EACH, IDLE (no
# for not), POLL_US (of vhost_iommu, where it polls).

# shellcheck source=tools/testing/vm/guest/host.sh
. /lib/host.sh

# A notification by an access to a port is an exit with nothing to decode.
notify=modern-pio-notify=on
poll=/sys/module/vhost_iommu/parameters/poll_us

# guest_column NAME: sets up what a guest of that column gets.
guest_column()
{
	local order=order strict=1 own=map_1 all

	all=map_1,map_256,map_256_filled,read_4k,read_128k,read_queue
	guest_smp=1 TABLES='' guest_extra='' assigned="$nvme $edu" BACKEND=container
	GUEST_IOMMU=virtio-iommu-pci,vhost=on,$notify
	echo "$POLL_US" > $poll
	case $1 in
	none)		GUEST_IOMMU=
			own=map_1,read_4k,read_128k,read_queue ;;
	qemu)		GUEST_IOMMU=virtio-iommu-pci,$notify order=intree
			own=map_1,map_256,read_4k,read_128k ;;
	intel)		GUEST_IOMMU=intel-iommu,caching-mode=on,intremap=off
			own=map_1,map_256,map_256_filled ;;
	intree)		order=intree ;;
	ours)		own=$all ;;
	nopoll)		echo 0 > $poll ;;
	lazy)		strict=0 own=map_1,read_4k ;;
	threads)	guest_smp=2 own=map_1,map_4threads ;;
	iommufd)	BACKEND=iommufd own=map_1,map_256 ;;
	tables)		own=map_1,map_256 ;;
	walked)		own=$all ;;
	walked-nopoll)	echo 0 > $poll ;;
	walked-lazy)	strict=0 own=map_1,read_4k ;;
	walked-threads)	guest_smp=2 own=map_1,map_4threads ;;
	emulated*)	own=map_alone,unmap_alone assigned=$nvme
			guest_extra="-device edu" ;;
	esac
	case $1 in *tables|walked*)
		order=tables TABLES=yes
		GUEST_IOMMU=$GUEST_IOMMU,x-page-tables=on ;;
	esac
	case $1 in walked*) BACKEND=iommufd ;; esac
	GUEST_APPEND="intel_iommu=on iommu.strict=$strict ORDER=$order"
	GUEST_APPEND="$GUEST_APPEND FIGURES=${GUEST_FIGURES:-$own}"
	GUEST_APPEND="$GUEST_APPEND SECONDS_EACH=$SECONDS_EACH"
}

# How many requests the guest has sent, and for how many it has left its processor.
requests_and_kicks()
{
	cat /sys/kernel/debug/vhost_iommu/*/stats 2>/dev/null |
		awk '/^requests_(map|unmap|invalidate) / { n += $2 }
		     $1 == "kicks" { kicks = $2 }
		     END { print n + 0, "requests,", kicks + 0, "notifications" }'
}

guest_figures()
{
	guest_column "$1"
	fact column "$1"
	# shellcheck disable=SC2086
	guest_start $assigned
	if guest_reaches "$1: the guest reaches its end" 180; then
		note "$1: $(requests_and_kicks)"
		request_figures "$1"
		check_walked
	fi
	guest_kill
}

# What the kernel was asked for, of a guest whose device is emulated.
request_figures()
{
	local name

	case $1 in emulated*) ;; *) return ;; esac
	for name in map unmap invalidate; do
		fact "requests_$name" "$(sed -n "s/^requests_$name //p" \
			/sys/kernel/debug/vhost_iommu/*/stats)"
	done
	fact kicks "$(sed -n "s/^kicks //p" \
		/sys/kernel/debug/vhost_iommu/*/stats)"
}

# host_figures COLUMN NAME...
host_figures()
{
	local column=$1 name iommufd

	shift
	fact column "$column"
	for name; do
		iommufd=
		[ "$name" != walked ] || iommufd=IOMMUFD=1
		env ${iommufd:+"$iommufd"} "EDU=$edu" host-bench "$name" \
			> /run/figures ||
			fail "host-bench $name" "see the console"
		while read -r line; do
			fact "$line"
		done < /run/figures
	done
}

bench()
{
	local round=0 column

	note "host is up, its clock is" \
		"$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	nvme=$(pci_find 1b36 0010)
	edu=$(pci_find 1234 11e8)
	pci_to_vfio "$nvme" || fail "vfio-pci takes the disk" "not bound"
	pci_to_vfio "$edu" || fail "vfio-pci takes the edu device" "not bound"
	# shellcheck disable=SC2034
	guest_traces=
	while [ $round -lt "$ROUNDS" ]; do
		round=$((round + 1))
		note "round $round of $ROUNDS"
		# shellcheck disable=SC2086
		host_figures host $HOST_FIGURES
		for column in $COLUMNS; do
			guest_figures "$column"
		done
	done
	[ "$IDLE" = no ] || host_figures idle idle
}

bench
report_end
