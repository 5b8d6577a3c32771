"""What all objects have: a handle of the C interface, buffers for what it returns, and a descriptor to wait on."""

from __future__ import annotations

import ctypes
import functools
import socket
import struct
import threading
import time
from typing import Any, Dict, Iterable, NamedTuple, Optional, Tuple, Type, TypeVar, Union

from . import _library as c
from .errors import BY_CODE, Closed, RingpostError

Address = Tuple[str, int]
Bytes = Union[bytes, bytearray, memoryview]
Self = TypeVar("Self", bound="Handle")

EVENT = struct.Struct("<iiQ24sIIIIIiq24sQ8x")
ADDRESS = struct.Struct("<16sIHH")
V4_PREFIX = b"\0" * 10 + b"\xff\xff"
BUFFER_BYTES = 1 << 17
EVENTS = 1024
# The main thread, on which Python runs the handlers of signals, returns to the interpreter at least this often.
SIGNALS_WITHIN_NS = 200_000_000

BACKENDS = {"auto": 0, "uring": 1, "mmsg": 2}
WAITS = {"block": 0, "spin": 1, "adaptive": 2}


def failure(code: int) -> RingpostError:
    """The exception for a negative result of the last call of this thread."""
    text = c.lib.rp_last_error().decode(errors="replace")
    return BY_CODE.get(code, RingpostError)(text, int(c.lib.rp_last_errno()))


def check(result: int) -> int:
    if result < 0:
        raise failure(result)
    return result


def nanoseconds(timeout: Optional[float]) -> int:
    """A timeout in seconds; None has no limit."""
    if timeout is None or timeout * 1e9 >= c.FOREVER:
        return c.FOREVER
    if timeout < 0:
        raise ValueError("a timeout must not be negative")
    return int(timeout * 1e9)


def at_least(timeout: Optional[float]) -> int:
    """The same where 0 would mean the default: at least a nanosecond."""
    return max(nanoseconds(timeout), 1)


def c_text(text: str) -> bytes:
    """A text for C, which ends at a NUL."""
    if "\0" in text:
        raise ValueError(f"{text!r}: has a NUL")
    return text.encode()


def c_bytes(data: Bytes) -> bytes:
    return data if isinstance(data, bytes) else bytes(memoryview(data))


# ---- addresses --------------------------------------------------------------------------------------


def to_c(address: Address) -> c.CAddress:
    """Resolves a host name or literal address."""
    if isinstance(address, str) or not isinstance(address[1], int):
        raise TypeError(f"address {address!r}: not (host, port)")
    return _resolved(address[0], address[1])


@functools.lru_cache(maxsize=4096)
def _resolved(host: str, port: int) -> c.CAddress:
    """Cached, so that a name is resolved once."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port}: 0 to 65535")
    out = c.CAddress()
    check(c.lib.rp_resolve(c_text(host) or b"0.0.0.0", port, ctypes.byref(out)))
    return out


class Addresses(Dict[bytes, Address]):
    """Addresses as (host, port) by their bytes in events."""

    def __missing__(self, raw: bytes) -> Address:
        if len(self) >= 65536:
            self.clear()
        address = self[raw] = from_bytes(raw)
        return address


def from_bytes(raw: bytes) -> Address:
    ip, scope, port, family = ADDRESS.unpack(raw)
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, ip[12:]), port
    if family == 6:
        host = socket.inet_ntop(socket.AF_INET6, ip)
        return (f"{host}%{_interface(scope)}" if scope else host), port
    return "", 0


def _interface(index: int) -> str:
    """Its name, or the number of one that has gone."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)


def names(texts: Optional[Iterable[str]]) -> Tuple[Any, int]:
    """A C array of texts and its length."""
    if isinstance(texts, str):
        raise TypeError(f"{texts!r}: one text, not several")
    encoded = [c_text(text) for text in texts or ()]
    return ((ctypes.c_char_p * len(encoded))(*encoded) if encoded else None), len(encoded)


# ---- handles ----------------------------------------------------------------------------------------


class Event(NamedTuple):
    kind: int
    code: int
    id: int
    peer: Address
    data: bytes
    name: bytes
    flags: int
    error: int
    value: int
    advertised: bytes
    connection: int


class Buffers:
    """What a call of rp_receive_many() fills."""

    def __init__(self, capacity: int = BUFFER_BYTES, events: int = EVENTS):
        self.events = (c.CEvent * events)()
        self.raw = memoryview(self.events).cast("B")
        self.count = events
        self.bytes = (ctypes.c_char * capacity)()
        self.view = memoryview(self.bytes).cast("B")
        self.capacity = capacity


