"""A server bound to all addresses answers from the address that was asked, without --bind. Addresses that this host
cannot use end every subcommand in the same way.
"""

import json
import pathlib
import socket
import tempfile
import unittest

from support import Background, Network, backends, patience_s, run

ASKED = {socket.AF_INET: ("127.0.0.2", "127.0.0.1"), socket.AF_INET6: ("::1",)}


def ask(family, address, port, request):
    """The answer to `request`. A connected socket receives it only from the address that it was sent to."""
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(patience_s)
        client.connect((address, port))
        client.send(request)
        return client.recv(65_536)


class Addresses(unittest.TestCase):
    def check(self, command, request, answer):
        for backend in backends():
            with Background(*command, "--json", "--backend", backend) as server:
                port = server.port()
                for family, addresses in ASKED.items():
                    for address in addresses:
                        with self.subTest(backend=backend, address=address):
                            self.assertRegex(ask(family, address, port, request), answer)

    def test_echo(self):
        self.check(("echo", "--port", 0), b"echo", b"echo")

    def test_recv(self):
        self.check(("recv", "--port", 0), b"\x1d\0\0\0\7text", b"^\x5f\0\0\0\7$")

    def test_message(self):
        request = json.dumps({"message": "hello", "status": None}).encode()
        self.check(("message", "listen", "--port", 0, "--reply", "source"), request,
                   b'"status": ?true')

    def test_relay(self):
        with Background("echo", "--port", 0, "--bind", "127.0.0.1", "--json") as echo:
            target = f"127.0.0.1:{echo.port()}"
            self.check(("relay", "--listen", 0, "--to", target), b"through", b"through")


class WithoutIpv6(unittest.TestCase):
    """`[::1]` where IPv6 is off is as unreachable as any other address without a route."""

    @classmethod
    def setUpClass(cls):
        cls.network = Network()
        cls.addClassCleanup(cls.network.close)
        cls.network.ip("link set lo up")
        cls.network.call(lambda: pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1"))
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.library = pathlib.Path(directory.name) / "library.json"
        cls.library.write_text('{"a": {"id": 1, "format": "B"}}')

    def ends_with(self, code, args, *named):
        with self.subTest(args):
            done = self.network.call(lambda: run(*args))
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (code, "", 1), done)
            for part in named:
                self.assertIn(part, done.err, done)

    def test_target(self):
        for args in (["load"], ["load", "--transport", "gtudp"], ["latency"], ["latency", "--transport", "gtudp"],
                     ["beacon"], ["relay", "--listen", 0], ["send", "x"], ["message", "send", "x"],
                     ["message", "chat"], ["struct", "send", "--library", self.library, "a", 1]):
            self.ends_with(4, [*args, "--to", "[::1]:7"], "--to [::1]:7", "IPv6")
        for args in (["node", "--name", "a"], ["discover"]):
            self.ends_with(4, [*args, "--seed", "[::1]:7"], "--seed [::1]:7", "IPv6")

    def test_no_route(self):
        for args in (["beacon", "--count", 1], ["relay", "--listen", 0], ["send", "x"], ["message", "send", "x"],
                     ["struct", "send", "--library", self.library, "a", 1]):
            done = self.network.call(lambda args=args: run(*args, "--to", "192.0.2.1:7"))
            self.assertEqual((done.code, done.out), (4, ""), done)
            self.assertIn("Network is unreachable", done.err)

    def test_local_address(self):
        for args in (["echo", "--port", 0], ["sink", "--port", 0], ["recv", "--port", 0], ["beacon", "--port", 0],
                     ["relay", "--listen", 0, "--to", "127.0.0.1:7"], ["message", "listen"],
                     ["struct", "listen", "--port", 0, "--library", self.library]):
            self.ends_with(2, [*args, "--bind", "::1"], "--bind ::1: is not an address of this host")


class Brackets(unittest.TestCase):
    def test_bind_accepts_them(self):
        with Background("echo", "--port", 0, "--bind", "[::1]", "--json") as echo:
            self.assertEqual(ask(socket.AF_INET6, "::1", echo.port(), b"echo"), b"echo")
