"""--transport native: sealed connections between two instances of ringpost, over good and bad networks."""

import contextlib
import csv
import itertools
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import support
from support import Background, backends, run

lossy = ("--loss", "5%", "--delay", "2ms", "--jitter", "1ms", "--duplicate", "1%", "--reorder", "1%", "--seed", 7)


def with_input(text, *args):
    return subprocess.run([support.binary, *map(str, args)], input=text, capture_output=True, text=True,
                          timeout=support.patience_s, preexec_fn=support.die_with_parent)


class Native(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.psk = self.secret("cluster.psk", run("key", "shared").out)

    def secret(self, name, text, mode=0o600):
        path = self.directory / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def pair(self, name):
        """A secret key's file, and its public key."""
        path = self.secret(f"{name}.key", run("key", "new").out)
        with path.open() as stdin:
            public = subprocess.run([support.binary, "key", "public"], stdin=stdin, capture_output=True, text=True)
        return path, public.stdout.strip()

    def native(self, *keys):
        return ("--transport", "native", *(keys or ("--psk", self.psk)))

    @contextlib.contextmanager
    def server(self, command, *args, keys=()):
        with Background(command, *self.native(*keys), "--port", 0, "--bind", "127.0.0.1", "--json", *args) as server:
            server.to = f"127.0.0.1:{server.port()}"
            yield server


class Silent(Native):
    def test_the_timeout_bounds_the_handshake(self):
        with support.udp_socket() as silent:
            to = f"127.0.0.1:{silent.getsockname()[1]}"
            done = run("send", *self.native(), "--to", to, "--timeout", "20ms", "text")
            self.assertEqual((done.code, len(done.err.splitlines())), (4, 1), done)
            silent.recv(2000)
            silent.settimeout(0)
            self.assertRaises(BlockingIOError, silent.recv, 2000)  # it is sent again after 250 ms


class Messages(Native):
    def test_lines_in_order_over_a_bad_network(self):
        lines = [f"line {i}" for i in range(500)] + ["", "zwölf"]
        for backend in backends():
            with self.subTest(backend), self.server("recv", "--count", len(lines), "--backend", backend) as recv, \
                    Background("relay", "--listen", 0, "--bind", "127.0.0.1", "--to", recv.to, "--json",
                               *lossy) as relay:
                done = with_input("\n".join(lines) + "\n", "send", *self.native(), "--backend", backend, "--to",
                                  f"127.0.0.1:{relay.port()}")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
                ended = recv.finish()
            self.assertEqual(ended.code, 0, ended)
            self.assertEqual([event["text"] for event in ended.events("message")], lines)
            self.assertEqual(ended.summary()["counters"]["native"]["closed"], 1)

    def test_a_file_is_one_message(self):
        content = os.urandom(3_000_000)
        sent, received = self.directory / "sent", self.directory / "received"
        sent.write_bytes(content)
        with self.server("recv", "--file", received) as recv:
            done = run("send", *self.native(), "--to", recv.to, "--file", sent, "--json")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(recv.finish().code, 0)
        self.assertEqual(received.read_bytes(), content)
        summary = done.summary()
        self.assertEqual((summary["sent"], summary["failed"], summary["all_delivered"]), (1, 0, True))

    def test_a_file_larger_than_the_receiver_takes(self):
        sent = self.directory / "sent"
        sent.write_bytes(bytes(5_000))
        with self.server("recv", "--message-max", 4_000) as recv:
            done = run("send", *self.native(), "--to", recv.to, "--file", sent)
        self.assertEqual(done.code, 1)
        self.assertIn("a message of 5000 bytes is too large for the peer", done.err)

    def test_what_is_more_than_count_is_not_confirmed(self):
        with self.server("recv", "--count", 2) as recv:
            done = with_input("one\ntwo\nthree\nfour\n", "send", *self.native(), "--to", recv.to)
            ended = recv.finish()
        self.assertEqual([event["text"] for event in ended.events("message")], ["one", "two"])
        self.assertEqual(done.returncode, 1, done)

    def test_the_names_of_clients(self):
        server, server_public = self.pair("server")
        client, client_public = self.pair("client")
        _, other_public = self.pair("other")
        allowed = self.secret("allowed", f"{client_public} pump-1\n{other_public} pump-2\n", 0o644)
        with self.server("recv", "--count", 1, keys=("--key", server, "--allow", allowed)) as recv:
            stranger = ("send", *self.native("--peer", server_public), "--to", recv.to, "who?")
            with Background(*stranger) as refused:
                done = run("send", *self.native("--key", client, "--peer", server_public), "--to", recv.to, "it is me")
                self.assertEqual(done.code, 0, done)
                ended = recv.finish()
                refused.stop(signal.SIGINT)
        message, = ended.events("message")
        self.assertEqual((message["name"], message["text"]), ("pump-1", "it is me"))

    def test_a_list_of_clients_is_read_again_after_sighup(self):
        key, public = self.pair("server")
        first, second = self.pair("first"), self.pair("second")
        listed = self.directory / "listed"

        def replace(text):
            os.replace(self.secret("fresh", text, 0o644), listed)  # a new file, as editors write one

        def reread(server):
            server.process.send_signal(signal.SIGHUP)
            return next(line for line in iter(server.process.stderr.readline, "") if "SIGHUP" in line)

        def send(server, client, *options):
            return run("send", *self.native("--key", client[0], "--peer", public), "--to", server.to, *options, "text")

        backend = itertools.cycle(backends())
        for command in (("recv",), ("sink", "--threads", 2), ("echo", "--threads", 2)):
            replace(f"{first[1]} first\n")
            with self.subTest(command), self.server(*command, "--backend", next(backend),
                                                    keys=("--key", key, "--allow", listed)) as server:
                self.assertEqual(send(server, first).code, 0)
                replace(f"{second[1]} second\n")
                self.assertEqual(reread(server), f"ringpost: SIGHUP: clients of {listed} from now on\n")
                self.assertEqual(send(server, second).code, 0)
                replace("nonsense")
                self.assertRegex(reread(server), f"SIGHUP: {listed}: line 1: .*; the list of clients stays as it was\n")
                self.assertEqual(send(server, second).code, 0)
                until_refused = time.monotonic() + support.patience_s
                while send(server, first, "--timeout", "300ms").code == 0:  # another engine looks up to 100 ms later
                    self.assertLess(time.monotonic(), until_refused)
                ended = server.stop()
                self.assertGreater(ended.summary()["counters"]["handshakes"]["not_allowed"], 0)

    def test_a_server_that_stops_closes_its_connections(self):
        with self.server("recv") as recv, Background("send", *self.native(), "--to", recv.to, "--json",
                                                     stdin=subprocess.PIPE) as send:
            send.process.stdin.write("one\n")
            send.process.stdin.flush()
            self.assertEqual(recv.event("message")["text"], "one")
            ended = recv.stop()
            self.assertEqual(ended.summary()["received"], 1)
            done = send.finish()
        self.assertEqual(done.code, 1, done)
        self.assertEqual(done.summary()["end"], "closed")

    def test_a_restarted_server_ends_the_connection(self):
        with self.server("recv") as recv, Background("send", *self.native(), "--to", recv.to, "--json",
                                                     stdin=subprocess.PIPE) as send:
            send.process.stdin.write("one\n")
            send.process.stdin.flush()
            recv.event("message")
            recv.stop(signal.SIGKILL)
            with Background("recv", *self.native(), "--port", recv.to.split(":")[1], "--bind", "127.0.0.1",
                            "--json") as again:
                again.port()
                with contextlib.suppress(BrokenPipeError):  # the first line may be sent again before
                    send.process.stdin.write("two\n")
                    send.process.stdin.flush()
                done = send.finish()
                self.assertGreater(again.stop().summary()["counters"]["native"]["resets_sent"], 0)
        self.assertEqual(done.code, 1, done)
        self.assertEqual(done.summary()["end"], "the peer does not know the connection any more")

    def test_nobody_listens(self):
        with support.udp_socket() as sock:
            closed = f"127.0.0.1:{sock.getsockname()[1]}"
        done = run("send", *self.native(), "--to", closed, "hello")
        self.assertEqual((done.code, done.err), (4, f"ringpost: connect {closed}: nothing listens there\n"))


class Measuring(Native):
    def test_load(self):
        for keys in (("--psk", self.psk), ("--insecure",)):
            with self.subTest(keys[0]), self.server("sink", keys=keys) as sink:
                kept = self.directory / keys[0]
                done = run("load", *self.native(*keys), "--to", sink.to, "--duration", "100ms", "--json", "--out", kept)
                self.assertEqual(done.code, 0, done)
                with (kept / "series.csv").open() as series:
                    last = list(csv.DictReader(series))[-1]
                for column in ("path_rtt_smoothed_us", "path_window_bytes"):
                    self.assertGreater(float(last[column]), 0, column)
                summary, seen = done.summary(), sink.stop().summary()
            self.assertGreater(summary["sent"], 0)
            self.assertEqual((summary["confirmed"], summary["lost"]), (summary["sent"], 0))
            self.assertEqual((seen["received"], seen["lost"], seen["duplicate"], seen["corrupt"]),
                             (summary["sent"], 0, 0, 0))
            self.assertEqual((summary["transport"], seen["transport"]), ("native", "native"))

    def test_load_of_sizes_and_at_a_rate(self):
        for args in (("--size", "64..1400"), ("--size", 60_000), ("--rate", "10k")):
            with self.subTest(args[0]):
                done = run("load", "--self", "--transport", "native", "--duration", "100ms", "--json", *args)
                self.assertEqual(done.code, 0, done)
                summary = done.summary()
                self.assertEqual((summary["received"], summary["lost"], summary["corrupt"]), (summary["sent"], 0, 0))

    def test_load_on_several_engines(self):
        with self.server("sink", "--threads", 2) as sink:
            done = run("load", *self.native(), "--to", sink.to, "--threads", 2, "--duration", "100ms", "--json")
            seen = sink.stop().summary()
        self.assertEqual(done.code, 0, done)
        self.assertEqual(seen["received"], done.summary()["sent"])

    def test_latency(self):
        with self.server("echo") as echo, Background("relay", "--listen", 0, "--bind", "127.0.0.1", "--to", echo.to,
                                                     "--json", *lossy) as relay:
            done = run("latency", *self.native(), "--to", f"127.0.0.1:{relay.port()}", "--rate", "1k", "--count", 300,
                       "--json")
            self.assertEqual(done.code, 0, done)
            summary = done.summary()
            for name, value in {"sent": 300, "received": 300, "lost": 0, "duplicate": 0, "corrupt": 0}.items():
                self.assertEqual(summary[name], value, name)
            self.assertEqual(echo.stop().summary()["received"], 300)

    def test_self_needs_no_keys(self):
        done = run("latency", "--self", "--transport", "native", "--count", 10, "--json")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.summary()["received"], 10)


