"""Who gets how many messages in a week: counted one by one, and against what then really happens."""

from collections import Counter
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import select, update

from ma.analytics import contactable, segments
from ma.analytics.overlap import (
    overlap,
    overlap_campaigns,
    overlap_distribution,
    overlap_pairs,
    overlap_people,
)
from ma.models import Customer, Outcome
from ma.services import audience
from ma.services.campaigns import pause_campaign, schedule_campaign
from ma.services.due import catch_up
from ma.services.launches import launch_campaign
from ma.services.segments import add_members, create_static_segment, refresh_segment
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, ZONE, days, draft

# NOW is a Monday morning; in the night before the last day of its week the clocks go forward.
WEEK = date(2026, 3, 4)
MONDAY = date(2026, 3, 2)
PEOPLE = 300


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, PEOPLE)
        refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW - days(1))
        yield session


def listed(session, name, ids):
    """A segment of exactly these people."""
    segment_id = create_static_segment(session, SYSTEM, name=name, at=NOW - days(1))
    add_members(session, SYSTEM, segment_id, segments.these(list(ids)), at=NOW - days(1))
    return segment_id


def scheduled(session, name, after, **values):
    campaign_id = draft(session, name=name, **values)
    schedule_campaign(session, SYSTEM, campaign_id, scheduled_at=NOW + days(after), at=NOW)
    return campaign_id


def in_week(moment):
    return MONDAY <= moment.astimezone(ZoneInfo(ZONE)).date() < MONDAY + timedelta(days=7)


def told(found):
    """The distribution of a week as {messages: people}, without nobody."""
    return {row.messages: row.people for row in found.distribution.itertuples() if row.people}


def assert_lawful(session, found, **arguments):
    """What must hold in every week: each count in one frame is the sum of counts in another."""
    shown = found.distribution
    assert shown["people"].sum() == found.customers
    assert shown.loc[shown["messages"] > 0, "people"].sum() == found.reached
    assert (shown["messages"] * shown["people"]).sum() == found.messages == found.campaigns["people"].sum()
    assert (shown["capped"] <= shown["people"]).all()
    assert shown["capped"].sum() == found.capped
    assert found.dropped == found.campaigns["capped"].sum()
    assert (found.campaigns["sent"] + found.campaigns["to_come"]).equals(found.campaigns["people"])
    assert (found.campaigns["capped"] <= found.campaigns["to_come"]).all()
    matrix = found.pairs.pivot_table(index="first_id", columns="second_id", values="both", aggfunc="sum")
    if len(matrix):
        assert (matrix.to_numpy() == matrix.to_numpy().T).all()
        reach = found.campaigns.set_index("campaign_id")["people"]
        assert np.diag(matrix.to_numpy()).tolist() == reach.loc[matrix.index].tolist()
        assert found.pairs["share_of_smaller"].between(0, 1).all()
    assert overlap_campaigns(session, **arguments).equals(found.campaigns)
    assert overlap_distribution(session, **arguments).equals(found.distribution)
    assert overlap_pairs(session, **arguments).equals(found.pairs)
    everyone = overlap_people(session, **arguments)
    assert len(everyone) == found.reached
    assert everyone["messages"].sum() == found.messages
    assert everyone["capped"].sum() == found.dropped
    assert everyone.head(len(found.people)).to_dict("list") == found.people.to_dict("list")
    assert everyone["messages"].is_monotonic_decreasing


def test_a_week_without_campaigns_reaches_nobody(session):
    draft(session)
    found = overlap(session, as_of=NOW, week=WEEK)
    assert told(found) == {0: PEOPLE}
    assert (found.reached, found.messages, found.capped, found.dropped) == (0, 0, 0, 0)
    assert found.campaigns.empty
    assert found.pairs.empty
    assert found.people.empty
    assert_lawful(session, found, as_of=NOW, week=WEEK)


