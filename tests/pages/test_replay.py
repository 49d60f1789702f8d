"""The replay screen in each of its states, for each role."""

import io
import shutil
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import func, select

from ma import clock
from ma.db.engine import connect
from ma.models import Audit, Campaign, Outcome
from ma.services import auth, replays
from ma.services.campaign_imports import import_campaign
from ma.services.campaigns import create_campaign
from ma.services.customers import import_customers
from ma.services.launches import launch_campaign
from ma.services.segments import create_segment, refresh_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Role
from tests.pages.test_campaign_screens import labels, words
from tests.ui.conftest import PASSWORD
from tests.ui.test_routes import ask  # noqa: F401
from ui import replay_changes as changes
from ui import session as ui_session

RULE = {"all": [{"field": "consent_email", "operator": "eq", "value": True}]}
FEW = {"field": "email", "operator": "starts_with", "value": "ada1"}
NASTY = "**x** <b>y</b> ![i](http://e.test/i.png)"
OTHER = [{"share": 0.5, "subject": "B", "body": "b", "effects": {"clicked": 0.5}}]


def plan(session, name, *, at, **values):
    usual = {"channel": "email", "segment_id": 1, "subject": "Hi", "body": "Hi"}
    costs = {"fixed_cost_minor": 5000, "cost_per_thousand_minor": 1000}
    return create_campaign(session, SYSTEM, name=name, at=at, **usual | costs | values)


def fill(session):
    """400 customers; launched: a test (1) and one of unknown cost (2); a draft (3); a real mailing (4)."""
    at = clock.now() - timedelta(days=40)
    frame = pd.DataFrame({"email": [f"ada{n}@example.com" for n in range(400)], "consent_email": True})
    ids = import_customers(session, SYSTEM, frame, source="test", at=at)
    create_segment(session, SYSTEM, name="Everybody", rule=RULE, at=at)
    few = create_segment(session, SYSTEM, name=NASTY, rule=FEW, at=at)
    refresh_segment(session, SYSTEM, few, at=at)
    tried = plan(session, "Tried", at=at, variants=OTHER, holdout_share=0.1)
    unknown = plan(session, NASTY, at=at, fixed_cost_minor=None)
    plan(session, "Only planned", at=at)
    launch_campaign(session, SYSTEM, tried, at=at, seed=7)
    launch_campaign(session, SYSTEM, unknown, at=at + timedelta(days=9), seed=8)
    import_campaign(
        session,
        SYSTEM,
        name="Real post",
        channel="direct_mail",
        started_at=at,
        ended_at=at + timedelta(days=5),
        outcomes=pd.DataFrame({"customer_id": ids[:50], "sent_at": pd.Timestamp(at)}),
        at=clock.now(),
    )


