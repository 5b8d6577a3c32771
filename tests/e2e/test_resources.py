"""Commands without enough descriptors, threads or memory end in order and name the limit."""

import os
import pathlib
import resource
import shutil
import tempfile
import unittest
import unittest.mock

import support
from support import die_with_parent, run

commands = (("discover", "--interface", "lo", "--duration", "1ms"), ("load", "--self", "--duration", "10ms"),
            ("latency", "--self", "--duration", "10ms"), ("beacon", "--port", "0", "--duration", "1ms"),
            ("send", "--to", "127.0.0.1:9", "text", "--timeout", "1ms"))
nobody = 65534


def limited(limit, most, user=None):
    def prepare():
        die_with_parent()
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        resource.setrlimit(limit, (most, most))

    return prepare


class Limits(unittest.TestCase):
    def setUp(self):
        # LeakSanitizer starts a process when the command ends.
        set_options = unittest.mock.patch.dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        set_options.start()
        self.addCleanup(set_options.stop)

    def check(self, done, option):
        """Either it was enough, or one line names the limit."""
        if f"ulimit -{option}" not in done.err:
            self.assertNotIn(done.code, (-6, -11), done)
            self.assertNotRegex(done.err, "(?i)too many open files|no interface|there is none|no such|temporarily|bad_alloc", done)
            return False
        # The peer of --self prints the line; its end is the error of the command.
        self.assertEqual((done.code, len(done.err.splitlines())), (1, 2 if "the peer has exited" in done.err else 1), done)
        return True

    def test_descriptors(self):
        for command in commands:
            named = [self.check(run(*command, preexec=limited(resource.RLIMIT_NOFILE, most)), "n")
                     for most in (4, 5, 7, 9)]
            self.assertTrue(any(named), command)

    def test_threads(self):
        if os.geteuid() != 0:
            self.skipTest("only root can start a process of a user that has no others")
        binary = support.binary
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            support.binary = shutil.copy(binary, pathlib.Path(folder) / "ringpost")
            try:
                for command in (commands[0], ("load", "--self", "--duration", "10ms", "--threads", "4")):
                    done = run(*command, preexec=limited(resource.RLIMIT_NPROC, 1, nobody))
                    self.assertTrue(self.check(done, "u"), done)
                for most in (2, 3, 5):  # the console of a node has threads, too
                    done = run("node", "--name", "a", "--interface", "lo", "--answer", "cat",
                               preexec=limited(resource.RLIMIT_NPROC, most, nobody))
                    self.assertTrue(done.code == 1 and "ulimit -u" in done.err.splitlines()[-1], done)
            finally:
                support.binary = binary

    def test_memory(self):
        if b"__asan_init" in pathlib.Path(support.binary).read_bytes():
            self.skipTest("a sanitizer needs the address space")
        for command in commands[:2]:
            named = []
            for mebibytes in (24, 32, 48, 96):
                done = run(*command, preexec=limited(resource.RLIMIT_AS, mebibytes << 20))
                if "loading shared libraries" not in done.err:
                    named.append(self.check(done, "v"))
            self.assertTrue(any(named), command)
