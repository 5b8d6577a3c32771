"""ringpost key: keys, their files, and what is refused."""

import base64
import os
import pathlib
import subprocess
import tempfile
import unittest

import support
from support import run


def key_command(role, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
    return subprocess.run([support.binary, "key", role], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          timeout=support.patience_s)


class Keys(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def public_of(self, content, mode=0o600):
        path = self.directory / "secret.key"
        path.write_bytes(content)
        path.chmod(mode)
        with path.open() as stdin:
            return key_command("public", stdin)

    def test_new_keys_are_32_random_bytes(self):
        keys = [run("key", role).out for role in ("new", "new", "shared", "shared")]
        self.assertEqual(len(set(keys)), 4)
        for key in keys:
            self.assertEqual(len(key), 45)
            self.assertEqual(len(base64.b64decode(key.strip(), validate=True)), 32)

    def test_a_file_becomes_private(self):
        for role in ("new", "shared"):
            path = self.directory / role
            with path.open("w") as out:
                path.chmod(0o644)
                self.assertEqual(key_command(role, stdout=out).returncode, 0)
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            self.assertEqual(len(path.read_text()), 45)

    def test_public_keys_are_those_of_x25519(self):
        # RFC 7748, section 6.1.
        secret = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        public = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        done = self.public_of(b"# of b\r\n" + base64.b64encode(secret) + b"\r\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(base64.b64decode(done.stdout), public)

    def test_a_pipe_has_no_mode(self):
        secret = run("key", "new").out
        done = subprocess.run([support.binary, "key", "public"], input=secret, capture_output=True, text=True)
        self.assertEqual((done.returncode, len(done.stdout), done.stderr), (0, 45, ""))

    def test_faults_are_one_line(self):
        key = base64.b64encode(bytes(32))
        for content, mode, fault in (
                (key, 0o644, "its mode is 0644, so that others can use the key; set it to 0600"),
                (key, 0o640, "its mode is 0640, so that others can use the key; set it to 0600"),
                (b"", 0o600, "has no key"),
                (b"# none\n", 0o600, "has no key"),
                (b"\nkey\n", 0o600, "line 2: the key is not base64"),
                (key[4:], 0o600, "line 1: the key does not have 32 bytes"),
                (key + b"\n" + key, 0o600, "line 2: a second key"),
                (b"#" * 20_000, 0o600, "has 16384 bytes or more")):
            with self.subTest(fault):
                done = self.public_of(content, mode)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr, f"ringpost: standard input: {fault}\n")

    def test_a_closed_output_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = key_command("new", stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_usage(self):
        self.assertEqual(run("key").code, 2)
        self.assertEqual(run("key", "old").code, 2)
        self.assertIn("0600", run("key", "new", "--help").out)
