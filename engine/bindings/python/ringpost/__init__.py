"""ringpost: messages over UDP that arrive.

    ringpost.native      connect, listen: encrypted connections, also as ringpost.connect and ringpost.listen
    ringpost.gtudp       Messenger, ThreadedMessenger: messages confirmed, and delivered once
    ringpost.confirmed   Messenger: JSON messages, each answered by a confirmation
    ringpost.devices     Node: devices that find each other by name
    ringpost.structs     Messenger: messages of a fixed layout
    ringpost.beacon      Beacon: a quote, sent periodically
    ringpost.aio         the same with asyncio
    ringpost.compat      the modules of five older programs

Addresses are (host, port). Timeouts are in seconds; None has no limit. Every failure is a RingpostError, an argument
that cannot be a TypeError or ValueError. Calls that wait release the interpreter's lock, and let Python handle signals
within a fifth of a second; send_and_wait() and ask() do so when they return. After fork() an object belongs to the
parent alone: in the child its calls raise Forked.
"""

from . import beacon, confirmed, devices, gtudp, native, structs
from ._library import lib as _lib
from .native import connect, listen
from .errors import (Closed, Forked, InvalidArgument, MessageTooLarge, NotKnown, PeerRefused, QueueFull, RingpostError,
                     Stopped, SystemFailure, TextNotCarried, TooManyHandles, ValuesRefused, VersionMismatch,
                     WrongThread)

__version__: str = _lib.rp_version().decode()

__all__ = ["Closed", "Forked", "InvalidArgument", "MessageTooLarge", "NotKnown", "PeerRefused", "QueueFull",
           "RingpostError", "Stopped", "SystemFailure", "TextNotCarried", "TooManyHandles", "ValuesRefused",
           "VersionMismatch", "WrongThread", "beacon", "confirmed", "connect", "devices", "gtudp", "listen", "native",
           "structs"]
