"""Scores as of a model that fits, whatever the data are: where a few customers must stand for many."""

import pandas as pd
from sqlalchemy import select, update

from ma.analytics.value_summaries import summaries
from ma.db import bulk
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.summaries import in_weeks
from ma.intelligence.value import HORIZON_WEEKS, expected_value
from ma.models import CustomerScore, Purchase, ValueModel
from tests.analytics import value_world

PURCHASES = {"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 3.0}
ORDERS = {"p": 6.0, "q": 4.0, "v": 1_500.0}
FIGURES = {
    "tracking": {"weeks": [1, 2, 3], "actual": [0, 4, 9], "expected": [1.0, 4.5, 8.0], "cut_week": 2},
    "by_frequency": {"frequency": ["0", "7+"], "actual": [30, 30], "expected": [32.5, 27.5]},
    "holdout": {
        "weeks": 20, "actual": 100, "expected": 131.0,
        "by_frequency": {"frequency": ["0"], "actual": [0.5], "expected": [0.4], "customers": [10]},
    },
    "churn": [
        {"low": 0.0, "high": 0.2, "predicted": 0.1, "observed": 0.2, "customers": 10, "observed_low": 0.05,
         "observed_high": 0.5}
    ],
    "totals": {"customers": 60, "expected_value_minor": 1e6, "low": 123_400.0, "high": 567_800.0},
}  # fmt: skip


def sell(session, people, *, at):
    """Purchases of the customers 1 to `people` by the models, until `at`."""
    sales = value_world.simulated(people)
    shift = pd.Timestamp(at) - pd.Timestamp(value_world.NOW)
    bulk.insert(session, Purchase.__table__, sales.assign(kind="sale", at=sales["at"] + shift))


def good(session):
    """Make the newest model one that holds, and the scores those that it gives."""
    newest = session.scalar(select(ValueModel).order_by(ValueModel.id.desc()))
    newest.status, newest.problems, newest.figures = "good", [], FIGURES
    newest.parameters = {
        of: {name: {"value": value, "se": value / 10} for name, value in values.items()}
        for of, values in (("purchases", PURCHASES), ("orders", ORDERS))
    }
    known = summaries(session, as_of=newest.as_of)
    models = BetaGeo.of(PURCHASES), GammaGamma.of(ORDERS)
    found = expected_value(*models, in_weeks(known), HORIZON_WEEKS).set_index(known["customer_id"])
    for row in found.itertuples():
        session.execute(
            update(CustomerScore)
            .where(CustomerScore.customer_id == row.Index)
            .values(
                churn_risk=1 - row.p_alive, order_chance=row.order_chance,
                expected_orders=row.expected_purchases, expected_value_minor=round(row.expected_value),
            )
        )  # fmt: skip
