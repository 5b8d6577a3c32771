"""The commands load and latency, with --self and against other peers."""

import pathlib
import re
import tempfile
import unittest

import frame
from support import Background, EchoThread, backends, run, tried, udp_socket, until_read

load_names = ("sent", "received", "lost", "duplicate", "reordered", "corrupt", "socket_dropped", "duration_s",
              "rate_per_s", "backend", "gso", "gro")
latency_names = ("sent", "received", "lost", "duplicate", "reordered", "corrupt", "duration_s", "rate_per_s", "backend",
                 "rtt_us")
percentiles = ["min", "mean", "p50", "p90", "p95", "p99", "p999", "p9999", "max"]


class Load(unittest.TestCase):
    def check(self, done, backend, verified=True):
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        for name in load_names:
            self.assertIn(name, summary)
        self.assertEqual(summary["backend"], backend)
        self.assertEqual(summary["sent"], summary["received"] + summary["lost"])
        self.assertEqual([summary[name] for name in ("duplicate", "reordered", "corrupt")], [0 if verified else None] * 3)
        return summary

    def test_self_as_fast_as_possible(self):
        for backend in backends():
            for offload in ((), ("--gso", "off", "--gro", "off"), ("--size", 1400, "--flows", 3)):
                done = run("load", "--self", "--duration", "100ms", "--backend", backend, "--json", *offload)
                summary = self.check(done, backend)
                self.assertGreater(summary["received"], 0)
                if "off" in offload:
                    self.assertEqual((summary["gso"], summary["gro"]), (False, False))

    def test_a_summary_has_every_counter_of_each_layer(self):
        codec = pathlib.Path(__file__).parents[2] / "codec"

        def members(file, struct):
            body = re.search(rf"struct {struct} {{\n(.*?)\n\n? *static constexpr", (codec / file).read_text(), re.DOTALL)[1]
            return set(re.findall(r"^ *std::uint64_t (\w+) = 0;", body, re.MULTILINE)) - {"at_first"}

        layers = {"engine": members("include/ringpost/counters.hpp", "EngineCounters"),
                  "gtudp": members("include/ringpost/gtudp/types.hpp", "Counters"),
                  "sink": members("traffic/sink.hpp", "SinkCounters"),
                  "control": members("traffic/control_answers.hpp", "ControlCounters"),
                  "prober": members("traffic/prober.hpp", "ProberCounters")}
        for command, near, far in (("load", ("gtudp", "engine"), ("sink", "control", "gtudp", "engine")),
                                   ("latency", ("prober", "gtudp", "engine"), ())):
            counters = run(command, "--self", "--rate", "1k", "--duration", "100ms", "--transport", "gtudp",
                           "--json").summary()["counters"]
            peer = counters.pop("peer", {})
            self.assertEqual({name: set(found) for name, found in counters.items()}, {name: layers[name] for name in near})
            self.assertEqual({name: set(found) for name, found in peer.items()}, {name: layers[name] for name in far})

    def test_a_low_rate_is_achieved_without_loss(self):
        for backend in backends():
            for _ in range(3):  # a stall at the end of a run cuts off the last datagrams
                summary = self.check(run("load", "--self", "--rate", "2k", "--duration", "200ms", "--backend", backend,
                                         "--json"), backend)
                self.assertEqual(summary["lost"], 0)
                self.assertLessEqual(summary["sent"], 401)
                if summary["sent"] >= 380:
                    break
            self.assertGreaterEqual(summary["sent"], 380)
            self.assertEqual(summary["rate_asked"], 2000)
            self.assertEqual(list(summary["slip_us"]), percentiles)

    def test_sizes(self):
        # Few enough for the socket buffer, so that none is lost even if the receiver is late.
        for size, rate, args in (("24", 500, ()), ("65507", 80, ()), ("1", 500, ("--no-verify",)), ("1k", 500, ())):
            done = run("load", "--self", "--size", size, "--rate", rate, "--duration", "50ms", "--json", *args)
            summary = self.check(done, done.summary()["backend"], verified=not args)
            self.assertEqual(summary["lost"], 0)

    def test_a_foreign_receiver_can_read_the_frames(self):
        with udp_socket() as sock:
            to = f"127.0.0.1:{sock.getsockname()[1]}"
            done = run("load", "--to", to, "--rate", 1000, "--duration", "50ms", "--size", 40, "--flows", 2,
                       "--no-control", "--json")
            self.assertEqual(done.code, 0, done)
            streams = {}
            for _ in range(done.summary()["sent"]):
                data, source = sock.recvfrom(65536)
                stream, sequence, _, fill = frame.parse(data)
                self.assertEqual(len(fill), 16)
                streams.setdefault((stream, source[1]), []).append(sequence)
        self.assertEqual(len(streams), 2, "each flow has its own stream and port")
        for sequences in streams.values():
            self.assertEqual(sequences, list(range(len(sequences))))

    def test_against_our_own_sink(self):
        for backend in backends():
            with Background("sink", "--port", 0, "--json", "--backend", backend) as sink:
                port = sink.port()
                done = run("load", "--to", f"127.0.0.1:{port}", "--rate", "4k", "--duration", "100ms", "--json",
                           "--backend", backend)
                until_read(port)
                at_sink = sink.stop().summary()
            self.assertEqual(done.code, 0, done)
            self.assertEqual((at_sink["received"], at_sink["lost"]), (done.summary()["sent"], 0))

    def test_text_report(self):
        done = run("load", "--self", "--duration", "50ms", "--rate", "1k")
        self.assertEqual(done.code, 0, done)
        for word in ("sent", "received", "lost", "duplicate", "reordered", "corrupt", "slip"):
            self.assertIn(word, done.out)


