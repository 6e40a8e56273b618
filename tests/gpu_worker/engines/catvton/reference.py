"""A second opinion: recorded cases computed the plain way, with diffusers' own DDIM scheduler, one
batch for all, pictures framed by Pillow as the model's description says. Shares no code with the
engine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image, ImageFilter

SCALING = 0.18215


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    n: int = 1
    num_inference_steps: int = 4
    guidance_scale: float = 2.5
    eta: float = 1.0
    width: int = 64
    height: int = 96
    photo: tuple[int, int] = (90, 150)
    garment: tuple[int, int] = (130, 80)
    mask_blur: float = 0.0

    @property
    def axis(self) -> int:
        return -1 if self.kind == "maskfree" else -2


class _Skip:
    """Cross-attention with nothing to attend to."""

    def __call__(self, _attn: Any, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return hidden_states


@torch.no_grad()
def write_case(folder: Path, models: Path, case: Case) -> Path:
    """Writes the case's folder; `models` holds unet, vae and scheduler."""
    folder.mkdir()
    dice = np.random.default_rng(case.num_inference_steps)
    unet = UNet2DConditionModel.from_pretrained(models / "unet")
    unet.set_attn_processor(
        {
            name: _Skip() if "attn2" in name else processor
            for name, processor in unet.attn_processors.items()
        }
    )
    vae = AutoencoderKL.from_pretrained(models / "vae")
    draws = _draws(case, dice)
    pictures = [_pictures(folder, case, n, dice) for n in range(case.n)]
    canvas = [_conditions(vae, case, *pictures[n], draws, n) for n in range(case.n)]
    latents = _sampled(unet, models, case, draws, canvas)
    half = latents.chunk(2, dim=case.axis)[0]
    images = (vae.decode(half / SCALING).sample / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    draws["images"] = (images.numpy() * 255).round().astype(np.uint8)
    draws["final_latents"] = latents.numpy()
    np.savez(folder / "case.npz", **draws)
    (folder / "case.json").write_text(json.dumps({**asdict(case), "models": str(models)}))
    return folder


def _draws(case: Case, dice: np.random.Generator) -> dict[str, Any]:
    h, w = case.height // 8, case.width // 8
    whole = (4, h, 2 * w) if case.axis == -1 else (4, 2 * h, w)

    def normal(*shape: int) -> Any:
        return dice.standard_normal(shape, dtype=np.float32)

    draws = {
        "latents0": normal(case.n, *whole),
        "posterior_person": normal(case.n, 4, h, w),
        "posterior_garment": normal(case.n, 4, h, w),
    }
    if case.eta > 0:
        draws["step_noise"] = normal(case.n, case.num_inference_steps, *whole)
    return draws


def _pictures(
    folder: Path, case: Case, n: int, dice: np.random.Generator
) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Person, garment and mask, saved as they came and given back as the model sees them."""

    def noise(size: tuple[int, int]) -> Image.Image:
        small = dice.integers(0, 256, (9, 7, 3), dtype=np.uint8)
        return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)

    person, garment = noise(case.photo), noise(case.garment)
    mask = Image.new("L", case.photo, 0)
    mask.paste(255, (20 + n, 30, case.photo[0] - 15, case.photo[1] - 20))
    mask = mask.filter(ImageFilter.GaussianBlur(case.mask_blur))
    person.save(folder / f"person_{n}.png")
    garment.save(folder / f"garment_{n}.png")
    if case.kind == "inpaint":
        mask.save(folder / f"mask_{n}.png")
    return _cropped(person, case), _padded(garment, case), _cropped(mask, case)


def _cropped(picture: Image.Image, case: Case) -> Image.Image:
    w, h = picture.size
    if w / h < case.width / case.height:
        nw, nh = w, w * case.height // case.width
    else:
        nw, nh = h * case.width // case.height, h
    box = ((w - nw) // 2, (h - nh) // 2, (w + nw) // 2, (h + nh) // 2)
    return picture.crop(box).resize((case.width, case.height), Image.Resampling.LANCZOS)


def _padded(picture: Image.Image, case: Case) -> Image.Image:
    w, h = picture.size
    if w / h < case.width / case.height:
        nw, nh = w * case.height // h, case.height
    else:
        nw, nh = case.width, h * case.width // w
    canvas = Image.new("RGB", (case.width, case.height), (255, 255, 255))
    fitted = picture.resize((nw, nh), Image.Resampling.LANCZOS)
    canvas.paste(fitted, ((case.width - nw) // 2, (case.height - nh) // 2))
    return canvas


def _tensor(picture: Image.Image) -> torch.Tensor:
    pixels = np.asarray(picture, dtype=np.float32) / 127.5 - 1
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def _conditions(
    vae: Any,
    case: Case,
    person: Image.Image,
    garment: Image.Image,
    mask: Image.Image,
    draws: dict[str, Any],
    n: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    hole = torch.from_numpy((np.asarray(mask, dtype=np.float32) / 255 >= 0.5).astype(np.float32))
    seen = _tensor(person)
    if case.kind == "inpaint":
        seen = seen * (hole < 0.5)

    def encoded(pixels: torch.Tensor, noise: Any) -> torch.Tensor:
        posterior = vae.encode(pixels).latent_dist
        latents: torch.Tensor = (posterior.mean + posterior.std * torch.from_numpy(noise)) * SCALING
        return latents

    body = encoded(seen, draws["posterior_person"][n : n + 1])
    cloth = encoded(_tensor(garment), draws["posterior_garment"][n : n + 1])
    given = torch.cat([body, cloth], dim=case.axis)
    without = torch.cat([body, torch.zeros_like(cloth)], dim=case.axis)
    if case.kind == "maskfree":
        return without, given
    cells = hole[None, None, ::8, ::8]
    cells = torch.cat([cells, torch.zeros_like(cells)], dim=case.axis)
    return torch.cat([cells, without], dim=1), torch.cat([cells, given], dim=1)


def _sampled(
    unet: Any, models: Path, case: Case, draws: dict[str, Any], canvas: list[Any]
) -> torch.Tensor:
    scheduler = DDIMScheduler.from_pretrained(models / "scheduler")
    scheduler.set_timesteps(case.num_inference_steps)
    latents = torch.from_numpy(draws["latents0"])
    without, given = (torch.cat(rows) for rows in zip(*canvas, strict=True))
    for k, t in enumerate(scheduler.timesteps):
        if case.guidance_scale > 1:
            rows = torch.cat(
                [torch.cat([latents, without], dim=1), torch.cat([latents, given], dim=1)]
            )
            blind, seeing = unet(rows, t, encoder_hidden_states=None).sample.chunk(2)
            predicted = blind + case.guidance_scale * (seeing - blind)
        else:
            rows = torch.cat([latents, given], dim=1)
            predicted = unet(rows, t, encoder_hidden_states=None).sample
        noise = torch.from_numpy(draws["step_noise"][:, k]) if case.eta > 0 else None
        latents = scheduler.step(
            predicted, t, latents, eta=case.eta, variance_noise=noise
        ).prev_sample
    return latents
