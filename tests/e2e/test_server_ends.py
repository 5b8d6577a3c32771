"""How servers end: --duration, --count, --once, exit codes; and what a sink reports, bounds and keeps."""

import contextlib
import csv
import json
import pathlib
import signal
import tempfile
import time
import unittest

import frame
from message_peer import encode
from schema import read_schema, violations
from support import Background, backends, run, udp_socket, until_read

HOST = "127.0.0.1"


class Library(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="ringpost_ends_")
        self.addCleanup(temporary.cleanup)
        self.base = pathlib.Path(temporary.name)
        self.library = self.base / "library.json"
        self.library.write_text(json.dumps({"reading": {"id": 1, "format": "<B"}}))

    def servers(self):
        return {"sink": ("sink", "--port", 0), "threads": ("sink", "--port", 0, "--threads", 2),
                "echo": ("echo", "--port", 0), "relay": ("relay", "--listen", 0, "--to", f"{HOST}:9"),
                "recv": ("recv", "--port", 0), "message": ("message", "listen", "--port", 0, "--reply", "source"),
                "struct": ("struct", "listen", "--port", 0, "--library", self.library)}


class Duration(Library):
    def test_ends_by_itself(self):
        for name, args in self.servers().items():
            for backend in backends() if name in ("sink", "echo") else ("mmsg",):
                with self.subTest(f"{name} {backend}"):
                    done = run(*args, "--duration", "20ms", "--backend", backend, "--json")
                    self.assertEqual((done.code, done.summary()["backend"]), (0, backend), done)

    def test_before_its_count_it_fails(self):
        for name, args in self.servers().items():
            with self.subTest(name):
                done = run(*args, "--duration", "20ms", "--count", 3, "--json")
                self.assertEqual((done.code, done.events()[-1]["event"]), (1, "summary"), done)
                self.assertIn("ended after 0 of 3 ", done.err)


class Count(Library):
    def ended_by(self, server, *datagrams, more=()):
        with Background(*self.servers()[server], "--bind", HOST, "--json", *more) as process, udp_socket() as sock:
            port = process.port()
            for datagram in datagrams:
                sock.sendto(datagram, (HOST, port))
            return process.finish()

    def test_a_sink(self):
        for server in ("sink", "threads"):
            done = self.ended_by(server, *(frame.make(1, i) for i in range(3)), more=("--count", 3))
            self.assertEqual((done.code, done.summary()["received"]), (0, 3), done)

    def test_an_echo_answers_before_it_ends(self):
        for backend in backends():
            with Background("echo", "--port", 0, "--once", "--backend", backend, "--json") as echo, \
                    udp_socket() as sock:
                sock.sendto(b"only one", (HOST, echo.port()))
                self.assertEqual(sock.recv(100), b"only one")
                done = echo.finish()
            self.assertEqual((done.code, done.summary()["received"]), (0, 1), done)

    def test_a_relay_forwards_what_it_delays(self):
        with udp_socket() as target, udp_socket() as client, \
                Background("relay", "--listen", 0, "--to", f"{HOST}:{target.getsockname()[1]}", "--count", 2, "--delay",
                           "20ms", "--json") as relay:
            client.sendto(b"question", (HOST, relay.port()))
            question, via = target.recvfrom(100)
            target.sendto(question + b" answered", via)
            self.assertEqual(client.recv(100), b"question answered")
            self.assertEqual(relay.finish().code, 0)

    def test_a_listener_confirms_the_last_message(self):
        with Background(*self.servers()["message"], "--once", "--json") as listen, udp_socket() as sock:
            sock.sendto(encode("hello", None), (HOST, listen.port()))
            self.assertTrue(sock.recv(1000))
            done = listen.finish()
        self.assertEqual((done.code, [event["message"] for event in done.events("message")]), (0, ["hello"]), done)

    def test_struct_messages_are_printed_up_to_the_count(self):
        packet = self.sent_struct(5)
        done = self.ended_by("struct", packet * 3, more=("--count", 2))
        self.assertEqual((done.code, [event["values"] for event in done.events("message")]), (0, [[5], [5]]), done)

    def sent_struct(self, value):
        with udp_socket() as sock:
            done = run("struct", "send", "--to", f"{HOST}:{sock.getsockname()[1]}", "--library", self.library,
                       "reading", value)
            self.assertEqual(done.code, 0, done)
            return sock.recv(100)

    def test_last_senders_are_served(self):
        # A lost RECV is repeated until its ACK arrives, also after the last message of --count.
        for args in (("recv",), ("sink", "--transport", "gtudp")):
            payload = frame.make(1, 0)
            with self.subTest(args[0]), udp_socket() as sender, \
                    Background(*args, "--port", 0, "--bind", HOST, "--once", "--resend-after", "700ms", "--json") as server:
                to = (HOST, server.port())
                sender.sendto(b"\x1d" + b"\x00\x00\x00\x07" + payload, to)
                for _ in range(2):  # the first one is lost
                    self.assertEqual(sender.recv(100), b"\x5f" + b"\x00\x00\x00\x07")
                self.assertIsNone(server.process.poll())
                sender.sendto(b"\xae" + b"\x00\x00\x00\x07", to)
                self.assertEqual(server.finish().code, 0)

    def test_recv_once(self):
        with Background("recv", "--port", 0, "--bind", HOST, "--once", "--json") as recv:
            port = recv.port()
            self.assertEqual(run("send", "--to", f"{HOST}:{port}", "one").code, 0)
            done = recv.finish()
        self.assertEqual((done.code, [event["text"] for event in done.events("message")]), (0, ["one"]), done)

    def test_options_exclude_each_other(self):
        done = run("echo", "--port", 0, "--once", "--count", 2)
        self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
        self.assertIn("--once", done.err)


