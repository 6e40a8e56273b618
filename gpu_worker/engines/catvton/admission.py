"""Makes a sample of an order: picks size and steps, encodes photo and garment to latents, and finds
the mask of where the photo may change.

Knows orders, pictures and the model's encoder. Denoising is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gpu_worker.engine import Noise, Order, Pixels, Refusal
from gpu_worker.engines.catvton import frames
from gpu_worker.engines.catvton.device import send
from gpu_worker.engines.catvton.framing import Window, cut, person_box, window_of
from gpu_worker.engines.catvton.garments import GarmentCache, content_key, noise_of
from gpu_worker.engines.catvton.layout import LATENT_CHANNELS, LATENT_SCALE, conditions
from gpu_worker.engines.catvton.model import Model
from gpu_worker.engines.catvton.sample import CatvtonSample, Size
from gpu_worker.vision import pose
from gpu_worker.vision.agnostic import agnostic_mask
from gpu_worker.weights.sources import Kind

DEFAULT_STEPS = 50
DEFAULT_GUIDANCE_SCALE = 2.5
Shape = tuple[int, int, int]


class Admission:
    """Prepares orders for one model.

    sizes: at which the engine draws, its best first.
    garments: the cache of garments' latents; None: the VAE posterior of a garment is sampled with
    the order's own noise.
    reads_photos: whether to look for the person in a photo without parts; False: such a photo is
    cropped in the middle. Recorded parity cases need None and False.
    """

    def __init__(
        self,
        model: Model,
        sizes: Sequence[Size],
        garments: GarmentCache | None,
        *,
        reads_photos: bool,
    ):
        self._reads_photos = reads_photos
        self._model = model
        self._sizes = tuple(sizes)
        self._garments = garments
        self._encoder_key = model.encoder_key() if garments is not None else ""

    def sample(self, order: Order, noise: Noise) -> CatvtonSample:
        """Crops and encodes the order's pictures.

        Raises:
            Refusal: the inpaint pipeline got no mask, and the photo shows no readable person.
            ValueError: the order asks for a number of steps that the schedule does not have.
        """
        size = self._size_of(order)
        person = self._person_of(order)
        box = person_box(person) if person else None
        window = window_of(_size_px(order.photo), _pair(size), box)
        paste = self._paste_mask(order, person)
        shape = self.canvas_shape(size, LATENT_CHANNELS)
        return CatvtonSample(
            order=order,
            noise=noise,
            size=size,
            window=window,
            plan=self._model.schedule.steps(_steps_of(order)),
            tier=_tier_name(order, size),
            guidance_scale=_guidance_of(order),
            latents=send(torch.from_numpy(noise.draw("latents", shape).copy()), self._model.device),
            conditions=self._conditions(order, noise, size, window, paste),
            paste=paste,
        )

    def canvas_shape(self, size: Size, channels: int) -> Shape:
        """The shape of the joint latents, person's half and garment's half."""
        return (channels, *self._model.layout.canvas_shape(size.width, size.height)[1:])

    def _size_of(self, order: Order) -> Size:
        """The tier's own size, or the one with the nearest number of pixels that we draw at."""
        if order.tier is None:
            return self._sizes[0]
        wanted = Size(order.tier.width_px, order.tier.height_px)
        return min(self._sizes, key=lambda size: abs(size.pixels - wanted.pixels))

    def _person_of(self, order: Order) -> pose.Person | None:
        """The person of the tailor's parts, or read now. None if there is none, unless a mask must
        be made of her: only then a Refusal is raised."""
        if not self._reads_photos and not pose.fits(order.photo_parts, order.photo):
            return None
        try:
            return pose.person_of(order.photo_parts, order.photo)
        except Refusal:
            if self._is_inpaint and order.mask is None:
                raise
            return None

    @property
    def _is_inpaint(self) -> bool:
        return self._model.layout.kind is Kind.INPAINT

    def _paste_mask(self, order: Order, person: pose.Person | None) -> Pixels | None:
        """Where the photo may change: the order's mask, else the agnostic one; None: everywhere."""
        if order.mask is not None:
            return _fitted(order.mask, order.photo)
        if person is None:
            return None
        return agnostic_mask(
            person,
            order.category,
            keep_head=order.options.keep_head,
            redraw_hands=order.options.redraw_hands,
            loose=order.options.loose_mask,
        )

    def _conditions(
        self, order: Order, noise: Noise, size: Size, window: Window, paste: Pixels | None
    ) -> Tensor:
        """The condition channels beside the noisy latents: two rows (unconditional, conditional)
        for classifier-free guidance, only the second without."""
        picture = torch.from_numpy(frames.to_model(cut(order.photo, window, _pair(size))))
        cells = None
        if self._is_inpaint and paste is not None:
            mask = torch.from_numpy(frames.mask_to_model(cut(paste, window, _pair(size))))
            picture = picture * (mask < 0.5)  # an inpainting model must not see what it repaints
            cells = send(mask[:, ::LATENT_SCALE, ::LATENT_SCALE].contiguous(), self._model.device)
        person = self._model.encode(picture, _posterior(noise, "posterior_person", size))
        garment = self._garment(order.garment, noise, size)
        without, given = conditions(self._model.layout, person, garment, cells)
        return torch.stack([without, given] if _guidance_of(order) > 1 else [given])

    def _garment(self, garment: Pixels, noise: Noise, size: Size) -> Tensor:
        if self._garments is None:
            return self._encode_garment(garment, noise, size)
        content = content_key(garment)
        latents = self._garments.get(
            f"{self._encoder_key}/{size}/{content}",
            half_shape(size),
            lambda: self._encode_garment(garment, noise_of(content), size),
        )
        return send(latents, self._model.device)

    def _encode_garment(self, garment: Pixels, noise: Noise, size: Size) -> Tensor:
        padded = frames.pad_white(Image.fromarray(garment), size.width, size.height)
        posterior = _posterior(noise, "posterior_garment", size)
        return self._model.encode(torch.from_numpy(frames.to_model(padded)), posterior)


def half_shape(size: Size) -> Shape:
    """The shape of the latents of one picture."""
    return LATENT_CHANNELS, size.height // LATENT_SCALE, size.width // LATENT_SCALE


def _posterior(noise: Noise, name: str, size: Size) -> Tensor:
    return torch.from_numpy(noise.draw(name, half_shape(size)).copy())


def _fitted(mask: Pixels, photo: Pixels) -> Pixels:
    """The mask at the photo's size: it may have been drawn at another."""
    if mask.shape == photo.shape[:2]:
        return mask
    return np.asarray(Image.fromarray(mask).resize(_size_px(photo), Image.Resampling.NEAREST))


def _size_px(picture: Pixels) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]


def _pair(size: Size) -> tuple[int, int]:
    return size.width, size.height


def _steps_of(order: Order) -> int:
    """The tier's steps; an order may ask for fewer, never for more."""
    asked = order.options.num_inference_steps
    most = order.tier.steps if order.tier else None
    if asked is None:
        return DEFAULT_STEPS if most is None else most
    return asked if most is None else min(asked, most)


def _guidance_of(order: Order) -> float:
    scale = order.options.guidance_scale
    return DEFAULT_GUIDANCE_SCALE if scale is None else scale


def _tier_name(order: Order, size: Size) -> str:
    """The tier it is drawn at; if we do not draw at that tier's size, the size that we use."""
    if order.tier is None:
        return str(size) if order.options.num_inference_steps else "full"
    return order.tier.name if order.tier.size == str(size) else str(size)
