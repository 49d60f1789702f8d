"""Reading the stream as one of a group: each entry goes to one reader, until somebody acknowledges it."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

import redis

from ma.events.broker import STREAM, connect, make_group, talking
from ma.events.envelope import Envelope, Unreadable

# Whoever keeps an entry for so long without a word is dead; somebody else takes it over.
CLAIM_AFTER_SECONDS = 30.0
FORGOTTEN_AFTER_SECONDS = 3_600.0


@dataclass(frozen=True)
class Delivery:
    """An entry of the stream; `envelope` is None where it is no event of ours."""

    entry_id: bytes
    envelope: Envelope | None


class Consumer:
    """One reader of a group. Its name is its own: what it does not acknowledge others can claim."""

    def __init__(self, url: str, group: str, *, claim_after_seconds: float = CLAIM_AFTER_SECONDS):
        self._client, self._group = connect(url), group
        self._name = f"{socket.gethostname()}-{os.getpid()}-{token_hex(3)}"
        self._claim_after = int(claim_after_seconds * 1_000)

    def read(self, count: int, *, wait_seconds: float) -> list[Delivery]:
        """New entries, oldest first; waits for the first one so long. Raises BrokerUnavailable."""
        return self._read(">", count, block=max(1, int(wait_seconds * 1_000)))

    def read_mine(self, count: int) -> list[Delivery]:
        """The oldest entries that this reader was given and has not acknowledged."""
        return self._read("0", count, block=None)

    def claim(self, count: int) -> list[Delivery]:
        """Take over what others were given long ago and have not acknowledged."""
        with talking():
            try:
                _, entries, *_ = self._client.xautoclaim(
                    STREAM, self._group, self._name, self._claim_after, start_id="0-0", count=count
                )
            except redis.ResponseError as error:
                self._make_group(error)
                return []
        return _deliveries(entries)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Say that these entries are done with."""
        with talking():
            self._client.xack(STREAM, self._group, *[delivery.entry_id for delivery in deliveries])

    def forget_the_dead(self) -> None:
        """Take readers that are long gone, and keep nothing, off the group's list."""
        with talking():
            try:
                known = self._client.xinfo_consumers(STREAM, self._group)
            except redis.ResponseError as error:
                self._make_group(error)
                return
            for one in known:
                if not one["pending"] and one["idle"] > FORGOTTEN_AFTER_SECONDS * 1_000:
                    self._client.xgroup_delconsumer(STREAM, self._group, one["name"])

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _read(self, since: str, count: int, block: int | None) -> list[Delivery]:
        with talking():
            try:
                found = self._client.xreadgroup(
                    self._group, self._name, {STREAM: since}, count=count, block=block
                )
            except redis.ResponseError as error:
                self._make_group(error)
                return []
        return _deliveries(_entries(found))

    def _make_group(self, error: redis.ResponseError) -> None:
        # The server has forgotten everything, or is new.
        if "NOGROUP" not in str(error) and "no such key" not in str(error):
            raise error
        make_group(self._client, self._group)


def _entries(found) -> list:
    # One stream is asked for. The newer protocol answers with a dict, and one more list around its entries.
    if isinstance(found, dict):
        return [entry for entries in found.values() for entry in entries[0]]
    return found[0][1] if found else []


def _deliveries(entries) -> list[Delivery]:
    deliveries = []
    for entry_id, fields in entries:
        if entry_id is None:
            continue
        try:
            # An entry that was dropped from the stream is still listed, without its fields.
            text = {key.decode(): value.decode() for key, value in (fields or {}).items()}
            deliveries.append(Delivery(entry_id, Envelope.from_fields(text)))
        except (Unreadable, UnicodeDecodeError):
            deliveries.append(Delivery(entry_id, None))
    return deliveries
