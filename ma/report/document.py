"""The whole report: one HTML file that asks no other host for anything and needs no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from ma.analytics.rates import pooled_roi
from ma.charts import theme
from ma.report import words
from ma.report.findings import Findings, find
from ma.report.markup import Html, join, tag
from ma.report.sections import Section, in_short, sections
from ma.types import Source

_STYLE = Path(__file__).with_name("report.css")
# Whatever a name might smuggle in: the document may load and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Document:
    """A finished report: its HTML, the titles of its sections, and how many campaigns are in it."""

    html: str
    sections: list[str]
    campaigns: int


def report(
    session: Session,
    *,
    as_of: datetime,
    made_by: str,
    made_at: datetime,
    campaign_ids: Sequence[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Document:
    """The report on campaigns launched on days in [start, end), all of them or those given.

    Raises what findings.find raises.
    """
    findings = find(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    return of_findings(findings, made_by=made_by, made_at=made_at)


def of_findings(findings: Findings, *, made_by: str, made_at: datetime) -> Document:
    """The document of findings that were gathered already."""
    parts = sections(findings)
    body = tag(
        "body",
        _top(findings),
        tag("section", *_cards(findings), tag("div", *map(_paragraph, in_short(findings)), class_="short")),
        _contents(parts),
        *map(_section, parts),
        _end(findings, made_by, made_at),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", title(findings)),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    html = "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"
    return Document(html, [part.title for part in parts], len(findings.campaigns))


def title(findings: Findings) -> str:
    """What the report is about: the workspace and the days."""
    return f"{findings.place.name}: campaigns launched {words.period(findings)}"


def _top(findings: Findings) -> Html:
    place, frame = findings.place, findings.campaigns
    chosen = f"{words.campaigns(len(frame))}, {'chosen by hand' if findings.chosen else 'all of these days'}"
    told = f"{chosen}. As of {words.moment(findings.as_of, place.timezone)} ({place.timezone})."
    return tag("header", tag("h1", title(findings)), tag("p", told), tag("p", _source(findings)))


def _source(findings: Findings) -> str:
    counts = findings.campaigns["source"].value_counts()
    said = {
        Source.IMPORTED: "with real results, imported",
        Source.SIMULATED: "simulated: what people did is drawn, not observed",
    }
    parts = [f"{counts[source]:,} {said[source]}" for source in said if counts.get(source)]
    demo = " Demo data: names and consent are invented." if findings.place.is_demo else ""
    return f"Source: {'; '.join(parts)}.{demo}"


def _cards(findings: Findings) -> list[Html]:
    frame, currency = findings.campaigns, findings.place.currency
    converted, costed = findings.rate("converted"), len(findings.costed)
    cards = [
        ("Sent", theme.compact(frame["sent"].sum()), "people, once per campaign"),
        (
            "Conversion rate",
            theme.percent(converted.value),
            f"95 % interval {words.interval(converted.low, converted.high)}",
        ),
        (
            "Attributed revenue",
            theme.compact_money(frame["revenue_minor"].sum(min_count=1), currency),
            "last touch, within the window",
        ),
        ("ROI", words.signed(pooled_roi(frame)), f"cost known for {costed} of {len(frame)}"),
    ]
    drawn = [
        tag(
            "div",
            tag("div", label, class_="label"),
            tag("div", value, class_="value"),
            tag("div", under, class_="under"),
            class_="card",
        )
        for label, value, under in cards
    ]
    return [tag("div", *drawn, class_="cards")]


def _contents(parts: list[Section]) -> Html:
    entries = [tag("li", tag("a", part.title, href=f"#{part.key}")) for part in parts]
    return tag("nav", tag("h3", "In this report"), tag("ol", *entries))


def _section(part: Section) -> Html:
    return tag(
        "section",
        tag("h2", part.title),
        part.body,
        id=part.key,
        class_="fresh" if part.fresh_page else None,
    )


def _end(findings: Findings, made_by: str, made_at: datetime) -> Html:
    place = findings.place
    made, at = (words.moment(moment, place.timezone) for moment in (made_at, findings.as_of))
    lines = [
        f"Made by {made_by} on {made} in the workspace {place.name}. Days and times are those of "
        f"{place.timezone}.",
        f"As of {at}: what happened later is not counted.",
    ]
    return tag("footer", join(map(_paragraph, lines)))


def _paragraph(text: str) -> Html:
    return tag("p", text)
