"""What may stand in each field of a campaign, merge fields included."""

import math
import re
import unicodedata
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.models import Campaign, Segment
from ma.text import fold
from ma.types import Channel

LONGEST_NAME = 100
LONGEST_TEXT = 20_000
LONGEST_WINDOW_DAYS = 90
LARGEST_HOLDOUT = 0.5
MOST_WAVES = 30
DEFAULTS: dict[str, object] = {
    "name": "",
    "objective": "",
    "channel": Channel.EMAIL,
    "segment_id": None,
    "subject": "",
    "body": "",
    "cost_per_thousand_minor": None,
    "fixed_cost_minor": None,
    "conversion_window_days": 7,
    "holdout_share": 0.0,
    "waves": 1,
}
# What a message may say about its reader. Anything else in {{ }} is refused; nothing is ever evaluated.
MERGE_FIELDS = ("first_name", "last_name", "city", "favourite_category")

_TEXTS = {"objective": "objective", "subject": "subject", "body": "message"}
_LARGEST_COST = 10**12
_EXAMPLE = 'Write it like {{ first_name | default: "there" }}.'
_TOKEN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_MERGE = re.compile(r'\s*(\w+)\s*(?:\|\s*default:\s*"[^"{}]*"\s*)?')


def clean(session: Session, values: dict, *, but: int | None = None) -> tuple[dict, dict[str, str]]:
    """A whole campaign's fields as they are stored, and what is wrong with them: {field: message}.

    `but` is the campaign itself, whose own name is not taken.
    """
    row = dict(values)
    row["name"] = _text(values["name"])
    row["name_folded"] = fold(row["name"])
    for name in _TEXTS:
        row[name] = _text(values[name])
    checked = (
        ("name", _name_problem(session, row["name"], but)),
        ("channel", _channel_problem(values["channel"])),
        ("segment_id", _segment_problem(session, values["segment_id"])),
        ("objective", _text_problem("objective", row["objective"])),
        ("subject", _message_problem("subject", row["subject"], required=values["channel"] == Channel.EMAIL)),
        ("body", _message_problem("body", row["body"], required=True)),
        ("cost_per_thousand_minor", _cost_problem(values["cost_per_thousand_minor"])),
        ("fixed_cost_minor", _cost_problem(values["fixed_cost_minor"])),
        (
            "conversion_window_days",
            _whole_problem(values["conversion_window_days"], LONGEST_WINDOW_DAYS, "days"),
        ),
        ("holdout_share", _holdout_problem(values["holdout_share"])),
        ("waves", _whole_problem(values["waves"], MOST_WAVES, "waves")),
    )
    problems = {name: problem for name, problem in checked if problem}
    if not problems:
        row["channel"] = Channel(values["channel"]).value
        row["holdout_share"] = float(values["holdout_share"])
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


def merge_field_problem(text: str) -> str | None:
    """What is wrong with the merge fields of a text, with the remedy; None when all is well."""
    for inner in _TOKEN.findall(text):
        found = _MERGE.fullmatch(inner)
        if not found:
            return f"“{{{{{inner}}}}}” is not a merge field. {_EXAMPLE}"
        if found[1] not in MERGE_FIELDS:
            near = get_close_matches(found[1], MERGE_FIELDS, n=1)
            hint = f"Did you mean “{near[0]}”?" if near else f"There are: {', '.join(MERGE_FIELDS)}."
            return f"There is no merge field “{found[1]}”. {hint}"
    if "{{" in (rest := _TOKEN.sub("", text)) or "}}" in rest:
        return f"A merge field is not closed. {_EXAMPLE}"
    return None


def _text(value: object) -> str:
    return unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""


def _unseen(text: str) -> bool:
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)


def _name_problem(session: Session, name: str, but: int | None) -> str | None:
    if not name:
        return "Give the campaign a name."
    if _unseen(name):
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
    known = isinstance(segment_id, int) and session.scalar(select(Segment.id).where(Segment.id == segment_id))
    return (
        None if known else f"There is no segment {segment_id}. Choose another one; it may have been deleted."
    )


def _text_problem(name: str, text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"The {_TEXTS[name]} is too long. Use at most {LONGEST_TEXT:,} characters."
    if _unseen(re.sub(r"[\n\r\t]", " ", text) if name != "subject" else text):
        return f"The {_TEXTS[name]} contains control characters. Type it again instead of pasting it."
    return None


def _message_problem(name: str, text: str, *, required: bool) -> str | None:
    if required and not text:
        return "Write a subject: every e-mail needs one." if name == "subject" else "Write the message."
    return _text_problem(name, text) or merge_field_problem(text)


def _cost_problem(cost: object) -> str | None:
    if cost is None or (_whole(cost) and 0 <= cost <= _LARGEST_COST):
        return None
    return "Give the cost as an amount of 0 or more, or leave it empty where it is unknown."


def _whole_problem(value: object, most: int, unit: str) -> str | None:
    return None if _whole(value) and 1 <= value <= most else f"Choose 1 to {most} {unit}."


def _holdout_problem(share: object) -> str | None:
    number = isinstance(share, int | float) and not isinstance(share, bool) and math.isfinite(share)
    if number and 0 <= share <= LARGEST_HOLDOUT:
        return None
    return f"Hold out between 0 % and {LARGEST_HOLDOUT:.0%} of the audience."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
