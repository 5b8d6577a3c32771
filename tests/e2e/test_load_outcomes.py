"""What load, sink, send and others report when something is missing, and how they end."""

import contextlib
import subprocess
import threading
import unittest

import frame
import gtudp_peer
import support
from support import Background, Network, Segment, backends, run, tried, udp_socket, until, until_read


def closed_port(host="127.0.0.1"):
    with udp_socket(host) as sock:
        return sock.getsockname()[1]


class GivenUp(unittest.TestCase):
    """gtUDP through a relay that loses a third of the datagrams: some messages are given up."""

    def through_loss(self, *conditions):
        with Background("sink", "--transport", "gtudp", "--port", 0, "--bind", "127.0.0.1", "--json") as there, \
                Background("relay", "--listen", 0, "--bind", "127.0.0.1", "--to", f"127.0.0.1:{there.port()}", "--json",
                           "--loss", "30%", "--seed", 3) as between:
            arguments = [word for condition in conditions for word in ("--fail-if", condition)]
            return run("load", "--duration", "150ms", "--transport", "gtudp", "--to", f"127.0.0.1:{between.port()}", "--rate",
                       "1k", "--sends", 2, "--resend-after", "20ms", "--json", *arguments)

    def test_load(self):
        for conditions, code in (((), 1), (("loss>99%",), 0), (("loss>0%",), 3), (("rate<1",), 1),
                                 (("loss>99%", "rate>1"), 3)):
            with self.subTest(conditions):
                done = self.through_loss(*conditions)
                summary = done.summary()
                self.assertGreater(summary["gave_up"], 0)
                self.assertEqual(summary["lost"], summary["gave_up"])
                self.assertEqual(summary["sent"], summary["confirmed"] + summary["gave_up"])
                self.assertEqual(done.code, code, done)

    def test_text_report(self):
        # A message has no time to be confirmed.
        done = run("load", "--self", "--transport", "gtudp", "--rate", "1k", "--duration", "50ms", "--sends", 1,
                   "--resend-after", "1ns")
        self.assertEqual(done.code, 4 if "no answer" in done.err else 1, done)
        self.assertRegex(done.out, r"FAILED: \d+ of \d+ messages were lost; --fail-if 'loss>SHARE' allows a share")


