"""scripts/setup.sh with a missing package. Nothing is installed: apt-get and sudo are stubs."""

import os
import pathlib
import shutil
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


class Mpi(unittest.TestCase):
    """scripts/run with stubs for the programs that it calls."""

    def configured(self, mpi):
        with tempfile.TemporaryDirectory() as directory:
            clone, stubs = pathlib.Path(directory, "clone"), pathlib.Path(directory, "stubs")
            for name in ("scripts/run", "scripts/setup.sh", "build/release/apps/ringpost"):
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
            for name in ("run", "setup.sh"):
                shutil.copy(ROOT / "scripts" / name, clone / "scripts" / name)
            stubs.mkdir()
            scripts = {stubs / "pkg-config": f"exit {0 if mpi else 1}",
                       stubs / "dpkg-query": 'for p; do printf "installed:$p "; done',
                       stubs / "meson": f'echo "$*" >{directory}/asked; mkdir -p "$2/apps"; touch "$2/build.ninja"; '
                                        f'printf "#!/bin/sh\\necho \\$*" >"$2/apps/ringpost"; chmod +x "$2/apps/ringpost"',
                       stubs / "ninja": "exit 0"}
            for path, text in scripts.items():
                path.write_text(f"#!/bin/bash\n{text}\n")
                path.chmod(0o755)
            ended = subprocess.run([clone / "scripts" / "run"], env={**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}"},
                                   capture_output=True, text=True, timeout=120)
            self.assertEqual((ended.returncode, ended.stdout), (0, "load --self --find-max\n"), ended)
            return pathlib.Path(directory, "asked").read_text()

    def test_a_build_has_it_if_it_is_installed(self):
        self.assertIn("-Dmpi=enabled", self.configured(True))
        self.assertIn("-Dmpi=disabled", self.configured(False))


if __name__ == "__main__":
    unittest.main()
