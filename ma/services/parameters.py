"""What the simulator assumes for a campaign: the channel's benchmarks and what is typical here."""

import math
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Float, Integer, case, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from ma.db.days import day_number
from ma.models import Customer
from ma.settings import DATA
from ma.simulation import params
from ma.simulation.params import ChannelParams
from ma.simulation.population import RECENCY_HALF_DAYS, Population
from ma.types import Channel


def channel_params(
    session: Session, channel: Channel, *, at: datetime, typical: Population | None = None
) -> ChannelParams:
    """The parameters of a channel, its baselines standing for this workspace's average customer.

    `typical`: what is typical here (see `population`), where somebody has it already.
    Raises FileProblem when the benchmarks cannot be read.
    """
    return replace(_benchmarks()[channel], population=typical or population(session, at=at))


def population(session: Session, *, at: datetime) -> Population:
    """What is typical in this workspace, by one scan of the profiles; assumptions where nothing is known."""
    days = days_since(Customer.last_order_at, at)
    recency = func.coalesce(RECENCY_HALF_DAYS / (RECENCY_HALF_DAYS + case((days > 0, days), else_=0)), 0.0)
    recency = case((Customer.last_order_at.is_(None), 0.0), else_=recency)
    buys = Customer.orders > 0

    def average(column):
        return func.avg(cast(column, Float))

    def total(column):
        return func.coalesce(func.sum(cast(case((buys, column)), Float)), 0.0)

    row = session.execute(
        select(
            average(Customer.engagement).label("engagement"),
            average(Customer.engagement * Customer.engagement).label("engagement_2"),
            average(recency).label("recency"),
            average(recency * recency).label("recency_2"),
            total(Customer.orders).label("orders"),
            total(Customer.orders - 1).label("repeats"),
            total(days_since(Customer.first_order_at, at)).label("days"),
            total(Customer.spend_minor).label("spend"),
        ).where(Customer.deleted_at.is_(None))
    ).one()
    typical = Population()
    if row.engagement is not None:
        typical = replace(
            typical,
            engagement_mean=row.engagement,
            engagement_sd=_spread(row.engagement, row.engagement_2),
            recency_mean=row.recency,
            recency_sd=_spread(row.recency, row.recency_2),
        )
    if row.days > 0 and row.spend > 0:
        typical = replace(
            typical, order_rate=row.repeats / row.days, average_order_minor=row.spend / row.orders
        )
    return typical


def days_since(column, at: datetime):
    """Calendar days (UTC) from a time to `at`, in SQL, the same on every engine."""
    day = type_coerce(day_number(column, timezone="UTC", start=at, end=at), Integer)
    return int(at.timestamp() // 86_400) - day


def _spread(mean: float, mean_of_squares: float) -> float:
    return math.sqrt(max(mean_of_squares - mean**2, 0.0))


@lru_cache
def _benchmarks() -> dict[Channel, ChannelParams]:
    return params.load(DATA / "benchmarks.csv")
