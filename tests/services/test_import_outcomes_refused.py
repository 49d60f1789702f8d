"""Real results that cannot be true, or that somebody else got to first, are refused in words."""

import shutil

import pytest
from sqlalchemy import func, select

from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed
from ma.models import ImportChange, Outcome
from ma.services import import_suggestions, imports
from ma.services.campaigns import create_campaign
from ma.services.import_plans import Cancelled
from ma.services.segments import create_segment
from ma.types import SYSTEM, Actor, Channel, Role
from tests.services.import_world import AT, MARKETER, bring_in, carry_out, counted, dry_run, sheet, take_back
from tests.services.outcome_world import (
    LOG,
    MAIL,
    SENT,
    campaigns,
    changed,
    everything,
    reasons,
    ten_people,
    without,
)


@pytest.fixture
def people(database):
    return ten_people(database)


@pytest.fixture(scope="module")
def readable(template_sqlite, tmp_path_factory):
    """A database for what only reads."""
    path = tmp_path_factory.mktemp("outcomes") / "ma.db"
    shutil.copy(template_sqlite, path)
    database = connect(f"sqlite:///{path}")
    yield ten_people(database)
    database.close()


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        ({"campaign": ["Spring", None, "Spring", "Spring"]}, 3, "not said which campaign"),
        ({"campaign": ["x" * 101, "Spring", "Spring", "Spring"]}, 2, "too long"),
        ({"channel": ["email", "pigeon", "email", "email"]}, 3, "no channel"),
        ({"channel": ["email", "sms", "email", "email"]}, 3, "another channel"),
        ({"email": ["p1@example.com", None, "p3@example.com", "p4@example.com"]}, 3, "no e-mail address"),
        ({"email": ["nobody@x.org", "p2@example.com", "p3@example.com", "p4@example.com"]}, 2, "No customer"),
        ({"email": ["=cmd()", "p2@example.com", "p3@example.com", "p4@example.com"]}, 2, ""),
        ({"sent_at": [None, SENT, SENT, None]}, None, ""),
        ({"sent_at": ["2026-04-01 10:00", SENT, SENT, SENT]}, 2, "in the future"),
        ({"sent_at": ["tomorrow", SENT, SENT, SENT]}, 2, "not a time"),
        ({"sent_at": ["1969-01-01 10:00", SENT, SENT, SENT]}, 2, "before 1970"),
        ({"opened_at": ["2026-01-01 10:00", None, None, None]}, 2, "before the message was sent"),
        ({"converted_at": ["2027-01-01 10:00", None, None, None]}, 2, "in the future"),
        ({"converted_at": [None] * 4}, 2, "revenue and no conversion"),
        ({"revenue": ["-1", None, None, None]}, 2, "cannot be negative"),
        ({"revenue": ["9" * 40, None, None, None]}, 2, "not a number"),
        ({"revenue": ["=1+1", None, None, None]}, 2, "not a number"),
        ({"variant": ["A", "Z", "B", None]}, 3, "letters A to H"),
        ({"bounced_at": [SENT, None, "2026-02-01 10:03", None]}, 2, "bounced, and they got it"),
        ({"held_out": ["yes", "no", "no", "no"]}, 2, "held out, so they cannot have got a message"),
        ({"held_out": ["perhaps", "no", "no", "no"]}, 2, "yes or no"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_with_its_remedy(readable, columns, row, told):
    plan = dry_run(readable, "outcomes", changed(**columns), "email")
    if row is None:
        # Who got it was sent it: the time of its arrival stands for that of its sending.
        assert counted(plan) == (4, 0, 0, 0)
        return
    assert counted(plan) == (3, 0, 0, 1)
    assert set(plan.rejected["row"]) == {row}
    assert told in reasons(plan)[row]


def test_nobody_is_in_a_campaign_without_having_been_sent_it(people):
    plan = dry_run(people, "outcomes", without("sent_at", "delivered_at", "bounced_at"), "email")
    assert counted(plan) == (0, 0, 0, 4)
    assert set(reasons(plan).values()) == {"It is not said when the message was sent to them. Fill it in."}
    bring_in(people, "outcomes", MAIL, "email")
    # Of those who are known to have been sent it, nothing more need be said.
    more = {name: MAIL[name] for name in ("campaign", "email")} | {"opened_at": [None, None, None, SENT]}
    assert counted(dry_run(people, "outcomes", more, "email")) == (0, 1, 3, 0)


def test_what_contradicts_what_is_known_is_refused(people):
    bring_in(people, "outcomes", MAIL, "email")
    plan = dry_run(people, "outcomes", changed(variant=["B", "B", "B", "A"]), "email")
    assert reasons(plan) == {2: "Here they got another variant. Correct it."}
    opened = [None, None, "2026-02-01 12:00", None]
    plan = dry_run(people, "outcomes", without("bounced_at") | {"opened_at": opened}, "email")
    assert list(reasons(plan)) == [4]
    assert "Here their message bounced" in reasons(plan)[4]
    plan = dry_run(people, "outcomes", changed(channel=["sms"] * 4), "email")
    assert counted(plan) == (0, 0, 0, 4)


def test_one_person_has_one_row_for_a_campaign(readable):
    twice = {name: [*cells, cells[0], cells[1]] for name, cells in MAIL.items()}
    assert counted(dry_run(readable, "outcomes", twice, "email")) == (4, 0, 2, 0)
    twice["opened_at"][-1] = SENT
    plan = dry_run(readable, "outcomes", twice, "email")
    assert counted(plan) == (4, 0, 1, 1)
    assert "Row 3 is the same recipient of the same campaign" in reasons(plan)[7]


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        ({"step": ["sent", "levitated", *LOG["step"][2:]]}, 3, "no step"),
        ({"step": ["sent", None, *LOG["step"][2:]]}, 3, "There is no step"),
        ({"at": [None, *LOG["at"][1:]]}, 2, "There is no time"),
        ({"revenue": [None, "5", *LOG["revenue"][2:]]}, 3, "Only a conversion brings revenue"),
        ({"variant": ["A", "B", *[None] * 7]}, 3, "another variant of the same recipient"),
    ],
)
def test_a_row_of_a_log_that_cannot_be_true_is_refused(readable, columns, row, told):
    plan = dry_run(readable, "outcomes", changed(LOG, **columns), "email", channel="email")
    assert told in reasons(plan)[row]


