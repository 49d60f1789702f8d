"""What people really did with campaigns: brought in once, in either form, completed later, and taken back."""

import pandas as pd
import pytest
from sqlalchemy import select, update

from ma.analytics.funnel import funnel
from ma.errors import InvalidInput
from ma.models import Customer
from ma.services import audience
from ma.services.campaign_imports import import_campaign
from ma.services.due import catch_up
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import days
from tests.services.import_world import AT, bring_in, carry_out, counted, dry_run, take_back
from tests.services.outcome_world import (
    LOG,
    MAIL,
    SENT,
    campaigns,
    changed,
    everything,
    outcomes,
    reasons,
    ten_people,
    utc,
    without,
)


@pytest.fixture
def people(database):
    return ten_people(database)


# --- what comes in ----------------------------------------------------------------------------------------


def test_each_recipient_comes_in_with_what_they_did(people):
    done = bring_in(people, "outcomes", MAIL, "email")
    assert (done.counts["new"], done.counts["campaigns"]) == (4, 1)
    row = campaigns(people)["Spring"]
    assert (row.source, row.status, row.channel) == ("imported", "completed", "email")
    # Complaints have no column: unknown, not zero.
    assert row.steps == "sent,delivered,opened,clicked,converted,bounced,unsubscribed"
    assert pd.Timestamp(row.launched_at) == utc(SENT)
    found = outcomes(people).set_index("customer_id")
    assert found.index.tolist() == [1, 2, 3, 4]
    assert found["variant"].tolist() == ["A", "B", "B", "A"]
    assert found.loc[1, "opened_at"] == utc("2026-02-01 12:00")
    assert found.loc[1, ["converted_at", "revenue_minor"]].tolist() == [utc("2026-02-03 09:00"), 1990]
    assert found["bounced_at"].notna().tolist() == [False, False, True, False]
    assert set(found["source"]) == {"imported"}
    assert found["assigned_at"].equals(found["sent_at"])
    with people.reading() as session:
        results = world.results(session, row.id)
        assert results["complained"].isna().all()
        assert results["sent"].sum() == 4
        reached = funnel(session, as_of=AT, campaign_ids=[row.id])
    assert reached.set_index("step")["people"].to_dict() == {
        "sent": 4, "delivered": 3, "opened": 1, "clicked": 1, "converted": 1,
    }  # fmt: skip


def test_a_log_with_a_row_for_each_step_says_the_same(people):
    plan = dry_run(people, "outcomes", LOG, "email", channel="E-Mail")
    assert counted(plan) == (9, 0, 0, 0)
    carry_out(people, plan)
    assert campaigns(people)["Spring"].steps == "sent,delivered,opened,converted,bounced,unsubscribed"
    found = outcomes(people).set_index("customer_id")
    # The first of two opens.
    assert found.loc[1, "opened_at"] == utc("2026-02-01 11:00")
    assert found.loc[1, "revenue_minor"] == 500
    assert found.loc[2, "unsubscribed_at"] == utc("2026-02-04 10:00")
    assert found.loc[3, "bounced_at"] == utc("2026-02-01 10:05")
    assert counted(dry_run(people, "outcomes", LOG, "email", channel="email")) == (0, 0, 9, 0)


def test_several_orders_of_one_person_are_added_up_within_the_window(people):
    rows = {
        "email": ["p1@example.com"] * 4,
        "step": ["sent", "order", "order", "order"],
        "at": ["2026-02-01 10:00", "2026-02-05 10:00", "2026-02-03 10:00", "2026-02-09 10:00"],
        "revenue": [None, "5", "7", "100"],
    }
    bring_in(people, "outcomes", rows, "email", campaign="Spring", channel="sms")
    found = outcomes(people)
    assert found["converted_at"].item() == utc("2026-02-03 10:00")
    assert found["revenue_minor"].item() == 1200
    assert campaigns(people)["Spring"].channel == "sms"


def test_one_campaign_and_channel_for_a_whole_file_by_any_key(people):
    table = {"external_id": ["C5", "C6"], "sent_at": ["1769958000", "1769958000000"]}
    bring_in(people, "outcomes", table, "external_id", campaign="Post", channel="direct mail")
    found = outcomes(people, "Post")
    assert found["customer_id"].tolist() == [5, 6]
    # Seconds and milliseconds since 1970.
    assert set(found["sent_at"]) == {pd.Timestamp(1_769_958_000, unit="s", tz="UTC")}
    assert campaigns(people)["Post"].steps == "sent"
    with pytest.raises(InvalidInput) as refusal:
        dry_run(people, "outcomes", table, "external_id", channel="sms")
    assert "one campaign for the whole file" in refusal.value.problems["campaign"]
    with pytest.raises(InvalidInput) as refusal:
        dry_run(people, "outcomes", table, "external_id", campaign="Another")
    assert "one channel for the whole file" in refusal.value.problems["channel"]
    # What is here already says its channel itself.
    assert counted(dry_run(people, "outcomes", table, "external_id", campaign="post")) == (0, 0, 2, 0)


