"""How a segment's people changed: its size and their profile at the ends of the last months."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Float, Integer, and_, case, cast, extract, func, or_, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics import segments
from ma.analytics.catalogue import catalogue as catalogue_of
from ma.analytics.cohorts import first_purchase
from ma.analytics.differences import Measure, standardised
from ma.analytics.frames import read
from ma.analytics.glance import value_limits
from ma.analytics.past_profiles import PAST_FIELDS, PastProfile, past_catalogue, past_profile
from ma.analytics.stability import FEWEST, INDEX, Band, bands, stability
from ma.analytics.workspace import workspace
from ma.clock import MICROSECOND, local_day
from ma.db.days import day_number
from ma.errors import InvalidInput
from ma.models import Customer, SegmentMember
from ma.rules import to_sql
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.fields import FIELDS
from ma.rules.nodes import Node
from ma.rules.to_english import visible
from ma.rules.uses import present_values

MONTHS, MOST_MONTHS = 12, 36
COUNTRIES = 5
OTHER = "other"
# Figures of the days before a month's end are unknown until the data reach back so far; so are days since the
# last order, which could not be many before.
WINDOW = timedelta(days=90)
_OF_WINDOW = ("recent_orders", "recent_spend", "days_since", "engagement")
_EPOCH = date(1970, 1, 1)


def measures() -> dict[str, Measure]:
    """The means that are followed, by name, in the order in which they are shown."""
    found = (
        Measure("age", "Age", "mean", "years"),
        Measure("spend", "Lifetime value", "mean", "minor units"),
        Measure("recent_spend", "Spend in 90 days", "mean", "minor units"),
        Measure("recent_orders", "Orders in 90 days", "mean", "orders"),
        Measure("days_since", "Days since the last order", "mean", "days"),
        Measure("engagement", "Engagement score", "mean", "points"),
    )
    return {measure.name: measure for measure in found}


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated: a segment's rule (None: a list) at the last microseconds of months."""

    segment_id: int
    node: Node | None
    catalogue: Catalogue
    moments: tuple[datetime, ...]
    timezone: str
    data_from: datetime | None
    bands: tuple[Band, ...]
    countries: tuple[str, ...]
    recorded: pd.DataFrame
    present: tuple[str, ...]

    @property
    def days(self) -> list[date]:
        """The last days of the months."""
        return [local_day(moment, self.timezone) for moment in self.moments]


def segment_drift(
    session: Session, *, as_of: datetime, segment_id: int, months: int = MONTHS
) -> pd.DataFrame:
    """A segment's size and its people's profile at the ends of the last `months` months that are over.

    One row for each month end and figure: month_end (its last day), measure, label, kind, value, n (people of
    whom it is known), difference, psi and psi_by_chance against the first month end at which it is known of
    at least FEWEST people.

    kind "count": people (whom today's rule would have chosen then; of a list those still on it who were on
    it), and recorded (the size at the last refresh before, under the rule of then; NaN without one). "mean":
    the figures of `measures`, over people of whom they are known; money in minor units. "share": a band of
    such a figure, or a country, as a share of n. "spread": countries as a whole, without a value.

    difference is the standardised one of `ma.analytics.differences` (of means and shares). psi is the
    population stability index over the bands of a figure, or over countries; psi_by_chance what it would be
    on average if only chance had been at work. NaN before that first month end, where nobody is left, and
    where the figure looks back further than the orders in the data.

    Facts are as of the month end; what `Plan.present` names, and countries, have their present values.
    Raises NotFound, InvalidRule for a rule that is no longer valid, InvalidInput for too many months.
    Source: docs/metrics.md#drift-of-a-segment
    """
    made = plan(session, as_of=as_of, segment_id=segment_id, months=months)
    return drift_of(made, [measured(session, made, moment) for moment in made.moments])


def plan(session: Session, *, as_of: datetime, segment_id: int, months: int = MONTHS) -> Plan:
    """What `segment_drift` evaluates, so that it can be done month by month; raises as that does."""
    if not 1 <= months <= MOST_MONTHS:
        raise InvalidInput({"months": f"Choose 1 to {MOST_MONTHS} months."})
    place, known = workspace(session), catalogue_of(session)
    segment = segments.segment(session, segment_id)
    node = None if segment.static else parse(segment.rule, known)
    present = () if node is None else _present_values(node, known)
    limits = value_limits(session, currency=place.currency)
    recorded = segments.size_history(session, as_of=as_of, segment_id=segment_id, limit=100_000)
    return Plan(
        segment_id=segment_id,
        node=node,
        catalogue=known,
        moments=tuple(_month_ends(as_of, place.timezone, months)),
        timezone=place.timezone,
        data_from=first_purchase(session, as_of=as_of),
        bands=tuple(bands(limits, currency=place.currency)),
        countries=_commonest(session),
        recorded=recorded[["as_of", "size"]],
        present=present,
    )