class Sources(unittest.TestCase):
    def test_a_row_for_each(self):
        for backend in backends():
            with Background("sink", "--port", 0, "--bind", HOST, "--json", "--backend", backend) as sink, \
                    udp_socket() as a, udp_socket() as b:
                port = sink.port()
                for sequence in (0, 1, 3):
                    a.sendto(frame.make(1, sequence), (HOST, port))
                for datagram in (frame.make(2, 0), frame.make(2, 0), b"no frame"):
                    b.sendto(datagram, (HOST, port))
                a.sendto(frame.make(1, 4), (HOST, port))
                until_read(port)
                summary = sink.stop().summary()
                rows = {row["source"]: row for row in summary["sources"]}
                names = ("received", "lost", "duplicate", "corrupt")
                self.assertEqual({source: [row[name] for name in names] for source, row in rows.items()},
                                 {f"{HOST}:{a.getsockname()[1]}": [4, 1, 0, 0],
                                  f"{HOST}:{b.getsockname()[1]}": [3, 0, 1, 1]})
            self.assertEqual((summary["sources_forgotten"], summary["sources_other"]["received"]), (0, 0))

    def test_more_than_there_are_rows_for(self):
        with Background("sink", "--port", 0, "--bind", HOST) as sink:
            port = int(sink.process.stderr.readline().split()[-1])
            with contextlib.ExitStack() as open_sockets:  # or ports would be used twice
                for i in range(270):
                    open_sockets.enter_context(udp_socket()).sendto(frame.make(i, 0), (HOST, port))
                until_read(port)
            done = sink.stop()
        self.assertEqual(done.out.count("\nfrom "), 16, done)
        self.assertIn("and 240 more sources\n", done.out)
        self.assertRegex(done.out, r"earlier sources, more than 256: received 14 ")


class Bounds(unittest.TestCase):
    def bounded(self, sequences, *args):
        with Background("sink", "--port", 0, "--bind", HOST, "--json", *args) as sink, udp_socket() as sock:
            port = sink.port()
            for sequence in sequences:
                sock.sendto(frame.make(1, sequence), (HOST, port))
            until_read(port)
            return sink.stop()

    def test_loss(self):
        done = self.bounded((0, 1, 2, 4), "--fail-if", "loss>10%")
        self.assertEqual((done.code, done.summary()["breached"]), (3, ["loss>10%: 20 %"]), done)
        done = self.bounded((0, 1, 2, 4), "--fail-if", "loss>50%")
        self.assertEqual((done.code, done.summary()["breached"]), (0, []), done)

    def test_nothing_received_is_a_breach(self):
        self.assertEqual(self.bounded((), "--fail-if", "loss>10%").summary()["breached"], ["loss>10%: not measured"])

    def test_wrong_conditions(self):
        for args, reason in ((("--fail-if", "loss>1%", "--no-verify"), "not with --no-verify"),
                             (("--fail-if", "p99>1ms"), "requires --one-way"),
                             (("--fail-if", "errors>0"), "only latency checks answers"),
                             (("--fail-if", "speed>1"), "the figures are")):
            done = run("sink", "--port", 0, *args)
            self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
            self.assertIn(reason, done.err)

    def test_times(self):
        with Background("sink", "--port", 0, "--bind", HOST, "--json", "--one-way", "--count", 1, "--fail-if",
                        "max>1ns") as sink, udp_socket() as sock:
            sock.sendto(frame.make(1, 0, time.time_ns() - 1_000), (HOST, sink.port()))
            self.assertEqual(sink.finish().code, 3)


