"""One lead: whose it is, what it is worth and why, what can be done with it, and what was."""

from datetime import datetime
from functools import partial

import pandas as pd
import streamlit as st

from ma.analytics import leads as analytics
from ma.analytics.names import campaign_names, customer_names
from ma.charts.theme import CHANNEL_LABELS
from ma.money import amount, digits, symbol, unit
from ma.subscribers import leads
from ma.types import LOST_REASONS, OPEN_STAGES, Actor, Permission
from ui import case_change, tables
from ui.case_change import change
from ui.export import export_button
from ui.lead_words import NOBODY, PARTS, REASONS, STAGES, STEPS, action, person
from ui.links import here, link
from ui.moments import ago
from ui.session import now, reading, workspace
from ui.text import literal


def show(actor: Actor, lead_id: int) -> None:
    """Draw the lead. Raises NotFound."""
    here("All leads", icon=":material/arrow_back:")
    as_of, currency = now(), workspace().currency
    with reading() as session:
        lead = analytics.lead(session, lead_id, as_of=as_of)
        signals = analytics.lead_signals(session, lead_id=lead_id, as_of=as_of)
        score = analytics.lead_score(session, lead_id=lead_id, as_of=as_of)
        history = analytics.lead_changes(session, lead_id=lead_id, as_of=as_of)
        reps = analytics.lead_reps(session, as_of=as_of)["name"].tolist()
        people = customer_names(session, [lead["customer_id"]])
        campaigns = campaign_names(session, [lead["campaign_id"], *signals["campaign_id"]])
    case_change.refusal()
    may_work = actor.may(Permission.WORK_CASES) and lead["closed_at"] is None
    _heading(lead, person(people, lead["customer_id"]), currency, may_work)
    _facts(lead, campaigns, as_of, currency)
    if may_work:
        _work(lead, reps)
    left, right = st.columns([3, 2], gap="medium")
    with left.container(border=True, height="stretch"):
        _score(lead, score, signals, campaigns, currency)
    with right.container(border=True, height="stretch"):
        case_change.note(
            leads.note_lead,
            lead["lead_id"],
            lead,
            may_work=may_work,
            longest=leads.LONGEST_NOTE,
            placeholder="Called on Friday; wants an offer for ten.",
        )
    case_change.history(history, _told(history, currency))


