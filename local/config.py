"""The local stack's own settings, read once from the environment; all mistakes told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
LOOPBACK = "127.0.0.1"


class SettingsError(Exception):
    """One line for each wrong setting, in `lines`."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What to start and where. A URL that is set names the user's own service: none is started."""

    home: Path
    port: int
    shop_port: int
    server_url: str
    engine: str
    redis_url: str | None
    database_url: str | None
    s3_endpoint_url: str | None

    @property
    def shop_url(self) -> str:
        return f"http://{LOOPBACK}:{self.shop_port}/"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """An empty variable counts as not set.

        Raises:
            SettingsError: one line for each wrong setting.
        """
        wrong: list[str] = []
        port = _port(env, "PORT", 8080, wrong)
        shop_port = _port(env, "SHOP_PORT", 8081, wrong)
        if port == shop_port:
            wrong.append(f"SHOP_PORT: must differ from PORT, both are {port}")
        engine = env.get("PROTEUS_ENGINE") or "preview"
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", engine):
            wrong.append(f"PROTEUS_ENGINE: must be an engine's name, got {engine!r}")
        if wrong:
            raise SettingsError(wrong)
        return cls(
            home=Path(env.get("PROTEUS_HOME") or ROOT / ".proteus").absolute(),
            port=port,
            shop_port=shop_port,
            server_url=env.get("PROTEUS_SERVER_URL") or f"http://localhost:{port}",
            engine=engine,
            redis_url=env.get("REDIS_URL") or None,
            database_url=env.get("DATABASE_URL") or None,
            s3_endpoint_url=env.get("S3_ENDPOINT_URL") or None,
        )


def _port(env: Mapping[str, str], name: str, default: int, wrong: list[str]) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        wrong.append(f"{name}: must be a port from 1 to 65535, got {text!r}")
        return default
    return int(text)
