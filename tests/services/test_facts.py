"""Importing purchases and behaviour, on both engines."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from sqlalchemy import func, select

from ma.errors import InvalidInput, NotAllowed
from ma.models import Audit, BehaviourEvent, Category, Purchase, PurchaseLine
from ma.services.customers import create_customer, import_customers
from ma.services.facts import import_behaviour, import_purchases
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TIMES = pd.to_datetime(
    ["2026-03-01 10:00:00.123456", "2026-03-02 11:00", "2026-03-03 12:00"], format="ISO8601", utc=True
)


@pytest.fixture
def ids(database) -> list[int]:
    with database.writing() as session:
        frame = pd.DataFrame({"first_name": ["Anna", "Bea"]})
        return import_customers(session, SYSTEM, frame, source="test", at=AT).tolist()


def orders(ids) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "external_key": ["B1", "B2", "B3"],
            "customer_id": [ids[0], None, ids[1]],
            "kind": ["sale", "sale", "refund"],
            "at": TIMES,
            "amount_minor": [350, 100, -50],
        }
    )


def lines() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "external_key": ["B3", "B1", "B1", "B2"],
            "category": pd.Categorical(["Wine", "WINE", "Café", None]),
            "quantity": [1, 2, 1, 1],
            "amount_minor": [-50, 300, 50, 100],
        }
    )


def load(database, purchases, lines, actor=SYSTEM) -> int:
    with database.writing() as session:
        return import_purchases(session, actor, purchases, lines, source="test", at=AT)


def test_orders_and_their_lines_are_stored(database, ids):
    assert load(database, orders(ids), lines()) == 3
    with database.reading() as session:
        stored = session.execute(
            select(
                Purchase.external_key, Purchase.customer_id, Purchase.kind, Purchase.at, Purchase.amount_minor
            ).order_by(Purchase.id)
        ).all()
        parts = session.execute(
            select(Purchase.external_key, PurchaseLine.line, Category.name_folded, PurchaseLine.quantity,
                   PurchaseLine.amount_minor)
            .join(Purchase, Purchase.id == PurchaseLine.purchase_id)
            .outerjoin(Category, Category.id == PurchaseLine.category_id)
            .order_by(Purchase.external_key, PurchaseLine.line)
        ).all()  # fmt: skip
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.noun == "purchase")) == 1
    assert [tuple(order) for order in stored] == [
        ("B1", ids[0], "sale", TIMES[0].to_pydatetime(), 350),
        ("B2", None, "sale", TIMES[1].to_pydatetime(), 100),
        ("B3", ids[1], "refund", TIMES[2].to_pydatetime(), -50),
    ]
    assert [tuple(part) for part in parts] == [
        ("B1", 1, "wine", 2, 300),
        ("B1", 2, "café", 1, 50),
        ("B2", 1, None, 1, 100),
        ("B3", 1, "wine", 1, -50),
    ]


def test_a_category_is_kept_once_over_imports(database, ids):
    load(database, orders(ids), lines())
    load(
        database,
        orders(ids).assign(external_key=["C1", "C2", "C3"]),
        lines().assign(external_key=["C3", "C1", "C1", "C2"], category=["wine", "Bread", "CAFÉ", "wine"]),
    )
    with database.reading() as session:
        names = session.scalars(select(Category.name_folded).order_by(Category.name_folded)).all()
        assert session.scalar(select(func.count()).select_from(PurchaseLine)) == 8
    assert names == ["bread", "café", "wine"]


def test_rows_written_one_by_one_follow_an_import(database, ids):
    load(database, orders(ids), lines())
    with database.writing() as session:
        session.add(Purchase(kind="sale", at=AT, amount_minor=1))
        assert create_customer(session, SYSTEM, at=AT, first_name="Cleo") not in ids


def test_what_is_wrong_is_named_at_once_and_nothing_is_stored(database, ids):
    load(database, orders(ids), lines())
    wrong = orders(ids).assign(
        external_key=["B1", "D1", "D1"],
        customer_id=[ids[0], 999_999, None],
        kind="gift",
        at=TIMES.tz_localize(None),
        amount_minor=[1.5, 2.0, 3.0],
    )
    with pytest.raises(InvalidInput) as refused:
        load(database, wrong, lines())
    problems = refused.value.problems
    assert set(problems) == {"external_key", "customer_id", "kind", "at", "amount_minor"}
    assert problems["external_key"].startswith("2 rows (1, 3)")
    assert problems["customer_id"].startswith("Row 2 ")
    with pytest.raises(InvalidInput, match="belongs to no order"):
        load(database, orders(ids).assign(external_key=["E1", "E2", "E3"]), lines())
    with pytest.raises(InvalidInput, match="category"):
        load(database, orders(ids), lines().drop(columns="category"))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Purchase)) == 3


def test_visits_are_stored(database, ids):
    visits = pd.DataFrame(
        {
            "customer_id": [ids[1], ids[0], ids[0]],
            "kind": "visit",
            "at": TIMES,
            "page": pd.Categorical(["home", "cart", None]),
            "device": ["mobile", None, "desktop"],
        }
    )
    with database.writing() as session:
        assert import_behaviour(session, SYSTEM, visits, source="test", at=AT) == 3
    with database.reading() as session:
        stored = session.execute(
            select(
                BehaviourEvent.customer_id, BehaviourEvent.at, BehaviourEvent.page, BehaviourEvent.device
            ).order_by(BehaviourEvent.at)
        ).all()
    assert [tuple(v) for v in stored] == [
        (ids[1], TIMES[0].to_pydatetime(), "home", "mobile"),
        (ids[0], TIMES[1].to_pydatetime(), "cart", None),
        (ids[0], TIMES[2].to_pydatetime(), None, "desktop"),
    ]


def test_a_visit_of_nobody_is_refused(database, ids):
    visits = pd.DataFrame({"customer_id": [ids[0], -1, None], "kind": "visit", "at": TIMES})
    unknown = pytest.raises(InvalidInput, match=r"2 rows \(2, 3\): each belongs to no customer")
    with unknown, database.writing() as session:
        import_behaviour(session, SYSTEM, visits, source="test", at=AT)


def test_an_analyst_may_not_import(database, ids):
    analyst = Actor(username="ann", role=Role.ANALYST)
    with pytest.raises(NotAllowed):
        load(database, orders(ids), lines(), actor=analyst)
