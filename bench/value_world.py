"""A big shop whose customers buy as the BG/NBD and gamma-gamma models say, and how long scoring it takes."""

import time

import numpy as np
import pandas as pd

from bench.customer_world import NOW, vacuumed
from ma.db import bulk, migrate
from ma.db.engine import Database
from ma.models import Customer, Purchase
from ma.services import scoring
from ma.services.customers import split_bucket
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

WEEKS = 104
_PART = 500_000


def purchases(customers: int, *, weeks: float = WEEKS, seed: int = 1) -> pd.DataFrame:
    """About five purchases for each customer, by the models; everybody began within the weeks before NOW."""
    chance = np.random.default_rng(seed)
    began = chance.uniform(0, weeks, customers)
    rate = chance.gamma(0.8, 1 / 6.0, customers)
    leaves = chance.beta(0.7, 4.0, customers)
    scale = 1 / chance.gamma(4.0, 1 / 1_500.0, customers)
    owner, ago, rounds = np.arange(customers), began, []
    while len(owner):
        rounds.append((owner, ago))
        # The first purchase is no chance to leave.
        stay = np.ones(len(owner), bool) if len(rounds) == 1 else chance.random(len(owner)) >= leaves[owner]
        owner, ago = owner[stay], ago[stay] - chance.exponential(1 / rate[owner[stay]])
        owner, ago = owner[ago > 0], ago[ago > 0]
    owner, ago = (np.concatenate(part) for part in zip(*rounds, strict=True))
    order = np.argsort(-ago, kind="stable")
    owner, ago = owner[order], ago[order]
    amount = np.maximum(np.rint(chance.gamma(6.0, 1, len(owner)) * scale[owner]), 1).astype("int64")
    at = pd.Timestamp(NOW) - pd.to_timedelta((ago * 7 * 86_400).astype("int64"), unit="s")
    columns = {"customer_id": owner + 1, "at": pd.Series(at).dt.as_unit("us"), "amount_minor": amount}
    return pd.DataFrame(columns)


def load(database: Database, customers: int) -> int:
    """An empty database filled with so many customers and what they bought; how many purchases."""
    migrate.upgrade(database)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Bench", timezone="Europe/Berlin", currency="EUR", at=NOW)
    ids, long_ago = np.arange(1, customers + 1), pd.Timestamp(NOW) - pd.Timedelta(days=900)
    people = pd.DataFrame({"id": ids, "external_id": [f"C{i}" for i in ids]}).assign(
        search_text="",
        split_bucket=split_bucket(ids),
        orders=0,
        spend_minor=0,
        visits=0,
        created_at=long_ago,
        updated_at=long_ago,
        version=1,
        **{f"consent_{channel}": True for channel in Channel},
    )
    bought = purchases(customers).assign(kind="sale")
    for table, frame in ((Customer.__table__, people), (Purchase.__table__, bought)):
        for first in range(0, len(frame), _PART):
            with database.writing() as session:
                bulk.insert(session, table, frame.iloc[first : first + _PART])
    vacuumed(database)
    return len(bought)


def scoring_seconds(database: Database) -> dict[str, float]:
    """Seconds of each part of a scoring, by what it says it does."""
    began: list[tuple[float, str]] = []
    scoring.score_customers(
        database, SYSTEM, at=NOW, progress=lambda _share, words: began.append((time.perf_counter(), words))
    )
    ends = [at for at, _ in began[1:]] + [time.perf_counter()]
    return {words: end - at for (at, words), end in zip(began, ends, strict=True)}
