"""Who may import whom. The arrows themselves are contracts in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT, imported, sources

WORKER_NEVER = {"server", "flask", "sqlalchemy", "apiflask", "gunicorn"}


def test_the_contract_imports_only_the_standard_library() -> None:
    paths = [path for path in sources(".py", "gpu_worker") if path.parent.name == "contract"]
    assert paths
    for path in paths:
        foreign = {name for name in imported(path) if not name.startswith("gpu_worker.contract.")}
        assert {name.split(".")[0] for name in foreign} <= sys.stdlib_module_names, path


def test_the_worker_package_is_empty() -> None:
    assert (ROOT / "gpu_worker" / "__init__.py").read_text() == ""


@pytest.mark.parametrize("path", [*sources(".py", "gpu_worker")], ids=lambda path: path.name)
def test_the_worker_knows_no_server(path: Path) -> None:
    assert not WORKER_NEVER & {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", [*sources(".py", "embed")], ids=lambda path: path.name)
def test_the_demo_shop_is_a_stranger_to_the_server(path: Path) -> None:
    assert not {"gpu_worker", "server"} & {name.split(".")[0] for name in imported(path)}


def test_torch_is_imported_by_the_worker_alone() -> None:
    torch = {"torch", "diffusers", "transformers"}
    for path in sources(".py", "server", "embed", "widget"):
        assert not torch & {name.split(".")[0] for name in imported(path)}, path


def test_the_arrows_of_the_design_hold() -> None:
    argv = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
