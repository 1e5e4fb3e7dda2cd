# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# QEMU: Debian's 10.0 source and patches, what its emulation of a host with several
# processors needs, and our series on top; built with no more than the test
# machines use.
#
# Needs: TOP, LIB, CACHE, CODENAME, JOBS, say, die, logged, digest, apt_*.

QEMU_PATCHES=("$LIB"/../qemu/*.patch "$TOP"/tools/vmm/qemu/patches/*.patch)
QEMU_OPTIONS=(
	--python=/usr/bin/python3
	--target-list=x86_64-softmmu
	--without-default-features
	--enable-tcg --enable-kvm --enable-vhost-kernel
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
		qemu-system-x86_64 < /dev/null 2>&1 | tee -a "$log" |
		ninja_progress QEMU; then
		tail -n 25 "$log" >&2
		die "QEMU does not build"
	fi
	mkdir "$tmp/bin"
	strip -o "$tmp/bin/qemu-system-x86_64" "$work/build/qemu-system-x86_64"
}
