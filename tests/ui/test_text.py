"""Titles as they stand in the middle of a sentence."""

import pytest

from ma.text import in_sentence


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Age band", "age band"),
        ("RFM segment", "RFM segment"),
        ("SMS", "SMS"),
        ("E-mail consent", "e-mail consent"),
        ("Kundennummer", "kundennummer"),
        ("VIP", "VIP"),
        ("A", "a"),
        ("", ""),
    ],
)
def test_titles_in_sentences(title, written):
    assert in_sentence(title) == written
