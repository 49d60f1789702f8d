"""What people did: key figures, the funnel of each channel, and how final they are."""

import pandas as pd

from ma.analytics.rates import pooled_roi
from ma.charts import theme
from ma.money import amount
from ma.report import pictures, words
from ma.report.findings import Findings
from ma.report.markup import join, table, tag
from ma.report.pictures import Mark
from ma.report.section import Section, known
from ma.types import Channel


def key_figures(findings: Findings) -> Section:
    """All pooled figures, rates with their intervals, and how many campaigns know each."""
    frame, currency, costed = findings.campaigns, findings.place.currency, findings.costed
    delivered = frame["delivered"]
    rows = [
        ("Sent", words.count(frame["sent"].sum()), "", words.campaigns(len(frame))),
        (
            "Delivered",
            words.count(delivered.sum(min_count=1)),
            "",
            known(int(delivered.notna().sum()), len(frame)),
        ),
    ]
    for name, label in (("opened", "Open"), ("clicked", "Click"), ("converted", "Conversion")):
        found = findings.rate(name)
        seen = f"{words.count(found.people)} of {words.count(found.of)} people" if found.of else words.UNKNOWN
        rows.append(
            (f"{label} rate", theme.percent(found.value), words.interval(found.low, found.high), seen)
        )
    of_costed = known(len(costed), len(frame))
    revenue = frame["revenue_minor"]
    rows += [
        (
            "Attributed revenue",
            amount(revenue.sum(min_count=1), currency),
            words.UNKNOWN,
            known(int(revenue.notna().sum()), len(frame)),
        ),
        ("Cost", amount(costed["cost_minor"].sum(min_count=1), currency), "", of_costed),
        ("Profit", amount(costed["profit_minor"].sum(min_count=1), currency), words.UNKNOWN, of_costed),
        ("ROI", words.signed(pooled_roi(frame)), words.UNKNOWN, of_costed),
    ]
    for label, found, say in (
        ("Extra conversions", findings.extra_conversions, words.more),
        ("Extra revenue", findings.extra_revenue, lambda minor: words.money(minor, currency)),
    ):
        if found.campaigns:
            against = f"{words.campaigns(found.campaigns)} with a holdout"
            rows.append((label, say(found.value), words.ends(say(found.low), say(found.high)), against))
    note = tag(
        "p", "Rates and ROI are pooled. Counts and costs need no interval; – is unknown.", class_="note"
    )
    body = join([table(["Figure", "Value", "95 % interval", "From"], rows), note])
    used = ("sent", "delivered", "open_rate", "conversion", "conversion_rate", "pooled", "interval")
    return Section("figures", "Key figures", body, (*used, "revenue", "cost", "profit", "roi"))


def funnel(findings: Findings) -> Section:
    """The funnel of each channel: channels can see different steps."""
    parts, rows = [], []
    several = len(findings.funnels) > 1
    for channel, frame in findings.funnels.items():
        label = Channel(channel).label
        marks = [
            Mark(
                theme.STEP_LABELS[row.step],
                row.people,
                f"{row.people:,}" + ("" if pd.isna(row.of_previous) else f" · {row.of_previous * 100:.1f} %"),
                f"{row.people:,} people, {theme.percent(row.of_first)} of sent",
                theme.STEP_COLOURS[row.step],
            )
            for row in frame.itertuples()
        ]
        number = words.campaigns(int(frame["campaigns"].max())) if len(frame) else words.campaigns(0)
        parts.append(pictures.bars(f"{label} ({number})", marks))
        rows += [
            (
                label if several else "",
                theme.STEP_LABELS[row.step],
                f"{row.people:,}",
                theme.percent(row.of_previous),
                theme.percent(row.of_first),
            )
            for row in frame.itertuples()
        ]
    head = ["Channel", "Step", "People", "Of the step before", "Of sent"]
    if not several:
        head, rows = head[1:], [row[1:] for row in rows]
    notes = ["A step that a channel cannot see is left out: unknown is not zero."]
    if organic := int(findings.campaigns["organic"].fillna(0).sum()):
        notes.append(
            f"Beside the funnel: {organic:,} people bought without the message leading them there. The "
            "conversion rate counts them."
        )
    lead = "People who reached each step and every known one before it, and their share of the step before."
    body = join(
        [
            tag("p", lead),
            tag("div", *parts, class_="pair" if several else None),
            table(head, rows, words=2 if several else 1),
            tag("p", " ".join(notes), class_="note"),
        ]
    )
    return Section("funnel", "Funnel", body, ("sent", "delivered", "conversion", "organic"))


def maturity(findings: Findings) -> Section:
    """Which campaigns can still bring conversions."""
    growing = findings.campaigns[findings.campaigns["growing"]]
    zone = findings.place.timezone
    if growing.empty:
        said = "All conversion windows are over: these figures change only if results are imported anew."
        return Section("maturity", "How final these figures are", tag("p", said))
    said = (
        f"{words.campaigns(len(growing)).capitalize()} of {len(findings.campaigns)} can still bring "
        "conversions: their figures, and all pooled ones, are those so far. Compare them with finished "
        "campaigns only afterwards."
    )
    rows = [
        (
            row.name,
            words.day(row.launched_at.tz_convert(zone)),
            f"{row.conversion_window_days} days",
            theme.percent(row.immature_share),
            theme.percent(row.conversion_rate),
        )
        for row in growing.itertuples()
    ]
    head = [
        "Still growing",
        "Launched",
        "Conversion window",
        "People still inside it",
        "Conversion rate so far",
    ]
    body = join([tag("p", said), table(head, rows, words=2)])
    return Section("maturity", "How final these figures are", body, ("growing", "conversion"))