def test_nobody_at_all_is_a_week_too(database):
    with database.writing() as session:
        world.build(session, 1)
        session.execute(update(Customer).values(deleted_at=NOW))
        scheduled(session, "Later", 1)
        found = overlap(session, as_of=NOW, week=WEEK)
        assert found.customers == found.reached == 0
        assert found.distribution.to_dict("list") == {"messages": [0], "people": [0], "capped": [0]}


def test_three_lists_by_hand(session):
    """1-10 and 6-15 on two days, 10 alone as a draft.

    11 is gone, 12 said no, 13 left before, 15 is left out.
    """
    out = listed(session, "Left out", [15])
    first = scheduled(session, "First", 1, segment_id=listed(session, "One", range(1, 11)))
    second = scheduled(session, "Second", 2, segment_id=listed(session, "Two", range(6, 16)), excluded=[out])
    third = draft(session, "Third", segment_id=listed(session, "Three", [10]))
    session.execute(update(Customer).where(Customer.id == 11).values(deleted_at=NOW))
    session.execute(update(Customer).where(Customer.id == 12).values(consent_sms=False))
    earlier = draft(session, "Earlier", segment_id=listed(session, "Four", [13]))
    launch_campaign(session, SYSTEM, earlier, at=NOW - days(40))
    session.execute(update(Outcome).values(unsubscribed_at=NOW - days(39)))
    found = overlap(session, as_of=NOW, week=WEEK, drafts=[third])
    assert told(found) == {0: 299 - 11, 1: 5 + 1, 2: 4, 3: 1}
    assert found.campaigns[["campaign_id", "people", "sent", "to_come", "capped"]].to_numpy().tolist() == [
        [first, 10, 0, 10, 0],
        [second, 6, 0, 6, 0],
        [third, 1, 0, 1, 0],
    ]
    pairs = found.pairs.set_index(["first_id", "second_id"])
    assert pairs.loc[(first, second), "both"] == 5
    assert pairs.loc[(first, second), "share_of_smaller"] == 5 / 6
    assert pairs.loc[(third, second), "share_of_smaller"] == 1
    assert found.people["customer_id"].tolist() == [10, 6, 7, 8, 9, 1, 2, 3, 4, 5, 14]
    assert found.people["campaigns"].tolist()[:2] == ["First, Second, Third", "First, Second"]
    assert found.people["email"][0] == "p10@example.com"
    assert_lawful(session, found, as_of=NOW, week=WEEK, drafts=[third])
    assert overlap(session, as_of=NOW, week=WEEK).messages == 16
    assert overlap(session, as_of=NOW, week=WEEK + days(7)).messages == 0
    assert overlap(session, as_of=NOW, week=WEEK + days(7), drafts=[third]).messages == 1


def busy(session):
    """Campaigns of each kind, in one week and around it; returns the id of a draft."""
    half, few = listed(session, "Half", range(1, 151)), listed(session, "Few", range(100, 140))
    session.execute(update(Customer).where(Customer.id % 7 == 0).values(consent_sms=False))
    session.execute(update(Customer).where(Customer.id % 11 == 0).values(email=""))
    session.execute(update(Customer).where(Customer.id % 29 == 0).values(deleted_at=NOW - days(30)))
    for name, ago, values in (
        ("Long ago", 12, {}),
        ("Last week", 4, {"channel": Channel.EMAIL, "segment_id": half}),
        ("In waves", 2, {"waves": 5, "holdout_share": 0.2, "channel": Channel.EMAIL}),
        ("Paused", 3, {"waves": 6, "segment_id": half}),
        ("This morning", 0.1, {"channel": Channel.PUSH, "segment_id": few, "excluded": []}),
    ):
        launched = draft(session, name, **values)
        launch_campaign(session, SYSTEM, launched, at=NOW - days(ago))
        if name == "Paused":
            pause_campaign(session, SYSTEM, launched, at=NOW - days(2.5))
        catch_up(session, at=NOW - days(ago) / 2)
    catch_up(session, at=NOW)
    scheduled(session, "Soon", 2, waves=3, holdout_share=0.1, excluded=[few], channel=Channel.ADS)
    scheduled(session, "Paid for", 3, budget_minor=5_000, cost_per_thousand_minor=100_000)
    scheduled(session, "At the edge", 5, waves=4, channel=Channel.DIRECT_MAIL, quiet_from=0, quiet_until=1200)
    scheduled(session, "Next week", 8)
    return draft(session, "Perhaps", segment_id=half, channel=Channel.EMAIL)


