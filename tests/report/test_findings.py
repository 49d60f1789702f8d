"""What a report finds, against hand calculations and an independent program, on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update
from statsmodels.stats.proportion import proportion_confint

from ma.db.engine import connect
from ma.errors import InvalidPeriod, NotFound
from ma.models import Campaign
from ma.report.findings import best_and_worst, find, together
from tests.analytics.test_results import NOW, world  # noqa: F401

# In the world: five were sent the mail (one bounced, two bought, one of them anyway), two the post (one
# bought).


@pytest.fixture
def database(request, sqlite_url):
    """What stands below was tested on both engines; what is added here is asked of both in one test."""
    url = request.getfixturevalue("postgres_url") if hasattr(request, "param") else sqlite_url
    database = connect(url)
    yield database
    database.close()


@pytest.fixture
def findings(world):  # noqa: F811
    """`findings(campaign_ids=[1])`; all waves went out."""
    with world.writing() as session:
        session.execute(update(Campaign).values(waves_sent=Campaign.waves))

    def make(**choice):
        with world.reading() as session:
            return find(session, as_of=choice.pop("as_of", NOW), **choice)

    return make


def test_rates_are_pooled_and_their_intervals_are_those_of_statsmodels(findings):
    found = findings().rate("converted")
    # Of four delivered and two sent by post, three bought.
    assert (found.people, found.of, found.value) == (3, 6, 0.5)
    assert (found.low, found.high) == pytest.approx(proportion_confint(3, 6, method="wilson"))
    opened = findings().rate("opened")
    assert (opened.people, opened.of) == (3, 4)
    assert (opened.low, opened.high) == pytest.approx(proportion_confint(3, 4, method="wilson"))


def test_a_campaign_has_its_own_interval_and_money(findings):
    frame = findings().campaigns.set_index("campaign_id")
    assert frame.loc[1, ["conversion_rate_low", "conversion_rate_high"]].tolist() == pytest.approx(
        proportion_confint(2, 4, method="wilson")
    )
    # 9.00 fixed and five times 20 cents; 40.00 and 10.00 came back.
    assert frame.loc[1, ["cost_minor", "revenue_minor", "roi"]].tolist() == [1000, 5000, 4.0]
    assert frame.loc[[2], ["cost_minor", "roi"]].isna().all(axis=None)


def test_channels_and_segments_partition_the_campaigns(findings):
    found = findings()
    for column in ("sent", "revenue_minor"):
        assert found.channels[column].sum() == found.campaigns[column].sum()
        assert found.segments[column].sum() == found.campaigns[column].sum()
    assert found.channels["campaigns"].sum() == len(found.campaigns) == 2
    assert found.channels["value"].tolist() == ["email", "direct_mail"]
    assert list(found.funnels["direct_mail"]["step"]) == ["sent", "converted"]


def test_what_a_channel_cannot_see_stays_unknown(findings):
    found = findings(campaign_ids=[2])
    opened = found.rate("opened")
    assert [value != value for value in (opened.value, opened.low, opened.high)] == [True] * 3
    assert found.channels.loc[0, ["open_rate", "cost_minor", "roi"]].isna().all()


def test_a_campaign_grows_until_the_last_window_is_over(findings):
    # Sent on 10 March at 14:00 with a window of fourteen days.
    assert findings(as_of=datetime(2026, 3, 24, 13, 59, tzinfo=UTC)).campaigns["growing"].all()
    assert not findings(as_of=datetime(2026, 3, 24, 14, 0, tzinfo=UTC)).campaigns["growing"].any()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_finds_the_same(findings):
    found = findings()
    assert (found.rate("converted").people, found.extra_conversions.value) == (3, pytest.approx(-3))
    assert found.campaigns["growing"].all()
    assert found.channels["sent"].tolist() == [5, 2]


def test_a_campaign_with_waves_to_come_is_growing(world, findings):  # noqa: F811
    with world.writing() as session:
        session.execute(update(Campaign).where(Campaign.id == 1).values(waves=3, waves_sent=1))
    later = findings(as_of=datetime(2026, 6, 1, tzinfo=UTC)).campaigns.set_index("campaign_id")["growing"]
    assert later.to_dict() == {1: True, 2: False}


def test_days_are_those_of_the_workspace(findings):
    day, next_day = date(2026, 3, 10), date(2026, 3, 11)
    assert len(findings(start=day, end=next_day).campaigns) == 2
    with pytest.raises(NotFound, match="No campaign was launched"):
        findings(start=next_day)


@pytest.mark.parametrize(
    ("choice", "error", "said"),
    [
        ({"campaign_ids": [1, 99, 7]}, NotFound, "campaign 7, 99"),
        ({"campaign_ids": [1], "end": date(2026, 3, 10)}, NotFound, "campaign 1"),
        ({"campaign_ids": []}, NotFound, "at least one"),
        ({"start": date(2026, 3, 2), "end": date(2026, 3, 2)}, InvalidPeriod, "after the last"),
    ],
)
def test_what_cannot_be_reported_is_said(findings, choice, error, said):
    with pytest.raises(error, match=said):
        findings(**choice)


def test_nobody_is_among_the_best_and_the_worst():
    order = {"campaign_id": range(5), "best": [2, 1, 5, 4, 3], "worst": [3, 5, 1, 2, 4]}
    best, worst = best_and_worst(pd.DataFrame(order))
    assert (best["campaign_id"].tolist(), worst["campaign_id"].tolist()) == ([1, 0], [2, 3])
    # One that is first from both ends, as its interval is wide, stands among the best alone.
    wide = pd.DataFrame({"campaign_id": range(4), "best": [1, 2, 3, 4], "worst": [1, 3, 4, 2]})
    assert [part["campaign_id"].tolist() for part in best_and_worst(wide)] == [[0, 1], [3, 2]]
    assert best_and_worst(pd.DataFrame(order).head(1))[0].empty


def test_the_effect_is_that_of_people_sent_less_those_held_out(findings):
    found = findings()
    # Two of five who were sent the mail bought, and the one held out did: 5 x (2/5 - 1) is three fewer.
    assert found.effects["campaign_id"].tolist() == [1]
    effect = found.extra_conversions
    assert (effect.value, effect.campaigns) == (pytest.approx(-3), 1)
    row = found.effects.iloc[0]
    assert (effect.low, effect.high) == pytest.approx(
        (row["incremental_conversions_low"], row["incremental_conversions_high"])
    )
    assert findings(campaign_ids=[2]).extra_conversions.campaigns == 0


def test_effects_add_up_and_their_distances_as_squares(findings):
    found = findings()
    two = pd.concat([found.effects] * 3, ignore_index=True).assign(
        incremental_conversions=[10.0, 30.0, 1e6],
        incremental_conversions_low=[7.0, 26.0, 0.0],
        incremental_conversions_high=[22.0, 35.0, 2e6],
        # Of the third nothing can be believed.
        sample_ratio=["ok", "unknown", "alarm"],
    )
    effect = replace(found, effects=two).extra_conversions
    # 3 and 4 make 5 below, 12 and 5 make 13 above.
    assert (effect.value, effect.low, effect.high, effect.campaigns) == (40, 35, 53, 2)
    assert effect.is_clear


def test_intervals_of_sums_hold_the_truth_in_95_of_100_cases():
    """Three campaigns of other sizes, drawn again and again; the extra conversions are known."""
    random = np.random.default_rng(5)
    sizes, base, lift, times = [(900, 300), (2_000, 500), (400, 400)], 0.10, 0.03, 400
    drawn = []
    for sent, out in sizes:
        yes, no = random.binomial(sent, base + lift, times) / sent, random.binomial(out, base, times) / out
        (low_yes, high_yes), (low_no, high_no) = (
            proportion_confint(share * people, people, method="wilson")
            for share, people in ((yes, sent), (no, out))
        )
        # Newcombe's interval of the difference.
        below = np.hypot(yes - low_yes, high_no - no)
        above = np.hypot(high_yes - yes, no - low_no)
        drawn.append(np.array([yes - no, yes - no - below, yes - no + above]) * sent)
    truth = sum(sent * lift for sent, _ in sizes)
    effects = [
        together(pd.DataFrame([each[:, i] for each in drawn], columns=list("abc")), *"abc")
        for i in range(times)
    ]
    held = sum(effect.low <= truth <= effect.high for effect in effects)
    # 95 % of 400 are 380, give or take 4.4: more than four times that is less than one in ten thousand.
    assert 362 <= held <= 397
