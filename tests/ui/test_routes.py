"""Sessions, exports and health, asked for as any program on the network could."""

import asyncio
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.middleware import Middleware

from ma import clock
from ma.models import Audit, UserSession
from ma.services import auth
from ui.headers import SecurityHeaders
from ui.local_path import local_path
from ui.routes import ROUTES

HERE = "http://shop.test"
SERVER = Starlette(routes=ROUTES, middleware=[Middleware(SecurityHeaders)])


@pytest.fixture
def ask(workbench):
    """One request to the server; gives its status, headers and body."""

    def request(method, address, *, token=None, form=None, origin=None):
        path, _, query = address.partition("?")
        body = urlencode(form or {}).encode()
        headers = {"host": "shop.test", "content-type": "application/x-www-form-urlencoded"}
        headers |= {"cookie": f"ma_session={token}"} if token else {}
        headers |= {"origin": origin} if origin else {}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "scheme": "http",
            "server": ("shop.test", 80),
        }
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(SERVER(scope, receive, send))
        start = sent[0]
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], answered, b"".join(part.get("body", b"") for part in sent[1:])

    return request


@pytest.fixture
def ticket(workbench):
    def make(username="marketer", at=None):
        with workbench.writing() as session:
            account = auth.find_account(session, username)
            return auth.issue_ticket(session, account.user_id, at=at or clock.now())

    return make


def cookie_of(headers):
    return headers["set-cookie"].split(";")[0].removeprefix("ma_session=")


# Sessions


def test_a_ticket_becomes_a_cookie_that_scripts_cannot_read(ask, ticket):
    status, headers, _ = ask(
        "POST", "/auth/session", form={"ticket": ticket(), "next": "/customers?id=5"}, origin=HERE
    )
    assert (status, headers["location"]) == (303, "/customers?id=5")
    flags = {flag.strip().lower() for flag in headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=86400"} <= flags
    assert "secure" not in flags


def test_the_cookie_is_secure_where_the_settings_say_so(ask, ticket, monkeypatch):
    from ma.settings import Settings
    from ui import routes

    monkeypatch.setattr(routes, "settings", lambda: Settings(secure_cookies=True))
    _, headers, _ = ask("POST", "/auth/session", form={"ticket": ticket()}, origin=HERE)
    assert "; secure" in headers["set-cookie"].lower()


def test_a_used_old_or_invented_ticket_opens_nothing(ask, ticket):
    used = ticket()
    ask("POST", "/auth/session", form={"ticket": used}, origin=HERE)
    for dead in (used, "invented", "", ticket(at=clock.now() - timedelta(seconds=61))):
        status, headers, _ = ask("POST", "/auth/session", form={"ticket": dead}, origin=HERE)
        assert (status, headers["location"]) == (303, "/")
        assert "set-cookie" not in headers


@pytest.mark.parametrize("origin", [None, "null", "http://evil.test", "http://shop.test.evil.test"])
@pytest.mark.parametrize("path", ["/auth/session", "/auth/logout"])
def test_other_sites_can_neither_sign_in_nor_out(ask, ticket, token, who_is, origin, path):
    bearer = token("marketer")
    status, headers, _ = ask("POST", path, token=bearer, form={"ticket": ticket("viewer")}, origin=origin)
    assert status == 403
    assert "set-cookie" not in headers
    assert who_is(bearer) == "marketer"


@pytest.mark.parametrize("path", ["/auth/session", "/auth/logout"])
def test_a_link_changes_nothing(ask, token, who_is, path):
    bearer = token("marketer")
    assert ask("GET", path, token=bearer, origin=HERE)[0] == 405
    assert who_is(bearer) == "marketer"


@pytest.fixture
def who_is(workbench):
    def read(token):
        with workbench.reading() as session:
            actor = auth.session_actor(session, token, now=clock.now())
        return actor and actor.username

    return read


def test_signing_out_ends_the_session_and_takes_the_cookie(ask, token, who_is):
    bearer = token("marketer")
    status, headers, _ = ask("POST", "/auth/logout", token=bearer, origin=HERE)
    assert (status, headers["location"]) == (303, "/")
    assert 'ma_session=""' in headers["set-cookie"]
    assert "max-age=0" in headers["set-cookie"].lower()
    assert who_is(bearer) is None


def test_signing_in_again_ends_the_browsers_older_session(ask, ticket, token, who_is):
    older = token("viewer")
    _, headers, _ = ask("POST", "/auth/session", token=older, form={"ticket": ticket("analyst")}, origin=HERE)
    assert who_is(older) is None
    assert who_is(cookie_of(headers)) == "analyst"


@pytest.mark.parametrize("wanted", ["/", "/customers", "/customers?id=5&q=a%20b", "/results?seg=1&seg=2"])
def test_places_on_this_server_are_returned_to(wanted):
    assert local_path(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "customers",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        " //evil.test",
        "/ /evil.test",
        "http://evil.test",
        "javascript:alert(1)",
        "/auth/logout",
        "/export/customers.csv",
    ],
)
def test_other_places_are_not(wanted):
    assert local_path(wanted) == "/"


