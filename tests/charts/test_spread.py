"""How numbers are said beside the rule that asks for one."""

import pandas as pd
import pytest

from ma.charts.spread import spread
from ma.text import significant


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.00126351, "0.00126"),
        (0.0000012345, "0.00000123"),
        (0.5, "0.5"),
        (7, "7"),
        (12.3456, "12.3"),
        (99.96, "100"),
        (12_345.6, "12,346"),
        (-250.0, "-250"),
        (0, "0"),
    ],
)
def test_numbers_have_three_significant_digits_and_every_digit_before_the_point(number, words):
    assert significant(number) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0.000785274090293941, "0.000785274"), (59.9649, "59.9649"), (123_456.7, "123,457")]
)
def test_as_many_digits_are_given_as_are_asked_for(number, words):
    assert significant(number, 6) == words


def test_bars_say_where_they_begin_and_end():
    bins = pd.DataFrame({"low": [0, 1 / 12], "high": [1 / 12, 1 / 6], "customers": [3, 1]})
    assert list(spread(bins).data[0].hovertext) == ["0 to 0.0833", "0.0833 to 0.167"]
    assert list(spread(bins, more=True).data[0].hovertext)[-1] == "0.0833 and more"
