"""A lock that one holds at a time, in any process, and that ends with whoever holds it."""

import subprocess
import sys
import threading

import pytest

from ma.db.locks import alone
from ma.settings import ROOT

HOLD = """
import sys, time
from ma.db.engine import connect
from ma.db.locks import alone
with alone(connect(sys.argv[1]), "relay") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_one_at_a_time_and_then_the_next(database):
    with alone(database, "relay") as mine, alone(database, "relay") as another, alone(database, "x") as other:
        assert (mine, another, other) == (True, False, True)
    with alone(database, "relay") as again:
        assert again


def test_threads_of_one_process_exclude_each_other_too(database):
    found = []

    def ask():
        with alone(database, "relay") as mine:
            found.append(mine)

    with alone(database, "relay"):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert found == [False]


def test_an_error_inside_lets_go(database):
    with pytest.raises(ZeroDivisionError), alone(database, "relay"):
        raise ZeroDivisionError
    with alone(database, "relay") as mine:
        assert mine


def test_a_killed_process_lets_go_at_once(database):
    url = database.engine.url.render_as_string(hide_password=False)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "True\n"
    with alone(database, "relay") as mine:
        assert not mine
    holder.kill()
    holder.wait()
    holder.stdout.close()
    # PostgreSQL needs a moment to see that the connection is gone.
    for _ in range(100):
        with alone(database, "relay") as mine:
            if mine:
                return
        threading.Event().wait(0.05)
    pytest.fail("the lock of the dead is still held")
