"""Who would be sent a campaign and who not: live while it is a draft, with the people lost at each step."""

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.analytics import segments as segment_list
from ma.charts import campaigns as charts
from ma.files.writing import written
from ma.money import amount
from ma.services.audience import FREQUENCY_CAP, FREQUENCY_DAYS
from ma.services.campaign_preview import Preview, candidates, cost_minor, decide
from ma.services.campaign_variants import shares
from ma.services.exports import record_export
from ma.types import Actor, Channel, Permission
from ui import picture, segment_refresh
from ui.export import FORMATS
from ui.moments import ago
from ui.page import current_actor
from ui.routes import MEDIA_TYPES
from ui.session import now, reading, writing
from ui.text import literal

SAMPLE = 10
# Kept for this session: the candidates, and what a launch would do.
_PEOPLE, _FOUND = "campaign-candidates", "campaign-preview"
# Step -> what is true of those lost there, the same in a word or two, and after a number.
_REASONS = {
    "consent": ("have not agreed to {channel}", "No consent", "without consent"),
    "reachable": ("have no address for {channel} on file", "No address", "without an address"),
    "not suppressed": (
        "unsubscribed from {channel}, complained or bounced before",
        "Left or bounced",
        "unsubscribed or bounced",
    ),
    "not excluded": ("are in a segment that is left out", "Left out", "in a segment left out"),
    "frequency cap": (
        f"have had {FREQUENCY_CAP} messages within {FREQUENCY_DAYS} days, in all channels",
        "Message limit",
        "at the message limit",
    ),
    "holdout": ("are held out, to compare with", "Held out", "held out"),
    "within budget": (
        "are not paid for by the budget; the lot decides",
        "Over budget",
        "not paid for by the budget",
    ),
}


def found(campaign: dict, segments: pd.DataFrame | None = None) -> Preview | None:
    """What a launch of the campaign, as it stands, would do; None while it has no segment.

    The database is asked again when the audience changes, and every ten minutes. The lots are drawn from the
    campaign's number, so that the figures stand still.
    """
    if campaign["segment_id"] is None:
        return None
    at = now()
    if segments is None:
        with reading() as session:
            segments = segment_list.segments(session, as_of=at)
    audience = _audience(campaign, segments, at)
    if st.session_state.get(_PEOPLE, (None,))[0] != audience:
        with st.spinner("Checking who can be sent it …"), reading() as session:
            st.session_state[_PEOPLE] = (audience, candidates(session, campaign, at=at))
    plan = (audience, *_plan(campaign))
    if st.session_state.get(_FOUND, (None,))[0] != plan:
        people = st.session_state[_PEOPLE][1]
        st.session_state[_FOUND] = (plan, decide(people, campaign, seed=campaign.get("id") or 0))
    return st.session_state[_FOUND][1]


def cards(campaign: dict, found: Preview | None, currency: str) -> None:
    """The figures that decide: how many are there, sent it and held out, and what it costs."""
    cost = cost_minor(campaign, found.treated) if found else None
    lost = found.losses() if found else {}
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric("In the segment", f"{found.audience:,}" if found else "–", help="At its last refresh")
        st.metric(
            "Would be sent it",
            f"{found.treated:,}" if found else "–",
            help="Now, in all waves together. Other campaigns and consent may change it until the launch.",
        )
        st.metric("Held out", f"{lost.get('holdout', 0):,}" if found else "–", help="To compare with")
        budget = campaign["budget_minor"]
        st.metric(
            "Expected cost",
            literal(amount(cost, currency)),
            help="Fixed cost + people ÷ 1,000 × cost per thousand."
            + ("" if budget is None else f" The budget is {literal(amount(budget, currency))}."),
        )


def draw(campaign: dict, found: Preview | None, name: str) -> None:
    """The waterfall, and who is lost at the step that is chosen in it."""
    if found is None:
        st.caption("Choose a segment to see who of it can be sent the campaign.")
        return
    _freshness(campaign)
    if found.blocked:
        st.warning(literal(f"Nobody would be sent it. {found.blocked}"), icon=":material/block:")
    channel = Channel(campaign["channel"])
    names = charts.PLANNED | {"consent": f"Agreed to {channel.label}"}
    if campaign["waves"] > 1:
        names["sent"] = "Sent at the launch, the others in later waves"
    left, right = st.columns([3, 2], gap="medium")
    chart, pills = f"waterfall-{name}", f"lost-step-{name}"
    with left:
        st.markdown("**Who can be sent it** :gray[step by step, as a launch now would decide]")
        picture.chart(
            charts.eligibility([step.to_dict() for step in found.waterfall], names=names),
            key=chart,
            on_select=lambda: _clicked(chart, pills),
            selection_mode="points",
            alt=f"{found.audience:,} people in the segment, {found.treated:,} would be sent it.",
        )
    with right:
        _lost(campaign, found, channel, pills)
    if len(share := shares(campaign["variants"])) > 1 and min(share.values()) > 0:
        counts = found.people["variant"].value_counts()
        said = " · ".join(f"{letter} {counts.get(letter, 0):,}" for letter in share)
        st.caption(f"By variant: {said}.")
    st.caption(
        "Holdout, variants, waves and the budget's lot are drawn anew at the launch, so these counts may "
        "differ by a few people."
    )


