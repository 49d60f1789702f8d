"""What can be done with a campaign as it stands: launch, schedule, pause, complete, duplicate, archive …"""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.errors import Conflict
from ma.money import amount
from ma.services import campaigns, launches, replays
from ma.services.campaign_preview import Preview, cost_minor
from ma.types import Actor, CampaignStatus, Permission
from ui import campaign_eligibility, campaign_facts
from ui.errors import shown
from ui.links import link
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

_REFUSED = "campaign-refused"
_SAVE_FIRST = "Save the draft first: what is not saved is not sent."


def draw(actor: Actor, campaign: dict, *, unsaved: bool = False) -> None:
    """The buttons of what may happen next, for those who may; `unsaved`: the form holds something else."""
    archived = campaign["archived_at"] is not None
    if actor.may(Permission.LAUNCH) and campaign["source"] != "imported" and not archived:
        for button in _NEXT.get(campaign["status"], ()):
            button(campaign, unsaved)
    if campaign["status"] in ("draft", "scheduled") and not unsaved and not archived:
        link("forecast", "Forecast", icon=":material/query_stats:", campaign=campaign["id"])
    if replays.why_not(campaign) is None:
        link("replay", "Replay", icon=":material/replay:", campaign=campaign["id"])
    if actor.may(Permission.EDIT_CAMPAIGNS):
        if campaign["source"] != "imported":
            _duplicate(campaign)
        _archive(campaign)


def refusal() -> None:
    """Say why the last change was not possible; the screen shows the campaign as it is now."""
    if reason := st.session_state.pop(_REFUSED, None):
        st.error(literal(reason), icon=":material/block:")


def change(work: Callable, campaign: dict, done: str = "", **values) -> bool:
    """Change the campaign's state; where that is not possible any more, the screen drawn next says why."""
    with shown() as attempt:
        try:
            with writing() as session:
                work(session, current_actor(), campaign["id"], at=now(), **values)
        except Conflict as conflict:
            st.session_state[_REFUSED] = str(conflict)
            done = ""
    if attempt.ok and done:
        st.toast(done, icon=":material/check:")
    return attempt.ok


def _button(label: str, icon: str, work: Callable, campaign: dict, done: str, **look) -> None:
    """A button that changes the state at once; in its callback, as the next drawing may be without it."""
    st.button(
        label,
        icon=f":material/{icon}:",
        on_click=change,
        args=(work, campaign, done),
        key=_key(label),
        **look,
    )


def _opens(label: str, icon: str, campaign: dict, **look) -> bool:
    """A button that opens a dialog, unless somebody has brought the campaign further since it was drawn."""
    return st.button(
        label, icon=f":material/{icon}:", on_click=_still, args=(campaign,), key=_key(label), **look
    )


def _key(label: str) -> str:
    return label.split()[0].lower()


def _still(campaign: dict) -> None:
    current_actor()
    with reading() as session:
        status = campaign_list.campaign(session, campaign["id"])["status"]
    if status != campaign["status"]:
        st.session_state[_REFUSED] = (
            f"“{campaign['name']}” is {status} by now: somebody else was quicker. It is shown as it is."
        )


def _launch(campaign: dict, unsaved: bool) -> None:
    look = {"type": "secondary" if unsaved else "primary", **_only_saved(unsaved)}
    if _opens("Launch campaign", "rocket_launch", campaign, **look):
        _confirm_launch(campaign)


def _schedule(campaign: dict, unsaved: bool) -> None:
    if _opens("Schedule", "schedule", campaign, **_only_saved(unsaved)):
        _ask_when(campaign)


def _only_saved(unsaved: bool) -> dict:
    return {"disabled": unsaved, "help": _SAVE_FIRST if unsaved else None}


def _unschedule(campaign: dict, _unsaved: bool) -> None:
    _button("Back to draft", "edit_note", campaigns.unschedule_campaign, campaign, "It is a draft again.")


def _pause(campaign: dict, _unsaved: bool) -> None:
    _button("Pause", "pause", campaigns.pause_campaign, campaign, "The campaign is paused.")


def _resume(campaign: dict, _unsaved: bool) -> None:
    _button("Resume", "play_arrow", campaigns.resume_campaign, campaign, "The campaign goes on.")


def _complete(campaign: dict, _unsaved: bool) -> None:
    if _opens("Complete", "check", campaign):
        consequence = "It is closed for good. Waves not yet sent are dropped; what was sent stays."
        _confirm(campaign, "Complete campaign", consequence, campaigns.complete_campaign)


def _cancel(campaign: dict, _unsaved: bool) -> None:
    if _opens("Cancel campaign", "cancel", campaign, type="tertiary"):
        consequence = "It is stopped for good. Waves not yet sent are dropped; what was sent stays."
        _confirm(campaign, "Cancel campaign", consequence, campaigns.cancel_campaign)


