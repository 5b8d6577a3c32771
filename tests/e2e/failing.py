"""Makes the k-th system call of a kind fail (with strace), or the n-th allocation (with failing_allocations.so)."""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading

import support
from support import die_with_parent

# The errors that each call can have on a working system.
errors = {
    "socket": "EMFILE ENFILE ENOBUFS ENOMEM EACCES EAFNOSUPPORT",
    "bind": "EADDRINUSE EACCES EADDRNOTAVAIL ENOMEM",
    "listen": "EADDRINUSE",
    "connect": "ENETUNREACH ECONNREFUSED EACCES EADDRNOTAVAIL",
    "setsockopt": "ENOPROTOOPT EPERM ENOBUFS ENOMEM ENODEV",
    "getsockname": "ENOBUFS",
    "getsockopt": "ENOPROTOOPT",
    "accept4": "EMFILE ENFILE ECONNABORTED ENOBUFS EINTR",
    "recvmmsg": "ENOMEM ECONNREFUSED EINTR ENOBUFS",
    "recvmsg": "ENOMEM ECONNREFUSED EINTR",
    "sendmmsg": "ENOBUFS EPERM ENETUNREACH EIO EINTR",
    "sendmsg": "ENOBUFS EPERM EHOSTUNREACH EIO EINTR",
    "io_uring_setup": "ENOMEM EPERM ENOSYS EMFILE EINVAL",
    "io_uring_enter": "EINTR EAGAIN EBUSY ENOMEM",
    "io_uring_register": "EINVAL ENOMEM EPERM",
    "epoll_create1": "EMFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC",
    "epoll_wait": "EINTR",
    "epoll_pwait2": "EINTR ENOSYS",
    "eventfd2": "EMFILE ENFILE ENOMEM",
    "poll": "EINTR ENOMEM",
    "openat": "EMFILE ENFILE ENOENT EACCES ENOMEM",
    "read": "EIO EINTR",
    "write": "EIO EPIPE ENOSPC EINTR EAGAIN",
    "mmap": "ENOMEM",
    "mprotect": "ENOMEM",
    "madvise": "ENOMEM EINVAL",
    "clone3": "EAGAIN ENOMEM ENOSYS",
    "prctl": "EINVAL EPERM",
    "seccomp": "EINVAL EACCES ENOMEM",
    "landlock_create_ruleset": "ENOSYS EOPNOTSUPP",
    "landlock_restrict_self": "E2BIG EPERM",
    "prlimit64": "EPERM",
    "getrandom": "EINTR",
    "fcntl": "EBADF EPERM",
    "sched_getaffinity": "EINVAL",
    "futex": "EINTR EAGAIN",
    "rt_sigaction": "EINVAL",
    "unlink": "EACCES",
    "mkdir": "ENOSPC EACCES",
}
first_of_main = "fcntl(0, F_GETFD)"

# What starts, does a little, and ends; a server ends by SIGTERM.
few = ("--rate", "1k", "--duration", "10ms")
finite = [("load", "--self", *few), ("load", "--self", "--transport", "gtudp", *few), ("latency", "--self", *few),
          ("beacon", "--port", "0", "--duration", "1ms"),
          ("discover", "--interface", "lo", "--duration", "1ms"),
          ("send", "--to", "127.0.0.1:9", "text", "--timeout", "1ms")]
servers = [("echo", "--port", "0"), ("echo", "--port", "0", "--transport", "gtudp"), ("sink", "--port", "0"),
           ("recv", "--port", "0"), ("relay", "--listen", "0", "--to", "127.0.0.1:9"),
           ("message", "listen", "--bind", "127.0.0.1"), ("node", "--name", "a", "--interface", "lo"),
           ("beacon", "--port", "0")]


def commands(backend):
    return [(*command, "--backend", backend) for command in finite + servers]


def is_server(command):
    return command[:-2] in servers


class Life:
    """A command from its start to its end, which is awaited for `patience_s`."""

    def __init__(self, command, by=(), environment=None):
        self.command = command
        self.process = subprocess.Popen([*by, support.binary, *command, "--json"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent, env=os.environ | (environment or {}))
        self.hung = False
        watchdog = threading.Timer(support.patience_s, self.kill)
        watchdog.start()
        head = self.talk_to_it() if is_server(command) else ""
        out, self.err = self.process.communicate()
        watchdog.cancel()
        self.out, self.code = head + out, self.process.returncode

    def kill(self):
        self.hung = True
        self.process.kill()

    def talk_to_it(self):
        """Sends it what no protocol knows, and ends it once it listens."""
        line = self.process.stdout.readline()
        with contextlib.suppress(ValueError, KeyError, OSError), socket.socket(type=socket.SOCK_DGRAM) as sock:
            event = json.loads(line)
            for _ in range(3):
                sock.sendto(b"anything", ("127.0.0.1", event["port"]))
        self.process.send_signal(signal.SIGTERM)
        return line

    def wrong(self):
        """What is not as promised: a documented exit code, and a last line with the reason of a failure."""
        lines = self.err.splitlines()
        if self.hung:
            return "it did not end"
        if self.code not in (0, 1, 2, 3, 4, 5, 143):
            return f"exit {self.code}"
        if not all(line.startswith("ringpost: ") for line in lines):
            return "a line that is not of the command"
        if self.code not in (0, 143) and (not lines or "listening on" in lines[-1]):
            return "no line with a reason"
        return ""

    def __str__(self):
        return f"ringpost {' '.join(self.command)}: exit {self.code}\n{self.out}{self.err}"


def permitted():
    """Whether strace may trace and inject here."""
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "-e",
                               "inject=getpid:error=EPERM", "true"], capture_output=True)
        return done.returncode == 0
    return False


class Traced:
    """A command under strace. `inject` is CALL:error=ERROR:when=K."""

    def __init__(self, command, inject=None):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            calls = inject.split(":")[0] if inject else ",".join(errors)
            options = ["-e", f"inject={inject}"] if inject else []
            self.life = Life(command, ["strace", "-D", "-f", "-q", "--seccomp-bpf", "-e", "signal=none", "-o", log,
                                       "-e", f"trace={calls}", *options])
            # The tracer, which is no child of this process, may end a little later.
            ended = re.compile(rf"^{self.life.process.pid} +\+\+\+", re.M)
            support.until(lambda: ended.search(log.read_text()), "the trace is complete")
            self.lines = log.read_text().splitlines()

    def injected(self):
        return any("(INJECTED)" in line for line in self.lines)

    def calls_of_main(self):
        """The calls of main() and what it starts: (name, number from the start of the program), in order."""
        numbers, calls = collections.Counter(), []
        started = False
        for line in self.lines:
            started = started or first_of_main in line
            if found := re.match(r"\d+ +(\w+)\(", line):
                numbers[found[1]] += 1
                if started:
                    calls.append((found[1], numbers[found[1]]))
        return calls
