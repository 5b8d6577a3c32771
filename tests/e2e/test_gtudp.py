"""gtUDP between ringpost and an independent peer, and between two instances of ringpost, over lossy networks."""

import contextlib
import subprocess
import unittest

import gtudp_peer
import support
from support import Background, run, udp_socket, until

lossy = ("--loss", "10%", "--delay", "2ms", "--jitter", "1ms", "--duplicate", "1%", "--reorder", "1%", "--seed", 7)
messages = 1_000


def relay(to, *impairments):
    return Background("relay", "--listen", 0, "--bind", "127.0.0.1", "--to", f"127.0.0.1:{to}", "--json", *impairments)


class IndependentPeer(unittest.TestCase):
    def exchange(self, *wire, **peer_options):
        """The peer is the client; ringpost returns every message."""
        sent = [f"message {i}".encode() for i in range(messages)]
        with Background("echo", "--transport", "gtudp", "--port", 0, "--bind", "127.0.0.1", "--json", "--sends", 60,
                        "--recv-sends", 60, *wire) as echo:
            with relay(echo.port(), *lossy) as between, \
                    gtudp_peer.Peer(resend_after_s=0.05, data_sends=60, recv_sends=60, **peer_options) as peer:
                to = ("127.0.0.1", between.port())
                for data in sent:
                    peer.send(data, to)
                until(lambda: peer.idle() and len(peer.delivered) == messages, "every message is returned")
                with peer.lock:
                    self.assertEqual(peer.gave_up, 0)
                    self.assertEqual(peer.confirmed, {data: 1 for data in sent})
                    self.assertEqual(peer.delivered, {data: 1 for data in sent})
                summary = echo.stop().summary()
        self.assertEqual(summary["delivered"], messages)

    def test_as_client(self):
        self.exchange()

    def test_as_client_with_other_magic_and_types(self):
        self.exchange("--magic", "0badcafe", "--types", "1001,1002,1003", magic=b"\x0b\xad\xca\xfe",
                      types=(b"\x10\x01", b"\x10\x02", b"\x10\x03"))

    def test_as_server(self):
        """ringpost is the client; the peer returns every message."""
        peer = gtudp_peer.Peer(resend_after_s=0.05, data_sends=60, recv_sends=60)
        peer.on_message = peer.send
        with peer, relay(peer.port, *lossy) as between:
            done = run("latency", "--transport", "gtudp", "--to", f"127.0.0.1:{between.port()}", "--rate", "1k", "--count",
                       messages, "--json", "--sends", 60, "--recv-sends", 60)
            self.assertEqual(done.code, 0, done)
            summary = done.summary()
            for name, value in {"sent": messages, "received": messages, "lost": 0, "duplicate": 0, "corrupt": 0,
                                "delivered": messages, "confirmed": messages, "gave_up": 0}.items():
                self.assertEqual(summary[name], value, name)
            self.assertEqual(set(peer.delivered.values()), {1})
            self.assertEqual(len(peer.delivered), messages)

    def test_lines_both_ways(self):
        with gtudp_peer.Peer() as peer:
            done = run("send", "--to", f"127.0.0.1:{peer.port}", "--sends", 60, "one line")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(peer.delivered, {b"one line": 1})
            with Background("recv", "--port", 0, "--bind", "127.0.0.1", "--count", 2, "--json") as recv:
                to = ("127.0.0.1", recv.port())
                peer.send("zwölf".encode(), to)
                peer.send(b"", to)
                until(peer.idle, "both are confirmed")
                ended = recv.finish()
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual([event["text"] for event in ended.events("message")], ["zwölf", ""])

    def test_foreign_datagrams_are_counted(self):
        with Background("recv", "--port", 0, "--bind", "127.0.0.1", "--json") as recv, udp_socket() as sock:
            port = recv.port()
            for datagram in (b"", b"\x1d\x00\x00\x00", b"hello", b"\x5f\x00\x00\x00\x00more"):
                sock.sendto(datagram, ("127.0.0.1", port))
            support.until_read(port)
            self.assertEqual(recv.stop().summary()["not_gtudp"], 4)


class SendAndRecv(unittest.TestCase):
    def test_every_line_of_standard_input_arrives(self):
        lines = [f"line {i}" for i in range(200)]
        with Background("recv", "--port", 0, "--bind", "127.0.0.1", "--json", "--count", len(lines)) as recv:
            with relay(recv.port(), *lossy) as between:
                done = subprocess.run([support.binary, "send", "--to", f"127.0.0.1:{between.port()}", "--sends", "60"],
                                      input="\n".join(lines), capture_output=True, text=True,
                                      timeout=support.patience_s, preexec_fn=support.die_with_parent)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
            texts = [event["text"] for event in recv.stop().events("message")]
        self.assertEqual(sorted(texts), sorted(lines))

    def test_checked_messages_arrive_intact_through_corruption(self):
        # One at a time: a corrupted RECV cannot be taken for that of another message.
        lines = [f"line {i} {'=' * 40}" for i in range(30)]
        with Background("recv", "--port", 0, "--bind", "127.0.0.1", "--checked", "--json", "--recv-sends", 60) as recv, \
                relay(recv.port(), "--corrupt", "30%", "--seed", 5) as between:
            to = f"127.0.0.1:{between.port()}"
            for line in lines:
                done = run("send", "--to", to, "--checked", "--sends", 60,
                           "--resend-after", "20ms", line)
                self.assertEqual(done.code, 0, done)
            received = recv.stop()
        self.assertEqual([event["text"] for event in received.events("message")], lines)
        self.assertGreater(received.summary()["counters"]["gtudp"]["corrupt"], 0)

    def test_no_answer_is_an_error(self):
        with udp_socket() as silent:
            done = run("send", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "50ms", "hello")
        self.assertEqual(done.code, 1)
        self.assertIn("not confirmed in time", done.err)

    def test_gives_up_after_sends(self):
        with udp_socket() as silent:
            done = run("send", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--sends", 3, "--resend-after", "5ms",
                       "--json", "hello")
            self.assertEqual(done.code, 1)
            self.assertEqual(done.summary()["data_sent"], 3)
            self.assertEqual(len({silent.recv(100) for _ in range(3)}), 1)

    def test_line_too_large(self):
        done = subprocess.run([support.binary, "send", "--to", "127.0.0.1:9", "--timeout", "10ms"], input="x" * 65_503,
                              capture_output=True, text=True, timeout=support.patience_s,
                              preexec_fn=support.die_with_parent)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the maximum is 65502", done.stderr)


