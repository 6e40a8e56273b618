"""The commands `arbitrate` and `override`: their arguments, output and exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from gpu_worker import log
from gpu_worker.arbitrator.loop import run
from gpu_worker.arbitrator.override import clear_override, set_override
from gpu_worker.config import Settings
from gpu_worker.contract import Mode, SettingsError
from gpu_worker.control import Override

if TYPE_CHECKING:
    from redis import Redis

EXIT_FAILED, EXIT_SETTINGS = 1, 2
COMMANDS = {
    "arbitrate": "tell every engine's workers how to draw, until told to stop",
    "override": "hold an engine's policy fast for a while",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def main(argv: list[str], connect: Callable[[str], Redis]) -> int:
    """`argv` begins with the command. Returns the exit code."""
    asked = _parser().parse_args(argv)
    try:
        settings = Settings.from_env(os.environ, required={"redis_url"})
    except SettingsError as error:
        sys.stderr.write("\n".join([*error.lines, ""]))
        return EXIT_SETTINGS
    connection = connect(settings.redis_url)
    if asked.command == "arbitrate":
        log.configure(settings.log)
        run(connection, settings.terms)
        return 0
    return _override(asked, settings, connection)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gpu_worker")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("arbitrate", help=COMMANDS["arbitrate"])
    override = commands.add_parser("override", help=COMMANDS["override"])
    override.add_argument("engine")
    override.add_argument("--batch-size", type=_slots, help="slots, 1 to 64")
    override.add_argument("--mode", choices=[mode.value for mode in Mode])
    override.add_argument("--tier", help="one of PROTEUS_TIERS")
    override.add_argument("--for", dest="for_s", type=_duration, metavar="30m", help="s, m or h")
    override.add_argument("--clear", action="store_true", help="back to the law")
    return parser


def _override(asked: argparse.Namespace, settings: Settings, connection: Redis) -> int:
    override = Override(
        batch_size=asked.batch_size, tier=asked.tier, mode=Mode(asked.mode) if asked.mode else None
    )
    wrong = _wrong(asked, override, settings)
    if wrong:
        sys.stderr.write(f"override: {wrong}\n")
        return EXIT_SETTINGS
    try:
        if asked.clear:
            was_held = clear_override(connection, asked.engine)
            said = "back to the law" if was_held else "nothing was held"
        else:
            set_override(connection, asked.engine, override, asked.for_s)
            until = datetime.now(UTC) + timedelta(seconds=asked.for_s)
            said = f"held fast until {until:%Y-%m-%d %H:%M:%S} UTC"
    except RedisError as error:
        sys.stderr.write(f"override: Redis is away: {error}\n")
        return EXIT_FAILED
    sys.stdout.write(f"{asked.engine}: {said}\n")
    return 0


def _wrong(asked: argparse.Namespace, override: Override, settings: Settings) -> str | None:
    if asked.clear:
        return "--clear stands alone" if override or asked.for_s else None
    names = [tier.name for tier in settings.tiers]
    if override.tier is not None and override.tier not in names:
        return f"--tier must be one of {', '.join(names)}"
    if not override:
        return "name what to hold: --batch-size, --mode or --tier"
    return None if asked.for_s else "say for how long: --for 30m"


def _slots(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be from 1 to 64")
    return int(text)


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+)([smh])", text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= 7 * 86_400:
        raise argparse.ArgumentTypeError("must be such as 90s, 30m or 2h, at most a week")
    return float(seconds)
