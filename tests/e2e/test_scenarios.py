"""latency --scenario against small servers in Python, a real CoAP server and ringpost echo."""

import pathlib
import re
import secrets
import tempfile
import threading
import unittest

import support
from support import Background, backends, run, udp_socket
from test_presets import Server, program

usage = 2
EXAMPLES = pathlib.Path(__file__).parents[2] / "apps" / "scenarios"


class Answering:
    """A server: reply(data, source) returns its answers."""

    def __init__(self, reply):
        self.reply, self.socket = reply, udp_socket()
        self.socket.settimeout(None)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            data, source = self.socket.recvfrom(65536)
            if data == b"stop":
                return
            for answer in self.reply(data, source):
                self.socket.sendto(answer, source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with udp_socket() as sock:
            sock.sendto(b"stop", self.socket.getsockname())
        self.thread.join(support.patience_s)
        self.socket.close()


class GameServer:
    """Answers a query without a challenge by one, and checks that it comes back from the same address."""

    def __init__(self):
        self.challenges = {}

    def __call__(self, data, source):
        query = b"\xff\xff\xff\xffTSource Engine Query\0"
        if data == query:
            self.challenges[source] = secrets.token_bytes(4)
            return [b"\xff\xff\xff\xffA" + self.challenges[source]]
        if data == query + self.challenges.get(source, b"?"):
            return [b"\xff\xff\xff\xffI\x11name\0"]
        return [b"\xff\xff\xff\xffE"]


class LoginServer:
    """A user gets a token, with which alone other requests are answered."""

    def __init__(self):
        self.users, self.tokens = [], set()

    def __call__(self, data, source):
        word, what, *rest = data.rstrip(b"\n").split(b" ")
        if word == b"LOGIN" and rest == [b"secret"]:
            token = secrets.token_hex(8).encode()
            self.users.append(what)
            self.tokens.add(token)
            return [b"OK user=" + what + b" token=" + token + b"\nwelcome"]
        if word == b"GET" and what in (b"name", b"score") and rest and rest[0] in self.tokens:
            return [b"VALUE 1"]
        if word == b"LOGOUT" and what in self.tokens:
            self.tokens.remove(what)
            return [b"BYE"]
        return [b"ERROR"]


# A stalled machine fails no session.
PATIENT = ("--timeout", "60s")


class Scenarios(unittest.TestCase):
    def file(self, text):
        file = tempfile.NamedTemporaryFile("wb", suffix=".txt")
        self.addCleanup(file.close)
        file.write(text if isinstance(text, bytes) else text.encode())
        file.flush()
        return file.name

    def complete(self, done, count):
        """The summary of a run all of whose sessions were complete."""
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        self.assertEqual([summary[name] for name in ("sent", "received", "lost", "wrong", "timed_out", "unended")],
                         [count, count, 0, 0, 0, 0], done)
        for step in summary["steps"]:
            self.assertEqual((step["sent"], step["wrong"], step["timed_out"]), (step["answered"], 0, 0), done)
        return summary


class Examples(Scenarios):
    def test_a2s(self):
        for backend in backends():
            with Answering(GameServer()) as server:
                done = run("latency", "--to", server.address, "--scenario", EXAMPLES / "a2s.txt", "--rate", "500", "--count", 50,
                           "--json", "--backend", backend, *PATIENT)
            summary = self.complete(done, 50)
            self.assertEqual([(step["line"], step["sent"]) for step in summary["steps"]], [(5, 50), (7, 50)])
            for step in summary["steps"]:
                self.assertGreater(summary["response_us"]["min"], step["response_us"]["min"])

    def test_login(self):
        server = LoginServer()
        with Answering(server) as answering:
            done = run("latency", "--to", answering.address, "--scenario", EXAMPLES / "login.txt", "--window", 8, "--count", 40,
                       "--json", *PATIENT)
        summary = self.complete(done, 40)
        self.assertEqual([step["sent"] for step in summary["steps"]], [40, 120, 40])
        self.assertGreater(summary["response_us"]["min"], 20_000, "the wait is a part of it")
        self.assertEqual(sorted(server.users), sorted(b"user%d" % number for number in range(40)))
        self.assertEqual(server.tokens, set())

    def test_coap_blocks(self):
        name = program("coap-server-notls")
        server = Server(self, bytes.fromhex("5401000000000000"), lambda port, _: [name, "-A", "127.0.0.1", "-p", str(port)])
        whole = self.whole(server.port)
        done = run("latency", "--to", f"127.0.0.1:{server.port}", "--scenario", EXAMPLES / "coap_block.txt", "--window", 2,
                   "--count", 20, "--json", *PATIENT)
        summary = self.complete(done, 20)
        blocks = -(-len(whole) // 32)
        self.assertGreater(blocks, 2)
        self.assertEqual([step["sent"] for step in summary["steps"]], [20, 20 * (blocks - 1)])

    def whole(self, port):
        """The resource of the example, without blocks."""
        with udp_socket() as sock:
            sock.sendto(b"\x54\x01\x00\x01abcd\xbb.well-known\x04core", ("127.0.0.1", port))
            reply = sock.recv(65536)
        self.assertEqual((reply[1], reply[4:8]), (0x45, b"abcd"))
        return reply[reply.index(b"\xff") + 1:]


class Runs(Scenarios):
    two_steps = 'send "a{session}"\nexpect echo\nsend "b{seq:u32be}"\nexpect 1:4\n'

    def test_against_our_own_echo(self):
        file = self.file(self.two_steps)
        for backend in backends():
            for loop in (("--rate", "1k"), ("--rate", "1k", "--arrivals", "poisson", "--threads", 2), ("--window", 4),
                         ("--window", 2, "--threads", 2, "--flows", 3), ()):
                done = run("latency", "--self", "--scenario", file, "--count", 100, "--json", "--backend", backend,
                           *PATIENT, *loop)
                summary = self.complete(done, 100)
                self.assertEqual([step["sent"] for step in summary["steps"]], [100, 100])
                self.assertEqual("slip_us" in summary, "--rate" in loop)
                self.assertEqual(summary["counters"]["scenario"]["datagrams_received"], 200)

    def test_the_report_has_a_row_for_each_step(self):
        done = run("latency", "--self", "--scenario", self.file(self.two_steps), "--rate", 500, "--count", 20, *PATIENT)
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertIn("sessions 20  complete 20  failed 0  waited for a flow 0", done.out)
        self.assertRegex(done.out, r'line 1 +send "a\{session\}" +20 +20 +0 +0( +[0-9.]+){5}\n')
        self.assertRegex(done.out, r'line 3 +send "b\{seq:u32be\}" +20 +20 +0 +0( +[0-9.]+){5}\n')
        self.assertRegex(done.out, r"session +20 +20 +0 +0( +[0-9.]+){5}\n")
        for name in ("response", "service", "slip", "lateness"):
            self.assertRegex(done.out, rf"(?m)^{name} ")

    def test_crlf_and_a_byte_order_mark(self):
        text = b"\xef\xbb\xbf# comment\r\n" + self.two_steps.replace("\n", "\r\n").encode()
        self.complete(run("latency", "--self", "--scenario", self.file(text), "--count", 5, "--json", *PATIENT), 5)

    def test_a_wrong_reply_fails_the_session_and_is_counted_by_step(self):
        def reply(data, _):
            return [b"no" if data == b"b3" else data]
        file = self.file('send "a{session}"\nexpect\nsend "b{session}"\nexpect "b" within 60s\n')
        with Answering(reply) as server:
            done = run("latency", "--to", server.address, "--scenario", file, "--count", 10, "--json", "--fail-if", "loss>5%",
                       "--fail-if", "p50>100s", *PATIENT)
            self.assertEqual(done.code, 3, done)
            summary = done.summary()
            self.assertEqual([summary[name] for name in ("sent", "received", "lost", "wrong")], [10, 9, 1, 1])
            self.assertEqual([step["wrong"] for step in summary["steps"]], [0, 1])
            self.assertEqual(summary["breached"], ["loss>5%: 10 %"])
            self.assertIsNone(summary["response_us"]["max"])
            self.assertEqual(run("latency", "--to", server.address, "--scenario", file, "--count", 10, "--fail-if",
                                 "loss>20%", *PATIENT).code, 0)

    def test_a_missing_reply_is_counted_by_step_and_its_flow_rests(self):
        def reply(data, _):
            return [] if data == b"b1" else [data]
        file = self.file('send "a{session}"\nexpect\nsend "b{session}"\nexpect within 50ms\n')
        with Answering(reply) as server:
            done = run("latency", "--to", server.address, "--scenario", file, "--count", 20, "--json", *PATIENT)
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        # More than one if the machine stalls.
        self.assertGreaterEqual(summary["timed_out"], 1, done)
        self.assertEqual([summary["sent"], summary["lost"]], [20, summary["timed_out"]])
        self.assertEqual([step["timed_out"] for step in summary["steps"]], [0, summary["timed_out"]])
        self.assertEqual(summary["response_us"]["lost_beyond"], 50_000)

    def test_nothing_complete(self):
        file = self.file('send "a"\nexpect "b"\n')
        with Answering(lambda data, _: [data]) as server:
            done = run("latency", "--to", server.address, "--scenario", file, "--count", 3, *PATIENT)
        self.assertEqual(done.code, 1, done)
        self.assertIn("no session was complete: wrong replies to line 1: 3", done.err)
        with udp_socket() as silent:
            done = run("latency", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--scenario", file, "--count", 1, "--timeout",
                       "50ms")
        self.assertEqual(done.code, 4, done)
        self.assertIn("no answer", done.err)

    def test_kept_runs(self):
        with tempfile.TemporaryDirectory() as directory:
            kept = pathlib.Path(directory) / "run"
            done = run("latency", "--self", "--scenario", self.file(self.two_steps), "--rate", 500, "--count", 50, "--out", kept,
                       *PATIENT)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(sorted(path.name for path in kept.glob("*.hlog")),
                             ["response.hlog", "service.hlog", "slip.hlog"])
            self.assertIn('"steps"', (kept / "run.json").read_text())

    def test_a_signal_ends_it(self):
        with Background("latency", "--self", "--scenario", self.file(self.two_steps), "--rate", 100, "--duration", "1h",
                        "--json") as running:
            while running.event("progress")["received"] == 0:
                pass
            done = running.stop()
        self.assertEqual(done.code, 143, done)
        self.assertGreater(done.summary()["received"], 0)


class WrongUsage(Scenarios):
    def refused(self, *args, words):
        done = run("latency", *args)
        self.assertEqual((done.code, len(done.err.splitlines())), (usage, 1), done)
        for word in words:
            self.assertIn(word, done.err)

    def test_a_wrong_line(self):
        for text, words in (('send "x"\nexcept "y"\n', ("line 2", "except", "expected send")),
                            ('send "{token}"\n', ("line 1", "{token}", "variable")),
                            ('send "x"\nexpect within\n', ("line 2", "at its end", "a time")),
                            ("", ("sends nothing",)),
                            (b'send "\xff\n', ("line 1", "a quote has no end")),
                            ("\ufefftest".encode("utf-16"), ("UTF-16",))):
            file = self.file(text)
            self.refused("--self", "--scenario", file, words=(f"--scenario {file}", *words))
        self.refused("--self", "--scenario", "/nowhere", words=("--scenario /nowhere", "No such file"))

    def test_options_of_other_runs(self):
        file = self.file('send "x"\nexpect\n')
        for other in ("--size 100", "--payload x", "--preset ntp", "--match echo", "--expect 00@0", "--stamps kernel",
                      "--mtu-search", "--find-max", "--repeat 2", "--per-flow", "--transport gtudp", "--rate 1Mbit",
                      "--fail-if errors>0"):
            self.refused("--self", "--scenario", file, *other.split(), words=(*other.split()[:1], "--scenario"))
        self.refused("--self", "--scenario", file, "--window", 5, "--flows", 4, words=("--flows 4", "5 sessions"))

    def test_the_help_names_it(self):
        self.assertTrue(re.search(r"--scenario FILE", run("latency", "--help").out))
