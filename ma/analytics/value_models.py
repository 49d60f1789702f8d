"""The fits of the value models: the newest one, and how they changed."""

from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.models import ValueModel

# How far a fit is to be trusted: see docs/metrics.md#scores.
GOOD, UNCERTAIN, UNFIT = "good", "uncertain", "unfit"
# What is fitted, by model, in the order in which it is shown.
PARAMETERS = {"purchases": ("r", "alpha", "a", "b"), "orders": ("p", "q", "v")}
_MODEL = ValueModel.__table__
_TEXTS = ("status", "problems", "created_by")
_WHOLE = {"model_version": "int64", "customers": "int64", "repeat_customers": "int64", "duration_ms": "int64"}


def value_model(session: Session) -> dict | None:
    """The newest fit, whose scores are stored; None where there is none yet.

    id (the model's version), as_of, status ("good", "uncertain", "unfit"), problems (sentences), customers,
    repeat_customers, parameters and figures (see `ma.services.value_fitting`), duration_ms, created_by.
    """
    row = session.execute(select(_MODEL).order_by(_MODEL.c.id.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else dict(row)


def value_models(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The last fits of the value models up to `as_of`, the newest first.

    One row each: model_version, fitted_at, status, problems (one text), customers, repeat_customers, the
    parameters (r, alpha, a, b in weeks; p, q, v in minor units) each with its standard error (…_se),
    holdout_weeks, holdout_actual and holdout_expected (repeat purchases of that time), expected_value_minor
    (of all customers, over 365 days), duration_ms, created_by. Unknown is NaN.
    Source: docs/metrics.md#scores
    """
    fits = session.execute(
        select(_MODEL).where(_MODEL.c.as_of <= as_of).order_by(_MODEL.c.id.desc())
    ).mappings()
    rows = [_row(fit) for fit in fits]
    frame = pd.DataFrame(rows, columns=list(_row(None)))
    numbers = [name for name in frame if name not in (*_WHOLE, *_TEXTS, "fitted_at")]
    frame["fitted_at"] = pd.to_datetime(frame["fitted_at"], utc=True).dt.as_unit("us")
    return frame.astype(_WHOLE | dict.fromkeys(numbers, "float64") | dict.fromkeys(_TEXTS, "str"))


def _row(fit) -> dict:
    """One fit as a row; of None only the names are of use."""
    fit = fit or {"parameters": {}, "figures": {}, "problems": ()}
    row = {"model_version": fit.get("id"), "fitted_at": fit.get("as_of"), "status": fit.get("status")}
    row |= {"problems": " ".join(fit["problems"])}
    row |= {name: fit.get(name) for name in ("customers", "repeat_customers")}
    for model, names in PARAMETERS.items():
        for name in names:
            found = (fit["parameters"].get(model) or {}).get(name) or {}
            row |= {name: found.get("value"), f"{name}_se": found.get("se")}
    held_out = fit["figures"].get("holdout") or {}
    row |= {f"holdout_{name}": held_out.get(name) for name in ("weeks", "actual", "expected")}
    row["expected_value_minor"] = (fit["figures"].get("totals") or {}).get("expected_value_minor")
    return row | {name: fit.get(name) for name in ("duration_ms", "created_by")}
