"""Verdicts of `latency` and `load`: what is INVALID, which bounds fail, and what is lost."""

import signal
import time
import unittest

from support import Background, EchoThread, run, tried


class Verdicts(unittest.TestCase):
    def test_probes_due_during_a_stall_over_the_end_are_judged(self):
        with EchoThread() as echo, Background("latency", "--to", f"127.0.0.1:{echo.port}", "--rate", 20, "--duration",
                                              "400ms", "--json", "--strict") as latency:
            echo.received.wait()  # the first probe; the others are due while the sender is stopped
            latency.process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            latency.process.send_signal(signal.SIGCONT)
            done = latency.finish()
        summary = done.summary()
        self.assertFalse(summary["valid"], summary)
        self.assertEqual((done.code, summary["due"]), (5, 8), done)
        self.assertEqual(summary["unsent"], 8 - summary["sent"])
        self.assertIn("8 were due", summary["invalid_reason"])

    def test_a_load_stopped_over_its_whole_schedule_is_invalid(self):
        def load():
            with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
                start = time.time() + 1.5
                with Background("load", "--to", f"127.0.0.1:{sink.port()}", "--rate", 100, "--duration", "200ms",
                                "--start-at", f"{start:.3f}", "--json") as load:
                    time.sleep(max(0, start - 0.2 - time.time()))
                    load.process.send_signal(signal.SIGSTOP)
                    time.sleep(max(0, start + 0.5 - time.time()))
                    load.process.send_signal(signal.SIGCONT)
                    return load.finish()

        # Where the machine stalls, the start is over before load has begun, or is ready: then it is not stopped.
        in_time = lambda done: "not ready in time" not in done.err and "is in the past" not in done.err
        done = tried(load, in_time)
        if in_time(done):
            summary = done.summary()
            self.assertEqual((summary["sent"], summary["due"], summary["valid"]), (0, 20, False), done)
            self.assertIn("20 were due", summary["invalid_reason"])

    def test_lost_probes_count_as_longer_than_the_timeout(self):
        with EchoThread() as echo, \
                Background("relay", "--listen", 0, "--to", f"127.0.0.1:{echo.port}", "--loss", "20%", "--seed", 1,
                           "--json") as relay:
            to = f"127.0.0.1:{relay.port()}"
            probes = ("latency", "--to", to, "--rate", "1k", "--count", 200, "--timeout",
                      "200ms", "--fail-if", "p99>50ms")
            done = run(*probes, "--json")
            self.assertEqual(done.code, 3, done)
            summary = done.summary()
            self.assertGreater(summary["lost"], 20)
            self.assertEqual((summary["rtt_us"]["p99"], summary["rtt_us"]["max"]), (None, None))
            self.assertEqual((summary["rtt_us"]["lost_beyond"], summary["timeout_us"]), (200_000, 200_000))
            self.assertEqual(summary["breached"], ["p99>50ms: not answered within 200 ms"])
            done = run(*probes)
            self.assertIn("p90 and above > 200 ms", done.out)
            self.assertIn("FAILED: p99>50ms: not answered within 200 ms", done.out)

    def test_an_answer_is_waited_for_until_the_timeout(self):
        with EchoThread() as echo, \
                Background("relay", "--listen", 0, "--to", f"127.0.0.1:{echo.port}", "--delay", "150ms",
                           "--json") as relay:
            to = f"127.0.0.1:{relay.port()}"

            def probe(*options):
                return run("latency", "--to", to, "--rate", "1k", "--count", 3, "--json", *options)

            done = probe("--timeout", "2s")
            self.assertEqual((done.code, done.summary()["lost"]), (0, 0), done)
            done = tried(lambda: probe("--timeout", "50ms"), lambda done: done.code == 4)
            self.assertEqual((done.code, done.summary()["lost"]), (4, 3), done)

    def test_percentiles_state_how_much_of_them_is_lateness(self):
        done = run("latency", "--self", "--rate", "2k", "--duration", "200ms", "--json")
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        for name in ("p50", "p90", "p95", "p99", "p999", "p9999", "max"):
            self.assertGreaterEqual(summary["lateness_us"][name], 0)
            self.assertLessEqual(summary["lateness_us"][name], summary["rtt_us"][name])
            self.assertIn(summary["stands"][name], (True, False))
        self.assertIn("lateness    ", run("latency", "--self", "--rate", "2k", "--duration", "200ms").out)
