# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Programs with the harness of the kernel's selftests, in /tests.
#
# shellcheck disable=SC2154

# selftest PROGRAM [OPTION...]: each of its results, and what it says of the bad ones,
# with $edu for its device.
selftest()
{
	local program=$1 line text tests=0 plan=none

	shift
	EDU=$edu "/tests/$program" "$@" > /run/selftest 2>&1
	while read -r line; do
		text=${line#*ok [0-9]* }
		case $line in
		1..*)
			plan=${line#1..} ;;
		ok\ *|not\ ok\ *)
			tests=$((tests + 1))
			reported=$((reported + 1))
			say "${line%%ok *}ok $program: $text" ;;
		*.[ch]:[0-9]*:*)
			say "# ${line#\# }" ;;
		esac
	done < /run/selftest
	[ "$plan" = $tests ] ||
		fail "$program runs to its end" "$tests results of $plan tests"
}
