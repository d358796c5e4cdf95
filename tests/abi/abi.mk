# SPDX-License-Identifier: MIT
# abi.mk: the ABI's own tests. check-abi holds hypercall-abi/ against libxen-dev, header by header, value by
# value; check-spec holds SPEC.md against hypercalls.def and the headers.

ABI_B       := $(B)/tests/abi
ABI_HEADERS := $(wildcard hypercall-abi/*.h hypercall-abi/io/*.h)
ABI_DEFS    := $(wildcard hypercall-abi/*.def)
ABI_FLAGS   := -std=gnu11 -O1 -ffreestanding -fno-pic -fno-pie -Wall -Wextra -Werror -Wno-unused-function -I.

.PHONY: check-abi check-abi-headers check-abi-values check-abi-unit check-spec
check-abi: check-abi-headers check-abi-values check-abi-unit

check-abi-headers: $(ABI_B)/headers.ok
check-abi-values: $(ABI_B)/list.def $(ABI_B)/ours.bin $(ABI_B)/xens.bin
	@$(PYTHON) tests/abi/compare.py $^

check-spec:
	@$(PYTHON) tests/abi/spec_check.py .

# Every header compiles alone, in C with gcc and clang, and where it says so in assembly.
$(ABI_B)/headers.ok: $(ABI_HEADERS) $(ABI_DEFS) tests/abi/abi.mk
	@mkdir -p $(@D)
	@for h in $(ABI_HEADERS); do \
	    $(CC) $(ABI_FLAGS) -fsyntax-only -x c -include $$h /dev/null || exit 1; \
	    if command -v clang >/dev/null; then \
	        clang --target=x86_64-linux-gnu $(ABI_FLAGS) -fsyntax-only -x c -include $$h /dev/null || exit 1; \
	    fi; \
	done
	@for h in hypercall abi elfnote; do \
	    printf '#include "hypercall-abi/%s.h"\n' $$h | $(CC) -I. -x assembler-with-cpp -c -o $(@D)/asm.o - || exit 1; \
	done
	@touch $@ && echo "check-abi: $(words $(ABI_HEADERS)) headers compile alone"

$(ABI_B)/list.def: tests/abi/make_list.py tests/abi/ours_only.txt tests/abi/calls.txt $(ABI_HEADERS) $(ABI_DEFS)
	@mkdir -p $(@D)
	@$(PYTHON) tests/abi/make_list.py "$(CC)" . tests/abi/ours_only.txt tests/abi/calls.txt > $@

$(ABI_B)/%.o: tests/abi/%.c tests/abi/row.h $(ABI_B)/list.def
	@test -e /usr/include/xen/xen.h || { echo "check-abi: libxen-dev is missing: apt-get install libxen-dev" >&2; exit 1; }
	@$(CC) $(ABI_FLAGS) -I$(ABI_B) -idirafter /usr/include -c -o $@ $<

.SECONDARY: $(ABI_B)/ours.o $(ABI_B)/xens.o
$(ABI_B)/%.bin: $(ABI_B)/%.o
	@$(OBJCOPY) -O binary -j abi_values $< $@

# The headers' functions, on the build machine.
check-abi-unit: $(ABI_B)/unit
	@$<
$(ABI_B)/unit: tests/abi/unit.c $(ABI_HEADERS)
	@mkdir -p $(@D)
	@$(HOSTCC) -std=gnu11 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all -I. -o $@ $<

# The judge: a guest that asks hypercalls what they answer (judge.c), run on Enso and compared with what Xen said.
JUDGE_OBJS := $(patsubst %,$(O)/tests/%.o,hostile/start.S hostile/lib.c abi/judge_frames.S abi/judge.c \
    abi/judge_cpu.c abi/judge_tables.c abi/judge_memory.c abi/judge_events.c abi/judge_control.c abi/judge_bad.c)
$(O)/tests/abi/%.o: tests/abi/%
	@mkdir -p $(@D)
	$(CC) $(COMMON) -mcmodel=kernel -mgeneral-regs-only -fno-pic -O1 -c $< -o $@
$(O)/judge.elf: $(JUDGE_OBJS) tests/hostile/hostile.lds
	$(LD) -m elf_x86_64 -nostdlib -no-pie -z max-page-size=0x1000 -z noexecstack --no-warn-rwx-segments --build-id=none -T tests/hostile/hostile.lds -o $@ $(JUDGE_OBJS)
-include $(JUDGE_OBJS:.o=.d)
all: $(O)/judge.elf

# Asks Xen again and writes down what it says. The recorded answers are facts about Xen 4.17, and no part of it.
.PHONY: judge-record check-judge
judge-record: $(XEN_GZ) $(O)/judge.elf
	@mkdir -p $(ABI_B)
	@printf '%s\n' 'set timeout=0' 'menuentry judge {' \
	    'multiboot2 /boot/xen.gz console=com1 com1=115200,8n1 loglvl=none guest_loglvl=none dom0_mem=128M' 'module2 /boot/judge.elf' '}' > $(ABI_B)/xen.cfg
	tests/setup/mkiso.sh $(ABI_B)/judge-xen.iso $(ABI_B)/xen.cfg $(XEN_GZ) $(O)/judge.elf
	timeout 120 qemu-system-x86_64 -machine q35 -cpu max,-smap -m 512 -display none -serial stdio -no-reboot -nic none -cdrom $(ABI_B)/judge-xen.iso > $(ABI_B)/judge-xen.log
	$(PYTHON) tests/abi/judge.py read $(ABI_B)/judge-xen.log > $(ABI_B)/judge.xen && mv $(ABI_B)/judge.xen tests/abi/judge.xen

# Asks Enso, and compares.
check-judge:
	@$(PYTHON) -m pytest -q -p no:cacheprovider tests/boot/test_judge.py
