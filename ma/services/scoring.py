"""Scoring customers: the value models are fitted anew, and what they say about each customer is stored.

Reading, fitting and predicting happen before anything is written. Then one transaction adds the fit to the
history and replaces all scores: there are never those of two fits side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

import numpy as np
import pandas as pd
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from ma.analytics.value_summaries import purchase_days, summaries_of
from ma.db import bulk
from ma.db.emptying import empty
from ma.db.engine import Database
from ma.db.filling import filling
from ma.db.whole_numbers import column
from ma.errors import Conflict
from ma.events import outbox
from ma.events.messages import CustomersScored
from ma.intelligence.rfm import rfm
from ma.intelligence.summaries import in_weeks
from ma.intelligence.value import HORIZON_WEEKS, expected_value, total_interval
from ma.models import Customer, CustomerScore, ValueModel
from ma.rules.to_sql import present
from ma.services import next_actions, value_fitting
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.segment_rows import one_at_a_time
from ma.services.value_fitting import Fitted
from ma.types import Actor, Permission

# So many fits are kept.
KEPT = 20
MODEL, SCORE = ValueModel.__table__, CustomerScore.__table__
_RFM = ("recency_score", "frequency_score", "monetary_score", "rfm_segment")
_PREDICTED = ("churn_risk", "expected_orders", "order_chance", "expected_value_minor")
_NEXT = ("next_channel", "next_offer", "next_profit_minor")
_WHOLE = ("recency_score", "frequency_score", "monetary_score", "expected_value_minor")

Progress = Callable[[float, str], object]


@dataclass(frozen=True, eq=False)
class Scores:
    """What a scoring found and has not stored yet.

    `rows`: a row for each customer who is not deleted, with the columns of the table of scores. `after`: the
    newest fit when it began; `began`: what `perf_counter` said then.
    """

    fitted: Fitted
    rows: pd.DataFrame
    figures: dict
    at: datetime
    after: int | None
    began: float


def score_customers(
    database: Database, actor: Actor, *, at: datetime, progress: Progress = lambda _share, _words: None
) -> int:
    """Fit the value models to everything up to `at` and store what they say about each customer; how many.

    Raises NotAllowed, and Conflict when somebody else finished a scoring meanwhile: theirs stands.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    with database.reading() as session:
        found = scores(session, at=at, progress=progress)
    progress(0.7, "Storing the scores")
    with database.writing() as session:
        return store(session, actor, found)


def scores(session: Session, *, at: datetime, progress: Progress = lambda _share, _words: None) -> Scores:
    """What `score_customers` stores, without storing it."""
    began = perf_counter()
    progress(0.0, "Reading what customers bought")
    after = session.scalar(select(func.max(MODEL.c.id)))
    days = purchase_days(session, as_of=at)
    summary = summaries_of(days)
    progress(0.2, "Fitting the models")
    fitted = value_fitting.fit(days)
    progress(0.4, "Predicting for each customer")
    predicted, totals = _predicted(fitted, summary)
    known = pd.concat([_rfm(summary), predicted], axis=1)
    progress(0.5, "Choosing what to send next")
    customers = np.sort(column(session, select(Customer.id).where(present())))
    best = next_actions.best(session, at=at).set_index("customer_id")[list(_NEXT)]
    rows = known.reindex(customers).join(best).rename_axis("customer_id").reset_index()
    rows = rows.astype(dict.fromkeys(_WHOLE, "Int64"))
    return Scores(fitted, rows, fitted.figures | totals, at, after, began)


def store(session: Session, actor: Actor, found: Scores) -> int:
    """Add a fit to the history and replace all scores by its own, in the caller's transaction; how many.

    Raises NotAllowed, and Conflict when another fit was stored since this one began.
    """
    require(actor, Permission.EDIT_CUSTOMERS)
    # Held until the transaction ends: nobody else writes scores, and no customer's row is removed.
    one_at_a_time(session)
    if session.scalar(select(func.max(MODEL.c.id))) != found.after:
        raise Conflict(
            "Somebody else has just scored the customers. Their scores stand and nothing of yours was "
            "written: reload to see them."
        )
    empty(session, SCORE)
    newest = select(MODEL.c.id).order_by(MODEL.c.id.desc()).limit(KEPT - 1).subquery()
    session.execute(delete(MODEL).where(MODEL.c.id.not_in(select(newest.c.id))))
    model_id = session.execute(insert(MODEL).values(**_model(found, actor))).inserted_primary_key[0]
    # Whoever was deleted meanwhile gets none; nobody new, of whom nothing was worked out.
    here = column(session, select(Customer.id).where(present()))
    rows = found.rows[found.rows["customer_id"].isin(here)]
    with filling(session, SCORE, len(rows)):
        bulk.insert(session, SCORE, rows.assign(model_id=model_id, scored_at=found.at))
    session.execute(update(MODEL).where(MODEL.c.id == model_id).values(duration_ms=_since(found.began)))
    audit(
        session, actor, "score", "customer", at=found.at,
        model=model_id, customers=len(rows), status=found.fitted.status,
    )  # fmt: skip
    outbox.record(session, CustomersScored(model_id=model_id, customers=len(rows)), at=found.at)
    return len(rows)


def _model(found: Scores, actor: Actor) -> dict:
    fitted = found.fitted
    return {
        "as_of": found.at,
        "status": fitted.status,
        "problems": list(fitted.problems),
        "customers": fitted.customers,
        "repeat_customers": fitted.repeat_customers,
        "parameters": _storable(fitted.parameters),
        "figures": _storable(found.figures),
        "duration_ms": _since(found.began),
        "created_by": actor.username,
    }


def _since(began: float) -> int:
    return round((perf_counter() - began) * 1000)


def _storable(value):
    """A document without what JSON has no word for: unknown is null."""
    if isinstance(value, dict):
        return {key: _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _rfm(summary: pd.DataFrame) -> pd.DataFrame:
    known = summary[["customer_id", "days_since_last_order", "orders", "spend_minor"]]
    return rfm(known).set_index(pd.Index(summary["customer_id"]))[list(_RFM)]


def _predicted(fitted: Fitted, summary: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """What the models expect of each customer who bought, by customer_id, and of all together."""
    by_customer = pd.Index(summary["customer_id"])
    if fitted.purchases is None:
        return pd.DataFrame(np.nan, index=by_customer, columns=list(_PREDICTED)), {}
    known = in_weeks(summary)
    expected = expected_value(fitted.purchases, fitted.orders, known, HORIZON_WEEKS)
    found = pd.DataFrame(
        {
            "churn_risk": 1 - expected["p_alive"],
            "expected_orders": expected["expected_purchases"],
            "order_chance": expected["order_chance"],
            "expected_value_minor": np.rint(expected["expected_value"]),
        }
    )
    return found.set_index(by_customer), {"totals": _totals(fitted, known)}


def _totals(fitted: Fitted, known: pd.DataFrame) -> dict:
    together = total_interval(fitted.purchases, fitted.orders, known, HORIZON_WEEKS)
    return {
        "customers": len(known),
        "expected_value_minor": together["value"],
        "low": together["value_low"],
        "high": together["value_high"],
        "expected_orders": together["orders"],
        "orders_low": together["orders_low"],
        "orders_high": together["orders_high"],
    }
