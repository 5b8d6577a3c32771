"""Completions in the shells themselves, and manual pages as their formatters read them."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import run

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
complete -p ringpost >/dev/null || exit 1
_ringpost
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script_of(shell):
    done = run("--generate", shell)
    assert done.code == 0, done
    return done.out


class Bash(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.script = self.directory / "ringpost"
        self.script.write_text(script_of("bash"))

    def complete(self, *words):
        done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", self.script, "ringpost", *words],
                              capture_output=True, text=True, check=True, cwd=self.directory)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_subcommands_and_options(self):
        self.assertEqual(self.complete("lo"), ["load"])
        self.assertEqual(self.complete("load", "--ba"), ["--backend"])
        self.assertEqual(self.complete("help", "lat"), ["latency"])
        self.assertEqual(self.complete("message", ""), ["send", "listen", "chat", "-h", "--help"])
        self.assertEqual(self.complete("message", "send", "--sta"), ["--status"])
        self.assertEqual(self.complete("message", "listen", "--sta"), [])
        self.assertIn("--generate", self.complete("-"))

    def test_values(self):
        self.assertEqual(self.complete("load", "--backend", ""), ["auto", "mmsg", "uring"])
        self.assertEqual(self.complete("load", "--backend", "=", "u"), ["uring"])
        self.assertEqual(self.complete("load", "--backend", "="), ["auto", "mmsg", "uring"])
        self.assertEqual(self.complete("load", "--to", ""), [])
        # A value is not a subcommand.
        self.assertEqual(self.complete("node", "--name", "load", "--answer-t"), ["--answer-timeout"])

    def test_files(self):
        (self.directory / "runs").mkdir()
        (self.directory / "rates.csv").touch()
        self.assertEqual(sorted(self.complete("load", "--profile", "r")), ["rates.csv", "ringpost", "runs"])
        self.assertEqual(self.complete("load", "--out", "r"), ["runs"])
        self.assertEqual(self.complete("compare", ""), ["runs"])
        self.assertEqual(self.complete("compare", "--tol"), ["--tolerance"])


class Zsh(unittest.TestCase):
    def setUp(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.directory / "_ringpost").write_text(script_of("zsh"))

    def test_is_a_script(self):
        subprocess.run(["zsh", "-f", "-n", self.directory / "_ringpost"], check=True)


class Manual(unittest.TestCase):
    def test_formatters_find_no_fault(self):
        formatters = [command for command in (["mandoc", "-T", "lint", "-W", "warning"],
                                              ["groff", "-man", "-ww", "-z", "-rCHECKSTYLE=3"]) if shutil.which(command[0])]
        if not formatters:
            self.skipTest("neither mandoc nor groff is installed")
        root = run("--generate", "man").out
        names = ["", *re.findall(r"^\.BR ringpost\\-(\S+) \(1\)", root, re.M)]
        self.assertGreater(len(names), 15)
        for name in names:
            page = run("--generate", f"man:{name}".replace("\\", "") if name else "man").out
            for command in formatters:
                done = subprocess.run(command, input=page, capture_output=True, text=True)
                # A page of a version is not dated, so that the same source gives the same page.
                faults = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]
                self.assertEqual(faults, [], name)
