"""latency against servers whose answers are errors, are not answers, or cannot be attributed to their probes."""

import collections
import contextlib
import heapq
import pathlib
import select
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import support
from support import Background, run, udp_socket, until

failed, usage, breach, unreachable = 1, 2, 3, 4


class Stub:
    """A UDP server: reply(data) gives the answers to a datagram. They leave after delay_s."""

    def __init__(self, reply, delay_s=0):
        self.reply, self.delay_s = reply, delay_s
        self.socket = udp_socket()
        self.port = self.socket.getsockname()[1]
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        waiting = []
        while not self.end.is_set():
            patience_s = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.05
            if select.select([self.socket], [], [], patience_s)[0]:
                data, source = self.socket.recvfrom(65536)
                for answer in self.reply(data):
                    heapq.heappush(waiting, (time.monotonic() + self.delay_s, len(waiting), answer, source))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, answer, source = heapq.heappop(waiting)
                with contextlib.suppress(OSError):
                    self.socket.sendto(answer, source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join(support.patience_s)
        self.socket.close()


class Answers(unittest.TestCase):
    def latency(self, reply, *args, code=0, count=20, delay_s=0, form=("--json",)):
        loop = () if "--rate" in args or "--window" in args else ("--ping-pong",)
        with Stub(reply, delay_s) as stub:
            done = run("latency", "--to", f"127.0.0.1:{stub.port}", "--count", count, *form, *args, *loop)
        self.assertEqual(done.code, code, done)
        return done


def dns(flags, question=None):
    """Answers a query with these flags and its own question, or another one."""
    return lambda query: [query[:2] + struct.pack(">H", flags) + query[4:12] + (question or query[12:])]


class Dns(Answers):
    preset = ("--preset", "dns:a.test")

    def test_good_answers(self):
        summary = self.latency(dns(0x8180), *self.preset).summary()
        self.assertEqual((summary["statuses"], summary["errors"], summary["lost"]), ({"NOERROR": 20}, 0, 0))
        self.assertGreater(summary["rtt_us"]["p50"], 0)

    def test_only_errors(self):
        for flags, status in ((0x8185, "REFUSED"), (0x8182, "SERVFAIL"), (0x8183, "NXDOMAIN"), (0x8380, "truncated")):
            with self.subTest(status):
                done = self.latency(dns(flags), *self.preset, code=failed)
                summary = done.summary()
                self.assertEqual((summary["statuses"], summary["errors"], summary["lost"]), ({status: 20}, 20, 0))
                self.assertIsNone(summary["rtt_us"]["p50"])
                self.assertIn(f"every answer was an error: {status} 20", done.err)

    def test_some_errors(self):
        calls = []

        def reply(query):
            calls.append(query)
            return dns(0x8185 if len(calls) % 4 == 0 else 0x8180)(query)

        done = self.latency(reply, *self.preset, form=())
        self.assertIn("statuses    NOERROR 15  REFUSED 5  (errors 5", done.out)
        for bound, code in (("errors>0", breach), ("errors>4", breach), ("errors>5", 0), ("errors>24%", breach),
                            ("errors>25%", 0)):
            with self.subTest(bound):
                calls.clear()
                self.latency(reply, *self.preset, "--fail-if", bound, code=code)
        self.latency(dns(0x8185), *self.preset, "--fail-if", "errors>0", code=breach)

    def test_datagrams_that_are_no_response(self):
        other = b"\x01b\x04test\x00" + bytes.fromhex("00010001")
        for reply in (lambda query: [query], dns(0x8180, other)):
            # What is no response leaves the probe waiting; the response behind it answers.
            summary = self.latency(lambda query, reply=reply: [*reply(query), *dns(0x8180)(query)], *self.preset).summary()
            self.assertEqual((summary["lost"], summary["foreign"], summary["not_a_reply"]), (0, 20, 20))
        done = self.latency(lambda query: [query], *self.preset, "--window", 20, code=failed)
        self.assertIn("20 answers, none matched: not a reply 20", done.err)

    def test_a_reused_id_opens_another_flow(self):
        done = self.latency(dns(0x8180), *self.preset, "--rate", "60k", count=5, form=())
        self.assertIn("5 flows", done.out)
        done = self.latency(dns(0x8180), *self.preset, "--rate", "60k", "--flows", 1, count=5, form=())
        self.assertNotIn("flows", done.out)


class Ntp(Answers):
    @staticmethod
    def packet(first, stratum, reference):
        return lambda request: [bytes([first, stratum, 6, 0xec]) + bytes(8) + reference + bytes(8) + request[40:48] +
                                bytes([1] * 16)]

    def test_servers_and_kisses(self):
        summary = self.latency(self.packet(0x24, 2, b"GPS\0"), "--preset", "ntp").summary()
        self.assertEqual((summary["statuses"], summary["errors"]), ({"synchronized": 20}, 0))
        for packet, status in ((self.packet(0xe4, 0, b"RATE"), "kiss-o'-death RATE"),
                               (self.packet(0x24, 0, b"DENY"), "kiss-o'-death DENY"),
                               (self.packet(0xe4, 2, b"\x7f\0\0\1"), "unsynchronized"),
                               (self.packet(0x24, 16, b"\0\0\0\0"), "unsynchronized")):
            done = self.latency(packet, "--preset", "ntp", code=failed, count=3)
            self.assertIn(f"every answer was an error: {status} 3", done.err)

    def test_a_packet_of_another_mode_is_no_reply(self):
        summary = self.latency(lambda request: [*self.packet(0x23, 2, b"GPS\0")(request),
                                                *self.packet(0x24, 2, b"GPS\0")(request)], "--preset", "ntp").summary()
        self.assertEqual((summary["not_a_reply"], summary["lost"]), (20, 0))


class Memcached(Answers):
    def test_hits_misses_and_errors(self):
        for text, status, code in ((b"VALUE k 0 1\r\nx\r\nEND\r\n", "hit", 0), (b"END\r\n", "miss", failed),
                                   (b"SERVER_ERROR out of memory\r\n", "SERVER_ERROR", failed),
                                   (b"CLIENT_ERROR bad\r\n", "CLIENT_ERROR", failed), (b"ERROR\r\n", "ERROR", failed)):
            with self.subTest(status):
                summary = self.latency(lambda data, text=text: [data[:8] + text], "--preset", "memcached-get:k", code=code,
                                       count=3).summary()
                self.assertEqual((summary["statuses"], summary["lost"]), ({status: 3}, 0))


class Expect(Answers):
    probe = ("--payload", "{seq:u16be}ping", "--match", "0:2")

    def test_what_a_reply_must_be(self):
        def reply(data):
            return [data[:2] + (b"pong!" if data[1] % 2 == 0 else b"busy")]

        for args, status in ((("--expect", "706f6e67@2"), "unexpected content"),
                             (("--expect-text", r"\x70ong"), "unexpected content"),
                             (("--expect-size", "7"), "unexpected size"), (("--expect-size", "7..9"), "unexpected size"),
                             (("--expect", "70@2", "--expect", "67@5", "--expect-text", "!"), "unexpected content")):
            with self.subTest(args):
                summary = self.latency(reply, *self.probe, *args).summary()
                self.assertEqual((summary["statuses"], summary["errors"]), ({"expected": 10, status: 10}, 10))
        self.latency(reply, *self.probe, "--expect-text", "pong", "--fail-if", "errors>49%", code=breach)
        done = self.latency(reply, *self.probe, "--expect-text", "hello", code=failed)
        self.assertIn("every answer was an error: unexpected content 20", done.err)

    def test_bad_options(self):
        for args, named in ((("--expect", "70"), "HEX@OFFSET"), (("--expect", "7@0"), "two hex digits"),
                            (("--expect", "@0"), "no bytes"), (("--expect", "70@x"), "HEX@OFFSET"),
                            (("--expect", "7071@65506"), "65507"), (("--expect-text", ""), "no bytes"),
                            (("--expect-text", "{seq:u8}"), "fields"), (("--expect-text", "\\q"), "character 1"),
                            (("--expect-size", "x"), "MIN..MAX"), (("--expect-size", "9..8"), "MIN..MAX"),
                            (("--expect-size", "65508"), "65507"),
                            (("--expect-size", "3", "--expect", "7071@2"), "byte 3"),
                            (("--expect-size", "3", "--expect-text", "four"), "byte 3")):
            self.refused((*self.probe, *args), args[-2], named)
        self.refused(("--expect-size", "3"), "--expect", "payload")
        self.refused(("--preset", "ntp", "--expect-size", "48"), "--expect-size", "--preset")
        self.refused(("--fail-if", "errors>0"), "--preset")
        self.refused(("--preset", "ntp", "--fail-if", "errors>x"), "number of errors")

    def refused(self, args, *named):
        with self.subTest(args):
            done = run("latency", "--to", "127.0.0.1:9", *args)
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (usage, "", 1), done)
            for part in named:
                self.assertIn(part, done.err, done)


