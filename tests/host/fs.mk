# The page cache and ext2 on the host: a model, cuts of power, damaged images (tests/host/fs_tests.c and its neighbours).
FS_KERNEL  := $(addprefix guest-kernel/kernel/,fs.c mount.c regular.c cache.c cacheio.c) $(EXT2_SRCS) tests/host/fs_shim.c $(addprefix tests/host/fs_,tests.c machine.c model.c promise.c large.c edges.c replay.c hostile.c forge.c)
FS_OBJS    := $(patsubst %.c,$(T)/fs/%.o,$(FS_KERNEL))

$(T)/fs/%.o: %.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -Wno-builtin-declaration-mismatch -MMD -MP -include tests/host/fs_shim.h -c $< -o $@
$(T)/fs/test: $(FS_OBJS) tests/host/fs_host.c tests/host/fs_shim_api.h
	$(HOSTCC) $(HOST_CFLAGS) -o $@ $(FS_OBJS) tests/host/fs_host.c
check-fs: $(T)/fs/test
	$(T)/fs/test all 1
check-fs-long: $(T)/fs/test
	$(T)/fs/test model 100 4
	for n in 1 2 3; do $(T)/fs/test crash$$n 100 3 || exit 1; done
	$(T)/fs/test hostile 100000 40000
	$(T)/fs/test replay 100 40
-include $(FS_OBJS:.o=.d)
.PHONY: check-fs check-fs-long
