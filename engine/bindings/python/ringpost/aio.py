"""ringpost with asyncio: the same objects, whose descriptor the running loop watches.

    async with aio.Messenger(("127.0.0.1", 0)) as messenger:
        await messenger.send("it arrives", peer)        # until it is confirmed
        data, peer = await messenger.receive()

Each object works on the loop that was running when it was made. When no more messages are wanted they stay in the
engine, which holds their senders back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Dict, Generic, List, Optional, Sequence, Tuple, Type, TypeVar, Union

from . import _library as c
from . import beacon, confirmed, devices, gtudp, structs
from ._handle import Address, Bytes, Event, Handle
from .errors import Closed

Item = TypeVar("Item")
Wrapped = TypeVar("Wrapped", bound=Handle)
Self = TypeVar("Self", bound="_Async[Any, Any]")

# Messages that wait here for receive().
WAITING_MAX = 4096
# Questions that wait for next_question().
QUESTIONS_MAX = 256
LOOK_AGAIN_S = 0.05
# Messages that send_many() passes on at once.
SENT_AT_ONCE = 1024


class _Async(Generic[Wrapped, Item]):
    """Takes events whenever the descriptor is readable, and passes them to those who wait."""

    _kinds = c.MESSAGE
    # An object with a thread is readable while messages wait in it; the others only while they have work.
    _stays_readable = False

    def __init__(self, handle: Wrapped):
        self.handle = handle
        self._loop = asyncio.get_running_loop()
        self._waiting: Deque[Item] = deque()
        self._receivers: Deque["asyncio.Future[Item]"] = deque()
        self._outcomes: Dict[int, "asyncio.Future[Event]"] = {}
        self._fd = handle.fileno()
        self._loop.add_reader(self._fd, self._service)
        self._watched = True
        self._full = False

    # ---- the loop

    def _wanted(self) -> int:
        """Messages are left where they are while too many wait."""
        return self._kinds | c.OUTCOME if len(self._waiting) < WAITING_MAX else c.OUTCOME

    def _closed(self) -> Closed:
        return Closed(f"{type(self.handle).__name__} is closed")

    def _service(self) -> None:
        wanted = self._wanted()
        for event in self.handle._receive(wanted, 0):
            self._on_event(event)
        self._full = wanted == c.OUTCOME
        if self._full and self._stays_readable and self._watched:
            self._loop.remove_reader(self._fd)
            self._watched = False

    def _resume(self) -> None:
        if not self._full or len(self._waiting) > WAITING_MAX // 2:
            return
        self._full = False
        if not self._watched:
            self._loop.add_reader(self._fd, self._service)
            self._watched = True
        self._loop.call_soon(self._service_if_open)

    def _service_if_open(self) -> None:
        if not self.handle.closed:
            self._service()

    def _on_event(self, event: Event) -> None:
        if event.kind == c.OUTCOME:
            future = self._outcomes.pop(event.id, None)
            if future is not None and not future.done():
                future.set_result(event)
            return
        item = self._item(event)
        while self._receivers:
            receiver = self._receivers.popleft()
            if not receiver.done():
                receiver.set_result(item)
                return
        self._waiting.append(item)

    def _item(self, event: Event) -> Item:
        raise NotImplementedError

    # ---- users

    async def receive(self) -> Item:
        """The next message."""
        if self.handle.closed:
            raise self._closed()
        if self._waiting:
            item = self._waiting.popleft()
            self._resume()
            return item
        receiver: "asyncio.Future[Item]" = self._loop.create_future()
        self._receivers.append(receiver)
        try:
            return await receiver
        except asyncio.CancelledError:
            if receiver.done() and not receiver.cancelled() and receiver.exception() is None:
                self._waiting.appendleft(receiver.result())
            raise

    def __aiter__(self: Self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.receive()
        except Closed:
            raise StopAsyncIteration from None

    async def _outcome(self, id: int) -> Event:
        future: "asyncio.Future[Event]" = self._loop.create_future()
        self._outcomes[id] = future
        self._service()  # lets it leave at once
        try:
            return await future
        finally:
            self._outcomes.pop(id, None)

    def close(self) -> None:
        """Ends the object; those who wait get Closed."""
        if self.handle.closed:
            return
        if self._watched:
            self._loop.remove_reader(self._fd)
            self._watched = False
        self.handle.close()
        error = self._closed()
        waiting: "list[asyncio.Future[Any]]" = [*self._receivers, *self._outcomes.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        self._receivers.clear()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        self.close()

    @property
    def local(self) -> Address:
        return self.handle.local


class Messenger(_Async[gtudp.Messenger, gtudp.Message]):
    """gtUDP. Takes the arguments of gtudp.Messenger."""

    _kinds = c.MESSAGE | c.FOREIGN

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(gtudp.Messenger(*arguments, **options))

    def _item(self, event: Event) -> gtudp.Message:
        return event.data, event.peer

    async def send(self, data: Bytes, peer: Optional[Address] = None,
                   timeout: Optional[float] = None) -> gtudp.Outcome:
        """Sends a message and waits for its outcome. If cancelled, so is the message."""
        id = self.handle.send(data, peer, timeout)
        try:
            return gtudp.Outcome((await self._outcome(id)).code)
        except asyncio.CancelledError:
            if not self.handle.closed:
                self.handle.cancel(id)
            raise

    async def send_many(self, messages: Sequence[Bytes], peer: Optional[Address] = None) -> None:
        """Sends messages to one peer, waiting while queues are full; not for the outcomes."""
        done, pause = 0, 0.0
        while done < len(messages):
            taken = self.handle.send_many(list(messages[done:done + SENT_AT_ONCE]), peer)
            done += taken
            self._service()
            # A peer that does not answer frees nothing.
            pause = 0 if taken > 0 else min(2 * pause + 0.001, 0.05)
            await asyncio.sleep(pause)


class Confirmed(_Async[confirmed.Messenger, confirmed.Received]):
    """Confirmed messages. Takes the arguments of confirmed.Messenger."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(confirmed.Messenger(*arguments, **options))

    def _item(self, event: Event) -> confirmed.Received:
        return confirmed.received(event)

    async def send(self, message: Any, peer: Optional[Address] = None, timeout: float = 10) -> confirmed.Answer:
        """Sends a message and waits for its outcome."""
        return confirmed.answer(await self._outcome(self.handle.send(message, peer, timeout)))


