"""The sockets of load and latency, their flows, and captures at their own pace."""

import gzip
import pathlib
import struct
import tempfile
import unittest

from support import Background, run, udp_socket

usage = 2


def udp_packet(payload, destination=(b"\x0a\x00\x00\x01", 53)):
    udp = struct.pack(">HHHH", 1, destination[1], 8 + len(payload), 0) + payload
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), destination[0]) + udp


def pcap(packets, link=101, magic=0xa1b23c4d):
    """A capture of (nanoseconds, packet); link 101 is raw IP, 0 is NULL."""
    data = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, packet in packets:
        data += struct.pack("<IIII", at // 10**9, at % 10**9, len(packet), len(packet)) + packet
    return data


class Sockets(unittest.TestCase):
    def test_source_address_and_family(self):
        for args, source in ((("--bind", "127.0.0.5"), "127.0.0.5"), (("-4", "--bind", "127.0.0.6%lo"), "127.0.0.6")):
            with udp_socket() as sock:
                done = run("load", "--to", f"localhost:{sock.getsockname()[1]}", "--rate", 100, "--duration", "50ms", *args)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(sock.recvfrom(65536)[1][0], source)

    def test_flags_and_buffers_of_latency(self):
        with Background("echo", "--port", 0, "--bind", "::1", "--json") as echo:
            done = run("latency", "--to", f"[::1]:{echo.port()}", "-6", "--df", "--dscp", "cs1", "--ttl", 3, "--rcvbuf", "64k",
                       "--sndbuf", "64k", "--count", 3, "--json")
            self.assertEqual((done.code, done.err, done.summary()["lost"]), (0, "", 0), done)

    def test_what_is_not_granted(self):
        done = run("load", "--self", "--sndbuf", "512M", "--rate", 100, "--duration", "50ms")
        self.assertIn("--sndbuf: the kernel grants", done.err)

    def test_wrong_usage(self):
        for args, part in ((("--to", "[::1]:9", "-4"), "-4: --to [::1]:9 is not of this family"),
                           (("--to", "127.0.0.1:9", "-6"), "-6: --to 127.0.0.1:9 is not of this family"),
                           (("--to", "127.0.0.1:9", "-4", "-6"), "ipv"),
                           (("--to", "127.0.0.1:9", "--bind", "::1"), "of the other family"),
                           (("--to", "127.0.0.1:9", "--bind", "192.0.2.1"), "--bind 192.0.2.1: Cannot assign requested address")):
            done = run("load", *args)
            self.assertEqual((done.code, len(done.err.splitlines())), (usage, 1), done)
            self.assertIn(part, done.err)


class Flows(unittest.TestCase):
    def test_shares_of_flows(self):
        done = run("latency", "--self", "--flows", 5, "--count", 50, "--rate", "1k", "--per-flow", "--json")
        self.assertEqual(done.code, 0, done)
        shares, rows = done.summary()["flow_shares"], done.summary()["per_flow"]
        self.assertEqual((shares["flows"], shares["of"], len(rows)), (5, "answered", 5))
        self.assertEqual(sum(row["answered"] for row in rows), 50 - done.summary()["lost"])
        self.assertEqual(len({row["port"] for row in rows}), 5)
        done = run("load", "--self", "--flows", 4, "--threads", 2, "--rate", "1k", "--duration", "40ms", "--json")
        self.assertEqual(done.summary()["flow_shares"]["flows"], 4)
        self.assertTrue(0 < done.summary()["flow_shares"]["jain"] <= 1)
        self.assertNotIn("per_flow", done.summary())
        self.assertIn("fairness (Jain)", run("load", "--self", "--flows", 2, "--rate", "1k", "--duration", "50ms").out)

    def test_a_rate_in_bits(self):
        done = run("load", "--self", "--size", 100, "--rate", "800kbit", "--duration", "50ms", "--json")
        self.assertEqual((done.summary()["rate_asked"], done.summary()["rate_asked_bits_per_s"]), (1000, 800_000))
        done = run("latency", "--self", "--size", "50..150", "--rate", "800kbit", "--count", 3, "--json")
        self.assertEqual(done.summary()["rate_asked"], 1000)


class Captures(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name) / "capture"

    def sent(self, data, *args):
        self.path.write_bytes(data)
        with udp_socket() as sock:
            done = run("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--payload-pcap", self.path, "--json", *args)
            self.assertEqual(done.code, 0, done)
            return done, [sock.recv(65536) for _ in range(done.summary()["sent"])]

    def test_its_own_timing(self):
        packets = [(5 * 10**9 + at * 10**6, udp_packet(b"%d" % at)) for at in (0, 2, 2, 20, 40)]
        done, got = self.sent(pcap(packets), "--pcap-timing", "--pcap-speed", 2)
        # After 20 ms and a mean gap of 5 ms it would begin again.
        self.assertEqual(got, [b"0", b"2", b"2", b"20", b"40"][:len(got)], done)
        self.assertEqual([done.summary()[name] for name in ("as_captured", "rate_asked", "due")], [True, 200, 5])
        self.assertAlmostEqual(done.summary()["duration_s"], 0.025, delta=0.001)

    def test_one_direction(self):
        packets = [(0, udp_packet(b"query")), (1, udp_packet(b"reply", (b"\x0a\x00\x00\x02", 9))), (2, udp_packet(b"other", (b"\x0a\x00\x00\x01", 54)))]
        done, got = self.sent(pcap(packets), "--pcap-to", "10.0.0.1:53", "--rate", 500, "--duration", "50ms")
        self.assertEqual(set(got), {b"query"})
        self.assertIn("1 of 3 packets are payloads; 2 left out: 2 to another destination", done.err)
        _, got = self.sent(pcap(packets), "--pcap-to", "10.0.0.1", "--rate", 500, "--duration", "50ms")
        self.assertEqual(set(got), {b"query", b"other"})

    def test_loopback_links_gzip_trains_and_cut_files(self):
        data = pcap([(0, b"\x02\0\0\0" + udp_packet(b"one")), (1, b"\x1e\0\0\0" + udp_packet(b"aabbc"))], link=0)
        rate = ("--rate", 1000, "--duration", "50ms")
        for contents in (data, gzip.compress(data), gzip.compress(data[:60]) + gzip.compress(data[60:])):
            done, got = self.sent(contents, *rate)
            self.assertEqual(set(got), {b"one", b"aabbc"}, done)
        done, got = self.sent(data, "--pcap-split", 2, *rate)
        self.assertEqual(got[:2], [b"on", b"e"])
        self.assertIn("2 of 2 packets are payloads, 5 datagrams", done.err)
        done, got = self.sent(data[:-3], *rate)
        self.assertEqual(set(got), {b"one"})
        self.assertIn("the file ends in packet 2", done.err)

    def test_a_time_that_cannot_be(self):
        packet = udp_packet(b"hello...")  # a multiple of four bytes
        block = struct.pack("<5I", 0, (1 << 62) >> 32, 0, len(packet), len(packet)) + packet
        header = struct.pack("<II", 0x1A2B3C4D, 1) + b"\xff" * 8  # magic, version, no length
        for kind, body in ((0x0A0D0D0A, header), (1, struct.pack("<HHI", 101, 0, 0)), (6, block)):
            with open(self.path, "ab") as file:
                file.write(struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12))
        done = run("load", "--self", "--payload-pcap", self.path, "--pcap-timing")
        self.assertEqual((done.code, len(done.err.splitlines())), (usage, 1), done)
        self.assertIn("packet 1: its time is not between 1970 and 2262", done.err)
        self.assertEqual(run("load", "--self", "--payload-pcap", self.path, "--duration", "10ms").code, 0)

    def test_wrong_usage(self):
        self.path.write_bytes(pcap([(0, udp_packet(b"x"))]))
        given = ("--payload-pcap", self.path, "--pcap-timing")
        for args, part in (((*given, "--rate", 5), "--rate: not with --pcap-timing"),
                           ((*given, "--threads", 2), "--pcap-timing: with one engine"),
                           ((*given, "--pcap-speed", 0), "--pcap-speed"),
                           ((*given, "--pcap-to", "10.0.0.9"), "1 left out: 1 to another destination"),
                           ((*given, "--pcap-to", "x:y:z"), "--pcap-to"),
                           (("--pcap-timing",), "--payload-pcap")):
            done = run("load", "--self", *args)
            self.assertEqual((done.code, len(done.err.splitlines())), (usage, 1), done)
            self.assertIn(part, done.err)
        self.path.write_bytes(gzip.compress(self.path.read_bytes())[:-3])
        self.assertIn("damaged or cut gzip", run("load", "--self", "--payload-pcap", self.path).err)
