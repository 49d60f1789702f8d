"""Totals that e-mail platforms export: recognised, checked, brought in once, updated and taken back."""

import csv
import shutil

import pandas as pd
import pytest
from sqlalchemy import func, select

from ma.analytics.campaign_totals import campaign_totals, fill_in
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput
from ma.files.columns import suggest
from ma.files.reading import read
from ma.models import Campaign, CampaignAggregate, ImportChange, Segment
from ma.services import import_suggestions, imports
from ma.services.campaigns import create_campaign
from ma.services.import_totals import TARGETS
from ma.services.segments import create_segment
from ma.settings import ROOT
from ma.types import SYSTEM, Channel
from tests.services.import_world import AT, MARKETER, bring_in, counted, dry_run, set_up, sheet, take_back

SHARED = ROOT.parent / "shared" / "data"
NEWSLETTER, HEADERS = SHARED / "newsletter/messages.csv", SHARED / "benchmarks/esp_export_headers.csv"
TWO = {
    "campaign_key": ["K1", "K2"],
    "name": ["Spring", "Summer"],
    "at": ["2026-02-01 10:00", "2026-02-08 10:00"],
    "sent": ["1,000", "2000"],
    "bounced": ["10", "0"],
    "opened": ["400", "800"],
    "clicked": ["40", "90"],
    "converted": ["4", ""],
    "unsubscribed": ["1", "2"],
    "revenue": ["120.50", ""],
}
MAILCHIMP = (
    "Title", "Subject", "List", "Send Date", "Send Weekday", "Total Recipients", "Successful Deliveries",
    "Soft Bounces", "Hard Bounces", "Total Bounces", "Times Forwarded", "Forwarded Opens", "Unique Opens",
    "Open Rate", "Total Opens", "Unique Clicks", "Click Rate", "Total Clicks", "Unsubscribes",
    "Abuse Complaints",
)  # fmt: skip
KLAVIYO = (
    "Campaign Name", "Tags", "Subject", "List", "Send Time", "Send Weekday", "Total Recipients",
    "Unique Placed Order", "Placed Order Rate", "Revenue", "Unique Opens", "Open Rate", "Total Opens",
    "Unique Clicks", "Click Rate", "Total Clicks", "Unsubscribes", "Spam Complaints",
    "Spam Complaints Rate", "Successful Deliveries", "Bounces", "Bounce Rate", "Campaign ID",
    "Campaign Channel",
)  # fmt: skip
TINYLETTER = (
    "id", "stub", "subject", "sent_at", "sent_at_date", "send_count", "stats.total_opens",
    "stats.total_clicks", "stats.unique_opens", "stats.unique_clicks", "stats.open_rate",
    "stats.click_rate", "stats.soft_bounces", "stats.hard_bounces", "stats.spam_complaints",
    "stats.unsubs",
)  # fmt: skip


@pytest.fixture
def world(database):
    set_up(database, timezone="Europe/Berlin")
    return database


@pytest.fixture(scope="module")
def readable(template_sqlite, tmp_path_factory):
    """A database for what only reads."""
    path = tmp_path_factory.mktemp("totals") / "ma.db"
    shutil.copy(template_sqlite, path)
    database = connect(f"sqlite:///{path}")
    set_up(database, timezone="Europe/Berlin")
    yield database
    database.close()


def changed(**columns):
    return TWO | columns


def totals(database, *, at=AT):
    with database.reading() as session:
        return campaign_totals(session, as_of=at)


def stored(database):
    """What is in the two tables, without what says when and by whom."""
    campaign, total = Campaign.__table__, CampaignAggregate.__table__
    with database.reading() as session:
        query = select(campaign.c.name, campaign.c.steps, campaign.c.launched_at, campaign.c.status, total)
        rows = session.execute(query.join(total, total.c.campaign_id == campaign.c.id)).all()
        return sorted(tuple(row) for row in rows)


