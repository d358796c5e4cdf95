# Enso's build: one non-recursive make; every folder lists its own files in sources.mk, in reading order.
# `make help` names the targets. Results land in build/; DEBUG=1 (default) and DEBUG=0 stand side by side.

DEBUG  ?= 1
WERROR ?= 0
B      := build
V      := $(if $(filter 1,$(DEBUG)),debug,release)
O      := $(B)/$(V)

HOST          := $(shell uname -m)
CROSS_COMPILE ?= $(if $(filter x86_64 amd64,$(HOST)),,x86_64-linux-gnu-)
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD      := $(CROSS_COMPILE)ld
OBJCOPY := $(CROSS_COMPILE)objcopy
AR      := $(CROSS_COMPILE)ar
RANLIB  := $(CROSS_COMPILE)ranlib
HOSTCC  ?= gcc
PYTHON  ?= $(if $(wildcard /usr/bin/python3),/usr/bin/python3,python3)
export LC_ALL := C

# What all freestanding code of ours is compiled with.
WARN     := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
COMMON   := -std=gnu11 -O2 -g -ffreestanding -fno-stack-protector -fno-strict-aliasing -fno-common \
            -mno-red-zone -fno-asynchronous-unwind-tables -fcf-protection=none -ffile-prefix-map=$(CURDIR)=. \
            -I. $(WARN) -MMD -MP $(if $(filter 1,$(DEBUG)),-DDEBUG=1,-DNDEBUG)

# The machine: a fixed CPU model under software emulation, so that it behaves alike everywhere.
MEM      ?= 1024
CPUS     ?= 2
ACCEL    ?= tcg
QEMU_CPU ?= Nehalem,+smep,+smap,+fsgsbase,+xsave,+xsaveopt,+avx,+rdtscp,+erms,+umip
export MEM CPUS ACCEL QEMU_CPU

all:

include hypervisor/sources.mk
include guest-kernel/sources.mk
include guest-kernel/user/sources.mk
include dom0-tools/sources.mk
include tests/sources.mk
-include tests/abi/abi.mk hypervisor/boot/tests.mk hypervisor/mm/tests.mk hypervisor/core/tests.mk hypervisor/guest/tests.mk
-include tests/host/kernel.mk tests/host/fs.mk tests/host/user.mk guest-kernel/kernel/net/tests.mk dom0-tools/tests.mk tests/xen/xen.mk tests/bench/bench.mk tests/fuzz/rules.mk

# ---- results that other programs rely on (design.md 7): the debug build's, by fixed names -------------------------

RESULTS := enso.elf novice-pv.elf novice.elf dom0.cpio guest.cpio

all: $(RESULTS:%=$(O)/%) $(O)/enso.iso
ifeq ($(V),debug)
all: $(RESULTS:%=$(B)/%) $(B)/enso.iso
$(RESULTS:%=$(B)/%) $(B)/enso.iso: $(B)/%: $(O)/%
	@cp $< $@
endif

# Any part of the image can be replaced: make run KERNEL=my-kernel.elf INITRD=my.cpio HV=my-enso.elf
HV     ?= $(O)/enso.elf
KERNEL ?= $(O)/novice-pv.elf
INITRD ?= $(O)/dom0.cpio
GRUB_CFG ?= tests/setup/grub.cfg
ISO_PARTS := $(HV)=/boot/enso.elf $(KERNEL)=/boot/novice-pv.elf $(INITRD)=/boot/dom0.cpio $(O)/guest.cpio=/boot/guest.cpio

$(O)/iso-parts: FORCE
	@mkdir -p $(@D); echo '$(ISO_PARTS) $(GRUB_CFG)' | cmp -s - $@ || echo '$(ISO_PARTS) $(GRUB_CFG)' >$@
$(O)/enso.iso: $(HV) $(KERNEL) $(INITRD) $(O)/guest.cpio $(GRUB_CFG) $(O)/iso-parts tests/setup/mkiso.sh
	tests/setup/mkiso.sh $@ $(GRUB_CFG) $(ISO_PARTS)

