"""Saving, refreshing and deleting segments."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from ma.analytics import segments as analytics
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Audit, Campaign, Customer, OutboxEvent, Segment, SegmentMember, SegmentRefresh
from ma.services.segments import (
    Refresh,
    create_segment,
    create_static_segment,
    delete_segment,
    refresh_segment,
    update_segment,
)
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
MARKETER = Actor("mia", Role.MARKETER)
ANALYST = Actor("ann", Role.ANALYST)
LOYAL = {"field": "orders", "operator": "gte", "value": 10}


def add_customers(session, *orders: int) -> None:
    session.execute(
        insert(Customer.__table__),
        [
            {
                "id": i,
                "orders": n,
                "split_bucket": i,
                "search_text": "",
                "consent_email": True,
                "spend_minor": 0,
            }
            | {"consent_sms": False, "consent_push": False, "consent_direct_mail": False, "visits": 0}
            | {"created_at": NOW, "updated_at": NOW, "version": 1}
            for i, n in enumerate(orders, start=1)
        ],
    )


@pytest.fixture
def session(database):
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="America/New_York", currency="USD", at=NOW)
        add_customers(session, 3, 10, 25, 0)
        yield session


def entered(session, segment_id: int) -> dict[int, datetime]:
    rows = session.execute(
        select(SegmentMember.customer_id, SegmentMember.entered_at).where(
            SegmentMember.segment_id == segment_id
        )
    )
    return dict(rows.all())


def events(session) -> list[tuple[str, dict]]:
    return [(e.type, e.payload) for e in session.scalars(select(OutboxEvent).order_by(OutboxEvent.id))]


def test_a_segment_is_saved_with_its_audit_entry_and_event(session):
    segment_id = create_segment(session, MARKETER, name="  Loyal ", rule=LOYAL, description="Often", at=NOW)
    saved = analytics.segment(session, segment_id)
    assert (saved.name, saved.rule, saved.description) == ("Loyal", LOYAL, "Often")
    assert (saved.size, saved.refreshed_at, saved.version, saved.created_by) == (None, None, 1, "mia")
    assert events(session) == [("SegmentCreated", {"segment_id": segment_id})]
    entry = session.scalars(select(Audit).where(Audit.noun == "segment")).one()
    assert (entry.actor, entry.action, entry.object_id) == ("mia", "create", str(segment_id))


def test_every_problem_is_told_at_once_and_nothing_is_saved(session):
    with pytest.raises(InvalidInput) as refused:
        create_segment(
            session,
            MARKETER,
            name=" ",
            rule={"all": [{"field": "agee", "operator": "gt", "value": 3}]},
            description="x" * 1001,
            at=NOW,
        )
    assert refused.value.problems == {
        "name": "Give the segment a name.",
        "description": "The description is too long. Use at most 1,000 characters.",
        "rule": "Unknown field 'agee' in all[0]. Did you mean 'age'?",
    }
    assert session.scalar(select(func.count()).select_from(Segment)) == 0
    assert events(session) == []


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines", "nul\0", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(session, name):
    with pytest.raises(InvalidInput):
        create_segment(session, MARKETER, name=name, rule=LOYAL, at=NOW)


UNSEEN = ["\u200b", "\u200d", "\u2060\ufeff", "\u3164", "\u2800", "Loyal\u200b", "Loyal\u202e", "Lo\u00adyal"]


@pytest.mark.parametrize("name", UNSEEN)
def test_a_name_of_which_something_cannot_be_seen_is_refused(session, name):
    create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    with pytest.raises(InvalidInput, match=r"cannot be seen|Give the segment a name"):
        create_segment(session, MARKETER, name=name, rule=LOYAL, at=NOW)
    with pytest.raises(InvalidInput, match=r"cannot be seen|Give the segment a name"):
        create_static_segment(session, MARKETER, name=name, at=NOW)


def test_emoji_and_scripts_that_need_joiners_are_names_but_tell_no_two_apart(session):
    for name in ("\U0001f469\u200d\U0001f680 fans", "\u2764\ufe0f", "\u0645\u06cc\u200c\u062e"):
        segment_id = create_segment(session, MARKETER, name=name, rule=LOYAL, at=NOW)
        assert analytics.segment(session, segment_id).name == name
    create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    for name in ("Loyal\u200d", "\u200cLoyal", "Loy\ufe0fal"):
        with pytest.raises(InvalidInput, match="already a segment named “Loyal”"):
            create_segment(session, MARKETER, name=name, rule=LOYAL, at=NOW)


def test_names_are_unique_whatever_their_case(session):
    create_segment(session, MARKETER, name="Straße", rule=LOYAL, at=NOW)
    other = create_segment(session, MARKETER, name="Other", rule=LOYAL, at=NOW)
    with pytest.raises(InvalidInput, match="already a segment named “Straße”"):
        create_segment(session, MARKETER, name="STRASSE", rule=LOYAL, at=NOW)
    with pytest.raises(InvalidInput, match="already a segment named “Straße”"):
        update_segment(session, MARKETER, other, version=1, name="strasse", at=NOW)
    update_segment(session, MARKETER, other, version=1, name="OTHER", at=NOW)


def test_an_update_says_what_changed_and_keeps_the_rest(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, description="Often", at=NOW)
    rule = LOYAL | {"value": 20}
    changed = update_segment(session, MARKETER, segment_id, version=1, name="Loyal", rule=rule, at=LATER)
    saved = analytics.segment(session, segment_id)
    assert changed == ["rule"]
    assert (saved.rule, saved.description, saved.version, saved.updated_at) == (rule, "Often", 2, LATER)
    assert update_segment(session, MARKETER, segment_id, version=2, rule=rule, at=LATER) == []
    assert analytics.segment(session, segment_id).version == 2
    assert [kind for kind, _ in events(session)] == ["SegmentCreated", "SegmentUpdated"]


def test_the_second_of_two_editors_is_told_and_changes_nothing(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    update_segment(session, MARKETER, segment_id, version=1, name="Faithful", at=NOW)
    with pytest.raises(Conflict, match="reload and try again"):
        update_segment(session, MARKETER, segment_id, version=1, name="True", at=NOW)
    assert analytics.segment(session, segment_id).name == "Faithful"


def test_a_refresh_lets_people_enter_and_leave_and_others_stay(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    first = refresh_segment(session, MARKETER, segment_id, at=NOW)
    assert first == Refresh(segment_id, size=2, entered=2, left=0, duration_ms=first.duration_ms)
    session.execute(update(Customer).where(Customer.id == 1).values(orders=11))
    session.execute(update(Customer).where(Customer.id == 2).values(orders=9))
    second = refresh_segment(session, MARKETER, segment_id, at=LATER)
    assert (second.size, second.entered, second.left) == (2, 1, 1)
    assert entered(session, segment_id) == {1: LATER, 3: NOW}
    saved = analytics.segment(session, segment_id)
    assert (saved.size, saved.refreshed_at, saved.version) == (2, LATER, 1)
    history = session.scalars(select(SegmentRefresh).order_by(SegmentRefresh.id)).all()
    assert [(r.as_of, r.size, r.entered, r.left) for r in history] == [(NOW, 2, 2, 0), (LATER, 2, 1, 1)]
    assert events(session)[-1] == (
        "SegmentRefreshed",
        {"segment_id": segment_id, "size": 2, "entered": 1, "left": 1},
    )


def test_a_refresh_leaves_other_segments_and_deleted_customers_alone(session):
    everybody = {"field": "orders", "operator": "gte", "value": 0}
    one = create_segment(session, MARKETER, name="One", rule=everybody, at=NOW)
    two = create_segment(session, MARKETER, name="Two", rule=everybody, at=NOW)
    assert refresh_segment(session, MARKETER, one, at=NOW).size == 4
    assert refresh_segment(session, MARKETER, two, at=NOW).size == 4
    session.execute(update(Customer).where(Customer.id == 4).values(deleted_at=NOW))
    assert refresh_segment(session, MARKETER, two, at=LATER).left == 1
    assert set(entered(session, one)) == {1, 2, 3, 4}
    assert set(entered(session, two)) == {1, 2, 3}


def test_a_refresh_uses_the_time_zone_of_the_workspace(session):
    # 03:30 UTC on the 22nd is still the 21st in New York.
    session.execute(
        update(Customer)
        .where(Customer.id == 1)
        .values(last_order_at=datetime(2026, 11, 22, 3, 30, tzinfo=UTC))
    )
    rule = {"field": "last_order", "operator": "on", "value": "2026-11-21"}
    segment_id = create_segment(session, MARKETER, name="That day", rule=rule, at=NOW)
    refresh_segment(session, MARKETER, segment_id, at=NOW)
    assert set(entered(session, segment_id)) == {1}


def test_a_refresh_that_fails_changes_nothing(database):
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="USD", at=NOW)
        add_customers(session, 10)
        segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    with contextlib.suppress(ZeroDivisionError), database.writing() as session:
        assert refresh_segment(session, MARKETER, segment_id, at=NOW).entered == 1
        1 / 0
    with database.writing() as session:
        assert entered(session, segment_id) == {}
        assert analytics.segment(session, segment_id).size is None
        assert refresh_segment(session, MARKETER, segment_id, at=LATER).entered == 1


def test_a_segment_in_use_is_not_deleted_and_the_campaigns_are_named(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    refresh_segment(session, MARKETER, segment_id, at=NOW)
    session.add(
        Campaign(
            name="Spring sale",
            name_folded="spring sale",
            channel="email",
            status="draft",
            source="simulated",
            segment_id=segment_id,
            conversion_window_days=7,
            steps="sent",
            created_by="mia",
            created_at=NOW,
            updated_at=NOW,
        )
    )
    session.flush()
    with pytest.raises(Conflict, match="Spring sale"):
        delete_segment(session, MARKETER, segment_id, at=NOW)
    assert set(entered(session, segment_id)) == {2, 3}


def test_deleting_takes_members_and_history_along_but_no_customer(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    refresh_segment(session, MARKETER, segment_id, at=NOW)
    delete_segment(session, MARKETER, segment_id, at=NOW)
    for table in (Segment, SegmentMember, SegmentRefresh):
        assert session.scalar(select(func.count()).select_from(table)) == 0
    assert session.scalar(select(func.count()).select_from(Customer)) == 4
    assert events(session)[-1] == ("SegmentDeleted", {"segment_id": segment_id})


def test_a_segment_that_somebody_changed_meanwhile_is_not_deleted(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    update_segment(session, MARKETER, segment_id, version=1, name="Faithful", at=NOW)
    with pytest.raises(Conflict, match="reload and try again"):
        delete_segment(session, MARKETER, segment_id, version=1, at=NOW)
    assert analytics.segment(session, segment_id).name == "Faithful"
    delete_segment(session, MARKETER, segment_id, version=2, at=NOW)


def test_a_tab_left_open_cannot_change_the_next_segment(session):
    mine = create_segment(session, MARKETER, name="Mine", rule=LOYAL, at=NOW)
    delete_segment(session, MARKETER, mine, at=NOW)
    theirs = create_segment(session, MARKETER, name="Theirs", rule=LOYAL, at=NOW)
    assert theirs != mine
    with pytest.raises(NotFound, match=f"no segment {mine}"):
        update_segment(session, MARKETER, mine, version=1, name="Mine again", at=NOW)


def test_a_refresh_for_an_earlier_time_does_not_set_the_segment_back(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    refresh_segment(session, MARKETER, segment_id, at=LATER)
    session.execute(update(Customer).where(Customer.id == 1).values(orders=11))
    assert refresh_segment(session, MARKETER, segment_id, at=NOW).entered == 1
    assert analytics.segment(session, segment_id).refreshed_at == LATER
    assert set(entered(session, segment_id).values()) == {LATER}
    assert set(session.scalars(select(SegmentRefresh.as_of))) == {LATER}


def test_only_marketers_may_change_segments(session):
    segment_id = create_segment(session, MARKETER, name="Loyal", rule=LOYAL, at=NOW)
    for forbidden in (
        lambda: create_segment(session, ANALYST, name="X", rule=LOYAL, at=NOW),
        lambda: update_segment(session, ANALYST, segment_id, version=1, name="X", at=NOW),
        lambda: refresh_segment(session, ANALYST, segment_id, at=NOW),
        lambda: delete_segment(session, ANALYST, segment_id, at=NOW),
    ):
        with pytest.raises(NotAllowed, match="role marketer"):
            forbidden()


def test_a_segment_that_is_gone_is_said_to_be(session):
    for change in (
        lambda: update_segment(session, MARKETER, 99, version=1, name="X", at=NOW),
        lambda: refresh_segment(session, MARKETER, 99, at=NOW),
        lambda: delete_segment(session, MARKETER, 99, at=NOW),
        lambda: analytics.members(session, as_of=NOW, segment_id=99),
    ):
        with pytest.raises(NotFound, match="no segment 99"):
            change()
