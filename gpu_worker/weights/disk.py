"""Finds weight files on this machine and verifies them against the lock file (SHA-256 and size).

Knows paths and hashes. Never the network, no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from huggingface_hub import try_to_load_from_cache

from gpu_worker.config import Settings
from gpu_worker.weights.sources import SOURCES, Kind, Source, WeightsError

CHUNK_BYTES = 1 << 20


class Fingerprint(TypedDict):
    """Hash and size of one file."""

    sha256: str
    size_bytes: int


class Fetched(TypedDict):
    """What the lock file records of one repository; `files` by name."""

    revision: str
    licence: str
    files: dict[str, Fingerprint]


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock file: JSON with revision and file hashes of each repository that was fetched."""

    path: Path

    def read(self) -> dict[str, Fetched]:
        kept: dict[str, Fetched] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return kept

    def record(self, source: Source, revision: str, files: dict[str, Path]) -> None:
        """Adds a repository. The file is replaced by a rename, so that a crash leaves no half."""
        prints = {name: fingerprint(path) for name, path in files.items()}
        entry: Fetched = {"revision": revision, "licence": source.licence, "files": prints}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({**self.read(), source.repository: entry}, indent=1) + "\n")
        fresh.replace(self.path)

    def revision(self, source: Source) -> str | None:
        entry = self.read().get(source.repository)
        return (entry.get("revision") or None) if entry else None


def fingerprint(path: Path) -> Fingerprint:
    """SHA-256 and size of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return {"sha256": digest.hexdigest(), "size_bytes": path.stat().st_size}


def differences(source: Source, files: dict[str, Path], lock: Lock) -> Iterator[str]:
    """One line for each file that is missing or differs from the lock file."""
    remembered = lock.read()[source.repository]["files"]
    for name in source.files:
        if name not in files:
            yield f"{source.repository}/{name}: missing"
        elif name not in remembered:
            yield f"{source.repository}/{name}: not in the lock file"
        elif fingerprint(files[name]) != remembered[name]:
            yield f"{source.repository}/{name}: not the file that was fetched first"


def locate(source: Source, lock: Lock) -> dict[str, Path]:
    """The paths of a repository's files in the hub's cache, of those that are there. No network."""
    revision = lock.revision(source)
    found = {
        name: try_to_load_from_cache(source.repository, name, revision=revision)
        for name in source.files
    }
    return {name: Path(path) for name, path in found.items() if isinstance(path, str)}


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """Finds weights in a folder of `<owner>/<repository>/…`, or without one in the hub's cache."""

    lock: Lock
    folder: Path | None = None

    def files(self, source: Source) -> dict[str, Path]:
        """The paths of the files that are there, by name."""
        if self.folder is None:
            return locate(source, self.lock)
        root = self.folder / source.repository
        return {name: root / name for name in source.files if (root / name).is_file()}

    def root(self, source: Source) -> Path:
        """The folder that holds all of a repository's files.

        Raises:
            WeightsError: one is missing; says which and what to do.
        """
        files = self.files(source)
        missing = [name for name in source.files if name not in files]
        if missing:
            raise WeightsError(
                f"{source.repository}/{missing[0]} is not here;"
                " run: python -m gpu_worker weights fetch"
            )
        first = source.files[0]
        # As many levels up as the file's name has folders.
        return files[first].parents[first.count("/")]


def weight_files_of(settings: Settings) -> WeightFiles:
    """The weight files and the lock file that the settings name."""
    folder = Path(settings.weights_dir) if settings.weights_dir else None
    return WeightFiles(Lock(Path(settings.weights_lock)), folder)


def check(kind: Kind, weight_files: WeightFiles) -> Iterator[str]:
    """Compares every file on disk with the lock; yields one line for each fault."""
    for source in SOURCES[kind].all():
        if weight_files.lock.revision(source) is None:
            yield f"{source.repository}: not in {weight_files.lock.path}; fetch it first"
            continue
        yield from differences(source, weight_files.files(source), weight_files.lock)
