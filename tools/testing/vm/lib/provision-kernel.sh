# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Kernels, their sources, and our modules built against them.
#
# Needs: TOP, CODENAME, JOBS, say, die, logged, digest, produce, apt_*, kbuild_*.

# Debian 12 gets 6.12 in its security suite, Debian 13 is built on it.
kernel_image()
{
	case $CODENAME in
	bookworm) apt_newest "linux-image-6\.12\.[0-9]+\+deb12-$APT_ARCH" ;;
	trixie)   apt_newest "linux-image-6\.12\.[0-9]+\+deb13-$APT_ARCH" ;;
	*)        die "this needs Debian 12 or 13, not ${CODENAME:-an unnamed one}" ;;
	esac
}

inputs_kernel()
{
	local image

	image=$(kernel_image)
	echo "$image"
	apt_version "$image"
}

# place_modules DIR RELEASE: those of a kernel, to where modprobe -d looks for them.
place_modules()
{
	local dir=$1 release=$2

	if [ -d "$dir/usr/lib/modules" ]; then
		mkdir -p "$dir/lib"
		mv "$dir/usr/lib/modules" "$dir/lib/modules"
	fi
	rm -f "$dir/lib/modules/$release"/{build,source}
	depmod -b "$dir" "$release"
	echo "$release" > "$dir/release"
}

