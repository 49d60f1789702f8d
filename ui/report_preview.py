"""What a report will say, before it is downloaded: key figures, sentences, its sections."""

from urllib.parse import urlencode

import streamlit as st

from ma.analytics.rates import pooled_roi
from ma.errors import FileProblem
from ma.report import printing
from ma.report.findings import Findings
from ma.report.sections import in_short, sections
from ma.types import PERMISSIONS, Actor, Permission
from ui import kpi
from ui.report_choice import Choice
from ui.text import literal

_HTML = "One file without anything to load: it opens in every browser, in a mail's preview and on a phone."


def cards(findings: Findings) -> None:
    """The four key figures."""
    frame, currency = findings.campaigns, findings.place.currency
    converted = findings.rate("converted")
    with st.grid(columns=4, border=True, min_column_width=150):
        kpi.card(
            "Messages sent",
            frame["sent"].sum(),
            "people",
            currency=currency,
            help="People, counted once per campaign. Holdouts are not in it.",
        )
        kpi.card(
            "Conversion rate",
            converted.value,
            "rate",
            currency=currency,
            interval=(converted.low, converted.high),
            help=f"{converted.people:,.0f} of {converted.of:,.0f} people reached, with the 95 % interval."
            if converted.of
            else "No campaign can tell.",
        )
        kpi.card(
            "Attributed revenue",
            frame["revenue_minor"].sum(min_count=1),
            "minor",
            currency=currency,
            help="Last touch within the conversion window. It includes people who would have bought anyway.",
        )
        kpi.card(
            "ROI",
            pooled_roi(frame),
            "ratio",
            currency=currency,
            help=f"Over the {len(findings.costed)} of {len(frame)} campaigns whose cost is known.",
        )


def preview(findings: Findings, choice: Choice, actor: Actor) -> None:
    """The report in short and its contents, beside the ways to get it."""
    left, right = st.columns([5, 3], gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**In short**")
        for sentence in in_short(findings):
            st.markdown(literal(sentence))
    with right, st.container(border=True, height="stretch"):
        st.markdown("**In the report**")
        st.markdown("\n".join(f"{i}. {literal(part.title)}" for i, part in enumerate(sections(findings), 1)))
        _downloads(choice, actor)


def _downloads(choice: Choice, actor: Actor) -> None:
    if not actor.may(Permission.EXPORT):
        role = PERMISSIONS[Permission.EXPORT]
        st.caption(f"Downloading it needs the role {role}. Ask an admin for it, or somebody who has it.")
        return
    query = f"?{urlencode(choice.address())}" if choice.address() else ""
    try:
        missing = "" if printing.browser() else f"No PDF here: no browser was found. {printing.REMEDY}"
    except FileProblem as error:
        missing = f"No PDF here. {error}"
    with st.container(horizontal=True):
        st.link_button(
            "Download report",
            f"/export/report.html{query}",
            icon=":material/download:",
            type="primary",
            help=_HTML,
            key="report-html",
        )
        if not missing:
            st.link_button(
                "As PDF",
                f"/export/report.pdf{query}",
                icon=":material/picture_as_pdf:",
                help="For paper and archives. It takes a few seconds.",
                key="report-pdf",
            )
        with st.popover("In Python", icon=":material/code:", key="report-code"):
            st.code(_code(choice), language="python")
    if missing:
        st.caption(literal(missing))


def _code(choice: Choice) -> str:
    """The lines that write the same file from a notebook."""
    given = {name: value for name, value in choice.arguments().items() if value is not None}
    said = "".join(
        f", {name}={value}" if name == "campaign_ids" else f', {name}=date.fromisoformat("{value}")'
        for name, value in given.items()
    )
    needs_dates = "start" in given or "end" in given
    lines = (["from datetime import date", ""] if needs_dates else []) + [
        "from ma.notebook import connect",
        "",
        "workbench = connect()",
        f'workbench.report("report.html"{said})',
    ]
    return "\n".join(lines)