def _heading(lead: dict, name: str, currency: str, may_work: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(literal(name), anchor=False, width="content")
        colour = {"won": "green", "lost": "gray"}.get(lead["stage"], "violet")
        st.badge(STAGES[lead["stage"]], color=colour)
        st.space("stretch")
        if lead["customer_id"] is not None:
            link("customers", "Their page", icon=":material/person:", id=int(lead["customer_id"]))
        if may_work:
            if st.button("Lost", icon=":material/close:", key="lose"):
                _lose(lead)
            if st.button("Won", type="primary", icon=":material/check:", key="win"):
                _win(lead, currency)


def _facts(lead: dict, campaigns: dict[int, str], as_of: datetime, currency: str) -> None:
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric(
            "Score", f"{lead['score']} of 100", help="What it is made of stands below.", height="stretch"
        )
        st.metric(
            "Worth",
            literal(amount(lead["value_minor"], currency)),
            help="What they will pay."
            if lead["stage"] == "won"
            else "What they spent because of the campaign.",
            height="stretch",
        )
        st.metric("Owner", literal(lead["owner"] or NOBODY), height="stretch")
        if lead["closed_at"] is None:
            days = int(lead["days_in_stage"])
            st.metric("In this stage", "Since today" if days == 0 else _days(days), height="stretch")
        else:
            took = _days((lead["closed_at"] - lead["opened_at"]).days)
            st.metric("Took", took, help="From being opened to being won or lost.", height="stretch")
    campaign = campaigns.get(int(lead["campaign_id"]), "a campaign that is no longer here")
    lost = f" · lost: {lead['lost_reason']}" if lead["lost_reason"] else ""
    st.caption(
        f"{REASONS.get(lead['reason'], lead['reason'])} · {literal(campaign)} "
        f"({CHANNEL_LABELS.get(lead['channel'], lead['channel'])}) · opened {ago(lead['opened_at'], as_of)} "
        f"· last sign of interest {ago(lead['signal_at'], as_of)}{lost}"
    )


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"


def _work(lead: dict, reps: list[str]) -> None:
    """Move it on, and give it to somebody."""
    which = (lead["lead_id"], lead["version"])
    with st.container(horizontal=True, vertical_alignment="bottom", key="lead-work"):
        open_stages = [stage.value for stage in OPEN_STAGES]
        key = f"move-{which[0]}-{which[1]}"
        st.segmented_control(
            "Stage",
            open_stages,
            format_func=STAGES.get,
            default=lead["stage"],
            required=True,
            key=key,
            on_change=_move,
            args=(*which, key),
            width="content",
        )
        names = [NOBODY, *reps]
        if lead["owner"] and lead["owner"] not in names:
            names.append(lead["owner"])
        key = f"assign-{which[0]}-{which[1]}"
        st.selectbox(
            "Owner",
            names,
            index=names.index(lead["owner"] or NOBODY),
            key=key,
            on_change=_assign,
            args=(*which, key),
            width=240,
        )


def _move(lead_id: int, version: int, key: str) -> None:
    stage = st.session_state[key]
    change(leads.move_lead, lead_id, stage=stage, version=version, done=f"It is in “{STAGES[stage]}” now.")


def _assign(lead_id: int, version: int, key: str) -> None:
    owner = st.session_state[key]
    wanted = None if owner == NOBODY else owner
    change(leads.assign_lead, lead_id, owner=wanted, version=version, done=f"It is {literal(owner)}'s now.")


def _score(
    lead: dict, score: pd.DataFrame, signals: pd.DataFrame, campaigns: dict[int, str], currency: str
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Why this score**", width="content")
        st.space("stretch")
        export_button("lead_score", lead_id=int(lead["lead_id"]))
    if signals.empty:
        st.caption("What they did is no longer known: they left, or were merged with another customer.")
        return
    st.dataframe(
        score.assign(part=score["part"].map(PARTS))[["part", "count", "each", "points", "most"]],
        hide_index=True,
        column_config={
            "part": "What",
            "count": tables.count("How much", help="Of engagement: its band when they were sent it, 0 to 4."),
            "each": tables.count("Points each"),
            "points": st.column_config.ProgressColumn("Points", min_value=0, max_value=50, format="%d"),
            "most": tables.count("At most"),
        },
    )
    total = int(score["points"].sum())
    if total != lead["score"]:
        st.caption(f"It was {lead['score']} when the lead was worked on; what is known now gives {total}.")
    shown = tables.major(
        signals.assign(
            step=signals["step"].map(STEPS),
            campaign=signals["campaign_id"].map(campaigns),
            channel=signals["channel"].map(CHANNEL_LABELS),
        ),
        ["revenue_minor"],
        currency=currency,
    )
    st.dataframe(
        shown[["at", "step", "campaign", "channel", "revenue", "band"]],
        hide_index=True,
        placeholder="–",
        height=min(35 * len(shown) + 38, 214),
        column_config={
            "at": tables.moment("When"),
            "step": "What they did",
            "campaign": st.column_config.TextColumn("Campaign", width="medium"),
            "channel": "Channel",
            "revenue": tables.money("Spent", currency),
            "band": tables.count(
                "Engagement band",
                help="Of their engagement when they were sent it: 0 is below 20 of 100, 4 from 80 on.",
            ),
        },
    )
    st.caption("A click older than 7 days and a purchase older than 30 days when it was told makes no lead.")


def _told(history: pd.DataFrame, currency: str) -> list[str]:
    """A sentence for each change."""
    told = []
    for row in history.itertuples():
        details = {**STAGES, **REASONS}
        if row.action == "won" and isinstance(row.detail, str) and row.detail.isdigit():
            details = {row.detail: amount(int(row.detail), currency)}
        told.append(action(row, details))
    return told


def _win(lead: dict, currency: str) -> None:
    @st.dialog("Lead won", icon=":material/check:")
    def ask():
        whole = unit(currency)
        st.caption("The lead is closed for good; the sale appears on the customer's timeline.")
        value = st.number_input(
            f"What they will pay ({symbol(currency).strip()})",
            min_value=0.0,
            max_value=float(leads.MOST_MINOR // whole),
            value=None if lead["value_minor"] is None else int(lead["value_minor"]) / whole,
            step=1.0,
            format=f"%.{digits(currency)}f",
            placeholder="Type an amount",
            key="won-amount",
        )
        if not st.button("Close as won", type="primary", key="win-now"):
            return
        if value is None:
            st.error("Type what they will pay; 0 if nothing.", icon=":material/error:")
            return
        work = partial(leads.win_lead, value_minor=round(value * whole))
        if change(work, lead["lead_id"], version=lead["version"], done="The lead is won."):
            st.rerun()

    ask()


def _lose(lead: dict) -> None:
    @st.dialog("Lead lost", icon=":material/close:")
    def ask():
        st.caption("The lead is closed for good. New signs of interest open a new one.")
        reason = st.pills("Why", LOST_REASONS, format_func=str.capitalize, key="lost-reason", wrap=True)
        if not st.button("Close as lost", type="primary", key="lose-now", disabled=reason is None):
            return
        if change(
            leads.lose_lead, lead["lead_id"], reason=reason, version=lead["version"], done="It is closed."
        ):
            st.rerun()

    ask()
