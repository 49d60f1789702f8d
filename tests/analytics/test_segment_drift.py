"""Drift of segments: against profiles rebuilt at each month's end, a plain evaluator, and by hand."""

from datetime import UTC, date, datetime, timedelta
from statistics import mean, variance

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sqlalchemy import func, insert, select, update

from ma.analytics import segment_drift as analytics
from ma.analytics import segments
from ma.analytics.catalogue import catalogue
from ma.analytics.frames import frame
from ma.analytics.past_profiles import PAST_FIELDS, past_catalogue, past_profile
from ma.analytics.stability import FEWEST, reading, stability
from ma.db import bulk
from ma.errors import InvalidInput, NotFound
from ma.models import BehaviourEvent, Customer, Outcome, Purchase, SegmentRefresh
from ma.rules import to_sql
from ma.rules.check import parse
from ma.services.profiles import rebuild_profiles
from ma.services.segments import add_members, create_segment, create_static_segment, refresh_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM
from tests.services.test_profiles import NOW, add_campaign, add_customers, world

PEOPLE = 60
LATER = NOW + timedelta(days=2)  # 2 April: March is over
RULES = {
    "orders": {"field": "orders", "operator": "gte", "value": 4},
    "no_orders": {"field": "orders", "operator": "eq", "value": 0},
    "spend": {"field": "lifetime_value", "operator": "between", "value": [1, 20_000]},
    "average": {"field": "average_order", "operator": "lt", "value": 5_000},
    "average_or_unknown": {"field": "average_order", "operator": "lt", "value": 5_000, "missing": "match"},
    "first": {"field": "first_order", "operator": "more_than_ago", "value": 2, "unit": "month"},
    "last": {"field": "last_order", "operator": "in_last", "value": 30, "unit": "day"},
    "never": {"field": "last_order", "operator": "is_missing"},
    "visits": {"field": "visits", "operator": "in", "value": [0, 1, 2]},
    "last_visit": {"field": "last_visit", "operator": "after", "value": "2026-01-15"},
    "engagement": {"field": "engagement", "operator": "gte", "value": 12.5},
    "event": {
        "event": "purchase",
        "measure": "count",
        "operator": "gte",
        "value": 1,
        "within": {"last": 30, "unit": "day"},
    },
}


@pytest.fixture
def session(database):
    """Sixty customers with 200 days of orders, visits and messages."""
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Test", timezone="America/New_York", currency="USD", at=NOW - timedelta(500)
        )
        add_customers(session, range(1, PEOPLE + 1))
        orders, _, visits, outcomes = world(np.random.default_rng(7), PEOPLE)
        bulk.insert(session, Purchase.__table__, orders)
        bulk.insert(session, BehaviourEvent.__table__, visits)
        add_campaign(session)
        bulk.insert(session, Outcome.__table__, outcomes)
        born = {"birth_date": date(1980, 3, 31), "country": "US"}
        session.execute(update(Customer).where(Customer.id % 2 == 0).values(**born))
        yield session


def by_month(found, measure, column="value"):
    mine = found[found["measure"] == measure]
    return dict(zip(mine["month_end"].dt.strftime("%Y-%m"), mine[column], strict=True))


def test_past_profiles_are_the_profiles_rebuilt_then(session):
    for as_of in (NOW, NOW - timedelta(days=45), NOW - timedelta(days=170)):
        rebuild_profiles(session, as_of=as_of)
        table, past = Customer.__table__, past_profile(as_of)
        bought, visited = past.bought.c, past.visited.c
        pairs = {
            "orders": (table.c.orders, bought.orders),
            "spend": (table.c.spend_minor, bought.spend_minor),
            "average": (table.c.average_order_minor, bought.average_order_minor),
            "first": (table.c.first_order_at, bought.first_order_at),
            "last": (table.c.last_order_at, bought.last_order_at),
            "visits": (table.c.visits, visited.visits),
            "last_visit": (table.c.last_visit_at, visited.last_visit_at),
            "engagement": (table.c.engagement, past.engaged.c.engagement),
        }
        rows = session.execute(
            select(*(column for pair in pairs.values() for column in pair))
            .join(past.bought, bought.customer_id == table.c.id)
            .join(past.visited, visited.customer_id == table.c.id)
            .join(past.engaged, past.engaged.c.customer_id == table.c.id)
        ).all()
        assert len(rows) == PEOPLE
        for place, name in enumerate(pairs):
            kept, found = ([row[2 * place + side] for row in rows] for side in (0, 1))
            assert found == kept, (name, as_of)
            assert len(set(kept)) > 3 or as_of != NOW


