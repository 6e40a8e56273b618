"""Which sockets are open in this process, and what still has to be sent to each.

Pure bookkeeping: no Flask, no Redis, no rows. A socket's handler takes from its own outbox; the
feed offers to all outboxes of a channel at once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Format = Literal["html", "json"]
Kind = Literal["shopper", "secret", "user"]
Messages = Sequence[str]

REMEMBERED = 5000  # ids per socket; a dashboard may stay open for weeks


@dataclass(frozen=True, slots=True)
class Voice:
    """How a socket wants to be spoken to. A row is rendered once for each voice that listens."""

    format: Format
    kind: Kind


class Outbox:
    """The newest unsent messages of each row, for one socket. Versions of a row never go back."""

    def __init__(self, channel: str, voice: Voice, wake: Callable[[], None]):
        self.channel = channel
        self.voice = voice
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: dict[str, Messages] = {}
        self._newest: OrderedDict[str, int] = OrderedDict()

    def wants(self, row_id: str, version: int) -> bool:
        return version > self._newest.get(row_id, 0)

    def offer(self, row_id: str, version: int, messages: Messages) -> None:
        """Queues what is to be said of a row, unless this or a newer state of it was offered.

        What waits unsent is replaced: of a burst only the latest state goes out.
        """
        with self._lock:
            if not self.wants(row_id, version):
                return
            self._newest[row_id] = version
            self._newest.move_to_end(row_id)
            if len(self._newest) > REMEMBERED:
                self._newest.popitem(last=False)
            self._waiting[row_id] = messages
        self._wake()

    def take(self) -> list[str]:
        """All that waits, oldest row first."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        return [message for messages in waiting.values() for message in messages]

    def versions(self) -> dict[str, int]:
        """What this socket has been told, by row."""
        with self._lock:
            return dict(self._newest)

    def wake(self) -> None:
        self._wake()


class Hub:
    """All sockets of one process, found by channel: `shopper:…`, `site:…`, `merchant:…`."""

    def __init__(self, most_sockets: int):
        self._most = most_sockets
        self._lock = threading.Lock()
        self._open = 0
        self._channels: defaultdict[str, list[Outbox]] = defaultdict(list)
        self.closing = False

    def __len__(self) -> int:
        return self._open

    def enter(self) -> bool:
        """Takes a slot, from the handshake on; False when all are taken."""
        with self._lock:
            if self._open >= self._most:
                return False
            self._open += 1
            return True

    def exit(self) -> None:
        with self._lock:
            self._open -= 1

    def join(self, outbox: Outbox) -> None:
        with self._lock:
            self._channels[outbox.channel].append(outbox)

    def leave(self, outbox: Outbox) -> None:
        with self._lock:
            members = self._channels[outbox.channel]
            if outbox in members:
                members.remove(outbox)
            if not members:
                del self._channels[outbox.channel]

    def members(self, channels: Iterable[str]) -> list[Outbox]:
        with self._lock:
            return [outbox for channel in channels for outbox in self._channels.get(channel, ())]

    def channels(self) -> list[str]:
        with self._lock:
            return list(self._channels)

    def offer(
        self, channels: Iterable[str], row_id: str, version: int, say: Callable[[Voice], Messages]
    ) -> None:
        """Offers one row's state to every socket of the channels; renders once for each voice, and
        not at all where all have heard of it."""
        said: dict[Voice, Messages] = {}
        for outbox in self.members(channels):
            if outbox.wants(row_id, version):
                if outbox.voice not in said:
                    said[outbox.voice] = say(outbox.voice)
                outbox.offer(row_id, version, said[outbox.voice])

    def close_all(self) -> None:
        """Wakes every handler so that it says 1012 and leaves; new ones are sent away alike."""
        self.closing = True
        for outbox in self.members(self.channels()):
            outbox.wake()
