"""The sections of a report in their order, and the report in a few sentences."""

from collections.abc import Callable

from ma.analytics.rates import pooled_roi
from ma.money import amount
from ma.report import comparison, effects, responses, words
from ma.report.findings import Findings
from ma.report.glossary import terms
from ma.report.markup import join, tag
from ma.report.section import Section

_SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    responses.key_figures,
    effects.effect,
    responses.funnel,
    comparison.returns,
    comparison.channels,
    comparison.ranking,
    comparison.segments,
    effects.tests,
    responses.maturity,
)


def sections(findings: Findings) -> list[Section]:
    """The sections that these findings have something to say in, the definitions of their words last."""
    found = [section for make in _SECTIONS if (section := make(findings)) is not None]
    used = {name for section in found for name in section.words} | {"unknown"}
    return [*found, _definitions(used)]


def in_short(findings: Findings) -> list[str]:
    """The report in a few sentences."""
    frame, currency = findings.campaigns, findings.place.currency
    converted, costed, growing = findings.rate("converted"), findings.costed, int(frame["growing"].sum())
    told = [
        f"{words.campaigns(len(frame)).capitalize()} launched {words.period(findings)} "
        f"{'was' if len(frame) == 1 else 'were'} sent to {words.count(frame['sent'].sum())} people, counted "
        "once per campaign.",
    ]
    if converted.value == converted.value:
        told.append(
            f"{words.count(converted.people)} of the {words.count(converted.of)} people reached converted: "
            f"{words.rate(converted)}."
        )
    if frame["revenue_minor"].notna().any():
        told.append(
            f"The revenue attributed to them is {amount(frame['revenue_minor'].sum(), currency)}; it "
            "includes people who would have bought anyway."
        )
    told += effects.told(findings)
    roi = pooled_roi(frame)
    if roi == roi:
        part = "" if len(costed) == len(frame) else f" (known for {len(costed)} of {len(frame)})"
        told.append(
            f"They cost {amount(costed['cost_minor'].sum(), currency)}{part}: the ROI is "
            f"{words.signed(roi)}{' over those' if part else ''}."
        )
    else:
        told.append("What they cost is not known or nothing, so no ROI can be said.")
    if growing:
        told.append(f"{words.campaigns(growing).capitalize()} can still bring conversions.")
    return told


def _definitions(used: set[str]) -> Section:
    pairs = [join([tag("dt", name), tag("dd", sentence)]) for name, sentence in terms(*used)]
    return Section("definitions", "What the words mean", tag("dl", *pairs))
