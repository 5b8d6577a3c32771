"""ringpost beacon against an independent peer, both ways."""

import time
import unittest

import beacon_peer
from support import Background, backends, run, udp_socket


def beacon(quote, age_s=0, ipv4="10.9.8.7", port=4321):
    return beacon_peer.encode(quote, int(time.time()) - age_s, ipv4, port)


def spoiled(datagram):
    return datagram[:-1] + bytes([datagram[-1] ^ 1])


class Receives(unittest.TestCase):
    def test_prints_what_the_peer_sends(self):
        with Background("beacon", "--port", 0, "--bind", "127.0.0.1", "--json") as ringpost, udp_socket() as peer:
            target = ("127.0.0.1", ringpost.port())
            before = int(time.time())
            quotes = ((0, "now"), (5, "five seconds ago"), (-3, "from the future"), (0, "ünï\ncödé 🚀"), (0, ""))
            for age_s, quote in quotes:
                peer.sendto(beacon(quote, age_s), target)
                event = ringpost.event("beacon")
                self.assertEqual(set(event) - {"listening"}, {"event", "quote", "elapsed_s", "source", "count"})
                self.assertEqual((event["quote"], event["source"]), (quote, "127.0.0.1"))
                late_s = int(time.time()) - before
                self.assertTrue(age_s <= event["elapsed_s"] <= age_s + late_s + 1, event)
            run = ringpost.stop()
            self.assertEqual([event["count"] for event in run.events("beacon")], [1, 2, 3, 4, 5])
            self.assertEqual(run.summary()["received"], 5)

    def test_counts_per_source_address_on_any_port(self):
        with Background("beacon", "--port", 0, "--json") as ringpost:
            port = ringpost.port()
            counts = []
            for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.2"):
                with udp_socket(host) as peer:
                    peer.sendto(beacon("hi"), ("127.0.0.1", port))
                event = ringpost.event("beacon")
                counts.append((event["source"][-1], event["count"]))
            self.assertEqual(counts, [("1", 1), ("2", 1), ("1", 2), ("2", 2), ("2", 3)])

    def test_invalid_beacons_are_reported_and_not_printed(self):
        good = beacon("good")
        bad = [b"", b"x", good[:17], spoiled(good), b"\0" * 18, beacon_peer.encode("", 0, "0.0.0.0", 0)[:-1],
               self.not_utf8()]
        with Background("beacon", "--port", 0, "--json") as ringpost, udp_socket() as peer:
            target = ("127.0.0.1", ringpost.port())
            for datagram in bad:
                peer.sendto(datagram, target)
            peer.sendto(good, target)
            self.assertEqual(ringpost.event("beacon")["count"], len(bad) + 1)
            run = ringpost.stop()
        self.assertEqual(len(run.events("beacon")), 1)
        rejected = [event["reason"] for event in run.events("rejected")]
        self.assertEqual(rejected, ["too short"] * 3 + ["bad checksum"] * 2 + ["too short", "not UTF-8"])
        summary = run.summary()
        self.assertEqual((summary["too_short"], summary["checksum"], summary["not_utf8"]), (4, 2, 1))
        self.assertEqual(run.err.count("not a beacon"), len(bad), run)

    @staticmethod
    def not_utf8():
        datagram = beacon("???").replace(b"???", b"\xff\xfe!")
        return beacon_peer.struct.pack(">I", beacon_peer.zlib.adler32(datagram[4:])) + datagram[4:]

    def test_text_is_one_line_per_datagram_without_control_characters(self):
        args = ("beacon", "--port", 0, "--bind", "127.0.0.1", "--backend", "mmsg")
        with Background(*args) as ringpost, udp_socket() as peer:
            port = int(ringpost.process.stderr.readline().split()[-1])  # the port is noted on standard error
            peer.sendto(beacon("two\nlines and \x1b[31mred"), ("127.0.0.1", port))
            line = ringpost.line()
            self.assertNotIn("\x1b", line)
            for part in ("two", "lines and", "red", "127.0.0.1", "datagram 1", " s ago"):
                self.assertIn(part, line)
            run = ringpost.stop()
        self.assertEqual(len(run.out.splitlines()), 1)
        self.assertEqual(run.code, 0)

    def test_the_largest_beacon(self):
        quote = "q" * (65507 - 18)
        with Background("beacon", "--port", 0, "--json") as ringpost, udp_socket() as peer:
            peer.sendto(beacon(quote), ("127.0.0.1", ringpost.port()))
            self.assertEqual(ringpost.event("beacon")["quote"], quote)

    def test_ipv6_transport(self):
        with Background("beacon", "--port", 0, "--json") as ringpost, udp_socket("::1") as peer:
            peer.sendto(beacon("six"), ("::1", ringpost.port()))
            event = ringpost.event("beacon")
            self.assertEqual((event["quote"], event["source"]), ("six", "::1"))


