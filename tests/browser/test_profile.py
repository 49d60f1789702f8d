"""A customer's screen in a real browser: tags, own fields and notes are changed where they stand."""

import pytest
from playwright.sync_api import expect

from ma import clock
from ma.analytics.attributes import values
from ma.analytics.tags import customer_tags
from ma.models import Customer
from ma.services.customers import create_customer
from ma.types import SYSTEM

pytestmark = pytest.mark.browser


def test_tags_fields_and_notes_are_changed_where_they_stand(app, page, signed_in, settled):
    with app.database.writing() as session:
        person = create_customer(session, SYSTEM, at=clock.now(), first_name="Paula", last_name="Profile")
    signed_in(page, "marketer", f"/customers?id={person}")

    # A new tag is typed; one with a comma is refused and the field shows what is so.
    tags = page.get_by_test_id("stMultiSelect").first
    for typed in ("Wine club", "red, white"):
        tags.get_by_role("combobox").click()
        tags.get_by_role("combobox").press_sequentially(typed, delay=20)
        expect(tags.get_by_role("combobox")).to_have_value(typed)
        tags.get_by_role("combobox").press("Enter")
        expect(tags.locator("[data-tag]").first).to_contain_text("Wine club")
        # The screen is drawn once more with what was kept; what is typed before that is lost.
        page.wait_for_timeout(500)
        settled(page)
    expect(page.get_by_text("A tag holds no commas")).to_be_visible()
    expect(tags.locator("[data-tag]").filter(visible=True)).to_have_count(1)
    with app.database.reading() as session:
        one = {"customer_id": person, "as_of": clock.now()}
        assert customer_tags(session, **one)["name"].tolist() == ["Wine club"]

    # The open list of tags hides everything else from whoever reads by role.
    page.keyboard.press("Escape")
    settled(page)

    # A field of the workspace's own is added, then filled in: first wrong, then right.
    page.get_by_role("button", name="Manage fields").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Loyalty points")
    dialog.get_by_label("Kind").click()
    page.get_by_role("option", name="Number").click()
    dialog.get_by_role("button", name="Add field").click()
    expect(dialog.get_by_text("'Loyalty points' is added.")).to_be_visible()
    settled(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Fill in").click()
    dialog.get_by_label("Loyalty points").fill("many")
    dialog.get_by_label("Last name").fill("Renamed")
    dialog.get_by_role("button", name="Save changes").click()
    expect(dialog.get_by_text("This is not a number")).to_be_visible()
    with app.database.reading() as session:
        assert session.get(Customer, person).last_name == "Profile"
    dialog.get_by_label("Loyalty points").fill("12.5")
    dialog.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", name="Paula Renamed")).to_be_visible()
    expect(page.get_by_text("12.5", exact=True)).to_be_visible()
    with app.database.reading() as session:
        assert list(values(session, person).values()) == [12.5]

    # A note is written and corrected; the address says which tab is open.
    page.get_by_role("tab", name="Notes").click()
    page.get_by_label("New note").fill("Call on **Monday**.")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_text("Call on **Monday**.", exact=True)).to_be_visible()
    assert "tab=notes" in page.url
    page.get_by_test_id("stTabs").get_by_role("button", name="Edit").click()
    dialog.get_by_label("Note").fill("Call on Friday.")
    dialog.get_by_role("button", name="Save note").click()
    expect(page.get_by_text("Call on Friday.", exact=True)).to_be_visible()
    expect(page.get_by_text("marketer, ")).to_contain_text("edited")
