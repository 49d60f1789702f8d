"""Shops whose customers buy as the BG/NBD and gamma-gamma models say, or as written down by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from ma.db import bulk
from ma.models import Customer, Purchase
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

ZONE = "America/New_York"
NOW = datetime(2026, 3, 20, 14, tzinfo=UTC)
# Parameters per week, and of amounts in minor units.
TRUE = {"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 3.0, "p": 6.0, "q": 4.0, "v": 1_500.0}


def build(session, people, *, deleted=()):
    """A workspace with so many customers, of whom some were deleted."""
    create_workspace(
        session, SYSTEM, name="Shop", timezone=ZONE, currency="USD", at=NOW - timedelta(days=900)
    )
    ids = np.arange(1, people + 1)
    long_ago = pd.Timestamp(NOW - timedelta(days=900))
    frame = pd.DataFrame({"id": ids, "external_id": [f"C{i}" for i in ids]}).assign(
        first_name="Ada",
        last_name=[f"Number {i}" for i in ids],
        search_text="",
        split_bucket=ids % 10_000,
        orders=0,
        spend_minor=0,
        visits=0,
        created_at=long_ago,
        updated_at=long_ago,
        version=1,
        deleted_at=pd.Series([NOW if i in deleted else None for i in ids], dtype="datetime64[us, UTC]"),
        **{f"consent_{channel}": False for channel in ("email", "sms", "push", "direct_mail", "ads")},
    )
    bulk.insert(session, Customer.__table__, frame)


def sell(session, frame):
    """Write purchases: columns customer_id, at, amount_minor and perhaps kind."""
    usual = {"kind": "sale"} if "kind" not in frame else {}
    bulk.insert(session, Purchase.__table__, frame.assign(**usual).reset_index(drop=True))


def simulated(people, *, weeks=80, seed=1, stop=None):
    """Purchases of customers who began over the first half of the time, bought by the model until NOW.

    `stop`: from so many weeks ago on, nine repeat purchases in ten do not happen.
    """
    chance = np.random.default_rng(seed)
    began = np.sort(chance.uniform(weeks / 2, weeks, people))
    rate = chance.gamma(TRUE["r"], 1 / TRUE["alpha"], people)
    leaves = chance.beta(TRUE["a"], TRUE["b"], people)
    scale = 1 / chance.gamma(TRUE["q"], 1 / TRUE["v"], people)
    rows, owner, ago = [], np.arange(people), began
    first = True
    while len(owner):
        rows.append((owner, ago))
        stay = np.ones(len(owner), dtype=bool) if first else chance.random(len(owner)) >= leaves[owner]
        owner, ago, first = owner[stay], ago[stay], False
        ago = ago - chance.exponential(1 / rate[owner])
        owner, ago = owner[ago > 0], ago[ago > 0]
    owner, ago = (np.concatenate(part) for part in zip(*rows, strict=True))
    if stop is not None:
        kept = (ago > stop) | (ago == began[owner]) | (chance.random(len(ago)) < 0.1)
        owner, ago = owner[kept], ago[kept]
    amount = np.maximum(np.rint(chance.gamma(TRUE["p"], 1, len(owner)) * scale[owner]), 1).astype("int64")
    at = pd.Timestamp(NOW) - pd.to_timedelta((ago * 7 * 86_400).astype("int64"), unit="s")
    return pd.DataFrame(
        {"customer_id": owner + 1, "at": pd.Series(at).dt.as_unit("us"), "amount_minor": amount}
    )
