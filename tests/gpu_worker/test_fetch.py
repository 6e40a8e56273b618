"""A merchant's URL must lead nowhere but to public pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal
from gpu_worker.fetch import Fetcher

BODY = b"\xff\xd8\xff a picture"


class Shop(BaseHTTPRequestHandler):
    """Answers by path, and counts who knocked."""

    knocks: list[str]

    def do_GET(self) -> None:
        Shop.knocks.append(self.path)
        paths: dict[str, Callable[[], None]] = {
            "/tee.jpg": lambda: self._answer(200, BODY),
            "/large.jpg": lambda: self._answer(200, bytes(5000)),
            "/lies.jpg": lambda: self._answer(200, bytes(5000), length=None),
            "/drip.jpg": self._drip,
            "/once": lambda: self._answer(302, b"", Location="/tee.jpg"),
            "/loop": lambda: self._answer(302, b"", Location="/loop"),
            "/inside": lambda: self._answer(302, b"", Location="http://169.254.169.254/latest"),
            "/file": lambda: self._answer(302, b"", Location="file:///etc/passwd"),
        }
        paths.get(self.path, lambda: self._answer(404, b"no"))()

    def _answer(self, status: int, body: bytes, length: int | None = -1, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(100):
            self.wfile.write(f"X-{n}: 1\r\n".encode())
            self.wfile.flush()
            time.sleep(0.1)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def shop_url() -> Iterator[str]:
    Shop.knocks = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/tee.jpg", "/once"])
def test_a_picture_is_fetched(shop_url: str, path: str) -> None:
    assert Fetcher(1000, allow_loopback=True).fetch(shop_url + path) == BODY


REFUSED = [
    ("/nothing.jpg", Reason.IMAGE_URL_UNREACHABLE),
    ("/large.jpg", Reason.FILE_TOO_LARGE),
    ("/lies.jpg", Reason.FILE_TOO_LARGE),
    ("/drip.jpg", Reason.IMAGE_URL_UNREACHABLE),
    ("/loop", Reason.IMAGE_URL_UNREACHABLE),
    ("/inside", Reason.IMAGE_URL_UNREACHABLE),
    ("/file", Reason.IMAGE_URL_UNREACHABLE),
]


@pytest.mark.parametrize(("path", "reason"), REFUSED)
def test_refusals(shop_url: str, path: str, reason: Reason) -> None:
    began = time.monotonic()
    with pytest.raises(Refusal) as refused:
        Fetcher(1000, allow_loopback=True, total_s=1).fetch(shop_url + path)
    assert refused.value.reason is reason
    assert time.monotonic() - began < 8  # one of them would go on for ten


def test_loopback_is_not_even_knocked_at(shop_url: str) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"):
        with pytest.raises(Refusal) as refused:
            Fetcher(1000).fetch(shop_url.replace("127.0.0.1", host) + "/tee.jpg")
        assert refused.value.reason is Reason.IMAGE_URL_UNREACHABLE
    assert Shop.knocks == []


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://224.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.com/x.jpg",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://",
        "tee.jpg",
        "",
    ],
)
def test_private_places_and_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        Fetcher(1000, total_s=4).fetch(url)
    assert refused.value.reason is Reason.IMAGE_URL_UNREACHABLE


def test_our_own_proxy_is_not_asked(shop_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", shop_url)
    with pytest.raises(Refusal):
        Fetcher(1000).fetch("http://10.0.0.1/tee.jpg")
    assert Shop.knocks == []
