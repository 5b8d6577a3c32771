"""The native transport: encrypted connections with ordered channels of messages.

A Connection is a client's, a Server accepts any number of them. Keys are names of files that `ringpost key` makes. A
client has `psk`; or `peer`, the server's public key, and `key` if the server wants to know who it is; or `session`. A
server has `psk`; or `key`, and `allow` if it does; `sessions` besides, or alone. Both work inside the calls of the thread that made them: call one at least every few
seconds."""

from __future__ import annotations

import ctypes
import enum
from typing import Any, Generator, Iterable, Iterator, NamedTuple, Optional, Union

from . import _library as c
from ._handle import EVENTS, SIGNALS_WITHIN_NS, Address, Bytes, Event, Handle, c_text, check, message_of, names, nanoseconds
from .errors import Stopped

DELIVERED, BY_PEER = 16, 32
FIXED = 1


class Message(NamedTuple):
    """A message; `number` counts those of its channel from 0, `connection` names one of a server."""

    data: bytes
    channel: int
    number: int
    connection: int
    peer: Address


class End(NamedTuple):
    """How a connection ended. `delivered`: the peer's application has taken every message that was sent."""

    delivered: bool
    by_peer: bool
    unconfirmed: int
    reason: str
    connection: int


class Happening(enum.IntEnum):
    """Of a connection of a server, besides messages and its end."""

    OPENED = 1
    WRITABLE = 2
    CLOSING = 3
    ACKNOWLEDGED = 5


class Change(NamedTuple):
    """Something that happened to a connection. `name` of OPENED is the client's session, or the name of its key in the
    list of `allow`, and `application` what it calls itself. ACKNOWLEDGED, with the option `acknowledgements`: the peer
    has the first `acknowledged` messages that were sent on `channel`."""

    what: Happening
    connection: int
    peer: Address
    name: str
    channel: int = 0
    acknowledged: int = 0
    application: str = ""


def _end(flags: int, value: int, reason: str, connection: int) -> End:
    return End(bool(flags & DELIVERED), bool(flags & BY_PEER), value, reason, connection)


def _of(event: Event) -> Union[Message, End, Change]:
    if event.kind == c.MESSAGE:
        return Message(event.data, event.value, event.id, event.connection, event.peer)
    if event.code == 4:
        return _end(event.flags, event.value, event.data.decode(errors="replace"), event.connection)
    return Change(Happening(event.code), event.connection, event.peer, event.name.decode(), event.value, event.id,
                  event.data.decode(errors="replace"))


def _handle_signals(raised: "list[BaseException]") -> "Generator[int, None, None]":
    """send(None) runs the handlers of signals that have come, and returns 1 if one has raised something. A function would
    not do: the interpreter runs handlers when one is entered, before any `try` of it."""

    def handle() -> "Generator[int, None, None]":
        while True:
            try:
                yield len(raised)
            except GeneratorExit:
                return
            except BaseException as error:
                raised.append(error)

    handling = handle()
    next(handling)
    return handling


class _Native(Handle):
    def _native_options(self, backend: str, wait: Optional[str], psk: Optional[str], key: Optional[str],
                        insecure: bool, channels: int, message_bytes: Optional[int], application: str,
                        acknowledgements: bool, rate: Optional[float], qlog: Optional[str]) -> Any:
        options = self._options(c.CConnectionOptions, c.lib.rp_connection_init, backend, wait)
        options.psk = None if psk is None else c_text(psk)
        options.key = None if key is None else c_text(key)
        options.insecure = insecure
        options.channels = channels
        options.application = c_text(application)
        options.acknowledgements = acknowledgements
        options.qlog = None if qlog is None else c_text(qlog)
        if rate is not None:
            options.congestion, options.fixed_rate = FIXED, rate
        if message_bytes is not None:
            options.message_bytes_max = message_bytes
            options.channel_window = max(options.channel_window, 2 * message_bytes + 1024)
            options.connection_window = max(options.connection_window, options.channel_window)
            options.send_log_bytes = max(options.send_log_bytes, 1 << (message_bytes + 1024).bit_length())
        return options

    def _open_at(self, function: Any, address: str, options: Any) -> None:
        handle = c.Handle()
        raised: "list[BaseException]" = []
        options.cancelled = c.Cancelled(_handle_signals(raised).send)
        result = function(c_text(address), ctypes.byref(options), ctypes.byref(handle))
        if raised:
            raise raised[0]
        check(result)
        self._handle = handle.value

    def _send_to(self, connection: int, data: Bytes, channel: int) -> None:
        message = message_of(data, id=channel)
        message.connection = connection
        self._send(message)

    def poll(self) -> bool:
        """Does what is due, without waiting. True if something can be received."""
        return check(c.lib.rp_poll(self._open)) == 1

    def _finish(self, connection: int, timeout: Optional[float]) -> End:
        event, timeout_ns = c.CEvent(), nanoseconds(timeout)
        check(c.lib.rp_begin_finish(self._open, connection, timeout_ns))
        while True:  # with pauses for signals
            check(c.lib.rp_finish(self._open, connection, min(timeout_ns, SIGNALS_WITHIN_NS), ctypes.byref(event)))
            if event.kind != 0 or timeout_ns == 0:
                return _end(event.flags, event.value, "", event.connection)


