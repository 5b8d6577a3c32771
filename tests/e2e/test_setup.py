"""scripts/setup.sh with a missing package. Nothing is installed: apt-get and sudo are stubs."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Setup(unittest.TestCase):
    def need(self, *packages):
        with tempfile.TemporaryDirectory() as directory:
            for name in ("apt-get", "sudo"):
                stub = pathlib.Path(directory, name)
                stub.write_text('#!/bin/sh\necho "$(basename "$0") $*" >&2\n')
                stub.chmod(0o755)
            # With -e, as in scripts/run: a failing command ends the script.
            return subprocess.run(["bash", "-euc", '. "$0/scripts/setup.sh"; need "$@"; echo went on', ROOT, *packages],
                                  env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"},
                                  capture_output=True, text=True, timeout=120)

    def test_missing_packages_are_named_and_installed(self):
        ended = self.need("bash", "no-such-package-of-ringpost")
        self.assertIn("installing: no-such-package-of-ringpost", ended.stderr)
        self.assertIn("install -qq -y", ended.stderr)
        self.assertEqual(ended.stdout, "went on\n")

    def test_does_nothing_if_nothing_is_missing(self):
        ended = self.need("bash")
        self.assertEqual(ended.stderr, "")
        self.assertEqual(ended.stdout, "went on\n")


if __name__ == "__main__":
    unittest.main()