def measured(session: Session, plan: Plan, moment: datetime) -> pd.Series:
    """The sums over a plan's people at one of its moments: one statement, one row."""
    past = past_profile(moment)
    values = _values(plan, past, moment)
    sums = [func.count().label("people")]
    for name, value in values.items():
        # Squares of amounts do not fit into the integers of either database.
        number = cast(value, Float)
        sums.append(func.count(value).label(f"{name}_n"))
        sums.append(func.sum(number).label(f"{name}_sum"))
        sums.append(func.sum(number * number).label(f"{name}_squares"))
    sums += [_count(band.holds(values[band.measure])).label(band.key) for band in plan.bands]
    sums.append(func.count(Customer.country).label("country_n"))
    sums += [_count(Customer.country == code).label(f"country {code}") for code in plan.countries]
    people = select(*sums).select_from(Customer).join(past.bought, past.bought.c.customer_id == Customer.id)
    people = people.join(past.engaged, past.engaged.c.customer_id == Customer.id)
    people = people.where(to_sql.present(), *_chosen(plan, past, moment))
    return read(session, people).iloc[0].astype(float)


def drift_of(plan: Plan, found: Sequence[pd.Series]) -> pd.DataFrame:
    """The frame of `segment_drift` from what was `measured` at each moment, in their order."""
    sums = pd.DataFrame(list(found)).reset_index(drop=True).fillna(0.0)
    figures = [*_means(plan, sums), *_countries(plan, sums)]
    frame = pd.concat([_counts(plan, sums), _rows(plan, figures)], ignore_index=True)
    return frame.astype(dict.fromkeys(["value", "difference", "psi", "psi_by_chance"], float))


# Whom and when


def _month_ends(as_of: datetime, timezone: str, months: int) -> list[datetime]:
    """The last microseconds of the last months that are over, oldest first."""
    # A month is over with its last microsecond.
    first = local_day(as_of + MICROSECOND, timezone).replace(day=1)
    ends = []
    for _ in range(months):
        ends.append(clock.day_start(first, timezone) - MICROSECOND)
        first = (first - timedelta(days=1)).replace(day=1)
    return ends[::-1]


def _present_values(node: Node, known: Catalogue) -> tuple[str, ...]:
    """What has its present value in a rule although another moment is asked for, in words."""
    exact = {visible(FIELDS[name].label) for name in PAST_FIELDS}
    return tuple(label for label in present_values(node, known) if label not in exact)


def _commonest(session: Session) -> tuple[str, ...]:
    rows = select(Customer.country).where(to_sql.present(), Customer.country.is_not(None))
    found = session.execute(
        rows.group_by(Customer.country).order_by(func.count().desc(), Customer.country).limit(COUNTRIES)
    )
    return tuple(found.scalars())


def _chosen(plan: Plan, past: PastProfile, moment: datetime) -> list[ColumnElement]:
    """The people of a moment: those of the rule, or on the list, who were customers by then."""
    if plan.node is None:
        on_list = select(SegmentMember.customer_id).where(
            SegmentMember.segment_id == plan.segment_id, SegmentMember.entered_at <= moment
        )
        return [Customer.id.in_(on_list)]
    known = past_catalogue(plan.catalogue, past)
    chosen = to_sql.condition(plan.node, as_of=moment, timezone=plan.timezone, catalogue=known)
    joined = or_(
        Customer.joined_on <= local_day(moment, plan.timezone),
        and_(Customer.joined_on.is_(None), Customer.created_at <= moment),
        # Who was imported later, without the day they joined, but had bought before.
        past.bought.c.first_order_at.is_not(None),
    )
    return [joined, chosen]


# What is measured


def _values(plan: Plan, past: PastProfile, moment: datetime) -> dict[str, ColumnElement]:
    """The figures of a person at a moment; NULL where unknown."""
    today, bought = local_day(moment, plan.timezone), past.bought.c
    begin = min(plan.data_from or moment, moment)
    last = day_number(bought.last_order_at, timezone=plan.timezone, start=begin, end=moment + MICROSECOND)
    born = Customer.birth_date
    birthday = extract("month", born) * 100 + extract("day", born)
    age = today.year - extract("year", born) - case((birthday > today.month * 100 + today.day, 1), else_=0)
    return {
        "age": cast(age, Integer),
        "spend": bought.spend_minor,
        "recent_spend": bought.recent_spend_minor,
        "recent_orders": bought.recent_orders,
        "days_since": cast((today - _EPOCH).days - last, Integer),
        "engagement": past.engaged.c.engagement,
    }


