"""A replay is the launch itself: unchanged it gives what is stored, changed what another launch stores."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from ma.analytics import campaigns as campaign_list
from ma.analytics.roi import roi
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NobodyLeft, NotFound
from ma.models import Campaign, Customer, Outcome
from ma.services import campaigns, replays
from ma.services.customers import update_customer
from ma.services.launches import launch_campaign, send_wave
from ma.services.segments import create_segment
from ma.simulation import replay as worlds
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft, outcomes
from tests.services.replay_world import (
    COSTS,
    LATER,
    OTHERS,
    STEPS,
    as_if,
    launch,
    people,
    stored_values,
    time_goes_by,
)  # fmt: skip


@pytest.fixture
def session(sqlite_url):
    """One engine is enough for most: what is asked of it is the same everywhere (see test_launch_state)."""
    database = connect(sqlite_url)
    with database.writing() as session:
        people(session)
        yield session
    database.close()


DRAFTS = {
    "waves, holdout and messages": {"waves": 3, "holdout_share": 0.2, "variants": OTHERS},
    "budget and exclusion": {"budget_minor": 4_000, "holdout_share": 0.1, "excluded": [2]},
    "quiet hours": {"quiet_from": 9 * 60, "quiet_until": 20 * 60, "channel": Channel.EMAIL},
    "an offer in ads": {"channel": Channel.ADS, "segment_id": 2, "effects": {"clicked": 0.5}},
}


def test_with_nothing_changed_it_gives_what_is_stored_of_everybody(session):
    for name, values in DRAFTS.items():
        with session.begin_nested() as nested:
            mine = draft(session, name=name, **COSTS | values)
            launch(session, mine)
            time_goes_by(session)
            found = replays.replay(session, mine, as_of=LATER)
            count = len(outcomes(session, mine))
            assert found.agreement == replays.Agreement(count, count, 0, False), name
            kept = found.table.drop(list(worlds.EVERYBODY))
            assert kept["stored"].equals(kept["base"]), name
            mine_again = found.people.set_index("customer_id")
            expected = stored_values(session, mine)
            for step in [*STEPS, "revenue_minor"]:
                assert mine_again[f"base_{step}"].equals(expected[step]), (name, step)
                assert mine_again[f"changed_{step}"].equals(expected[step]), (name, step)
            assert found.counts["base only"] == found.counts["changed only"] == 0
            nested.rollback()


EVERYWHERE = {"holdout_share": 0.2, "variants": OTHERS, "waves": 2}
LOW_BUDGET = {"segment_id": 2, "budget_minor": 2_000, "holdout_share": 0.1}
TO_EVERYBODY = {
    "offer, window, no holdout and a higher cap": {
        "effects": {"clicked": 1.0, "order_value": 0.5},
        "conversion_window_days": 30,
        "holdout_share": 0.0,
        "frequency_cap": 5,
    },
    "other messages and a lower cap": {
        "variants": [OTHERS[1] | {"share": 0.6, "effects": {"clicked": 2.0}}],
        "frequency_cap": 1,
        "holdout_share": 0.5,
    },
    "one left out and a budget": {"excluded": [3], "budget_minor": 3_000},
    "two other segments": {"segment_id": 3, "also": [2]},
}
WITHIN_BUDGET = {
    "half the cost": {"cost_per_thousand_minor": 4_500, "holdout_share": 0.4},
    "everybody": {"segment_id": 1},
}


@pytest.mark.parametrize(("values", "changes"), [(EVERYWHERE, TO_EVERYBODY), (LOW_BUDGET, WITHIN_BUDGET)])
def test_changed_it_gives_what_another_launch_on_the_same_luck_stores(session, values, changes, monkeypatch):
    base = COSTS | values
    others = {}
    for name, made in changes.items():
        made = dict(made)
        monkeypatch.setattr("ma.services.audience.FREQUENCY_CAP", made.pop("frequency_cap", 3))
        if also := made.pop("also", None):
            both = {"any": [{"in_segment": one} for one in (made["segment_id"], *also)]}
            made["segment_id"] = create_segment(session, SYSTEM, name=f"Of {name}", rule=both, at=NOW)
        others[name] = as_if(session, base | made)
    monkeypatch.undo()
    mine = draft(session, **base)
    launch(session, mine)
    time_goes_by(session)
    for name, made in changes.items():
        expected, variants = others[name]
        found = replays.replay(session, mine, made, as_of=LATER)
        both = found.people.set_index("customer_id")
        sent = both[both["changed_variant"] != worlds.NO_MESSAGE]
        # Only who is deleted by now and did not take part cannot be found any more.
        assert set(variants.index) - set(sent.index) <= {960}, name
        assert set(sent.index) <= set(variants.index), name
        assert sent["changed_variant"].tolist() == variants.loc[sent.index].tolist(), name
        for step in [*STEPS, "revenue_minor"]:
            assert sent[f"changed_{step}"].equals(expected.loc[sent.index, step]), (name, step)
        if found.reckoning:
            assert found.reckoning.barred == 0
            assert found.reckoning.then - found.reckoning.found in (0, 1)


def test_the_figures_are_those_of_the_campaigns_own_screen(session):
    mine = draft(session, holdout_share=0.2, waves=2, **COSTS)
    launch(session, mine)
    for as_of in (NOW + timedelta(hours=2), NOW + days(1) + timedelta(minutes=1), LATER):
        table = replays.replay(session, mine, as_of=as_of).table["base"]
        [row] = roi(session, as_of=as_of, campaign_ids=[mine]).to_dict("records")
        for name in ("sent", "delivered", "clicked", "converted", "unsubscribed", "revenue_minor",
                     "cost_minor", "profit_minor"):  # fmt: skip
            assert table[name] == row[name], (name, as_of)
        assert table["roi"] == pytest.approx(row["roi"])
        assert table["caused"] == row["converted"] - row["organic"]
        assert "opened" not in table.index


def test_what_the_change_adds_counts_everybody_in_either_version(session):
    """Without a holdout more is attributed than is added: the held out buy anyway."""
    lively = campaigns.stored(session, draft(session, holdout_share=0.5, **COSTS))["id"]
    launch(session, lively)
    often = dict(world.campaign(session, lively).parameters) | {"organic_share": 2.0}
    session.execute(update(Campaign).where(Campaign.id == lively).values(parameters=often))
    found = replays.replay(session, lively, {"holdout_share": 0.0}, as_of=LATER)
    table, people = found.table, found.people
    more = found.counts["changed only"]
    assert more > 300
    held = people["base_variant"] == worlds.NO_MESSAGE
    anyway = people.loc[held, "base_everybody_revenue_minor"].sum()
    assert anyway > 0
    attributed, added = (
        table.loc[name, "difference"] for name in ("revenue_minor", "everybody_revenue_minor")
    )
    assert attributed == pytest.approx(added + anyway)
    assert table.loc["cost_minor", "difference"] == (
        (table.loc["sent", "changed"] * 9_000 + 500) // 1000
        - (table.loc["sent", "base"] * 9_000 + 500) // 1000
    )


def test_who_was_merged_into_another_record_stays_as_they_were(session):
    mine = draft(session, waves=2, holdout_share=0.3)
    launch_campaign(session, SYSTEM, mine, at=NOW, seed=7)
    moved = (Outcome.campaign_id == mine, Outcome.customer_id == 900)
    session.execute(update(Outcome).where(*moved).values(customer_id=1, wave=1))
    found = replays.replay(session, mine, as_of=LATER)
    assert found.agreement.people - found.agreement.same <= 1
    assert 1 in set(found.people["customer_id"])
    assert found.table["base"].equals(found.table["changed"])
    assert replays.replay(session, mine, {"frequency_cap": 9}, as_of=LATER).reckoning.barred <= 1


def test_who_fell_out_between_waves_stays_out(session):
    mine = draft(session, waves=2, holdout_share=0.2)
    launch_campaign(session, SYSTEM, mine, at=NOW, seed=7)
    before = outcomes(session, mine)
    leavers = before.loc[before["wave"] == 2, "customer_id"].iloc[:9].tolist()
    for one in leavers:
        version = session.scalar(select(Customer.version).where(Customer.id == one))
        update_customer(session, SYSTEM, one, version=version, at=NOW + timedelta(hours=3), consent_sms=False)
    assert replays.replay(session, mine, as_of=LATER).people["wave"].eq(1).all()
    send_wave(session, mine, at=NOW + days(1))
    for made in ({}, {"frequency_cap": 9}, {"effects": {"clicked": 0.5}}):
        found = replays.replay(session, mine, made, as_of=LATER)
        assert found.agreement.exact
        assert not set(found.people["customer_id"]) & set(leavers)
        assert found.reckoning is None or found.reckoning.barred == 0


# What cannot be replayed


def test_only_what_was_launched_here_can_be_replayed(session):
    waiting = draft(session)
    with pytest.raises(Conflict, match="not launched"):
        replays.replay(session, waiting, as_of=LATER)
    real = session.scalar(select(Campaign.id).where(Campaign.name == "Gone"))
    with pytest.raises(Conflict, match="real results"):
        replays.replay(session, real, as_of=LATER)
    with pytest.raises(NotFound):
        replays.replay(session, 99, as_of=LATER)
    launch(session, waiting)
    assert replays.why_not(campaign_list.campaign(session, waiting)) is None
    session.execute(update(Campaign).where(Campaign.id == waiting).values(seed=None))
    with pytest.raises(Conflict, match="did not keep its seed"):
        replays.replay(session, waiting, as_of=LATER)


def test_a_change_that_reaches_nobody_says_why(session):
    mine = draft(session)
    launch(session, mine)
    everybody = create_segment(session, SYSTEM, name="All", rule=world.EVERYBODY, at=NOW)
    with pytest.raises(NobodyLeft, match="sent to nobody"):
        replays.replay(session, mine, {"excluded": [everybody]}, as_of=LATER)


def test_an_older_simulator_is_told(session):
    mine = draft(session)
    launch(session, mine)
    session.execute(update(Campaign).where(Campaign.id == mine).values(code_version="simulation 0"))
    assert replays.replay(session, mine, as_of=LATER).agreement.older


WRONG = [
    ({"name": "Other"}, "name"),
    ({"holdout_share": 0.9}, "holdout_share"),
    ({"effects": {"opened": 0.1}}, "effects"),
    ({"frequency_cap": 0}, "frequency_cap"),
    ({"frequency_cap": 2.5}, "frequency_cap"),
    ({"segment_id": 99}, "segment_id"),
    ({"also": [99]}, "also"),
    ({"also": [3], "excluded": [3]}, "also"),
    ({"excluded": [1]}, "excluded"),
    ({"budget_minor": 10}, "budget_minor"),
    ({"conversion_window_days": 0}, "conversion_window_days"),
    ({"variants": [{"share": 2.0, "subject": "", "body": "b"}]}, "variants.0.share"),
]


def test_changes_that_could_not_be_are_refused_with_their_reasons(session):
    mine = draft(session)
    launch(session, mine)
    for made, field in WRONG:
        with pytest.raises(InvalidInput) as refused:
            replays.replay(session, mine, made, as_of=LATER)
        assert field in refused.value.problems, made
