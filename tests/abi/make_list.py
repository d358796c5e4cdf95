#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_list.py: everything that our ABI headers define, as one list that two compilers then evaluate.

Claim (SPEC 1): hypercall-abi/ has the layouts and numbers of Xen 4.17. ours.c and xens.c include the list
that this program writes, the one with our headers before it and the other with Debian's libxen-dev, and
compare.py sets the two side by side. The list is read out of the headers themselves, so no structure and no
constant can be forgotten: what is not Xen's has to stand in ours_only.txt, with a reason, and a piece of
header that this program does not understand is an error, not a gap.

    make_list.py CC ROOT OURS_ONLY CALLS > list.def

Rows: SIZE(type)  MEMBER(type, member)  OFFSET(type, flexible_member)  CONST(name)  TEXT(name)  CALL(expression)
"""
import os
import re
import subprocess
import sys


class Refused(Exception):
    pass


def headers(root):
    base = os.path.join(root, "hypercall-abi")
    found = []
    for folder in (base, os.path.join(base, "io")):
        found += [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".h")]
    return [os.path.relpath(f, root) for f in found if not f.endswith("guest_stubs.h")]


def macros(path):
    """(name, is_function_like, body) of each #define outside include guards."""
    text = open(path).read()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    seen = {}
    for line in text.split("\n"):
        m = re.match(r"\s*#\s*define\s+(\w+)(\(?)(.*)", line)
        if not m or m.group(1).startswith("ENSO_ABI_"):
            continue
        if m.group(1) in ("H", "HX", "E", "EA") or re.fullmatch(r"H\d", m.group(1)):
            continue
        seen[m.group(1)] = (m.group(2) == "(", m.group(3).strip())
    return seen


def preprocessed(cc, root, path):
    """The header's own text after preprocessing, expanded macros included, other files' text left out."""
    out = subprocess.run(cc.split() + ["-std=gnu11", "-ffreestanding", "-E", "-I" + root, "-x", "c",
                                       os.path.join(root, path)],
                         check=True, capture_output=True, text=True).stdout
    keep, mine = [], False
    for line in out.split("\n"):
        m = re.match(r'# \d+ "([^"]+)"', line)
        if m:
            name = m.group(1)
            name = "/" + name
            mine = "hypercall-abi/" in name and (name.endswith("/" + path) or
                                              (name.endswith(".def") and re.search(r"/(hypercall|errno)\.h$", path)))
        elif mine:
            keep.append(line)
    return " ".join(keep)


TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d\w*|<<|>>|[-+*/%&|^~!<>=?:;,.(){}\[\]])')


def tokens(text):
    got, at = [], 0
    text = text.rstrip()
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Refused("cannot read: " + text[at:at + 60])
        got.append(m.group(1))
        at = m.end()
    return got