_NEXT = {
    "draft": (_launch, _schedule, _cancel),
    "scheduled": (_launch, _unschedule, _cancel),
    "running": (_pause, _complete, _cancel),
    "paused": (_resume, _complete, _cancel),
}


def _duplicate(campaign: dict) -> None:
    if st.button("Duplicate", icon=":material/content_copy:", key="duplicate", type="tertiary"):
        with shown() as attempt, writing() as session:
            copy = campaigns.duplicate_campaign(session, current_actor(), campaign["id"], at=now())
        if attempt.ok:
            st.toast("A copy is a new draft.", icon=":material/check:")
            st.query_params["id"] = str(copy)
            st.rerun()


def _archive(campaign: dict) -> None:
    if campaign["archived_at"] is not None:
        words = "It is back in the list."
        _button("Restore", "unarchive", campaigns.restore_campaign, campaign, words, type="tertiary")
    elif campaign["status"] in (CampaignStatus.DRAFT, *campaigns.ENDED):
        help = "Out of the list; its figures stay, and it can be restored."
        work = campaigns.archive_campaign
        _button("Archive", "archive", work, campaign, "It is archived.", type="tertiary", help=help)


def _confirm(campaign: dict, title: str, consequence: str, work: Callable) -> None:
    @st.dialog(title)
    def ask():
        st.text(f"{campaign['name']}: {consequence}")
        if st.button(title, type="primary", key="confirm") and change(work, campaign):
            st.rerun()

    ask()


def _confirm_launch(campaign: dict) -> None:
    @st.dialog("Launch campaign", width="medium", icon=":material/rocket_launch:")
    def ask():
        place = workspace()
        st.text(f"{campaign['name']} goes to the segment “{campaign['segment'] or '–'}”.")
        found = campaign_eligibility.found(campaign)
        if found:
            _expected(campaign, found, place.currency)
        st.caption(
            "The segment is refreshed first, so the figures may still change. "
            "A launched campaign can't be changed."
        )
        if not st.button("Launch now", type="primary", icon=":material/rocket_launch:", key="launch-now"):
            return
        bar = st.progress(0.0, "Starting")

        def launch(session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
            launches.launch_campaign(session, actor, campaign_id, at=at, progress=bar.progress)

        if change(launch, campaign, "The campaign is launched."):
            st.rerun()

    ask()


def _expected(campaign: dict, found: Preview, currency: str) -> None:
    """The waterfall's end in figures: how many now and later, what it costs, what is left of the budget."""
    cost, budget = cost_minor(campaign, found.treated), campaign["budget_minor"]
    with st.grid(columns=3, border=True, min_column_width=120):
        later = found.treated - found.sent
        st.metric(
            "Sent now",
            f"{found.sent:,}",
            delta=f"{later:,} in later waves" if later else None,
            delta_color="off",
            delta_arrow="off",
        )
        st.metric("Held out", f"{found.losses().get('holdout', 0):,}")
        left = None if budget is None or cost is None else budget - cost
        st.metric(
            "Cost",
            literal(amount(cost, currency)),
            delta=None if left is None else literal(f"{amount(left, currency)} of the budget left"),
            delta_color="off",
            delta_arrow="off",
        )
    lost = {step: people for step, people in found.losses().items() if step != "holdout"}
    if lost:
        st.caption(
            f"{sum(lost.values()):,} of the {found.audience:,} in the segment are not sent it: "
            + ", ".join(f"{people:,} {campaign_eligibility.short(step)}" for step, people in lost.items())
            + "."
        )
    if found.blocked:
        st.warning(literal(f"Nobody would be sent it. {found.blocked}"), icon=":material/block:")
    zone = campaign["timezone"] or workspace().timezone
    if campaign["quiet_from"] is not None:
        begin, end = (campaign_facts.clock(campaign[name]) for name in ("quiet_from", "quiet_until"))
        st.caption(f"Quiet hours {begin}–{end} ({zone}): what falls into them goes out when they end.")


def _ask_when(campaign: dict) -> None:
    @st.dialog("Schedule campaign", icon=":material/schedule:")
    def ask():
        zone = ZoneInfo(campaign["timezone"] or workspace().timezone)
        tomorrow = now().astimezone(zone) + timedelta(days=1)
        day = st.date_input("Day", tomorrow.date(), format="YYYY-MM-DD")
        time = st.time_input(f"Time ({zone.key})", tomorrow.replace(hour=9, minute=0).time())
        if st.button("Schedule campaign", type="primary", key="schedule-now"):
            moment = datetime.combine(day, time, tzinfo=zone)
            if change(campaigns.schedule_campaign, campaign, "It is scheduled.", scheduled_at=moment):
                st.rerun()

    ask()
