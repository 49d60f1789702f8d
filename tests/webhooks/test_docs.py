"""What docs/webhooks.md tells receivers to do works on what is really sent."""

import re
import time

import pytest

from ma.settings import ROOT
from ma.webhooks import sending, signature
from ma.webhooks.addresses import Allowed

TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET = bytes(range(32))


@pytest.fixture
def is_ours():
    """The function of the document."""
    [code] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {}
    exec(code, names)
    return names["is_ours"]


@pytest.fixture
def sent(receiver):
    """The headers and the body of a request, signed with a new secret and an old one."""
    body = '{"type":"LeadWon","note":"ä"}'.encode()
    headers = signature.headers([b"another", SECRET], "7", int(time.time()), body)
    sending.post(receiver.url, body, headers, allowed=Allowed("127.0.0.1"))
    return receiver.received[0]


def test_it_knows_what_is_ours(is_ours, sent):
    headers, body = sent
    assert is_ours(signature.shown(SECRET), headers, body)
    assert is_ours(signature.shown(b"another"), headers, body)


def test_it_refuses_what_was_changed_or_is_old_or_is_anothers(is_ours, sent):
    headers, body = sent
    secret = signature.shown(SECRET)
    assert not is_ours(secret, headers, body + b" ")
    assert not is_ours(secret, headers | {"webhook-id": "8"}, body)
    assert not is_ours(secret, headers | {"webhook-timestamp": str(int(time.time()) - 5)}, body)
    assert not is_ours(secret, headers, body, now=time.time() + 301)
    assert not is_ours(signature.shown(b"nobody's"), headers, body)


def test_every_command_it_names_is_there():
    from typer.testing import CliRunner

    from ma.cli import app

    named = {name for found in re.findall(r"-m ma webhook ([\w|-]+)", TEXT) for name in found.split("|")}
    listed = CliRunner().invoke(app, ["webhook", "--help"]).output
    assert len(named) == 10
    assert [name for name in named if not re.search(rf"\b{name}\b", listed)] == []
