"""Lengths of time, events and what was done with a case, as screens say them."""

from types import SimpleNamespace

import pytest

from ma.events.messages import MESSAGES
from ui.activity_words import event, span
from ui.lead_words import STAGES, action, person


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (float("nan"), "–"),
        (0, "0 s"),
        (0.43, "0.4 s"),
        (9.96, "10 s"),
        (12.4, "12 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_200, "2 h"),
        (172_800, "2 days"),
        (8_640_000, "100 days"),
    ],
)
def test_a_length_of_time_is_said_roughly(seconds, said):
    assert span(seconds) == said


def test_events_are_said_in_words_and_each_in_its_own():
    assert event("OutcomesRecorded") == "Outcomes recorded"
    assert event("LeadWon") == "Lead won"
    assert len({event(name) for name in MESSAGES}) == len(MESSAGES)


@pytest.mark.parametrize(
    ("done", "detail", "said"),
    [
        ("move", "contacted", "Moved to Contacted"),
        ("assign", "Ann", "Given to Ann"),
        ("assign", None, "Given to nobody"),
        ("note", None, "Note written"),
        ("lost", "no answer", "Lost: no answer"),
        ("something new", None, "Something new"),
    ],
)
def test_what_was_done_is_said_in_words(done, detail, said):
    assert action(SimpleNamespace(action=done, detail=detail), STAGES) == said


def test_a_person_who_is_not_there_any_more_has_no_name():
    assert person({7: "Ann"}, 7) == "Ann"
    assert person({}, 8) == "Deleted customer"
    assert person({}, None) == "Erased"
