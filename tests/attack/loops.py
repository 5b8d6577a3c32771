"""Loops: one datagram with a forged source makes servers answer each other."""

import contextlib
import pathlib
import socket
import tempfile
import time

import cases
import forger
from support import Background, Network, until
from test_loops import HOPS, LOOPBACK, delivered, forge

IPV4 = socket.AF_INET
DATA = b"\x1d\0\0\0\7loops"
GTUDP = "--transport", "gtudp"
ENDED_MAX = 4 * HOPS  # datagrams of a loop that ends: a hop each, and those of gtUDP that confirm its messages
QUIET_S = 2  # a loop without a bound makes a hundred thousand deliveries meanwhile


def run(servers, source, target, payload):
    """Deliveries that one datagram causes, from one of the servers' ports to another. `servers` are functions that take
    the ports of those before and return arguments."""
    with contextlib.ExitStack() as stack:
        ports = []
        for arguments in servers:
            server = stack.enter_context(Background(*arguments(ports), "--json"))
            ports.append(server.port())
        before = delivered(IPV4)
        forge(IPV4, ports[source], ports[target], payload=payload)
        until(lambda: delivered(IPV4) > before, "the datagram arrives")
        return settled() - before


def settled():
    count, since = delivered(IPV4), time.monotonic()
    started = since
    while time.monotonic() - since < QUIET_S and time.monotonic() - started < 10 * QUIET_S:
        time.sleep(0.05)
        if delivered(IPV4) != count:
            count, since = delivered(IPV4), time.monotonic()
    return count


def server(*arguments):
    return lambda ports: arguments


def relay(ports):
    return "relay", "--listen", 0, "--to", f"{LOOPBACK[IPV4]}:{ports[0]}"


ECHO = server("echo", "--port", 0)
GTUDP_ECHO = server("echo", "--port", 0, *GTUDP)
LOOPS = [
    ("`echo` with itself", [ECHO], 0, 0, b"loop"),
    ("two `echo`", [ECHO, ECHO], 0, 1, b"loop"),
    ("`echo --transport gtudp` with itself", [GTUDP_ECHO], 0, 0, DATA),
    ("two `echo --transport gtudp`", [GTUDP_ECHO, GTUDP_ECHO], 0, 1, DATA),
    ("`relay` in front of an `echo`, the source is that echo", [ECHO, relay], 0, 1, b"loop"),
    ("`relay` in front of an `echo`, the source is the relay", [ECHO, relay], 1, 1, b"loop"),
    ("`relay` in front of an `echo`, the source is another echo", [ECHO, relay, ECHO], 2, 1, b"loop"),
]


def native_loops(directory):
    secret, init = cases.recorded_init(directory)
    echo = server("echo", "--port", 0, *cases.with_secret(secret))
    return [(f"two `echo --transport native`, {name}", [echo, echo], 0, 1, payload)
            for name, payload in (("an Init", init.read_bytes()), ("a short packet", forger.SHORT))]


def measured():
    network = Network()
    try:
        network.ip("link set lo up")
        with tempfile.TemporaryDirectory() as directory:
            for name, *loop in [*LOOPS, *native_loops(pathlib.Path(directory))]:
                yield name, network.call(lambda loop=loop: run(*loop))
    finally:
        network.close()
