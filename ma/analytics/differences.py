"""How the people of segments differ from all other customers, on one scale for all measures."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Float, Select, String, case, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.db.counting import COUNT, counted
from ma.models import Customer, SegmentMember
from ma.rules import to_sql
from ma.types import Channel

COUNTRIES = 5
# Of a normal distribution, 95 % lie within.
_Z = 1.959963984540054


@dataclass(frozen=True)
class Measure:
    """Something that is compared: a mean ("mean", `unit` says of what) or a share of people ("share")."""

    name: str
    label: str
    kind: str
    unit: str = ""


def measures() -> dict[str, Measure]:
    """What is compared beside countries, by name, in the order in which it is shown."""
    means = (
        Measure("spend", "Lifetime value", "mean", "minor units"),
        Measure("orders", "Orders", "mean", "orders"),
        Measure("average_order", "Average order", "mean", "minor units"),
        Measure("engagement", "Engagement score", "mean", "points"),
        Measure("visits", "Visits", "mean", "visits"),
        Measure("age", "Age", "mean", "years"),
    )
    shares = (
        Measure("has_ordered", "Has ordered", "share"),
        *(Measure(f"consent_{channel}", f"Allows {channel.label}", "share") for channel in Channel),
    )
    return {measure.name: measure for measure in (*means, *shares)}


def differences_of(
    session: Session, names: dict[int, str], members: Select, *, as_of: datetime
) -> pd.DataFrame:
    """How the people of each segment differ from all customers who are not in it.

    `members` selects from members joined to customers. One row for each measure and segment: measure, label,
    kind ("mean" or "share"), segment_id, segment, value and n (the segment's, over its people of whom it is
    known), value_others and n_others (the same of all customers outside it), difference, low and high: the
    standardised difference with its 95 % interval. Money is in minor units, shares are 0 to 1. Profile
    figures are the present ones whatever `as_of`.

    difference = (value − value_others) ÷ the root of the mean of both variances; it has no unit, 0.2 is
    called small, 0.5 medium, 0.8 large (Cohen 1988; for shares: Austin 2009). Standard error of Hedges and
    Olkin (1985). NaN where fewer than two on either side are known or nobody varies.
    """
    today = local_day(as_of, workspace(session).timezone)
    sums = [column.label(name) for name, column in _sums()]
    everybody = read(session, select(*sums).select_from(Customer).where(to_sql.present()))
    # One query for each segment: grouped by segment, SQLite sorts all these columns of all members.
    of_each = [
        read(session, members.with_only_columns(*sums).where(SegmentMember.segment_id == one))
        for one in names
    ]
    theirs = pd.concat(of_each, ignore_index=True)
    parts = {
        measure.name: standardised(measure, names, *_inside_and_outside(measure, theirs, everybody))
        for measure in measures().values()
        if measure.name != "age"
    }
    of_members = members.with_only_columns(SegmentMember.segment_id)
    parts["age"] = _ages(session, names, of_members, today)
    in_order = [parts[name] for name in measures()]
    in_order.append(_countries(session, names, of_members))
    return pd.concat([part for part in in_order if len(part)], ignore_index=True)


_MEANS = {
    "spend": Customer.spend_minor,
    "orders": Customer.orders,
    "average_order": Customer.average_order_minor,
    "engagement": Customer.engagement,
    "visits": Customer.visits,
}


def _sums() -> Iterator[tuple[str, ColumnElement]]:
    """How many there are, the sums and sums of squares of figures, and how many have or allow something."""
    yield "people", func.count()
    for name, column in _MEANS.items():
        # Squares of amounts do not fit into the integers of either database.
        value = cast(column, Float)
        if column.nullable:
            yield f"{name}_n", func.count(column)
        yield f"{name}_sum", func.sum(value)
        yield f"{name}_squares", func.sum(value * value)
    yield "has_ordered_sum", func.sum(case((Customer.orders > 0, 1), else_=0))
    for channel in Channel:
        allowed = getattr(Customer, f"consent_{channel}")
        yield f"consent_{channel}_sum", func.sum(case((allowed, 1), else_=0))


def _inside_and_outside(
    measure: Measure, theirs: pd.DataFrame, everybody: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """The number, sum and sum of squares of each segment's people, and of all others."""
    number = f"{measure.name}_n" if f"{measure.name}_n" in everybody else "people"
    # Of zeros and ones the squares are the numbers themselves.
    squares = f"{measure.name}_squares" if measure.kind == "mean" else f"{measure.name}_sum"
    parts = [number, f"{measure.name}_sum", squares]
    inside = theirs[parts].astype(float).fillna(0).to_numpy()
    return inside, everybody[parts].astype(float).fillna(0).to_numpy() - inside