def problems(plan):
    return plan.rejected[["row", "column", "problem"]].to_records(index=False).tolist()


# --- headers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            KLAVIYO,
            {
                "campaign_key": "Campaign ID", "name": "Campaign Name", "subject": "Subject",
                "at": "Send Time", "channel": "Campaign Channel", "sent": "Total Recipients",
                "delivered": "Successful Deliveries", "bounced": "Bounces", "opened": "Unique Opens",
                "clicked": "Unique Clicks", "converted": "Unique Placed Order",
                "unsubscribed": "Unsubscribes", "complained": "Spam Complaints", "revenue": "Revenue",
                "open_rate": "Open Rate", "click_rate": "Click Rate", "conversion_rate": "Placed Order Rate",
                "bounce_rate": "Bounce Rate", "complaint_rate": "Spam Complaints Rate",
            },
        ),
        (
            MAILCHIMP,
            {
                "name": "Title", "subject": "Subject", "at": "Send Date", "sent": "Total Recipients",
                "delivered": "Successful Deliveries", "bounced": "Total Bounces",
                "soft_bounced": "Soft Bounces", "hard_bounced": "Hard Bounces", "opened": "Unique Opens",
                "clicked": "Unique Clicks", "unsubscribed": "Unsubscribes", "complained": "Abuse Complaints",
                "open_rate": "Open Rate", "click_rate": "Click Rate",
            },
        ),
        (
            TINYLETTER,
            {
                "campaign_key": "id", "subject": "subject", "at": "sent_at", "sent": "send_count",
                "soft_bounced": "stats.soft_bounces", "hard_bounced": "stats.hard_bounces",
                "opened": "stats.unique_opens", "clicked": "stats.unique_clicks",
                "unsubscribed": "stats.unsubs", "complained": "stats.spam_complaints",
                "open_rate": "stats.open_rate", "click_rate": "stats.click_rate",
            },
        ),
    ],
)  # fmt: skip
def test_the_headers_of_three_platforms_are_recognised(headers, expected):
    assert suggest(headers, TARGETS) == expected


@pytest.mark.skipif(not HEADERS.exists(), reason="the platforms' headers are not on this machine")
def test_these_headers_are_those_the_platforms_use():
    with HEADERS.open(newline="") as file:
        rows = [row["column_order"].split(",") for row in csv.DictReader(file)]
    assert rows[0] == list(KLAVIYO)
    assert [name for name in rows[1] if not name.startswith("(")] == [n for n in MAILCHIMP if n != "List"]
    assert rows[2] == list(TINYLETTER)


# --- real sends -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not NEWSLETTER.exists(), reason="the newsletter's export is not on this machine")
def test_the_rates_of_230_real_sends_are_those_of_their_platform(world):
    file = read(NEWSLETTER, name="messages.csv")
    with world.reading() as session:
        assert import_suggestions.likely_kind(session, file) == "totals"
        found = import_suggestions.suggestion(session, "totals", file)
    assert found.key == "campaign_key"
    plan = dry_run(world, "totals", file, found.key, mapping=found.mapping)
    assert counted(plan) == (230, 0, 0, 0)
    # Shares of what was delivered, as ours are: nothing to say about them.
    assert plan.notes == []
    bring_in(world, "totals", file, found.key, mapping=found.mapping)
    # The platform's own rates, read by another program: the csv module, as text.
    with NEWSLETTER.open(newline="") as opened:
        oracle = {
            row["id"]: (row["stats.open_rate"], row["stats.click_rate"]) for row in csv.DictReader(opened)
        }
    ours = totals(world).set_index("external_id")
    assert len(ours) == len(oracle) == 230
    right = sum(
        (f"{ours.open_rate[key]:.1%}", f"{ours.click_rate[key]:.1%}") == said for key, said in oracle.items()
    )
    assert right == 230
    # SOURCE.md of the file.
    sums = ours[["sent", "delivered", "opened", "clicked", "unsubscribed", "complained"]].sum().astype(int)
    assert sums.tolist() == [2_965_579, 2_929_866, 1_180_961, 184_894, 6_758, 110]
    assert ours["open_rate"].mean() == pytest.approx(0.43276, abs=1e-5)
    assert ours["launched_at"].max() == pd.Timestamp(1_614_776_401, unit="s", tz="UTC")
    assert set(ours["status"]) == {"completed"}
    assert ours[["converted", "revenue_minor"]].isna().all(axis=None)
    before = stored(world)
    again = dry_run(world, "totals", file, found.key, mapping=found.mapping)
    assert counted(again) == (0, 0, 230, 0)
    # By name and time they are the same ones.
    other = dry_run(world, "totals", file, "subject", mapping=found.mapping)
    assert counted(other) == (0, 0, 230, 0)
    assert stored(world) == before


