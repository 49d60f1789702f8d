"""What customers are expected to bring: in all, from how few of them, and by RFM score and segment.

All of it is read from the scores that the models left on the customers (`ma.services.scoring`); expected is
revenue over the 365 days after the scoring.
"""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Float, Select, and_, case, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.analytics.rates import ratio
from ma.analytics.value_models import value_model
from ma.analytics.workspace import workspace
from ma.db.whole_numbers import column
from ma.intelligence.rfm import SEGMENTS
from ma.models import Customer, CustomerScore
from ma.money import unit

TOP = 0.2
# Whoever is gone with this certainty has nothing at risk any more: it is lost.
GONE, LIKELY_GONE = 0.99, 0.5
_MOST_BANDS = 8
# The normal's quantile that leaves 10 % on each side.
_TEN_PERCENT = 1.2815515655446004
_SCORE = CustomerScore.__table__
_OVERVIEW = [
    "model_id", "scored_at", "customers", "expected_value_minor", "value_low_minor", "value_high_minor",
    "expected_orders", "buyers", "buyers_low", "buyers_high", "top_share", "at_risk_minor",
    "at_risk_customers", "gone_customers",
]  # fmt: skip


def value_overview(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The expected value of all customers in one row; no row where nobody has one.

    model_id, scored_at, customers (with an expected value), expected_value_minor with value_low_minor and
    value_high_minor (80 %, from the model's run), expected_orders, buyers (how many are expected to order at
    least once) with buyers_low and buyers_high (80 %, chance alone), top_share (share of the expected value
    that the most valuable 20 % hold), at_risk_minor (what those who may be gone would bring in addition if
    they still bought), at_risk_customers (churn risk of 50 % or more and below 99 %), gone_customers (99 % or
    more).
    Source: docs/metrics.md#value-page
    """
    found, model = read(session, _sums(as_of)), value_model(session)
    if model is None or not found["customers"].iloc[0]:
        return pd.DataFrame(columns=_OVERVIEW)
    totals, spread = model["figures"].get("totals") or {}, found.pop("spread")
    half = _TEN_PERCENT * np.sqrt(spread)
    values = customer_values(session, as_of=as_of)
    return found.assign(
        model_id=model["id"],
        scored_at=model["as_of"],
        value_low_minor=_known(totals.get("low")),
        value_high_minor=_known(totals.get("high")),
        buyers_low=(found["buyers"] - half).clip(lower=0.0),
        buyers_high=(found["buyers"] + half).clip(upper=found["customers"]),
        top_share=top_share(values),
    )[_OVERVIEW]


def _sums(as_of: datetime) -> Select:
    value, chance, risk = _SCORE.c.expected_value_minor, _SCORE.c.order_chance, _SCORE.c.churn_risk
    return _of_everybody(
        as_of,
        func.count().label("customers"),
        cast(func.sum(value), BigInteger).label("expected_value_minor"),
        func.sum(_SCORE.c.expected_orders).label("expected_orders"),
        func.sum(chance).label("buyers"),
        func.sum(chance * (1.0 - chance)).label("spread"),
        func.sum(case((risk < GONE, value * risk / (1.0 - risk)), else_=0.0)).label("at_risk_minor"),
        func.count(case((and_(risk >= LIKELY_GONE, risk < GONE), 1))).label("at_risk_customers"),
        func.count(case((risk >= GONE, 1))).label("gone_customers"),
    )


def _of_everybody(as_of: datetime, *columns: ColumnElement) -> Select:
    """Columns of the scores of whoever has an expected value and is not deleted."""
    # Few are deleted: a short list is looked through faster than one of everybody else.
    gone = select(Customer.id).where(Customer.deleted_at.is_not(None))
    return select(*columns).where(
        _SCORE.c.expected_value_minor.is_not(None),
        _SCORE.c.scored_at <= as_of,
        _SCORE.c.customer_id.not_in(gone),
    )


def _known(value: float | None) -> float:
    return np.nan if value is None else value


def top_share(values: np.ndarray, top: float = TOP) -> float:
    """The share of the sum that the highest of these values hold; NaN where they come to nothing."""
    found = concentration_of(values, points=[top])
    return float(found["share_of_value"].iloc[-1]) if len(found) else np.nan


def value_distribution(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Customers by what they are expected to bring, in bands of money.

    One row per band, the lowest first: low_minor, high_minor (exclusive; NaN in the last one, which has no
    end), customers, share_of_customers, expected_value_minor, share_of_value.
    """
    values = customer_values(session, as_of=as_of)
    return distribution_of(values, whole=unit(workspace(session).currency))


def distribution_of(values: np.ndarray, *, whole: int) -> pd.DataFrame:
    """Columns as in `value_distribution`; `whole` minor units make one of the currency.

    Bands begin at 0 and then 1, 2 and 5 times a power of ten of the currency: those of the upper end, where
    the money is; what lies below is one band.
    """
    columns = ["low_minor", "high_minor", "customers", "share_of_customers"]
    columns += ["expected_value_minor", "share_of_value"]
    if not len(values):
        return pd.DataFrame(columns=columns)
    edges = _edges(float(values.max()), whole)
    place = np.searchsorted(edges, values, side="right") - 1
    customers = np.bincount(place, minlength=len(edges))
    money = np.bincount(place, values, minlength=len(edges))
    found = pd.DataFrame(
        {
            "low_minor": edges,
            "high_minor": [*edges[1:], np.nan],
            "customers": customers,
            "share_of_customers": customers / len(values),
            "expected_value_minor": money,
        }
    )
    return found.assign(share_of_value=money / values.sum() if values.sum() else np.nan)[columns]


def _edges(highest: float, whole: int) -> np.ndarray:
    """0 and the beginnings of bands in minor units, up to the one that holds the highest value."""
    steps = [m * 10**power * whole for power in range(13) for m in (1, 2, 5)]
    below = [step for step in steps if step <= highest]
    return np.array([0, *below[-(_MOST_BANDS - 1) :]], dtype=float)


def value_concentration(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """How much of the expected value how few customers hold, the most valuable first.

    One row per hundredth of the customers, from 0: share_of_customers, customers (so many, rounded up),
    expected_value_minor (theirs together), share_of_value. No row where nobody is expected to bring anything.
    """
    return concentration_of(customer_values(session, as_of=as_of))


def concentration_of(values: np.ndarray, points: list[float] | None = None) -> pd.DataFrame:
    """Columns as in `value_concentration`; `points` are the shares of customers that are asked for."""
    columns = ["share_of_customers", "customers", "expected_value_minor", "share_of_value"]
    total = float(values.sum())
    if not total > 0:
        return pd.DataFrame(columns=columns)
    so_far = np.concatenate([[0.0], np.sort(values)[::-1].cumsum()])
    shares = np.arange(101) / 100 if points is None else np.array(points)
    # A hair less: 0.07 × 100 is a little more than 7.
    people = np.ceil(shares * len(values) - 1e-9).astype(int)
    money = so_far[people]
    return pd.DataFrame(dict(zip(columns, (shares, people, money, money / total), strict=True)))


def rfm_grid(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Customers by recency score and frequency score, all 25 cells.

    recency_score, frequency_score (1 to 5, 5 the best), customers, share_of_customers, spend_minor (to date,
    after refunds), expected_value_minor and value_per_customer_minor (unknown where the model is unfit),
    churn_risk (their mean).
    """
    by = (_SCORE.c.recency_score, _SCORE.c.frequency_score)
    found = read(session, _grouped(by, as_of)).set_index([column.name for column in by])
    every = pd.MultiIndex.from_product([range(1, 6), range(1, 6)], names=found.index.names)
    return _shares(found.reindex(every)).reset_index()


def rfm_segments(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The named RFM segments, as the table of their rules lists them; also those without anybody.

    rfm_segment, meaning, recency_scores and other_scores (the rule: the recency score, and the mean of
    frequency and amount score), customers, share_of_customers, spend_minor, share_of_spend,
    expected_value_minor, share_of_value, value_per_customer_minor, churn_risk.
    """
    found = read(session, _grouped((_SCORE.c.rfm_segment,), as_of)).set_index("rfm_segment")
    rules = pd.DataFrame(
        [(one.name, one.meaning, _span(one.recency), _span(one.frequency_monetary)) for one in SEGMENTS],
        columns=["rfm_segment", "meaning", "recency_scores", "other_scores"],
    )
    shares = _shares(found.reindex(rules["rfm_segment"])).reset_index(drop=True)
    for name, share in (("spend_minor", "share_of_spend"), ("expected_value_minor", "share_of_value")):
        total = shares[name].sum()
        shares[share] = shares[name] / total if total else np.nan
    return rules.join(shares)[
        [
            "rfm_segment", "meaning", "recency_scores", "other_scores", "customers", "share_of_customers",
            "spend_minor", "share_of_spend", "expected_value_minor", "share_of_value",
            "value_per_customer_minor", "churn_risk",
        ]
    ]  # fmt: skip


def segment_rule(name: str) -> dict:
    """The rule that chooses the customers of a named RFM segment."""
    return {"all": [{"field": "rfm_segment", "operator": "eq", "value": name}]}


def cell_rule(recency: int, frequency: int) -> dict:
    """The rule that chooses the customers of a cell of the RFM grid."""
    scores = {"recency_score": recency, "frequency_score": frequency}
    return {"all": [{"field": name, "operator": "eq", "value": score} for name, score in scores.items()]}


def _span(scores: tuple[int, int]) -> str:
    """A range of scores in words: 4 to 5, 3."""
    low, high = scores
    return f"{low}" if low == high else f"{low} to {high}"


def _shares(found: pd.DataFrame) -> pd.DataFrame:
    """Sums of groups with what follows from them; groups without anybody have 0 customers."""
    counts = found.assign(
        customers=found["customers"].fillna(0).astype("int64"),
        spend_minor=found["spend_minor"].fillna(0).astype("int64"),
        expected_value_minor=found["expected_value_minor"].astype(float),
        churn_risk=found["churn_risk"].astype(float),
    )
    total = counts["customers"].sum()
    counts["share_of_customers"] = counts["customers"] / total if total else np.nan
    counts["value_per_customer_minor"] = ratio(counts["expected_value_minor"], counts["customers"])
    order = ["customers", "share_of_customers", "spend_minor", "expected_value_minor"]
    return counts[[*order, "value_per_customer_minor", "churn_risk"]]


def _grouped(by: tuple[ColumnElement, ...], as_of: datetime) -> Select:
    return (
        select(
            *by,
            func.count().label("customers"),
            cast(func.sum(Customer.spend_minor), BigInteger).label("spend_minor"),
            cast(func.sum(_SCORE.c.expected_value_minor), BigInteger).label("expected_value_minor"),
            cast(func.avg(_SCORE.c.churn_risk), Float).label("churn_risk"),
        )
        .join(Customer, Customer.id == _SCORE.c.customer_id)
        .where(Customer.deleted_at.is_(None), _SCORE.c.rfm_segment.is_not(None), _SCORE.c.scored_at <= as_of)
        .group_by(*by)
    )


def customer_values(session: Session, *, as_of: datetime) -> np.ndarray:
    """The expected value of each customer who has one, in minor units and no order."""
    return column(session, _of_everybody(as_of, _SCORE.c.expected_value_minor))
