"""Why one customer is chosen by a rule or not: part by part, with the actual values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.actual_values import actual_values
from ma.analytics.catalogue import catalogue as catalogue_of
from ma.analytics.truth import is_nobody
from ma.analytics.workspace import workspace
from ma.errors import InvalidRule, NotFound
from ma.models import Customer
from ma.rules import to_sql
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.nodes import Group, Leaf, Match, Node, Not, SegmentRule, leaves
from ma.rules.of_one import catalogue_of_one, of_one
from ma.rules.to_english import phrase


@dataclass(frozen=True)
class Why:
    """One part of a rule for one customer.

    `rule`: the part in words. `joins`: how its `parts` belong together ("all", "any", "none", "not", or
    "segment": the rule of the segment it names); None for a leaf. `holds`: whether it does. `undecided`:
    whether unknown facts could turn it. `value`: what is so for this customer, in words; None where it is
    unknown, and for groups.
    """

    rule: str
    joins: str | None
    holds: bool
    undecided: bool
    value: str | None
    parts: tuple["Why", ...] = ()

    def frame(self) -> pd.DataFrame:
        """The tree as a table, a part before its own parts: depth, rule, joins, holds, undecided, value."""
        columns = ["depth", "rule", "joins", "holds", "undecided", "value"]
        return pd.DataFrame(list(self._rows(0)), columns=columns)

    def _rows(self, depth: int) -> Iterator[tuple]:
        yield depth, self.rule, self.joins, self.holds, self.undecided, self.value
        for part in self.parts:
            yield from part._rows(depth + 1)


def why(
    session: Session, node: Node, customer_id: int, *, as_of: datetime, catalogue: Catalogue | None = None
) -> Why:
    """Whether a rule chooses one customer, and what each part of it says of them.

    Raises NotFound for a customer who is not there or was deleted, InvalidRule for a segment in the rule that
    is not there or uses itself.
    """
    place = workspace(session)
    known = catalogue or catalogue_of(session)
    rules = _inner_rules(node, known)
    everything = (leaf for rule in (node, *rules.values()) for leaf in leaves(rule))
    asked = tuple(leaf for leaf in dict.fromkeys(everything) if not _has_rule(leaf, rules))
    truths = _truths(session, asked, customer_id, as_of, place.timezone, known)
    values = actual_values(session, asked, customer_id, as_of=as_of, catalogue=known)
    return _Tree(known, place.currency, rules, truths, values).explained(node)


def _has_rule(leaf: Leaf, rules: Mapping[int, Node]) -> bool:
    return isinstance(leaf, SegmentRule) and leaf.segment_id in rules


def _truths(
    session: Session,
    asked: tuple[Leaf, ...],
    customer_id: int,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue,
) -> dict[Leaf, tuple[bool, bool]]:
    """Whether each leaf holds for a customer and whether it is undecided, by one query on that customer."""
    when = {"as_of": as_of, "timezone": timezone, "catalogue": catalogue_of_one(catalogue, customer_id)}
    columns, places = [], []
    for leaf in asked:
        holds, left_open = to_sql.leaf_condition(leaf, **when), to_sql.leaf_undecided(leaf, **when)
        places.append((len(columns), None if is_nobody(left_open) else len(columns) + 1))
        columns += [of_one(holds, customer_id)]
        columns += [] if is_nobody(left_open) else [of_one(left_open, customer_id)]
    labelled = [column.label(f"c{i}") for i, column in enumerate(columns)]
    there = (Customer.id == customer_id, to_sql.present())
    row = session.execute(select(Customer.id, *labelled).where(*there)).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    row = row[1:]
    return {
        leaf: (bool(row[holds]), left_open is not None and bool(row[left_open]))
        for leaf, (holds, left_open) in zip(asked, places, strict=True)
    }


@dataclass(frozen=True)
class _Tree:
    """A rule with the rules of the segments in it, each of which is read and explained once.

    `rules`: those of the segments that are used anywhere in it, by their id; lists are not among them.
    """

    catalogue: Catalogue
    currency: str
    rules: dict[int, Node]
    truths: Mapping[Leaf, tuple[bool, bool]]
    values: Mapping[Leaf, str | None]
    done: dict[int, Why] = field(default_factory=dict)

    def explained(self, node: Node) -> Why:
        words = phrase(node, currency=self.currency, catalogue=self.catalogue)
        match node:
            case Group(kind, rules):
                parts = tuple(self.explained(rule) for rule in rules)
                return _joined(words, kind.value, kind, parts)
            case Not(rule):
                return _joined(words, "not", Match.NONE, (self.explained(rule),))
            case SegmentRule(segment_id) if segment_id in self.rules:
                if segment_id not in self.done:
                    self.done[segment_id] = self.explained(self.rules[segment_id])
                part = self.done[segment_id]
                return Why(words, "segment", part.holds, part.undecided, None, (part,))
        holds, undecided = self.truths[node]
        return Why(words, None, holds, undecided, self.values.get(node))


def _inner_rules(node: Node, catalogue: Catalogue) -> dict[int, Node]:
    """The rules of the segments that a rule uses, and of those that they use. Raises InvalidRule."""
    found: dict[int, Node] = {}

    def look(node: Node, around: tuple[int, ...]) -> None:
        for leaf in leaves(node):
            segment = isinstance(leaf, SegmentRule) and (catalogue.segments or {}).get(leaf.segment_id)
            if not segment or segment.rule is None:
                continue
            if leaf.segment_id in around:
                raise InvalidRule(f"The segment {leaf.segment_id} uses itself", remedy="Change its rule.")
            if leaf.segment_id not in found:
                found[leaf.segment_id] = parse(segment.rule, catalogue)
                look(found[leaf.segment_id], (*around, leaf.segment_id))

    look(node, ())
    return found


def _joined(words: str, joins: str, kind: Match, parts: tuple[Why, ...]) -> Why:
    """A group of explained parts; what is unknown as in Kleene's logic."""
    holds = [part.holds for part in parts]
    certain = [part.holds and not part.undecided for part in parts]
    possible = [part.holds or part.undecided for part in parts]
    if kind is Match.ALL:
        return Why(words, joins, all(holds), all(possible) and not all(certain), None, parts)
    turned = any(possible) and not any(certain)
    return Why(words, joins, any(holds) is (kind is Match.ANY), turned, None, parts)
