# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# QEMU: Debian's 10.0 source and patches, what its emulation of a host with several
# processors needs, and our series on top; built with no more than the test
# machines use. And Debian's own builds, as they are.
#
# Needs: TOP, LIB, CACHE, CODENAME, JOBS, say, die, logged, digest, apt_*.

QEMU_PATCHES=("$LIB"/../qemu/*.patch "$TOP"/tools/vmm/qemu/patches/*.patch)
QEMU_OPTIONS=(
	--python=/usr/bin/python3
	--target-list=x86_64-softmmu
	--without-default-features
	--enable-tcg --enable-kvm --enable-vhost-kernel --enable-vhost-net
	--enable-virtfs --enable-attr --enable-cap-ng
	--enable-trace-backends=log
	--disable-docs --disable-download --disable-install-blobs
	--firmwarepath=/usr/share/qemu:/usr/share/seabios
)

inputs_qemu()
{
	apt_source_version qemu 1:10.0.
	echo "${QEMU_OPTIONS[@]}"
	gcc --version | head -n 1
	cat "${QEMU_PATCHES[@]}"
}

# One line for each tenth of the way.
ninja_progress()
{
	local percent last=0

	while read -r percent _; do
		[[ $percent =~ ^([0-9]+)%$ ]] || continue
		percent=${BASH_REMATCH[1]}
		[ $((percent / 10)) -gt $last ] || continue
		last=$((percent / 10))
		say "$1 ${last}0%"
	done
}

# QEMU 10.0 wants meson 1.5, which Debian 12 has in backports only.
qemu_meson()
{
	local dir=$1 version

	[ "$CODENAME" = bookworm ] || return 0
	if [ ! -d "$dir" ]; then
		version=$(apt_version meson)
		apt_unpack "$dir" "meson=$version"
	fi
	export PYTHONPATH=$dir/usr/lib/python3/dist-packages
	export PATH=$dir/usr/bin:$PATH
}

# qemu_patch WORK LOG: the patches of the last build out, today's in. Those before
# the first difference stay, so that the files they touch are not compiled again.
qemu_patch()
{
	local work=$1 log=$2 patch number=100 same=0

	rm -rf "$work/wanted"
	mkdir "$work/wanted"
	for patch in "${QEMU_PATCHES[@]}"; do
		cp "$patch" "$work/wanted/$((number += 1))-${patch##*/}"
	done
	for patch in "$work"/wanted/*; do
		cmp -s "$patch" "$work/applied/${patch##*/}" || break
		same=$((same + 1))
	done
	for patch in $(find "$work/applied" -name '*.patch' | sort -r |
		       head -n -$same); do
		logged "$log" patch -d "$work/src" -p1 -R -i "$patch"
	done
	for patch in $(find "$work/wanted" -name '*.patch' | sort |
		       tail -n +$((same + 1))); do
		say "applying ${patch##*/}"
		logged "$log" patch -d "$work/src" -p1 --fuzz=0 -i "$patch"
	done
	rm -rf "$work/applied"
	mv "$work/wanted" "$work/applied"
}

# The source and the objects stay, so that after a change to a patch only what
# it touches is compiled again. Without "base" they are of no use: they are of
# another version, or something failed halfway.
build_qemu()
{
	local tmp=$1 work=$CACHE/qemu-work log=$1/log version base

	version=$(apt_source_version qemu 1:10.0.)
	base=$(echo "$version ${QEMU_OPTIONS[*]}"; gcc --version)
	if [ "$(cat "$work/base" 2>/dev/null)" != "$base" ]; then
		rm -rf "$work"
		apt_fetch "$work" "source --download-only" "qemu=$version"
		logged "$log" dpkg-source -x "$work"/*.dsc "$work/src"
		mkdir "$work/applied" "$work/build"
	fi
	rm -f "$work/base"
	qemu_patch "$work" "$log"
	qemu_meson "$work/meson"
	if [ ! -e "$work/build/build.ninja" ]; then
		say "configuring QEMU"
		(cd "$work/build" && logged "$log" ../src/configure \
			"${QEMU_OPTIONS[@]}")
	fi
	echo "$base" > "$work/base"

	if ! NINJA_STATUS='%p ' ninja -C "$work/build" -j"$JOBS" \
		qemu-system-x86_64 tests/qtest/qos-test < /dev/null 2>&1 | tee -a "$log" |
		ninja_progress QEMU; then
		tail -n 25 "$log" >&2
		die "QEMU does not build"
	fi
	mkdir "$tmp/bin"
	strip -o "$tmp/bin/qemu-system-x86_64" "$work/build/qemu-system-x86_64"
	strip -o "$tmp/bin/qos-test" "$work/build/tests/qtest/qos-test"
}

# stock_qemu VERSION: the suite that has it, after apt_use.
stock_qemu()
{
	case $1 in
	7.2)	apt_use bookworm amd64
		suite=bookworm ;;
	10.0)	apt_use "$CODENAME" amd64
		suite=$CODENAME
		[ "$CODENAME" != bookworm ] || suite=bookworm-backports ;;
	esac
	apt_ready
}

# The version that the suite has now.
inputs_stock_qemu()
{
	local suite version

	stock_qemu "$1"
	version=$(apt-cache -c "$APT_DIR/apt.conf" madison qemu-system-x86 |
		awk -v suite="$suite/" 'index($0, suite) { print $3 }' |
		sort -V | tail -n 1)
	[[ $version == 1:$1* ]] ||
		die "Debian $suite has QEMU ${version:-not}, not $1"
	echo "$version"
	declare -f build_stock_qemu
}

# Debian's binaries, with their libraries, whatever this machine has.
build_stock_qemu()
{
	local tmp=$1 final=$2 suite arch dir lib=lib/x86_64-linux-gnu

	stock_qemu "$3"
	apt_unpack_all "$tmp" "$suite" qemu-system-x86 qemu-system-arm \
		qemu-efi-aarch64 seabios
	[ -e "$tmp/$lib/ld-linux-x86-64.so.2" ] || lib=usr/$lib
	mkdir -p "$tmp/run"
	for arch in x86_64 aarch64; do
		mv "$tmp/usr/bin/qemu-system-$arch" "$tmp/run/.$arch"
		cat > "$tmp/run/qemu-system-$arch" <<-SCRIPT
		#!/bin/sh
		export QEMU_MODULE_DIR=$final/usr/lib/x86_64-linux-gnu/qemu
		exec $final/$lib/ld-linux-x86-64.so.2 \\
			--library-path $final/$lib:$final/usr/lib/x86_64-linux-gnu \\
			$final/run/.$arch \\
			-L $final/usr/share/qemu -L $final/usr/share/seabios "\$@"
		SCRIPT
		chmod 755 "$tmp/run/qemu-system-$arch"
	done
	mv "$tmp/usr/share/qemu-efi-aarch64/QEMU_EFI.fd" "$tmp/usr/share/qemu/"
	for dir in bin sbin share/{doc,man,locale,iso-codes,AAVMF}; do
		rm -rf "${tmp:?}/usr/$dir"
	done
}

inputs_qemu_7_2()
{
	inputs_stock_qemu 7.2
}

build_qemu_7_2()
{
	build_stock_qemu "$@" 7.2
}

inputs_qemu_10_0()
{
	inputs_stock_qemu 10.0
}

build_qemu_10_0()
{
	build_stock_qemu "$@" 10.0
}
