"""Customers in a real browser: add, find, open, change, delete; names that try to be code."""

import re

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from ma import clock
from ma.models import Customer
from ma.services.customers import create_customer, update_customer
from ma.services.facts import import_purchases
from ma.services.profiles import rebuild_profiles
from ma.types import SYSTEM

pytestmark = pytest.mark.browser

NASTY = ("**x** <b>y</b>", "![i](http://e.test/i.png) $x$ :material/home:")
BUTTON_COLUMN, HEADER, ROW = 30, 36, 35


@pytest.fixture
def somebody(app):
    """`somebody(first_name="Zoë")` adds a customer and returns their id."""

    def make(**values) -> int:
        with app.database.writing() as session:
            return create_customer(session, SYSTEM, at=clock.now(), **values)

    return make


@pytest.fixture
def bought(app):
    """`bought(customer_id, 1250)` gives them an order of that amount, made yesterday."""

    def buy(customer_id: int, amount_minor: int) -> None:
        at = clock.now()
        key = f"order-{customer_id}"
        order = pd.DataFrame(
            {
                "external_key": [key],
                "customer_id": [customer_id],
                "kind": ["sale"],
                "at": pd.to_datetime([at], utc=True) - pd.Timedelta(days=1),
                "amount_minor": [amount_minor],
            }
        )
        line = pd.DataFrame(
            {"external_key": [key], "category": ["Tea"], "quantity": [2], "amount_minor": [amount_minor]}
        )
        with app.database.writing() as session:
            import_purchases(session, SYSTEM, order, line, source="test", at=at)
            rebuild_profiles(session, as_of=at, customer_ids=[customer_id])

    return buy


def how_many(app) -> int:
    with app.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Customer).where(Customer.deleted_at.is_(None)))


def search(page, words: str) -> None:
    box = page.get_by_label("Search customers")
    box.click()
    box.press_sequentially(words, delay=20)


def found(page, customers: int) -> None:
    noun = "customer" if customers == 1 else "customers"
    expect(page.get_by_text(re.compile(rf"^{customers} {noun} of "))).to_be_visible()


