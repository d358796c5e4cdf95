# hypervisor/core: what is pure, and the credit scheduler in a simulated machine, as Linux programs under ASan and UBSan.

CORE_TEST_FLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -I. -fsanitize=address,undefined \
                   -fno-sanitize-recover=all -fno-strict-aliasing $(if $(filter 1,$(WERROR)),-Werror)

define core_test
$(B)/tests/core_$(1): tests/host/core_$(1).c $(2) $(wildcard hypervisor/core/*.h hypervisor/lib/*.h) hypervisor/model.h
	@mkdir -p $$(@D)
	$(HOSTCC) $(CORE_TEST_FLAGS) -o $$@ tests/host/core_$(1).c $(2) -lcmocka
CORE_TESTS += $(B)/tests/core_$(1)
endef

$(eval $(call core_test,timer,hypervisor/core/timer_heap.c))
$(eval $(call core_test,evtchn,hypervisor/core/runstate.c))
$(eval $(call core_test,console,hypervisor/core/guestcons_text.c))
$(eval $(call core_test,credit,hypervisor/core/sched_credit.c))

# With the floors below replaced by the test, and guest memory that can be missing (tests/host/faults.h).
CORE_FAULT_FLAGS := $(CORE_TEST_FLAGS) -fno-sanitize=alignment -DDEBUG=1 -D_GNU_SOURCE -fno-pie -no-pie -include tests/host/mm_shim.h
define core_fault_test
$(B)/tests/core_$(1): tests/host/core_$(1).c $(2) tests/host/faults.c tests/host/faults.h tests/host/mm_shim.h \
                      $(wildcard hypervisor/core/*.h hypervisor/lib/*.h hypervisor/mm/*.h) hypervisor/model.h
	@mkdir -p $$(@D)
	$(HOSTCC) $(CORE_FAULT_FLAGS) -o $$@ tests/host/core_$(1).c tests/host/faults.c $(2) -lcmocka
CORE_TESTS += $(B)/tests/core_$(1)
endef

$(eval $(call core_fault_test,ports,$(addprefix hypervisor/core/,evtchn.c evtchn_bind.c evtchn_op.c)))
$(eval $(call core_fault_test,vcpu_op,hypervisor/core/vcpu_op.c))
$(eval $(call core_fault_test,domain_end,hypervisor/core/domain_end.c hypervisor/lib/format.c))

# The simulated scheduler leaks its dead machines on purpose.
check-core: $(CORE_TESTS)
	@set -e; for t in $(CORE_TESTS); do ASAN_OPTIONS=detect_leaks=0 $$t; done

.PHONY: check-core
