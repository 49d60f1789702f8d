"""Who could be sent each of several campaigns, counted at once: against the launch's own waterfall."""

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from ma.analytics import segments
from ma.analytics.budget_plan import Wanted, crowded
from ma.analytics.contactable import FREQUENCY_CAP
from ma.db.engine import connect
from ma.models import Customer
from ma.services import audience
from ma.services.launches import launch_campaign
from ma.services.segments import add_members, create_static_segment, refresh_segment
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft

PEOPLE = 300
EMAIL, SMS = Channel.EMAIL, Channel.SMS


def listed(session, name, ids):
    """A segment of exactly these people."""
    segment_id = create_static_segment(session, SYSTEM, name=name, at=NOW - days(60))
    add_members(session, SYSTEM, segment_id, segments.these(list(ids)), at=NOW - days(60))
    return segment_id


@pytest.fixture
def lived_in(database):
    """300 people with a history: mailed 1 to 20 days ago, some left, some gone, some who never agreed."""
    with database.writing() as session:
        world.build(session, PEOPLE)
        refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW - days(50))
        first = listed(session, "First", range(1, 121))
        late = listed(session, "Late", range(80, 301))
        for before, segment_id in ((20, late), (5, first), (2, late), (1, late)):
            launched = draft(session, name=f"{before} days ago", channel=EMAIL, segment_id=segment_id)
            launch_campaign(session, SYSTEM, launched, at=NOW - days(before), seed=before)
        session.execute(update(Customer).where(Customer.id < 10).values(deleted_at=NOW - days(3)))
        session.execute(update(Customer).where(Customer.id.between(20, 40)).values(consent_sms=False))
        session.execute(update(Customer).where(Customer.id.between(50, 60)).values(engagement=None))
        session.execute(
            update(Customer)
            .where(Customer.id.between(50, 70))
            .values(orders=0, spend_minor=0, first_order_at=None, last_order_at=None)
        )
        yield session


def test_each_campaigns_people_are_those_of_its_own_launch(lived_in):
    wanted = [
        Wanted(1, EMAIL, world.SEGMENT, (), NOW),
        Wanted(2, SMS, world.SEGMENT, (2,), NOW),
        Wanted(3, EMAIL, 3, (2,), NOW + days(4)),
        Wanted(4, SMS, 3, (), NOW + days(30)),
    ]
    found = crowded(lived_in, wanted, at=NOW)
    seen = set()
    for each in wanted:
        people = audience.members(lived_in, each.segment_id, each.channel, at=each.at, excluded=each.excluded)
        expected, steps = audience.eligible(people, each.channel)
        mine = found.audience(each)
        own = found.recipients(each, mine)
        assert mine.people == len(expected)
        assert list(mine.waterfall.values())[-1] == steps[-1].people
        assert mine.waterfall["not left out"] == next(s.people for s in steps if s.step == "not excluded")
        for name in own:
            pd.testing.assert_series_equal(
                own[name].astype(float), expected[name].astype(float).reset_index(drop=True), obj=name
            )
        room = mine.room[mine.room > 0]
        assert room.tolist() == (FREQUENCY_CAP - expected["week_messages"].to_numpy()).tolist()
        seen |= set(room.tolist())
    assert seen == {1, 2, 3}


def test_messages_of_the_future_do_not_count(sqlite_url):
    """A wave of tomorrow is stored today already; a plan of today does not know it."""
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, 40)
        refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW - days(2))
        for day in (-1, 1):
            sent = draft(session, name=f"Day {day}", channel=EMAIL)
            launch_campaign(session, SYSTEM, sent, at=NOW + days(day), seed=1)
        each = Wanted(1, SMS, world.SEGMENT, (), NOW + days(2))
        for at, messages in ((NOW, 1), (NOW + days(2), 2)):
            found = crowded(session, [each], at=at)
            mine = found.audience(each)
            assert set(found.recipients(each, mine)["recent_messages"]) == {messages}
            assert set(mine.room) == {FREQUENCY_CAP - messages}
    database.close()


def test_nobody_is_no_error(database):
    with database.writing() as session:
        world.build(session, 3)
        session.execute(update(Customer).values(deleted_at=NOW))
        each = Wanted(1, EMAIL, world.SEGMENT, (), NOW)
        found = crowded(session, [each], at=NOW)
        mine = found.audience(each)
        assert mine.people == 0
        assert mine.waterfall["segment"] == 0
        assert len(found.recipients(each, mine)) == 0
        assert np.isnan(found.facts["engagement"]).all()
