# Novice's network layer and the netif protocol, as Linux programs under ASan and UBSan.

NET_TEST_FLAGS := $(HOST_CFLAGS) -fno-strict-aliasing -fno-builtin-strlcpy

$(B)/tests/kernel_bridge: tests/host/kernel_bridge.c $(addprefix guest-kernel/kernel/net/,packet.c netdev.c bridge.c) guest-kernel/kernel/netdev.h
	@mkdir -p $(@D)
	$(HOSTCC) $(NET_TEST_FLAGS) -o $@ $(filter %.c,$^) -lcmocka
NET_TESTS += $(B)/tests/kernel_bridge

PV_NET := $(addprefix pv-drivers/,netfront.c netfront_ring.c netback.c netback_tx.c netback_rx.c net_csum.c net_gso.c)
$(B)/tests/pv_net: $(addprefix tests/host/pv_net,.c _hell.c _frames.c _world.c) $(PV_NET) tests/host/pv_net_world.h tests/host/pv_net_frames.h $(wildcard pv-drivers/net*.h) pv-drivers/os.h
	@mkdir -p $(@D)
	$(HOSTCC) $(NET_TEST_FLAGS) -o $@ $(filter %.c,$^) -lcmocka -lpthread
NET_TESTS += $(B)/tests/pv_net

# lwIP with the kernel's own options; the two headers that stand in for the C library's come after the real ones here.
$(B)/tests/kernel_ip: tests/host/kernel_ip.c $(addprefix guest-kernel/kernel/net/,ip.c clock.c memory.c packet.c netdev.c) $(LWIP_SRCS) | $(LWIP_OK)
	@mkdir -p $(@D)
	$(HOSTCC) $(NET_TEST_FLAGS) -w -DSSIZE_MAX=INT_MAX -I$(LWIP)/src/include -idirafter guest-kernel/kernel/net/lwip -o $@ $(filter %.c,$^) -lcmocka
NET_TESTS += $(B)/tests/kernel_ip
$(B)/tests/kernel_socket: tests/host/kernel_socket.c $(addprefix guest-kernel/kernel/net/,socket.c stream.c stream_data.c datagram.c sockopt.c config.c ip.c \
                          clock.c memory.c packet.c netdev.c) $(LWIP_SRCS) tests/host/kernel_ip.c | $(LWIP_OK)
	@mkdir -p $(@D)
	$(HOSTCC) $(NET_TEST_FLAGS) -w -DSSIZE_MAX=INT_MAX -I$(LWIP)/src/include -idirafter guest-kernel/kernel/net/lwip -o $@ \
	    $(filter-out tests/host/kernel_ip.c,$(filter %.c,$^)) -lcmocka
NET_TESTS += $(B)/tests/kernel_socket

check-net: $(NET_TESTS)
	@set -e; for t in $(NET_TESTS); do $$t; done

.PHONY: check-net
