"""Modes of sink and echo: multicast groups, one-way times, load in both directions."""

import select
import socket
import time
import unittest

import frame
from support import Background, Network, backends, run, udp_socket, until, until_read

GROUP, OTHER_GROUP = "239.1.2.3", "239.1.2.4"
minute_ns = 60_000_000_000


class Multicast(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Network()
        cls.host.ip("link set lo up")
        cls.host.ip("link set lo multicast on")
        cls.host.ip("route add 239.0.0.0/8 dev lo")

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

    def sender(self):
        def make():
            sock = udp_socket()
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            return sock

        return self.host.call(make)

    def server(self, *args):
        return self.host.call(lambda: Background(*args, "--port", 0, "--json"))

    def test_a_sink_receives_only_the_groups_it_joined(self):
        for backend in backends():
            for joined in ((GROUP,), (f"{GROUP}@lo", OTHER_GROUP)):
                args = [word for group in joined for word in ("--join", group)]
                with self.subTest(f"{backend} {joined}"), self.server("sink", *args, "--backend", backend) as sink, \
                        self.sender() as sock:
                    port = sink.port()
                    for sequence in range(5):
                        sock.sendto(frame.make(1, sequence), (GROUP, port))
                        sock.sendto(frame.make(2, sequence), (OTHER_GROUP, port))
                        sock.sendto(frame.make(3, sequence), ("127.0.0.1", port))
                    self.host.call(lambda: until_read(port))
                    summary = sink.stop().summary()
                    self.assertEqual((summary["received"], summary["streams"]), (5 * (1 + len(joined)), 1 + len(joined)))
                    self.assertEqual((summary["lost"], summary["corrupt"]), (0, 0))

    def test_an_echo_answers_a_group_from_its_own_address(self):
        with self.server("echo", "--join", GROUP) as echo, self.sender() as sock:
            port = echo.port()
            sock.sendto(b"anybody?", (GROUP, port))
            self.assertEqual(sock.recvfrom(100), (b"anybody?", ("127.0.0.1", port)))

    def members(self, count):
        """Sockets that have joined the group on one port, each with another to answer by."""
        def make():
            port = 0
            pairs = []
            for _ in range(count):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((GROUP, port))
                port = sock.getsockname()[1]
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1"))
                sock.setblocking(False)
                pairs.append((sock, udp_socket()))
            return pairs

        return self.host.call(make)

    def test_latency_has_a_row_for_each_receiver(self):
        (a, answer_a), (b, answer_b) = self.members(2)
        with a, answer_a, b, answer_b:
            args = ("latency", "--to", f"{GROUP}:{a.getsockname()[1]}", "--interface", "lo", "--rate", "1k", "--count", 100, "--timeout",
                    "60s", "--json")
            with self.host.call(lambda: Background(*args)) as latency:
                seen_by_b = 0
                while latency.process.poll() is None:
                    ready, _, _ = select.select([b, a], [], [], 0.05)  # b is never behind
                    for sock in ready:
                        datagram, source = sock.recvfrom(2048)
                        if sock is a:
                            answer_a.sendto(datagram, source)
                            answer_a.sendto(datagram, source)
                            continue
                        seen_by_b += 1
                        if seen_by_b % 2 == 1:
                            answer_b.sendto(datagram, source)
                summary = latency.finish().summary()
            rows = {row["source"]: row for row in summary["receivers"]}
            row_a, row_b = (rows[f"127.0.0.1:{answer.getsockname()[1]}"] for answer in (answer_a, answer_b))
        self.assertEqual((summary["sent"], summary["receivers_other"]), (100, 0))
        self.assertEqual((row_b["answered"], row_b["lost"], row_b["duplicate"]), (50, 50, 0))
        # The end does not wait for duplicates of the last one.
        self.assertEqual((row_a["answered"], row_a["lost"]), (100, 0))
        self.assertGreaterEqual(row_a["duplicate"], 99)
        self.assertGreater(row_a["rtt_us"]["p50"], 0)

    def test_an_ipv6_group(self):
        try:
            self.host.ip("-6 route add ff01::/16 dev lo table local")
        except Exception as error:  # no IPv6 here
            self.skipTest(str(error))

        def make():
            sock = udp_socket("::1")
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("lo"))
            return sock

        with self.server("sink", "--join", "ff01::77@lo") as sink, self.host.call(make) as sock:
            port = sink.port()
            sock.sendto(frame.make(1, 0), ("ff01::77", port))
            self.host.call(lambda: until_read(port))
            self.assertEqual(sink.stop().summary()["received"], 1)


