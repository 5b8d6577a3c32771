"""gtUDP: messages that are confirmed, and delivered once."""

from __future__ import annotations

import ctypes
import enum
import struct
from array import array
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _library as c
from ._handle import (EVENTS, Address, Addresses, Buffers, Bytes, Event, Handle, at_least, check, message_of, names,
                      nanoseconds, to_c)

Message = Tuple[bytes, Address]

CONGESTION = {"cubic": 0, "fixed": 1}

MESSAGE = struct.Struct("<16x24sII64x")  # peer, offset and size of an event


class Outcome(enum.IntEnum):
    """How a send ended. Only CONFIRMED proves delivery; the others do not prove the opposite."""

    CONFIRMED = 0
    GAVE_UP = 1
    TIMED_OUT = 2
    CANCELLED = 3
    NOT_TAKEN = 6


class Ended(NamedTuple):
    """The end of a send."""

    id: int
    outcome: Outcome
    peer: Address
    sends: int
    errno: int


class Packet(NamedTuple):
    """A datagram, with `trace`."""

    sent: bool
    data: bytes
    peer: Address


class Wire(NamedTuple):
    """What both ends must share: bytes before each datagram, and the types of DATA, RECV and ACK."""

    magic: bytes = b""
    types: Tuple[bytes, bytes, bytes] = (b"\x1d", b"\x5f", b"\xae")
    checked: bool = False


class Batch(Sequence[memoryview]):
    """Messages that lie in one buffer. Valid until the next receive_batch() of the same object."""

    def __init__(self, buffers: Buffers, count: int, addresses: Addresses):
        self._rows = buffers.raw[:count * MESSAGE.size]
        self._view = buffers.view
        self._count = count
        self._addresses = addresses

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        row = range(self._count)[index]
        _, offset, size = MESSAGE.unpack_from(self._rows, row * MESSAGE.size)
        return self._view[offset:offset + size]

    def __iter__(self) -> Iterator[memoryview]:
        view = self._view
        return (view[offset:offset + size] for _, offset, size in MESSAGE.iter_unpack(self._rows))

    @property
    def data(self) -> memoryview:
        """The bytes of all messages, one after the other."""
        if self._count == 0:
            return self._view[:0]
        _, offset, size = MESSAGE.unpack_from(self._rows, (self._count - 1) * MESSAGE.size)
        return self._view[:offset + size]

    def peer(self, index: int) -> Address:
        """The sender of a message."""
        return self._addresses[MESSAGE.unpack_from(self._rows, range(self._count)[index] * MESSAGE.size)[0]]


