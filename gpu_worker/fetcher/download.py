"""Downloads a URL that a merchant chose, guarded against SSRF.

Every redirect is checked like the first URL: its syntax, and the IP addresses of its host. Bounded
in bytes and time, except for a name server that hangs: the parent process must end that. Knows HTTP
only.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from urllib.parse import urljoin

import requests
from requests.utils import requote_uri
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.exceptions import HTTPError

from gpu_worker.contract import Reason, address_fault

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK_BYTES = 65_536
HEADERS = {
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "Proteus",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """head_s: until status and headers of one hop have arrived. total_s: for everything.
    allow_loopback: for tests, and where shop and worker run on one machine."""

    max_bytes: int
    head_s: float
    total_s: float
    allow_loopback: bool = False


class NotFetchedError(Exception):
    """Nothing could be downloaded, or it was not allowed; `reason` is for the merchant."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class _TimeIsUp(BaseException):  # no Exception: a library might handle that as its own error
    """Raised by the alarm's signal handler, in the middle of whatever waits."""


def download(address: str, bounds: Bounds) -> bytes:
    """The bytes at this URL. Call it in the main thread: only there do signals work as a timeout.

    Raises:
        NotFetchedError: image_url_unreachable (not there, not allowed, too slow), file_too_large.
    """
    try:
        return _follow(address, bounds)
    except _TimeIsUp:
        raise _unreachable("too slow") from None
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise _unreachable(type(error).__name__) from error


def _follow(address: str, bounds: Bounds) -> bytes:
    until = time.monotonic() + bounds.total_s
    for _ in range(MAX_REDIRECTS + 1):
        with _asked(address, bounds, until) as answer:
            if answer.status_code not in REDIRECTS:
                return _picture(answer, bounds, until)
            address = urljoin(address, _target(answer))
    raise _unreachable("too many redirects")


@contextmanager
def _asked(address: str, bounds: Bounds, until: float) -> Iterator[requests.Response]:
    """A response with its headers; the body is read only if the caller does so.

    Not by a `requests.Session`: that reads the whole body of a redirect, even without following it.
    """
    request = requests.Request("GET", _checked(address, bounds), headers=HEADERS).prepare()
    # Checked again, because `prepare` has normalised the URL: this one is connected to.
    is_https = _checked(str(request.url), bounds).startswith("https:")
    adapter = IPFilterAdapter(is_https, allow_loopback=bounds.allow_loopback)
    try:
        with _within(min(bounds.head_s, until - time.monotonic())):
            answer = adapter.send(request, stream=True, timeout=bounds.head_s)
        with answer:
            yield answer
    finally:
        adapter.close()


def _checked(address: str, bounds: Bounds) -> str:
    fault = address_fault(address, any_port=bounds.allow_loopback)
    if fault is not None:
        raise _unreachable(fault)
    return address


def _target(answer: requests.Response) -> str:
    """The URL in `Location`, quoted: some servers send raw UTF-8 and raw spaces in it."""
    said = answer.headers.get("Location", "").strip()
    with suppress(UnicodeError):
        said = said.encode("latin-1").decode()
    return str(requote_uri(said))


def _picture(answer: requests.Response, bounds: Bounds, until: float) -> bytes:
    if answer.status_code != requests.codes.ok:
        raise _unreachable(f"HTTP {answer.status_code}")
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):  # we asked for none
        raise _unreachable("an encoded answer")
    with _within(until - time.monotonic()):
        return _body(answer, bounds.max_bytes)


def _body(answer: requests.Response, max_bytes: int) -> bytes:
    told = answer.headers.get("Content-Length", "").strip()
    body = bytearray()
    too_large = NotFetchedError(Reason.FILE_TOO_LARGE, f"more than {max_bytes} bytes")
    # More than 18 digits are too many bytes anyway, and Python refuses to parse thousands of them.
    if told.isdecimal() and (len(told) > 18 or int(told) > max_bytes):
        raise too_large
    for chunk in answer.raw.stream(CHUNK_BYTES, decode_content=False):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """A deadline by SIGALRM: a socket's own timeout starts again with every byte that arrives."""
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise _TimeIsUp


def _unreachable(detail: str) -> NotFetchedError:
    return NotFetchedError(Reason.IMAGE_URL_UNREACHABLE, detail)