class Refused(unittest.TestCase):
    def refused(self, *args, named):
        done = run(*args)
        self.assertEqual((done.code, done.out), (2, ""), done)
        self.assertEqual(len(done.err.splitlines()), 1, done)
        for part in named:
            self.assertIn(part, done.err)

    def test_invalid_groups(self):
        for command in ("sink", "echo"):
            for text in ("10.0.0.1", "239.1.2.3@", "@lo", "no.group.invalid"):
                self.refused(command, "--port", 0, "--join", text, named=(f"--join {text}", "multicast group"))
            self.refused(command, "--port", 0, "--join", "239.1.2.3@nonesuch0",
                         named=("--join 239.1.2.3@nonesuch0", "No such device"))

    def test_conflicting_options(self):
        self.refused("sink", "--port", 0, "--bidirectional", "--no-verify", named=("--bidirectional", "--no-verify"))
        self.refused("sink", "--port", 0, "--one-way", "--no-verify", named=("--one-way", "--no-verify"))
        self.refused("sink", "--port", 0, "--bidirectional", "--transport", "gtudp", named=("--bidirectional", "gtudp"))
        self.refused("load", "--self", "--strict", named=("--strict", "--rate"))
        self.refused("latency", "--self", "--ping-pong", "--strict", named=("--strict", "--rate"))
        self.refused("load", "--self", "--rate", "1k", "--arrivals", "fixed", "--seed", 1, named=("--seed", "poisson"))
        self.refused("node", "--name", "a", "--answer-timeout", "1s", named=("--answer-timeout", "--answer"))
        self.refused("message", "send", "--to", "127.0.0.1", "--bind", "::1", "--port", 0, "x",
                     named=("--to 127.0.0.1:5005", "--bind ::1 cannot reach IPv4"))
        for command in ("load", "latency"):
            self.refused(command, "--self", "--transport", "gtudp", "--size", 65507, named=("--size", "65502"))

    def test_invalid_start_times(self):
        for time_text, why in (("2026-02-31T00:00:00Z", "no such day"), ("9999999999", "64 bits"),
                               ("2999-01-01T00:00:00Z", "64 bits"), ("2020-01-01T00:00:00Z", "in the past"),
                               ("1700-11-29T00:00:00Z", "in the past"), ("0000-01-01T00:00:00Z", "in the past"),
                               ("1969-12-31T23:59:59.9Z", "in the past"), ("1.5", "in the past"), (".5", "in the past"),
                               ("2024-02-29T00:00:00.5Z", "in the past"), ("2023-02-29T00:00:00Z", "no such day"),
                               ("9999-12-31T23:59:59Z", "64 bits"), ("99999999999999999999", "64 bits"),
                               ("1e30", "expected UTC"), (".", "expected UTC"), ("1.5.5", "expected UTC"),
                               ("2024-02-29T00:00:00+01:00", "expected UTC"), ("2024-02-29T00:00:00.Z", "expected UTC")):
            for command in ("load", "latency"):
                self.refused(command, "--self", "--start-at", time_text, named=(f"--start-at {time_text}", why))


class OneWay(unittest.TestCase):
    def result(self, dues, *args):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--one-way", "--json", *args) as sink, \
                udp_socket() as sock:
            port = sink.port()
            for sequence, due in enumerate(dues):
                sock.sendto(frame.make(1, sequence, due()), ("127.0.0.1", port))
            until_read(port)
            return sink.stop()

    def test_records_times_from_the_due_time(self):
        for backend in backends():
            done = self.result([time.time_ns, lambda: time.time_ns() - 10**9, lambda: time.time_ns() + 20 * 10**9,
                                time.monotonic_ns, lambda: time.time_ns() - 2 * minute_ns,
                                lambda: time.time_ns() + 2 * minute_ns], "--backend", backend)
            self.assertIn("include the difference between the clocks", done.err)
            summary = done.summary()
            self.assertEqual((summary["received"], summary["corrupt"], summary["lost"]), (6, 0, 0))
            self.assertEqual((summary["before_sent"], summary["clock_apart"]), (1, 3))
            times = summary["one_way_us"]
            self.assertEqual(times["min"], 0)
            self.assertGreater(times["max"], 1e6)
            self.assertLess(times["max"], 60e6)
            self.assertGreater(times["p50"], 0)
            self.assertGreater(summary["before_sent_max_us"], 0)
            self.assertLessEqual(summary["before_sent_max_us"], 20e6)

    def test_text_report(self):
        with udp_socket() as reserved:
            port = reserved.getsockname()[1]
        with Background("sink", "--port", port, "--bind", "127.0.0.1", "--one-way") as sink, udp_socket() as sock:
            until(lambda: is_bound(port), "the sink listens")
            sock.sendto(frame.make(1, 0, time.time_ns() - 5_000), ("127.0.0.1", port))
            until_read(port)
            done = sink.stop()
        self.assertRegex(done.out, r"one way   min [0-9.]+  p50 .*; clock difference: none observed\n")

    def test_is_absent_without_the_option(self):
        with Background("sink", "--port", 0, "--json") as sink:
            sink.port()
            summary = sink.stop().summary()
        self.assertNotIn("one_way_us", summary)
        self.assertNotIn("answers_sent", summary)


