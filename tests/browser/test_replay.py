"""A launched campaign is replayed with a change, in a real browser."""

from datetime import timedelta

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from ma import clock
from ma.models import Audit, Outcome
from ma.services.campaigns import create_campaign
from ma.services.customers import import_customers
from ma.services.launches import launch_campaign
from ma.services.profiles import rebuild_profiles
from ma.services.segments import create_segment
from ma.types import SYSTEM

pytestmark = pytest.mark.browser
RULE = {"field": "postal_code", "operator": "starts_with", "value": "66"}


@pytest.fixture(scope="module")
def launched(app):
    """300 people, and a campaign that went out to them ten days ago."""
    at = clock.now() - timedelta(days=10)
    frame = pd.DataFrame(
        {
            "first_name": [f"Buyer{n}" for n in range(300)],
            "email": [f"buyer{n}@example.com" for n in range(300)],
            "postal_code": "66100",
            "consent_email": True,
        }
    )
    with app.database.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        segment_id = create_segment(session, SYSTEM, name="Buyers of 66", rule=RULE, at=at)
        campaign_id = create_campaign(
            session, SYSTEM, at=at, name="Tea week", channel="email", segment_id=segment_id, subject="Tea",
            body="Tea.", holdout_share=0.2, cost_per_thousand_minor=1_000, fixed_cost_minor=500,
        )  # fmt: skip
        # As in a workspace that has been there for a while: the worker, which does it every hour, must not
        # change what this launch saw in the middle of the test.
        rebuild_profiles(session, as_of=at)
        launch_campaign(session, SYSTEM, campaign_id, at=at, seed=3)
    return campaign_id


def card(page, label):
    metric = page.get_by_test_id("stMetric").filter(has_text=label).first
    return metric.get_by_test_id("stMetricValue")


def rows(app):
    """Outcomes, and what the analyst did to campaigns and replays: the worker completes some meanwhile."""
    with app.database.reading() as session:
        outcomes = session.scalar(select(func.count()).select_from(Outcome))
        noted = select(func.count()).select_from(Audit).where(Audit.actor == "analyst")
        return outcomes, *(session.scalar(noted.where(Audit.noun == noun)) for noun in ("campaign", "replay"))


def test_from_the_campaign_to_what_a_change_would_have_brought(app, page, signed_in, settled, launched):
    signed_in(page, "analyst", f"/campaigns?id={launched}")
    page.get_by_test_id("stMain").get_by_role("link", name="Replay").click()
    expect(page.get_by_text("do exactly what is stored")).to_be_visible()
    settled(page)
    as_it_was = card(page, "Profit, as it was").inner_text()
    before = rows(app)

    opens = page.get_by_role("spinbutton", name="Opens, change (%)")
    opens.fill("300")
    opens.press("Tab")
    page.get_by_role("tab", name="Who gets it").click()
    holdout = page.get_by_role("spinbutton", name="Holdout (%)")
    holdout.fill("0")
    holdout.press("Tab")
    page.get_by_role("button", name="Replay campaign").click()
    expect(page.get_by_text("Holdout 0 % instead of 20 %")).to_be_visible()
    settled(page)
    assert page.url.endswith(f"campaign={launched}&change=holdout%3D0%3Bopened%3D300")
    expect(card(page, "Profit, as it was")).to_have_text(as_it_was)
    expect(card(page, "The change adds")).to_be_visible()
    assert "only with the change" in page.get_by_text("are sent it in both versions").inner_text()

    # The address alone brings a colleague to the same figures, and the file has them too.
    gain = card(page, "The change adds").inner_text()
    second = page.context.new_page()
    second.goto(page.url)
    expect(card(second, "The change adds")).to_have_text(gain)
    second.close()
    page.locator(".st-key-export-replay").get_by_role("button").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    table = pd.read_csv(download.value.path()).set_index("figure")
    assert table.loc["sent", "changed"] == 300
    assert table.loc["opened", "changed"] > 2 * table.loc["opened", "base"]
    page.keyboard.press("Escape")
    page.get_by_role("button", name="As it was", exact=True).click()
    expect(page.get_by_text("This is the campaign as it was")).to_be_visible()
    assert "change=" not in page.url
    # Nothing was written but that a file was taken.
    assert rows(app) == (*before[:2], before[2] + 1)
