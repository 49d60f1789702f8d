"""Tests of messages and of sending at all: rates, differences, how sure they are, and what can be said."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics import experiment_arms, experiment_verdicts, significance
from ma.analytics.experiment_arms import ALARM, FIRST, HELD_OUT, Difference, Experiment
from ma.analytics.significance import NAN, Sums
from ma.analytics.workspace import workspace
from ma.simulation.sample_size import detectable_rate, needed_people, power

# What decides, and what is told beside it.
DECIDES = "converted"
RATES = (DECIDES, "clicked", "opened", "unsubscribed")
REVENUE = "revenue_minor"
FIGURES = (*RATES, REVENUE)
# A difference worth finding: a tenth of the rate, as forecasts ask for it.
WORTH = 0.1
SENT_AGAINST_HELD_OUT = "Sent against held out"
SUMMARY = (
    "campaign_id", "name", "channel", "source", "kind", "launched_at", "people", "planned_people", "ends_at",
    "over", "sample_ratio", "sample_ratio_p", "difference", "low", "high", "p_adjusted", "detectable_effect",
    "needed", "enough", "messages_finding", "holdout_finding", "verdict",
)  # fmt: skip
VARIANTS = (
    "campaign_id", "label", "figure", "people", "planned_people", "share", "planned_share", "count", "value",
    "low", "high", "resampled_low", "resampled_high", "probability_best",
)  # fmt: skip
DIFFERENCES = Difference._fields
_UNKNOWN = (NAN, NAN)


@dataclass(frozen=True)
class Money:
    """Revenue per person of each arm of a test, and the same in samples drawn anew (empty: not drawn)."""

    sums: Mapping[str, Sums]
    draws: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Told:
    """All that one test tells: its row of `experiments`, and its rows of the other two frames."""

    test: Experiment
    summary: pd.Series
    variants: pd.DataFrame
    differences: pd.DataFrame
    money: Money


def experiments(session: Session, *, as_of: datetime, campaign_ids: list[int] | None = None) -> pd.DataFrame:
    """Every test and what it says up to `as_of`, the latest first.

    One row per launched campaign with several messages or people held out: campaign_id, name, channel,
    source, kind ("messages", "holdout" or "messages and holdout"), launched_at, people, planned_people (with
    the waves to come), ends_at (of the last conversion window), over, sample_ratio ("ok", "warning", "alarm",
    or "unknown") and its p-value; of the comparison that decides (the message that differs most clearly from
    A; sent against held out where there is one message): difference of the conversion rates, low and high
    (95 %), p_adjusted, detectable_effect, needed (people) and enough (whether they are there);
    messages_finding and holdout_finding (see experiment_verdicts), and the verdict in words. NaN or missing
    is unknown. Source: docs/metrics.md#experiments
    """
    return summary(session, experiment_arms.experiments(session, as_of=as_of, campaign_ids=campaign_ids))


def summary(session: Session, found: Sequence[Experiment]) -> pd.DataFrame:
    """The frame `experiments` of tests that were read already."""
    zone = workspace(session).timezone
    frame = pd.DataFrame([_summary(test, zone) for test in found], columns=list(SUMMARY))
    return frame.astype({"over": bool, "enough": "boolean"}).assign(
        launched_at=pd.to_datetime(frame["launched_at"], utc=True),
        ends_at=pd.to_datetime(frame["ends_at"], utc=True),
    )


def experiment_variants(session: Session, *, as_of: datetime, campaign_id: int) -> pd.DataFrame:
    """What the people of each arm of a test did, with 95 % intervals; empty where there is no test.

    One row per figure (converted, clicked, opened, unsubscribed, revenue_minor) and arm: campaign_id, label
    (A, B, …, "Held out"), figure, people (assigned), planned_people (with the waves to come), share and
    planned_share (of all people), count (people; revenue: minor units), value (count ÷ people), low and high
    (Wilson's interval; revenue: Student's), resampled_low and resampled_high (revenue: the same by
    bootstrap), probability_best (converted, messages; NaN while the split of people raises an alarm). Figures
    that cannot be observed are left out. Source: docs/metrics.md#experiments
    """
    told = tell(session, as_of=as_of, campaign_id=campaign_id)
    return told.variants if told else pd.DataFrame(columns=list(VARIANTS))


def experiment_differences(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    figure: str = "",
) -> pd.DataFrame:
    """How the arms of tests differ, in one figure or all: each message from A, sent from held out.

    One row per campaign, figure and comparison ("B against A", "Sent against held out"): campaign_id, name,
    comparison, label, figure, people_a and people_b (assigned), value_a and value_b (rates; revenue: minor
    units per person), difference (b − a), low and high (95 %: Newcombe's interval; revenue: Welch's),
    resampled_low and resampled_high (revenue by bootstrap; only where one test is asked for), p_value
    (two-sided), p_adjusted (Holm, over the messages of the campaign), detectable_effect (the smallest
    difference found in 8 of 10 cases with so many people), power (to find one of WORTH of the rate; against
    those held out: the one that was forecast), needed (people in both arms, for a power of 80 %), over,
    sample_ratio. Source: docs/metrics.md#experiments
    """
    found = experiment_arms.experiments(session, as_of=as_of, campaign_ids=campaign_ids)
    parts = [rate_differences(found, figure=name) for name in RATES if figure in ("", name)]
    if figure in ("", REVENUE):
        money = amounts(session, found, as_of=as_of)
        rows = [row for test, mine in zip(found, money, strict=True) for row in _revenue(test, mine)]
        parts.append(pd.DataFrame(rows, columns=list(DIFFERENCES)))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(DIFFERENCES))


def tell(session: Session, *, as_of: datetime, campaign_id: int) -> Told | None:
    """What the test of one campaign tells; None where it has none."""
    found = experiment_arms.experiments(session, as_of=as_of, campaign_ids=[campaign_id])
    if not found:
        return None
    [test], [money] = found, amounts(session, found, as_of=as_of)
    rows = [*(row for name in RATES for row in _rates(test, name)), *_revenue(test, money)]
    return Told(
        test=test,
        summary=summary(session, found).iloc[0],
        variants=pd.DataFrame(_variants(test, money), columns=list(VARIANTS)),
        differences=pd.DataFrame(rows, columns=list(DIFFERENCES)),
        money=money,
    )


def rate_differences(found: Sequence[Experiment], *, figure: str) -> pd.DataFrame:
    """The rows of `experiment_differences` of one rate, of tests that were read already."""
    return pd.DataFrame([row for test in found for row in _rates(test, figure)], columns=list(DIFFERENCES))


def amounts(session: Session, found: Sequence[Experiment], *, as_of: datetime) -> list[Money]:
    """The revenue of each of these tests; of a single one with samples drawn anew."""
    if len(found) != 1:
        sums = experiment_arms.revenue(session, found, as_of=as_of)
        labels = [(test.campaign["campaign_id"], [arm["label"] for arm in test.arms]) for test in found]
        return [Money({label: sums[key, label] for label in mine}, {}) for key, mine in labels]
    brought = experiment_arms.amounts(session, found[0].campaign["campaign_id"], as_of=as_of)
    sums, draws = {}, {}
    for place, arm in enumerate(found[0].arms):
        values, people = brought.get(arm["label"], (np.empty(0), np.empty(0)))
        sums[arm["label"]] = Sums(arm["people"], float(values @ people), float(values**2 @ people))
        draws[arm["label"]] = significance.resampled_means(values, people, arm["people"], stream=place)
    return [Money(sums, draws)]


def _variants(test: Experiment, money: Money) -> list[tuple]:
    """The rows of VARIANTS."""
    rows = []
    best, everybody = _probability_best(test), math.fsum(arm["people"] for arm in test.arms)
    for figure in FIGURES:
        for arm in test.arms:
            label, people, count = arm["label"], arm["people"], arm[figure]
            if math.isnan(count):
                continue
            if figure == REVENUE:
                count, value = money.sums[label].total, significance.mean(money.sums[label])
                between = significance.between(money.draws[label])
            else:
                value, between = significance.rate(count, people), _UNKNOWN
            rows.append(
                (test.campaign["campaign_id"], label, figure, people, arm["planned_people"],
                 people / everybody if everybody else NAN, arm["share"], count,
                 value.value, value.low, value.high, *between,
                 best.get(label, NAN) if figure == DECIDES else NAN)
            )  # fmt: skip
    return rows


def _comparisons(test: Experiment, figure: str) -> list[tuple[str, str, Mapping, Mapping]]:
    """(name, label, a, b) of each: b is compared with a."""
    by_label = {arm["label"]: arm for arm in test.messages if not math.isnan(arm[figure])}
    found = []
    if (first := by_label.pop(FIRST, None)) is not None:
        found = [(f"{label} against {FIRST}", label, first, arm) for label, arm in by_label.items()]
    if test.held_out is not None and not math.isnan(test.held_out[figure]):
        found.append((SENT_AGAINST_HELD_OUT, HELD_OUT, test.held_out, test.sent))
    return found


def _rates(test: Experiment, figure: str) -> list[Difference]:
    """The rows of DIFFERENCES of one rate."""
    compared = []
    for name, label, a, b in _comparisons(test, figure):
        estimate = significance.rate_difference(a[figure], a["people"], b[figure], b["people"])
        values = (a["people"], b["people"], _rate(a, figure), _rate(b, figure))
        worth = _forecast_effect(test.campaign) if label == HELD_OUT else NAN
        compared.append((name, label, values, estimate, _UNKNOWN, _told(a, b, figure, worth)))
    return _adjusted(test, figure, compared)


def _revenue(test: Experiment, money: Money) -> list[Difference]:
    """The rows of DIFFERENCES of the revenue per person."""
    compared, mine, draws = [], money.sums, money.draws
    for name, label, _, _ in _comparisons(test, REVENUE):
        held = label == HELD_OUT
        base, others = (HELD_OUT, [arm["label"] for arm in test.messages]) if held else (FIRST, [label])
        a, b = mine[base], sum((mine[other] for other in others), start=Sums(0.0, 0.0, 0.0))
        between = _UNKNOWN
        if draws and min(a.people, b.people) > 0:
            total = sum(draws[other] * mine[other].people for other in others if mine[other].people)
            between = significance.between(total / b.people - draws[base])
        told = (significance.detectable_mean_difference(a, b), *_UNKNOWN)
        values = (a.people, b.people, a.mean, b.mean)
        compared.append((name, label, values, significance.mean_difference(a, b), between, told))
    return _adjusted(test, REVENUE, compared)


def _adjusted(test: Experiment, figure: str, compared: list[tuple]) -> list[Difference]:
    """Whole rows; the p-values of the messages are adjusted for there being several."""
    p_values = [estimate.p_value for _, label, _, estimate, *_ in compared if label != HELD_OUT]
    adjusted, rows = iter(significance.holm(p_values)), []
    campaign = test.campaign
    for name, label, values, estimate, between, told in compared:
        p_adjusted = estimate.p_value if label == HELD_OUT else next(adjusted)
        rows.append(
            Difference(
                campaign["campaign_id"], campaign["name"], name, label, figure, *values, estimate.value,
                estimate.low, estimate.high, *between, estimate.p_value, p_adjusted, *told,
                campaign["over"], test.sample_ratio,
            )
        )  # fmt: skip
    return rows


def _told(a: Mapping, b: Mapping, figure: str, worth: float) -> tuple[float, float, float]:
    """What a test of this size can see: the detectable effect, power and needed people (see above)."""
    people_a, people_b = a["people"], b["people"]
    if not min(people_a, people_b) > 0:
        return NAN, NAN, NAN
    # Where nothing differs both have this rate; it is known better than that of one arm.
    base = (a[figure] + b[figure]) / (people_a + people_b)
    effect = detectable_rate(base, people_a, people_b) - base
    if math.isnan(effect):
        effect = base - detectable_rate(base, people_a, people_b, higher=False)
    other = min(base + (worth if worth > 0 else base * WORTH), 1.0)
    if not base < other:
        return effect, NAN, NAN
    needed = needed_people(base, other, share_b=people_b / (people_a + people_b))
    return effect, power(base, other, people_a, people_b), needed


def _probability_best(test: Experiment) -> dict[str, float]:
    if len(test.messages) < 2 or test.sample_ratio == ALARM:
        return {}
    columns = ([arm[name] for arm in test.messages] for name in (DECIDES, "people"))
    labels = [arm["label"] for arm in test.messages]
    return dict(zip(labels, significance.probability_best(*columns), strict=True))


def _rate(arm: Mapping, figure: str) -> float:
    return arm[figure] / arm["people"] if arm["people"] else NAN


def _forecast_effect(campaign: Mapping) -> float:
    """By how much sending was forecast to raise the conversion rate; NaN where nothing was forecast."""
    figures = (campaign["forecast"] or {}).get("figures", {})
    extra, people = (figures.get(name, {}).get("p50") for name in ("incremental_conversions", "treated"))
    return extra / people if extra and people else NAN


def _summary(test: Experiment, zone: str) -> dict:
    compared = _rates(test, DECIDES)
    several = len(test.messages) > 1
    kinds = [word for word, there in (("messages", several), ("holdout", test.held_out is not None)) if there]
    deciding = [row for row in compared if row.label != HELD_OUT or not several]
    known = [row for row in deciding if not math.isnan(row.p_adjusted)]
    clearest = min(known, key=lambda row: row.p_adjusted)._asdict() if known else {}
    figures = ("difference", "low", "high", "p_adjusted", "detectable_effect", "needed")
    # NaN where it is unknown of one of them.
    needed = float(np.max([row.needed for row in deciding])) if deciding else NAN
    reached = all(row.people_a + row.people_b >= row.needed for row in deciding)
    return {
        **{name: test.campaign[name] for name in SUMMARY if name in test.campaign},
        **{name: clearest.get(name, NAN) for name in figures},
        "kind": " and ".join(kinds),
        "people": int(math.fsum(arm["people"] for arm in test.arms)),
        "planned_people": int(math.fsum(arm["planned_people"] for arm in test.arms)),
        "sample_ratio": test.sample_ratio,
        "sample_ratio_p": test.split_p_value,
        "enough": None if math.isnan(needed) else reached,
        **experiment_verdicts.verdict(test, compared, zone=zone),
    }
