"""Keys reserved for bulk inserts: as many as asked for, ascending, and nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from sqlalchemy import delete, insert

from ma.db import sequences
from ma.db.engine import connect
from ma.models import Customer, Segment

TABLE, CUSTOMERS = Segment.__table__, Customer.__table__


def person(key):
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return {"id": key, "search_text": "", "split_bucket": 1, "created_at": at, "updated_at": at}


def test_keys_follow_those_in_use_and_none_is_given_twice(database):
    with database.writing() as session:
        assert len(sequences.reserve(session, TABLE, 0)) == 0
        first = sequences.reserve(session, TABLE, 3)
        assert first.tolist() == [1, 2, 3]


def test_a_key_whose_row_is_gone_is_not_given_again(database):
    # Other modules may have been told of it.
    with database.writing() as session:
        taken = int(sequences.reserve(session, CUSTOMERS, 2)[-1])
        session.execute(insert(CUSTOMERS).values(person(taken)))
        session.execute(delete(CUSTOMERS))
    with database.writing() as session:
        assert sequences.reserve(session, CUSTOMERS, 1).tolist() == [taken + 1]


def test_those_who_draw_at_the_same_time_get_different_keys(postgres_url):
    def draw(_):
        database = connect(postgres_url)
        with database.writing() as session:
            drawn = [sequences.reserve(session, TABLE, 2_000) for _ in range(20)]
        database.close()
        return np.concatenate(drawn)

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(draw, range(4)))
    assert all(len(keys) == 40_000 for keys in drawn)
    assert all(one < other for keys in drawn for one, other in pairwise(keys.tolist()))
    everything = np.concatenate(drawn)
    assert len(np.unique(everything)) == len(everything)
    # There really were gaps: somebody drew between two of another's keys.
    assert any((np.diff(keys) > 1).any() for keys in drawn)
