"""Campaigns, channels and segments beside each other, with the intervals of their rates."""

import pandas as pd

from ma.analytics.best_worst import MEASURES
from ma.analytics.profile_groups import UNKNOWN
from ma.charts import theme
from ma.money import amount
from ma.report import pictures, words
from ma.report.findings import Findings, best_and_worst
from ma.report.markup import Html, join, table, tag
from ma.report.pictures import Mark
from ma.report.section import Section, drawn, most_sent, named, rates_picture
from ma.types import Channel


def returns(findings: Findings) -> Section:
    """What each campaign gave back for what it cost, and how many it converted."""
    currency, frame, parts = findings.place.currency, findings.campaigns, []
    if len(findings.costed):
        known = most_sent(frame[frame["roi"].notna()]).sort_values("roi", ascending=False)
        marks = [
            Mark(
                row.name,
                row.roi,
                words.signed(row.roi),
                f"{amount(row.revenue_minor, currency)} for {amount(row.cost_minor, currency)}",
                theme.GOOD if row.roi >= 0 else theme.BAD,
            )
            for row in known.itertuples()
        ]
        parts.append(pictures.bars(f"Return on investment{drawn(known, findings.costed)}", marks))
    converting = most_sent(frame[frame["conversion_rate"].notna()])
    converting = converting.sort_values("conversion_rate", ascending=False)
    parts.append(
        rates_picture(f"Conversion rate with its 95 % interval{drawn(converting, frame)}", converting, "name")
    )
    if unknown := len(frame) - len(findings.costed):
        parts.append(
            tag(
                "p", f"The cost of {unknown} of {len(frame)} is not known: no ROI can be said.", class_="note"
            )
        )
    rows = [
        (
            named(row),
            Channel(row.channel).label,
            f"{row.launched_at.tz_convert(findings.place.timezone):%d %b %Y}",
            words.count(row.sent),
            words.conversion(row),
            amount(row.revenue_minor, currency),
            amount(row.cost_minor, currency),
            amount(row.profit_minor, currency),
            words.signed(row.roi),
        )
        for row in frame.itertuples()
    ]
    head = ["Campaign", "Channel", "Launched", "Sent", "Conversion rate", "Revenue", "Cost", "Profit", "ROI"]
    parts.append(table(head, rows, words=3))
    if frame["growing"].any():
        parts.append(tag("p", "* Still growing: conversions can still come.", class_="note"))
    used = ("conversion_rate", "interval", "revenue", "cost", "profit", "roi")
    return Section("return", "Return by campaign", join(parts), used, fresh_page=True)


def channels(findings: Findings) -> Section | None:
    """The channels pooled; nothing where there is only one."""
    frame = findings.channels
    if len(frame) < 2:
        return None
    note = "Channels reach different people with different offers: a difference is not the channel's doing."
    body = join(
        [
            rates_picture("Conversion rate by channel with its 95 % interval", frame, "label"),
            _groups("Channel", frame, findings.place.currency),
            tag("p", note, class_="note"),
        ]
    )
    used = ("pooled", "open_rate", "conversion_rate", "interval", "revenue", "cost", "roi")
    return Section("channels", "By channel", body, used)


def segments(findings: Findings) -> Section | None:
    """The segments pooled over their campaigns; nothing where none was sent to a segment."""
    frame = findings.segments
    known = frame[(frame["value"] != UNKNOWN) & frame["conversion_rate"].notna()]
    if known.empty:
        return None
    shown = most_sent(known).sort_values("conversion_rate", ascending=False)
    title = f"Conversion rate by segment with its 95 % interval{drawn(shown, known)}"
    note = "Each pooled over the campaigns sent to it. Different segments were sent different offers."
    body = join(
        [
            rates_picture(title, shown, "label"),
            _groups("Segment", frame, findings.place.currency),
            tag("p", note, class_="note"),
        ]
    )
    used = ("pooled", "open_rate", "conversion_rate", "interval", "revenue", "cost", "roi")
    return Section("segments", "By segment", body, used)


def _groups(name: str, frame: pd.DataFrame, currency: str) -> Html:
    """The table of an analytics.breakdown frame."""
    rows = [
        (
            row.label,
            f"{row.campaigns:,}",
            words.count(row.sent),
            theme.percent(row.open_rate),
            theme.percent(row.click_rate),
            words.conversion(row),
            amount(row.revenue_minor, currency),
            amount(row.cost_minor, currency),
            words.signed(row.roi),
        )
        for row in frame.itertuples()
    ]
    rates = ["Open rate", "Click rate", "Conversion rate"]
    return table([name, "Campaigns", "Sent", *rates, "Revenue", "Cost", "ROI"], rows)


def ranking(findings: Findings) -> Section | None:
    """The best and the worst of the finished campaigns; nothing where there are too few to rank."""
    best, worst = best_and_worst(findings.ranking)
    if best.empty:
        return None
    currency, measure = findings.place.currency, MEASURES[best["measure"].iloc[0]]

    def rows(frame: pd.DataFrame) -> list[tuple]:
        return [
            (
                row.name,
                Channel(row.channel).label,
                amount(row.value, currency),
                f"{amount(row.low, currency)} to {amount(row.high, currency)}",
                words.count(row.sent),
                words.count(row.converted),
            )
            for row in frame.itertuples()
        ]

    head = ["Campaign", "Channel", measure, "95 % interval", "Sent", "Converted"]
    note = (
        f"Of the {len(findings.ranking)} finished campaigns of which it is known. The best are those whose "
        "interval has the highest lower end, the worst those with the lowest upper end: so a small campaign "
        "that had luck is not on top. Where intervals overlap, the order can be chance."
    )
    body = join(
        [
            tag("h3", f"Best by {measure.lower()}"),
            table(head, rows(best), words=2),
            tag("h3", f"Worst by {measure.lower()}"),
            table(head, rows(worst), words=2),
            tag("p", note, class_="note"),
        ]
    )
    used = ("interval", "profit" if measure == "Profit" else "per_recipient", "sent", "conversion")
    return Section("ranking", "Best and worst", body, used)
