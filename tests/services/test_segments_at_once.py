"""Two who change at the same moment what rules refer to: on PostgreSQL the second waits, and is told."""

import pytest

from ma.analytics.segments import segments
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput
from ma.services.attributes import define_attribute, delete_attribute
from ma.services.segments import create_segment, delete_segment, restore_version, update_segment
from tests.services.test_refresh_runs import MARKETER, NOW, OFTEN, build
from tests.services.test_undo_and_refresh import waits_for

ONE, TWO = 1, 2


@pytest.fixture
def team(postgres_url):
    """Two segments, the first of which used the second before, and an own field."""
    database = connect(postgres_url)
    build(database)
    with database.writing() as session:
        for name in ("One", "Two"):
            create_segment(session, MARKETER, name=name, rule=OFTEN, at=NOW)
        update_segment(session, MARKETER, ONE, version=1, rule={"in_segment": TWO}, at=NOW)
        update_segment(session, MARKETER, ONE, version=2, rule=OFTEN, at=NOW)
        define_attribute(session, MARKETER, name="Shoe size", kind="number", at=NOW)
    yield database
    database.close()


def creates(rule):
    return lambda session: create_segment(session, MARKETER, name="New", rule=rule, at=NOW)


def changes(segment_id, version, rule):
    return lambda session: update_segment(session, MARKETER, segment_id, version=version, rule=rule, at=NOW)


def restores(session):
    restore_version(session, MARKETER, ONE, 2, version=3, at=NOW)


def deletes(session):
    delete_segment(session, MARKETER, TWO, at=NOW)


def deletes_field(session):
    delete_attribute(session, MARKETER, 1, at=NOW)


USES_ONE, USES_TWO = {"in_segment": ONE}, {"in_segment": TWO}
USES_FIELD = {"field": "attribute:1", "operator": "gte", "value": 40}
# Who is first, who is second, and what the second is told.
AT_ONCE = {
    "each other": (changes(ONE, 3, USES_TWO), changes(TWO, 1, USES_ONE), "round in a circle"),
    "each other, restored": (restores, changes(TWO, 1, USES_ONE), "round in a circle"),
    "deleted and used": (deletes, changes(ONE, 3, USES_TWO), "Unknown segment 2"),
    "deleted and used by a new one": (deletes, creates(USES_TWO), "Unknown segment 2"),
    "used and deleted": (changes(ONE, 3, USES_TWO), deletes, "cannot be deleted because the rules"),
    "used by a new one and deleted": (creates(USES_TWO), deletes, "cannot be deleted because the rules"),
    "field deleted and used": (deletes_field, changes(ONE, 3, USES_FIELD), "attribute:1"),
    "field deleted and used by a new one": (deletes_field, creates(USES_FIELD), "attribute:1"),
    "field used and deleted": (changes(ONE, 3, USES_FIELD), deletes_field, "cannot be deleted"),
    "field used by a new one and deleted": (creates(USES_FIELD), deletes_field, "cannot be deleted"),
}


@pytest.mark.parametrize("case", AT_ONCE)
def test_of_two_changes_that_do_not_fit_together_the_second_is_refused(team, case):
    first, second, words = AT_ONCE[case]
    told = []

    def rival():
        try:
            with team.writing() as session:
                second(session)
            told.append("saved")
        except (Conflict, InvalidInput) as error:
            told.append(str(error))

    waits_for(first, rival, team)
    assert len(told) == 1
    assert words in told[0]
    with team.reading() as session:
        assert segments(session, as_of=NOW)["problem"].isna().all()
