"""Next best actions: against launches, forecasts and the simulator itself."""

import shutil
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, select, update

from ma.analytics import next_actions as reading
from ma.analytics import segments
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Campaign, Customer, CustomerScore, Segment, ValueModel
from ma.services import audience, forecasts, next_action_drafts, next_actions
from ma.services.campaigns import stored
from ma.services.next_action_outlook import outlook
from ma.services.segments import add_members, create_static_segment
from ma.simulation.cells import cells
from ma.simulation.forecast import Plan, forecast
from ma.simulation.planner import Candidate, worth
from ma.simulation.population import recipients
from ma.types import SYSTEM, Actor, Channel, Role
from tests.services import next_action_world as world
from tests.services.campaign_world import NOW, days

SCORES = CustomerScore.__table__


@pytest.fixture(scope="module")
def built_sqlite(template_sqlite, tmp_path_factory):
    """The world on SQLite, built once and copied for each test that changes it."""
    path = tmp_path_factory.mktemp("next") / "ma.db"
    shutil.copy(template_sqlite, path)
    _build(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def built_postgres(postgres_server, template_postgres):
    """The same world on PostgreSQL."""
    name = f"next_{time.time_ns()}"
    postgres_server.psql(f"CREATE DATABASE {name} TEMPLATE {template_postgres}")
    _build(postgres_server.get_uri(name))
    yield postgres_server.get_uri(name)
    postgres_server.psql(f"DROP DATABASE {name} WITH (FORCE)")


def _build(url):
    database = connect(url)
    with database.writing() as session:
        world.build(session)
    database.close()


@pytest.fixture
def one_engine(built_sqlite, tmp_path):
    """What asks the database is tested on both; the rest is arithmetic."""
    shutil.copy(built_sqlite, tmp_path / "ma.db")
    database = connect(f"sqlite:///{tmp_path / 'ma.db'}")
    with database.writing() as session:
        yield session
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def session(request):
    """The world on both engines; what a test writes is taken back."""
    if request.param == "sqlite":
        yield request.getfixturevalue("one_engine")
        return
    database = connect(request.getfixturevalue("built_postgres"))
    with database.writing() as session:
        yield session
        session.rollback()
    database.close()


def everybody(session):
    """Each channel's people as a launch sees them."""
    name = "All of them"
    segment_id = create_static_segment(session, SYSTEM, name=name, at=NOW)
    ids = session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None))).all()
    add_members(session, SYSTEM, segment_id, segments.these(ids), at=NOW)
    return {channel: audience.members(session, segment_id, channel, at=NOW) for channel in Channel}


def plan(price):
    return Plan(
        cost_per_thousand_minor=price.cost_per_thousand_minor,
        fixed_cost_minor=0.0,
        conversion_window_days=price.conversion_window_days,
    )


def store(session, found):
    """The scores as scoring writes them, of these columns."""
    session.execute(
        insert(ValueModel).values(
            id=1, as_of=NOW, status="good", problems=[], customers=1, repeat_customers=1, parameters={},
            figures={}, duration_ms=1, created_by="test",
        )
    )  # fmt: skip
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    session.execute(insert(SCORES), [row | {"model_id": 1, "scored_at": NOW} for row in rows])


def test_who_may_be_sent_what_is_whom_a_launch_would_choose(session):
    found = reading.people(session, list(Channel), as_of=NOW)
    ids = found.facts["customer_id"].to_numpy()
    lost = set()
    for channel, people in everybody(session).items():
        assert ids.tolist() == people["customer_id"].tolist()
        chosen, waterfall = audience.eligible(people, channel)
        assert ids[found.allowed(channel)].tolist() == chosen["customer_id"].tolist()
        lost |= {after.step for before, after in pairwise(waterfall)
                 if after.people < before.people}  # fmt: skip
        names = ["engagement", "days_since_last_order", "recent_messages", "days_observed", "orders"]
        for name in [*names, "spend_minor"]:
            np.testing.assert_array_equal(
                found.facts[name].to_numpy(float), people[name].to_numpy(float), err_msg=name
            )
    # Everything that can stand in the way does so for somebody.
    assert lost == {"consent", "reachable", "not suppressed", "frequency cap"}
    few = reading.people(session, list(Channel), as_of=NOW, customer_ids=[1, 3, 4, 5, 6, 23, 999])
    kept = np.isin(ids, few.facts["customer_id"])
    pd.testing.assert_frame_equal(few.facts, found.facts[kept].reset_index(drop=True))
    for channel in Channel:
        assert few.allowed(channel).tolist() == found.allowed(channel)[kept].tolist()


