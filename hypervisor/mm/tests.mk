# hypervisor/mm, and the grants of hypervisor/core, compiled for the host: `make check-mm`.

MM_TEST_SRC := heap kalloc frame frame_list pagetable pte_check mmu_update mmuext root descriptor memory_op exchange audit \
               grant_table grant_map grant_copy grant_op
MM_TEST_DIR := $(B)/tests/mm
MM_CFLAGS   := -std=gnu11 -O1 -g -DDEBUG=1 -I. -Wall -Wextra -Wno-unused-parameter -fno-strict-aliasing -fno-pie \
               -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=all -MMD -MP -D_GNU_SOURCE \
               -include tests/host/mm_shim.h
MM_OBJ      := $(MM_TEST_SRC:%=$(MM_TEST_DIR)/%.o) $(MM_TEST_DIR)/mm_shim.o $(MM_TEST_DIR)/faults.o $(MM_TEST_DIR)/format.o

$(MM_TEST_DIR)/%.o: hypervisor/mm/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(MM_CFLAGS) -c $< -o $@
$(MM_TEST_DIR)/%.o: hypervisor/core/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(MM_CFLAGS) -c $< -o $@
$(MM_TEST_DIR)/format.o: hypervisor/lib/format.c
	@mkdir -p $(@D)
	$(HOSTCC) $(MM_CFLAGS) -c $< -o $@
$(MM_TEST_DIR)/faults.o: tests/host/faults.c
	@mkdir -p $(@D)
	$(HOSTCC) $(MM_CFLAGS) -c $< -o $@
$(MM_TEST_DIR)/grant_%.o: tests/host/grant_%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(MM_CFLAGS) -c $< -o $@
$(MM_TEST_DIR)/mm_%.o: tests/host/mm_%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(MM_CFLAGS) -c $< -o $@
$(MM_TEST_DIR)/property: $(MM_TEST_DIR)/mm_property.o $(MM_TEST_DIR)/mm_grants.o $(MM_OBJ)
	$(HOSTCC) -no-pie -fsanitize=address,undefined -o $@ $^ -lpthread
$(MM_TEST_DIR)/unit: $(MM_TEST_DIR)/mm_unit.o $(MM_OBJ)
	$(HOSTCC) -no-pie -fsanitize=address,undefined -o $@ $^ -lcmocka
$(MM_TEST_DIR)/frames: $(MM_TEST_DIR)/mm_frames.o $(MM_OBJ)
	$(HOSTCC) -no-pie -fsanitize=address,undefined -o $@ $^ -lcmocka
$(MM_TEST_DIR)/calls $(MM_TEST_DIR)/tables $(MM_TEST_DIR)/descriptors: $(MM_TEST_DIR)/%: $(MM_TEST_DIR)/mm_%.o $(MM_OBJ)
	$(HOSTCC) -no-pie -fsanitize=address,undefined $(MM_WRAP) -o $@ $^ -lcmocka
$(MM_TEST_DIR)/tables: MM_WRAP := -Wl,--wrap=frame_put_typed_preemptible
$(MM_TEST_DIR)/grants $(MM_TEST_DIR)/grant-ends $(MM_TEST_DIR)/grant-calls: $(MM_TEST_DIR)/%: $(MM_OBJ)
	$(HOSTCC) -no-pie -fsanitize=address,undefined -o $@ $^ -lcmocka
$(MM_TEST_DIR)/grants: $(MM_TEST_DIR)/grant_unit.o
$(MM_TEST_DIR)/grant-ends: $(MM_TEST_DIR)/grant_ends.o
$(MM_TEST_DIR)/grant-calls: $(MM_TEST_DIR)/grant_calls.o
-include $(MM_OBJ:.o=.d) $(MM_TEST_DIR)/mm_property.d $(MM_TEST_DIR)/mm_grants.d $(MM_TEST_DIR)/mm_unit.d $(MM_TEST_DIR)/grant_unit.d $(MM_TEST_DIR)/grant_ends.d $(MM_TEST_DIR)/mm_frames.d \
         $(MM_TEST_DIR)/mm_calls.d $(MM_TEST_DIR)/mm_tables.d $(MM_TEST_DIR)/mm_descriptors.d $(MM_TEST_DIR)/grant_calls.d

.PHONY: check-mm
check-mm: $(MM_TEST_DIR)/unit $(MM_TEST_DIR)/calls $(MM_TEST_DIR)/tables $(MM_TEST_DIR)/descriptors $(MM_TEST_DIR)/frames $(MM_TEST_DIR)/grants $(MM_TEST_DIR)/grant-calls $(MM_TEST_DIR)/grant-ends $(MM_TEST_DIR)/property
	$(MM_TEST_DIR)/unit
	$(MM_TEST_DIR)/calls
	$(MM_TEST_DIR)/tables
	$(MM_TEST_DIR)/descriptors
	$(MM_TEST_DIR)/frames
	$(MM_TEST_DIR)/grants
	$(MM_TEST_DIR)/grant-ends
	$(MM_TEST_DIR)/grant-calls
	$(MM_TEST_DIR)/property
