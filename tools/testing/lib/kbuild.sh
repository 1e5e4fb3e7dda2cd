# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Building the modules in a copy of the tree, so that builds against different
# kernels do not meet in one place.
#
# Needs: TOP.

# What kbuild needs of the tree, without what it left behind there.
kbuild_copy()
{
	mkdir -p "$1"
	cp -r "$TOP/Kbuild" "$TOP/drivers" "$TOP/include" "$1"
	find "$1" \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' \) -delete
}

# kbuild_modules KDIR COPY [make arguments]
kbuild_modules()
{
	local kdir=$1 copy=$2

	shift 2
	make -C "$kdir" M="$copy" -j"$(nproc)" W=1 \
		CONFIG_VIRTIO_IOMMU=m CONFIG_VHOST_IOMMU=m "$@" modules
}
