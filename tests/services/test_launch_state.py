"""People are again as a launch found them, whatever has changed since."""

import pandas as pd
import pytest
from sqlalchemy import select, update

from ma.db.engine import connect
from ma.models import Campaign, Customer
from ma.services import audience, campaigns, facts, launch_state, replays
from ma.services.profiles import rebuild_profiles
from ma.services.segment_lists import add_members, create_static_segment
from ma.services.segments import refresh_segment
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft, outcomes
from tests.services.replay_world import (
    COSTS,
    LATER,
    launch,
    people,
    time_goes_by,
)  # fmt: skip
from tests.services.test_launches import change, past_messages


@pytest.fixture
def session(sqlite_url):
    """One engine is enough for most: what is asked of it is the same everywhere (see the last test)."""
    database = connect(sqlite_url)
    with database.writing() as session:
        people(session)
        yield session
    database.close()


def shop(session, ids, *, at, amount=5_000, key=""):
    frame = pd.DataFrame(
        {
            "external_key": [f"{key}{one}" for one in ids],
            "customer_id": list(ids),
            "kind": "sale",
            "at": pd.Timestamp(at),
            "amount_minor": amount,
        }
    )
    lines = frame[["external_key", "amount_minor"]].assign(category="Tea", quantity=1)
    facts.import_purchases(session, SYSTEM, frame, lines, source="test", at=at)


def visits(session, ids, *, at):
    frame = pd.DataFrame({"customer_id": list(ids), "kind": "visit", "at": pd.Timestamp(at)})
    facts.import_behaviour(session, SYSTEM, frame.assign(page="/", device="x"), source="test", at=at)


def histories(session):
    """Orders, visits and opens of the half year before the launch."""
    for number, ago in enumerate((80, 40, 5)):
        shop(
            session, range(1 + number, 1_000, number + 2), at=NOW - days(ago), amount=900 * ago, key=f"{ago}-"
        )
        visits(session, range(2 + number, 1_000, number + 3), at=NOW - days(ago))
    past_messages(session, range(600, 800), name="Read", ago=20, opened_at=NOW - days(19),
                  clicked_at=NOW - days(19))  # fmt: skip


def profile(session):
    query = select(Customer.id, Customer.engagement, Customer.orders, Customer.spend_minor)
    return pd.DataFrame(session.execute(query.order_by(Customer.id)).all()).astype(float)


def people_then(session, campaign, at, profiled_at=NOW):
    everybody = select(Customer.id)
    found = launch_state.people(session, everybody, campaign, at=at, profiled_at=profiled_at)
    return launch_state.derived(found)


def test_people_are_again_as_the_launch_found_them(session):
    refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW)
    mine = draft(session)
    found = audience.members(session, world.SEGMENT, Channel.SMS, at=NOW)
    launch(session, mine)
    time_goes_by(session)
    past_messages(session, range(600, 700), name="At the same instant", ago=0, bounced_at=NOW)
    then = people_then(session, campaigns.stored(session, mine), NOW)
    flags = ("customer_id", "consents", "reachable", "welcome", "week_messages", "recent_messages")
    for name in (*flags, *launch_state.PROFILE):
        assert then[name].tolist() == found[name].tolist(), name
    assert then["week_messages"].max() == 3
    assert not then["welcome"].all()


def test_figures_older_than_the_launch_are_exact_as_it_keeps_when_they_were_made(session):
    histories(session)
    rebuild_profiles(session, as_of=NOW - days(2))
    at_launch = profile(session)
    shop(session, range(1, 1_001), at=NOW - days(1), amount=90_000, key="between-")
    mine = draft(session, channel=Channel.EMAIL, conversion_window_days=60)
    launch(session, mine)
    rebuild_profiles(session, as_of=NOW + days(20))
    campaign = campaigns.stored(session, mine)
    assert (people_then(session, campaign, NOW)["orders"] != at_launch["orders"]).all()
    kept = people_then(session, campaign, NOW, NOW - days(2))
    assert kept["orders"].tolist() == at_launch["orders"].tolist()
    assert campaign["parameters"]["profiled_at"] == (NOW - days(2)).isoformat()
    assert replays.replay(session, mine, as_of=LATER).agreement.exact
    # Launches of earlier versions did not keep it.
    unknown = {name: value for name, value in campaign["parameters"].items() if name != "profiled_at"}
    session.execute(update(Campaign).where(Campaign.id == mine).values(parameters=unknown))
    guessed = replays.replay(session, mine, as_of=LATER)
    assert 0.5 < guessed.agreement.share < 1
    assert (guessed.table["stored"] != guessed.table["base"]).any()


def test_who_should_have_taken_part_and_did_not_stays_out_and_is_counted(session):
    mine = draft(session, segment_id=2, **COSTS)
    launch(session, mine)
    # By now the rule's field says of 60 others that they belong: what it was then is not kept.
    others = [one for one in range(500, 1_000) if one % 100 >= 30][:60]
    change(session, others, engagement=5.0)
    change(session, range(700, 710), engagement=90.0)
    found = replays.replay(session, mine, {"frequency_cap": 9}, as_of=LATER)
    assert found.reckoning.barred == 60
    assert found.reckoning.present == ("engagement",)
    assert not set(others) & set(found.people["customer_id"])
    # Those who took part are not lost although the rule has them no more.
    assert set(outcomes(session, mine)["customer_id"]) <= set(found.people["customer_id"])
    assert set(range(700, 710)) <= set(found.people["customer_id"])


def test_static_lists_and_rules_that_are_gone_have_their_people_of_then(session):
    listed = create_static_segment(session, SYSTEM, name="Listed", at=NOW - days(2))
    some = select(Customer.id).where(Customer.id.between(600, 699))
    add_members(session, SYSTEM, listed, some, at=NOW - days(1))
    mine = draft(session, segment_id=listed, **COSTS)
    launch(session, mine)
    add_members(session, SYSTEM, listed, select(Customer.id).where(Customer.id >= 900), at=NOW + days(1))
    found = replays.replay(session, mine, {"excluded": [3]}, as_of=LATER)
    assert (found.reckoning.then, found.reckoning.found, found.reckoning.barred) == (100, 100, 0)
    assert found.table.loc["sent", ["base", "changed"]].tolist() == [100, 90]
    assert found.waterfall.set_index("step").loc["not excluded"].tolist() == [100, 90]


# On every engine


def figures_rebuilt_since(session):
    people(session)
    histories(session)
    rebuild_profiles(session, as_of=NOW)
    at_launch = profile(session)
    mine = draft(session, holdout_share=0.1, **COSTS)
    launch(session, mine)
    shop(session, range(1, 900, 2), at=NOW + days(2), key="after-")
    visits(session, range(1, 900, 2), at=NOW + days(2))
    rebuild_profiles(session, as_of=NOW + days(20))
    assert (profile(session)["engagement"] != at_launch["engagement"]).mean() > 0.5
    then = people_then(session, campaigns.stored(session, mine), NOW)
    assert not then["as_then"].any()
    for name in ("engagement", "orders", "spend_minor"):
        assert then[name].tolist() == at_launch[name].tolist(), name
    found = replays.replay(session, mine, as_of=LATER)
    assert found.agreement.exact
    assert found.agreement.rebuilt == found.agreement.people
    changed = replays.replay(session, mine, {"excluded": [3], "frequency_cap": 2}, as_of=LATER)
    assert changed.reckoning.barred == 0
    assert changed.counts["base only"] > 100


def test_figures_rebuilt_since_are_derived_again_as_they_were(database):
    with database.writing() as session:
        figures_rebuilt_since(session)
