"""The truth table of an audience: which of a rule's leaves hold for how many customers, from one query."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import add

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Integer, case, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import False_

from ma.analytics.catalogue import catalogue as catalogue_of
from ma.analytics.workspace import workspace
from ma.db.counting import COUNT, counted
from ma.models import Customer
from ma.rules import to_sql
from ma.rules.catalogue import Catalogue
from ma.rules.nodes import Group, Leaf, Match, Node, Not, leaves

# An integer of either database holds so many bits and stays positive.
_BITS = 62
# So many truth values are at most 65,536 groups, of which each worker of PostgreSQL holds its own.
_FEW = 16


@dataclass(frozen=True)
class TruthTable:
    """How many customers have each combination of holding and undecided leaves; customers deleted never.

    `leaves` are the different ones of the rule, from left to right. One element of `people` for each
    combination that occurs; the other arrays have its length. Whatever a rule made of these leaves does to
    the audience follows from here without another query.
    """

    node: Node
    leaves: tuple[Leaf, ...]
    people: np.ndarray
    _holds: dict[Leaf, np.ndarray] = field(repr=False)
    _undecided: dict[Leaf, np.ndarray] = field(repr=False)

    @property
    def everybody(self) -> int:
        """All customers."""
        return int(self.people.sum())

    @property
    def total(self) -> int:
        """The customers whom the rule chooses."""
        return self.count(self.holds(self.node))

    def count(self, chosen: np.ndarray) -> int:
        """The customers of some combinations, given as an array of bool."""
        return int(self.people[chosen].sum())

    def holds(self, node: Node) -> np.ndarray:
        """For which combinations a rule made of these leaves holds: bool."""
        return _evaluated(node, self._holds.__getitem__)

    def can_be_undecided(self, leaf: Leaf) -> bool:
        """Whether there are customers for whom the truth of a leaf is unknown."""
        return leaf in self._undecided

    def certain(self, node: Node) -> np.ndarray:
        """For which combinations a rule holds whatever the unknown facts are: bool."""
        return self.truth(node)[0]

    def undecided(self, node: Node) -> np.ndarray:
        """For which combinations the true values of unknown facts could turn a rule: bool."""
        certain, possible = self.truth(node)
        return possible & ~certain

    def truth(self, node: Node) -> tuple[np.ndarray, np.ndarray]:
        """For which combinations a rule holds certainly, and for which possibly (Kleene's logic)."""
        match node:
            case Group(kind, rules):
                truths = [self.truth(rule) for rule in rules]
                certain, possible = zip(*truths, strict=True)
                if kind is Match.ALL:
                    return reduce(np.logical_and, certain), reduce(np.logical_and, possible)
                if kind is Match.ANY:
                    return reduce(np.logical_or, certain), reduce(np.logical_or, possible)
                return ~reduce(np.logical_or, possible), ~reduce(np.logical_or, certain)
            case Not(rule):
                certain, possible = self.truth(rule)
                return ~possible, ~certain
            case _:
                holds = self._holds[node]
                unknown = self._undecided.get(node)
                return (holds, holds) if unknown is None else (holds & ~unknown, holds | unknown)

    def frame(self) -> pd.DataFrame:
        """The table itself: a column of bool for each leaf (holds_1, holds_2 …, in the order of `leaves`),
        one for each leaf that can be unknown (undecided_1 …), and people."""
        columns = {f"holds_{i}": self._holds[leaf] for i, leaf in enumerate(self.leaves, start=1)}
        columns |= {
            f"undecided_{i}": self._undecided[leaf]
            for i, leaf in enumerate(self.leaves, start=1)
            if leaf in self._undecided
        }
        return pd.DataFrame(columns | {COUNT: self.people})


def truth_table(
    session: Session,
    node: Node,
    *,
    as_of: datetime,
    catalogue: Catalogue | None = None,
    only: ColumnElement | None = None,
) -> TruthTable:
    """How many customers there are for each combination of a rule's leaves, by one scan.

    Each leaf is a bit of a whole number that says whether it holds, and where it can be unknown another one.
    `only`: a condition; the table is then that of the customers who fulfil it.
    """
    known = catalogue or catalogue_of(session)
    when = {"as_of": as_of, "timezone": workspace(session).timezone, "catalogue": known}
    different = tuple(dict.fromkeys(leaves(node)))
    left_open = {leaf: to_sql.leaf_undecided(leaf, **when) for leaf in different}
    left_open = {leaf: condition for leaf, condition in left_open.items() if not is_nobody(condition)}
    bits = [*(to_sql.leaf_condition(leaf, **when) for leaf in different), *left_open.values()]
    width, columns = _columns(bits, on_postgresql=session.connection().dialect.name == "postgresql")
    customers = select(*columns).select_from(Customer).where(to_sql.present())
    found = counted(session, customers if only is None else customers.where(only))
    arrays = [
        (found[f"bits_{place // width}"].to_numpy() >> (place % width)) & 1 == 1 for place in range(len(bits))
    ]
    return TruthTable(
        node=node,
        leaves=different,
        people=found[COUNT].to_numpy(),
        _holds=dict(zip(different, arrays, strict=False)),
        _undecided=dict(zip(left_open, arrays[len(different) :], strict=True)),
    )


def is_nobody(condition: ColumnElement) -> bool:
    """Whether a condition is the constant that holds for nobody."""
    return isinstance(condition, False_)


def _columns(bits: list[ColumnElement], *, on_postgresql: bool) -> tuple[int, list[ColumnElement]]:
    """How many bits stand in a column, and the columns.

    PostgreSQL takes a whole number for different in each row and counts alone. Of truth values it knows that
    there are two: few of them are counted by several workers (0.27 s instead of 0.47 s, a million customers).
    """
    if on_postgresql and len(bits) <= _FEW:
        return 1, [condition.label(f"bits_{place}") for place, condition in enumerate(bits)]
    starts = range(0, len(bits), _BITS)
    return _BITS, [_packed(bits[at : at + _BITS]).label(f"bits_{at // _BITS}") for at in starts]


def _packed(conditions: list[ColumnElement]) -> ColumnElement:
    """Conditions that are never NULL as the bits of one whole number."""
    kind = Integer if len(conditions) < 31 else BigInteger
    bits = [case((c, literal(1 << i, kind)), else_=literal(0, kind)) for i, c in enumerate(conditions)]
    return reduce(add, bits)


def _evaluated(node: Node, leaf: Callable[[Leaf], np.ndarray]) -> np.ndarray:
    match node:
        case Group(Match.ALL, rules):
            return reduce(np.logical_and, (_evaluated(rule, leaf) for rule in rules))
        case Group(kind, rules):
            any_of = reduce(np.logical_or, (_evaluated(rule, leaf) for rule in rules))
            return any_of if kind is Match.ANY else ~any_of
        case Not(rule):
            return ~_evaluated(rule, leaf)
        case _:
            return leaf(node)
