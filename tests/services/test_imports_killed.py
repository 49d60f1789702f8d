"""An import that is killed, or fails half way, never happened."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ma.db.engine import connect
from ma.models import Audit, Customer, ImportMapping, ImportRun, OutboxEvent, Purchase, PurchaseLine
from tests.services.import_world import bring_in, carry_out, counted, dry_run, set_up

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = (Customer, Purchase, PurchaseLine, ImportRun, ImportMapping, OutboxEvent, Audit)
CHILD = """
    import sys
    from ma.db.engine import connect
    from tests.services.import_world import carry_out, dry_run
    from tests.services.test_imports_killed import lines

    database, steps = connect(sys.argv[1]), []

    def wait(share, words):
        steps.append(words)
        if len(steps) == int(sys.argv[2]):
            print(words, flush=True)
            sys.stdin.read()

    plan = dry_run(database, "purchases", lines(), "order_key", create_missing=True)
    carry_out(database, plan, progress=wait)
"""


def lines() -> dict[str, list]:
    return {
        "order_key": [str(i // 3) for i in range(60)],
        "at": ["2026-01-05 10:00"] * 60,
        "external_id": [f"C{i // 6}" for i in range(60)],
        "amount": ["2.50"] * 60,
    }


def rows(database) -> list[int]:
    with database.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in TABLES]


def test_an_import_killed_at_any_step_leaves_nothing_behind(sqlite_url):
    database = connect(sqlite_url)
    set_up(database)
    before = rows(database)
    words = []
    for step in (2, 5):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), sqlite_url, str(step)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        words.append(child.stdout.readline().strip())
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert rows(database) == before
    assert len(set(words)) == 2
    assert all(words)
    done = bring_in(database, "purchases", lines(), "order_key", create_missing=True)
    assert done.counts["new"] == 60
    database.close()


def test_an_import_that_fails_half_way_leaves_nothing_behind(postgres_url):
    database = connect(postgres_url)
    set_up(database)
    before = rows(database)
    plan = dry_run(database, "purchases", lines(), "order_key", create_missing=True)
    steps = []

    def fail(share, words):
        steps.append(words)
        if words.startswith("Working out"):
            raise OSError("the machine is gone")

    with pytest.raises(OSError, match="gone"):
        carry_out(database, plan, progress=fail)
    assert len(steps) > 3
    assert rows(database) == before
    carry_out(database, plan)
    assert counted(dry_run(database, "purchases", lines(), "order_key")) == (0, 0, 60, 0)
    database.close()
