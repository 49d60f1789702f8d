"""What the value screens read, kept until something changes."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from ma.analytics import value_overview, value_what_if
from ma.analytics.value_models import value_model
from ma.money import unit
from ui.kept import kept
from ui.session import reading


@dataclass(frozen=True)
class Base:
    """The figures of all customers: one row, bands of value, how it is concentrated."""

    overview: pd.DataFrame
    distribution: pd.DataFrame
    concentration: pd.DataFrame


def newest() -> dict | None:
    """The newest fit of the value models; None where there is none yet."""
    with reading() as session:
        return value_model(session)


def base(model: dict, currency: str, as_of: datetime) -> Base:
    """The figures of all customers by the scores of the newest fit."""

    def work() -> Base:
        with reading() as session:
            overview = value_overview.value_overview(session, as_of=as_of)
            values = value_overview.customer_values(session, as_of=as_of)
        return Base(
            overview,
            value_overview.distribution_of(values, whole=unit(currency)),
            value_overview.concentration_of(values),
        )

    return kept(("value-base", model["id"]), as_of, work, words="Adding up what is expected …").value


def rfm(model: dict, as_of: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The RFM grid and the named segments."""

    def work() -> tuple[pd.DataFrame, pd.DataFrame]:
        with reading() as session:
            return (
                value_overview.rfm_grid(session, as_of=as_of),
                value_overview.rfm_segments(session, as_of=as_of),
            )

    return kept(("value-rfm", model["id"]), as_of, work, words="Counting segments …").value


def what_if(model: dict, fewer_lost: int, larger_orders: int, as_of: datetime) -> pd.DataFrame:
    """What changes; the customers are read once for all changes."""

    def read() -> pd.DataFrame:
        with reading() as session:
            return value_what_if.customers_of(session, model)

    customers = kept(("value-customers", model["id"]), as_of, read, words="Reading what customers bought …")
    return value_what_if.changed_of(model, customers.value, fewer_lost, larger_orders)