class Connection(_Native):
    """A client's connection to "HOST:PORT". `session`: the id and the token that Server.add_session() was given.
    `message_bytes`: the largest message in both directions. `rate`: of a path that is reserved for this connection, in
    bytes per second, instead of congestion control. `qlog`: a directory for a log of packets."""

    def __init__(self, server: str, *, psk: Optional[str] = None, key: Optional[str] = None, peer: Optional[str] = None,
                 session: "Optional[tuple[str, bytes]]" = None, insecure: bool = False, timeout: float = 10,
                 channels: int = 8, message_bytes: Optional[int] = None, application: str = "",
                 acknowledgements: bool = False, rate: Optional[float] = None, qlog: Optional[str] = None,
                 backend: str = "auto", wait: Optional[str] = None):
        super().__init__()
        options = self._native_options(backend, wait, psk, key, insecure, channels, message_bytes, application,
                                       acknowledgements, rate, qlog)
        if session is not None:
            token = bytes(session[1])
            options.session, options.token, options.token_size = c_text(session[0]), token, len(token)
        options.peer = None if peer is None else c_text(peer)
        options.timeout_ns = nanoseconds(timeout)
        self._open_at(c.lib.rp_connect, server, options)
        self._end: Optional[End] = None

    def send(self, data: Bytes, channel: int = 0) -> None:
        """Queues a message; it leaves with the next call that receives. QueueFull: there is no space now. Stopped: the
        connection has ended."""
        self._send_to(0, data, channel)

    def receive(self, timeout: Optional[float] = None) -> Message:
        """The next message. TimeoutError after `timeout` seconds; Stopped, with the reason, when the connection has
        ended."""
        while True:
            event = self.next(timeout)
            if isinstance(event, Message):
                return event

    def next(self, timeout: Optional[float] = None) -> Union[Message, Change]:
        """The next message or change. Errors as of receive()."""
        if self._end is None:
            event = _of(self._one(c.MESSAGE | c.CONNECTION, timeout))
            if not isinstance(event, End):
                return event
            self._end = event
        raise Stopped(f"the connection has ended: {self._end.reason}")

    def messages(self, timeout: Optional[float] = None) -> Iterator[Message]:
        """The next messages, until none came within `timeout` seconds or the connection has ended."""
        while True:
            try:
                yield self.receive(timeout)
            except (TimeoutError, Stopped):
                return

    @property
    def end(self) -> Optional[End]:
        """How the connection ended, once receive() has found out."""
        return self._end

    @property
    def in_flight(self) -> int:
        """Messages that the peer has not acknowledged."""
        return check(c.lib.rp_in_flight(self._open))

    def finish(self, timeout: Optional[float] = 10) -> End:
        """Closes in order: no more sends, and a wait until the peer's application has taken everything."""
        return self._end if self._end is not None else self._finish(0, timeout)


class Server(_Native):
    """Accepts connections at "ADDRESS:PORT"; port 0 is chosen by the system, see `local`. `sessions`: how many
    add_session() may add. The others are explained at Connection."""

    def __init__(self, bind: str, *, psk: Optional[str] = None, key: Optional[str] = None, allow: Optional[str] = None,
                 sessions: int = 0, insecure: bool = False, allowed: Optional[Iterable[str]] = None,
                 connections: int = 4096, channels: int = 8, message_bytes: Optional[int] = None, application: str = "",
                 acknowledgements: bool = False, rate: Optional[float] = None, qlog: Optional[str] = None,
                 backend: str = "auto", wait: Optional[str] = None):
        super().__init__()
        options = self._native_options(backend, wait, psk, key, insecure, channels, message_bytes, application,
                                       acknowledgements, rate, qlog)
        options.sessions_max = sessions
        options.allow = None if allow is None else c_text(allow)
        options.allowed, options.allowed_count = names(allowed)
        options.connections_max = connections
        self._open_at(c.lib.rp_listen, bind, options)

    def next(self, timeout: Optional[float] = None) -> Union[Message, End, Change]:
        """The next message, end, or change of a connection. TimeoutError after `timeout` seconds."""
        return _of(self._one(c.MESSAGE | c.CONNECTION, timeout))

    def next_many(self, most: int = EVENTS, timeout: Optional[float] = None) -> "list[Union[Message, End, Change]]":
        """The same for several at once; empty after `timeout` seconds."""
        return [_of(event) for event in self._receive(c.MESSAGE | c.CONNECTION, timeout, most)]

    def send(self, connection: int, data: Bytes, channel: int = 0) -> None:
        """Queues a message on a connection. See Connection.send()."""
        self._send_to(connection, data, channel)

    def allow(self, file: str) -> None:
        """Reads another list of clients, for handshakes from now on."""
        check(c.lib.rp_allow(self._open, c_text(file)))

    def add_session(self, id: str, token: bytes) -> None:
        """Accepts clients whose application's own login has given them this token, at least 16 bytes that nobody can
        guess. QueueFull: there are as many as `sessions`."""
        check(c.lib.rp_add_session(self._open, c_text(id), bytes(token), len(token)))

    def remove_session(self, id: str) -> None:
        """For handshakes from now on; connections stay."""
        check(c.lib.rp_remove_session(self._open, c_text(id)))

    def finish(self, connection: int, timeout: Optional[float] = 10) -> End:
        """See Connection.finish(). With a timeout of 0 it only begins, and the End follows."""
        return self._finish(connection, timeout)


def connect(server: str, **options: Any) -> Connection:
    """A Connection to "HOST:PORT", with its options."""
    return Connection(server, **options)


def listen(bind: str, **options: Any) -> Server:
    """A Server at "ADDRESS:PORT", with its options."""
    return Server(bind, **options)


__all__ = ["Change", "Connection", "End", "Happening", "Message", "Server", "connect", "listen"]
