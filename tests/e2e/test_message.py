"""Confirmed messages between ringpost and an independent peer, and between two instances of ringpost."""

import json
import subprocess
import unittest

import support
from message_peer import Peer, decode, encode
from support import Background, Network, backends, run, udp_socket

# ringpost's address differs from the peer's, so that both can listen on the same port, as by default.
ours = "127.0.0.2"


class Sends(unittest.TestCase):
    def send(self, peer, *args):
        return run("message", "send", "--to", f"127.0.0.1:{peer.port}", "--bind", ours, "--port", peer.port, "--json", *args)

    def peer(self, **options):
        peer = Peer(**options)
        peer.target = (ours, peer.port)
        return peer

    def test_confirmed_by_the_peer(self):
        texts = ("Hello World", "", 'quote " backslash \\ newline \n tab \t', "žluťoučký 山 📮", "[1]", "null")
        for backend in backends():
            with self.peer() as peer:
                for text in texts:
                    done = self.send(peer, "--backend", backend, text)
                    self.assertEqual(done.code, 0, done)
                    self.assertEqual(done.events("outcome")[0]["outcome"], "confirmed")
                    self.assertEqual(done.events("outcome")[0]["message"], "confirmed")
                    self.assertEqual((done.summary()["confirmed"], done.summary()["backend"]), (1, backend))
                    self.assertEqual(peer.delivered.get(timeout=support.patience_s), text)
                self.assertEqual((peer.delivered.qsize(), peer.malformed), (0, 0), "each once")

    def test_failure_reported_by_the_peer(self):
        with self.peer(refuse=lambda message: f"no room for {message}") as peer:
            done = self.send(peer, "it")
            self.assertEqual(done.code, 1, done)
            self.assertEqual((done.summary()["confirmed"], done.summary()["failed"]), (0, 1))
            outcome = done.events("outcome")[0]
            self.assertEqual((outcome["outcome"], outcome["message"]), ("failed", "no room for it"))
            self.assertIn(f"127.0.0.1:{peer.port}: failed: no room for it", done.err)

    def test_no_answer(self):
        with self.peer(silent=True) as peer:
            done = self.send(peer, "--timeout", "50ms", "hello")
            self.assertEqual(done.code, 1, done)
            self.assertEqual(done.summary()["timed_out"], 1)
            self.assertIn("timed out", done.err)
            self.assertEqual(peer.delivered.get(timeout=support.patience_s), "hello")
            self.assertEqual(peer.delivered.qsize(), 0, "sent only once")

    def test_no_listener(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
        for backend in backends():
            for args in (("--bind", ours), ("--wait", "block")):
                done = run("message", "send", "--to", f"127.0.0.1:{port}", "--port", 0, "--timeout", "1h", "--backend",
                           backend, *args, "hello")
                self.assertEqual((done.code, done.out), (4, ""), done)
                self.assertEqual(done.err, f"ringpost: 127.0.0.1:{port}: unreachable\n")
        done = run("message", "send", "--to", f"[::1]:{port}", "--port", 0, "--timeout", "1h", "hello")
        self.assertEqual((done.code, done.err), (4, f"ringpost: [::1]:{port}: unreachable\n"))

    def test_initialize(self):
        with Peer() as peer:
            self.assertIsNone(peer.target)
            done = self.send(peer, "initialize")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(done.events("outcome")[0]["message"], "initialization complete")
            self.assertEqual(peer.target, (ours, peer.port))

    def test_reports(self):
        with self.peer() as peer:
            for status, expected in (("ok", True), ("fail", False)):
                done = self.send(peer, "--status", status, "as it is")
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.events("outcome")[0]["outcome"], "reported")
                self.assertEqual(peer.answers.get(timeout=support.patience_s), ("as it is", expected))
            self.assertEqual(peer.delivered.qsize(), 0)

    def test_largest_message(self):
        fits = 1024 - len('{"message":"","status":null}')
        with self.peer() as peer:
            done = self.send(peer, "x" * fits)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(peer.delivered.get(timeout=support.patience_s), "x" * fits)
            done = self.send(peer, "x" * (fits + 1))
            self.assertEqual(done.code, 1, done)
            self.assertEqual(done.events("refused")[0], {"event": "refused", "reason": "too large", "bytes": 1025})
            self.assertIn("1025 bytes is too large: the maximum is 1024", done.err)
            self.assertEqual((done.summary()["taken"], peer.delivered.qsize()), (0, 0))

    def test_messages_received_meanwhile_are_printed_and_confirmed(self):
        with self.peer(silent=True) as peer:
            with Background("message", "send", "--to", f"127.0.0.1:{peer.port}", "--bind", ours, "--port", peer.port,
                            "ping") as ringpost:
                self.assertEqual(peer.delivered.get(timeout=support.patience_s), "ping")
                self.assertTrue(peer.send("pong", support.patience_s))
                peer.transmit("confirmed", True)
                done = ringpost.finish()
        self.assertEqual(done.code, 0, done)
        source, text = done.out.splitlines()[0].split("  ")
        self.assertEqual((source.split(":")[0], text), ("127.0.0.1", "pong"))
        self.assertEqual(done.out.splitlines()[1], "confirmed")


