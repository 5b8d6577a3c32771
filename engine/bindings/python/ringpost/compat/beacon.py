"""The beacon: sends a quote every two seconds, prints received quotes.

    python3 -m ringpost.compat.beacon [--port [HOST:]PORT] [--host HOST:PORT]

--port listens, --host sends; both may be given. Printed are the quote, the seconds since it was sent, the address it
came from, and how many datagrams have come from there. What is no beacon is reported on standard error.
"""

from __future__ import annotations

import argparse
import sys
from typing import Iterator, Optional, Sequence, Union

from .. import beacon
from .._handle import Address

DEFAULT_PORT = 5005


class Beacon:
    """Listens on `port`, sends to `host`, or both: each HOST:PORT, or a port alone."""

    def __init__(self, port: Union[None, int, str] = None, host: Optional[str] = None, *,
                 quote: str = beacon.DEFAULT_QUOTE, period: float = 2):
        if port is None and host is None:
            raise ValueError("port (to listen) or host (to send) is needed")
        bind = ("0.0.0.0", 0) if port is None else _address(str(port), "0.0.0.0")
        self._beacon = beacon.Beacon(bind, [] if host is None else [_address(host, "127.0.0.1")], quote=quote,
                                     period=period)

    def receive(self, timeout: Optional[float] = None) -> Union[beacon.Received, beacon.Rejected]:
        """Sends what is due until something arrives. TimeoutError after `timeout` seconds."""
        return self._beacon.receive(timeout)

    def __iter__(self) -> Iterator[Union[beacon.Received, beacon.Rejected]]:
        while True:
            yield self.receive()

    @property
    def local(self) -> Address:
        return self._beacon.local

    def close(self) -> None:
        self._beacon.close()

    def __enter__(self) -> "Beacon":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _address(text: str, host: str) -> Address:
    before, _, port = text.rpartition(":")
    return before or host, int(port)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m ringpost.compat.beacon")
    parser.add_argument("--port", help="listen on [HOST:]PORT")
    parser.add_argument("--host", help="send to HOST:PORT")
    parser.add_argument("--quote", default=beacon.DEFAULT_QUOTE)
    options = parser.parse_args(arguments)
    if options.port is None and options.host is None:
        parser.error("--port or --host is needed")
    with Beacon(options.port, options.host, quote=options.quote) as mine:
        for received in mine:
            if isinstance(received, beacon.Rejected):
                print(f"not a beacon: {received.reason} from {received.source[0]}", file=sys.stderr, flush=True)
            else:
                print(received.quote, received.elapsed, received.source[0], received.datagrams, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
