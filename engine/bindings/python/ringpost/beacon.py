"""Beacons: datagrams with a time, an address and a quote, sent periodically and not confirmed."""

from __future__ import annotations

import socket
from typing import NamedTuple, Optional, Sequence, Union

from . import _library as c
from ._handle import Address, Event, Handle, c_text, check, from_bytes, nanoseconds, to_c

DEFAULT_QUOTE = '"It always seems impossible until it\'s done" - Nelson Mandela'
DAMAGE = {5: "bad checksum", 6: "too short", 7: "not UTF-8"}


class Received(NamedTuple):
    """A beacon. `elapsed` are whole seconds between the two clocks, or None if that is no time; `listening` is where
    its sender listens; `datagrams` is how many came from this address so far."""

    quote: str
    elapsed: Optional[int]
    source: Address
    listening: Address
    datagrams: int


class Rejected(NamedTuple):
    """A datagram that is no beacon."""

    reason: str
    source: Address
    datagrams: int


class Beacon(Handle):
    """Sends a quote to every target each period, and receives beacons. Works inside the calls of the thread that made
    it."""

    def __init__(self, bind: Address = ("0.0.0.0", 0), targets: Sequence[Address] = (), *, quote: str = DEFAULT_QUOTE,
                 period: float = 2, rounds: Optional[int] = None, advertise: Optional[str] = None,
                 broadcast: bool = False, backend: str = "auto", wait: Optional[str] = None):
        super().__init__()
        options = self._options(c.CBeaconOptions, c.lib.rp_beacon_init, backend, wait)
        options.bind = to_c(bind)
        options.broadcast = broadcast
        array = (c.CBeaconTarget * max(len(targets), 1))()
        for place, target in enumerate(targets):
            array[place].address = to_c(target)
            array[place].advertised_ipv4[:] = _advertised(advertise, bind, target)
        options.targets, options.targets_count = array, len(targets)
        options.advertised_port = bind[1]
        options.quote = c_text(quote)
        options.period_ns = nanoseconds(period)
        options.rounds = 2**64 - 1 if rounds is None else rounds
        self._opened(c.lib.rp_beacon_open, options)

    def receive(self, timeout: Optional[float] = None) -> Union[Received, Rejected]:
        """The next beacon or datagram that is none. TimeoutError after `timeout` seconds; None waits without limit."""
        return received(self._one(c.ANY, timeout))

    def poll(self) -> bool:
        """Does what is due, without waiting. True if something can be received."""
        return check(c.lib.rp_poll(self._open)) == 1

    @property
    def finished(self) -> bool:
        """Whether every round was sent."""
        return check(c.lib.rp_finished(self._open)) == 1


def _advertised(advertise: Optional[str], bind: Address, target: Address) -> bytes:
    """As given, or the address that it is bound to, or the source of datagrams to the target."""
    if advertise is not None:
        return socket.inet_aton(advertise)
    if bind[0] not in ("", "0.0.0.0"):
        return socket.inet_aton(socket.gethostbyname(bind[0]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target[0], target[1]))
        except OSError:
            return bytes(4)
        return socket.inet_aton(probe.getsockname()[0])


def received(event: Event) -> Union[Received, Rejected]:
    if event.kind == c.DAMAGE:
        return Rejected(DAMAGE[event.code], event.peer, event.id)
    elapsed = None if event.flags & c.EVENT_NO_TIME else event.value
    return Received(event.data.decode(), elapsed, event.peer, from_bytes(event.advertised), event.id)


__all__ = ["Beacon", "DEFAULT_QUOTE", "Received", "Rejected"]
