"""Two hosts, each a network namespace, connected by a veth pair: an interface with an MTU instead of loopback."""

import socket
import struct
import unittest

import beacon_peer
from support import Background, Network, backends, run, udp_socket, until_read

here_ip, there_ip = "10.77.0.1", "10.77.0.2"


class NoLink(unittest.TestCase):
    """A host of which no interface is up."""

    @classmethod
    def setUpClass(cls):
        cls.host = Network()
        cls.addClassCleanup(cls.host.close)

    def test_discover_fails(self):
        for more in ((), ("--interface", "lo"), ("--json",), ("--group6", "[ff02::4:3]:3235")):
            done = self.host.call(lambda more=more: run("discover", "--duration", "10s", *more))
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (4, "", 1), done)
            self.assertIn("no interface takes multicast", done.err)

    def test_a_node_waits_for_one(self):
        for more in ((), ("--interface", "lo")):
            with self.host.call(lambda more=more: Background("node", "--name", "a", "--json", *more)) as node:
                node.event("listening")
                done = node.stop()
            self.assertEqual((done.code, done.summary()["links"]), (0, 0), done)
            self.assertIn("no interface takes multicast", done.err)


class TwoHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.here, cls.there = Network(), Network()
        cls.here.ip(f"link add name ringpost0 type veth peer name ringpost1 netns {cls.there.id}")
        for network, name, ip, ip6 in ((cls.here, "ringpost0", here_ip, "fd77::1"), (cls.there, "ringpost1", there_ip, "fd77::2")):
            network.ip(f"addr add {ip}/24 dev {name}")
            network.ip(f"addr add {ip6}/64 dev {name} nodad")
            network.ip(f"link set {name} up")
            network.ip("link set lo up")
            network.ip(f"route add 239.0.0.0/8 dev {name}")

    @classmethod
    def tearDownClass(cls):
        cls.here.close()
        cls.there.close()

    def server(self, *args):
        return self.there.call(lambda: Background(*args, "--port", 0, "--json"))

    def test_load_into_sink(self):
        for backend in backends():
            for size, rate in ((64, 400), (1400, 400), (9000, 200), (65507, 40)):
                with self.subTest(f"{backend} {size}"), self.server("sink", "--backend", backend) as sink:
                    port = sink.port()
                    # The sink's socket buffer holds them all, so that a stall loses none.
                    done = self.here.call(lambda: run("load", "--to", f"{there_ip}:{port}", "--size", size, "--rate",
                                                      rate, "--duration", "100ms", "--backend", backend, "--json"))
                    self.assertEqual(done.code, 0, done)
                    self.there.call(lambda: until_read(port))
                    received = sink.stop().summary()
                    self.assertEqual(received["received"], done.summary()["sent"])
                    self.assertEqual((received["lost"], received["corrupt"]), (0, 0))

    def test_counts_of_an_unlimited_load_add_up(self):
        for size in (64, 1400, 3000):  # datagrams above the MTU cannot be sent as trains
            with self.server("sink") as sink:
                port = sink.port()
                done = self.here.call(lambda: run("load", "--to", f"{there_ip}:{port}", "--size", size, "--duration",
                                                  "50ms", "--json"))
                self.there.call(lambda: until_read(port))
                sent, received = done.summary(), sink.stop().summary()
                self.assertEqual((done.code, sent["send_failed"]), (0, 0), done)
                self.assertEqual((received["duplicate"], received["reordered"], received["corrupt"]), (0, 0, 0))
                self.assertLessEqual(received["received"] + received["lost"], sent["sent"])
                self.assertGreater(received["received"], 0)

    def test_latency_against_echo(self):
        for backend in backends():
            with self.server("echo", "--backend", backend) as echo:
                done = self.here.call(lambda: run("latency", "--to", f"{there_ip}:{echo.port()}", "--count", 50,
                                                  "--backend", backend, "--json"))
                self.assertEqual(done.code, 0, done)
                self.assertEqual((done.summary()["received"], done.summary()["lost"]), (50, 0))
                self.assertEqual(echo.stop().summary()["sent"], 50)

    def test_ipv6_multicast(self):
        for backend in backends():
            with self.server("sink", "--join", "ff15::77@ringpost1", "--backend", backend) as sink:
                port = sink.port()
                done = self.here.call(lambda: run("load", "--to", f"[ff15::77]:{port}", "--interface", "ringpost0",
                                                  "--i-own-this-network", "--rate", 400, "--duration", "100ms",
                                                  "--backend", backend, "--json"))
                self.assertEqual(done.code, 0, done)
                self.there.call(lambda: until_read(port))
                received = sink.stop().summary()
                self.assertEqual((received["received"], received["lost"]), (done.summary()["sent"], 0))
            with self.server("echo", "--join", "ff15::78@ringpost1", "--backend", backend) as echo:
                done = self.here.call(lambda: run("latency", "--to", f"[ff15::78]:{echo.port()}", "--interface", "ringpost0",
                                                  "--i-own-this-network", "--count", 20, "--backend", backend, "--json"))
                self.assertEqual(done.code, 0, done)
                self.assertEqual((done.summary()["received"], done.summary()["lost"]), (20, 0))

    def test_what_exceeds_the_mtu(self):
        with self.server("sink") as sink:
            target = ("--to", f"{there_ip}:{sink.port()}", "--rate", 1000, "--duration", "50ms")
            whole = self.here.call(lambda: run("load", *target, "--df", "--size", 1472, "--json"))
            self.assertEqual((whole.code, whole.err), (0, ""), whole)
            done = self.here.call(lambda: run("load", *target, "--df", "--size", 1473))
            self.assertEqual((done.code, len(done.err.splitlines())), (1, 1), done)
            self.assertIn("--df: datagrams of 1473 bytes are too large: the path's MTU of 1500 has room for 1472", done.err)
            done = self.here.call(lambda: run("load", *target, "--size", 1473))
            self.assertEqual(done.code, 0, done)
            self.assertIn("1473 bytes leave in fragments", done.err)
            done = self.here.call(lambda: run("load", *target, "--df", "--size", "64:1,1473:3", "--json"))
            self.assertIn("some of them too large", done.err)
            self.assertEqual(done.summary()["last_send_error"], "Message too long")
            self.assertEqual(done.summary()["due"], sum(done.summary()[name] for name in ("sent", "send_failed", "unsent")))

    def test_the_mtu_is_found(self):
        with self.server("echo") as echo:
            port = echo.port()
            for target, payload, packet in ((f"{there_ip}:{port}", 1472, 1500), (f"[fd77::2]:{port}", 1452, 1500)):
                done = self.here.call(lambda target=target: run("latency", "--mtu-search", "--to", target, "--json"))
                self.assertEqual((done.code, done.err), (0, ""), done)
                self.assertEqual((done.summary()["payload_bytes"], done.summary()["packet_bytes"]), (payload, packet))
                self.assertEqual(done.summary()["sizes_tried"], 2)

    def test_fields_of_the_ip_header(self):
        def received(*args):
            with self.there.call(lambda: socket.socket(type=socket.SOCK_DGRAM)) as sock:
                self.there.call(lambda: sock.bind((there_ip, 0)))
                for option in (12, 13):  # IP_RECVTTL, IP_RECVTOS
                    sock.setsockopt(socket.IPPROTO_IP, option, 1)
                sock.settimeout(30)
                done = self.here.call(lambda: run("load", "--to", f"{there_ip}:{sock.getsockname()[1]}", "--rate", 100,
                                                  "--duration", "50ms", *args))
                self.assertEqual(done.code, 0, done)
                _, control, _, source = sock.recvmsg(65536, 256)
            return {kind: data[0] for _, kind, data in control}, source

        control, source = received("--dscp", "ef", "--ttl", 9, "--bind", f"{here_ip}:5555%ringpost0")
        self.assertEqual((control[socket.IP_TOS], control[socket.IP_TTL], source), (46 << 2, 9, (here_ip, 5555)))
        control, source = received("--bind", "%ringpost0")
        self.assertEqual((control[socket.IP_TOS], control[socket.IP_TTL], source[0]), (0, 64, here_ip))

    def test_unreachable_address(self):
        done = self.here.call(lambda: run("latency", "--to", "10.77.0.9:9", "--duration", "50ms", "--json"))
        self.assertEqual(done.code, 4, done)
        self.assertEqual((done.summary()["received"], done.summary()["lost"]), (0, done.summary()["sent"]))

    def test_a_beacon_announces_its_source_address_toward_the_target(self):
        with self.server("beacon") as listener:
            port = listener.port()
            done = self.here.call(lambda: run("beacon", "--to", f"{there_ip}:{port}", "--count", 1, "--json"))
            self.assertEqual(done.code, 0, done)
            event = listener.event("beacon")
            self.assertEqual(event["source"], here_ip)
            if "listening" in event:
                self.assertTrue(event["listening"].startswith(here_ip), event)

    def test_multicast_beacon(self):
        def join():
            sock = udp_socket("0.0.0.0")
            group = struct.pack("4s4s", socket.inet_aton("239.1.2.3"), socket.inet_aton(there_ip))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            return sock

        with self.there.call(join) as member:
            port = member.getsockname()[1]
            done = self.here.call(lambda: run("beacon", "--to", f"239.1.2.3:{port}", "--count", 1, "--json"))
            self.assertEqual(done.code, 0, done)
            datagram, source = member.recvfrom(65536)
            self.assertEqual(source[0], here_ip)
            self.assertEqual(beacon_peer.decode(datagram)[0], beacon_peer.DEFAULT_QUOTE)
