"""An emptied table has no rows, all of its columns, indexes and keys, and its rows again after a rollback."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from ma.db.emptying import empty
from ma.models import CustomerScore, Workspace
from tests.analytics import value_world as world
from tests.analytics.test_score_groups import score

AT = datetime(2026, 3, 2, tzinfo=UTC)
SCORE = CustomerScore.__table__


@pytest.fixture
def shop(database):
    with database.writing() as session:
        world.build(session, 20)
        score(session, 20)
    return database


def made(database):
    """What a database knows about the table: columns, indexes and keys."""
    known, name = inspect(database.engine), SCORE.name
    where = {"schema": None if database.engine.dialect.name == "sqlite" else SCORE.schema}
    columns = [(c["name"], str(c["type"]), c["nullable"]) for c in known.get_columns(name, **where)]
    keys = [known.get_pk_constraint(name, **where), known.get_foreign_keys(name, **where)]
    return columns, keys, known.get_indexes(name, **where)


def rows(session):
    return session.scalar(select(func.count()).select_from(SCORE))


def test_an_emptied_table_is_made_as_it_was(shop):
    before = made(shop)
    with shop.writing() as session:
        assert rows(session) == 18
        empty(session, SCORE)
        assert rows(session) == 0
        session.execute(insert(SCORE).values(customer_id=1, model_id=1, scored_at=AT))
    assert made(shop) == before
    with shop.reading() as session:
        assert session.execute(select(SCORE.c.customer_id, SCORE.c.scored_at)).all() == [(1, AT)]
    with pytest.raises(IntegrityError), shop.writing() as session:
        session.execute(insert(SCORE).values(customer_id=1, model_id=1, scored_at=AT))


def fail_after_emptying(shop, reader):
    with shop.writing() as session:
        session.execute(update(Workspace).values(name="Another"))
        empty(session, SCORE)
        assert rows(session) == 0
        assert rows(reader) == 18
        raise RuntimeError


def test_readers_keep_what_they_see_and_a_rollback_brings_it_back(shop):
    with shop.reading() as reader:
        assert rows(reader) == 18
        with pytest.raises(RuntimeError):
            fail_after_emptying(shop, reader)
        assert rows(reader) == 18
    with shop.reading() as session:
        assert rows(session) == 18
        assert session.scalar(select(Workspace.name)) == "Shop"
