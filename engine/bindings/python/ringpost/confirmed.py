"""Confirmed messages: one JSON object a datagram, answered by a confirmation."""

from __future__ import annotations

import ctypes
import enum
import json
from typing import Any, List, NamedTuple, Optional

from . import _library as c
from ._handle import EVENTS, Address, Event, Handle, at_least, check, failure, from_bytes, message_of, to_c

DEFAULT_PORT = 5005


class Outcome(enum.IntEnum):
    """How a send ended."""

    CONFIRMED = 0
    TIMED_OUT = 2
    FAILED = 4
    REPORTED = 5


class Answer(NamedTuple):
    """The end of a send, and the content of the confirmation or failure report."""

    outcome: Outcome
    message: Any
    id: int


class Received(NamedTuple):
    """A message. `status` is None or, for a failure report that matched no send, False."""

    message: Any
    status: Optional[bool]
    source: Address


class Messenger(Handle):
    """Sends and receives confirmed messages: any values that JSON has. Works inside the calls of the thread that made
    it."""

    def __init__(self, bind: Address = ("", DEFAULT_PORT), target: Optional[Address] = None, *,
                 reply_to_source: bool = False, peer_port: Optional[int] = None, retarget: bool = False,
                 confirm_from_any: bool = False, bytes_max: int = 1024, answers_within: float = 10,
                 backend: str = "auto", wait: Optional[str] = None):
        super().__init__()
        options = self._options(c.CConfirmedOptions, c.lib.rp_confirmed_init, backend, wait)
        options.bind = to_c(bind)
        if target is not None:
            options.target = to_c(target)
        options.reply = 1 if reply_to_source else 0
        options.peer_port = peer_port or (target[1] if target is not None else DEFAULT_PORT)
        options.retarget = retarget
        options.confirm_from_any = confirm_from_any
        options.bytes_max = bytes_max
        options.answers_within_ns = at_least(answers_within)
        self._opened(c.lib.rp_confirmed_open, options)

    def send(self, message: Any, peer: Optional[Address] = None, timeout: float = 10,
             status: Optional[bool] = None) -> int:
        """Sends to `peer` or else to the target, and returns the id that the outcome will have. With a status it is a
        confirmation (True) or a failure report (False), which is not answered."""
        return self._send(_message(message, peer, timeout, status))

    def send_and_wait(self, message: Any, peer: Optional[Address] = None, timeout: float = 10) -> Answer:
        """Sends and waits for the outcome. Messages that arrive meanwhile are kept."""
        event, buffer = c.CEvent(), (ctypes.c_char * 65536)()
        sent = _message(message, peer, None, None)
        check(c.lib.rp_send_and_wait(self._open, ctypes.byref(sent), at_least(timeout), ctypes.byref(event), buffer,
                                     len(buffer)))
        data = buffer.raw[event.offset:event.offset + event.size]
        return Answer(Outcome(event.code), content(data, event.flags), event.id)

    def receive(self, timeout: Optional[float] = None) -> Received:
        """The next message. TimeoutError after `timeout` seconds; None waits without limit."""
        return received(self._one(c.MESSAGE, timeout))

    def receive_many(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Received]:
        """Messages; empty after `timeout` seconds."""
        return [received(event) for event in self._receive(c.MESSAGE, timeout, most)]

    def outcomes(self, most: int = EVENTS, timeout: Optional[float] = 0) -> List[Answer]:
        """Outcomes of send()."""
        return [answer(event) for event in self._receive(c.OUTCOME, timeout, most)]

    def events(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Event]:
        """Events of all kinds, as the C interface returns them."""
        return self._receive(c.ANY, timeout, most)

    def poll(self) -> bool:
        """Does what is due, without waiting. True if something can be received."""
        return check(c.lib.rp_poll(self._open)) == 1

    @property
    def target(self) -> Optional[Address]:
        """The default receiver: as given, or the first that sent `initialize`."""
        address = c.CAddress()
        check(c.lib.rp_target(self._open, ctypes.byref(address)))
        return from_bytes(bytes(address)) if address.family else None

    @property
    def in_flight(self) -> int:
        """Sends without an outcome."""
        return check(c.lib.rp_in_flight(self._open))


def _message(message: Any, peer: Optional[Address], timeout: Optional[float], status: Optional[bool]) -> c.CMessage:
    flags = {None: 0, True: c.SEND_OK, False: c.SEND_FAILED}[status]
    if isinstance(message, str):
        return message_of(message.encode(errors="surrogatepass"), peer, timeout, flags)
    return message_of(json.dumps(message).encode(), peer, timeout, flags | c.SEND_JSON)


def content(data: bytes, flags: int) -> Any:
    """The value of a message."""
    return json.loads(data) if flags & c.EVENT_JSON else data.decode()


def received(event: Event) -> Received:
    return Received(content(event.data, event.flags), False if event.code else None, event.peer)


def answer(event: Event) -> Answer:
    return Answer(Outcome(event.code), content(event.data, event.flags), event.id)


__all__ = ["Answer", "DEFAULT_PORT", "Messenger", "Outcome", "Received", "failure"]
