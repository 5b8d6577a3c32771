"""sink and echo with datagrams sent by Python."""

import concurrent.futures
import json
import os
import tempfile
import unittest

import frame
from support import Background, backends, run, udp_socket, until_read


class Sink(unittest.TestCase):
    def send_all(self, datagrams, *args):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json", *args) as sink, udp_socket() as sock:
            port = sink.port()
            for datagram in datagrams:
                sock.sendto(datagram, ("127.0.0.1", port))
            until_read(port)
            return sink.stop().summary()

    def test_classifies_datagrams(self):
        def at(sequence):
            return frame.make(7, sequence, fill=b"fill")

        corrupt = bytearray(at(5))
        corrupt[30 - 4] ^= 0x10
        sent = [at(0), at(1), at(2), at(4), at(3), at(2), bytes(corrupt), at(6), b"no frame", b"", at(9)]
        for backend in backends():
            summary = self.send_all(sent, "--backend", backend)
            expected = {"received": 11, "duplicate": 1, "reordered": 1, "corrupt": 3, "lost": 3}
            self.assertEqual({name: summary[name] for name in expected}, expected)
            self.assertEqual(summary["bytes"], sum(map(len, sent)))
            self.assertEqual((summary["streams"], summary["backend"]), (1, backend))

    def test_distinguishes_streams(self):
        sent = [frame.make(stream, sequence) for sequence in range(20) for stream in (1, 2, 3)]
        summary = self.send_all(sent)
        expected = {"received": 60, "streams": 3, "lost": 0, "duplicate": 0, "reordered": 0, "corrupt": 0}
        self.assertEqual({name: summary[name] for name in expected}, expected)

    def test_every_size_of_frame(self):
        sent = [frame.make(1, i, fill=bytes(size)) for i, size in enumerate((0, 1, 40, 1376, 1377, 9000))]
        self.assertEqual(self.send_all(sent)["corrupt"], 0)

    def test_without_verification_datagrams_are_only_counted(self):
        summary = self.send_all([b"anything", b"", frame.make(1, 5)], "--no-verify")
        self.assertEqual(summary["received"], 3)
        self.assertEqual([summary[name] for name in ("lost", "duplicate", "reordered", "corrupt")], [None] * 4)
        self.assertNotIn("lost_in", summary)

    def test_summary_members(self):
        summary = self.send_all([frame.make(1, 0)])
        for name in ("received", "lost", "duplicate", "reordered", "corrupt", "socket_dropped", "duration_s",
                     "rate_per_s", "backend", "gro"):
            self.assertIn(name, summary)


class Restart(unittest.TestCase):
    """The kernel may close the sockets of a killed process a little later than the process ends."""

    def test_at_once_after_a_kill(self):
        with tempfile.NamedTemporaryFile("w") as library:
            json.dump({"a": {"id": 1, "format": "<B"}}, library)
            library.flush()
            for args in (("echo", "--port", 7000), ("echo", "--port", 7000, "--threads", 2), ("sink", "--port", 7000),
                         ("echo", "--port", 7000, "--transport", "gtudp"),
                         ("relay", "--listen", 7000, "--to", "127.0.0.1:9"), ("recv", "--port", 7000),
                         ("message", "listen", "--port", 7000), ("beacon", "--port", 7000),
                         ("struct", "listen", "--port", 7000, "--library", library.name),
                         ("node", "--name", "a", "--interface", "lo")):
                for backend in backends():
                    for _ in range(6):
                        with self.subTest(f"{args} {backend}"), Background(*args, "--json", "--backend", backend) as server:
                            server.event("listening")
                            server.process.kill()
                            server.process.wait()

    def test_a_port_that_stays_in_use_is_an_error(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
            commands = [(command, "--port", port, *bind) for command in ("sink", "echo", "recv") for bind in ((), ("--bind", "127.0.0.1"))]
            with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
                for done in pool.map(lambda args: run(*args), commands):
                    self.assertEqual((done.code, done.out, len(done.err.splitlines())), (2, "", 1), done)
                    self.assertIn("in use", done.err)


class Echo(unittest.TestCase):
    def test_returns_every_datagram_to_its_source(self):
        for backend in backends():
            for host in ("127.0.0.1", "::1"):
                with Background("echo", "--port", 0, "--json", "--backend", backend) as echo, udp_socket(host) as a, \
                        udp_socket(host) as b:
                    target = (host, echo.port())
                    texts = [b"one", b"", b"x" * 1400, bytes(range(256)), b"y" * 65507, b"same size", b"same SIZE"]
                    for sock in (a, b):
                        for text in texts:
                            sock.sendto(text, target)
                            answer, source = sock.recvfrom(65536)
                            self.assertEqual(answer, text)
                            self.assertEqual(source[:2], target)
                    for i in range(100):  # in a burst, so that the answers may be sent as trains
                        a.sendto(i.to_bytes(2, "little") * 20, target)
                    self.assertEqual([a.recv(65536) for _ in range(100)],
                                     [i.to_bytes(2, "little") * 20 for i in range(100)])
                    summary = echo.stop().summary()
                    self.assertEqual((summary["received"], summary["sent"]), (114, 114))

    def test_refuses_to_answer_an_echo_or_chargen_port(self):
        if os.geteuid() != 0:
            self.skipTest("only root may bind the ports 7 and 19")
        with Background("echo", "--port", 0, "--bind", "127.0.0.1", "--json") as echo, udp_socket() as honest:
            target = ("127.0.0.1", echo.port())
            for port in (7, 19):
                try:
                    looping = udp_socket(port=port)
                except OSError as error:
                    self.skipTest(f"port {port}: {error}")
                with looping:
                    looping.sendto(b"loop?", target)
                    honest.sendto(b"honest", target)
                    self.assertEqual(honest.recv(100), b"honest")
                    looping.settimeout(0)
                    self.assertRaises(BlockingIOError, looping.recv, 100)
            summary = echo.stop().summary()
            self.assertEqual((summary["received"], summary["sent"], summary["refused"]), (4, 2, 2))
