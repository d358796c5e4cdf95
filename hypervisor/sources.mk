# hypervisor/: what runs in ring 0. Position-independent code because it is linked at IMAGE_VIRT, out of
# the small code model's reach; hidden visibility keeps every reference rip-relative.

HV_CFLAGS := $(COMMON) -fpie -fvisibility=hidden -mcmodel=small -mgeneral-regs-only -mno-sse -fno-jump-tables \
             -fomit-frame-pointer \
             $(if $(filter 1,$(DEBUG)),-fsanitize=undefined -fsanitize-undefined-trap-on-error -fno-sanitize=alignment,)

# Floor by floor from the ground up, as `make read` tells them.
HV_SRCS := $(foreach f,lib x86 mm core guest boot,$(sort $(wildcard hypervisor/$f/*.c hypervisor/$f/*.S)))
HV_OBJS := $(HV_SRCS:%=$(O)/%.o)

$(O)/hypervisor/%.c.o: hypervisor/%.c | $(O)/hypervisor/asm-offsets.h
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -I$(O) -include hypervisor/lib/hidden.h -c $< -o $@
$(O)/hypervisor/%.S.o: hypervisor/%.S $(O)/hypervisor/asm-offsets.h
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -I$(O) -c $< -o $@

# Offsets for assembly, read off the compiler: lines "->NAME value" in its output.
$(O)/hypervisor/asm-offsets.h: hypervisor/asm-offsets.c
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -fno-sanitize=all -I$(O) -S $< -o $(@:.h=.s) -MF $(@:.h=.d) -MT $@
	sed -n 's/^.*->\([A-Z0-9_a-z]*\) \$$\{0,1\}\([-0-9]*\).*/#define \1 \2/p' $(@:.h=.s) > $@

$(O)/enso.elf: $(HV_OBJS) hypervisor/boot/enso.lds
	$(LD) -nostdlib -no-pie -z max-page-size=0x1000 -z noexecstack --build-id=none -T hypervisor/boot/enso.lds -o $@ $(HV_OBJS)

-include $(HV_OBJS:.o=.d) $(O)/hypervisor/asm-offsets.d
