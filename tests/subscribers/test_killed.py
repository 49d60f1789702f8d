"""Relay and subscribers as people run them, killed again and again while events come: one effect each."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ma.db.engine import connect
from ma.events import consumer
from ma.models import CustomerFact, Lead, SalesDeadLetter, SalesSignal
from tests.services.campaign_world import add_customers
from tests.subscribers.bus_world import bought, record

ROOT = Path(__file__).resolve().parent.parent.parent
EVENTS, LOT = 80, 20


class Processes:
    """Commands of `python -m ma` that are started again when they were killed."""

    def __init__(self, url, redis_url):
        self._variables = {**os.environ, "MA_DATABASE_URL": url, "MA_REDIS_URL": redis_url}
        self._running = {}

    def start(self, *command):
        code = (
            "import ma.events.consumer as c, ma.subscribers.loop as l, ma.cli\n"
            "c.Consumer.__init__.__kwdefaults__['claim_after_seconds'] = 0.2\n"
            "l.CLAIM_EVERY_SECONDS = 0.1\n"
            "ma.cli.main()"
        )
        self._running[command] = subprocess.Popen(
            [sys.executable, "-c", code, *command], cwd=ROOT, env=self._variables,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self, *command):
        self._running[command].kill()
        self._running[command].wait()
        self.start(*command)

    def stop(self):
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        return [process.wait(timeout=20) for process in self._running.values()]


def figures(database):
    tables = (SalesSignal, Lead, CustomerFact, SalesDeadLetter)
    with database.reading() as session:
        return tuple(session.scalar(select(func.count()).select_from(table)) for table in tables)


def wait_for(true, *, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_processes_that_are_killed_again_and_again_have_each_effect_once(sqlite_url, redis_server):
    assert consumer.Consumer.__init__.__kwdefaults__ == {"claim_after_seconds": 30.0}
    database = connect(sqlite_url)
    with database.writing() as session:
        add_customers(session, EVENTS)
    running = Processes(sqlite_url, redis_server.url)
    commands = [("relay",), ("subscribe", "sales"), ("subscribe", "ma")]
    victims = [commands[0], commands[1], commands[2], commands[1]]
    for command in commands:
        running.start(*command)
    try:
        for number, first in enumerate(range(1, EVENTS + 1, LOT)):
            record(database, *[bought(i) for i in range(first, first + LOT)])
            # Some lead is there, more are on the way.
            assert wait_for(lambda first=first: figures(database)[1] >= first)
            running.kill(*victims[number])
            if number == 2:
                redis_server.kill()
                redis_server.start()
        arrived = wait_for(lambda: figures(database)[:3] == (EVENTS, EVENTS, EVENTS))
        assert arrived, figures(database)
        assert figures(database)[3] == 0
    finally:
        ended = running.stop()
        database.close()
    # A polite signal lets them finish what they are at; one that was killed last may not hear it yet.
    assert (ended[0], ended[2]) == (0, 0)


@pytest.mark.parametrize("command", [("relay",), ("subscribe", "sales")])
def test_without_redis_it_says_what_to_set(sqlite_url, command):
    variables = {**os.environ, "MA_DATABASE_URL": sqlite_url, "MA_REDIS_URL": ""}
    done = subprocess.run(
        [sys.executable, "-m", "ma", *command], cwd=ROOT, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "MA_REDIS_URL is not set" in done.stderr
