"""People of campaigns by group, counted from the outcomes of some campaigns at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, Select, case, false, literal, select
from sqlalchemy.orm import Session

from ma.analytics import maturity, profile_groups
from ma.analytics.profile_groups import Grouping
from ma.analytics.results import COUNTS
from ma.db.tally import KEY, PERSON, Tally
from ma.errors import InvalidInput
from ma.models import Customer, Outcome
from ma.types import Arm

Progress = Callable[[float], object]
# So many people at a time: nobody would see how far more of them are, and on SQLite they take memory. Each
# statement of PostgreSQL looks at the customers anew.
_AT_ONCE = {"sqlite": 250_000, "postgresql": 2_500_000}
# For fewer people only their customers are looked at, not all there are.
_FEW = 100_000


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
    tally = Tally(session, _groups(session, campaigns, who, as_of))
    rows = _outcomes(who)
    parts = []
    for lot, share in _lots(campaigns, _AT_ONCE[session.connection().dialect.name]):
        steps = _steps(lot, as_of)
        mine = rows.where(Outcome.campaign_id.in_(lot["campaign_id"].tolist()))
        revenue = case((steps["converted"], Outcome.revenue_minor), else_=0)
        parts.append(tally.count(mine, steps, {"revenue_minor": revenue}))
        progress(share)
    frame = pd.concat(parts, ignore_index=True)
    if who.groups:
        frame["value"] = frame[KEY].map(who.groups.value).astype(object)
    elif who.by == "variant":
        frame["value"] = frame["campaign_id"].astype(str) + ":" + frame["variant"]
    return frame


def _groups(session: Session, campaigns: pd.DataFrame, who: Who, as_of: datetime) -> Select:
    """The group of each customer whom this is about, as Tally reads it."""
    nobodys = select(Customer.id.label(PERSON), literal("").label(KEY))
    people = who.groups.of_customers if who.groups else nobodys
    if who.field not in ("", "variant"):
        people = people.where(profile_groups.in_group(session, who.field, who.value, as_of=as_of))
    if campaigns["assigned"].sum() < _FEW:
        ids = campaigns["campaign_id"].tolist()
        people = people.where(
            Customer.id.in_(select(Outcome.customer_id).where(Outcome.campaign_id.in_(ids)))
        )
    return people


def _outcomes(who: Who) -> Select:
    """The outcomes to count, as Tally reads them."""
    rows = select(Outcome.customer_id.label(PERSON), Outcome.campaign_id).where(Outcome.arm == Arm.TREATED)
    if who.by == "variant":
        rows = rows.add_columns(Outcome.variant)
    if who.field == "variant":
        campaign_id, _, letter = who.value.partition(":")
        rows = rows.where(Outcome.campaign_id == _number(campaign_id), Outcome.variant == letter)
    return rows


def _lots(campaigns: pd.DataFrame, at_once: int) -> list[tuple[pd.DataFrame, float]]:
    """The campaigns in lots of about so many people, and the share done after each."""
    people = campaigns["assigned"].fillna(0.0).cumsum()
    whole = float(people.iloc[-1]) if len(people) else 0.0
    lots = [lot for _, lot in campaigns.groupby((people // at_once).astype(int))] or [campaigns]
    return [(lot, float(people[lot.index[-1]] / whole) if whole else 1.0) for lot in lots]


def _steps(campaigns: pd.DataFrame, as_of: datetime) -> dict[str, ColumnElement]:
    """What can be so of a person at an instant: each of COUNTS, and immature."""
    steps = {name: getattr(Outcome, f"{name}_at") <= as_of for name in COUNTS if name != "organic"}
    steps["organic"] = steps["converted"] & Outcome.organic
    inside = maturity.is_open(maturity.cutoffs(campaigns[campaigns["immature"] > 0], as_of))
    steps["immature"] = false() if inside is None else (Outcome.sent_at <= as_of) & inside
    return steps


def _number(text: str) -> int:
    if not text.isdigit():
        raise InvalidInput({"value": f"'{text}' is no campaign: a variant is named like 12:B."})
    return int(text)
