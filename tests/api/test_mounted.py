"""The API on the app's own port, beside the screens."""

import json
import shutil
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.api.conftest import PASSWORD
from tests.browser.conftest import serve


@pytest.fixture(scope="module")
def app(world_sqlite, tmp_path_factory):
    """The real server over a small workspace: its address, and the tokens."""
    folder = tmp_path_factory.mktemp("mounted")
    path, secrets = world_sqlite
    shutil.copy(path, folder / "ma.db")
    with serve(f"sqlite:///{folder / 'ma.db'}", folder / "log.txt") as url:
        yield url, secrets


def ask(url, path, *, method="GET", body=None, **headers):
    """Status, headers and text of one answer."""
    data = None if body is None else json.dumps(body).encode()
    named = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    try:
        with urlopen(Request(url + path, data=data, method=method, headers=named), timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.headers, refused.read().decode()


def test_it_answers_beside_the_screens(app):
    url, secrets = app
    assert ask(url, "/api/health")[0] == 200
    status, headers, page = ask(url, "/api/docs")
    assert status == 200
    assert "/api/customers/{customer_id}" in page
    assert "script-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert ask(url, "/api")[2] == page
    for unknown in ("/api/nowhere", "/api/"):
        status, headers, _ = ask(url, unknown, Authorization=f"Bearer {secrets['viewer']}")
        assert (status, headers["content-type"]) == (404, "application/problem+json")
    # The screens are where they were.
    status, headers, _ = ask(url, "/customers")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_token_reads_and_writes(app):
    url, secrets = app
    token = f"Bearer {secrets['marketer']}"
    status, headers, _ = ask(
        url, "/api/customers", method="POST", body={"first_name": "Ann"}, Authorization=token
    )
    assert (status, headers["location"]) == (201, "/api/customers/41")
    _, headers, text = ask(url, headers["location"], Authorization=token)
    assert json.loads(text)["first_name"] == "Ann"
    status, _, _ = ask(
        url, "/api/customers/41", method="DELETE", Authorization=token, If_Match=headers["etag"]
    )
    assert status == 204


def test_one_session_serves_the_api_and_the_checked_exports(app):
    url, _ = app
    status, headers, _ = ask(
        url, "/api/auth/login", method="POST", body={"username": "analyst", "password": PASSWORD}
    )
    assert status == 200
    cookie = headers["set-cookie"].split(";")[0]
    assert ask(url, "/export/customers.csv", Cookie=cookie)[0] == 200
    assert ask(url, "/api/auth/logout", method="POST", Cookie=cookie, Origin=url)[0] == 204
    assert ask(url, "/export/customers.csv", Cookie=cookie)[0] == 401
