"""Days as people write them."""

from datetime import date

import pytest

from ma.errors import InvalidInput, InvalidPeriod
from ma.report.days import days


def test_both_days_are_in_it():
    assert days("2026-01-01", "2026-01-31") == (date(2026, 1, 1), date(2026, 2, 1))
    assert days("2026-01-01", "2026-01-01") == (date(2026, 1, 1), date(2026, 1, 2))
    assert days(None, "") == (None, None)
    assert days(None, "2199-12-30")[1] == date(2199, 12, 31)


@pytest.mark.parametrize("text", ["2026-02-30", "soon", "0001-01-01", "9999-12-31", "2026-1-1", "-1"])
def test_no_day_is_said(text):
    with pytest.raises(InvalidInput, match="Write it as"):
        days(text, None)
    with pytest.raises(InvalidInput, match="Write it as"):
        days(None, text)


def test_the_wrong_way_round():
    with pytest.raises(InvalidPeriod, match="Exchange them"):
        days("2026-02-01", "2026-01-31")
