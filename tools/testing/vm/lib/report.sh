# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The reader of what a test machine reports, see guest/report.sh.
#
# Needs: nonce. Sets: problem, failed.

# shellcheck disable=SC2034,SC2154

# follow_report PREFIX: prints the report as it comes, with the prefix before the
# names of results. Whoever writes to it, only lines with the number of this run, in
# "nonce", count, and the last one has to be its only "end". Sets "problem" if that
# is not so, and "failed" if there was a "not ok".
follow_report()
{
	local prefix=$1 number line count=0 end=''

	while read -r number line; do
		[ "$number" = "$nonce" ] || continue
		if [ -n "$end" ]; then
			problem="the report goes on after its end"
			continue
		fi
		case $line in
		end\ *)			end=${line#end } ;;
		ok\ *)			count=$((count + 1))
					echo "ok $prefix${line#ok }" ;;
		not\ ok\ *)		count=$((count + 1))
					echo "not ok $prefix${line#not ok }"
					failed=yes ;;
		*)			echo "$line" ;;
		esac
	done
	if [ -z "$end" ]; then
		problem="the machine did not come to the end of its job"
	elif [ "$end" != $count ]; then
		problem="$count of $end results arrived"
	fi
}