class Reflection(unittest.TestCase):
    """Sources that may be spoofed: they receive nothing, so they confirm nothing, but they know what to acknowledge."""

    def received(self, *command):
        """The bytes sent to `command` and received from it, with IP and UDP headers."""
        headers = 28
        frames = [bytes.fromhex("1d00000001") + b"hello", bytes.fromhex("ae00000001"), bytes.fromhex("1d00000002"),
                  bytes.fromhex("5f12345678")]
        sent = received = 0
        with Background(*command, "--port", 0, "--bind", "127.0.0.1", "--json", "--resend-after", "2ms") as server, \
                udp_socket() as sock:
            sock.connect(("127.0.0.1", server.port()))
            for frame in frames:
                sock.send(frame)
                sent += len(frame) + headers
                if received == 0:
                    sock.settimeout(support.patience_s)
                    received += len(sock.recv(2_000)) + headers
                sock.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    while True:
                        received += len(sock.recv(2_000)) + headers
            server.stop()
        return sent, received

    def test_no_command_amplifies(self):
        for command in (("recv",), ("echo", "--transport", "gtudp"), ("sink", "--transport", "gtudp")):
            sent, received = self.received(*command)
            self.assertLessEqual(received, 3 * sent, command)


class LoadAndLatency(unittest.TestCase):
    def test_self(self):
        for backend in support.backends():
            done = run("load", "--self", "--transport", "gtudp", "--duration", "300ms", "--json", "--backend", backend,
                       "--sends", 60)
            self.assertEqual(done.code, 0, done)
            summary = done.summary()
            self.assertGreater(summary["sent"], 0)
            for name in ("received", "confirmed", "delivered"):
                self.assertEqual(summary[name], summary["sent"], name)
            for name in ("lost", "duplicate", "corrupt", "gave_up"):
                self.assertEqual(summary[name], 0, name)
            self.assertIsNotNone(summary["confirmed_us"]["p50"])

    def test_latency_self(self):
        done = run("latency", "--self", "--transport", "gtudp", "--count", 200, "--json", "--sends", 60)
        self.assertEqual(done.code, 0, done)
        self.assertEqual((done.summary()["sent"], done.summary()["received"]), (200, 200))

    def test_a_fixed_rate_through_loss(self):
        with Background("sink", "--transport", "gtudp", "--port", 0, "--bind", "127.0.0.1", "--json", "--recv-sends",
                        60) as sink:
            with relay(sink.port(), "--loss", "30%", "--delay", "2ms", "--seed", 3) as between:
                done = run("load", "--transport", "gtudp", "--to", f"127.0.0.1:{between.port()}", "--rate", "5k",
                           "--duration", "400ms", "--json", "--sends", 60, "--recv-sends", 60)
            received = sink.stop().summary()
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        self.assertGreater(summary["resends"], 0)
        self.assertEqual((summary["confirmed"], summary["gave_up"]), (summary["sent"], 0))
        self.assertEqual((received["received"], received["duplicate"]), (summary["sent"], 0))


class Usage(unittest.TestCase):
    def test_invalid_magic_and_types(self):
        for options, reason in ((("--types", "1d,5f"), "expected three types"),
                                (("--types", "1d,5f,5f"), "the same"),
                                (("--types", "1d,5f,aeae"), "differ in length"),
                                (("--types", "1d,,ae"), "empty"),
                                (("--types", "1d,5f,zz"), "not hexadecimal"),
                                (("--magic", "abc"), "odd number")):
            done = run("recv", "--port", 0, *options)
            self.assertEqual(done.code, 2, done)
            self.assertIn(reason, done.err)
            self.assertEqual(done.err.count("\n"), 1, done)

    def test_invalid_options(self):
        for options in (("load", "--self", "--magic", "ab"), ("send", "--to", "127.0.0.1:1", "--transport", "raw", "x"),
                        ("load", "--self", "--transport", "gtudp", "--flows", 2),
                        ("load", "--self", "--transport", "tcp"), ("load", "--self", "--window", 0),
                        ("send", "--to", "127.0.0.1:1", "--sends", 256, "x")):
            done = run(*options)
            self.assertEqual(done.code, 2, done)
            self.assertEqual(done.err.count("\n"), 1, done)


if __name__ == "__main__":
    unittest.main()
