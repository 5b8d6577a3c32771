"""SIGINT, SIGTERM and SIGHUP: the report is printed. A server ends with 0 after SIGTERM, everything else with 128 + the
number."""

import signal
import subprocess
import time
import unittest

import frame
import support
from support import Background, EchoThread, backends, udp_socket, until_read

signals = ((signal.SIGINT, 130), (signal.SIGTERM, 143))
server_signals = ((signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0))


class Signals(unittest.TestCase):
    def check(self, done, code):
        self.assertEqual(done.code, code, done)
        summary = done.summary()
        self.assertGreaterEqual(summary["duration_s"], 0)
        return summary

    def test_servers(self):
        for by, code in server_signals:
            for backend in backends():
                for wait in ("block", "spin", "adaptive") if by != signal.SIGHUP else ("block",):
                    args = ("--port", 0, "--json", "--backend", backend, "--wait", wait)
                    for command in ("sink", "echo", "beacon"):
                        with self.subTest(f"{command} {backend} {wait} {by.name}"), \
                                Background(command, *args) as server, udp_socket() as sock:
                            port = server.port()
                            sock.sendto(frame.make(1, 0), ("127.0.0.1", port))
                            until_read(port)
                            summary = self.check(server.stop(by), code)
                            self.assertEqual((summary["received"], summary["backend"]), (1, backend))

    def test_load(self):
        for by, code in signals:
            for args in (("--rate", 1000), ("--rate", "0.5"), ()):
                with self.subTest(f"{by.name} {args}"), udp_socket() as sock:
                    to = f"127.0.0.1:{sock.getsockname()[1]}"
                    with Background("load", "--to", to, "--duration", "60s", "--no-control", "--json", *args) as load:
                        sock.recv(100)
                        summary = self.check(load.stop(by), code)
                        self.assertGreater(summary["sent"], 0)
                        self.assertLess(summary["duration_s"], 30)

    def test_a_hangup_counts_as_sigterm(self):
        with udp_socket() as sock, \
                Background("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--rate", 100, "--duration", "1h",
                           "--no-control", "--json") as load:
            sock.recv(100)
            self.check(load.stop(signal.SIGHUP), 143)

    def test_under_nohup_a_hangup_is_ignored(self):
        def ignore():
            support.die_with_parent()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        with Background("sink", "--port", 0, "--json", preexec=ignore) as sink:
            sink.port()
            sink.process.send_signal(signal.SIGHUP)
            self.check(sink.stop(signal.SIGINT), 130)

    def test_load_with_its_own_sink(self):
        for by, code in signals:
            with Background("load", "--self", "--rate", 200, "--duration", "60s", "--json") as load:
                load.event("progress")
                summary = self.check(load.stop(by), code)
                self.assertGreater(summary["received"], 0)
                self.assertEqual(summary["lost"], 0)

    def test_latency(self):
        for by, code in signals:
            for args in ((), ("--rate", 100)):
                with self.subTest(f"{by.name} {args}"), EchoThread() as echo:
                    to = f"127.0.0.1:{echo.port}"
                    with Background("latency", "--to", to, "--duration", "60s", "--json", *args) as latency:
                        echo.received.wait(30)
                        summary = self.check(latency.stop(by), code)
                        self.assertIn("rtt_us", summary)

    def test_a_repeated_signal_is_one_signal(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            with self.subTest(f"{first} {second}"), udp_socket() as silent:
                to = f"127.0.0.1:{silent.getsockname()[1]}"
                with Background("latency", "--to", to, "--rate", 100, "--duration", "1h", "--json") as latency:
                    silent.recv(100)
                    latency.process.send_signal(first)  # it waits for answers, for up to a second
                    time.sleep(0.02)
                    self.check(latency.stop(second), 128 + first)

    def test_timeout(self):
        """timeout(1) signals its child and then the group of both."""
        for _ in range(5):
            done = subprocess.run(["timeout", "0.1", support.binary, "sink", "--port", "0", "--json"],
                                  capture_output=True, text=True, timeout=support.patience_s)
            self.assertEqual(done.returncode, 124, done)
            if not done.stdout:  # the machine stalled, and it was not yet started
                continue
            self.assertEqual(support.parse_events(done.stdout)[-1]["event"], "summary")

    def test_a_beacon_between_two_rounds(self):
        for by, code in server_signals:
            with udp_socket() as peer:
                to = f"127.0.0.1:{peer.getsockname()[1]}"
                with Background("beacon", "--to", to, "--every", "1h", "--json") as beacon:
                    peer.recv(100)
                    self.assertEqual(self.check(beacon.stop(by), code)["sent"], 1)
