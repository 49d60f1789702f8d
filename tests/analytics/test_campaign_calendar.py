"""The calendar of campaigns: against the outcomes counted one by one, in the workspace's days."""

from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, update

from ma.analytics.campaign_calendar import campaign_calendar, undated
from ma.errors import InvalidPeriod
from ma.models import Campaign, CampaignAggregate, Customer, Outcome
from ma.services.campaigns import (
    archive_campaign,
    cancel_campaign,
    pause_campaign,
    schedule_campaign,
)
from ma.services.due import catch_up
from ma.services.launches import launch_campaign
from ma.services.segments import refresh_segment
from ma.types import SYSTEM
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, ZONE, days, draft

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
# NOW is ten in the morning there.
TODAY = date(2026, 3, 2)


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 200)
        refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW - days(1))
        yield session


def rows(frame, *columns):
    wanted = columns or ("campaign_id", "day", "people", "kind")
    return [
        tuple(value.date() if hasattr(value, "date") else value for value in row)
        for row in frame[list(wanted)].itertuples(index=False)
    ]


def local(moment):
    return moment.astimezone(ZoneInfo(ZONE)).date()


def launched(session, name, ago, **values):
    campaign_id = draft(session, name, **values)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW - days(ago))
    return campaign_id


def test_waves_by_day_are_the_outcomes_of_that_day(session):
    # Late in the evening there, when it is the next day in UTC.
    campaign_id = draft(session, "In waves", waves=5, holdout_share=0.2)
    begin = datetime(2026, 2, 28, 22, tzinfo=ZoneInfo(ZONE))
    launch_campaign(session, SYSTEM, campaign_id, at=begin)
    catch_up(session, at=NOW)
    frame = campaign_calendar(session, as_of=NOW, start=date(2026, 2, 1), end=APRIL)
    outcomes = world.outcomes(session, campaign_id)
    treated = outcomes[outcomes["arm"] == "treated"]
    sent = Counter(local(at) for at in treated["sent_at"].dropna())
    waiting = treated[treated["sent_at"].isna()]
    planned = Counter(local(at) for at in waiting["assigned_at"])
    assert sorted(sent) == [date(2026, 2, 28), date(2026, 3, 1)]
    assert sorted(planned) == [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)]
    assert rows(frame) == [(campaign_id, day, sent[day], "sent") for day in sorted(sent)] + [
        (campaign_id, day, planned[day], "planned") for day in sorted(planned)
    ]
    assert frame["people"].sum() == len(treated)
    assert rows(frame, "window_ends")[0] == (date(2026, 3, 7),)


def test_a_pause_holds_overdue_waves_back_until_now(session):
    campaign_id = launched(session, "Paused", 3, waves=6)
    pause_campaign(session, SYSTEM, campaign_id, at=NOW - days(2.5))
    frame = campaign_calendar(session, as_of=NOW, start=date(2026, 2, 20), end=APRIL)
    assert set(frame["status"]) == {"paused"}
    assert rows(frame, "day", "kind") == [(TODAY - days(3), "sent")] + [
        (TODAY + days(i), "planned") for i in range(5)
    ]
    cancel_campaign(session, SYSTEM, campaign_id, at=NOW)
    frame = campaign_calendar(session, as_of=NOW, start=date(2026, 2, 20), end=APRIL)
    assert rows(frame, "day", "kind") == [(TODAY - days(3), "sent")]


def test_messages_that_wait_for_the_morning_are_planned(session):
    # Quiet until six in the evening of today, until the morning of tomorrow.
    tonight = launched(session, "Tonight", 0, quiet_from=0, quiet_until=18 * 60)
    tomorrow = launched(session, "Tomorrow", 0, quiet_from=9 * 60, quiet_until=8 * 60)
    at_once = launched(session, "At once", 0)
    frame = campaign_calendar(session, as_of=NOW, start=MARCH, end=APRIL)
    assert rows(frame) == [
        (tonight, TODAY, 200, "planned"),
        (at_once, TODAY, world.outcomes(session, at_once)["sent_at"].notna().sum(), "sent"),
        (tomorrow, TODAY + days(1), 200, "planned"),
    ]
    later = campaign_calendar(session, as_of=NOW + days(1), start=MARCH, end=APRIL)
    assert later["people"].tolist() == frame["people"].tolist()
    assert set(later["kind"]) == {"sent"}


