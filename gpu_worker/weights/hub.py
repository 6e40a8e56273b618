"""Downloads weights from the model hub, when an operator asks for it (`weights fetch`).

The only module that uses the hub's network. The hub's own client resumes, shows progress and
respects HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE. The first fetch records revision, size
and SHA-256 of every file in the lock file; later fetches ask for that revision and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

from gpu_worker.weights.disk import Lock, differences
from gpu_worker.weights.sources import SOURCES, Kind, Source, WeightsError


def fetch(kind: Kind, lock: Lock, agrees: Callable[[Source], bool]) -> None:
    """Downloads what is missing of a pipeline; records it in the lock file or compares it.

    Raises:
        WeightsError: a licence was not agreed to, the hub refused, or a file differs from the lock.
    """
    for source in SOURCES[kind].all():
        if lock.revision(source) is None and not agrees(source):
            raise WeightsError(f"{source.repository}: its licence was not agreed to")
        _fetch_source(source, lock)


def _fetch_source(source: Source, lock: Lock) -> None:
    revision = lock.revision(source)
    files = {name: _download(source, name, revision) for name in source.files}
    if revision is None:
        lock.record(source, _revision_of(files), files)
        return
    for fault in differences(source, files, lock):
        raise WeightsError(fault)


def _download(source: Source, name: str, revision: str | None) -> Path:
    try:
        return Path(hf_hub_download(source.repository, name, revision=revision))
    except GatedRepoError as error:
        raise WeightsError(
            f"{source.repository} is gated: agree to its terms on its page, then set HF_TOKEN"
        ) from error
    except LocalEntryNotFoundError as error:
        raise WeightsError(
            f"{source.repository}/{name} is not here and the hub is out of reach"
        ) from error
    except (HfHubHTTPError, httpx2.TransportError) as error:
        raise WeightsError(f"{source.repository}/{name}: {error}") from error


def _revision_of(files: dict[str, Path]) -> str:
    """The commit of the files, from their paths in the hub's cache: snapshots/<commit>/<name>."""
    revisions = {path.parts[path.parts.index("snapshots") + 1] for path in files.values()}
    if len(revisions) != 1:
        raise WeightsError("the repository changed during the fetch; fetch again")
    return revisions.pop()
