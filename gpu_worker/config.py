"""The worker's settings, read once from the environment; all mistakes are told at once.

Knows names, defaults and bounds. Every row here has a row in docs/operating.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gpu_worker.contract import DEFAULT_BATCH_SIZE, LADDER, Law, Tier
from gpu_worker.control import Terms


class SettingsError(ValueError):
    """One line for each wrong setting."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class NullCurve:
    """The null engine's step of b samples takes a_ms + c_ms * b; a picture takes `steps`."""

    a_ms: float
    c_ms: float
    steps: int


@dataclass(frozen=True, slots=True)
class Settings:
    redis_url: str = ""
    s3_bucket: str = ""
    s3_endpoint_url: str | None = None  # AWS
    aws_access_key_id: str | None = None  # boto3 looks where it always does
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_default_region: str = "us-east-1"
    batch_size: int | None = None  # the law's, and so many while nothing is learned
    max_wait_ms: int = 100
    policy: Law = Law.LEARNED
    target_s: float = 10
    cold_start_s: float = 60
    tiers: tuple[Tier, ...] = LADDER
    peeks: tuple[float, ...] = (0.4,)
    lease_s: float = 20
    maintenance_s: float = 5
    grace_s: float = 25
    hard_deadline_s: float = 120
    max_photo_side_px: int = 2048
    min_photo_side_px: int = 256
    max_pixels: int = 50_000_000
    max_upload_bytes: int = 10_485_760
    decoders: int = 2
    decode_cpu_s: float = 5
    decode_memory_bytes: int = 1 << 30
    allow_loopback_image_urls: bool = False
    fetches: int = 8
    fetches_per_merchant: int = 2
    null_curve: NullCurve = NullCurve(5, 15, 4)
    weights_dir: str | None = None  # the hub's cache
    weights_lock: str = ".proteus/weights.lock.json"
    device: str = "auto"
    dtype: str = "auto"
    max_slots: int = 8
    switches: tuple[str, ...] = ("fused_qkv",)
    compile_cache_dir: str = ".proteus/compiled"
    gpu_memory_share: float = 1.0
    safety_checker: bool = True
    garment_cache: int = 256
    garment_objects: bool = True
    log: str = "text"

    @property
    def terms(self) -> Terms:
        """The law's numbers."""
        return Terms(
            law=self.policy,
            target_s=self.target_s,
            cold_start_s=self.cold_start_s,
            batch_size=self.batch_size or DEFAULT_BATCH_SIZE,
            max_wait_ms=self.max_wait_ms,
            tiers=self.tiers,
        )

    @classmethod
    def from_env(cls, env: Mapping[str, str], required: Collection[str] | None = None) -> Settings:
        """Reads the environment; an empty value counts as absent. `required`: the fields without
        which this process cannot be, those of a worker where none are named.

        Raises:
            SettingsError: with a line for each wrong setting.
        """
        given: dict[str, Any] = {}
        wrong: list[str] = []
        for field_name, (name, read) in READERS.items():
            text = env.get(name, "")
            if not text and field_name not in (REQUIRED if required is None else required):
                continue
            try:
                given[field_name] = read(text)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise SettingsError(wrong)
        return cls(**given)


def _text(schemes: tuple[str, ...] = ()) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text:
            raise ValueError("is required")
        if schemes and not text.startswith(schemes):
            raise ValueError(f"must begin with {' or '.join(schemes)}")  # it may hold a password
        return text

    return read


def _number(kind: type[int | float], low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"must be a number, got {text!r}") from None
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g}, got {text}")
        return value

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}, got {text!r}")
        return text

    return read


def _switch(text: str) -> bool:
    return _one_of("0", "1")(text) == "1"


def _curve(text: str) -> NullCurve:
    try:
        a_ms, c_ms, steps = text.split(",")
        curve = NullCurve(float(a_ms), float(c_ms), int(steps))
    except ValueError:
        raise ValueError(f"must be a_ms,c_ms,steps such as 5,15,4, got {text!r}") from None
    if curve.steps < 1 or curve.a_ms < 0 or curve.c_ms < 0:
        raise ValueError(f"times must not be negative and steps at least 1, got {text!r}")
    return curve


_TIER = re.compile(r"([a-z][a-z0-9_]*):(\d{1,4}):(\d{2,4})x(\d{2,4})")


def _tiers(text: str) -> tuple[Tier, ...]:
    found = [_TIER.fullmatch(word.strip()) for word in text.split(",")]
    tiers = tuple(Tier(m[1], int(m[2]), int(m[3]), int(m[4])) for m in found if m)
    if len(tiers) < len(found):
        raise ValueError(
            f"must be name:steps:widthxheight,… such as full:50:768x1024, got {text!r}"
        )
    if len({tier.name for tier in tiers}) < len(tiers) or any(tier.steps < 1 for tier in tiers):
        raise ValueError(f"names must differ and steps be at least 1, got {text!r}")
    return tiers


