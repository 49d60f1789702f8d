"""Rules for analysts: read, said in English, written as SQL that runs, and asked of a workspace."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import insert

from ma.analytics.catalogue import catalogue
from ma.db import bulk
from ma.db.engine import connect
from ma.errors import InvalidInput, InvalidRule
from ma.models import Campaign, Customer, Outcome, Purchase, PurchaseLine
from ma.notebook import Workbench
from ma.rules import parse
from ma.rules.to_sql import members
from ma.services import attributes, segments
from ma.services.workspace import create_workspace
from ma.settings import ROOT
from ma.text import fold
from ma.types import SYSTEM

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ZONE = "Europe/Berlin"
CITIES = ["O'Brien 50% :x", "Köln", None, "a\\b", "__[SCHEMA_x] %s", '"q" {x}']
MANY = {"field": "orders", "operator": "gte", "value": 3}
BOUGHT = {"event": "purchase", "measure": "count", "operator": "gte", "value": 2}
WINE = {"field": "category", "operator": "eq", "value": "wine"}


@pytest.fixture
def workbench(sqlite_url):
    database = connect(sqlite_url)
    yield filled(database)
    database.close()


def filled(database):
    """Six customers, with orders and one campaign, and a segment of those who ordered much."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone=ZONE, currency="EUR", at=NOW)
        people = pd.DataFrame({"id": range(1, 7), "city": CITIES, "orders": [0, 1, 2, 3, 4, 5]})
        people["city_folded"] = [city and fold(city) for city in CITIES]
        people["spend_minor"] = people["orders"] * 1000
        people = people.assign(
            search_text="", split_bucket=people["id"] * 1111, version=1, created_at=NOW, updated_at=NOW
        )
        for column in Customer.__table__.columns:
            if not column.nullable and column.name not in people:
                people[column.name] = column.default.arg
        bulk.insert(session, Customer.__table__, people)
        orders = pd.DataFrame({"id": range(1, 16), "customer_id": [2, 3, 3, 4, 4, 4, *[5] * 4, *[6] * 5]})
        orders = orders.assign(kind="sale", amount_minor=1000, at=NOW - pd.to_timedelta(orders["id"], "D"))
        bulk.insert(session, Purchase.__table__, orders)
        lines = pd.DataFrame({"purchase_id": range(1, 16), "line": 1, "quantity": 1, "amount_minor": 1000})
        lines["product"] = ["it's", "50%"] * 7 + [None]
        bulk.insert(session, PurchaseLine.__table__, lines)
        row = {"id": 3, "name": "Autumn", "name_folded": "autumn", "channel": "email", "status": "completed"}
        row |= {"source": "simulated", "conversion_window_days": 7, "steps": "sent", "created_by": "me"}
        session.execute(insert(Campaign.__table__).values(**row, created_at=NOW, updated_at=NOW))
        sent = {"campaign_id": 3, "arm": "treated", "variant": "A", "wave": 1, "source": "simulated"}
        sent |= {"assigned_at": NOW - timedelta(days=9), "sent_at": NOW - timedelta(days=9)}
        for customer in (2, 4, 6):
            step = {"opened_at": NOW - timedelta(days=8)} if customer > 2 else {}
            session.execute(insert(Outcome.__table__).values(customer_id=customer, **sent, **step))
        segments.create_segment(session, SYSTEM, name="Loyal", rule=MANY, at=NOW)
        points = attributes.define_attribute(session, SYSTEM, name="Points", kind="number", at=NOW)
        attributes.set_values(session, SYSTEM, 4, {points: 12.5}, at=NOW)
    return Workbench(database)