class NoneMatched(Answers):
    def test_own_frames(self):
        def flipped(data):
            return [data[:-1] + bytes([data[-1] ^ 1])]

        done = self.latency(flipped, "--rate", "1k", code=failed)
        self.assertIn("20 answers, none matched: corrupt 20", done.err)
        first = []

        def always_the_first(data):
            first.append(data)
            return [first[0]]

        with Stub(always_the_first) as stub:
            to = ("latency", "--to", f"127.0.0.1:{stub.port}", "--count")
            self.assertEqual(run(*to, 1).code, 0)
            done = run(*to, 20, "--rate", "1k")
        self.assertEqual(done.code, failed, done)
        self.assertIn("20 answers, none matched: of another sender 20", done.err)

    def test_payloads(self):
        done = self.latency(lambda data: [b"xx" + data[2:]], "--payload", "{seq:u16be}", "--match", "0:2", "--rate", "1k",
                            code=failed)
        self.assertIn("20 answers, none matched: to no probe 20", done.err)


class ToldApart(Answers):
    """2,000 probes a second with answers after 200 ms: 400 are on their way."""

    def invalid(self, done, *named):
        summary = done.summary()
        self.assertFalse(summary["valid"], done)
        for part in named:
            self.assertIn(part, summary["invalid_reason"], done)
        return summary

    def test_bytes_that_repeat_too_soon(self):
        probe = ("--payload", "{seq:u8}abc", "--match", "0:1", "--rate", "2k")
        done = self.latency(lambda data: [data], *probe, count=600, delay_s=0.2)
        summary = self.invalid(done, "ambiguous replies", "bytes of one still unanswered", "about 10 flows",
                               "2 bytes of {seq}")
        self.assertGreater(summary["match_reused"], 0)
        self.assertIn(f"{summary['match_reused']:,} probes", summary["invalid_reason"])

    def test_enough_flows(self):
        summary = self.latency(lambda data: [data], "--payload", "{seq:u8}abc", "--match", "0:1", "--rate", "2k", "--flows",
                               10, count=600, delay_s=0.2).summary()
        self.assertEqual((summary["match_reused"], summary["lost"], summary["duplicate"]), (0, 0, 0))
        self.assertGreaterEqual(summary["rtt_us"]["min"], 200_000)

    def test_a_reply_that_may_be_late(self):
        for payload, valid in (("x", False), ("x{seq:u32be}", True)):
            with self.subTest(payload):
                calls = []

                def loses_the_first(data):
                    calls.append(data)
                    return [] if len(calls) == 1 else [data]

                done = self.latency(loses_the_first, "--payload", payload, "--match", "echo")
                if valid:
                    self.assertEqual((done.summary()["valid"], done.summary()["match_ambiguous"]), (True, 0), done)
                else:
                    self.invalid(done, "19 may be late ones to an older probe", "{seq}")

    def test_order(self):
        calls = collections.Counter()

        def loses_some(data):
            calls["all"] += 1
            return [] if calls["all"] % 10 == 0 else [b"ok"]

        probe = ("--payload", "x", "--match", "order", "--rate", "500")
        summary = self.invalid(self.latency(loses_some, *probe, count=20), "probes were lost", "--match OFFSET:LEN")
        self.assertGreaterEqual(summary["lost"], 2)
        summary = self.latency(lambda data: [b"ok"], *probe, "--flows", 3, count=20).summary()
        self.assertEqual((summary["lost"], summary["surplus"], summary["match_unanswered"]), (0, 0, 0))
        summary = self.invalid(self.latency(lambda data: [b"ok", b"ok"], *probe, count=20), "more than probes")
        self.assertGreater(summary["surplus"], 0)


