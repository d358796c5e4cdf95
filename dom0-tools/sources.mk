# dom0-tools: the `enso` command, the daemon `ensod`, and the library and domain builder beneath them.
# Programs of Novice's user space (guest-kernel/user/sources.mk); files below etc/ go to dom0's /etc.

TOOLS := dom0-tools

LIBENSO := $(addprefix $(TOOLS)/libenso/,complaint.c text.c config.c config_keys.c config_device.c config_write.c json.c os.c calls_domain.c calls_machine.c state.c \
             making.c xs.c tree.c loop.c disk.c device.c home.c balloon.c)

BUILDER := $(addprefix $(TOOLS)/builder/,unpack.c unpack_gzip.c unpack_xz.c unpack_zstd.c unpack_lz4.c bzimage.c image.c \
             elf.c layout.c memory.c build.c)

ENSO    := $(addprefix $(TOOLS)/enso/,main.c cmd_create.c cmd_autostart.c assemble.c bootdisk.c cmd_list.c cmd_device.c cmd_device_list.c \
             cmd_life.c cmd_console.c cmd_sched.c cmd_machine.c cmd_mem.c cmd_top.c cmd_store.c cmd_complete.c)
ENSOD   := $(addprefix $(TOOLS)/ensod/,ensod.c homes.c makers.c console.c consoles.c policy.c)

BOOTFROM := $(addprefix $(TOOLS)/bootloader/,volume.c ext2.c grub.c entry.c)

# The decompressors: upstream sources as Debian keeps them, fetched by name, compiled for Newlib like our own.
THIRD       := $(B)/src
THIRD_OK    := $(THIRD)/stamp
ZLIB_SRC    := $(addprefix $(THIRD)/zlib/,inflate.c inftrees.c inffast.c crc32.c adler32.c zutil.c)
LZ4_SRC     := $(THIRD)/lz4/lib/lz4.c
ZSTD_SRC    := $(addprefix $(THIRD)/libzstd/lib/,common/entropy_common.c common/error_private.c common/fse_decompress.c \
                 common/zstd_common.c common/xxhash.c decompress/huf_decompress.c decompress/zstd_ddict.c \
                 decompress/zstd_decompress.c decompress/zstd_decompress_block.c)
XZ_SRC      := $(addprefix $(THIRD)/xz-utils/src/liblzma/,common/common.c common/block_decoder.c \
                 common/block_header_decoder.c common/block_util.c common/filter_common.c common/filter_decoder.c \
                 common/filter_flags_decoder.c common/index_hash.c common/stream_decoder.c \
                 common/stream_flags_common.c common/stream_flags_decoder.c common/vli_decoder.c common/vli_size.c \
                 check/check.c check/crc32_fast.c check/crc32_table.c check/crc64_fast.c check/crc64_table.c \
                 check/sha256.c lz/lz_decoder.c lzma/lzma_decoder.c lzma/lzma2_decoder.c simple/simple_coder.c \
                 simple/simple_decoder.c simple/x86.c)
THIRD_SRC   := $(ZLIB_SRC) $(LZ4_SRC) $(ZSTD_SRC) $(XZ_SRC)

ZLIB_FLAGS  := -I$(THIRD)/zlib
LZ4_FLAGS   := -I$(THIRD)/lz4/lib
ZSTD_FLAGS  := -I$(THIRD)/libzstd/lib -I$(THIRD)/libzstd/lib/common -DZSTD_DISABLE_ASM=1 -DXXH_NAMESPACE=ZSTD_
XZ_FLAGS    := $(addprefix -I$(THIRD)/xz-utils/src/,common liblzma/api liblzma/common liblzma/check liblzma/lz \
                 liblzma/rangecoder liblzma/lzma liblzma/delta liblzma/simple) -DTUKLIB_SYMBOL_PREFIX=lzma_ \
               $(addprefix -DHAVE_,STDINT_H STDBOOL_H STRING_H INTTYPES_H LIMITS_H CHECK_CRC32 CHECK_CRC64 CHECK_SHA256 \
                 DECODERS DECODER_LZMA1 DECODER_LZMA2 DECODER_X86) -DHAVE_VISIBILITY=0 -DSIZEOF_SIZE_T=8

$(foreach s,$(ZLIB_SRC) $(TOOLS)/builder/unpack_gzip.c,$(eval USER_CFLAGS_$(s) := $(ZLIB_FLAGS)))
$(foreach s,$(LZ4_SRC) $(TOOLS)/builder/unpack_lz4.c,$(eval USER_CFLAGS_$(s) := $(LZ4_FLAGS)))
$(foreach s,$(ZSTD_SRC) $(TOOLS)/builder/unpack_zstd.c,$(eval USER_CFLAGS_$(s) := $(ZSTD_FLAGS)))
$(foreach s,$(XZ_SRC) $(TOOLS)/builder/unpack_xz.c,$(eval USER_CFLAGS_$(s) := $(XZ_FLAGS)))
# Other people's warnings are theirs; and unpacking is worth the size.
$(foreach s,$(THIRD_SRC),$(eval USER_CFLAGS_$(s) += -w -O2))

$(THIRD_OK): $(TOOLS)/unpack/fetch.sh
	@echo "  SOURCES  zlib xz-utils libzstd lz4 (once)"
	@$(TOOLS)/unpack/fetch.sh $(THIRD) zlib xz-utils libzstd lz4
	@touch $@
$(THIRD_SRC): $(THIRD_OK) ;
$(addprefix $(O)/user/obj/$(TOOLS)/builder/,unpack_gzip.o unpack_xz.o unpack_zstd.o unpack_lz4.o): $(THIRD_OK)

$(eval $(call user_prog,enso,$(ENSO) $(LIBENSO) $(BUILDER) $(THIRD_SRC)))
$(eval $(call user_prog,bootfrom,$(TOOLS)/bootloader/bootfrom.c $(BOOTFROM) $(addprefix $(TOOLS)/libenso/,complaint.c text.c)))
# The store.
XENSTORED := $(addprefix $(TOOLS)/xenstored/,main.c request.c control.c conn.c trans.c change.c watch.c tree.c journal.c replay.c)
$(eval $(call user_prog,xenstored,$(XENSTORED) $(addprefix $(TOOLS)/libenso/,os.c complaint.c calls_domain.c calls_machine.c)))
DOM0_PROGS += /usr/sbin/xenstored=$(O)/user/bin/xenstored

$(eval $(call user_prog,ensod,$(ENSOD) $(LIBENSO)))

BALLOOND := $(addprefix $(TOOLS)/balloond/,balloond.c asks.c believe.c policy.c)
$(eval $(call user_prog,balloond,$(BALLOOND) $(LIBENSO)))
DOM0_PROGS += /usr/sbin/balloond=$(O)/user/bin/balloond

DOM0_PROGS += /usr/sbin/enso=$(O)/user/bin/enso /usr/sbin/ensod=$(O)/user/bin/ensod /usr/lib/enso/bootfrom=$(O)/user/bin/bootfrom /bin/tour=$(TOOLS)/tour/tour.sh

