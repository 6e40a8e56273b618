"""What a believable picture must keep, measured on the demo set and on photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpu_worker.contract import Category
from gpu_worker.engines.preview.scene import neckline_area
from gpu_worker.engines.preview.torso import to_canvas
from gpu_worker.vision.planes import blur, floats, grow, lab, remap, shrink, to_point
from gpu_worker.vision.pose.body import MOUTH, NOSE
from gpu_worker.vision.pose.labels import SKIN, UPPER
from tests.gpu_worker.engines.preview.conftest import Worn

Find = Callable[[str, str], Worn]

DEMO = [
    ("anna", "tee_geo"),
    ("anna", "dress_floral"),
    ("george", "sweatshirt_word"),
    ("george", "vest_puffer"),
    ("kenji", "longsleeve_stripes"),
    ("marcus", "tee_sunset"),
    ("priya", "skirt_plaid"),
    ("zola", "trousers_denim"),
    ("george", "shorts"),
    ("anna", "jumpsuit"),
    ("kenji", "jumpsuit_with_sleeves"),
    ("priya", "playsuit"),
]
PHOTOGRAPHED = [
    ("man_1", "upper_1"),
    ("man_2", "upper_2"),
    ("woman_1", "overall_2"),
    ("woman_2", "overall_1"),
    ("woman_2", "tee_geo"),
    ("woman_2", "jumpsuit_with_sleeves"),
    ("man_1", "shorts"),
]
pairs = pytest.mark.parametrize(("person", "garment"), DEMO + PHOTOGRAPHED)
sleeved = pytest.mark.parametrize(
    ("person", "garment"), [("anna", "tee_geo"), ("kenji", "longsleeve_stripes"),
                            ("man_1", "upper_1"), ("man_2", "upper_2")]
)  # fmt: skip


def _changed(case: Worn) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((case.photo != case.drawing.pixels).any(axis=2))


@pairs
def test_keeps_framing_and_everything_outside_the_person(
    worn: Find, person: str, garment: str
) -> None:
    case = worn(person, garment)
    assert case.drawing.pixels.shape == case.photo.shape
    frame = case.person.frame
    region = case.person.person | (case.drawing.torso + case.drawing.limbs > 0.001)
    near = frame.to_photo(grow(region, 0.2 * case.person.body.sw)) > 0
    changed = _changed(case)
    box = (slice(frame.y, frame.y + frame.high), slice(frame.x, frame.x + frame.wide))
    assert not (changed[box] & ~near).any()
    changed[box] = False
    assert not changed.any()


@pairs
def test_keeps_the_head_bit_for_bit(worn: Find, person: str, garment: str) -> None:
    """Face and hair: a collar may stand before the neck, not before the chin."""
    case = worn(person, garment)
    body, shape = case.person.body, case.person.person.shape
    mouth, nose = body.mid(MOUTH), body.points[NOSE]
    down = float((mouth - nose) @ body.down)
    chin = to_point(shape, mouth + 0.4 * down * body.down) < 0.6 * down
    above = case.drawing.zones.y < float((mouth - body.at(0, 0)) @ body.down)
    head = case.person.person & (chin | above)
    assert not case.person.frame.crop(_levels(case))[head].any()


@pairs
def test_keeps_the_hands(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    difference = case.person.frame.crop(_levels(case))
    for side in (0, 1):
        x, y = case.person.body.hand(side).round().astype(int)
        reach = round(0.05 * case.person.body.sw)
        spot = (slice(y - reach, y + reach), slice(x - reach, x + reach))
        skin = shrink(case.person.labels == SKIN, 2)[spot]  # its rim mixes with what lies behind
        assert difference[spot][skin].mean() < 2


def _levels(case: Worn) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    wide = case.photo.astype(np.int16) - case.drawing.pixels
    return np.asarray(np.abs(wide), dtype=np.uint8)


@pairs
def test_leaves_no_old_garment_and_no_loose_ends(worn: Find, person: str, garment: str) -> None:
    verdict = worn(person, garment).verdict
    assert verdict.residue <= 0.03
    assert verdict.fragments < 0.01
    assert verdict.gaps < 0.02
    assert verdict.growth < 0.13
    assert verdict.sleeve > 0.85
    assert verdict.folds < 0.05


@pairs
def test_keeps_the_garments_colour(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    own = _mean_lab(case.picture, case.garment.alpha, case.garment.shape.back)
    frame = case.person.frame
    seen = lab(frame.crop(case.drawing.pixels))[case.drawing.alpha > 0.98].mean(axis=0)
    assert float(np.linalg.norm(seen - own)) < 5


def _mean_lab(
    picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    alpha: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    back: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    from gpu_worker.vision.planes import resize_bytes

    small = resize_bytes(np.asarray(picture), alpha.shape[1], alpha.shape[0])
    return np.asarray(lab(small)[(alpha > 0.98) & ~back].mean(axis=0))


@sleeved
def test_no_gap_between_sleeve_and_shoulder(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    alpha = case.drawing.torso + case.drawing.limbs
    shape = case.garment.shape
    for side in (0, 1):
        t = np.linspace(0.08, 0.92, 24)[:, None]
        seam = shape.shoulder[side] + t * (shape.pit[side] - shape.shoulder[side])
        points = to_canvas(case.person.body, case.drawing.worn.map.forward(seam)).round()
        columns, rows = points.astype(int).T
        assert alpha[rows, columns].min() > 0.9


@sleeved
def test_both_arm_pits_are_at_one_height(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    pits = case.drawing.worn.map.forward(case.garment.shape.pit)
    assert abs(float(pits[0, 1] - pits[1, 1])) < 0.06 * case.person.body.sw


def test_the_hem_ends_where_such_a_garment_ends(worn: Find) -> None:
    case = worn("anna", "tee_geo")
    hem = float(case.drawing.worn.fit.down(case.garment.shape.hem)) / case.person.body.tl
    assert case.category is Category.UPPER
    assert 1.0 <= hem <= 1.4


@pytest.mark.parametrize("person", ["kenji", "marcus"])
def test_an_open_front_shows_the_worn_top_down_to_its_buttons(worn: Find, person: str) -> None:
    case = worn(person, "upper_1")
    seen = neckline_area(case.drawing.worn) & (case.drawing.torso + case.drawing.limbs < 0.01)
    top = seen & shrink(case.person.labels == UPPER, 4)
    below_pits = top & (case.drawing.zones.y > case.drawing.worn.map.fade_to)
    assert below_pits.sum() > 50
    changed = case.person.frame.crop(_levels(case)).max(axis=2)[below_pits]
    assert (changed < 16).mean() > 0.8  # but for the shadow of the edges


@pytest.mark.parametrize(
    ("person", "garment"),
    [("woman_1", "longsleeve_stripes"), ("woman_2", "longsleeve_stripes"), ("man_1", "upper_1")],
)
def test_both_sleeves_are_as_long(worn: Find, person: str, garment: str) -> None:
    drawn = worn(person, garment).drawing.worn
    left, right = (
        patch.end / limb.length
        for patch, limb in zip(drawn.patches[:2], drawn.limbs[:2], strict=True)
        if patch is not None and limb is not None
    )
    assert left == pytest.approx(right, abs=0.1)


@pytest.mark.parametrize("person", ["george", "marcus"])
def test_an_arm_drawn_on_has_no_joint_where_the_sleeve_ended(worn: Find, person: str) -> None:
    """Down the middle of the arm no line across it, such as a doll's elbow has."""
    case = worn(person, "dress_floral")
    lightness = blur(lab(case.person.frame.crop(case.drawing.pixels))[..., 0], 1.0)
    for side in (0, 1):
        shoulder, elbow, wrist = case.person.body.arm(side)
        t = np.linspace(0.25, 1, 80)[:, None]
        line = np.concatenate(
            [shoulder + t * (elbow - shoulder), elbow + 0.3 * t * (wrist - elbow)]
        )
        along = remap(lightness, floats(line[:, :1]), floats(line[:, 1:]))[:, 0]
        assert np.abs(along[4:] - along[:-4]).max() < 5
