"""The report's screen in each of its states, and its file from the checked address."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from ma import clock
from ma.models import Audit
from ma.report import printing
from ma.report.findings import find
from tests.pages.test_campaign_screens import words
from tests.pages.test_replay import NASTY, made, workbench  # noqa: F401
from tests.report.test_document import Page
from tests.ui.test_routes import ask  # noqa: F401

DAY = (clock.now() - timedelta(days=40)).date()
LATER = DAY + timedelta(days=9)


def links(test):
    """The addresses of the downloads, by label."""
    return {link.proto.label: link.proto.url for link in test.get("link_button")}


def test_nobody_signed_in_learns_nothing(workbench, act_as, screen):  # noqa: F811
    act_as(None)
    test = screen("report")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.metric
    assert links(test) == {}


@pytest.mark.parametrize("workbench", ["empty"], indirect=True)
def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):  # noqa: F811
    act_as("viewer")
    test = screen("report")
    assert not test.exception
    assert "Nothing to report yet" in words(test)
    assert links(test) == {}


@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer", "admin"])
def test_every_role_reads_the_report_in_short_and_some_download_it(workbench, act_as, screen, role):  # noqa: F811
    act_as(role)
    test = screen("report")
    assert not test.exception
    assert not test.error
    said = words(test).replace("\\", "")
    assert "3 campaigns launched from" in said
    assert "Tests and what they say" in said
    with workbench.reading() as session:
        found = find(session, as_of=clock.now())
    sent = next(metric for metric in test.metric if metric.label == "Messages sent")
    assert sent.value == f"{found.campaigns['sent'].sum():,.0f}"
    may = role != "viewer"
    assert ("Download report" in links(test)) == may
    assert ("Downloading it needs the role analyst" in said) != may


def test_the_address_says_days_and_campaigns_and_the_links_have_them(workbench, act_as, screen):  # noqa: F811
    act_as("analyst")
    test = screen("report", **{"from": str(DAY), "to": str(DAY), "campaigns": "1"})
    assert not test.exception
    assert "1 campaign launched on" in words(test).replace("\\", "")
    address = f"/export/report.html?from={DAY}&to={DAY}&campaigns=1"
    assert links(test)["Download report"] == address
    (code,) = test.code
    assert f'start=date.fromisoformat("{DAY}")' in code.value
    compile(code.value, "code", "exec")


def test_campaigns_of_other_days_are_left_out_and_said(workbench, act_as, screen):  # noqa: F811
    act_as("viewer")
    test = screen("report", **{"from": str(LATER), "to": str(LATER), "campaigns": "1,2,99"})
    assert not test.exception
    said = words(test).replace("\\", "")
    assert "2 of the campaigns in the address" in said
    assert test.multiselect[0].value == [2]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"from": "soon"}, "no day to begin or end with"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "Exchange them"),
        ({"campaigns": "1,x"}, "no list of campaigns"),
        ({"campaigns": "9" * 30}, "no list of campaigns"),
    ],
)
def test_an_address_that_cannot_be_read_is_said(workbench, act_as, screen, params, said):  # noqa: F811
    act_as("viewer")
    test = screen("report", **params)
    assert not test.exception
    assert said in words(test).replace("\\", "")
    assert test.metric


def test_days_without_a_launch_are_said(workbench, act_as, screen):  # noqa: F811
    act_as("viewer")
    test = screen("report", **{"from": "2020-01-01", "to": "2020-01-31"})
    assert not test.exception
    assert "No campaign was launched in these days" in words(test)
    assert not test.metric


def test_other_days_chosen_go_into_the_address(workbench, act_as, screen):  # noqa: F811
    act_as("viewer")
    test = screen("report")
    test.date_input(key="report-days").set_value((LATER, LATER)).run()
    assert not test.exception
    address = {name: test.query_params[name] for name in ("from", "to")}
    assert {name: value if isinstance(value, str) else value[0] for name, value in address.items()} == {
        "from": str(LATER),
        "to": str(LATER),
    }
    test.date_input(key="report-days").set_value((LATER,)).run()
    assert "Choose the last day too" in words(test)


def test_without_a_browser_the_screen_says_how_to_get_one(workbench, act_as, screen, monkeypatch):  # noqa: F811
    act_as("analyst")
    monkeypatch.setattr(printing, "browser", lambda: None)
    test = screen("report")
    assert set(links(test)) == {"Download report"}
    assert "Install Chromium, Chrome or Edge" in words(test).replace("\\", "")


# The file


@pytest.fixture
def token(workbench):  # noqa: F811
    """The token of a new session of a user."""
    from ma.services import auth

    def make(username):
        with workbench.writing() as session:
            account = auth.find_account(session, username)
            ticket = auth.issue_ticket(session, account.user_id, at=clock.now())
            return auth.redeem_ticket(session, ticket, at=clock.now())

    return make


def exported(database):
    with database.reading() as session:
        return session.scalars(select(Audit).where(Audit.action == "export")).all()


def test_the_file_is_for_those_who_may_export_and_it_is_audited(workbench, ask, token):  # noqa: F811
    address = f"/export/report.html?from={DAY}&to={LATER}"
    assert ask("GET", address)[0] == 401
    assert ask("GET", address, token=token("viewer"))[0] == 403
    assert exported(workbench) == []
    status, headers, body = ask("GET", address, token=token("analyst"))
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-disposition"] == (f'attachment; filename="report-from-{DAY}-to-{LATER}.html"')
    assert headers["cache-control"] == "no-store"
    page = Page(body.decode())
    assert NASTY in page.words
    assert any(text.startswith("Made by analyst on ") for text in page.words)
    (entry,) = exported(workbench)
    assert (entry.actor, entry.noun) == ("analyst", "report")
    assert entry.detail == {"extension": "html", "rows": 3, "params": {"from": str(DAY), "to": str(LATER)}}


@pytest.mark.parametrize(
    ("address", "status", "reason"),
    [
        ("report.docx", 404, b"There is no format 'docx'"),
        ("report.html?campaigns=77", 404, b"campaign 77"),
        ("report.html?campaigns=3", 404, b"campaign 3"),
        ("report.html?campaigns=1,,2", 400, b"no list of campaigns"),
        ("report.html?from=2020-01-01&to=2020-01-02", 404, b"No campaign was launched"),
        ("report.html?from=2020-01-05&to=2020-01-02", 400, b"Exchange them"),
        ("report.html?from=9999-12-31", 400, b"no day to begin or end with"),
        ("report.html?start=2020-01-01", 400, b"no parameter 'start'"),
    ],
)
def test_what_cannot_be_reported_is_said_in_words(workbench, ask, token, address, status, reason):  # noqa: F811
    answered, _, body = ask("GET", f"/export/{address}", token=token("analyst"))
    assert (answered, reason in body) == (status, True), body
    assert exported(workbench) == []
