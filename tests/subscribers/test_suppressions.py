"""Lifting a suppression by hand: once, told, noted, and not for ever."""

import pytest
from sqlalchemy import select

from ma.errors import Conflict, InvalidInput, NotAllowed
from ma.models import Audit
from ma.subscribers.suppressions import lift_suppression
from ma.types import Actor, Role
from tests.subscribers.bus_world import AT, HOUR, outcomes
from tests.subscribers.test_service import recorded, suppressed, tell

MIA = Actor("mia", Role.MARKETER)


def lift(database, actor=MIA, customer_id=1, *, channel="email", why="address corrected", at=AT + HOUR):
    with database.writing() as session:
        lift_suppression(session, actor, customer_id, channel=channel, why=why, at=at)


def test_a_lifted_suppression_is_gone_told_and_noted_with_its_reason(database):
    tell(database, outcomes("bounced", 1, 2), outcomes("bounced", 1, channel="sms", campaign_id=2))
    lift(database)
    assert suppressed(database) == [(1, "sms", "bounced"), (2, "email", "bounced")]
    told = {"channel": "email", "reason": "bounced", "customer_ids": [1]}
    assert recorded(database)[-1] == ("SuppressionsLifted", told)
    with database.reading() as session:
        entry = session.execute(select(Audit)).scalar_one()
    assert (entry.actor, entry.action, entry.noun, entry.object_id) == ("mia", "lift", "suppression", "1")
    assert entry.detail == {"channel": "email", "reason": "bounced", "why": "address corrected"}
    with pytest.raises(Conflict):
        lift(database)


def test_a_later_bounce_suppresses_again(database):
    tell(database, outcomes("bounced", 1))
    lift(database)
    tell(database, outcomes("bounced", 1, campaign_id=2, at=AT + 2 * HOUR), at=AT + 2 * HOUR)
    assert suppressed(database) == [(1, "email", "bounced")]


def test_who_may_not_or_does_not_say_why_changes_nothing(database):
    tell(database, outcomes("complained", 1))
    with pytest.raises(NotAllowed):
        lift(database, Actor("ann", Role.ANALYST))
    with pytest.raises(InvalidInput):
        lift(database, why="because")
    assert suppressed(database) == [(1, "email", "complained")]
    assert [type_ for type_, _ in recorded(database)].count("SuppressionsLifted") == 0
