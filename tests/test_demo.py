"""The demo world: what it holds, that it can be repeated, and what it may not touch."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import func, select

import ma.demo as demo
from ma.analytics import attributes, frames, tags
from ma.analytics.funnel import funnel
from ma.analytics.roi import roi
from ma.analytics.value_models import value_model
from ma.db import migrate
from ma.db.engine import connect
from ma.events.relay import relay_once
from ma.models import (
    Audit,
    Base,
    Campaign,
    ConsentChange,
    Customer,
    CustomerFact,
    CustomerScore,
    Lead,
    LeadChange,
    Note,
    Outcome,
    Purchase,
    Segment,
    Suppression,
    Ticket,
    Workspace,
)
from ma.notebook import Workbench
from ma.services import forecasts
from ma.subscribers.loop import InProcess

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
# What differs between two loads: real time, hashed passwords, random event ids.
_CHANGING = {
    "results_mark", "password_hash", "event_id", "recorded_at", "demo_loaded_at", "duration_ms",
}  # fmt: skip


def build(path, now=NOW):
    database = connect(f"sqlite:///{path}")
    migrate.upgrade(database)
    demo.load(database, now=now)
    return database


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The demo world of one day."""
    database = build(tmp_path_factory.mktemp("demo") / "ma.db")
    yield database
    database.close()


def count(database, what):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(what))


def test_demo_holds_the_whole_panel(world):
    assert count(world, Customer) == 2469
    assert count(world, Purchase) == 155_848
    with world.reading() as session:
        assert session.scalar(select(func.sum(Purchase.amount_minor))) == 459_603_958
        assert session.scalar(select(func.sum(Customer.orders))) <= 155_848
        real = select(func.count()).where(Outcome.source == "imported")
        assert session.scalar(real) == 6589
        assert session.scalar(real.where(Outcome.converted_at.is_not(None))) == 792


def test_a_notebook_forecasts_plans_and_replays_what_the_screens_do(world):
    workbench = Workbench(world)
    listed = workbench.campaigns(as_of=NOW).set_index("name")["campaign_id"]
    drafts = [int(listed[name]) for name in ("Big spenders' preview", "Recipes for the week")]
    with world.reading() as session:
        same = {"as_of": NOW, "campaign_id": drafts[0]}
        pd.testing.assert_frame_equal(
            workbench.forecast(drafts[0], as_of=NOW), forecasts.quantiles(session, **same)
        )
    assert set(workbench.budget_plan(drafts, 100_000, as_of=NOW)["campaign_id"]) == set(drafts)
    launched = int(listed["Fresh week for regulars"])
    figures = workbench.replay(launched, as_of=NOW, holdout_share=0.0).set_index("figure")
    assert figures.loc["sent", "changed"] > figures.loc["sent", "base"] > 0


def test_demo_ends_about_yesterday(world):
    with world.reading() as session:
        last = session.scalar(select(func.max(Purchase.at)))
    assert abs(last - (NOW - timedelta(days=1))) < timedelta(days=4.5)


@pytest.mark.parametrize("day", [date(2026, 11, 20) + timedelta(days=n) for n in range(7)])
def test_panel_moves_by_whole_weeks_to_the_one_nearest_yesterday(day):
    moved = demo.PANEL_LAST_DAY + demo.weeks_to(day)
    assert abs((moved - day).days) <= 3
    assert moved.weekday() == demo.PANEL_LAST_DAY.weekday()


def test_demo_has_twelve_segments_with_people_and_seven_campaigns_of_its_own(world):
    with world.reading() as session:
        sizes = session.scalars(select(Segment.size)).all()
        own = session.execute(
            select(Campaign.channel, Campaign.status).where(Campaign.source == "simulated")
        ).all()
    assert len(sizes) == 12
    assert all(size > 20 for size in sizes)
    assert len(own) == 7
    assert {c for c, _ in own} == {"email", "sms", "push"}
    assert {s for _, s in own} == {"draft", "scheduled", "running", "paused", "completed"}


def test_demo_knows_more_about_people_and_asked_before_it_wrote(world):
    with world.reading() as session:
        fields = attributes.definitions(session)
        tagged = tags.tags(session, as_of=NOW).set_index("name")["customers"]
        since = (
            select(ConsentChange.customer_id, ConsentChange.channel, func.min(ConsentChange.at).label("at"))
            .group_by(ConsentChange.customer_id, ConsentChange.channel)
            .subquery()
        )
        asked_late = select(func.count()).select_from(
            select(Outcome)
            .join(Campaign, Campaign.id == Outcome.campaign_id)
            .join(since, (since.c.customer_id == Outcome.customer_id) & (since.c.channel == Campaign.channel))
            .where(Campaign.source == "simulated", Outcome.sent_at < since.c.at)
            .subquery()
        )
        # A few joined after a launch that the demo sets in the past.
        own = select(func.count()).select_from(Outcome).where(Outcome.source == "simulated")
        assert session.scalar(asked_late) < 0.01 * session.scalar(own)
        filled = {
            name: attributes.filled(session, key)
            for key, name in zip(fields["attribute_id"], fields["name"], strict=True)
        }
    # The panel's 410 redeeming households, less what lies in the future of the demo; everybody bought.
    assert 390 <= filled["Coupons redeemed"] <= 410
    assert filled["Shopping day"] == 2469
    assert tagged["VIP"] == 50
    assert 0 < tagged["Coupon collector"] < 410
    assert count(world, Note) == 2


def test_demo_ends_with_everybody_scored_and_a_model_that_holds(world):
    assert count(world, CustomerScore) == 2469
    with world.reading() as session:
        model = value_model(session)
        expected = session.scalar(select(func.sum(CustomerScore.expected_value_minor)))
        year = session.scalar(select(func.sum(Purchase.amount_minor)))
    assert (model["status"], model["problems"]) == ("good", [])
    # The panel is a year long, and nearly everybody in it goes on buying.
    assert expected == pytest.approx(year, rel=0.15)