def test_people_held_out_are_the_other_arm(people):
    table = {
        "campaign": ["Spring"] * 4,
        "channel": ["email"] * 4,
        "external_id": ["C1", "C2", "C3", "C4"],
        "held_out": ["no", "yes", "yes", "no"],
        "sent_at": [SENT, None, "2026-02-01 11:00", SENT],
        "opened_at": [SENT, None, None, None],
        "converted_at": [None, "2026-02-05 10:00", None, None],
        "revenue": [None, "12", None, None],
    }
    bring_in(people, "outcomes", table, "external_id")
    found = outcomes(people).set_index("customer_id")
    assert found["arm"].tolist() == ["treated", "holdout", "holdout", "treated"]
    assert found["sent_at"].notna().tolist() == [True, False, False, True]
    # Assigned when the campaign began, or when the file says.
    assert found["assigned_at"].tolist() == [utc(SENT), utc(SENT), utc("2026-02-01 11:00"), utc(SENT)]
    assert found.loc[2, ["converted_at", "revenue_minor"]].tolist() == [utc("2026-02-05 10:00"), 1200]
    assert found.loc[2, ["delivered_at", "opened_at", "clicked_at"]].isna().all()
    assert campaigns(people)["Spring"].holdout_share == 0.5
    assert counted(dry_run(people, "outcomes", table, "external_id")) == (0, 0, 4, 0)
    plan = dry_run(people, "outcomes", table | {"held_out": ["no", "no", "yes", "yes"]}, "external_id")
    assert "nobody is held out afterwards" in reasons(plan)[5]


def test_a_file_of_nobody_but_people_held_out(people):
    table = {"external_id": ["C1", "C2"], "held_out": ["yes", "yes"], "sent_at": [SENT, None]}
    plan = dry_run(people, "outcomes", table, "external_id", campaign="Spring", channel="email")
    assert counted(plan) == (2, 0, 0, 0)
    carry_out(people, plan)
    assert campaigns(people)["Spring"].holdout_share == 0.0
    assert outcomes(people)["arm"].tolist() == ["holdout", "holdout"]
    table["sent_at"] = [None, None]
    plan = dry_run(people, "outcomes", table, "external_id", campaign="Summer", channel="email")
    assert counted(plan) == (0, 0, 0, 2)


def test_a_campaign_brought_in_by_a_program_has_bands_too(people):
    with people.writing() as session:
        session.execute(update(Customer).where(Customer.id == 2).values(engagement=45.0))
        session.execute(update(Customer).where(Customer.id == 3).values(engagement=None))
        frame = pd.DataFrame({"customer_id": [3, 2, 1], "sent_at": pd.Timestamp(AT - days(40))})
        import_campaign(
            session, SYSTEM, name="Post", channel=Channel.DIRECT_MAIL, started_at=AT - days(40),
            ended_at=AT - days(5), outcomes=frame, at=AT,
        )  # fmt: skip
    found = outcomes(people, "Post")["band"]
    assert found.iloc[:2].tolist() == [0, 2]
    assert pd.isna(found.iloc[2])


def test_the_band_of_engagement_is_that_of_now_and_unknown_where_the_score_is(people):
    with people.writing() as session:
        for customer_id, score in ((1, 0.0), (2, 19.9), (3, 20.0), (4, 100.0)):
            session.execute(update(Customer).where(Customer.id == customer_id).values(engagement=score))
        session.execute(update(Customer).where(Customer.id == 5).values(engagement=None))
    table = {"external_id": [f"C{i}" for i in range(1, 6)], "sent_at": ["2025-02-01 10:00"] * 5}
    bring_in(people, "outcomes", table, "external_id", campaign="Spring", channel="email")
    assert outcomes(people)["band"].tolist()[:4] == [0, 0, 1, 4]
    assert pd.isna(outcomes(people)["band"].iloc[4])


def test_young_opens_and_clicks_count_for_engagement(people):
    bring_in(people, "outcomes", MAIL, "email")
    with people.reading() as session:
        scores = dict(session.execute(select(Customer.id, Customer.engagement)).all())
    # One open and one click, 31 days ago: half weight, s = 3 / 2; 25 s / (s + 2).
    assert scores[1] == pytest.approx(25 * 1.5 / 3.5, abs=0.05)
    assert scores[4] == 0


