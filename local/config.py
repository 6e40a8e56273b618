"""The local stack's settings, read once from the environment; mistakes are reported together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gpu_worker.contract import SettingsError, setting_lines

ROOT = Path(__file__).parents[1]
LOOPBACK = "127.0.0.1"


def _decimal(value: object) -> object:
    """Stricter than `int`, which also accepts 8_080 and digits of other scripts: other readers of
    the same variable do not."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("must be a port from 1 to 65535")
    return value


Port = Annotated[int, BeforeValidator(_decimal), Field(ge=1, le=65_535)]


class LocalSettings(BaseSettings):
    """What to start and where. If a service's URL is set, that one is used and none is started."""

    model_config = SettingsConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )

    home: Path = Field(default=ROOT / ".proteus", validation_alias="PROTEUS_HOME")
    port: Port = Field(default=8080, validation_alias="PORT")
    shop_port: Port = Field(default=8081, validation_alias="SHOP_PORT", validate_default=True)
    # The server's address for browsers; empty: localhost at its port.
    given_server_url: str = Field(default="", validation_alias="PROTEUS_SERVER_URL")
    engine: str = Field(
        default="preview", pattern=r"^[a-z][a-z0-9_-]{0,31}$", validation_alias="PROTEUS_ENGINE"
    )
    redis_url: str | None = Field(default=None, repr=False, validation_alias="REDIS_URL")
    database_url: str | None = Field(default=None, repr=False, validation_alias="DATABASE_URL")
    s3_endpoint_url: str | None = Field(default=None, validation_alias="S3_ENDPOINT_URL")

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.absolute()

    @field_validator("shop_port")
    @classmethod
    def _of_its_own(cls, value: int, info: ValidationInfo) -> int:
        if value == info.data.get("port"):
            raise ValueError(f"must differ from PORT, both are {value}")
        return value

    @property
    def server_url(self) -> str:
        return self.given_server_url or f"http://localhost:{self.port}"

    @property
    def shop_url(self) -> str:
        return f"http://{LOOPBACK}:{self.shop_port}/"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Reads the environment; an empty variable counts as not set.

        Raises:
            SettingsError: one line for each wrong setting.
        """
        source = EnvSettingsSource(cls, case_sensitive=True)
        names = {name: str(field.validation_alias) for name, field in cls.model_fields.items()}
        # Only these names: pydantic would also read a variable named as a field, such as `port`.
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
        """Settings made from arguments read nothing else: only `from_env` reads the environment."""
        return (init_settings,)
