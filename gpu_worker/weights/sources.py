"""The two pipelines: which files each needs, from which repository, under which licence.

Data only. Revisions and hashes are not pinned here, because we could not verify them: the
operator's first fetch records them in a lock file (`hub.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ATTENTION_FILE = "mix-48k-1024/attention/model.safetensors"
BASE_FILES = (
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "scheduler/scheduler_config.json",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "feature_extractor/preprocessor_config.json",
)
VAE_FILES = ("config.json", "diffusion_pytorch_model.safetensors")


class WeightsError(ValueError):
    """Weights are missing or differ from what is expected; the message says how."""


class Kind(StrEnum):
    """The two CatVTON pipelines. `maskfree`: InstructPix2Pix base, its model needs no mask.
    `inpaint`: SD-1.5 inpainting base, with a mask."""

    MASKFREE = "maskfree"
    INPAINT = "inpaint"


@dataclass(frozen=True, slots=True)
class Source:
    """One repository on the hub and those of its files that we read. `licence`: as its page stated
    it; the page itself is binding."""

    repository: str
    files: tuple[str, ...]
    licence: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The three repositories of one pipeline."""

    base: Source
    vae: Source
    attention: Source

    def all(self) -> tuple[Source, Source, Source]:
        return self.base, self.vae, self.attention


VAE = Source("stabilityai/sd-vae-ft-mse", VAE_FILES, "MIT")
NON_COMMERCIAL = "CC BY-NC-SA 4.0: not for commercial use"

SOURCES = {
    Kind.MASKFREE: Sources(
        base=Source("timbrooks/instruct-pix2pix", BASE_FILES, "MIT"),
        vae=VAE,
        attention=Source(
            "zhengchong/CatVTON-MaskFree", (ATTENTION_FILE,), f"{NON_COMMERCIAL}; research only"
        ),
    ),
    Kind.INPAINT: Sources(
        base=Source(
            "booksforcharlie/stable-diffusion-inpainting", BASE_FILES, "CreativeML OpenRAIL-M"
        ),
        vae=VAE,
        attention=Source("zhengchong/CatVTON", (ATTENTION_FILE,), NON_COMMERCIAL),
    ),
}
