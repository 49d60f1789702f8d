"""What is much and what is late among buyers, checked by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from ma.analytics.buying_levels import BuyingLevels, Level, Pause, buying_levels
from ma.db.engine import connect
from ma.models import Customer
from ma.services.customers import create_customer
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def shop(sqlite_url):
    """`shop((orders, spend_minor, days from the first to the last order), …)` has these customers."""
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="USD", at=NOW)

        def filled(*people):
            for i, (orders, spend, days) in enumerate(people):
                one = create_customer(session, SYSTEM, at=NOW, first_name=f"P{i}")
                values = {"orders": orders, "spend_minor": spend}
                if orders:
                    values |= {"first_order_at": NOW - timedelta(days=days), "last_order_at": NOW}
                session.execute(update(Customer).where(Customer.id == one).values(**values))
            return session

        yield filled
    database.close()


def test_levels_are_those_of_the_buyers_in_two_digits(shop):
    # Orders 100 … 119, so half have at least 110, a quarter 115 (rounded down 110: also half).
    session = shop((0, 0, 0), *((100 + i, 1_000 * (i + 1), 99 + i) for i in range(20)))
    assert buying_levels(session) == BuyingLevels(
        usual_orders=Level(100, 1.0),
        many_orders=Level(110, 0.5),
        high_spend=Level(18_000, 0.15),
        pause=Pause(1, "day"),
    )


@pytest.mark.parametrize(
    ("days", "pause"),
    [(14, Pause(14, "day")), (15, Pause(3, "week")), (60, Pause(9, "week")), (61, Pause(3, "month"))],
)
def test_a_pause_is_in_the_unit_that_is_read_easily(shop, days, pause):
    assert buying_levels(shop((2, 100, days))).pause == pause


def test_a_shop_where_nobody_came_back_has_no_pause_and_one_without_orders_nothing(shop):
    levels = buying_levels(shop((1, 0, 0), (1, 0, 0)))
    assert (levels.pause, levels.high_spend, levels.many_orders) == (None, None, Level(2, 0.0))


def test_without_buyers_there_are_no_levels(shop):
    assert buying_levels(shop((0, 0, 0))) is None