def test_all_of_a_recipient_is_refused_where_a_step_lies_before_the_sending(readable):
    times = ["2026-02-01 10:00", "2026-01-01 10:01", *LOG["at"][2:]]
    plan = dry_run(readable, "outcomes", changed(LOG, at=times), "email", channel="email")
    assert counted(plan) == (4, 0, 0, 5)
    assert set(reasons(plan)) == {2, 3, 4, 5, 6}


def test_simulated_campaigns_and_totals_are_not_mixed_with_real_people(people):
    with people.writing() as session:
        rule = {"field": "orders", "operator": "gte", "value": 0}
        segment = create_segment(session, SYSTEM, name="All", rule=rule, at=AT)
        create_campaign(
            session, SYSTEM, name="SPRING", channel=Channel.SMS, segment_id=segment, body="x", at=AT
        )
    plan = dry_run(people, "outcomes", MAIL, "email")
    assert counted(plan) == (0, 0, 0, 4)
    assert "Give the real one another name" in reasons(plan)[2]
    total = {"name": ["Summer"], "at": [SENT], "sent": ["10"]}
    bring_in(people, "totals", total, "name")
    plan = dry_run(people, "outcomes", changed(campaign=["Summer"] * 4), "email")
    assert "known by its totals alone" in reasons(plan)[2]
    bring_in(people, "outcomes", changed(campaign=["Autumn"] * 4), "email")
    plan = dry_run(people, "totals", total | {"name": ["autumn"]}, "name")
    assert "known by person" in reasons(plan)[2]


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("campaign", "email"), "sent_at"),
        (("campaign", "email", "step"), "at"),
        (("campaign", "email", "step", "at", "opened_at"), "step"),
        (("campaign", "email", "sent_at", "revenue"), "converted_at"),
        (("campaign", "sent_at"), "email"),
    ],
)
def test_an_impossible_mapping_is_told(readable, names, field):
    with pytest.raises(InvalidInput) as refusal:
        dry_run(readable, "outcomes", {name: ["x"] for name in names}, "email", channel="email")
    assert field in refusal.value.problems