def test_real_mailings_know_neither_opens_nor_clicks_nor_costs(world):
    with world.reading() as session:
        frame = roi(session, as_of=NOW)
        mail = frame[frame["source"] == "imported"]
        steps = funnel(session, as_of=NOW, campaign_ids=mail["campaign_id"].tolist())
    assert len(mail) == 27
    assert mail[["delivered", "opened", "clicked", "cost_minor", "roi"]].isna().all(axis=None)
    assert steps["step"].tolist() == ["sent", "converted"]


def test_revenue_of_mailings_counts_no_basket_twice():
    answers = demo._answers()
    baskets = pd.read_parquet(demo.PANEL / "baskets.parquet")
    redemptions = pd.read_parquet(demo.PANEL / "redemptions.parquet")
    on_days = baskets.assign(redeemed_on=baskets["at"].dt.date).merge(
        redemptions[["household_id", "redeemed_on"]].drop_duplicates()
    )
    assert answers["revenue_minor"].sum() == on_days["amount_minor"].sum()


def test_demos_teams_have_worked_on_leads_and_tickets_in_the_order_of_time(world):
    with world.reading() as session:
        found = session.scalars(select(Lead)).all()
        done = session.execute(select(LeadChange.lead_id, LeadChange.at).order_by(LeadChange.id)).all()
        people = session.scalars(select(Ticket.status)).all()
    assert len(found) > 50
    assert len({lead.stage for lead in found}) >= 5
    assert {lead.owner for lead in found} <= set(demo.SALES_TEAM)
    assert all(lead.opened_at <= lead.stage_at <= NOW for lead in found)
    assert all(lead.closed_at is None or lead.signal_at <= lead.closed_at for lead in found)
    for lead in found:
        moments = [at for lead_id, at in done if lead_id == lead.id]
        assert moments == sorted(moments)
    assert {"closed", "in progress"} <= set(people)


def test_demo_is_loaded_through_the_services(world):
    with world.reading() as session:
        done = set(session.execute(select(Audit.action, Audit.noun)).all())
    wanted = {("import", "customer"), ("create", "segment"), ("launch", "campaign"), ("pause", "campaign")}
    assert wanted <= done


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ma", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_production_never_loads_the_demo(tmp_path):
    url = f"sqlite:///{tmp_path / 'ma.db'}"
    loaded = run("init", "--demo", "--json", MA_DATABASE_URL=url, MA_ENV="production")
    assert json.loads(loaded.stdout)["demo"] is False
    refused = run("demo", "--json", MA_DATABASE_URL=url, MA_ENV="production")
    assert refused.returncode == 1
    assert "production" in json.loads(refused.stdout)["message"]


def test_demo_never_touches_a_workspace_that_exists(tmp_path):
    url = f"sqlite:///{tmp_path / 'ma.db'}"
    assert run("init", "--json", MA_DATABASE_URL=url).returncode == 0
    assert json.loads(run("init", "--demo", "--json", MA_DATABASE_URL=url).stdout) == {
        "created": False,
        "demo": False,
    }
    assert run("demo", MA_DATABASE_URL=url).returncode == 1
    database = connect(url)
    assert count(database, Customer) == 0
    database.close()


def test_a_killed_load_leaves_nothing_and_the_next_one_gives_the_same_world(world, tmp_path):
    path = tmp_path / "ma.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "ma", "init", "--demo"],
        env={**os.environ, "MA_DATABASE_URL": f"sqlite:///{path}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "baskets" in line:
            process.kill()
            break
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    database = connect(f"sqlite:///{path}")
    assert [count(database, table) for table in (Workspace, Customer, Purchase, Audit)] == [0, 0, 0, 0]
    demo.load(database, now=NOW + timedelta(hours=2))
    with world.reading() as one, database.reading() as other:
        for table in Base.metadata.sorted_tables:
            columns = [c for c in table.columns if c.name not in _CHANGING]
            query = select(*columns).order_by(*table.primary_key.columns)
            left, right = frames.read(one, query), frames.read(other, query)
            pd.testing.assert_frame_equal(left, right, obj=table.name)
    database.close()


def test_what_the_bus_brings_later_changes_nothing_of_their_work(world):
    # After the others: from here on the world has an inbox.
    def everything():
        with world.reading() as session:
            return [
                session.execute(select(*table.c).order_by(*table.primary_key.columns)).all()
                for table in (Lead.__table__, LeadChange.__table__, Ticket.__table__, Suppression.__table__)
            ]

    before, broker = everything(), InProcess(world)
    while relay_once(world, broker, at=NOW):
        pass
    assert everything() == before
    with world.reading() as session:
        facts = set(session.scalars(select(CustomerFact.kind)))
    assert {"lead_opened", "lead_won", "lead_lost", "suppressed"} <= facts


@pytest.mark.parametrize("hour", [4, 12, 13, 23])
def test_nothing_of_the_demo_team_lies_in_the_future(hour, tmp_path, monkeypatch):
    now = datetime(2026, 11, 24, hour, 30, tzinfo=UTC)
    opened = []
    monkeypatch.setattr(demo, "_customers", lambda _s, _shift, opening, _p: opened.append(opening) or 1 / 0)
    database = connect(f"sqlite:///{tmp_path / 'ma.db'}")
    migrate.upgrade(database)
    with pytest.raises(ZeroDivisionError):
        demo.load(database, now=now)
    database.close()
    assert timedelta(0) <= now - opened[0] < timedelta(days=1)
