#!/bin/sh
# SPDX-License-Identifier: MIT
# tour: ten minutes with Enso, for somebody who sees it for the first time.
# Each step says what it shows, shows the command, and runs it after Enter.

step() {
    echo
    echo "  dom0# $1"
    printf '  [Enter runs it, s skips it, q ends the tour] '
    read answer || exit 0
    if [ "$answer" = q ]; then
        exit 0
    fi
    if [ "$answer" != s ]; then
        sh -c "$1"
    fi
}

echo "This is dom0: the domain that owns the machine and looks after the others."
echo
echo "1. Which domains are there? State: r runs, b waits, p is paused."
step "enso list"

echo
echo "2. One more, from a file of a few lines. Its kernel is the one you are using."
step "cat /etc/enso/carol.cfg"
step "enso create /etc/enso/carol.cfg"
step "enso list"

echo
echo "3. Look over its shoulder: you get carol's console and can type there."
echo "   Try ps, uname -a, primes. Ctrl-] brings you back here."
step "enso console carol"

echo
echo "4. Stop it where it stands, and let it go on. Its CPU time stands still meanwhile."
step "enso pause carol; enso list carol; sleep 2; enso list carol; enso unpause carol"

echo
echo "5. Who gets how much of the CPUs? Twice the weight is twice the time when both want more than there is."
step "enso sched-credit"
step "enso sched-credit -d carol -w 512; enso sched-credit -d carol"
echo
echo "   The domains live, a bar each (q leaves):"
step "enso top"

echo
echo "6. A guest that wants to write its own page tables is refused, and told why:"
echo "   in carol, run:  breakit pte      and come back with Ctrl-]."
echo "   The line in front of which (enso) stands is the hypervisor's, and names the rule."
step "enso console carol"

echo
echo "7. A guest that breaks its own stack crashes. Only itself: in carol, run:  breakit stack"
step "enso console carol"
echo
echo "   The others did not notice:"
step "enso list"
step "enso dmesg | tail -n 20"

echo
echo "8. Disks and network: web1 and web2 were started from their own disk images, by a file without a kernel in it."
echo "   Both images are thin overlays over one base image; their interfaces are ports of dom0's bridge, beside the real card."
step "cat /etc/enso/auto/web1.cfg; ls -l /images"
step "enso block-list web1; enso network-list web1; brctl show"
step "wget -O - http://10.0.2.16/ | head -n 5"
echo
echo "   What the tools, the backends and the guests tell each other stands in the store:"
step "enso store ls /local/domain/0/backend/vbd"
echo
echo "   The backends can be stopped and started; the guests wait, and go on where they were."
step "enso backend restart vbd; sleep 1; enso block-list web1"

echo
echo "9. Memory moves: web1 gives up eight MiB, and takes them back."
step "enso mem-set -w web1 40; enso list web1; enso mem-set -w web1 48; enso list web1"

echo
echo "10. Whatever carol had is given back to the frame: at her crash, or now."
step "enso list carol && enso destroy carol"
step "enso info; enso audit"

echo
echo "That was the tour. enso help lists all commands; SPEC.md says how it works;"
echo "guest-kernel/native and guest-kernel/pv, side by side, are what the port took."
