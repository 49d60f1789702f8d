"""Who is let in: tokens, sessions, and nobody else."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

from ma import clock
from ma.api.app import ROUTERS
from ma.models import ApiToken, Audit, User, UserSession
from ma.services import auth, tokens
from ma.types import SYSTEM, Role
from tests.api.client import HOST
from tests.api.conftest import PASSWORD

OPEN = {("GET", "/health"), ("GET", "/docs"), ("GET", "/openapi.json"), ("POST", "/auth/login")}
EVERY = [
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
]


def address(path):
    return "/api" + re.sub(r"{\w+:id}", "1", path).replace("{name}", "imports")


def user_id(api, username):
    with api.database.reading() as session:
        return session.scalar(select(User.id).where(User.username == username))


def make(api, username="marketer", **values):
    """A token of a user, made by an admin."""
    with api.database.writing() as session:
        return tokens.create_token(
            session,
            SYSTEM,
            **{"username": username, "name": "x", "role": "viewer", "at": clock.now()} | values,
        )


def me(api, secret):
    client = api.client()
    return client.get("/api/auth/me", headers={"Authorization": f"Bearer {secret}"})


def test_nobody_is_let_in_anywhere(sqlite_api):
    assert len(EVERY) > 40
    for method, path in sorted(set(EVERY) - OPEN):
        # The body is no JSON: who asks is settled before it is looked at.
        answer = sqlite_api.client().request(
            method, address(path), content="{", headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "/api/auth/login" in answer.json()["detail"]


def test_the_open_addresses_are_these_four(sqlite_api):
    assert set(EVERY) >= OPEN
    for method, path in OPEN - {("POST", "/auth/login")}:
        assert sqlite_api.client().request(method, address(path)).status_code == 200


WRITES = [one for one in EVERY if one[0] != "GET" and one not in OPEN]
HARMLESS = {("POST", "/auth/logout"), ("POST", "/segments/preview")}
BODIES = {
    "/customers": {"first_name": "Ann"},
    "/customers/{customer_id:id}": {"city": "Bonn"},
    "/segments": {"name": "New", "rule": {"field": "orders", "operator": "gte", "value": 1}},
    "/segments/{segment_id:id}": {"description": "New"},
    "/campaigns": {"name": "New", "segment_id": 1, "channel": "sms", "body": "Hi."},
    "/campaigns/{campaign_id:id}": {"objective": "New"},
    "/campaigns/{campaign_id:id}/schedule": {"scheduled_at": "2099-01-01T00:00:00Z"},
    "/outcomes": {
        "campaign": "C",
        "rows": [{"email": "a@b.de", "step": "sent", "at": "2026-03-01T00:00:00Z"}],
    },
    "/events": {"rows": [{"email": "a@b.de", "event_key": "1", "at": "2026-03-01T00:00:00Z"}]},
}


def test_an_analyst_changes_nothing(sqlite_api):
    assert sqlite_api.marketer.post("/api/campaigns", json=BODIES["/campaigns"]).status_code == 201
    before = audit(sqlite_api)
    for method, path in sorted(set(WRITES) - HARMLESS):
        answer = sqlite_api.client("analyst").request(
            method, address(path), json=BODIES.get(path, {}), headers={"If-Match": "*"}
        )
        assert answer.status_code == 403, path
        assert "Ask an admin for the role marketer" in answer.json()["detail"]
    assert audit(sqlite_api) == before


def audit(api):
    with api.database.reading() as session:
        return [(row.actor, row.action, row.noun) for row in session.scalars(select(Audit))]


def test_a_token_says_who_asks_and_what_they_may(api):
    told = me(api, api.secrets["analyst"]).json()
    assert (told["username"], told["role"], told["by"]) == ("analyst", "analyst", "token")
    assert told["permissions"] == ["read", "export", "make API tokens"]


def test_a_token_is_kept_as_a_hash_only(api):
    made = make(api)
    with api.database.reading() as session:
        row = session.get(ApiToken, made.token_id)
    assert made.secret.startswith("ma_")
    assert len(made.secret) > 40
    assert made.secret not in str(row.__dict__)
    assert made.secret.startswith(row.hint)
    assert len(row.hint) < 12


def test_a_token_in_the_address_or_a_cookie_opens_nothing(api):
    secret, client = api.secrets["admin"], api.client()
    for asked in (f"?token={secret}", f"?access_token={secret}", f"?Authorization=Bearer%20{secret}"):
        assert client.get("/api/auth/me" + asked).status_code == 401
    assert client.get("/api/auth/me", headers={"Cookie": f"ma_session={secret}"}).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer ma_invented", "ma_x", "Bearer é"]
)
def test_what_is_no_token_opens_nothing(sqlite_api, header):
    answer = sqlite_api.client().get("/api/auth/me", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_a_wrong_token_is_not_made_good_by_a_session(api):
    client = signed_in(api)
    assert client.get("/api/auth/me").status_code == 200
    assert client.get("/api/auth/me", headers={"Authorization": "Bearer nothing"}).status_code == 401


def test_a_revoked_or_old_token_ends_at_the_next_request(api):
    revoked, old = make(api), make(api, days=1)
    assert me(api, revoked.secret).status_code == 200
    with api.database.writing() as session:
        tokens.revoke_token(session, SYSTEM, revoked.token_id, at=clock.now())
        session.get(ApiToken, old.token_id).expires_at = clock.now() - timedelta(seconds=1)
    assert me(api, revoked.secret).status_code == me(api, old.secret).status_code == 401


def test_a_disabled_user_s_tokens_open_nothing(api):
    with api.database.writing() as session:
        auth.set_active(session, SYSTEM, user_id=user_id(api, "marketer"), active=False, at=clock.now())
    assert me(api, api.secrets["marketer"]).status_code == 401


def test_a_token_may_no_more_than_its_role_and_its_user(api):
    scoped = make(api, username="admin", role="viewer")
    client = api.client()
    client.headers["authorization"] = f"Bearer {scoped.secret}"
    assert client.post("/api/customers", json={"first_name": "Ann"}).status_code == 403
    assert api.marketer.post("/api/customers", json={"first_name": "Ann"}).status_code == 201
    with api.database.writing() as session:
        auth.set_role(session, SYSTEM, user_id=user_id(api, "marketer"), role=Role.VIEWER, at=clock.now())
    assert api.marketer.post("/api/customers", json={"first_name": "Bea"}).status_code == 403
    assert me(api, api.secrets["marketer"]).json()["role"] == "viewer"


def test_the_use_of_a_token_is_noted_once_a_minute(sqlite_api, monkeypatch):
    from ma.api import asking

    noted = []
    monkeypatch.setattr(asking._aside, "submit", lambda note, *given: (noted.append(1), note(*given)))
    for _ in range(3):
        me(sqlite_api, sqlite_api.secrets["viewer"])
    assert len(noted) == 1
    with sqlite_api.database.reading() as session:
        used = session.scalar(select(ApiToken.last_used_at).where(ApiToken.role == "viewer"))
    assert clock.now() - used < timedelta(minutes=1)


# Sessions


def signed_in(api, username="marketer"):
    client = api.client()
    answer = client.post("/api/auth/login", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200
    return client


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(api):
    client = api.client()
    answer = client.post("/api/auth/login", json={"username": " Marketer ", "password": PASSWORD})
    assert answer.json() == {
        "username": "marketer",
        "name": "marketer",
        "role": "marketer",
        "permissions": client.get("/api/auth/me").json()["permissions"],
    }
    flags = {flag.strip().lower() for flag in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=86400"} <= flags
    assert client.get("/api/auth/me").json()["by"] == "session"
    assert audit(api)[-1] == ("marketer", "sign in", "user")


def test_signing_out_ends_the_session_for_whoever_copied_it(api):
    client = signed_in(api)
    stolen = client.cookies["ma_session"]
    answer = client.post("/api/auth/logout", headers={"Origin": HOST})
    assert answer.status_code == 204
    assert api.client().get("/api/auth/me", headers={"Cookie": f"ma_session={stolen}"}).status_code == 401
    with api.database.reading() as session:
        assert session.scalars(select(UserSession)).all() == []


def test_a_token_does_not_sign_out(api):
    answer = api.marketer.post("/api/auth/logout")
    assert answer.status_code == 409
    assert me(api, api.secrets["marketer"]).status_code == 200


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(api):
    answers = [
        api.client().post("/api/auth/login", json={"username": name, "password": "wrong"})
        for name in ("marketer", "nobody")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert "set-cookie" not in answers[0].headers


def test_an_unknown_name_costs_a_hash_too(sqlite_api, monkeypatch):
    looked_at, matches = [], auth.matches
    monkeypatch.setattr(
        auth, "matches", lambda given, kept: looked_at.append((given, kept[:3])) or matches(given, kept)
    )
    for name, password in (("marketer", "wrong"), ("nobody", "wrong"), ("nobody", "x" * 80)):
        sqlite_api.client().post("/api/auth/login", json={"username": name, "password": password})
    assert [kept for _, kept in looked_at] == ["$2b"] * 3


def test_too_many_wrong_passwords_wait(api):
    client = api.client()
    for _ in range(5):
        client.post("/api/auth/login", json={"username": "marketer", "password": "wrong"})
    answer = client.post("/api/auth/login", json={"username": "marketer", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many failed attempts" in answer.json()["detail"]


def test_a_hash_of_the_older_system_is_let_in_once_and_replaced(api):
    import hashlib

    legacy = hashlib.sha256(b"an old password").hexdigest()
    with api.database.writing() as session:
        session.get(User, user_id(api, "viewer")).password_hash = legacy
    for password, status in (("wrong", 401), ("an old password", 200), ("an old password", 200)):
        answer = api.client().post("/api/auth/login", json={"username": "viewer", "password": password})
        assert answer.status_code == status
    with api.database.reading() as session:
        assert session.get(User, user_id(api, "viewer")).password_hash.startswith("$2")


@pytest.mark.parametrize("origin", [None, "null", "http://evil.test", "http://shop.test.evil.test"])
def test_another_site_s_page_changes_nothing_with_the_cookie(sqlite_api, origin):
    client = signed_in(sqlite_api)
    headers = {"Origin": origin} if origin else {}
    answer = client.post("/api/customers", json={"first_name": "Ann"}, headers=headers)
    assert answer.status_code == 403
    assert client.post("/api/auth/logout", headers=headers).status_code == 403
    # Reading changes nothing, and the browser keeps the answer from another site.
    assert client.get("/api/customers", headers=headers).status_code == 200
    assert "access-control-allow-origin" not in client.get("/api/customers", headers=headers).headers


def test_our_own_page_changes_things_with_the_cookie(api):
    client = signed_in(api)
    answer = client.post("/api/customers", json={"first_name": "Ann"}, headers={"Origin": HOST})
    assert answer.status_code == 201


def test_another_site_s_page_signs_nobody_in(sqlite_api):
    credentials = {"username": "marketer", "password": PASSWORD}
    for origin in ("http://evil.test", "null"):
        answer = sqlite_api.client().post("/api/auth/login", json=credentials, headers={"Origin": origin})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    form = sqlite_api.client().post(
        "/api/auth/login",
        content=urlencode(credentials),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert form.status_code == 415