def _ages(session: Session, names: dict[int, str], members: Select, today: date) -> pd.DataFrame:
    """Ages in whole years, from how many people were born on which day."""
    born = cast(Customer.birth_date, String).label("born")
    known = Customer.birth_date.is_not(None)
    theirs = counted(session, members.add_columns(born).where(known))
    everybody = counted(session, select(born).where(to_sql.present(), known))
    sums = [_age_sums(theirs[theirs["segment_id"] == one], today) for one in names]
    inside = np.array(sums)
    return standardised(measures()["age"], names, inside, np.array(_age_sums(everybody, today)) - inside)


def _age_sums(frame: pd.DataFrame, today: date) -> list[float]:
    born = pd.to_datetime(frame["born"]).dt
    not_yet = born.month * 100 + born.day > today.month * 100 + today.day
    age, people = today.year - born.year - not_yet, frame[COUNT]
    return [float(people.sum()), float((people * age).sum()), float((people * age**2).sum())]


def _countries(session: Session, names: dict[int, str], members: Select) -> pd.DataFrame:
    """The share of each of the commonest countries of the segments among people of known country."""
    theirs = counted(session, members.add_columns(Customer.country).where(Customer.country.is_not(None)))
    common = theirs.groupby("country")[COUNT].sum().sort_values(ascending=False, kind="stable")
    all_of_them = select(Customer.country).where(to_sql.present(), Customer.country.is_not(None))
    everybody = counted(session, all_of_them).set_index("country")[COUNT]
    known = theirs.groupby("segment_id")[COUNT].sum().reindex(list(names), fill_value=0).to_numpy(dtype=float)
    rows = []
    for country in common.index[:COUNTRIES]:
        here = theirs[theirs["country"] == country].set_index("segment_id")[COUNT]
        here = here.reindex(list(names), fill_value=0).to_numpy(dtype=float)
        inside = np.column_stack([known, here, here])
        outside = np.array([everybody.sum(), everybody[country], everybody[country]]) - inside
        rows.append(
            standardised(Measure(f"country {country}", f"In {country}", "share"), names, inside, outside)
        )
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def standardised(
    measure: Measure, names: dict[int, str], inside: np.ndarray, outside: np.ndarray
) -> pd.DataFrame:
    """The standardised differences of one measure: the columns of `differences_of`, a row for each name.

    `inside` and `outside` have a row for each name too: how many, their sum, their sum of squares.
    """
    n, value, variance = _moments(inside)
    n_others, value_others, variance_others = _moments(outside)
    spread = np.sqrt((variance + variance_others) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(spread > 0, (value - value_others) / spread, np.nan)
        error = np.sqrt((n + n_others) / (n * n_others) + d**2 / (2 * (n + n_others)))
    return pd.DataFrame(
        {
            "measure": measure.name,
            "label": measure.label,
            "kind": measure.kind,
            "segment_id": list(names),
            "segment": list(names.values()),
            "value": value,
            "n": n.astype("int64"),
            "value_others": value_others,
            "n_others": n_others.astype("int64"),
            "difference": d,
            "low": d - _Z * error,
            "high": d + _Z * error,
        }
    )


def _moments(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many, their mean, and the variance of the population they are a sample of."""
    n, total, squares = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 0, total / n, np.nan)
        variance = np.where(n > 1, (squares - n * mean**2) / (n - 1), np.nan)
    # What is left of equal numbers after rounding is no spread.
    return n, mean, np.where(variance <= 1e-12 * mean**2, 0.0, variance)