def test_a_column_of_something_else_is_not_taken_for_campaigns(readable):
    many = {
        "campaign": [f"c{i}" for i in range(2_001)],
        "external_id": ["C1"] * 2_001,
        "sent_at": [SENT] * 2_001,
    }
    with pytest.raises(InvalidInput) as refusal:
        dry_run(readable, "outcomes", many, "external_id", channel="email")
    assert "names 2,001 campaigns" in refusal.value.problems["campaign"]


@pytest.mark.parametrize("bad", [{"channel": "pigeon"}, {"window_days": 0}, {"campaign": "x" * 101}])
def test_choices_for_the_whole_file_are_checked(readable, bad):
    usual = {"channel": "email", "campaign": "Spring"}
    with pytest.raises(InvalidInput) as refusal:
        dry_run(readable, "outcomes", without("channel", "campaign"), "email", **usual | bad)
    assert set(refusal.value.problems) == set(bad)


# --- all or nothing ---------------------------------------------------------------------------------------


def test_what_changed_since_the_dry_run_is_not_overwritten(people):
    plan = dry_run(people, "outcomes", MAIL, "email")
    bring_in(people, "outcomes", MAIL, "email")
    with pytest.raises(Conflict, match="dry run again"):
        carry_out(people, plan)
    later = changed(opened_at=["2026-02-01 12:00", "2026-02-01 13:00", None, None])
    plan = dry_run(people, "outcomes", later, "email")
    bring_in(people, "outcomes", later, "email")
    before = everything(people)
    with pytest.raises(Conflict, match="dry run again"):
        carry_out(people, plan)
    assert everything(people) == before


def test_a_cancelled_import_leaves_nothing(people):
    plan = dry_run(people, "outcomes", MAIL, "email")
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        carry_out(people, plan, cancelled=lambda: next(asked, True))
    assert campaigns(people) == {}
    with people.reading() as session:
        assert session.scalar(select(func.count()).select_from(Outcome)) == 0
        assert session.scalar(select(func.count()).select_from(ImportChange)) == 0


def test_an_analyst_may_not(readable):
    with pytest.raises(NotAllowed):
        dry_run(readable, "outcomes", MAIL, "email", actor=Actor(username="ann", role=Role.ANALYST))


def test_undoing_twice_is_a_conflict_and_leaves_the_rest_alone(people):
    one = bring_in(people, "outcomes", MAIL, "email")
    two = bring_in(people, "outcomes", changed(campaign=["Summer"] * 4), "email")
    take_back(people, one.import_id)
    before = everything(people)
    with pytest.raises(Conflict), people.writing() as session:
        imports.undo(session, MARKETER, one.import_id, at=AT)
    assert everything(people) == before
    assert list(campaigns(people)) == ["Summer"]
    take_back(people, two.import_id)
    assert campaigns(people) == {}


def test_files_of_results_are_recognised_and_others_are_not_taken_for_them(readable):
    kinds = {
        "outcomes": (
            "Campaign Name,Email Address,Send Time,Delivered,Opened,Clicked,Unsubscribed",
            "campaign,email,event,timestamp",
        ),
        "customers": ("Customer ID,Vorname,Nachname,E-Mail,Telefon,PLZ", "email,first_name,phone"),
        "purchases": ("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",),
        "events": ("session id,customer id,timestamp,page,device",),
        "consent": ("email,channel,status,date",),
    }
    for kind, headers in kinds.items():
        for header in headers:
            file = sheet({name: ["1"] for name in header.split(",")})
            with readable.reading() as session:
                assert import_suggestions.likely_kind(session, file) == kind, header