# --- figures ----------------------------------------------------------------------------------------------


def test_what_is_not_in_the_file_is_unknown_and_delivered_is_what_did_not_bounce(world):
    bring_in(world, "totals", TWO, "campaign_key")
    found = totals(world).set_index("external_id")
    first, second = found.loc["K1"], found.loc["K2"]
    assert (first["sent"], first["bounced"], first["delivered"]) == (1000, 10, 990)
    assert first["open_rate"] == 400 / 990
    assert first["bounce_rate"] == 10 / 1000
    assert (first["conversion_rate"], first["revenue_minor"]) == (4 / 990, 12_050)
    assert second[["converted", "revenue_minor", "complained", "complaint_rate"]].isna().all()
    assert found["channel"].tolist() == ["email", "email"]
    assert found["launched_at"].tolist() == [
        pd.Timestamp("2026-02-08 09:00", tz="UTC"),
        pd.Timestamp("2026-02-01 09:00", tz="UTC"),
    ]
    with world.reading() as session:
        steps = dict(session.execute(select(Campaign.name, Campaign.steps)).all())
    assert steps == {
        "Spring": "sent,delivered,opened,clicked,converted,bounced,unsubscribed",
        "Summer": "sent,delivered,opened,clicked,bounced,unsubscribed",
    }


def test_bounces_are_soft_and_hard_ones(world):
    table = {name: cells for name, cells in TWO.items() if name != "bounced"}
    table |= {"soft_bounced": ["30", "1"], "hard_bounced": ["5", ""]}
    bring_in(world, "totals", table, "campaign_key")
    found = totals(world).set_index("external_id")
    assert found.loc["K1", ["bounced", "delivered"]].tolist() == [35, 965]
    # Half of it known is not known.
    assert found.loc["K2", ["bounced", "delivered"]].isna().all()
    with pytest.raises(InvalidInput) as refusal:
        dry_run(world, "totals", {name: cells for name, cells in table.items() if "hard" not in name}, "name")
    assert "soft and hard" in refusal.value.problems["hard_bounced"]


def test_a_file_without_bounces_leaves_delivered_unknown(world):
    table = {name: cells for name, cells in TWO.items() if name != "bounced"}
    bring_in(world, "totals", table, "campaign_key")
    found = totals(world)
    assert found[["bounced", "delivered", "bounce_rate"]].isna().all(axis=None)
    assert found["open_rate"].tolist() == [800 / 2000, 400 / 1000]


