"""The scheduling benchmark: its parts, and that all of it still runs."""

from __future__ import annotations

import time

import pytest

from bench.scheduling.__main__ import main
from bench.scheduling.processes import Task
from bench.scheduling.profiles import PROFILES, settings_of
from bench.scheduling.scenarios import Size, Verdict, p95, poisson
from gpu_worker.contract import LADDER, Lane
from gpu_worker.control import Terms
from tests import fork_server


def test_profiles_are_those_of_the_design() -> None:
    assert [PROFILES[name].step_ms(2) for name in "ABC"] == [123, 7.3 + 25.8, 43.2]
    assert PROFILES["C"].step_ms(8) == pytest.approx(143.4)


@pytest.mark.parametrize("name", "ABC")
def test_what_is_slept_and_what_the_law_counts_are_hurried_alike(name: str) -> None:
    profile, task = PROFILES[name], Task(url="", profile=name, target_s=30)
    full, small = LADDER[0].size, LADDER[-1].size
    assert profile.slept_ms(full, 4) * task.hurry == pytest.approx(profile.step_ms(4))
    assert profile.slept_ms(small, 4) * 7 == pytest.approx(profile.slept_ms(full, 4))
    assert task.terms.target_s * task.hurry == pytest.approx(30)
    assert task.terms.window_s * task.hurry == pytest.approx(Terms().window_s)
    assert settings_of(task.terms, "redis://127.0.0.1").terms == task.terms


def test_arrivals_come_at_their_rate_and_stay_the_same() -> None:
    arrivals = poisson(2.0, 1000, seed=4, lane=Lane.BULK)
    assert 1850 < len(arrivals) < 2150
    assert arrivals == poisson(2.0, 1000, seed=4, lane=Lane.BULK)
    assert {one.lane for one in arrivals} == {Lane.BULK}


def test_the_ninety_fifth_of_a_hundred() -> None:
    assert p95([float(n) for n in range(101)]) == pytest.approx(95)
    assert p95([3.0]) == 3.0


def test_a_scenario_that_ends_the_measurement_lets_none_begin_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played: list[str] = []

    def fail(_size: Size) -> list[Verdict]:
        time.sleep(0.05)
        played.append("fails")
        raise SystemExit("pictures that must come did not come")

    def go_on(_size: Size) -> list[Verdict]:
        played.append("goes on")
        return []

    scenarios = {"first": fail, "second": go_on}
    monkeypatch.setattr("bench.scheduling.__main__.SCENARIOS", scenarios)
    monkeypatch.setattr("bench.scheduling.__main__._tell_profiles", lambda: None)
    monkeypatch.setattr("sys.argv", ["bench.scheduling"])
    with pytest.raises(SystemExit, match="did not come"):
        main()
    assert played == ["fails"]


@pytest.mark.slow
def test_all_of_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.scheduling.stage.spawn", fork_server.spawn)
    monkeypatch.setattr("sys.argv", ["bench.scheduling", "--quick"])
    assert main() == 0
    told = capsys.readouterr().out
    assert [f"\n{n}. " in told for n in (1, 2, 3, 4)] == [True] * 4
    assert told.count("<=") + told.count(">=") == 6
