"""RFM scores by hand, and that the named segments part the grid."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ma.intelligence.rfm import SEGMENTS, rfm

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
SCORES = ["recency_score", "frequency_score", "monetary_score"]


def customers(days, orders, spend):
    return pd.DataFrame({"days_since_last_order": days, "orders": orders, "spend_minor": spend})


def test_the_segments_cover_each_combination_of_scores_once():
    for recency, frequency, monetary in itertools.product(range(1, 6), repeat=3):
        mean = (frequency + monetary + 1) // 2
        found = [
            segment.name
            for segment in SEGMENTS
            if segment.recency[0] <= recency <= segment.recency[1]
            and segment.frequency_monetary[0] <= mean <= segment.frequency_monetary[1]
        ]
        assert len(found) == 1, (recency, frequency, monetary)
    assert len({segment.name for segment in SEGMENTS}) == len(SEGMENTS) == 10
    assert all(segment.meaning.endswith(".") for segment in SEGMENTS)


def test_the_table_in_the_document_is_that_of_the_program():
    rows = re.findall(
        r"^\| ([A-Z][^|]+) \| (\S+) \| (\S+) \| ([^|]+\.) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )

    def words(ends):
        return "–".join(map(str, sorted(set(ends))))

    told = [(s.name, words(s.recency), words(s.frequency_monetary), s.meaning) for s in SEGMENTS]
    assert [row for row in rows if row[0] in {segment.name for segment in SEGMENTS}] == told


def test_ten_customers_by_hand():
    found = rfm(
        customers([1, 2, 3, 5, 8, 13, 21, 34, 55, 89], range(10, 0, -1), [9, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    )
    assert found["recency_score"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert found["frequency_score"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    # Two have spent 9: eight spent less, four fifths.
    assert found["monetary_score"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert found["rfm_segment"].tolist() == (
        ["Champions"] * 2 + ["Loyal"] * 2 + ["Need attention"] * 2 + ["Hibernating"] * 4
    )


def test_ties_have_the_same_score():
    # Six of ten ordered once: nobody less often, so 1; six tenths ordered less than the next.
    found = rfm(customers([30] * 10, [1] * 6 + [2, 2, 3, 3], [100] * 10))
    assert found["frequency_score"].tolist() == [1] * 6 + [4, 4, 5, 5]
    # Nobody bought more recently than the others, nobody spent less.
    assert found["recency_score"].tolist() == [5] * 10
    assert found["monetary_score"].tolist() == [1] * 10


@pytest.mark.parametrize(
    ("days", "orders", "spend", "name"),
    [
        (1, 90, 90, "Champions"),
        (30, 90, 90, "Loyal"),
        (1, 45, 45, "Potential loyalists"),
        (1, 1, 1, "New customers"),
        (25, 1, 1, "Promising"),
        (50, 50, 50, "Need attention"),
        (50, 1, 1, "About to sleep"),
        (99, 99, 99, "Cannot lose them"),
        (99, 70, 70, "At risk"),
        (99, 1, 1, "Hibernating"),
    ],
)
def test_each_name_among_a_hundred_others(days, orders, spend, name):
    spread = np.arange(1, 101)
    rows = customers([days, *spread], [orders, *spread], [spend, *spread])
    assert rfm(rows)["rfm_segment"].iloc[0] == name


def test_whoever_never_bought_has_no_score_and_counts_for_nothing():
    rows = customers([10, np.nan, 20, 5], [2, 0, 1, 0], [500, 0, 300, 0]).set_axis(list("wxyz"))
    found = rfm(rows)
    assert found.index.tolist() == list("wxyz")
    assert found.loc[["x", "z"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(found.loc[["w", "y"]], rfm(rows.loc[["w", "y"]]))
    assert found.loc["w"].tolist() == [5, 3, 3, "Potential loyalists"]


def test_refunds_beyond_the_spend_and_an_empty_base_do_no_harm():
    assert rfm(customers([1, 2], [1, 1], [-50, np.nan]))["monetary_score"].tolist() == [1, 3]
    none = rfm(customers([], [], []))
    assert none.columns.tolist() == [*SCORES, "rfm_segment"]
    assert len(none) == 0


people = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 6), st.integers(-5, 40)), min_size=1, max_size=60
)


@given(people)
def test_scores_follow_the_figures(rows):
    frame = customers(*zip(*rows, strict=True))
    found = rfm(frame)
    assert set(found[SCORES].to_numpy(int).ravel()) <= {1, 2, 3, 4, 5}
    for score, column, better in (
        ("recency_score", "days_since_last_order", -1),
        ("frequency_score", "orders", 1),
        ("monetary_score", "spend_minor", 1),
    ):
        by_figure = (found[score].groupby(frame[column] * better)).agg(["min", "max"])
        assert (by_figure["min"] == by_figure["max"]).all()
        assert by_figure["min"].is_monotonic_increasing
    # At most as many people have the best frequency as a fifth of all, as ties are not parted downwards.
    assert (found["frequency_score"] == 5).sum() <= len(rows) / 5


@given(people)
def test_doubling_the_base_changes_no_score(rows):
    frame = customers(*zip(*rows, strict=True))
    twice = rfm(pd.concat([frame, frame], ignore_index=True)).head(len(frame))
    pd.testing.assert_frame_equal(rfm(frame), twice)
