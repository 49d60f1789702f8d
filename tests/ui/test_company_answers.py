"""The way to the identity provider and back, without a browser: a real provider, the framework's routes."""

import asyncio
import json
import re
from secrets import token_urlsafe
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from streamlit.runtime.secrets import secrets_singleton
from streamlit.user_info import generate_login_redirect_url
from streamlit.web.server.starlette.starlette_auth_routes import create_auth_routes

from ma.db.engine import connect
from ma.settings import settings
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider
from ui import company_sign_in
from ui.company_answers import NEXT, REFUSED, CompanyAnswers
from ui.headers import SecurityHeaders
from ui.routes import ROUTES

HERE = "http://shop.test"


@pytest.fixture
def database(sqlite_url):
    """Nothing here depends on the engine."""
    database = connect(sqlite_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def running_provider():
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def provider(running_provider):
    running_provider.spoil, running_provider.algorithms = "", ["RS256"]
    running_provider.person = {"sub": "anna-1", "name": "Anna Berg", "groups": ["marketing"]}
    return running_provider


@pytest.fixture
def configured(provider, workbench, monkeypatch):
    """The settings of a workbench with this provider, given to the framework as the app does."""
    for name, value in {
        "PUBLIC_URL": HERE,
        "SECRET": "x" * 40,
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_ROLES": "marketing=marketer",
    }.items():
        monkeypatch.setenv(f"MA_{name}", value)
    settings.cache_clear()
    secrets_singleton.merge_programmatic_secrets(company_sign_in.secrets())
    yield
    secrets_singleton._programmatic_secrets = None
    secrets_singleton._reset()
    settings.cache_clear()


class Browser:
    """Keeps cookies, and follows no redirect by itself."""

    def __init__(self, app):
        self._server = httpx.ASGITransport(app)
        self.cookies = httpx.Cookies()

    def ask(self, method, address, **request):
        async def send():
            async with httpx.AsyncClient(transport=self._server, base_url=settings().address) as client:
                client.cookies = self.cookies
                answer = await client.request(method, address, **request)
                self.cookies = client.cookies
                return answer

        return asyncio.run(send())

    def get(self, address):
        return self.ask("GET", address)

    def post(self, address, form=None, origin=HERE):
        return self.ask("POST", address, data=form, headers={"origin": origin})


@pytest.fixture
def browser(configured):
    """A browser in front of our routes and the framework's."""
    middleware = [
        Middleware(SecurityHeaders),
        Middleware(CompanyAnswers),
        Middleware(SessionMiddleware, secret_key="of this server"),
    ]
    return Browser(Starlette(routes=[*ROUTES, *create_auth_routes("")], middleware=middleware))


@pytest.fixture
def come_back(browser, provider):
    """Goes to the provider and returns what our server answers to whoever comes back."""

    def go(choose="Continue"):
        there = browser.get(generate_login_redirect_url("default"))
        asked = {
            name: values[0] for name, values in parse_qs(urlsplit(there.headers["location"]).query).items()
        }
        page = provider.page(asked)
        back = re.search(rf'<a href="([^"]+)">{choose}<', page)[1].replace("&amp;", "&")
        return browser.get(back)

    return go


def claims_in(browser):
    """What the framework keeps of the person in the browser."""
    secret = company_sign_in.secrets()["auth"]["cookie_secret"]
    cookie = browser.cookies["_streamlit_user"].strip('"')
    return json.loads(URLSafeTimedSerializer(secret, salt="_streamlit_user").loads(cookie))


def test_the_provider_is_asked_with_pkce_state_and_nonce(come_back, provider):
    provider.asked.clear()
    come_back()
    asked = provider.asked[0]
    assert asked["redirect_uri"] == f"{HERE}/oauth2callback"
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20
    assert asked["scope"].split() == ["openid", "email", "profile"]


def test_the_way_back_leads_to_where_the_person_wanted_to_go(browser, come_back):
    kept = browser.post("/auth/next", {"next": "/results?campaign=1&q=%C3%A4"})
    assert (kept.status_code, "HttpOnly" in kept.headers["set-cookie"]) == (204, True)
    answer = come_back()
    assert (answer.status_code, answer.headers["location"]) == (302, "/results?campaign=1&q=%C3%A4")
    assert NEXT not in browser.cookies
    assert claims_in(browser)["sub"] == "anna-1"


@pytest.mark.parametrize("wanted", ["//evil.test", "https://evil.test/", "/\\evil.test", "/auth/logout", ""])
def test_no_place_elsewhere_is_kept(browser, wanted):
    browser.post("/auth/next", {"next": wanted})
    assert browser.cookies[NEXT] == "%2F"


def test_the_way_back_never_leads_elsewhere(browser, come_back):
    browser.cookies.set(NEXT, "%2F%2Fevil.test")
    assert come_back().headers["location"] == "/"


def test_another_site_cannot_say_where_to(browser):
    refused = browser.post("/auth/next", {"next": "/results"}, origin="http://evil.test")
    assert (refused.status_code, NEXT in browser.cookies) == (403, False)


def test_the_claims_stay_for_minutes_and_the_tokens_never_come(come_back, browser):
    cookies = come_back().headers.get_list("set-cookie")
    (claims,) = [cookie for cookie in cookies if cookie.startswith("_streamlit_user=")]
    assert "Max-Age=300;" in claims
    assert "HttpOnly" in claims
    assert not [
        cookie for cookie in cookies if cookie.startswith("_streamlit_user_tokens") and "ey" in cookie
    ]
    assert "_streamlit_user_tokens" not in browser.cookies


def test_claims_go_over_https_only_where_the_app_is_served_so(come_back, monkeypatch):
    monkeypatch.setenv("MA_SECURE_COOKIES", "true")
    monkeypatch.setenv("MA_PUBLIC_URL", "https://shop.test")
    settings.cache_clear()
    secrets_singleton.merge_programmatic_secrets(company_sign_in.secrets())
    cookies = come_back().headers.get_list("set-cookie")
    given = [cookie for cookie in cookies if "Max-Age=0" not in cookie]
    assert {cookie.split("=")[0] for cookie in given} >= {"_streamlit_user", "session"}
    assert all("Secure" in cookie for cookie in given)


def test_many_groups_still_fit_in_what_the_browser_keeps(come_back, browser, provider):
    provider.person["groups"] = [token_urlsafe(24) for _ in range(300)]
    cookies = come_back().headers.get_list("set-cookie")
    parts = [cookie for cookie in cookies if re.match(r"_streamlit_user(_\d+)?=", cookie)]
    assert len(parts) > 2
    assert all("Max-Age=300;" in cookie and len(cookie) <= 4096 for cookie in parts)


@pytest.mark.parametrize(
    "spoil",
    ["signature", "key", "none", "public key as secret", "issuer", "nonce", "expired"],
)
def test_a_token_that_is_not_the_providers_lets_nobody_in(come_back, browser, provider, spoil):
    provider.spoil = spoil
    # Some providers list what they should not.
    provider.algorithms = ["RS256", "HS256", "none"]
    answer = come_back()
    assert "_streamlit_user" not in browser.cookies
    assert (answer.headers["location"], browser.cookies[REFUSED]) == ("/", "failed")


def test_declining_at_the_provider_is_said(come_back, browser):
    assert come_back("Cancel").headers["location"] == "/"
    assert (browser.cookies[REFUSED], "_streamlit_user" in browser.cookies) == ("cancelled", False)
    come_back()
    assert REFUSED not in browser.cookies


def test_a_code_works_once_and_only_in_the_browser_that_asked(browser, provider):
    there = browser.get(generate_login_redirect_url("default"))
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there.headers["location"]).query).items()}
    back = re.search(r'<a href="([^"]+)">Continue<', provider.page(asked))[1].replace("&amp;", "&")
    mine = dict(browser.cookies)
    browser.cookies.clear()
    browser.get(back)
    assert browser.cookies[REFUSED] == "failed"
    browser.cookies.clear()
    browser.cookies.update(mine)
    browser.get(back)
    assert "_streamlit_user" in browser.cookies
    browser.cookies.clear()
    browser.cookies.update(mine)
    browser.get(back)
    assert "_streamlit_user" not in browser.cookies


def test_a_provider_that_is_away_is_said(browser, configured, monkeypatch):
    away = company_sign_in.secrets()
    away["auth"]["server_metadata_url"] = "http://127.0.0.1:1/.well-known/openid-configuration"
    secrets_singleton.merge_programmatic_secrets(away)
    answer = browser.get(generate_login_redirect_url("default"))
    assert (answer.status_code, answer.headers["location"], answer.content) == (302, "/", b"")
    assert browser.cookies[REFUSED] == "unreachable"


def test_signing_out_takes_all_of_it_away(come_back, browser):
    come_back()
    assert "_streamlit_user" in browser.cookies
    browser.post("/auth/logout")
    assert not [name for name in browser.cookies if name.startswith(("_streamlit_user", "ma_"))]
