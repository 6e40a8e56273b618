"""CatVTON as an engine with continuous batching: one forward pass takes samples at different steps.

Knows orders, samples and the model; the worker chooses which samples run. A picture depends only on
its own order (its noise, its float32 latents), never on the rest of the batch. `admit`, `partial`
and `finish` may be called from other threads than `step`; on a GPU they run beside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gpu_worker.contract import Category, Reason, Tier
from gpu_worker.engine import Noise, Order, OutOfMemoryError, Picture, Pixels, Refusal, SeededNoise
from gpu_worker.engines.catvton import frames
from gpu_worker.engines.catvton.admission import Admission, half_shape
from gpu_worker.engines.catvton.device import bring, name_of, needed_bytes, send, telling_faults
from gpu_worker.engines.catvton.framing import lay_back
from gpu_worker.engines.catvton.garments import GarmentCache
from gpu_worker.engines.catvton.model import Model
from gpu_worker.engines.catvton.partial_picture import LatentsToRgb, in_frame
from gpu_worker.engines.catvton.passes import ROWS_PER_SAMPLE, batches_up_to
from gpu_worker.engines.catvton.safety import Checker
from gpu_worker.engines.catvton.sample import CatvtonSample, Size
from gpu_worker.engines.catvton.sampler import ETA, Coefficients, advance, guide
from gpu_worker.vision import pose
from gpu_worker.weights.sources import SOURCES

log = logging.getLogger(__name__)

SECOND_TRY = 1 << 62  # added to the seed after the safety checker has withheld the first picture


class CatvtonEngine:
    """The `gpu_worker.engine.Engine` of one CatVTON pipeline.

    sizes: at which it draws, its best first.
    checker: the safety checker; None: pictures are not checked (parity and benchmarks).
    eta: of the DDIM sampler. garments, reads_photos: see `Admission`.
    """

    is_preview = False
    has_side_thread = True
    categories = frozenset(Category)
    honours = frozenset(
        {"num_inference_steps", "guidance_scale", "keep_head", "redraw_hands", "loose_mask"}
    )

    def __init__(
        self,
        model: Model,
        *,
        sizes: Sequence[Size],
        max_slots: int = 8,
        eta: float = ETA,
        checker: Checker | None = None,
        garments: GarmentCache | None = None,
        reads_photos: bool = True,
    ):
        kind = model.layout.kind
        self.name = f"catvton-{kind.value}"
        self.licence = SOURCES[kind].attention.licence
        self.device = name_of(model.device)
        self.max_slots = max_slots
        self._model = model
        self._sizes = tuple(sizes)
        self._eta = eta
        self._checker = checker
        self._admission = Admission(model, sizes, garments, reads_photos=reads_photos)
        self._reads_photos = reads_photos
        self._latents_to_rgb: LatentsToRgb | None = None
        self._one_step_at_a_time = threading.Lock()
        model.passes.limit(max_slots)

    # --- before the first order ------------------------------------------------------------------

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Runs every size and every batch size once, so that no shopper waits for compilation.
        If the device cannot hold `max_slots` samples of the largest size, lowers `max_slots`.

        Raises:
            OutOfMemoryError: it cannot hold one sample.
            DeviceLostError.
        """
        if self._reads_photos:
            pose.warm_up()
        with telling_faults(), self._model.side_stream.use():
            pictures = [partial(self._blank_picture, size) for size in self._sizes]
            around = max(needed_bytes(self._model.device, picture) for picture in pictures)
            self._latents_to_rgb = LatentsToRgb.fit(self._model)
        self._offer_what_fits(around)
        with telling_faults():
            for size in self._sizes:
                for batch in batches_up_to(self.max_slots):
                    self._blank_pass(size, batch)

    def _offer_what_fits(self, around_bytes: int) -> None:
        """Halves `max_slots` until a step fits. `around_bytes`: what must stay free for the VAE."""
        largest = max(self._sizes, key=lambda size: size.pixels)
        while True:
            try:
                with telling_faults():
                    self._blank_pass_beside(largest, around_bytes)
                return
            except OutOfMemoryError:
                if self.max_slots == 1:
                    raise
            self.max_slots //= 2
            log.warning("out of memory at %s: offering %d slots", largest, self.max_slots)
            self._model.passes.limit(self.max_slots)

    def _blank_pass_beside(self, size: Size, kept_bytes: int) -> None:
        kept = torch.empty(kept_bytes, dtype=torch.uint8, device=self._model.device)
        try:
            self._blank_pass(size, self.max_slots)
        finally:
            del kept  # else an exception's traceback would keep the memory

    def _blank_pass(self, size: Size, batch: int) -> None:
        count, device = ROWS_PER_SAMPLE * batch, self._model.device
        shape = self._admission.canvas_shape(size, self._model.layout.in_channels)
        rows = torch.zeros(count, *shape, device=device)
        times = torch.zeros(count, dtype=torch.long, device=device)
        bring(self._model.predict_noise(rows, times))

    def _blank_picture(self, size: Size) -> None:
        grey, none = torch.zeros(3, size.height, size.width), torch.zeros(half_shape(size))
        drawn = self._pixels(self._model.encode(grey, none))
        if self._checker is not None:
            self._checker.is_safe(drawn)

    def steps_of(self, tier: Tier) -> int:
        return tier.steps

    # --- an order, from admission to picture -----------------------------------------------------

    @torch.inference_mode()
    def admit(self, order: Order) -> CatvtonSample:
        """Crops and encodes the order's pictures.

        Raises:
            Refusal: the inpaint pipeline got no mask, and the photo shows no readable person.
        """
        return self._admitted(order, order.noise)

    @torch.inference_mode()
    def step(self, samples: Sequence[CatvtonSample]) -> None:
        """Advances every sample by one DDIM step.

        Samples change only when the whole batch is computed, so that a step that raised can be run
        again. Thread-safe by a lock: `finish` may have to step for its second try.

        Raises:
            OutOfMemoryError, DeviceLostError.
            ValueError: the samples have different sizes.
            FloatingPointError: the network's output is not finite, not even in bfloat16.
        """
        sizes = {str(sample.size) for sample in samples}
        if len(sizes) > 1:
            raise ValueError(f"one forward pass is of one size, not {', '.join(sorted(sizes))}")
        with telling_faults(), self._one_step_at_a_time:
            moved, originals = self._computed(samples)
        for sample, latents, original in zip(samples, moved, originals, strict=True):
            sample.move(latents, original)

    def partial(self, sample: CatvtonSample) -> Pixels | None:
        """The sample's predicted picture, small and in the photo's framing; None before its first
        step, and if the safety checker withholds it."""
        if self._latents_to_rgb is None or sample.original is None:
            return None
        pixels = self._latents_to_rgb(self._model.layout.person_half(sample.original))
        if self._checker is not None and not self._checker.is_safe(pixels):
            return None
        return in_frame(sample.order.photo, pixels, sample.window, sample.paste)

    def finish(self, sample: CatvtonSample) -> Picture:
        """Decodes the latents and pastes the drawn window back into the photo.

        Raises:
            Refusal: picture_withheld, if the safety checker withholds this picture and also a
                second one of another seed.
        """
        with telling_faults(), self._model.side_stream.use():
            drawn = self.draw(sample)
            is_safe = self._checker is None or self._checker.is_safe(drawn)
        if not is_safe:
            return self._second_try(sample)
        pixels = lay_back(sample.order.photo, drawn, sample.window, sample.paste)
        return Picture(pixels, tier=sample.tier)

    @torch.inference_mode()
    def draw(self, sample: CatvtonSample) -> Pixels:
        """The sample's latents as a picture of the model's size, uint8 (h, w, 3)."""
        with self._model.side_stream.use():
            return self._pixels(self._model.layout.person_half(sample.latents))

    def _pixels(self, latents: Tensor) -> Pixels:
        return frames.to_pixels(bring(self._model.decode(latents)).numpy())

    @torch.inference_mode()
    def _second_try(self, sample: CatvtonSample) -> Picture:
        """Draws the order again, alone and with another seed. There is no third try."""
        if sample.is_second_try:
            raise Refusal(Reason.PICTURE_WITHHELD)
        noise = SeededNoise(sample.order.seed + SECOND_TRY)
        again = self._admitted(sample.order, noise)
        again.is_second_try = True
        while again.step < again.steps:
            self.step([again])
        return self.finish(again)

    def _admitted(self, order: Order, noise: Noise) -> CatvtonSample:
        with telling_faults(), self._model.side_stream.use():
            return self._admission.sample(order, noise)

    # --- one step --------------------------------------------------------------------------------

    def _computed(self, samples: Sequence[CatvtonSample]) -> tuple[Tensor, Tensor]:
        """The latents after the step, and the predicted final latents (x0), (n, 4, h, w) each."""
        latents = torch.stack([sample.latents for sample in samples])
        coefficients = self._coefficients(samples)
        predicted = self._predicted(samples)
        noise = self._noise(samples)  # drawn on the host while the device computes
        moved, originals = advance(latents, predicted, coefficients, noise)
        if not self._is_finite(moved):
            if not self._model.may_overflow:
                raise FloatingPointError("the network's output is not finite")
            self._model.give_up_float16()
            return self._computed(samples)  # the same step again; its noise is kept
        return moved, originals

    def _predicted(self, samples: Sequence[CatvtonSample]) -> Tensor:
        """(n, 4, h, w): one forward pass for all rows, then classifier-free guidance."""
        counts = torch.tensor([sample.rows for sample in samples])
        times = torch.tensor([s.now.timestep for s in samples for _ in range(s.rows)])
        scales = torch.tensor([sample.guidance_scale for sample in samples])
        # All samples' rows follow each other: of each, `first` is the unconditional row's index and
        # `last` the conditional one's.
        last = counts.cumsum(0) - 1
        first = last - counts + 1
        times, scales, first, last = (
            send(tensor, self._model.device) for tensor in (times, scales, first, last)
        )
        predicted = self._model.predict_noise(torch.cat([s.as_rows() for s in samples]), times)
        # A sample without guidance has one row: first and last are the same, and the scale cancels.
        return guide(predicted[first], predicted[last], scales[:, None, None, None])

    def _coefficients(self, samples: Sequence[CatvtonSample]) -> Coefficients:
        host = Coefficients.of([sample.now for sample in samples], self._eta).stacked()
        return Coefficients(*send(host, self._model.device))

    def _noise(self, samples: Sequence[CatvtonSample]) -> Tensor | None:
        if self._eta == 0:
            return None
        drawn = np.stack([sample.fresh() for sample in samples])
        return send(torch.from_numpy(drawn), self._model.device)

    def _is_finite(self, moved: Tensor) -> bool:
        """Also waits for the device: a step that has returned is computed (`SideStream`)."""
        return bool(torch.isfinite(moved).all())