def short(step: str) -> str:
    """Why somebody is lost at a step, after their number: "without consent"."""
    return _REASONS[step][2]


def _audience(campaign: dict, segments: pd.DataFrame, at: datetime) -> tuple:
    """What decides who is a candidate."""
    involved = segments[segments["segment_id"].isin([campaign["segment_id"], *campaign["excluded"]])]
    return (
        campaign["segment_id"],
        campaign["channel"],
        tuple(campaign["excluded"]),
        tuple(involved["refreshed_at"].astype(str)),
        at.replace(minute=at.minute // 10 * 10, second=0, microsecond=0),
    )


def _plan(campaign: dict) -> tuple:
    """What decides which of the candidates are sent it."""
    fields = ("holdout_share", "waves", "budget_minor", "cost_per_thousand_minor", "fixed_cost_minor")
    return (
        campaign.get("id"),
        *(campaign[field] for field in fields),
        tuple(shares(campaign["variants"]).values()),
    )


def _freshness(campaign: dict) -> None:
    with reading() as session:
        segment = segment_list.segment(session, campaign["segment_id"])
    when = f"last refreshed {ago(segment.refreshed_at, now())}" if segment.refreshed_at else "never refreshed"
    if segment.static:
        when = "kept by hand"
    stale = " Its rule was changed since." if segment.stale and segment.refreshed_at else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Counted among the present members of {literal(segment.name)}, {when}.{stale} "
            "The launch refreshes it first.",
            width="stretch",
        )
        if not segment.static and current_actor().may(Permission.EDIT_SEGMENTS):
            segment_refresh.button(segment)


def _clicked(chart: str, pills: str) -> None:
    """A bar that was clicked chooses its step."""
    current_actor()
    points = st.session_state[chart].selection.points
    if points:
        data = points[0].get("customdata")
        step = next(iter(data.values())) if isinstance(data, dict) else data
        st.session_state[pills] = step[0] if isinstance(step, list) else step


def _lost(campaign: dict, found: Preview, channel: Channel, pills: str) -> None:
    losses = found.losses()
    st.markdown("**Who is not** :gray[choose a step, here or in the chart]")
    if not losses:
        st.caption("Everybody in the segment would be sent it.")
        return
    if st.session_state.get(pills) not in losses:
        st.session_state.pop(pills, None)
    step = st.pills(
        "Step",
        list(losses),
        format_func=lambda step: f"{_REASONS[step][1]} {losses[step]:,}",
        key=pills,
        label_visibility="collapsed",
        wrap=True,
    )
    if step is None:
        return
    number = losses[step]
    who = "1 person" if number == 1 else f"{number:,} people"
    with st.container(horizontal=True, vertical_alignment="top"):
        st.markdown(f"{who}: they {_REASONS[step][0].format(channel=literal(channel.label))}.")
        _export(current_actor(), campaign.get("id"), found, step)
    with reading() as session:
        people = campaign_list.people(session, found.lost_at(step, SAMPLE))
    st.dataframe(
        people.assign(profile=[f"/customers?id={customer_id}" for customer_id in people["customer_id"]])[
            ["profile", "name", "email"]
        ],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": "Name",
            "email": "E-mail",
            "profile": st.column_config.LinkColumn("Profile", display_text="Open", width=70),
        },
    )
    if number > SAMPLE:
        st.caption(f"{SAMPLE} of {number:,}, chosen at random")


def _export(actor: Actor, campaign_id: int | None, found: Preview, step: str) -> None:
    """All of them as a file. They depend on what is typed, so no address could name them."""
    if not actor.may(Permission.EXPORT):
        return
    with st.popover("Export", icon=":material/download:", key="export-lost"):
        for extension, (label, icon) in FORMATS.items():
            st.download_button(
                label,
                _file(actor, campaign_id, found, step, extension),
                file_name=f"not_sent.{extension}",
                mime=MEDIA_TYPES[extension],
                icon=icon,
                type="tertiary",
                width="stretch",
                on_click="ignore",
                key=f"export-lost-{extension}",
            )


def _file(
    actor: Actor, campaign_id: int | None, found: Preview, step: str, extension: str
) -> Callable[[], bytes]:
    # Called when somebody clicks, outside of any session: everything it needs is in here.
    def build() -> bytes:
        with reading() as session:
            table = campaign_list.people(session, found.lost_at(step)).assign(lost_at=step)
        content = written(table, extension)
        params = {"campaign_id": str(campaign_id or ""), "step": step}
        at = now()
        with writing() as session:
            record_export(
                session, actor, frame="campaign_not_sent", extension=extension,
                rows=len(table), params=params, at=at,
            )  # fmt: skip
        return content

    return build