# The demonstration's disks: dom0's, and in it the guests' (tests/setup/images.sh).
$(O)/disk.img: $(O)/dom0.cpio $(O)/guest.cpio $(O)/user/novice-pv.elf tests/setup/images.sh guest-kernel/fs/mkimage.sh tests/setup/mkdisk.py
	tests/setup/images.sh $(O)
all: $(O)/disk.img

# ---- what people type --------------------------------------------------------------------------------------------
# These install what is missing first, then build in a make of their own, so that what was just installed is seen.

SUB := $(MAKE) --no-print-directory

run: ; @tests/setup/need.sh run && $(SUB) timed-build && tests/setup/run.sh $(O)/enso.iso $(O)/disk.img

# Newlib first and by itself: it is built once, and people should see what takes the time.
timed-build:
	@mkdir -p $(B); \
	step() { start=$$(date +%s); $(SUB) -s -j$$(nproc) $$2 >$(B)/build.log 2>&1 || \
	    { tail -n 30 $(B)/build.log; echo "The build failed; the whole log is $(B)/build.log."; exit 1; }; \
	    echo "  $$1 $$(( $$(date +%s) - start )) s"; }; \
	[ -e $(NEWLIB_OK) ] || { echo "  building Newlib and then Enso, once: a minute or two"; step newlib $(NEWLIB_OK); }; \
	step build '$(O)/enso.iso $(O)/disk.img'

# $(call tier,TARGET,VARIABLES): packages, then everything built on all processors, then the target.
tier = @tests/setup/need.sh test && echo "building" && $(SUB) -s -j$$(nproc) $(2) all && $(SUB) -s $(2) $(1)
check: ; $(call tier,run-check,WERROR=1)
test:  ; $(call tier,run-test,WERROR=1)
test-long: ; $(call tier,run-test-long,WERROR=1)
bench: ; $(call tier,run-bench,DEBUG=0)

debug: ; @tests/setup/need.sh run && $(SUB) -s all && tests/setup/debug.sh $(O)
doctor: ; @tests/setup/doctor.sh
clean: ; rm -rf $(B)/debug $(B)/release $(B)/logs $(B)/tests $(RESULTS:%=$(B)/%) $(B)/enso.iso

help:
	@echo 'make run          install what is missing, build, boot to dom0'"'"'s prompt (poweroff or Ctrl-a x leaves)'
	@echo 'make check        unit tests and one boot, under a minute'
	@echo 'make test         every test;   make test-long   those that need patience'
	@echo 'make fuzz         coverage-guided fuzzing: TARGET=name SECONDS=60 (tests/fuzz/README.md)'
	@echo 'make bench        the tables of Enso against Xen and native (build/bench/results.csv)'
	@echo 'make              build everything into build/;   make debug   QEMU halted, gdb attached'
	@echo 'make doctor       what this machine lacks;   make port-size   lines of the port;   make read   the reading order'
	@echo 'make clean        what was built, but for Newlib, other people'"'"'s sources and disk.img'
	@echo ''
	@echo 'DEBUG=0 release build   WERROR=1   CROSS_COMPILE=prefix-   CC=clang   ACCEL=kvm   TIMEOUT_SCALE=10 (slow machine)'
	@echo 'make run takes  MEM=1024 (MiB)  CPUS=2  DISK=image  HTTP_PORT=8080  QEMU_CPU=model  QEMU_ARGS="..."'
	@echo '                KERNEL=file INITRD=file HV=file GRUB_CFG=file: parts of your own in place of ours'
	@echo 'NEWLIB_SHARED=folder takes a Newlib that another clone has built (its build/newlib)'

# The files in the order in which they are meant to be read: each opens with its number.
read: ; @tests/lint/reading_order.py

FORCE:
.PHONY: all run timed-build check test test-long bench debug doctor clean help read FORCE
.DELETE_ON_ERROR:
.SUFFIXES:
