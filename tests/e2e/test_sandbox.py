"""What a server gives up once it has started, that it still does its work, and that it goes on where the kernel refuses
the sandbox."""

import contextlib
import errno
import json
import pathlib
import platform
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.request

import support
from seccomp_filter import PR_SET_SECCOMP, refuse
from support import Background, Segment, backends, run, udp_socket


def status_of(server):
    """The lines NoNewPrivs and Seccomp of every thread."""
    def line(text, name):
        return int(text.split(f"\n{name}:")[1].split("\n")[0])

    tasks = [path.read_text() for path in pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/status")]
    return {(line(text, "NoNewPrivs"), line(text, "Seccomp")) for text in tasks}


def has_sandbox():
    """False for a build with sanitizers."""
    return b"__asan_init" not in pathlib.Path(support.binary).read_bytes()


SANDBOXED, FREE = {(1, 2)}, {(0, 0)}


@contextlib.contextmanager
def library():
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"reading": {"id": 7, "format": "<H"}}, file)
        file.flush()
        yield file.name


class Sandbox(unittest.TestCase):
    def setUp(self):
        if not has_sandbox():
            self.skipTest("a build with sanitizers has no sandbox")

    def check(self, *command, work=lambda server, port: None, started="listening", **how):
        """Starts a server in each way; work(server, port) makes it do its work."""
        for backend in backends():
            for extra, expected in ((), SANDBOXED), (("--no-sandbox",), FREE):
                with self.subTest(" ".join(map(str, (*command, backend, *extra)))), \
                        Background(*command, "--backend", backend, "--json", *extra, **how) as server:
                    first = server.event(started)
                    self.assertEqual(status_of(server), expected)
                    work(server, first.get("port"))
                    done = server.stop()
                    self.assertEqual(done.code, 128 + signal.SIGTERM if "chat" in command else 0, done)
                    self.assertNotIn("sandbox", done.err)
                    self.assertEqual(done.summary()["backend"], backend)

    def test_echo(self):
        def work(server, port):
            self.assertEqual(run("latency", "--to", f"127.0.0.1:{port}", "--count", 20).code, 0)

        self.check("echo", "--port", 0, work=work)
        self.check("echo", "--port", 0, "--threads", 2, work=work)

    def test_sink(self):
        def work(server, port):
            self.assertEqual(run("load", "--to", f"127.0.0.1:{port}", "--rate", "10k", "--duration", "50ms").code, 0)

        self.check("sink", "--port", 0, "--bidirectional", "--threads", 2, work=work)

    def test_sink_with_metrics(self):
        def work(server, port):
            listening = server.event("listening")
            self.assertEqual(status_of(server), SANDBOXED if "--no-sandbox" not in server.args else FREE)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=support.patience_s) as page:
                self.assertIn(b"ringpost_", page.read())
            with udp_socket() as sock:
                sock.sendto(b"anything", ("127.0.0.1", listening["port"]))
                support.until_read(listening["port"])

        for extra in ((), ("--no-sandbox",)):
            with Background("sink", "--port", 0, "--prometheus", "127.0.0.1:0", "--json", *extra) as server:
                work(server, server.event("metrics")["port"])
                self.assertEqual(server.stop().summary()["received"], 1)

    def test_recv(self):
        def work(server, port):
            self.assertEqual(run("send", "--to", f"127.0.0.1:{port}", "a line").code, 0)
            self.assertEqual(server.event("message")["text"], "a line")

        self.check("recv", "--port", 0, work=work)

    def test_relay(self):
        def work(server, port):
            self.assertEqual(run("latency", "--to", f"127.0.0.1:{port}", "--count", 20).code, 0)

        with support.EchoThread() as echo:
            self.check("relay", "--listen", 0, "--to", f"localhost:{echo.port}", work=work)

    def test_message(self):
        def work(server, port):
            to = f"127.0.0.1:{port}"
            self.assertEqual(run("message", "send", "--reply", "source", "--bind", "127.0.0.1", "--port", 0, "--to", to,
                                 "hello").code, 0)
            self.assertEqual(server.event("message")["message"], "hello")

        self.check("message", "listen", "--port", 0, "--reply", "source", work=work)
        self.check("message", "chat", "--port", 0, "--reply", "source", work=work, stdin=subprocess.PIPE)

    def test_struct(self):
        with library() as file:
            def work(server, port):
                self.assertEqual(run("struct", "send", "--to", f"127.0.0.1:{port}", "--library", file, "reading",
                                     12).code, 0)
                self.assertEqual(server.event("message")["values"], [12])

            self.check("struct", "listen", "--port", 0, "--library", file, work=work)

    def test_beacon(self):
        with udp_socket() as target:
            def work(server, port):
                self.assertTrue(target.recv(2000))
                self.assertEqual(run("beacon", "--to", f"127.0.0.1:{port}", "--count", 1, "--quote", "here").code, 0)
                self.assertEqual(server.event("beacon")["quote"], "here")

            self.check("beacon", "--port", 0, "--to", f"127.0.0.1:{target.getsockname()[1]}", "--every", "10ms",
                       work=work)

    def test_link_local_sources_keep_their_interface(self):
        with contextlib.closing(Segment(1)) as segment:
            host = segment.hosts[0]

            def exchange():
                name = socket.if_nametoindex("eth0")
                with Background("beacon", "--port", 0, "--json") as server:
                    port = server.port()
                    support.until(lambda: "tentative" not in subprocess.check_output(
                        ["ip", "-6", "addr", "show", "dev", "eth0"], text=True), "the address is assigned")
                    own = next(line.split()[1].split("/")[0] for line in subprocess.check_output(
                        ["ip", "-6", "addr", "show", "dev", "eth0"], text=True).splitlines() if "inet6" in line)
                    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                        sock.sendto(b"no beacon", (own, port, 0, name))
                    return server.event("rejected")["source"]

            self.assertIn("%eth0", host.call(exchange))

    def test_named_devices(self):
        with contextlib.closing(Segment(2)) as segment:
            first, second = segment.hosts
            for backend in backends():
                options = "--json", "--backend", backend
                with contextlib.ExitStack() as stack:
                    def start(host, *args):
                        return stack.enter_context(host.call(lambda: Background(*args, *options,
                                                                                stdin=subprocess.PIPE)))

                    panel = start(first, "node", "--name", "panel")
                    panel.event("listening")
                    pump = start(second, "node", "--name", "pump", "--answer", "cat")
                    pump.event("listening")
                    panel.event("connected")
                    self.assertEqual((status_of(panel), status_of(pump)), (SANDBOXED, FREE))
                    panel.process.stdin.write("ask pump does it work?\n")
                    panel.process.stdin.flush()
                    self.assertEqual(panel.event("answers")["answers"][0]["text"], "does it work?")
                    # A link that comes later is followed.
                    first.ip("link add eth9 type veth peer name other9")
                    first.ip("link set other9 up")
                    first.ip("addr add 10.79.0.1/24 dev eth9")
                    first.ip("link set eth9 up")
                    found = host_discovers(first, backend)
                    first.ip("link del eth9")
                    self.assertEqual(found, {"panel", "pump"})
                    for server in panel, pump:
                        self.assertEqual(server.stop().code, 0)


