"""Results by score: each group has the people that its rule chooses, unknown ones included."""

import pandas as pd
import pytest
from sqlalchemy import func, insert, select

from ma.analytics import segments
from ma.analytics.breakdown import breakdown, dimensions
from ma.analytics.cohorts import cohorts
from ma.analytics.profile_groups import grouping
from ma.db import bulk
from ma.errors import InvalidInput
from ma.models import Customer, CustomerScore, ValueModel
from ma.rules.fields import FIELDS
from tests.analytics import result_world
from tests.analytics import value_world as world
from tests.analytics.result_world import NOW

SCORES = [name for name, field in FIELDS.items() if field.column.class_ is CustomerScore]
PEOPLE = 90
# The chances and numbers of people 1, 2, 3 … in turn: ends of ranges, and unknown.
CHANCES = [0.0, 0.2, 0.1999999, 0.8, 1.0, None, 0.5]
ORDERS = [0.0, 0.5, 1.0, 26.5, None, 25.0]
VALUES = [0, 2_499, 2_500, 10**9, None]


def score(session, people):
    """Scores of everybody but every tenth, and none of a model of every seventh."""
    rows = []
    for i in range(1, people + 1):
        known = i % 7 != 0
        rows.append(
            {
                "customer_id": i,
                "rfm_segment": ["Champions", "At risk", None][i % 3],
                "recency_score": i % 5 + 1,
                "frequency_score": i % 4 + 1,
                "monetary_score": i % 5 + 1 if i % 6 else None,
                "churn_risk": CHANCES[i % len(CHANCES)] if known else None,
                "order_chance": CHANCES[-i % len(CHANCES)] if known else None,
                "expected_orders": ORDERS[i % len(ORDERS)] if known else None,
                "expected_value_minor": VALUES[i % len(VALUES)] if known else None,
                "next_channel": ["email", "sms", None][i % 3],
                "next_offer": ["Wine", None][i % 2],
            }
        )
    frame = pd.DataFrame([row for row in rows if row["customer_id"] % 10])
    whole = ["recency_score", "frequency_score", "monetary_score", "expected_value_minor"]
    model = {"as_of": NOW, "status": "good", "problems": [], "customers": 0, "repeat_customers": 0}
    model |= {"parameters": {}, "figures": {}, "duration_ms": 1, "created_by": "test"}
    session.execute(insert(ValueModel.__table__).values(id=1, **model))
    frame = frame.astype(dict.fromkeys(whole, "Int64")).assign(model_id=1, scored_at=pd.Timestamp(NOW))
    bulk.insert(session, CustomerScore.__table__, frame)


@pytest.fixture
def shop(database):
    with database.writing() as session:
        world.build(session, PEOPLE, deleted=[5])
        score(session, PEOPLE)
    return database


def test_every_score_parts_everybody_and_its_rules_choose_the_parts(shop):
    with shop.reading() as session:
        everybody = session.scalar(select(func.count()).where(Customer.deleted_at.is_(None)))
        assert len(SCORES) == 10
        assert set(SCORES) < set(dimensions(session))
        for name in SCORES:
            groups = grouping(session, name, as_of=NOW)
            rows = groups.of_customers.where(Customer.deleted_at.is_(None)).subquery()
            query = select(rows.c.key, func.count()).group_by(rows.c.key)
            counted = {groups.value(key): people for key, people in session.execute(query)}
            for value, people in counted.items():
                assert segments.count(session, groups.rule(value), as_of=NOW) == people, (name, value)
            assert sum(counted.values()) == everybody, name
            assert counted[""] >= everybody // 10 - 1, name
            assert len(counted) > 2 or name == "next_offer", name


def test_results_by_a_score_add_up_to_the_whole(database):
    with database.writing() as session:
        result_world.build(session, people=60)
        score(session, 60)
        whole = breakdown(session, as_of=NOW, by="channel")["sent"].sum()
        # A choice, a chance and a score: one of each kind.
        for name in ("rfm_segment", "churn_risk", "recency_score"):
            frame = breakdown(session, as_of=NOW, by=name)
            assert frame["sent"].sum() == whole > 0, name
            assert len(frame) > 3, name


def test_the_groups_of_scores_read_like_scores(shop):
    labels = {
        "churn_risk": ["Below 20 %", "20 % to below 40 %", "40 % to below 60 %", "80 % or more", "Unknown"],
        "recency_score": ["1", "2", "3", "4", "5", "Unknown"],
        "frequency_score": ["1", "2", "3", "4", "Unknown"],
        "expected_orders": ["Below 0.5", "0.5 to below 1", "1 to below 2", "25 or more", "Unknown"],
        "expected_value": ["Below $25.00", "$25.00 to below $50.00", "$5,000.00 or more", "Unknown"],
        "rfm_segment": ["At risk", "Champions", "Unknown"],
    }
    with shop.reading() as session:
        for name, expected in labels.items():
            groups = grouping(session, name, as_of=NOW)
            found = session.scalars(select(groups.of_customers.subquery().c.key).distinct()).all()
            values = {groups.value(key) for key in found}
            told = sorted(values, key=lambda value, groups=groups: (groups.place(value), groups.label(value)))
            assert [groups.label(value).replace("\N{NO-BREAK SPACE}", " ") for value in told] == expected


@pytest.mark.parametrize("value", ["0.2", "a..b", "..", "0.2..x", "nan..inf", "1e-1..1"])
def test_what_is_no_range_of_chances_is_refused(shop, value):
    with shop.reading() as session, pytest.raises(InvalidInput, match="churn risk"):
        grouping(session, "churn_risk", as_of=NOW).rule(value)


def test_half_an_order_is_no_range_of_whole_numbers(shop):
    with shop.reading() as session, pytest.raises(InvalidInput, match="number of orders"):
        grouping(session, "orders", as_of=NOW).rule("0.5..2")


def test_cohorts_are_filtered_by_a_score(database):
    with database.writing() as session:
        world.build(session, PEOPLE)
        world.sell(session, world.simulated(PEOPLE))
        score(session, PEOPLE)
        sizes = {
            value: cohorts(session, as_of=NOW, field="rfm_segment", value=value)
            .drop_duplicates("cohort")["cohort_customers"]
            .sum()
            for value in ("Champions", "At risk", "")
        }
    people = range(1, PEOPLE + 1)
    champions = sum(i % 10 != 0 and i % 3 == 0 for i in people)
    at_risk = sum(i % 10 != 0 and i % 3 == 1 for i in people)
    assert sizes == {"Champions": champions, "At risk": at_risk, "": PEOPLE - champions - at_risk}
