"""A server bound to all addresses answers from the address that was asked, without --bind."""

import json
import socket
import unittest

from support import Background, backends, patience_s

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