def open_row(page, row: int, settled) -> None:
    """Click "Open" in a row of the list, which is painted on a canvas."""
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    settled(page)
    table.click(position={"x": BUTTON_COLUMN, "y": HEADER + ROW * row + ROW // 2})


def test_a_customer_is_added_and_opens(app, page, signed_in):
    signed_in(page, "marketer", "/customers")
    before = how_many(app)
    page.get_by_role("button", name=re.compile("^Add (the first )?customer")).click()
    form = page.get_by_role("dialog")
    form.get_by_label("First name").fill("Øyvind")
    form.get_by_label("Last name").fill("NA")
    form.get_by_label("Phone").fill("00491701")
    form.get_by_role("textbox", name="E-mail").fill("oyvind@example.com")
    form.get_by_text("SMS", exact=True).click()
    form.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", name="Øyvind NA")).to_be_visible()
    expect(page.get_by_text("The customer is saved.")).to_be_visible()
    expect(page.get_by_text("SMS: allowed").first).to_be_visible()
    expect(page.get_by_text("E-mail: not allowed").first).to_be_visible()
    expect(page.get_by_text("00491701")).to_be_visible()
    assert re.search(r"[?&]id=\d+$", page.url)
    assert how_many(app) == before + 1


def test_wrong_input_is_explained_and_changes_nothing(app, page, signed_in, somebody):
    somebody(first_name="First", email="taken@example.com")
    before = how_many(app)
    signed_in(page, "marketer", "/customers")
    page.get_by_role("button", name="Add customer").click()
    form = page.get_by_role("dialog")
    send = form.get_by_role("button", name="Add customer")
    send.click()
    expect(form.get_by_text("Give at least one of first name")).to_be_visible()
    form.get_by_role("textbox", name="E-mail").fill("no address")
    form.get_by_label("Phone").fill("call me")
    send.click()
    expect(form.get_by_text("This is not an e-mail address.")).to_be_visible()
    expect(form.get_by_text("This is not a phone number.")).to_be_visible()
    form.get_by_label("Phone").fill("")
    form.get_by_role("textbox", name="E-mail").fill("TAKEN@example.com")
    send.click()
    expect(form.get_by_text("already belongs to customer")).to_be_visible()
    assert how_many(app) == before
    # What was typed is still there, and closing the form forgets it.
    expect(form.get_by_role("textbox", name="E-mail")).to_have_value("TAKEN@example.com")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("dialog").get_by_role("textbox", name="E-mail")).to_have_value("")


def test_search_folds_accents_and_takes_words_in_any_order(page, signed_in, settled, somebody, bought):
    zoe = somebody(first_name="Zoë", last_name="Ångström", city="Malmö")
    bought(zoe, 1250)
    somebody(first_name="Zoe", last_name="Other", city="Malmö")
    signed_in(page, "viewer", "/customers")
    search(page, "angstrom ZOE")
    found(page, 1)
    expect(page).to_have_url(re.compile(r"q=angstrom\+ZOE"))
    open_row(page, 0, settled)
    expect(page.get_by_role("heading", name="Zoë Ångström")).to_be_visible()
    value = page.get_by_test_id("stMetric").filter(has_text="Lifetime value")
    expect(value).to_contain_text("€12.50")
    expect(page.get_by_text("Spending by category")).to_be_visible()
    expect(page.get_by_text("Tea", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_have_count(0)
    page.get_by_role("button", name="All customers").click()
    found(page, 1)
    expect(page.get_by_label("Search customers")).to_have_value("angstrom ZOE")
    search(page, " nobody")
    expect(page.get_by_text("Nobody fits this search.")).to_be_visible()


def test_a_profile_is_changed_and_the_second_editor_is_told(app, page, signed_in, settled, somebody):
    customer_id = somebody(first_name="Greta", last_name="Old", city="Bonn")
    signed_in(page, "marketer", f"/customers?id={customer_id}")
    page.get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Last name").fill("Newname")
    form.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", name="Greta Newname")).to_be_visible()
    settled(page)

    page.get_by_role("button", name="Edit").click()
    settled(page)
    expect(form.get_by_label("Last name")).to_have_value("Newname")
    with app.database.writing() as session:
        update_customer(session, SYSTEM, customer_id, version=2, at=clock.now(), last_name="Rival")
    form.get_by_label("Last name").fill("Too late")
    form.get_by_role("button", name="Save changes").click()
    expect(form.get_by_text("changed by somebody else since you opened it")).to_be_visible()
    with app.database.reading() as session:
        assert session.get(Customer, customer_id).last_name == "Rival"


def test_what_is_found_is_filtered_kept_as_a_view_tagged_and_listed(app, page, signed_in, settled, somebody):
    for number, city in enumerate(("Graz", "Graz", "Linz")):
        somebody(first_name="Vera", last_name=f"Filterling{number}", city=city)
    signed_in(page, "marketer", "/customers?q=filterling")
    found(page, 3)
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("combobox", name="Add a filter").fill("City")
    page.keyboard.press("Enter")
    settled(page)
    value = page.get_by_label("Value", exact=True)
    value.fill("graz")
    value.press("Enter")
    found(page, 2)
    expect(page.get_by_role("button", name="City is “graz”")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what you see as").fill("Graz")
    page.get_by_role("button", name="Save view").click()
    expect(page).to_have_url(re.compile(r"[?&]view=\d+"))
    view = re.search(r"[?&]view=(\d+)", page.url).group(1)
    signed_in(page, "marketer", f"/customers?view={view}")
    found(page, 2)
    _do_with_all(page, "Add a tag")
    page.get_by_role("dialog").get_by_role("combobox").fill("Styria")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Tag 2 customers").click()
    expect(page.get_by_text("“Styria” was put on 2 customers.")).to_be_visible()
    _do_with_all(page, "Add to a list")
    page.get_by_label("Name of the new list").fill("From Graz")
    page.get_by_role("dialog").get_by_role("button", name="Add 2 customers").click()
    expect(page.get_by_text("2 customers added to “From Graz”.")).to_be_visible()


def test_erasing_all_found_asks_for_their_number(app, page, signed_in, somebody):
    for number in range(2):
        somebody(first_name="Forget", last_name=f"Erasable{number}")
    before = how_many(app)
    signed_in(page, "admin", "/customers?q=erasable")
    found(page, 2)
    _do_with_all(page, "Erase for good")
    question = page.get_by_role("dialog")
    erase = question.get_by_role("button", name="Erase 2 customers")
    expect(erase).to_be_disabled()
    question.get_by_label("Type the number 2 to confirm").press_sequentially("3")
    expect(erase).to_be_disabled()
    question.get_by_label("Type the number 2 to confirm").fill("2")
    expect(erase).to_be_enabled()
    erase.click()
    expect(page.get_by_text("2 customers erased.")).to_be_visible()
    expect(page.get_by_text("Nobody fits this search.")).to_be_visible()
    assert how_many(app) == before - 2


def _do_with_all(page, action: str) -> None:
    page.get_by_role("button", name="Actions").click()
    page.get_by_text(action, exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_deleting_asks_once_and_takes_the_customer_away(app, page, signed_in, somebody):
    customer_id = somebody(first_name="Gone", last_name="Tomorrow")
    somebody(first_name="Stays")
    signed_in(page, "marketer", f"/customers?id={customer_id}")
    page.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Gone Tomorrow disappears from every list")
    question.get_by_role("button", name="Keep").click()
    expect(question).to_have_count(0)
    before = how_many(app)
    page.get_by_role("button", name="Delete").click()
    question.get_by_role("button", name="Delete customer").click()
    expect(page.get_by_text("Gone Tomorrow is deleted.")).to_be_visible()
    expect(page.get_by_label("Search customers")).to_be_visible()
    assert how_many(app) == before - 1
    signed_in(page, "marketer", f"/customers?id={customer_id}")
    expect(page.get_by_text(f"There is no customer {customer_id}.")).to_be_visible()


def test_a_form_of_somebody_who_was_signed_out_saves_nothing(app, page, signed_in, somebody):
    customer_id = somebody(first_name="Safe", last_name="Here")
    signed_in(page, "marketer", f"/customers?id={customer_id}")
    page.get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Last name").fill("Hacked")
    with app.database.writing() as session:
        from ma.models import UserSession

        session.query(UserSession).delete()
    form.get_by_role("button", name="Save changes").click()
    expect(page.get_by_label("User name")).to_be_visible()
    with app.database.reading() as session:
        assert session.get(Customer, customer_id).last_name == "Here"


def test_a_name_that_looks_like_code_is_shown_as_it_is(page, signed_in, settled, somebody):
    customer_id = somebody(first_name=NASTY[0], last_name=NASTY[1], city="<script>1</script>")
    whole = " ".join(NASTY)
    signed_in(page, "marketer", "/customers?q=e.test")
    found(page, 1)
    # The canvas has a twin of itself for screen readers.
    expect(page.get_by_test_id("stDataFrame").get_by_text(whole)).to_have_count(1)
    open_row(page, 0, settled)
    expect(page.get_by_role("heading", name=whole)).to_be_visible()
    assert page.url.endswith(f"id={customer_id}")
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text("<script>1</script>")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"{whole} disappears")
    for element in ("b", "img[src*='e.test']", ".katex"):
        assert page.locator(f"[data-testid=stMain] {element}, [role=dialog] {element}").count() == 0
    page.get_by_role("dialog").get_by_role("button", name="Delete customer").click()
    expect(page.get_by_test_id("stToast")).to_contain_text(f"{whole} is deleted.")
