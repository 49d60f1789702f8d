"""One campaign: where it stands, what can be done with it, and what came of it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.analytics import funnel as funnels
from ma.analytics import results
from ma.analytics import roi as returns
from ma.charts import campaigns as charts
from ma.charts import funnel as funnel_charts
from ma.errors import NotFound
from ma.types import Actor, Channel, Permission
from ui import (
    campaign_actions,
    campaign_eligibility,
    campaign_facts,
    campaign_form,
    campaign_preview,
    forecast_actual,
    kpi,
    picture,
    tables,
)
from ui.export import export_button
from ui.links import link
from ui.session import now, reading, workspace
from ui.text import literal

STATUS_ICONS = {
    "draft": ("edit_note", "gray"),
    "scheduled": ("schedule", "blue"),
    "running": ("play_circle", "green"),
    "paused": ("pause_circle", "orange"),
    "completed": ("check_circle", "gray"),
    "cancelled": ("cancel", "red"),
}
PAGE_SIZE = 25


def show(actor: Actor, campaign_id: int) -> None:
    """Draw the campaign; an unknown id says so."""
    try:
        with reading() as session:
            campaign = campaign_list.campaign(session, campaign_id)
    except NotFound as error:
        st.warning(str(error), icon=":material/search_off:")
        return
    buttons = _header(campaign)
    unsaved = False
    if campaign["status"] in ("draft", "scheduled") or campaign["launched_at"] is None:
        unsaved = _plan(actor, campaign)
    else:
        _outcome(campaign)
    with buttons:
        campaign_actions.draw(actor, campaign, unsaved=unsaved)


def _header(campaign: dict):
    """Name and badges; the place for the buttons, which depend on what follows."""
    icon, colour = STATUS_ICONS[campaign["status"]]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(campaign["name"]), anchor=False, width="content")
        st.badge(campaign["status"].capitalize(), icon=f":material/{icon}:", color=colour)
        st.badge(Channel(campaign["channel"]).label, color="gray")
        if campaign["source"] == "imported":
            st.badge("Imported results", icon=":material/upload_file:", color="violet")
        if campaign["archived_at"] is not None:
            st.badge("Archived", icon=":material/archive:", color="gray")
        st.space("stretch")
        buttons = st.container(horizontal=True, width="content", vertical_alignment="center")
    campaign_actions.refusal()
    return buttons


def _plan(actor: Actor, campaign: dict) -> bool:
    """Before the launch: the form for those who may edit a draft, the facts for everybody else.

    Returns whether the form holds something that is not saved.
    """
    archived = campaign["archived_at"] is not None
    if campaign["status"] == "draft" and actor.may(Permission.EDIT_CAMPAIGNS) and not archived:
        return campaign_form.edit(campaign).unsaved
    place = workspace()
    if campaign["objective"]:
        st.text(campaign["objective"])
    if campaign["status"] == "scheduled" and campaign["scheduled_at"]:
        zone = campaign["timezone"] or place.timezone
        moment = campaign["scheduled_at"].astimezone(ZoneInfo(zone))
        st.info(
            f"It launches on {moment:%A} {moment.day} {moment:%B %Y at %H:%M} ({literal(zone)}).",
            icon=":material/schedule:",
        )
    if archived:
        st.caption("It is archived. Restore it to go on with it.")
    elif campaign["status"] in ("draft", "scheduled"):
        name = f"{campaign['id']}-{campaign['version']}"
        found = campaign_eligibility.found(campaign)
        campaign_eligibility.cards(campaign, found, place.currency)
        with st.container(border=True):
            campaign_eligibility.draw(campaign, found, name)
        with st.container(border=True):
            campaign_preview.draw(campaign, found, name)
    campaign_facts.draw(campaign, place)
    return False


def _outcome(campaign: dict) -> None:
    """After the launch: key figures, funnel, course, who was eligible, and the people."""
    as_of, place = now(), workspace()
    if campaign["objective"]:
        st.text(campaign["objective"])
    with reading() as session:
        figures = returns.roi(session, as_of=as_of, campaign_ids=[campaign["id"]])
        days = results.daily(session, as_of=as_of, campaign_id=campaign["id"])
        only_totals = campaign["source"] == "imported" and not campaign_list.recipient_count(
            session, campaign_id=campaign["id"]
        )
    _news(campaign, as_of, place.timezone)
    if figures.empty:
        st.caption("Nothing was sent yet.")
        return
    row = figures.iloc[0]
    with st.grid(columns=4, border=True, min_column_width=150):
        kpi.card("Sent", row["sent"], "people", currency=place.currency)
        kpi.card(
            "Conversion rate",
            row["conversion_rate"],
            "rate",
            currency=place.currency,
            help="People who converted ÷ delivered (÷ sent for direct mail and ads), "
            "organic conversions included.",
        )
        kpi.card("Attributed revenue", row["revenue_minor"], "minor", currency=place.currency)
        kpi.card(
            "ROI",
            row["roi"],
            "ratio",
            currency=place.currency,
            help="(Attributed revenue − cost) ÷ cost. A dash means that the cost is unknown.",
        )
    left, right = st.columns(2, gap="medium")
    steps = campaign["steps"].split(",")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Funnel**: people who reached each step, and their share of the step before")
        picture.chart(funnel_charts.funnel(funnels.of_totals(figures)), key="campaign-funnel")
        organic = int(figures["organic"].fillna(0).sum())
        if organic:
            st.caption(f"Beside it: {organic:,} people bought without the message leading them there.")
        export_button("funnel", campaign_ids=campaign["id"], key="export-campaign-funnel")
    with right, st.container(border=True, height="stretch"):
        st.markdown("**Responses** so far, by day: people, cumulated")
        responses = [s for s in ("opened", "clicked", "converted") if s in steps]
        if days[responses].fillna(0).to_numpy().sum():
            picture.chart(funnel_charts.daily(days, responses), key="campaign-days")
            export_button("campaign_days", campaign_id=campaign["id"], key="export-campaign-days")
        elif only_totals:
            st.caption("Unknown: only the platform's totals were imported, not when people responded.")
        else:
            st.caption("None yet. Responses come over the next hours and days.")
            if place.is_demo:
                st.caption("In this demo you can move the clock forward, at the bottom of the sidebar.")
    forecast_actual.draw(campaign["id"], as_of, place.currency)
    if campaign["eligibility"]:
        with st.container(border=True):
            st.markdown("**Who was eligible** at the launch: people, step by step")
            picture.chart(charts.eligibility(campaign["eligibility"]), key="eligibility")
            export_button("campaign_eligibility", campaign_id=campaign["id"], key="export-eligibility")
    with st.expander("What was sent", icon=":material/mail:"):
        campaign_facts.draw(campaign, place)
    if only_totals:
        st.caption("Who got it is unknown: only the platform's totals were imported.")
    else:
        _people(campaign, as_of, place.currency)
    link("results", "Compare with other campaigns", campaigns=campaign["id"])


def _news(campaign: dict, as_of: datetime, timezone: str) -> None:
    zone = ZoneInfo(timezone)
    launched = campaign["launched_at"].astimezone(zone)
    words = f"Launched {launched:%d %b %Y, %H:%M}"
    if campaign["waves"] > 1:
        words += f" · {campaign['waves_sent']} of {campaign['waves']} waves sent"
        if campaign["status"] == "running" and campaign["next_wave_at"]:
            words += f", the next {campaign['next_wave_at'].astimezone(zone):%d %b, %H:%M}"
    over = campaign["launched_at"] + timedelta(
        days=campaign["conversion_window_days"] + campaign["waves"] - 1
    )
    if over > as_of and campaign["status"] in ("running", "paused"):
        words += (
            f" · still inside its conversion window until {over.astimezone(zone):%d %b}: figures will grow"
        )
    st.caption(words)


def _people(campaign: dict, as_of: datetime, currency: str) -> None:
    st.subheader("People", anchor=False)
    with reading() as session:
        count = campaign_list.recipient_count(session, campaign_id=campaign["id"])
    pages = max(1, -(-count // PAGE_SIZE))
    number = min(max(st.session_state.get("people-page", 1), 1), pages)
    with reading() as session:
        people = campaign_list.recipients(
            session,
            as_of=as_of,
            campaign_id=campaign["id"],
            limit=PAGE_SIZE,
            offset=(number - 1) * PAGE_SIZE,
        )
    people = tables.major(people, ["revenue_minor"], currency=currency)
    st.dataframe(
        people[["name", "email", "reached", "sent_at", "converted_at", "revenue"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Name"),
            "email": "E-mail",
            "reached": "Furthest step",
            "sent_at": tables.moment("Sent"),
            "converted_at": tables.moment("Converted"),
            "revenue": tables.money("Revenue"),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            st.pagination(pages, key="people-page")
        st.caption(f"{count:,} people, the holdout included")
        st.space("stretch")
        export_button("recipients", campaign_id=campaign["id"], key="export-people")
