"""An independent gtUDP peer, implemented from section 2 of the wire formats alone: both roles on one socket.

Every datagram is magic | type | identity (4 bytes, big-endian) | data. A DATA is resent until its RECV arrives, a
RECV until its ACK arrives; both stop after a number of transmissions.
"""

import collections
import random
import selectors
import socket
import struct
import threading
import time
import zlib


class Peer:
    """Runs on its own thread, which calls on_message(data, source); that may call send()."""

    def __init__(self, host="127.0.0.1", magic=b"", types=(b"\x1d", b"\x5f", b"\xae"), resend_after_s=0.5, data_sends=6,
                 recv_sends=10, on_message=None):
        self.magic, self.types = magic, types
        self.resend_after_s, self.data_sends, self.recv_sends = resend_after_s, data_sends, recv_sends
        self.on_message = on_message
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.counter = random.getrandbits(32)
        self.sending = {}  # (address, identity) -> [data, sends, when next]
        self.used = set()  # (address, identity) of everything sent
        self.receiving = {}  # (address, identity) -> [sends, when next]; None once acknowledged or given up
        self.delivered = collections.Counter()  # data -> times
        self.confirmed = collections.Counter()
        self.gave_up = 0
        self.kinds = collections.Counter()  # datagrams received, by type; None for what is not gtUDP
        self.lock = threading.RLock()
        self.running = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.socket.close()

    def send(self, data, to):
        with self.lock:
            identity = (zlib.adler32(data) + self.counter) % 2**32
            while (to, identity) in self.used:  # two payloads may yield the same identity
                self.counter = (self.counter + 1) % 2**32
                identity = (zlib.adler32(data) + self.counter) % 2**32
            self.counter = (self.counter + 1) % 2**32
            self.used.add((to, identity))
            self.sending[to, identity] = [data, 1, time.monotonic() + self.resend_after_s]
            self.transmit(0, identity, to, data)

    def idle(self):
        with self.lock:
            return not self.sending

    def transmit(self, kind, identity, to, data=b""):
        try:
            self.socket.sendto(self.magic + self.types[kind] + struct.pack(">I", identity) + data, to)
        except (BlockingIOError, ConnectionRefusedError):
            pass  # counts as lost

    def serve(self):
        selector = selectors.DefaultSelector()
        selector.register(self.socket, selectors.EVENT_READ)
        while self.running:
            if selector.select(0.005):
                self.drain()
            with self.lock:
                self.resend(time.monotonic())

    def drain(self):
        for _ in range(256):
            try:
                datagram, source = self.socket.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.handle(datagram, source[:2])

    def handle(self, datagram, source):
        head = len(self.magic) + len(self.types[0])
        kind = next((i for i, name in enumerate(self.types) if datagram.startswith(self.magic + name)), None)
        if len(datagram) < head + 4:
            kind = None
        fresh = None
        with self.lock:
            self.kinds[kind] += 1
            if kind is None:
                return
            identity, data = struct.unpack_from(">I", datagram, head)[0], datagram[head + 4:]
            if kind == 0:
                if (source, identity) not in self.receiving:
                    self.delivered[data] += 1
                    self.receiving[source, identity] = [1, time.monotonic() + self.resend_after_s]
                    fresh = data
                self.transmit(1, identity, source)
            elif kind == 1:
                exchange = self.sending.pop((source, identity), None)
                if exchange:
                    self.confirmed[exchange[0]] += 1
                self.transmit(2, identity, source)
            elif (source, identity) in self.receiving:
                self.receiving[source, identity] = None
        if fresh is not None and self.on_message:
            self.on_message(fresh, source)

    def resend(self, now):
        for key, exchange in list(self.sending.items()):
            data, sends, when = exchange
            if now < when:
                continue
            if sends == self.data_sends:
                del self.sending[key]
                self.gave_up += 1
                continue
            exchange[1:] = sends + 1, now + self.resend_after_s
            self.transmit(0, key[1], key[0], data)
        for key, exchange in self.receiving.items():
            if exchange is None or now < exchange[1]:
                continue
            if exchange[0] == self.recv_sends:
                self.receiving[key] = None
                continue
            self.receiving[key] = [exchange[0] + 1, now + self.resend_after_s]
            self.transmit(1, key[1], key[0])
