"""A cache on disk of costly results, between runs and for all processes of a run.

Its key covers, byte for byte, the product's code and networks that the result can depend on, the
code that computes the result here, the installed libraries, and the result's inputs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import platform
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

LIBRARIES = Path(np.__file__).parents[1]
KEPT = 3  # versions of the code: a developer may go back and forth between two
T = TypeVar("T")


class DiskCache:
    """The cache for one version of the code. `get("person", [photo], make)`: the result of `make()`
    for these bytes, now or earlier. Safe for several processes and threads."""

    def __init__(self, folder: Path, code: str) -> None:
        self._folder = folder / code
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.touch()
        with _locked(folder / "lock"):
            _forget_oldest(folder)

    def get(self, name: str, inputs: Iterable[bytes], make: Callable[[], T]) -> T:
        """The first that asks computes it, others wait for that. What `make` raises is not kept."""
        path = self._folder / f"{name}-{digest(inputs)}"
        if not path.exists():
            with _locked(path.with_suffix(".lock")):
                if not path.exists():  # nobody made it while we waited
                    _write(path, make())
        return cast(T, pickle.loads(zlib.decompress(path.read_bytes())))


def digest(parts: Iterable[bytes]) -> str:
    """A hash of these parts and their lengths: without those, `ab, c` would equal `a, bc`."""
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()


def code_digest(*code: Path) -> str:
    """A hash of everything that a result can depend on besides its inputs.

    code: files, and folders with all that is in them.
    """
    installed = sorted(path.name for path in LIBRARIES.glob("*.dist-info"))
    machine = (platform.python_version(), platform.platform())
    texts = [text.encode() for text in (*installed, *machine)]
    return digest([*_contents((Path(__file__), *code)), *texts])


def _contents(code: Iterable[Path]) -> Iterator[bytes]:
    for root in code:
        files = [root] if root.is_file() else sorted(root.rglob("*"))
        if not files:
            raise FileNotFoundError(root)
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(root)).encode()
                yield path.read_bytes()


def _write(path: Path, result: object) -> None:
    """Writes atomically: a reader finds the whole result or none."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(zlib.compress(pickle.dumps(result, 5), 1))
    unfinished.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_oldest(folder: Path) -> None:
    versions = [path for path in folder.iterdir() if path.is_dir()]
    for path in sorted(versions, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path)
