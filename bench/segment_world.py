"""A big shop whose customers were written to: campaigns and what came of them, what people allow, visits."""

import numpy as np
import pandas as pd

from bench.customer_world import NOW, vacuumed
from bench.customer_world import load as load_customers
from ma.db import bulk
from ma.db.engine import Database
from ma.models import BehaviourEvent, Campaign, ConsentChange, Outcome
from ma.types import Arm, Channel

CAMPAIGNS = 20
_PART = 1_000_000


def load(database: Database, customers: int) -> None:
    """Customers with five orders each, five messages each, two visits and a history of consent."""
    load_customers(database, customers)
    rng = np.random.default_rng(2)
    with database.writing() as session:
        session.execute(Campaign.__table__.insert(), _campaigns())
    _insert(database, ConsentChange.__table__, _consent(rng, customers))
    _insert(database, BehaviourEvent.__table__, _visits(rng, customers))
    for campaign_id in range(1, CAMPAIGNS + 1):
        _insert(database, Outcome.__table__, _outcomes(rng, campaign_id, customers))
    vacuumed(database)


def _insert(database: Database, table, frame: pd.DataFrame) -> None:
    for first in range(0, len(frame), _PART):
        with database.writing() as session:
            bulk.insert(session, table, frame.iloc[first : first + _PART])


def _ago(days: np.ndarray) -> pd.Series:
    return pd.Series(pd.Timestamp(NOW) - pd.to_timedelta(days, unit="D")).dt.as_unit("us")


def _campaigns() -> list[dict]:
    return [
        {
            "id": number,
            "name": f"Campaign {number}",
            "name_folded": f"campaign {number}",
            "channel": list(Channel)[number % len(Channel)].value,
            "status": "completed",
            "source": "simulated",
            "conversion_window_days": 7,
            "steps": "sent,delivered,opened,clicked,converted",
            "created_by": "bench",
            "created_at": NOW,
            "updated_at": NOW,
        }
        for number in range(1, CAMPAIGNS + 1)
    ]


def _outcomes(rng: np.random.Generator, campaign_id: int, customers: int) -> pd.DataFrame:
    """A quarter of the customers, a tenth of them held out; one campaign every five weeks."""
    people = np.sort(rng.permutation(customers)[: customers // 4]) + 1
    sent_days_ago = (CAMPAIGNS - campaign_id) * 35 + 2.0
    treated = rng.random(len(people)) >= 0.1

    def step(share: float, days: float, among: np.ndarray) -> tuple[np.ndarray, pd.Series]:
        happened = among & (rng.random(len(people)) < share)
        times = _ago(np.maximum(sent_days_ago - rng.exponential(days, len(people)), 0.01))
        return happened, times.where(happened)

    sent = _ago(np.full(len(people), sent_days_ago))
    was_delivered, delivered = step(0.97, 0.01, treated)
    was_opened, opened = step(0.3, 0.5, was_delivered)
    _, clicked = step(0.15, 0.5, was_opened)
    _, converted = step(0.03, 2, was_delivered | ~treated)
    _, unsubscribed = step(0.005, 1, was_delivered)
    return pd.DataFrame(
        {
            "campaign_id": campaign_id,
            "customer_id": people,
            "arm": np.where(treated, Arm.TREATED.value, Arm.HOLDOUT.value),
            "variant": "A",
            "wave": 1,
            "source": "simulated",
            "assigned_at": sent,
            "sent_at": sent.where(treated),
            "delivered_at": delivered,
            "opened_at": opened,
            "clicked_at": clicked,
            "converted_at": converted,
            "unsubscribed_at": unsubscribed,
            "organic": ~treated,
            "revenue_minor": 0,
        }
    )


def _visits(rng: np.random.Generator, customers: int) -> pd.DataFrame:
    total = 2 * customers
    kinds = rng.choice(["visit", "cart_abandoned"], total, p=[0.9, 0.1])
    return pd.DataFrame(
        {
            "customer_id": rng.integers(1, customers + 1, total),
            "kind": kinds,
            "at": _ago(rng.exponential(200, total)),
            "page": rng.choice(["home", "search", "basket", "product"], total),
            "device": rng.choice(["desktop", "mobile", "tablet"], total),
        }
    )


def _consent(rng: np.random.Generator, customers: int) -> pd.DataFrame:
    """The first record of every e-mail consent, and a later change of one in five."""
    ids = np.arange(1, customers + 1)
    changed = ids[rng.random(customers) < 0.2]
    first = pd.DataFrame({"customer_id": ids, "at": _ago(rng.uniform(400, 1400, customers))})
    later = pd.DataFrame({"customer_id": changed, "at": _ago(rng.uniform(1, 399, len(changed)))})
    rows = pd.concat([first.assign(allowed=True), later.assign(allowed=False)], ignore_index=True)
    return rows.assign(channel="email", source="first record", actor="bench").sort_values("at")
