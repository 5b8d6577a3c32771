"""UDPConnection: messages that the other end confirms.

Differences to the original program, where it broke what it documents:

* send_message() waits for the confirmation of its message: a message that arrives meanwhile is kept for
  query_message(). It returns True or False, also without a target.
* A message is confirmed when it arrives, not only when it is queried, and to the sender's UDP_PORT.
* UDP_PORT is used. Without UDP_IP it listens on all addresses.
* shutdown() may be called more than once, and any thread may use the object.

The original prints each message; so does this one with verbose=True. confirm_from chooses which addresses may confirm:
"peer", "any", or by default any if TARGET_IP is of this host, because the original then answers from another address.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import warnings
from typing import Any, Dict, Optional

from .. import _library as c
from .. import confirmed
from .._handle import Address, Event, at_least
from ..errors import Closed
from ._worker import Worker

SEND_TIMEOUT_S = 10.0
Reply = Dict[str, Any]


class StatusError(Exception):
    """Never raised: datagrams with another status are dropped."""


class UDPConnection:
    """Exchanges messages with TARGET_IP or, if that is None, with the first peer that sends `initialize`."""

    def __init__(self, TARGET_IP: Optional[str] = None, UDP_IP: Optional[str] = None, TARGET_PORT: int = 5005,
                 UDP_PORT: int = 5005, *, verbose: bool = False, confirm_from: Optional[str] = None):
        if confirm_from not in (None, "peer", "any"):
            raise ValueError(f"confirm_from {confirm_from!r}: peer or any")
        self.TARGET_IP = TARGET_IP
        self.TARGET_PORT = TARGET_PORT
        self.initialized = TARGET_IP is not None
        self.verbose = verbose
        self._messages: "queue.SimpleQueue[Optional[Reply]]" = queue.SimpleQueue()
        self._waiting: "Dict[int, queue.SimpleQueue[Optional[Event]]]" = {}
        self._closed = False
        from_any = confirm_from == "any" or (confirm_from is None and _is_here(TARGET_IP))
        self._worker: Worker[confirmed.Messenger] = Worker(
            lambda: confirmed.Messenger((UDP_IP or "0.0.0.0", UDP_PORT), self._target, peer_port=TARGET_PORT,
                                        confirm_from_any=from_any, wait="block"),
            self._on_event, "UDPConnection")

    @property
    def _target(self) -> Optional[Address]:
        if self.TARGET_IP is None or self.TARGET_PORT is None:
            return None
        return self.TARGET_IP, self.TARGET_PORT

    def send_message(self, msg: Any, ok: Optional[bool] = None) -> Optional[bool]:
        """Sends any value that JSON has. True if it is confirmed within 10 s, False if it failed or was not. With ok
        True or False it is sent as a confirmation or failure report, and None is returned at once."""
        target = self._target
        if target is None:
            warnings.warn("Message not sent. No target address specified.", RuntimeWarning, stacklevel=2)
            return False
        ended: "queue.SimpleQueue[Optional[Event]]" = queue.SimpleQueue()

        def send(messenger: confirmed.Messenger) -> None:
            peer = None if messenger.target == target else target
            self._waiting[messenger.send(msg, peer, SEND_TIMEOUT_S, ok)] = ended

        self._worker.call(send)
        if ok is not None:
            return None
        event = ended.get()
        if event is None:
            raise Closed("the connection was shut down")
        return event.code == confirmed.Outcome.CONFIRMED

    def query_message(self, timeout: Optional[float] = None) -> Optional[Reply]:
        """Waits for the next message: a dictionary with `message` and `status`. None after `timeout` seconds."""
        if self._closed and self._messages.empty():
            raise Closed("the connection was shut down")
        try:
            message = self._messages.get(timeout=None if timeout is None else at_least(timeout) / 1e9)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)  # for others who wait
            raise Closed("the connection was shut down")
        return message

    def shutdown(self) -> None:
        """Ends the connection; calls in progress raise Closed."""
        self._closed = True
        self._worker.stop()
        self._messages.put(None)
        for waiting in list(self._waiting.values()):
            waiting.put(None)

    def __enter__(self) -> "UDPConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _on_event(self, event: Event) -> None:
        if event.kind == c.OUTCOME:
            waiting = self._waiting.pop(event.id, None)
            if waiting is not None:
                waiting.put(event)
        elif event.kind == c.CHANGE:
            self.TARGET_IP, self.TARGET_PORT = event.peer
            self.initialized = True
            self._take({"message": "initialize", "status": None}, event)
        elif event.kind == c.MESSAGE:
            received = confirmed.received(event)
            self._take({"message": received.message, "status": received.status}, event)

    def _take(self, message: Reply, event: Event) -> None:
        if self.verbose:
            print(f"Got message: {message} from address: {event.peer}", flush=True)
        self._messages.put(message)


def _is_here(host: Optional[str]) -> bool:
    """Whether the host is an address of this one."""
    if host is None:
        return False
    try:
        address = socket.gethostbyname(host)
    except OSError:
        return False
    if ipaddress.ip_address(address).is_loopback:
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


__all__ = ["StatusError", "UDPConnection"]
