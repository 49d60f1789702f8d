"""Scores go with the people they are about: undone imports, erased and merged customers."""

import pytest
from sqlalchemy import func, select

from ma.analytics.person import everything
from ma.db import secret
from ma.db.engine import connect
from ma.models import Customer, CustomerScore
from ma.services import imports, scoring
from ma.services.erasing import erase_customers
from ma.services.merging import merge_customers
from ma.types import SYSTEM
from tests.services.import_world import AT, MARKETER, bring_in, set_up, take_back
from tests.services.test_undo_and_refresh import waits_for

PEOPLE = {"external_id": ["A1", "A2", "A3"], "country": ["DE", "DE", "FR"]}


def with_people(database):
    set_up(database)
    return bring_in(database, "customers", PEOPLE, "external_id").import_id


def rows(database):
    """How many customers there are, how many scores, and how many of these are of no customer."""
    with database.reading() as session:
        people = select(Customer.id).where(Customer.deleted_at.is_(None))
        scores = select(func.count()).select_from(CustomerScore)
        astray = scores.where(CustomerScore.customer_id.not_in(people))
        return len(session.scalars(people).all()), session.scalar(scores), session.scalar(astray)


def test_scores_do_not_keep_an_import_from_being_undone(database):
    import_id = with_people(database)
    scoring.score_customers(database, SYSTEM, at=AT)
    assert rows(database) == (3, 3, 0)
    assert take_back(database, import_id)["customers_removed"] == 3
    assert rows(database) == (0, 0, 0)


def test_whoever_is_erased_or_merged_leaves_no_scores(database, tmp_path, monkeypatch):
    monkeypatch.setattr(secret, "DATA", tmp_path)
    with_people(database)
    scoring.score_customers(database, SYSTEM, at=AT)
    with database.writing() as session:
        first, second, third = session.scalars(select(Customer.id).order_by(Customer.id))
        merge_customers(session, SYSTEM, keep_id=first, other_id=second, versions=(1, 1), at=AT)
        erase_customers(session, SYSTEM, select(Customer.id).where(Customer.id == third), at=AT)
    assert rows(database) == (1, 1, 0)


def test_a_copy_of_everything_holds_the_scores_and_how_sure_they_are(database):
    with_people(database)
    scoring.score_customers(database, SYSTEM, at=AT)
    with database.reading() as session:
        first = session.scalar(select(func.min(Customer.id)))
        [scores] = everything(session, first, as_of=AT)["scores"]
    assert scores["model_status"] == "unfit"
    assert {name for name in scores if scores[name] is not None} == {
        "scored_at", "model_status", "model_version",
    }  # fmt: skip


@pytest.fixture
def team(postgres_url):
    database = connect(postgres_url)
    yield database, with_people(database)
    database.close()


def test_who_is_just_being_scored_is_not_removed_before(team):
    """On PostgreSQL no foreign key keeps a customer for their scores."""
    database, import_id = team
    with database.reading() as session:
        found = scoring.scores(session, at=AT)
    waits_for(
        lambda session: scoring.store(session, SYSTEM, found),
        lambda: take_back(database, import_id),
        database,
    )
    assert rows(database) == (0, 0, 0)


def test_who_is_just_being_removed_is_not_scored(team):
    database, import_id = team
    with database.reading() as session:
        found = scoring.scores(session, at=AT)

    def store():
        with database.writing() as session:
            assert scoring.store(session, SYSTEM, found) == 0

    waits_for(lambda session: imports.undo(session, MARKETER, import_id, at=AT), store, database)
    assert rows(database) == (0, 0, 0)
