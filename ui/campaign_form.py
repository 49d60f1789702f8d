"""The form of a campaign: everything a marketer decides before the launch.

What is typed stands in the session under the names of one opening of the form, so no error loses it. Nothing
is sent to the database before it is saved; how many would be sent the campaign is worked out all the while.
"""

from dataclasses import dataclass
from secrets import token_hex

import streamlit as st

from ma.analytics import segments as segment_list
from ma.services import campaign_fields, campaigns
from ma.types import Actor, Channel, Permission
from ui import campaign_eligibility, campaign_messages, campaign_preview, campaign_sections
from ui.campaign_widgets import SECTIONS, Form, label
from ui.errors import shown
from ui.links import link
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

_OPENED = "opened-campaign-"


@dataclass(frozen=True)
class Draft:
    """A campaign as it stands in the form; `values` are in the units of the services."""

    values: dict
    unsaved: bool


def create(actor: Actor) -> None:
    """Draw the empty form; saving it opens the new campaign."""
    if not actor.may(Permission.EDIT_CAMPAIGNS):
        st.error("Your role may read campaigns but not create them. Ask an admin for the role marketer.")
        return
    opened = st.session_state.setdefault(f"{_OPENED}new", {"opening": token_hex(4)})
    form = Form(f"new-{opened['opening']}", {}, workspace().currency)
    draft = _draw(form)
    if draft is None:
        st.info(
            "A campaign goes to a segment, and there is none yet. Build a segment first.",
            icon=":material/filter_alt:",
        )
        link("segments", "Build a segment", id="new")
        return
    if not _saved(form, draft, but=None):
        return
    with shown() as attempt, writing() as session:
        campaign_id = campaigns.create_campaign(session, current_actor(), at=now(), **draft.values)
    if attempt.ok:
        leave()
        st.toast("The draft is saved.", icon=":material/check:")
        st.query_params["id"] = str(campaign_id)
        st.rerun()


def edit(campaign: dict) -> Draft:
    """Draw the form of a draft; saving it keeps it a draft.

    The form stands for the version that was opened: what somebody else saved meanwhile is not overwritten.
    """
    opened_key = f"{_OPENED}{campaign['id']}"
    opened = st.session_state.setdefault(opened_key, campaign | {"opening": token_hex(4)})
    if opened["version"] != campaign["version"]:
        st.warning(
            "Somebody else has saved this draft since you opened it. What you typed is still here, but "
            "cannot be saved over theirs.",
            icon=":material/group:",
        )
        if st.button("Load what they saved", icon=":material/refresh:", key="load-saved"):
            del st.session_state[opened_key]
            st.rerun()
    form = Form(f"{opened['id']}-{opened['version']}-{opened['opening']}", opened, workspace().currency)
    draft = _draw(form)
    if not _saved(form, draft, but=campaign["id"]):
        return draft
    with shown() as attempt, writing() as session:
        campaigns.update_campaign(
            session, current_actor(), campaign["id"], version=opened["version"], at=now(), **draft.values
        )
    if attempt.ok:
        del st.session_state[opened_key]
        st.toast("Saved.", icon=":material/check:")
        st.rerun()
    return draft


def leave() -> None:
    """Forget which versions were opened; called where no form is shown."""
    for key in [key for key in st.session_state if str(key).startswith(_OPENED)]:
        del st.session_state[key]


def _draw(form: Form) -> Draft | None:
    """Draw the form; what stands in it, None where there is no segment to send anything to."""
    place, at = workspace(), now()
    with reading() as session:
        segments = segment_list.segments(session, as_of=at)
    if segments.empty:
        return None
    cards = st.container()
    values: dict = {}
    with st.container(border=True):
        channel = _channel(form)
        left, right = st.columns([2, 3])
        with left:
            values["name"] = st.text_input(
                "Name",
                form.saved("name", ""),
                max_chars=campaign_fields.LONGEST_NAME,
                placeholder="Spring newsletter",
                key=form.name("name"),
            )
            form.place("name")
        with right:
            values["objective"] = st.text_input(
                "Objective",
                form.saved("objective", ""),
                placeholder="What should it achieve, for whom?",
                key=form.name("objective"),
            )
            form.place("objective")
        values["channel"] = channel.value
        who, message, delivery, cost = st.tabs(
            SECTIONS, key=f"campaign-sections-{form.campaign.get('id', 'new')}"
        )
        with who:
            values |= campaign_sections.audience(form, segments)
        with message:
            values |= campaign_messages.draw(form, channel)
        with delivery:
            values |= campaign_sections.delivery(form, place.timezone)
        with cost:
            values |= campaign_sections.cost_and_test(form, channel)
        campaign = values | {"id": form.campaign.get("id")}
        found = campaign_eligibility.found(campaign, segments)
        with cards:
            campaign_eligibility.cards(campaign, found, form.currency)
        with who:
            campaign_eligibility.draw(campaign, found, form.key)
        with message:
            campaign_preview.draw(campaign, found, form.key)
    return Draft(values, unsaved=_unsaved(form, values))


def _channel(form: Form) -> Channel:
    """The channel; what else is asked depends on it."""
    saved = Channel(form.saved("channel", Channel.EMAIL))
    before = st.session_state.get(form.name("channel-before"), saved)
    chosen = st.segmented_control(
        "Channel",
        list(Channel),
        format_func=lambda c: c.label,
        default=saved,
        key=form.name("channel"),
        required=True,
    )
    chosen = chosen or saved
    st.session_state[form.name("channel-before")] = chosen
    if chosen is not before and not form.campaign:
        campaign_sections.follow_channel(form, before, chosen)
    form.place("channel")
    return chosen


def _unsaved(form: Form, values: dict) -> bool:
    if not form.campaign:
        return True

    def tidy(value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    saved = campaign_fields.DEFAULTS | form.campaign
    return any(tidy(value) != tidy(saved[name]) for name, value in values.items())


def _saved(form: Form, draft: Draft, *, but: int | None) -> bool:
    """Whether the person wants it saved and it can be; from then on what is wrong is told as they type."""
    tried = form.name("tried")
    told = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        look = "primary" if draft.unsaved else "secondary"
        wanted = st.button("Save draft", type=look, icon=":material/save:", key="save-draft")
        if wanted:
            st.session_state[tried] = True
        if draft.unsaved and form.campaign:
            st.badge("Not saved yet", icon=":material/edit:", color="orange")
    if not st.session_state.get(tried):
        return False
    with reading() as session:
        _, problems = campaign_fields.clean(session, campaign_fields.DEFAULTS | draft.values, but=but)
    form.tell(problems)
    if problems:
        told.error("  \n".join(_listed(problems)), icon=":material/error:")
    return wanted and not problems


def _listed(problems: dict[str, str]) -> list[str]:
    """Every problem with its field and where that stands."""
    lines = ["**Nothing was saved yet.** Correct these first:"]
    for field, problem in problems.items():
        name, section = label(field)
        where = f"{section} › {name}" if section else name
        lines.append(f"{literal(where)}: {literal(problem)}")
    return lines
