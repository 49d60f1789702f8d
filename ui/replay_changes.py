"""What a replay changes, as it stands in the address: `opened=20;B.clicked=50;cap=5;segment=3;without=4,7`.

Numbers are those of a forecast's scenario (`forecast_changes`), and some more: a message's own effects, the
conversion window, the frequency cap, and segments by their ids.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from ma.analytics import segments as segment_list
from ma.analytics.workspace import workspace
from ma.charts.forecast import ASSUMPTIONS
from ma.services.campaign_fields import LONGEST_WINDOW_DAYS
from ma.services.campaign_variants import FIRST, LARGEST_EFFECT, SMALLEST_EFFECT
from ma.services.replays import CHANGEABLE, HIGHEST_CAP
from ma.text import whole_number
from ma.types import ORDER_VALUE, STEPS, Channel
from ui import forecast_changes
from ui.forecast_changes import Field

WHOLE = ("window", "cap")
SEGMENT, ALSO, WITHOUT = "segment", "also", "without"
_EFFECT = ", change (%)"


def fields(campaign: Mapping, currency: str) -> list[Field]:
    """Every number that a replay of this campaign may change. `campaign` is that of `replays.launched`."""
    found = forecast_changes.fields(dict(campaign), currency)
    window, cap = campaign["conversion_window_days"], campaign["frequency_cap"]
    found.append(
        Field("window", "Conversion window (days)", float(window), 1.0, float(LONGEST_WINDOW_DAYS), 1.0)
    )
    found.append(Field("cap", "Frequency cap (messages in 7 days)", float(cap), 1.0, float(HIGHEST_CAP), 1.0))
    if campaign["variants"]:
        for name in (FIRST, *(variant["name"] for variant in campaign["variants"])):
            for step in effects(campaign):
                label = f"{name}: {ASSUMPTIONS[step]}{_EFFECT}"
                least, most = SMALLEST_EFFECT * 100, LARGEST_EFFECT * 100
                found.append(Field(f"{name}.{step}", label, 0.0, least, most, 5.0))
    return found


def effects(campaign: Mapping) -> list[str]:
    """What an offer may be assumed to change."""
    steps = STEPS[Channel(campaign["channel"])][1:]
    return [*(step for step in steps if step != "delivered"), ORDER_VALUE]


def read(text: str, known: Sequence[Field], segments: Mapping[int, str]) -> dict:
    """The changes in an address; what cannot be read, is out of bounds or is not there is left out."""
    made: dict = forecast_changes.read(text, list(known))
    made |= {name: float(round(made[name])) for name in WHOLE if name in made}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name not in (SEGMENT, ALSO, WITHOUT):
            continue
        ids = [one for one in map(whole_number, value.split(",")) if one in segments]
        if ids:
            made[name] = ids[0] if name == SEGMENT else list(dict.fromkeys(ids))
    return made


def written(made: Mapping, known: Sequence[Field], campaign: Mapping) -> str:
    """What differs from the campaign, for the address."""
    numbers = {field.name: made.get(field.name, field.planned) for field in known}
    parts = [forecast_changes.written(numbers, list(known))]
    if made.get(SEGMENT) not in (None, campaign["segment_id"]):
        parts.append(f"{SEGMENT}={made[SEGMENT]}")
    parts += [f"{name}={','.join(map(str, made[name]))}" for name in (ALSO, WITHOUT) if made.get(name)]
    return ";".join(filter(None, parts))


def changes(campaign: Mapping, made: Mapping, currency: str) -> dict:
    """The changes as `replays.replay` takes them: only what differs."""
    changed = forecast_changes.applied(dict(campaign), dict(made), currency)
    changed["effects"] = _own(changed["effects"], FIRST, made)
    changed["variants"] = [
        variant | {"effects": _own(variant["effects"], variant["name"], made)}
        for variant in changed["variants"]
    ]
    if "window" in made:
        changed["conversion_window_days"] = int(made["window"])
    if "cap" in made:
        changed["frequency_cap"] = int(made["cap"])
    changed["segment_id"] = made.get(SEGMENT, campaign["segment_id"])
    changed["also"] = made.get(ALSO, [])
    changed["excluded"] = sorted({*campaign["excluded"], *made.get(WITHOUT, [])})
    return {name: changed[name] for name in CHANGEABLE if changed[name] != campaign[name]}


def from_address(session: Session, campaign: Mapping, text: str, *, as_of: datetime) -> dict:
    """The changes that an address names, as `replays.replay` takes them."""
    currency, every = workspace(session).currency, segments(session, as_of=as_of)
    return changes(campaign, read(text, fields(campaign, currency), every), currency)


def segments(session: Session, *, as_of: datetime) -> dict[int, str]:
    """The name of every segment by its id."""
    frame = segment_list.segments(session, as_of=as_of)
    return dict(zip(frame["segment_id"].tolist(), frame["name"], strict=True))


def in_words(made: Mapping, known: Sequence[Field], segments: Mapping[int, str], currency: str) -> str:
    """The changes for people: "Sent to “VIP” instead, clicks +20 %"."""
    said = []
    if SEGMENT in made:
        said.append(f"Sent to “{segments[made[SEGMENT]]}” instead")
    said += [f"Also sent to “{segments[one]}”" for one in made.get(ALSO, [])]
    said += [f"Without “{segments[one]}”" for one in made.get(WITHOUT, [])]
    numbers = [field for field in known if field.name not in WHOLE]
    said.append(forecast_changes.in_words(dict(made), numbers, currency))
    for field in known:
        if field.name in WHOLE and field.name in made and made[field.name] != field.planned:
            said.append(f"{field.label} {made[field.name]:.0f} instead of {field.planned:.0f}")
    return ", ".join(filter(None, said))


def _own(effects: Mapping | None, message: str, made: Mapping) -> dict:
    """A message's effects with what is changed of this message alone, on top."""
    found = dict(effects or {})
    for name, value in made.items():
        whose, _, step = name.partition(".")
        if whose == message and step and value:
            found[step] = (1.0 + found.get(step, 0.0)) * (1.0 + value / 100) - 1.0
    return found
