"""Cohorts by hand, against a plain evaluator in Python, and the laws they keep, on both databases."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, update
from statsmodels.stats.proportion import proportion_confint

from ma.analytics import cohorts as analytics
from ma.analytics import segments
from ma.analytics.catalogue import catalogue
from ma.analytics.frames import frame
from ma.errors import InvalidInput, NotFound
from ma.models import Customer, Purchase
from ma.rules.check import parse
from ma.services.profiles import rebuild_profiles
from ma.services.segments import add_members, create_static_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

NOW = datetime(2026, 4, 10, 12, tzinfo=UTC)
CENT = ["cohort_customers", "customers", "orders", "revenue_minor"]


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def build(session, timezone, people, purchases):
    """A workspace; people as columns by id, purchases as (customer_id, when, amount; negative: a refund)."""
    create_workspace(session, SYSTEM, name="Test", timezone=timezone, currency="EUR", at=NOW)
    usual = {"search_text": "", "orders": 0, "spend_minor": 0, "visits": 0, "version": 1}
    usual |= {"created_at": NOW, "updated_at": NOW} | dict.fromkeys(
        ["consent_email", "consent_sms", "consent_push", "consent_direct_mail", "consent_ads"], False
    )
    optional = {"gender": None, "country": None, "deleted_at": None}
    rows = [usual | optional | {"id": i, "split_bucket": i} | values for i, values in people.items()]
    session.execute(insert(Customer.__table__), rows)
    if purchases:
        session.execute(
            insert(Purchase.__table__),
            [
                {"customer_id": who, "at": when, "amount_minor": n, "kind": "sale" if n >= 0 else "refund"}
                for who, when, n in purchases
            ],
        )


def cells(found):
    """cohort and month -> the counts of a cell."""
    return {
        (f"{row.cohort:%Y-%m}", f"{row.month:%Y-%m}"): tuple(getattr(row, name) for name in CENT)
        for row in found.itertuples()
    }


@pytest.fixture
def session(database):
    """Five customers of a shop in New York, whose months begin at 5:00 or, in summer, 4:00 UTC."""
    people = {1: {"gender": "F"}, 2: {"gender": "M"}, 3: {}, 4: {"deleted_at": NOW}, 5: {"gender": "F"}}
    purchases = [
        (1, at("2026-01-01T04:59:59.999999"), 1000),  # still December 2025 in New York
        (1, at("2026-01-01T05:00"), 500),
        (1, at("2026-03-01T05:00"), 700),
        (1, at("2026-03-31T23:00"), 300),
        (1, at("2026-04-01T03:59:59"), -200),  # a refund, still in March: the clocks have changed
        (2, at("2026-01-15T12:00"), 100),
        (2, at("2026-04-05T12:00"), 50),
        (3, at("2025-12-20T12:00"), -75),  # given back before the first purchase that is known
        (3, at("2026-01-20T12:00"), 400),
        (3, at("2026-04-10T12:00"), 20),  # at this very instant
        (3, at("2026-04-10T12:00:00.000001"), 9999),  # afterwards
        (4, at("2026-01-02T12:00"), 1),  # deleted
        (5, at("2026-02-02T12:00"), -30),  # has never bought
        (None, at("2026-02-03T12:00"), 60),  # nobody known
    ]
    with database.writing() as session:
        build(session, "America/New_York", people, purchases)
        yield session


def test_cells_are_those_counted_by_hand(session):
    found = analytics.cohorts(session, as_of=NOW)
    assert cells(found) == {
        ("2025-12", "2025-12"): (1, 1, 1, 1000),
        ("2025-12", "2026-01"): (1, 1, 1, 500),
        ("2025-12", "2026-02"): (1, 0, 0, 0),
        ("2025-12", "2026-03"): (1, 1, 2, 800),
        ("2025-12", "2026-04"): (1, 0, 0, 0),
        ("2026-01", "2026-01"): (2, 2, 2, 425),
        ("2026-01", "2026-02"): (2, 0, 0, 0),
        ("2026-01", "2026-03"): (2, 0, 0, 0),
        ("2026-01", "2026-04"): (2, 2, 2, 70),
    }
    assert found["month_number"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert found["retention"].tolist() == [1, 1, 0, 1, 0, 1, 0, 0, 1]
    so_far = found["cumulative_revenue_per_customer_minor"].tolist()
    assert so_far == [1000, 1500, 1500, 2300, 2300, 212.5, 212.5, 212.5, 247.5]
    assert found["complete"].tolist() == [True] * 4 + [False] + [True] * 3 + [False]
    assert found.dtypes[CENT].tolist() == ["int64"] * 4


def test_the_average_counts_only_whole_months_and_everybody_once(session):
    curve = analytics.retention_curve(session, as_of=NOW)
    assert curve[["month_number", "cohorts", "cohort_customers", "customers"]].to_numpy().tolist() == [
        [1, 2, 3, 1],
        [2, 2, 3, 0],
        [3, 1, 1, 1],
    ]
    for row in curve.itertuples():
        assert row.retention == row.customers / row.cohort_customers
        low, high = proportion_confint(row.customers, row.cohort_customers, method="wilson")
        assert (row.low, row.high) == pytest.approx((low, high), abs=1e-9)


def test_a_summary_has_a_row_for_each_cohort_the_newest_first(session):
    summary = analytics.summary_of(analytics.cohorts(session, as_of=NOW))
    assert [f"{cohort:%Y-%m}" for cohort in summary["cohort"]] == ["2026-01", "2025-12"]
    assert summary["orders"].tolist() == [4, 4]
    assert summary["revenue_minor"].tolist() == [495, 2300]
    assert summary["revenue_per_customer_minor"].tolist() == [247.5, 2300]
    assert summary["retention_1"].tolist() == [0, 1]
    # The third month of the newer one is not over.
    assert summary["retention_3"].isna().tolist() == [True, False]
    assert summary["retention_6"].isna().all()


def test_a_month_is_known_with_its_last_microsecond(session):
    last = at("2026-04-01T03:59:59.999999")
    for moment, whole in ((last - timedelta(microseconds=1), False), (last, True)):
        found = analytics.cohorts(session, as_of=moment)
        march = found[found["month"] == pd.Timestamp("2026-03-01")]
        assert march["complete"].tolist() == [whole, whole]
    assert f"{analytics.cohorts(session, as_of=last)['month'].max():%Y-%m}" == "2026-03"


def test_in_the_past_nobody_has_bought_yet(session):
    rebuild_profiles(session, as_of=NOW)
    then = analytics.cohorts(session, as_of=at("2026-01-10T12:00"))
    assert cells(then) == {("2025-12", "2025-12"): (1, 1, 1, 1000), ("2025-12", "2026-01"): (1, 1, 1, 500)}
    assert then["complete"].tolist() == [True, False]
    long_ago = analytics.cohorts(session, as_of=at("2025-12-31T12:00"))
    assert long_ago.empty
    assert analytics.curve_of(long_ago).empty
    assert analytics.summary_of(long_ago).empty
    assert list(long_ago.columns) == list(then.columns)


def test_filters_part_the_customers(session):
    whole = analytics.cohorts(session, as_of=NOW)
    assert cells(analytics.cohorts(session, as_of=NOW, field="gender", value="F")) == {
        key: value for key, value in cells(whole).items() if key[0] == "2025-12"
    }
    parts = pd.concat(
        [analytics.cohorts(session, as_of=NOW, field="gender", value=value) for value in ("F", "M", "")]
    )
    summed = parts.groupby(["cohort", "month"])[CENT].sum()
    pd.testing.assert_frame_equal(summed, whole.groupby(["cohort", "month"])[CENT].sum())
    segment_id = create_static_segment(session, SYSTEM, name="Some", at=NOW)
    add_members(session, SYSTEM, segment_id, segments.these([2, 4]), at=NOW)
    inside = analytics.cohorts(session, as_of=NOW, segment_id=segment_id)
    assert inside["cohort_customers"].unique().tolist() == [1]
    assert inside["revenue_minor"].sum() == 150
    assert analytics.cohorts(session, as_of=NOW, segment_id=segment_id, field="gender", value="F").empty


def test_only_the_newest_cohorts_are_kept(session):
    newest = analytics.cohorts(session, as_of=NOW, newest=4)
    assert newest["cohort"].unique().tolist() == [pd.Timestamp("2026-01-01")]
    assert len(analytics.cohorts(session, as_of=NOW, newest=5)) == 9
    assert analytics.cohorts(session, as_of=NOW, newest=1).empty


def test_it_is_exported_by_its_name_with_its_filters(session):
    found = frame(session, "cohorts", as_of=NOW, params={"field": "gender", "value": "", "newest": "12"})
    assert found["revenue_minor"].tolist() == [325, 0, 0, 20]
    curve = frame(session, "retention_curve", as_of=NOW, params={})
    assert curve["month_number"].tolist() == [1, 2, 3]
    assert frame(session, "cohort_summary", as_of=NOW, params={"newest": "4"})["orders"].tolist() == [4]


def test_what_cannot_be_filtered_is_refused(session):
    with pytest.raises(InvalidInput, match="cannot be filtered by 'email'"):
        analytics.cohorts(session, as_of=NOW, field="email", value="a")
    with pytest.raises(InvalidInput, match="Say which gender"):
        analytics.cohorts(session, as_of=NOW, field="gender")
    with pytest.raises(NotFound, match="no segment 99"):
        analytics.cohorts(session, as_of=NOW, segment_id=99)


def test_the_rule_of_a_cohort_chooses_its_people(session):
    rebuild_profiles(session, as_of=NOW)
    for month, people in ((date(2025, 12, 1), [1]), (date(2026, 1, 1), [2, 3])):
        node = parse(analytics.cohort_rule(month), catalogue(session))
        chosen = segments.people(session, node, as_of=NOW)["customer_id"]
        assert sorted(chosen) == people
    rule = analytics.cohort_rule(date(2026, 1, 1), field="gender", value="")
    node = parse(rule, catalogue(session))
    assert segments.people(session, node, as_of=NOW)["customer_id"].tolist() == [3]


# Against a plain evaluator


def random_world(seed, zone):
    """Two years of purchases, many of them within minutes of midnights of months and changes of clocks."""
    chance = random.Random(seed)
    begin = datetime(2024, 9, 1, tzinfo=UTC)
    edges = [
        datetime(year, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for year in (2024, 2025, 2026)
        for month in range(1, 13)
    ]
    edges = [edge for edge in edges if begin < edge < NOW]
    people = {
        i: {
            "country": chance.choice([None, "", "DE", "FR"]),
            "deleted_at": NOW if chance.random() < 0.1 else None,
        }
        for i in range(1, 121)
    }

    def moment():
        if chance.random() < 0.5:
            return chance.choice(edges) + timedelta(microseconds=chance.choice([-1, 0, 1, -7_200_000_000]))
        return begin + timedelta(seconds=chance.randrange(int((NOW - begin).total_seconds()) + 864_000))

    purchases = [
        (
            chance.choice([None, *range(1, 121)]),
            moment(),
            chance.choice([1, -1, 1, 1]) * chance.randrange(1, 10_000),
        )
        for _ in range(700)
    ]
    return people, purchases


def evaluated(people, purchases, zone, as_of):
    """The same figures, customer by customer."""

    def month(moment):
        local = moment.astimezone(ZoneInfo(zone))
        return local.year * 12 + local.month - 1

    facts = defaultdict(list)
    for who, when, amount in purchases:
        if who is not None and when <= as_of and people[who]["deleted_at"] is None:
            facts[who].append((month(when), amount))
    members, bought, orders, revenue = (
        defaultdict(set),
        defaultdict(set),
        defaultdict(int),
        defaultdict(int),
    )
    for who, theirs in facts.items():
        sales = [number for number, amount in theirs if amount >= 0]
        if not sales:
            continue
        cohort = min(sales)
        members[cohort].add(who)
        for number, amount in theirs:
            cell = cohort, max(number, cohort)
            revenue[cell] += amount
            if amount >= 0:
                bought[cell].add(who)
                orders[cell] += 1
    name = lambda number: f"{number // 12}-{number % 12 + 1:02d}"  # noqa: E731
    return {
        (name(cohort), name(number)): (
            len(members[cohort]),
            len(bought[cohort, number]),
            orders[cohort, number],
            revenue[cohort, number],
        )
        for cohort in members
        for number in range(cohort, month(as_of) + 1)
    }


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Apia", "Australia/Lord_Howe"])
def test_random_worlds_come_out_as_customer_by_customer(database, zone):
    people, purchases = random_world(zone, zone)
    with database.writing() as session:
        build(session, zone, people, purchases)
        for as_of in (NOW, datetime(2025, 11, 1, 3, 59, 59, 999_999, tzinfo=UTC)):
            found = analytics.cohorts(session, as_of=as_of)
            assert cells(found) == evaluated(people, purchases, zone, as_of)
        laws(session, found, people, purchases, as_of)


def laws(session, found, people, purchases, as_of):
    """What holds in every world."""
    sales = defaultdict(list)
    for who, when, amount in purchases:
        if who is not None and when <= as_of and people[who]["deleted_at"] is None:
            sales[who].append(amount)
    buyers = {who for who, amounts in sales.items() if max(amounts) >= 0}
    sizes = found.groupby("cohort")["cohort_customers"].agg(["first", "nunique"])
    # Everybody who bought is in one cohort, and it has one size.
    assert sizes["first"].sum() == len(buyers)
    assert (sizes["nunique"] == 1).all()
    assert (found.loc[found["month_number"] == 0, "retention"] == 1).all()
    assert found["orders"].sum() == sum(amount >= 0 for who in buyers for amount in sales[who])
    assert found["revenue_minor"].sum() == sum(sum(sales[who]) for who in buyers)
    last = found.groupby("cohort").tail(1)
    total = (last["cumulative_revenue_per_customer_minor"] * last["cohort_customers"]).sum()
    assert total == pytest.approx(found["revenue_minor"].sum())
    assert (found["customers"] <= np.minimum(found["cohort_customers"], found["orders"])).all()
    values = {(values["country"] or "") for values in people.values()}
    parts = [analytics.cohorts(session, as_of=as_of, field="country", value=value) for value in values]
    summed = pd.concat(parts).groupby(["cohort", "month"])[CENT].sum()
    pd.testing.assert_frame_equal(summed, found.groupby(["cohort", "month"])[CENT].sum())


def test_a_deleted_customer_leaves_every_cell(session):
    before = analytics.cohorts(session, as_of=NOW)
    session.execute(update(Customer).where(Customer.id == 2).values(deleted_at=NOW))
    after = analytics.cohorts(session, as_of=NOW)
    assert before["orders"].sum() - after["orders"].sum() == 2
    assert before["cohort_customers"].iloc[-1] - after["cohort_customers"].iloc[-1] == 1
