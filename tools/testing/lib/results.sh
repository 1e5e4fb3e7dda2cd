# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# From what a machine has said to KTAP lines: "suite NAME", what a suite printed, "end
# NAME", and results of the machine itself. The plan of a suite says how many results
# it has.
#
# Needs: WORK.

# kselftest_results MACHINE: suites are programs. The machine calls itself "selftests".
kselftest_results()
{
	awk -v machine="$1" '
	$1 == "suite"		{ suite = substr($0, 7); tests = 0; plan = -1; next }
	suite == ""		{
		sub(/ok selftests/, "ok " machine)
		if (/^(not )?ok |^#/) print
		next
	}
	/^1\.\./		{ plan = substr($1, 4) + 0; next }
	/^(not )?ok [0-9]/	{
		tests++
		bad = $1 == "not"
		sub(/^(not )?ok [0-9]+ (- )?/, "")
		print (bad ? "not ok " : "ok ") machine ": " suite " " $0
		next
	}
	$1 == "end"		{
		if (tests == 0 || tests != plan)
			print "not ok " machine ": " suite ": " tests \
				" results of " plan " tests"
		suite = ""
		next
	}
	/^# +(RUN|OK) / || /^# (Starting|PASSED|FAILED|Totals)/ || /TAP version/ {
		next
	}
	{ sub(/^# */, ""); print "# " $0 }' "$WORK/verdict"
}

# kunit_results MACHINE: inside a suite, cases are indented by four and parameters of a
# case by eight. The machine calls itself "kunit".
kunit_results()
{
	awk -v machine="$1" '
	$1 == "suite"		{ suite = $2; cases = 0; plan = -1; next }
	suite == ""		{
		sub(/ok kunit/, "ok " machine)
		if (/^(not )?ok |^#/) print
		next
	}
	/^1\.\./		{ next }
	/^    1\.\./		{ plan = substr($1, 4) + 0; next }
	/^    (not )?ok [0-9]/	{
		cases++
		bad = $1 == "not"
		sub(/^ *(not )?ok [0-9]+ (- )?/, "")
		print (bad ? "not ok " : "ok ") machine ": " suite "." $0
		next
	}
	/^ok / || /^not ok /	{ next }
	$1 == "end"		{
		if (cases == 0 || cases != plan)
			print "not ok " machine ": " suite ": " cases \
				" results of " plan " cases"
		suite = ""
		next
	}
	/^ *# .*(Subtest:|module:|pass:|Totals:)/ || /KTAP version/ { next }
	{ sub(/^    (# )?/, ""); print "# " $0 }' "$WORK/verdict"
}
