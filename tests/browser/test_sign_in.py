"""Signing in and out in a real browser, against the real server."""

import re

import pytest
from playwright.sync_api import expect

from ma import clock
from ma.models import Workspace
from ma.services import auth
from ma.types import SYSTEM

pytestmark = pytest.mark.browser


@pytest.fixture
def somebody(app):
    """Makes a user of their own for a test that changes the account."""

    def make(username, role="marketer", name="Some Body"):
        with app.database.writing() as session:
            app.passwords[username] = "a kettle on the hob"
            return auth.create_user(
                session,
                SYSTEM,
                username=username,
                name=name,
                role=role,
                password=app.passwords[username],
                at=clock.now(),
            )

    return make


def signed_out(page):
    expect(page.get_by_label("User name")).to_be_visible()
    expect(page.get_by_text("Sign out")).to_have_count(0)


def on_results(page):
    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()


def test_a_deep_link_shows_strangers_nothing_and_survives_signing_in(app, page, sign_in):
    received = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(frame)))
    page.goto(f"{app.url}/results?campaign=1")
    signed_out(page)
    assert page.get_by_test_id("stSidebarNav").count() == 0
    told = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in received)
    assert b"Find customers, build segments" in told
    assert b"Test shop" not in told
    assert b"Sign out" not in told
    sign_in(page, "marketer")
    on_results(page)
    assert page.url.startswith(f"{app.url}/results?campaign=1")
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar).to_contain_text("Marketer Example")
    expect(sidebar).to_contain_text("Test shop")


def test_the_cookie_is_out_of_reach_of_scripts_and_reloading_stays_signed_in(app, page, sign_in):
    page.goto(f"{app.url}/results")
    sign_in(page, "analyst")
    on_results(page)
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == "ma_session")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert "ma_session" not in page.evaluate("document.cookie")
    page.reload()
    on_results(page)
    assert not page.evaluate("performance.getEntriesByType('resource').some(e => e.name.includes('ticket='))")


def test_the_policy_blocks_nothing_that_the_screens_need(app, page, signed_in):
    blocked = []
    page.on("console", lambda line: blocked.append(line.text) if "Content Security" in line.text else None)
    signed_in(page, "admin", "/")
    signed_in(page, "admin", "/results")
    assert blocked == []


def test_a_wrong_password_says_so_and_keeps_what_was_typed(app, page, sign_in):
    page.goto(app.url)
    sign_in(page, "marketer", "not the right one")
    expect(page.get_by_text("The user name or the password is not right.")).to_be_visible()
    expect(page.get_by_label("User name")).to_have_value("marketer")
    assert "ma_session" not in [cookie["name"] for cookie in page.context.cookies()]


def test_after_five_failures_one_must_wait(app, page, sign_in):
    page.goto(app.url)
    page.get_by_label("User name").wait_for()
    with app.database.writing() as session:
        for _ in range(12):
            auth.begin_attempt(session, username="nobody", address=None, at=clock.now())
        row = session.get(auth.SignInFailure, auth._subjects("nobody", None)[0])
        row.blocked_until = clock.now() + auth.LONGEST_WAIT
    sign_in(page, "nobody", "some password or other")
    expect(page.get_by_text("Too many failed attempts. Wait 15 minutes, then try again.")).to_be_visible()


def test_there_is_no_demo_login_outside_a_demo_world(app, page):
    page.goto(app.url)
    signed_out(page)
    expect(page.get_by_text("This is a demo")).to_have_count(0)


def test_signing_out_ends_the_session_for_good(app, page, sign_in, context):
    page.goto(f"{app.url}/results")
    sign_in(page, "marketer")
    on_results(page)
    stolen = [cookie for cookie in context.cookies() if cookie["name"] == "ma_session"]
    page.get_by_role("button", name="Sign out").click()
    signed_out(page)
    assert "ma_session" not in [cookie["name"] for cookie in context.cookies()]
    page.go_back()
    signed_out(page)
    page.reload()
    signed_out(page)
    context.add_cookies(stolen)
    page.goto(f"{app.url}/results")
    signed_out(page)
    assert page.request.get(f"{app.url}/export/campaigns.csv").status == 401


def test_signing_out_reaches_the_other_tab_at_its_next_step(app, page, context, signed_in, settled):
    signed_in(page, "marketer", "/results")
    other = context.new_page()
    other.goto(f"{app.url}/results")
    on_results(other)
    settled(other)
    page.get_by_role("button", name="Sign out").click()
    signed_out(page)
    other.get_by_test_id("stSidebarNav").get_by_role("link", name="Home").click()
    signed_out(other)


@pytest.mark.parametrize("change", ["disable", "role", "password"])
def test_a_changed_account_is_signed_out_in_open_tabs(app, page, signed_in, somebody, change):
    username = f"changed-{change}"
    user_id = somebody(username)
    signed_in(page, username, "/results")
    with app.database.writing() as session:
        at = clock.now()
        if change == "disable":
            auth.set_active(session, SYSTEM, user_id=user_id, active=False, at=at)
        elif change == "role":
            auth.set_role(session, SYSTEM, user_id=user_id, role="viewer", at=at)
        else:
            auth.change_password(session, SYSTEM, user_id=user_id, password="another kettle of fish", at=at)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Home").click()
    signed_out(page)


def test_a_viewer_gets_no_export_and_an_analyst_does(app, page, signed_in):
    signed_in(page, "viewer", "/results")
    on_results(page)
    expect(page.get_by_role("button", name=re.compile("Export"))).to_have_count(0)
    assert page.request.get(f"{app.url}/export/campaigns.csv").status == 403
    page.context.clear_cookies()
    signed_in(page, "analyst", "/results")
    assert page.request.get(f"{app.url}/export/campaigns.csv").status == 200


def test_a_name_is_shown_as_it_is(app, page, signed_in, somebody):
    name = "**Bo** ![x](http://beacon.test/x.png) $a^2$ :material/home: :red[y] <b>z</b>"
    somebody("literal", name=name)
    signed_in(page, "literal", "/results")
    expect(page.get_by_test_id("stSidebar")).to_contain_text(name)


def test_the_sidebar_says_what_is_invented_in_a_demo_world(app, page, signed_in):
    note = "Demo data. Names, e-mail addresses, consent and visits are invented."
    signed_in(page, "viewer", "/results")
    expect(page.get_by_text(note)).to_have_count(0)
    with app.database.writing() as session:
        session.get(Workspace, 1).demo_loaded_at = clock.now()
    try:
        page.reload()
        expect(page.get_by_text(note)).to_be_visible()
    finally:
        with app.database.writing() as session:
            session.get(Workspace, 1).demo_loaded_at = None
