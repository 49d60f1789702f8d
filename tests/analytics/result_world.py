"""Campaigns of every kind among random people, written as plain outcomes, for tests of results."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from ma.db import bulk
from ma.models import (
    Attribute,
    AttributeValue,
    Campaign,
    CampaignAggregate,
    Customer,
    Outcome,
    Segment,
    Workspace,
)
from ma.services.results import rebuild_results

ZONE = "America/New_York"
NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
AGES = timedelta(days=400)
STEPS = {
    "email": "sent,delivered,opened,clicked,converted,bounced,unsubscribed,complained,organic",
    "sms": "sent,delivered,clicked,converted,bounced,unsubscribed,organic",
    "direct_mail": "sent,converted",
}
# id: (channel, days ago, window in days, cost per thousand, fixed cost, segment, variants)
CAMPAIGNS = {
    1: ("email", 60.0, 14, 4_000, 1_999, 1, "AB"),
    2: ("sms", 40.0, 7, 45_000, 1_500, 2, "A"),
    3: ("direct_mail", 33.2, 30, None, None, None, "A"),
    4: ("email", 5.7, 14, 400, 3_000, 1, "AB"),
    5: ("email", 0.4, 7, 400, 0, 2, "A"),
}
TOTALS_ALONE, WAITING = 6, 7
FIELDS = [
    "country",
    "gender",
    "age",
    "engagement",
    "orders",
    "lifetime_value",
    "city",
    "joined_on",
    "last_order",
    "consent_email",
    "attribute:1",
    "attribute:2",
    "attribute:3",
]


def build(session, *, people=90, seed=1, now=NOW, workspace=True):
    """A workspace with `people` customers, five campaigns to random parts of them, and two without any."""
    chance = np.random.default_rng(seed)
    if workspace:
        session.add(Workspace(id=1, name="Shop", timezone=ZONE, currency="USD", created_at=(now - AGES)))
    for number in (1, 2):
        session.add(
            Segment(
                name=f"Segment {number}",
                name_folded=f"segment {number}",
                rule=None,
                static=True,
                description="",
                created_by="test",
                created_at=(now - AGES),
                updated_at=(now - AGES),
                version=1,
            )
        )
        session.flush()
    _customers(session, now, people, chance)
    _own_fields(session, now, people, chance)
    for number, (channel, ago, window, each, fixed, segment, _) in CAMPAIGNS.items():
        _campaign(session, now, number, channel, ago, window, each, fixed, segment)
    _campaign(session, now, TOTALS_ALONE, "email", 20.0, 14, 1_000, 500, None)
    _campaign(session, now, WAITING, "email", 0.2, 14, 1_000, 700, None)
    session.flush()
    for number, (channel, ago, *_, variants) in CAMPAIGNS.items():
        _outcomes(session, now, number, channel, ago, variants, people, chance)
    session.add(
        CampaignAggregate(
            campaign_id=TOTALS_ALONE,
            sent=1_000,
            bounced=10,
            delivered=990,
            opened=200,
            clicked=30,
            converted=None,
            revenue_minor=0,
        )
    )
    session.flush()
    for number in CAMPAIGNS:
        rebuild_results(session, number)


def _campaign(session, now, number, channel, ago, window, each, fixed, segment):
    at = now - timedelta(days=ago)
    session.add(
        Campaign(
            id=number,
            name=f"Campaign {number}",
            name_folded=f"campaign {number}",
            channel=channel,
            status="running",
            source="simulated",
            segment_id=segment,
            cost_per_thousand_minor=each,
            fixed_cost_minor=fixed,
            conversion_window_days=window,
            steps=STEPS[channel],
            launched_at=at,
            created_by="test",
            created_at=at,
            updated_at=at,
        )
    )


def _some(chance, values, people):
    return [values[i] for i in chance.integers(0, len(values), people)]


def _customers(session, now, people, chance):
    ids = np.arange(1, people + 1)
    cities = _some(chance, ["Köln", "KÖLN", "Paris", "New York", None], people)
    deleted = chance.random(people) < 0.1
    born = [
        None if n < 20 else date(1940 + int(n) % 72, 3, 20 + int(n) % 3 - 1)
        for n in chance.integers(0, 200, people)
    ]
    orders = chance.integers(0, 30, people)
    spent = chance.integers(-500, 700_000, people)
    ordered = [now - timedelta(days=int(n)) if n < 700 else None for n in chance.integers(0, 800, people)]
    frame = pd.DataFrame({"id": ids}).assign(
        first_name=[f"P{i}" for i in ids],
        email=[f"p{i}@example.com" for i in ids],
        email_folded=[f"p{i}@example.com" for i in ids],
        search_text="",
        split_bucket=ids,
        country=_some(chance, ["DE", "US", "FR", None], people),
        gender=_some(chance, ["f", "m", None], people),
        city=cities,
        city_folded=[None if city is None else city.casefold() for city in cities],
        birth_date=born,
        joined_on=[date(2020 + int(n), 12, 31) if n < 6 else None for n in chance.integers(0, 8, people)],
        engagement=[None if n < 0 else float(n) for n in chance.integers(-10, 101, people)],
        orders=orders,
        spend_minor=spent,
        last_order_at=pd.to_datetime(pd.Series(ordered), utc=True),
        visits=0,
        consent_email=chance.random(people) < 0.5,
        consent_sms=True,
        consent_push=True,
        consent_direct_mail=True,
        consent_ads=True,
        created_at=pd.Timestamp(now - AGES),
        updated_at=pd.Timestamp(now - AGES),
        deleted_at=pd.to_datetime(pd.Series([now if gone else None for gone in deleted]), utc=True),
        version=1,
    )
    bulk.insert(session, Customer.__table__, frame)


def _own_fields(session, now, people, chance):
    for number, (name, kind) in enumerate((("Shop", "text"), ("Vip", "yes_no"), ("Points", "number")), 1):
        session.add(
            Attribute(
                id=number,
                name=name,
                name_folded=name.lower(),
                kind=kind,
                choices=[],
                created_by="test",
                created_at=(now - AGES),
            )
        )
    session.flush()
    for customer_id in range(1, people + 1):
        key = {"customer_id": customer_id, "position": 0}
        if chance.random() < 0.6:
            shop = str(chance.choice(["North", "South"]))
            session.add(AttributeValue(attribute_id=1, text=shop, text_folded=shop.lower(), **key))
        if chance.random() < 0.6:
            session.add(AttributeValue(attribute_id=2, flag=bool(chance.random() < 0.5), **key))
        if chance.random() < 0.6:
            session.add(AttributeValue(attribute_id=3, number=float(chance.integers(-5, 3_000)), **key))


def _outcomes(session, now, number, channel, ago, variants, people, chance):
    """Most people, some held out; steps are nested, some conversions are organic, some lie in the future."""
    sees = STEPS[channel].split(",")
    launched = now - timedelta(days=ago)
    rows = []
    for customer_id in range(1, people + 1):
        if chance.random() < 0.2:
            continue
        row = {
            "campaign_id": number,
            "customer_id": customer_id,
            "variant": str(chance.choice(list(variants))),
            "wave": 1,
            "source": "simulated",
            "assigned_at": launched,
            "arm": "treated",
            "organic": False,
            "revenue_minor": 0,
        }
        late = timedelta(hours=float(chance.random() * 60) if ago > 1 else 0.0)
        at = launched + late
        if chance.random() < 0.1:
            row["arm"] = "holdout"
        else:
            row |= _steps(sees, at, chance)
        if "converted_at" not in row and chance.random() < 0.1:
            row |= {"converted_at": at + timedelta(hours=30), "organic": "organic" in sees}
        if "converted_at" in row:
            row["revenue_minor"] = int(chance.integers(1, 9_000))
        rows.append(row)
    frame = pd.DataFrame(rows)
    for name in [column for column in frame if column.endswith("_at")]:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    bulk.insert(session, Outcome.__table__, frame)


def _steps(sees, at, chance):
    times = {"sent_at": at}
    for step, share in (("delivered", 0.9), ("opened", 0.6), ("clicked", 0.5), ("converted", 0.6)):
        if step not in sees:
            continue
        if chance.random() > share:
            break
        at += timedelta(hours=float(chance.exponential(10)))
        times[f"{step}_at"] = at
    if "delivered" in sees and "delivered_at" not in times:
        times["bounced_at"] = at
    return times
