"""Two records become one, and a person is erased, in a real browser."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from ma import clock
from ma.models import Customer, ErasedIdentity
from ma.services.customers import create_customer
from ma.types import SYSTEM

pytestmark = pytest.mark.browser


@pytest.fixture
def somebody(app):
    def make(**values) -> int:
        with app.database.writing() as session:
            return create_customer(session, SYSTEM, at=clock.now(), **values)

    return make


def row(app, customer_id):
    with app.database.reading() as session:
        return session.execute(select(Customer.__table__).where(Customer.id == customer_id)).one()


def test_a_pair_is_compared_and_merged(app, page, signed_in, somebody):
    same = {"first_name": "Petra", "last_name": "Doppel**t**", "phone": "+49 30 99887766"}
    keep_id = somebody(**same, email="petra@example.com", consent_email=True)
    other_id = somebody(**same | {"phone": "030 99887766"}, city="Kiel", consent_sms=True)
    signed_in(page, "marketer", "/duplicates")
    pair = page.get_by_test_id("stVerticalBlock").filter(has_text="Same name and phone number").last
    expect(pair.get_by_text("Petra Doppel**t**").first).to_be_visible()
    page.get_by_role("button", name="Compare", exact=True).first.click()
    preview = page.get_by_role("dialog")
    expect(preview).to_contain_text("Is kept")
    expect(preview).to_contain_text("The other record has no history.")
    expect(preview).to_contain_text("SMS: not allowed (one of them does not allow it)")
    preview.get_by_role("radiogroup", name="Phone number").get_by_text("030 99887766").last.click()
    preview.get_by_role("button", name="Merge records").click()
    expect(page.get_by_text("The two records are one.")).to_be_visible()
    kept, other = row(app, keep_id), row(app, other_id)
    assert (kept.phone, kept.city, kept.consent_email, kept.consent_sms) == (
        "030 99887766",
        "Kiel",
        False,
        False,
    )
    assert other.merged_into == keep_id
    expect(page.get_by_text("Doppel**t**")).to_have_count(0)


def test_a_person_is_erased_after_a_confirmation(app, page, signed_in, settled, somebody):
    customer_id = somebody(first_name="Vera", last_name="Vergessen", email="vera@example.com")
    signed_in(page, "admin", f"/customers?id={customer_id}")
    page.get_by_role("button", name="Privacy").click()
    dialog = page.get_by_role("dialog")
    with page.expect_download() as started:
        dialog.get_by_role("link", name="Download everything").click()
    assert started.value.suggested_filename == f"customer-{customer_id}.json"
    dialog.get_by_role("button", name="Erase for good").click()
    expect(dialog.get_by_text("Type ERASE in capital letters to confirm.")).to_be_visible()
    assert row(app, customer_id).email == "vera@example.com"
    dialog.get_by_label("Type ERASE to confirm").fill("ERASE")
    dialog.get_by_label("Type ERASE to confirm").press("Tab")
    settled(page)
    dialog.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("The person is erased.")).to_be_visible()
    expect(page.get_by_label("Search customers")).to_be_visible()
    erased = row(app, customer_id)
    assert (erased.email, erased.first_name, erased.search_text) == (None, None, "")
    with app.database.reading() as session:
        assert session.scalar(select(ErasedIdentity.hash)) is not None
    signed_in(page, "admin", f"/customers?id={customer_id}")
    expect(page.get_by_text(re.compile(f"There is no customer {customer_id}"))).to_be_visible()
