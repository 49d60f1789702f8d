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
    """One event, as it lies in an outbox and in the stream; `text` is what it says, as JSON."""

    event_id: str
    source: str
    type: str
    version: int
    occurred_at: datetime
    text: str

    @classmethod
    def of(cls, row, source: str) -> "Envelope":
        """The event of a row of an outbox, or of dead letters."""
        text = json.dumps(row.payload, separators=(",", ":"))
        return cls(row.event_id, source, row.type, row.version, row.occurred_at, text)

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
                fields["payload"],
            )
        except (KeyError, ValueError) as error:
            raise Unreadable("This entry of the stream is no event.") from error

    def to_fields(self) -> dict[str, str]:
        """The flat text fields of a stream entry."""
        return {
            "event_id": self.event_id,
            "source": self.source,
            "type": self.type,
            "version": str(self.version),
            "occurred_at": self.occurred_at.isoformat(),
            "payload": self.text,
        }

    def payload(self) -> dict:
        """What it says, unchecked; text that is no JSON object stands under `text`."""
        try:
            said = json.loads(self.text)
        except ValueError:
            said = None
        return said if isinstance(said, dict) else {"text": self.text}

    def event(self) -> Event:
        """What it says. Raises Unreadable."""
        message = MESSAGES.get(self.type)
        if message is None or message.version != self.version:
            raise Unreadable(f"{self.type} version {self.version} is unknown to this program.")
        try:
            return message.model_validate_json(self.text)
        except ValueError as error:
            raise Unreadable(f"{self.type} version {self.version} has other fields here.") from error