def test_rules_choose_whom_they_would_have_chosen_then(session):
    known = catalogue(session)
    for moment in (NOW, NOW - timedelta(days=45), NOW - timedelta(days=170)):
        rebuild_profiles(session, as_of=moment)
        then = past_catalogue(known, past_profile(moment))
        when = {"as_of": moment, "timezone": "America/New_York", "catalogue": then}
        counts = [
            func.count().filter(to_sql.condition(parse(rule, known), **when)) for rule in RULES.values()
        ]
        found = session.execute(select(*counts).select_from(Customer).where(to_sql.present())).one()
        for (name, rule), people in zip(RULES.items(), found, strict=True):
            assert segments.count(session, rule, as_of=moment) == people, (name, moment)


def test_sizes_are_those_counted_at_each_month_end(session):
    engaged = create_segment(session, SYSTEM, name="Engaged", rule=RULES["engagement"], at=NOW)
    rule = {"all": [{"not": {"in_segment": engaged}}, RULES["orders"]]}
    segment_id = create_segment(session, SYSTEM, name="Others", rule=rule, at=NOW)
    plan = analytics.plan(session, as_of=LATER, segment_id=segment_id, months=3)
    assert plan.present == ()
    found = analytics.segment_drift(session, as_of=LATER, segment_id=segment_id, months=3)
    sizes = found.loc[found["measure"] == "people", "value"].tolist()
    for moment, size in zip(plan.moments, sizes, strict=True):
        rebuild_profiles(session, as_of=moment)
        assert segments.count(session, rule, as_of=moment) == size > 0


def test_every_past_field_is_tried():
    fields = {rule.get("field") for rule in RULES.values()} - {None}
    assert fields == set(PAST_FIELDS)


def test_measures_are_those_of_a_plain_evaluator(session):
    segment_id = create_segment(session, SYSTEM, name="Any", rule=RULES["orders"], at=NOW)
    days = analytics.plan(session, as_of=LATER, segment_id=segment_id).days
    assert (len(days), days[0], days[-1]) == (12, date(2025, 4, 30), date(2026, 3, 31))
    found = analytics.segment_drift(session, as_of=LATER, segment_id=segment_id, months=2)
    # The month ends in New York, where it is summer time on the one day and winter time on the other.
    ends = {"2026-02": datetime(2026, 3, 1, 5, tzinfo=UTC), "2026-03": datetime(2026, 4, 1, 4, tzinfo=UTC)}
    rows = select(Purchase.customer_id, Purchase.at, Purchase.kind, Purchase.amount_minor)
    facts = session.execute(rows.where(Purchase.customer_id.is_not(None))).all()
    born = dict(session.execute(select(Customer.id, Customer.birth_date)).all())
    for month, end in ends.items():
        theirs = {who: [fact for fact in facts if fact[0] == who and fact.at < end] for who in born}
        sales = {who: [fact for fact in them if fact.kind == "sale"] for who, them in theirs.items()}
        people = [who for who in born if len(sales[who]) >= 4]
        recent = [sum(fact.at >= end - timedelta(days=90) for fact in sales[who]) for who in people]
        lately = [
            sum(fact.amount_minor for fact in theirs[who] if fact.at >= end - timedelta(days=90))
            for who in people
        ]
        today = (end - timedelta(hours=12)).date()
        last = [(today - local(max(fact.at for fact in sales[who]))).days for who in people]
        expected = {
            "people": len(people),
            "spend": mean(sum(fact.amount_minor for fact in theirs[who]) for who in people),
            "recent_orders": mean(recent),
            "recent_spend": mean(lately),
            "days_since": mean(last),
            # They turn 46 on the last of March.
            "age": 45 if month == "2026-02" else 46,
        }
        for measure, value in expected.items():
            assert by_month(found, measure)[month] == pytest.approx(value), measure
        assert by_month(found, "age", "n")[month] == sum(who % 2 == 0 for who in people)
        assert by_month(found, "country US", "n")[month] == sum(who % 2 == 0 for who in people)
        rebuild_profiles(session, as_of=end - timedelta(microseconds=1))
        scores = dict(session.execute(select(Customer.id, Customer.engagement)).all())
        assert by_month(found, "engagement")[month] == pytest.approx(mean(scores[who] for who in people))


def local(moment):
    """The day in New York."""
    return (moment.astimezone(UTC) - timedelta(hours=4 if moment >= DAYLIGHT else 5)).date()


