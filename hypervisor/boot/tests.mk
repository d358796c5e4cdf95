# hypervisor/boot and hypervisor/lib: what is pure, as Linux programs under ASan and UBSan.
# lib/string.c stays out: the host has a libc; tests/host/boot_host.c brings the two functions that libc lacks.

BOOT_HOST := tests/host/boot_host.c hypervisor/lib/format.c
BOOT_TEST_FLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Wno-address-of-packed-member -I. \
                   -fsanitize=address,undefined -fno-sanitize-recover=all $(if $(filter 1,$(WERROR)),-Werror)

define boot_test
$(B)/tests/boot_$(1): tests/host/boot_$(1).c $(2) $(BOOT_HOST) $(wildcard hypervisor/boot/*.h hypervisor/lib/*.h)
	@mkdir -p $$(@D)
	$(HOSTCC) $(BOOT_TEST_FLAGS) -o $$@ tests/host/boot_$(1).c $(2) $(BOOT_HOST) -lcmocka
BOOT_TESTS += $(B)/tests/boot_$(1)
endef

$(eval $(call boot_test,mb2,hypervisor/boot/mb2.c))
$(eval $(call boot_test,modline,hypervisor/boot/modline.c))
$(eval $(call boot_test,options,hypervisor/boot/options.c))
$(eval $(call boot_test,elf,hypervisor/boot/elf.c))
$(eval $(call boot_test,layout,hypervisor/boot/layout.c))
$(eval $(call boot_test,format,))

check-boot: $(BOOT_TESTS)
	@set -e; for t in $(BOOT_TESTS); do $$t; done

.PHONY: check-boot
