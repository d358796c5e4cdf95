# The guest kernel's pure parts as Linux programs under ASan and UBSan.

# $(1) the test's name, $(2) the kernel's files
define kernel_test
$(T)/kernel_$(1): tests/host/kernel_$(1).c $(2) $(wildcard guest-kernel/kernel/*.h tests/host/kernel_*.h)
	@mkdir -p $$(@D)
	$(HOSTCC) $(HOST_CFLAGS) -fno-strict-aliasing -fno-builtin -o $$@ tests/host/kernel_$(1).c $(2) -lcmocka
KERNEL_TESTS += $(T)/kernel_$(1)
endef

$(eval $(call kernel_test,blk,guest-kernel/kernel/blk.c guest-kernel/kernel/blk_split.c guest-kernel/kernel/blk_part.c))
$(eval $(call kernel_test,rtc,guest-kernel/drivers/rtc.c))
$(eval $(call kernel_test,irq,guest-kernel/drivers/irq.c))
$(eval $(call kernel_test,pci,guest-kernel/drivers/pci.c))
IMAGE_SRCS := $(addprefix guest-kernel/kernel/,image.c $(addprefix image_qcow2,.c _open.c _meta.c _count.c)) tests/host/kernel_image_file.c
$(eval $(call kernel_test,image,$(IMAGE_SRCS)))
$(eval $(call kernel_test,image_hostile,$(IMAGE_SRCS)))
$(eval $(call kernel_test,nvme,guest-kernel/drivers/nvme.c guest-kernel/drivers/nvme_io.c))
$(eval $(call kernel_test,e1000e,guest-kernel/drivers/e1000e.c))

$(eval $(call kernel_test,swap,guest-kernel/kernel/swap_slots.c pv-drivers/balloon_pressure.c))

check-kernel: $(KERNEL_TESTS)
	@set -e; for t in $(KERNEL_TESTS); do $$t; done
check-kernel-long: $(T)/kernel_image $(T)/kernel_image_hostile
	$(T)/kernel_image '*' 10
	$(T)/kernel_image_hostile '*' 40
.PHONY: check-kernel check-kernel-long
