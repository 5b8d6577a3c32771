"""The Python package: each class, batches, and every misuse that it promises to recognise."""

import gc
import os
import signal
import subprocess
import sys
import threading
import unittest

import support
from gtudp_peer import Peer as GtudpPeer
from message_peer import Peer as MessagePeer

import ringpost
from ringpost import beacon, confirmed, devices, gtudp, structs

HOST = "127.0.0.1"
BACKENDS = ("uring", "mmsg")
patience_s = support.patience_s


def pair(**options):
    return gtudp.Messenger((HOST, 0), **options), gtudp.Messenger((HOST, 0), **options)


def received(receiver, sender, count):
    """`count` messages, while the sender works too."""
    out = []
    while len(out) < count:
        out += receiver.receive_many(timeout=0.001)
        sender.poll()
    return out


class Gtudp(unittest.TestCase):
    def test_a_message_and_its_outcome(self):
        for backend in BACKENDS:
            alice, bob = pair(backend=backend)
            with alice, bob:
                self.assertEqual(alice.backend, backend)
                id = alice.send(b"it arrives", bob.local)
                self.assertEqual(received(bob, alice, 1), [(b"it arrives", alice.local)])
                ended = []
                while not ended:
                    ended = alice.outcomes(timeout=0.001)
                    bob.poll()
                self.assertEqual([(each.id, each.outcome, each.peer, each.errno) for each in ended],
                                 [(id, gtudp.Outcome.CONFIRMED, bob.local, 0)])
                self.assertEqual((alice.in_flight, alice.counters()["confirmed"]), (0, 1))

    def test_batches_in_both_directions(self):
        alice, bob = pair(report_outcomes=False)
        with alice, bob:
            texts = [bytes([65 + i]) * i for i in range(20)]
            self.assertEqual(alice.send_many(texts, bob.local), 20)
            self.assertEqual([data for data, _ in received(bob, alice, 20)], texts)
            equal = bytearray(b"".join(bytes([i]) * 64 for i in range(100)))
            for buffer in (equal, bytes(equal), memoryview(bytes(equal)), memoryview(equal)):
                self.assertEqual(alice.send_many(buffer, bob.local, size=64), 100)
                got = bytearray()
                while len(got) < len(equal):
                    batch = bob.receive_batch(timeout=0.001)
                    self.assertEqual(b"".join(batch), batch.data)
                    self.assertTrue(all(batch.peer(i) == alice.local for i in range(len(batch))))
                    self.assertTrue(all(len(set(message)) == 1 for message in batch))
                    got += batch.data
                    alice.poll()
                self.assertEqual(got, equal)
            with self.assertRaises(ValueError):
                alice.send_many(b"12345", bob.local, size=2)
            with self.assertRaises(TypeError):
                alice.send_many(b"12345", bob.local)

    def test_large_messages_enlarge_the_buffer(self):
        alice, bob = pair()
        with alice, bob:
            large = bytes(range(256)) * 250
            for _ in range(3):
                alice.send(large, bob.local)
            self.assertEqual([data == large for data, _ in received(bob, alice, 3)], [True] * 3)

    def test_threads(self):
        with gtudp.ThreadedMessenger((HOST, 0)) as alice, gtudp.ThreadedMessenger((HOST, 0)) as bob:
            outcomes = []
            senders = [threading.Thread(target=lambda n=n: outcomes.append(
                alice.send_and_wait(str(n).encode(), bob.local, patience_s))) for n in range(8)]
            for thread in senders:
                thread.start()
            got = sorted(bob.receive(patience_s)[0] for _ in range(8))
            for thread in senders:
                thread.join()
            self.assertEqual(got, [str(n).encode() for n in range(8)])
            self.assertEqual(outcomes, [gtudp.Outcome.CONFIRMED] * 8)

    def test_a_peer_written_from_the_format(self):
        wire = gtudp.Wire(b"magic", (b"da", b"re", b"ac"))
        with GtudpPeer(magic=b"magic", types=wire.types) as peer, gtudp.Messenger((HOST, 0), wire=wire) as messenger:
            self.assertEqual(messenger.send_and_wait(b"hello", (HOST, peer.port), patience_s), gtudp.Outcome.CONFIRMED)
            peer.send(b"back", messenger.local)
            self.assertEqual(messenger.receive(patience_s), (b"back", (HOST, peer.port)))
            self.assertEqual(peer.delivered[b"hello"], 1)

    def test_timeouts(self):
        with gtudp.Messenger((HOST, 0)) as messenger:
            self.assertRaises(TimeoutError, messenger.receive, 0)
            self.assertEqual(messenger.receive_many(timeout=0.001), [])
            self.assertRaises(ValueError, messenger.receive, -1)
            with gtudp.Messenger((HOST, 0)) as silent:
                self.assertEqual(messenger.send_and_wait(b"?", silent.local, 0.01), gtudp.Outcome.TIMED_OUT)