def test_who_unsubscribed_complained_or_bounced_is_not_written_to_again(people):
    bring_in(people, "outcomes", MAIL, "email")
    with people.writing() as session:
        rule = {"field": "orders", "operator": "gte", "value": 0}
        segment = create_segment(session, SYSTEM, name="All", rule=rule, at=AT)
        refresh_segment(session, SYSTEM, segment, at=AT)
        frame = audience.members(session, segment, Channel.EMAIL, at=AT)
    assert frame.loc[~frame["welcome"], "customer_id"].tolist() == [2, 3]


def test_a_campaign_runs_while_its_window_lasts(people):
    table = {"external_id": ["C1"], "sent_at": ["2026-03-02 10:00"]}
    bring_in(people, "outcomes", table, "external_id", campaign="Spring", channel="email")
    assert campaigns(people)["Spring"].status == "running"
    with people.writing() as session:
        assert catch_up(session, at=AT) == []
        catch_up(session, at=AT + days(9))
    assert campaigns(people)["Spring"].status == "completed"


@pytest.mark.parametrize(("window", "kept"), [(1, 0), (2, 2500), (7, 2500)])
def test_a_conversion_after_the_window_is_not_the_campaigns(people, window, kept):
    table = {
        "external_id": ["C1"], "sent_at": ["2026-02-01 10:00"], "converted_at": ["2026-02-03 10:00"],
        "revenue": ["25"],
    }  # fmt: skip
    options = {"campaign": "Spring", "channel": "email", "window_days": window}
    plan = dry_run(people, "outcomes", table, "external_id", **options)
    assert any("after the window" in note for note in plan.notes) is not bool(kept)
    carry_out(people, plan)
    assert outcomes(people)["revenue_minor"].item() == kept
    assert campaigns(people)["Spring"].conversion_window_days == window
    # A campaign's window is its own, whatever a later file asks for.
    again = dry_run(people, "outcomes", table, "external_id", **options | {"window_days": 30})
    assert counted(again) == (0, 0, 1, 0)


def test_who_took_a_step_took_those_before_it(people):
    late = changed(
        opened_at=["2026-02-01 13:00", None, None, None],
        clicked_at=["2026-02-01 12:05", "2026-02-01 12:10", None, None],
    )
    bring_in(people, "outcomes", late, "email")
    found = outcomes(people).set_index("customer_id")
    assert found.loc[1, "opened_at"] == utc("2026-02-01 12:05")
    assert found.loc[2, "opened_at"] == utc("2026-02-01 12:10")
    assert counted(dry_run(people, "outcomes", late, "email")) == (0, 0, 4, 0)


def test_several_channels_in_a_file_know_their_own_steps(people):
    table = {
        "campaign": ["Mail", "Text", "Text"],
        "channel": ["email", "sms", "SMS"],
        "external_id": ["C1", "C1", "C2"],
        "sent_at": [SENT] * 3,
        "opened_at": [SENT, None, None],
        "clicked_at": [None, SENT, None],
    }
    bring_in(people, "outcomes", table, "external_id")
    found = campaigns(people)
    # Nobody sees whether a text message was read.
    assert (found["Mail"].steps, found["Text"].steps) == ("sent,opened,clicked", "sent,clicked")


def test_unknown_people_are_refused_or_added_allowing_nothing(people):
    table = without("campaign", "channel") | {
        "email": ["p1@example.com", "x@new.org", "X@new.org", "y@new.org"]
    }
    plan = dry_run(people, "outcomes", table, "email", campaign="Spring", channel="email")
    assert counted(plan) == (1, 0, 0, 3)
    assert "Import the customers first" in reasons(plan)[3]
    table["email"][2] = "z@new.org"
    done = bring_in(
        people, "outcomes", table, "email", campaign="Spring", channel="email", create_missing=True
    )
    assert (done.counts["new"], done.counts["customers"]) == (4, 3)
    with people.reading() as session:
        added = session.execute(select(Customer.email, Customer.consent_email).where(Customer.id > 10)).all()
    assert sorted(map(tuple, added)) == [("x@new.org", False), ("y@new.org", False), ("z@new.org", False)]
    counts = take_back(people, done.import_id)
    assert (counts["campaigns_removed"], counts["customers_removed"]) == (1, 3)
    assert campaigns(people) == {}


# --- a second time ----------------------------------------------------------------------------------------


def test_the_same_file_twice_changes_nothing(people):
    bring_in(people, "outcomes", MAIL, "email")
    before = everything(people)
    plan = dry_run(people, "outcomes", MAIL, "email")
    assert counted(plan) == (0, 0, 4, 0)
    assert not plan.writes
    assert carry_out(people, plan).import_id is None
    assert everything(people) == before


