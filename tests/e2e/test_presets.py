"""latency against foreign servers: dnsmasq, memcached, chronyd, and small servers in Python."""

import contextlib
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import support
from support import EchoThread, die_with_parent, run, udp_socket, until

resolution = 4
usage = 2


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise unittest.SkipTest(f"{name} is not installed")
    return found


def free_port():
    """A port that is free for UDP and TCP, below the kernel's ephemeral range."""
    while True:
        port = random.randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            return port


def ask(port, request, patience_s=support.patience_s):
    """Sends one datagram and returns the answer; None if there is none."""
    with udp_socket() as sock:
        sock.settimeout(patience_s)
        sock.connect(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            sock.send(request)
            return sock.recv(65536)
    return None


class Server:
    """A foreign server with its own directory; it has answered once, and ends with the test."""

    def __init__(self, test, request, command):
        directory = tempfile.TemporaryDirectory()
        test.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.directory.chmod(0o777)  # it may drop root privileges
        self.port = free_port()
        args = command(self.port, self.directory)
        self.log = self.directory / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        test.addCleanup(self.end)

        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"{args} has ended: {self.log.read_text()}")
            return ask(self.port, request, 0.05)

        until(answers, f"{args[0]} answers")

    def end(self):
        self.process.terminate()
        self.process.wait(support.patience_s)


def loop(args):
    """The options of a closed loop, unless a rate is given."""
    return () if "--rate" in args else ("--ping-pong",)


class Measured(unittest.TestCase):
    def measured(self, port, *args, count=50):
        done = run("latency", "--to", f"127.0.0.1:{port}", "--count", count, "--json", *args, *loop(args))
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        self.assertEqual((summary["sent"], summary["lost"], summary["foreign"]), (count, 0, 0), done)
        self.assertGreater(summary["rtt_us"]["min"], 0)
        return summary


class Dns(Measured):
    def setUp(self):
        name = program("dnsmasq")
        query = bytes.fromhex("abcd01000001000000000000") + b"\x01x\x04test\x00" + bytes.fromhex("00010001")
        self.server = Server(self, query, lambda port, directory: [
            name, "--keep-in-foreground", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
            "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--address=/test/192.0.2.1", "--local=/test/",
            "--log-queries", "--log-facility=-"])

    def test_every_query_is_answered(self):
        for args in ((), ("--rate", "2k"), ("--backend", "mmsg")):
            self.measured(self.server.port, "--preset", "dns:www.bench.test", *args)
        self.assertEqual(self.server.log.read_text().count("query[A] www.bench.test from 127.0.0.1"), 150)

    def test_query_types(self):
        for kind, seen in (("AAAA", "AAAA"), ("MX", "MX"), ("txt", "TXT"), ("SOA", "SOA"), ("257", "CAA")):
            self.measured(self.server.port, "--preset", f"dns:{kind}.test.,{kind}", count=3)
            self.assertEqual(self.server.log.read_text().count(f"query[{seen}] {kind}.test from"), 3, seen)

    def test_custom_query(self):
        self.measured(self.server.port, "--match", "0:2", "--payload",
                      r"{seq:u16le}\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04hand\x04test\x00\x00\x01\x00\x01")
        self.assertEqual(self.server.log.read_text().count("query[A] hand.test from"), 50)

    def test_text_report(self):
        done = run("latency", "--to", f"127.0.0.1:{self.server.port}", "--preset", "dns:a.test", "--count", 5)
        self.assertEqual(done.code, 0, done)
        for word in ("24 B", "sent 5", "lost 0", "late 0", "response", "p99"):
            self.assertIn(word, done.out)


class Memcached(Measured):
    frame = bytes.fromhex("1234000000010000")

    def setUp(self):
        name = program("memcached")
        self.server = Server(self, self.frame + b"version\r\n", lambda port, directory: [
            name, "-U", str(port), "-p", "0", "-l", "127.0.0.1", "-u", "nobody", "-t", "1"])

    def store(self, key, value):
        reply = ask(self.server.port, self.frame + f"set {key} 0 0 {len(value)}\r\n{value}\r\n".encode())
        self.assertEqual(reply, self.frame + b"STORED\r\n")

    def hits(self):
        lines = ask(self.server.port, self.frame + b"stats\r\n").decode().split("\r\n")
        return int(next(line.split()[2] for line in lines if line.startswith("STAT get_hits")))

    def test_every_get_is_answered_and_hits(self):
        self.store("key", "value")
        self.measured(self.server.port, "--preset", "memcached-get:key")
        self.measured(self.server.port, "--preset", "memcached-get:key", "--rate", "2k")
        self.assertEqual(self.hits(), 100)

    def test_the_first_datagram_of_an_answer_counts(self):
        self.store("long", "x" * 5000)  # 4 datagrams of up to 1400 bytes
        summary = self.measured(self.server.port, "--preset", "memcached-get:long", count=20)
        self.assertIn(summary["duplicate"], range(3 * 19, 3 * 20 + 1))
        self.assertEqual(self.hits(), 20)


