"""Charts can be saved as pictures by those who may export."""

import json

import pytest
from streamlit.testing.v1 import AppTest


def _chart():
    import plotly.graph_objects as go

    from ma.charts import theme
    from ui import picture

    picture.chart(theme.apply(go.Figure(go.Bar(x=[1], y=[2])), height=200), key="sales-by-day")


def drawn(role, act_as):
    act_as(role)
    test = AppTest.from_function(_chart).run()
    assert not test.exception
    [chart] = test.get("plotly_chart")
    return json.loads(chart.proto.config), json.loads(chart.proto.spec)["layout"]


@pytest.mark.parametrize("role", ["analyst", "marketer", "admin"])
def test_who_may_export_finds_one_button_that_saves_the_chart_under_its_name(workbench, act_as, role):
    config, layout = drawn(role, act_as)
    assert config["modeBarButtons"] == [["toImage"]]
    assert config["toImageButtonOptions"]["filename"] == "sales-by-day"
    assert config["displaylogo"] is False
    # No ground of its own: it gets that of the theme, and its words can be read wherever it is put.
    assert "paper_bgcolor" not in layout


def test_who_may_only_look_sees_no_button(workbench, act_as):
    config, _ = drawn("viewer", act_as)
    assert config["displayModeBar"] is False
