"""What a scenario changes of a plan, as it stands in the address: `segment=3;holdout=10;opened=20;B=50`.

Shares and effects are percentages there and on the screen, money is in major units; "none" takes it away.
A segment is named by its number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ma.charts.forecast import ASSUMPTIONS
from ma.money import amount, unit
from ma.services.campaign_variants import FIRST, LARGEST_EFFECT, SMALLEST_EFFECT, shares
from ma.text import whole_number
from ma.types import ORDER_VALUE, STEPS, Channel

LARGEST_HOLDOUT, LARGEST_MONEY = 50.0, 1e9
SEGMENT = "segment"
MONEY = {
    "cost": ("cost_per_thousand_minor", "Cost per thousand"),
    "fixed": ("fixed_cost_minor", "Fixed cost"),
    "budget": ("budget_minor", "Budget"),
}


@dataclass(frozen=True)
class Field:
    """One number that a scenario may change; `planned` is the plan's, None where that is unknown.

    `choices` are the names of the numbers there are, where not every one between two ends will do.
    """

    name: str
    label: str
    planned: float | None
    least: float = 0.0
    most: float = 0.0
    step: float = 1.0
    money: bool = False
    choices: Mapping[int, str] | None = None


def fields(campaign: dict, currency: str, segments: Mapping[int, str] | None = None) -> list[Field]:
    """Everything that a scenario of this campaign may change.

    `segments`: what each is called that it could go to, its own among them; without any it stays there.
    """
    found = []
    if segments:
        found.append(Field(SEGMENT, "Segment", campaign["segment_id"], choices=segments))
    found.append(Field("holdout", "Holdout (%)", campaign["holdout_share"] * 100, 0.0, LARGEST_HOLDOUT, 1.0))
    for name, (column, label) in MONEY.items():
        minor = campaign[column]
        planned = None if minor is None else minor / unit(currency)
        found.append(Field(name, label, planned, 0.0, LARGEST_MONEY, 1.0, money=True))
    steps = [step for step in STEPS[Channel(campaign["channel"])][1:] if step != "delivered"]
    for name in (*steps, ORDER_VALUE):
        label = f"{ASSUMPTIONS[name]}, change (%)"
        found.append(Field(name, label, 0.0, SMALLEST_EFFECT * 100, LARGEST_EFFECT * 100, 5.0))
    for name, share in shares(campaign["variants"]).items():
        if name != FIRST:
            found.append(Field(name, f"Message {name}, share (%)", share * 100, 1.0, 99.0, 5.0))
    return found


def read(text: str, known: list[Field]) -> dict[str, float | None]:
    """The changes in an address; what cannot be read or is out of bounds is left out."""
    by_name, changes = {field.name: field for field in known}, {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        field = by_name.get(name)
        if field is None:
            continue
        if field.choices is not None:
            if (chosen := whole_number(value)) in field.choices:
                changes[name] = chosen
            continue
        if field.money and value == "none":
            changes[name] = None
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number) and field.least <= number <= field.most:
            changes[name] = number
    return changes


def written(values: dict[str, float | None], known: list[Field]) -> str:
    """What differs from the plan, for the address."""
    changed = [
        (field.name, values[field.name]) for field in known if _differs(values[field.name], field.planned)
    ]
    return ";".join(f"{name}={'none' if value is None else f'{value:.10g}'}" for name, value in changed)


def applied(campaign: dict, changes: dict[str, float | None], currency: str) -> dict:
    """The campaign with the changes; an effect comes on top of what is assumed of each message."""
    changed = dict(campaign)
    if SEGMENT in changes:
        changed["segment_id"] = changes[SEGMENT]
    if "holdout" in changes:
        changed["holdout_share"] = changes["holdout"] / 100
    for name, (column, _) in MONEY.items():
        if name in changes:
            value = changes[name]
            changed[column] = None if value is None else round(value * unit(currency))
    steps = (*STEPS[Channel(campaign["channel"])], ORDER_VALUE)
    more = {name: changes[name] / 100 for name in steps if changes.get(name)}
    changed["effects"] = _on_top(campaign["effects"], more)
    changed["variants"] = [
        variant
        | {
            "effects": _on_top(variant["effects"], more),
            "share": changes.get(variant["name"], variant["share"] * 100) / 100,
        }
        for variant in campaign["variants"]
    ]
    return changed


def problem(campaign: dict) -> str | None:
    """Why a changed campaign could not be sent like that; None where it could."""
    if shares(campaign["variants"])[FIRST] < 0.01:
        return f"The other messages leave nobody for message {FIRST}. Lower a share."
    if campaign["budget_minor"] is not None and campaign["cost_per_thousand_minor"] is None:
        return "A budget needs the cost per thousand, or nobody knows how many it pays for."
    return None


def in_words(changes: dict[str, float | None], known: list[Field], currency: str) -> str:
    """The changes for people: "Holdout 10 % instead of 0 %, clicks +20 %"."""
    said = []
    for field in known:
        if field.name not in changes or not _differs(changes[field.name], field.planned):
            continue
        value = changes[field.name]
        if field.choices is not None:
            said.append(f"{field.choices[value]} instead of {field.choices[field.planned]}")
        elif field.money:
            now, before = (_money(number, currency) for number in (value, field.planned))
            said.append(f"{field.label} {now} instead of {before}")
        elif field.label.endswith("change (%)"):
            said.append(f"{field.label.removesuffix(', change (%)')} {value:+.3g} %")
        else:
            said.append(f"{field.label.removesuffix(' (%)')} {value:.3g} % instead of {field.planned:.3g} %")
    return ", ".join(said)


def _on_top(effects: dict | None, more: dict[str, float]) -> dict[str, float]:
    effects = effects or {}
    return {
        name: (1.0 + effects.get(name, 0.0)) * (1.0 + more.get(name, 0.0)) - 1.0
        for name in {**effects, **more}
    }


def _differs(value: float | None, planned: float | None) -> bool:
    if value is None or planned is None:
        return value is not planned
    return abs(value - planned) > 1e-9


def _money(major: float | None, currency: str) -> str:
    return "none" if major is None else amount(round(major * unit(currency)), currency)
