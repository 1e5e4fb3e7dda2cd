# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What user space does with VFIO, in full.
#
# shellcheck disable=SC2154

bind "$edu" vfio-pci
for program in groups mappings; do
	selftest $program
done
unbind "$edu"
