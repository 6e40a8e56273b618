"""Builds the engine from settings: verifies and loads weights, adds safety checker and caches, sets
memory limits.

Knows settings and files; no queue and no store (the store of shared garments is passed in).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from gpu_worker.config import Settings
from gpu_worker.contract import SettingsError, Tier
from gpu_worker.engines.catvton.device import DeviceError, choose_device, choose_dtype, name_of
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.garments import GarmentCache, SharedGarments
from gpu_worker.engines.catvton.layout import LATENT_SCALE
from gpu_worker.engines.catvton.passes import keep_compiled
from gpu_worker.engines.catvton.safety import SafetyChecker
from gpu_worker.engines.catvton.sample import Size
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.engines.catvton.weights import load
from gpu_worker.weights.disk import WeightFiles, check, weight_files_of
from gpu_worker.weights.sources import SOURCES, Kind, WeightsError

log = logging.getLogger(__name__)


def build(kind: Kind, settings: Settings, garments: SharedGarments | None) -> CatvtonEngine:
    """The engine. Raises SettingsError if the device or the weights are missing or wrong."""
    try:
        return _build(kind, settings, garments)
    except DeviceError as error:
        raise SettingsError([f"PROTEUS_DEVICE: {error}"]) from error
    except WeightsError as error:
        raise SettingsError([f"weights: {error}"]) from error


def _build(kind: Kind, settings: Settings, garments: SharedGarments | None) -> CatvtonEngine:
    sizes = sizes_of(settings.tiers)
    device = choose_device(settings.device)
    bound_memory(device, settings.gpu_memory_share)
    keep_compiled(Path(settings.compile_cache_dir))
    weight_files = weight_files_of(settings)
    verify(kind, weight_files)
    dtype = choose_dtype(settings.dtype, device)
    log.info("%s on %s in %s; switches: %s", kind.value, name_of(device), dtype, settings.switches)
    model = load(kind, weight_files, device, dtype, Switches.of(settings.switches))
    base = weight_files.root(SOURCES[kind].base)
    return CatvtonEngine(
        model,
        sizes=sizes,
        max_slots=settings.max_slots,
        checker=SafetyChecker(base, device) if settings.safety_checker else None,
        garments=GarmentCache(settings.garment_cache, garments),
    )


def sizes_of(tiers: Sequence[Tier]) -> list[Size]:
    """Each size of the tiers once, the best tier's first.

    Raises:
        SettingsError: a side is no multiple of the VAE's 8 px.
    """
    sizes = list(dict.fromkeys(Size(tier.width_px, tier.height_px) for tier in tiers))
    for size in sizes:
        if size.width % LATENT_SCALE or size.height % LATENT_SCALE:
            raise SettingsError([f"PROTEUS_TIERS: CatVTON draws at multiples of 8 px, not {size}"])
    return sizes


def verify(kind: Kind, weight_files: WeightFiles) -> None:
    """Compares every file with the lock file. An operator's own folder may have no lock: then its
    files are used unverified, with a warning in the log.

    Raises:
        WeightsError: with the first difference, and how many more there are.
    """
    if weight_files.folder is not None and not weight_files.lock.path.exists():
        log.warning(
            "no %s: the weights in %s are not verified", weight_files.lock.path, weight_files.folder
        )
        return
    faults = list(check(kind, weight_files))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise WeightsError(faults[0] + more)


def bound_memory(device: torch.device, share: float) -> None:
    """Limits our share of the GPU's memory: beyond it we run out of memory, not a neighbour."""
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share, device)
