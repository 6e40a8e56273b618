"""`python -m local`: the whole service on one machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from gpu_worker.contract import SettingsError
from local import children
from local.config import LocalSettings
from local.home import AlreadyRunningError, Home
from local.parts import Ports, Stack, all_parts
from local.supervisor import EXIT_SETTINGS, StackError, Supervisor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_S = 6.0
PORT_WITHIN_S = 3.0  # the children of a stack that was killed free its ports within a second
BUSY_TURN_S, IDLE_TURN_S = 0.05, 0.5
TASKS = frozenset({"migrate", "seed"})


class PortTakenError(Exception):
    """Another process listens on a port that we need."""


def say(line: str) -> None:
    print(f"proteus: {line}", file=sys.stderr, flush=True)


def demo_facts(stack: Stack, pids: Mapping[str, int]) -> dict[str, Any]:
    """The content of `demo.json`, by which tools and tests find the running stack."""
    settings = stack.settings
    return {
        "shop_url": settings.shop_url,
        "server_url": settings.server_url,
        **stack.seeded(),
        "processes": {name: pid for name, pid in pids.items() if name not in TASKS},
    }


class Attention:
    """Signal handling: wakes the loop when a child dies, and keeps the request to stop.

    For the main thread. A second stop signal ends the process at once.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        if self.stopping:  # the second request: at once; the kernel kills the children with us
            os._exit(128 + number)
        self.stopping = True

    def wait(self, seconds: float) -> None:
        select.select([self._woken], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)


def keep_running(stack: Stack, supervisor: Supervisor, attention: Attention) -> None:
    """Runs the supervisor's loop until asked to stop. Says when everything is ready, and writes
    `demo.json` then and whenever a pid changed."""
    told: dict[str, int] | None = None
    while not attention.stopping:
        supervisor.loop(time.monotonic())
        if supervisor.is_ready and told != supervisor.pids():
            stack.home.write_demo(demo_facts(stack, supervisor.pids()))
            if told is None:
                print(f"proteus: ready {stack.settings.shop_url}", flush=True)
            told = supervisor.pids()
        attention.wait(IDLE_TURN_S if supervisor.is_ready else BUSY_TURN_S)


def require_ports(settings: LocalSettings) -> None:
    """Waits a little for the two ports that browsers use.

    Raises:
        PortTakenError: one of them stays in use.
    """
    for name, port in (("PORT", settings.port), ("SHOP_PORT", settings.shop_port)):
        if not children.wait_until(partial(children.is_free, port), within_s=PORT_WITHIN_S):
            raise PortTakenError(f"port {port} is taken; set {name} to a free one")


def run(settings: LocalSettings, attention: Attention) -> int:
    """Runs the stack. Returns the exit code; every child has ended by then."""
    home = Home(settings.home)
    with home.locked():
        require_ports(settings)
        home.put_logs_aside()
        home.demo_path.unlink(missing_ok=True)
        stack = Stack(settings, home, home.secrets(), Ports.free())
        supervisor = Supervisor(all_parts(stack, os.environ), say)
        try:
            keep_running(stack, supervisor, attention)
        except StackError as error:
            say(f"{error}; its last lines:")
            print("\n".join(home.last_lines(error.name)), file=sys.stderr, flush=True)
            return error.exit_code
        finally:
            home.demo_path.unlink(missing_ok=True)
            supervisor.stop(GRACE_S)
    say("stopped")
    return 0


def _guarded(act: Callable[[], int]) -> int:
    try:
        return act()
    except SettingsError as error:
        print("\n".join(error.lines), file=sys.stderr)
        return EXIT_SETTINGS
    except AlreadyRunningError as error:
        say(f"already running here (pid {error}); stop it, or set PROTEUS_HOME and both ports")
    except PortTakenError as error:
        say(str(error))
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--parent", type=int, metavar="PID", help="end when our parent PID ends")
    return parser


def main(argv: list[str]) -> int:
    asked = _parser().parse_args(argv)
    if asked.parent is not None and not children.die_with(asked.parent, signal.SIGTERM):
        return 1
    os.umask(0o077)  # the parts write photos of people
    attention = Attention()
    return _guarded(lambda: run(LocalSettings.from_env(os.environ), attention))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