RULES = [
    ({"field": "city", "operator": "contains", "value": "o'brien 50%"}, {1}),
    (
        {"field": "city", "operator": "in", "value": ["__[schema_x] %s", "a\\b", "KÖLN", '"Q" {X}', ":x"]},
        {2, 4, 5, 6},
    ),
    ({"field": "attribute:1", "operator": "between", "value": [12, 13]}, {4}),
    ({"field": "last_order", "operator": "in_last", "value": 3, "unit": "month"}, set()),
    (
        {
            "event": "purchase",
            "where": {"field": "product", "operator": "in", "value": ["it's", "50%"]},
            "measure": "sum",
            "operator": "gt",
            "value": 1500,
            "within": {"last": 9, "unit": "day"},
        },
        {3, 4, 5},
    ),
    ({"campaign": 3, "did": "opened", "within": {"from": "2026-11-14", "to": "2026-11-14"}}, {4, 6}),
    ({"all": [{"in_segment": 1}, {"not": {"campaign": {"channel": "email"}, "did": "was_sent"}}]}, {5}),
    ({"any": [{"random": "it's 50%", "from": 0, "to": 99.99}, MANY]}, {1, 2, 3, 4, 5, 6}),
]


def test_the_sql_text_runs_by_itself_and_chooses_the_same_people(database):
    workbench = filled(database)
    for rule, chosen in RULES:
        runs_by_itself(database, workbench, rule, chosen)


def runs_by_itself(database, workbench, rule, chosen):
    with database.reading() as session:
        known = parse(rule, catalogue(session))
        select = members(known.node, as_of=NOW, timezone=ZONE, catalogue=known.catalogue)
        written = known.to_sql(session.bind.dialect.name, as_of=NOW, timezone=ZONE)
        assert set(session.scalars(select)) == chosen
        # As a text without parameters goes to the driver: nothing in it is formatted or bound again.
        cursor = session.connection().connection.cursor()
        cursor.execute(written)
        assert {row[0] for row in cursor.fetchall()} == chosen
    assert written.startswith(("SELECT ", "WITH "))
    asked = workbench.rule(rule)
    assert asked.to_sql(as_of=NOW) == written
    assert set(asked.members(as_of=NOW)["customer_id"]) == chosen
    assert asked.count(as_of=NOW) == len(chosen)


def test_postgresql_groups_events_in_the_order_of_their_customers(database):
    """No hash table: of two million customers it took twice as long as the index (bench/segments.py)."""
    filled(database)
    dialect = database.engine.dialect.name
    rule = {"event": "purchase", "operator": "gte", "value": 2, "within": {"last": 400, "unit": "day"}}
    for measure in ("count", "sum", "avg", "min", "max", "days_since_last", "days_since_first"):
        written = parse(rule | {"measure": measure}).to_sql(dialect, as_of=NOW, timezone=ZONE)
        if dialect == "sqlite":
            assert "ORDER BY" not in written
            continue
        with database.reading() as session:
            cursor = session.connection().connection.cursor()
            # A table as small as this would be sorted at once, without the index.
            cursor.execute("SET LOCAL enable_sort = off")
            plan = "\n".join(line for (line,) in cursor.execute(f"EXPLAIN {written}").fetchall())
        assert "GroupAggregate" in plan, (measure, plan)


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("outcome", {"campaign": "any", "did": "converted"}),
        ("outcome", {"campaign": 1, "did": "clicked", "within": {"last": 400, "unit": "day"}}),
        ("purchase", BOUGHT | {"within": {"last": 400, "unit": "day"}}),
        ("purchase", BOUGHT | {"within": {"last": 400, "unit": "day"}, "where": WINE}),
    ],
)
def test_rules_on_orders_and_campaigns_find_all_they_read_in_an_index(database, table, rule):
    """Who was read row by row took three times as long at two million customers (bench/segments.py)."""
    filled(database)
    dialect = database.engine.dialect.name
    written = parse(rule).to_sql(dialect, as_of=NOW, timezone=ZONE)
    with database.reading() as session:
        cursor = session.connection().connection.cursor()
        if dialect == "sqlite":
            plan = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {written}").fetchall()]
            read = [line for line in plan if re.search(rf" {table}_1\b", line)]
            assert read, plan
            # Of few lines it takes the orders one by one.
            assert all(re.search("COVERING INDEX|INTEGER PRIMARY KEY", line) for line in read), plan
            return
        # Tables as small as these would be read as they are.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = [line for (line,) in cursor.execute(f"EXPLAIN {written}").fetchall()]
    for read in (table, "customer"):
        lines = [line for line in plan if re.search(rf" on {read}\b", line)]
        assert lines, plan
        assert all("Index Only Scan" in line for line in lines), plan


