# hypervisor/: objects in reading order. Position-independent code because it is linked at IMAGE_VIRT, out of
# the small code model's reach; hidden visibility keeps every reference rip-relative.

HV_CFLAGS := $(COMMON) -fpie -fvisibility=hidden -mcmodel=small -mgeneral-regs-only -mno-sse -fno-jump-tables \
             -fomit-frame-pointer -Ihypervisor/include-none \
             $(if $(filter 1,$(DEBUG)),-fsanitize=undefined -fsanitize-undefined-trap-on-error -fno-sanitize=alignment,)

HV_LIB   := string print spinlock
HV_X86   := cpu extable patch desc irq apic ioapic acpi serial tsc fpu smpcall cpuid
HV_MM    := hypmap heap kalloc copy frame pagetable pte_check mmu_update mmuext descriptor memory_op exchange audit
HV_CORE  := timer time sched sched_credit sched_rr sched_null evtchn grant domain vcpu vcpu_op domctl sysctl \
            guestcons debugkeys physdev sched_op misc
HV_GUEST := entry.S syscall hypercall bounce trap emulate insn_decode iret switch dump
HV_BOOT  := multiboot2.S mb2 boot smp trampoline.S elf build_domain build_domains

# The lists above are the plan; what exists is what is built, in the floors' order.
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
