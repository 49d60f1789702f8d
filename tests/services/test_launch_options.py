"""A launch keeps to what the draft says: variants, exclusions, budget, quiet hours, the archive."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ma.clock import after_quiet
from ma.errors import Conflict, InvalidInput, NobodyLeft
from ma.services import campaigns, launches
from ma.services.due import catch_up
from ma.services.segments import create_segment
from ma.simulation.assignment import bands
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, ZONE, days, draft, outcomes

LOW = {"field": "engagement", "operator": "lt", "value": 10}
OTHERS = [
    {"share": 0.3, "subject": "Two", "body": "b", "effects": {"clicked": 1.0}},
    {"share": 0.2, "subject": "Three", "body": "c", "effects": {"order_value": 1.0}},
]

SHARES = {"A": 0.5, "B": 0.3, "C": 0.2}


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 2_000)
        yield session


def launch(session, campaign_id, *, at=NOW, seed=7):
    return launches.launch_campaign(session, SYSTEM, campaign_id, at=at, seed=seed)


def steps(session, campaign_id):
    return {step["step"]: step["people"] for step in world.campaign(session, campaign_id).eligibility}


def test_variants_get_their_shares_and_are_remembered(session):
    mine = draft(session, variants=OTHERS, holdout_share=0.1, waves=2)
    launch(session, mine)
    frame = outcomes(session, mine)
    treated = frame[frame["arm"] == "treated"]
    found = treated["variant"].value_counts(normalize=True)
    # Three standard errors of a share of 1,800 people.
    assert all(abs(found[name] - share) < 0.035 for name, share in SHARES.items())
    assert set(frame.loc[frame["arm"] == "holdout", "variant"]) == {"A"}
    before = frame.set_index("customer_id")["variant"]
    catch_up(session, at=NOW + days(2))
    assert outcomes(session, mine).set_index("customer_id")["variant"].equals(before)
    world.assert_results_are_the_outcomes(session, mine)


def test_an_assumed_effect_changes_its_variant_only_and_keeps_everybodys_luck(session):
    plain, tried = draft(session), draft(session, name="Tried", variants=OTHERS)
    one = launch_frame(session, plain)
    other = launch_frame(session, tried)
    clicked = {name: mine["clicked_at"].notna() for name, mine in other.groupby("variant")}
    base = one["clicked_at"].notna()
    for name in ("A", "C"):
        assert clicked[name].equals(base[clicked[name].index])
    assert base[clicked["B"].index].sum() < clicked["B"].sum()
    # Whoever clicks without the effect clicks with it.
    assert not (base[clicked["B"].index] & ~clicked["B"]).any()
    bought = other[(other["variant"] == "C") & other["converted_at"].notna() & ~other["organic"]]
    assert len(bought)
    half = one.loc[bought.index, "revenue_minor"]
    assert (bought["revenue_minor"] - 2 * half).abs().max() <= 1


def launch_frame(session, campaign_id):
    """What one campaign did, as if the other had not been."""
    with session.begin_nested() as nested:
        launch(session, campaign_id)
        frame = outcomes(session, campaign_id).set_index("customer_id")
        nested.rollback()
    return frame


def test_members_of_excluded_segments_are_left_out_as_of_the_launch(session):
    low = create_segment(session, SYSTEM, name="Low", rule=LOW, at=NOW - days(3))
    mine = draft(session, excluded=[low])
    launch(session, mine)
    assert steps(session, mine)["not suppressed"] - steps(session, mine)["not excluded"] == 200
    frame = outcomes(session, mine)
    assert (frame["customer_id"] % 100 >= 10).all()
    assert len(frame) == 1_800
    with pytest.raises(InvalidInput, match="own segment"):
        draft(session, name="Nobody", excluded=[world.SEGMENT])
    everybody = create_segment(session, SYSTEM, name="All", rule=world.EVERYBODY, at=NOW)
    with pytest.raises(NobodyLeft, match="left out"):
        launch(session, draft(session, name="Nobody", excluded=[everybody]))


def test_a_budget_pays_for_so_many_chosen_by_lot(session):
    costs = {"cost_per_thousand_minor": 10_000, "fixed_cost_minor": 500, "budget_minor": 5_500}
    mine = draft(session, holdout_share=0.2, **costs)
    launch(session, mine)
    frame = outcomes(session, mine)
    treated = frame[frame["arm"] == "treated"]
    assert len(treated) == steps(session, mine)["within budget"] == steps(session, mine)["sent"] == 500
    # By lot: those who are sent it are like those who are held out, not the first by number.
    assert abs(treated["customer_id"].mean() - 1_000) < 100
    assert abs((frame["arm"] == "holdout").mean() * len(frame) - 400) < 60
    with pytest.raises(InvalidInput, match="single message"):
        draft(session, name="Poor", **costs | {"budget_minor": 501})
    with pytest.raises(InvalidInput, match="cost per thousand"):
        draft(session, name="Unknown", budget_minor=501)


def test_quiet_hours_hold_messages_back_until_they_end(session):
    quiet = {"quiet_from": 9 * 60, "quiet_until": 17 * 60 + 30, "timezone": "Europe/Berlin"}
    mine = draft(session, waves=2, **quiet)
    assert datetime(2026, 3, 2, 15, tzinfo=UTC) == NOW  # 16:00 in Berlin
    launch(session, mine)
    over = pd.Timestamp(datetime(2026, 3, 2, 16, 30, tzinfo=UTC))
    frame = outcomes(session, mine)
    assert set(frame["sent_at"].dropna()) == {over}
    assert (frame[[c for c in frame if c.endswith("ed_at")]].min(axis=1).dropna() >= pd.Timestamp(NOW)).all()
    catch_up(session, at=NOW + days(1))
    assert set(outcomes(session, mine)["sent_at"]) == {over, over + pd.Timedelta(days=1)}


HOURS = st.integers(0, 24 * 60 - 1)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), HOURS, HOURS)
def test_nothing_goes_out_in_the_quiet_hours_nor_before_it_is_due(at, begin, end):
    zone = ZONE
    moment = after_quiet(at, zone, begin, end)
    local = moment.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    quiet = begin <= minute < end if begin < end else minute >= begin or minute < end
    assert moment >= at
    if begin != end:
        # Where clocks go forward, the end may be skipped: then it is the minute after the gap.
        assert not quiet or local.utcoffset() != at.astimezone(local.tzinfo).utcoffset()
        assert (moment - at).total_seconds() <= 25 * 3600
    assert after_quiet(at, zone, None, None) == at


def test_the_band_of_engagement_is_kept_as_it_was(session):
    mine = draft(session, waves=2, holdout_share=0.1)
    launch(session, mine)
    frame = outcomes(session, mine)
    assert (frame["band"] == (frame["customer_id"] % 100) // 20).all()
    assert bands(pd.Series([0.0, 19.9, 20.0, 100.0, np.nan])).tolist()[:4] == [0, 0, 1, 4]
    assert pd.isna(bands(pd.Series([np.nan]))[0])


def test_only_what_is_over_or_a_draft_goes_to_the_archive_and_comes_back(session):
    mine = draft(session)
    launch(session, mine)
    with pytest.raises(Conflict, match="running"):
        campaigns.archive_campaign(session, SYSTEM, mine, at=NOW)
    campaigns.complete_campaign(session, SYSTEM, mine, at=NOW)
    campaigns.archive_campaign(session, SYSTEM, mine, at=NOW)
    assert world.campaign(session, mine).archived_at == NOW
    campaigns.restore_campaign(session, SYSTEM, mine, at=NOW)
    assert world.campaign(session, mine).archived_at is None
    assert world.actions(session)[-2:] == ["archive", "restore"]
    idea = draft(session, name="Idea")
    campaigns.archive_campaign(session, SYSTEM, idea, at=NOW)
    with pytest.raises(Conflict, match="archived"):
        launch(session, idea)


def test_a_copy_has_all_that_was_drafted(session):
    low = create_segment(session, SYSTEM, name="Low", rule=LOW, at=NOW)
    given = {"variants": OTHERS, "excluded": [low], "quiet_from": 60, "quiet_until": 61, "timezone": "UTC",
             "effects": {"clicked": 0.1}, "cost_per_thousand_minor": 5, "budget_minor": 10_000}  # fmt: skip
    mine = draft(session, channel=Channel.SMS, **given)
    copy = campaigns.stored(session, campaigns.duplicate_campaign(session, SYSTEM, mine, at=NOW))
    original = campaigns.stored(session, mine)
    same = set(given) | {"body", "segment_id", "channel", "waves"}
    assert {name: copy[name] for name in same} == {name: original[name] for name in same}
    assert copy["variants"][0]["name"] == "B"


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("variants", [{"share": 0.0, "body": "x"}], "variants.0.share"),
        ("variants", [{"share": 0.5, "body": ""}], "variants.0.body"),
        ("variants", [{"share": 0.5, "body": "{{ secret }}"}], "variants.0.body"),
        ("variants", [{"share": 0.5, "body": "x", "effects": {"opened": 1}}], "variants.0.effects"),
        ("variants", [{"share": 0.6, "body": "x"}, {"share": 0.4, "body": "y"}], "variants"),
        ("variants", [{"share": 0.1, "body": "x"}] * 8, "variants"),
        ("variants", [{"share": 0.1, "body": "x", "colour": "red"}], "variants"),
        ("variants", "B", "variants"),
        ("effects", {"clicked": -1.0}, "effects"),
        ("effects", {"clicked": float("nan")}, "effects"),
        ("effects", {"delivered_twice": 0.1}, "effects"),
        ("excluded", [999], "excluded"),
        ("excluded", ["x"], "excluded"),
        ("timezone", "Mars/Olympus", "timezone"),
        ("quiet_from", 60, "quiet_from"),
        ("budget_minor", -5, "budget_minor"),
    ],
)
def test_wrong_options_are_refused_at_their_field(session, field, value, key):
    with pytest.raises(InvalidInput) as refused:
        draft(session, **{field: value})
    assert list(refused.value.problems) == [key]
    assert len(refused.value.problems[key]) > 15
