"""What the check of a workspace says of the identity provider: a real one, on this machine."""

import pytest

from ma.doctor import checks
from ma.settings import Settings
from tests.identity_provider import identity_provider


@pytest.fixture(scope="module")
def provider():
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def look(sqlite_url):
    """The check of the sign-in with this issuer."""

    def at(issuer):
        settings = Settings(
            database_url=sqlite_url,
            public_url="https://workbench.example.com",
            oidc_issuer=issuer,
            oidc_client_id="workbench",
            oidc_client_secret="s",
            oidc_default_role="viewer",
            _env_file=None,
        )
        return {check.name: check for check in checks(settings)}["company sign-in"]

    return at


def test_a_provider_that_answers_must_know_the_way_back(look, provider):
    found = look(provider.issuer)
    assert found.ok
    assert "https://workbench.example.com/oauth2callback" in found.text


def test_a_provider_of_another_name_is_told(look, provider, monkeypatch):
    named = {**provider.metadata(), "issuer": "https://login.example.com"}
    monkeypatch.setattr(provider, "metadata", lambda: named)
    found = look(provider.issuer)
    assert (found.ok, "Set MA_OIDC_ISSUER" in found.text) == (False, True)


@pytest.mark.parametrize("path", [":1", "/not-here"])
def test_a_provider_that_is_not_there_is_told(look, provider, path):
    issuer = "http://127.0.0.1:1" if path == ":1" else provider.issuer + path
    found = look(issuer)
    assert (found.ok, "Check MA_OIDC_ISSUER" in found.text) == (False, True)


def test_without_an_identity_provider_there_is_nothing_to_look_at(sqlite_url):
    names = {check.name for check in checks(Settings(database_url=sqlite_url, _env_file=None))}
    assert "company sign-in" not in names
