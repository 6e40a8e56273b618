"""What a believable picture must keep: measured on the demo set, on a phone's garments and, where
they lie beside the repository, on photographs."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_worker.contract import Category
from gpu_worker.engines.preview.torso import to_canvas
from gpu_worker.vision.planes import blur, floats, grow, lab, remap, shrink, to_point
from gpu_worker.vision.pose.body import MOUTH, NOSE
from gpu_worker.vision.pose.labels import SKIN, UPPER
from tests.gpu_worker.engines.preview.conftest import Find
from tests.gpu_worker.reading import Worn

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
PHONE = [
    ("anna", "phone_tshirt_18b6"),
    ("priya", "phone_longsleeve_11f2"),
    ("marcus", "phone_shirt_ab40"),
    ("george", "phone_outwear_4b31"),
    ("priya", "phone_pants_eaa3"),
    ("priya", "phone_skirt_5144"),
    ("anna", "phone_dress_cbf4"),
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


@pytest.fixture(scope="module", params=DEMO + PHONE + PHOTOGRAPHED, ids="-".join)
def case(request: pytest.FixtureRequest, worn: Find) -> Worn:
    """A module's fixture: all tests of a pair come one after another, and it is loaded once."""
    person, garment = request.param
    return worn(person, garment)


def _changed(case: Worn) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((case.photo != case.drawn.pixels).any(axis=2))


def test_keeps_framing_and_everything_outside_the_person(case: Worn) -> None:
    assert case.drawn.pixels.shape == case.photo.shape
    frame = case.person.frame
    region = case.person.person | (case.drawn.torso + case.drawn.limbs > 0.001)
    near = frame.to_photo(grow(region, 0.2 * case.person.body.sw)) > 0
    changed = _changed(case)
    box = (slice(frame.y, frame.y + frame.high), slice(frame.x, frame.x + frame.wide))
    assert not (changed[box] & ~near).any()
    changed[box] = False
    assert not changed.any()


def test_keeps_the_head_bit_for_bit(case: Worn) -> None:
    """Face and hair: a collar may stand before the neck, not before the chin."""
    body, shape = case.person.body, case.person.person.shape
    mouth, nose = body.mid(MOUTH), body.points[NOSE]
    down = float((mouth - nose) @ body.down)
    chin = to_point(shape, mouth + 0.4 * down * body.down) < 0.6 * down
    above = case.drawn.y < float((mouth - body.at(0, 0)) @ body.down)
    head = case.person.person & (chin | above)
    assert not case.person.frame.crop(_levels(case))[head].any()


def test_keeps_the_hands(case: Worn) -> None:
    difference = case.person.frame.crop(_levels(case))
    for side in (0, 1):
        x, y = case.person.body.hand(side).round().astype(int)
        reach = round(0.05 * case.person.body.sw)
        spot = (slice(y - reach, y + reach), slice(x - reach, x + reach))
        skin = shrink(case.person.labels == SKIN, 2)[spot]  # its rim mixes with what lies behind
        assert difference[spot][skin].mean() < 2


def _levels(case: Worn) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    wide = case.photo.astype(np.int16) - case.drawn.pixels
    return np.asarray(np.abs(wide), dtype=np.uint8)


def test_leaves_no_old_garment_and_no_loose_ends(case: Worn) -> None:
    verdict = case.drawn.verdict
    assert verdict.residue <= 0.03
    assert verdict.fragments < 0.01
    assert verdict.gaps < 0.02
    assert verdict.growth < 0.13
    assert verdict.sleeve > 0.85
    assert verdict.folds < 0.05


def test_keeps_the_garments_colour(case: Worn) -> None:
    own = _mean_lab(case.picture, case.garment.alpha, case.garment.shape.back)
    frame = case.person.frame
    seen = lab(frame.crop(case.drawn.pixels))[case.drawn.alpha > 0.98].mean(axis=0)
    assert float(np.linalg.norm(seen - own)) < 5


