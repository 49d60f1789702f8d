"""How far a rule goes when the segments that it uses are written out in it, and how far it may go."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ma.errors import InvalidRule
from ma.rules.catalogue import Catalogue
from ma.rules.uses import rule_leaves

# Longer chains nobody can follow; from some 35 on Python's stack does not suffice to write the statement.
MAX_NESTED = 10
# Ten of the largest rules: of event conditions a statement that takes 2 to 7 seconds to plan, before the
# first customer is looked at. At 29,000 SQLite has more references than it takes.
MAX_WRITTEN_OUT = 2000
# Databases take 32,766 (SQLite) or 65,535 values in a statement, which says each two or three times.
MAX_VALUES_WRITTEN_OUT = 10_000


@dataclass(frozen=True)
class Extent:
    """How many segments deep a rule goes, and its conditions and values with those of all of them.

    A segment that is used twice counts twice: so does a database.
    """

    deep: int = 0
    conditions: int = 0
    values: int = 0

    @property
    def problem(self) -> tuple[str, str] | None:
        """What is too much, and the remedy; None where all is well."""
        if self.deep > MAX_NESTED:
            return (
                f"The rule uses segments that use segments, more than {MAX_NESTED} deep",
                "Make one of them a static list and use that, or write its conditions into this rule.",
            )
        for count, most, what in (
            (self.conditions, MAX_WRITTEN_OUT, "conditions"),
            (self.values, MAX_VALUES_WRITTEN_OUT, "values"),
        ):
            if count > most:
                return (
                    f"With the segments that it uses, the rule comes to more than {most:,} {what}",
                    "Make a large one of them a static list and use that, or use each only once.",
                )
        return None


def require_in_reach(rule: dict, catalogue: Catalogue) -> None:
    """Raises InvalidRule where a rule, as it is stored, goes too far with the segments that it uses."""
    if not catalogue.segments or not _used(rule):
        return
    if problem := _extent(rule, segment_extents(catalogue)).problem:
        words, remedy = problem
        raise InvalidRule(words, remedy=remedy)


def pushed_too_far(segment_id: int, rule: dict, catalogue: Catalogue) -> int | None:
    """Another segment that would then go too far, and not as far as now; None where there is none."""
    rules = {number: one.rule for number, one in (catalogue.segments or {}).items()}
    before, after = segment_extents(catalogue), extents(rules | {segment_id: rule})
    worse = (one for one in rules if one != segment_id and after[one].problem and after[one] != before[one])
    return next(worse, None)


@lru_cache(maxsize=32)
def segment_extents(catalogue: Catalogue) -> Mapping[int, Extent]:
    """How far the rule of each segment goes, by its id; circles are cut somewhere."""
    return extents({number: one.rule for number, one in (catalogue.segments or {}).items()})


def extents(rules: Mapping[int, dict | None]) -> dict[int, Extent]:
    """How far each of these rules goes, by segment; None for a static list."""
    found: dict[int, Extent] = {}
    opened: set[int] = set()
    # By hand and not by recursion: what was stored may be a long chain.
    waiting = list(rules)
    while waiting:
        here = waiting[-1]
        opened.add(here)
        inner = [one for one in _used(rules[here]) if one in rules and one not in opened]
        if inner and here not in found:
            waiting += inner
            continue
        found.setdefault(here, _extent(rules[here], found))
        waiting.pop()
    return found


def _used(rule: dict | None) -> set[int]:
    used = (leaf.get("in_segment") for leaf in rule_leaves(rule))
    return {number for number in used if isinstance(number, int)}


def _extent(rule: dict | None, known: Mapping[int, Extent]) -> Extent:
    deep = conditions = values = 0
    for leaf in rule_leaves(rule):
        for one in (leaf, *rule_leaves(leaf.get("where"))):
            conditions += 1
            values += len(one["value"]) if isinstance(one.get("value"), list) else 1
        used = leaf.get("in_segment")
        if isinstance(used, int):
            inner = known.get(used, Extent())
            deep = max(deep, 1 + inner.deep)
            conditions += inner.conditions
            values += inner.values
    return Extent(deep, conditions, values)
