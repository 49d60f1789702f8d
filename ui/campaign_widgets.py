"""What the parts of a campaign's form share: the names of its widgets, and a place for a message at each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import streamlit as st

from ma.services.campaign_variants import FIRST, NAMES
from ui.text import literal

# Field -> what it is called, and the part of the form where it stands.
FIELDS = {
    "name": ("Name", ""),
    "objective": ("Objective", ""),
    "channel": ("Channel", ""),
    "segment_id": ("Segment", "Audience"),
    "excluded": ("Leave out", "Audience"),
    "subject": ("Subject", "Message"),
    "body": ("Message", "Message"),
    "effects": ("Assumed effects", "Message"),
    "variants": ("Variants", "Message"),
    "timezone": ("Time zone", "Delivery"),
    "quiet_from": ("Quiet hours", "Delivery"),
    "waves": ("Waves", "Delivery"),
    "cost_per_thousand_minor": ("Cost per thousand", "Cost and test"),
    "fixed_cost_minor": ("Fixed cost", "Cost and test"),
    "budget_minor": ("Budget", "Cost and test"),
    "conversion_window_days": ("Conversion window", "Cost and test"),
    "holdout_share": ("Holdout", "Cost and test"),
}
_OF_VARIANT = {"share": "Share", "subject": "Subject", "body": "Message", "effects": "Assumed effects"}
SECTIONS = ("Audience", "Message", "Delivery", "Cost and test")


@dataclass
class Form:
    """One opening of a campaign's form; `campaign` is what is saved, empty for a new one."""

    key: str
    campaign: dict
    currency: str
    places: dict = field(default_factory=dict)

    def name(self, field: str) -> str:
        """The key of the widget of a field."""
        return f"campaign-{field}-{self.key}"

    def saved(self, field: str, new: object) -> object:
        """What is saved in a field, or what a new campaign begins with."""
        return self.campaign.get(field, new)

    def place(self, *fields: str) -> None:
        """Keep a place for what is wrong with the field above."""
        for name in fields:
            self.places[name] = st.empty()

    def tell(self, problems: Mapping[str, str]) -> None:
        """Write each problem under its field."""
        for name, problem in problems.items():
            if name in self.places:
                self.places[name].markdown(f":small[:red[:material/error: {literal(problem)}]]")


def label(field: str) -> tuple[str, str]:
    """What a field is called in a list of problems, and in which part of the form it stands."""
    if field in FIELDS:
        return FIELDS[field]
    _, place, name = field.split(".")
    return f"{_OF_VARIANT[name]} of variant {NAMES[int(place)]}", "Message"


def named(letter: str) -> Callable[[str], str]:
    """How the fields of one variant are called in problems: `subject`, or `variants.0.subject` for B."""
    if letter == FIRST:
        return lambda field: field
    return lambda field: f"variants.{NAMES.index(letter)}.{field}"
