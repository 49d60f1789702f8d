"""Columns and amounts by meaning."""

import numpy as np
import pandas as pd

from ma.money import amount
from ui.tables import major, money


def test_minor_units_become_major_units_under_a_new_name():
    frame = pd.DataFrame({"id": [1, 2], "spend_minor": [123450, np.nan]})
    shown = major(frame, ["spend_minor"], currency="EUR")
    assert shown["spend"].tolist()[0] == 1234.5
    assert np.isnan(shown["spend"].tolist()[1])
    assert list(shown) == ["id", "spend"]
    assert list(frame) == ["id", "spend_minor"]


def test_a_currency_without_a_smaller_unit_is_not_divided():
    assert major(pd.DataFrame({"spend_minor": [500]}), ["spend_minor"], currency="JPY")["spend"].tolist() == [
        500
    ]
    assert money("Spend", "JPY")["type_config"]["format"] == "¥%,.0f"


def test_amounts_as_text():
    assert amount(123450, "USD") == "$1,234.50"
    assert amount(-50, "EUR") == "-€0.50"
    assert amount(500, "JPY") == "¥500"
    assert amount(100, "CHF") == "CHF 1.00"
    assert amount(None, "USD") == amount(float("nan"), "USD") == "–"
