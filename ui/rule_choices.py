"""What the data offer for the rule under work, read once for each field and kept until it is closed."""

from collections.abc import Hashable
from dataclasses import dataclass

from ma.analytics import rule_values
from ma.analytics.rule_values import Spread
from ma.rules.fields import Field
from ui import rule_tree
from ui.session import now, reading


@dataclass(frozen=True)
class Choices:
    """The values of a field with the words in which they are offered; empty where people type."""

    words: dict[str, str]

    def named(self, value: object) -> str:
        """A value as it is offered; one that the data have not, as it is."""
        return self.words.get(value, str(value))


NONE = Choices({})


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
            }
        )
    return found[name]


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