def test_a_price_is_that_of_the_last_launch_whose_cost_is_known(session):
    prices = reading.prices(session, as_of=NOW)
    assert {channel: (price.campaign, price.each_minor) for channel, price in prices.items()} == {
        Channel.EMAIL: ("Letter", 0.4),
        Channel.SMS: ("Text", 4.5),
    }
    assert set(reading.prices(session, as_of=NOW - days(38))) == {Channel.EMAIL}
    assert reading.prices(session, as_of=NOW - days(41))[Channel.EMAIL].campaign == "Old letter"
    assert reading.prices(session, as_of=NOW - days(60)) == {}


def test_both_engines_choose_alike(one_engine, built_postgres):
    found = next_actions.best(one_engine, at=NOW)
    database = connect(built_postgres)
    with database.reading() as other:
        pd.testing.assert_frame_equal(next_actions.best(other, at=NOW), found, rtol=1e-9)
    database.close()


def test_everybody_gets_the_channel_that_the_simulator_expects_most_of(one_engine):
    """Each person as a group of one, straight into the simulator: the same channel and the same profit."""
    session, some = one_engine, 40
    found = next_actions.best(session, at=NOW).set_index("customer_id").loc[:some]
    prices = reading.prices(session, as_of=NOW)
    people = everybody(session)
    earned = {}
    for channel, price in prices.items():
        believed = forecasts.beliefs(session, channel, at=NOW)
        population = believed.params.population
        chosen, _ = audience.eligible(people[channel], channel)
        for person in chosen.loc[chosen["customer_id"] <= some, "customer_id"]:
            one = recipients(chosen[chosen["customer_id"] == person], population)
            alone = Candidate(0, cells(one, population), believed, plan(price))
            earned[person, channel] = float(worth(alone, 1)[0, 0]) - price.each_minor
    for person in found.index:
        mine = {channel: earned[person, channel] for channel in prices if (person, channel) in earned}
        best = max(mine, key=mine.get, default=None)
        channel, profit = found.loc[person, ["next_channel", "next_profit_minor"]]
        if best is None or mine[best] < -0.02:
            assert pd.isna(channel)
            assert pd.isna(profit)
        elif mine[best] > 0.02:
            revenue = profit + prices[Channel(channel)].each_minor
            # Within the width of a group: and where two channels are that close, either.
            expected = mine[Channel(channel)] + prices[Channel(channel)].each_minor
            assert revenue == pytest.approx(expected, rel=0.02)
            assert mine[Channel(channel)] >= mine[best] - 0.04 * (mine[best] + 5.0)
    assert {"email", "sms"} <= set(found["next_channel"].dropna())
    assert found["next_channel"].isna().any()


def test_the_sum_is_what_a_forecast_of_these_people_expects(one_engine):
    found = next_actions.best(one_engine, at=NOW)
    for channel, price in reading.prices(one_engine, as_of=NOW).items():
        believed = forecasts.beliefs(one_engine, channel, at=NOW)
        population = believed.params.population
        people = everybody_of(one_engine, found, channel)
        grouped = cells(recipients(people, population), population)
        drawn = forecast(grouped, believed, plan(price), draws=8_000, seed=3)
        profit = drawn.figures["incremental_profit_minor"]
        noise = profit.std() / len(profit) ** 0.5
        total = found.loc[found["next_channel"] == channel, "next_profit_minor"].sum()
        assert total == pytest.approx(profit.mean(), rel=0.01, abs=4 * noise)


def everybody_of(session, found, channel):
    ids = found.loc[found["next_channel"] == channel, "customer_id"]
    return reading.people(session, [channel], as_of=NOW, customer_ids=ids.tolist()).facts


