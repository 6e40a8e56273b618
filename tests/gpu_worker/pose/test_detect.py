"""The detector tells people from everything else."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_worker.pose import find_people


@pytest.mark.parametrize("value", [0, 128, 255])
def test_nobody_on_an_empty_wall(value: int) -> None:
    assert find_people(np.full((400, 300, 3), value, dtype=np.uint8)) == []
