"""`load --reverse`: a sink sends, but only to an address that is proven, and no more than it allows."""

import struct
import unittest

from control_peer import ASK_REVERSE, CONTROL_BYTES, REVERSE, make_control, parse_control
from support import Background, backends, run, udp_socket

PROVE, SENDING, ENDED = 1, 2, 3
SECOND = 10**9


def sink(*args):
    return Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json", *args)


def reverse_from(port, *args):
    return run("load", "--reverse", "--to", f"127.0.0.1:{port}", "--json", *args)


class Receives(unittest.TestCase):
    def all_received(self, done, most):
        summary = done.summary()
        self.assertEqual((done.code, summary["lost"], summary["received"]), (0, 0, summary["sent"]), done)
        self.assertLessEqual(summary["sent"], most)
        self.assertGreater(summary["sent"], 0)
        return summary["sent"]

    def test_as_much_as_asked(self):
        for backend in backends():
            for theirs in ((), ("--threads", 2), ("--gso", "off")):
                with self.subTest(f"{backend} {theirs}"), \
                        sink("--reverse-max", "1Gbit", "--backend", backend, *theirs) as far:
                    done = reverse_from(far.port(), "--rate", "2k", "--duration", "100ms", "--size", 200, "--backend",
                                        backend, "--fail-if", "loss>0%")
                    at_sink = far.stop().summary()
                summary = done.summary()
                sent = self.all_received(done, 200)  # a stalled sink sends less, not later
                self.assertEqual((summary["rate_granted_per_s"], summary["bytes"]), (2000, sent * 200))
                self.assertEqual((at_sink["reverse_sent"], at_sink["received"], at_sink["corrupt"]), (sent, 0, 0))

    def test_no_more_than_the_sink_allows(self):
        with sink("--reverse-max", "1024kbit") as far:  # 1,000 datagrams of 100 bytes with their headers
            done = reverse_from(far.port(), "--size", 100, "--duration", "200ms", "--rate", "1M")
        self.assertEqual(done.summary()["rate_granted_per_s"], 1000)
        self.all_received(done, 200)

    def test_text(self):
        with sink("--reverse-max", "1Gbit") as far:
            done = run("load", "--reverse", "--to", f"127.0.0.1:{far.port()}", "--rate", "1k", "--duration", "50ms")
        self.assertRegex(done.out, r"sent +\d+ datagrams, as the sink reports, at most 1,000/s\n")
        self.assertRegex(done.out, r"received +\d+ datagrams .* each one verified\nlost +0 ")


class Refused(unittest.TestCase):
    def test_is_off_by_default(self):
        with sink() as far:
            done = reverse_from(far.port(), "--rate", 100, "--duration", "50ms")
        self.assertEqual((done.code, done.summary()["received"]), (1, 0), done)
        self.assertIn("the sink does not send; it needs --reverse-max", done.err)

    def test_without_an_answer(self):
        with udp_socket() as silent:
            done = reverse_from(silent.getsockname()[1], "--rate", 100, "--duration", "50ms")
            port = silent.getsockname()[1]
        self.assertEqual(done.code, 4, done)
        self.assertIn("no answer", done.err)
        done = reverse_from(port, "--rate", 100, "--duration", "50ms")
        self.assertEqual(done.code, 4, done)
        self.assertIn("unreachable", done.err)

    def test_wrong_usage(self):
        for args in (("--bidirectional",), ("--no-verify",), ("--flows", 2), ("--transport", "gtudp"),
                     ("--size", "imix"), ("--self",), ("--find-max",)):
            to = () if args == ("--self",) else ("--to", "127.0.0.1:9")
            done = run("load", "--reverse", *to, *args)
            self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
            self.assertIn("--reverse", done.err)
        for args in (("--reverse-max", "1Gbit", "--no-control"), ("--reverse-max", "1Gbit", "--bidirectional"),
                     ("--reverse-max", "fast"), ("--reverse-max", "1Gbit", "--transport", "gtudp")):
            done = run("sink", "--port", 0, *args)
            self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)


class Strangers(unittest.TestCase):
    """Written from the format alone."""

    def test_nothing_but_answers_without_the_token(self):
        with sink("--reverse-max", "1Gbit") as far, udp_socket() as sock, udp_socket() as other:
            to = ("127.0.0.1", far.port())
            want = lambda token, wanted=1: make_control(ASK_REVERSE, 5, 9, [token, 1_000_000, 64, SECOND, wanted])
            for token in (0, 1, 2**64 - 1):
                sock.sendto(want(token), to)
                data = sock.recv(65536)
                kind, _, _, (mine, state, *_) = parse_control(data)
                self.assertEqual((kind, state, len(data)), (REVERSE, PROVE, CONTROL_BYTES))
            other.sendto(want(mine), to)
            self.assertEqual(parse_control(other.recv(65536))[3][1], PROVE, "a token is that of one address")
            sock.sendto(want(mine), to)
            self.assertEqual(parse_control(sock.recv(65536))[3][1], SENDING)
            self.assertEqual(len(sock.recv(65536)), 64)
            sock.sendto(want(mine, 0), to)
            frames = 1
            while (control := parse_control(data := sock.recv(65536))) is None:
                frames += 1
                self.assertTrue(struct.unpack_from("<I", data, 4)[0] & 1 << 31, "the stream of an answer")
            self.assertEqual((control[3][1], control[3][3]), (ENDED, frames))
            summary = far.stop().summary()
        self.assertEqual((summary["reverse_sent"], summary["counters"]["reverse"]["unproven"]), (frames, 4))
