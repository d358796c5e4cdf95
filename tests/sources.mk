# tests/: the tiers, and the checks that are too small for a file of their own.

HOST_CFLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -I. -fsanitize=address,undefined -fno-sanitize-recover=all \
               $(if $(filter 1,$(WERROR)),-Werror)
T := $(B)/tests

run-check: all
	@MAKE='$(MAKE)' $(PYTHON) tests/run.py check
run-test: all
	@MAKE='$(MAKE)' $(PYTHON) tests/run.py test
run-test-long: all
	@MAKE='$(MAKE)' $(PYTHON) tests/run.py test-long

# hypervisor/guest: pure parts, compiled for the host.
$(T)/guest_insn: tests/host/guest_insn.c hypervisor/guest/insn_decode.c hypervisor/guest/insn_decode.h
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -o $@ tests/host/guest_insn.c hypervisor/guest/insn_decode.c -lcmocka
# The others in a machine of their own (tests/host/guest_shim.h).
GUEST_TEST_SRC := $(addprefix hypervisor/guest/,bounce.c iret.c emulate.c emulate_store.c insn_decode.c) hypervisor/core/vcpu.c hypervisor/lib/format.c
$(T)/guest_entry $(T)/guest_emulate: $(T)/%: tests/host/%.c tests/host/guest_shim.c tests/host/faults.c $(GUEST_TEST_SRC) \
                                     $(wildcard tests/host/*shim.h tests/host/faults.h hypervisor/guest/*.h hypervisor/mm/*.h) hypervisor/model.h
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -fno-sanitize=alignment -fno-strict-aliasing -D_GNU_SOURCE -DDEBUG=1 -fno-pie -no-pie -ffunction-sections -Wl,--gc-sections \
	    -include tests/host/guest_shim.h -o $@ $< tests/host/guest_shim.c tests/host/faults.c $(GUEST_TEST_SRC) -lcmocka
check-guest: $(T)/guest_insn $(T)/guest_entry $(T)/guest_emulate
	@set -e; for t in $^; do $$t; done

# Every header compiles alone, with both compilers.
check-headers:
	@tests/lint/headers.sh $(CC) '$(filter-out -MMD -MP,$(HV_CFLAGS)) -I$(O)'

check-lint:
	@tests/lint/lint.py
	@tests/lint/classes.py

# gcc and clang, debug and release, without a warning.
check-builds:
	$(MAKE) --no-print-directory -s WERROR=1 DEBUG=0 all
	$(MAKE) --no-print-directory -s WERROR=1 DEBUG=1 CC=clang B=$(B)/clang NEWLIB_SHARED=$(CURDIR)/$(B)/newlib clang-build

# Two builds of one commit, in two folders, give the same hypervisor and the same guest.
check-reproducible:
	@tests/lint/reproducible.sh

clang-build: $(O)/enso.elf $(O)/novice.elf $(O)/novice-pv.elf

.PHONY: run-check run-test run-test-long check-guest check-headers check-lint check-builds check-reproducible clang-build

# The attackers: one small guest kernel, an attack named on its command line.
HOSTILE_OBJS := $(patsubst %,$(O)/%.o,$(sort $(wildcard tests/hostile/*.c tests/hostile/*.S)))
$(O)/tests/hostile/%.o: tests/hostile/%
	@mkdir -p $(@D)
	$(CC) $(COMMON) -mcmodel=kernel -mgeneral-regs-only -fno-pic -O1 -c $< -o $@
$(O)/hostile.elf: $(HOSTILE_OBJS) tests/hostile/hostile.lds
	$(LD) -m elf_x86_64 -nostdlib -no-pie -z max-page-size=0x1000 -z noexecstack --no-warn-rwx-segments --build-id=none -T tests/hostile/hostile.lds -o $@ $(HOSTILE_OBJS)
-include $(HOSTILE_OBJS:.o=.d)
all: $(O)/hostile.elf
