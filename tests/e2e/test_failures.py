"""Each system call, and each allocation, that a command makes may fail once. The command goes on without, or ends in
order: one line names what failed, and a report that was begun is complete.

Two of every fourth command are tried. RINGPOST_FAILURES=all tries those of all commands, for half an hour; a regular
expression, those of the commands that match.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import unittest

import failing_calls
import support
from support import Background, udp_socket

# What a server receives: a frame of no protocol, gtUDP's DATA, a confirmed message, nothing, an advert.
DATAGRAMS = b"honest", b"\x1d\0\0\0\7x", b'{"message":1,"status":null}', b"", b"hello:,:b1"
CHOSEN = os.environ.get("RINGPOST_FAILURES", "")
library = os.environ.get("RINGPOST_ALLOCATIONS_LIBRARY")
SAMPLES = 2  # of each command
ALLOCATIONS_MAX = 200  # of each command, if all are tried
AT_ONCE = 3
USABLE = {0, 1, 2, 3, 4, 5, 128 + signal.SIGTERM}


class Command:
    """A command of the table, which can be run again and again. A server receives datagrams and is stopped."""

    def __init__(self, directory, *arguments, serves=False, json_output=True):
        self.directory, self.arguments = directory, arguments
        self.serves, self.json_output = serves, json_output

    def __str__(self):
        return " ".join(map(str, self.arguments)).replace(f"{self.directory}/", "")

    def run(self, preexec):
        with tempfile.TemporaryDirectory(dir=self.directory) as out:
            arguments = [out + "/out" if argument == "OUT" else argument for argument in self.arguments]
            arguments += ["--json"] if self.json_output else []
            with Background(*arguments, preexec=preexec) as process:
                if self.serves:
                    self.visit(process)
                return process.finish()

    @staticmethod
    def visit(server):
        listening = None
        while not listening:
            line = server.process.stdout.readline()
            if not line:  # it has ended
                return
            server.lines.append(line)
            listening = re.search('"listening".*"port":([0-9]+)', line)
        with udp_socket() as sock:
            sock.settimeout(0.02)
            for datagram in DATAGRAMS:
                sock.sendto(datagram, ("127.0.0.1", int(listening[1])))
            with contextlib.suppress(OSError):
                sock.recv(100)  # it runs; what it does with the others is up to it
        server.process.send_signal(signal.SIGTERM)
        server.lines += server.process.stdout.readlines()  # communicate() would not see what is buffered


def commands(directory, peer):
    (directory / "library.json").write_text(json.dumps({"a": {"id": 1, "format": "<B"}}))
    (directory / "secret").write_text(support.run("key", "shared").out)
    (directory / "secret").chmod(0o600)
    library = "--library", directory / "library.json"
    native = "--transport", "native", "--psk", directory / "secret"
    gtudp, mmsg, short = ("--transport", "gtudp"), ("--backend", "mmsg"), ("--duration", "20ms")
    runs = [directory / name for name in ("run1", "run2")]
    for kept in runs:
        support.run("latency", "--self", "--duration", "50ms", "--out", kept)
    to, port = ("--to", f"127.0.0.1:{peer}"), ("--port", 0, "--bind", "127.0.0.1")

    def client(*arguments, **more):
        return Command(directory, *arguments, **more)

    def server(*arguments):
        return Command(directory, *arguments, serves=True)

    return [
        client("beacon", *port, *short),
        client("discover", "--interface", "lo", *short),
        client("load", "--self", *short, "--out", "OUT"),
        client("load", "--self", *short, "--threads", 2),
        client("load", "--self", *short, "--prometheus", "127.0.0.1:0"),
        client("latency", "--self", *short, "--out", "OUT"),
        client("latency", "--self", *short, *mmsg),
        client("latency", "--self", *short, *gtudp),
        client("latency", "--self", *short, *native),
        client("send", *to, "text", "--patience", 0, "--sends", 2),
        client("send", *native, *to, "text", "--timeout", "50ms"),
        client("message", "send", *to, "text", "--timeout", "50ms", "--bind", "127.0.0.1"),
        client("struct", "send", *to, *library, "a", 1),
        client("key", "shared", json_output=False),
        client("merge", *runs, "--out", "OUT"),
        client("compare", *runs, json_output=False),
        server("echo", *port),
        server("echo", *port, *mmsg),
        server("echo", *port, "--threads", 2),
        server("echo", *port, *gtudp),
        server("echo", *port, *native),
        server("sink", *port),
        server("sink", *port, *native),
        server("recv", *port),
        server("recv", *port, *native),
        server("relay", "--listen", 0, "--bind", "127.0.0.1", *to),
        server("message", "listen", *port),
        server("struct", "listen", *port, *library),
        server("node", "--name", "a", "--interface", "lo", "--answer", "cat"),
        server("node", "--name", "a", "--interface", "lo", *mmsg),
    ]


def spread(items, count):
    """`count` of the items, from all parts of the list."""
    return items if len(items) <= count else [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


class Failures(unittest.TestCase):
    def setUp(self):
        if b"__asan_init" in pathlib.Path(support.binary).read_bytes():
            self.skipTest("a sanitizer ends the process if its own calls and allocations fail")
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.peer = self.enterContext(udp_socket())
        every = commands(self.directory, self.peer.getsockname()[1])
        matching = "" if CHOSEN == "all" else CHOSEN
        self.commands = [command for command in every if re.search(matching, str(command))] if CHOSEN else every[1::4]

    def each(self, run):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for name, done in pool.map(run, self.commands):
                for what, run_of in done:
                    with self.subTest(f"{name}: {what}"):
                        self.check(what, run_of)

    def check(self, what, done):
        self.assertIn(done.code, USABLE, done)
        self.assertNotRegex(done.err, r"terminate called|Assertion|what\(\)|Sanitizer", done)
        unwritable = "standard output: cannot be written" in done.err
        # The line itself may be what could not be written.
        if done.code in (1, 2, 4) and not done.out and not what.startswith("write"):
            self.assertRegex(done.err, "ringpost: .*[a-z]", done)
        if "--json" in done.args and not unwritable:
            names = [event["event"] for event in done.events()]
            if done.code in (0, 128 + signal.SIGTERM) or "listening" in names:
                self.assertEqual(names[-1:], ["summary"], done)


class SystemCalls(Failures):
    def test_each_may_fail(self):
        if not failing_calls.supported:
            self.skipTest("not for this machine")
        self.each(self.run_all)

    def run_all(self, command):
        counting = failing_calls.Calls()
        done = [("none", command.run(counting.preexec))]
        every = [(name, number) for name, count in sorted(counting.counts.items()) for number in range(1, count + 1)]
        for name, number in every if CHOSEN else spread(every, SAMPLES):
            failing = failing_calls.Calls(name, number)
            done.append((f"{name} {number}", command.run(failing.preexec)))
        return str(command), done


class Allocations(Failures):
    def test_each_may_fail(self):
        if not library:
            self.skipTest("the library that lets them fail is not built")
        self.each(self.run_all)

    def run_all(self, command):
        with tempfile.NamedTemporaryFile(dir=self.directory) as file:
            done = [("none", command.run(preloaded(0, file.name)))]
            count = int(file.read())
        every = [*range(1, count + 1)]
        for number in spread(every, ALLOCATIONS_MAX if CHOSEN else SAMPLES):
            done.append((f"allocation {number} of {count}", command.run(preloaded(number))))
        return str(command), done


def preloaded(number, counts="/dev/null"):
    """A preexec function: the allocation of the number fails; a file receives how many there are."""

    def prepare():
        support.die_with_parent()
        os.environ.update(LD_PRELOAD=library, RINGPOST_FAILING_ALLOCATION=str(number), RINGPOST_ALLOCATIONS=str(counts))

    return prepare
