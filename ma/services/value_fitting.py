"""Fitting the value models to what customers bought, and checking them against what they bought later.

Reads nothing and writes nothing: days of purchase in, a fit out. `Fitted.parameters` holds by model and name
{"value", "se"}, in weeks and minor units; `Fitted.figures` what screens draw:

    tracking     weeks, actual and expected repeat purchases added up, cut_week
    by_frequency frequency (the last one and more), actual and expected customers
    holdout      weeks, actual and expected repeat purchases, by_frequency with means per customer
    churn        rows of `ma.intelligence.churn.calibration`
    totals       customers, expected_value_minor, low, high, expected_orders, orders_low, orders_high
    summary      span_weeks, correlation, log_likelihood of both models

A purchase is a day with a sale, as in `ma.analytics.value_summaries`.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ma.analytics.value_models import GOOD, UNCERTAIN, UNFIT
from ma.analytics.value_summaries import WEEK, PurchaseDays, held_out_of, summaries_of, weekly_of
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.churn import calibration
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.summaries import in_weeks

# The least that can be learnt from.
FEWEST_REPEATING, FEWEST_WEEKS = 100, 12
# The check: the last third of the time is held out, but no more than half a year.
HELD_OUT_SHARE, MOST_HELD_OUT_WEEKS = 3, 26
# By so much of the actual purchases the expected ones may be off.
TOLERANCE = 0.25
# From here on customers' orders are larger (or smaller) the more often they buy: against the order value
# model's assumption.
CORRELATED = 0.3
MOST_FREQUENT = 7


@dataclass(frozen=True, eq=False)
class Fitted:
    """Both models, how far they are to be trusted, and why; without models where the status is "unfit"."""

    status: str
    problems: tuple[str, ...]
    customers: int
    repeat_customers: int
    purchases: BetaGeo | None = None
    orders: GammaGamma | None = None
    figures: dict = field(default_factory=dict)

    @property
    def parameters(self) -> dict:
        """By model and name: {"value", "se"}."""
        models = {"purchases": self.purchases, "orders": self.orders}
        return {name: _parameters(model) for name, model in models.items() if model is not None}


def fit(days: PurchaseDays) -> Fitted:
    """The value models of a workspace, fitted to everything up to today and checked against its last part."""
    summary = in_weeks(summaries_of(days))
    repeating = int((summary["frequency"] > 0).sum())
    counts = {"customers": len(summary), "repeat_customers": repeating}
    if problems := _too_little(len(summary), repeating, days.span):
        return Fitted(UNFIT, problems, **counts)
    purchases, orders = BetaGeo().fit(summary), None
    problems = _not_fitted("purchase model", purchases)
    if not problems:
        orders, problems = _orders(summary)
    if problems:
        return Fitted(UNFIT, problems, **counts)
    checked, problems = _checked(days)
    status = UNCERTAIN if problems else GOOD
    correlation = _correlation(summary)
    figures = checked | {
        "by_frequency": _by_frequency(purchases, summary),
        "summary": {
            "span_weeks": days.span / WEEK,
            "correlation": correlation,
            "log_likelihood": {
                "purchases": purchases.log_likelihood_,
                "orders": orders.log_likelihood_,
            },
        },
    }
    return Fitted(
        status, (*problems, *_remarks(correlation)), **counts,
        purchases=purchases, orders=orders, figures=figures,
    )  # fmt: skip


def _too_little(customers: int, repeating: int, span: int) -> tuple[str, ...]:
    if not customers:
        return ("Nobody has bought anything yet. Import purchases first.",)
    problems = []
    if repeating < FEWEST_REPEATING:
        problems.append(
            f"Only {repeating:,} of {customers:,} customers bought on more than one day. It takes at least "
            f"{FEWEST_REPEATING} to learn how often they come back."
        )
    if span < FEWEST_WEEKS * WEEK:
        problems.append(
            f"The first purchase was {_weeks(span // WEEK)} ago. It takes at least {FEWEST_WEEKS} weeks to "
            "tell customers who are gone from those who pause."
        )
    return tuple(problems)


def _weeks(number: int) -> str:
    return "1 week" if number == 1 else f"{number:,} weeks"


def _not_fitted(name: str, model: BetaGeo | GammaGamma) -> tuple[str, ...]:
    if not model.converged_:
        why = "no best parameters were found"
    elif model.at_bounds_:
        why = "its best parameters lie beyond what it can mean"
    else:
        return ()
    return (
        f"The {name} does not fit these customers: {why}. Nothing is predicted; RFM scores need no model.",
    )


def _orders(summary: pd.DataFrame) -> tuple[GammaGamma | None, tuple[str, ...]]:
    """The order value model of those who came back."""
    known = summary[summary["monetary_value"].notna()]
    if len(known) < FEWEST_REPEATING:
        return None, (
            f"Of only {len(known):,} customers who came back is known what they spent then. It takes at "
            f"least {FEWEST_REPEATING} to learn what orders are worth.",
        )
    orders = GammaGamma().fit(known)
    return orders, _not_fitted("order value model", orders)


def _checked(days: PurchaseDays) -> tuple[dict, tuple[str, ...]]:
    """The figures of the check against the last part of the time, and what is wrong."""
    weeks = min(days.span // (HELD_OUT_SHARE * WEEK), MOST_HELD_OUT_WEEKS)
    cut = days.today - weeks * WEEK
    known = in_weeks(held_out_of(days, cut=cut))
    repeating = int((known["frequency"] > 0).sum())
    if repeating < FEWEST_REPEATING:
        return {}, (
            f"The model could not be checked: before the last {_weeks(weeks)} only {repeating:,} customers "
            f"had come back, and it takes at least {FEWEST_REPEATING} to fit it.",
        )
    model = BetaGeo().fit(known)
    if _not_fitted("", model):
        return {}, (
            f"The model could not be checked: fitted to what was known {_weeks(weeks)} ago, it finds no "
            "parameters that fit.",
        )
    predicted = model.predict(known, weeks)
    actual, expected = float(known["held_out"].sum()), float(predicted["expected_purchases"].sum())
    groups = known["frequency"].clip(upper=MOST_FREQUENT)
    means = (
        pd.DataFrame({"actual": known["held_out"], "expected": predicted["expected_purchases"]})
        .groupby(groups)
        .agg(actual=("actual", "mean"), expected=("expected", "mean"), customers=("actual", "size"))
    )
    figures = {
        "tracking": _tracking(model, days, known, weeks=weeks, cut=cut),
        "holdout": {
            "weeks": weeks,
            "actual": actual,
            "expected": expected,
            "by_frequency": {
                "frequency": _labels(means.index),
                **{name: means[name].tolist() for name in means},
            },
        },
        "churn": calibration(predicted["order_chance"], known["held_out"] > 0).to_dict("records"),
    }
    return figures, _off(weeks, actual, expected)


def _off(weeks: int, actual: float, expected: float) -> tuple[str, ...]:
    if abs(expected - actual) <= TOLERANCE * actual:
        return ()
    found = f"customers came back {actual:,.0f} times where the model expected {expected:,.0f}"
    if not actual:
        return (f"In the last {_weeks(weeks)} {found}. Its figures are not to be relied on.",)
    less = "less" if actual < expected else "more"
    share = 100 * abs(actual - expected) / max(expected, 1e-9)
    return (
        f"In the last {_weeks(weeks)} customers bought {share:,.0f} % {less} often than the model expected: "
        f"they came back {actual:,.0f} times, it expected {expected:,.0f}. Its figures are a rough guide at "
        "best.",
    )


def _remarks(correlation: float) -> tuple[str, ...]:
    if not abs(correlation) >= CORRELATED:
        return ()
    more = "more" if correlation > 0 else "less"
    return (
        f"Customers who buy more often spend {more} on a day (correlation {correlation:.2f}), which the "
        "order value model takes no account of.",
    )


def _tracking(model: BetaGeo, days: PurchaseDays, known: pd.DataFrame, *, weeks: int, cut: int) -> dict:
    weekly = weekly_of(days, cut=cut)
    return {
        "weeks": weekly["week"].tolist(),
        "actual": weekly["repeats"].tolist(),
        "expected": _numbers(model.expected_cumulative(known["T"], weekly["days"] / WEEK)),
        "cut_week": int(weekly["week"].iloc[-1]) - weeks,
    }


def _by_frequency(model: BetaGeo, summary: pd.DataFrame) -> dict:
    found = model.actual_and_expected_by_frequency(summary)
    return {"frequency": _labels(found["frequency"])} | {
        name: _numbers(found[name]) for name in ("actual", "expected")
    }


def _labels(frequencies) -> list[str]:
    """0, 1 … as words, the last one with all above it."""
    return [f"{int(one)}+" if int(one) == MOST_FREQUENT else f"{int(one)}" for one in frequencies]


def _correlation(summary: pd.DataFrame) -> float:
    """Of how often customers came back with what they spent then (Pearson); NaN where one never differs."""
    known = summary[summary["monetary_value"].notna()]
    if known["frequency"].nunique() < 2 or known["monetary_value"].nunique() < 2:
        return float("nan")
    return float(np.corrcoef(known["frequency"], known["monetary_value"])[0, 1])


def _parameters(model: BetaGeo | GammaGamma) -> dict:
    return {
        name: {"value": float(value), "se": float(model.standard_errors_[name])}
        for name, value in model.parameters_.items()
    }


def _numbers(values) -> list[float]:
    return [float(value) for value in values]
