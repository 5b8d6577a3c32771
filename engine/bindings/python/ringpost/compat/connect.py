"""Connect: devices that find each other by name.

Differences to the original program, where it broke what it documents:

* Texts have up to 64 KiB between two of ours, and none is lost or merged with another. One that contains a separator
  of the format raises TextNotCarried.
* The list of devices has those to which a message can be sent now. A device that was lost and comes back is listed
  again.
* askDevice() returns as soon as all have answered, and its questions cannot be confused.
* The callbacks run on a thread of their own, one after the other, so that they block neither the network nor
  askDevice(). With parallel=True questions have a thread for themselves.
* leavingNetwork() says goodbye and ends the threads.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
from queue import Queue
from typing import Any, Callable, Dict, Iterable, List, Optional, Union

from .. import devices
from .._handle import Address
from ..errors import Closed, PeerRefused, QueueFull, RingpostError

DEST_ALL = "toAll"
MULTICAST_ADDR = "239.255.4.3"
udpPort = 3235
tcpPortServer = 4112
SEP = ":,:"
MESSAGETAG = "MeSsAgE"
QUESTIONTAG = "QuEsTiOn"

# Callbacks that wait; then messages wait in the engine, and hold their senders back.
CALLBACKS_MAX = 256
Callbacks = Queue[Optional[Callable[[], None]]]

log = logging.getLogger("ringpost.connect")


class Failure(str):
    """The message or question whose callback has raised `exception`; `source` has sent it."""

    exception: BaseException
    source: str
    is_question: bool


def _received(message: str, source: str) -> None:
    log.info("message received from %s: %s", source, message)


def _updated(remotes: Dict[str, Address]) -> None:
    log.info("devices: %s", ", ".join(sorted(remotes)))


def _failed(error: Failure) -> None:
    log.warning("%s", error, exc_info=getattr(error, "exception", None))


def _no_answer(question: str, source: str) -> str:
    return ""


class Connect:
    """fr(message, source) is called for each message, fhu(devices) when the list of devices changes, fa(question,
    source) returns an answer, and fe(failure) is called if one of them raises. `name` is by default that of the host."""

    instance: "Optional[Connect]" = None

    def __init__(self, fr: Callable[[str, str], Any] = _received,
                 fhu: Callable[[Dict[str, Address]], Any] = _updated, fe: Callable[[Failure], Any] = _failed,
                 fa: Callable[[str, str], str] = _no_answer, name: Optional[str] = None,
                 multicast_ip: str = MULTICAST_ADDR, port: int = udpPort, *, parallel: bool = False, **options: Any):
        self.myfuncRecep, self.funcHostsUpdate, self.myfuncError, self.myfuncAnswer = fr, fhu, fe, fa
        self.name = socket.gethostname() if name is None else name
        self.remoteDevices: Dict[str, Address] = {}
        self.alive = True
        self._node = devices.Node(self.name, group=(multicast_ip, port), **options)
        self._callbacks: Callbacks = Queue(CALLBACKS_MAX)
        threads = [(self._run, self._callbacks), (self._take_notices, self._callbacks)]
        if parallel:
            questions: Callbacks = Queue(CALLBACKS_MAX)
            threads += [(self._run, questions), (self._take_questions, questions)]
        else:
            threads += [(self._take_questions, self._callbacks)]
        self._threads = [threading.Thread(target=target, args=(of,), name=f"Connect {self.name}", daemon=True)
                         for target, of in threads]
        self._queues = {id(of): of for _, of in threads}.values()
        Connect.instance = self
        for thread in self._threads:
            thread.start()

    # ---- for the user

    def sendMessage(self, message: str, dest: Union[str, Iterable[str]]) -> None:
        """Sends to one device, several, or all (DEST_ALL). Devices that are not connected get nothing."""
        if dest == DEST_ALL:
            self._node.send_all(message)
            return
        for name in [dest] if isinstance(dest, str) else dest:
            try:
                self._node.send(message, name)
            except (PeerRefused, QueueFull) as error:
                log.info("%s: %s", name, error)

    def askDevice(self, question: str, dest: Union[str, List[str]], timeout: float = 2) -> Dict[str, str]:
        """Asks one or several devices, and returns the answer of each by its name: "" of one that did not answer in
        time."""
        names = [dest] if isinstance(dest, str) else list(dest)
        answers = self._node.ask(question, names, timeout)
        return {name: answers[name].text if name in answers else "" for name in names}

    def leavingNetwork(self) -> None:
        """Says goodbye to all devices. Idempotent."""
        if not self.alive:
            return
        self.alive = False
        self._node.stop()
        for of in self._queues:
            _end(of)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._node.close()

    def __enter__(self) -> "Connect":
        return self

    def __exit__(self, *_: object) -> None:
        self.leavingNetwork()

    # ---- the threads

    @staticmethod
    def _run(callbacks: Callbacks) -> None:
        while True:
            callback = callbacks.get()
            if callback is None:
                return
            callback()

    def _put(self, callbacks: Callbacks, callback: Callable[[], None]) -> None:
        while self.alive:
            try:
                return callbacks.put(callback, timeout=0.1)
            except queue.Full:
                continue

    def _take_notices(self, callbacks: Callbacks) -> None:
        while self.alive:
            try:
                notice = self._node.receive(timeout=1)
            except TimeoutError:
                continue
            except Closed:
                return
            if notice.change is None:
                self._put(callbacks, lambda notice=notice: self._on_message(notice))  # type: ignore[misc]
            else:
                self._put(callbacks, self._on_change)

    def _take_questions(self, callbacks: Callbacks) -> None:
        while self.alive:
            try:
                question = self._node.next_question(timeout=1)
            except TimeoutError:
                continue
            except Closed:
                return
            self._put(callbacks, lambda question=question: self._on_question(question))  # type: ignore[misc]

    # ---- the callbacks

    def _on_message(self, notice: devices.Notice) -> None:
        try:
            self.myfuncRecep(notice.text, notice.name)
        except BaseException as error:
            self._fail(notice.text, notice.name, False, error)

    def _on_question(self, question: devices.Question) -> None:
        try:
            self._node.answer(question, str(self.myfuncAnswer(question.text, question.name)))
        except BaseException as error:
            if not self._node.closed:
                try:
                    self._node.drop(question)
                except RingpostError:
                    pass
            self._fail(question.text, question.name, True, error)

    def _on_change(self) -> None:
        try:
            known = self._node.peers()
        except Closed:
            return
        remotes = {name: peer.address for name, peer in known.items() if peer.connected}
        if remotes == self.remoteDevices:
            return
        self.remoteDevices = remotes
        try:
            self.funcHostsUpdate(dict(remotes))
        except BaseException as error:
            self._fail("", "", False, error)

    def _fail(self, text: str, source: str, is_question: bool, error: BaseException) -> None:
        failure = Failure(text)
        failure.exception, failure.source, failure.is_question = error, source, is_question
        try:
            self.myfuncError(failure)
        except BaseException:
            log.exception("the callback for errors has failed")


def _end(callbacks: Callbacks) -> None:
    """Ends the thread that runs them; those that still wait are dropped."""
    while True:
        try:
            return callbacks.put_nowait(None)
        except queue.Full:
            try:
                callbacks.get_nowait()
            except queue.Empty:
                continue


__all__ = ["Connect", "DEST_ALL", "Failure"]
