# Fuzz targets of dom0's programs and of the hypervisor's boot.

$(eval $(call fuzz_target,mb2,hypervisor/boot/mb2.c))
