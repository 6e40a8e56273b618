"""A release of the embed never changes: pages pin it by its digest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from embed.release import RELEASES, freeze, integrity, released
from tests.embed.conftest import BUTTON, Desk
from tests.embed.counterpart import KEY

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "proteus.js"
    path.write_text("// today\n")
    return path


def test_a_release_is_a_copy_with_a_digest(source: Path, tmp_path: Path) -> None:
    digest = freeze("0.1.0", source, tmp_path / "releases")
    frozen = tmp_path / "releases" / "0.1.0" / "proteus.js"
    assert frozen.read_bytes() == source.read_bytes()
    assert released(tmp_path / "releases") == {"0.1.0": digest}
    assert digest == integrity(frozen)
    assert digest.startswith("sha384-")
    assert len(digest) == len("sha384-") + 64


def test_the_next_one_leaves_the_first_alone(source: Path, tmp_path: Path) -> None:
    first = freeze("0.1.0", source, tmp_path / "releases")
    source.write_text("// tomorrow\n")
    second = freeze("0.2.0", source, tmp_path / "releases")
    assert released(tmp_path / "releases") == {"0.1.0": first, "0.2.0": second}
    assert first != second


@pytest.mark.parametrize("version", ["", "1", "v1.0.0", "1.0", "1.0.0-beta", "../1.0.0", "01.0.0"])
def test_what_is_no_version(source: Path, tmp_path: Path, version: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        freeze(version, source, tmp_path / "releases")


def test_a_release_is_never_made_again(source: Path, tmp_path: Path) -> None:
    freeze("0.1.0", source, tmp_path / "releases")
    source.write_text("// other\n")
    with pytest.raises(ValueError, match="never changes"):
        freeze("0.1.0", source, tmp_path / "releases")


def test_every_release_is_what_its_digest_says() -> None:
    files = {path.parent.name: integrity(path) for path in RELEASES.glob("*/proteus.js")}
    assert files == released()


def test_no_release_was_ever_changed() -> None:
    """Asks the history: a commit may add a release, and never change or delete one."""
    command = ["git", "log", "--diff-filter=MDR", "--format=%h", "--", "embed/releases/*/*.js"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    assert done.stdout.split() == []


@pytest.mark.browser
@pytest.mark.parametrize("version", released())
def test_a_page_can_pin_it(desk: Desk, version: str) -> None:
    source = f"{desk.server.url}/embed/releases/{version}/proteus.js"
    desk.shop.html = (
        f'<!doctype html><title>shop</title>{BUTTON}<script async src="{source}"'
        f' integrity="{released()[version]}" crossorigin="anonymous" data-site="{KEY}"></script>'
    )
    desk.page.goto(desk.shop.url)
    desk.page.wait_for_function("() => !!customElements.get('proteus-tryon')")
    desk.open()
    assert desk.server.boots[0]["pk"] == KEY
