"""Named devices under attack: forged adverts, floods of questions, and output that nobody reads."""

import os
import resource
import select
import signal
import socket
import struct
import subprocess
import unittest

import devices_peer
import test_devices
from support import Background, patience_s, until
from test_devices import node

attacker_host = 2


def setUpModule():
    test_devices.setUpModule()


def tearDownModule():
    test_devices.tearDownModule()


def forged(name, source, kind="hello"):
    """An IPv4 packet with an advert; the kernel sets its checksum."""
    payload = f"{kind}:,:{name}".encode()
    udp = struct.pack("!HHHH", devices_peer.GROUP_PORT, devices_peer.GROUP_PORT, 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, devices_peer.TTL, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source), socket.inet_aton(devices_peer.GROUP))
    return header + udp


def forge(adverts):
    """Sends (name, source) pairs from the attacker's host."""

    def send():
        own = test_devices.segment.hosts[attacker_host].address
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
            for name, source in adverts:
                sock.sendto(forged(name, source), (devices_peer.GROUP, 0))

    test_devices.segment.hosts[attacker_host].call(send)


def connect(to, data=b""):
    address = test_devices.segment.hosts[to].address, devices_peer.TCP_PORT
    sock = test_devices.segment.hosts[attacker_host].call(lambda: socket.create_connection(address, timeout=patience_s))
    sock.sendall(data)
    return sock


class Adverts(unittest.TestCase):
    def test_forged_ones_leave_descriptors_and_places(self):
        descriptors_max = 256
        host = test_devices.segment.hosts[0]
        host.ip("route add default via 10.78.0.8")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, hard))  # inherited by the node
            ours = node(0, "ours")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        try:
            with ours:
                forge((f"z{i}", f"10.99.{i % 250}.{1 + i // 250}") for i in range(600))
                ours.expect("appeared", name="z599")
                open_now = len(os.listdir(f"/proc/{ours.process.pid}/fd"))
                self.assertLess(open_now, descriptors_max - 100)
                with node(1, "zz-late") as late:
                    ours.expect("connected", name="zz-late")
                    late.expect("connected", name="ours")
                ours.quit()
        finally:
            host.ip("route del default")


class Questions(unittest.TestCase):
    def test_of_a_flood_some_are_answered(self):
        with node(0, "ours", "--answer", "cat") as ours:
            frames = b"".join(b"QuEsTiOn:,:%d:,:q/EOL" % (1 + i) for i in range(5000))
            with connect(0, b"!flood/EOL" + frames):
                for _ in range(50):
                    self.assertEqual(ours.expect("question")["answer"], "q")
                summary = ours.quit()
            self.assertGreater(summary["questions_dropped"] + summary["counters"]["devices"]["questions_no_room"], 0)

    def test_that_hang_do_not_starve_others(self):
        command = "read -r text; case $text in hang*) sleep 1000;; *) echo $text;; esac"
        with node(0, "ours", "--answer", command, "--answer-timeout", "900s") as ours, node(1, "good") as good:
            test_devices.introduce(ours, good)
            frames = b"".join(b"QuEsTiOn:,:%d:,:hang\n/EOL" % (1 + i) for i in range(1000))
            with connect(0, b"!hangs/EOL" + frames + b"MeSsAgE:,:all sent/EOL"):
                ours.expect("message", text="all sent")
                self.assertEqual(good.ask("ours", "quick"), {"ours": "quick"})
            ours.quit()  # and ends the commands


class Output(unittest.TestCase):
    memory_max = 200 << 20

    def test_that_nobody_reads(self):
        start = lambda: Background("node", "--name", "ours", "--json", stdin=subprocess.PIPE)
        until_free = test_devices.port_is_free
        with test_devices.segment.hosts[0].call(lambda: until(until_free, "the port is free") or start()) as ours:
            ours.event("listening")
            socks = [connect(0, b"!flood-%d/EOL" % i) for i in range(8)]
            message = b"MeSsAgE:,:" + b"x" * 60_000 + b"/EOL"
            pending = {sock: b"" for sock in socks}
            for sock in socks:
                sock.setblocking(False)
            sent = 0
            while sent < 600 << 20:
                _, writable, _ = select.select([], socks, [], 3)
                if not writable:  # held back
                    break
                for sock in writable:
                    data = pending[sock] or message
                    count = sock.send(data)
                    pending[sock] = data[count:]
                    sent += count
            self.assertLess(sent, 600 << 20, "the peers are held back")
            with open(f"/proc/{ours.process.pid}/status") as status:
                used = {key: value for key, value in (line.split(":", 1) for line in status)}["VmRSS"]
            self.assertLess(int(used.split()[0]) << 10, self.memory_max)
            ours.process.send_signal(signal.SIGTERM)
            self.assertEqual(ours.process.wait(timeout=patience_s), 128 + signal.SIGTERM)
            for sock in socks:
                sock.close()
            self.assertIn("nobody reads it", ours.process.stderr.read())
