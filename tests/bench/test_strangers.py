"""The benchmark of floods: its report tells what was measured."""

from __future__ import annotations

import pytest

from bench.strangers.__main__ import Marks, report


def test_the_report_gives_the_ratio_to_alone(capsys: pytest.CaptureFixture[str]) -> None:
    alone = Marks([100.0] * 10, [200.0] * 10)
    beside = Marks([150.0] * 10, [200.0] * 10)
    beside.refused["429 /v1/photos"] += 1
    report(alone, {"photos": (beside, '{"202": 5}', 3.0)})
    out = capsys.readouterr().out
    assert "1.50x" in out
    assert "1.00x" in out
    assert 'photos: {"202": 5}' in out
    assert "refused beside photos: {'429 /v1/photos': 1}" in out