def _mean_lab(
    picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    alpha: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    back: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    from gpu_worker.vision.planes import resize_bytes

    small = resize_bytes(np.asarray(picture), alpha.shape[1], alpha.shape[0])
    return np.asarray(lab(small)[(alpha > 0.98) & ~back].mean(axis=0))


@pytest.mark.parametrize(
    ("person", "garment"),
    [("anna", "tee_geo"), ("kenji", "longsleeve_stripes"), ("anna", "phone_tshirt_18b6"),
     ("priya", "phone_longsleeve_11f2"), ("kenji", "phone_longsleeve_1789"),
     ("man_1", "upper_1"), ("man_2", "upper_2")],
)  # fmt: skip
def test_no_gap_between_sleeve_and_shoulder(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    alpha = case.drawn.torso + case.drawn.limbs
    shape = case.garment.shape
    for side in (0, 1):
        t = np.linspace(0.08, 0.92, 24)[:, None]
        seam = shape.shoulder[side] + t * (shape.pit[side] - shape.shoulder[side])
        points = to_canvas(case.person.body, case.drawn.map.forward(seam)).round()
        columns, rows = points.astype(int).T
        assert alpha[rows, columns].min() > 0.9


@pytest.mark.parametrize(
    ("person", "garment"),
    [("anna", "tee_geo"), ("kenji", "longsleeve_stripes"), ("george", "sweatshirt_word"),
     ("marcus", "tee_sunset"), ("man_1", "upper_1"), ("man_2", "upper_2")],
)  # fmt: skip
def test_both_arm_pits_are_at_one_height(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    pits = case.drawn.map.forward(case.garment.shape.pit)
    assert abs(float(pits[0, 1] - pits[1, 1])) < 0.06 * case.person.body.sw


def test_the_hem_ends_where_such_a_garment_ends(worn: Find) -> None:
    case = worn("anna", "tee_geo")
    hem = float(case.drawn.fit.down(case.garment.shape.hem)) / case.person.body.tl
    assert case.garment.category is Category.UPPER
    assert 1.0 <= hem <= 1.4


@pytest.mark.parametrize("person", ["kenji", "marcus"])
@pytest.mark.parametrize("garment", ["cardigan", "upper_1"])
def test_an_open_front_shows_the_worn_top_down_to_its_buttons(
    worn: Find, person: str, garment: str
) -> None:
    case = worn(person, garment)
    seen = case.drawn.neckline & (case.drawn.torso + case.drawn.limbs < 0.01)
    top = seen & shrink(case.person.labels == UPPER, 4)
    below_pits = top & (case.drawn.y > case.drawn.map.fade_to)
    assert below_pits.sum() > 50
    changed = case.person.frame.crop(_levels(case)).max(axis=2)[below_pits]
    assert (changed < 16).mean() > 0.8  # but for the shadow of the edges


@pytest.mark.parametrize(
    ("person", "garment"),
    [("kenji", "longsleeve_stripes"), ("george", "sweatshirt_word"), ("zola", "longsleeve_stripes"),
     ("woman_1", "longsleeve_stripes"), ("woman_2", "longsleeve_stripes"), ("man_1", "upper_1")],
)  # fmt: skip
def test_both_sleeves_are_as_long(worn: Find, person: str, garment: str) -> None:
    left, right = worn(person, garment).drawn.sleeves
    assert left == pytest.approx(right, abs=0.1)


@pytest.mark.parametrize("person", ["george", "marcus"])
def test_an_arm_drawn_on_has_no_joint_where_the_sleeve_ended(worn: Find, person: str) -> None:
    """Down the middle of the arm no line across it, such as a doll's elbow has."""
    case = worn(person, "dress_floral")
    lightness = blur(lab(case.person.frame.crop(case.drawn.pixels))[..., 0], 1.0)
    for side in (0, 1):
        shoulder, elbow, wrist = case.person.body.arm(side)
        t = np.linspace(0.25, 1, 80)[:, None]
        line = np.concatenate(
            [shoulder + t * (elbow - shoulder), elbow + 0.3 * t * (wrist - elbow)]
        )
        along = remap(lightness, floats(line[:, :1]), floats(line[:, 1:]))[:, 0]
        assert np.abs(along[4:] - along[:-4]).max() < 5
