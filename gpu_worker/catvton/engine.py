"""CatVTON as a step engine: one forward pass takes samples at different steps.

Knows orders, samples and the model; which samples run is the worker's choice. A sample's picture
depends on its own order alone: its noise, its float32 latents, never its batch-mates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from gpu_worker.catvton import frames
from gpu_worker.catvton.framing import Window, cut, lay_back, person_box, window_of
from gpu_worker.catvton.garments import GarmentCache, content_key, noise_of
from gpu_worker.catvton.layout import LATENT_CHANNELS, LATENT_SCALE, conditions
from gpu_worker.catvton.model import Model
from gpu_worker.catvton.safety import Checker
from gpu_worker.catvton.sample import CatvtonSample
from gpu_worker.catvton.sampler import ETA, advance, guide
from gpu_worker.catvton.sources import Kind
from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Noise, Order, Picture, Pixels, Refusal, SeededNoise

DEFAULT_STEPS = 50
DEFAULT_GUIDANCE_SCALE = 2.5
SECOND_TRY = 1 << 62  # added to the seed when the first picture may not be shown


class CatvtonEngine:
    """`checker` None: pictures are not checked (parity and benchmarks). `garments` None: a
    garment's posterior is drawn from the order's own noise, as recorded cases need it."""

    licence = "CC BY-NC-SA 4.0: not for commercial use"
    is_preview = False
    categories = frozenset(Category)

    def __init__(
        self,
        model: Model,
        *,
        width_px: int,
        height_px: int,
        max_slots: int = 8,
        eta: float = ETA,
        checker: Checker | None = None,
        garments: GarmentCache | None = None,
    ):
        self.name = f"catvton-{model.layout.kind.value}"
        self.max_slots = max_slots
        self._model = model
        self._size = (width_px, height_px)
        self._eta = eta
        self._checker = checker
        self._garments = garments

    def warm_up(self) -> None:
        """One step of the largest batch, so that the first shopper does not pay for it."""
        rows = torch.zeros(2 * self.max_slots, *self._canvas_shape(self._model.layout.in_channels))
        with torch.inference_mode():
            self._model.predict_noise(
                rows.to(self._model.device),
                torch.zeros(len(rows), dtype=torch.long, device=self._model.device),
            )

    def admit(self, order: Order) -> CatvtonSample:
        """Frames and encodes the order's pictures.

        Raises:
            Refusal: self_check_failed, when the inpaint pipeline got no mask.
        """
        return self._sample(order, order.noise)

    @torch.inference_mode()
    def step(self, samples: Sequence[CatvtonSample]) -> None:
        """Every sample one step on. Latents change only when the whole batch is computed, so
        that a step that raised can be run again."""
        rows = [sample.rows() for sample in samples]
        times = [
            sample.now.timestep for sample, own in zip(samples, rows, strict=True) for _ in own
        ]
        predicted = self._model.predict_noise(
            torch.stack([row for own in rows for row in own]),
            torch.tensor(times, device=self._model.device),
        )
        parts = torch.split(predicted, [len(own) for own in rows])
        for sample, own in zip(samples, parts, strict=True):
            self._advance(sample, own)

    def finish(self, sample: CatvtonSample) -> Picture:
        """The drawn window, laid back into the photo.

        Raises:
            Refusal: picture_withheld, when neither this picture nor one of another seed may be
                shown.
        """
        drawn = self.draw(sample)
        if self._checker is not None and not self._checker.is_safe(drawn):
            return self._second_try(sample)
        return Picture(lay_back(sample.order.photo, drawn, sample.window, sample.order.mask))

    @torch.inference_mode()
    def draw(self, sample: CatvtonSample) -> Pixels:
        """The sample's latents as a picture of the model's size, uint8 (h, w, 3)."""
        half = self._model.layout.person_half(sample.latents)
        return frames.to_pixels(self._model.decode(half).float().cpu().numpy())

    def _second_try(self, sample: CatvtonSample) -> Picture:
        if sample.is_second_try:
            raise Refusal(Reason.PICTURE_WITHHELD)
        again = self._sample(sample.order, SeededNoise(sample.order.seed + SECOND_TRY))
        again.is_second_try = True
        while again.step < again.steps:
            self.step([again])
        return self.finish(again)

    @torch.inference_mode()
    def _sample(self, order: Order, noise: Noise) -> CatvtonSample:
        height, width = order.photo.shape[:2]
        window = window_of((width, height), self._size, person_box(order.photo_parts))
        person, mask = self._person(order, window)
        encoded = self._model.encode(person, self._draw(noise, "posterior_person", half=True))
        without, given = conditions(self._model.layout, encoded, self._garment(order, noise), mask)
        steps, guidance = order.options.num_inference_steps, order.options.guidance_scale
        return CatvtonSample(
            order=order,
            noise=noise,
            window=window,
            plan=self._model.schedule.steps(DEFAULT_STEPS if steps is None else steps),
            guidance_scale=DEFAULT_GUIDANCE_SCALE if guidance is None else guidance,
            latents=self._draw(noise, "latents"),
            unconditional=without,
            conditional=given,
        )

    def _person(self, order: Order, window: Window) -> tuple[Tensor, Tensor | None]:
        """The framed photo as the model sees it, and the mask on latent cells (1 = repaint)."""
        person = torch.from_numpy(frames.to_model(cut(order.photo, window, self._size)))
        if self._model.layout.kind is Kind.MASKFREE:
            return person, None
        if order.mask is None:
            raise Refusal(Reason.SELF_CHECK_FAILED, "the inpaint pipeline needs a mask")
        mask = torch.from_numpy(frames.mask_to_model(cut(order.mask, window, self._size)))
        cells = mask[:, ::LATENT_SCALE, ::LATENT_SCALE].to(self._model.device)
        return person * (mask < 0.5), cells

    def _garment(self, order: Order, noise: Noise) -> Tensor:
        if self._garments is None:
            return self._encode_garment(order.garment, noise)
        key = content_key(order.garment)
        return self._garments.get(key, lambda: self._encode_garment(order.garment, noise_of(key)))

    def _encode_garment(self, garment: Pixels, noise: Noise) -> Tensor:
        padded = frames.pad_white(Image.fromarray(garment), *self._size)
        posterior = self._draw(noise, "posterior_garment", half=True)
        return self._model.encode(torch.from_numpy(frames.to_model(padded)), posterior)

    def _advance(self, sample: CatvtonSample, predicted: Tensor) -> None:
        noise_prediction = (
            guide(predicted[0], predicted[1], sample.guidance_scale)
            if sample.is_guided
            else predicted[0]
        )
        fresh = self._draw(sample.noise, "step") if self._eta > 0 else None
        sample.latents = advance(sample.latents, noise_prediction, sample.now, fresh, self._eta)
        sample.step += 1

    def _draw(self, noise: Noise, name: str, half: bool = False) -> Tensor:
        width, height = self._size
        shape = (
            (LATENT_CHANNELS, height // LATENT_SCALE, width // LATENT_SCALE)
            if half
            else self._canvas_shape(LATENT_CHANNELS)
        )
        return torch.from_numpy(noise.draw(name, shape).copy()).to(self._model.device)

    def _canvas_shape(self, channels: int) -> tuple[int, int, int]:
        return (channels, *self._model.layout.canvas_shape(*self._size)[1:])
