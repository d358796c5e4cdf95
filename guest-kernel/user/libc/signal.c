/* SPDX-License-Identifier: MIT */
/* signal.c: POSIX signals over the kernel's record.
 *
 * The kernel wants to be told where a handler returns to; POSIX does not say, so each sigaction hands over
 * the restorer of syscalls.S.                                                                           */
#include "internal.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    struct ksigaction in, out;

    if (act)
        in = (struct ksigaction){
            .handler = (uintptr_t)act->sa_handler, .mask = act->sa_mask, .flags = act->sa_flags,
            .restorer = (uintptr_t)__sig_restorer,
        };
    if (__sys_sigaction(sig, act ? &in : NULL, old ? &out : NULL) < 0)
        return -1;
    if (old) {
        old->sa_handler = (_sig_func_ptr)out.handler;
        old->sa_mask = out.mask;
        old->sa_flags = out.flags;
    }
    return 0;
}

_sig_func_ptr signal(int sig, _sig_func_ptr handler)
{
    struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

    return sigaction(sig, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    return __sys_sigprocmask(how, set, old);
}

int raise(int sig)
{
    return kill(getpid(), sig);
}

int killpg(pid_t group, int sig)
{
    if (group < 0) {
        errno = EINVAL;
        return -1;
    }
    return kill(-group, sig);
}
