"""What docs/api.md and the API's own page say is what the API does."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.middleware import Middleware

from ma.api.app import ROUTERS
from ma.api.problems import KINDS
from ma.types import Role
from tests.api.client import Client
from tests.api.test_who_asks import BODIES, OPEN, address
from ui.headers import SecurityHeaders

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ROUTES = {
    (method, route.path): route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.include_in_schema and router.include_in_schema
    for method in route.methods
}
TOLD = {
    (method, path.replace("_id}", "_id:id}")): role
    for method, path, role in re.findall(r"^\| `(\w+) /api(/\S+)` \|.*\| (\w+) \|$", DOCUMENT, re.MULTILINE)
}


def test_the_document_lists_every_address_and_no_other():
    assert len(ROUTES) > 40
    assert set(TOLD) == set(ROUTES)


def test_every_address_of_the_older_system_has_its_counterpart():
    rows = re.findall(r"^\| `(\w+ /\S+)` \| `(\w+) /api(/\S+)` \|$", DOCUMENT, re.MULTILINE)
    assert len(rows) == 25
    there = {old for old, _, _ in rows}
    assert {
        "POST /auth/login",
        "POST /auth/logout",
        "GET /auth/me",
        "POST /segments/<id>/refresh",
        "POST /campaigns/<id>/launch",
        "POST /campaigns/<id>/pause",
        "POST /campaigns/<id>/complete",
        "GET /analytics/roi",
    } <= there
    assert {(method, path.replace("_id}", "_id:id}")) for _, method, path in rows} <= set(ROUTES)


def test_every_role_in_the_document_is_the_one_that_is_needed(sqlite_api):
    assert sqlite_api.marketer.post("/api/campaigns", json=BODIES["/campaigns"]).status_code == 201
    ranks = list(Role)
    # What is deleted cannot be asked for afterwards.
    for (method, path), role in sorted(TOLD.items(), reverse=True):
        asked = {"json": BODIES.get(path, {}), "headers": {"If-Match": "*"}} if method != "GET" else {}
        if role == "everybody":
            assert (method, path) in OPEN
            continue
        for lower in ranks[: ranks.index(role)]:
            refused = sqlite_api.client(lower.value).request(method, address(path), **asked)
            assert refused.status_code == 403, path
        if (method, path) != ("POST", "/auth/logout"):
            enough = sqlite_api.client(role).request(method, address(path), **asked)
            assert enough.status_code not in (401, 403), path


def test_every_kind_of_problem_is_explained():
    table = DOCUMENT[DOCUMENT.index("## What goes wrong") : DOCUMENT.index("## Lists")]
    told = {
        (int(status), name)
        for status, names in re.findall(r"^\| (\d+) \| ([^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", names)
    }
    assert told == {(kind.status, kind.name) for kind in KINDS}


@pytest.fixture
def docs_page(sqlite_api):
    """The page as the app sends it, behind its security headers."""
    app = Starlette(routes=sqlite_api.app.routes, middleware=[Middleware(SecurityHeaders)])
    return Client(app).get("/api/docs")


def test_the_page_needs_no_script_and_nothing_from_elsewhere(docs_page):
    assert docs_page.headers["content-type"] == "text/html; charset=utf-8"
    assert docs_page.headers["cache-control"] == "no-store"
    assert "<script" not in docs_page.text
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(https?:|//)", docs_page.text) == []
    assert "script-src 'self'" in docs_page.headers["content-security-policy"]


def test_the_page_shows_every_address_and_kind_of_problem(docs_page):
    for method, path in ROUTES:
        shown = f"{method}</span><code>/api{path.replace(':id', '')}</code>"
        assert shown in docs_page.text, path
    for kind in KINDS:
        assert f'id="{kind.name}"' in docs_page.text


def test_the_description_says_who_may_ask_and_what_may_go_wrong(sqlite_api):
    document = sqlite_api.client().get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/api"}]
    described = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(described) == {(method, path.replace(":id", "")) for method, path in ROUTES}
    for (method, path), operation in described.items():
        secured = operation.get("security", [])
        assert bool(secured) != ((method, path) in OPEN), path
        assert "application/problem+json" in operation["responses"]["500"]["content"]
        assert operation["summary"]
    names = {one["name"] for one in described["POST", "/campaigns/{campaign_id}/launch"]["parameters"]}
    assert "Idempotency-Key" in names
