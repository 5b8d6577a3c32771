#!/usr/bin/env python3
"""An independent peer for confirmed messages, implemented from section 3 of the wire formats alone.

message_peer.py [--bind ADDR] [--port P] [--to HOST:PORT]: prints and confirms received messages and sends the lines of
standard input, each after the answer to the one before.

It listens on one socket, reading at most 1,024 bytes, and sends everything, including confirmations, to its target from
another socket.
"""

import argparse
import json
import queue
import socket
import sys
import threading

DEFAULT_PORT = 5005
READS_AT_MOST = 1024


def encode(message, status):
    return json.dumps({"message": message, "status": status}).encode()


def decode(datagram):
    """(message, status); ValueError for anything else."""
    members = []
    value = json.loads(datagram.decode(), object_pairs_hook=lambda pairs: members.append(pairs) or dict(pairs))
    if not isinstance(value, dict) or sorted(name for name, _ in members[-1]) != ["message", "status"]:
        raise ValueError("not exactly message and status")
    if value["status"] is not None and not isinstance(value["status"], bool):
        raise ValueError("status is neither null nor true nor false")
    return value["message"], value["status"]


class Peer:
    """Listens on its own thread. If `refuse(message)` returns a text, it is sent as a failure report."""

    def __init__(self, host="127.0.0.1", port=0, target=None, refuse=lambda message: None, silent=False):
        self.listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.listening.bind((host, port))
        self.sending = socket.socket(self.listening.family, socket.SOCK_DGRAM)
        self.sending.bind((host, 0))
        self.port = self.listening.getsockname()[1]
        self.target, self.refuse, self.silent = target, refuse, silent
        self.delivered = queue.Queue()
        self.answers = queue.Queue()
        self.malformed = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sending.sendto(b"", self.listening.getsockname())  # ends serve()
        self.thread.join()
        self.listening.close()
        self.sending.close()

    def serve(self):
        while datagram := self.listening.recvfrom(READS_AT_MOST):
            if not datagram[0]:
                return
            try:
                self.handle(*decode(datagram[0]), datagram[1])
            except ValueError:
                self.malformed += 1

    def handle(self, message, status, source):
        if status is not None:
            self.answers.put((message, status))
        elif message == "initialize" and self.target is None:
            # All peers listen on the same port. The source port is only the one it sends from.
            self.target = (source[0], self.port)
            self.transmit("initialization complete", True)
        else:
            self.delivered.put(message)
            if self.silent:
                return
            refusal = self.refuse(message)
            self.transmit("confirmed" if refusal is None else refusal, refusal is None)

    def transmit(self, message, status):
        self.sending.sendto(encode(message, status), self.target)

    def send(self, message, timeout_s=10):
        """True if confirmed; False if it failed or timed out."""
        self.transmit(message, None)
        try:
            return self.answers.get(timeout=timeout_s)[1]
        except queue.Empty:
            return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--to", default=None)
    options = parser.parse_args()
    target = None
    if options.to:
        host, port = options.to.rsplit(":", 1)
        target = (host, int(port))
    with Peer(options.bind, options.port, target) as peer:
        def show():
            while True:
                print(peer.delivered.get(), flush=True)
        threading.Thread(target=show, daemon=True).start()
        for line in sys.stdin:
            print("confirmed" if peer.send(line.rstrip("\n")) else "failed", flush=True)


if __name__ == "__main__":
    main()
