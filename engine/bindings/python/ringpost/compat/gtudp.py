"""GTUDP: a socket whose datagrams arrive.

Differences to the original program, where it broke what it documents:

* A message is delivered once, also if its datagrams are duplicated, and different messages never share an identity.
* cleanup() ends, also when a peer has gone away.
* With recv_from_any, recvfrom() returns (data, address, is_gtudp), and sendto(data, address, False) sends a datagram as
  it is, as DOCS describes them.

From start() to cleanup() the socket must not be read by others. FRAME_IDENTIFIER, RECV_IDENTIFIER, ACK_IDENTIFIER,
magic_numbers, data_attempts and recv_attempts may be changed until start().
"""

from __future__ import annotations

import queue
import socket as sockets
import sys
import threading
import time
from typing import Any, List, Optional, Tuple

from .. import _library as c
from .. import gtudp
from .._handle import Address, Event
from ._worker import Worker

IDENTITY_BYTES = 4
RESEND_AFTER_S = 0.5


class GTUDP:
    """Wraps a bound or unbound UDP socket."""

    def __init__(self, sock: sockets.socket, debug: bool = False, magic_numbers: bytes = b"",
                 recv_from_any: bool = False):
        self.socket = sock
        self.debug = debug
        self.magic_numbers = magic_numbers
        self.recv_from_any = recv_from_any
        self.FRAME_IDENTIFIER = b"\x1d"
        self.RECV_IDENTIFIER = b"\x5f"
        self.ACK_IDENTIFIER = b"\xae"
        self.data_attempts = 6
        self.recv_attempts = 10
        self.blocking = True
        self.recv_timeout: Optional[float] = None
        self.running = False
        self.recv_queue: "queue.Queue[Tuple[Any, ...]]" = queue.Queue()
        self._worker: Optional[Worker[gtudp.Messenger]] = None
        self._unsent: List[Tuple[bytes, Address, bool]] = []
        self._idle = threading.Condition()

    @property
    def identifiers(self) -> Tuple[bytes, bytes, bytes]:
        return self.FRAME_IDENTIFIER, self.RECV_IDENTIFIER, self.ACK_IDENTIFIER

    def start(self) -> None:
        """Starts the thread that sends, resends and receives."""
        if len({len(each) for each in self.identifiers}) != 1:
            raise ValueError("Identifier bytes are different lengths!")
        self._worker = Worker(self._open, self._on_event, "gtUDP")
        self.running = True
        for data, address, is_gtudp in self._unsent:
            self.sendto(data, address, is_gtudp)
        self._unsent.clear()

    def isValidPacket(self, packet: bytes) -> bool:
        """Whether it has our magic numbers, one of our identifiers, and at least an identity."""
        head = len(self.magic_numbers) + len(self.FRAME_IDENTIFIER)
        return (len(packet) >= head + IDENTITY_BYTES and packet.startswith(self.magic_numbers) and
                packet[len(self.magic_numbers):head] in self.identifiers)

    def sendto(self, data: bytes, addr: Address, is_gtudp: bool = True) -> int:
        """Sends a message; with is_gtudp False a plain datagram. Returns the bytes of the datagram."""
        address = (addr[0], addr[1])
        if self._worker is None:
            self._unsent.append((data, address, is_gtudp))
        elif is_gtudp:
            self._worker.call(lambda messenger: messenger.send(data, address))
        else:
            self._worker.call(lambda messenger: messenger.send_raw(data, address))
        head = len(self.magic_numbers) + len(self.FRAME_IDENTIFIER) + IDENTITY_BYTES
        return len(data) + (head if is_gtudp else 0)

    def recvfrom(self, length: Optional[int] = None) -> Tuple[Any, ...]:
        """The next message and its sender, cut to `length`. queue.Empty if there is none in time."""
        data, *rest = self.recv_queue.get(self.blocking, self.recv_timeout)
        return (data[:length] if length else data, *rest)

    def settimeout(self, seconds: Optional[float]) -> None:
        """How long recvfrom() waits; None has no limit."""
        self.recv_timeout = seconds

    def setblocking(self, should_block: bool) -> None:
        """Whether recvfrom() waits."""
        self.blocking = should_block

    def cleanup(self) -> None:
        """Waits until all messages are confirmed or given up, and ends the thread. The socket stays open."""
        self.running = False
        if self._worker is None:
            return
        # By then every RECV was sent as often as it may; what the table has forgotten is never counted as acknowledged.
        over = time.monotonic() + (max(self.data_attempts, self.recv_attempts) + 1) * RESEND_AFTER_S
        with self._idle:
            while not self._worker.call(_is_idle):
                if time.monotonic() > over and self._worker.call(lambda messenger: messenger.in_flight == 0):
                    break
                self._idle.wait(0.02)
        self._worker.stop()
        self._worker = None

    def _open(self) -> gtudp.Messenger:
        return gtudp.Messenger(socket=self.socket.fileno(), wire=gtudp.Wire(self.magic_numbers, self.identifiers),
                               receive_foreign=self.recv_from_any, report_outcomes=False, trace=self.debug,
                               data_sends=self.data_attempts, recv_sends=self.recv_attempts,
                               resend_every=RESEND_AFTER_S, wait="block")

    def _on_event(self, event: Event) -> None:
        if event.kind == c.PACKET:
            sys.stdout.write(self._describe(event) + "\n")  # one call, so that no other thread's text gets in between
            sys.stdout.flush()
        elif event.kind == c.MESSAGE or event.kind == c.FOREIGN:
            item: Tuple[Any, ...] = (event.data, event.peer)
            if self.recv_from_any:
                item += (event.kind == c.MESSAGE,)
            self.recv_queue.put(item)

    def _describe(self, event: Event) -> str:
        kinds = {self.FRAME_IDENTIFIER: "FRAME", self.RECV_IDENTIFIER: "RECV ", self.ACK_IDENTIFIER: "ACK  "}
        start = len(self.magic_numbers)
        head = start + len(self.FRAME_IDENTIFIER)
        kind = kinds.get(event.data[start:head], "!?!! ")
        return " ".join(("OUT" if event.code else "IN ", kind, event.data[head:head + IDENTITY_BYTES].hex(),
                         event.data[head + IDENTITY_BYTES:].decode("utf-8", "replace")))


def _is_idle(messenger: gtudp.Messenger) -> bool:
    """Nothing is in flight: no message of ours without an outcome, and none of theirs without its ACK."""
    counts = messenger.counters()
    acknowledged = counts["ack_received"] - counts["ack_unknown"] + counts["recv_gave_up"]
    return messenger.in_flight == 0 and counts["delivered"] <= acknowledged


__all__ = ["GTUDP"]
