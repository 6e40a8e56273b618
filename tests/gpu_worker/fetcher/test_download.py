"""A merchant's address must lead nowhere but to public pictures, whatever is sent from there."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_worker.confined import Pool
from gpu_worker.contract import Reason, address_fault
from gpu_worker.fetcher import download as downloads
from gpu_worker.fetcher.courier import CHILD
from gpu_worker.fetcher.download import Bounds, NotFetchedError, download
from tests.gpu_worker.fetcher.conftest import BOUNDS, HASTE
from tests.hostile_shop import BODY, HostileShop

PUBLIC = replace(BOUNDS, allow_loopback=False)
MOST_BYTES = 120_000_000  # of a child's memory; it has some 35 MB before it does anything


def fetched(pool: Pool, address: str, bounds: Bounds = BOUNDS) -> bytes | str:
    """The picture, or the reason."""
    answer = pool.run({"address": address, **asdict(bounds)})
    return str(answer.head["reason"]) if answer.head else bytes(answer.body)


def _argv(process: psutil.Process) -> list[str]:
    """Nothing of one that has ended: another test of this process may have left it."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def peak_bytes() -> int:
    """The most memory that a child of ours ever had."""
    with_memory = [child for child in psutil.Process().children() if CHILD in _argv(child)]
    assert with_memory
    status = [Path(f"/proc/{child.pid}/status").read_text() for child in with_memory]
    return max(1024 * int(told.split("VmHWM:")[1].split()[0]) for told in status)


@pytest.mark.parametrize(
    "path",
    [
        "tee.jpg",
        "until-closed.jpg",
        "relative",
        "unquoted",
        "hop/1",
        "hop/3",
        "bomb-redirect",
        "endless-redirect",
    ],
)
def test_a_picture_is_fetched(pool: Pool, merchant: HostileShop, path: str) -> None:
    assert fetched(pool, f"{merchant.url}/{path}") == BODY
    assert peak_bytes() < MOST_BYTES


REFUSED = [
    ("nothing.jpg", "image_url_unreachable"),
    ("shut", "image_url_unreachable"),
    ("noise", "image_url_unreachable"),
    # elsewhere
    ("hop/4", "image_url_unreachable"),
    ("loop", "image_url_unreachable"),
    ("nowhere", "image_url_unreachable"),
    ("inside", "image_url_unreachable"),
    ("file", "image_url_unreachable"),
    ("credentials", "image_url_unreachable"),
    # without end
    ("endless-header", "image_url_unreachable"),
    ("endless-headers", "image_url_unreachable"),
    ("endless-chunk-size.jpg", "image_url_unreachable"),
    ("endless-trailer.jpg", "image_url_unreachable"),
    ("endless.jpg", "file_too_large"),
    ("endless-chunks.jpg", "file_too_large"),
    # too much, or not what was said
    ("large.jpg", "file_too_large"),
    ("large-unsaid.jpg", "file_too_large"),
    ("said-large.jpg", "file_too_large"),
    ("said-longer.jpg", "image_url_unreachable"),
    ("said-oddly.jpg", "image_url_unreachable"),
    ("encoded.jpg", "image_url_unreachable"),
    ("bomb.jpg", "image_url_unreachable"),
]


@pytest.mark.parametrize(("path", "reason"), REFUSED, ids=[path for path, _ in REFUSED])
def test_refusals(pool: Pool, merchant: HostileShop, path: str, reason: str) -> None:
    assert fetched(pool, f"{merchant.url}/{path}") == reason
    assert peak_bytes() < MOST_BYTES
    assert fetched(pool, f"{merchant.url}/tee.jpg") == BODY  # the next one meets nothing of it


@pytest.mark.parametrize(
    ("path", "bounds"),
    [
        ("drip-header", replace(HASTE, total_s=600)),  # the pool would kill its child before
        ("continue", replace(HASTE, total_s=600)),
        ("silent", replace(HASTE, total_s=600)),
        ("drip-body.jpg", replace(HASTE, head_s=60)),
    ],
)
def test_headers_and_the_whole_have_times_of_their_own(
    pool: Pool, merchant: HostileShop, path: str, bounds: Bounds
) -> None:
    assert fetched(pool, f"{merchant.url}/{path}", bounds) == "image_url_unreachable"
    assert fetched(pool, f"{merchant.url}/tee.jpg") == BODY


def test_every_hop_is_checked_as_the_first(
    merchant: HostileShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where other ports than the web's are closed: this shop's alone is open."""

    def fault(address: str, *, any_port: bool) -> str | None:
        ours = address.startswith(merchant.url)
        return None if any_port and ours else address_fault(address)

    monkeypatch.setattr(downloads, "address_fault", fault)
    assert download(f"{merchant.url}/hop/2", BOUNDS) == BODY
    for path in ("ssh", "credentials", "file"):
        with pytest.raises(NotFetchedError) as refused:
            download(f"{merchant.url}/{path}", BOUNDS)
        assert "port" in refused.value.detail or "address" in refused.value.detail


def test_loopback_is_not_even_knocked_at(
    merchant: HostileShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "address_fault", lambda _address, any_port: None)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"):
        with pytest.raises(NotFetchedError):
            download(f"http://{host}:{merchant.port}/tee.jpg", PUBLIC)
    assert merchant.knocks == []


@pytest.mark.parametrize(
    "address",
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
        "http://8.8.8.8:22/",
        "http://ada:key@8.8.8.8/",
    ],
)
def test_private_places_are_refused(address: str) -> None:
    with pytest.raises(NotFetchedError) as refused:
        download(address, PUBLIC)
    assert refused.value.reason is Reason.IMAGE_URL_UNREACHABLE
    assert "too slow" not in refused.value.detail


def test_our_own_proxy_is_not_asked(merchant: HostileShop, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", merchant.url)
    with pytest.raises(NotFetchedError):
        download("http://10.0.0.1/tee.jpg", PUBLIC)
    assert merchant.knocks == []
