"""Customers of every kind of contactability, with orders by category and campaigns that had a cost."""

from datetime import timedelta

import numpy as np
import pandas as pd
from sqlalchemy import bindparam, insert, select, update

from ma.db import bulk
from ma.models import Campaign, Category, Customer, Outcome, Purchase, PurchaseLine
from ma.services.launches import launch_campaign
from ma.services.segments import refresh_segment
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft

PEOPLE = 240
CATEGORIES = ("Bread", "Cheese", "Wine", "Soap", "Never")


def build(session, people=PEOPLE, *, seed=5, sent=True):
    """Launched: e-mail and SMS with a cost; three newsletters within the week to some.

    `sent`: False leaves it at campaigns that count as launched, which is quick.
    """
    world.build(session, people)
    rng = np.random.default_rng(seed)
    _people(session, rng, people)
    orders(session, rng, people)
    refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW - days(45))
    for name, channel, cost, when in (
        ("Old letter", Channel.EMAIL, 900, 42),
        ("Letter", Channel.EMAIL, 400, 40),
        ("Text", Channel.SMS, 4_500, 35),
        *((f"News {n}", Channel.EMAIL, None, n) for n in (1, 2, 3)),
    ):
        each = draft(session, name=name, channel=channel, cost_per_thousand_minor=cost, fixed_cost_minor=0,
                     budget_minor=None, holdout_share=0.3 if cost is None else 0.0)  # fmt: skip
        if sent:
            launch_campaign(session, SYSTEM, each, at=NOW - days(when), seed=when)
        else:
            launched = {"launched_at": NOW - days(when), "status": "completed", "source": "simulated"}
            session.execute(update(Campaign).where(Campaign.id == each).values(**launched))
    # Some more closed a channel, one of them only tomorrow.
    table = Outcome.__table__
    for customer, column, at in (
        (3, "unsubscribed_at", NOW - days(1)), (4, "complained_at", NOW - days(1)),
        (5, "bounced_at", NOW - days(1)), (6, "unsubscribed_at", NOW + days(1)),
    ):  # fmt: skip
        session.execute(
            update(table).where(table.c.customer_id == customer, table.c.sent_at < NOW).values({column: at})
        )


def _people(session, rng, people):
    table = Customer.__table__
    values = []
    for i in range(1, people + 1):
        consents = {f"consent_{channel}": bool(rng.random() < 0.7) for channel in Channel}
        gone = i % 23 == 0
        bought = rng.random() < 0.85
        values.append(
            consents
            | {
                "b_id": i,
                "email": None if i % 11 == 0 else f"p{i}@example.com",
                "phone": "" if i % 7 == 0 else "+1 513 555 0100",
                "engagement": None if i % 13 == 0 else float(rng.integers(0, 1001)) / 10,
                "orders": int(rng.integers(1, 40)) if bought else 0,
                "spend_minor": int(rng.integers(0, 400_000)) if bought else 0,
                "last_order_at": NOW - days(int(rng.integers(0, 200))) if bought else None,
                "first_order_at": NOW - days(250) if bought else None,
                "favourite_category": "Bread" if bought else None,
                "deleted_at": NOW - days(2) if gone else None,
            }
        )
    names = [name for name in values[0] if name != "b_id"]
    session.connection().execute(
        update(table).where(table.c.id == bindparam("b_id")).values({n: bindparam(n) for n in names}), values
    )


def orders(session, rng, people):
    """Bread in most baskets, cheese and wine often with the same people, soap with nothing."""
    rows = [{"id": n, "name": name, "name_folded": name.lower()} for n, name in enumerate(CATEGORIES, 1)]
    session.execute(insert(Category), rows)
    sales, lines, purchase = [], [], 0
    for customer in range(1, people + 1):
        gourmet = rng.random() < 0.4
        for _ in range(int(rng.integers(1, 9))):
            purchase += 1
            old = rng.random() < 0.1
            sales.append((purchase, customer, NOW - days(int(rng.integers(1, 360)) + (370 if old else 0)),
                          "refund" if rng.random() < 0.05 else "sale"))  # fmt: skip
            chances = (0.8, 0.5 if gourmet else 0.05, 0.4 if gourmet else 0.04, 0.3)
            bought = [n for n, chance in enumerate(chances, 1) if rng.random() < chance] or [1]
            lines += [
                (purchase, line, n, f"{CATEGORIES[n - 1]} {customer % 3}") for line, n in enumerate(bought)
            ]
    frame = pd.DataFrame(sales, columns=["id", "customer_id", "at", "kind"])
    bulk.insert(
        session,
        Purchase.__table__,
        frame.assign(at=pd.to_datetime(frame["at"], utc=True), amount_minor=1_000),
    )
    frame = pd.DataFrame(lines, columns=["purchase_id", "line", "category_id", "product"])
    bulk.insert(session, PurchaseLine.__table__, frame.assign(quantity=1, amount_minor=500))


def bought(session, *, at=NOW, column="category_id"):
    """What each customer bought in a year, from the tables, with pandas instead of SQL."""
    rows = _read(session, PurchaseLine.__table__).merge(
        _read(session, Purchase.__table__), left_on="purchase_id", right_on="id"
    )
    gone = set(session.scalars(select(Customer.id).where(Customer.deleted_at.is_not(None))))
    when = pd.to_datetime(rows["at"], utc=True)
    rows = rows[
        (rows["kind"] == "sale")
        & (when > at - timedelta(days=365))
        & (when <= at)
        & ~rows["customer_id"].isin(gone)
    ]
    item = rows[column] if column == "product" else rows[column].map(dict(enumerate(CATEGORIES, 1)))
    recent = pd.to_datetime(rows["at"], utc=True) > at - timedelta(days=90)
    return pd.DataFrame({"customer_id": rows["customer_id"], "item": item, "recent": recent})


def _read(session, table):
    return pd.DataFrame(session.execute(select(table)).all(), columns=list(table.c.keys()))
