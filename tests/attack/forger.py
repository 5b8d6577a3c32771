"""forger.py ADDRESS:PORT KIND COUNT RATE [FIRST]: sends UDP datagrams, each from a source address of its own.

Needs a raw socket, and a network in which nothing but the target receives them. `FIRST` is the number of the first
source. Kinds are the functions of FLOODS; another kind is a file with the datagram.
"""

import pathlib
import random
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import beacon_peer
import control_peer
import frame
import structs_peer

FIRST_SOURCE = int.from_bytes(socket.inet_aton("10.128.0.0"), "big")
SOURCES_MAX = 1 << 23  # addresses in 10.128.0.0/9
DATA, RECV, ACK = b"\x1d", b"\x5f", b"\xae"
LOAD_FRAME = frame.make(7, 0)
ASK = control_peer.make_control(control_peer.ASK, 7, 1)
ASK_REVERSE = control_peer.make_control(control_peer.ASK_REVERSE, 7, 1, [99, 0, 1400, 10**10, 1])
BEACON = beacon_peer.encode("x", 1_700_000_000, "127.0.0.1", 0)
STRUCT = structs_peer.encode(1, "<I", [7])
SHORT = b"\x40\0" + bytes(range(62))


def gtudp(kind, identity, data=b""):
    return kind + struct.pack("!I", identity & 0xffffffff) + data


# What the source of a number sends: a list of datagrams.
FLOODS = {
    "byte": lambda number: [b"x"],
    "frame": lambda number: [LOAD_FRAME],
    "ask": lambda number: [ASK],
    "ask for load": lambda number: [ASK_REVERSE],
    "message": lambda number: [b'{"message":1,"status":null}'],
    "initialize": lambda number: [b'{"message":"initialize","status":null}'],
    "beacon": lambda number: [BEACON],
    "struct": lambda number: [STRUCT],
    "advert": lambda number: [b"hello:,:%c%d" % (b"bz"[number % 2], number)],
    "data": lambda number: [gtudp(DATA, number, b"x")],
    "data frame": lambda number: [gtudp(DATA, number, LOAD_FRAME)],
    # It acknowledges the answers to its message without seeing them, and guesses the identity of what it is sent.
    "blind": lambda number: [gtudp(DATA, number, b"x"), gtudp(ACK, number), gtudp(RECV, random.getrandbits(32))],
    "guess": lambda number: [gtudp(RECV, random.getrandbits(32))],
    # A packet of a connection of the native transport that is unknown, long enough to be answered.
    "short": lambda number: [SHORT],
}


HEADERS = struct.Struct("!BBHHHBBHI4sHHHH")
BATCH = 32  # sources between two looks at the clock


def recorded(path):
    datagram = pathlib.Path(path).read_bytes()
    return lambda number: [datagram]


def flood(target, kind, count, rate, first=0):
    """The kernel writes the checksum of the IP header; UDP over IPv4 needs none."""
    make, address = FLOODS.get(kind) or recorded(kind), socket.inet_aton(target[0])
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.connect((target[0], 0))
        started = time.monotonic()
        for number in range(first, first + count):
            if number % BATCH == 0:
                early = started + (number - first) / rate - time.monotonic()
                if early > 0.001:
                    time.sleep(early)
            source, source_port = FIRST_SOURCE + number % SOURCES_MAX, 1024 + number % 60_000
            for payload in make(number):
                size = len(payload)
                sock.send(HEADERS.pack(0x45, 0, 28 + size, 0, 0, 64, socket.IPPROTO_UDP, 0, source, address,
                                       source_port, target[1], 8 + size, 0) + payload)


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    flood((host, int(port)), sys.argv[2], *map(int, sys.argv[3:]))
