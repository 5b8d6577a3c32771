"""Named devices: they find each other by multicast, and exchange messages, questions and answers by name."""

from __future__ import annotations

import ctypes
import enum
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Union

from . import _library as c
from ._handle import (EVENTS, Address, Event, Handle, c_text, check, failure, from_bytes, message_of, names, nanoseconds,
                      to_c)
from .errors import NotKnown


class Change(enum.IntEnum):
    """What has happened to a device or a connection."""

    APPEARED = 1
    SUSPECT = 2
    BACK = 3
    GONE = 4
    CONFLICT = 5
    NAME_TAKEN = 6
    CONNECTED = 7
    DISCONNECTED = 8
    ROOM = 9
    REJOIN = 10


class Notice(NamedTuple):
    """A message, or a change."""

    name: str
    text: str
    change: Optional[Change]
    address: Address


class Question(NamedTuple):
    """A question; pass it to answer() or drop() once."""

    id: int
    name: str
    text: str


class Reply(enum.IntEnum):
    """What became of a question for one device."""

    ANSWERED = 1
    TIMED_OUT = 2
    NOT_CONNECTED = 3
    TOO_LARGE = 4
    FULL = 5


class Answer(NamedTuple):
    """`text` is "" unless answered."""

    reply: Reply
    text: str


class Peer(NamedTuple):
    """A device in the directory."""

    address: Address
    connected: bool
    suspect: bool


class Node(Handle):
    """A named device with a thread of its own. Any number of threads use it at once."""

    def __init__(self, name: str, *, interfaces: Optional[Iterable[str]] = None,
                 ignored_interfaces: Optional[Iterable[str]] = None, listen: bool = True,
                 group: Address = ("239.255.4.3", 3235), tcp_port: int = 4112, seeds: Sequence[Address] = (),
                 period: float = 30, backend: str = "auto", wait: Optional[str] = None):
        super().__init__()
        options = self._options(c.CDevicesOptions, c.lib.rp_devices_init, backend, wait)
        options.name = c_text(name)
        options.listen = listen
        options.group = to_c(group)
        options.interfaces, options.interfaces_count = names(interfaces)
        options.ignored_interfaces, options.ignored_interfaces_count = names(ignored_interfaces)
        options.seeds = (c.CAddress * len(seeds))(*map(to_c, seeds))
        options.seeds_count = len(seeds)
        options.tcp_port = tcp_port
        options.period_ns = nanoseconds(period)
        self.name = name
        self._opened(c.lib.rp_devices_open, options)

    def send(self, text: str, name: str) -> None:
        """Sends to one device. PeerRefused if it is not connected, QueueFull if it is slow."""
        self._send(message_of(text.encode(errors="surrogatepass"), name=name))

    def send_all(self, text: str) -> None:
        """Sends to every device that is connected."""
        self._send(message_of(text.encode(errors="surrogatepass")))

    def ask(self, question: str, devices: Union[None, str, Sequence[str]] = None,
            timeout: float = 2) -> Dict[str, Answer]:
        """Asks one, several or (None) all devices, and waits until all have answered or the time is over."""
        if devices is None:
            array, count = names(None)
        else:
            array, count = names([devices] if isinstance(devices, str) else devices)
            if count == 0:
                return {}
        id, data = ctypes.c_uint64(), question.encode(errors="surrogatepass")
        asked = check(c.lib.rp_ask(self._open, array, count, data, len(data), nanoseconds(timeout), ctypes.byref(id)))
        needed = ctypes.c_size_t()
        answers = (c.CAnswer * max(asked, 1))()
        c.lib.rp_answers(self._open, id, None, 0, None, 0, ctypes.byref(needed))
        buffer = (ctypes.c_char * max(needed.value, 1))()
        if asked > 0:
            check(c.lib.rp_answers(self._open, id, answers, asked, buffer, len(buffer), None))
        text = buffer.raw
        return {text[each.name_offset:each.name_offset + each.name_size].decode():
                Answer(Reply(each.reply), text[each.offset:each.offset + each.size].decode())
                for each in answers[:asked]}

    def receive(self, timeout: Optional[float] = None) -> Notice:
        """The next message or change. TimeoutError after `timeout` seconds; None waits without limit."""
        return notice(self._one(c.MESSAGE | c.CHANGE, timeout))

    def receive_many(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Notice]:
        """Messages and changes; empty after `timeout` seconds."""
        return [notice(event) for event in self._receive(c.MESSAGE | c.CHANGE, timeout, most)]

    def next_question(self, timeout: Optional[float] = None) -> Question:
        """The next question. Slow answers do not delay receive()."""
        return question_of(self._one(c.QUESTION, timeout))

    def events(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Event]:
        """Events of all kinds, as the C interface returns them."""
        return self._receive(c.ANY, timeout, most)

    def answer(self, question: Question, text: str) -> bool:
        """Answers a question. False if its asker is gone, or it was answered or has expired."""
        data = text.encode(errors="surrogatepass")
        try:
            check(c.lib.rp_answer(self._open, question.id, data, len(data)))
        except NotKnown:
            return False
        return True

    def drop(self, question: Question) -> None:
        """The question will not be answered."""
        check(c.lib.rp_drop(self._open, question.id))

    def peers(self) -> Dict[str, Peer]:
        """The devices that are known, by name."""
        count, needed = ctypes.c_uint32(64), ctypes.c_size_t(16384)
        while True:
            peers, buffer = (c.CPeer * max(count.value, 1))(), (ctypes.c_char * max(needed.value, 1))()
            known = c.lib.rp_peers(self._open, peers, len(peers), buffer, len(buffer), ctypes.byref(count),
                                   ctypes.byref(needed))
            if known >= 0:
                break
            if known != -7:
                raise failure(known)
        text = buffer.raw
        return {text[each.name_offset:each.name_offset + each.name_size].decode():
                Peer(from_bytes(bytes(each.address)), bool(each.connected), bool(each.suspect))
                for each in peers[:known]}

    def stop(self) -> None:
        """Says goodbye to all devices and ends the thread. Calls in progress return."""
        check(c.lib.rp_stop(self._open))


def notice(event: Event) -> Notice:
    change = Change(event.code) if event.kind == c.CHANGE else None
    return Notice(event.name.decode(), event.data.decode(), change, event.peer)


def question_of(event: Event) -> Question:
    return Question(event.id, event.name.decode(), event.data.decode())


__all__ = ["Answer", "Change", "Node", "Notice", "Peer", "Question", "Reply"]
