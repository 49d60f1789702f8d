"""How long a launch takes, end to end on SQLite, and what a bare insert of the same rows takes.

    python bench/launch.py [--recipients 1000000]

Each part runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


def build(path: str, recipients: int) -> dict:
    """A database with that many customers who agreed to e-mail, a segment of all and a draft to it."""
    from ma.db import bulk, migrate
    from ma.db.engine import connect
    from ma.models import Customer
    from ma.services.campaigns import create_campaign
    from ma.services.segments import create_segment
    from ma.services.workspace import create_workspace
    from ma.types import SYSTEM, Channel

    rng = np.random.default_rng(1)
    database = connect(f"sqlite:///{path}")
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


def launch(path: str, recipients: int) -> dict:
    """The launch itself, and how long each part of it took."""
    from ma.db.engine import connect
    from ma.services.launches import launch_campaign
    from ma.types import SYSTEM

    database, marks = connect(f"sqlite:///{path}"), []
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


def bare(path: str, recipients: int) -> dict:
    """One executemany of the rows the launch wrote, into an empty table with the same keys and indexes."""
    source = sqlite3.connect(path)
    schema = source.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'outcome' AND sql IS NOT NULL ORDER BY type DESC"
    ).fetchall()
    rows = source.execute("SELECT * FROM outcome ORDER BY customer_id").fetchall()
    target = sqlite3.connect(path + ".bare", isolation_level=None)
    target.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536")
    for (sql,) in schema:
        target.execute(sql)
    marks = ", ".join("?" * len(rows[0]))
    start = time.perf_counter()
    target.execute("BEGIN IMMEDIATE")
    target.executemany(f"INSERT INTO outcome VALUES ({marks})", rows)
    target.execute("COMMIT")
    return {"seconds": time.perf_counter() - start, "rows": len(rows)}


def simulation(path: str, recipients: int) -> dict:
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


def measured(connection, part, path: str, recipients: int) -> None:
    result = part(path, recipients)
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    connection.send(result)


def alone(part, path: str, recipients: int) -> dict:
    """Run one part in a fresh process and return what it measured."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measured, args=(there, part, path, recipients))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipients", type=int, default=1_000_000)
    recipients = parser.parse_args().recipients
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "bench.db")
        alone(build, path, recipients)
        launched = alone(launch, path, recipients)
        inserted = alone(bare, path, recipients)
    simulated = alone(simulation, "", recipients)
    print(f"launch, {recipients:,} recipients: {launched['seconds']:.1f} s", end="")
    print(f" ({recipients / launched['seconds']:,.0f} per second), peak {launched['peak_mib']:,.0f} MiB")
    for words, seconds in launched["parts"].items():
        print(f"  {seconds:5.1f} s  {words}")
    print(f"bare executemany of the same {inserted['rows']:,} rows: {inserted['seconds']:.1f} s; ", end="")
    print(f"the launch takes {launched['seconds'] / inserted['seconds']:.2f} x that")
    for channel, seconds in simulated["seconds"].items():
        print(f"simulation alone, {channel}: {recipients / seconds:,.0f} recipients per second")


if __name__ == "__main__":
    main()