class Others(unittest.TestCase):
    def test_confirmed(self):
        with MessagePeer(target=None) as peer:
            with confirmed.Messenger((HOST, 0), (HOST, peer.port)) as messenger:
                peer.target = messenger.local
                answer = messenger.send_and_wait({"any": ["value", 1, None]}, timeout=patience_s)
                self.assertEqual(answer[:2], (confirmed.Outcome.CONFIRMED, "confirmed"))
                self.assertEqual(peer.delivered.get(timeout=patience_s), {"any": ["value", 1, None]})
                self.assertEqual(messenger.target, (HOST, peer.port))
                with self.assertRaises(ringpost.TextNotCarried):
                    messenger.send("\ud800")
                with self.assertRaises(ringpost.MessageTooLarge):
                    messenger.send("x" * 2000)

    def test_devices(self):
        with devices.Node("sensor", interfaces=["lo"]) as sensor, \
                devices.Node("panel", interfaces=["lo"], listen=False) as panel:
            while panel.receive(patience_s).change != devices.Change.CONNECTED:
                pass
            panel.send("lights off", "sensor")
            while sensor.receive(patience_s).text != "lights off":
                pass

            def answer():
                question = sensor.next_question(patience_s)
                sensor.answer(question, f"{question.name} asked {question.text}")
                self.assertFalse(sensor.answer(question, "again"))
            thread = threading.Thread(target=answer)
            thread.start()
            answers = panel.ask("temperature", ["sensor", "nobody"], patience_s)
            thread.join()
            self.assertEqual(answers, {"sensor": (devices.Reply.ANSWERED, "panel asked temperature"),
                                       "nobody": (devices.Reply.NOT_CONNECTED, "")})
            self.assertEqual(panel.ask("x", []), {})
            self.assertTrue(panel.peers()["sensor"].connected)
            self.assertRaises(ringpost.PeerRefused, panel.send, "x", "nobody")
            self.assertRaises(ringpost.TextNotCarried, panel.send, "a:,:b", "sensor")

    def test_structs(self):
        with structs.Messenger({7: ("reading", "<Hf"), 8: "3i"}, (HOST, 0)) as messenger:
            messenger.send(7, (500, 1.5), messenger.local)
            messenger.send(8, (1, 2, 3), messenger.local)
            self.assertEqual([messenger.receive(patience_s)[:3] for _ in range(2)],
                             [(7, "reading", (500, 1.5)), (8, "8", (1, 2, 3))])
            self.assertRaises(ringpost.NotKnown, messenger.send, 9, (), messenger.local)
            self.assertRaises(ringpost.ValuesRefused, messenger.send, 7, (1,), messenger.local)
        packet = structs.pack_packet(7, b"payload")
        self.assertEqual(structs.find_packet(b"\xff\xff\x00" + packet), (7, b"payload", len(packet) + 3))
        self.assertEqual(structs.find_packet(packet[:-1] + b"?"), structs.Damage.CHECKSUM)
        self.assertIsNone(structs.find_packet(b""))

    def test_beacon(self):
        with beacon.Beacon((HOST, 0)) as listener:
            with beacon.Beacon((HOST, 0), [listener.local], quote="still here", rounds=1) as sender:
                sender.poll()
                got = listener.receive(patience_s)
                self.assertEqual((got.quote, got.source[0], got.datagrams), ("still here", HOST, 1))
                self.assertTrue(sender.finished)
                self.assertIn(got.elapsed, (0, 1))


