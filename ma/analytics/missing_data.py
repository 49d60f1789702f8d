"""Whom missing data decides, and which facts they lack: the same for a rule's preview and explanation."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.truth import TruthTable, is_nobody, truth_table
from ma.analytics.workspace import workspace
from ma.rules import to_sql
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.nodes import Group, Leaf, Match, Node, Not
from ma.rules.to_english import fact, phrase


@dataclass(frozen=True)
class Lacking:
    """A fact, in words, and how many people it decides because it is unknown of them."""

    fact: str
    left_out: int
    in_anyway: int


@dataclass(frozen=True)
class Undecided:
    """How many people missing data decides.

    `left_out` are not chosen although unknown facts could bring them in, `in_anyway` are chosen although
    unknown facts could put them out. `lacking` has the facts that could; somebody lacking several counts
    under each.
    """

    left_out: int
    in_anyway: int
    lacking: tuple[Lacking, ...]

    def facts(self, way: str) -> list[tuple[str, int]]:
        """What decides "left_out" or "in_anyway", as (fact, people), the most people first."""
        counts = ((one.fact, getattr(one, way)) for one in self.lacking)
        return sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])


def undecided(session: Session, node: Node, *, as_of: datetime, catalogue: Catalogue) -> Undecided:
    """Whom missing data decides in a rule, by the truth table of these customers only: usually few."""
    when = {"as_of": as_of, "timezone": workspace(session).timezone, "catalogue": catalogue}
    left_open = to_sql.undecided(node, **when)
    if is_nobody(left_open):
        return Undecided(0, 0, ())
    table = truth_table(session, node, as_of=as_of, catalogue=catalogue, only=left_open)
    return undecided_in(table, catalogue=catalogue)


def undecided_in(table: TruthTable, *, catalogue: Catalogue = STANDARD) -> Undecided:
    """The same from a truth table, that of everybody or that of the undecided."""
    of_fact: dict[str, np.ndarray] = {}
    for leaf, matters in _deciding(table).items():
        words = fact(leaf, catalogue=catalogue)
        of_fact[words] = of_fact.get(words, False) | matters
    lacking = (Lacking(words, *_both_ways(table, matters)) for words, matters in of_fact.items())
    everybody = np.ones(len(table.people), dtype=bool)
    return Undecided(
        *_both_ways(table, everybody), tuple(one for one in lacking if one.left_out or one.in_anyway)
    )


def missing(table: TruthTable, *, currency: str, catalogue: Catalogue = STANDARD) -> pd.DataFrame:
    """Who is decided by missing data, by the leaf whose fact is unknown and could turn the rule.

    One row for each such leaf, the most customers first: rule (in words), fact (what is unknown), left_out
    and in_anyway as in `Undecided`. Somebody lacking several facts counts in several rows.
    """
    rows = []
    for leaf, matters in _deciding(table).items():
        counts = _both_ways(table, matters)
        if any(counts):
            words = phrase(leaf, currency=currency, catalogue=catalogue)
            rows.append((words, fact(leaf, catalogue=catalogue), *counts))
    frame = pd.DataFrame(rows, columns=["rule", "fact", "left_out", "in_anyway"])
    frame = frame.astype({"left_out": "int64", "in_anyway": "int64"})
    most = (frame["left_out"] + frame["in_anyway"]).sort_values(ascending=False, kind="stable")
    return frame.loc[most.index].reset_index(drop=True)


def _both_ways(table: TruthTable, matters: np.ndarray) -> tuple[int, int]:
    """Of some combinations, the undecided customers who are left out and those who are in."""
    decided, chosen = matters & table.undecided(table.node), table.holds(table.node)
    return table.count(decided & ~chosen), table.count(decided & chosen)


def _deciding(table: TruthTable) -> dict[Leaf, np.ndarray]:
    """For each leaf, the combinations in which it is unknown and nothing beside it settles the rule."""
    found: dict[Leaf, np.ndarray] = {}

    def look(node: Node, live: np.ndarray) -> None:
        match node:
            case Group(kind, rules):
                settles = [_settles(table, kind, rule) for rule in rules]
                settling = np.sum(settles, axis=0, dtype=np.int16)
                for rule, settled in zip(rules, settles, strict=True):
                    look(rule, live & (settling - settled == 0))
            case Not(rule):
                look(rule, live)
            case _ if table.can_be_undecided(node):
                found[node] = found.get(node, False) | (live & table.undecided(node))

    look(table.node, np.ones(len(table.people), dtype=bool))
    return found


def _settles(table: TruthTable, kind: Match, part: Node) -> np.ndarray:
    """Where a part decides its group alone: where it certainly fails in “all of”, holds in the others."""
    certain, possible = table.truth(part)
    return ~possible if kind is Match.ALL else certain
