# The page cache and ext2 on the host: a model, cuts of power, damaged images.
FS_HOST_SRCS := $(addprefix guest-kernel/,kernel/fs.c kernel/regular.c kernel/cache.c kernel/cacheio.c kernel/print.c $(patsubst guest-kernel/%,%,$(EXT2_SRCS)))
