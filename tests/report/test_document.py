"""The report's file: whole, safe with any name, asking nobody for anything, with the figures it was given."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from sqlalchemy import update

from ma.db.engine import connect
from ma.errors import NotFound
from ma.models import Campaign, Segment, Workspace
from ma.report import document, sections
from ma.report.findings import find
from ma.report.glossary import TERMS
from ma.report.markup import Html, join, table, tag
from tests.analytics import result_world
from tests.analytics.test_results import NOW, world  # noqa: F401

SCRIPT = "<script>alert(1)</script>"
NASTY = "\"><img src=//evil.test/x onerror=alert(1)> &amp; 'x' </style>"
_VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """Elements, attributes and words of a document; fails where tags are not nested properly."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.words, self.styles, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in _VOID:
            self._open.append(name)

    def handle_endtag(self, name):
        assert self._open.pop() == name

    def handle_data(self, text):
        (self.styles if self._open[-1:] == ["style"] else self.words).append(text)

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture
def database(sqlite_url):
    """What is asked of databases is tested beside; here one of them is enough."""
    database = connect(sqlite_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def many(template_sqlite, tmp_path_factory):
    """What is found among campaigns of every kind: two messages, a platform's totals, one not sent yet."""
    path = tmp_path_factory.mktemp("report") / "ma.db"
    path.write_bytes(template_sqlite.read_bytes())
    database = connect(f"sqlite:///{path}")
    with database.writing() as session:
        result_world.build(session)
    with database.reading() as session:
        found = find(session, as_of=result_world.NOW)
    database.close()
    return found


@pytest.fixture(scope="module")
def whole(many):
    """The document of all of them."""
    return document.of_findings(many, made_by="Ann", made_at=many.as_of)


@pytest.fixture
def story(world):  # noqa: F811
    """`story()`: the document of the two campaigns of which every figure is known by hand."""

    def make(made_by="Ann", **choice):
        with world.reading() as session:
            return document.report(session, as_of=NOW, made_by=made_by, made_at=NOW, **choice)

    return make


def test_names_are_shown_as_they_were_written_and_do_nothing(world, story):  # noqa: F811
    with world.writing() as session:
        for number, name in ((1, SCRIPT), (2, NASTY)):
            session.execute(update(Campaign).where(Campaign.id == number).values(name=name))
        session.execute(update(Workspace).values(name=NASTY))
        made_then = {"created_by": "t", "created_at": NOW, "updated_at": NOW}
        session.add(Segment(id=3, name=SCRIPT, name_folded="s", rule={"all": []}, **made_then))
        session.flush()
        session.execute(update(Campaign).where(Campaign.id == 1).values(segment_id=3))
    page = Page(story(made_by=SCRIPT).html)
    assert page.words.count(SCRIPT) >= 3
    assert NASTY in page.words
    assert any(words.startswith(f"{NASTY}: campaigns launched") for words in page.words)
    assert any(f"Made by {SCRIPT} on 20 March 2026, 08:00" in words for words in page.words)
    asks_nobody(page)


def test_the_file_asks_no_host_for_anything_and_runs_nothing(whole):
    asks_nobody(Page(whole.html))
    assert len(whole.html) < 80_000


def asks_nobody(page):
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    given = {name for _, attributes in page.elements for name in attributes}
    assert [name for name in given if name.startswith("on")] == []
    assert not given & {"src", "srcset", "xlink:href", "data", "action", "poster", "background"}
    assert all(target.startswith("#") for target in page.attributes("href"))
    assert not re.search(r"url\(|@import|expression", "".join([*page.styles, *page.attributes("style")]))
    (policy,) = [a["content"] for n, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_entry_of_the_contents_leads_to_its_section(whole):
    page = Page(whole.html)
    targets = [target.removeprefix("#") for target in page.attributes("href")]
    assert targets == [a["id"] for name, a in page.elements if name == "section" and "id" in a]
    assert len(targets) == len(set(targets)) == len(whole.sections)
    assert whole.sections == [
        "Key figures",
        "What the campaigns caused",
        "Funnel",
        "Return by campaign",
        "By channel",
        "By segment",
        "Tests and what they say",
        "How final these figures are",
        "What the words mean",
    ]


def test_a_section_is_there_only_where_it_has_something_to_say(story):
    # One campaign, sent by post to people without a segment, nobody held out.
    assert story(campaign_ids=[2]).sections == [
        "Key figures",
        "Funnel",
        "Return by campaign",
        "How final these figures are",
        "What the words mean",
    ]


def test_the_best_and_the_worst_are_there_where_enough_are_finished(many):
    frame = many.campaigns.head(4).assign(measure="profit_minor", value=1.0, low=0.0, high=2.0)
    four = replace(many, ranking=frame.assign(best=range(1, 5), worst=range(4, 0, -1)))
    words = Page(document.of_findings(four, made_by="Ann", made_at=NOW).html).words
    assert {"Best and worst", "Best by profit", "Worst by profit", "Of the 4 finished campaigns"} <= {
        text[:27] if text.startswith("Of the 4") else text for text in words
    }


def test_tables_have_the_figures_that_can_be_counted_by_hand(world, story):  # noqa: F811
    with world.writing() as session:
        session.execute(update(Campaign).values(waves_sent=Campaign.waves))
    words = Page(story().html).words
    # Three of six reached bought: 50 %, Wilson's 18.8 to 81.2. Two of four who got the mail: 15.0 to 85.0.
    assert {"50.0 %", "18.8–81.2 %", "3 of 6 people", "50.0 % (15.0–85.0)"} <= set(words)
    # 50.00 for the mail, 25.00 for the post; the mail cost 10.00.
    assert {"7", "$75.00", "$10.00", "$40.00", "+400 %", "known for 1 of 2 campaigns"} <= set(words)
    # Two of five bought who were sent the mail, and the one who was held out: three fewer than without it.
    assert {"-60.0", "-3", "5 / 1", "40.0 % / 100.0 %"} <= set(words)
    said = " ".join(words)
    assert "1 with real results, imported; 1 simulated: what people did is drawn, not observed." in said
    assert "The cost of 1 of 2 is not known: no ROI can be said." in said
    assert "2 campaigns can still bring conversions." in said
    assert "1 people bought without the message" in said
    assert "As of 20 March 2026, 08:00 (America/New_York)" in said
    assert "$0.00" not in said


def test_every_campaign_channel_and_segment_is_in_a_table(many, whole):
    words = Page(whole.html).words
    assert set(many.campaigns["name"]) | set(many.channels["label"]) | set(many.segments["label"]) <= set(
        words
    )


def test_sections_use_only_words_of_the_glossary_and_explain_them(many, whole):
    used = {name for section in sections.sections(many) for name in section.words} | {"unknown"}
    assert used <= set(TERMS)
    words = Page(whole.html).words
    assert all(words.count(sentence) == 1 for name, (_, sentence) in TERMS.items() if name in used)
    assert all(sentence.endswith(".") for _, sentence in TERMS.values())


def test_nothing_to_report_is_an_error_with_a_remedy(story):
    with pytest.raises(NotFound, match="Leave it out"):
        story(campaign_ids=[3])


def test_whatever_is_not_html_is_escaped():
    assert tag("p", "<b>", class_='"x"', hidden=None) == '<p class="&quot;x&quot;">&lt;b&gt;</p>'
    assert tag("p", tag("b", "&")) == "<p><b>&amp;</b></p>"
    assert join(["<", Html("<br>")], "|") == "&lt;|<br>"
    assert "&lt;i&gt;" in table(["a", "<i>"], [])
    assert tag("meta", http_equiv="x") == '<meta http-equiv="x">'
