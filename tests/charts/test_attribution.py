"""The picture of attribution says what the table says."""

import pandas as pd
import pytest

from ma.charts import attribution as charts
from ma.charts import theme

NASTY = "<b>x</b> & y"
MODELS = {"last_touch": "Last touch", "linear": "Linear", "markov": "Markov"}
SHARES = {"E-mail": (0.7, 0.5, 0.6), NASTY: (0.3, 0.5, 0.4)}


def table(shares=SHARES):
    return pd.DataFrame(
        [
            {
                "model": model,
                "name": name,
                "channel": "email",
                "conversions": share * 50,
                "revenue_minor": share * 10_000,
                "share": share,
                "revenue_share": share / 2,
            }
            for name, values in shares.items()
            for model, share in zip(MODELS, values, strict=False)
        ]
    )


def dots(figure):
    return {trace.name: trace for trace in figure.data if trace.mode == "markers"}


def test_each_model_has_its_dot_in_every_row():
    figure = charts.credit(table(), models=MODELS, currency="EUR")
    found = dots(figure)
    assert list(found) == list(MODELS.values())
    assert list(found["Linear"].x) == [0.5, 0.5]
    assert list(found["Last touch"].x) == [0.7, 0.3]
    # Rows lie one apart, the dots of a row closer together, each with a shape of its own.
    assert found["Linear"].y[1] - found["Linear"].y[0] == pytest.approx(1)
    rows = [found[words].y[0] for words in MODELS.values()]
    assert rows == sorted(rows)
    assert rows[-1] - rows[0] < 0.6
    assert len({trace.marker.symbol for trace in found.values()}) == len(MODELS)
    strips = [(shape.x0, shape.x1) for shape in figure.layout.shapes]
    assert strips == [(0.5, 0.7), (0.3, 0.5)]
    assert figure.layout.xaxis.range[0] == 0
    assert figure.layout.xaxis.range[1] >= 0.7


def test_hover_has_the_figure_and_names_are_no_markup():
    figure = charts.credit(table(), models=MODELS, currency="EUR")
    assert tuple(dots(figure)["Last touch"].customdata[0]) == ("E-mail", "35.00 of 50 conversions")
    assert "Last touch: %{x:.1%}" in dots(figure)["Last touch"].hovertemplate
    [names] = [trace for trace in figure.data if trace.mode == "text"]
    mail, nasty = (text.replace("\N{NO-BREAK SPACE}", " ") for text in names.text)
    assert mail == "<b>E-mail</b>  50.0–70.0 %"
    assert nasty == "<b>&lt;b&gt;x&lt;/b&gt; &amp; y</b>  30.0–50.0 %"


def test_revenue_has_its_own_shares_in_money():
    figure = charts.credit(table(), models=MODELS, figure="revenue_minor", currency="EUR")
    assert list(dots(figure)["Linear"].x) == [0.25, 0.25]
    assert dots(figure)["Linear"].customdata[0][1] == "€50.00 of €100.00"


def test_only_the_chosen_models_and_the_rows_with_most_credit_are_drawn():
    many = table({f"Campaign {n:02d}": (n / 1000, n / 1000, n / 500) for n in range(30)})
    figure = charts.credit(many, models={"markov": "Markov"}, currency="EUR")
    assert list(dots(figure)) == ["Markov"]
    assert max(dots(figure)["Markov"].x) == 29 / 500
    assert len(dots(figure)["Markov"].x) == charts.MOST


def test_every_model_looks_different():
    looks = list(charts._LOOKS.values())
    assert len(set(looks)) == len({symbol for _, symbol in looks}) == len(looks)
    assert {colour for colour, _ in looks} <= set(theme.SERIES_COLOURS)


def test_without_credit_the_picture_is_empty():
    figure = charts.credit(table({}).reindex(columns=table().columns), models=MODELS, currency="EUR")
    assert all(not len(trace.x) for trace in figure.data)
