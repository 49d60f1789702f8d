"""Charts of next best actions and of what is bought together: every number in its place."""

import re

import pandas as pd
import pytest

from ma.charts import affinity, next_actions, theme


def pairs(*rows):
    columns = ["item_a", "item_b", "customers_a", "customers_b", "both", "expected", "lift", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(customers=1_000)


PAIRS = pairs(
    ("Cheese", "Wine", 300, 200, 120, 60.0, 2.0, 1.6, 2.5),
    ("Bread", "Cheese", 900, 300, 280, 270.0, 1.037, 0.98, 1.1),
    ("Bread", "<b>Soap</b>", 900, 100, 45, 90.0, 0.5, 0.4, 0.6),
)


def test_a_pair_stands_once_below_the_diagonal_and_only_what_is_clear_has_colour():
    figure = affinity.matrix(PAIRS)
    items = affinity.shown_items(PAIRS)
    assert items == ["Bread", "Cheese", "Wine", "<b>Soap</b>"]
    cells = {
        (items[row], items[column]): value
        for row, line in enumerate(figure.data[0].z)
        for column, value in enumerate(line)
        if value is not None
    }
    assert cells == {
        ("Wine", "Cheese"): pytest.approx(1.0),
        ("Cheese", "Bread"): 0.0,
        ("<b>Soap</b>", "Bread"): pytest.approx(-1.0),
    }
    words = [text for trace in figure.data[1:] for text in trace.text]
    assert sorted(words) == ["0.50", "1.04", "2.00"]
    hover = figure.data[0].customdata[2][1]
    assert "Lift 2.00 (1.60–2.50): more often than by chance" in hover
    assert "120 customers bought both, 60 were to be expected" in hover
    assert "300 and 200 bought each, of 1,000" in hover
    assert "&lt;b&gt;Soap" in figure.data[0].customdata[3][0]
    assert "<b>Soap</b>" not in "".join(figure.layout.yaxis.ticktext)


def test_a_large_matrix_shows_the_clearest_pairs():
    many = pairs(
        *((f"A{n}", f"B{n}", 50, 40, 10, 10.0, 1.0 + n / 100, 0.9, 1.5) for n in range(30)),
        ("X", "Y", 30, 20, 18, 6.0, 3.0, 2.0, 4.0),
    )
    items = affinity.shown_items(many)
    assert len(items) == affinity.MOST_ITEMS
    assert {"X", "Y", "A29", "B29"} <= set(items)
    assert "A0" not in items


def actions(rows):
    return pd.DataFrame(
        [
            {"channel": channel, "offer": offer, "people": people, "profit_minor": profit}
            for channel, offer, people, profit in rows
        ]
    )


def test_bars_add_up_to_the_whole_sum_and_name_people_and_money():
    rows = [("sms", f"Offer {n}", 10 + n, 1_000.0 * (30 - n)) for n in range(20)]
    frame = actions([("email", "<i>Wine</i>", 7, 90_000.0), *rows])
    figure = next_actions.profits(frame, currency="USD")
    bars, texts = figure.data
    assert sum(bars.x) == pytest.approx(frame["profit_minor"].sum() / 100)
    assert len(bars.x) == next_actions.MOST_BARS + 1
    assert bars.marker.color[0] == theme.CHANNEL_COLOURS["email"]
    assert "<b>$900</b>" in texts.text[0]
    assert "7 people" in texts.text[0]
    assert "$900.00 expected extra profit" in bars.customdata[0]
    assert "$128,571.43 per 1,000 of them" in re.sub(r"\s", " ", bars.customdata[0])
    assert "&lt;i&gt;Wine" in figure.layout.yaxis.ticktext[0]
    assert figure.layout.yaxis.ticktext[-1] == f"{21 - next_actions.MOST_BARS} more"


def test_an_action_without_an_offer_is_for_any_offer():
    figure = next_actions.profits(actions([("push", None, 3, 5.0)]), currency="JPY")
    assert figure.layout.yaxis.ticktext[0] == "Push · any offer"
    assert list(figure.data[0].x) == [5.0]
