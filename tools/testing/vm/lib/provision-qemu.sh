# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# QEMU: Debian's 10.0 source and patches, our patches on top, built with no
# more than the test machines use.
#
# Needs: TOP, CODENAME, JOBS, say, die, logged, digest, apt_*.

QEMU_PATCHES=$TOP/tools/vmm/qemu/patches
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
	if [ -d "$QEMU_PATCHES" ]; then
		(cd "$QEMU_PATCHES" && digest .)
	fi
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
	version=$(apt_version meson)
	apt_unpack "$dir" "meson=$version"
	export PYTHONPATH=$dir/usr/lib/python3/dist-packages
	export PATH=$dir/usr/bin:$PATH
}

build_qemu()
{
	local tmp=$1 work=$1/work patch version

	version=$(apt_source_version qemu 1:10.0.)
	apt_fetch "$work" "source --download-only" "qemu=$version"
	logged "$tmp/log" dpkg-source -x "$work"/*.dsc "$work/src"
	for patch in "$QEMU_PATCHES"/*.patch; do
		[ -e "$patch" ] || continue
		say "applying ${patch##*/}"
		logged "$tmp/log" patch -d "$work/src" -p1 --fuzz=0 -i "$patch"
	done
	qemu_meson "$work/meson"

	say "configuring QEMU"
	mkdir "$work/build"
	(cd "$work/build" && logged "$tmp/log" ../src/configure \
		"${QEMU_OPTIONS[@]}")
	if ! NINJA_STATUS='%p ' ninja -C "$work/build" -j"$JOBS" \
		qemu-system-x86_64 < /dev/null 2>&1 | tee -a "$tmp/log" |
		ninja_progress QEMU; then
		tail -n 25 "$tmp/log" >&2
		die "QEMU does not build"
	fi
	mkdir "$tmp/bin"
	strip -o "$tmp/bin/qemu-system-x86_64" "$work/build/qemu-system-x86_64"
	rm -rf "$work"
}
