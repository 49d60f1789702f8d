"""People of campaigns by group, counted from the outcomes: one statement for some campaigns at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.orm import Session

from ma.analytics import maturity, profile_groups
from ma.analytics.frames import read
from ma.analytics.profile_groups import Grouping
from ma.analytics.results import COUNTS, SUMS
from ma.errors import InvalidInput
from ma.models import Customer, Outcome
from ma.types import Arm

Progress = Callable[[float], object]
# Of more people in one statement a sort takes longer, and nobody sees how far it is.
_AT_ONCE = 250_000


def ignored(share: float) -> None:
    """For who does not want to know how far it is."""


@dataclass(frozen=True)
class Who:
    """By what people are counted, and whom of them: by a variant, or `groups` of the profile, or neither.

    `field` and `value` keep the people of one group of the profile, or of one variant (12:B).
    """

    by: str
    groups: Grouping | None
    field: str
    value: str


def people_by_group(
    session: Session, campaigns: pd.DataFrame, who: Who, *, as_of: datetime, progress: Progress = ignored
) -> pd.DataFrame:
    """The columns of SUMS and immature (floats), by campaign_id and value, of who is in each group.

    `campaigns` are totals with maturity.add_immature. Raises InvalidInput.
    """
    key, of_customers = literal(""), who.groups is not None
    if who.groups:
        key = who.groups.key
    elif who.by == "variant":
        key = Outcome.variant
    conditions = [Outcome.arm == Arm.TREATED]
    if who.field == "variant":
        campaign_id, _, letter = who.value.partition(":")
        conditions += [Outcome.campaign_id == _number(campaign_id), Outcome.variant == letter]
    elif who.field:
        of_customers = True
        conditions.append(_in_group(session, who.field, who.value, as_of))
    parts = []
    for lot, share in _lots(campaigns):
        parts.append(read(session, _counted(lot, key, conditions, as_of, of_customers)))
        progress(share)
    frame = pd.concat(parts, ignore_index=True)
    frame[[*SUMS, "immature"]] = frame[[*SUMS, "immature"]].astype(float)
    if who.groups:
        frame["value"] = [who.groups.value(found) for found in frame["group_key"]]
    else:
        frame["value"] = frame["campaign_id"].astype(str) + ":" + frame["group_key"].astype(str)
    return frame


def _lots(campaigns: pd.DataFrame) -> list[tuple[pd.DataFrame, float]]:
    """The campaigns in lots of about so many people, and the share done after each."""
    people = campaigns["assigned"].fillna(0.0).cumsum()
    whole = float(people.iloc[-1]) if len(people) else 0.0
    lots = [lot for _, lot in campaigns.groupby((people // _AT_ONCE).astype(int))] or [campaigns]
    return [(lot, float(people[lot.index[-1]] / whole) if whole else 1.0) for lot in lots]


def _counted(
    campaigns: pd.DataFrame, key: ColumnElement, conditions: list, as_of: datetime, of_customers: bool
) -> Select:
    def count(condition: ColumnElement) -> ColumnElement:
        return func.count().filter(condition)

    def happened(name: str) -> ColumnElement:
        return getattr(Outcome, f"{name}_at") <= as_of

    inside = maturity.is_open(maturity.cutoffs(campaigns[campaigns["immature"] > 0], as_of))
    immature = count((Outcome.sent_at <= as_of) & inside) if inside is not None else literal(0)
    query = (
        select(
            Outcome.campaign_id,
            key.label("group_key"),
            *[count(happened(name)).label(name) for name in COUNTS if name != "organic"],
            count(happened("converted") & Outcome.organic).label("organic"),
            func.sum(Outcome.revenue_minor).filter(happened("converted")).label("revenue_minor"),
            immature.label("immature"),
        )
        .where(Outcome.campaign_id.in_(campaigns["campaign_id"].tolist()), *conditions)
        .group_by(Outcome.campaign_id, "group_key")
    )
    return query.join(Customer, Customer.id == Outcome.customer_id) if of_customers else query


def _in_group(session: Session, field: str, value: str, as_of: datetime) -> ColumnElement:
    """Whether a customer is in a group: by its rule, or where no rule can say so, by its key."""
    groups = profile_groups.grouping(session, field, as_of=as_of)
    rule = groups.rule(value)
    if rule is None:
        return groups.key == value
    return profile_groups.holds(session, rule, as_of=as_of)


def _number(text: str) -> int:
    if not text.isdigit():
        raise InvalidInput({"value": f"'{text}' is no campaign: a variant is named like 12:B."})
    return int(text)
