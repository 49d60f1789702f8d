"""On PostgreSQL no foreign key keeps the members of segments: whoever deletes people waits for refreshes."""

from threading import Thread

import pytest
from sqlalchemy import select

from ma.db.engine import connect
from ma.models import Customer, SegmentMember
from ma.services import imports
from ma.services.segment_refreshing import refresh_segment
from ma.services.segments import create_segment
from tests.services.import_world import AT, MARKETER, bring_in, set_up, take_back

PEOPLE = {"external_id": ["A1", "A2", "A3"], "country": ["DE", "DE", "FR"]}
GERMANS = {"field": "country", "operator": "eq", "value": "DE"}


@pytest.fixture
def team(postgres_url):
    database = connect(postgres_url)
    set_up(database)
    with database.writing() as session:
        create_segment(session, MARKETER, name="Germans", rule=GERMANS, at=AT)
    yield database, bring_in(database, "customers", PEOPLE, "external_id").import_id
    database.close()


def waits_for(session_work, rival_work, database):
    """Do both at once: the second begins before the first has committed, and must wait for it."""
    rival = Thread(target=rival_work)
    with database.writing() as session:
        session_work(session)
        rival.start()
        rival.join(0.5)
        assert rival.is_alive()
    rival.join(10)
    assert not rival.is_alive()


def left(database):
    with database.reading() as session:
        people = set(session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None))))
        return len(people), session.scalars(select(SegmentMember.customer_id)).all(), people


def test_who_is_just_entering_a_segment_is_not_deleted(team):
    database, import_id = team
    undone = []
    waits_for(
        lambda session: refresh_segment(session, MARKETER, 1, at=AT),
        lambda: undone.append(take_back(database, import_id)),
        database,
    )
    count, members, people = left(database)
    assert (count, len(members)) == (2, 2)
    assert set(members) == people
    assert undone[0]["customers_removed"] == 1


def test_who_is_just_being_deleted_does_not_enter_a_segment(team):
    database, import_id = team
    found = []

    def refresh():
        with database.writing() as session:
            found.append(refresh_segment(session, MARKETER, 1, at=AT))

    def undo(session):
        imports.undo(session, MARKETER, import_id, at=AT)

    waits_for(undo, refresh, database)
    assert left(database)[:2] == (0, [])
    assert found[0].size == 0