def _fractions(text: str) -> tuple[float, ...]:
    try:
        parts = () if text == "none" else tuple(sorted(float(word) for word in text.split(",")))
    except ValueError:
        parts = (0.0,)
    if not all(0 < part < 1 for part in parts):
        raise ValueError(
            f"must be none, or fractions between 0 and 1 such as 0.3,0.6, got {text!r}"
        )
    return parts


def _device(text: str) -> str:
    kind, _, number = text.partition(":")
    if text not in ("auto", "cpu", "cuda") and not (kind == "cuda" and number.isdigit()):
        raise ValueError(f"must be auto, cpu, cuda or cuda:<number>, got {text!r}")
    return text


def _some_of(*words: str) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        chosen = () if text == "none" else tuple(text.split(","))
        if not set(chosen) <= set(words):
            raise ValueError(f"must be none, or some of {', '.join(words)}, got {text!r}")
        return chosen

    return read


# What they do: gpu_worker/engines/catvton/switches.py.
SWITCHES = ("fused_qkv", "channels_last", "compiled", "graphs")
REQUIRED = frozenset({"redis_url", "s3_bucket"})
READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "redis_url": ("REDIS_URL", _text(("redis://", "rediss://", "unix://"))),
    "s3_endpoint_url": ("S3_ENDPOINT_URL", _text(("http://", "https://"))),
    "s3_bucket": ("S3_BUCKET", _text()),
    "aws_access_key_id": ("AWS_ACCESS_KEY_ID", _text()),
    "aws_secret_access_key": ("AWS_SECRET_ACCESS_KEY", _text()),
    "aws_default_region": ("AWS_DEFAULT_REGION", _text()),
    "batch_size": ("PROTEUS_BATCH_SIZE", _number(int, 1, 64)),
    "max_wait_ms": ("PROTEUS_MAX_WAIT_MS", _number(int, 0, 500)),
    "policy": (
        "PROTEUS_POLICY",
        lambda text: Law(_one_of(Law.LEARNED, Law.THRESHOLDS)(text)),
    ),
    "target_s": ("PROTEUS_TARGET_S", _number(float, 0.1, 3600)),
    "cold_start_s": ("PROTEUS_COLD_START_S", _number(float, 0, 3600)),
    "tiers": ("PROTEUS_TIERS", _tiers),
    "peeks": ("PROTEUS_PEEKS", _fractions),
    "lease_s": ("PROTEUS_LEASE_S", _number(float, 1, 600)),
    "maintenance_s": ("PROTEUS_MAINTENANCE_S", _number(float, 0.1, 600)),
    "grace_s": ("PROTEUS_GRACE_S", _number(float, 0, 3600)),
    "hard_deadline_s": ("PROTEUS_HARD_DEADLINE_S", _number(float, 1, 86_400)),
    "max_photo_side_px": ("PROTEUS_MAX_PHOTO_SIDE_PX", _number(int, 512, 8192)),
    "min_photo_side_px": ("PROTEUS_MIN_PHOTO_SIDE_PX", _number(int, 1, 4096)),
    "max_pixels": ("PROTEUS_MAX_PIXELS", _number(int, 65_536, 500_000_000)),
    "max_upload_bytes": ("PROTEUS_MAX_UPLOAD_BYTES", _number(int, 1024, 1 << 30)),
    "decoders": ("PROTEUS_DECODERS", _number(int, 1, 64)),
    "decode_cpu_s": ("PROTEUS_DECODE_CPU_S", _number(float, 0.1, 600)),
    "decode_memory_bytes": ("PROTEUS_DECODE_MEMORY_BYTES", _number(int, 1 << 28, 1 << 36)),
    "allow_loopback_image_urls": ("PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS", _switch),
    "fetches": ("PROTEUS_FETCHES", _number(int, 1, 12)),
    "fetches_per_merchant": ("PROTEUS_FETCHES_PER_MERCHANT", _number(int, 1, 12)),
    "null_curve": ("PROTEUS_NULL_CURVE", _curve),
    "weights_dir": ("PROTEUS_WEIGHTS_DIR", _text()),
    "weights_lock": ("PROTEUS_WEIGHTS_LOCK", _text()),
    "device": ("PROTEUS_DEVICE", _device),
    "dtype": ("PROTEUS_DTYPE", _one_of("auto", "float32", "float16", "bfloat16")),
    "max_slots": ("PROTEUS_MAX_SLOTS", _number(int, 1, 64)),
    "switches": ("PROTEUS_SWITCHES", _some_of(*SWITCHES)),
    "compile_cache_dir": ("PROTEUS_COMPILE_CACHE_DIR", _text()),
    "gpu_memory_share": ("PROTEUS_GPU_MEMORY_SHARE", _number(float, 0.05, 1)),
    "safety_checker": ("PROTEUS_SAFETY_CHECKER", _switch),
    "garment_cache": ("PROTEUS_GARMENT_CACHE", _number(int, 1, 100_000)),
    "garment_objects": ("PROTEUS_GARMENT_OBJECTS", _switch),
    "log": ("PROTEUS_LOG", _one_of("text", "json")),
}
