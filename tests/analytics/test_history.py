"""The counts from which forecasts learn, against the same counts made with pandas from the outcomes."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma.analytics import history as analytics
from ma.models import Campaign, CampaignAggregate, Customer, Outcome
from ma.services import campaign_imports, launches
from ma.services.due import catch_up
from ma.services.parameters import channel_params
from ma.types import SYSTEM, Channel, Source
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft, outcomes

LATER = NOW + days(40)


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 2_000)
        session.execute(update(Customer).where(Customer.id % 7 == 0).values(engagement=None))
        yield session


def launched(session, name, *, at=NOW, seed=3, **values):
    campaign_id = draft(session, name=name, **{"channel": Channel.EMAIL, **values})
    launches.launch_campaign(session, SYSTEM, campaign_id, at=at, seed=seed)
    return campaign_id


def learnt(session, channel=Channel.EMAIL, source=Source.SIMULATED, at=LATER):
    params = channel_params(session, channel, at=at)
    return params, analytics.history(session, params, source=source, as_of=at)


def counted(frame, params, days_in):
    """One campaign's counts by step and band, person by person."""
    frame = frame[(frame["arm"] == "treated") & frame["sent_at"].notna()]
    end = frame["sent_at"] + pd.Timedelta(days=days_in)
    took = {"sent": frame["sent_at"].notna()}
    found = {}
    for name, step in params.steps.items():
        took[name] = took[step.after] & (frame[f"{name}_at"] <= end)
        if name == "converted":
            took[name] &= ~frame["organic"].astype(bool)
        for band, rows in frame.groupby(frame["band"].astype("Float64").fillna(-1)).groups.items():
            if reached := int(took[step.after][rows].sum()):
                found[name, int(band)] = (reached, int(took[name][rows].sum()))
    return found


def as_dict(counts):
    band = counts["band"].fillna(-1).astype(int)
    return {
        (step, b): (int(reached), int(took))
        for step, b, reached, took in zip(
            counts["step"], band, counts["reached"], counts["took"], strict=True
        )
    }


def in_all(counts):
    """The counts by step, whatever the band."""
    sums = counts.groupby("step")[["reached", "took"]].sum()
    return {step: (row["reached"], pytest.approx(row["took"])) for step, row in sums.iterrows()}


def test_counts_are_those_of_the_people_whose_window_is_over(session):
    mine = launched(session, "One", holdout_share=0.2, conversion_window_days=1)
    # Some opened after the window: they must not count.
    params, found = learnt(session)
    frame = outcomes(session, mine)
    assert ((frame["opened_at"] - frame["sent_at"]) > pd.Timedelta(days=1)).sum() > 5
    assert as_dict(found.counts) == counted(frame, params, 1)
    assert set(found.counts["days"]) == {1}
    assert set(found.counts["band"].dropna()) == {0, 1, 2, 3, 4}
    assert found.counts["band"].isna().any()
    assert found.campaigns == 1
    assert found.people == (frame["arm"] == "treated").sum()


def test_a_campaign_counts_only_when_its_window_is_over(session):
    mine = launched(session, "Waves", waves=3, conversion_window_days=7)
    for day in (1, 2):
        catch_up(session, at=NOW + days(day))
    frame = outcomes(session, mine)
    assert not len(learnt(session, at=NOW + days(7) - timedelta(seconds=1))[1].counts)
    first = learnt(session, at=NOW + days(7))[1]
    assert first.people == (frame["wave"] == 1).sum()
    params, every = learnt(session, at=NOW + days(9))
    assert every.people == len(frame)
    assert as_dict(every.counts) == counted(frame, params, 7)


def test_what_orders_brought_stands_beside_what_was_to_be_expected(session):
    mine = launched(session, "Text", channel=Channel.SMS)
    params, found = learnt(session, Channel.SMS)
    frame = outcomes(session, mine)
    buyers = frame[frame["converted_at"].notna() & ~frame["organic"].astype(bool)]
    row = found.orders.set_index("campaign_id").loc[mine]
    assert len(found.orders) == 1
    assert row["conversions"] == len(buyers) > 10
    assert row["revenue_minor"] == buyers["revenue_minor"].sum()
    # All bought 30 times for 1,500.00 together.
    own = (150_000 + 3 * params.population.average_order_minor) / 33
    assert row["expected_minor"] == pytest.approx(len(buyers) * own)


def test_what_was_assumed_of_a_message_stands_beside_its_counts(session):
    others = [{"share": 0.5, "subject": "B", "body": "b", "effects": {"opened": 1.0, "order_value": 0.5}}]
    mine = launched(session, "Test", variants=others)
    params, found = learnt(session)
    frame, counts = outcomes(session, mine), found.counts
    tried = (counts["step"] == "opened") & (counts["lift"] == 1.0)
    assert set(counts.loc[counts["step"] == "opened", "lift"]) == {0.0, 1.0}
    expected = counted(frame[frame["variant"] == "B"], params, 7)
    assert as_dict(counts[tried]) == {key: value for key, value in expected.items() if key[0] == "opened"}
    # Nothing else was assumed: there both messages count together.
    rest = counts[(counts["step"] != "opened")]
    expected = counted(frame, params, 7)
    assert as_dict(rest) == {key: value for key, value in expected.items() if key[0] != "opened"}
    own = (150_000 + 3 * params.population.average_order_minor) / 33
    buyers = frame[frame["converted_at"].notna() & ~frame["organic"].astype(bool)]
    lifted = 1.0 + 0.5 * (buyers["variant"] == "B")
    assert found.orders["expected_minor"].tolist() == [pytest.approx(float((own * lifted).sum()))]


