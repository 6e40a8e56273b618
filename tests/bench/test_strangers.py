"""The benchmark of floods: its pictures are what they say; its report tells what was measured."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bench.strangers.__main__ import Marks, report
from bench.strangers.pictures import many_scans


@pytest.mark.parametrize("scans", [10, 40])
def test_a_picture_of_many_scans_is_a_picture(scans: int) -> None:
    data = many_scans(64, scans)
    assert data.count(b"\xff\xda") == scans
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.size == (64, 64)


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
