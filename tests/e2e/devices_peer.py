#!/usr/bin/env python3
"""An independent named device, implemented from section 4 of the wire formats alone.

devices_peer.py NAME [--own ADDRESS] [--period S]: prints events, answers each question with its text in upper case,
and runs the commands `send NAME TEXT` and `ask NAME TEXT` from standard input.

It behaves like the original implementation of the format, including its limitations: it reads at most 512 bytes at a
time and drops what follows a terminator in the same read.
"""

import argparse
import contextlib
import itertools
import queue
import random
import socket
import struct
import sys
import threading
import time

GROUP, GROUP_PORT, TCP_PORT, TTL = "239.255.4.3", 3235, 4112, 3
READS_AT_MOST = 512
SEPARATOR, TERMINATOR = ":,:", "/EOL"
MESSAGE, QUESTION, ANSWER, PING, QUIT = "MeSsAgE", "QuEsTiOn", "AnSwEr", "PiNg", "quitQUITquit"


class Connection:
    """Reads frames on its own thread until the stream ends or the peer closes it."""

    def __init__(self, peer, sock):
        self.peer, self.sock, self.name = peer, sock, None
        self.dropped_bytes = 0
        peer.streams.add(self)
        self.send(peer.name)
        peer.start(self.serve)

    def send(self, *fields):
        with contextlib.suppress(OSError):
            self.sock.sendall((SEPARATOR.join(map(str, fields)) + TERMINATOR).encode())

    def frames(self):
        """The frames received; whatever follows a terminator in the same read is dropped."""
        terminator, pending = TERMINATOR.encode(), b""
        with contextlib.suppress(OSError):
            while data := self.sock.recv(READS_AT_MOST):
                pending += data
                if terminator in pending:
                    frame, dropped = pending.split(terminator, 1)
                    self.dropped_bytes += len(dropped)
                    pending = b""
                    yield frame.decode()

    def serve(self):
        for frame in self.frames():
            if self.name is None:
                self.name = frame
                self.peer.on_connected(self)
            elif frame == QUIT:
                break
            else:
                self.peer.on_frame(self, frame.split(SEPARATOR))
        self.sock.close()
        self.peer.on_closed(self)


