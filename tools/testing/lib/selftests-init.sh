# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What machines have in common that run the selftests of vhost_iommu: edu devices for
# VFIO, and how a program is run. Comes after machine-init.sh.

# Two edu devices with groups of their own, two that share one.
EDU='' EDU2='' EDU_A='' EDU_B=''

name_edu()
{
	local group

	group=$(ls "/sys/bus/pci/devices/$1/iommu_group/devices") || return
	case $group in
	"$1")
		[ -z "$EDU" ] && EDU=$1 || EDU2=$1 ;;
	*)
		[ -z "$EDU_A" ] && EDU_A=$1 || EDU_B=$1 ;;
	esac
}

bind_edu()
{
	local device

	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/vendor"):$(cat "$device/device")" = \
			0x1234:0x11e8 ] || continue
		echo vfio-pci > "$device/driver_override"
		echo "${device##*/}" > /sys/bus/pci/drivers_probe
		[ -e "$device/driver" ] || return
		name_edu "${device##*/}" || return
	done
	[ -n "$EDU2" ] && [ -n "$EDU_B" ] || return
	[ "$(readlink "/sys/bus/pci/devices/$EDU_A/iommu_group")" = \
		"$(readlink "/sys/bus/pci/devices/$EDU_B/iommu_group")" ] ||
		return
	export EDU EDU2 EDU_A EDU_B
}

# run_program SUITE PROGRAM [ARGUMENTS]
run_program()
{
	local suite=$1 program=$2

	shift 2
	verdict "suite $suite"
	"/tests/$program" "$@" >&3 2>&1
	verdict "end $suite"
}

# What has to do with assigned devices, without what is about containers and what
# iommufd does not have.
iommufd_programs()
{
	export IOMMUFD=1

	run_program "iommufd: vhost_iommu" vhost_iommu -T group_taken
	run_program "iommufd: stage2" stage2 -T bar -T other_process -f edu
	run_program "iommufd: groups" groups -T peer_to_peer -T closed_peer
	run_program "iommufd: emulated" emulated -f edu
	run_program "iommufd: tables" tables
	run_program "iommufd: pasids" pasids
	run_program "iommufd: life" life
	run_program "iommufd: fail_nth" fail_nth -f edu -f tables
}
