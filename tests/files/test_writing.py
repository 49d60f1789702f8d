"""CSV that a spreadsheet cannot run, and that comes back as it was."""

from datetime import UTC, datetime
from io import BytesIO

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ma.files.writing import restored, to_csv, to_parquet


def written(frame):
    return to_csv(frame).decode("utf-8-sig")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start):
    table = pd.read_csv(BytesIO(to_csv(pd.DataFrame({"name": [f"{start}1+1"]}))), keep_default_na=False)
    assert table["name"].tolist() == [f"'{start}1+1"]


def test_numbers_dates_and_truth_stay_as_they_are():
    frame = pd.DataFrame(
        {
            "spend_minor": [-1250],
            "lift": [-0.5],
            "at": [datetime(2026, 11, 22, 9, 30, tzinfo=UTC)],
            "active": [True],
            "mixed": pd.Series([-5], dtype=object),
        }
    )
    assert written(frame).splitlines() == [
        "spend_minor,lift,at,active,mixed",
        "-1250,-0.5,2026-11-22T09:30:00+0000,True,-5",
    ]


def test_harmless_text_stays_as_it_is():
    frame = pd.DataFrame({"name": ["Zoë", "'n Abend", "a=b", "00491701", None]})
    assert written(frame).splitlines() == ["name", "Zoë", "'n Abend", "a=b", "00491701", '""']


def test_categories_are_text_too():
    frame = pd.DataFrame({"kind": pd.Categorical(["=x", "y"])})
    assert written(frame).splitlines() == ["kind", "'=x", "y"]


def test_an_empty_frame_is_its_header():
    assert written(pd.DataFrame({"a": pd.Series(dtype=str), "b": pd.Series(dtype=int)})).splitlines() == [
        "a,b"
    ]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("'=+-@\t\r\nab0 é,\"")), min_size=1, max_size=8))
def test_every_text_comes_back_as_it_was(texts):
    frame = pd.DataFrame({"n": range(len(texts)), "text": texts})
    back = pd.read_csv(BytesIO(to_csv(frame)), dtype=str, keep_default_na=False)
    assert not back["text"].str.contains(r"^[=+\-@\t\r]", regex=True).any()
    assert restored(back["text"]).tolist() == texts


def test_parquet_keeps_the_types():
    frame = pd.DataFrame({"name": ["=x"], "spend_minor": [1250], "at": [datetime(2026, 11, 22, tzinfo=UTC)]})
    back = pd.read_parquet(BytesIO(to_parquet(frame)))
    assert back["name"].tolist() == ["=x"]
    assert back["spend_minor"].dtype == "int64"
    assert back["at"].tolist() == [pd.Timestamp("2026-11-22", tz="UTC")]