class Ntp(Measured):
    def test_every_request_is_answered(self):
        name = program("chronyd")

        def command(port, directory):
            config = directory / "chrony.conf"
            config.write_text(f"port {port}\ncmdport 0\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 8\n"
                              f"pidfile {directory}/pid\n")
            return [name, "-d", "-x", "-U", "-f", str(config)]  # -x: do not control the clock

        server = Server(self, b"\x23" + bytes(39) + b"12345678", command)
        self.measured(server.port, "--preset", "ntp")
        self.measured(server.port, "--preset", "ntp", "--rate", "2k")


class Replies(unittest.TestCase):
    """A server with scripted replies: `reply` maps a datagram to the list of answers."""

    def setUp(self):
        self.requests = []
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def latency(self, reply, *args):
        server = self.stack.enter_context(udp_socket())

        def serve():
            while True:
                data, source = server.recvfrom(65536)
                if source == killer.getsockname():
                    return
                self.requests.append(data)
                for answer in reply(data):
                    server.sendto(answer, source)

        with udp_socket() as killer:
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            done = run("latency", "--to", f"127.0.0.1:{server.getsockname()[1]}", "--json", *args, *loop(args))
            killer.sendto(b"", server.getsockname())
            thread.join(support.patience_s)
        return done.summary()

    def test_payload_fields(self):
        summary = self.latency(lambda data: [data], "--match", "echo", "--count", 20, "--payload",
                               r"{{\x00{seq:u16be}{seq:u32le}{time:u64le}{random:3}é\r\n")
        self.assertEqual((summary["sent"], summary["lost"]), (20, 0))
        before = 0
        for sequence, request in enumerate(self.requests):
            head, big, little, due, _, tail = struct.unpack("<2s2sIQ3s4s", request)
            self.assertEqual((head, tail), (b"{\0", "é\r\n".encode()))
            self.assertEqual((int.from_bytes(big, "big"), little), (sequence, sequence))
            self.assertGreater(due, before)
            before = due
        self.assertGreater(len({request[16:19] for request in self.requests}), 15)

    def test_match_at_another_offset(self):
        summary = self.latency(lambda data: [b"reply:" + data[2:6]], "--match", "2:4@6", "--count", 20, "--payload",
                               "id{seq:u32be}")
        self.assertEqual((summary["lost"], summary["foreign"]), (0, 0))

    def test_order(self):
        summary = self.latency(lambda data: [b"anything"], "--match", "order", "--count", 20, "--payload-hex", "00 ff")
        self.assertEqual((summary["lost"], summary["surplus"]), (0, 0))
        self.assertEqual(set(self.requests), {b"\x00\xff"})

    def test_distinguishes_foreign_datagrams_and_duplicates(self):
        summary = self.latency(lambda data: [b"xx" + data[2:], data[:1], data, data], "--match", "0:2", "--count", 20,
                               "--payload", "{seq:u16be}...")
        self.assertEqual((summary["sent"], summary["lost"], summary["foreign"]), (20, 0, 40))
        self.assertIn(summary["duplicate"], (19, 20))

    def test_unanswered_probes_are_lost(self):
        summary = self.latency(lambda data: [data] if data[0] % 2 else [], "--match", "0:1", "--count", 10, "--rate",
                               "1k", "--payload", "{seq:u8}")
        self.assertEqual((summary["sent"], summary["lost"]), (10, 5))

    def test_a_reused_id_replaces_the_older_probe(self):
        path = self.file("aa\naa\nb{seq:u8}\n")
        summary = self.latency(lambda data: [data] if data[:1] == b"b" else [], "--match", "0:2", "--count", 6, "--rate",
                               "1k", "--payload-file", path)
        self.assertEqual((summary["sent"], summary["lost"], summary["match_reused"]), (6, 4, 3))

    def test_payload_file_by_line_or_raw(self):
        path = self.file("one {seq:u8}\ntwo\n{{three}")
        self.latency(lambda data: [data], "--match", "echo", "--count", 6, "--payload-file", path)
        self.assertEqual(self.requests, [b"one \x00", b"two", b"{three}", b"one \x03", b"two", b"{three}"])
        self.requests.clear()
        self.latency(lambda data: [data], "--match", "echo", "--count", 2, "--payload-file", path, "--payload-raw")
        self.assertEqual(self.requests, [b"one {seq:u8}\ntwo\n{{three}"] * 2)

    def test_payload_file_of_any_editor(self):
        path = self.file("")
        path.write_bytes(b"\xef\xbb\xbfone {seq:u8}\r\n\r\ntwo\\r\r\nthree")
        self.latency(lambda data: [data], "--match", "echo", "--count", 3, "--payload-file", path)
        self.assertEqual(self.requests, [b"one \x00", b"two\r", b"three"])

    def test_payloads_of_a_capture(self):
        def packet(payload, protocol=17, fragment=0):
            udp = struct.pack(">HHHH", 1, 2, 8 + len(payload), 0) + payload
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, fragment, 64, protocol, 0, bytes(4), bytes(4))
            return bytes(12) + b"\x08\x00" + ip + udp

        packets = (packet(b"one"), packet(b"tcp", protocol=6), packet(b"part", fragment=0x2000), packet(b""),
                   packet(b"{two}\n"), packet(b"cut")[:-1])
        capture = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
        for data in packets:
            capture += struct.pack("<IIII", 0, 0, len(data), len(data)) + data
        path = self.file("")
        path.write_bytes(capture)
        summary = self.latency(lambda data: [data], "--match", "order", "--count", 4, "--payload-pcap", path)
        self.assertEqual((summary["sent"], summary["lost"]), (4, 0))
        self.assertEqual(self.requests, [b"one", b"{two}\n"] * 2)
        done = run("latency", "--self", "--match", "order", "--count", 1, "--payload-pcap", path)
        self.assertIn("2 of 6 packets are payloads; 4 left out: 1 TCP, 1 cut off, 1 empty, 1 fragmented", done.err)

    def file(self, text):
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        path = pathlib.Path(directory) / "payloads"
        path.write_text(text)
        return path