def test_what_was_noted_of_the_audience_stands_beside_its_counts(session):
    mine = launched(session, "Noted")
    noted = [{"step": "opened", "band": 2, "effect": -0.25}, {"step": "opened", "band": None, "effect": 0.5}]
    session.execute(update(Campaign).where(Campaign.id == mine).values(forecast={"audience": noted}))
    counts = learnt(session)[1].counts.set_index(["step", "band"])["effect"]
    assert counts["opened", 2] == -0.25
    assert counts["opened"][counts["opened"].index.isna()].tolist() == [0.5]
    assert counts.notna().sum() == 2


def imported(session, name, **columns):
    sent = pd.Timestamp(NOW - days(30))
    frame = pd.DataFrame({"customer_id": np.arange(1, 101), "sent_at": sent, **columns})
    return campaign_imports.import_campaign(
        session, SYSTEM, name=name, channel=Channel.EMAIL, started_at=NOW - days(30),
        ended_at=NOW - days(20), outcomes=frame, at=NOW,
    )  # fmt: skip


def some(count, at):
    return pd.to_datetime(pd.Series([at] * count + [None] * (100 - count)), utc=True)


def test_real_outcomes_and_simulated_ones_are_kept_apart(session):
    launched(session, "Simulated")
    opened = pd.Timestamp(NOW - days(29))
    mine = imported(session, "Real", delivered_at=some(90, opened), opened_at=some(30, opened))
    _, real = learnt(session, source=Source.IMPORTED)
    assert set(real.counts["campaign_id"]) == {mine}
    # What the file does not tell is unknown: nobody can say that nobody clicked.
    assert in_all(real.counts) == {"delivered": (100, 90), "opened": (90, 30)}
    _, simulated = learnt(session)
    assert mine not in set(simulated.counts["campaign_id"])


def test_real_conversions_count_without_those_that_were_to_be_expected_anyway(session):
    bought = some(20, pd.Timestamp(NOW - days(28)))
    mine = imported(session, "Sold", clicked_at=bought, converted_at=bought, revenue_minor=100)
    params, found = learnt(session, source=Source.IMPORTED)
    window = 11
    anyway = 100 * -np.expm1(-params.population.order_rate * params.organic_share * window)
    assert 0 < anyway < 1
    assert set(found.counts["days"]) == {window}
    # Each band's share is taken off where there is something to take it from.
    reached, took = in_all(found.counts)["converted"]
    assert reached == 20
    assert 20 - anyway - 1e-9 <= took.expected < 20
    assert found.orders.set_index("campaign_id").loc[mine, "conversions"] == 20


def test_totals_of_a_platform_count_without_a_band(session):
    mine = imported(session, "Totals")
    session.execute(Outcome.__table__.delete().where(Outcome.campaign_id == mine))
    session.execute(
        insert(CampaignAggregate.__table__).values(
            campaign_id=mine, sent=1_000, bounced=100, opened=450, clicked=None, unsubscribed=5, converted=9,
            revenue_minor=90_000,
        )
    )  # fmt: skip
    params, found = learnt(session, source=Source.IMPORTED)
    assert as_dict(found.counts) == {
        ("delivered", -1): (1_000, 900),
        ("opened", -1): (900, 450),
        ("unsubscribed", -1): (450, 5),
    }
    assert found.orders["expected_minor"].tolist() == [
        pytest.approx(9 * params.population.average_order_minor)
    ]
    assert found.people == 1_000


def test_a_workspace_without_campaigns_has_no_history(session):
    _, found = learnt(session)
    assert (len(found.counts), len(found.orders), found.campaigns, found.people) == (0, 0, 0, 0)
    assert {"campaign_id", "step", "band", "reached", "took", "days"} <= set(found.counts)


def test_what_the_future_holds_does_not_count(session):
    mine = launched(session, "Later", at=NOW)
    session.execute(update(Campaign).where(Campaign.id == mine).values(launched_at=LATER + days(1)))
    assert not len(learnt(session)[1].counts)


def test_only_as_many_of_the_latest_campaigns_count_as_it_takes(session, monkeypatch):
    old, new, newest = (launched(session, name, at=NOW + days(8 * i)) for i, name in enumerate("ABC"))
    counted_in = lambda: set(learnt(session, at=NOW + days(60))[1].counts["campaign_id"])  # noqa: E731
    monkeypatch.setattr(analytics, "ENOUGH_CAMPAIGNS", 1)
    assert counted_in() == {old, new, newest}
    monkeypatch.setattr(analytics, "ENOUGH_PEOPLE", 3_000)
    assert counted_in() == {new, newest}
    monkeypatch.setattr(analytics, "ENOUGH_CAMPAIGNS", 3)
    assert counted_in() == {old, new, newest}


def test_of_a_large_campaign_a_part_of_the_people_counts(session, monkeypatch):
    mine = launched(session, "Large")
    monkeypatch.setattr(analytics, "MOST_PEOPLE", 600)
    params, found = learnt(session)
    frame = outcomes(session, mine)
    assert as_dict(found.counts) == counted(frame[frame["customer_id"] % 4 == 0], params, 7)