class Refused(unittest.TestCase):
    def test_the_kernels_reason(self):
        nft = shutil.which("nft") or self.skipTest("nft is not installed")
        rule = "table ip refuse { chain out { type filter hook output priority 0; udp dport 7000 drop; }; }"
        if subprocess.run([nft, rule], capture_output=True).returncode != 0:
            self.skipTest("nftables does not work here")
        self.addCleanup(subprocess.run, [nft, "delete table ip refuse"], check=True)
        for backend in support.backends():
            done = run("latency", "--to", "127.0.0.1:7000", "--rate", "1k", "--count", 5, "--backend", backend)
            self.assertEqual(done.code, unreachable, done)
            self.assertIn("127.0.0.1:7000: refused by the kernel: Operation not permitted", done.err)
            self.assertIn("refused by the kernel: 5", done.out)


    def test_any_reason(self):
        """A route that turns into a prohibition before the start."""
        with udp_socket("127.0.0.9") as silent:
            port = silent.getsockname()[1]
            connected = f" 0900007F:{port:04X} 01 "  # its peer, and the state of a connected socket
            delete = ["ip", "route", "del", "prohibit", "127.0.0.9/32", "table", "local"]
            with Background("latency", "--to", f"127.0.0.9:{port}", "--rate", "1k", "--duration", "50ms", "--flows", 2,
                            "--start-at", int(time.time()) + 2) as latency:
                # One alone may be of a look at the route.
                until(lambda: pathlib.Path("/proc/net/udp").read_text().count(connected) == 2, "both are connected")
                self.addCleanup(subprocess.run, delete, check=True)
                subprocess.run([*delete[:2], "add", *delete[3:]], check=True)
                done = latency.finish()
        self.assertEqual(done.code, unreachable, done)
        self.assertIn(f"127.0.0.9:{port}: refused by the kernel: Permission denied", done.err)
        # A stall may leave some of the 50 unsent.
        self.assertRegex(done.out, r"refused by the kernel: [1-9]\d* \(last error: Permission denied\)")


