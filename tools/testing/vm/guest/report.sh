# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What a test machine has to say, line by line, to whoever started it. The
# lines go to a port of their own, or to the serial line REPORT, and start with a
# number that only this run knows, so nothing that turns up elsewhere can be taken
# for them.
#
#   note TEXT         progress
#   fact NAME VALUE   a figure
#   ok NAME, ok NAME # SKIP REASON, not ok NAME # REASON
#   end COUNT         the last line: so many "ok" and "not ok" came before it

reported=0

report_open()
{
	local name tries=0

	if [ -n "${REPORT-}" ]; then
		stty -F "$REPORT" raw -echo && exec 9> "$REPORT"
		return
	fi
	while [ $tries -lt 100 ]; do
		for name in /sys/class/virtio-ports/*/name; do
			[ "$(cat "$name" 2>/dev/null)" = report ] || continue
			name=${name%/name}
			exec 9> "/dev/${name##*/}" && return
		done
		tries=$((tries + 1))
		usleep 50000
	done
	echo "no port to report to"
	return 1
}

say()
{
	echo "$NONCE $*" >&9
}

note()
{
	say note "$@"
}

fact()
{
	say fact "$@"
}

pass()
{
	reported=$((reported + 1))
	say ok "$1"
}

# fail NAME REASON...
fail()
{
	local name=$1

	shift
	reported=$((reported + 1))
	say not ok "$name # $*"
}

# skip NAME REASON...
skip()
{
	local name=$1

	shift
	reported=$((reported + 1))
	say ok "$name # SKIP $*"
}

# check NAME REASON COMMAND...: COMMAND decides, and has the exit code.
check()
{
	local name=$1 reason=$2

	shift 2
	if "$@"; then
		pass "$name"
	else
		fail "$name" "$reason"
		return 1
	fi
}

report_end()
{
	say end $reported
}
