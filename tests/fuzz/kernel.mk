# Fuzz targets of what guests reach in the hypervisor and in the kernels: hypercalls, PV drivers, file systems, devices, the network.

# ---- The hypervisor: its memory and grants, in the machine of tests/host/mm_shim.h ----
FUZZ_MM := -DDEBUG=1 -fno-pie -fno-sanitize=alignment -include tests/host/mm_shim.h
$(eval $(call fuzz_target,hv_mm,$(filter-out %/heap.c %/kalloc.c,$(addsuffix .c,$(addprefix hypervisor/mm/,heap kalloc frame frame_list pagetable pte_check \
    mmu_update mmuext root descriptor memory_op exchange audit) $(addprefix hypervisor/core/grant_,table map copy op))) hypervisor/lib/format.c \
    tests/host/mm_grants.c tests/host/mm_shim.c,$(FUZZ_MM)))
FUZZ_CFLAGS_tests/fuzz/hv_mm.c := $(FUZZ_MM)
FUZZ_LIBS_hv_mm := -no-pie

# ---- PV drivers: what they read of memory that they share may change at each read ----
FUZZ_SHARED := -fsanitize-coverage=trace-loads
$(eval $(call fuzz_target,blkback,$(addprefix pv-drivers/,blkback.c blkback_bus.c blkback_check.c),$(FUZZ_SHARED),tests/host/pv_fake.c))

# ---- Novice's file system, in the machine of tests/host/fs_shim.h ----
FUZZ_FS := -include tests/host/fs_shim.h -Wno-incompatible-library-redeclaration
$(eval $(call fuzz_target,ext2,$(addprefix guest-kernel/kernel/,fs.c mount.c regular.c cache.c cacheio.c) $(EXT2_SRCS) tests/host/fs_shim.c \
    $(addprefix tests/host/fs_,machine.c model.c promise.c forge.c),$(FUZZ_FS),tests/host/fs_host.c))
FUZZ_CFLAGS_tests/fuzz/ext2.c := $(FUZZ_FS)
FUZZ_CFLAGS_tests/host/fs_host.c := -Dmain=fs_host_main -Dhost_dice=fs_host_dice -Wno-missing-prototypes

# ---- Novice's drivers, against devices that lie ----
FUZZ_KERNEL := -fno-builtin -Wno-incompatible-library-redeclaration
$(eval $(call fuzz_target,nvme,guest-kernel/drivers/nvme.c guest-kernel/drivers/nvme_io.c,$(FUZZ_KERNEL)))
FUZZ_CFLAGS_tests/fuzz/nvme.c := $(FUZZ_KERNEL)
FUZZ_LIBS_nvme := -lcmocka
$(eval $(call fuzz_target,e1000e,guest-kernel/drivers/e1000e.c,$(FUZZ_KERNEL)))
FUZZ_CFLAGS_tests/fuzz/e1000e.c := $(FUZZ_KERNEL)
FUZZ_LIBS_e1000e := -lcmocka
FUZZ_NET := $(addprefix pv-drivers/,netfront.c netfront_ring.c netback.c netback_tx.c netback_rx.c net_csum.c net_gso.c)
$(eval $(call fuzz_target,netback,$(FUZZ_NET),$(FUZZ_SHARED),tests/host/pv_net_frames.c tests/host/pv_net_world.c))
$(eval $(call fuzz_target,netfront,$(FUZZ_NET),$(FUZZ_SHARED),tests/host/pv_net_frames.c tests/host/pv_net_world.c))
FUZZ_CFLAGS_tests/host/pv_net_frames.c := -Drand=dice_rand
FUZZ_LIBS_netback := -lcmocka -lpthread
FUZZ_LIBS_netfront := -lcmocka -lpthread

# ---- Novice's network, around lwIP ----
FUZZ_IP := -w -fno-builtin-strlcpy -DSSIZE_MAX=INT_MAX -I$(LWIP)/src/include -idirafter guest-kernel/kernel/net/lwip
$(eval $(call fuzz_target,socket,$(addprefix guest-kernel/kernel/net/,socket.c stream.c stream_data.c datagram.c sockopt.c config.c ip.c clock.c memory.c \
    packet.c netdev.c) $(LWIP_SRCS),$(FUZZ_IP)))
FUZZ_CFLAGS_tests/fuzz/socket.c := $(FUZZ_IP)
FUZZ_LIBS_socket := -lcmocka
$(FUZZ_OBJS_socket): | $(LWIP_OK)
$(eval $(call fuzz_target,blkfront,$(addprefix pv-drivers/,blkfront.c blkfront_bus.c),$(FUZZ_SHARED),tests/host/pv_fake.c))
$(eval $(call fuzz_target,part,guest-kernel/kernel/blk_part.c,$(FUZZ_KERNEL)))
FUZZ_CFLAGS_tests/fuzz/part.c := $(FUZZ_KERNEL)
