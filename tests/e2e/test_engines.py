"""Several engines in one command, synchronized starts, and what runs write to files and show in progress."""

import csv
import fcntl
import json
import os
import pty
import re
import resource
import socket
import struct
import subprocess
import termios
import time
import unittest
import urllib.request

import support
from schema import read_schema, violations
from support import (Background, EchoThread, backends, die_with_parent, patience_s, run, tried, udp_socket, until,
                     until_read, wall_offset_ns)
from test_runs import Directories


class Engines(unittest.TestCase):
    def test_load_and_sink_with_several_engines(self):
        for backend in backends():
            done = run("load", "--self", "--threads", 2, "--flows", 5, "--duration", "200ms", "--rate", "20k", "--json",
                       "--backend", backend)
            self.assertEqual(done.code, 0, done)
            summary = done.summary()
            self.assertEqual(summary["sent"], summary["received"] + summary["lost"])
            self.assertEqual((summary["duplicate"], summary["corrupt"], summary["foreign"]), (0, 0, 0))
            self.assertLessEqual(summary["sent"], 4001, "the rate is the total of both engines")

    def test_every_flow_reaches_one_engine_of_a_sink(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--threads", 2, "--json") as sink:
            port = sink.port()
            done = run("load", "--to", f"127.0.0.1:{port}", "--flows", 8, "--rate", "1k", "--duration", "400ms",
                       "--json")
            self.assertEqual(done.code, 0, done)
            until_read(port)
            at_sink = sink.stop().summary()
        self.assertEqual((at_sink["received"], at_sink["lost"], at_sink["streams"]), (done.summary()["sent"], 0, 8))

    def source_ports(self, first, last):
        """Leaves only these to the flows of this test, whose network is its own."""
        path = "/proc/sys/net/ipv4/ip_local_port_range"
        with open(path) as file:
            before = file.read()
        self.addCleanup(lambda: open(path, "w").write(before))
        try:
            with open(path, "w") as file:
                file.write(f"{first} {last}")
        except OSError as error:
            self.skipTest(f"cannot choose the source ports: {error}")

    def test_flows_without_source_ports(self):
        self.source_ports(40_000, 40_099)
        done = run("latency", "--self", "--flows", 200, "--count", 1)
        self.assertEqual(done.code, 1, done)
        self.assertIn("--flows 200: no more source ports (sysctl net.ipv4.ip_local_port_range)", done.err)

    def test_more_flows_than_source_ports_of_one_loopback_address(self):
        flows, ports = 16_500, 16_450
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < flows + 100:
            self.skipTest(f"needs {flows} descriptors (ulimit -Hn {hard})")
        self.source_ports(40_000, 40_000 + ports)
        done = run("latency", "--self", "--flows", flows, "--window", 16, "--count", flows, "--json")
        self.assertEqual(done.code, 0, done)
        self.assertEqual((done.summary()["received"], done.summary()["lost"]), (flows, 0))

    def test_latency_with_several_engines(self):
        for loop, sent in ((("--count", 101), 101), (("--window", 4, "--count", 50), 50), (("--count", 1), 1)):
            done = run("latency", "--self", "--threads", 2, "--json", *loop)
            self.assertEqual(done.code, 0, done)
            self.assertEqual((done.summary()["sent"], done.summary()["received"]), (sent, sent), loop)

    def test_engines_share_one_schedule(self):
        """Two engines together have the due times of a single one."""

        def due_times(threads):
            with udp_socket() as sock:
                done = run("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--threads", threads, "--rate", "1k",
                           "--arrivals", "poisson", "--seed", 9, "--duration", "100ms", "--no-control", "--json")
                times = sorted(int.from_bytes(sock.recv(65536)[16:24], "little") for _ in range(done.summary()["sent"]))
            return [time - times[0] for time in times]

        # 98 are due, half of them in each engine, so both have sent some if there are more than 50.
        one, two = tried(lambda: (due_times(1), due_times(2)), lambda pair: min(map(len, pair)) > 50)
        # A stalled engine skips its last due times, so a single engine has sent a prefix of the schedule.
        both = [time for time in two if time <= one[-1]]
        self.assertGreater(len(both), 20)
        self.assertEqual([time for time in both if not any(abs(time - alone) <= 1 for alone in one)], [])

    def test_invalid_options_are_refused(self):
        for args, line in (
                (("load", "--self", "--threads", "0"), "--threads 0: must be 1 to 256"),
                (("load", "--self", "--threads", "257"), "--threads 257: is larger than 256"),
                (("load", "--self", "--threads", 3, "--flows", 2), "--flows 2: 3 engines need a source port each"),
                (("latency", "--self", "--threads", 2, "--ping-pong"),
                 "--ping-pong: 2 engines need one probe in flight each"),
                (("sink", "--port", 0, "--cpu", "9999"), "--cpu 9999: this process may not use core 9999"),
                (("sink", "--port", 0, "--cpu", "3-1"), "--cpu 3-1: 3-1: ends before it begins"),
                (("sink", "--port", 0, "--cpu", "0,"), "--cpu 0,: expected cores such as 0,2,4-7")):
            done = run(*args)
            self.assertEqual((done.code, done.err), (2, f"ringpost: {line}\n"), done)

    def test_runs_on_the_selected_core(self):
        core = min(os.sched_getaffinity(0))
        with Background("sink", "--port", 0, "--cpu", core, "--json") as sink:
            sink.port()
            self.assertEqual(os.sched_getaffinity(sink.process.pid), {core})
            self.assertEqual(sink.stop().code, 0)


class StartAt(unittest.TestCase):
    def test_a_signal_before_the_start_ends_all_engines(self):
        with Background("load", "--self", "--threads", 2, "--start-at", int(time.time()) + 1000, "--json") as load:
            until(lambda: len(os.listdir(f"/proc/{load.process.pid}/task")) >= 3, "its engines are running")
            self.assertEqual(load.stop().code, 143)

    def test_nothing_is_sent_before_the_start(self):
        for text in (lambda at: f"{at:.3f}",
                     lambda at: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{at % 1:.3f}"[2:] + "Z"):
            with udp_socket() as sock:
                at, offset_ns = time.time() + 3, wall_offset_ns()
                done = run("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--rate", 100, "--duration", "2500ms",
                           "--start-at", text(at), "--no-control", "--json")
                self.assertEqual(done.code, 0, done)
                due_ns = int.from_bytes(sock.recv(65536)[16:24], "little")
                late = re.search(r"started ([0-9.]+) s late", done.err)  # a busy machine may start late, and reports it
                self.assertAlmostEqual((due_ns + offset_ns) / 1e9, at + (float(late[1]) if late else 0), delta=0.002)

    def test_an_invalid_or_past_start_time_is_refused(self):
        for text, line in (("1", "--start-at 1: is in the past"),
                           ("2020-01-01T00:00:00Z", "--start-at 2020-01-01T00:00:00Z: is in the past"),
                           ("soon", "--start-at soon: expected UTC such as 2026-01-31T23:59:59Z, or seconds since 1970"),
                           ("2026-01-01T00:00:00", "--start-at 2026-01-01T00:00:00: expected UTC such as "
                                                   "2026-01-31T23:59:59Z, or seconds since 1970")):
            done = run("load", "--self", "--start-at", text)
            self.assertEqual((done.code, done.err), (2, f"ringpost: {line}\n"), done)


class KeptLoad(Directories):
    def load(self, name, *args):
        done = run("load", *args, "--out", self.base / name, "--json")
        self.assertEqual(done.code, 0, done)
        kept = self.base / name
        document = json.loads((kept / "run.json").read_text())
        self.assertEqual(list(violations(document, read_schema("run.schema.json"))), [])
        self.assertEqual({"event": "summary"} | document["results"], done.summary())
        with open(kept / "series.csv") as lines:
            return done, kept, list(csv.DictReader(lines))

    def test_with_self(self):
        runs = []
        for backend in backends():
            for attempt in range(3):  # a stall suppresses the progress event, or adds one at the end
                done, kept, rows = self.load(f"{backend} {attempt}", "--self", "--rate", "5k", "--duration", "1900ms",
                                             "--backend", backend, "--threads", 2)
                progress = done.events("progress")
                if len(progress) == 1:
                    break
            runs.append(kept)
            for name in ("sent", "received", "lost", "socket_dropped"):
                self.assertEqual(sum(int(row[name]) for row in rows), done.summary()[name], name)
            self.assertIn(f"Total count    = {done.summary()['sent']:>12}]", (kept / "slip.hgrm").read_text())
            self.assertEqual(len(progress), 1, done)
            for name in ("elapsed_s", "sent", "received", "lost", "lost_in", "rate_per_s", "cpu_percent", "socket_dropped",
                         "slip_us"):
                self.assertIn(name, progress[0])
            self.assertTrue(0 < progress[0]["received"] <= done.summary()["received"], done)
        both = run("merge", *runs, "--json")
        if len(backends()) > 1:
            self.assertEqual(both.code, 2, "the backends differ")

    def test_received_is_unknown_without_self(self):
        with udp_socket() as sock:
            to = f"127.0.0.1:{sock.getsockname()[1]}"
            kept = []
            for name in ("a", "b"):
                done, path, rows = self.load(name, "--to", to, "--size", 100, "--duration", "50ms")
                kept.append(path)
                self.assertNotIn("received", done.summary())
                self.assertEqual({(row["received"], row["lost"], row["p50_us"]) for row in rows}, {("", "", "")})
                self.assertEqual(sum(int(row["sent"]) for row in rows), done.summary()["sent"])
                self.assertEqual(sorted(file.name for file in path.iterdir()),
                                 ["events.ndjson", "report.html", "run.json", "series.csv"])
        merged = run("merge", *kept, "--out", self.base / "sum", "--json")
        self.assertEqual(merged.code, 0, merged)
        total = sum(json.loads((path / "run.json").read_text())["results"]["sent"] for path in kept)
        self.assertEqual(merged.summary()["sent"], total)

    def test_confirmed_messages(self):
        done, kept, _ = self.load("run", "--self", "--transport", "gtudp", "--rate", "1k", "--duration", "600ms")
        self.assertIn(f"Total count    = {done.summary()['confirmed']:>12}]", (kept / "confirmed.hgrm").read_text())


class Latency(unittest.TestCase):
    def measure(self, *args):
        done = run("latency", *args, "--json")
        self.assertEqual(done.code, 0, done)
        return done.summary()

    def test_a_device_without_timestamps(self):
        done = run("latency", "--to", "127.0.0.1:9", "--stamps", "hardware")
        self.assertEqual((done.code, done.out), (1, ""), done)
        self.assertEqual(done.err, "ringpost: --stamps hardware: lo does not stamp what it receives; see --stamps kernel\n")

    def test_kernel_timestamps_split_the_round_trip(self):
        for backend in backends():
            # The kernel enables timestamps asynchronously; both runs outlast that.
            for loop in (("--rate", "1k", "--count", 300), ("--ping-pong", "--count", 10_000)):
                summary = self.measure("--self", "--stamps", "kernel", "--backend", backend, *loop)
                stamped = summary["received"] - summary["unstamped"]
                self.assertGreater(stamped, 0, "only the first few replies may lack a timestamp")
                for name in ("path_us", "pickup_us"):
                    self.assertGreater(summary[name]["max"], 0)
                whole = summary["service_us"] if "service_us" in summary else summary["rtt_us"]
                self.assertLess(summary["path_us"]["min"], whole["max"])

    def test_flows_and_sizes(self):
        with udp_socket() as sock:
            process = Background("latency", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--flows", 3, "--size", "24..90",
                                 "--count", 60, "--rate", "2k", "--json")
            with process:
                seen = [(sock.sendto(data, source), source[1]) for data, source in (sock.recvfrom(65536) for _ in range(60))]
                summary = process.finish().summary()
        self.assertEqual((summary["sent"], summary["received"], summary["corrupt"]), (60, 60, 0))
        self.assertEqual(len({port for _, port in seen}), 3)
        sizes = {size for size, _ in seen}
        self.assertTrue(min(sizes) >= 24 and max(sizes) <= 90 and len(sizes) > 10, sizes)

    def test_the_members_of_a_group_answer(self):
        with Background("echo", "--port", 0, "--join", "239.255.77.1@lo", "--json") as echo:
            to = f"239.255.77.1:{echo.port()}"
            summary = self.measure("--to", to, "--interface", "lo", "--count", 20)
            self.assertEqual((summary["sent"], summary["received"], summary["lost"]), (20, 20, 0))
            refused = run("latency", "--to", to, "--count", 1)
            self.assertEqual(refused.code, 2, refused)
            self.assertIn("--i-own-this-network", refused.err)

    def test_reports_its_clock(self):
        clock = self.measure("--self", "--count", 5)["clock"]
        self.assertIn(clock["source"], ("tsc", "vdso"))
        self.assertGreater(clock["read_ns"], 0)
        self.assertLess(abs(clock["error_ppm"]), 1000)


class LoadModes(unittest.TestCase):
    def test_bidirectional(self):
        for backend in backends():
            done = run("load", "--self", "--bidirectional", "--rate", "2k", "--size", "imix", "--duration", "300ms", "--json",
                       "--threads", 2, "--backend", backend)
            self.assertEqual(done.code, 0, done)
            summary = done.summary()
            self.assertEqual(summary["sent"], summary["received"] + summary["lost"])
            self.assertEqual(summary["answers_sent"], summary["back_received"] + summary["back_lost"])
            self.assertEqual((summary["back_corrupt"], summary["corrupt"]), (0, 0))
        with EchoThread() as echo:
            done = run("load", "--to", f"127.0.0.1:{echo.port}", "--bidirectional", "--rate", "1k", "--duration", "100ms",
                       "--json")
            summary = done.summary()
            self.assertGreater(summary["back_received"], 0)
            self.assertEqual((summary["back_lost"], summary["back_corrupt"]), (0, 0))

    def test_one_way(self):
        done = run("load", "--self", "--one-way", "--rate", "1k", "--duration", "200ms", "--json")
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        self.assertEqual((summary["clock_apart"], summary["before_sent"]), (0, 0), "both ends use the same clock")
        self.assertGreater(summary["one_way_us"]["min"], 0)
        self.assertLess(summary["one_way_us"]["p50"], 10e6)

    def test_load_to_a_multicast_group(self):
        with Background("sink", "--port", 0, "--join", "239.255.77.2@lo", "--json") as sink:
            port = sink.port()
            done = run("load", "--to", f"239.255.77.2:{port}", "--interface", "lo", "--rate", "1k", "--duration", "200ms",
                       "--size", "30:1,600:2", "--json")
            self.assertEqual(done.code, 0, done)
            until_read(port)
            at_sink = sink.stop().summary()
        self.assertEqual((at_sink["received"], at_sink["lost"], at_sink["corrupt"]), (done.summary()["sent"], 0, 0))

    def test_conflicting_options_are_refused(self):
        for args, part in ((("load", "--self", "--transport", "gtudp", "--bidirectional"), "--bidirectional"),
                           (("load", "--self", "--bidirectional", "--no-verify"), "--no-verify"),
                           (("latency", "--self", "--stamps", "nic"), "--stamps nic: expected kernel or hardware"),
                           (("latency", "--self", "--size", "20..64"), "a probe needs at least 24 bytes"),
                           (("load", "--self", "--size", "64:0"), "--size 64:0"),
                           (("load", "--self", "--window", 4), "--window: requires --transport gtudp"),
                           (("sink", "--port", 0, "--recv-sends", 3), "--recv-sends: requires --transport gtudp"),
                           (("load", "--to", "239.255.77.9:9", "--interface", "lo", "--bidirectional"), "--bidirectional"),
                           (("load", "--self", "--interface", "lo"), "--interface")):
            done = run(*args)
            self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
            self.assertIn(part, done.err)


class OverIpv6(unittest.TestCase):
    def served(self, *args):
        return Background(*args, "--port", 0, "--bind", "::1", "--json")

    def test_bidirectional_load_with_several_engines(self):
        for backend in backends():
            with self.served("sink", "--bidirectional", "--threads", 2, "--backend", backend) as sink:
                port = sink.port()
                done = run("load", "--to", f"[::1]:{port}", "--bidirectional", "--threads", 2, "--flows", 4, "--size", "imix",
                           "--rate", 150, "--duration", "2500ms", "--start-at", f"{time.time() + 3:.3f}", "--backend",
                           backend, "--json")
                self.assertEqual(done.code, 0, done)
                until_read(port)
                summary, at_sink = done.summary(), sink.stop().summary()
            self.assertEqual((at_sink["received"], at_sink["lost"], at_sink["streams"]), (summary["sent"], 0, 4))
            self.assertEqual((summary["back_received"], summary["back_lost"]), (summary["sent"], 0))

    def test_one_way(self):
        with self.served("sink", "--one-way") as sink:
            port = sink.port()
            done = run("load", "--to", f"[::1]:{port}", "--one-way", "--rate", "1k", "--duration", "100ms", "--json")
            self.assertEqual(done.code, 0, done)
            until_read(port)
            at_sink = sink.stop().summary()
        self.assertEqual((at_sink["received"], at_sink["clock_apart"], at_sink["before_sent"]),
                         (done.summary()["sent"], 0, 0))
        self.assertGreater(at_sink["one_way_us"]["min"], 0)

    def test_latency(self):
        for backend in backends():
            with self.served("echo", "--threads", 2, "--backend", backend) as echo:
                to = f"[::1]:{echo.port()}"
                for count, args in (
                        (300, ("--stamps", "kernel", "--threads", 2, "--flows", 4, "--size", "24..300", "--rate",
                               "1k")),
                        (60, ("--window", 4, "--stamps", "kernel")),
                        (60, ("--arrivals", "poisson", "--burst", 3, "--rate", "2k")),
                        (60, ("--window", 2, "--match", "0:4", "--payload", "{seq:u32be}abcd"))):
                    done = run("latency", "--to", to, "--count", count, "--backend", backend, "--json", *args)
                    self.assertEqual(done.code, 0, done)
                    summary = done.summary()
                    self.assertEqual((summary["sent"], summary["received"]), (count, count), done)
                    self.assertEqual((summary["lost"], summary["corrupt"]), (0, 0), done)
                    if "--stamps" in args and "--rate" in args:  # the others may end before stamps are enabled
                        self.assertGreater(summary["path_us"]["max"], 0)


class Metrics(unittest.TestCase):
    def fetch(self, port, timeout=patience_s):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout) as answer:
            return answer.read().decode()

    def test_of_a_sink(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--prometheus", "127.0.0.1:0", "--json") as sink:
            metrics, port = sink.event("metrics")["port"], sink.port()
            done = run("load", "--to", f"127.0.0.1:{port}", "--rate", "1k", "--duration", "100ms", "--json")
            self.assertEqual(done.code, 0, done)
            expected = f'ringpost_datagrams_received_total{{command="sink"}} {done.summary()["sent"]}\n'
            until(lambda: expected in self.fetch(metrics), "the metrics count every datagram sent")
            self.assertEqual(sink.stop().code, 0)

    def test_connections_without_a_request_do_not_block_others(self):
        with Background("sink", "--port", 0, "--prometheus", "127.0.0.1:0", "--json") as sink:
            port = sink.event("metrics")["port"]
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
            self.assertIn("ringpost_datagrams_received_total", self.fetch(port, timeout=20))
            for each in idle:
                each.close()

    def test_can_be_fetched_while_it_runs(self):
        with Background("load", "--self", "--rate", "1k", "--duration", "20s", "--prometheus", "127.0.0.1:0", "--json") as load:
            port = load.event("metrics")["port"]
            load.event("progress")
            text = self.fetch(port)
            self.assertEqual(load.stop().code, 143)
        self.assertRegex(text, r'ringpost_datagrams_sent_total\{command="load"\} [1-9]')
        self.assertRegex(text, r'ringpost_slip_seconds_count\{command="load"\} [1-9]')


class Terminal(unittest.TestCase):
    def drawn(self, duration, **more):
        """Returns what a measurement draws on a terminal of 70 columns."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "LC_ALL", "LANG")}
        done = subprocess.run([support.binary, "latency", "--self", "--rate", "1k", "--duration", duration], stderr=theirs,
                              stdout=subprocess.PIPE, env=environment | {"TERM": "xterm", "LC_ALL": "C.UTF-8"} | more,
                              preexec_fn=die_with_parent, timeout=patience_s)
        os.close(theirs)
        drawn = b""
        try:
            while fresh := os.read(ours, 65536):
                drawn += fresh
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        self.assertEqual(done.returncode, 0)
        return drawn

    def test_no_color(self):
        colour = rb"\x1b\[[0-9;]*m"
        self.assertRegex(tried(lambda: self.drawn("1900ms"), re.compile(colour).search), colour)
        self.assertNotRegex(self.drawn("1900ms", NO_COLOR="1"), colour)

    def test_redraws_in_place(self):
        drawn = tried(lambda: self.drawn("2900ms"), re.compile(rb"\x1b\[\d+A").search)
        self.assertRegex(drawn.decode(), "[\u2581-\u2588]")
        self.assertRegex(drawn, rb"\x1b\[\d+A", "the cursor moves up to redraw")
        lines = re.sub(rb"\x1b\[[0-9;]*[A-Za-z]", b"", drawn).decode().replace("\r", "\n").split("\n")
        self.assertLessEqual(max(map(len, lines)), 70, "no line wraps")


class Progress(unittest.TestCase):
    def test_unwritable_standard_output(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([support.binary, "load", "--self", "--json", "--rate", "1k", "--duration", "1200ms"],
                                  stdout=full, stderr=subprocess.PIPE, text=True, timeout=patience_s,
                                  preexec_fn=die_with_parent)
        self.assertEqual((done.returncode, done.stderr), (1, "ringpost: standard output: cannot be written\n"))

    def test_probes_in_flight_are_not_lost(self):
        with EchoThread() as echo, Background("relay", "--listen", 0, "--bind", "127.0.0.1", "--to", f"127.0.0.1:{echo.port}",
                                              "--delay", "50ms", "--json") as relay:
            to = f"127.0.0.1:{relay.port()}"

            def progress():
                done = run("latency", "--to", to, "--rate", 100, "--duration", "2500ms", "--json")
                self.assertEqual(done.code, 0, done)
                return done.events("progress")

            # Probes that a stall keeps in flight for a second are reported as lost.
            events = tried(progress, lambda events: not any(event["lost"] for event in events))
            self.assertEqual([event["lost"] for event in events], [0] * len(events), events)
            self.assertTrue(any(event["sent"] > event["received"] for event in events), "some probes were in flight")

    def test_plain_lines_without_a_terminal(self):
        def progress_lines():
            done = run("load", "--self", "--rate", "5k", "--duration", "1900ms")
            self.assertEqual(done.code, 0, done)
            self.assertNotIn("\x1b", done.err)
            return [line for line in done.err.splitlines() if "sent" in line and "cpu" in line]

        lines = tried(progress_lines, lambda lines: len(lines) == 1)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("received", lines[0])
