"""Native connections from Python."""

import os
import pathlib
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import support

import ringpost
from ringpost import native

patience_s = support.patience_s


class Serving:
    """A server on a thread of its own; `handle(server, event)` is called for each event."""

    def __init__(self, handle, **options):
        self.ready, self.stopped = threading.Event(), False
        self.thread = threading.Thread(target=self.serve, args=(handle, options), daemon=True)
        self.thread.start()
        assert self.ready.wait(patience_s)

    def serve(self, handle, options):
        with native.listen("127.0.0.1:0", **options) as server:
            host, port = server.local
            self.to, self.server = f"{host}:{port}", server
            self.ready.set()
            while not self.stopped:
                for event in server.next_many(timeout=0.05):
                    handle(server, event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join(patience_s)


def echo(server, event):
    if isinstance(event, native.Message):
        server.send(event.connection, event.data, event.channel)


class Connections(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.psk = self.secret("cluster.psk", support.run("key", "shared").out)

    def secret(self, name, text, mode=0o600):
        path = self.directory / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def test_there_and_back(self):
        for backend in ("uring", "mmsg"):
            with Serving(echo, psk=self.psk, backend=backend) as serving, \
                    ringpost.connect(serving.to, psk=self.psk, backend=backend) as client:
                self.assertEqual(client.backend, backend)
                sent = [b"", b"hello", b"x" * 100_000] + [b"%d" % i for i in range(500)]
                for data in sent:
                    client.send(data, channel=3)
                got = [client.receive(patience_s) for _ in sent]
                self.assertEqual([message.data for message in got], sent)
                self.assertEqual({(message.channel, message.connection) for message in got}, {(3, 0)})
                self.assertEqual([message.number for message in got], list(range(len(sent))))
                self.assertEqual(client.in_flight, 0)
                end = client.finish(patience_s)
                self.assertTrue(end.delivered)
                self.assertRaises(ringpost.Stopped, client.send, b"late")
                self.assertRaises(ringpost.Stopped, client.receive, patience_s)
                self.assertTrue(client.end.delivered)

    def test_keys_and_names(self):
        keys = {}
        for name in ("server", "client"):
            secret = support.run("key", "new").out
            public = subprocess.run([support.binary, "key", "public"], input=secret, capture_output=True, text=True)
            keys[name] = self.secret(f"{name}.key", secret), public.stdout.strip()
        allow = self.secret("allow", f"{keys['client'][1]} pump-1\n")
        seen = []
        with Serving(lambda _, event: seen.append(event), key=keys["server"][0], allow=allow) as serving:
            with ringpost.connect(serving.to, key=keys["client"][0], peer=keys["server"][1]) as client:
                client.send(b"it is me")
                self.assertTrue(client.finish(patience_s).delivered)
            self.assertRaises(ringpost.RingpostError, ringpost.connect, serving.to, peer=keys["server"][1], timeout=0.1)
            support.until(lambda: len(seen) >= 4, "the connection ends")
        opened, message, closing, end = seen[:4]
        self.assertEqual((opened.what, opened.name), (native.Happening.OPENED, "pump-1"))
        self.assertEqual((message.data, message.connection), (b"it is me", opened.connection))
        self.assertEqual(closing.what, native.Happening.CLOSING)
        self.assertEqual((end.by_peer, end.connection), (True, opened.connection))

    def test_sessions(self):
        token, ends = os.urandom(16), []

        def use():
            with ringpost.connect("{}:{}".format(*server.local), session=("alice", token)) as client:
                ends.append(client.finish(patience_s))

        with native.listen("127.0.0.1:0", sessions=1) as server:
            self.assertRaises(ringpost.InvalidArgument, server.add_session, "alice", token[1:])
            server.add_session("alice", token)
            self.assertRaises(ringpost.QueueFull, server.add_session, "bob", token)
            user = threading.Thread(target=use)
            user.start()
            opened = server.next(patience_s)
            self.assertEqual((opened.what, opened.name), (native.Happening.OPENED, "alice"))
            while not isinstance(server.next(patience_s), native.End):
                pass
            user.join(patience_s)
            self.assertTrue(ends[0].delivered)
            server.remove_session("alice")
            self.assertRaises(ringpost.NotKnown, server.remove_session, "alice")
            self.assertRaises(ringpost.InvalidArgument, server.allow, "/dev/null")

    def test_signals_end_a_wait(self):
        program = (f"import ringpost; client = ringpost.connect('127.0.0.1:{{}}', psk={self.psk!r}, timeout=60)\n"
                   "client.send(b'nobody takes this'); print('closing', flush=True); client.finish(60)")
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        self.enterContext(silent)
        with native.listen("127.0.0.1:0", psk=self.psk) as server:
            for port, seen in ((silent.getsockname()[1], lambda: silent.recv(2000)),
                               (server.local[1], lambda: isinstance(server.next(patience_s), native.Change))):
                user = subprocess.Popen([sys.executable, "-c", program.format(port)], stderr=subprocess.PIPE, text=True)
                seen()
                self.assertIsNone(user.poll())
                user.send_signal(signal.SIGINT)
                self.assertIn("KeyboardInterrupt", user.communicate(timeout=patience_s)[1])

    def test_both_ends_finish_at_once(self):
        ends = []

        def use():
            with ringpost.connect("{}:{}".format(*server.local), psk=self.psk) as client:
                connected.set()
                ends.append(client.finish(patience_s))

        connected = threading.Event()
        with native.listen("127.0.0.1:0", psk=self.psk) as server:
            user = threading.Thread(target=use)
            user.start()
            opened = server.next(patience_s)
            ends.append(server.finish(opened.connection, patience_s))
            user.join(patience_s)
        self.assertEqual(len(ends), 2)
        self.assertTrue(all(end.delivered or end.by_peer for end in ends), ends)

    def test_the_descriptor_is_readable_only_when_something_is_due(self):
        with Serving(echo, psk=self.psk) as serving, ringpost.connect(serving.to, psk=self.psk) as client:
            client.send(b"x")
            client.receive(patience_s)
            with selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ)
                idle = 0
                for _ in range(20):
                    if not selector.select(0.02):
                        idle += 1
                    client.poll()
                self.assertGreater(idle, 5)

    def test_what_the_peer_has(self):
        with Serving(lambda *_: None, psk=self.psk) as serving, \
                ringpost.connect(serving.to, psk=self.psk, acknowledgements=True, rate=1e9) as client:
            for _ in range(10):
                client.send(b"x", channel=5)
            acknowledged = 0
            while acknowledged < 10:
                event = client.next(patience_s)
                self.assertEqual((event.what, event.channel), (native.Happening.ACKNOWLEDGED, 5))
                self.assertGreater(event.acknowledged, acknowledged)
                acknowledged = event.acknowledged

    def test_a_server_ends_a_connection(self):
        def refuse(server, event):
            if isinstance(event, native.Message):
                server.finish(event.connection, timeout=0)

        with Serving(refuse, psk=self.psk) as serving, ringpost.connect(serving.to, psk=self.psk) as client:
            client.send(b"hello")
            with self.assertRaises(ringpost.Stopped) as stopped:
                client.receive(patience_s)
            self.assertIn("the connection has ended", str(stopped.exception))
            self.assertTrue(client.end.by_peer)

    def test_a_full_log(self):
        with Serving(lambda *_: None, psk=self.psk) as serving, ringpost.connect(serving.to, psk=self.psk) as client:
            with self.assertRaises(ringpost.QueueFull):
                while True:
                    client.send(b"x" * 10_000)
            self.assertRaises(ringpost.MessageTooLarge, client.send, b"x" * 600_000)
            self.assertRaises(ringpost.InvalidArgument, client.send, b"x", channel=8)
            self.assertTrue(client.finish(patience_s).delivered)

    def test_large_messages(self):
        with Serving(echo, psk=self.psk, message_bytes=4_000_000) as serving, \
                ringpost.connect(serving.to, psk=self.psk, message_bytes=4_000_000) as client:
            data = os.urandom(3_000_000)
            client.send(data)
            self.assertEqual(client.receive(patience_s).data, data)

    def test_faults(self):
        connect = ringpost.connect
        for error, text, call in (
                (ringpost.InvalidArgument, "a client needs a shared secret", lambda: connect("127.0.0.1:9")),
                (ringpost.SystemFailure, "No such file", lambda: connect("127.0.0.1:9", psk="/nowhere")),
                (ringpost.InvalidArgument, "the port is missing", lambda: connect("127.0.0.1", psk=self.psk)),
                (ringpost.InvalidArgument, "protocol.channels 0", lambda: connect("127.0.0.1:9", psk=self.psk, channels=0)),
                (ringpost.InvalidArgument, "connections_max 3",
                 lambda: native.listen("127.0.0.1:0", psk=self.psk, connections=3)),
                (ringpost.InvalidArgument, "a server needs a shared secret", lambda: native.listen("127.0.0.1:0")),
                (ringpost.SystemFailure, "nothing listens there", lambda: connect("127.0.0.1:9", psk=self.psk))):
            with self.subTest(text), self.assertRaises(error) as raised:
                call()
            self.assertIn(text, str(raised.exception))
        with native.listen("127.0.0.1:0", psk=self.psk) as server:
            self.assertRaises(TimeoutError, server.next, 0)
            self.assertRaises(ringpost.Stopped, server.send, 7, b"x")
            self.assertRaises(ringpost.NotKnown, server.finish, 7)
        self.assertRaises(ringpost.Closed, server.next, 0)


if __name__ == "__main__":
    unittest.main()
