"""The whole service as `make demo` starts it, and a shopper with a browser of her own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from local.children import wait_until
from tests.conftest import Launch
from tests.journey.shopper import FLAGS, Shopper
from tests.launcher import Launcher, launched
from tests.waiting import DEADLINE_S

PEOPLE = Path(__file__).parents[2] / "embed" / "demo" / "static"


@pytest.fixture(scope="session")
def chromium(launch: Launch) -> Iterator[Browser]:
    made = launch(*FLAGS)
    yield made
    made.close()


def _ready(launcher: Launcher) -> Launcher:
    """Up, and every garment of the shop cleaned."""
    line = launcher.line()
    assert line.startswith("proteus: ready "), line
    demo = launcher.demo()
    bearer = {"Authorization": f"Bearer {demo['secret_key']}"}

    def all_cleaned() -> bool:
        answer = httpx.get(f"{demo['server_url']}/v1/garments", headers=bearer, timeout=20)
        return {row["status"] for row in answer.json()["garments"]} == {"ready"}

    assert wait_until(all_cleaned, within_s=2 * DEADLINE_S)
    return launcher


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """With the preview engine, as a newcomer sees it. One for all: every journey has a browser and
    a shopper of its own, and leaves the stack whole."""
    with launched(tmp_path_factory.mktemp("journey") / "home") as launcher:
        yield _ready(launcher)


@pytest.fixture
def sam(chromium: Browser, stack: Launcher) -> Iterator[Shopper]:
    """Somebody with a phone in the demo shop."""
    with Shopper.arrives(chromium, stack.demo()) as shopper:
        yield shopper


@pytest.fixture
def photo() -> Path:
    return PEOPLE / "person_kenji.jpg"
