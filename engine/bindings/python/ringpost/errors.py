"""The exceptions of ringpost. All derive from RingpostError; some also from the built-in one that fits."""

from __future__ import annotations


class RingpostError(Exception):
    """A call failed. `code` is that of <ringpost/ringpost.h>, such as -8 for RP_EFULL; `errno` that of the system."""

    code = 0

    def __init__(self, text: str, errno: int = 0):
        super().__init__(text)
        self.errno = errno


class VersionMismatch(RingpostError, ImportError):
    """The loaded libringpost has another version of the C interface."""

    code = -5


class InvalidArgument(RingpostError, ValueError):
    """An argument or option is out of range; the text names it."""

    code = -1


class Closed(RingpostError):
    """The object is closed."""

    code = -2


class WrongThread(RingpostError, RuntimeError):
    """The object works only on the thread that made it."""

    code = -3


class Forked(RingpostError, RuntimeError):
    """The object belongs to the parent process."""

    code = -4


class SystemFailure(RingpostError, OSError):
    """The system refused something; see `errno`."""

    code = -6

    def __init__(self, text: str, errno: int = 0):
        RingpostError.__init__(self, text, errno)

    def __str__(self) -> str:
        return str(self.args[0])


class QueueFull(RingpostError):
    """A queue or table is full; try again later."""

    code = -8


class MessageTooLarge(RingpostError, ValueError):
    """The message cannot be carried because of its size."""

    code = -9


class TextNotCarried(RingpostError, ValueError):
    """The text is not UTF-8 or JSON, or has characters that the format reserves."""

    code = -10


class PeerRefused(RingpostError):
    """No message can be sent to this peer: no address, another address family, not connected."""

    code = -11


class NotKnown(RingpostError, LookupError):
    """There is no such id or name."""

    code = -12


class ValuesRefused(RingpostError, ValueError):
    """The values do not fit the format of the message."""

    code = -13


class Stopped(RingpostError):
    """The object was stopped."""

    code = -14


class TooManyHandles(RingpostError):
    """Too many objects are open."""

    code = -15


class BufferTooSmall(RingpostError):
    """Used inside: the buffer of a call is enlarged."""

    code = -7


BY_CODE = {error.code: error for error in
           (VersionMismatch, InvalidArgument, Closed, WrongThread, Forked, SystemFailure, QueueFull, MessageTooLarge,
            TextNotCarried, PeerRefused, NotKnown, ValuesRefused, Stopped, TooManyHandles, BufferTooSmall)}
