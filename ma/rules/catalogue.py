"""What rules can speak of: one object that the editor, the validator, the SQL and the English share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ma.rules.events import EVENTS, EventKind
from ma.rules.fields import FIELDS, Field


@dataclass(frozen=True)
class KnownSegment:
    """Another segment that a rule may name; `rule` is its JSON, None for a static list."""

    name: str
    rule: dict | None


# Compared by identity: what is made of a catalogue is remembered with it.
@dataclass(frozen=True, eq=False)
class Catalogue:
    """The fields, events, campaigns and segments of one workspace.

    `campaigns` (id -> name) and `segments` are None where they are not known: an id is then taken as it is.
    """

    fields: Mapping[str, Field] = field(default_factory=lambda: FIELDS)
    events: Mapping[str, EventKind] = field(default_factory=lambda: EVENTS)
    campaigns: Mapping[int, str] | None = None
    segments: Mapping[int, KnownSegment] | None = None


# What every workspace has: its profile fields and the events of all, no names of its own.
STANDARD = Catalogue()
