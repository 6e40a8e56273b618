"""Test harness of the whole service on PostgreSQL: accept try-ons, inject a fault, count the ends.

Rows, objects and RQ's registries are read directly, past any proxy that a test puts in between. A
database trigger records every end of a row, so that a second one is seen.
"""

from __future__ import annotations

import io
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
from redis import Redis, RedisError
from sqlalchemy import select, text

from gpu_worker.contract import (
    EVENTS,
    STEWARD,
    Event,
    EventType,
    Options,
    TryOnStatus,
    policy_key,
    worker_key,
)
from local.children import Child
from server import auth
from server.domain import try_ons
from server.domain.try_ons.accept import NewTryOn
from server.models import Garment, Photo, Shopper, Site, TryOn
from tests.faults.lines import Counts, line
from tests.stage import ENGINE, Stage
from tests.waiting import DEADLINE_S, wait_for
from tests.workshop import jpeg

POISON = 666  # a seed: broken workers fail at the try-on that has it
SETTLED_WITHIN_S = 90  # the longest that a loaded machine may take
PROMISED_S = 30  # the recovery that docs/faults.md promises; tests check it themselves
BROKEN = ("-m", "tests.faults.broken_worker")
# The default lease, where none may run out: a busy machine may renew one of 3 s too late.
UNHURRIED = {"PROTEUS_LEASE_S": "20"}

_WRITE_DOWN_ENDS = """
CREATE TABLE ends (try_on_id text, became text);
CREATE FUNCTION write_end_down() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status NOT IN ('queued', 'running')
     AND (OLD.status, OLD.result_key, OLD.finished_at, OLD.error_code)
         IS DISTINCT FROM (NEW.status, NEW.result_key, NEW.finished_at, NEW.error_code)
     OR OLD.status NOT IN ('queued', 'running') AND NEW.status <> OLD.status THEN
    INSERT INTO ends VALUES (NEW.id, NEW.status);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ends AFTER UPDATE ON try_ons FOR EACH ROW EXECUTE FUNCTION write_end_down();
"""


