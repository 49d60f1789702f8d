"""What each part of a rule does to its audience, from one truth table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue as catalogue_of
from ma.analytics.glance import glance
from ma.analytics.missing_data import Undecided, missing, undecided_in
from ma.analytics.truth import TruthTable, truth_table
from ma.analytics.why import Why, why
from ma.analytics.workspace import workspace
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.nodes import Group, Match, Node, Not
from ma.rules.to_english import phrase

__all__ = [
    "Explanation",
    "TruthTable",
    "Why",
    "effects",
    "explain",
    "glance",
    "missing",
    "top_level",
    "truth_table",
    "why",
]


@dataclass(frozen=True)
class Explanation:
    """A rule explained, as of an instant; `effects` and `missing` are the frames of those functions."""

    match: Match
    total: int
    everybody: int
    undecided: Undecided
    effects: pd.DataFrame
    missing: pd.DataFrame


def explain(
    session: Session, node: Node, *, as_of: datetime, catalogue: Catalogue | None = None
) -> Explanation:
    """What each part of a rule does, by one scan of the customers."""
    known = catalogue or catalogue_of(session)
    return explained(
        truth_table(session, node, as_of=as_of, catalogue=known),
        currency=workspace(session).currency,
        catalogue=known,
    )


def explained(table: TruthTable, *, currency: str, catalogue: Catalogue = STANDARD) -> Explanation:
    """The explanation that follows from a truth table; `currency` is that of the sentences."""
    return Explanation(
        match=top_level(table.node)[0],
        total=table.total,
        everybody=table.everybody,
        undecided=undecided_in(table, catalogue=catalogue),
        effects=effects(table, currency=currency, catalogue=catalogue),
        missing=missing(table, currency=currency, catalogue=catalogue),
    )


def top_level(node: Node) -> tuple[Match, tuple[Node, ...], str]:
    """How a rule joins its outermost parts, the parts, and the path of what holds them.

    A group of nothing but one group is that one; `not` is a group “none of” of what it holds; a leaf alone is
    the only part of an “all of”.
    """
    path = ""
    while True:
        match node:
            case Group(Match.ALL | Match.ANY as kind, (Group() | Not() as only,)):
                node, path = only, f"{path}{kind.value}[0]."
            case Group(kind, rules):
                return kind, rules, f"{path}{kind.value}"
            case Not(Group(Match.ANY, rules)):
                return Match.NONE, rules, f"{path}not.any"
            case Not(rule):
                return Match.NONE, (rule,), f"{path}not"
            case _:
                return Match.ALL, (node,), path


def effects(table: TruthTable, *, currency: str, catalogue: Catalogue = STANDARD) -> pd.DataFrame:
    """What each rule and group of a rule does, in customers; one row each, a group before its parts.

    path (as in the messages of a refused rule), depth (0: a top-level part), is_group, rule (in words), own
    (for whom it holds by itself), undecided (for whom it is unknown by itself), without (the size of the
    audience if this part were taken out; a group that is then empty goes too), change (without less the
    total). For top-level parts also: after (who remains, or for “any of” who has been added, once the parts
    up to this one were applied in their order), step (what this one changed), and share, the part's share of
    the difference between the audience and everybody (for “any of”: and nobody): the mean of its steps over
    all orders in which the parts could stand (Shapley 1953). Int64, share is float64; NA where nested.
    """
    kind, parts, path = top_level(table.node)
    level = _Level.of(table, kind, parts)
    words = _Words(currency, catalogue)
    rows = _rows(table, level, path if path.endswith("not") or not path else f"{path}[{{}}]", [], words)
    steps, shares = _steps(table, level), _shares(table, level)
    tops = (row for row in rows if row["depth"] == 0)
    for row, (after, step), share in zip(tops, steps, shares, strict=True):
        row |= {"after": after, "step": step, "share": share}
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    frame["change"] = frame["without"] - table.total
    whole = ["own", "undecided", "without", "change", "after", "step"]
    return frame.astype(dict.fromkeys(whole, "Int64") | {"share": "float64"})


_COLUMNS = [
    "path", "depth", "is_group", "rule", "own", "undecided", "without", "change", "after", "step", "share",
]  # fmt: skip


# The parts in their order, in every order, and left out


@dataclass(frozen=True)
class _Level:
    """The parts of a group over the combinations of a truth table. `place`: the part that is looked into.

    `acts` says where a part decides the group alone: where it fails in “all of”, where it holds in “any of”
    and “none of”; `acting` counts these parts.
    """

    kind: Match
    parts: tuple[Node, ...]
    acts: list[np.ndarray]
    acting: np.ndarray
    place: int = 0

    @classmethod
    def of(cls, table: TruthTable, kind: Match, parts: tuple[Node, ...]) -> "_Level":
        holds = [table.holds(part) for part in parts]
        acts = [~held for held in holds] if kind is Match.ALL else holds
        return cls(kind, parts, acts, np.sum(acts, axis=0, dtype=np.int16))

    def rest(self) -> np.ndarray:
        """Where the group without the part holds. Of nothing, “any of” holds for nobody, else everybody."""
        others_act = self.acting - self.acts[self.place] > 0
        return others_act if self.kind is Match.ANY else ~others_act

    def with_other(self, other: np.ndarray | None) -> np.ndarray | None:
        """Where the group holds if the part held there, or (None) were gone; None where nothing is left."""
        if other is None:
            return self.rest() if len(self.parts) > 1 else None
        match self.kind:
            case Match.ALL:
                return self.rest() & other
            case Match.ANY:
                return self.rest() | other
        return self.rest() & ~other


@dataclass(frozen=True)
class _Words:
    currency: str
    catalogue: Catalogue

    def of(self, node: Node) -> str:
        return phrase(node, currency=self.currency, catalogue=self.catalogue)


def _rows(table: TruthTable, level: _Level, path: str, above: list[_Level], words: _Words) -> list[dict]:
    """The rows of a group's parts and of theirs; `path` has {} where the number of the part stands."""
    rows = []
    for i, part in enumerate(level.parts):
        levels, place = [*above, replace(level, place=i)], path.format(i)
        rows.append(
            {
                "path": place,
                "depth": len(above),
                "is_group": isinstance(part, Group | Not),
                "rule": words.of(part),
                "own": table.count(table.holds(part)),
                "undecided": table.count(table.undecided(part)),
                "without": table.count(_without(levels)),
            }
        )
        match part:
            case Group(kind, parts):
                inner = f"{place}.{kind.value}[{{}}]"
                rows += _rows(table, _Level.of(table, kind, parts), inner, levels, words)
            case Not(only):
                inner = f"{place}.not"
                rows += _rows(table, _Level.of(table, Match.NONE, (only,)), inner, levels, words)
    return rows


def _without(levels: list[_Level]) -> np.ndarray:
    """Where the rule holds without the part that the last level looks into."""
    left = None
    for level in reversed(levels):
        left = level.with_other(left)
    return levels[0].rest() if left is None else left


def _steps(table: TruthTable, level: _Level) -> Iterator[tuple[int, int]]:
    """After each part: how many are chosen so far, and how many more (or fewer) than before it."""
    adds = level.kind is Match.ANY
    touched = np.zeros(len(table.people), dtype=bool)
    before = 0 if adds else table.everybody
    for acts in level.acts:
        touched = touched | acts
        after = table.count(touched if adds else ~touched)
        yield after, after - before
        before = after


def _shares(table: TruthTable, level: _Level) -> list[float]:
    """The Shapley value of each part in the game whose worth is the size of the audience.

    Exact for any number of parts, and without going through their orders: somebody whom f parts put out is
    put out by the first of them that comes, and each is the first in as many orders; so each counts 1/f of
    them. “Any of” brings in as “all of” puts out.
    """
    each = table.people / np.maximum(level.acting, 1)
    sign = 1 if level.kind is Match.ANY else -1
    return [sign * float(each[acts].sum()) for acts in level.acts]
