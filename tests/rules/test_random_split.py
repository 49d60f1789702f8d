"""Random splits: the right size, the same each time, and independent of each other. All 10,000 buckets."""

from datetime import UTC, datetime
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from sqlalchemy import literal, select

from ma.models import Customer
from ma.rules.nodes import RandomRule
from ma.rules.sql_leaves import random_condition
from tests.rules.evaluator import place

BUCKETS = np.arange(10_000)
NAMES = [
    "autumn test",
    "a",
    "b",
    "A/B test 1",
    "A/B test 2",
    "Straße",
    "名前",
    *(f"split {i}" for i in range(30)),
]


@cache
def places_of(name: str) -> tuple[int, ...]:
    """The place of every bucket."""
    return tuple(place(name, bucket) for bucket in range(10_000))


def chosen(name: str, start: float, end: float) -> np.ndarray:
    """Whether each bucket is in a part of a split, by the docs' arithmetic."""
    places = np.array(places_of(name))
    return (places * 10_000 >= round(start * 100) * 10_007) & (places * 10_000 < round(end * 100) * 10_007)


HALVES = {name: chosen(name, 0, 50) for name in NAMES}


@pytest.mark.parametrize("part", [(0, 50), (0, 1), (10, 30), (99.5, 100), (33.33, 66.67)])
def test_a_part_has_its_share_to_a_tenth_of_a_percent(part):
    start, end = part
    for name in NAMES[:12]:
        assert chosen(name, *part).mean() * 100 == pytest.approx(end - start, abs=0.2), name


def test_parts_that_meet_share_nobody_and_leave_nobody():
    for name in NAMES[:12]:
        parts = [chosen(name, 0, 33.33), chosen(name, 33.33, 50), chosen(name, 50, 100)]
        assert (np.sum(parts, axis=0) == 1).all()


def test_two_splits_are_independent():
    """A quarter of all is in both halves, however the splits are named; runs of buckets are split too."""
    for one, other in combinations(NAMES, 2):
        assert (HALVES[one] & HALVES[other]).mean() == pytest.approx(0.25, abs=0.015), (one, other)
    for name, half in HALVES.items():
        assert half[:2_000].mean() == pytest.approx(0.5, abs=0.05), name


def test_the_name_is_compared_as_texts_are():
    assert (chosen("Autumn TEST ", 0, 50) == HALVES["autumn test"]).all()
    assert (chosen("STRASSE", 0, 50) == HALVES["Straße"]).all()


def test_the_sql_has_the_same_places_for_every_bucket(database):
    """Also where a bucket times its factor is large: no engine overflows."""
    with database.writing() as session:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        rows = [
            {"id": int(i) + 1, "split_bucket": int(i), "created_at": now, "updated_at": now} for i in BUCKETS
        ]
        session.execute(Customer.__table__.insert(), rows)
    with database.reading() as session:
        for name in ["autumn test", "b", "Straße"]:
            for start, end in [(0, 50), (33.33, 66.67), (99.99, 100)]:
                found = session.scalars(
                    select(Customer.id - literal(1)).where(random_condition(RandomRule(name, start, end)))
                )
                assert set(found) == set(BUCKETS[chosen(name, start, end)].tolist())


def test_a_split_never_changes():
    """Whoever is in the half of a test today is in it next year: these are the first release's places."""
    places = [place("autumn test", bucket) for bucket in (0, 1, 2, 5_000, 9_999)]
    assert places == [8630, 4139, 6792, 2027, 6778]
