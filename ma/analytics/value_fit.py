"""How well the purchase model fits: its parameters, and what it expected beside what happened.

All of it was worked out when the model was fitted and is stored with it (`ma.services.scoring`); these are
the figures of the newest model. No rows where there is none, or where it could not be fitted.
"""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.value_models import PARAMETERS, value_model
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma

# model, name -> what it says, in the order of the papers.
MEANINGS = {
    (
        "purchases",
        "r",
    ): "Shape of how purchase rates differ between customers: the lower, the more they differ.",
    ("purchases", "alpha"): "Scale of the purchase rates, in weeks: r ÷ alpha is their mean per week.",
    ("purchases", "a"): "With b: the chance to be gone after a purchase, a ÷ (a + b) on average.",
    ("purchases", "b"): "With a: the lower both are, the more customers differ in it.",
    ("orders", "p"): "Shape of how one customer's orders scatter around their own mean.",
    ("orders", "q"): "Shape of how customers' means differ: the lower, the more they differ.",
    ("orders", "v"): "Scale of the order values, in minor units: p × v ÷ (q − 1) is their mean.",
}


def value_parameters(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The parameters of the newest model: model (purchases or orders), parameter, value, standard_error, low
    and high (95 %, symmetric on the scale of logarithms), meaning.

    Time is in weeks, money in minor units. Source: docs/metrics.md#purchase-model
    """
    return parameters_of(value_model(session))


def parameters_of(model: dict | None) -> pd.DataFrame:
    """Columns as in `value_parameters`."""
    stored = (model or {}).get("parameters") or {}
    rows = []
    for (of, name), meaning in MEANINGS.items():
        if found := (stored.get(of) or {}).get(name):
            value, error = _number(found.get("value")), _number(found.get("se"))
            # The delta method: the standard error of a logarithm is the relative one.
            factor = np.exp(1.959963984540054 * error / value) if value > 0 else np.nan
            rows.append((of, name, value, error, value / factor, value * factor, meaning))
    columns = ["model", "parameter", "value", "standard_error", "low", "high", "meaning"]
    return pd.DataFrame(rows, columns=columns)


def restored(model: dict | None) -> tuple[BetaGeo, GammaGamma] | None:
    """The two fitted models of a stored fit, ready to predict; None where nothing could be fitted."""
    stored = (model or {}).get("parameters") or {}
    if any(name not in stored.get(of, {}) for of, names in PARAMETERS.items() for name in names):
        return None
    values = {of: {name: stored[of][name]["value"] for name in names} for of, names in PARAMETERS.items()}
    return BetaGeo.of(values["purchases"]), GammaGamma.of(values["orders"])


def value_tracking(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Repeat purchase days by week since the first purchase of all, added up: actual and expected.

    week, actual, expected, held_out (whether the week lies after the cut: what the model, fitted on the weeks
    before, had not seen).
    """
    return tracking_of(value_model(session))


def tracking_of(model: dict | None) -> pd.DataFrame:
    """Columns as in `value_tracking`."""
    stored = _figures(model, "tracking")
    found = pd.DataFrame(
        {name: stored.get(key, []) for name, key in (("week", "weeks"), ("actual", "actual"))}
        | {"expected": pd.Series(stored.get("expected", []), dtype=float)}
    )
    return found.assign(held_out=found["week"] > (stored.get("cut_week") or np.inf))


def value_by_frequency(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Customers by how many repeat purchase days they have so far: frequency ("7+" is the last), actual,
    expected (how many the fitted model expects in each group)."""
    return by_frequency_of(value_model(session))


def by_frequency_of(model: dict | None) -> pd.DataFrame:
    """Columns as in `value_by_frequency`."""
    stored = _figures(model, "by_frequency")
    return pd.DataFrame(
        {
            "frequency": pd.Series(stored.get("frequency", []), dtype="str"),
            "actual": pd.Series(stored.get("actual", []), dtype=float),
            "expected": pd.Series(stored.get("expected", []), dtype=float),
        }
    )


def value_holdout(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Repeat purchase days per customer in the weeks held out, by how many they had before.

    frequency ("7+" is the last), customers, actual and expected (both means per customer).
    """
    return holdout_of(value_model(session))


def holdout_of(model: dict | None) -> pd.DataFrame:
    """Columns as in `value_holdout`."""
    stored = _figures(model, "holdout").get("by_frequency") or {}
    return pd.DataFrame(
        {
            "frequency": pd.Series(stored.get("frequency", []), dtype="str"),
            "customers": pd.Series(stored.get("customers", []), dtype="int64"),
            "actual": pd.Series(stored.get("actual", []), dtype=float),
            "expected": pd.Series(stored.get("expected", []), dtype=float),
        }
    )


def value_churn_calibration(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The chance to buy in the weeks held out, predicted and observed, in tenths of the customers.

    low and high (of the predictions in the group), predicted (their mean), observed (the share that bought),
    customers, observed_low and observed_high (95 %, Wilson 1927).
    """
    return churn_of(value_model(session))


def churn_of(model: dict | None) -> pd.DataFrame:
    """Columns as in `value_churn_calibration`."""
    columns = ["low", "high", "predicted", "observed", "customers", "observed_low", "observed_high"]
    rows = ((model or {}).get("figures") or {}).get("churn") or []
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns, float) | {"customers": "int64"})


def held_out(model: dict | None) -> dict:
    """The check in three numbers: weeks, actual and expected repeat purchase days; {} without one."""
    stored = _figures(model, "holdout")
    return {name: stored[name] for name in ("weeks", "actual", "expected") if stored.get(name) is not None}


def _figures(model: dict | None, name: str) -> dict:
    return ((model or {}).get("figures") or {}).get(name) or {}


def _number(value: object) -> float:
    return float("nan") if value is None else float(value)
