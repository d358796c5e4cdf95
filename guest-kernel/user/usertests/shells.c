/* SPDX-License-Identifier: MIT */
/* shells.c: the shell and the small programs together: what many calls do as one. */
#include "guest-kernel/user/usertests/usertests.h"

#include <stdio.h>
#include <string.h>

struct script { const char *text, *output; int status; };

static void run(const struct script *s)
{
    for (; s->text; s++) {
        int status;
        const char *output = shell_output(s->text, &status);

        if (strcmp(output, s->output) || status != s->status)
            fiprintf(stderr, "  %s\n  printed '%s' and ended with %d\n", s->text, output, status);
        CHECK(strcmp(output, s->output) == 0 && status == s->status);
    }
}

static void shell_words(void)
{
    static const struct script scripts[] = {
        { "x='a  b'; echo $x \"$x\" '$x' \\$x", "a b a  b $x $x\n", 0 },
        { "echo ${u:-d} ${u:=s} $u ${#u} ${u:+alt}", "d s s 1 alt\n", 0 },
        { "p=/a/b.c.d; echo ${p##*/} ${p%.*} ${p%%.*} ${p#*/}", "b.c.d /a/b.c /a/b a/b.c.d\n", 0 },
        { "echo $((2+3*4)) $((7/2)) $(((1<<4)-1)) $((3>2))", "14 3 15 1\n", 0 },
        { "echo $(echo a; echo b) `echo c`", "a b c\n", 0 },
        { "set -- 1 '2 3'; echo $# \"$1\" \"$2\"; for i in \"$@\"; do echo [$i]; done", "2 1 2 3\n[1]\n[2 3]\n", 0 },
        { "touch b.x a.x c.y; echo *.x [ab].? *.none '*.x'", "a.x b.x a.x b.x *.none *.x\n", 0 },
        { NULL, NULL, 0 },
    };

    run(scripts);
}

static void shell_control(void)
{
    static const struct script scripts[] = {
        { "if false; then echo no; elif true; then echo yes; fi", "yes\n", 0 },
        { "i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0 },
        { "for i in a b c; do [ $i = c ] && break; echo $i; done", "a\nb\n", 0 },
        { "case x.c in *.h) echo h;; *.c|*.s) echo c;; esac", "c\n", 0 },
        { "f() { echo $1; return 4; }; f arg; echo $?", "arg\n4\n", 0 },
        { "false || echo or; true && echo and; ! true; echo $?", "or\nand\n1\n", 0 },
        { "(exit 5); echo $?; exit 6", "5\n", 6 },
        { "if", "", 2 }, { "nosuchprogram", "", 127 }, { "set -e; false; echo no", "", 1 },
        { NULL, NULL, 0 },
    };

    run(scripts);
}

static void shell_pipes(void)
{
    static const struct script scripts[] = {
        { "seq 100 | grep 7 | sort -rn | head -n 3", "97\n87\n79\n", 0 },
        { "seq 1000 | tail -n 1 | tee copy | wc -l; cat copy", "1\n1000\n", 0 },
        { "echo x > f; echo y >> f; cat < f; ls /none 2>&1 >/dev/null | wc -l", "x\ny\n1\n", 0 },
        { "cat <<E\na $((1+1))\nE\n", "a 2\n", 0 },
        { "yes | head -n 2", "y\ny\n", 0 },
        { "sleep 0.05 & wait $!; echo $?; (exit 3) & wait $!; echo $?", "0\n3\n", 0 },
        { "echo one two three | while read a b; do echo $b; done", "two three\n", 0 },
        { "{ echo 1; echo 2; } | cut -c 1 | uniq -c | wc -l", "2\n", 0 },
        { "true | false; echo $?", "1\n", 0 },
        { NULL, NULL, 0 },
    };

    run(scripts);
}

static void small_programs(void)
{
    static const struct script scripts[] = {
        { "mkdir -p a/b/c; echo t > a/b/f; cp -r a z; cat z/b/f; rm -r a; ls; mv z y; ls", "t\nz\ny\n", 0 },
        { "printf '%s=%03d;' a 5 b 6; printf '%x\\n' 255; echo abc | tr a-c A-C; echo 1 2 3 | xargs -n 2 echo n", "a=005;b=006;ff\nABC\nn 1 2\nn 3\n", 0 },
        { "dd if=/dev/zero bs=100 count=3 2>/dev/null | wc -c; basename /a/b.c .c; dirname /a/b.c; which sh", "300\nb\n/a\n/bin/sh\n", 0 },
        { "ln -s target l; ls -l l | grep -c ' -> target'", "1\n", 0 },
        { "echo abc > f; hexdump f | head -n 1 | cut -d ' ' -f 3-6", "61 62 63 0a\n", 0 },
        { "echo 'a b c' | wc | grep -c '1 *3 *6'", "1\n", 0 },
        { "env A=1 sh -c 'echo $A'; hostname > h; test -s h && uname", "1\nNovice\n", 0 },
        { "cmp /bin/sh /bin/ls && echo same; find /etc -name 'motd'", "same\n/etc/motd\n", 0 },
        { "ps | grep -c ' ps$'; date +%Y | grep -c '^20'; free | wc -l; uptime | grep -c up", "1\n1\n2\n1\n", 0 },
        { "echo 'aXbXc' | cut -d X -f 2; seq 3 | sort -r | head -n 0; seq 5 -2 1", "b\n5\n3\n1\n", 0 },
        { "echo foo123bar | grep -c '^fo+[0-9]*(bar|baz)$'; echo x | grep -q y; echo $?", "1\n1\n", 0 },
        { NULL, NULL, 0 },
    };

    run(scripts);
}

const struct test shell_tests[] = {
    { "shell_words", shell_words }, { "shell_control", shell_control }, { "shell_pipes", shell_pipes },
    { "small_programs", small_programs }, { 0 },
};
