"""Funnel, ROI and KPIs against hand calculations, on SQLite and PostgreSQL."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from ma.analytics.funnel import funnel
from ma.analytics.kpis import kpis, trend
from ma.analytics.results import daily, totals
from ma.analytics.roi import roi
from ma.analytics.segment_performance import performance
from ma.errors import InvalidPeriod
from ma.models import Campaign, Customer, Outcome, Purchase, Workspace
from ma.services.results import rebuild_results

ZONE = "America/New_York"
SENT = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)
NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)


def hours(count):
    return SENT + timedelta(hours=count)


# customer: (bounced, delivered, opened, clicked, converted, organic, revenue) in hours after sending
STORY = {
    1: (None, 1, 2, 3, 5, False, 4000),
    2: (None, 1, 2, 3, None, False, 0),
    3: (None, 1, 20, None, None, False, 0),
    4: (None, 1, None, None, 30, True, 1000),
    5: (1, None, None, None, None, False, 0),
}


@pytest.fixture
def world(database):
    """Six customers; an e-mail campaign to five of them and one held out; a mailing of unknown cost."""
    with database.writing() as session:
        session.add(Workspace(id=1, name="Shop", timezone=ZONE, currency="USD", created_at=SENT))
        for number in range(1, 7):
            session.add(
                Customer(
                    id=number,
                    first_name=f"C{number}",
                    search_text=f"c{number}",
                    split_bucket=number,
                    joined_on=date(2026, 1, 1),
                    created_at=SENT,
                    updated_at=SENT,
                )
            )
        common = {"created_by": "test", "created_at": SENT, "updated_at": SENT, "launched_at": SENT}
        session.add(
            Campaign(
                id=1,
                name="Mail",
                name_folded="mail",
                channel="email",
                status="running",
                source="simulated",
                cost_per_thousand_minor=20_000,
                fixed_cost_minor=900,
                conversion_window_days=14,
                steps="sent,delivered,opened,clicked,converted,bounced,unsubscribed,complained,organic",
                **common,
            )
        )
        session.add(
            Campaign(
                id=2,
                name="Post",
                name_folded="post",
                channel="direct_mail",
                status="completed",
                source="imported",
                conversion_window_days=14,
                steps="sent,converted",
                **common,
            )
        )
        session.flush()
        for number, (bounced, *steps, organic, revenue) in STORY.items():
            delivered, opened, clicked, converted = steps
            session.add(
                Outcome(
                    campaign_id=1,
                    customer_id=number,
                    arm="treated",
                    variant="A",
                    wave=1,
                    source="simulated",
                    assigned_at=SENT,
                    sent_at=SENT,
                    bounced_at=hours(bounced) if bounced is not None else None,
                    delivered_at=hours(delivered) if delivered is not None else None,
                    opened_at=hours(opened) if opened is not None else None,
                    clicked_at=hours(clicked) if clicked is not None else None,
                    converted_at=hours(converted) if converted is not None else None,
                    organic=organic,
                    revenue_minor=revenue,
                )
            )
        held = {"variant": "A", "wave": 1, "assigned_at": SENT, "organic": True}
        session.add(
            Outcome(
                campaign_id=1,
                customer_id=6,
                arm="holdout",
                source="simulated",
                converted_at=hours(9),
                revenue_minor=700,
                **held,
            )
        )
        for number, converted in ((1, None), (2, 40)):
            session.add(
                Outcome(
                    campaign_id=2,
                    customer_id=number,
                    arm="treated",
                    variant="A",
                    wave=1,
                    source="imported",
                    assigned_at=SENT,
                    sent_at=SENT,
                    converted_at=hours(converted) if converted else None,
                    revenue_minor=2500 if converted else 0,
                )
            )
        session.flush()
        for campaign_id in (1, 2):
            rebuild_results(session, campaign_id)
    return database


def test_funnel_counts_nested_steps_without_organic_conversions(world):
    with world.reading() as session:
        frame = funnel(session, as_of=NOW, campaign_ids=[1])
    assert dict(zip(frame["step"], frame["people"], strict=True)) == {
        "sent": 5,
        "delivered": 4,
        "opened": 3,
        "clicked": 2,
        "converted": 1,
    }
    assert frame["of_previous"].tolist()[1:] == pytest.approx([4 / 5, 3 / 4, 2 / 3, 1 / 2])
    assert frame["of_first"].tolist() == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])


def test_funnel_over_campaigns_leaves_out_steps_that_one_cannot_see(world):
    with world.reading() as session:
        frame = funnel(session, as_of=NOW)
    assert dict(zip(frame["step"], frame["people"], strict=True)) == {"sent": 7, "converted": 2}


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(0, (5, 0, 0, 0, 0)), (1, (5, 4, 0, 0, 0)), (2, (5, 4, 2, 0, 0)), (19.99, (5, 4, 2, 2, 1))],
)
def test_totals_know_only_what_has_happened_by_then(world, hour, expected):
    with world.reading() as session:
        row = totals(session, as_of=hours(hour), campaign_ids=[1]).iloc[0]
    assert tuple(row[["sent", "delivered", "opened", "clicked", "converted"]]) == expected


@pytest.mark.parametrize("hour", [0, 1, 41, 48])
def test_what_a_campaign_cannot_know_is_unknown_on_every_day_today_included(world, hour):
    """A real mailing whose conversions are known: the day it was sent, the day of the conversion, later."""
    with world.reading() as session:
        row = totals(session, as_of=hours(hour), campaign_ids=[2]).iloc[0]
        days = daily(session, as_of=hours(hour), campaign_id=2)
    unknown = ["bounced", "delivered", "opened", "clicked", "organic", "unsubscribed", "complained"]
    assert row[unknown].isna().all()
    assert (row["sent"], row["converted"]) == (2, int(hour >= 40))
    assert days[unknown].isna().all(axis=None)
    assert (days["sent"].sum(), days["converted"].sum()) == (2, int(hour >= 40))


@pytest.mark.parametrize("hour", [0, 1, 48])
def test_what_a_campaign_can_know_is_0_while_nothing_has_happened(world, hour):
    with world.reading() as session:
        row = totals(session, as_of=hours(hour), campaign_ids=[1]).iloc[0]
        held = totals(session, as_of=hours(hour), campaign_ids=[2], arm="holdout").iloc[0]
    assert row["complained"] == 0
    assert row["bounced"] == int(hour >= 1)
    assert (held["assigned"], held["converted"]) == (0, 0)


def test_roi_is_profit_over_cost_and_unknown_without_a_cost(world):
    with world.reading() as session:
        frame = roi(session, as_of=NOW).set_index("name")
    mail, post = frame.loc["Mail"], frame.loc["Post"]
    # Cost: 9.00 fixed + 5 sent at 200.00 a thousand = 10.00; revenue: 40.00 + 10.00 organic.
    assert (mail["cost_minor"], mail["revenue_minor"], mail["profit_minor"]) == (1000, 5000, 4000)
    assert mail["roi"] == pytest.approx(4000 / 1000)
    assert mail["open_rate"] == pytest.approx(3 / 4)
    assert mail["click_rate"] == pytest.approx(2 / 4)
    assert mail["conversion_rate"] == pytest.approx(2 / 4)
    assert mail["bounce_rate"] == pytest.approx(1 / 5)
    assert math.isnan(post["roi"])
    assert math.isnan(post["open_rate"])
    assert post["conversion_rate"] == pytest.approx(1 / 2)


def test_holdout_is_in_no_total(world):
    with world.reading() as session:
        assert totals(session, as_of=NOW, campaign_ids=[1])["sent"].sum() == 5
        held = totals(session, as_of=NOW, campaign_ids=[1], arm="holdout").iloc[0]
    assert (held["assigned"], held["sent"], held["converted"], held["revenue_minor"]) == (1, 0, 1, 700)


def test_segment_performance_sums_to_all_campaigns(world):
    with world.reading() as session:
        frame = performance(session, as_of=NOW)
        everything = totals(session, as_of=NOW)
    assert frame["sent"].sum() == everything["sent"].sum() == 7
    assert frame["revenue_minor"].sum() == everything["revenue_minor"].sum()
    assert frame["segment"].tolist() == ["Without a segment"]
    assert math.isnan(frame["roi"].iloc[0])


def test_kpis_pool_only_campaigns_that_can_observe_the_step(world):
    with world.reading() as session:
        frame = kpis(session, as_of=NOW, start=date(2026, 3, 8), end=date(2026, 3, 21)).set_index("kpi")
    assert frame.loc["customers", "value"] == 6
    assert frame.loc["reach", "value"] == 5
    assert frame.loc["open_rate", "value"] == pytest.approx(3 / 4)
    # E-mail: 2 of 4 delivered; post: 1 of 2 sent.
    assert frame.loc["conversion_rate", "value"] == pytest.approx(3 / 6)
    assert frame.loc["roi", "value"] == pytest.approx(4000 / 1000)
    assert math.isnan(frame.loc["open_rate", "previous"])


def test_kpis_refuse_a_period_that_does_not_start_before_its_end(world):
    with world.reading() as session, pytest.raises(InvalidPeriod):
        kpis(session, as_of=NOW, start=date(2026, 3, 8), end=date(2026, 3, 8))


def test_trend_counts_calendar_days_of_the_workspace_across_a_clock_change(world):
    # In New York the clocks go forward on 8 March 2026: local midnight moves from 05:00 to 04:00 UTC.
    moments = {
        datetime(2026, 3, 8, 4, 59, tzinfo=UTC): 100,  # 7 March, 23:59
        datetime(2026, 3, 8, 5, 0, tzinfo=UTC): 1000,  # 8 March, 00:00
        datetime(2026, 3, 9, 3, 59, tzinfo=UTC): 2000,  # 8 March, 23:59
        datetime(2026, 3, 9, 4, 0, tzinfo=UTC): 5,  # 9 March, 00:00
    }
    with world.writing() as session:
        for number, (at, amount) in enumerate(moments.items()):
            session.add(
                Purchase(customer_id=1, external_key=str(number), kind="sale", at=at, amount_minor=amount)
            )
    with world.reading() as session:
        frame = trend(session, as_of=NOW, start=date(2026, 3, 7), end=date(2026, 3, 10))
        weekly = trend(session, as_of=NOW, start=date(2026, 3, 7), end=date(2026, 3, 21), by="week")
    assert frame["revenue_minor"].tolist() == [100, 3000, 5]
    assert frame["orders"].tolist() == [1, 2, 1]
    assert weekly["revenue_minor"].tolist() == [3105, 0]
    assert weekly["reached"].tolist() == [5, 0]


def test_trend_leaves_out_what_lies_after_the_instant(world):
    with world.writing() as session:
        for number, at in enumerate((NOW, NOW + timedelta(microseconds=1))):
            session.add(Purchase(external_key=str(number), kind="sale", at=at, amount_minor=10))
    with world.reading() as session:
        frame = trend(session, as_of=NOW, start=date(2026, 3, 20), end=date(2026, 3, 21))
    assert frame["revenue_minor"].tolist() == [10]
