"""What the data offer for the rule under work, read once for each field and kept until it is closed."""

from collections.abc import Hashable
from dataclasses import dataclass
from difflib import get_close_matches

from ma.analytics import rule_values
from ma.analytics.rule_values import Spread
from ma.rules.fields import Field, Kind
from ma.rules.operators import OPERATORS, Operand
from ma.text import fold
from ui import rule_tree
from ui.session import now, reading


@dataclass(frozen=True)
class Choices:
    """The values of a field with the words in which they are offered; empty where people type.

    `complete`: the data have no others.
    """

    words: dict[str, str]
    complete: bool = False

    def named(self, value: object) -> str:
        """A value as it is offered; one that the data have not, as it is."""
        return self.words.get(value, str(value))

    def others(self, values: list[str], field: Field) -> list[str]:
        """Those of some values that are not among them, compared as a rule compares them."""
        compared = str if field.kind is Kind.CHOICE else fold
        held = set(map(compared, self.words))
        return [value for value in values if compared(value) not in held]

    def doubt(self, value: str, who: str) -> str | None:
        """What to say of a value that is not among them; None where it may well be in the data."""
        folded = {fold(one): one for one in self.words}
        close = get_close_matches(fold(value), folded, n=1, cutoff=_CLOSE)
        if not close and not self.complete:
            return None
        told = f"{who} has “{value}” at present." if self.complete else f"“{value}” is not a common value."
        return f"{told} Did you mean “{folded[close[0]]}”?" if close else told


NONE = Choices({})
# A part of a text is typed, also where whole values can be chosen.
PARTS = ("contains", "not_contains", "starts_with", "ends_with")
# How alike two values must be for one to be taken for the other mistyped.
_CLOSE = 0.8
# Looking for one like it takes a millisecond, and a list may have a thousand values.
_MOST_COMPARED = 10
_MOST_DOUBTS = 3


def choices(field: Field, of: str = "") -> Choices:
    """The values of a field of the profile, or of the event `of`."""
    if not field.suggests:
        return NONE
    found = rule_tree.state()["found"]
    name = ("choices", of, field.name)
    if name not in found:
        with reading() as session:
            read = rule_values.choices(session, field.name, event=of or None, catalogue=rule_tree.catalogue())
        total = max(int(read.frame["count"].sum()), 1)
        found[name] = Choices(
            {
                value: f"{value} ({count:,})" if read.exact else f"{value} (about {_share(count / total)})"
                for value, count in zip(read.frame["value"], read.frame["count"].tolist(), strict=True)
            },
            read.complete,
        )
    return found[name]


def doubts(node: dict) -> list[str]:
    """What to say of the chosen values of a condition that nobody has, or that look mistyped."""
    if node["leaf"] != "field" or node["operator"] in PARTS:
        return []
    field, value = rule_tree.field_of(node), node["value"]
    who = f"No {rule_tree.catalogue().events[node['of']].label}" if node["of"] else "Nobody"
    chosen = value if isinstance(value, list) else [value]
    texts = [one for one in chosen if isinstance(one, str) and one.strip()]
    if not texts or OPERATORS[node["operator"]].operand is Operand.NOTHING:
        return []
    offered = choices(field, node["of"])
    if not offered.words and not offered.complete:
        return []
    told = (offered.doubt(one, who) for one in offered.others(texts, field)[:_MOST_COMPARED])
    return [one for one in told if one][:_MOST_DOUBTS]


def _share(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "less than 1 %"


def spread(node: dict) -> Spread | None:
    """How the numbers lie that a condition compares; None where there are none."""
    of_event = node["leaf"] == "event"
    what: dict = (
        {"event": node["event"], "measure": node["measure"]} if of_event else {"field": node["field"]}
    )
    found, name = rule_tree.state()["found"], ("spread", *_sorted(what))
    if name not in found:
        with reading() as session:
            found[name] = rule_values.spread(session, as_of=now(), catalogue=rule_tree.catalogue(), **what)
    return found[name]


def _sorted(what: dict) -> list[Hashable]:
    return [what[name] for name in sorted(what)]
