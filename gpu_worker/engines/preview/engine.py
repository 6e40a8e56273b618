"""The preview as a `gpu_worker.engine.Engine`: reads both pictures, draws, checks.

Knows orders; `draw` does the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_worker.contract import Category, Tier
from gpu_worker.engine import Order, Picture
from gpu_worker.engines.preview.checks import judge, refuse_grotesque
from gpu_worker.engines.preview.draw import Drawing, draw
from gpu_worker.engines.preview.suitable import refuse_unsuitable
from gpu_worker.vision import cutout, pose


@dataclass(slots=True)
class PreviewSample:
    """One order with the person and garment of its pictures, and the drawing once it is made."""

    order: Order
    person: pose.Person
    garment: cutout.Garment
    step: int = 0
    steps: int = 1
    drawing: Drawing | None = None


class PreviewEngine:
    """One step on the CPU, deterministic: the seed changes nothing."""

    name = "preview"
    licence = "Apache-2.0"
    is_preview = True
    categories = frozenset(Category)
    honours: frozenset[str] = frozenset()
    max_slots = 1
    device = "cpu"

    def warm_up(self) -> None:
        """Loads the pose models."""
        pose.warm_up()

    def steps_of(self, _tier: Tier) -> int:
        return 1

    def admit(self, order: Order) -> PreviewSample:
        """Takes person and garment from the tailor's parts, or reads them from the pictures.

        Raises:
            Refusal: one of the pictures cannot be used, or the two do not fit together.
        """
        person = pose.person_of(order.photo_parts, order.photo)
        refuse_unsuitable(person, order.category)
        return PreviewSample(order, person, _garment(order))

    def step(self, samples: Sequence[PreviewSample]) -> None:
        for sample in samples:
            sample.drawing = draw(
                sample.order.photo, sample.person, sample.order.garment, sample.garment
            )
            sample.step = 1

    def partial(self, _sample: PreviewSample) -> None:
        """None: with one step there is no partial picture."""

    def finish(self, sample: PreviewSample) -> Picture:
        """Checks the drawing and returns it.

        Raises:
            Refusal: would_need_bare_limbs, self_check_failed.
        """
        order, drawing = sample.order, sample.drawing
        if drawing is None:
            raise RuntimeError("finish() before step()")
        refuse_grotesque(judge(order.photo, sample.person, drawing, order.category))
        return Picture(drawing.pixels, tier="preview")


def _garment(order: Order) -> cutout.Garment:
    if cutout.fits(order.garment_parts, order.garment, order.category):
        return cutout.Garment.from_parts(order.garment_parts)
    return cutout.read(order.garment, order.category)
