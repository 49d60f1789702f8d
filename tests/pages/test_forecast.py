"""The forecast screen in each of its states, for each role."""

import io
import re
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from ma import clock
from ma.models import Campaign
from ma.services import campaigns, forecasts, launches
from ma.services.campaigns import create_campaign
from ma.services.customers import import_customers
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM
from tests.pages.test_campaign_screens import labels, words
from tests.ui.test_routes import ask  # noqa: F401
from ui import forecast_changes as changes

RULE = {"all": [{"field": "consent_email", "operator": "eq", "value": True}]}
NASTY = "**x** <b>y</b> ![i](http://e.test/i.png)"
OTHER = [{"share": 0.5, "subject": "B", "body": "b", "effects": {"clicked": 0.5}}]


def plan(session, name, *, at, **values):
    usual = {"channel": "email", "segment_id": 1, "subject": "Hi", "body": "Hi"}
    costs = {"fixed_cost_minor": 5000, "cost_per_thousand_minor": 1000}
    return create_campaign(session, SYSTEM, name=name, at=at, **usual | costs | values)


@pytest.fixture
def world(workbench):
    """400 customers; drafts: test (1), unknown cost (2), nobody (3), uncounted segment (4); a launch (5)."""
    at = clock.now() - timedelta(days=40)
    frame = pd.DataFrame({"email": [f"ada{n}@example.com" for n in range(400)], "consent_email": True})
    with workbench.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        everybody = create_segment(session, SYSTEM, name="Everybody", rule=RULE, at=at)
        uncounted = create_segment(session, SYSTEM, name=NASTY, rule=RULE, at=at)
        plan(session, "Tried", at=at, variants=OTHER, holdout_share=0.1)
        plan(session, "Unknown", at=at, fixed_cost_minor=None)
        plan(session, "Nobody", at=at, channel="sms")
        plan(session, "Uncounted", at=at, segment_id=uncounted)
        launched = plan(session, NASTY, at=at)
        refresh_segment(session, SYSTEM, everybody, at=at)
        launches.launch_campaign(session, SYSTEM, launched, at=at, seed=7)
    return workbench


def shown(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def test_nobody_signed_in_learns_nothing(world, act_as, screen):
    act_as(None)
    test = screen("forecast", campaign="1")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.metric
    assert "Tried" not in words(test)


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen, role):
    act_as(role)
    test = screen("forecast")
    assert not test.exception
    assert "Nothing to forecast" in words(test)
    assert "No launched campaign has a forecast yet" in words(test)


@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer", "admin"])
def test_every_role_sees_profit_its_range_and_the_chance_of_a_loss(world, act_as, screen, role):
    act_as(role)
    test = screen("forecast", campaign="1")
    assert not test.exception
    assert not test.error
    assert shown(test, "Profit").delta.startswith("8 in 10 cases: ")
    assert shown(test, "Chance of a loss").value.endswith("%")
    assert shown(test, "People").delta == "of 400 in the segment"
    said = words(test)
    for expected in (
        "In **8 of 10 cases** profit lies between",
        "Where every assumption comes from",
        "1 simulated campaign, ",
        "B against A",
        "Sent against held out",
        "if it were launched now",
    ):
        assert expected.lower() in said.lower().replace("\\", ""), expected


def test_an_unknown_cost_leaves_profit_unknown(world, act_as, screen):
    act_as("marketer")
    test = screen("forecast", campaign="2")
    assert not test.exception
    assert (shown(test, "Profit").value, shown(test, "Profit").delta) == ("–", "cost unknown")
    assert shown(test, "Chance of a loss").value == "–"
    assert "nobody can say whether that is a profit" in words(test)
    assert "nan" not in words(test).lower()


def test_a_draft_that_nobody_can_be_sent_says_why(world, act_as, screen):
    act_as("marketer")
    test = screen("forecast", campaign="3")
    assert not test.exception
    assert "Nobody would be sent it" in words(test)
    assert "agreed" in words(test)
    assert not test.metric


def test_a_segment_that_was_never_counted_is_told_and_its_name_stays_text(world, act_as, screen):
    act_as("marketer")
    test = screen("forecast", campaign="4")
    assert not test.exception
    [warning] = [element.value for element in test.warning]
    assert "yet. Refresh it" in warning
    assert "![i](" not in warning
    assert r"\*\*x\*\*" in warning


@pytest.mark.parametrize("asked", ["5", "99", "x", "", "-1"])
def test_an_address_that_names_no_plan_shows_another_one(world, act_as, screen, asked):
    act_as("marketer")
    test = screen("forecast", campaign=asked)
    assert not test.exception
    assert test.selectbox[0].value in (1, 2, 3, 4)


