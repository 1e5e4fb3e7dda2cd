# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What the first process of every test machine needs; see machine.sh. REPORT is the
# serial line for what it has to say.

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t debugfs debugfs /sys/kernel/debug
exec 3> "/dev/${REPORT-ttyS1}"

verdict()
{
	echo "$*" >&3
}

# pass_if NAME COMMAND...
pass_if()
{
	local name="$1"

	shift
	if "$@"; then
		verdict "ok $name"
	else
		verdict "not ok $name"
	fi
}

# The value of argument $1 of the kernel's command line.
argument()
{
	local word line

	read -r line < /proc/cmdline
	for word in $line; do
		[ "${word%%=*}" != "$1" ] || echo "${word#*=}"
	done
}

SUITES=/sys/kernel/debug/kunit

# Loads a module and hands over the results of the suites that came with it.
run_suites()
{
	local module="$1" suite count=0

	ls "$SUITES" > /before
	pass_if "$module: loads" insmod "/lib/$module.ko"
	for suite in "$SUITES"/*; do
		[ -d "$suite" ] || continue
		suite=${suite##*/}
		grep -q -x -F "$suite" /before && continue
		verdict "suite $suite"
		cat "$SUITES/$suite/results" >&3
		verdict "end $suite"
		count=$((count + 1))
	done
	pass_if "$module: has suites" [ "$count" -gt 0 ]
}

no_leaks()
{
	# An object is a leak once it is 5 seconds old and two scans missed it.
	sleep 6
	# One that has turned itself off takes no command.
	echo scan > /sys/kernel/debug/kmemleak || return
	echo scan > /sys/kernel/debug/kmemleak || return
	cat /sys/kernel/debug/kmemleak > /leaks || return
	sed 's/^/# /' /leaks >&3
	[ ! -s /leaks ]
}

# If not, what has turned it off is in the log.
lockdep_is_on()
{
	grep -q 'debug_locks: *1' /proc/lockdep_stats && return
	dmesg | grep -m 1 -A 80 -E '(WARNING|BUG|INFO|DEBUG_LOCKS).*' |
		sed 's/^/# /' >&3
	return 1
}

# What modules that count their lines have counted, as lines of base64.
hand_over_coverage()
{
	local file

	cd /sys/kernel/debug/gcov || return
	find . -name '*.gcda' | while read -r file; do
		mkdir -p "/gcov/${file%/*}"
		# Its size is 0 until it is read.
		cat "$file" > "/gcov/$file"
	done
	[ ! -d /gcov ] || tar -cz -C /gcov . | base64 | sed 's/^/gcov /' >&3
}

# finish NAME: the checks of the kernel itself, and the end. With LOCKDEP=off
# lockdep's was made before.
finish()
{
	(hand_over_coverage)
	pass_if "$1: no memory leaks" no_leaks
	[ "${LOCKDEP-on}" = off ] ||
		pass_if "$1: lockdep has seen no bug" lockdep_is_on
	verdict "nonce $(argument nonce)"
	exec 3>&-
	sleep 0.3
	poweroff -f
}