DAYLIGHT = datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_figures_that_look_back_further_than_the_data_are_unknown(session):
    everybody = create_segment(
        session, SYSTEM, name="All", rule={"field": "orders", "operator": "gte", "value": 0}, at=NOW
    )
    found = analytics.segment_drift(session, as_of=LATER, segment_id=everybody, months=10)
    begin = session.scalar(select(Purchase.at).where(Purchase.kind == "sale").order_by(Purchase.at).limit(1))
    known = [month for month, value in by_month(found, "recent_orders").items() if value == value]
    reach = begin + timedelta(days=90)
    assert known == [f"{end:%Y-%m}" for end in pd.date_range(reach, LATER, freq="ME")]
    assert known[0] > "2025-10"
    # To date they are known from the first order on.
    to_date = [month for month, value in by_month(found, "spend").items() if value == value]
    assert to_date[0] == f"{begin:%Y-%m}"
    assert by_month(found, "engagement", "n")["2025-06"] == 0
    # Everybody had been added 400 days before.
    assert set(by_month(found, "people").values()) == {PEOPLE}


def test_people_count_from_when_they_joined(session):
    rule = {"field": "orders", "operator": "gte", "value": 0}
    everybody = create_segment(session, SYSTEM, name="All", rule=rule, at=NOW)
    none_yet = select(Purchase.customer_id).where(Purchase.customer_id.is_not(None), Purchase.kind == "sale")
    buyers = set(session.scalars(none_yet))
    session.execute(update(Customer).values(created_at=NOW - timedelta(days=1)))
    session.execute(update(Customer).where(Customer.id == 60).values(joined_on=date(2026, 1, 31)))
    session.execute(update(Customer).where(Customer.id == 59).values(joined_on=date(2026, 2, 1)))
    assert not buyers & {58, 59, 60}
    sizes = by_month(analytics.segment_drift(session, as_of=LATER, segment_id=everybody, months=3), "people")
    before = datetime(2026, 2, 1, 5, tzinfo=UTC)
    bought = set(session.scalars(none_yet.where(Purchase.at < before)))
    assert sizes["2026-01"] == len(bought) + 1
    assert sizes["2026-02"] == len(set(session.scalars(none_yet.where(Purchase.at < ENDS_FEB)))) + 2
    assert sizes["2026-03"] == PEOPLE


ENDS_FEB = datetime(2026, 3, 1, 5, tzinfo=UTC)


def test_differences_and_stability_by_hand(session):
    segment_id = create_segment(session, SYSTEM, name="Any", rule=RULES["orders"], at=NOW)
    found = analytics.segment_drift(session, as_of=LATER, segment_id=segment_id, months=5)
    people = by_month(found, "people")
    first = next(month for month, size in people.items() if size >= FEWEST)
    assert first < "2026-03"
    assert by_month(found, "spend", "difference")[first] == 0
    assert by_month(found, "spend", "psi")[first] == 0
    plan = analytics.plan(session, as_of=LATER, segment_id=segment_id, months=5)
    moments = {f"{day:%Y-%m}": moment for day, moment in zip(plan.days, plan.moments, strict=True)}
    spent = {}
    for month in (first, "2026-03"):
        rebuild_profiles(session, as_of=moments[month])
        spent[month] = list(session.scalars(select(Customer.spend_minor).where(Customer.orders >= 4)))
    before, after = spent[first], spent["2026-03"]
    d = (mean(after) - mean(before)) / ((variance(after) + variance(before)) / 2) ** 0.5
    assert by_month(found, "spend", "difference")["2026-03"] == pytest.approx(d)
    bands = [band for band in plan.bands if band.measure == "spend"]
    assert [bands[0].high, bands[1].low] == [1, 1]
    assert [one.high for one in bands[:-1]] == [other.low for other in bands[1:]]
    edges = [-np.inf, *(band.low for band in bands[1:]), np.inf]
    counts = {month: np.histogram(values, edges)[0] for month, values in spent.items()}
    p, q = (np.maximum(counts[month], 0.5) / len(spent[month]) for month in (first, "2026-03"))
    both = (counts[first] > 0) | (counts["2026-03"] > 0)
    index = ((q - p) * np.log(q / p))[both].sum()
    assert by_month(found, "spend", "psi")["2026-03"] == pytest.approx(index)
    shares = found[(found["kind"] == "share") & found["measure"].str.startswith("spend ")]
    latest = shares[shares["month_end"] == pd.Timestamp("2026-03-31")]
    assert latest["value"].tolist() == pytest.approx((counts["2026-03"] / len(after)).tolist())


