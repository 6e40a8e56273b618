"""Floods (denial of service) by visitors of a hostile site: `python -m bench.strangers.floods`.

Reads a `Target` as JSON from standard input, runs one kind of flood for as long as it says, and
prints as JSON how often it got which answer. A process of its own, so that it does not slow the
measuring one; bounded in time and in requests a second; connects to loopback addresses only.
"""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from websocket import WebSocketException, create_connection

from bench.decoding import many_scans

AT_ONCE = 8
SHOPPERS = 6  # of the flood of try-ons: six times twelve at once
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """The hostile merchant's own site, and how hard to flood. `address`: the loopback address from
    which all requests come. `photo`: the file of an ordinary photo."""

    kind: str
    server_url: str
    publishable_key: str
    origin: str
    secret_key: str
    garment_id: str
    photo: str
    address: str = "127.66.6.6"
    seconds: float = 30.0
    per_s: float = 20.0

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Stranger:
    """Sends requests as anonymous shoppers, or with the merchant's secret key."""

    def __init__(self, target: Target):
        self._target = target
        url = urlsplit(target.server_url)
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{url.port}",
            headers={"Host": url.netloc},
            transport=httpx.HTTPTransport(local_address=target.address),
            timeout=PATIENCE_S,
        )

    def shopper(self) -> dict[str, str] | None:
        """A new shopper's authorization header; None if the server refuses one."""
        target = self._target
        boot = self.http.post(
            f"/v1/sites/{target.publishable_key}/boot", json={}, headers={"Origin": target.origin}
        )
        if boot.status_code != httpx.codes.OK:
            return None
        token = self.http.post(
            "/v1/shopper-tokens",
            json={"boot_token": boot.json()["boot_token"]},
            headers={"Origin": target.server_url},
        )
        if token.status_code != httpx.codes.OK:
            return None
        return {"Authorization": f"Bearer {token.json()['shopper_token']}"}

    def backend(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._target.secret_key}"}

    def photo(self, who: dict[str, str], jpeg: bytes) -> httpx.Response:
        said = {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": len(jpeg)}
        upload = self.http.post("/v1/uploads", json=said, headers=who)
        if upload.status_code != httpx.codes.CREATED:
            return upload
        told = upload.json()
        httpx.put(told["url"], content=jpeg, headers=told["headers"], timeout=PATIENCE_S)
        body = {"key": told["key"], "consent_version": "2026-11"}
        return self.http.post("/v1/photos", json=body, headers=who)


def told(answer: httpx.Response) -> str:
    """An answer in short: its status, and the error code of a refusal."""
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return str(answer.status_code)
    with suppress(ValueError):
        return f"{answer.status_code} {answer.json().get('code')}"
    return str(answer.status_code)


# --- the floods ----------------------------------------------------------------------------------

Act = Callable[[], str]


@contextmanager
def scans(target: Target) -> Iterator[Act]:
    """New shoppers upload decompression bombs: JPEGs of 20,000 scans."""
    yield _handing_over(target, many_scans(20_000, 2000))


@contextmanager
def costly(target: Target) -> Iterator[Act]:
    """The same with as many scans as the guard allows: a second of decoding each."""
    yield _handing_over(target, many_scans(20, 7000))


@contextmanager
def photos(target: Target) -> Iterator[Act]:
    """New shoppers upload ordinary photos."""
    yield _handing_over(target, Path(target.photo).read_bytes())


def _handing_over(target: Target, jpeg: bytes) -> Act:
    stranger = Stranger(target)

    def act() -> str:
        who = stranger.shopper()
        return "no shopper" if who is None else told(stranger.photo(who, jpeg))

    return act


@contextmanager
def try_ons(target: Target) -> Iterator[Act]:
    """Some shoppers, each with a checked photo, ask for pictures without end."""
    stranger, jpeg = Stranger(target), Path(target.photo).read_bytes()
    asked = [_with_photo(stranger, jpeg) for _ in range(SHOPPERS)]
    turns = itertools.cycle(asked)

    def act() -> str:
        who, photo_id = next(turns)
        body = {"photo_id": photo_id, "garment_id": target.garment_id}
        return told(stranger.http.post("/v1/try-ons", json=body, headers=who))

    yield act


def _with_photo(stranger: Stranger, jpeg: bytes) -> tuple[dict[str, str], str]:
    who = stranger.shopper()
    if who is None:
        raise SystemExit("the flood's own shoppers were not let in")
    photo_id = stranger.photo(who, jpeg).json()["id"]
    until = time.monotonic() + 60
    while stranger.http.get(f"/v1/photos/{photo_id}", headers=who).json()["status"] != "ready":
        if time.monotonic() > until:
            raise SystemExit("the flood's own photo was not checked")
        time.sleep(0.2)
    return who, str(photo_id)


@contextmanager
def uploads(target: Target) -> Iterator[Act]:
    """New shoppers announce uploads of 10 MB, as many as each may."""
    stranger = Stranger(target)
    said = {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 10_000_000}
    local = threading.local()

    def act() -> str:
        who = getattr(local, "who", None) or stranger.shopper()
        if who is None:
            return "no shopper"
        answer = stranger.http.post("/v1/uploads", json=said, headers=who)
        local.who = who if answer.status_code == httpx.codes.CREATED else None
        return told(answer)

    yield act


@contextmanager
def shoppers(target: Target) -> Iterator[Act]:
    """Only creates new shoppers."""
    stranger = Stranger(target)
    yield lambda: "no shopper" if stranger.shopper() is None else "200"


@contextmanager
def sockets(target: Target) -> Iterator[Act]:
    """Opens sockets that stay open: half of them silent, half of them sending many frames."""
    stranger = Stranger(target)
    kept: list[Any] = []
    url = urlsplit(target.server_url)

    def act() -> str:
        who = stranger.shopper() if len(kept) % 2 else None
        try:
            source = (target.address, 0)
            raw = socket.create_connection(("127.0.0.1", url.port or 80), PATIENCE_S, source)
            ws = create_connection(
                f"ws://{url.netloc}/v1/live", origin=target.server_url, timeout=2, socket=raw
            )
            kept.append(ws)
            if who is not None:
                ticket = stranger.http.post("/v1/live-tickets", headers=who).json()["ticket"]
                ws.send(json.dumps({"type": "hello", "ticket": ticket, "format": "json"}))
                for _ in range(200):
                    ws.send("x" * 100)
        except (WebSocketException, OSError, KeyError) as error:
            return type(error).__name__
        return "open"

    yield act
    for ws in kept:
        with suppress(WebSocketException, OSError):
            ws.shutdown()


@contextmanager
def slow_addresses(target: Target) -> Iterator[Act]:
    """Garments whose pictures are on a server that sends its headers byte by byte (slowloris)."""
    with _server(_drip) as port:
        yield _announcing(target, port)


@contextmanager
def fat_redirects(target: Target) -> Iterator[Act]:
    """Garments whose pictures are behind redirects with large compressed bodies (a bomb)."""
    with _server(_fat_redirect) as port:
        yield _announcing(target, port)


def _announcing(target: Target, port: int) -> Act:
    stranger, numbers = Stranger(target), itertools.count()

    def act() -> str:
        number = next(numbers)
        ware = {"sku": f"{target.kind}-{number}", "title": "Tee", "category": "upper"}
        body = {**ware, "image_url": f"http://127.0.0.1:{port}/{number}.jpg"}
        return told(stranger.http.post("/v1/garments", json=body, headers=stranger.backend()))

    return act


@contextmanager
def _server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.recv(65536)
                answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def _drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(30):
        time.sleep(1)
        connection.sendall(b"x")


_PACKED = gzip.compress(bytes(400_000_000), 1)  # 400 MB of zeros


def _fat_redirect(connection: socket.socket) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: {len(_PACKED)}\r\n"
    connection.sendall(f"{head}Content-Encoding: gzip\r\n\r\n".encode() + _PACKED)


KINDS: dict[str, Callable[[Target], Any]] = {
    flood.__name__: flood
    for flood in (
        scans, costly, slow_addresses, fat_redirects, try_ons, photos, uploads, shoppers, sockets
    )
}  # fmt: skip


# --- the pace ------------------------------------------------------------------------------------


def flood(target: Target) -> Counter[str]:
    """Runs one flood at its rate; returns how often it got which answer."""
    answers: Counter[str] = Counter()
    with KINDS[target.kind](target) as act, ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.monotonic()
        sys.stderr.write("flooding\n")  # the measuring process starts now
        sys.stderr.flush()
        while (elapsed := time.monotonic() - began) < target.seconds:
            wanted = int(elapsed * target.per_s) - answers.total()
            for answer in pool.map(lambda _: _safely(act), range(max(0, min(AT_ONCE, wanted)))):
                answers[answer] += 1
            time.sleep(0.01)
    return answers


def _safely(act: Act) -> str:
    try:
        return act()
    except httpx.HTTPError as error:
        return type(error).__name__


if __name__ == "__main__":
    print(json.dumps(flood(Target(**json.loads(sys.stdin.read())))))
