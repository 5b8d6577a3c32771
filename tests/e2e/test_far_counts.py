"""`load --to` asks a sink for its counts."""

import threading
import unittest

import frame
from control_peer import ASK, CONTROL_BYTES, COUNTS, make_control, parse_control
from support import Background, EchoThread, backends, run, udp_socket, wall_offset_ns


class PythonSink:
    """Answers every request with what numbers_of(frames received) returns."""

    def __init__(self, numbers_of):
        self.socket = udp_socket()
        self.port = self.socket.getsockname()[1]
        self.numbers_of, self.asked = numbers_of, 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        received = 0
        while True:
            data, source = self.socket.recvfrom(65536)
            if data == b"stop":
                return
            if control := parse_control(data):
                self.asked += 1
                kind, stream, cookie, numbers = control
                assert kind == ASK and not any(numbers)
                if (answer := self.numbers_of(received)) is not None:
                    self.socket.sendto(make_control(COUNTS, stream, cookie, answer), source)
            else:
                received += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with udp_socket() as sock:
            sock.sendto(b"stop", ("127.0.0.1", self.port))
        self.thread.join(60)
        self.socket.close()


def load_to(port, *args):
    return run("load", "--to", f"127.0.0.1:{port}", "--rate", "2k", "--duration", "50ms", "--json", *args)


class OfASink(unittest.TestCase):
    def test_are_complete(self):
        for backend in backends():
            for ours, theirs in (((), ()), (("--threads", 2, "--flows", 40), ("--threads", 2)),
                                 (("--bidirectional",), ("--bidirectional",)), (("--one-way",), ("--one-way",)),
                                 (("--size", 88), ())):
                with self.subTest(f"{backend} {ours}"), \
                        Background("sink", "--port", 0, "--bind", "127.0.0.1", "--backend", backend, "--json",
                                   *theirs) as sink:
                    done = load_to(sink.port(), "--backend", backend, "--fail-if", "loss>0%", *ours)
                    summary, at_sink = done.summary(), sink.stop().summary()
                self.assertEqual((done.code, summary["far_known"], summary["lost"]), (0, True, 0), done)
                self.assertEqual((summary["received"], at_sink["received"], at_sink["corrupt"]),
                                 (summary["sent"], summary["sent"], 0))
                self.assertEqual(at_sink["counters"]["control"]["asked"], at_sink["counters"]["control"]["answered"])

    def test_the_loss_of_the_path_is_bounded_from_one_command(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink, \
                Background("relay", "--listen", 0, "--to", f"127.0.0.1:{sink.port()}", "--loss", "30%", "--delay",
                           "5ms", "--duplicate", "10%", "--seed", 3, "--json") as relay:
            done = load_to(relay.port(), "--fail-if", "loss>5%")
            at_sink = sink.stop().summary()
        summary = done.summary()
        if not summary["far_known"]:  # all requests can be lost
            return self.assertEqual((done.code, summary["breached"]), (3, ["loss>5%: not measured"]))
        self.assertEqual(done.code, 3, done)
        distinct = at_sink["received"] - at_sink["duplicate"] - at_sink["corrupt"]
        self.assertEqual(summary["lost"], summary["sent"] - distinct)
        self.assertEqual(summary["duplicate"], at_sink["duplicate"])

    def test_the_clocks_are_compared(self):
        for theirs, known in ((("--one-way",), True), ((), False)):
            before_ns = wall_offset_ns()
            with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json", *theirs) as sink:
                done = load_to(sink.port(), "--one-way")
            offset, error = (done.summary()[name] for name in ("clock_offset_us", "clock_offset_error_us"))
            if known:  # one host has one clock, which both ends read with some error, unless it is set meanwhile
                set_us = abs(wall_offset_ns() - before_ns) / 1e3
                self.assertLessEqual(abs(offset), error + set_us + 100, done)
            else:
                self.assertEqual((offset, error), (None, None))

    def test_text(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
            done = run("load", "--to", f"127.0.0.1:{sink.port()}", "--rate", "2k", "--duration", "20ms")
        self.assertRegex(done.out, r"received +\d+ datagrams, as the sink reports\nlost +0 \(0.0000 %\)")

    def test_a_request_is_answered_once_in_its_size(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink, udp_socket() as sock, \
                udp_socket() as other:
            to = ("127.0.0.1", sink.port())
            for sequence in (0, 1, 3, 3):
                sock.sendto(frame.make(5, sequence), to)
            for asking, numbers in ((sock, [3, 1, 4, 1, 0, 0, 0, 0]), (other, [0] * 8)):
                asking.sendto(make_control(ASK, 5, 99), to)
                data = asking.recv(65536)
                self.assertEqual((len(data), parse_control(data)), (CONTROL_BYTES, (COUNTS, 5, 99, numbers)))
            for wrong in (make_control(ASK, 5, 99, [1]), make_control(ASK, 5, 99)[:-1], make_control(9, 5, 99)):
                sock.sendto(wrong, to)
            sock.sendto(make_control(COUNTS, 5, 99), to)
            sock.sendto(make_control(ASK, 5, 100), to)
            self.assertEqual(parse_control(sock.recv(65536))[2], 100, "nothing wrong was answered")
            summary = sink.stop().summary()
        self.assertEqual((summary["received"], summary["corrupt"]), (4 + 3, 3))


class Unknown(unittest.TestCase):
    def check_unknown(self, done):
        self.assertEqual((done.code, done.summary()["far_known"]), (0, False), done)
        self.assertNotIn("lost", done.summary())

    def test_servers_that_do_not_answer(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--no-control", "--json") as sink:
            self.check_unknown(load_to(sink.port()))
            self.assertEqual(sink.stop().summary()["corrupt"], 3, "as for a sink of an earlier version")
        with EchoThread() as echo:
            self.check_unknown(load_to(echo.port))

    def test_a_bound_on_unknown_loss_is_breached(self):
        with udp_socket() as silent:
            done = run("load", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--rate", "1k", "--duration", "20ms",
                       "--fail-if", "loss>1%")
        self.assertEqual(done.code, 3, done)
        self.assertIn("received  unknown: the other end does not report its counts\n", done.out)

    def test_nothing_is_asked(self):
        with PythonSink(lambda received: [received, 0, received]) as sink:
            for args in (("--no-control",), ("--no-verify",)):
                done = load_to(sink.port, *args)
                self.assertEqual(done.code, 0, done)
                self.assertNotIn("far_known", done.summary())
        self.assertEqual(sink.asked, 0)

    def test_forged_counts(self):
        for forged in (lambda received: [received + 1, 0, received + 1], lambda received: [received, 1, received],
                       lambda received: [received, 0, received, 0, received + 1], lambda received: [2**64 - 1] * 6,
                       lambda received: [0, 0, 0, 0, 0, 0, 2]):
            with PythonSink(forged) as sink:
                done = load_to(sink.port)
                self.check_unknown(done)
                self.assertGreater(done.summary()["counters"]["far"]["rejected"], 0)

    def test_a_sink_written_from_the_format(self):
        with PythonSink(lambda received: [received, 0, received]) as sink:
            done = load_to(sink.port)
            self.assertEqual((done.summary()["far_known"], done.summary()["lost"]), (True, 0), done)