class Kept(Library):
    def test_a_run(self):
        schema = read_schema("run.schema.json")
        for number, more in enumerate(((), (), ("--one-way",), ("--no-verify",), ("--no-sandbox",))):
            kept = self.base / str(number)
            with Background("sink", "--port", 0, "--bind", HOST, "--json", "--out", kept, *more) as sink, \
                    udp_socket() as sock:
                port = sink.port()
                for sequence in range(10):
                    sock.sendto(frame.make(1, sequence), (HOST, port))
                until_read(port)
                done = sink.stop()
            self.assertEqual(done.code, 0, done)
            found = json.loads((kept / "run.json").read_text())
            self.assertEqual(list(violations(found, schema)), [])
            self.assertEqual((found["command"], found["results"]["received"]), ("sink", 10))
            self.assertTrue(found["environment"]["cpu"] or not pathlib.Path("/proc/cpuinfo").exists())
            for name in ("events.ndjson", "series.csv", "report.html"):
                self.assertGreater((kept / name).stat().st_size, 0, name)
            self.assertEqual(json.loads((kept / "events.ndjson").read_text().splitlines()[-1])["event"], "summary")
        merged = run("merge", self.base / "0", self.base / "1", "--json")
        self.assertEqual((merged.code, merged.summary()["received"]), (0, 20), merged)

    def test_more_than_one_interval(self):
        with Background("sink", "--port", 0, "--bind", HOST, "--json", "--out", self.base / "long") as sink, \
                udp_socket() as sock:
            port = sink.port()
            for sequence in range(25):
                sock.sendto(frame.make(1, sequence), (HOST, port))
                time.sleep(0.1)
            done = sink.stop()
        self.assertEqual(done.code, 0, done)
        with open(self.base / "long" / "series.csv", newline="") as series:
            rows = list(csv.DictReader(series))
        self.assertGreater(len(rows), 1)
        self.assertEqual([row for row in rows if float(row["cpu_percent"]) < 0], [])

    def test_a_sink_that_ends_as_soon_as_it_listens(self):
        # Its first datagram arrives before it starts to count time.
        port = 7000
        for number, backend in enumerate(backends()):
            with Background("sink", "--port", port, "--bind", HOST, "--once", "--json", "--no-sandbox",
                            "--backend", backend, "--out", self.base / str(number)) as sink, udp_socket() as sock:
                while sink.process.poll() is None:
                    with contextlib.suppress(ConnectionRefusedError):
                        sock.sendto(frame.make(1, 0), (HOST, port))
                done = sink.finish()
            self.assertEqual((done.code, done.summary()["received"] >= 1), (0, True), done)

    def test_a_directory_in_use_is_refused(self):
        done = run("sink", "--port", 0, "--out", self.base)
        self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
        self.assertIn("is not empty", done.err)


class Signals(Library):
    def test_sigterm_does_not_hide_a_missing_count(self):
        with Background("echo", "--port", 0, "--count", 5, "--json") as echo:
            echo.port()
            self.assertEqual(echo.stop(signal.SIGTERM).code, 1)

    def test_without_a_reader_there_is_no_report(self):
        with Background("echo", "--port", 0, "--bind", HOST) as echo:
            echo.process.stderr.readline()
            echo.process.stdout.close()
            echo.process.send_signal(signal.SIGTERM)
            self.assertEqual(echo.process.wait(60), 1)
            echo.process.stdout = None

