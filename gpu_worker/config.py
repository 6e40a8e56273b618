"""The worker's settings, read once from the environment; all mistakes are reported together.

Knows names, defaults and bounds; connects to nothing. Every setting has a row in docs/operating.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gpu_worker.contract import (
    DEFAULT_BATCH_SIZE,
    LADDER,
    Law,
    SettingsError,
    Tier,
    setting_lines,
)
from gpu_worker.control import Terms

T = TypeVar("T")
# Explained in gpu_worker/engines/catvton/switches.py.
SWITCHES = ("fused_qkv", "channels_last", "compiled", "graphs")
REQUIRED = frozenset({"redis_url", "s3_bucket"})
OLD_NAMES = {"PROTEUS_PEEKS": "PROTEUS_PARTIALS"}  # read until 0.2
_TIER = re.compile(r"([a-z][a-z0-9_]*):(\d{1,4}):(\d{2,4})x(\d{2,4})")


@dataclass(frozen=True, slots=True)
class NullCurve:
    """The null engine's step of b samples takes a_ms + c_ms * b; a picture takes `steps`."""

    a_ms: float
    c_ms: float
    steps: int


def _from_text(read: Callable[[str], T]) -> BeforeValidator:
    """Parses text from the environment; a value that is no text passes unchanged."""
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _on_or_off(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


def _curve(text: str) -> NullCurve:
    try:
        a_ms, c_ms, steps = text.split(",")
        curve = NullCurve(float(a_ms), float(c_ms), int(steps))
    except ValueError:
        raise ValueError("must be a_ms,c_ms,steps such as 5,15,4") from None
    if curve.steps < 1 or curve.a_ms < 0 or curve.c_ms < 0:
        raise ValueError("times must not be negative and steps at least 1")
    return curve


def _tiers(text: str) -> tuple[Tier, ...]:
    found = [_TIER.fullmatch(word.strip()) for word in text.split(",")]
    tiers = tuple(Tier(m[1], int(m[2]), int(m[3]), int(m[4])) for m in found if m)
    if len(tiers) < len(found):
        raise ValueError("must be name:steps:widthxheight,… such as full:50:768x1024")
    if len({tier.name for tier in tiers}) < len(tiers) or any(tier.steps < 1 for tier in tiers):
        raise ValueError("names must differ and steps be at least 1")
    return tiers


def _fractions(text: str) -> tuple[float, ...]:
    try:
        parts = () if text == "none" else tuple(sorted(float(word) for word in text.split(",")))
    except ValueError:
        parts = (0.0,)
    if not all(0 < part < 1 for part in parts):
        raise ValueError("must be none, or fractions between 0 and 1 such as 0.3,0.6")
    return parts


def _switches(text: str) -> tuple[str, ...]:
    chosen = () if text == "none" else tuple(text.split(","))
    if not set(chosen) <= set(SWITCHES):
        raise ValueError(f"must be none, or some of {', '.join(SWITCHES)}")
    return chosen


def _law(value: object) -> object:
    if value not in (Law.LEARNED, Law.THRESHOLDS):  # a StrEnum equals its word
        raise ValueError("must be learned or thresholds")
    return value


OnOrOff = Annotated[bool, _from_text(_on_or_off)]
# `float` alone accepts nan and inf.
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings of the worker's processes. A field's `validation_alias` is its variable."""

    model_config = SettingsConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )

    redis_url: str = Field(
        default="", repr=False, validation_alias="REDIS_URL", pattern=r"^$|^(rediss?|unix)://"
    )
    s3_bucket: str = Field(default="", validation_alias="S3_BUCKET")
    # None: AWS' own endpoint.
    s3_endpoint_url: str | None = Field(
        default=None, validation_alias="S3_ENDPOINT_URL", pattern=r"^https?://"
    )
    # None: boto3's own credential search.
    aws_access_key_id: str | None = Field(default=None, validation_alias="AWS_ACCESS_KEY_ID")
    aws_secret_access_key: str | None = Field(
        default=None, repr=False, validation_alias="AWS_SECRET_ACCESS_KEY"
    )
    aws_default_region: str = Field(default="us-east-1", validation_alias="AWS_DEFAULT_REGION")

    # None: the law chooses; DEFAULT_BATCH_SIZE until it has learned a curve.
    batch_size: int | None = Field(default=None, ge=1, le=64, validation_alias="PROTEUS_BATCH_SIZE")
    max_wait_ms: int = Field(default=100, ge=0, le=500, validation_alias="PROTEUS_MAX_WAIT_MS")
    law: Annotated[Law, BeforeValidator(_law)] = Field(
        default=Law.LEARNED, validation_alias="PROTEUS_POLICY"
    )
    target_s: Finite = Field(default=10, ge=0.1, le=3600, validation_alias="PROTEUS_TARGET_S")
    cold_start_s: Finite = Field(default=60, ge=0, le=3600, validation_alias="PROTEUS_COLD_START_S")
    tiers: Annotated[tuple[Tier, ...], NoDecode, _from_text(_tiers)] = Field(
        default=LADDER, validation_alias="PROTEUS_TIERS"
    )
    partials: Annotated[tuple[float, ...], NoDecode, _from_text(_fractions)] = Field(
        default=(0.4,), validation_alias="PROTEUS_PARTIALS"
    )
    lease_s: Finite = Field(default=20, ge=1, le=600, validation_alias="PROTEUS_LEASE_S")
    maintenance_s: Finite = Field(
        default=5, ge=0.1, le=600, validation_alias="PROTEUS_MAINTENANCE_S"
    )
    grace_s: Finite = Field(default=25, ge=0, le=3600, validation_alias="PROTEUS_GRACE_S")
    hard_deadline_s: Finite = Field(
        default=120, ge=1, le=86_400, validation_alias="PROTEUS_HARD_DEADLINE_S"
    )

    max_photo_side_px: int = Field(
        default=2048, ge=512, le=8192, validation_alias="PROTEUS_MAX_PHOTO_SIDE_PX"
    )
    min_photo_side_px: int = Field(
        default=256, ge=1, le=4096, validation_alias="PROTEUS_MIN_PHOTO_SIDE_PX"
    )
    max_pixels: int = Field(
        default=50_000_000, ge=65_536, le=500_000_000, validation_alias="PROTEUS_MAX_PIXELS"
    )
    max_upload_bytes: int = Field(
        default=10_485_760, ge=1024, le=1 << 30, validation_alias="PROTEUS_MAX_UPLOAD_BYTES"
    )
    decoders: int = Field(default=2, ge=1, le=64, validation_alias="PROTEUS_DECODERS")
    decode_cpu_s: Finite = Field(default=5, ge=0.1, le=600, validation_alias="PROTEUS_DECODE_CPU_S")
    decode_memory_bytes: int = Field(
        default=1 << 30, ge=1 << 28, le=1 << 36, validation_alias="PROTEUS_DECODE_MEMORY_BYTES"
    )
    allow_loopback_image_urls: OnOrOff = Field(
        default=False, validation_alias="PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS"
    )
    fetches: int = Field(default=8, ge=1, le=12, validation_alias="PROTEUS_FETCHES")
    fetches_per_merchant: int = Field(
        default=2, ge=1, le=12, validation_alias="PROTEUS_FETCHES_PER_MERCHANT"
    )

    null_curve: Annotated[NullCurve, NoDecode, _from_text(_curve)] = Field(
        default=NullCurve(5, 15, 4), validation_alias="PROTEUS_NULL_CURVE"
    )
    # None: the model hub's cache folder.
    weights_dir: str | None = Field(default=None, validation_alias="PROTEUS_WEIGHTS_DIR")
    weights_lock: str = Field(
        default=".proteus/weights.lock.json", validation_alias="PROTEUS_WEIGHTS_LOCK"
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", validation_alias="PROTEUS_DEVICE"
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", validation_alias="PROTEUS_DTYPE"
    )
    max_slots: int = Field(default=8, ge=1, le=64, validation_alias="PROTEUS_MAX_SLOTS")
    switches: Annotated[tuple[str, ...], NoDecode, _from_text(_switches)] = Field(
        default=("fused_qkv",), validation_alias="PROTEUS_SWITCHES"
    )
    compile_cache_dir: str = Field(
        default=".proteus/compiled", validation_alias="PROTEUS_COMPILE_CACHE_DIR"
    )
    gpu_memory_share: Finite = Field(
        default=1.0, ge=0.05, le=1, validation_alias="PROTEUS_GPU_MEMORY_SHARE"
    )
    safety_checker: OnOrOff = Field(default=True, validation_alias="PROTEUS_SAFETY_CHECKER")
    garment_cache: int = Field(
        default=256, ge=1, le=100_000, validation_alias="PROTEUS_GARMENT_CACHE"
    )
    garment_objects: OnOrOff = Field(default=True, validation_alias="PROTEUS_GARMENT_OBJECTS")
    log: Literal["text", "json"] = Field(default="text", validation_alias="PROTEUS_LOG")

    @property
    def terms(self) -> Terms:
        """The parameters of the control law."""
        return Terms(
            law=self.law,
            target_s=self.target_s,
            cold_start_s=self.cold_start_s,
            batch_size=self.batch_size or DEFAULT_BATCH_SIZE,
            max_wait_ms=self.max_wait_ms,
            tiers=self.tiers,
        )

    @classmethod
    def from_env(cls, env: Mapping[str, str], required: Collection[str] = REQUIRED) -> Self:
        """Reads the environment; an empty variable counts as not set.

        `required`: the fields without which this process cannot start.

        Raises:
            SettingsError: with a line for each wrong setting.
        """
        source = EnvSettingsSource(cls, case_sensitive=True)
        names, env = setting_names(), _set(env)
        olds = {new: old for old, new in OLD_NAMES.items() if old in env and new not in env}
        env |= {new: env[old] for new, old in olds.items()}
        # Only these names: pydantic would also read a variable named like the field, such as `log`.
        source.env_vars = {name: env[name] for name in names.values() if name in env}
        missing = [name for field, name in names.items() if field in required and name not in env]
        lines = [f"{name}: is not set" for name in missing]
        try:
            settings = cls(**source())
        except ValidationError as error:
            # pydantic tells of a value by the name that it was read under
            raise SettingsError(lines + setting_lines(error.errors(), names | olds)) from error
        if lines:
            raise SettingsError(lines)
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Settings made from arguments read nothing else: only `from_env` reads the environment."""
        return (init_settings,)


def _set(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that are not empty."""
    return {name: text for name, text in env.items() if text}


def setting_names() -> dict[str, str]:
    """The environment variable of each field."""
    return {name: str(field.validation_alias) for name, field in Settings.model_fields.items()}
