# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A small machine with the test kernel: KASAN, lockdep, kmemleak, and a panic
# on every warning. Emulated, so it needs nothing of the processor. What it has
# to say comes down a serial line of its own, where no kernel message gets, and
# is complete if the last line is this run's nonce.
#
# Needs: TOP, ktap_*. With COVERAGE, a directory, the modules count which of their lines
# run, and the counts end up there.

machine_prepare()
{
	local provision=$TOP/tools/testing/vm/provision

	KERNEL=$("$provision" testkernel) || return
	QEMU=$("$provision" qemu) || return
	if [ -n "${COVERAGE-}" ]; then
		MODULES=$("$provision" covmodules) || return
	else
		MODULES=$("$provision" testmodules) || return
	fi
	WORK=$(mktemp -d)
	NONCE=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	mkdir -p "$WORK/root"/{bin,lib,proc,sys,dev}
	cp /bin/busybox "$WORK/root/bin/busybox"
	cp "$MODULES"/*.ko "$WORK/root/lib"
	install -m 644 "$TOP/tools/testing/lib/machine-init.sh" "$WORK/root/lib"
}

# machine_boot SECONDS KERNEL-ARGUMENTS QEMU-ARGUMENTS...
# Without the timer check, which panics if this machine is busy at that moment.
machine_boot()
{
	local limit=$1 append=$2

	shift 2
	(cd "$WORK/root" && find . | cpio -o -H newc --quiet) > "$WORK/initramfs"
	timeout -k 10 "$limit" "$QEMU/bin/qemu-system-x86_64" \
		-M q35 -accel tcg -cpu max,-erms,-fsrm -smp 2 -m 1G -nodefaults \
		-display none -no-reboot \
		-L /usr/share/qemu -L /usr/share/seabios \
		-bios /usr/share/qemu/qboot.rom \
		-serial "file:$WORK/console" -serial "file:$WORK/raw" \
		-kernel "$KERNEL/bzImage" -initrd "$WORK/initramfs" \
		-append "console=ttyS0 no_timer_check panic=-1 panic_on_warn=1 oops=panic \
			nonce=$NONCE $append" \
		"$@" < /dev/null > "$WORK/qemu" 2>&1 || true
	tr -d '\r' < "$WORK/raw" > "$WORK/verdict"
	if [ -n "${COVERAGE-}" ]; then
		sed -n 's/^gcov //p' "$WORK/verdict" | base64 -d |
			tar -xz -C "$COVERAGE"
	fi
}

# machine_finish NAME: a last result, whether the machine came to its end.
machine_finish()
{
	if [ "$(tail -n 1 "$WORK/verdict")" = "nonce $NONCE" ]; then
		ktap_ok "$1: the machine ran to its end"
		rm -rf "$WORK"
		return 0
	fi
	tail -n 60 "$WORK/console" > "$WORK/last"
	cat "$WORK/qemu" >> "$WORK/last"
	echo "# logs are kept in $WORK"
	ktap_not_ok "$1: the machine ran to its end" "$WORK/last"
	return 1
}
