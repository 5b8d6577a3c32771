"""Frames of `ringpost load`, implemented from the layout in codec/traffic/frame.hpp."""

import struct

CRC32C_REVERSED = 0x82F63B78


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC32C_REVERSED if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C (RFC 3720, B.4)


def make(stream, sequence, due=0, fill=b""):
    body = struct.pack("<IQQ", stream, sequence, due) + fill
    return struct.pack("<I", crc32c(body)) + body


def parse(data):
    """(stream, sequence, due, fill), or None if the CRC is wrong."""
    crc, stream, sequence, due = struct.unpack_from("<IIQQ", data)
    return (stream, sequence, due, data[24:]) if crc == crc32c(data[4:]) else None
