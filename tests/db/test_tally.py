"""Rows counted by their person's group are those that pandas counts, on both engines."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import case, func, select

from ma.db import bulk
from ma.db.tally import Tally
from ma.models import Customer, Purchase

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
# No character of a text may be taken for what stands between two of them.
CITIES = ["Köln", "Halle, Saale", 'the "other" one', "\\n", "", None]


@pytest.fixture
def world(database):
    """A database with three hundred customers of six cities, and what they bought."""
    chance = np.random.default_rng(7)
    ids = np.arange(1, 301)
    people = pd.DataFrame({"id": ids, "city": chance.choice(np.array(CITIES, dtype=object), 300)}).assign(
        search_text="", split_bucket=0, orders=0, spend_minor=0, visits=0, version=1, created_at=AT,
        updated_at=AT, consent_email=True, consent_sms=True, consent_push=True, consent_direct_mail=True,
    )  # fmt: skip
    bought = pd.DataFrame(
        {
            "customer_id": chance.integers(1, 301, 2_000),
            "kind": chance.choice(["sale", "refund"], 2_000),
            "amount_minor": chance.integers(-(2**40), 2**40, 2_000),
        }
    ).assign(at=AT)
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, people)
        bulk.insert(session, Purchase.__table__, bought)
    return database, people, bought


def counted(session, people, rows=None):
    rows = select(Purchase.customer_id.label("person"), Purchase.kind) if rows is None else rows
    amount = Purchase.amount_minor
    flags = {"rows": amount == amount, "large": amount > 1_000, "never": amount.is_(None)}
    sums = {"gained": case((amount > 0, amount), else_=0)}
    frame = Tally(session, people).count(rows, flags, sums)
    return frame.sort_values(["kind", "key"], ignore_index=True)


def everybody():
    return select(Customer.id.label("person"), func.coalesce(Customer.city, "unknown").label("key"))


def by_hand(people, bought):
    rows = bought.merge(people[["id", "city"]], left_on="customer_id", right_on="id")
    rows["key"] = rows["city"].where(rows["city"].notna(), "unknown")
    amount = rows["amount_minor"]
    rows = rows.assign(rows=1.0, large=(amount > 1_000) * 1.0, never=0.0, gained=amount.clip(lower=0) * 1.0)
    return rows.groupby(["kind", "key"], as_index=False)[["rows", "large", "never", "gained"]].sum()


def test_rows_are_counted_by_what_they_are_and_by_their_persons_group(world):
    database, people, bought = world
    with database.reading() as session:
        found = counted(session, everybody())
    assert len(found) == 12
    pd.testing.assert_frame_equal(found, by_hand(people, bought), check_dtype=False)


def test_rows_of_other_people_are_left_out(world):
    database, people, bought = world
    with database.reading() as session:
        # Not in the order of their ids, and with gaps among them.
        some = everybody().where(Customer.id % 3 == 1, Customer.id > 20).order_by(Customer.city, Customer.id)
        found = counted(session, some)
    kept = people[(people["id"] % 3 == 1) & (people["id"] > 20)]
    pd.testing.assert_frame_equal(found, by_hand(kept, bought), check_dtype=False)


def test_nobody_and_nothing_are_empty_frames_of_the_same_columns(world):
    database, _, _ = world
    nothing = select(Purchase.customer_id.label("person"), Purchase.kind).where(Purchase.id < 0)
    with database.reading() as session:
        for people, rows in ((everybody().where(Customer.id < 0), None), (everybody(), nothing)):
            found = counted(session, people, rows)
            assert found.columns.tolist() == ["kind", "key", "rows", "large", "never", "gained"]
            assert found.empty
