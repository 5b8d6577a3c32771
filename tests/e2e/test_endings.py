"""How runs end: with a dead or unreachable peer, by a signal or by --count; and the figures they report then."""

import csv
import json
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import support
from support import Background, EchoThread, Network, run, tried, udp_socket


def series(directory):
    with open(pathlib.Path(directory) / "series.csv") as rows:
        return [{name: float(value or 0) for name, value in row.items()} for row in csv.DictReader(rows)]


def kept(directory):
    return json.loads((pathlib.Path(directory) / "run.json").read_text())["results"]


def catches(pid, number):
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["SigCgt"], 16) >> (number - 1) & 1


class Directories(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.here = pathlib.Path(self.temporary.name)

    def profile(self, *lines):
        path = self.here / "profile.csv"
        path.write_text("\n".join(lines))
        return path


class ReliablePeers(unittest.TestCase):
    gtudp_args = ("--transport", "gtudp", "--sends", 2, "--patience", 0, "--json")

    def test_a_dead_peer_makes_the_run_invalid(self):
        with Background("sink", "--port", 0, "--transport", "gtudp", "--json") as sink, \
                Background("load", "--to", f"127.0.0.1:{sink.port()}", "--rate", "20k", "--window", 100, "--duration",
                           "3s", *self.gtudp_args) as load:
            load.event("progress")
            sink.process.kill()
            done = load.finish()
        summary = done.summary()
        self.assertFalse(summary["valid"], summary)
        self.assertGreaterEqual(summary["duration_s"], 3)
        self.assertAlmostEqual(summary["rate_per_s"], summary["sent"] / summary["duration_s"], delta=1)

    def test_a_silent_peer_gives_exit_code_4(self):
        for rate in ((), ("--rate", "1k")):
            with udp_socket() as silent:
                done = run("load", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--duration", "500ms", *rate,
                           *self.gtudp_args)
            self.assertEqual(done.code, 4, done)
            self.assertIn("no answer", done.err)


class Signals(unittest.TestCase):
    def test_a_signal_ends_the_wait_for_a_silent_peer(self):
        for command in ("load", "latency"):
            with self.subTest(command), udp_socket() as silent, \
                    Background(command, "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--transport", "gtudp",
                               "--sends", 255, "--rate", 200, "--duration", "1200ms", "--json") as process:
                process.event("progress")
                time.sleep(1)  # it has stopped sending and waits for confirmations
                done = process.stop(signal.SIGINT)
                self.assertEqual(done.code, 130, done)
                self.assertGreater(done.summary()["sent"], 0)

    def test_a_signal_ends_a_handshake_without_answers(self):
        for command in (("load",), ("latency",), ("send", "text")):
            with self.subTest(command), udp_socket() as silent, \
                    Background(*command, "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--transport", "native",
                               "--insecure", "--json") as process:
                silent.recv(2000)
                done = process.stop(signal.SIGINT)
                self.assertEqual((done.code, done.summary()["sent"]), (130, 0), done)

    def test_a_closed_port_is_reported_during_warm_up(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
        done = run("latency", "--to", f"127.0.0.1:{port}", "--warmup", "20s")
        self.assertEqual(done.code, 4, done)
        self.assertIn("unreachable", done.err)

    def test_probes_in_flight_are_not_lost(self):
        for loop in (("--rate", 200), ("--window", 4)):
            def interrupted(port, loop=loop):
                with Background("latency", "--to", f"127.0.0.1:{port}", "--duration", "1h", *loop, "--json") as latency:
                    latency.event("progress")
                    done = latency.stop(signal.SIGINT)
                    self.assertEqual(done.code, 130, done)
                    return done.summary()

            with self.subTest(loop), EchoThread() as echo, \
                    Background("relay", "--listen", 0, "--to", f"127.0.0.1:{echo.port}", "--delay", "50ms",
                               "--json") as relay:
                port = relay.port()
                summary = tried(lambda: interrupted(port), lambda summary: summary["lost"] == 0)
                self.assertGreater(summary["sent"], 0)
                self.assertEqual((summary["lost"], summary["received"]), (0, summary["sent"]))

    def test_a_signal_before_the_start(self):
        for command in ("load", "latency"):
            with self.subTest(command), Background(command, "--self", "--start-at", "4102444800", "--json") as process:
                support.until(lambda: catches(process.process.pid, signal.SIGINT), "it handles signals")
                done = process.stop(signal.SIGINT)
                self.assertEqual(done.code, 130, done)
                self.assertIn(done.err, ("", "ringpost: interrupted before the start\n"))
                self.assertEqual([summary["sent"] for summary in done.events("summary")], [0] if not done.err else [])


class ByCount(unittest.TestCase):
    def test_a_closed_loop_ends_when_its_last_probe_is_answered(self):
        with EchoThread() as echo, \
                Background("relay", "--listen", 0, "--to", f"127.0.0.1:{echo.port}", "--delay", "20ms",
                           "--json") as relay:
            done = run("latency", "--to", f"127.0.0.1:{relay.port()}", "--ping-pong", "--count", 2, "--json")
        summary = done.summary()
        self.assertEqual(summary["sent"], 2)
        self.assertGreaterEqual(summary["duration_s"], 0.080, "two round trips, not one")

    def test_waiting_for_lost_probes_does_not_count_as_duration(self):
        with EchoThread() as echo, \
                Background("relay", "--listen", 0, "--to", f"127.0.0.1:{echo.port}", "--loss", "5%", "--seed", 1,
                           "--json") as relay:
            port = relay.port()

            def measure():
                return run("latency", "--to", f"127.0.0.1:{port}", "--window", 50, "--count", 50, "--json").summary()

            # All probes are sent at once, so only the lost ones are waited for.
            summary = tried(measure, lambda summary: summary["lost"] > 0 and summary["duration_s"] < 0.5)
        self.assertGreater(summary["lost"], 0)
        self.assertLess(summary["duration_s"], 0.5)

    def test_a_partial_burst_achieves_the_rate(self):
        # Long enough that a last probe sent a few milliseconds late stays within the tolerance of 1 %.
        for pattern in (("--rate", "1k", "--burst", 100, "--count", 1050),
                        ("--rate", 100, "--arrivals", "poisson", "--count", 60)):
            done = tried(lambda: run("latency", "--self", *pattern, "--json"),
                         lambda done: "of the rate was achieved" not in done.summary().get("invalid_reason", ""))
            self.assertNotIn("of the rate was achieved", done.summary().get("invalid_reason", ""), pattern)

    def test_recv_stops_after_count_messages(self):
        with Background("recv", "--port", 0, "--bind", "127.0.0.1", "--json", "--count", 3) as recv:
            to = f"127.0.0.1:{recv.port()}"
            with subprocess.Popen([support.binary, "send", "--to", to, "--sends", "3", "--patience", "0"],
                                  stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  preexec_fn=support.die_with_parent) as send:
                send.communicate("\n".join(map(str, range(10))), timeout=support.patience_s)
            done = recv.finish()
        self.assertEqual((done.code, send.returncode), (0, 1), done)
        self.assertEqual([event["text"] for event in done.events("message")], ["0", "1", "2"])
        self.assertEqual(done.summary()["delivered"], 3)


class Figures(Directories):
    def test_idle_seconds_are_reported(self):
        profile = self.profile("0,200", "0.5,200", "0.5,0", "3.4,0", "3.4,200", "3.9,200")
        for command in ("load", "latency"):
            out = self.here / command
            done = run(command, "--self", "--profile", profile, "--out", out)
            self.assertEqual(done.code, 0, done)
            self.assertIn(0, [row["sent"] for row in series(out)])
            self.assertIn("sent 0/s", done.err)

    def test_a_warm_up_is_excluded_from_every_figure(self):
        out = self.here / "out"
        done = run("latency", "--self", "--rate", 200, "--warmup", "1200ms", "--duration", "600ms", "--out", out, "--json")
        self.assertEqual(done.code, 0, done)
        self.assertIn("warming up for 1.2 s", done.err)
        self.assertAlmostEqual(kept(out)["duration_s"], 0.6, delta=0.001)
        self.assertAlmostEqual(series(out)[-1]["elapsed_s"], 0.6, delta=0.1)
        merged = run("merge", out, "--json").summary()
        self.assertAlmostEqual(merged["duration_s"], 0.6, delta=0.1)
        self.assertAlmostEqual(merged["rate_per_s"], merged["sent"] / merged["duration_s"], delta=1)

    def test_a_warm_up_uses_the_start_of_a_profile(self):
        profile = self.profile("0,2000", "0.3,2000", "0.3,100", "1.3,100")
        done = run("latency", "--self", "--profile", profile, "--warmup", "300ms", "--json")
        self.assertEqual(done.code, 0, done)
        self.assertAlmostEqual(done.summary()["duration_s"], 1, delta=0.001)
        self.assertLessEqual(done.summary()["sent"], 101)
        done = run("latency", "--self", "--profile", profile, "--warmup", "2s")
        self.assertEqual(done.code, 2, done)
        self.assertIn("--warmup", done.err)


class Directory(Directories):
    def test_a_run_that_fails_to_start_leaves_it_unchanged(self):
        made, new = self.here / "made", self.here / "new"
        made.mkdir()
        for command in ("load", "latency"):
            for wrong in (("--start-at", "2020-01-01T00:00:00Z"), ("--prometheus", "127.0.0.1:x")):
                for out in (made, new):
                    done = run(command, "--self", "--out", out, *wrong)
                    self.assertEqual(done.code, 2, done)
                self.assertEqual(list(made.iterdir()), [])
                self.assertFalse(new.exists())


class NoRoute(unittest.TestCase):
    """A host without any route."""

    @classmethod
    def setUpClass(cls):
        cls.host = Network()
        cls.addClassCleanup(cls.host.close)

    def test_an_unroutable_target_gives_exit_code_4(self):
        for args in (("message", "send", "--to", "192.0.2.1", "x"),
                     ("message", "send", "--to", "192.0.2.1", "--status", "fail", "x"),
                     ("send", "--to", "192.0.2.1:7", "--sends", 2, "--patience", 0, "x")):
            done = self.host.call(lambda: run(*args))
            self.assertEqual((done.code, done.out), (4, ""), done)
            self.assertIn("--to 192.0.2.1", done.err)
            self.assertIn("Network is unreachable", done.err)


class Searches(unittest.TestCase):
    def test_a_closed_port(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
        for search in ("--find-max", "--sweep", ("--repeat", 2)):
            search = (search,) if isinstance(search, str) else search
            done = run("latency", "--to", f"127.0.0.1:{port}", *search, "--duration", "5ms", "--json")
            self.assertEqual(done.code, 4, done)
