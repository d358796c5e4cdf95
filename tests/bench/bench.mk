# SPDX-License-Identifier: MIT
# bench.mk: `make bench`: the same novice-pv.elf on Enso (release build) and on Xen, and novice.elf natively, in one run.
# Results: build/bench/results.csv (row,unit,native,enso,xen) and a table. BENCH_ARGS="--only xen" and such for a part.

BENCH_B := $(B)/bench
$(eval $(call user_prog,bench,$(USER)/bench.c))

$(O)/bench.cpio: $(O)/guest.cpio $(O)/user/bin/bench
	printf '%s\n' "$$CPIO_BASE" "file /bin/bench $(O)/user/bin/bench" | $(MKCPIO) > $@

# Measured is the release build, whatever this make was asked for.
.PHONY: bench bench-parts
ifeq ($(DEBUG),0)
bench-parts: $(O)/enso.elf $(O)/novice-pv.elf $(O)/novice.elf $(O)/bench.cpio $(XEN_GZ)
bench: bench-parts
	@mkdir -p $(BENCH_B)
	$(PYTHON) tests/bench/run.py --out $(BENCH_B) --enso $(O)/enso.elf --pv $(O)/novice-pv.elf --native $(O)/novice.elf \
	    --ramdisk $(O)/bench.cpio --xen $(XEN_GZ) $(BENCH_ARGS)
else
bench bench-parts:
	$(MAKE) DEBUG=0 $@
endif