def test_a_scenario_stands_beside_the_plan_on_the_same_luck(world, act_as, screen):
    act_as("marketer")
    test = screen("forecast", campaign="1", s1="fixed=150", s2="clicked=400;B=10;nonsense=1;holdout=999")
    assert not test.exception
    said = words(test).replace("\\", "")
    assert "Fixed cost €150.00 instead of €50.00" in said
    assert "Clicks +400 %, Message B, share 10 % instead of 50 %".replace(", share", "") in said.replace(
        ", share", ""
    )
    assert "Worse than the plan in **more than 99 of 100 cases**" in said
    table = next(frame.value for frame in test.dataframe if "Scenario 1" in frame.value.columns)
    assert (
        table.set_index("Figure").loc["Converted", "As planned"]
        == table.set_index("Figure").loc["Converted", "Scenario 1"]
    )
    assert test.query_params["s2"] == "clicked=400;B=10"


def test_scenarios_are_added_changed_and_removed(world, act_as, screen):
    act_as("viewer")
    test = screen("forecast", campaign="1")
    assert "Add scenario" in labels(test)
    test.button(key="add-scenario").click().run()
    assert not test.exception
    test.number_input(key="s1-holdout-1").set_value(30.0).run()
    assert "Holdout 30 % instead of 10 %" in words(test).replace("\\", "")
    assert test.query_params["s1"] == "holdout=30"
    test.button(key="remove-scenario").click().run()
    assert "Scenario 1" not in words(test)
    assert "s1" not in test.query_params


@pytest.fixture
def audiences(world):
    """Beside Everybody: a segment of 100 (3), one left out by draft 1 (4), an empty one (5)."""
    at = clock.now() - timedelta(days=30)
    with world.writing() as session:
        some = {"all": [{"field": "email", "operator": "starts_with", "value": "ada1"}]}
        none = {"all": [{"field": "email", "operator": "starts_with", "value": "zoe"}]}
        for name, rule in (("Some", some), ("Left out", some), ("Empty", none)):
            made = create_segment(session, SYSTEM, name=name, rule=rule, at=at)
            refresh_segment(session, SYSTEM, made, at=at)
        campaigns.update_campaign(session, SYSTEM, 1, version=1, at=at, excluded=[4])
    return world


def test_a_scenario_goes_to_another_segment_with_its_own_eligibility(audiences, act_as, screen):
    act_as("viewer")
    test = screen("forecast", campaign="2", s1="segment=3")
    assert not test.exception
    said = words(test).replace("\\", "")
    assert "Some (111 people) instead of Everybody (400 people)" in said
    reached, lost = re.search(
        r"(\d+) of 111 people in it can be sent it\. Not: (\d+) unsubscribed or bounced\.", said
    ).groups()
    assert int(reached) + int(lost) == 111
    step = next(frame.value for frame in test.dataframe if "Step" in frame.value.columns).set_index("Step")
    assert step.loc["In the segment"].tolist() == [400, 111]
    figures = next(frame.value for frame in test.dataframe if "Scenario 1" in frame.value.columns)
    figures = figures.set_index("Figure")
    assert figures.loc["Sent to", "Scenario 1"] == reached
    assert "Extra revenue per 1,000 sent to" in figures.index


def test_the_segments_to_try_are_counted_and_not_left_out(audiences, act_as, screen):
    act_as("marketer")
    test = screen("forecast", campaign="1", s1="segment=4")
    assert not test.exception
    assert test.selectbox(key="s1-segment-1").options == ["Everybody (400 people)", "Some (111 people)"]
    assert "As planned: change something." in words(test)
    test.selectbox(key="s1-segment-1").set_value(3).run()
    assert test.query_params["s1"] == "segment=3"


def test_a_scenario_that_reaches_nobody_says_why(audiences, act_as, screen):
    at = clock.now()
    with audiences.writing() as session:
        twins = {"all": [{"field": "email", "operator": "starts_with", "value": "ada1"}]}
        made = create_segment(session, SYSTEM, name="Twins", rule=twins, at=at)
        refresh_segment(session, SYSTEM, made, at=at)
    act_as("marketer")
    test = screen("forecast", campaign="1", s1=f"segment={made}")
    assert not test.exception
    assert "Everybody left is in a segment that is left out" in words(test).replace("\\", "")
    assert "Scenario 1" in words(test)


def test_a_scenario_that_could_not_be_sent_says_so(world, act_as, screen):
    act_as("marketer")
    test = screen("forecast", campaign="2", s1="cost=none;budget=100")
    assert not test.exception
    assert "A budget needs the cost per thousand" in words(test)


def test_the_record_tells_when_there_is_too_little_to_tell(world, act_as, screen):
    wide = {"p10": 0.0, "p50": 1.0, "p90": 800.0}
    figures = dict.fromkeys(("opened", "converted", "revenue_minor"), wide)
    with world.writing() as session:
        session.execute(update(Campaign).where(Campaign.id == 5).values(forecast={"figures": figures}))
    act_as("marketer")
    said = words(screen("forecast", campaign="1"))
    assert "Too few simulated results to tell: 1 campaign over so far" in said
    assert "Inside" in said


def _one_campaign():
    from ui import forecast_actual
    from ui.session import now

    forecast_actual.draw(5, now(), "EUR")
    forecast_actual.draw(1, now(), "EUR")