# Exports


def test_an_export_without_signing_in_is_refused(ask):
    assert ask("GET", "/export/campaigns.csv")[0] == 401
    assert ask("GET", "/export/campaigns.csv", token="invented")[0] == 401


def test_a_viewer_may_not_export(ask, token):
    status, _, body = ask("GET", "/export/campaigns.csv", token=token("viewer"))
    assert status == 403
    assert b"Ask an admin for the role analyst." in body


def test_an_ended_session_exports_nothing(ask, token, workbench):
    bearer = token("analyst")
    with workbench.writing() as session:
        auth.end_session(session, bearer, at=clock.now())
    assert ask("GET", "/export/campaigns.csv", token=bearer)[0] == 401


@pytest.fixture
def one_frame(monkeypatch):
    """A frame with a known row, as an analytics module would register it."""
    import pandas as pd

    from ma.analytics import frames

    def people(session, *, as_of, q: str = "", limit: int = 5):
        return pd.DataFrame({"name": [f"={q}"], "spend_minor": [limit]})

    def broken(session, *, as_of):
        raise RuntimeError("anna@example.com")

    monkeypatch.setattr(frames, "frames", lambda: {"people": people, "broken": broken})


def test_an_analyst_downloads_a_harmless_csv_and_it_is_audited(ask, token, one_frame, workbench):
    status, headers, body = ask("GET", "/export/people.csv?q=anna&limit=7", token=token("analyst"))
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="people.csv"'
    assert headers["content-type"].startswith("text/csv")
    assert headers["cache-control"] == "no-store"
    assert body.decode("utf-8-sig").splitlines() == ["name,spend_minor", "'=anna,7"]
    with workbench.reading() as session:
        entry = session.scalar(select(Audit).where(Audit.action == "export"))
    assert (entry.actor, entry.noun) == ("analyst", "people")
    assert entry.detail == {"extension": "csv", "rows": 1, "params": {"limit": "7"}}


def test_parquet_comes_from_the_same_address(ask, token, one_frame):
    status, headers, body = ask("GET", "/export/people.parquet", token=token("analyst"))
    assert (status, body[:4]) == (200, b"PAR1")
    assert headers["content-disposition"] == 'attachment; filename="people.parquet"'


@pytest.mark.parametrize(
    ("address", "status", "reason"),
    [
        ("/export/salaries.csv", 404, b"There is no table 'salaries'"),
        ("/export/people.exe", 404, b"There is no format 'exe'"),
        ("/export/people.csv?session=1", 400, b"no parameter 'session'"),
        ("/export/people.csv?as_of=2020-01-01", 400, b"no parameter 'as_of'"),
        ("/export/people.csv?sql=drop", 400, b"no parameter 'sql'"),
        ("/export/people.csv?limit=many", 400, b"not a value for 'limit'"),
    ],
)
def test_what_cannot_be_exported_is_said_in_words(ask, token, one_frame, workbench, address, status, reason):
    answered, headers, body = ask("GET", address, token=token("analyst"))
    assert answered == status
    assert reason in body
    assert headers["content-type"].startswith("text/plain")
    with workbench.reading() as session:
        assert session.scalar(select(Audit).where(Audit.action == "export")) is None