def host_discovers(host, backend):
    done = host.call(lambda: run("discover", "--duration", "1s", "--json", "--backend", backend))
    return {event["name"] for event in done.events("peer")}


@unittest.skipUnless(platform.machine() == "x86_64", "numbers of system calls")
class WithoutKernel(unittest.TestCase):
    def test_one_line_says_what_the_kernel_does_not_do(self):
        if not has_sandbox():
            self.skipTest("a build with sanitizers has no sandbox")
        prctl, seccomp, landlock = 157, 317, 444
        no_seccomp = (seccomp,), (prctl, PR_SET_SECCOMP)
        for calls, missing in (((landlock,),), ("Landlock",)), (no_seccomp, ("seccomp",)), \
                ((*no_seccomp, (landlock,)), ("Landlock", "seccomp")):
            with Background("echo", "--port", 0, "--json", preexec=refuse(errno.EPERM, *calls)) as server:
                port = server.port()
                self.assertEqual(run("latency", "--to", f"127.0.0.1:{port}", "--count", 5).code, 0)
                done = server.stop()
                lines = [line for line in done.err.splitlines() if "sandbox" in line]
                self.assertEqual(len(lines), 1, done)
                for part in "Landlock", "seccomp":
                    self.assertEqual(part in lines[0], part in missing, done)
                self.assertEqual(done.summary()["received"], 5)