def test_a_launched_campaign_shows_its_forecast_beside_what_happened(world, act_as):
    wide = {"p10": 0.0, "p50": 1.0, "p90": 400.0}
    figures = {"treated": {"p10": 400.0, "p50": 400.0, "p90": 400.0}, "opened": wide}
    with world.writing() as session:
        session.execute(update(Campaign).where(Campaign.id == 5).values(forecast={"figures": figures}))
    act_as("viewer")
    test = AppTest.from_function(_one_campaign).run()
    assert not test.exception
    table = test.dataframe[0].value.set_index("Figure")
    assert len(test.dataframe) == 1
    assert table.loc["Sent to", "Happened"] == "400"
    assert table.loc["Opened", "In the range"] == "Inside"
    assert table.loc["Opened", "8 in 10 cases"] == "0 to 400"


def test_the_figures_leave_as_a_file_for_those_who_may_export(world, token, ask):  # noqa: F811
    status, _, body = ask("GET", "/export/forecast.csv?campaign_id=1", token=token("analyst"))
    rows = pd.read_csv(io.BytesIO(body), keep_default_na=False).set_index(["variant", "figure"])
    assert status == 200
    assert set(rows.index.get_level_values(0)) == {"", "A", "B"}
    whole = rows.loc[("", "profit_minor")].astype(float)
    assert whole["p10"] < whole["p50"] < whole["p90"]
    assert ask("GET", "/export/forecast.csv?campaign_id=1", token=token("viewer"))[0] == 403
    for wrong in ("campaign_id=5", "campaign_id=99", "campaign_id=x", "", "campaign_id=1&other=2"):
        assert ask("GET", f"/export/forecast.csv?{wrong}", token=token("admin"))[0] == 404


def test_what_was_worked_out_is_kept_until_something_changes(world, act_as, screen, monkeypatch):
    act_as("marketer")
    asked = []
    real = forecasts.basis
    monkeypatch.setattr(forecasts, "basis", lambda *a, **k: (asked.append(1), real(*a, **k))[1])
    test = screen("forecast", campaign="1")
    test.run()
    assert len(asked) == 1
    with world.writing() as session:
        campaigns.update_campaign(session, SYSTEM, 1, version=1, at=clock.now(), name="Other")
    test.run()
    assert len(asked) == 2


# What a scenario changes, without a screen.

CAMPAIGN = {
    "channel": "email",
    "holdout_share": 0.1,
    "cost_per_thousand_minor": 400,
    "fixed_cost_minor": None,
    "budget_minor": None,
    "effects": {"clicked": 0.5},
    "variants": [{"name": "B", "share": 0.5, "subject": "B", "body": "b", "effects": {"clicked": 0.5}}],
    "subject": "",
    "body": "",
}


def test_what_an_address_says_comes_back_from_it():
    known = changes.fields(CAMPAIGN, "EUR")
    given = {"holdout": 20.0, "cost": None, "budget": 12.5, "clicked": -20.0, "B": 30.0}
    planned = {field.name: field.planned for field in known}
    assert changes.read(changes.written(planned | given, known), known) == given
    assert changes.written(planned, known) == ""


WRONG = (
    *("", ";;", "=;=1", "x=1", "A=50", "holdout", "holdout=", "holdout=nan", "holdout=inf", "holdout=51"),
    *("holdout=none", "cost=-1", "opened=401"),
)


@pytest.mark.parametrize("text", WRONG)
def test_what_an_address_cannot_mean_is_left_out(text):
    assert changes.read(text, changes.fields(CAMPAIGN, "EUR")) == {}


def test_a_segment_is_named_by_its_number_and_only_one_that_is_offered():
    known = changes.fields(CAMPAIGN | {"segment_id": 7}, "EUR", {7: "Mine", 8: "Theirs"})
    assert changes.read("segment=8", known) == {"segment": 8}
    for wrong in ("segment=9", "segment=", "segment=none", "segment=8.0", "segment=-8", "segment=²"):
        assert changes.read(wrong, known) == {}
    values = {field.name: field.planned for field in known}
    assert changes.written(values | {"segment": 8}, known) == "segment=8"
    assert changes.written(values, known) == ""
    assert changes.in_words({"segment": 8}, known, "EUR") == "Theirs instead of Mine"
    assert changes.applied(CAMPAIGN | {"segment_id": 7}, {"segment": 8}, "EUR")["segment_id"] == 8


def test_an_effect_comes_on_top_of_what_is_assumed_of_each_message():
    made = changes.applied(CAMPAIGN, {"clicked": 10.0, "B": 40.0, "budget": 12.5}, "EUR")
    assert made["effects"]["clicked"] == pytest.approx(0.65)
    assert made["variants"][0]["effects"]["clicked"] == pytest.approx(0.65)
    assert (made["variants"][0]["share"], made["budget_minor"]) == (0.4, 1250)
    assert CAMPAIGN["variants"][0]["share"] == 0.5
    assert changes.applied(CAMPAIGN, {}, "EUR") == CAMPAIGN