@pytest.mark.parametrize(
    ("address", "status", "reason"),
    [
        ("kpis.csv?start=2026-05-02&end=2026-05-01", 400, b"must start before it ends"),
        ("kpis.csv?start=2026-05-02", 400, b"'kpis' needs 'end'."),
        ("kpis.csv?start=0001-01-01&end=9999-12-31", 400, b"'0001-01-01' is not a value for 'start'."),
        ("trend.csv?start=2026-05-01&end=2026-05-02&by=year", 400, b"not by 'year'"),
        ("recipients.csv", 400, b"'recipients' needs 'campaign_id'."),
        (f"recipients.csv?campaign_id={'9' * 12}", 400, b"is not a value for 'campaign_id'."),
        (f"recipients.csv?campaign_id={'9' * 20}", 400, b"is not a value for 'campaign_id'."),
        ("recipients.csv?campaign_id=%C2%B2", 400, b"is not a value for 'campaign_id'."),
        ("customers.csv?limit=-1", 400, b"'-1' is not a value for 'limit'."),
        ("campaigns.csv?status=%00", 400, b"is not a value for 'status'."),
        (f"roi.csv?campaign_ids=1,{'9' * 20}", 400, b"is not a value for 'campaign_ids'."),
        ("segment_members.csv?segment_id=7", 404, b"no segment 7"),
    ],
)
def test_what_the_tables_refuse_is_said_in_words(ask, token, address, status, reason):
    answered, _, body = ask("GET", f"/export/{address}", token=token("analyst"))
    assert (answered, reason in body) == (status, True), body


def test_a_fault_of_ours_is_not_blamed_on_the_parameters(ask, token, monkeypatch):
    from ma.analytics import frames

    def broken(session, *, as_of):
        return len(5)

    monkeypatch.setattr(frames, "frames", lambda: {"broken": broken})
    assert ask("GET", "/export/broken.csv", token=token("analyst"))[0] == 500


def test_a_fault_is_a_reference_not_a_secret(ask, token, one_frame):
    status, _, body = ask("GET", "/export/broken.csv", token=token("analyst"))
    assert status == 500
    assert b"report reference" in body
    assert b"anna" not in body


# Health and headers


def test_health_is_public_and_says_nothing_else(ask):
    status, _, body = ask("GET", "/health")
    assert (status, body) == (200, b'{"status":"ok"}')


def test_every_answer_carries_the_security_headers(ask):
    for address in ("/health", "/export/x.csv", "/nothing-here"):
        _, headers, _ = ask("GET", address)
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_server_statistics_are_closed(ask):
    assert ask("GET", "/_stcore/metrics")[0] == 404


def test_only_the_tokens_hash_is_stored(ask, ticket, workbench):
    _, headers, _ = ask("POST", "/auth/session", form={"ticket": ticket()}, origin=HERE)
    with workbench.reading() as session:
        assert cookie_of(headers) not in session.scalars(select(UserSession.token_hash)).all()


# Rejected rows of a dry run


@pytest.mark.parametrize(
    ("role", "status"), [(None, 401), ("viewer", 403), ("analyst", 403), ("marketer", 404)]
)
def test_rejected_rows_are_for_whoever_made_the_dry_run(ask, token, role, status):
    bearer = token(role) if role else None
    answered, headers, _ = ask("GET", "/import/guessed/rejected.csv", token=bearer)
    assert answered == status
    assert headers["content-type"].startswith("text/plain")
