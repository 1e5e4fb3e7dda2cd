# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the machine itself must have installed.
#
# Needs: CODENAME, say, die.

# One "package  what for" a line.
package_list()
{
	local gcc="gcc-14"

	[ "$CODENAME" != bookworm ] || gcc="gcc-12"
	cat <<-LIST
	gcc                 compiler
	$gcc              compiler of Debian's 6.12 kernel
	libc6-dev           compiler
	make                builds
	bc                  kernel build
	bison               kernel build
	flex                kernel build
	libelf-dev          kernel build
	libssl-dev          kernel build
	pahole              kernel build (BTF of modules)
	perl                kernel build, checkpatch
	python3             QEMU build
	python3-venv        QEMU build
	ninja-build         QEMU build
	pkg-config          QEMU build
	libglib2.0-dev      QEMU build
	zlib1g-dev          QEMU build
	libfdt-dev          QEMU build
	libcap-ng-dev       QEMU build (9p)
	libattr1-dev        QEMU build (9p)
	dpkg-dev            unpacking QEMU's source
	patch               our QEMU patches
	xz-utils            unpacking sources
	kmod                depmod
	cpio                initramfs
	busybox-static      initramfs
	seabios             firmware of the virtual machines
	qemu-system-data    firmware of the virtual machines
	gcc-aarch64-linux-gnu  builds for arm64
	libc6-dev-arm64-cross  builds for arm64
	device-tree-compiler  tests on arm64
	dkms                tests of dkms.conf
	sparse              make style
	shellcheck          make style
	mandoc              make style
	LIST
	[ "$CODENAME" != trixie ] || echo "meson  QEMU build"
}

bench_package_list()
{
	cat <<-LIST
	fio                 make bench, in the guest
	gnuplot-nox         make bench, the chart
	LIST
}

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages LIST: LIST is a function that prints one
install_packages()
{
	local package reason missing=()

	while read -r package reason; do
		installed "$package" && continue
		say "$package is missing ($reason)"
		missing+=("$package")
	done < <("$1")
	[ ${#missing[@]} -gt 0 ] || return 0

	[ "$(id -u)" = 0 ] ||
		die "run as root, or install these yourself: ${missing[*]}"
	say "installing ${#missing[@]} packages"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update >&2 || die "apt-get update failed"
	apt-get -q -y --no-install-recommends install "${missing[@]}" \
		>&2 < /dev/null || die "apt-get could not install: ${missing[*]}"
}
