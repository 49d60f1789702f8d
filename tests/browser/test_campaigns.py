"""A campaign in a real browser: from a draft with every field wrong to its end, and two tabs at once."""

import re

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from ma import clock
from ma.models import Audit, Campaign, Outcome
from ma.services.campaigns import create_campaign
from ma.services.customers import import_customers
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM
from tests.browser.widgets import pick, press

pytestmark = pytest.mark.browser
RULE = {"field": "postal_code", "operator": "starts_with", "value": "33"}


@pytest.fixture(scope="module")
def segment(app):
    """60 people, 12 of them without consent, and a segment of them."""
    at = clock.now()
    frame = pd.DataFrame(
        {
            "first_name": [f"Reader{n}" for n in range(60)],
            "email": [f"reader{n}@example.com" for n in range(60)],
            "postal_code": "33100",
            "consent_email": [n >= 12 for n in range(60)],
        }
    )
    with app.database.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        segment_id = create_segment(session, SYSTEM, name="Readers of 33", rule=RULE, at=at)
        refresh_segment(session, SYSTEM, segment_id, at=at)
    return segment_id


def card(page, label, value):
    """Wait until a figure is shown."""
    metric = page.get_by_test_id("stMetric").filter(has_text=label).first
    expect(metric.get_by_test_id("stMetricValue")).to_have_text(value)


def status(page, words):
    expect(page.get_by_test_id("stMain").get_by_text(re.compile(f"{words}$")).first).to_be_visible()


def test_from_a_draft_with_every_field_wrong_to_its_end(app, page, signed_in, settled, segment):
    signed_in(page, "marketer", "/campaigns?id=new")
    page.get_by_role("tab", name="Message").click()
    page.get_by_role("textbox", name="Subject").fill("Hi {{ first_nam }}")
    page.get_by_role("textbox", name="Subject").press("Tab")
    settled(page)
    press(page, "Save draft")
    problems = page.get_by_test_id("stAlert").filter(has_text="Nothing was saved yet")
    for words in (
        "Name: Give the campaign a name",
        "Audience › Segment: Choose a segment",
        "Message › Subject: There is no merge field",
        "Message › Message: Write the message",
    ):
        expect(problems).to_contain_text(words)
    expect(page.get_by_role("textbox", name="Subject")).to_have_value("Hi {{ first_nam }}")
    expect(page.get_by_text("Did you mean").first).to_be_visible()

    page.get_by_role("textbox", name="Subject").fill("Hi {{ first_name }}")
    page.get_by_role("textbox", name="Message", exact=True).fill("**Come** in, it is spring.")
    page.get_by_role("textbox", name="Name", exact=True).fill("Spring letter")
    page.get_by_role("tab", name="Audience").click()
    # A list that is opened while the screen is drawn anew closes again.
    settled(page)
    pick(page, "Segment", "Readers of 33")
    settled(page)
    card(page, "Would be sent it", "48")
    page.get_by_text("No consent 12").click()
    expect(page.get_by_text("they have not agreed to").first).to_be_visible()
    page.locator(".st-key-export-lost").get_by_role("button").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lost = pd.read_csv(download.value.path())
    assert sorted(lost["email"]) == sorted(f"reader{n}@example.com" for n in range(12))
    assert set(lost["lost_at"]) == {"consent"}
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Message").click()
    expect(page.get_by_text("**Come** in, it is spring.").nth(1)).to_be_visible()
    page.get_by_role("tab", name="Delivery").click()
    page.get_by_role("spinbutton", name="Waves").fill("2")
    page.get_by_role("spinbutton", name="Waves").press("Enter")
    expect(page.get_by_text("One half of the people a day.")).to_be_visible()
    settled(page)
    press(page, "Save draft")

    page.get_by_role("button", name="Launch campaign").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_test_id("stMetric").filter(has_text="Sent now")).to_contain_text("later waves")
    dialog.get_by_role("button", name="Launch now").click()
    status(page, "Running")
    settled(page)
    press(page, "Pause")
    status(page, "Paused")
    press(page, "Resume")
    status(page, "Running")
    page.get_by_role("button", name="Complete").click()
    page.get_by_role("dialog").get_by_role("button", name="Complete campaign").click()
    status(page, "Completed")
    with app.database.reading() as session:
        row = session.execute(
            select(Campaign.id, Campaign.status).where(Campaign.name == "Spring letter")
        ).one()
        people = session.scalar(select(func.count()).where(Outcome.campaign_id == row.id))
        exported = session.scalar(select(Audit.detail).where(Audit.noun == "campaign_not_sent"))
    assert exported["rows"] == 12
    assert row.status == "completed"
    assert 0 < people < 48


def test_in_the_second_of_two_tabs_an_impossible_step_says_why(app, page, signed_in, settled, segment):
    with app.database.writing() as session:
        campaign_id = create_campaign(
            session, SYSTEM, at=clock.now(), name="Two tabs", channel="email",
            segment_id=segment, subject="Hi", body="Hello",
        )  # fmt: skip
    signed_in(page, "marketer", f"/campaigns?id={campaign_id}")
    second = page.context.new_page()
    second.goto(f"{app.url}/campaigns?id={campaign_id}")
    second.get_by_role("button", name="Cancel campaign").wait_for(timeout=20_000)
    settled(second)
    page.get_by_role("button", name="Cancel campaign").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel campaign").click()
    status(page, "Cancelled")
    second.get_by_role("button", name="Launch campaign").click()
    expect(second.get_by_text(re.compile("is cancelled by now"))).to_be_visible()
    expect(second.get_by_role("button", name="Launch campaign")).to_have_count(0)
    status(second, "Cancelled")
