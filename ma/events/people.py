"""Of whom the content of an event tells, and what is left of it without some of them."""

from collections.abc import Collection

from ma.events.messages import MESSAGES

# Of one event about one person, or about two who are one.
_ONE = ("customer_id", "merged_id")
# Of one event about many people: lists of ids, or of what has a `customer_id`.
_MANY = ("leads", "tickets", "people", "outcomes", "customer_ids")
# The types of events about many people.
OF_MANY = frozenset(name for name, message in MESSAGES.items() if {*_MANY} & {*message.model_fields})


def people(payload: dict) -> set[int]:
    """The ids of everybody of whom an event tells."""
    ids = {payload.get(name) for name in _ONE}
    ids |= {_whose(one) for name in _MANY for one in payload.get(name, ())}
    return ids - {None}


def without(payload: dict, gone: Collection[int]) -> dict | None:
    """The content of an event without these people; None where it tells of nobody else."""
    if any(payload.get(name) in gone for name in _ONE):
        return None
    left = {
        name: [one for one in payload[name] if _whose(one) not in gone] for name in _MANY if name in payload
    }
    return None if left and not any(left.values()) else payload | left


def _whose(one: dict | int) -> int | None:
    return one["customer_id"] if isinstance(one, dict) else one
