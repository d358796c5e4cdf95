/* SPDX-License-Identifier: MIT */
/* main.c: the `enso` command: a table of sub-commands and what they share.
 *
 * It speaks like xl, since that is what its users' fingers know.             */
#include "dom0-tools/enso/enso.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/sched.h"

const struct command commands[] = {
    { "create", "[-p] [-c] [-q] FILE [KEY=VALUE ...]", "make a domain from a configuration file",
      "  -p  leave it paused: `enso unpause` starts it\n"
      "  -c  attach to its console (Ctrl-] leaves)\n"
      "  -q  say nothing if all is well\n"
      "FILE has lines `key = value` in xl's syntax; KEY=VALUE words replace lines of it. Keys:\n"
      "  name, memory (MiB)                    needed\n"
      "  kernel, ramdisk                       files here; without them the first disk's boot menu decides\n"
      "  bootentry                             which entry of that menu: a number, a title; else its default\n"
      "  cmdline (or root and extra)           for the guest's kernel; hostname=NAME is added\n"
      "  disk = [ '/images/a.img,raw,xvda,rw', 'phy:/dev/nvme0n1p3,xvdb,r',\n"
      "           'format=qcow2,vdev=xvdc,access=rw,iops=500,mbps=20,target=/images/c.qcow2' ]\n"
      "  vif = [ 'mac=00:16:3e:01:02:03,bridge=br0,rate=10Mb/s,ip=10.0.2.16', '' ]\n"
      "  maxmem (MiB), vcpus, cpus (\"0-1\")     what it may have\n"
      "  mem_weight, mem_floor (MiB), mem_auto balloond's share, least, and whether it moves memory at all\n"
      "  uuid, consoles                        a fixed identity; more than one console\n"
      "  cpu_weight (256), cap (per cent)      its share of the CPUs\n"
      "  on_poweroff, on_reboot, on_crash      destroy, restart, preserve or rename-restart\n"
      "Example: enso create /etc/enso/carol.cfg name=dave memory=48\n", cmd_create, true, false },
    { "list", "[-l] [DOMAIN ...]", "the domains, their memory, state and CPU time",
      "  -l  as JSON, with everything that is known\n"
      "State: r running, b blocked (waiting), p paused, s shut down, c crashed, d dying.\n", cmd_list, true, false },
    { "console", "[-n NUMBER] DOMAIN", "attach to a domain's console; Ctrl-] leaves",
      "  -n  a further console of a domain that has several (consoles= in its configuration)\n"
      "The last lines are shown first. All of them, an ended domain's too, are in /var/log/console/NAME.log.\n", cmd_console, true, false },
    { "pause", "DOMAIN ...", "stop domains where they are", "", cmd_pause, true, false },
    { "unpause", "DOMAIN ...", "let paused domains go on", "", cmd_unpause, true, false },
    { "shutdown", "[-w] DOMAIN ... | -a", "ask domains to shut down in order",
      "  -w  wait until they have\n  -a  all of them\nA guest that does not listen is ended with `enso destroy`.\n",
      cmd_shutdown, true, false },
    { "reboot", "[-w] DOMAIN ... | -a", "ask domains to shut down and start again", "", cmd_reboot, true, false },
    { "destroy", "DOMAIN ...", "end domains at once, as if their plug were pulled", "", cmd_destroy, true, false },
    { "rename", "DOMAIN NEW-NAME", "give a domain another name", "", cmd_rename, true, false },
    { "domid", "NAME", "a domain's number", "", cmd_domid, true, false },
    { "domname", "NUMBER", "a domain's name", "", cmd_domname, true, false },
    { "vcpu-list", "[DOMAIN ...]", "vCPUs: where they run, where they may", "", cmd_vcpu_list, true, false },
    { "vcpu-pin", "DOMAIN VCPU|all CPUS|all", "say on which CPUs a vCPU may run",
      "CPUS is a list such as 0-1,3 or ^2. Example: enso vcpu-pin alice 0 1\n", cmd_vcpu_pin, true, false },
    { "sched-credit", "[-d DOMAIN [-w WEIGHT] [-c CAP]]", "show or set shares of the CPUs",
      "  -d  which domain (without: all are shown)\n"
      "  -w  weight, 1 to 65535: twice the weight is twice the time where CPUs are scarce\n"
      "  -c  cap in per cent of one CPU, 0 for none: never more than this, even on an idle machine\n",
      cmd_sched_credit, true, false },
    { "mem-set", "[-w] DOMAIN MIB|NUMBER[kmgt]", "how much memory a domain is to have now",
      "  -w  wait until it has\nThe guest's balloon gives memory back or takes it; balloond may move it again.\n", cmd_mem_set, true, false },
    { "mem-max", "DOMAIN MIB|NUMBER[kmgt]", "the most memory that a domain may have",
      "A kernel can use what was its maximum when it started; more counts from its next start on.\n", cmd_mem_max, true, false },
    { "block-attach", "DOMAIN DISK", "give a running domain a disk",
      "DISK as in a configuration: /images/a.img,raw,xvdb,rw or phy:/dev/nvme0n1p3,xvdb,r or format=qcow2 vdev=xvdb\n"
      "target=/images/a.qcow2 (words are joined by commas).\n", cmd_block_attach, true, false },
    { "block-detach", "[-f] DOMAIN DISK", "take a disk away: xvdb, or its number",
      "  -f  also if the guest still uses it\n", cmd_block_detach, true, false },
    { "block-list", "[DOMAIN ...]", "the domains' disks, both ends' states and errors", "", cmd_block_list, true, false },
    { "network-attach", "DOMAIN [mac=M] [bridge=B] [rate=R] [ip=I]", "give a running domain a network card",
      "Without mac= it gets an address of its own; without bridge= it joins br0.\n", cmd_network_attach, true, false },
    { "network-detach", "[-f] DOMAIN CARD", "take a network card away: its number or address",
      "  -f  also if the guest still uses it\n", cmd_network_detach, true, false },
    { "network-list", "[DOMAIN ...]", "the domains' network cards, both ends' states and errors", "", cmd_network_list, true, false },
    { "backend", "[stop|start|restart vbd|vif]", "what serves disks (vbd) and cards (vif); tear it down, start it again",
      "Guests wait while a backend is away and go on when it is back; requests under way are made again.\n", cmd_backend, true, false },
    { "store", "ls|read|write|rm|watch [PATH ...]", "look into the store, or change it",
      "  ls [PATH]               all that is below PATH\n"
      "  read PATH ...           values\n"
      "  write PATH VALUE ...    set values, making nodes\n"
      "  rm PATH ...             remove nodes and what is below them\n"
      "  watch [-n COUNT] PATH ...  print each path that changes, first each PATH itself\n"
      "Paths without a leading slash are below /local/domain/0.\n", cmd_store, true, false },
    { "clean-up", "NUMBER UUID", "take the devices and xenstore entries of a dead domain away (ensod does)", "", cmd_clean_up, true, true },
    { "autostart", "[FOLDER]", "create the domains of /etc/enso/auto (or FOLDER), in the background",
      "The *.cfg files in the order of their names; what came of it is in /var/log/console/auto.log. dom0 does it as it starts.\n",
      cmd_autostart, true, false },
    { "info", "[-e]", "the machine and the hypervisor",
      "  -e  how long the last keys took from the serial port to dom0's echo, in ns\n", cmd_info, true, false },
    { "dmesg", "[-c]", "the hypervisor's own messages", "  -c  forget them afterwards\n", cmd_dmesg, true, false },
    { "top", "[-n TIMES]", "the domains live, a bar each; q leaves", "  -n  end after so many pictures\n", cmd_top, true, false },
    { "uptime", "[DOMAIN ...]", "how long domains have been there", "", cmd_uptime, true, false },
    { "debug-keys", "KEYS", "press the hypervisor's debug keys; `h` lists them on its console",
      "What they print is on the serial console and in `enso dmesg`.\n", cmd_debug_keys, true, false },
    { "audit", "", "recount every frame of the machine (debug builds)", "", cmd_audit, true, false },
    { "complete", "[WORD ...]", "what may follow these words: the shell's Tab asks", "", cmd_complete, true, true },
    { "help", "[COMMAND]", "this list, or all about one command", "", cmd_help, false, false },
    { NULL, NULL, NULL, NULL, NULL, false, false },
};