def test_the_same_file_twice_changes_nothing_and_a_changed_total_updates(world):
    bring_in(world, "totals", TWO, "campaign_key")
    before = stored(world)
    plan = dry_run(world, "totals", TWO, "campaign_key")
    assert counted(plan) == (0, 0, 2, 0)
    assert not plan.writes
    more = changed(opened=["410", "800"], converted=["4", "7"], revenue=["", "99"])
    plan = dry_run(world, "totals", more, "campaign_key")
    assert counted(plan) == (0, 2, 0, 0)
    assert plan.changes[["row", "customer", "field", "before", "after"]].to_numpy().tolist()[0] == [
        2, "Spring", "People who opened", "400", "410",
    ]  # fmt: skip
    done = bring_in(world, "totals", more, "campaign_key")
    found = totals(world).set_index("external_id")
    assert found["opened"].to_dict() == {"K1": 410, "K2": 800}
    # An empty cell changes nothing.
    assert found["revenue_minor"].to_dict() == {"K1": 12_050, "K2": 9_900}
    with world.reading() as session:
        assert "converted" in session.scalar(select(Campaign.steps).where(Campaign.name == "Summer"))
    counts = take_back(world, done.import_id)
    assert (counts["campaigns_restored"], counts["campaigns_removed"], counts["campaigns_kept"]) == (2, 0, 0)
    assert stored(world) == before


def test_an_undone_import_leaves_nothing(world):
    done = bring_in(world, "totals", TWO, "campaign_key")
    assert done.counts["campaigns"] == 2
    counts = take_back(world, done.import_id)
    assert (counts["campaigns_removed"], counts["campaigns_kept"]) == (2, 0)
    with world.reading() as session:
        for table in (Campaign, CampaignAggregate):
            assert session.scalar(select(func.count()).select_from(table)) == 0
    with pytest.raises(Conflict, match="taken back already"):
        take_back(world, done.import_id)
    bring_in(world, "totals", TWO, "campaign_key")
    assert len(totals(world)) == 2
    # Rules that named the first ones do not mean others now.
    with world.reading() as session:
        assert set(session.scalars(select(Campaign.id))).isdisjoint({1, 2})


def test_what_a_later_import_changed_or_a_rule_names_is_kept(world):
    first = bring_in(world, "totals", TWO, "campaign_key")
    bring_in(world, "totals", changed(opened=["410", "800"]), "campaign_key")
    with world.reading() as session:
        summer = session.scalar(select(Campaign.id).where(Campaign.name == "Summer"))
    with world.writing() as session:
        rule = {"all": [{"campaign": summer, "did": "delivered", "within": {"last": 30, "unit": "day"}}]}
        create_segment(session, SYSTEM, name="Got it", rule=rule, at=AT)
        assert session.scalar(select(func.count()).select_from(Segment)) == 1
    counts = take_back(world, first.import_id)
    assert (counts["campaigns_removed"], counts["campaigns_kept"]) == (0, 2)
    assert len(totals(world)) == 2


def test_without_an_id_the_name_and_the_time_say_which_campaign(world):
    weekly = changed(name=["News", "News"])
    weekly.pop("campaign_key")
    bring_in(world, "totals", weekly, "name")
    with world.reading() as session:
        assert set(session.scalars(select(Campaign.name))) == {"News", "News (2026-02-08)"}
    # In any order, and with a third one.
    more = {name: [*cells[::-1], cells[0]] for name, cells in weekly.items()}
    more["at"][2] = "2026-02-15 10:00"
    plan = dry_run(world, "totals", more, "name")
    assert counted(plan) == (1, 0, 2, 0)
    # The platform's id may come later: it is the same campaign.
    plan = dry_run(world, "totals", weekly | {"campaign_key": ["K1", "K2"]}, "campaign_key")
    assert counted(plan) == (0, 2, 0, 0)
    assert set(plan.changes["field"]) == {"Campaign's id on the platform"}


def test_an_id_stays_with_its_campaign_where_names_tell_them_apart(world):
    bring_in(world, "totals", TWO, "campaign_key")
    for ids in (["K2", "K1"], ["K3", "K3"], ["K1", "K1"]):
        plan = dry_run(world, "totals", changed(campaign_key=ids), "name")
        assert set(plan.rejected["column"]) == {"campaign_key"}
        assert counted(plan) == (0, 0, ids[0] == "K1", 2 - (ids[0] == "K1"))
    new = changed(name=["Autumn", "Winter"], campaign_key=["K1", "K9"])
    assert counted(dry_run(world, "totals", new, "name")) == (1, 0, 0, 1)


