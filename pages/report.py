"""Report: campaigns of some days as one file for somebody who never opens the app."""

from datetime import timedelta

import streamlit as st

from ma import clock
from ma.analytics import roi as returns
from ma.errors import InvalidInput, InvalidPeriod
from ma.report.days import EARLIEST, LATEST
from ma.types import Permission
from ui import report_choice, report_kept, report_preview
from ui.links import link
from ui.page import page
from ui.session import now, reading, workspace
from ui.text import literal

# Without days in the address: a quarter, or everything where nothing was launched in it.
_USUAL_DAYS = 91

actor = page(
    "Report",
    Permission.READ,
    subtitle="Campaigns as one file that a manager can read and print: figures, intervals, definitions.",
)

place, as_of = workspace(), now()
with reading() as session:
    everything = returns.roi(session, as_of=as_of)
if everything.empty:
    st.info(
        "**Nothing to report yet.** This page makes a report of the campaigns that were launched. "
        "It fills with the first launch.",
        icon=":material/summarize:",
    )
    link("campaigns", "Plan a campaign")
    st.stop()

days = everything["launched_at"].dt.tz_convert(place.timezone).dt.date
today = clock.local_day(as_of, place.timezone)
usual = today - timedelta(days=_USUAL_DAYS - 1)
if not (days >= usual).any():
    usual = days.min()
asked = {name: st.query_params[name] for name in report_choice.PARAMETERS if name in st.query_params}
try:
    wanted = report_choice.from_address(asked)
except (InvalidInput, InvalidPeriod) as error:
    st.warning(f"The address cannot be read. {literal(error)}", icon=":material/link_off:")
    wanted = report_choice.Choice()
first = wanted.start or (usual if wanted.end is None else min(days.min(), wanted.end - timedelta(days=1)))
last = wanted.end - timedelta(days=1) if wanted.end else max(today, first)

filters = st.columns([2, 5], vertical_alignment="bottom")
with filters[0]:
    picked = st.date_input(
        "Launched",
        (first, last),
        min_value=EARLIEST,
        max_value=LATEST,
        format="DD/MM/YYYY",
        key="report-days",
        help=f"The first and the last day, both included, in {place.timezone}.",
    )
if len(picked) < 2:
    st.caption("Choose the last day too.")
    st.stop()
start, end = picked[0], picked[1] + timedelta(days=1)
launched = everything[(days >= start) & (days < end)]
names = dict(zip(launched["campaign_id"], launched["name"], strict=True))
kept = [i for i in wanted.campaign_ids or () if i in names]
with filters[1]:
    chosen = st.multiselect(
        "Campaigns",
        list(names),
        default=kept,
        format_func=names.get,
        placeholder=f"All {len(names)} launched in these days" if names else "None launched in these days",
        # Of other days there are other campaigns to choose from.
        key=f"report-campaigns-{start}-{end}",
        disabled=not names,
    )
choice = report_choice.Choice(start, end, tuple(chosen) or None)
if asked or (start, end) != (first, last + timedelta(days=1)) or chosen:
    for name in report_choice.PARAMETERS:
        st.query_params.pop(name, None)
    st.query_params.update(choice.address())
if launched.empty:
    st.warning("No campaign was launched in these days. Choose more of them.", icon=":material/event_busy:")
    st.stop()
if gone := len(wanted.campaign_ids or ()) - len(kept):
    st.caption(f"Left out, as not launched in these days: {gone} of the campaigns in the address.")

findings = report_kept.findings(choice, as_of)
report_preview.cards(findings)
report_preview.preview(findings, choice, actor)
sources = "simulated and imported results" if findings.campaigns["source"].nunique() > 1 else "one source"
st.caption(
    f"As of {findings.as_of:%d %b %Y, %H:%M} UTC · {sources} · conversion rate is people ÷ delivered (÷ sent "
    "where delivery is unknown) · an empty figure is unknown, not zero."
)
