"""Signing in at the company's identity provider: the real server, a real provider, a real browser."""

import shutil

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from ma import clock
from ma.db.engine import connect
from ma.models import User
from ma.services import auth
from ma.services.company_sign_in import NO_ROLE, USED
from ma.services.workspace import create_workspace
from ma.types import SYSTEM
from tests.browser.conftest import App, serve
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider

pytestmark = pytest.mark.browser

LABEL = "Sign in with Example Inc."


@pytest.fixture(scope="module")
def provider():
    with identity_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("company") / "server.log"


@pytest.fixture(scope="module")
def company(template_sqlite, provider, log):
    """A server of its own that knows the provider, with one local account."""
    shutil.copy(template_sqlite, log.parent / "ma.db")
    url = f"sqlite:///{log.parent / 'ma.db'}"
    database = connect(url)
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Example Inc.", timezone="Europe/Berlin", currency="EUR", at=clock.now()
        )
        auth.create_user(
            session,
            SYSTEM,
            username="local",
            name="Lo Cal",
            role="admin",
            password="a kettle on the hob",
            at=clock.now(),
        )
    variables = {
        "MA_OIDC_ISSUER": provider.issuer,
        "MA_OIDC_CLIENT_ID": CLIENT_ID,
        "MA_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "MA_OIDC_ROLES": "marketing=marketer, analysts=analyst",
        "MA_OIDC_LABEL": LABEL,
    }
    with serve(url, log, **variables) as address:
        yield App(address, database, {"local": "a kettle on the hob"})
    database.close()


@pytest.fixture(autouse=True)
def anna(provider):
    """Anna Berg of marketing sits in front of the provider."""
    provider.spoil = ""
    provider.person = {
        "sub": "anna-1",
        "name": "Anna Berg",
        "preferred_username": "anna",
        "groups": ["marketing"],
    }


def through_the_company(page, choose="Continue"):
    """From the sign-in screen to the provider and back."""
    page.get_by_role("button", name=LABEL).click(timeout=20_000)
    page.get_by_role("link", name=choose).click(timeout=20_000)


def on_results(page):
    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()


def at_the_form(page):
    expect(page.get_by_label("User name")).to_be_visible()
    expect(page.get_by_text("Sign out")).to_have_count(0)


def cookies(page, *beginnings):
    return [cookie for cookie in page.context.cookies() if cookie["name"].startswith(beginnings)]


def discreet(log, kind):
    """The log tells this kind of failure, and neither names nor secrets."""
    written = log.read_text()
    assert kind in written
    for secret in ("Anna", "anna-1", CLIENT_SECRET, "code=", "Traceback"):
        assert secret not in written, secret


def test_in_to_where_one_wanted_to_go_and_out_for_good(company, page):
    kept = []
    page.on("response", lambda answer: kept.append(answer.all_headers().get("set-cookie", "")))
    page.goto(f"{company.url}/results?campaign=1")
    through_the_company(page)
    on_results(page)
    assert page.url.startswith(f"{company.url}/results?campaign=1")
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar).to_contain_text("Anna Berg")
    expect(sidebar).to_contain_text("Marketer")
    # Only our own session is left in the browser.
    assert [cookie["name"] for cookie in cookies(page, "ma_")] == ["ma_session"]
    assert cookies(page, "_streamlit_user") == []
    session = cookies(page, "ma_session")
    page.get_by_role("button", name="Sign out").click()
    at_the_form(page)
    # Neither what the framework had kept nor our own cookie brings anybody back.
    claims = next(line for text in kept for line in text.split("\n") if line.startswith("_streamlit_user=."))
    value = claims.split("=", 1)[1].split(";")[0]
    page.context.add_cookies([*session, {"name": "_streamlit_user", "value": value, "url": company.url}])
    page.goto(f"{company.url}/results")
    expect(page.get_by_text(USED)).to_be_visible()
    at_the_form(page)
    assert page.request.get(f"{company.url}/export/campaigns.csv").status == 401


def test_another_group_is_another_role_at_the_next_sign_in(company, page, provider):
    provider.person |= {"sub": "bo-1", "name": "Bo Dahl", "preferred_username": "bo", "groups": ["analysts"]}
    page.goto(f"{company.url}/results")
    through_the_company(page)
    on_results(page)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Analyst")
    page.get_by_role("button", name="Sign out").click()
    at_the_form(page)
    provider.person |= {"groups": ["analysts", "marketing"]}
    page.goto(f"{company.url}/results")
    through_the_company(page)
    on_results(page)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Marketer")


def test_without_a_group_that_has_a_role_one_is_told_whom_to_ask(company, page, provider):
    provider.person |= {"sub": "cy-1", "name": "Cy Ek", "groups": ["canteen"]}
    page.goto(f"{company.url}/results")
    through_the_company(page)
    expect(page.get_by_text(NO_ROLE)).to_be_visible()
    at_the_form(page)
    assert cookies(page, "ma_session") == []
    with company.database.reading() as session:
        assert session.scalar(select(User).where(User.name == "Cy Ek")) is None
    # The next one at this screen is somebody else.
    provider.person |= {"sub": "anna-1", "name": "Anna Berg", "groups": ["marketing"]}
    through_the_company(page)
    on_results(page)


def test_disabling_the_account_here_ends_the_session_at_once(company, page, provider):
    provider.person |= {"sub": "di-1", "name": "Di Fors", "preferred_username": "di"}
    page.goto(f"{company.url}/results")
    through_the_company(page)
    on_results(page)
    with company.database.writing() as session:
        user_id = auth.find_account(session, "di").user_id
        auth.set_active(session, SYSTEM, user_id=user_id, active=False, at=clock.now())
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Home").click()
    at_the_form(page)
    through_the_company(page)
    expect(page.get_by_text("Your account in this workbench is disabled.")).to_be_visible()


def test_a_forged_answer_lets_nobody_in_and_says_so(company, page, provider, log):
    provider.spoil = "signature"
    page.goto(f"{company.url}/results")
    through_the_company(page)
    expect(page.get_by_text("The sign-in at your company did not succeed.")).to_be_visible()
    at_the_form(page)
    assert cookies(page, "ma_session", "_streamlit_user") == []
    discreet(log, "BadSignatureError")


def test_who_turns_back_at_the_provider_can_use_a_password(company, page, log):
    page.goto(f"{company.url}/results")
    through_the_company(page, "Cancel")
    expect(page.get_by_text("The sign-in at your company was cancelled.")).to_be_visible()
    discreet(log, "access_denied")
    page.get_by_label("User name").fill("local")
    page.get_by_label("Password", exact=True).fill(company.passwords["local"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    on_results(page)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Lo Cal")