class BadInput(unittest.TestCase):
    def refused(self, args, *named, code=usage):
        with self.subTest(args):
            done = run("latency", "--to", "127.0.0.1:9", *args)
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertEqual(len(done.err.splitlines()), 1, done)
            self.assertLess(len(done.err), 200, done)
            for part in named:
                self.assertIn(part, done.err, done)

    def test_invalid_payloads(self):
        echo = ("--match", "echo")
        self.refused(("--payload", "ab{seq:u16}", *echo), "--payload", "character 3", "u16be")
        self.refused(("--payload", "", *echo), "--payload", "empty")
        self.refused(("--payload", "x" * 70_000, *echo), "--payload", "character 65508", "65507")
        self.refused(("--payload", "\x1b[2J{", *echo), "--payload", "\\x1b", "character 5")
        self.refused(("--payload-hex", "12 3", *echo), "--payload-hex", "character 4")
        self.refused(("--payload-file", "/nonexistent", *echo), "--payload-file", "/nonexistent")
        self.refused(("--payload-file", "/", *echo), "--payload-file", "directory")
        self.refused(("--payload-file", "/dev/null", *echo), "--payload-file", "no payload")
        self.refused(("--payload-file", "/dev/null", "--payload-raw", *echo), "--payload-file", "empty")
        self.refused(("--payload-pcap", "/nonexistent", *echo), "--payload-pcap", "/nonexistent")
        self.refused(("--payload-pcap", __file__, *echo), "--payload-pcap", "format")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("good\nbad{\n")
            file.flush()
            self.refused(("--payload-file", file.name, *echo), file.name, "line 2", "character 4")

    def test_invalid_matches(self):
        for text in ("0", "0:9", "0:2@", "all", "0:-1", "65507:1"):
            self.refused(("--payload", "abc", "--match", text), "--match", text)
        self.refused(("--payload", "abc", "--match", "2:2"), "--match", "2 to 3", "3 bytes")
        self.refused(("--payload", "abc"), "--match")
        self.refused(("--match", "echo"), "--payload")

    def test_invalid_presets(self):
        self.refused(("--preset", "dns:a..b"), "--preset", "dns:a..b", "character 7", "label")
        self.refused(("--preset", "dns:a,AXFR"), "--preset", "character 7", "types")
        self.refused(("--preset", "memcached-get:"), "--preset", "key")
        self.refused(("--preset", "smtp"), "--preset", "smtp", "ntp")

    def test_options_that_exclude_each_other(self):
        for args in (("--payload", "a", "--payload-hex", "00"), ("--payload", "a", "--preset", "ntp"),
                     ("--payload", "a", "--size", "64"), ("--match", "echo", "--preset", "ntp"),
                     ("--payload-hex", "00", "--payload-file", "x")):
            self.refused(args, args[0], args[2])
        self.refused(("--payload", "a", "--match", "echo", "--payload-raw"), "--payload-raw", "--payload-file")

    def test_only_presets_have_a_default_port(self):
        done = run("latency", "--to", "127.0.0.77", "--preset", "memcached-get:x", "--count", 1)
        self.assertEqual(done.code, resolution, done)
        self.assertIn("127.0.0.77:11211: unreachable", done.err)
        done = run("latency", "--to", "127.0.0.77", "--payload", "x", "--match", "echo", "--count", 1)
        self.assertEqual(done.code, usage, done)
        self.assertIn("HOST:PORT", done.err)


class Self(Measured):
    def test_echo_server_returns_any_payload(self):
        with EchoThread() as echo:
            self.measured(echo.port, "--payload", "x{seq:u64be}", "--match", "echo")
        done = run("latency", "--self", "--payload", "x{seq:u64be}", "--match", "echo", "--count", 50, "--json")
        self.assertEqual((done.code, done.summary()["lost"]), (0, 0), done)
