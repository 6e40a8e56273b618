"""A hostile web server for the fetcher's tests: slow, endless or false answers, by path.

On raw sockets, so that no library corrects what is sent. Its threads end with the test.
"""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count

BODY = b"\xff\xd8\xff a picture"
Answer = Callable[[socket.socket], None]
DRIP_S = 0.05


class HostileShop:
    """The server. `knocks`: the paths that were requested, in order; `let_go`: set to end all
    answers that go on slowly or for ever."""

    def __init__(self, body: bytes = BODY) -> None:
        self.body = body
        self.knocks: list[str] = []
        self.let_go = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self.let_go.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, IndexError):
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(4096) or b"\r\n\r\n"
            path = asked.split(b" ")[1].decode()
            self.knocks.append(path)
            self._answer(path)(connection)

    def _answer(self, path: str) -> Answer:
        name, _, rest = path.lstrip("/").partition("/")
        if name == "hop":
            left = int(rest)
            return self._redirect(f"/hop/{left - 1}" if left > 1 else "/tee.jpg")
        return self._answers().get(name, _head("404 Not Found", "Content-Length: 2", body=b"no"))

    def _answers(self) -> dict[str, Answer]:
        coded, chunked = "Content-Encoding: gzip", "Transfer-Encoding: chunked"
        return {
            "tee.jpg": _head("200 OK", f"Content-Length: {len(self.body)}", body=self.body),
            "held.jpg": _then(self._drip(b""), _head("200 OK", body=self.body)),
            "until-closed.jpg": _head("200 OK", body=self.body),
            "relative": self._redirect("tee.jpg"),
            "unquoted": self._redirect("/läden eins.jpg"),
            "l%C3%A4den%20eins.jpg": _head("200 OK", body=self.body),
            "loop": self._redirect("/loop"),
            "inside": self._redirect("http://169.254.169.254/latest"),
            "file": self._redirect("file:///etc/passwd"),
            "credentials": self._redirect(f"http://ada:key@127.0.0.1:{self.port}/tee.jpg"),
            "ssh": self._redirect("http://127.0.0.1:22/"),
            "nowhere": _head("302 Found", "Content-Length: 0"),
            "bomb-redirect": self._redirect("/tee.jpg", coded, body=bomb()),
            "endless-redirect": _then(self._redirect("/tee.jpg"), self._flood(b"x" * 65_536)),
            "large.jpg": _head("200 OK", "Content-Length: 5000000", body=bytes(5_000_000)),
            "large-unsaid.jpg": _head("200 OK", body=bytes(5_000_000)),
            "said-large.jpg": _head("200 OK", "Content-Length: 99999999999999999999"),
            "said-longer.jpg": _head("200 OK", "Content-Length: 5000", body=self.body),
            "said-oddly.jpg": _head("200 OK", "Content-Length: -5", "Content-Length: 7"),
            "encoded.jpg": _head("200 OK", coded, body=gzip.compress(self.body)),
            "bomb.jpg": _head("200 OK", coded, body=bomb()),
            "endless.jpg": _then(_head("200 OK"), self._flood(b"x" * 65_536)),
            "endless-chunks.jpg": _then(
                _head("200 OK", chunked), self._flood(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            ),
            "endless-chunk-size.jpg": _then(
                _head("200 OK", chunked), self._flood(b"0" * 65_536)
            ),
            "endless-trailer.jpg": _then(
                _head("200 OK", chunked, body=b"0\r\nX: "), self._flood(b"x" * 65_536)
            ),
            "endless-header": _then(_raw(b"HTTP/1.1 200 OK\r\nX: "), self._flood(b"x" * 65_536)),
            "endless-headers": _then(
                _raw(b"HTTP/1.1 200 OK\r\n"), self._flood(b"X-Y: " + b"z" * 60_000 + b"\r\n")
            ),
            "continue": self._flood(b"HTTP/1.1 100 Continue\r\n\r\n"),
            "drip-header": _then(_raw(b"HTTP/1.1 200 OK\r\n"), self._drip(b"X: 1\r\n")),
            "drip-body.jpg": _then(_head("200 OK"), self._drip(b"x")),
            "silent": self._drip(b""),
            "shut": lambda _connection: None,
            "noise": _raw(b"\x00\xff not HTTP\r\n\r\n"),
        }  # fmt: skip

    def _redirect(self, where: str, *headers: str, body: bytes = b"") -> Answer:
        return _head("302 Found", f"Location: {where}", *headers, body=body)

    def _flood(self, part: bytes) -> Answer:
        """Sends a part again and again until the client closes."""

        def send(connection: socket.socket) -> None:
            while not self.let_go.is_set():
                connection.sendall(part)

        return send

    def _drip(self, part: bytes) -> Answer:
        """Sends a part every `DRIP_S` until `let_go`; an empty part: stays silent."""

        def send(connection: socket.socket) -> None:
            for _ in count():
                connection.sendall(part)
                if self.let_go.wait(DRIP_S):
                    return

        return send


@cache
def bomb() -> bytes:
    """A gzip bomb: 50 MB as 49 KB."""
    return gzip.compress(bytes(50_000_000))


def _raw(data: bytes) -> Answer:
    return lambda connection: connection.sendall(data)


def _head(status: str, *headers: str, body: bytes = b"") -> Answer:
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]
    return _raw("\r\n".join(lines).encode() + body)


def _then(*answers: Answer) -> Answer:
    def send(connection: socket.socket) -> None:
        for answer in answers:
            answer(connection)

    return send


@contextmanager
def hostile_shop(body: bytes = BODY) -> Iterator[HostileShop]:
    shop = HostileShop(body)
    try:
        yield shop
    finally:
        shop.close()
