"""What is bought together, read from the orders on both engines, against pandas."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ma.analytics.category_affinity import affinity, bought
from ma.errors import InvalidInput
from ma.services.workspace import create_workspace
from ma.types import SYSTEM
from tests.services import campaign_world, next_action_world
from tests.services.campaign_world import NOW, days

PEOPLE = 240


@pytest.fixture
def session(database):
    with database.writing() as session:
        campaign_world.build(session, PEOPLE)
        next_action_world.orders(session, np.random.default_rng(1), PEOPLE)
        yield session


def in_order(frame):
    columns = ["customer_id", "item", "recent"]
    plain = frame.astype({"item": str, "recent": bool, "customer_id": int})
    return plain[columns].sort_values(columns, ignore_index=True)


def test_what_was_bought_is_what_the_orders_say(session):
    for by, column in (("category", "category_id"), ("product", "product")):
        expected = next_action_world.bought(session, column=column)
        found = bought(session, as_of=NOW, by=by)
        pd.testing.assert_frame_equal(in_order(found), in_order(expected))
        assert set(found["recent"]) == {True, False}
    some = bought(session, as_of=NOW, customer_ids=[2, 7])
    expected = next_action_world.bought(session)
    pd.testing.assert_frame_equal(in_order(some), in_order(expected[expected["customer_id"].isin([2, 7])]))
    earlier = NOW - days(100)
    pd.testing.assert_frame_equal(
        in_order(bought(session, as_of=earlier)), in_order(next_action_world.bought(session, at=earlier))
    )


def test_counts_are_of_customers_with_at_least_two_purchases(session):
    frame = affinity(session, as_of=NOW)
    rows = next_action_world.bought(session)
    several = rows.groupby("customer_id").size()
    owners = {
        item: set(mine["customer_id"])
        for item, mine in rows[rows["customer_id"].map(several) > 1].groupby("item")
    }
    assert (frame["customers"] == (several > 1).sum()).all()
    assert len(frame) == 6
    for row in frame.itertuples():
        assert (row.customers_a, row.customers_b) == (len(owners[row.item_a]), len(owners[row.item_b]))
        assert row.both == len(owners[row.item_a] & owners[row.item_b])
        assert row.customers_a >= row.customers_b
    assert frame["low"].is_monotonic_decreasing
    assert {frame["item_a"][0], frame["item_b"][0]} == {"Cheese", "Wine"}
    assert frame["low"][0] > 1.1


def test_products_are_compared_where_orders_name_them(session):
    frame = affinity(session, as_of=NOW, by="product")
    apart = frame[frame["item_a"].isin(["Bread 0", "Bread 1"]) & frame["item_b"].isin(["Bread 0", "Bread 1"])]
    # Each customer has bread of one kind only.
    assert apart[["both", "lift", "low"]].to_numpy().tolist() == [[0, 0, 0]]
    assert (apart["high"] < 1.0).all()
    names = [f"{category} {n}" for category, n in itertools.product(next_action_world.CATEGORIES, range(3))]
    assert set(frame["item_a"]) | set(frame["item_b"]) <= set(names)


def test_no_orders_no_pairs(database):
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="T", timezone="UTC", currency="EUR", at=NOW)
        for by in ("category", "product"):
            assert affinity(session, as_of=NOW, by=by).empty
        with pytest.raises(InvalidInput, match="category or product"):
            affinity(session, as_of=NOW, by="colour")
