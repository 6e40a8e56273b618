"""The server's settings: immutable, read once from the environment, all errors reported together.

Connects to nothing. docs/operating.md has a row for each setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gpu_worker.contract import SettingsError, setting_lines

EngineName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


def _with_a_port(value: str) -> str:
    """Checks the port, which urlsplit does not before it is read."""
    try:
        urlsplit(value).port  # noqa: B018 - raises where it is none
    except ValueError as error:
        raise ValueError("has an invalid port") from error
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(_with_a_port(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// address")
    return value.rstrip("/")


def _server_url(value: str) -> str:
    """Normalises to what browsers send as `Origin`: lower case, no default port."""
    parts = urlsplit(_http_url(value))
    if parts.path or parts.query:
        raise ValueError("must have no path")
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}"


Url = Annotated[str, AfterValidator(_with_a_port)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseSettings):
    """Every field names its environment variable as `validation_alias`."""

    model_config = SettingsConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )

    secret_key: str = Field(min_length=32, repr=False, validation_alias="PROTEUS_SECRET_KEY")
    server_url: Annotated[str, AfterValidator(_server_url)] = Field(
        "http://localhost:8080", validation_alias="PROTEUS_SERVER_URL"
    )
    database_url: Url = Field(
        repr=False,
        validation_alias="DATABASE_URL",
        pattern=r"^(sqlite|postgres(ql)?(\+psycopg)?)://",
    )
    redis_url: Url = Field(repr=False, validation_alias="REDIS_URL", pattern=r"^(rediss?|unix)://")

    s3_endpoint_url: HttpUrl | None = Field(None, validation_alias="S3_ENDPOINT_URL")
    # The store's address for browsers, if it differs from the one inside the cluster.
    s3_public_url: HttpUrl | None = Field(None, validation_alias="S3_PUBLIC_URL")
    s3_bucket: str = Field(min_length=3, validation_alias="S3_BUCKET")
    aws_access_key_id: str | None = Field(None, validation_alias="AWS_ACCESS_KEY_ID")
    aws_secret_access_key: str | None = Field(
        None, repr=False, validation_alias="AWS_SECRET_ACCESS_KEY"
    )
    aws_default_region: str = Field("us-east-1", validation_alias="AWS_DEFAULT_REGION")

    engine: EngineName = Field("preview", validation_alias="PROTEUS_ENGINE")
    photo_ttl_s: int = Field(86_400, ge=60, validation_alias="PROTEUS_PHOTO_TTL_S")
    try_on_timeout_s: int = Field(900, ge=5, validation_alias="PROTEUS_TRY_ON_TIMEOUT_S")
    max_upload_bytes: int = Field(
        10_485_760, ge=1024, le=52_428_800, validation_alias="PROTEUS_MAX_UPLOAD_BYTES"
    )
    # Enforced by the tailor; the server tells these limits to shoppers and to their browsers.
    max_photo_side_px: int = Field(
        2_048, ge=512, le=8_192, validation_alias="PROTEUS_MAX_PHOTO_SIDE_PX"
    )
    min_photo_side_px: int = Field(
        256, ge=1, le=4_096, validation_alias="PROTEUS_MIN_PHOTO_SIDE_PX"
    )
    max_pixels: int = Field(
        50_000_000, ge=65_536, le=500_000_000, validation_alias="PROTEUS_MAX_PIXELS"
    )
    allow_loopback_image_urls: int = Field(
        0, ge=0, le=1, validation_alias="PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS"
    )
    max_queue: int = Field(500, ge=1, validation_alias="PROTEUS_MAX_QUEUE")
    max_sockets: int = Field(2_000, ge=1, validation_alias="PROTEUS_MAX_SOCKETS")
    # After this a live socket must reconnect with a new ticket, as shopper tokens must be renewed.
    socket_life_s: int = Field(900, ge=1, validation_alias="PROTEUS_SOCKET_LIFE_S")
    sockets_per_shopper: int = Field(5, ge=1, validation_alias="PROTEUS_SOCKETS_PER_SHOPPER")
    sockets_per_address: int = Field(20, ge=1, validation_alias="PROTEUS_SOCKETS_PER_ADDRESS")
    # Messages that a socket may send in any 10 s after its hello; the protocol has none.
    socket_messages: int = Field(20, ge=1, validation_alias="PROTEUS_SOCKET_MESSAGES")
    # Requests per minute of one caller; views that cost more allow a fifth of it.
    rate_limit: int = Field(600, ge=10, validation_alias="PROTEUS_RATE_LIMIT")
    # Per minute, each for uploads, photos and try-ons separately.
    shopper_limit: int = Field(30, ge=1, validation_alias="PROTEUS_SHOPPER_LIMIT")
    address_limit: int = Field(300, ge=1, validation_alias="PROTEUS_ADDRESS_LIMIT")
    site_limit: int = Field(1_200, ge=1, validation_alias="PROTEUS_SITE_LIMIT")
    # Boot requests (fitting rooms opened) per minute from one address.
    boot_limit: int = Field(120, ge=1, validation_alias="PROTEUS_BOOT_LIMIT")
    unfinished_photos: int = Field(3, ge=1, validation_alias="PROTEUS_UNFINISHED_PHOTOS")
    unfinished_try_ons: int = Field(12, ge=1, validation_alias="PROTEUS_UNFINISHED_TRY_ONS")
    trusted_proxies: int = Field(0, ge=0, le=5, validation_alias="PROTEUS_TRUSTED_PROXIES")

    host: str = Field("127.0.0.1", validation_alias="PROTEUS_HOST")
    port: int = Field(8080, ge=1, le=65_535, validation_alias="PORT")
    # For /metrics and /internal/scale, at the same host; 0 turns it off.
    internal_port: int = Field(
        9090, ge=0, le=65_535, validation_alias="PROTEUS_INTERNAL_PORT", validate_default=True
    )
    web_workers: int = Field(2, ge=1, le=64, validation_alias="PROTEUS_WEB_WORKERS")
    log: Literal["text", "json"] = Field("text", validation_alias="PROTEUS_LOG")

    @field_validator("internal_port")
    @classmethod
    def _of_its_own(cls, value: int, info: ValidationInfo) -> int:
        if value and value == info.data.get("port"):
            raise ValueError("must differ from PORT")
        return value

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Reads the environment; an empty variable counts as not set.

        Raises:
            SettingsError: one line for each wrong setting.
        """
        source = EnvSettingsSource(cls, case_sensitive=True)
        env = os.environ if environ is None else environ
        # By these names only: the source would also read variables named like fields, as `port`.
        names = setting_names()
        source.env_vars = {name: env[name] for name in names.values() if env.get(name)}
        try:
            return cls(**source())
        except ValidationError as error:
            raise SettingsError(setting_lines(error.errors(), names)) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Makes the constructor use its arguments only; `from_env` alone reads the environment."""
        return (init_settings,)

    def engine_for(self, mode: str) -> str:
        """The engine of a key's mode: test keys always use the preview engine."""
        return self.engine if mode == "live" else "preview"

    @property
    def store_origin(self) -> str | None:
        """The store's origin as browsers see it, for `img-src` and `connect-src`; None without an
        endpoint setting."""
        url = self.s3_public_url or self.s3_endpoint_url
        if url is None:
            return None
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_https(self) -> bool:
        return self.server_url.startswith("https://")


def setting_names() -> dict[str, str]:
    """The environment variable of each field."""
    return {name: str(field.validation_alias) for name, field in Settings.model_fields.items()}
