#!/usr/bin/env python3
"""check_bionic.py NM LIST OBJECTS.txt: the objects need nothing that Android lacks at API level 28.

OBJECTS.txt names compiled objects, one a line, of a build for this system. What none of them defines must be in LIST, once glibc's own names
for standard functions are told back to those. A last line says how many names were looked at.
"""
import fnmatch
import re
import subprocess
import sys

# What glibc's headers make of standard names.
GLIBC = {
    "__errno_location": "__errno",
    "__assert_fail": "__assert2",
    "__sysv_signal": "signal",
    "__ctype_tolower_loc": "tolower",
    "__ctype_toupper_loc": "toupper",
    "__ctype_b_loc": "isalpha",
    "__sigsetjmp": "sigsetjmp",
    "__xpg_strerror_r": "strerror_r",
    "__memcpy_chk": "memcpy",
}
VARIANTS = (re.compile(r"__isoc(?:99|23)_(\w+)"), re.compile(r"__(\w+)_chk"))
# Of the linker and of compilers' instrumentation.
OURS = re.compile(r"_GLOBAL_OFFSET_TABLE_|__(start|stop)_\w+|__tls_get_addr|__(asan|ubsan|sanitizer|lsan|gcov)_\w+")


def standard(name):
    for pattern in VARIANTS:
        if match := pattern.fullmatch(name):
            return GLIBC.get(name, match[1])
    return GLIBC.get(name, name)


def main():
    nm, list_path, objects_path = sys.argv[1:]
    with open(list_path, encoding="utf-8") as file:
        offered = {name for line in file for name in line.split("#")[0].split()}
    patterns = [name for name in offered if "*" in name]
    with open(objects_path, encoding="utf-8") as file:
        objects = file.read().split("\n")
    objects = [name for name in objects if name]
    text = subprocess.run([nm, "-A", "-P", "--", *objects], capture_output=True, text=True, check=True).stdout
    defined, wanted = set(), {}
    for line in text.splitlines():
        where, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        if kind in "Uwv":
            wanted.setdefault(name, where)
        else:
            defined.add(name)
    foreign = {name: where for name, where in wanted.items() if name not in defined and not OURS.fullmatch(name)}
    if not foreign:
        sys.exit(f"failed: expected {len(objects)} objects to need something, got nothing")
    lacking = {
        name: where
        for name, where in foreign.items()
        if standard(name) not in offered and not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    for name, where in sorted(lacking.items()):
        print(f"{where}: {standard(name)}: expected a name that Android offers at API level 28 (see {list_path}); use another, or look it up")
    if lacking:
        sys.exit(f"failed: {len(lacking)} of {len(foreign)} names are not Android's")
    print(f"{len(foreign)} names that {len(objects)} objects need are offered")


main()
