#!/usr/bin/env python3
"""An independent beacon peer, implemented from section 1 of the wire formats alone.

beacon_peer.py [--port P] [--to HOST:PORT]: listens, sends, or both, every two seconds.
"""

import argparse
import ipaddress
import selectors
import socket
import struct
import time
import zlib
from collections import Counter

DEFAULT_QUOTE = '"It always seems impossible until it\'s done" - Nelson Mandela'


def encode(quote, unix_s, ipv4, port):
    body = struct.pack(">Q4sH", unix_s, ipaddress.IPv4Address(ipv4).packed, port) + quote.encode()
    return struct.pack(">I", zlib.adler32(body)) + body


def decode(datagram):
    """(quote, unix_s, ipv4, port); ValueError if it is not a beacon."""
    if len(datagram) < 18:
        raise ValueError("under 18 bytes")
    if struct.unpack_from(">I", datagram)[0] != zlib.adler32(datagram[4:]):
        raise ValueError("bad checksum")
    unix_s, ipv4, port = struct.unpack_from(">Q4sH", datagram, 4)
    return datagram[18:].decode(), unix_s, str(ipaddress.IPv4Address(ipv4)), port


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--to", default=None)
    options = parser.parse_args()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", options.port))
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    seen = Counter()
    due = time.monotonic()
    while True:
        for _ in selector.select(max(due - time.monotonic(), 0) if options.to else None):
            datagram, (host, _) = sock.recvfrom(65536)
            seen[host] += 1
            try:
                quote, unix_s, *_ = decode(datagram)
                print(quote, int(time.time()) - unix_s, host, seen[host], flush=True)
            except ValueError as error:
                print("not a beacon:", error, "from", host, flush=True)
        if options.to and time.monotonic() >= due:
            host, port = options.to.rsplit(":", 1)
            sock.sendto(encode(DEFAULT_QUOTE, int(time.time()), "127.0.0.1", sock.getsockname()[1]), (host, int(port)))
            due += 2


if __name__ == "__main__":
    main()
