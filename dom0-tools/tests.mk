# Host tests of dom0-tools' pure logic: cmocka, under AddressSanitizer and UBSan. `make check-tools` runs them.

TOOLS_TESTS := text config elf image json boot bootwords home balance balloond consoles
TTDIR       := $(B)/tests/tools
TT_CFLAGS   := -std=gnu11 -O1 -g -D_GNU_SOURCE -I. -Wall -Wextra -fsanitize=address,undefined -fno-sanitize-recover=all -MMD -MP
TT_OBJ      := $(patsubst %.c,$(TTDIR)/obj/%.o,$(LIBENSO) $(BUILDER) $(BOOTFROM) $(filter-out %/balloond.c,$(BALLOOND)) $(TOOLS)/ensod/consoles.c)
TT_THIRD    := $(patsubst $(B)/%.c,$(TTDIR)/obj/%.o,$(THIRD_SRC))
TT_BINS     := $(addprefix $(TTDIR)/,$(TOOLS_TESTS))

$(TTDIR)/obj/dom0-tools/%.o: dom0-tools/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(TT_CFLAGS) $(USER_CFLAGS_$(<)) -c -o $@ $<
$(TTDIR)/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(TT_CFLAGS) -c -o $@ $<
$(TTDIR)/obj/src/%.o: $(THIRD)/%.c
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu11 -D_GNU_SOURCE $(USER_CFLAGS_$(<)) -c -o $@ $<
$(addprefix $(TTDIR)/obj/$(TOOLS)/builder/,unpack_gzip.o unpack_xz.o unpack_zstd.o unpack_lz4.o): $(THIRD_OK)
# An archive, so that a test may bring its own xenstore in place of xs.c.
$(TTDIR)/libtools.a: $(TT_OBJ) $(TT_THIRD)
	@rm -f $@; ar rcs $@ $^
$(TT_BINS): $(TTDIR)/%: $(TTDIR)/obj/tests/host/tools_%.o $(TTDIR)/libtools.a
	$(HOSTCC) -fsanitize=address,undefined -o $@ $^ -lcmocka
# The store's core has names of its own for trees and the like: it is linked without the library.
TT_STORE  := $(patsubst %.c,$(TTDIR)/obj/%.o,$(filter-out %/main.c,$(XENSTORED))) $(TTDIR)/obj/tests/host/store_world.o
TT_STORES := $(addprefix $(TTDIR)/store_,requests changes hostile restart model)
$(TT_STORES): $(TTDIR)/%: $(TTDIR)/obj/tests/host/tools_%.o $(TT_STORE)
	$(HOSTCC) -fsanitize=address,undefined -o $@ $^ -lcmocka
-include $(TT_STORE:.o=.d) $(patsubst $(TTDIR)/%,$(TTDIR)/obj/tests/host/tools_%.d,$(TT_STORES))
-include $(TT_OBJ:.o=.d) $(addprefix $(TTDIR)/obj/tests/host/tools_,$(addsuffix .d,$(TOOLS_TESTS)))

.PHONY: check-tools
check-tools: $(TT_BINS) $(TT_STORES)
	@set -e; for t in $(TT_BINS) $(TT_STORES); do ./$$t; done
