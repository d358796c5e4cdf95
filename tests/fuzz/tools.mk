# Fuzz targets of dom0's programs and of the hypervisor's boot.

$(eval $(call fuzz_target,mb2,hypervisor/boot/mb2.c))
$(eval $(call fuzz_target,store,$(filter-out %/main.c,$(XENSTORED)),,tests/host/store_world.c))
FUZZ_LIBS_store := -lcmocka
$(eval $(call fuzz_target,disk,$(TOOLS)/bootloader/bootfrom.c $(TOOLS)/bootloader/volume.c, \
    -include tests/fuzz/disk_calls.h,$(addprefix $(TOOLS)/,bootloader/ext2.c bootloader/grub.c bootloader/entry.c libenso/complaint.c libenso/text.c)))
$(eval $(call fuzz_target,menu,$(addprefix $(TOOLS)/,bootloader/grub.c bootloader/entry.c libenso/complaint.c libenso/text.c)))
FUZZ_UNPACK := $(THIRD_SRC) $(filter %/unpack.c %/unpack_gzip.c %/unpack_xz.c %/unpack_zstd.c %/unpack_lz4.c,$(BUILDER))
$(eval $(call fuzz_target,kernel_file,$(addprefix $(TOOLS)/builder/,image.c bzimage.c elf.c layout.c) $(addprefix $(TOOLS)/libenso/,complaint.c text.c) $(FUZZ_UNPACK)))
$(eval $(call fuzz_target,image,$(IMAGE_SRCS)))
FUZZ_LIBS_image := -lcmocka

# The hypervisor's boot. phys_to_virt reaches the target's memory.
$(eval $(call fuzz_target,boot_lines,hypervisor/boot/modline.c hypervisor/boot/options.c,,tests/host/boot_host.c hypervisor/lib/format.c))
FUZZ_LIBS_boot_lines := -lcmocka
$(eval $(call fuzz_target,boot_elf,hypervisor/boot/elf.c hypervisor/boot/layout.c))
$(eval $(call fuzz_target,acpi,hypervisor/x86/acpi.c,-Ddirectmap_base=fuzz_memory -include tests/fuzz/acpi_memory.h -Wno-address-of-packed-member))
$(eval $(call fuzz_target,store_replay,$(filter-out %/main.c,$(XENSTORED)),,tests/host/store_world.c))
FUZZ_LIBS_store_replay := -lcmocka

# The network's programs: each target includes the program, whose functions are static.
FUZZ_USER := -Wno-missing-prototypes -Wno-unused-function -Itests/host/novice
FUZZ_CFLAGS_tests/fuzz/dns.c := $(FUZZ_USER)
FUZZ_CFLAGS_tests/fuzz/http_client.c := $(FUZZ_USER)
FUZZ_CFLAGS_tests/fuzz/http_server.c := $(FUZZ_USER)
$(eval $(call fuzz_target,dns,))
$(eval $(call fuzz_target,http_client,))
$(eval $(call fuzz_target,http_server,guest-kernel/user/net/httpd_answer.c,$(FUZZ_USER) -include tests/host/user_shim.h))

# dom0's programs and what people or guests tell them.
$(eval $(call fuzz_target,config,$(addprefix $(TOOLS)/libenso/,complaint.c text.c config.c config_keys.c config_device.c config_write.c disk.c loop.c os.c)))
$(eval $(call fuzz_target,console,$(TOOLS)/ensod/console.c,-include tests/fuzz/console_calls.h -Wno-missing-prototypes))
$(eval $(call fuzz_target,balloon,$(addprefix $(TOOLS)/balloond/,asks.c believe.c policy.c)))
$(eval $(call fuzz_target,guest_values,$(TOOLS)/ensod/consoles.c $(addprefix $(TOOLS)/libenso/,complaint.c text.c device.c tree.c home.c balloon.c disk.c config.c config_keys.c config_device.c config_write.c)))
$(eval $(call fuzz_target,insn,hypervisor/guest/insn_decode.c))
$(eval $(call fuzz_target,boot_words,,,$(addprefix $(TOOLS)/libenso/,complaint.c text.c)))
