"""A TCP proxy on loopback for fault injection: cut, refuse, stall, or lose one reply.

Knows no protocol: it forwards bytes, and searches them only for what a `Loss` names.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Loss:
    """A reply to lose, once: the first one with `answer` in it, to a request with `request` in it.

    Instead of the reply the connection ends. `then_cut`: all others end too, until `restore`.
    """

    request: bytes
    answer: bytes = b""
    then_cut: bool = False
    happened: threading.Event = field(default_factory=threading.Event)
    _once: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, answer: bytes) -> bool:
        """Whether this is the reply to lose. True once."""
        return self.answer in answer and self._once.acquire(blocking=False)


@dataclass(slots=True)
class _Link:
    """One proxied connection. `losses`: those whose request came since the last reply."""

    client: socket.socket
    server: socket.socket
    losses: list[Loss] = field(default_factory=list)


class Proxy:
    """Forwards to `target` (host, port), from construction until `end`."""

    def __init__(self, target: tuple[str, int]):
        self._target = target
        self._losses: list[Loss] = []
        self._sockets: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._is_up = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection and refuses new ones, until `restore`."""
        self._is_up = False
        for sock in list(self._sockets):
            _end(sock)

    def restore(self) -> None:
        self._is_up = True

    def fall_silent(self) -> None:
        """Connections stay, nothing passes in either direction, until `wake`."""
        self._flows.clear()

    def wake(self) -> None:
        self._flows.set()

    def lose(self) -> None:
        """Stalls the connections that are open now, for ever; new ones work."""
        self._flows.clear()
        self._flows = threading.Event()
        self._flows.set()

    def lose_answer(self, request: bytes, answer: bytes = b"", *, then_cut: bool = False) -> Loss:
        """Loses one reply: the server carries the request out, the client gets no answer.

        Searches single reads, in which commands and headers arrive whole, and the first read of the
        answer.
        """
        loss = Loss(request, answer, then_cut)
        self._losses = [*self._losses, loss]
        return loss

    def end(self) -> None:
        self.cut()
        self.wake()
        _end(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_up:
                    self._join(client)
                else:
                    _end(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _end(client)
            return
        link = _Link(client, server)
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.add(one)
            threading.Thread(target=self._pump, args=(link, one, other), daemon=True).start()

    def _pump(self, link: _Link, source: socket.socket, sink: socket.socket) -> None:
        flows = self._flows
        with suppress(OSError):
            while data := source.recv(65536):
                flows.wait()
                if source is link.client:
                    link.losses += [loss for loss in self._losses if loss.request in data]
                elif self._is_lost(link, data):
                    break
                sink.sendall(data)
        flows.wait()
        for sock in (source, sink):
            self._sockets.discard(sock)
            _end(sock)

    def _is_lost(self, link: _Link, data: bytes) -> bool:
        asked, link.losses = link.losses, []
        loss = next((loss for loss in asked if loss.takes(data)), None)
        if loss is None:
            return False
        self._losses = [other for other in self._losses if other is not loss]
        if loss.then_cut:
            self.cut()
        loss.happened.set()
        return True


def _end(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


@contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    made = Proxy((host, port))
    try:
        yield made
    finally:
        made.end()
