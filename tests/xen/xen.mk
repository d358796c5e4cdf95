# SPDX-License-Identifier: MIT
# xen.mk: Xen as our judge. Unpacks Debian's Xen into build/xen/ (never installed on the build machine) and boots
# our guest kernel on it as dom0 under QEMU:
#
#     make run-xen                 Novice on Xen, on this terminal (Ctrl-a x leaves)
#
# tests/boot/test_novice.py and test_xen.py do the same without a terminal; `make bench` measures against it. The package's
# name carries Xen's version; apt-cache finds it, so the next Debian works too. XEN_DEB= names a file.

XEN_B    := $(B)/xen
XEN_GZ   := $(XEN_B)/xen.gz
XEN_DEB  ?=
XEN_ARGS ?= console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning dom0_mem=256M

$(XEN_GZ): tests/xen/unpack.sh
	@tests/xen/unpack.sh $(XEN_B) $(XEN_DEB)

.PHONY: run-xen
run-xen: $(XEN_GZ) $(O)/novice-pv.elf $(O)/dom0.cpio
	@printf '%s\n' 'set timeout=0' 'menuentry xen {' 'multiboot2 /boot/xen.gz $(XEN_ARGS)' \
	    'module2 /boot/novice-pv.elf $(CMDLINE)' 'module2 /boot/dom0.cpio' '}' > $(XEN_B)/grub.cfg
	@tests/setup/mkiso.sh $(XEN_B)/novice-xen.iso $(XEN_B)/grub.cfg $(XEN_GZ) $(O)/novice-pv.elf $(O)/dom0.cpio
	qemu-system-x86_64 -machine q35 -cpu max,-smap -m 1024 -nographic -no-reboot -cdrom $(XEN_B)/novice-xen.iso

# pv-drivers/ compiled for the build machine, its kernel and other end played by the test.
.PHONY: check-pv
$(T)/pv_console: tests/host/pv_console.c pv-drivers/console.c pv-drivers/console.h pv-drivers/ring.h pv-drivers/os.h
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -o $@ tests/host/pv_console.c pv-drivers/console.c -lcmocka
$(T)/pv_xenbus: tests/host/pv_xenbus.c pv-drivers/xenbus.c pv-drivers/xenbus.h pv-drivers/store.h pv-drivers/os.h
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -o $@ tests/host/pv_xenbus.c pv-drivers/xenbus.c -lcmocka
$(T)/pv_store: tests/host/pv_store.c $(addprefix pv-drivers/,store.c store_ring.c store.h store_wire.h ring.h os.h)
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^) -lcmocka
$(T)/pv_blk $(T)/pv_blk_flush: $(T)/%: tests/host/%.c tests/host/pv_fake.c tests/host/pv_fake.h $(wildcard pv-drivers/*.h) \
             $(addprefix pv-drivers/,blkfront.c blkfront_bus.c blkback.c blkback_bus.c blkback_check.c)
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^) -lcmocka
$(T)/pv_balloon: tests/host/pv_balloon.c pv-drivers/balloon.c pv-drivers/balloon.h pv-drivers/balloon_pressure.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -o $@ $< pv-drivers/balloon_pressure.c -lcmocka
check-pv: $(T)/pv_console $(T)/pv_xenbus $(T)/pv_store $(T)/pv_blk $(T)/pv_blk_flush $(T)/pv_balloon
	$(T)/pv_console
	$(T)/pv_xenbus
	$(T)/pv_store
	$(T)/pv_blk
	$(T)/pv_blk_flush
	$(T)/pv_balloon
