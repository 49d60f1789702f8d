"""What may stand in each field of a campaign."""

import math
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.models import Campaign, Segment
from ma.services import campaign_texts as texts
from ma.services import campaign_variants as variants
from ma.text import fold
from ma.types import Channel

LONGEST_NAME = 100
LONGEST_WINDOW_DAYS = 90
LARGEST_HOLDOUT = 0.5
MOST_WAVES = 30
MOST_EXCLUDED = 20
DEFAULTS: dict[str, object] = {
    "name": "",
    "objective": "",
    "channel": Channel.EMAIL,
    "segment_id": None,
    "excluded": [],
    "subject": "",
    "body": "",
    "effects": {},
    "variants": [],
    "timezone": None,
    "quiet_from": None,
    "quiet_until": None,
    "cost_per_thousand_minor": None,
    "fixed_cost_minor": None,
    "budget_minor": None,
    "conversion_window_days": 7,
    "holdout_share": 0.0,
    "waves": 1,
}

_LARGEST_COST = 10**12
_DAY = 24 * 60


def clean(session: Session, values: dict, *, but: int | None = None) -> tuple[dict, dict[str, str]]:
    """A whole campaign's fields as they are stored, and what is wrong with them: {field: message}.

    `but` is the campaign itself, whose own name is not taken.
    """
    channel = values["channel"]
    row = dict(values)
    for name in ("name", "objective", "subject", "body"):
        row[name] = texts.tidy(values[name])
    row["name_folded"] = fold(row["name"])
    row["variants"], problems = variants.clean(values["variants"], channel)
    checked = (
        ("name", _name_problem(session, row["name"], but)),
        ("channel", _channel_problem(channel)),
        ("segment_id", _segment_problem(session, values["segment_id"])),
        ("excluded", _excluded_problem(session, values["excluded"], values["segment_id"])),
        ("objective", texts.problem("objective", row["objective"])),
        ("subject", texts.message_problem("subject", row["subject"], required=channel == Channel.EMAIL)),
        ("body", texts.message_problem("body", row["body"], required=True)),
        ("effects", variants.effects_problem(values["effects"], channel)),
        ("timezone", _timezone_problem(values["timezone"])),
        ("quiet_from", _quiet_problem(values["quiet_from"], values["quiet_until"])),
        ("cost_per_thousand_minor", _cost_problem(values["cost_per_thousand_minor"])),
        ("fixed_cost_minor", _cost_problem(values["fixed_cost_minor"])),
        ("budget_minor", _budget_problem(values)),
        (
            "conversion_window_days",
            _whole_problem(values["conversion_window_days"], LONGEST_WINDOW_DAYS, "days"),
        ),
        ("holdout_share", _holdout_problem(values["holdout_share"])),
        ("waves", _whole_problem(values["waves"], MOST_WAVES, "waves")),
    )
    problems = {name: problem for name, problem in checked if problem} | problems
    if not problems:
        row["channel"] = Channel(channel).value
        row["holdout_share"] = float(values["holdout_share"])
        row["excluded"] = sorted(set(values["excluded"]))
    return row, problems


def free_name(session: Session, name: str) -> str:
    """A name like this one that no campaign has: “Spring (copy)”, “Spring (copy 2)”."""
    taken = set(session.scalars(select(Campaign.name_folded)))
    number = 1
    while True:
        suffix = " (copy)" if number == 1 else f" (copy {number})"
        candidate = name[: LONGEST_NAME - len(suffix)].rstrip() + suffix
        if fold(candidate) not in taken:
            return candidate
        number += 1


def _name_problem(session: Session, name: str, but: int | None) -> str | None:
    if not name:
        return "Give the campaign a name."
    if texts.has_unseen(name):
        return "The name contains control characters. Type it again instead of pasting it."
    if len(name) > LONGEST_NAME or len(fold(name)) > 2 * LONGEST_NAME:
        return f"The name is too long. Use at most {LONGEST_NAME} characters."
    taken = select(Campaign.name).where(Campaign.name_folded == fold(name), Campaign.id != (but or 0))
    if other := session.scalar(taken):
        return f"There is already a campaign named “{other}”. Choose another name."
    return None


def _channel_problem(channel: object) -> str | None:
    if channel in list(Channel):
        return None
    return f"Unknown channel “{channel}”. Choose one of: {', '.join(Channel)}."


def _segment_problem(session: Session, segment_id: object) -> str | None:
    if segment_id is None:
        return "Choose a segment: the people the campaign goes to."
    known = _whole(segment_id) and session.scalar(select(Segment.id).where(Segment.id == segment_id))
    return (
        None if known else f"There is no segment {segment_id}. Choose another one; it may have been deleted."
    )


def _excluded_problem(session: Session, excluded: object, segment_id: object) -> str | None:
    if not isinstance(excluded, list | tuple) or not all(map(_whole, excluded)):
        return "Choose the segments to leave out."
    if segment_id in excluded:
        return "The campaign's own segment is left out too: nobody would be left. Remove it here."
    if len(excluded) > MOST_EXCLUDED:
        return f"Leave out at most {MOST_EXCLUDED} segments. Combine some into one."
    known = set(session.scalars(select(Segment.id).where(Segment.id.in_(excluded))))
    if gone := sorted(set(excluded) - known):
        return f"There is no segment {gone[0]}. Remove it; it may have been deleted."
    return None


def _timezone_problem(timezone: object) -> str | None:
    if timezone is None or timezone in available_timezones():
        return None
    return f"Unknown time zone “{timezone}”. Use a name such as Europe/Berlin."


def _quiet_problem(begin: object, end: object) -> str | None:
    if begin is None and end is None:
        return None
    if not all(_whole(minute) and 0 <= minute < _DAY for minute in (begin, end)):
        return "Give the quiet hours a beginning and an end, or neither."
    return "The quiet hours end when they begin. Choose another end." if begin == end else None


def _cost_problem(cost: object) -> str | None:
    if cost is None or (_whole(cost) and 0 <= cost <= _LARGEST_COST):
        return None
    return "Give the cost as an amount of 0 or more, or leave it empty where it is unknown."


def _budget_problem(values: dict) -> str | None:
    budget, each = values["budget_minor"], values["cost_per_thousand_minor"]
    if budget is None:
        return None
    if not _whole(budget) or not 0 < budget <= _LARGEST_COST:
        return "Give the budget as an amount of more than 0, or leave it empty."
    if each is None:
        return "A budget needs the cost per thousand, or nobody knows how many it pays for."
    fixed = values["fixed_cost_minor"] or 0
    if _whole(fixed) and _whole(each) and (budget - fixed) * 1000 < each:
        return "The budget does not pay for a single message. Raise it, or lower the fixed cost."
    return None


def _whole_problem(value: object, most: int, unit: str) -> str | None:
    return None if _whole(value) and 1 <= value <= most else f"Choose 1 to {most} {unit}."


def _holdout_problem(share: object) -> str | None:
    number = isinstance(share, int | float) and not isinstance(share, bool) and math.isfinite(share)
    if number and 0 <= share <= LARGEST_HOLDOUT:
        return None
    return f"Hold out between 0 % and {LARGEST_HOLDOUT:.0%} of the audience."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