class Latency(unittest.TestCase):
    def check(self, done):
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        for name in latency_names:
            self.assertIn(name, summary)
        self.assertEqual(list(summary["rtt_us"]), percentiles)
        values = [value for name, value in summary["rtt_us"].items() if name != "mean"]
        self.assertEqual(values, sorted(values))
        self.assertTrue(values[0] <= summary["rtt_us"]["mean"] <= values[-1])
        self.assertGreater(values[0], 0)
        return summary

    def test_self(self):
        for backend in backends():
            for wait in ("spin", "block", "adaptive"):
                for loop in ((), ("--ping-pong",), ("--window", 4)):
                    summary = self.check(run("latency", "--self", "--count", 50, "--wait", wait, "--backend", backend,
                                             "--json", *loop))
                    self.assertEqual((summary["sent"], summary["received"], summary["lost"]), (50, 50, 0))
                    self.assertEqual(summary["backend"], backend)

    def test_open_loop(self):
        summary = self.check(run("latency", "--self", "--rate", 1000, "--duration", "100ms", "--json"))
        self.assertEqual(summary["lost"], 0)
        self.assertLessEqual(summary["sent"], 101)
        for name in ("slip_us", "service_us"):
            self.assertEqual(list(summary[name]), percentiles)
        self.assertLessEqual(summary["service_us"]["max"], summary["rtt_us"]["max"])

    def test_poisson_arrivals_and_a_warm_up(self):
        def sent():
            summary = self.check(run("latency", "--self", "--rate", "2k", "--arrivals", "poisson", "--seed", 7,
                                     "--warmup", "50ms", "--duration", "100ms", "--json"))
            self.assertEqual((summary["seed"], summary["lost"]), (7, 0))
            self.assertTrue(0 < summary["sent"] < 300, summary)
            return summary["sent"]

        # 200 on average, with a standard deviation of 14. The seed fixes the schedule, but a stall can cut off its end.
        self.assertGreater(tried(sent, lambda sent: sent > 100), 100)

    def test_a_rate_that_cannot_be_achieved_is_invalid(self):
        asked = ("load", "--self", "--gso", "off", "--rate", "500M", "--duration", "500ms")
        done = run(*asked, "--json")
        self.assertEqual(done.code, 0, done)
        self.assertFalse(done.summary()["valid"])
        self.assertIn("rate", done.summary()["invalid_reason"])
        done = run(*asked, "--strict")
        self.assertEqual(done.code, 5, done)
        self.assertIn("INVALID: ", done.out)

    def test_the_rate_refers_to_the_requested_duration(self):
        """Three probes in a second are 3/s, although they span only two intervals."""
        def measure(*limit):
            return self.check(run("latency", "--self", "--rate", 3, "--json", *limit))

        summary = tried(lambda: measure("--duration", "1s"), lambda summary: summary["sent"] == 3)
        self.assertEqual(summary["sent"], 3)
        self.assertAlmostEqual(summary["rate_per_s"], 3, delta=0.1)
        summary = measure("--count", 3)
        self.assertEqual(summary["sent"], 3)
        slowest = 3 / (1 + summary["slip_us"]["max"] / 1e6)  # the last probe may have been sent late
        self.assertTrue(slowest - 0.1 <= summary["rate_per_s"] <= 3.1, summary)

    def test_the_highest_rate_that_passes(self):
        done = run("latency", "--self", "--find-max", "--loss", "5%", "--duration", "40ms", "--timeout", "100ms", "--json")
        trials = [event for event in done.events() if event["event"] == "trial"]
        found = done.summary()["found_per_s"]
        self.assertEqual(done.summary()["trials"], len(trials))
        if done.code in (1, 5):  # a busy machine may lose probes or miss the schedule at every rate
            self.assertIsNone(found)
            return
        self.assertEqual(done.code, 0, done)
        confirmed = [trial for trial in trials if trial["outcome"] == "confirmed"][-3:]
        self.assertEqual([trial["rate_asked"] for trial in confirmed], [found] * 3)
        for trial in confirmed:
            self.assertLessEqual(trial["lost"], trial["sent"] * 0.05)

    def test_bursts_and_a_profile(self):
        with tempfile.TemporaryDirectory() as directory:
            steps = pathlib.Path(directory) / "steps.csv"
            steps.write_text("time,rate\n0,1k\n100ms,1k\n# a pause\n100ms,0\n0.2,0\n200ms,2k\n300ms,2k\n")
            for command in ("latency", "load"):
                def sent(command=command):
                    done = run(command, "--self", "--profile", steps, "--burst", 5, "--json")
                    self.assertEqual(done.code, 0, done)
                    summary = done.summary()
                    self.assertEqual((summary["burst"], summary["profile"], summary["lost"]), (5, str(steps), 0))
                    self.assertTrue(0 < summary["sent"] <= 300, summary)
                    return summary["sent"]

                # 300 are due; a stall at the end of the run cuts some off.
                self.assertGreaterEqual(tried(sent, lambda sent: sent >= 200), 200)
                self.assertIn(f"as in {steps} in bursts of 5", run(command, "--self", "--profile", steps, "--burst", 5).out)
            for text, named in (("0,1k", "two lines"), ("0,1k\n1s,", "line 2"), ("0,1k\nsoon,1k", "line 2"),
                                ("1s,1k\n0,1k", "before that of the line above"), ("0,0\n1s,0", "every rate is 0"), ("0;1k", "line 1")):
                steps.write_text(text)
                done = run("latency", "--self", "--profile", steps)
                self.assertEqual(done.code, 2, done)
                self.assertIn(named, done.err)
                self.assertIn(str(steps), done.err)

    def test_repeated(self):
        for loop in ((), ("--window", 4)):
            done = run("latency", "--self", "--repeat", 5, "--count", 300, "--json", *loop)
            self.assertEqual(done.code, 0, done)
            trials = [event for event in done.events() if event["event"] == "trial"]
            summary = done.summary()
            self.assertEqual((summary["runs"], len(trials)), (5, 5))
            for name in ("p50", "p99", "p999"):
                values = sorted(trial["rtt_us"][name] for trial in trials)
                spread = summary["rtt_us"][name]
                self.assertEqual(spread["median"], values[2])
                self.assertTrue(values[0] <= spread["low"] <= spread["median"] <= spread["high"] <= values[4], spread)
        self.assertIn("95 %", run("latency", "--self", "--repeat", 2, "--count", 3).out)

    def test_a_sweep(self):
        done = run("latency", "--self", "--sweep", "--duration", "100ms", "--json")
        trials = [event for event in done.events() if event["event"] == "trial"]
        self.assertTrue({"beyond the knee", "cannot tell"} & {trial["outcome"] for trial in trials}, trials)
        knee = done.summary()["knee_per_s"]
        if knee == 0:  # a busy machine may miss the schedule at the lowest rate
            self.assertIn(done.code, (1, 5), done)
            return
        self.assertEqual(done.code, 0, done)
        self.assertIn(knee, [trial["rate_asked"] for trial in trials])
        self.assertIn("knee: ", run("latency", "--self", "--sweep", "--duration", "20ms").out)

    def test_conditions(self):
        latency = ("latency", "--self", "--count", 20)
        self.check(run(*latency, "--json", "--fail-if", "p99>1m", "--fail-if", "loss>50%", "--fail-if", "rate<1"))
        done = run(*latency, "--json", "--fail-if", "min>1ns", "--fail-if", "rate<900M", "--fail-if", "max>1m")
        self.assertEqual(done.code, 3, done)
        self.assertEqual([text.split(":")[0] for text in done.summary()["breached"]], ["min>1ns", "rate<900M"])
        done = run("load", "--self", "--duration", "500ms", "--rate", "1k", "--fail-if", "p99>1ms")
        self.assertEqual(done.code, 3, done)
        self.assertIn("FAILED: p99>1ms: not measured", done.out)

    def test_against_any_echo_server(self):
        for host, to in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
            with EchoThread(host) as echo:
                to = f"{to}:{echo.port}"
                summary = self.check(run("latency", "--to", to, "--count", 50, "--size", "1400", "--json"))
                self.assertEqual((summary["sent"], summary["received"]), (50, 50))

    def test_against_our_own_echo(self):
        with Background("echo", "--port", 0, "--json") as echo:
            summary = self.check(run("latency", "--to", f"127.0.0.1:{echo.port()}", "--count", 50, "--json"))
            self.assertEqual(summary["lost"], 0)
            self.assertEqual(echo.stop().summary()["sent"], 50)

    def test_text_report(self):
        done = run("latency", "--self", "--count", 20)
        self.assertEqual(done.code, 0, done)
        for word in ("p50", "p90", "p99", "p99.9", "p99.99", "max", "us", "lost", "out of order"):
            self.assertIn(word, done.out)


class ClosedPort(unittest.TestCase):
    def test_exit_code_4_and_an_error_that_names_the_port(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
        for backend in backends():
            for command in (("load", "--duration", "20s"), ("load", "--duration", "20s", "--rate", 100),
                            ("latency", "--duration", "20s")):
                done = run(*command, "--to", f"127.0.0.1:{port}", "--backend", backend, "--json")
                self.assertEqual(done.code, 4, done)
                self.assertIn(f"127.0.0.1:{port}", done.err)
                self.assertLess(done.summary()["duration_s"], 10, "the run ends early")