static const struct command *running;

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int fail(const struct complaint *why)
{
    fflush(stdout);
    fprintf(stderr, "enso %s: %s\n", running->name, why->text);
    return 1;
}

int failf(const char *fmt, ...)
{
    struct complaint why;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why.text, sizeof(why.text), fmt, ap);
    va_end(ap);
    return fail(&why);
}

int usage(void)
{
    fprintf(stderr, "usage: enso %s %s\n`enso help %s` says more.\n", running->name, running->arguments, running->name);
    return 2;
}

int every_domain(int (*one)(const struct xen_domctl_getdomaininfo *info))
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    int n = state_domains(&list, &why), worst = 0;

    if (n < 0)
        return fail(&why);
    for (int i = 0; i < n; i++) {
        int rc = one(&list[i]);

        worst = worst ? worst : rc;
    }
    free(list);
    return worst;
}

void options_first(int words, char **word)
{
    int to = 1;

    for (int i = 1; i < words; i++) {
        char *option = word[i];

        if (option[0] != '-' || !option[1] || option[2] || (option[1] >= '0' && option[1] <= '9'))
            continue;
        memmove(&word[to + 1], &word[to], (size_t)(i - to) * sizeof(word[0]));
        word[to++] = option;
    }
}

int want_domain(const char *word, bool guests_only, struct xen_domctl_getdomaininfo *info, char name[32])
{
    struct complaint why;

    if (state_find(word, info, &why))
        return fail(&why);
    if (guests_only && info->domain == 0)
        return failf(running->run == cmd_shutdown || running->run == cmd_reboot || running->run == cmd_destroy
                     ? "that is dom0, which runs this command; `poweroff` or `reboot` end it and the machine"
                     : "that is dom0, which runs this command; `enso list` shows the other domains");
    state_name(info, name);
    return 0;
}

