"""A fetcher's child that three names break: for one the name server never answers, and no alarm
reaches it meanwhile; one takes all memory; one raises what nobody expects.
"""

from __future__ import annotations

import signal
import socket
import time
from typing import Any

from gpu_worker.confined.child import serve
from gpu_worker.fetcher.child import fetch

_ask = socket.getaddrinfo


def ask(host: Any, *args: Any, **options: Any) -> Any:
    if host == "hangs.example":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(3600)
    if host == "fills.example":
        bytearray(1 << 34)
    if host == "fails.example":
        raise LookupError(host)
    return _ask(host, *args, **options)


if __name__ == "__main__":
    socket.getaddrinfo = ask
    serve(fetch)