class WholeService:
    """The whole service of one test, and the ids of all try-ons that it has accepted.

    `house`: the server's side, with its people; `recovered_s`: from the fault to the last end.
    """

    def __init__(self, house: Stage, record: Callable[[str], None]):
        self.house = house
        self.accepted: list[str] = []
        self.recovered_s = 0.0
        self._record = record
        self._struck_at = time.monotonic()
        self._redis = Redis.from_url(house.redis_url, socket_timeout=10)
        self._things: dict[str, tuple[Photo, Garment]] = {}
        with house.services.database.engine.begin() as connection:
            connection.execute(text(_WRITE_DOWN_ENDS))

    # --- the processes ----------------------------------------------------------------------------

    def steward(self, **changes: str) -> Child:
        child = self.house.steward(**changes)
        wait_for(lambda: self._redis.exists(STEWARD))
        return child

    def work(self, *module: str, **changes: str) -> Child:
        """Starts a worker, without waiting for it; `module` replaces `-m gpu_worker work null`. Its
        lease is short, for tests that wait until it runs out."""
        env = {
            "PROTEUS_NULL_CURVE": "20,5,10",
            "PROTEUS_LEASE_S": "3",
            "PROTEUS_MAINTENANCE_S": "1",
            "PROTEUS_MAX_WAIT_MS": "300",
            "PROTEUS_GRACE_S": "6",
            "PROTEUS_BATCH_SIZE": "8",
        }
        name = f"worker-{len(self.house.children)}.log"
        argv = module or ("-m", "gpu_worker", "work", ENGINE)
        return self.house.start(*argv, log=name, **{**env, **changes})

    def arbitrate(self, **changes: str) -> Child:
        name = f"arbitrator-{len(self.house.children)}.log"
        return self.house.start("-m", "gpu_worker", "arbitrate", log=name, **changes)

    def serve(self, **changes: str) -> Child:
        return self.house.serve(PROTEUS_RATE_LIMIT="100000", **changes)

    # --- the shoppers -----------------------------------------------------------------------------

    def order(
        self, count: int = 1, site: Site | None = None, seed: int | None = None, **options: Any
    ) -> list[str]:
        """Accepts try-ons by the domain's function, without HTTP, for the site's shopper; returns
        their ids."""
        site = site or self.house.shop
        photo, garment = self.things(site)
        new = NewTryOn(
            photo_id=photo.id, garment_id=garment.id, seed=seed, options=Options(**options)
        )
        caller = self.house.caller(self._shopper_of(site))
        ids = [try_ons.create(self.house.services, caller, new).id for _ in range(count)]
        self.accepted += ids
        return ids

    def post(
        self, shopper: Shopper | None = None, key: str | None = None, url: str | None = None
    ) -> httpx.Response:
        """Asks for a try-on by one POST; one that is answered 202 counts as accepted."""
        shopper = shopper or self.house.sam
        site = self.house.other_shop if shopper is self.house.zoe else self.house.shop
        photo, garment = self.things(site, shopper)
        token = auth.issue_shopper_token(self.house.services, shopper).token
        answer = httpx.post(
            f"{url or self.house.url}/v1/try-ons",
            json={"photo_id": photo.id, "garment_id": garment.id},
            headers={
                "Authorization": f"Bearer {token}",
                "Idempotency-Key": key or str(time.time_ns()),
            },
            timeout=DEADLINE_S,
        )
        if answer.status_code == 202 and answer.json()["id"] not in self.accepted:
            self.accepted.append(answer.json()["id"])
        return answer

    def ask(self, shopper: Shopper | None = None) -> str:
        """Asks for a try-on over HTTP, which must be accepted; returns its id."""
        answer = self.post(shopper)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def things(self, site: Site, shopper: Shopper | None = None) -> tuple[Photo, Garment]:
        """The shopper's photo and garment, ready, with their objects in the store."""
        whose = shopper or self._shopper_of(site)
        if whose.id not in self._things:
            photo, garment = self.house.photo(whose), self.house.garment(site)
            self._store(photo, garment)
            self._things[whose.id] = photo, garment
        return self._things[whose.id]

    def _shopper_of(self, site: Site) -> Shopper:
        return self.house.zoe if site is self.house.other_shop else self.house.sam

    def _store(self, photo: Photo, garment: Garment) -> None:
        put, bucket = self.house.store.put_object, self.house.s3.bucket
        parts = io.BytesIO()
        np.savez(parts, none=np.zeros(1))
        for thing in (photo, garment):
            put(Bucket=bucket, Key=str(thing.clean_key), Body=jpeg())
            put(Bucket=bucket, Key=str(thing.parts_key), Body=parts.getvalue())

    # --- what can be seen -------------------------------------------------------------------------

    def events(self, kind: EventType) -> list[Event]:
        entries: Any = self._redis.xrange(EVENTS)
        events = [Event.from_json(fields[b"event"]) for _, fields in entries]
        return [event for event in events if event.type is kind]

    def is_running(self) -> bool:
        return bool(self.events(EventType.RUNNING))

    def rows(self) -> dict[str, TryOn]:
        with self.house.services.read() as session:
            return {row.id: row for row in session.scalars(select(TryOn))}

    def finished(self) -> list[str]:
        return [id_ for id_, row in self.rows().items() if row.status.is_final]

    def has_leases(self) -> bool:
        return bool(self._redis.keys("proteus:lease:*"))

    def in_line(self) -> int:
        """How many jobs wait in RQ's queues."""
        keys: Any = self._redis.keys("rq:queue:*")
        return sum(int(self._redis.llen(key)) for key in keys)

    def losses(self) -> int:
        """How many losses RQ's jobs have counted, in all."""
        marks = [self._redis.hget(f"rq:job:{id_}", "losses") for id_ in self.accepted]
        return sum(int(mark) for mark in marks if mark)

    def law(self) -> str | None:
        """The `law` of the engine's policy; None if there is no policy."""
        law: Any = self._redis.hget(policy_key(ENGINE), "law")
        return law.decode() if law else None

    def clocks(self) -> list[float]:
        """By how many seconds each worker's clock is ahead of ours, by its heartbeat."""
        keys: Any = self._redis.keys(worker_key("*"))
        beats: Any = [self._redis.hget(key, "ts") for key in keys]
        return [float(beat) - time.time() for beat in beats if beat]

    def workers(self) -> set[str]:
        members: Any = self._redis.smembers("rq:workers")
        return {name.decode() for name in members}

    def is_settled(self) -> bool:
        """Whether every accepted try-on has ended and RQ's queues and registries are empty."""
        rows = self.rows()
        if not all(id_ in rows and rows[id_].status.is_final for id_ in self.accepted):
            return False
        with suppress(RedisError):
            return not self._books()
        return False

    def _books(self) -> list[bytes]:
        keys: Any = self._redis.keys("rq:*:*")
        return [key for key in keys if key.startswith((b"rq:wip:", b"rq:queue:"))]

    # --- the fault and its end --------------------------------------------------------------------

    def struck(self) -> None:
        """Marks the moment of the fault, from which the recovery is measured."""
        self._struck_at = time.monotonic()

    def kill(self, child: Child) -> None:
        self.struck()
        child.send_signal(signal.SIGKILL)
        child.wait()

    def settle(self, within_s: float = SETTLED_WITHIN_S) -> float:
        """Waits until all is settled; returns the seconds since the fault."""
        try:
            wait_for(self.is_settled, within_s)
        except AssertionError:
            raise AssertionError(f"{self._unsettled()}\n{self.logs()}") from None
        self.recovered_s = time.monotonic() - self._struck_at
        return self.recovered_s

    def tell(self, number: int, name: str, more: str = "") -> Counts:
        """Waits, counts, reports one line, and asserts that nothing is lost or doubled."""
        recovered_s = self.settle()
        counts = self.count()
        self._record(line(number, name, counts, recovered_s, more))
        assert (counts.lost, counts.doubled) == (0, 0), self.logs()
        return counts

    def count(self) -> Counts:
        rows, pictures = self.rows(), self._pictures()
        mine = [rows.get(id_) for id_ in self.accepted]
        kinds = Counter(row.status for row in mine if row)
        failed = [str(row.error_code) for row in mine if row and row.status is TryOnStatus.FAILED]
        return Counts(
            accepted=len(mine),
            succeeded=kinds[TryOnStatus.SUCCEEDED],
            failed=Counter(failed),
            lost=sum(row is None or not _has_its_end(row, pictures) for row in mine),
            doubled=self._doubled(rows, pictures),
        )

    def _doubled(self, rows: dict[str, TryOn], pictures: set[str]) -> int:
        """How many second ends, rows and pictures that nobody asked for, and jobs left in RQ."""
        twice = sum(count - 1 for count in self._ends().values())
        unasked = len(rows.keys() - set(self.accepted))
        wanted = {row.result_key for row in rows.values() if row.status is TryOnStatus.SUCCEEDED}
        return twice + unasked + len(pictures - wanted) + len(self._books())

    def _ends(self) -> Counter[str]:
        with self.house.services.database.engine.connect() as connection:
            ids = connection.execute(text("SELECT try_on_id FROM ends")).scalars()
            return Counter(map(str, ids))

    def _pictures(self) -> set[str]:
        return {key for key in self.house.objects() if key.startswith("pictures/")}

    def _unsettled(self) -> str:
        rows = self.rows()
        open_ones = {id_: str(rows[id_].status) for id_ in self.accepted if id_ in rows}
        return f"unsettled: {open_ones}, in RQ's books: {self._books()}"

    def logs(self) -> str:
        logs: Iterable[Any] = sorted(self.house.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2500:]}" for log in logs)

    def close(self) -> None:
        self._redis.close()


def _has_its_end(row: TryOn, pictures: set[str]) -> bool:
    if row.status is TryOnStatus.SUCCEEDED:
        return row.result_key in pictures
    return row.status.is_final
