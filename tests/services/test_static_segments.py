"""Static segments: lists that people keep by hand, with their history, and campaigns sent to them."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from ma.analytics import segments as analytics
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed
from ma.models import Audit, Campaign, Customer, OutboxEvent, Outcome, SegmentMember
from ma.services import due
from ma.services.campaigns import schedule_campaign
from ma.services.launches import launch_campaign
from ma.services.segments import (
    Refresh,
    add_members,
    create_static_segment,
    delete_segment,
    refresh_segment,
    remove_members,
    update_segment,
)
from ma.types import SYSTEM, Actor, Role
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW

MARKETER, ANALYST = Actor("mia", Role.MARKETER), Actor("ann", Role.ANALYST)


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, people=20)
        yield session


def people(*ids):
    return select(Customer.id).where(Customer.id.in_(ids))


def on_list(session, segment_id):
    return analytics.members(session, as_of=NOW, segment_id=segment_id)["customer_id"].tolist()


def test_people_are_put_on_a_list_and_taken_off(session):
    segment_id = create_static_segment(session, MARKETER, name="Guests", description="Of May", at=NOW)
    assert analytics.segment(session, segment_id).size == 0
    assert add_members(session, MARKETER, segment_id, people(1, 2, 3), at=NOW) == 3
    assert add_members(session, MARKETER, segment_id, people(3, 4), at=NOW) == 1
    assert remove_members(session, MARKETER, segment_id, people(1, 9), at=NOW) == 1
    assert remove_members(session, MARKETER, segment_id, people(1), at=NOW) == 0
    assert on_list(session, segment_id) == [2, 3, 4]
    history = analytics.size_history(session, as_of=NOW, segment_id=segment_id)
    changes = history[["size", "entered", "left"]].to_numpy().tolist()
    assert changes == [[3, 3, 0], [4, 1, 0], [3, 0, 1]]
    session.flush()
    entries = session.execute(select(Audit.action, Audit.detail).where(Audit.object_id == str(segment_id)))
    assert [(a, d) for a, d in entries if "members" in a] == [
        ("add members", {"customers": 3}), ("add members", {"customers": 1}),
        ("remove members", {"customers": 1}),
    ]  # fmt: skip
    told = session.scalars(select(OutboxEvent.payload).where(OutboxEvent.type == "SegmentRefreshed")).all()
    assert [(event["entered"], event["left"]) for event in told] == [(3, 0), (1, 0), (0, 1)]


def test_a_refresh_changes_nothing_but_takes_the_deleted_off(session):
    segment_id = create_static_segment(session, MARKETER, name="Guests", at=NOW)
    add_members(session, MARKETER, segment_id, people(1, 2), at=NOW)
    entered = session.execute(select(SegmentMember.__table__)).all()
    again = refresh_segment(session, MARKETER, segment_id, at=NOW + timedelta(days=1))
    assert again == Refresh(segment_id, 2, 0, 0, again.duration_ms)
    assert session.execute(select(SegmentMember.__table__)).all() == entered
    session.execute(update(Customer).where(Customer.id == 2).values(deleted_at=NOW))
    gone = refresh_segment(session, MARKETER, segment_id, at=NOW + timedelta(days=2))
    assert (gone.size, gone.entered, gone.left) == (1, 0, 1)
    assert add_members(session, MARKETER, segment_id, people(2), at=NOW) == 0


def test_lists_stand_among_segments_and_say_what_they_are(session):
    segment_id = create_static_segment(session, MARKETER, name="Guests", at=NOW)
    frame = analytics.segments(session, as_of=NOW).set_index("name")
    assert frame.loc["Guests", "rule"] == "Static list"
    assert frame["static"].to_dict() == {"Everybody": False, "Guests": True}
    assert frame["stale"].to_dict() == {"Everybody": True, "Guests": False}
    assert update_segment(session, MARKETER, segment_id, version=1, name="Friends", at=NOW) == ["name"]
    assert not analytics.segment(session, segment_id).stale
    with pytest.raises(InvalidInput, match="static list and has no rule"):
        update_segment(session, MARKETER, segment_id, version=2, rule=world.EVERYBODY, at=NOW)
    with pytest.raises(InvalidInput, match="already a segment"):
        create_static_segment(session, MARKETER, name="FRIENDS", at=NOW)


def test_only_lists_are_kept_by_hand_and_only_by_those_who_may(session):
    with pytest.raises(Conflict, match="chooses its people by its rule"):
        add_members(session, MARKETER, world.SEGMENT, people(1), at=NOW)
    with pytest.raises(Conflict, match="chooses its people by its rule"):
        remove_members(session, MARKETER, world.SEGMENT, people(1), at=NOW)
    for change in (
        lambda: create_static_segment(session, ANALYST, name="Guests", at=NOW),
        lambda: add_members(session, ANALYST, world.SEGMENT, people(1), at=NOW),
        lambda: remove_members(session, ANALYST, world.SEGMENT, people(1), at=NOW),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_a_campaign_is_sent_to_the_list(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, people=20)
        segment_id = create_static_segment(session, MARKETER, name="Guests", at=NOW)
        add_members(session, MARKETER, segment_id, people(3, 5, 7), at=NOW)
        now, later = (world.draft(session, name=name, segment_id=segment_id) for name in ("Now", "Later"))
        launch = launch_campaign(session, SYSTEM, now, at=NOW)
        assert launch.sent == 3
        in_it = session.scalars(select(Outcome.customer_id).where(Outcome.campaign_id == now))
        assert sorted(in_it) == [3, 5, 7]
        assert session.scalar(select(Campaign.rule).where(Campaign.id == now)) is None
        # By itself, when its time has come: with whoever is on the list then.
        schedule_campaign(session, SYSTEM, later, scheduled_at=NOW + timedelta(days=20), at=NOW)
        remove_members(session, MARKETER, segment_id, people(3), at=NOW + timedelta(days=1))
        due.catch_up(session, at=NOW + timedelta(days=20))
        waterfall = session.scalar(select(Campaign.eligibility).where(Campaign.id == later))
        assert waterfall[0] == {"step": "audience", "people": 2}
        sent = session.scalars(select(Outcome.customer_id).where(Outcome.campaign_id == later)).all()
        assert 1 <= len(sent) <= 2
        assert 3 not in sent
        with pytest.raises(Conflict, match="campaigns use it"):
            delete_segment(session, MARKETER, segment_id, at=NOW)
    database.close()