def test_a_scheduled_campaign_is_expected_to_reach_whom_it_then_reaches(session):
    session.execute(update(Customer).where(Customer.id % 3 == 0).values(consent_direct_mail=False))
    # Launched in quiet hours that end the next morning.
    values = {
        "channel": "direct_mail",
        "waves": 3,
        "holdout_share": 0.3,
        "quiet_from": 540,
        "quiet_until": 480,
    }
    campaign_id = draft(session, "Soon", **values)
    schedule_campaign(session, SYSTEM, campaign_id, scheduled_at=NOW + days(2), at=NOW)
    foreseen = campaign_calendar(session, as_of=NOW, start=MARCH, end=APRIL)
    assert set(foreseen["kind"]) == {"scheduled"}
    assert rows(foreseen, "day") == [(TODAY + days(i),) for i in (3, 4, 5)]
    catch_up(session, at=NOW + days(6))
    happened = campaign_calendar(session, as_of=NOW + days(6), start=MARCH, end=APRIL)
    assert set(happened["kind"]) == {"sent"}
    assert rows(happened, "day", "people") == rows(foreseen, "day", "people")


def test_the_period_holds_its_days_and_what_still_works_in_it(session):
    old = launched(session, "Old", 30, conversion_window_days=7)
    long = launched(session, "Long", 30, conversion_window_days=40)
    edge = draft(session, "Edge")
    midnight = datetime(2026, 4, 1, tzinfo=ZoneInfo(ZONE))
    schedule_campaign(session, SYSTEM, edge, scheduled_at=midnight, at=NOW)
    frame = campaign_calendar(session, as_of=NOW, start=MARCH, end=APRIL)
    assert frame["campaign_id"].tolist() == [long]
    assert frame["window_ends"][0].date() == date(2026, 1, 31) + timedelta(days=40)
    assert edge in set(
        campaign_calendar(session, as_of=NOW, start=APRIL, end=date(2026, 4, 2))["campaign_id"]
    )
    february = campaign_calendar(session, as_of=NOW, start=date(2026, 2, 1), end=date(2026, 2, 8))
    assert february["campaign_id"].tolist() == [old, long]
    assert old not in set(
        campaign_calendar(session, as_of=NOW, start=date(2026, 2, 8), end=MARCH)["campaign_id"]
    )
    with pytest.raises(InvalidPeriod):
        campaign_calendar(session, as_of=NOW, start=MARCH, end=MARCH)


def test_campaigns_known_only_as_totals_are_there_on_their_day(session):
    campaign_id = draft(session, "Newsletter")
    session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id)
        .values(status="completed", launched_at=NOW - days(0.5), source="imported")
    )
    session.execute(insert(CampaignAggregate).values(campaign_id=campaign_id, sent=12_345))
    frame = campaign_calendar(session, as_of=NOW, start=MARCH, end=APRIL)
    assert rows(frame) == [(campaign_id, date(2026, 3, 1), 12_345, "sent")]


def test_drafts_stand_apart_the_last_changed_first(session):
    first, second = draft(session, "First"), draft(session, "Second")
    gone = draft(session, "Archived")
    archive_campaign(session, SYSTEM, gone, at=NOW)
    launched(session, "Launched", 1)
    session.execute(update(Campaign).where(Campaign.id == first).values(updated_at=NOW + days(1)))
    assert undated(session)[["campaign_id", "segment"]].to_numpy().tolist() == [
        [first, "Everybody"],
        [second, "Everybody"],
    ]
    assert not {first, second} & set(
        campaign_calendar(session, as_of=NOW, start=MARCH, end=APRIL)["campaign_id"]
    )


def test_nothing_is_an_empty_frame_with_every_column(session):
    draft(session)
    frame = campaign_calendar(session, as_of=NOW, start=MARCH, end=APRIL)
    assert frame.empty
    assert list(frame) == [
        "campaign_id", "name", "channel", "status", "day", "people", "kind", "window_ends",
    ]  # fmt: skip
    assert not session.scalars(select(Outcome.customer_id)).all()
