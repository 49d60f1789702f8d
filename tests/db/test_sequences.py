"""Keys reserved for bulk inserts: as many as asked for, ascending, and nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from ma.db import sequences
from ma.db.engine import connect
from ma.models import Segment

TABLE = Segment.__table__


def test_keys_follow_those_in_use_and_none_is_given_twice(database):
    with database.writing() as session:
        assert len(sequences.reserve(session, TABLE, 0)) == 0
        first = sequences.reserve(session, TABLE, 3)
        assert first.tolist() == [1, 2, 3]


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
