"""The cache returns a result only for the same code and the same inputs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gpu_worker import disk_cache
from tests.gpu_worker.disk_cache import KEPT, DiskCache, code_digest, digest


class Maker:
    """Counts what it made."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


def test_what_was_made_is_found_by_the_next_run(tmp_path: Path) -> None:
    make = Maker()
    found = [DiskCache(tmp_path, "code").get("person", [b"photo"], make) for _ in range(2)]
    assert found == [1, 1]
    assert make.count == 1


OTHERS: list[tuple[str, str, list[bytes]]] = [
    ("other code", "person", [b"photo"]),
    ("code", "garment", [b"photo"]),
    ("code", "person", [b"photO"]),
    ("code", "person", [b"pho", b"to"]),
    ("code", "person", [b"photo", b""]),
]


@pytest.mark.parametrize(("code", "name", "inputs"), OTHERS)
def test_anything_else_is_made_anew(
    tmp_path: Path, code: str, name: str, inputs: list[bytes]
) -> None:
    make = Maker()
    DiskCache(tmp_path, "code").get("person", [b"photo"], make)
    assert DiskCache(tmp_path, code).get(name, inputs, make) == 2


def _edited(product: Path) -> None:
    (product / "engine.py").write_text("b = 1")


def _renamed(product: Path) -> None:
    (product / "engine.py").rename(product / "motor.py")


def _added(product: Path) -> None:
    (product / "room").mkdir()
    (product / "room" / "model.tflite").write_bytes(b"weights")


@pytest.mark.parametrize("change", [_edited, _renamed, _added])
def test_any_change_of_the_product_is_other_code(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    (tmp_path / "engine.py").write_text("a = 1")
    before = code_digest(tmp_path)
    assert code_digest(tmp_path) == before
    change(tmp_path)
    assert code_digest(tmp_path) != before


def test_another_version_of_a_library_is_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, libraries = tmp_path / "engine.py", tmp_path / "libraries"
    product.write_text("a = 1")
    monkeypatch.setattr(disk_cache, "LIBRARIES", libraries)
    (libraries / "numpy-2.4.dist-info").mkdir(parents=True)
    before = code_digest(product)
    (libraries / "numpy-2.4.dist-info").rename(libraries / "numpy-2.5.dist-info")
    assert code_digest(product) != before


def test_code_that_is_not_there_is_no_code(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        code_digest(tmp_path / "moved")


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    def refuse() -> int:
        raise ValueError

    cache = DiskCache(tmp_path, "code")
    with pytest.raises(ValueError):  # noqa: PT011 our own
        cache.get("person", [b"photo"], refuse)
    assert cache.get("person", [b"photo"], Maker()) == 1


def test_of_several_who_ask_at_once_one_makes_it(tmp_path: Path) -> None:
    make, everybody = Maker(), threading.Barrier(4)
    found: list[int] = []

    def ask() -> None:
        cache = DiskCache(tmp_path, "code")
        everybody.wait()
        found.append(cache.get("person", [b"photo"], make))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1, 1]


def test_old_code_is_forgotten(tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        DiskCache(tmp_path, f"code{number}").get("person", [b"photo"], Maker())
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == KEPT
    assert (tmp_path / f"code{KEPT + 1}").is_dir()


def test_parts_do_not_run_into_each_other() -> None:
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])