def test_what_is_expected_of_somebody_does_not_hang_on_who_else_is_asked_for(one_engine):
    whole = next_actions.best(one_engine, at=NOW)
    for ids in ([17], [3, 40, 41, 239], [9_999]):
        some = next_actions.best(one_engine, at=NOW, customer_ids=ids)
        expected = whole[whole["customer_id"].isin(ids)].reset_index(drop=True)
        pd.testing.assert_frame_equal(some, expected, check_dtype=False, rtol=1e-9)
    stands = next_actions.ground(one_engine, at=NOW)
    for row in whole.head(8).itertuples():
        choice = next_actions.reason(one_engine, row.customer_id, at=NOW, stands=stands)
        assert choice.channel == (None if pd.isna(row.next_channel) else row.next_channel)
        assert choice.offer == (None if pd.isna(row.next_offer) else row.next_offer)
        assert choice.profit_minor == pytest.approx(row.next_profit_minor, rel=1e-9, nan_ok=True)
        assert list(choice.channels["channel"]) == list(Channel)
        chosen = choice.channels.set_index("channel")
        if choice.channel:
            assert chosen.loc[choice.channel, "why_not"] == ""
            assert chosen.loc[choice.channel, "profit_minor"] == choice.profit_minor
        open_to = chosen[chosen["why_not"] == ""]
        assert open_to["allowed"].all()
        assert (open_to["profit_minor"] > 0.0).all()
    with pytest.raises(NotFound):
        next_actions.reason(one_engine, 23, at=NOW, stands=stands)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"consent_sms": False}, "They have not agreed to SMS."),
        ({"consent_sms": True, "phone": ""}, "No address for SMS is on file."),
    ],
)
def test_what_stands_in_the_way_is_said(one_engine, change, words):
    one_engine.execute(update(Customer).where(Customer.id == 8).values(**change))
    choice = next_actions.reason(one_engine, 8, at=NOW)
    assert choice.channels.set_index("channel").loc["sms", "why_not"] == words
    push = choice.channels.set_index("channel").loc["ads"]
    assert np.isnan(push["cost_minor"])
    assert np.isnan(push["profit_minor"])
    assert push["revenue_minor"] > 0.0


def test_where_no_cost_is_known_or_all_cost_too_much_there_is_no_action(one_engine):
    one_engine.execute(update(Campaign).values(cost_per_thousand_minor=10**9))
    found = next_actions.best(one_engine, at=NOW)
    assert found[["next_channel", "next_offer", "next_profit_minor"]].isna().all(axis=None)
    stands = next_actions.ground(one_engine, at=NOW)
    whys = {next_actions.reason(one_engine, i, at=NOW, stands=stands).why for i in range(1, 6)}
    assert "No message: none that may be sent is expected to bring more than it costs." in whys
    one_engine.execute(update(Campaign).values(cost_per_thousand_minor=None))
    found = next_actions.best(one_engine, at=NOW)
    assert found[["next_channel", "next_offer", "next_profit_minor"]].isna().all(axis=None)
    assert len(found) == one_engine.query(Customer).where(Customer.deleted_at.is_(None)).count()
    stands = replace(stands, prices={})
    whys = {next_actions.reason(one_engine, i, at=NOW, stands=stands).why for i in range(1, 6)}
    assert any("what one costs is unknown" in why for why in whys)


def test_offers_go_with_what_people_buy_and_say_why(one_engine):
    stands = next_actions.ground(one_engine, at=NOW)
    sure = stands.affinity.lifts_[stands.affinity.lifts_["low"] > 1.0]
    assert [{row.item_a, row.item_b} for row in sure.itertuples()] == [{"Cheese", "Wine"}]
    rows = world.bought(one_engine)
    seen = set()
    for row in next_actions.best(one_engine, at=NOW).dropna(subset="next_channel").head(12).itertuples():
        mine = rows[rows["customer_id"] == row.customer_id]
        owns, lately = set(mine["item"]), set(mine.loc[mine["recent"], "item"])
        fitting = {b for a, b in (("Cheese", "Wine"), ("Wine", "Cheese")) if a in owns and b not in lately}
        choice = next_actions.reason(one_engine, row.customer_id, at=NOW, stands=stands)
        if fitting:
            assert row.next_offer in fitting
            assert f"have not bought {row.next_offer} in the last 90 days" in choice.why_offer
            pair = sure.iloc[0]
            assert f"{pair['both']:,} customers bought both: {pair['lift']:.2f} times" in choice.why_offer
        else:
            favourite = one_engine.get(Customer, row.customer_id).favourite_category
            assert (None if pd.isna(row.next_offer) else row.next_offer) == favourite
            word = "spent most on" if favourite else "nothing is known"
            assert word in choice.why_offer
        seen.add(bool(fitting))
    assert seen == {True, False}


