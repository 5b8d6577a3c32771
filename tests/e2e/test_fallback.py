"""The fallback to mmsg where io_uring is refused, as by the seccomp filter of a container."""

import ctypes
import errno
import struct
import unittest

from support import Background, die_with_parent, libc, run, udp_socket

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
BPF_LD_W_ABS, BPF_JEQ, BPF_RET = 0x20, 0x15, 0x06
IO_URING_SETUP = 425  # the same on every architecture


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse_io_uring(error):
    """A preexec function that makes io_uring_setup fail with `error`."""
    code = b"".join(struct.pack("HBBI", *step) for step in (
        (BPF_LD_W_ABS, 0, 0, 0),  # the number of the system call
        (BPF_JEQ, 0, 1, IO_URING_SETUP),
        (BPF_RET, 0, 0, SECCOMP_RET_ERRNO | error),
        (BPF_RET, 0, 0, SECCOMP_RET_ALLOW)))
    memory = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(memory))

    def install():
        die_with_parent()
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")

    install.keeps = memory, program  # alive as long as the function
    return install


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
