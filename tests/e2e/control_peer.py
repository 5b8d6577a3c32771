"""The control channel of load and sink, implemented from the layout in codec/traffic/control.hpp."""

import struct

import frame

CONTROL_BYTES = 88
ASK, COUNTS, ASK_REVERSE, REVERSE = 1, 2, 3, 4


def parse_control(data):
    """(kind, stream, cookie, numbers), or None if it is no datagram of the control channel."""
    if len(data) != CONTROL_BYTES:
        return None
    crc, stream, cookie, kind, *numbers = struct.unpack("<IIQQ8Q", data)
    return (kind, stream, cookie, numbers) if crc == frame.crc32c(data[4:]) ^ 0xFFFFFFFF else None


def make_control(kind, stream, cookie, numbers=()):
    body = struct.pack("<IQQ8Q", stream, cookie, kind, *(list(numbers) + [0] * 8)[:8])
    return struct.pack("<I", frame.crc32c(body) ^ 0xFFFFFFFF) + body
