# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Initramfs images for the test machines: busybox, the modules they load, and
# the programs they run. Not compressed, since unpacking is emulated as well.
#
# Needs: die.

# Where "su" leaves out modprobe.
PATH=$PATH:/usr/sbin:/sbin

# image_base ROOT [BUSYBOX]: a system that runs guest/init. A busybox of another
# architecture is of the same release as this machine's.
image_base()
{
	local root=$1 guest applet

	guest=$(dirname "${BASH_SOURCE[0]}")/../guest
	mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,lib,modules}
	cp "${2-$(command -v busybox)}" "$root/bin/busybox"
	busybox --list | grep -v -x busybox | while read -r applet; do
		ln -s busybox "$root/bin/$applet"
	done
	cp "$guest/init" "$root/init"
	cp "$guest"/{wait,report,selftest}.sh "$root/lib/"
	: > "$root/modules/order"
}

# image_modules ROOT KERNEL NAME...: with all they depend on; init loads them
# in this order. A name that is a file is a module of ours. CROSS is the prefix of
# the binutils of another architecture.
image_modules()
{
	local root=$1 kernel=$2 release name word file base

	release=$(cat "$kernel/release")
	shift 2
	for name; do
		if [ -f "$name" ]; then
			printf 'insmod %s\n' "$name"
			continue
		fi
		modprobe -d "$kernel" -S "$release" --show-depends "$name" ||
			die "the kernel $release has no module $name"
	done | while read -r word file _; do
		[ "$word" = insmod ] || continue
		base=${file##*/}
		base=${base%.xz}
		[ ! -e "$root/modules/$base" ] || continue
		case $file in
		*.xz)	xz -dc "$file" > "$root/modules/$base" ;;
		*)	"${CROSS-}strip" -g -o "$root/modules/$base" "$file" ;;
		esac
		echo "$base" >> "$root/modules/order"
	done
}

# image_replace ROOT FIRST FILE...: modules that take the place of those of the same name,
# and FIRST.ko, which is loaded before them.
image_replace()
{
	local root=$1 first=$2 file

	shift 2
	for file; do
		strip -g -o "$root/modules/${file##*/}" "$file"
	done
	sed -i "1i $first.ko" "$root/modules/order"
}

# image_intree ROOT KERNEL: a second order, with the kernel's own virtio_iommu in
# place of ours.
image_intree()
{
	local root=$1 kernel=$2 file

	file=$(modprobe -d "$kernel" -S "$(cat "$kernel/release")" \
		--show-depends virtio_iommu | awk 'END { print $2 }')
	case $file in
	*.xz)	xz -dc "$file" ;;
	*)	cat "$file" ;;
	esac > "$root/modules/virtio_iommu_intree.ko"
	sed 's/^virtio_iommu.ko$/virtio_iommu_intree.ko/' \
		"$root/modules/order" > "$root/modules/intree"
}

# image_program ROOT PROGRAM: with its libraries, if it is not static.
image_program()
{
	local root=$1 program=$2 library

	cp "$program" "$root/bin/"
	{ ldd "$program" 2>&1 || true; } |
		sed -n 's|^[^/]*\(/[^ ]*\) (.*|\1|p' | while read -r library; do
		mkdir -p "$root${library%/*}"
		cp -L "$library" "$root$library"
	done
}

# settings_file FILE NAME=VALUE...: for the job.
settings_file()
{
	local file=$1 setting

	shift
	for setting; do
		printf '%s=%q\n' "${setting%%=*}" "${setting#*=}"
	done > "$file"
}

# image_pack ROOT FILE
image_pack()
{
	(cd "$1" && find . -print0 | cpio --quiet -0 -o -H newc) > "$2"
}
