"""Small random weights in the real layout, written once; the recorded cases of the reference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.environ.get("CI") == "true":
    import torch  # in CI a missing part fails
else:
    torch = pytest.importorskip(
        "torch", reason="torch is missing: pip install -r gpu_worker/requirements.txt"
    )

from gpu_worker.engines.catvton.tiny import write_tiny
from gpu_worker.weights.sources import Kind

# The models are tiny: more threads than one only get in each other's way.
torch.set_num_threads(1)
GOLDEN = Path(__file__).parents[3] / "data" / "golden"
BESIDE = Path(__file__).parents[5] / "shared" / "golden"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for kind in Kind:
        write_tiny(folder, kind)
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN
