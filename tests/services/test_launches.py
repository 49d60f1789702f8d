"""A launch reaches exactly the right people, completely or not at all, and once; waves follow."""

import math
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, func, insert, select, update

from ma.analytics.contactable import everybody
from ma.db import bulk
from ma.errors import Conflict
from ma.models import (
    Campaign,
    CampaignResult,
    Customer,
    CustomerFact,
    Outcome,
    SegmentMember,
    SegmentRefresh,
)
from ma.models.fact import LIFTED
from ma.services import campaigns as service
from ma.services import forecasts, parameters
from ma.services.customers import create_customer, delete_customer, update_customer
from ma.services.due import catch_up
from ma.services.launches import launch_campaign, send_wave
from ma.settings import ROOT
from ma.simulation.params import ChannelParams
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, campaign, days, draft


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 400)
        yield session


def change(session, ids, **values):
    table = Customer.__table__
    session.execute(update(table).where(table.c.id.in_(list(ids))).values(**values))


def past_messages(session, ids, *, name, channel=Channel.SMS, ago=3, **steps):
    """A campaign that these people were sent some days ago, and what they did with it."""
    campaign_id = session.execute(
        insert(Campaign.__table__).values(
            name=name, name_folded=name.lower(), objective="", channel=channel, status="completed",
            source="imported", subject="", body="", conversion_window_days=7, holdout_share=0.0, waves=1,
            steps="sent", waves_sent=1, launched_at=NOW - days(ago), created_by="x", created_at=NOW,
            updated_at=NOW, version=1,
        )
    ).inserted_primary_key[0]  # fmt: skip
    sent = pd.Timestamp(NOW - days(ago))
    rows = pd.DataFrame({"customer_id": list(ids)}).assign(
        campaign_id=campaign_id, arm="treated", variant="A", wave=1, source="imported", assigned_at=sent,
        sent_at=sent, organic=False, revenue_minor=0, **{key: pd.Timestamp(at) for key, at in steps.items()},
    )  # fmt: skip
    bulk.insert(session, Outcome.__table__, rows)


def test_everybody_of_the_segment_gets_one_row_and_the_launch_is_frozen(session):
    campaign_id = draft(session, holdout_share=0.25)
    told = []
    launch = launch_campaign(
        session, SYSTEM, campaign_id, at=NOW, progress=lambda share, words: told.append((share, words))
    )
    frame = world.outcomes(session, campaign_id)
    assert frame["customer_id"].tolist() == list(range(1, 401))
    treated = frame[frame["arm"] == "treated"]
    assert (launch.sent, launch.holdout, launch.planned) == (len(treated), 400 - len(treated), 0)
    assert abs(launch.holdout - 100) < 4 * math.sqrt(400 * 0.25 * 0.75)
    assert (treated["sent_at"] == NOW).all()
    assert frame.loc[frame["arm"] == "holdout", "sent_at"].isna().all()
    row = campaign(session, campaign_id)
    assert (row.status, row.launched_at, row.waves_sent, row.next_wave_at) == ("running", NOW, 1, None)
    assert row.rule == world.EVERYBODY
    assert row.code_version == "simulation 1"
    assert ChannelParams.from_dict(row.parameters).channel is Channel.SMS
    assert row.eligibility == launch.eligibility
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1] == (1.0, "Done")
    assert world.events(session)[-1] == "CampaignLaunched"
    assert world.actions(session)[-1] == "launch"
    world.assert_results_are_the_outcomes(session, campaign_id)


def test_the_waterfall_counts_who_is_lost_at_each_step(session):
    change(session, range(1, 51), consent_sms=False)  # 50 without consent
    change(session, range(51, 61), phone=None)
    change(session, range(61, 71), phone="")  # 20 without a number
    yesterday = NOW - days(1)
    past_messages(session, range(71, 76), name="Bounced", bounced_at=yesterday)
    past_messages(session, range(76, 81), name="Left", unsubscribed_at=yesterday)
    past_messages(session, range(81, 86), name="Complained", complained_at=yesterday)  # 15 suppressed
    past_messages(session, range(86, 91), name="Later", unsubscribed_at=NOW + days(1))  # not yet
    past_messages(session, range(91, 96), name="By mail", channel=Channel.EMAIL, unsubscribed_at=yesterday)
    for number in range(3):
        past_messages(session, range(101, 131), name=f"Busy {number}", channel=Channel.PUSH)  # 30 had three
    for number in range(2):
        past_messages(session, range(131, 141), name=f"Two {number}")
    past_messages(session, range(131, 141), name="A week ago", ago=7)  # outside the seven days
    change(session, [400], deleted_at=NOW)
    launch = launch_campaign(session, SYSTEM, draft(session), at=NOW)
    assert launch.eligibility == [
        {"step": "audience", "people": 399},
        {"step": "consent", "people": 349},
        {"step": "reachable", "people": 329},
        {"step": "not suppressed", "people": 314},
        {"step": "not excluded", "people": 314},
        {"step": "frequency cap", "people": 284},
        {"step": "holdout", "people": 284},
        {"step": "sent", "people": 284},
    ]
    sent = set(session.scalars(select(Outcome.customer_id).where(Outcome.sent_at == NOW)))
    assert sent == set(range(86, 101)) | set(range(131, 400))


def test_the_segment_is_refreshed_in_the_launch(session):
    assert session.scalar(select(func.count()).select_from(SegmentMember)) == 0
    launch_campaign(session, SYSTEM, draft(session), at=NOW)
    assert session.scalar(select(SegmentRefresh.size)) == 400


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda s: change(s, range(1, 401), deleted_at=NOW), "The segment is empty"),
        (lambda s: change(s, range(1, 401), consent_sms=False), "has agreed to SMS"),
        (lambda s: change(s, range(1, 401), phone=None), "has an address for it"),
        (lambda s: past_messages(s, range(1, 401), name="Gone", bounced_at=NOW), "unsubscribed from SMS"),
        (
            lambda s: [past_messages(s, range(1, 401), name=f"Busy {n}") for n in range(3)],
            "3 messages within 7 days",
        ),
    ],
)
def test_a_launch_to_nobody_is_refused_with_its_reason_and_changes_nothing(database, spoil, reason):
    with database.writing() as session:
        world.build(session, 400)
        spoil(session)
        campaign_id = draft(session)
    with pytest.raises(Conflict, match=reason), database.writing() as session:
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    with database.reading() as session:
        assert campaign(session, campaign_id).status == "draft"
        assert session.scalar(select(func.count()).where(Outcome.campaign_id == campaign_id)) == 0
        assert session.scalar(select(func.count()).select_from(SegmentRefresh)) == 0


def test_the_same_seed_gives_the_same_launch_and_another_seed_another(session):
    change(session, range(1, 401), consent_push=True)
    frames = []
    for name, seed in (("One", 5), ("Two", 5), ("Three", 6)):
        campaign_id = draft(session, name=name, channel=Channel.EMAIL, holdout_share=0.3)
        launch_campaign(session, SYSTEM, campaign_id, at=NOW, seed=seed)
        frames.append(world.outcomes(session, campaign_id).drop(columns="campaign_id"))
        session.execute(delete(Outcome).where(Outcome.campaign_id == campaign_id))
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert not frames[0]["arm"].equals(frames[2]["arm"])


def test_a_launch_says_no_more_than_the_channel_can_know(session):
    for channel, unknown in {
        Channel.EMAIL: set(),
        Channel.SMS: {"opened", "complained"},
        Channel.PUSH: {"clicked", "complained"},
        Channel.DIRECT_MAIL: {"delivered", "opened", "clicked", "bounced", "unsubscribed", "complained"},
    }.items():
        campaign_id = draft(session, name=channel.label, channel=channel)
        session.execute(delete(Outcome))
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
        frame = world.results(session, campaign_id)
        assert {name for name in frame if frame[name].isna().any()} == unknown


def test_waves_reach_everybody_once_each_on_its_day(session):
    campaign_id = draft(session, waves=3, holdout_share=0.2)
    launch = launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    first = world.outcomes(session, campaign_id)
    planned = first[first["wave"] > 1]
    assert launch.planned == (planned["arm"] == "treated").sum()
    assert planned["sent_at"].isna().all()
    assert (planned["assigned_at"] == NOW + (planned["wave"] - 1) * pd.Timedelta(days=1)).all()
    assert campaign(session, campaign_id).next_wave_at == NOW + days(1)
    assert send_wave(session, campaign_id, at=NOW + days(1) - days(0.001)) is None
    for wave in (2, 3):
        at = NOW + days(wave - 1)
        sent = send_wave(session, campaign_id, at=at)
        frame = world.outcomes(session, campaign_id)
        mine = frame[(frame["wave"] == wave) & (frame["arm"] == "treated")]
        assert sent == len(mine)
        assert (mine["sent_at"] == at).all()
        assert send_wave(session, campaign_id, at=at) is None
        world.assert_results_are_the_outcomes(session, campaign_id)
    assert frame[["customer_id", "arm", "wave"]].equals(first[["customer_id", "arm", "wave"]])
    assert (frame["sent_at"].notna() == (frame["arm"] == "treated")).all()
    row = campaign(session, campaign_id)
    assert (row.waves_sent, row.next_wave_at) == (3, None)
    assert row.eligibility[-2:] == [
        {"step": "still welcome at their wave", "people": len(frame[frame["arm"] == "treated"])},
        {"step": "sent", "people": len(frame[frame["arm"] == "treated"])},
    ]
    assert world.events(session).count("CampaignWaveSent") == 2


def test_whoever_opts_out_between_waves_is_not_sent_the_next_one_and_counted(session):
    campaign_id = draft(session, waves=2, holdout_share=0.2)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    frame = world.outcomes(session, campaign_id)
    treated = frame[(frame["wave"] == 2) & (frame["arm"] == "treated")]["customer_id"].tolist()
    held = frame[(frame["wave"] == 2) & (frame["arm"] == "holdout")]["customer_id"].tolist()
    change(session, [treated[0], held[0]], consent_sms=False)
    change(session, [treated[1]], deleted_at=NOW)
    past_messages(session, [treated[2]], name="Left", ago=0.5, unsubscribed_at=NOW + days(0.5))
    assert send_wave(session, campaign_id, at=NOW + days(1)) == len(treated) - 3
    after = set(world.outcomes(session, campaign_id)["customer_id"])
    assert after == set(range(1, 401)) - {*treated[:3], held[0]}
    steps = {step["step"]: step["people"] for step in campaign(session, campaign_id).eligibility}
    assert steps["holdout"] - steps["still welcome at their wave"] == 3
    assert steps["sent"] == steps["still welcome at their wave"]
    world.assert_results_are_the_outcomes(session, campaign_id)


def test_nobody_gets_more_messages_by_waves_than_the_cap_allows(session):
    campaign_id = draft(session, waves=2, holdout_share=0.2)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    frame = world.outcomes(session, campaign_id)
    waiting = frame[frame["wave"] == 2]
    busy = waiting.groupby("arm")["customer_id"].first()
    for number in range(3):
        past_messages(session, busy, name=f"Busy {number}", channel=Channel.PUSH, ago=number)
    treated = int((waiting["arm"] == "treated").sum())
    assert send_wave(session, campaign_id, at=NOW + days(1)) == treated - 1
    assert not set(world.outcomes(session, campaign_id)["customer_id"]) & set(busy)
    steps = {step["step"]: step["people"] for step in campaign(session, campaign_id).eligibility}
    assert steps["holdout"] - steps["still welcome at their wave"] == 1
    assert steps["sent"] == steps["still welcome at their wave"]
    since = NOW + days(1) - days(7)
    messages = select(func.count()).where(Outcome.sent_at > since).group_by(Outcome.customer_id)
    assert max(session.scalars(messages)) == 3
    world.assert_results_are_the_outcomes(session, campaign_id)


def lifted(session, customer_id, *, channel=Channel.SMS, ago=1):
    values = {"kind": LIFTED, "module": "service", "detail": "bounced", "at": NOW - days(ago)}
    session.execute(insert(CustomerFact).values(customer_id=customer_id, channel=channel, **values))


def test_a_bounce_that_was_lifted_closes_its_channel_no_more_and_what_a_person_said_still_does(session):
    past_messages(session, [1, 2, 3, 4], name="Bounced", bounced_at=NOW - days(3))
    past_messages(session, [5, 6], name="Said so", unsubscribed_at=NOW - days(3))
    past_messages(session, [6], name="Said more", bounced_at=NOW - days(3), complained_at=NOW - days(3))
    # Of the first its bounce; of the others another channel's, one before it, and one yet to come.
    lifted(session, 1)
    lifted(session, 2, channel=Channel.EMAIL)
    lifted(session, 3, ago=4)
    lifted(session, 4, ago=-1)
    lifted(session, 5)
    lifted(session, 6)
    here = everybody(session, [Channel.SMS, Channel.EMAIL], at=NOW)
    closed = {channel: here.ids[~welcome].tolist() for channel, welcome in here.welcome.items()}
    assert closed == {Channel.SMS: [2, 3, 4, 5, 6], Channel.EMAIL: []}
    campaign_id = draft(session)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert set(world.outcomes(session, campaign_id)["customer_id"]) == {1, *range(7, 401)}
    past_messages(session, [1], name="Bounced again", ago=0.5, bounced_at=NOW - days(0.5))
    here = everybody(session, [Channel.SMS], at=NOW)
    assert here.ids[~here.welcome[Channel.SMS]].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("channel", "same", "sent"),
    [
        (Channel.EMAIL, {"email": "P1@Example.com"}, False),
        (Channel.EMAIL, {"external_id": "H1", "email": "new@example.com"}, False),
        (Channel.EMAIL, {"phone": "+1 (513) 555-0199", "email": "new@example.com"}, True),
        (Channel.SMS, {"phone": "+1 (513) 555-0199", "email": "new@example.com"}, False),
        (Channel.SMS, {"phone": "+1 513 555 0198", "email": "p1@example.com"}, False),
        (Channel.SMS, {"phone": "+1 513 555 0198", "email": "new@example.com"}, True),
    ],
)
def test_who_left_is_not_written_to_after_being_deleted_and_added_again(session, channel, same, sent):
    old = session.get(Customer, 1)
    update_customer(session, SYSTEM, 1, version=old.version, phone="+1 513 555 0199", at=NOW)
    past_messages(session, [1], name="Left", channel=channel, unsubscribed_at=NOW - days(1))
    delete_customer(session, SYSTEM, 1, version=old.version + 1, at=NOW)
    new = {"first_name": "Again", f"consent_{channel}": True} | same
    again = create_customer(session, SYSTEM, at=NOW, **new)
    campaign_id = draft(session, channel=channel)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert (again in set(world.outcomes(session, campaign_id)["customer_id"])) is sent
    assert len(world.outcomes(session, campaign_id)) == 399 + sent


def test_who_left_one_channel_is_still_welcome_in_another_after_being_added_again(session):
    past_messages(session, [1], name="Left", channel=Channel.SMS, unsubscribed_at=NOW - days(1))
    delete_customer(session, SYSTEM, 1, version=1, at=NOW)
    again = create_customer(session, SYSTEM, at=NOW, email="p1@example.com", consent_email=True)
    campaign_id = draft(session, channel=Channel.EMAIL)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert again in set(world.outcomes(session, campaign_id)["customer_id"])


def test_a_paused_campaign_sends_nothing(session):
    campaign_id = draft(session, waves=2)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    service.pause_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert send_wave(session, campaign_id, at=NOW + days(2)) is None
    assert catch_up(session, at=NOW + days(40)) == []
    service.resume_campaign(session, SYSTEM, campaign_id, at=NOW + days(40))
    assert send_wave(session, campaign_id, at=NOW + days(40)) > 0
    assert set(world.outcomes(session, campaign_id)["sent_at"]) == {NOW, NOW + days(40)}


def test_results_follow_the_calendar_of_the_workspace_through_a_change_of_clocks(session):
    """New York put its clocks forward on 8 March 2026; 15:00 UTC on the 2nd was 10 in the morning there."""
    campaign_id = draft(session, channel=Channel.EMAIL, waves=10, conversion_window_days=30)
    late = NOW + days(11 / 24)  # 21:00 on 2 March in New York, already the 3rd in UTC
    launch_campaign(session, SYSTEM, campaign_id, at=late)
    catch_up(session, at=NOW + days(60))
    frame = world.results(session, campaign_id)
    sent = frame[frame["sent"] > 0]["day"].astype(str).tolist()
    # From the 9th on 02:00 UTC is 22:00 in New York: the same evenings.
    assert sent == [f"2026-03-{day:02}" for day in range(2, 12)]
    world.assert_results_are_the_outcomes(session, campaign_id)


def test_a_campaign_without_effect_shows_none(session, monkeypatch):
    """A/A end to end: with clicks that never convert, both arms convert alike, but for chance.

    Half of everybody's orders count here, so that 400 people convert often enough to see a difference.
    """
    usual = parameters.channel_params

    def harmless(session, channel, *, at, typical=None):
        params = usual(session, channel, at=at, typical=typical)
        return replace(params.with_rates(converted=0.0), organic_share=0.5)

    monkeypatch.setattr(forecasts, "channel_params", harmless)
    differences = []
    for seed in range(20):
        campaign_id = draft(session, name=f"A/A {seed}", holdout_share=0.5)
        launch_campaign(session, SYSTEM, campaign_id, at=NOW, seed=seed)
        frame = world.outcomes(session, campaign_id)
        rates = frame.groupby("arm")["converted_at"].agg(lambda at: at.notna().mean())
        sizes = frame.groupby("arm").size()
        pooled = frame["converted_at"].notna().mean()
        error = math.sqrt(pooled * (1 - pooled) * (1 / sizes).sum())
        differences.append((rates["treated"] - rates["holdout"]) / error)
        session.execute(delete(Outcome))
    assert pooled > 0.1
    assert abs(np.mean(differences)) < 3 / math.sqrt(20)
    assert sum(abs(z) > 1.96 for z in differences) <= 4  # binomial(20, 0.05): 99.7 %


def test_eight_launches_at_once_are_one(database):
    with database.writing() as session:
        world.build(session, 400)
        campaign_id = draft(session, waves=2, holdout_share=0.1)
    barrier, outcomes = threading.Barrier(8), []

    def launch():
        barrier.wait()
        try:
            with database.writing() as session:
                outcomes.append(launch_campaign(session, SYSTEM, campaign_id, at=NOW))
        except Conflict as refusal:
            outcomes.append(str(refusal))

    threads = [threading.Thread(target=launch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refusals = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(outcomes) == 8
    assert len(refusals) == 7
    assert all("is running. It cannot be launched" in refusal for refusal in refusals)
    with database.reading() as session:
        assert world.events(session).count("CampaignLaunched") == 1
        assert len(world.outcomes(session, campaign_id)) == 400
        world.assert_results_are_the_outcomes(session, campaign_id)


def test_eight_workers_send_a_wave_once(database):
    with database.writing() as session:
        world.build(session, 400)
        campaign_id = draft(session, waves=2)
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    barrier, sent = threading.Barrier(8), []

    def work():
        barrier.wait()
        with database.writing() as session:
            sent.append(send_wave(session, campaign_id, at=NOW + days(1)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(count is None for count in sent) == [False] + [True] * 7
    with database.reading() as session:
        assert campaign(session, campaign_id).waves_sent == 2
        assert len(world.outcomes(session, campaign_id)) == 400


KILLED = """
    import sys, time
    from ma.db.engine import connect
    from ma.services.launches import launch_campaign
    from ma.types import SYSTEM
    from tests.services.campaign_world import NOW

    def progress(share, words):
        if words == sys.argv[2]:
            print("here", flush=True)
            time.sleep(60)

    with connect(sys.argv[1]).writing() as session:
        launch_campaign(session, SYSTEM, 1, at=NOW, progress=progress)
"""


@pytest.mark.parametrize(
    "moment",
    [
        "Refreshing the segments",
        "Checking who may be contacted",
        "Storing the outcomes",
        "Adding up the results",
        "Done",
    ],
)
def test_a_launch_killed_at_any_step_has_not_happened_and_can_be_repeated(database, moment):
    with database.writing() as session:
        world.build(session, 400)
        campaign_id = draft(session, waves=2)
        before = len(world.events(session))
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), url, moment],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.wait()
    child.stdout.close()
    with database.reading() as session:
        row = campaign(session, campaign_id)
        assert (row.status, row.launched_at, row.eligibility) == ("draft", None, None)
        for table in (Outcome, CampaignResult, SegmentMember, SegmentRefresh):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        assert len(world.events(session)) == before
    with patiently(database) as session:
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
        world.assert_results_are_the_outcomes(session, campaign_id)


def patiently(database):
    """A writing session, once a PostgreSQL server has noticed that the killed client is gone."""
    time.sleep(0.5)
    return database.writing()
