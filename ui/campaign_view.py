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
from ma.charts import theme
from ma.errors import NotFound
from ma.services import campaigns, launches
from ma.types import Actor, Channel, Permission
from ui import campaign_form, kpi, tables
from ui.errors import shown
from ui.export import export_button
from ui.links import link
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
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
    _header(actor, campaign)
    if campaign["status"] in ("draft", "scheduled") or campaign["launched_at"] is None:
        _plan(actor, campaign)
    else:
        _outcome(actor, campaign)


def _header(actor: Actor, campaign: dict) -> None:
    icon, colour = STATUS_ICONS[campaign["status"]]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(campaign["name"]), anchor=False, width="content")
        st.badge(campaign["status"].capitalize(), icon=f":material/{icon}:", color=colour)
        st.badge(Channel(campaign["channel"]).label, color="gray")
        if campaign["source"] == "imported":
            st.badge("Imported results", icon=":material/upload_file:", color="violet")
        st.space("stretch")
        _actions(actor, campaign)
    if campaign["objective"]:
        st.text(campaign["objective"])


def _actions(actor: Actor, campaign: dict) -> None:
    """The buttons of what may happen next, for those who may."""
    if campaign["source"] == "imported":
        return
    if actor.may(Permission.LAUNCH):
        for draw in _NEXT.get(campaign["status"], ()):
            draw(campaign)
    if actor.may(Permission.EDIT_CAMPAIGNS) and st.button(
        "Duplicate", icon=":material/content_copy:", key="duplicate", type="tertiary"
    ):
        with shown() as attempt, writing() as session:
            copy = campaigns.duplicate_campaign(session, current_actor(), campaign["id"], at=now())
        if attempt.ok:
            st.query_params["id"] = str(copy)
            st.rerun()


def _launch(campaign: dict) -> None:
    if st.button("Launch campaign", type="primary", icon=":material/rocket_launch:", key="launch"):
        _confirm_launch(campaign)


def _schedule(campaign: dict) -> None:
    if st.button("Schedule", icon=":material/schedule:", key="schedule"):
        _ask_when(campaign)


def _unschedule(campaign: dict) -> None:
    _button("Back to draft", "edit_note", campaigns.unschedule_campaign, campaign, "It is a draft again.")


def _pause(campaign: dict) -> None:
    _button("Pause", "pause", campaigns.pause_campaign, campaign, "The campaign is paused.")


def _resume(campaign: dict) -> None:
    _button("Resume", "play_arrow", campaigns.resume_campaign, campaign, "The campaign goes on.")


def _complete(campaign: dict) -> None:
    if st.button("Complete", icon=":material/check:", key="complete"):
        consequence = "It is closed for good. Waves not yet sent are dropped; what was sent stays."
        _confirm(campaign, "Complete campaign", consequence, campaigns.complete_campaign)


def _cancel(campaign: dict) -> None:
    if st.button("Cancel campaign", icon=":material/cancel:", key="cancel", type="tertiary"):
        consequence = "It is stopped for good. Waves not yet sent are dropped; what was sent stays."
        _confirm(campaign, "Cancel campaign", consequence, campaigns.cancel_campaign)


_NEXT = {
    "draft": (_launch, _schedule, _cancel),
    "scheduled": (_launch, _unschedule, _cancel),
    "running": (_pause, _complete, _cancel),
    "paused": (_resume, _complete, _cancel),
}


def _button(label: str, icon: str, change, campaign: dict, done: str) -> None:
    if st.button(label, icon=f":material/{icon}:", key=label):
        with shown() as attempt, writing() as session:
            change(session, current_actor(), campaign["id"], at=now())
        if attempt.ok:
            st.toast(done, icon=":material/check:")
            st.rerun()


def _confirm(campaign: dict, title: str, consequence: str, change) -> None:
    @st.dialog(title)
    def ask():
        st.text(f"{campaign['name']}: {consequence}")
        if st.button(title, type="primary", key="confirm"):
            with shown() as attempt, writing() as session:
                change(session, current_actor(), campaign["id"], at=now())
            if attempt.ok:
                st.rerun()

    ask()


