"""A big shop's campaigns of a year: forty of them, ten million outcomes, one campaign with a million.

Its customers are scored, and three in four have a value in a field of the workspace's own.
"""

import numpy as np
import pandas as pd

from bench.customer_world import NOW, vacuumed
from bench.customer_world import load as load_customers
from ma.db import bulk
from ma.db.engine import Database
from ma.models import Campaign, Outcome, Segment
from ma.services import attributes
from ma.services.results import rebuild_results
from ma.services.scoring import score_customers
from ma.types import SYSTEM, Arm, Channel

CAMPAIGNS, DAYS_APART, SEGMENTS, SHOPS = 40, 9, 8, 500
# The one that everybody gets.
BIG = 20
CHANNELS = (Channel.EMAIL, Channel.EMAIL, Channel.SMS, Channel.PUSH)


def load(database: Database, customers: int) -> None:
    """Customers with five orders each, and ten outcomes each."""
    load_customers(database, customers)
    rng = np.random.default_rng(3)
    with database.writing() as session:
        session.execute(Segment.__table__.insert(), _segments())
        session.execute(Campaign.__table__.insert(), [_campaign(number) for number in _numbers()])
    for number in _numbers():
        frame = _outcomes(rng, number, customers)
        with database.writing() as session:
            bulk.insert(session, Outcome.__table__, frame)
            rebuild_results(session, number, outcomes=frame)
    fields(database, rng, customers)
    vacuumed(database)


def fields(database: Database, rng: np.random.Generator, customers: int) -> None:
    """What is known of customers beside their own row."""
    people = np.flatnonzero(rng.random(customers) < 0.75) + 1
    with database.writing() as session:
        field = attributes.define_attribute(session, SYSTEM, name="Shop", kind="text", at=NOW)
        frame = pd.DataFrame({"customer_id": people, "attribute_id": field})
        shops = np.array([f"Shop {number}" for number in range(1, SHOPS + 1)], dtype=object)
        frame["value"] = rng.choice(shops, len(people))
        attributes.write_values(session, frame, at=NOW)
    score_customers(database, SYSTEM, at=NOW)


def _numbers() -> range:
    return range(1, CAMPAIGNS + 1)


def _sent_at(number: int) -> pd.Timestamp:
    return pd.Timestamp(NOW) - pd.Timedelta(days=(CAMPAIGNS - number) * DAYS_APART + 2)


def _segments() -> list[dict]:
    common = {"rule": {"field": "orders", "operator": "gte", "value": 1}, "version": 1}
    common |= {"created_by": "bench", "created_at": NOW, "updated_at": NOW}
    return [
        {"id": i, "name": f"Segment {i}", "name_folded": f"segment {i}", **common}
        for i in range(1, SEGMENTS + 1)
    ]


def _campaign(number: int) -> dict:
    return {
        "id": number,
        "name": f"Campaign {number}",
        "name_folded": f"campaign {number}",
        "channel": CHANNELS[number % len(CHANNELS)].value,
        "status": "completed" if number < CAMPAIGNS else "running",
        "source": "simulated",
        "segment_id": number % SEGMENTS + 1,
        "variants": [{"name": "B", "share": 0.5, "subject": "B", "body": "B", "effects": {}}],
        "holdout_share": 0.1,
        "cost_per_thousand_minor": 2_000,
        "fixed_cost_minor": 10_000,
        "conversion_window_days": 7,
        "steps": "sent,delivered,opened,clicked,converted,bounced,unsubscribed,organic",
        "waves_sent": 1,
        "launched_at": _sent_at(number).to_pydatetime(),
        "created_by": "bench",
        "created_at": NOW,
        "updated_at": NOW,
    }


def _outcomes(rng: np.random.Generator, number: int, customers: int) -> pd.DataFrame:
    """Everybody for the big one, else an equal part of nine outcomes each; a tenth held out."""
    size = customers if number == BIG else 9 * customers // (CAMPAIGNS - 1)
    people = np.sort(rng.permutation(customers)[:size]) + 1
    treated = rng.random(size) >= 0.1
    sent = pd.Series(_sent_at(number), index=range(size)).dt.as_unit("us")

    def step(share: float, days: float, among: np.ndarray) -> tuple[np.ndarray, pd.Series]:
        happened = among & (rng.random(size) < share)
        after = pd.to_timedelta((rng.exponential(days, size) * 86_400_000_000).astype("int64"), unit="us")
        return happened, (sent + after).where(happened)

    was_delivered, delivered = step(0.97, 0.01, treated)
    was_opened, opened = step(0.3, 0.5, was_delivered)
    _, clicked = step(0.15, 0.5, was_opened)
    bought, converted = step(0.03, 2, was_delivered | ~treated)
    _, unsubscribed = step(0.005, 1, was_delivered)
    return pd.DataFrame(
        {
            "campaign_id": number,
            "customer_id": people,
            "arm": np.where(treated, Arm.TREATED.value, Arm.HOLDOUT.value),
            "variant": np.where(rng.random(size) < 0.5, "A", "B"),
            "wave": 1,
            "source": "simulated",
            "assigned_at": sent,
            "sent_at": sent.where(treated),
            "bounced_at": pd.Series(pd.NaT, index=range(size), dtype="datetime64[us, UTC]"),
            "delivered_at": delivered,
            "opened_at": opened,
            "clicked_at": clicked,
            "converted_at": converted,
            "unsubscribed_at": unsubscribed,
            "organic": ~treated,
            "revenue_minor": np.where(bought, rng.integers(500, 20_000, size), 0),
        }
    )
