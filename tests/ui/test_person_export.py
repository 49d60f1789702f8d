"""Downloading everything held on one person, asked for as any program on the network could."""

import json

import pytest
from sqlalchemy import select

from ma import clock
from ma.models import Audit
from ma.services.customers import create_customer
from ma.types import SYSTEM
from tests.ui.test_routes import ask  # noqa: F401


@pytest.fixture
def zoe(workbench):
    with workbench.writing() as session:
        return create_customer(session, SYSTEM, first_name="Zoë", email="z@example.com", at=clock.now())


def test_an_analyst_gets_the_document_and_the_log_says_so(ask, token, workbench, zoe):  # noqa: F811
    status, headers, body = ask("GET", f"/export/person?id={zoe}", token=token("analyst"))
    assert status == 200
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert f'filename="customer-{zoe}.json"' in headers["content-disposition"]
    assert json.loads(body)["profile"]["first_name"] == "Zoë"
    with workbench.reading() as session:
        entry = session.scalars(select(Audit).where(Audit.action == "export")).one()
    assert (entry.actor, entry.noun, entry.object_id, entry.detail) == ("analyst", "customer", str(zoe), {})


@pytest.mark.parametrize(
    ("who", "wanted", "answer"),
    [
        (None, "1", 401),
        ("viewer", "1", 403),
        ("analyst", "99", 404),
        ("analyst", "x", 404),
        ("admin", "", 404),
    ],
)
def test_nobody_else_gets_anything(ask, token, zoe, who, wanted, answer):  # noqa: F811
    status, _, body = ask("GET", f"/export/person?id={wanted}", token=token(who) if who else None)
    assert status == answer
    assert b"example.com" not in body