def test_each_message_is_counted_once(session):
    """The sum over people is the sum over campaigns; what went out is what a count one by one finds."""
    maybe = busy(session)
    # Deleted since they were sent something.
    session.execute(update(Customer).where(Customer.id.in_([20, 101, 299])).values(deleted_at=NOW))
    here = set(session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None))))
    rows = session.execute(
        select(Outcome.customer_id, Outcome.sent_at).where(Outcome.arm == "treated", Outcome.sent_at <= NOW)
    ).all()
    for weeks in (-1, 0, 1):
        arguments = {"as_of": NOW, "week": WEEK + days(7 * weeks), "drafts": [maybe] if weeks else []}
        found = overlap(session, **arguments)
        assert found.messages > 100
        assert_lawful(session, found, **arguments)
        sent = Counter(one for one, at in rows if one in here and in_week(at - days(7 * weeks)))
        assert found.campaigns["sent"].sum() == sent.total()
        assert (sent.total() > 0) == (weeks < 1)
        if weeks < 0:
            assert told(found) == Counter(sent[one] for one in here)
            assert found.campaigns["to_come"].sum() == found.dropped == 0


def test_whom_a_launch_may_reach_is_whom_it_will(session):
    """The eligibility of a real launch, step by step, without its frequency cap."""
    busy(session)
    drafts = {draft(session, f"To {channel}", channel=channel): channel for channel in Channel}
    found = overlap(session, as_of=NOW, week=WEEK, drafts=list(drafts)).campaigns.set_index("campaign_id")
    for campaign_id, channel in drafts.items():
        people = audience.members(session, world.SEGMENT, channel, at=NOW)
        may = people[people["consents"] & people["reachable"] & people["welcome"]]
        assert found.loc[campaign_id, "people"] == len(may) > 0
        assert found.loc[campaign_id, "people"] < len(people) or channel in ("direct_mail", "push", "ads")


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_who_left_before_and_came_back_is_not_welcome_in_that_channel(session, channel):
    """5 left and was deleted, and is 6 by e-mail address; 7 left and was merged into 8."""
    earlier = draft(session, "Earlier", channel=channel, segment_id=listed(session, "Few", [5, 7]))
    launch_campaign(session, SYSTEM, earlier, at=NOW - days(40))
    session.execute(update(Outcome).values(unsubscribed_at=NOW - days(39)))
    numbers = {one: f"1555{one}" for one in (5, 6, 7, 8, 9)}
    for one, number in numbers.items():
        session.execute(update(Customer).where(Customer.id == one).values(phone_digits=number))
    session.execute(update(Customer).where(Customer.id.in_([5, 7])).values(deleted_at=NOW - days(10)))
    session.execute(update(Customer).where(Customer.id == 6).values(email_folded="p5@example.com"))
    session.execute(update(Customer).where(Customer.id == 7).values(merged_into=8))
    session.execute(update(Customer).where(Customer.id == 9).values(phone_digits=numbers[5]))
    reach = {}
    for other in ("email", "sms"):
        maybe = draft(session, f"To {other}", channel=other, segment_id=world.SEGMENT)
        people = audience.members(session, world.SEGMENT, Channel(other), at=NOW)
        reach[other] = overlap(session, as_of=NOW, week=WEEK, drafts=[maybe]).reached
        assert reach[other] == people["welcome"].sum()
    lost = {"email": {"email": 2, "sms": 0}, "sms": {"email": 0, "sms": 3}}[channel]
    assert reach == {other: PEOPLE - 2 - gone for other, gone in lost.items()}


