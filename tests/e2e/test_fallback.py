"""The fallback to mmsg where io_uring is refused, as by the seccomp filter of a container."""

import errno
import unittest

from seccomp_filter import refuse
from support import Background, run, udp_socket

IO_URING_SETUP = 425  # the same on every architecture


def refuse_io_uring(error):
    """A preexec function that makes io_uring_setup fail with `error`."""
    return refuse(error, (IO_URING_SETUP,))


class Fallback(unittest.TestCase):
    def setUp(self):
        try:
            run("--version", preexec=refuse_io_uring(errno.EPERM))
        except Exception as error:
            self.skipTest(f"seccomp filters are not permitted: {error}")

    def notes(self, text):
        return [line for line in text.splitlines() if "io_uring" in line]

    def test_auto_falls_back_with_one_note(self):
        reasons = {errno.EPERM: ("EPERM", "kernel.io_uring_disabled", "seccomp"), errno.ENOSYS: ("ENOSYS", "seccomp"),
                   errno.ENOMEM: ("ENOMEM", "ulimit -l")}
        for error, parts in reasons.items():
            for command in (("load", "--self", "--rate", 1000, "--duration", "50ms"),
                            ("latency", "--self", "--count", 5)):
                done = run(*command, "--json", preexec=refuse_io_uring(error))
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.summary()["backend"], "mmsg")
                lines = self.notes(done.err)
                self.assertEqual(len(lines), 1, done)
                for part in (*parts, "mmsg"):
                    self.assertIn(part, lines[0])

    def test_servers_fall_back(self):
        for command in ("sink", "echo", "beacon"):
            with Background(command, "--port", 0, "--json", preexec=refuse_io_uring(errno.EPERM)) as server:
                server.port()
                done = server.stop()
                self.assertEqual(done.summary()["backend"], "mmsg")
                self.assertEqual(len(self.notes(done.err)), 1, done)

    def test_uring_fails_with_one_note(self):
        with udp_socket() as sock:
            to = f"127.0.0.1:{sock.getsockname()[1]}"
            for command in (("load", "--self"), ("load", "--to", to), ("latency", "--self"), ("latency", "--to", to),
                            ("sink", "--port", 0), ("echo", "--port", 0), ("beacon", "--port", 0)):
                with self.subTest(" ".join(map(str, command))):
                    done = run(*command, "--backend", "uring", preexec=refuse_io_uring(errno.EPERM))
                    self.assertEqual((done.code, done.out), (1, ""), done)
                    lines = self.notes(done.err)
                    self.assertEqual(len(lines), 1, done)
                    self.assertIn("EPERM", lines[0])

    def test_mmsg_does_not_try_io_uring(self):
        done = run("load", "--self", "--rate", 1000, "--duration", "50ms", "--backend", "mmsg", "--json",
                   preexec=refuse_io_uring(errno.EPERM))
        self.assertEqual((done.code, self.notes(done.err)), (0, []), done)
