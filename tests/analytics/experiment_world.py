"""Launched tests whose arms have exactly the people and steps that a test asks for."""

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from ma.db import bulk
from ma.db.engine import connect
from ma.models import Campaign, Outcome
from ma.services.results import rebuild_results
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days

STEPS = "sent,delivered,opened,clicked,converted,bounced,unsubscribed,complained,organic"
# All over: everybody was sent it 30 days ago and had 14 days.
SENT, WINDOW = NOW - days(30), 14


@dataclass(frozen=True)
class People:
    """The first so many of an arm's people take each step; the buyers bring `amounts`, in turns."""

    people: int
    converted: int = 0
    clicked: int = 0
    opened: int = 0
    amounts: tuple[int, ...] = (1_000,)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def customers(request, tmp_path_factory):
    """A database with 1,600 customers and nothing launched, made once; every test takes back what it did."""
    name = f"experiments_{time.time_ns()}"
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp(name) / "ma.db"
        shutil.copy(request.getfixturevalue("template_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres_server")
        server.psql(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('template_postgres')}")
        url = server.get_uri(name)
    database = connect(url)
    with database.writing() as session:
        world.build(session, 1_600)
    yield database
    database.close()
    if request.param == "postgresql":
        server.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def session(customers):
    """A session on the customers, in a transaction that is taken back."""
    with customers.writing() as session:
        yield session
        session.rollback()


def add(session, arms, *, campaign_id=1, sent_at=SENT, **values):
    """A launched campaign with these arms, by label ("Held out": those); returns its id.

    The customers are those from 1 on, in the order of the arms.
    """
    usual = {
        "name": f"Test {campaign_id}", "channel": "email", "status": "completed", "source": "simulated",
        "conversion_window_days": WINDOW, "steps": STEPS, "launched_at": sent_at, "waves": 1, "waves_sent": 1,
        "cost_per_thousand_minor": 10_000, "fixed_cost_minor": 0, "created_by": "test",
        "created_at": sent_at, "updated_at": sent_at,
    }  # fmt: skip
    usual |= values
    session.add(Campaign(id=campaign_id, name_folded=usual["name"].casefold(), **usual))
    session.flush()
    first, parts = 1, []
    for label, group in arms.items():
        parts.append(_rows(label, group, first, sent_at))
        first += group.people
    frame = pd.concat(parts, ignore_index=True)
    bulk.insert(session, Outcome.__table__, frame.assign(campaign_id=campaign_id, source=usual["source"]))
    rebuild_results(session, campaign_id)
    return campaign_id


def variants(**shares):
    """The further messages of a campaign with their shares."""
    return [
        {"name": name, "share": share, "subject": name, "body": "b", "effects": {}}
        for name, share in shares.items()
    ]


def _rows(label, group, first, sent_at):
    place, held = np.arange(group.people), label == "Held out"

    def when(count, hours):
        moment = pd.Timestamp(sent_at + timedelta(hours=hours))
        return pd.Series(moment, index=place).where(pd.Series(place < count))

    sent = 0 if held else group.people
    revenue = np.array(group.amounts)[place % len(group.amounts)]
    return pd.DataFrame(
        {
            "customer_id": first + place,
            "arm": "holdout" if held else "treated",
            "variant": "A" if held else label,
            "wave": 1,
            "assigned_at": pd.Timestamp(sent_at),
            "sent_at": when(sent, 0),
            "delivered_at": when(sent, 1),
            "opened_at": when(group.opened, 2),
            "clicked_at": when(group.clicked, 3),
            "converted_at": when(group.converted, 30),
            "organic": held,
            "revenue_minor": np.where(place < group.converted, revenue, 0),
        }
    )
