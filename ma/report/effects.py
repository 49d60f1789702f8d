"""What campaigns caused, against people held out, and what tests of messages say."""

from collections.abc import Callable

import pandas as pd

from ma.analytics.experiment_verdicts import points
from ma.analytics.incrementality import FEWEST_BUYERS
from ma.charts import theme
from ma.report import pictures, words
from ma.report.findings import Effect, Findings
from ma.report.markup import Html, join, table, tag
from ma.report.pictures import Mark
from ma.report.section import MOST_BARS, Section, over

_POINTS = "percentage points"


def effect(findings: Findings) -> Section | None:
    """The incremental effect of the campaigns with a holdout; nothing where there is none."""
    frame, currency = findings.effects, findings.place.currency
    if frame.empty:
        return None

    def money(minor: float) -> str:
        return words.money(minor, currency)

    shown = frame.sort_values("people_sent", ascending=False, kind="stable").head(MOST_BARS)
    marks = [
        Mark(
            row.name,
            row.rate_difference,
            _difference(row.rate_difference, row.rate_low, row.rate_high),
            f"{theme.percent(row.rate_sent)} of {words.count(row.people_sent)} sent, "
            f"{theme.percent(row.rate_held_out)} of {words.count(row.people_held_out)} held out",
            low=row.rate_low,
            high=row.rate_high,
        )
        for row in shown.itertuples()
    ]
    rows = [
        (
            join([row.name, _marks(row)]),
            f"{words.count(row.people_sent)} / {words.count(row.people_held_out)}",
            f"{theme.percent(row.rate_sent)} / {theme.percent(row.rate_held_out)}",
            _cell(row, "rate_difference", "rate{}", points),
            _cell(row, "incremental_conversions", "incremental_conversions{}", words.more),
            _cell(row, "incremental_revenue_minor", "incremental_revenue{}_minor", money),
            _cell(row, "incremental_roi", "incremental_roi{}", words.signed),
            words.signed(row.roi),
        )
        for row in frame.itertuples()
    ]
    head = [
        "Campaign", "Sent / held out", "Converted", f"Difference, {_POINTS}", "Extra conversions",
        "Extra revenue", "Incremental ROI", "Attributed ROI",
    ]  # fmt: skip
    title = f"Conversion rate of those sent it less that of those held out, in {_POINTS}, 95 % interval"
    body = join(
        [
            *(tag("p", sentence) for sentence in told(findings)),
            pictures.estimates(title, marks, points, zero=True),
            table(head, rows),
            *(tag("p", note, class_="note") for note in _notes(frame)),
        ]
    )
    used = ("holdout", "incremental", "interval", "together", "split", "roi", "conversion_rate")
    return Section("effect", "What the campaigns caused", body, used)


def told(findings: Findings) -> list[str]:
    """The incremental effect in sentences; none where there is no holdout."""
    if findings.effects.empty:
        return []
    people, money, currency = findings.extra_conversions, findings.extra_revenue, findings.place.currency
    if not people.campaigns:
        return [
            "What the campaigns with a holdout caused cannot be told: their people are not split as planned."
        ]
    said = words.between(*map(words.more, (people.value, people.low, people.high)))
    sentences = [
        f"Against people held out by lot, {words.campaigns(people.campaigns)} changed the number of "
        f"conversions by {said}. {_clearly(people)}"
    ]
    if money.campaigns:
        said = words.between(*(words.money(end, currency) for end in (money.value, money.low, money.high)))
        part = "" if money.campaigns == people.campaigns else f", known for {money.campaigns} of them,"
        sentences.append(f"In revenue{part} that is {said}. {_clearly(money)}")
    return sentences


def tests(findings: Findings) -> Section | None:
    """What each test of messages, and each holdout, says in words; nothing where nothing was tested."""
    frame = findings.tests
    if frame.empty:
        return None
    verdicts = [
        join([tag("dt", row.name), tag("dd", row.verdict or "It says nothing yet.")])
        for row in frame.itertuples()
    ]
    rows = [
        (
            row.name,
            row.comparison,
            f"{theme.percent(row.value_b)} / {theme.percent(row.value_a)}",
            f"{words.count(row.people_b)} / {words.count(row.people_a)}",
            over(points(row.difference), words.ends(points(row.low), points(row.high))),
            _p_value(row.p_adjusted),
            "over" if row.over else "not over",
        )
        for row in findings.differences.itertuples()
    ]
    head = ["Campaign", "Comparison", "Converted", "People", f"Difference, {_POINTS}", "p", "Test"]
    body = join([tag("dl", *verdicts), table(head, rows, words=2) if rows else ""])
    used = ("conversion_rate", "interval", "p_value", "split", "holdout")
    return Section("tests", "Tests and what they say", body, used)


def _clearly(found: Effect) -> str:
    if found.low != found.low:
        return "How sure that is cannot be told."
    if not found.is_clear:
        return "That cannot be told from no effect at all: the interval includes zero."
    return (
        "That is more than chance explains." if found.value > 0 else "It took away more than chance explains."
    )


def _marks(row) -> Html:
    """Signs behind a campaign's name that the notes explain."""
    signs = ("*" if not row.over else "") + ("†" if not row.enough_buyers else "")
    signs += "‡" if row.sample_ratio in ("alarm", "warning") else ""
    return tag("sup", signs) if signs else Html("")


def _notes(frame: pd.DataFrame) -> list[str]:
    found = []
    if not frame["over"].all():
        found.append("* Not over: conversions can still come on both sides.")
    if not frame["enough_buyers"].all():
        found.append(
            f"† Fewer than {FEWEST_BUYERS} people bought on one side, so the intervals of the money hold "
            "only about 9 times in 10: one large purchase would move them."
        )
    if frame["sample_ratio"].isin(["alarm", "warning"]).any():
        found.append(
            "‡ People are not split as planned: see the test. With an alarm it is not in the sums above."
        )
    found.append(
        "Attributed ROI credits the campaign with all purchases of its recipients; incremental ROI only with "
        "those that it caused. The two can differ in sign."
    )
    return found


def _cell(row, value: str, ends: str, say: Callable[[float], str]) -> Html:
    """A figure of a frame's row over its interval."""
    low, high = (say(getattr(row, ends.format(end))) for end in ("_low", "_high"))
    return over(say(getattr(row, value)), words.ends(low, high))


def _difference(value: float, low: float, high: float) -> str:
    return words.between(*map(points, (value, low, high)))


def _p_value(value: float) -> str:
    if value != value:
        return words.UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
