"""Rules over customers, for analysts: `parse(json)` reads one, which then says itself in SQL and English.

The parts stand in modules of their own, and are imported where they are used: who needs only the nodes does
not pay for the rest.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma.rules.catalogue import Catalogue
    from ma.rules.nodes import Node


@dataclass(frozen=True)
class Rule:
    """A rule that was read and found right; `node` is its tree."""

    node: "Node"
    catalogue: "Catalogue"

    def to_sql(self, dialect: str = "sqlite", *, as_of: datetime, timezone: str) -> str:
        """The select of the customers' ids as SQL text with its values in it, for reading and for running.

        `dialect` is sqlite or postgresql, `timezone` the workspace's ("Europe/Berlin"). Raises InvalidRule
        where the rule uses a segment that is gone, and InvalidInput for another dialect.
        """
        from ma.rules.sql_text import sql_text
        from ma.rules.to_sql import members

        select = members(self.node, as_of=as_of, timezone=timezone, catalogue=self.catalogue)
        return sql_text(select, dialect)

    def english(self, currency: str = "USD") -> str:
        """The rule as one sentence; amounts of money in a currency."""
        from ma.rules.to_english import english

        return english(self.node, currency=currency, catalogue=self.catalogue)

    def json(self) -> dict:
        """The rule as JSON-ready values, as it is stored."""
        from ma.rules.nodes import to_json

        return to_json(self.node)


def parse(json: str | dict, catalogue: "Catalogue | None" = None) -> Rule:
    """The rule written in a JSON text, or in the dict it stands for.

    `catalogue` says what a workspace has (`ma.analytics.catalogue.catalogue`); without it the rule may use
    the profile fields and events of every workspace, and any id. Raises InvalidRule.
    """
    from ma.rules import check
    from ma.rules.catalogue import STANDARD

    known = STANDARD if catalogue is None else catalogue
    return Rule(check.parse(json, known), known)
