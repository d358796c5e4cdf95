# SPDX-License-Identifier: MIT
# xen.mk: Xen as our judge. Unpacks Debian's Xen into build/xen/ (never installed on the build machine) and boots
# our guest kernel on it as dom0 under QEMU:
#
#     make run-xen                 Novice on Xen, on this terminal
#     make check-xen               the same, usertests and the dom0 devices driven by tests/xen/boot.py
#
# The package's name carries Xen's version; apt-cache finds it, so the next Debian works too. XEN_DEB= names a file.

XEN_B    := $(B)/xen
XEN_GZ   := $(XEN_B)/xen.gz
XEN_DEB  ?= $(firstword $(wildcard /tmp/xen-hypervisor-*-amd64_*.deb))
XEN_ARGS ?= console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=256M

$(XEN_GZ): tests/xen/unpack.sh
	@tests/xen/unpack.sh $(XEN_B) $(XEN_DEB)

.PHONY: run-xen check-xen
run-xen: $(XEN_GZ) $(O)/novice-pv.elf $(B)/dom0.cpio
	tests/xen/iso.sh $(XEN_B)/novice-xen.iso $(XEN_GZ) "$(XEN_ARGS)" $(O)/novice-pv.elf "$(CMDLINE)" $(B)/dom0.cpio
	qemu-system-x86_64 -machine q35 -cpu max,-smap -m 1024 -nographic -no-reboot -cdrom $(XEN_B)/novice-xen.iso

check-xen: $(XEN_GZ) $(O)/novice-pv.elf $(B)/dom0.cpio
	$(PYTHON) -m pytest -q tests/xen/boot.py
