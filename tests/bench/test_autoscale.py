"""The replayed day: nobody is forgotten, workers are paid for, and the figure can be read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import autoscale
from bench.autoscale import PICTURE_S, Floor, Replay, by_list_length, by_predicted_drain, shoppers

TRIGGERS: list[Callable[[], autoscale.Trigger]] = [lambda: by_list_length, by_predicted_drain]


def replayed(trigger: autoscale.Trigger, came: list[float]) -> Floor:
    return Replay(trigger, came).run()


@pytest.mark.parametrize("trigger", TRIGGERS, ids=["list", "drain"])
def test_everybody_gets_a_picture_and_the_bill_covers_the_work(
    trigger: Callable[[], autoscale.Trigger],
) -> None:
    came = [n * 0.7 for n in range(3000)]
    floor = replayed(trigger(), came)
    assert sorted(at for at, _ in floor.took_s) == came
    assert all(took >= PICTURE_S - 1e-6 for _, took in floor.took_s)
    assert floor.paid_s >= len(came) * PICTURE_S
    assert (floor.busy, floor.leaving, len(floor.waiting)) == (0, 0, 0)


def test_a_few_shoppers_need_one_worker() -> None:
    floor = replayed(by_predicted_drain(), [n * 60.0 for n in range(60)])
    assert max(paid for _, paid in floor.workers) <= 2
    assert max(took for _, took in floor.took_s) == pytest.approx(PICTURE_S)


def test_a_rush_brings_workers_after_a_cold_start_and_lets_them_go() -> None:
    rush = [100.0 + n * 0.25 for n in range(2400)]
    floor = replayed(by_predicted_drain(), [*rush, 4000.0])
    assert max(paid for _, paid in floor.workers) > 10
    assert floor.workers[-1][1] == 1


def test_the_day_is_the_same_each_time() -> None:
    assert shoppers(3, until_s=3600) == shoppers(3, until_s=3600)


def test_the_figure_is_an_svg_that_says_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "day.svg"
    monkeypatch.setattr("sys.argv", ["bench.autoscale", "--figure", str(path)])
    autoscale.main()
    root = ET.fromstring(path.read_text())
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title")
    assert len(root.findall(f"{space}path[@class]")) >= 5
    told = capsys.readouterr().out
    assert "predicted drain" in told
    assert "GPU-hours" in told
