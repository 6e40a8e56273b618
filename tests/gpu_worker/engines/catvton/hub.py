"""A stand-in for the model hub on loopback: serves a folder of `<owner>/<repository>/<file>`.

Speaks as much of the hub's HTTP as its own client needs: HEAD and GET of `resolve`, ranges, the
commit header. It can break a download off, and say that a repository is gated.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = hashlib.sha1(b"stand-in").hexdigest()


@dataclass
class Hub:
    folder: Path
    url: str = ""
    ranges: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    break_off_after: int | None = None
    gated: set[str] = field(default_factory=set)

    @property
    def requests(self) -> int:
        return len(self.served)


@contextmanager
def running(folder: Path) -> Iterator[Hub]:
    hub = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Answers,), {"hub": hub})


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, send_body: bool) -> None:
        self.hub.served.append(self.path)
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        path = self.hub.folder / repository / rest.partition("/")[2]
        if repository in self.hub.gated:
            self._refuse(403, "GatedRepo")
        elif not path.is_file():
            self._refuse(404, "EntryNotFound")
        else:
            self._send(path.read_bytes(), send_body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, send_body: bool) -> None:
        start = self._range_start()
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if send_body:
            self._write(body[start:])

    def _range_start(self) -> int:
        asked = self.headers.get("Range", "")
        if self.command != "GET" or not asked.startswith("bytes="):
            return 0
        self.hub.ranges.append(asked)
        return int(asked.removeprefix("bytes=").split("-")[0])

    def _write(self, body: bytes) -> None:
        limit = self.hub.break_off_after
        if limit is None or len(body) <= limit:
            self.wfile.write(body)
            return
        self.wfile.write(body[:limit])
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()
