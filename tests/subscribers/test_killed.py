"""Relay and subscriber as people run them, killed again and again while events come: one effect each."""

import os
import signal
import subprocess
import sys
import time

from sqlalchemy import func, select

from ma.db.engine import connect
from ma.events.consumer import Consumer
from ma.models import Lead, SalesDeadLetter, SalesOutbox, SalesSignal
from ma.settings import ROOT
from tests.subscribers.bus_world import bought, record

EVENTS, LOT = 60, 20
RELAY, SALES = ("relay",), ("subscribe", "sales")
# As `python -m ma` is, but that nobody waits long for what a dead one left behind, or for a dead Redis.
MAIN = """
from datetime import timedelta
import ma.cli, ma.events.consumer, ma.events.housekeeping, ma.events.relay, ma.subscribers.loop
ma.events.housekeeping.EVERY = timedelta(seconds=0.3)
ma.events.relay.RETRY_SECONDS = ma.subscribers.loop.RETRY_SECONDS = 0.2
ma.events.consumer.Consumer.__init__.__kwdefaults__["claim_after_seconds"] = 0.2
ma.subscribers.loop.CLAIM_EVERY_SECONDS = 0.1
ma.cli.main()
"""


class Processes:
    """Commands of `python -m ma` that are started again when they were killed."""

    def __init__(self, url, redis_url):
        self._variables = {**os.environ, "MA_DATABASE_URL": url, "MA_REDIS_URL": redis_url}
        self._running = {}

    def start(self, command):
        self._running[command] = subprocess.Popen(
            [sys.executable, "-c", MAIN, *command], cwd=ROOT, env=self._variables,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self, command):
        self._running[command].kill()
        self._running[command].wait()
        self.start(command)

    def stop(self):
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        return {command: process.wait(timeout=20) for command, process in self._running.items()}


def figures(database):
    tables = (SalesSignal, Lead, SalesOutbox, SalesDeadLetter)
    with database.reading() as session:
        return tuple(session.scalar(select(func.count()).select_from(table)) for table in tables)


def wait_for(true, *, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_processes_that_are_killed_again_and_again_have_each_effect_once(sqlite_url, redis_server):
    assert Consumer.__init__.__kwdefaults__ == {"claim_after_seconds": 30.0}
    database = connect(sqlite_url)
    running = Processes(sqlite_url, redis_server.url)
    for command in (RELAY, SALES):
        running.start(command)
    try:
        for victim, first in zip((RELAY, SALES, SALES), range(1, EVENTS + 1, LOT), strict=True):
            for i in range(first, first + LOT):
                record(database, bought(i))
            # Some of them are there, others on their way.
            assert wait_for(lambda first=first: figures(database)[1] >= first)
            running.kill(victim)
            if first == 1 + LOT:
                redis_server.kill()
                redis_server.start()
        arrived = wait_for(lambda: figures(database)[:2] == (EVENTS, EVENTS))
        assert arrived, figures(database)
        with database.reading() as session:
            payloads = session.scalars(select(SalesOutbox.payload)).all()
        assert sorted(lead["customer_id"] for p in payloads for lead in p["leads"]) == list(
            range(1, EVENTS + 1)
        )
        assert figures(database)[3] == 0
    finally:
        ended = running.stop()
        database.close()
    # A polite signal lets it finish what it is at. The one that was killed last may not hear it yet.
    assert ended[RELAY] == 0