class Parser:
    """The small part of C that an ABI header is written in."""

    def __init__(self, toks, rows):
        self.t, self.i, self.rows = toks, 0, rows

    def peek(self, ahead=0):
        return self.t[self.i + ahead] if self.i + ahead < len(self.t) else ""

    def take(self, want=None):
        tok = self.peek()
        if want is not None and tok != want:
            raise Refused("expected %r, found %r near: %s" % (want, tok, " ".join(self.t[self.i - 8:self.i + 8])))
        self.i += 1
        return tok

    def skip_group(self, opening, closing):
        self.take(opening)
        depth = 1
        while depth:
            tok = self.take()
            if tok == "":
                raise Refused("unbalanced " + opening)
            depth += (tok == opening) - (tok == closing)

    def attributes(self):
        while self.peek() == "__attribute__":
            self.take()
            self.skip_group("(", ")")

    def file(self):
        while self.peek():
            self.declaration()

    def declaration(self):
        tok = self.peek()
        if tok == ";":
            self.take()
        elif tok == "typedef":
            self.typedef()
        elif tok == "static":
            while self.peek() != "{":
                self.take()
            self.skip_group("{", "}")
        elif tok == "enum":
            self.enum()
        elif tok in ("struct", "union"):
            kind, tag = self.take(), self.take()
            if self.peek() != "{":
                raise Refused("a variable in a header, or a forward declaration: %s %s" % (kind, tag))
            self.aggregate("%s %s" % (kind, tag))
            self.take(";")
        else:
            raise Refused("declaration begins with %r" % tok)

    def typedef(self):
        self.take("typedef")
        last = ""
        while self.peek() != ";":
            if self.peek() == "[":
                self.skip_group("[", "]")
            elif self.peek() == "(":
                raise Refused("typedef of a function")
            else:
                last = self.take()
        self.take(";")
        self.rows.append(("SIZE", last))

    def enum(self):
        self.take("enum")
        if self.peek() != "{":
            self.take()
        self.take("{")
        while self.peek() != "}":
            self.rows.append(("CONST", self.take()))
            while self.peek() not in (",", "}"):
                self.take()
            if self.peek() == ",":
                self.take()
        self.take("}")
        self.take(";")

    def aggregate(self, name):
        self.rows.append(("SIZE", name))
        self.members(name, "")
        self.attributes()

    def members(self, owner, prefix):
        self.take("{")
        while self.peek() != "}":
            self.member(owner, prefix)
        self.take("}")

    def member(self, owner, prefix):
        inner = None
        while self.peek() in ("const", "volatile", "unsigned", "signed"):
            self.take()
        if self.peek() in ("struct", "union"):
            kind = self.take()
            tag = self.take() if self.peek() != "{" else ""
            if self.peek() == "{":
                inner = self.i
                if tag:
                    self.aggregate("%s %s" % (kind, tag))
                else:
                    self.skip_group("{", "}")
        else:
            self.take()
            while re.match(r"[A-Za-z_]", self.peek()) and self.peek(1) not in (",", ";", "["):
                self.take()
        if self.peek() == ";":
            raise Refused("anonymous member in " + owner)
        while True:
            flexible = False
            while self.peek() == "*":
                self.take()
            name = self.take()
            while self.peek() == "[":
                flexible = flexible or self.peek(1) == "]"
                self.skip_group("[", "]")
            self.rows.append(("OFFSET" if flexible else "MEMBER", owner, prefix + name))
            if inner is not None:
                back, self.i = self.i, inner
                self.members(owner, prefix + name + ".")
                self.i = back
            if self.peek() != ",":
                break
            self.take(",")
        self.take(";")


def read_names(path):
    names = {}
    for line in open(path):
        line = line.split("#")
        if line[0].strip():
            if len(line) < 2 or not line[1].strip():
                raise Refused("%s: '%s' stands there without a reason" % (path, line[0].strip()))
            names[line[0].strip()] = line[1].strip()
    return names


def row_name(row):
    if row[0] in ("MEMBER", "OFFSET"):
        return "%s.%s" % (row[1], row[2])
    return row[1]


def is_ours(row, ours, used):
    name = row_name(row)
    candidates = [name] + ([row[1]] if len(row) > 2 else [])
    for c in candidates:
        if c in ours:
            used.add(c)
            return True
        if re.match(r"(struct )?(ENSO_|enso_)", c):
            return True
    return False


def main(cc, root, ours_path, calls_path):
    ours, used, rows, problems = read_names(ours_path), set(), [], []
    calls = [line.strip() for line in open(calls_path) if line.strip() and not line.startswith("#")]
    for path in headers(root):
        mine = []
        try:
            Parser(tokens(preprocessed(cc, root, path)), mine).file()
        except Refused as e:
            problems.append("%s: %s" % (path, e))
        for name, (is_call, body) in macros(os.path.join(root, path)).items():
            if is_call:
                if not any(re.match(name + r"\b", c) for c in calls) and not is_ours(("CONST", name), ours, used):
                    problems.append("%s: macro %s(...) has no sample in %s" % (path, name, calls_path))
            elif body:
                mine.append(("TEXT" if '"' in body or "EMULATE_PREFIX" in body else "CONST", name))
        rows += mine
    kept, seen = [], set()
    for row in rows:
        if not is_ours(row, ours, used) and row not in seen:
            seen.add(row)
            kept.append(row)
    for name in sorted(set(ours) - used):
        problems.append("%s: %s is in no header (any more)" % (ours_path, name))
    if problems:
        sys.exit("\n".join(problems))
    print("/* Made by tests/abi/make_list.py from hypercall-abi/: do not edit. */")
    for row in kept:
        print("%s(%s)" % (row[0], ", ".join(row[1:])))
    for call in calls:
        print("CALL(%s)" % call)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as e:
        sys.exit(str(e))
