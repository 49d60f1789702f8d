"""What the value models say about each customer, as it was last worked out."""

from datetime import datetime

import pandas as pd
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ma.analytics.customers import timed
from ma.analytics.frames import read
from ma.models import Customer, CustomerScore, ValueModel

_NAME = func.trim(func.coalesce(Customer.first_name, "") + " " + func.coalesce(Customer.last_name, ""))
# The scores in the order in which they are told.
SCORES = (
    "rfm_segment", "recency_score", "frequency_score", "monetary_score", "churn_risk", "order_chance",
    "expected_orders", "expected_value_minor", "next_channel", "next_offer", "next_profit_minor",
)  # fmt: skip
_WHOLE = ("recency_score", "frequency_score", "monetary_score", "expected_value_minor")
_FLOATS = ("churn_risk", "order_chance", "expected_orders", "next_profit_minor")
_TEXTS = ("rfm_segment", "next_channel", "next_offer")


def customer_scores(
    session: Session,
    *,
    as_of: datetime,
    rfm_segment: str = "",
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """The scores of every customer who is not deleted, the highest expected value first, unknown ones last.

    customer_id, external_id, name, email, the names of SCORES (money in minor units, chances 0-1, over the
    next 365 days from scored_at; unknown is NA), scored_at, model_version, model_status ("good", "uncertain",
    "unfit"). `rfm_segment`: only the customers of one. They are those of the last scoring; nothing where that
    was after `as_of`.
    Source: docs/metrics.md#scores
    """
    rows = (
        _scores(Customer.id.label("customer_id"), Customer.external_id, _NAME.label("name"), Customer.email)
        .join(Customer, Customer.id == CustomerScore.customer_id)
        .where(Customer.deleted_at.is_(None), CustomerScore.scored_at <= as_of)
        # Unknown ones last on every engine.
        .order_by(
            CustomerScore.expected_value_minor.is_(None),
            CustomerScore.expected_value_minor.desc(),
            CustomerScore.customer_id,
        )
        .limit(limit)
        .offset(offset)
    )
    if rfm_segment:
        rows = rows.where(CustomerScore.rfm_segment == rfm_segment)
    return _typed(read(session, rows))


def score_of(session: Session, customer_id: int) -> dict | None:
    """The scores of one customer, by the names of SCORES, with scored_at, model_version and model_status.

    What is unknown is None; None where the customer was not scored yet.
    """
    rows = _scores().where(CustomerScore.customer_id == customer_id)
    found = session.execute(rows).mappings().one_or_none()
    return None if found is None else dict(found)


def scores_held(session: Session, customer_ids: list[int]) -> list[dict]:
    """The scores held on some customers, as in `score_of`, also of those who are hidden."""
    rows = _scores().where(CustomerScore.customer_id.in_(customer_ids)).order_by(CustomerScore.customer_id)
    return [dict(row) for row in session.execute(rows).mappings()]


def _scores(*first) -> Select:
    return (
        select(
            *first,
            *(getattr(CustomerScore, name) for name in SCORES),
            CustomerScore.scored_at,
            CustomerScore.model_id.label("model_version"),
            ValueModel.status.label("model_status"),
        )
        .select_from(CustomerScore)
        .join(ValueModel, ValueModel.id == CustomerScore.model_id)
    )


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The types that the columns have also where nothing is known."""
    types = dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_FLOATS, "float64")
    texts = dict.fromkeys((*_TEXTS, "external_id", "name", "email", "model_status"), "str")
    whole = {"customer_id": "int64", "model_version": "int64"}
    return timed(frame.astype(types | texts | whole), "scored_at")
