"""Ids in the address are whatever people type."""

import pytest
from sqlalchemy import update

from ma import clock
from ma.models import Campaign
from ma.services.campaigns import create_campaign
from ma.services.segments import create_segment
from ma.text import whole_number
from ma.types import SYSTEM
from tests.pages.conftest import screen  # noqa: F401


@pytest.fixture
def launched(workbench):
    """A launched campaign, so that every screen has something to show."""
    at = clock.now()
    with workbench.writing() as session:
        rule = {"all": [{"field": "consent_push", "operator": "eq", "value": True}]}
        segment_id = create_segment(session, SYSTEM, name="Agreed", description="", rule=rule, at=at)
        create_campaign(
            session, SYSTEM, at=at, name="Hello", channel="push", segment_id=segment_id, subject="A", body="B"
        )
        session.execute(update(Campaign).values(status="running", launched_at=at))


@pytest.mark.parametrize("wanted", ["²", "9" * 18, "9" * 23])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customers", "no customer"),
        ("segments", "no segment"),
        ("campaigns", "no campaign"),
        ("results", None),
    ],
)
def test_what_is_no_id_is_told_plainly(launched, act_as, screen, name, wanted, words):  # noqa: F811
    act_as("viewer")
    shown = screen(name, id=wanted, campaigns=wanted)
    assert not shown.exception
    errors = " ".join(error.value for error in shown.error)
    assert words in errors if words else not errors


def test_a_whole_number_is_plain_digits():
    assert [whole_number(text) for text in ("0", "12", "9" * 9)] == [0, 12, 10**9 - 1]
    for text in ("", "²", "١", "1_0", " 1", "-1", "1.0", "9" * 10):
        assert whole_number(text) is None
    assert whole_number("9" * 18, digits=18) == 10**18 - 1
