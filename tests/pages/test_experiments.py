"""The experiments screen in each of its states, for each role."""

import shutil
from datetime import timedelta

import pytest

from ma import clock
from ma.analytics.experiments import experiment_differences, experiments
from ma.analytics.incrementality import incrementality
from ma.charts import theme
from ma.charts.experiments import FIGURES
from ma.db.engine import connect
from ma.models import Campaign
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Role
from tests.analytics.experiment_world import People, add, variants
from tests.pages.test_campaign_screens import labels, words
from tests.services import campaign_world as world
from tests.ui.conftest import PASSWORD
from ui import session as ui_session

NASTY = "**x** <b>y</b> ![i](http://e.test/i.png)"
PEOPLE = 700
MESSAGES, UNEVEN, NOT_OVER, HARM, PLAIN = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def made(template_sqlite, tmp_path_factory):
    """A folder with an empty workspace and a full one, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("experiments")
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


def fill(session):
    """A clear test, one split wrongly, one that is not over, a harmful holdout, and no test."""
    past, lately = clock.now() - timedelta(days=40), clock.now() - timedelta(days=3)
    a, b = (
        People(300, opened=150, clicked=40, converted=10),
        People(300, opened=170, clicked=60, converted=40),
    )
    half, held = {"variants": variants(B=0.5)}, People(200, converted=40)
    uneven = {"A": People(400, converted=10), "B": People(300, converted=40)}
    every = {"A": a, "B": b, "Held out": People(60, converted=2)}
    running = half | {"status": "running", "holdout_share": 1 / 11}
    harm = {"A": People(400, converted=20), "Held out": held}
    world.add_customers(session, PEOPLE)
    add(session, {"A": a, "B": b}, campaign_id=MESSAGES, sent_at=past, name="Two subjects", **half)
    add(session, uneven, campaign_id=UNEVEN, sent_at=past, name=NASTY, **half)
    add(session, every, campaign_id=NOT_OVER, sent_at=lately, name="Running", **running)
    add(session, harm, campaign_id=HARM, sent_at=past, name="Too much", holdout_share=1 / 3)
    add(session, {"A": People(50)}, campaign_id=PLAIN, sent_at=past, name="Plain")


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


def plain(test):
    return words(test).replace("\\", "")


def test_nobody_signed_in_learns_nothing(workbench, act_as, screen):
    act_as(None)
    for params in ({}, {"campaign": "1"}):
        test = screen("experiments", **params)
        assert not test.exception
        assert "Your session has ended" in words(test)
        assert not test.metric
        assert "Two subjects" not in words(test)


@pytest.mark.parametrize("workbench", ["empty"], indirect=True)
def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):
    act_as("viewer")
    test = screen("experiments")
    assert not test.exception
    assert "No experiments yet" in words(test)
    assert not test.dataframe


@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer", "admin"])
def test_every_role_reads_all_experiments(workbench, act_as, screen, role):
    act_as(role)
    test = screen("experiments")
    assert not test.exception
    assert not test.error
    assert shown(test, "Experiments").value == "4"
    assert shown(test, "Not over").value == "1"
    assert shown(test, "With a difference").value == "2"
    assert shown(test, "Split not as planned").value == "1"
    table = test.dataframe[0].value.set_index("name")
    assert list(table.index) == ["Running", "Too much", NASTY, "Two subjects"]
    assert table.loc["Two subjects", "finding"] == "Better"
    assert table.loc["Too much", "finding"] == "Worse"
    assert table.loc["Running", "finding"] == "Not over"
    assert table.loc[NASTY, "finding"] == "Split not as planned"
    # What is said is the frame's own text, as it is exported.
    with workbench.reading() as session:
        frame = experiments(session, as_of=clock.now())
    assert table["verdict"].tolist() == frame["verdict"].tolist()
    assert not labels(test)


def test_one_experiment_shows_the_split_before_anything_else(workbench, act_as, screen):
    act_as("viewer")
    test = screen("experiments", campaign=MESSAGES)
    assert not test.exception
    [split] = test.success
    assert "People are split as planned: A 50.0 % (planned 50.0 %)" in split.value.replace("\\", "")
    assert "B converted more people than A: 13.3 % against 3.3 % of A" in plain(test)
    assert shown(test, "Most likely the best").value == "B"
    assert shown(test, "Clearest difference from A").value == "+10.0 pp"
    elements = [element.type for element in test.main]
    assert elements.index("success") < elements.index("metric" if "metric" in elements else "flex_container")
    with workbench.reading() as session:
        known = experiment_differences(session, as_of=clock.now(), campaign_ids=[MESSAGES])
    table = test.dataframe[0].value
    assert len(table) == len(known) == 5
    assert table.iloc[0]["Difference"] == "+10.0 pp"
    assert known.iloc[0]["p_adjusted"] < 0.001
    assert table.iloc[0]["p"] == "< 0.001"
    assert table.iloc[1]["p"] == f"{known.iloc[1]['p_adjusted']:.3f}"


def test_a_wrong_split_names_no_winner(workbench, act_as, screen):
    act_as("marketer")
    test = screen("experiments", campaign=UNEVEN)
    assert not test.exception
    [alarm] = test.error
    assert "not split as planned: A 57.1 %" in alarm.value.replace("\\", "")
    assert "No winner can be named" in plain(test)
    assert "converted more" not in plain(test)
    assert not test.metric
    assert "![i]" not in "".join(element.value for element in test.subheader).replace("\\!", "")


def test_before_it_is_over_nothing_is_decided(workbench, act_as, screen):
    act_as("viewer")
    test = screen("experiments", campaign=NOT_OVER)
    assert not test.exception
    assert "Do not stop it at the first significant look" in plain(test)
    assert "So far" in plain(test)
    assert "converted more" not in plain(test)


def test_harm_is_shown_in_people_and_money(workbench, act_as, screen):
    act_as("viewer")
    test = screen("experiments", campaign=HARM)
    assert not test.exception
    said = plain(test)
    assert "It cost conversions: those who were sent it bought less often, 5.0 % against 20.0 %" in said
    assert "Sending it lost money against those held out" in said
    with workbench.reading() as session:
        [row] = incrementality(session, as_of=clock.now(), campaign_ids=[HARM]).to_dict("records")
    assert row["incremental_conversions"] == pytest.approx(-60)
    assert shown(test, "Extra conversions").value == "-60"
    assert shown(test, "Incremental ROI").value == theme.percent(row["incremental_roi"], 0)
    table = test.dataframe[-1].value.set_index("Figure")
    assert table.loc["Extra conversions", "Attributed"] == "20"
    assert table.loc["Incremental ROI", "Attributed"] == theme.percent(row["roi"], 0)


@pytest.mark.parametrize(
    ("address", "said"),
    [("x", "names no campaign"), ("99", "There is no campaign 99"), (str(PLAIN), "is no experiment"),
     ("9" * 40, "no campaign")],
)  # fmt: skip
def test_a_wrong_address_says_so(workbench, act_as, screen, address, said):
    act_as("viewer")
    test = screen("experiments", campaign=address)
    assert not test.exception
    assert said in plain(test)
    assert not test.dataframe
    assert labels(test) == {"All experiments"}


def test_each_figure_can_be_chosen_and_stands_in_the_address(workbench, act_as, screen):
    act_as("analyst")
    for figure in (FIGURES["unsubscribed"], FIGURES["revenue_minor"]):
        test = screen("experiments", campaign=NOT_OVER, **{"experiment-figure": figure})
        assert not test.exception, figure
        assert f"**{figure}**" in plain(test)
    assert "money per person" in plain(test)
    unknown = screen("experiments", campaign=NOT_OVER, **{"experiment-figure": "tea"})
    assert not unknown.exception


def test_a_test_nobody_was_sent_yet_says_so(workbench, act_as, screen):
    act_as("viewer")
    with workbench.writing() as session:
        add(session, {"A": People(0), "Held out": People(0)}, campaign_id=9, sent_at=clock.now(), name="New",
            holdout_share=0.1)  # fmt: skip
        assert session.get(Campaign, 9)
    for params in ({}, {"campaign": 9}):
        test = screen("experiments", **params)
        assert not test.exception
        assert "There is nobody to compare yet" in plain(test)
