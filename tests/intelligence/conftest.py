"""The data of the papers, and both models fitted to them."""

from importlib.metadata import distribution

import pandas as pd
import pytest

from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma

_DATA = distribution("lifetimes").locate_file("lifetimes/datasets")


@pytest.fixture(scope="session")
def cdnow():
    """CDNOW: 2,357 customers over 39 weeks, in weeks, with the mean amount of repeat purchases in dollars."""
    frame = pd.read_csv(_DATA / "cdnow_customers_summary_with_transactions.csv")
    return frame.rename(columns={"x": "frequency", "t_x": "recency", "zbar": "monetary_value"})


@pytest.fixture(scope="session")
def cdnow_days():
    """Each day on which a CDNOW customer bought over 78 weeks: id, day (1: 1 January 1997)."""
    names = ["master", "id", "date", "discs", "spent"]
    rows = pd.read_csv(_DATA / "CDNOW_sample.txt", sep=r"\s+", header=None, names=names)
    day = (pd.to_datetime(rows["date"].astype(str)) - pd.Timestamp("1996-12-31")).dt.days
    return rows.assign(day=day)[["id", "day"]].drop_duplicates()


@pytest.fixture(scope="session")
def purchases(cdnow):
    return BetaGeo().fit(cdnow)


@pytest.fixture(scope="session")
def orders(cdnow):
    return GammaGamma().fit(cdnow)
