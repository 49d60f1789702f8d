"""The screens of results and of the people behind a bar: for every role, filled, empty, badly addressed."""

import pytest

from ma import clock
from ma.analytics import reached as people
from ma.analytics import segments
from ma.models import Segment
from tests.analytics import result_world


@pytest.fixture
def filled(workbench):
    """Campaigns of every kind, as if they were sent lately."""
    with workbench.writing() as session:
        result_world.build(session, now=clock.now(), workspace=False)
    return workbench


def words(shown):
    return " ".join(element.value for kind in ("markdown", "caption") for element in getattr(shown, kind))


def figures(shown):
    return {metric.label: metric.value for metric in shown.metric}


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_results_show_funnel_return_and_a_breakdown(filled, act_as, screen, role):
    act_as(role)
    shown = screen("results")
    assert not shown.exception
    assert figures(shown)["Messages sent"] == "1.33k"
    assert "Conversion rate so far" in figures(shown)
    said = words(shown)
    assert "Funnel by channel" in said
    assert "still inside their conversion window" in said
    assert "campaigns have no known cost" in said
    assert len(shown.get("plotly_chart")) == 3
    assert bool(shown.get("popover")) == (role == "admin")


def test_results_are_narrowed_to_a_group_of_people(filled, act_as, screen):
    act_as("viewer")
    shown = screen("results", by="country", only="country~DE")
    assert not shown.exception
    assert "Only **Country: DE**" in words(shown)
    narrowed = int(figures(shown)["Messages sent"])
    others = [int(figures(screen("results", only=f"country~{one}"))["Messages sent"]) for one in ("US", "FR")]
    unknown = int(figures(screen("results", only="country~"))["Messages sent"])
    totals_alone = 1_000
    assert narrowed + sum(others) + unknown + totals_alone == 1_330
    shown.button(key="widen").click().run()
    assert figures(shown)["Messages sent"] == "1.33k"


def test_a_filter_chooses_campaigns(filled, act_as, screen):
    act_as("viewer")
    shown = screen("results", campaigns="2")
    assert "Funnel** :gray[people" in words(shown)
    assert "Postscript 2020" in words(shown)
    assert figures(shown)["Messages sent"] == "68"
    assert figures(screen("results", segments="2"))["Messages sent"] == "134"
    assert figures(screen("results", only="month~x")) == {}


def test_a_wrong_address_is_told_plainly(filled, act_as, screen):
    act_as("viewer")
    for params in (
        {"only": "country~ZZ"},
        {"only": "age~12"},
        {"only": "age~x..y"},
        {"only": "variant~1"},
        {"only": "nothing~1"},
        {"only": "joined_on~x"},
        {"by": "nothing", "measure": "nothing"},
        {"only": "channel~x", "by": "city"},
        {"campaigns": "99,x", "segments": "x"},
    ):
        assert not screen("results", **params).exception, params


def test_without_campaigns_both_screens_say_what_fills_them(workbench, act_as, screen):
    act_as("viewer")
    assert "No results yet" in screen("results").info[0].value
    assert "Nobody yet" in screen("recipients").info[0].value


@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer"])
def test_the_people_behind_a_bar_are_listed(filled, act_as, screen, role):
    act_as(role)
    shown = screen("recipients", campaigns="1", step="opened", **{"not": "converted"})
    assert not shown.exception
    with filled.reading() as session:
        as_of = clock.now()
        asked = {"campaign_ids": [1], "step": "opened", "not_step": "converted"}
        frame = people.reached(session, as_of=as_of, **asked)
    assert f"**{len(frame)} people**" in words(shown)
    assert shown.dataframe[0].value["name"].tolist() == frame["name"].tolist()
    assert bool(shown.get("popover")) == (role != "viewer")
    assert [button.label for button in shown.button] == (["Save as segment"] if role == "marketer" else [])


def test_one_click_makes_a_segment_of_exactly_these_people(filled, act_as, screen):
    act_as("marketer")
    shown = screen("recipients", step="clicked", field="country", value="DE", **{"not": "converted"})
    listed = len(shown.dataframe[0].value)
    shown.button(key="reached-save").click().run()
    with filled.reading() as session:
        [segment] = session.query(Segment).filter(Segment.static.is_(False)).all()
        assert segment.name.startswith("Clicked, did not buy · Country: DE")
        assert segment.size == listed > 0
        assert segments.count(session, segment.rule, as_of=clock.now()) == listed


def test_people_of_a_variant_become_a_list(filled, act_as, screen):
    act_as("marketer")
    shown = screen("recipients", step="opened", field="variant", value="1:B")
    listed = len(shown.dataframe[0].value)
    shown.button(key="reached-save").click().run()
    with filled.reading() as session:
        segment = session.query(Segment).filter(Segment.name.startswith("Opened")).one()
        assert (segment.static, segment.size) == (True, listed)


def test_people_of_a_wrong_address(filled, act_as, screen):
    act_as("marketer")
    for params, told in (
        ({"campaigns": "²,99999999999"}, False),
        ({"step": "nothing"}, True),
        ({"not": "bounced"}, True),
        ({"field": "nothing", "value": "x"}, True),
        ({"field": "age", "value": "x"}, True),
        ({"field": "variant", "value": "x"}, True),
        ({"field": "country", "value": "*"}, False),
    ):
        shown = screen("recipients", **params)
        assert not shown.exception, params
        assert bool(shown.error) == told, params
