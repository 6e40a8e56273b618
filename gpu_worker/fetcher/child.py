"""`python -m gpu_worker.fetcher.child`: the confined child that downloads, one URL after another.

Its environment holds no key of ours. It is killed when it exceeds its limits.
"""

from __future__ import annotations

from gpu_worker.confined.child import serve
from gpu_worker.confined.wire import Head
from gpu_worker.fetcher.download import Bounds, NotFetchedError, download


def fetch(asked: Head, _body: bytes) -> tuple[Head, bytes]:
    """The bytes, or in the head the reason why there are none."""
    bounds = Bounds(
        max_bytes=int(asked["max_bytes"]),
        head_s=float(asked["head_s"]),
        total_s=float(asked["total_s"]),
        allow_loopback=bool(asked["allow_loopback"]),
    )
    try:
        return {}, download(str(asked["address"]), bounds)
    except NotFetchedError as error:
        return {"reason": error.reason.value, "detail": error.detail}, b""


if __name__ == "__main__":
    serve(fetch)
