"""From a bar of the results to the people in it and to a segment of them, in a real browser."""

from datetime import timedelta

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from ma import clock
from ma.analytics import segments
from ma.models import Customer, Outcome, Segment
from ma.services.campaigns import create_campaign
from ma.services.customers import import_customers
from ma.services.launches import launch_campaign
from ma.services.segments import create_segment
from ma.types import SYSTEM

pytestmark = pytest.mark.browser
RULE = {"field": "postal_code", "operator": "starts_with", "value": "88"}


@pytest.fixture(scope="module")
def launched(app):
    """300 people in two countries, and a campaign that went out to them five days ago."""
    at = clock.now() - timedelta(days=5)
    frame = pd.DataFrame(
        {
            "first_name": [f"Bookworm{n}" for n in range(300)],
            "email": [f"bookworm{n}@example.com" for n in range(300)],
            "postal_code": "88100",
            "country": ["DE" if n < 200 else "FR" for n in range(300)],
            "consent_email": True,
        }
    )
    with app.database.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        segment_id = create_segment(session, SYSTEM, name="Readers of 88", rule=RULE, at=at)
        campaign_id = create_campaign(
            session, SYSTEM, at=at, name="Book week", channel="email", segment_id=segment_id, subject="Books",
            body="Books.", effects={"opened": 2.0}, cost_per_thousand_minor=1_000, fixed_cost_minor=500,
        )  # fmt: skip
        launch_campaign(session, SYSTEM, campaign_id, at=at, seed=3)
    return campaign_id


def people(app, campaign_id, *conditions):
    with app.database.reading() as session:
        query = select(func.count()).select_from(Outcome).join(Customer, Customer.id == Outcome.customer_id)
        return session.scalar(query.where(Outcome.campaign_id == campaign_id, *conditions))


def click_bar(page, chart, number):
    """Click into the middle of a bar of the chart whose key begins so."""
    bar = page.locator(f"[class*='st-key-{chart}-'] .barlayer .point path").nth(number)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def card(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def test_from_a_bar_to_its_people_and_to_a_segment_of_them(app, page, signed_in, settled, launched):
    sent = Outcome.sent_at.is_not(None)
    german = people(app, launched, sent, Customer.country == "DE")
    signed_in(page, "marketer", f"/results?campaigns={launched}&by=country")
    everybody = f"{people(app, launched, sent):,}"
    expect(card(page, "Messages sent")).to_have_text(everybody)
    expect(page.get_by_text("still inside their conversion window").first).to_be_visible()

    # A bar narrows the other charts, and a second click widens them again.
    click_bar(page, "breakdown", 0)
    expect(page.get_by_text("Only Country:")).to_be_visible()
    settled(page)
    country = "DE" if "DE" in page.get_by_text("Only Country:").inner_text() else "FR"
    here = german if country == "DE" else 300 - german
    expect(card(page, "Messages sent")).to_have_text(f"{here:,}")
    click_bar(page, "breakdown", 0)
    expect(page.get_by_text("Only Country:")).to_have_count(0)
    expect(card(page, "Messages sent")).to_have_text(everybody)
    settled(page)
    click_bar(page, "breakdown", 0)
    expect(card(page, "Messages sent")).to_have_text(f"{here:,}")

    # Two clicks: opened, did not buy; save as a segment.
    page.get_by_role("link", name="Opened, did not buy").click()
    did = (Outcome.opened_at <= clock.now(), Customer.country == country)
    bought = Outcome.converted_at <= clock.now()
    expected = people(app, launched, *did) - people(app, launched, *did, bought)
    expect(page.get_by_text(f"{expected:,} people", exact=True)).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Save as segment").click()
    page.get_by_role("button", name="Refresh").wait_for(timeout=20_000)
    with app.database.reading() as session:
        segment = session.scalars(select(Segment).order_by(Segment.id.desc())).first()
        assert segment.size == expected > 0
        assert segments.count(session, segment.rule, as_of=clock.now()) == expected

    # A bar of the funnel leads to its people at once.
    page.goto(f"{app.url}/results?campaigns={launched}")
    settled(page)
    click_bar(page, "funnel", 2)
    opened = people(app, launched, Outcome.opened_at <= clock.now())
    expect(page.get_by_text(f"{opened:,} people", exact=True)).to_be_visible()
    page.wait_for_url("**/recipients?*step=opened*", timeout=20_000)