def test_the_summary_and_its_range_are_of_those_who_were_scored(one_engine):
    found = next_actions.best(one_engine, at=NOW)
    store(one_engine, found)
    frame = reading.next_actions(one_engine, as_of=NOW)
    expected = found.dropna(subset="next_channel").groupby(["next_channel", "next_offer"], dropna=False)
    assert frame["people"].sum() == expected.size().sum()
    assert frame["profit_minor"].sum() == pytest.approx(found["next_profit_minor"].sum())
    assert frame["profit_minor"].is_monotonic_decreasing
    assert reading.next_actions(one_engine, as_of=NOW - days(1)).empty
    assert reading.scored(one_engine, as_of=NOW)[:2] == (len(found), frame["people"].sum())
    seen = outlook(one_engine, at=NOW, draws=4_000)
    assert (seen.people, seen.gone) == (frame["people"].sum(), 0)
    low, high = seen.interval
    assert low < frame["profit_minor"].sum() < high
    assert seen.draws.mean() == pytest.approx(
        frame["profit_minor"].sum(), rel=0.01, abs=4 * seen.draws.std() / 4_000**0.5
    )
    assert 0.0 <= seen.chance_of_loss <= 1.0
    one_engine.execute(update(Customer).values(consent_sms=False))
    later = outlook(one_engine, at=NOW, draws=100)
    assert later.gone == (found["next_channel"] == "sms").sum()
    assert list(later.channels["channel"]) == ["email"]


def test_a_draft_goes_to_the_people_of_the_action_with_its_cost(one_engine):
    found = next_actions.best(one_engine, at=NOW)
    store(one_engine, found)
    words = {"name": "To them", "subject": "", "body": "Come in."}
    campaign_id = next_action_drafts.make_draft(one_engine, SYSTEM, Channel.SMS, "Wine", **words, at=NOW)
    campaign = stored(one_engine, campaign_id)
    assert (campaign["channel"], campaign["cost_per_thousand_minor"]) == ("sms", 4_500)
    assert campaign["holdout_share"] == 0.1
    mine = found[(found["next_channel"] == "sms") & (found["next_offer"] == "Wine")]
    members = segments.members(one_engine, as_of=NOW, segment_id=campaign["segment_id"])
    assert len(mine) > 0
    assert set(members["customer_id"]) == set(mine["customer_id"])
    # A second draft takes the same segment; one whose name stands for something else is left alone.
    again = {"at": NOW}
    assert (
        next_action_drafts.make_segment(one_engine, SYSTEM, Channel.SMS, "Wine", **again)
        == (campaign["segment_id"])
    )
    one_engine.execute(update(Segment).where(Segment.id == campaign["segment_id"]).values(rule={"all": []}))
    other = next_action_drafts.make_segment(one_engine, SYSTEM, Channel.SMS, "Wine", **again)
    assert other != campaign["segment_id"]
    assert one_engine.get(Segment, other).name == "Next best: SMS, Wine (2)"
    every = next_action_drafts.make_segment(one_engine, SYSTEM, Channel.SMS, None, **again)
    assert one_engine.get(Segment, every).size == (found["next_channel"] == "sms").sum()


def test_a_draft_needs_a_price_words_and_the_right(one_engine):
    words = {"name": "X", "subject": "", "body": "Hi"}
    with pytest.raises(Conflict, match="What a message by Push costs is unknown"):
        next_action_drafts.make_draft(one_engine, SYSTEM, Channel.PUSH, None, **words, at=NOW)
    with pytest.raises(InvalidInput):
        next_action_drafts.make_draft(one_engine, SYSTEM, Channel.EMAIL, None, **words, at=NOW)
    viewer = Actor(username="v", role=Role.VIEWER)
    with pytest.raises(NotAllowed):
        next_action_drafts.make_draft(one_engine, viewer, Channel.SMS, None, **words, at=NOW)