def test_two_ids_are_two_campaigns_though_all_else_is_equal(world):
    same = changed(name=["News"] * 2, at=["2026-02-01 10:00"] * 2)
    bring_in(world, "totals", same, "campaign_key")
    with world.reading() as session:
        assert set(session.scalars(select(Campaign.name))) == {"News", "News (2026-02-01)"}
    assert counted(dry_run(world, "totals", same, "campaign_key")) == (0, 0, 2, 0)


# --- rates ------------------------------------------------------------------------------------------------


def test_rates_that_are_shares_of_all_recipients_are_told_apart(readable):
    of_all = changed(open_rate=["40.0%", "40.0%"], click_rate=["4.00%", "4.50%"])
    plan = dry_run(readable, "totals", of_all, "campaign_key")
    assert len(plan.notes) == 1
    assert "shares of all recipients" in plan.notes[0]
    delivered = changed(open_rate=["0.4040", "0.4000"], click_rate=["0.0404", "0.0450"])
    assert dry_run(readable, "totals", delivered, "campaign_key").notes == []


def test_a_rate_that_fits_no_count_is_told_with_its_row_and_the_denominators_are_not_mixed(readable):
    # Row 3 fits all recipients, row 2 delivered ones: one of them is wrong, since a file divides by one.
    mixed = changed(bounced=["10", "100"], open_rate=["40.4%", "40.0%"], click_rate=["4.0%", "4.7%"])
    (note,) = dry_run(readable, "totals", mixed, "campaign_key").notes
    assert note.startswith("Open rate: in 1 row")
    assert "row 3: 40.00% in the file, 42.11% by its counts" in note
    bounces = changed(bounce_rate=["1.0%", "3%"])
    (note,) = dry_run(readable, "totals", bounces, "campaign_key").notes
    assert "row 3: 3.00% in the file, 0.00% by its counts" in note


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "column", "told"),
    [
        ({"opened": ["991", "1"]}, "opened", "all opens or clicks, not people"),
        ({"clicked": ["1000", "1"]}, "clicked", "all opens or clicks, not people"),
        ({"unsubscribed": ["995", "1"]}, "unsubscribed", "more people than it was delivered to"),
        ({"sent": ["-5", "2000"]}, "sent", "no number of people"),
        ({"sent": ["12.5", "2000"]}, "sent", "no number of people"),
        ({"sent": ["99999999999", "2000"]}, "sent", "no number of people"),
        ({"sent": ["=1+1", "2000"]}, "sent", "not a number"),
        ({"sent": ["1e400", "2000"]}, "sent", "not a number"),
        ({"sent": ["", "2000"]}, "sent", "not said how many"),
        ({"opened": ["NaN", "1"]}, "opened", "not a number"),
        ({"bounced": ["1001", "0"]}, "bounced", "More were delivered and bounced"),
        ({"delivered": ["995", "2000"]}, "delivered", "More were delivered and bounced"),
        ({"revenue": ["-1", ""]}, "revenue", "cannot be negative"),
        ({"revenue": ["=SUM(A1)", ""]}, "revenue", "not a number"),
        ({"at": ["2026-04-01 10:00", "2026-02-08 10:00"]}, "at", "in the future"),
        ({"at": ["", "2026-02-08 10:00"]}, "at", "no time of sending"),
        ({"name": ["", "Summer"]}, "name", "has no name"),
        ({"name": ["x" * 101, "Summer"]}, "name", "too long"),
        ({"name": ["bad\x00name", "Summer"]}, "name", "control characters"),
        ({"campaign_key": ["", "K2"]}, "campaign_key", "There is no id"),
        ({"campaign_key": ["K" * 101, "K2"]}, "campaign_key", "too long"),
        ({"channel": ["pigeon", "email"]}, "channel", "no channel"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_with_its_remedy(readable, columns, column, told):
    plan = dry_run(readable, "totals", changed(**columns), "campaign_key")
    assert counted(plan) == (1, 0, 0, 1)
    ((row, blamed, problem),) = problems(plan)
    assert (row, blamed) == (2, column)
    assert told in problem


def test_a_formula_as_a_name_stays_a_name(world):
    bring_in(world, "totals", changed(name=["=HYPERLINK(1)", "Summer"]), "campaign_key")
    assert "=HYPERLINK(1)" in totals(world)["name"].tolist()


def test_a_campaign_twice_in_a_file(readable):
    table = {name: [cells[0], cells[0], cells[0]] for name, cells in TWO.items()}
    plan = dry_run(readable, "totals", table, "campaign_key")
    assert counted(plan) == (1, 0, 2, 0)
    table["opened"] = ["400", "400", "401"]
    plan = dry_run(readable, "totals", table, "campaign_key")
    assert counted(plan) == (1, 0, 1, 1)
    assert "Row 2 is the same campaign with other figures" in plan.rejected["problem"].item()


def test_a_campaign_that_is_planned_here_is_not_overwritten(world):
    with world.writing() as session:
        segment = create_segment(
            session, SYSTEM, name="All", rule={"field": "orders", "operator": "gte", "value": 0}, at=AT
        )
        create_campaign(
            session,
            SYSTEM,
            name="spring",
            channel=Channel.SMS,
            segment_id=segment,
            subject="",
            body="x",
            at=AT,
        )
    plan = dry_run(world, "totals", TWO, "campaign_key")
    assert counted(plan) == (1, 0, 0, 1)
    assert "known by person or was planned here" in plan.rejected["problem"].item()


def test_columns_that_count_how_often_are_refused(readable):
    file = sheet({("Total Opens" if name == "opened" else name): cells for name, cells in TWO.items()})
    mapping = {name: name for name in TWO} | {"opened": "Total Opens"}
    with pytest.raises(InvalidInput) as refusal:
        dry_run(readable, "totals", file, "campaign_key", mapping=mapping)
    assert "how often, not how many people" in refusal.value.problems["opened"]
    with pytest.raises(InvalidInput) as refusal:
        dry_run(readable, "totals", file, "campaign_key", mapping={"campaign_key": "campaign_key"})
    assert set(refusal.value.problems) == {"name", "at", "sent"}


def test_what_somebody_changed_since_the_dry_run_is_not_overwritten(world):
    bring_in(world, "totals", TWO, "campaign_key")
    plan = dry_run(world, "totals", changed(opened=["410", "800"]), "campaign_key")
    bring_in(world, "totals", changed(opened=["405", "800"]), "campaign_key")
    with pytest.raises(Conflict, match="dry run again"), world.writing() as session:
        imports.apply(session, MARKETER, plan, at=AT)
    assert totals(world)["opened"].tolist() == [800, 405]


def test_figures_of_other_campaigns_are_left_alone(world):
    bring_in(world, "totals", TWO, "campaign_key")
    with world.reading() as session:
        ids = dict(session.execute(select(Campaign.name, Campaign.id)).all())
        frame = pd.DataFrame({"campaign_id": [99, ids["Spring"]]}).assign(
            assigned=5.0, sent=5.0, bounced=0.0, delivered=5.0, opened=1.0, clicked=0.0, converted=0.0,
            unsubscribed=0.0, complained=0.0, revenue_minor=0.0,
        )  # fmt: skip
        filled = fill_in(session, frame, as_of=AT)
        early = fill_in(session, frame, as_of=pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime())
    assert filled.iloc[0].equals(frame.iloc[0])
    assert filled.loc[1, ["assigned", "sent", "opened", "revenue_minor"]].tolist() == [
        1000,
        1000,
        400,
        12_050,
    ]
    assert pd.isna(filled.loc[1, "complained"])
    assert early.equals(frame)
    with world.reading() as session:
        assert session.scalar(select(func.count()).select_from(ImportChange)) == 2
