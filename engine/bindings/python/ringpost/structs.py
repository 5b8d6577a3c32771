"""Struct messages: packets of a fixed layout with an id, as Python's struct module packs them. Not confirmed."""

from __future__ import annotations

import ctypes
import enum
import struct
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from . import _library as c
from ._handle import EVENTS, Address, Bytes, Event, Handle, c_bytes, c_text, check, message_of, to_c
from .errors import NotKnown, ValuesRefused

HEADER_BYTES = 7


class Damage(enum.IntEnum):
    """Why something is not a message of the library."""

    UNKNOWN_ID = 1
    WRONG_SIZE = 2
    PAST_END = 3
    SIZE_SMALL = 4
    CHECKSUM = 5


class Received(NamedTuple):
    """A message, unpacked."""

    id: int
    name: str
    values: Tuple[Any, ...]
    source: Address


class Found(NamedTuple):
    """A packet in a buffer: its id, its payload, and where to search for the next."""

    id: int
    payload: bytes
    end: int


def pack_packet(id: int, payload: Bytes) -> bytes:
    """A packet with its header and check byte."""
    data = c_bytes(payload)
    if not 0 <= id <= 0xFFFF:
        raise ValueError(f"id {id}: 0 to 65535")
    packet = ctypes.create_string_buffer(len(data) + HEADER_BYTES)
    size = check(c.lib.rp_packet_write(id, data, len(data), packet, len(packet)))
    return packet.raw[:size]


def find_packet(buffer: Bytes, start: int = 0) -> "Found | Damage | None":
    """The first packet at or after `start`, whatever lies before it. If there is none: why the first that looked like
    one is none, or None."""
    data = c_bytes(buffer)
    packet = c.CPacket()
    if check(c.lib.rp_packet_find(data, len(data), start, ctypes.byref(packet))) == 1:
        return Found(packet.id, data[packet.offset:packet.offset + packet.size], packet.end)
    return Damage(packet.id) if packet.id else None


class Messenger(Handle):
    """Sends struct messages, one a datagram, and finds those in received datagrams. `formats` has the format of each
    id, or its name and format. Works inside the calls of the thread that made it."""

    def __init__(self, formats: "Mapping[int, str | Tuple[str, str]]", bind: Address = ("", 0), *,
                 broadcast: bool = False, backend: str = "auto", wait: Optional[str] = None):
        super().__init__()
        options = self._options(c.CStructsOptions, c.lib.rp_structs_init, backend, wait)
        if bind != ("", 0):
            options.bind = to_c(bind)
        options.broadcast = broadcast
        forms: Dict[int, str] = {}
        definitions = (c.CStructDefinition * max(len(formats), 1))()
        for place, (id, entry) in enumerate(formats.items()):
            name, form = (str(id), entry) if isinstance(entry, str) else entry
            definitions[place] = c.CStructDefinition(id, 0, c_text(name), c_text(form))
            forms[id] = form
        options.definitions, options.definitions_count = definitions, len(formats)
        self._opened(c.lib.rp_structs_open, options)
        self._formats = {id: struct.Struct(form) for id, form in forms.items()}

    def send(self, id: int, values: Tuple[Any, ...], peer: Address) -> None:
        """Packs the values and sends them; poll() or receive() lets them leave."""
        form = self._formats.get(id)
        if form is None:
            raise NotKnown(f"id {id} is unknown")
        try:
            payload = form.pack(*values)
        except struct.error as error:
            raise ValuesRefused(f"message {id}: {error}") from None
        self._send(message_of(payload, peer, id=id))

    def receive(self, timeout: Optional[float] = None) -> Received:
        """The next message. TimeoutError after `timeout` seconds; None waits without limit."""
        return self._received(self._one(c.MESSAGE, timeout))

    def receive_many(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Received]:
        """Messages; empty after `timeout` seconds."""
        return [self._received(event) for event in self._receive(c.MESSAGE, timeout, most)]

    def events(self, most: int = EVENTS, timeout: Optional[float] = None) -> List[Event]:
        """Messages and damage, as the C interface returns them."""
        return self._receive(c.ANY, timeout, most)

    def poll(self) -> bool:
        """Does what is due, without waiting. True if something can be received."""
        return check(c.lib.rp_poll(self._open)) == 1

    def _received(self, event: Event) -> Received:
        return Received(event.id, event.name.decode(), self._formats[event.id].unpack(event.data), event.peer)


__all__ = ["Damage", "Found", "Messenger", "Received", "find_packet", "pack_packet"]
