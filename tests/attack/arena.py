"""Three hosts, each a network namespace: a server, an attacker whose sources are all spoofed, and an honest client.

The attacker's link is the server's default route, so all that goes to a spoofed source passes it and is counted there.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import support

HERE = pathlib.Path(__file__).parent
ETHERNET_BYTES = 14
# Links to the server: name, address of the other host, of the server, and both MAC addresses.
HOSTILE = "hostile", "10.90.0.1", "10.90.0.2", "02:00:00:00:00:01", "02:00:00:00:00:02"
HONEST = "honest", "10.91.0.1", "10.91.0.2", "02:00:00:00:00:03", "02:00:00:00:00:04"
HONEST_SECOND = "10.91.0.3"  # another address of the honest client


class Arena:
    def __init__(self):
        self.server, self.attacker, self.client = support.Network(), support.Network(), support.Network()
        for host, (name, other, own, other_mac, own_mac) in ((self.attacker, HOSTILE), (self.client, HONEST)):
            host.ip(f"link add {name} address {other_mac} type veth "
                    f"peer name {name} address {own_mac} netns {self.server.id}")
            for end, address, peer, peer_mac in ((host, other, own, own_mac), (self.server, own, other, other_mac)):
                end.ip(f"link set {name} addrgenmode none")  # without the datagrams of IPv6
                end.ip(f"addr add {address}/24 dev {name}")
                end.ip(f"link set {name} up")
                end.ip(f"neigh replace {peer} lladdr {peer_mac} nud permanent dev {name}")  # without ARP
        self.client.ip(f"addr add {HONEST_SECOND}/24 dev honest")
        self.server.ip(f"neigh replace {HONEST_SECOND} lladdr {HONEST[3]} nud permanent dev honest")
        # A train is otherwise counted as one packet.
        self.server.ip("link set hostile gso_max_segs 1")
        self.server.ip("link set lo up")
        self.server.ip(f"route add default via {HOSTILE[1]} dev hostile")
        self.attacker.ip("route add blackhole default")
        self.attacker.ip("route add 224.0.0.0/4 dev hostile")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for host in (self.server, self.attacker, self.client):
            host.close()

    def traffic(self):
        """Bytes that the server has received from the attacker's link and sent to it, with IP headers."""
        def read():
            with open("/proc/thread-self/net/dev") as lines:
                return next(line.split(":")[1].split() for line in lines if line.strip().startswith("hostile:"))

        fields = list(map(int, self.server.call(read)))
        return (fields[0] - ETHERNET_BYTES * fields[1]), (fields[8] - ETHERNET_BYTES * fields[9])

    def flood(self, address, port, kind, count, rate, first=0):
        """A running process."""
        command = ["python3", HERE / "forger.py", f"{address}:{port}", kind, *map(str, (count, rate, first))]
        return self.attacker.call(lambda: subprocess.Popen(command, preexec_fn=support.die_with_parent))

    def settle(self, quiet_s, longest_s):
        """Waits until the server has sent nothing to the attacker for `quiet_s`. False if it never stops."""
        give_up = time.monotonic() + longest_s
        sent, since = self.traffic()[1], time.monotonic()
        while time.monotonic() - since < quiet_s:
            if time.monotonic() > give_up:
                return False
            time.sleep(0.05)
            if self.traffic()[1] != sent:
                sent, since = self.traffic()[1], time.monotonic()
        return True


class Server:
    """A command that runs on the server. Keeps the newest line that an honest client caused, and the last."""

    def __init__(self, arena, command, port):
        self.arena, self.kept, self.last = arena, b"", b""
        self.changed = threading.Condition()
        self.process = arena.server.call(lambda: subprocess.Popen(
            [support.binary, *map(str, command), "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=support.die_with_parent))
        self.errors = []
        self.readers = [threading.Thread(target=reader, daemon=True) for reader in (self.read, self.read_errors)]
        for reader in self.readers:
            reader.start()
        arena.server.call(lambda: support.until(lambda: self.process.poll() is not None or is_bound(port), command))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    def read(self):
        for line in self.process.stdout:
            self.last = line
            if b"honest" in line:
                with self.changed:
                    self.kept = line
                    self.changed.notify_all()

    def read_errors(self):
        for line in self.process.stderr:
            self.errors = [*self.errors[-9:], line.decode()]

    def wait_for(self, text, timeout_s):
        with self.changed:
            return self.changed.wait_for(lambda: text in self.kept, timeout_s)

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def stop(self):
        """Its summary."""
        self.process.terminate()
        code = self.process.wait(support.patience_s)
        for reader in self.readers:
            reader.join()
        if code not in (0, 128 + signal.SIGTERM):  # a server with its report, a client
            raise AssertionError(f"exit code {code}: {''.join(self.errors)}")
        return json.loads(self.last)


def is_bound(port):
    """A UDP socket of this network is bound to the port."""
    for table in ("udp", "udp6"):
        with open(f"/proc/thread-self/net/{table}") as lines:
            if any(int(line.split()[1].rsplit(":", 1)[1], 16) == port for line in list(lines)[1:]):
                return True
    return False