class Sends(unittest.TestCase):
    def receive(self, peer):
        datagram, source = peer.recvfrom(65536)
        quote, unix_s, ipv4, port = beacon_peer.decode(datagram)
        self.assertLessEqual(abs(time.time() - unix_s), 5)
        return quote, ipv4, port, source

    def test_the_peer_decodes_it(self):
        with udp_socket() as peer:
            port = peer.getsockname()[1]
            done = run("beacon", "--to", f"127.0.0.1:{port}", "--count", 3, "--every", "10ms", "--json")
            for _ in range(3):
                quote, ipv4, listening, _ = self.receive(peer)
                self.assertEqual(quote, beacon_peer.DEFAULT_QUOTE)
                self.assertEqual(len(quote.encode()), 61)
                self.assertEqual(ipv4, "127.0.0.1")
                self.assertEqual(listening, 0, "it is not listening")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.summary()["sent"], 3)

    def test_advertises_its_listening_address(self):
        with udp_socket() as peer:
            to = f"127.0.0.1:{peer.getsockname()[1]}"
            args = ("beacon", "--port", 0, "--to", to, "--every", "10ms", "--quote", "héllo", "--json")
            with Background(*args) as ringpost:
                port = ringpost.port()
                quote, ipv4, listening, source = self.receive(peer)
                self.assertEqual((quote, ipv4, listening), ("héllo", "127.0.0.1", port))
                # It listens at the advertised address: a beacon sent there is printed.
                self.assertEqual(source[1], port)
                peer.sendto(beacon("and back"), (ipv4, listening))
                self.assertEqual(ringpost.event("beacon")["quote"], "and back")
            with Background(*args, "--advertise", "10.1.2.3") as ringpost:
                port = ringpost.port()
                while (announced := self.receive(peer))[2] != port:
                    pass  # sent by the previous run
                self.assertEqual(announced[1], "10.1.2.3")

    def test_every_target_receives_every_beacon(self):
        with udp_socket() as first, udp_socket() as second:
            targets = [f"127.0.0.1:{sock.getsockname()[1]}" for sock in (first, second)]
            done = run("beacon", "--to", targets[0], "--to", targets[1], "--count", 2, "--every", "10ms", "--json")
            for sock in (first, second):
                self.receive(sock)
                self.receive(sock)
                sock.settimeout(0)
                self.assertRaises(BlockingIOError, sock.recv, 1)
        self.assertEqual((done.code, done.summary()["sent"]), (0, 4), done)

    def test_duration_ends_it(self):
        with udp_socket() as peer:
            to = f"127.0.0.1:{peer.getsockname()[1]}"
            done = run("beacon", "--to", to, "--every", "10ms", "--duration", "50ms", "--json")
        self.assertEqual(done.code, 0, done)
        self.assertGreaterEqual(done.summary()["sent"], 1)
        self.assertEqual(run("beacon", "--port", 0, "--duration", "10ms", "--json").code, 0)

    def test_ipv6_transport(self):
        with udp_socket("::1") as peer:
            done = run("beacon", "--to", f"[::1]:{peer.getsockname()[1]}", "--count", 1, "--json")
            quote, ipv4, _, source = self.receive(peer)
        self.assertEqual(done.code, 0, done)
        self.assertEqual((quote, source[0]), (beacon_peer.DEFAULT_QUOTE, "::1"))

    def test_both_backends(self):
        for backend in backends():
            with udp_socket() as peer:
                to = f"127.0.0.1:{peer.getsockname()[1]}"
                done = run("beacon", "--to", to, "--count", 2, "--every", "10ms", "--backend", backend, "--json")
                self.receive(peer)
                self.receive(peer)
            self.assertEqual((done.code, done.summary()["backend"]), (0, backend), done)