class Peer:
    """A device; `with` sends a goodbye at the end. `messages` holds (name, text), `events` (kind, name)."""

    def __init__(self, name, own, answer=str.upper, group=(GROUP, GROUP_PORT), tcp_port=TCP_PORT, period_s=30):
        self.name, self.own, self.answer, self.group, self.tcp_port = name, own, answer, group, tcp_port
        self.period_s = period_s
        self.streams = set()  # including those whose name is not known yet
        self.seen_at, self.connections, self.answers = {}, {}, {}
        self.messages, self.events = queue.Queue(), queue.Queue()
        self.keys = itertools.cycle(range(1, 10_000))
        for _ in range(random.randrange(9_999)):
            next(self.keys)
        self.pings = 0
        self.lock = threading.RLock()
        self.closing, self.announced = threading.Event(), threading.Event()
        self.threads = []
        self.listening = socket.create_server(("", tcp_port))
        self.adverts = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.adverts.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.adverts.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
        self.adverts.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        self.adverts.bind(("", group[1]))
        self.membership(socket.IP_ADD_MEMBERSHIP)
        for job in (self.listen, self.receive_adverts, self.announce):
            self.start(job)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close(QUIT)

    def start(self, job):
        thread = threading.Thread(target=job, daemon=True)
        self.threads.append(thread)
        thread.start()

    def close(self, *goodbye):
        with self.lock:
            self.closing.set()
            for connection in list(self.streams):
                if goodbye:
                    connection.send(*goodbye)
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        for sock in (self.listening, self.adverts):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # unblocks the threads that use it
        for thread in self.threads:
            thread.join()
        self.listening.close()
        self.adverts.close()

    # ---- adverts ----

    def membership(self, option):
        group = struct.pack("4s4s", socket.inet_aton(self.group[0]), socket.inet_aton(self.own))
        self.adverts.setsockopt(socket.IPPROTO_IP, option, group)

    def advertise(self, kind):
        with self.lock, contextlib.suppress(OSError):
            if self.closing.is_set():
                return  # no adverts after a goodbye
            self.adverts.sendto(f"{kind}{SEPARATOR}{self.name}".encode(), self.group)

    def announce(self):
        self.advertise("hello")
        self.closing.wait(0.02)
        while not self.closing.is_set():
            self.advertise("alive")
            self.announced.set()
            self.closing.wait(self.period_s)
            self.expire_silent_peers()

    def expire_silent_peers(self):
        with self.lock:
            silent = {name: time.monotonic() - seen for name, seen in self.seen_at.items()}
            for name, silent_s in silent.items():
                if silent_s > 5 * self.period_s:
                    del self.seen_at[name]
                    if name in self.connections:
                        self.connections[name].sock.shutdown(socket.SHUT_RDWR)
                elif silent_s > 2 * self.period_s and name in self.connections:
                    self.connections[name].send(PING)

    def receive_adverts(self):
        while not self.closing.is_set():
            data, source = self.adverts.recvfrom(256)
            if SEPARATOR.encode() not in data:
                continue  # caused by the shutdown
            kind, name = data.decode().split(SEPARATOR)
            if kind not in ("hello", "alive") or name == self.name:
                continue
            with self.lock:
                unknown = name not in self.seen_at
                self.seen_at[name] = time.monotonic()
            if unknown:
                self.advertise("alive")
                if self.name < name:
                    self.start(lambda host=source[0]: self.connect(host))

    # ---- connections ----

    def connect(self, host):
        with contextlib.suppress(OSError):
            Connection(self, socket.create_connection((host, self.tcp_port), timeout=None))

    def listen(self):
        with contextlib.suppress(OSError):
            while True:
                Connection(self, self.listening.accept()[0])

    def on_connected(self, connection):
        with self.lock:
            self.seen_at.setdefault(connection.name, time.monotonic())
            self.connections[connection.name] = connection
        self.events.put(("connected", connection.name))

    def on_closed(self, connection):
        with self.lock:
            self.streams.discard(connection)
            if self.connections.get(connection.name) is connection:
                del self.connections[connection.name]
                self.seen_at.pop(connection.name, None)
        self.events.put(("closed", connection.name))

    def on_frame(self, connection, fields):
        match fields:
            case [tag, text] if tag == MESSAGE:
                self.messages.put((connection.name, text))
            case [tag, key, text] if tag == QUESTION:
                connection.send(ANSWER, key, self.answer(text))
            case [tag, key, text] if tag == ANSWER:
                with self.lock:
                    waiting = self.answers.pop(int(key), None)
                if waiting:
                    waiting.put(text)
            case [tag] if tag == PING:
                self.pings += 1
                self.membership(socket.IP_DROP_MEMBERSHIP)
                self.membership(socket.IP_ADD_MEMBERSHIP)
            case _:
                self.events.put(("unknown", SEPARATOR.join(fields)))

    def send(self, name, text):
        self.connections[name].send(MESSAGE, text)

    def ask(self, name, text, timeout_s=2):
        """The answer, or "" after a timeout."""
        with self.lock:
            key, waiting = next(self.keys), queue.Queue()
            self.answers[key] = waiting
        self.connections[name].send(QUESTION, key, text)
        try:
            return waiting.get(timeout=timeout_s)
        except queue.Empty:
            return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--own", default="127.0.0.1", help="the address of the interface to announce on")
    parser.add_argument("--period", type=float, default=30)
    options = parser.parse_args()
    with Peer(options.name, options.own, period_s=options.period) as peer:
        def show(source):
            while True:
                print(*source.get(), flush=True)
        for source in (peer.messages, peer.events):
            threading.Thread(target=show, args=(source,), daemon=True).start()
        for line in sys.stdin:
            verb, name, text = line.rstrip("\n").split(" ", 2)
            print(peer.ask(name, text) if verb == "ask" else peer.send(name, text) or "sent", flush=True)


if __name__ == "__main__":
    main()
