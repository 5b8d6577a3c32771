#!/usr/bin/env python3
"""An independent struct message peer, implemented from section 5 of the wire formats alone.

structs_peer.py [--port P] LIBRARY.json prints received messages;
structs_peer.py --to HOST:PORT LIBRARY.json NAME VALUE... sends one.
"""

import argparse
import ast
import functools
import json
import operator
import socket
import struct

HEADER = struct.Struct("<2sHHB")


def check(payload):
    return functools.reduce(operator.xor, payload, 0)


def packet(message_id, payload):
    return HEADER.pack(b"\xff\xff", message_id, HEADER.size + len(payload), check(payload)) + payload


def encode(message_id, form, values):
    return packet(message_id, struct.pack(form, *values))


def scan(buffer):
    """(packets, failures): [(offset, id, payload)] and the offsets of magics that do not start a packet."""
    packets, failures = [], []
    at = buffer.find(b"\xff\xff")
    while at >= 0:
        good = False
        if len(buffer) - at >= HEADER.size:
            _, message_id, size, wanted = HEADER.unpack_from(buffer, at)
            payload = buffer[at + HEADER.size:at + size]
            good = HEADER.size <= size <= len(buffer) - at and check(payload) == wanted
        if good:
            packets.append((at, message_id, payload))
            at += size
        else:
            failures.append(at)
            at += 1
        at = buffer.find(b"\xff\xff", at)
    return packets, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--to")
    parser.add_argument("message", nargs="*", help="NAME VALUE..., values as Python literals")
    options = parser.parse_args()
    with open(options.library, encoding="utf-8") as file:
        library = json.load(file)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", options.port))
    if options.to:
        entry = library[options.message[0]]
        host, port = options.to.rsplit(":", 1)
        values = [ast.literal_eval(value) for value in options.message[1:]]
        sock.sendto(encode(entry["id"], entry["format"], values), (host, int(port)))
        return
    names = {entry["id"]: (name, entry["format"]) for name, entry in library.items()}
    while True:
        datagram, source = sock.recvfrom(65536)
        for offset, message_id, payload in scan(datagram)[0]:
            name, form = names.get(message_id, (None, None))
            if name is None or struct.calcsize(form) != len(payload):
                print("not in the library:", message_id, len(payload), "bytes at", offset, flush=True)
            else:
                print(name, struct.unpack(form, payload), source, flush=True)


if __name__ == "__main__":
    main()
