"""What is much and what is late among the buyers of a workspace: numbers for rules to start from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.models import Customer

# Of more buyers a random part is read, the same each time.
MOST_BUYERS = 20_000
_DAYS = {"day": 1, "week": 7, "month": 30}


@dataclass(frozen=True)
class Level:
    """A number in two digits, and the share of buyers (0–1) who have at least so much."""

    at_least: int
    share: float


@dataclass(frozen=True)
class Pause:
    """So many days, weeks or months (`unit`)."""

    count: int
    unit: str


@dataclass(frozen=True)
class BuyingLevels:
    """What is much and what is late, among those who have bought.

    usual_orders: what about half of them have, at least 2. many_orders: about a quarter, at least 2.
    high_spend: about a tenth, in minor units; None where they have spent nothing. pause: nine in ten of those
    who came back take no longer from one order to the next on average; None where nobody came back.
    """

    usual_orders: Level
    many_orders: Level
    high_spend: Level | None
    pause: Pause | None


def buying_levels(session: Session) -> BuyingLevels | None:
    """The levels of a workspace as its customers are now; None where nobody has bought."""
    rows = (
        select(Customer.orders, Customer.spend_minor, Customer.first_order_at, Customer.last_order_at)
        .where(Customer.deleted_at.is_(None), Customer.orders > 0)
        .order_by(Customer.split_bucket, Customer.id)
        .limit(MOST_BUYERS)
    )
    buyers = read(session, rows)
    if buyers.empty:
        return None
    orders, spend = buyers["orders"].to_numpy(float), buyers["spend_minor"].to_numpy(float)
    return BuyingLevels(
        usual_orders=_level(orders, 0.5, least=2),
        many_orders=_level(orders, 0.75, least=2),
        high_spend=_level(spend, 0.9) if np.quantile(spend, 0.9) >= 1 else None,
        pause=_pause(buyers),
    )


def _level(numbers: np.ndarray, quantile: float, least: int = 1) -> Level:
    found = np.quantile(numbers, quantile, method="inverted_cdf")
    at_least = max(_two_digits(found), least)
    return Level(at_least, float((numbers >= at_least).mean()))


def _two_digits(number: float) -> int:
    """The number rounded down: 137 is 130, so that at least as many people reach it."""
    step = 10 ** max(len(str(int(number))) - 2, 0)
    return int(number) // step * step


def _pause(buyers: pd.DataFrame) -> Pause | None:
    back = buyers[buyers["orders"] > 1]
    days = (back["last_order_at"] - back["first_order_at"]).dt.total_seconds() / 86_400 / (back["orders"] - 1)
    days = days[days > 0]
    if days.empty:
        return None
    longest = float(days.quantile(0.9))
    unit = "day" if longest <= 14 else "week" if longest <= 60 else "month"
    return Pause(int(np.ceil(longest / _DAYS[unit])), unit)
