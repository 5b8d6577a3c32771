#!/usr/bin/env python3
"""check_types.py PACKAGE CACHE: the Python package passes mypy in strict mode."""

import pathlib
import shutil
import subprocess
import sys

package, cache = map(pathlib.Path, sys.argv[1:])
mypy = shutil.which("mypy", path="/usr/bin")
if mypy is None:
    print("mypy is not installed")
    sys.exit(77)  # skipped
sys.exit(subprocess.run([mypy, "--strict", "--python-version", "3.9", "--cache-dir", cache, "-p", "ringpost"],
                        cwd=package).returncode)
