"""A server that is killed while it answers: the request counts once, and its answer is that of the work."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ma.models import Campaign, IdempotencyKey, Outcome

ROOT = Path(__file__).resolve().parents[2]
KEY = {"Idempotency-Key": "once"}
# A server that dies at one moment of a launch, and the request that makes it.
PROGRAM = """
import os, signal, sys

from ma.api import asking, routing
from ma.db.engine import connect
from tests.api.conftest import serve

url, token, moment = sys.argv[1:]


def die(*_given, **_named):
    os.kill(os.getpid(), signal.SIGKILL)


async def answered_and_dead(self, request, answer):
    await guarded(self, request, answer)
    die()


guarded = routing.Guarded.reply
if moment == "before the commit":
    asking.sent = die
else:
    routing.Guarded.reply = answered_and_dead
client = serve(connect(url), {"marketer": token}).marketer
client.post("/api/campaigns/1/launch", headers={"Idempotency-Key": "once"})
"""


def counts(api):
    with api.database.reading() as session:
        status = session.scalar(select(Campaign.status))
        people, keys = (
            session.scalar(select(func.count()).select_from(table)) for table in (Outcome, IdempotencyKey)
        )
    return status, people, keys


@pytest.mark.parametrize(
    ("moment", "left"), [("before the commit", ("draft", 0, 0)), ("after the commit", ("running", 40, 1))]
)
def test_a_launch_whose_server_was_killed_is_asked_for_again(sqlite_api, moment, left):
    draft = {"name": "Spring", "channel": "sms", "segment_id": 1, "body": "Come in."}
    assert sqlite_api.marketer.post("/api/campaigns", json=draft).status_code == 201
    url, token = str(sqlite_api.database.engine.url), sqlite_api.secrets["marketer"]
    killed = subprocess.run([sys.executable, "-c", PROGRAM, url, token, moment], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert counts(sqlite_api) == left
    answers = [sqlite_api.marketer.post("/api/campaigns/1/launch", headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["sent"] == 40
    assert answers[0].content == answers[1].content
    assert counts(sqlite_api) == ("running", 40, 1)