class Captures(Answers):
    def test_frames_are_read_or_named(self):
        def packet(payload, types, protocol=17):
            udp = struct.pack(">HHHH", 1, 2, 8 + len(payload), 0) + payload
            ip = struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(udp), 0, 0, 64, protocol, 0, bytes(8)) + udp
            return bytes(12) + bytes.fromhex(types.replace("LENGTH", f"{len(ip) + 2:04x}")) + ip

        packets = (packet(b"one", "910000018100000208 00"), packet(b"two", "88a800010800"),
                   packet(b"three", "8864 11000007 LENGTH 0021"), packet(b"", "0800"), packet(b"x", "0806"),
                   packet(b"x", "8864 11000007 LENGTH c021"), packet(b"x", "0800", 6), packet(b"y", "0800", 6))
        capture = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
        for data in packets:
            capture += struct.pack("<IIII", 0, 0, len(data), len(data)) + data
        seen = []
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "capture"
            path.write_bytes(capture)
            done = self.latency(lambda data: [seen.append(data), data][1:], "--match", "echo", "--payload-pcap", path,
                                count=3)
        self.assertEqual(seen, [b"one", b"two", b"three"])
        self.assertIn("3 of 8 packets are payloads; 5 left out: 2 TCP, 1 ARP, 1 PPPoE without IP, 1 empty", done.err)
