"""The server's settings: frozen, read once from the environment, all mistakes told at once.

Knows names and limits of settings; connects to nothing. docs/operating.md has a row for each.
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
    """urlsplit reads a port when it is asked for, and not before."""
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
    """As browsers write it in `Origin`: lower case, no port that goes without saying."""
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
    # What a browser can reach, where that is another address than the one inside the cluster.
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
    # What the tailor keeps to; the server tells it to shoppers and to their browsers.
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
    # After this an open socket must show who it is again, as a shopper's token must be renewed.
    socket_life_s: int = Field(900, ge=1, validation_alias="PROTEUS_SOCKET_LIFE_S")
    sockets_per_shopper: int = Field(5, ge=1, validation_alias="PROTEUS_SOCKETS_PER_SHOPPER")
    sockets_per_address: int = Field(20, ge=1, validation_alias="PROTEUS_SOCKETS_PER_ADDRESS")
    # What an open socket may say within 10 s after its hello, though it has nothing to say.
    socket_messages: int = Field(20, ge=1, validation_alias="PROTEUS_SOCKET_MESSAGES")
    # Requests a minute from one caller; the doors that cost more allow a part of it.
    rate_limit: int = Field(600, ge=10, validation_alias="PROTEUS_RATE_LIMIT")
    # A minute, of uploads, of photos, and of try-ons, each.
    shopper_limit: int = Field(30, ge=1, validation_alias="PROTEUS_SHOPPER_LIMIT")
    address_limit: int = Field(300, ge=1, validation_alias="PROTEUS_ADDRESS_LIMIT")
    site_limit: int = Field(1_200, ge=1, validation_alias="PROTEUS_SITE_LIMIT")
    # Fitting rooms opened in a minute from one address.
    boot_limit: int = Field(120, ge=1, validation_alias="PROTEUS_BOOT_LIMIT")
    unfinished_photos: int = Field(3, ge=1, validation_alias="PROTEUS_UNFINISHED_PHOTOS")
    unfinished_try_ons: int = Field(12, ge=1, validation_alias="PROTEUS_UNFINISHED_TRY_ONS")
    trusted_proxies: int = Field(0, ge=0, le=5, validation_alias="PROTEUS_TRUSTED_PROXIES")

    host: str = Field("127.0.0.1", validation_alias="PROTEUS_HOST")
    port: int = Field(8080, ge=1, le=65_535, validation_alias="PORT")
    # Metrics and the wish for workers, at the same address; 0: nowhere.
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
        # By these names alone: the source would also look for a field's own, such as `port`.
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
        """Only `from_env` reads the environment: what is made from arguments is made from them."""
        return (init_settings,)

    def engine_for(self, mode: str) -> str:
        """Test keys run the same road with the preview engine."""
        return self.engine if mode == "live" else "preview"

    @property
    def store_origin(self) -> str | None:
        """The origin browsers load pictures from, for `img-src` and `connect-src`."""
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
