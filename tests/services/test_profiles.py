"""Profile figures are what a hand calculation and pandas make of the same facts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, select

from ma.db import bulk
from ma.models import BehaviourEvent, Campaign, Category, Customer, Outcome, Purchase, PurchaseLine
from ma.services.profiles import rebuild_profiles

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DERIVED = (
    "orders",
    "spend_minor",
    "average_order_minor",
    "first_order_at",
    "last_order_at",
    "favourite_category",
    "visits",
    "last_visit_at",
    "engagement",
    "profiled_at",
)


def ago(days):
    return NOW - timedelta(days=days)


def add(session, model, rows):
    bulk.insert(session, model.__table__, pd.DataFrame(rows))


def add_customers(session, ids, **values):
    base = {"search_text": "", "split_bucket": 0, "orders": 0, "spend_minor": 0, "visits": 0}
    base |= {f"consent_{channel}": False for channel in ("email", "sms", "push", "direct_mail")}
    add(
        session,
        Customer,
        [
            base | {"id": i, "created_at": ago(400), "updated_at": ago(400), "version": 1} | values
            for i in ids
        ],
    )


def add_campaign(session):
    session.execute(
        insert(Campaign.__table__).values(
            id=1, name="Old", name_folded="old", objective="", channel="email", status="completed",
            source="imported", subject="", body="", conversion_window_days=7, holdout_share=0.0, waves=1,
            steps="sent", waves_sent=1, created_by="x", created_at=NOW, updated_at=NOW, version=1,
        )
    )  # fmt: skip


def profile(session, customer_id):
    table = Customer.__table__
    row = session.execute(select(table).where(table.c.id == customer_id)).one()
    return {name: getattr(row, name) for name in DERIVED}


def test_figures_are_those_of_a_hand_calculation(database):
    with database.writing() as session:
        add_customers(session, [1])
        session.execute(
            insert(Category), [{"id": i, "name": n, "name_folded": n.lower()} for i, n in CATEGORIES]
        )
        orders = [(1, "sale", 10, 1001), (2, "sale", 40, 2000), (3, "refund", 5, -500), (4, "sale", 80, 500)]
        add(
            session,
            Purchase,
            [
                {"id": i, "customer_id": 1, "kind": kind, "at": ago(days), "amount_minor": amount}
                for i, kind, days, amount in [*orders, (5, "sale", -1, 99_999)]  # the last is still to come
            ],
        )
        lines = [
            (1, 1, 1, 1001),
            (2, 1, 2, 1500),
            (2, 2, 3, 500),
            (3, 1, 2, -500),
            (4, 1, 3, 500),
            (5, 1, 3, 99_999),
        ]
        add(
            session,
            PurchaseLine,
            [
                {"purchase_id": p, "line": n, "category_id": c, "quantity": 1, "amount_minor": a}
                for p, n, c, a in lines
            ],
        )
        visits = [("visit", 1), ("visit", 35), ("visit", 100), ("download", 1), ("visit", -2)]
        add(
            session,
            BehaviourEvent,
            [{"id": i, "customer_id": 1, "kind": k, "at": ago(d)} for i, (k, d) in enumerate(visits, 1)],
        )
        add_campaign(session)
        opened = {"opened_at": ago(29), "clicked_at": ago(28), "sent_at": ago(30), "assigned_at": ago(30)}
        add(
            session,
            Outcome,
            [
                {"campaign_id": 1, "customer_id": 1, "arm": "treated", "variant": "A", "wave": 1}
                | {"source": "imported", "organic": False, "revenue_minor": 0}
                | opened
            ],
        )
        assert rebuild_profiles(session, as_of=NOW) == 1
        found = profile(session, 1)
    # Dairy 1001, Bread 1500 - 500 = 1000, Wine 500 + 500 = 1000.
    # Purchases 1 + 1/2 + 1/4 = 1.75 of 5.75, visits 1 + 1/2 = 1.5 of 5.5, messages 1 + 2 = 3 of 5.
    # 50 x 0.304348 + 25 x 0.272727 + 25 x 0.6 = 15.2174 + 6.8182 + 15 = 37.0356
    assert found == {
        "orders": 3,
        "spend_minor": 3001,
        "average_order_minor": 1167,
        "first_order_at": ago(80),
        "last_order_at": ago(10),
        "favourite_category": "Dairy",
        "visits": 3,
        "last_visit_at": ago(1),
        "engagement": 37.0,
        "profiled_at": NOW,
    }


CATEGORIES = [(1, "Dairy"), (2, "Bread"), (3, "Wine")]


def test_customers_without_facts_have_zeros_and_unknowns_and_old_figures_go(database):
    with database.writing() as session:
        add_customers(session, [1], orders=9, spend_minor=9, favourite_category="Gone", engagement=99.0)
        rebuild_profiles(session, as_of=NOW)
        found = profile(session, 1)
    assert found == dict.fromkeys(DERIVED) | {
        "orders": 0,
        "spend_minor": 0,
        "visits": 0,
        "engagement": 0.0,
        "profiled_at": NOW,
    }


def test_ties_between_categories_go_by_name_and_deleted_customers_stay(database):
    with database.writing() as session:
        add_customers(session, [1])
        add_customers(session, [2], deleted_at=ago(1))
        session.execute(
            insert(Category), [{"id": i, "name": n, "name_folded": n.lower()} for i, n in CATEGORIES]
        )
        add(
            session,
            Purchase,
            [{"id": i, "customer_id": i, "kind": "sale", "at": ago(3), "amount_minor": 20} for i in (1, 2)],
        )
        add(
            session,
            PurchaseLine,
            [
                {"purchase_id": 1, "line": c, "category_id": c, "quantity": 1, "amount_minor": 10}
                for c in (1, 2)
            ],
        )
        assert rebuild_profiles(session, as_of=NOW) == 1
        assert profile(session, 1)["favourite_category"] == "Bread"
        assert profile(session, 2)["profiled_at"] is None


@pytest.mark.parametrize("chosen", [None, range(20, 40), [3, 50, 51]])
def test_figures_equal_those_of_pandas(database, chosen):
    rng, people = np.random.default_rng(4), 60
    with database.writing() as session:
        add_customers(session, range(1, people + 1))
        names = [f"C{i:02}" for i in range(1, 8)]
        session.execute(
            insert(Category), [{"id": i, "name": n, "name_folded": n} for i, n in enumerate(names, 1)]
        )
        orders, lines, visits, outcomes = world(rng, people)
        for model, frame in [(Purchase, orders), (PurchaseLine, lines), (BehaviourEvent, visits)]:
            bulk.insert(session, model.__table__, frame)
        add_campaign(session)
        bulk.insert(session, Outcome.__table__, outcomes)
        ids = list(range(1, people + 1)) if chosen is None else list(chosen)
        assert rebuild_profiles(session, as_of=NOW, customer_ids=chosen) == len(ids)
        table = Customer.__table__
        columns = [table.c[name] for name in ("id", *DERIVED)]
        rows = session.execute(
            select(*columns).where(table.c.profiled_at.is_not(None)).order_by(table.c.id)
        ).all()
    found = pd.DataFrame(rows, columns=["id", *DERIVED]).set_index("id")
    expected = by_pandas(orders, lines, visits, outcomes, names).loc[ids]
    assert found.index.tolist() == ids
    for name in DERIVED[:-2]:
        for got, wanted in zip(found[name], expected[name], strict=True):
            assert (pd.isna(got) and pd.isna(wanted)) or got == wanted, name
    assert np.allclose(found["engagement"], expected["engagement"], atol=0.0501)


def world(rng, people):
    """Random facts, some of them after NOW; a third of the people have none of a kind."""

    def times(count):
        return pd.to_datetime(NOW) - pd.to_timedelta(rng.integers(-5 * 86_400, 200 * 86_400, count), unit="s")

    count = 400
    kinds = rng.choice(["sale", "refund"], count, p=[0.9, 0.1])
    orders = pd.DataFrame(
        {
            "id": np.arange(1, count + 1),
            "customer_id": pd.array(rng.integers(1, people * 2 // 3, count), dtype="Int64"),
            "kind": kinds,
            "at": times(count),
            "amount_minor": rng.integers(1, 9_999, count) * np.where(kinds == "sale", 1, -1),
        }
    )
    orders.loc[::29, "customer_id"] = pd.NA
    lines = pd.DataFrame({"purchase_id": orders["id"].repeat(2).to_numpy(), "line": np.tile([1, 2], count)})
    lines["category_id"] = pd.array(rng.integers(1, 8, 2 * count), dtype="Int64")
    lines.loc[::17, "category_id"] = pd.NA
    lines["quantity"] = 1
    half = orders["amount_minor"].to_numpy() // 2
    lines["amount_minor"] = np.column_stack([half, orders["amount_minor"] - half]).ravel()
    visits = pd.DataFrame({"id": np.arange(1, 301), "customer_id": rng.integers(20, people, 300)})
    visits = visits.assign(kind=rng.choice(["visit", "call"], 300, p=[0.8, 0.2]), at=times(300))
    sent = pd.to_datetime(NOW) - pd.to_timedelta(rng.integers(0, 120, 40), unit="D")
    outcomes = pd.DataFrame(
        {"campaign_id": 1, "customer_id": np.arange(11, 51), "arm": "treated", "variant": "A"}
    )
    outcomes = outcomes.assign(wave=1, source="imported", assigned_at=sent, sent_at=sent)
    outcomes["opened_at"] = (sent + pd.Timedelta(days=2)).where(rng.random(40) < 0.6)
    outcomes["clicked_at"] = (outcomes["opened_at"] + pd.Timedelta(days=1)).where(rng.random(40) < 0.5)
    return orders, lines, visits, outcomes.assign(organic=False, revenue_minor=0)


def by_pandas(orders, lines, visits, outcomes, names):
    people = pd.RangeIndex(1, 61, name="customer_id")
    orders = orders[(orders["at"] <= NOW) & orders["customer_id"].notna()]
    sales, visits = (
        orders[orders["kind"] == "sale"],
        visits[(visits["at"] <= NOW) & (visits["kind"] == "visit")],
    )
    frame = pd.DataFrame(index=people)
    frame["orders"] = sales.groupby("customer_id").size()
    frame["spend_minor"] = orders.groupby("customer_id")["amount_minor"].sum()
    mean = sales.groupby("customer_id")["amount_minor"].mean()
    frame["average_order_minor"] = np.floor(mean.astype(float) + 0.5)
    frame["first_order_at"] = sales.groupby("customer_id")["at"].min()
    frame["last_order_at"] = sales.groupby("customer_id")["at"].max()
    joined = lines.dropna(subset="category_id").merge(orders, left_on="purchase_id", right_on="id")
    spend = joined.groupby(["customer_id", "category_id"])["amount_minor_x"].sum().reset_index()
    spend = spend[spend["amount_minor_x"] > 0].sort_values(
        ["amount_minor_x", "category_id"], ascending=[False, True]
    )
    first = spend.drop_duplicates("customer_id").set_index("customer_id")["category_id"]
    frame["favourite_category"] = first.map(lambda i: names[i - 1])
    frame["visits"] = visits.groupby("customer_id").size()
    frame["last_visit_at"] = visits.groupby("customer_id")["at"].max()
    frame[["orders", "spend_minor", "visits"]] = (
        frame[["orders", "spend_minor", "visits"]].fillna(0).astype(int)
    )

    def weighted(facts, at):
        days = (pd.to_datetime(NOW) - facts[at]) / pd.Timedelta(days=1)
        weights = np.select([days < 0, days < 30, days < 60, days < 90], [0, 1, 0.5, 0.25], 0.0)
        total = pd.Series(weights, facts["customer_id"].to_numpy()).groupby(level=0).sum()
        return total.reindex(people, fill_value=0.0)

    messages = weighted(outcomes, "opened_at") + 2 * weighted(outcomes, "clicked_at")
    buys, seen = weighted(sales, "at"), weighted(visits, "at")
    score = 50 * buys / (buys + 4) + 25 * seen / (seen + 4) + 25 * messages / (messages + 2)
    return frame.assign(engagement=score)