class Handle:
    """Base of all objects. Close them, or use them as context managers."""

    def __init__(self) -> None:
        self._handle: Optional[int] = None
        self._pool: "list[Buffers]" = []
        self._addresses = Addresses()
        self._woken = False

    def _opened(self, open_function: Any, options: ctypes.Structure) -> None:
        handle = c.Handle()
        check(open_function(ctypes.byref(options), ctypes.byref(handle)))
        self._handle = handle.value

    @staticmethod
    def _options(structure: Any, init: Any, backend: str, wait: Optional[str]) -> Any:
        options = structure()
        check(init(ctypes.byref(options), ctypes.sizeof(options)))
        if backend not in BACKENDS:
            raise ValueError(f"backend {backend!r}: one of {', '.join(BACKENDS)}")
        options.engine.backend = BACKENDS[backend]
        if wait is not None:
            if wait not in WAITS:
                raise ValueError(f"wait {wait!r}: one of {', '.join(WAITS)}")
            options.engine.wait = WAITS[wait]
        return options

    @property
    def _open(self) -> int:
        if self._handle is None:
            raise Closed(f"{type(self).__name__} is closed")
        return self._handle

    def close(self) -> None:
        """Ends the object. Idempotent. Calls of other threads that are in progress return."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        result = c.lib.rp_close(handle)
        if result == -3:  # a call of another thread is in progress
            self._handle = handle
        check(result)

    @property
    def closed(self) -> bool:
        return self._handle is None

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # nobody could handle it here; also while the interpreter ends
            pass

    def fileno(self) -> int:
        """A descriptor that is readable when a call with a timeout of 0 has something to do or to return."""
        return check(c.lib.rp_fd(self._open))

    def wake(self) -> None:
        """Ends a wait of another thread early."""
        self._woken = True
        check(c.lib.rp_wake(self._open))

    @property
    def local(self) -> Address:
        """The address that it is bound to."""
        address = c.CAddress()
        check(c.lib.rp_local(self._open, ctypes.byref(address)))
        return from_bytes(bytes(address))

    @property
    def backend(self) -> str:
        """`uring` or `mmsg`."""
        return str(c.lib.rp_backend(self._open).decode())

    @property
    def note(self) -> str:
        """Why io_uring was not chosen, or ""."""
        return str(c.lib.rp_note(self._open).decode())

    def counters(self) -> "dict[str, int]":
        """All counters by name; those of the socket begin with `engine_`."""
        counters = (c.CCounter * 128)()
        count = check(c.lib.rp_counters(self._open, counters, len(counters)))
        return {each.name.decode(): each.value for each in counters[:count]}

    # ---- for the classes of each protocol

    def _receive(self, what: int, timeout: Optional[float], most: int = EVENTS) -> "list[Event]":
        """Events, in full; empty after the timeout."""
        buffers = self._pool.pop() if self._pool else Buffers()
        try:
            buffers, count = self._fill(buffers, what, most, nanoseconds(timeout))
            addresses, view = self._addresses, buffers.view
            return [Event(kind, code, id, addresses[peer], bytes(view[offset:offset + size]),
                          bytes(view[name:name + name_size]), flags, error, value, advertised, connection)
                    for kind, code, id, peer, offset, size, name, name_size, flags, error, value, advertised, connection
                    in EVENT.iter_unpack(buffers.raw[:count * EVENT.size])]
        finally:
            self._pool.append(buffers)

    def _fill(self, buffers: Buffers, what: int, most: int, timeout_ns: int) -> "tuple[Buffers, int]":
        deadline = None
        if timeout_ns > SIGNALS_WITHIN_NS and threading.current_thread() is threading.main_thread():
            deadline = time.monotonic_ns() + timeout_ns
        while True:
            left = timeout_ns if deadline is None else max(deadline - time.monotonic_ns(), 0)
            count = c.lib.rp_receive_many(self._open, what, buffers.events, min(most, buffers.count), buffers.bytes,
                                          buffers.capacity, left if deadline is None else min(left, SIGNALS_WITHIN_NS))
            if count == -7:
                needed = buffers.events[0].size + buffers.events[0].name_size
                buffers = Buffers(2 * needed)
            elif count != 0 or deadline is None or left <= SIGNALS_WITHIN_NS or self._woken:
                self._woken = False
                return buffers, check(count)

    def _one(self, what: int, timeout: Optional[float]) -> Event:
        events = self._receive(what, timeout, 1)
        if not events:
            raise TimeoutError(f"nothing arrived within {timeout} s")
        return events[0]

    def _send(self, message: c.CMessage) -> int:
        id = ctypes.c_uint64()
        check(c.lib.rp_send(self._open, ctypes.byref(message), ctypes.byref(id)))
        return id.value


def message_of(data: Bytes, peer: Optional[Address] = None, timeout: Optional[float] = None, flags: int = 0,
               id: int = 0, name: Optional[str] = None) -> c.CMessage:
    """A C message. It refers to `data`, which must live as long."""
    message = c.CMessage()
    kept = c_bytes(data)
    message.bytes = ctypes.cast(ctypes.c_char_p(kept), ctypes.c_void_p)
    message.kept = kept  # keeps it alive
    message.size = len(kept)
    if peer is not None:
        message.peer = ctypes.pointer(to_c(peer))
    if name is not None:
        message.name = c_text(name)
    message.timeout_ns = 0 if timeout is None else at_least(timeout)
    message.flags = flags
    message.id = id
    return message
