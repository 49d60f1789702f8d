"""The report on the command line and from a notebook, on campaigns that are known by their totals alone."""

import json
from datetime import date

import pytest
from sqlalchemy import select

from ma.errors import FileProblem
from ma.models import Audit
from tests.report.test_document import Page
from tests.test_cli_files import run, workbench  # noqa: F401

TOTALS = (
    "Title,Send Date,Total Recipients,Total Bounces,Unique Opens\n"
    '"<script>News</script>","Mar 01, 2024 10:00 am","1,000",10,396\n'
    '"Late","Apr 08, 2024 10:00 am","500",0,100\n'
)
MARCH = ("--from", "2024-03-01", "--to", "2024-03-31")


@pytest.fixture
def sent(run, tmp_path):  # noqa: F811
    """Two e-mails of which a platform's totals are known: one in March, one in April."""
    (tmp_path / "totals.csv").write_text(TOTALS)
    out, _, code = run("import", "totals", tmp_path / "totals.csv", "--channel", "email", "--key", "name")
    assert code == 0, out
    return tmp_path


def test_a_report_of_some_days_is_one_file(run, sent):  # noqa: F811
    file = sent / "report.html"
    out, _, code = run("report", *MARCH, "--out", file)
    assert (code, out.strip()) == (0, f"Campaigns in {file}: 1.")
    words = Page(file.read_text()).words
    assert "<script>News</script>" in words
    assert "Late" not in words
    # 396 of the 990 delivered opened it; nobody knows who converted, nor what it cost.
    assert "40.0 %" in words
    assert "396 of 990 people" in words
    assert "$0.00" not in words
    assert any("no ROI can be said" in text for text in words)


def test_campaigns_are_named_by_their_ids_and_it_is_audited(run, sent, workbench):  # noqa: F811
    ids = workbench.campaigns().set_index("name")["campaign_id"]
    told = run("report", "--campaigns", ids["Late"], "--out", sent / "late.html", "--json")[0]
    assert json.loads(told) == {"files": [str(sent / "late.html")], "campaigns": 1}
    with workbench._database.reading() as session:
        entry = session.scalar(select(Audit).where(Audit.action == "export"))
    assert (entry.actor, entry.noun) == ("system", "report")
    assert entry.detail == {"extension": "html", "rows": 1, "params": {"campaign_ids": str(ids["Late"])}}
    number = workbench.report(sent / "both.html", start=date(2024, 3, 1), end=date(2024, 4, 9))
    assert number == 2
    with pytest.raises(FileProblem, match="endings"):
        workbench.report(sent / "report.doc")


REFUSED = [
    (("--from", "2024-03-01"), 2, "--out"),
    (("--out", "{folder}/x.doc"), 1, "endings .html, .pdf"),
    (("--out", "/nowhere/at/all.html"), 1, "cannot be written"),
    (("--campaigns", "1,x", "--out", "{folder}/x.html"), 1, "no list of campaigns"),
    (("--campaigns", "", "--out", "{folder}/x.html"), 1, "no list of campaigns"),
    (("--campaigns", "77", "--out", "{folder}/x.html"), 1, "campaign 77"),
    (("--from", "soon", "--out", "{folder}/x.html"), 1, "Write it as"),
    (("--from", "2024-03-02", "--to", "2024-03-01", "--out", "{folder}/x.html"), 1, "Exchange them"),
    (("--to", "2020-03-01", "--out", "{folder}/x.html"), 1, "Choose more days"),
    (("--from", "2024-03-02", "funnel"), 2, "after 'funnel'"),
]


def test_what_cannot_be_reported_is_said(run, sent):  # noqa: F811
    for arguments, code, said in REFUSED:
        given = [argument.replace("{folder}", str(sent)) for argument in arguments]
        out, err, ended = run("report", *given)
        assert (out, ended) == ("", code), arguments
        assert said in err, arguments
    assert not list(sent.glob("x.*"))


def test_the_commands_of_report_are_still_there(run, sent):  # noqa: F811
    assert "sent" in run("report", "funnel")[0]
    assert len(json.loads(run("report", "roi", "--json")[0])["rows"]) == 2