def is_bound(port):
    """Whether a UDP socket is bound to `port`."""
    with open("/proc/net/udp") as lines:
        return any(int(line.split()[1].rsplit(":", 1)[1], 16) == port for line in list(lines)[1:])


class Bidirectional(unittest.TestCase):
    def sink(self, *args):
        return Background("sink", "--port", 0, "--bind", "127.0.0.1", "--bidirectional", "--json", *args)

    def test_answers_each_frame(self):
        for backend in backends():
            with self.sink("--backend", backend) as sink, udp_socket() as a, udp_socket() as b:
                target = ("127.0.0.1", sink.port())
                streams = {}
                for sequence in range(30):
                    for sock, stream in ((a, 7), (b, 7)):
                        fill = bytes(sequence * 50)
                        before = time.monotonic_ns()
                        sock.sendto(frame.make(stream, sequence + 3, fill=fill), target)
                        data, source = sock.recvfrom(65536)
                        self.assertEqual(source, target)
                        self.assertEqual(len(data), 24 + len(fill))
                        answered_stream, answered, due, _ = frame.parse(data)
                        self.assertEqual(answered, sequence)
                        self.assertTrue(before <= due <= time.monotonic_ns())
                        self.assertEqual(streams.setdefault(sock, answered_stream), answered_stream)
                self.assertNotEqual(streams[a], streams[b])
                summary = sink.stop().summary()
                self.assertEqual((summary["received"], summary["answers_sent"], summary["answers_dropped"]),
                                 (60, 60, 0))

    def test_a_burst_is_answered_completely_and_in_order(self):
        with self.sink() as sink, udp_socket() as sock:
            target = ("127.0.0.1", sink.port())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            for sequence in range(300):
                sock.sendto(frame.make(1, sequence, fill=b"x" * 40), target)
            answers = [frame.parse(sock.recv(65536)) for _ in range(300)]
            self.assertEqual([answer[1] for answer in answers], list(range(300)))
            self.assertEqual(len({answer[0] for answer in answers}), 1)
            sink.stop()

    def test_invalid_and_duplicate_frames_are_not_answered(self):
        with self.sink() as sink, udp_socket() as sock:
            target = ("127.0.0.1", sink.port())
            good = frame.make(1, 0)
            corrupt = bytearray(frame.make(1, 1))
            corrupt[9] ^= 1
            for data in (good, bytes(corrupt), b"", b"x" * 100, good, frame.make(1, 2)):
                sock.sendto(data, target)
            self.assertEqual([frame.parse(sock.recv(65536))[1] for _ in range(2)], [0, 1])
            until_read(target[1])
            summary = sink.stop().summary()
            self.assertEqual((summary["received"], summary["corrupt"], summary["duplicate"], summary["answers_sent"]),
                             (6, 3, 1, 2))
            sock.settimeout(0)
            self.assertRaises(BlockingIOError, sock.recv, 100)

    def test_answers_carry_wall_clock_due_times_with_one_way(self):
        with self.sink("--one-way") as sink, udp_socket() as sock:
            before = time.time_ns()
            sock.sendto(frame.make(1, 0, before), ("127.0.0.1", sink.port()))
            due = frame.parse(sock.recv(100))[2]
            self.assertTrue(before - 10**6 <= due <= time.time_ns() + 10**6)
            self.assertEqual(sink.stop().summary()["clock_apart"], 0)
