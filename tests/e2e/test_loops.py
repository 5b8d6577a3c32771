"""Servers that would answer each other for ever: datagrams with forged sources, counted by the kernel. And who is
answered at all: --allow.
"""

import socket
import struct
import unittest

from support import Background, Network, backends, run, udp_socket, until, until_read

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
HOPS = 255


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff or 0xffff


def forge(family, source, target, hop_limit=HOPS, payload=b"loop"):
    """Sends a datagram from one loopback port to another, neither of which needs to be this process's."""
    address = socket.inet_pton(family, LOOPBACK[family])
    udp = struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload
    pseudo = address * 2 + struct.pack("!II", len(udp), socket.IPPROTO_UDP)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp)) + udp[8:]
    if family == socket.AF_INET:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, hop_limit, socket.IPPROTO_UDP, 0, address, address)
    else:
        header = struct.pack("!IHBB16s16s", 6 << 28, len(udp), socket.IPPROTO_UDP, hop_limit, address, address)
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(header + udp, (LOOPBACK[family], 0))


def delivered(family):
    """UDP datagrams that sockets of this network have received, as counted by the kernel."""
    if family == socket.AF_INET:
        with open("/proc/thread-self/net/snmp") as lines:
            return int([line.split()[1] for line in lines if line.startswith("Udp:")][1])
    with open("/proc/thread-self/net/snmp6") as lines:
        return int(next(line.split()[1] for line in lines if line.startswith("Udp6InDatagrams")))


def ping(family, port, payload=b"honest"):
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(120)
        client.connect((LOOPBACK[family], port))
        client.send(payload)
        return client.recv(100)


