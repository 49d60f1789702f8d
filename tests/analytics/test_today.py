"""The part of a day that is not over, remembered by the hour, against every outcome counted anew."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from ma.analytics import today as days
from ma.analytics.frames import read
from ma.analytics.today import FIGURES, KEYS, STEPS, sent_today, today
from ma.db import bulk
from ma.models import Campaign, Customer, Outcome, Workspace
from ma.services.results import rebuild_results

SENT = datetime(2026, 3, 28, 20, 30, tzinfo=UTC)
PEOPLE = 300
OUTCOME = Outcome.__table__


def outcomes(rng, campaign_id):
    """Rows whose steps happen within three days of sending, some on the very microsecond of an hour."""
    ids = np.arange(1, PEOPLE + 1)
    after = rng.integers(0, 72 * 60, (PEOPLE, 6))
    sent = pd.Series(pd.Timestamp(SENT), index=range(PEOPLE))
    frame = pd.DataFrame(
        {
            "campaign_id": campaign_id,
            "customer_id": ids,
            "arm": rng.choice(["treated", "holdout"], PEOPLE, p=[0.8, 0.2]),
            "variant": rng.choice(["A", "B"], PEOPLE),
            "wave": 1,
            "source": "simulated",
            "assigned_at": sent,
            "sent_at": sent,
            "organic": rng.random(PEOPLE) < 0.3,
            "revenue_minor": rng.integers(0, 5_000, PEOPLE),
        }
    )
    for place, step in enumerate(("delivered", "opened", "clicked", "converted", "unsubscribed", "bounced")):
        moments = sent + pd.to_timedelta(after[:, place] * 60_000_000 - rng.integers(0, 2, PEOPLE), unit="us")
        frame[f"{step}_at"] = moments.where(rng.random(PEOPLE) < 0.4)
    return frame


@pytest.fixture
def world(database, request):
    zone = request.param
    rng = np.random.default_rng(4)
    with database.writing() as session:
        session.add(Workspace(id=1, name="Shop", timezone=zone, currency="EUR", created_at=SENT))
        people = {"search_text": "", "split_bucket": 1, "created_at": SENT, "updated_at": SENT}
        session.add_all([Customer(id=i, **people) for i in range(1, PEOPLE + 1)])
        common = {"created_by": "test", "created_at": SENT, "updated_at": SENT, "launched_at": SENT}
        for i in (1, 2):
            steps = ",".join((*STEPS, "organic"))
            kind = {"channel": "email", "status": "running", "source": "simulated", "steps": steps}
            name = {"name": f"C{i}", "name_folded": f"c{i}", "conversion_window_days": 7}
            session.add(Campaign(id=i, **name, **kind, **common))
        session.flush()
        for i in (1, 2):
            bulk.insert(session, OUTCOME, outcomes(rng, i))
            rebuild_results(session, i)
    return database, zone


def counted(rows, start, as_of):
    """What the definition says, outcome by outcome."""
    inside = {step: rows[f"{step}_at"].between(start, as_of) for step in STEPS}
    frame = rows[KEYS].assign(
        **inside,
        organic=inside["converted"] & rows["organic"],
        revenue_minor=rows["revenue_minor"].where(inside["converted"], 0),
    )
    frame = frame.groupby(KEYS)[FIGURES].sum().astype(int)
    return frame[frame.any(axis=1)]


def local_start(as_of, zone):
    return pd.Timestamp(as_of).tz_convert(zone).normalize().tz_convert("UTC")


def asked(session, as_of, zone):
    frame = today(session, as_of=as_of, timezone=zone).set_index(KEYS).astype(int)
    return frame[frame.any(axis=1)].sort_index()


@pytest.mark.parametrize("world", ["Europe/Berlin", "Asia/Kolkata"], indirect=True)
@pytest.mark.parametrize("few", [0, 100_000])
def test_at_any_instant_it_is_what_counting_all_outcomes_gives(world, few, monkeypatch):
    database, zone = world
    monkeypatch.setattr(days, "_FEW", few)
    rng = np.random.default_rng(7)
    # Instants close together, so that an hour that is remembered answers for another minute of it.
    instants = [SENT + timedelta(hours=int(h), minutes=int(m)) for h in range(0, 36, 7) for m in (0, 29, 59)]
    instants += [SENT + timedelta(microseconds=int(u)) for u in rng.integers(0, 48 * 3_600_000_000, 5)]
    with database.reading() as session:
        rows = read(session, OUTCOME.select()).astype({"organic": bool})
        for as_of in instants:
            expected = counted(rows, local_start(as_of, zone), as_of)
            found = asked(session, as_of, zone)
            pd.testing.assert_frame_equal(found, expected, check_names=False, check_dtype=False)
            treated = expected.xs("treated", level="arm")["sent"].groupby("campaign_id").sum()
            sent = sent_today(session, as_of=as_of, timezone=zone)
            assert +sent == Counter(treated.to_dict())
            only = sent_today(session, as_of=as_of, timezone=zone, campaign_ids=[2])
            assert +only == Counter({2: sent[2]})


@pytest.mark.parametrize("world", ["Europe/Berlin"], indirect=True)
def test_what_is_remembered_is_forgotten_when_outcomes_change(world):
    database, zone = world
    as_of = SENT + timedelta(hours=20, minutes=10)
    with database.reading() as session:
        before = asked(session, as_of, zone)
    with database.writing() as session:
        mine = (OUTCOME.c.campaign_id == 1, OUTCOME.c.clicked_at.is_(None))
        session.execute(update(OUTCOME).where(*mine).values(clicked_at=as_of - timedelta(minutes=3)))
        unseen = asked(session, as_of, zone)
        rebuild_results(session, 1)
    pd.testing.assert_frame_equal(unseen, before)
    with database.reading() as session:
        rows = read(session, OUTCOME.select()).astype({"organic": bool})
        after = asked(session, as_of, zone)
    assert not after.equals(before)
    expected = counted(rows, local_start(as_of, zone), as_of)
    pd.testing.assert_frame_equal(after, expected, check_names=False, check_dtype=False)