@pytest.fixture(scope="module")
def made(template_sqlite, tmp_path_factory):
    """A folder with an empty workspace and a full one, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("replay")
    shutil.copy(template_sqlite, folder / "empty.db")
    database = connect(f"sqlite:///{folder / 'empty.db'}")
    with pytest.MonkeyPatch.context() as patch, database.writing() as session:
        patch.setattr(auth, "BCRYPT_COST", 4)
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
        for role in Role:
            auth.create_user(
                session, SYSTEM, username=role, name=role, role=role, password=PASSWORD, at=clock.now()
            )
    database.close()
    shutil.copy(folder / "empty.db", folder / "full.db")
    database = connect(f"sqlite:///{folder / 'full.db'}")
    with database.writing() as session:
        fill(session)
    database.close()
    return folder


@pytest.fixture
def workbench(made, request, tmp_path, monkeypatch):
    """The full workspace behind the screens, or another one that the test asks for."""
    shutil.copy(made / f"{getattr(request, 'param', 'full')}.db", tmp_path / "ma.db")
    database = connect(f"sqlite:///{tmp_path / 'ma.db'}")
    monkeypatch.setattr(ui_session, "database", lambda: database)
    yield database
    database.close()


def shown(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def figures(test):
    return next(frame.value for frame in test.dataframe if "Figure" in frame.value).set_index("Figure")


def test_nobody_signed_in_learns_nothing(workbench, act_as, screen):
    act_as(None)
    test = screen("replay", campaign="1", change="opened=20")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.metric
    assert "Tried" not in words(test)


@pytest.mark.parametrize("workbench", ["empty"], indirect=True)
def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):
    act_as("viewer")
    test = screen("replay")
    assert not test.exception
    assert "Nothing to replay" in words(test)


@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer", "admin"])
def test_every_role_reads_what_the_change_adds(workbench, act_as, screen, role):
    act_as(role)
    test = screen("replay", campaign="1", change="clicked=200;converted=400")
    assert not test.exception
    assert not test.error
    said = words(test).replace("\\", "")
    assert "Clicks +200 %, Conversions +400 %" in said
    assert "more profit" in said
    assert "all 400 people do exactly what is stored" in said
    assert shown(test, "The change adds").delta.startswith("95 %: ")
    table = figures(test)
    assert table.loc["Sent to", "As it was"] == table.loc["Sent to", "With the change"]
    assert table.loc["Clicked", "Difference"].startswith("+")
    assert "Stored" not in table
    # Nothing is changed here: there is no button that only some may use.
    assert labels(test) <= {"Replay campaign", "As it was"}


def test_the_campaign_as_it_was_is_the_campaigns_own_screen(workbench, act_as, screen):
    act_as("viewer")
    test = screen("replay", campaign="1")
    assert not test.exception
    table, own = figures(test), screen("campaigns", id="1")
    assert "With the change" not in table
    assert table.loc["Sent to", "As it was"] == shown(own, "Sent").value
    assert shown(test, "Profit, as it was").delta == f"ROI {shown(own, 'ROI').value}"
    assert "Change something above" in words(test)


def test_a_replay_writes_nothing(workbench, act_as, screen):
    def state():
        with workbench.reading() as session:
            rows = [session.scalar(select(func.count()).select_from(t)) for t in (Outcome, Audit)]
            return [*rows, session.scalar(select(func.max(Campaign.version)))]

    act_as("admin")
    before = state()
    screen("replay", campaign="1", change="holdout=30;cap=9;segment=2;also=1")
    assert state() == before


def test_the_form_changes_the_address_and_goes_back(workbench, act_as, screen):
    act_as("marketer")
    test = screen("replay", campaign="1")
    test.number_input(key="replay-1-holdout").set_value(30.0)
    test.number_input(key="replay-1-cap").set_value(5)
    test.multiselect(key="replay-1-without").set_value([2])
    button = next(one for one in test.button if one.label == "Replay campaign")
    button.click().run()
    assert not test.exception
    assert test.query_params["change"] in ("holdout=30;cap=5;without=2", ["holdout=30;cap=5;without=2"])
    said = words(test).replace("\\", "")
    assert f"Without “{NASTY}”" in said
    assert "Holdout 30 % instead of 10 %" in said
    assert "cap (messages in 7 days) 5 instead of 3" in said
    assert "Who would have been eligible" in said
    next(one for one in test.button if one.label == "As it was").click().run()
    assert "change" not in test.query_params
    assert test.number_input(key="replay-1-holdout").value == 10.0


def test_an_unknown_cost_leaves_profit_unknown(workbench, act_as, screen):
    act_as("marketer")
    test = screen("replay", campaign="2", change="opened=50")
    assert not test.exception
    assert "nan" not in words(test).lower()
    assert "Attributed revenue, as it was" in {metric.label for metric in test.metric}
    assert figures(test).loc["Profit", "Difference"] == "–"
    assert "![i](" not in test.markdown[0].value


def test_too_few_other_purchases_are_told(workbench, act_as, screen):
    act_as("viewer")
    said = words(screen("replay", campaign="1", change="unsubscribed=0;opened=1"))
    assert "otherwise on this luck: too few to tell" in said
    assert "nobody differs" in said
    said = words(screen("replay", campaign="1", change="fixed=80"))
    assert "**, whatever the luck" in said
    assert "too few to tell" not in said


def test_real_results_and_drafts_say_why_they_cannot_be_replayed(workbench, act_as, screen):
    act_as("marketer")
    real = screen("replay", campaign="4")
    assert not real.exception
    assert "has real results" in words(real)
    assert not real.metric
    draft = screen("replay", campaign="3")
    assert "was not launched" in words(draft)
    assert "is not there" in words(screen("replay", campaign="99"))


def test_what_could_not_have_been_sent_says_so(workbench, act_as, screen):
    act_as("marketer")
    test = screen("replay", campaign="1", change="cost=none;budget=100")
    assert not test.exception
    assert "A budget needs the cost per thousand" in words(test)
    test = screen("replay", campaign="1", change="also=2;without=2")
    assert "both added and left out" in words(test)


def test_what_an_address_cannot_mean_is_left_out(workbench, act_as, screen):
    act_as("viewer")
    test = screen("replay", campaign="1", change=";;x;holdout=99;segment=77;also=x,99;cap=0;window=0;=")
    assert not test.exception
    assert "change" not in test.query_params


def test_the_campaigns_own_screen_leads_here_where_it_can_be_replayed(workbench, act_as, screen):
    def links(test):
        return {element.proto.label for element in test.get("page_link")}

    act_as("viewer")
    assert "Replay" in links(screen("campaigns", id="1"))
    assert "Replay" not in links(screen("campaigns", id="3"))
    assert "Replay" not in links(screen("campaigns", id="4"))


def test_the_figures_leave_as_a_file_for_those_who_may_export(workbench, token, ask):  # noqa: F811
    address = "/export/replay.csv?campaign_id=1&change=opened%3D50"
    status, _, body = ask("GET", address, token=token("analyst"))
    rows = pd.read_csv(io.BytesIO(body)).set_index("figure")
    assert status == 200
    assert rows.loc["opened", "difference"] > 0
    kept = rows["stored"].dropna()
    assert len(kept) > 10
    assert (kept == rows.loc[kept.index, "base"]).all()
    assert ask("GET", address, token=token("viewer"))[0] == 403
    for wrong in ("campaign_id=x", "", "campaign_id=99", "campaign_id=1&other=2"):
        assert ask("GET", f"/export/replay.csv?{wrong}", token=token("admin"))[0] == 404
    assert ask("GET", "/export/replay.csv?campaign_id=4", token=token("admin"))[0] == 400


# What a change means, without a screen.

CAMPAIGN = {
    "channel": "email", "holdout_share": 0.1, "cost_per_thousand_minor": 400, "fixed_cost_minor": None,
    "budget_minor": None, "effects": {"clicked": 0.5}, "variants": [dict(OTHER[0], name="B")],
    "conversion_window_days": 7, "frequency_cap": 3, "segment_id": 1, "excluded": [5], "also": [],
}  # fmt: skip
SEGMENTS = {1: "One", 2: "Two", 3: "Three", 5: "Five"}


def test_what_an_address_says_comes_back_from_it():
    known = changes.fields(CAMPAIGN, "EUR")
    given = {"holdout": 20.0, "cost": None, "opened": 20.0, "B": 30.0, "B.clicked": 50.0, "window": 14.0,
             "cap": 5.0, "segment": 2, "also": [3], "without": [1]}  # fmt: skip
    text = changes.written(given, known, CAMPAIGN)
    assert changes.read(text, known, SEGMENTS) == given
    planned = {field.name: field.planned for field in known}
    assert changes.written(planned | {"segment": 1, "also": [], "without": []}, known, CAMPAIGN) == ""


def test_an_effect_comes_on_top_for_all_messages_and_then_for_one():
    made = {"clicked": 10.0, "B.clicked": 100.0, "without": [3], "cap": 5.0, "window": 14.0}
    found = changes.changes(CAMPAIGN, made, "EUR")
    assert found["effects"]["clicked"] == pytest.approx(0.65)
    assert found["variants"][0]["effects"]["clicked"] == pytest.approx(2.3)
    assert (found["excluded"], found["frequency_cap"], found["conversion_window_days"]) == ([3, 5], 5, 14)
    assert set(found) == {"effects", "variants", "excluded", "frequency_cap", "conversion_window_days"}
    assert set(found) <= set(replays.CHANGEABLE)
    assert changes.changes(CAMPAIGN, {}, "EUR") == {}