class Answering:
    """Answers the first `answers` datagrams that pass `accepts`, and reads the others."""

    def __init__(self, answers, accepts=lambda data: True, change=lambda data: data):
        self.socket = udp_socket()
        self.port = self.socket.getsockname()[1]
        self.left, self.accepts, self.change = answers, accepts, change
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                data, source = self.socket.recvfrom(65536)
                if self.left > 0 and self.accepts(data):
                    self.left -= 1
                    self.socket.sendto(self.change(data), source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def has_even_sequence(data):
    parsed = frame.parse(data)  # None: a request for counts
    return parsed is not None and parsed[1] % 2 == 0


class NothingComesBack(unittest.TestCase):
    def load(self, port, *args):
        """20 datagrams; a stall at the end of the run cuts some off."""
        done = tried(lambda: run("load", "--to", f"127.0.0.1:{port}", "--bidirectional", "--rate", 100, "--duration", "200ms",
                                 "--json", *args), lambda done: done.summary()["sent"] == 20)
        return done, done.summary()

    def check(self, done, summary, back_lost, code=0):
        self.assertEqual((done.code, summary["back_lost"]), (code, back_lost), done)
        self.assertEqual(summary["sent"], summary["back_lost"] + summary["back_received"] - summary["back_duplicate"]
                         - summary["back_corrupt"])

    def test_a_sink_that_does_not_answer(self):
        for backend, args in zip(backends(), ((), ("--threads", 2, "--flows", 4))):
            with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
                port = sink.port()
                done, summary = self.load(port, "--backend", backend, *args)
                self.check(done, summary, summary["sent"], 4)
                self.assertIn(f"127.0.0.1:{port}: no answer, nothing came back\n", done.err)

    def answered(self, lost, *serving):
        """A run against an Answering; `lost` is a function of what was sent. Answers that a stall delays come too late."""
        def attempt():
            with Answering(*serving) as server:
                return self.load(server.port)

        done, summary = tried(attempt, lambda result: result[1]["back_lost"] == lost(result[1]["sent"]))
        self.check(done, summary, lost(summary["sent"]))
        return summary

    def test_answers_that_stop_midway(self):
        summary = self.answered(lambda sent: max(sent - 8, 0), 8)
        self.assertEqual(summary["back_gaps"], 0)

    def test_answers_to_every_other_datagram(self):
        summary = self.answered(lambda sent: sent // 2, 20, has_even_sequence)
        self.assertEqual(summary["back_gaps"], (summary["sent"] - 1) // 2, "missing between answers that came")

    def test_only_damaged_answers(self):
        with Answering(20, change=lambda data: data[:-1] + bytes([data[-1] ^ 1])) as server:
            done, summary = self.load(server.port)
            self.check(done, summary, summary["sent"], 1)
            self.assertIn("answers came, none is intact", done.err)

    def test_with_self_everything_comes_back(self):
        done = run("load", "--self", "--bidirectional", "--rate", 200, "--duration", "100ms", "--json")
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        self.assertEqual(summary["answers_sent"], summary["back_received"] + summary["back_lost"])


class Restarted(unittest.TestCase):
    def sink(self, port=0):
        return Background("sink", "--port", port, "--bind", "127.0.0.1", "--json")

    def test_a_sink_that_starts_in_the_middle_of_a_stream(self):
        with udp_socket() as first:
            port = first.getsockname()[1]
            load = Background("load", "--to", f"127.0.0.1:{port}", "--rate", "1k", "--duration", "1s", "--json")
            with contextlib.suppress(TimeoutError):
                first.settimeout(10)
                for _ in range(700):
                    first.recv(100)
        with load, self.sink(port) as second:
            second.port()
            sent = load.finish().summary()
            until_read(port)
            summary = second.stop().summary()
        self.assertEqual(summary["lost"], 0, summary)
        if summary["received"] > 0:  # else the load had ended before
            self.assertGreater(summary["before_start"], 600)
            self.assertEqual(summary["received"] + summary["before_start"], sent["sent"] + sent["send_failed"])

    def received(self, *frames):
        with self.sink() as sink, udp_socket() as sock:
            port = sink.port()
            for sequence, due in frames:
                sock.sendto(frame.make(1, sequence, due), ("127.0.0.1", port))
            until_read(port)
            return sink.stop().summary()

    def test_an_old_stream(self):
        ms = 1_000_000
        summary = self.received(*((sequence, sequence * 5 * ms) for sequence in (200_002, 200_000, 200_001, 200_005)))
        self.assertEqual((summary["before_start"], summary["lost"], summary["reordered"]), (200_000, 2, 2))

    def test_a_loss_at_the_start_of_a_new_stream(self):
        summary = self.received(*((sequence, sequence) for sequence in (3, 2, 4, 6)))
        self.assertEqual((summary["before_start"], summary["lost"], summary["reordered"]), (0, 3, 1))

    def test_text_report(self):
        with udp_socket() as reserved:
            port = reserved.getsockname()[1]
        sink = Background("sink", "--port", port, "--bind", "127.0.0.1")
        with sink, udp_socket() as sock:
            until(lambda: "listening" in sink.process.stderr.readline(), "the sink listens")
            for sequence in (200_000, 200_001):
                sock.sendto(frame.make(1, sequence, sequence * 5_000_000), ("127.0.0.1", port))
            until_read(port)
            self.assertIn("sent before this sink started 200,000, not counted as lost\n", sink.stop().out)


class ReachesItself(unittest.TestCase):
    def refused(self, *args, port):
        with self.subTest(args):
            done = run(*args)
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (2, "", 1), done)
            self.assertIn("--to", done.err)
            self.assertIn(f"itself, on port {port}", done.err)

    def test_refused(self):
        host = Network()
        self.addCleanup(host.close)
        host.ip("link set lo up")
        host.ip("link add br0 type bridge")
        host.ip("addr add 10.79.0.1/24 dev br0")
        host.ip("link set br0 up")

        def check():
            for to in ("127.0.0.1", "127.0.0.2", "localhost", "[::1]", "0.0.0.0", "[::]", "10.79.0.1", "127.0.0.1:5005",
                       "[::ffff:127.0.0.1]"):
                self.refused("message", "send", "--to", to, "hello", port=5005)
            for role in ("listen", "chat"):
                self.refused("message", role, "--to", "127.0.0.1", port=5005)
                self.refused("message", role, "--bind", "10.79.0.1", "--to", "10.79.0.1", port=5005)
                self.refused("message", role, "--bind", "::1", "--to", "[::1]", port=5005)
                self.refused("message", role, "--port", 6000, "--to", "127.0.0.1:6000", port=6000)
            self.refused("message", "send", "--bind", "127.0.0.2", "--to", "0.0.0.0", "x", port=5005)
            for to in ("127.0.0.1:6000", "10.79.0.1:6000", "[::1]:6000"):
                self.refused("beacon", "--port", 6000, "--to", "127.0.0.1:9", "--to", to, port=6000)
                self.refused("relay", "--listen", 6000, "--to", to, port=6000)

        host.call(check)

    def test_allowed(self):
        """Another address of this host, another family, another port."""
        for args in (("message", "send", "--bind", "127.0.0.1", "--to", "127.0.0.2", "x"),
                     ("message", "send", "--to", "127.0.0.1", "--port", 0, "x")):
            self.assertEqual(run(*args).code, 4)
        for args in (("--bind", "127.0.0.1", "--to", "127.0.0.2:6000"), ("--to", "255.255.255.255:6000")):
            self.assertNotIn("itself", run("beacon", "--port", 6000, "--count", 1, "--duration", "1ms", *args).err)
        with Background("relay", "--listen", 6000, "--bind", "0.0.0.0", "--to", "[::1]:6000", "--json") as relay:
            self.assertEqual(relay.port(), 6000)

    def test_the_kernel_chooses_the_target_s_port(self):
        """With four ports to choose from, many a socket would get the target's."""
        host = Network()
        self.addCleanup(host.close)
        host.ip("link set lo up")

        def check():
            try:
                with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as limits:  # of this thread's network
                    limits.write("40000 40003")
            except OSError as error:
                self.skipTest(str(error))
            for command in (("load", "--duration", "20s", "--bidirectional"), ("latency", "--duration", "20s"),
                            *4 * [("send", "x")]):
                done = run(*command, "--to", "127.0.0.1:40000")
                self.assertEqual(done.code, 4, done)

        host.call(check)


class ClosedPort(unittest.TestCase):
    def test_send_is_unreachable_at_once(self):
        for backend in backends():
            for host, bracketed in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
                to = f"{bracketed}:{closed_port(host)}"
                for args in ((), ("--timeout", "1h"), ("--json",), ("--wait", "block")):
                    # Without a deadline of its own, it would resend for an hour.
                    done = run("send", "--to", to, "--sends", 255, "--resend-after", "1m", "--backend", backend, *args, "x")
                    self.assertEqual((done.code, done.err), (4, f"ringpost: {to}: unreachable\n"), done)
                    if "--json" in args:
                        self.assertEqual((done.summary()["sent"], done.summary()["failed"]), (1, 1))
                        self.assertGreater(done.summary()["unreachable"], 0)

    def test_lines_of_standard_input(self):
        done = subprocess.run([support.binary, "send", "--to", f"127.0.0.1:{closed_port()}"], input="one\ntwo\n",
                              capture_output=True, text=True, timeout=support.patience_s,
                              preexec_fn=support.die_with_parent)
        self.assertEqual(done.returncode, 4, done)

    def test_a_host_that_does_not_exist(self):
        segment = Segment(1)
        self.addCleanup(segment.close)

        def check():
            for name, value in (("mcast_solicit", "1"), ("retrans_time_ms", "20")):  # of ARP, to find out sooner
                with contextlib.suppress(OSError), open(f"/proc/sys/net/ipv4/neigh/eth0/{name}", "w") as setting:
                    setting.write(value)
            for backend in backends():
                for command in (("send", "--to", "10.78.0.9:7"), ("message", "send", "--to", "10.78.0.9:7")):
                    done = run(*command, "--backend", backend, "x")
                    self.assertEqual((done.code, done.err), (4, "ringpost: 10.78.0.9:7: unreachable\n"), done)

        segment.hosts[0].call(check)

    def test_latency_over_gtudp(self):
        done = run("latency", "--transport", "gtudp", "--to", f"127.0.0.1:{closed_port()}", "--duration", "20s")
        self.assertEqual(done.code, 4, done)
        self.assertIn("unreachable", done.err)

    def test_a_receiver_that_restarts_gets_every_line(self):
        peer = gtudp_peer.Peer()
        port = peer.port
        sender = subprocess.Popen([support.binary, "send", "--to", f"127.0.0.1:{port}", "--sends", "255", "--resend-after",
                                   "5ms"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  preexec_fn=support.die_with_parent)
        with sender:
            with peer:
                sender.stdin.write("before\n")
                sender.stdin.flush()
                until(lambda: peer.kinds[2] > 0, "the first line is confirmed")
            sender.stdin.write("between\n")
            sender.stdin.close()
            with Background("recv", "--port", port, "--bind", "127.0.0.1", "--json") as recv:
                self.assertEqual(recv.event("message")["text"], "between")
                self.assertEqual(sender.wait(support.patience_s), 0, sender.stderr.read())


class FindsTheMaximum(unittest.TestCase):
    def find(self, *args):
        done = run("load", "--find-max", "--duration", "10ms", "--json", *args)
        return done, done.events("trial"), done.summary()

    def test_over_loopback(self):
        for args in ((), ("--bidirectional", "--size", 200, "--backend", "mmsg")):
            with self.subTest(args):
                done, trials, summary = tried(lambda: self.find("--self", "--loss", "50%", *args),
                                              lambda found: found[0].code == 0)
                self.assertEqual(done.code, 0, done)
                unpaced = next(trial for trial in trials if trial["outcome"] == "unpaced")
                self.assertIsNone(unpaced["rate_asked"])
                self.assertEqual((summary["unpaced_sent"], summary["unpaced_per_s"]),
                                 (unpaced["sent"], unpaced["rate_per_s"]))
                self.assertEqual(summary["trials"], len(trials))
                self.assertIn(summary["limited_by"], ("loss", "pace", "kernel"))
                self.assertGreater(summary["found_per_s"], 0)
                self.assertIn(summary["found_per_s"], [trial["rate_per_s"] for trial in trials[1:]])
                self.assertLessEqual(summary["lost"], summary["sent"] * 0.5)

    def test_text_report(self):
        done = tried(lambda: run("load", "--self", "--find-max", "--duration", "10ms", "--loss", "1%"),
                     lambda done: done.code == 0)
        self.assertEqual(done.code, 0, done)
        lines = done.out.splitlines()
        self.assertEqual(len(lines), 5, done)
        self.assertRegex(lines[1], r"^sent as fast as the kernel takes them: +[0-9,]+/s, ")
        self.assertRegex(lines[2], r"^highest rate without loss \(under 1 %\): +[0-9,]+/s, [0-9.]+ Gbit/s; ")
        self.assertRegex(lines[4], r"--rate (max|[0-9.]+[kM]?) repeats it$")

    def test_to_a_peer_that_reports_loss(self):
        with Background("sink", "--transport", "gtudp", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
            done, trials, summary = self.find("--to", f"127.0.0.1:{sink.port()}", "--transport", "gtudp", "--sends", 60)
            self.assertEqual(done.code, 0, done)
            self.assertEqual((trials[-1]["outcome"], trials[-1]["lost"], summary["lost"]), ("confirmed", 0, 0))

    def test_to_a_sink_that_is_asked(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
            to = f"127.0.0.1:{sink.port()}"
            done, trials, summary = tried(lambda: self.find("--to", to, "--loss", "50%"), lambda found: found[0].code == 0)
            self.assertEqual(done.code, 0, done)
            for trial in trials:
                self.assertEqual(trial["received"] + trial["lost"], trial["sent"])
            self.assertLessEqual(summary["lost"], summary["sent"] * 0.5)

    def test_a_sink_that_does_not_report(self):
        with Background("sink", "--no-control", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
            done = run("load", "--find-max", "--to", f"127.0.0.1:{sink.port()}", "--duration", "10ms")
        self.assertEqual((done.code, done.out, len(done.err.splitlines())), (4, "", 1), done)
        self.assertIn("does not report its counts", done.err)

    def test_a_closed_port_and_a_silent_peer(self):
        for args in ((), ("--bidirectional",), ("--transport", "gtudp")):
            done = run("load", "--find-max", "--to", f"127.0.0.1:{closed_port()}", *args)
            self.assertEqual((done.code, done.out), (4, ""), done)
        with udp_socket() as silent:
            done = run("load", "--find-max", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--bidirectional",
                       "--duration", "20ms")
            self.assertEqual((done.code, done.out), (4, ""), done)
            self.assertIn("no answer", done.err)

    def test_refused(self):
        for args, part in ((("--to", "127.0.0.1:9", "--no-control"), "the sender must know what was lost"),
                           (("--self", "--rate", "1k"), "--rate"), (("--self", "--out", "x"), "--out: not with --find-max"),
                           (("--self", "--fail-if", "loss>1%"), "--fail-if: not with --find-max"),
                           (("--self", "--start-at", "5"), "--start-at: not with --find-max"),
                           (("--self", "--burst", 5), "--burst"), (("--self", "--strict"), "--strict")):
            done = run("load", "--find-max", *args)
            self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
            self.assertIn(part, done.err)
        self.assertEqual(run("load", "--self", "--loss", "1%").code, 2)


class LowRates(unittest.TestCase):
    def test_are_not_rounded_to_whole_numbers(self):
        done = run("load", "--self", "--rate", "0.4", "--duration", "100ms")
        self.assertIn("requested 0.4/s;", done.out)
        self.assertRegex(done.out, r"sent +1 datagrams +10/s\n")
        done = run("latency", "--self", "--rate", "1.5", "--count", 1)
        self.assertIn(", 1.5/s, ", done.out)


if __name__ == "__main__":
    unittest.main()
