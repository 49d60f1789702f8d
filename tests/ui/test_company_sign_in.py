"""The button that leads to the identity provider, and what is said about settings that do not fit."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ma.errors import InvalidInput
from ma.settings import settings
from ma.types import Role
from ui import company_sign_in

GIVEN = {
    "MA_OIDC_ISSUER": "https://login.example.com/realms/company",
    "MA_OIDC_CLIENT_ID": "workbench",
    "MA_OIDC_CLIENT_SECRET": "s",
    "MA_OIDC_ROLES": "marketing=marketer",
    "MA_SECRET": "x" * 40,
}


@pytest.fixture
def given(monkeypatch):
    """Reads the settings with these variables."""

    def read(**variables):
        for name, value in {**GIVEN, **variables}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        settings.cache_clear()
        return settings()

    yield read
    settings.cache_clear()


def button():
    from ui import company_sign_in

    company_sign_in.button()


def test_without_settings_there_is_nothing_to_give_the_framework(given):
    given(MA_OIDC_ISSUER=None)
    assert not company_sign_in.is_on()
    assert company_sign_in.secrets() is None
    assert company_sign_in.arrived() == (None, "")


def test_the_button_bears_the_words_that_were_set(given):
    given(MA_OIDC_LABEL="Sign in with *Example*")
    screen = AppTest.from_function(button).run()
    assert [one.label for one in screen.button] == ["Sign in with \\*Example\\*"]


def test_at_another_address_it_leads_to_the_right_one(given, monkeypatch):
    given(MA_PUBLIC_URL="https://workbench.example.com")
    monkeypatch.setattr(type(st.context), "url", property(lambda _: "http://10.0.0.5:8501/results"))
    screen = AppTest.from_function(button).run()
    assert not screen.button
    assert screen.main[0].proto.url == "https://workbench.example.com"


def test_the_framework_gets_what_it_needs_from_our_settings(given, workbench):
    given(MA_PUBLIC_URL="https://workbench.example.com/", MA_OIDC_SCOPES="openid groups")
    auth = company_sign_in.secrets()["auth"]
    assert auth["redirect_uri"] == "https://workbench.example.com/oauth2callback"
    assert auth["server_metadata_url"] == f"{GIVEN['MA_OIDC_ISSUER']}/.well-known/openid-configuration"
    assert auth["client_kwargs"] == {"scope": "openid groups", "prompt": "select_account"}
    assert len(auth["cookie_secret"]) == 64
    assert "x" * 40 not in auth["cookie_secret"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("marketing=marketer, bosses = admin,", {"marketing": Role.MARKETER, "bosses": Role.ADMIN}),
        ('{"CN=Sales,OU=All": "viewer"}', {"CN=Sales,OU=All": Role.VIEWER}),
        ("cn=sales=viewer", {"cn=sales": Role.VIEWER}),
    ],
)
def test_roles_are_written_as_pairs_or_json(given, written, read):
    assert given(MA_OIDC_ROLES=written).oidc_roles == read


def test_the_address_of_the_metadata_names_the_issuer_too(given):
    address = "https://login.example.com/.well-known/openid-configuration"
    assert given(MA_OIDC_ISSUER=address).oidc_issuer == "https://login.example.com"


@pytest.mark.parametrize(
    ("variables", "named", "remedy"),
    [
        ({"MA_OIDC_ISSUER": "http://login.example.com"}, "MA_OIDC_ISSUER", "https://"),
        ({"MA_OIDC_ISSUER": "login.example.com"}, "MA_OIDC_ISSUER", "https://"),
        ({"MA_OIDC_CLIENT_ID": None}, "MA_OIDC_CLIENT_ID", "Copy it from the identity provider"),
        ({"MA_OIDC_CLIENT_SECRET": ""}, "MA_OIDC_CLIENT_SECRET", "Copy it from the identity provider"),
        ({"MA_OIDC_ROLES": None}, "MA_OIDC_ROLES", "MA_OIDC_DEFAULT_ROLE"),
        ({"MA_OIDC_ROLES": "marketing=king"}, "MA_OIDC_ROLES", "'viewer'"),
        ({"MA_OIDC_ROLES": "marketing"}, "MA_OIDC_ROLES", "pairs"),
        ({"MA_OIDC_ROLES": "{marketing"}, "MA_OIDC_ROLES", "JSON"),
        ({"MA_OIDC_DEFAULT_ROLE": "king"}, "MA_OIDC_DEFAULT_ROLE", "'viewer'"),
        ({"MA_OIDC_SCOPES": "email"}, "MA_OIDC_SCOPES", "openid"),
        ({"MA_PUBLIC_URL": "workbench.example.com"}, "MA_PUBLIC_URL", "https://workbench.example.com"),
        ({"MA_PUBLIC_URL": "https://example.com/workbench"}, "MA_PUBLIC_URL", "without a path"),
    ],
)
def test_settings_that_do_not_fit_are_named_with_the_remedy(given, variables, named, remedy):
    with pytest.raises(InvalidInput) as refused:
        given(**variables)
    assert remedy in refused.value.problems[named]


def test_a_default_role_is_enough_and_an_empty_one_is_none(given):
    assert given(MA_OIDC_ROLES=None, MA_OIDC_DEFAULT_ROLE="viewer").oidc_default_role == Role.VIEWER
    assert given(MA_OIDC_DEFAULT_ROLE="").oidc_default_role is None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8600"),
        ("0.0.0.0", "http://127.0.0.1:8600"),
        ("::", "http://127.0.0.1:8600"),
        ("::1", "http://[::1]:8600"),
    ],
)
def test_without_a_public_address_it_is_this_machines(given, host, address):
    assert given(MA_PUBLIC_URL="", MA_HOST=host, MA_PORT="8600").address == address