class Loops(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = Network()
        cls.addClassCleanup(cls.network.close)
        cls.network.ip("link set lo up")

    def inside(self, check):
        for backend in backends():
            for family in LOOPBACK:
                with self.subTest(f"{backend} {family.name}"):
                    self.network.call(lambda family=family, backend=backend: check(family, backend))

    def ends_after(self, family, start, ports, expected):
        """`start()` causes exactly `expected` deliveries, and the servers still answer."""
        before = delivered(family)
        start()
        until(lambda: delivered(family) - before >= expected, "the loop has run")
        for port in ports:
            self.assertEqual(ping(family, port), b"honest")
        return delivered(family) - before - 2 * len(ports) - expected

    def test_echo_with_itself(self):
        def check(family, backend):
            for bind in ((), ("--bind", LOOPBACK[family])):
                with Background("echo", "--port", 0, "--json", "--backend", backend, *bind) as echo:
                    port = echo.port()
                    self.assertEqual(self.ends_after(family, lambda: forge(family, port, port), [port], 1), 0)
                    summary = echo.stop().summary()
                    self.assertEqual((summary["received"], summary["sent"], summary["refused"]), (2, 1, 1))

        self.inside(check)

    def test_two_echoes(self):
        def check(family, backend):
            args = ("echo", "--port", 0, "--json", "--backend", backend)
            with Background(*args) as one, Background(*args, "--bind", LOOPBACK[family]) as two:
                ports = one.port(), two.port()
                self.assertEqual(self.ends_after(family, lambda: forge(family, *ports), ports, HOPS), 0)
                summaries = [server.stop().summary() for server in (one, two)]
                self.assertEqual(sum(summary["received"] for summary in summaries), HOPS + 2)
                self.assertEqual(sum(summary["hops_exhausted"] for summary in summaries), 1)

        self.inside(check)

    def test_a_hop_limit_of_zero_is_not_unknown(self):
        def check(family, backend):
            args = ("echo", "--port", 0, "--json", "--backend", backend)
            with Background(*args) as one, Background(*args) as two:
                ports = one.port(), two.port()
                self.assertEqual(self.ends_after(family, lambda: forge(family, *ports, hop_limit=0), ports, 1), 0)
                self.assertEqual(two.stop().summary()["hops_exhausted"], 1)

        self.inside(check)

    def test_relay_in_front_of_an_echo(self):
        def check(family, backend):
            host = f"[{LOOPBACK[family]}]" if family == socket.AF_INET6 else LOOPBACK[family]
            args = ("--json", "--backend", backend)
            with Background("echo", "--port", 0, *args) as echo, Background("echo", "--port", 0, *args) as other:
                target = echo.port()
                with Background("relay", "--listen", 0, "--to", f"{host}:{target}", *args) as relay:
                    port = relay.port()
                    # The target as a client, then the relay itself.
                    for source in (target, port):
                        self.assertEqual(self.ends_after(family, lambda source=source: forge(family, source, port), [target], 1), 0)
                    # Another echo as a client.
                    source = other.port()
                    self.assertEqual(self.ends_after(family, lambda: forge(family, source, port), [target], HOPS), 0)
                    summary = relay.stop().summary()
                    self.assertEqual(summary["to_target"]["refused"], 2)
                    self.assertEqual(summary["clients"], 1)

        self.inside(check)

    def test_an_honest_client_far_away_is_answered(self):
        def check(family, backend):
            with Background("echo", "--port", 0, "--json", "--backend", backend) as echo, \
                    udp_socket(LOOPBACK[family]) as client:
                level, option, reported = (socket.IPPROTO_IP, 12, socket.IP_TTL) \
                    if family == socket.AF_INET else (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, socket.IPV6_HOPLIMIT)
                client.setsockopt(level, option, 1)
                port = echo.port()
                # As after 30 routers.
                forge(family, client.getsockname()[1], port, 34)
                data, control, _, _ = client.recvmsg(100, 100)
                self.assertEqual((data, [(kind, struct.unpack("i", value)[0]) for _, kind, value in control]),
                                 (b"loop", [(reported, 33)]))

        self.inside(check)


class Allow(unittest.TestCase):
    def from_(self, host, port, payload):
        sock = udp_socket(host)
        sock.sendto(payload, ("127.0.0.1", port))
        return sock

    def check(self, command, port_option="--port", request=b"request", answered=True, more=()):
        for backend in backends():
            with self.subTest(f"{command} {backend}"), Background(
                    command, port_option, 0, "--allow", "127.0.0.2", "--allow", "fd00::/8", "--json", "--backend", backend,
                    *more) as server:
                port = server.port()
                with self.from_("127.0.0.1", port, request) as stranger, self.from_("127.0.0.2", port, request) as guest:
                    if answered:
                        self.assertTrue(guest.recv(100))
                        stranger.settimeout(0)
                        self.assertRaises(BlockingIOError, stranger.recv, 100)
                    else:
                        until_read(port)
                    summary = server.stop().summary()
                    self.assertEqual(summary["not_allowed"], 1)
                    return summary

    def test_echo(self):
        self.assertEqual(self.check("echo")["received"], 1)

    def test_recv(self):
        self.assertEqual(self.check("recv", request=b"\x1d\0\0\0\7text")["received"], 1)

    def test_sink(self):
        self.assertEqual(self.check("sink", answered=False)["received"], 1)

    def test_relay_answers_of_the_target_are_always_allowed(self):
        with Background("echo", "--port", 0, "--bind", "127.0.0.1", "--json") as echo:
            summary = self.check("relay", "--listen", more=("--to", f"127.0.0.1:{echo.port()}"))
            self.assertEqual((summary["clients"], summary["to_client"]["forwarded"]), (1, 1))

    def test_the_default_is_everybody(self):
        with Background("echo", "--port", 0, "--json") as echo:
            self.assertEqual(ping(socket.AF_INET, echo.port()), b"honest")
            self.assertEqual(echo.stop().summary()["not_allowed"], 0)

    def test_a_text_report_counts_them(self):
        with Background("echo", "--port", 0, "--allow", "127.0.0.2") as echo:
            port = int(echo.process.stderr.readline().split()[-1])
            with self.from_("127.0.0.1", port, b"x"), self.from_("127.0.0.2", port, b"x") as guest:
                guest.recv(10)
            self.assertIn("ignored, source not allowed 1\n", echo.stop().out)

    def test_wrong_networks(self):
        for command in (("echo", "--port", 0), ("sink", "--port", 0), ("recv", "--port", 0),
                        ("relay", "--listen", 0, "--to", "127.0.0.1:9")):
            for network, reason in (("10.0.0.1/8", "the network is 10.0.0.0/8"), ("nohost", "expected an address"),
                                    ("::/129", "0 to 128"), ("", "expected an address")):
                done = run(*command, "--allow", network)
                self.assertEqual((done.code, done.out, len(done.err.splitlines())), (2, "", 1), done)
                self.assertIn("--allow", done.err)
                self.assertIn(reason, done.err)


class Listening(unittest.TestCase):
    COMMANDS = (("echo", "--port", 0), ("sink", "--port", 0), ("recv", "--port", 0),
                ("relay", "--listen", 0, "--to", "127.0.0.1:9"), ("message", "listen", "--port", 0), ("beacon", "--port", 0))

    def test_events_have_the_address(self):
        for command in self.COMMANDS:
            for bind, address in (((), "::"), (("--bind", "127.0.0.1"), "127.0.0.1"), (("--bind", "0.0.0.0"), "0.0.0.0"),
                                  (("--bind", "::1"), "::1")):
                if bind == ("--bind", "::1") and command[0] == "relay":
                    continue
                with self.subTest(f"{command} {bind}"), Background(*command, *bind, "--json") as server:
                    event = server.event("listening")
                    self.assertEqual(event["address"], address)
                    self.assertGreater(event["port"], 0)

    def test_notes_have_the_address(self):
        for command in self.COMMANDS:
            for bind, where in (((), "all addresses"), (("--bind", "127.0.0.1"), "127.0.0.1"), (("--bind", "0.0.0.0"), "all IPv4 addresses")):
                with self.subTest(f"{command} {bind}"), Background(*command, *bind) as server:
                    self.assertRegex(server.process.stderr.readline(), rf"^ringpost: {command[0]} listening on {where}, port \d+\n$")