def _count(condition: ColumnElement) -> ColumnElement:
    return cast(func.sum(case((condition, 1), else_=0)), BigInteger)


# The frame


def _knows(plan: Plan, measure: Measure) -> np.ndarray:
    """Whether the orders in the data reach back as far as a measure looks, at each moment."""
    if measure.name == "age":
        return np.ones(len(plan.moments), dtype=bool)
    back = WINDOW if measure.name in _OF_WINDOW else timedelta(0)
    start = plan.data_from
    return np.array([start is not None and moment - back >= start for moment in plan.moments], dtype=bool)


def _counts(plan: Plan, sums: pd.DataFrame) -> pd.DataFrame:
    sizes = [plan.recorded.loc[plan.recorded["as_of"] <= moment, "size"] for moment in plan.moments]
    recorded = [float(size.iloc[-1]) if len(size) else np.nan for size in sizes]
    ends = pd.to_datetime(pd.Series(plan.days * 2, dtype=object))
    count = len(plan.moments)
    return pd.DataFrame(
        {
            "month_end": ends,
            "measure": ["people"] * count + ["recorded"] * count,
            "label": ["People"] * count + ["Recorded size"] * count,
            "kind": "count",
            "value": [*sums["people"], *recorded],
            "n": [*sums["people"].astype("int64")] * 2,
        }
    )


@dataclass(frozen=True)
class _Figure:
    """A figure at each moment: how many people, their sum and sum of squares, and whether it is known."""

    measure: Measure
    sums: np.ndarray
    known: np.ndarray
    index: dict[str, np.ndarray] | None = None

    @property
    def begins(self) -> int:
        """The place of the first moment with which others are compared; past the last where there is none."""
        enough = np.flatnonzero(self.known & (self.sums[:, 0] >= FEWEST))
        return int(enough[0]) if len(enough) else len(self.sums)


def _means(plan: Plan, sums: pd.DataFrame) -> Iterator[_Figure]:
    for measure in measures().values():
        known = _knows(plan, measure)
        mine = [band for band in plan.bands if band.measure == measure.name]
        table = sums[[band.key for band in mine]].to_numpy()
        columns = [f"{measure.name}_{part}" for part in ("n", "sum", "squares")]
        yield _Figure(measure, sums[columns].to_numpy(), known, stability(table, known))
        for place, band in enumerate(mine):
            share = Measure(band.key, f"{measure.label}: {band.name}", "share")
            yield _Figure(share, _of_shares(table.sum(axis=1), table[:, place]), known)


def _countries(plan: Plan, sums: pd.DataFrame) -> Iterator[_Figure]:
    always = np.ones(len(sums), dtype=bool)
    number = sums["country_n"].to_numpy()
    named = sums[[f"country {code}" for code in plan.countries]].to_numpy()
    table = np.column_stack([named, number - named.sum(axis=1)])
    nothing = np.column_stack([number, np.full((len(sums), 2), np.nan)])
    yield _Figure(Measure("country", "Country", "spread"), nothing, always, stability(table, always))
    for place, code in enumerate((*plan.countries, OTHER)):
        share = Measure(f"country {code}", f"In {code}", "share")
        yield _Figure(share, _of_shares(number, table[:, place]), always)


def _of_shares(number: np.ndarray, inside: np.ndarray) -> np.ndarray:
    # Of zeros and ones the squares are the numbers themselves.
    return np.column_stack([number, inside, inside])


def _rows(plan: Plan, figures: Sequence[_Figure]) -> pd.DataFrame:
    """A row for each figure and moment, compared with the figure's first moment of enough people."""
    count = len(plan.moments)
    each = [figure.sums for figure in figures]
    first = [
        np.broadcast_to(figure.sums[figure.begins] if figure.begins < count else 0.0, figure.sums.shape)
        for figure in figures
    ]
    labels = dict(enumerate(figure.measure.label for figure in figures for _ in range(count)))
    found = standardised(figures[0].measure, labels, np.vstack(each), np.vstack(first))
    known = np.concatenate([figure.known for figure in figures])
    compared = np.concatenate([np.arange(count) >= figure.begins for figure in figures]) & known
    index = [figure.index or dict.fromkeys(INDEX, np.full(count, np.nan)) for figure in figures]
    return pd.DataFrame(
        {
            "month_end": pd.to_datetime(pd.Series(plan.days * len(figures), dtype=object)),
            "measure": np.repeat([figure.measure.name for figure in figures], count),
            "label": list(labels.values()),
            "kind": np.repeat([figure.measure.kind for figure in figures], count),
            "value": found["value"].where(known),
            "n": found["n"].where(known, 0),
            "difference": found["difference"].where(compared),
            **{name: np.concatenate([one[name] for one in index]) for name in INDEX},
        }
    )
