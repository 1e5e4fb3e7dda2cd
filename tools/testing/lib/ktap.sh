# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# KTAP lines, unnumbered: tools/testing/check numbers and counts them.

# Where "su" leaves out the administrator's programs.
PATH=$PATH:/usr/sbin:/sbin

ktap_ok()
{
	echo "ok $1"
}

# ktap_not_ok NAME [FILE with the reason]
ktap_not_ok()
{
	[ $# -lt 2 ] || tail -n 40 "$2" | sed 's/^/# /'
	echo "not ok $1"
}

# ktap_skip NAME REASON
ktap_skip()
{
	echo "ok $1 # SKIP $2"
}

# ktap_quiet NAME FILE: passes if the file, a list of complaints, is empty.
ktap_quiet()
{
	if [ -s "$2" ]; then
		ktap_not_ok "$1" "$2"
	else
		ktap_ok "$1"
	fi
}

# ktap_run NAME COMMAND...: passes if the command does.
ktap_run()
{
	local name=$1 log

	shift
	log=$(mktemp)
	if "$@" > "$log" 2>&1; then
		ktap_ok "$name"
	else
		ktap_not_ok "$name" "$log"
	fi
	rm -f "$log"
}