class BadUse(unittest.TestCase):
    def test_closed(self):
        messenger = gtudp.Messenger((HOST, 0))
        messenger.close()
        messenger.close()
        for use in (messenger.receive, messenger.poll, messenger.fileno, messenger.counters, messenger.wake,
                    lambda: messenger.send(b"", (HOST, 1)), lambda: messenger.send_many([b""], (HOST, 1)),
                    lambda: messenger.receive_batch()):
            self.assertRaises(ringpost.Closed, use)

    def test_another_thread(self):
        messenger, errors = gtudp.Messenger((HOST, 0)), []

        def use():
            try:
                messenger.poll()
            except ringpost.WrongThread as error:
                errors.append(str(error))
            messenger.wake()
        thread = threading.Thread(target=use)
        thread.start()
        self.assertEqual(messenger.receive_many(timeout=None), [])  # until it is woken
        thread.join()
        self.assertIn("only on the thread that opened it", errors[0])
        thread = threading.Thread(target=messenger.close)  # as the collector of garbage may
        thread.start()
        thread.join()
        self.assertTrue(messenger.closed)

    def test_close_while_others_wait(self):
        messenger, ends = gtudp.ThreadedMessenger((HOST, 0)), []

        def wait():
            try:
                ends.append(messenger.receive_many(timeout=None))
            except ringpost.Closed:
                ends.append([])
        threads = [threading.Thread(target=wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        messenger.close()
        for thread in threads:
            thread.join()
        self.assertEqual(ends, [[]] * 4)

    def test_close_while_its_thread_waits(self):
        opened, messengers = threading.Event(), []

        def wait():
            with gtudp.Messenger((HOST, 0)) as messenger:
                messengers.append(messenger)
                opened.set()
                try:
                    messenger.receive_many(timeout=None)
                except ringpost.Closed:
                    pass
        thread = threading.Thread(target=wait)
        thread.start()
        opened.wait()
        try:
            while thread.is_alive():
                messengers[0].close()
        except (ringpost.WrongThread, ringpost.Closed):
            pass  # refused while it waits
        while thread.is_alive():
            try:
                messengers[0].wake()
            except ringpost.Closed:
                break
        thread.join()

    def test_fork(self):
        alice, shared = gtudp.Messenger((HOST, 0)), gtudp.ThreadedMessenger((HOST, 0))
        target = shared.local
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for use in (alice.poll, alice.receive, shared.receive, lambda: shared.send(b"", (HOST, 1))):
                    try:
                        use()
                        os._exit(2)
                    except ringpost.Forked:
                        pass
                alice.close()
                shared.close()
                with gtudp.Messenger((HOST, 0)) as own:
                    confirmed_there = own.send_and_wait(b"from the child", target, patience_s)
                    status = 0 if confirmed_there == gtudp.Outcome.CONFIRMED else 3
            finally:
                os._exit(status)
        self.assertEqual(shared.receive(patience_s)[0], b"from the child")
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(alice.send_and_wait(b"parent", shared.local, patience_s), gtudp.Outcome.CONFIRMED)
        alice.close()
        shared.close()

    def test_forgotten_objects_are_closed(self):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            gtudp.Messenger((HOST, 0))
            gtudp.ThreadedMessenger((HOST, 0))
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_options_that_are_out_of_range(self):
        with self.assertRaisesRegex(ringpost.InvalidArgument, "data_sends"):
            gtudp.Messenger((HOST, 0), data_sends=0)
        with self.assertRaisesRegex(ValueError, "backend"):
            gtudp.Messenger((HOST, 0), backend="none")
        with self.assertRaisesRegex(ringpost.InvalidArgument, "types are equal"):
            gtudp.Messenger((HOST, 0), wire=gtudp.Wire(types=(b"a", b"a", b"b")))
        with self.assertRaisesRegex(ringpost.InvalidArgument, "allowed"):
            gtudp.Messenger((HOST, 0), allowed=["10.0.0.0/99"])
        with gtudp.Messenger((HOST, 0)) as first:
            with self.assertRaisesRegex(OSError, "bind 127.0.0.1") as caught:
                gtudp.Messenger(first.local)
            self.assertGreater(caught.exception.errno, 0)
            self.assertRaises(ringpost.PeerRefused, first.send, b"", (HOST, 0))
            self.assertRaises(ringpost.PeerRefused, first.send, b"", ("::1", 5))
            self.assertRaises(ringpost.MessageTooLarge, first.send, bytes(70000), first.local)
        with self.assertRaises(ringpost.InvalidArgument):
            devices.Node("", interfaces=["lo"])
        with self.assertRaisesRegex(ringpost.InvalidArgument, "format 3z"):
            structs.Messenger({7: "3z"}, (HOST, 0))

    def test_numbers_and_texts_that_c_would_cut(self):
        for name, make in {
                "data_sends_max 4294967302": lambda: gtudp.Messenger((HOST, 0), data_sends=2**32 + 6),
                "peer_port 70000": lambda: confirmed.Messenger((HOST, 0), peer_port=70000),
                "tcp_port -1": lambda: devices.Node("ann", interfaces=["lo"], tcp_port=-1),
                "rounds -1": lambda: beacon.Beacon((HOST, 0), rounds=-1),
                "id 4294967303": lambda: structs.Messenger({2**32 + 7: "i"}, (HOST, 0)),
                "id 65536": lambda: structs.pack_packet(65536, b""),
                "host\\\\x00.*NUL": lambda: gtudp.Messenger(("host\0", 0)),
                "ann\\\\x00.*NUL": lambda: devices.Node("ann\0", interfaces=["lo"]),
                "quote\\\\x00.*NUL": lambda: beacon.Beacon((HOST, 0), quote="quote\0"),
                "10.0.0.0/8\\\\x00.*NUL": lambda: gtudp.Messenger((HOST, 0), allowed=["10.0.0.0/8\0"])}.items():
            self.assertRaisesRegex(ValueError, name, make)

    def test_arguments_of_other_types(self):
        with gtudp.Messenger((HOST, 0)) as messenger:
            for data in (5, "text", None, [1]):
                self.assertRaises(TypeError, messenger.send, data, messenger.local)
                self.assertRaises(TypeError, messenger.send_many, [data], messenger.local)
            for peer in ("127.0.0.1:5", (HOST, "5")):
                self.assertRaisesRegex(TypeError, "not .host, port.", messenger.send, b"", peer)
            self.assertRaisesRegex(TypeError, "one text", gtudp.Messenger, (HOST, 0), allowed="10.0.0.0/8")
            self.assertRaises(ValueError, messenger.receive, float("nan"))
            self.assertGreater(messenger.send(b"", messenger.local, timeout=float("inf")), 0)

    def test_signals_interrupt_calls_that_wait(self):
        for made in ("gtudp.Messenger(('127.0.0.1', 0))", "gtudp.ThreadedMessenger(('127.0.0.1', 0))"):
            text = f"from ringpost import gtudp\nmessenger = {made}\nprint('ready')\nmessenger.receive()"
            with subprocess.Popen([sys.executable, "-u", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as process:
                process.stdout.readline()
                process.send_signal(signal.SIGINT)
                self.assertIn("KeyboardInterrupt", process.communicate(timeout=patience_s)[1])

    def test_full_queues(self):
        with gtudp.Messenger((HOST, 0)) as alice, gtudp.Messenger((HOST, 0)) as silent:
            sent = 0
            while True:
                taken = alice.send_many(bytes(64 * 4096), silent.local, size=64)
                sent += taken
                if taken < 4096:
                    break
            self.assertGreater(sent, 4096)
            self.assertEqual(alice.send_many([b"x"], silent.local), 0)
            self.assertRaises(ringpost.QueueFull, alice.send, b"x", silent.local)

    def test_loading(self):
        def load(library):
            return subprocess.run([sys.executable, "-c", "import ringpost; print(ringpost.__version__)"],
                                  env=os.environ | {"RINGPOST_LIBRARY": library}, capture_output=True, text=True)
        self.assertRegex(load(os.environ["RINGPOST_LIBRARY"]).stdout, r"^\d+\.\d+\.\d+\n$")
        self.assertIn("is not libringpost", load("libc.so.6").stderr)
        self.assertIn("No such file", load("/nonexistent.so").stderr)
        changed = "import ringpost._library as c; c.ABI_VERSION = 99; c.load()"
        done = subprocess.run([sys.executable, "-c", changed], capture_output=True, text=True)
        self.assertIn("VersionMismatch", done.stderr)
        self.assertIn("has version 1 of the C interface; this package needs 99", done.stderr)