class Listens(unittest.TestCase):
    def listen(self, peer, *args):
        return Background("message", "listen", "--to", f"127.0.0.1:{peer.port}", "--bind", ours, "--port", peer.port, "--json",
                          *args)

    def test_values_sent_by_the_peer(self):
        values = ("Hello World", "", "žluťoučký\n📮", 42, -2.5, True, None, [1, 2.5, {"a": None}], {"message": "x"})
        for backend in backends():
            with Peer() as peer, self.listen(peer, "--backend", backend) as ringpost:
                peer.target = (ours, ringpost.port())
                for value in values:
                    self.assertTrue(peer.send(value, support.patience_s))
                    event = ringpost.event("message")
                    self.assertEqual((event["message"], event["status"]), (value, None))
                    self.assertEqual(event["source"], "127.0.0.1:%d" % peer.sending.getsockname()[1])
                summary = ringpost.stop().summary()
                self.assertEqual((summary["delivered"], summary["malformed"]), (len(values), {}))
                self.assertEqual(peer.malformed, 0)

    def test_failure_reports_are_printed_and_confirmations_are_not(self):
        with Peer() as peer, self.listen(peer) as ringpost:
            peer.target = (ours, ringpost.port())
            peer.transmit("confirmed", True)
            peer.transmit("disk full", False)
            event = ringpost.event("message")
            self.assertEqual((event["message"], event["status"]), ("disk full", False))
            summary = ringpost.stop().summary()
            self.assertEqual((summary["delivered"], summary["answers_stray"]), (0, 2))
            self.assertEqual(peer.answers.qsize(), 0, "neither is answered")

    def test_malformed_messages_are_counted_and_not_answered(self):
        with Peer() as peer, self.listen(peer) as ringpost:
            peer.target = (ours, ringpost.port())
            for datagram in (b"", b"{", b"[]", b'{"message":"x"}', b'{"message":"x","status":1}', b"\xff",
                             encode("x", None) + b"x", b'{"message":"x","status":null,"a":1}',
                             b'{"message":"x","status":null,"status":null}', b'{"message":%s,"status":null}' % (b"[" * 900)):
                peer.sending.sendto(datagram, peer.target)
            self.assertTrue(peer.send("good", support.patience_s))
            run = ringpost.stop()
        self.assertEqual([event["message"] for event in run.events("message")], ["good"])
        self.assertEqual(run.summary()["malformed"], {
            "not UTF-8": 1, "not JSON": 2, "trailing bytes": 1, "not an object": 1, "too deep": 1, "a member twice": 1,
            "an unknown member": 1, "a member missing": 1, "status neither null, true nor false": 1})

    def test_defaults(self):
        """Port 5005 on both sides and a target learnt from `initialize`, in a network namespace."""
        network = Network()
        network.ip("link set lo up")
        try:
            peer = network.call(lambda: Peer(port=5005, target=(ours, 5005)))
            other = network.call(lambda: Peer("127.0.0.3", port=5005, target=(ours, 5005)))
            with peer, other, network.call(lambda: Background("message", "listen", "--bind", ours, "--json")) as ringpost:
                self.assertEqual(ringpost.port(), 5005)
                peer.transmit("initialize", None)
                self.assertEqual(peer.answers.get(timeout=support.patience_s), ("initialization complete", True))
                self.assertEqual(ringpost.event("target")["target"], "127.0.0.1:5005")
                # The target does not change: from another peer, `initialize` is a message.
                self.assertTrue(other.send("initialize", support.patience_s))
                self.assertEqual(ringpost.event("message")["message"], "initialize")
                self.assertTrue(peer.send("hello", support.patience_s))
                self.assertTrue(other.send("hello too", support.patience_s))
                summary = ringpost.stop().summary()
                self.assertEqual((summary["initialized"], summary["delivered"]), (1, 3))
                done = network.call(lambda: run("message", "send", "--to", "127.0.0.1", "--bind", ours, "back"))
                self.assertEqual((done.code, done.out), (0, "confirmed\n"), done)
        finally:
            network.close()

    def test_replies_to_the_source(self):
        with Background("message", "listen", "--bind", "127.0.0.1", "--port", 0, "--reply", "source", "--json") as ringpost:
            to = ("127.0.0.1", ringpost.port())
            with udp_socket() as first, udp_socket() as second:
                for sock in (first, second):
                    sock.sendto(encode("hello", None), to)
                for sock in (first, second):
                    datagram, source = sock.recvfrom(2048)
                    self.assertEqual((decode(datagram), source), (("confirmed", True), to))

    def test_text_is_one_line_per_message_without_control_characters(self):
        args = ("message", "listen", "--bind", ours, "--port", 0, "--reply", "source")
        with Background(*args) as ringpost, udp_socket() as peer:
            port = int(ringpost.process.stderr.readline().split()[-1])
            peer.sendto(encode("two\nlines \x1b[31mred\u202e\x9b", None), (ours, port))
            line = ringpost.line()
            for character in ("\x1b", "\u202e", "\x9b"):
                self.assertNotIn(character, line)
            self.assertIn(r"two\x0alines \x1b[31mred", line)
            peer.sendto(encode("\x1b[31m failed", False), (ours, port))
            self.assertIn(r"reports a failure  \x1b[31m failed", ringpost.line())
            self.assertEqual(ringpost.stop().code, 0)


