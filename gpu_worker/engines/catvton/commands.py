"""The commands `python -m gpu_worker weights …` and `… parity`, for operators.

Output is for people; an error is one line and exit code 1. Only commands that compute import torch.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from gpu_worker.config import Settings
from gpu_worker.weights.disk import WeightFiles, check, weight_files_of
from gpu_worker.weights.hub import fetch
from gpu_worker.weights.sources import SOURCES, Kind, Source, WeightsError

Command = Callable[[argparse.Namespace], int]
KINDS = tuple(kind.value for kind in Kind)
WHERE = ("PROTEUS_WEIGHTS_DIR", "PROTEUS_WEIGHTS_LOCK")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m gpu_worker")
    commands = parser.add_subparsers(required=True)
    _add_weights(commands.add_parser("weights").add_subparsers(required=True))
    parity = commands.add_parser("parity")
    parity.add_argument("folder", type=Path)
    parity.add_argument("--device", default="cpu", help="auto, cpu, cuda")
    parity.add_argument("--switches", default="none", help="as PROTEUS_SWITCHES takes them")
    parity.set_defaults(act=_parity)
    asked = parser.parse_args(argv)
    act: Command = asked.act
    return act(asked)


def _add_weights(acts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, act, summary in (
        ("fetch", _fetch, "download the weights of a pipeline"),
        ("check", _check, "compare the files on disk with the lock file"),
        ("where", _where, "print where each repository's files lie"),
    ):
        command = acts.add_parser(name, help=summary)
        command.add_argument("pipeline", choices=KINDS)
        command.set_defaults(act=act)
        if name == "fetch":
            command.add_argument("--agree", action="store_true", help="agree to every licence")
    tiny = acts.add_parser("tiny", help="write small random weights in the real layout")
    tiny.add_argument("folder", type=Path)
    tiny.set_defaults(act=_tiny)


def _weight_files() -> WeightFiles:
    """From the two settings that name them only: faults in other settings do not matter here."""
    said = {name: os.environ.get(name, "") for name in WHERE}
    return weight_files_of(Settings.from_env(said, required=()))


def _fetch(asked: argparse.Namespace) -> int:
    def agrees(source: Source) -> bool:
        print(f"{source.repository}: {source.licence}")
        if asked.agree:
            return True
        return sys.stdin.isatty() and input("Do you agree? [yes/no] ").strip() == "yes"

    return _or_line(lambda: fetch(Kind(asked.pipeline), _weight_files().lock, agrees))


def _check(asked: argparse.Namespace) -> int:
    faults = list(check(Kind(asked.pipeline), _weight_files()))
    print("\n".join(faults) or "every file is the one that was fetched first")
    return 1 if faults else 0


def _where(asked: argparse.Namespace) -> int:
    weight_files = _weight_files()

    def show() -> None:
        for source in SOURCES[Kind(asked.pipeline)].all():
            print(f"{source.repository}: {weight_files.root(source)}")

    return _or_line(show)


def _tiny(asked: argparse.Namespace) -> int:
    from gpu_worker.engines.catvton.tiny import describe, write_tiny

    for kind in Kind:
        write_tiny(asked.folder, kind)
    print(describe(asked.folder))
    return 0


def _parity(asked: argparse.Namespace) -> int:
    from gpu_worker.engines.catvton.device import choose_device
    from gpu_worker.engines.catvton.parity import LATENTS_LIMIT, PICTURE_LIMIT, run_case
    from gpu_worker.engines.catvton.switches import Switches

    words = [] if asked.switches == "none" else asked.switches.split(",")
    try:
        errors = run_case(asked.folder, choose_device(asked.device), Switches.of(words))
    except (OSError, ValueError, KeyError) as error:
        print(f"parity: {error}", file=sys.stderr)
        return 1
    print(f"latents {errors.latents:.2e} relative, at most {LATENTS_LIMIT:.0e}")
    print(f"picture {errors.picture}/255, at most {PICTURE_LIMIT}/255")
    return 0 if errors.within_limits else 1


def _or_line(work: Callable[[], None]) -> int:
    try:
        work()
    except WeightsError as error:
        print(f"weights: {error}", file=sys.stderr)
        return 1
    return 0