def test_the_cap_of_launches_is_the_one_that_is_looked_ahead_to():
    assert (contactable.FREQUENCY_CAP, contactable.FREQUENCY_DAYS) == (
        audience.FREQUENCY_CAP,
        audience.FREQUENCY_DAYS,
    )


def test_what_was_foreseen_happens(session):
    """Launched when they are due, the campaigns go to exactly the foreseen people, whom the cap leaves."""
    half, few = listed(session, "Half", range(1, 151)), listed(session, "Few", range(100, 140))
    usual = {"channel": Channel.DIRECT_MAIL}  # nobody bounces or leaves by post meanwhile
    for name, ago in (("A", 6.5), ("B", 4), ("C", 0)):
        launch_campaign(session, SYSTEM, draft(session, name, segment_id=half, **usual), at=NOW - days(ago))
    going = draft(session, "Going on", waves=4, **usual)
    launch_campaign(session, SYSTEM, going, at=NOW - days(1))
    waves = scheduled(session, "Waves", 1, waves=3, holdout_share=0.3, excluded=[few], **usual)
    night = scheduled(session, "Night", 2, segment_id=half, quiet_from=0, quiet_until=1430, **usual)
    cheap = scheduled(
        session, "Cheap", 4, budget_minor=5_000, cost_per_thousand_minor=100_000, segment_id=few, **usual
    )
    last = scheduled(session, "Last", 6, **usual)
    found = overlap(session, as_of=NOW, week=WEEK).campaigns.set_index("campaign_id")
    people = overlap_people(session, as_of=NOW, week=WEEK).set_index("customer_id")
    assert found.loc[[going, waves, last], "capped"].min() > 0
    catch_up(session, at=NOW + days(7))
    rows = session.execute(
        select(Outcome.campaign_id, Outcome.customer_id, Outcome.sent_at).where(
            Outcome.arm == "treated", Outcome.sent_at.is_not(None)
        )
    ).all()
    happened = [(campaign, one) for campaign, one, at in rows if in_week(at)]
    sent = Counter(campaign for campaign, _ in happened)
    for campaign_id in (going, waves, night, last):
        assert found.loc[campaign_id, "people"] - found.loc[campaign_id, "capped"] == sent[campaign_id]
    # Where a budget limits, those who are below the limit take the others' places.
    row = found.loc[cheap]
    assert row["people"] - row["capped"] <= sent[cheap] <= row["people"] == 50 - 10
    others = Counter(one for campaign, one in happened if campaign != cheap)
    unsure = set(range(100, 140))
    for one, row in people.iterrows():
        if one not in unsure:
            assert row["messages"] - row["capped"] == others[one], one


def test_nobody_above_the_limit_is_spared(session):
    for number in range(5):
        scheduled(session, f"Day {number}", number + 0.5)
    found = overlap(session, as_of=NOW, week=WEEK)
    assert told(found) == {5: PEOPLE}
    assert (found.capped, found.dropped) == (PEOPLE, 2 * PEOPLE)
    assert found.campaigns["capped"].tolist() == [0, 0, 0, PEOPLE, PEOPLE]


def test_messages_of_the_week_before_count_for_the_limit(session):
    for number in range(2):
        launch_campaign(session, SYSTEM, draft(session, f"Before {number}"), at=NOW - days(3 + number))
    scheduled(session, "Third", 1)
    scheduled(session, "Fourth", 2)
    rested = scheduled(session, "Rested", 4.5)
    found = overlap(session, as_of=NOW, week=WEEK)
    lost = found.campaigns.set_index("campaign")["capped"]
    assert lost["Third"] == 0
    assert lost["Fourth"] == found.campaigns.set_index("campaign").loc["Fourth", "people"]
    # By then one of the first two is more than seven days ago, and the fourth was not sent.
    assert found.campaigns.set_index("campaign_id").loc[rested, "capped"] == 0
