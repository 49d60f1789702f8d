"""Who is still inside the conversion window, by hand and recounted; published rates as the file has them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from ma.analytics.benchmarks import benchmarks
from ma.analytics.frames import frame as exported
from ma.analytics.frames import read
from ma.analytics.maturity import maturity
from ma.models import Campaign, Outcome
from ma.types import Arm
from tests.analytics.result_world import CAMPAIGNS, NOW, TOTALS_ALONE
from tests.analytics.test_results import SENT
from tests.analytics.test_results import world as story  # noqa: F401

ROUND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (SENT, 5),
        (SENT + timedelta(days=14) - ROUND, 5),
        (SENT + timedelta(days=14), 0),
        (SENT + timedelta(days=40), 0),
    ],
)
def test_a_window_is_over_at_its_last_instant(story, at, inside):  # noqa: F811
    with story.reading() as session:
        row = maturity(session, as_of=at, campaign_ids=[1]).iloc[0]
    assert (row["sent"], row["immature"], row["mature"]) == (5, inside, 5 - inside)
    assert row["immature_share"] == inside / 5


def test_sendings_of_several_days_mature_one_by_one(result_database):
    """At instants around the ends of windows, each person's own window decides."""
    with result_database.reading() as session:
        rows = read(session, select(*Outcome.__table__.columns).where(Outcome.arm == Arm.TREATED))
        sent = sorted(rows.loc[rows["campaign_id"] == 1, "sent_at"])
        window = timedelta(days=CAMPAIGNS[1][2])
        for at in (sent[0] + window, sent[len(sent) // 2] + window, sent[-1] + window, sent[3], NOW):
            found = maturity(session, as_of=at.to_pydatetime() if at != NOW else NOW)
            for row in found[found["campaign_id"].isin(CAMPAIGNS)].itertuples():
                mine = rows.loc[rows["campaign_id"] == row.campaign_id, "sent_at"]
                days = timedelta(days=CAMPAIGNS[row.campaign_id][2])
                assert row.sent == (mine <= at).sum()
                assert row.immature == ((mine <= at) & (mine + days > at)).sum(), (at, row.campaign_id)


def test_totals_without_people_are_open_until_the_window_of_the_launch_is_over(result_database):
    with result_database.reading() as session:
        launched = session.get(Campaign, TOTALS_ALONE).launched_at
        for days, inside in ((13.9, 1_000), (14, 0)):
            at = launched + timedelta(days=days)
            row = maturity(session, as_of=at, campaign_ids=[TOTALS_ALONE]).iloc[0]
            assert row["immature"] == inside


def test_nobody_sent_has_no_share(result_database):
    with result_database.reading() as session:
        row = maturity(session, as_of=NOW, campaign_ids=[7]).iloc[0]
        assert exported(session, "maturity", as_of=NOW, params={"campaign_ids": "7"}).shape[0] == 1
    assert (row["sent"], row["immature"]) == (0, 0)
    assert row["immature_share"] != row["immature_share"]


def test_benchmarks_are_the_published_rates_per_our_denominator(result_database):
    """The file's own figures, multiplied by hand where ours has another denominator."""
    with result_database.reading() as session:
        frame = benchmarks(session, as_of=NOW).set_index(["channel", "rate"])
        only = benchmarks(session, as_of=NOW, campaign_ids=[2])
    assert set(only["channel"]) == {"sms"}
    assert set(frame.index.get_level_values("channel")) == {"email", "sms", "direct_mail"}
    email = frame.loc["email"]
    assert email.loc["open_rate", "value"] == 0.1568
    assert email.loc["click_rate", "value"] == pytest.approx(0.0201)
    assert email.loc["conversion_rate", "value"] == pytest.approx(0.0201 * 0.0634)
    assert email.loc["conversion_rate", "source"] == "Mailchimp 2019-10 × Omnisend 2022"
    assert frame.loc[("sms", "conversion_rate"), "value"] == pytest.approx(0.014, rel=1e-4)
    mail = frame.loc[("direct_mail", "conversion_rate")]
    assert mail["value"] == pytest.approx(0.09 * (1 - 0.0675))
    assert (mail["denominator"], mail["source"]) == ("sent", "USPS 2010 × ANA/DMA 2018")
    assert ("sms", "open_rate") not in frame.index
    assert not frame["assumed"].any()
    assert (frame["where"] != "").all()
