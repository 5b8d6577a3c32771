"""MsgLibrary, SocketUDP and get_msg: messages of a fixed layout.

Differences to the original program, where it broke what it documents:

* Two libraries do not share their messages.
* get_msg() finds a packet behind any garbage, and returns (None, reason) if there is none.
* unpack() and pack() raise NotKnown and ValuesRefused with the id. A payload of another size is refused.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, Callable, Iterable, Mapping, Optional, Tuple, Union

from .. import structs
from ..errors import NotKnown, ValuesRefused

IPC_HEADER_SIZE = structs.HEADER_BYTES
Address = Tuple[str, int]


def calc_crc(buffer: bytes) -> int:
    """The exclusive or of all bytes."""
    check = 0
    for byte in buffer:
        check ^= byte
    return check


def get_msg(buffer: bytes) -> Tuple[Optional[int], Union[bytes, str]]:
    """Id and payload of the first packet in the buffer, or None and the reason."""
    found = structs.find_packet(buffer)
    if isinstance(found, structs.Found):
        return found.id, found.payload
    return None, "no packet" if found is None else f"no packet: {found.name.lower().replace('_', ' ')}"


class MsgLibrary:
    """The messages that both ends know: (format, type) by id."""

    def __init__(self, msg_map: Mapping[int, Tuple[str, Callable[..., Any]]]):
        self.msgs = {id: (struct.Struct(form), kind) for id, (form, kind) in msg_map.items()}

    def pack(self, msg_id: int, data: Iterable[Any]) -> bytes:
        """The packet of a message."""
        form, _ = self._message(msg_id)
        try:
            return structs.pack_packet(msg_id, form.pack(*data))
        except struct.error as error:
            raise ValuesRefused(f"message {msg_id}: {error}") from None

    def unpack(self, msg_id: int, payload: bytes) -> Any:
        """The values of a payload, as an object of the message's type."""
        form, kind = self._message(msg_id)
        try:
            values = form.unpack(payload)
        except struct.error as error:
            raise ValuesRefused(f"message {msg_id}: {error}") from None
        try:
            return kind(*values)
        except TypeError:
            return kind(values)

    def get_size(self, msg_id: int) -> int:
        """The size of a packet, header included."""
        return self._message(msg_id)[0].size + IPC_HEADER_SIZE

    def _message(self, msg_id: int) -> Tuple[struct.Struct, Callable[..., Any]]:
        try:
            return self.msgs[msg_id]
        except KeyError:
            raise NotKnown(f"message {msg_id} is unknown") from None


class SocketUDP:
    """A UDP socket whose recvfrom() returns (None, None) after its timeout."""

    def __init__(self) -> None:
        self.sock: Optional[socket.socket] = None

    def open(self, timeout: Optional[float] = None) -> None:
        """Opens it for sending."""
        self.close()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(timeout)

    def bind(self, host: str, port: int, timeout: Optional[float] = None) -> None:
        """Opens it for receiving."""
        self.open(timeout)
        self._opened.bind((host, port))

    def sendto(self, data: bytes, address: Address) -> int:
        return self._opened.sendto(data, address)

    def recvfrom(self, size: int) -> Tuple[Optional[bytes], Optional[Address]]:
        try:
            data, address = self._opened.recvfrom(size)
        except socket.timeout:
            return None, None
        return data, address

    def close(self) -> None:
        """Idempotent."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    @property
    def _opened(self) -> socket.socket:
        if self.sock is None:
            raise OSError("the socket is not open: call open() or bind()")
        return self.sock

    def __enter__(self) -> "SocketUDP":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


__all__ = ["IPC_HEADER_SIZE", "MsgLibrary", "SocketUDP", "calc_crc", "get_msg"]
