"""A marketer's first hour, from signing in to signing out, on a real server with a real Chromium."""

import io
import shutil
from datetime import timedelta

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from ma import clock
from ma.db.engine import connect
from ma.models import Campaign, Customer, OutboxEvent, Outcome, Segment, Workspace
from ma.services import auth
from ma.services.customers import import_customers
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Role
from tests.browser.conftest import App, serve
from tests.browser.widgets import enter, pick

pytestmark = pytest.mark.browser
PASSWORD = "nine lives of a cat"
PEOPLE = 400


@pytest.fixture(scope="module")
def shop(template_sqlite, tmp_path_factory):
    """A shop of its own: 400 customers who agree to e-mail, and a clock that can be moved."""
    folder = tmp_path_factory.mktemp("first-hour")
    shutil.copy(template_sqlite, folder / "ma.db")
    database = connect(f"sqlite:///{folder / 'ma.db'}")
    at = clock.now() - timedelta(days=1)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Corner shop", timezone="Europe/Berlin", currency="EUR", at=at)
        session.get(Workspace, 1).demo_loaded_at = at
        auth.create_user(
            session, SYSTEM, username="mara", name="Mara", role=Role.MARKETER, password=PASSWORD, at=at
        )
        frame = pd.DataFrame(
            {
                "first_name": [f"Ada{n}" for n in range(PEOPLE)],
                "last_name": "Example",
                "email": [f"ada{n}@example.com" for n in range(PEOPLE)],
                "consent_email": True,
            }
        )
        import_customers(session, SYSTEM, frame, source="test", at=at)
    with serve(f"sqlite:///{folder / 'ma.db'}", folder / "server.log") as url:
        yield App(url, database, {"mara": PASSWORD})
    database.close()


@pytest.fixture
def mara(shop, page, settled):
    """A page on which Mara has signed in through the form."""
    page.goto(shop.url)
    page.get_by_label("User name").fill("mara")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Sign out").wait_for(timeout=30_000)
    return settled(page)


def rows(shop, what, *conditions):
    with shop.database.reading() as session:
        return session.scalar(select(func.count()).select_from(what).where(*conditions))


def card(page, label):
    """The metric card of that label."""
    return page.get_by_test_id("stMetric").filter(has_text=label)


def add_customer(page, settled, shop):
    page.get_by_role("link", name="Customers").click()
    page.get_by_role("button", name="Add customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("First name").fill("Zoë")
    dialog.get_by_label("Last name").fill("Quist")
    dialog.get_by_role("textbox", name="E-mail").fill("zoe.quist@example.com")
    consent = dialog.get_by_test_id("stCheckbox").filter(has_text="E-mail")
    consent.click()
    expect(consent.get_by_role("checkbox")).to_be_checked()
    dialog.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", name="Zoë Quist")).to_be_visible()
    settled(page)
    assert rows(shop, Customer, Customer.last_name == "Quist", Customer.consent_email) == 1


def build_segment(page, settled, shop):
    """Everybody called Quist, or whose first name starts with Ada: she and the 400."""
    page.get_by_role("link", name="Segments").click()
    page.get_by_role("button", name="Start with an empty rule").click()
    page.get_by_label("Name", exact=True).fill("Quists and Adas")
    page.get_by_text("Any of", exact=True).click()
    pick(page, "Field", "Last name")
    pick(page, "Operator", "is")
    enter(page, "Value", "quist")
    card(page, "Customers chosen").get_by_text("1", exact=True).wait_for()
    page.get_by_role("button", name="Add group").first.click()
    expect(page.get_by_role("combobox", name="Field")).to_have_count(2)
    pick(page, "Field", "First name")
    pick(page, "Operator", "starts with")
    enter(page, "Value", "ada")
    card(page, "Customers chosen").get_by_text("401", exact=True).wait_for()
    expect(page.get_by_text("first name starts with “ada”").first).to_be_visible()
    page.get_by_role("button", name="Save segment").click()
    page.get_by_role("button", name="Refresh").wait_for()
    settled(page)
    assert rows(shop, Segment, Segment.size == 401) == 1


def launch_campaign(page, settled, shop):
    page.get_by_role("link", name="Campaigns", exact=True).click()
    page.get_by_role("button", name="Plan the first campaign").click()
    settled(page)
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("name", exact=False).filter(has_text="campaign").first).to_be_visible()
    expect(page.get_by_test_id("stAlert").first).to_be_visible()
    assert rows(shop, Campaign) == 0
    page.get_by_label("Name", exact=True).fill("First letter")
    pick(page, "Segment", "Quists and Adas")
    page.get_by_role("tab", name="Message").click()
    page.get_by_label("Subject").fill("Hello {{ first_name }}")
    page.get_by_role("textbox", name="Message").fill('Tea is on us, {{ first_name | default: "friend" }}.')
    page.get_by_role("tab", name="Cost and test").click()
    page.get_by_role("spinbutton", name="Cost per thousand").fill("50")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("button", name="Launch campaign").click()
    page.get_by_role("dialog").get_by_role("button", name="Launch now").click()
    page.get_by_role("button", name="Pause").wait_for(timeout=30_000)
    settled(page)
    assert rows(shop, Outcome, Outcome.sent_at.is_not(None)) == 401
    expect(card(page, "Sent")).to_contain_text("401")


def test_first_hour(mara, shop, settled):
    page = mara
    add_customer(page, settled, shop)
    build_segment(page, settled, shop)
    launch_campaign(page, settled, shop)

    page.get_by_role("button", name="Move the clock").click()
    page.get_by_role("button", name="A week forward").click()
    page.get_by_text("The clock moved 7 days forward").wait_for()
    settled(page)

    page.get_by_role("link", name="Results").click()
    page.get_by_text("Return on investment").wait_for()
    settled(page)
    as_of = clock.now() + timedelta(days=7)
    opened = rows(shop, Outcome, Outcome.opened_at <= as_of)
    with shop.database.reading() as session:
        earned = select(func.sum(Outcome.revenue_minor)).where(Outcome.converted_at <= as_of)
        revenue = session.scalar(earned) or 0
    assert opened > 0
    expect(card(page, "Messages sent")).to_contain_text("401")
    # 401 sent at 50.00 a thousand cost 20.05.
    expect(card(page, "ROI")).to_contain_text(f"{(revenue - 2005) / 2005 * 100:.0f} %")
    funnel = page.locator(".js-plotly-plot").first
    expect(funnel).to_contain_text("Opened")
    expect(funnel).to_contain_text(f"{opened:,}")

    page.get_by_role("button", name="Export").nth(1).click()
    href = page.get_by_role("link", name="CSV").last.get_attribute("href")
    downloaded = page.context.request.get(shop.url + href)
    assert downloaded.ok
    frame = pd.read_csv(io.BytesIO(downloaded.body()))
    assert frame.loc[0, ["name", "sent", "opened"]].tolist() == ["First letter", 401, opened]
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for(timeout=30_000)
    assert not page.context.request.get(shop.url + href).ok
    page.goto(shop.url + "/results")
    page.get_by_role("button", name="Sign in").wait_for(timeout=30_000)
    expect(page.get_by_text("First letter")).to_have_count(0)
    types = {"CustomersImported", "CustomerCreated", "SegmentCreated", "SegmentRefreshed", "CampaignCreated"}
    with shop.database.reading() as session:
        recorded = set(session.scalars(select(OutboxEvent.type)))
    assert types | {"CampaignLaunched"} <= recorded
