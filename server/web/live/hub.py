"""The open sockets of this process by channel (topic), and an outbox of unsent messages for each.

Must not know Flask, Redis or rows. The feed offers messages to all outboxes of a channel; each
socket's handler takes from its own.
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

REMEMBERED = 5000  # row versions per socket; a dashboard may stay open for weeks


@dataclass(frozen=True, slots=True)
class Voice:
    """The representation that a socket receives: format and kind of caller. A row is rendered once
    for each voice, not for each socket."""

    format: Format
    kind: Kind


class Outbox:
    """Queue of one socket: the newest unsent messages of each row. Versions of a row only go up.

    The feed's thread offers, the socket's handler takes. `wake` must be callable from any thread.
    """

    def __init__(self, channel: str, voice: Voice, wake: Callable[[], None]):
        self.channel = channel
        self.voice = voice
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: dict[str, Messages] = {}
        self._newest: OrderedDict[str, int] = OrderedDict()

    def wants(self, row_id: str, version: int) -> bool:
        """Whether this version of the row is newer than every one offered before."""
        return version > self._newest.get(row_id, 0)

    def offer(self, row_id: str, version: int, messages: Messages) -> None:
        """Queues a row's messages, unless this or a newer version was offered before.

        They replace unsent ones of the row, so that of a burst only the last state is sent, and a
        slow client costs one entry per row at most.
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
        """Removes and returns all unsent messages, in the order in which their rows were queued."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        return [message for messages in waiting.values() for message in messages]

    def versions(self) -> dict[str, int]:
        """The newest version offered to this socket, by row."""
        with self._lock:
            return dict(self._newest)

    def wake(self) -> None:
        self._wake()


class Hub:
    """All sockets of one process by channel: `shopper:…`, `site:…`, `merchant:…`. Thread-safe.

    `most_sockets`: how many may be open at once. `closing`: the process is shutting down.
    """

    def __init__(self, most_sockets: int):
        self._most = most_sockets
        self._lock = threading.Lock()
        self._open = 0
        self._channels: defaultdict[str, list[Outbox]] = defaultdict(list)
        self.closing = False

    def __len__(self) -> int:
        return self._open

    def enter(self) -> bool:
        """Counts a socket from its handshake on; False if `most_sockets` are open."""
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
        """Offers one version of a row to every socket of the channels. Calls `say` (rendering) once
        for each voice, and not at all if every socket has that version."""
        said: dict[Voice, Messages] = {}
        for outbox in self.members(channels):
            if outbox.wants(row_id, version):
                if outbox.voice not in said:
                    said[outbox.voice] = say(outbox.voice)
                outbox.offer(row_id, version, said[outbox.voice])

    def close_all(self) -> None:
        """Makes every handler close its socket with 1012; new sockets are closed likewise."""
        self.closing = True
        for outbox in self.members(self.channels()):
            outbox.wake()