def _confirm_launch(campaign: dict) -> None:
    @st.dialog("Launch campaign")
    def ask():
        st.text(f"{campaign['name']} goes to the segment “{campaign['segment'] or '–'}”.")
        st.caption(
            "The segment is refreshed first. Left out: people without consent for this channel, who "
            "unsubscribed or bounced before, or who got three messages in seven days. "
            "A launched campaign can't be changed."
        )
        if not st.button("Launch now", type="primary", icon=":material/rocket_launch:", key="launch-now"):
            return
        bar = st.progress(0.0, "Starting")
        with shown() as attempt, writing() as session:
            launches.launch_campaign(
                session, current_actor(), campaign["id"], at=now(), progress=bar.progress
            )
        if attempt.ok:
            st.toast("The campaign is launched.", icon=":material/rocket_launch:")
            st.rerun()

    ask()


def _ask_when(campaign: dict) -> None:
    @st.dialog("Schedule campaign")
    def ask():
        zone = ZoneInfo(workspace().timezone)
        tomorrow = now().astimezone(zone) + timedelta(days=1)
        day = st.date_input("Day", tomorrow.date(), format="YYYY-MM-DD")
        time = st.time_input(f"Time ({zone.key})", tomorrow.replace(hour=9, minute=0).time())
        if st.button("Schedule campaign", type="primary", key="schedule-now"):
            moment = datetime.combine(day, time, tzinfo=zone)
            with shown() as attempt, writing() as session:
                campaigns.schedule_campaign(
                    session, current_actor(), campaign["id"], scheduled_at=moment, at=now()
                )
            if attempt.ok:
                st.rerun()

    ask()


def _plan(actor: Actor, campaign: dict) -> None:
    """Before the launch: the form for those who may edit a draft, the facts for everybody else."""
    if campaign["status"] == "draft" and actor.may(Permission.EDIT_CAMPAIGNS):
        campaign_form.edit(campaign)
        return
    place = workspace()
    if campaign["scheduled_at"]:
        moment = campaign["scheduled_at"].astimezone(ZoneInfo(place.timezone))
        st.info(
            f"It launches on {moment:%A %d %B %Y at %H:%M} ({place.timezone}).", icon=":material/schedule:"
        )
    _facts(campaign, place.currency)


def _facts(campaign: dict, currency: str) -> None:
    facts = {
        "Segment": campaign["segment"] or "–",
        "Subject": campaign["subject"] or "–",
        "Message": campaign["body"] or "–",
        "Cost per thousand": tables.amount(campaign["cost_per_thousand_minor"], currency),
        "Fixed cost": tables.amount(campaign["fixed_cost_minor"], currency),
        "Conversion window": f"{campaign['conversion_window_days']} days",
        "Holdout": theme.percent(campaign["holdout_share"]),
        "Waves": str(campaign["waves"]),
    }
    with st.container(border=True):
        for label, value in facts.items():
            name, text = st.columns([1, 4])
            name.caption(label)
            text.text(value)


def _outcome(actor: Actor, campaign: dict) -> None:
    """After the launch: key figures, funnel, course, who was eligible, and the people."""
    as_of, place = now(), workspace()
    with reading() as session:
        figures = returns.roi(session, as_of=as_of, campaign_ids=[campaign["id"]])
        days = results.daily(session, as_of=as_of, campaign_id=campaign["id"])
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
            help="People who converted ÷ delivered (÷ sent for direct mail), organic conversions included.",
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
        st.plotly_chart(
            funnel_charts.funnel(funnels.of_totals(figures)), config=theme.CONFIG, key="campaign-funnel"
        )
        organic = int(figures["organic"].fillna(0).sum())
        if organic:
            st.caption(f"Beside it: {organic:,} people bought without the message leading them there.")
        export_button("funnel", campaign_ids=campaign["id"], key="export-campaign-funnel")
    with right, st.container(border=True, height="stretch"):
        st.markdown("**Responses** so far, by day")
        responses = [s for s in ("opened", "clicked", "converted") if s in steps]
        if days[responses].fillna(0).to_numpy().sum():
            st.plotly_chart(funnel_charts.daily(days, responses), config=theme.CONFIG, key="campaign-days")
        else:
            st.caption("None yet. Responses come over the next hours and days.")
            if place.is_demo:
                st.caption("In this demo you can move the clock forward, at the bottom of the sidebar.")
    if campaign["eligibility"]:
        with st.container(border=True):
            st.markdown("**Who was eligible** at the launch, step by step")
            st.plotly_chart(
                charts.eligibility(campaign["eligibility"]), config=theme.CONFIG, key="eligibility"
            )
    with st.expander("What was sent", icon=":material/mail:"):
        _facts(campaign, place.currency)
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