def test_a_later_file_adds_people_steps_and_times_and_undo_gives_back_what_was(people):
    first = without("clicked_at", "converted_at", "revenue", "unsubscribed_at")
    one = bring_in(people, "outcomes", {name: cells[:3] for name, cells in first.items()}, "email")
    before = everything(people)
    assert campaigns(people)["Spring"].steps == "sent,delivered,opened,bounced"
    more = changed(
        opened_at=["2026-02-01 12:00", "2026-02-01 18:00", None, None],
        sent_at=[SENT, SENT, SENT, "2026-01-31 10:00"],
        variant=["A", "B", "B", "C"],
    )
    plan = dry_run(people, "outcomes", more, "email")
    # The third one did nothing, which was not known before.
    assert counted(plan) == (1, 3, 0, 0)
    assert sorted(plan.changes["field"]) == [
        "Clicked at", "Converted at", "Opened at", "Revenue", "Unsubscribed at",
    ]  # fmt: skip
    two = carry_out(people, plan)
    found = outcomes(people).set_index("customer_id")
    assert found.loc[2, "opened_at"] == utc("2026-02-01 18:00")
    assert (found.loc[1, "revenue_minor"], found.loc[4, "variant"]) == (1990, "C")
    row = campaigns(people)["Spring"]
    assert row.steps == "sent,delivered,opened,clicked,converted,bounced,unsubscribed"
    assert pd.Timestamp(row.launched_at) == utc("2026-01-31 10:00")
    after = everything(people)
    # The first cannot go while the second stands on it.
    assert take_back(people, one.import_id)["campaigns_kept"] == 1
    assert everything(people) == after
    counts = take_back(people, two.import_id)
    assert (counts["campaigns_restored"], counts["campaigns_removed"]) == (1, 0)
    assert everything(people) == before


def test_a_step_has_one_time_for_good(people):
    bring_in(people, "outcomes", MAIL, "email")
    before = everything(people)
    # Emptied, later and earlier: none of it takes anything back or moves it.
    for opened in (None, "2026-02-02 12:00", "2026-02-01 11:00"):
        plan = dry_run(people, "outcomes", changed(opened_at=[opened, None, None, None]), "email")
        assert counted(plan) == (0, 0, 4, 0)
        assert any("what came first stays" in note for note in plan.notes) is (opened == "2026-02-01 11:00")
    assert everything(people) == before


def test_a_corrected_revenue_of_the_same_conversion_is_taken(people):
    bring_in(people, "outcomes", MAIL, "email")
    other = changed(revenue=["25.00", None, None, None], converted_at=["2026-02-04 09:00", None, None, None])
    assert counted(dry_run(people, "outcomes", other, "email")) == (0, 0, 4, 0)
    done = bring_in(people, "outcomes", changed(revenue=["25.00", None, None, None]), "email")
    assert done.counts["changed"] == 1
    assert outcomes(people)["revenue_minor"].tolist() == [2500, 0, 0, 0]
    take_back(people, done.import_id)
    assert outcomes(people)["revenue_minor"].tolist() == [1990, 0, 0, 0]


def test_a_step_that_becomes_known_is_taken_by_everybody_who_went_further(people):
    bring_in(people, "outcomes", without("opened_at", "delivered_at"), "email")
    assert pd.isna(outcomes(people).set_index("customer_id").loc[1, "opened_at"])
    before = everything(people)
    one = {name: cells[3:] for name, cells in without("delivered_at").items()} | {"opened_at": [SENT]}
    plan = dry_run(people, "outcomes", one, "email")
    assert counted(plan) == (0, 1, 0, 0)
    assert any(note.startswith("1 person is not in this file") for note in plan.notes)
    done = carry_out(people, plan)
    found = outcomes(people).set_index("customer_id")
    assert found["opened_at"].notna().tolist() == [True, False, False, True]
    assert found.loc[1, "opened_at"] == found.loc[1, "clicked_at"]
    take_back(people, done.import_id)
    assert everything(people) == before


def test_a_new_column_is_known_of_everybody_in_the_file_also_where_it_is_empty(people):
    bring_in(people, "outcomes", MAIL, "email")
    before = everything(people)
    quiet = changed(complained_at=[None] * 4)
    plan = dry_run(people, "outcomes", quiet, "email")
    assert counted(plan) == (0, 4, 0, 0)
    done = carry_out(people, plan)
    row = campaigns(people)["Spring"]
    assert row.steps.endswith("unsubscribed,complained")
    with people.reading() as session:
        assert (world.results(session, row.id)["complained"] == 0).all()
    assert counted(dry_run(people, "outcomes", quiet, "email")) == (0, 0, 4, 0)
    take_back(people, done.import_id)
    assert everything(people) == before
