"""Tagging, listing and erasing everybody whom a search finds."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from sqlalchemy import select

from ma.analytics.customers import Search, customer_count
from ma.errors import Conflict, InvalidInput, InvalidRule, NotAllowed
from ma.models import Audit, Customer, SegmentMember
from ma.services import customer_actions as actions
from ma.services.customers import import_customers
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
ANALYST, MARKETER = Actor("ann", Role.ANALYST), Actor("max", Role.MARKETER)
SMITHS = Search("smith", consent=("email",))


@pytest.fixture
def people(database) -> list[int]:
    """Forty customers; every second one is a Smith, every fourth one allows e-mail too."""
    frame = pd.DataFrame(
        {
            "first_name": [f"Canary{i:02d}" for i in range(40)],
            "last_name": ["Smith", "Jones"] * 20,
            "consent_email": [i % 4 == 0 for i in range(40)],
        }
    )
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="Europe/Berlin", currency="EUR", at=AT)
        return import_customers(session, SYSTEM, frame, source="test", at=AT).tolist()


def count(session, search) -> int:
    return customer_count(session, search, as_of=AT).people


def test_everybody_found_is_tagged_listed_and_untagged(database, people):
    with database.writing() as session:
        assert actions.tag_found(session, MARKETER, SMITHS, name="VIP", at=AT) == 10
        assert actions.tag_found(session, MARKETER, Search("smith"), name="vip", at=AT) == 10
        assert count(session, Search(tag="VIP")) == 20
        assert actions.untag_found(session, MARKETER, SMITHS, name="VIP", at=AT) == 10
        assert count(session, Search(tag="VIP")) == 10
        list_id, added = actions.add_found_to_segment(session, MARKETER, SMITHS, name="Smiths", at=AT)
        assert added == 10
        every_smith = Search("smi")
        same = {"segment_id": list_id, "at": AT}
        assert actions.add_found_to_segment(session, MARKETER, every_smith, **same) == (list_id, 10)
        members = session.scalars(
            select(SegmentMember.customer_id).where(SegmentMember.segment_id == list_id)
        ).all()
        assert sorted(members) == people[::2]
        rule = {"field": "first_name", "operator": "eq", "value": "canary00"}
        assert actions.tag_found(session, MARKETER, Search("smith", rule), name="One", at=AT) == 1


def test_only_as_many_are_erased_as_were_confirmed(database, people):
    with database.writing() as session:
        with pytest.raises(Conflict, match="finds 10 customers by now, not 11"):
            actions.erase_found(session, SYSTEM, SMITHS, expected=11, at=AT)
        assert count(session, Search()) == 40
        assert actions.erase_found(session, SYSTEM, SMITHS, expected=10, at=AT) == 10
        assert count(session, Search()) == 30
        assert count(session, Search("smith")) == 10
        gone = session.scalars(select(Customer.first_name).where(Customer.id.in_(people[::4]))).all()
        assert gone == [None] * 10
        noted = " ".join(str(row) for row in session.scalars(select(Audit.detail)).all())
        assert "anary" not in noted


def test_each_role_does_only_what_it_may_and_mistakes_change_nothing(database, people):
    with database.writing() as session:
        for act in (actions.tag_found, actions.untag_found, actions.add_found_to_segment):
            with pytest.raises(NotAllowed):
                act(session, ANALYST, SMITHS, name="x", at=AT)
        with pytest.raises(NotAllowed):
            actions.erase_found(session, MARKETER, SMITHS, expected=10, at=AT)
        with pytest.raises(InvalidInput):
            actions.tag_found(session, MARKETER, SMITHS, name=" ", at=AT)
        with pytest.raises(InvalidRule):
            actions.tag_found(session, MARKETER, Search(rule={"field": "x"}), name="a", at=AT)
        with pytest.raises(InvalidInput):
            actions.add_found_to_segment(session, MARKETER, SMITHS, name="", at=AT)
        assert count(session, Search(tag="x")) == count(session, Search(tag="a")) == 0
