"""`python -m server.cli`: tables, merchants, users, keys, failed try-ons, and the demo.

What it makes it prints as JSON; a wrong setting ends it with code 2.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import RedisError

from gpu_worker.contract import SettingsError
from server.cli import demo
from server.config import Settings
from server.domain import sites, try_ons, users
from server.infra import log, migrate
from server.infra.caller import Caller
from server.infra.errors import Code, Problem, Unavailable
from server.infra.services import Services
from server.models import Base, Merchant, Site
from server.rendering.words import problems

Answer = dict[str, object]  # said as JSON
Command = Callable[[Services, argparse.Namespace], Answer | None]
Row = TypeVar("Row", bound=Base)


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        print("\n".join(error.lines), file=sys.stderr)
        return 2
    log.configure(settings.log)
    services = Services.from_settings(settings)
    try:
        run: Command = args.run
        answer = run(services, args)
    except Problem as problem:
        print(f"{problem.code}: {problems.detail(problem)}", file=sys.stderr)
        return 1
    except (RedisError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        services.close()
    if answer is not None:
        print(json.dumps(answer))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server.cli", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = _adder(commands)
    command("migrate", _migrate, "bring the tables up to date")
    command("demo", _demo, "make the demo's merchant, site, keys and garments, or find them")
    command("merchant", _merchant, "make a merchant", ["name"])
    command(
        "user",
        _user,
        "make a dashboard user; asks for the password, or takes PROTEUS_PASSWORD",
        ["merchant_id", "email", "role"],
    )
    command(
        "password",
        _password,
        "give a dashboard user a new password and end all of their sessions; asks for it, or "
        "takes PROTEUS_PASSWORD",
        ["email"],
    )
    command(
        "remove-user",
        _remove_user,
        "remove a dashboard user and end all of their sessions; never a merchant's last owner",
        ["email"],
    )
    command(
        "site", _site, "make a site with its publishable keys", ["merchant_id", "name"], "origin"
    )
    command("retry", _retry, "put failed try-ons in line again", many="try_on_id")
    command("key", _key, "make a secret key and show it once", ["site_id", "mode"])
    return parser


def _adder(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> Callable[..., None]:
    def add(
        name: str, run: Command, words: str, needs: list[str] | None = None, many: str = ""
    ) -> None:
        parser = commands.add_parser(name, help=words, description=words)
        parser.set_defaults(run=run)
        for need in needs or []:
            parser.add_argument(need, choices=_CHOICES.get(need))
        if many:
            parser.add_argument(many, nargs="+")

    return add


_CHOICES = {"role": ["owner", "staff"], "mode": ["live", "test"]}


def _migrate(services: Services, _args: argparse.Namespace) -> None:
    migrate.to_head(services.database)


def _demo(services: Services, _args: argparse.Namespace) -> Answer:
    return demo.seed(services, shop_port=int(os.environ.get("SHOP_PORT", "8081")))


def _merchant(services: Services, args: argparse.Namespace) -> Answer:
    return {"merchant_id": sites.create_merchant(services, args.name).id}


def _user(services: Services, args: argparse.Namespace) -> Answer:
    _require(services, Merchant, args.merchant_id)
    user = sites.create_user(
        services, args.merchant_id, email=args.email, password=_told_password(), role=args.role
    )
    return {"user_id": user.id, "email": user.email, "role": user.role}


def _password(services: Services, args: argparse.Namespace) -> Answer:
    return _ended(users.set_password(services, args.email, _told_password()))


def _remove_user(services: Services, args: argparse.Namespace) -> Answer:
    return {"removed": True, **_ended(users.remove(services, args.email))}


def _ended(ended: users.Ended) -> Answer:
    user = ended.user
    return {"user_id": user.id, "email": user.email, "sessions_ended": ended.sessions}


def _told_password() -> str:
    return os.environ.get("PROTEUS_PASSWORD") or getpass.getpass()


def _site(services: Services, args: argparse.Namespace) -> Answer:
    _require(services, Merchant, args.merchant_id)
    site = sites.create(services, args.merchant_id, name=args.name, allowed_origins=args.origin)
    return {"site": site.id, "publishable_key": site.live_key, "test_key": site.test_key}


def _key(services: Services, args: argparse.Namespace) -> Answer:
    site = _require(services, Site, args.site_id)
    caller = Caller(kind="user", merchant_id=site.merchant_id, role="owner")
    made = sites.create_secret_key(services, caller, site.id, args.mode)
    return {"key_id": made.row.id, "secret_key": made.secret_key}


def _retry(services: Services, args: argparse.Namespace) -> Answer:
    queued, refused = [], {}
    for try_on_id in args.try_on_id:
        try:
            queued.append(try_ons.retry(services, try_on_id).id)
        except Unavailable:
            raise
        except Problem as problem:
            refused[try_on_id] = problem.code
    return {"queued": queued, "refused": refused}


def _require(services: Services, model: type[Row], row_id: str) -> Row:
    with services.read() as session:
        row = session.get(model, row_id)
    if row is None:
        raise Problem(Code.NOT_FOUND, f"There is no {model.__name__.lower()} {row_id}.")
    return row


if __name__ == "__main__":
    sys.exit(main())
