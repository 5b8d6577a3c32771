#!/usr/bin/env python3
"""hardening.py BINARY: checks how the command was compiled and linked, as readelf shows it."""

import platform
import re
import subprocess
import sys


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], capture_output=True, text=True, check=True).stdout


def begins_with_endbr64(binary):
    """Whether main() does. The notes IBT and SHSTK are there only where the startup files of the C library have them too,
    which Debian's do not.
    """
    address = int(re.search(r"\s([0-9a-f]{16})\s.* main$", readelf("--syms", binary), re.M)[1], 16)
    for offset, start, size in re.findall(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+)", readelf("--segments", binary)):
        if int(start, 16) <= address < int(start, 16) + int(size, 16):
            with open(binary, "rb") as file:
                file.seek(int(offset, 16) + address - int(start, 16))
                return file.read(4) == b"\xf3\x0f\x1e\xfa"
    return False


def main(binary):
    header, segments = readelf("--file-header", binary), readelf("--segments", binary)
    dynamic, symbols = readelf("--dynamic", binary), readelf("--dyn-syms", binary)
    checks = {
        "position independent": re.search(r"Type:\s+DYN", header) and "PIE" in dynamic,
        "read-only relocations (RELRO)": "GNU_RELRO" in segments,
        "bound at start (BIND_NOW)": re.search(r"\(FLAGS\)\s+.*BIND_NOW|\(BIND_NOW\)", dynamic),
        "no executable stack": re.search(r"GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RW ", segments),
        "stack protector": "__stack_chk_fail" in symbols,
        "fortified calls": re.search(r"__\w+_chk\b", symbols.replace("__stack_chk", "")),
        "library assertions": "__glibcxx_assert_fail" in symbols,
    }
    if platform.machine() == "x86_64":
        checks["control-flow protection (CET)"] = begins_with_endbr64(binary)
    missing = [name for name, found in checks.items() if not found]
    for name in missing:
        print(f"{binary}: missing: {name}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
