# Novice's network layer and the netif protocol, as Linux programs under ASan and UBSan.

NET_TEST_FLAGS := $(HOST_CFLAGS) -fno-strict-aliasing -fno-builtin-strlcpy

$(B)/tests/kernel_bridge: tests/host/kernel_bridge.c $(addprefix guest-kernel/kernel/net/,packet.c netdev.c bridge.c) guest-kernel/kernel/netdev.h
	@mkdir -p $(@D)
	$(HOSTCC) $(NET_TEST_FLAGS) -o $@ $(filter %.c,$^) -lcmocka
NET_TESTS += $(B)/tests/kernel_bridge

check-net: $(NET_TESTS)
	@set -e; for t in $(NET_TESTS); do $$t; done

.PHONY: check-net
