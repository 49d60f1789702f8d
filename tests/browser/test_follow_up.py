"""A lead won, a ticket closed, a suppression lifted and a failed event tried again, in a real browser."""

import json
import time
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, insert, select

from ma import clock
from ma.events import outbox
from ma.events.messages import OutcomesRecorded
from ma.models import CustomerFact, Lead, SalesDeadLetter, SalesRep, Suppression, Ticket
from ma.services.customers import create_customer
from ma.subscribers import leads
from ma.types import SYSTEM
from tests.subscribers.bus_world import bought, outcomes

pytestmark = pytest.mark.browser
# Of no campaign of another test.
CAMPAIGN = 770_044


def until(database, query, *, seconds=30):
    """What a query gives as soon as it gives something: the server works on events beside the screens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with database.reading() as session:
            if (found := session.scalar(query)) is not None:
                return found
        time.sleep(0.2)
    raise AssertionError(f"Nothing came within {seconds} seconds: {query}")


@pytest.fixture(scope="module")
def people(app):
    """Hedwig bought, Konrad complained; their ids."""
    at = clock.now()
    with app.database.writing() as session:
        ids = [
            create_customer(session, SYSTEM, at=at, first_name=name, last_name="Nachlauf")
            for name in ("Hedwig", "Konrad")
        ]
        happened = {"campaign_id": CAMPAIGN, "at": at}
        outbox.record_all(
            session, [bought(ids[0], **happened), outcomes("complained", ids[1], **happened)], at=at
        )
    until(app.database, select(Lead.id).where(Lead.customer_id == ids[0]))
    until(app.database, select(Ticket.id).where(Ticket.customer_id == ids[1]))
    return ids


def first_row(page, key):
    """Choose the first row of a table by the box before it."""
    table = page.locator(f"[class*='st-key-{key}']").get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 35 + 17)


def test_a_lead_is_found_moved_on_and_won(app, page, signed_in, settled, people):
    lead_id = until(app.database, select(Lead.id).where(Lead.customer_id == people[0]))
    with app.database.writing() as session:
        leads.add_rep(session, SYSTEM, name="Ottilie Nachlauf")
        version = session.scalar(select(Lead.version).where(Lead.id == lead_id))
        leads.assign_lead(session, SYSTEM, lead_id, owner="Ottilie Nachlauf", version=version, at=clock.now())
    signed_in(page, "marketer", "/sales?owner=Ottilie+Nachlauf")
    first_row(page, "lead-list")
    page.wait_for_url(f"**/sales?id={lead_id}", timeout=20_000)
    expect(page.get_by_role("heading", name="Hedwig Nachlauf")).to_be_visible()
    settled(page)
    page.get_by_role("radio", name="Qualified").click()
    until(app.database, select(Lead.id).where(Lead.id == lead_id, Lead.stage == "qualified"))
    settled(page)
    page.get_by_role("button", name="Won").click()
    page.get_by_label("What they will pay").fill("1250.50")
    page.get_by_label("What they will pay").press("Tab")
    page.get_by_role("button", name="Close as won").click()
    until(app.database, select(Lead.id).where(Lead.id == lead_id, Lead.value_minor == 125_050))
    expect(page.get_by_role("button", name="Close as won")).to_have_count(0)
    # The sale comes back as a fact on the customer.
    fact = select(CustomerFact.amount_minor).where(
        CustomerFact.customer_id == people[0], CustomerFact.kind == "lead_won"
    )
    assert until(app.database, fact) == 125_050
    with app.database.writing() as session:
        rep = session.scalar(select(SalesRep.id).where(SalesRep.name == "Ottilie Nachlauf"))
        leads.retire_rep(session, SYSTEM, rep_id=rep)


def test_a_ticket_is_closed_with_a_note_and_a_suppression_lifted(app, page, signed_in, settled, people):
    ticket_id = until(app.database, select(Ticket.id).where(Ticket.customer_id == people[1]))
    signed_in(page, "marketer", f"/service?id={ticket_id}")
    page.get_by_role("button", name="Close ticket").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Apologised").or_(
        dialog.get_by_role("button", name="Apologised")
    ).first.click()
    dialog.get_by_label("Note").fill("Called him; all is well.")
    dialog.get_by_label("Note").press("Control+Enter")
    settled(page)
    dialog.get_by_role("button", name="Close it").click()
    closed = select(Ticket.note).where(Ticket.id == ticket_id, Ticket.status == "closed")
    assert until(app.database, closed) == "Called him; all is well."

    page.goto(f"{app.url}/service?list=Suppressions&because=Complained")
    settled(page)
    first_row(page, "suppressed-")
    expect(page.get_by_text("Konrad Nachlauf: E-mail, complained")).to_be_visible()
    page.get_by_role("button", name="Lift the suppression").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="They asked for it").or_(
        dialog.get_by_role("button", name="They asked for it")
    ).first.click()
    settled(page)
    dialog.get_by_role("button", name="Lift it").click()
    expect(dialog).to_have_count(0)
    with app.database.reading() as session:
        left = select(func.count()).select_from(Suppression).where(Suppression.customer_id == people[1])
        assert session.scalar(left) == 0


def test_the_feed_lives_without_the_page_being_drawn_again(app, page, signed_in, people):
    signed_in(page, "viewer", "/activity?types=Outcomes+recorded")
    feed = page.get_by_text("Latest events", exact=True)
    expect(feed).to_be_visible()
    table = page.get_by_test_id("stDataFrame").last.element_handle()
    page.evaluate("window.drawnOnce = true")
    at = clock.now()
    with app.database.writing() as session:
        events = [
            outcomes("bounced", 9_000_000 + number, campaign_id=CAMPAIGN + 1 + number, at=at)
            for number in range(5)
        ]
        outbox.record_all(session, events, at=at)
    # Everybody has it: it was sent, and acted on, while the page stood there.
    cells = page.locator("[data-testid^='glide-cell']")
    expect(cells.filter(has_text=f"campaign {CAMPAIGN + 5}, ")).to_have_count(1)
    expect(cells.filter(has_text="Waiting")).to_have_count(0)
    assert page.evaluate("window.drawnOnce")
    assert table.evaluate("element => element.isConnected")


def test_a_failed_event_is_tried_again_by_an_admin(app, page, signed_in, settled, people):
    at = clock.now()
    event = bought(people[1], campaign_id=CAMPAIGN, at=at)
    letter = {
        "event_id": "77004400-0000-4000-8000-000000000001",
        "source": "ma",
        "type": "OutcomesRecorded",
        "version": OutcomesRecorded.version,
        "occurred_at": at,
        "payload": json.loads(event.model_dump_json()),
        "attempts": 5,
        "failed_at": at + timedelta(seconds=1),
        "error": "ZeroDivisionError (reference 1a2b)",
    }
    with app.database.writing() as session:
        session.execute(insert(SalesDeadLetter).values(**letter))
    signed_in(page, "admin", "/activity?activity=Failed+events")
    first_row(page, "failed-events")
    expect(page.get_by_test_id("stText")).to_have_text(letter["error"])
    page.get_by_role("button", name="Try again", exact=True).click()
    until(app.database, select(Lead.id).where(Lead.customer_id == people[1]))
    page.reload()
    settled(page)
    expect(page.get_by_text("No event has failed.")).to_be_visible()


def test_somebody_joins_the_sales_team_and_leaves_it(app, page, signed_in, settled, people):
    name = "**Theo** O'Nachlauf"
    signed_in(page, "marketer", "/sales")
    page.get_by_role("button", name="Sales team").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_role("button", name="Add to the team").click()
    # Shown as it was typed.
    expect(dialog.get_by_text(name)).to_be_visible()
    rep_id = until(app.database, select(SalesRep.id).where(SalesRep.name == name, SalesRep.active))
    settled(page)
    dialog.locator(f".st-key-retire-{rep_id}").get_by_role("button").first.click()
    expect(dialog.get_by_text(name)).to_have_count(0)
    assert until(app.database, select(SalesRep.name).where(SalesRep.id == rep_id, ~SalesRep.active)) == name


def test_an_address_of_nothing_says_so_and_leads_back(page, signed_in, settled):
    signed_in(page, "viewer", "/sales?id=999999999")
    expect(page.get_by_text("There is no lead 999999999.")).to_be_visible()
    page.get_by_role("button", name="All leads").click()
    settled(page)
    expect(page.get_by_text("People who showed interest in a campaign")).to_be_visible()