# The programs of kbuild are those of this machine in any case.
build_kernel()
{
	local tmp=$1 final=$2 image version release headers

	image=$(kernel_image)
	version=$(apt_version "$image")
	release=${image#linux-image-}
	apt_unpack "$tmp" "$image=$version" \
		"linux-headers-$release=$version" \
		"linux-headers-${release%-"$APT_ARCH"}-common=$version"
	apt_use "$CODENAME" amd64
	apt_ready
	apt_unpack "$tmp" "linux-kbuild-${release%-*}=$version"

	place_modules "$tmp" "$release"
	mv "$tmp/boot/vmlinuz-$release" "$tmp/vmlinuz"
	# Installed headers name each other by absolute path.
	headers=usr/src/linux-headers-$release
	sed -i "s|/usr/src/|$final/usr/src/|" "$tmp/$headers/Makefile"
	ln -s "$headers" "$tmp/build"
	ln -sfn "../../../$headers" "$tmp/lib/modules/$release/build"
	rm -rf "${tmp:?}/usr/share"
}

inputs_kernel_arm64()
{
	apt_use "$CODENAME" arm64
	apt_ready
	inputs_kernel
	declare -f build_kernel place_modules
}

build_kernel_arm64()
{
	apt_use "$CODENAME" arm64
	apt_unpack "$1" "busybox-static=$(apt_version busybox-static)"
	build_kernel "$@"
	find "$1" -path '*/bin/busybox' -exec mv {} "$1/busybox" \;
}

# unpack_source TMP PACKAGE VERSION: the tree ends up in TMP itself.
unpack_source()
{
	local tmp=$1 package=$2

	apt_unpack "$tmp/.package" "$package=$3"
	say "unpacking $package"
	tar -C "$tmp" --strip-components=1 -xf \
		"$tmp/.package/usr/src/$package.tar.xz"
	rm -rf "$tmp/.package"
}

inputs_source()
{
	inputs_kernel
}

build_source()
{
	local image version

	image=$(kernel_image)
	version=$(apt_version "$image")
	unpack_source "$1" linux-source-6.12 "$version"
}

next_image()
{
	apt_newest "linux-image-7\.[0-9]+\.[0-9]+\+deb13-$APT_ARCH"
}

# linux-source-7.3 of linux-image-7.3.4+deb13-amd64
next_source()
{
	sed -E 's/^linux-image-([0-9]+\.[0-9]+)\..*/linux-source-\1/' <<< "$1"
}

inputs_source_next()
{
	local image

	image=$(next_image)
	echo "$image"
	apt_version "$image"
}

build_source_next()
{
	local image version

	image=$(next_image)
	version=$(apt_version "$image")
	unpack_source "$1" "$(next_source "$image")" "$version"
}

inputs_kernel_next()
{
	inputs_source_next
	gcc --version | head -n 1
	declare -f prepare_headers
}

# prepare_headers RELEASE TMP FINAL: the programs in Debian's headers for the next
# kernel are linked with the next release's libc, so the headers are prepared here,
# from the source, with their symbol versions. Their configuration stays, except for
# what takes another compiler: modules have to agree with the kernel that is booted on
# its structures.
prepare_headers()
{
	local release=$1 tmp=$2 final=$3 source headers

	source=$("$0" source-next)
	headers=$tmp/usr/src/linux-headers-$release
	mkdir "$tmp/build"
	cp "$headers/.config" "$headers/Module.symvers" "$tmp/build"
	say "preparing $release for module builds"
	logged "$tmp/log" "$source/scripts/config" --file "$tmp/build/.config" \
		-d RUST -d GCC_PLUGINS
	set -- -C "$source" O="$tmp/build" LOCALVERSION="+${release#*+}"
	logged "$tmp/log" make "$@" olddefconfig
	grep -q '^CONFIG_DEBUG_INFO_BTF=y' "$tmp/build/.config" ||
		die "the headers of $release would not be those of its kernel"
	logged "$tmp/log" make "$@" -j"$JOBS" modules_prepare
	sed -i "s|$tmp/|$final/|" "$tmp/build/Makefile"
}

build_kernel_next()
{
	local tmp=$1 final=$2 image version release part packages=()

	image=$(next_image)
	version=$(apt_version "$image")
	release=${image#linux-image-}
	for part in base binary modules headers; do
		packages+=("linux-$part-$release=$version")
	done
	apt_unpack "$tmp" "${packages[@]}"
	place_modules "$tmp" "$release"
	mv "$tmp/lib/modules/$release/vmlinuz" "$tmp/vmlinuz"
	prepare_headers "$release" "$tmp" "$final"
	rm -rf "${tmp:?}/usr"
}

inputs_kernel_next_arm64()
{
	apt_use "$CODENAME" arm64
	apt_ready
	inputs_source_next
	declare -f build_kernel_next prepare_headers
	aarch64-linux-gnu-gcc --version | head -n 1
}

build_kernel_next_arm64()
{
	apt_use "$CODENAME" arm64
	export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
	build_kernel_next "$@"
}

tree_inputs()
{
	(cd "$TOP" && digest Kbuild drivers include |
		grep -v -E '\.(o|ko|mod|mod\.c|cmd)$')
	gcc --version | head -n 1
}

# build_for KERNEL TMP [make arguments]: both modules, without their tree.
build_for()
{
	local kernel tmp=$2

	kernel=$("$0" "$1")
	shift 2
	kbuild_copy "$tmp/tree"
	logged "$tmp/log" kbuild_modules "$kernel/build" "$tmp/tree" "$@"
	find "$tmp/tree" -name '*.ko' -exec mv -t "$tmp" {} +
	rm -rf "$tmp/tree"
}

# Debian's kernels have no iommufd, and VFIO without what belongs to it. Both are modules
# that need nothing of the kernel but what it exports.
IOMMUFD_FLAGS=(CONFIG_IOMMUFD=m CONFIG_VFIO_DEVICE_CDEV=y
	KCFLAGS="-DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_VFIO_DEVICE_CDEV=1")

inputs_iommufd()
{
	tree_inputs
	"$0" kernel
	"$0" source
	echo "${IOMMUFD_FLAGS[@]}"
}

# Both modules, iommufd and VFIO, for kernel: to be used instead of what it has.
build_iommufd()
{
	local tmp=$1 kernel source

	kernel=$("$0" kernel)
	source=$("$0" source)
	mkdir -p "$tmp/tree/linux"
	cp "$source"/drivers/iommu/*.h "$tmp/tree/linux"
	cp -r "$source/drivers/vfio" "$source/drivers/iommu/iommufd" \
		"$tmp/tree/linux"
	# A part of the interval trees that only iommufd selects.
	sed '1i #define CONFIG_INTERVAL_TREE_SPAN_ITER 1
		/EXPORT_SYMBOL/d' "$source/lib/interval_tree.c" \
		> "$tmp/tree/linux/iommufd/span.c"
	echo "iommufd-y += span.o
ccflags-y += -DCONFIG_INTERVAL_TREE_SPAN_ITER=1" \
		>> "$tmp/tree/linux/iommufd/Makefile"
	kbuild_copy "$tmp/tree"
	echo "obj-m += linux/iommufd/ linux/vfio/" >> "$tmp/tree/Kbuild"
	logged "$tmp/log" kbuild_modules "$kernel/build" "$tmp/tree" \
		"${IOMMUFD_FLAGS[@]}" CONFIG_VFIO_MDEV= CONFIG_VFIO_FSL_MC= \
		CONFIG_VFIO_CDX= CONFIG_VFIO_PLATFORM_BASE=
	find "$tmp/tree" -name '*.ko' -exec mv -t "$tmp" {} +
	rm -rf "$tmp/tree"
}

ARM64=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)

inputs_modules()
{
	tree_inputs
	"$0" kernel
}

build_modules()
{
	build_for kernel "$1"
}

inputs_modules_arm64()
{
	tree_inputs
	"$0" kernel-arm64
	aarch64-linux-gnu-gcc --version | head -n 1
}

build_modules_arm64()
{
	build_for kernel-arm64 "$1" "${ARM64[@]}"
}

inputs_modules_next()
{
	tree_inputs
	"$0" kernel-next
}

build_modules_next()
{
	build_for kernel-next "$1"
}

inputs_modules_next_arm64()
{
	tree_inputs
	"$0" kernel-next-arm64
	aarch64-linux-gnu-gcc --version | head -n 1
}

build_modules_next_arm64()
{
	build_for kernel-next-arm64 "$1" "${ARM64[@]}"
}

inputs_bench()
{
	"$0" kernel
	"$0" source
	(cd "$TOP" && digest include/uapi tools/testing/bench/*[ce] \
		tools/testing/selftests/vhost_iommu)
	gcc --version | head -n 1
}

# The benchmark that the kernel has for dma_map and dma_unmap, which Debian does
# not build, its program, and ours for the host.
build_bench()
{
	local tmp=$1 kernel source

	kernel=$("$0" kernel)
	source=$("$0" source)
	mkdir -p "$tmp/module" "$tmp/include/linux"
	cp "$source/kernel/dma/map_benchmark.c" \
		"$TOP/tools/testing/bench/map_benchmark_module.c" "$tmp/module"
	echo "obj-m := map_benchmark_module.o" > "$tmp/module/Kbuild"
	logged "$tmp/log" make -C "$kernel/build" M="$tmp/module" modules
	mv "$tmp/module/map_benchmark_module.ko" "$tmp"
	find "$source/include" -path '*/linux/map_benchmark.h' \
		-exec cp -t "$tmp/include/linux" {} +
	logged "$tmp/log" gcc -O2 -static -idirafter "$tmp/include" \
		-o "$tmp/dma_map_benchmark" \
		"$source/tools/testing/selftests/dma/dma_map_benchmark.c"
	logged "$tmp/log" make -C "$TOP/tools/testing/bench" OUTPUT="$tmp"
	rm -rf "$tmp/module" "$tmp/include"
}

inputs_testmodules()
{
	tree_inputs
	"$0" testkernel
}

# The same with their KUnit suites inside.
build_testmodules()
{
	build_for testkernel "$1" \
		CONFIG_VIRTIO_IOMMU_KUNIT_TEST=y CONFIG_VHOST_IOMMU_KUNIT_TEST=y
}

inputs_mock_vfio()
{
	"$0" testkernel
	(cd "$TOP" && digest tools/testing/selftests/mock_vfio)
	gcc --version | head -n 1
}

# VFIO devices for the mock devices of iommufd, for testkernel.
build_mock_vfio()
{
	local tmp=$1 kernel

	kernel=$("$0" testkernel)
	mkdir "$tmp/module"
	cp "$TOP"/tools/testing/selftests/mock_vfio/*.[ch] "$tmp/module"
	echo "obj-m := mock_vfio.o" > "$tmp/module/Kbuild"
	logged "$tmp/log" make -C "$kernel/build" M="$tmp/module" W=1 modules
	mv "$tmp/module/mock_vfio.ko" "$tmp"
	rm -rf "$tmp/module"
}

inputs_covmodules()
{
	inputs_testmodules
}

# The same again, counting the lines that run. gcov needs the tree.
build_covmodules()
{
	local tmp=$1 kernel

	kernel=$("$0" testkernel)
	kbuild_copy "$tmp/tree"
	logged "$tmp/log" kbuild_modules "$kernel/build" "$tmp/tree" \
		CONFIG_VIRTIO_IOMMU_KUNIT_TEST=y CONFIG_VHOST_IOMMU_KUNIT_TEST=y \
		GCOV_PROFILE=y
	find "$tmp/tree" -name '*.ko' -exec mv -t "$tmp" {} +
}

TESTKERNEL_CONFIG=$TOP/tools/testing/kunit/kernel.config

inputs_testkernel()
{
	inputs_source
	cat "$TESTKERNEL_CONFIG"
	gcc --version | head -n 1
}

# One line for each 200 files compiled.
kbuild_progress()
{
	local what files=0

	while read -r what _; do
		[ "$what" = CC ] || continue
		files=$((files + 1))
		[ $((files % 200)) != 0 ] || say "$files files compiled"
	done
}

build_testkernel()
{
	local tmp=$1 source lost

	source=$(produce source)
	logged "$tmp/log" make -C "$source" O="$tmp/build" \
		KCONFIG_ALLCONFIG="$TESTKERNEL_CONFIG" allnoconfig
	lost=$(grep '^CONFIG' "$TESTKERNEL_CONFIG" |
		grep -v -x -F -f "$tmp/build/.config" || true)
	[ -z "$lost" ] || die "the kernel does not take: ${lost//$'\n'/ }"
	say "building the test kernel"
	if ! make -C "$source" O="$tmp/build" -j"$JOBS" bzImage modules \
		< /dev/null 2>&1 | tee -a "$tmp/log" | kbuild_progress; then
		tail -n 25 "$tmp/log" >&2
		die "the test kernel does not build"
	fi
	cp "$tmp/build/arch/x86/boot/bzImage" "$tmp/bzImage"
	make -s -C "$source" O="$tmp/build" kernelrelease > "$tmp/release"
	# Module builds need the programs and the headers, not the objects.
	find "$tmp/build" -name '*.o' -not -path '*/scripts/*' \
		-not -path '*/tools/*' -delete
}

TESTKERNEL_ARM64_CONFIG=$TOP/tools/testing/arm64/kernel.config

inputs_testkernel_arm64()
{
	"$0" source-next
	cat "$TESTKERNEL_ARM64_CONFIG"
	aarch64-linux-gnu-gcc --version | head -n 1
}

build_testkernel_arm64()
{
	local tmp=$1 final=$2 source lost

	source=$("$0" source-next)
	set -- -C "$source" O="$tmp/build" "${ARM64[@]}"
	logged "$tmp/log" make "$@" \
		KCONFIG_ALLCONFIG="$TESTKERNEL_ARM64_CONFIG" allnoconfig
	lost=$(grep '^CONFIG' "$TESTKERNEL_ARM64_CONFIG" |
		grep -v -x -F -f "$tmp/build/.config" || true)
	[ -z "$lost" ] || die "the kernel does not take: ${lost//$'\n'/ }"
	say "building the arm64 test kernel"
	if ! make "$@" -j"$JOBS" Image modules headers \
		< /dev/null 2>&1 | tee -a "$tmp/log" | kbuild_progress; then
		tail -n 25 "$tmp/log" >&2
		die "the arm64 test kernel does not build"
	fi
	cp "$tmp/build/arch/arm64/boot/Image" "$tmp/Image"
	make -s "$@" kernelrelease > "$tmp/release"
	sed -i "s|$tmp/|$final/|" "$tmp/build/Makefile"
	find "$tmp/build" -name '*.o' -not -path '*/scripts/*' \
		-not -path '*/tools/*' -delete
}

inputs_testmodules_arm64()
{
	tree_inputs
	"$0" testkernel-arm64
}

build_testmodules_arm64()
{
	build_for testkernel-arm64 "$1" "${ARM64[@]}" \
		CONFIG_VIRTIO_IOMMU_KUNIT_TEST=y CONFIG_VHOST_IOMMU_KUNIT_TEST=y
}
