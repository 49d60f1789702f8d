"""The event bus: a Redis stream that keeps events, and a channel that rings for live listeners."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import redis

from ma.errors import BrokerUnavailable
from ma.events.envelope import Envelope

STREAM = CHANNEL = "crm_events"
TIMEOUT_SECONDS = 5


class Broker(Protocol):
    """Where the relay hands events over."""

    def send(self, events: Sequence[Envelope]) -> list[str | None]:
        """Take events in their order; each one's place in the stream. Raises BrokerUnavailable."""

    def close(self) -> None:
        """Give the connections back."""


@dataclass(frozen=True)
class Extent:
    """The stream as it is now. `first` and `last` are the places it reaches from and to.

    `run_id` is new whenever the server was started anew, and may then have forgotten something.
    """

    run_id: str
    first: str
    last: str


@dataclass(frozen=True)
class Group:
    """How far one group of readers is. `safe` is the first place that it may still need."""

    name: str
    last_delivered: str
    pending: int
    waiting: int | None
    safe: str


class RedisBroker:
    """Sends events to the stream and the channel `crm_events` of one Redis server."""

    def __init__(self, url: str):
        self._client = connect(url)

    def send(self, events: Sequence[Envelope]) -> list[str | None]:
        """Append events to the stream in order, ring the channel for each, and say where they are now.

        Raises BrokerUnavailable; some events may have arrived then, so listeners act once per event id.
        """
        with talking(), self._client.pipeline(transaction=False) as pipeline:
            for event in events:
                fields = event.to_fields()
                pipeline.xadd(STREAM, fields)
                pipeline.publish(CHANNEL, _rung(fields))
            return [place(answer) for answer in pipeline.execute()[::2]]

    def ensure_groups(self, names: Iterable[str]) -> None:
        """Make the groups that are not there, from the stream's beginning on: nothing is trimmed before
        they have read it."""
        with talking():
            for name in names:
                make_group(self._client, name)

    def extent(self) -> Extent:
        """How far the stream reaches. Where nothing is in it, `first` is after `last`."""
        with talking():
            run_id = self._client.info("server")["run_id"]
            if not self._client.exists(STREAM):
                return Extent(run_id, first=place("9" * 15 + "-0"), last=place("0-0"))
            about = self._client.xinfo_stream(STREAM)
            last = place(about["last-generated-id"])
            entry = about["first-entry"]
            return Extent(run_id, first=place(entry[0]) if entry else after(last), last=last)

    def groups(self) -> list[Group]:
        """All groups of readers, known ones and others."""
        with talking():
            if not self._client.exists(STREAM):
                return []
            return [self._group(found) for found in self._client.xinfo_groups(STREAM)]

    def missing(self, places: Sequence[str]) -> list[str]:
        """Those of these places of which the stream holds nothing."""
        with talking(), self._client.pipeline(transaction=False) as pipeline:
            for one in places:
                pipeline.xrange(STREAM, address(one), address(one), count=1)
            found = pipeline.execute()
        return [one for one, entries in zip(places, found, strict=True) if not entries]

    def trim(self) -> int:
        """Drop what every group has acknowledged; how many entries that were. Without groups: nothing."""
        groups = self.groups()
        if not groups:
            return 0
        keep_from = min(group.safe for group in groups)
        with talking():
            return self._client.xtrim(STREAM, minid=address(keep_from), approximate=False)

    def ping(self) -> None:
        """Raises BrokerUnavailable unless the server answers."""
        with talking():
            self._client.ping()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _group(self, found: dict) -> Group:
        last = place(found["last-delivered-id"])
        safe = after(last)
        if found["pending"]:
            # What was delivered and not acknowledged may have to be delivered again.
            summary = self._client.xpending(STREAM, found["name"])
            safe = min(safe, place(summary["min"])) if summary["pending"] else safe
        name = found["name"].decode()
        return Group(name, last, found["pending"], found.get("lag"), safe)


def connect(url: str) -> redis.Redis:
    """A client of the server; nothing is opened yet."""
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, protocol=2
    )


@contextmanager
def talking() -> Iterator[None]:
    """Around whatever is asked of Redis: raises BrokerUnavailable where it does not answer."""
    try:
        yield
    except redis.RedisError as error:
        raise BrokerUnavailable(f"Redis did not answer: {type(error).__name__}.") from error


def make_group(client: redis.Redis, name: str) -> None:
    """Make a group that reads from the stream's beginning, unless it is there."""
    try:
        client.xgroup_create(STREAM, name, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def place(entry_id: bytes | str) -> str:
    """An entry's id as a text that sorts in the order of the stream."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, number = text.partition("-")
    return f"{int(milliseconds):015d}-{int(number or 0):020d}"


def address(of_place: str) -> str:
    """The id of an entry as Redis writes it."""
    milliseconds, _, number = of_place.partition("-")
    return f"{int(milliseconds)}-{int(number)}"


def after(of_place: str) -> str:
    """The place right behind another one."""
    milliseconds, _, number = of_place.partition("-")
    return f"{milliseconds}-{int(number) + 1:020d}"


def _rung(fields: dict[str, str]) -> str:
    # The payload is JSON already: written in, it is not packed twice.
    envelope = json.dumps({name: text for name, text in fields.items() if name != "payload"})
    return f'{envelope[:-1]}, "payload": {fields["payload"]}}}'