class Chats(unittest.TestCase):
    def chat(self, *args):
        return subprocess.Popen([support.binary, "message", "chat", *map(str, args)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=support.die_with_parent)

    def test_lines_of_a_pipe_arrive_in_order(self):
        lines = [f"line {i}" for i in range(200)] + ["", "without a newline"]
        with Peer() as peer:
            peer.target = (ours, peer.port)
            chat = self.chat("--to", f"127.0.0.1:{peer.port}", "--bind", ours, "--port", peer.port)
            out, err = chat.communicate("\n".join(lines), timeout=support.patience_s)
            self.assertEqual((chat.returncode, out), (0, ""), err)
            self.assertEqual([peer.delivered.get_nowait() for _ in lines], lines)

    def test_a_failed_line_does_not_end_the_chat(self):
        with Peer(refuse=lambda message: "no" if message == "two" else None) as peer:
            peer.target = (ours, peer.port)
            chat = self.chat("--to", f"127.0.0.1:{peer.port}", "--bind", ours, "--port", peer.port)
            _, err = chat.communicate("one\ntwo\n" + "x" * 2000 + "\nthree\n", timeout=support.patience_s)
            self.assertEqual(chat.returncode, 1)
            self.assertIn("failed: no\n", err)
            self.assertIn("2028 bytes is too large", err)
            self.assertEqual([peer.delivered.get_nowait() for _ in range(3)], ["one", "two", "three"])

    def test_two_chats(self):
        """The first chat sends its line only after it has learnt its target from the second."""
        with self.chat("--bind", ours, "--port", 0, "--reply", "source", "--json") as waiting:
            port = json.loads(waiting.stdout.readline())["port"]
            waiting.stdin.write("typed before there was a target\n")
            waiting.stdin.flush()
            with self.chat("--to", f"{ours}:{port}", "--bind", "127.0.0.1", "--port", 0, "--reply", "source") as asking:
                asking.stdin.write("initialize\nhello\n")
                asking.stdin.flush()
                self.assertEqual(asking.stdout.readline(), f"{ours}:{port}  typed before there was a target\n")
                self.assertEqual(asking.communicate(timeout=support.patience_s)[0], "")
                self.assertEqual(asking.returncode, 0)
            out, _ = waiting.communicate(timeout=support.patience_s)
            events = [json.loads(line) for line in out.splitlines()]
            self.assertEqual([event["message"] for event in events if event["event"] == "message"], ["hello"])
            self.assertEqual([event["outcome"] for event in events if event["event"] == "outcome"], ["confirmed"])
            self.assertEqual(waiting.returncode, 0)


class Usage(unittest.TestCase):
    def refused(self, line, *named, code=2):
        with self.subTest(line):
            done = run("message", *line.split())
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertEqual(len(done.err.splitlines()), 1, done)
            for part in named:
                self.assertIn(part, done.err, done)

    def test_help(self):
        for role in ("send", "listen", "chat"):
            self.assertIn(role, run("message", "--help").out)
            text = run("message", role, "--help").out
            for option in ("--to", "--bind", "--port", "--reply", "--json", "--backend"):
                self.assertIn(option, text)

    def test_bad_input(self):
        self.refused("", "subcommand")
        self.refused("shout", "shout", "no such subcommand")
        self.refused("send", "--to")
        self.refused("send --to 127.0.0.1 x y", "y")
        self.refused("send --to 127.0.0.1 --status maybe x", "--status", "maybe", "none, ok, fail")
        self.refused("send --to 127.0.0.1 --timeout soon x", "--timeout", "soon")
        self.refused("send --to 127.0.0.1 --port 65536 x", "--port", "65536")
        self.refused("listen --reply nobody", "--reply", "nobody")
        self.refused("listen --status ok", "--status")
        for target in ("127.0.0.1:", "127.0.0.1:0", "127.0.0.1:http", "[::1", "[::1]5", ":5005"):
            self.refused(f"send --to {target} --port 0 x", "--to")
        self.refused("send --to nosuchhost.invalid --port 0 x", "nosuchhost.invalid", code=4)
        self.refused("send --to ::1 --bind 127.0.0.1 --port 0 x", "--to", "::1", "cannot reach IPv6")
        with udp_socket() as sock:
            port = sock.getsockname()[1]
            self.refused(f"listen --bind 127.0.0.1 --port {port}", "--port", str(port), "in use")

    def test_text_that_is_not_utf8(self):
        done = subprocess.run([support.binary, "message", "send", "--to", "127.0.0.1:9", "--port", "0", b"\xff"],
                              capture_output=True, timeout=support.patience_s)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"UTF-8", done.stderr)


if __name__ == "__main__":
    unittest.main()
