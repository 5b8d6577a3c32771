"""Honest clients: exchange() makes a request, repeats it if lost, and returns the seconds until the answer."""

import itertools
import json
import pathlib
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import beacon_peer
import control_peer
import frame
import structs_peer
import support

REPEAT_AFTER_S = 1
PATIENCE_S = 120
DATA, RECV, ACK = b"\x1d", b"\x5f", b"\xae"


class Datagrams:
    """A client whose answer is a datagram for which answers() is true."""

    def __init__(self, server, own):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(own)
        self.socket.connect(server)
        self.socket.settimeout(REPEAT_AFTER_S)
        self.numbers = itertools.count(int.from_bytes(time.time_ns().to_bytes(8, "little")[:3], "little"))

    def exchange(self):
        number = next(self.numbers)
        request = self.request(number)
        started = time.monotonic()
        while time.monotonic() < started + PATIENCE_S:
            self.socket.send(request)
            try:
                while not self.answers(number, self.socket.recv(65536)):
                    pass
                return time.monotonic() - started
            except (TimeoutError, ConnectionRefusedError):
                continue
        raise AssertionError("an honest client is not served")

    def request(self, number):
        return b"honest %d" % number

    def answers(self, number, datagram):
        return datagram == self.request(number)

    def close(self):
        self.socket.close()


class Frames(Datagrams):
    """`sink --bidirectional` answers each frame with one of its own."""

    def request(self, number):
        return frame.make(9, number - self.first) if hasattr(self, "first") else self.remember(number)

    def remember(self, number):
        self.first = number
        return self.request(number)

    def answers(self, number, datagram):
        return frame.parse(datagram) is not None


class Asks(Datagrams):
    """A sink reports its counts."""

    def request(self, number):
        return control_peer.make_control(control_peer.ASK, 9, number)

    def answers(self, number, datagram):
        return control_peer.parse_control(datagram)[2] == number


class Gtudp(Datagrams):
    """A message is confirmed by a RECV; with `echoed`, it comes back as well."""

    def __init__(self, server, own, data=b"honest", echoed=False):
        super().__init__(server, own)
        self.data, self.echoed = data, echoed

    def request(self, number):
        self.wanted = {"recv", "echo"} if self.echoed else {"recv"}
        return DATA + struct.pack("!I", number) + self.data + (b" %d" % number if self.echoed else b"")

    def answers(self, number, datagram):
        kind, identity, data = datagram[:1], datagram[1:5], datagram[5:]
        if kind == RECV:
            self.socket.send(ACK + identity)
            if identity == struct.pack("!I", number):
                self.wanted.discard("recv")
        elif kind == DATA:
            self.socket.send(RECV + identity)
            if data == self.data + b" %d" % number:
                self.wanted.discard("echo")
        return not self.wanted


class Messages(Datagrams):
    def request(self, number):
        return json.dumps({"message": f"honest {number}", "status": None}).encode()

    def answers(self, number, datagram):
        return json.loads(datagram)["status"] is True


class Printed(Datagrams):
    """The answer is a line of the server's output; `make` makes a request, and the text that its line contains."""

    def __init__(self, server, own, output, make):
        super().__init__(server, own)
        self.output, self.make = output, make

    def exchange(self):
        request, text = self.make(next(self.numbers) % 2**24)
        started = time.monotonic()
        while time.monotonic() < started + PATIENCE_S:
            self.socket.send(request)
            if self.output.wait_for(text, REPEAT_AFTER_S):
                return time.monotonic() - started
        raise AssertionError("an honest client is not served")


class Lines:
    """Lines of a `ringpost send` that runs meanwhile; the answer is a line of the server's output."""

    def __init__(self, server, output, *arguments):
        self.output, self.numbers = output, itertools.count()
        self.process = subprocess.Popen(
            [support.binary, "send", "--to", "%s:%d" % server, *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=support.die_with_parent)
        self.name = b"honest %d " % self.process.pid

    def exchange(self):
        text = self.name + b"%d." % next(self.numbers)
        started = time.monotonic()
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()
        if not self.output.wait_for(text, PATIENCE_S):
            raise AssertionError("an honest client is not served")
        return time.monotonic() - started

    def close(self):
        self.process.kill()
        self.process.communicate()


class Probes:
    """Runs of `ringpost latency`, which measures the exchanges."""

    def __init__(self, server, output, *arguments):
        self.network = output.arena.client
        self.command = [support.binary, "latency", "--to", "%s:%d" % server, "--window", "1", "--count", "20", "--json",
                        *map(str, arguments)]

    def exchange(self):
        done = self.network.call(lambda: subprocess.run(self.command, capture_output=True, timeout=PATIENCE_S))
        if done.returncode != 0:
            raise AssertionError(f"an honest client is not served: {done}")
        return json.loads(done.stdout.splitlines()[-1])["rtt_us"]["p50"] / 1e6

    def close(self):
        pass


def beacon(number):
    return beacon_peer.encode(f"honest {number}.", 1_700_000_000, "127.0.0.1", 0), b"honest %d." % number


def struct_message(number):
    return structs_peer.encode(2, "<I", [number]), b"[%d]" % number


class Device:
    """A named device that asks questions over TCP, with the ping by which our own peers recognise each other."""

    def __init__(self, server, own, name):
        started = time.monotonic()
        while True:
            try:
                self.socket = socket.create_connection(server, timeout=PATIENCE_S, source_address=own)
                break
            except OSError:
                if time.monotonic() > started + PATIENCE_S:
                    raise
        self.pending = b""
        self.keys = itertools.count(1)
        self.socket.sendall(name + b"/EOLPiNg/EOL")

    def exchange(self):
        started = time.monotonic()
        key = next(self.keys)
        self.socket.sendall(b"QuEsTiOn:,:%d:,:honest/EOL" % key)
        while f"AnSwEr:,:{key}:,:".encode() not in self.frame():
            pass
        return time.monotonic() - started

    def frame(self):
        while b"/EOL" not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError("an honest device is disconnected")
            self.pending += data
        out, self.pending = self.pending.split(b"/EOL", 1)
        return out

    def close(self):
        self.socket.close()
