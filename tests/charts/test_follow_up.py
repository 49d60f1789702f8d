"""Charts of leads, tickets and events: every number in its place."""

import pandas as pd

from ma.charts import activity, leads, tickets


def test_each_stage_has_its_bar_with_its_leads_and_their_worth():
    frame = pd.DataFrame({"stage": list(leads.STAGES), "leads": [3, 0, 1, 0, 2, 0]}).assign(
        value_minor=[1_250_000, 0, 0, 0, 5_000, 0]
    )
    bar = leads.pipeline(frame, currency="EUR").data[0]
    assert list(bar.x) == [3, 0, 1, 0, 2, 0]
    assert list(bar.y) == ["New", "Contacted", "Qualified", "Proposal", "Won", "Lost"]
    assert [text.strip() for text in bar.text] == ["3 · €12.5k", "0", "1", "0", "2 · €50.00", "0"]
    assert bar.customdata[4][0] == "won"
    # Won and lost are told apart from what is open by colour and by word.
    assert len({bar.marker.color[0], bar.marker.color[4], bar.marker.color[5]}) == 3


def test_a_pipeline_without_leads_can_be_drawn():
    frame = pd.DataFrame({"stage": list(leads.STAGES), "leads": 0, "value_minor": 0})
    assert leads.pipeline(frame, currency="EUR").layout.xaxis.range[1] > 0


def test_tickets_of_a_kind_are_stacked_by_how_far_they_are():
    frame = pd.DataFrame(
        {"kind": ["complaint", "bounces"], "open": [2, 0], "in_progress": [0, 1], "closed": [5, 7]}
    )
    figure = tickets.by_kind(frame)
    assert [trace.name for trace in figure.data] == ["Open", "In progress", "Closed"]
    assert [list(trace.x) for trace in figure.data] == [[2, 0], [0, 1], [5, 7]]
    assert list(figure.data[0].y) == ["Complaints", "Bounces"]
    assert list(figure.data[0].text) == ["2", ""]


def test_events_of_a_minute_are_stacked_by_module_in_the_workspaces_time():
    minutes = pd.date_range("2026-05-04 09:30", periods=2, freq="min", tz="UTC")
    frame = pd.DataFrame({"minute": [*minutes, *minutes], "subscriber": ["ma"] * 2 + ["sales"] * 2}).assign(
        events=[5, 0, 7, 1]
    )
    figure = activity.throughput(frame, timezone="Europe/Berlin")
    assert [trace.name for trace in figure.data] == ["Marketing", "Sales"]
    assert [list(trace.y) for trace in figure.data] == [[5, 0], [7, 1]]
    assert str(figure.data[0].x[0]).startswith("2026-05-04T11:30")
    assert figure.layout.yaxis.range[1] >= 12
