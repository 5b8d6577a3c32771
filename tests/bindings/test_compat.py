"""ringpost.compat: programs of the five originals, but for the import line, among themselves and with peers that are
written from the formats."""

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
import unittest
from collections import namedtuple

import beacon_peer
import devices_peer
import structs_peer
import support
from gtudp_peer import Peer as GtudpPeer
from message_peer import Peer as MessagePeer

import ringpost
from ringpost.compat import ipcpy
from ringpost.compat.beacon import Beacon
from ringpost.compat.connect import DEST_ALL, Connect
from ringpost.compat.gtudp import GTUDP
from ringpost.compat.udp_connection import UDPConnection

HOST = "127.0.0.1"
patience_s = support.patience_s


def udp_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


def program(text):
    return subprocess.Popen([sys.executable, "-u", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True)


GTUDP_SERVER = """
import socket
from ringpost.compat.gtudp import GTUDP
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('localhost', 0))
print(server.getsockname()[1])
udp = GTUDP(server, debug=True)
udp.start()
data, addr = udp.recvfrom()
udp.sendto(data, addr)
udp.cleanup()
server.close()
"""
GTUDP_CLIENT = """
import socket
from ringpost.compat.gtudp import GTUDP
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
host = ('localhost', PORT)
udp = GTUDP(sock, debug=True)
udp.start()
message = 'hello there'
udp.sendto(message.encode(), host)
data, addr = udp.recvfrom()
print(addr, 'says:', data.decode())
udp.cleanup()
sock.close()
"""


class Gtudp(unittest.TestCase):
    def test_the_documented_programs(self):
        server = program(GTUDP_SERVER)
        port = int(server.stdout.readline())
        client = program(GTUDP_CLIENT.replace("PORT", str(port)))
        out, _ = client.communicate(timeout=patience_s)
        served, _ = server.communicate(timeout=patience_s)
        # Both threads of a program print, so a line of one may stand within that of the other.
        self.assertRegex(out, rf"(?s)\('127.0.0.1', {port}\).*says:.*hello there")
        self.assertEqual((client.returncode, server.returncode), (0, 0))
        for text in (out, served):
            self.assertRegex(text, r"OUT FRAME [0-9a-f]{8} hello there")
            self.assertRegex(text, r"IN  FRAME [0-9a-f]{8} hello there")
            self.assertRegex(text, r"OUT RECV  [0-9a-f]{8} ")
            self.assertRegex(text, r"IN  ACK   [0-9a-f]{8} ")

    def test_a_peer_written_from_the_format(self):
        with udp_socket() as sock, GtudpPeer(magic=b"\x01\x02", types=(b"da", b"re", b"ac")) as peer:
            udp = GTUDP(sock, magic_numbers=b"\x01\x02")
            udp.FRAME_IDENTIFIER, udp.RECV_IDENTIFIER, udp.ACK_IDENTIFIER = b"da", b"re", b"ac"
            udp.start()
            udp.settimeout(patience_s)
            peer.send(b"one", sock.getsockname())
            self.assertEqual(udp.recvfrom(2), (b"on", (HOST, peer.port)))
            self.assertEqual(udp.sendto(b"two", (HOST, peer.port)), 2 + 2 + 4 + 3)
            udp.cleanup()
            self.assertEqual((peer.confirmed[b"one"], peer.delivered[b"two"]), (1, 1))
            self.assertTrue(udp.isValidPacket(b"\x01\x02re1234"))
            self.assertFalse(udp.isValidPacket(b"\x01\x02re123") or udp.isValidPacket(b"\x01\x02xx1234"))

    def test_nothing_in_time(self):
        with udp_socket() as sock:
            udp = GTUDP(sock)
            udp.start()
            udp.settimeout(0.001)
            self.assertRaises(queue.Empty, udp.recvfrom)
            udp.setblocking(False)
            self.assertRaises(queue.Empty, udp.recvfrom)
            udp.cleanup()
            udp.cleanup()

    def test_cleanup_ends_although_the_peer_is_gone(self):
        with udp_socket() as sock, udp_socket() as silent:
            udp = GTUDP(sock)
            udp.data_attempts = 1
            udp.start()
            udp.sendto(b"nobody hears this", silent.getsockname())
            udp.cleanup()

    def test_a_closed_output_does_not_end_the_network(self):
        with udp_socket() as sock, GtudpPeer() as peer, self.assertLogs("ringpost.compat"):
            with open(os.devnull, "w") as closed:
                pass
            with contextlib.redirect_stdout(closed):
                udp = GTUDP(sock, debug=True)
                udp.start()
                udp.settimeout(patience_s)
                peer.send(b"one", sock.getsockname())
                self.assertEqual(udp.recvfrom()[0], b"one")
                udp.cleanup()

    def test_datagrams_of_others(self):
        with udp_socket() as sock, udp_socket() as other:
            udp = GTUDP(sock, recv_from_any=True)
            udp.sendto(b"before the start", other.getsockname(), False)
            udp.start()
            other.settimeout(patience_s)
            udp.settimeout(patience_s)
            self.assertEqual(other.recvfrom(100), (b"before the start", sock.getsockname()))
            other.sendto(b"plain", sock.getsockname())
            self.assertEqual(udp.recvfrom(), (b"plain", other.getsockname(), False))
            udp.cleanup()


class Confirmed(unittest.TestCase):
    def test_between_two(self):
        with UDPConnection(UDP_IP="127.0.0.2") as bob, \
                UDPConnection(TARGET_IP="127.0.0.2", UDP_IP="127.0.0.3", TARGET_PORT=5005, UDP_PORT=5005) as alice:
            self.assertFalse(bob.initialized)
            with self.assertWarns(RuntimeWarning):
                self.assertIs(bob.send_message("to nobody"), False)
            self.assertIs(alice.send_message("initialize"), True)
            self.assertEqual(bob.query_message(), {"message": "initialize", "status": None})
            self.assertEqual((bob.TARGET_IP, bob.initialized), ("127.0.0.3", True))
            self.assertIs(bob.send_message({"any": [1, None]}), True)
            self.assertEqual(alice.query_message(), {"message": {"any": [1, None]}, "status": None})
            self.assertIsNone(bob.send_message("it failed", False))
            self.assertEqual(alice.query_message(patience_s), {"message": "it failed", "status": False})
            self.assertIsNone(alice.query_message(timeout=0.001))

    def test_messages_cross(self):
        """A message that arrives while another awaits its confirmation is neither lost nor taken for it."""
        with UDPConnection("127.0.0.3", "127.0.0.2") as alice, UDPConnection("127.0.0.2", "127.0.0.3") as bob:
            results = []
            threads = [threading.Thread(target=lambda each=each: results.extend(
                each.send_message(n) for n in range(50))) for each in (alice, bob)]
            for thread in threads:
                thread.start()
            for each in (alice, bob):
                self.assertEqual([each.query_message()["message"] for _ in range(50)], list(range(50)))
            for thread in threads:
                thread.join()
            self.assertEqual(results, [True] * 100)

    def test_a_peer_written_from_the_format(self):
        with MessagePeer(host="127.0.0.2", port=5005, refuse=lambda text: "no" if text == "bad" else None) as peer:
            with UDPConnection(TARGET_IP="127.0.0.2", UDP_IP="127.0.0.3") as connection:
                peer.target = ("127.0.0.3", 5005)
                self.assertIs(connection.send_message("good"), True)
                self.assertIs(connection.send_message("bad"), False)
                self.assertTrue(peer.send("hello", patience_s))
                self.assertEqual(connection.query_message(), {"message": "hello", "status": None})

    def test_the_peer_answers_from_another_address(self):
        """As the original does where both ends run on one host: its other socket is not bound to its address."""
        for confirm_from, expected in ((None, True), ("any", True)):
            with MessagePeer(host="127.0.0.2", port=5005) as peer:
                peer.sending.close()
                peer.sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                peer.sending.bind(("127.0.0.9", 0))
                peer.target = ("127.0.0.3", 5005)
                with UDPConnection("127.0.0.2", "127.0.0.3", confirm_from=confirm_from) as connection:
                    self.assertIs(connection.send_message("hello"), expected)
        with MessagePeer(host="127.0.0.2", port=5005) as peer:
            peer.sending.close()
            peer.sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.sending.bind(("127.0.0.9", 0))
            peer.target = ("127.0.0.3", 5005)
            command = ("message", "send", "--to", "127.0.0.2", "--bind", "127.0.0.3", "--json")
            done = support.run(*command, "--confirm-from", "any", "hello")
            self.assertEqual((done.code, done.summary()["confirmed"]), (0, 1), done)
            done = support.run(*command, "--timeout", "10ms", "hello")
            self.assertEqual((done.code, done.summary()["confirmed"]), (1, 0), done)

    def test_shutdown(self):
        connection = UDPConnection("127.0.0.2", "127.0.0.3")
        ends = []

        def wait(call, *arguments):
            try:
                ends.append(call(*arguments))
            except ringpost.Closed:
                ends.append("closed")
        waiting = [threading.Thread(target=wait, args=(connection.query_message,)),
                   threading.Thread(target=wait, args=(connection.send_message, "x"))]
        for thread in waiting:
            thread.start()
        connection.shutdown()
        connection.shutdown()
        for thread in waiting:
            thread.join()
        self.assertEqual(ends, ["closed", "closed"])
        self.assertRaises(ringpost.Closed, connection.query_message)


class Devices(unittest.TestCase):
    def test_between_two(self):
        messages, changes, errors = queue.Queue(), queue.Queue(), queue.Queue()

        def answer(question, source):
            if question in ("fail", "exit"):
                raise RuntimeError("as asked") if question == "fail" else SystemExit(1)
            return f"{source} asked {question}"
        with Connect(fr=lambda *args: messages.put(args), fhu=changes.put, fe=errors.put, fa=answer, name="sensor",
                     interfaces=["lo"]) as sensor:
            with Connect(fhu=changes.put, name="panel", interfaces=["lo"], listen=False) as panel:
                listed = [changes.get(timeout=patience_s) for _ in range(2)]
                self.assertEqual(sorted(name for devices in listed for name in devices), ["panel", "sensor"])
                self.assertEqual(sorted(port for devices in listed for _, port in devices.values()), [3235, 3235])
                panel.sendMessage("one", "sensor")
                panel.sendMessage("two", ["sensor", "nobody"])
                panel.sendMessage("three", DEST_ALL)
                self.assertEqual([messages.get(timeout=patience_s) for _ in range(3)],
                                 [(text, "panel") for text in ("one", "two", "three")])
                self.assertEqual(panel.askDevice("what", ["sensor", "nobody"], timeout=patience_s),
                                 {"sensor": "panel asked what", "nobody": ""})
                self.assertEqual(panel.askDevice("fail", "sensor", timeout=0.05), {"sensor": ""})
                failure = errors.get(timeout=patience_s)
                self.assertEqual((failure, failure.source, failure.is_question), ("fail", "panel", True))
                self.assertIsInstance(failure.exception, RuntimeError)
                self.assertEqual(panel.askDevice("exit", "sensor", timeout=0.05), {"sensor": ""})
                self.assertIsInstance(errors.get(timeout=patience_s).exception, SystemExit)
                self.assertRaises(ringpost.TextNotCarried, panel.sendMessage, "a/EOLb", "sensor")
            self.assertEqual(changes.get(timeout=patience_s), {})
            self.assertIs(Connect.instance, panel)
        sensor.leavingNetwork()

    def test_callbacks_do_not_block_the_network(self):
        release, seen = threading.Event(), queue.Queue()

        def slow(message, source):
            release.wait(patience_s)
            seen.put(message)
        changes = queue.Queue()
        with Connect(fr=slow, name="sensor", interfaces=["lo"], fa=lambda *_: "at once", parallel=True), \
                Connect(fhu=changes.put, name="panel", interfaces=["lo"], listen=False) as panel:
            changes.get(timeout=patience_s)
            for number in range(100):
                panel.sendMessage(str(number), "sensor")
            self.assertEqual(panel.askDevice("?", "sensor", timeout=patience_s), {"sensor": "at once"})
            self.assertTrue(seen.empty())
            release.set()
            self.assertEqual([seen.get(timeout=patience_s) for _ in range(100)], [str(n) for n in range(100)])

    def test_a_peer_written_from_the_format(self):
        """Two hosts, and no argument that the original does not have."""
        messages, changes = queue.Queue(), queue.Queue()
        segment = support.Segment(2)
        self.addCleanup(segment.close)
        connect = segment.hosts[0].call(lambda: Connect(
            fr=lambda message, source: messages.put((message, source)), fhu=changes.put,
            fa=lambda question, source: f"{source} asked {question}", name="alpha"))
        with connect:
            peer = segment.hosts[1].call(lambda: devices_peer.Peer("beta", segment.hosts[1].address))
            with peer:
                self.assertEqual(changes.get(timeout=patience_s), {"beta": (segment.hosts[1].address, 3235)})
                connect.sendMessage("hello", "beta")
                self.assertEqual(peer.messages.get(timeout=patience_s), ("alpha", "hello"))
                self.assertEqual(connect.askDevice("shout", ["beta"], timeout=patience_s), {"beta": "SHOUT"})
                support.until(lambda: "alpha" in peer.connections, "beta knows alpha")
                peer.send("alpha", "back")
                self.assertEqual(messages.get(timeout=patience_s), ("back", "beta"))
                self.assertEqual(peer.ask("alpha", "what", patience_s), "beta asked what")
            self.assertEqual(changes.get(timeout=patience_s), {})

    def test_the_name_of_the_host(self):
        with Connect(interfaces=["lo"]) as connect:
            self.assertEqual(connect.name, socket.gethostname())


class Structs(unittest.TestCase):
    def test_messages(self):
        Msg = namedtuple("Msg", "a b c")
        library = ipcpy.MsgLibrary({22: ("i", int), 23: ("iii", Msg), 24: ("3i", list)})
        packet = library.pack(23, [1, -2, 3])
        self.assertEqual(packet, structs_peer.encode(23, "iii", [1, -2, 3]))
        self.assertEqual(library.get_size(23), len(packet))
        for buffer in (packet, b"\xff\xffgarbage" + packet + b"more"):
            id, payload = ipcpy.get_msg(buffer)
            self.assertEqual((id, library.unpack(id, payload)), (23, Msg(1, -2, 3)))
        self.assertEqual(library.unpack(22, library.pack(22, [7])[7:]), 7)
        self.assertEqual(library.unpack(24, library.pack(24, [1, 2, 3])[7:]), [1, 2, 3])
        self.assertEqual(ipcpy.get_msg(packet[:-1] + b"?"), (None, "no packet: checksum"))
        self.assertEqual(ipcpy.get_msg(b""), (None, "no packet"))
        self.assertRaises(ringpost.NotKnown, library.pack, 1, [])
        self.assertRaises(ringpost.ValuesRefused, library.pack, 22, ["text"])
        self.assertRaises(ringpost.ValuesRefused, library.unpack, 22, b"short")
        self.assertNotIn(22, ipcpy.MsgLibrary({}).msgs)

    def test_sockets(self):
        with ipcpy.SocketUDP() as server, ipcpy.SocketUDP() as client:
            self.assertRaises(OSError, client.sendto, b"", (HOST, 1))
            server.bind(HOST, 0, patience_s)
            client.open(0.001)
            client.sendto(b"hello", server.sock.getsockname())
            self.assertEqual(server.recvfrom(100)[0], b"hello")
            self.assertEqual(client.recvfrom(100), (None, None))


class Beacons(unittest.TestCase):
    def test_both_directions(self):
        with Beacon(port="127.0.0.1:0") as listener, udp_socket() as peer:
            peer.sendto(beacon_peer.encode("a quote", 0, HOST, 99), listener.local)
            got = listener.receive(patience_s)
            self.assertEqual((got.quote, got.source[0], got.listening, got.datagrams), ("a quote", HOST, (HOST, 99), 1))
            peer.sendto(b"short", listener.local)
            self.assertEqual(listener.receive(patience_s)[0::2], ("too short", 2))
            peer.settimeout(patience_s)
            with Beacon(host=f"{HOST}:{peer.getsockname()[1]}", quote="ours") as sender:
                self.assertRaises(TimeoutError, sender.receive, 0)
                self.assertEqual(beacon_peer.decode(peer.recv(65536))[0], "ours")

    def test_the_program(self):
        with subprocess.Popen([sys.executable, "-m", "ringpost.compat.beacon", "--port", "127.0.0.1:5005", "--host",
                               "127.0.0.1:5005"], stdout=subprocess.PIPE, text=True) as process:
            try:
                line = process.stdout.readline()
            finally:
                process.terminate()
        self.assertRegex(line, r'^"It always seems impossible until it\'s done" - Nelson Mandela [01] 127.0.0.1 1$')
