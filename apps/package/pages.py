#!/usr/bin/env python3
"""pages.py RINGPOST DIR: writes the manual pages of the command, the one of each subcommand as `ringpost --generate` prints
it. The page of the command itself ends with a list of the others.
"""

import pathlib
import re
import subprocess
import sys


def page(ringpost, what):
    return subprocess.run([ringpost, "--generate", what], stdout=subprocess.PIPE, text=True, check=True).stdout


def main(ringpost, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(exist_ok=True)
    root = page(ringpost, "man")
    (directory / "ringpost.1").write_text(root)
    for name in re.findall(r"^\.BR ringpost\\-(\S+) \(1\)", root, re.M):
        name = name.replace("\\-", "-")
        (directory / f"ringpost-{name}.1").write_text(page(ringpost, f"man:{name}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
