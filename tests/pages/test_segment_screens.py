"""The list of segments and one segment: search, what is wrong, refreshing all, versions, uploads."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from ma import clock
from ma.analytics import refresh_runs
from ma.analytics import segments as analytics
from ma.models import Campaign, RefreshRun, Segment
from ma.services.campaigns import create_campaign
from ma.services.refresh_runs import begin_run
from ma.services.segments import (
    add_members,
    create_segment,
    create_static_segment,
    refresh_segment,
    update_segment,
)
from ma.types import SYSTEM
from tests.pages.test_segments import LOYAL, click, labels, shop, words  # noqa: F401

BROKEN = {"field": "attribute:99", "operator": "gte", "value": 4}


@pytest.fixture
def several(shop):  # noqa: F811
    """A segment, one that uses it, and a list, three days old: their ids."""
    at = clock.now() - timedelta(days=3)
    with shop.writing() as session:
        loyal = create_segment(session, SYSTEM, name="Loyal", rule=LOYAL, at=at)
        others = {"not": {"in_segment": loyal}}
        rest = create_segment(session, SYSTEM, name="The rest", rule=others, description="Win back", at=at)
        guests = create_static_segment(session, SYSTEM, name="Guests", at=at)
        for segment_id in (loyal, rest):
            refresh_segment(session, SYSTEM, segment_id, at=at)
    return loyal, rest, guests


def names(test) -> list[str]:
    return test.dataframe[0].value["name"].tolist()


def test_the_list_is_searched_by_name_description_and_rule(several, act_as, screen):
    act_as("viewer")
    test = screen("segments")
    assert names(test) == ["Guests", "Loyal", "The rest"]
    for q, found in (("LOYAL", ["Loyal", "The rest"]), ("back win", ["The rest"]), ("orders 10", ["Loyal"])):
        assert names(test.text_input(key="segment-q").set_value(q).run()) == found
    test.text_input(key="segment-q").set_value("nonsense").run()
    assert "No segment has these words" in words(test)
    assert not labels(test) & {"Refresh all", "New segment", "New static list"}


def test_a_failed_refresh_and_an_invalid_rule_are_told_and_break_nothing(several, shop, act_as, screen):  # noqa: F811
    loyal, rest, _ = several
    with shop.writing() as session:
        session.execute(update(Segment).where(Segment.id == loyal).values(rule=BROKEN))
        session.execute(update(Segment).where(Segment.id == rest).values(refresh_error="The disk is full."))
    act_as("marketer")
    test = screen("segments")
    assert not test.exception
    assert test.dataframe[0].value["state"].dropna().tolist() == ["Rule no longer valid", "Refresh failed"]
    told = words(test).replace("\\", "")
    assert "The rule of **Loyal** is no longer valid. Unknown field 'attribute:99'" in told
    assert "**The rest** could not be refreshed. The disk is full." in told
    one = screen("segments", id=str(loyal))
    assert not one.exception
    assert "Edit the rule, or bring back an older version" in words(one)
    click(one, "Refresh")
    assert "attribute:99" in words(one).replace("\\", "")
    assert "The last refresh failed" in words(screen("segments", id=str(rest)))


def test_all_are_refreshed_with_progress_and_the_table_follows(several, shop, act_as, screen):  # noqa: F811
    act_as("marketer")
    test = click(screen("segments"), "Refresh all")
    for _ in range(200):
        with shop.reading() as session:
            if refresh_runs.last_run(session).ended_at:
                break
        time.sleep(0.05)
    test.run()
    assert not test.exception
    assert "just now by marketer, 2 refreshed" in words(test)
    assert test.dataframe[0].value["refreshed"].tolist() == ["3 days ago", "just now", "just now"]


def test_a_run_of_somebody_else_is_seen_and_cancelled_by_those_who_may(several, shop, act_as, screen):  # noqa: F811
    with shop.writing() as session:
        run_id = begin_run(session, SYSTEM, at=clock.now())
    act_as("viewer")
    test = screen("segments")
    assert "system refreshes all segments: 0 of 2" in str(test.get("progress")[0].proto)
    assert "Cancel" not in labels(test)
    act_as("marketer")
    test = click(screen("segments"), "Refresh all")
    assert "system is refreshing all segments" in words(test).replace("\\", "")
    test.button(key="cancel-refresh").click().run()
    assert not test.exception
    with shop.reading() as session:
        assert session.scalar(select(RefreshRun.cancelled_by).where(RefreshRun.id == run_id)) == "marketer"
    with shop.writing() as session:
        session.execute(update(RefreshRun).values(beat_at=clock.now() - timedelta(minutes=3)))
    test = screen("segments")
    assert "cancelled by marketer after 0 of 2" in words(test)


def test_segments_are_chosen_for_comparison(several, act_as, screen):
    loyal, rest, _ = several
    act_as("viewer")
    test = screen("segments")
    assert test.button(key="compare").disabled
    test.multiselect(key="compare-chosen").set_value([loyal, rest]).run()
    test.button(key="compare").click().run()
    assert test.query_params["compare"] in (f"{loyal},{rest}", [f"{loyal},{rest}"])
    assert not test.exception


def open_tab(test, segment_id: int, name: str):
    test.session_state[f"segment-tab-{segment_id}"] = name
    return test.run()


def test_versions_are_compared_and_brought_back(several, shop, act_as, screen):  # noqa: F811
    loyal, *_ = several
    stricter = {"all": [LOYAL["all"][0] | {"value": 20}, {"field": "gender", "operator": "is_missing"}]}
    with shop.writing() as session:
        update_segment(session, SYSTEM, loyal, version=1, rule=stricter, at=clock.now())
    act_as("viewer")
    test = open_tab(screen("segments", id=str(loyal)), loyal, "Versions")
    assert test.dataframe[0].value["number"].tolist() == [2, 1]
    told = words(test).replace("\\", "")
    assert "number of orders is at least 10 → number of orders is at least 20" in told
    assert ":green[**Added**] gender is unknown" in told
    assert "Bring back version 1" not in labels(test)
    act_as("marketer")
    test = open_tab(screen("segments", id=str(loyal)), loyal, "Versions")
    click(test, "Bring back version 1")
    assert not test.exception
    with shop.reading() as session:
        saved = analytics.segment(session, loyal)
    assert (saved.rule, saved.size, saved.stale) == (LOYAL, 3, False)
    assert test.dataframe[0].value["number"].tolist() == [3, 2, 1]


def test_what_uses_a_segment_is_said_before_it_is_deleted(several, act_as, screen):
    loyal, *_ = several
    act_as("marketer")
    test = screen("segments", id=str(loyal))
    assert "the rules of other segments use it" in words(test)
    assert "Open The rest" in labels(test)
    assert "Delete segment" not in labels(test)
    open_tab(test, loyal, "Used by")
    assert "The rest" in labels(test)


def test_campaigns_that_keep_a_segment_are_linked_with_what_can_be_done(several, shop, act_as, screen):  # noqa: F811
    *_, guests = several
    usual = {"channel": "email", "segment_id": guests, "subject": "Hello", "body": "Hello"}
    with shop.writing() as session:
        for name in ("Autumn", "Winter"):
            create_campaign(session, SYSTEM, name=name, at=clock.now(), **usual)
        session.execute(update(Campaign).where(Campaign.name == "Autumn").values(status="completed"))
    act_as("marketer")
    test = screen("segments", id=str(guests))
    assert not test.exception
    assert [(one.proto.label, one.proto.query_string) for one in test.get("page_link")] == [
        ("Autumn (completed)", "id=1"),
        ("Winter (draft)", "id=2"),
    ]
    assert "Choose another segment in drafts" in words(test)
    assert "Launched and cancelled campaigns keep it" in words(test)
    assert "Delete segment" not in labels(test)


def test_the_history_shows_every_refresh_and_opening_evaluates_nothing(several, shop, act_as, screen):  # noqa: F811
    loyal, *_ = several
    with shop.writing() as session:
        refresh_segment(session, SYSTEM, loyal, at=clock.now())
    act_as("viewer")
    test = screen("segments", id=str(loyal))
    assert not test.get("plotly_chart")
    open_tab(test, loyal, "History")
    assert not test.exception
    assert len(test.get("plotly_chart")) == 1
    assert test.dataframe[0].value["size"].tolist() == [3, 3]


def test_a_file_of_people_is_looked_up_and_added(several, shop, act_as, screen):  # noqa: F811
    *_, guests = several
    with shop.writing() as session:
        add_members(session, SYSTEM, guests, analytics.these([1]), at=clock.now())
    act_as("viewer")
    assert "Upload people" not in labels(screen("segments", id=str(guests)))
    act_as("marketer")
    test = click(screen("segments", id=str(guests)), "Upload people")
    assert "One column says who they are" in words(test)
    test.file_uploader[0].set_value(("people.csv", b"id,name\n1,A\n2,B\n99,C\n2,D\n,E\n", "text/csv")).run()
    assert [metric.value for metric in test.metric] == ["3", "1", "0", "1"]
    assert "5 rows, 3 found (1 repeated): 2 people, 1 already on the list, 1 to add." in words(test)
    assert test.dataframe[0].value[["row", "problem"]].to_numpy().tolist() == [
        [4, "No customer has this customer id."],
        [6, "The row has no customer id."],
    ]
    click(test, "Add 1 to the list")
    assert not test.exception
    with shop.reading() as session:
        people = analytics.members(session, as_of=clock.now(), segment_id=guests)
    assert people["customer_id"].tolist() == [1, 2]
    assert "Upload people to" not in words(test)


def test_a_list_without_a_header_loses_nobody_unless_it_is_one(several, shop, act_as, screen):  # noqa: F811
    *_, guests = several
    act_as("marketer")
    test = screen("segments", id=str(guests), upload="yes")
    test.file_uploader[0].set_value(("people.csv", b"3\n4\n99\n", "text/csv")).run()
    assert "looks like a person" in words(test)
    assert [metric.value for metric in test.metric] == ["2", "1", "0", "0"]
    test.checkbox[0].check().run()
    assert not test.exception
    assert "looks like" not in words(test)
    test.selectbox[1].select("customer_id").run()
    assert [metric.value for metric in test.metric] == ["1", "1", "0", "0"]


def test_a_file_that_cannot_be_read_is_explained(several, act_as, screen):
    *_, guests = several
    act_as("marketer")
    test = screen("segments", id=str(guests), upload="yes")
    test.file_uploader[0].set_value(("people.csv", b"%PDF-1.7", "text/csv")).run()
    assert "This is a PDF" in words(test).replace("\\", "")
    test.file_uploader[0].set_value(("people.csv", b"id,name\n", "text/csv")).run()
    assert not test.exception
    assert "no rows" in words(test)
    test.file_uploader[0].set_value(("people.xlsx", b"no workbook", "text/csv")).run()
    assert "not an Excel file" in words(test)
