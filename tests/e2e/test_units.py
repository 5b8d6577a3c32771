"""The services of systemd: their files are valid and strict, and the commands work under their filters of system calls."""

import errno
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import support
from seccomp_filter import refuse
from support import Background, run, udp_socket

EXPOSURE_MAX = 20  # of 100; systemd calls up to 20 "OK"
UNISTD = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
IO_URING_SETUP, SOCKET = 425, 41
AF_UNIX, AF_PACKET = 1, 17
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def units():
    return sorted((pathlib.Path(support.binary).parent / "package").glob("ringpost-*.service"))


def value(unit, key):
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.M)


def calls_in(group):
    """The names in a group such as @system-service, as systemd expands it."""
    names = set()
    text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
    for word in re.findall(r"^    (@?\w[\w-]*|@[\w-]+)$", text, re.M):
        names |= calls_in(word) if word.startswith("@") else {word}
    return names


def allowed_calls(unit):
    """The names that the lines SystemCallFilter= of a service leave."""
    allowed = set()
    for line in value(unit, "SystemCallFilter"):
        for word in line.lstrip("~").split():
            names = calls_in(word) if word.startswith("@") else {word}
            allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def confined(filtered):
    """A preexec function: also without memory that is writable and executable, where the kernel can refuse it."""
    def install():
        support.libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
        filtered()

    return install


class Units(unittest.TestCase):
    def setUp(self):
        if not units():
            self.skipTest("a build with sanitizers has no services")
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze is not installed")

    def test_are_valid_and_strict(self):
        self.assertEqual([unit.stem for unit in units()], ["ringpost-echo", "ringpost-node", "ringpost-sink"])
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for unit in units():
            # The program is not installed where the unit expects it.
            copy = directory / unit.name
            copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={support.binary}", unit.read_text(), flags=re.M))
            verified = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy],
                                      capture_output=True, text=True)
            self.assertEqual((verified.returncode, verified.stdout + verified.stderr), (0, ""), unit.name)
            rated = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", copy],
                                   capture_output=True, text=True)
            self.assertEqual(rated.returncode, 0, rated.stdout + rated.stderr)

    def test_options_parse(self):
        for unit in units():
            command = value(unit, "ExecStart")[0].split()[1]
            options = value(unit, "Environment")[0].strip('"').removeprefix("OPTIONS=").replace("%H", "host")
            self.assertEqual(run(command, *options.split(), "--help").code, 0)

    def test_commands_work_under_the_filter(self):
        if not UNISTD.exists():
            self.skipTest(f"{UNISTD} is not installed")
        numbers = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", UNISTD.read_text())}
        sink = next(unit for unit in units() if unit.stem == "ringpost-sink")
        allowed = allowed_calls(sink)
        refused = [(number,) for name, number in numbers.items() if name not in allowed]
        self.assertGreater(len(refused), 50)
        self.assertNotIn("AF_UNIX", value(sink, "RestrictAddressFamilies")[0])
        families = [(SOCKET, AF_UNIX), (SOCKET, AF_PACKET)]
        without = {"uring": confined(refuse(errno.EPERM, *refused, *families)),
                   "mmsg": confined(refuse(errno.EPERM, *refused, *families, (IO_URING_SETUP,)))}
        try:
            run("--version", preexec=without["uring"])
        except Exception as error:
            self.skipTest(f"seccomp filters are not permitted: {error}")
        for backend, filtered in without.items():
            with Background("sink", "--port", 0, "--json", preexec=filtered) as server:
                port = server.port()
                with udp_socket() as sock:
                    sock.sendto(b"anything", ("127.0.0.1", port))
                    support.until_read(port)
                done = server.stop()
            self.assertEqual((done.summary()["backend"], done.summary()["received"]), (backend, 1), done)
            remarks = [line for line in done.err.splitlines() if "sandbox" in line or "io_uring" in line]
            self.assertEqual(len(remarks), 0 if backend == "uring" else 1, done)
