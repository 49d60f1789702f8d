"""The calendar and the overlap of campaigns, in each of their states."""

from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from ma import clock
from ma.analytics.overlap import overlap
from ma.models import Campaign
from ma.services.campaigns import create_campaign, schedule_campaign
from ma.services.customers import import_customers
from ma.services.launches import launch_campaign
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM

NASTY = "**x** <b>y</b> ![i](http://e.test/i.png)"
RULE = {"all": [{"field": "consent_email", "operator": "eq", "value": True}]}


def _view(name):
    from importlib import import_module

    from ma.types import Permission
    from ui.page import page

    actor = page("Campaigns", Permission.READ)
    import_module(f"ui.{name}").draw(actor)


@pytest.fixture
def view(workbench):
    """`view("campaign_calendar", day="2026-03-02")` draws one view with these parameters in its address."""

    def run(name, **params):
        test = AppTest.from_function(_view, args=(name,), default_timeout=60)
        for key, value in params.items():
            test.query_params[key] = value
        return test.run()

    return run


def plan(session, name, at):
    return create_campaign(
        session, SYSTEM, name=name, at=at, channel="email", segment_id=1, subject="Hi", body="Hi", waves=2
    )


@pytest.fixture
def world(workbench):
    """60 customers; a campaign in two waves since yesterday, a scheduled one, a draft."""
    at = clock.now()
    people = pd.DataFrame({"first_name": "Ada", "email": [f"ada{n}@example.com" for n in range(60)]})
    with workbench.writing() as session:
        import_customers(session, SYSTEM, people.assign(consent_email=True), source="test", at=at)
        create_segment(session, SYSTEM, name="Everybody", rule=RULE, at=at)
        refresh_segment(session, SYSTEM, 1, at=at)
        launch_campaign(session, SYSTEM, plan(session, "Launched letter", at), at=at - timedelta(hours=23))
        scheduled = plan(session, NASTY, at)
        schedule_campaign(session, SYSTEM, scheduled, scheduled_at=at + timedelta(seconds=1), at=at)
        plan(session, "Only an idea", at)
    return workbench


def words(test) -> str:
    kinds = ("title", "markdown", "caption", "info", "error", "warning", "text")
    said = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    return "\n".join(said + [table.value.to_csv() for table in test.dataframe])


def labels(test) -> set[str]:
    return {button.label for button in test.button}


def address(test) -> dict[str, str]:
    """The parameters in the address, which a callback leaves as texts and a script as lists."""
    return {key: value if isinstance(value, str) else value[0] for key, value in test.query_params.items()}


VIEWS = ("campaign_calendar", "campaign_overlap")


@pytest.mark.parametrize("name", VIEWS)
def test_nobody_signed_in_learns_nothing(world, act_as, view, name):
    act_as(None)
    test = view(name)
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert "letter" not in words(test)
    assert "idea" not in str(labels(test))


@pytest.mark.parametrize("name", VIEWS)
def test_an_empty_workspace_says_what_would_be_here(workbench, act_as, view, name):
    act_as("marketer")
    test = view(name)
    assert not test.exception
    assert "campaigns" in test.info[0].value.lower()
    assert "Plan a campaign" in labels(test)
    act_as("viewer")
    assert "Plan a campaign" not in labels(view(name))


@pytest.mark.parametrize("name", VIEWS)
def test_any_day_in_the_address_is_borne(world, act_as, view, name):
    act_as("viewer")
    days = ("", "2026-99-99", "x", "0001-01-01", "9999-12-31", "2026-03-02\0", "1970-01-01", "2198-12-31")
    for day in days:
        test = view(name, day=day, drafts="99999999999999999999,-1,x,")
        assert not test.exception
        assert len(test.button) > 2


def test_the_calendar_shows_what_goes_out_when(world, act_as, view):
    act_as("viewer")
    test = view("campaign_calendar")
    assert not test.exception
    said = words(test)
    assert "Launched letter" in said
    assert "Only an idea" not in said
    assert r"✎ Only an idea" in labels(test)
    # In buttons a name stays text; in the table it is a cell and needs no escaping.
    assert not any("**x**" in label for label in labels(test))
    assert any(r"\*\*x\*\*" in label for label in labels(test))
    table = test.dataframe[0].value
    with world.reading() as session:
        sent = table[(table["name"] == "Launched letter")]
        assert sent["people"].sum() <= 60
        assert set(table["kind"]) <= {"Sent", "Planned", "Scheduled"}
        assert session.scalar(select(Campaign.id).where(Campaign.name == NASTY)) == 2


def test_a_step_to_the_next_days_and_back_to_today(world, act_as, view):
    act_as("viewer")
    test = view("campaign_calendar", day="2020-02-15")
    assert "**February 2020**" in words(test)
    assert "Nothing goes out in February 2020" in test.info[0].value
    test.button(key="days-after").click().run()
    assert address(test)["day"] == "2020-03-01"
    assert "**March 2020**" in words(test)
    test.button(key="days-before").click().run()
    assert address(test)["day"] == "2020-02-01"
    test.button(key="days-today").click().run()
    assert "Launched letter" in words(test)
    assert test.button(key="days-today").disabled


def test_a_day_of_the_list_and_a_draft_open_their_campaign(world, act_as, view):
    act_as("viewer")
    test = view("campaign_calendar")
    next(button for button in test.button if button.label.endswith("Launched letter")).click().run()
    assert address(test) == {"id": "1"}
    test = view("campaign_calendar")
    test.button(key="draft-3").click().run()
    assert address(test) == {"id": "3"}


def test_the_overlap_shows_the_figures_of_the_analysis(world, act_as, view):
    act_as("analyst")
    today = clock.local_day(clock.now(), "UTC")
    for drafts in ([], [3]):
        test = view("campaign_overlap", drafts=",".join(map(str, drafts)))
        assert not test.exception
        with world.reading() as session:
            found = overlap(session, as_of=clock.now(), week=today, drafts=drafts)
        shown = {metric.label: metric.value for metric in test.metric}
        assert shown["People reached"] == str(found.reached)
        assert shown["Messages"] == str(found.messages)
        assert shown["Would hit the limit"] == str(found.capped)
        assert test.dataframe[0].value["people"].tolist() == found.campaigns["people"].tolist()
        assert test.dataframe[1].value["messages"].tolist() == found.people["messages"].tolist()
        assert (
            test.dataframe[1].value["profile"].iloc[0]
            == f"/customers?id={found.people['customer_id'].iloc[0]}"
        )
    assert found.campaigns["campaign_id"].tolist().count(3) == 1


def test_choosing_a_draft_counts_it_and_keeps_it_in_the_address(world, act_as, view):
    act_as("viewer")
    test = view("campaign_overlap")
    before = int(test.metric[1].value)
    test.multiselect[0].select(3).run()
    assert address(test)["drafts"] == "3"
    assert int(test.metric[1].value) > before
    test.multiselect[0].unselect(3).run()
    assert "drafts" not in address(test)
    assert int(test.metric[1].value) == before


@pytest.mark.parametrize(
    ("name", "says"), [("Calendar", "Drafts without a day"), ("Overlap", "Messages per person")]
)
def test_the_page_of_campaigns_shows_them_as_views_of_its_own(world, act_as, screen, name, says):
    act_as("viewer")
    test = screen("campaigns", view=name)
    assert not test.exception
    assert says in words(test)
