#!/usr/bin/env python3
"""check.py AGENTS_CHECK: runs it alone and as four agents, and checks that one agent can end all."""

import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # to meson
AGENTS = 4
ABORT_CODE = 7
PATIENCE_S = 120
# Allow more agents than cores and, as in containers, root. Do not read another process's memory: containers forbid it.
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--mca", "btl_vader_single_copy_mechanism", "none",
          "-n", str(AGENTS)]


def run(command, *args):
    with tempfile.NamedTemporaryFile() as file:
        done = subprocess.run([*command, *args], env={**os.environ, "AGENTS_CHECK_FILE": file.name},
                              capture_output=True, text=True, timeout=PATIENCE_S)
    print(f"$ {' '.join([*command, *args])}: exit {done.returncode}\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode


def mpirun(*args):
    """The exit code of mpirun. A signal ends mpirun itself only when it crashes: then once more."""
    for _ in range(3):
        code = run([*MPIRUN, *args])
        if code >= 0:
            break
    return code


def main():
    program = sys.argv[1]
    assert run([program], "1") == 0
    assert run([program], "1", "abort") == 0, "alone it returns"
    if shutil.which("mpirun") is None:
        print("skipped: mpirun is not installed")
        return SKIPPED
    assert mpirun(program, str(AGENTS)) == 0
    assert mpirun(program, str(AGENTS), "abort") == ABORT_CODE
    assert mpirun(program, str(AGENTS), "throw") == 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
