# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the two modules out of tree. kbuild itself reads Kbuild, not this file.

KDIR ?= /lib/modules/$(shell uname -r)/build
CONFIG_VIRTIO_IOMMU ?= m
CONFIG_VHOST_IOMMU ?= m

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
DKMS_TREE = $(DESTDIR)/usr/src/virtio-iommu-$(VERSION)

KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR) \
	 CONFIG_VIRTIO_IOMMU=$(CONFIG_VIRTIO_IOMMU) \
	 CONFIG_VHOST_IOMMU=$(CONFIG_VHOST_IOMMU)

.PHONY: modules
modules: headers
	$(KBUILD) modules

.PHONY: modules_install
modules_install: headers
	$(KBUILD) modules_install

.PHONY: clean
clean: headers
	$(KBUILD) clean

.PHONY: headers
headers:
	@test -e $(KDIR)/Makefile || { \
		echo "No kernel headers in $(KDIR)." \
		     "Install linux-headers-$$(uname -r)," \
		     "or name other headers: make KDIR=..." >&2; exit 1; }

.PHONY: dkms-install
dkms-install:
	@command -v dkms > /dev/null || { \
		echo "dkms is missing: apt-get install dkms" >&2; exit 1; }
	install -d $(DKMS_TREE)
	cp -r Kbuild Kconfig Makefile dkms.conf COPYING drivers include \
		$(DKMS_TREE)
	dkms install virtio-iommu/$(VERSION) $(DKMS_OPTIONS)

PREFIX ?= /usr/local

.PHONY: tools-install
tools-install:
	install -D -m 755 tools/viommu/viommu $(DESTDIR)$(PREFIX)/sbin/viommu
	install -D -m 644 tools/viommu/viommu.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8/viommu.8

.PHONY: demo
demo:
	@tools/testing/vm/demo

.PHONY: check
check:
	@tools/testing/check

.PHONY: bench
bench:
	@tools/testing/vm/provision packages > /dev/null
	@tools/testing/bench/run

.PHONY: style
style:
	@tools/testing/check style

.PHONY: help
help:
	@echo 'make                  build both modules for the running kernel'
	@echo 'make KDIR=...         build them against other headers'
	@echo 'make modules_install  install them under /lib/modules'
	@echo 'make clean            remove what the build made'
	@echo 'make dkms-install     have DKMS build them for every kernel installed'
	@echo 'make tools-install    install the viommu command and its manual'
	@echo 'make demo             a guest uses an assigned disk through both (root)'
	@echo 'make check            run every test (root)'
	@echo 'make bench            measure both against what there is otherwise (root)'
	@echo 'make style            run the style checks alone'