class Usage(Native):
    def test_faults_are_one_line(self):
        public = self.pair("server")[1]
        open_file = self.secret("open.psk", run("key", "shared").out, 0o644)
        send = ("send", "--to", "127.0.0.1:9", "x", "--transport", "native")
        recv = ("recv", "--port", 0, "--transport", "native")
        for command, fault in (
                (send, "--transport native: needs --psk or --peer, or --insecure"),
                (recv, "--transport native: needs --psk or --key, or --insecure"),
                ((*send, "--key", "a.key"), "--transport native: needs --psk or --peer, or --insecure"),
                ((*send, "--psk", "nowhere.psk"), "nowhere.psk: No such file or directory"),
                ((*send, "--psk", open_file),
                 f"{open_file}: its mode is 0644, so that others can use the key; set it to 0600"),
                ((*send, "--peer", "abc"), "the peer's public key: line 1: the key is not base64"),
                ((*send, "--psk", self.psk, "--peer", public), "--psk with --peer: needs --key, too"),
                ((*send, "--psk", self.psk, "--sends", 3), "--sends: requires --transport gtudp"),
                ((*recv, "--psk", self.psk, "--allow", "nowhere"), "--allow nowhere: a list of clients needs --key"),
                (("send", "--to", "127.0.0.1:9", "x", "--psk", self.psk), "--psk: requires --transport native"),
                (("send", "--to", "127.0.0.1:9", "--file", "a"), "--file: requires --transport native"),
                (("recv", "--port", 0, "--file", "a"), "--file: requires --transport native"),
                (("send", "--to", "127.0.0.1:9", "x", "--transport", "raw"),
                 "--transport raw: one of gtudp, native: raw confirms nothing"),
                (("load", "--self", "--transport", "native", "--peer", public), "--peer: not with --self"),
                (("load", "--self", "--transport", "native", "--psk", "nowhere.psk"),
                 "nowhere.psk: No such file or directory"),
                (("load", "--self", "--transport", "native", "--flows", 2), "--flows 2: native has one per engine"),
                (("latency", "--self", "--transport", "native", "--stamps", "kernel"),
                 "--stamps: not with native, whose messages are not single datagrams")):
            with self.subTest(fault):
                done = run(*command)
                self.assertEqual((done.code, done.out), (2, ""), done)
                self.assertEqual(done.err, f"ringpost: {fault}\n")
