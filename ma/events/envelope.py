"""An event on its way: what it says, with its id, its type and where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ma.events.messages import MESSAGES, Event


class Unreadable(ValueError):
    """An event that this program does not understand: an unknown type, another version, other fields."""


@dataclass(frozen=True)
class Envelope:
    """One event, as it lies in an outbox and in the stream."""

    event_id: str
    source: str
    type: str
    version: int
    occurred_at: datetime
    payload: dict

    def to_fields(self) -> dict[str, str]:
        """The flat text fields of a stream entry; `payload` is JSON."""
        return {
            "event_id": self.event_id,
            "source": self.source,
            "type": self.type,
            "version": str(self.version),
            "occurred_at": self.occurred_at.isoformat(),
            "payload": json.dumps(self.payload, separators=(",", ":")),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> "Envelope":
        """The event of a stream entry. Raises Unreadable for an entry that is none of ours."""
        try:
            return cls(
                fields["event_id"],
                fields.get("source", "ma"),
                fields["type"],
                int(fields["version"]),
                datetime.fromisoformat(fields["occurred_at"]),
                json.loads(fields["payload"]),
            )
        except (KeyError, ValueError) as error:
            raise Unreadable("This entry of the stream is no event.") from error

    def event(self) -> Event:
        """What it says. Raises Unreadable."""
        message = MESSAGES.get(self.type)
        if message is None or message.version != self.version:
            raise Unreadable(f"{self.type} version {self.version} is unknown to this program.")
        try:
            return message.model_validate(self.payload)
        except ValueError as error:
            raise Unreadable(f"{self.type} version {self.version} has other fields here.") from error