def test_a_rule_says_itself():
    rule = parse(json.dumps(MANY))
    assert rule.json() == MANY
    assert rule.english() == "Customers where number of orders is at least 3."
    sql = {dialect: rule.to_sql(dialect, as_of=NOW, timezone=ZONE) for dialect in ("sqlite", "postgresql")}
    assert "FROM customer" in sql["sqlite"]
    assert "FROM ma.customer" in sql["postgresql"]
    assert all("orders >= 3" in text for text in sql.values())
    assert rule == parse(rule.json())
    with pytest.raises(InvalidInput, match="Use one of sqlite, postgresql"):
        rule.to_sql("oracle", as_of=NOW, timezone=ZONE)
    with pytest.raises(InvalidRule, match="Did you mean 'orders'"):
        parse(MANY | {"field": "order"})


def test_values_of_every_kind_stand_in_the_text():
    conditions = [
        {"field": "birth_date", "operator": "between", "value": ["1990-01-31", "1990-02-01"]},
        {"field": "last_order", "operator": "before", "value": "2026-01-31"},
        {"field": "engagement", "operator": "lt", "value": 62.5},
        {"field": "consent_sms", "operator": "eq", "value": True},
        {"field": "age", "operator": "in", "value": [30, 31, 40]},
        {"field": "country", "operator": "in", "value": ["DE", "it's"]},
    ]
    for dialect in ("sqlite", "postgresql"):
        text = parse({"all": conditions}).to_sql(dialect, as_of=NOW, timezone=ZONE)
        assert "1990-01-31" in text
        assert "62.5" in text
        assert "'it''s'" in text
        assert "POSTCOMPILE" not in text
        assert not [
            word for word in text.replace("(", " ").replace("::", " ").split() if word.startswith(":")
        ]


def test_a_past_instant_can_be_asked_for(workbench):
    recent = workbench.rule(
        {
            "event": "purchase",
            "measure": "count",
            "operator": "gte",
            "value": 1,
            "within": {"last": 3, "unit": "day"},
        }
    )
    assert list(recent.members(as_of=NOW)["customer_id"]) == [2, 3]
    assert recent.count(as_of=NOW - timedelta(days=12)) == 1
    assert recent.present_values == []
    with_list = workbench.rule({"all": [{"in_segment": 1}, MANY | {"field": "attribute:1"}]})
    assert with_list.present_values == ["Points", "number of orders"]


def test_a_rule_of_a_workspace_is_explained(workbench):
    rule = workbench.rule({"all": [MANY, {"field": "city", "operator": "is_set"}]})
    explained = rule.explain(as_of=NOW)
    assert (explained.total, explained.everybody) == (3, 6)
    assert list(explained.effects["own"]) == [3, 5]
    assert rule.english() == "Customers where number of orders is at least 3, and city is known."
    assert rule.count() == 3


def test_what_a_workspace_does_not_have_is_refused(workbench):
    with pytest.raises(InvalidRule, match=r"Unknown campaign 4 in campaign\. .* Use 3 \(Autumn\)"):
        workbench.rule({"campaign": 4, "did": "opened"})


def test_the_package_itself_imports_nothing():
    code = (
        "import sys, ma.rules; print([m for m in sys.modules if m.startswith(('sqlalchemy', 'ma.rules.'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"