def test_the_index_is_that_of_information_theory_and_half_a_person_stands_for_nobody():
    table = np.array([[10.0, 10, 10, 0], [30, 20, 10, 0], [40, 0, 20, 0], [0, 0, 0, 0], [20, 20, 20, 0]])
    found = stability(table, np.array([True, True, True, True, False]))
    p, q = table[0, :3] / 30, table[1, :3] / 60
    # The sum of both divergences (Kullback & Leibler 1951).
    assert found["psi"][1] == pytest.approx(entropy(p, q) + entropy(q, p))
    without = np.array([40, 0.5, 20]) / 60
    assert found["psi"][2] == pytest.approx(((without - p) * np.log(without / p)).sum())
    assert np.isnan(found["psi"][3:]).all()
    assert found["psi"][0] == 0
    assert found["psi_by_chance"][1] == pytest.approx(2 * (1 / 60 + 1 / 30))
    assert np.isnan(stability(table[:, :1], np.ones(5, dtype=bool))["psi"]).all()


def test_what_chance_makes_of_the_index_is_what_it_says():
    rng = np.random.default_rng(3)
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    drawn = [np.array([rng.multinomial(400, shares), rng.multinomial(900, shares)]) for _ in range(2_000)]
    found = [stability(table.astype(float), np.ones(2, dtype=bool)) for table in drawn]
    average = np.mean([one["psi"][1] for one in found])
    assert average == pytest.approx(found[0]["psi_by_chance"][1], rel=0.06)


@pytest.mark.parametrize(
    ("psi", "words"), [(0.0999, "stable"), (0.1, "some shift"), (0.25, "shifted"), (float("nan"), "–")]
)
def test_it_is_read_as_usual(psi, words):
    assert reading(psi) == words


def test_a_list_has_whoever_is_on_it_by_when_they_were_put_on(session):
    january, march = datetime(2026, 1, 20, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    segment_id = create_static_segment(session, SYSTEM, name="Guests", at=january)
    add_members(session, SYSTEM, segment_id, segments.these([1, 2, 3]), at=january)
    add_members(session, SYSTEM, segment_id, segments.these([4]), at=march)
    session.execute(update(Customer).where(Customer.id == 2).values(deleted_at=NOW))
    found = frame(
        session, "segment_drift", as_of=LATER, params={"segment_id": str(segment_id), "months": "4"}
    )
    assert by_month(found, "people") == {"2025-12": 0, "2026-01": 2, "2026-02": 2, "2026-03": 3}
    recorded = by_month(found, "recorded")
    assert np.isnan(recorded.pop("2025-12"))
    assert recorded == {"2026-01": 3, "2026-02": 3, "2026-03": 4}
    # Too few to compare.
    assert found["difference"].isna().all()
    assert found["psi"].isna().all()


def test_sizes_that_were_recorded_stand_beside(session):
    segment_id = create_segment(session, SYSTEM, name="Any", rule=RULES["never"], at=NOW - timedelta(days=60))
    rebuild_profiles(session, as_of=NOW)
    refresh_segment(session, SYSTEM, segment_id, at=NOW - timedelta(days=40))
    session.execute(
        insert(SegmentRefresh.__table__).values(
            segment_id=segment_id, as_of=NOW - timedelta(days=33), size=999, entered=0, left=0, duration_ms=1
        )
    )
    found = analytics.segment_drift(session, as_of=LATER, segment_id=segment_id, months=3)
    sizes = by_month(found, "recorded")
    assert [sizes["2026-02"], sizes["2026-03"]] == [999, 999]
    assert np.isnan(sizes["2026-01"])


def test_what_is_known_for_today_only_is_named(session):
    inner = create_static_segment(session, SYSTEM, name="Guests", at=NOW)
    rule = {
        "all": [
            RULES["engagement"],
            {"field": "gender", "operator": "eq", "value": "F"},
            {"field": "consent_email", "operator": "eq", "value": True},
            {"in_segment": inner},
        ]
    }
    segment_id = create_segment(session, SYSTEM, name="Mixed", rule=rule, at=NOW)
    plan = analytics.plan(session, as_of=LATER, segment_id=segment_id)
    assert plan.present == ("gender", "list “Guests”")


def test_what_cannot_be_followed_is_refused(session):
    with pytest.raises(NotFound, match="no segment 99"):
        analytics.segment_drift(session, as_of=LATER, segment_id=99)
    segment_id = create_segment(session, SYSTEM, name="Any", rule=RULES["orders"], at=NOW)
    for months in (0, 37):
        with pytest.raises(InvalidInput, match="1 to 36 months"):
            analytics.segment_drift(session, as_of=LATER, segment_id=segment_id, months=months)
