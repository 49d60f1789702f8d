"""Saved views: one's own and shared ones."""

from datetime import UTC, datetime

import pytest

from ma.analytics.views import view, views
from ma.db.engine import connect
from ma.errors import InvalidInput, NotFound
from ma.services.views import change_view, delete_view, save_view
from ma.types import Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
ANN, BOB = Actor("ann", Role.VIEWER), Actor("bob", Role.ANALYST)
CHIEF = Actor("chief", Role.ADMIN)
PARAMS = {"q": "zoë", "rule": '{"field": "orders", "operator": "gte", "value": 3}', "sort": "spend"}


@pytest.fixture
def session(sqlite_url):
    """One open transaction."""
    database = connect(sqlite_url)
    with database.writing() as session:
        yield session
    database.close()


def save(session, actor, name, **values) -> int:
    return save_view(session, actor, screen="customers", name=name, at=AT, **{"params": PARAMS} | values)


def names(session, actor) -> list[str]:
    return views(session, screen="customers", owner=actor.username)["name"].tolist()


def test_a_view_comes_back_as_it_was_saved(session):
    view_id = save(session, ANN, "  Best Ones ")
    kept = view(session, view_id, screen="customers", owner="ann")
    assert (kept.name, kept.owner, kept.shared, kept.params) == ("Best Ones", "ann", False, PARAMS)
    change_view(session, ANN, view_id, params={"q": "x"}, shared=True, at=AT)
    kept = view(session, view_id, screen="customers", owner="ann")
    assert (kept.name, kept.shared, kept.params) == ("Best Ones", True, {"q": "x"})


def test_ones_own_views_come_first_and_others_only_where_they_are_shared(session):
    save(session, BOB, "Anybody's", shared=True)
    hidden = save(session, BOB, "Bob's own")
    save(session, ANN, "zeta")
    save(session, ANN, "Beta")
    save_view(session, ANN, screen="campaigns", name="Elsewhere", params={}, at=AT)
    assert names(session, ANN) == ["Beta", "zeta", "Anybody's"]
    assert names(session, BOB) == ["Anybody's", "Bob's own"]
    with pytest.raises(NotFound, match="does not share it"):
        view(session, hidden, screen="customers", owner="ann")


def test_only_its_owner_changes_a_view_and_an_admin_may_delete_a_shared_one(session):
    shared, own = save(session, BOB, "Shared", shared=True), save(session, BOB, "Own")
    for view_id in (shared, own):
        with pytest.raises(NotFound):
            change_view(session, ANN, view_id, params={}, at=AT)
        with pytest.raises(NotFound):
            delete_view(session, ANN, view_id, at=AT)
    with pytest.raises(NotFound):
        delete_view(session, CHIEF, own, at=AT)
    delete_view(session, CHIEF, shared, at=AT)
    delete_view(session, BOB, own, at=AT)
    assert names(session, BOB) == []


@pytest.mark.parametrize(
    ("name", "params", "problem"),
    [
        ("", {}, "Give the view a name"),
        ("BEST ones", {}, "already have a view"),
        ("a\nb", {}, "control characters"),
        ("x" * 101, {}, "too long"),
        ("a", {"q": "\0"}, "text of an address"),
        ("a", {"q": 1}, "text of an address"),
        ("a", {"rule": "x" * 200_000}, "too long"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_the_remedy(session, name, params, problem):
    save(session, ANN, "Best ones")
    save(session, BOB, "a")
    with pytest.raises(InvalidInput, match=problem):
        save(session, ANN, name, params=params)
    assert names(session, ANN) == ["Best ones"]
