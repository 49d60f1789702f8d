"""Users, API tokens and webhooks in a real browser: made, shown once, tried, ended."""

import re

import pytest
from playwright.sync_api import expect

from ma import clock
from ma.services import auth, webhooks
from ma.services.tokens import token_actor
from ma.types import SYSTEM
from ma.webhooks.addresses import Allowed, check
from tests.browser.widgets import press
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.browser
PASSWORD = "a kettle on the hob"


def dialog(page):
    return page.get_by_role("dialog")


def test_an_admin_adds_somebody_who_then_signs_in(app, page, signed_in, sign_in, browser):
    signed_in(page, "admin", "/users")
    press(page, "Add user")
    box = dialog(page)
    box.get_by_label("Name", exact=True).fill("Nora **Neu**")
    box.get_by_label("User name").fill("nora")
    box.get_by_label("Password", exact=True).fill("short")
    box.get_by_role("button", name="Add user").click()
    expect(box.get_by_text("Use at least 12")).to_be_visible()
    box.get_by_label("Password", exact=True).fill(PASSWORD)
    box.get_by_role("button", name="Add user").click()
    expect(box).to_have_count(0)
    expect(page.get_by_text("They may sign in now.")).to_be_visible()
    other = browser.new_page()
    other.goto(app.url)
    sign_in(other, "nora", PASSWORD)
    expect(other.get_by_test_id("stSidebar")).to_contain_text("Nora **Neu**")
    other.close()


def test_a_reset_password_is_shown_once_and_opens(app, page, signed_in):
    with app.database.writing() as session:
        user_id = auth.create_user(
            session, SYSTEM, username="resi", name="Resi", role="viewer", password=PASSWORD, at=clock.now()
        )
    signed_in(page, "admin", f"/users?id={user_id}")
    press(page, "Reset password")
    press(page, "Make a new password")
    shown = dialog(page).get_by_test_id("stCode")
    expect(shown).to_be_visible()
    password = shown.inner_text().strip()
    press(page, "I have copied it")
    expect(dialog(page)).to_have_count(0)
    with app.database.reading() as session:
        assert auth.matches(password, auth.find_account(session, "resi").password_hash)
    press(page, "Reset password")
    expect(dialog(page).get_by_text("A new password is made")).to_be_visible()
    expect(dialog(page).get_by_text(password)).to_have_count(0)
    press(page, "Keep the old one")
    press(page, "Disable user")
    dialog(page).get_by_role("button", name="Disable user").click()
    expect(page.get_by_role("button", name="Enable user")).to_be_visible()
    with app.database.reading() as session:
        assert auth.find_account(session, "resi") is None


def test_an_analyst_makes_a_token_and_revokes_it(app, page, signed_in, settled):
    signed_in(page, "analyst", "/tokens")
    press(page, "Make token")
    box = dialog(page)
    box.get_by_label("Program").fill("Monthly figures")
    expect(box.get_by_label("In whose name")).to_have_count(0)
    box.get_by_role("button", name="Make token").click()
    shown = box.get_by_test_id("stCode")
    expect(shown).to_contain_text("ma_")
    secret = shown.inner_text().strip()
    press(page, "I have copied it")
    expect(box).to_have_count(0)
    answer = page.request.get(f"{app.url}/api/auth/me", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["username"] == "analyst"
    settled(page)
    grid = page.get_by_test_id("stDataFrame").bounding_box()
    page.mouse.click(grid["x"] + 18, grid["y"] + 54)
    press(page, "Revoke Monthly figures")
    press(page, "Revoke token")
    expect(page.get_by_text("No token is in use")).to_be_visible()
    with app.database.reading() as session:
        assert token_actor(session, secret, now=clock.now()) is None


@pytest.mark.parametrize("path", ["/users", "/webhooks"])
def test_who_is_no_admin_finds_neither_users_nor_webhooks(app, page, signed_in, path):
    signed_in(page, "marketer", path)
    navigation = page.get_by_test_id("stSidebarNav")
    expect(navigation.get_by_role("link", name="API tokens")).to_be_visible()
    expect(navigation.get_by_role("link", name=path.strip("/").capitalize())).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^Add (user|webhook)"))).to_have_count(0)


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.stop()


def test_a_webhook_is_added_tried_and_deleted(app, page, signed_in, receiver):
    signed_in(page, "admin", "/webhooks")
    press(page, "Add webhook")
    box = dialog(page)
    box.get_by_label("System").fill("Order *system*")
    box.get_by_label("Address").fill("https://10.0.0.1/hook")
    box.get_by_role("button", name="Add webhook").click()
    expect(box.get_by_text("private network")).to_be_visible()
    box.get_by_label("Address").fill(receiver.url)
    # Only the first of many are drawn: what is typed finds the others.
    box.get_by_label("Tell it when").fill("Lead won")
    page.get_by_role("option", name="Lead won").click()
    box.get_by_label("System").click()
    box.get_by_role("button", name="Add webhook").click()
    expect(box.get_by_test_id("stCode")).to_contain_text("whsec_")
    press(page, "I have copied it")
    expect(box).to_have_count(0)
    with app.database.reading() as session:
        [one] = [hook for hook in webhooks.webhooks(session, SYSTEM) if hook.name == "Order *system*"]
    signed_in(page, "admin", f"/webhooks?id={one.webhook_id}")
    expect(page.get_by_role("heading", name="Order *system*")).to_be_visible()
    press(page, "Send a test")
    expect(page.get_by_text("The test was taken: answered 204")).to_be_visible()
    receiver.answer = 500
    press(page, "Send a test")
    expect(page.get_by_text("The test was not taken. It answered 500.")).to_be_visible()
    press(page, "Disable")
    expect(page.get_by_role("button", name="Enable")).to_be_visible()
    press(page, "Delete")
    press(page, "Delete webhook")
    expect(page.get_by_role("heading", name="Order *system*")).to_have_count(0)
    assert len(receiver.received) == 2


def test_what_failed_is_sent_again_by_the_app_itself(app, page, signed_in, receiver):
    with app.database.writing() as session:
        address = check(receiver.url, Allowed("127.0.0.1"))
        made = webhooks.create_webhook(
            session, SYSTEM, address, name="Again", types=["LeadWon"], at=clock.now()
        )
        webhooks.add_test(session, SYSTEM, made.webhook_id, at=clock.now())
    signed_in(page, "admin", f"/webhooks?id={made.webhook_id}")
    press(page, "Try 1 again now")
    for _ in range(100):
        if receiver.received:
            break
        page.wait_for_timeout(100)
    assert len(receiver.received) == 1
    page.reload()
    expect(page.get_by_text("Delivered 1")).to_be_visible()


def test_somebody_changes_their_own_password(app, page, signed_in, sign_in):
    with app.database.writing() as session:
        auth.create_user(
            session, SYSTEM, username="paul", name="Paul", role="viewer", password=PASSWORD, at=clock.now()
        )
    signed_in(page, "paul", "/")
    press(page, "Change password")
    box = dialog(page)
    for present, words in (("not the right one", "is not right"), (PASSWORD, None)):
        box.get_by_label("Present password").fill(present)
        box.get_by_label("New password", exact=True).fill("another kettle of fish")
        box.get_by_label("New password again").fill("another kettle of fish")
        box.get_by_role("button", name="Change password").click()
        if words:
            expect(box.get_by_text(words)).to_be_visible()
    expect(page.get_by_label("User name")).to_be_visible()
    sign_in(page, "paul", "another kettle of fish")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Paul")