void state_letters(const struct xen_domctl_getdomaininfo *info, char letters[7])
{
    bool shut = info->flags & XEN_DOMINF_shutdown;
    bool crashed = shut && (info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) == SHUTDOWN_crash;

    letters[0] = info->flags & XEN_DOMINF_running ? 'r' : '-';
    letters[1] = info->flags & XEN_DOMINF_blocked ? 'b' : '-';
    letters[2] = info->flags & XEN_DOMINF_paused ? 'p' : '-';
    letters[3] = shut && !crashed ? 's' : '-';
    letters[4] = crashed ? 'c' : '-';
    letters[5] = info->flags & XEN_DOMINF_dying ? 'd' : '-';
    letters[6] = '\0';
}

const char *shutdown_word(const struct xen_domctl_getdomaininfo *info)
{
    static const char *const words[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset" };
    unsigned code = info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

    if (!(info->flags & XEN_DOMINF_shutdown))
        return NULL;
    return code <= SHUTDOWN_MAX ? words[code] : "unknown";
}

bool wait_for_end(uint16_t domid, bool stopped, unsigned ms)
{
    uint64_t until = os_now_ms() + ms;
    unsigned nap = 1;

    for (;;) {
        struct xen_domctl_getdomaininfo info;
        int rc = dom_info(domid, &info);

        if (rc == -XEN_ESRCH || (!rc && stopped && info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying)))
            return true;
        if (rc || os_now_ms() >= until)
            return false;
        os_sleep_ms(nap);
        nap = nap < 50 ? nap * 2 : 50;
    }
}

static void list_commands(void)
{
    printf("usage: enso COMMAND [WORDS]\n");
    for (const struct command *c = commands; c->name; c++)
        if (!c->hidden)
            printf("  %-14s %s\n", c->name, c->summary);
    printf("`enso help COMMAND` says more about one. DOMAIN is a name or a number.\n");
}

static int unknown(const char *name)
{
    const char *names[sizeof(commands) / sizeof(commands[0])];
    const char *near;
    size_t n = 0;

    for (; commands[n].name; n++)
        names[n] = commands[n].name;
    names[n] = NULL;
    near = text_nearest(name, names);
    if (near)
        fprintf(stderr, "enso: there is no command \"%s\"; did you mean `enso %s`?\n", name, near);
    else
        fprintf(stderr, "enso: there is no command \"%s\"; `enso help` lists them\n", name);
    return 2;
}

int cmd_help(int words, char **word)
{
    const struct command *c;

    if (words < 2) {
        list_commands();
        return 0;
    }
    c = command_find(word[1]);
    if (!c)
        return unknown(word[1]);
    printf("usage: enso %s %s\n%s.\n%s", c->name, c->arguments, c->summary, c->help);
    return 0;
}

int main(int argc, char **argv)
{
    struct complaint why;

    if (argc < 2) {
        list_commands();
        return 2;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        argv[1] = "help";
    running = command_find(argv[1]);
    if (!running)
        return unknown(argv[1]);
    if (argc == 3 && (strcmp(argv[2], "-h") == 0 || strcmp(argv[2], "--help") == 0)) {
        char *words[] = { "help", argv[1], NULL };

        return cmd_help(2, words);
    }
    if (running->needs_hypervisor && os_open(&why))
        return fail(&why);
    return running->run(argc - 1, argv + 1);
}
