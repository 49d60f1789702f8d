"""From a cell of the RFM grid to its people and to a segment of them, in a real browser."""

from contextlib import suppress
from datetime import timedelta

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, insert, select

from ma import clock
from ma.analytics import segments
from ma.errors import Conflict
from ma.models import Customer, CustomerScore, Purchase, Segment
from ma.services.customers import import_customers
from ma.services.profiles import rebuild_profiles
from ma.services.scoring import score_customers
from ma.types import SYSTEM

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def scored(app):
    """Fifty customers, each with as many orders as the day they last bought on is near; scored."""
    at = clock.now()
    frame = pd.DataFrame({"first_name": [f"Regular{n}" for n in range(50)]})
    frame["email"] = [f"regular{n}@example.com" for n in range(50)]
    with app.database.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at - timedelta(days=400))
        found = select(Customer.id, Customer.first_name).where(Customer.first_name.like("Regular%"))
        rows = [
            {
                "customer_id": row.id, "kind": "sale", "amount_minor": 1_000,
                "at": at - timedelta(days=200 - 3 * int(row.first_name[7:]) + 7 * one),
            }
            for row in session.execute(found)
            for one in range(1 + int(row.first_name[7:]) // 10)
        ]  # fmt: skip
        session.execute(insert(Purchase.__table__), rows)
        rebuild_profiles(session, as_of=at)
    # The server may be scoring at this moment, too: whoever ends second is refused.
    for _ in range(3):
        with suppress(Conflict):
            score_customers(app.database, SYSTEM, at=clock.now())
            break


def test_a_click_on_a_cell_leads_to_a_segment_of_its_people(app, page, signed_in, settled, scored):
    signed_in(page, "marketer", "/value?tab=rfm")
    cells = page.locator("[class*='st-key-rfm-cells-'] .barlayer .point path")
    expect(cells.first).to_be_visible()
    settled(page)
    cells.last.scroll_into_view_if_needed()
    box = cells.last.bounding_box()
    # Anywhere in the cell, not only on its words.
    page.mouse.move(box["x"] + box["width"] * 0.85, box["y"] + box["height"] * 0.15)
    page.mouse.click(box["x"] + box["width"] * 0.85, box["y"] + box["height"] * 0.15)
    page.wait_for_url("**/value?*who=*", timeout=20_000)
    settled(page)
    recency, frequency = page.url.partition("who=")[2].partition("&")[0].split("-")
    with app.database.reading() as session:
        there = session.scalar(
            select(func.count())
            .select_from(CustomerScore)
            .join(Customer, Customer.id == CustomerScore.customer_id)
            .where(
                CustomerScore.recency_score == int(recency),
                CustomerScore.frequency_score == int(frequency),
                Customer.deleted_at.is_(None),
            )
        )
    expect(page.get_by_text(f"{there:,} customers", exact=True)).to_be_visible()
    page.get_by_role("button", name="Save as segment").click()
    page.get_by_role("button", name="Refresh").wait_for(timeout=20_000)
    with app.database.reading() as session:
        segment = session.scalars(select(Segment).order_by(Segment.id.desc())).first()
        assert segment.size == there > 0
        assert segments.count(session, segment.rule, as_of=clock.now()) == there

    # A reload shows the same cell, and its people are one click away.
    page.goto(f"{app.url}/value?tab=rfm&who={recency}-{frequency}")
    expect(page.get_by_text(f"{there:,} customers", exact=True)).to_be_visible()
    settled(page)
    page.get_by_role("link", name="See these customers").click()
    expect(page.get_by_text(f"{there:,} customers").first).to_be_visible()
    page.wait_for_url("**/customers?*rule=*", timeout=20_000)