class Structs(_Async[structs.Messenger, structs.Received]):
    """Struct messages. Takes the arguments of structs.Messenger."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(structs.Messenger(*arguments, **options))

    def _item(self, event: Event) -> structs.Received:
        return self.handle._received(event)

    def send(self, id: int, values: Tuple[Any, ...], peer: Address) -> None:
        """Sends a message; nothing confirms it."""
        self.handle.send(id, values, peer)
        self._service()


class Beacon(_Async[beacon.Beacon, Union[beacon.Received, beacon.Rejected]]):
    """A beacon. Takes the arguments of beacon.Beacon."""

    _kinds = c.MESSAGE | c.DAMAGE

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(beacon.Beacon(*arguments, **options))

    def _item(self, event: Event) -> Union[beacon.Received, beacon.Rejected]:
        return beacon.received(event)


class Node(_Async[devices.Node, devices.Notice]):
    """A named device. Takes the arguments of devices.Node. receive() returns messages and changes; questions are
    awaited by next_question()."""

    _kinds = c.MESSAGE | c.CHANGE | c.QUESTION
    _stays_readable = True

    def __init__(self, *arguments: Any, **options: Any):
        self._questions: Deque[devices.Question] = deque()
        self._answerers: Deque["asyncio.Future[devices.Question]"] = deque()
        self._looks = False
        super().__init__(devices.Node(*arguments, **options))

    def _wanted(self) -> int:
        wanted = super()._wanted()
        if len(self._questions) < QUESTIONS_MAX:
            return wanted | c.QUESTION
        return wanted & ~c.QUESTION

    def _service(self) -> None:
        super()._service()
        if self._wants_all():
            return
        # The descriptor stays readable while what is not wanted waits.
        if self._watched:
            self._loop.remove_reader(self._fd)
            self._watched = False
        if not self._looks:
            self._looks = True
            self._loop.call_later(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._looks = False
        if self.handle.closed:
            return
        self._service()
        if self._wants_all() and not self._watched:
            self._loop.add_reader(self._fd, self._service)
            self._watched = True

    def _wants_all(self) -> bool:
        return self._wanted() == self._kinds | c.OUTCOME

    def _on_event(self, event: Event) -> None:
        if event.kind != c.QUESTION:
            super()._on_event(event)
            return
        question = devices.question_of(event)
        while self._answerers:
            answerer = self._answerers.popleft()
            if not answerer.done():
                answerer.set_result(question)
                return
        self._questions.append(question)

    def _item(self, event: Event) -> devices.Notice:
        return devices.notice(event)

    def send(self, text: str, name: str) -> None:
        """Sends to one device."""
        self.handle.send(text, name)

    async def ask(self, question: str, names: Union[None, str, Sequence[str]] = None,
                  timeout: float = 2) -> Dict[str, devices.Answer]:
        """Asks one, several or (None) all devices, and waits until all have answered or the time is over."""
        return await self._loop.run_in_executor(None, self.handle.ask, question, names, timeout)

    async def next_question(self) -> devices.Question:
        """The next question."""
        if self.handle.closed:
            raise self._closed()
        if self._questions:
            return self._questions.popleft()
        answerer: "asyncio.Future[devices.Question]" = self._loop.create_future()
        self._answerers.append(answerer)
        try:
            return await answerer
        except asyncio.CancelledError:
            if answerer.done() and not answerer.cancelled() and answerer.exception() is None:
                self._questions.appendleft(answerer.result())
            raise

    def close(self) -> None:
        super().close()
        for answerer in self._answerers:
            if not answerer.done():
                answerer.set_exception(self._closed())
        self._answerers.clear()

    def answer(self, question: devices.Question, text: str) -> bool:
        """Answers a question."""
        return self.handle.answer(question, text)

    async def aclose(self) -> None:
        """Says goodbye, which takes up to two seconds, without holding up the loop."""
        if self._watched:
            self._loop.remove_reader(self._fd)
            self._watched = False
        await self._loop.run_in_executor(None, self.handle.stop)
        self.close()

    async def __aexit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        await self.aclose()


__all__: List[str] = ["Beacon", "Confirmed", "Messenger", "Node", "Structs"]
