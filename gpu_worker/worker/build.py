"""Composition of a batch worker: every part is made after those that it uses.

The only module that knows them all.
"""

from __future__ import annotations

import os
import socket
from uuid import uuid4

from redis import Redis

from gpu_worker.config import Settings
from gpu_worker.queue.events import Events
from gpu_worker.queue.leases import ANY_NUMBER, Leases
from gpu_worker.scheduling.loop import AnySteps, Runner
from gpu_worker.scheduling.metrics import Metrics
from gpu_worker.scheduling.plan import Scheduler, bulk_in_spare_slots
from gpu_worker.storage.courier import AnyCourier
from gpu_worker.worker.batch import BatchWorker
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import Book
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.claimer import Claimer
from gpu_worker.worker.keeper import Keeper
from gpu_worker.worker.policy import PolicyReader
from gpu_worker.worker.report import Reporter
from gpu_worker.worker.rq_side import RqSide
from gpu_worker.worker.signals import Signals
from gpu_worker.worker.tasks import Tasks


def build_worker(
    connection: Redis, engine: AnySteps, courier: AnyCourier, settings: Settings
) -> BatchWorker:
    """A worker that serves this engine once `work` or `serve` is called."""
    name = _name(engine.name)
    each = getattr(engine, "per_merchant", ANY_NUMBER)
    rq, signals, tasks = RqSide(connection, name), Signals(), Tasks()
    bill, metrics = Bill(), Metrics()
    leases = Leases(connection, engine.name, name, settings.lease_s, each)
    reader = PolicyReader(connection, engine, settings)

    def beside(live: int, slots: int) -> int:
        return bulk_in_spare_slots(live, slots, metrics.curve(reader.current.tier.size))

    book = Book(bill, beside)
    events, patience_s = Events(connection), settings.lease_s
    carrier = Carrier(courier, book, leases, events, rq, signals, patience_s)
    reporter = Reporter(book, carrier, tasks)
    runner = Runner(
        engine, Scheduler(), courier.renew, book.note_last_step, reporter.begun, metrics
    )
    return BatchWorker(
        rq, engine, settings, signals, leases, book, tasks, runner, reader, reporter,
        Claimer(rq, leases, bill, book, carrier, tasks, reader, signals, settings.maintenance_s),
        Keeper(
            rq, engine, settings, signals, leases, bill, book, carrier, tasks, runner, reader
        ),
    )  # fmt: skip


def _name(engine: str) -> str:
    """A name that no other worker process has, for RQ and as the owner of leases."""
    host = socket.gethostname().replace(".", "-")
    return f"{engine}-{host}-{os.getpid()}-{uuid4().hex[:8]}"
