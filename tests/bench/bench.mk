# SPDX-License-Identifier: MIT
# bench.mk: `make bench` (the release build's run-bench): the same novice-pv.elf on Enso (release build) and on Xen, and novice.elf natively, in one run.
# Then, whatever became of those, disk, network and balloon, natively and in a guest (io.py; BENCH_IO_ARGS="--turns 1" for a quick look).
# Results: build/bench/results.csv (row,unit,native,enso,xen) and a table. BENCH_ARGS="--only xen" and such for a part.

BENCH_B := $(B)/bench
$(eval $(call user_prog,bench,$(USER)/bench.c))

$(O)/bench.cpio: $(O)/guest.cpio $(O)/user/bin/bench
	printf '%s\n' "$$CPIO_BASE" "file /bin/bench $(O)/user/bin/bench" | $(MKCPIO) > $@

.PHONY: run-bench
run-bench: $(O)/enso.elf $(O)/novice-pv.elf $(O)/novice.elf $(O)/bench.cpio $(O)/dom0.cpio $(XEN_GZ)
	@mkdir -p $(BENCH_B)
	@rc=0; \
	$(PYTHON) tests/bench/run.py --out $(BENCH_B) --enso $(O)/enso.elf --pv $(O)/novice-pv.elf --native $(O)/novice.elf \
	    --ramdisk $(O)/bench.cpio --xen $(XEN_GZ) $(BENCH_ARGS) || rc=1; \
	$(PYTHON) tests/bench/io.py --out $(BENCH_B) $(BENCH_IO_ARGS) || rc=1; \
	exit $$rc

# What one domain's requests cost xenstored's core among up to 400 others; on the build machine, no QEMU.
.PHONY: bench-store
bench-store: $(BENCH_B)/store_scale ; $<
$(BENCH_B)/store_scale: tests/bench/store_scale.c $(filter-out %/main.c,$(XENSTORED)) $(TOOLS)/xenstored/xenstored.h
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu11 -O2 -g -D_GNU_SOURCE -I. -Wall -Wextra -o $@ $(filter %.c,$^)
