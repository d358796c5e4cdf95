# Coverage-guided fuzzing (libFuzzer) of what reads bytes that others wrote, under ASan, UBSan and the leak checker.
# A target is tests/fuzz/NAME.c and one line in tools.mk or kernel.mk; README.md beside this tells how to write one.

# (Without pointer-overflow: clang counts NULL + 0 as one.)
FUZZ_CC     ?= clang
FUZZ_DIR    := $(B)/fuzz
FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -O1 -I. -Wall -Wextra -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) \
               -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all -fno-strict-aliasing -MMD -MP

# $(call fuzz_target,NAME,SOURCES,FLAGS,PLAIN): SOURCES are compiled with FLAGS; tests/fuzz/NAME.c and PLAIN without them.
# A source's own flags are looked for in USER_CFLAGS_<source> and FUZZ_CFLAGS_<source>.
define fuzz_target
FUZZ_TARGETS += $(1)
FUZZ_OBJS_$(1) := $(patsubst %.c,$(FUZZ_DIR)/$(1).d/%.o,$(2)) $(patsubst %.c,$(FUZZ_DIR)/$(1).d/plain/%.o,tests/fuzz/$(1).c tests/fuzz/fuzz.c $(4))
$(FUZZ_DIR)/$(1).d/plain/%.o: %.c tests/fuzz/rules.mk
	@mkdir -p $$(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $$(USER_CFLAGS_$$<) $$(FUZZ_CFLAGS_$$<) -c $$< -o $$@
$(FUZZ_DIR)/$(1).d/%.o: %.c tests/fuzz/rules.mk
	@mkdir -p $$(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(3) $$(USER_CFLAGS_$$<) $$(FUZZ_CFLAGS_$$<) -c $$< -o $$@
$(FUZZ_DIR)/$(1): $$(FUZZ_OBJS_$(1))
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $$@ $$(FUZZ_OBJS_$(1)) $$(FUZZ_LIBS_$(1))
-include $$(FUZZ_OBJS_$(1):.o=.d)
endef

-include tests/fuzz/tools.mk tests/fuzz/kernel.mk

# make fuzz [TARGET=name] [SECONDS=60]; SECONDS=0 only runs what is in the corpus. make fuzz-build compiles.
TARGET  ?= $(FUZZ_TARGETS)
SECONDS ?= 60
fuzz-build: $(addprefix $(FUZZ_DIR)/,$(TARGET))
fuzz: ; @tests/fuzz/run.sh '$(SUB)' $(FUZZ_DIR) $(SECONDS) $(TARGET)
# Of test-long: a short time each.
check-fuzz: ; @tests/fuzz/run.sh '$(SUB)' $(FUZZ_DIR) 20 $(FUZZ_TARGETS)
.PHONY: fuzz fuzz-build check-fuzz
