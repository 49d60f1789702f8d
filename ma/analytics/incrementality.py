"""What sending a campaign added: those who were sent it against those held out, in people and in money."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics import experiment_arms, roi, significance
from ma.analytics.experiment_arms import HELD_OUT, Experiment
from ma.analytics.experiments import DECIDES, Money, amounts
from ma.analytics.significance import Estimate, Sums

# With fewer buyers on one side, a 95 % interval of log-normal purchases (sigma 0.8) covers the truth in 87 to
# 92 of 100 cases; from here on in 93 (tests/analytics/test_significance.py).
FEWEST_BUYERS = 30
COLUMNS = (
    "campaign_id", "name", "channel", "launched_at", "over", "sample_ratio", "people_sent", "people_held_out",
    "converted_sent", "converted_held_out", "rate_sent", "rate_held_out", "rate_difference", "rate_low",
    "rate_high", "p_value", "incremental_conversions", "incremental_conversions_low",
    "incremental_conversions_high", "incremental_revenue_minor", "incremental_revenue_low_minor",
    "incremental_revenue_high_minor", "revenue_p_value", "enough_buyers", "cost_minor",
    "incremental_profit_minor", "incremental_profit_low_minor", "incremental_profit_high_minor",
    "incremental_roi", "incremental_roi_low", "incremental_roi_high", "revenue_minor", "profit_minor", "roi",
)  # fmt: skip


def incrementality(
    session: Session, *, as_of: datetime, campaign_ids: list[int] | None = None
) -> pd.DataFrame:
    """What each campaign with a holdout added up to `as_of`, the latest first; intervals are of 95 %.

    One row per campaign: campaign_id, name, channel, launched_at, over, sample_ratio (see experiments);
    people_sent and people_held_out (assigned), how many converted, the rates and their difference with
    Newcombe's interval and p_value; incremental_conversions (people: the difference × people_sent), revenue
    (difference of the revenue per person × people_sent, Welch's interval; enough_buyers says whether it is to
    be trusted), profit (less the cost) and roi (÷ cost) with intervals; beside them what is attributed:
    cost_minor, revenue_minor, profit_minor and roi as `roi` has them. Below zero the campaign took away. NaN
    is unknown. Source: docs/metrics.md#experiments
    """
    found = experiment_arms.experiments(session, as_of=as_of, campaign_ids=campaign_ids)
    found = [test for test in found if test.held_out is not None]
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    ids = [test.campaign["campaign_id"] for test in found]
    money = amounts(session, found, as_of=as_of)
    attributed = roi.roi(session, as_of=as_of, campaign_ids=ids).set_index("campaign_id")
    rows = [of_test(*each, attributed.loc[key]) for *each, key in zip(found, money, ids, strict=True)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(launched_at=pd.to_datetime(frame["launched_at"], utc=True))


def of_test(test: Experiment, money: Money, attributed: Mapping) -> dict:
    """The row of a test with a holdout; attributed: its row of `roi.roi`."""
    sent, held, campaign = test.sent, test.held_out, test.campaign
    people = sent["people"]
    rates = significance.rate_difference(held[DECIDES], held["people"], sent[DECIDES], people)
    mine = [money.sums[arm["label"]] for arm in test.messages]
    per_person = significance.mean_difference(money.sums[HELD_OUT], sum(mine, start=Sums(0.0, 0.0, 0.0)))
    cost = attributed["cost_minor"]
    revenue = _scaled(per_person, people)
    profit = _shifted(revenue, -cost)
    ratio = _scaled(profit, 1.0 / cost if cost else np.nan)
    return {
        **{name: campaign[name] for name in ("campaign_id", "name", "channel", "launched_at", "over")},
        "sample_ratio": test.sample_ratio,
        "people_sent": people,
        "people_held_out": held["people"],
        "converted_sent": sent[DECIDES],
        "converted_held_out": held[DECIDES],
        "rate_sent": sent[DECIDES] / people if people else np.nan,
        "rate_held_out": held[DECIDES] / held["people"] if held["people"] else np.nan,
        "rate_difference": rates.value,
        "rate_low": rates.low,
        "rate_high": rates.high,
        "p_value": rates.p_value,
        **_columns("incremental_conversions{}", _scaled(rates, people)),
        **_columns("incremental_revenue{}_minor", revenue),
        "revenue_p_value": per_person.p_value,
        "enough_buyers": bool(min(sent[DECIDES], held[DECIDES]) >= FEWEST_BUYERS),
        **_columns("incremental_profit{}_minor", profit),
        **_columns("incremental_roi{}", ratio),
        **{name: attributed[name] for name in ("cost_minor", "revenue_minor", "profit_minor", "roi")},
    }


def _scaled(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.value * by, estimate.low * by, estimate.high * by)


def _shifted(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.value + by, estimate.low + by, estimate.high + by)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {
        name.format(""): estimate.value,
        name.format("_low"): estimate.low,
        name.format("_high"): estimate.high,
    }
