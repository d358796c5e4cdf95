# Programs of Novice's user space on the host: they are included by the test, or compiled with user_shim.h before them.
USER_TEST_FLAGS := $(HOST_CFLAGS) -D_GNU_SOURCE -Wno-unused-function -Wno-format-truncation -Itests/host/novice -include tests/host/user_shim.h

$(T)/user_net: tests/host/user_net.c tests/host/user_shim.h $(addprefix guest-kernel/user/net/,wget.c httpd_answer.c httpd.h net.h)
	@mkdir -p $(@D)
	$(HOSTCC) $(USER_TEST_FLAGS) -o $@ tests/host/user_net.c guest-kernel/user/net/httpd_answer.c -lcmocka
$(T)/user_dns: tests/host/user_dns.c tests/host/user_shim.h guest-kernel/user/libc/netdb.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -D_GNU_SOURCE -Wno-unused-function -Wno-format-truncation -Itests/host/novice -o $@ $< -lcmocka
# What the editor does with a text and its file.
$(T)/user_edit: tests/host/user_edit.c guest-kernel/user/edit/text.c guest-kernel/user/edit/text.h
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -D_GNU_SOURCE -o $@ tests/host/user_edit.c guest-kernel/user/edit/text.c -lcmocka
check-user: $(T)/user_net $(T)/user_dns $(T)/user_edit
	$(T)/user_net
	$(T)/user_dns
	$(T)/user_edit
.PHONY: check-user
