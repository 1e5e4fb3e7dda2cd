# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The job of tools/testing/guest. The type of the groups is what the kernel was told.
#
# shellcheck disable=SC2034

MSI=PCI-MSI
RESERVED='0x00000000fee00000 0x00000000feefffff msi'
PARTS=
TYPE=DMA
[ "$(argument iommu.strict)" != 0 ] || TYPE=DMA-FQ
[ "$(argument iommu.passthrough)" != 1 ] || TYPE=identity
export BEHIND_VTD=yes
# A container of VFIO's has its own translations, whatever the type.
[ $TYPE = DMA ] || DMA_TESTS="-t inside -t above"
# shellcheck source=tools/testing/guest/job.sh
. /lib/guest-job.sh
