# Novice's user space: Newlib, the system-call layer beneath it, the programs, the initial ramdisks.
#
# For other folders' programs (dom0-tools):
#     $(eval $(call user_prog,NAME,SOURCES...))   makes $(O)/user/bin/NAME (stripped) and NAME.elf (with symbols)
#     DOM0_PROGS += /path/in/dom0=$(O)/user/bin/NAME   puts a file into dom0.cpio;  dom0-tools/etc/* goes to /etc
# USER_CFLAGS, USER_LDFLAGS, USER_CRT0 and USER_LIBS are what user_prog uses. USER_CFLAGS_dir/file.c adds flags for one source.

USER       := guest-kernel/user
NEWLIB     := $(or $(NEWLIB_SHARED),$(CURDIR)/$(B)/newlib)
NEWLIB_CC  ?= $(if $(findstring gcc,$(CC)),$(CC),$(CROSS_COMPILE)gcc)
NEWLIB_OK  := $(NEWLIB)/stamp
NEWLIB_INC := $(NEWLIB)/root/x86_64-pc-elf/include
NEWLIB_LIB := $(NEWLIB)/root/x86_64-pc-elf/lib
USER_STRIP := $(CROSS_COMPILE)strip

$(NEWLIB_OK): $(USER)/build-newlib.sh $(USER)/libc/newlib/machine/_types.h
	@echo "  NEWLIB   (once, under a minute; log in $(NEWLIB)/build.log)"
	@$(USER)/build-newlib.sh $(NEWLIB) $(NEWLIB_CC)

USER_WARN    := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
USER_CFLAGS  := -std=gnu11 -Os -g -D_GNU_SOURCE -fno-pic -fno-pie -fno-stack-protector -fno-strict-aliasing -mno-red-zone \
                -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fcf-protection=none \
                -ffile-prefix-map=$(CURDIR)=. -nostdinc -I. -I$(USER)/libc/newlib -I$(USER)/libc/include \
                -isystem $(NEWLIB_INC) -isystem $(shell $(CC) -print-file-name=include) $(USER_WARN) -MMD -MP
USER_LDFLAGS := -m elf_x86_64 -static -nostdlib --gc-sections --build-id=none -z noexecstack -z max-page-size=4096 \
                -z noseparate-code -Ttext-segment=0x400000
USER_CRT0    := $(O)/user/crt0.o
USER_LIBS     = $(O)/user/libnovice.a --start-group -L$(NEWLIB_LIB) -lc $(O)/user/libnovice.a --end-group

# One object rule for every folder: dom0-tools/enso/main.c becomes $(O)/user/obj/dom0-tools/enso/main.o
$(O)/user/obj/%.o: %.c $(NEWLIB_OK)
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) $(USER_CFLAGS_$*.c) -c -o $@ $<
$(O)/user/obj/%.o: %.S $(NEWLIB_OK)
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -c -o $@ $<

# The layer beneath Newlib, in reading order.
LIBC_SRCS := syscalls.S process.c daemon.c signal.c file.c dirent.c terminal.c time.c popen.c glob.c socket.c netdb.c
LIBC_OBJS := $(patsubst %,$(O)/user/obj/$(USER)/libc/%.o,$(basename $(LIBC_SRCS)))

$(O)/user/crt0.o: $(O)/user/obj/$(USER)/libc/crt0.o
	cp $< $@
$(O)/user/libnovice.a: $(LIBC_OBJS)
	rm -f $@
	$(AR) rcsD $@ $^
-include $(LIBC_OBJS:.o=.d) $(O)/user/obj/$(USER)/libc/crt0.d

# $(call user_prog,NAME,SOURCES...)
define user_prog
$(O)/user/bin/$(1).elf: $(patsubst %,$(O)/user/obj/%.o,$(basename $(2))) $(O)/user/crt0.o $(O)/user/libnovice.a
	@mkdir -p $$(@D)
	$(LD) $(USER_LDFLAGS) -o $$@ $(USER_CRT0) $$(filter $(O)/user/obj/%,$$^) $$(USER_LIBS)
$(O)/user/bin/$(1): $(O)/user/bin/$(1).elf
	$(USER_STRIP) -o $$@ $$<
-include $(patsubst %,$(O)/user/obj/%.d,$(basename $(2)))
endef

# box: one binary, many programs (box/box.h tells why).
SH_SRCS  := util vars lex parse expand arith redir command spawn run job test missing builtin complete edit main
BOX_SRCS := box screen pager ls files text grep sort find printf more storage mount system primes pattern blockdev diskbench losetup memory init
BOX_SRC  := $(BOX_SRCS:%=$(USER)/box/%.c) $(SH_SRCS:%=$(USER)/sh/%.c) \
            $(USER)/edit/text.c $(USER)/edit/edit.c $(sort $(wildcard $(USER)/net/*.c)) $(sort $(wildcard $(USER)/usertests/*.c)) $(sort $(wildcard $(USER)/breakit/*.c $(USER)/breakit/*.S))
$(eval $(call user_prog,box,$(BOX_SRC)))
$(eval $(call user_prog,store,dom0-tools/store/main.c dom0-tools/enso/cmd_store.c dom0-tools/libenso/xs.c))

# ---- Initial ramdisks ----
# guest.cpio: all that a guest needs. dom0.cpio: the same, dom0-tools' programs, and a kernel and ramdisk to start guests from.
MKCPIO := $(B)/user-mkcpio
$(MKCPIO): $(USER)/mkcpio.c
	@mkdir -p $(@D)
	$(HOSTCC) -O1 -Wall -Wextra -o $@ $<

BOX_LINKS := $(shell sed -n 's/^PROGRAM[^a-z]*\([a-z0-9]*\), *"\([^"]*\)".*/\2\/\1/p' $(USER)/box/programs.def)
USER_ETC  := $(shell find $(USER)/etc -type f 2>/dev/null)
DOM0_ETC  := $(shell find dom0-tools/etc -type f 2>/dev/null)

# Lines for mkcpio: what every system has.
define CPIO_BASE
dir /dev
dir /proc
dir /tmp 1777
dir /mnt
dir /root
$(foreach p,$(BOX_LINKS),file $(p) $(O)/user/bin/box
)file /bin/store $(O)/user/bin/store
tree /etc $(USER)/etc
endef
define CPIO_DOM0
tree /etc dom0-tools/etc
file /boot/novice-pv.elf $(O)/user/novice-pv.elf 644
file /boot/guest.cpio $(O)/guest.cpio 644
$(foreach p,$(DOM0_PROGS),file $(subst =, ,$(p))
)
endef
export CPIO_BASE CPIO_DOM0

$(O)/guest.cpio: $(O)/user/bin/box $(O)/user/bin/store $(MKCPIO) $(USER_ETC) $(USER)/sources.mk
	printf '%s\n' "$$CPIO_BASE" | $(MKCPIO) > $@

$(O)/user/novice-pv.elf: $(O)/novice-pv.elf
	@mkdir -p $(@D)
	$(USER_STRIP) -g -o $@ $<

# dom0-tools' list is complete only when all fragments are read, hence the second expansion.
.SECONDEXPANSION:
$(O)/dom0.cpio: $(O)/guest.cpio $(O)/user/novice-pv.elf $(DOM0_ETC) $$(foreach p,$$(DOM0_PROGS),$$(lastword $$(subst =, ,$$(p))))
	printf '%s\n' "$$CPIO_BASE" "$$CPIO_DOM0" | $(MKCPIO) > $@
