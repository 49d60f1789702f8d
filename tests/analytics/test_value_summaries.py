"""What customers bought as the value models see it: by hand, and against pandas on random shops."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ma.analytics import value_summaries
from ma.analytics.frames import frame
from ma.analytics.value_summaries import (
    calibration_summaries,
    held_out_of,
    purchase_days,
    summaries,
    weekly_of,
)
from ma.db.engine import connect
from tests.analytics import value_world as world
from tests.analytics.value_world import NOW, ZONE

DAY = timedelta(days=1)


def bought(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "at", "amount_minor", "kind"])
    return frame.assign(
        customer_id=frame["customer_id"].astype("Int64"),
        at=pd.to_datetime(frame["at"], utc=True).dt.as_unit("us"),
    )


def test_a_purchase_is_a_day_of_the_workspaces_time_zone(database):
    """By hand, in New York: 04:30 UTC in winter is the day before, and 8 March 2026 has 23 hours."""
    with database.writing() as session:
        world.build(session, 7, deleted=[6])
        world.sell(
            session,
            bought(
                # Twice on 1 March (the second at 23:30), on the 2nd, and on the 8th after the clocks changed.
                (1, "2026-03-01T15:00Z", 1_000, "sale"),
                (1, "2026-03-02T04:30Z", 500, "sale"),
                (1, "2026-03-02T05:00Z", 700, "sale"),
                (1, "2026-03-09T03:59Z", 300, "sale"),
                (1, "2026-03-10T12:00Z", -400, "refund"),
                # Once, today, before and after the instant that is asked for.
                (2, NOW, 2_000, "sale"),
                (2, NOW + timedelta(microseconds=1), 9_000, "sale"),
                # Gave everything back: the refund is no purchase.
                (3, "2025-01-05T12:00Z", 800, "sale"),
                (3, "2025-01-06T12:00Z", -800, "refund"),
                # Came back for nothing.
                (4, "2026-03-01T12:00Z", 800, "sale"),
                (4, "2026-03-05T12:00Z", 0, "sale"),
                # Only gave back, was deleted, is unknown.
                (5, "2026-03-01T12:00Z", -100, "refund"),
                (6, "2026-03-01T12:00Z", 100, "sale"),
                (None, "2026-03-01T12:00Z", 100, "sale"),
            ),
        )
        found = summaries(session, as_of=NOW).set_index("customer_id")
        assert frame(session, "value_summaries", as_of=NOW, params={}).equals(found.reset_index())
    expected = {
        # frequency, recency, T, monetary_value, orders, spend, days since
        1: (2, 7, 19, 500.0, 4, 2_100, 12),
        2: (0, 0, 0, np.nan, 1, 2_000, 0),
        3: (0, 0, 439, np.nan, 1, 0, 439),
        4: (1, 4, 19, np.nan, 2, 800, 15),
    }
    assert found.index.tolist() == list(expected)
    for customer_id, values in expected.items():
        np.testing.assert_array_equal(found.loc[customer_id].to_numpy(dtype=float), values)
    whole = ["frequency", "recency", "T", "orders", "spend_minor", "days_since_last_order"]
    assert {str(found[name].dtype) for name in whole} == {"int64"}


def random_shop(seed):
    """Purchases of forty customers at awkward hours of two years, some after NOW, some of nobody known."""
    chance = np.random.default_rng(seed)
    size = 1_500
    ago = chance.integers(-3 * 86_400, 700 * 86_400, size)
    kind = chance.choice(["sale", "sale", "sale", "refund"], size)
    owner = pd.Series(chance.integers(1, 42, size)).astype("Int64")
    return pd.DataFrame(
        {
            "customer_id": owner.where(owner < 41, pd.NA),
            "at": pd.Series(pd.Timestamp(NOW) - pd.to_timedelta(ago, unit="s")).dt.as_unit("us"),
            "amount_minor": np.where(kind == "sale", 1, -1) * chance.integers(0, 5_000, size),
            "kind": kind,
        }
    )


def by_pandas(rows, today):
    """The summaries by a program of its own: groups of local calendar days."""
    rows = rows.assign(day=rows["at"].dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize())
    sales = rows[rows["kind"] == "sale"]
    found = {}
    for customer_id, mine in sales.groupby("customer_id"):
        days = mine.groupby("day")["amount_minor"].sum()
        first, last = days.index[0], days.index[-1]
        repeat = days.iloc[1:]
        found[int(customer_id)] = {
            "frequency": len(repeat),
            "recency": (last - first).days,
            "T": (today - first).days,
            "monetary_value": repeat.mean() if len(repeat) and repeat.sum() > 0 else np.nan,
            "orders": len(mine),
            "spend_minor": rows.loc[rows["customer_id"] == customer_id, "amount_minor"].sum(),
            "days_since_last_order": (today - last).days,
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("customer_id")


@pytest.mark.parametrize("at_once", [7, 500_000])
def test_a_random_shop_agrees_with_pandas(database, monkeypatch, at_once):
    monkeypatch.setattr(value_summaries, "_RANGE", at_once)
    rows = random_shop(3)
    with database.writing() as session:
        world.build(session, 40, deleted=[7, 20])
        world.sell(session, rows)
        found = summaries(session, as_of=NOW).set_index("customer_id")
        cut = date(2025, 11, 20)
        before = calibration_summaries(session, as_of=NOW, cut=cut).set_index("customer_id")
    known = rows[(rows["at"] <= NOW) & ~rows["customer_id"].isin([7, 20])].dropna(subset="customer_id")
    today = pd.Timestamp("2026-03-20")
    pd.testing.assert_frame_equal(found, by_pandas(known, today), check_dtype=False)
    # What one would have seen at the end of the day of the cut, and what came then.
    midnight = pd.Timestamp("2025-11-21", tz=ZONE)
    then = by_pandas(known[known["at"] < midnight], pd.Timestamp(cut))
    same = ["frequency", "recency", "T", "monetary_value"]
    pd.testing.assert_frame_equal(before[same], then[same], check_dtype=False)
    later = known[(known["at"] >= midnight) & (known["kind"] == "sale")]
    days = later.groupby("customer_id")["at"].apply(lambda at: at.dt.tz_convert(ZONE).dt.date.nunique())
    assert before["held_out"].to_dict() == days.reindex(before.index, fill_value=0).to_dict()


def test_weeks_are_counted_back_from_today_and_add_up(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, 40)
        world.sell(session, random_shop(5))
        days = purchase_days(session, as_of=NOW)
    database.close()
    cut = days.today - 70
    weekly = weekly_of(days, cut=cut)
    assert weekly["days"].iloc[-1] == days.span
    assert set(np.diff(weekly["days"])) == {7}
    assert 0 < weekly["days"].iloc[0] <= 7
    # At the end everybody's repeats, and ten weeks before it those that the cut leaves.
    known = held_out_of(days, cut=cut)
    assert weekly["repeats"].iloc[-1] == (known["frequency"] + known["held_out"]).sum()
    assert weekly["repeats"].iloc[-11] == known["frequency"].sum()
    # Each week by counting days.
    first = pd.Series(days.day).groupby(days.customer_id).transform("min").to_numpy()
    for week in weekly.itertuples():
        until = days.day.min() + week.days
        assert week.repeats == ((days.day > first) & (first <= cut) & (days.day <= until)).sum()


def test_nobody_bought(database):
    with database.writing() as session:
        world.build(session, 3, deleted=[2])
        assert summaries(session, as_of=NOW).empty
        world.sell(session, bought((2, NOW, 5, "sale"), (None, NOW, 5, "sale")))
        assert summaries(session, as_of=NOW).empty
        days = purchase_days(session, as_of=NOW)
    assert (days.span, len(held_out_of(days, cut=days.today))) == (0, 0)


def test_before_the_first_purchase_there_is_nothing(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, 2)
        world.sell(session, bought((1, NOW, 5, "sale")))
        assert summaries(session, as_of=datetime(2026, 3, 20, 13, tzinfo=UTC)).empty
        assert summaries(session, as_of=NOW)["T"].tolist() == [0]
        assert summaries(session, as_of=NOW + 3 * DAY)["T"].tolist() == [3]
    database.close()
