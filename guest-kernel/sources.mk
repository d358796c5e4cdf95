# Novice, in reading order. Every shared file is compiled twice: into novice.elf, which runs on the bare PC,
# and into novice-pv.elf, which runs on Enso or Xen. PLATFORM is the folder that answers platform.h.

NOVICE_SHARED := $(addprefix guest-kernel/, \
    kernel/main.c kernel/cmdline.c kernel/print.c lib/string.c kernel/page.c kernel/heap.c kernel/reclaim.c \
    kernel/trap.c kernel/syscall.c kernel/usercopy.S kernel/usercopy.c \
    kernel/sched.c kernel/switch.S kernel/time.c kernel/timepage.c kernel/proc.c kernel/sysproc.c kernel/signal.c kernel/exec.c \
    kernel/vm.c kernel/fault.c kernel/pagetable.c kernel/swap.c kernel/swap_slots.c kernel/swap_clock.c kernel/swap_io.c kernel/shared.c kernel/ramdisk.c kernel/kmap.c \
    kernel/file.c kernel/regular.c kernel/fs.c kernel/mount.c kernel/root.c kernel/cache.c kernel/cacheio.c kernel/ramfs.c kernel/cpio.c kernel/procfs.c kernel/sysfile.c \
    kernel/pipe.c kernel/poll.c kernel/dev.c kernel/tty.c kernel/console.c kernel/pty.c \
    kernel/net/packet.c kernel/net/netdev.c kernel/net/bridge.c kernel/net/bridge_dev.c \
    kernel/blk.c kernel/blk_split.c kernel/blk_part.c kernel/blk_file.c kernel/blk_measure.c kernel/blk_data.c \
    kernel/image.c kernel/image_qcow2.c kernel/image_qcow2_open.c kernel/image_qcow2_meta.c kernel/image_qcow2_count.c \
    kernel/image_file.c kernel/image_loop.c)

# ext2, over the page cache; tests/host/fs.mk compiles the same files for the host.
EXT2_SRCS := $(addprefix guest-kernel/fs/, ext2_super.c ext2_buf.c ext2_alloc.c ext2_map.c ext2_inode.c ext2_dir.c ext2_name.c \
    ext2_commit.c ext2_journal.c)
NOVICE_SHARED += $(EXT2_SRCS)

# TCP/IP: lwIP's own files, unpacked from Debian's source package, and what joins them to the kernel. NET_FLAGS are for both.
LWIP      := $(B)/src/lwip
LWIP_OK   := $(LWIP)/.unpacked
LWIP_SRCS := $(addprefix $(LWIP)/src/, $(addprefix core/, init.c def.c dns.c inet_chksum.c ip.c mem.c memp.c netif.c pbuf.c raw.c \
    tcp.c tcp_in.c tcp_out.c udp.c ipv4/dhcp.c ipv4/etharp.c ipv4/icmp.c ipv4/ip4.c ipv4/ip4_addr.c ipv4/ip4_frag.c) \
    netif/ethernet.c)
NET_FLAGS := -Iguest-kernel/kernel/net/lwip -I$(LWIP)/src/include
NET_SRCS  := $(addprefix guest-kernel/kernel/net/, memory.c clock.c ip.c config.c socket.c stream.c stream_data.c datagram.c sockopt.c)
NOVICE_SHARED += $(addprefix guest-kernel/drivers/, irq.c dma.c acpi.c pci.c pci_irq.c edu.c nvme.c nvme_io.c rtc.c e1000e.c)
NOVICE_SHARED += $(NET_SRCS) $(LWIP_SRCS)

$(LWIP_OK): dom0-tools/unpack/fetch.sh
	@echo "  LWIP     (once: the source package lwip)"
	@$< $(B)/src lwip && touch $@
$(LWIP_SRCS): | $(LWIP_OK) ;

NOVICE_NATIVE := $(addprefix guest-kernel/native/, start.S boot.c mmu.c trap.S trap.c timer.c irq.c console.c power.c fpu.c)
NOVICE_PV     := $(sort $(wildcard guest-kernel/pv/*.S guest-kernel/pv/*.c)) \
                 $(sort $(wildcard guest-kernel/kernel/xendev*.c pv-drivers/*.c))

NOVICE_FLAGS  := $(COMMON) -mcmodel=kernel -mgeneral-regs-only -fno-pic -fno-pie
NOVICE_LINK   := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none --no-warn-rwx-segments

# $(1) source list, $(2) platform
novice_objects = $(patsubst %,$(O)/guest-kernel/$(2)/%.o,$(1))
NOVICE_NATIVE_OBJS := $(call novice_objects,$(NOVICE_SHARED) $(NOVICE_NATIVE),native)
NOVICE_PV_OBJS     := $(call novice_objects,$(NOVICE_SHARED) $(NOVICE_PV),pv)

$(O)/guest-kernel/native/%.o: %
	@mkdir -p $(@D)
	$(CC) $(NOVICE_FLAGS) -c $< -o $@

$(O)/guest-kernel/pv/%.o: %
	@mkdir -p $(@D)
	$(CC) $(NOVICE_FLAGS) -c $< -o $@

$(foreach p,native pv,$(O)/guest-kernel/$(p)/guest-kernel/kernel/net/%.o): NOVICE_FLAGS += $(NET_FLAGS)
# Other people's warnings are theirs.
$(foreach p,native pv,$(O)/guest-kernel/$(p)/$(LWIP)/%.o): NOVICE_FLAGS += $(NET_FLAGS) -w
$(call novice_objects,$(NET_SRCS),native) $(call novice_objects,$(NET_SRCS),pv): | $(LWIP_OK)

$(O)/novice.elf: guest-kernel/native/kernel.ld $(NOVICE_NATIVE_OBJS)
	$(LD) $(NOVICE_LINK) -T $< $(NOVICE_NATIVE_OBJS) -o $@

$(O)/novice-pv.elf: guest-kernel/pv/kernel.ld $(NOVICE_PV_OBJS)
	$(LD) $(NOVICE_LINK) -T $< $(NOVICE_PV_OBJS) -o $@

-include $(NOVICE_NATIVE_OBJS:.o=.d) $(NOVICE_PV_OBJS:.o=.d)

all: $(O)/novice.elf $(O)/novice-pv.elf

# The port's headline: how much code each answer to platform.h takes (the benchmark and the attacks are none).
.PHONY: port-size
port-size:
	@for p in native pv; do \
	    files=$$(ls guest-kernel/$$p/* | grep -v '/bench\|/breakit'); \
	    printf '%-7s %5d lines in %d files\n' $$p $$(cat $$files | wc -l) $$(echo $$files | wc -w); \
	done
	@printf '%-7s %5d lines, compiled into both\n' shared $$(cat $(NOVICE_SHARED) | wc -l)