class _Gtudp(Handle):
    _threaded = False

    def __init__(self, bind: Address = ("", 0), *, connect: Optional[Address] = None,
                 allowed: Optional[Iterable[str]] = None, socket: Optional[int] = None, wire: Wire = Wire(),
                 receive_foreign: bool = False, report_outcomes: bool = True, trace: bool = False,
                 data_sends: int = 6, recv_sends: int = 10, resend_every: Optional[float] = None,
                 patience: Optional[float] = None, backend: str = "auto", wait: Optional[str] = None,
                 queued_sends: int = 4096, queued_receives: int = 4096, congestion: str = "cubic"):
        super().__init__()
        options = self._options(c.CGtudpOptions, c.lib.rp_gtudp_init, backend, wait)
        options.threaded = self._threaded
        if bind != ("", 0):
            options.bind = to_c(bind)
        if connect is not None:
            options.connect = to_c(connect)
        options.allowed, options.allowed_count = names(allowed)
        options.socket = -1 if socket is None else socket
        options.magic, options.magic_size = wire.magic, len(wire.magic)
        if len({len(each) for each in wire.types}) != 1:
            raise ValueError("the types of a Wire must be of equal length")
        options.types = (ctypes.c_char_p * 3)(*wire.types)
        options.type_size = len(wire.types[0])
        options.checked = wire.checked
        options.receive_foreign = receive_foreign
        options.report_outcomes = report_outcomes
        options.trace = trace
        options.data_sends_max, options.recv_sends_max = data_sends, recv_sends
        options.fixed_interval_ns = 0 if resend_every is None else at_least(resend_every)
        options.patience_ns = -1 if patience is None else nanoseconds(patience)
        options.queued_sends_max, options.queued_receives_max = queued_sends, queued_receives
        if congestion not in CONGESTION:
            raise ValueError(f"congestion {congestion!r}: one of {', '.join(CONGESTION)}")
        options.congestion = CONGESTION[congestion]
        self._batch: Optional[Buffers] = None
        self._opened(c.lib.rp_gtudp_open, options)

    # ---- sending

    def send(self, data: Bytes, peer: Optional[Address] = None, timeout: Optional[float] = None) -> int:
        """Sends one message, and returns the id that its outcome will have. QueueFull: try again later."""
        return self._send(message_of(data, peer, timeout))

    def send_raw(self, data: Bytes, peer: Address) -> None:
        """Sends a datagram as it is, once, to a peer that does not speak gtUDP."""
        self._send(message_of(data, peer, flags=c.SEND_RAW))

    def send_many(self, messages: Union[Bytes, Sequence[Bytes]], peer: Optional[Address] = None, *,
                  size: Optional[int] = None, timeout: Optional[float] = None) -> int:
        """Sends messages to one peer: a sequence of them or, with `size`, one buffer of messages of that size. Returns
        how many were taken, from the first on."""
        if isinstance(messages, (bytes, bytearray, memoryview)):
            if size is None:
                raise TypeError("one buffer of messages needs their size")
            return self._send_equal(messages, peer, size, timeout)
        sizes = array("I", [memoryview(message).nbytes for message in messages])
        return self._send_packed(b"".join(messages), peer, sizes.buffer_info()[0], 0, len(sizes), timeout)

    def _send_equal(self, data: Bytes, peer: Optional[Address], size: int, timeout: Optional[float]) -> int:
        view = memoryview(data).cast("B")
        if size <= 0 or len(view) % size:
            raise ValueError(f"size {size}: not a divisor of {len(view)}, the length of the buffer")
        return self._send_packed(data, peer, None, size, len(view) // size, timeout)

    def _send_packed(self, data: Bytes, peer: Optional[Address], sizes: Optional[int], each: int, count: int,
                     timeout: Optional[float]) -> int:
        if isinstance(data, bytes):
            at: object = data
        elif not memoryview(data).readonly:
            at = (ctypes.c_char * memoryview(data).nbytes).from_buffer(data)
        else:
            at = bytes(data)
        to = None if peer is None else ctypes.byref(to_c(peer))
        taken = c.lib.rp_send_packed(self._open, to, at, sizes, each, count,
                                     0 if timeout is None else at_least(timeout), None)
        return 0 if taken == -8 else check(taken)

    def send_and_wait(self, data: Bytes, peer: Optional[Address] = None, timeout: float = 10) -> Outcome:
        """Sends a message and waits for its outcome, at most `timeout` seconds. What arrives meanwhile is kept."""
        event = c.CEvent()
        message = message_of(data, peer)
        check(c.lib.rp_send_and_wait(self._open, ctypes.byref(message), at_least(timeout), ctypes.byref(event), None,
                                     0))
        return Outcome(event.code)

    def cancel(self, id: int) -> bool:
        """Ends a send with Outcome.CANCELLED. False if it has already ended, but always True with a thread."""
        return check(c.lib.rp_cancel(self._open, id)) == 1

    @property
    def in_flight(self) -> int:
        """Sends without an outcome."""
        return check(c.lib.rp_in_flight(self._open))

    # ---- receiving

    def receive(self, timeout: Optional[float] = None) -> Message:
        """The next message and its sender. TimeoutError after `timeout` seconds; None waits without limit."""
        event = self._one(c.MESSAGE | c.FOREIGN, timeout)
        return event.data, event.peer

    def receive_many(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Message]:
        """Messages and their senders; empty after `timeout` seconds."""
        buffers = self._pool.pop() if self._pool else Buffers()
        try:
            buffers, count = self._fill(buffers, c.MESSAGE | c.FOREIGN, most, nanoseconds(timeout))
            if count == 0:
                return []
            rows = buffers.raw[:count * MESSAGE.size]
            _, offset, size = MESSAGE.unpack_from(rows, (count - 1) * MESSAGE.size)
            data, addresses = bytes(buffers.view[:offset + size]), self._addresses
            return [(data[offset:offset + size], addresses[peer]) for peer, offset, size in MESSAGE.iter_unpack(rows)]
        finally:
            self._pool.append(buffers)

    def receive_batch(self, most: int = 16 * EVENTS, timeout: Optional[float] = None) -> Batch:
        """The same without a copy: views of one buffer, which the next call uses again."""
        if self._batch is None or self._batch.count < most:
            self._batch = Buffers(64 * most + BATCH_BYTES, most)
        self._batch, count = self._fill(self._batch, c.MESSAGE | c.FOREIGN, most, nanoseconds(timeout))
        return Batch(self._batch, count, self._addresses)

    def outcomes(self, most: int = EVENTS, timeout: Optional[float] = 0) -> List[Ended]:
        """Outcomes of send() and send_many(), in the order in which the sends ended."""
        return [_ended(event) for event in self._receive(c.OUTCOME, timeout, most)]

    def events(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Event]:
        """Events of all kinds, as the C interface returns them."""
        return self._receive(c.ANY, timeout, most)


BATCH_BYTES = 1 << 17


def _ended(event: Event) -> Ended:
    return Ended(event.id, Outcome(event.code), event.peer, event.value, event.error)


def packet_of(event: Event) -> Packet:
    """The datagram of an event of kind PACKET."""
    return Packet(event.code == 1, event.data, event.peer)


class Messenger(_Gtudp):
    """gtUDP that works inside the calls of the thread that made it: call receive(), receive_many() or poll() often
    while sends are in flight or messages are expected. For asyncio see ringpost.aio."""

    def poll(self) -> bool:
        """Does what is due, without waiting. True if something can be received."""
        return check(c.lib.rp_poll(self._open)) == 1


class ThreadedMessenger(_Gtudp):
    """gtUDP with a thread of its own. Any number of threads use it at once."""

    _threaded = True

    def stop(self) -> None:
        """Ends all sends and the thread. Calls in progress return; what has arrived can still be received."""
        check(c.lib.rp_stop(self._open))


__all__ = ["Batch", "Ended", "Message", "Messenger", "Outcome", "Packet", "ThreadedMessenger", "Wire", "packet_of"]
