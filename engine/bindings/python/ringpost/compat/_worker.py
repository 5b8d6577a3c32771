"""A thread that owns an object of ringpost which works on one thread only, and lets any thread use it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from collections import deque
from typing import Any, Callable, Deque, Generic, List, Optional, Tuple, TypeVar

from .._handle import Event, Handle
from .. import _library as c
from ..errors import Closed

Owned = TypeVar("Owned", bound=Handle)
Result = TypeVar("Result")

log = logging.getLogger("ringpost.compat")


class Worker(Generic[Owned]):
    """Makes the object on its own thread, and passes each event of it to `on_event` there."""

    def __init__(self, make: Callable[[], Owned], on_event: Callable[[Event], None], name: str):
        self._make, self._on_event = make, on_event
        self._calls: Deque[Tuple[Callable[[Owned], Any], "Future[Any]"]] = deque()
        self._handle: Optional[Owned] = None
        self._lock = threading.Lock()
        self._stopping = self._ended = False
        self._opened: "Future[None]" = Future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._opened.result()  # raises what open did

    def call(self, function: Callable[[Owned], Result]) -> Result:
        """Runs function(object) on the thread, and returns what it returns or raises."""
        if threading.current_thread() is self._thread:
            return function(self._owned)
        future: "Future[Result]" = Future()
        with self._lock:
            if self._ended:
                raise Closed("it is closed")
            self._calls.append((function, future))
        self._wake()
        return future.result()

    def stop(self) -> None:
        """Closes the object and ends the thread. Idempotent."""
        self._stopping = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def _owned(self) -> Owned:
        if self._handle is None:
            raise Closed("it is closed")
        return self._handle

    def _wake(self) -> None:
        try:
            self._owned.wake()
        except Closed:
            pass

    def _run(self) -> None:
        try:
            self._handle = self._make()
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        try:
            with self._handle:
                self._serve(self._handle)
        finally:
            self._handle = None
            with self._lock:
                self._ended = True
                for _, future in self._calls:
                    future.set_exception(Closed("it is closed"))

    def _serve(self, handle: Owned) -> None:
        while not self._stopping:
            while self._calls:
                function, future = self._calls.popleft()
                try:
                    future.set_result(function(handle))
                except BaseException as error:
                    future.set_exception(error)
            events: List[Event] = handle._receive(c.ANY, None)
            for event in events:
                try:
                    self._on_event(event)
                except Exception:  # such as a closed output; the network goes on
                    log.exception("an event was not processed")
